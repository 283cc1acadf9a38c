//! Warming up: pages that somebody lists are fetched before visitors ask for them, while visitors are served.
//!
//! An [`Order`] says which pages and how fast; [`warm`] tells in lines how far it has come, and last what came of it. It goes on
//! as long as the lines are read: who stops reading them stops it, but for the fetches that are under way.

mod located;
mod order;
mod seen;
mod sources;
mod summary;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::coop::consume_budget;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::gateway::Gateway;
use crate::metrics::{NO_ROUTE, Warmed};
use crate::pace::Pace;
use crate::render::{Found, Led, Page, Rendering, Unrendered, WhenStale, render};

pub use located::{Located, Unlocated, locate};
pub use order::{CONCURRENCY, MAX_CONCURRENCY, MAX_ORDER, MAX_PAGES, Order, OrderError, a_rate, step};
pub use summary::{Line, MAX_TOLD_FAILURES, Problem, Summary, Tally};

use sources::{Sources, Todo};

/// How often it is told how far it has come.
const PROGRESS: Duration = Duration::from_millis(250);

/// Warms up what `order` lists. The permit is given back at the end.
pub fn warm(gateway: &Arc<Gateway>, order: Order, permit: OwnedSemaphorePermit) -> impl Stream<Item = Line> + use<> {
    let run = Run::new(Arc::clone(gateway), order, permit);
    stream::unfold(run, async |mut run| {
        let line = run.next().await?;
        Some((line, run))
    })
}

/// What was dealt with.
enum Dealt {
    /// What came of one page.
    Page { url: String, route: Option<String>, result: Result<Warmed, String> },
    /// A list that cannot be read.
    List(Problem),
}

/// A warm-up under way.
struct Run {
    gateway: Arc<Gateway>,
    warming: Pin<Box<dyn Stream<Item = Dealt> + Send>>,
    /// How many pages were listed so far.
    listed: Arc<AtomicUsize>,
    summary: Summary,
    progress: Interval,
    ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl Run {
    fn new(gateway: Arc<Gateway>, order: Order, permit: OwnedSemaphorePermit) -> Run {
        let concurrency = order.concurrency;
        let pace = order.step.map(Pace::new).map(Arc::new);
        let listed = Arc::new(AtomicUsize::new(0));
        let sources = Sources::new(order, gateway.snapshot.load_full());
        let asking = Arc::clone(&gateway);
        let batches = stream::unfold((asking, sources), async |(gateway, mut sources)| {
            let batch = sources.next(&gateway).await?;
            Some((batch, (gateway, sources)))
        });
        let counted = Arc::clone(&listed);
        let todo = batches.flat_map(move |batch| {
            let pages = batch.iter().filter(|todo| !matches!(todo, Todo::Missed(_))).count();
            counted.fetch_add(pages, Ordering::Relaxed);
            stream::iter(batch)
        });
        let rendering = Arc::clone(&gateway);
        let warming = todo.map(move |todo| {
            let (gateway, pace) = (Arc::clone(&rendering), pace.clone());
            async move { deal(&gateway, todo, pace.as_deref()).await }
        });
        let warming = Box::pin(warming.buffer_unordered(concurrency));
        let (summary, mut progress) = (Summary::default(), interval(PROGRESS));
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Run { gateway, warming, listed, summary, progress, ended: false, _permit: permit }
    }

    /// How far it has come, after a while, or at its end what came of it.
    async fn next(&mut self) -> Option<Line> {
        while !self.ended {
            tokio::select! {
                dealt = self.warming.next() => match dealt {
                    Some(dealt) => self.count(dealt),
                    None => return Some(self.end()),
                },
                _ = self.progress.tick() => {
                    let pages = self.listed.load(Ordering::Relaxed);
                    return Some(Line::Progress { progress: Tally { pages, ..self.summary.tally } });
                }
            }
        }
        None
    }

    fn count(&mut self, dealt: Dealt) {
        let (url, route, result) = match dealt {
            Dealt::Page { url, route, result } => (url, route, result),
            Dealt::List(problem) => {
                self.gateway.metrics.warmed(NO_ROUTE, Warmed::Failed);
                return self.summary.miss_list(problem);
            }
        };
        let counted = result.as_ref().copied().unwrap_or(Warmed::Failed);
        self.gateway.metrics.warmed(route.as_deref().unwrap_or(NO_ROUTE), counted);
        self.summary.tally.count(counted);
        if let Err(problem) = result {
            self.summary.tell(Problem::new(&url, problem));
        }
    }

    fn end(&mut self) -> Line {
        self.ended = true;
        let Tally { pages, rendered, fresh, failed, not_cached, failed_lists } = self.summary.tally;
        info!(pages, rendered, fresh, failed, not_cached, failed_lists, "warmed up");
        Line::Done(std::mem::take(&mut self.summary))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.ended {
            let Tally { pages, rendered, fresh, failed, not_cached, failed_lists } = self.summary.tally;
            warn!(
                pages,
                rendered,
                fresh,
                failed,
                not_cached,
                failed_lists,
                "a warm-up was stopped: nobody reads how far it has come"
            );
        }
    }
}

/// Sees to one page, or passes on why a list has none.
async fn deal(gateway: &Arc<Gateway>, todo: Todo, pace: Option<&Pace>) -> Dealt {
    // Pages that are there already are dealt with at once, any number of them: others have their turn in between.
    consume_budget().await;
    let stale = WhenStale::Refreshed;
    let (url, Rendering { route, result }) = match todo {
        Todo::Missed(problem) => return Dealt::List(problem),
        Todo::Refused(Problem { url, problem }) => return Dealt::Page { url, route: None, result: Err(problem) },
        Todo::Listed(url) => {
            // Each page by the configuration of its moment.
            let snapshot = gateway.snapshot.load_full();
            let located = match locate(&url, &snapshot.hosts) {
                Ok(located) => located,
                Err(error) => return Dealt::Page { url, route: None, result: Err(error.to_string()) },
            };
            let (target, site) = (located.target.as_str(), located.site.as_deref());
            let page = Page { target, site, led: Led::ByRules, stale, pace };
            (url, render(gateway, &snapshot, &page).await)
        }
        Todo::Known(snapshot, route, path) => {
            let page = Page { target: &path, site: None, led: Led::ToRoute(&route), stale, pace };
            let rendering = render(gateway, &snapshot, &page).await;
            (path, rendering)
        }
    };
    let result = match result {
        Ok(Found::There) => Ok(Warmed::Fresh),
        Ok(Found::Rendered) => Ok(Warmed::Rendered),
        Err(Unrendered::NotCached) => Ok(Warmed::NotCached),
        Err(problem) => Err(problem.to_string()),
    };
    Dealt::Page { url, route: route.map(|route| route.pattern.clone()), result }
}
