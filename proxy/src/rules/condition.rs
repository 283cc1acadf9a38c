//! Conditions on a request beside its path: `has` and `missing`.

use std::borrow::Cow;
use std::fmt;

use evergate_cache::list_value;
use http::header::COOKIE;
use http::{HeaderMap, HeaderName};

use super::captured::{Captured, Value};
use super::effort::Effort;
use super::engine::{Case, Engine, Undecided};
use crate::target::decode;

/// What rules see of a request.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The path in normal form.
    pub path: &'a str,
    /// The query, without the question mark.
    pub query: Option<&'a str>,
    /// The host in lower case, without a port.
    pub host: Option<&'a str>,
    /// The header fields.
    pub headers: &'a HeaderMap,
}

/// A condition on something beside the path.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    what: What,
    wanted: Wanted,
}

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A header field; several lines are one list.
    Header(HeaderName),
    /// A cookie.
    Cookie(String),
    /// A parameter of the query; the last of a name counts.
    Query(String),
    /// The host, in lower case and without a port.
    Host,
}

/// What is wanted of it.
#[derive(Clone, Debug)]
enum Wanted {
    /// That it is there, and not empty; it is captured under this name.
    Something(String),
    /// That the whole of it matches.
    Match(String, Box<Engine>),
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Wanted::Something(one), Wanted::Something(other)) => one == other,
            (Wanted::Match(one, _), Wanted::Match(other, _)) => one == other,
            (Wanted::Something(_), Wanted::Match(..)) | (Wanted::Match(..), Wanted::Something(_)) => false,
        }
    }
}

impl Condition {
    /// That `what` is there.
    pub fn there(what: What) -> Condition {
        let key = match &what {
            What::Header(name) => name.as_str(),
            What::Cookie(key) | What::Query(key) => key,
            What::Host => "host",
        };
        // Names hold letters alone, so that they can be told from what follows them.
        let name = key.chars().filter(char::is_ascii_alphabetic).collect();
        Condition { what, wanted: Wanted::Something(name) }
    }

    /// That the whole of `what` matches a regular expression of JavaScript's.
    ///
    /// # Errors
    ///
    /// What is wrong with the expression.
    pub fn matches(what: What, expression: &str) -> Result<Condition, String> {
        let engine = Engine::new(expression, Case::Sensitive)?;
        Ok(Condition { what, wanted: Wanted::Match(expression.to_owned(), Box::new(engine)) })
    }

    /// The field of the request that it reads. What the URL says, every cache knows it by.
    pub(super) fn field(&self) -> Option<HeaderName> {
        match &self.what {
            What::Header(name) => Some(name.clone()),
            What::Cookie(_) => Some(COOKIE),
            What::Query(_) | What::Host => None,
        }
    }

    /// The names under which it captures.
    pub(super) fn names(&self) -> Vec<&str> {
        match &self.wanted {
            Wanted::Something(name) => vec![name],
            Wanted::Match(_, engine) => {
                let named: Vec<&str> = engine.names().into_iter().flatten().collect();
                if named.is_empty() && self.what == What::Host { vec!["host"] } else { named }
            }
        }
    }

    /// Whether it holds; what it captures is added.
    pub(super) fn holds(
        &self,
        subject: &Subject<'_>,
        effort: &Effort,
        captured: &mut Captured,
    ) -> Result<bool, Undecided> {
        let Some(found) = self.what.of(subject).filter(|found| !found.is_empty()) else { return Ok(false) };
        let engine = match &self.wanted {
            Wanted::Something(name) => {
                if !name.is_empty() {
                    captured.insert(name, Value::Field(found.into_owned()));
                }
                return Ok(true);
            }
            Wanted::Match(_, engine) => engine,
        };
        let Some(groups) = engine.groups(&found, effort)? else { return Ok(false) };
        let names = engine.names();
        for (name, text) in names.iter().zip(&groups) {
            if let (Some(name), Some(text)) = (name, text) {
                captured.insert(name, Value::Field((*text).to_owned()));
            }
        }
        if self.what == What::Host && names.iter().all(Option::is_none) {
            captured.insert("host", Value::Field(found.clone().into_owned()));
        }
        Ok(true)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Header(name) => write!(f, "header {name}")?,
            What::Cookie(name) => write!(f, "cookie {name}")?,
            What::Query(name) => write!(f, "query {name}")?,
            What::Host => f.write_str("host")?,
        }
        match &self.wanted {
            Wanted::Something(_) => Ok(()),
            Wanted::Match(expression, _) => write!(f, " = {expression}"),
        }
    }
}

impl What {
    fn of<'a>(&self, subject: &Subject<'a>) -> Option<Cow<'a, str>> {
        match self {
            What::Header(name) => {
                let mut lines = subject.headers.get_all(name).iter();
                match (lines.next(), lines.next()) {
                    (Some(line), None) => Some(String::from_utf8_lossy(line.as_bytes())),
                    (None, _) => None,
                    (Some(_), Some(_)) => {
                        let list = list_value(subject.headers, name)?;
                        Some(Cow::Owned(String::from_utf8_lossy(&list).into_owned()))
                    }
                }
            }
            What::Cookie(name) => cookie(subject.headers, name).map(Cow::Owned),
            What::Query(name) => query(subject.query?, name).map(Cow::Owned),
            What::Host => subject.host.map(Cow::Borrowed),
        }
    }
}

/// The first cookie of a name, decoded, without the quotes around it.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter();
    let mut pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let value = pairs.find_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        (pair[..equals].trim_ascii() == name.as_bytes()).then(|| pair[equals + 1..].trim_ascii())
    })?;
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    Some(decode(&String::from_utf8_lossy(inner)).into_owned())
}

/// The last parameter of a name, decoded.
fn query(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut fitting = pairs.filter(|(key, _)| plain(key) == name);
    fitting.next_back().map(|(_, value)| plain(value))
}

/// A part of a query as its author meant it: a plus is a space there.
pub(super) fn plain(part: &str) -> String {
    if part.contains('+') { decode(&part.replace('+', " ")).into_owned() } else { decode(part).into_owned() }
}
