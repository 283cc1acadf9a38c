//! The rows of the tests of Next.js 16.2.2 under `tests/vectors`, each with its source there. Every row is run: one of an
//! unknown shape, or a file that has become shorter, fails.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{found, patterns};
use crate::config::{self, RoutePattern, Segment};
use crate::target::{Target, TargetError};

/// A row of Next.js's tests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row<I, E> {
    id: String,
    input: I,
    // What is expected to be nothing says so, in `null`.
    expect: E,
    #[serde(rename = "source")]
    _source: String,
}

fn rows<I: for<'a> Deserialize<'a>, E: for<'a> Deserialize<'a>>(json: &str, count: usize) -> Vec<Row<I, E>> {
    let rows: Vec<Row<I, E>> = serde_json::from_str(json).unwrap();
    assert_eq!(rows.len(), count);
    rows
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    route: String,
    path: String,
}

/// What `getRouteMatcher` gives: the parameters, `null` where the route does not match, `{ "error": "Error" }` where it throws.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Outcome(Option<BTreeMap<String, Value>>);

#[test]
fn route_match_vectors() {
    let rows: Vec<Row<Match, Outcome>> = rows(include_str!("../../../../tests/vectors/route_match.json"), 23);
    let mut refused = Vec::new();
    for Row { id, input, expect: Outcome(expect), .. } in rows {
        if expect.as_ref().and_then(|expect| expect.get("error")) == Some(&json!("Error")) {
            // A broken encoding is an exception there, and a 400 here.
            assert_eq!(Target::parse(&input.path), Err(TargetError::Encoding), "{id}");
            refused.push(id);
            continue;
        }
        let found = found(&patterns(&[&input.route]), &input.path).map(|(_, params)| params);
        assert_eq!(found, expect.map(|params| json!(params)), "{id}");
    }
    assert_eq!(refused, ["route_match-020"]);
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    a: String,
    b: String,
}

#[test]
fn route_compare_vectors() {
    let rows: Vec<Row<Pair, i32>> = rows(include_str!("../../../../tests/vectors/route_compare.json"), 9);
    // Spellings that our configuration refuses, and what it says to write instead.
    let spelled = |text: &str| match text.strip_suffix('/').unwrap_or(text) {
        "" => RoutePattern::root(),
        text => RoutePattern::parse(text).unwrap(),
    };
    let mut raced = 0;
    for Row { id, input, expect, .. } in rows {
        let (one, other) = (spelled(&input.a), spelled(&input.b));
        assert_eq!(one.cmp(&other), 0.cmp(&-expect), "{id}");
        assert_eq!(other.cmp(&one), 0.cmp(&expect), "{id}");
        if let Some(winner) = race(&one, &other) {
            assert_eq!(winner, one.cmp(&other), "{id}: the table sees it differently");
            raced += 1;
        }
    }
    assert_eq!(raced, 3, "the rows whose routes can match the same path");
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    routes: Vec<String>,
}

/// Whether the configuration accepts these routes beside each other.
fn legal(routes: &[String]) -> bool {
    let routes: Vec<Value> = routes.iter().map(|path| json!({ "path": path })).collect();
    let text = json!({ "upstreams": { "a": { "builtin": "demo" } }, "routes": routes }).to_string();
    config::parse(&text, "vectors", &|_: &str| None).is_ok()
}

#[test]
fn route_sort_vectors() {
    let sort: Vec<Row<List, Vec<String>>> = rows(include_str!("../../../../tests/vectors/route_sort.json"), 3);
    let flat: Vec<Row<List, Vec<String>>> = rows(include_str!("../../../../tests/vectors/route_sort_flat.json"), 7);
    let (mut refused, mut raced) = (Vec::new(), 0);
    for Row { id, input, expect, .. } in sort.into_iter().chain(flat) {
        let mut sorted = patterns(&input.routes);
        sorted.sort();
        assert_eq!(sorted, patterns(&expect), "{id}");
        if !legal(&input.routes) {
            // Such a list can be sorted there, but it is no table here, as it is none for `next build`.
            refused.push(id);
            continue;
        }
        let given = patterns(&input.routes);
        for (place, pattern) in sorted.iter().enumerate() {
            // Each is found in its table, by a path of its own.
            let own = common_paths(pattern, pattern).pop().unwrap();
            let winner = found(&given, &own).map(|(place, _)| &given[place]);
            assert_eq!(winner, Some(pattern), "{id}: {own}");
            for later in &sorted[place + 1..] {
                if let Some(winner) = race(pattern, later) {
                    assert_eq!(winner, Ordering::Less, "{id}: {pattern} and {later}");
                    raced += 1;
                }
            }
        }
    }
    assert_eq!(refused, ["route_sort_flat-001"]);
    assert_eq!(raced, 6, "pairs that can match the same path");
}

/// Paths that two patterns might share: those of the first, with the plain segments of the second where it has none.
fn common_paths(one: &RoutePattern, other: &RoutePattern) -> Vec<String> {
    let plain = |at: usize| match other.segments().get(at) {
        Some(Segment::Static(text)) => text.as_str(),
        Some(Segment::Param(_) | Segment::CatchAll(_) | Segment::OptionalCatchAll(_)) | None => "x",
    };
    let mut paths = vec![String::new()];
    for (at, segment) in one.segments().iter().enumerate() {
        let longer = |lengths: std::ops::RangeInclusive<usize>| {
            let ends: Vec<String> =
                lengths.map(|length| (0..length).map(|more| format!("/{}", plain(at + more))).collect()).collect();
            paths.iter().flat_map(|path| ends.iter().map(move |end| format!("{path}{end}"))).collect()
        };
        paths = match segment {
            Segment::Static(text) => paths.iter().map(|path| format!("{path}/{text}")).collect(),
            Segment::Param(_) => longer(1..=1),
            Segment::CatchAll(_) => longer(1..=4),
            Segment::OptionalCatchAll(_) => longer(0..=4),
        };
    }
    paths.into_iter().map(|path| if path.is_empty() { String::from("/") } else { path }).collect()
}

/// Which of two patterns the table prefers wherever both match; none when no path shows it.
fn race(one: &RoutePattern, other: &RoutePattern) -> Option<Ordering> {
    if one == other {
        return None;
    }
    let matches = |pattern: &RoutePattern, path: &str| found(std::slice::from_ref(pattern), path).is_some();
    let mut shared = common_paths(one, other);
    shared.extend(common_paths(other, one));
    shared.retain(|path| matches(one, path) && matches(other, path));
    let order = |first: bool| if first { Ordering::Less } else { Ordering::Greater };
    let winners: BTreeSet<Ordering> = shared
        .iter()
        .flat_map(|path| {
            let first = found(&[one.clone(), other.clone()], path).unwrap().0;
            let turned = found(&[other.clone(), one.clone()], path).unwrap().0;
            [order(first == 0), order(turned == 1)]
        })
        .collect();
    assert!(winners.len() <= 1, "{one} and {other} win by turns");
    winners.first().copied()
}
