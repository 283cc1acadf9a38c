//! A page: the variants of one key, most recent first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderValue;
use http::header::CONTENT_LANGUAGE;

use crate::record::Record;
use crate::stored::StoredResponse;
use crate::variance::Selecting;
use crate::{DeclineReason, FailureKind, Moment, Partial, Variance, Variant};

/// Most variants of one page that are kept; the least recently stored goes first.
pub const MAX_VARIANTS: usize = 32;

/// How long a key whose answer was declined is passed without asking again (Varnish calls it hit-for-miss): nobody queues
/// behind an answer that will not be shared.
pub const HIT_FOR_MISS_LIFE: Duration = Duration::from_secs(10);

/// The variants of one key. Never changed, only replaced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    slots: Vec<Slot>,
}

/// One variant and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) variant: Variant,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A response, and how its revalidations fare.
    Stored(Arc<StoredResponse>, Arc<Trouble>),
    /// A part of a response.
    Part(Arc<Partial>),
    /// Its answer was declined; pass until this reading of the monotonic clock.
    Declined(DeclineReason, Duration),
    /// It was invalidated and swept away; that is told until this reading of the monotonic clock.
    Forgotten(Duration),
}

impl Content {
    /// What is stored, a part too.
    pub(crate) fn stored(&self) -> Option<&StoredResponse> {
        match self {
            Content::Stored(response, _) => Some(response),
            Content::Part(part) => Some(part.response()),
            Content::Declined(..) | Content::Forgotten(_) => None,
        }
    }

    /// A mark never counts longer than it says.
    fn counts(&self, now: Moment) -> bool {
        match self {
            Content::Stored(..) | Content::Part(_) => true,
            Content::Declined(_, until) | Content::Forgotten(until) => now.monotonic < *until,
        }
    }
}

/// Failed revalidations in a row of one stored response, and when the next may begin.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    failures: AtomicU32,
    /// Monotonic reading in milliseconds.
    retry_at: AtomicU64,
    /// Whether the handler could not be reached the last time.
    unreachable: AtomicBool,
}

impl Trouble {
    /// How many revalidations have failed in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Acquire)
    }

    /// Whether the next revalidation has to wait.
    pub(crate) fn backing_off(&self, now: Moment) -> bool {
        self.failures() > 0 && now.monotonic < Duration::from_millis(self.retry_at.load(Ordering::Acquire))
    }

    /// How the last revalidation failed.
    pub(crate) fn kind(&self) -> FailureKind {
        if self.unreachable.load(Ordering::Acquire) { FailureKind::Unreachable } else { FailureKind::Answered }
    }

    /// One more failure; the next attempt not before `retry_at`.
    pub(crate) fn failed(&self, kind: FailureKind, retry_at: Duration) {
        self.unreachable.store(kind == FailureKind::Unreachable, Ordering::Release);
        self.retry_at.store(u64::try_from(retry_at.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
        self.failures.fetch_add(1, Ordering::AcqRel);
    }
}

impl Page {
    /// What is known of a variant.
    pub(crate) fn find(&self, variant: &Variant) -> Option<&Content> {
        self.slots.iter().find(|slot| slot.variant == *variant).map(|slot| &slot.content)
    }

    /// What a request selects: the most recent of the variants that match it (RFC 9111 section 4.1). Marks that have run out
    /// at `now` are passed over.
    pub(crate) fn select(&self, selecting: &mut Selecting<'_>, now: Moment) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.content.counts(now) && selecting.selects(&slot.variant))
    }

    /// A stored response that a request selects although it was made for another: it differs in the languages that were asked
    /// for alone, and is in the one that the request wants most.
    pub(crate) fn select_by_language(&self, selecting: &mut Selecting<'_>) -> Option<&Slot> {
        let mut speaking = self.slots.iter().filter(|slot| slot.language().is_some()).peekable();
        speaking.peek()?;
        let wanted = selecting.language()?;
        speaking.find(|slot| {
            let speaks = slot.language().is_some_and(|own| own.as_bytes().trim_ascii().eq_ignore_ascii_case(&wanted));
            speaks && selecting.selects_but_for_language(&slot.variant)
        })
    }

    /// The fields in which its latest variant differs from others.
    pub(crate) fn variance(&self) -> Option<&Variance> {
        self.slots.first().map(|slot| slot.variant.variance())
    }

    /// What is known of each variant, most recent first.
    pub(crate) fn contents(&self) -> impl Iterator<Item = (&Variant, &Content)> {
        self.slots.iter().map(|slot| (&slot.variant, &slot.content))
    }

    /// What is stored, parts too, most recent first.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &StoredResponse> {
        self.slots.iter().filter_map(|slot| slot.content.stored())
    }

    /// It is in the store now.
    pub(crate) fn enter(&self) {
        self.stored().filter_map(StoredResponse::record).for_each(Record::enter);
    }

    /// It is in the store no longer.
    pub(crate) fn leave(&self) {
        self.stored().filter_map(StoredResponse::record).for_each(Record::leave);
    }

    /// Whether a response is stored for any variant.
    pub(crate) fn holds_any(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot.content, Content::Stored(..)))
    }

    /// This page with `slot` as its most recent, bounded in number and in bytes. Also the number of variants that had to go.
    pub(crate) fn with(&self, slot: Slot, max_bytes: usize) -> (Page, usize) {
        let mut slots = Vec::with_capacity(self.slots.len() + 1);
        let others = self.slots.iter().filter(|other| other.variant != slot.variant).cloned();
        slots.push(slot.clone());
        slots.extend(others);
        let before = slots.len();
        slots.truncate(MAX_VARIANTS);
        let mut sum = 0;
        slots.retain(|slot| {
            sum += slot.size();
            sum <= max_bytes
        });
        // The newest is within the limit of a single body, so it never falls to the limit of a page.
        if slots.is_empty() {
            slots.push(slot);
        }
        let gone = before - slots.len();
        (Page { slots }, gone)
    }

    /// This page with other content for the same variants, where `change` has any; nothing else moves. None when it has none.
    pub(crate) fn changed(&self, mut change: impl FnMut(&Content) -> Option<Content>) -> Option<Page> {
        let mut slots = self.slots.clone();
        let mut any = false;
        for slot in &mut slots {
            if let Some(content) = change(&slot.content) {
                slot.content = content;
                any = true;
            }
        }
        any.then_some(Page { slots })
    }

    /// This page without a variant.
    pub(crate) fn without(&self, variant: &Variant) -> Page {
        Page { slots: self.slots.iter().filter(|slot| slot.variant != *variant).cloned().collect() }
    }

    /// This page with marks in the places of what is gone, which are told of until `until`, and without marks that have run out;
    /// none where that is all the same.
    pub(crate) fn swept(
        &self,
        is_gone: impl Fn(&StoredResponse) -> bool,
        now: Moment,
        until: Duration,
    ) -> Option<Page> {
        // Of most pages nothing is gone: they are not copied.
        let stays = |slot: &Slot| slot.content.counts(now) && !slot.content.stored().is_some_and(&is_gone);
        if self.slots.iter().all(stays) {
            return None;
        }
        let mut slots = self.slots.clone();
        slots.retain(|slot| slot.content.counts(now));
        for slot in slots.iter_mut().filter(|slot| slot.content.stored().is_some_and(&is_gone)) {
            slot.content = Content::Forgotten(until);
        }
        Some(Page { slots })
    }

    /// Whether nothing is known of any variant.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.slots.iter().map(Slot::size).sum()
    }
}

impl Slot {
    /// The language of what is stored (RFC 9110 section 8.5).
    fn language(&self) -> Option<&HeaderValue> {
        match &self.content {
            Content::Stored(response, _) => response.head().fields.get(&CONTENT_LANGUAGE),
            Content::Part(_) | Content::Declined(..) | Content::Forgotten(_) => None,
        }
    }

    fn size(&self) -> usize {
        let content = match &self.content {
            Content::Stored(response, _) => response.size() + size_of::<Trouble>(),
            Content::Part(part) => part.response().size() + size_of::<Partial>(),
            Content::Declined(..) | Content::Forgotten(_) => 0,
        };
        size_of::<Slot>() + self.variant.size() + content
    }
}

#[cfg(test)]
mod tests;
