//! What the gateway adds to answers, and the answers that it makes itself.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use evergate_cache::{Fields, Moment, ResponseHead, StoredResponse};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use super::{Added, Lines, Notice, ToldNow, date};
use crate::outcome::{Answered, Fetched, Outcome, PassReason};

/// 1994-11-15 08:12:31.
fn then() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(784_887_151)
}

/// The added lines, in their order.
fn added(outcome: Outcome, age: Option<u64>, told: Option<(&'static str, Option<&'static str>)>) -> Vec<String> {
    let told = told.map(|(all, cdn)| (HeaderValue::from_static(all), cdn.map(HeaderValue::from_static)));
    let told = told.as_ref().map(|(all, cdn)| ToldNow { cache_control: all, cdn_cache_control: cdn.as_ref() });
    let mut lines = Vec::new();
    let mut scratch = String::from("left by the response before");
    Added { outcome: &outcome, age, told }.each(&mut scratch, |name, value| {
        lines.push(format!("{name}: {}", String::from_utf8_lossy(value)));
    });
    lines
}

#[test]
fn what_is_added_to_answers() {
    let hit = Outcome::Hit { ttl: Some(Duration::from_secs(41)) };
    let pass = Outcome::Pass { reason: PassReason::Dynamic, fetched: Fetched::Pending };
    let cases: [(Vec<String>, &[&str]); 5] = [
        (added(hit, None, None), &["cache-status: evergate; hit; ttl=41", "x-cache: HIT"]),
        (added(hit, Some(19), None), &["age: 19", "cache-status: evergate; hit; ttl=41", "x-cache: HIT"]),
        (
            added(hit, Some(0), Some(("public", Some("max-age=60")))),
            &[
                "age: 0",
                "cache-control: public",
                "cdn-cache-control: max-age=60",
                "cache-status: evergate; hit; ttl=41",
                "x-cache: HIT",
            ],
        ),
        (
            added(pass, None, Some(("no-store", None))),
            &["cache-control: no-store", "cache-status: evergate; fwd=bypass; detail=dynamic", "x-cache: PASS"],
        ),
        // What the gateway answers alone has nothing to do with a cache.
        (added(Outcome::Answered(Answered::NotFound), None, None), &["cache-status: evergate; detail=not-found"]),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_notice_is_for_nobody_to_keep() {
    let cases = [
        (StatusCode::NOT_FOUND, "no route matches this path", "404 Not Found: no route matches this path\n"),
        (StatusCode::BAD_GATEWAY, "it did not answer", "502 Bad Gateway: it did not answer\n"),
        (StatusCode::PERMANENT_REDIRECT, "", "308 Permanent Redirect: \n"),
    ];
    for (status, explanation, body) in cases {
        let notice = Notice::new(status, explanation, then()).with(LOCATION, HeaderValue::from_static("/a"));
        assert_eq!((notice.status, notice.body.as_ref()), (status, body.as_bytes()));
        let lines: Vec<(&str, &str)> =
            notice.fields.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        let expected = [
            ("content-type", "text/plain; charset=utf-8"),
            ("cache-control", "private, no-cache, no-store, max-age=0, must-revalidate"),
            ("date", "Tue, 15 Nov 1994 08:12:31 GMT"),
            ("location", "/a"),
        ];
        assert_eq!(lines, expected, "{status}");
    }
}

#[test]
fn dates_are_written_as_http_does() {
    let cases = [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_887_151, "Tue, 15 Nov 1994 08:12:31 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4_102_444_799, "Thu, 31 Dec 2099 23:59:59 GMT"),
    ];
    for (seconds, expected) in cases {
        assert_eq!(date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        // The part of a second that has passed is not over.
        assert_eq!(date(SystemTime::UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 999)), expected);
    }
}

#[test]
fn lines_come_from_what_is_stored_or_given() {
    let fields: Fields = [(LOCATION, HeaderValue::from_static("/a"))].into_iter().collect();
    let head = ResponseHead { status: StatusCode::FOUND, fields: fields.clone() };
    let now = Moment { wall: then(), monotonic: Duration::ZERO };
    let stored = StoredResponse::new(head, b"body", now, None);
    for lines in [Lines::Stored(stored.identity()), Lines::Given(StatusCode::FOUND, Cow::Borrowed(&fields))] {
        assert_eq!(lines.status(), StatusCode::FOUND);
        assert_eq!(lines.fields().get(&LOCATION).unwrap(), "/a");
    }
}
