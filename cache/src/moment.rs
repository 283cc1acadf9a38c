//! A reading of both clocks, taken once per decision and handed in.

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
