//! Which parts make which keys, and which keys belong to one site.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{CacheKey, KeyParts, Regime, Scheme, Site};
use crate::memory::shared;

const SITE: Site<'static> = Site { generation: "g1", upstream: "demo", scheme: Scheme::Http, host: Some("a.example") };

/// The parts that the rows below change one at a time.
const PARTS: KeyParts<'static> = KeyParts {
    regime: Regime::Window,
    site: SITE,
    path: "/posts",
    query: Some("page=1"),
    cookies: Some(b"theme=dark"),
    form: None,
};

#[test]
fn every_part_makes_another_key() {
    let keys = [
        ("as it is", PARTS),
        ("regime", KeyParts { regime: Regime::Origin, ..PARTS }),
        ("generation", KeyParts { site: Site { generation: "g2", ..SITE }, ..PARTS }),
        ("no generation", KeyParts { site: Site { generation: "", ..SITE }, ..PARTS }),
        ("upstream", KeyParts { site: Site { upstream: "demo2", ..SITE }, ..PARTS }),
        ("scheme", KeyParts { site: Site { scheme: Scheme::Https, ..SITE }, ..PARTS }),
        ("host", KeyParts { site: Site { host: Some("b.example"), ..SITE }, ..PARTS }),
        ("empty host", KeyParts { site: Site { host: Some(""), ..SITE }, ..PARTS }),
        ("no host", KeyParts { site: Site { host: None, ..SITE }, ..PARTS }),
        ("path", KeyParts { path: "/posts/", ..PARTS }),
        ("case of the path", KeyParts { path: "/Posts", ..PARTS }),
        ("query", KeyParts { query: Some("page=2"), ..PARTS }),
        ("empty query", KeyParts { query: Some(""), ..PARTS }),
        ("no query", KeyParts { query: None, ..PARTS }),
        ("cookies", KeyParts { cookies: Some(b"theme=light"), ..PARTS }),
        ("empty cookies", KeyParts { cookies: Some(b""), ..PARTS }),
        ("no cookies", KeyParts { cookies: None, ..PARTS }),
        ("form", KeyParts { form: Some(b"1"), ..PARTS }),
        ("form as cookies", KeyParts { cookies: None, form: Some(b"theme=dark"), ..PARTS }),
        // The same letters, divided differently.
        ("host and path", KeyParts { site: Site { host: Some("a.example/posts"), ..SITE }, path: "", ..PARTS }),
        ("path and query", KeyParts { path: "/postspage=1", query: None, ..PARTS }),
        ("query as cookies", KeyParts { query: Some("theme=dark"), cookies: Some(b"page=1"), ..PARTS }),
        ("generation and upstream", KeyParts { site: Site { generation: "g", upstream: "1demo", ..SITE }, ..PARTS }),
        // What looks like the border between two parts is none.
        ("a border in the upstream", KeyParts { site: Site { upstream: "demo\u{1}x", ..SITE }, ..PARTS }),
        (
            "a border in the generation",
            KeyParts { site: Site { generation: "g1\u{1}demo", upstream: "x", ..SITE }, ..PARTS },
        ),
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

/// The parts of a key that belong to its site, within which groups count (RFC 9875 section 2.1).
#[test]
fn a_site_is_what_its_pages_have_in_common() {
    let cases = [
        ("regime", KeyParts { regime: Regime::Origin, ..PARTS }, true),
        ("path", KeyParts { path: "/other", ..PARTS }, true),
        ("query", KeyParts { query: None, ..PARTS }, true),
        ("cookies", KeyParts { cookies: None, ..PARTS }, true),
        ("generation", KeyParts { site: Site { generation: "g2", ..SITE }, ..PARTS }, false),
        ("upstream", KeyParts { site: Site { upstream: "demo2", ..SITE }, ..PARTS }, false),
        ("scheme", KeyParts { site: Site { scheme: Scheme::Https, ..SITE }, ..PARTS }, false),
        ("host", KeyParts { site: Site { host: Some("b.example"), ..SITE }, ..PARTS }, false),
        ("no host", KeyParts { site: Site { host: None, ..SITE }, ..PARTS }, false),
        (
            "generation and upstream",
            KeyParts { site: Site { generation: "g", upstream: "1demo", ..SITE }, ..PARTS },
            false,
        ),
    ];
    for (changed, parts, same) in cases {
        assert_eq!(parts.site.bytes() == PARTS.site.bytes(), same, "{changed}");
    }
}

/// Short texts of few letters, among them those that stand for presence and length in a key.
fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof![Just('a'), Just('\0'), Just('\u{1}'), Just('/')], 0..3)
        .prop_map(|letters| letters.into_iter().collect())
}

/// Whether it lives by the handler's word, generation, upstream, whether the scheme is https, host, path, query, cookies, form.
type Owned = (bool, String, String, bool, Option<String>, String, Option<String>, Option<String>, Option<String>);

fn owned() -> impl Strategy<Value = Owned> {
    let maybe = || proptest::option::of(text());
    (any::<bool>(), text(), text(), any::<bool>(), maybe(), text(), maybe(), maybe(), maybe())
}

fn key(parts: &Owned) -> CacheKey {
    let (by_origin, generation, upstream, secure, host, path, query, cookies, form) = parts;
    let regime = if *by_origin { Regime::Origin } else { Regime::Window };
    let scheme = if *secure { Scheme::Https } else { Scheme::Http };
    let [host, query] = [host, query].map(Option::as_deref);
    let [cookies, form] = [cookies, form].map(|part| part.as_deref().map(str::as_bytes));
    KeyParts { regime, site: Site { generation, upstream, scheme, host }, path, query, cookies, form }.key()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keys_are_equal_where_their_parts_are(one in owned(), other in owned()) {
        prop_assert_eq!(key(&one) == key(&other), one == other);
    }

    #[test]
    fn a_key_is_read_as_it_was_written(parts in owned()) {
        let key = key(&parts);
        let read = KeyParts::read(key.as_bytes()).expect("it was written");
        prop_assert_eq!(&read.key(), &key);
        prop_assert_eq!((read.path, read.site.upstream), (parts.5.as_str(), parts.2.as_str()));
    }

    #[test]
    fn what_was_not_written_is_read_as_nothing_or_as_itself(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Some(read) = KeyParts::read(&bytes) {
            prop_assert!(bytes.starts_with(read.key().as_bytes()));
        }
    }

    #[test]
    fn one_moved_letter_makes_another_key(parts in owned(), letter in any::<char>()) {
        let (by_origin, generation, upstream, secure, host, path, query, cookies, form) = parts;
        let one = (by_origin, format!("{generation}{letter}"), upstream.clone(), secure, host.clone(), path.clone(), query.clone(), cookies.clone(), form.clone());
        let other = (by_origin, generation, format!("{letter}{upstream}"), secure, host, path, query, cookies, form);
        prop_assert_ne!(key(&one), key(&other));
    }
}

/// There is one for each page and what stands apart is charged for, so neither is to grow unseen.
#[test]
fn a_key_takes_no_more_than_it_must() {
    // With its counts it is one size of the allocator.
    assert_eq!(shared(size_of::<CacheKey>()), 80);
    for (length, apart) in [(0, 0), (40, 0), (56, 0), (57, 64), (70, 80), (129, 160), (300, 320)] {
        let key = CacheKey::from(&*vec![b'k'; length]);
        let copy = key.clone();
        assert_eq!((key.apart(), copy.apart()), (apart, apart), "{length}");
        assert_eq!((copy.as_bytes().len(), copy == key), (length, true));
    }
}
