//! What labels take is charged for, and given back.

use bytes::Bytes;

use super::{WINDOWS, at, head, key_of, look};
use crate::cache::{Cache, LabelFigures, Lookup};
use crate::{Forgetting, MAX_TAGS, Pushed, Selection, Tags, Terms, What};

fn store(cache: &Cache<&'static str>, path: &str, tags: impl IntoIterator<Item = String>) {
    let tags: Vec<String> = tags.into_iter().collect();
    let Lookup::Miss { fill, .. } = look(cache, &key_of("a", path), "en", WINDOWS, at(0)) else {
        panic!("{path} is there")
    };
    let terms = Terms { tags: Tags::new(tags.iter().map(String::as_str)), ..Terms::default() };
    let filling = fill.begin(head(200, &[]), at(0), terms).unwrap();
    assert_eq!(filling.finish(Bytes::from_static(b"x"), at(0)), Pushed::Kept);
}

/// moka gives memory back when no thread can look at it any more, so this asks until it has.
fn settled(cache: &Cache<&'static str>, is_settled: impl Fn(LabelFigures) -> bool) {
    for _ in 0..1_000_000 {
        if is_settled(cache.label_figures()) {
            return;
        }
        drop(look(cache, &key_of("a", "/nothing"), "en", WINDOWS, at(0)));
        cache.invalidate(&key_of("a", "/nothing"), at(0));
        std::thread::yield_now();
    }
    panic!("{:?}, {:?}", cache.label_figures(), cache.figures());
}

#[test]
fn promise_6_what_labels_take_is_within_the_capacity() {
    const CAPACITY: u64 = 1 << 20;
    // Every response with tags of its own, and every few with the same.
    for shared_by in [1, 4, 16, 500] {
        let cache = Cache::new(CAPACITY, 1 << 16);
        for page in 0..1000 {
            store(&cache, &format!("/{page}"), (0..50).map(|tag| format!("{:0>60}", page / shared_by * 50 + tag)));
            assert!(cache.figures().bytes <= CAPACITY, "{:?}", cache.figures());
        }
        let bytes = cache.figures().bytes;
        assert!(bytes > CAPACITY / 2, "{:?}", cache.figures());
        // A label is charged to the first sixteen who share it, to each less than to the one before: three times in all, or
        // to one alone at a sixteenth where the others have gone.
        settled(&cache, |labels| labels.bytes <= 16 * bytes);
        if shared_by == 1 {
            settled(&cache, |labels| labels.bytes <= bytes);
        }
        let evicted = cache.figures().evicted_for_size;
        assert!(shared_by > 1 || evicted > 800, "{evicted}: tags count");
    }
}

#[test]
fn promise_6_labels_go_with_what_carried_them() {
    let cache = Cache::new(1 << 24, 1 << 16);
    for round in 0..3 {
        for page in 0..200 {
            store(&cache, &format!("/{page}"), (0..20).map(|tag| format!("{round}-{page}-{tag}")));
        }
        assert!(cache.label_figures().labels > 4000);
        cache.forget(&[Selection { what: What::Everything, upstream: None }], Forgetting::Delete, at(0));
        // The upstream stays known.
        settled(&cache, |labels| labels.labels == 1);
    }
}

#[test]
fn promise_6_tags_that_were_left_out_are_counted() {
    let cache = Cache::new(1 << 20, 1 << 16);
    store(&cache, "/", (0..MAX_TAGS + 3).map(|tag| tag.to_string()));
    let labels = cache.label_figures();
    assert_eq!((labels.cut, labels.labels), (3, 2 + MAX_TAGS as u64));
}
