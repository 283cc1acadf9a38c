//! What happened to a request, as `Cache-Status`, `x-cache` and labels tell it.

use std::collections::BTreeSet;
use std::time::Duration;

use evergate_cache::{DeclineReason, Missing, StaleReason};
use http::StatusCode;

use super::{Answered, Fetched, Outcome, PassReason, ServedStale, XCache};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn miss(missing: Missing, collapsed: bool, fetched: Fetched) -> Outcome {
    Outcome::Miss { missing, collapsed, fetched }
}

const fn pass(reason: PassReason, fetched: Fetched) -> Outcome {
    Outcome::Pass { reason, fetched }
}

const REVALIDATING: ServedStale = ServedStale::Cache(StaleReason::Revalidating);
const STORED: Fetched = Fetched::Stored(StatusCode::OK);
const NOT_STORED: Fetched = Fetched::NotStored(StatusCode::NOT_FOUND);

#[test]
fn cache_status_tells_what_happened() {
    let cases = [
        (Outcome::Hit { ttl: Some(secs(41)) }, "hit; ttl=41"),
        (Outcome::Hit { ttl: Some(Duration::from_millis(41_999)) }, "hit; ttl=41"),
        (Outcome::Hit { ttl: Some(Duration::from_millis(1)) }, "hit; ttl=0"),
        (Outcome::Hit { ttl: None }, "hit"),
        (Outcome::Stale { staleness: secs(5), reason: REVALIDATING }, "hit; ttl=-5; detail=revalidating"),
        (Outcome::Stale { staleness: secs(0), reason: REVALIDATING }, "hit; ttl=0; detail=revalidating"),
        (
            Outcome::Stale { staleness: secs(90), reason: ServedStale::Cache(StaleReason::Error) },
            "hit; ttl=-90; detail=error",
        ),
        (Outcome::Stale { staleness: secs(1), reason: ServedStale::Busy }, "hit; ttl=-1; detail=busy"),
        (miss(Missing::Uri, false, STORED), "fwd=uri-miss; fwd-status=200; stored"),
        (miss(Missing::Vary, false, STORED), "fwd=vary-miss; fwd-status=200; stored"),
        (miss(Missing::Stale, true, STORED), "fwd=stale; collapsed; fwd-status=200; stored"),
        (miss(Missing::Uri, true, NOT_STORED), "fwd=uri-miss; collapsed; fwd-status=404"),
        (miss(Missing::Uri, false, Fetched::Failed("reset")), "fwd=uri-miss; detail=reset"),
        (miss(Missing::Uri, false, Fetched::Pending), "fwd=uri-miss"),
        (Outcome::Revalidated { missing: Missing::Stale, collapsed: false }, "fwd=stale; fwd-status=304; stored"),
        (
            Outcome::Revalidated { missing: Missing::Stale, collapsed: true },
            "fwd=stale; fwd-status=304; collapsed; stored",
        ),
        (pass(PassReason::Dynamic, NOT_STORED), "fwd=bypass; fwd-status=404; detail=dynamic"),
        (pass(PassReason::Unmatched, Fetched::Pending), "fwd=bypass; detail=unmatched"),
        (pass(PassReason::Method, NOT_STORED), "fwd=method; fwd-status=404; detail=method"),
        (pass(PassReason::Body, NOT_STORED), "fwd=request; fwd-status=404; detail=body"),
        (pass(PassReason::Upgrade, Fetched::Pending), "fwd=request; detail=upgrade"),
        (pass(PassReason::Authorization, NOT_STORED), "fwd=request; fwd-status=404; detail=authorization"),
        (pass(PassReason::Bypass, NOT_STORED), "fwd=bypass; fwd-status=404; detail=bypass"),
        (
            pass(PassReason::Declined(DeclineReason::SetCookie), NOT_STORED),
            "fwd=bypass; fwd-status=404; detail=set-cookie",
        ),
        // What is stored was invalidated.
        (miss(Missing::Invalidated, false, STORED), "fwd=stale; fwd-status=200; stored; detail=invalidated"),
        (
            Outcome::Revalidated { missing: Missing::Invalidated, collapsed: true },
            "fwd=stale; fwd-status=304; collapsed; stored; detail=invalidated",
        ),
        (pass(PassReason::Invalidated, NOT_STORED), "fwd=stale; fwd-status=404; detail=invalidated"),
        // There is one detail, and the failure is it.
        (miss(Missing::Invalidated, false, Fetched::Failed("connect")), "fwd=stale; detail=connect"),
        (pass(PassReason::Dynamic, Fetched::Failed("connect")), "fwd=bypass; detail=connect"),
        (Outcome::Answered(Answered::Refused), "detail=refused"),
        (Outcome::Answered(Answered::Misdirected), "detail=misdirected"),
        (Outcome::Answered(Answered::Redirected), "detail=redirected"),
        (Outcome::Answered(Answered::NotFound), "detail=not-found"),
    ];
    for (outcome, expected) in cases {
        assert_eq!(outcome.to_string(), format!("evergate; {expected}"), "{outcome:?}");
    }
}

#[test]
fn x_cache_has_six_values() {
    let cases = [
        (Outcome::Hit { ttl: None }, Some("HIT")),
        (Outcome::Stale { staleness: secs(1), reason: REVALIDATING }, Some("STALE")),
        (miss(Missing::Uri, false, STORED), Some("MISS")),
        (miss(Missing::Stale, true, Fetched::Failed("reset")), Some("MISS")),
        (Outcome::Revalidated { missing: Missing::Stale, collapsed: false }, Some("REVALIDATED")),
        (pass(PassReason::Dynamic, NOT_STORED), Some("PASS")),
        (Outcome::Answered(Answered::Redirected), None),
    ];
    for (outcome, expected) in cases {
        let found = outcome.x_cache();
        assert_eq!(found.header(), expected, "{outcome:?}");
        assert_eq!(found.label(), expected.unwrap_or("NONE").to_lowercase(), "{outcome:?}");
        assert!(XCache::ALL.contains(&found), "{outcome:?}");
    }
    let labels: BTreeSet<&str> = XCache::ALL.iter().map(|value| value.label()).collect();
    assert_eq!(labels.len(), XCache::ALL.len());
}

#[test]
fn reasons_are_told_apart() {
    let reasons: Vec<&str> = PassReason::all().map(PassReason::as_str).collect();
    let names: BTreeSet<&str> = reasons.iter().copied().collect();
    assert_eq!(names.len(), reasons.len(), "{reasons:?}");
    for reason in DeclineReason::ALL {
        assert!(names.contains(reason.as_str()), "{reason:?}");
    }
    assert_eq!(ServedStale::ALL.map(ServedStale::as_str), ["revalidating", "error", "asked", "invalidated", "busy"]);
}

/// The longest time that a configuration may name.
const LONGEST: Duration = secs(100 * 366 * 86_400);

/// Every outcome that there is, with some numbers.
fn outcomes() -> Vec<Outcome> {
    let fetched = [Fetched::Pending, STORED, NOT_STORED, Fetched::Failed("first-byte-timeout")];
    let mut all = vec![Outcome::Hit { ttl: None }, Outcome::Hit { ttl: Some(LONGEST) }];
    all.extend(ServedStale::ALL.map(|reason| Outcome::Stale { staleness: LONGEST, reason }));
    for fetched in fetched {
        for collapsed in [false, true] {
            let missing = [Missing::Uri, Missing::Vary, Missing::Stale, Missing::Invalidated];
            all.extend(missing.map(|missing| miss(missing, collapsed, fetched)));
        }
        all.extend(PassReason::all().map(|reason| pass(reason, fetched)));
    }
    for missing in [Missing::Stale, Missing::Invalidated] {
        all.extend([false, true].map(|collapsed| Outcome::Revalidated { missing, collapsed }));
    }
    let answered = [Answered::Refused, Answered::Misdirected, Answered::Redirected, Answered::NotFound];
    all.extend(answered.map(Outcome::Answered));
    all
}

/// RFC 9211 section 2 in the grammar of RFC 9651: a token with parameters, each once, of the type that is theirs.
#[test]
fn cache_status_is_a_structured_field() {
    let token = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let integer = |text: &str| text.parse::<i64>().is_ok_and(|number| number.abs() < 1_000_000_000_000_000);
    for outcome in outcomes() {
        let text = outcome.to_string();
        let mut parts = text.split("; ");
        assert_eq!(parts.next(), Some("evergate"), "{text}");
        let mut seen = BTreeSet::new();
        for part in parts {
            let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value)));
            assert!(seen.insert(name), "{name} twice: {text}");
            let fits = match (name, value) {
                ("hit" | "stored" | "collapsed", None) => true,
                ("ttl" | "fwd-status", Some(value)) => integer(value),
                ("fwd", Some(value)) => {
                    ["uri-miss", "vary-miss", "stale", "request", "method", "bypass"].contains(&value)
                }
                ("detail", Some(value)) => token(value),
                (_, _) => false,
            };
            assert!(fits, "{part}: {text}");
        }
        assert!(!(seen.contains("hit") && seen.contains("fwd")), "{text}");
        assert!(!seen.contains("stored") || seen.contains("fwd"), "{text}");
    }
}
