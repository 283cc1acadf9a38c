//! What the store knows of a request, and what may be done with it.

use std::sync::Arc;
use std::time::Duration;

use super::{Asked, Cache, Missing};
use crate::page::{Content, Page};
use crate::standing::Validity;
use crate::stored::StoredResponse;
use crate::variance::Selecting;
use crate::{Arrival, DeclineReason, Moment, Policy, SOON, StaleReason, Use, Variant};

/// What the store knows of a key and what a request selects of it.
pub(super) enum Known {
    Fresh(Arc<StoredResponse>, Option<Duration>),
    /// Served stale, and nobody is asked.
    Settled(Arc<StoredResponse>, Duration, StaleReason),
    /// Served stale, and revalidated.
    Stale(Arc<StoredResponse>, Duration, StaleReason, Variant),
    Declined(DeclineReason, Variant),
    Missing(Missing, Option<(Arc<StoredResponse>, Variant)>),
}

impl<F: Clone> Cache<F> {
    /// What a request gets of the page of its key.
    pub(super) fn known(
        &self,
        page: Option<Page>,
        asked: &Asked<'_>,
        selecting: &mut Selecting<'_>,
        now: Moment,
    ) -> Known {
        let Some(page) = page else { return Known::Missing(Missing::Uri, None) };
        let Some(slot) = page.select(selecting, now) else {
            if let Some(known) = self.in_the_language(asked, &page, selecting, now) {
                return known;
            }
            let missing = if page.holds_any() { Missing::Vary } else { Missing::Uri };
            return Known::Missing(missing, None);
        };
        match &slot.content {
            Content::Declined(reason, _) => Known::Declined(*reason, slot.variant.clone()),
            Content::Part(_) => Known::Missing(Missing::Partial, None),
            Content::Forgotten(_) => Known::Missing(Missing::Invalidated, None),
            Content::Stored(response) => match self.shared.validity(response, now) {
                // Not even good to ask with: what was forgotten helps nobody out.
                Validity::Gone => Known::Missing(Missing::Invalidated, None),
                validity @ (Validity::Valid | Validity::Stale(_)) => {
                    usable(asked, (response, validity), &slot.variant, now)
                }
            },
        }
    }

    /// What is fresh and in the language that the request wants most, though it was made for another.
    fn in_the_language(
        &self,
        asked: &Asked<'_>,
        page: &Page,
        selecting: &mut Selecting<'_>,
        now: Moment,
    ) -> Option<Known> {
        let slot = match asked.policy {
            Policy::Window(..) => return None,
            Policy::Origin(_) => page.select_by_language(selecting)?,
        };
        let Content::Stored(response) = &slot.content else { return None };
        let validity = self.shared.validity(response, now);
        match asked.policy.allowed(response, validity, asked.demands, now) {
            Use::Fresh(ttl) => Some(Known::Fresh(Arc::clone(response), ttl)),
            Use::Unwanted | Use::WhileRevalidating(_) | Use::AsAsked(_) | Use::Never => None,
        }
    }
}

/// What may be done with a stored response.
fn usable(
    asked: &Asked<'_>,
    (response, validity): (&Arc<StoredResponse>, Validity),
    variant: &Variant,
    now: Moment,
) -> Known {
    let (response, trouble) = (Arc::clone(response), response.trouble());
    let in_trouble = trouble.failures() > 0;
    let missing = match validity {
        Validity::Valid => Missing::Stale,
        Validity::Stale(_) | Validity::Gone => Missing::Invalidated,
    };
    match asked.policy.allowed(&response, validity, asked.demands, now) {
        Use::Fresh(ttl) => Known::Fresh(response, ttl),
        Use::Unwanted => Known::Missing(Missing::Request, Some((response, variant.clone()))),
        Use::AsAsked(staleness) => Known::Settled(response, staleness, StaleReason::Asked),
        Use::WhileRevalidating(staleness) if in_trouble && !asked.policy.stale_in_trouble(staleness) => {
            Known::Missing(missing, Some((response, variant.clone())))
        }
        // Whoever made it is making a newer one, and says so again until that is done.
        Use::WhileRevalidating(staleness)
            if response.kept().arrival == Arrival::Stale && response.resident(now) < SOON =>
        {
            Known::Settled(response, staleness, StaleReason::Revalidating)
        }
        Use::WhileRevalidating(staleness) if trouble.backing_off(now) => {
            Known::Settled(response, staleness, StaleReason::Error)
        }
        Use::WhileRevalidating(staleness) => {
            let reason = match validity {
                _ if in_trouble => StaleReason::Error,
                Validity::Valid => StaleReason::Revalidating,
                Validity::Stale(_) | Validity::Gone => StaleReason::Invalidated,
            };
            Known::Stale(response, staleness, reason, variant.clone())
        }
        Use::Never => {
            let despite = || asked.policy.despite(trouble.kind(), (&response, validity), asked.demands, now);
            match trouble.backing_off(now).then(despite).flatten() {
                Some(staleness) => Known::Settled(response, staleness, StaleReason::Error),
                None => Known::Missing(missing, Some((response, variant.clone()))),
            }
        }
    }
}
