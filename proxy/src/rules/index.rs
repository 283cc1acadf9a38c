//! Which rules may be about a path: found by the text that their patterns cannot do without, so that a thousand of them are not
//! tried one by one. Whoever is found is tried in earnest; nobody who fits is missed.

use std::borrow::Cow;
use std::collections::HashMap;

use aho_corasick::AhoCorasick;

use super::Rule;
use super::effort::Effort;
use super::engine::{Case, Undecided};
use super::matcher::Forms;
use super::pattern::PathPattern;

/// An index of rules.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Those that may be about any path.
    always: Places,
    sensitive: Table,
    insensitive: Table,
}

/// The places of rules in their list.
#[derive(Clone, Debug, Default)]
struct Places(Vec<u64>);

/// Rules by texts of their patterns.
#[derive(Debug, Default)]
struct Table {
    /// Texts that paths begin with, sorted.
    prefixes: Vec<Prefix>,
    /// Texts that stand anywhere in paths, and the rules of each.
    inner: Option<(AhoCorasick, Vec<Vec<usize>>)>,
}

#[derive(Debug)]
struct Prefix {
    text: String,
    /// The longest other one that this one begins with.
    parent: Option<usize>,
    rules: Vec<usize>,
}

/// A text that every path holds which a pattern fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Text<'p> {
    First(&'p str),
    Anywhere(&'p str),
}

impl Index {
    pub(super) fn new(list: &[Rule]) -> Index {
        let mut index = Index::default();
        let (mut sensitive, mut insensitive) = (Vec::new(), Vec::new());
        for (place, rule) in list.iter().enumerate() {
            let Some(patterns) = rule.matcher.patterns() else {
                index.always.insert(place);
                continue;
            };
            for pattern in patterns {
                match pattern.case() {
                    Case::Sensitive => sensitive.push((place, pattern)),
                    Case::Insensitive => insensitive.push((place, pattern)),
                }
            }
        }
        index.sensitive = Table::new(&sensitive, &mut index.always);
        index.insensitive = Table::new(&insensitive, &mut index.always);
        index
    }

    /// An index of so many rules that knows nothing of them.
    #[cfg(test)]
    pub(super) fn of_everything(rules: usize) -> Index {
        let mut index = Index::default();
        (0..rules).for_each(|place| index.always.insert(place));
        index
    }

    /// Rules to be tried, before any path is known.
    pub(super) fn candidates(&self) -> Candidates<'_> {
        Candidates { index: self, found: Places::default(), next: 0 }
    }
}

/// Rules to be tried, in the order of their list.
#[derive(Debug)]
pub(super) struct Candidates<'i> {
    index: &'i Index,
    found: Places,
    /// The first place that has not been given out.
    next: usize,
}

impl Candidates<'_> {
    /// Adds those that may be about a path in one of its forms.
    ///
    /// # Errors
    ///
    /// [`Undecided`] when it would take too long to say.
    pub(super) fn add(&mut self, forms: &Forms<'_>, effort: &Effort) -> Result<(), Undecided> {
        for path in forms.all() {
            effort.next_pattern();
            self.index.sensitive.find(path, effort, &mut self.found)?;
            if !self.index.insensitive.is_empty() {
                self.index.insensitive.find(&folded(path), effort, &mut self.found)?;
            }
        }
        Ok(())
    }
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place =
            self.index.always.first_from(self.next).into_iter().chain(self.found.first_from(self.next)).min()?;
        self.next = place + 1;
        Some(place)
    }
}

impl Table {
    /// A table of patterns with the places of their rules. Those that cannot be found by a text go to `always`.
    fn new(patterns: &[(usize, &PathPattern)], always: &mut Places) -> Table {
        let mut shared: HashMap<Text<'_>, usize> = HashMap::new();
        for text in patterns.iter().flat_map(|(_, pattern)| texts(pattern)) {
            *shared.entry(text).or_default() += 1;
        }
        let (mut prefixes, mut inner) = (HashMap::<&str, Vec<usize>>::new(), HashMap::<&str, Vec<usize>>::new());
        for (place, pattern) in patterns {
            // The text that tells it from most others.
            match texts(pattern).min_by_key(|text| shared.get(text)) {
                Some(Text::First(text)) => prefixes.entry(text).or_default().push(*place),
                Some(Text::Anywhere(text)) => inner.entry(text).or_default().push(*place),
                None => always.insert(*place),
            }
        }
        let (inner, rules): (Vec<&str>, Vec<Vec<usize>>) = inner.into_iter().unzip();
        let inner = match AhoCorasick::new(&inner) {
            Ok(searcher) if !inner.is_empty() => Some((searcher, rules)),
            Ok(_) => None,
            // More text than the searcher can number: these rules are tried one by one.
            Err(_) => {
                rules.into_iter().flatten().for_each(|place| always.insert(place));
                None
            }
        };
        Table { prefixes: sorted(prefixes), inner }
    }

    fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && self.inner.is_none()
    }

    fn find(&self, path: &str, effort: &Effort, found: &mut Places) -> Result<(), Undecided> {
        // Whatever `path` begins with stands before it in the order, and nothing between the two begins otherwise.
        let behind = self.prefixes.partition_point(|prefix| prefix.text.as_str() <= path);
        let mut longest = behind.checked_sub(1);
        while let Some(prefix) = longest.and_then(|at| self.prefixes.get(at)) {
            if path.starts_with(&prefix.text) {
                prefix.rules.iter().for_each(|place| found.insert(*place));
            }
            longest = prefix.parent;
        }
        let Some((searcher, rules)) = &self.inner else { return Ok(()) };
        effort.spend(path.len() * A_BYTE)?;
        let mut seen = Places::default();
        // Texts that end in each other are found together, again and again.
        for text in searcher.find_overlapping_iter(path) {
            effort.spend(A_TEXT)?;
            let text = text.pattern().as_usize();
            if !seen.holds(text) {
                seen.insert(text);
                rules.get(text).into_iter().flatten().for_each(|place| found.insert(*place));
            }
        }
        Ok(())
    }
}

/// Texts by which a pattern can be found. A slash is in every path.
fn texts(pattern: &PathPattern) -> impl Iterator<Item = Text<'_>> {
    let told = |text: &&str| !matches!(*text, "" | "/");
    let first = Some(pattern.prefix()).filter(told).map(Text::First);
    let inner = Some(pattern.inner_text()).filter(told).map(Text::Anywhere);
    first.into_iter().chain(inner)
}

fn sorted(prefixes: HashMap<&str, Vec<usize>>) -> Vec<Prefix> {
    let mut prefixes: Vec<(&str, Vec<usize>)> = prefixes.into_iter().collect();
    prefixes.sort_unstable();
    let mut sorted: Vec<Prefix> = Vec::with_capacity(prefixes.len());
    for (text, rules) in prefixes {
        let mut parent = sorted.len().checked_sub(1);
        while let Some(prefix) = parent.and_then(|at| sorted.get(at)) {
            if text.starts_with(&prefix.text) {
                break;
            }
            parent = prefix.parent;
        }
        sorted.push(Prefix { text: text.to_owned(), parent, rules });
    }
    sorted
}

/// A text in which letters of either case are the same.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    if text.chars().all(|letter| fold(letter) == letter) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(fold).collect())
}

/// A letter for all that differ from it in case only; where it is an ASCII one, for the two beyond ASCII that fold to such.
pub(super) fn fold(letter: char) -> char {
    match letter {
        '\u{212A}' => 'k',
        '\u{17F}' => 's',
        letter => letter.to_ascii_lowercase(),
    }
}

impl Places {
    fn insert(&mut self, place: usize) {
        let (word, bit) = (place / BITS, place % BITS);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    fn holds(&self, place: usize) -> bool {
        self.0.get(place / BITS).is_some_and(|word| word >> (place % BITS) & 1 == 1)
    }

    /// The first from `place` on.
    fn first_from(&self, place: usize) -> Option<usize> {
        let begin = place / BITS;
        let words = self.0.get(begin..)?.iter().enumerate();
        words
            .map(|(at, word)| (begin + at, if at == 0 { word & (u64::MAX << (place % BITS)) } else { *word }))
            .find(|(_, word)| *word != 0)
            .map(|(at, word)| at * BITS + word.trailing_zeros() as usize)
    }
}

/// Places in a word.
const BITS: usize = u64::BITS as usize;

/// What looking for texts costs for each byte of a path.
const A_BYTE: usize = 2;

/// What each text that is found there costs.
const A_TEXT: usize = 5;
