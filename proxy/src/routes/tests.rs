//! Which route a path belongs to, and what its dynamic segments stand for.

mod vectors;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::RouteTable;
use crate::config::{RoutePattern, Segment};
use crate::target::Target;

fn patterns<T: AsRef<str>>(texts: &[T]) -> Vec<RoutePattern> {
    texts.iter().map(|text| RoutePattern::parse(text.as_ref()).unwrap()).collect()
}

/// The place of the route that a path belongs to, and its parameters.
fn found(patterns: &[RoutePattern], path: &str) -> Option<(usize, Value)> {
    let table = RouteTable::new(patterns);
    let target = Target::parse(path).unwrap();
    let matched = table.find(target.matched_path())?;
    Some((matched.route, serde_json::from_str(&matched.params_json()).unwrap()))
}

#[test]
fn the_most_specific_route_wins_whatever_the_order() {
    let routes = [
        "/[[...rest]]",
        "/blog/[...slug]",
        "/[lang]/[page]",
        "/[lang]/about",
        "/blog/[slug]/edit",
        "/blog/[slug]",
        "/blog/new",
        "/shop/[[...slug]]",
        "/a/[x]/c",
        "/[lang]/b/d",
    ];
    let cases = [
        ("/", "/[[...rest]]", json!({})),
        ("/x", "/[[...rest]]", json!({ "rest": ["x"] })),
        ("/x/y", "/[lang]/[page]", json!({ "lang": "x", "page": "y" })),
        ("/x/about", "/[lang]/about", json!({ "lang": "x" })),
        ("/x/y/z", "/[[...rest]]", json!({ "rest": ["x", "y", "z"] })),
        ("/blog", "/[[...rest]]", json!({ "rest": ["blog"] })),
        ("/blog/new", "/blog/new", json!({})),
        ("/blog/New", "/blog/[slug]", json!({ "slug": "New" })),
        ("/blog/old", "/blog/[slug]", json!({ "slug": "old" })),
        ("/blog/old/edit", "/blog/[slug]/edit", json!({ "slug": "old" })),
        ("/blog/new/edit", "/blog/[slug]/edit", json!({ "slug": "new" })),
        ("/blog/old/show", "/blog/[...slug]", json!({ "slug": ["old", "show"] })),
        ("/shop", "/shop/[[...slug]]", json!({})),
        ("/shop/a/b", "/shop/[[...slug]]", json!({ "slug": ["a", "b"] })),
        // Back out of a branch that leads nowhere, without what was found in it.
        ("/a/b/c", "/a/[x]/c", json!({ "x": "b" })),
        ("/a/b/d", "/[lang]/b/d", json!({ "lang": "a" })),
        ("/a/b", "/[lang]/[page]", json!({ "lang": "a", "page": "b" })),
        ("/a/b/e", "/[[...rest]]", json!({ "rest": ["a", "b", "e"] })),
    ];
    let mut turned = routes;
    turned.reverse();
    for (path, route, params) in cases {
        for order in [&routes, &turned] {
            let (place, found) = found(&patterns(order), path).unwrap();
            assert_eq!((order[place], &found), (route, &params), "{path}");
        }
    }
}

#[test]
fn paths_that_no_route_matches() {
    let cases: [(&[&str], &str); 10] = [
        (&[], "/"),
        (&["/a"], "/"),
        (&["/"], "/a"),
        (&["/a"], "/A"),
        (&["/a"], "/a/b"),
        (&["/a/b"], "/a"),
        (&["/[x]"], "/"),
        (&["/[...x]"], "/"),
        (&["/a/[...x]"], "/a/"),
        (&["/a/[x]/b"], "/a/b"),
    ];
    for (routes, path) in cases {
        assert_eq!(found(&patterns(routes), path), None, "{routes:?} {path}");
    }
}

#[test]
fn parameters_are_decoded_by_segment() {
    let cases = [
        ("/[x]", "/a%2Fb", json!({ "x": "a/b" })),
        ("/[...x]", "/a%2Fb/c", json!({ "x": ["a/b", "c"] })),
        ("/[x]", "/%e4%bd%a0", json!({ "x": "你" })),
        ("/[x]", "/%F0%9F%98%80", json!({ "x": "😀" })),
        ("/[x]", "/a+b%2B", json!({ "x": "a+b+" })),
        ("/[x]", "/%2541", json!({ "x": "%41" })),
        ("/[x]", "/%ff", json!({ "x": "\u{fffd}" })),
        ("/[x]", "/%22%0a%7f", json!({ "x": "\"\n\u{7f}" })),
        ("/[名]", "/a", json!({ "名": "a" })),
        ("/a%2Fb/[x]", "/a%2fb/c", json!({ "x": "c" })),
    ];
    for (route, path, expected) in cases {
        let patterns = patterns(&[route]);
        assert_eq!(found(&patterns, path), Some((0, expected)), "{route} {path}");
        let table = RouteTable::new(&patterns);
        let target = Target::parse(path).unwrap();
        let json = table.find(target.path()).unwrap().params_json();
        assert!(json.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{json} does not fit in a header field");
    }
}

/// A static segment is compared with requests in their normal form, so it has to be in it too.
#[test]
fn a_static_route_is_found_by_its_own_text() {
    for byte in b'!'..=b'~' {
        let texts = [format!("/x{}y", char::from(byte)), format!("/x%{byte:02X}y"), format!("/x%{byte:02x}y")];
        for text in texts {
            let (Ok(pattern), Ok(_)) = (RoutePattern::parse(&text), Target::parse(&text)) else { continue };
            if pattern.segments().len() == 1 {
                assert_eq!(found(&[pattern], &text), Some((0, json!({}))), "{text}");
            }
        }
    }
}

/// How many nodes of the table a look-up comes to, and how many there are.
fn looked_at(table: &RouteTable, path: &str) -> (usize, usize) {
    let mut nodes = 0;
    table.root.find(path.strip_prefix('/'), &mut nodes);
    (nodes, table.nodes + 1)
}

#[test]
fn a_look_up_comes_to_each_node_at_most_once() {
    const DEPTH: usize = 10;
    // Every mixture of `a` and `[x]`, so that every beginning of every route fits a path of many `a`.
    let mixtures: Vec<String> = (0..1_usize << DEPTH)
        .map(|bits| {
            let plain = |at: usize| bits >> at & 1 == 0;
            (0..DEPTH).map(|at| if plain(at) { String::from("/a") } else { format!("/[x{at}]") }).collect()
        })
        .collect();
    let ended: Vec<String> = mixtures.iter().map(|path| format!("{path}/end")).collect();
    let table = RouteTable::new(&patterns(&ended));
    let inner = (1 << (DEPTH + 1)) - 1;
    let a = "/a".repeat(DEPTH);
    let cases = [
        // What is in none of them, of whatever length, has every beginning and nothing of the ends.
        (format!("{a}/a"), inner),
        (format!("{a}{}", "/a".repeat(8_000)), inner),
        (format!("{a}/"), inner),
        (a.clone(), inner),
        // What ends early has no more than that.
        ("/a".repeat(DEPTH - 1), inner / 2),
        // The first way leads to the end.
        (format!("{a}/end"), DEPTH + 2),
        ("/b".repeat(DEPTH) + "/b", DEPTH + 1),
    ];
    for (path, expected) in cases {
        assert_eq!(looked_at(&table, &path), (expected, inner + mixtures.len()), "{} bytes of path", path.len());
    }
    // A chain of both kinds is no more than a chain, however long the path.
    let chain: String = (0..100).map(|at| format!("/a/[x{at}]")).collect();
    let table = RouteTable::new(&patterns(&[&chain]));
    assert_eq!(looked_at(&table, &"/a".repeat(8_000)), (201, 201));
    // And the number of routes beside the way has no part in it.
    for count in [10, 1_000] {
        let many: Vec<String> = (0..count).map(|at| format!("/shop/s{at}/[item]/edit")).collect();
        assert_eq!(looked_at(&RouteTable::new(&patterns(&many)), "/shop/s5/x/edit").0, 5);
    }
}

/// Patterns of few names, so that they meet.
fn pattern() -> impl Strategy<Value = String> {
    let segment = |at: usize| {
        let param = format!("/[p{at}]");
        prop_oneof![Just(String::from("/a")), Just(String::from("/b")), Just(param)]
    };
    let end = prop_oneof![3 => Just(""), 1 => Just("/[...c]"), 1 => Just("/[[...o]]")];
    let segments = (segment(0), segment(1), segment(2), 0usize..4);
    (segments, end).prop_map(|((first, second, third, length), end)| {
        let path: String = [first, second, third].into_iter().take(length).chain([end.to_owned()]).collect();
        if path.is_empty() { String::from("/") } else { path }
    })
}

/// Whether a pattern matches the segments of a path, read from left to right.
fn fits(pattern: &[Segment], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) | ([Segment::OptionalCatchAll(_)], _) | ([Segment::CatchAll(_)], [_, ..]) => true,
        ([Segment::Static(text), pattern @ ..], [segment, path @ ..]) => text == segment && fits(pattern, path),
        ([Segment::Param(_), pattern @ ..], [_, path @ ..]) => fits(pattern, path),
        (_, _) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The tree finds what a sorted list would.
    #[test]
    fn the_table_is_a_sorted_list(
        texts in proptest::collection::btree_set(pattern(), 1..8),
        path in proptest::collection::vec(proptest::sample::select(vec!["a", "b", "c"]), 0..5),
    ) {
        let patterns = patterns(&texts.into_iter().collect::<Vec<_>>());
        let expected = (0..patterns.len()).filter(|at| fits(patterns[*at].segments(), &path)).min_by_key(|at| &patterns[*at]);
        let found = found(&patterns, &format!("/{}", path.join("/"))).map(|(place, _)| place);
        prop_assert_eq!(found, expected);
    }

    /// What the handler gets reads back as what the visitor meant, and fits in a header field.
    #[test]
    fn parameters_read_back(segments in proptest::collection::vec("[^/]{1,4}", 1..4)) {
        let encode = |text: &String| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let path: String = segments.iter().map(|segment| format!("/{}", encode(segment))).collect();
        // What resolves to another path is another path.
        prop_assume!(segments.iter().all(|segment| !segment.contains(['\0', '\\']) && segment != "." && segment != ".."));
        let patterns = patterns(&["/[first]/[[...rest]]"]);
        let table = RouteTable::new(&patterns);
        let target = Target::parse(&path).unwrap();
        let json = table.find(target.path()).unwrap().params_json();
        prop_assert!(json.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{}", json);
        let found: Value = serde_json::from_str(&json).unwrap();
        let (first, rest) = segments.split_first().unwrap();
        prop_assert_eq!(found.get("first"), Some(&json!(first)));
        prop_assert_eq!(found.get("rest").cloned().unwrap_or(json!([])), json!(rest));
    }
}
