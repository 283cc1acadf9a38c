//! The three forms of a date, and the century of the oldest.

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use proptest::prelude::*;

use super::http_date;

/// 1994-11-06 08:49:37.
const EXAMPLE: u64 = 784_111_777;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The first second of a year.
fn in_year(year: u64) -> SystemTime {
    httpdate::parse_http_date(&format!("{}, 01 Jan {year} 00:00:00 GMT", weekday(year))).unwrap()
}

/// The day of the week of the first of January, in three letters.
fn weekday(year: u64) -> &'static str {
    // 1900 began on a Monday; of the years since then, those that four divides are leap years, but for 2100, 2200 and 2300.
    let years = year - 1900;
    let leaps =
        years.saturating_sub(1) / 4 - [2100, 2200, 2300].iter().filter(|century| year > **century).count() as u64;
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][usize::try_from((years + leaps) % 7).unwrap()]
}

fn read(text: &str, now: SystemTime) -> Option<SystemTime> {
    http_date(&HeaderValue::from_bytes(text.as_bytes()).unwrap(), now)
}

/// RFC 9110 section 5.6.7.
#[test]
fn all_three_forms_are_read() {
    for text in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sunday, 06-Nov-94 08:49:37 GMT ",
    ] {
        for year in [1994, 2000, 2026] {
            assert_eq!(read(text, in_year(year)), Some(at(EXAMPLE)), "{text} in {year}");
        }
    }
}

#[test]
fn what_is_no_date() {
    for text in [
        "",
        "0",
        "-1",
        "soon",
        "784111777",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Thu, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 94 08:49:37 GMT",
        "Sunday, 06-Nov-94-1 08:49:37 GMT",
        "Sunday, 06-Nov-4 08:49:37 GMT",
        "Saturday, 06-Nov-+4 08:49:37 GMT",
        "Monday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 94",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT\u{e9}",
    ] {
        assert_eq!(read(text, in_year(1994)), None, "{text}");
    }
}

/// Two digits of a year, the year in which they are read, and the year that they mean: none that lies more than 50 years ahead.
#[test]
fn two_digits_mean_no_year_more_than_50_years_ahead() {
    let cases = [
        (94, 1994, 1994),
        (94, 2026, 1994),
        (94, 2043, 1994),
        (94, 2044, 2094),
        (26, 2026, 2026),
        (76, 2026, 2076),
        (77, 2026, 1977),
        (99, 2026, 1999),
        (0, 2026, 2000),
        (0, 1999, 2000),
        (49, 1999, 2049),
        (50, 1999, 1950),
        (50, 2000, 2050),
        (51, 2000, 1951),
        (10, 2080, 2110),
        (30, 2080, 2130),
        (31, 2080, 2031),
    ];
    for (digits, now, year) in cases {
        let name = match weekday(year) {
            "Mon" => "Monday",
            "Tue" => "Tuesday",
            "Wed" => "Wednesday",
            "Thu" => "Thursday",
            "Fri" => "Friday",
            "Sat" => "Saturday",
            _ => "Sunday",
        };
        let text = format!("{name}, 01-Jan-{digits:02} 00:00:00 GMT");
        // Before 1970 there is no date here, which is in the past as well.
        let expected = (year >= 1970).then(|| in_year(year));
        assert_eq!(read(&text, in_year(now)), expected, "{text} in {now}");
    }
}

#[test]
fn a_clock_before_1970_is_in_1970() {
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1_000_000_000);
    assert_eq!(read("Sunday, 06-Nov-94 08:49:37 GMT", before), Some(at(EXAMPLE)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read(text in proptest::collection::vec(any::<u8>(), 0..40), year in 1970u64..2200) {
        if let Ok(value) = HeaderValue::from_bytes(&text) {
            let _ = http_date(&value, in_year(year));
        }
    }

    #[test]
    fn what_looks_like_the_oldest_form_is_read(text in "(Sunday|Monday|Xday),? [0-9+]{2}-(Nov|Feb|x)-[0-9+ ]{1,3} [0-9:]{8} GMT", year in 1970u64..2200) {
        let _ = read(&text, in_year(year));
    }

    /// What is written is read, whatever the year.
    #[test]
    fn a_date_is_read_as_it_was_written(seconds in 0u64..10_000_000_000, year in 1970u64..2200) {
        prop_assert_eq!(read(&httpdate::fmt_http_date(at(seconds)), in_year(year)), Some(at(seconds)));
    }
}
