//! Many visitors at once.

use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::response::Response;

/// How long a visitor in a flood waits: thousands share two cores with the gateway and its origin.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many visitors the floods of one process may have at once; tests run side by side and share its file limit.
const MAX_VISITORS: u32 = 12_000;

/// The visitors that may still come, of [`MAX_VISITORS`].
static PLACES: Semaphore = Semaphore::const_new(MAX_VISITORS as usize);

/// How many connections are opened at once, so that the queue of the listener is not what is tested.
const OPENERS: usize = 16;

/// Raises this process's limit of open files to the highest that it may set itself, and gives back that limit. Processes
/// started afterwards inherit it.
///
/// # Panics
/// When the limit cannot be read or set.
pub fn raise_file_limit() -> u64 {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the file limit can be read");
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("the soft limit can be raised");
    }
    hard
}

/// Sends a GET for `target` from `n` simultaneous visitors, each on a connection of its own, and gives back their answers.
///
/// All connect first, then all send, then all read, so that every request is there before the first visitor can be
/// done. With a handler behind a gate, spawn it, or join it with what opens the gate. Floods that would need more than
/// 12,000 visitors between them take turns.
///
/// # Panics
/// When `n` is above 12,000, when the file limit is too low, or when a visitor has no connection or no answer within a minute.
pub async fn flood(address: SocketAddr, target: &str, n: usize) -> Vec<Response> {
    let limit = raise_file_limit();
    let needed = n as u64 + 200;
    assert!(
        limit >= needed,
        "{n} visitors need a limit of {needed} open files, and it is {limit}: raise it with `ulimit -n`"
    );
    let places = u32::try_from(n).ok().filter(|places| *places <= MAX_VISITORS);
    let places = places.expect("a flood of at most 12,000 visitors");
    let _places = PLACES.acquire_many(places).await.expect("the semaphore is never closed");
    let mut clients = connect(address, n).await;
    for client in &mut clients {
        client.send("GET", target, &[], b"").await;
    }
    let mut reading = JoinSet::new();
    for mut client in clients {
        reading.spawn(async move { client.read_response("GET").await });
    }
    let mut responses = Vec::with_capacity(n);
    while let Some(read) = reading.join_next().await {
        responses.push(joined(read));
    }
    responses
}

/// Opens `n` connections.
async fn connect(address: SocketAddr, n: usize) -> Vec<Client> {
    let mut openers = JoinSet::new();
    for opener in 0..OPENERS {
        let share = n / OPENERS + usize::from(opener < n % OPENERS);
        openers.spawn(async move {
            let mut clients = Vec::with_capacity(share);
            for _ in 0..share {
                let client = Client::connect(address).await;
                clients.push(client.with_patience(PATIENCE));
            }
            clients
        });
    }
    let mut clients = Vec::with_capacity(n);
    while let Some(opened) = openers.join_next().await {
        clients.append(&mut joined(opened));
    }
    clients
}

/// The result of a task; its panic goes on in the test.
fn joined<Output>(result: Result<Output, tokio::task::JoinError>) -> Output {
    match result {
        Ok(output) => output,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("a visitor was stopped: {error}"),
        },
    }
}
