//! What every hit reads or counts of a stored response. It stands in the response itself: among a million pages, each further place in
//! memory costs a hit more than what it does there.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::standing::Mark;

/// The tally of a stored response. A copy begins where the other is; what is counted on the other from then on is not on the copy.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// The latest invalidation of which it is known that none up to it concerns the response.
    valid_up_to: AtomicU64,
    /// How often visitors were answered with the response, and with those before it.
    hits: AtomicU64,
}

impl Tally {
    /// Of a response whose fetch began at `began`, and with which nobody was answered.
    pub(crate) fn since(began: Mark) -> Tally {
        Tally { valid_up_to: AtomicU64::new(began.0), hits: AtomicU64::new(0) }
    }

    /// Whether it is known that no invalidation up to `mark` concerns the response.
    pub(crate) fn is_valid_up_to(&self, mark: Mark) -> bool {
        mark.0 <= self.valid_up_to.load(Ordering::Relaxed)
    }

    /// It was found out that none does.
    pub(crate) fn note_valid_up_to(&self, mark: Mark) {
        self.valid_up_to.fetch_max(mark.0, Ordering::Relaxed);
    }

    /// How often visitors were answered with the response, and with those before it.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// So many more were.
    pub(crate) fn count_hits(&self, more: u64) {
        self.hits.fetch_add(more, Ordering::Relaxed);
    }
}

impl Clone for Tally {
    fn clone(&self) -> Tally {
        let valid_up_to = self.valid_up_to.load(Ordering::Relaxed);
        Tally { valid_up_to: AtomicU64::new(valid_up_to), hits: AtomicU64::new(self.hits()) }
    }
}
