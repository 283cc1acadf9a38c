//! The orders that a warm-up is given to the gateway in.

use serde_json::json;

/// Most pages of one order: the gateway's answer then comes soon enough to be asked for the next.
const PAGES: usize = 10_000;

/// Most bytes of the pages of one order. Whatever JSON makes of them, the gateway reads it.
const BYTES: usize = 2 << 20;

/// What is still to be ordered.
pub(super) struct Batches {
    last: Option<(Vec<String>, bool)>,
    urls: std::vec::IntoIter<String>,
}

/// One order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    sitemaps: Vec<String>,
    params: bool,
    urls: Vec<String>,
    limit: Option<usize>,
}

impl Batches {
    /// Sitemaps that the gateway reads, the parameters of its routes if they are meant, and pages.
    pub(super) fn new(sitemaps: Vec<String>, params: bool, urls: Vec<String>) -> Batches {
        let last = (params || !sitemaps.is_empty()).then_some((sitemaps, params));
        Batches { last, urls: urls.into_iter() }
    }

    /// How many of the pages are not ordered yet.
    pub(super) fn waiting(&self) -> usize {
        self.urls.len()
    }

    /// The next order; none when there is nothing left. `limit` is how many pages may still be.
    pub(super) fn next(&mut self, limit: Option<usize>) -> Option<Batch> {
        let mut batch = Batch { limit, ..Batch::default() };
        let mut bytes = 0;
        while batch.urls.len() < PAGES && bytes < BYTES {
            let Some(url) = self.urls.next() else { break };
            bytes += url.len();
            batch.urls.push(url);
        }
        // What the gateway has to look for comes last, when the pages that are known are under way.
        if self.urls.len() == 0
            && let Some((sitemaps, params)) = self.last.take()
        {
            (batch.sitemaps, batch.params) = (sitemaps, params);
        }
        let empty = batch.urls.is_empty() && batch.sitemaps.is_empty() && !batch.params;
        (!empty).then_some(batch)
    }
}

impl Batch {
    /// How many pages it names.
    pub(super) fn known(&self) -> usize {
        self.urls.len().min(self.limit.unwrap_or(usize::MAX))
    }

    /// The order as `POST /warm` is told it.
    pub(super) fn order(&self, concurrency: usize, rate: Option<f64>) -> Vec<u8> {
        let Batch { sitemaps, params, urls, limit } = self;
        let order = json!({
            "sitemaps": sitemaps, "urls": urls, "params": params,
            "concurrency": concurrency, "rate": rate, "limit": limit,
        });
        order.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests;
