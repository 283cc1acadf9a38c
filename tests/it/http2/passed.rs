//! Streams that the cache has no part in: bodies, heads and what is refused are as over HTTP/1.1.

use bytes::Bytes;
use evergate_tests::{BOUND, Client, Gateway, Http2Client, Origin, Reply, until, within};

use super::{Streams, head, piece, request, start, worth};

#[tokio::test]
async fn requests_pass_with_their_bodies_and_heads() {
    let (origin, gateway) = start().await;
    let client = Http2Client::connect(gateway.address()).await;
    for place in ["/kept/page", "/live/page", "/none/page"] {
        for (method, body) in [("POST", "small"), ("PUT", ""), ("DELETE", ""), ("PATCH", "more"), ("GET", "body")] {
            let answer = client.request(method, place, &[], body).await;
            assert_eq!(worth(&answer), (200, "PASS", format!("{method} {place} {body}").as_str()));
        }
        // Far more than any window, there and back.
        let large: Vec<u8> = (0..500_000_u32).map(|place| (place % 251) as u8).collect();
        origin.on(place, |seen| Reply::ok(&seen.body).header("set-cookie", "b=2").header("set-cookie", "a=1"));
        let lines = [("host", "shop.example"), ("x-own", "1"), ("x-own", "2"), ("x-matched-path", "/forged")];
        let answer = client.request("POST", place, &lines, &large).await;
        assert!(answer.body == large && answer.complete, "{place}: {} bytes came back", answer.body.len());
        assert_eq!(answer.all("set-cookie"), ["b=2", "a=1"]);
        let seen = origin.seen(place).pop().expect("it was asked");
        assert!(seen.body == large);
        assert_eq!((seen.all("host"), seen.all("x-own")), (vec!["shop.example"], vec!["1", "2"]), "{place}");
        assert_eq!(seen.all("x-forwarded-host"), ["shop.example"], "{place}");
        assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"], "{place}");
        assert!(!seen.all("x-matched-path").contains(&"/forged"), "{place}");
    }
    assert_eq!(origin.malformed().len(), 0, "{:?}", origin.malformed());
}

#[tokio::test]
async fn a_body_may_come_while_the_visitor_still_writes_it() {
    let (origin, gateway) = start().await;
    let streams = Streams::connect(gateway.address()).await;
    for place in ["/kept/pieces", "/live/pieces"] {
        let (answer, mut upload) = streams.open(request("POST", place, &[]), false).await;
        let mut so_far = String::new();
        for piece in ["one ", "two ", "three"] {
            upload.send_data(Bytes::from(piece), piece == "three").expect("the stream goes on");
            so_far += piece;
            let come = || origin.seen(place).last().is_some_and(|seen| seen.body == so_far.as_bytes());
            until("the piece has come", come).await;
        }
        let mut body = head(answer).await.into_body();
        let mut text = Vec::new();
        while let Some(piece) = piece(&mut body).await {
            text.extend_from_slice(&piece);
        }
        assert_eq!(String::from_utf8_lossy(&text), format!("POST {place} one two three"));
    }
}

#[tokio::test]
async fn cookies_that_come_apart_are_one_line_again() {
    let (origin, gateway) = start().await;
    let streams = Streams::connect(gateway.address()).await;
    // RFC 9113 section 8.2.3: how HTTP/2 compresses them is no business of a handler's.
    let crumbs = [("cookie", "a=1"), ("cookie", "c=3"), ("cookie", "b=2")];
    for (place, seen) in [("/live/page", "a=1; c=3; b=2"), ("/none/page", "a=1; c=3; b=2"), ("/own/page", "a=1; b=2")] {
        let (answer, _) = streams.open(request("GET", place, &crumbs), true).await;
        assert_eq!(head(answer).await.status(), 200);
        let asked = origin.seen(place).pop().expect("it was asked");
        assert_eq!(asked.all("cookie"), [seen], "{place}");
    }
    let answer = Client::connect(gateway.address()).await.get_with("/own/page", &[("cookie", "b=2; x=y; a=1")]).await;
    assert_eq!(answer.x_cache(), "HIT", "the same cookies are the same page");
}

#[tokio::test]
async fn promise_9_what_handlers_might_read_in_two_ways_is_refused_here_too() {
    let (origin, gateway) = start().await;
    let streams = Streams::connect(gateway.address()).await;
    for place in ["/kept/page", "/live/page", "/none/page"] {
        for odd in ["%00", "%5C", "%zz", "%"] {
            let (answer, _) = streams.get(&format!("{place}{odd}")).await;
            assert_eq!(head(answer).await.status(), 400, "{place}{odd}");
        }
        // Two names for the site: the stream may end in any way but an answer of the handler's.
        let twice = [&[("host", "b")][..], &[("host", "a"), ("host", "b")]];
        for lines in twice {
            let (answer, _) = streams.open(request("GET", place, lines), true).await;
            let answer = within("an end of the stream", BOUND, answer).await;
            assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 400), "{place} {lines:?}");
        }
    }
    assert_eq!((origin.count("/*"), origin.malformed().len()), (0, 0), "{:?}", origin.seen("/*"));
    // The connection is not to blame for its streams.
    let (answer, _) = streams.get("/live/page").await;
    assert_eq!(head(answer).await.status(), 200);
}

#[tokio::test]
async fn a_handler_that_never_answers_is_a_504_here_too() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::never());
    let config = Gateway::simple_config(&origin, "- path: /live/[x]\n  max_duration: 300ms\nlog: { access: off }");
    let config = config.replace("127.0.0.1:0\" }]", "127.0.0.1:0\", h2c: true }]");
    let servers = format!("servers: [\"{}\"]", origin.address());
    assert!(config.contains(&servers), "{config}");
    let timeouts = "timeouts: { first_byte: 400ms, idle: 400ms }";
    let gateway = Gateway::start(&config.replace(&servers, &format!("{servers}, retries: 0, {timeouts}"))).await;
    let client = Http2Client::connect(gateway.address()).await;
    for (place, detail) in [("/live/never", "max-duration"), ("/none/never", "first-byte-timeout")] {
        let answer = client.get(place).await;
        assert_eq!((answer.status, answer.x_cache()), (504, "PASS"), "{place}");
        assert!(answer.cache_status().contains("detail="), "{place} {detail}: {}", answer.cache_status());
    }
}
