//! `PURGE`: forgetting a path where visitors ask for it, by those who may.

use std::sync::Arc;

use evergate_cache::Moment;
use http::StatusCode;
use serde_json::json;

use crate::config::Purge;
use crate::gateway::Gateway;
use crate::invalidation::{self, Chosen, Invalidation, Refresh, Source};
use crate::outcome::Answered;
use crate::request::Request;
use crate::respond::Notice;
use crate::snapshot::Snapshot;
use crate::target::Target;

/// The method. No RFC knows it; Squid, Varnish and nginx do.
const PURGE: &str = "PURGE";

/// Who may purge, where that is what a request asks for.
pub(crate) fn asked_to_purge<'s>(request: &Request, snapshot: &'s Snapshot) -> Option<&'s Purge> {
    snapshot.purge.as_ref().filter(|_| request.method.as_str() == PURGE)
}

/// Forgets the path of `target`, every query, variant and host of it, if the request comes from where it may. Who asks is told
/// by the connection alone, because anybody can write `X-Forwarded-For`.
pub(super) fn purge(
    gateway: &Arc<Gateway>,
    allowed: &Purge,
    (request, target): (&Request, &Target<'_>),
    now: Moment,
) -> (Notice, Answered) {
    if !request.peer.is_some_and(|peer| allowed.allows(peer)) {
        let notice = Notice::new(StatusCode::FORBIDDEN, "PURGE is not for this address", now.wall);
        return (notice, Answered::PurgeRefused);
    }
    let path = target.matched_path();
    let forgotten = Invalidation {
        chosen: vec![Chosen::Path(path.into())],
        upstream: None,
        mode: allowed.mode,
        refresh: Refresh::WhenAsked,
        source: Source::Purge,
    };
    let count = invalidation::forget(gateway, &forgotten);
    let told = json!({
        "mode": invalidation::mode_told(allowed.mode),
        "matched": invalidation::count_told(count),
        "selected": [{ "path": path }],
    });
    (Notice::json(StatusCode::OK, &told, now.wall), Answered::Purged)
}
