//! Nodes: the file as the user typed it, after expansion, each part with its path.

use std::borrow::Cow;

use serde_yaml::{Number, Value};

use super::expand::expand;
use super::lines::{item_path, key_path};
use super::problem::Report;

/// What would have been accepted, as the end of a message.
pub(super) type Expected = Cow<'static, str>;

/// One part of the file.
#[derive(Debug)]
pub(super) struct Node {
    /// Where it is, such as `routes[3].revalidate`.
    pub(super) path: String,
    /// What is there.
    pub(super) content: Content,
    /// The text that a number or truth value was read from when it came out of an expansion: a
    /// generation `1e3` must not become 1000.
    typed: Option<String>,
}

/// What a part of the file holds.
#[derive(Debug)]
pub(super) enum Content {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Node)>),
    /// Something that was reported already, so that nobody needs to complain about it again.
    Reported,
}

impl Node {
    /// Makes a node of a parsed value: expands texts, and gives each part its path.
    pub(super) fn new(value: Value, path: String, env: &dyn Fn(&str) -> Option<String>, report: &mut Report) -> Self {
        let mut typed = None;
        let content = match value {
            Value::Null => Content::Null,
            Value::Bool(flag) => Content::Bool(flag),
            Value::Number(number) => Content::Number(number),
            Value::String(text) => match expand(&text, env) {
                Ok(expanded) if expanded.named => {
                    let content = reread(&expanded.text);
                    typed = Some(expanded.text);
                    content
                }
                Ok(expanded) => Content::Text(expanded.text),
                Err(error) => {
                    report.add(&path, error.found(), error.to_string());
                    Content::Reported
                }
            },
            Value::Sequence(items) => Content::List(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(index, item)| Self::new(item, item_path(&path, index), env, report))
                    .collect(),
            ),
            Value::Mapping(entries) => Content::Map(
                entries
                    .into_iter()
                    .filter_map(|(key, value)| {
                        let key = key_text(&key, &path, report)?;
                        let node = Self::new(value, key_path(&path, &key), env, report);
                        Some((key, node))
                    })
                    .collect(),
            ),
            Value::Tagged(tagged) => {
                report.add(&path, format!("the tag `{}`", tagged.tag), "a plain value");
                Content::Reported
            }
        };
        Self { path, content, typed }
    }

    /// The root of a file that was reported as a whole.
    pub(super) fn reported() -> Self {
        Self { path: String::new(), content: Content::Reported, typed: None }
    }

    /// Reads the node: what `convert` makes of it, or else a problem and nothing.
    pub(super) fn read<T>(&self, report: &mut Report, convert: impl FnOnce(&Self) -> Result<T, Expected>) -> Option<T> {
        match convert(self) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.refuse(expected, report);
                None
            }
        }
    }

    /// Reports that the node holds something else than `expected`.
    pub(super) fn refuse(&self, expected: impl Into<String>, report: &mut Report) {
        if !matches!(self.content, Content::Reported) {
            report.add(&self.path, self.found(), expected);
        }
    }

    /// Reads a list, item by item. Items with problems are left out of the result.
    pub(super) fn read_list<T>(
        &self,
        expected: &'static str,
        report: &mut Report,
        mut convert: impl FnMut(&Self) -> Result<T, Expected>,
    ) -> Option<Vec<T>> {
        let Content::List(items) = &self.content else {
            self.refuse(expected, report);
            return None;
        };
        Some(items.iter().filter_map(|item| item.read(report, &mut convert)).collect())
    }

    /// The text of the node as it was typed. Whole numbers have one; other numbers and truth values
    /// have none unless they came out of an expansion, because their spelling is lost.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        if let Some(typed) = &self.typed {
            return Some(Cow::Borrowed(typed));
        }
        match &self.content {
            Content::Text(text) => Some(Cow::Borrowed(text)),
            Content::Number(number) if !number.is_f64() => Some(Cow::Owned(number.to_string())),
            Content::Number(_)
            | Content::Null
            | Content::Bool(_)
            | Content::List(_)
            | Content::Map(_)
            | Content::Reported => None,
        }
    }

    /// What the node holds, for a message.
    pub(super) fn found(&self) -> String {
        match &self.content {
            Content::Null => "nothing".to_owned(),
            Content::Bool(flag) => format!("`{flag}`"),
            Content::Number(number) => format!("`{number}`"),
            Content::Text(text) => quoted(text),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a mapping".to_owned(),
            Content::Reported => "a broken value".to_owned(),
        }
    }
}

/// A text between backticks, on one line, and cut when it is long.
fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(LONGEST_SHOWN).collect();
    let cut = if shown.len() < text.len() { "..." } else { "" };
    format!("`{}{cut}`", shown.escape_debug())
}

/// Reads a text that came out of an expansion as the file's parser would have read it in place. Only
/// numbers and truth values come of it: a variable cannot bring in lists, mappings or comments.
fn reread(text: &str) -> Content {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b'_'));
    match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Bool(flag)) if plain => Content::Bool(flag),
        Ok(Value::Number(number)) if plain => Content::Number(number),
        Ok(_) | Err(_) => Content::Text(text.to_owned()),
    }
}

/// The text of a key; anything but a scalar is a problem.
fn key_text(key: &Value, path: &str, report: &mut Report) -> Option<String> {
    match key {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null => Some("null".to_owned()),
        Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => {
            report.add(path, "a key that is not a word", "words as keys");
            None
        }
    }
}

/// How many characters of a value a message shows.
const LONGEST_SHOWN: usize = 60;
