//! What is bounded: memory, variants, waiters.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderValue;
use http::header::ETAG;

use super::{KEY, WINDOWS, at, head, in_words, look, next};
use crate::cache::{Cache, Lookup};
use crate::{Fill, MAX_VARIANTS, MAX_WAITERS, Pushed, StoredResponse, Terms};

fn miss(cache: &Cache<&'static str>, key: &[u8], language: &str) -> Fill<&'static str> {
    let Lookup::Miss { fill, .. } = look(cache, key, language, WINDOWS, at(0)) else {
        panic!("{language} of {key:?} is there already");
    };
    fill
}

fn store(fill: Fill<&'static str>, length: usize) {
    let filling = fill.begin(head(200, &[]), at(0), Terms::default()).unwrap();
    assert_eq!(filling.finish(Bytes::from(vec![b'x'; length]), at(0)), Pushed::Kept);
}

/// Bytes of the bodies that are still there, whoever holds them.
fn alive(responses: &[Weak<StoredResponse>]) -> u64 {
    responses.iter().filter_map(Weak::upgrade).map(|response| response.body().len() as u64).sum()
}

#[test]
fn promise_6_memory_stays_within_the_capacity() {
    // Capacity, length of a body, number of pages.
    let cases = [(1 << 20, 10_000, 300), (1 << 20, 60_000, 100), (1 << 20, 100, 4000), (1 << 24, 1 << 20, 40)];
    for (capacity, length, pages) in cases {
        let cache: Cache<&'static str> = Cache::new(capacity, capacity / 16);
        let mut stored = Vec::new();
        let mut most = 0;
        for page in 0..pages {
            let key = format!("/{page}").into_bytes();
            store(miss(&cache, &key, "en"), length);
            if let Lookup::Hit { response, .. } = look(&cache, &key, "en", WINDOWS, at(0)) {
                stored.push(Arc::downgrade(&response));
            }
            most = most.max(alive(&stored));
        }
        // moka gives memory back when no thread can look at it any more, other tests' threads included; hence not to the byte.
        assert!(most <= 2 * capacity, "{most} bytes in {capacity}, in pages of {length}");
        let figures = cache.figures();
        assert!(figures.bytes <= capacity, "{figures:?}");
        assert!(figures.bytes >= capacity / 2, "{figures:?}: most of the capacity is used");
        assert!(figures.bytes >= figures.entries * length as u64, "{figures:?}: bodies count");
        assert_eq!(figures.entries + figures.evicted_for_size, pages, "{figures:?}: each page is kept or counted");
        assert_eq!((figures.capacity, figures.evicted_variants), (capacity, 0));
    }
}

/// moka keeps the keys of what was removed, so it must not see long ones; they count, and are told apart by every byte.
#[test]
fn promise_6_long_keys_are_keys_like_others() {
    let cache: Cache<&'static str> = Cache::new(1 << 20, 1 << 16);
    let keys: Vec<Vec<u8>> = [255, 256, 257, 258, 4000]
        .into_iter()
        .flat_map(|length| [b'a', b'b'].map(|last| [vec![b'k'; length - 1], vec![last]].concat()))
        .collect();
    for (number, key) in keys.iter().enumerate() {
        store(miss(&cache, key, "en"), 100 + number);
    }
    assert!(cache.figures().bytes >= keys.iter().map(|key| key.len() as u64 + 100).sum(), "{:?}", cache.figures());
    let length = |key: &[u8]| {
        let Lookup::Hit { response, .. } = look(&cache, key, "en", WINDOWS, at(0)) else { panic!("{}", key.len()) };
        response.body().len()
    };
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(length(key), 100 + number);
    }
    for (number, key) in keys.iter().enumerate() {
        assert_eq!((cache.invalidate(key, at(0)), cache.invalidate(key, at(0))), (1, 0), "{}", key.len());
        assert_eq!(cache.figures().entries, (keys.len() - number - 1) as u64);
        drop(miss(&cache, key, "en"));
    }
}

#[test]
fn promise_6_keys_and_variants_count() {
    let bytes = |key: &[u8], language: &str| {
        let cache = Cache::new(1 << 20, 1 << 16);
        store(miss(&cache, key, language), 10);
        cache.figures().bytes
    };
    let long = "x".repeat(1000);
    assert!(bytes(long.as_bytes(), "en") >= bytes(b"", "en") + 1000);
    assert!(bytes(b"", &long) >= bytes(b"", "en") + 990);
}

#[test]
fn promise_6_the_number_of_variants_is_bounded() {
    let cache = Cache::new(1 << 24, 1 << 16);
    for language in 0..MAX_VARIANTS + 5 {
        store(miss(&cache, KEY, &language.to_string()), 10);
    }
    let figures = cache.figures();
    assert_eq!((figures.entries, figures.evicted_variants, figures.evicted_for_size), (1, 5, 0));
    let kept = (0..MAX_VARIANTS + 5)
        .filter(|language| matches!(look(&cache, KEY, &language.to_string(), WINDOWS, at(0)), Lookup::Hit { .. }));
    assert_eq!(kept.collect::<Vec<_>>(), (5..MAX_VARIANTS + 5).collect::<Vec<_>>());
}

#[test]
fn promise_6_the_number_of_waiters_is_bounded() {
    let cache: Cache<&'static str> = Cache::new(1 << 20, 1 << 16);
    let fill = miss(&cache, KEY, "en");
    let waiters: Vec<_> = (0..MAX_WAITERS).map(|_| fill.waiter()).collect();
    let told = |mut waiter: crate::Waiter<&'static str>| {
        let told = std::pin::pin!(waiter.wait()).poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(awaited) = told { in_words(awaited) } else { "waits".to_owned() }
    };
    assert_eq!(told(fill.waiter()), "crowded");
    let Lookup::Collapsed { waiter, .. } = look(&cache, KEY, "en", WINDOWS, at(0)) else {
        panic!("a fill is under way");
    };
    assert_eq!(told(waiter), "crowded");
    // A visitor who leaves makes room.
    drop(waiters);
    assert_eq!(told(fill.waiter()), "waits");
    let waiter = fill.waiter();
    drop(fill);
    assert_eq!(told(waiter), "abandoned");
}

/// How many wait, how many of them leave, and whether anyone is left then.
#[test]
fn a_fill_that_nobody_waits_for_is_deserted() {
    for (waiting, leaving) in [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (3, 2)] {
        let cache: Cache<&'static str> = Cache::new(1 << 20, 1 << 16);
        let fill = miss(&cache, KEY, "en");
        let mut waiters: Vec<_> = (0..waiting).map(|_| fill.waiter()).collect();
        let mut deserted = std::pin::pin!(fill.deserted());
        let mut poll = || deserted.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        assert_eq!(poll(), waiting == 0, "{waiting} wait");
        waiters.truncate(waiting - leaving);
        if waiting > 0 {
            assert_eq!(poll(), waiting == leaving, "{waiting} wait, {leaving} leave");
        }
    }
}

/// What is stored of a response: its status, fields, and body in these pieces.
fn stored_etag(status: u16, lines: &[super::Line], pieces: &[&'static str], last: &'static str) -> Option<HeaderValue> {
    let cache = Cache::new(1 << 20, 1 << 16);
    let mut filling = miss(&cache, KEY, "en").begin(head(status, lines), at(0), Terms::default()).unwrap();
    for piece in pieces {
        filling.push(Bytes::from_static(piece.as_bytes()), at(0));
    }
    filling.finish(Bytes::from_static(last.as_bytes()), at(0));
    let Lookup::Hit { response, .. } = look(&cache, KEY, "en", WINDOWS, at(0)) else {
        panic!("{status} is not kept");
    };
    response.head().fields.get(&ETAG).cloned()
}

#[test]
fn a_success_gets_a_tag_of_its_body() {
    // The first 128 bits of the SHA-256 of "abc" (FIPS 180-2 appendix B.1) and of nothing.
    const ABC: Option<HeaderValue> = Some(HeaderValue::from_static("\"ba7816bf8f01cfea414140de5dae2223\""));
    const NOTHING: Option<HeaderValue> = Some(HeaderValue::from_static("\"e3b0c44298fc1c149afbf4c8996fb924\""));
    let given = Some(HeaderValue::from_static("W/\"own\""));
    let cases = [
        (200, &[][..], &[][..], "abc", ABC),
        (203, &[], &[], "abc", ABC),
        (200, &[], &["a", "b"], "c", ABC),
        (200, &[], &["abc"], "", ABC),
        (200, &[], &["", "ab", ""], "c", ABC),
        (200, &[], &[], "", NOTHING),
        (200, &[("etag", "W/\"own\"")], &["a"], "bc", given),
        (204, &[], &[], "", None),
        (404, &[], &[], "abc", None),
        (301, &[], &[], "abc", None),
    ];
    for (status, lines, pieces, last, expected) in cases {
        assert_eq!(stored_etag(status, lines, pieces, last), expected, "{status} {lines:?} {pieces:?} {last:?}");
    }
}

#[test]
fn readers_of_a_finished_response_hold_no_second_copy() {
    let cache: Cache<&'static str> = Cache::new(1 << 20, 1 << 16);
    let fill = miss(&cache, KEY, "en");
    let mut waiter = fill.waiter();
    let mut filling = fill.begin(head(200, &[]), at(0), Terms::default()).unwrap();
    filling.push(Bytes::from_static(b"one "), at(0));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let crate::Awaited::Streaming(_, mut reader) = runtime.block_on(waiter.wait()) else { panic!("it has begun") };
    filling.push(Bytes::from_static(b"two "), at(0));
    filling.finish(Bytes::from_static(b"three"), at(0));
    let Lookup::Hit { response, .. } = look(&cache, KEY, "en", WINDOWS, at(0)) else { panic!("it is stored") };
    let Poll::Ready(Ok(Some(piece))) = next(&mut reader) else { panic!("there is something") };
    assert_eq!(piece, "one two three");
    assert_eq!(piece.as_ptr(), response.body().as_ptr(), "the same bytes in the same place");
}
