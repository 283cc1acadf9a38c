//! Parameters that are known beforehand (`generateStaticParams`): the paths that are rendered before anybody asks.

mod list;

use std::collections::HashSet;
use std::time::Duration;

use super::node::{Content, Node};
use super::pattern::{RoutePattern, Segment};
use super::problem::Report;
use super::quantity::positive_duration;
use super::section::Section;
use crate::target::{MAX_TARGET, Target, allowed, decode, push_encoded};
use list::Given;

pub use list::known_paths;

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
            match entry(item, pattern).and_then(|params| pattern.filled_with(&params)) {
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
                    let text = node.text().filter(|text| is_target(text));
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

/// Whether a handler gets the target as it is written: in normal form, and without repeated slashes, which a route would take
/// for something else.
fn is_target(text: &str) -> bool {
    text.len() <= MAX_TARGET
        && Target::parse(text)
            .is_ok_and(|target| target.forwarded() == text && target.without_repeated_slashes().is_none())
}

fn limited(paths: Vec<String>, node: &Node, report: &mut Report) -> Option<KnownParams> {
    if paths.len() > MAX_KNOWN_PATHS {
        report.add(&node.path, format!("{} entries", paths.len()), format!("at most {MAX_KNOWN_PATHS}"));
        return None;
    }
    Some(KnownParams::Listed(unique(paths)))
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
    let first: Vec<bool> = paths.iter().map(|path| seen.insert(path.as_str())).collect();
    paths.into_iter().zip(first).filter_map(|(path, first)| first.then_some(path)).collect()
}

impl RoutePattern {
    /// The path in normal form with these parameters in the places of the dynamic segments.
    fn filled_with(&self, params: &[(String, Given)]) -> Result<String, String> {
        params.iter().try_for_each(|(name, _)| self.takes(name))?;
        let given = |name: &str| params.iter().find(|(known, _)| known == name).map(|(_, given)| given);
        let mut path = String::new();
        for segment in self.segments() {
            match segment {
                Segment::Static(text) => {
                    path.push('/');
                    path.push_str(text);
                }
                Segment::Param(name) => match given(name) {
                    Some(Given::Text(text)) => push_segment(&mut path, text)?,
                    Some(Given::Texts(_) | Given::Nothing | Given::TooLong | Given::Other) | None => {
                        return Err(format!("a text for `{name}`"));
                    }
                },
                Segment::CatchAll(name) => push_all(&mut path, name, given(name), 1)?,
                Segment::OptionalCatchAll(name) => push_all(&mut path, name, given(name), 0)?,
            }
        }
        if path.len() > MAX_TARGET {
            return Err(too_long());
        }
        Ok(if path.is_empty() { "/".to_owned() } else { path })
    }

    /// Whether it has a parameter of this name.
    fn takes(&self, name: &str) -> Result<(), String> {
        if self.segments().iter().any(|segment| segment.name() == Some(name)) {
            return Ok(());
        }
        Err(format!("{}, without `{}`", self.expected_object(), name.escape_debug()))
    }

    fn expected_object(&self) -> String {
        let names: Vec<&str> = self.segments().iter().filter_map(Segment::name).collect();
        format!("an object with {}", super::section::words(&names))
    }
}

fn push_all(path: &mut String, name: &str, given: Option<&Given>, least: usize) -> Result<(), String> {
    let expected = || format!("a list of texts for `{name}`");
    let values: &[String] = match given {
        None | Some(Given::Nothing) => &[],
        Some(Given::Texts(values)) => values,
        Some(Given::TooLong) => return Err(too_long()),
        Some(Given::Text(_) | Given::Other) => return Err(expected()),
    };
    if values.len() < least {
        return Err(format!("{} with at least one", expected()));
    }
    values.iter().try_for_each(|value| push_segment(path, value))
}

fn too_long() -> String {
    format!("a path of at most {MAX_TARGET} bytes")
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

/// An entry of the configuration's own list.
fn entry(item: &Node, pattern: &RoutePattern) -> Result<Vec<(String, Given)>, String> {
    let Content::Map(params) = &item.content else { return Err(pattern.expected_object()) };
    params.iter().map(|(name, node)| Ok((name.clone(), given(node)?))).collect()
}

/// What it says of one name. Numbers that were typed are texts here: a parameter is what is in the
/// path.
fn given(node: &Node) -> Result<Given, String> {
    match &node.content {
        Content::Map(_) => Ok(Given::Other),
        Content::Null => Ok(Given::Nothing),
        Content::List(items) => {
            let texts = items.iter().map(given).map(|item| match item? {
                Given::Text(text) => Ok(Some(text)),
                Given::Texts(_) | Given::Nothing | Given::TooLong | Given::Other => Ok(None),
            });
            let texts = texts.collect::<Result<Option<Vec<String>>, String>>()?;
            Ok(texts.map_or(Given::Other, Given::Texts))
        }
        Content::Text(_) | Content::Number(_) | Content::Bool(_) | Content::Reported => {
            let text = node.text().ok_or("a text between quotes")?;
            Ok(Given::Text(text.into_owned()))
        }
    }
}

const LIST: &str = "a list of objects (`[{ slug: a }, { slug: b }]`)";
const FROM_KEYS: &[&str] = &["file", "url", "every"];
