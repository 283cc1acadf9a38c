//! A page: the variants of one key, most recent first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::stored::StoredResponse;
use crate::{DeclineReason, Moment, Variant};

/// Most variants of one page that are kept; the least recently stored goes first.
pub const MAX_VARIANTS: usize = 32;

/// How long a key whose answer was declined is passed without asking again (Varnish calls it hit-for-miss): nobody queues
/// behind an answer that will not be shared.
pub const HIT_FOR_MISS_LIFE: Duration = Duration::from_secs(10);

/// The variants of one key. Never changed, only replaced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    slots: Vec<Slot>,
}

/// One variant and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) variant: Variant,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A response, and how its revalidations fare.
    Stored(Arc<StoredResponse>, Arc<Trouble>),
    /// Its answer was declined; pass until this reading of the monotonic clock.
    Declined(DeclineReason, Duration),
}

/// Failed revalidations in a row of one stored response, and when the next may begin.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    failures: AtomicU32,
    /// Monotonic reading in milliseconds.
    retry_at: AtomicU64,
}

impl Trouble {
    /// How many revalidations have failed in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Acquire)
    }

    /// Whether the next revalidation has to wait.
    pub(crate) fn backing_off(&self, now: Moment) -> bool {
        self.failures() > 0 && now.monotonic < Duration::from_millis(self.retry_at.load(Ordering::Acquire))
    }

    /// One more failure; the next attempt not before `retry_at`.
    pub(crate) fn failed(&self, retry_at: Duration) {
        self.retry_at.store(u64::try_from(retry_at.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
        self.failures.fetch_add(1, Ordering::AcqRel);
    }
}

impl Page {
    /// What is known of a variant.
    pub(crate) fn find(&self, variant: &Variant) -> Option<&Content> {
        self.slots.iter().find(|slot| slot.variant == *variant).map(|slot| &slot.content)
    }

    /// Whether a response is stored for any variant.
    pub(crate) fn holds_any(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot.content, Content::Stored(..)))
    }

    /// This page with `slot` as its most recent, bounded in number and in bytes. Also the number of variants that had to go.
    pub(crate) fn with(&self, slot: Slot, max_bytes: usize) -> (Page, usize) {
        let mut slots = Vec::with_capacity(self.slots.len() + 1);
        let others = self.slots.iter().filter(|other| other.variant != slot.variant).cloned();
        slots.push(slot.clone());
        slots.extend(others);
        let before = slots.len();
        slots.truncate(MAX_VARIANTS);
        let mut sum = 0;
        slots.retain(|slot| {
            sum += slot.size();
            sum <= max_bytes
        });
        // The newest is within the limit of a single body, so it never falls to the limit of a page.
        if slots.is_empty() {
            slots.push(slot);
        }
        let gone = before - slots.len();
        (Page { slots }, gone)
    }

    /// Size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.slots.iter().map(Slot::size).sum()
    }
}

impl Slot {
    fn size(&self) -> usize {
        let content = match &self.content {
            Content::Stored(response, _) => response.size() + size_of::<Trouble>(),
            Content::Declined(..) => 0,
        };
        size_of::<Slot>() + self.variant.size() + content
    }
}

#[cfg(test)]
mod tests;
