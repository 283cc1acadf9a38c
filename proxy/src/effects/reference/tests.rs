//! Which page of the site a reference names, if it names one.

use std::sync::Arc;

use http::{HeaderMap, Method};

use super::on_this_site;
use crate::config::parse;
use crate::outcome::PassReason;
use crate::passage::{Leash, Naming, Passage};
use crate::request::{BodyPresence, Protocol, Request};
use crate::snapshot::Snapshot;
use evergate_cache::Scheme;

fn passage(target: &str) -> Passage {
    let config = parse("upstreams: { demo: { builtin: demo } }", "config.yaml", &|_: &str| None).unwrap();
    let snapshot = Arc::new(Snapshot::new(&config, None));
    Passage {
        upstream: Arc::clone(&snapshot.default_upstream),
        snapshot,
        route: None,
        params: None,
        target: target.to_owned(),
        reason: PassReason::Method,
        naming: Naming::Visitors,
        first_step: std::time::Duration::ZERO,
        leash: Leash::new(std::time::Duration::ZERO, None),
        date: Arc::default(),
        cut: Arc::default(),
        ruled: Default::default(),
    }
}

fn request(authority: &str) -> Request {
    Request {
        method: Method::POST,
        target: String::from("/"),
        authority: Some(authority.to_owned()),
        headers: HeaderMap::new(),
        body: BodyPresence::None,
        keep_alive: true,
        peer: None,
        scheme: Scheme::Http,
        protocol: Protocol::Http11,
    }
}

/// RFC 3986 sections 4.2, 5.2 and 5.4; dot segments are resolved by whoever reads the target.
#[test]
fn references_are_resolved_against_the_target() {
    let cases = [
        ("/c", Some("/c")),
        ("/c?x=1", Some("/c?x=1")),
        ("/c#part", Some("/c")),
        ("c", Some("/a/c")),
        ("c?x", Some("/a/c?x")),
        ("./c", Some("/a/./c")),
        ("../c", Some("/a/../c")),
        ("?x", Some("/a/b?x")),
        ("", Some("/a/b?q=1")),
        ("#part", Some("/a/b?q=1")),
        // By a name for the site, in any spelling of host and port.
        ("//shop.example/c", Some("/c")),
        ("http://shop.example/c", Some("/c")),
        ("HTTP://SHOP.example:80/c?x", Some("/c?x")),
        ("http://shop.example", Some("/")),
        ("http://shop.example?x", Some("/?x")),
        // What looks like a scheme may be part of a path or a query.
        ("/c?to=http://other.example/", Some("/c?to=http://other.example/")),
        ("c/http://other.example/", Some("/a/c/http://other.example/")),
        // Another origin is not heeded (RFC 9111 section 4.4).
        ("https://shop.example/c", None),
        ("http://shop.example:8080/c", None),
        ("http://other.example/c", None),
        ("//other.example/c", None),
        ("http://shop.example.other/c", None),
        ("http://shop.example@other.example/c", None),
        ("ftp://shop.example/c", None),
    ];
    for (reference, expected) in cases {
        let found = on_this_site(reference, &passage("/a/b?q=1"), &request("shop.example"));
        assert_eq!(found.as_deref(), expected, "{reference:?}");
    }
    assert_eq!(on_this_site("http://[::1]:81/c", &passage("/"), &request("[::1]:81")).as_deref(), Some("/c"));
    assert_eq!(
        on_this_site("http://shop.example/c", &passage("/"), &request("shop.example:80")).as_deref(),
        Some("/c")
    );
    assert_eq!(on_this_site("c", &passage("/"), &request("shop.example")).as_deref(), Some("/c"));
}
