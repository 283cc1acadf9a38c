//! The one place in the harness and its tests that asks the system for the time.

use std::time::Instant;

/// The present moment on the monotonic clock.
///
/// Tests use it to measure how far apart things arrived; it is not comparable with the `Date` of an answer.
#[must_use]
pub fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "this is the clock file of the harness")]
    Instant::now()
}
