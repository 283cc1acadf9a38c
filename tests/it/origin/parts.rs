//! Parts (sections 3.3 and 3.4): a 206 that cannot be mistaken is kept, answers what it holds, and becomes more with others of
//! the same.

use evergate_tests::{Client, Gate, Gateway, Reply, Response, Seen, until};

use super::{Lines, detail, essence, in_front_of, number, page, runs, visit};

const BODY: &str = "0123456789abcdef";

/// The bytes that a request asks for, if it asks for some.
fn asked_for(seen: &Seen) -> Option<(usize, usize)> {
    let (first, last) = seen.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let length: usize = last.parse().ok()?;
        return Some((BODY.len() - length, BODY.len() - 1));
    }
    Some((first.parse().ok()?, last.parse().unwrap_or(BODY.len() - 1)))
}

/// The part that is asked for, or the whole.
fn serve(seen: &Seen) -> Reply {
    match asked_for(seen) {
        Some((first, last)) => {
            let range = format!("bytes {first}-{last}/{}", BODY.len());
            Reply::ok(&BODY[first..=last]).status(206).header("content-range", range)
        }
        None => Reply::ok(BODY),
    }
}

/// The same, good for a minute, with a strong tag.
fn kept(seen: &Seen) -> Reply {
    serve(seen).header("cache-control", "max-age=60").header("etag", "\"v1\"").header("content-type", "text/plain")
}

/// A GET of these bytes by a visitor of its own.
async fn part(gateway: &Gateway, bytes: &str) -> Response {
    visit(gateway, &[("range", &format!("bytes={bytes}"))]).await
}

/// Asserts that an answer is this part of the body.
fn is_part(response: &Response, x_cache: &str, first: usize, last: usize) {
    let status = response.cache_status();
    assert_eq!((response.status, essence(response)), (206, (x_cache, &BODY[first..=last])), "{status}");
    assert_eq!(response.all("content-range"), [format!("bytes {first}-{last}/16").as_str()], "{status}");
    assert_eq!(response.header("etag"), Some("\"v1\""), "{status}");
}

/// Asserts that an answer is the whole body from memory.
fn is_whole(response: &Response) {
    assert_eq!((response.status, essence(response)), (200, ("HIT", BODY)), "{}", response.cache_status());
    assert_eq!(response.all("content-length"), ["16"]);
    assert_eq!((response.header("content-range"), response.header("etag")), (None, Some("\"v1\"")));
}

#[tokio::test]
async fn a_part_answers_what_it_holds() {
    let (origin, gateway) = in_front_of(kept, "").await;
    let first = part(&gateway, "4-11").await;
    is_part(&first, "PASS", 4, 11);
    assert_eq!(detail(&first), "range");
    for (bytes, first, last) in [("4-11", 4, 11), ("5-5", 5, 5), ("6-10", 6, 10), ("4-4", 4, 4)] {
        let response = part(&gateway, bytes).await;
        is_part(&response, "HIT", first, last);
        assert!(response.age().is_some() && response.cache_status().starts_with("evergate; hit; ttl="));
    }
    assert_eq!(origin.count("/p"), 1);
    // What it does not hold whole, it does not answer.
    assert_eq!(essence(&visit(&gateway, &[]).await), ("MISS", BODY));
}

#[tokio::test]
async fn what_a_part_does_not_hold_is_asked_for() {
    for bytes in ["0-4", "3-11", "4-12", "12-15", "-4", "8-", "0-", "-16"] {
        let (origin, gateway) = in_front_of(kept, "").await;
        part(&gateway, "4-11").await;
        let response = part(&gateway, bytes).await;
        assert_eq!((response.status, response.x_cache(), origin.count("/p")), (206, "PASS", 2), "{bytes}");
    }
    // Several at once, and conditions.
    let (origin, gateway) = in_front_of(kept, "").await;
    part(&gateway, "4-11").await;
    for (run, lines) in [
        [("range", "bytes=4-5"), ("if-none-match", "\"v1\"")],
        [("range", "bytes=4-5"), ("if-range", "\"v2\"")],
        [("range", "bytes=4-5"), ("cache-control", "no-cache")],
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(visit(&gateway, lines).await.x_cache(), "PASS", "{lines:?}");
        assert_eq!(origin.count("/p"), run + 2, "{lines:?}");
    }
    is_part(&visit(&gateway, &[("range", "bytes=4-5"), ("if-range", "\"v1\"")]).await, "HIT", 4, 5);
}

#[tokio::test]
async fn parts_that_touch_become_one() {
    for (one, other, within) in
        [("0-3", "4-7", (2, 5)), ("4-7", "0-3", (2, 5)), ("0-5", "3-9", (1, 8)), ("2-9", "4-5", (2, 9))]
    {
        let (origin, gateway) = in_front_of(kept, "").await;
        for bytes in [one, other] {
            part(&gateway, bytes).await;
        }
        let asked = origin.count("/p");
        let (first, last) = within;
        is_part(&part(&gateway, &format!("{first}-{last}")).await, "HIT", first, last);
        assert_eq!(origin.count("/p"), asked, "{one} and {other}");
        assert_eq!(visit(&gateway, &[]).await.x_cache(), "MISS", "{one} and {other} are not all");
    }
}

#[tokio::test]
async fn parts_that_make_the_whole_are_the_whole() {
    for parts in
        [&["0-7", "8-15"][..], &["8-15", "0-7"], &["0-9", "5-15"], &["0-3", "4-11", "12-15"], &["-8", "0-7"], &["0-15"]]
    {
        let (origin, gateway) = in_front_of(kept, "").await;
        for bytes in parts {
            assert_eq!(part(&gateway, bytes).await.x_cache(), "PASS", "{parts:?}");
        }
        is_whole(&visit(&gateway, &[]).await);
        is_part(&part(&gateway, "7-8").await, "HIT", 7, 8);
        assert_eq!(visit(&gateway, &[("if-none-match", "\"v1\"")]).await.status, 304, "{parts:?}");
        assert_eq!(origin.count("/p"), parts.len(), "{parts:?}");
    }
}

#[tokio::test]
async fn parts_with_a_gap_do_not() {
    let (origin, gateway) = in_front_of(kept, "").await;
    part(&gateway, "0-3").await;
    part(&gateway, "5-15").await;
    // The newer one stays.
    is_part(&part(&gateway, "6-9").await, "HIT", 6, 9);
    assert_eq!(origin.count("/p"), 2);
    assert_eq!(essence(&visit(&gateway, &[]).await), ("MISS", BODY));
}

/// A second part that must not be put to the first: what it says.
const OTHERS: [(&str, Lines<'static>, &str); 14] = [
    ("another tag", &[("etag", "\"v2\"")], "bytes 8-15/16"),
    ("a weak tag", &[("etag", "W/\"v1\"")], "bytes 8-15/16"),
    ("no tag", &[], "bytes 8-15/16"),
    ("another length of the whole", &[("etag", "\"v1\"")], "bytes 8-15/17"),
    ("an unknown length of the whole", &[("etag", "\"v1\"")], "bytes 8-15/*"),
    ("more than it holds", &[("etag", "\"v1\"")], "bytes 8-16/17"),
    ("less than it holds", &[("etag", "\"v1\"")], "bytes 8-14/16"),
    ("the wrong way round", &[("etag", "\"v1\"")], "bytes 15-8/16"),
    ("beyond the end", &[("etag", "\"v1\"")], "bytes 9-16/16"),
    ("another unit", &[("etag", "\"v1\"")], "octets 8-15/16"),
    ("not where it is", &[("etag", "\"v1\"")], "8-15/16"),
    ("two places", &[("etag", "\"v1\""), ("content-range", "bytes 8-15/16")], "bytes 8-15/16"),
    ("one for its asker", &[("etag", "\"v1\""), ("cache-control", "private")], "bytes 8-15/16"),
    ("one with a cookie", &[("etag", "\"v1\""), ("set-cookie", "a=1")], "bytes 8-15/16"),
];

#[tokio::test]
async fn what_may_be_part_of_something_else_is_not_put_to_it() {
    let reply = |seen: &Seen| match seen.header("range") {
        Some("bytes=8-15") => {
            let (_, lines, range) = OTHERS[number(seen)];
            let reply = Reply::ok("XXXXXXXX").status(206).header("cache-control", "max-age=60");
            super::said(reply.header("content-range", range), lines)
        }
        _ => kept(seen),
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    for (case, (what, ..)) in OTHERS.into_iter().enumerate() {
        page(&gateway, case, &[("range", "bytes=0-7")]).await;
        let other = page(&gateway, case, &[("range", "bytes=8-15")]).await;
        assert_eq!((other.status, essence(&other)), (206, ("PASS", "XXXXXXXX")), "{what}");
        let whole = page(&gateway, case, &[]).await;
        assert_eq!((whole.status, essence(&whole)), (200, ("MISS", BODY)), "{what}");
        assert_eq!((runs(&origin, case), whole.header("set-cookie")), (3, None), "{what}");
    }
}

#[tokio::test]
async fn what_may_not_be_kept_is_not_kept_in_parts() {
    const CASES: [Lines<'static>; 9] = [
        &[("cache-control", "max-age=60")],
        &[("cache-control", "max-age=60"), ("etag", "W/\"v1\"")],
        &[("cache-control", "max-age=60"), ("etag", "v1")],
        &[("cache-control", "max-age=60"), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")],
        &[("etag", "\"v1\"")],
        &[("etag", "\"v1\""), ("cache-control", "no-store")],
        &[("etag", "\"v1\""), ("cache-control", "max-age=60, private")],
        &[("etag", "\"v1\""), ("cache-control", "max-age=60"), ("set-cookie", "a=1")],
        &[("etag", "\"v1\""), ("cache-control", "max-age=60"), ("vary", "*")],
    ];
    let reply = |seen: &Seen| super::said(serve(seen), CASES[number(seen)]);
    let (origin, gateway) = in_front_of(reply, "").await;
    for (case, lines) in CASES.into_iter().enumerate() {
        for run in 1..=2 {
            let response = page(&gateway, case, &[("range", "bytes=0-7")]).await;
            assert_eq!((response.status, response.x_cache(), runs(&origin, case)), (206, "PASS", run), "{lines:?}");
        }
    }
}

#[tokio::test]
async fn promise_1_a_part_is_for_those_whom_its_handler_made_it_for() {
    let reply = |seen: &Seen| kept(seen).header("vary", "cookie");
    let (origin, gateway) = in_front_of(reply, "").await;
    let of = |whose| [("range", "bytes=0-7"), ("cookie", whose)];
    for (whose, x_cache) in [("id=ann", "PASS"), ("id=bob", "PASS"), ("id=ann", "HIT"), ("id=bob", "HIT")] {
        assert_eq!(visit(&gateway, &of(whose)).await.x_cache(), x_cache, "{whose}");
    }
    assert_eq!(visit(&gateway, &[("range", "bytes=0-7")]).await.x_cache(), "PASS");
    assert_eq!(origin.count("/p"), 3);
    // Section 3.5.
    let (_origin, gateway) = in_front_of(kept, "").await;
    visit(&gateway, &[("range", "bytes=0-7"), ("authorization", "Basic ann")]).await;
    assert_eq!(part(&gateway, "0-7").await.x_cache(), "PASS");
}

#[tokio::test]
async fn promise_4_parts_from_before_and_after_a_change_are_not_put_together() {
    let (origin, gateway) = in_front_of(|seen| if seen.method == "GET" { kept(seen) } else { Reply::ok("") }, "").await;
    part(&gateway, "0-7").await;
    super::ask(&gateway, "POST", &[]).await;
    is_part(&part(&gateway, "8-15").await, "PASS", 8, 15);
    is_part(&part(&gateway, "8-15").await, "HIT", 8, 15);
    is_part(&part(&gateway, "0-3").await, "PASS", 0, 3);
    assert_eq!(essence(&visit(&gateway, &[]).await), ("MISS", BODY));
    assert_eq!(origin.count("/p"), 5);
}

#[tokio::test]
async fn promise_4_a_part_that_was_on_its_way_before_a_change_is_not_kept() {
    for held_in_the_body in [false, true] {
        let gate = Gate::new();
        let held = gate.clone();
        let reply = move |seen: &Seen| match (seen.method.as_str(), seen.header("x-first")) {
            ("GET", Some(_)) if held_in_the_body => kept(seen).gate_after(0, &held),
            ("GET", Some(_)) => kept(seen).gate(&held),
            ("GET", None) => kept(seen),
            _ => Reply::ok(""),
        };
        let (origin, gateway) = in_front_of(reply, "").await;
        let mut first = Client::connect(gateway.address()).await;
        first.send("GET", "/p", &[("range", "bytes=0-15"), ("x-first", "1")], "").await;
        gate.arrived(1).await;
        super::ask(&gateway, "POST", &[]).await;
        gate.open();
        is_part(&first.read_response("GET").await, "PASS", 0, 15);
        assert_eq!(essence(&visit(&gateway, &[]).await), ("MISS", BODY));
        assert_eq!(origin.count("/p"), 3);
    }
}

#[tokio::test]
async fn promise_5_half_a_part_is_not_kept() {
    let reply = |seen: &Seen| match seen.header("x-first") {
        Some(_) => kept(seen).hang_up_after(3),
        None => kept(seen),
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    let half = visit(&gateway, &[("range", "bytes=0-7"), ("x-first", "1")]).await;
    assert!(!half.complete || half.status == 502, "{}: {:?}", half.status, half.text());
    is_part(&part(&gateway, "0-2").await, "PASS", 0, 2);
    until("both were asked for", || origin.count("/p") >= 2).await;
}
