//! What is counted most often, found once: to look a metric up by its labels costs more than to count, and takes a lock.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::{Histogram, IntCounter};

use super::{Metrics, UpstreamResult};
use crate::outcome::{Outcome, PassReason, ServedStale};

/// What counts the commonest answers to the requests of one route: successful ones to GET.
#[derive(Debug)]
pub struct Meters {
    /// The label of the route.
    pub(super) route: String,
    hit: OnceLock<Meter>,
    stale: [OnceLock<Meter>; ServedStale::ALL.len()],
    dynamic: OnceLock<Meter>,
    unmatched: OnceLock<Meter>,
    skipped: OnceLock<IntCounter>,
}

impl Meters {
    /// Those of the route with this label. Nothing is counted yet.
    pub fn new(route: &str) -> Meters {
        Meters {
            route: route.to_owned(),
            hit: OnceLock::new(),
            stale: Default::default(),
            dynamic: OnceLock::new(),
            unmatched: OnceLock::new(),
            skipped: OnceLock::new(),
        }
    }

    /// The place of what counts such answers; none for those that are not common.
    pub(super) fn of(&self, outcome: &Outcome) -> Option<&OnceLock<Meter>> {
        match outcome {
            Outcome::Hit { .. } => Some(&self.hit),
            Outcome::Stale { reason, .. } => {
                let place = ServedStale::ALL.iter().position(|other| other == reason)?;
                self.stale.get(place)
            }
            Outcome::Pass { reason: PassReason::Dynamic, .. } => Some(&self.dynamic),
            Outcome::Pass { reason: PassReason::Unmatched, .. } => Some(&self.unmatched),
            Outcome::Pass { .. }
            | Outcome::Despite { .. }
            | Outcome::Miss { .. }
            | Outcome::Revalidated { .. }
            | Outcome::Prerendered { .. }
            | Outcome::Answered(_) => None,
        }
    }

    /// The place of what counts refreshes that were left.
    pub(super) fn skipped(&self) -> &OnceLock<IntCounter> {
        &self.skipped
    }
}

/// Counts answers of one kind.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) requests: IntCounter,
    pub(super) duration: Histogram,
    /// Those of this reason, where one is counted.
    pub(super) reason: Option<IntCounter>,
}

impl Meter {
    pub(super) fn count(&self, time: Duration) {
        self.requests.inc();
        self.duration.observe(time.as_secs_f64());
        if let Some(reason) = &self.reason {
            reason.inc();
        }
    }
}

/// What counts the answers of one upstream.
#[derive(Debug)]
pub struct UpstreamMeter {
    /// The label of the upstream.
    pub(super) upstream: String,
    answers: OnceLock<(IntCounter, Histogram)>,
}

impl UpstreamMeter {
    /// That of the upstream with this label. Nothing is counted yet.
    pub fn new(upstream: &str) -> UpstreamMeter {
        UpstreamMeter { upstream: upstream.to_owned(), answers: OnceLock::new() }
    }

    /// Counts an answer that came after `time`.
    pub(super) fn answered(&self, metrics: &Metrics, time: Duration) {
        let (requests, duration) = self.answers.get_or_init(|| {
            let labels = [self.upstream.as_str(), UpstreamResult::Ok.as_str()];
            let duration = metrics.upstream_duration.with_label_values(&labels[..1]);
            (metrics.upstream_requests.with_label_values(&labels), duration)
        });
        requests.inc();
        duration.observe(time.as_secs_f64());
    }
}
