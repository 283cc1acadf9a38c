//! What a stored response is at which moment, by the windows of its route.

use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::{Freshness, StaleReason, Window, Windows, backoff};
use crate::{Fields, Moment, ResponseHead, StoredResponse};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A moment so long after the response came.
fn after(time: Duration) -> Moment {
    Moment { wall: SystemTime::UNIX_EPOCH + secs(1_000_000) + time, monotonic: secs(500) + time }
}

fn stored(status: u16, lines: &[(&str, &str)]) -> StoredResponse {
    let line =
        |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    let fields: Fields = lines.iter().map(line).collect();
    let head = ResponseHead { status: StatusCode::from_u16(status).unwrap(), fields };
    StoredResponse::new(head, b"body", after(Duration::ZERO), None)
}

/// Fresh for a minute, served stale up to ten, errors for ten seconds.
const WINDOWS: Windows =
    Windows { revalidate: Window::For(secs(60)), expire: secs(600), stale_if_error: secs(300), negative_ttl: secs(10) };

const fn fresh(ttl: u64) -> Freshness {
    Freshness::Fresh { ttl: Some(secs(ttl)) }
}

const fn stale(staleness: u64) -> Freshness {
    Freshness::Stale { staleness: secs(staleness) }
}

#[test]
fn a_success_is_fresh_for_the_window_and_stale_until_it_expires() {
    let cases = [
        (0, fresh(60)),
        (1, fresh(59)),
        (59, fresh(1)),
        (60, stale(0)),
        (61, stale(1)),
        (599, stale(539)),
        (600, Freshness::Expired),
        (1_000_000, Freshness::Expired),
    ];
    for status in [200, 203, 204] {
        for (seconds, expected) in cases {
            let found = WINDOWS.freshness(&stored(status, &[]), after(secs(seconds)));
            assert_eq!(found, expected, "{status} after {seconds} s");
        }
    }
}

#[test]
fn windows_have_edges_to_the_nanosecond() {
    let nano = Duration::from_nanos(1);
    let cases = [
        (secs(60) - nano, Freshness::Fresh { ttl: Some(nano) }),
        (secs(60), stale(0)),
        (secs(60) + nano, Freshness::Stale { staleness: nano }),
        (secs(600) - nano, Freshness::Stale { staleness: secs(540) - nano }),
        (secs(600), Freshness::Expired),
    ];
    for (time, expected) in cases {
        assert_eq!(WINDOWS.freshness(&stored(200, &[]), after(time)), expected, "after {time:?}");
    }
}

#[test]
fn the_handlers_word_does_not_move_the_window_of_a_success() {
    let lines: [&[(&str, &str)]; 6] = [
        &[("cache-control", "max-age=1")],
        &[("cache-control", "s-maxage=100000")],
        &[("expires", "0")],
        // The window begins when the gateway has it: a handler that caches for itself adds its own staleness to it.
        &[("age", "50")],
        &[("age", "50"), ("cache-control", "max-age=40")],
        &[("date", "Thu, 01 Jan 1970 00:00:00 GMT")],
    ];
    for lines in lines {
        for (seconds, expected) in [(59, fresh(1)), (60, stale(0)), (600, Freshness::Expired)] {
            let found = WINDOWS.freshness(&stored(200, lines), after(secs(seconds)));
            assert_eq!(found, expected, "{lines:?} after {seconds} s");
        }
    }
}

#[test]
fn a_success_kept_until_it_is_invalidated_does_not_age() {
    let windows = Windows { revalidate: Window::Forever, ..WINDOWS };
    for seconds in [0, 60, 600, 100_000_000] {
        let found = windows.freshness(&stored(200, &[("cache-control", "max-age=1")]), after(secs(seconds)));
        assert_eq!(found, Freshness::Fresh { ttl: None }, "after {seconds} s");
    }
}

/// The window in seconds (none is for ever), `negative_ttl`, the handler's word, seconds, and the answer.
type Negative = (Option<u64>, u64, &'static str, u64, Freshness);

/// The lifetime is the smallest of the handler's word, the window and `negative_ttl`; after it nothing is served stale.
const NEGATIVE: [Negative; 16] = [
    (Some(60), 10, "", 0, fresh(10)),
    (Some(60), 10, "", 9, fresh(1)),
    (Some(60), 10, "", 10, Freshness::Expired),
    (Some(60), 10, "", 11, Freshness::Expired),
    (Some(60), 10, "", 600, Freshness::Expired),
    (Some(5), 10, "", 4, fresh(1)),
    (Some(5), 10, "", 5, Freshness::Expired),
    (None, 10, "", 9, fresh(1)),
    (None, 10, "", 10, Freshness::Expired),
    (Some(60), 10, "max-age=3", 2, fresh(1)),
    (Some(60), 10, "max-age=3", 3, Freshness::Expired),
    (Some(60), 10, "max-age=3600", 9, fresh(1)),
    (Some(60), 10, "max-age=3600", 10, Freshness::Expired),
    (Some(60), 10, "max-age=3600, s-maxage=2", 2, Freshness::Expired),
    (Some(60), 10, "max-age=2, s-maxage=8", 7, fresh(1)),
    (None, 3600, "max-age=7200", 3599, fresh(1)),
];

fn negative(window: Option<u64>, negative_ttl: u64) -> Windows {
    let revalidate = window.map_or(Window::Forever, |window| Window::For(secs(window)));
    Windows { revalidate, negative_ttl: secs(negative_ttl), ..WINDOWS }
}

#[test]
fn errors_and_redirects_live_shorter() {
    for status in [301, 302, 303, 307, 308, 404, 410] {
        for (window, negative_ttl, word, seconds, expected) in NEGATIVE {
            let windows = negative(window, negative_ttl);
            let lines = if word.is_empty() { &[][..] } else { &[("cache-control", word)][..] };
            let found = windows.freshness(&stored(status, lines), after(secs(seconds)));
            assert_eq!(found, expected, "{status} {word:?} in {windows:?} after {seconds} s");
        }
    }
}

/// The window, `negative_ttl`, a status, the handler's word, and whether the answer is good for any time at all.
type Kept = (Option<u64>, u64, u16, &'static str, bool);

#[test]
fn what_is_stale_when_it_comes_is_not_kept() {
    let cases: [Kept; 10] = [
        (Some(60), 10, 200, "", true),
        (Some(60), 0, 200, "max-age=0", true),
        (None, 10, 200, "max-age=0", true),
        (Some(60), 10, 404, "", true),
        (Some(60), 10, 404, "max-age=1", true),
        (Some(60), 10, 404, "max-age=0", false),
        (None, 10, 302, "s-maxage=0, max-age=60", false),
        (Some(60), 10, 301, "max-age=soon", false),
        (Some(60), 0, 404, "", false),
        (None, 0, 410, "max-age=60", false),
    ];
    for (window, negative_ttl, status, word, expected) in cases {
        let windows = negative(window, negative_ttl);
        let lines = if word.is_empty() { &[][..] } else { &[("cache-control", word)][..] };
        let response = stored(status, lines);
        let found = windows.keeps(&response.head(), after(Duration::ZERO));
        assert_eq!(found, expected, "{status} {word:?} in {windows:?}");
        // Which is what a look-up at that moment would say.
        let fresh = matches!(windows.freshness(&response, after(Duration::ZERO)), Freshness::Fresh { .. });
        assert_eq!(fresh, expected, "{status} {word:?} in {windows:?}");
    }
}

/// What was old already when it came has less of its own freshness left (RFC 9111 section 4.2).
#[test]
fn the_own_freshness_of_an_error_counts_from_when_it_was_made() {
    let lines = &[("cache-control", "max-age=60"), ("age", "55")];
    let windows = negative(None, 100);
    for (seconds, expected) in [(0, fresh(5)), (4, fresh(1)), (5, Freshness::Expired)] {
        assert_eq!(windows.freshness(&stored(404, lines), after(secs(seconds))), expected, "after {seconds} s");
    }
}

#[test]
fn a_corrected_system_clock_changes_nothing() {
    let response = stored(200, &[]);
    let now = after(secs(30));
    for wall in [SystemTime::UNIX_EPOCH, now.wall + secs(1_000_000)] {
        assert_eq!(WINDOWS.freshness(&response, Moment { wall, ..now }), fresh(30), "{wall:?}");
    }
    // A reading from before the response came is no underflow.
    let before = Moment { monotonic: Duration::ZERO, ..now };
    assert_eq!(WINDOWS.freshness(&response, before), fresh(60));
}

#[test]
fn back_off_grows_and_is_bounded() {
    let cases = [
        (1, 0.0, 3.0),
        (1, 1.0, 4.5),
        (2, 0.0, 6.0),
        (2, 0.5, 7.5),
        (3, 0.0, 12.0),
        (0, 0.0, 3.0),
        // A jitter that is none counts as the nearest that is.
        (1, -7.0, 3.0),
        (1, 7.0, 4.5),
    ];
    for (failures, jitter, expected) in cases {
        assert_eq!(
            backoff(failures, jitter),
            Duration::from_secs_f64(expected),
            "{failures} failures, jitter {jitter}"
        );
    }
}

/// Keys that failed together must not come back together, however long they have been failing.
#[test]
fn back_off_is_spread_whatever_the_number_of_failures() {
    for failures in [1, 2, 3, 4, 5, 6, 10, 1000, u32::MAX] {
        let [earliest, latest] = [0.0, 1.0].map(|jitter| backoff(failures, jitter));
        assert!(latest >= earliest + secs(1), "{failures} failures: {earliest:?} to {latest:?}");
    }
}

#[test]
fn reasons_have_stable_names() {
    let names = StaleReason::ALL.map(StaleReason::as_str);
    assert_eq!(names, ["revalidating", "error", "asked", "invalidated"]);
}

/// A number that puts the answers in the order in which they follow each other.
fn order(freshness: Freshness) -> (u8, Duration) {
    match freshness {
        Freshness::Fresh { ttl } => (0, ttl.map_or(Duration::ZERO, |ttl| Duration::MAX - ttl)),
        Freshness::Stale { staleness } => (1, staleness),
        Freshness::Expired => (2, Duration::ZERO),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_becomes_fresher_by_waiting(
        status in prop_oneof![Just(200), Just(302), Just(404)],
        window in 0u64..100, expire in 0u64..200, negative in 1u64..100,
        earlier in 0u64..300, wait in 0u64..300,
    ) {
        let windows = Windows {
            revalidate: Window::For(secs(window)),
            expire: secs(expire),
            stale_if_error: secs(expire),
            negative_ttl: secs(negative),
        };
        let response = stored(status, &[]);
        let [earlier, later] = [earlier, earlier + wait].map(|time| windows.freshness(&response, after(secs(time))));
        prop_assert!(order(earlier) <= order(later), "{earlier:?} and then {later:?}");
    }

    #[test]
    fn back_off_stays_within_its_bounds(failures in any::<u32>(), jitter in any::<f64>()) {
        let wait = backoff(failures, jitter);
        prop_assert!(secs(3) <= wait && wait <= secs(30), "{wait:?}");
    }
}
