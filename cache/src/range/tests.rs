//! Which parts of a stored response a visitor gets, and how several are sent together.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{
    MAX_PARTS, PART_OVERHEAD, Part, Requested, content_range, content_range_unsatisfied, multipart, requested,
};

/// What a request with these lines asks for of `complete` bytes with these validators and date (empty is none).
fn asks(lines: &[(&str, &[u8])], [etag, last_modified, date]: [&str; 3], complete: u64) -> Requested {
    let mut request = HeaderMap::new();
    for (name, value) in lines {
        request.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap());
    }
    let value = |text: &str| Some(HeaderValue::from_bytes(text.as_bytes()).unwrap()).filter(|value| !value.is_empty());
    let [etag, last_modified, date] = [etag, last_modified, date].map(value);
    requested(&request, etag.as_ref(), last_modified.as_ref(), date.as_ref(), complete)
}

/// The answer in short: `whole`, `none`, or the parts as a `Range` would list them.
fn short(requested: &Requested) -> String {
    let listed = |part: &Part| format!("{}-{}", part.first(), part.last());
    match requested {
        Requested::Whole => "whole".to_owned(),
        Requested::One(part) => listed(part),
        Requested::Several(parts) => parts.iter().map(listed).collect::<Vec<_>>().join(","),
        Requested::Unsatisfiable => "none".to_owned(),
    }
}

/// Checks what each `Range` asks for of so many bytes.
fn check(cases: &[(&str, u64, &str)]) {
    for (range, complete, expected) in cases {
        let found = asks(&[("range", range.as_bytes())], ["", "", ""], *complete);
        assert_eq!(short(&found), *expected, "{range:?} of {complete}");
    }
}

#[test]
fn one_range() {
    check(&[
        ("bytes=0-4", 10, "0-4"),
        ("bytes=0-0", 10, "0-0"),
        ("bytes=9-9", 10, "9-9"),
        ("bytes=5-", 10, "5-9"),
        ("bytes=-3", 10, "7-9"),
        ("bytes=007-08", 10, "7-8"),
        // A single range is shown even where it is the whole.
        ("bytes=0-", 10, "0-9"),
        ("bytes=0-9", 10, "0-9"),
        ("bytes=-10", 10, "0-9"),
        // The end is clamped, a suffix too long is everything (RFC 9110 section 14.1.2).
        ("bytes=5-10", 10, "5-9"),
        ("bytes=5-999", 10, "5-9"),
        ("bytes=-11", 10, "0-9"),
        // Numbers that do not fit are beyond the end.
        ("bytes=5-18446744073709551616", 10, "5-9"),
        ("bytes=0-99999999999999999999999999", u64::MAX, "0-18446744073709551614"),
        ("bytes=-99999999999999999999999999", 10, "0-9"),
        ("bytes=18446744073709551616-", 10, "none"),
        ("bytes=18446744073709551617-18446744073709551618", u64::MAX, "none"),
        // What begins beyond the end cannot be satisfied.
        ("bytes=10-", 10, "none"),
        ("bytes=10-10", 10, "none"),
        ("bytes=11-20", 10, "none"),
        ("bytes=-0", 10, "none"),
        ("bytes=-00", 10, "none"),
        // Nothing has no parts.
        ("bytes=0-", 0, "none"),
        ("bytes=0-0", 0, "none"),
        ("bytes=-1", 0, "none"),
        ("bytes=-0", 0, "none"),
        ("bytes=0-0", 1, "0-0"),
    ]);
}

#[test]
fn unit_and_space() {
    check(&[
        ("BYTES=0-4", 10, "0-4"),
        ("Bytes=0-4", 10, "0-4"),
        ("  bytes=0-4  ", 10, "0-4"),
        ("bytes= 0-4", 10, "0-4"),
        ("bytes=0-4 \t", 10, "0-4"),
        ("bytes=,0-4", 10, "0-4"),
        ("bytes=0-4,", 10, "0-4"),
        ("bytes=, ,\t,0-4, ,", 10, "0-4"),
        ("bytes=0-4 , 200-204", 1000, "0-4,200-204"),
        ("bytes=0-4\t,\t200-204", 1000, "0-4,200-204"),
        // One range among empty elements is still one, and shown.
        ("bytes=0-,,", 10, "0-9"),
    ]);
}

#[test]
fn what_is_malformed_or_unknown_is_ignored() {
    let fields = [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes= , ,",
        "bytes=-",
        "bytes=--4",
        "bytes=4",
        "bytes=4-3",
        "bytes=0-4-",
        "bytes=0-4-5",
        "bytes=0 - 4",
        "bytes=0- 4",
        "bytes=- 4",
        "bytes=+0-4",
        "bytes=0-+4",
        "bytes=a-4",
        "bytes=0-b",
        "bytes=0x0-4",
        "bytes=0-4;5-6",
        "bytes=*",
        "bytes=0-é",
        "bytes=\"0-4\"",
        "bytes==0-4",
        "bytes =0-4",
        "bytes 0-4/10",
        "bytes:0-4",
        "=0-4",
        "byte=0-4",
        "bytess=0-4",
        "items=0-4",
        "seconds=0-4",
        // One malformed range spoils the list, even where others cannot be satisfied.
        "bytes=0-4,x",
        "bytes=x,0-4",
        "bytes=0-4,9-8",
        "bytes=10-,-",
        "bytes=0-4,bytes=6-7",
    ];
    check(&fields.map(|field| (field, 10, "whole")));
}

#[test]
fn several_ranges() {
    check(&[
        // The examples of RFC 9110 section 14.1.2.
        ("bytes=0-499", 10000, "0-499"),
        ("bytes=500-999", 10000, "500-999"),
        ("bytes=-500", 10000, "9500-9999"),
        ("bytes=9500-", 10000, "9500-9999"),
        ("bytes=0-0,-1", 10000, "0-0,9999-9999"),
        ("bytes= 0-999, 4500-5499, -1000", 10000, "0-999,4500-5499,9000-9999"),
        ("bytes=500-600,601-999", 10000, "500-999"),
        ("bytes=500-700,601-999", 10000, "500-999"),
        // The order is the visitor's.
        ("bytes=-1,0-0", 10000, "9999-9999,0-0"),
        ("bytes=500-509,0-9,900-909", 1000, "500-509,0-9,900-909"),
        // What cannot be satisfied is left out.
        ("bytes=0-4,1000-", 1000, "0-4"),
        ("bytes=1000-,0-4", 1000, "0-4"),
        ("bytes=2000-3000,0-4,-0,500-504", 1000, "0-4,500-504"),
        ("bytes=1000-,2000-2001,-0", 1000, "none"),
        ("bytes=0-4,5-9,-1", 0, "none"),
    ]);
}

#[test]
fn near_ranges_are_one() {
    check(&[
        ("bytes=0-9,0-9", 1000, "0-9"),
        ("bytes=0-99,20-29", 1000, "0-99"),
        ("bytes=20-29,0-99", 1000, "0-99"),
        ("bytes=10-19,0-9", 1000, "0-19"),
        // A gap of 79 bytes is cheaper than a part, one of 80 is not.
        ("bytes=0-9,89-99", 1000, "0-99"),
        ("bytes=0-9,90-99", 1000, "0-9,90-99"),
        ("bytes=89-99,0-9", 1000, "0-99"),
        ("bytes=90-99,0-9", 1000, "90-99,0-9"),
        // Together they stand where the first of them stood.
        ("bytes=500-509,0-9,510-519", 1000, "500-519,0-9"),
        ("bytes=0-9,500-509,800-809,490-499", 1000, "0-9,490-509,800-809"),
        // One that bridges two makes all three one, and what has grown is compared again.
        ("bytes=0-9,800-809,200-209,10-199", 1000, "0-209,800-809"),
        ("bytes=800-809,200-209,0-9,10-199", 1000, "800-809,0-209"),
        ("bytes=300-309,0-9,150-159,5-295", 1000, "0-309"),
    ]);
}

#[test]
fn several_that_cost_no_less_than_the_whole_are_the_whole() {
    check(&[
        ("bytes=0-4,5-9", 10, "whole"),
        ("bytes=0-,0-,0-", 10, "whole"),
        ("bytes=0-,20-30", 10, "whole"),
        ("bytes=0-0,-1", 10, "whole"),
        ("bytes=0-4,5-8", 10, "0-8"),
        // Two parts cost 160 bytes beside their content.
        ("bytes=0-419,580-999", 1000, "whole"),
        ("bytes=0-418,580-999", 1000, "0-418,580-999"),
        // Close to the largest length there is no overflow.
        ("bytes=0-9223372036854775807,9223372036854775900-", u64::MAX, "whole"),
    ]);
}

#[test]
fn too_many_ranges_are_ignored() {
    let list = |count: usize| {
        let ranges: Vec<String> = (0..count).map(|at| format!("{0}-{0}", at * 1000)).collect();
        ranges.join(",")
    };
    let most = list(MAX_PARTS);
    let cases = [
        (most.clone(), most.as_str()),
        (format!(",,{most},,,"), most.as_str()),
        (list(MAX_PARTS + 1), "whole"),
        // They count as they are asked, whatever would become of them.
        (format!("{most},0-0"), "whole"),
        (format!("{most},9999999-"), "whole"),
        (["0-0"; MAX_PARTS].join(","), "0-0"),
        (["0-0"; MAX_PARTS + 1].join(","), "whole"),
        (["0-"; 100_000].join(","), "whole"),
    ];
    for (list, expected) in &cases {
        check(&[(&format!("bytes={list}"), 1_000_000, expected)]);
    }
}

#[test]
fn lines() {
    type Lines = &'static [(&'static str, &'static [u8])];
    let cases: [(Lines, &str); 7] = [
        (&[], "whole"),
        (&[("range", b"bytes=0-4")], "0-4"),
        // A field that is repeated is ignored, whatever its lines say.
        (&[("range", b"bytes=0-4"), ("range", b"bytes=0-4")], "whole"),
        (&[("range", b"bytes=0-4"), ("range", b"")], "whole"),
        (&[("range", b"bytes=0-4"), ("range", b"items=1")], "whole"),
        // Without a `Range` there is no `If-Range` (RFC 9110 section 13.1.5).
        (&[("if-range", b"\"a\"")], "whole"),
        (&[("range", b"bytes=\xff-4")], "whole"),
    ];
    for (lines, expected) in cases {
        assert_eq!(short(&asks(lines, ["\"a\"", "", ""], 10)), expected, "{lines:?}");
    }
}

const EARLIER: &str = "Tue, 15 Nov 1994 08:12:30 GMT";
const MODIFIED: &str = "Tue, 15 Nov 1994 08:12:31 GMT";
const LATER: &str = "Tue, 15 Nov 1994 08:12:32 GMT";

#[test]
fn if_range_with_a_tag() {
    let cases = [
        ("\"a\"", "\"a\"", "0-4"),
        ("\"a, b\"", "\"a, b\"", "0-4"),
        ("\"\"", "\"\"", "0-4"),
        ("\"é\"", "\"é\"", "0-4"),
        (" \"a\" ", "\"a\"", "0-4"),
        ("\"a\"", " \"a\" ", "0-4"),
        ("\"a\"", "\"b\"", "whole"),
        ("\"a\"", "\"A\"", "whole"),
        ("\"a\"", "", "whole"),
        // Tags compare strongly: no weak one ever matches (RFC 9110 section 8.8.3.2).
        ("W/\"a\"", "W/\"a\"", "whole"),
        ("W/\"a\"", "\"a\"", "whole"),
        ("\"a\"", "W/\"a\"", "whole"),
        ("w/\"a\"", "w/\"a\"", "whole"),
        // There is one tag, not a list and no star.
        ("\"a\", \"b\"", "\"a\"", "whole"),
        ("\"a\", \"b\"", "\"a\", \"b\"", "whole"),
        ("*", "\"a\"", "whole"),
        ("a", "a", "whole"),
        ("\"a", "\"a", "whole"),
        ("\"", "\"", "whole"),
        ("", "\"a\"", "whole"),
    ];
    for (sent, etag, expected) in cases {
        let lines = [("range", b"bytes=0-4".as_slice()), ("if-range", sent.as_bytes())];
        assert_eq!(short(&asks(&lines, [etag, MODIFIED, LATER], 10)), expected, "{sent} for {etag}");
        // A condition that does not hold hides even what cannot be satisfied.
        let lines = [("range", b"bytes=10-".as_slice()), ("if-range", sent.as_bytes())];
        let expected = if expected == "0-4" { "none" } else { expected };
        assert_eq!(short(&asks(&lines, [etag, MODIFIED, LATER], 10)), expected, "{sent} for {etag}");
    }
}

#[test]
fn if_range_with_a_date() {
    let cases = [
        (MODIFIED, MODIFIED, LATER, "0-4"),
        (MODIFIED, MODIFIED, "Wed, 16 Nov 1994 08:12:31 GMT", "0-4"),
        // The obsolete spelling of the same date is the same date.
        ("Tuesday, 15-Nov-94 08:12:31 GMT", MODIFIED, LATER, "0-4"),
        (MODIFIED, "Tue Nov 15 08:12:31 1994", LATER, "0-4"),
        // Earlier or later is not the same (section 13.1.5).
        (EARLIER, MODIFIED, LATER, "whole"),
        (LATER, MODIFIED, LATER, "whole"),
        // A date is a strong validator when the answer came at least a second later (section 8.8.2.2).
        (MODIFIED, MODIFIED, MODIFIED, "whole"),
        (MODIFIED, MODIFIED, EARLIER, "whole"),
        (MODIFIED, MODIFIED, "", "whole"),
        (MODIFIED, MODIFIED, "soon", "whole"),
        (MODIFIED, "", LATER, "whole"),
        ("soon", "soon", LATER, "whole"),
        ("soon", MODIFIED, LATER, "whole"),
        ("0", MODIFIED, LATER, "whole"),
        ("", MODIFIED, LATER, "whole"),
    ];
    for (sent, modified, date, expected) in cases {
        let lines = [("range", b"bytes=0-4".as_slice()), ("if-range", sent.as_bytes())];
        let found = asks(&lines, ["\"a\"", modified, date], 10);
        assert_eq!(short(&found), expected, "{sent:?} for {modified:?} at {date:?}");
    }
}

#[test]
fn if_range_twice_does_not_hold() {
    for second in ["\"a\"", "\"b\"", MODIFIED, ""] {
        for (first, second) in [("\"a\"", second), (second, "\"a\"")] {
            let lines = [("range", "bytes=0-4"), ("if-range", first), ("if-range", second)];
            let lines = lines.map(|(name, value)| (name, value.as_bytes()));
            assert_eq!(short(&asks(&lines, ["\"a\"", MODIFIED, LATER], 10)), "whole", "{first:?}, {second:?}");
        }
    }
}

#[test]
fn content_ranges() {
    let most = u64::MAX;
    let cases = [
        (content_range(Part { first: 0, last: 4 }, 10), "bytes 0-4/10".to_owned()),
        (content_range(Part { first: 9, last: 9 }, 10), "bytes 9-9/10".to_owned()),
        (content_range(Part { first: 0, last: most - 1 }, most), format!("bytes 0-{}/{most}", most - 1)),
        (content_range_unsatisfied(10), "bytes */10".to_owned()),
        (content_range_unsatisfied(0), "bytes */0".to_owned()),
        (content_range_unsatisfied(most), format!("bytes */{most}")),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_part_of_a_body() {
    let body = Bytes::from_static(b"0123456789");
    let cases: [(u64, u64, u64, &[u8]); 6] = [
        (0, 0, 1, b"0"),
        (2, 4, 3, b"234"),
        (9, 9, 1, b"9"),
        (0, 9, 10, b"0123456789"),
        // A body that is shorter than it was said to be ends where it ends.
        (8, 12, 5, b"89"),
        (12, 14, 3, b""),
    ];
    for (first, last, length, bytes) in cases {
        let part = Part { first, last };
        assert_eq!((part.length(), part.of(&body).as_ref()), (length, bytes), "{part:?}");
    }
}

#[test]
fn several_parts_byte_for_byte() {
    let body = Bytes::from_static(b"0123456789");
    let parts = [Part { first: 7, last: 9 }, Part { first: 0, last: 1 }];
    let cases: [(Option<&[u8]>, &[u8]); 3] = [
        (Some(b"text/plain; charset=utf-8"), b"Content-Type: text/plain; charset=utf-8\r\n"),
        (Some(b"text/\xe9"), b"Content-Type: text/\xe9\r\n"),
        (None, b""),
    ];
    for (content_type, line) in cases {
        let content_type = content_type.map(|value| HeaderValue::from_bytes(value).unwrap());
        let (head, pieces) = multipart(&parts, content_type.as_ref(), &body, 0xab);
        assert_eq!(head, "multipart/byteranges; boundary=000000000000000000000000000000ab");
        let expected = [
            b"--000000000000000000000000000000ab\r\n",
            line,
            b"Content-Range: bytes 7-9/10\r\n\r\n789\r\n--000000000000000000000000000000ab\r\n",
            line,
            b"Content-Range: bytes 0-1/10\r\n\r\n01\r\n--000000000000000000000000000000ab--\r\n",
        ];
        assert_eq!(Bytes::from(pieces.concat()), Bytes::from(expected.concat()));
    }
}

/// Content is shared, not copied: a hit of eight megabytes must not cost another eight for each visitor.
#[test]
fn several_parts_share_the_memory_of_the_body() {
    let body = Bytes::from(vec![b'x'; 1000]);
    let (_, pieces) = multipart(&[Part { first: 10, last: 19 }, Part { first: 500, last: 509 }], None, &body, 1);
    assert_eq!((pieces[1].as_ptr(), pieces[3].as_ptr()), (body[10..].as_ptr(), body[500..].as_ptr()));
}

/// Cuts a multipart body again, by its delimiters alone, as a visitor does: the head of each part and its content.
fn cut_again(content_type: &HeaderValue, body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let find = |text: &[u8], wanted: &[u8]| text.windows(wanted.len()).position(|window| window == wanted).unwrap();
    let boundary = content_type.to_str().unwrap().strip_prefix("multipart/byteranges; boundary=").unwrap();
    // RFC 2046 section 5.1.1 allows no more.
    assert!(!boundary.is_empty() && boundary.len() <= 70, "{boundary}");
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let mut rest = body.strip_prefix(&delimiter[2..]).unwrap();
    let mut parts = Vec::new();
    while rest != b"--\r\n" {
        rest = rest.strip_prefix(b"\r\n").unwrap();
        let head = find(rest, b"\r\n\r\n");
        let length = find(&rest[head + 4..], &delimiter);
        parts.push((String::from_utf8_lossy(&rest[..head]).into_owned(), rest[head + 4..][..length].to_vec()));
        rest = &rest[head + 4 + length + delimiter.len()..];
    }
    parts
}

/// The parts of an answer, if it has any.
fn parts(requested: Requested) -> Vec<Part> {
    match requested {
        Requested::Whole | Requested::Unsatisfiable => Vec::new(),
        Requested::One(part) => vec![part],
        Requested::Several(parts) => parts,
    }
}

/// Whether the parts lie within the representation, far enough from each other, and are not too many.
fn sound(requested: &Requested, complete: u64) -> bool {
    let several = matches!(requested, Requested::Several(_));
    let mut parts = parts(requested.clone());
    let few = parts.len() <= MAX_PARTS && several == (parts.len() > 1);
    parts.sort_by_key(|part| part.first());
    let within = parts.iter().all(|part| part.first() <= part.last() && part.last() < complete);
    few && within && parts.windows(2).all(|two| two[0].last() + PART_OVERHEAD < two[1].first())
}

/// Any byte that a field may have.
fn field_byte() -> impl Strategy<Value = u8> {
    any::<u8>().prop_map(|byte| if HeaderValue::from_bytes(&[byte]).is_ok() { byte } else { b',' })
}

/// A range as it may be written, beside the positions that it means of `complete` bytes.
fn written(complete: u64) -> impl Strategy<Value = (String, std::ops::Range<u64>)> {
    let beyond = complete + complete / 4;
    let closed = (0..beyond, 0..beyond).prop_map(move |(one, other)| {
        let (first, last) = (one.min(other), one.max(other));
        (format!("{first}-{last}"), first..(last + 1).min(complete))
    });
    let short = (0..beyond, 0..20u64)
        .prop_map(move |(first, more)| (format!("{first}-{}", first + more), first..(first + more + 1).min(complete)));
    let open = (0..beyond).prop_map(move |first| (format!("{first}-"), first..complete));
    let suffix = (0..beyond).prop_map(move |length| (format!("-{length}"), complete.saturating_sub(length)..complete));
    prop_oneof![1 => closed, 6 => short, 1 => open, 1 => suffix]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bytes stand in the fields, the answer is sound. The condition is too short to hold.
    #[test]
    fn any_bytes_are_answered(
        noise in vec(field_byte(), 0..40),
        likely in "(bytes=)?[-0-9, \t]{0,60}",
        condition in vec(field_byte(), 0..10),
        complete in prop_oneof![0..20u64, 0..2000u64, any::<u64>()],
    ) {
        for range in [&noise, &[b"bytes=".as_slice(), &noise].concat(), &likely.into_bytes()] {
            let answer = asks(&[("range", range)], ["", "", ""], complete);
            prop_assert!(sound(&answer, complete), "{:?} of {}: {:?}", range, complete, answer);
            let lines = [("range", range.as_slice()), ("if-range", &condition)];
            let answer = asks(&lines, ["\"0123456789\"", MODIFIED, LATER], complete);
            prop_assert_eq!(answer, Requested::Whole, "{:?}", condition);
        }
    }

    /// A visitor gets every byte that he asked for, none but those between near ranges beside them, and in his order.
    #[test]
    fn what_is_asked_for_is_sent(asked in vec(written(3000), 1..MAX_PARTS)) {
        let field = asked.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(", ");
        let answer = asks(&[("range", format!("bytes={field}").as_bytes())], ["", "", ""], 3000);
        prop_assert!(sound(&answer, 3000), "{}: {:?}", field, answer);
        let asked: Vec<_> = asked.into_iter().map(|(_, range)| range).filter(|range| !range.is_empty()).collect();
        prop_assert_eq!(asked.is_empty(), answer == Requested::Unsatisfiable, "{}: {:?}", field, answer);
        if answer == Requested::Whole {
            return Ok(());
        }
        let parts = parts(answer);
        let mut places = Vec::new();
        for range in &asked {
            let place = parts.iter().position(|part| part.first() <= range.start && range.end - 1 <= part.last());
            prop_assert!(place.is_some(), "{}: {:?} has no {:?}", field, parts, range);
            places.extend(place.filter(|place| !places.contains(place)));
        }
        prop_assert_eq!(places, (0..parts.len()).collect::<Vec<_>>(), "{}: {:?}", field, &parts);
        for part in &parts {
            let nobody = |at: u64| !asked.iter().any(|range| range.contains(&at));
            let mut unasked = 0;
            for at in part.first()..=part.last() {
                unasked = if nobody(at) { unasked + 1 } else { 0 };
                prop_assert!(unasked < PART_OVERHEAD, "{}: {:?} at {}", field, part, at);
            }
            prop_assert!(!nobody(part.first()) && !nobody(part.last()), "{}: {:?}", field, part);
        }
    }

    /// A body of several parts can be cut again into exactly the bytes that they have, whatever these are.
    #[test]
    fn several_parts_can_be_cut_again(
        bytes in vec(prop_oneof![Just(b'-'), Just(b'\r'), Just(b'\n'), any::<u8>()], 1..60),
        asked in vec((0..3000u64, 0..20u64), 2..MAX_PARTS),
        boundary in any::<u128>(),
    ) {
        let field = asked.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect::<Vec<_>>().join(",");
        let Requested::Several(parts) = asks(&[("range", format!("bytes={field}").as_bytes())], ["", "", ""], 3000)
        else {
            return Ok(());
        };
        let bytes: Vec<u8> = bytes.into_iter().cycle().take(3000).collect();
        let content_type = HeaderValue::from_static("a/b");
        let (head, pieces) = multipart(&parts, Some(&content_type), &Bytes::from(bytes.clone()), boundary);
        let expected: Vec<(String, Vec<u8>)> = parts.iter().map(|part| {
            let (first, last) = (part.first(), part.last());
            let content = &bytes[usize::try_from(first).unwrap()..=usize::try_from(last).unwrap()];
            (format!("Content-Type: a/b\r\nContent-Range: bytes {first}-{last}/3000"), content.to_vec())
        }).collect();
        prop_assert_eq!(cut_again(&head, &pieces.concat()), expected);
    }
}
