//! Problems: what is wrong with a configuration, where, and what would be right.

use std::fmt;

use super::lines::Lines;

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which setting, such as `routes[3].revalidate`; empty for the file as a whole.
    pub path: String,
    /// The line of the file, counted from 1: the setting's, or that of the part where it is missing.
    pub line: usize,
    /// What is there.
    pub found: String,
    /// What would be accepted.
    pub expected: String,
}

impl fmt::Display for Problem {
    /// Without file and line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "found {}, expected {}", self.found, self.expected)
    }
}

/// Everything that is wrong with a configuration, in the order of its lines. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    source: String,
    list: Vec<Problem>,
}

impl Problems {
    /// The problems; at least one.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// The name of the configuration, usually its file.
    pub fn source_name(&self) -> &str {
        &self.source
    }
}

impl fmt::Display for Problems {
    /// One problem in each line, as `config.yaml:12: routes[3].revalidate: found ..., expected ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.list.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:{}: {problem}", self.source, problem.line)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects problems while a configuration is read. Whoever adds one goes on with a stand-in value,
/// so that the rest of the file is read too; [`Report::finish`] sees to it that no stand-in is used.
#[derive(Debug, Default)]
pub(super) struct Report {
    pending: Vec<Pending>,
}

/// A problem whose line is not known yet.
#[derive(Debug)]
struct Pending {
    place: Place,
    found: String,
    expected: String,
    /// A second setting, whose path and line end the message.
    other: Option<String>,
}

/// Where a problem is.
#[derive(Debug)]
enum Place {
    /// At a setting.
    Path(String),
    /// At a line that is known already, where the setting does not lead to it.
    Line { path: String, line: usize },
}

impl Report {
    /// Adds a problem at the setting `path`.
    pub(super) fn add(&mut self, path: impl Into<String>, found: impl Into<String>, expected: impl Into<String>) {
        self.push(Place::Path(path.into()), found, expected, None);
    }

    /// Adds a problem at the setting `path` that concerns a second setting too: its path and line
    /// follow `expected`.
    pub(super) fn add_beside(
        &mut self,
        path: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
        other: impl Into<String>,
    ) {
        let other = Some(other.into());
        self.push(Place::Path(path.into()), found, expected, other);
    }

    /// Adds a problem at a line of the file, which the path, if there is one, does not lead to.
    pub(super) fn add_at_line(
        &mut self,
        path: impl Into<String>,
        line: usize,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) {
        let path = path.into();
        self.push(Place::Line { path, line }, found, expected, None);
    }

    fn push(&mut self, place: Place, found: impl Into<String>, expected: impl Into<String>, other: Option<String>) {
        self.pending.push(Pending { place, found: found.into(), expected: expected.into(), other });
    }

    /// Ends the reading of `text`: nothing when there was no problem.
    ///
    /// # Errors
    ///
    /// All problems with their lines, each once, however many routes share a broken default.
    pub(super) fn finish(self, source: &str, text: &str) -> Result<(), Problems> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let lines = Lines::index(text);
        let mut list: Vec<Problem> = Vec::with_capacity(self.pending.len());
        for pending in self.pending {
            let problem = pending.locate(&lines);
            if !list.contains(&problem) {
                list.push(problem);
            }
        }
        list.sort_by_key(|problem| problem.line);
        Err(Problems { source: source.to_owned(), list })
    }
}

impl Pending {
    fn locate(self, lines: &Lines) -> Problem {
        let mut expected = self.expected;
        if let Some(other) = self.other {
            expected = format!("{expected} {other} (line {})", lines.line_of(&other));
        }
        let (path, line) = match self.place {
            Place::Path(path) => {
                let line = lines.line_of(&path);
                (path, line)
            }
            Place::Line { path, line } => (path, line),
        };
        Problem { path, line, found: self.found, expected }
    }
}
