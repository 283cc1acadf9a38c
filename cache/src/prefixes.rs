//! Prefixes that wait for the paths that begin with them to be marked.

use std::collections::{BTreeSet, HashMap};

use crate::standing::Mark;
use crate::{Forgetting, Moment};

/// The prefixes, found by what they are the beginning of, however many they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prefixes {
    said: HashMap<Box<[u8]>, Vec<Prefix>>,
    /// How long they are.
    lengths: BTreeSet<usize>,
    count: usize,
    latest: Mark,
}

/// What was said of a prefix, at one upstream or at every one.
#[derive(Clone, Debug)]
pub(crate) struct Prefix {
    upstream: Option<Box<[u8]>>,
    pub(crate) mode: Forgetting,
    pub(crate) mark: Mark,
    pub(crate) now: Moment,
}

impl Prefixes {
    /// Adds one. What was said of it before in the same way gives way, because it reaches no further.
    pub(crate) fn add(&mut self, upstream: Option<&str>, start: &str, mode: Forgetting, mark: Mark, now: Moment) {
        let upstream = upstream.map(|upstream| Box::from(upstream.as_bytes()));
        let said = self.said.entry(start.as_bytes().into()).or_default();
        let before = said.len();
        said.retain(|known| match mode {
            Forgetting::Stale | Forgetting::Delete => known.mode != mode || known.upstream != upstream,
            // Each has a time of its own.
            Forgetting::Expire(_) => true,
        });
        self.count = self.count + 1 + said.len() - before;
        said.push(Prefix { upstream, mode, mark, now });
        self.lengths.insert(start.len());
        self.latest = mark;
    }

    /// What was said of a path, without a slash at its end. A folder's own page counts with it.
    pub(crate) fn of<'a>(&'a self, upstream: &'a [u8], path: &'a [u8]) -> impl Iterator<Item = &'a Prefix> {
        let begin = self.lengths.range(..=path.len()).filter_map(|length| self.said.get(&path[..*length]));
        let folder = self.lengths.contains(&(path.len() + 1)).then(|| [path, b"/"].concat());
        let folder = folder.and_then(|folder| self.said.get(folder.as_slice()));
        let is_here = move |prefix: &&Prefix| prefix.upstream.as_deref().is_none_or(|own| own == upstream);
        begin.chain(folder).flatten().filter(is_here)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The number of the latest.
    pub(crate) fn latest(&self) -> Mark {
        self.latest
    }

    /// Lets go of those up to a number.
    pub(crate) fn let_go(&mut self, last: Mark) {
        self.said.retain(|_, said| {
            said.retain(|prefix| prefix.mark > last);
            !said.is_empty()
        });
        self.said.shrink_to(64);
        self.lengths = self.said.keys().map(|start| start.len()).collect();
        self.count = self.said.values().map(Vec::len).sum();
    }
}
