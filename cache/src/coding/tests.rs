//! Which coding a visitor prefers, and which responses may be coded.

use std::collections::HashSet;

use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::{Coding, SUFFIXES, TYPES, may_be_coded, preferred};
use crate::{Fields, ResponseHead};

/// The name of what is preferred of `offered` by a request with these lines.
fn chosen_of<B: AsRef<[u8]>>(lines: &[B], offered: &[Coding]) -> &'static str {
    let mut request = HeaderMap::new();
    for line in lines {
        request.append(ACCEPT_ENCODING, HeaderValue::from_bytes(line.as_ref()).unwrap());
    }
    preferred(&request, offered).map_or("identity", Coding::as_str)
}

fn chosen(line: &str) -> &'static str {
    chosen_of(&[line], &Coding::ALL)
}

#[test]
fn names() {
    assert_eq!(Coding::ALL.map(Coding::as_str), ["zstd", "br", "gzip"]);
    assert_eq!(HashSet::from(Coding::ALL).len(), 3);
}

#[test]
fn what_is_asked_for() {
    let cases = [
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip,deflate", "gzip"),
        ("deflate", "identity"),
        ("compress, dcb, dcz", "identity"),
        ("", "identity"),
        (" , ,", "identity"),
        (",, gzip ,", "gzip"),
        // Names are matched whole, whatever their case.
        ("GZIP", "gzip"),
        ("X-GZip", "gzip"),
        ("Br", "br"),
        ("gzipx, xgzip, x-br, b r", "identity"),
        ("x-gzip;q=0.5, deflate", "gzip"),
        // The highest weight wins, then the gateway's order.
        ("gzip;q=0.9, br;q=0.8, zstd;q=0.7", "gzip"),
        ("zstd;q=0.8, gzip;q=0.8, br;q=0.8", "zstd"),
        ("gzip;q=0.001", "gzip"),
        ("br;q=0.998, gzip;q=0.999", "gzip"),
        ("br;q=0.1, gzip;q=0.09", "br"),
        ("br;q=0.99, gzip", "gzip"),
        // No weight at all forbids.
        ("gzip;q=0", "identity"),
        ("gzip;q=0.0, br;q=0.00, zstd;q=0.000", "identity"),
        ("gzip, br;q=0, zstd;q=0.", "gzip"),
        // An asterisk stands for what is not named.
        ("*", "zstd"),
        ("*;q=0.5", "zstd"),
        ("*;q=0", "identity"),
        ("*, zstd;q=0", "br"),
        ("zstd;q=0, *", "br"),
        ("*;q=0, gzip;q=0.1", "gzip"),
        ("gzip;q=0.5, *;q=0.1", "gzip"),
        ("zstd;q=0.1, br;q=0.1, *;q=0.5", "gzip"),
        ("x-gzip;q=0, br;q=0, zstd;q=0, *", "identity"),
        // Identity is always possible, but only one that is named competes.
        ("identity", "identity"),
        ("identity, gzip;q=0.9", "identity"),
        ("identity;q=0.5, gzip;q=0.4, br;q=0.5", "br"),
        ("identity;q=0.5, gzip;q=0.4, br;q=0.3", "identity"),
        ("identity, gzip", "gzip"),
        ("IDENTITY;q=1, gzip;q=0.999", "identity"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("identity;q=0", "identity"),
        ("identity;q=0, *;q=0", "identity"),
        ("br;q=0.1, gzip;q=0, zstd;q=0, *", "br"),
        // Of a name that is repeated the lowest weight counts, in whichever order.
        ("gzip, gzip;q=0", "identity"),
        ("gzip;q=0, gzip", "identity"),
        ("gzip, x-gzip;q=0.1, br;q=0.2", "br"),
        ("*;q=0, *", "identity"),
    ];
    for (line, expected) in cases {
        assert_eq!(chosen(line), expected, "{line:?}");
    }
}

/// `weight = OWS ";" OWS "q=" qvalue` (RFC 9110 section 12.4.2).
#[test]
fn weights_by_the_letter() {
    // Brotli weighs 0.5, so gzip is preferred when its weight is read and higher, and only then.
    let cases = [
        ("gzip;q=1", "gzip"),
        ("gzip;q=1.", "gzip"),
        ("gzip;q=1.0", "gzip"),
        ("gzip;q=1.000", "gzip"),
        ("gzip;q=0.501", "gzip"),
        ("gzip;q=0.51", "gzip"),
        ("gzip;q=0.6", "gzip"),
        ("gzip;Q=0.6", "gzip"),
        ("gzip ; q=0.6", "gzip"),
        ("gzip\t;\tq=0.6\t", "gzip"),
        ("gzip;q=0.499", "br"),
        ("gzip;q=0.5", "br"),
        ("gzip;q=0.", "br"),
        // What is malformed is ignored.
        ("gzip;q=1.0000", "br"),
        ("gzip;q=0.6000", "br"),
        ("gzip;q=1.001", "br"),
        ("gzip;q=1.1", "br"),
        ("gzip;q=2", "br"),
        ("gzip;q=2.6", "br"),
        ("gzip;q=x.6", "br"),
        ("gzip;q=9", "br"),
        ("gzip;q=-1", "br"),
        ("gzip;q=+1", "br"),
        ("gzip;q=.6", "br"),
        ("gzip;q=0,6", "br"),
        ("gzip;q=00.6", "br"),
        ("gzip;q=10", "br"),
        ("gzip;q=0.6.", "br"),
        ("gzip;q=0.6x", "br"),
        ("gzip;q=1e0", "br"),
        ("gzip;q=0x1", "br"),
        ("gzip;q=\"1\"", "br"),
        ("gzip;q= 1", "br"),
        ("gzip;q =1", "br"),
        ("gzip;q=", "br"),
        ("gzip;q", "br"),
        ("gzip;", "br"),
        ("gzip;x=1", "br"),
        ("gzip;level=9;q=1", "br"),
        ("gzip;q=1;level=9", "br"),
        ("gzip;q=1;q=1", "br"),
        ("gzip q=1", "br"),
        (";q=1", "br"),
        ("*;q=nan", "br"),
    ];
    for (line, expected) in cases {
        let line = format!("br;q=0.5, {line}");
        assert_eq!(chosen(&line), expected, "{line:?}");
    }
    // A member that is ignored names nothing, so that the asterisk stands for it.
    assert_eq!(chosen("zstd;q=0, br;q=0, gzip;q=no, *"), "gzip");
}

#[test]
fn several_lines_are_one_list() {
    let cases: [(&[&str], &str); 6] = [
        (&[], "identity"),
        (&["", ""], "identity"),
        (&["gzip", "br"], "br"),
        (&["deflate", "gzip;q=0.1"], "gzip"),
        (&["*", "zstd;q=0"], "br"),
        (&["gzip;q=0.5", "identity"], "identity"),
    ];
    for (lines, expected) in cases {
        assert_eq!(chosen_of(lines, &Coding::ALL), expected, "{lines:?}");
    }
}

#[test]
fn only_what_is_offered_in_the_order_in_which_it_is() {
    let cases: [(&str, &[Coding], &str); 7] = [
        ("gzip, br, zstd", &[], "identity"),
        ("gzip, br, zstd", &[Coding::Gzip, Coding::Br, Coding::Zstd], "gzip"),
        ("gzip, br, zstd", &[Coding::Br, Coding::Zstd], "br"),
        ("gzip, br;q=0.9", &[Coding::Br, Coding::Gzip], "gzip"),
        ("zstd, br;q=0.2", &[Coding::Gzip, Coding::Br], "br"),
        ("zstd", &[Coding::Gzip, Coding::Br], "identity"),
        ("*", &[Coding::Gzip], "gzip"),
    ];
    for (line, offered, expected) in cases {
        assert_eq!(chosen_of(&[line], offered), expected, "{line:?} of {offered:?}");
    }
}

const TEXT: (&str, &str) = ("content-type", "text/html; charset=utf-8");

fn head(status: u16, lines: &[(&str, &str)]) -> ResponseHead {
    let line = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    ResponseHead { status: StatusCode::from_u16(status).unwrap(), fields: lines.iter().map(line).collect() }
}

#[test]
fn only_a_200_is_coded() {
    let cases = [(200, true), (201, false), (203, false), (204, false), (206, false), (301, false), (304, false)];
    for (status, expected) in cases.into_iter().chain([(404, false), (410, false), (500, false)]) {
        assert_eq!(may_be_coded(&head(status, &[TEXT]), 0), expected, "{status}");
    }
}

#[test]
fn what_stays_as_it_is() {
    let cases = [
        (("x-anything", "1"), true),
        (("etag", "\"a\""), true),
        (("vary", "accept-language"), true),
        (("accept-ranges", "bytes"), true),
        (("want-content-digest", "sha-256=1"), true),
        // Coded by the handler, even where it says so for nothing.
        (("content-encoding", "gzip"), false),
        (("content-encoding", "aes128gcm"), false),
        (("content-encoding", "identity"), false),
        (("content-encoding", ""), false),
        (("content-range", "bytes 0-9/10"), false),
        // Digests describe the bytes.
        (("content-digest", "sha-256=:AA==:"), false),
        (("repr-digest", "sha-256=:AA==:"), false),
        (("digest", "sha-256=AA=="), false),
        (("content-md5", "AA=="), false),
        // No transformation, wherever that can be recognised.
        (("cache-control", "public, max-age=60"), true),
        (("cache-control", "no-transformation"), true),
        (("cache-control", "x=\"a, no-transform\""), true),
        (("cache-control", "x=no-transform"), true),
        (("pragma", "no-transform"), true),
        (("cache-control", "no-transform"), false),
        (("cache-control", "public, No-Transform ,max-age=60"), false),
        (("cache-control", "public; no-transform"), false),
        (("cache-control", "public no-transform"), false),
        (("cache-control", "no-transform=1"), false),
        (("cache-control", "x=\"a, no-transform"), false),
        (("evergate-cache-control", "no-transform"), false),
        (("cdn-cache-control", "no-transform"), false),
        (("cdn-cache-control", "no-transform=?0"), true),
        (("surrogate-control", "no-transform"), false),
        (("surrogate-control", "no-transform;other"), true),
    ];
    for (line, expected) in cases {
        assert_eq!(may_be_coded(&head(200, &[TEXT, line]), 0), expected, "{line:?}");
        assert_eq!(may_be_coded(&head(200, &[line, TEXT]), 0), expected, "{line:?} first");
    }
    // Every line counts.
    let lines = [TEXT, ("cache-control", "public"), ("cache-control", "no-transform")];
    assert!(!may_be_coded(&head(200, &lines), 0));
}

#[test]
fn media_types_that_are_told() {
    let cases = [
        ("text/html", true),
        ("text/plain;charset=utf-8", true),
        ("text/html ; charset=utf-8", true),
        (" TEXT/CSS ", true),
        ("text/x-component", true),
        ("text/vtt", true),
        ("application/json", true),
        ("Application/JSON; charset=\"utf-8\"", true),
        ("application/javascript", true),
        ("application/xml", true),
        ("application/wasm", true),
        ("application/xhtml+xml", true),
        ("application/rss+xml", true),
        ("application/atom+xml", true),
        ("application/ld+json", true),
        ("application/manifest+json", true),
        ("application/graphql-response+json", true),
        ("application/problem+json; charset=utf-8", true),
        ("application/vnd.oai.openapi+yaml", true),
        ("application/vnd.ms-fontobject", true),
        ("image/svg+xml", true),
        ("image/bmp", true),
        ("image/x-icon", true),
        ("image/vnd.microsoft.icon", true),
        ("font/ttf", true),
        ("font/otf", true),
        // A stream has no end.
        ("text/event-stream", false),
        ("Text/Event-Stream; charset=utf-8", false),
        // Coded in themselves.
        ("image/png", false),
        ("image/jpeg", false),
        ("image/webp", false),
        ("image/avif", false),
        ("font/woff", false),
        ("font/woff2", false),
        ("video/mp4", false),
        ("application/zip", false),
        ("application/pdf", false),
        // Unknown, or no media type.
        ("application/octet-stream", false),
        ("multipart/form-data; boundary=text/html", false),
        ("application/x-jsonp", false),
        ("application/json+zip", false),
        ("application/xjson", false),
        ("image/png; type=application/json", false),
        ("text", false),
        ("json", false),
        ("", false),
        (";text/html", false),
        ("té/html", false),
    ];
    for (value, expected) in cases {
        assert_eq!(may_be_coded(&head(200, &[("content-type", value)]), 0), expected, "{value:?}");
    }
}

#[test]
fn a_media_type_that_is_missing_or_told_twice_tells_nothing() {
    assert!(!may_be_coded(&head(200, &[]), 0));
    assert!(!may_be_coded(&head(200, &[TEXT, ("content-type", "image/png")]), 0));
    assert!(!may_be_coded(&head(200, &[TEXT, TEXT]), 0));
}

#[test]
fn known_media_types_are_in_lower_case_and_told_once() {
    assert!(TYPES.is_sorted());
    assert_eq!(HashSet::from(TYPES).len(), TYPES.len());
    for known in TYPES.iter().chain(&SUFFIXES) {
        assert_eq!(known.to_ascii_lowercase(), *known);
    }
    for known in TYPES {
        let covered = known.starts_with("text/") || SUFFIXES.iter().any(|suffix| known.ends_with(suffix));
        assert!(!covered, "{known} needs no line of its own");
    }
}

#[test]
fn lengths() {
    let cases: [(&[&str], u64, bool); 14] = [
        (&[], 1024, true),
        (&["1024"], 1024, true),
        (&["1025"], 1024, true),
        (&["1023"], 1024, false),
        (&["0"], 1024, false),
        (&["0"], 0, true),
        (&["18446744073709551615"], 1024, true),
        // What cannot be read is not coded.
        (&["18446744073709551616"], 1024, false),
        (&[""], 0, false),
        (&["+2048"], 1024, false),
        (&["2048, 2048"], 1024, false),
        (&["many"], 0, false),
        (&["é"], 0, false),
        (&["2048", "10"], 1024, false),
    ];
    for (lengths, least, expected) in cases {
        let mut lines = vec![TEXT];
        lines.extend(lengths.iter().map(|length| ("content-length", *length)));
        assert_eq!(may_be_coded(&head(200, &lines), least), expected, "{lengths:?} for {least}");
    }
}

/// The weight of a coding as section 12.5.3 gives it to a list of well-formed members: the lowest of those that name
/// it, or else of the asterisks, or else none.
fn weight(members: &[(&str, u16)], names: &[&str]) -> u16 {
    let lowest =
        |names: &[&str]| members.iter().filter(|(name, _)| names.contains(name)).map(|(_, weight)| *weight).min();
    lowest(names).or(lowest(&["*"])).unwrap_or(0)
}

fn names_of(coding: Coding) -> &'static [&'static str] {
    match coding {
        Coding::Zstd => &["zstd"],
        Coding::Br => &["br"],
        Coding::Gzip => &["gzip", "x-gzip"],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any field is read without a panic, and nothing comes of one that names neither a coding nor an asterisk.
    #[test]
    fn any_bytes_are_read(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..4)) {
        let lines: Vec<Vec<u8>> = lines.into_iter().filter(|line| HeaderValue::from_bytes(line).is_ok()).collect();
        let found = chosen_of(&lines, &Coding::ALL);
        let named = lines.iter().any(|line| {
            let line = line.to_ascii_lowercase();
            line.contains(&b'*') || line.windows(found.len()).any(|part| part == found.as_bytes())
        });
        prop_assert!(found == "identity" || named, "{found} of {lines:?}");
        let mut fields = Fields::default();
        for line in &lines {
            fields.append(CONTENT_TYPE, HeaderValue::from_bytes(line).unwrap());
        }
        may_be_coded(&ResponseHead { status: StatusCode::OK, fields }, 0);
    }

    /// Pieces of the grammar, put together at random, neither panic nor yield what every one of their members forbids.
    #[test]
    fn pieces_of_the_grammar(line in "(zstd|br|gzip|x-gzip|identity|\\*|;|q=|0|1|\\.|5|,| ){0,24}") {
        let found = chosen(&line);
        prop_assert!(found == "identity" || line.contains(found) || line.contains('*'), "{found} of {line:?}");
        let forbidden = format!("{line}, zstd;q=0, br;q=0.0, x-gzip;q=0.000");
        prop_assert_eq!(chosen(&forbidden), "identity");
    }

    /// Of well-formed lists the choice is the one of the section's own words, and never what has no weight.
    #[test]
    fn a_well_formed_list_is_heeded(
        members in proptest::collection::vec(
            (
                proptest::sample::select(vec!["zstd", "br", "gzip", "x-gzip", "identity", "*", "deflate"]),
                prop_oneof![Just(0u16), Just(1000), 0u16..=1000],
            ),
            0..6,
        ),
        offered in Just(Coding::ALL.to_vec()).prop_shuffle(),
        count in 0usize..=3,
    ) {
        let offered = &offered[..count];
        let quality = |weight: u16| format!("{}.{:03}", weight / 1000, weight % 1000);
        let list: Vec<String> = members.iter().map(|(name, weight)| format!("{name};q={}", quality(*weight))).collect();
        let found = chosen_of(&[list.join(", ")], offered);
        let identity = members.iter().filter(|(name, _)| *name == "identity").map(|(_, weight)| *weight).min();
        let best = offered.iter().map(|coding| weight(&members, names_of(*coding))).max().unwrap_or(0);
        let first = offered.iter().find(|coding| weight(&members, names_of(**coding)) == best);
        let expected = match first {
            Some(coding) if best > 0 && best >= identity.unwrap_or(0) => coding.as_str(),
            Some(_) | None => "identity",
        };
        prop_assert_eq!(found, expected, "{:?}", list);
    }
}
