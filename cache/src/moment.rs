//! A reading of both clocks, taken once per decision and handed in.

use std::num::NonZeroU64;
use std::time::{Duration, SystemTime};

/// One reading of the clock: wall time for dates in headers, a monotonic reading for ages and windows.
///
/// Freshness runs on the monotonic reading, so that a corrected system clock neither expires nor resurrects anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Wall time, for `Date` and `Expires`.
    pub wall: SystemTime,
    /// Time since an arbitrary fixed point of this process; never goes back.
    pub monotonic: Duration,
}

impl Moment {
    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Moment) -> Duration {
        self.monotonic.saturating_sub(earlier.monotonic)
    }
}

/// A length of time as it is kept beside each response, in half the room: whole nanoseconds, 584 years at most. One more than
/// they are, so that the absence of one takes no room at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(NonZeroU64);

impl From<Duration> for Span {
    fn from(length: Duration) -> Span {
        let nanoseconds = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        Span(NonZeroU64::MIN.saturating_add(nanoseconds))
    }
}

impl Span {
    pub(crate) fn get(self) -> Duration {
        Duration::from_nanos(self.0.get() - 1)
    }
}

#[cfg(test)]
mod tests;
