//! The shorter way of what needs no waiting, beside the whole one. Every block is a request of one connection: its request line and
//! its fields, to which a host is added. The shorter way reads them one after the other, as a connection does; the whole one reads
//! each alone.
#![no_main]

use std::cell::RefCell;

use bytes::Bytes;
use evergate_cache::Moment;
use evergate_fuzz::{blocks, lines};
use evergate_hits::{End, Site, Visitor};
use libfuzzer_sys::fuzz_target;

/// Routes and rules of every kind.
const CONFIG: &str = concat!("routes:\n", include_str!("../../golden/both_ways.yaml"));

/// What is stored: the request line and the fields that select it.
const STORED: &[&str] = &[
    "GET /plain",
    "GET /plain?q=1",
    "GET /large",
    "GET /page",
    "GET /crossed",
    "GET /told",
    "GET /asked",
    "GET /read-only",
    "GET /origin/kept",
    "GET /fresh/a",
    "GET /fresh/a?q=1",
    "GET /fresh/a?q=1&r=2\ncookie: theme=dark",
    "GET /fresh/a\naccept-language: fi",
    "GET /fresh/ruled",
    "GET /fresh/ruled\ncookie: theme=dark; id=1\naccept-language: fi",
];

thread_local! {
    static SITE: RefCell<Option<(Site, Moment)>> = const { RefCell::new(None) };
}

/// A site that holds all of it, and a moment at which it is fresh.
fn filled() -> (Site, Moment) {
    let site = Site::new(CONFIG);
    let fields = [
        ("content-type", "text/plain"),
        ("etag", "\"v1\""),
        ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("cache-control", "max-age=3600"),
    ];
    for stored in STORED {
        let length = if stored.contains("large") { 6_000 } else { 10 };
        site.keep(&head(stored.as_bytes()), &fields, &Bytes::from(vec![b'x'; length]));
    }
    let now = site.gateway.clock.now();
    for stored in STORED {
        let end = Visitor::new(&site).ask(&head(stored.as_bytes()), now);
        let hit = matches!(&end, End::Answered(what, _, true) if what.contains("hit"));
        assert!(hit, "{stored} is {end:?}, so nothing would be compared");
    }
    (site, now)
}

/// A head of these lines. A line that names no version is of HTTP/1.1.
fn head(block: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    for (number, line) in lines(block).enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if number > 0 && line.is_empty() {
            break;
        }
        head.extend_from_slice(line);
        if number == 0 {
            let version: &[u8] = if line.windows(6).any(|part| part == b" HTTP/") { b"" } else { b" HTTP/1.1" };
            head.extend_from_slice(version);
            head.extend_from_slice(b"\r\nhost: test");
        }
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

fuzz_target!(|text: &[u8]| {
    SITE.with_borrow_mut(|site| {
        let (site, now) = site.get_or_insert_with(filled);
        let requests: [&[u8]; 4] = blocks(text);
        let mut short = Visitor::new(site);
        for request in requests.into_iter().filter(|request| !request.is_empty()) {
            let head = head(request);
            let mut whole = Visitor::new(site);
            let end = short.ask(&head, *now);
            match end {
                // The whole way would begin a fetch.
                End::Waits => {
                    assert_eq!(short.answer(), [b"", b""], "something was sent before it had to wait");
                    assert!(whole.reads(&head), "what the shorter way has read is no request");
                }
                End::Refused => assert!(!whole.reads(&head), "a request is refused on a connection and not alone"),
                End::Answered(..) | End::Passes(..) => {
                    assert_eq!(end, whole.ask_whole(&head, *now), "the ways differ");
                    assert_eq!(short.answer().concat(), whole.answer().concat(), "the answers differ");
                    short.clear();
                }
            }
        }
    });
});
