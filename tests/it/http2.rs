//! HTTP/2 in cleartext, with prior knowledge: streams are served as requests over HTTP/1.1 are, from memory, from one
//! shared run of the handler (promise 2) and through it; and only where the listener says `h2c: true`. What passes is in
//! `passed`.

mod passed;

use std::net::SocketAddr;

use bytes::Bytes;
use evergate_tests::{BOUND, Client, Ending, Gate, Gateway, Http2Client, Origin, Reply, Response, get, until, within};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::Request;
use tokio::task::JoinSet;

/// A route that is kept for a second, one that is kept, one that is dynamic; whatever else comes has no route.
const ROUTES: &str = " [{ path: '/brief/[page]', revalidate: 1 }, { path: '/kept/[page]', revalidate: 1h },\n\
    { path: '/own/[page]', revalidate: 1h, cookies: [a, b] }, { path: '/live/[page]' }]";

/// Fields that mean nothing in HTTP/2 (RFC 9113 section 8.2.2).
const OF_HTTP_1: [&str; 5] = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// An origin that repeats what it was asked, and a gateway before it that speaks HTTP/2.
async fn start() -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |seen| {
        let body = String::from_utf8_lossy(&seen.body);
        Reply::ok(format!("{} {} {body}", seen.method, seen.target))
    });
    let config = Gateway::simple_config(&origin, ROUTES).replace("127.0.0.1:0\" }]", "127.0.0.1:0\", h2c: true }]");
    let gateway = Gateway::start(&config).await;
    (origin, gateway)
}

/// A connection whose streams a test handles itself.
struct Streams {
    sender: SendRequest<Bytes>,
}

impl Streams {
    async fn connect(address: SocketAddr) -> Streams {
        let stream = tokio::net::TcpStream::connect(address).await.expect("the gateway listens");
        stream.set_nodelay(true).expect("a connection that is open");
        let (sender, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(async move { drop(connection.await) });
        Streams { sender }
    }

    /// Opens a stream; with `end` nothing follows the head.
    async fn open(&self, request: Request<()>, end: bool) -> (ResponseFuture, SendStream<Bytes>) {
        let sender = within("a stream", BOUND, self.sender.clone().ready()).await;
        sender.expect("the connection goes on").send_request(request, end).expect("a stream")
    }

    /// Opens a stream for a GET.
    async fn get(&self, target: &str) -> (ResponseFuture, SendStream<Bytes>) {
        self.open(request("GET", target, &[]), true).await
    }
}

/// A request to the site `a`.
fn request(method: &str, target: &str, lines: &[(&str, &str)]) -> Request<()> {
    let builder = Request::builder().method(method).uri(format!("http://a{target}"));
    let builder = lines.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    builder.body(()).expect("a request that HTTP/2 can carry")
}

/// Reads the head of an answer.
async fn head(answer: ResponseFuture) -> http::Response<RecvStream> {
    within("the head of an answer", BOUND, answer).await.expect("an answer")
}

/// Reads the next piece of a body, and makes room for another; nothing at its end.
async fn piece(body: &mut RecvStream) -> Option<Bytes> {
    let piece = within("a piece of a body", BOUND, body.data()).await?;
    let piece = piece.expect("the stream goes on");
    body.flow_control().release_capacity(piece.len()).expect("it was received");
    Some(piece)
}

/// What an answer is worth, and that it is HTTP/2.
fn worth(answer: &Response) -> (u16, &str, &str) {
    for name in OF_HTTP_1 {
        assert_eq!(answer.all(name).len(), 0, "{name} has no place in HTTP/2: {answer:?}");
    }
    assert!(answer.complete, "the answer was cut: {answer:?}");
    (answer.status, answer.x_cache(), answer.text())
}

#[tokio::test]
async fn pages_are_missed_hit_and_stale_as_over_http_1() {
    let (origin, gateway) = start().await;
    let client = Http2Client::connect(gateway.address()).await;
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    origin.on("/brief/page", move |_| {
        let run = runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Reply::ok(format!("run {run}")).header("content-type", "text/plain")
    });
    let miss = client.get("/brief/page").await;
    assert_eq!(worth(&miss), (200, "MISS", "run 0"));
    let hit = client.get("/brief/page").await;
    assert_eq!(worth(&hit), (200, "HIT", "run 0"));
    assert!(hit.cache_status().starts_with("evergate; hit; ttl=") && hit.age().is_some(), "{hit:?}");
    // The page becomes stale within a second, is served so, and soon there is another.
    let becomes = async |x_cache: &str, body: &str| {
        let answer = client.get("/brief/page").await;
        assert_eq!(answer.status, 200);
        (answer.x_cache(), answer.text()) == (x_cache, body)
    };
    until("the page is stale", async || becomes("STALE", "run 0").await).await;
    until("it has been refreshed", async || becomes("HIT", "run 1").await).await;
}

#[tokio::test]
async fn a_page_is_the_same_page_in_both_protocols() {
    let (origin, gateway) = start().await;
    let large = "0123456789abcdef".repeat(50_000);
    let reply = Reply::ok(&large)
        .header("date", "Wed, 21 Oct 2015 07:28:00 GMT")
        .header("content-type", "text/plain")
        .header("x-twice", "1")
        .header("X-Twice", "2");
    origin.on("/kept/large", move |_| reply.clone());
    let client = Http2Client::connect(gateway.address()).await;
    assert_eq!(worth(&client.get("/kept/large").await), (200, "MISS", large.as_str()));
    let (one, two) = (get(gateway.address(), "/kept/large").await, client.get("/kept/large").await);
    assert_eq!(worth(&two), (200, "HIT", large.as_str()));
    // The framework's HTTP/2 session writes its own `Date` over every answer's; `Age` stays right.
    let moving = ["age", "cache-status", "date"];
    assert_eq!(two.headers_without(&moving), one.headers_without(&moving));
    assert!(one.body == two.body);

    let head = client.request("HEAD", "/kept/large", &[], "").await;
    assert_eq!(worth(&head), (200, "HIT", ""));
    assert_eq!(head.headers_without(&moving), two.headers_without(&moving));
    let etag = two.header("etag").expect("stored pages have one").to_owned();
    let known = client.request("GET", "/kept/large", &[("if-none-match", &etag)], "").await;
    assert_eq!((worth(&known), known.header("etag")), ((304, "HIT", ""), Some(etag.as_str())));
    let head = client.request("HEAD", "/kept/cold", &[], "").await;
    assert_eq!(worth(&head), (200, "MISS", ""));
    assert_eq!(worth(&client.get("/kept/cold").await), (200, "HIT", "GET /kept/cold "));
    assert_eq!((origin.count("/kept/large"), origin.count("/kept/cold")), (1, 1));
}

#[tokio::test]
async fn a_growing_body_reaches_every_stream_as_it_grows() {
    let (origin, gateway) = start().await;
    for place in ["/kept/grows", "/live/grows"] {
        let gates = [Gate::new(), Gate::new()];
        let reply = Reply::ok("").chunks(["one", "two"]).gate_after(1, &gates[0]).gate_after(2, &gates[1]);
        origin.on(place, move |_| reply.clone());
        let streams = Streams::connect(gateway.address()).await;
        let kept = place == "/kept/grows";
        let mut bodies = Vec::new();
        for _ in 0..if kept { 3 } else { 1 } {
            let (answer, _) = streams.get(place).await;
            let answer = head(answer).await;
            assert_eq!(answer.status(), 200);
            let mut body = answer.into_body();
            assert_eq!(piece(&mut body).await.as_deref(), Some(&b"one"[..]), "{place}");
            bodies.push(body);
        }
        gates[0].open();
        for body in &mut bodies {
            assert_eq!(piece(body).await.as_deref(), Some(&b"two"[..]), "{place}");
            assert!(!body.is_end_stream());
        }
        gates[1].open();
        for body in &mut bodies {
            while let Some(rest) = piece(body).await {
                assert!(rest.is_empty(), "{place}: {rest:?}");
            }
        }
        assert_eq!(origin.count(place), 1);
    }
}

#[tokio::test]
async fn a_body_that_is_cut_resets_the_stream_and_no_other() {
    let (origin, gateway) = start().await;
    let streams = Streams::connect(gateway.address()).await;
    for place in ["/kept/cut", "/live/cut"] {
        let gate = Gate::new();
        let reply = Reply::ok("").chunks(["0123", "456789"]).gate_after(1, &gate).hang_up_after(6);
        origin.on(place, move |_| reply.clone());
        let (answer, _) = streams.get(place).await;
        let mut body = head(answer).await.into_body();
        assert_eq!(piece(&mut body).await.as_deref(), Some(&b"0123"[..]), "{place}");
        gate.open();
        let cut = loop {
            match within("the cut", BOUND, body.data()).await {
                Some(Ok(piece)) => assert!("456789".as_bytes().starts_with(&piece), "{place}: {piece:?}"),
                end => break end,
            }
        };
        assert!(
            cut.is_some_and(|end| end.is_err_and(|error| error.is_reset())),
            "{place}: it ended as if it were whole"
        );
        let (answer, _) = streams.get("/live/next").await;
        assert_eq!(head(answer).await.status(), 200);
    }
}

#[tokio::test]
async fn promise_2_many_streams_on_a_cold_key_cost_one_run() {
    let (origin, gateway) = start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/kept/cold", move |_| Reply::ok("for all").gate(&held));
    let client = Http2Client::connect(gateway.address()).await;
    // With the first answer comes how many streams the gateway takes at once; others wait for their turn.
    client.get("/live/page").await;
    let mut visitors = JoinSet::new();
    for _ in 0..300 {
        let client = client.clone();
        visitors.spawn(async move { client.get("/kept/cold").await });
    }
    gate.arrived(1).await;
    // Streams that wait hold up nobody else.
    assert_eq!(worth(&Http2Client::connect(gateway.address()).await.get("/live/page").await).0, 200);
    gate.open();
    let answers = visitors.join_all().await;
    assert_eq!(answers.len(), 300);
    for answer in &answers {
        let (status, x_cache, text) = worth(answer);
        assert_eq!((status, text), (200, "for all"));
        assert!(matches!(x_cache, "MISS" | "HIT"), "{x_cache}");
    }
    assert_eq!(origin.count("/kept/cold"), 1);
}

#[tokio::test]
async fn promise_3_a_stream_that_is_reset_stops_waiting() {
    let (origin, gateway) = start().await;
    let gate = Gate::new();
    for place in ["/kept/held", "/live/held"] {
        let held = gate.clone();
        origin.on(place, move |_| Reply::ok("late").gate(&held));
    }
    let streams = Streams::connect(gateway.address()).await;
    let (waiting, mut stays) = streams.get("/kept/held").await;
    let (_, mut leaves) = streams.get("/kept/held").await;
    let (_, mut passes) = streams.get("/live/held").await;
    gate.arrived(2).await;
    let over = async || gateway.metric("evergate_requests_total", &[]).await;
    assert_eq!(over().await, 0.0);
    leaves.send_reset(Reason::CANCEL);
    passes.send_reset(Reason::CANCEL);
    // Both are over before the handler has said anything.
    until("both are over", async || over().await >= 2.0).await;
    until("the handler knows that nobody waits", || origin.left("/live/held") == 1).await;
    assert_eq!(origin.seen("/kept/held")[0].ended, None, "the fill goes on");
    // The last one who waits leaves too, and the page is kept all the same.
    stays.send_reset(Reason::CANCEL);
    drop(waiting);
    until("nobody waits", async || over().await >= 3.0).await;
    gate.open();
    let kept = || origin.seen("/kept/held")[0].ended.map(|(ending, _)| ending) == Some(Ending::Sent);
    until("the handler has answered", kept).await;
    let (answer, _) = streams.get("/kept/held").await;
    assert_eq!(head(answer).await.status(), 200);
    assert_eq!(origin.count("/kept/held"), 1);
}

#[tokio::test]
async fn a_listener_with_h2c_speaks_http_1_as_well() {
    let (_origin, gateway) = start().await;
    let mut client = Client::connect(gateway.address()).await;
    // These begin as HTTP/2 would, and go on otherwise.
    for (start, rest) in [("P", "OST"), ("PR", "OPFIND"), ("PRI", "NT")] {
        client.send_raw(start).await;
        assert_eq!(get(gateway.address(), "/live/meanwhile").await.status, 200);
        client.send_raw(format!("{rest} /live/page HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx")).await;
        let answer = client.read_response(start).await;
        assert_eq!(answer.text(), format!("{start}{rest} /live/page x"));
    }
    // HTTP/2 begins a connection, it is nothing to change to in the middle of one.
    client.send_raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(client.read_response("GET").await.status, 505);
    client.expect_closed().await;
}

#[tokio::test]
async fn without_h2c_nobody_speaks_http_2() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("asked"));
    let gateway = Gateway::simple(&origin, ROUTES).await;
    for place in ["/kept/page", "/live/page", "/none/page"] {
        let stream = tokio::net::TcpStream::connect(gateway.address()).await.expect("the gateway listens");
        let handshake = h2::client::handshake(stream).await;
        // The client believes in HTTP/2 until it hears something else.
        let (mut sender, connection) = handshake.expect("the client's own half of the handshake");
        let connection = tokio::spawn(connection);
        let asked = match sender.send_request(request("GET", place, &[]), true) {
            Ok((answer, _)) => within("the end of the stream", BOUND, answer).await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(asked.is_err(), "{place}");
        let ended = within("the end of the connection", BOUND, connection).await.expect("no panic");
        assert!(ended.is_err(), "{place}");
    }
    let mut client = Client::connect(gateway.address()).await;
    client.send_raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let answer = client.read_response("GET").await;
    assert_eq!((answer.status, answer.header("connection")), (505, Some("close")));
    client.expect_closed().await;
    assert_eq!((origin.count("/*"), origin.malformed().len()), (0, 0));
}

#[tokio::test]
async fn sigterm_lets_held_streams_finish() {
    let (origin, gateway) = start().await;
    let gate = Gate::new();
    for place in ["/kept/held", "/live/held"] {
        let held = gate.clone();
        origin.on(place, move |_| Reply::ok("finished").gate(&held));
    }
    let client = Http2Client::connect(gateway.address()).await;
    let _idle = Http2Client::connect(gateway.address()).await;
    let mut visitors = JoinSet::new();
    for place in ["/kept/held", "/live/held"] {
        let client = client.clone();
        visitors.spawn(async move { client.get(place).await });
    }
    gate.arrived(2).await;
    let address = gateway.address();
    let stopping = tokio::spawn(gateway.stop());
    let refused = async || tokio::net::TcpStream::connect(address).await.is_err();
    let closing = until("nobody is let in any more", refused);
    within("the listener to close", std::time::Duration::from_secs(3), closing).await;
    gate.open();
    for answer in visitors.join_all().await {
        assert_eq!((answer.status, answer.text(), answer.complete), (200, "finished", true));
    }
    let output = within("the gateway's end", BOUND, stopping).await.expect("no panic");
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(!output.stderr.contains("grace period"), "{}", output.stderr);
}
