//! When what is stored may be served, and to whom.

use super::super::{Heuristic, OriginRules};
use super::{HOUR_AGO, Line, RULES, after, request, secs, stored};
use crate::standing::Validity;
use crate::{Demands, FailureKind, Freshness, Policy, Use, Window, Windows};

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
