//! One page, fetched before anybody asks for it: for prerendering.

use std::sync::Arc;

use evergate_cache::{Asked, Awaited, DeclineReason, Lookup, Scheme, Waiter};
use http::{HeaderMap, Method, StatusCode};

use crate::admission::{Admission, admit};
use crate::failure::Failure;
use crate::fetch::{self, Errand};
use crate::gateway::Gateway;
use crate::request::{BodyPresence, Protocol, Request};
use crate::ruling::Ruling;
use crate::snapshot::{Route, Snapshot};
use crate::target::{Target, TargetError};

/// A page that is known beforehand.
#[derive(Debug)]
pub struct Page {
    /// The route that it belongs to.
    pub route: Arc<Route>,
    /// Its path.
    pub path: String,
}

/// Sees to it that a page is there.
///
/// # Errors
///
/// Why it is not; nothing is tried again.
pub async fn render(gateway: &Arc<Gateway>, snapshot: &Arc<Snapshot>, page: &Page) -> Result<(), Unrendered> {
    let request = nobodys_request(&page.path, snapshot);
    let target = Target::parse(&page.path)?;
    let now = gateway.clock.now();
    // Where rules lead is for visitors; what they make of the request the handler is to see here too.
    let request = Ruling::of(&request, &target, snapshot, now.wall).request;
    let Admission::Cached(selected) =
        admit(&request, &target, snapshot.addressee(target.matched_path(), None), snapshot, now.wall)
    else {
        return Err(Unrendered::NotCached);
    };
    if !Arc::ptr_eq(selected.route, &page.route) {
        return Err(Unrendered::OtherRoute(selected.route.pattern.clone()));
    }
    let mut key = Vec::with_capacity(256);
    selected.key(request.scheme, snapshot).write(&mut key);
    let asked = Asked { key: &key, request: &selected.fields, policy: selected.policy, demands: &selected.demands };
    let waiter = match gateway.cache.lookup(&asked, now) {
        // A refresh is for those who ask to begin.
        Lookup::Hit { .. } | Lookup::Stale { .. } => return Ok(()),
        Lookup::Collapsed { waiter, .. } => waiter,
        Lookup::Miss { fill, .. } => {
            let waiter = fill.waiter();
            fetch::start(gateway, snapshot, fill, &selected, &request, Errand::Ahead);
            waiter
        }
        Lookup::Pass(reason) => return Err(Unrendered::NotKept(reason)),
    };
    wait(waiter).await?;
    gateway.cache.glance(&asked, gateway.clock.now()).map(drop).map_err(|_| Unrendered::TooLong)
}

/// Waits for a page until it is whole.
async fn wait(mut waiter: Waiter<Failure>) -> Result<(), Unrendered> {
    loop {
        return match waiter.wait().await {
            Awaited::Interim(_) => continue,
            Awaited::Streaming(streaming, mut reader) => {
                while reader.next().await.map_err(|_| Unrendered::Cut)?.is_some() {}
                let status = streaming.head().status;
                if status.is_success() { Ok(()) } else { Err(Unrendered::Status(status)) }
            }
            Awaited::Renewed(..) => Ok(()),
            Awaited::Declined(reason) => Err(Unrendered::NotKept(reason)),
            Awaited::Failed(failure) => Err(Unrendered::Failed(failure)),
            Awaited::Crowded => Err(Unrendered::Failed(Failure::Crowded)),
            Awaited::Abandoned | Awaited::Unrelated | Awaited::Alone(..) => Err(Unrendered::Failed(Failure::Abandoned)),
        };
    }
}

/// A request that nobody sends, for the first of the sites.
fn nobodys_request(path: &str, snapshot: &Snapshot) -> Request {
    Request {
        method: Method::GET,
        target: path.to_owned(),
        authority: snapshot.hosts.first().cloned(),
        headers: HeaderMap::new(),
        body: BodyPresence::None,
        keep_alive: false,
        peer: None,
        scheme: Scheme::Http,
        protocol: Protocol::Http11,
    }
}

/// Why a page is not there.
#[derive(Debug, thiserror::Error)]
pub enum Unrendered {
    /// Nobody can ask for it.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Nothing is kept of it.
    #[error("a request for it is not answered from the cache")]
    NotCached,
    /// A visitor who asks for it is answered by the route of this pattern.
    #[error("it belongs to the route {0}")]
    OtherRoute(String),
    /// The handler says, or its answer shows, that it is for nobody else.
    #[error("the answer is not kept ({})", .0.as_str())]
    NotKept(DeclineReason),
    /// It is longer than what is kept.
    #[error("the answer is not kept (too-large)")]
    TooLong,
    /// The connection ended before it was whole.
    #[error("the answer broke off")]
    Cut,
    /// It is an error, or leads elsewhere.
    #[error("the handler answered with {0}")]
    Status(StatusCode),
    /// There is no answer.
    #[error("{}", .0.explanation())]
    Failed(Failure),
}
