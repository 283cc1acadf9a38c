//! Texts with captured names in them: names and values of header fields, names and values of a query.

use super::captured::Captured;
use super::matcher::Names;

/// A text in which captured names stand as `:name`. What follows a colon and is no captured name stands for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

impl Template {
    /// Reads a text; `names` are those that may stand in it.
    pub fn new(text: &str, names: &Names) -> Template {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(colon) = rest.find(':') {
            let behind = &rest[colon + 1..];
            let end =
                behind.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(behind.len());
            let (name, after) = behind.split_at(end);
            if !names.known(name) {
                plain.push_str(&rest[..=colon + end]);
                rest = after;
                continue;
            }
            plain.push_str(&rest[..colon]);
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Name(name.to_owned()));
            // `:path*` says in a target that there may be several; here it changes nothing.
            rest = after.strip_prefix(['*', '?', '+']).unwrap_or(after);
        }
        plain.push_str(rest);
        if !plain.is_empty() || parts.is_empty() {
            parts.push(Part::Text(plain));
        }
        Template(parts)
    }

    /// The text, where no name stands in it.
    pub fn fixed(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Text(text)] => Some(text),
            [Part::Name(_)] | [] | [_, _, ..] => None,
        }
    }

    /// The text with what the names stand for; nothing for one that was optional and is missing.
    pub(super) fn render(&self, captured: &Captured) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Name(name) => out.push_str(&captured.get(name).map(|value| value.in_field()).unwrap_or_default()),
            }
        }
        out
    }

    /// The same as a part of a query; parts of a repeated parameter are joined by an encoded slash.
    pub(super) fn render_query(&self, captured: &Captured) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Name(name) => {
                    let values = captured.get(name).map(|value| value.in_query()).unwrap_or_default();
                    out.push_str(&values.join("%2F"));
                }
            }
        }
        out
    }
}
