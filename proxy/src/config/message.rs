//! Header fields in the section `proxy`: what is set, appended and removed of a message.

use http::{HeaderName, HeaderValue};

use super::node::{Content, Expected, Node};
use super::problem::Report;
use super::section::Section;
use crate::rules::{Direction, FieldRules, Names, Template, Verb, may};

/// Reads `request_headers` or `response_headers`.
pub(super) fn read_fields(
    section: &Section<'_>,
    key: &'static str,
    direction: Direction,
    names: &Names,
    report: &mut Report,
) -> FieldRules {
    let section = section.section(key, &["set", "append", "remove"], report);
    let remove = section.get("remove").and_then(|node| {
        node.read_list(REMOVED, report, |node| {
            let name = header_name(&node.text().unwrap_or_default())?;
            if may(Verb::Remove, &name, direction) { Ok(name) } else { Err(barred(direction)) }
        })
    });
    FieldRules {
        remove: remove.unwrap_or_default(),
        set: read_mapping(section.get("set"), direction, names, report),
        append: read_lists(section.get("append"), direction, names, report),
    }
}

/// Reads names with a value each.
pub(super) fn read_mapping(
    node: Option<&Node>,
    direction: Direction,
    names: &Names,
    report: &mut Report,
) -> Vec<(Template, Template)> {
    read_lines(node, direction, names, report, |node, report| {
        Vec::from_iter(node.read(report, |node| value(node, names)))
    })
}

/// Reads names with a value or a list of values each.
fn read_lists(
    node: Option<&Node>,
    direction: Direction,
    names: &Names,
    report: &mut Report,
) -> Vec<(Template, Template)> {
    read_lines(node, direction, names, report, |node, report| match &node.content {
        Content::List(items) if items.len() > MOST_LINES => {
            report.add(&node.path, format!("{} values", items.len()), format!("at most {MOST_LINES}"));
            Vec::new()
        }
        Content::List(items) => items.iter().filter_map(|item| item.read(report, |item| value(item, names))).collect(),
        Content::Null
        | Content::Bool(_)
        | Content::Number(_)
        | Content::Text(_)
        | Content::Map(_)
        | Content::Reported => Vec::from_iter(node.read(report, |node| value(node, names))),
    })
}

/// Reads names, each with what `values` makes of what stands behind it.
fn read_lines(
    node: Option<&Node>,
    direction: Direction,
    names: &Names,
    report: &mut Report,
    values: impl Fn(&Node, &mut Report) -> Vec<Template>,
) -> Vec<(Template, Template)> {
    let mut lines = Vec::new();
    for (typed, node) in entries(node, report) {
        let name = name(typed, node, direction, names, report);
        let values = values(node, report);
        if let Some(name) = name {
            lines.extend(values.into_iter().map(|value| (name.clone(), value)));
        }
    }
    lines
}

/// The entries of a mapping of header fields.
fn entries<'n>(node: Option<&'n Node>, report: &mut Report) -> &'n [(String, Node)] {
    let Some(node) = node else { return &[] };
    match &node.content {
        Content::Map(entries) if entries.len() > MOST_LINES => {
            report.add(&node.path, format!("{} headers", entries.len()), format!("at most {MOST_LINES}"));
            &[]
        }
        Content::Map(entries) => entries,
        Content::Null => &[],
        Content::Bool(_) | Content::Number(_) | Content::Text(_) | Content::List(_) | Content::Reported => {
            node.refuse("headers with their values (`{ x-frame-options: DENY }`)", report);
            &[]
        }
    }
}

/// The name of a field that may be written, which captured names may be part of.
fn name(typed: &str, node: &Node, direction: Direction, names: &Names, report: &mut Report) -> Option<Template> {
    let template = Template::new(typed, names);
    let checked = match template.fixed().map(header_name) {
        None => Ok(()),
        Some(Ok(name)) if may(Verb::Write, &name, direction) => Ok(()),
        Some(Ok(_)) => Err(barred(direction)),
        Some(Err(expected)) => Err(expected),
    };
    match checked {
        Ok(()) => Some(template),
        Err(expected) => {
            report.add(&node.path, format!("`{}`", typed.escape_debug()), expected);
            None
        }
    }
}

fn value(node: &Node, names: &Names) -> Result<Template, Expected> {
    let text = node.text().ok_or(VALUE)?;
    if text.len() > LONGEST_VALUE {
        return Err(format!("a value of at most {LONGEST_VALUE} bytes").into());
    }
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| VALUE)?;
    Ok(Template::new(text.trim(), names))
}

fn header_name(text: &str) -> Result<HeaderName, Expected> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| Expected::from("the name of a header"))
}

fn barred(direction: Direction) -> Expected {
    Expected::from(match direction {
        Direction::Request => "another header: this one is the connection's, the message's or the gateway's own",
        Direction::Response => {
            "another header: this one says how the message is made or kept, which only handler and gateway know"
        }
    })
}

const REMOVED: &str = "a list of names of headers (`[x-powered-by]`)";
const VALUE: &str = "the value of a header, as a text in one line";

/// Most headers in a mapping, and most values of one.
const MOST_LINES: usize = 64;

/// Most bytes of a value.
const LONGEST_VALUE: usize = 4096;
