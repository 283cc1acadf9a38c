//! The registry: every label that anything carries, once. A label goes with the last that holds it.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::label::Label;
use crate::standing::Mark;
use crate::{Forgetting, Moment};

/// Parts with a lock each.
const SHARDS: usize = 64;

/// Below this a part does not give back what it has grown to.
const LEAST: usize = 64;

/// The labels that are held.
#[derive(Debug)]
pub(crate) struct Registry {
    shards: Box<[Mutex<HashSet<Shared>>]>,
    hasher: RandomState,
    labels: AtomicU64,
    bytes: AtomicU64,
    /// What those that are stored are charged for their labels.
    charged: AtomicI64,
    /// How much of the labels nobody was charged for when all were charged anew the last time.
    uncharged: AtomicI64,
}

/// A label that is found by its name.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Shared(Label);

impl Borrow<[u8]> for Shared {
    fn borrow(&self) -> &[u8] {
        self.0.name()
    }
}

/// Somebody's hold of a label. It is let go by dropping it.
#[derive(Debug)]
pub(crate) struct Held {
    registry: Arc<Registry>,
    label: Label,
}

impl Held {
    pub(crate) fn label(&self) -> &Label {
        &self.label
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.registry.release(&self.label);
    }
}

impl Registry {
    pub(crate) fn new() -> Arc<Registry> {
        Arc::new(Registry {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            labels: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            charged: AtomicI64::new(0),
            uncharged: AtomicI64::new(0),
        })
    }

    fn shard(&self, name: &[u8]) -> &Mutex<HashSet<Shared>> {
        let index = usize::try_from(self.hasher.hash_one(name) % SHARDS as u64).unwrap_or(0);
        &self.shards[index]
    }

    /// The label of this name, which stays as long as the caller holds it.
    pub(crate) fn hold(self: &Arc<Self>, name: &[u8]) -> Held {
        let label = self.take(name);
        Held { registry: Arc::clone(self), label }
    }

    /// The same for holders who let go of it by [`Registry::release`].
    pub(crate) fn take(&self, name: &[u8]) -> Label {
        // What is guarded is whole after every change, so a panic elsewhere is no reason to stop.
        let mut shard = self.shard(name).lock().unwrap_or_else(PoisonError::into_inner);
        let label = match shard.get(name) {
            Some(Shared(label)) => label.clone(),
            None => {
                let label = Label::new(name);
                shard.insert(Shared(label.clone()));
                self.labels.fetch_add(1, Ordering::Relaxed);
                self.bytes.fetch_add(label.size() as u64, Ordering::Relaxed);
                label
            }
        };
        label.hold();
        label
    }

    pub(crate) fn release(&self, label: &Label) {
        let mut shard = self.shard(label.name()).lock().unwrap_or_else(PoisonError::into_inner);
        if label.let_go() {
            shard.remove(label.name());
            self.labels.fetch_sub(1, Ordering::Relaxed);
            self.bytes.fetch_sub(label.size() as u64, Ordering::Relaxed);
            if shard.capacity() > LEAST && shard.len() < shard.capacity() / 4 {
                let half = shard.capacity() / 2;
                shard.shrink_to(half);
            }
        }
    }

    /// An invalidation of a label that the caller holds, or looks at.
    pub(crate) fn mark(&self, label: &Label, mode: Forgetting, mark: Mark, now: Moment) {
        self.bytes.fetch_add(label.forget(mode, mark, now) as u64, Ordering::Relaxed);
    }

    /// Looks at every label. One that is taken or let go meanwhile may be seen or not.
    pub(crate) fn each(&self, mut look: impl FnMut(&Label)) {
        for shard in &self.shards {
            for Shared(label) in shard.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                look(label);
            }
        }
    }

    /// Something that is stored is charged otherwise.
    pub(crate) fn charge(&self, before: usize, now: usize) {
        let signed = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.charged.fetch_add(signed(now) - signed(before), Ordering::Relaxed);
    }

    /// How much of the labels nobody is charged for.
    fn uncharged(&self) -> i64 {
        i64::try_from(self.bytes.load(Ordering::Relaxed)).unwrap_or(i64::MAX) - self.charged.load(Ordering::Relaxed)
    }

    /// Whether labels take so many bytes more than anybody is charged for than when all were charged anew the last time.
    pub(crate) fn is_overdrawn(&self, by: u64) -> bool {
        let now = self.uncharged().max(0);
        // What it was then and is no more is no allowance for later.
        let then = self.uncharged.fetch_min(now, Ordering::Relaxed).clamp(0, now);
        now - then > i64::try_from(by).unwrap_or(i64::MAX)
    }

    /// All were charged anew: what is left are labels of what is being fetched.
    pub(crate) fn is_settled(&self) {
        self.uncharged.store(self.uncharged(), Ordering::Relaxed);
    }

    /// Number of labels, and what they take in bytes.
    pub(crate) fn figures(&self) -> (u64, u64) {
        (self.labels.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests;
