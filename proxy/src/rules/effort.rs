//! How much work judging one request may be. What patterns cost is counted before it is spent, so that neither one pattern nor a
//! thousand of them keep a processor from other visitors, whatever a path looks like; what would cost more is not decided.

use std::cell::Cell;

use super::engine::Undecided;

/// What one pattern may cost, on all forms of a path together. The unit is about a nanosecond.
const MOST_OF_A_PATTERN: usize = 800_000;

/// What all patterns together may cost.
const MOST_OF_A_REQUEST: usize = 4_000_000;

/// What is left of it for one request.
#[derive(Debug)]
pub(super) struct Effort {
    request: Cell<usize>,
    pattern: Cell<usize>,
}

impl Effort {
    /// All of it.
    pub(super) fn new() -> Effort {
        Effort { request: Cell::new(MOST_OF_A_REQUEST), pattern: Cell::new(MOST_OF_A_PATTERN) }
    }

    /// Begins with another pattern.
    pub(super) fn next_pattern(&self) {
        self.pattern.set(MOST_OF_A_PATTERN);
    }

    /// Counts so much.
    ///
    /// # Errors
    ///
    /// [`Undecided`] when it is more than what is left.
    pub(super) fn spend(&self, cost: usize) -> Result<(), Undecided> {
        let left = |of: &Cell<usize>| of.get().checked_sub(cost).ok_or(Undecided);
        let (request, pattern) = (left(&self.request)?, left(&self.pattern)?);
        self.request.set(request);
        self.pattern.set(pattern);
        Ok(())
    }

    /// What has been counted, for tests to compare.
    #[cfg(test)]
    pub(super) fn spent(&self) -> usize {
        MOST_OF_A_REQUEST - self.request.get()
    }
}
