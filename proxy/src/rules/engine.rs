//! Regular expressions of visitors' texts: in linear time where that can be, within limits where they look around or refer back.

use std::fmt;

use super::dialect::{Look, leading_looks, translate};

/// How often a match may take a wrong turn, and in how long a text: between two turns the whole of it may be looked at. Both
/// together keep a hostile path below a millisecond; what would take more is not decided.
const MOST_BACKTRACKS: usize = 10_000;
/// Most bytes of a text that expressions with look-around inside, or with back-references, are tried on.
const LONGEST_BACKTRACKED: usize = 512;

/// Most bytes that a compiled expression may take.
const LARGEST: usize = 1 << 20;

/// Whether letters of either case are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// They are not.
    Sensitive,
    /// They are.
    Insensitive,
}

/// It would take too long to say whether a text matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it takes too long to tell whether a rule applies")]
pub struct Undecided;

/// A compiled expression, anchored at both ends.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    /// What is looked for first at the beginning, and whether it has to be there.
    guards: Vec<(regex::Regex, Look)>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// Without look-around and back-references.
    Plain(regex::Regex),
    /// With them.
    Backtracking(fancy_regex::Regex),
}

/// The groups of a match: the first is the whole.
type Groups<'t> = Vec<Option<&'t str>>;

impl Engine {
    /// Compiles what JavaScript would take for a regular expression.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in a few words.
    pub(super) fn new(expression: &str, case: Case) -> Result<Engine, String> {
        let (looks, rest) = leading_looks(expression);
        Engine::looking_ahead(&looks, rest, expression, case)
    }

    /// Compiles an expression that looks ahead at its beginning: `looks`, and then `rest`. The whole of it in one piece is
    /// `whole`, for where what it looks for takes more than linear time.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in a few words.
    pub(super) fn looking_ahead(looks: &[(Look, &str)], rest: &str, whole: &str, case: Case) -> Result<Engine, String> {
        let guard = |(look, expression): &(Look, &str)| {
            let plain = plain(&format!("^(?:{})", translate(expression)), case).ok()?;
            // The text begins there, so no word can be told that it is in the middle of.
            (!expression.contains("\\b") && !expression.contains("\\B")).then_some((plain, *look))
        };
        let (guards, expression) = match looks.iter().map(guard).collect::<Option<Vec<_>>>() {
            Some(guards) => (guards, rest),
            None => (Vec::new(), whole),
        };
        Ok(Engine { guards, kind: Kind::new(&format!("^(?:{})$", translate(expression)), case)? })
    }

    /// What the groups hold when the text matches.
    ///
    /// # Errors
    ///
    /// [`Undecided`] when it would take too long.
    pub(super) fn groups<'t>(&self, text: &'t str) -> Result<Option<Groups<'t>>, Undecided> {
        if self.guards.iter().any(|(guard, look)| guard.is_match(text) != (*look == Look::Found)) {
            return Ok(None);
        }
        match &self.kind {
            Kind::Plain(plain) => {
                let captures = plain.captures(text);
                Ok(captures.map(|found| found.iter().map(|group| group.map(|group| group.as_str())).collect()))
            }
            Kind::Backtracking(_) if text.len() > LONGEST_BACKTRACKED => Err(Undecided),
            Kind::Backtracking(backtracking) => {
                let captures = backtracking.captures(text).map_err(|_| Undecided)?;
                Ok(captures.map(|found| found.iter().map(|group| group.map(|group| group.as_str())).collect()))
            }
        }
    }

    /// Whether it takes wrong turns.
    pub(super) fn backtracks(&self) -> bool {
        match self.kind {
            Kind::Plain(_) => false,
            Kind::Backtracking(_) => true,
        }
    }

    /// The names of the groups, in their order.
    pub(super) fn names(&self) -> Vec<Option<&str>> {
        match &self.kind {
            Kind::Plain(plain) => plain.capture_names().collect(),
            Kind::Backtracking(backtracking) => backtracking.capture_names().collect(),
        }
    }
}

impl Kind {
    fn new(expression: &str, case: Case) -> Result<Kind, String> {
        let problem = match plain(expression, case) {
            Ok(plain) => return Ok(Kind::Plain(plain)),
            Err(error) => last_line(&error.to_string()),
        };
        let backtracking = fancy_regex::RegexBuilder::new(expression)
            .case_insensitive(case == Case::Insensitive)
            .backtrack_limit(MOST_BACKTRACKS)
            .delegate_size_limit(LARGEST)
            .build();
        match backtracking {
            Ok(backtracking) => Ok(Kind::Backtracking(backtracking)),
            Err(error) if problem.contains("look-around") || problem.contains("backreference") => {
                Err(last_line(&error.to_string()))
            }
            Err(_) => Err(problem),
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Plain(plain) => write!(f, "{plain}"),
            Kind::Backtracking(backtracking) => write!(f, "{backtracking}"),
        }
    }
}

fn plain(expression: &str, case: Case) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(expression).case_insensitive(case == Case::Insensitive).size_limit(LARGEST).build()
}

/// The engines draw their problems over several lines; the last one says what is wrong.
fn last_line(problem: &str) -> String {
    let line = problem.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(problem).trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
