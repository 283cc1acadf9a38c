//! What it costs to find the route of a path, in tables of 10, 1,000 and 10,000 routes.
//!
//! `again` asks for one path over and over: what is left is the work of the look-up, which must not grow with the table.
//! `anywhere` asks for paths all over the table, so that the processor's caches do not hold what is needed; that part does
//! grow, as for any table. `hostile` has every mixture of `a` and `[x]` in its paths and asks for what is in none of them.
#![expect(clippy::expect_used, reason = "a benchmark of patterns that are wrong should not run")]

use divan::{Bencher, black_box};
use evergate::config::RoutePattern;
use evergate::routes::RouteTable;

fn main() {
    divan::main();
}

/// How many routes a table has.
const SIZES: [usize; 3] = [10, 1_000, 10_000];

/// Which path is asked for.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Static,
    Dynamic,
    CatchAll,
    Miss,
}

fn table(patterns: impl IntoIterator<Item = String>) -> RouteTable {
    let patterns: Vec<RoutePattern> =
        patterns.into_iter().map(|text| RoutePattern::parse(&text).expect("a good pattern")).collect();
    RouteTable::new(&patterns)
}

/// A third each of static routes, of routes with two dynamic segments and of catch-alls, a hundred to a group.
fn mixed(size: usize) -> RouteTable {
    table((0..size).map(|number| {
        let group = format!("/api/g{}", number / 100);
        match number % 3 {
            0 => format!("{group}/page{number}/list"),
            1 => format!("{group}/item{number}/[slug]/parts/[part]"),
            _ => format!("{group}/docs{number}/[...rest]"),
        }
    }))
}

/// Paths for the routes of [`mixed`] that are of this kind, in an order that jumps about.
fn paths(size: usize, asked: Asked) -> Vec<String> {
    const STRIDE: usize = 7_919;
    let kind = match asked {
        Asked::Static | Asked::Miss => 0,
        Asked::Dynamic => 1,
        Asked::CatchAll => 2,
    };
    let numbers = (0..size).map(|place| place * STRIDE % size).filter(|number| number % 3 == kind);
    numbers
        .map(|number| {
            let group = format!("/api/g{}", number / 100);
            match asked {
                Asked::Static => format!("{group}/page{number}/list"),
                Asked::Dynamic => format!("{group}/item{number}/a-slug/parts/a-part"),
                Asked::CatchAll => format!("{group}/docs{number}/a/longer/way/down"),
                Asked::Miss => format!("{group}/page{number}/nothing"),
            }
        })
        .collect()
}

/// Looks up these paths in turn.
fn look_up(bencher: Bencher<'_, '_>, table: &RouteTable, paths: &[String], found: bool) {
    assert!(paths.iter().all(|path| table.find(path).is_some() == found), "the table is what the benchmark says");
    let mut turn = paths.iter().cycle();
    bencher.bench_local(|| table.find(black_box(turn.next().map_or("/", String::as_str))).map(|found| found.route));
}

fn again(bencher: Bencher<'_, '_>, size: usize, asked: Asked) {
    let paths = paths(size, asked);
    look_up(bencher, &mixed(size), &paths[..1], !matches!(asked, Asked::Miss));
}

fn anywhere(bencher: Bencher<'_, '_>, size: usize, asked: Asked) {
    look_up(bencher, &mixed(size), &paths(size, asked), !matches!(asked, Asked::Miss));
}

#[divan::bench(args = SIZES)]
fn again_static(bencher: Bencher<'_, '_>, size: usize) {
    again(bencher, size, Asked::Static);
}

#[divan::bench(args = SIZES)]
fn again_dynamic(bencher: Bencher<'_, '_>, size: usize) {
    again(bencher, size, Asked::Dynamic);
}

#[divan::bench(args = SIZES)]
fn again_catch_all(bencher: Bencher<'_, '_>, size: usize) {
    again(bencher, size, Asked::CatchAll);
}

#[divan::bench(args = SIZES)]
fn again_miss(bencher: Bencher<'_, '_>, size: usize) {
    again(bencher, size, Asked::Miss);
}

#[divan::bench(args = SIZES)]
fn anywhere_static(bencher: Bencher<'_, '_>, size: usize) {
    anywhere(bencher, size, Asked::Static);
}

#[divan::bench(args = SIZES)]
fn anywhere_dynamic(bencher: Bencher<'_, '_>, size: usize) {
    anywhere(bencher, size, Asked::Dynamic);
}

#[divan::bench(args = SIZES)]
fn anywhere_catch_all(bencher: Bencher<'_, '_>, size: usize) {
    anywhere(bencher, size, Asked::CatchAll);
}

#[divan::bench(args = SIZES)]
fn anywhere_miss(bencher: Bencher<'_, '_>, size: usize) {
    anywhere(bencher, size, Asked::Miss);
}

/// Every mixture of `a` and `[x]` over so many segments, with a last one that the path does not have: 2 to the power of
/// `segments` routes, and every one of their beginnings fits.
#[divan::bench(args = [3, 10, 13])]
fn hostile(bencher: Bencher<'_, '_>, segments: usize) {
    let mixture = |bits: usize| -> String {
        (0..segments).map(|at| if bits >> at & 1 == 0 { String::from("/a") } else { format!("/[x{at}]") }).collect()
    };
    let table = table((0..1_usize << segments).map(|bits| format!("{}/end", mixture(bits))));
    look_up(bencher, &table, &[format!("{}/other", "/a".repeat(segments))], false);
}
