//! A fill: permission to fetch and store for one key and variant. Finished by consuming it, abandoned by dropping it.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, ETAG};
use http::{HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use crate::flight::{Audience, Begun, Flight, Progress, Role, Streaming, Waiter, Watch};
use crate::key::address;
use crate::page::{Content, HIT_FOR_MISS_LIFE, Page, Slot};
use crate::record::SharedRecord;
use crate::shared::Shared;
use crate::standing::Validity;
use crate::stored::{Arrival, Dating, Kept, Making, StoredResponse};
use crate::word::age_value;
use crate::{
    CacheKey, DeclineReason, Demands, EVERGATE_CACHE_CONTROL, FailureKind, Fields, Groups, Missing, Moment, Policy,
    Recoding, ResponseHead, Room, Sharing, Tags, Variant, backoff,
};

/// Permission to fetch and store for one key and variant; exactly one exists at a time.
///
/// It ends as stored ([`Fill::begin`], then [`Filling::finish`]), renewed by a 304, declined with a reason, failed, or
/// abandoned by dropping it, which a panic does too.
#[derive(Debug)]
pub struct Fill<F: Clone> {
    hold: Hold<F>,
    old: Option<Arc<StoredResponse>>,
}

/// What a fill brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Landing {
    /// Something new.
    New,
    /// That the old response is still good.
    Confirmed,
}

/// What a fill holds: the place among the fills in flight. Its drop lets go of it.
#[derive(Debug)]
struct Hold<F: Clone> {
    shared: Arc<Shared<F>>,
    key: CacheKey,
    variant: Variant,
    flight: Arc<Flight<F>>,
    missing: Missing,
    held: bool,
    /// What those who wait are told when nothing else has been said.
    unfinished: bool,
}

impl<F: Clone> Hold<F> {
    /// Changes the page and lets go, in one step under the lock of the key; then tells those who wait. What is gone at the
    /// moment that comes with the content replaces nothing: another fill may have brought something newer.
    fn release(&mut self, content: Option<(Content, Landing, Moment)>, news: Option<Progress<F>>) {
        let mut shard = self.shared.flights.lock(self.key.as_bytes());
        let changed = content.is_some();
        // An invalidation beats every fill that began before it. What it makes stale, or gone later, is judged at each look-up.
        let is_current = |landing, now| {
            let validity = self.flight.validity(now);
            shard.holds(&self.key, &self.flight)
                && match landing {
                    Landing::New => validity != Validity::Gone,
                    // What was confirmed is as old as what was invalidated.
                    Landing::Confirmed => validity == Validity::Valid,
                }
        };
        if let Some((content, ..)) = content.filter(|(_, landing, now)| is_current(*landing, *now)) {
            let page = self.shared.store.peek(self.key.as_bytes()).unwrap_or_default();
            let content = with_codings(content, &page);
            self.inherit_hits(&content, &page);
            self.shared.store.put(&self.key, Slot { variant: self.variant.clone(), content });
        }
        shard.end(&self.key, &self.flight);
        self.held = false;
        drop(shard);
        if let Some(news) = news {
            self.unfinished = false;
            self.flight.publish(news);
        }
        if changed {
            self.shared.store.settle();
            self.shared.look_at_charges();
        }
    }

    /// What takes the place of another is as popular.
    fn inherit_hits(&self, content: &Content, page: &Page) {
        let old = page.find(&self.variant).and_then(Content::stored);
        if let (Some(old), Some(new)) = (old, content.stored()) {
            new.tally().count_hits(old.tally().hits());
        }
    }

    /// The record of what the fill brings.
    fn record(&self, terms: &Terms) -> SharedRecord {
        let (address, began) = (address(self.key.as_bytes()), self.flight.began());
        let record = self.shared.generations.record(address, &terms.groups, &terms.tags, began);
        record.is_made(terms.making);
        record
    }

    /// Counts a failed revalidation of what is stored; the next may begin after a back-off.
    fn note_failure(&self, kind: FailureKind, now: Moment, jitter: f64) {
        // What is fresh needs no revalidation that could fail: one request wanted something else.
        if self.missing == Missing::Request {
            return;
        }
        let shard = self.shared.flights.lock(self.key.as_bytes());
        if shard.holds(&self.key, &self.flight)
            && !self.flight.is_outdated(now)
            && let Some(page) = self.shared.store.peek(self.key.as_bytes())
            && let Some(Content::Stored(response)) = page.find(&self.variant)
        {
            let trouble = response.trouble();
            trouble.failed(kind, now.monotonic + backoff(trouble.failures() + 1, jitter));
        }
    }

    /// The response has begun, and shows whom it is for.
    fn specify(&mut self, variant: Variant) {
        let mut shard = self.shared.flights.lock(self.key.as_bytes());
        shard.specify(&self.key, &self.flight, &variant);
        self.variant = variant;
    }

    fn mark_declined(&mut self, reason: DeclineReason, now: Moment, news: Option<Progress<F>>) {
        let content = Content::Declined(reason, (now.monotonic + HIT_FOR_MISS_LIFE).into());
        self.release(Some((content, Landing::New, now)), news);
    }
}

/// What a 304 confirmed, with the codings that were made of its body since the handler was asked: they are made once.
fn with_codings(content: Content, page: &Page) -> Content {
    let Content::Stored(response) = &content else { return content };
    if response.recoding() == Recoding::Never {
        return content;
    }
    let known = page.stored().find(|known| known.shares_body_with(response));
    known.map_or_else(|| content.clone(), |known| Content::Stored(Arc::new(response.with_codings_of(known))))
}

impl<F: Clone> Drop for Hold<F> {
    fn drop(&mut self) {
        if self.held {
            self.release(None, None);
        }
        if self.unfinished {
            self.flight.publish(Progress::Abandoned);
        }
    }
}

/// What was decided about a response that is kept. The default is what every response of a route with a window gets.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The age with which it came; none: what it says itself.
    pub initial_age: Option<Duration>,
    /// Whom it is for; none: whoever asks for what the fill was begun for.
    pub variant: Option<Variant>,
    /// Fields that are for whoever asked, and not kept.
    pub unshared: Vec<HeaderName>,
    /// Whether those who wait may have it.
    pub sharing: Sharing,
    /// Whether it gets an entity tag.
    pub tagging: Tagging,
    /// The groups with which it is forgotten.
    pub groups: Groups,
    /// The tags with which it is forgotten.
    pub tags: Tags,
    /// Whether other codings may be made of it.
    pub recoding: Recoding,
    /// Who says when it was made.
    pub dating: Dating,
    /// Whether it was fresh when it came.
    pub arrival: Arrival,
    /// Why it was made.
    pub making: Making,
}

impl Terms {
    /// What is kept beside a response of this record.
    pub(crate) fn kept(self, record: SharedRecord) -> Kept {
        let Terms { sharing, recoding, dating, arrival, making, .. } = self;
        Kept { record: Some(record), sharing, recoding, dating, arrival, making }
    }
}

/// Whether a response gets an entity tag that its handler did not give it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tagging {
    /// One made from its body.
    #[default]
    WhereMissing,
    /// None.
    Never,
}

/// What those are told who waited for an answer that is not kept.
#[derive(Debug)]
pub enum Alone<F> {
    /// It was declined.
    Declined(DeclineReason),
    /// The handler failed; `jitter` (0 to 1) spreads the back-off.
    Failed(F, FailureKind, f64),
    /// It answers something in the request of whoever asked, and says nothing of what others would get. Why it is not kept, if
    /// that is all that stands against it.
    Theirs(Option<DeclineReason>),
}

impl<F: Clone> Fill<F> {
    pub(crate) fn new(
        shared: Arc<Shared<F>>,
        key: CacheKey,
        variant: Variant,
        flight: Arc<Flight<F>>,
        old: Option<Arc<StoredResponse>>,
        missing: Missing,
    ) -> Fill<F> {
        Fill { hold: Hold { shared, key, variant, flight, missing, held: true, unfinished: true }, old }
    }

    /// What was missing.
    pub fn missing(&self) -> Missing {
        self.hold.missing
    }

    /// Watches it from outside.
    pub fn watch(&self) -> Watch<F> {
        Watch::new(&self.hold.flight)
    }

    /// Whoever asks: the one with whose request the handler is asked.
    pub fn waiter(&self) -> Waiter<F> {
        self.hold.flight.join(Role::Asker)
    }

    /// Passes an interim answer (1xx) on to those who wait and may have it. It is never kept (RFC 9110 section 15.2).
    pub fn interim(&self, audience: Audience, head: ResponseHead) {
        self.hold.flight.interim(audience, head);
    }

    /// Waits until nobody waits for it any more. A fill that has not been asked for yet need not be then.
    pub async fn deserted(&self) {
        self.hold.flight.deserted().await;
    }

    /// The old response, whose validators the fetch may use.
    pub fn old(&self) -> Option<&Arc<StoredResponse>> {
        self.old.as_ref()
    }

    /// By how much the old response is stale, if it may be served because the handler failed (RFC 9111 section 4.2.4, RFC 5861
    /// section 4).
    pub fn despite(&self, failure: FailureKind, policy: &Policy, demands: &Demands, now: Moment) -> Option<Duration> {
        let old = self.old()?;
        policy.despite(failure, (old, self.hold.shared.validity(old, now)), demands, now)
    }

    /// Whether a body that its head announces as so long is kept.
    pub fn has_room_for(&self, head: &ResponseHead) -> bool {
        head.content_length().is_none_or(|length| length <= self.hold.shared.max_body)
    }

    /// The response begins and will be kept. A body that is announced as longer than `max_body` is declined instead.
    ///
    /// # Errors
    ///
    /// The reason, when it was declined; those who waited have been told.
    pub fn begin(self, head: ResponseHead, received: Moment, terms: Terms) -> Result<Filling<F>, DeclineReason> {
        if !self.has_room_for(&head) {
            self.decline(DeclineReason::TooLarge, received);
            return Err(DeclineReason::TooLarge);
        }
        let mut hold = self.hold;
        let Terms { sharing, tagging, dating, .. } = terms;
        if let Some(variant) = &terms.variant {
            hold.specify(variant.clone());
        }
        let initial_age = terms.initial_age.unwrap_or_else(|| age_value(&head));
        let (head, targeted) = set_apart(head, &[EVERGATE_CACHE_CONTROL]);
        let (head, unshared) = set_apart(head, &terms.unshared);
        let begun = Begun { head, received, initial_age, variant: hold.variant.clone(), unshared, sharing, dating };
        let streaming = Streaming::new(begun, hold.flight.waiters());
        let digest = (tagging == Tagging::WhereMissing && wants_etag(&streaming)).then(Sha256::new);
        let record = hold.record(&terms);
        hold.flight.carries(&record);
        let kept = terms.kept(record);
        Ok(Filling { hold, digest, streaming, tagging, targeted, kept, ended: false })
    }

    /// The answer is not kept, and goes to whoever asked as it comes, because the handler saw their whole request. The others
    /// who wait are told what `news` says.
    pub fn relay(mut self, head: ResponseHead, received: Moment, news: Alone<F>) -> Filling<F> {
        let initial_age = age_value(&head);
        let (variant, sharing) = (self.hold.variant.clone(), Sharing::default());
        let (head, _for_us_alone) = set_apart(head, &[EVERGATE_CACHE_CONTROL]);
        let dating = Dating::default();
        let begun = Begun { head, received, initial_age, variant, unshared: Fields::default(), sharing, dating };
        let streaming = Streaming::new(begun, self.hold.flight.waiters());
        streaming.body().let_go();
        let answer = Some(streaming.clone());
        match news {
            Alone::Declined(reason) => {
                self.hold.mark_declined(reason, received, Some(Progress::Declined(reason, answer)));
            }
            Alone::Failed(failure, kind, jitter) => {
                self.hold.note_failure(kind, received, jitter);
                self.hold.release(None, Some(Progress::Failed(failure, answer)));
            }
            Alone::Theirs(reason) => self.hold.release(None, Some(Progress::Theirs(reason, streaming.clone()))),
        }
        Filling {
            hold: self.hold,
            digest: None,
            streaming,
            tagging: Tagging::Never,
            targeted: Fields::default(),
            kept: Kept::default(),
            ended: false,
        }
    }

    /// The handler confirmed the old response with `not_modified`; it is good for another time. None when there was nothing to
    /// confirm, which abandons the fill.
    pub fn renew(mut self, not_modified: &ResponseHead, received: Moment, terms: Terms) -> Option<Arc<StoredResponse>> {
        let old = self.old.as_ref()?;
        let initial_age = terms.initial_age.unwrap_or_else(|| age_value(not_modified));
        let sharing = terms.sharing;
        if let Some(variant) = &terms.variant {
            self.hold.specify(variant.clone());
        }
        let record = self.hold.record(&terms);
        // The body is the old one, whatever tags it has from now on.
        let judged = old.record().map(|old| self.hold.shared.generations.both(&record, old));
        self.hold.flight.carries(judged.as_ref().unwrap_or(&record));
        let renewed = old.renewed_without(&terms.unshared, not_modified, received);
        let renewed = Arc::new(renewed.with(initial_age, terms.kept(record)));
        let content = Content::Stored(Arc::clone(&renewed));
        let variant = self.hold.variant.clone();
        self.hold.release(
            Some((content, Landing::Confirmed, received)),
            Some(Progress::Renewed(Arc::clone(&renewed), variant, sharing)),
        );
        Some(renewed)
    }

    /// The answer is not kept: those who wait go at once, each on its own, and so does whoever comes within
    /// [`HIT_FOR_MISS_LIFE`]. An old response is removed.
    pub fn decline(mut self, reason: DeclineReason, now: Moment) {
        self.hold.mark_declined(reason, now, Some(Progress::Declined(reason, None)));
    }

    /// The handler failed: those who wait learn how; an old response stays, and the next attempt waits. `jitter` (0 to 1)
    /// spreads the back-off.
    pub fn fail(mut self, failure: F, kind: FailureKind, now: Moment, jitter: f64) {
        self.hold.note_failure(kind, now, jitter);
        self.hold.release(None, Some(Progress::Failed(failure, None)));
    }
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is kept.
    Kept,
    /// The body has outgrown `max_body`: it goes on to those who read it and will not be stored.
    LetGo,
}

/// A fill whose response has begun.
#[derive(Debug)]
pub struct Filling<F: Clone> {
    hold: Hold<F>,
    streaming: Streaming,
    digest: Option<Sha256>,
    tagging: Tagging,
    /// What the handler says to this cache alone: kept with the response, and never sent.
    targeted: Fields,
    kept: Kept,
    ended: bool,
}

impl<F: Clone> Filling<F> {
    /// Everyone who waits gets the head and reads the body as it grows. Until then they wait: a response that comes all at
    /// once is stored first, so that whoever has seen its end finds it when asking again.
    pub fn announce(&mut self) {
        if self.hold.unfinished {
            self.hold.unfinished = false;
            self.hold.flight.publish(Progress::Streaming(self.streaming.clone()));
        }
    }

    /// Whether the body is still kept with so many bytes more.
    pub fn has_room_for(&self, more: usize) -> bool {
        self.streaming.body().length().saturating_add(more as u64) <= self.hold.shared.max_body
    }

    /// Adds a piece of the body, with more to come.
    pub fn push(&mut self, piece: Bytes, now: Moment) -> Pushed {
        if let Some(digest) = &mut self.digest {
            digest.update(&piece);
        }
        self.announce();
        let body = self.streaming.body();
        body.push(piece);
        if self.hold.held && body.length() > self.hold.shared.max_body {
            self.digest = None;
            self.hold.mark_declined(DeclineReason::TooLarge, now, None);
            self.streaming.body().let_go();
        }
        if self.hold.held { Pushed::Kept } else { Pushed::LetGo }
    }

    /// Once it is not kept any more: waits until its readers have room for more, or are gone.
    pub async fn room(&self) -> Room {
        self.streaming.body().room().await
    }

    /// Waits until nobody reads it any more.
    pub async fn deserted(&self) {
        self.streaming.body().deserted().await;
    }

    /// Once it is not kept any more: cuts readers that hold it back and read less than `least` bytes since the last call.
    pub fn cut_laggards(&self, least: u64) {
        self.streaming.body().cut_laggards(least);
    }

    /// The body is whole with its `last` piece. It is stored, unless it was let go or is too long, and only then do its readers
    /// see its end.
    pub fn finish(mut self, last: Bytes, now: Moment) -> Pushed {
        let length = self.streaming.body().length() + last.len() as u64;
        if !self.hold.held || length > self.hold.shared.max_body {
            self.push(last, now);
            self.streaming.body().finish(None);
            self.ended = true;
            return Pushed::LetGo;
        }
        if let Some(digest) = &mut self.digest {
            digest.update(&last);
        }
        let etag = self.digest.take().and_then(|digest| entity_tag(&digest.finalize()));
        let write = |mut room: &mut [u8]| {
            // The room is as long as both together: nobody but this writes to the body.
            self.streaming.body().copy_to(&mut room);
            let written = room.write_all(&last);
            debug_assert!(written.is_ok() && room.is_empty(), "the body is not as long as its room");
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let stored = StoredResponse::written(self.head(), (length, write), self.streaming.received(), etag)
            .with(self.streaming.initial_age(), std::mem::take(&mut self.kept));
        let body = stored.body();
        let content = Content::Stored(Arc::new(stored));
        self.hold.release(Some((content, Landing::New, now)), None);
        self.streaming.body().finish(Some(body));
        self.announce();
        // Last of all: until here a panic cuts the readers.
        self.ended = true;
        Pushed::Kept
    }

    /// The head as it is kept. Where the gateway adds to what its handler says, it says that parts may be asked for (RFC 9110
    /// section 14.3).
    fn head(&self) -> ResponseHead {
        let mut head = self.streaming.head().clone();
        for (name, value) in self.targeted.iter() {
            head.fields.append(name.clone(), value.clone());
        }
        let adds = self.tagging == Tagging::WhereMissing && head.status == StatusCode::OK;
        if adds && !head.fields.contains(&ACCEPT_RANGES) {
            head.fields.append(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        head
    }

    /// The body ended before it was whole: nothing is stored, its readers are cut, those who still wait learn of the failure,
    /// an old response stays and the next attempt waits. `jitter` (0 to 1) spreads the back-off.
    pub fn fail(mut self, failure: F, now: Moment, jitter: f64) {
        if self.hold.held {
            self.hold.note_failure(FailureKind::Unreachable, now, jitter);
        }
        if self.hold.unfinished {
            self.hold.release(None, Some(Progress::Failed(failure, None)));
        }
        // The rest is what dropping does.
    }
}

impl<F: Clone> Drop for Filling<F> {
    fn drop(&mut self) {
        if !self.ended {
            // Released first: whoever is cut and comes back finds no fill that can only end in the same cut.
            if self.hold.held {
                self.hold.release(None, None);
            }
            self.streaming.body().cut();
        }
    }
}

/// A head without the fields that are for whoever asked, and these. What says how the message is to be read stays with it.
fn set_apart(mut head: ResponseHead, unshared: &[HeaderName]) -> (ResponseHead, Fields) {
    let apart = |name: &HeaderName| unshared.contains(name) && *name != CONTENT_LENGTH;
    let set_apart =
        head.fields.iter().filter(|(name, _)| apart(name)).map(|(name, value)| (name.clone(), value.clone()));
    let set_apart = set_apart.collect();
    head.fields.retain(|name, _| !apart(name));
    (head, set_apart)
}

/// Successful answers with a body get an entity tag when the handler gave none.
fn wants_etag(streaming: &Streaming) -> bool {
    let head = streaming.head();
    head.status.is_success() && head.status != StatusCode::NO_CONTENT && !head.fields.contains(&ETAG)
}

/// A strong entity tag from the digest of a body: its first 128 bits in hexadecimal, which no two bodies share.
fn entity_tag(digest: &[u8]) -> Option<HeaderValue> {
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in digest.iter().take(16) {
        for nibble in [byte >> 4, byte & 15] {
            tag.push(char::from_digit(nibble.into(), 16)?);
        }
    }
    tag.push('"');
    HeaderValue::from_str(&tag).ok()
}
