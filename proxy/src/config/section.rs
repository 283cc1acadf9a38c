//! Sections: mappings whose keys are known.

use super::lines::key_path;
use super::node::{Content, Expected, Node};
use super::problem::Report;

/// A mapping of the file, or its absence, whose keys have been checked.
#[derive(Debug, Clone)]
pub(super) struct Section<'n> {
    path: String,
    entries: Vec<(&'static str, &'n Node)>,
    /// Whether something else stood in its place, which was reported.
    broken: bool,
}

impl<'n> Section<'n> {
    /// Opens a node as a section with these keys, each also accepted in the spelling of Next.js
    /// (`maxDuration`). An empty node is an empty section. Reports everything else that is there.
    pub(super) fn open(node: &'n Node, keys: &'static [&'static str], report: &mut Report) -> Self {
        let mut section = Self::absent(node.path.clone());
        let entries = match &node.content {
            Content::Map(entries) => entries,
            Content::Null => return section,
            Content::Bool(_) | Content::Number(_) | Content::Text(_) | Content::List(_) | Content::Reported => {
                node.refuse(format!("a mapping with the keys {}", words(keys)), report);
                section.broken = true;
                return section;
            }
        };
        for (typed, value) in entries {
            let snake = snake_case(typed);
            let Some(key) = keys.iter().copied().find(|key| *key == snake) else {
                let expected = match nearest(&snake, keys) {
                    Some(key) => format!("a known key: did you mean `{key}`?"),
                    None => format!("one of {}", words(keys)),
                };
                report.add(&value.path, "an unknown key", expected);
                continue;
            };
            match section.get(key) {
                Some(first) => report.add_beside(
                    &value.path,
                    format!("a second spelling of `{key}`"),
                    "one of them; the other is",
                    &first.path,
                ),
                None => section.entries.push((key, value)),
            }
        }
        section
    }

    /// The section that is not there.
    pub(super) fn absent(path: impl Into<String>) -> Self {
        Self { path: path.into(), entries: Vec::new(), broken: false }
    }

    /// The section under a key of this one.
    pub(super) fn section(&self, key: &'static str, keys: &'static [&'static str], report: &mut Report) -> Self {
        match self.get(key) {
            Some(node) => Section::open(node, keys, report),
            None => Section::absent(self.path_of(key)),
        }
    }

    /// This section, with what it leaves out taken from `defaults`.
    pub(super) fn over(mut self, defaults: &Self) -> Self {
        for (key, node) in &defaults.entries {
            if self.get(key).is_none() {
                self.entries.push((key, node));
            }
        }
        self
    }

    /// What stands under a key.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        let (_, node) = self.entries.iter().find(|(name, _)| *name == key)?;
        Some(node)
    }

    /// Reads what stands under a key; nothing when it is left out or has a problem.
    pub(super) fn read<T>(
        &self,
        key: &str,
        report: &mut Report,
        convert: impl FnOnce(&Node) -> Result<T, Expected>,
    ) -> Option<T> {
        self.get(key)?.read(report, convert)
    }

    /// Reports that a key is missing.
    pub(super) fn missing(&self, key: &str, expected: impl Into<String>, report: &mut Report) {
        if !self.broken {
            report.add(self.path_of(key), "nothing", expected);
        }
    }

    /// The path of a key, whether it is there or not.
    pub(super) fn path_of(&self, key: &str) -> String {
        match self.get(key) {
            Some(node) => node.path.clone(),
            None => key_path(&self.path, key),
        }
    }
}

/// Names between backticks, with commas.
pub(crate) fn words<T: AsRef<str>>(names: &[T]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    quoted.join(", ")
}

/// The name that somebody who typed `typed` most likely meant: at most a third of its letters are
/// wrong, missing, too many or swapped.
pub(crate) fn nearest<'k, T: AsRef<str>>(typed: &str, names: &'k [T]) -> Option<&'k str> {
    let typed = typed.to_lowercase();
    names
        .iter()
        .map(|name| (distance(&typed, name.as_ref()), name.as_ref()))
        .filter(|(distance, name)| *distance * 3 <= name.chars().count().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters differ: insertions, deletions, replacements and swaps of neighbours.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().take(LONGEST_COMPARED).collect();
    let right: Vec<char> = right.chars().take(LONGEST_COMPARED).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let replaced = above[j] + usize::from(a != b);
            let mut best = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[right.len()]
}

/// `maxDuration` as `max_duration`. Words in the spelling of the file stay as they are.
fn snake_case(typed: &str) -> String {
    let camel = typed.starts_with(|first: char| first.is_ascii_lowercase())
        && typed.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !camel {
        return typed.to_owned();
    }
    let mut snake = String::with_capacity(typed.len() + 4);
    for letter in typed.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// How many letters of a key are compared when guessing what was meant.
const LONGEST_COMPARED: usize = 64;
