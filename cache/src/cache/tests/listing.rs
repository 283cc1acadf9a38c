//! What those find who look at what is stored, and how much of it there is.

use bytes::Bytes;

use super::{WINDOWS, at, head, key_of, look};
use crate::cache::{Cache, Entry, Hot, Lookup};
use crate::{Count, Fill, Forgetting, KeyParts, MAX_VARIANTS, Pushed, Selection, Tags, Terms, What};

type Listed = Cache<&'static str>;

fn fill(cache: &Listed, key: &[u8], language: &str) -> Fill<&'static str> {
    match look(cache, key, language, WINDOWS, at(0)) {
        Lookup::Miss { fill, .. } => fill,
        Lookup::Stale { refresh: Some(fill), .. } => fill,
        other @ (Lookup::Hit { .. } | Lookup::Stale { .. } | Lookup::Collapsed { .. } | Lookup::Pass(_)) => {
            panic!("{key:?} is there already: {other:?}")
        }
    }
}

fn store(cache: &Listed, (upstream, path): (&str, &str), language: &str, tags: &[&str]) {
    let terms = Terms { tags: Tags::new(tags.iter().copied()), ..Terms::default() };
    let filling = fill(cache, &key_of(upstream, path), language).begin(head(200, &[]), at(0), terms).unwrap();
    assert_eq!(filling.finish(Bytes::from_static(b"body"), at(0)), Pushed::Kept);
}

fn visit(cache: &Listed, page: (&str, &str), times: usize) {
    for _ in 0..times {
        let Lookup::Hit { response, .. } = look(cache, &key_of(page.0, page.1), "en", WINDOWS, at(0)) else {
            panic!("{page:?} is not there");
        };
        response.count_hit();
    }
}

fn tag(tag: &str) -> Selection {
    Selection { what: What::Tag(tag.into()), upstream: None }
}

fn prefix(start: &str) -> Selection {
    Selection { what: What::Prefix(start.into()), upstream: None }
}

/// The paths of entries, and how often they were asked for.
fn told(entries: &[Entry]) -> Vec<(String, u64)> {
    let path = |entry: &Entry| {
        let address = crate::key::address(entry.key.as_bytes()).unwrap();
        String::from_utf8(address.path.to_vec()).unwrap()
    };
    entries.iter().map(|entry| (path(entry), entry.hits)).collect()
}

/// The paths of what is to be fetched again.
fn hot(found: &[Hot]) -> Vec<String> {
    let path = |hot: &Hot| KeyParts::read(hot.key.as_bytes()).unwrap().path.to_owned();
    found.iter().inspect(|hot| assert_eq!(hot.variants.len(), 1)).map(path).collect()
}

fn told_as(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(path, hits)| ((*path).to_owned(), *hits)).collect()
}

/// Five pages, of which the third is the most popular.
fn five() -> Listed {
    let cache = Cache::new(1 << 20, 1 << 16);
    for (number, hits) in [(1, 0), (2, 2), (3, 9), (4, 2), (5, 1)] {
        let page = format!("/items/{number}");
        let tags: &[&str] = if number % 2 == 1 { &["all", "odd"] } else { &["all"] };
        store(&cache, ("shop", &page), "en", tags);
        visit(&cache, ("shop", &page), hits);
    }
    cache
}

#[test]
fn the_most_popular_entries_come_first() {
    let cache = five();
    let all = [("/items/3", 9), ("/items/2", 2), ("/items/4", 2), ("/items/5", 1), ("/items/1", 0)];
    // What is looked for, how many at most; which are found, and how many there are.
    type Case<'a> = (Vec<Selection>, usize, &'a [(&'a str, u64)], usize);
    let cases: [Case<'_>; 9] = [
        (vec![], 10, &all, 5),
        (vec![], 2, &all[..2], 5),
        (vec![], 0, &[], 5),
        (vec![tag("odd")], 10, &[("/items/3", 9), ("/items/5", 1), ("/items/1", 0)], 3),
        (vec![tag("odd")], 1, &[("/items/3", 9)], 3),
        // All that is looked for has to fit.
        (vec![tag("odd"), prefix("/items/5")], 10, &[("/items/5", 1)], 1),
        (vec![prefix("/items/")], 3, &all[..3], 5),
        (vec![tag("none")], 10, &[], 0),
        (vec![Selection { what: What::Everything, upstream: Some("blog".into()) }], 10, &[], 0),
    ];
    for (selections, limit, expected, matched) in cases {
        let found = cache.entries(&selections, limit, at(0));
        assert_eq!((told(&found.entries), found.matched), (told_as(expected), matched), "{selections:?} {limit}");
    }
    // Of several selections any will do for what is to be fetched again.
    let hottest = cache.hottest(&[prefix("/items/2"), tag("odd")], 3);
    assert_eq!(hot(&hottest), ["/items/3", "/items/2", "/items/5"]);
}

#[test]
fn what_is_gone_is_not_listed_but_found_to_be_fetched_again() {
    for held in [false, true] {
        let cache = five();
        let unswept = held.then(|| cache.unswept());
        assert_eq!(cache.forget(&[tag("odd")], Forgetting::Delete, at(1)), Count::Exact(3));
        let listed = cache.entries(&[], 10, at(1));
        assert_eq!((told(&listed.entries), listed.matched), (told_as(&[("/items/2", 2), ("/items/4", 2)]), 2));
        assert!(cache.entry(&key_of("shop", "/items/3"), at(1)).is_none());
        let hottest = hot(&cache.hottest(&[tag("odd")], 10));
        let expected: &[&str] = if held { &["/items/3", "/items/5", "/items/1"] } else { &[] };
        assert_eq!(hottest, expected, "held: {held}");
        // As long as it is held, a sweep leaves it, and nobody is told to sweep.
        cache.sweep(at(1));
        assert_eq!(cache.hottest(&[tag("odd")], 10).len(), expected.len());
        if let Some(unswept) = unswept {
            assert_eq!(cache.until_sweep(at(1)), None);
            drop(unswept);
            assert_eq!(cache.until_sweep(at(1)), Some(std::time::Duration::ZERO));
            cache.sweep(at(1));
            assert!(cache.hottest(&[tag("odd")], 10).is_empty());
        }
        // What was swept away leaves a mark for a while.
        let missing =
            |second| super::answer_in_words(&look(&cache, &key_of("shop", "/items/3"), "en", WINDOWS, at(second)));
        assert_eq!(missing(60), "miss invalidated");
        assert_eq!(cache.figures().entries, 5);
        cache.sweep(at(61));
        assert_eq!((cache.figures().entries, cache.until_sweep(at(61))), (2, None));
        assert_eq!(missing(61), "miss uri");
    }
}

#[test]
fn what_is_stale_is_listed_as_invalidated() {
    let cache = five();
    cache.forget(&[prefix("/items/3")], Forgetting::Stale, at(1));
    let found = cache.entries(&[], 10, at(1));
    let invalidated: Vec<bool> = found.entries.iter().map(|entry| entry.stored[0].invalidated).collect();
    assert_eq!(invalidated, [true, false, false, false, false]);
    // What takes its place is as popular.
    store(&cache, ("shop", "/items/3"), "en", &["all"]);
    let entry = cache.entry(&key_of("shop", "/items/3"), at(1)).unwrap();
    assert_eq!((entry.hits, entry.stored[0].invalidated), (9, false));
}

/// What the labels count is what is in the store.
fn counted(cache: &Listed, name: &str) -> (Count, u64) {
    let count = cache.forget(&[tag(name)], Forgetting::Stale, at(0));
    let stored = cache
        .shared
        .store
        .pages()
        .flat_map(|(_, page)| page.stored().map(|response| response.tags()).collect::<Vec<_>>());
    let carrying = stored.filter(|tags| tags.iter().any(|tag| tag == name)).count();
    (count, carrying as u64)
}

#[test]
fn counts_are_exact_whatever_becomes_of_a_page() {
    let cache = Cache::new(1 << 20, 1 << 16);
    let expect = |expected: u64, when: &str| {
        cache.figures();
        assert_eq!(counted(&cache, "t"), (Count::Exact(expected), expected), "{when}");
    };
    store(&cache, ("a", "/"), "en", &["t"]);
    store(&cache, ("b", "/"), "en", &["t"]);
    expect(2, "two are stored");
    store(&cache, ("a", "/"), "en", &["t"]);
    expect(2, "one is replaced");
    store(&cache, ("a", "/"), "en", &["other"]);
    expect(1, "it carries the tag no longer");
    for language in 0..MAX_VARIANTS + 5 {
        store(&cache, ("c", "/"), &language.to_string(), &["t"]);
    }
    expect(1 + MAX_VARIANTS as u64, "variants are dropped");
    fill(&cache, &key_of("b", "/"), "en").decline(crate::DeclineReason::Private, at(0));
    expect(MAX_VARIANTS as u64, "one is declined");
    assert_eq!(cache.invalidate(&key_of("c", "/"), at(0)), MAX_VARIANTS);
    expect(0, "all are removed");
}

#[test]
fn counts_are_exact_while_pages_are_evicted_for_their_size() {
    let cache = Cache::new(1 << 16, 1 << 12);
    for page in 0..1000 {
        store(&cache, ("a", &format!("/{page}")), "en", &["t"]);
        if page % 100 == 99 {
            let figures = cache.figures();
            assert_eq!(counted(&cache, "t"), (Count::Exact(figures.entries), figures.entries), "{page}");
        }
    }
    assert!(cache.figures().evicted_for_size > 500);
}
