//! Parameters: what the dynamic segments of a route stand for in a path that was prerendered.

use crate::config::{Param, RoutePattern, known_paths};

#[cfg(test)]
mod tests;

/// One object of `params`: names and what they stand for, in the order of the path.
pub(super) type Params = Vec<(String, Param)>;

/// Reads a prerendered path by its route; none when the path is not one of the route. `[[...x]]` at its root gives no name.
pub(super) fn params_of(route: &str, path: &str) -> Option<Params> {
    let mut values = segments(path);
    let mut params = Params::new();
    for segment in segments(route) {
        match dynamic(segment) {
            None => {
                if values.next()? != segment {
                    return None;
                }
            }
            Some((name, Reach::One)) => params.push((name.to_owned(), Param::One(unescape(values.next()?)))),
            Some((name, reach)) => {
                let rest: Vec<String> = values.by_ref().map(unescape).collect();
                match (reach, rest.is_empty()) {
                    (Reach::OneOrMore, true) => return None,
                    (Reach::AnyNumber, true) => {}
                    (Reach::One | Reach::OneOrMore | Reach::AnyNumber, _) => {
                        params.push((name.to_owned(), Param::Many(rest)));
                    }
                }
            }
        }
    }
    values.next().is_none().then_some(params)
}

/// Whether the configuration takes these parameters for a path of this pattern.
///
/// # Errors
///
/// What it expects instead.
pub(super) fn check(params: &Params, pattern: &RoutePattern) -> Result<(), String> {
    let object: serde_json::Map<String, serde_json::Value> = params
        .iter()
        .map(|(name, param)| match param {
            Param::One(text) => (name.clone(), text.as_str().into()),
            Param::Many(texts) => (name.clone(), texts.as_slice().into()),
        })
        .collect();
    let json = serde_json::Value::Array(vec![object.into()]).to_string();
    known_paths(&json, pattern).map(|_| ())
}

/// Whether a route has dynamic segments.
pub(super) fn is_dynamic(route: &str) -> bool {
    segments(route).any(|segment| dynamic(segment).is_some())
}

/// How many segments of a path a segment of a route stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    One,
    OneOrMore,
    AnyNumber,
}

fn dynamic(segment: &str) -> Option<(&str, Reach)> {
    let inner = segment.strip_prefix('[')?.strip_suffix(']')?;
    if let Some(name) = inner.strip_prefix("[...").and_then(|inner| inner.strip_suffix(']')) {
        return Some((name, Reach::AnyNumber));
    }
    match inner.strip_prefix("...") {
        Some(name) => Some((name, Reach::OneOrMore)),
        None => Some((inner, Reach::One)),
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// Takes back what Next.js does to a parameter in the name of a prerendered path: only `/`, `#` and `?` are encoded, and the
/// percent sign of what looks like one of them or like a backslash (`shared/lib/router/utils/escape-path-delimiters.ts`).
/// A percent sign before anything else is the parameter's own.
fn unescape(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let code = |text: &str, from: usize| text.get(from..from + 2).map(str::to_ascii_lowercase);
        let (plain, taken) = match code(behind, 0).as_deref() {
            Some("2f") => ("/", 2),
            Some("23") => ("#", 2),
            Some("3f") => ("?", 2),
            Some("25") if code(behind, 2).is_some_and(|code| ["2f", "23", "3f", "5c"].contains(&code.as_str())) => {
                ("%", 2)
            }
            Some(_) | None => ("%", 0),
        };
        out.push_str(plain);
        rest = &behind[taken..];
    }
    out.push_str(rest);
    out
}
