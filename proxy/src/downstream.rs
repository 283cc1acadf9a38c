//! Caches in front of the gateway, such as a CDN, hear of what was invalidated: each entry of `downstream_purge` is a call that
//! somebody wrote down as a template.
//!
//! An invalidation never waits for it. What it names joins the queue of each entry that is about its kind ([`Downstream::tell`]);
//! behind each queue one task calls, in order, and calls again when that may help. What is queued and not begun is told once
//! however often it is invalidated, and what cannot be told is counted and logged with its names.
//!
//! This module knows nothing of the cache: it is told what was invalidated.

mod caller;
mod escape;
mod item;
mod message;
mod queue;
mod template;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use evergate_cache::{Forgetting, Selection};
use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::warn;

use crate::metrics::{Metrics, Purges};
use caller::Caller;
use queue::Queue;

pub use item::{Item, Kind, Mode};
pub use message::{Form, Message, Site, Unwritable, Written};
pub use template::{Placeholder, Stands, Template, UnknownPlaceholder};

/// A call that is made after invalidations: an entry of `downstream_purge`.
#[derive(Clone, Debug, PartialEq)]
pub struct DownstreamPurge {
    /// The name in metrics and in the log. Entries that share one are counted together. Default: the host of the URL.
    pub name: String,
    /// What is sent.
    pub message: Message,
    /// The kinds of what it is called for. Default: those that its placeholders stand for.
    pub kinds: Vec<Kind>,
    /// How many things one call may be about: 1 where a placeholder stands for one thing. Default: 30.
    pub batch: NonZeroUsize,
    /// How long one attempt may take. Default: 5 s.
    pub timeout: Duration,
    /// How often a call is made again, 0 to 20. Default: 5.
    pub retries: u32,
    /// How long to wait before the first repetition; before each further one twice as long. Default: 1 s.
    pub backoff: Duration,
}

/// Tells caches in front what was invalidated.
#[derive(Debug, Default)]
pub struct Downstream {
    entries: Vec<Arc<Entry>>,
    tasks: Mutex<JoinSet<()>>,
}

/// An entry of the configuration at work.
#[derive(Debug)]
struct Entry {
    settings: DownstreamPurge,
    queue: Queue,
    counters: Purges,
}

impl Downstream {
    /// Queues for these entries. Nobody calls before [`Downstream::start`].
    pub fn new(entries: &[DownstreamPurge], metrics: &Metrics) -> Downstream {
        let entry = |settings: &DownstreamPurge| {
            let counters = metrics.purges(&settings.name);
            Arc::new(Entry { settings: settings.clone(), queue: Queue::default(), counters })
        };
        Downstream { entries: entries.iter().map(entry).collect(), tasks: Mutex::default() }
    }

    /// Begins to call: one task for each entry.
    ///
    /// # Errors
    ///
    /// The client's, when the system has no randomness or certificates that can be read.
    pub fn start(&self) -> Result<(), reqwest::Error> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let client = Client::builder()
            .user_agent(concat!("evergate/", env!("CARGO_PKG_VERSION")))
            // Where a purge is to go is written down; an answer that leads elsewhere is a mistake there.
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in &self.entries {
            tasks.spawn(Caller { entry: Arc::clone(entry), client: client.clone() }.run());
        }
        drop(tasks);
        let unheard = |kind: &&Kind| !self.entries.iter().any(|entry| entry.settings.kinds.contains(kind));
        let unheard: Vec<&str> = Kind::ALL.iter().filter(unheard).map(|kind| kind.as_str()).collect();
        if !unheard.is_empty() {
            warn!(
                kinds = unheard.join(", "),
                "no entry of downstream_purge is called for invalidations of these kinds"
            );
        }
        Ok(())
    }

    /// What was invalidated, and how. Returns at once: what there is no room for is counted and logged.
    pub fn tell(&self, selections: &[Selection], mode: Forgetting) {
        if self.entries.is_empty() {
            return;
        }
        let items: Vec<Item> = selections.iter().map(|selection| Item::from(&selection.what)).collect();
        for entry in &self.entries {
            entry.add(&items, mode.into());
        }
    }

    /// Nothing more is told. What is queued gets this long; what remains then is counted and logged.
    pub async fn finish(&self, grace: Duration) {
        self.entries.iter().for_each(|entry| entry.queue.close());
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while tasks.join_next().await.is_some() {} };
        if timeout(grace, all).await.is_err() {
            tasks.shutdown().await;
        }
        for entry in &self.entries {
            let left = entry.queue.clear();
            entry.counters.left_queue(left.len());
            if !left.is_empty() {
                entry.dead(&left, "the gateway ended before it was told");
            }
        }
    }
}

impl Entry {
    fn add(&self, items: &[Item], mode: Mode) {
        let settings = &self.settings;
        let constant = settings.message.is_constant();
        let wanted = items.iter().filter(|item| settings.kinds.contains(&item.kind()));
        // Calls that would be the same are one.
        let wanted = wanted.map(|item| if constant { Item::Everything } else { item.clone() });
        let mode = if settings.message.tells_mode() { mode } else { Mode::Delete };
        // Counted first, because whoever calls may be faster.
        self.counters.joined_queue(items.len());
        let added = self.queue.add(wanted, mode);
        self.counters.left_queue(items.len() - added.new);
        if !added.lost.is_empty() {
            self.dead(&added.lost, "too much waits to be told already, or the gateway is ending");
        }
    }
}

/// Names of what was not told, as many as a line of the log can hold.
struct Lost<'a>(&'a [Item]);

/// Most names in a line of the log.
const MOST_NAMED: usize = 20;

impl fmt::Display for Lost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, item) in self.0.iter().take(MOST_NAMED).enumerate() {
            let between = if place == 0 { "" } else { ", " };
            write!(f, "{between}{item}")?;
        }
        match self.0.len().saturating_sub(MOST_NAMED) {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests;
