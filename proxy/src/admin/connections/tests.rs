//! How long connections last, as the clock of the test goes.

use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};

use super::{HEAD, IDLE, SLOWEST_WRITE, answer};

/// Longer than any connection lasts by itself.
const EVER: Duration = Duration::from_secs(3600);

/// A connection that is answered, with room for so many bytes on the way.
fn connect(room: usize) -> DuplexStream {
    let (client, server) = duplex(room);
    let refused = (StatusCode::UNAUTHORIZED, [(header::CONNECTION, "close")], "no");
    let slow = || async {
        sleep(2 * IDLE).await;
        "slow"
    };
    let routes = Router::new()
        .route("/", get(|| async { "ok" }))
        .route("/slow", get(slow))
        .route("/long", get(|| async { "x".repeat(1 << 20) }))
        .route("/body", post(|body: String| async move { body.len().to_string() }))
        .route("/refused", post(move || async move { refused }));
    tokio::spawn(answer(server, routes));
    client
}

/// What is answered to `sent`, and how long until the connection is closed.
async fn answered(sent: &str) -> (String, Duration) {
    let (mut client, begin, mut text) = (connect(1 << 16), Instant::now(), Vec::new());
    client.write_all(sent.as_bytes()).await.unwrap();
    timeout(EVER, client.read_to_end(&mut text)).await.expect("it is closed in the end").unwrap();
    (String::from_utf8(text).unwrap(), begin.elapsed())
}

#[tokio::test(start_paused = true)]
async fn connections_end_when_nothing_comes_of_them() {
    let begun = "POST /refused HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf";
    for (sent, answer, after) in [
        ("", "", IDLE),
        ("GET / HT", "", HEAD),
        ("GET / HTTP/1.1\r\nhost: a\r\n", "", HEAD),
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", "ok", IDLE),
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\n", "ok", IDLE),
        ("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n", "slow", 3 * IDLE),
        ("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "ok", Duration::ZERO),
        (begun, "no", Duration::ZERO),
    ] {
        let (text, took) = answered(sent).await;
        assert!(text.ends_with(answer) && text.is_empty() == answer.is_empty(), "{sent:?}: {text}");
        assert!(took >= after && took <= after + Duration::from_secs(1), "{sent:?}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_come_at_leisure_over_one_connection() {
    let (mut client, mut text) = (connect(1 << 16), vec![0; 4096]);
    for _ in 0..3 {
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let length = client.read(&mut text).await.unwrap();
        assert!(text[..length].ends_with(b"ok"), "{}", String::from_utf8_lossy(&text[..length]));
        sleep(IDLE - Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_has_no_more_time() {
    let (mut client, begin) = (connect(1 << 16), Instant::now());
    client.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    while client.write_all(b"y").await.is_ok() {
        sleep(Duration::from_secs(1)).await;
    }
    assert!(begin.elapsed() < HEAD + Duration::from_secs(3), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn bodies_have_a_time_of_their_own() {
    let mut client = connect(1 << 16);
    client.write_all(b"POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n").await.unwrap();
    for _ in 0..3 {
        sleep(HEAD - Duration::from_secs(1)).await;
        client.write_all(b"x").await.unwrap();
    }
    let mut text = Vec::new();
    client.read_to_end(&mut text).await.unwrap();
    assert!(text.ends_with(b"\r\n\r\n3"), "{}", String::from_utf8_lossy(&text));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_let_go_of() {
    let (mut client, mut text) = (connect(1024), Vec::new());
    client.write_all(b"GET /long HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    sleep(SLOWEST_WRITE + Duration::from_secs(1)).await;
    client.read_to_end(&mut text).await.unwrap();
    assert!(text.len() <= 1024, "{} bytes", text.len());
}

#[tokio::test(start_paused = true)]
async fn who_still_sends_gets_the_answer() {
    let mut client = connect(64);
    client.write_all(b"POST /refused HTTP/1.1\r\nhost: a\r\ncontent-length: 9000\r\n\r\n").await.unwrap();
    let (mut reading, mut writing) = tokio::io::split(client);
    let mut text = Vec::new();
    let body = [b'x'; 9000];
    let (sent, read) = tokio::join!(writing.write_all(&body), reading.read_to_end(&mut text));
    assert!(sent.is_ok() && read.is_ok() && text.starts_with(b"HTTP/1.1 401"), "{sent:?}");
}
