//! Which parts make which keys, and which requests ask for the same variant.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::{CacheKey, KeyParts, Scheme, Variant};

/// The parts that the rows below change one at a time.
const PARTS: KeyParts<'static> = KeyParts {
    generation: "g1",
    upstream: "demo",
    scheme: Scheme::Http,
    host: Some("a.example"),
    path: "/posts",
    query: Some("page=1"),
    cookies: Some(b"theme=dark"),
};

#[test]
fn every_part_makes_another_key() {
    let keys = [
        ("as it is", PARTS),
        ("generation", KeyParts { generation: "g2", ..PARTS }),
        ("no generation", KeyParts { generation: "", ..PARTS }),
        ("upstream", KeyParts { upstream: "demo2", ..PARTS }),
        ("scheme", KeyParts { scheme: Scheme::Https, ..PARTS }),
        ("host", KeyParts { host: Some("b.example"), ..PARTS }),
        ("empty host", KeyParts { host: Some(""), ..PARTS }),
        ("no host", KeyParts { host: None, ..PARTS }),
        ("path", KeyParts { path: "/posts/", ..PARTS }),
        ("case of the path", KeyParts { path: "/Posts", ..PARTS }),
        ("query", KeyParts { query: Some("page=2"), ..PARTS }),
        ("empty query", KeyParts { query: Some(""), ..PARTS }),
        ("no query", KeyParts { query: None, ..PARTS }),
        ("cookies", KeyParts { cookies: Some(b"theme=light"), ..PARTS }),
        ("empty cookies", KeyParts { cookies: Some(b""), ..PARTS }),
        ("no cookies", KeyParts { cookies: None, ..PARTS }),
        // The same letters, divided differently.
        ("host and path", KeyParts { host: Some("a.example/posts"), path: "", ..PARTS }),
        ("path and query", KeyParts { path: "/postspage=1", query: None, ..PARTS }),
        ("query as cookies", KeyParts { query: Some("theme=dark"), cookies: Some(b"page=1"), ..PARTS }),
        ("generation and upstream", KeyParts { generation: "g", upstream: "1demo", ..PARTS }),
        // What looks like the border between two parts is none.
        ("a border in the upstream", KeyParts { upstream: "demo\u{1}x", ..PARTS }),
        ("a border in the generation", KeyParts { generation: "g1\u{1}demo", upstream: "x", ..PARTS }),
    ];
    for (at, (changed, parts)) in keys.iter().enumerate() {
        for (before, other) in &keys[..at] {
            assert_ne!(parts.key(), other.key(), "{changed} and {before}");
        }
        assert_eq!(parts.key(), parts.key(), "{changed}");
    }
}

#[test]
fn a_key_is_found_by_its_bytes() {
    let mut bytes = b"left by the request before".to_vec();
    bytes.clear();
    PARTS.write(&mut bytes);
    assert_eq!(PARTS.key().as_bytes(), bytes);
    assert_eq!(PARTS.key(), CacheKey::from(bytes.as_slice()));
    let map = HashMap::from([(PARTS.key(), 1)]);
    assert_eq!(map.get(bytes.as_slice()), Some(&1));
    bytes.push(0);
    assert_eq!(map.get(bytes.as_slice()), None);
}

fn variant(variance: &[&str], lines: &[(&str, &str)]) -> Variant {
    let names: Vec<HeaderName> = variance.iter().map(|name| name.parse().unwrap()).collect();
    let mut request = HeaderMap::new();
    for (name, value) in lines {
        request.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    Variant::of(&names, &request)
}

/// What splits a page, the lines of two requests, and whether they ask for the same variant.
type Pair<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)], bool);

#[test]
fn requests_that_ask_for_the_same_variant() {
    let cases: [Pair<'_>; 17] = [
        (&[], &[("accept-language", "en")], &[("accept-language", "de")], true),
        (&["accept-language"], &[("accept-language", "en")], &[("accept-language", "en")], true),
        (&["accept-language"], &[("accept-language", "en")], &[("accept-language", "de")], false),
        (&["accept-language"], &[("accept-language", "en")], &[], false),
        (&["accept-language"], &[("accept-language", "")], &[], false),
        (&["accept-language"], &[], &[], true),
        // A field that does not split the page has no part in it.
        (&["accept-language"], &[("x-other", "1")], &[("x-other", "2")], true),
        // Lines of one field are one list (RFC 9110 section 5.3), in their order.
        (&["accept"], &[("accept", "a"), ("accept", "b")], &[("accept", "a, b")], true),
        (&["accept"], &[("accept", "a"), ("accept", "b")], &[("accept", "b"), ("accept", "a")], false),
        (&["accept"], &[("accept", "a"), ("accept", "b")], &[("accept", "ab")], false),
        (&["accept"], &[("accept", "a"), ("accept", "")], &[("accept", "a")], false),
        (&["accept"], &[("accept", ""), ("accept", "a")], &[("accept", "a")], false),
        (&["accept"], &[("accept", "a"), ("x-between", "1"), ("accept", "b")], &[("accept", "a, b")], true),
        // Values of two fields do not run into each other.
        (&["x-a", "x-b"], &[("x-a", "1"), ("x-b", "2")], &[("x-a", "12"), ("x-b", "")], false),
        (&["x-a", "x-b"], &[("x-a", "1")], &[("x-b", "1")], false),
        (&["x-a", "x-b"], &[("x-a", "")], &[("x-b", "")], false),
        // Bytes outside ASCII are bytes like others.
        (&["x-a"], &[("x-a", "é")], &[("x-a", "è")], false),
    ];
    for (variance, one, other, same) in cases {
        assert_eq!(variant(variance, one) == variant(variance, other), same, "{variance:?}: {one:?} and {other:?}");
    }
}

#[test]
fn a_variant_has_a_size() {
    assert_eq!(variant(&[], &[("accept", "long enough")]).size(), 0);
    assert!(variant(&["accept"], &[("accept", "long enough")]).size() >= "long enough".len());
}

/// Short texts of few letters, among them those that stand for presence and length in a key.
fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof![Just('a'), Just('\0'), Just('\u{1}'), Just('/')], 0..3)
        .prop_map(|letters| letters.into_iter().collect())
}

/// Generation, upstream, whether the scheme is https, host, path, query, cookies.
type Owned = (String, String, bool, Option<String>, String, Option<String>, Option<String>);

fn owned() -> impl Strategy<Value = Owned> {
    let maybe = || proptest::option::of(text());
    (text(), text(), any::<bool>(), maybe(), text(), maybe(), maybe())
}

fn key(parts: &Owned) -> CacheKey {
    let (generation, upstream, secure, host, path, query, cookies) = parts;
    let scheme = if *secure { Scheme::Https } else { Scheme::Http };
    let [host, query, cookies] = [host, query, cookies].map(Option::as_deref);
    let cookies = cookies.map(str::as_bytes);
    KeyParts { generation, upstream, scheme, host, path, query, cookies }.key()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keys_are_equal_where_their_parts_are(one in owned(), other in owned()) {
        prop_assert_eq!(key(&one) == key(&other), one == other);
    }

    #[test]
    fn one_moved_letter_makes_another_key(parts in owned(), letter in any::<char>()) {
        let (generation, upstream, secure, host, path, query, cookies) = parts;
        let one = (format!("{generation}{letter}"), upstream.clone(), secure, host.clone(), path.clone(), query.clone(), cookies.clone());
        let other = (generation, format!("{letter}{upstream}"), secure, host, path, query, cookies);
        prop_assert_ne!(key(&one), key(&other));
    }
}
