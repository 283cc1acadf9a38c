//! Storability on routes with a window: what may be kept, and why not.

use http::StatusCode;
use http::header::{CACHE_CONTROL, SET_COOKIE, VARY};

use crate::{CacheControl, ResponseHead};

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
    /// `Vary: *`: nothing in the request tells whom it is for.
    Vary,
    /// Its status is none of those that are kept.
    Status,
    /// Its body is longer than `max_body`.
    TooLarge,
    /// Its body ends when the connection does, so half of it would pass for the whole.
    NoLength,
    /// It is stale when it comes.
    NoLifetime,
}

impl DeclineReason {
    /// Every reason, for metrics.
    pub const ALL: [DeclineReason; 9] = [
        DeclineReason::SetCookie,
        DeclineReason::Private,
        DeclineReason::NoStore,
        DeclineReason::NoCache,
        DeclineReason::Vary,
        DeclineReason::Status,
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
/// word still counts when it forbids.
///
/// Failures come first: an error page that sets a cookie is an error page, and the old response stays.
pub fn judge(head: &ResponseHead) -> Verdict {
    let status = head.status;
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Verdict::Failure;
    }
    if let Some(reason) = forbidden(head) {
        return Verdict::Decline(reason);
    }
    match status.as_u16() {
        200 | 203 | 204 | 301 | 302 | 303 | 307 | 308 | 404 | 410 => Verdict::Store,
        _ => Verdict::Decline(DeclineReason::Status),
    }
}

/// What in the fields of an answer, a 304 included, forbids keeping it for others.
pub fn forbidden(head: &ResponseHead) -> Option<DeclineReason> {
    if head.fields.contains(&SET_COOKIE) {
        return Some(DeclineReason::SetCookie);
    }
    let directives = CacheControl::parse(head.fields.get_all(&CACHE_CONTROL));
    if directives.no_store {
        return Some(DeclineReason::NoStore);
    }
    if directives.private {
        return Some(DeclineReason::Private);
    }
    if directives.no_cache {
        return Some(DeclineReason::NoCache);
    }
    let mut varies_on = head.fields.get_all(&VARY).flat_map(|line| line.as_bytes().split(|b| *b == b','));
    varies_on.any(|name| name.trim_ascii() == b"*").then_some(DeclineReason::Vary)
}

#[cfg(test)]
mod tests;
