//! What a request asks of a cache: its `Cache-Control` and `Pragma` (RFC 9111 sections 5.2.1 and 5.4).

use std::time::Duration;

use http::HeaderMap;
use http::header::{CACHE_CONTROL, PRAGMA};

use crate::directives::{delta_seconds, name_and_argument, seconds};
use crate::list::elements;

/// The directives of a request that decide whether what is stored may answer it. None of them is there by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// `no-store`: keep no part of this request or its answer (section 5.2.1.5).
    pub no_store: bool,
    /// `no-cache`: ask the handler first (section 5.2.1.4).
    pub no_cache: bool,
    /// `only-if-cached`: do not ask the handler at all (section 5.2.1.7).
    pub only_if_cached: bool,
    /// `no-transform`: the content as its handler made it (section 5.2.1.6).
    pub no_transform: bool,
    /// `max-age`: nothing that is older (section 5.2.1.1).
    pub max_age: Option<Duration>,
    /// `min-fresh`: nothing that is stale by then (section 5.2.1.3).
    pub min_fresh: Option<Duration>,
    /// `max-stale`: stale by so much at most; [`Duration::MAX`] when it has no argument (section 5.2.1.2).
    pub max_stale: Option<Duration>,
    /// `stale-if-error`: stale by so much when the handler fails (RFC 5861 section 4).
    pub stale_if_error: Option<Duration>,
}

impl Demands {
    /// Reads a request. `Pragma: no-cache` counts where there is no `Cache-Control`, as HTTP/1.0 visitors mean it (RFC 7234
    /// section 5.4; RFC 9111 leaves it to the cache).
    pub fn of(request: &HeaderMap) -> Demands {
        let mut demands = Demands::default();
        for line in request.get_all(CACHE_CONTROL) {
            for directive in elements(line.as_bytes()) {
                demands.heed(directive);
            }
        }
        if !request.contains_key(CACHE_CONTROL) {
            let mut lines = request.get_all(PRAGMA).iter();
            demands.no_cache = lines.any(|line| {
                elements(line.as_bytes()).any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-cache"))
            });
        }
        demands
    }

    fn heed(&mut self, directive: &[u8]) {
        let (name, argument) = name_and_argument(directive);
        let is = |directive: &str| name.eq_ignore_ascii_case(directive.as_bytes());
        if is("no-store") {
            self.no_store = true;
        } else if is("no-cache") {
            self.no_cache = true;
        } else if is("no-transform") {
            self.no_transform = true;
        } else if is("only-if-cached") {
            self.only_if_cached = true;
        } else if is("max-age") {
            // Of several the strictest counts, and one that cannot be read is the strictest there is.
            let age = delta_seconds(argument);
            self.max_age = Some(self.max_age.map_or(age, |known| known.min(age)));
        } else if is("min-fresh") {
            let time = argument.and_then(seconds).unwrap_or(Duration::MAX);
            self.min_fresh = Some(self.min_fresh.map_or(time, |known| known.max(time)));
        } else if is("max-stale") {
            let time = argument.map_or(Duration::MAX, |argument| delta_seconds(Some(argument)));
            self.max_stale = Some(self.max_stale.map_or(time, |known| known.min(time)));
        } else if is("stale-if-error") {
            let time = delta_seconds(argument);
            self.stale_if_error = Some(self.stale_if_error.map_or(time, |known| known.min(time)));
        }
    }

    /// Whether a fresh response of this age and time to live may answer the request. No `ttl` is without end.
    pub fn accept_fresh(&self, age: Duration, ttl: Option<Duration>) -> bool {
        !self.no_cache
            && self.max_age.is_none_or(|most| age <= most)
            && self.min_fresh.is_none_or(|least| ttl.is_none_or(|ttl| ttl >= least))
    }

    /// Whether one that may be served although it is stale by `staleness` may answer it. Whoever limits the age wants nothing
    /// stale, unless they say how stale (section 5.2.1.1).
    pub fn accept_stale(&self, age: Duration, staleness: Duration) -> bool {
        if self.no_cache || self.min_fresh.is_some() {
            return false;
        }
        match (self.max_age, self.max_stale) {
            (None, None) => true,
            (None, Some(most)) => staleness <= most,
            (Some(_), None) => false,
            (Some(oldest), Some(most)) => age <= oldest.saturating_add(most) && staleness <= most,
        }
    }

    /// Whether the request itself allows an answer that is stale by `staleness` (section 5.2.1.2).
    pub fn ask_for_stale(&self, age: Duration, staleness: Duration) -> bool {
        self.max_stale.is_some() && self.accept_stale(age, staleness)
    }
}

#[cfg(test)]
mod tests;
