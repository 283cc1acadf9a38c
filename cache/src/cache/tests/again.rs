//! What is invalidated more than once, and more than a few pages at once.

use bytes::Bytes;

use super::{WINDOWS, answer_in_words, at, head, key_of, look, request, windowed};
use crate::cache::forgetting::MOST_MARKS;
use crate::cache::{Asked, Cache, Lookup, Refresh};
use crate::{Count, Demands, Forgetting, Pushed, Selection, Tags, Terms, What};

type Kept = Cache<&'static str>;

fn everything() -> [Selection; 1] {
    [Selection { what: What::Everything, upstream: None }]
}

fn store(cache: &Kept, key: &[u8]) {
    let Lookup::Miss { fill, .. } = look(cache, key, "en", WINDOWS, at(0)) else { panic!("{key:?} is there already") };
    let filling = fill.begin(head(200, &[]), at(0), Terms::default()).unwrap();
    assert_eq!(filling.finish(Bytes::from_static(b"body"), at(0)), Pushed::Kept);
}

/// Whoever invalidates a page every few seconds while its handler is down does not make it good for ever: what counts is since
/// when it is stale.
#[test]
fn what_is_invalidated_again_and_again_is_no_younger() {
    let (cache, key) = (Cache::new(1 << 20, 1 << 16), key_of("shop", "/p"));
    store(&cache, &key);
    for second in [5, 15, 25, 35] {
        cache.forget(&everything(), Forgetting::Stale, at(second));
        let told = answer_in_words(&look(&cache, &key, "en", WINDOWS, at(second + 2)));
        assert!(told.starts_with(&format!("stale body {} invalidated", second + 2 - 5)), "{told}");
    }
}

/// Labels that many pages shared are charged to the few that are left.
#[test]
fn promise_6_labels_are_charged_to_those_that_are_left() {
    const CAPACITY: u64 = 4 << 20;
    let cache: Kept = Cache::new(CAPACITY, 1 << 16);
    for group in 0..60 {
        let tags: Vec<String> = (0..100).map(|tag| format!("{group}:{tag}:{}", "x".repeat(200))).collect();
        let keys: Vec<Vec<u8>> = (0..18).map(|page| key_of("shop", &format!("/{group}/{page}"))).collect();
        for key in &keys {
            let Lookup::Miss { fill, .. } = look(&cache, key, "en", WINDOWS, at(0)) else {
                panic!("it is there already")
            };
            let terms = Terms { tags: Tags::new(tags.iter().map(String::as_str)), ..Terms::default() };
            let filling = fill.begin(head(200, &[]), at(0), terms).unwrap();
            assert_eq!(filling.finish(Bytes::from_static(b"body"), at(0)), Pushed::Kept);
        }
        // The last one came when all the others shared with it.
        for key in &keys[..17] {
            cache.invalidate(key, at(0));
        }
        if cache.until_sweep(at(0)).is_some() {
            cache.sweep(at(0));
        }
        let (figures, labels) = (cache.figures(), cache.label_figures());
        assert!(figures.bytes <= CAPACITY, "{figures:?}");
        assert!(labels.bytes <= figures.bytes + CAPACITY / 8, "{group}: {labels:?} in {figures:?}");
    }
}

/// Of a great many pages that go at once, only some leave a mark that tells of it: marks take memory too.
#[test]
fn promise_6_the_marks_of_a_sweep_are_bounded() {
    let pages = MOST_MARKS + 500;
    let cache: Kept = Cache::new(1 << 30, 1 << 16);
    let keys: Vec<Vec<u8>> = (0..pages).map(|page| key_of("shop", &format!("/{page}"))).collect();
    for key in &keys {
        store(&cache, key);
    }
    assert_eq!(cache.forget(&everything(), Forgetting::Delete, at(1)), Count::Exact(pages as u64));
    cache.sweep(at(1));
    assert_eq!(cache.figures().entries, MOST_MARKS as u64);
    let told = |key: &Vec<u8>| answer_in_words(&look(&cache, key, "en", WINDOWS, at(2)));
    let answers: Vec<String> = keys.iter().map(told).collect();
    assert_eq!(answers.iter().filter(|told| *told == "miss invalidated").count(), MOST_MARKS);
    assert_eq!(answers.iter().filter(|told| *told == "miss uri").count(), 500);
}

/// Of those who are shown at a glance that a page is stale, one may refresh it; whoever lacks what is needed leaves it to the next.
#[test]
fn what_is_seen_to_be_stale_is_refreshed_once() {
    let (cache, key) = (Cache::new(1 << 20, 1 << 16), key_of("shop", "/p"));
    store(&cache, &key);
    let (request, policy, demands) = (request("en"), windowed(WINDOWS), Demands::default());
    let asked = Asked { key: &key, request: &request, policy: &policy, demands: &demands };
    assert!(!cache.glance(&asked, at(1)).unwrap().refresh_due);
    let stale = at(61);
    assert!(matches!(cache.refresh(&asked, at(1), || Some(())), Refresh::UnderWay), "it is fresh");
    assert!(cache.glance(&asked, stale).unwrap().refresh_due);
    assert!(matches!(cache.refresh(&asked, stale, || None::<()>), Refresh::Unable));
    assert!(!cache.is_refreshed(&asked, stale), "whoever lacked something has begun nothing");
    let Refresh::Permitted(fill, "permit") = cache.refresh(&asked, stale, || Some("permit")) else {
        panic!("nobody refreshes it yet")
    };
    let unasked = || -> Option<()> { panic!("nothing is needed for what is under way") };
    assert!(matches!(cache.refresh(&asked, stale, unasked), Refresh::UnderWay));
    assert!(cache.is_refreshed(&asked, stale));
    let Lookup::Stale { refresh: None, .. } = look(&cache, &key, "en", WINDOWS, stale) else {
        panic!("a look-up finds the same refresh")
    };
    let filling = fill.begin(head(200, &[]), stale, Terms::default()).unwrap();
    assert_eq!(filling.finish(Bytes::from_static(b"newer"), stale), Pushed::Kept);
    assert!(matches!(cache.refresh(&asked, stale, unasked), Refresh::UnderWay), "it is fresh again");
    assert!(!cache.is_refreshed(&asked, stale));
    assert!(!cache.glance(&asked, stale).unwrap().refresh_due);
}
