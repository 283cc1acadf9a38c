//! Sweeping: what was invalidated is removed behind the visitors' backs, and never takes more than a share of one core.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tracing::error;

use crate::gateway::Gateway;

/// How much longer than a sweep the pause after it is at least.
const PAUSES: u32 = 9;

/// The shortest pause: invalidations that come together are swept together.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// Sweeps whenever there is something to sweep, until the gateway stops.
pub fn keep_sweeping(gateway: &Arc<Gateway>, stopping: &watch::Receiver<bool>) {
    let (gateway, mut stopping) = (Arc::clone(gateway), stopping.clone());
    tokio::spawn(async move {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => {}
            () = sweep_again(&gateway) => {}
        }
    });
}

async fn sweep_again(gateway: &Arc<Gateway>) {
    loop {
        match gateway.cache.until_sweep(gateway.clock.now()) {
            None => {
                gateway.cache.invalidated().await;
                continue;
            }
            Some(wait) if !wait.is_zero() => {
                tokio::select! {
                    () = sleep(wait) => {}
                    // Something may be due sooner now.
                    () = gateway.cache.invalidated() => continue,
                }
            }
            Some(_) => {}
        }
        let sweeping = Arc::clone(gateway);
        let begun = gateway.clock.now();
        // It looks at all that is stored, which may be long: not on a thread that serves.
        let swept = tokio::task::spawn_blocking(move || sweeping.cache.sweep(sweeping.clock.now())).await;
        if let Err(error) = swept {
            error!(%error, "a sweep broke off");
        }
        let took = gateway.clock.since(begun);
        sleep((took * PAUSES).max(SHORTEST_PAUSE)).await;
    }
}
