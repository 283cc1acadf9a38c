//! The record of a response: when its fetch began, and the labels it carries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use smallvec::SmallVec;

use crate::label::{Kind, Label};
use crate::memory::{allocated, counted};
use crate::registry::Registry;
use crate::standing::Mark;
use crate::{Making, Tags};

/// How many holders share the cost of a label at most. A label that many carry costs each of them little. When others let go of
/// it, those that are left are charged anew before it comes to much ([`Registry::is_overdrawn`]).
const SHARERS: u32 = 16;

/// The labels of a response: of most only the upstream and the path, which stand in the record itself.
type Labels = SmallVec<[Label; 2]>;

/// What several hold a record by. Nobody looks at one without holding it, so there is no second count.
pub(crate) type SharedRecord = triomphe::Arc<Record>;

/// When the fetch of a response began, and the labels it carries. Holds them, so nothing said of them since is lost.
#[derive(Debug)]
pub(crate) struct Record {
    registry: Arc<Registry>,
    labels: Labels,
    began: Mark,
    /// What is charged for its labels, in bytes.
    charge: AtomicU32,
    /// Number of pages in the store that hold it: the last, and those before it of which moka has not told yet that they are gone.
    places: AtomicU16,
    /// Whether it was made before anybody asked, and nobody has since.
    unused: AtomicBool,
    /// When it was found to be stale first, as a reading of the monotonic clock in milliseconds, plus one; zero before.
    stale_since: AtomicU64,
}

impl Record {
    /// The record of what began at `began` and carries the labels of these names.
    pub(crate) fn new<'n>(
        registry: &Arc<Registry>,
        names: impl IntoIterator<Item = &'n [u8]>,
        began: Mark,
    ) -> SharedRecord {
        let mut labels: Labels = names.into_iter().map(|name| registry.take(name)).collect();
        labels.shrink_to_fit();
        let charge = shares(&labels);
        SharedRecord::new(Record {
            registry: Arc::clone(registry),
            labels,
            began,
            charge: AtomicU32::new(charge),
            places: AtomicU16::new(0),
            unused: AtomicBool::new(false),
            stale_since: AtomicU64::new(0),
        })
    }

    /// The latest invalidation when its fetch began.
    pub(crate) fn began(&self) -> Mark {
        self.began
    }

    pub(crate) fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// What its labels of a kind say, after the upstream.
    pub(crate) fn own(&self, kind: Kind) -> impl Iterator<Item = &[u8]> {
        self.labels.iter().filter_map(move |label| label.split(kind)).map(|(_, own)| own)
    }

    /// Its tags, which are within their limits already.
    pub(crate) fn tags(&self) -> Tags {
        Tags::with_implied(self.own(Kind::Tag).filter_map(|tag| std::str::from_utf8(tag).ok()), [])
    }

    /// Its groups, each with its site.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &[u8]> {
        self.own(Kind::Group)
    }

    /// A page that holds it is stored.
    pub(crate) fn enter(&self) {
        if self.places.fetch_add(1, Ordering::AcqRel) == 0 {
            self.labels.iter().for_each(|label| label.enter());
            self.registry.charge(0, self.charged());
        }
    }

    /// A page that holds it is stored no longer.
    pub(crate) fn leave(&self) {
        if self.places.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.labels.iter().for_each(|label| label.leave());
            self.registry.charge(self.charged(), 0);
        }
    }

    /// It was made stale at `since`. Since when it is, from the first time that this was found out: who invalidates it again and again
    /// does not make it younger.
    pub(crate) fn is_stale_since(&self, since: Duration) -> Duration {
        let now = u64::try_from(since.as_millis()).unwrap_or(u64::MAX - 1) + 1;
        let first = self.stale_since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        first.map_or_else(|first| Duration::from_millis(first - 1).min(since), |_| since)
    }

    /// Why its response was made.
    pub(crate) fn is_made(&self, making: Making) {
        self.unused.store(making == Making::Ahead, Ordering::Release);
    }

    /// Whether it was made before anybody asked, and nobody has since.
    pub(crate) fn is_unused(&self) -> bool {
        self.unused.load(Ordering::Acquire)
    }

    /// The same, and somebody has now: true once.
    pub(crate) fn first_use(&self) -> bool {
        // Looked at first: most who ask are not the first.
        self.is_unused() && self.unused.swap(false, Ordering::AcqRel)
    }

    /// What is charged for it, in bytes.
    pub(crate) fn size(&self) -> usize {
        let apart = if self.labels.spilled() { allocated(size_of_val(&*self.labels)) } else { 0 };
        counted(size_of::<Record>()) + apart + self.charged()
    }

    fn charged(&self) -> usize {
        self.charge.load(Ordering::Acquire) as usize
    }

    /// Whether it is charged for less than its share: others that carried its labels are gone.
    pub(crate) fn is_undercharged(&self) -> bool {
        shares(&self.labels) > self.charge.load(Ordering::Acquire)
    }

    /// Charges it for its share as it is now. It counts in the store once its page is put there again.
    pub(crate) fn charge_anew(&self) {
        let now = shares(&self.labels);
        let before = self.charge.swap(now, Ordering::AcqRel);
        if self.places.load(Ordering::Acquire) > 0 {
            self.registry.charge(before as usize, now as usize);
        }
    }
}

/// What somebody who carries these labels is charged for them: for each its part, as many as carry it.
fn shares(labels: &[Label]) -> u32 {
    let share = |label: &Label| {
        let size = u32::try_from(label.size()).unwrap_or(u32::MAX);
        size / label.holders().clamp(1, SHARERS)
    };
    labels.iter().map(share).fold(0, u32::saturating_add)
}

impl Drop for Record {
    fn drop(&mut self) {
        self.labels.iter().for_each(|label| self.registry.release(label));
    }
}

#[cfg(test)]
mod tests;
