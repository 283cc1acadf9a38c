//! What serving would begin with, told without doing it.

use std::sync::Arc;

use evergate_cache::{Glance, Missing, Moment, StaleReason};
use http::Method;

use super::key_bytes::KeyBytes;
use super::{Look, Serving};
use crate::admission::Selected;
use crate::gateway::Gateway;
use crate::outcome::{Answered, Fetched, Outcome, PassReason, ServedStale};
use crate::request::Request;
use crate::snapshot::Snapshot;
use crate::target::Target;

/// What serving would begin with.
#[derive(Debug)]
pub struct Forecast {
    /// What would happen, as far as it is known before a handler is asked.
    pub outcome: Outcome,
    /// What is stored for the request.
    pub stored: Option<Glance>,
}

/// What would become of a request that the cache may answer. Nothing is begun, and nothing counts as used.
pub fn forecast<'a>(
    gateway: &'a Arc<Gateway>,
    snapshot: &'a Arc<Snapshot>,
    (request, target): (&'a Request, &'a Target<'a>),
    selected: Selected<'a>,
    now: Moment,
) -> Forecast {
    let key = KeyBytes::of(&selected.key(request.scheme, snapshot));
    let serving = Serving { gateway, request, target, snapshot, selected, key, now, look: Look::Again };
    match gateway.cache.glance(&serving.asked(), now) {
        Ok(glance) => Forecast { outcome: serving.with(&glance), stored: Some(glance) },
        Err(missing) => Forecast { outcome: serving.without(missing, now), stored: None },
    }
}

impl Serving<'_> {
    /// What would happen with what is stored.
    fn with(&self, Glance { response, staleness, .. }: &Glance) -> Outcome {
        match *staleness {
            Ok(ttl) if response.is_unused() && !self.wants_no_fetch() => Outcome::Prerendered { ttl },
            Ok(ttl) => Outcome::Hit { ttl },
            Err((staleness, reason)) => {
                let refreshed = match reason {
                    StaleReason::Revalidating | StaleReason::Invalidated => true,
                    StaleReason::Error | StaleReason::Asked => false,
                };
                let asked = self.wants_no_fetch() && (self.selected.demands.only_if_cached || !refreshed);
                let reason = ServedStale::Cache(if asked { StaleReason::Asked } else { reason });
                Outcome::Stale { staleness, reason }
            }
        }
    }

    /// What would happen where that is missing.
    fn without(&self, missing: Missing, now: Moment) -> Outcome {
        let pass = |reason| Outcome::Pass { reason, fetched: Fetched::Pending };
        if self.selected.demands.only_if_cached {
            return Outcome::Answered(Answered::NotCached);
        }
        if self.wants_no_fetch() {
            return match self.part_in_store(now) {
                _ if self.request.method == Method::HEAD => pass(PassReason::Head(missing)),
                Some((_, _, outcome)) => outcome,
                None => pass(PassReason::Range(missing)),
            };
        }
        match self.gateway.cache.declined(&self.asked(), now) {
            Some(reason) => pass(PassReason::Declined(reason)),
            None => Outcome::Miss { missing, collapsed: false, fetched: Fetched::Pending },
        }
    }
}
