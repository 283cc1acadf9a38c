//! Prerendering: pages that are known beforehand (`params` of routes) are fetched before anybody asks.
//!
//! At the start the gateway is ready once they are there, or after `cache.prerender_deadline`; what failed is told, and rendered
//! when somebody asks. Lists that come from an upstream are asked for again as often as the configuration says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep, timeout_at};
use tracing::{info, warn};

use crate::config::KnownParams;
use crate::failure::Failure;
use crate::fetch;
use crate::gateway::Gateway;
use crate::known::Known;
use crate::metrics::Prerendering;
use crate::render::{Found, Led, Page, Unrendered, WhenStale, render};
use crate::snapshot::{Route, RouteKind, Snapshot};

/// How often it is told how far it has come.
const PROGRESS: Duration = Duration::from_secs(1);

/// How many failures of one run are told one by one.
const TOLD_FAILURES: usize = 20;

/// How soon a handler is asked again that is not there yet.
const CONNECT_AGAIN: Duration = Duration::from_secs(1);

/// How soon an upstream is asked again that could not list what there is, at most.
const LIST_AGAIN: Duration = Duration::from_secs(10);

/// How prerendering is done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Pages at once.
    pub concurrency: usize,
    /// Longest time until the gateway is ready all the same.
    pub deadline: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Pages that were to be rendered.
    pub pages: usize,
    /// Those that are there.
    pub rendered: usize,
    /// Those that are not, because the handler failed or its answer is not kept.
    pub failed: usize,
}

/// A page that is known beforehand.
struct KnownPage {
    route: Arc<Route>,
    path: String,
}

/// Renders what is known beforehand, until it is done or the deadline is reached.
pub async fn at_start(gateway: &Arc<Gateway>, plan: Plan) -> Report {
    let snapshot = gateway.snapshot.load_full();
    if snapshot.routes.iter().all(|route| route.known.is_none()) {
        return Report::default();
    }
    let (begun, deadline) = (Instant::now(), Instant::now() + plan.deadline);
    // Each list is asked for by itself, so that an upstream that is slow to list keeps nobody waiting but its own pages. What it
    // lists after the deadline is known all the same.
    let (sender, mut lists) = unbounded_channel();
    let mut awaited: Vec<Arc<Route>> = snapshot.routes.iter().filter(|route| route.known.is_some()).cloned().collect();
    for route in &awaited {
        let (gateway, route, sender) = (Arc::clone(gateway), Arc::clone(route), sender.clone());
        tokio::spawn(async move {
            let pages = pages_of(&gateway, &route).await;
            // Nobody listens any more once the deadline is reached.
            drop(sender.send((route, pages)));
        });
    }
    drop(sender);
    let lists = stream::poll_fn(|context| lists.poll_recv(context)).map(|(route, pages)| {
        awaited.retain(|awaited| !Arc::ptr_eq(awaited, &route));
        pages
    });
    let report = render_all(gateway, &snapshot, lists, plan.concurrency, deadline).await;
    for route in awaited {
        warn!(route = route.pattern, "the parameters were not listed before the deadline");
    }
    report.tell(begun.elapsed());
    report
}

impl Report {
    fn tell(&self, time: Duration) {
        let (Report { pages, rendered, failed }, seconds) = (*self, time.as_secs_f64());
        let left = pages - rendered - failed;
        if failed + left == 0 {
            info!(pages, seconds, "prerendered");
        } else {
            warn!(
                pages,
                rendered, failed, left, seconds, "prerendered in part; the rest is rendered when somebody asks"
            );
        }
    }
}

/// Asks for lists again as often as the configuration says, and renders what is new on them, until the gateway stops.
pub fn keep_listing(gateway: &Arc<Gateway>, plan: Plan, stopping: &watch::Receiver<bool>) {
    for route in &gateway.snapshot.load().routes {
        let Some(KnownParams::Asked { every, .. }) = route.known.as_ref().map(|known| &known.source) else { continue };
        let (gateway, route, every) = (Arc::clone(gateway), Arc::clone(route), *every);
        let mut stopping = stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => {}
                () = list_again(&gateway, &route, every, plan) => {}
            }
        });
    }
}

async fn list_again(gateway: &Arc<Gateway>, route: &Arc<Route>, every: Option<Duration>, plan: Plan) {
    loop {
        let unknown = route.known.as_ref().is_some_and(|known| !known.is_listed());
        match every {
            // Until it is known what there is, nothing is answered: that is asked for sooner.
            _ if unknown => sleep(every.unwrap_or(LIST_AGAIN).min(LIST_AGAIN)).await,
            Some(every) => sleep(every).await,
            None => return,
        }
        let snapshot = gateway.snapshot.load_full();
        let pages = pages_of(gateway, route).await;
        if pages.is_empty() {
            continue;
        }
        let (begun, deadline) = (Instant::now(), Instant::now() + plan.deadline);
        let report = render_all(gateway, &snapshot, stream::iter([pages]), plan.concurrency, deadline).await;
        report.tell(begun.elapsed());
    }
}

/// Asks the upstream of a route which parameters there are, and gives back the paths that are new.
///
/// # Errors
///
/// Why it cannot be said; what was known stays.
pub(crate) async fn list_params(
    gateway: &Gateway,
    route: &Route,
    known: &Known,
    url: &str,
) -> Result<Vec<String>, String> {
    let listed = fetch::list(gateway, route, url).await.map_err(|error| error.to_string())?;
    known.learn(&listed).map_err(|expected| format!("expected {expected}"))
}

/// The pages of a route that are known beforehand and were not before. Where they come from its upstream it is asked now.
async fn pages_of(gateway: &Gateway, route: &Arc<Route>) -> Vec<KnownPage> {
    let Some(known) = &route.known else { return Vec::new() };
    let paths = match &known.source {
        KnownParams::Listed(paths) => paths.clone(),
        KnownParams::Asked { url, .. } => list_params(gateway, route, known, url).await.unwrap_or_else(|problem| {
            warn!(route = route.pattern, url, problem, "the parameters could not be listed");
            Vec::new()
        }),
    };
    match route.kind {
        RouteKind::Window(..) => paths.into_iter().map(|path| KnownPage { route: Arc::clone(route), path }).collect(),
        // What is not kept need not be rendered; what the handler decides about is asked for by those who want it.
        RouteKind::Dynamic | RouteKind::Origin(_) => Vec::new(),
    }
}

async fn render_all(
    gateway: &Arc<Gateway>,
    snapshot: &Arc<Snapshot>,
    lists: impl Stream<Item = Vec<KnownPage>>,
    concurrency: usize,
    deadline: Instant,
) -> Report {
    let listed = AtomicUsize::new(0);
    let mut report = Report::default();
    let pages = lists.flat_map(|pages| {
        listed.fetch_add(pages.len(), Ordering::Relaxed);
        stream::iter(pages)
    });
    let rendering = pages.map(|page| async move {
        let result = render_once_it_is_up(gateway, snapshot, &page).await;
        (page, result)
    });
    let mut rendering = std::pin::pin!(rendering.buffer_unordered(concurrency));
    let mut progress = interval(PROGRESS);
    progress.reset();
    loop {
        let next = tokio::select! {
            next = timeout_at(deadline, rendering.next()) => next,
            _ = progress.tick() => {
                let Report { rendered, failed, .. } = report;
                let pages = listed.load(Ordering::Relaxed);
                info!(rendered, failed, pages, "prerendering");
                continue;
            }
        };
        match next {
            Ok(Some((page, Ok(_)))) => {
                report.rendered += 1;
                gateway.metrics.prerendered(&page.route.pattern, Prerendering::Rendered);
            }
            Ok(Some((page, Err(problem)))) => {
                let problem = problem.to_string();
                report.failed += 1;
                gateway.metrics.prerendered(&page.route.pattern, Prerendering::Failed);
                if report.failed <= TOLD_FAILURES {
                    warn!(route = page.route.pattern, path = page.path, problem, "a page could not be prerendered");
                }
            }
            Ok(None) | Err(_) => return Report { pages: listed.load(Ordering::Relaxed), ..report },
        }
    }
}

/// Sees to it that a page is there. A handler that is not there yet, because it starts together with the gateway, is asked again
/// until the deadline drops this.
async fn render_once_it_is_up(
    gateway: &Arc<Gateway>,
    snapshot: &Arc<Snapshot>,
    known: &KnownPage,
) -> Result<Found, Unrendered> {
    let led = Led::ToRoute(&known.route);
    // A refresh is for those who ask to begin.
    let page = Page { target: &known.path, site: None, led, stale: WhenStale::Left, pace: None };
    loop {
        match render(gateway, snapshot, &page).await.result {
            Err(Unrendered::Failed(Failure::Connect)) => sleep(CONNECT_AGAIN).await,
            result => return result,
        }
    }
}
