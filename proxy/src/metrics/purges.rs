//! What is counted of telling caches in front that something was invalidated.

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec};

use super::families::Families;
use super::figures::lossy;

/// Label of what is told downstream where nobody is to be told.
const NO_DOWNSTREAM: &str = "(none)";

/// The families about caches in front.
#[derive(Debug)]
pub(super) struct PurgeFamilies {
    purges: IntCounterVec,
    queue: GaugeVec,
}

impl PurgeFamilies {
    /// Registers them.
    pub(super) fn new(families: &Families<'_>) -> prometheus::Result<PurgeFamilies> {
        Ok(PurgeFamilies {
            purges: families.counters(
                "evergate_downstream_purges_total",
                "What was invalidated and is told caches in front, by what came of it.",
                &["name", "result"],
            )?,
            queue: families.gauges(
                "evergate_downstream_purge_queue",
                "What was invalidated and waits to be told caches in front.",
                &["name"],
            )?,
        })
    }

    /// Zero for caches in front that have these names, or for none.
    pub(super) fn prepare(&self, names: &[&str]) {
        for name in if names.is_empty() { &[NO_DOWNSTREAM] } else { names } {
            self.of(name);
        }
    }

    /// What is counted of one of them.
    pub(super) fn of(&self, name: &str) -> Purges {
        let [ok, retried, failed] = Purging::ALL.map(|result| self.purges.with_label_values(&[name, result.as_str()]));
        Purges { ok, retried, failed, queue: self.queue.with_label_values(&[name]) }
    }
}

/// What came of telling a cache in front that something was invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purging {
    /// It was told.
    Ok,
    /// It is told again.
    Retried,
    /// It was not told, and nobody tries any more.
    Failed,
}

impl Purging {
    const ALL: [Purging; 3] = [Purging::Ok, Purging::Retried, Purging::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Purging::Ok => "ok",
            Purging::Retried => "retried",
            Purging::Failed => "failed",
        }
    }
}

/// What is counted of one cache in front. Whatever was invalidated counts as one, however many share a call.
#[derive(Clone, Debug)]
pub struct Purges {
    ok: IntCounter,
    retried: IntCounter,
    failed: IntCounter,
    queue: Gauge,
}

impl Purges {
    /// So many were told.
    pub fn ok(&self, count: usize) {
        self.ok.inc_by(count as u64);
    }

    /// So many are told again.
    pub fn retried(&self, count: usize) {
        self.retried.inc_by(count as u64);
    }

    /// So many are never told.
    pub fn failed(&self, count: usize) {
        self.failed.inc_by(count as u64);
    }

    /// So many more wait.
    pub fn joined_queue(&self, count: usize) {
        self.queue.add(lossy(count as u64));
    }

    /// So many do not wait any more.
    pub fn left_queue(&self, count: usize) {
        self.queue.sub(lossy(count as u64));
    }
}
