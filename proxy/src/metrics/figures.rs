//! What the cache itself counts, as it is at a scrape.

use evergate_cache::{EvictionCause, LabelFigures, StoreFigures};
use prometheus::{Gauge, IntCounter, IntCounterVec};

use super::families::Families;

/// The figures of the cache.
#[derive(Debug)]
pub(super) struct Figures {
    evictions: IntCounterVec,
    entries: Gauge,
    bytes: Gauge,
    capacity: Gauge,
    labels: Gauge,
    label_bytes: Gauge,
    tags_cut: IntCounter,
}

impl Figures {
    /// Its families, with zero for their closed labels.
    pub(super) fn new(families: &Families<'_>) -> prometheus::Result<Figures> {
        let figures = Figures {
            evictions: families.counters(
                "evergate_cache_evictions_total",
                "What was dropped from the cache, by cause.",
                &["cause"],
            )?,
            entries: families.gauge("evergate_cache_entries", "Pages kept.")?,
            bytes: families.gauge("evergate_cache_bytes", "Bytes that the cache takes: keys, fields and bodies.")?,
            capacity: families.gauge("evergate_cache_capacity_bytes", "Bytes that the cache may take.")?,
            labels: families.gauge(
                "evergate_cache_labels",
                "Upstreams, paths, tags and groups by which what is stored can be forgotten.",
            )?,
            label_bytes: families.gauge(
                "evergate_cache_label_bytes",
                "Bytes that these labels take, which the responses that carry them are charged for.",
            )?,
            tags_cut: families.counter(
                "evergate_cache_tags_cut_total",
                "Tags that were left out because a response had too many or too long ones.",
            )?,
        };
        for cause in EvictionCause::ALL {
            figures.evictions.with_label_values(&[cause.as_str()]);
        }
        Ok(figures)
    }

    /// Takes over what the cache says at this moment.
    pub(super) fn read(&self, store: &StoreFigures, labels: &LabelFigures) {
        self.labels.set(lossy(labels.labels));
        self.label_bytes.set(lossy(labels.bytes));
        self.tags_cut.inc_by(labels.cut.saturating_sub(self.tags_cut.get()));
        self.entries.set(lossy(store.entries));
        self.bytes.set(lossy(store.bytes));
        self.capacity.set(lossy(store.capacity));
        for (cause, total) in
            [(EvictionCause::Size, store.evicted_for_size), (EvictionCause::Variants, store.evicted_variants)]
        {
            let counter = self.evictions.with_label_values(&[cause.as_str()]);
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }
}

/// Prometheus knows only floating-point numbers.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and a gauge need not be beyond")]
pub(super) fn lossy(number: u64) -> f64 {
    number as f64
}
