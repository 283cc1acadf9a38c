//! Query parameters: which of them a cached route keeps.

use std::fmt;

use super::node::{Content, Expected, Node};
use super::problem::Report;

/// Which query parameters enter the key of a route, and are all that a cached handler gets to see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Query {
    /// `all` (default): each of them, apart from `cache.strip_query`.
    #[default]
    All,
    /// `ignore`: none.
    Ignore,
    /// A list of names: these.
    Only(Vec<String>),
}

/// The name of a query parameter, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryPattern {
    /// This name.
    Exact(String),
    /// Every name that begins like this; written with a `*` at the end.
    Prefix(String),
}

impl QueryPattern {
    /// Whether the pattern fits the name of a parameter.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => name == exact,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }
}

impl fmt::Display for QueryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => f.write_str(exact),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

impl Query {
    /// Reads the setting `query` of a route.
    pub(super) fn read(node: &Node, report: &mut Report) -> Option<Self> {
        const EXPECTED: &str = "`all`, `ignore` or a list of names (`[q, page]`)";
        if let Content::List(_) = node.content {
            return node.read_list(EXPECTED, report, name).map(Self::Only);
        }
        node.read(report, |node| match node.text().as_deref() {
            Some("all") => Ok(Self::All),
            Some("ignore") => Ok(Self::Ignore),
            Some(_) | None => Err(EXPECTED.into()),
        })
    }
}

impl QueryPattern {
    /// Reads an item of `cache.strip_query`.
    pub(super) fn read(node: &Node) -> Result<Self, Expected> {
        let expected = "the name of a query parameter; `*` only at the end (`utm_*`)";
        let text = node.text().ok_or(expected)?;
        match text.strip_suffix('*') {
            Some("") => Ok(Self::Prefix(String::new())),
            Some(prefix) if is_name(prefix) => Ok(Self::Prefix(prefix.to_owned())),
            None if is_name(&text) => Ok(Self::Exact(text.into_owned())),
            Some(_) | None => Err(expected.into()),
        }
    }
}

fn name(node: &Node) -> Result<String, Expected> {
    match node.text() {
        Some(text) if is_name(&text) => Ok(text.into_owned()),
        Some(_) | None => Err("the name of a query parameter, without `*`, `&`, `=` and `#`".into()),
    }
}

fn is_name(text: &str) -> bool {
    let barred =
        |letter: char| letter.is_whitespace() || letter.is_control() || matches!(letter, '*' | '&' | '=' | '#');
    !text.is_empty() && !text.contains(barred)
}
