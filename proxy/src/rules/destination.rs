//! Where redirects and rewrites lead: a target with captured names in it.

use super::captured::{Captured, Value, in_query};
use super::condition::plain;
use super::matcher::Names;
use super::path_form::encode;
use super::pattern::LONGEST_PATTERN;
use super::syntax::{Modifier, Param, PatternError, Token, parse};
use super::template::Template;
use crate::target::{allowed, single_slashes};

/// Where a redirect or a rewrite leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    source: String,
    origin: Option<Origin>,
    path: Vec<Token>,
    query: Vec<(Template, Option<Template>)>,
    fragment: Vec<Token>,
    /// Names whose values a rewrite passes on in the query where its path uses none.
    passed_on: Vec<String>,
}

/// Scheme and authority of another site.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: &'static str,
    host: Vec<Token>,
    /// With its colon; empty where there is none.
    port: String,
}

/// Which targets are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Paths of this gateway: rewrites.
    Here,
    /// Paths of this gateway and other sites: redirects.
    Anywhere,
}

/// A target cannot be made of what was captured: it would name another host or directory than the rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the target of a rule cannot be made of this request")]
pub struct Unbuildable;

impl Destination {
    /// Compiles a target; `names` are those that may stand in it.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn compile(source: &str, names: &Names, reach: Reach) -> Result<Destination, PatternError> {
        if source.chars().count() > LONGEST_PATTERN {
            return Err(PatternError::whole(format!("a target of at most {LONGEST_PATTERN} characters")));
        }
        let (front, fragment) = source.split_once('#').unwrap_or((source, ""));
        let (front, query) = front.split_once('?').unwrap_or((front, ""));
        let (origin, path) = split_origin(front);
        let expected = match reach {
            Reach::Here => "a path of this gateway (`/new/:path*`)",
            Reach::Anywhere => "a path (`/new/:path*`), or a URL (`https://acme.com/:path*`)",
        };
        let foreign = reach == Reach::Here && (origin.is_some() || !fragment.is_empty());
        let absolute = path.starts_with('/') && !path.starts_with("//") || path.is_empty() && origin.is_some();
        if foreign || !absolute {
            return Err(PatternError::whole(expected));
        }
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(PatternError::whole("a target without `.` and `..` segments"));
        }
        let path = tokens(path, names)?;
        let origin = match origin {
            Some((scheme, authority)) => Some(Origin::compile(scheme, authority, names)?),
            None => None,
        };
        let passed_on = match reach {
            Reach::Here => names.all(),
            Reach::Anywhere => Vec::new(),
        };
        Ok(Destination {
            source: source.to_owned(),
            origin,
            path,
            query: query.split('&').filter(|part| !part.is_empty()).map(|part| query_part(part, names)).collect(),
            fragment: tokens(fragment, names)?,
            // Numbers are for the rule alone.
            passed_on: passed_on
                .into_iter()
                .filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()))
                .map(str::to_owned)
                .collect(),
        })
    }

    /// The target that a request with this query is sent to. The query is passed through and merged: what the rule says of a
    /// name takes the place of what the visitor says.
    ///
    /// # Errors
    ///
    /// [`Unbuildable`].
    pub(super) fn build(&self, captured: &Captured, query: Option<&str>) -> Result<String, Unbuildable> {
        let mut path = String::new();
        render(&self.path, captured, &mut path);
        // Two slashes at the beginning would name a host, and dots a directory that the rule does not.
        let mut path = single_slashes(&path);
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(Unbuildable);
        }
        if !path.starts_with('/') {
            path.insert(0, '/');
        }
        let mut out = match &self.origin {
            Some(origin) => origin.build(captured)?,
            None => String::new(),
        };
        out.push_str(&path);
        let query = self.merged(captured, query);
        if !query.is_empty() {
            out.push('?');
            out.push_str(&query);
        }
        if !self.fragment.is_empty() {
            out.push('#');
            render(&self.fragment, captured, &mut out);
        }
        Ok(out)
    }

    fn merged(&self, captured: &Captured, visitors: Option<&str>) -> String {
        let mut own: Vec<(String, String)> = Vec::new();
        for (name, value) in &self.query {
            let name = name.render_query(captured);
            let part = match value {
                Some(value) => format!("{name}={}", value.render_query(captured)),
                None => name.clone(),
            };
            own.push((plain(&name), part));
        }
        let in_path = |token: &Token| matches!(token, Token::Param(param) if captured.get(&param.name).is_some());
        let passed_on = if self.path.iter().any(in_path) { &[] } else { self.passed_on.as_slice() };
        for name in passed_on {
            let known = own.iter().any(|(own, _)| own == name);
            let values = captured.get(name).filter(|_| !known).map(Value::in_query).unwrap_or_default();
            let mut encoded = String::new();
            encode(name, in_query, &mut encoded);
            own.extend(values.into_iter().map(|value| (name.clone(), format!("{encoded}={value}"))));
        }
        let theirs = visitors.unwrap_or_default().split('&').filter(|part| !part.is_empty()).filter(|part| {
            let name = plain(part.split_once('=').map_or(*part, |(name, _)| name));
            own.iter().all(|(own, _)| *own != name)
        });
        let parts: Vec<&str> = theirs.chain(own.iter().map(|(_, part)| part.as_str())).collect();
        parts.join("&")
    }
}

impl Origin {
    fn compile(scheme: &'static str, authority: &str, names: &Names) -> Result<Origin, PatternError> {
        // A colon before digits is a port's, a colon before a name is a parameter's.
        let port = authority.rfind(':').filter(|colon| {
            let digits = &authority[colon + 1..];
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        let (host, port) = authority.split_at(port.unwrap_or(authority.len()));
        if host.is_empty() || host.contains('@') {
            return Err(PatternError::whole("a host behind `://`, without user and password"));
        }
        Ok(Origin { scheme, host: tokens(host, names)?, port: port.to_owned() })
    }

    fn build(&self, captured: &Captured) -> Result<String, Unbuildable> {
        let mut host = String::new();
        render(&self.host, captured, &mut host);
        // What a visitor says must not end the name that the rule says.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let bracketed = host.starts_with('[') && self.host.iter().all(|token| matches!(token, Token::Text(_)));
        if host.is_empty() || !bracketed && !host.bytes().all(fits) {
            return Err(Unbuildable);
        }
        Ok(format!("{}://{host}{}", self.scheme, self.port))
    }
}

/// Scheme and authority, and the path behind them.
fn split_origin(front: &str) -> (Option<(&'static str, &str)>, &str) {
    for scheme in ["https", "http"] {
        let begin = front.split_at_checked(scheme.len()).filter(|(begin, _)| begin.eq_ignore_ascii_case(scheme));
        if let Some(rest) = begin.and_then(|(_, rest)| rest.strip_prefix("://")) {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            return (Some((scheme, authority)), path);
        }
    }
    (None, front)
}

/// Reads a part of a target, whose names must be captured whichever alternative matches.
fn tokens(text: &str, names: &Names) -> Result<Vec<Token>, PatternError> {
    let mut tokens = parse(text)?;
    for token in &mut tokens {
        match token {
            Token::Param(param) if !names.certain(&param.name) => {
                let known: Vec<String> = names.all().iter().map(|name| format!("`:{name}`")).collect();
                let known = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
                let expected = format!("names that the matcher captures, each of its alternatives ({known})");
                return Err(PatternError::at(text, param.at, expected));
            }
            Token::Param(param) => {
                param.prefix = encoded(&param.prefix);
                param.suffix = encoded(&param.suffix);
            }
            Token::Text(text) | Token::Group(text, _) => *text = encoded(text),
        }
    }
    Ok(tokens)
}

/// What the operator wrote plainly and no target may hold.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode(text, |byte| allowed(byte) || matches!(byte, b'%' | b'?' | b'[' | b']'), &mut out);
    out
}

fn query_part(part: &str, names: &Names) -> (Template, Option<Template>) {
    let template = |text: &str| {
        let mut out = String::with_capacity(text.len());
        encode(text, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\'), &mut out);
        Template::new(&out, names)
    };
    match part.split_once('=') {
        Some((name, value)) => (template(name), Some(template(value))),
        None => (template(part), None),
    }
}

fn render(tokens: &[Token], captured: &Captured, out: &mut String) {
    for token in tokens {
        match token {
            Token::Text(text) => out.push_str(text),
            Token::Group(text, modifier) => {
                if !modifier.may_be_missing() {
                    out.push_str(text);
                }
            }
            Token::Param(param) => render_param(param, captured, out),
        }
    }
}

/// A parameter that stands for nothing takes what is around it with it.
fn render_param(param: &Param, captured: &Captured, out: &mut String) {
    let parts = captured.get(&param.name).map(Value::in_path).unwrap_or_default();
    let Some((first, rest)) = parts.split_first() else { return };
    out.push_str(&param.prefix);
    out.push_str(first);
    for part in rest {
        match param.modifier {
            // Each part with what is around it.
            Modifier::Any | Modifier::Many => {
                out.push_str(&param.suffix);
                out.push_str(&param.prefix);
            }
            Modifier::Once | Modifier::Optional => out.push('/'),
        }
        out.push_str(part);
    }
    out.push_str(&param.suffix);
}
