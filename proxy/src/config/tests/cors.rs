//! CORS, in entries of `proxy` and in routes: what is accepted, and where the problem is otherwise.

use std::sync::Arc;
use std::time::Duration;

use super::{problems, with};
use crate::rules::{Allowed, Cors, Credentials, Mode, PrivateNetwork};

/// What an entry says about CORS.
fn of_rule(settings: &str) -> Arc<Cors> {
    let config = with(&format!("proxy: [{{ cors: {{ {settings} }} }}]"));
    let config = config.unwrap_or_else(|problems| panic!("{settings}: {problems}"));
    config.proxy[0].cors.clone().unwrap()
}

/// What a route says about it.
fn of_route(settings: &str) -> Option<Arc<Cors>> {
    let config = with(&format!("routes: [{{ path: /a, {settings} }}]"));
    config.unwrap_or_else(|problems| panic!("{settings}: {problems}")).routes[0].cors.clone()
}

fn told(allowed: &Allowed) -> Option<&str> {
    match allowed {
        Allowed::Any => Some("any"),
        Allowed::Only(listed) => listed.as_ref().map(|listed| listed.to_str().unwrap()),
    }
}

#[test]
fn what_is_left_out_has_a_default() {
    let cors = of_rule("allow_origins: [\"https://acme.com\"]");
    assert_eq!((told(&cors.methods), told(&cors.headers), &cors.expose), (Some("GET, HEAD, POST"), None, &None));
    assert_eq!((cors.credentials, cors.mode), (Credentials::Omitted, Mode::Replace));
    assert_eq!((cors.max_age, cors.private_network), (Duration::from_secs(600), PrivateNetwork::Open));
    let anyone = of_rule("allow_origins: \"*\"");
    assert_eq!(anyone.private_network, PrivateNetwork::Closed, "nobody in particular is known");
}

#[test]
fn everything_can_be_said() {
    let cors = of_rule(
        "allowOrigins: [\"https://Acme.com\", \"https://*.acme.app:8443\", null], allow_methods: [GET, PUT], \
         allow_headers: [Content-Type, x-a], expose_headers: x-total, allow_credentials: false, max_age: 1d, \
         allow_private_network: false, mode: enforce",
    );
    let origins: Vec<String> = cors.origins.iter().map(ToString::to_string).collect();
    assert_eq!(origins, ["https://acme.com", "https://*.acme.app:8443", "null"]);
    assert_eq!((told(&cors.methods), told(&cors.headers)), (Some("GET, PUT"), Some("Content-Type, x-a")));
    assert_eq!(cors.expose.as_ref().unwrap(), "x-total");
    assert_eq!((cors.max_age, cors.mode), (Duration::from_secs(86_400), Mode::Enforce));
    assert_eq!(cors.private_network, PrivateNetwork::Closed);
    let any = of_rule("allow_origins: \"*\", allow_methods: \"*\", allow_headers: [\"*\"], expose_headers: \"*\"");
    assert_eq!((&any.methods, &any.headers), (&Allowed::Any, &Allowed::Any));
    assert_eq!(any.expose.as_ref().unwrap(), "*");
    let known =
        of_rule("allow_origins: [\"https://*.acme.app\", \"http://*.localhost:3000\"], allow_credentials: true");
    assert_eq!(known.credentials, Credentials::Included);
}

#[test]
fn a_route_says_it_for_itself() {
    assert_eq!(of_route("revalidate: 60"), None);
    assert!(of_route("cors: {}").unwrap().origins.is_empty(), "nobody");
    let cors = of_route("methods: [PUT, GET], cors: { allow_origins: \"https://acme.com\" }").unwrap();
    assert_eq!(told(&cors.methods), Some("GET, HEAD, OPTIONS, PUT"), "what it answers");
    let config = with("defaults: { cors: { allow_origins: [\"https://acme.com\"] } }\nroutes: [{ path: /a }]").unwrap();
    assert_eq!(config.routes[0].cors.as_ref().unwrap().origins.len(), 1, "defaults are for every route");
}

#[test]
fn broken_settings_name_the_place() {
    const ORIGIN: &str = "an origin with its scheme (`https://acme.com`, `https://*.acme.app`), `*` or `null`";
    let cases = [
        (
            "max_age: 5",
            ".allow_origins",
            "nothing",
            "a list of origins (`[https://acme.com, \"https://*.acme.app\"]`), or `\"*\"` for all",
        ),
        ("allow_origins: [acme.com]", ".allow_origins[0]", "`acme.com`", ORIGIN),
        (
            "allow_origins: [\"https://acme.com/\"]",
            ".allow_origins[0]",
            "`https://acme.com/`",
            "an origin, which ends with its host or port (`https://acme.com`)",
        ),
        ("allow_origins: [], allow_methods: [get]", ".allow_methods[0]", "`get`", "upper case: `GET`"),
        ("allow_origins: [], allow_headers: [\"x a\"]", ".allow_headers[0]", "`x a`", "the name of a header, or `*`"),
        ("allow_origins: [], mode: off", ".mode", "`off`", "one of `replace`, `passthrough`, `enforce`"),
        (
            "allow_origins: [], allowed_headers: []",
            ".allowed_headers",
            "an unknown key",
            "a known key: did you mean `allow_headers`?",
        ),
        (
            "allow_origins: \"*\", allow_credentials: true",
            ".allow_origins",
            "`*`",
            "origins of people you know, because their pages may act for your visitors with \
             proxy[0].cors.allow_credentials (line 2)",
        ),
        (
            "allow_origins: [\"https://*.com\"], allow_credentials: true",
            ".allow_origins",
            "`https://*.com`",
            "origins of people you know, because their pages may act for your visitors with \
             proxy[0].cors.allow_credentials (line 2)",
        ),
        (
            "allow_origins: [null], allow_credentials: true",
            ".allow_origins",
            "`null`",
            "origins of people you know, because their pages may act for your visitors with \
             proxy[0].cors.allow_credentials (line 2)",
        ),
        (
            "allow_origins: [\"https://acme.com\"], allow_credentials: true, allow_headers: \"*\"",
            ".allow_headers",
            "`*`",
            "names, because browsers do not take `*` for all of them beside proxy[0].cors.allow_credentials (line 2)",
        ),
    ];
    for (settings, path, found, expected) in cases {
        let problem = format!("config.yaml:2: proxy[0].cors{path}: found {found}, expected {expected}");
        assert_eq!(problems(with(&format!("proxy: [{{ cors: {{ {settings} }} }}]"))), problem, "{settings}");
    }
    let twice = with("defaults: { cors: { allow_origins: [acme.com] } }\nroutes: [{ path: /a }, { path: /b }]");
    assert_eq!(
        problems(twice),
        format!("config.yaml:2: defaults.cors.allow_origins[0]: found `acme.com`, expected {ORIGIN}"),
        "a problem of the defaults is told once"
    );
    let none = with("proxy: [{ cors: {} }]");
    assert!(problems(none).contains("proxy[0].cors.allow_origins: found nothing"), "a rule is about somebody");
}
