//! Labels: what an invalidation can name. Every stored response carries some: its upstream, its path, its tags, its groups.
//! Those that carry the same share one, so an invalidation costs as much however many they are.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use crate::memory::{allocated, shared};
use crate::standing::{Mark, Marks, Validity};
use crate::{Forgetting, Moment};

/// What a label stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everything of an upstream.
    Upstream,
    /// A path of an upstream, with nothing but a lone slash at its end.
    Path,
    /// A tag of an upstream.
    Tag,
    /// A group of a site (RFC 9875).
    Group,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Kind::Upstream => b'u',
            Kind::Path => b'p',
            Kind::Tag => b't',
            Kind::Group => b'g',
        }
    }
}

/// The bytes by which a label is known. Two different ones are never the same: the upstream's length comes before it.
pub(crate) fn name(kind: Kind, upstream: &[u8], own: &[u8]) -> Vec<u8> {
    let length = u32::try_from(upstream.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&[kind.byte()], length.as_slice(), upstream, own].concat()
}

/// A path without a slash at its end, under which both spellings are forgotten.
pub(crate) fn bare(path: &[u8]) -> &[u8] {
    match path {
        [head @ .., b'/'] if !head.is_empty() => head,
        path => path,
    }
}

/// One label, while anything that carries it is stored, fetched or being forgotten.
#[derive(Debug)]
pub(crate) struct Label {
    name: Box<[u8]>,
    /// The latest invalidation of it.
    latest: AtomicU64,
    /// Number of stored responses that carry it.
    stored: AtomicU32,
    /// Who holds it. Changed under the lock of the registry.
    pub(crate) holders: AtomicU32,
    /// What was said of it, once anything was: most labels are never named.
    marks: OnceLock<Box<RwLock<Marks>>>,
}

/// What the place of one label in the registry takes, in bytes: a pointer and a byte, of which up to half are free.
const PLACE: usize = 2 * (size_of::<usize>() + 1);

/// What the marks of one label take, in bytes, with room for the first of each kind.
const MARKED: usize = size_of::<RwLock<Marks>>() + 64;

impl Label {
    pub(crate) fn new(name: &[u8]) -> Label {
        Label {
            name: name.into(),
            latest: AtomicU64::new(0),
            stored: AtomicU32::new(0),
            holders: AtomicU32::new(0),
            marks: OnceLock::new(),
        }
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Its upstream, and what is said after it, if it is of this kind.
    pub(crate) fn split(&self, kind: Kind) -> Option<(&[u8], &[u8])> {
        let rest = self.name.strip_prefix(&[kind.byte()])?;
        let (length, rest) = rest.split_first_chunk()?;
        rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
    }

    /// Whether only an answer tells that a response carries it.
    pub(crate) fn is_said_by_answers(&self) -> bool {
        [Kind::Tag, Kind::Group].iter().any(|kind| self.name.first() == Some(&kind.byte()))
    }

    /// What it takes in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        let marks = self.marks.get().map_or(0, |_| MARKED);
        PLACE + shared(size_of::<Label>()) + allocated(self.name.len()) + marks
    }

    /// Number of stored responses that carry it.
    pub(crate) fn stored(&self) -> u64 {
        self.stored.load(Ordering::Acquire).into()
    }

    pub(crate) fn enter(&self) {
        self.stored.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn leave(&self) {
        self.stored.fetch_sub(1, Ordering::AcqRel);
    }

    /// An invalidation of it. By how many bytes it has grown with that.
    pub(crate) fn forget(&self, mode: Forgetting, mark: Mark, now: Moment) -> usize {
        let mut grown = 0;
        let marks = self.marks.get_or_init(|| {
            grown = MARKED;
            Box::default()
        });
        // What is guarded is whole after every change, so a panic elsewhere is no reason to stop.
        let mut marks = marks.write().unwrap_or_else(PoisonError::into_inner);
        marks.add(mode, mark, now);
        self.latest.fetch_max(mark.0, Ordering::AcqRel);
        grown
    }

    /// What its invalidations make of what began at `began`. No lock is taken where none came since.
    pub(crate) fn validity(&self, began: Mark, now: Moment) -> Validity {
        if self.latest.load(Ordering::Acquire) <= began.0 {
            return Validity::Valid;
        }
        let Some(marks) = self.marks.get() else { return Validity::Valid };
        marks.read().unwrap_or_else(PoisonError::into_inner).validity(began, now)
    }
}

impl Label {
    /// Whether what began at `began` was gone already for somebody who came at `joined`.
    pub(crate) fn gone_between(&self, began: Mark, joined: (Mark, Moment)) -> bool {
        if self.latest.load(Ordering::Acquire) <= began.0 {
            return false;
        }
        let gone =
            |marks: &RwLock<Marks>| marks.read().unwrap_or_else(PoisonError::into_inner).gone_between(began, joined);
        self.marks.get().is_some_and(|marks| gone(marks))
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Label {}

impl Hash for Label {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

#[cfg(test)]
mod tests;
