//! What becomes of coded pages: they are renewed with their page, die with its body, and count towards the capacity.

use evergate_tests::{Client, Origin, Reply, until};

use super::{PLACES, accepting, coded, coding, decoded, in_front_of, page, tagged, text, visit};

/// A page of this version, which its handler confirms as long as it is the current one.
fn version(origin: &Origin, pattern: &str, number: u8, cache_control: &'static str) {
    let tag = format!("\"v{number}\"");
    origin.on(pattern, move |seen| {
        let reply = match seen.header("if-none-match") {
            Some(known) if known == tag => Reply::ok("").status(304).header("x-state", "confirmed"),
            Some(_) | None => Reply::ok(versioned(number)).header("content-type", "text/plain"),
        };
        let reply = reply.header("etag", tag.as_str()).header("cache-control", cache_control);
        // A 304 may tell what a 200 would have told (RFC 9110 section 15.4.5), its own Vary among it.
        if seen.path().ends_with("/silent") { reply } else { reply.header("vary", "x-a") }
    });
}

/// The body of a version; all are of one length.
fn versioned(number: u8) -> String {
    format!("version {number}\n{}", text(20_000))
}

#[tokio::test]
async fn a_renewal_keeps_what_was_made_of_the_page() {
    let (origin, gateway) = in_front_of(tagged, "").await;
    for (place, cache_control) in [("/aging/page", ""), ("/origin/page", "max-age=1")] {
        version(&origin, place, 1, cache_control);
        let before = coded(&gateway, place, "br").await;
        until("the page is renewed", async || {
            let answer = accepting(&gateway, place, "br").await;
            // It is never made again: nobody gets the page as it is in between.
            assert_eq!((answer.status, coding(&answer)), (200, "br"), "{place}");
            assert!(answer.body == before.body, "{place}");
            answer.header("x-state") == Some("confirmed")
        })
        .await;
        let renewed = accepting(&gateway, place, "br").await;
        assert_eq!(renewed.all("etag"), ["W/\"v1\""], "{place}");
        assert_eq!(renewed.all("vary"), ["x-a", "accept-encoding"], "{place}");
        assert_eq!(renewed.all("content-length"), [before.body.len().to_string()], "{place}");
        assert_eq!(renewed.all("x-state"), ["confirmed"], "{place}");
        // The handler was asked with its own tag, not with the weak one.
        let asked = origin.seen(place);
        assert!(asked.len() > 1 && asked[1..].iter().all(|seen| seen.header("if-none-match") == Some("\"v1\"")));
    }
}

#[tokio::test]
async fn a_renewal_may_forbid_what_was_made_of_the_page() {
    // RFC 9111 section 5.2.2.6, RFC 9530: what is said later counts as what is said at once.
    for (name, value) in [("cache-control", "no-transform, max-age=60"), ("repr-digest", "sha-256=:AAAA:")] {
        let (origin, gateway) = in_front_of(tagged, "").await;
        for (place, cache_control) in [("/aging/page", ""), ("/origin/page", "max-age=1")] {
            version(&origin, place, 1, cache_control);
            coded(&gateway, place, "br").await;
            origin.on(place, move |_| {
                let reply = Reply::ok("").status(304).header("etag", "\"v1\"").header("x-state", "confirmed");
                reply.header(name, value)
            });
            until("the page is renewed", async || {
                accepting(&gateway, place, "br").await.header("x-state") == Some("confirmed")
            })
            .await;
            let renewed = accepting(&gateway, place, "br").await;
            assert_eq!((coding(&renewed), renewed.text()), ("identity", versioned(1).as_str()), "{place} {name}");
            assert_eq!(renewed.all("etag"), ["\"v1\""], "{place} {name}");
        }
    }
}

#[tokio::test]
async fn a_renewed_page_is_still_one_page_for_everyone() {
    // The handler knows nothing of codings, so that what it confirms is for those who accept none as well.
    let (origin, gateway) = in_front_of(tagged, "").await;
    for place in ["/origin/silent", "/origin/telling"] {
        version(&origin, place, 1, "max-age=1");
        coded(&gateway, place, "br").await;
        version(&origin, place, 1, "max-age=3600");
        let renewed = async || accepting(&gateway, place, "br").await.cache_status().contains("ttl=3");
        until("the page is renewed", renewed).await;
        let asked = origin.count(place);
        let mut found = Vec::new();
        for accepted in ["br", "gzip", "identity", ""] {
            found.push(accepting(&gateway, place, accepted).await.cache_status().to_owned());
        }
        found.push(visit(&gateway, place, &[]).await.cache_status().to_owned());
        assert!(found.iter().all(|status| status.starts_with("evergate; hit")), "{place}: {found:?}");
        assert_eq!(origin.count(place), asked, "{place}");
    }
}

#[tokio::test]
async fn a_replaced_page_takes_what_was_made_of_it_along() {
    let (origin, gateway) = in_front_of(tagged, "").await;
    for (place, cache_control) in [("/aging/page", ""), ("/origin/page", "max-age=1, stale-while-revalidate=60")] {
        version(&origin, place, 1, cache_control);
        for wanted in ["zstd", "br", "gzip"] {
            coded(&gateway, place, wanted).await;
        }
        version(&origin, place, 2, cache_control);
        until("the page is replaced", async || {
            let answer = accepting(&gateway, place, "identity").await;
            answer.body == versioned(2).as_bytes()
        })
        .await;
        for wanted in ["zstd", "br", "gzip"] {
            // The new page was coded for nobody yet, and the old one is gone in every coding.
            let first = accepting(&gateway, place, wanted).await;
            assert!(decoded(&first) == versioned(2).as_bytes(), "{place} {wanted}: an old body in {}", coding(&first));
            let later = coded(&gateway, place, wanted).await;
            assert!(decoded(&later) == versioned(2).as_bytes(), "{place} {wanted}: an old body");
            assert_eq!(later.all("etag"), ["W/\"v2\""], "{place} {wanted}");
        }
    }
}

#[tokio::test]
async fn a_coding_that_comes_too_late_is_thrown_away() {
    // So long that it is still being coded when its successor is stored.
    const LENGTH: usize = 6 << 20;
    let (origin, gateway) = in_front_of(tagged, "").await;
    let long = |number: u8| format!("version {number}\n{}", text(LENGTH));
    origin.on("/origin/page", move |seen| match seen.method.as_str() {
        "POST" => Reply::ok("done"),
        _ => page().header("x-version", "1").chunks([long(1)]),
    });
    let mut client = Client::connect(gateway.address()).await;
    let lines = [("accept-encoding", "br")];
    assert_eq!(client.get_with("/origin/page", &lines).await.x_cache(), "MISS");
    let first = client.get_with("/origin/page", &lines).await;
    assert_eq!((first.x_cache(), coding(&first)), ("HIT", "identity"));
    // It is being coded from now on.
    origin.on("/origin/page", move |seen| match seen.method.as_str() {
        "POST" => Reply::ok("done"),
        _ => page().header("x-version", "2").chunks([long(2)]),
    });
    // What changes the page forgets it (RFC 9111 section 4.4).
    assert_eq!(client.request("POST", "/origin/page", &[], "x").await.x_cache(), "PASS");
    let second = client.get_with("/origin/page", &[]).await;
    assert_eq!((second.x_cache(), second.header("x-version")), ("MISS", Some("2")));
    until("the new page is coded", async || {
        let answer = accepting(&gateway, "/origin/page", "br").await;
        let body = decoded(&answer);
        assert!(body.starts_with(b"version 2\n") && body.len() == LENGTH + 10, "an old body in {}", coding(&answer));
        assert_eq!(answer.header("x-version"), Some("2"));
        coding(&answer) == "br"
    })
    .await;
}

#[tokio::test]
async fn promise_6_coded_bodies_count_and_stay_within_the_capacity() {
    const CAPACITY: f64 = (1 << 20) as f64;
    let (_origin, gateway) = in_front_of(tagged, "cache: { capacity: 1MiB, max_body: 64KiB }").await;
    let bytes = async || gateway.metric("evergate_cache_bytes", &[]).await;
    visit(&gateway, PLACES[0], &[]).await;
    until("the page is counted", async || bytes().await > 20_000.0).await;
    let mut held = bytes().await;
    for wanted in ["zstd", "br", "gzip"] {
        let length = coded(&gateway, PLACES[0], wanted).await.body.len() as f64;
        let grown = bytes().await - held;
        assert!((length..length + 2048.0).contains(&grown), "{wanted}: {length} bytes coded, {grown} counted");
        held += grown;
    }
    // Far more than there is room for: each of these takes twice its length.
    for number in 0..60 {
        let place = format!("/kept/{number}");
        visit(&gateway, &place, &[]).await;
        for wanted in ["zstd", "br", "gzip"] {
            accepting(&gateway, &place, wanted).await;
        }
        let held = bytes().await;
        assert!(held <= CAPACITY, "{held} bytes after {number} pages");
    }
    until("room is made", async || {
        let evicted = gateway.metric("evergate_cache_evictions_total", &[("cause", "size")]).await;
        evicted > 0.0
    })
    .await;
    assert!(bytes().await <= CAPACITY, "{} bytes", bytes().await);
}

#[tokio::test]
async fn a_coding_of_the_handlers_own_is_respected() {
    // It codes whatever it is asked for, and says so; the gateway adds nothing to it.
    let (origin, gateway) = in_front_of(tagged, "").await;
    origin.on("/origin/page", |seen| {
        let reply = page().header("vary", "accept-encoding");
        match seen.header("accept-encoding") {
            Some(accepted) if accepted.contains("x-own") => reply.header("content-encoding", "x-own"),
            Some(_) | None => reply,
        }
    });
    let own = |answer: &evergate_tests::Response| answer.all("content-encoding") == ["x-own"];
    for x_cache in ["MISS", "HIT"] {
        let answer = accepting(&gateway, "/origin/page", "x-own, gzip").await;
        assert_eq!((answer.x_cache(), own(&answer), answer.all("vary")), (x_cache, true, vec!["accept-encoding"]));
    }
    for x_cache in ["MISS", "HIT"] {
        let answer = accepting(&gateway, "/origin/page", "identity").await;
        assert_eq!((answer.x_cache(), coding(&answer)), (x_cache, "identity"));
    }
    // On a route with a window the handler is asked for everyone, without a coding; should it send one all the same, it is
    // everyone's.
    origin.on("/kept/page", |_| page().header("content-encoding", "x-own"));
    for (accepted, x_cache) in [("gzip", "MISS"), ("", "HIT"), ("x-own", "HIT")] {
        let answer = accepting(&gateway, "/kept/page", accepted).await;
        assert_eq!((answer.x_cache(), own(&answer), answer.header("vary")), (x_cache, true, None));
    }
    assert_eq!((origin.count("/origin/page"), origin.count("/kept/page")), (2, 1));
    assert_eq!(origin.seen("/kept/page")[0].header("accept-encoding"), None);
}
