//! The end of the gateway: what is under way is finished, what is idle is closed, and nobody new is let in.

use std::net::SocketAddr;
use std::time::Duration;

use evergate_tests::{BOUND, Client, Gate, Gateway, Origin, Reply, until, within};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{has_read, start};

/// Far less than the gateway gives those who are under way: who is to be closed at once is closed within this.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Waits until nobody is let in at this address any more.
async fn closed(address: SocketAddr) {
    let refused = async || TcpStream::connect(address).await.is_err();
    within("the listener to close", AT_ONCE, until("nobody is let in any more", refused)).await;
}

#[tokio::test]
async fn sigterm_lets_held_requests_finish_and_closes_idle_connections() {
    let (origin, gateway) = start().await;
    let gate = Gate::new();
    for path in ["/live/held", "/cold/held"] {
        let held = gate.clone();
        origin.on(path, move |_| Reply::ok("finished").gate(&held));
    }
    let address = gateway.address();
    let mut idle = [Client::connect(address).await, Client::connect(address).await];
    assert_eq!(idle[0].get("/warm/page").await.x_cache(), "HIT");
    assert_eq!(idle[1].get("/live/page").await.x_cache(), "PASS");
    let mut held = Vec::new();
    for target in ["/live/held", "/cold/held", "/cold/held"] {
        let mut client = Client::connect(address).await;
        client.send("GET", target, &[], "").await;
        held.push(client);
    }
    gate.arrived(2).await;
    has_read(address).await;
    let stopping = tokio::spawn(gateway.stop());
    for client in &mut idle {
        client.expect_closed().await;
    }
    closed(address).await;
    assert!(!stopping.is_finished(), "requests are still under way");
    gate.open();
    for client in &mut held {
        let answer = client.read_response("GET").await;
        assert_eq!((answer.status, answer.text(), answer.complete), (200, "finished", true));
        client.expect_closed().await;
    }
    let output = within("the gateway's end", BOUND, stopping).await.expect("no panic");
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(!output.stderr.contains("grace period"), "{}", output.stderr);
}

#[tokio::test]
async fn sigterm_lets_uploads_finish() {
    let (origin, gateway) = start().await;
    let address = gateway.address();
    let mut uploads = Vec::new();
    for (target, framing) in [("/live/length", "content-length: 8"), ("/none/chunks", "transfer-encoding: chunked")] {
        let mut client = Client::connect(address).await;
        client.send_raw(format!("POST {target} HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n")).await;
        until("the handler was asked", || origin.count(target) == 1).await;
        uploads.push((target, client));
    }
    let stopping = tokio::spawn(gateway.stop());
    closed(address).await;
    for ((target, client), body) in uploads.iter_mut().zip(["all here", "8\r\nall here\r\n0\r\n\r\n"]) {
        client.send_raw(body).await;
        let answer = client.read_response("POST").await;
        assert_eq!((answer.status, answer.text()), (200, format!("POST {target} all here").as_str()));
        client.expect_closed().await;
    }
    let output = within("the gateway's end", BOUND, stopping).await.expect("no panic");
    assert_eq!(output.code, 0, "{}", output.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sigterm_closes_the_listeners_however_many_come_at_that_moment() {
    const LISTENERS: usize = 32;
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/held", move |_| Reply::ok("finished").gate(&held));
    let listen = "{ address: \"127.0.0.1:0\" }";
    let many = Gateway::simple_config(&origin, "").replacen(listen, &[listen; LISTENERS].join(", "), 1);
    let gateway = Gateway::start(&many).await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET", "/held", &[], "").await;
    gate.arrived(1).await;
    // Visitors come and go without a pause until they are refused, so that some come just when the signal does.
    let mut visitors = JoinSet::new();
    for address in (0..2 * LISTENERS).map(|visitor| gateway.address_of(visitor % LISTENERS)) {
        visitors.spawn(async move {
            while TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
    }
    has_been_asked(gateway.admin()).await;
    let id = i32::try_from(gateway.id()).expect("a process id is a positive i32");
    kill(Pid::from_raw(id), Signal::SIGTERM).expect("it runs");
    within("every listener to close", AT_ONCE, visitors.join_all()).await;
    gate.open();
    let answer = client.read_response("GET").await;
    assert_eq!((answer.status, answer.text()), (200, "finished"));
    assert_eq!(gateway.stop().await.code, 0);
}

/// Waits until the gateway has answered a question, and so has had its turn with all that came before.
async fn has_been_asked(admin: SocketAddr) {
    assert_eq!(evergate_tests::get(admin, "/healthz").await.status, 200);
}
