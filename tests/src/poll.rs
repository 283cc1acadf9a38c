//! Waiting with an upper bound: nothing in a test may wait for ever, and nothing sleeps in hope.

use std::future::Future;
use std::time::Duration;

use crate::clock;

/// How long anything in a test may take before the test fails: ten seconds.
pub const BOUND: Duration = Duration::from_secs(10);

/// How often [`until`] looks.
const INTERVAL: Duration = Duration::from_millis(10);

/// Something that can be asked again and again whether it has come true.
///
/// It is implemented for closures that return a `bool` and for closures that return a future of one; `Kind` only tells
/// the two apart and is always inferred.
pub trait Condition<Kind> {
    /// Asks once.
    fn holds(&mut self) -> impl Future<Output = bool>;
}

/// Marks a [`Condition`] that answers at once.
#[derive(Debug)]
pub struct AtOnce;

/// Marks a [`Condition`] that answers through a future.
#[derive(Debug)]
pub struct Awaited<Answer>(std::marker::PhantomData<Answer>);

impl<Ask: FnMut() -> bool> Condition<AtOnce> for Ask {
    async fn holds(&mut self) -> bool {
        self()
    }
}

impl<Ask, Answer> Condition<Awaited<Answer>> for Ask
where
    Ask: FnMut() -> Answer,
    Answer: Future<Output = bool>,
{
    async fn holds(&mut self) -> bool {
        self().await
    }
}

/// Waits until `condition` holds, asking every ten milliseconds: `until("a hit", || origin.count("/p") == 1).await`, or
/// `until("a hit", async || gateway.metric(NAME, &[]).await > 0.0).await`.
///
/// # Panics
/// When it does not hold within [`BOUND`]; the message names `what` was waited for.
pub async fn until<Kind>(what: &str, mut condition: impl Condition<Kind>) {
    let start = clock::now();
    loop {
        let asked = tokio::time::timeout(BOUND, condition.holds()).await;
        if matches!(asked, Ok(true)) {
            return;
        }
        assert!(start.elapsed() < BOUND, "waited {BOUND:?} in vain until: {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Waits for `work` for at most `patience` and gives back its result.
///
/// # Panics
/// When `work` is not done in that time; the message names `what` was waited for.
pub async fn within<Work: Future>(what: &str, patience: Duration, work: Work) -> Work::Output {
    match tokio::time::timeout(patience, work).await {
        Ok(output) => output,
        Err(_) => panic!("waited {patience:?} in vain for {what}"),
    }
}
