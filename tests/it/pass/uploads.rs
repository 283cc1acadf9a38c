//! Bodies on their way to a handler: byte for byte, however they are framed, and no faster than the handler reads.

use std::net::SocketAddr;
use std::time::Duration;

use evergate_tests::{BOUND, Client, Gateway, Origin, Reply, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Bytes of which none is where another could be.
fn body(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place ^ (place >> 8) ^ (place >> 16)).to_le_bytes()[0]).collect()
}

#[tokio::test]
async fn a_large_body_arrives_byte_for_byte_and_what_is_pipelined_behind_it_is_answered() {
    let origin = Origin::start().await;
    origin.on("/live/*", |seen| Reply::ok(format!("{} {}", seen.method, seen.body.len())));
    let gateway = Gateway::simple(&origin, " [{ path: '/live/[page]' }]").await;
    let body = body(3_000_000);
    // Chunks shorter and longer than anybody reads at once, some of a byte, with ends at every place of a read.
    let mut chunked = Vec::new();
    let (mut rest, mut sizes) = (&body[..], [1, 70_001, 17, 8_192, 65_536, 333, 200_003].into_iter().cycle());
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
        chunked.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
        rest = behind;
    }
    chunked.extend(b"0\r\n\r\n");
    let length = format!("content-length: {}", body.len());
    for (framing, written) in [(length.as_str(), &body), ("transfer-encoding: chunked", &chunked)] {
        let mut client = Client::connect(gateway.address()).await;
        let head = format!("POST /live/body HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n");
        let next = b"GET /live/next HTTP/1.1\r\nhost: a\r\n\r\n";
        client.send_raw([head.as_bytes(), written, next].concat()).await;
        assert_eq!(client.read_response("POST").await.text(), "POST 3000000", "{framing}");
        assert_eq!(client.read_response("GET").await.text(), "GET 0", "{framing}");
    }
    for seen in origin.seen("/live/body") {
        assert!(seen.body == body, "{:?}", seen.header("content-length"));
    }
}

/// How much would be sent: many times what systems keep for two connections.
const WHOLE: usize = 256 << 20;

/// By how much the gateway may grow meanwhile, in MiB: what it reads and writes at once, and what an allocator keeps of it.
const GROWTH_MIB: usize = 8;

/// How long a visitor is stuck before it is clear that the gateway reads no more.
const STUCK: Duration = Duration::from_secs(1);

/// A gateway before a handler at this address.
async fn before(handler: SocketAddr) -> Gateway {
    let origin = Origin::start().await;
    let config = Gateway::simple_config(&origin, " [{ path: '/live/[page]' }]");
    Gateway::start(&config.replace(&origin.address().to_string(), &handler.to_string())).await
}

#[tokio::test]
async fn promise_6_a_visitor_sends_no_faster_than_the_handler_reads() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let gateway = before(listener.local_addr().expect("it listens")).await;
    let mut visitor = TcpStream::connect(gateway.address()).await.expect("the gateway listens");
    let head = format!("POST /live/body HTTP/1.1\r\nhost: a\r\ncontent-length: {WHOLE}\r\n\r\n");
    visitor.write_all(head.as_bytes()).await.expect("a head is taken");
    let (mut handler, _) = within("the handler is asked", BOUND, listener.accept()).await.expect("a connection");
    let before = gateway.resident_mib();
    let piece = body(1 << 20);
    let mut sent = 0;
    // It reads nothing, so some time nothing more is taken.
    while let Ok(written) = timeout(STUCK, visitor.write(&piece[sent % piece.len()..])).await {
        sent += written.expect("the gateway is patient");
        assert!(sent < WHOLE, "all of it was taken, and the handler has read nothing");
    }
    let grown = gateway.resident_mib().saturating_sub(before);
    assert!(grown <= GROWTH_MIB, "the gateway grew by {grown} MiB while {} MiB were sent", sent >> 20);
    // It reads again: what was sent comes, and in order.
    let mut received = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    let mut begins = None;
    while begins.is_none_or(|begins: usize| received.len() - begins < sent) {
        let read = within("what was sent", BOUND, handler.read(&mut buffer)).await.expect("the connection goes on");
        assert_ne!(read, 0, "the connection goes on");
        received.extend_from_slice(&buffer[..read]);
        begins = begins.or_else(|| received.windows(4).position(|end| end == b"\r\n\r\n").map(|end| end + 4));
    }
    let expected = piece.iter().cycle().take(sent);
    assert!(received[begins.unwrap_or(0)..].iter().eq(expected));
}
