//! When turns are given.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::Pace;

#[tokio::test(start_paused = true)]
async fn turns_are_given_one_after_the_other() {
    let (pace, begun) = (Pace::new(Duration::from_millis(100)), Instant::now());
    let turns = join_all((0..4).map(async |_| {
        pace.turn().await;
        begun.elapsed().as_millis()
    }));
    assert_eq!(turns.await, [0, 100, 200, 300]);
    // Nobody asked for a while, and that is no credit.
    sleep(Duration::from_secs(5)).await;
    let resumed = Instant::now();
    pace.turn().await;
    assert_eq!(resumed.elapsed().as_millis(), 0);
    pace.turn().await;
    assert_eq!(resumed.elapsed().as_millis(), 100);
}
