//! What is counted. Labels are enums and route patterns, never raw paths.

mod ahead;
mod families;
mod figures;
mod invalidation;
mod meters;
mod purges;

use std::time::Duration;

use evergate_cache::{Forgetting, LabelFigures, StaleReason, StoreFigures};
use http::{Method, StatusCode};
use prometheus::{Encoder, HistogramVec, IntCounter, IntCounterVec, Registry, TextEncoder};

use crate::failure::Failure;
use crate::outcome::{Fetched, Outcome, PassReason, ServedStale, XCache};
use ahead::AheadFamilies;
use families::Families;
use figures::Figures;
use invalidation::{MODES, mode};
use meters::Meter;
use purges::PurgeFamilies;

pub use ahead::{Prerendering, Refreshed, Warmed};
pub use invalidation::InvalidationKind;
pub use meters::{Meters, UpstreamMeter};
pub use purges::Purges;

/// Label of requests that no route matches, and of those that were refused before a route was looked for.
pub const NO_ROUTE: &str = "(none)";

/// Methods that have a label of their own; the others share `other`.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// How a refresh behind the visitors' backs ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revalidation {
    /// A new response is stored.
    Fresh,
    /// The handler confirmed the old one.
    NotModified,
    /// The handler failed; the old one stays.
    Failed,
    /// The answer is not kept; the old one is gone.
    Declined,
    /// Too many run already.
    Skipped,
}

impl Revalidation {
    const ALL: [Revalidation; 5] = [
        Revalidation::Fresh,
        Revalidation::NotModified,
        Revalidation::Failed,
        Revalidation::Declined,
        Revalidation::Skipped,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Revalidation::Fresh => "fresh",
            Revalidation::NotModified => "not_modified",
            Revalidation::Failed => "failed",
            Revalidation::Declined => "declined",
            Revalidation::Skipped => "skipped",
        }
    }
}

/// How a request to a handler ended, as far as its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamResult {
    /// It answered.
    Ok,
    /// It failed in the way of this name.
    Failed(&'static str),
}

impl UpstreamResult {
    /// The result of asking.
    pub fn of<T>(asked: &Result<T, Failure>) -> UpstreamResult {
        match asked {
            Ok(_) => UpstreamResult::Ok,
            Err(failure) => UpstreamResult::Failed(failure.as_str()),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            UpstreamResult::Ok => "ok",
            UpstreamResult::Failed(name) => name,
        }
    }
}

/// Every metric of the gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    upstream_requests: IntCounterVec,
    upstream_duration: HistogramVec,
    revalidations: IntCounterVec,
    revalidation_duration: HistogramVec,
    ahead: AheadFamilies,
    invalidations: IntCounterVec,
    coalesced: IntCounterVec,
    uncacheable: IntCounterVec,
    stale_served: IntCounterVec,
    figures: Figures,
    downstream: PurgeFamilies,
    /// What counts requests that no route matches.
    no_route: Meters,
}

impl Metrics {
    /// Every family, registered, with zero for its closed labels. `routes`, `upstreams` and
    /// `downstream` are the names that will be used.
    ///
    /// # Errors
    ///
    /// The library's, when two families share a name: a bug.
    pub fn new(routes: &[&str], upstreams: &[&str], downstream: &[&str]) -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let families = Families(&registry);
        let build = families.gauges("evergate_build_info", "The running version; always 1.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        let metrics = Metrics {
            requests: families.counters(
                "evergate_requests_total",
                "Requests by route, method, status class and what the cache did.",
                &["route", "method", "status", "cache"],
            )?,
            request_duration: families.durations(
                "evergate_request_duration_seconds",
                "Time from a request's head to the end of its response.",
                &["route", "cache"],
            )?,
            upstream_requests: families.counters(
                "evergate_upstream_requests_total",
                "Requests to handlers by how they ended: ok is an answer of any status.",
                &["upstream", "result"],
            )?,
            upstream_duration: families.durations(
                "evergate_upstream_duration_seconds",
                "Time from asking a handler to the head of its answer.",
                &["upstream"],
            )?,
            revalidations: families.counters(
                "evergate_revalidations_total",
                "Refreshes behind the visitors' backs by how they ended.",
                &["route", "result"],
            )?,
            revalidation_duration: families.durations(
                "evergate_revalidation_duration_seconds",
                "Time that a refresh behind the visitors' backs took.",
                &["route"],
            )?,
            ahead: AheadFamilies::new(&families)?,
            invalidations: families.counters(
                "evergate_invalidations_total",
                "What was to be forgotten, by what named it and what becomes of it.",
                &["kind", "mode"],
            )?,
            coalesced: families.counters(
                "evergate_coalesced_requests_total",
                "Requests that shared a fetch which was already under way.",
                &["route"],
            )?,
            uncacheable: families.counters(
                "evergate_uncacheable_total",
                "Requests that went through without the cache, by reason.",
                &["route", "reason"],
            )?,
            stale_served: families.counters(
                "evergate_stale_served_total",
                "Responses served past their freshness lifetime, by reason.",
                &["route", "reason"],
            )?,
            figures: Figures::new(&families)?,
            downstream: PurgeFamilies::new(&families)?,
            no_route: Meters::new(NO_ROUTE),
            registry,
        };
        metrics.prepare(routes, upstreams, downstream);
        Ok(metrics)
    }

    /// Zero for every closed label, so that a rate has something to begin with.
    fn prepare(&self, routes: &[&str], upstreams: &[&str], downstream: &[&str]) {
        for route in routes.iter().chain([&NO_ROUTE]) {
            for cache in XCache::ALL {
                self.requests.with_label_values(&[route, "GET", "2xx", cache.label()]);
                self.request_duration.with_label_values(&[route, cache.label()]);
            }
            for result in Revalidation::ALL {
                self.revalidations.with_label_values(&[route, result.as_str()]);
            }
            for reason in PassReason::all() {
                self.uncacheable.with_label_values(&[route, reason.as_str()]);
            }
            for reason in ServedStale::ALL {
                self.stale_served.with_label_values(&[route, reason.as_str()]);
            }
            self.coalesced.with_label_values(&[route]);
            self.revalidation_duration.with_label_values(&[route]);
        }
        for upstream in upstreams {
            for result in [UpstreamResult::Ok].into_iter().chain(Failure::NAMES.map(UpstreamResult::Failed)) {
                self.upstream_requests.with_label_values(&[upstream, result.as_str()]);
            }
            self.upstream_duration.with_label_values(&[upstream]);
        }
        self.ahead.prepare(routes);
        for kind in InvalidationKind::ALL {
            for way in MODES {
                self.invalidations.with_label_values(&[kind.as_str(), mode(way)]);
            }
        }
        self.downstream.prepare(downstream);
    }

    /// Counts a request that is over. `meters` are those of the route that matched, and `status` is none when the visitor left
    /// before there was one.
    pub fn request(
        &self,
        meters: Option<&Meters>,
        method: &Method,
        status: Option<StatusCode>,
        outcome: &Outcome,
        time: Duration,
    ) {
        let meters = meters.unwrap_or(&self.no_route);
        let common = *method == Method::GET && status.is_some_and(|status| status.is_success());
        match common.then(|| meters.of(outcome)).flatten() {
            Some(meter) => meter.get_or_init(|| self.meter(&meters.route, outcome)).count(time),
            None => self.uncommon(&meters.route, method, status, outcome, time),
        }
    }

    /// What counts answers like this one to GET, with a status of success.
    fn meter(&self, route: &str, outcome: &Outcome) -> Meter {
        let cache = outcome.x_cache().label();
        Meter {
            requests: self.requests.with_label_values(&[route, Method::GET.as_str(), "2xx", cache]),
            duration: self.request_duration.with_label_values(&[route, cache]),
            reason: self.reason(route, outcome),
        }
    }

    /// Counts a request that has no meter.
    fn uncommon(&self, route: &str, method: &Method, status: Option<StatusCode>, outcome: &Outcome, time: Duration) {
        let cache = outcome.x_cache().label();
        let method = if METHODS.contains(method) { method.as_str() } else { "other" };
        self.requests.with_label_values(&[route, method, status_class(status), cache]).inc();
        self.request_duration.with_label_values(&[route, cache]).observe(time.as_secs_f64());
        if let Some(reason) = self.reason(route, outcome) {
            reason.inc();
        }
    }

    /// What counts why an answer is not an ordinary one.
    fn reason(&self, route: &str, outcome: &Outcome) -> Option<IntCounter> {
        match outcome {
            Outcome::Pass { reason, .. } => Some(self.uncacheable.with_label_values(&[route, reason.as_str()])),
            Outcome::Stale { reason, .. } => Some(self.stale_served.with_label_values(&[route, reason.as_str()])),
            Outcome::Despite { .. } => Some(self.stale_served.with_label_values(&[route, StaleReason::Error.as_str()])),
            Outcome::Miss { fetched: Fetched::Declined(_, reason), .. } => {
                Some(self.uncacheable.with_label_values(&[route, reason.as_str()]))
            }
            Outcome::Miss { collapsed: true, .. } | Outcome::Revalidated { collapsed: true, .. } => {
                Some(self.coalesced.with_label_values(&[route]))
            }
            Outcome::Miss { .. }
            | Outcome::Revalidated { .. }
            | Outcome::Hit { .. }
            | Outcome::Prerendered { .. }
            | Outcome::Answered(_) => None,
        }
    }

    /// Counts a request to a handler whose answer has begun, or failed to.
    pub fn upstream_answered(&self, upstream: &UpstreamMeter, result: UpstreamResult, time: Duration) {
        match result {
            UpstreamResult::Ok => upstream.answered(self, time),
            UpstreamResult::Failed(_) => {
                let name = upstream.upstream.as_str();
                self.upstream_requests.with_label_values(&[name, result.as_str()]).inc();
                self.upstream_duration.with_label_values(&[name]).observe(time.as_secs_f64());
            }
        }
    }

    /// Counts a refresh that is over.
    pub fn revalidation(&self, route: &str, result: Revalidation, time: Duration) {
        self.revalidations.with_label_values(&[route, result.as_str()]).inc();
        self.revalidation_duration.with_label_values(&[route]).observe(time.as_secs_f64());
    }

    /// Counts a refresh that was due and had to be left.
    pub fn revalidation_skipped(&self, meters: &Meters) {
        let counter = || self.revalidations.with_label_values(&[meters.route.as_str(), Revalidation::Skipped.as_str()]);
        meters.skipped().get_or_init(counter).inc();
    }

    /// Counts a page that was to be rendered before anybody asks.
    pub fn prerendered(&self, route: &str, result: Prerendering) {
        self.ahead.prerendered.with_label_values(&[route, result.as_str()]).inc();
    }

    /// What is counted of the cache in front that has this name.
    pub fn purges(&self, name: &str) -> Purges {
        self.downstream.of(name)
    }

    /// Counts a page that a warm-up listed.
    pub fn warmed(&self, route: &str, result: Warmed) {
        self.ahead.warmed.with_label_values(&[route, result.as_str()]).inc();
    }

    /// Counts a popular page that was to be fetched again because it was invalidated.
    pub fn refreshed(&self, result: Refreshed) {
        self.ahead.refreshed.with_label_values(&[result.as_str()]).inc();
    }

    /// Counts groups that were to be forgotten.
    pub fn invalidated_groups(&self, number: usize) {
        let labels = [InvalidationKind::Group.as_str(), mode(Forgetting::Delete)];
        self.invalidations.with_label_values(&labels).inc_by(number as u64);
    }

    /// Counts something that was to be forgotten in this way.
    pub fn invalidated(&self, kind: InvalidationKind, way: Forgetting) {
        self.invalidations.with_label_values(&[kind.as_str(), mode(way)]).inc();
    }

    /// Everything in the text format of Prometheus. `store` and `labels` are the cache's figures at this moment.
    ///
    /// # Errors
    ///
    /// The library's, when it cannot encode.
    pub fn scrape(&self, store: &StoreFigures, labels: &LabelFigures) -> prometheus::Result<(String, Vec<u8>)> {
        self.figures.read(store, labels);
        let encoder = TextEncoder::new();
        let mut text = Vec::new();
        encoder.encode(&self.registry.gather(), &mut text)?;
        Ok((encoder.format_type().to_owned(), text))
    }
}

fn status_class(status: Option<StatusCode>) -> &'static str {
    match status.map(|status| status.as_u16() / 100) {
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(5) => "5xx",
        Some(_) => "other",
        None => "gone",
    }
}
