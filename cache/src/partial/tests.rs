//! Which parts are kept, and what parts become together.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::RANGE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::{Combined, Extent, Partial};
use crate::{Fields, Heuristic, Moment, OriginRules, Part, Requested, ResponseHead, StoredResponse, requested};

type Line<'a> = (&'a str, &'a str);

const BODY: &str = "0123456789";

fn at(seconds: u64) -> Moment {
    let time = Duration::from_secs(seconds);
    Moment { wall: SystemTime::UNIX_EPOCH + time, monotonic: time }
}

fn head(status: u16, lines: &[Line<'_>]) -> ResponseHead {
    let line = |(name, value): &Line<'_>| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    ResponseHead { status: StatusCode::from_u16(status).unwrap(), fields: lines.iter().map(line).collect::<Fields>() }
}

/// A status, fields, and the first byte, the length and the whole of what they announce.
type Announced<'a> = (u16, &'a [Line<'a>], Option<(u64, u64, u64)>);

/// RFC 9110 sections 14.4 and 15.3.7.
#[test]
fn what_a_head_announces() {
    const TAG: Line<'_> = ("etag", "\"a\"");
    const FIVE: Line<'_> = ("content-length", "5");
    const FRONT: Line<'_> = ("content-range", "bytes 0-4/10");
    let cases: [Announced<'_>; 32] = [
        (206, &[TAG, FIVE, FRONT], Some((0, 5, 10))),
        (206, &[TAG, FIVE, ("content-range", "bytes 5-9/10")], Some((5, 5, 10))),
        (206, &[TAG, FIVE, ("content-range", "Bytes 0-4/5")], Some((0, 5, 5))),
        (206, &[TAG, ("content-length", "1"), ("content-range", "bytes 9-9/10")], Some((9, 1, 10))),
        // Another status has no parts.
        (200, &[TAG, FIVE, FRONT], None),
        (416, &[TAG, FIVE, FRONT], None),
        // Nothing tells safely what it is a part of (RFC 9110 section 8.8.3.2, RFC 9111 section 3.4).
        (206, &[FIVE, FRONT], None),
        (206, &[("etag", "W/\"a\""), FIVE, FRONT], None),
        (206, &[("etag", "a"), FIVE, FRONT], None),
        (206, &[("etag", "\""), FIVE, FRONT], None),
        (206, &[("etag", "\"a\"b\""), FIVE, FRONT], None),
        (206, &[TAG, TAG, FIVE, FRONT], None),
        (206, &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"), FIVE, FRONT], None),
        // It contradicts itself.
        (206, &[TAG, ("content-length", "4"), FRONT], None),
        (206, &[TAG, ("content-length", "10"), FRONT], None),
        (206, &[TAG, FRONT], None),
        (206, &[TAG, ("content-length", "five"), FRONT], None),
        (206, &[TAG, ("content-length", "+5"), FRONT], None),
        (206, &[TAG, FIVE, ("content-length", "6"), FRONT], None),
        (206, &[TAG, FIVE, FIVE, FRONT], Some((0, 5, 10))),
        (206, &[TAG, FIVE, ("content-range", "bytes 4-0/10")], None),
        (206, &[TAG, FIVE, ("content-range", "bytes 6-10/10")], None),
        (206, &[TAG, FIVE, FRONT, FRONT], None),
        // It does not say which bytes, or of how many.
        (206, &[TAG, FIVE], None),
        (206, &[TAG, FIVE, ("content-range", "bytes 0-4/*")], None),
        (206, &[TAG, FIVE, ("content-range", "bytes */10")], None),
        (206, &[TAG, FIVE, ("content-range", "items 0-4/10")], None),
        (206, &[TAG, FIVE, ("content-range", "bytes=0-4/10")], None),
        (206, &[TAG, FIVE, ("content-range", "bytes +0-4/10")], None),
        (206, &[TAG, FIVE, ("content-range", "bytes 0-4")], None),
        (206, &[TAG, FIVE, ("content-type", "multipart/byteranges; boundary=x")], None),
        (206, &[TAG, FIVE, ("content-range", "bytes 0-18446744073709551616/18446744073709551617")], None),
    ];
    for (status, lines, expected) in cases {
        let found = Extent::announced(&head(status, lines));
        assert_eq!(found.map(|extent| (extent.first, extent.length, extent.complete)), expected, "{status} {lines:?}");
    }
}

/// A part is kept as the whole would be, if anyone may have all of it (RFC 9111 section 3.3).
#[test]
fn promise_1_a_part_is_kept_where_the_whole_would_be() {
    let rules = OriginRules {
        expire: Duration::from_secs(600),
        stale_if_error: Duration::ZERO,
        heuristic: Heuristic::Never,
        written: &[],
    };
    let cases: [(&[Line<'_>], &[Line<'_>], bool); 11] = [
        (&[], &[("cache-control", "max-age=60")], true),
        (&[], &[("cache-control", "max-age=60"), ("vary", "accept")], true),
        (&[], &[], false),
        (&[], &[("cache-control", "max-age=0")], false),
        (&[], &[("cache-control", "max-age=60, no-cache")], false),
        (&[], &[("cache-control", "max-age=60, private=\"x-a\"")], false),
        (&[], &[("cache-control", "max-age=60, private")], false),
        (&[], &[("cache-control", "max-age=60"), ("set-cookie", "a=b")], false),
        (&[], &[("cache-control", "max-age=60"), ("vary", "*")], false),
        (&[("authorization", "Basic x")], &[("cache-control", "max-age=60")], false),
        (&[("authorization", "Basic x")], &[("cache-control", "s-maxage=60")], true),
    ];
    for (request, lines, expected) in cases {
        let head = head(206, &[lines, &[("etag", "\"a\"")]].concat());
        let request: HeaderMap = request
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let found = rules.judge_part(&head, &request, at(0), Duration::ZERO);
        assert_eq!(found.is_some(), expected, "{request:?} {lines:?}");
    }
}

/// The bytes from `first` to before `end` of [`BODY`], as a response of this tag that came at some second.
fn part(first: usize, end: usize, tag: &str, seconds: u64) -> Partial {
    part_with(first, end, tag, seconds, &[])
}

/// The same with more fields.
fn part_with(first: usize, end: usize, tag: &str, seconds: u64, more: &[Line<'_>]) -> Partial {
    let tag = format!("\"{tag}\"");
    let came = seconds.to_string();
    let body = Bytes::from_static(&BODY.as_bytes()[first..end]);
    let lines = [&[("etag", tag.as_str()), ("x-came", came.as_str())], more].concat();
    let response = StoredResponse::new(head(200, &lines), &body, at(seconds), None);
    let [first, length] = [first, end - first].map(|number| number as u64);
    Partial::new(response, Extent { first, length, complete: BODY.len() as u64 })
}

/// What a part and an older one make, in words.
fn together(newer: Partial, older: Option<&Partial>, most: u64) -> String {
    let text = |response: &StoredResponse| String::from_utf8(response.body().to_vec()).unwrap();
    match newer.with(older, most) {
        Combined::Part(part) => format!("{}: {}", part.extent.first, text(part.response())),
        Combined::Whole(response) => format!("whole: {}", text(&response)),
    }
}

/// RFC 9111 section 3.4.
#[test]
fn parts_become_more() {
    // The newer one, the older one, what they make.
    let cases = [
        ((0, 5), None, "0: 01234"),
        ((0, 10), None, "whole: 0123456789"),
        ((0, 5), Some((5, 8)), "0: 01234567"),
        ((5, 8), Some((0, 5)), "0: 01234567"),
        ((0, 5), Some((5, 10)), "whole: 0123456789"),
        ((5, 10), Some((0, 5)), "whole: 0123456789"),
        ((2, 6), Some((4, 9)), "2: 2345678"),
        ((4, 9), Some((2, 6)), "2: 2345678"),
        ((2, 8), Some((3, 5)), "2: 234567"),
        ((3, 5), Some((2, 8)), "2: 234567"),
        ((2, 8), Some((2, 8)), "2: 234567"),
        // What leaves a gap is not put together: the newer one stays.
        ((0, 4), Some((5, 10)), "0: 0123"),
        ((6, 10), Some((0, 5)), "6: 6789"),
    ];
    for (newer, older, expected) in cases {
        let parts = |tag: &str| (part(newer.0, newer.1, "a", 9), older.map(|(first, end)| part(first, end, tag, 1)));
        let (new, old) = parts("a");
        assert_eq!(together(new, old.as_ref(), 100), expected, "{newer:?} and {older:?}");
        // Only of the same strong tag.
        let (new, old) = parts("b");
        let alone = together(part(newer.0, newer.1, "a", 9), None, 100);
        assert_eq!(together(new, old.as_ref(), 100), alone, "{newer:?} and {older:?} of another");
    }
    // Nor beyond what a body may have.
    assert_eq!(together(part(0, 5, "a", 9), Some(&part(5, 8, "a", 1)), 8), "0: 01234567");
    assert_eq!(together(part(0, 5, "a", 9), Some(&part(5, 8, "a", 1)), 7), "0: 01234");
    // Nor where the lengths of the wholes differ.
    let mut longer = part(5, 8, "a", 1);
    longer.extent.complete = 11;
    assert_eq!(together(part(0, 5, "a", 9), Some(&longer), 100), "0: 01234");
}

/// Handlers give one tag to several representations: their parts are not put together.
#[test]
fn parts_of_one_coding_and_type_become_more() {
    const GZIP: Line<'_> = ("content-encoding", "gzip");
    const BR: Line<'_> = ("content-encoding", "br");
    const TEXT: Line<'_> = ("content-type", "text/plain");
    // The fields of the newer one, of the older one, and whether they are put together.
    let cases: [(&[Line<'_>], &[Line<'_>], bool); 12] = [
        (&[], &[], true),
        (&[GZIP], &[GZIP], true),
        (&[GZIP], &[BR], false),
        (&[GZIP], &[], false),
        (&[], &[GZIP], false),
        (&[GZIP, BR], &[GZIP], false),
        (&[GZIP, BR], &[BR, GZIP], false),
        (&[TEXT], &[TEXT], true),
        (&[TEXT], &[("content-type", "text/html")], false),
        (&[TEXT], &[], false),
        (&[TEXT, GZIP], &[GZIP, TEXT], true),
        // Other fields may differ.
        (&[TEXT, ("content-language", "en")], &[TEXT, ("x-a", "1")], true),
    ];
    for (newer, older, expected) in cases {
        for ((first, end), (from, to), both) in
            [((0, 5), (5, 8), "0: 01234567"), ((5, 10), (0, 5), "whole: 0123456789")]
        {
            let (new, old) = (part_with(first, end, "a", 9, newer), part_with(from, to, "a", 1, older));
            let alone = format!("{first}: {}", &BODY[first..end]);
            let expected = if expected { both } else { &alone };
            assert_eq!(together(new, Some(&old), 100), expected, "{newer:?} and {older:?}");
        }
    }
}

#[test]
fn the_fields_are_those_of_the_newer_part() {
    let Combined::Whole(whole) = part(0, 5, "a", 9).with(Some(&part(5, 10, "a", 1)), 100) else {
        panic!("nothing is missing")
    };
    let field = |name: &str| whole.head().fields.get(&name.parse().unwrap()).unwrap().to_str().unwrap().to_owned();
    assert_eq!((field("x-came"), field("content-length"), field("etag")), ("9".into(), "10".into(), "\"a\"".into()));
    assert_eq!((whole.head().status, whole.age(at(10))), (StatusCode::OK, Duration::from_secs(1)));
}

/// A part of the whole that someone asks for.
fn wanted(first: u64, last: u64) -> Part {
    let range = HeaderValue::from_str(&format!("bytes={first}-{last}")).unwrap();
    let request = HeaderMap::from_iter([(RANGE, range)]);
    let Requested::One(part) = requested(&request, None, None, None, BODY.len() as u64) else {
        panic!("{first} to {last} is one part")
    };
    part
}

#[test]
fn a_part_has_the_bytes_that_it_holds() {
    let held = part(2, 6, "a", 0);
    assert_eq!(held.complete(), 10);
    let cases = [
        ((2, 5), Some("2345")),
        ((2, 2), Some("2")),
        ((3, 4), Some("34")),
        ((5, 5), Some("5")),
        ((1, 3), None),
        ((5, 6), None),
        ((0, 9), None),
        ((6, 7), None),
        ((0, 1), None),
    ];
    for ((first, last), expected) in cases {
        assert_eq!(held.bytes(wanted(first, last)).as_deref(), expected.map(str::as_bytes), "{first} to {last}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// However parts come, what is there of the whole has the bytes of the whole in their places.
    #[test]
    fn parts_keep_their_places(cuts in proptest::collection::vec((0usize..10, 1usize..=10), 1..6), most in 1u64..12) {
        let mut known: Option<Partial> = None;
        for (first, length) in cuts {
            let end = (first + length).min(BODY.len());
            match part(first, end, "a", 0).with(known.as_ref(), most) {
                Combined::Whole(response) => {
                    prop_assert_eq!(&response.body()[..], BODY.as_bytes());
                    known = None;
                }
                Combined::Part(part) => {
                    let begin = usize::try_from(part.extent.first).unwrap();
                    let end = begin + usize::try_from(part.extent.length).unwrap();
                    prop_assert_eq!(&part.response().body()[..], &BODY.as_bytes()[begin..end]);
                    prop_assert!(begin <= first && part.extent.end() >= (end.min(first) as u64));
                    known = Some(part);
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_read(range in proptest::collection::vec(any::<u8>(), 0..30), numbers in "bytes [0-9]{1,20}-[0-9]{1,20}/[0-9]{1,20}") {
        for value in [HeaderValue::from_bytes(&range).ok(), HeaderValue::from_str(&numbers).ok()].into_iter().flatten() {
            let mut head = head(206, &[("etag", "\"a\""), ("content-length", "5")]);
            head.fields.append(http::header::CONTENT_RANGE, value);
            if let Some(extent) = Extent::announced(&head) {
                prop_assert!(extent.end() <= extent.complete);
            }
        }
    }
}
