//! The cases whose instructions are counted: `evergate-hits CASE` does one of them, again and again, in a function that callgrind
//! looks for. Without a case, their names and how often each is done.
#![expect(clippy::print_stdout, reason = "it is a program")]

use std::hint::black_box;
use std::process::ExitCode;

use bytes::Bytes;
use evergate::rules::{Power, Subject};
use evergate_cache::Asked;
use evergate_hits::{Site, Visitor, key};

/// The allocator of the gateway.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often a case is done while it is counted.
const TURNS: usize = 2_000;

/// How often it is done before: what is made once is there then.
const BEFORE: usize = 500;

/// Every case: its name, and what is done.
const CASES: [(&str, fn()); 8] = [
    ("key", build_key),
    ("look-up", look_up),
    ("route", match_route),
    ("rules", judge),
    ("hit", hit),
    ("hit-split", hit_split),
    ("hit-new-fields", hit_with_new_fields),
    ("hit-confirmed", hit_confirmed),
];

fn main() -> ExitCode {
    let asked = std::env::args().nth(1);
    match asked.and_then(|asked| CASES.into_iter().find(|(name, _)| *name == asked)) {
        Some((_, case)) => case(),
        None => CASES.iter().for_each(|(name, _)| println!("{name} {TURNS}")),
    }
    ExitCode::SUCCESS
}

/// Does `turn` as often as it is counted. Callgrind counts what happens between the beginning and the end of this function.
#[inline(never)]
fn counted(turn: &mut dyn FnMut()) {
    for _ in 0..TURNS {
        turn();
    }
}

fn count(mut turn: impl FnMut()) {
    (0..BEFORE).for_each(|_| turn());
    counted(&mut turn);
}

/// A thousand routes, a hundred rules, two sites, and pages that are split in every way.
fn site() -> Site {
    let mut text = String::from("hosts: [books.acme.test, shop.acme.test]\nproxy:\n");
    for number in 0..100 {
        text +=
            &format!("  - {{ matcher: \"/old{number}/:path*\", redirect: {{ to: \"/new/:path*\", status: 308 }} }}\n");
    }
    text += "routes:\n  - { path: /plain, revalidate: 1h }\n";
    text +=
        "  - { path: \"/split/[slug]\", revalidate: 1h, query: [a, b], cookies: [theme], vary: [accept-language] }\n";
    for number in 0..1_000 {
        text += &format!("  - {{ path: \"/g{}/item{number}/[slug]/parts/[part]\", revalidate: 1h }}\n", number / 100);
    }
    let site = Site::new(&text);
    let lines = [
        ("content-type", "text/html; charset=utf-8"),
        ("etag", "\"1d2c3b4a\""),
        ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
    ];
    for head in [PLAIN, SPLIT] {
        site.keep(head, &lines, &Bytes::from(vec![b'x'; 1_000]));
    }
    site
}

const PLAIN: &[u8] = b"GET /plain HTTP/1.1\r\nhost: books.acme.test\r\n\
    user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    accept-encoding: gzip, deflate, br, zstd\r\n\r\n";

const SPLIT: &[u8] = b"GET /split/a-slug?b=2&a=1&utm_source=x HTTP/1.1\r\nhost: Books.Acme.test:8080\r\n\
    accept-language: en-GB,en;q=0.5\r\ncookie: id=7f3a9c; theme=dark\r\n\r\n";

const CONFIRMED: &[u8] = b"GET /plain HTTP/1.1\r\nhost: books.acme.test\r\nif-none-match: \"1d2c3b4a\"\r\n\r\n";

/// The bytes of a key, of everything that may be in it.
fn build_key() {
    let site = site();
    site.asked(SPLIT, |request, selected| {
        let mut key = Vec::with_capacity(256);
        count(|| {
            key.clear();
            selected.key(request.scheme, &site.snapshot).write(black_box(&mut key));
        });
    });
}

/// What is stored under a key.
fn look_up() {
    let site = site();
    let now = site.gateway.clock.now();
    site.asked(PLAIN, |request, selected| {
        let key = key(request, selected, &site.snapshot);
        let (policy, demands) = (selected.policy, &selected.demands);
        let asked = Asked { key: &key, request: &selected.fields, policy, demands };
        count(|| assert!(site.gateway.cache.first_glance(black_box(&asked), now).is_ok(), "it is stored"));
    });
}

/// The route of a path, among a thousand.
fn match_route() {
    let site = site();
    count(|| {
        let found = site.snapshot.table.find(black_box("/g7/item742/a-slug/parts/a-part"));
        assert!(black_box(found).is_some(), "there is such a route");
    });
}

/// What a hundred rules say of a request that none of them is about.
fn judge() {
    let site = site();
    site.asked(PLAIN, |request, _| {
        let headers = &request.headers;
        count(|| {
            let subject = Subject { path: black_box("/plain"), query: None, host: request.host(), headers };
            black_box(site.snapshot.rules.judge(&subject, Power::Full));
        });
    });
}

/// The whole way from a head to its answer, on a connection that sends the same fields again.
fn hit() {
    answer(&[PLAIN]);
}

/// The same with all that a page may be split by.
fn hit_split() {
    answer(&[SPLIT]);
}

/// The same with fields that differ from those before.
fn hit_with_new_fields() {
    answer(&[PLAIN, CONFIRMED]);
}

/// The same for a visitor who has the page already.
fn hit_confirmed() {
    answer(&[CONFIRMED]);
}

/// Answers these heads in turn.
fn answer(heads: &[&[u8]]) {
    let site = site();
    let now = site.gateway.clock.now();
    let mut visitor = Visitor::new(&site);
    let mut heads = heads.iter().cycle();
    count(|| {
        let head = heads.next().copied().unwrap_or_default();
        assert!(visitor.hit(black_box(head), now), "it is stored");
        black_box(visitor.answer());
        visitor.clear();
    });
}
