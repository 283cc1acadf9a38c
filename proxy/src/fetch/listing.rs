//! What an upstream lists for the gateway itself: asked for nobody, and not kept.

use std::time::Duration;

use evergate_cache::ResponseHead;
use http::StatusCode;
use tokio::time::timeout;

use super::{MAX_DURATION, ask};
use crate::failure::Failure;
use crate::gateway::Gateway;
use crate::handler_request::HandlerRequest;
use crate::metrics::UpstreamResult;
use crate::snapshot::Route;

/// Longest list, in bytes.
const MAX_LIST: usize = 16 << 20;

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// The handler failed in the way of this name.
    #[error("the handler service did not answer ({})", .0.as_str())]
    Failed(Failure),
    /// It answered with another status than 200.
    #[error("the handler service answered with {0}")]
    Status(StatusCode),
    /// It broke off, or is too long.
    #[error("the list is not whole, or longer than {MAX_LIST} bytes")]
    Cut,
    /// It is no text.
    #[error("the list is not UTF-8")]
    Encoding,
}

/// Asks the upstream of a route for a list.
///
/// # Errors
///
/// A [`ListingError`]; nothing is tried again beyond what the upstream's `retries` say.
pub async fn list(gateway: &Gateway, route: &Route, target: &str) -> Result<String, ListingError> {
    let patience = route.max_duration.unwrap_or(MAX_DURATION);
    let listing = async {
        let request = HandlerRequest::plain(target);
        let upstream = (&*route.upstream, &route.preference);
        let nobody = |_: ResponseHead| {};
        let begun = gateway.clock.now();
        let asked = ask::ask(gateway, upstream, &request, &nobody).await;
        let time = gateway.clock.now().since(begun);
        gateway.metrics.upstream_answered(&route.upstream.name, UpstreamResult::of(&asked), time);
        let mut answering = asked.map_err(ListingError::Failed)?;
        match answering.session.get_status() {
            Some(StatusCode::OK) => {}
            Some(status) => return Err(ListingError::Status(status)),
            None => return Err(ListingError::Failed(Failure::Malformed)),
        }
        let idle: Duration = route.upstream.timeouts.idle;
        let body = answering.whole_body(idle, MAX_LIST).await.ok_or(ListingError::Cut)?;
        answering.release(gateway).await;
        std::str::from_utf8(&body).map(str::to_owned).map_err(|_| ListingError::Encoding)
    };
    timeout(patience, listing).await.unwrap_or(Err(ListingError::Failed(Failure::MaxDuration)))
}
