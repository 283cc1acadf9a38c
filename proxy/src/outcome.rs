//! What happened to a request, in the terms of `Cache-Status` (RFC 9211). The header, the log and the labels are printed
//! from this one type.

use std::fmt;
use std::time::Duration;

use evergate_cache::{DeclineReason, Missing, StaleReason};
use http::StatusCode;

/// What happened to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered from memory, fresh.
    Hit {
        /// Time to live; none when it has no end.
        ttl: Option<Duration>,
    },
    /// Answered from memory, fresh, by what was made before anybody asked, for the first time.
    Prerendered {
        /// Time to live; none when it has no end.
        ttl: Option<Duration>,
    },
    /// Answered from memory, past its freshness lifetime.
    Stale {
        /// How long it has been stale.
        staleness: Duration,
        /// Why it was served.
        reason: ServedStale,
    },
    /// Answered from memory, past its freshness lifetime, because the handler was asked and failed.
    Despite {
        /// How long it has been stale.
        staleness: Duration,
        /// Why it was asked.
        missing: Missing,
        /// Whether the result was shared with a fetch that was already under way.
        collapsed: bool,
        /// What came of it.
        fetched: Fetched,
    },
    /// Fetched.
    Miss {
        /// What was missing.
        missing: Missing,
        /// Whether the result was shared with a fetch that was already under way.
        collapsed: bool,
        /// What came of it.
        fetched: Fetched,
    },
    /// Fetched, and the handler confirmed what was stored.
    Revalidated {
        /// Why it was asked.
        missing: Missing,
        /// Whether the result was shared with a fetch that was already under way.
        collapsed: bool,
    },
    /// Sent through without the cache.
    Pass {
        /// Why.
        reason: PassReason,
        /// What came of it.
        fetched: Fetched,
    },
    /// Answered by the gateway alone.
    Answered(Answered),
}

/// What came of asking the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Nothing yet.
    Pending,
    /// It answered with this status, and the answer is kept.
    Stored(StatusCode),
    /// It answered with this status, and the answer is not kept.
    NotStored(StatusCode),
    /// It answered with this status, and the answer is not kept, for this reason.
    Declined(StatusCode, DeclineReason),
    /// It failed in the way of this name.
    Failed(&'static str),
}

/// Why a stale response was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServedStale {
    /// As the cache decided.
    Cache(StaleReason),
    /// A refresh was due, and too many run already; the next stale hit tries again.
    Busy,
}

impl ServedStale {
    /// Every reason, for metrics.
    pub const ALL: [ServedStale; 5] = [
        ServedStale::Cache(StaleReason::Revalidating),
        ServedStale::Cache(StaleReason::Error),
        ServedStale::Cache(StaleReason::Asked),
        ServedStale::Cache(StaleReason::Invalidated),
        ServedStale::Busy,
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            ServedStale::Cache(reason) => reason.as_str(),
            ServedStale::Busy => "busy",
        }
    }
}

/// Why a request was sent through without the cache. A closed list with stable names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PassReason {
    /// Its route sets no `revalidate`.
    Dynamic,
    /// No route matches.
    Unmatched,
    /// Its method is neither GET nor HEAD.
    Method,
    /// It is a HEAD that nothing stored answers, for want of this.
    Head(Missing),
    /// It asks for a part that nothing stored holds, for want of this.
    Range(Missing),
    /// It says `no-store`.
    NoStore,
    /// It depends on the state that only the handler knows (`If-Match`, `If-Unmodified-Since`).
    Precondition,
    /// It is a GET with a body.
    Body,
    /// It asks to leave HTTP.
    Upgrade,
    /// It carries `Authorization`.
    Authorization,
    /// It carries a cookie or header that the route names under `bypass`.
    Bypass,
    /// What was fetched for it was made invalid each time before it came.
    Invalidated,
    /// The answer to its key is not kept.
    Declined(DeclineReason),
}

impl PassReason {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            PassReason::Dynamic => "dynamic",
            PassReason::Unmatched => "unmatched",
            PassReason::Method => "method",
            PassReason::Head(_) => "head",
            PassReason::Range(_) => "range",
            PassReason::NoStore => "request-no-store",
            PassReason::Precondition => "precondition",
            PassReason::Body => "body",
            PassReason::Upgrade => "upgrade",
            PassReason::Authorization => "authorization",
            PassReason::Bypass => "bypass",
            PassReason::Invalidated => "invalidated",
            PassReason::Declined(reason) => reason.as_str(),
        }
    }

    /// Every reason, for metrics.
    pub fn all() -> impl Iterator<Item = PassReason> {
        [
            PassReason::Dynamic,
            PassReason::Unmatched,
            PassReason::Method,
            PassReason::Head(Missing::Uri),
            PassReason::Range(Missing::Uri),
            PassReason::NoStore,
            PassReason::Precondition,
            PassReason::Body,
            PassReason::Upgrade,
            PassReason::Authorization,
            PassReason::Bypass,
            PassReason::Invalidated,
        ]
        .into_iter()
        .chain(DeclineReason::ALL.map(PassReason::Declined))
    }

    /// The `fwd` parameter (RFC 9211 section 2.2).
    fn fwd(self) -> &'static str {
        match self {
            PassReason::Method => "method",
            PassReason::Head(missing) | PassReason::Range(missing) => fwd(missing),
            PassReason::Body
            | PassReason::Upgrade
            | PassReason::Authorization
            | PassReason::NoStore
            | PassReason::Precondition => "request",
            PassReason::Invalidated => "stale",
            PassReason::Dynamic | PassReason::Unmatched | PassReason::Bypass | PassReason::Declined(_) => "bypass",
        }
    }
}

/// What the gateway answered by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A request that breaks RFC 9112 or RFC 9110, or is too large.
    Refused,
    /// A host that the gateway does not serve (421).
    Misdirected,
    /// A redirect to the same page under its one name.
    Redirected,
    /// A path that no route matches, where that is 404.
    NotFound,
    /// A path whose parameters are none of those that are known, where no others are answered (404).
    UnknownParams,
    /// The same, before the upstream has listed those that are known (503).
    ParamsNotListed,
    /// A method that the route does not list (405).
    MethodNotAllowed,
    /// OPTIONS, where the route lists its methods (204).
    Options,
    /// A request that wants what is stored or nothing, and nothing is (504).
    NotCached,
    /// A redirect that a rule says.
    RuleRedirect,
    /// An answer that a rule gives.
    RuleRespond,
    /// A request of which the rules cannot say what becomes.
    RuleFailed,
    /// A question whether a page of another origin may send a request (204).
    Preflight,
    /// A page of an origin that is not allowed, where the gateway sees to it (403).
    ForeignOrigin,
    /// `PURGE`, by somebody who may.
    Purged,
    /// `PURGE`, by somebody who may not (403).
    PurgeRefused,
}

impl Answered {
    fn as_str(self) -> &'static str {
        match self {
            Answered::Refused => "refused",
            Answered::Misdirected => "misdirected",
            Answered::Redirected => "redirected",
            Answered::NotFound => "not-found",
            Answered::UnknownParams => "unknown-params",
            Answered::ParamsNotListed => "params-not-listed",
            Answered::MethodNotAllowed => "method-not-allowed",
            Answered::Options => "options",
            Answered::NotCached => "only-if-cached",
            Answered::RuleRedirect => "rule-redirect",
            Answered::RuleRespond => "rule-respond",
            Answered::RuleFailed => "rule-failed",
            Answered::Preflight => "preflight",
            Answered::ForeignOrigin => "foreign-origin",
            Answered::Purged => "purged",
            Answered::PurgeRefused => "purge-refused",
        }
    }
}

/// The values of `x-cache`, and of the label `cache` in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum XCache {
    /// Fresh from memory.
    Hit,
    /// Fresh from memory, made before anybody asked, for the first time.
    Prerender,
    /// Stale from memory.
    Stale,
    /// Fetched.
    Miss,
    /// Confirmed by the handler.
    Revalidated,
    /// Without the cache.
    Pass,
    /// Answered by the gateway alone; not sent as a header.
    None,
}

impl XCache {
    /// Every value, for metrics.
    pub const ALL: [XCache; 7] =
        [XCache::Hit, XCache::Prerender, XCache::Stale, XCache::Miss, XCache::Revalidated, XCache::Pass, XCache::None];

    /// As the header has it.
    pub fn header(self) -> Option<&'static str> {
        match self {
            XCache::Hit => Some("HIT"),
            XCache::Prerender => Some("PRERENDER"),
            XCache::Stale => Some("STALE"),
            XCache::Miss => Some("MISS"),
            XCache::Revalidated => Some("REVALIDATED"),
            XCache::Pass => Some("PASS"),
            XCache::None => None,
        }
    }

    /// As the label has it.
    pub fn label(self) -> &'static str {
        match self {
            XCache::Hit => "hit",
            XCache::Prerender => "prerender",
            XCache::Stale => "stale",
            XCache::Miss => "miss",
            XCache::Revalidated => "revalidated",
            XCache::Pass => "pass",
            XCache::None => "none",
        }
    }
}

impl Outcome {
    /// The value of `x-cache`.
    pub fn x_cache(&self) -> XCache {
        match self {
            Outcome::Hit { .. } => XCache::Hit,
            Outcome::Prerendered { .. } => XCache::Prerender,
            Outcome::Stale { .. } | Outcome::Despite { .. } => XCache::Stale,
            Outcome::Miss { .. } => XCache::Miss,
            Outcome::Revalidated { .. } => XCache::Revalidated,
            Outcome::Pass { .. } => XCache::Pass,
            Outcome::Answered(_) => XCache::None,
        }
    }
}

/// The value of `Cache-Status`.
impl Outcome {
    /// Renders it at the end of `text`, as [`Display`](fmt::Display) does: hits, which are most, without the detours of formatting.
    pub fn render(&self, text: &mut String) {
        match *self {
            Outcome::Hit { ttl: Some(ttl) } => {
                text.push_str("evergate; hit; ttl=");
                text.push_str(itoa::Buffer::new().format(ttl.as_secs()));
            }
            Outcome::Hit { ttl: None }
            | Outcome::Prerendered { .. }
            | Outcome::Stale { .. }
            | Outcome::Despite { .. }
            | Outcome::Miss { .. }
            | Outcome::Revalidated { .. }
            | Outcome::Pass { .. }
            | Outcome::Answered(_) => {
                // Writing to memory does not fail.
                let _ = fmt::Write::write_fmt(text, format_args!("{self}"));
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("evergate")?;
        match *self {
            Outcome::Hit { ttl } => hit(f, ttl),
            Outcome::Prerendered { ttl } => {
                hit(f, ttl)?;
                f.write_str("; detail=prerender")
            }
            Outcome::Stale { staleness, reason } => {
                write!(f, "; hit; ttl={}; detail={}", negative(staleness), reason.as_str())
            }
            Outcome::Despite { staleness, missing, collapsed, fetched } => {
                write!(f, "; fwd={}", fwd(missing))?;
                if collapsed {
                    f.write_str("; collapsed")?;
                }
                match fetched {
                    Fetched::NotStored(status) => write!(f, "; fwd-status={}", status.as_u16())?,
                    Fetched::Pending | Fetched::Stored(_) | Fetched::Declined(..) | Fetched::Failed(_) => {}
                }
                write!(f, "; ttl={}; detail={}", negative(staleness), StaleReason::Error.as_str())
            }
            Outcome::Miss { missing, collapsed, fetched } => {
                write!(f, "; fwd={}", fwd(missing))?;
                if collapsed {
                    f.write_str("; collapsed")?;
                }
                write!(f, "{fetched}")?;
                match fetched {
                    Fetched::Pending | Fetched::Stored(_) | Fetched::NotStored(_) => invalidated(f, missing),
                    // The detail says what became of it.
                    Fetched::Declined(..) | Fetched::Failed(_) => Ok(()),
                }
            }
            Outcome::Revalidated { missing, collapsed } => {
                write!(f, "; fwd={}; fwd-status=304", fwd(missing))?;
                if collapsed {
                    f.write_str("; collapsed")?;
                }
                f.write_str("; stored")?;
                invalidated(f, missing)
            }
            Outcome::Pass { reason, fetched: Fetched::Failed(name) } => {
                write!(f, "; fwd={}; detail={name}", reason.fwd())
            }
            Outcome::Pass { reason, fetched } => {
                write!(f, "; fwd={}{fetched}; detail={}", reason.fwd(), reason.as_str())
            }
            Outcome::Answered(what) => write!(f, "; detail={}", what.as_str()),
        }
    }
}

fn hit(f: &mut fmt::Formatter<'_>, ttl: Option<Duration>) -> fmt::Result {
    match ttl {
        Some(ttl) => write!(f, "; hit; ttl={}", ttl.as_secs()),
        None => f.write_str("; hit"),
    }
}

/// Says that what is stored was not good enough because it was invalidated.
fn invalidated(f: &mut fmt::Formatter<'_>, missing: Missing) -> fmt::Result {
    match missing {
        Missing::Invalidated => f.write_str("; detail=invalidated"),
        Missing::Uri | Missing::Vary | Missing::Stale | Missing::Request | Missing::Partial => Ok(()),
    }
}

impl fmt::Display for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fetched::Pending => Ok(()),
            Fetched::Stored(status) => write!(f, "; fwd-status={}; stored", status.as_u16()),
            Fetched::NotStored(status) => write!(f, "; fwd-status={}", status.as_u16()),
            Fetched::Declined(status, reason) => {
                write!(f, "; fwd-status={}; detail={}", status.as_u16(), reason.as_str())
            }
            Fetched::Failed(name) => write!(f, "; detail={name}"),
        }
    }
}

/// The `fwd` parameter of what had to be fetched (RFC 9211 section 2.2).
fn fwd(missing: Missing) -> &'static str {
    match missing {
        Missing::Uri => "uri-miss",
        Missing::Vary => "vary-miss",
        // Something is stored, and may not answer any more; `detail` says that it was invalidated.
        Missing::Stale | Missing::Invalidated => "stale",
        Missing::Request => "request",
        Missing::Partial => "partial",
    }
}

/// The time to live of what has been stale for `staleness`: at most -1 would be a lie in the first second, so it rounds to 0.
fn negative(staleness: Duration) -> i64 {
    i64::try_from(staleness.as_secs()).map_or(i64::MIN, |seconds| -seconds)
}

#[cfg(test)]
mod tests;
