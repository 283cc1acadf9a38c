//! What is counted of pages that are fetched before anybody asks for them.

use prometheus::IntCounterVec;

use super::NO_ROUTE;
use super::families::Families;

/// What came of a page that was to be rendered before anybody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prerendering {
    /// It is there.
    Rendered,
    /// The handler failed, or its answer is not kept.
    Failed,
}

impl Prerendering {
    const ALL: [Prerendering; 2] = [Prerendering::Rendered, Prerendering::Failed];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Prerendering::Rendered => "rendered",
            Prerendering::Failed => "failed",
        }
    }
}

/// What came of a page that was to be warmed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmed {
    /// It was fetched, or refreshed where it was stale.
    Rendered,
    /// It was there already.
    Fresh,
    /// It should be there and is not.
    Failed,
    /// Nothing is kept of it.
    NotCached,
}

impl Warmed {
    const ALL: [Warmed; 4] = [Warmed::Rendered, Warmed::Fresh, Warmed::Failed, Warmed::NotCached];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Warmed::Rendered => "rendered",
            Warmed::Fresh => "fresh",
            Warmed::Failed => "failed",
            Warmed::NotCached => "not_cached",
        }
    }
}

/// What came of fetching again what was popular when it was invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// It is fresh again.
    Refreshed,
    /// The handler failed, or its answer is not kept.
    Failed,
}

impl Refreshed {
    const ALL: [Refreshed; 2] = [Refreshed::Refreshed, Refreshed::Failed];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Refreshed::Refreshed => "refreshed",
            Refreshed::Failed => "failed",
        }
    }
}

/// The families about such pages.
#[derive(Debug)]
pub(super) struct AheadFamilies {
    pub(super) prerendered: IntCounterVec,
    pub(super) warmed: IntCounterVec,
    pub(super) refreshed: IntCounterVec,
}

impl AheadFamilies {
    /// Registers them.
    pub(super) fn new(families: &Families<'_>) -> prometheus::Result<AheadFamilies> {
        Ok(AheadFamilies {
            prerendered: families.counters(
                "evergate_prerendered_total",
                "Pages that were to be rendered before anybody asks, by what came of it.",
                &["route", "result"],
            )?,
            warmed: families.counters(
                "evergate_warmed_total",
                "Pages of warm-ups by what came of them.",
                &["route", "result"],
            )?,
            refreshed: families.counters(
                "evergate_refreshed_total",
                "Popular pages that were fetched again because they were invalidated, by what came of it.",
                &["result"],
            )?,
        })
    }

    /// Zero for these routes, and for what belongs to none.
    pub(super) fn prepare(&self, routes: &[&str]) {
        for route in routes.iter().chain([&NO_ROUTE]) {
            for result in Prerendering::ALL {
                self.prerendered.with_label_values(&[route, result.as_str()]);
            }
            for result in Warmed::ALL {
                self.warmed.with_label_values(&[route, result.as_str()]);
            }
        }
        for result in Refreshed::ALL {
            self.refreshed.with_label_values(&[result.as_str()]);
        }
    }
}
