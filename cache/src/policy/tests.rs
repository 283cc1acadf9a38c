//! What may be kept on a route with a window, and for which reason not.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::{DeclineReason, Verdict, forbidden, judge};
use crate::{Fields, Heed, Moment, ResponseHead, Unkept};

type Line<'a> = (&'a str, &'a str);

fn head(status: u16, lines: &[Line<'_>]) -> ResponseHead {
    let line = |(name, value): &Line<'_>| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    ResponseHead { status: StatusCode::from_u16(status).unwrap(), fields: lines.iter().map(line).collect::<Fields>() }
}

fn now() -> Moment {
    Moment { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000), monotonic: Duration::from_secs(1) }
}

#[test]
fn every_status_has_a_verdict() {
    const KEPT: [u16; 10] = [200, 203, 204, 301, 302, 303, 307, 308, 404, 410];
    for status in 200..=999 {
        let expected = match status {
            429 | 500..=599 => Verdict::Failure,
            status if KEPT.contains(&status) => Verdict::Store,
            _ => Verdict::Decline(DeclineReason::Status),
        };
        assert_eq!(judge(&head(status, &[]), Heed::Prohibitions, now()), expected, "{status}");
    }
}

#[test]
fn what_the_fields_forbid() {
    let cases: [(&[Line<'_>], Option<DeclineReason>); 22] = [
        (&[], None),
        (&[("cache-control", "public, max-age=60")], None),
        (&[("cache-control", "max-age=0")], None),
        (&[("cache-control", "must-revalidate, proxy-revalidate, no-transform")], None),
        (&[("set-cookie", "a=b")], Some(DeclineReason::SetCookie)),
        (&[("set-cookie", "")], Some(DeclineReason::SetCookie)),
        (&[("x-set-cookie", "a=b"), ("set-cookie2", "a=b")], None),
        (&[("cache-control", "private")], Some(DeclineReason::Private)),
        (&[("cache-control", "private=\"x-user\"")], Some(DeclineReason::Private)),
        (&[("cache-control", "no-store")], Some(DeclineReason::NoStore)),
        (&[("cache-control", "no-cache")], Some(DeclineReason::NoCache)),
        (&[("cache-control", "max-age=60"), ("cache-control", "private")], Some(DeclineReason::Private)),
        (&[("vary", "*")], Some(DeclineReason::Vary)),
        (&[("vary", "accept, *")], Some(DeclineReason::Vary)),
        (&[("vary", "accept"), ("vary", " * ")], Some(DeclineReason::Vary)),
        // A field of the visitor's that is not in the variance is constant for the handler.
        (&[("vary", "cookie, accept-language")], None),
        (&[("vary", "")], None),
        (&[("vary", "x*, **")], None),
        (&[("pragma", "no-cache")], None),
        // The strongest reason is told.
        (&[("cache-control", "no-cache, private, no-store"), ("set-cookie", "a=b")], Some(DeclineReason::SetCookie)),
        (&[("cache-control", "no-cache, private, no-store"), ("vary", "*")], Some(DeclineReason::NoStore)),
        (&[("cache-control", "no-cache, private")], Some(DeclineReason::Private)),
    ];
    for (lines, expected) in cases {
        // A 304 is judged by its fields too.
        for status in [200, 204, 301, 304, 404] {
            assert_eq!(forbidden(&head(status, lines), Heed::Prohibitions), expected, "{status} {lines:?}");
        }
        let verdict = expected.map_or(Verdict::Store, Verdict::Decline);
        for status in [200, 203, 301, 404, 410] {
            assert_eq!(judge(&head(status, lines), Heed::Prohibitions, now()), verdict, "{status} {lines:?}");
        }
    }
}

/// Next's `fetchCache`, as far as it speaks of what is kept.
#[test]
fn the_handlers_word_counts_as_far_as_the_route_heeds_it() {
    use DeclineReason::{NoCache, NoLifetime, NoStore, Private, SetCookie};
    const HEEDS: [Heed; 4] = [Heed::Prohibitions, Heed::NoStore, Heed::Nothing, Heed::Explicit];
    let cases: [(&[Line<'_>], [Option<DeclineReason>; 4]); 10] = [
        (&[], [None, None, None, Some(NoLifetime)]),
        (&[("cache-control", "max-age=60")], [None; 4]),
        (&[("cache-control", "s-maxage=0, max-age=60")], [None, None, None, Some(NoLifetime)]),
        (&[("cache-control", "max-age=60"), ("age", "60")], [None, None, None, Some(NoLifetime)]),
        (&[("expires", "Sun, 09 Sep 2001 01:46:50 GMT")], [None; 4]),
        (&[("expires", "0")], [None, None, None, Some(NoLifetime)]),
        (&[("cache-control", "max-age=60, private")], [Some(Private), None, None, Some(Private)]),
        (&[("cache-control", "max-age=60, no-cache")], [Some(NoCache), None, None, Some(NoCache)]),
        (&[("cache-control", "max-age=60, no-store")], [Some(NoStore), Some(NoStore), None, Some(NoStore)]),
        (&[("cache-control", "max-age=60"), ("set-cookie", "a=b")], [Some(SetCookie); 4]),
    ];
    for (lines, expected) in cases {
        for (heed, expected) in HEEDS.into_iter().zip(expected) {
            let verdict = expected.map_or(Verdict::Store, Verdict::Decline);
            for status in [200, 301, 404] {
                assert_eq!(judge(&head(status, lines), heed, now()), verdict, "{status} {lines:?} {heed:?}");
            }
            assert_eq!(judge(&head(503, lines), heed, now()), Verdict::Failure, "{lines:?} {heed:?}");
            assert_eq!(judge(&head(403, &[]), heed, now()), Verdict::Decline(DeclineReason::Status), "{heed:?}");
        }
    }
    for heed in HEEDS {
        assert_eq!(forbidden(&head(200, &[("vary", "*")]), heed), Some(DeclineReason::Vary), "{heed:?}");
    }
}

#[test]
fn what_is_not_kept_is_an_error_where_the_route_says_so() {
    for reason in DeclineReason::ALL {
        let found = [Unkept::Declined, Unkept::ErrorForNoStore, Unkept::Error].map(|unkept| unkept.refuses(reason));
        assert_eq!(found, [false, reason == DeclineReason::NoStore, true], "{reason:?}");
    }
}

#[test]
fn failures_come_before_what_their_fields_say() {
    let lines: [&[Line<'_>]; 4] = [
        &[("set-cookie", "a=b")],
        &[("cache-control", "no-store, private")],
        &[("vary", "*")],
        &[("cache-control", "public, max-age=3600")],
    ];
    for lines in lines {
        for status in [429, 500, 502, 503, 504, 599] {
            assert_eq!(judge(&head(status, lines), Heed::Prohibitions, now()), Verdict::Failure, "{status} {lines:?}");
        }
        let [first, ..] = lines else { continue };
        let expected = if first.1.starts_with("public") { "status" } else { "the fields" };
        let found = judge(&head(403, lines), Heed::Prohibitions, now());
        assert_eq!(found == Verdict::Decline(DeclineReason::Status), expected == "status", "403 {lines:?}: {found:?}");
    }
}

#[test]
fn reasons_have_stable_names() {
    let names = DeclineReason::ALL.map(DeclineReason::as_str);
    let expected = [
        "set-cookie",
        "private",
        "no-store",
        "no-cache",
        "vary",
        "status",
        "credentials",
        "too-large",
        "no-length",
        "no-lifetime",
    ];
    assert_eq!(names, expected);
    assert_eq!(HashSet::from(DeclineReason::ALL).len(), expected.len());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Promise 1: whatever else an answer says, what is for one visitor is not kept.
    #[test]
    fn promise_1_what_is_for_one_visitor_is_never_kept(
        status in 200u16..600,
        forbidding in proptest::sample::select(vec![
            ("set-cookie", "sid=1"), ("cache-control", "private"), ("cache-control", "NO-STORE"), ("vary", "accept,*"),
        ]),
        others in proptest::collection::vec(proptest::sample::select(vec![
            ("cache-control", "public, max-age=60"), ("cache-control", "s-maxage=1"), ("vary", "accept"), ("x-a", "b"),
        ]), 0..4),
        place in 0usize..4,
    ) {
        let mut lines = others;
        lines.insert(place.min(lines.len()), forbidding);
        prop_assert_ne!(judge(&head(status, &lines), Heed::Prohibitions, now()), Verdict::Store);
    }
}
