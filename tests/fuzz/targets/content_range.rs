//! What a 206 is a part of. The first block is three numbers (first byte, length, complete length), the second a response.
#![no_main]

use std::time::Duration;

use evergate_cache::{Extent, ResponseHead};
use evergate_fuzz::{GENEROUS, blocks, head, now, number, with, without};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [numbers, response] = blocks(data);
    let head = head(response);
    what_is_accepted(&head);
    what_is_well_said(numbers, &head);
});

/// A head that tells what it brings says so in every field, once and in digits.
fn what_is_accepted(head: &ResponseHead) {
    let Some(extent) = Extent::announced(head) else { return };
    assert_eq!(head.status, StatusCode::PARTIAL_CONTENT);
    assert!(extent.length > 0);
    assert!(extent.first.checked_add(extent.length).is_some_and(|end| end <= extent.complete));
    let only = |name| {
        let mut lines = head.fields.get_all(name);
        lines.next().filter(|_| lines.next().is_none()).map(HeaderValue::as_bytes)
    };
    let range = only(&CONTENT_RANGE).expect("there is one range");
    let last = extent.first + extent.length - 1;
    let numbers: Vec<u64> = range.split(|byte| !byte.is_ascii_digit()).filter_map(decimal).collect();
    assert_eq!(numbers, [extent.first, last, extent.complete]);
    assert!(range[..5].eq_ignore_ascii_case(b"bytes"));
    let length = head.fields.get(&CONTENT_LENGTH).expect("there is a length").as_bytes();
    assert_eq!(decimal(length), Some(extent.length), "a length is digits (RFC 9110 section 8.6)");
    let etag = head.fields.get(&ETAG).expect("there is a tag").as_bytes();
    assert!(etag.starts_with(b"\""), "only a strong tag tells what it is a part of (RFC 9111 section 3.4)");

    // One word against another, or none: then nothing is told safely.
    assert_eq!(Extent::announced(&with(head, CONTENT_RANGE, "bytes 0-0/1")), None);
    for name in [CONTENT_RANGE, CONTENT_LENGTH, ETAG] {
        assert_eq!(Extent::announced(&without(head, &[name])), None);
    }
    let weak = [b"W/", etag].concat();
    let mut weakly = without(head, &[ETAG]);
    weakly.fields.append(ETAG, HeaderValue::from_bytes(&weak).expect("a weak tag is as valid"));
    assert_eq!(Extent::announced(&weakly), None);
    let personal = with(head, SET_COOKIE, "a=b");
    assert!(GENEROUS.judge_part(&personal, &HeaderMap::new(), now(), Duration::ZERO).is_none());
}

/// What is written as RFC 9110 section 14.4 says is understood, and nothing that is one off.
fn what_is_well_said(numbers: &[u8], head: &ResponseHead) {
    let (first, rest) = number(numbers);
    let (length, rest) = number(rest);
    let (complete, _) = number(rest);
    let Some(last) = length.checked_sub(1).and_then(|beyond| first.checked_add(beyond)) else { return };
    let mut head = without(head, &[CONTENT_RANGE, CONTENT_LENGTH, ETAG]);
    head.status = StatusCode::PARTIAL_CONTENT;
    let head = with(&with(&head, ETAG, "\"a\""), CONTENT_RANGE, &format!("bytes {first}-{last}/{complete}"));
    let announced = |length: u64| Extent::announced(&with(&head, CONTENT_LENGTH, &length.to_string()));
    let expected = (last < complete).then_some(Extent { first, length, complete });
    assert_eq!(announced(length), expected);
    assert_eq!(announced(length.wrapping_add(1)), None);
    assert_eq!(announced(length - 1), None);
    let unknown = without(&head, &[CONTENT_RANGE]);
    let unknown = with(&unknown, CONTENT_RANGE, &format!("bytes {first}-{last}/*"));
    assert_eq!(Extent::announced(&with(&unknown, CONTENT_LENGTH, &length.to_string())), None);
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let text = str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit))?;
    text.parse().ok()
}
