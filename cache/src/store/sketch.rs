//! The sketch by which moka knows how often pages are asked for, made ready before the first is.
//!
//! moka lets a newcomer in if it was asked for more often than what it would displace (TinyLFU). What it counts by is sized once, when
//! half of the capacity is used: for `entries * weight / capacity` pages, which is a quarter of those that will fit, and until then
//! nothing is counted. A quarter is too few: counts are halved after ten requests for each page that is counted for, so that a crawler
//! who asks for ten times what fits wipes out what was known of the popular ones. There is no setting for it.
//!
//! But for a moment, while the store is empty, `entries` and `weight` can be anything. Placeholders that weigh nothing are let in;
//! then some of them are replaced by heavy ones, which moka takes without a look at the capacity, since they are there already. It makes
//! its sketch for as many pages as these two come to, and drops what is too heavy.

use moka::sync::Cache;

use super::Entry;
use crate::CacheKey;

/// What a page takes, as far as that can be said before there are any: documents of some ten kilobytes and their codings, data of a
/// few. With pages between a third of this and four times this, newcomers are judged well (`cache/tests/eviction.rs`). Of smaller ones
/// more fit than are counted for, as with moka's own size. With much larger ones counts would last too long: where other pages become
/// popular all at once, the old ones have to be forgotten first.
const TYPICAL_PAGE: u64 = 12 * 1024;

/// Most placeholders that become heavy. moka must see all of them at once, and it looks when 64 changes wait or 300 ms have passed.
const MOST_HEAVY: u64 = 60;

/// Most placeholders, so that a start stays short. Beyond the capacity that needs more (18 GiB), moka sizes its sketch itself.
const MOST: u64 = 1 << 17;

/// Has moka make its sketch. `pages` is empty before and afterwards, and nothing has been counted.
pub(super) fn make(pages: &Cache<CacheKey, Entry>, capacity: u64) {
    let Some(Placeholders { number, heavy, weight }) = Placeholders::for_capacity(capacity) else { return };
    let key = |number: u64| CacheKey::from(number.to_ne_bytes().as_slice());
    for number in 0..number {
        pages.insert(key(number), Entry::Placeholder(0));
    }
    pages.run_pending_tasks();
    for number in 0..heavy {
        pages.insert(key(number), Entry::Placeholder(weight));
    }
    pages.run_pending_tasks();
    for number in 0..number {
        pages.invalidate(&key(number));
    }
    pages.run_pending_tasks();
}

/// So many of them, of which so many become so heavy: moka counts for `number * (heavy * weight) / capacity` pages.
#[derive(Debug, PartialEq, Eq)]
struct Placeholders {
    number: u64,
    heavy: u64,
    weight: u32,
}

impl Placeholders {
    /// As few as make it count for as many typical pages as fit; none for a store in which nothing fits, and where it takes too many.
    fn for_capacity(capacity: u64) -> Option<Placeholders> {
        let product = u128::from(capacity / TYPICAL_PAGE) * u128::from(capacity);
        let heaviest = u64::try_from(product.div_ceil(u128::from(u32::MAX))).ok()?;
        let all_heavy = (1..=MOST_HEAVY).find(|number| number * number >= heaviest);
        let number = all_heavy.unwrap_or(heaviest.div_ceil(MOST_HEAVY));
        let heavy = number.min(MOST_HEAVY);
        // At half of the capacity moka looks.
        let weight = product.div_ceil(u128::from(number * heavy)).max(u128::from(capacity.div_ceil(2 * heavy)));
        let weight = u32::try_from(weight).ok()?;
        (capacity > 0 && number <= MOST).then_some(Placeholders { number, heavy, weight })
    }
}

#[cfg(test)]
mod tests;
