//! A page: the variants of one key, most recent first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::CONTENT_LANGUAGE;

use crate::moment::Span;
use crate::record::Record;
use crate::stored::StoredResponse;
use crate::variance::Selecting;
use crate::{DeclineReason, FailureKind, Moment, Partial, Variance, Variant};

/// Most variants of one page that are kept; the least recently stored goes first.
pub const MAX_VARIANTS: usize = 32;

/// How long a key whose answer was declined is passed without asking again (Varnish calls it hit-for-miss): nobody queues
/// behind an answer that will not be shared.
pub const HIT_FOR_MISS_LIFE: Duration = Duration::from_secs(10);

/// The variants of one key. Never changed, only replaced; a copy is cheap.
#[derive(Clone, Debug, Default)]
pub(crate) enum Page {
    /// None.
    #[default]
    Empty,
    /// One, which most pages have: it stands in the store itself.
    One(Slot),
    /// More.
    Several(Arc<[Slot]>),
}

/// One variant and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) variant: Variant,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A response.
    Stored(Arc<StoredResponse>),
    /// A part of a response.
    Part(Arc<Partial>),
    /// Its answer was declined; pass until this reading of the monotonic clock.
    Declined(DeclineReason, Span),
    /// It was invalidated and swept away; that is told until this reading of the monotonic clock.
    Forgotten(Span),
}

impl Content {
    /// What is stored, a part too.
    pub(crate) fn stored(&self) -> Option<&StoredResponse> {
        match self {
            Content::Stored(response) => Some(response),
            Content::Part(part) => Some(part.response()),
            Content::Declined(..) | Content::Forgotten(_) => None,
        }
    }

    /// A mark never counts longer than it says.
    fn counts(&self, now: Moment) -> bool {
        match self {
            Content::Stored(..) | Content::Part(_) => true,
            Content::Declined(_, until) | Content::Forgotten(until) => now.monotonic < until.get(),
        }
    }
}

/// Failed revalidations in a row of one stored response, how the last one failed, and when the next may begin: in one word, so that
/// a look finds what belongs together. Changed under the lock of the key; a copy begins where the other is.
#[derive(Debug, Default)]
pub(crate) struct Trouble(AtomicU64);

impl Trouble {
    /// The lowest bits count the failures; far fewer make the longest back-off.
    const COUNT: u64 = 0xffff;
    /// Whether the handler could not be reached the last time.
    const UNREACHABLE: u64 = 0x1_0000;
    /// Above them stands when the next may begin, in milliseconds of the monotonic clock.
    const TIME: u32 = 17;

    fn word(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// How many revalidations have failed in a row.
    pub(crate) fn failures(&self) -> u32 {
        u32::try_from(self.word() & Self::COUNT).unwrap_or(u32::MAX)
    }

    /// Whether the next revalidation has to wait.
    pub(crate) fn backing_off(&self, now: Moment) -> bool {
        let word = self.word();
        word & Self::COUNT > 0 && now.monotonic < Duration::from_millis(word >> Self::TIME)
    }

    /// How the last revalidation failed.
    pub(crate) fn kind(&self) -> FailureKind {
        if self.word() & Self::UNREACHABLE > 0 { FailureKind::Unreachable } else { FailureKind::Answered }
    }

    /// One more failure; the next attempt not before `retry_at`.
    pub(crate) fn failed(&self, kind: FailureKind, retry_at: Duration) {
        let count = (u64::from(self.failures()) + 1).min(Self::COUNT);
        let unreachable = if kind == FailureKind::Unreachable { Self::UNREACHABLE } else { 0 };
        let latest = u64::MAX >> Self::TIME;
        let retry_at = u64::try_from(retry_at.as_millis()).unwrap_or(latest).min(latest);
        self.0.store(retry_at << Self::TIME | unreachable | count, Ordering::Release);
    }
}

impl Clone for Trouble {
    fn clone(&self) -> Trouble {
        Trouble(AtomicU64::new(self.word()))
    }
}

impl From<Vec<Slot>> for Page {
    fn from(mut slots: Vec<Slot>) -> Page {
        match slots.len() {
            0 => Page::Empty,
            1 => slots.pop().map_or(Page::Empty, Page::One),
            _ => Page::Several(slots.into()),
        }
    }
}

impl Page {
    /// Its variants, most recent first.
    fn slots(&self) -> &[Slot] {
        match self {
            Page::Empty => &[],
            Page::One(slot) => std::slice::from_ref(slot),
            Page::Several(slots) => slots,
        }
    }

    /// What is known of a variant.
    pub(crate) fn find(&self, variant: &Variant) -> Option<&Content> {
        self.slots().iter().find(|slot| slot.variant == *variant).map(|slot| &slot.content)
    }

    /// What a request selects: the most recent of the variants that match it (RFC 9111 section 4.1). Marks that have run out
    /// at `now` are passed over.
    pub(crate) fn select(&self, selecting: &mut Selecting<'_>, now: Moment) -> Option<&Slot> {
        self.slots().iter().find(|slot| slot.content.counts(now) && selecting.selects(&slot.variant))
    }

    /// A stored response that a request selects although it was made for another: it differs in the languages that were asked
    /// for alone, and is in the one that the request wants most.
    pub(crate) fn select_by_language(&self, selecting: &mut Selecting<'_>) -> Option<&Slot> {
        let mut speaking = self.slots().iter().filter(|slot| slot.language().is_some()).peekable();
        speaking.peek()?;
        let wanted = selecting.language()?;
        speaking.find(|slot| {
            let speaks = slot.language().is_some_and(|own| own.trim_ascii().eq_ignore_ascii_case(&wanted));
            speaks && selecting.selects_but_for_language(&slot.variant)
        })
    }

    /// The fields in which its latest variant differs from others.
    pub(crate) fn variance(&self) -> Option<&Variance> {
        self.slots().first().map(|slot| slot.variant.variance())
    }

    /// What is known of each variant, most recent first.
    pub(crate) fn contents(&self) -> impl Iterator<Item = (&Variant, &Content)> {
        self.slots().iter().map(|slot| (&slot.variant, &slot.content))
    }

    /// What is stored, parts too, most recent first.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &StoredResponse> {
        self.slots().iter().filter_map(|slot| slot.content.stored())
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
        self.slots().iter().any(|slot| matches!(slot.content, Content::Stored(..)))
    }

    /// This page with `slot` as its most recent, bounded in number and in bytes. Also the number of variants that had to go.
    pub(crate) fn with(&self, slot: Slot, max_bytes: usize) -> (Page, usize) {
        let known = self.slots();
        let mut slots = Vec::with_capacity(known.len() + 1);
        let others = known.iter().filter(|other| other.variant != slot.variant).cloned();
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
        (slots.into(), gone)
    }

    /// This page with other content for the same variants, where `change` has any; nothing else moves. None when it has none.
    pub(crate) fn changed(&self, mut change: impl FnMut(&Content) -> Option<Content>) -> Option<Page> {
        let mut slots = self.slots().to_vec();
        let mut any = false;
        for slot in &mut slots {
            if let Some(content) = change(&slot.content) {
                slot.content = content;
                any = true;
            }
        }
        any.then(|| slots.into())
    }

    /// This page without a variant.
    pub(crate) fn without(&self, variant: &Variant) -> Page {
        self.slots().iter().filter(|slot| slot.variant != *variant).cloned().collect::<Vec<Slot>>().into()
    }

    /// This page with marks in the places of what is gone, which are told of until `until`, and without marks that have run out;
    /// none where that is all the same.
    pub(crate) fn swept(&self, is_gone: impl Fn(&StoredResponse) -> bool, now: Moment, until: Span) -> Option<Page> {
        // Of most pages nothing is gone: they are not copied.
        let stays = |slot: &Slot| slot.content.counts(now) && !slot.content.stored().is_some_and(&is_gone);
        if self.slots().iter().all(stays) {
            return None;
        }
        let mut slots = self.slots().to_vec();
        slots.retain(|slot| slot.content.counts(now));
        for slot in slots.iter_mut().filter(|slot| slot.content.stored().is_some_and(&is_gone)) {
            slot.content = Content::Forgotten(until);
        }
        Some(slots.into())
    }

    /// Whether nothing is known of any variant.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots().is_empty()
    }

    /// What it takes in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.slots().iter().map(Slot::size).sum()
    }
}

impl Slot {
    /// The language of what is stored (RFC 9110 section 8.5).
    fn language(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Stored(response) => response.identity().field(&CONTENT_LANGUAGE),
            Content::Part(_) | Content::Declined(..) | Content::Forgotten(_) => None,
        }
    }

    fn size(&self) -> usize {
        let content = match &self.content {
            Content::Stored(response) => response.size(),
            Content::Part(part) => part.response().size() + size_of::<Partial>() - size_of::<StoredResponse>(),
            Content::Declined(..) | Content::Forgotten(_) => 0,
        };
        size_of::<Slot>() + self.variant.size() + content
    }
}

#[cfg(test)]
mod tests;
