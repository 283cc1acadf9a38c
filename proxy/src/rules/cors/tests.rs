use std::time::Duration;

use evergate_cache::Fields;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::{Allowed, Cors, Credentials, Mode, OriginError, OriginPattern, PrivateNetwork, Sender, is_preflight};
use crate::rules::Changes;

fn cors(origins: &[&str]) -> Cors {
    Cors {
        origins: origins.iter().map(|origin| OriginPattern::parse(origin).unwrap()).collect(),
        methods: Allowed::Only(Some(HeaderValue::from_static("GET, PUT"))),
        headers: Allowed::Only(Some(HeaderValue::from_static("Content-Type"))),
        expose: Some(HeaderValue::from_static("x-total")),
        credentials: Credentials::Omitted,
        max_age: Duration::from_secs(60),
        private_network: PrivateNetwork::Open,
        mode: Mode::Replace,
    }
}

/// Header lines.
type Lines = &'static [(&'static str, &'static str)];

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let line =
        |(name, value): &(&'static str, &'static str)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    lines.iter().map(line).collect()
}

fn text(lines: &[(HeaderName, HeaderValue)]) -> String {
    let line = |(name, value): &(HeaderName, HeaderValue)| {
        format!("{}: {}", name.as_str().replace("access-control-", ""), value.to_str().unwrap())
    };
    lines.iter().map(line).collect::<Vec<_>>().join("; ")
}

#[test]
fn an_origin_is_compared_whole() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "https://acme.com",
            &["https://acme.com"],
            &[
                "http://acme.com",
                "https://acme.com:8443",
                "https://acme.com.evil.example",
                "https://evilacme.com",
                "https://www.acme.com",
                "https://acme.com/",
                "https://ACME.com",
                "https://acme.com, https://evil.example",
                "https://acme.com https://evil.example",
                "https://acmeXcom",
                "null",
                "",
            ],
        ),
        ("HTTPS://Acme.COM:443", &["https://acme.com"], &["https://acme.com:443"]),
        ("http://localhost:3000", &["http://localhost:3000"], &["http://localhost", "http://localhost:30000"]),
        ("http://[::1]:80", &["http://[::1]"], &["http://[::1]:80", "http://[::2]"]),
        (
            "https://*.acme.app",
            &["https://a.acme.app", "https://a.b.acme.app", "https://x-1.acme.app", "https://xn--p1ai.acme.app"],
            &[
                "https://acme.app",
                "https://.acme.app",
                "https://a..acme.app",
                "https://evilacme.app",
                "https://evil-acme.app",
                "https://a.acme.app.evil.example",
                "https://evil.example/.acme.app",
                "https://evil.example?.acme.app",
                "https://evil.example#.acme.app",
                "https://evil.example:1.acme.app",
                "https://user@a.acme.app",
                "https://evil.example\\.acme.app",
                "https://a.acme.app:8443",
                "https://a.acme.app.",
                "https://a acme.app",
                "https://A.acme.app",
                "http://a.acme.app",
                "null",
            ],
        ),
        ("http://*.localhost:3000", &["http://a.localhost:3000"], &["http://a.localhost", "http://localhost:3000"]),
        ("capacitor://localhost", &["capacitor://localhost"], &["https://localhost"]),
        ("*", &["https://acme.com", "http://a.example:1"], &["null"]),
        ("null", &["null"], &["https://acme.com", "NULL", "file://"]),
    ];
    for (pattern, meant, others) in cases {
        let pattern = OriginPattern::parse(pattern).unwrap();
        for origin in *meant {
            assert!(pattern.fits(origin), "{pattern} means {origin}");
        }
        for origin in *others {
            assert!(!pattern.fits(origin), "{pattern} does not mean {origin}");
        }
    }
}

#[test]
fn what_is_no_origin_is_refused() {
    let cases = [
        ("acme.com", OriginError::Scheme),
        ("*.acme.app", OriginError::Scheme),
        ("//acme.com", OriginError::Scheme),
        ("*://acme.com", OriginError::Scheme),
        ("", OriginError::Scheme),
        ("https://acme.com/", OriginError::Path),
        ("https://acme.com/app", OriginError::Path),
        ("https://user@acme.com", OriginError::Path),
        ("https://", OriginError::Host),
        ("https://acme..com", OriginError::Host),
        ("https://*.", OriginError::Host),
        ("https://bücher.example", OriginError::Host),
        ("https://[zz]", OriginError::Host),
        ("https://*", OriginError::Star),
        ("https://a.*.app", OriginError::Star),
        ("https://*acme.app", OriginError::Star),
        ("https://*.*.app", OriginError::Star),
        ("https://acme.com:*", OriginError::Port),
        ("https://acme.com:0", OriginError::Port),
        ("https://acme.com:+80", OriginError::Port),
        ("https://acme.com:", OriginError::Port),
        ("https://acme.com:65536", OriginError::Port),
    ];
    for (text, expected) in cases {
        assert_eq!(OriginPattern::parse(text), Err(expected), "{text}");
    }
}

#[test]
fn where_a_request_comes_from_is_told_by_its_one_origin() {
    let listed = cors(&["https://acme.com"]);
    let cases: &[(&[&'static str], Option<&str>, Sender)] = &[
        (&[], Some("api.example"), Sender::Unsaid),
        (&["https://acme.com"], Some("api.example"), Sender::Allowed),
        (&["https://acme.com"], Some("acme.com"), Sender::Allowed),
        (&["https://evil.example"], Some("api.example"), Sender::Foreign),
        (&["https://evil.example"], None, Sender::Foreign),
        (&["null"], Some("api.example"), Sender::Foreign),
        (&["https://acme.com", "https://acme.com"], Some("api.example"), Sender::Foreign),
        (&["https://acme.com", "https://evil.example"], Some("api.example"), Sender::Foreign),
        (&["https://api.example"], Some("api.example"), Sender::Own),
        (&["http://api.example"], Some("api.example"), Sender::Own),
        (&["https://api.example"], Some("api.example:443"), Sender::Own),
        (&["http://api.example"], Some("api.example:443"), Sender::Foreign),
        (&["http://api.example:8080"], Some("api.example:8080"), Sender::Own),
        (&["http://api.example:8081"], Some("api.example:8080"), Sender::Foreign),
        (&["http://api.example"], Some("api.example:8080"), Sender::Foreign),
        (&["ftp://api.example"], Some("api.example"), Sender::Foreign),
        (&[""], Some(""), Sender::Foreign),
    ];
    for (origins, authority, expected) in cases {
        let lines: Vec<_> = origins.iter().map(|origin| ("origin", *origin)).collect();
        assert_eq!(listed.sender(&headers(&lines), *authority), *expected, "{origins:?} to {authority:?}");
    }
}

#[test]
fn a_preflight_says_what_it_asks_and_who() {
    let cases: &[(Method, Lines, bool)] = &[
        (Method::OPTIONS, &[("origin", "https://a.example"), ("access-control-request-method", "PUT")], true),
        (Method::OPTIONS, &[("origin", "https://a.example")], false),
        (Method::OPTIONS, &[("access-control-request-method", "PUT")], false),
        (Method::GET, &[("origin", "https://a.example"), ("access-control-request-method", "PUT")], false),
    ];
    for (method, lines, expected) in cases {
        assert_eq!(is_preflight(method, &headers(lines)), *expected, "{method} {lines:?}");
    }
}

#[test]
fn what_is_told_depends_on_who_asks() {
    let origin = ("origin", "https://acme.com");
    let with = |change: fn(&mut Cors)| {
        let mut cors = cors(&["https://acme.com"]);
        change(&mut cors);
        cors
    };
    let credentials = with(|cors| cors.credentials = Credentials::Included);
    let anyone = cors(&["*"]);
    let silent = with(|cors| cors.expose = None);
    let cases = [
        (&silent, Sender::Allowed, "allow-origin: https://acme.com"),
        (
            &credentials,
            Sender::Allowed,
            "allow-origin: https://acme.com; allow-credentials: true; expose-headers: x-total",
        ),
        (&credentials, Sender::Foreign, ""),
        (&credentials, Sender::Own, ""),
        (&credentials, Sender::Unsaid, ""),
        (&anyone, Sender::Allowed, "allow-origin: *; expose-headers: x-total"),
        (&anyone, Sender::Unsaid, "allow-origin: *; expose-headers: x-total"),
        (&anyone, Sender::Foreign, ""),
    ];
    for (cors, sender, expected) in cases {
        assert_eq!(text(&cors.said(sender, &headers(&[origin])).lines), expected, "{sender:?}");
    }
}

#[test]
fn a_preflight_is_told_what_is_allowed() {
    let asked = |names: &'static str| {
        headers(&[
            ("origin", "https://acme.com"),
            ("access-control-request-method", "DELETE"),
            ("access-control-request-headers", names),
            ("access-control-request-private-network", "true"),
        ])
    };
    let listed = cors(&["https://acme.com"]);
    assert_eq!(
        text(&listed.preflight(Sender::Allowed, &asked("x-a"))),
        "allow-origin: https://acme.com; allow-methods: GET, PUT; allow-headers: Content-Type; max-age: 60; \
         allow-private-network: true"
    );
    for sender in [Sender::Foreign, Sender::Own, Sender::Unsaid] {
        assert_eq!(text(&listed.preflight(sender, &asked("x-a"))), "", "{sender:?}");
    }
    let open = Cors { methods: Allowed::Any, headers: Allowed::Any, private_network: PrivateNetwork::Closed, ..listed };
    let told = |names| text(&open.preflight(Sender::Allowed, &asked(names)));
    assert_eq!(
        told("authorization, x-a"),
        "allow-origin: https://acme.com; allow-methods: DELETE; allow-headers: authorization, x-a; max-age: 60"
    );
    for nonsense in ["", "x-a,", "x a", "x-a;q=1"] {
        assert!(!told(nonsense).contains("allow-headers"), "{nonsense} is not repeated");
    }
    let endless: &'static str = "x".repeat(2_000).leak();
    assert!(!told(endless).contains("allow-headers"), "what is endless is not repeated");
}

#[test]
fn the_handlers_word_is_replaced_or_kept() {
    let handlers = [("access-control-allow-origin", "*"), ("access-control-allow-methods", "PATCH"), ("x-a", "1")];
    let cases: &[(Mode, Sender, bool, &str)] = &[
        (
            Mode::Replace,
            Sender::Allowed,
            true,
            "x-a: 1; allow-origin: https://acme.com; expose-headers: x-total; vary: origin",
        ),
        (Mode::Replace, Sender::Foreign, true, "x-a: 1; vary: origin"),
        (Mode::Replace, Sender::Unsaid, true, "x-a: 1; vary: origin"),
        (Mode::Enforce, Sender::Unsaid, true, "x-a: 1; vary: origin"),
        (Mode::Passthrough, Sender::Foreign, true, "allow-origin: *; allow-methods: PATCH; x-a: 1; vary: origin"),
        (Mode::Passthrough, Sender::Foreign, false, "vary: origin"),
        (
            Mode::Passthrough,
            Sender::Allowed,
            false,
            "allow-origin: https://acme.com; expose-headers: x-total; vary: origin",
        ),
    ];
    for (mode, sender, says, expected) in cases {
        let cors = Cors { mode: *mode, ..cors(&["https://acme.com"]) };
        let mut changes = Changes::default();
        changes.cross(&cors, *sender, &headers(&[("origin", "https://acme.com")]));
        let said = if *says { handlers.as_slice() } else { &[] };
        let mut fields: Fields = headers(said).into_iter().map(|(name, value)| (name.unwrap(), value)).collect();
        changes.apply_to_answer(&mut fields, StatusCode::OK);
        let lines: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        assert_eq!(text(&lines), *expected, "{mode:?} {sender:?}");
    }
}
