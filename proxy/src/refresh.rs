//! Refreshing: what was popular when it was invalidated is fetched again before visitors ask for it, the most popular first.
//!
//! Never a herd: a bounded number of pages, few at a time, and each a random moment later, so that several gateways that hear
//! of one invalidation do not ask as one. Only what a window of the operator's keeps: where the handler decides, it saw the whole
//! request of whoever asked, and nobody asks in their name.

use std::sync::Arc;
use std::time::Duration;

use evergate_cache::{CacheKey, Selection, Unswept, Variant};
use futures::stream::{self, StreamExt};
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::failure::Failure;
use crate::gateway::Gateway;
use crate::metrics::Refreshed;
use crate::render::{Unrendered, again};

/// Most entries of one invalidation that are fetched again; the others are fetched when somebody asks for them.
pub const MAX_REFRESHED: usize = 1000;

/// Most invalidations whose entries are fetched again at a time; those of another are fetched when somebody asks for them.
pub const MAX_REFRESHES: usize = 8;

/// How many entries of one invalidation are fetched at a time.
const AT_ONCE: usize = 4;

/// The longest random pause before each.
const JITTER: Duration = Duration::from_millis(50);

/// What is to be fetched again. It is made before the invalidation, so that nothing is swept away unseen.
pub struct Refreshing {
    gateway: Arc<Gateway>,
    unswept: Unswept<Failure>,
}

impl Refreshing {
    /// Sees to it that what is invalidated from here on can still be found.
    pub fn prepare(gateway: &Arc<Gateway>) -> Refreshing {
        Refreshing { gateway: Arc::clone(gateway), unswept: gateway.cache.unswept() }
    }

    /// Fetches again what `selections` have invalidated, behind the caller's back.
    pub fn start(self, selections: Vec<Selection>) {
        let Refreshing { gateway, unswept } = self;
        let Ok(place) = Arc::clone(&gateway.refreshing).try_acquire_owned() else {
            warn!(
                "what was invalidated is not fetched again before somebody asks: {MAX_REFRESHES} invalidations are at it"
            );
            return;
        };
        tokio::spawn(async move {
            let hottest = hottest(&gateway, selections).await;
            // Found; it may be swept away.
            drop(unswept);
            fetch_again(&gateway, hottest).await;
            drop(place);
        });
    }
}

/// What is to be fetched again, the most popular first. It looks at everything, so not on a thread that serves.
async fn hottest(gateway: &Arc<Gateway>, selections: Vec<Selection>) -> Vec<(CacheKey, Variant)> {
    let looking = Arc::clone(gateway);
    let found = tokio::task::spawn_blocking(move || {
        let entries = looking.cache.hottest(&selections, MAX_REFRESHED);
        let variants = |entry: evergate_cache::Hot| {
            let key = entry.key;
            entry.variants.into_iter().map(move |variant| (key.clone(), variant))
        };
        entries.into_iter().flat_map(variants).take(MAX_REFRESHED).collect::<Vec<_>>()
    });
    found.await.unwrap_or_else(|error| {
        error!(%error, "what was popular could not be looked for");
        Vec::new()
    })
}

async fn fetch_again(gateway: &Arc<Gateway>, hottest: Vec<(CacheKey, Variant)>) {
    let begun = gateway.clock.now();
    let (mut refreshed, mut failed) = (0_usize, 0_usize);
    let fetches = stream::iter(hottest).map(|(key, variant)| async move {
        sleep(JITTER.mul_f64(fastrand::f64())).await;
        // The configuration may change in between.
        let snapshot = gateway.snapshot.load_full();
        again(gateway, &snapshot, &key, &variant).await
    });
    let mut fetches = std::pin::pin!(fetches.buffer_unordered(AT_ONCE));
    while let Some(result) = fetches.next().await {
        if gateway.refreshing.is_closed() {
            // The gateway stops.
            break;
        }
        match result {
            Ok(_) => {
                refreshed += 1;
                gateway.metrics.refreshed(Refreshed::Refreshed);
            }
            // It is fetched when somebody asks for it.
            Err(Unrendered::NotCached) => {}
            Err(problem) => {
                failed += 1;
                gateway.metrics.refreshed(Refreshed::Failed);
                warn!(%problem, "what was invalidated could not be fetched again");
            }
        }
    }
    let seconds = gateway.clock.since(begun).as_secs_f64();
    info!(refreshed, failed, seconds, "fetched again what was invalidated");
}
