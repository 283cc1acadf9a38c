//! What is stored, for people and programs who look.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::Cache;
use crate::generations::selects;
use crate::page::{Content, Page};
use crate::standing::Validity;
use crate::{CacheKey, Freshness, Moment, Partial, Policy, Selection, StoredResponse, Variant};

/// Most entries that one look finds.
pub const MAX_ENTRIES: usize = 10_000;

/// What is stored of one key.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: CacheKey,
    /// Its variants, most recent first.
    pub stored: Vec<Held>,
    /// How often visitors were answered with any of them.
    pub hits: u64,
    /// What they take, in bytes.
    pub size: usize,
}

/// One variant that is stored.
#[derive(Clone, Debug)]
pub struct Held {
    /// Whom it is for.
    pub variant: Variant,
    /// What is stored.
    pub content: Holding,
    /// Whether it was invalidated.
    pub invalidated: bool,
}

/// What is stored of a variant.
#[derive(Clone, Debug)]
pub enum Holding {
    /// The whole response.
    Whole(Arc<StoredResponse>),
    /// A part.
    Part(Arc<Partial>),
}

impl Held {
    /// The response, as far as it is there.
    pub fn response(&self) -> &StoredResponse {
        match &self.content {
            Holding::Whole(response) => response,
            Holding::Part(part) => part.response(),
        }
    }
}

/// Something popular.
#[derive(Clone, Debug)]
pub struct Hot {
    /// Its key.
    pub key: CacheKey,
    /// Its variants, most recent first.
    pub variants: Vec<Variant>,
}

/// What a look found.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// The most popular ones, most popular first.
    pub entries: Vec<Entry>,
    /// How many there are, with those that are not among them.
    pub matched: usize,
}

impl<F: Clone> Cache<F> {
    /// The most popular of the entries that all of `selections` fit, at most `limit` and [`MAX_ENTRIES`]. It looks at all that is
    /// stored; what is gone is left out.
    pub fn entries(&self, selections: &[Selection], limit: usize, now: Moment) -> Entries {
        let (best, matched) = self.most_popular(limit, |page| {
            let fits = |response: &StoredResponse| {
                let selected = |selection| response.record().is_some_and(|record| selects(selection, record));
                self.shared.validity(response, now) != Validity::Gone && selections.iter().all(selected)
            };
            page.stored().any(fits)
        });
        let entries = best.into_iter().map(|Candidate(_, key, page)| self.told(key, &page, now)).collect();
        Entries { entries, matched }
    }

    /// The most popular of the entries that any of `selections` fits, gone or not, as far as they were not swept away (see
    /// [`Cache::unswept`]).
    pub fn hottest(&self, selections: &[Selection], limit: usize) -> Vec<Hot> {
        let wanted = |response: &StoredResponse| {
            let selected = |record| selections.iter().any(|selection| selects(selection, record));
            response.record().is_some_and(selected)
        };
        let (best, _) = self.most_popular(limit, |page| page.stored().any(wanted));
        let hot = |Candidate(_, key, page): Candidate| {
            let wanted = page.contents().filter(|(_, content)| content.stored().is_some_and(wanted));
            Hot { key, variants: wanted.map(|(variant, _)| variant.clone()).collect() }
        };
        best.into_iter().map(hot).collect()
    }

    /// What is stored of one key; what is gone is left out.
    pub fn entry(&self, key: &[u8], now: Moment) -> Option<Entry> {
        let page = self.shared.store.peek(key)?;
        Some(self.told(CacheKey::from(key), &page, now)).filter(|entry| !entry.stored.is_empty())
    }

    /// Whether a stored response was invalidated.
    pub fn is_invalidated(&self, response: &StoredResponse, now: Moment) -> bool {
        self.shared.validity(response, now) != Validity::Valid
    }

    /// What a response is at `now` by a policy, with what the invalidations have made of it.
    pub fn freshness(&self, response: &StoredResponse, policy: &Policy, now: Moment) -> Freshness {
        policy.freshness(response, self.shared.validity(response, now), now)
    }

    /// The most popular pages that are wanted, most popular first, and how many there are in all.
    fn most_popular(&self, limit: usize, wanted: impl Fn(&Page) -> bool) -> (Vec<Candidate>, usize) {
        let limit = limit.min(MAX_ENTRIES);
        let (mut matched, mut best) = (0, BinaryHeap::with_capacity(limit + 1));
        for (key, page) in self.shared.store.pages().filter(|(_, page)| wanted(page)) {
            matched += 1;
            let hits: u64 = page.stored().map(StoredResponse::hits).sum();
            best.push(Candidate(Reverse(hits), key, page));
            if best.len() > limit {
                best.pop();
            }
        }
        (best.into_sorted_vec(), matched)
    }

    fn told(&self, key: CacheKey, page: &Page, now: Moment) -> Entry {
        let mut stored = Vec::new();
        for (variant, content) in page.contents() {
            let content = match content {
                Content::Stored(response) => Holding::Whole(Arc::clone(response)),
                Content::Part(part) => Holding::Part(Arc::clone(part)),
                Content::Declined(..) | Content::Forgotten(_) => continue,
            };
            let held = Held { variant: variant.clone(), content, invalidated: false };
            match self.shared.validity(held.response(), now) {
                Validity::Gone => {}
                Validity::Stale(_) => stored.push(Held { invalidated: true, ..held }),
                Validity::Valid => stored.push(held),
            }
        }
        Entry { key, stored, hits: page.stored().map(StoredResponse::hits).sum(), size: page.size() }
    }
}

/// A page among others: the most popular is the least, and of two equal ones the first by its key.
struct Candidate(Reverse<u64>, CacheKey, Page);

impl Candidate {
    fn rank(&self) -> (Reverse<u64>, &[u8]) {
        (self.0, self.1.as_bytes())
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}
