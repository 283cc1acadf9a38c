//! How connections over TLS begin and end.

use std::time::Duration;

use evergate_tests::site::{VERSIONS, connect};
use evergate_tests::{BOUND, Client, Gate, Gateway, Http2Client, Reply, Site, until, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::HandshakeKind;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{configuration, start, visitor, worth};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Sends a request that ends the connection, and reads all there is up to its orderly end.
async fn last_exchange(mut stream: TlsStream<TcpStream>, target: &str) -> (String, TlsStream<TcpStream>) {
    let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the gateway reads");
    stream.flush().await.expect("the gateway reads");
    let mut answer = Vec::new();
    // An end that is not announced is an error here.
    let read = within("the end of the connection", BOUND, stream.read_to_end(&mut answer)).await;
    read.expect("an end that is announced");
    (String::from_utf8(answer).expect("text"), stream)
}

#[tokio::test]
async fn both_versions_are_spoken_and_sessions_are_taken_up_again() {
    let (site, _origin, gateway) = start().await;
    for version in VERSIONS {
        for protocols in [&["http/1.1"][..], &[]] {
            let client = site.client(&[version], protocols);
            for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
                let stream = connect(gateway.address(), client.clone()).await;
                assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
                assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind), "{version:?} {protocols:?}");
                let (answer, _) = last_exchange(stream, "/live/a").await;
                assert!(
                    answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("GET /live/a https "),
                    "{answer}"
                );
            }
        }
        let stream = connect(gateway.address(), site.client(&[version], &["h2"])).await;
        let client = Http2Client::over_tls(stream).await;
        assert_eq!(client.get("/live/a").await.text(), "GET /live/a https ");
    }
}

#[tokio::test]
async fn every_end_is_announced_but_that_of_a_cut_answer() {
    let (site, origin, gateway) = start().await;
    origin.on("/live/cut", |_| Reply::ok("0123456789").hang_up_after(5).without_length());
    for place in ["/kept/a", "/kept/a", "/live/a", "/missing/a"] {
        let (answer, _) = last_exchange(site.connect(gateway.address(), "http/1.1").await, place).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{place}: {answer}");
    }
    // To a visitor of HTTP/1.0 the end of the connection is the end of the answer: it must not look like one.
    origin.on("/live/endless", |_| Reply::ok("").chunks(["0123456789"; 2]).hang_up_after(15));
    let mut stream = site.connect(gateway.address(), "http/1.1").await;
    stream.write_all(b"GET /live/endless HTTP/1.0\r\nhost: a\r\n\r\n").await.expect("the gateway reads");
    let mut answer = Vec::new();
    let read = within("the end of the connection", BOUND, stream.read_to_end(&mut answer)).await;
    assert!(read.is_err(), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn what_is_not_tls_is_sent_away() {
    let (site, origin, gateway) = start().await;
    for bytes in [
        "GET /kept/a HTTP/1.1\r\nhost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\0\0\0\0\0\0",
        "\u{16}\u{3}\u{1}",
    ] {
        let mut stream = TcpStream::connect(gateway.address()).await.expect("the gateway listens");
        stream.write_all(bytes.as_bytes()).await.expect("a fresh connection");
        stream.shutdown().await.expect("a fresh connection");
        let mut answer = Vec::new();
        let _ = within("the end of the connection", BOUND, stream.read_to_end(&mut answer)).await;
        assert!(!answer.windows(4).any(|piece| piece == b"HTTP"), "{bytes:?}: {answer:?}");
    }
    // Nor is anybody served who wants another site's certificate checked, another protocol, or one and then speaks the other.
    let stranger = Site::new().client(&VERSIONS, &["http/1.1"]);
    let other = site.client(&VERSIONS, &["http/0.9"]);
    for client in [stranger, other] {
        let socket = TcpStream::connect(gateway.address()).await.expect("the gateway listens");
        let name = ServerName::try_from("localhost").expect("a name");
        let handshake = TlsConnector::from(client).connect(name, socket);
        assert!(within("a handshake", BOUND, handshake).await.is_err());
    }
    for words in ["GET /kept/a HTTP/1.1\r\nhost: a\r\n\r\n", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"] {
        let mut undecided = Client::over_tls(site.connect(gateway.address(), "h2").await);
        undecided.send_raw(words).await;
        undecided.expect_closed().await;
    }
    let mut undecided = visitor(&site, &gateway).await;
    undecided.send_raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(undecided.read_response("GET").await.status, 505);
    assert_eq!(worth(&visitor(&site, &gateway).await.get("/live/a").await).0, 200);
    assert_eq!(origin.count("/kept/a"), 0);
    let output = gateway.stop().await;
    assert!(!output.stderr.contains("handshake") && !output.stderr.contains("panicked"), "{}", output.stderr);
}

#[tokio::test]
async fn a_handshake_that_is_not_ended_is_ended() {
    let (site, _origin, gateway) = start().await;
    let mut silent = TcpStream::connect(gateway.address()).await.expect("the gateway listens");
    let mut halting = TcpStream::connect(gateway.address()).await.expect("the gateway listens");
    halting.write_all(&[0x16, 3, 1, 2, 0, 1]).await.expect("a fresh connection");
    // They keep nobody else waiting.
    assert_eq!(worth(&visitor(&site, &gateway).await.get("/live/a").await).0, 200);
    let mut byte = [0];
    for stream in [&mut silent, &mut halting] {
        let read = within("the gateway to lose its patience", HANDSHAKE + BOUND, stream.read(&mut byte)).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{byte:?}");
    }
}

/// Whoever waits for an answer gets it; whoever is idle is told that it is over; whoever has not begun is not waited for.
#[tokio::test]
async fn what_is_under_way_ends_before_the_gateway_does() {
    let site = Site::new();
    let (origin, config) = configuration(&site).await;
    let gateway = Gateway::start(&config).await;
    let gate = Gate::new();
    for place in ["/kept/held", "/live/held"] {
        let held = gate.clone();
        origin.on(place, move |_| Reply::ok("finished").gate(&held));
    }
    let mut http1 = visitor(&site, &gateway).await;
    http1.send("GET", "/kept/held", &[], "").await;
    let http2 = Http2Client::over_tls(site.connect(gateway.address(), "h2").await).await;
    let answer = tokio::spawn(async move { http2.get("/live/held").await });
    gate.arrived(2).await;
    let mut idle = site.connect(gateway.address(), "http/1.1").await;
    let _silent = TcpStream::connect(gateway.address()).await.expect("the gateway listens");
    let address = gateway.address();
    let stopping = tokio::spawn(gateway.stop());
    let mut rest = Vec::new();
    let end = within("the idle connection to end", BOUND, idle.read_to_end(&mut rest)).await;
    assert!(matches!(end, Ok(0)), "an end that is announced, not {end:?}");
    until("nobody is let in any more", async || TcpStream::connect(address).await.is_err()).await;
    gate.open();
    assert_eq!(http1.read_response("GET").await.text(), "finished");
    assert_eq!(answer.await.expect("no panic").text(), "finished");
    let output = within("the gateway's end", BOUND, stopping).await.expect("no panic");
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(!output.stderr.contains("grace period"), "{}", output.stderr);
}
