use super::*;

/// Reads a head, and what is left then.
fn read(text: &str, head_only: bool) -> (Result<Option<AnswerHead>, Failure>, String) {
    let mut read = BytesMut::from(text);
    let taken = take(&mut read, head_only);
    (taken, String::from_utf8(read.to_vec()).unwrap())
}

fn good(text: &str) -> AnswerHead {
    read(text, false).0.unwrap().unwrap()
}

#[test]
fn a_head_is_taken_off_what_was_read() {
    let (taken, left) =
        read("HTTP/1.1 200 Fine\r\nX-A : 1\r\ncontent-length: 2\r\nx-a: \u{e9} 2 \r\n\r\nokHTTP/1.1", false);
    let answer = taken.unwrap().unwrap();
    assert_eq!((answer.head.status, answer.reason.as_deref()), (StatusCode::OK, Some(&b"Fine"[..])));
    let name = HeaderName::from_static("x-a");
    let values: Vec<&[u8]> = answer.head.fields.get_all(&name).map(HeaderValue::as_bytes).collect();
    assert_eq!(values, [&b"1"[..], "\u{e9} 2".as_bytes()]);
    assert_eq!((answer.extent, left.as_str()), (Extent::Length(2), "okHTTP/1.1"));
    assert_eq!(good("HTTP/1.1 200 OK\r\n\r\n").reason, None);
}

#[test]
fn half_a_head_is_none_wherever_it_breaks_off() {
    let whole = "HTTP/1.1 204 No Content\r\nx: y\r\n\r\n";
    for end in 0..whole.len() {
        let (taken, left) = read(&whole[..end], false);
        assert!(taken.unwrap().is_none(), "{end}");
        assert_eq!(left, whole[..end]);
    }
}

#[test]
fn what_follows_is_told_by_the_letter() {
    let cases = [
        ("200 OK\r\n\r\n", Extent::UntilClose, false),
        ("200 OK\r\ncontent-length: 0\r\n\r\n", Extent::Length(0), true),
        ("200 OK\r\ncontent-length: 3, 3\r\ncontent-length: 3\r\n\r\n", Extent::Length(3), true),
        ("200 OK\r\ncontent-length: 3\r\nconnection: x, Close\r\n\r\n", Extent::Length(3), false),
        ("200 OK\r\ntransfer-encoding: Chunked\r\n\r\n", Extent::Chunked, true),
        // Whoever says both may mean either.
        ("200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n", Extent::Chunked, false),
        ("204 No Content\r\ncontent-length: 3\r\n\r\n", Extent::None, true),
        ("304 Not Modified\r\ncontent-length: 3\r\n\r\n", Extent::None, true),
        ("103 Early Hints\r\n\r\n", Extent::None, true),
    ];
    for (text, extent, keep_alive) in cases {
        let answer = good(&format!("HTTP/1.1 {text}"));
        assert_eq!((answer.extent, answer.keep_alive), (extent, keep_alive), "{text}");
        assert!(extent != Extent::Chunked || !answer.head.fields.contains(&CONTENT_LENGTH), "{text}");
    }
    let old = good("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\n");
    assert_eq!((old.extent, old.keep_alive), (Extent::Length(3), false));
    assert!(good("HTTP/1.0 200 OK\r\ncontent-length: 3\r\nconnection: keep-alive\r\n\r\n").keep_alive);
    assert!(!good("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n").keep_alive);
    let (to_head, _) = read("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", true);
    assert_eq!(to_head.unwrap().unwrap().extent, Extent::None);
}

#[test]
fn promise_9_what_can_be_read_in_two_ways_is_refused() {
    let lines = [
        "content-length: 3\r\ncontent-length: 4",
        "content-length: 3, 4",
        "content-length: +3",
        "content-length: 3 3",
        "content-length: ",
        "content-length: 99999999999999999999",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: identity",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "x: a\r\n folded",
        "x: a\0b",
        "no colon",
        ": no name",
    ];
    for line in lines {
        let text = format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n");
        for head_only in [false, true] {
            assert!(matches!(read(&text, head_only).0, Err(Failure::Malformed)), "{line:?}");
        }
    }
    for start in ["nonsense", "HTTP/2.0 200 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1 099 OK", "ICY 200 OK"] {
        assert!(matches!(read(&format!("{start}\r\n\r\n"), false).0, Err(Failure::Malformed)), "{start}");
    }
    let many = "x: y\r\n".repeat(MAX_FIELDS + 1);
    assert!(read(&format!("HTTP/1.1 200 OK\r\n{many}\r\n"), false).0.is_err());
}
