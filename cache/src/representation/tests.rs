//! Heads of a response in its codings.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use super::{Representation, Tagging};
use crate::{Coding, Fields, ResponseHead};

type Line<'a> = (&'a str, &'a str);

fn identity(status: u16, lines: &[Line<'_>], body: &'static str) -> Representation {
    let line = |(name, value): &Line<'_>| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    let fields: Fields = lines.iter().map(line).collect();
    let head = ResponseHead { status: StatusCode::from_u16(status).unwrap(), fields };
    Representation::new(head, Tagging::ByHandler, body.as_bytes())
}

fn lines(representation: &Representation) -> Vec<Line<'_>> {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    representation.lines().map(|(name, value)| (text(name), text(value))).collect()
}

/// What there was, and what there is of it in a coding: other bytes, so another length and no strong tag (RFC 9110 section
/// 8.8.3.3), and no ranges of it.
#[test]
fn the_head_of_a_coding() {
    let cases: [(&[Line<'_>], &[Line<'_>]); 6] = [
        (&[], &[("content-encoding", "gzip"), ("content-length", "5")]),
        (&[("x-a", "1")], &[("x-a", "1"), ("content-encoding", "gzip"), ("content-length", "5")]),
        (
            &[("etag", "\"a\""), ("x-a", "1")],
            &[("x-a", "1"), ("content-encoding", "gzip"), ("etag", "W/\"a\""), ("content-length", "5")],
        ),
        // One that is weak says already that bytes may differ.
        (&[("etag", "W/\"a\"")], &[("etag", "W/\"a\""), ("content-encoding", "gzip"), ("content-length", "5")]),
        (&[("accept-ranges", "bytes")], &[("content-encoding", "gzip"), ("content-length", "5")]),
        (
            &[("content-length", "9"), ("vary", "accept-encoding")],
            &[("vary", "accept-encoding"), ("content-encoding", "gzip"), ("content-length", "5")],
        ),
    ];
    for (given, expected) in cases {
        let identity = identity(200, given, "body");
        let coded = identity.coded(Coding::Gzip, b"coded");
        assert_eq!(lines(&coded), expected, "{given:?}");
        assert_eq!(&coded.body(), "coded");
        let wire: String = expected.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        assert_eq!(std::str::from_utf8(coded.wire()).unwrap(), format!("HTTP/1.1 200 OK\r\n{wire}"));
        // The other is as it was.
        assert_eq!(
            (&identity.body(), lines(&identity).last().unwrap()),
            (&Bytes::from("body"), &("content-length", "4"))
        );
    }
}

#[test]
fn every_coding_is_named() {
    for (coding, name) in [(Coding::Gzip, "gzip"), (Coding::Br, "br"), (Coding::Zstd, "zstd")] {
        let coded = identity(200, &[], "body").coded(coding, b"x");
        assert_eq!(lines(&coded), [("content-encoding", name), ("content-length", "1")]);
    }
}

#[test]
fn a_size_counts_the_fields_and_the_body() {
    let small = identity(200, &[], "body");
    let large = identity(200, &[("x-b", "0123456789")], "body and more");
    assert!(small.size() >= small.wire().len() + small.body().len());
    assert!(large.size() >= large.wire().len() + large.body().len());
}

#[test]
fn a_field_is_found_by_its_whole_name_and_nowhere_else() {
    let lines =
        [("x-etag", "no"), ("etag-x", "no"), ("x", "etag: no"), ("etag", "\"yes\""), ("etag", "later"), ("empty", "")];
    let stored = identity(200, &lines, "\netag: body\r\ncontent-language: en\r\n");
    let found = |name| stored.field(&HeaderName::from_static(name)).map(|value| std::str::from_utf8(value).unwrap());
    assert_eq!(found("etag"), Some("\"yes\""));
    assert_eq!(found("empty"), Some(""));
    assert_eq!(found("x"), Some("etag: no"));
    assert_eq!(found("content-length"), Some("35"));
    assert_eq!(found("content-language"), None, "it is in the body");
}
