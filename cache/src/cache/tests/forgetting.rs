//! Whatever is stored, forgotten, fetched meanwhile and swept away, each page is as a simple model says.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::{WINDOWS, at, head, key_of, look};
use crate::cache::{Cache, Lookup};
use crate::standing::Validity;
use crate::{
    Count, Fill, Forgetting, Moment, Pushed, Selection, StaleReason, StoredResponse, Tags, Terms, What, Window, Windows,
};

/// Nothing goes by itself.
const FOR_EVER: Windows = Windows { revalidate: Window::Forever, expire: Duration::MAX, ..WINDOWS };

/// The pages there are: upstream and path.
const PAGES: [(&str, &str); 6] = [("a", "/"), ("a", "/x"), ("a", "/x/1"), ("a", "/x/2"), ("b", "/x/1"), ("b", "/y")];
const TAGS: [&str; 3] = ["s", "t", "u"];

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// A page is asked for, and its fetch begins if that is allowed.
    Fetch(usize),
    /// One of the fetches brings a response with these tags.
    Land(usize, [bool; 3]),
    /// Both at once.
    Store(usize, [bool; 3]),
    Forget(Selection, Forgetting),
    /// An unsafe request to a page.
    Change(usize),
    Pass(u64),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let page = || 0..PAGES.len();
    let tags = || proptest::array::uniform3(any::<bool>());
    let what = prop_oneof![
        3 => prop::sample::select(&TAGS[..]).prop_map(|tag| What::Tag(tag.into())),
        2 => prop::sample::select(vec!["/", "/x", "/x/1", "/x/1/", "/y"]).prop_map(|path| What::Path(path.into())),
        2 => prop::sample::select(vec!["/", "/x", "/x/", "/y/"]).prop_map(|start| What::Prefix(start.into())),
        1 => Just(What::Everything),
    ];
    let upstream = prop::sample::select(vec![None, None, Some("a"), Some("b"), Some("c")]);
    let selection = (what, upstream).prop_map(|(what, upstream)| Selection { what, upstream: upstream.map(Box::from) });
    let expire = (0u64..30).prop_map(|after| Forgetting::Expire(Duration::from_secs(after)));
    let mode = prop_oneof![Just(Forgetting::Stale), Just(Forgetting::Delete), expire];
    prop_oneof![
        2 => page().prop_map(Step::Fetch),
        3 => (0usize..4, tags()).prop_map(|(fetch, tags)| Step::Land(fetch, tags)),
        4 => (page(), tags()).prop_map(|(page, tags)| Step::Store(page, tags)),
        4 => (selection, mode).prop_map(|(selection, mode)| Step::Forget(selection, mode)),
        1 => page().prop_map(Step::Change),
        2 => (1u64..20).prop_map(Step::Pass),
        1 => Just(Step::Sweep),
    ]
}

/// A response: its page, how many invalidations there had been when its fetch began, its tags.
#[derive(Clone, Debug)]
struct Entry {
    page: usize,
    began: usize,
    tags: [bool; 3],
}

impl Entry {
    fn is_meant(&self, Selection { what, upstream }: &Selection) -> bool {
        let (own, path) = PAGES[self.page];
        let is_here = upstream.as_deref().is_none_or(|upstream| upstream == own);
        is_here
            && match what {
                What::Tag(tag) => TAGS.iter().zip(self.tags).any(|(own, carried)| carried && *own == &**tag),
                What::Path(meant) => path == &**meant || format!("{path}/") == **meant,
                What::Prefix(start) => path.starts_with(&**start) || format!("{path}/") == **start,
                What::Everything => true,
            }
    }
}

/// A fetch that is under way.
struct Fetch {
    fill: Fill<&'static str>,
    page: usize,
    began: usize,
    /// Whether an unsafe request has ended it.
    ended: bool,
}

/// The cache, and what is expected of it.
struct Model {
    cache: Cache<&'static str>,
    second: u64,
    said: Vec<(Selection, Forgetting, u64)>,
    entries: Vec<Option<Entry>>,
    fetches: Vec<Fetch>,
}

fn key(page: usize) -> Vec<u8> {
    let (upstream, path) = PAGES[page];
    key_of(upstream, path)
}

impl Model {
    fn new() -> Model {
        let entries = vec![None; PAGES.len()];
        Model { cache: Cache::new(1 << 20, 1 << 16), second: 0, said: Vec::new(), entries, fetches: Vec::new() }
    }

    fn now(&self) -> Moment {
        at(self.second)
    }

    /// What the invalidations make of a response, by their words.
    fn validity(&self, entry: &Entry) -> Validity {
        let said = self.said[entry.began..].iter().filter(|(selection, ..)| entry.is_meant(selection));
        let one = |(_, mode, second): &(Selection, Forgetting, u64)| match mode {
            Forgetting::Delete => Validity::Gone,
            Forgetting::Expire(after) if Duration::from_secs(*second) + *after <= self.now().monotonic => {
                Validity::Gone
            }
            Forgetting::Stale | Forgetting::Expire(_) => Validity::Stale(Duration::from_secs(*second)),
        };
        said.map(one).fold(Validity::Valid, Validity::and)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Fetch(page) => {
                let fill = match look(&self.cache, &key(page), "en", FOR_EVER, self.now()) {
                    Lookup::Miss { fill, .. } => Some(fill),
                    Lookup::Stale { refresh, .. } => refresh,
                    Lookup::Hit { .. } | Lookup::Collapsed { .. } | Lookup::Pass(_) => None,
                };
                let began = self.said.len();
                self.fetches.extend(fill.map(|fill| Fetch { fill, page, began, ended: false }));
            }
            Step::Land(fetch, tags) => {
                if fetch < self.fetches.len() {
                    self.land(fetch, tags);
                }
            }
            Step::Store(page, tags) => {
                let before = self.fetches.len();
                self.take(Step::Fetch(page));
                if self.fetches.len() > before {
                    self.land(before, tags);
                }
            }
            Step::Forget(selection, mode) => {
                let there = self.entries.iter().flatten().filter(|entry| entry.is_meant(&selection));
                let there = there.filter(|entry| self.validity(entry) != Validity::Gone).count() as u64;
                match self.cache.forget(std::slice::from_ref(&selection), mode, self.now()) {
                    Count::Exact(count) => assert_eq!(count, there, "{selection:?}"),
                    Count::AtMost(count) => assert!(count >= there, "{selection:?}: {count} of {there}"),
                }
                self.said.push((selection, mode, self.second));
            }
            Step::Change(page) => {
                self.cache.invalidate(&key(page), self.now());
                self.entries[page] = None;
                self.fetches.iter_mut().filter(|fetch| fetch.page == page).for_each(|fetch| fetch.ended = true);
            }
            Step::Pass(seconds) => self.second += seconds,
            Step::Sweep => {
                self.cache.sweep(self.now());
                let everything = [Selection { what: What::Everything, upstream: Some("nowhere".into()) }];
                let count = self.cache.forget(&everything, Forgetting::Stale, self.now());
                assert_eq!(count, Count::Exact(0), "what is gone was swept away");
                self.said.push((everything[0].clone(), Forgetting::Stale, self.second));
            }
        }
    }

    fn land(&mut self, fetch: usize, tags: [bool; 3]) {
        let Fetch { fill, page, began, ended } = self.fetches.remove(fetch);
        let names = TAGS.iter().zip(tags).filter(|(_, carried)| *carried).map(|(tag, _)| *tag);
        let terms = Terms { tags: Tags::new(names), ..Terms::default() };
        let filling = fill.begin(head(200, &[]), self.now(), terms).unwrap();
        assert_eq!(filling.finish(Bytes::from(format!("{began}")), self.now()), Pushed::Kept);
        let entry = Entry { page, began, tags };
        if !ended && self.validity(&entry) != Validity::Gone {
            self.entries[page] = Some(entry);
        }
    }

    /// Every page is as it is to be, for whoever asks and for whoever looks.
    fn check(&self) {
        for (page, entry) in self.entries.iter().enumerate() {
            let expected = entry.as_ref().map_or(Validity::Gone, |entry| self.validity(entry));
            let body = entry.as_ref().map(|entry| entry.began.to_string());
            let stored = self.cache.shared.store.get(&key(page));
            let found = stored.as_ref().and_then(|stored| stored.stored().next());
            let validity = found.map_or(Validity::Gone, |response| self.cache.shared.validity(response, self.now()));
            match (validity, expected) {
                // Of several invalidations of one label only the latest tells since when.
                (Validity::Stale(since), Validity::Stale(first)) => {
                    assert!(since >= first && since <= self.now().monotonic)
                }
                (validity, expected) => assert_eq!(validity, expected, "{:?}", PAGES[page]),
            }
            let listed = self.cache.entry(&key(page), self.now()).map(|entry| entry.stored[0].invalidated);
            let answer = look(&self.cache, &key(page), "en", FOR_EVER, self.now());
            let told = match (&answer, expected) {
                (Lookup::Hit { response, .. }, Validity::Valid) => Some((response, false)),
                (Lookup::Stale { response, reason: StaleReason::Invalidated, .. }, Validity::Stale(_)) => {
                    Some((response, true))
                }
                (Lookup::Miss { .. } | Lookup::Collapsed { .. }, Validity::Gone) => None,
                other => panic!("{:?}: {other:?}", PAGES[page]),
            };
            assert_eq!(listed, told.map(|(_, invalidated)| invalidated));
            if let Some((response, _)) = told {
                assert_eq!(Some(super::text(&response.body())), body, "{:?}", PAGES[page]);
            }
        }
    }
}

fn tagged(tag: &str) -> Terms {
    Terms { tags: Tags::new([tag]), ..Terms::default() }
}

fn delete(cache: &Cache<&'static str>, tag: &str) {
    cache.forget(&[Selection { what: What::Tag(tag.into()), upstream: None }], Forgetting::Delete, at(0));
}

/// An unsafe request ends the count of a fill, but not what was said of its tags before: who joined it after that looks again.
#[test]
fn promise_4_a_tag_is_held_for_a_fill_whose_page_was_changed() {
    let cache = Cache::new(1 << 20, 1 << 16);
    let Lookup::Miss { fill, .. } = look(&cache, &key(0), "en", FOR_EVER, at(0)) else { panic!("it is there") };
    delete(&cache, "t");
    let Lookup::Collapsed { waiter, .. } = look(&cache, &key(0), "en", FOR_EVER, at(0)) else {
        panic!("it is asked for")
    };
    cache.invalidate(&key(0), at(0));
    delete(&cache, "another");
    let mut filling = fill.begin(head(200, &[]), at(0), tagged("t")).unwrap();
    filling.announce();
    let mut told = Vec::new();
    assert!(super::hear(waiter, &mut told).is_none());
    assert_eq!(told, ["unrelated"], "it would be what was deleted before it was asked for");
}

/// What was found valid once is found so by two numbers until something else is invalidated.
#[test]
fn what_does_not_concern_a_response_is_looked_at_once() {
    let (cache, key) = (Cache::new(1 << 20, 1 << 16), key(0));
    let Lookup::Miss { fill, .. } = look(&cache, &key, "en", FOR_EVER, at(0)) else { panic!("it is there") };
    let filling = fill.begin(head(200, &[]), at(0), tagged("a")).unwrap();
    assert_eq!(filling.finish(Bytes::from_static(b"x"), at(0)), Pushed::Kept);
    let hit = || match look(&cache, &key, "en", FOR_EVER, at(0)) {
        Lookup::Hit { response, .. } => Some(response),
        Lookup::Stale { .. } | Lookup::Collapsed { .. } | Lookup::Miss { .. } | Lookup::Pass(_) => None,
    };
    let is_known = |response: &StoredResponse| response.tally().is_valid_up_to(cache.shared.generations.now());
    let response = hit().unwrap();
    assert!(is_known(&response), "it is newer than all that was invalidated");
    delete(&cache, "b");
    assert!(!is_known(&response));
    assert!(hit().is_some_and(|response| is_known(&response)));
    delete(&cache, "a");
    assert!(hit().is_none() && !is_known(&response));
    assert!(hit().is_none() && !is_known(&response), "and stays so");
}

/// What a fill brings that lost against an invalidation never takes the place of what came after.
#[test]
fn promise_4_what_is_outdated_replaces_nothing_newer() {
    let outdated: [fn(Fill<&'static str>); 3] = [
        |fill| {
            let filling = fill.begin(head(200, &[]), at(0), tagged("t")).unwrap();
            assert_eq!(filling.finish(Bytes::from_static(b"old"), at(0)), Pushed::Kept);
        },
        |fill| fill.decline(crate::DeclineReason::Private, at(0)),
        |fill| fill.fail("boom", crate::FailureKind::Unreachable, at(0), 0.0),
    ];
    for end in outdated {
        let cache = Cache::new(1 << 20, 1 << 16);
        let Lookup::Miss { fill: old, .. } = look(&cache, &key(0), "en", FOR_EVER, at(0)) else {
            panic!("it is there")
        };
        cache.forget(&[Selection { what: What::Path("/".into()), upstream: None }], Forgetting::Delete, at(0));
        let Lookup::Miss { fill: new, .. } = look(&cache, &key(0), "en", FOR_EVER, at(0)) else {
            panic!("it is outdated")
        };
        let filling = new.begin(head(200, &[]), at(0), tagged("t")).unwrap();
        assert_eq!(filling.finish(Bytes::from_static(b"new"), at(0)), Pushed::Kept);
        end(old);
        assert_eq!(super::answer_in_words(&look(&cache, &key(0), "en", FOR_EVER, at(0))), "hit new");
        let page = cache.shared.store.get(&key(0)).unwrap();
        let troubled = page.contents().any(|(_, content)| match content {
            crate::page::Content::Stored(response) => response.trouble().failures() > 0,
            crate::page::Content::Part(_) | crate::page::Content::Declined(..) | crate::page::Content::Forgotten(_) => {
                true
            }
        });
        assert!(!troubled, "nor does its failure count against it");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promise_4_every_page_is_as_the_invalidations_say(steps in proptest::collection::vec(step(), 1..40)) {
        let mut model = Model::new();
        for step in steps {
            model.take(step);
            model.check();
        }
        // Nothing is left of it but the two upstreams.
        model.fetches.clear();
        for page in 0..PAGES.len() {
            model.cache.invalidate(&key(page), model.now());
        }
        model.cache.sweep(model.now());
        prop_assert_eq!(model.cache.fills_in_flight(), 0);
        prop_assert!(model.cache.shared.generations.is_settled());
    }
}
