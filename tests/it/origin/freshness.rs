//! Freshness (section 4.2): how long an answer is good, by which of its fields, and how old it is when it comes. Answers come
//! with an age, so that nobody has to wait for it.

use evergate_tests::{Client, Reply, Response, Seen};

use super::{Lines, ask, detail, essence, in_front_of, number, page, runs, said, visit};

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// The time to live that a hit tells of; none when it is no hit.
fn ttl(response: &Response) -> Option<u64> {
    let (_, ttl) = response.cache_status().strip_prefix("evergate; hit")?.split_once("; ttl=")?;
    ttl.parse().ok()
}

/// Asserts that pages with these fields are good for so long after they have come; for no time where there is none.
async fn are_good_for(cases: &'static [(Lines<'static>, Option<u64>)], settings: &str) {
    let (origin, gateway) = in_front_of(|seen| said(Reply::ok("page"), cases[number(seen)].0), settings).await;
    for (case, (lines, lifetime)) in cases.iter().enumerate() {
        page(&gateway, case, &[]).await;
        let response = page(&gateway, case, &[]).await;
        let asked = if lifetime.is_some() { 1 } else { 2 };
        assert_eq!(runs(&origin, case), asked, "{lines:?}: {}", response.cache_status());
        // The machine may be slow.
        let close = match (lifetime, ttl(&response)) {
            (None, None) => true,
            (Some(lifetime), Some(ttl)) => ttl <= *lifetime && ttl + 5 >= *lifetime,
            (Some(_), None) | (None, Some(_)) => false,
        };
        assert!(close, "{lines:?}: {}, not {lifetime:?}", response.cache_status());
    }
}

/// Section 4.2.1, and how directives are written (section 5.2).
const LIFETIMES: [(Lines<'static>, Option<u64>); 36] = [
    (&[("cache-control", "max-age=60")], Some(60)),
    (&[("Cache-Control", "Max-Age=60")], Some(60)),
    (&[("cache-control", "max-age=\"60\"")], Some(60)),
    (&[("cache-control", "public,max-age=60")], Some(60)),
    (&[("cache-control", ", ,max-age=60,")], Some(60)),
    (&[("cache-control", "x=\"a, max-age=5\", max-age=60")], Some(60)),
    (&[("cache-control", "public"), ("cache-control", "max-age=60")], Some(60)),
    (&[("cache-control", "max-age=60, max-age=60")], Some(60)),
    (&[("cache-control", "s-maxage=60, max-age=1")], Some(60)),
    (&[("cache-control", "max-age=1000"), ("cache-control", "s-maxage=60")], Some(60)),
    (&[("cache-control", "s-maxage=0, max-age=60")], None),
    (&[("cache-control", "max-age=60"), ("expires", MODIFIED)], Some(60)),
    (&[("cache-control", "s-maxage=60"), ("expires", MODIFIED)], Some(60)),
    // Section 1.2.2: what is too large is as large as can be.
    (&[("cache-control", "max-age=2147483648")], Some(2_147_483_648)),
    (&[("cache-control", "max-age=2147483649")], Some(2_147_483_648)),
    (&[("cache-control", "max-age=99999999999999999999999999")], Some(2_147_483_648)),
    // Section 4.2.1: what is malformed is stale.
    (&[("cache-control", "max-age=x")], None),
    (&[("cache-control", "max-age=-60")], None),
    (&[("cache-control", "max-age=60.5")], None),
    (&[("cache-control", "max-age=60s")], None),
    (&[("cache-control", "max-age='60'")], None),
    (&[("cache-control", "max-age=")], None),
    (&[("cache-control", "max-age")], None),
    (&[("cache-control", "s-maxage=x, max-age=60")], None),
    // Section 5.3, with all three formats of a date (RFC 9110 section 5.6.7).
    (&[("date", "Tue, 01 Jan 2097 00:00:00 GMT"), ("expires", "Tue, 01 Jan 2097 00:01:40 GMT")], Some(100)),
    (&[("date", "Tue Jan  1 00:00:00 2097"), ("expires", "Tue Jan  1 00:01:40 2097")], Some(100)),
    (&[("date", "Tue, 01 Jan 2097 00:00:00 GMT"), ("expires", "Tue, 01 Jan 2097 00:00:00 GMT")], None),
    (&[("date", "Tue, 01 Jan 2097 00:00:00 GMT"), ("expires", "Mon, 31 Dec 2096 23:59:59 GMT")], None),
    (&[("expires", MODIFIED)], None),
    (&[("expires", "Sunday, 06-Nov-94 08:49:37 GMT")], None),
    (&[("expires", "0")], None),
    (&[("expires", "-1")], None),
    (&[("expires", "")], None),
    (&[("expires", "2097-01-01T00:00:00Z")], None),
    (&[("expires", "Thu, 01 Jan 2099 00:00:00 GMT"), ("expires", "0")], None),
    (&[("cache-control", "max-age=x"), ("expires", "Thu, 01 Jan 2099 00:00:00 GMT")], None),
];

#[tokio::test]
async fn an_answer_is_good_for_as_long_as_its_handler_says() {
    are_good_for(&LIFETIMES, "").await;
}

/// Section 4.2.3.
const AGES: [(Lines<'static>, Option<u64>); 16] = [
    (&[("cache-control", "max-age=60"), ("age", "0")], Some(60)),
    (&[("cache-control", "max-age=60"), ("age", "50")], Some(10)),
    (&[("cache-control", "max-age=60"), ("age", "60")], None),
    (&[("cache-control", "max-age=60"), ("age", "61")], None),
    (&[("cache-control", "max-age=60"), ("age", "99999999999999999999")], None),
    (&[("cache-control", "s-maxage=60"), ("age", "50")], Some(10)),
    // Section 5.1: of several the first counts, and what cannot be read is ignored.
    (&[("cache-control", "max-age=60"), ("age", "50"), ("age", "10")], Some(10)),
    (&[("cache-control", "max-age=60"), ("age", "50, 10")], Some(10)),
    (&[("cache-control", "max-age=60"), ("age", "x")], Some(60)),
    (&[("cache-control", "max-age=60"), ("age", "-50")], Some(60)),
    (&[("cache-control", "max-age=60"), ("age", "1.5")], Some(60)),
    (&[("cache-control", "max-age=60"), ("age", "")], Some(60)),
    // By its Date it may be older than it says; one from the future has come early.
    (&[("cache-control", "max-age=60"), ("date", MODIFIED)], None),
    (&[("cache-control", "max-age=60"), ("date", MODIFIED), ("age", "1")], None),
    (&[("cache-control", "max-age=60"), ("date", "Tue, 01 Jan 2097 00:00:00 GMT")], Some(60)),
    (&[("cache-control", "max-age=60"), ("date", "yesterday")], Some(60)),
];

#[tokio::test]
async fn what_comes_aged_is_good_for_what_is_left() {
    are_good_for(&AGES, "").await;
}

#[tokio::test]
async fn age_is_what_it_was_and_the_time_since() {
    // Section 5.1.
    let reply = |_: &Seen| Reply::ok("page").header("cache-control", "max-age=600").header("age", "50");
    let (_origin, gateway) = in_front_of(reply, "").await;
    for x_cache in ["MISS", "HIT", "HIT"] {
        let response = visit(&gateway, &[]).await;
        assert_eq!((response.x_cache(), response.all("age").len()), (x_cache, 1));
        assert!(response.age().is_some_and(|age| (50..60).contains(&age)), "{x_cache}: {:?}", response.age());
    }
    let part = visit(&gateway, &[("range", "bytes=0-1")]).await;
    assert!(part.age().is_some_and(|age| (50..60).contains(&age)), "a part: {:?}", part.age());
}

#[tokio::test]
async fn a_date_is_kept() {
    let reply = |_: &Seen| Reply::ok("page").header("cache-control", "max-age=9999999999").header("date", MODIFIED);
    let (_origin, gateway) = in_front_of(reply, "").await;
    for x_cache in ["MISS", "HIT"] {
        let response = visit(&gateway, &[]).await;
        assert_eq!((response.x_cache(), response.all("date")), (x_cache, vec![MODIFIED]));
        if x_cache == "HIT" {
            assert!(response.age().is_some_and(|age| age > 900_000_000), "{:?}", response.age());
        }
    }
}

/// RFC 9213 sections 2.1 and 2.2.
const TARGETED: [(Lines<'static>, Option<u64>); 24] = [
    (&[("evergate-cache-control", "max-age=60"), ("cache-control", "max-age=1")], Some(60)),
    (&[("evergate-cache-control", "max-age=60"), ("cache-control", "no-store")], Some(60)),
    (&[("evergate-cache-control", "max-age=60"), ("cdn-cache-control", "max-age=5")], Some(60)),
    (&[("evergate-cache-control", "max-age=60"), ("surrogate-control", "max-age=5")], Some(60)),
    (&[("cdn-cache-control", "max-age=60"), ("cache-control", "max-age=1")], Some(60)),
    (&[("cdn-cache-control", "max-age=60"), ("surrogate-control", "max-age=5")], Some(60)),
    (&[("cdn-cache-control", "max-age=60"), ("expires", "0")], Some(60)),
    (&[("cdn-cache-control", "max-age=60;x=1, x")], Some(60)),
    (&[("cdn-cache-control", "s-maxage=60, max-age=1")], Some(60)),
    (&[("cdn-cache-control", "max-age=60"), ("age", "50")], Some(10)),
    (&[("cdn-cache-control", "max-age=1"), ("cdn-cache-control", "max-age=60")], Some(60)),
    (&[("surrogate-control", "max-age=60"), ("cache-control", "max-age=1")], Some(60)),
    (&[("surrogate-control", "max-age=60;evergate"), ("cache-control", "max-age=1")], Some(60)),
    (&[("surrogate-control", "max-age=5;other"), ("cache-control", "max-age=60")], Some(60)),
    // A field that stands alone leaves nothing to the others.
    (&[("cdn-cache-control", "public"), ("cache-control", "max-age=60")], None),
    (&[("cdn-cache-control", "max-age=0"), ("cache-control", "max-age=60")], None),
    // A value of the wrong type, and what is no Dictionary or an empty one.
    (&[("cdn-cache-control", "max-age=\"60\""), ("cache-control", "max-age=60")], None),
    (&[("cdn-cache-control", "max-age=60.0"), ("cache-control", "max-age=60")], None),
    (&[("cdn-cache-control", "max-age=-60"), ("cache-control", "max-age=60")], None),
    (&[("cdn-cache-control", "max-age=5, &"), ("cache-control", "max-age=60")], Some(60)),
    (&[("cdn-cache-control", "Max-Age=5"), ("cache-control", "max-age=60")], Some(60)),
    (&[("cdn-cache-control", "max-age=5,"), ("cache-control", "max-age=60")], Some(60)),
    (&[("cdn-cache-control", ""), ("cache-control", "max-age=60")], Some(60)),
    (&[("evergate-cache-control", "&"), ("cdn-cache-control", "max-age=60")], Some(60)),
];

#[tokio::test]
async fn the_first_field_that_speaks_to_this_cache_counts() {
    are_good_for(&TARGETED, "").await;
}

#[tokio::test]
async fn what_is_for_this_cache_alone_reaches_no_visitor() {
    for own in ["max-age=60", "no-store", "private", "max-age=60, no-cache", "&"] {
        let reply = move |seen: &Seen| {
            let reply = match seen.header("if-none-match") {
                Some("\"v1\"") => Reply::ok("").status(304),
                Some(_) | None => Reply::ok("page"),
            };
            let reply = reply.header("etag", "\"v1\"").header("cache-control", "max-age=1");
            let reply = reply.header("Evergate-Cache-Control", own).header("CDN-Cache-Control", "max-age=5");
            match seen.header("range") {
                Some(_) => reply.status(206).header("content-range", "bytes 0-3/4"),
                None => reply,
            }
        };
        let (origin, gateway) = in_front_of(reply, "").await;
        let range = [("range", "bytes=0-3")];
        for (method, lines) in [
            ("GET", &range[..]),
            ("GET", &range),
            ("GET", &[]),
            ("GET", &[]),
            ("GET", &[("cache-control", "no-cache")]),
            ("GET", &[]),
            ("GET", &[("if-none-match", "\"v1\"")]),
            ("GET", &[("cache-control", "no-store")]),
            ("HEAD", &[]),
            ("HEAD", &[("cache-control", "no-cache")]),
            ("GET", &[]),
            ("GET", &range),
            ("POST", &[]),
        ] {
            let response = ask(&gateway, method, lines).await;
            let what = format!("{own}: {method} {lines:?}: {}", response.cache_status());
            assert_eq!(response.header("evergate-cache-control"), None, "{what}");
            // What is for CDNs may have one in front of us to read it.
            if response.status != 304 {
                assert_eq!(response.all("cdn-cache-control"), ["max-age=5"], "{what}");
            }
        }
        assert!(origin.count("/p") > 2);
    }
}

#[tokio::test]
async fn a_confirmation_tells_cdns_what_the_whole_would_have_told_them() {
    // RFC 9110 section 15.4.5 says so of Cache-Control, in whose place this field stands for them (RFC 9213 section 3.1).
    let reply = |_: &Seen| {
        let reply = Reply::ok("page").header("etag", "\"v1\"").header("cache-control", "max-age=1");
        reply.header("cdn-cache-control", "max-age=60")
    };
    let (_origin, gateway) = in_front_of(reply, "").await;
    visit(&gateway, &[]).await;
    let confirmed = visit(&gateway, &[("if-none-match", "\"v1\"")]).await;
    assert_eq!((confirmed.status, confirmed.all("cache-control")), (304, vec!["max-age=1"]));
    assert_eq!(confirmed.all("cdn-cache-control"), ["max-age=60"]);
}

#[tokio::test]
async fn what_is_for_this_cache_alone_is_heeded_after_a_confirmation_too() {
    let reply = |seen: &Seen| match seen.header("if-none-match") {
        Some(_) => Reply::ok("").status(304).header("etag", "\"v1\""),
        None => {
            let reply = Reply::ok("page").header("etag", "\"v1\"").header("cache-control", "no-store");
            reply.header("evergate-cache-control", "max-age=60")
        }
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    visit(&gateway, &[]).await;
    assert_eq!(visit(&gateway, &[("cache-control", "no-cache")]).await.x_cache(), "REVALIDATED");
    let hit = visit(&gateway, &[]).await;
    assert!(ttl(&hit).is_some_and(|ttl| (50..=60).contains(&ttl)), "{}", hit.cache_status());
    assert_eq!((hit.header("evergate-cache-control"), origin.count("/p")), (None, 2));
}

#[tokio::test]
async fn handlers_are_told_that_they_may_target_this_cache() {
    let (origin, gateway) = in_front_of(|_| Reply::ok("page"), "").await;
    visit(&gateway, &[]).await;
    assert_eq!(origin.seen("/p")[0].all("surrogate-capability"), ["evergate=\"Surrogate/1.0\""]);
}

/// A page that was last modified a thousand seconds before its date.
const GUESSED: Lines<'static> =
    &[("date", "Tue, 01 Jan 2097 00:16:40 GMT"), ("last-modified", "Tue, 01 Jan 2097 00:00:00 GMT")];

/// Section 4.2.2, where the operator wants it.
const HEURISTIC: [(Lines<'static>, Option<u64>); 9] = [
    (GUESSED, Some(100)),
    (&[("last-modified", MODIFIED)], Some(86_400)),
    (&[("last-modified", MODIFIED), ("age", "86000")], Some(400)),
    // What says how long it is good is not guessed about, and neither is what was never modified.
    (&[("last-modified", MODIFIED), ("cache-control", "max-age=60")], Some(60)),
    (&[("last-modified", MODIFIED), ("cache-control", "max-age=0")], None),
    (&[("last-modified", MODIFIED), ("expires", "0")], None),
    (&[("last-modified", "yesterday")], None),
    (&[("last-modified", "Thu, 01 Jan 2099 00:00:00 GMT")], None),
    (&[], None),
];

#[tokio::test]
async fn where_the_operator_wants_it_a_tenth_of_the_time_since_the_last_change_is_guessed() {
    are_good_for(&HEURISTIC, ", heuristic_freshness: true").await;
}

#[tokio::test]
async fn nothing_is_guessed_by_default() {
    let (origin, gateway) = in_front_of(|_| said(Reply::ok("page"), GUESSED), "").await;
    for run in 1..=2 {
        let response = visit(&gateway, &[]).await;
        assert_eq!((essence(&response), detail(&response)), (("MISS", "page"), "no-lifetime"));
        assert_eq!(origin.count("/p"), run);
    }
}

#[tokio::test]
async fn promise_1_nothing_is_guessed_about_what_a_visitor_with_cookies_gets() {
    let whose = |seen: &Seen| said(Reply::ok(seen.header("cookie").unwrap_or("nobody")), GUESSED);
    let (origin, gateway) = in_front_of(whose, ", heuristic_freshness: true").await;
    for (run, cookie) in ["id=ann", "id=bob", "id=ann"].into_iter().enumerate() {
        let response = visit(&gateway, &[("cookie", cookie)]).await;
        assert_eq!((essence(&response), origin.count("/p")), (("MISS", cookie), run + 1));
    }
    assert_eq!(visit(&gateway, &[]).await.text(), "nobody");
}

#[tokio::test]
async fn a_status_of_which_nothing_may_be_guessed_is_not_kept() {
    // RFC 9110 section 15.1, and what says that it is public.
    for (status, public, guessed) in [
        (200, false, true),
        (203, false, true),
        (404, false, true),
        (410, false, true),
        (301, false, true),
        (302, false, false),
        (403, false, false),
        (299, false, false),
        (299, true, true),
        (302, true, true),
    ] {
        let reply = move |_: &Seen| {
            let reply = said(Reply::ok("page").status(status), GUESSED);
            if public { reply.header("cache-control", "public") } else { reply }
        };
        let (_origin, gateway) = in_front_of(reply, ", heuristic_freshness: true").await;
        let mut client = Client::connect(gateway.address()).await;
        client.get("/p").await;
        let expected = if guessed { "HIT" } else { "MISS" };
        assert_eq!(client.get("/p").await.x_cache(), expected, "{status}, public: {public}");
    }
}
