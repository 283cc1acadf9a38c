//! What a handler says of a response, and how old it was when it came.

use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::{Word, age_value, corrected_initial_age, is_understood};
use crate::{Fields, Moment, ResponseHead};

type Line<'a> = (&'a str, &'a str);

/// When responses come, and so much earlier or later.
const NOW: &str = "Tue, 15 Nov 1994 08:12:31 GMT";
const MINUTE_AGO: &str = "Tue, 15 Nov 1994 08:11:31 GMT";
const IN_A_MINUTE: &str = "Tue, 15 Nov 1994 08:13:31 GMT";
const HOUR_AGO: &str = "Tue, 15 Nov 1994 07:12:31 GMT";
const YEAR_AGO: &str = "Mon, 15 Nov 1993 08:12:31 GMT";

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The moment of [`NOW`], and so much later.
fn after(seconds: u64) -> Moment {
    let time = secs(seconds);
    Moment { wall: SystemTime::UNIX_EPOCH + secs(784_887_151) + time, monotonic: secs(1000) + time }
}

fn head(status: u16, lines: &[Line<'_>]) -> ResponseHead {
    let line = |(name, value): &Line<'_>| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    ResponseHead { status: StatusCode::from_u16(status).unwrap(), fields: lines.iter().map(line).collect::<Fields>() }
}

fn word(status: u16, lines: &[Line<'_>]) -> Word {
    Word::of(&head(status, lines), after(0))
}

/// RFC 9111 section 4.2.1.
#[test]
fn the_explicit_lifetime() {
    let cases: [(&[Line<'_>], Option<u64>); 27] = [
        (&[], None),
        (&[("cache-control", "public, must-revalidate")], None),
        (&[("cache-control", "max-age=10")], Some(10)),
        // For a shared cache `s-maxage` counts alone, whether shorter or longer (section 5.2.2.10).
        (&[("cache-control", "max-age=10, s-maxage=20")], Some(20)),
        (&[("cache-control", "s-maxage=5, max-age=10")], Some(5)),
        // Either beats `Expires` (section 5.3), readable or not.
        (&[("cache-control", "max-age=10"), ("expires", IN_A_MINUTE), ("date", NOW)], Some(10)),
        (&[("cache-control", "s-maxage=20"), ("expires", "0")], Some(20)),
        (&[("cache-control", "max-age=soon"), ("expires", IN_A_MINUTE), ("date", NOW)], Some(0)),
        // `Expires` less `Date`.
        (&[("expires", IN_A_MINUTE), ("date", NOW)], Some(60)),
        (&[("expires", IN_A_MINUTE), ("date", MINUTE_AGO)], Some(120)),
        (&[("expires", IN_A_MINUTE)], Some(60)),
        (&[("expires", NOW), ("date", NOW)], Some(0)),
        (&[("expires", MINUTE_AGO), ("date", NOW)], Some(0)),
        (&[("expires", MINUTE_AGO), ("date", HOUR_AGO)], Some(3540)),
        // A `Date` that is none is none; of several the first counts.
        (&[("expires", IN_A_MINUTE), ("date", "soon")], Some(60)),
        (&[("expires", IN_A_MINUTE), ("date", MINUTE_AGO), ("date", NOW)], Some(120)),
        // An invalid date lies in the past (section 5.3), `0` above all.
        (&[("expires", "0"), ("date", NOW)], Some(0)),
        (&[("expires", "-1")], Some(0)),
        (&[("expires", "")], Some(0)),
        // Of several lines the earliest counts, wherever it stands.
        (&[("expires", IN_A_MINUTE), ("expires", NOW), ("date", NOW)], Some(0)),
        (&[("expires", NOW), ("expires", IN_A_MINUTE), ("date", MINUTE_AGO)], Some(60)),
        (&[("expires", IN_A_MINUTE), ("expires", "0"), ("date", NOW)], Some(0)),
        // A targeted field stands alone (RFC 9213 section 2.2), beside `Expires` too.
        (&[("cdn-cache-control", "max-age=30"), ("cache-control", "no-store, max-age=10")], Some(30)),
        (&[("cdn-cache-control", "max-age=30"), ("expires", "0")], Some(30)),
        (&[("cdn-cache-control", "public"), ("expires", IN_A_MINUTE), ("cache-control", "max-age=10")], None),
        (&[("cdn-cache-control", ""), ("expires", IN_A_MINUTE), ("date", NOW)], Some(60)),
        (&[("evergate-cache-control", "s-maxage=5, max-age=9"), ("cdn-cache-control", "max-age=30")], Some(5)),
    ];
    for (lines, expected) in cases {
        let found = word(200, lines);
        assert_eq!(found.lifetime, expected.map(secs), "{lines:?}");
        assert!(expected.is_none() || found.guess.is_none(), "nothing is guessed where something is said: {lines:?}");
    }
}

/// RFC 9111 section 4.2.2.
#[test]
fn what_is_guessed() {
    let cases: [(u16, &[Line<'_>], Option<u64>); 17] = [
        (200, &[], None),
        (200, &[("last-modified", HOUR_AGO), ("date", NOW)], Some(360)),
        (200, &[("last-modified", HOUR_AGO)], Some(360)),
        (200, &[("last-modified", HOUR_AGO), ("date", MINUTE_AGO)], Some(354)),
        (200, &[("last-modified", HOUR_AGO), ("date", "soon")], Some(360)),
        // At most a day.
        (200, &[("last-modified", YEAR_AGO), ("date", NOW)], Some(86_400)),
        (200, &[("last-modified", NOW), ("date", NOW)], Some(0)),
        // What was changed after it was made says nothing.
        (200, &[("last-modified", NOW), ("date", MINUTE_AGO)], None),
        (200, &[("last-modified", "soon"), ("date", NOW)], None),
        (200, &[("etag", "\"a\"")], None),
        // Other statuses only where the handler says that everyone may have them.
        (302, &[("last-modified", HOUR_AGO)], None),
        (302, &[("last-modified", HOUR_AGO), ("cache-control", "public")], Some(360)),
        (302, &[("last-modified", HOUR_AGO), ("cdn-cache-control", "public")], Some(360)),
        (302, &[("last-modified", HOUR_AGO), ("cdn-cache-control", "x"), ("cache-control", "public")], None),
        // Nothing is guessed where something is said.
        (200, &[("last-modified", HOUR_AGO), ("cache-control", "max-age=0")], None),
        (200, &[("last-modified", HOUR_AGO), ("expires", "0")], None),
        (200, &[("last-modified", HOUR_AGO), ("cdn-cache-control", "public"), ("expires", "0")], Some(360)),
    ];
    for (status, lines, expected) in cases {
        assert_eq!(word(status, lines).guess, expected.map(secs), "{status} {lines:?}");
    }
    // RFC 9110 section 15.1.
    const GUESSABLE: [u16; 12] = [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501];
    for status in 200..=599 {
        let found = word(status, &[("last-modified", HOUR_AGO)]).guess.is_some();
        assert_eq!(found, GUESSABLE.contains(&status), "{status}");
    }
}

/// What is said beside the lifetime: whether staleness is forbidden, whether to ask each time, and the two windows of RFC 5861.
type Beside<'a> = (&'a [Line<'a>], bool, bool, u64, u64);

#[test]
fn what_is_said_of_the_time_afterwards() {
    let cases: [Beside<'_>; 15] = [
        (&[], false, false, 0, 0),
        (&[("cache-control", "max-age=10")], false, false, 0, 0),
        (&[("cache-control", "must-revalidate")], true, false, 0, 0), // RFC 9111 section 5.2.2.2
        (&[("cache-control", "proxy-revalidate")], true, false, 0, 0), // section 5.2.2.8
        (&[("cache-control", "s-maxage=10")], true, false, 0, 0),     // section 5.2.2.10
        (&[("cache-control", "no-cache")], false, true, 0, 0),        // section 5.2.2.4
        (&[("cache-control", "no-cache=\"x-a\"")], false, false, 0, 0),
        (&[("cache-control", "no-cache=\"x a\"")], false, true, 0, 0),
        (&[("cache-control", "stale-while-revalidate=5")], false, false, 5, 0), // RFC 5861 section 3
        (&[("cache-control", "stale-if-error=6")], false, false, 0, 6),         // RFC 5861 section 4
        (&[("cache-control", "max-age=1, stale-while-revalidate=5, stale-if-error=6")], false, false, 5, 6),
        (&[("cache-control", "stale-while-revalidate=x, stale-if-error")], false, false, 0, 0),
        (&[("cache-control", "no-cache, must-revalidate"), ("cdn-cache-control", "max-age=1")], false, false, 0, 0),
        (&[("cdn-cache-control", "no-cache, must-revalidate, stale-if-error=6")], true, true, 0, 6),
        (&[("pragma", "no-cache")], false, false, 0, 0),
    ];
    for (lines, forbids_stale, ask_each_time, while_revalidating, if_error) in cases {
        let found = word(200, lines);
        assert_eq!(
            (found.forbids_stale, found.ask_each_time, found.stale_while_revalidate, found.stale_if_error),
            (forbids_stale, ask_each_time, secs(while_revalidating), secs(if_error)),
            "{lines:?}"
        );
    }
}

/// RFC 9111 section 5.1: one non-negative integer, of several the first, and nothing where it cannot be read.
#[test]
fn the_value_of_age() {
    let cases: [(&[&str], u64); 19] = [
        (&[], 0),
        (&["0"], 0),
        (&["30"], 30),
        (&[" 30\t"], 30),
        (&["0030"], 30),
        (&["30, 60"], 30),
        (&["60,30"], 60),
        (&["30", "60"], 30),
        (&["30,"], 30),
        (&["soon, 60"], 0),
        (&["", "60"], 0),
        (&[",60"], 0),
        (&["-30"], 0),
        (&["+30"], 0),
        (&["30.0"], 0),
        (&["30s"], 0),
        (&["3 0"], 0),
        (&["2147483648"], 2_147_483_648),
        // Section 1.2.2.
        (&["99999999999999999999"], 2_147_483_648),
    ];
    for (ages, expected) in cases {
        let lines: Vec<Line<'_>> = ages.iter().map(|age| ("age", *age)).collect();
        assert_eq!(age_value(&head(200, &lines)), secs(expected), "{ages:?}");
    }
}

/// The fields, when the response was asked for (seconds before it came), and its age (RFC 9111 section 4.2.3).
#[test]
fn the_age_with_which_a_response_comes() {
    let cases: [(&[Line<'_>], u64, u64); 12] = [
        (&[], 0, 0),
        // The time on the way.
        (&[], 5, 5),
        (&[("age", "30")], 0, 30),
        (&[("age", "30")], 5, 35),
        // The time since it was made, where that is more.
        (&[("date", NOW)], 5, 5),
        (&[("date", MINUTE_AGO)], 0, 60),
        (&[("date", MINUTE_AGO)], 5, 60),
        (&[("date", MINUTE_AGO), ("age", "30")], 5, 60),
        (&[("date", MINUTE_AGO), ("age", "57")], 5, 62),
        // A clock that is ahead makes nothing younger.
        (&[("date", IN_A_MINUTE), ("age", "30")], 5, 35),
        (&[("date", "soon"), ("age", "30")], 5, 35),
        (&[("date", MINUTE_AGO), ("age", "soon")], 5, 60),
    ];
    for (lines, way, expected) in cases {
        let received = after(0);
        let asked = Moment { wall: received.wall - secs(way), monotonic: received.monotonic - secs(way) };
        assert_eq!(
            corrected_initial_age(&head(200, lines), asked, received),
            secs(expected),
            "{lines:?} after {way} s"
        );
        // The time on the way is what the monotonic clock says.
        let corrected = Moment { wall: SystemTime::UNIX_EPOCH, ..asked };
        assert_eq!(corrected_initial_age(&head(200, lines), corrected, received), secs(expected), "{lines:?}");
    }
}

/// Statuses that RFC 9110 section 15 and RFC 6585, 7725 define, without those that are unused or not for this.
#[test]
fn the_statuses_that_are_understood() {
    for (status, expected) in [
        (200, true),
        (203, true),
        (206, true),
        (207, false),
        (226, false),
        (299, false),
        (300, true),
        (304, true),
        (306, false),
        (307, true),
        (308, true),
        (309, false),
        (404, true),
        (417, true),
        (418, false),
        (421, true),
        (422, true),
        (423, false),
        (425, false),
        (426, true),
        (428, true),
        (429, true),
        (431, true),
        (451, true),
        (499, false),
        (500, true),
        (505, true),
        (506, false),
        (511, true),
        (599, false),
    ] {
        assert_eq!(is_understood(StatusCode::from_u16(status).unwrap()), expected, "{status}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read(
        lines in proptest::collection::vec((
            proptest::sample::select(vec![
                "age", "date", "expires", "last-modified", "cache-control", "cdn-cache-control", "surrogate-control",
            ]),
            proptest::collection::vec(any::<u8>(), 0..40),
        ), 0..4),
        way in 0u64..100,
    ) {
        let fields: Fields = lines
            .iter()
            .filter_map(|(name, value)| Some((name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).ok()?)))
            .collect();
        let head = ResponseHead { status: StatusCode::OK, fields };
        let _ = Word::of(&head, after(way));
        prop_assert!(corrected_initial_age(&head, after(0), after(way)) >= age_value(&head) + secs(way));
    }

    /// A lifetime is no longer because the same is said twice, or something is said beside it.
    #[test]
    fn another_line_never_lengthens_the_life(
        one in proptest::sample::select(vec![("cache-control", "max-age=60"), ("cache-control", "s-maxage=60"), ("expires", IN_A_MINUTE)]),
        other in proptest::sample::select(vec![
            ("cache-control", "max-age=60"), ("cache-control", "max-age=10"), ("cache-control", "max-age=x"), ("expires", NOW),
            ("expires", IN_A_MINUTE), ("expires", "0"), ("cache-control", "public"), ("last-modified", HOUR_AGO),
        ]),
    ) {
        let lifetime = |lines: &[Line<'_>]| word(200, lines).lifetime.unwrap();
        prop_assert!(lifetime(&[one, other, ("date", NOW)]) <= lifetime(&[one, ("date", NOW)]));
    }
}
