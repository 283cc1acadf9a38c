//! Heads made by chance: valid ones, valid ones with a byte changed, and bytes of any kind.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{head, in_pieces, read};
use crate::connection::head::{BodyFraming, RequestHead, find_end, parse};

/// Heads that are understood, as lines. No field's name or value is empty.
fn valid_head() -> impl Strategy<Value = Vec<String>> {
    let target = prop_oneof!["/[a-z0-9/?=&%.]{0,12}", Just("http://a.example/b?c".to_owned())];
    let body = prop_oneof![
        Just(None),
        (0_u64..100_000).prop_map(|length| Some(format!("Content-Length: {length}"))),
        Just(Some("Transfer-Encoding: chunked".to_owned())),
    ];
    let field = "[A-Za-z][A-Za-z0-9-]{0,8}".prop_filter("has a meaning", |name| {
        !["host", "content-length", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str())
    });
    let field = (field, "[!-~]([ -~]{0,12}[!-~])?").prop_map(|(name, value)| format!("{name}: {value}"));
    let method = prop_oneof![Just("GET"), Just("POST"), Just("X-Y")];
    (method, target, vec(field, 0..5), body, 0_usize..6).prop_map(|(method, target, mut fields, body, place)| {
        fields.extend(body);
        fields.insert(place.min(fields.len()), "Host: a.example".to_owned());
        fields.insert(0, format!("{method} {target} HTTP/1.1"));
        fields
    })
}

/// The fields of `lines` as they must have been understood: names in lower case, values without white space around them.
fn fields_of(lines: &[&[u8]]) -> Vec<(String, Vec<u8>)> {
    let field = |line: &&[u8]| {
        let colon = line.iter().position(|byte| *byte == b':').expect("a field that was understood has a colon");
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let value = &line[colon + 1..];
        let start = value.iter().position(|byte| !blank(byte)).unwrap_or(value.len());
        let end = value.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
        (String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase(), value[start..end].to_vec())
    };
    let mut fields: Vec<_> = lines.iter().map(field).collect();
    // Lines of one name keep their order, and names have none.
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields
}

fn fields_read(read: &RequestHead) -> Vec<(String, Vec<u8>)> {
    let mut fields: Vec<_> =
        read.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields
}

/// The lines of bytes that end in an empty one.
fn lines_of(bytes: &[u8]) -> Vec<&[u8]> {
    let lines = bytes.strip_suffix(b"\r\n\r\n").expect("a head that was understood ends");
    lines.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect()
}

proptest! {
    /// What is accepted after one byte has changed has the same lines but for that byte: no line is lost, split or joined,
    /// and nothing but the line with the byte is understood differently.
    #[test]
    fn a_changed_byte_changes_that_byte_alone(
        lines in valid_head(),
        place in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(b"\r\n\t :,/?;0 \0\x7f\xff".to_vec())],
    ) {
        let original = head(&lines.iter().map(String::as_str).collect::<Vec<_>>()).into_bytes();
        let whole = read(&original);
        prop_assert!(matches!(whole, Ok(Some(_))), "{whole:?} of {lines:?}");
        let mut changed = original.clone();
        changed[place.index(original.len())] = byte;
        let Ok(Some(end)) = find_end(&changed, 0) else { return Ok(()) };
        // A shorter head would be two messages where there was one.
        prop_assert_eq!(end, changed.len());
        let Ok(read) = parse(&changed) else { return Ok(()) };
        let (before, after) = (lines_of(&original), lines_of(&changed));
        prop_assert_eq!(before.len(), after.len());
        prop_assert!(before.iter().zip(&after).filter(|(a, b)| a != b).count() <= 1);
        prop_assert_eq!(fields_read(&read), fields_of(&after[1..]));
        let target = read.target.as_str();
        let absolute = format!("http://a.example{target}");
        let secure = format!("https://a.example{target}");
        let spelled = |target: &str| format!("{} {target} {}", read.method, read.protocol.as_str()).into_bytes();
        let line = after[0].to_ascii_lowercase();
        prop_assert!(
            [target, &absolute, &secure].iter().any(|target| spelled(target).to_ascii_lowercase() == line),
            "{read:?}"
        );
    }

    /// Every valid head is understood, and its framing follows from its lines.
    #[test]
    fn valid_heads_are_understood(lines in valid_head()) {
        let read = read(head(&lines.iter().map(String::as_str).collect::<Vec<_>>()).as_bytes()).unwrap().unwrap();
        let length = lines.iter().find_map(|line| line.strip_prefix("Content-Length: ")).map(|text| text.parse().unwrap());
        let chunked = lines.iter().any(|line| line == "Transfer-Encoding: chunked");
        let framing = match (length, chunked) {
            (Some(0) | None, false) => BodyFraming::None,
            (Some(length), _) => BodyFraming::Length(length),
            (None, true) => BodyFraming::Chunked,
        };
        prop_assert_eq!(read.framing, framing);
        prop_assert_eq!(read.authority.as_deref(), Some("a.example"));
    }

    /// Bytes of any kind are a head or are refused, at once as in pieces.
    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300), cut in 0_usize..300) {
        let _ = read(&bytes);
        let _ = parse(&bytes);
        prop_assert_eq!(in_pieces(&bytes, [cut.min(bytes.len())]), find_end(&bytes, 0));
    }

    /// The same for bytes that look more like heads.
    #[test]
    fn likely_bytes_are_read_or_refused(
        parts in vec(prop::sample::select(PARTS.to_vec()), 0..24),
        cut in 0_usize..300,
    ) {
        let bytes = parts.concat();
        let _ = parse(&bytes);
        prop_assert_eq!(in_pieces(&bytes, [cut.min(bytes.len())]), find_end(&bytes, 0));
        if let Ok(Some(read)) = read(&bytes) {
            let lengths = read.headers.get_all("content-length").iter().count();
            let codings = read.headers.get_all("transfer-encoding").iter().count();
            prop_assert!(lengths + codings <= 1, "{read:?}");
            prop_assert!(read.headers.get_all("host").iter().count() <= 1);
            prop_assert!(read.target.starts_with('/') || read.method == http::Method::CONNECT);
        }
    }
}

/// What heads are made of.
const PARTS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n",
    b"POST http://a/ HTTP/1.0\r\n",
    b"host: a\r\n",
    b"content-length: 1\r\n",
    b"transfer-encoding: chunked\r\n",
    b"Transfer-Encoding:gzip\r\n",
    b"host",
    b":",
    b" ",
    b"\t",
    b"a",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b"\xff",
];
