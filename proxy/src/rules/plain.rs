//! Regular expressions without look-around and back-references: decided in linear time, and what that may cost.

use regex_automata::dfa::{StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::syntax;

use super::effort::Effort;
use super::engine::{Case, Groups, LARGEST, Undecided};

/// An expression that is anchored at its beginning.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    regex: regex::Regex,
    size: Size,
}

/// What matching may cost for each byte of a text.
#[derive(Clone, Copy, Debug)]
enum Size {
    /// One step, whatever the text: compiled whole, the expression stays small. To say what the groups hold takes as many as
    /// there are states at most.
    Small { states: usize },
    /// As many steps as there are states, and each of them dearer: there are so many combinations of them that new ones come up
    /// all the time.
    Large { states: usize },
}

impl Plain {
    /// Compiles an expression.
    pub(super) fn new(expression: &str, case: Case) -> Result<Plain, regex::Error> {
        let insensitive = case == Case::Insensitive;
        let regex = regex::RegexBuilder::new(expression).case_insensitive(insensitive).size_limit(LARGEST).build()?;
        Ok(Plain { regex, size: Size::of(expression, insensitive) })
    }

    /// Whether a text matches.
    pub(super) fn fits(&self, text: &str, effort: &Effort) -> Result<bool, Undecided> {
        effort.spend(match self.size {
            Size::Small { .. } => A_TRY + text.len(),
            Size::Large { states } => A_TRY + text.len().saturating_mul(states).saturating_mul(A_NEW_STATE),
        })?;
        Ok(self.regex.is_match(text))
    }

    /// What the groups hold when all of a text matches.
    pub(super) fn groups<'t>(&self, text: &'t str, effort: &Effort) -> Result<Option<Groups<'t>>, Undecided> {
        if !self.fits(text, effort)? {
            return Ok(None);
        }
        if self.regex.captures_len() == 1 {
            return Ok(Some(vec![Some(text)]));
        }
        let (Size::Small { states } | Size::Large { states }) = self.size;
        effort.spend(text.len().saturating_mul(states))?;
        let captures = self.regex.captures(text);
        Ok(captures.map(|found| found.iter().map(|group| group.map(|group| group.as_str())).collect()))
    }

    /// The names of the groups, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = Option<&str>> {
        self.regex.capture_names()
    }

    /// As it was written.
    pub(super) fn as_str(&self) -> &str {
        self.regex.as_str()
    }
}

impl Size {
    fn of(expression: &str, insensitive: bool) -> Size {
        let compile = |unicode| {
            let syntax = syntax::Config::new().case_insensitive(insensitive).unicode(unicode).utf8(unicode);
            let config =
                thompson::Config::new().which_captures(WhichCaptures::None).utf8(unicode).nfa_size_limit(Some(LARGEST));
            thompson::Compiler::new().syntax(syntax).configure(config).build(expression).ok()
        };
        let whole = compile(true);
        // A character is several states, of which one at a time is in use: as many as there are for ASCII.
        let states = match (compile(false), &whole) {
            (Some(ascii), _) => ascii.states().len(),
            (None, Some(whole)) => whole.states().len(),
            (None, None) => usize::MAX,
        };
        if whole.is_some_and(|whole| stays_small(&whole)) { Size::Small { states } } else { Size::Large { states } }
    }
}

/// What each byte of a text may cost, beside wrong turns, where an expression looks around or refers back: nothing where the
/// automata of its parts stay small. Otherwise new combinations of states come up in every part that is looked for, again at each
/// place that it is looked for from. Its parts are not known here, so it is measured whole, as though it looked nowhere.
pub(super) fn toll(expression: &str, case: Case) -> usize {
    let mut plain = expression.to_owned();
    for look in ["(?<=", "(?<!", "(?=", "(?!"] {
        plain = plain.replace(look, "(?:");
    }
    for reference in 1..=9 {
        plain = plain.replace(&format!("\\{reference}"), "");
    }
    match Size::of(&plain, case == Case::Insensitive) {
        // What is no expression without the rest has nothing to be measured by but its wrong turns.
        Size::Small { .. } | Size::Large { states: usize::MAX } => 0,
        Size::Large { states } => states.saturating_mul(A_NEW_STATE).saturating_mul(LOOKED_FOR),
    }
}

/// Whether the automaton that is in one state at a time is small too.
fn stays_small(nfa: &NFA) -> bool {
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .dfa_size_limit(Some(LARGEST))
        .determinize_size_limit(Some(LARGEST))
        .accelerate(false);
    dense::Builder::new().configure(config).build_from_nfa(nfa).is_ok()
}

/// What beginning with a text costs.
const A_TRY: usize = 50;

/// What each state that has to be put into a new combination costs.
const A_NEW_STATE: usize = 20;

/// How many times over a part of an expression is looked for in a text.
const LOOKED_FOR: usize = 10;
