//! Hosts and ports, lists of tokens, and who wants to leave HTTP.

use evergate_cache::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use super::{BodyPresence, Protocol, Request, host_of, lists};

/// The name and the value of a field.
type Line<'a> = (&'a str, &'a str);

fn request(authority: Option<&str>, fields: &[Line<'_>]) -> Request {
    let field = |(name, value): &Line<'_>| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().map(field) {
        headers.append(name, value);
    }
    Request {
        method: Method::GET,
        target: "/".to_owned(),
        authority: authority.map(str::to_owned),
        headers,
        body: BodyPresence::None,
        keep_alive: true,
        peer: None,
        scheme: Scheme::Http,
        protocol: Protocol::Http11,
    }
}

#[test]
fn hosts_stand_before_ports() {
    let cases = [
        ("a.example", "a.example"),
        ("a.example:80", "a.example"),
        ("a.example:", "a.example"),
        ("127.0.0.1:8080", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[::1]:80", "[::1]"),
        ("[2001:db8::1]:", "[2001:db8::1]"),
        ("", ""),
        (":80", ""),
    ];
    for (authority, host) in cases {
        assert_eq!(host_of(authority), host, "{authority}");
        assert_eq!(request(Some(authority), &[]).host(), Some(host), "{authority}");
    }
    assert_eq!(request(None, &[]).host(), None);
}

#[test]
fn lists_hold_whole_tokens_of_any_case() {
    let cases: [(&[u8], bool); 14] = [
        (b"close", true),
        (b"Close", true),
        (b"keep-alive, CLOSE", true),
        (b"close,x", true),
        (b",\tclose ,", true),
        (b"x,,close", true),
        (b"", false),
        (b",", false),
        (b"closed", false),
        (b"xclose", false),
        (b"clo se", false),
        (b"close;q=1", false),
        (b"x close", false),
        (b"\xffclose", false),
    ];
    for (line, listed) in cases {
        assert_eq!(lists(line, b"close"), listed, "{}", line.escape_ascii());
    }
}

#[test]
fn protocols_have_names() {
    let names = [Protocol::Http10, Protocol::Http11, Protocol::Http2].map(Protocol::as_str);
    assert_eq!(names, ["HTTP/1.0", "HTTP/1.1", "HTTP/2"]);
}

#[test]
fn upgrades_are_asked_for_in_two_fields() {
    let cases: [(&str, &[Line<'_>], bool); 13] = [
        ("nothing", &[], false),
        ("WebSocket", &[("connection", "upgrade"), ("upgrade", "websocket")], true),
        ("in any case, in a list", &[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")], true),
        ("in a second line", &[("connection", "x"), ("connection", "upgrade"), ("upgrade", "websocket")], true),
        ("without `Connection`", &[("upgrade", "websocket")], false),
        ("not named by `Connection`", &[("connection", "keep-alive"), ("upgrade", "websocket")], false),
        ("almost named by it", &[("connection", "upgraded"), ("upgrade", "websocket")], false),
        ("without `Upgrade`", &[("connection", "upgrade")], false),
        ("HTTP/2", &[("connection", "upgrade"), ("upgrade", "h2c")], false),
        (
            "HTTP/2 with its settings",
            &[("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "H2C"), ("http2-settings", "AAMAAABkAAQAAP__")],
            false,
        ),
        ("HTTP/2 among others", &[("connection", "upgrade"), ("upgrade", "websocket, h2c")], false),
        ("HTTP/2 in a line after", &[("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c")], false),
        ("HTTP/2 in a line before", &[("connection", "upgrade"), ("upgrade", "h2c"), ("upgrade", "websocket")], false),
    ];
    for (case, fields, wanted) in cases {
        assert_eq!(request(None, fields).wants_upgrade(), wanted, "{case}");
    }
}

#[test]
fn http_1_0_does_not_upgrade() {
    // RFC 9110 section 7.8: a server must ignore the field there.
    let asks = request(None, &[("connection", "upgrade"), ("upgrade", "websocket")]);
    assert!(!Request { protocol: Protocol::Http10, ..asks }.wants_upgrade());
}

proptest! {
    #[test]
    fn a_host_and_its_port_come_apart(
        host in prop_oneof!["[a-z0-9.-]{1,12}", "\\[[0-9a-f:.]{2,12}\\]"],
        port in "(:[0-9]{0,5})?",
    ) {
        let authority = format!("{host}{port}");
        prop_assert_eq!(host_of(&authority), host.as_str());
    }

    #[test]
    fn any_text_has_a_host_at_its_start(text in ".{0,20}") {
        prop_assert!(text.starts_with(host_of(&text)));
    }

    #[test]
    fn a_token_is_found_in_every_list_that_holds_it(
        items in proptest::collection::vec("[ \t]{0,2}[a-z]{0,3}[ \t]{0,2}", 0..6),
        token in "[a-z]{1,3}",
    ) {
        let held = items.iter().any(|item| item.trim() == token);
        prop_assert_eq!(lists(items.join(",").as_bytes(), token.to_ascii_uppercase().as_bytes()), held);
    }
}
