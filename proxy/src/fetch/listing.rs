//! What an upstream lists for the gateway itself: asked for nobody, and not kept.

use std::time::Duration;

use bytes::Bytes;
use evergate_cache::ResponseHead;
use http::StatusCode;
use tokio::time::timeout;

use super::{MAX_DURATION, ask};
use crate::failure::Failure;
use crate::gateway::Gateway;
use crate::handler_request::HandlerRequest;
use crate::metrics::UpstreamResult;
use crate::snapshot::Route;
use crate::upstream::{Preference, Upstream};

/// Longest list of parameters, in bytes.
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
    /// It broke off, or is longer than so many bytes.
    #[error("the list is not whole, or longer than {0} bytes")]
    Cut(usize),
    /// It is no text.
    #[error("the list is not UTF-8")]
    Encoding,
}

/// What is asked of an upstream for the gateway itself.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Who is asked.
    pub upstream: &'a Upstream,
    /// Which of its servers first.
    pub preference: &'a Preference,
    /// Path and query.
    pub target: &'a str,
    /// The site that it is about, where the gateway serves several.
    pub site: Option<&'a str>,
    /// Longest time, where the configuration sets one.
    pub patience: Option<Duration>,
    /// Longest answer, in bytes.
    pub most: usize,
}

/// Asks the upstream of a route for a list of parameters.
///
/// # Errors
///
/// A [`ListingError`]; nothing is tried again beyond what the upstream's `retries` say.
pub async fn list(gateway: &Gateway, route: &Route, target: &str) -> Result<String, ListingError> {
    let (upstream, preference, patience) = (&*route.upstream, &route.preference, route.max_duration);
    let wanted = Wanted { upstream, preference, target, site: None, patience, most: MAX_LIST };
    let body = document(gateway, wanted).await?;
    std::str::from_utf8(&body).map(str::to_owned).map_err(|_| ListingError::Encoding)
}

/// Asks an upstream for a document.
///
/// # Errors
///
/// As [`list`].
pub async fn document(gateway: &Gateway, wanted: Wanted<'_>) -> Result<Bytes, ListingError> {
    let Wanted { upstream, preference, target, site, patience, most } = wanted;
    let patience = patience.unwrap_or(MAX_DURATION);
    let listing = async {
        let request = HandlerRequest::plain(target, site);
        let nobody = |_: ResponseHead| {};
        let begun = gateway.clock.now();
        let asked = ask::ask((upstream, preference), &request, &nobody).await;
        let time = gateway.clock.since(begun);
        gateway.metrics.upstream_answered(&upstream.meter, UpstreamResult::of(&asked), time);
        let mut answering = asked.map_err(ListingError::Failed)?;
        match answering.head.status {
            StatusCode::OK => {}
            status => return Err(ListingError::Status(status)),
        }
        let body = answering.whole_body(upstream.timeouts.idle, most).await.ok_or(ListingError::Cut(most))?;
        answering.release(upstream);
        Ok(body)
    };
    timeout(patience, listing).await.unwrap_or(Err(ListingError::Failed(Failure::MaxDuration)))
}
