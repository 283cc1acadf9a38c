//! A programmable origin: an HTTP/1.1 server that does what a test tells it to, right or wrong, and remembers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::exchange;
use crate::journal::{self, Ending, Journal, Seen};
use crate::poll::{BOUND, until};
use crate::reply::Reply;

/// An origin on a free port of 127.0.0.1, on a thread of its own, which ends when it is dropped.
///
/// Connections persist; requests with bodies, by length or chunked, are read whole before the handler is asked
/// (`expect: 100-continue` is answered first).
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    journal: Journal,
    handlers: Handlers,
    commands: UnboundedSender<Command>,
}

/// What a test registers for a path.
type Handler = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// The registered handlers, the latest last. Clones are the same list.
#[derive(Clone, Default)]
struct Handlers {
    list: Arc<Mutex<Vec<(String, Handler)>>>,
}

/// What the origin's thread is told; the sender in it is told when it is done.
enum Command {
    Kill(mpsc::Sender<()>),
    Revive(mpsc::Sender<()>),
}

/// What the origin does with its port.
enum Port {
    Listening(TcpListener),
    /// Bound but not listening, so that connecting is refused and nobody else gets the port.
    Kept(TcpSocket),
}

impl Origin {
    /// Starts an origin that answers 404 to everything.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start() -> Origin {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = bind(any).expect("a free port on 127.0.0.1");
        let address = socket.local_addr().expect("a bound socket has an address");
        let (commands, inbox) = unbounded_channel();
        let journal = Journal::default();
        let handlers = Handlers::default();
        let (ready, started) = mpsc::channel();
        let service = Service { address, journal: journal.clone(), handlers: handlers.clone() };
        thread::Builder::new()
            .name(format!("origin {}", address.port()))
            .spawn(move || service.run(socket, inbox, ready))
            .expect("a thread for the origin");
        started.recv_timeout(BOUND).expect("the origin listens in time");
        Origin { address, journal, handlers, commands }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says what to reply on a path: `/exact` (whatever the query) or `/beginning/*`. Where several fit, the latest
    /// registration counts.
    ///
    /// The handler runs on the origin's thread and must not block; a gate or a pause in the [`Reply`] holds it instead.
    /// Should it panic, its connection is closed without an answer.
    pub fn on(&self, pattern: &str, handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        self.handlers.add(pattern, Arc::new(handler));
    }

    /// The same, and the handler is told how often its path was asked for, counted from 1.
    pub fn on_counted(&self, pattern: &str, handler: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) {
        let runs: Mutex<HashMap<String, usize>> = Mutex::default();
        self.on(pattern, move |seen| {
            let mut runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
            let run = runs.entry(seen.path().to_owned()).or_default();
            *run += 1;
            handler(seen, *run)
        });
    }

    /// The requests on a path, or below a beginning followed by `/*`, in the order in which their heads came; those under
    /// way are there with as much of their body as has come.
    #[must_use]
    pub fn seen(&self, pattern: &str) -> Vec<Seen> {
        self.journal.seen(pattern)
    }

    /// How many requests came on a path; see [`Origin::seen`].
    #[must_use]
    pub fn count(&self, pattern: &str) -> usize {
        self.journal.count(pattern)
    }

    /// The largest number of requests on a path that were under way at one moment, from head to the end of the reply; see
    /// [`Origin::seen`].
    #[must_use]
    pub fn concurrent_peak(&self, pattern: &str) -> usize {
        self.journal.concurrent_peak(pattern)
    }

    /// How many peers on a path went away before their reply was whole; see [`Origin::seen`].
    #[must_use]
    pub fn left(&self, pattern: &str) -> usize {
        let seen = self.journal.seen(pattern);
        let left = |seen: &&Seen| matches!(seen.ended, Some((Ending::PeerLeft, _)));
        seen.iter().filter(left).count()
    }

    /// What was wrong with bytes that came and were no requests; they were answered with 400.
    #[must_use]
    pub fn malformed(&self) -> Vec<String> {
        self.journal.problems()
    }

    /// Stops listening and closes all connections; the port is kept, and refuses connections. Not to be called from a
    /// handler.
    ///
    /// # Panics
    /// When the origin's thread does not do so in time.
    pub fn kill(&self) {
        let (done, finished) = mpsc::channel();
        let told = self.commands.send(Command::Kill(done));
        let killed = told.is_ok() && finished.recv_timeout(BOUND).is_ok();
        assert!(killed, "the origin's thread is stuck or has ended");
    }

    /// Listens again on the same port.
    ///
    /// # Panics
    /// When the origin's thread does not do so in time.
    pub async fn revive(&self) {
        let (done, finished) = mpsc::channel();
        let told = self.commands.send(Command::Revive(done));
        assert!(told.is_ok(), "the origin's thread has ended");
        until("the origin listens again", || finished.try_recv().is_ok()).await;
    }
}

impl Handlers {
    fn add(&self, pattern: &str, handler: Handler) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|(known, _)| known != pattern);
        list.push((pattern.to_owned(), handler));
    }

    /// The reply to a request.
    fn reply(&self, seen: &Seen) -> Reply {
        let handler = {
            let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
            let mut latest_first = list.iter().rev();
            let found = latest_first.find(|(pattern, _)| journal::fits(pattern, seen.path()));
            found.map(|(_, handler)| Arc::clone(handler))
        };
        match handler {
            Some(handler) => handler(seen),
            None => Reply::ok("not found\n").status(404),
        }
    }
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handlers")
    }
}

/// What the origin's thread owns.
struct Service {
    address: SocketAddr,
    journal: Journal,
    handlers: Handlers,
}

impl Service {
    /// Serves until the origin is dropped.
    fn run(self, socket: TcpSocket, inbox: UnboundedReceiver<Command>, ready: mpsc::Sender<()>) {
        // A thread and a runtime of its own keep the origin going while the test blocks its own.
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime for the origin");
        runtime.block_on(self.serve(socket, inbox, ready));
    }

    async fn serve(self, socket: TcpSocket, mut inbox: UnboundedReceiver<Command>, ready: mpsc::Sender<()>) {
        let mut port = listen(Port::Kept(socket));
        // The answers to commands may go unheard when the test has given up.
        let _ = ready.send(());
        let mut connections = JoinSet::new();
        let mut accepted = 0;
        loop {
            tokio::select! {
                command = inbox.recv() => match command {
                    None => return,
                    Some(Command::Kill(done)) => {
                        port = self.keep(port);
                        connections.shutdown().await;
                        let _ = done.send(());
                    }
                    Some(Command::Revive(done)) => {
                        port = listen(port);
                        let _ = done.send(());
                    }
                },
                stream = accept(&port) => {
                    let journal = self.journal.clone();
                    let handlers = self.handlers.clone();
                    let answer = move |seen: &Seen| handlers.reply(seen);
                    connections.spawn(exchange::converse(stream, accepted, journal, answer));
                    accepted += 1;
                }
                // Connections that have ended are let go of; without any, this waits for the next event.
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Stops listening and keeps the port.
    fn keep(&self, port: Port) -> Port {
        match port {
            Port::Kept(socket) => Port::Kept(socket),
            Port::Listening(listener) => {
                drop(listener);
                Port::Kept(bind(self.address).expect("the port that was just ours"))
            }
        }
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections that are still dying must not keep us from the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listen(port: Port) -> Port {
    match port {
        Port::Listening(listener) => Port::Listening(listener),
        // The kernel lowers the number to what it allows.
        Port::Kept(socket) => Port::Listening(socket.listen(16_384).expect("a bound socket")),
    }
}

/// The next connection; for ever when the port is only kept.
async fn accept(port: &Port) -> TcpStream {
    match port {
        Port::Kept(_) => std::future::pending().await,
        Port::Listening(listener) => loop {
            match listener.accept().await {
                Ok((stream, _)) => return stream,
                // A connection that died in the queue, or no file left: neither ends the origin.
                Err(_) => tokio::task::yield_now().await,
            }
        },
    }
}
