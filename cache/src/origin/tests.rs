//! What RFC 9111 lets a shared cache keep, and when what it kept may be served.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::{Heuristic, OriginRules, OriginVerdict, Sharing, Storing, Update};
use crate::standing::Validity;
use crate::stored::Kept;
use crate::{
    CACHE_GROUPS, Dating, DeclineReason, Demands, FailureKind, Fields, Freshness, Groups, Moment, Policy, Recoding,
    ResponseHead, StoredResponse, Tagging, Use, Window, Windows,
};

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

/// A stored response, and what is learned of it from an answer that came with some age.
#[derive(Clone, Copy)]
struct Learned<'a> {
    status: u16,
    stored: &'a [Line<'a>],
    request: &'a [Line<'a>],
    lines: &'a [Line<'a>],
    age: u64,
}

const FRESH: &[Line<'static>] = &[("cache-control", "max-age=60"), ("etag", "\"a\"")];
const LEARNED: Learned<'static> = Learned { status: 200, stored: FRESH, request: &[], lines: &[], age: 0 };

/// The answer in words.
fn updated(learned: Learned<'_>) -> String {
    let recoding = Recoding::WhenAsked;
    let stored = stored(learned.status, learned.stored).with(secs(5), Kept { recoding, ..Kept::default() });
    let (head, request, age) = (head(304, learned.lines), request(learned.request), secs(learned.age));
    let (received, dating) = (after(100), Dating::ByGateway);
    let update = Update { head: &head, request: &request, received, age, site: b"site ", dating };
    let terms = match RULES.judge_update(&stored, &update) {
        Ok(terms) => terms,
        Err(reason) => return format!("decline {}", reason.as_str()),
    };
    let decided = (terms.initial_age, terms.tagging, terms.recoding, terms.dating);
    let recoding = stored.recoding_with(&stored.updated_by(&head));
    assert_eq!(decided, (Some(age), Tagging::Never, recoding, dating));
    let mut text = match terms.sharing {
        Sharing::Everyone => "keep".to_owned(),
        Sharing::Asker(reason) => format!("keep for the asker: {}", reason.as_str()),
    };
    if let Some(variant) = terms.variant {
        let names: Vec<&str> = variant.variance().names().iter().map(HeaderName::as_str).collect();
        assert!(variant.matches(&request), "it is for whoever asked");
        text.push_str(&format!(" by [{}]", names.join("+")));
    }
    if !terms.unshared.is_empty() {
        let names: Vec<&str> = terms.unshared.iter().map(HeaderName::as_str).collect();
        text.push_str(&format!(" without {}", names.join("+")));
    }
    for name in ["x", "y"] {
        let fields = Fields::from_iter([(CACHE_GROUPS, HeaderValue::from_str(&format!("\"{name}\"")).unwrap())]);
        if terms.groups == Groups::of(&fields, &CACHE_GROUPS, b"site ") {
            text.push_str(&format!(" in {name}"));
        }
    }
    text
}

/// What a 304 and the answer to a HEAD say is judged together with what is stored (RFC 9111 sections 3.2, 4.3.4 and 4.3.5).
#[test]
fn what_is_learned_of_a_stored_response() {
    const VARIED: &[Line<'_>] = &[("cache-control", "max-age=60"), ("vary", "accept")];
    const WRITTEN_VARY: &[Line<'_>] = &[("cache-control", "max-age=60"), ("vary", "x-request-id")];
    const GROUPED: &[Line<'_>] = &[("cache-control", "max-age=60"), ("cache-groups", "\"x\"")];
    const EN: &[Line<'_>] = &[("accept-language", "en")];
    let cases = [
        (LEARNED, "keep"),
        (Learned { lines: &[("x-a", "1")], ..LEARNED }, "keep"),
        // The age is that with which the answer came.
        (Learned { age: 59, ..LEARNED }, "keep"),
        (Learned { age: 60, ..LEARNED }, "keep for the asker: no-lifetime"),
        (Learned { age: 60, lines: &[("cache-control", "max-age=61")], ..LEARNED }, "keep"),
        (Learned { lines: &[("cache-control", "no-cache")], ..LEARNED }, "keep for the asker: no-cache"),
        (Learned { lines: &[("cache-control", "public")], stored: &FRESH[..1], ..LEARNED }, "decline no-lifetime"),
        // What it forbids counts, and what it says no more of does not.
        (Learned { lines: &[("cache-control", "max-age=60, private")], ..LEARNED }, "decline private"),
        (Learned { lines: &[("cache-control", "max-age=60, no-store")], ..LEARNED }, "decline no-store"),
        (Learned { lines: &[("set-cookie", "a=b")], ..LEARNED }, "decline set-cookie"),
        (Learned { lines: &[("cache-control", "max-age=60, no-cache=x-a")], ..LEARNED }, "keep without x-a"),
        (Learned { lines: &[("cache-control", "max-age=60, private=vary")], ..LEARNED }, "decline private"),
        (Learned { stored: &[("cache-control", "max-age=60, private=x-a")], ..LEARNED }, "keep without x-a"),
        (Learned { request: &[("authorization", "Basic x")], ..LEARNED }, "decline credentials"),
        (
            Learned {
                request: &[("authorization", "Basic x")],
                lines: &[("cache-control", "public, max-age=60")],
                ..LEARNED
            },
            "keep",
        ),
        // Where it says nothing of whom it is for, the response is for whom it was.
        (Learned { stored: VARIED, ..LEARNED }, "keep"),
        (Learned { stored: WRITTEN_VARY, ..LEARNED }, "keep"),
        (Learned { stored: VARIED, lines: &[("vary", "accept")], ..LEARNED }, "keep by [accept]"),
        (
            Learned { stored: VARIED, request: EN, lines: &[("vary", "accept-language, x-a")], ..LEARNED },
            "keep by [accept-language+x-a]",
        ),
        (Learned { stored: VARIED, lines: &[("vary", "")], ..LEARNED }, "keep by []"),
        (Learned { lines: &[("vary", "*")], ..LEARNED }, "decline vary"),
        (Learned { lines: &[("vary", "x-request-id")], ..LEARNED }, "decline vary"),
        // The groups of both.
        (Learned { stored: GROUPED, ..LEARNED }, "keep in x"),
        (Learned { stored: GROUPED, lines: &[("cache-groups", "\"y\"")], ..LEARNED }, "keep in y"),
        (Learned { lines: &[("cache-groups", "\"y\"")], ..LEARNED }, "keep in y"),
        // The status stays.
        (Learned { status: 404, ..LEARNED }, "keep"),
        (
            Learned { status: 404, age: 60, lines: &[("cache-control", "s-maxage=60")], ..LEARNED },
            "decline no-lifetime",
        ),
        (Learned { status: 503, ..LEARNED }, "keep"),
        (Learned { status: 503, age: 60, ..LEARNED }, "decline no-lifetime"),
    ];
    for (learned, expected) in cases {
        let Learned { status, stored, request, lines, age } = learned;
        assert_eq!(updated(learned), expected, "{status} {stored:?} and {lines:?} of {age} s to {request:?}");
    }
}

const fn fresh(ttl: u64) -> Freshness {
    Freshness::Fresh { ttl: Some(secs(ttl)) }
}

const fn stale(staleness: u64) -> Freshness {
    Freshness::Stale { staleness: secs(staleness) }
}

/// The fields, seconds, and what it is then (section 4.2).
type Then<'a> = (&'a [Line<'a>], u64, Freshness);

#[test]
fn what_is_stored_is_fresh_stale_and_expired() {
    const ONE: Line<'_> = ("cache-control", "max-age=60");
    let cases: [Then<'_>; 23] = [
        (&[ONE], 0, fresh(60)),
        (&[ONE], 59, fresh(1)),
        (&[ONE], 60, stale(0)),
        (&[ONE], 61, stale(1)),
        (&[ONE], 999, stale(939)),
        // The operator's bound, counted from when it came.
        (&[ONE], 1000, Freshness::Expired),
        (&[("cache-control", "max-age=2000")], 1999, fresh(1)),
        (&[("cache-control", "max-age=2000")], 2000, Freshness::Expired),
        // What was old when it came is older now.
        (&[ONE, ("age", "50")], 9, fresh(1)),
        (&[ONE, ("age", "50")], 10, stale(0)),
        (&[ONE, ("age", "50")], 999, stale(989)),
        (&[ONE, ("age", "50")], 1000, Freshness::Expired),
        (&[ONE, ("age", "70")], 0, stale(10)),
        // Sections 5.2.2.2, 5.2.2.8 and 5.2.2.10.
        (&[("cache-control", "max-age=60, must-revalidate")], 59, fresh(1)),
        (&[("cache-control", "max-age=60, must-revalidate")], 60, Freshness::Expired),
        (&[("cache-control", "max-age=60, proxy-revalidate")], 60, Freshness::Expired),
        (&[("cache-control", "s-maxage=60, max-age=600")], 59, fresh(1)),
        (&[("cache-control", "s-maxage=60, max-age=600")], 60, Freshness::Expired),
        // Section 5.2.2.4.
        (&[("cache-control", "max-age=60, no-cache")], 0, Freshness::Expired),
        (&[("cache-control", "max-age=60, no-cache=\"x-a\"")], 0, fresh(60)),
        (&[("cache-control", "max-age=0")], 0, stale(0)),
        // Nothing is guessed that the operator does not let be guessed.
        (&[("last-modified", HOUR_AGO)], 0, stale(0)),
        (&[("cdn-cache-control", "max-age=30"), ONE], 29, fresh(1)),
    ];
    let rules = OriginRules { expire: secs(1000), ..RULES };
    for (lines, seconds, expected) in cases {
        assert_eq!(rules.freshness(&stored(200, lines), after(seconds)), expected, "{lines:?} after {seconds} s");
    }
    let guessing = OriginRules { heuristic: Heuristic::Tenth, ..rules };
    let modified = stored(200, &[("last-modified", HOUR_AGO)]);
    for (seconds, expected) in [(0, fresh(360)), (359, fresh(1)), (360, stale(0)), (1000, Freshness::Expired)] {
        assert_eq!(guessing.freshness(&modified, after(seconds)), expected, "a guess after {seconds} s");
    }
}

/// What may be done with a response of these fields for a request, after some seconds.
fn used(rules: OriginRules, control: &str, asked: &str, seconds: u64) -> String {
    let demands = Demands::of(&request(&[("cache-control", asked)]));
    match Policy::Origin(rules).allowed(
        &stored(200, &[("cache-control", control)]),
        Validity::Valid,
        &demands,
        after(seconds),
    ) {
        Use::Fresh(Some(ttl)) => format!("fresh {}", ttl.as_secs()),
        Use::Fresh(None) => "fresh".to_owned(),
        Use::Unwanted => "unwanted".to_owned(),
        Use::WhileRevalidating(staleness) => format!("stale {}", staleness.as_secs()),
        Use::AsAsked(staleness) => format!("stale {} as asked", staleness.as_secs()),
        Use::Never => "never".to_owned(),
    }
}

/// Sections 4.2.4 and 5.2.1, RFC 5861 section 3.
#[test]
fn what_may_be_served_to_whom() {
    const REVALIDATING: &str = "max-age=60, stale-while-revalidate=10";
    let cases = [
        ("max-age=60", "", 59, "fresh 1"),
        ("max-age=60", "", 60, "never"),
        // The edge of the window.
        (REVALIDATING, "", 60, "stale 0"),
        (REVALIDATING, "", 69, "stale 9"),
        (REVALIDATING, "", 70, "never"),
        ("max-age=60, stale-while-revalidate=10, must-revalidate", "", 60, "never"),
        ("max-age=60, stale-while-revalidate=10, proxy-revalidate", "", 60, "never"),
        ("s-maxage=60, stale-while-revalidate=10", "", 60, "never"),
        ("max-age=60, stale-while-revalidate=10, no-cache", "", 0, "never"),
        ("max-age=60, stale-while-revalidate=5000", "", 999, "stale 939"),
        ("max-age=60, stale-while-revalidate=5000", "", 1000, "never"),
        // What is fresh, and not fresh enough.
        ("max-age=60", "no-cache", 0, "unwanted"),
        ("max-age=60", "max-age=30", 30, "fresh 30"),
        ("max-age=60", "max-age=30", 31, "unwanted"),
        ("max-age=60", "max-age=0", 0, "fresh 60"),
        ("max-age=60", "min-fresh=30", 30, "fresh 30"),
        ("max-age=60", "min-fresh=30", 31, "unwanted"),
        // What is stale, and asked for all the same, unless its handler forbids it.
        ("max-age=60", "max-stale", 999, "stale 939 as asked"),
        ("max-age=60", "max-stale=10", 70, "stale 10 as asked"),
        ("max-age=60", "max-stale=10", 71, "never"),
        ("max-age=60", "max-stale=10, max-age=60", 70, "stale 10 as asked"),
        ("max-age=60", "max-stale", 1000, "never"),
        ("max-age=60, must-revalidate", "max-stale", 60, "never"),
        ("max-age=60, proxy-revalidate", "max-stale", 60, "never"),
        ("s-maxage=60", "max-stale", 60, "never"),
        ("max-age=60, no-cache", "max-stale", 0, "never"),
        ("max-age=60", "max-stale, no-cache", 60, "never"),
        // Between the two, the request may ask for more than the handler offers, and refuse it.
        (REVALIDATING, "max-stale", 65, "stale 5 as asked"),
        (REVALIDATING, "max-stale", 100, "stale 40 as asked"),
        (REVALIDATING, "max-stale=3", 64, "never"),
        (REVALIDATING, "max-age=1000", 64, "never"),
        (REVALIDATING, "min-fresh=1", 64, "never"),
        (REVALIDATING, "no-cache", 64, "never"),
        (REVALIDATING, "stale-if-error=0", 64, "stale 4"),
    ];
    let rules = OriginRules { expire: secs(1000), ..RULES };
    for (control, asked, seconds, expected) in cases {
        assert_eq!(used(rules, control, asked, seconds), expected, "{control} for {asked:?} after {seconds} s");
    }
}

/// The response, the request, seconds, and by how much it may be stale after each kind of failure: none reached, an error.
type Despite<'a> = (&'a str, &'a str, u64, Option<u64>, Option<u64>);

/// Section 4.2.4 where nobody is reached; RFC 5861 section 4 where the answer is an error.
#[test]
fn what_helps_out_when_the_handler_fails() {
    const OFFERED: &str = "max-age=60, stale-if-error=10";
    let cases: [Despite<'_>; 27] = [
        ("max-age=60", "", 30, Some(0), None),
        ("max-age=60", "", 100, Some(40), None),
        (OFFERED, "", 30, Some(0), Some(0)),
        (OFFERED, "", 69, Some(9), Some(9)),
        (OFFERED, "", 70, Some(10), None),
        // The request may offer as much, or more.
        ("max-age=60", "stale-if-error=10", 69, Some(9), Some(9)),
        ("max-age=60", "stale-if-error=10", 70, Some(10), None),
        (OFFERED, "stale-if-error=30", 89, Some(29), Some(29)),
        (OFFERED, "stale-if-error=0", 69, Some(9), Some(9)),
        ("max-age=60", "stale-if-error", 61, Some(1), None),
        // What its handler forbids, no failure permits.
        ("max-age=60, must-revalidate", "", 60, None, None),
        ("max-age=60, stale-if-error=10, must-revalidate", "stale-if-error=10", 60, None, None),
        ("max-age=60, stale-if-error=10, proxy-revalidate", "", 60, None, None),
        ("s-maxage=60, stale-if-error=10", "", 60, None, None),
        ("max-age=60, no-cache, stale-if-error=10", "", 0, None, None),
        ("max-age=60, must-revalidate, stale-if-error=10", "", 59, Some(0), Some(0)),
        // Nor what the request refuses.
        ("max-age=60", "no-cache", 30, None, None),
        (OFFERED, "no-cache", 30, None, None),
        ("max-age=60", "max-age=10", 30, None, None),
        ("max-age=60", "max-age=10, max-stale=20", 30, Some(0), None),
        ("max-age=60", "min-fresh=1", 61, None, None),
        ("max-age=60", "max-stale=10", 70, Some(10), None),
        ("max-age=60", "max-stale=10", 71, None, None),
        (OFFERED, "max-age=10", 65, Some(5), Some(5)),
        // The operator's bounds.
        ("max-age=60, stale-if-error=5000", "", 560, Some(500), Some(500)),
        ("max-age=60, stale-if-error=5000", "", 561, None, None),
        ("max-age=900, stale-if-error=5000", "", 1000, None, None),
    ];
    let rules = OriginRules { expire: secs(1000), stale_if_error: secs(500), ..RULES };
    for (control, asked, seconds, unreachable, answered) in cases {
        let response = stored(200, &[("cache-control", control)]);
        let demands = Demands::of(&request(&[("cache-control", asked)]));
        for (failure, expected) in [(FailureKind::Unreachable, unreachable), (FailureKind::Answered, answered)] {
            let found = Policy::Origin(rules).despite(failure, (&response, Validity::Valid), &demands, after(seconds));
            assert_eq!(found, expected.map(secs), "{control} for {asked:?} after {seconds} s, {failure:?}");
        }
        // A gateway that has too much to do is no handler that fails.
        let found = Policy::Origin(rules).despite(
            FailureKind::NotAsked,
            (&response, Validity::Valid),
            &demands,
            after(seconds),
        );
        assert_eq!(found, None, "{control} for {asked:?} after {seconds} s, nobody was asked");
    }
}

/// The same questions to a route with a window: the operator's word, and of the request's what it refuses.
#[test]
fn a_window_is_the_operators_word() {
    let windows = Windows {
        revalidate: Window::For(secs(60)),
        expire: secs(600),
        stale_if_error: secs(300),
        negative_ttl: secs(10),
    };
    let policy = Policy::Window(windows, crate::Variance::new([], crate::Spelling::AsSent));
    let response = stored(200, &[("cache-control", "max-age=1, must-revalidate, no-cache")]);
    // The request, seconds, what may be done, and whether it helps out.
    let cases = [
        ("", 59, Use::Fresh(Some(secs(1))), Some(0)),
        ("", 60, Use::WhileRevalidating(secs(0)), Some(0)),
        ("", 360, Use::WhileRevalidating(secs(300)), Some(300)),
        ("", 361, Use::WhileRevalidating(secs(301)), None),
        ("", 600, Use::Never, None),
        ("max-age=10", 11, Use::Unwanted, Some(0)),
        ("no-cache", 0, Use::Unwanted, None),
        ("no-cache", 60, Use::Never, None),
        ("max-stale=5", 65, Use::WhileRevalidating(secs(5)), Some(5)),
        ("max-stale=5", 66, Use::Never, Some(6)),
    ];
    for (asked, seconds, expected, despite) in cases {
        let demands = Demands::of(&request(&[("cache-control", asked)]));
        assert_eq!(
            policy.allowed(&response, Validity::Valid, &demands, after(seconds)),
            expected,
            "{asked:?} after {seconds} s"
        );
        for failure in [FailureKind::Unreachable, FailureKind::Answered, FailureKind::NotAsked] {
            let found = policy.despite(failure, (&response, Validity::Valid), &demands, after(seconds));
            assert_eq!(found, despite.map(secs), "{asked:?} after {seconds} s, {failure:?}");
        }
    }
}

/// Words of a handler, forbidding or not, readable or not.
fn control() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(vec![
        "max-age=60",
        "max-age=0",
        "max-age=x",
        "s-maxage=30",
        "public",
        "must-revalidate",
        "proxy-revalidate",
        "no-cache",
        "no-cache=\"x-a\"",
        "private=\"x-a\"",
        "must-understand",
        "stale-while-revalidate=20",
        "stale-if-error=40",
        "x",
    ]);
    proptest::collection::vec(word, 0..5).prop_map(|words| words.join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is fresh has some life left, and no more than was given to it.
    #[test]
    fn a_time_to_live_is_within_the_lifetime(
        control in control(), expires in proptest::option::of("(0|Thu, 01 Jan 1970 0[0-3]:00:00 GMT)"),
        modified in any::<bool>(), guessing in any::<bool>(), age in 0u64..100, seconds in 0u64..2000, expire in 0u64..1500,
    ) {
        let age_text = age.to_string();
        let mut lines = vec![("cache-control", control.as_str()), ("age", &age_text)];
        lines.extend(expires.as_deref().map(|date| ("expires", date)));
        lines.extend(modified.then_some(("last-modified", HOUR_AGO)));
        let response = stored(200, &lines);
        let rules = OriginRules { expire: secs(expire), ..if guessing { GUESSING } else { RULES } };
        let word = response.word();
        let lifetime = word.lifetime.or(word.guess.filter(|_| guessing)).unwrap_or_default();
        match rules.freshness(&response, after(seconds)) {
            Freshness::Fresh { ttl } => {
                let ttl = ttl.expect("every life that a handler gives has an end");
                prop_assert!(!ttl.is_zero());
                prop_assert_eq!(ttl + secs(age + seconds), lifetime);
            }
            Freshness::Stale { staleness } => {
                prop_assert_eq!(staleness + lifetime, secs(age + seconds));
                prop_assert!(seconds < expire && !word.forbids_stale);
            }
            Freshness::Expired => prop_assert!(word.ask_each_time || secs(age + seconds) >= lifetime),
        }
    }

    #[test]
    fn nothing_becomes_fresher_by_waiting(control in control(), earlier in 0u64..200, wait in 0u64..200) {
        let response = stored(200, &[("cache-control", &control)]);
        let order = |freshness| match freshness {
            Freshness::Fresh { ttl } => (0, Duration::MAX - ttl.unwrap()),
            Freshness::Stale { staleness } => (1, staleness),
            Freshness::Expired => (2, Duration::ZERO),
        };
        let [before, later] = [earlier, earlier + wait].map(|time| order(RULES.freshness(&response, after(time))));
        prop_assert!(before <= later, "{before:?} and then {later:?}");
    }

    /// Promise 1: whatever else an answer says, what is for one visitor is shared with nobody.
    #[test]
    fn promise_1_what_is_for_one_visitor_is_never_shared(
        status in 200u16..600,
        forbidding in proptest::sample::select(vec![
            ("set-cookie", "sid=1"), ("cache-control", "private"), ("cache-control", "PRIVATE=\"\""), ("vary", "accept,*"),
            ("cache-control", "no-store"), ("cache-control", "No-Store; x"), ("evergate-cache-control", "private"),
            ("evergate-cache-control", "no-store"), ("cache-control", "no-cache"),
        ]),
        others in proptest::collection::vec(control().prop_map(|line| ("cache-control", line)), 0..3),
        validator in any::<bool>(), place in 0usize..4, age in 0u64..100, old in proptest::option::of(Just(503)),
    ) {
        let mut lines: Vec<Line<'_>> = others.iter().map(|(name, line)| (*name, line.as_str())).collect();
        lines.insert(place.min(lines.len()), forbidding);
        lines.extend(validator.then_some(("etag", "\"a\"")));
        // Who understands a status may keep it in spite of `no-store` (section 5.2.2.3).
        let understood = forbidding.0 == "cache-control" && forbidding.1.to_lowercase().starts_with("no-store")
            && others.iter().any(|(_, line)| line.contains("must-understand"));
        let verdict = judged(GUESSING, Answer { request: &[], status, lines: &lines, age, old });
        prop_assert!(understood || verdict != "store" && !verdict.starts_with("store by"), "{lines:?}: {verdict}");
        prop_assert!(understood || forbidding.1 == "no-cache" || !verdict.starts_with("store"), "{lines:?}: {verdict}");
    }

    /// Nor is what was made for who shows credentials, where nobody says that others may have it.
    #[test]
    fn promise_1_what_credentials_open_stays_closed(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "max-age=60", "proxy-revalidate", "stale-while-revalidate=60", "publicly", "public=1", "no-cache=\"x-a\"", "immutable",
        ]), 0..5),
        modified in any::<bool>(), status in 200u16..500,
    ) {
        let control = words.join(", ");
        let mut lines = vec![("cache-control", control.as_str()), ("etag", "\"a\"")];
        lines.extend(modified.then_some(("last-modified", HOUR_AGO)));
        let answer = Answer { request: &[("authorization", "Basic x")], status, lines: &lines, ..ANSWER };
        let verdict = judged(GUESSING, answer);
        prop_assert!(!verdict.starts_with("store"), "{lines:?}: {verdict}");
    }

    /// What is kept for everyone is what could be served the moment it came.
    #[test]
    fn what_everyone_gets_may_be_served(control in control(), validator in any::<bool>(), age in 0u64..100) {
        let age_text = age.to_string();
        let mut lines = vec![("cache-control", control.as_str()), ("age", &age_text)];
        lines.extend(validator.then_some(("etag", "\"a\"")));
        let verdict = judged(RULES, Answer { lines: &lines, age, ..ANSWER });
        let stored = stored(200, &lines);
        let found = Policy::Origin(RULES).allowed(&stored, Validity::Valid, &Demands::default(), after(0));
        let served = match found {
            Use::Fresh(_) | Use::WhileRevalidating(_) => true,
            Use::Unwanted | Use::AsAsked(_) | Use::Never => false,
        };
        let everyone = verdict == "store" || verdict.starts_with("store without");
        let has_lifetime = stored.word().lifetime.is_some();
        prop_assert_eq!(everyone, served && has_lifetime, "{}: {} and {:?}", control, verdict, found);
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
