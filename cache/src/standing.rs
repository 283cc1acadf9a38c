//! Where a response stands among the invalidations: every one has a number, and what began before it is as it says.

use std::time::Duration;

use crate::{Forgetting, Moment};

/// The number of an invalidation. What begins notes the latest, and is older than every one with a higher number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark(pub(crate) u64);

/// What the invalidations have made of a stored response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Validity {
    /// None concerns it.
    #[default]
    Valid,
    /// It is stale since this reading of the monotonic clock, whatever its lifetime.
    Stale(Duration),
    /// It may not be served.
    Gone,
}

impl Validity {
    /// What two invalidations make of it together: the stricter counts, and of two equal ones the earlier.
    pub(crate) fn and(self, other: Validity) -> Validity {
        match (self, other) {
            (Validity::Gone, _) | (_, Validity::Gone) => Validity::Gone,
            (Validity::Stale(one), Validity::Stale(two)) => Validity::Stale(one.min(two)),
            (Validity::Stale(since), Validity::Valid) | (Validity::Valid, Validity::Stale(since)) => {
                Validity::Stale(since)
            }
            (Validity::Valid, Validity::Valid) => Validity::Valid,
        }
    }
}

/// Most deletions that are told apart, for those who wait for something that began before them.
const MAX_DELETIONS: usize = 16;

/// Most times at which what was made stale is gone that are kept apart; beyond it the two earliest become one, at which more is
/// gone than was asked for.
const MAX_EXPIRIES: usize = 8;

/// What the invalidations of one label, or of one prefix, come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    /// What began before one of them is gone: the latest ones, in order.
    deletions: Vec<Mark>,
    /// The latest of those that are not among them any more.
    dropped: Mark,
    /// What began before it is stale, since then.
    staled: Option<(Mark, Duration)>,
    /// What began before the mark is gone at the time: in the order of both.
    expiring: Vec<(Mark, Duration)>,
}

impl Marks {
    /// Adds an invalidation. They may come in any order.
    pub(crate) fn add(&mut self, mode: Forgetting, mark: Mark, now: Moment) {
        match mode {
            Forgetting::Delete => self.delete(mark),
            Forgetting::Stale => self.stale(mark, now),
            Forgetting::Expire(after) => {
                self.stale(mark, now);
                self.expire(mark, now.monotonic.saturating_add(after), now);
            }
        }
    }

    fn delete(&mut self, mark: Mark) {
        let place = self.deletions.partition_point(|known| *known < mark);
        if self.deletions.get(place) != Some(&mark) {
            self.deletions.insert(place, mark);
        }
        if self.deletions.len() > MAX_DELETIONS {
            self.dropped = self.deletions.remove(0);
        }
    }

    fn stale(&mut self, mark: Mark, now: Moment) {
        if self.staled.is_none_or(|(known, _)| known < mark) {
            self.staled = Some((mark, now.monotonic));
        }
    }

    fn expire(&mut self, mark: Mark, at: Duration, now: Moment) {
        self.expiring.push((mark, at));
        self.expiring.sort_unstable();
        // One that is older and not earlier adds nothing to another.
        let mut kept: Vec<(Mark, Duration)> = Vec::with_capacity(self.expiring.len());
        for (mark, at) in self.expiring.drain(..) {
            while kept.last().is_some_and(|(_, earlier)| *earlier >= at) {
                kept.pop();
            }
            kept.push((mark, at));
        }
        self.expiring = kept;
        while self.expiring.first().is_some_and(|(_, at)| *at <= now.monotonic) {
            let (mark, _) = self.expiring.remove(0);
            self.delete(mark);
        }
        if self.expiring.len() > MAX_EXPIRIES {
            let (_, earliest) = self.expiring.remove(0);
            self.expiring[0].1 = earliest;
        }
    }

    /// What they make of what began at `began`.
    pub(crate) fn validity(&self, began: Mark, now: Moment) -> Validity {
        let expired = self.expiring.iter().any(|(mark, at)| *mark > began && *at <= now.monotonic);
        if self.deletions.last().is_some_and(|deleted| *deleted > began) || expired {
            return Validity::Gone;
        }
        match self.staled {
            Some((mark, since)) if mark > began => Validity::Stale(since),
            Some(_) | None => Validity::Valid,
        }
    }
}

impl Marks {
    /// Whether what began at `began` was gone already for somebody who came at `joined` and this moment. Where too many deletions
    /// lie between to tell, it was.
    pub(crate) fn gone_between(&self, began: Mark, (joined, at): (Mark, Moment)) -> bool {
        let deleted = self.deletions.iter().any(|mark| *mark > began && *mark <= joined);
        let expired =
            self.expiring.iter().any(|(mark, after)| *mark > began && *mark <= joined && *after <= at.monotonic);
        deleted || expired || self.dropped > began
    }
}

#[cfg(test)]
mod tests;
