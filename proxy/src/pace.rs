//! A pace: so many a second, whoever waits for a turn.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Gives turns at most so often.
#[derive(Debug)]
pub struct Pace {
    step: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// A turn in each `step`, the first at once.
    pub fn new(step: Duration) -> Pace {
        Pace { step, next: Mutex::new(None) }
    }

    /// Waits for a turn. Time in which nobody asked is not made up for.
    pub async fn turn(&self) {
        let now = Instant::now();
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.step);
            turn
        };
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests;
