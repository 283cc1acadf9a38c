//! Forgetting: keys, labels, and what is left to do afterwards.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Cache;
use crate::key::address;
use crate::page::Page;
use crate::record::Record;
use crate::shared::{OVERDRAFT, Shared};
use crate::standing::Validity;
use crate::{Count, Forgetting, Groups, Moment, Selection, StoredResponse};

/// Up to so many pages, what is gone is swept away before its invalidation is over; beyond it that is left to [`Cache::sweep`].
const SWEPT_AT_ONCE: u64 = 1024;

/// How long it is told of what was swept away that it was forgotten.
const FORGOTTEN_FOR: Duration = Duration::from_secs(60);

/// Most pages of one sweep that leave such a mark; the others leave nothing. Marks take memory, and time to be written.
pub(super) const MOST_MARKS: usize = 10_000;

/// How soon it is looked again whether what is held for fills may be let go.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The invalidations in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelFigures {
    /// Labels that anything carries: upstreams, paths, tags and groups.
    pub labels: u64,
    /// Bytes they take. What is stored is charged for them, so they are within the capacity, but for a sixteenth of it and what is
    /// being fetched.
    pub bytes: u64,
    /// Tags that were left out, because a response had too many or too long ones.
    pub cut: u64,
}

/// As long as it lives, nothing is swept away.
#[derive(Debug)]
pub struct Unswept<F: Clone>(Arc<Shared<F>>);

impl<F: Clone> Drop for Unswept<F> {
    fn drop(&mut self) {
        self.0.unswept.fetch_sub(1, Ordering::AcqRel);
        self.0.invalidated.notify_one();
    }
}

impl<F: Clone> Cache<F> {
    /// Forgets what is selected, and says how much of it was stored. It beats every fill that began before: what one brings is
    /// as invalid. How long it takes does not depend on how much is found.
    pub fn forget(&self, selections: &[Selection], mode: Forgetting, now: Moment) -> Count {
        let count = self.shared.generations.forget(selections, mode, now, || self.shared.oldest_fill());
        self.tidy(now);
        count
    }

    /// Forgets every response that carries one of these groups, and those that are being fetched now (RFC 9875 section 3).
    pub fn invalidate_groups(&self, groups: &Groups, now: Moment) {
        if !groups.is_empty() {
            self.shared.generations.forget_groups(groups, now, || self.shared.oldest_fill());
            self.tidy(now);
        }
    }

    /// Forgets every variant of a key, and what shares a group with one of them (RFC 9111 section 4.4, RFC 9875 section
    /// 2.2.1). What is being fetched for it is not kept. The number of responses that were stored.
    pub fn invalidate(&self, key: &[u8], now: Moment) -> usize {
        let mut shard = self.shared.flights.lock(key);
        let page = self.shared.store.remove(key);
        shard.end_all(key);
        self.shared.generations.count_one();
        drop(shard);
        let Some(page) = page else { return 0 };
        let records = page.stored().filter_map(StoredResponse::record);
        self.invalidate_groups(&Groups::from_names(records.flat_map(Record::groups)), now);
        page.stored().count()
    }

    fn tidy(&self, now: Moment) {
        if self.shared.store.len() <= SWEPT_AT_ONCE {
            self.sweep(now);
        }
        self.shared.invalidated.notify_one();
    }

    /// Waits for an invalidation that may have left something to [`Cache::sweep`].
    pub async fn invalidated(&self) {
        self.shared.invalidated.notified().await;
    }

    /// How long until there is something to sweep; none where nothing is known.
    pub fn until_sweep(&self, now: Moment) -> Option<Duration> {
        let unsettled = (!self.shared.generations.is_settled()).then_some(LOOK_AGAIN);
        let due = self.shared.generations.next_due().map(|due| due.saturating_sub(now.monotonic));
        // Whoever keeps it from being swept tells when that is over.
        let due = due.filter(|_| self.shared.unswept.load(Ordering::Acquire) == 0);
        let overdrawn = self.is_overdrawn().then_some(LOOK_AGAIN);
        unsettled.into_iter().chain(due).chain(overdrawn).min()
    }

    /// Removes what is gone, and does the rest of what invalidations put off. It looks at all that is stored.
    pub fn sweep(&self, now: Moment) {
        let Shared { store, flights, generations, unswept, .. } = &*self.shared;
        generations.settle(|| self.shared.oldest_fill());
        if self.is_overdrawn() {
            self.charge_anew();
        }
        if generations.next_due().is_none_or(|due| due > now.monotonic) || unswept.load(Ordering::Acquire) > 0 {
            return;
        }
        let sweep = generations.sweep(now);
        let is_gone = |response: &StoredResponse| self.shared.validity(response, now) == Validity::Gone;
        let until = now.monotonic + FORGOTTEN_FOR;
        let mut left_marks = 0;
        for (key, page) in store.pages() {
            if unswept.load(Ordering::Acquire) > 0 {
                return;
            }
            if page.swept(is_gone, now, until.into()).is_none() {
                continue;
            }
            // Looked at again under the lock of the key, under which pages change.
            let shard = flights.lock(key.as_bytes());
            match store.peek(key.as_bytes()).and_then(|page| page.swept(is_gone, now, until.into())) {
                Some(rest) if rest.is_empty() || left_marks >= MOST_MARKS && !rest.holds_any() => {
                    drop(store.remove(key.as_bytes()));
                }
                Some(rest) => {
                    left_marks += 1;
                    store.replace(key, rest);
                }
                None => {}
            }
            drop(shard);
        }
        store.settle();
        sweep.end((left_marks > 0).then_some(until));
    }

    /// Whether labels take more than what is stored is charged for: those that shared them are gone.
    fn is_overdrawn(&self) -> bool {
        self.shared.generations.is_overdrawn(self.shared.store.capacity() / OVERDRAFT)
    }

    /// Charges what is stored for its labels as they are shared now. The store drops what is too much.
    fn charge_anew(&self) {
        let Shared { store, flights, generations, .. } = &*self.shared;
        let is_cheap = |page: &Page| page.stored().filter_map(StoredResponse::record).any(Record::is_undercharged);
        for (key, _) in store.pages().filter(|(_, page)| is_cheap(page)) {
            let shard = flights.lock(key.as_bytes());
            if let Some(page) = store.peek(key.as_bytes()) {
                page.stored().filter_map(StoredResponse::record).for_each(Record::charge_anew);
                store.replace(key, page);
            }
            drop(shard);
            store.settle();
        }
        generations.is_charged();
    }

    /// Keeps what is gone in the store for [`Cache::hottest`] to be found.
    pub fn unswept(&self) -> Unswept<F> {
        self.shared.unswept.fetch_add(1, Ordering::AcqRel);
        Unswept(Arc::clone(&self.shared))
    }

    /// The labels in figures.
    pub fn label_figures(&self) -> LabelFigures {
        let (labels, bytes, cut) = self.shared.generations.figures();
        LabelFigures { labels, bytes, cut }
    }

    /// The upstream of a key is known from now on to whoever invalidates at every one.
    pub(super) fn introduce(&self, key: &[u8]) {
        self.shared.generations.introduce(address(key));
    }
}
