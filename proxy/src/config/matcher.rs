//! Matchers of the section `proxy`: which requests an entry is about.

use http::HeaderName;

use super::node::{Content, Expected, Node};
use super::problem::Report;
use super::quantity::choice;
use super::section::Section;
use crate::rules::{Alternative, Case, Condition, Matcher, PathPattern, What};

/// Reads a matcher; left out, it fits every path. Nothing when there is a problem in it.
pub(super) fn read_matcher(node: Option<&Node>, case: Case, report: &mut Report) -> Option<Matcher> {
    let Some(node) = node else { return Some(Matcher::default()) };
    let items = match &node.content {
        Content::Null => return Some(Matcher::default()),
        Content::List(items) => items.as_slice(),
        Content::Text(_) | Content::Map(_) | Content::Number(_) => std::slice::from_ref(node),
        Content::Bool(_) | Content::Reported => {
            node.refuse(EXPECTED, report);
            return None;
        }
    };
    if items.is_empty() || items.len() > MOST_ALTERNATIVES {
        let found = if items.is_empty() { "an empty list".to_owned() } else { format!("{} of them", items.len()) };
        report.add(&node.path, found, format!("1 to {MOST_ALTERNATIVES} patterns, or no `matcher` for every path"));
        return None;
    }
    // Each is read, so that each problem is found.
    let alternatives: Vec<Option<Alternative>> = items.iter().map(|item| alternative(item, case, report)).collect();
    alternatives.into_iter().collect::<Option<_>>().map(Matcher::new)
}

fn alternative(node: &Node, case: Case, report: &mut Report) -> Option<Alternative> {
    match &node.content {
        Content::Map(_) => {}
        Content::Text(_) => {
            let source = Some(node.read(report, |node| pattern(node, case))?);
            return Some(Alternative { source, ..Alternative::default() });
        }
        Content::Null | Content::Bool(_) | Content::Number(_) | Content::List(_) | Content::Reported => {
            node.refuse(EXPECTED, report);
            return None;
        }
    }
    let section = Section::open(node, &["source", "has", "missing"], report);
    let source = section.get("source").map(|node| node.read(report, |node| pattern(node, case)));
    let has = conditions(section.get("has"), report);
    let missing = conditions(section.get("missing"), report);
    if source.is_none() && section.get("has").is_none() && section.get("missing").is_none() {
        // Unknown keys were reported.
        if matches!(&node.content, Content::Map(entries) if entries.is_empty()) {
            section.missing("source", "a pattern, or something under `has` or `missing`", report);
        }
        return None;
    }
    let source = match source {
        Some(source) => Some(source?),
        None => None,
    };
    Some(Alternative { source, has: has?, missing: missing? })
}

fn pattern(node: &Node, case: Case) -> Result<PathPattern, Expected> {
    let text = node.text().ok_or(EXPECTED)?;
    PathPattern::compile(&text, case).map_err(|error| Expected::from(error.to_string()))
}

/// Reads a list of conditions; nothing when there is a problem in it.
fn conditions(node: Option<&Node>, report: &mut Report) -> Option<Vec<Condition>> {
    const EXPECTED: &str = "a list of conditions (`- { type: header, key: x-preview }`)";
    let Some(node) = node else { return Some(Vec::new()) };
    let items = match &node.content {
        Content::List(items) => items,
        Content::Null => return Some(Vec::new()),
        Content::Bool(_) | Content::Number(_) | Content::Text(_) | Content::Map(_) | Content::Reported => {
            node.refuse(EXPECTED, report);
            return None;
        }
    };
    if items.len() > MOST_CONDITIONS {
        report.add(&node.path, format!("{} conditions", items.len()), format!("at most {MOST_CONDITIONS}"));
        return None;
    }
    let conditions: Vec<Option<Condition>> = items.iter().map(|item| condition(item, report)).collect();
    conditions.into_iter().collect()
}

fn condition(node: &Node, report: &mut Report) -> Option<Condition> {
    let section = Section::open(node, &["type", "key", "value"], report);
    let kinds = [("header", Kind::Header), ("cookie", Kind::Cookie), ("query", Kind::Query), ("host", Kind::Host)];
    if section.get("type").is_none() {
        section.missing("type", "one of `header`, `cookie`, `query`, `host`", report);
    }
    let kind = section.read("type", report, |node| choice(node, &kinds))?;
    let what = what(kind, &section, report);
    let value = match section.get("value") {
        Some(node) => node,
        None if kind == Kind::Host => {
            section.missing(
                "value",
                "the name of a host, or a regular expression (`(?<shop>.*)\\.acme\\.com`)",
                report,
            );
            return None;
        }
        None => return what.map(Condition::there),
    };
    value
        .read(report, |node| {
            let text = node.text().filter(|text| !text.is_empty()).ok_or("a regular expression of the whole value")?;
            if text.chars().count() > LONGEST_EXPRESSION {
                return Err(format!("a regular expression of at most {LONGEST_EXPRESSION} characters").into());
            }
            // Checked even when the rest is broken.
            Condition::matches(what.clone().unwrap_or(What::Host), &text)
                .map_err(|problem| format!("a regular expression that can be compiled ({problem})").into())
        })
        .filter(|_| what.is_some())
}

/// What a condition may look at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Header,
    Cookie,
    Query,
    Host,
}

fn what(kind: Kind, section: &Section<'_>, report: &mut Report) -> Option<What> {
    let text = |node: &Node, expected: &'static str| match node.text() {
        Some(text) if !text.is_empty() => Ok(text.into_owned()),
        Some(_) | None => Err(Expected::from(expected)),
    };
    let key = section.get("key");
    match (kind, key) {
        (Kind::Host, None) => Some(What::Host),
        (Kind::Host, Some(node)) => {
            report.add(&node.path, node.found(), "nothing: there is one host");
            None
        }
        (Kind::Header | Kind::Cookie | Kind::Query, None) => {
            section.missing("key", "the name of the header, cookie or query parameter", report);
            None
        }
        (Kind::Header, Some(node)) => node.read(report, |node| {
            let name = text(node, "the name of a request header")?;
            HeaderName::from_bytes(name.as_bytes())
                .map(What::Header)
                .map_err(|_| Expected::from("the name of a request header"))
        }),
        (Kind::Cookie, Some(node)) => node.read(report, |node| text(node, "the name of a cookie").map(What::Cookie)),
        (Kind::Query, Some(node)) => {
            node.read(report, |node| text(node, "the name of a query parameter").map(What::Query))
        }
    }
}

const EXPECTED: &str = "a pattern (`/old/:path*`), `{ source, has, missing }`, or a list of these";

/// Most alternatives of a matcher.
const MOST_ALTERNATIVES: usize = 256;

/// Most conditions in a list of them.
const MOST_CONDITIONS: usize = 32;

/// Most characters of a regular expression.
const LONGEST_EXPRESSION: usize = 4096;
