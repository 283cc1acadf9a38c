//! Which targets are refused, and what the others are in normal form.

use proptest::prelude::*;

use super::{Target, TargetError, allowed, decode, unreserved};

/// The target in normal form, as a handler receives it.
fn normal(raw: &str) -> Result<String, TargetError> {
    Target::parse(raw).map(|target| target.forwarded())
}

#[test]
fn paths_have_one_spelling() {
    let cases = [
        ("/", "/"),
        ("/posts", "/posts"),
        ("/posts/", "/posts/"),
        ("/Posts", "/Posts"),
        // Unreserved characters are decoded, once (RFC 3986 section 6.2.2.2).
        ("/%41%7a%30%2D%2e%5F%7E", "/Az0-._~"),
        ("/%2541", "/%2541"),
        ("/%252F", "/%252F"),
        // What is reserved stays as it is, encoded or not, with hex in upper case (section 6.2.2.1).
        ("/a%2fb", "/a%2Fb"),
        ("/a%2Fb", "/a%2Fb"),
        ("/%3a%40%21%24%26%27%28%29%2a%2b%2c%3b%3d", "/%3A%40%21%24%26%27%28%29%2A%2B%2C%3B%3D"),
        ("/:@!$&'()*+,;=", "/:@!$&'()*+,;="),
        ("/%3f%23", "/%3F%23"),
        ("/%e4%bd%a0", "/%E4%BD%A0"),
        ("/%ff", "/%FF"),
        // Control characters other than NUL are only ever encoded.
        ("/%0a%0d%09%7f", "/%0A%0D%09%7F"),
        // What a path may not hold as it is.
        ("/a|b", "/a%7Cb"),
        ("/\"<>^`{}[]", "/%22%3C%3E%5E%60%7B%7D%5B%5D"),
        ("/%7c", "/%7C"),
    ];
    for (raw, expected) in cases {
        assert_eq!(normal(raw).as_deref(), Ok(expected), "{raw}");
    }
}

#[test]
fn dot_segments_are_resolved() {
    let cases = [
        // The examples of RFC 3986 section 5.2.4, and the edges.
        ("/a/b/c/./../../g", "/a/g"),
        ("/.", "/"),
        ("/./", "/"),
        ("/..", "/"),
        ("/../", "/"),
        ("/../../..", "/"),
        ("/../a", "/a"),
        ("/a/.", "/a/"),
        ("/a/./", "/a/"),
        ("/a/..", "/"),
        ("/a/../", "/"),
        ("/a/b/..", "/a/"),
        ("/a/b/../", "/a/"),
        ("/a/./b", "/a/b"),
        ("/a/../b/../c", "/c"),
        // Encoded dots are dots, however they are mixed.
        ("/a/%2e%2e/b", "/b"),
        ("/a/.%2E/b", "/b"),
        ("/a/%2e/b", "/a/b"),
        ("/%2e%2e%2fa", "/..%2Fa"),
        // Other names with dots are names.
        ("/...", "/..."),
        ("/.well-known/a", "/.well-known/a"),
        ("/a/..b/.c/d.", "/a/..b/.c/d."),
        ("/a./b../c", "/a./b../c"),
        // A query has no segments.
        ("/a?b=/../c", "/a?b=/../c"),
        // Empty segments are segments.
        ("/a//../b", "/a/b"),
        ("/a/b//..", "/a/b/"),
    ];
    for (raw, expected) in cases {
        assert_eq!(normal(raw).as_deref(), Ok(expected), "{raw}");
    }
}

#[test]
fn what_servers_read_in_two_ways_is_refused() {
    let cases = [
        ("", TargetError::Form),
        ("*", TargetError::Form),
        ("posts", TargetError::Form),
        ("http://a/posts", TargetError::Form),
        ("a:443", TargetError::Form),
        ("?a", TargetError::Form),
        ("\\posts", TargetError::Form),
        ("/a b", TargetError::Character),
        ("/a#b", TargetError::Character),
        ("/a?b#c", TargetError::Character),
        ("/a\tb", TargetError::Character),
        ("/a\0", TargetError::Character),
        ("/a\u{7f}", TargetError::Character),
        ("/é", TargetError::Character),
        ("/a?é", TargetError::Character),
        ("/%", TargetError::Encoding),
        ("/%4", TargetError::Encoding),
        ("/%zz", TargetError::Encoding),
        ("/%4g", TargetError::Encoding),
        ("/%g4", TargetError::Encoding),
        ("/%%41", TargetError::Encoding),
        ("/%+1", TargetError::Encoding),
        ("/a%/b", TargetError::Encoding),
        ("/%00", TargetError::Ambiguous),
        ("/a%00b", TargetError::Ambiguous),
        ("/a\\b", TargetError::Ambiguous),
        ("/a%5cb", TargetError::Ambiguous),
        ("/..%5C..", TargetError::Ambiguous),
    ];
    for (raw, expected) in cases {
        assert_eq!(normal(raw), Err(expected), "{raw:?}");
    }
}

#[test]
fn the_query_stays_as_it_came() {
    let cases = [
        ("/a", None, "/a"),
        ("/a?", Some(""), "/a?"),
        ("/a?b=c&b=d", Some("b=c&b=d"), "/a?b=c&b=d"),
        ("/a?b?c=?", Some("b?c=?"), "/a?b?c=?"),
        ("/a?%41=%2f%zz%", Some("%41=%2f%zz%"), "/a?%41=%2f%zz%"),
        ("/a?b=c+d|e\\f", Some("b=c+d|e\\f"), "/a?b=c+d|e\\f"),
        // The three that it may not hold, and that visitors send all the same.
        ("/a?b=\"<c>\"", Some("b=%22%3Cc%3E%22"), "/a?b=%22%3Cc%3E%22"),
    ];
    for (raw, query, forwarded) in cases {
        let target = Target::parse(raw).unwrap();
        assert_eq!((target.path(), target.query(), target.forwarded().as_str()), ("/a", query, forwarded), "{raw}");
    }
}

/// A target, the path that routes match, where it is without repeated slashes, where without the one at the end.
type Slashes<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>);

#[test]
fn slashes_have_one_spelling_too() {
    let cases: [Slashes<'_>; 12] = [
        ("/", "/", None, None),
        ("/a", "/a", None, None),
        ("/a/", "/a", None, Some("/a")),
        ("/a/?b", "/a", None, Some("/a?b")),
        ("/a/b/?b=/", "/a/b", None, Some("/a/b?b=/")),
        ("//", "/", Some("/"), None),
        ("/a//b?c//d", "/a/b", Some("/a/b?c//d"), None),
        ("///a////b/", "/a/b", Some("/a/b/"), Some("/a/b")),
        // Not a way to another host: what follows the first slash is a path.
        ("//evil.example/a", "/evil.example/a", Some("/evil.example/a"), None),
        ("/.//evil.example", "/evil.example", Some("/evil.example"), None),
        ("/a/..//evil.example", "/evil.example", Some("/evil.example"), None),
        ("/%2f/a", "/%2F/a", None, None),
    ];
    for (raw, matched, single, without_trailing) in cases {
        let target = Target::parse(raw).unwrap();
        assert_eq!(target.matched_path(), matched, "{raw}");
        assert_eq!(target.without_repeated_slashes().as_deref(), single, "{raw}");
        assert_eq!(target.trailing_slash(), without_trailing.is_some(), "{raw}");
        if let Some(expected) = without_trailing {
            assert_eq!(target.without_trailing_slash(), expected, "{raw}");
        }
    }
}

#[test]
fn values_are_decoded_for_people() {
    let cases = [
        ("", ""),
        ("a", "a"),
        ("a%20b", "a b"),
        ("a%2Fb%2f", "a/b/"),
        ("a+b", "a+b"),
        ("%E4%BD%A0", "你"),
        ("%41%2541", "A%41"),
        ("%ff", "\u{fffd}"),
        ("%E4%BD", "\u{fffd}"),
        // What is no encoding is what it is.
        ("%", "%"),
        ("%4", "%4"),
        ("%zz%41", "%zzA"),
        ("100%", "100%"),
    ];
    for (text, expected) in cases {
        assert_eq!(decode(text), expected, "{text}");
    }
}

/// Targets of ordinary and of unusual parts.
fn target() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => proptest::sample::select(vec!["/", "a", "b", ".", "..", "%2e", "%2E", "%2f", "%41", "%7C", "?", "&", "=", "//", "|", "%25"])
            .prop_map(str::to_owned),
        1 => (0x21u8..0x7f).prop_map(|byte| char::from(byte).to_string()),
        1 => any::<u8>().prop_map(|byte| format!("%{byte:02x}")),
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| format!("/{}", parts.concat()))
}

/// Every byte of a path by itself, with the percent sign.
fn decoded_bytes(path: &str) -> Vec<(bool, u8)> {
    let mut bytes = path.bytes();
    let mut found = Vec::new();
    while let Some(byte) = bytes.next() {
        let hex = |byte: Option<u8>| char::from(byte.unwrap()).to_digit(16).unwrap();
        match byte {
            b'%' => found.push((true, u8::try_from(hex(bytes.next()) * 16 + hex(bytes.next())).unwrap())),
            byte => found.push((false, byte)),
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn normal_form_is_normal(raw in target()) {
        let Ok(target) = Target::parse(&raw) else { return Ok(()) };
        let path = target.path();
        prop_assert!(path.starts_with('/') && !path.contains("//"), "{}", path);
        prop_assert!(path.split('/').all(|segment| segment != "." && segment != ".."), "{}", path);
        for (encoded, byte) in decoded_bytes(path) {
            if encoded {
                prop_assert!(!unreserved(byte) && byte != 0 && byte != b'\\', "{}", path);
            } else {
                prop_assert!(allowed(byte), "{}", path);
            }
        }
        prop_assert!(!path.split('%').skip(1).any(|after| after[..2].contains(|digit: char| digit.is_ascii_lowercase())));
        // Once is enough: a rule that sees it again sees the same.
        let forwarded = target.forwarded();
        let again = Target::parse(&forwarded).unwrap();
        prop_assert_eq!((again.path(), again.query()), (path, target.query()));
        // A redirect to the one spelling is followed once.
        if let Some(location) = target.without_repeated_slashes() {
            let there = Target::parse(&location).unwrap();
            prop_assert_eq!(there.without_repeated_slashes(), None);
            prop_assert!(!location.starts_with("//"), "{}", location);
            prop_assert_eq!(there.forwarded(), location);
        }
    }

    /// Encoding what need not be encoded changes nothing.
    #[test]
    fn spellings_of_one_path_meet(path in "/[a-zA-Z0-9._~/-]{0,12}", which in any::<u32>()) {
        let spelled: String = path
            .chars()
            .enumerate()
            .map(|(at, letter)| match letter {
                '/' => String::from('/'),
                letter if which >> (2 * at % 32) & 1 == 0 => String::from(letter),
                letter if which >> ((2 * at + 1) % 32) & 1 == 0 => format!("%{:02x}", u32::from(letter)),
                letter => format!("%{:02X}", u32::from(letter)),
            })
            .collect();
        prop_assert_eq!(normal(&spelled), normal(&path), "{}", spelled);
    }
}
