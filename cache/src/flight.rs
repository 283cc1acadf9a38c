//! Fills in flight: at most one per key and variant, and those who wait for it.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::{Notify, watch};

use crate::generations::Generations;
use crate::key::address;
use crate::record::{Record, SharedRecord};
use crate::standing::{Mark, Validity};
use crate::stored::{Dating, StoredResponse};
use crate::variance::Selecting;
use crate::{
    BodyReader, CacheKey, DeclineReason, Fields, GrowingBody, Moment, ResponseHead, Sharing, Variance, Variant,
};

/// Most requests that may wait for one fill before its response begins.
pub const MAX_WAITERS: usize = 65_536;

/// A response that is being filled: its head is there, its body grows.
#[derive(Clone, Debug)]
pub struct Streaming {
    head: Arc<ResponseHead>,
    received: Moment,
    initial_age: Duration,
    variant: Variant,
    unshared: Arc<Fields>,
    sharing: Sharing,
    dating: Dating,
    body: Arc<GrowingBody>,
}

/// The head of a response that is being filled, and what was found out about it.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    pub(crate) head: ResponseHead,
    pub(crate) received: Moment,
    pub(crate) initial_age: Duration,
    pub(crate) variant: Variant,
    pub(crate) unshared: Fields,
    pub(crate) sharing: Sharing,
    pub(crate) dating: Dating,
}

impl Streaming {
    /// A response whose body is held from its beginning for those who still wait: as many as `waiters` counts.
    pub(crate) fn new(begun: Begun, waiters: Arc<AtomicUsize>) -> Streaming {
        let Begun { head, received, initial_age, variant, unshared, sharing, dating } = begun;
        let body = GrowingBody::expecting(waiters);
        Streaming {
            head: Arc::new(head),
            received,
            initial_age,
            variant,
            unshared: Arc::new(unshared),
            sharing,
            dating,
            body,
        }
    }

    /// Status and fields.
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }

    /// When the head arrived.
    pub fn received(&self) -> Moment {
        self.received
    }

    /// The age with which it came.
    pub(crate) fn initial_age(&self) -> Duration {
        self.initial_age
    }

    /// Whom it is for.
    pub fn variant(&self) -> &Variant {
        &self.variant
    }

    /// When it was made, if its handler says so.
    pub fn handler_date(&self) -> Option<&HeaderValue> {
        self.dating.of(&self.head)
    }

    /// Fields of the answer that are for whoever asked, and for nobody else.
    pub fn unshared(&self) -> &Fields {
        &self.unshared
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
    Renewed(Arc<StoredResponse>, Variant, Sharing),
    /// Not kept. The answer itself is for whoever asked, where the handler saw their whole request.
    Declined(DeclineReason, Option<Streaming>),
    /// The same with a failure.
    Failed(F, Option<Streaming>),
    /// An answer to something in the request of whoever asked, which says nothing of what others would get.
    Theirs(Option<DeclineReason>, Streaming),
    Abandoned,
}

/// Whom an interim answer (1xx) is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everyone who waits: the handler saw nothing of any of them.
    Everyone,
    /// Whoever asked: the handler saw their whole request, and nothing says yet whom its answer is for.
    Asker,
}

/// Most interim answers of one fetch that are passed on.
pub(crate) const MAX_INTERIM: usize = 8;

/// One fill in flight, as those who wait for it see it.
#[derive(Debug)]
pub(crate) struct Flight<F> {
    progress: watch::Sender<Progress<F>>,
    /// Interim answers (1xx), in their order, and whom they are for.
    interim: Mutex<Vec<(Audience, ResponseHead)>>,
    generations: Arc<Generations>,
    /// When it began, and the labels that whatever it brings carries.
    begun: SharedRecord,
    /// The record of what it brings, once that is known.
    brings: OnceLock<SharedRecord>,
    /// Whether an invalidation of its key has ended it.
    ended: AtomicBool,
    waiters: Arc<AtomicUsize>,
    /// Told when the last of them leaves.
    left: Notify,
}

impl<F: Clone> Flight<F> {
    pub(crate) fn new(generations: &Arc<Generations>, begun: SharedRecord) -> Arc<Flight<F>> {
        Arc::new(Flight {
            progress: watch::Sender::new(Progress::Asking),
            interim: Mutex::default(),
            generations: Arc::clone(generations),
            begun,
            brings: OnceLock::new(),
            ended: AtomicBool::new(false),
            waiters: Arc::default(),
            left: Notify::new(),
        })
    }

    /// The latest invalidation when it began.
    pub(crate) fn began(&self) -> Mark {
        self.begun.began()
    }

    /// What it brings has this record.
    pub(crate) fn carries(&self, record: &SharedRecord) {
        // Said once: a response begins once.
        let _ = self.brings.set(record.clone());
    }

    /// Whether its generation is over: what it brings was made invalid since it began. Who asks now wants something newer.
    pub(crate) fn is_outdated(&self, now: Moment) -> bool {
        self.validity(now) == Validity::Gone
    }

    /// The record by which it is judged: of what it brings, once that is known.
    fn record(&self) -> &Record {
        self.brings.get().unwrap_or(&self.begun)
    }

    /// What the invalidations since it began make of what it brings.
    pub(crate) fn validity(&self, now: Moment) -> Validity {
        if self.generations.lost(self.began()) {
            Validity::Gone
        } else if self.generations.now() <= self.began() {
            Validity::Valid
        } else {
            self.generations.validity(self.record(), now)
        }
    }

    /// Whether its generation was over when somebody came to wait for it.
    fn was_outdated(&self, joined: Mark, at: Moment) -> bool {
        self.generations.gone_between(self.record(), (joined, at))
    }

    /// An invalidation of its key has ended it.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether what it brings is neither kept nor waited for nor read by anybody.
    fn is_useless(&self, now: Moment) -> bool {
        let read = || match &*self.progress.borrow() {
            Progress::Streaming(streaming)
            | Progress::Declined(_, Some(streaming))
            | Progress::Failed(_, Some(streaming))
            | Progress::Theirs(_, streaming) => streaming.body.is_read(),
            Progress::Asking
            | Progress::Renewed(..)
            | Progress::Declined(_, None)
            | Progress::Failed(_, None)
            | Progress::Abandoned => false,
        };
        let unkept = self.ended.load(Ordering::Acquire) || self.is_outdated(now);
        unkept && self.waiters.load(Ordering::Acquire) == 0 && !read()
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

    /// Passes an interim answer on to those who wait.
    pub(crate) fn interim(&self, audience: Audience, head: ResponseHead) {
        // What is guarded is a list that only grows, so a panic elsewhere is no reason to stop.
        let mut interim = self.interim.lock().unwrap_or_else(PoisonError::into_inner);
        if interim.len() < MAX_INTERIM {
            interim.push((audience, head));
            drop(interim);
            self.progress.send_modify(|_| {});
        }
    }

    pub(crate) fn join(self: &Arc<Self>, role: Role) -> Waiter<F> {
        let crowded = self.waiters.fetch_add(1, Ordering::AcqRel) >= MAX_WAITERS;
        Waiter { flight: Arc::clone(self), progress: self.progress.subscribe(), role, crowded, told: 0 }
    }
}

/// Who waits for a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Whose request the handler was asked with.
    Asker,
    /// Someone who came later: after this invalidation, and then.
    Other(Mark, Moment),
}

/// Someone who shares the result of a fill. Dropping it is how a visitor stops waiting.
#[derive(Debug)]
pub struct Waiter<F> {
    flight: Arc<Flight<F>>,
    progress: watch::Receiver<Progress<F>>,
    role: Role,
    crowded: bool,
    /// How many interim answers it has been told of.
    told: usize,
}

/// Watches a fill without waiting for it.
#[derive(Debug)]
pub struct Watch<F>(Arc<Flight<F>>);

impl<F: Clone> Watch<F> {
    pub(crate) fn new(flight: &Arc<Flight<F>>) -> Watch<F> {
        Watch(Arc::clone(flight))
    }

    /// Whether what the fill brings is neither kept, because it was invalidated, nor waited for nor read by anybody.
    pub fn is_useless(&self, now: Moment) -> bool {
        self.0.is_useless(now)
    }
}

/// What became of a fill, for those who waited.
#[derive(Debug)]
pub enum Awaited<F> {
    /// An interim answer (1xx); more is to come.
    Interim(ResponseHead),
    /// Its response has begun, and here is its body from the first byte.
    Streaming(Streaming, BodyReader),
    /// Its answer is for whoever asked alone: because it is not kept, for this reason; because the handler failed; or because it
    /// answers their own conditions.
    Alone(Option<DeclineReason>, Streaming, BodyReader),
    /// The handler confirmed the old response (304), which is for this variant.
    Renewed(Arc<StoredResponse>, Variant),
    /// It is not kept: go on your own.
    Declined(DeclineReason),
    /// The handler failed.
    Failed(F),
    /// What came says nothing to anyone but whoever asked: look up once more.
    Unrelated,
    /// What came was made invalid meanwhile: look up once more.
    Outdated,
    /// It was given up: look up once more.
    Abandoned,
    /// More than [`MAX_WAITERS`] wait already.
    Crowded,
}

impl<F: Clone> Waiter<F> {
    /// Whether what it waits for was invalidated since its fetch began: whoever has it, it is not fresh.
    pub fn is_invalidated(&self, now: Moment) -> bool {
        self.flight.validity(now) != Validity::Valid
    }

    /// Waits for the fill's response to begin or for the fill to end, and before that for each interim answer. It always ends:
    /// a fill that is dropped, by a panic too, is abandoned.
    pub async fn wait(&mut self) -> Awaited<F> {
        if self.crowded {
            return Awaited::Crowded;
        }
        loop {
            // Seen first, looked at second: what is told in between wakes us.
            let progress = self.progress.borrow_and_update().clone();
            if let Some(head) = self.next_interim() {
                return Awaited::Interim(head);
            }
            if let Some(awaited) = self.answer(progress) {
                return awaited;
            }
            // The sender lives as long as the flight that this one holds.
            if self.progress.changed().await.is_err() {
                return Awaited::Abandoned;
            }
        }
    }

    /// The next interim answer that it has not been told of and may be.
    fn next_interim(&mut self) -> Option<ResponseHead> {
        let interim = self.flight.interim.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((audience, head)) = interim.get(self.told) {
            self.told += 1;
            if *audience == Audience::Everyone || self.role == Role::Asker {
                return Some(head.clone());
            }
        }
        None
    }

    /// What became of the fill; none while nothing has.
    fn answer(&self, progress: Progress<F>) -> Option<Awaited<F>> {
        let too_old = match self.role {
            Role::Asker => false,
            // What was invalidated since they came is for those who come later.
            Role::Other(joined, at) => self.flight.was_outdated(joined, at),
        };
        Some(match progress {
            Progress::Asking => return None,
            Progress::Streaming(_) | Progress::Renewed(..) if too_old => Awaited::Outdated,
            // The reader is taken before this one stops to count as expected, so its first byte is still there.
            Progress::Streaming(streaming) => match (self.withheld(streaming.sharing), streaming.body.reader()) {
                (Some(reason), _) => Awaited::Declined(reason),
                (None, Some(reader)) => Awaited::Streaming(streaming, reader),
                (None, None) => Awaited::Abandoned,
            },
            Progress::Renewed(response, variant, sharing) => match self.withheld(sharing) {
                Some(reason) => Awaited::Declined(reason),
                None => Awaited::Renewed(response, variant),
            },
            Progress::Declined(reason, answer) => match self.alone(answer) {
                Some((streaming, reader)) => Awaited::Alone(Some(reason), streaming, reader),
                None => Awaited::Declined(reason),
            },
            Progress::Failed(failure, answer) => match self.alone(answer) {
                Some((streaming, reader)) => Awaited::Alone(None, streaming, reader),
                None => Awaited::Failed(failure),
            },
            Progress::Theirs(reason, streaming) => match self.alone(Some(streaming)) {
                Some((streaming, reader)) => Awaited::Alone(reason, streaming, reader),
                None => Awaited::Unrelated,
            },
            Progress::Abandoned => Awaited::Abandoned,
        })
    }

    /// Why an answer that is kept is not for this one.
    fn withheld(&self, sharing: Sharing) -> Option<DeclineReason> {
        match (sharing, self.role) {
            (Sharing::Everyone, _) | (Sharing::Asker(_), Role::Asker) => None,
            (Sharing::Asker(reason), Role::Other(..)) => Some(reason),
        }
    }

    /// An answer that is for whoever asked, if that is this one.
    fn alone(&self, answer: Option<Streaming>) -> Option<(Streaming, BodyReader)> {
        let streaming = answer.filter(|_| self.role == Role::Asker)?;
        let reader = streaming.body.reader()?;
        Some((streaming, reader))
    }
}

impl<F> Drop for Waiter<F> {
    fn drop(&mut self) {
        if self.flight.waiters.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.flight.left.notify_one();
        }
        match &*self.flight.progress.borrow() {
            Progress::Streaming(streaming)
            | Progress::Declined(_, Some(streaming))
            | Progress::Failed(_, Some(streaming))
            | Progress::Theirs(_, streaming) => streaming.body.look_again(),
            Progress::Asking
            | Progress::Renewed(..)
            | Progress::Declined(_, None)
            | Progress::Failed(_, None)
            | Progress::Abandoned => {}
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
pub(crate) struct Shard<F> {
    /// Those that count.
    counting: HashMap<CacheKey, Vec<InFlight<F>>>,
    /// Those that are under way although an invalidation of their key ended their count. Who waits for them may have come after
    /// an invalidation of labels that only their answer names, so these are still held for them.
    ended: Vec<Arc<Flight<F>>>,
}

type InFlight<F> = (Variant, Arc<Flight<F>>);

impl<F: Clone> Flights<F> {
    const SHARDS: usize = 64;

    pub(crate) fn new() -> Flights<F> {
        let shards = (0..Self::SHARDS).map(|_| Mutex::default()).collect();
        Flights { shards, hasher: std::hash::RandomState::new() }
    }

    /// Locks the part that holds `key`. What it guards is whole after every operation, so a panic elsewhere is no reason to
    /// stop.
    pub(crate) fn lock(&self, key: &[u8]) -> MutexGuard<'_, Shard<F>> {
        let hash = self.hasher.hash_one(key);
        let index = usize::try_from(hash % Self::SHARDS as u64).unwrap_or(0);
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the oldest fill in flight began.
    pub(crate) fn oldest(&self) -> Option<Mark> {
        let of_shard = |shard: &Mutex<Shard<F>>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.flights().map(|flight| flight.began()).min()
        };
        self.shards.iter().filter_map(of_shard).min()
    }

    /// Number of fills in flight.
    pub(crate) fn len(&self) -> usize {
        let of_shard = |shard: &Mutex<Shard<F>>| shard.lock().unwrap_or_else(PoisonError::into_inner).flights().count();
        self.shards.iter().map(of_shard).sum()
    }
}

impl<F> Default for Shard<F> {
    fn default() -> Self {
        Shard { counting: HashMap::new(), ended: Vec::new() }
    }
}

impl<F: Clone> Shard<F> {
    fn flights(&self) -> impl Iterator<Item = &Arc<Flight<F>>> {
        self.counting.values().flatten().map(|(_, flight)| flight).chain(&self.ended)
    }

    /// The flight whose variant `request` asks for, as far as it is known yet.
    pub(crate) fn find(&self, key: &[u8], request: &mut Selecting<'_>, now: Moment) -> Option<&Arc<Flight<F>>> {
        let mut flights = self.counting.get(key)?.iter();
        flights.find(|(variant, flight)| request.selects(variant) && !flight.is_outdated(now)).map(|(_, flight)| flight)
    }

    /// The fields in which the responses differ that are being filled for this key.
    pub(crate) fn variance(&self, key: &[u8]) -> Option<&Variance> {
        self.counting.get(key)?.last().map(|(variant, _)| variant.variance())
    }

    pub(crate) fn begin(&mut self, key: CacheKey, variant: Variant, generations: &Arc<Generations>) -> Arc<Flight<F>> {
        let flight = Flight::new(generations, generations.begin(address(key.as_bytes())));
        self.counting.entry(key).or_default().push((variant, Arc::clone(&flight)));
        flight
    }

    /// The response has begun, and shows whom it is for.
    pub(crate) fn specify(&mut self, key: &CacheKey, flight: &Arc<Flight<F>>, variant: &Variant) {
        let known =
            self.counting.get_mut(key).and_then(|flights| flights.iter_mut().find(|(_, f)| Arc::ptr_eq(f, flight)));
        if let Some((known, _)) = known {
            *known = variant.clone();
        }
    }

    /// Whether a flight still counts: an invalidation ends all of its key.
    pub(crate) fn holds(&self, key: &CacheKey, flight: &Arc<Flight<F>>) -> bool {
        self.counting.get(key).is_some_and(|flights| flights.iter().any(|(_, other)| Arc::ptr_eq(other, flight)))
    }

    pub(crate) fn end(&mut self, key: &CacheKey, flight: &Arc<Flight<F>>) {
        if let Some(flights) = self.counting.get_mut(key) {
            flights.retain(|(_, other)| !Arc::ptr_eq(other, flight));
            if flights.is_empty() {
                self.counting.remove(key);
            }
        }
        self.ended.retain(|other| !Arc::ptr_eq(other, flight));
    }

    /// Ends the count of every flight of a key: what they bring is not kept.
    pub(crate) fn end_all(&mut self, key: &[u8]) {
        let ended = self.counting.remove(key).unwrap_or_default();
        self.ended.extend(ended.into_iter().map(|(_, flight)| flight).inspect(|flight| flight.end()));
    }
}
