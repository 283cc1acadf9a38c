//! How often a hit asks for memory.

use bytes::Bytes;
use evergate_hits::{Site, Visitor};

const CONFIG: &str = "
hosts: [books.acme.test]
routes:
  - { path: /plain, revalidate: 1h }
  - { path: \"/shop/[shop]/items/[...item]\", revalidate: 1h, query: [a, b], cookies: [theme, size] }
  - { path: /split, revalidate: 1h, vary: [accept-language] }
  - { path: /page, revalidate: 1h, kind: page }
  - { path: /origin, revalidate: origin }
proxy:
  - { matcher: \"/old/:path*\", redirect: { to: \"/new/:path*\", status: 308 } }
  - { matcher: { source: /other, has: [{ type: header, key: x-preview }] }, rewrite: { to: /preview } }
";

/// Hits of each kind, without what is the same in all, and how often each asks for memory.
const KINDS: &[(&str, &str, &str, u64)] = &[
    ("a page", "/plain", "", 0),
    ("a page under parameters", "/shop/a/items/b/c", "", 0),
    ("one parameter of the query", "/shop/a/items/b?a=1", "", 0),
    ("one cookie", "/shop/a/items/b", "cookie: id=1; theme=dark\r\n", 0),
    ("a page of Next.js", "/page", "", 0),
    ("an answer of a handler's own", "/origin", "", 0),
    ("a field that splits the page", "/split", "accept-language: fi\r\n", 1),
    ("several parameters of the query", "/shop/a/items/b?b=2&a=1", "", 2),
    ("several cookies", "/shop/a/items/b", "cookie: size=1; theme=dark\r\n", 2),
];

/// How many hits of a kind are looked at.
const HITS: usize = 2_000;

/// How often a hit asks for memory, on a connection that asks for the same again and again: as 95 of 100 hits do. Now and then one
/// finds that the store has something to tidy up.
fn allocations(path: &str, fields: &str) -> u64 {
    let site = Site::new(CONFIG);
    let head = format!("GET {path} HTTP/1.1\r\nhost: books.acme.test:8080\r\naccept: */*\r\n{fields}\r\n");
    site.keep(
        head.as_bytes(),
        &[("content-type", "text/plain"), ("cache-control", "max-age=3600")],
        &Bytes::from_static(b"a page"),
    );
    let mut visitor = Visitor::new(&site);
    let now = site.gateway.clock.now();
    let mut hit = || {
        assert!(visitor.hit(head.as_bytes(), now), "it is stored");
        visitor.clear();
    };
    (0..500).for_each(|_| hit());
    let mut counted: Vec<u64> = (0..HITS).map(|_| allocation_counter::measure(&mut hit).count_total).collect();
    counted.sort_unstable();
    let most = counted[HITS * 95 / 100];
    assert_eq!(counted[0], most, "hits of {path} differ");
    most
}

#[test]
fn a_hit_asks_for_memory_only_where_something_has_to_be_put_together() {
    let found: Vec<_> = KINDS.iter().map(|(kind, path, fields, _)| (*kind, allocations(path, fields))).collect();
    let expected: Vec<_> = KINDS.iter().map(|(kind, .., allocations)| (*kind, *allocations)).collect();
    assert_eq!(found, expected);
}
