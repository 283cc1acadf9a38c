//! Validation (section 4.3): what the gateway asks its handler with, what a confirmation brings up to date, and visitors'
//! conditions, answered where the gateway knows and left to the handler where it does not.

use std::sync::atomic::{AtomicUsize, Ordering};

use evergate_tests::{Client, Gate, Reply, Seen};

use super::{Lines, ask, detail, essence, in_front_of, visit};

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// A page with both validators and this lifetime.
fn validated(max_age: u32) -> Reply {
    let reply = Reply::ok("page").header("content-type", "text/plain").header("etag", "\"v1\"");
    reply.header("last-modified", MODIFIED).header("cache-control", format!("max-age={max_age}"))
}

/// A handler that confirms its page, good for an hour then.
fn confirming(seen: &Seen) -> Reply {
    let known = seen.header("if-none-match").is_some_and(|tags| tags.contains("\"v1\""));
    if known {
        let confirmation = Reply::ok("").status(304).header("etag", "\"v1\"").header("x-state", "confirmed");
        confirmation.header("cache-control", "max-age=3600")
    } else {
        validated(0).header("x-state", "new")
    }
}

#[tokio::test]
async fn what_is_stale_is_asked_for_with_its_validators_and_renewed() {
    let (origin, gateway) = in_front_of(confirming, "").await;
    assert_eq!(essence(&visit(&gateway, &[]).await), ("MISS", "page"));
    let renewed = visit(&gateway, &[]).await;
    assert_eq!(essence(&renewed), ("REVALIDATED", "page"));
    assert_eq!(renewed.cache_status(), "evergate; fwd=stale; fwd-status=304; stored");
    let asked = &origin.seen("/p")[1];
    assert_eq!(asked.all("if-none-match"), ["\"v1\""]);
    assert_eq!(asked.all("if-modified-since"), [MODIFIED]);
    // Section 3.2: what the confirmation says replaces what is stored, and the rest stays.
    let hit = visit(&gateway, &[]).await;
    for response in [&renewed, &hit] {
        assert_eq!((response.status, response.header("x-state")), (200, Some("confirmed")));
        assert_eq!(response.all("cache-control"), ["max-age=3600"]);
        assert_eq!((response.header("content-type"), response.header("etag")), (Some("text/plain"), Some("\"v1\"")));
    }
    assert_eq!((essence(&hit), origin.count("/p")), (("HIT", "page"), 2));
}

#[tokio::test]
async fn a_confirmation_does_not_change_what_describes_the_body() {
    // Section 3.2.
    let reply = |seen: &Seen| match seen.header("if-none-match") {
        Some(_) => {
            let reply = confirming(seen).header("content-encoding", "gzip").header("content-type", "text/html");
            reply.header("content-range", "bytes 0-1/2").header("x-new", "1")
        }
        None => validated(0),
    };
    let (_origin, gateway) = in_front_of(reply, "").await;
    visit(&gateway, &[]).await;
    assert_eq!(visit(&gateway, &[]).await.x_cache(), "REVALIDATED");
    let hit = visit(&gateway, &[]).await;
    assert_eq!((essence(&hit), hit.header("x-new")), (("HIT", "page"), Some("1")));
    for name in ["content-encoding", "content-range"] {
        assert_eq!(hit.header(name), None, "{name}");
    }
    assert_eq!(hit.header("content-length"), Some("4"));
}

#[tokio::test]
async fn a_confirmation_of_something_else_renews_nothing() {
    // Section 4.3.4: a strong tag that differs speaks of another response.
    let reply = |seen: &Seen| match seen.header("if-none-match") {
        Some(_) => Reply::ok("").status(304).header("etag", "\"v2\"").header("cache-control", "max-age=3600"),
        None if seen.header("cache-control").is_some() => {
            Reply::ok("second").header("etag", "\"v2\"").header("cache-control", "max-age=60")
        }
        None => validated(60),
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    assert_eq!(visit(&gateway, &[]).await.text(), "page");
    let asked_anew = visit(&gateway, &[("cache-control", "no-cache")]).await;
    assert_eq!((asked_anew.status, asked_anew.text(), asked_anew.header("etag")), (200, "second", Some("\"v2\"")));
    let seen = origin.seen("/p");
    let conditions: Vec<Option<&str>> = seen.iter().map(|seen| seen.header("if-none-match")).collect();
    assert_eq!(conditions, [None, Some("\"v1\""), None]);
    assert_eq!(seen[2].header("if-modified-since"), None);
    assert_eq!(essence(&visit(&gateway, &[]).await), ("HIT", "second"));
}

#[tokio::test]
async fn promise_1_a_confirmation_that_is_for_its_asker_shares_nothing() {
    // Sections 4.3.4 and 3: what a 304 adds is judged as the whole would be.
    for lines in [&[("set-cookie", "id=ann")][..], &[("cache-control", "private")], &[("cache-control", "no-store")]] {
        let reply = move |seen: &Seen| match seen.header("if-none-match") {
            Some(_) => super::said(Reply::ok("").status(304).header("etag", "\"v1\""), lines),
            None if seen.header("cookie").is_some() => super::said(Reply::ok("ann's").header("etag", "\"v1\""), lines),
            None => validated(60),
        };
        let (_origin, gateway) = in_front_of(reply, "").await;
        visit(&gateway, &[]).await;
        let ann = visit(&gateway, &[("cookie", "id=ann"), ("cache-control", "no-cache")]).await;
        assert_eq!(ann.status, 200, "{lines:?}: {}", ann.cache_status());
        let other = visit(&gateway, &[]).await;
        assert_eq!((other.text(), other.header("set-cookie")), ("page", None), "{lines:?}: {}", other.cache_status());
    }
}

#[tokio::test]
async fn no_cache_is_kept_and_confirmed_each_time() {
    // Section 5.2.2.4.
    let reply = |seen: &Seen| match seen.header("if-none-match") {
        Some("\"v1\"") => Reply::ok("").status(304).header("etag", "\"v1\""),
        _ => Reply::ok("page").header("etag", "\"v1\"").header("cache-control", "max-age=60, no-cache"),
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    for (run, x_cache) in ["MISS", "REVALIDATED", "REVALIDATED", "REVALIDATED"].into_iter().enumerate() {
        assert_eq!(essence(&visit(&gateway, &[]).await), (x_cache, "page"));
        assert_eq!(origin.count("/p"), run + 1);
    }
}

/// Conditions, and whether a page with the tag `"v1"` that was modified at [`MODIFIED`] fulfils them (section 4.3.2).
const CONDITIONS: [(Lines<'static>, bool); 16] = [
    (&[("if-none-match", "\"v1\"")], true),
    (&[("if-none-match", "W/\"v1\"")], true),
    (&[("if-none-match", "\"a\", \"v1\"")], true),
    (&[("if-none-match", "\"a\""), ("if-none-match", "\"v1\"")], true),
    (&[("if-none-match", "*")], true),
    (&[("if-none-match", "\"v2\"")], false),
    (&[("if-none-match", "v1")], false),
    (&[("if-none-match", "\"V1\"")], false),
    (&[("if-none-match", "\"a, \\\"v1\\\"\"")], false),
    (&[("if-modified-since", MODIFIED)], true),
    (&[("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT")], true),
    (&[("if-modified-since", "Sun Nov  6 08:49:37 1994")], true),
    (&[("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT")], false),
    (&[("if-modified-since", "yesterday")], false),
    // RFC 9110 section 13.2.2.
    (&[("if-none-match", "\"v2\""), ("if-modified-since", MODIFIED)], false),
    (&[("if-none-match", "\"v1\""), ("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT")], true),
];

#[tokio::test]
async fn visitors_conditions_are_answered_from_what_is_fresh_and_from_what_was_renewed() {
    let (origin, gateway) = in_front_of(confirming, "").await;
    for x_cache in ["REVALIDATED", "HIT"] {
        for (lines, has_it) in CONDITIONS {
            // The first is kept and stale, the second has an hour.
            ask(&gateway, "POST", &[]).await;
            visit(&gateway, &[]).await;
            if x_cache == "HIT" {
                visit(&gateway, &[]).await;
            }
            let asked = origin.count("/p");
            let response = visit(&gateway, lines).await;
            let what = format!("{x_cache} {lines:?}: {}", response.cache_status());
            let expected = if has_it { (304, "") } else { (200, "page") };
            assert_eq!(
                (response.status, response.text(), response.x_cache()),
                (expected.0, expected.1, x_cache),
                "{what}"
            );
            assert_eq!(response.header("etag"), Some("\"v1\""), "{what}");
            let seen = &origin.seen("/p")[asked..];
            // The handler is asked about what the gateway has, not about what the visitor has (section 4.3.1).
            let tags: Vec<Option<&str>> = seen.iter().map(|seen| seen.header("if-none-match")).collect();
            assert_eq!(tags, if x_cache == "HIT" { vec![] } else { vec![Some("\"v1\"")] }, "{what}");
        }
    }
}

#[tokio::test]
async fn a_cold_page_is_asked_for_with_the_visitors_own_conditions() {
    // Nothing is stored that the 304 could be about: it is for whoever asked, and others look again.
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| match seen.header("if-none-match") {
        Some("\"v1\"") => confirming(seen).gate(&held),
        _ => validated(60),
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    let mut first = Client::connect(gateway.address()).await;
    first.send("GET", "/p", &[("if-none-match", "\"v1\"")], "").await;
    gate.arrived(1).await;
    let mut second = Client::connect(gateway.address()).await;
    second.send("GET", "/p", &[], "").await;
    gate.open();
    let first = first.read_response("GET").await;
    assert_eq!((first.status, first.x_cache(), first.header("etag")), (304, "MISS", Some("\"v1\"")));
    assert_eq!(first.cache_status(), "evergate; fwd=uri-miss; fwd-status=304");
    let second = second.read_response("GET").await;
    assert_eq!((second.status, second.text()), (200, "page"), "{}", second.cache_status());
    assert_eq!(essence(&visit(&gateway, &[]).await), ("HIT", "page"));
    assert_eq!(origin.count("/p"), 2);
}

#[tokio::test]
async fn promise_3_a_crowd_with_and_without_conditions_is_answered() {
    // Each 304 is for one of them alone, so that the others look again, behind one who may have conditions too.
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| match seen.header("if-none-match") {
        Some("\"v1\"") => Reply::ok("").status(304).header("etag", "\"v1\"").gate(&held),
        _ => Reply::ok("page").header("etag", "\"v1\"").header("cache-control", "max-age=60"),
    };
    let (_origin, gateway) = in_front_of(reply, "").await;
    let mut visitors = Vec::new();
    for number in 0..24 {
        let lines: Lines<'_> = if number % 4 == 3 { &[] } else { &[("if-none-match", "\"v1\"")] };
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", "/p", lines, "").await;
        visitors.push((lines.is_empty(), client));
        // The first of them leads.
        gate.arrived(1).await;
    }
    gate.open();
    for (wants_all, mut client) in visitors {
        let response = client.read_response("GET").await;
        let expected = if wants_all { (200, "page") } else { (304, "") };
        assert_eq!((response.status, response.text()), expected, "{}", response.cache_status());
    }
}

#[tokio::test]
async fn only_a_success_is_confirmed_to_visitors() {
    // RFC 9110 section 13.2.1: conditions count where the answer without them would be a success.
    for status in [301, 404, 410] {
        let reply = move |_: &Seen| validated(60).status(status);
        let (origin, gateway) = in_front_of(reply, "").await;
        visit(&gateway, &[]).await;
        for (lines, _) in CONDITIONS {
            let response = visit(&gateway, lines).await;
            assert_eq!((response.status, essence(&response)), (status, ("HIT", "page")), "{lines:?}");
        }
        assert_eq!(origin.count("/p"), 1);
    }
}

#[tokio::test]
async fn promise_1_a_confirmation_leaves_no_field_that_was_for_its_asker() {
    // Sections 5.2.2.4 and 5.2.2.7 with section 3.2.
    for directive in ["private", "no-cache"] {
        let reply = move |seen: &Seen| {
            let control = format!("max-age=60, {directive}=\"x-user\"");
            match (seen.header("if-none-match"), seen.header("cookie")) {
                (Some(_), Some(who)) => {
                    let reply = Reply::ok("").status(304).header("etag", "\"v1\"").header("x-user", who);
                    reply.header("cache-control", control)
                }
                (Some(_) | None, _) => validated(60).header("x-user", "everyone"),
            }
        };
        let (_origin, gateway) = in_front_of(reply, "").await;
        assert_eq!(visit(&gateway, &[]).await.header("x-user"), Some("everyone"));
        let ann = visit(&gateway, &[("cookie", "id=ann"), ("cache-control", "no-cache")]).await;
        assert_eq!(essence(&ann), ("REVALIDATED", "page"), "{directive}");
        let other = visit(&gateway, &[]).await;
        assert_eq!((essence(&other), other.header("x-user")), (("HIT", "page"), None), "{directive}");
    }
}

#[tokio::test]
async fn a_cold_page_that_has_changed_is_kept_for_all() {
    let (origin, gateway) = in_front_of(|_| validated(60), "").await;
    let changed =
        visit(&gateway, &[("if-none-match", "\"v0\""), ("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT")]).await;
    assert_eq!((changed.status, essence(&changed)), (200, ("MISS", "page")));
    assert_eq!(origin.seen("/p")[0].header("if-none-match"), Some("\"v0\""));
    assert_eq!(essence(&visit(&gateway, &[]).await), ("HIT", "page"));
    // A handler that does not look at conditions leaves them to the gateway.
    assert_eq!(visit(&gateway, &[("if-none-match", "\"v1\"")]).await.status, 304);
}

#[tokio::test]
async fn preconditions_are_for_the_handler() {
    // Section 4.3.2: they depend on a state that only it knows.
    let reply = |seen: &Seen| match (seen.header("if-match"), seen.header("if-unmodified-since")) {
        (Some(_), _) | (_, Some(_)) => Reply::ok("").status(412),
        _ => validated(60),
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    visit(&gateway, &[]).await;
    for (run, lines) in [[("if-match", "\"v1\"")], [("if-unmodified-since", MODIFIED)]].iter().enumerate() {
        let response = visit(&gateway, lines).await;
        assert_eq!(
            (response.status, response.x_cache(), detail(&response)),
            (412, "PASS", "precondition"),
            "{lines:?}"
        );
        assert_eq!(origin.count("/p"), run + 2, "{lines:?}");
    }
    assert_eq!(essence(&visit(&gateway, &[]).await), ("HIT", "page"));
}

#[tokio::test]
async fn the_handler_of_a_page_without_validators_is_asked_without_conditions() {
    let run = AtomicUsize::new(0);
    let reply = move |_: &Seen| {
        let run = run.fetch_add(1, Ordering::Relaxed);
        Reply::ok(run.to_string()).header("cache-control", "max-age=60").header("age", "61")
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    for run in ["0", "1", "2"] {
        assert_eq!(essence(&visit(&gateway, &[]).await), ("MISS", run));
    }
    for seen in origin.seen("/p") {
        assert_eq!((seen.header("if-none-match"), seen.header("if-modified-since")), (None, None));
    }
}
