//! What RFC 9111 lets a shared cache keep. When what it kept may be served, and what is learned of it, stand in the modules.

mod learned;
mod properties;
mod served;

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{Heuristic, OriginRules, OriginVerdict, Sharing, Storing};
use crate::{DeclineReason, Fields, Moment, ResponseHead, StoredResponse};

type Line<'a> = (&'a str, &'a str);

static WRITTEN: [HeaderName; 2] = [HeaderName::from_static("x-request-id"), HeaderName::from_static("traceparent")];

const RULES: OriginRules = OriginRules {
    expire: secs(1_000_000),
    stale_if_error: secs(1_000_000),
    heuristic: Heuristic::Never,
    written: &WRITTEN,
};
const GUESSING: OriginRules = OriginRules { heuristic: Heuristic::Tenth, ..RULES };

/// An hour before [`after`] begins.
const HOUR_AGO: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn after(seconds: u64) -> Moment {
    let time = secs(seconds);
    Moment { wall: SystemTime::UNIX_EPOCH + secs(3600) + time, monotonic: secs(1000) + time }
}

fn head(status: u16, lines: &[Line<'_>]) -> ResponseHead {
    let line = |(name, value): &Line<'_>| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    ResponseHead { status: StatusCode::from_u16(status).unwrap(), fields: lines.iter().map(line).collect::<Fields>() }
}

fn request(lines: &[Line<'_>]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn stored(status: u16, lines: &[Line<'_>]) -> StoredResponse {
    StoredResponse::new(head(status, lines), b"body", after(0), None)
}

/// An answer that came with some age to a request, and what is there already.
#[derive(Clone, Copy)]
struct Answer<'a> {
    request: &'a [Line<'a>],
    status: u16,
    lines: &'a [Line<'a>],
    age: u64,
    /// The status of the old response.
    old: Option<u16>,
}

const ANSWER: Answer<'static> = Answer { request: &[], status: 200, lines: &[], age: 0, old: None };

/// The verdict in words.
fn judged(rules: OriginRules, answer: Answer<'_>) -> String {
    let old = answer.old.map(|status| stored(status, &[]));
    let (head, request) = (head(answer.status, answer.lines), request(answer.request));
    match rules.judge(&head, &request, old.as_ref(), after(0), secs(answer.age)) {
        OriginVerdict::Failure => "failure".to_owned(),
        OriginVerdict::Decline(reason) => format!("decline {}", reason.as_str()),
        OriginVerdict::Store(Storing { variance, unshared, sharing }) => {
            let mut text = match sharing {
                Sharing::Everyone => "store".to_owned(),
                Sharing::Asker(reason) => format!("store for the asker: {}", reason.as_str()),
            };
            for (word, names) in [("by", variance.names()), ("without", unshared.as_slice())] {
                if !names.is_empty() {
                    let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
                    text.push_str(&format!(" {word} {}", names.join("+")));
                }
            }
            text
        }
    }
}

/// Of a 200 with `Cache-Control` and a validator.
fn judged_control(control: &str) -> String {
    judged(RULES, Answer { lines: &[("cache-control", control), ("etag", "\"a\"")], ..ANSWER })
}

/// RFC 9111 section 3: final, understood as far as that is demanded, and good for some time. Statuses of parts and of
/// confirmations are for others to understand.
#[test]
fn every_status_has_a_verdict() {
    for status in 200..=999 {
        let expected = match status {
            206 | 304 => "decline status",
            _ => "store",
        };
        let answer = Answer { status, lines: &[("cache-control", "max-age=60")], ..ANSWER };
        assert_eq!(judged(RULES, answer), expected, "{status} with explicit freshness");
        let expected = match status {
            429 | 500..=599 => "failure",
            206 | 304 => "decline status",
            _ => "decline no-lifetime",
        };
        assert_eq!(judged(RULES, Answer { status, ..ANSWER }), expected, "{status} without a word");
    }
}

/// `must-understand` (section 5.2.2.3): kept by who knows the status, then in spite of `no-store`.
#[test]
fn what_must_be_understood() {
    let cases = [
        (200, "max-age=60, must-understand", "store"),
        (200, "max-age=60, must-understand, no-store", "store"),
        (200, "max-age=60, no-store", "decline no-store"),
        (200, "max-age=60, must-understand, private", "decline private"),
        (404, "max-age=60, must-understand, no-store", "store"),
        // Only where both are well written is a prohibition softened.
        (200, "max-age=60, no-store must-understand", "decline no-store"),
        (200, "max-age=60; no-store, must-understand", "decline no-store"),
        (299, "max-age=60, must-understand", "decline status"),
        (299, "max-age=60, must-understand, no-store", "decline status"),
        (299, "max-age=60, no-store", "decline no-store"),
        (299, "max-age=60", "store"),
        (206, "max-age=60, must-understand", "decline status"),
        (304, "max-age=60, must-understand", "decline status"),
    ];
    for (status, control, expected) in cases {
        let answer = Answer { status, lines: &[("cache-control", control)], ..ANSWER };
        assert_eq!(judged(RULES, answer), expected, "{status} {control}");
    }
}

/// Promise 1: what is for one visitor is not kept, and of what holds fields back, these are not.
#[test]
fn promise_1_what_is_for_one_visitor() {
    let cases = [
        ("max-age=60", "store"),
        ("max-age=60, no-store", "decline no-store"), // section 5.2.2.5
        ("max-age=60, private", "decline private"),   // section 5.2.2.7
        ("max-age=60, private=\"x-a\"", "store without x-a"),
        ("max-age=60, private=\"x-a, x-b\"", "store without x-a+x-b"),
        ("max-age=60, private=\"x-a\", private", "decline private"),
        ("max-age=60, private=\"x a\"", "decline private"),
        ("max-age=60, private=", "decline private"),
        ("public, max-age=60, private", "decline private"),
        ("s-maxage=60, private", "decline private"),
        ("no-store; max-age=60", "decline no-store"),
        ("private max-age=60", "decline private"),
        // What is to be asked for each time (section 5.2.2.4) is kept for its validator, and nobody who waits may have it.
        ("max-age=60, no-cache", "store for the asker: no-cache"),
        ("no-cache", "store for the asker: no-cache"),
        ("max-age=60, no-cache=\"x-a\"", "store without x-a"),
        ("max-age=60, no-cache=\"x-a\", private=x-b", "store without x-a+x-b"),
        ("max-age=60, no-cache=\"x-a\", no-cache", "store for the asker: no-cache"),
        ("max-age=60, no-cache=\"x a\"", "store for the asker: no-cache"),
        ("max-age=60, no-cache, private=\"x-a\"", "store for the asker: no-cache without x-a"),
        ("no-cache, private", "decline private"),
        // Without these nobody can read the rest, or tell whom it is for.
        ("max-age=60, private=\"content-type\"", "decline private"),
        ("max-age=60, private=\"x-a, Vary\"", "decline private"),
        ("max-age=60, no-cache=content-encoding", "store for the asker: no-cache"),
        ("max-age=60, no-cache=\"x-a\", no-cache=\"content-range\"", "store for the asker: no-cache"),
        ("max-age=60, no-cache=\"content-language\"", "store without content-language"),
    ];
    for (control, expected) in cases {
        assert_eq!(judged_control(control), expected, "{control}");
    }
    // Without one there is nothing to ask with.
    for control in ["no-cache", "max-age=60, no-cache"] {
        let answer = Answer { lines: &[("cache-control", control)], ..ANSWER };
        assert_eq!(judged(RULES, answer), "decline no-cache", "{control}");
    }
}

/// Who a response is for (section 4.1), and cookies, where this cache is stricter than the standard (section 7.3).
#[test]
fn promise_1_whom_a_response_is_for() {
    const GOOD: Line<'_> = ("cache-control", "max-age=60, public");
    let cases: [(&[Line<'_>], &str); 14] = [
        (&[GOOD, ("set-cookie", "a=b")], "decline set-cookie"),
        (&[GOOD, ("set-cookie", "")], "decline set-cookie"),
        (&[GOOD, ("cdn-cache-control", "max-age=60"), ("set-cookie", "a=b")], "decline set-cookie"),
        (&[("cache-control", "max-age=60, no-cache=\"set-cookie\""), ("set-cookie", "a=b")], "decline set-cookie"),
        (&[GOOD, ("vary", "")], "store"),
        (&[GOOD, ("vary", "accept")], "store by accept"),
        (&[GOOD, ("vary", "Cookie, accept"), ("vary", "x-a")], "store by accept+cookie+x-a"),
        (&[GOOD, ("vary", "*")], "decline vary"),
        (&[GOOD, ("vary", "accept, *")], "decline vary"),
        (&[GOOD, ("vary", "accept"), ("vary", "*")], "decline vary"),
        (&[GOOD, ("vary", "x y")], "decline vary"),
        // What the gateway writes itself is another for each visitor.
        (&[GOOD, ("vary", "X-Request-Id")], "decline vary"),
        (&[GOOD, ("vary", "accept"), ("vary", "x-a, traceparent")], "decline vary"),
        // The strongest reason is told.
        (&[("cache-control", "no-store, private"), ("set-cookie", "a=b"), ("vary", "*")], "decline set-cookie"),
    ];
    for (lines, expected) in cases {
        assert_eq!(judged(RULES, Answer { lines, ..ANSWER }), expected, "{lines:?}");
    }
}

/// Section 3.5: an answer to a request with `Authorization` is only kept where its handler says so.
#[test]
fn promise_1_answers_to_who_shows_credentials() {
    let cases: [(&[Line<'_>], &str); 14] = [
        (&[("cache-control", "max-age=60")], "decline credentials"),
        (&[("cache-control", "max-age=60, proxy-revalidate")], "decline credentials"),
        (&[("cache-control", "max-age=60, no-cache"), ("etag", "\"a\"")], "decline credentials"),
        (&[("expires", "Thu, 01 Jan 1970 02:00:00 GMT")], "decline credentials"),
        (&[("cache-control", "public, max-age=60")], "store"),
        (&[("cache-control", "must-revalidate, max-age=60")], "store"),
        (&[("cache-control", "s-maxage=60")], "store"),
        (&[("cache-control", "public=1, max-age=60")], "decline credentials"),
        (&[("cache-control", "public, private, max-age=60")], "decline private"),
        (&[("cache-control", "public, no-store, max-age=60")], "decline no-store"),
        // The word that counts is the targeted one.
        (&[("cache-control", "public"), ("cdn-cache-control", "max-age=60")], "decline credentials"),
        (&[("cdn-cache-control", "public, max-age=60")], "store"),
        (&[("cdn-cache-control", "public=?0, max-age=60")], "decline credentials"),
        (&[("cache-control", "public, max-age=60"), ("vary", "*")], "decline vary"),
    ];
    for (lines, expected) in cases {
        for credentials in ["Basic eDp5", "Bearer x", ""] {
            let answer = Answer { request: &[("authorization", credentials)], lines, ..ANSWER };
            assert_eq!(judged(RULES, answer), expected, "{lines:?}");
        }
        let plain = judged(RULES, Answer { lines, ..ANSWER });
        assert!(plain == expected || expected == "decline credentials", "{lines:?} without credentials: {plain}");
    }
}

/// What is stale when it comes is kept where it can be of use, and then not for those who wait.
#[test]
fn what_is_stale_when_it_comes() {
    const NO: &str = "decline no-lifetime";
    const ASKER: &str = "store for the asker: no-lifetime";
    // `Cache-Control`, the age, without a validator, with one.
    let cases = [
        ("", 0, NO, NO),
        ("public", 0, NO, NO),
        ("must-revalidate", 0, NO, NO),
        ("stale-while-revalidate=60", 0, NO, NO),
        ("max-age=60", 0, "store", "store"),
        ("max-age=60", 59, "store", "store"),
        // Once it was good: it may be confirmed, asked for, or help out.
        ("max-age=60", 60, ASKER, ASKER),
        ("max-age=60", 1000, ASKER, ASKER),
        ("max-age=60, must-revalidate", 60, NO, ASKER),
        ("s-maxage=60", 60, NO, ASKER),
        ("s-maxage=60", 59, "store", "store"),
        ("s-maxage=0, max-age=60", 0, NO, ASKER),
        ("max-age=0", 0, NO, ASKER),
        ("max-age=0, must-revalidate", 0, NO, ASKER),
        ("max-age=0, stale-if-error=60", 0, ASKER, ASKER),
        ("max-age=0, stale-if-error=60, must-revalidate", 0, NO, ASKER),
        ("max-age=soon", 0, NO, ASKER),
        // Served while it is revalidated, it is good enough for those who wait (RFC 5861 section 3).
        ("max-age=0, stale-while-revalidate=60", 0, "store", "store"),
        ("max-age=60, stale-while-revalidate=10", 69, "store", "store"),
        ("max-age=60, stale-while-revalidate=10", 70, ASKER, ASKER),
        ("max-age=60, stale-while-revalidate=10, must-revalidate", 60, NO, ASKER),
        ("s-maxage=60, stale-while-revalidate=10", 60, NO, ASKER),
    ];
    for (control, age, without, with) in cases {
        let given = [("cache-control", control), ("etag", "\"a\"")];
        for (lines, expected) in [(&given[..1], without), (&given[..], with)] {
            let answer = Answer { lines, age, ..ANSWER };
            assert_eq!(judged(RULES, answer), expected, "{lines:?} of {age} s");
        }
        // Only a 200 can be confirmed.
        let answer = Answer { status: 404, lines: &given, age, ..ANSWER };
        assert_eq!(judged(RULES, answer), without, "404 {control} of {age} s");
    }
    let modified = [("cache-control", "max-age=0"), ("last-modified", HOUR_AGO)];
    assert_eq!(judged(RULES, Answer { lines: &modified, ..ANSWER }), ASKER);
}

/// Section 4.2.2: what an operator lets be guessed, but not for who may be known by cookies.
#[test]
fn what_may_be_guessed() {
    let cases: [(OriginRules, &[Line<'_>], u16, u64, &str); 9] = [
        (RULES, &[], 200, 0, "decline no-lifetime"),
        (GUESSING, &[], 200, 0, "store"),
        (GUESSING, &[], 200, 359, "store"),
        (GUESSING, &[], 200, 360, "store for the asker: no-lifetime"),
        (GUESSING, &[("cookie", "a=b")], 200, 0, "decline no-lifetime"),
        (GUESSING, &[("authorization", "Basic x")], 200, 0, "decline credentials"),
        (GUESSING, &[], 302, 0, "decline no-lifetime"),
        (GUESSING, &[], 404, 0, "store"),
        (GUESSING, &[], 503, 0, "failure"),
    ];
    for (rules, request, status, age, expected) in cases {
        let answer = Answer { request, status, age, lines: &[("last-modified", HOUR_AGO)], old: None };
        assert_eq!(judged(rules, answer), expected, "{:?} {request:?} {status} of {age} s", rules.heuristic);
    }
    // What is said needs no guess.
    let answer = Answer { request: &[("cookie", "a=b")], lines: &[("cache-control", "max-age=60")], ..ANSWER };
    assert_eq!(judged(GUESSING, answer), "store");
}

/// Promise 5, section 4.3.3: an error takes the place of good content never, and of nothing where its handler says for how
/// long.
#[test]
fn promise_5_failures() {
    // The handler's word, the age, the old status, the verdict.
    let cases: [(&str, u64, Option<u16>, &str); 17] = [
        ("", 0, None, "failure"),
        ("", 0, Some(200), "failure"),
        ("", 0, Some(503), "failure"),
        ("max-age=60", 0, None, "store"),
        ("max-age=60", 59, None, "store"),
        ("max-age=60", 60, None, "failure"),
        ("max-age=0", 0, None, "failure"),
        ("max-age=0, stale-while-revalidate=60", 0, None, "failure"),
        ("s-maxage=60, max-age=0", 0, None, "store"),
        // Good content is what is no error, an old 404 too.
        ("max-age=60", 0, Some(200), "failure"),
        ("max-age=60", 0, Some(404), "failure"),
        ("max-age=60", 0, Some(301), "failure"),
        ("max-age=60", 0, Some(503), "store"),
        ("max-age=60", 0, Some(429), "store"),
        ("max-age=60, private", 0, None, "decline private"),
        ("max-age=60, private", 0, Some(200), "failure"),
        ("max-age=60, no-cache", 0, None, "decline no-cache"),
    ];
    for (control, age, old, expected) in cases {
        let lines = [("cache-control", control), ("etag", "\"a\"")];
        for status in [429, 500, 502, 503, 504] {
            let answer = Answer { status, lines: &lines, age, old, ..ANSWER };
            assert_eq!(judged(RULES, answer), expected, "{status} {control} of {age} s over {old:?}");
        }
    }
    // What is no failure takes any place.
    for old in [None, Some(200), Some(503)] {
        let answer = Answer { status: 404, lines: &[("cache-control", "max-age=60")], old, ..ANSWER };
        assert_eq!(judged(RULES, answer), "store", "404 over {old:?}");
    }
}

#[test]
fn a_reason_is_told_for_all_that_is_not_shared() {
    // So that a `Cache-Status` can say why.
    for (control, reason) in [("no-cache", DeclineReason::NoCache), ("max-age=0", DeclineReason::NoLifetime)] {
        let found = RULES.judge(
            &head(200, &[("cache-control", control), ("etag", "\"a\"")]),
            &HeaderMap::new(),
            None,
            after(0),
            Duration::ZERO,
        );
        let OriginVerdict::Store(Storing { sharing, .. }) = found else { panic!("{control}: {found:?}") };
        assert_eq!(sharing, Sharing::Asker(reason), "{control}");
    }
}
