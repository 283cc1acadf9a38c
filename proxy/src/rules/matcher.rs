//! Matchers: which requests a rule is about.

use std::borrow::Cow;

use super::captured::Captured;
use super::condition::{Condition, Subject};
use super::engine::Undecided;
use super::path_form::{matchable, readings};
use super::pattern::PathPattern;

/// Which requests a rule is about: those that one of its alternatives is about; without alternatives all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matcher(Vec<Alternative>);

/// One sort of request that a rule is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alternative {
    /// Which paths; none for every path.
    pub source: Option<PathPattern>,
    /// What the request must have, all of it.
    pub has: Vec<Condition>,
    /// What it must not have, any of it.
    pub missing: Vec<Condition>,
}

/// The names that a matcher captures: those of each alternative.
#[derive(Clone, Debug)]
pub struct Names(Vec<Vec<String>>, Knowledge);

/// Whether it is known what is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knowledge {
    Known,
    Unknown,
}

impl Names {
    /// Those of a matcher that could not be read: any may be among them.
    pub fn unknown() -> Names {
        Names(Vec::new(), Knowledge::Unknown)
    }

    /// Whether some alternative captures `name`.
    pub(super) fn known(&self, name: &str) -> bool {
        self.0.iter().any(|names| names.iter().any(|known| known == name))
    }

    /// Whether every alternative captures `name`.
    pub(super) fn certain(&self, name: &str) -> bool {
        let all = || self.0.iter().all(|names| names.iter().any(|known| known == name));
        self.1 == Knowledge::Unknown || !self.0.is_empty() && all()
    }

    /// Every name that some alternative captures.
    pub(crate) fn all(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.0.iter().flatten().map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Matcher {
    /// A matcher of these alternatives.
    pub fn new(alternatives: Vec<Alternative>) -> Matcher {
        Matcher(alternatives)
    }

    /// The names that it captures.
    pub fn names(&self) -> Names {
        let names = |one: &Alternative| {
            let of_path = one.source.iter().flat_map(PathPattern::names);
            of_path.chain(one.has.iter().flat_map(Condition::names)).map(str::to_owned).collect()
        };
        Names(self.0.iter().map(names).collect(), Knowledge::Known)
    }

    /// Whether it fits every request, whatever it is.
    pub(super) fn fits_everything(&self) -> bool {
        let everything = |one: &Alternative| one.source.is_none() && one.has.is_empty() && one.missing.is_empty();
        self.0.is_empty() || self.0.iter().any(everything)
    }

    /// What is captured, when it fits.
    ///
    /// # Errors
    ///
    /// [`Undecided`] when it would take too long to say.
    pub(super) fn captures(&self, subject: &Subject<'_>, forms: &Forms<'_>) -> Result<Option<Captured>, Undecided> {
        if self.0.is_empty() {
            return Ok(Some(Captured::default()));
        }
        for alternative in &self.0 {
            if let Some(captured) = alternative.captures(subject, forms)? {
                return Ok(Some(captured));
            }
        }
        Ok(None)
    }
}

impl Alternative {
    fn captures(&self, subject: &Subject<'_>, forms: &Forms<'_>) -> Result<Option<Captured>, Undecided> {
        let mut captured = match &self.source {
            None => Captured::default(),
            Some(pattern) => match forms.captures(pattern)? {
                Some(captured) => captured,
                None => return Ok(None),
            },
        };
        for condition in &self.has {
            if !condition.holds(subject, &mut captured)? {
                return Ok(None);
            }
        }
        for condition in &self.missing {
            if condition.holds(subject, &mut Captured::default())? {
                return Ok(None);
            }
        }
        Ok(Some(captured))
    }
}

/// A path in the forms that patterns are tried on: a rule that fits one of them applies, so that no spelling slips past it.
#[derive(Debug)]
pub(super) struct Forms<'p> {
    path: Cow<'p, str>,
    /// What it is for handlers that take an encoded slash for a slash.
    readings: Vec<String>,
}

impl<'p> Forms<'p> {
    pub(super) fn new(path: &'p str) -> Forms<'p> {
        let path = matchable(path);
        let readings = readings(&path);
        Forms { path, readings }
    }

    fn captures(&self, pattern: &PathPattern) -> Result<Option<Captured>, Undecided> {
        if let Some(captured) = captures(pattern, &self.path)? {
            return Ok(Some(captured));
        }
        for reading in &self.readings {
            if let Some(captured) = captures(pattern, reading)? {
                return Ok(Some(captured));
            }
        }
        Ok(None)
    }
}

/// A pattern that ends what it captures at the path's end has not seen its trailing slash.
fn captures(pattern: &PathPattern, path: &str) -> Result<Option<Captured>, Undecided> {
    if let Some(captured) = pattern.captures(path)? {
        return Ok(Some(captured));
    }
    match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() => pattern.captures(shorter),
        Some(_) | None => Ok(None),
    }
}
