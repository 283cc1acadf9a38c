//! Range requests. The first block is the length of the representation, the second a request, the third a response.
#![no_main]

use bytes::Bytes;
use evergate_cache::{Extent, MAX_PARTS, Part, Requested, content_range, multipart, requested};
use evergate_fuzz::{blocks, fields, number, request, text};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;

/// Beyond it a body is not made, for the sake of speed.
const LONGEST_BODY: u64 = 1 << 12;

fuzz_target!(|data: &[u8]| {
    let [complete, request_block, response] = blocks(data);
    let (complete, _) = number(complete);
    let request = request(request_block);
    let fields = fields(response);
    for complete in [complete, complete % LONGEST_BODY] {
        let validators = (fields.get(&ETAG), fields.get(&LAST_MODIFIED), fields.get(&DATE));
        let answer = requested(&request, validators.0, validators.1, validators.2, complete);
        let parts = parts(&answer, complete);
        conditions(&request, &answer, validators.0, complete);
        if !request.contains_key(IF_RANGE) {
            nothing_is_left_out(&request, &answer, complete);
        }
        for part in parts {
            one_part_is_understood(*part, complete);
        }
        if complete <= LONGEST_BODY {
            bytes_are_those_of_the_body(parts, fields.get(&CONTENT_TYPE), complete);
        }
    }
});

/// The parts of an answer: within the representation, apart from each other, and fewer bytes than the whole.
fn parts(answer: &Requested, complete: u64) -> &[Part] {
    let parts = match answer {
        Requested::Whole | Requested::Unsatisfiable => &[],
        Requested::One(part) => std::slice::from_ref(part),
        Requested::Several(parts) => {
            assert!((2..=MAX_PARTS).contains(&parts.len()));
            assert!(parts.iter().map(|part| part.length()).sum::<u64>() < complete);
            parts
        }
    };
    for (place, part) in parts.iter().enumerate() {
        assert!(part.first() <= part.last() && part.last() < complete);
        let apart = |other: &Part| other.last() < part.first() || part.last() < other.first();
        assert!(parts[..place].iter().all(apart));
    }
    parts
}

/// `Range` alone is the request for a part, and a weak tag does not hold (RFC 9110 sections 13.1.5 and 14.2).
fn conditions(request: &HeaderMap, answer: &Requested, etag: Option<&HeaderValue>, complete: u64) {
    let ranges = request.get_all(RANGE).iter().count();
    assert!(ranges == 1 || *answer == Requested::Whole);
    let Some(etag) = etag else { return };
    let mut request = request.clone();
    request.insert(IF_RANGE, etag.clone());
    let held = requested(&request, Some(etag), None, None, complete);
    assert!(held == Requested::Whole || etag.as_bytes().starts_with(b"\""));
    let other = HeaderValue::from_static("\"of another\"");
    assert!(*etag == other || requested(&request, Some(&other), None, None, complete) == Requested::Whole);
}

/// Where the field is written as RFC 9110 section 14.1.2 says, every byte that was asked for and is there is sent.
fn nothing_is_left_out(request: &HeaderMap, answer: &Requested, complete: u64) {
    let mut lines = request.get_all(RANGE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return };
    let Some(asked) = line.to_str().ok().and_then(|line| asked(line, complete)) else { return };
    if asked.len() > MAX_PARTS || asked.iter().any(|(first, last)| first > last) {
        assert_eq!(*answer, Requested::Whole);
        return;
    }
    let mut satisfiable = asked.iter().filter(|(first, _)| *first < complete).peekable();
    assert_eq!(*answer == Requested::Unsatisfiable, satisfiable.peek().is_none());
    for (first, last) in satisfiable {
        let last = *last.min(&(complete - 1));
        let holds = |part: &Part| part.first() <= *first && last <= part.last();
        let sent = match answer {
            Requested::Whole => true,
            Requested::One(part) => holds(part),
            Requested::Several(parts) => parts.iter().any(holds),
            Requested::Unsatisfiable => false,
        };
        assert!(sent, "{first}-{last} of {complete} in {answer:?}");
    }
}

/// The ranges of a well-formed field, with numbers that fit.
fn asked(line: &str, complete: u64) -> Option<Vec<(u64, u64)>> {
    let digits = |text: &str| text.parse::<u64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let range = |spec: &str| match spec.split_once('-')? {
        ("", suffix) => Some((complete.saturating_sub(digits(suffix)?), u64::MAX)),
        (first, "") => Some((digits(first)?, u64::MAX)),
        (first, last) => Some((digits(first)?, digits(last)?)),
    };
    line.strip_prefix("bytes=")?.split(',').map(range).collect()
}

/// What we say of a part is what we would understand of it.
fn one_part_is_understood(part: Part, complete: u64) {
    let fields = [
        (ETAG, text("\"a\"")),
        (CONTENT_RANGE, content_range(part, complete)),
        (CONTENT_LENGTH, HeaderValue::from(part.length())),
    ];
    let head =
        evergate_cache::ResponseHead { status: StatusCode::PARTIAL_CONTENT, fields: fields.into_iter().collect() };
    let extent = Extent { first: part.first(), length: part.length(), complete };
    assert_eq!(Extent::announced(&head), Some(extent));
}

/// What several parts are sent as is read again, by the grammar of RFC 2046 section 5.1.1.
fn bytes_are_those_of_the_body(parts: &[Part], content_type: Option<&HeaderValue>, complete: u64) {
    const BOUNDARY: u128 = 0x1234_5678_9abc_def0;
    let body: Bytes = (0..complete).map(|place| (place % 251) as u8).collect();
    let (kind, pieces) = multipart(parts, content_type, &body, BOUNDARY);
    let boundary = format!("{BOUNDARY:032x}");
    assert_eq!(kind, text(&format!("multipart/byteranges; boundary={boundary}")));
    let sent = pieces.concat();
    let mut rest = &sent[..];
    for (place, part) in parts.iter().enumerate() {
        let delimiter = format!("{}--{boundary}\r\n", if place == 0 { "" } else { "\r\n" });
        rest = rest.strip_prefix(delimiter.as_bytes()).expect("every part begins with the delimiter");
        let end = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the fields of a part end");
        let range = [b"Content-Range: ", content_range(*part, complete).as_bytes()].concat();
        let expected = match content_type {
            Some(content_type) => [b"Content-Type: ", content_type.as_bytes(), b"\r\n", &range].concat(),
            None => range,
        };
        assert_eq!(rest[..end], expected);
        rest = &rest[end + 4..];
        let (first, last) = (part.first() as usize, part.last() as usize);
        let content = rest.split_off(..last - first + 1).expect("the content is whole");
        assert_eq!(*content, body[first..=last]);
    }
    assert_eq!(rest, format!("\r\n--{boundary}--\r\n").as_bytes());
}
