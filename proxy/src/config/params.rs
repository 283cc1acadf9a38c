//! Parameters that are known beforehand (`generateStaticParams`): the paths that are rendered before anybody asks.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

use super::node::{Content, Node};
use super::pattern::{RoutePattern, Segment};
use super::problem::Report;
use super::quantity::positive_duration;
use super::section::Section;
use crate::target::{allowed, decode, push_encoded};

#[cfg(test)]
mod tests;

/// The value of a dynamic segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Param {
    /// Of `[x]`.
    One(String),
    /// Of `[...x]` and `[[...x]]`.
    Many(Vec<String>),
}

/// Where the parameters come from that are known beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownParams {
    /// From the configuration, or a file that it names: the paths in normal form, each once.
    Listed(Vec<String>),
    /// From the route's upstream, asked with GET for this target.
    Asked {
        /// Path and query.
        url: String,
        /// How often it is asked again; none is once, at the start.
        every: Option<Duration>,
    },
}

/// Most paths that are known beforehand for one route.
pub const MAX_KNOWN_PATHS: usize = 100_000;

impl KnownParams {
    /// Reads the settings `params` and `params_from`. `file` reads a file that the configuration names.
    pub(super) fn read(
        section: &Section<'_>,
        pattern: &RoutePattern,
        file: &dyn Fn(&str) -> std::io::Result<String>,
        report: &mut Report,
    ) -> Option<Self> {
        let (listed, from) = (section.get("params"), section.get("params_from"));
        if let (Some(listed), Some(from)) = (listed, from) {
            report.add_beside(&from.path, "both `params` and `params_from`", "one of them; the other is", &listed.path);
        }
        let node = listed.or(from)?;
        if pattern.segments().iter().all(|segment| segment.name().is_none()) {
            node.refuse(format!("nothing: the path `{pattern}` has no parameters"), report);
            return None;
        }
        match listed {
            Some(node) => Self::listed(node, pattern, report),
            None => Self::from(node, pattern, file, report),
        }
    }

    fn listed(node: &Node, pattern: &RoutePattern, report: &mut Report) -> Option<Self> {
        let Content::List(items) = &node.content else {
            node.refuse(LIST, report);
            return None;
        };
        let mut paths = Vec::with_capacity(items.len());
        for item in items {
            match json(item).and_then(|value| pattern.filled_with(&value)) {
                Ok(path) => paths.push(path),
                Err(expected) => item.refuse(expected, report),
            }
        }
        limited(paths, node, report)
    }

    fn from(
        node: &Node,
        pattern: &RoutePattern,
        file: &dyn Fn(&str) -> std::io::Result<String>,
        report: &mut Report,
    ) -> Option<Self> {
        let section = Section::open(node, FROM_KEYS, report);
        match (section.get("file"), section.get("url")) {
            (Some(from_file), None) => {
                if let Some(every) = section.get("every") {
                    every.refuse("nothing beside `file`: it is read with the configuration", report);
                }
                let text = from_file.read(report, |node| {
                    let name = node.text().ok_or("the name of a JSON file, as seen from the configuration's folder")?;
                    file(&name).map_err(|error| format!("a file that can be read ({error})").into())
                })?;
                match known_paths(&text, pattern) {
                    Ok(paths) => limited(paths, from_file, report),
                    Err(expected) => {
                        from_file.refuse(format!("a file with {expected}"), report);
                        None
                    }
                }
            }
            (None, Some(url)) => {
                let url = url.read(report, |node| {
                    let text = node.text().filter(|text| crate::target::Target::parse(text).is_ok());
                    text.map(std::borrow::Cow::into_owned)
                        .ok_or("a path that the upstream answers (`/api/params`)".into())
                });
                let every = section.read("every", report, positive_duration);
                Some(Self::Asked { url: url?, every })
            }
            (Some(_), Some(url)) => {
                url.refuse("either `file` or `url`", report);
                None
            }
            (None, None) => {
                section.missing("file", "`file: params.json`, or `url: /api/params`", report);
                None
            }
        }
    }
}

fn limited(paths: Vec<String>, node: &Node, report: &mut Report) -> Option<KnownParams> {
    if paths.len() > MAX_KNOWN_PATHS {
        report.add(&node.path, format!("{} entries", paths.len()), format!("at most {MAX_KNOWN_PATHS}"));
        return None;
    }
    Some(KnownParams::Listed(unique(paths)))
}

/// The paths that a JSON text lists for a pattern, each once: `[{"slug":"a"},{"slug":"b"}]`.
///
/// # Errors
///
/// What was expected instead.
pub fn known_paths(text: &str, pattern: &RoutePattern) -> Result<Vec<String>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("JSON ({error})"))?;
    let Value::Array(items) = value else { return Err(LIST.to_owned()) };
    if items.len() > MAX_KNOWN_PATHS {
        return Err(format!("at most {MAX_KNOWN_PATHS} entries"));
    }
    let path = |(index, item)| pattern.filled_with(item).map_err(|expected| format!("{expected} at entry {index}"));
    items.iter().enumerate().map(path).collect::<Result<_, _>>().map(unique)
}

/// The one spelling of a path under which it may be known: what may stand plainly does. None where the path as it is is it.
pub fn canonical_path(path: &str) -> Option<String> {
    if !path.contains('%') {
        return None;
    }
    let mut spelled = String::with_capacity(path.len());
    path.split('/').skip(1).try_for_each(|segment| push_segment(&mut spelled, &decode(segment))).ok()?;
    Some(spelled)
}

fn unique(paths: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    paths.into_iter().filter(|path| seen.insert(path.clone())).collect()
}

impl RoutePattern {
    /// The path in normal form with these parameters (an object) in the places of the dynamic segments.
    fn filled_with(&self, params: &Value) -> Result<String, String> {
        let names: Vec<&str> = self.segments().iter().filter_map(Segment::name).collect();
        let expected = || format!("an object with {}", super::section::words(&names));
        let Value::Object(params) = params else { return Err(expected()) };
        if let Some(unknown) = params.keys().find(|name| !names.contains(&name.as_str())) {
            return Err(format!("{}, without `{}`", expected(), unknown.escape_debug()));
        }
        let mut path = String::new();
        for segment in self.segments() {
            match segment {
                Segment::Static(text) => {
                    path.push('/');
                    path.push_str(text);
                }
                Segment::Param(name) => {
                    let value = params.get(name).and_then(scalar);
                    push_segment(&mut path, &value.ok_or_else(|| format!("a text for `{name}`"))?)?;
                }
                Segment::CatchAll(name) => push_all(&mut path, name, params.get(name), 1)?,
                Segment::OptionalCatchAll(name) => push_all(&mut path, name, params.get(name), 0)?,
            }
        }
        Ok(if path.is_empty() { "/".to_owned() } else { path })
    }
}

fn push_all(path: &mut String, name: &str, value: Option<&Value>, least: usize) -> Result<(), String> {
    let expected = || format!("a list of texts for `{name}`");
    let values: Vec<String> = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values.iter().map(scalar).collect::<Option<_>>().ok_or_else(expected)?,
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => return Err(expected()),
    };
    if values.len() < least {
        return Err(format!("{} with at least one", expected()));
    }
    values.iter().try_for_each(|value| push_segment(path, value))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Adds a value as a segment in the normal form of paths.
fn push_segment(path: &mut String, value: &str) -> Result<(), String> {
    if value.is_empty() || value == "." || value == ".." {
        return Err(format!("a text that can be a segment of a path instead of `{value}`"));
    }
    if value.bytes().any(|byte| byte == 0 || byte == b'\\') {
        return Err("a text without NUL and backslash, which no path may hold".to_owned());
    }
    path.push('/');
    for byte in value.bytes() {
        if allowed(byte) && byte != b'/' { path.push(char::from(byte)) } else { push_encoded(path, byte) }
    }
    Ok(())
}

/// A part of the configuration as JSON has it. Numbers that were typed are texts here: a parameter is what is in the path.
fn json(node: &Node) -> Result<Value, String> {
    match &node.content {
        Content::Map(entries) => {
            let entry = |(name, node): &(String, Node)| Ok((name.clone(), json(node)?));
            entries.iter().map(entry).collect::<Result<serde_json::Map<_, _>, String>>().map(Value::Object)
        }
        Content::List(items) => items.iter().map(json).collect::<Result<_, _>>().map(Value::Array),
        Content::Null => Ok(Value::Null),
        Content::Text(_) | Content::Number(_) | Content::Bool(_) | Content::Reported => {
            let text = node.text().ok_or("a text between quotes")?;
            Ok(Value::String(text.into_owned()))
        }
    }
}

const LIST: &str = "a list of objects (`[{ slug: a }, { slug: b }]`)";
const FROM_KEYS: &[&str] = &["file", "url", "every"];
