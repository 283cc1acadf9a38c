//! Regular expressions of visitors' texts: in linear time where that can be, within limits where they look around or refer back.

use std::fmt;

use super::dialect::{Look, leading_looks, translate};
use super::effort::Effort;
use super::plain::{Plain, toll};

/// How often a match may take a wrong turn, and in how long a text: between two turns the whole of it may be looked at. Both
/// together keep a hostile path below a millisecond; what would take more is not decided.
const MOST_BACKTRACKS: usize = 10_000;
/// How often it does where nobody is hostile.
const FEW_BACKTRACKS: usize = 256;
/// What a wrong turn costs.
const A_BACKTRACK: usize = 25;
/// Most bytes of a text that expressions with look-around inside, or with back-references, are tried on.
const LONGEST_BACKTRACKED: usize = 512;

/// Most bytes that a compiled expression may take.
pub(super) const LARGEST: usize = 1 << 20;

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
    guards: Vec<(Plain, Look)>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// Without look-around and back-references.
    Plain(Plain),
    /// With them: given up soon, so that what it costs can be told apart, or late; and what each byte costs beside.
    Backtracking { soon: fancy_regex::Regex, late: fancy_regex::Regex, toll: usize },
}

/// The groups of a match: the first is the whole.
pub(super) type Groups<'t> = Vec<Option<&'t str>>;

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
            let plain = Plain::new(&format!("^(?:{})", translate(expression)), case).ok()?;
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
    pub(super) fn groups<'t>(&self, text: &'t str, effort: &Effort) -> Result<Option<Groups<'t>>, Undecided> {
        for (guard, look) in &self.guards {
            if guard.fits(text, effort)? != (*look == Look::Found) {
                return Ok(None);
            }
        }
        match &self.kind {
            Kind::Plain(plain) => plain.groups(text, effort),
            Kind::Backtracking { .. } if text.len() > LONGEST_BACKTRACKED => Err(Undecided),
            Kind::Backtracking { soon, late, toll } => {
                effort.spend((FEW_BACKTRACKS * A_BACKTRACK).saturating_add(text.len().saturating_mul(*toll)))?;
                let captures = match soon.captures(text) {
                    Ok(captures) => captures,
                    Err(_) => {
                        effort.spend(MOST_BACKTRACKS * A_BACKTRACK)?;
                        late.captures(text).map_err(|_| Undecided)?
                    }
                };
                Ok(captures.map(|found| found.iter().map(|group| group.map(|group| group.as_str())).collect()))
            }
        }
    }

    /// Whether it takes wrong turns.
    pub(super) fn backtracks(&self) -> bool {
        match self.kind {
            Kind::Plain(_) => false,
            Kind::Backtracking { .. } => true,
        }
    }

    /// The names of the groups, in their order.
    pub(super) fn names(&self) -> Vec<Option<&str>> {
        match &self.kind {
            Kind::Plain(plain) => plain.names().collect(),
            Kind::Backtracking { late, .. } => late.capture_names().collect(),
        }
    }
}

impl Kind {
    fn new(expression: &str, case: Case) -> Result<Kind, String> {
        let problem = match Plain::new(expression, case) {
            Ok(plain) => return Ok(Kind::Plain(plain)),
            Err(error) => last_line(&error.to_string()),
        };
        let within = |backtracks| {
            fancy_regex::RegexBuilder::new(expression)
                .case_insensitive(case == Case::Insensitive)
                .backtrack_limit(backtracks)
                .delegate_size_limit(LARGEST)
                .build()
        };
        match within(FEW_BACKTRACKS).and_then(|soon| Ok((soon, within(MOST_BACKTRACKS)?))) {
            Ok((soon, late)) => Ok(Kind::Backtracking { soon, late, toll: toll(expression, case) }),
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
            Kind::Plain(plain) => f.write_str(plain.as_str()),
            Kind::Backtracking { late, .. } => f.write_str(late.as_str()),
        }
    }
}

/// The engines draw their problems over several lines; the last one says what is wrong.
fn last_line(problem: &str) -> String {
    let line = problem.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(problem).trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
