//! Parts of what is not stored, of what is being filled, and of what is stale.

use evergate_tests::{Client, Gate, Http2Client, Reply, Seen, until};
use tokio::task::JoinSet;

use super::{LENGTH, SEVERAL, body, is_part, is_whole, page, part, start, visit};
use crate::freshness::hit;

/// What the first visitor of a page is told of it.
const STORED: &str = "evergate; fwd=uri-miss; fwd-status=200; stored";

/// The page in four pieces, of a length that is known.
fn in_pieces() -> Reply {
    Reply::ok("").chunks(body().chunks(LENGTH / 4)).content_length(LENGTH as u64).header("etag", "\"v1\"")
}

#[tokio::test]
async fn a_part_of_a_cold_page_costs_one_whole_get() {
    let (origin, gateway) = start().await;
    for (place, lines, expected) in [
        ("/kept/first", &[("range", "bytes=0-9")][..], Some((0, 9))),
        ("/kept/middle", &[("range", "bytes=700-1299")], Some((700, 1299))),
        ("/kept/suffix", &[("range", "bytes=-10")], Some((1990, 1999))),
        ("/kept/open", &[("range", "bytes=1500-")], Some((1500, 1999))),
        ("/kept/tag", &[("range", "bytes=5-9"), ("if-range", "\"v1\"")], Some((5, 9))),
        ("/kept/other", &[("range", "bytes=5-9"), ("if-range", "\"v2\"")], None),
        ("/kept/malformed", &[("range", "bytes=9-5")], None),
    ] {
        let answer = visit(&gateway, place, lines).await;
        assert_eq!((answer.x_cache(), answer.cache_status()), ("MISS", STORED), "{place}");
        match expected {
            Some((first, last)) => is_part(&answer, first, last, place),
            None => is_whole(&answer, place),
        }
        // The handler saw nothing of it, and the next visitor gets the whole.
        let seen = origin.seen(place);
        assert_eq!((seen.len(), seen[0].method.as_str(), seen[0].all("range").len()), (1, "GET", 0), "{place}");
        assert_eq!(seen[0].header("if-range"), None, "{place}");
        is_whole(&hit(gateway.address(), place).await, place);
        assert_eq!(origin.count(place), 1, "{place}");
    }
    let parts = [("route", "/kept/[page]"), ("method", "GET"), ("status", "2xx"), ("cache", "miss")];
    until("parts are counted", async || gateway.metric("evergate_requests_total", &parts).await == 7.0).await;
}

#[tokio::test]
async fn beyond_a_cold_page_there_is_nothing_and_the_page_is_kept() {
    let (origin, gateway) = start().await;
    let answer = part(&gateway, "/kept/page", "bytes=2000-").await;
    assert_eq!((answer.status, answer.x_cache(), answer.cache_status()), (416, "MISS", STORED));
    assert_eq!((answer.all("content-range"), answer.body.len()), (vec!["bytes */2000"], 0));
    is_whole(&hit(gateway.address(), "/kept/page").await, "afterwards");
    // Conditions come first (RFC 9110 section 13.2.2).
    let has_it = visit(&gateway, "/kept/known", &[("range", "bytes=0-1"), ("if-none-match", "\"v1\"")]).await;
    assert_eq!((has_it.status, has_it.x_cache(), has_it.body.len()), (304, "MISS", 0));
    // Several parts would be cut from what has not come yet; the whole is allowed (section 14.2).
    is_whole(&part(&gateway, "/kept/several", SEVERAL[0].0).await, "several");
    assert_eq!(origin.count("/kept/*"), 3);
    assert!(origin.seen("/kept/*").iter().all(|seen| seen.header("range").is_none()));
}

#[tokio::test]
async fn a_page_of_unknown_length_comes_whole() {
    let (origin, gateway) = start().await;
    let gate = Gate::new();
    let reply = Reply::ok("").chunks(body().chunks(500)).gate_after(1, &gate);
    origin.on("/kept/page", move |_| reply.clone());
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET", "/kept/page", &[("range", "bytes=0-9")], "").await;
    let head = client.read_head().await;
    assert_eq!((head.status, head.x_cache(), head.header("content-range")), (200, "MISS", None));
    gate.open();
    let mut read = Vec::new();
    while let Some((_, piece)) = client.next_chunk().await {
        read.extend_from_slice(&piece);
    }
    assert!(client.complete() && read == body(), "{} bytes", read.len());
    is_part(&part(&gateway, "/kept/page", "bytes=0-9").await, 0, 9, "once it is stored");
    assert_eq!(origin.count("/kept/page"), 1);
}

#[tokio::test]
async fn a_part_arrives_as_soon_as_it_has_come() {
    let (origin, gateway) = start().await;
    let gate = Gate::new();
    let reply = in_pieces().gate_after(2, &gate);
    origin.on("/kept/page", move |_| reply.clone());
    // The handler holds back its second half, of which these need nothing: each gets its own part of one run.
    let mut client = Client::connect(gateway.address()).await;
    let streams = Http2Client::connect(gateway.address()).await;
    is_part(&client.get_with("/kept/page", &[("range", "bytes=100-899")]).await, 100, 899, "the first");
    let shared = client.get_with("/kept/page", &[("range", "bytes=990-999")]).await;
    is_part(&shared, 990, 999, "the second, on the same connection");
    assert!(shared.cache_status().contains("; collapsed"), "{}", shared.cache_status());
    is_part(&streams.request("GET", "/kept/page", &[("range", "bytes=0-0")], "").await, 0, 0, "over HTTP/2");
    let beyond = streams.request("GET", "/kept/page", &[("range", "bytes=2000-")], "").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */2000")));
    // Who wants what is not there yet waits for it.
    let mut waiting = JoinSet::new();
    for range in ["bytes=900-1100", "bytes=-1"] {
        let mut visitor = Client::connect(gateway.address()).await;
        visitor.send("GET", "/kept/page", &[("range", range)], "").await;
        assert_eq!(visitor.read_head().await.status, 206, "{range}");
        waiting.spawn(async move {
            let mut read = Vec::new();
            while let Some((_, piece)) = visitor.next_chunk().await {
                read.extend_from_slice(&piece);
            }
            (range, read, visitor.complete())
        });
    }
    gate.open();
    for (range, read, complete) in waiting.join_all().await {
        let expected = if range == "bytes=-1" { &body()[1999..] } else { &body()[900..=1100] };
        assert!(complete && read == expected, "{range}: {read:?}");
    }
    is_whole(&hit(gateway.address(), "/kept/page").await, "afterwards");
    assert_eq!(origin.count("/kept/page"), 1);
}

#[tokio::test]
async fn promise_5_a_part_that_does_not_come_is_cut_and_nothing_is_kept() {
    let (origin, gateway) = start().await;
    let gate = Gate::new();
    let reply = in_pieces().gate_after(2, &gate).hang_up_after(1000);
    origin.on("/kept/page", move |_| reply.clone());
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET", "/kept/page", &[("range", "bytes=900-1100")], "").await;
    assert_eq!(client.read_head().await.status, 206);
    let within = part(&gateway, "/kept/page", "bytes=0-9").await;
    is_part(&within, 0, 9, "a part that has come is whole, whatever follows");
    gate.open();
    let mut read = Vec::new();
    while let Some((_, piece)) = client.next_chunk().await {
        read.extend_from_slice(&piece);
    }
    assert!(!client.complete() && body()[900..1000].starts_with(&read), "{} bytes, as if it were whole", read.len());
    origin.on("/kept/page", |_| page());
    until("nothing was kept", async || visit(&gateway, "/kept/page", &[]).await.x_cache() == "HIT").await;
    assert_eq!(origin.count("/kept/page"), 2);
}

/// A page that its handler confirms as long as it is asked about it.
fn confirming(seen: &Seen) -> Reply {
    match seen.header("if-none-match") {
        Some("\"v1\"") => {
            Reply::ok("").status(304).header("cache-control", "max-age=3600").header("x-state", "confirmed")
        }
        // Where the handler decides it says itself that it may be served stale (RFC 5861 section 3).
        Some(_) | None => {
            Reply::ok(body()).header("cache-control", "max-age=1, stale-while-revalidate=3600").header("etag", "\"v1\"")
        }
    }
}

/// Asserts that parts of a page come stale, that nobody else has to ask for it to be refreshed, and that this is done whole.
async fn stale_parts(place: &str) {
    let (origin, gateway) = start().await;
    origin.on(place, confirming);
    visit(&gateway, place, &[]).await;
    until("a part is stale", async || {
        let answer = part(&gateway, place, "bytes=5-9").await;
        is_part(&answer, 5, 9, place);
        let stale = answer.x_cache() == "STALE";
        assert_eq!(answer.cache_status().ends_with("; detail=revalidating"), stale, "{}", answer.cache_status());
        stale
    })
    .await;
    until("what was said to be revalidated is", async || {
        let answer = part(&gateway, place, "bytes=5-9").await;
        is_part(&answer, 5, 9, place);
        answer.header("x-state") == Some("confirmed")
    })
    .await;
    let seen = origin.seen(place);
    assert!(seen.len() >= 2 && seen.iter().all(|seen| seen.header("range").is_none()), "{place}: {seen:?}");
}

#[tokio::test]
async fn a_stale_page_gives_parts_and_is_refreshed_whole() {
    stale_parts("/aging/page").await;
}

#[tokio::test]
async fn parts_of_what_the_handler_lets_be_stale_refresh_it_too() {
    stale_parts("/origin/page").await;
}

#[tokio::test]
async fn a_stale_page_gives_parts_when_its_handler_fails() {
    let (origin, gateway) = start().await;
    origin.on("/origin/page", |_| {
        Reply::ok(body()).header("cache-control", "max-age=1, stale-if-error=3600").header("etag", "\"v1\"")
    });
    for place in ["/aging/page", "/origin/page"] {
        visit(&gateway, place, &[]).await;
    }
    origin.kill();
    for place in ["/aging/page", "/origin/page"] {
        // The first who comes too late and asks for the whole learns that the handler is gone.
        until("the handler was asked in vain", async || {
            let answer = visit(&gateway, place, &[]).await;
            is_whole(&answer, place);
            answer.cache_status().ends_with("; detail=error")
        })
        .await;
        let answer = part(&gateway, place, "bytes=5-9").await;
        is_part(&answer, 5, 9, place);
        assert_eq!(answer.x_cache(), "STALE", "{place}");
    }
}

#[tokio::test]
async fn those_who_wait_for_a_confirmation_get_their_part_of_it() {
    let (origin, gateway) = start().await;
    origin.on("/brief/page", confirming);
    visit(&gateway, "/brief/page", &[]).await;
    // Once it has expired a visitor waits for the handler's word.
    until("a part is confirmed", async || {
        let answer = part(&gateway, "/brief/page", "bytes=-5").await;
        is_part(&answer, 1995, 1999, answer.cache_status());
        answer.x_cache() == "REVALIDATED"
    })
    .await;
    let seen = origin.seen("/brief/page");
    assert_eq!((seen[1].header("if-none-match"), seen[1].header("range")), (Some("\"v1\""), None));
}

#[tokio::test]
async fn a_part_of_what_is_not_kept_is_the_handlers_business() {
    let (origin, gateway) = start().await;
    origin.on("/kept/page", |seen| knowing_parts(seen, "\"v1\"").header("set-cookie", "a=1"));
    for asked in [2, 3] {
        let answer = part(&gateway, "/kept/page", "bytes=0-9").await;
        is_part(&answer, 0, 9, "from the handler");
        assert_eq!((answer.x_cache(), answer.all("set-cookie")), ("PASS", vec!["a=1"]));
        assert_eq!(origin.count("/kept/page"), asked);
    }
    // Only the fill was for nobody, and asked for the whole.
    let asked: Vec<bool> = origin.seen("/kept/page").iter().map(|seen| seen.header("range").is_some()).collect();
    assert_eq!(asked, [false, true, true]);
}

/// A handler that knows parts from `first` to `last`, with this validator.
fn knowing_parts(seen: &Seen, etag: &str) -> Reply {
    let asked = seen.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let asked = asked.and_then(|(first, last)| Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?)));
    let reply = match asked {
        Some((first, last)) => Reply::ok(&body()[first..=last])
            .status(206)
            .header("content-range", format!("bytes {first}-{last}/{LENGTH}")),
        None => Reply::ok(body()),
    };
    reply.header("etag", etag).header("cache-control", "max-age=3600").header("content-type", "text/plain")
}

#[tokio::test]
async fn where_the_handler_decides_a_cold_part_is_its_own_business() {
    let (origin, gateway) = start().await;
    // Without a strong validator nothing tells safely what this is a part of (RFC 9111 section 3.4).
    origin.on("/origin/page", |seen| knowing_parts(seen, "W/\"v1\""));
    for asked in 1..=2 {
        let answer = part(&gateway, "/origin/page", "bytes=0-9").await;
        is_part(&answer, 0, 9, "from the handler");
        let status = "evergate; fwd=uri-miss; fwd-status=206; detail=range";
        assert_eq!((answer.x_cache(), answer.cache_status()), ("PASS", status));
        assert_eq!((origin.count("/origin/page"), answer.header("age")), (asked, None));
    }
    assert!(origin.seen("/origin/page").iter().all(|seen| seen.all("range") == ["bytes=0-9"]));
    let reason = [("route", "/origin/[page]"), ("reason", "range")];
    until("they are counted", async || gateway.metric("evergate_uncacheable_total", &reason).await == 2.0).await;
    // None of those was taken for the page (section 3.3), and once it is stored it has parts of its own.
    let whole = visit(&gateway, "/origin/page", &[]).await;
    assert_eq!(whole.x_cache(), "MISS");
    is_whole(&whole, "from the handler");
    let answer = part(&gateway, "/origin/page", "bytes=5-9").await;
    assert_eq!(answer.x_cache(), "HIT");
    is_part(&answer, 5, 9, "from memory");
    assert_eq!(origin.count("/origin/page"), 3);
    // A handler that ignores the range sends the whole, which passes as it is.
    origin.on("/origin/whole", |_| page());
    for _ in 0..2 {
        let answer = part(&gateway, "/origin/whole", "bytes=0-9").await;
        assert_eq!(answer.x_cache(), "PASS");
        is_whole(&answer, "a handler that knows no parts");
    }
}

#[tokio::test]
async fn a_strong_part_answers_for_itself_and_parts_make_a_whole() {
    let (origin, gateway) = start().await;
    origin.on("/origin/page", |seen| knowing_parts(seen, "\"v1\""));
    for (range, (first, last), x_cache) in [
        ("bytes=0-999", (0, 999), "PASS"),
        // Within what is there, and beyond it (RFC 9111 section 3.3).
        ("bytes=0-999", (0, 999), "HIT"),
        ("bytes=500-509", (500, 509), "HIT"),
        ("bytes=900-1099", (900, 1099), "PASS"),
        ("bytes=1000-1099", (1000, 1099), "HIT"),
        ("bytes=1100-1999", (1100, 1999), "PASS"),
    ] {
        let answer = part(&gateway, "/origin/page", range).await;
        is_part(&answer, first, last, range);
        assert_eq!((answer.x_cache(), answer.all("etag")), (x_cache, vec!["\"v1\""]), "{range}");
    }
    // Nothing is missing any more, so that they are the page (section 3.4).
    let whole = visit(&gateway, "/origin/page", &[]).await;
    assert_eq!((whole.x_cache(), whole.all("content-length")), ("HIT", vec!["2000"]));
    is_whole(&whole, "put together");
    assert_eq!(origin.count("/origin/page"), 3);
}

#[tokio::test]
async fn parts_of_different_pages_are_never_put_together() {
    let (origin, gateway) = start().await;
    origin.on("/origin/page", |seen| match seen.header("range") {
        Some("bytes=0-999") => knowing_parts(seen, "\"v1\""),
        Some(_) | None => knowing_parts(seen, "\"v2\""),
    });
    assert_eq!(part(&gateway, "/origin/page", "bytes=0-999").await.all("etag"), ["\"v1\""]);
    assert_eq!(part(&gateway, "/origin/page", "bytes=1000-1999").await.all("etag"), ["\"v2\""]);
    let whole = visit(&gateway, "/origin/page", &[]).await;
    assert_eq!((whole.x_cache(), whole.all("etag")), ("MISS", vec!["\"v2\""]));
    is_whole(&whole, "from the handler");
}

#[tokio::test]
async fn a_part_that_nobody_asked_for_is_never_the_page() {
    let (origin, gateway) = start().await;
    origin.on("/*", |_| {
        let part = Reply::ok("0123456789").status(206).header("content-range", "bytes 0-9/2000");
        part.header("cache-control", "max-age=3600").header("etag", "\"v1\"")
    });
    for place in ["/kept/page", "/origin/page"] {
        for _ in 0..2 {
            let answer = visit(&gateway, place, &[]).await;
            // A part must not be served as though it were whole (RFC 9111 section 3.3).
            assert_eq!((answer.status, answer.text()), (206, "0123456789"), "{place}");
            assert!(answer.x_cache() != "HIT", "{place}: {}", answer.cache_status());
        }
        origin.on(place, |_| page());
        is_whole(&visit(&gateway, place, &[]).await, place);
    }
}

#[tokio::test]
async fn http2_gives_the_same_parts() {
    let (origin, gateway) = start().await;
    let streams = Http2Client::connect(gateway.address()).await;
    let mut client = Client::connect(gateway.address()).await;
    for place in ["/kept/page", "/origin/page"] {
        assert_eq!(streams.get(place).await.x_cache(), "MISS");
        for (range, first, last) in super::SINGLE {
            let over_2 = streams.request("GET", place, &[("range", range)], "").await;
            is_part(&over_2, first, last, &format!("{place} {range}"));
            let over_1 = client.get_with(place, &[("range", range)]).await;
            let apart = super::OF_THE_MOMENT;
            assert_eq!(over_2.headers_without(&apart), over_1.headers_without(&apart), "{place} {range}");
        }
        let head = streams.request("HEAD", place, &[("range", "bytes=0-1")], "").await;
        assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("2000"), 0));
        assert_eq!(origin.count(place), 1);
    }
}
