//! Fills in flight: at most one per key and variant, and those who wait for it.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::stored::{StoredResponse, age_value};
use crate::{BodyReader, CacheKey, DeclineReason, GrowingBody, Moment, ResponseHead, Variant};

/// Most requests that may wait for one fill before its response begins.
pub const MAX_WAITERS: usize = 65_536;

/// A response that is being filled: its head is there, its body grows.
#[derive(Clone, Debug)]
pub struct Streaming {
    head: Arc<ResponseHead>,
    received: Moment,
    initial_age: Duration,
    body: Arc<GrowingBody>,
}

impl Streaming {
    /// A response whose body is held from its beginning for those who still wait: as many as `waiters` counts.
    pub(crate) fn new(head: ResponseHead, received: Moment, waiters: Arc<AtomicUsize>) -> Streaming {
        let initial_age = age_value(&head);
        Streaming { head: Arc::new(head), received, initial_age, body: GrowingBody::expecting(waiters) }
    }

    /// Status and fields.
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }

    /// When the head arrived.
    pub fn received(&self) -> Moment {
        self.received
    }

    /// The current age (RFC 9111 section 4.2.3): what it had when it came, and the time since.
    pub fn age(&self, now: Moment) -> Duration {
        self.initial_age.saturating_add(now.since(self.received))
    }

    /// The body.
    pub fn body(&self) -> &Arc<GrowingBody> {
        &self.body
    }
}

/// How far a fill has come.
#[derive(Clone, Debug)]
pub(crate) enum Progress<F> {
    Asking,
    Streaming(Streaming),
    Renewed(Arc<StoredResponse>),
    Declined(DeclineReason),
    Failed(F),
    Abandoned,
}

/// One fill in flight, as those who wait for it see it.
#[derive(Debug)]
pub(crate) struct Flight<F> {
    progress: watch::Sender<Progress<F>>,
    waiters: Arc<AtomicUsize>,
    /// Told when the last of them leaves.
    left: Notify,
}

impl<F: Clone> Flight<F> {
    pub(crate) fn new() -> Arc<Flight<F>> {
        Arc::new(Flight {
            progress: watch::Sender::new(Progress::Asking),
            waiters: Arc::default(),
            left: Notify::new(),
        })
    }

    /// Counts those who wait.
    pub(crate) fn waiters(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.waiters)
    }

    /// Waits until nobody waits any more.
    pub(crate) async fn deserted(&self) {
        loop {
            let left = self.left.notified();
            if self.waiters.load(Ordering::Acquire) == 0 {
                return;
            }
            left.await;
        }
    }

    pub(crate) fn publish(&self, progress: Progress<F>) {
        self.progress.send_replace(progress);
    }

    pub(crate) fn join(self: &Arc<Self>) -> Waiter<F> {
        let crowded = self.waiters.fetch_add(1, Ordering::AcqRel) >= MAX_WAITERS;
        Waiter { flight: Arc::clone(self), progress: self.progress.subscribe(), crowded }
    }
}

/// Someone who shares the result of a fill. Dropping it is how a visitor stops waiting.
#[derive(Debug)]
pub struct Waiter<F> {
    flight: Arc<Flight<F>>,
    progress: watch::Receiver<Progress<F>>,
    crowded: bool,
}

/// What became of a fill, for those who waited.
#[derive(Debug)]
pub enum Awaited<F> {
    /// Its response has begun, and here is its body from the first byte.
    Streaming(Streaming, BodyReader),
    /// The handler confirmed the old response (304).
    Renewed(Arc<StoredResponse>),
    /// It is not kept: go on your own.
    Declined(DeclineReason),
    /// The handler failed.
    Failed(F),
    /// It was given up: look up once more.
    Abandoned,
    /// More than [`MAX_WAITERS`] wait already.
    Crowded,
}

impl<F: Clone> Waiter<F> {
    /// Waits for the fill's response to begin or for the fill to end. It always ends: a fill that is dropped, by a panic
    /// too, is abandoned.
    pub async fn wait(mut self) -> Awaited<F> {
        if self.crowded {
            return Awaited::Crowded;
        }
        match self.progress.wait_for(|progress| !matches!(progress, Progress::Asking)).await.as_deref() {
            // The reader is taken before this one stops to count as expected, so its first byte is still there.
            Ok(Progress::Streaming(streaming)) => match streaming.body.reader() {
                Some(reader) => Awaited::Streaming(streaming.clone(), reader),
                None => Awaited::Abandoned,
            },
            Ok(Progress::Renewed(response)) => Awaited::Renewed(Arc::clone(response)),
            Ok(Progress::Declined(reason)) => Awaited::Declined(*reason),
            Ok(Progress::Failed(failure)) => Awaited::Failed(failure.clone()),
            Ok(Progress::Asking | Progress::Abandoned) | Err(_) => Awaited::Abandoned,
        }
    }
}

impl<F> Drop for Waiter<F> {
    fn drop(&mut self) {
        if self.flight.waiters.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.flight.left.notify_one();
        }
        if let Progress::Streaming(streaming) = &*self.flight.progress.borrow() {
            streaming.body.look_again();
        }
    }
}

/// The fills in flight, in shards, each with its own brief lock. The lock of a key also orders the changes of its page.
#[derive(Debug)]
pub(crate) struct Flights<F> {
    shards: Box<[Mutex<Shard<F>>]>,
    hasher: std::hash::RandomState,
}

#[derive(Debug)]
pub(crate) struct Shard<F>(HashMap<CacheKey, Vec<InFlight<F>>>);

type InFlight<F> = (Variant, Arc<Flight<F>>);

impl<F: Clone> Flights<F> {
    const SHARDS: usize = 64;

    pub(crate) fn new() -> Flights<F> {
        let shards = (0..Self::SHARDS).map(|_| Mutex::new(Shard(HashMap::new()))).collect();
        Flights { shards, hasher: std::hash::RandomState::new() }
    }

    /// Locks the part that holds `key`. What it guards is whole after every operation, so a panic elsewhere is no reason to
    /// stop.
    pub(crate) fn lock(&self, key: &[u8]) -> MutexGuard<'_, Shard<F>> {
        let hash = self.hasher.hash_one(key);
        let index = usize::try_from(hash % Self::SHARDS as u64).unwrap_or(0);
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of fills in flight.
    pub(crate) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).0.values().map(Vec::len).sum::<usize>())
            .sum()
    }
}

impl<F: Clone> Shard<F> {
    pub(crate) fn find(&self, key: &[u8], variant: &Variant) -> Option<&Arc<Flight<F>>> {
        self.0.get(key)?.iter().find(|(v, _)| v == variant).map(|(_, flight)| flight)
    }

    pub(crate) fn begin(&mut self, key: CacheKey, variant: Variant) -> Arc<Flight<F>> {
        let flight = Flight::new();
        self.0.entry(key).or_default().push((variant, Arc::clone(&flight)));
        flight
    }

    pub(crate) fn end(&mut self, key: &CacheKey, flight: &Arc<Flight<F>>) {
        if let Some(flights) = self.0.get_mut(key) {
            flights.retain(|(_, other)| !Arc::ptr_eq(other, flight));
            if flights.is_empty() {
                self.0.remove(key);
            }
        }
    }
}
