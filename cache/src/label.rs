//! Labels: what an invalidation can name. Every stored response carries some: its upstream, its path, its tags, its groups.
//! Those that carry the same share one, so an invalidation costs as much however many they are.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use once_cell::race::OnceBox;
use triomphe::ThinArc;

use crate::memory::shared;
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

/// One label, while anything that carries it is stored, fetched or being forgotten. A copy is the same one. There may be one for
/// each page, so it is one piece of memory, with its name at the end.
#[derive(Clone, Debug)]
pub(crate) struct Label(ThinArc<State, u8>);

#[derive(Debug, Default)]
struct State {
    /// Number of stored responses that carry it.
    stored: AtomicU32,
    /// Who holds it. Changed under the lock of the registry.
    holders: AtomicU32,
    /// What was said of it, once anything was: most labels are never named.
    said: OnceBox<Said>,
}

/// What was said of a label.
#[derive(Debug, Default)]
struct Said {
    /// The latest invalidation.
    latest: AtomicU64,
    marks: RwLock<Marks>,
}

/// What the place of one label in the registry takes, in bytes: a pointer and a byte, of which up to half are free.
const PLACE: usize = 2 * (size_of::<usize>() + 1);

/// What [`Said`] takes, in bytes, with room for the first mark of each kind.
const MARKED: usize = size_of::<Said>() + 64;

impl Label {
    pub(crate) fn new(name: &[u8]) -> Label {
        Label(ThinArc::from_header_and_slice(State::default(), name))
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.0.slice
    }

    fn state(&self) -> &State {
        &self.0.header.header
    }

    /// Its upstream, and what is said after it, if it is of this kind.
    pub(crate) fn split(&self, kind: Kind) -> Option<(&[u8], &[u8])> {
        let rest = self.name().strip_prefix(&[kind.byte()])?;
        let (length, rest) = rest.split_first_chunk()?;
        rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
    }

    /// Whether only an answer tells that a response carries it.
    pub(crate) fn is_said_by_answers(&self) -> bool {
        [Kind::Tag, Kind::Group].iter().any(|kind| self.name().first() == Some(&kind.byte()))
    }

    /// What it takes in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        let said = self.state().said.get().map_or(0, |_| MARKED);
        PLACE + shared(size_of::<State>() + self.name().len()) + said
    }

    /// Number of stored responses that carry it.
    pub(crate) fn stored(&self) -> u64 {
        self.state().stored.load(Ordering::Acquire).into()
    }

    pub(crate) fn enter(&self) {
        self.state().stored.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn leave(&self) {
        self.state().stored.fetch_sub(1, Ordering::AcqRel);
    }

    /// How many hold it.
    pub(crate) fn holders(&self) -> u32 {
        self.state().holders.load(Ordering::Relaxed)
    }

    /// Somebody more holds it: called under the lock of the registry.
    pub(crate) fn hold(&self) {
        self.state().holders.fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody lets go of it. Whether that was the last holder: called under the lock of the registry.
    pub(crate) fn let_go(&self) -> bool {
        self.state().holders.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// An invalidation of it. By how many bytes it has grown with that.
    pub(crate) fn forget(&self, mode: Forgetting, mark: Mark, now: Moment) -> usize {
        let said = &self.state().said;
        // Of several who come first together one makes the room, and tells of it.
        let grown = if said.get().is_none() && said.set(Box::default()).is_ok() { MARKED } else { 0 };
        let said = said.get_or_init(Box::default);
        // What is guarded is whole after every change, so a panic elsewhere is no reason to stop.
        said.marks.write().unwrap_or_else(PoisonError::into_inner).add(mode, mark, now);
        said.latest.fetch_max(mark.0, Ordering::AcqRel);
        grown
    }

    /// What was said of it since `began`, if anything: no lock is taken where nothing was.
    fn said_since(&self, began: Mark) -> Option<&RwLock<Marks>> {
        let said = self.state().said.get()?;
        (said.latest.load(Ordering::Acquire) > began.0).then_some(&said.marks)
    }

    /// What its invalidations make of what began at `began`.
    pub(crate) fn validity(&self, began: Mark, now: Moment) -> Validity {
        let Some(marks) = self.said_since(began) else { return Validity::Valid };
        marks.read().unwrap_or_else(PoisonError::into_inner).validity(began, now)
    }

    /// Whether what began at `began` was gone already for somebody who came at `joined`.
    pub(crate) fn gone_between(&self, began: Mark, joined: (Mark, Moment)) -> bool {
        let Some(marks) = self.said_since(began) else { return false };
        marks.read().unwrap_or_else(PoisonError::into_inner).gone_between(began, joined)
    }
}

#[cfg(test)]
impl Label {
    /// Whether both are one label, and not two of one name.
    pub(crate) fn is(&self, other: &Label) -> bool {
        std::ptr::eq(self.state(), other.state())
    }

    pub(crate) fn copies(&self) -> usize {
        ThinArc::strong_count(&self.0)
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Label {}

impl Hash for Label {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

#[cfg(test)]
mod tests;
