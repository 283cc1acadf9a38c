//! What waits to be told downstream: in order, each thing once, and bounded.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::item::{Item, Mode};

/// Most things that wait for one entry of the configuration.
pub(super) const MOST_WAITING: usize = 10_000;

/// Most bytes of tags and paths that wait for one entry.
pub(super) const MOST_WAITING_BYTES: usize = 8 << 20;

/// What waits for one entry of the configuration. One task takes from it.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    order: VecDeque<Item>,
    /// How each of them is to be forgotten.
    modes: HashMap<Item, Mode>,
    bytes: usize,
    closed: bool,
}

/// What came of adding.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Added {
    /// How many wait now that did not before.
    pub(super) new: usize,
    /// Those that there was no room for.
    pub(super) lost: Vec<Item>,
}

impl Queue {
    /// Adds what does not wait already; what does is forgotten in the stronger of both ways. Never waits.
    pub(super) fn add(&self, items: impl Iterator<Item = Item>, mode: Mode) -> Added {
        let mut added = Added::default();
        let mut waiting = self.lock();
        for item in items {
            if let Some(known) = waiting.modes.get_mut(&item) {
                *known = mode.max(*known);
            } else if waiting.has_room(&item) {
                waiting.bytes += item.size();
                waiting.order.push_back(item.clone());
                waiting.modes.insert(item, mode);
                added.new += 1;
            } else {
                added.lost.push(item);
            }
        }
        drop(waiting);
        self.changed.notify_one();
        added
    }

    /// The next ones, at most so many, which are all forgotten in the same way; none when the queue is closed and empty.
    pub(super) async fn next(&self, most: NonZeroUsize) -> Option<(Vec<Item>, Mode)> {
        loop {
            {
                let mut waiting = self.lock();
                if let Some(next) = waiting.take(most.get()) {
                    return Some(next);
                }
                if waiting.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// From now on nothing is added.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Everything that still waits.
    pub(super) fn clear(&self) -> Vec<Item> {
        let mut waiting = self.lock();
        waiting.modes.clear();
        waiting.bytes = 0;
        waiting.order.drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn has_room(&self, item: &Item) -> bool {
        !self.closed && self.order.len() < MOST_WAITING && self.bytes + item.size() <= MOST_WAITING_BYTES
    }

    fn take(&mut self, most: usize) -> Option<(Vec<Item>, Mode)> {
        let mode = *self.modes.get(self.order.front()?)?;
        let mut items = Vec::new();
        while let Some(item) = self.order.front().filter(|item| self.modes.get(item) == Some(&mode)) {
            self.modes.remove(item);
            self.bytes -= item.size();
            items.extend(self.order.pop_front());
            if items.len() == most {
                break;
            }
        }
        Some((items, mode))
    }
}
