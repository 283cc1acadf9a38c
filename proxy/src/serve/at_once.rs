//! What is answered from what is stored without waiting for anybody, fresh or stale.

use std::sync::Arc;

use evergate_cache::{Glance, Refresh, StaleReason};
use tokio::sync::OwnedSemaphorePermit;

use super::{Served, Serving};
use crate::fetch::Errand;
use crate::outcome::{Outcome, ServedStale};
use crate::respond::Responder;

impl Serving<'_> {
    /// Answers with what is stored, and begins the refresh that is due; none where there is nothing, or where more is to be done.
    pub(super) async fn at_once<R: Responder>(&self, responder: &mut R) -> Option<Served> {
        let glance = self.gateway.cache.first_glance(&self.asked(), self.now);
        let Glance { response, staleness, refresh_due } = glance.ok()?;
        let outcome = match (staleness, self.wants_no_fetch()) {
            (Ok(ttl), false) if response.first_use() => Outcome::Prerendered { ttl },
            (Ok(ttl), _) => Outcome::Hit { ttl },
            (Err(_), true) => return None,
            (Err((staleness, reason)), false) => {
                let reason = if refresh_due { self.refreshed(reason) } else { ServedStale::Cache(reason) };
                Outcome::Stale { staleness, reason }
            }
        };
        response.count_hit();
        Some(self.stored(&response, outcome, self.now, responder).await)
    }

    /// Begins a refresh, unless somebody has, or too many run for this upstream; the next stale hit tries again. Why what is stale
    /// is served then, where the cache allows it for `reason`.
    fn refreshed(&self, reason: StaleReason) -> ServedStale {
        let route = self.selected.route;
        // In a storm this is what nearly every hit finds, so it costs as little as can be.
        if route.upstream.refreshes.available_permits() == 0 {
            if self.gateway.cache.is_refreshed(&self.asked(), self.now) {
                return ServedStale::Cache(reason);
            }
            self.gateway.metrics.revalidation_skipped(&route.meters);
            return ServedStale::Busy;
        }
        match self.gateway.cache.refresh(&self.asked(), self.now, || self.refresh_permit()) {
            Refresh::Permitted(fill, permit) => {
                self.fetch(fill, Errand::Refresh(permit));
                ServedStale::Cache(reason)
            }
            Refresh::UnderWay => ServedStale::Cache(reason),
            Refresh::Unable => ServedStale::Busy,
        }
    }

    /// Permission to refresh, unless too many refreshes run for this upstream.
    pub(super) fn refresh_permit(&self) -> Option<OwnedSemaphorePermit> {
        let route = self.selected.route;
        let permit = Arc::clone(&route.upstream.refreshes).try_acquire_owned().ok();
        if permit.is_none() {
            self.gateway.metrics.revalidation_skipped(&route.meters);
        }
        permit
    }
}
