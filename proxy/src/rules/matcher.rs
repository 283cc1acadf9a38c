//! Matchers: which requests a rule is about.

use std::borrow::Cow;
use std::fmt;

use http::HeaderName;

use super::captured::Captured;
use super::condition::{Condition, Subject};
use super::effort::Effort;
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

    /// The patterns of which a path has to match one; nothing when it fits whatever the path is.
    pub(super) fn patterns(&self) -> Option<Vec<&PathPattern>> {
        let patterns: Option<Vec<&PathPattern>> = self.0.iter().map(|one| one.source.as_ref()).collect();
        patterns.filter(|patterns| !patterns.is_empty())
    }

    /// What is captured, when it fits. The fields of the request on which that depends are added to `read`: the same ones for
    /// everybody who asks for this URL, so that caches learn of them with whichever answer.
    ///
    /// # Errors
    ///
    /// [`Undecided`] when it would take too long to say.
    pub(super) fn captures(
        &self,
        subject: &Subject<'_>,
        forms: &Forms<'_>,
        effort: &Effort,
        read: &mut Vec<HeaderName>,
    ) -> Result<Option<Captured>, Undecided> {
        if self.0.is_empty() {
            return Ok(Some(Captured::default()));
        }
        let mut found = None;
        for alternative in &self.0 {
            match alternative.audience(subject, forms, effort)? {
                Audience::Nobody => {}
                Audience::Everybody(captured) => return Ok(found.or(Some(captured))),
                Audience::Some(names, captured) => {
                    read.extend(names);
                    found = found.or(captured);
                }
            }
        }
        Ok(found)
    }
}

/// As people read it: `/old/:path*, has header x-a = ^v$, missing cookie b | /other`.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, alternative) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{alternative}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.source.as_ref().map_or("every path", PathPattern::source))?;
        for condition in &self.has {
            write!(f, ", has {condition}")?;
        }
        for condition in &self.missing {
            write!(f, ", missing {condition}")?;
        }
        Ok(())
    }
}

/// Whom an alternative is about, of those who ask for one URL.
enum Audience {
    Nobody,
    Everybody(Captured),
    /// Those whose fields of these names say so, and what is captured if this request's do.
    Some(Vec<HeaderName>, Option<Captured>),
}

impl Alternative {
    fn audience(&self, subject: &Subject<'_>, forms: &Forms<'_>, effort: &Effort) -> Result<Audience, Undecided> {
        effort.next_pattern();
        // What the URL rules out, it rules out for everybody, and that costs less to tell than what is captured of a path.
        let of_url = |condition: &Condition| condition.field().is_none();
        if !self.hold(of_url, subject, effort, &mut Captured::default())? {
            return Ok(Audience::Nobody);
        }
        let mut captured = match &self.source {
            None => Captured::default(),
            Some(pattern) => match forms.captures(pattern, effort)? {
                Some(captured) => captured,
                None => return Ok(Audience::Nobody),
            },
        };
        let names: Vec<HeaderName> = self.has.iter().chain(&self.missing).filter_map(Condition::field).collect();
        let held = self.hold(|_| true, subject, effort, &mut captured)?;
        Ok(match (names.is_empty(), held) {
            (true, false) => Audience::Nobody,
            (true, true) => Audience::Everybody(captured),
            (false, _) => Audience::Some(names, held.then_some(captured)),
        })
    }

    /// Whether the conditions of a sort hold; what they capture is added.
    fn hold(
        &self,
        of_the_sort: impl Fn(&Condition) -> bool,
        subject: &Subject<'_>,
        effort: &Effort,
        captured: &mut Captured,
    ) -> Result<bool, Undecided> {
        for condition in self.has.iter().filter(|condition| of_the_sort(condition)) {
            if !condition.holds(subject, effort, captured)? {
                return Ok(false);
            }
        }
        for condition in self.missing.iter().filter(|condition| of_the_sort(condition)) {
            if condition.holds(subject, effort, &mut Captured::default())? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A path in the forms that patterns are tried on: a rule that fits one of them applies, so that no spelling slips past it.
#[derive(Clone, Debug)]
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

    /// The same, whatever becomes of the path.
    pub(super) fn into_owned(self) -> Forms<'static> {
        Forms { path: Cow::Owned(self.path.into_owned()), readings: self.readings }
    }

    /// Each of them; without a trailing slash they hold the same text.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        [&*self.path].into_iter().chain(self.readings.iter().map(String::as_str))
    }

    fn captures(&self, pattern: &PathPattern, effort: &Effort) -> Result<Option<Captured>, Undecided> {
        if let Some(captured) = captures(pattern, &self.path, effort)? {
            return Ok(Some(captured));
        }
        for reading in &self.readings {
            if let Some(captured) = captures(pattern, reading, effort)? {
                return Ok(Some(captured));
            }
        }
        Ok(None)
    }
}

/// A pattern that ends what it captures at the path's end has not seen its trailing slash.
fn captures(pattern: &PathPattern, path: &str, effort: &Effort) -> Result<Option<Captured>, Undecided> {
    if let Some(captured) = pattern.captures(path, effort)? {
        return Ok(Some(captured));
    }
    match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() => pattern.captures(shorter, effort),
        Some(_) | None => Ok(None),
    }
}
