//! A request that passes: what the pass-through needs to know of it, and how long it may take.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::outcome::PassReason;
use crate::rules::Ruled;
use crate::snapshot::{Route, Snapshot};
use crate::upstream::{ANY_SERVER, Preference, Upstream};

/// A request that goes through without the cache.
#[derive(Clone, Debug)]
pub struct Passage {
    /// The configuration that the request sees.
    pub snapshot: Arc<Snapshot>,
    /// Who answers.
    pub upstream: Arc<Upstream>,
    /// The route, when one matches.
    pub route: Option<Arc<Route>>,
    /// The route's parameters as JSON, when one matches.
    pub params: Option<String>,
    /// Path in normal form, and the query as it came.
    pub target: String,
    /// Why it passes.
    pub reason: PassReason,
    /// Under which name its handler is asked.
    pub naming: Naming,
    /// How long the handler may take to begin its answer.
    pub first_step: Duration,
    /// How long it may take.
    pub leash: Arc<Leash>,
    /// The `Date` that the handler's answer came with, once it has come.
    pub date: Arc<Mutex<Option<HeaderValue>>>,
    /// Whether the answer broke off after its head was sent.
    pub cut: Arc<AtomicBool>,
    /// What the rules change of it and of its answer.
    pub ruled: Ruled,
}

/// Under which name a handler is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// The visitor's.
    Visitors,
    /// As a fetch is: the site, where it is in the key, and nothing of the visitor's.
    Keyed(Option<String>),
}

impl Passage {
    /// In which order its servers are asked.
    pub fn preference(&self) -> &Preference {
        self.route.as_ref().map_or(&ANY_SERVER, |route| &route.preference)
    }

    /// Remembers the `Date` of the handler's answer, or forgets it for an answer of the gateway's.
    pub fn remember_date(&self, date: Option<HeaderValue>) {
        *self.date.lock().unwrap_or_else(PoisonError::into_inner) = date;
    }
}

/// How long a request that passes may go on without news, and in all.
///
/// The framework knows one read timeout for head and body alike; ours differ. So the deadline lives here: hooks of the
/// pass-through move it, and whoever owns the visitor's connection ends the request when it is reached.
#[derive(Debug)]
pub struct Leash {
    start: Instant,
    /// Milliseconds after `start`; zero is never.
    deadline: AtomicU64,
    /// The last extension, in milliseconds.
    step: AtomicU64,
    /// Milliseconds after `start` of the last deadline that was reached; zero is none.
    reached: AtomicU64,
    /// Whether the answer has begun.
    begun: AtomicBool,
    /// Told whenever the deadline moves.
    moved: Notify,
    /// The end of it all, in milliseconds after `start`.
    end: u64,
}

impl Leash {
    /// A leash of at most `max_duration` in all, the first step within `first`.
    pub fn new(first: Duration, max_duration: Option<Duration>) -> Arc<Leash> {
        let end = max_duration.map_or(u64::MAX, milliseconds);
        let step = milliseconds(first);
        Arc::new(Leash {
            start: Instant::now(),
            deadline: AtomicU64::new(step.min(end)),
            step: AtomicU64::new(step),
            reached: AtomicU64::new(0),
            begun: AtomicBool::new(false),
            moved: Notify::new(),
            end,
        })
    }

    /// There was news; the next must come within `time`. A leash that was released stays so.
    pub fn extend(&self, time: Duration) {
        self.step.store(milliseconds(time), Ordering::Release);
        let deadline = milliseconds(self.start.elapsed() + time).min(self.end);
        let extended = |old| (old != 0).then_some(deadline);
        // It fails only where it was released.
        let _ = self.deadline.fetch_update(Ordering::AcqRel, Ordering::Acquire, extended);
        self.moved.notify_waiters();
    }

    /// The answer has begun; the next of it must come within `time`.
    pub fn begun(&self, time: Duration) {
        self.begun.store(true, Ordering::Release);
        self.extend(time);
    }

    /// The visitor has taken something: the time before that was not the handler's.
    pub fn renew(&self) {
        self.extend(Duration::from_millis(self.step.load(Ordering::Acquire)));
    }

    /// No more deadlines, for good: the connection has left HTTP.
    pub fn release(&self) {
        self.deadline.store(0, Ordering::Release);
        self.moved.notify_waiters();
    }

    /// Whether the connection has left HTTP.
    pub fn is_released(&self) -> bool {
        self.deadline.load(Ordering::Acquire) == 0
    }

    /// The current deadline.
    pub fn deadline(&self) -> Option<Instant> {
        match self.deadline.load(Ordering::Acquire) {
            0 => None,
            deadline => Some(self.start + Duration::from_millis(deadline)),
        }
    }

    /// Notes that the deadline was reached.
    pub fn mark_reached(&self) {
        self.reached.store(milliseconds(self.start.elapsed()).max(1), Ordering::Release);
    }

    /// Whether the deadline was reached, and if so whether it was that of the whole.
    pub fn reached(&self) -> Option<Reached> {
        match self.reached.load(Ordering::Acquire) {
            0 => None,
            at if at >= self.end => Some(Reached::MaxDuration),
            _ if self.begun.load(Ordering::Acquire) => Some(Reached::Idle),
            _ => Some(Reached::FirstByte),
        }
    }

    /// Waits for the deadline, however often it moves.
    pub async fn run_out(&self) {
        loop {
            // Listened to first, looked at second: a move in between is heard.
            let mut moved = std::pin::pin!(self.moved.notified());
            moved.as_mut().enable();
            let Some(deadline) = self.deadline() else {
                moved.await;
                continue;
            };
            tokio::select! {
                biased;
                () = moved => {}
                () = sleep_until(deadline) => {
                    if self.deadline() == Some(deadline) {
                        self.mark_reached();
                        return;
                    }
                }
            }
        }
    }
}

/// Which deadline was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The handler did not begin its answer in time.
    FirstByte,
    /// The handler began its answer and then fell silent.
    Idle,
    /// `max_duration` is over.
    MaxDuration,
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests;
