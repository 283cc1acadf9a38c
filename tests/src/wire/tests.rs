//! Tables for what the wire reads and refuses.

use super::{Body, Fields, Rest, chunk_size, field, lists, parse_head};

fn fields(pairs: &[(&str, &str)]) -> Fields {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn heads_keep_order_and_letters() {
    let (first, found) =
        parse_head(b"GET /a HTTP/1.1\r\nHost: b\r\nX-One:  1 \r\nx-one:2\r\n\r\n").expect("a plain head");
    assert_eq!(first, "GET /a HTTP/1.1");
    assert_eq!(found, fields(&[("Host", "b"), ("X-One", "1"), ("x-one", "2")]));
}

#[test]
fn odd_field_lines_are_refused() {
    let odd = ["", "name", ": v", "na me: v", "name : v", " name: v", "a: b\nc: d", "a: b\0"];
    for line in odd {
        assert!(field(line.as_bytes()).is_err(), "{line:?} was accepted");
    }
}

#[test]
fn chunk_sizes() {
    let cases = [
        ("0", Some(0)),
        ("a", Some(10)),
        ("00Ff", Some(255)),
        ("5;name=value", Some(5)),
        ("5 ;name", Some(5)),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("0x5", None),
        ("g", None),
        ("fffffffffffffffff", None),
    ];
    for (line, expected) in cases {
        assert_eq!(chunk_size(line.as_bytes()).ok(), expected, "{line:?}");
    }
}

#[test]
fn framing_of_answers() {
    type Pair = (&'static str, &'static str);
    let cases: [(&str, u16, &[Pair], &str); 10] = [
        ("GET", 200, &[("Content-Length", "5")], "length 5"),
        ("GET", 200, &[("transfer-encoding", "Chunked")], "chunks"),
        ("GET", 200, &[], "close"),
        ("HEAD", 200, &[("content-length", "5")], "none"),
        ("GET", 304, &[("content-length", "5")], "none"),
        ("GET", 204, &[], "none"),
        ("GET", 103, &[], "none"),
        ("GET", 200, &[("content-length", "5"), ("content-length", "5")], "error"),
        ("GET", 200, &[("content-length", "5"), ("transfer-encoding", "chunked")], "error"),
        ("GET", 200, &[("content-length", "+5")], "error"),
    ];
    for (method, status, given, expected) in cases {
        let found = match Body::of_response(method, status, &fields(given)) {
            Err(_) => "error".to_owned(),
            Ok(body) => match body.rest {
                Rest::Length(length) => format!("length {length}"),
                Rest::Chunks => "chunks".to_owned(),
                Rest::UntilClose => "close".to_owned(),
                Rest::Nothing => "none".to_owned(),
                Rest::Lost => "lost".to_owned(),
            },
        };
        assert_eq!(found, expected, "{method} {status} {given:?}");
    }
}

#[test]
fn lists_are_split_at_commas() {
    let given = fields(&[("Connection", "keep-alive, Close"), ("connection", "te")]);
    assert!(lists(&given, "connection", "close"));
    assert!(lists(&given, "connection", "TE"));
    assert!(!lists(&given, "connection", "clos"));
}
