//! Where messages end, wherever they are cut, and which bodies are none.

mod grammar;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::head::BodyFraming;
use super::{MAX_LINE, MAX_TRAILERS, Malformed, Message};

/// What became of bytes: how many belong to the message, and whether it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It ended after so many bytes.
    Whole(usize),
    /// It goes on.
    Open,
    /// So many bytes are good, and the next is not.
    Malformed(usize),
}

/// The end of a message when its bytes come in pieces that end at `cuts` and at the end.
fn end_of(head: usize, framing: BodyFraming, bytes: &[u8], cuts: impl IntoIterator<Item = usize>) -> End {
    let mut message = Message::new(head, framing);
    let mut taken = 0;
    for cut in cuts.into_iter().chain([bytes.len()]) {
        // Whatever is not taken of a piece is offered again, as the pass-through does.
        while taken < cut && !message.is_done() {
            match message.take(&bytes[taken..cut]) {
                Ok(0) => panic!("nothing was taken of {:?}", &bytes[taken..cut]),
                Ok(count) => taken += count,
                Err(Malformed) => return End::Malformed(taken),
            }
        }
    }
    if message.is_done() { End::Whole(taken) } else { End::Open }
}

/// Compares the end at once, byte by byte, and with every pair of cuts.
#[track_caller]
fn assert_end(head: usize, framing: BodyFraming, bytes: &[u8], expected: End) {
    let shown = String::from_utf8_lossy(bytes);
    assert_eq!(end_of(head, framing, bytes, []), expected, "{shown:?}");
    assert_eq!(end_of(head, framing, bytes, 0..bytes.len()), expected, "{shown:?} byte by byte");
    for first in 0..=bytes.len() {
        for second in first..=bytes.len() {
            let end = end_of(head, framing, bytes, [first, second]);
            assert_eq!(end, expected, "{shown:?} cut at {first} and {second}");
        }
    }
}

#[test]
fn messages_end_where_their_framing_says() {
    let cases: [(usize, BodyFraming, &str, End); 20] = [
        (0, BodyFraming::None, "", End::Whole(0)),
        (0, BodyFraming::None, "next", End::Whole(0)),
        (4, BodyFraming::None, "hea", End::Open),
        (4, BodyFraming::None, "head", End::Whole(4)),
        (4, BodyFraming::None, "headGET / HTTP/1.1\r\n\r\n", End::Whole(4)),
        (0, BodyFraming::Length(0), "next", End::Whole(0)),
        (4, BodyFraming::Length(0), "headnext", End::Whole(4)),
        (4, BodyFraming::Length(3), "headbo", End::Open),
        (4, BodyFraming::Length(3), "headbod", End::Whole(7)),
        (4, BodyFraming::Length(3), "head\r\n\r\n\r\n", End::Whole(7)),
        (0, BodyFraming::Length(3), "abcdef", End::Whole(3)),
        (4, BodyFraming::Length(u64::MAX), "headbody", End::Open),
        (4, BodyFraming::Chunked, "head0\r\n\r\n", End::Whole(9)),
        (4, BodyFraming::Chunked, "head0\r\n\r", End::Open),
        (4, BodyFraming::Chunked, "head0\r\n\r\n0\r\n\r\n", End::Whole(9)),
        (4, BodyFraming::Chunked, "head3\r\nabc\r\n0\r\n\r\nGET", End::Whole(17)),
        (0, BodyFraming::Chunked, "1\r\n\n\r\n4\r\n0\r\n\r\r\n0\r\n\r\nx", End::Whole(20)),
        (0, BodyFraming::Chunked, "0\r\nx: 1\r\ny: 2\r\n\r\nx", End::Whole(17)),
        (0, BodyFraming::Chunked, "0\r\nx: 1\r\n", End::Open),
        (0, BodyFraming::Chunked, "3;a=\"b\"\r\nabc\r\n0;c\r\n\r\n", End::Whole(21)),
    ];
    for (head, framing, bytes, expected) in cases {
        assert_end(head, framing, bytes.as_bytes(), expected);
    }
}

#[test]
fn chunk_sizes_are_hexadecimal() {
    let data = "a".repeat(0xab);
    for size in ["ab", "AB", "aB", "0ab", "00000000000000ab", "ab;", "ab;x", "ab;x=y\t;z=\"1 2\"", "ab;;;"] {
        let body = format!("{size}\r\n{data}\r\n0\r\n\r\n");
        let end = end_of(0, BodyFraming::Chunked, body.as_bytes(), []);
        assert_eq!(end, End::Whole(body.len()), "{size}");
    }
    // As large as can be: it is followed, not believed to have ended.
    let largest = format!("ffffffffffffffff\r\n{data}");
    assert_eq!(end_of(0, BodyFraming::Chunked, largest.as_bytes(), []), End::Open);
    for zero in ["0", "00", "0000000000000000"] {
        assert_end(0, BodyFraming::Chunked, format!("{zero}\r\n\r\n").as_bytes(), End::Whole(zero.len() + 4));
    }
}

#[test]
fn what_could_be_read_differently_is_malformed() {
    // The body, and how many of its bytes are good.
    let cases = [
        ("\r\n", 0),
        (" 1\r\n", 0),
        ("\t1\r\n", 0),
        ("g\r\n", 0),
        ("-1\r\n", 0),
        ("+1\r\n", 0),
        (";x\r\n", 0),
        ("0x1\r\n", 1),
        ("1 \r\n", 1),
        ("1\t;x\r\n", 1),
        ("1 ;x\r\n", 1),
        ("1,1\r\n", 1),
        ("1\n", 1),
        ("1\0\r\n", 1),
        ("1\ra", 2),
        ("1\r\r\n", 2),
        ("1;x\ny\r\n", 3),
        ("1;x\0", 3),
        ("1;x\x7f", 3),
        ("1;x\ry\r\n", 4),
        ("00000000000000000\r\n", 16),
        ("10000000000000000\r\n", 16),
        ("fffffffffffffffff\r\n", 16),
        ("1\r\nab\r\n", 4),
        ("1\r\na\n", 4),
        ("1\r\na0\r\n", 4),
        ("1\r\na \n0\r\n\r\n", 4),
        ("1\r\na\t\r\n", 4),
        ("1\r\na\ra", 5),
        ("1\r\na\r\r\n", 5),
        ("1\r\na\r\n\r\n", 6),
        ("0\n", 1),
        ("0\r\n\n", 3),
        ("0\r\n\ra", 4),
        ("0\r\n\r\r\n", 4),
        ("0\r\n x: 1\r\n", 3),
        ("0\r\n\tx: 1\r\n", 3),
        ("0\r\nx: 1\n", 7),
        ("0\r\nx: 1\ry", 8),
        ("0\r\nx: \0", 6),
        ("0\r\nx: \x1b", 6),
        ("0\r\nx: 1\r\n 2\r\n", 9),
    ];
    for (body, good) in cases {
        assert_end(0, BodyFraming::Chunked, body.as_bytes(), End::Malformed(good));
        let with_head = format!("head{body}");
        assert_end(4, BodyFraming::Chunked, with_head.as_bytes(), End::Malformed(good + 4));
    }
}

#[test]
fn trailer_lines_are_fields() {
    // RFC 9112 section 7.1.2: a name, a colon and a value each.
    for line in ["GET /admin HTTP/1.1", "x", ": 1", "x : 1", "x y: 1"] {
        let body = format!("0\r\n{line}\r\nhost: a\r\n\r\n");
        let end = end_of(0, BodyFraming::Chunked, body.as_bytes(), []);
        assert!(matches!(end, End::Malformed(_)), "{line}: {end:?}");
    }
}

#[test]
fn lines_and_trailers_have_limits() {
    let extension = |length: usize| format!("0;{}\r\n\r\n", "x".repeat(length));
    let fits = extension(MAX_LINE - 2);
    assert_eq!(end_of(0, BodyFraming::Chunked, fits.as_bytes(), []), End::Whole(fits.len()));
    let bytes = extension(MAX_LINE + 1);
    assert!(matches!(end_of(0, BodyFraming::Chunked, bytes.as_bytes(), []), End::Malformed(_)));

    let one_long = |length: usize| format!("0\r\nx:{}\r\n\r\n", "y".repeat(length));
    let many = |count: usize| format!("0\r\n{}\r\n", "x: 12345\r\n".repeat(count));
    for fits in [one_long(MAX_TRAILERS - 2), many(MAX_TRAILERS / 10)] {
        assert_eq!(end_of(0, BodyFraming::Chunked, fits.as_bytes(), []), End::Whole(fits.len()));
    }
    for bytes in [one_long(MAX_TRAILERS), many(MAX_TRAILERS / 10 + 2)] {
        assert!(matches!(end_of(0, BodyFraming::Chunked, bytes.as_bytes(), []), End::Malformed(_)));
    }
}

#[test]
fn nothing_is_taken_after_the_end_or_after_a_bad_byte() {
    let mut message = Message::new(2, BodyFraming::Length(2));
    assert_eq!(message.take(b""), Ok(0));
    assert_eq!(message.take(b"hhbbGET"), Ok(4));
    assert!(message.is_done());
    assert_eq!(message.take(b"GET / HTTP/1.1\r\n"), Ok(0));
    let mut message = Message::new(2, BodyFraming::Chunked);
    assert_eq!(message.take(b"hh1\r\nab\r\n0\r\n\r\n"), Ok(6));
    assert_eq!(message.take(b"b\r\n0\r\n\r\n"), Err(Malformed));
    assert_eq!(message.take(b"\r\n0\r\n\r\n"), Err(Malformed));
    assert!(!message.is_done());
}

/// A body in chunks, its data, and the spelling of each chunk-size line.
fn chunked() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let extension = "(;[a-z]{1,4}(=[a-z0-9]{1,4}|=\"[ -!#-~]{0,6}\")?){0,2}";
    let chunk = (vec(any::<u8>(), 1..40), "0{0,3}", extension, any::<bool>());
    let trailers = vec("[A-Za-z-]{1,8}: [ -~]{0,12}\r\n", 0..3);
    (vec(chunk, 0..6), trailers, extension).prop_map(|(chunks, trailers, last)| {
        let (mut body, mut data) = (Vec::new(), Vec::new());
        for (piece, zeros, extension, upper) in chunks {
            let size = if upper { format!("{:X}", piece.len()) } else { format!("{:x}", piece.len()) };
            body.extend(format!("{zeros}{size}{extension}\r\n").bytes());
            body.extend(&piece);
            body.extend(b"\r\n");
            data.extend(piece);
        }
        body.extend(format!("0{last}\r\n{}\r\n", trailers.concat()).bytes());
        (body, data)
    })
}

/// A decoder that does not check anything: the data, and how many bytes the body has.
fn decode(body: &[u8]) -> Option<(Vec<u8>, usize)> {
    let line_end = |from: usize| body[from..].windows(2).position(|pair| pair == b"\r\n").map(|place| from + place);
    let (mut data, mut at) = (Vec::new(), 0);
    loop {
        let end = line_end(at)?;
        let line = std::str::from_utf8(&body[at..end]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?, 16).ok()?;
        at = end + 2;
        if size == 0 {
            break;
        }
        data.extend(body.get(at..at + size)?);
        at += size + 2;
    }
    loop {
        let end = line_end(at)?;
        let empty = end == at;
        at = end + 2;
        if empty {
            return Some((data, at));
        }
    }
}

/// Places to cut, in order.
fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    vec(any::<prop::sample::Index>(), 0..8)
}

fn places(cuts: &[prop::sample::Index], length: usize) -> Vec<usize> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(length + 1)).collect();
    places.sort_unstable();
    places
}

proptest! {
    /// A valid body ends where a simple decoder sees its end, whatever follows and however it is cut.
    #[test]
    fn valid_bodies_end_where_a_decoder_ends(
        (body, data) in chunked(),
        head in 0_usize..20,
        next in vec(any::<u8>(), 0..30),
        cuts in cuts(),
    ) {
        prop_assert_eq!(decode(&body), Some((data, body.len())));
        let bytes = [&vec![b'h'; head], body.as_slice(), &next].concat();
        let end = end_of(head, BodyFraming::Chunked, &bytes, places(&cuts, bytes.len()));
        prop_assert_eq!(end, End::Whole(head + body.len()));
        // Without its last byte it is not over.
        let short = &bytes[..head + body.len() - 1];
        prop_assert_eq!(end_of(head, BodyFraming::Chunked, short, places(&cuts, short.len())), End::Open);
    }

    /// What is still taken for a whole body after one of its bytes has changed, a simple decoder reads to the same end.
    #[test]
    fn changed_bodies_end_where_a_decoder_ends(
        (mut body, _) in chunked(),
        place in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(b"\r\n\t :;0f \0".to_vec())],
        cuts in cuts(),
    ) {
        let place = place.index(body.len());
        body[place] = byte;
        let end = end_of(0, BodyFraming::Chunked, &body, places(&cuts, body.len()));
        prop_assert_eq!(end, end_of(0, BodyFraming::Chunked, &body, []));
        if let End::Whole(length) = end {
            let decoded = decode(&body).map(|(_, length)| length);
            // Extensions are bytes to us and text to the decoder.
            prop_assert!(decoded == Some(length) || (decoded.is_none() && !byte.is_ascii()), "{decoded:?}, {length}");
        }
    }

    /// A body by length ends after its bytes and takes none of the next request's.
    #[test]
    fn lengths_are_counted(head in 0_usize..50, length in 0_usize..200, more in 0_usize..50, cuts in cuts()) {
        let bytes = vec![b'\n'; head + length + more];
        let end = end_of(head, BodyFraming::Length(length as u64), &bytes, places(&cuts, bytes.len()));
        prop_assert_eq!(end, End::Whole(head + length));
        let open = end_of(head, BodyFraming::Length((length + more + 1) as u64), &bytes, places(&cuts, bytes.len()));
        prop_assert_eq!(open, End::Open);
    }

    /// Bytes of any kind have an end, or none, or a first bad one, and the same however they are cut.
    #[test]
    fn arbitrary_bytes_have_one_end(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..120),
            vec(prop::sample::select(b"0123456789abcdefF;=x: \t\r\n\r\n\r\n\0".to_vec()), 0..120),
        ],
        head in 0_usize..4,
        cuts in cuts(),
    ) {
        let at_once = end_of(head, BodyFraming::Chunked, &bytes, []);
        prop_assert_eq!(end_of(head, BodyFraming::Chunked, &bytes, places(&cuts, bytes.len())), at_once);
        prop_assert_eq!(end_of(head, BodyFraming::Chunked, &bytes, 0..bytes.len()), at_once);
    }
}
