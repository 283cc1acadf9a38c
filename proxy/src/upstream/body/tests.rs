use super::*;

/// What a reader gets that is given `text` in pieces of `size` bytes: the data, whether it is whole, and what is left over.
fn read(extent: Extent, text: &str, size: usize) -> (Result<(), Failure>, String, bool, String) {
    let mut body = Body::new(extent);
    let (mut read, mut data) = (BytesMut::new(), Vec::new());
    let mut result = Ok(());
    'pieces: for piece in text.as_bytes().chunks(size) {
        read.extend_from_slice(piece);
        loop {
            match body.take(&mut read) {
                Ok(taken) if taken.is_empty() => break,
                Ok(taken) => data.extend_from_slice(&taken),
                Err(failure) => {
                    result = Err(failure);
                    break 'pieces;
                }
            }
        }
    }
    let left = String::from_utf8(read.to_vec()).unwrap();
    (result, String::from_utf8(data).unwrap(), body == Body::Ended, left)
}

#[test]
fn a_body_is_the_same_however_it_is_cut_into_pieces() {
    let chunked = "5\r\n01234\r\n00a;x=\"y\"\r\n5678901234\r\n0\r\nx-trailer: 1\r\n\r\n";
    let cases = [
        (Extent::Length(5), "01234rest", "01234", "rest"),
        (Extent::Length(0), "rest", "", "rest"),
        (Extent::None, "rest", "", "rest"),
        (Extent::Chunked, &format!("{chunked}rest"), "012345678901234", "rest"),
        (Extent::Chunked, "0\r\n\r\n", "", ""),
    ];
    for (extent, text, expected, rest) in cases {
        for size in 1..=text.len() {
            let (result, data, whole, left) = read(extent, text, size);
            assert!(result.is_ok() && whole, "{text:?} by {size}");
            assert_eq!((data.as_str(), left.as_str()), (expected, rest), "{text:?} by {size}");
        }
    }
}

#[test]
fn chunks_that_came_together_are_taken_together() {
    let mut body = Body::new(Extent::Chunked);
    let mut read = BytesMut::from("1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n");
    assert_eq!(body.take(&mut read).unwrap(), "abc");
    assert_eq!(body, Body::Ended);
}

#[test]
fn promise_9_chunks_are_read_by_the_letter() {
    let cases = [
        ("zz\r\n01234\r\n", ""),
        ("5\r\n01234\r\nzz\r\n", "01234"),
        ("5\r\n01234xx", "01234"),
        ("5\r\n012345\r\n", "01234"),
        ("5\n01234\r\n0\r\n\r\n", ""),
        ("-5\r\n01234\r\n", ""),
        ("0x5\r\n01234\r\n", ""),
        ("\r\n", ""),
        ("fffffffffffffffff\r\n", ""),
        ("0\r\n\n", ""),
        ("0\r\nx: y\n\r\n", ""),
        ("0\r\nx\ry: z\r\n\r\n", ""),
        // What is wrong with the end counts, although data came with it and is taken first.
        ("1\r\na\r\n0\r\n\n\r\n", "a"),
        ("1\r\na\r\n0\r\nx: y\n\r\n", "a"),
    ];
    for (text, before) in cases {
        for size in [1, 2, text.len()] {
            let (result, data, whole, _) = read(Extent::Chunked, text, size);
            assert!(matches!(result, Err(Failure::Malformed)) && !whole, "{text:?} by {size}");
            assert_eq!(data, before, "{text:?} by {size}");
        }
    }
}

#[test]
fn promise_6_lines_without_an_end_are_bounded() {
    for (text, most) in [(format!("5;{}", "x".repeat(MAX_LINE)), 64), (format!("0\r\n{}", "x: y\r\n".repeat(4000)), 64)]
    {
        assert!(matches!(read(Extent::Chunked, &text, most).0, Err(Failure::Malformed)));
    }
}

#[test]
fn promise_5_only_what_ends_with_the_connection_is_whole_when_it_closes() {
    for (extent, whole) in
        [(Extent::UntilClose, true), (Extent::None, true), (Extent::Length(1), false), (Extent::Chunked, false)]
    {
        assert_eq!(Body::new(extent).close().is_ok(), whole, "{extent:?}");
    }
}
