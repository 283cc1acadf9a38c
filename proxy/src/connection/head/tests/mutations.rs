//! Promise 9 from the other side: whatever is accepted is understood in the same way by handlers that are less strict, each
//! in a way of its own.
#![expect(clippy::wildcard_enum_match_arm, reason = "a habit changes one thing; everything else is as usual")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::read;
use crate::connection::head::{BodyFraming, RequestHead, find_end};

/// What a handler makes of a head.
#[derive(Debug, PartialEq, Eq)]
struct Understood {
    method: Vec<u8>,
    target: Vec<u8>,
    version: Vec<u8>,
    fields: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    framing: BodyFraming,
    /// Bytes of the head.
    length: usize,
}

/// Habits of handlers, each seen in the wild.
#[derive(Clone, Copy, Debug)]
enum Habit {
    /// By the letter, without looking for trouble.
    None,
    /// A line ends in LF, whatever is before it.
    BareLf,
    /// A line ends in CR or LF.
    BareCr,
    /// Text ends at a NUL.
    StopsAtNul,
    /// Any white space divides the request line, however much.
    LooseRequestLine,
    /// White space around names is ignored.
    TrimsNames,
    /// A line that begins with white space goes on.
    Unfolds,
    /// Lines that are no field are skipped.
    SkipsJunk,
    /// Control characters in values are white space.
    ControlsAreSpace,
    /// Of several lengths the first counts, and a length beats a coding.
    FirstLength,
    /// Of several lengths the last counts, and any mention of `chunked` beats them.
    AnyChunked,
}

const HABITS: [Habit; 11] = [
    Habit::None,
    Habit::BareLf,
    Habit::BareCr,
    Habit::StopsAtNul,
    Habit::LooseRequestLine,
    Habit::TrimsNames,
    Habit::Unfolds,
    Habit::SkipsJunk,
    Habit::ControlsAreSpace,
    Habit::FirstLength,
    Habit::AnyChunked,
];

/// The next line from `at`, and where the one after it begins.
fn line(bytes: &[u8], at: usize, habit: Habit) -> Option<(&[u8], usize)> {
    let rest = &bytes[at..];
    let (end, ending) = match habit {
        Habit::BareLf => {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            if end > 0 && rest[end - 1] == b'\r' { (end - 1, 2) } else { (end, 1) }
        }
        Habit::BareCr => {
            let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
            (end, if rest[end..].starts_with(b"\r\n") { 2 } else { 1 })
        }
        Habit::None
        | Habit::StopsAtNul
        | Habit::LooseRequestLine
        | Habit::TrimsNames
        | Habit::Unfolds
        | Habit::SkipsJunk
        | Habit::ControlsAreSpace
        | Habit::FirstLength
        | Habit::AnyChunked => (rest.windows(2).position(|pair| pair == b"\r\n")?, 2),
    };
    Some((&rest[..end], at + end + ending))
}

fn lines(bytes: &[u8], habit: Habit) -> Option<(Vec<Vec<u8>>, usize)> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut at = 0;
    loop {
        let (text, next) = line(bytes, at, habit)?;
        at = next;
        if text.is_empty() {
            return Some((lines, at));
        }
        let text = match (habit, text.iter().position(|byte| *byte == 0)) {
            (Habit::StopsAtNul, Some(nul)) => &text[..nul],
            (_, _) => text,
        };
        match (habit, lines.last_mut()) {
            (Habit::Unfolds, Some(before)) if matches!(text.first(), Some(b' ' | b'\t')) => {
                before.push(b' ');
                before.extend_from_slice(text.trim_ascii());
            }
            (_, _) => lines.push(text.to_vec()),
        }
    }
}

fn understood(bytes: &[u8], habit: Habit) -> Option<Understood> {
    let (lines, length) = lines(bytes, habit)?;
    let (first, rest) = lines.split_first()?;
    let loose: fn(&u8) -> bool = |byte| byte.is_ascii_whitespace() || *byte == 0x0b;
    let strict: fn(&u8) -> bool = |byte| *byte == b' ';
    let mut parts = match habit {
        Habit::LooseRequestLine => {
            first.split(loose).filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect::<Vec<_>>()
        }
        _ => first.split(strict).map(<[u8]>::to_vec).collect(),
    }
    .into_iter();
    let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
    let mut fields: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for line in rest {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            if matches!(habit, Habit::SkipsJunk) {
                continue;
            }
            return None;
        };
        let name = match habit {
            Habit::TrimsNames => line[..colon].trim_ascii().to_ascii_lowercase(),
            _ => line[..colon].to_ascii_lowercase(),
        };
        let value = match habit {
            Habit::ControlsAreSpace => {
                let spaced: Vec<u8> = line[colon + 1..]
                    .iter()
                    .map(|byte| if byte.is_ascii_control() && *byte != b'\t' { b' ' } else { *byte })
                    .collect();
                spaced.trim_ascii().to_vec()
            }
            _ => line[colon + 1..].trim_ascii().to_vec(),
        };
        fields.entry(name).or_default().push(value);
    }
    let framing = framing(&fields, habit)?;
    Some(Understood { method, target, version, fields, framing, length })
}

/// Where a handler thinks that the body ends. Numbers are read as `atoi` does.
fn framing(fields: &BTreeMap<Vec<u8>, Vec<Vec<u8>>>, habit: Habit) -> Option<BodyFraming> {
    let lines = |name: &[u8]| fields.get(name).map_or(&[][..], Vec::as_slice);
    let lengths = lines(b"content-length");
    let chosen = if matches!(habit, Habit::FirstLength) { lengths.first() } else { lengths.last() };
    let number = |text: &Vec<u8>| {
        let digits =
            text.iter().skip_while(|byte| matches!(byte, b' ' | b'\t' | b'+')).take_while(|byte| byte.is_ascii_digit());
        digits.fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    };
    let length =
        chosen.map(number).map(|length| if length == 0 { BodyFraming::None } else { BodyFraming::Length(length) });
    let codings = lines(b"transfer-encoding").join(b",".as_slice()).to_ascii_lowercase();
    let last = codings.split(|byte| *byte == b',').next_back().unwrap_or_default().trim_ascii();
    let chunked = match habit {
        Habit::AnyChunked => codings.windows(7).any(|window| window == b"chunked"),
        _ => last == b"chunked",
    };
    Some(match (habit, length, chunked) {
        (Habit::FirstLength, Some(length), _) | (_, Some(length), false) => length,
        (_, _, true) => BodyFraming::Chunked,
        (_, None, false) => BodyFraming::None,
    })
}

/// The same of what we have understood.
fn ours(read: &RequestHead, length: usize) -> Understood {
    let mut fields: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for (name, value) in &read.headers {
        fields.entry(name.as_str().as_bytes().to_vec()).or_default().push(value.as_bytes().to_vec());
    }
    Understood {
        method: read.method.as_str().as_bytes().to_vec(),
        target: read.target.as_bytes().to_vec(),
        version: read.protocol.as_str().as_bytes().to_vec(),
        fields,
        framing: read.framing,
        length,
    }
}

/// Whether these bytes are accepted. If they are, every handler understands what we do.
fn accepted(bytes: &[u8]) -> bool {
    let Ok(Some(read)) = read(bytes) else { return false };
    let end = find_end(bytes, 0).unwrap().unwrap();
    let mine = ours(&read, end);
    for habit in HABITS {
        let theirs = understood(bytes, habit);
        assert_eq!(theirs.as_ref(), Some(&mine), "{habit:?} of {:?}", String::from_utf8_lossy(bytes));
    }
    true
}

/// A head of these lines.
fn head(lines: &[&str]) -> Vec<u8> {
    super::head(lines).into_bytes()
}

fn requests() -> [Vec<u8>; 3] {
    [
        head(&["GET /a HTTP/1.1", "Host: a", "X: b"]),
        head(&["POST /a?b=c HTTP/1.1", "host: a:80", "Content-Length: 15", "X-Y: z, w"]),
        head(&["PUT /a HTTP/1.1", "Transfer-Encoding: chunked", "Host: a", "Connection: close"]),
    ]
}

#[test]
fn promise_9_a_changed_byte_is_refused_or_read_by_all_alike() {
    for request in requests() {
        assert!(accepted(&request));
        let behind = b"GET /next HTTP/1.1\r\n\r\n";
        let mut counts = (0, 0);
        for place in 0..request.len() {
            for byte in 0..=u8::MAX {
                let mut changed = request.clone();
                changed[place] = byte;
                changed.extend_from_slice(behind);
                let mut longer = request.clone();
                longer.insert(place, byte);
                longer.extend_from_slice(behind);
                for bytes in [changed, longer] {
                    if accepted(&bytes) {
                        counts.0 += 1;
                    } else {
                        counts.1 += 1;
                    }
                }
            }
            let mut shorter = request.clone();
            shorter.remove(place);
            shorter.extend_from_slice(behind);
            accepted(&shorter);
        }
        // Both happen, or nothing was tested.
        assert!(counts.0 > 1000 && counts.1 > 1000, "{counts:?}");
    }
}

/// Lines with which others have smuggled requests, and what they hide behind.
const NASTY: [&str; 26] = [
    "Transfer-Encoding: chunked",
    "Transfer-Encoding : chunked",
    " Transfer-Encoding: chunked",
    "\tTransfer-Encoding: chunked",
    "Transfer-Encoding\t: chunked",
    "Transfer-Encoding:\tchunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: \u{b}chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding:\r\n chunked",
    "X: y\nTransfer-Encoding: chunked",
    "X: y\rTransfer-Encoding: chunked",
    "X: y\0\r\nTransfer-Encoding: chunked",
    "Content-Length: 5",
    "Content-Length: 05",
    "Content-Length: +5",
    "Content-Length: 5 ",
    "Content-Length: 5,6",
    "Content-Length : 5",
    "Content-Length\u{a0}: 5",
    "Content-Length: 0x5",
    "Host: b",
    " Host: b",
    "Host : b",
    "junk",
    ":",
];

#[test]
fn promise_9_an_added_line_is_refused_or_read_by_all_alike() {
    for request in requests() {
        let text = String::from_utf8(request).unwrap();
        let lines: Vec<&str> = text.trim_end().split("\r\n").collect();
        for place in 0..=lines.len() {
            for first in NASTY {
                let mut once = lines.clone();
                once.insert(place, first);
                accepted(&head(&once));
                for second in NASTY {
                    let mut twice = once.clone();
                    twice.push(second);
                    accepted(&head(&twice));
                }
            }
        }
    }
}

/// Parts of heads, good and bad.
fn jumble() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        6 => proptest::sample::select(vec![
            "GET", " ", "/", "/a?b", " HTTP/1.1", " HTTP/1.0", "\r\n", "\r\n", "\r\n\r\n", "Host: a", "Host:a", "X", ":", "b",
            "Content-Length: 5", "Transfer-Encoding: chunked", "Connection: close", "\t", ",", "\r", "\n", "\0", "é", "\u{b}",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    (any::<bool>(), proptest::collection::vec(part, 0..16)).prop_map(|(begun, parts)| {
        let begin: &[u8] = if begun { b"GET / HTTP/1.1\r\nHost: a\r\n" } else { b"" };
        [begin, &parts.concat(), b"\r\n\r\n"].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promise_9_any_head_is_refused_or_read_by_all_alike(bytes in jumble()) {
        accepted(&bytes);
    }
}
