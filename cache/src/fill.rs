//! A fill: permission to fetch and store for one key and variant. Finished by consuming it, abandoned by dropping it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, ETAG};
use http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use crate::flight::{Flight, Progress, Streaming, Waiter};
use crate::page::{Content, HIT_FOR_MISS_LIFE, Slot, Trouble};
use crate::shared::Shared;
use crate::stored::StoredResponse;
use crate::{CacheKey, DeclineReason, Moment, Room, Variant, backoff};

/// Permission to fetch and store for one key and variant; exactly one exists at a time.
///
/// It ends as stored ([`Fill::begin`], then [`Filling::finish`]), renewed by a 304, declined with a reason, failed, or
/// abandoned by dropping it, which a panic does too.
#[derive(Debug)]
pub struct Fill<F: Clone> {
    hold: Hold<F>,
    old: Option<Arc<StoredResponse>>,
}

/// What a fill holds: the place among the fills in flight. Its drop lets go of it.
#[derive(Debug)]
struct Hold<F: Clone> {
    shared: Arc<Shared<F>>,
    key: CacheKey,
    variant: Variant,
    flight: Arc<Flight<F>>,
    held: bool,
    /// What those who wait are told when nothing else has been said.
    unfinished: bool,
}

impl<F: Clone> Hold<F> {
    /// Changes the page and lets go, in one step under the lock of the key; then tells those who wait.
    fn release(&mut self, content: Option<Content>, news: Option<Progress<F>>) {
        let mut shard = self.shared.flights.lock(self.key.as_bytes());
        let changed = content.is_some();
        if let Some(content) = content {
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
        }
    }

    /// Counts a failed revalidation of what is stored; the next may begin after a back-off.
    fn note_failure(&self, now: Moment, jitter: f64) {
        let _shard = self.shared.flights.lock(self.key.as_bytes());
        if let Some(page) = self.shared.store.get(self.key.as_bytes())
            && let Some(Content::Stored(_, trouble)) = page.find(&self.variant)
        {
            trouble.failed(now.monotonic + backoff(trouble.failures() + 1, jitter));
        }
    }

    fn mark_declined(&mut self, reason: DeclineReason, now: Moment, news: Option<Progress<F>>) {
        self.release(Some(Content::Declined(reason, now.monotonic + HIT_FOR_MISS_LIFE)), news);
    }
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

impl<F: Clone> Fill<F> {
    pub(crate) fn new(
        shared: Arc<Shared<F>>,
        key: CacheKey,
        variant: Variant,
        flight: Arc<Flight<F>>,
        old: Option<Arc<StoredResponse>>,
    ) -> Fill<F> {
        Fill { hold: Hold { shared, key, variant, flight, held: true, unfinished: true }, old }
    }

    /// Someone who shares the result.
    pub fn waiter(&self) -> Waiter<F> {
        self.hold.flight.join()
    }

    /// Waits until nobody waits for it any more. A fill that has not been asked for yet need not be then.
    pub async fn deserted(&self) {
        self.hold.flight.deserted().await;
    }

    /// The old response, whose validators the fetch may use.
    pub fn old(&self) -> Option<&Arc<StoredResponse>> {
        self.old.as_ref()
    }

    /// The response begins and will be kept. A body that is announced as longer than `max_body` is declined instead.
    ///
    /// # Errors
    ///
    /// The reason, when it was declined; those who waited have been told.
    pub fn begin(self, head: crate::ResponseHead, received: Moment) -> Result<Filling<F>, DeclineReason> {
        let announced = head.fields.get(&CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > self.hold.shared.max_body) {
            self.decline(DeclineReason::TooLarge, received);
            return Err(DeclineReason::TooLarge);
        }
        let streaming = Streaming::new(head, received, self.hold.flight.waiters());
        let digest = wants_etag(&streaming).then(Sha256::new);
        Ok(Filling { hold: self.hold, digest, streaming, ended: false })
    }

    /// The handler confirmed the old response with `not_modified`; it is good for another window. None when there was
    /// nothing to confirm, which abandons the fill.
    pub fn renew(mut self, not_modified: &crate::ResponseHead, received: Moment) -> Option<Arc<StoredResponse>> {
        let renewed = Arc::new(self.old.as_ref()?.renewed(not_modified, received));
        let content = Content::Stored(Arc::clone(&renewed), Arc::new(Trouble::default()));
        self.hold.release(Some(content), Some(Progress::Renewed(Arc::clone(&renewed))));
        Some(renewed)
    }

    /// The answer is not kept: those who wait go at once, each on its own, and so does whoever comes within
    /// [`HIT_FOR_MISS_LIFE`]. An old response is removed.
    pub fn decline(mut self, reason: DeclineReason, now: Moment) {
        self.hold.mark_declined(reason, now, Some(Progress::Declined(reason)));
    }

    /// The handler failed: those who wait learn how; an old response stays, and the next attempt waits. `jitter` (0 to 1)
    /// spreads the back-off.
    pub fn fail(mut self, failure: F, now: Moment, jitter: f64) {
        self.hold.note_failure(now, jitter);
        self.hold.release(None, Some(Progress::Failed(failure)));
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
        let body = self.streaming.body().assemble(last);
        let etag = self.digest.take().and_then(|digest| entity_tag(&digest.finalize()));
        let stored = StoredResponse::new(self.streaming.head().clone(), body.clone(), self.streaming.received(), etag);
        self.hold.release(Some(Content::Stored(Arc::new(stored), Arc::new(Trouble::default()))), None);
        self.streaming.body().finish(Some(body));
        self.announce();
        // Last of all: until here a panic cuts the readers.
        self.ended = true;
        Pushed::Kept
    }

    /// The body ended before it was whole: nothing is stored, its readers are cut, those who still wait learn of the failure,
    /// an old response stays and the next attempt waits. `jitter` (0 to 1) spreads the back-off.
    pub fn fail(mut self, failure: F, now: Moment, jitter: f64) {
        if self.hold.held {
            self.hold.note_failure(now, jitter);
        }
        if self.hold.unfinished {
            self.hold.release(None, Some(Progress::Failed(failure)));
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
