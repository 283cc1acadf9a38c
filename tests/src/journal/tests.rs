//! Tables for what the journal finds and counts.

use std::time::{Duration, Instant};

use super::{Ending, Journal, Seen, fits};
use crate::clock;

#[test]
fn patterns() {
    let cases = [
        ("/a", "/a", true),
        ("/a", "/a/", false),
        ("/a", "/ab", false),
        ("/a/*", "/a/b", true),
        ("/a/*", "/a/", true),
        ("/a/*", "/a", false),
        ("/a/*", "/ab/c", false),
        ("/*", "/", true),
        ("/*", "/a/b", true),
        ("/*", "*", false),
    ];
    for (pattern, path, expected) in cases {
        assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
    }
}

fn request(target: &str, at: Instant, ended: Option<Instant>) -> Seen {
    Seen {
        method: "GET".to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        whole: true,
        at,
        connection: 0,
        raw_head: Vec::new(),
        ended: ended.map(|end| (Ending::Sent, end)),
    }
}

#[test]
fn the_peak_is_of_exchanges_that_overlap() {
    let start = clock::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    // The spans of exchanges, in seconds, and how many overlap at most.
    type Span = (u64, Option<u64>);
    let cases: [(&[Span], usize); 5] = [
        (&[], 0),
        (&[(0, Some(1)), (1, Some(2))], 1),
        (&[(0, Some(2)), (1, Some(3))], 2),
        (&[(0, None), (5, Some(6)), (7, Some(8))], 2),
        (&[(0, Some(9)), (1, Some(9)), (2, Some(9)), (9, None)], 3),
    ];
    for (spans, expected) in cases {
        let journal = Journal::default();
        for (begin, end) in spans {
            // The entry is forgotten, because dropping it would end an exchange that is to last.
            std::mem::forget(journal.begin(request("/p?q", at(*begin), end.map(at))));
        }
        assert_eq!(journal.concurrent_peak("/p"), expected, "{spans:?}");
        assert_eq!(journal.concurrent_peak("/other"), 0, "{spans:?}");
        assert_eq!(journal.count("/p"), spans.len(), "{spans:?}");
    }
}

#[test]
fn a_dropped_entry_is_an_exchange_that_was_hung_up() {
    let journal = Journal::default();
    drop(journal.begin(request("/p", clock::now(), None)));
    journal.begin(request("/q", clock::now(), None)).end(Ending::PeerLeft);
    let ending = |path: &str| journal.seen(path)[0].ended.map(|(ending, _)| ending);
    assert_eq!(ending("/p"), Some(Ending::HungUp));
    assert_eq!(ending("/q"), Some(Ending::PeerLeft));
}
