//! One page, fetched before anybody asks for it: for prerendering, for warming up, and for what was popular when
//! it was invalidated.
//!
//! It takes the way of every other (`ruling`, `admission`, the look-up, `fetch`), and whoever has it fetched waits for it.

use std::borrow::Cow;
use std::sync::Arc;

use evergate_cache::{Asked, Awaited, CacheKey, DeclineReason, Fill, KeyParts, Lookup, StaleReason, Variant, Waiter};
use http::header::{COOKIE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::admission::{Admission, Selected, admit};
use crate::failure::Failure;
use crate::fetch::{self, Errand};
use crate::gateway::Gateway;
use crate::outcome::Answered;
use crate::pace::Pace;
use crate::page_form::PageForm;
use crate::request::{BodyPresence, Protocol, Request};
use crate::respond::Notice;
use crate::ruling::Ruling;
use crate::snapshot::{Route, RouteKind, Snapshot};
use crate::target::{Target, TargetError};

/// A page that is to be there, and how it is seen to.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Its path and query.
    pub target: &'a str,
    /// Its site, in lower case and without a port; none is the first of those that are served.
    pub site: Option<&'a str>,
    /// What it belongs to.
    pub led: Led<'a>,
    /// What becomes of a stored response that is stale.
    pub stale: WhenStale,
    /// How often handlers may be asked, where that is bounded.
    pub pace: Option<&'a Pace>,
}

/// What a page belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Led<'a> {
    /// A route, wherever rules would lead a visitor.
    ToRoute(&'a Arc<Route>),
    /// What visitors who ask for it are led to.
    ByRules,
}

/// What becomes of a stored response that is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenStale {
    /// It will do: the next visitor has it refreshed.
    Left,
    /// It is refreshed, and waited for.
    Refreshed,
}

/// What came of a page.
#[derive(Debug)]
pub struct Rendering {
    /// The route that it belongs to, as far as that was found out.
    pub route: Option<Arc<Route>>,
    /// Whether it is there.
    pub result: Result<Found, Unrendered>,
}

/// How a page came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was there already, or somebody refreshes it at this moment.
    There,
    /// It was fetched.
    Rendered,
}

/// How often a page is looked up whose fill was given up.
const MOST_LOOKS: usize = 3;

/// Sees to it that a page is there. What failed is not tried again.
pub async fn render(gateway: &Arc<Gateway>, snapshot: &Arc<Snapshot>, page: &Page<'_>) -> Rendering {
    let mut route = None;
    let result = admitted(gateway, snapshot, page, &mut route).await;
    Rendering { route, result }
}

/// Fetches again what is stored under a key for a variant, unless it is fresh: as it was asked for, past the rules, which have
/// had their say. Only what a window of the operator's keeps: elsewhere the handler saw the whole request of whoever asked.
///
/// # Errors
///
/// Why it is not there.
pub async fn again(
    gateway: &Arc<Gateway>,
    snapshot: &Arc<Snapshot>,
    key: &CacheKey,
    variant: &Variant,
) -> Result<Found, Unrendered> {
    let parts = KeyParts::read(key.as_bytes()).ok_or(Unrendered::NotCached)?;
    let request = Request { scheme: parts.site.scheme, ..request_of(&parts, variant, snapshot) };
    let target = Target::parse(&request.target)?;
    let addressee = snapshot.addressee_at(target.matched_path(), parts.site.upstream);
    let addressee = addressee.ok_or(Unrendered::NotCached)?;
    let selected = match admit(&request, &target, addressee, snapshot, gateway.clock.now().wall) {
        Admission::Cached(selected) if matches!(selected.route.kind, RouteKind::Window(..)) => selected,
        Admission::Cached(_) | Admission::Pass(_) => return Err(Unrendered::NotCached),
        Admission::Answer(notice, what) => return Err(Unrendered::answered(&notice, what)),
    };
    if selected.key(request.scheme, snapshot).key() != *key {
        // Under this configuration nobody is answered with it any more.
        return Err(Unrendered::NotCached);
    }
    let led = Led::ToRoute(selected.route);
    let page = Page { target: &request.target, site: None, led, stale: WhenStale::Refreshed, pace: None };
    Seeking { gateway, snapshot, page: &page, selected: &selected, request: &request }.see_to_it().await
}

/// The request that asks for a variant of a page, as far as the handler got to see it.
fn request_of(parts: &KeyParts<'_>, variant: &Variant, snapshot: &Snapshot) -> Request {
    let query = parts.query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut request = nobodys_request(&format!("{}{query}", parts.path), parts.site.host, snapshot);
    let cookies = parts.cookies.and_then(|cookies| HeaderValue::from_bytes(cookies).ok());
    request.headers.extend(cookies.map(|cookies| (COOKIE, cookies)));
    request.headers.extend(parts.form.into_iter().flat_map(PageForm::fields_of));
    let fields =
        variant.fields().filter_map(|(name, value)| Some((name.clone(), HeaderValue::from_bytes(value?).ok()?)));
    request.headers.extend(fields);
    request
}

/// Finds out what the page is, and sees to it where it is one that is kept.
async fn admitted(
    gateway: &Arc<Gateway>,
    snapshot: &Arc<Snapshot>,
    page: &Page<'_>,
    found: &mut Option<Arc<Route>>,
) -> Result<Found, Unrendered> {
    let request = nobodys_request(page.target, page.site, snapshot);
    let target = Target::parse(page.target)?;
    let now = gateway.clock.now().wall;
    let ruling = Ruling::of(&request, &target, snapshot, now);
    let (reached, upstream) = match page.led {
        // Where rules lead is for visitors; what they make of the request the handler is to see here too.
        Led::ToRoute(_) => (None, None),
        Led::ByRules => {
            if let Some((notice, what)) = &ruling.end {
                return Err(Unrendered::answered(notice, *what));
            }
            (ruling.target.as_deref().map(Target::parse).transpose()?, ruling.upstream)
        }
    };
    let target = reached.as_ref().unwrap_or(&target);
    let addressee = snapshot.addressee(target.matched_path(), upstream);
    *found = addressee.route().map(Arc::clone);
    let selected = match admit(&ruling.request, target, addressee, snapshot, now) {
        Admission::Cached(selected) => selected,
        Admission::Pass(_) => return Err(Unrendered::NotCached),
        Admission::Answer(notice, what) => return Err(Unrendered::answered(&notice, what)),
    };
    match (page.led, &selected.route.kind) {
        (Led::ToRoute(route), _) if !Arc::ptr_eq(selected.route, route) => {
            return Err(Unrendered::OtherRoute(selected.route.pattern.clone()));
        }
        // What the handler decides about is asked for by those who want it, as they want it.
        (_, RouteKind::Origin(_) | RouteKind::Dynamic) => return Err(Unrendered::NotCached),
        (_, RouteKind::Window(..)) => {}
    }
    Seeking { gateway, snapshot, page, selected: &selected, request: &ruling.request }.see_to_it().await
}

/// A page that may be kept.
struct Seeking<'a> {
    gateway: &'a Arc<Gateway>,
    snapshot: &'a Arc<Snapshot>,
    page: &'a Page<'a>,
    selected: &'a Selected<'a>,
    request: &'a Request,
}

impl Seeking<'_> {
    async fn see_to_it(&self) -> Result<Found, Unrendered> {
        let Seeking { gateway, selected, .. } = self;
        let mut key = Vec::with_capacity(256);
        selected.key(self.request.scheme, self.snapshot).write(&mut key);
        let asked = Asked { key: &key, request: &selected.fields, policy: selected.policy, demands: &selected.demands };
        if let Some(pace) = self.page.pace
            && !self.is_there(&asked)
        {
            // Waited for before anything is begun: others shall not wait for whoever waits here.
            pace.turn().await;
        }
        let mut looks = 1;
        loop {
            let waiter = match gateway.cache.lookup(&asked, gateway.clock.now()) {
                Lookup::Hit { response, .. } => return successful(response.status(), Found::There),
                Lookup::Stale { response, reason, refresh, .. } => match (self.page.stale, refresh, reason) {
                    (WhenStale::Refreshed, Some(fill), _) => self.refresh(fill).await?,
                    (WhenStale::Refreshed, None, StaleReason::Error) => return Err(Unrendered::BackingOff),
                    (
                        WhenStale::Refreshed,
                        None,
                        StaleReason::Revalidating | StaleReason::Asked | StaleReason::Invalidated,
                    )
                    | (WhenStale::Left, _, _) => return successful(response.status(), Found::There),
                },
                Lookup::Collapsed { waiter, .. } => waiter,
                Lookup::Miss { fill, .. } => {
                    let waiter = fill.waiter();
                    fetch::start(gateway, self.snapshot, fill, selected, self.request, Errand::Ahead);
                    waiter
                }
                Lookup::Pass(reason) => return Err(Unrendered::NotKept(reason)),
            };
            match wait(waiter).await {
                Err(Unrendered::Failed(Failure::Abandoned)) if looks < MOST_LOOKS => looks += 1,
                Err(problem) => return Err(problem),
                Ok(()) => break,
            }
        }
        let kept = gateway.cache.glance(&asked, gateway.clock.now());
        kept.map(|_| Found::Rendered).map_err(|_| Unrendered::TooLong)
    }

    /// Whether nothing is to be fetched.
    fn is_there(&self, asked: &Asked<'_>) -> bool {
        let glance = self.gateway.cache.glance(asked, self.gateway.clock.now());
        glance.is_ok_and(|glance| glance.staleness.is_ok() || self.page.stale == WhenStale::Left)
    }

    /// Refreshes what is stale, once there is a place among the refreshes of its upstream.
    async fn refresh(&self, fill: Fill<Failure>) -> Result<Waiter<Failure>, Unrendered> {
        let waiter = fill.waiter();
        let place = Arc::clone(&self.selected.route.upstream.refreshes).acquire_owned().await;
        let place = place.map_err(|_| Unrendered::Failed(Failure::Crowded))?;
        fetch::start(self.gateway, self.snapshot, fill, self.selected, self.request, Errand::Refresh(place));
        Ok(waiter)
    }
}

/// A page is there when it is one: an error or a redirect that is kept for a while is not what is meant.
fn successful(status: StatusCode, found: Found) -> Result<Found, Unrendered> {
    if status.is_success() { Ok(found) } else { Err(Unrendered::Status(status)) }
}

/// Waits for a page until it is whole.
async fn wait(mut waiter: Waiter<Failure>) -> Result<(), Unrendered> {
    loop {
        return match waiter.wait().await {
            Awaited::Interim(_) => continue,
            Awaited::Streaming(streaming, mut reader) => {
                while reader.next().await.map_err(|_| Unrendered::Cut)?.is_some() {}
                successful(streaming.head().status, Found::Rendered).map(drop)
            }
            Awaited::Renewed(response, _) => successful(response.status(), Found::Rendered).map(drop),
            Awaited::Declined(reason) => Err(Unrendered::NotKept(reason)),
            Awaited::Failed(failure) => Err(Unrendered::Failed(failure)),
            Awaited::Crowded => Err(Unrendered::Failed(Failure::Crowded)),
            Awaited::Abandoned | Awaited::Unrelated | Awaited::Outdated | Awaited::Alone(..) => {
                Err(Unrendered::Failed(Failure::Abandoned))
            }
        };
    }
}

/// A request that nobody sends. It is one for HTTPS where a listener speaks it ([`Snapshot::scheme`]).
pub(crate) fn nobodys_request(target: &str, site: Option<&str>, snapshot: &Snapshot) -> Request {
    Request {
        method: Method::GET,
        target: target.to_owned(),
        authority: site.map(str::to_owned).or_else(|| snapshot.hosts.first().cloned()),
        headers: HeaderMap::new(),
        body: BodyPresence::None,
        keep_alive: false,
        peer: None,
        scheme: snapshot.scheme,
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
    /// The gateway itself answers whoever asks for it.
    #[error("the gateway answers with {0}: {1}")]
    Answered(StatusCode, String),
    /// It has another name, to which visitors are redirected.
    #[error("its one name is {0}")]
    OtherName(String),
    /// A visitor who asks for it is answered by the route of this pattern.
    #[error("it belongs to the route {0}")]
    OtherRoute(String),
    /// The handler says, or its answer shows, that it is for nobody else.
    #[error("the answer is not kept ({})", .0.as_str())]
    NotKept(DeclineReason),
    /// It is longer than what is kept.
    #[error("the answer is not kept (too-large)")]
    TooLong,
    /// It is stale, and its handler failed a moment ago.
    #[error("it is stale, and the handler that failed a moment ago is not asked again yet")]
    BackingOff,
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

impl Unrendered {
    /// What an answer of the gateway's own means for a page.
    pub(crate) fn answered(notice: &Notice, what: Answered) -> Unrendered {
        match what {
            Answered::Redirected => {
                let location =
                    notice.fields.get(&LOCATION).map(|location| String::from_utf8_lossy(location.as_bytes()));
                Unrendered::OtherName(location.map(Cow::into_owned).unwrap_or_default())
            }
            // The operator's own word on it: there is nothing to be kept.
            Answered::RuleRedirect | Answered::RuleRespond | Answered::Options | Answered::Preflight => {
                Unrendered::NotCached
            }
            Answered::Refused
            | Answered::Misdirected
            | Answered::NotFound
            | Answered::UnknownParams
            | Answered::ParamsNotListed
            | Answered::MethodNotAllowed
            | Answered::NotCached
            | Answered::RuleFailed
            | Answered::Purged
            | Answered::PurgeRefused
            | Answered::ForeignOrigin => Unrendered::Answered(notice.status, notice.explanation().unwrap_or_default()),
        }
    }
}
