//! Streaming: a body that is being filled is read by everyone as it grows, and what becomes of one that cannot be kept or
//! that nobody reads (DESIGN section 2). Carries promise 3 (a visitor who leaves stops nothing but its own waiting) and
//! promise 6 (a body above `max_body` is not kept).

use std::time::{Duration, Instant};

use evergate_tests::{Client, Gate, Gateway, Http2Client, Origin, Reply, Response, get, until};

use crate::freshness::{answer_when, hit};

const ROUTES: &str = "- path: /stream\n  revalidate: 60\n- path: /dynamic";

/// Keeps bodies of up to 16 KiB.
const SMALL: &str = "- path: /stream\n  revalidate: 60\n- path: /aging\n  revalidate: 200ms\n\
                     cache: { capacity: 1MiB, max_body: 16KiB }";

/// A visitor who has asked and has the head of the answer.
async fn reading(gateway: &Gateway, target: &str) -> (Client, Response) {
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET", target, &[], "").await;
    let head = client.read_head().await;
    (client, head)
}

/// The next piece of a body that must have one.
async fn piece(client: &mut Client) -> String {
    let (_, piece) = client.next_chunk().await.expect("another piece");
    String::from_utf8_lossy(&piece).into_owned()
}

/// Reads as many bytes as are awaited, and no piece more.
async fn read_past(client: &mut Client, bytes: usize) {
    let mut read = 0;
    while read < bytes {
        read += client.next_chunk().await.expect("the body goes on").1.len();
    }
}

/// The rest of a body and whether it came to its end.
async fn rest(client: &mut Client) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some((_, piece)) = client.next_chunk().await {
        body.extend_from_slice(&piece);
    }
    (body, client.complete())
}

/// A body in which every place can be told from every other.
fn long_body(length: usize) -> Vec<u8> {
    (0..).flat_map(|number: u32| format!("{number:07} ").into_bytes()).take(length).collect()
}

#[tokio::test]
async fn every_reader_sees_each_chunk_when_it_comes() {
    let origin = Origin::start().await;
    let (first_gate, second_gate) = (Gate::new(), Gate::new());
    let reply = Reply::ok("").chunks(["one", "two", "three"]);
    let reply = reply.gate_after(1, &first_gate).gate_after(2, &second_gate);
    origin.on("/*", move |_| reply.clone());
    let gateway = Gateway::simple(&origin, ROUTES).await;
    let (mut first, head) = reading(&gateway, "/stream").await;
    assert_eq!((head.x_cache(), head.header("transfer-encoding")), ("MISS", Some("chunked")));
    assert_eq!(piece(&mut first).await, "one");
    // The handler is held, so whatever comes from now on comes from a body that is still growing.
    let (mut second, head) = reading(&gateway, "/stream").await;
    assert!(head.cache_status().contains("; collapsed"), "{}", head.cache_status());
    assert_eq!(piece(&mut second).await, "one");
    first_gate.open();
    assert_eq!([piece(&mut first).await, piece(&mut second).await], ["two", "two"]);
    let (mut third, _) = reading(&gateway, "/stream").await;
    assert_eq!(piece(&mut third).await, "onetwo", "what is there already comes at once");
    second_gate.open();
    for reader in [&mut first, &mut second, &mut third] {
        assert_eq!(rest(reader).await, (b"three".to_vec(), true));
    }
    let whole = hit(gateway.address(), "/stream").await;
    assert_eq!((whole.text(), whole.header("content-length")), ("onetwothree", Some("11")));
    assert_eq!(origin.count("/stream"), 1);
}

#[tokio::test]
async fn a_dynamic_handler_streams_too() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let reply = Reply::ok("").chunks(["one", "two"]).gate_after(1, &gate);
    origin.on("/dynamic", move |_| reply.clone());
    let gateway = Gateway::simple(&origin, ROUTES).await;
    let (mut reader, head) = reading(&gateway, "/dynamic").await;
    assert_eq!((head.x_cache(), piece(&mut reader).await.as_str()), ("PASS", "one"));
    gate.open();
    assert_eq!(rest(&mut reader).await, (b"two".to_vec(), true));
}

#[tokio::test]
async fn three_chunks_200_ms_apart_stay_apart_for_both_visitors() {
    let origin = Origin::start().await;
    let pause = Duration::from_millis(200);
    origin.on("/stream", move |_| Reply::ok("").chunks(["one", "two", "three"]).pause_between(pause));
    let gateway = Gateway::simple(&origin, ROUTES).await;
    let visit = async |delay: Duration| {
        tokio::time::sleep(delay).await;
        let (mut reader, _) = reading(&gateway, "/stream").await;
        let mut times: Vec<Instant> = Vec::new();
        while let Some((at, _)) = reader.next_chunk().await {
            times.push(at);
        }
        assert!(reader.complete());
        times
    };
    let (first, second) = tokio::join!(visit(Duration::ZERO), visit(Duration::from_millis(100)));
    assert_eq!((first.len(), second.len(), origin.count("/stream")), (3, 3, 1));
    // Pieces may be read late on a busy machine, but the last never before its time: 400 ms after the first visitor's
    // first piece, and 300 ms after the second visitor's.
    let spread = |times: &[Instant]| times[2] - times[0];
    assert!(spread(&first) > Duration::from_millis(300), "the first saw them within {:?}", spread(&first));
    assert!(spread(&second) > Duration::from_millis(200), "the second saw them within {:?}", spread(&second));
    assert!(second[0] < first[1], "the second had to wait for what was there");
}

#[tokio::test]
async fn promise_6_a_body_above_max_body_is_streamed_whole_and_not_kept() {
    let origin = Origin::start().await;
    let body = long_body(3_000_000);
    let (joined, gate) = (Gate::new(), Gate::new());
    let reply = Reply::ok("").chunks(body.chunks(4096)).gate_after(1, &joined).gate_after(8, &gate);
    origin.on("/stream", move |_| reply.clone());
    let gateway = Gateway::simple(&origin, SMALL).await;
    let (mut first, head) = reading(&gateway, "/stream").await;
    assert_eq!(head.x_cache(), "MISS");
    let (mut second, head) = reading(&gateway, "/stream").await;
    assert!(head.cache_status().contains("; collapsed"), "{}", head.cache_status());
    joined.open();
    // Eight chunks are through and too much already. Whoever comes now is on its own.
    read_past(&mut first, 8 * 4096).await;
    read_past(&mut second, 8 * 4096).await;
    let (mut late, head) = reading(&gateway, "/stream").await;
    assert_eq!(head.cache_status(), "evergate; fwd=bypass; fwd-status=200; detail=too-large");
    gate.open();
    let (of_first, of_second) = tokio::join!(rest(&mut first), rest(&mut second));
    for (who, (tail, complete)) in [("first", of_first), ("second", of_second)] {
        assert!(complete && tail == body[8 * 4096..], "the {who} reader got {} bytes, {complete}", tail.len());
    }
    let (whole, complete) = rest(&mut late).await;
    assert!(complete && whole == body, "the late one got {} bytes", whole.len());
    let next = get(gateway.address(), "/stream").await;
    assert!(next.body == body && next.x_cache() == "PASS", "{}", next.cache_status());
    assert_eq!(origin.count("/stream"), 3);
    assert!(gateway.metric("evergate_cache_bytes", &[]).await < 16_384.0);
}

#[tokio::test]
async fn a_body_that_is_too_large_at_once_still_goes_to_who_asked_for_it() {
    let origin = Origin::start().await;
    let body = long_body(100_000);
    let large = body.clone();
    origin.on("/stream", move |_| Reply::ok("").chunks([&large[..60_000], &large[60_000..]]));
    let gateway = Gateway::simple(&origin, SMALL).await;
    for number in 1..=20 {
        let answer = get(gateway.address(), &format!("/stream?{number}")).await;
        assert!(answer.body == body && answer.complete, "{} bytes", answer.body.len());
        assert_eq!(answer.x_cache(), "MISS", "{}", answer.cache_status());
        assert_eq!((origin.count("/stream"), origin.left("/stream")), (number, 0));
    }
}

#[tokio::test]
async fn promise_6_a_body_announced_as_too_large_is_passed_and_replaces_what_was_kept() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("small"));
    let gateway = Gateway::simple(&origin, SMALL).await;
    assert_eq!(get(gateway.address(), "/aging").await.text(), "small");
    let body = long_body(100_000);
    let large = body.clone();
    origin.on("/*", move |_| Reply::ok(&large));
    let passed = answer_when("the large one has come", gateway.address(), "/aging", |answer| answer.text() != "small");
    let passed = passed.await;
    assert!(passed.body == body && passed.complete);
    assert_eq!(passed.cache_status(), "evergate; fwd=bypass; fwd-status=200; detail=too-large");
    assert_eq!(passed.header("content-length"), Some("100000"));
    let cold = get(gateway.address(), "/stream").await;
    assert!(cold.body == body && cold.x_cache() == "PASS", "{}", cold.cache_status());
    // What is exactly as long as allowed is kept.
    origin.on("/stream", |_| Reply::ok(long_body(16 * 1024)));
    assert_eq!(get(gateway.address(), "/stream?fits").await.x_cache(), "MISS");
    assert_eq!(hit(gateway.address(), "/stream?fits").await.body, long_body(16 * 1024));
}

#[tokio::test]
async fn promise_3_a_visitor_who_leaves_in_the_middle_stops_no_fill_that_will_be_stored() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let reply = Reply::ok("").chunks(["one", "two", "three"]).gate_after(1, &gate);
    origin.on("/stream", move |_| reply.clone());
    let gateway = Gateway::simple(&origin, ROUTES).await;
    let (mut first, _) = reading(&gateway, "/stream").await;
    let (mut second, _) = reading(&gateway, "/stream").await;
    assert_eq!([piece(&mut first).await, piece(&mut second).await], ["one", "one"]);
    drop((first, second));
    let over = [("route", "/stream"), ("cache", "miss")];
    until("both are known to have left", async || gateway.metric("evergate_requests_total", &over).await == 2.0).await;
    // Somebody who comes when nobody reads finds the same body.
    let (mut third, head) = reading(&gateway, "/stream").await;
    assert!(head.cache_status().contains("; collapsed"), "{}", head.cache_status());
    assert_eq!(piece(&mut third).await, "one");
    drop(third);
    gate.open();
    assert_eq!(hit(gateway.address(), "/stream").await.text(), "onetwothree");
    assert_eq!((origin.count("/stream"), origin.left("/stream")), (1, 0));
}

#[tokio::test]
async fn an_endless_stream_stops_when_nobody_reads_it() {
    let origin = Origin::start().await;
    let tick = Duration::from_millis(5);
    origin.on("/*", move |_| Reply::ok(long_body(1024)).endless().pause_between(tick));
    let gateway = Gateway::simple(&origin, SMALL).await;
    let (mut first, head) = reading(&gateway, "/stream").await;
    let (mut second, shared) = reading(&gateway, "/stream").await;
    assert_eq!((head.x_cache(), shared.x_cache()), ("MISS", "MISS"));
    read_past(&mut first, 24 * 1024).await;
    drop(first);
    // As long as one reads, it goes on.
    read_past(&mut second, 64 * 1024).await;
    assert_eq!(origin.left("/stream"), 0);
    drop(second);
    until("the origin is let go", || origin.left("/stream") == 1).await;
    // Neither does one run on that nobody reads when it becomes too large, nor one that passes.
    let (third, head) = reading(&gateway, "/aging").await;
    assert_eq!(head.x_cache(), "MISS");
    drop(third);
    until("the other stream stops", || origin.left("/aging") == 1).await;
    let (fourth, head) = reading(&gateway, "/else").await;
    assert_eq!(head.x_cache(), "PASS");
    drop(fourth);
    until("the stream that passes stops", || origin.left("/else") == 1).await;
}

#[tokio::test]
async fn a_silent_stream_that_nobody_reads_stops_at_once() {
    let origin = Origin::start().await;
    let (read, silence) = (Gate::new(), Gate::new());
    let pieces = [long_body(1024), long_body(31 * 1024)];
    let reply = Reply::ok("").chunks(pieces).gate_after(1, &read).gate_after(2, &silence);
    origin.on("/*", move |_| reply.clone());
    let gateway = Gateway::simple(&origin, SMALL).await;
    for (path, x_cache) in [("/stream", "MISS"), ("/else", "PASS")] {
        // It is too large to be kept and says nothing more: who waits for its next word waits for nothing.
        let (mut reader, head) = reading(&gateway, path).await;
        assert_eq!(head.x_cache(), x_cache);
        read.open();
        read_past(&mut reader, 32 * 1024).await;
        drop(reader);
        until(&format!("the origin of {path} is let go"), || origin.left(path) == 1).await;
    }
}

#[tokio::test]
async fn http2_reads_a_growing_body_beside_http1() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let reply = Reply::ok("").chunks(["one", "two"]).gate_after(1, &gate);
    origin.on("/stream", move |_| reply.clone());
    let config = Gateway::simple_config(&origin, ROUTES);
    let gateway = Gateway::start(&config.replace("127.0.0.1:0\" }]", "127.0.0.1:0\", h2c: true }]")).await;
    let (mut first, _) = reading(&gateway, "/stream").await;
    assert_eq!(piece(&mut first).await, "one");
    let client = Http2Client::connect(gateway.address()).await;
    let (response, ()) = tokio::join!(client.get("/stream"), async {
        gate.arrived(1).await;
        gate.open();
    });
    assert_eq!((response.text(), response.complete), ("onetwo", true));
    assert_eq!(rest(&mut first).await, (b"two".to_vec(), true));
    assert_eq!(origin.count("/stream"), 1);
}
