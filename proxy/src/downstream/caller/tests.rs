//! When a call is repeated, as tables.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, StatusCode};

use super::{CallError, pause, retry_after};

#[test]
fn pauses_double_with_a_random_part_up_to_a_limit() {
    let secs = Duration::from_secs;
    let cases = [
        (secs(1), 0, None, 0.0, secs(1)),
        (secs(1), 0, None, 1.0, Duration::from_millis(500)),
        (secs(1), 1, None, 0.0, secs(2)),
        (secs(1), 4, None, 0.0, secs(16)),
        (secs(1), 4, None, 0.5, secs(12)),
        (secs(1), 6, None, 0.0, secs(60)),
        (secs(1), 4_000_000_000, None, 0.0, secs(60)),
        (Duration::MAX, 20, None, 0.0, secs(60)),
        (secs(1), 0, Some(secs(7)), 0.5, secs(7)),
        (secs(1), 4, Some(secs(7)), 0.0, secs(16)),
        (secs(1), 0, Some(secs(86_400)), 0.0, secs(60)),
    ];
    for (first, attempt, asked_for, random, expected) in cases {
        assert_eq!(pause(first, attempt, asked_for, random), expected, "{first:?} {attempt} {asked_for:?} {random}");
    }
}

#[test]
fn retry_after_is_a_number_or_a_date() {
    let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let cases = [
        ("120", Some(120)),
        ("0", Some(0)),
        ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
        ("Sun, 06 Nov 1994 08:49:36 GMT", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("99999999999999999999999", None),
    ];
    for (value, expected) in cases {
        let mut fields = HeaderMap::new();
        fields.insert("retry-after", HeaderValue::from_static(value));
        assert_eq!(retry_after(&fields, now), expected.map(Duration::from_secs), "{value}");
    }
    assert_eq!(retry_after(&HeaderMap::new(), now), None);
}

#[test]
fn only_what_may_pass_is_tried_again() {
    for (status, passing) in [(301, false), (304, false), (400, false), (401, false), (404, false), (408, false)]
        .into_iter()
        .chain([(429, true), (500, true), (502, true), (503, true), (504, true), (599, true)])
    {
        let error = CallError::Status(StatusCode::from_u16(status).unwrap(), None);
        assert_eq!(error.is_passing(), passing, "{status}");
    }
}
