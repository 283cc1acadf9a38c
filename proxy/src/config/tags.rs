//! Tags: the labels that a route puts on its stored responses, with parameters of the path filled in.

use std::fmt;

use evergate_cache::MAX_TAG_LENGTH;

use super::node::{Expected, Node};
use super::params::Param;
use super::pattern::RoutePattern;

/// A tag such as `item:{slug}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagTemplate(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Param(String),
}

impl fmt::Display for TagTemplate {
    /// As it is written in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Param(name) => write!(f, "{{{name}}}"),
        })
    }
}

impl TagTemplate {
    /// The tag for these parameters; the segments of a catch-all are joined by slashes.
    pub fn fill(&self, params: &[(String, Param)]) -> String {
        let mut tag = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => tag.push_str(text),
                Piece::Param(name) => match params.iter().find(|(known, _)| known == name) {
                    Some((_, Param::One(value))) => tag.push_str(value),
                    Some((_, Param::Many(values))) => tag.push_str(&values.join("/")),
                    // `[[...x]]` at its root stands for nothing.
                    None => {}
                },
            }
        }
        tag
    }

    /// Reads an item of the setting `tags` of a route with this pattern.
    pub(super) fn read(node: &Node, pattern: &RoutePattern) -> Result<Self, Expected> {
        let text = node.text().filter(|text| !text.is_empty()).ok_or(EXPECTED)?;
        if text.chars().nth(MAX_TAG_LENGTH).is_some() {
            return Err(format!("a tag of at most {MAX_TAG_LENGTH} characters").into());
        }
        let mut pieces = Vec::new();
        let mut rest = text.as_ref();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(EXPECTED)?;
            let names: Vec<&str> = pattern.segments().iter().filter_map(|segment| segment.name()).collect();
            if !names.contains(&name) {
                return Err(match names.as_slice() {
                    [] => format!("a tag without `{{{name}}}`: the path has no parameters").into(),
                    names => format!("parameters of the path between braces: {}", super::section::words(names)).into(),
                });
            }
            pieces.extend((!before.is_empty()).then(|| Piece::Text(before.to_owned())));
            pieces.push(Piece::Param(name.to_owned()));
            rest = after;
        }
        if rest.contains('}') {
            return Err(EXPECTED.into());
        }
        pieces.extend((!rest.is_empty()).then(|| Piece::Text(rest.to_owned())));
        Ok(Self(pieces))
    }
}

const EXPECTED: &str = "a tag (`posts`, `\"item:{slug}\"`)";
