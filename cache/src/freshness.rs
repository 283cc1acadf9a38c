//! Freshness: how long a stored response is good, and how long it may still be served afterwards.

use std::time::Duration;

use http::StatusCode;

use crate::standing::Validity;
use crate::stored::{Arrival, StoredResponse, explicit_lifetime};
use crate::{Moment, ResponseHead};

/// A route's window: how long a response counts as fresh after it was made (`revalidate`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Until it is invalidated (`revalidate: false`).
    Forever,
    /// For this long.
    For(Duration),
}

/// The windows of a route, from the configuration that the request sees. They are not part of what is stored, so a changed
/// window applies to what is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Freshness lifetime of a successful answer.
    pub revalidate: Window,
    /// Time since it was fetched from which a response is never served stale.
    pub expire: Duration,
    /// Stale-if-error: how long past its freshness lifetime a response is served while revalidation fails (RFC 5861
    /// section 4).
    pub stale_if_error: Duration,
    /// Longest freshness lifetime of 404, 410 and redirects.
    pub negative_ttl: Duration,
}

/// Why a response that is no longer fresh is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleReason {
    /// It is being revalidated behind the visitor's back (stale-while-revalidate, RFC 5861 section 3).
    Revalidating,
    /// The last revalidation failed, and the next may not begin yet (stale-if-error, RFC 5861 section 4).
    Error,
    /// The request asks for it (`max-stale`, RFC 9111 section 5.2.1.2).
    Asked,
    /// It was invalidated, and is served once more while it is revalidated.
    Invalidated,
}

impl StaleReason {
    /// Every reason, for metrics.
    pub const ALL: [StaleReason; 4] =
        [StaleReason::Revalidating, StaleReason::Error, StaleReason::Asked, StaleReason::Invalidated];

    /// The stable name used in headers, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            StaleReason::Revalidating => "revalidating",
            StaleReason::Error => "error",
            StaleReason::Asked => "asked",
            StaleReason::Invalidated => "invalidated",
        }
    }
}

/// What a stored response is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Within its freshness lifetime; `ttl` is what remains, none when it has no end.
    Fresh {
        /// Time to live.
        ttl: Option<Duration>,
    },
    /// Past it by `staleness`, but not yet expired.
    Stale {
        /// How long it has been stale.
        staleness: Duration,
    },
    /// Past every window in which it may be served.
    Expired,
}

impl Freshness {
    /// The same for what the invalidations have made of it. What is gone is asked for nowhere.
    pub(crate) fn after(self, validity: Validity, now: Moment) -> Freshness {
        let since = match validity {
            Validity::Valid => return self,
            Validity::Gone => return Freshness::Expired,
            Validity::Stale(since) => now.monotonic.saturating_sub(since),
        };
        match self {
            Freshness::Fresh { .. } => Freshness::Stale { staleness: since },
            Freshness::Stale { staleness } => Freshness::Stale { staleness: staleness.max(since) },
            Freshness::Expired => Freshness::Expired,
        }
    }
}

impl Windows {
    /// What `response` is at `now`.
    pub fn freshness(&self, response: &StoredResponse, now: Moment) -> Freshness {
        let resident = response.resident(now);
        match self.lifetime(response) {
            None => Freshness::Fresh { ttl: None },
            Some(lifetime) if resident < lifetime => Freshness::Fresh { ttl: Some(lifetime - resident) },
            // A page that was missing once may be there now: nobody is told otherwise from memory.
            Some(_) if resident >= self.expire || !response.status().is_success() => Freshness::Expired,
            Some(lifetime) => Freshness::Stale { staleness: resident - lifetime },
        }
    }

    /// What `response` is at `now`, of which the invalidations have made this. A page that was missing once is not served stale.
    pub(crate) fn freshness_after(&self, response: &StoredResponse, validity: Validity, now: Moment) -> Freshness {
        match self.freshness(response, now).after(validity, now) {
            Freshness::Stale { .. } if !response.status().is_success() => Freshness::Expired,
            freshness @ (Freshness::Fresh { .. } | Freshness::Stale { .. } | Freshness::Expired) => freshness,
        }
    }

    /// Whether an answer with this head, received at `received`, is good for any time at all. A 404 that is stale when it
    /// comes is not worth keeping.
    pub fn keeps(&self, head: &ResponseHead, received: Moment) -> bool {
        self.lifetime_of(head.status, explicit_lifetime(head, received)) != Some(Duration::ZERO)
    }

    fn lifetime(&self, response: &StoredResponse) -> Option<Duration> {
        if response.kept().arrival == Arrival::Stale && response.status().is_success() {
            return Some(Duration::ZERO);
        }
        self.lifetime_of(response.status(), response.explicit_lifetime())
    }

    /// The freshness lifetime of an answer: the window for a success; for 404, 410 and redirects the smallest of their own
    /// freshness, the window and `negative_ttl`. None is without end.
    fn lifetime_of(&self, status: StatusCode, own: Option<Duration>) -> Option<Duration> {
        let window = match self.revalidate {
            Window::Forever => None,
            Window::For(time) => Some(time),
        };
        if status.is_success() {
            return window;
        }
        [window, own].into_iter().flatten().chain([self.negative_ttl]).min()
    }
}

/// How long to wait after `failures` (at least one) failed revalidations in a row: 3 s doubling to 30 s, as Next.js does,
/// spread by `jitter` (0 to 1) so that many keys do not come back together. The result lies between 3 and 30 seconds.
pub fn backoff(failures: u32, jitter: f64) -> Duration {
    const FIRST: f64 = 3.0;
    const LONGEST: f64 = 30.0;
    const SPREAD: f64 = 0.5;
    let doubled = FIRST * 2f64.powi(i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX));
    // Bounded before it is spread, so that long outages are spread too.
    let spread = doubled.min(LONGEST / (1.0 + SPREAD)) * (1.0 + SPREAD * jitter.clamp(0.0, 1.0));
    Duration::from_secs_f64(spread)
}

#[cfg(test)]
mod tests;
