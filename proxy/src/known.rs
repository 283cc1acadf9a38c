//! Paths that are known beforehand (`generateStaticParams`): which are rendered before anybody asks, and whether others are
//! answered at all.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::config::{KnownParams, RoutePattern, canonical_path, known_paths};

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
        match (self.others, &*self.paths.load()) {
            (Others::Answered, _) => Admitted::Yes,
            (Others::NotFound, None) => Admitted::NotYet,
            (Others::NotFound, Some(paths)) if paths.contains(path) => Admitted::Yes,
            (Others::NotFound, Some(paths)) => match canonical_path(path) {
                Some(spelled) if paths.contains(&spelled) => Admitted::Yes,
                Some(_) | None => Admitted::No,
            },
        }
    }

    /// Whether it is known what there is.
    pub fn is_listed(&self) -> bool {
        self.paths.load().is_some()
    }

    /// Takes what the upstream has listed, and gives it back as paths.
    ///
    /// # Errors
    ///
    /// What was expected instead; what was known stays.
    pub fn learn(&self, listed: &str) -> Result<Vec<String>, String> {
        let paths = known_paths(listed, &self.pattern)?;
        self.paths.store(Some(Arc::new(paths.iter().cloned().collect())));
        Ok(paths)
    }
}

#[cfg(test)]
mod tests;
