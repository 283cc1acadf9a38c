//! What a handler of a cached route is asked: what is in the key, and a fixed few fields beside it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use evergate_cache::{Fields, Moment, ResponseHead, Scheme, StoredResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::{HandlerRequest, request_id, traceparent};
use crate::admission::{Admission, admit};
use crate::config::parse;
use crate::request::{BodyPresence, Protocol, Request};
use crate::snapshot::Snapshot;
use crate::target::Target;

type Line<'a> = (&'a str, &'a str);

fn snapshot(hosts: &str) -> Arc<Snapshot> {
    let text = format!(
        "hosts: {hosts}
upstreams: {{ demo: {{ builtin: demo }} }}
routes:
  - {{ path: \"/items/[slug]\", revalidate: 60 }}
  - {{ path: /themed, revalidate: 60, cookies: [theme] }}
  - {{ path: /varied, revalidate: 60, vary: [accept-language, user-agent, accept] }}
"
    );
    let config = parse(&text, "config.yaml", &|_: &str| None).unwrap_or_else(|problems| panic!("{problems}"));
    Arc::new(Snapshot::new(&config, None))
}

/// The lines that a handler gets for a request of these lines, without the two that are made up each time.
fn asked(
    snapshot: &Arc<Snapshot>,
    target: &str,
    lines: &[Line<'_>],
    old: Option<&StoredResponse>,
) -> (String, Vec<String>) {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let request = Request {
        method: Method::HEAD,
        target: target.to_owned(),
        authority: Some(String::from("a.example:8080")),
        headers,
        body: BodyPresence::None,
        keep_alive: true,
        peer: Some([192, 0, 2, 1].into()),
        scheme: Scheme::Http,
        protocol: Protocol::Http11,
    };
    let target = Target::parse(&request.target).unwrap();
    let Admission::Cached(selected) =
        admit(&request, &target, snapshot.addressee(target.matched_path(), None), snapshot, SystemTime::UNIX_EPOCH)
    else {
        panic!("{request:?} is not cached");
    };
    let asked = HandlerRequest::new(&selected, &request, old);
    let head = asked.head(None, &HeaderValue::from_static("127.0.0.1:3000"));
    let text = String::from_utf8_lossy(head.bytes()).into_owned();
    let (line, fields) = text.strip_suffix("\r\n\r\n").unwrap().split_once("\r\n").unwrap();
    let own = |line: &&str| line.starts_with("x-request-id: ") || line.starts_with("traceparent: ");
    assert_eq!(fields.split("\r\n").filter(own).count(), 2, "a request and a trace have one name each");
    let mut lines: Vec<String> = fields.split("\r\n").filter(|line| !own(line)).map(str::to_owned).collect();
    lines.sort_unstable();
    (line.strip_suffix(" HTTP/1.1").unwrap().to_owned(), lines)
}

/// What every handler gets: the agent is the gateway.
fn agent() -> String {
    format!("user-agent: evergate/{}", env!("CARGO_PKG_VERSION"))
}

#[test]
fn promise_1_nothing_outside_the_key_reaches_a_cached_handler() {
    let everything = [
        ("host", "a.example:8080"),
        ("authorization-x", "secret"),
        ("cookie", "session=secret; theme=dark"),
        ("accept", "text/html"),
        ("accept-language", "en"),
        ("accept-encoding", "br"),
        ("user-agent", "browser"),
        ("referer", "https://a.example/secret"),
        ("if-none-match", "\"visitor\""),
        ("if-modified-since", "Tue, 15 Nov 1994 08:12:31 GMT"),
        ("range", "bytes=0-1"),
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-host", "evil.example"),
        ("x-request-id", "visitor"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("x-matched-path", "/evil"),
        ("x-route-params", "{}"),
        ("x-middleware-subrequest", "1"),
        ("connection", "keep-alive"),
    ];
    let snapshot = snapshot("[]");
    let (line, lines) = asked(&snapshot, "/items/%e4%bd%a0?b=2&a=1&utm_source=x", &everything, None);
    assert_eq!(line, "GET /items/%E4%BD%A0?a=1&b=2");
    let expected = [
        "accept: */*",
        "host: 127.0.0.1:3000",
        &agent(),
        "x-forwarded-proto: http",
        "x-matched-path: /items/[slug]",
        "x-route-params: {\"slug\":\"\\u4f60\"}",
    ];
    assert_eq!(lines, expected);
    let (_, themed) = asked(&snapshot, "/themed", &everything, None);
    assert_eq!(themed[1], "cookie: theme=dark");
    // Without anything of it, the request is the same.
    assert_eq!(asked(&snapshot, "/items/%e4%bd%a0?a=1&b=2", &[], None), (line, lines));
}

#[test]
fn fields_that_split_the_page_are_forwarded_as_the_key_has_them() {
    let cases: [(&[Line<'_>], &[&str]); 4] = [
        (&[("accept-language", "en")], &["accept-language: en"]),
        (&[("accept-language", "en"), ("accept-language", "de")], &["accept-language: en, de"]),
        (&[("user-agent", "browser"), ("accept", "text/html")], &["accept: text/html", "user-agent: browser"]),
        // A visitor who sends none has asked for the variant without it: the gateway's own is not put in its place.
        (&[], &[]),
    ];
    let snapshot = snapshot("[]");
    for (sent, expected) in cases {
        let (_, lines) = asked(&snapshot, "/varied", sent, None);
        let varied: Vec<&str> = lines
            .iter()
            .map(String::as_str)
            .filter(|line| line.starts_with("accept") || line.starts_with("user-agent"))
            .collect();
        assert_eq!(varied, expected, "{sent:?}");
    }
}

#[test]
fn the_host_is_the_sites_where_it_is_in_the_key() {
    let host = |hosts: &str| {
        let lines = asked(&snapshot(hosts), "/themed", &[("host", "a.example:8080")], None).1;
        lines.into_iter().filter(|line| line.contains("host")).collect::<Vec<_>>()
    };
    assert_eq!(host("[]"), ["host: 127.0.0.1:3000"]);
    assert_eq!(host("[a.example]"), ["host: a.example", "x-forwarded-host: a.example"]);
}

#[test]
fn a_refresh_asks_with_the_handlers_own_validators() {
    const DATE: &str = "Tue, 15 Nov 1994 08:12:31 GMT";
    let cases: [(&[Line<'_>], Option<&'static str>, &[&str]); 7] = [
        (&[], None, &[]),
        (&[("etag", "W/\"own\"")], None, &["if-none-match: W/\"own\""]),
        (&[("last-modified", DATE)], None, &["if-modified-since: Tue, 15 Nov 1994 08:12:31 GMT"]),
        (
            &[("etag", "\"own\""), ("last-modified", DATE)],
            None,
            &["if-modified-since: Tue, 15 Nov 1994 08:12:31 GMT", "if-none-match: \"own\""],
        ),
        // The gateway's own tag means nothing to a handler.
        (&[], Some("\"made\""), &[]),
        (&[("etag", "\"own\"")], Some("\"made\""), &["if-none-match: \"own\""]),
        (&[("last-modified", DATE)], Some("\"made\""), &["if-modified-since: Tue, 15 Nov 1994 08:12:31 GMT"]),
    ];
    let snapshot = snapshot("[]");
    for (fields, made, expected) in cases {
        let line = |(name, value): &Line<'_>| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap());
        let head = ResponseHead { status: StatusCode::OK, fields: fields.iter().map(line).collect::<Fields>() };
        let now = Moment { wall: SystemTime::UNIX_EPOCH, monotonic: Duration::ZERO };
        let old = StoredResponse::new(head, b"old", now, made.map(HeaderValue::from_static));
        let visitor = [("if-none-match", "\"visitor\""), ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT")];
        let (_, lines) = asked(&snapshot, "/themed", &visitor, Some(&old));
        let conditions: Vec<&String> = lines.iter().filter(|line| line.starts_with("if-")).collect();
        assert_eq!(conditions, expected, "{fields:?} {made:?}");
    }
}

#[test]
fn requests_and_traces_get_names_of_their_own() {
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    for _ in 0..100 {
        let id = request_id();
        assert!(hex(id.to_str().unwrap(), 32), "{id:?}");
        assert_ne!(id, request_id());
        // W3C Trace Context level 1, section 3.2: no part that names something is all zero.
        let trace = traceparent();
        let parts: Vec<&str> = trace.to_str().unwrap().split('-').collect();
        let [version, trace_id, parent_id, flags] = parts[..] else { panic!("{trace:?}") };
        assert_eq!((version, flags), ("00", "00"));
        assert!(hex(trace_id, 32) && hex(parent_id, 16), "{trace:?}");
        assert!(trace_id.contains(|digit| digit != '0') && parent_id.contains(|digit| digit != '0'), "{trace:?}");
    }
}
