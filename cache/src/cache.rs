//! The look-up: one question, one of five answers.

use std::sync::Arc;
use std::time::Duration;

use crate::fill::Fill;
use crate::flight::{Flights, Waiter};
use crate::page::{Content, Page, Trouble};
use crate::shared::Shared;
use crate::store::{Store, StoreFigures, declined_now};
use crate::stored::StoredResponse;
use crate::{CacheKey, DeclineReason, Freshness, Moment, StaleReason, Variant, Windows};

/// The cache: pages in memory and the fills in flight. `F` is how a fill fails, in the words of whoever fetches.
#[derive(Debug)]
pub struct Cache<F: Clone> {
    shared: Arc<Shared<F>>,
}

/// The answer to a look-up.
#[derive(Debug)]
pub enum Lookup<F: Clone> {
    /// A fresh response; `ttl` is its time to live, none when it has no end.
    Hit {
        /// The response.
        response: Arc<StoredResponse>,
        /// Time to live.
        ttl: Option<Duration>,
    },
    /// A response past its freshness lifetime that may still be served.
    Stale {
        /// The response.
        response: Arc<StoredResponse>,
        /// How long it has been stale.
        staleness: Duration,
        /// Why it is served.
        reason: StaleReason,
        /// Permission to refresh it, for the first who asks; the others are just served.
        refresh: Option<Fill<F>>,
    },
    /// Somebody is fetching it already.
    Collapsed {
        /// Shares the result.
        waiter: Waiter<F>,
        /// What was missing.
        missing: Missing,
    },
    /// Nobody is: here is the permission.
    Miss {
        /// Permission to fetch and store.
        fill: Fill<F>,
        /// What was missing.
        missing: Missing,
    },
    /// The answer to this key was declined a moment ago: do not queue behind another.
    Pass(DeclineReason),
}

/// Why a response has to be fetched, in the terms of RFC 9211 section 2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing is stored for the key.
    Uri,
    /// Other variants are stored, this one is not.
    Vary,
    /// What is stored may not be served any more.
    Stale,
}

/// What the store knows of a key and variant.
enum Known {
    Fresh(Arc<StoredResponse>, Option<Duration>),
    Stale(Arc<StoredResponse>, Duration, Arc<Trouble>),
    Declined(DeclineReason),
    Missing(Missing, Option<Arc<StoredResponse>>),
}

impl<F: Clone> Cache<F> {
    /// An empty cache that keeps at most `capacity` bytes, and no body above `max_body` bytes.
    pub fn new(capacity: u64, max_body: u64) -> Cache<F> {
        Cache { shared: Arc::new(Shared { store: Store::new(capacity), flights: Flights::new(), max_body }) }
    }

    /// Looks up `key` (the bytes of [`crate::KeyParts::write`]) in the given variant, judged by the request's windows.
    ///
    /// A hit takes no lock. Whatever else is decided under the lock of the key, after a second look: a fill that landed in
    /// between is found there, so that no two fills of one key ever follow from one gap.
    pub fn lookup(&self, key: &[u8], variant: &Variant, windows: &Windows, now: Moment) -> Lookup<F> {
        match self.known(key, variant, windows, now) {
            Known::Fresh(response, ttl) => return Lookup::Hit { response, ttl },
            Known::Declined(reason) => return Lookup::Pass(reason),
            Known::Stale(response, staleness, trouble) if trouble.backing_off(now) => {
                return Lookup::Stale { response, staleness, reason: StaleReason::Error, refresh: None };
            }
            Known::Stale(..) | Known::Missing(..) => {}
        }
        let mut shard = self.shared.flights.lock(key);
        let (stale, missing, old) = match self.known(key, variant, windows, now) {
            Known::Fresh(response, ttl) => return Lookup::Hit { response, ttl },
            Known::Declined(reason) => return Lookup::Pass(reason),
            Known::Stale(response, staleness, trouble) => {
                let reason = if trouble.failures() > 0 { StaleReason::Error } else { StaleReason::Revalidating };
                if trouble.backing_off(now) {
                    return Lookup::Stale { response, staleness, reason, refresh: None };
                }
                (Some((Arc::clone(&response), staleness, reason)), Missing::Stale, Some(response))
            }
            Known::Missing(missing, old) => (None, missing, old),
        };
        let running = shard.find(key, variant);
        match (stale, running) {
            (Some((response, staleness, reason)), Some(_)) => {
                Lookup::Stale { response, staleness, reason, refresh: None }
            }
            (None, Some(flight)) => Lookup::Collapsed { waiter: flight.join(), missing },
            (stale, None) => {
                let key = CacheKey::from(key);
                let flight = shard.begin(key.clone(), variant.clone());
                drop(shard);
                let fill = Fill::new(Arc::clone(&self.shared), key, variant.clone(), flight, old);
                match stale {
                    Some((response, staleness, reason)) => {
                        Lookup::Stale { response, staleness, reason, refresh: Some(fill) }
                    }
                    None => Lookup::Miss { fill, missing },
                }
            }
        }
    }

    /// The cache in figures.
    pub fn figures(&self) -> StoreFigures {
        self.shared.store.settle();
        self.shared.store.figures()
    }

    /// Number of fills in flight.
    pub fn fills_in_flight(&self) -> usize {
        self.shared.flights.len()
    }

    fn known(&self, key: &[u8], variant: &Variant, windows: &Windows, now: Moment) -> Known {
        let Some(page) = self.shared.store.get(key) else { return Known::Missing(Missing::Uri, None) };
        known_in(&page, variant, windows, now)
    }
}

fn known_in(page: &Page, variant: &Variant, windows: &Windows, now: Moment) -> Known {
    let nothing = || {
        let missing = if page.holds_any() { Missing::Vary } else { Missing::Uri };
        Known::Missing(missing, None)
    };
    match page.find(variant) {
        None => nothing(),
        Some(Content::Declined(reason, until)) => match declined_now(*reason, *until, now) {
            Some(reason) => Known::Declined(reason),
            None => nothing(),
        },
        Some(Content::Stored(response, trouble)) => {
            let response = Arc::clone(response);
            match windows.freshness(&response, now) {
                Freshness::Fresh { ttl } => Known::Fresh(response, ttl),
                // After a failure the shorter of the two windows counts.
                Freshness::Stale { staleness } if trouble.failures() > 0 && staleness > windows.stale_if_error => {
                    Known::Missing(Missing::Stale, Some(response))
                }
                Freshness::Stale { staleness } => Known::Stale(response, staleness, Arc::clone(trouble)),
                Freshness::Expired => Known::Missing(Missing::Stale, Some(response)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
