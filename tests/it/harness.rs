//! The harness itself: a client straight before an origin, so that a failed test of the gateway is the gateway's.

use std::time::Duration;

use evergate_tests::{Client, Ending, Gate, Http2Client, Origin, Reply, clock, flood, get, until, within};

#[tokio::test]
async fn a_plain_answer_is_byte_exact_and_the_journal_too() {
    let origin = Origin::start().await;
    origin.on("/a", |_| Reply::ok("body").status(418).header("X-One", "1").header("x-one", "2"));
    let mut client = Client::connect(origin.address()).await;
    client.send_raw("GET /a?q=%20 HTTP/1.1\r\nHost:  b\r\nX-Twice: 1\r\nx-twice: 2\r\n\r\n").await;
    let response = client.read_response("GET").await;
    let head = "HTTP/1.1 418 I'm a teapot\r\nX-One: 1\r\nx-one: 2\r\ncontent-length: 4\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&response.raw_head), head);
    assert_eq!((response.text(), response.complete), ("body", true));
    assert_eq!(response.all("X-ONE"), ["1", "2"]);
    let seen = &origin.seen("/a")[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/a?q=%20"));
    assert_eq!((seen.path(), seen.query()), ("/a", "q=%20"));
    let names: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Host", "X-Twice", "x-twice"]);
    assert_eq!((seen.header("host"), seen.all("x-twice")), (Some("b"), vec!["1", "2"]));
}

#[tokio::test]
async fn the_latest_registration_that_fits_answers() {
    let origin = Origin::start().await;
    origin.on("/a/b", |_| Reply::ok("exact"));
    origin.on("/a/*", |_| Reply::ok("below"));
    assert_eq!(get(origin.address(), "/a/b").await.text(), "below");
    origin.on("/a/b", |seen| Reply::ok(seen.query()));
    assert_eq!(get(origin.address(), "/a/b?again").await.text(), "again");
    assert_eq!(get(origin.address(), "/a/c").await.text(), "below");
    assert_eq!(get(origin.address(), "/a").await.status, 404);
    assert_eq!((origin.count("/a/b"), origin.count("/a/*"), origin.count("/*")), (2, 3, 4));
}

#[tokio::test]
async fn chunks_come_as_they_are_framed_with_trailers() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    let reply = Reply::ok("").chunks(["one", "two", "three"]).trailer("X-End", "yes").gate_after(1, &held);
    origin.on("/stream", move |_| reply.clone());
    let mut client = Client::connect(origin.address()).await;
    client.send("GET", "/stream", &[], "").await;
    assert_eq!(client.read_head().await.header("transfer-encoding"), Some("chunked"));
    let (first_at, first) = client.next_chunk().await.expect("a first chunk before the gate");
    gate.arrived(1).await;
    assert!(!client.complete());
    let opened_at = clock::now();
    gate.open();
    let (second_at, second) = client.next_chunk().await.expect("a second chunk");
    let (_, third) = client.next_chunk().await.expect("a third chunk");
    assert_eq!([&first[..], &second[..], &third[..]], [&b"one"[..], b"two", b"three"]);
    assert!(first_at <= opened_at && opened_at <= second_at);
    assert_eq!(client.next_chunk().await, None);
    assert!(client.complete());
    assert_eq!(client.trailers(), [("X-End".to_owned(), "yes".to_owned())]);
    // The connection is still good.
    assert_eq!(client.get("/stream").await.trailers.len(), 1);
}

#[tokio::test]
async fn pauses_keep_pieces_apart() {
    let origin = Origin::start().await;
    let pause = Duration::from_millis(60);
    origin.on("/slow", move |_| Reply::ok("").chunks(["a", "b", "c"]).pause_between(pause));
    let mut client = Client::connect(origin.address()).await;
    client.send("GET", "/slow", &[], "").await;
    client.read_head().await;
    let mut times = Vec::new();
    while let Some((at, _)) = client.next_chunk().await {
        times.push(at);
    }
    assert_eq!(times.len(), 3);
    // The first piece may be read late, but the last never early.
    assert!(times[2] - times[0] > pause, "{times:?}");
}

#[tokio::test]
async fn cut_answers_are_told_from_whole_ones() {
    let origin = Origin::start().await;
    let cases: [(&str, Reply, &str, bool); 10] = [
        ("whole, by length", Reply::ok("0123456789"), "0123456789", true),
        ("cut, by length", Reply::ok("0123456789").hang_up_after(4), "0123", false),
        ("cut before the body", Reply::ok("0123456789").hang_up_after(0), "", false),
        ("cut in a chunk", Reply::ok("").chunks(["01234", "56789"]).hang_up_after(7), "0123456", false),
        ("cut between chunks", Reply::ok("").chunks(["01234", "56789"]).hang_up_after(5), "01234", false),
        ("chunked without end", Reply::ok("").chunks(["01234", "56789"]).hang_up_after(10), "0123456789", false),
        ("until close", Reply::ok("0123456789").without_length(), "0123456789", true),
        ("declared too long", Reply::ok("0123456789").content_length(20), "0123456789", false),
        ("declared too short", Reply::ok("0123456789").content_length(3), "012", true),
        ("no content", Reply::ok("").status(204), "", true),
    ];
    for (name, reply, body, complete) in cases {
        origin.on("/case", move |_| reply.clone());
        let response = get(origin.address(), "/case").await;
        assert_eq!((response.text(), response.complete), (body, complete), "{name}");
    }
}

#[tokio::test]
async fn origins_may_say_anything_or_nothing() {
    let origin = Origin::start().await;
    origin.on("/raw", |_| Reply::raw("HTTP/1.1 299 Odd\r\nA:b\r\n\r\nrest"));
    let response = get(origin.address(), "/raw").await;
    assert_eq!((response.status, response.reason.as_str(), response.text()), (299, "Odd", "rest"));
    origin.on("/hang", |_| Reply::hang_up_before_head());
    let mut client = Client::connect(origin.address()).await;
    client.send("GET", "/hang", &[], "").await;
    assert!(client.try_read_response("GET").await.is_none());
    origin.on("/never", |_| Reply::never());
    let mut client = Client::connect(origin.address()).await;
    client.send("GET", "/never", &[], "").await;
    until("the request is there", || origin.count("/never") == 1).await;
    assert_eq!(origin.left("/never"), 0);
    drop(client);
    until("the origin notices that the client left", || origin.left("/never") == 1).await;
    let mut client = Client::connect(origin.address()).await;
    client.send_raw("nonsense\r\n\r\n").await;
    assert_eq!(client.read_response("GET").await.status, 400);
    client.expect_closed().await;
    assert_eq!(origin.malformed().len(), 1);
}

#[tokio::test]
async fn endless_bodies_end_with_their_reader() {
    let origin = Origin::start().await;
    origin.on("/endless", |_| Reply::ok("tick").endless());
    let mut client = Client::connect(origin.address()).await;
    client.send("GET", "/endless", &[], "").await;
    client.read_head().await;
    for _ in 0..5 {
        let (_, piece) = client.next_chunk().await.expect("a piece without end");
        assert_eq!(piece, "tick");
    }
    drop(client);
    until("the origin stops", || origin.left("/endless") == 1).await;
}

#[tokio::test]
async fn bodies_of_requests_come_whole_and_can_be_watched() {
    let origin = Origin::start().await;
    origin.on("/in", |seen| Reply::ok(&seen.body));
    let mut client = Client::connect(origin.address()).await;
    let large = vec![7; 3_000_000];
    let response = client.request("POST", "/in", &[], &large).await;
    assert!(response.body == large, "the body came back changed");
    client.send_raw("POST /in HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n").await;
    let part = || origin.seen("/in").last().map(|seen| (seen.whole, seen.body.clone()));
    until("the first chunk is there", || part() == Some((false, b"first".to_vec()))).await;
    client.send_raw("6;x=y\r\nsecond\r\n0\r\n\r\n").await;
    assert_eq!(client.read_response("POST").await.text(), "firstsecond");
    assert_eq!(part(), Some((true, b"firstsecond".to_vec())));
    client.send_raw("PUT /in HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n").await;
    assert_eq!(client.read_interim().await.status, 100);
    client.send_raw("ok").await;
    assert_eq!(client.read_response("PUT").await.text(), "ok");
    client.send_raw("PUT /in HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nnot all").await;
    drop(client);
    until("the cut request is known", || origin.left("/in") == 1).await;
    assert_eq!(part(), Some((false, b"not all".to_vec())));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_on_one_connection() {
    let origin = Origin::start().await;
    origin.on("/*", |seen| Reply::ok(seen.path()));
    let mut client = Client::connect(origin.address()).await;
    let requests = "HEAD /one HTTP/1.1\r\nhost: a\r\n\r\nGET /two HTTP/1.1\r\nhost: a\r\n\r\n";
    client.send_raw(requests.to_owned() + "GET /three HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let head = client.read_response("HEAD").await;
    assert_eq!((head.header("content-length"), head.text()), (Some("4"), ""));
    assert_eq!(client.read_response("GET").await.text(), "/two");
    assert_eq!(client.read_response("GET").await.text(), "/three");
    client.expect_closed().await;
    let connections: Vec<usize> = origin.seen("/*").iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0, 0]);
}

#[tokio::test]
async fn interim_answers_and_upgrades() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/hints", move |_| Reply::ok("late").interim(103, &[("link", "</a>")]).gate(&held));
    let mut client = Client::connect(origin.address()).await;
    client.send("GET", "/hints", &[], "").await;
    assert_eq!(client.read_interim().await.header("link"), Some("</a>"));
    gate.open();
    assert_eq!(client.read_response("GET").await.text(), "late");
    client.send("GET", "/hints", &[], "").await;
    let response = client.read_response("GET").await;
    assert_eq!((response.interim.len(), response.interim[0].status), (1, 103));
    origin.on("/socket", |_| Reply::upgrade_echo());
    let upgrade = client.get_with("/socket", &[("connection", "upgrade"), ("upgrade", "thing")]).await;
    assert_eq!((upgrade.status, upgrade.header("upgrade")), (101, Some("thing")));
    client.send_raw([0, 1, 2, 255]).await;
    assert_eq!(client.read_raw(4).await, vec![0, 1, 2, 255]);
    client.finish_sending().await;
    client.expect_closed().await;
}

#[tokio::test]
async fn a_gate_holds_any_number_and_the_peak_shows_it() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/held", move |_| Reply::ok("free").gate(&held));
    let address = origin.address();
    let visitors = tokio::spawn(flood(address, "/held", 500));
    gate.arrived(500).await;
    assert_eq!((gate.arrivals(), origin.concurrent_peak("/held")), (500, 500));
    gate.open();
    let responses = visitors.await.expect("the visitors are done");
    assert!(responses.iter().all(|response| response.text() == "free"));
    assert_eq!(responses.len(), 500);
    origin.on("/one", |_| Reply::ok(""));
    for _ in 0..3 {
        get(address, "/one").await;
    }
    until("all exchanges are over", || origin.seen("/one").iter().all(|seen| seen.ended.is_some())).await;
    assert_eq!(origin.concurrent_peak("/one"), 1);
}

#[tokio::test]
async fn a_killed_origin_refuses_and_comes_back_on_its_port() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/held", move |_| Reply::ok("").gate(&held));
    origin.on("/free", |_| Reply::ok("free"));
    let address = origin.address();
    let mut client = Client::connect(address).await;
    client.send("GET", "/held", &[], "").await;
    gate.arrived(1).await;
    for _ in 0..3 {
        origin.kill();
        let refused = tokio::net::TcpStream::connect(address).await.map_err(|error| error.kind());
        assert_eq!(refused.err(), Some(std::io::ErrorKind::ConnectionRefused));
        origin.revive().await;
        assert_eq!(get(address, "/free").await.text(), "free");
    }
    client.expect_closed().await;
    assert_eq!(origin.seen("/held")[0].ended.map(|(ending, _)| ending), Some(Ending::HungUp));
    drop(origin);
    let connect = || async { tokio::net::TcpStream::connect(address).await.is_err() };
    until("a dropped origin is gone", connect).await;
}

#[tokio::test]
#[should_panic(expected = "in vain for the impossible")]
async fn waiting_ends() {
    within("the impossible", Duration::from_millis(10), std::future::pending::<()>()).await;
}

#[tokio::test]
async fn a_client_speaks_http2() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    // One connection of a server that sends back what it gets, with trailers, and declares a byte too many where asked to.
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            tokio::spawn(async move {
                let cut = request.uri().path() == "/cut";
                let target = request.uri().to_string();
                let mut upload = request.into_body();
                let mut body = Vec::new();
                while let Some(Ok(piece)) = upload.data().await {
                    body.extend_from_slice(&piece);
                    upload.flow_control().release_capacity(piece.len()).expect("it was received");
                }
                let declared = body.len() + usize::from(cut);
                let head = http::Response::builder().header("x-target", target).header("content-length", declared);
                let head = head.body(()).expect("a head");
                let mut stream = respond.send_response(head, false).expect("the stream is open");
                stream.send_data(body.into(), false).expect("the stream is open");
                let mut trailers = http::HeaderMap::new();
                trailers.insert("x-end", http::HeaderValue::from_static("yes"));
                stream.send_trailers(trailers).expect("the stream is open");
            });
        }
    });
    let client = Http2Client::connect(address).await;
    let large = vec![7; 300_000];
    let (response, other) =
        tokio::join!(client.request("POST", "/a?b", &[("host", "example.com")], &large), client.get("/c"));
    assert!(response.body == large && response.complete);
    assert_eq!(response.header("x-target"), Some("http://example.com/a?b"));
    assert_eq!(response.trailers, [("x-end".to_owned(), "yes".to_owned())]);
    assert_eq!(other.status, 200);
    assert!(!client.get("/cut").await.complete);
}
