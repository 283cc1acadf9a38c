//! What the origin saw: every request, from its head to the end of its reply.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::clock;
use crate::wire;

/// A request as the origin saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The target byte for byte, with its query.
    pub target: String,
    /// The fields, in the order and with the letters in which they came.
    pub headers: Vec<(String, String)>,
    /// The body without its framing: as much as has come.
    pub body: Vec<u8>,
    /// Whether the whole body has come.
    pub whole: bool,
    /// When the head had come.
    pub at: Instant,
    /// Which connection it came over, counted from 0.
    pub connection: usize,
    /// The head byte for byte, with its empty line.
    pub raw_head: Vec<u8>,
    /// How and when the exchange ended; nothing while it lasts.
    pub ended: Option<(Ending, Instant)>,
}

/// How an exchange ended, as the origin saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The whole reply was written.
    Sent,
    /// The peer went away before the whole reply was written, or before its own request was whole.
    PeerLeft,
    /// The origin hung up, as the reply told it to or because it was killed.
    HungUp,
}

impl Seen {
    /// The target without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        let end = self.target.find('?').unwrap_or(self.target.len());
        &self.target[..end]
    }

    /// The query of the target, without the question mark; empty when there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The first value of the field called `name`, in whatever letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// All values of the fields called `name`, a line each, in order.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        wire::values(&self.headers, name)
    }
}

/// All requests of one origin. Clones are the same journal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    pages: Arc<Mutex<Pages>>,
}

#[derive(Debug, Default)]
struct Pages {
    seen: Vec<Seen>,
    malformed: Vec<String>,
}

impl Journal {
    /// Writes down a request whose head has come.
    pub(crate) fn begin(&self, seen: Seen) -> Entry {
        let mut pages = self.pages();
        pages.seen.push(seen);
        Entry { journal: self.clone(), index: pages.seen.len() - 1 }
    }

    /// Writes down bytes that are not a request, and what is wrong with them.
    pub(crate) fn malformed(&self, problem: String) {
        self.pages().malformed.push(problem);
    }

    /// What was wrong with bytes that were not a request.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.pages().malformed.clone()
    }

    /// The requests that fit `pattern`, in the order in which their heads came.
    pub(crate) fn seen(&self, pattern: &str) -> Vec<Seen> {
        let pages = self.pages();
        let fitting = pages.seen.iter().filter(|seen| fits(pattern, seen.path()));
        fitting.cloned().collect()
    }

    /// How many requests fit `pattern`.
    pub(crate) fn count(&self, pattern: &str) -> usize {
        let pages = self.pages();
        let fitting = pages.seen.iter().filter(|seen| fits(pattern, seen.path()));
        fitting.count()
    }

    /// The largest number of requests fitting `pattern` that were under way at one moment.
    pub(crate) fn concurrent_peak(&self, pattern: &str) -> usize {
        let mut changes = Vec::new();
        for seen in &self.pages().seen {
            if fits(pattern, seen.path()) {
                changes.push((seen.at, 1));
                if let Some((_, end)) = seen.ended {
                    changes.push((end, -1));
                }
            }
        }
        // An end sorts before a beginning at the same moment: those two did not overlap.
        changes.sort_unstable();
        let mut now = 0_i64;
        let running = changes.iter().map(|(_, change)| {
            now += change;
            now
        });
        usize::try_from(running.max().unwrap_or(0)).unwrap_or(0)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // A panic in a test must not hide what the journal knows.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of a request that is under way; dropping it ends the exchange.
#[derive(Debug)]
pub(crate) struct Entry {
    journal: Journal,
    index: usize,
}

impl Entry {
    /// Adds a piece to the body.
    pub(crate) fn add(&self, piece: &[u8]) {
        self.change(|seen| seen.body.extend_from_slice(piece));
    }

    /// Notes that the whole body has come, and gives the request to the handler.
    pub(crate) fn complete(&self) -> Seen {
        self.change(|seen| {
            seen.whole = true;
            seen.clone()
        })
    }

    /// Notes how the exchange ended.
    pub(crate) fn end(self, ending: Ending) {
        self.change(|seen| seen.ended = Some((ending, clock::now())));
    }

    fn change<Output>(&self, change: impl FnOnce(&mut Seen) -> Output) -> Output {
        change(&mut self.journal.pages().seen[self.index])
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // An exchange whose task was stopped had no time to say how it ended.
        self.change(|seen| {
            seen.ended.get_or_insert_with(|| (Ending::HungUp, clock::now()));
        });
    }
}

/// Whether `pattern`, a path or a beginning followed by `/*`, fits `path`.
pub(crate) fn fits(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix("/*") {
        Some(beginning) => path.strip_prefix(beginning).is_some_and(|rest| rest.starts_with('/')),
        None => pattern == path,
    }
}

#[cfg(test)]
mod tests;
