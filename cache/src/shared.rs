//! What the cache and the fills it handed out have in common.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::Notify;

use crate::Moment;
use crate::flight::Flights;
use crate::generations::Generations;
use crate::standing::{Mark, Validity};
use crate::store::Store;
use crate::stored::StoredResponse;

/// Which part of the capacity labels may take that nobody is charged for, before all are charged anew.
pub(crate) const OVERDRAFT: u64 = 16;

/// The pages, the fills in flight, the invalidations, and the limit of a body. The lock of a key among the fills also orders the
/// changes of its page, so whoever changes one holds the other's.
#[derive(Debug)]
pub(crate) struct Shared<F> {
    pub(crate) store: Store,
    pub(crate) flights: Flights<F>,
    pub(crate) generations: Arc<Generations>,
    /// Told of every invalidation.
    pub(crate) invalidated: Notify,
    /// Number of those who want to find what is gone.
    pub(crate) unswept: AtomicUsize,
    /// Longest body that is kept, in bytes.
    pub(crate) max_body: u64,
}

impl<F: Clone> Shared<F> {
    /// What the invalidations have made of a stored response. That none up to the latest concerns it is found out once.
    pub(crate) fn validity(&self, response: &StoredResponse, now: Moment) -> Validity {
        // Read before the labels are: what comes in between may have been missed.
        let latest = self.generations.now();
        if response.tally().is_valid_up_to(latest) {
            return Validity::Valid;
        }
        let validity = response.record().map_or(Validity::Valid, |record| self.generations.validity(record, now));
        if validity == Validity::Valid {
            response.tally().note_valid_up_to(latest);
        }
        validity
    }

    /// Has labels charged anew where what shared them is gone.
    pub(crate) fn look_at_charges(&self) {
        if self.generations.is_overdrawn(self.store.capacity() / OVERDRAFT) {
            self.invalidated.notify_one();
        }
    }

    /// When the oldest fill in flight began.
    pub(crate) fn oldest_fill(&self) -> Option<Mark> {
        self.flights.oldest()
    }
}
