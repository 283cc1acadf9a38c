//! Invalidation: what was kept is forgotten because somebody says so.
//!
//! Whoever says it (an operator, `PURGE`, a handler with its answer), it comes to [`forget`]: there it is counted, logged, and
//! told to whom it may concern. `chosen` knows what can be named, `order` how an operator writes it, `sent` how a handler does.

mod chosen;
mod order;
mod sent;

use std::sync::Arc;

use evergate_cache::{Count, Fields, Forgetting, Groups, Selection};
use serde_json::{Value, json};
use tracing::{info, warn};

use crate::config::show_duration;
use crate::gateway::Gateway;
use crate::passage::Passage;
use crate::refresh::Refreshing;

pub use chosen::{Choice, Chosen};
pub use order::{MAX_CHOSEN, MAX_ORDER, Order, OrderError};
pub use sent::MAX_NAMED;

/// What is forgotten, in which way, and who says so.
#[derive(Clone, Debug)]
pub struct Invalidation {
    /// What.
    pub chosen: Vec<Chosen>,
    /// At which upstream; none is at every one.
    pub upstream: Option<Box<str>>,
    /// What becomes of it.
    pub mode: Forgetting,
    /// Whether it is fetched anew at once.
    pub refresh: Refresh,
    /// Who says so.
    pub source: Source,
}

/// Whether what is forgotten is fetched anew before anybody asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Refresh {
    /// When it is next asked for.
    #[default]
    WhenAsked,
    /// At once.
    AtOnce,
}

/// Who says that something is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An operator, over the admin listener.
    Admin,
    /// Whoever may send `PURGE`.
    Purge,
    /// A handler, with its answer.
    Handler,
}

impl Source {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Admin => "admin",
            Source::Purge => "purge",
            Source::Handler => "handler",
        }
    }
}

impl Invalidation {
    /// What it names, in the terms of the cache.
    pub fn selections(&self) -> Vec<Selection> {
        let selection =
            |chosen: &Chosen| Selection { what: chosen.what(), upstream: self.upstream.as_deref().map(Box::from) };
        self.chosen.iter().map(selection).collect()
    }
}

/// Forgets what an invalidation names, whoever asks for it. What a successful unsafe request makes invalid by itself (RFC 9111
/// section 4.4) and groups (RFC 9875) do not come here: caches in front see the request and the answer too.
pub fn forget(gateway: &Arc<Gateway>, invalidation: &Invalidation) -> Count {
    let Invalidation { chosen, upstream, mode, refresh, source } = invalidation;
    let selections = invalidation.selections();
    let refreshing = match refresh {
        Refresh::WhenAsked => None,
        Refresh::AtOnce => Some(Refreshing::prepare(gateway)),
    };
    let count = gateway.cache.forget(&selections, *mode, gateway.clock.now());
    for chosen in chosen {
        gateway.metrics.invalidated(chosen.kind(), *mode);
    }
    info!(
        source = source.as_str(),
        what = in_short(chosen),
        upstream = upstream.as_deref(),
        mode = mode_in_words(*mode),
        refresh = *refresh == Refresh::AtOnce,
        matched = count_in_words(count),
        "forgotten"
    );
    // Caches in front are told here, and nowhere else.
    gateway.downstream.tell(&selections, *mode);
    if let Some(refreshing) = refreshing {
        refreshing.start(selections);
    }
    count
}

/// Forgets responses of groups that a handler names (RFC 9875 section 3). They are names within one site and no [`Selection`].
pub fn forget_groups(gateway: &Gateway, groups: &Groups) {
    if groups.is_empty() {
        return;
    }
    gateway.cache.invalidate_groups(groups, gateway.clock.now());
    gateway.metrics.invalidated_groups(groups.len());
}

/// Forgets what a handler names in the fields of a successful answer to an unsafe request, of what its own upstream has made.
pub fn forget_as_sent(gateway: &Arc<Gateway>, passage: &Passage, fields: &Fields) {
    let sent = sent::read(fields, &passage.snapshot);
    if let Some(first) = sent.skipped.first() {
        let (upstream, skipped) = (passage.upstream.name.as_str(), sent.skipped.len());
        warn!(upstream, target = passage.target, skipped, problem = %first, "not all that a handler wants forgotten is");
    }
    for (mode, chosen) in sent.by_mode() {
        let upstream = Some(passage.upstream.name.as_str().into());
        let (refresh, source) = (Refresh::WhenAsked, Source::Handler);
        forget(gateway, &Invalidation { chosen, upstream, mode, refresh, source });
    }
}

/// How much was found, for programs: `exact` is false where it is the most that it can be.
pub fn count_told(count: Count) -> Value {
    match count {
        Count::Exact(count) => json!({ "count": count, "exact": true }),
        Count::AtMost(count) => json!({ "count": count, "exact": false }),
    }
}

/// A mode, for programs, as an order has it.
pub fn mode_told(mode: Forgetting) -> Value {
    match mode {
        Forgetting::Stale => json!("stale"),
        Forgetting::Delete => json!("delete"),
        Forgetting::Expire(after) if after.subsec_nanos() == 0 => json!({ "expire": after.as_secs() }),
        Forgetting::Expire(after) => json!({ "expire": after.as_secs_f64() }),
    }
}

/// How many names a line in the log has; the others are counted.
const MOST_IN_LOG: usize = 8;

/// What was chosen, for a line in the log.
fn in_short(chosen: &[Chosen]) -> String {
    let mut names: Vec<String> = chosen.iter().take(MOST_IN_LOG).map(Chosen::to_string).collect();
    if chosen.len() > MOST_IN_LOG {
        names.push(format!("{} more", chosen.len() - MOST_IN_LOG));
    }
    names.join(", ")
}

fn mode_in_words(mode: Forgetting) -> String {
    match mode {
        Forgetting::Stale => "stale".to_owned(),
        Forgetting::Delete => "delete".to_owned(),
        Forgetting::Expire(after) => format!("expire in {}", show_duration(after)),
    }
}

fn count_in_words(count: Count) -> String {
    match count {
        Count::Exact(count) => count.to_string(),
        Count::AtMost(count) => format!("at most {count}"),
    }
}
