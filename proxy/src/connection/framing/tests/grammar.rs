//! Chunked bodies beside a decoder that is the grammar, one rule after the other: the same end, and the same first bad byte.

use proptest::prelude::*;

use super::{End, cuts, end_of, places};
use crate::connection::head::BodyFraming;

/// The grammar of RFC 9112 section 7.1, one rule after the other, on what is there.
fn reference(bytes: &[u8]) -> End {
    let mut at = 0;
    match chunked_body(bytes, &mut at) {
        Ok(()) => End::Whole(at),
        Err(_) if at == bytes.len() => End::Open,
        Err(NoMatch) => End::Malformed(at),
    }
}

struct NoMatch;

fn one(bytes: &[u8], at: &mut usize, fits: impl Fn(u8) -> bool) -> Result<u8, NoMatch> {
    let byte = *bytes.get(*at).filter(|byte| fits(**byte)).ok_or(NoMatch)?;
    *at += 1;
    Ok(byte)
}

fn many(bytes: &[u8], at: &mut usize, fits: impl Fn(u8) -> bool) -> usize {
    let begin = *at;
    while one(bytes, at, &fits).is_ok() {}
    *at - begin
}

fn crlf(bytes: &[u8], at: &mut usize) -> Result<(), NoMatch> {
    one(bytes, at, |byte| byte == b'\r')?;
    one(bytes, at, |byte| byte == b'\n').map(drop)
}

fn printable(byte: u8) -> bool {
    byte == b'\t' || byte == b' ' || !byte.is_ascii_control()
}

fn chunked_body(bytes: &[u8], at: &mut usize) -> Result<(), NoMatch> {
    loop {
        let mut size = 0;
        let mut digits = 0;
        while let Ok(digit) = one(bytes, at, |byte| byte.is_ascii_hexdigit()) {
            size = size * 16 + usize::try_from(char::from(digit).to_digit(16).unwrap_or_default()).unwrap_or_default();
            digits += 1;
        }
        if digits == 0 {
            return Err(NoMatch);
        }
        if one(bytes, at, |byte| byte == b';').is_ok() {
            many(bytes, at, printable);
        }
        crlf(bytes, at)?;
        if size == 0 {
            return trailers(bytes, at);
        }
        for _ in 0..size {
            one(bytes, at, |_| true)?;
        }
        crlf(bytes, at)?;
    }
}

fn trailers(bytes: &[u8], at: &mut usize) -> Result<(), NoMatch> {
    let name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    while many(bytes, at, name) > 0 {
        one(bytes, at, |byte| byte == b':')?;
        many(bytes, at, printable);
        crlf(bytes, at)?;
    }
    crlf(bytes, at)
}

/// Chunked bodies, mostly good.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let chunk = (proptest::collection::vec(any::<u8>(), 1..20), any::<bool>(), any::<bool>()).prop_map(
        |(data, upper, extended)| {
            let size = if upper { format!("{:X}", data.len()) } else { format!("0{:x}", data.len()) };
            let extension = if extended { ";a=\"b c\"" } else { "" };
            [size.as_bytes(), extension.as_bytes(), b"\r\n", &data, b"\r\n"].concat()
        },
    );
    let trailers = proptest::sample::select(vec!["", "a: b\r\n", "a:\r\nb: \t c\r\n"]);
    (
        proptest::collection::vec(chunk, 0..4),
        trailers,
        proptest::sample::select(vec!["", "0\r\n\r\n", "GET / HTTP/1.1\r\n"]),
    )
        .prop_map(|(chunks, trailers, behind)| {
            [chunks.concat().as_slice(), b"0\r\n", trailers.as_bytes(), b"\r\n", behind.as_bytes()].concat()
        })
}

/// Pieces that chunked bodies are made of, in no order.
fn jumble() -> impl Strategy<Value = Vec<u8>> {
    let part = proptest::sample::select(vec![
        "0",
        "1",
        "3",
        "5",
        "a",
        "F",
        "\r\n",
        "\r",
        "\n",
        "0\r\n",
        "0\r\n\r\n",
        "3\r\nabc\r\n",
        "hello",
        ";",
        ";a=b",
        " ",
        "\t",
        "a: b\r\n",
        ":",
        "\"",
        "\0",
        "é",
        "-1",
        "0x",
    ]);
    proptest::collection::vec(part, 0..10).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn good_bodies_end_where_the_grammar_says(bytes in body(), cuts in cuts()) {
        let expected = reference(&bytes);
        prop_assert!(matches!(expected, End::Whole(_)));
        prop_assert_eq!(end_of(0, BodyFraming::Chunked, &bytes, places(&cuts, bytes.len())), expected);
        // A head before it changes nothing but the place.
        let with_head = [b"head".as_slice(), &bytes].concat();
        let found = end_of(4, BodyFraming::Chunked, &with_head, places(&cuts, with_head.len()));
        prop_assert_eq!(found, match expected { End::Whole(at) => End::Whole(at + 4), End::Open | End::Malformed(_) => expected });
    }

    #[test]
    fn every_byte_is_taken_or_refused_as_the_grammar_does(bytes in jumble(), cuts in cuts()) {
        prop_assert_eq!(end_of(0, BodyFraming::Chunked, &bytes, places(&cuts, bytes.len())), reference(&bytes), "{:?}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_changed_byte_is_read_as_the_grammar_does(bytes in body(), place in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..3) {
        let mut changed = bytes;
        let place = place.index(changed.len());
        match how {
            0 => changed[place] = byte,
            1 => changed.insert(place, byte),
            _ => drop(changed.remove(place)),
        }
        prop_assert_eq!(end_of(0, BodyFraming::Chunked, &changed, []), reference(&changed), "{:?}", String::from_utf8_lossy(&changed));
    }
}
