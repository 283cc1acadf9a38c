//! Cache groups: responses that are forgotten together (RFC 9875).
//!
//! An invalidation of a group is a mark with a number; a response that carries the group and whose fetch began before the
//! mark was set is invalid from then on, wherever it is and whether or not it was stored yet. So the invalidation costs the
//! same however many responses carry the group, and a hit on a response without groups costs nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use http::{HeaderName, HeaderValue};
use sfv::{BareItem, ListEntry, Parser};

use crate::Fields;

/// The groups of a response (RFC 9875 section 2).
pub const CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");
/// The groups that a successful unsafe request makes invalid (RFC 9875 section 3).
pub const CACHE_GROUP_INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");

/// Most groups of one response, and longest name in bytes; what is beyond is left out (RFC 9875 section 2 asks for at least 32
/// of 32).
pub const MAX_GROUPS: usize = 128;
/// See [`MAX_GROUPS`].
pub const MAX_GROUP_NAME: usize = 256;

/// Most marks that are remembered. Beyond it the older half gives way to one mark for every response with groups that was
/// fetched before: more is invalid then than was asked for, and never less.
const MAX_MARKS: usize = 65_536;

/// Groups of one site. Two sites may use the same names (RFC 9875 section 2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(Arc<[Box<[u8]>]>);

impl Groups {
    /// The groups that `field` lists, for the site that these bytes name ([`crate::Site::bytes`]). A field that is no List is
    /// ignored whole (RFC 9651 section 4.2), members that are no Strings by themselves.
    pub fn of(fields: &Fields, field: &HeaderName, site: &[u8]) -> Groups {
        if !fields.contains(field) {
            return Groups::default();
        }
        let lines: Vec<&[u8]> = fields.get_all(field).map(HeaderValue::as_bytes).collect();
        let Ok(list) = Parser::parse_list(&lines.join(b",".as_slice())) else { return Groups::default() };
        let name = |member: &ListEntry| match member {
            ListEntry::Item(item) => match &item.bare_item {
                BareItem::String(name) if name.len() <= MAX_GROUP_NAME => Some([site, name.as_bytes()].concat().into()),
                BareItem::String(_)
                | BareItem::Token(_)
                | BareItem::Integer(_)
                | BareItem::Decimal(_)
                | BareItem::ByteSeq(_)
                | BareItem::Boolean(_) => None,
            },
            ListEntry::InnerList(_) => None,
        };
        Groups(list.iter().filter_map(name).take(MAX_GROUPS).collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What they take in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.0.iter().map(|group| group.len() + size_of::<Box<[u8]>>()).sum()
    }
}

/// Where an invalidation stands among all others. A fetch notes it as it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark(u64);

/// Every group that was made invalid, and when.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    latest: AtomicU64,
    /// What began before this is invalid if it has any group at all.
    floor: AtomicU64,
    marks: RwLock<HashMap<Box<[u8]>, u64>>,
}

impl Marks {
    /// The latest mark: what begins now is newer than every invalidation so far.
    pub(crate) fn now(&self) -> Mark {
        Mark(self.latest.load(Ordering::Acquire))
    }

    /// Makes these groups invalid.
    pub(crate) fn invalidate(&self, groups: &Groups) {
        if groups.is_empty() {
            return;
        }
        // What is guarded is whole after every change, so a panic elsewhere is no reason to stop.
        let mut marks = self.marks.write().unwrap_or_else(PoisonError::into_inner);
        let mark = self.latest.load(Ordering::Acquire) + 1;
        for group in groups.0.iter() {
            marks.insert(group.clone(), mark);
        }
        if marks.len() > MAX_MARKS {
            let middle = mark - (mark - self.floor.load(Ordering::Acquire)) / 2;
            marks.retain(|_, mark| *mark > middle);
            self.floor.store(middle, Ordering::Release);
        }
        // Told last: a fetch that begins after it sees every mark that is set.
        self.latest.store(mark, Ordering::Release);
    }

    /// Whether a response of these groups, whose fetch began at `began`, was made invalid since.
    pub(crate) fn outdate(&self, groups: &Groups, began: Mark) -> bool {
        // Nothing was invalidated since, which is told last: most hits end here, without a lock.
        if groups.is_empty() || self.latest.load(Ordering::Acquire) <= began.0 {
            return false;
        }
        // The floor is read under the lock under which it is raised, or a mark could be missed that has just given way to it.
        let marks = self.marks.read().unwrap_or_else(PoisonError::into_inner);
        self.floor.load(Ordering::Acquire) > began.0
            || groups.0.iter().any(|group| marks.get(group).is_some_and(|mark| *mark > began.0))
    }
}

#[cfg(test)]
mod tests;
