//! Policy: by whose word responses of a route are kept, and why some are not.

use std::time::Duration;

use http::StatusCode;
use http::header::{CACHE_CONTROL, SET_COOKIE, VARY};

use crate::freshness::Freshness;
use crate::standing::Validity;
use crate::stored::explicit_lifetime;
use crate::{
    CacheControl, Demands, Heed, Moment, OriginRules, Regime, ResponseHead, StoredResponse, Variance, Windows,
};

/// By whose word the responses of a route are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The operator's: a window of the route's own, and the request fields that split its pages.
    Window(Windows, Variance),
    /// The handler's (RFC 9111).
    Origin(OriginRules),
}

/// What may be done with a stored response for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is fresh and answers the request; none is a time to live without end.
    Fresh(Option<Duration>),
    /// It is fresh, and the request wants something else.
    Unwanted,
    /// It is stale by so much and is served while it is revalidated.
    WhileRevalidating(Duration),
    /// It is stale by so much, and the request asks for it all the same.
    AsAsked(Duration),
    /// The handler has to be asked first.
    Never,
}

/// How a handler failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// It could not be reached, or its answer did not come or was not whole.
    Unreachable,
    /// It answered, with an error.
    Answered,
    /// It was not asked: the gateway has too much to do.
    NotAsked,
}

impl Policy {
    /// Under which of the two a key is kept.
    pub fn regime(&self) -> Regime {
        match self {
            Policy::Window(..) => Regime::Window,
            Policy::Origin(_) => Regime::Origin,
        }
    }

    /// What `response` is at `now`, of which the invalidations have made this.
    pub(crate) fn freshness(&self, response: &StoredResponse, validity: Validity, now: Moment) -> Freshness {
        match self {
            Policy::Window(windows, _) => windows.freshness_after(response, validity, now),
            Policy::Origin(rules) => rules.freshness_after(response, validity, now),
        }
    }

    /// What may be done with `response` at `now`, of which the invalidations have made this.
    pub(crate) fn allowed(&self, response: &StoredResponse, validity: Validity, demands: &Demands, now: Moment) -> Use {
        let age = response.age(now);
        match self.freshness(response, validity, now) {
            Freshness::Fresh { ttl } if demands.accept_fresh(age, ttl) => Use::Fresh(ttl),
            Freshness::Fresh { .. } => Use::Unwanted,
            Freshness::Stale { staleness } => match self {
                Policy::Window(..) if demands.accept_stale(age, staleness) => Use::WhileRevalidating(staleness),
                Policy::Window(..) => Use::Never,
                Policy::Origin(rules) => rules.stale(response, demands, age, staleness),
            },
            Freshness::Expired => Use::Never,
        }
    }

    /// By how much `response` is stale, if it may be served because the handler failed (RFC 9111 section 4.2.4, RFC 5861
    /// section 4).
    pub(crate) fn despite(
        &self,
        failure: FailureKind,
        (response, validity): (&StoredResponse, Validity),
        demands: &Demands,
        now: Moment,
    ) -> Option<Duration> {
        match self {
            Policy::Window(..) if demands.no_cache => None,
            Policy::Window(windows, _) => match windows.freshness_after(response, validity, now) {
                Freshness::Fresh { .. } => Some(Duration::ZERO),
                Freshness::Stale { staleness } => (staleness <= windows.stale_if_error).then_some(staleness),
                Freshness::Expired => None,
            },
            Policy::Origin(rules) => rules.despite(failure, (response, validity), demands, now),
        }
    }

    /// Whether a response whose revalidation has just failed may go on being served while it is revalidated.
    pub(crate) fn stale_in_trouble(&self, staleness: Duration) -> bool {
        match self {
            // After a failure the shorter of the two windows counts.
            Policy::Window(windows, _) => staleness <= windows.stale_if_error,
            Policy::Origin(_) => true,
        }
    }
}

/// Why an answer is fetched but not kept. A closed list with stable names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeclineReason {
    /// It sets a cookie, which is for one visitor.
    SetCookie,
    /// `Cache-Control: private`.
    Private,
    /// `Cache-Control: no-store`.
    NoStore,
    /// `Cache-Control: no-cache`.
    NoCache,
    /// `Vary` names what no request tells (`*`, a field that the gateway writes), or too many fields to tell whom it is for.
    Vary,
    /// Its status is none of those that are kept.
    Status,
    /// It answers a request with `Authorization` and does not say that others may have it.
    Authorization,
    /// Its body is longer than `max_body`.
    TooLarge,
    /// Its body ends when the connection does, so half of it would pass for the whole.
    NoLength,
    /// It is stale when it comes, or does not say how long it is good.
    NoLifetime,
}

impl DeclineReason {
    /// Every reason, for metrics.
    pub const ALL: [DeclineReason; 10] = [
        DeclineReason::SetCookie,
        DeclineReason::Private,
        DeclineReason::NoStore,
        DeclineReason::NoCache,
        DeclineReason::Vary,
        DeclineReason::Status,
        DeclineReason::Authorization,
        DeclineReason::TooLarge,
        DeclineReason::NoLength,
        DeclineReason::NoLifetime,
    ];

    /// The stable name used in headers, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            DeclineReason::SetCookie => "set-cookie",
            DeclineReason::Private => "private",
            DeclineReason::NoStore => "no-store",
            DeclineReason::NoCache => "no-cache",
            DeclineReason::Vary => "vary",
            DeclineReason::Status => "status",
            DeclineReason::Authorization => "credentials",
            DeclineReason::TooLarge => "too-large",
            DeclineReason::NoLength => "no-length",
            DeclineReason::NoLifetime => "no-lifetime",
        }
    }
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is kept.
    Store,
    /// It is not kept, by policy.
    Decline(DeclineReason),
    /// The handler failed; an old response is not replaced by this.
    Failure,
}

/// Judges an answer to a fill on a route with a window, where the operator has declared the content public and the handler's
/// word still counts when it forbids, as far as `heed` says.
///
/// Failures come first: an error page that sets a cookie is an error page, and the old response stays.
pub fn judge(head: &ResponseHead, heed: Heed, received: Moment) -> Verdict {
    let status = head.status;
    if is_failure(status) {
        return Verdict::Failure;
    }
    if let Some(reason) = forbidden(head, heed) {
        return Verdict::Decline(reason);
    }
    match status.as_u16() {
        200 | 203 | 204 | 301 | 302 | 303 | 307 | 308 | 404 | 410 if heed == Heed::Explicit => {
            let lifetime = explicit_lifetime(head, received).unwrap_or_default();
            if lifetime.is_zero() { Verdict::Decline(DeclineReason::NoLifetime) } else { Verdict::Store }
        }
        200 | 203 | 204 | 301 | 302 | 303 | 307 | 308 | 404 | 410 => Verdict::Store,
        _ => Verdict::Decline(DeclineReason::Status),
    }
}

/// Whether a status says that the handler failed: good content is not replaced by it.
pub fn is_failure(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// What in the fields of an answer, a 304 included, forbids keeping it for others.
pub fn forbidden(head: &ResponseHead, heed: Heed) -> Option<DeclineReason> {
    if head.fields.contains(&SET_COOKIE) {
        return Some(DeclineReason::SetCookie);
    }
    let directives = CacheControl::parse(head.fields.get_all(&CACHE_CONTROL));
    let (no_store, others) = match heed {
        Heed::Prohibitions | Heed::Explicit => (directives.no_store, true),
        Heed::NoStore => (directives.no_store, false),
        Heed::Nothing => (false, false),
    };
    if no_store {
        return Some(DeclineReason::NoStore);
    }
    if others && directives.private.is_present() {
        return Some(DeclineReason::Private);
    }
    if others && directives.no_cache.is_present() {
        return Some(DeclineReason::NoCache);
    }
    let mut varies_on = head.fields.get_all(&VARY).flat_map(|line| line.as_bytes().split(|b| *b == b','));
    varies_on.any(|name| name.trim_ascii() == b"*").then_some(DeclineReason::Vary)
}

#[cfg(test)]
mod tests;
