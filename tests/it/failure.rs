//! Handlers that fail: what visitors get, what is kept, and that the next visitor is served as though nothing had happened.
//! Carries promise 5, and promise 9 in the other direction: an answer that can be read in two ways is not passed on.

use std::time::Duration;

use evergate_tests::{Client, Gate, Gateway, Http2Client, Origin, Reply, Response, clock, get, until};

use crate::freshness::{answer_when, hit};

/// A reply that is no good: what is wrong with it, the reply, and what a visitor for whom nothing is stored gets.
struct Fault {
    what: &'static str,
    reply: Reply,
    status: u16,
    detail: &'static str,
}

fn fault(what: &'static str, reply: Reply, status: u16, detail: &'static str) -> Fault {
    Fault { what, reply, status, detail }
}

/// Faults that are there before the head is whole.
fn without_head() -> Vec<Fault> {
    let raw = |head: &str| Reply::raw(format!("{head}\r\n\r\nokok"));
    vec![
        fault("no HTTP", raw("nonsense"), 502, "malformed"),
        fault("another version", raw("HTTP/2.0 200 OK\r\ncontent-length: 4"), 502, "malformed"),
        fault("no status", raw("HTTP/1.1 2x0 OK\r\ncontent-length: 4"), 502, "malformed"),
        fault("no colon", raw("HTTP/1.1 200 OK\r\ncontent-length 4"), 502, "malformed"),
        fault("a NUL", raw("HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 4"), 502, "malformed"),
        fault("two lengths", raw("HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 2"), 502, "malformed"),
        fault("two lengths in a list", raw("HTTP/1.1 200 OK\r\ncontent-length: 2, 4"), 502, "malformed"),
        fault("a length in words", raw("HTTP/1.1 200 OK\r\ncontent-length: four"), 502, "malformed"),
        fault("less than nothing", raw("HTTP/1.1 200 OK\r\ncontent-length: -4"), 502, "malformed"),
        fault(
            "a head of 100 kB",
            raw(&format!("HTTP/1.1 200 OK\r\ncontent-length: 4\r\nx: {}", "x".repeat(100_000))),
            502,
            "malformed",
        ),
        fault("half a head", Reply::raw("HTTP/1.1 200 OK\r\ncontent-le"), 502, "reset"),
        fault("nothing but a hang-up", Reply::hang_up_before_head(), 502, "reset"),
        fault("silence", Reply::never(), 504, "first-byte-timeout"),
    ]
}

/// Faults in the middle of the body, whose first piece is `01234`.
fn within_body() -> Vec<Fault> {
    let chunks = || Reply::ok("").chunks(["01234", "56789"]);
    let shut = Gate::new();
    let mut faults = vec![
        fault("cut, by length", chunks().content_length(10).hang_up_after(5), 502, "reset"),
        fault("cut between chunks", chunks().hang_up_after(5), 502, "reset"),
        fault("cut in a chunk", chunks().hang_up_after(7), 502, "reset"),
        fault("cut before the last chunk", chunks().hang_up_after(10), 502, "reset"),
        fault("silence, by length", chunks().content_length(10).gate_after(1, &shut), 504, "idle-timeout"),
        fault("silence in chunks", chunks().gate_after(1, &shut), 504, "idle-timeout"),
    ];
    for (what, rest) in
        [("a size that is none", "zz\r\n56789\r\n0\r\n\r\n"), ("a length too large", "fffffffffffffffff\r\n")]
    {
        let raw = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n01234\r\n{rest}");
        faults.push(fault(what, Reply::raw(raw), 502, ""));
    }
    faults
}

/// Answers that say of themselves that they are failures.
fn admitted() -> Vec<Fault> {
    let page = |status| Reply::ok(format!("page of {status}")).status(status).header("retry-after", "9");
    [500, 502, 503, 504, 599, 429].map(|status| fault("an error page", page(status), status, "status")).into()
}

/// A gateway that asks once and is impatient.
async fn gateway(origin: &Origin) -> Gateway {
    let upstream = "retries: 0, timeouts: { first_byte: 400ms, idle: 400ms }";
    Gateway::start(&format!(
        "listen: [{{ address: \"127.0.0.1:0\", h2c: true }}]\n\
         admin: {{ address: \"127.0.0.1:0\" }}\n\
         threads: 2\n\
         upstreams: {{ origin: {{ servers: [\"{}\"], {upstream} }} }}\n\
         routes:\n\
         - {{ path: \"/cold/[page]\", revalidate: 60 }}\n\
         - {{ path: \"/aging/[page]\", revalidate: 200ms }}\n\
         - {{ path: \"/dynamic/[page]\" }}\n\
         - {{ path: \"/limited/[page]\", revalidate: 200ms, max_duration: 300ms }}\n\
         - {{ path: \"/limited/dynamic/[page]\", max_duration: 300ms }}\n",
        origin.address()
    ))
    .await
}

/// Lets the handler of this path reply like this from now on.
fn reply(origin: &Origin, path: &str, reply: &Reply) {
    let reply = reply.clone();
    origin.on(path, move |_| reply.clone());
}

/// The page that visitors should see once the handler is well.
fn good() -> Reply {
    Reply::ok("good").header("content-type", "text/plain")
}

/// The handler is well again: the next visitor is served, and on a cached route the one after from memory.
async fn assert_well(gateway: &Gateway, origin: &Origin, path: &str, what: &str) {
    reply(origin, path, &good());
    let next = get(gateway.address(), path).await;
    assert_eq!((next.status, next.text(), next.complete), (200, "good", true), "{path}, {what}");
    if path.starts_with("/cold") {
        assert_eq!(next.x_cache(), "MISS", "{path}, {what}: {}", next.cache_status());
        assert_eq!(hit(gateway.address(), path).await.text(), "good", "{path}, {what}");
    }
}

#[tokio::test]
async fn promise_5_without_a_head_there_is_a_clear_answer_and_the_next_visitor_is_served() {
    let origin = Origin::start().await;
    let gateway = gateway(&origin).await;
    for (index, Fault { what, reply: bad, status, detail }) in without_head().into_iter().enumerate() {
        for (route, forwarded, x_cache) in [("cold", "uri-miss", "MISS"), ("dynamic", "bypass", "PASS")] {
            let path = format!("/{route}/{index}");
            reply(&origin, &path, &bad);
            let answer = get(gateway.address(), &path).await;
            let expected = format!("evergate; fwd={forwarded}; detail={detail}");
            assert_eq!((answer.status, answer.cache_status()), (status, expected.as_str()), "{path}, {what}");
            assert_eq!(answer.x_cache(), x_cache, "{path}, {what}");
            assert!(answer.complete && answer.text().contains(detail), "{path}, {what}: {}", answer.text());
            assert!(answer.header("cache-control").is_some_and(|told| told.contains("no-store")), "{path}, {what}");
            // A kept connection may have died of itself, so one that breaks is forgiven once.
            assert!(origin.count(&path) <= 2, "{path}, {what}: {} runs", origin.count(&path));
            assert_well(&gateway, &origin, &path, what).await;
        }
    }
}

#[tokio::test]
async fn promise_5_a_body_that_breaks_off_is_cut_visibly_and_not_stored() {
    let origin = Origin::start().await;
    let gateway = gateway(&origin).await;
    for (index, Fault { what, reply: bad, status, .. }) in within_body().into_iter().enumerate() {
        for route in ["cold", "dynamic"] {
            let path = format!("/{route}/{index}");
            reply(&origin, &path, &bad);
            let answer = get(gateway.address(), &path).await;
            // When all is known before the first byte is sent, it may be said in a head.
            let said = answer.status == status && answer.complete;
            let cut = answer.status == 200 && !answer.complete && "0123456789".starts_with(answer.text());
            assert!(said || cut, "{path}, {what}: {} {:?} {}", answer.status, answer.text(), answer.complete);
            assert_well(&gateway, &origin, &path, what).await;
        }
    }
    // HTTP/2 has a reset for it. The pause lets the head and the first piece leave before the cut is known.
    let client = Http2Client::connect(gateway.address()).await;
    let pause = Duration::from_millis(200);
    for path in ["/cold/http2", "/dynamic/http2"] {
        reply(&origin, path, &Reply::ok("").chunks(["01234", "56789"]).pause_between(pause).hang_up_after(7));
        let answer = client.get(path).await;
        assert_eq!((answer.status, answer.complete), (200, false), "{path}: {:?}", answer.text());
        assert!("0123456".starts_with(answer.text()), "{path}: {:?}", answer.text());
        assert_well(&gateway, &origin, path, "http2").await;
    }
}

#[tokio::test]
async fn promise_5_all_who_read_a_body_that_breaks_off_are_cut() {
    let origin = Origin::start().await;
    let gateway = gateway(&origin).await;
    let gate = Gate::new();
    reply(&origin, "/cold/shared", &Reply::ok("").chunks(["01234", "56789"]).gate_after(1, &gate).hang_up_after(7));
    let mut readers = Vec::new();
    for _ in 0..5 {
        let mut reader = Client::connect(gateway.address()).await;
        reader.send("GET", "/cold/shared", &[], "").await;
        assert_eq!(reader.read_head().await.x_cache(), "MISS");
        readers.push(reader);
    }
    gate.open();
    for mut reader in readers {
        let mut body = Vec::new();
        while let Some((_, piece)) = reader.next_chunk().await {
            body.extend_from_slice(&piece);
        }
        assert_eq!((body.as_slice(), reader.complete()), (&b"0123456"[..], false));
    }
    assert_eq!(origin.count("/cold/shared"), 1);
    assert_well(&gateway, &origin, "/cold/shared", "shared").await;
}

#[tokio::test]
async fn promise_5_an_error_page_is_shown_and_not_kept() {
    let origin = Origin::start().await;
    let gateway = gateway(&origin).await;
    for Fault { what, reply: bad, status, .. } in admitted() {
        for (route, forwarded) in [("cold", "uri-miss"), ("dynamic", "bypass")] {
            let path = format!("/{route}/{status}");
            reply(&origin, &path, &bad);
            for run in 1..=2 {
                let answer = get(gateway.address(), &path).await;
                assert_eq!((answer.status, answer.text()), (status, format!("page of {status}").as_str()), "{path}");
                assert_eq!(answer.header("retry-after"), Some("9"), "{path}");
                let expected = format!("evergate; fwd={forwarded}; fwd-status={status}");
                assert!(answer.cache_status().starts_with(&expected), "{path}: {}", answer.cache_status());
                assert!(!answer.cache_status().contains("stored"), "{path}: {}", answer.cache_status());
                assert_eq!((answer.age(), origin.count(&path)), (None, run), "{path}");
            }
            assert_well(&gateway, &origin, &path, what).await;
        }
    }
}

#[tokio::test]
async fn promise_5_good_content_outlives_every_failure_of_its_refresh() {
    let origin = Origin::start().await;
    let gateway = gateway(&origin).await;
    let mut faults: Vec<Fault> = without_head().into_iter().chain(within_body()).chain(admitted()).collect();
    faults.push(fault("a 304 to what is no condition", Reply::ok("").status(304), 502, "malformed"));
    let path = |index: usize| format!("/aging/{index}");
    let is_good = |answer: &Response, what: &str| {
        assert_eq!((answer.status, answer.text(), answer.complete), (200, "good", true), "{what}");
        assert_eq!(answer.header("content-type"), Some("text/plain"), "{what}");
    };
    for (index, fault) in faults.iter().enumerate() {
        reply(&origin, &path(index), &good());
        hit(gateway.address(), &path(index)).await;
        reply(&origin, &path(index), &fault.reply);
    }
    let begun = clock::now();
    for (index, Fault { what, .. }) in faults.iter().enumerate() {
        let stale = answer_when(&format!("{what} is known"), gateway.address(), &path(index), |answer| {
            is_good(answer, what);
            answer.cache_status().ends_with("; detail=error")
        })
        .await;
        assert_eq!(stale.x_cache(), "STALE", "{what}");
    }
    // They back off: nobody asks these handlers again for three seconds.
    let runs = origin.count("/aging/*");
    for (index, Fault { what, .. }) in faults.iter().enumerate() {
        is_good(&get(gateway.address(), &path(index)).await, what);
    }
    let failed = gateway.metric("evergate_revalidations_total", &[("result", "failed")]).await;
    assert!(failed >= faults.len() as f64, "{failed} of {}", faults.len());
    let too_late_to_tell = begun.elapsed() >= Duration::from_secs(3);
    assert!(too_late_to_tell || origin.count("/aging/*") == runs, "the back-off is not kept");
}

#[tokio::test]
async fn promise_5_a_run_longer_than_max_duration_is_ended() {
    let origin = Origin::start().await;
    let gateway = gateway(&origin).await;
    let shut = Gate::new();
    let trickle = Reply::ok("tick").endless().pause_between(Duration::from_millis(20));
    for path in ["/limited/a", "/limited/dynamic/a"] {
        let begun = clock::now();
        reply(&origin, path, &good().gate(&shut));
        let answer = get(gateway.address(), path).await;
        assert_eq!(answer.status, 504, "{path}: {}", answer.cache_status());
        assert!(answer.cache_status().ends_with("; detail=max-duration"), "{path}: {}", answer.cache_status());
        // Below `first_byte`, so it was not that.
        assert!(begun.elapsed() >= Duration::from_millis(300), "{path}: after {:?}", begun.elapsed());
        until("the handler is let go", || origin.left(path) == 1).await;
        // After the head the answer is cut, however lively the handler is.
        reply(&origin, path, &trickle);
        let answer = get(gateway.address(), path).await;
        assert_eq!((answer.status, answer.complete), (200, false), "{path}: {}", answer.cache_status());
        assert!(answer.text().starts_with("tick"), "{path}: {:?}", answer.text());
        until("the handler is let go again", || origin.left(path) == 2).await;
        assert_well(&gateway, &origin, path, "after max_duration").await;
    }
    reply(&origin, "/limited/b", &good());
    get(gateway.address(), "/limited/b").await;
    reply(&origin, "/limited/b", &trickle);
    answer_when("its refresh has failed", gateway.address(), "/limited/b", |answer| {
        assert_eq!((answer.status, answer.text(), answer.complete), (200, "good", true));
        answer.cache_status().ends_with("; detail=error")
    })
    .await;
}

#[tokio::test]
async fn promise_5_a_body_that_ends_with_its_connection_is_passed_and_not_kept() {
    let origin = Origin::start().await;
    let gateway = gateway(&origin).await;
    origin.on("/*", |_| Reply::ok("until close").without_length());
    for (path, detail) in [("/cold/a", "no-length"), ("/dynamic/a", "dynamic")] {
        for _ in 0..3 {
            let answer = get(gateway.address(), path).await;
            assert_eq!((answer.status, answer.text(), answer.complete), (200, "until close", true), "{path}");
            let expected = format!("evergate; fwd=bypass; fwd-status=200; detail={detail}");
            assert_eq!((answer.x_cache(), answer.cache_status()), ("PASS", expected.as_str()), "{path}");
        }
    }
    assert_eq!((origin.count("/cold/a"), origin.count("/dynamic/a")), (4, 3));
    // Nor is a page of HTTP/1.0, which ends no other way.
    origin.on("/cold/b", |_| Reply::raw("HTTP/1.0 200 OK\r\n\r\nold"));
    for _ in 0..2 {
        let answer = get(gateway.address(), "/cold/b").await;
        assert_eq!((answer.text(), answer.x_cache()), ("old", "PASS"), "{}", answer.cache_status());
    }
}

#[tokio::test]
async fn promise_9_framing_that_can_be_read_in_two_ways_is_not_passed_on() {
    let origin = Origin::start().await;
    let gateway = gateway(&origin).await;
    // The client reads strictly: what it could not read is a failure by itself.
    let cases = [
        ("chunks beat a length", "content-length: 3\r\ntransfer-encoding: chunked", "2\r\nok\r\n0\r\n\r\n", 200),
        ("a length twice", "content-length: 2\r\ncontent-length: 2", "ok", 200),
        ("a length twice in a list", "content-length: 2, 2", "ok", 200),
        ("a coding nobody asked for", "transfer-encoding: gzip, chunked", "2\r\nok\r\n0\r\n\r\n", 502),
        ("a coding that is none", "transfer-encoding: identity", "ok", 502),
    ];
    for (index, (what, fields, body, status)) in cases.into_iter().enumerate() {
        for route in ["cold", "dynamic"] {
            let path = format!("/{route}/{index}");
            reply(&origin, &path, &Reply::raw(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}")));
            let answer = get(gateway.address(), &path).await;
            assert_eq!((answer.status, answer.complete), (status, true), "{path}, {what}");
            assert!(status != 200 || answer.text() == "ok", "{path}, {what}: {:?}", answer.text());
        }
    }
    for path in ["/cold/204", "/dynamic/204"] {
        reply(&origin, path, &Reply::ok("").status(204).header("content-length", "2"));
        let answer = get(gateway.address(), path).await;
        assert_eq!((answer.status, answer.header("content-length")), (204, None), "{path}");
    }
    // Nor is a change of protocol that nobody asked for.
    for path in ["/cold/101", "/dynamic/101"] {
        reply(&origin, path, &Reply::upgrade_echo());
        assert_eq!(get(gateway.address(), path).await.status, 502, "{path}");
    }
}

#[tokio::test]
async fn promise_9_what_follows_an_answer_is_not_the_next_one() {
    let origin = Origin::start().await;
    let gateway = gateway(&origin).await;
    let planted = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    let surplus = [
        Reply::ok(format!("good{planted}")).header("content-length", "4"),
        Reply::ok(format!("4\r\ngood\r\n0\r\n\r\n{planted}")).header("transfer-encoding", "chunked"),
    ];
    for (index, bad) in surplus.iter().enumerate() {
        for route in ["cold", "dynamic"] {
            let path = format!("/{route}/{index}");
            reply(&origin, &path, bad);
            get(gateway.address(), &path).await;
            for next in 0..3 {
                let other = format!("/{route}/{index}-{next}");
                reply(&origin, &other, &Reply::ok("other"));
                assert_eq!(get(gateway.address(), &other).await.text(), "other", "{other}");
            }
        }
    }
}

#[tokio::test]
async fn promise_5_an_origin_that_refuses_is_a_502_until_it_is_back() {
    let origin = Origin::start().await;
    let gateway = gateway(&origin).await;
    origin.on("/*", |_| good());
    // Connections that are kept from better days are no better than none.
    get(gateway.address(), "/cold/before").await;
    get(gateway.address(), "/dynamic/before").await;
    origin.kill();
    for (path, forwarded) in [("/cold/a", "uri-miss"), ("/dynamic/a", "bypass")] {
        let answer = get(gateway.address(), path).await;
        let expected = format!("evergate; fwd={forwarded}; detail=connect");
        assert_eq!((answer.status, answer.cache_status()), (502, expected.as_str()), "{path}");
    }
    assert_eq!(get(gateway.address(), "/cold/before").await.x_cache(), "HIT");
    origin.revive().await;
    for path in ["/cold/a", "/dynamic/a"] {
        assert_well(&gateway, &origin, path, "revived").await;
    }
}
