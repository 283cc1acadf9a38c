//! Requests without a body: the handler's connections that they share, what is never shared over them, and answers that are
//! sent on no faster than their visitors read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use evergate_tests::{Client, Ending, Gateway, Origin, Reply, get, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{bytes, start};

/// A gateway before a handler that is no [`Origin`].
async fn before(handler: SocketAddr) -> Gateway {
    Gateway::start(&format!(
        "listen: [{{ address: 127.0.0.1:0 }}]
admin: {{ address: 127.0.0.1:0 }}
upstreams: {{ odd: {{ servers: [{handler:?}] }} }}
defaults: {{ upstream: odd }}"
    ))
    .await
}

/// Reads a request without a body; false when the peer has closed instead.
async fn asked(socket: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}

#[tokio::test]
async fn many_visitors_share_few_connections_to_the_handler() {
    const VISITORS: usize = 4;
    let (origin, gateway) = start().await;
    let mut visitors = tokio::task::JoinSet::new();
    for visitor in 0..VISITORS {
        let address = gateway.address();
        visitors.spawn(async move {
            let mut client = Client::connect(address).await;
            for number in 0..250 {
                let method = ["GET", "HEAD", "OPTIONS", "DELETE"][number % 4];
                let path = format!("/none/{visitor}?{number}");
                let answer = client.request(method, &path, &[], "").await;
                let body = if method == "HEAD" { String::new() } else { format!("{method} {path} ") };
                assert_eq!((answer.status, answer.text()), (200, body.as_str()));
            }
        });
    }
    visitors.join_all().await;
    let seen = origin.seen("/none/*");
    assert_eq!(seen.len(), VISITORS * 250);
    let last = seen.iter().map(|seen| seen.connection).max();
    assert!(last < Some(VISITORS), "{last:?}");
}

#[tokio::test]
async fn a_kept_connection_that_the_handler_hangs_up_on_is_forgiven_once() {
    let (origin, gateway) = start().await;
    origin.on_counted(
        "/none/fickle",
        |_, count| {
            if count % 2 == 1 { Reply::hang_up_before_head() } else { Reply::ok("well") }
        },
    );
    origin.on("/none/never", |_| Reply::hang_up_before_head());
    let mut client = Client::connect(gateway.address()).await;
    // Asked on the kept connection, and once more on one of its own.
    for (method, path, runs, status) in [
        ("GET", "/none/fickle", 2, 200),
        ("DELETE", "/none/fickle", 2, 200),
        ("GET", "/none/never", 2, 502),
        // It may have been done before the handler hung up (RFC 9110 section 9.2.2).
        ("POST", "/none/never", 1, 502),
    ] {
        assert_eq!(get(gateway.address(), "/none/first").await.status, 200);
        let before = origin.count(path);
        let answer = client.request(method, path, &[], "").await;
        assert_eq!((answer.status, origin.count(path) - before), (status, runs), "{method} {path}");
        if status != 200 {
            client = Client::connect(gateway.address()).await;
        }
    }
}

#[tokio::test]
async fn promise_9_what_a_handler_says_unasked_is_nobodys_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (accepted, left) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&accepted), Arc::clone(&left));
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            counters.0.fetch_add(1, Ordering::SeqCst);
            let left = Arc::clone(&counters.1);
            tokio::spawn(async move {
                assert!(asked(&mut socket).await);
                socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood").await.unwrap();
                // After the answer, so that nothing is left over when the connection is given back.
                tokio::time::sleep(Duration::from_millis(20)).await;
                socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil").await.unwrap();
                while asked(&mut socket).await {}
                left.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    let gateway = before(address).await;
    for number in 1..=3 {
        assert_eq!(get(gateway.address(), "/none/page").await.text(), "good");
        until("the gateway gives the connection up", || left.load(Ordering::SeqCst) == number).await;
        assert_eq!(accepted.load(Ordering::SeqCst), number);
    }
}

#[tokio::test]
async fn promise_6_a_slow_visitor_holds_the_handler_back() {
    const LENGTH: usize = 64 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        assert!(asked(&mut socket).await);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        for piece in bytes(LENGTH).chunks(64 << 10) {
            socket.write_all(piece).await.unwrap();
            counter.fetch_add(piece.len(), Ordering::SeqCst);
        }
    });
    let gateway = before(address).await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET", "/none/large", &[], "").await;
    client.read_head().await;
    // It stops when the buffers of both connections are full; the gateway has none that could hold the rest.
    let mut seen = usize::MAX;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = sent.load(Ordering::SeqCst);
        if now == seen {
            break;
        }
        seen = now;
    }
    assert!(seen < LENGTH / 2, "{seen} bytes were taken that nobody has read");
    let expected = bytes(LENGTH);
    let mut read = 0;
    while let Some((_, piece)) = client.next_chunk().await {
        assert!(expected[read..].starts_with(&piece), "at {read}");
        read += piece.len();
    }
    assert_eq!((read, client.complete()), (LENGTH, true));
}

#[tokio::test]
async fn a_visitor_who_leaves_in_the_middle_takes_the_handlers_connection_along() {
    let origin = Origin::start().await;
    origin.on("/none/large", |_| Reply::ok(bytes(64 << 20)));
    origin.on("/none/next", |_| Reply::ok("next"));
    let gateway = Gateway::simple(&origin, " []").await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET", "/none/large", &[], "").await;
    client.read_head().await;
    assert!(client.next_chunk().await.is_some());
    drop(client);
    let ended = || origin.seen("/none/large")[0].ended.map(|(ending, _)| ending);
    until("the handler knows", || ended() == Some(Ending::PeerLeft)).await;
    assert_eq!(get(gateway.address(), "/none/next").await.text(), "next");
    assert_ne!(origin.seen("/none/next")[0].connection, origin.seen("/none/large")[0].connection);
}

#[tokio::test]
async fn the_head_says_what_the_handler_said() {
    let (origin, gateway) = start().await;
    let cases = [
        ("GET", "299 Odd\r\ncontent-length: 2\r\n\r\nok", (299, "Odd"), Some("2"), None),
        ("GET", "200 \r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", (200, ""), None, Some("chunked")),
        // Nothing is sent, so nothing says where it ends but what the handler says of it.
        ("HEAD", "200 OK\r\ncontent-length: 7\r\n\r\n", (200, "OK"), Some("7"), None),
        ("HEAD", "200 OK\r\ntransfer-encoding: chunked\r\n\r\n", (200, "OK"), None, Some("chunked")),
        ("HEAD", "200 OK\r\n\r\n", (200, "OK"), None, None),
        ("GET", "304 Not Modified\r\ncontent-length: 7\r\n\r\n", (304, "Not Modified"), Some("7"), None),
        ("GET", "204 No Content\r\n\r\n", (204, "No Content"), None, None),
    ];
    let mut client = Client::connect(gateway.address()).await;
    for (number, (method, said, line, length, coding)) in cases.into_iter().enumerate() {
        let path = format!("/none/{number}");
        origin.on(&path, move |_| Reply::raw(format!("HTTP/1.1 {said}")));
        let answer = client.request(method, &path, &[], "").await;
        assert_eq!((answer.status, answer.reason.as_str()), line, "{said:?}");
        assert_eq!(answer.header("content-length"), length, "{said:?}");
        assert_eq!(answer.header("transfer-encoding"), coding, "{said:?}");
        assert!(answer.complete && answer.header("date").is_some(), "{said:?}");
    }
}
