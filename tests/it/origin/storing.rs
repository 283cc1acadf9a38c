//! What is kept and for whom (sections 3, 3.1, 3.5 and 5.2.2), and what becomes of the rest: one run of the handler, for whoever
//! asked.

use evergate_tests::{Client, Gate, Reply, Seen, until};
use tokio::task::JoinSet;

use super::{Lines, detail, essence, in_front_of, number, once, page, runs, said, visit};

/// A minute of freshness.
const MINUTE: (&str, &str) = ("cache-control", "max-age=60");

/// An answer, and why it is not kept; nothing for one that is.
const ANSWERS: [(u16, Lines<'static>, &str); 53] = [
    // Whatever the status: what says how long it is good is kept (section 3).
    (200, &[MINUTE], ""),
    (203, &[MINUTE], ""),
    (204, &[MINUTE], ""),
    (299, &[MINUTE], ""),
    (300, &[MINUTE], ""),
    (301, &[MINUTE, ("location", "/q")], ""),
    (302, &[MINUTE, ("location", "/q")], ""),
    (307, &[MINUTE, ("location", "/q")], ""),
    (400, &[MINUTE], ""),
    (404, &[MINUTE], ""),
    (410, &[MINUTE], ""),
    (499, &[MINUTE], ""),
    (500, &[MINUTE], ""),
    (503, &[MINUTE], ""),
    (599, &[MINUTE], ""),
    // What does not say so is not.
    (200, &[], "no-lifetime"),
    (200, &[("cache-control", "public")], "no-lifetime"),
    (200, &[("cache-control", "max-age=0")], "no-lifetime"),
    (200, &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")], "no-lifetime"),
    (404, &[], "no-lifetime"),
    (301, &[("location", "/q")], "no-lifetime"),
    // Part of an answer to who wants all of it.
    (206, &[MINUTE, ("content-range", "bytes 0-3/8")], "status"),
    // Section 5.2.2.3.
    (200, &[("cache-control", "max-age=60, must-understand")], ""),
    (299, &[("cache-control", "max-age=60, must-understand")], "status"),
    (200, &[("cache-control", "max-age=60, must-understand, no-store")], ""),
    (299, &[("cache-control", "max-age=60, must-understand, no-store")], "status"),
    // Section 5.2.2.5.
    (200, &[("cache-control", "no-store")], "no-store"),
    (200, &[("cache-control", "max-age=60, no-store")], "no-store"),
    (200, &[("cache-control", "no-store, public, s-maxage=60")], "no-store"),
    (200, &[("cache-control", "NO-STORE, max-age=60")], "no-store"),
    (200, &[MINUTE, ("cache-control", "no-store")], "no-store"),
    (200, &[("cache-control", "max-age=60, no-store=\"x\"")], "no-store"),
    (200, &[("cache-control", "no-store"), ("expires", "Thu, 01 Jan 2099 00:00:00 GMT")], "no-store"),
    // What is not a directive, or is in quotes, forbids nothing.
    (200, &[("cache-control", "max-age=60, x=\"no-store\"")], ""),
    (200, &[("cache-control", "max-age=60, no-storey")], ""),
    // Section 5.2.2.7.
    (200, &[("cache-control", "max-age=60, private")], "private"),
    (200, &[("cache-control", "private, public, s-maxage=60")], "private"),
    (200, &[("cache-control", "Private"), MINUTE], "private"),
    (404, &[("cache-control", "max-age=60, private")], "private"),
    (200, &[("cache-control", "max-age=60, private=\"x-user\"")], ""),
    (200, &[("cache-control", "max-age=60, private, private=\"x-user\"")], "private"),
    // Section 5.2.2.4: nothing to ask with.
    (200, &[("cache-control", "max-age=60, no-cache")], "no-cache"),
    (200, &[("cache-control", "max-age=60, no-cache=\"x-user\"")], ""),
    // The first of the targeted fields stands alone (RFC 9213 section 2.2).
    (200, &[("cache-control", "no-store"), ("cdn-cache-control", "max-age=60")], ""),
    (200, &[MINUTE, ("cdn-cache-control", "no-store")], "no-store"),
    (200, &[MINUTE, ("evergate-cache-control", "private")], "private"),
    (200, &[MINUTE, ("evergate-cache-control", "no-store"), ("cdn-cache-control", "max-age=60")], "no-store"),
    (200, &[MINUTE, ("surrogate-control", "no-store")], "no-store"),
    (200, &[MINUTE, ("surrogate-control", "no-store;other")], ""),
    // This cache is stricter here: what sets a cookie is for one visitor.
    (200, &[MINUTE, ("set-cookie", "a=1")], "set-cookie"),
    (200, &[("cache-control", "public, s-maxage=60"), ("set-cookie", "a=1")], "set-cookie"),
    (200, &[("cache-control", "max-age=60, no-cache=\"set-cookie\""), ("set-cookie", "a=1")], "set-cookie"),
    (301, &[MINUTE, ("location", "/q"), ("set-cookie", "a=1")], "set-cookie"),
];

#[tokio::test]
async fn promise_1_what_forbids_sharing_is_heeded_and_the_rest_is_kept() {
    let reply = |seen: &Seen| {
        let (status, lines, _) = ANSWERS[number(seen)];
        said(Reply::ok("page").status(status), lines)
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    for (case, (status, lines, reason)) in ANSWERS.into_iter().enumerate() {
        let what = format!("{status} {lines:?}");
        let first = page(&gateway, case, &[]).await;
        assert_eq!((first.status, first.x_cache(), detail(&first)), (status, "MISS", reason), "{what}");
        assert_eq!(first.cache_status().ends_with("; stored"), reason.is_empty(), "{what}: {}", first.cache_status());
        let second = page(&gateway, case, &[]).await;
        let expected = if reason.is_empty() { ("HIT", 1) } else { ("MISS", 2) };
        assert_eq!((second.status, second.text()), (status, first.text()), "{what}");
        assert_eq!((second.x_cache(), runs(&origin, case)), expected, "{what}: {}", second.cache_status());
    }
}

/// Directives that make the handler's answer one visitor's own.
const PERSONAL: [Lines<'static>; 5] = [
    &[("cache-control", "private, max-age=60")],
    &[("cache-control", "no-store")],
    &[("cache-control", "max-age=60"), ("set-cookie", "a=1"), ("Set-Cookie", "b=2; Path=/")],
    &[("cache-control", "max-age=60"), ("vary", "*")],
    &[],
];

#[tokio::test]
async fn promise_1_what_is_not_shared_goes_to_each_who_asked_at_once() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| {
        let whose = seen.header("cookie").unwrap_or_default();
        said(Reply::ok(whose).header("x-user", whose), PERSONAL[number(seen)]).gate(&held)
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    let mut visitors = JoinSet::new();
    for case in 0..PERSONAL.len() {
        for visitor in 0..8 {
            let whose = format!("id={visitor}");
            let mut client = Client::connect(gateway.address()).await;
            client.send("GET", &format!("/p?{case}"), &[("cookie", &whose)], "").await;
            visitors.spawn(async move { (case, whose, client.read_response("GET").await) });
        }
    }
    gate.arrived(PERSONAL.len()).await;
    gate.open();
    for (case, whose, response) in visitors.join_all().await {
        assert_eq!((response.text(), response.header("x-user")), (whose.as_str(), Some(whose.as_str())), "{case}");
        let cookies = if case == 2 { vec!["a=1", "b=2; Path=/"] } else { Vec::new() };
        assert_eq!(response.all("set-cookie"), cookies, "line by line");
    }
    for case in 0..PERSONAL.len() {
        assert_eq!(runs(&origin, case), 8, "a run for each, and none for nobody: {case}");
    }
}

#[tokio::test]
async fn promise_1_fields_that_are_the_askers_are_neither_kept_nor_shared() {
    // Sections 5.2.2.4 and 5.2.2.7 with field names.
    for directive in ["private=\"x-user\"", "no-cache=\"x-user\"", "private=x-user", "private=\"x-a, X-User\""] {
        let gate = Gate::new();
        let held = gate.clone();
        let reply = move |seen: &Seen| {
            let reply = Reply::ok("page").header("cache-control", format!("max-age=60, {directive}"));
            reply.header("x-user", seen.header("cookie").unwrap_or_default()).header("x-other", "1").gate(&held)
        };
        let (origin, gateway) = in_front_of(reply, "").await;
        let mut first = Client::connect(gateway.address()).await;
        first.send("GET", "/p", &[("cookie", "id=ann")], "").await;
        gate.arrived(1).await;
        let mut second = Client::connect(gateway.address()).await;
        second.send("GET", "/p", &[("cookie", "id=bob")], "").await;
        gate.open();
        let asker = first.read_response("GET").await;
        assert_eq!((asker.text(), asker.header("x-user")), ("page", Some("id=ann")), "{directive}");
        let waiter = second.read_response("GET").await;
        assert_ne!(waiter.header("x-user"), Some("id=ann"), "{directive}: {}", waiter.cache_status());
        let later = visit(&gateway, &[("cookie", "id=cy")]).await;
        assert_eq!(essence(&later), ("HIT", "page"), "{directive}");
        assert_eq!((later.header("x-user"), later.header("x-other")), (None, Some("1")), "{directive}");
        assert_eq!(origin.count("/p"), 1, "{directive}");
    }
}

#[tokio::test]
async fn promise_1_answers_to_authorization_are_kept_where_section_3_5_permits() {
    const CASES: [(&str, bool); 8] = [
        ("max-age=60", false),
        ("max-age=60, proxy-revalidate", false),
        ("public, max-age=60", true),
        ("must-revalidate, max-age=60", true),
        ("s-maxage=60", true),
        ("public", false),
        ("public, max-age=60, private", false),
        ("public, max-age=60, no-store", false),
    ];
    let reply = |seen: &Seen| {
        let whose = seen.header("authorization").unwrap_or("nobody").to_owned();
        Reply::ok(whose).header("cache-control", CASES[number(seen)].0)
    };
    let (_origin, gateway) = in_front_of(reply, "").await;
    for (case, (control, kept)) in CASES.into_iter().enumerate() {
        for (whose, first) in [("Basic ann", true), ("Basic bob", false), ("Basic ann", false)] {
            let response = page(&gateway, case, &[("authorization", whose)]).await;
            let text = if kept { "Basic ann" } else { whose };
            assert_eq!(response.text(), text, "{control}");
            assert_eq!(response.x_cache() == "HIT", kept && !first, "{control}: {}", response.cache_status());
        }
        let text = if kept { "Basic ann" } else { "nobody" };
        assert_eq!(page(&gateway, case, &[]).await.text(), text, "{control}");
    }
}

#[tokio::test]
async fn promise_1_what_the_authenticated_are_told_leaves_what_others_have() {
    let reply = |seen: &Seen| {
        let whose = seen.header("authorization").unwrap_or("everyone").to_owned();
        Reply::ok(whose).header("cache-control", "max-age=60")
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    assert_eq!(essence(&visit(&gateway, &[]).await), ("MISS", "everyone"));
    let insists = [("authorization", "Basic ann"), ("cache-control", "no-cache")];
    assert_eq!(visit(&gateway, &insists).await.text(), "Basic ann");
    assert_eq!(essence(&visit(&gateway, &[]).await), ("HIT", "everyone"));
    assert_eq!(origin.count("/p"), 2);
}

#[tokio::test]
async fn what_concerns_one_connection_is_neither_kept_nor_sent_on() {
    // Section 3.1 with RFC 9110 section 7.6.1.
    let reply = |_: &Seen| {
        let reply = Reply::ok("page").header("cache-control", "max-age=60").header("x-end", "kept");
        let reply =
            reply.header("Connection", "keep-alive, X-Hop").header("x-hop", "1").header("keep-alive", "timeout=5");
        let reply = reply.header("proxy-connection", "keep-alive").header("te", "trailers").header("upgrade", "h9");
        reply.header("proxy-authenticate", "Basic").header("proxy-authentication-info", "a=b")
    };
    let (_origin, gateway) = in_front_of(reply, "").await;
    for x_cache in ["MISS", "HIT", "HIT"] {
        let response = visit(&gateway, &[]).await;
        assert_eq!((essence(&response), response.header("x-end")), ((x_cache, "page"), Some("kept")));
        for name in ["x-hop", "keep-alive", "proxy-connection", "te", "upgrade"] {
            assert_eq!(response.header(name), None, "{name}, {x_cache}");
        }
        if x_cache == "HIT" {
            for name in ["proxy-authenticate", "proxy-authentication-info"] {
                assert_eq!(response.header(name), None, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn promise_1_no_connection_option_takes_a_prohibition_away() {
    // RFC 9110 section 7.6.1 forbids to name what is for the recipient of the content; who does so anyway shares nothing.
    const CASES: [Lines<'static>; 4] = [
        &[("connection", "cache-control"), ("cache-control", "private"), ("expires", "Thu, 01 Jan 2099 00:00:00 GMT")],
        &[
            ("connection", "cache-control"),
            ("cache-control", "no-store"),
            ("cdn-cache-control", "&"),
            ("expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
        ],
        &[("connection", "set-cookie"), ("cache-control", "max-age=60"), ("set-cookie", "a=1")],
        &[("connection", "vary"), ("cache-control", "max-age=60"), ("vary", "cookie")],
    ];
    let reply = |seen: &Seen| said(Reply::ok(seen.header("cookie").unwrap_or_default()), CASES[number(seen)]);
    let (_origin, gateway) = in_front_of(reply, "").await;
    for (case, lines) in CASES.into_iter().enumerate() {
        for whose in ["id=ann", "id=bob", "id=ann"] {
            let response = page(&gateway, case, &[("cookie", whose)]).await;
            assert_eq!(response.text(), whose, "{lines:?}: {}", response.cache_status());
        }
    }
}

#[tokio::test]
async fn what_may_be_half_or_is_too_long_goes_to_the_asker_and_is_not_kept() {
    let long = "x".repeat(3000);
    let origin = evergate_tests::Origin::start().await;
    let body = long.clone();
    origin.on("/p", move |seen| {
        let reply = Reply::ok(&body).header("cache-control", "max-age=60");
        match number(seen) {
            0 => reply.without_length(),
            1 => reply,
            2 => reply.chunks([&body[..1000], &body[1000..2000], &body[2000..]]),
            _ => reply.chunks([&body[..500], &body[..500]]),
        }
    });
    let gateway = once(&origin, "- { path: /p, revalidate: origin }\ncache: { max_body: 2KiB }").await;
    for (case, reason, length) in [(0, "no-length", 3000), (1, "too-large", 3000), (2, "", 3000), (3, "", 1000)] {
        let first = page(&gateway, case, &[]).await;
        assert_eq!((first.complete, first.body.len(), detail(&first)), (true, length, reason), "{case}");
        let second = page(&gateway, case, &[]).await;
        assert_eq!((second.complete, second.body.len()), (true, length), "{case}");
        let asked = if case == 3 { 1 } else { 2 };
        assert_eq!(runs(&origin, case), asked, "{case}: {}", second.cache_status());
    }
}

#[tokio::test]
async fn promise_5_half_an_answer_is_cut_and_not_kept() {
    let reply = |seen: &Seen| {
        let reply = Reply::ok("whole page").header("cache-control", "max-age=60");
        match number(seen) {
            0 => reply.hang_up_after(5),
            _ => reply.chunks(["whole", " page"]).hang_up_after(5),
        }
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    for case in 0..2 {
        for run in 1..=2 {
            let response = page(&gateway, case, &[]).await;
            assert!(!response.complete || response.status == 502, "{case}: {} {:?}", response.status, response.text());
            assert_eq!(runs(&origin, case), run, "{case}");
        }
    }
}

#[tokio::test]
async fn promise_5_no_failure_replaces_what_was_good() {
    for (name, failing) in [
        ("500", (|| Reply::ok("broken").status(500)) as fn() -> Reply),
        ("503 with a lifetime", || Reply::ok("broken").status(503).header("cache-control", "max-age=60")),
        ("429", || Reply::ok("broken").status(429)),
        ("a 500 that sets a cookie", || Reply::ok("broken").status(500).header("set-cookie", "a=1")),
        ("a hang-up", Reply::hang_up_before_head),
        ("a cut body", || Reply::ok("broken page").header("cache-control", "max-age=60").hang_up_after(3)),
        ("no HTTP", || Reply::raw("SSH-2.0-x\r\n\r\n")),
    ] {
        let reply = move |seen: &Seen| match seen.header("x-fail") {
            None => Reply::ok("good").header("cache-control", "max-age=60").header("age", "50"),
            Some(_) => failing(),
        };
        let (_origin, gateway) = in_front_of(reply, "").await;
        assert_eq!(visit(&gateway, &[]).await.text(), "good");
        let failed = visit(&gateway, &[("x-fail", "1"), ("cache-control", "no-cache")]).await;
        assert!(failed.status != 200 || !failed.complete, "{name}: who insists learns of it");
        let others = visit(&gateway, &[]).await;
        assert_eq!(essence(&others), ("HIT", "good"), "{name}: {}", others.cache_status());
        assert_eq!(others.header("set-cookie"), None, "{name}");
    }
}

#[tokio::test]
async fn promise_7_what_is_not_kept_costs_one_run_and_streams_to_the_asker() {
    for control in ["private", "no-store", "public"] {
        let gate = Gate::new();
        let held = gate.clone();
        let reply = move |_: &Seen| {
            Reply::ok("").header("cache-control", control).chunks(["first", "second"]).gate_after(1, &held)
        };
        let (origin, gateway) = in_front_of(reply, "").await;
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", "/p", &[], "").await;
        let head = client.read_head().await;
        assert_eq!((head.status, head.x_cache()), (200, "MISS"), "{control}");
        let (_, piece) = client.next_chunk().await.expect("the handler has begun");
        assert_eq!(piece, "first", "{control}");
        gate.open();
        let (_, piece) = client.next_chunk().await.expect("and goes on");
        assert_eq!(piece, "second", "{control}");
        assert!(client.next_chunk().await.is_none() && client.complete(), "{control}");
        assert_eq!(origin.count("/p"), 1, "{control}");
    }
}

#[tokio::test]
async fn an_asker_who_leaves_ends_what_is_for_nobody_else() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |_: &Seen| {
        Reply::ok("").header("cache-control", "private").chunks(["first", "second"]).gate_after(1, &held)
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET", "/p", &[], "").await;
    client.read_head().await;
    drop(client);
    until("the handler is let go", || origin.left("/p") == 1).await;
}
