//! Which tables of routes are refused, and which two routes are named.

use serde::Deserialize;

use super::super::PatternError;
use super::{Clash, ClashReason, RoutePattern, clashes};

fn found(paths: &[&str]) -> Vec<Clash> {
    let patterns: Vec<RoutePattern> = paths.iter().map(|path| RoutePattern::parse(path).unwrap()).collect();
    clashes(&patterns)
}

#[test]
fn tables_that_contradict_themselves_are_refused() {
    let cases: [(&[&str], usize, usize, ClashReason); 15] = [
        (&["/a", "/b", "/a"], 0, 2, ClashReason::SamePath),
        (&["/", "/"], 0, 1, ClashReason::SamePath),
        (&["/A", "/%41"], 0, 1, ClashReason::SamePath),
        (&["/[x]", "/[x]"], 0, 1, ClashReason::SamePath),
        (&["/[...x]", "/[...x]"], 0, 1, ClashReason::SamePath),
        (&["/[[...x]]", "/[[...x]]"], 0, 1, ClashReason::SamePath),
        (&["/a/[x]", "/b/[y]", "/a/[y]/c"], 0, 2, ClashReason::TwoNames),
        (&["/[...x]", "/[...y]"], 0, 1, ClashReason::TwoNames),
        (&["/a/[[...x]]", "/a/[[...y]]"], 0, 1, ClashReason::TwoNames),
        (&["/[...one]", "/[[...one]]"], 0, 1, ClashReason::BothCatchAlls),
        (&["/[[...one]]", "/[...one]"], 0, 1, ClashReason::BothCatchAlls),
        (&["/", "/[[...all]]"], 0, 1, ClashReason::BesideOptional),
        (&["/[[...all]]", "/"], 0, 1, ClashReason::BesideOptional),
        (&["/a/[x]", "/a/[x]/[[...y]]"], 0, 1, ClashReason::BesideOptional),
        (&["/b", "/a/[[...x]]", "/a"], 1, 2, ClashReason::BesideOptional),
    ];
    for (paths, first, second, reason) in cases {
        assert_eq!(found(paths), [Clash { first, second, reason }], "{paths:?}");
    }
}

#[test]
fn other_tables_are_accepted() {
    let cases: [&[&str]; 7] = [
        &[],
        &["/", "/a", "/a/b", "/A"],
        &["/a/b", "/a/[x]", "/a/[...y]", "/a"],
        &["/a/[x]", "/b/[y]"],
        &["/[x]/a", "/[x]/b", "/[x]"],
        &["/a", "/b/[[...x]]", "/[[...x]]"],
        &["/a%2Fb", "/a/b"],
    ];
    for paths in cases {
        assert_eq!(found(paths), [], "{paths:?}");
    }
}

#[test]
fn every_clash_is_found() {
    let found = found(&["/a/[x]", "/a/[y]", "/b", "/b", "/b"]);
    let pairs: Vec<(usize, usize)> = found.iter().map(|clash| (clash.first, clash.second)).collect();
    assert_eq!(pairs, [(0, 1), (2, 3), (2, 4)]);
}

/// A row of the tests of Next.js 16.2.2.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    input: List,
    expect: Expected,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "next_message")]
    _message: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    routes: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    reject: Rejection,
}

/// Why Next.js refuses a table.
#[derive(Debug, Deserialize)]
enum Rejection {
    #[serde(rename = "same slug name twice in one path")]
    Repeated,
    #[serde(rename = "catch-all must be last")]
    NotLast,
    #[serde(rename = "extra brackets")]
    Brackets,
    #[serde(rename = "optional single param not supported")]
    OptionalParam,
    #[serde(rename = "required and optional catch-all at same level")]
    BothCatchAlls,
    #[serde(rename = "static route with same specificity as optional catch-all")]
    BesideOptional,
}

#[test]
fn route_table_invalid_vectors() {
    let rows: Vec<Row> =
        serde_json::from_str(include_str!("../../../../tests/vectors/route_table_invalid.json")).unwrap();
    assert_eq!(rows.len(), 11);
    for Row { id, input, expect, .. } in rows {
        let parsed: Result<Vec<RoutePattern>, PatternError> =
            input.routes.iter().map(|path| RoutePattern::parse(path)).collect();
        let clash = parsed.as_ref().map_or_else(|_| Vec::new(), |patterns| clashes(patterns));
        let refused = match expect.reject {
            Rejection::Repeated => matches!(parsed, Err(PatternError::RepeatedName { .. })),
            Rejection::NotLast => parsed == Err(PatternError::CatchAllNotLast),
            Rejection::Brackets => parsed == Err(PatternError::ExtraBrackets),
            Rejection::OptionalParam => matches!(parsed, Err(PatternError::OptionalParam { .. })),
            Rejection::BothCatchAlls => clash == [Clash { first: 0, second: 1, reason: ClashReason::BothCatchAlls }],
            Rejection::BesideOptional => clash == [Clash { first: 0, second: 1, reason: ClashReason::BesideOptional }],
        };
        assert!(refused, "{id}: {parsed:?}, {clash:?}");
    }
}
