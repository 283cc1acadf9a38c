//! The look-up: one question, one of five answers.

mod forgetting;
mod keeping;
mod knowing;
mod listing;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::Notify;

use self::knowing::Known;
use crate::fill::Fill;
use crate::flight::{Flights, Role, Waiter};
use crate::generations::Generations;
use crate::page::{Content, Page};
use crate::shared::Shared;
use crate::standing::Validity;
use crate::store::{Store, StoreFigures};
use crate::stored::StoredResponse;
use crate::variance::Selecting;
use crate::{
    CacheKey, DeclineReason, Demands, FailureKind, Moment, Policy, Regime, Sharing, StaleReason, Variance, Variant,
};
pub use forgetting::{LabelFigures, Unswept};
pub use keeping::PartTerms;
pub use listing::{Entries, Entry, Held, Holding, Hot, MAX_ENTRIES};

/// The cache: pages in memory and the fills in flight. `F` is how a fill fails, in the words of whoever fetches.
#[derive(Debug)]
pub struct Cache<F: Clone> {
    shared: Arc<Shared<F>>,
}

/// What a look-up asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The bytes of [`crate::KeyParts::write`].
    pub key: &'a [u8],
    /// The request's fields, which select a variant.
    pub request: &'a HeaderMap,
    /// By whose word it is answered.
    pub policy: &'a Policy,
    /// What the request asks of caches, where that is heeded.
    pub demands: &'a Demands,
}

impl<'a> Asked<'a> {
    fn selecting(&self) -> Selecting<'a> {
        match self.policy {
            Policy::Window(_, variance) => Selecting::by(variance, self.request),
            Policy::Origin(_) => Selecting::any(self.request),
        }
    }

    /// Why nobody waits for what is being fetched in the place of `old`: it will not be shared. Where `old` may help out if the
    /// handler fails, one waits for that.
    fn reason_not_to_wait(&self, old: (&StoredResponse, Validity), now: Moment) -> Option<DeclineReason> {
        match old.0.kept().sharing {
            Sharing::Everyone => None,
            Sharing::Asker(reason) => {
                let helps_out = self.policy.despite(FailureKind::Answered, old, self.demands, now).is_some();
                (!helps_out).then_some(reason)
            }
        }
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// Nothing is stored for the key.
    Uri,
    /// Other variants are stored, this one is not.
    Vary,
    /// What is stored may not be served any more.
    Stale,
    /// What is stored is fresh, and the request wants it fresher.
    Request,
    /// A part is stored, and more is wanted.
    Partial,
    /// What is stored was invalidated.
    Invalidated,
}

/// What may answer a request without asking the handler.
#[derive(Debug)]
pub struct Glance {
    /// The response.
    pub response: Arc<StoredResponse>,
    /// By how much it is stale, and why it may be served so; none for a fresh one, with its time to live.
    pub staleness: Result<Option<Duration>, (Duration, StaleReason)>,
    /// Whether it is to be refreshed, if nobody does it already: see [`Cache::refresh`].
    pub refresh_due: bool,
}

/// What became of the wish to refresh what is served stale. `P` is what a refresh needs beside.
#[derive(Debug)]
pub enum Refresh<F: Clone, P> {
    /// Here is the permission, and what it needs.
    Permitted(Fill<F>, P),
    /// Somebody does it already, or it is not stale any more.
    UnderWay,
    /// What it needs cannot be had; the next who asks tries again.
    Unable,
}

impl<F: Clone> Cache<F> {
    /// An empty cache that keeps at most `capacity` bytes, and no body above `max_body` bytes.
    pub fn new(capacity: u64, max_body: u64) -> Cache<F> {
        let (store, flights, generations) = (Store::new(capacity), Flights::new(), Arc::new(Generations::new()));
        Cache {
            shared: Arc::new(Shared {
                store,
                flights,
                generations,
                invalidated: Notify::new(),
                unswept: AtomicUsize::new(0),
                max_body,
            }),
        }
    }

    /// Looks up what `asked` asks for.
    ///
    /// A hit takes no lock of ours where nothing was invalidated since, and compares two numbers; what was made stale takes one to
    /// read by.
    /// Whatever else is decided under the lock of the key, after a second look: a fill that landed in between is found there,
    /// so that no two fills of one key ever follow from one gap.
    pub fn lookup(&self, asked: &Asked<'_>, now: Moment) -> Lookup<F> {
        self.look(self.shared.store.get(asked.key), asked, now)
    }

    /// The same for a request that was looked up before: what is missing does not become more popular by it.
    pub fn lookup_again(&self, asked: &Asked<'_>, now: Moment) -> Lookup<F> {
        self.look(self.shared.store.peek(asked.key), asked, now)
    }

    fn look(&self, page: Option<Page>, asked: &Asked<'_>, now: Moment) -> Lookup<F> {
        let mut selecting = asked.selecting();
        match self.known(page, asked, &mut selecting, now) {
            Known::Fresh(response, ttl) => return Lookup::Hit { response, ttl },
            Known::Settled(response, staleness, reason) => {
                return Lookup::Stale { response, staleness, reason, refresh: None };
            }
            Known::Declined(reason, _) if asked.policy.regime() == Regime::Window => return Lookup::Pass(reason),
            Known::Declined(..) | Known::Stale(..) | Known::Missing(..) => {}
        }
        self.introduce(asked.key);
        let mut shard = self.shared.flights.lock(asked.key);
        let known = self.known(self.shared.store.peek(asked.key), asked, &mut selecting, now);
        let running = shard.find(asked.key, &mut selecting, now);
        let (stale, missing, old, variant) = match (known, running) {
            (Known::Fresh(response, ttl), _) => return Lookup::Hit { response, ttl },
            (Known::Settled(response, staleness, reason), _)
            | (Known::Stale(response, staleness, reason, _), Some(_)) => {
                return Lookup::Stale { response, staleness, reason, refresh: None };
            }
            (Known::Declined(reason, _), Some(_)) => return Lookup::Pass(reason),
            (Known::Missing(missing, old), Some(flight)) => {
                let valid = |old: &StoredResponse| self.shared.validity(old, now);
                return match old.and_then(|(old, _)| asked.reason_not_to_wait((&old, valid(&old)), now)) {
                    Some(reason) => Lookup::Pass(reason),
                    None => Lookup::Collapsed {
                        waiter: flight.join(Role::Other(self.shared.generations.now(), now)),
                        missing,
                    },
                };
            }
            (Known::Declined(reason, variant), None) => match asked.policy {
                Policy::Window(..) => return Lookup::Pass(reason),
                // Asking costs no more than passing, and the next answer may be one to keep.
                Policy::Origin(_) => (None, Missing::Uri, None, Some(variant)),
            },
            (Known::Stale(response, staleness, reason, variant), None) => {
                let old = Some(Arc::clone(&response));
                (Some((response, staleness, reason)), Missing::Stale, old, Some(variant))
            }
            (Known::Missing(missing, Some((old, variant))), None) => (None, missing, Some(old), Some(variant)),
            (Known::Missing(missing, None), None) => (None, missing, None, None),
        };
        let variant = variant.unwrap_or_else(|| self.expected(asked, shard.variance(asked.key)));
        let key = CacheKey::from(asked.key);
        let flight = shard.begin(key.clone(), variant.clone(), &self.shared.generations);
        drop(shard);
        let fill = Fill::new(Arc::clone(&self.shared), key, variant, flight, old, missing);
        match stale {
            Some((response, staleness, reason)) => Lookup::Stale { response, staleness, reason, refresh: Some(fill) },
            None => Lookup::Miss { fill, missing },
        }
    }

    /// What may answer without asking the handler; otherwise what is missing. Nothing is begun, and what is missing does not become
    /// more popular by this.
    ///
    /// # Errors
    ///
    /// Why the handler would have to be asked.
    pub fn glance(&self, asked: &Asked<'_>, now: Moment) -> Result<Glance, Missing> {
        self.at_hand(self.shared.store.peek(asked.key), asked, now)
    }

    /// The same as the first look of a request, which counts. [`Cache::lookup_again`] may follow.
    ///
    /// # Errors
    ///
    /// Why the handler would have to be asked.
    pub fn first_glance(&self, asked: &Asked<'_>, now: Moment) -> Result<Glance, Missing> {
        self.at_hand(self.shared.store.get(asked.key), asked, now)
    }

    fn at_hand(&self, page: Option<Page>, asked: &Asked<'_>, now: Moment) -> Result<Glance, Missing> {
        match self.known(page, asked, &mut asked.selecting(), now) {
            Known::Fresh(response, ttl) => Ok(Glance { response, staleness: Ok(ttl), refresh_due: false }),
            Known::Settled(response, staleness, reason) => {
                Ok(Glance { response, staleness: Err((staleness, reason)), refresh_due: false })
            }
            Known::Stale(response, staleness, reason, _) => {
                Ok(Glance { response, staleness: Err((staleness, reason)), refresh_due: true })
            }
            Known::Declined(..) => Err(Missing::Uri),
            Known::Missing(missing, _) => Err(missing),
        }
    }

    /// Permission to refresh what a glance has shown to be stale, for the first who asks, as [`Cache::lookup`] gives it. `needed` is
    /// asked only where nobody refreshes it yet: what it gives is needed for the refresh.
    pub fn refresh<P>(&self, asked: &Asked<'_>, now: Moment, needed: impl FnOnce() -> Option<P>) -> Refresh<F, P> {
        let mut selecting = asked.selecting();
        self.introduce(asked.key);
        let mut shard = self.shared.flights.lock(asked.key);
        // Asked first, because all but one of those who see it stale find somebody at it.
        if shard.find(asked.key, &mut selecting, now).is_some() {
            return Refresh::UnderWay;
        }
        let page = self.shared.store.peek(asked.key);
        let Known::Stale(response, _, _, variant) = self.known(page, asked, &mut selecting, now) else {
            return Refresh::UnderWay;
        };
        let Some(needed) = needed() else { return Refresh::Unable };
        let key = CacheKey::from(asked.key);
        let flight = shard.begin(key.clone(), variant.clone(), &self.shared.generations);
        drop(shard);
        let fill = Fill::new(Arc::clone(&self.shared), key, variant, flight, Some(response), Missing::Stale);
        Refresh::Permitted(fill, needed)
    }

    /// Whether somebody fetches what a glance has shown to be stale. That is much less than [`Cache::refresh`] does, for those who could
    /// not begin one anyway.
    pub fn is_refreshed(&self, asked: &Asked<'_>, now: Moment) -> bool {
        self.shared.flights.lock(asked.key).find(asked.key, &mut asked.selecting(), now).is_some()
    }

    /// Why a request on a route with a window goes past the cache now: the answer to its key was declined a moment ago.
    pub fn declined(&self, asked: &Asked<'_>, now: Moment) -> Option<DeclineReason> {
        let page = self.shared.store.peek(asked.key);
        match (asked.policy, self.known(page, asked, &mut asked.selecting(), now)) {
            (Policy::Window(..), Known::Declined(reason, _)) => Some(reason),
            (Policy::Window(..) | Policy::Origin(_), _) => None,
        }
    }

    /// What is stored, and by how much it is stale, if it may be served because the handler has just failed.
    pub fn despite(
        &self,
        failure: FailureKind,
        asked: &Asked<'_>,
        now: Moment,
    ) -> Option<(Arc<StoredResponse>, Duration)> {
        let page = self.shared.store.peek(asked.key)?;
        let slot = page.select(&mut asked.selecting(), now)?;
        match &slot.content {
            Content::Stored(response) => {
                let validity = self.shared.validity(response, now);
                let staleness = asked.policy.despite(failure, (response, validity), asked.demands, now)?;
                Some((Arc::clone(response), staleness))
            }
            Content::Part(_) | Content::Declined(..) | Content::Forgotten(_) => None,
        }
    }

    /// Whether what is stored for a request is not served unless its handler confirms it, by its own word (RFC 9111 sections
    /// 5.2.2.2, 5.2.2.4, 5.2.2.8 and 5.2.2.10).
    pub fn wants_confirmation(&self, asked: &Asked<'_>, now: Moment) -> bool {
        let Some(page) = self.shared.store.peek(asked.key) else { return false };
        match page.select(&mut asked.selecting(), now).map(|slot| &slot.content) {
            Some(Content::Stored(response)) => {
                let word = response.word();
                word.forbids_stale || word.ask_each_time
            }
            Some(Content::Part(_) | Content::Declined(..) | Content::Forgotten(_)) | None => false,
        }
    }

    /// Longest body that is kept, in bytes.
    pub fn max_body(&self) -> u64 {
        self.shared.max_body
    }

    /// Where a request for a part stands among the invalidations; see [`Cache::keep_part`].
    pub fn invalidations(&self) -> u64 {
        self.shared.generations.begun()
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

    /// The variant that a request without a response probably asks for: by the fields in which the others of its page differ.
    fn expected(&self, asked: &Asked<'_>, in_flight: Option<&Variance>) -> Variant {
        match asked.policy {
            Policy::Window(_, variance) => Variant::of(variance, asked.request),
            Policy::Origin(_) => {
                let page = self.shared.store.peek(asked.key);
                let variance = page.as_ref().and_then(Page::variance).or(in_flight);
                variance.map_or_else(Variant::default, |variance| Variant::of(variance, asked.request))
            }
        }
    }
}

#[cfg(test)]
mod tests;
