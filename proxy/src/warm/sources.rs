//! Where the pages of a warm-up come from, one list after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::coop::consume_budget;

use super::located::{Located, locate};
use super::order::{MAX_PAGES, Order};
use super::seen::Seen;
use super::summary::Problem;
use crate::admission::{Admission, admit};
use crate::config::KnownParams;
use crate::fetch::{self, Wanted};
use crate::gateway::Gateway;
use crate::prerender::list_params;
use crate::render::{Unrendered, nobodys_request};
use crate::ruling::Ruling;
use crate::sitemap::{MAX_SITEMAP, Sheet, Walk, beyond_walk};
use crate::snapshot::{Route, Snapshot};
use crate::target::Target;
use crate::upstream::{Preference, Upstream};

/// Something that is to be dealt with.
#[derive(Debug)]
pub(super) enum Todo {
    /// A page, as a URL or a path.
    Listed(String),
    /// A page of this route that is known beforehand.
    Known(Arc<Snapshot>, Arc<Route>, String),
    /// A page about which nothing can be done.
    Refused(Problem),
    /// A list that cannot be read: no page.
    Missed(Problem),
}

/// What is still to be listed.
pub(super) struct Sources {
    snapshot: Arc<Snapshot>,
    /// Sitemaps that had no place.
    left_out: Vec<String>,
    urls: Vec<String>,
    sitemaps: Walk,
    routes: VecDeque<Arc<Route>>,
    seen: Seen,
    /// How many pages may still be listed.
    left: usize,
    /// How many pages were listed.
    pages: usize,
}

impl Todo {
    /// What is said of the first page beyond [`MAX_PAGES`]: that there are more.
    fn beyond_limit(self) -> Todo {
        let beyond = |url: &str| {
            Problem::new(url, format!("it and what comes after it is beyond {MAX_PAGES} pages, and left out"))
        };
        match self {
            Todo::Listed(url) | Todo::Known(_, _, url) => Todo::Refused(beyond(&url)),
            Todo::Refused(problem) => Todo::Refused(beyond(&problem.url)),
            Todo::Missed(problem) => Todo::Missed(problem),
        }
    }
}

impl Sources {
    pub(super) fn new(order: Order, snapshot: Arc<Snapshot>) -> Sources {
        let routes = snapshot.routes.iter().filter(|route| order.params && route.known.is_some());
        let routes = routes.cloned().collect();
        let (sitemaps, left_out) = Walk::begin(order.sitemaps);
        let left = order.limit.unwrap_or(usize::MAX).min(MAX_PAGES + 1);
        Sources { snapshot, left_out, urls: order.urls, sitemaps, routes, seen: Seen::default(), left, pages: 0 }
    }

    /// The next list, without what was in those before it; none when there are no more, or no more are wanted.
    pub(super) async fn next(&mut self, gateway: &Gateway) -> Option<Vec<Todo>> {
        if self.left == 0 {
            return None;
        }
        if !self.left_out.is_empty() {
            let left_out = std::mem::take(&mut self.left_out).into_iter();
            return Some(left_out.map(|url| Todo::Missed(Problem::new(&url, beyond_walk()))).collect());
        }
        let listed = self.listed(gateway).await?;
        let mut fresh = Vec::new();
        for todo in listed {
            // There may be a million of them.
            consume_budget().await;
            if matches!(&todo, Todo::Listed(url) if !self.seen.is_new(url, &self.snapshot.hosts)) {
                continue;
            }
            if matches!(todo, Todo::Missed(_)) {
                fresh.push(todo);
                continue;
            }
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            self.pages += 1;
            fresh.push(if self.pages > MAX_PAGES { todo.beyond_limit() } else { todo });
        }
        Some(fresh)
    }

    /// The next list, as it is.
    async fn listed(&mut self, gateway: &Gateway) -> Option<Vec<Todo>> {
        if !self.urls.is_empty() {
            return Some(std::mem::take(&mut self.urls).into_iter().map(Todo::Listed).collect());
        }
        if let Some(sheet) = self.sitemaps.next_sheet() {
            let pages = self.read(gateway, &sheet).await;
            let missed = |problem| vec![Todo::Missed(Problem::new(&sheet.url, problem))];
            return Some(pages.map_or_else(missed, |pages| pages.into_iter().map(Todo::Listed).collect()));
        }
        let route = self.routes.pop_front()?;
        Some(self.params(gateway, &route).await)
    }

    /// Reads a sitemap of a site of the gateway's own, and nothing else: whatever host an index names, its own upstream is asked.
    async fn read(&mut self, gateway: &Gateway, sheet: &Sheet) -> Result<Vec<String>, String> {
        let document = document(gateway, &self.snapshot, &sheet.url).await?;
        let (snapshot, sheet, mut sitemaps) =
            (Arc::clone(&self.snapshot), sheet.clone(), std::mem::take(&mut self.sitemaps));
        // It may be 50 MiB when it is unpacked: not on a thread that serves.
        let taken = tokio::task::spawn_blocking(move || {
            // One spelling for each, so that none is read twice.
            let resolve = |place: &str| match locate(place, &snapshot.hosts) {
                Ok(Located { site: None, target }) => target,
                Ok(Located { site: Some(site), target }) => format!("http://{site}{target}"),
                Err(_) => place.to_owned(),
            };
            let pages = sitemaps.take(&sheet, &document, resolve);
            (sitemaps, pages)
        });
        let (sitemaps, pages) = taken.await.map_err(|error| error.to_string())?;
        self.sitemaps = sitemaps;
        pages.map_err(|error| match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        })
    }

    /// The pages of a route that are known beforehand, as its upstream lists them now, where it does.
    async fn params(&self, gateway: &Gateway, route: &Arc<Route>) -> Vec<Todo> {
        let Some(known) = &route.known else { return Vec::new() };
        let paths = match &known.source {
            KnownParams::Listed(paths) => paths.clone(),
            KnownParams::Asked { url, .. } => match list_params(gateway, route, known, url).await {
                Ok(_) => known.paths(),
                Err(problem) => {
                    let problem = format!("the parameters of {} could not be listed: {problem}", route.pattern);
                    return vec![Todo::Missed(Problem::new(url, problem))];
                }
            },
        };
        let todo = |path| Todo::Known(Arc::clone(&self.snapshot), Arc::clone(route), path);
        paths.into_iter().map(todo).collect()
    }
}

/// Asks the upstream to which visitors are led who ask for this sitemap.
async fn document(gateway: &Gateway, snapshot: &Arc<Snapshot>, url: &str) -> Result<Bytes, String> {
    let located = locate(url, &snapshot.hosts).map_err(|error| error.to_string())?;
    let asked = asked(gateway, snapshot, &located).map_err(|error| error.to_string())?;
    let wanted = Wanted {
        upstream: &asked.upstream,
        preference: &asked.preference,
        target: &asked.target,
        site: located.site.as_deref().or(snapshot.hosts.first().map(String::as_str)),
        patience: asked.patience,
        most: MAX_SITEMAP,
    };
    fetch::document(gateway, wanted).await.map_err(|error| error.to_string())
}

/// Who is asked for a sitemap, and for what.
struct Asked {
    upstream: Arc<Upstream>,
    preference: Preference,
    target: String,
    patience: Option<Duration>,
}

/// Finds out where rules and routes lead a visitor who asks for it.
fn asked(gateway: &Gateway, snapshot: &Arc<Snapshot>, located: &Located) -> Result<Asked, Unrendered> {
    let now = gateway.clock.now().wall;
    let request = nobodys_request(&located.target, located.site.as_deref(), snapshot);
    let target = Target::parse(&located.target)?;
    let ruling = Ruling::of(&request, &target, snapshot, now);
    if let Some((notice, what)) = &ruling.end {
        return Err(Unrendered::answered(notice, *what));
    }
    let reached = ruling.target.as_deref().map(Target::parse).transpose()?;
    let target = reached.as_ref().unwrap_or(&target);
    let addressee = snapshot.addressee(target.matched_path(), ruling.upstream);
    let (upstream, route) = match admit(&ruling.request, target, addressee, snapshot, now) {
        Admission::Cached(selected) => (Arc::clone(&selected.route.upstream), Some(Arc::clone(selected.route))),
        Admission::Pass(passage) => (passage.upstream, passage.route),
        Admission::Answer(notice, what) => return Err(Unrendered::answered(&notice, what)),
    };
    let preference = route.as_ref().map(|route| route.preference.clone()).unwrap_or_default();
    let patience = route.and_then(|route| route.max_duration);
    Ok(Asked { upstream, preference, target: target.forwarded(), patience })
}
