//! Which heads are understood, how, and what is refused with which status.

mod generated;
mod mutations;

use http::StatusCode;

use super::{BodyFraming, MAX_FIELDS, MAX_HEAD, Refusal, RequestHead, find_end, parse};
use crate::request::Protocol;
use crate::target::MAX_TARGET;

/// What becomes of bytes that arrive all at once; none when the head is not whole.
fn read(bytes: &[u8]) -> Result<Option<RequestHead>, Refusal> {
    find_end(bytes, 0)?.map(|end| parse(&bytes[..end])).transpose()
}

/// A head of `lines`, whatever they are.
fn head(lines: &[&str]) -> String {
    lines.join("\r\n") + "\r\n\r\n"
}

fn accepted(lines: &[&str]) -> RequestHead {
    match read(head(lines).as_bytes()) {
        Ok(Some(read)) => read,
        other => panic!("{lines:?}: {other:?}"),
    }
}

#[track_caller]
fn assert_refused(bytes: &[u8], refusal: Refusal) {
    let found = read(bytes).map(|head| head.map(|head| head.target));
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    assert_eq!(found, Err(refusal), "{}", shown.escape_debug());
}

#[test]
fn every_refusal_has_its_status() {
    let cases = [
        (Refusal::BareLineEnd, StatusCode::BAD_REQUEST),
        (Refusal::Control, StatusCode::BAD_REQUEST),
        (Refusal::RequestLine, StatusCode::BAD_REQUEST),
        (Refusal::Version, StatusCode::HTTP_VERSION_NOT_SUPPORTED),
        (Refusal::Folded, StatusCode::BAD_REQUEST),
        (Refusal::Field, StatusCode::BAD_REQUEST),
        (Refusal::Host, StatusCode::BAD_REQUEST),
        (Refusal::Length, StatusCode::BAD_REQUEST),
        (Refusal::Coding, StatusCode::NOT_IMPLEMENTED),
        (Refusal::Undelimited, StatusCode::BAD_REQUEST),
        (Refusal::HeadTooLarge, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (Refusal::TargetTooLong, StatusCode::URI_TOO_LONG),
        (Refusal::Target, StatusCode::BAD_REQUEST),
    ];
    for (refusal, status) in cases {
        assert_eq!(refusal.status(), status, "{refusal:?}");
    }
}

#[test]
fn bytes_that_no_line_holds_are_refused() {
    let cases: [(&[u8], Refusal); 17] = [
        (b"\n", Refusal::BareLineEnd),
        (b"GET / HTTP/1.1\n", Refusal::BareLineEnd),
        (b"GET / HTTP/1.1\r\nhost: a\n\r\n", Refusal::BareLineEnd),
        (b"GET / HTTP/1.1\r\nhost: a\r\n\n", Refusal::BareLineEnd),
        (b"GET / HTTP/1.1\r\nhost: a\n\n", Refusal::BareLineEnd),
        (b"GET / HTTP/1.1\rhost: a\r\n\r\n", Refusal::BareLineEnd),
        (b"GET / HTTP/1.1\r\r\nhost: a\r\n\r\n", Refusal::BareLineEnd),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: 1\r2\r\n\r\n", Refusal::BareLineEnd),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: 1\rtransfer-encoding: chunked\r\n\r\n", Refusal::BareLineEnd),
        (b"\0", Refusal::Control),
        (b"GET /\0 HTTP/1.1\r\n", Refusal::Control),
        (b"GET / HTTP/1.1\r\nhost: a\0b\r\n\r\n", Refusal::Control),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx\x01: 1\r\n\r\n", Refusal::Control),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: \x7f\r\n\r\n", Refusal::Control),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: \x0b1\r\n\r\n", Refusal::Control),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: 1\x0c\r\n\r\n", Refusal::Control),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: \x1b[2J\r\n\r\n", Refusal::Control),
    ];
    for (bytes, refusal) in cases {
        assert_refused(bytes, refusal);
    }
}

#[test]
fn request_lines_have_three_parts() {
    let cases = [
        ("", Refusal::RequestLine),
        ("GET", Refusal::RequestLine),
        ("GET /", Refusal::RequestLine),
        ("GET  HTTP/1.1", Refusal::RequestLine),
        (" GET / HTTP/1.1", Refusal::RequestLine),
        ("GET  / HTTP/1.1", Refusal::RequestLine),
        ("GET /  HTTP/1.1", Refusal::RequestLine),
        ("GET / HTTP/1.1 ", Refusal::RequestLine),
        ("GET / a HTTP/1.1", Refusal::RequestLine),
        ("GET\t/\tHTTP/1.1", Refusal::RequestLine),
        ("GET\t/ a HTTP/1.1", Refusal::RequestLine),
        ("GET /\ta HTTP/1.1", Refusal::RequestLine),
        ("GET /é HTTP/1.1", Refusal::RequestLine),
        ("G(T / HTTP/1.1", Refusal::RequestLine),
        ("GET: / HTTP/1.1", Refusal::RequestLine),
        ("É / HTTP/1.1", Refusal::RequestLine),
        ("GET / http/1.1", Refusal::RequestLine),
        ("GET / HTTP", Refusal::RequestLine),
        ("GET / HTTPS/1.1", Refusal::RequestLine),
        ("GET / 1.1", Refusal::RequestLine),
        ("GET / HTTP/", Refusal::Version),
        ("GET / HTTP/1", Refusal::Version),
        ("GET / HTTP/0.9", Refusal::Version),
        ("GET / HTTP/1.2", Refusal::Version),
        ("GET / HTTP/2.0", Refusal::Version),
        ("PRI * HTTP/2.0", Refusal::Version),
        ("GET / HTTP/1.10", Refusal::Version),
        ("GET / HTTP/01.1", Refusal::Version),
        ("GET / HTTP/1.1\t", Refusal::Version),
        ("GET * HTTP/1.1", Refusal::Target),
        ("OPTIONS * HTTP/1.1", Refusal::Target),
        ("GET a HTTP/1.1", Refusal::Target),
        ("GET ?a HTTP/1.1", Refusal::Target),
        ("GET a:80 HTTP/1.1", Refusal::Target),
        ("GET ftp://a/ HTTP/1.1", Refusal::Target),
        ("GET http:/a HTTP/1.1", Refusal::Target),
        ("GET http:a HTTP/1.1", Refusal::Target),
        ("GET http://a?b HTTP/1.1", Refusal::Target),
    ];
    for (line, refusal) in cases {
        assert_refused(head(&[line, "host: a"]).as_bytes(), refusal);
    }
}

#[test]
fn fields_have_a_name_and_a_colon() {
    let cases = [
        (" x: 1", Refusal::Folded),
        ("\tx: 1", Refusal::Folded),
        (" ", Refusal::Folded),
        ("x", Refusal::Field),
        (": 1", Refusal::Field),
        ("x : 1", Refusal::Field),
        ("x\t: 1", Refusal::Field),
        ("x y: 1", Refusal::Field),
        ("x,y: 1", Refusal::Field),
        ("{x}: 1", Refusal::Field),
        ("x\"y: 1", Refusal::Field),
        ("\u{fc}: 1", Refusal::Field),
        ("GET / HTTP/1.1", Refusal::Field),
    ];
    for (line, refusal) in cases {
        for lines in [["GET / HTTP/1.1", line, "host: a"], ["GET / HTTP/1.1", "host: a", line]] {
            assert_refused(head(&lines).as_bytes(), refusal);
        }
    }
    // What would be a field of its own to one reader is part of the one before to another.
    assert_refused(
        head(&["GET / HTTP/1.1", "host: a", "x: 1", " transfer-encoding: chunked"]).as_bytes(),
        Refusal::Folded,
    );
}

#[test]
fn hosts_are_one_and_valid() {
    let cases: [(&str, &[&str]); 30] = [
        ("GET / HTTP/1.1", &[]),
        ("GET / HTTP/1.1", &["x-host: a"]),
        ("GET http://a/ HTTP/1.1", &[]),
        ("GET / HTTP/1.1", &["host: a", "host: a"]),
        ("GET / HTTP/1.1", &["host: a", "Host: b"]),
        ("GET / HTTP/1.0", &["host: a", "host: a"]),
        ("GET / HTTP/1.1", &["host:"]),
        ("GET / HTTP/1.0", &["host: "]),
        ("GET / HTTP/1.1", &["host: :80"]),
        ("GET / HTTP/1.1", &["host: a, b"]),
        ("GET / HTTP/1.1", &["host: a b"]),
        ("GET / HTTP/1.1", &["host: a/b"]),
        ("GET / HTTP/1.1", &["host: http://a"]),
        ("GET / HTTP/1.1", &["host: u@a"]),
        ("GET / HTTP/1.1", &["host: a?b"]),
        ("GET / HTTP/1.1", &["host: a#b"]),
        ("GET / HTTP/1.1", &["host: a%41"]),
        ("GET / HTTP/1.1", &["host: \u{fc}.de"]),
        ("GET / HTTP/1.1", &["host: a:b"]),
        ("GET / HTTP/1.1", &["host: a:80:80"]),
        ("GET / HTTP/1.1", &["host: a:+80"]),
        ("GET / HTTP/1.1", &["host: a:65536"]),
        ("GET / HTTP/1.1", &["host: ::1"]),
        ("GET / HTTP/1.1", &["host: [::1"]),
        ("GET / HTTP/1.1", &["host: [a]"]),
        ("GET / HTTP/1.1", &["host: [::1]a"]),
        ("GET / HTTP/1.1", &["host: [127.0.0.1]"]),
        ("GET http://a/ HTTP/1.1", &["host: b"]),
        ("GET http://u@a/ HTTP/1.1", &["host: a"]),
        ("GET http:///x HTTP/1.1", &["host: a"]),
    ];
    for (line, fields) in cases {
        let lines: Vec<&str> = [&[line], fields].concat();
        assert_refused(head(&lines).as_bytes(), Refusal::Host);
    }
}

#[test]
fn lengths_are_one_number() {
    let cases: [&[&str]; 15] = [
        &["content-length:"],
        &["content-length: +1"],
        &["content-length: -1"],
        &["content-length: 1a"],
        &["content-length: 0x1"],
        &["content-length: 1.0"],
        &["content-length: 1 1"],
        &["content-length: 1, 1"],
        &["content-length: 1,"],
        &["content-length: \u{0661}"],
        &["content-length: 18446744073709551616"],
        &["content-length: 1", "content-length: 1"],
        &["content-length: 0", "Content-Length: 0"],
        &["content-length: 1", "transfer-encoding: chunked"],
        &["transfer-encoding: identity", "content-length: 1"],
    ];
    for fields in cases {
        for line in ["POST / HTTP/1.1", "POST / HTTP/1.0"] {
            let lines: Vec<&str> = [&[line, "host: a"], fields].concat();
            assert_refused(head(&lines).as_bytes(), Refusal::Length);
        }
    }
}

#[test]
fn codings_are_chunked_alone() {
    let cases: [(&str, &[&str], Refusal); 20] = [
        ("HTTP/1.1", &["gzip, chunked"], Refusal::Coding),
        ("HTTP/1.1", &["gzip,deflate,Chunked"], Refusal::Coding),
        ("HTTP/1.1", &["gzip", "chunked"], Refusal::Coding),
        ("HTTP/1.1", &["identity, chunked"], Refusal::Coding),
        ("HTTP/1.1", &["xchunked, chunked"], Refusal::Coding),
        ("HTTP/1.1", &[""], Refusal::Undelimited),
        ("HTTP/1.1", &["identity"], Refusal::Undelimited),
        ("HTTP/1.1", &["gzip"], Refusal::Undelimited),
        ("HTTP/1.1", &["chunked, gzip"], Refusal::Undelimited),
        ("HTTP/1.1", &["chunked", "gzip"], Refusal::Undelimited),
        ("HTTP/1.1", &["chunked, chunked"], Refusal::Undelimited),
        ("HTTP/1.1", &["chunked", "chunked"], Refusal::Undelimited),
        ("HTTP/1.1", &["chunked", "identity"], Refusal::Undelimited),
        ("HTTP/1.1", &["chunked,"], Refusal::Undelimited),
        ("HTTP/1.1", &[", chunked"], Refusal::Undelimited),
        ("HTTP/1.1", &["xchunked"], Refusal::Undelimited),
        ("HTTP/1.1", &["\"chunked\""], Refusal::Undelimited),
        ("HTTP/1.1", &["chunked;a=b"], Refusal::Undelimited),
        ("HTTP/1.0", &["chunked"], Refusal::Undelimited),
        ("HTTP/1.0", &["gzip, chunked"], Refusal::Undelimited),
    ];
    for (version, codings, refusal) in cases {
        let mut lines = vec![format!("POST / {version}"), "host: a".to_owned()];
        lines.extend(codings.iter().map(|coding| format!("transfer-encoding: {coding}")));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_refused(head(&lines).as_bytes(), refusal);
    }
}

#[test]
fn what_is_asked_is_understood() {
    let cases = [
        ("GET / HTTP/1.1", "a", "/", Some("a")),
        ("GET /a?b=c&d=%zz HTTP/1.1", "a", "/a?b=c&d=%zz", Some("a")),
        ("GET //a//?? HTTP/1.1", "a", "//a//??", Some("a")),
        ("GET /http://b/ HTTP/1.1", "a", "/http://b/", Some("a")),
        ("get / HTTP/1.1", "a", "/", Some("a")),
        ("X!#$%&'*+-.^_`|~0 / HTTP/1.1", "a", "/", Some("a")),
        ("GET / HTTP/1.1", "A.Example:8080", "/", Some("a.example:8080")),
        ("GET / HTTP/1.1", "a_b-c.d:", "/", Some("a_b-c.d:")),
        ("GET / HTTP/1.1", "a:65535", "/", Some("a:65535")),
        ("GET / HTTP/1.1", "127.0.0.1:1", "/", Some("127.0.0.1:1")),
        ("GET / HTTP/1.1", "[::1]", "/", Some("[::1]")),
        ("GET / HTTP/1.1", "[2001:DB8::1]:80", "/", Some("[2001:db8::1]:80")),
        ("GET / HTTP/1.1", "\t a \t", "/", Some("a")),
        ("GET http://a HTTP/1.1", "a", "/", Some("a")),
        ("GET http://a/ HTTP/1.1", "a", "/", Some("a")),
        ("GET HTTPS://A:1/b?c=/d HTTP/1.1", "a:1", "/b?c=/d", Some("a:1")),
        ("GET http://[::1]:1/b HTTP/1.1", "[::1]:1", "/b", Some("[::1]:1")),
        ("CONNECT b:443 HTTP/1.1", "b:443", "b:443", Some("b:443")),
    ];
    for (line, host, target, authority) in cases {
        let read = accepted(&[line, &format!("Host:{host}")]);
        assert_eq!((read.target.as_str(), read.authority.as_deref()), (target, authority), "{line} {host}");
        assert_eq!(read.method.as_str(), line.split(' ').next().unwrap(), "{line}");
        assert_eq!((read.protocol, read.framing), (Protocol::Http11, BodyFraming::None), "{line}");
    }
    let read = accepted(&["GET / HTTP/1.0"]);
    assert_eq!((read.protocol, read.authority), (Protocol::Http10, None));
    let read = accepted(&["GET http://B/c HTTP/1.0"]);
    assert_eq!((read.target.as_str(), read.authority.as_deref()), ("/c", Some("b")));
}

#[test]
fn the_framing_is_what_the_fields_say() {
    let cases = [
        ("HTTP/1.1", "x: 1", BodyFraming::None),
        ("HTTP/1.1", "content-length: 0", BodyFraming::None),
        ("HTTP/1.1", "content-length: 000", BodyFraming::None),
        ("HTTP/1.1", "Content-Length: 1", BodyFraming::Length(1)),
        ("HTTP/1.1", "CONTENT-LENGTH:\t010\t", BodyFraming::Length(10)),
        ("HTTP/1.1", "content-length: 18446744073709551615", BodyFraming::Length(u64::MAX)),
        ("HTTP/1.0", "content-length: 5", BodyFraming::Length(5)),
        ("HTTP/1.1", "transfer-encoding: chunked", BodyFraming::Chunked),
        ("HTTP/1.1", "Transfer-Encoding:\t CHUNKED ", BodyFraming::Chunked),
        ("HTTP/1.1", "x-content-length: 5", BodyFraming::None),
    ];
    for (version, field, framing) in cases {
        // The method says nothing about the body.
        for method in ["GET", "HEAD", "POST", "DELETE"] {
            let read = accepted(&[&format!("{method} / {version}"), "host: a", field]);
            assert_eq!(read.framing, framing, "{method} {version} {field}");
        }
    }
}

#[test]
fn connections_are_kept_as_the_version_and_the_field_say() {
    let cases: [(&str, &[&str], bool); 12] = [
        ("HTTP/1.1", &[], true),
        ("HTTP/1.1", &["keep-alive"], true),
        ("HTTP/1.1", &["close"], false),
        ("HTTP/1.1", &["Keep-Alive, CLOSE"], false),
        ("HTTP/1.1", &["keep-alive", "x , close"], false),
        ("HTTP/1.1", &["closed"], true),
        ("HTTP/1.1", &["upgrade"], true),
        ("HTTP/1.0", &[], false),
        ("HTTP/1.0", &["Keep-Alive"], true),
        ("HTTP/1.0", &["x,keep-alive"], true),
        ("HTTP/1.0", &["keep-alive", "close"], false),
        ("HTTP/1.0", &["keep-alives"], false),
    ];
    for (version, values, kept) in cases {
        let mut lines = vec![format!("GET / {version}"), "host: a".to_owned()];
        lines.extend(values.iter().map(|value| format!("connection: {value}")));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(accepted(&lines).keep_alive, kept, "{version} {values:?}");
    }
}

#[test]
fn values_keep_what_is_inside_them() {
    let cases: [(&[u8], &[u8]); 8] = [
        (b"", b""),
        (b" ", b""),
        (b"\t \t", b""),
        (b"a", b"a"),
        (b" \ta b\tc\t ", b"a b\tc"),
        (b" : a: b", b": a: b"),
        (b" \xff\x80\xfe ", b"\xff\x80\xfe"),
        // A no-break space is no white space of HTTP's.
        (b"\xc2\xa0a\xc2\xa0", b"\xc2\xa0a\xc2\xa0"),
    ];
    for (raw, value) in cases {
        let bytes = [b"GET / HTTP/1.1\r\nhost: a\r\nX-y:", raw, b"\r\n\r\n"].concat();
        let read = read(&bytes).unwrap().unwrap();
        assert_eq!(read.headers["x-y"].as_bytes(), value, "{raw:?}");
    }
    let read = accepted(&["GET / HTTP/1.1", "x: 1", "host: a", "X: 2", "x:"]);
    let values: Vec<_> = read.headers.get_all("x").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(values, ["1", "2", ""]);
}

#[test]
fn bytes_of_names_methods_and_targets_are_those_of_the_standard() {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    for byte in 0..=u8::MAX {
        let name = [b"GET / HTTP/1.1\r\nhost: a\r\nx", &[byte][..], b"y: 1\r\n\r\n"].concat();
        // A colon ends the name.
        assert_eq!(read(&name).is_ok(), token(byte) || byte == b':', "name, {byte:#04x}");
        let method = [b"X", &[byte][..], b"Y / HTTP/1.1\r\nhost: a\r\n\r\n"].concat();
        assert_eq!(read(&method).is_ok(), token(byte), "method, {byte:#04x}");
        let target = [b"GET /", &[byte][..], b" HTTP/1.1\r\nhost: a\r\n\r\n"].concat();
        assert_eq!(read(&target).is_ok(), byte.is_ascii_graphic(), "target, {byte:#04x}");
        let value = [b"GET / HTTP/1.1\r\nhost: a\r\nx: a", &[byte][..], b"b\r\n\r\n"].concat();
        let fits = byte == b'\t' || !byte.is_ascii_control();
        assert_eq!(read(&value).is_ok(), fits, "value, {byte:#04x}");
    }
}

#[test]
fn sizes_have_limits() {
    let target = |length: usize| head(&[&format!("GET /{} HTTP/1.1", "a".repeat(length - 1)), "host: a"]);
    assert_eq!(read(target(MAX_TARGET).as_bytes()).unwrap().unwrap().target.len(), MAX_TARGET);
    assert_refused(target(MAX_TARGET + 1).as_bytes(), Refusal::TargetTooLong);
    // It is refused before it ends.
    assert_eq!(find_end(&vec![b'a'; MAX_TARGET], 0), Ok(None));
    assert_eq!(find_end(&vec![b'a'; MAX_TARGET + 300], 0), Err(Refusal::TargetTooLong));

    let fields = |count: usize| {
        let mut lines = vec!["GET / HTTP/1.1", "host: a"];
        lines.resize(count + 1, "x: 1");
        head(&lines)
    };
    assert_eq!(read(fields(MAX_FIELDS).as_bytes()).unwrap().unwrap().headers.len(), MAX_FIELDS);
    assert_refused(fields(MAX_FIELDS + 1).as_bytes(), Refusal::HeadTooLarge);

    let sized = |size: usize| {
        let start = "GET / HTTP/1.1\r\nhost: a\r\nx: ";
        format!("{start}{}\r\n\r\n", "a".repeat(size - start.len() - 4))
    };
    assert_eq!(find_end(sized(MAX_HEAD).as_bytes(), 0), Ok(Some(MAX_HEAD)));
    assert_eq!(find_end(sized(MAX_HEAD + 1).as_bytes(), 0), Err(Refusal::HeadTooLarge));
    // Whoever is still sending its head at that size is not waited for.
    assert_eq!(find_end(&sized(MAX_HEAD + 9).as_bytes()[..MAX_HEAD], 0), Err(Refusal::HeadTooLarge));
    assert_eq!(find_end(&sized(MAX_HEAD + 9).as_bytes()[..MAX_HEAD - 1], 0), Ok(None));
}

/// Where a head ends, or why it is refused.
type End = Result<Option<usize>, Refusal>;

/// What [`find_end`] says of bytes that arrive in pieces: where the head ends or why it does not.
fn in_pieces(bytes: &[u8], cuts: impl IntoIterator<Item = usize>) -> End {
    let mut seen = 0;
    for cut in cuts.into_iter().chain([bytes.len()]) {
        if let Some(end) = find_end(&bytes[..cut], seen)? {
            return Ok(Some(end));
        }
        seen = cut;
    }
    Ok(None)
}

#[test]
fn the_end_is_the_same_wherever_the_head_is_cut() {
    let cases: [(&[u8], End); 9] = [
        (b"", Ok(None)),
        (b"GET / HTTP/1.1\r\nhost: a\r\n", Ok(None)),
        (b"GET / HTTP/1.1\r\nhost: a\r\n\r", Ok(None)),
        (b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", Ok(Some(27))),
        (b"GET / HTTP/1.1\r\n\r\nbody\n\0\r", Ok(Some(18))),
        (b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\n\n", Ok(Some(27))),
        (b"GET / HTTP/1.1\r\nhost: a\n\r\n", Err(Refusal::BareLineEnd)),
        (b"GET / HTTP/1.1\r\nhost: a\r\r\n\r\n", Err(Refusal::BareLineEnd)),
        (b"GET / HTTP/1.1\r\nhost: \x08\r\n\r\n", Err(Refusal::Control)),
    ];
    for (bytes, expected) in cases {
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(in_pieces(bytes, []), expected, "{shown:?}");
        assert_eq!(in_pieces(bytes, 0..bytes.len()), expected, "{shown:?} byte by byte");
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                assert_eq!(in_pieces(bytes, [first, second]), expected, "{shown:?} cut at {first} and {second}");
            }
        }
    }
}

#[test]
fn a_long_request_line_is_refused_however_it_arrives() {
    // Its target fits, its method is what is long.
    let method = "M".repeat(600);
    let bytes = head(&[&format!("{method} /{} HTTP/1.1", "a".repeat(MAX_TARGET - 1)), "host: a"]);
    let at_once = read(bytes.as_bytes()).map(|_| ());
    let in_two = in_pieces(bytes.as_bytes(), [MAX_TARGET + 500]).map(|_| ());
    assert_eq!((at_once, in_two), (Err(Refusal::TargetTooLong), Err(Refusal::TargetTooLong)));
}
