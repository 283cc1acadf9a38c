//! What is kept beside whole responses that a fill brings: parts, codings, and what a HEAD says of what is stored.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_RANGE;

use super::{Asked, Cache};
use crate::fill::Terms;
use crate::key::address;
use crate::page::{Content, Slot};
use crate::partial::Combined;
use crate::record::Record;
use crate::standing::{Mark, Validity};
use crate::stored::{Description, Kept, StoredResponse};
use crate::word::age_value;
use crate::{CacheKey, Coding, Extent, Groups, Moment, Partial, Recoding, ResponseHead, Tags, Use, Variant};

/// What was found out about a part that is to be kept.
#[derive(Clone, Debug)]
pub struct PartTerms {
    /// Which bytes it is.
    pub extent: Extent,
    /// Whom it is for.
    pub variant: Variant,
    /// The age with which it came.
    pub initial_age: Duration,
    /// The groups with which it is forgotten.
    pub groups: Groups,
    /// The tags with which it is forgotten.
    pub tags: Tags,
    /// What [`Cache::invalidations`] said when the handler was asked.
    pub began: u64,
}

/// A part is of no use where the whole is.
struct WholeIsKept;

impl<F: Clone> Cache<F> {
    /// A fresh part that a request selects, with its time to live.
    pub fn part(&self, asked: &Asked<'_>, now: Moment) -> Option<(Arc<Partial>, Option<Duration>)> {
        let page = self.shared.store.peek(asked.key)?;
        let slot = page.select(&mut asked.selecting(), now)?;
        let Content::Part(part) = &slot.content else { return None };
        let validity = self.shared.validity(part.response(), now);
        match asked.policy.allowed(part.response(), validity, asked.demands, now) {
            Use::Fresh(ttl) => Some((Arc::clone(part), ttl)),
            Use::Unwanted | Use::WhileRevalidating(_) | Use::AsAsked(_) | Use::Never => None,
        }
    }

    /// Keeps a part, with what is there of the same representation; when that makes it whole, as a response like others. It is
    /// dropped where the whole is kept already, and where anything was invalidated since the handler was asked: `began` is
    /// what [`Cache::invalidations`] said then.
    pub fn keep_part(&self, key: &[u8], head: ResponseHead, body: &[u8], received: Moment, part: PartTerms) {
        let PartTerms { extent, variant, initial_age, groups, tags, began } = part;
        self.introduce(key);
        // Noted before it is asked whether there was one: one that comes in between outdates what is kept here.
        let mark = self.shared.generations.now();
        if body.len() as u64 != extent.length || extent.length > self.shared.max_body {
            return;
        }
        let Ok(older) = self.part_in_place(key, &variant) else { return };
        let record = self.shared.generations.record(address(key), &groups, &tags, mark);
        let mut head = ResponseHead { status: StatusCode::OK, ..head };
        head.fields.remove(&CONTENT_RANGE);
        let kept = Kept { record: Some(record), ..Kept::default() };
        let response = StoredResponse::new(head, body, received, None).with(initial_age, kept);
        // What was deleted is good for nothing any more, though it may not be swept away yet.
        let good = older.as_deref().filter(|older| self.shared.validity(older.response(), received) != Validity::Gone);
        // Put together before the lock is taken, because it may be long.
        let content = match Partial::new(response, extent).with(good, self.shared.max_body) {
            Combined::Part(part) => Content::Part(Arc::new(part)),
            Combined::Whole(response) => Content::Stored(Arc::new(response)),
        };
        let shard = self.shared.flights.lock(key);
        // Another part that came meanwhile stays: what is kept is one or the other, and never a mixture.
        let as_it_was = self
            .part_in_place(key, &variant)
            .is_ok_and(|now| older.as_ref().map(Arc::as_ptr) == now.as_ref().map(Arc::as_ptr));
        if !as_it_was || self.invalidations() != began {
            return;
        }
        self.shared.store.put(&CacheKey::from(key), Slot { variant, content });
        drop(shard);
        self.shared.store.settle();
    }

    /// The part that is kept for a variant, if any; an error where more is.
    fn part_in_place(&self, key: &[u8], variant: &Variant) -> Result<Option<Arc<Partial>>, WholeIsKept> {
        let page = self.shared.store.peek(key);
        match page.as_ref().and_then(|page| page.find(variant)) {
            Some(Content::Stored(..)) => Err(WholeIsKept),
            Some(Content::Part(older)) => Ok(Some(Arc::clone(older))),
            Some(Content::Declined(..) | Content::Forgotten(_)) | None => Ok(None),
        }
    }

    /// Heeds what the answer to a HEAD, asked for at `asked_at`, says of what is stored (RFC 9111 section 4.3.5): it is brought up
    /// to date where the answer describes it, and forgotten where it contradicts it. It is left alone where nothing tells, where
    /// `terms` has none, because the answer was for whoever asked, and where it is newer than the HEAD: stored since, or after
    /// anything was invalidated. `began` is what [`Cache::invalidations`] said when the handler was asked.
    pub fn freshen(
        &self,
        asked: &Asked<'_>,
        (head, received): (&ResponseHead, Moment),
        (asked_at, began): (Moment, u64),
        terms: impl FnOnce(&StoredResponse) -> Option<Terms>,
    ) {
        self.introduce(asked.key);
        let shard = self.shared.flights.lock(asked.key);
        let Some(page) = self.shared.store.peek(asked.key) else { return };
        let Some(slot) = page.select(&mut asked.selecting(), received) else { return };
        let Content::Stored(response) = &slot.content else { return };
        if response.received().monotonic > asked_at.monotonic {
            return;
        }
        let Some(terms) = terms(response) else { return };
        // Nobody knows what was made invalid while the HEAD was under way, so that counts which was before.
        let before = response.record().map_or(Mark::default(), Record::began);
        let record = self.shared.generations.record(address(asked.key), &terms.groups, &terms.tags, before);
        // Compared once its labels are held: what comes later finds them.
        if self.invalidations() != began {
            return;
        }
        let page = match response.description(head) {
            Description::Nothing => return,
            Description::Another => page.without(&slot.variant),
            Description::This => {
                let initial_age = terms.initial_age.unwrap_or_else(|| age_value(head));
                let variant = terms.variant.clone().unwrap_or_else(|| slot.variant.clone());
                let fresh = response.renewed_without(&terms.unshared, head, received);
                let fresh = fresh.with(initial_age, terms.kept(record));
                fresh.tally().count_hits(response.hits());
                let content = Content::Stored(Arc::new(fresh));
                page.without(&slot.variant).with(Slot { variant, content }, usize::MAX).0
            }
        };
        self.shared.store.replace(CacheKey::from(asked.key), page);
        drop(shard);
        self.shared.store.settle();
    }

    /// Keeps a coding of a stored response beside it, as long as it is there. Whether it was.
    pub fn keep_coding(&self, key: &[u8], response: &StoredResponse, coding: Coding, body: &Bytes) -> bool {
        let shard = self.shared.flights.lock(key);
        let page = self.shared.store.peek(key);
        let changed = page.and_then(|page| {
            page.changed(|content| match content {
                Content::Stored(stored)
                    if stored.recoding() == Recoding::WhenAsked && stored.shares_body_with(response) =>
                {
                    Some(Content::Stored(Arc::new(stored.with_coding(coding, body))))
                }
                Content::Stored(..) | Content::Part(_) | Content::Declined(..) | Content::Forgotten(_) => None,
            })
        });
        let Some(changed) = changed else { return false };
        self.shared.store.replace(CacheKey::from(key), changed);
        drop(shard);
        self.shared.store.settle();
        true
    }
}
