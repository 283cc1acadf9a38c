//! The only file that asks the system what time it is.

use std::time::{Duration, Instant, SystemTime};

use evergate_cache::Moment;

/// Reads both clocks together.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose monotonic readings begin now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock file")]
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// A reading of both clocks.
    pub fn now(&self) -> Moment {
        Moment { wall: wall(), monotonic: self.start.elapsed() }
    }

    /// How long ago `earlier` was: one reading of one clock.
    pub fn since(&self, earlier: Moment) -> Duration {
        self.start.elapsed().saturating_sub(earlier.monotonic)
    }
}

/// Wall time.
#[expect(clippy::disallowed_methods, reason = "this is the clock file")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}
