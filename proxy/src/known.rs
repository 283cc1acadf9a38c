//! Paths that are known beforehand (`generateStaticParams`): which are rendered before anybody asks, and whether others are
//! answered at all.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::config::{KnownParams, RoutePattern, Segment, canonical_path, known_paths};

/// The paths of a route that are known beforehand.
#[derive(Debug)]
pub struct Known {
    /// Where they come from.
    pub source: KnownParams,
    pattern: RoutePattern,
    others: Others,
    paths: ArcSwapOption<HashSet<String>>,
}

/// What becomes of paths that are not known beforehand (`dynamicParams`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They are like any other.
    Answered,
    /// They are not there (404), and the handler is not asked.
    NotFound,
}

/// Whether a path is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It is.
    Yes,
    /// It is not there.
    No,
    /// Nobody can say before the upstream has listed what there is.
    NotYet,
}

impl Known {
    /// What `source` says of a route. What a configuration lists is known at once.
    pub fn new(source: KnownParams, pattern: RoutePattern, others: Others) -> Known {
        let known = match &source {
            KnownParams::Listed(paths) => Some(Arc::new(paths.iter().cloned().collect())),
            KnownParams::Asked { .. } => None,
        };
        Known { source, pattern, others, paths: ArcSwapOption::new(known) }
    }

    /// Whether a path in normal form is answered, by any of its spellings.
    pub fn admits(&self, path: &str) -> Admitted {
        match self.others {
            Others::Answered => return Admitted::Yes,
            Others::NotFound => {}
        }
        match &*self.paths.load() {
            None => Admitted::NotYet,
            Some(paths) if paths.contains(path) => Admitted::Yes,
            Some(paths) if path.contains('%') && paths.contains(&self.respelled(path)) => Admitted::Yes,
            Some(_) => Admitted::No,
        }
    }

    /// A path with its parameters in the one spelling under which they may be known.
    fn respelled(&self, path: &str) -> String {
        let statics = self.pattern.segments().iter().map(|segment| matches!(segment, Segment::Static(_)));
        // What is behind the pattern belongs to its catch-all.
        let segments = path.split('/').skip(1).zip(statics.chain(std::iter::repeat(false)));
        let spelled = segments.map(|(segment, is_static)| {
            let whole = format!("/{segment}");
            if is_static { whole } else { canonical_path(&whole).unwrap_or(whole) }
        });
        spelled.collect()
    }

    /// Whether it is known what there is.
    pub fn is_listed(&self) -> bool {
        self.paths.load().is_some()
    }

    /// All that is known, in no order; nothing before the upstream has listed it.
    pub fn paths(&self) -> Vec<String> {
        self.paths.load().as_ref().map(|paths| paths.iter().cloned().collect()).unwrap_or_default()
    }

    /// Takes what the upstream has listed, and gives back the paths that are new.
    ///
    /// # Errors
    ///
    /// What was expected instead; what was known stays.
    pub fn learn(&self, listed: &str) -> Result<Vec<String>, String> {
        let mut paths = known_paths(listed, &self.pattern)?;
        let before = self.paths.swap(Some(Arc::new(paths.iter().cloned().collect())));
        paths.retain(|path| before.as_ref().is_none_or(|before| !before.contains(path)));
        Ok(paths)
    }
}

#[cfg(test)]
mod tests;
