//! The gateway as its parts share it: the configuration at work, the cache, the clock, the metrics.

use std::sync::Arc;

use arc_swap::ArcSwap;
use evergate_cache::Cache;
use pingora::server::configuration::ServerConf;
use tokio::sync::Semaphore;

use crate::access_log::AccessLog;
use crate::clock::Clock;
use crate::config::Config;
use crate::downstream::Downstream;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::refresh::MAX_REFRESHES;
use crate::snapshot::Snapshot;

/// What every connection and every fetch shares.
pub struct Gateway {
    /// The configuration at work.
    pub snapshot: ArcSwap<Snapshot>,
    /// What is kept.
    pub cache: Cache<Failure>,
    /// What time it is.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// Which requests get a line in the log.
    pub access_log: AccessLog,
    /// Whether what can be answered at once takes the shorter way.
    pub fast_path: bool,
    /// Caches in front, which hear of what is invalidated.
    pub downstream: Downstream,
    /// Turns at coding stored bodies.
    pub coders: Arc<Semaphore>,
    /// Places for invalidations whose pages are fetched again.
    pub refreshing: Arc<Semaphore>,
}

impl Gateway {
    /// A gateway with an empty cache.
    pub fn new(
        snapshot: Snapshot,
        config: &Config,
        clock: Clock,
        metrics: Metrics,
        framework: &ServerConf,
        downstream: Downstream,
    ) -> Arc<Gateway> {
        Arc::new(Gateway {
            snapshot: ArcSwap::from_pointee(snapshot),
            cache: Cache::new(config.cache.capacity, config.cache.max_body),
            fast_path: config.fast_path,
            clock,
            metrics,
            access_log: AccessLog::new(config.log.access),
            downstream,
            // A core that codes is a core that does not serve: at most half of them do.
            coders: Arc::new(Semaphore::new(framework.threads.div_ceil(2))),
            refreshing: Arc::new(Semaphore::new(MAX_REFRESHES)),
        })
    }
}
