//! What a request asks of a cache, and what it accepts.

use std::fmt::Write;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::Demands;

const CONTROL: &str = "cache-control";

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn of(lines: &[(&str, &str)]) -> Demands {
    let mut request = HeaderMap::new();
    for (name, value) in lines {
        request.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    Demands::of(&request)
}

fn said(line: &str) -> Demands {
    of(&[(CONTROL, line)])
}

/// What was read, in one line.
fn read(lines: &[(&str, &str)]) -> String {
    let found = of(lines);
    let mut text = String::new();
    for (name, set) in [
        ("no-store", found.no_store),
        ("no-cache", found.no_cache),
        ("no-transform", found.no_transform),
        ("only-if-cached", found.only_if_cached),
    ] {
        if set {
            write!(text, "{name} ").unwrap();
        }
    }
    for (name, time) in [
        ("max-age", found.max_age),
        ("min-fresh", found.min_fresh),
        ("max-stale", found.max_stale),
        ("stale-if-error", found.stale_if_error),
    ] {
        match time {
            None => {}
            Some(Duration::MAX) => write!(text, "{name}=any ").unwrap(),
            Some(time) => write!(text, "{name}={} ", time.as_secs()).unwrap(),
        }
    }
    text.trim_end().to_owned()
}

#[test]
fn every_directive_is_read() {
    let cases = [
        ("", ""),
        ("no-store", "no-store"),             // RFC 9111 section 5.2.1.5
        ("no-cache", "no-cache"),             // section 5.2.1.4
        ("no-transform", "no-transform"),     // section 5.2.1.6
        ("only-if-cached", "only-if-cached"), // section 5.2.1.7
        ("max-age=60", "max-age=60"),         // section 5.2.1.1
        ("min-fresh=60", "min-fresh=60"),     // section 5.2.1.3
        ("max-stale=60", "max-stale=60"),     // section 5.2.1.2
        ("max-stale", "max-stale=any"),
        ("stale-if-error=60", "stale-if-error=60"), // RFC 5861 section 4
        // Names are matched whole and whatever their case, times quoted or not.
        ("NO-CACHE, Max-Age=\"60\"", "no-cache max-age=60"),
        ("xno-cache, no-cachex, no cache, max-ages=1", ""),
        ("extension=\"no-store, max-age=1\", no-cache", "no-cache"),
        (" , no-store ,,\tmax-age=1 ", "no-store max-age=1"),
        ("private, stale-while-revalidate=60, s-maxage=1", ""),
        // What cannot be read demands the most.
        ("max-age", "max-age=0"),
        ("max-age=", "max-age=0"),
        ("max-age=-1", "max-age=0"),
        ("max-age=1.5", "max-age=0"),
        ("min-fresh", "min-fresh=any"),
        ("min-fresh=soon", "min-fresh=any"),
        ("max-stale=", "max-stale=0"),
        ("max-stale=soon", "max-stale=0"),
        ("stale-if-error", "stale-if-error=0"),
        // And so do several.
        ("max-age=60, max-age=10", "max-age=10"),
        ("max-age=10, max-age=60", "max-age=10"),
        ("min-fresh=10, min-fresh=60", "min-fresh=60"),
        ("min-fresh=60, min-fresh=10", "min-fresh=60"),
        ("max-stale, max-stale=10", "max-stale=10"),
        ("max-stale=10, max-stale", "max-stale=10"),
        ("stale-if-error=60, stale-if-error=10", "stale-if-error=10"),
        // Section 1.2.2.
        ("max-stale=99999999999999999999", "max-stale=2147483648"),
    ];
    for (line, expected) in cases {
        assert_eq!(read(&[(CONTROL, line)]), expected, "{line}");
    }
    assert_eq!(read(&[(CONTROL, "max-age=60"), (CONTROL, "no-cache, max-age=10")]), "no-cache max-age=10");
}

/// `Pragma` counts where there is no `Cache-Control` (RFC 7234 section 5.4).
#[test]
fn pragma_is_what_old_visitors_say() {
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[("pragma", "no-cache")], "no-cache"),
        (&[("pragma", "NO-CACHE")], "no-cache"),
        (&[("pragma", "x, no-cache")], "no-cache"),
        (&[("pragma", "x"), ("pragma", " no-cache ")], "no-cache"),
        (&[("pragma", "x=\"no-cache\"")], ""),
        (&[("pragma", "no-store, max-age=0")], ""),
        (&[("pragma", "no-cache"), (CONTROL, "max-age=60")], "max-age=60"),
        (&[("pragma", "no-cache"), (CONTROL, "")], ""),
        (&[("pragma", "x"), (CONTROL, "no-cache")], "no-cache"),
    ];
    for (lines, expected) in cases {
        assert_eq!(read(lines), expected, "{lines:?}");
    }
}

/// The request, the age, the time to live (none is without end), and whether something so fresh may answer.
type Fresh = (&'static str, u64, Option<u64>, bool);

#[test]
fn what_fresh_responses_are_accepted() {
    let cases: [Fresh; 20] = [
        ("", 1000, Some(1), true),
        ("", 1000, None, true),
        ("no-cache", 0, Some(60), false), // RFC 9111 section 5.2.1.4
        ("no-cache", 0, None, false),
        ("max-age=60", 59, Some(1), true), // section 5.2.1.1
        ("max-age=60", 60, Some(1), true),
        ("max-age=60", 61, Some(100), false),
        ("max-age=60", 61, None, false),
        ("max-age=0", 0, Some(60), true),
        ("max-age=0", 1, Some(60), false),
        ("min-fresh=60", 0, Some(61), true), // section 5.2.1.3
        ("min-fresh=60", 0, Some(60), true),
        ("min-fresh=60", 0, Some(59), false),
        ("min-fresh=60", 0, None, true),
        ("min-fresh", 0, Some(1_000_000), false),
        ("min-fresh=10, max-age=60", 60, Some(10), true),
        ("min-fresh=10, max-age=60", 61, Some(10), false),
        ("min-fresh=10, max-age=60", 60, Some(9), false),
        // Staleness has no part in what is fresh.
        ("max-stale=0", 1000, Some(1), true),
        ("no-store, only-if-cached, stale-if-error=0", 1000, Some(1), true),
    ];
    for (line, age, ttl, expected) in cases {
        assert_eq!(
            said(line).accept_fresh(secs(age), ttl.map(secs)),
            expected,
            "{line} of {age} s with {ttl:?} s left"
        );
    }
}

/// The request, the age, the staleness, whether something so stale may answer, and whether the request asks for it.
type Stale = (&'static str, u64, u64, bool, bool);

#[test]
fn what_stale_responses_are_accepted() {
    let cases: [Stale; 20] = [
        ("", 1000, 500, true, false),
        ("no-cache", 60, 0, false, false),
        ("no-cache, max-stale", 60, 0, false, false),
        ("max-stale", 1_000_000, 900_000, true, true), // RFC 9111 section 5.2.1.2
        ("max-stale=60", 100, 59, true, true),
        ("max-stale=60", 100, 60, true, true),
        ("max-stale=60", 100, 61, false, false),
        ("max-stale=0", 100, 0, true, true),
        ("max-stale=0", 100, 1, false, false),
        ("max-stale=soon", 100, 1, false, false),
        // Who limits the age wants nothing stale (section 5.2.1.1), unless they say how stale.
        ("max-age=100", 60, 1, false, false),
        ("max-age=100, max-stale", 10_000, 9000, true, true),
        ("max-age=100, max-stale=60", 100, 60, true, true),
        ("max-age=100, max-stale=60", 160, 60, true, true),
        ("max-age=100, max-stale=60", 161, 60, false, false),
        ("max-age=100, max-stale=60", 150, 61, false, false),
        // Neither does who wants it fresh for a while (section 5.2.1.3).
        ("min-fresh=1", 60, 0, false, false),
        ("min-fresh=0, max-stale", 60, 0, false, false),
        // Nor does a visitor say anything of it who speaks of errors.
        ("stale-if-error=60", 60, 10, true, false),
        ("no-store, only-if-cached", 60, 10, true, false),
    ];
    for (line, age, staleness, accepted, asked) in cases {
        let demands = said(line);
        let context = format!("{line} of {age} s, {staleness} s stale");
        assert_eq!(demands.accept_stale(secs(age), secs(staleness)), accepted, "{context}");
        assert_eq!(demands.ask_for_stale(secs(age), secs(staleness)), asked, "{context}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read(name in proptest::sample::select(vec![CONTROL, "pragma"]), line in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(value) = HeaderValue::from_bytes(&line) {
            let request = HeaderMap::from_iter([(name.parse::<HeaderName>().unwrap(), value)]);
            let demands = Demands::of(&request);
            // And computed with.
            for time in [Duration::ZERO, secs(60), Duration::MAX] {
                let _ = (demands.accept_fresh(time, Some(time)), demands.ask_for_stale(time, time));
            }
        }
    }

    /// Whoever demands nothing accepts whatever another accepts, and who accepts an older one accepts a younger one.
    #[test]
    fn demands_only_ever_refuse(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "no-cache", "max-age=60", "max-age=0", "min-fresh=30", "max-stale", "max-stale=60", "no-store", "stale-if-error=9",
        ]), 0..4),
        age in 0u64..200, ttl in 0u64..200, less in 0u64..200,
    ) {
        let demands = said(&words.join(","));
        let none = Demands::default();
        let (older, younger) = (secs(age), secs(age.saturating_sub(less)));
        prop_assert!(none.accept_fresh(older, Some(secs(ttl))) >= demands.accept_fresh(older, Some(secs(ttl))));
        prop_assert!(none.accept_stale(older, secs(ttl)) >= demands.accept_stale(older, secs(ttl)));
        prop_assert!(demands.accept_fresh(younger, Some(secs(ttl))) >= demands.accept_fresh(older, Some(secs(ttl))));
        prop_assert!(demands.accept_stale(younger, secs(ttl)) >= demands.accept_stale(older, secs(ttl)));
    }
}
