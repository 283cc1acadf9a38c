//! What the handlers share: the clock, the sign to stop, and how often each of them ran.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use tokio::sync::watch;

/// The state behind every handler of the demo.
#[derive(Debug)]
pub(crate) struct Site {
    now: fn() -> SystemTime,
    shutdown: watch::Receiver<bool>,
    /// How often each handler ran.
    pub(crate) runs: Runs,
    /// How many editions of the news were published.
    pub(crate) editions: Counter,
}

impl Site {
    /// A site whose handlers have not run yet.
    pub(crate) fn new(now: fn() -> SystemTime, shutdown: watch::Receiver<bool>) -> Self {
        Self { now, shutdown, runs: Runs::default(), editions: Counter::default() }
    }

    /// The moment, as text in RFC 3339 with milliseconds.
    pub(crate) fn at(&self) -> String {
        let mut text = String::new();
        // The formatter refuses years outside 1970 to 9999, where `to_string` would panic; a broken clock is no
        // reason to lose the answer.
        match write!(text, "{}", humantime::format_rfc3339_millis((self.now)())) {
            Ok(()) => text,
            Err(_) => String::from("outside the calendar"),
        }
    }

    /// Completes when the service is asked to end.
    pub(crate) async fn stopped(&self) {
        stopped(self.shutdown.clone()).await;
    }
}

/// Completes when `shutdown` is true, or when nobody can turn it true any more.
pub(crate) async fn stopped(mut shutdown: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is the end as well.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// One counter for each handler that shows its run.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    pub(crate) hello: Counter,
    pub(crate) posts: Counter,
    pub(crate) items: Counter,
    pub(crate) search: Counter,
    pub(crate) news: Counter,
    pub(crate) slow: Counter,
    pub(crate) flaky: Counter,
}

/// Counts the runs of one handler.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// The number so far.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The number of this run; the first is 1.
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }
}
