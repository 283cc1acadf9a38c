//! The handler's word as the policy of a route: what RFC 9111 lets a shared cache keep and serve, and RFC 5861 beside it.

use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName};

use crate::freshness::Freshness;
use crate::policy::is_failure;
use crate::standing::Validity;
use crate::targeted::Heeded;
use crate::word::{Word, is_understood};
use crate::{
    CACHE_GROUPS, CacheControl, Dating, DeclineReason, Demands, FailureKind, Groups, Moment, ResponseHead, Restriction,
    StoredResponse, Tagging, Terms, Use, Variance, Variant,
};

/// What the operator adds to the handler's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginRules {
    /// Time since it was fetched from which a response is never served stale, whatever its handler says.
    pub expire: Duration,
    /// Longest staleness of what is served because the handler failed.
    pub stale_if_error: Duration,
    /// What is thought of a response that does not say how long it is good.
    pub heuristic: Heuristic,
    /// Request fields that the gateway writes itself, differently for each visitor: what differs in them is for nobody else.
    pub written: &'static [HeaderName],
}

/// What is thought of a response that does not say how long it is good (RFC 9111 section 4.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Heuristic {
    /// Nothing: it is not kept.
    #[default]
    Never,
    /// It is good for a tenth of the time since it was last modified, at most a day.
    Tenth,
}

/// What becomes of an answer on a route that lives by its handler's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginVerdict {
    /// It is kept.
    Store(Storing),
    /// It is not kept: it is for whoever asked.
    Decline(DeclineReason),
    /// The handler failed; an old response is not replaced by this.
    Failure,
}

/// How an answer is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storing {
    /// The request fields that select it (RFC 9111 section 4.1).
    pub variance: Variance,
    /// Response fields that are for whoever asked and are not kept (sections 5.2.2.4 and 5.2.2.7).
    pub unshared: Vec<HeaderName>,
    /// Whether those who wait for it may have it.
    pub sharing: Sharing,
}

/// What was learned of a stored response without its body.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// The head of a 304, or of the answer to a HEAD.
    pub head: &'a ResponseHead,
    /// The fields of whose request it answers.
    pub request: &'a HeaderMap,
    /// When it came.
    pub received: Moment,
    /// The age with which it came.
    pub age: Duration,
    /// The site within which groups count.
    pub site: &'a [u8],
    /// Who says when it was made.
    pub dating: Dating,
}

/// Whether one answer may serve others who asked while it was on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// It may: it is fresh when it comes.
    #[default]
    Everyone,
    /// It may not, for this reason: each has to ask the handler, with this answer's validators.
    Asker(DeclineReason),
}

impl OriginRules {
    /// What may be kept of an answer that came with the age `age` (RFC 9111 section 3).
    pub fn judge(
        &self,
        head: &ResponseHead,
        request: &HeaderMap,
        old: Option<&StoredResponse>,
        received: Moment,
        age: Duration,
    ) -> OriginVerdict {
        let heeded = Heeded::of(&head.fields);
        let control = heeded.control();
        let word = Word::of(head, received);
        let lifetime = self.lifetime(&word, request);
        if is_failure(head.status) {
            // Section 4.3.3: a failed validation leaves the old response as it is.
            let good_content_is_kept = old.is_some_and(|old| !is_failure(old.status()));
            if good_content_is_kept || lifetime.unwrap_or_default() <= age {
                return OriginVerdict::Failure;
            }
        }
        if let Some(reason) = forbidden(head, control, request) {
            return OriginVerdict::Decline(reason);
        }
        let variance = Variance::told(head.fields.get_all(&VARY));
        let selectable = |variance: &Variance| !variance.names().iter().any(|name| self.written.contains(name));
        let Some(variance) = variance.filter(selectable) else {
            return OriginVerdict::Decline(DeclineReason::Vary);
        };
        match self.sharing(&word, lifetime, age, head) {
            Ok(sharing) => {
                let fields = [&control.no_cache, &control.private].into_iter().flat_map(Restriction::fields);
                OriginVerdict::Store(Storing { variance, unshared: fields.cloned().collect(), sharing })
            }
            Err(reason) => OriginVerdict::Decline(reason),
        }
    }

    /// How a stored response is kept with what a 304 or the answer to a HEAD says of it; the reason not to keep it so.
    ///
    /// # Errors
    ///
    /// What forbids it, or why it would be of no use.
    pub fn judge_update(&self, stored: &StoredResponse, update: &Update<'_>) -> Result<Terms, DeclineReason> {
        let Update { head, request, received, age, site, dating } = *update;
        let mut merged = stored.updated_by(head);
        let varies_anew = head.fields.contains(&VARY);
        if !varies_anew {
            // What stands there may be the gateway's own word; the response is for whom it was.
            merged.fields.remove(&VARY);
        }
        match self.judge(&merged, request, Some(stored), received, age) {
            OriginVerdict::Store(Storing { variance, unshared, sharing }) => Ok(Terms {
                initial_age: Some(age),
                variant: varies_anew.then(|| Variant::of(&variance, request)),
                unshared,
                sharing,
                tagging: Tagging::Never,
                groups: Groups::of(&merged.fields, &CACHE_GROUPS, site),
                tags: stored.tags(),
                recoding: stored.recoding_with(&merged),
                dating,
                ..Terms::default()
            }),
            OriginVerdict::Decline(reason) => Err(reason),
            // It leaves the status as it was, and what is a failure was stored as one.
            OriginVerdict::Failure => Err(DeclineReason::NoLifetime),
        }
    }

    /// Who may have an answer that nothing forbids to keep; the reason not to when keeping it would be of no use.
    fn sharing(
        &self,
        word: &Word,
        lifetime: Option<Duration>,
        age: Duration,
        head: &ResponseHead,
    ) -> Result<Sharing, DeclineReason> {
        let has_validator = head.status == http::StatusCode::OK
            && [http::header::ETAG, http::header::LAST_MODIFIED].iter().any(|name| head.fields.contains(name));
        if word.ask_each_time {
            let reason = DeclineReason::NoCache;
            return if has_validator { Ok(Sharing::Asker(reason)) } else { Err(reason) };
        }
        let Some(lifetime) = lifetime else { return Err(DeclineReason::NoLifetime) };
        let served_stale = !word.forbids_stale && !word.stale_while_revalidate.is_zero();
        if age < lifetime || served_stale && age < lifetime.saturating_add(word.stale_while_revalidate) {
            return Ok(Sharing::Everyone);
        }
        // What was good once may be confirmed, asked for although it is stale, or help out when the handler fails.
        let of_use = has_validator || !word.forbids_stale && (!lifetime.is_zero() || !word.stale_if_error.is_zero());
        if of_use { Ok(Sharing::Asker(DeclineReason::NoLifetime)) } else { Err(DeclineReason::NoLifetime) }
    }

    /// The freshness lifetime; none when nobody said anything and nothing is guessed. What a request with cookies gets is
    /// often for one visitor, so nothing is guessed there.
    fn lifetime(&self, word: &Word, request: &HeaderMap) -> Option<Duration> {
        let guess = match self.heuristic {
            Heuristic::Never => None,
            Heuristic::Tenth => word.guess.filter(|_| !request.contains_key(COOKIE)),
        };
        word.lifetime.or(guess)
    }

    /// What a stored response is at `now` (section 4.2).
    pub(crate) fn freshness(&self, response: &StoredResponse, now: Moment) -> Freshness {
        let word = response.word();
        let guess = match self.heuristic {
            Heuristic::Never => None,
            Heuristic::Tenth => word.guess,
        };
        let lifetime = word.lifetime.or(guess).unwrap_or_default();
        let age = response.age(now);
        if word.ask_each_time {
            return Freshness::Expired;
        }
        match lifetime.checked_sub(age).filter(|ttl| !ttl.is_zero()) {
            Some(ttl) => Freshness::Fresh { ttl: Some(ttl) },
            None if word.forbids_stale || response.resident(now) >= self.expire => Freshness::Expired,
            None => Freshness::Stale { staleness: age - lifetime },
        }
    }

    /// The same for what the invalidations have made of it.
    pub(crate) fn freshness_after(&self, response: &StoredResponse, validity: Validity, now: Moment) -> Freshness {
        match self.freshness(response, now).after(validity, now) {
            Freshness::Stale { .. } if response.word().forbids_stale => Freshness::Expired,
            freshness @ (Freshness::Fresh { .. } | Freshness::Stale { .. } | Freshness::Expired) => freshness,
        }
    }

    /// Whether a response that is stale, and that nothing forbids to serve so, is served (section 4.2.4).
    pub(crate) fn stale(
        &self,
        response: &StoredResponse,
        demands: &Demands,
        age: Duration,
        staleness: Duration,
    ) -> Use {
        if demands.ask_for_stale(age, staleness) {
            Use::AsAsked(staleness)
        } else if staleness < response.word().stale_while_revalidate && demands.accept_stale(age, staleness) {
            Use::WhileRevalidating(staleness)
        } else {
            Use::Never
        }
    }

    /// By how much a response is stale that may be served because the handler failed: when it cannot be reached, unless its
    /// handler forbade it (section 4.2.4); when it answers with an error, only where its handler or the request said so (RFC
    /// 5861 section 4).
    pub(crate) fn despite(
        &self,
        failure: FailureKind,
        (response, validity): (&StoredResponse, Validity),
        demands: &Demands,
        now: Moment,
    ) -> Option<Duration> {
        let age = response.age(now);
        let staleness = match self.freshness_after(response, validity, now) {
            Freshness::Fresh { .. } => Duration::ZERO,
            Freshness::Stale { staleness } => staleness,
            Freshness::Expired => return None,
        };
        let said = response.word().stale_if_error.max(demands.stale_if_error.unwrap_or_default());
        let permitted = match failure {
            FailureKind::Unreachable => demands.accept_stale(age, staleness) || staleness < said,
            FailureKind::Answered => staleness < said,
            FailureKind::NotAsked => false,
        };
        (permitted && !demands.no_cache && staleness <= self.stale_if_error).then_some(staleness)
    }
}

/// What forbids keeping an answer for others (RFC 9111 section 3).
fn forbidden(head: &ResponseHead, control: &CacheControl, request: &HeaderMap) -> Option<DeclineReason> {
    // The one thing in which this cache is stricter than section 3: what sets a cookie is for one visitor (section 7.3).
    if head.fields.contains(&SET_COOKIE) {
        return Some(DeclineReason::SetCookie);
    }
    // Parts and confirmations are understood elsewhere, and as answers to a plain GET they are a mistake.
    if matches!(head.status.as_u16(), 206 | 304) || control.must_understand && !is_understood(head.status) {
        return Some(DeclineReason::Status);
    }
    // Who understands the status need not heed `no-store` beside `must-understand` (section 5.2.2.3).
    if control.no_store && (!control.must_understand || control.garbled) {
        return Some(DeclineReason::NoStore);
    }
    if control.private == Restriction::Whole {
        return Some(DeclineReason::Private);
    }
    // Section 3.5.
    let for_others = control.public || control.must_revalidate || control.s_maxage.is_some();
    (request.contains_key(AUTHORIZATION) && !for_others).then_some(DeclineReason::Authorization)
}

#[cfg(test)]
mod tests;
