//! Which tables of routes are refused, and which two routes are named.

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
        (&["/[...one]", "/[[...one]]"], 0, 1, ClashReason::BothCatchAlls), // route_table_invalid 016
        (&["/[[...one]]", "/[...one]"], 0, 1, ClashReason::BothCatchAlls), // 017
        (&["/", "/[[...all]]"], 0, 1, ClashReason::BesideOptional),        // 018
        (&["/[[...all]]", "/"], 0, 1, ClashReason::BesideOptional),        // 019
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
