//! Coverage: which routes the application's own proxy file (middleware) is about.
//!
//! Its code runs in the handler service, and an answer from the cache never goes there; so whoever imports a build must know
//! which cached routes lean on it. Patterns are compared with patterns here, not with paths, and what cannot be told counts
//! as covered in part.

use super::manifest::{Condition, Matcher};

#[cfg(test)]
mod tests;

/// How far a matcher covers a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cover {
    /// Not at all.
    Nothing,
    /// Some of its requests, or it cannot be told.
    Part,
    /// All its requests.
    All,
}

/// How far these matchers together cover a route. `route` is without the base path, as the patterns are.
pub(super) fn cover(matchers: &[Matcher], route: &str) -> Cover {
    matchers.iter().map(|matcher| one(matcher, route)).max().unwrap_or(Cover::Nothing)
}

/// A matcher in words.
pub(super) fn describe(matcher: &Matcher) -> String {
    let source = matcher.original_source.as_deref().unwrap_or(&matcher.regexp);
    let each = |word: &str, conditions: &[Condition]| -> Vec<String> {
        let says = |condition: &Condition| {
            let key = condition.key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
            let value = condition.value.as_ref().map(|value| format!(" = {value}")).unwrap_or_default();
            format!("{word} {}{key}{value}", condition.kind)
        };
        conditions.iter().map(says).collect()
    };
    let conditions = [each("with", &matcher.has), each("without", &matcher.missing)].concat();
    if conditions.is_empty() { source.to_owned() } else { format!("{source} ({})", conditions.join(", ")) }
}

fn one(matcher: &Matcher, route: &str) -> Cover {
    let cover = match matcher.original_source.as_deref() {
        Some(source) => pattern(source, route),
        None => Cover::Part,
    };
    let conditional = !matcher.has.is_empty() || !matcher.missing.is_empty();
    if conditional { cover.min(Cover::Part) } else { cover }
}

fn pattern(source: &str, route: &str) -> Cover {
    if let Some(barred) = barred_beginnings(source) {
        return outside(&barred, route);
    }
    let split = |text: &str| -> Vec<String> {
        text.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
    };
    segments(&split(source), &split(route))
}

/// The alternatives of `/((?!a|b).*)`, where each is plain text.
fn barred_beginnings(source: &str) -> Option<Vec<String>> {
    let inner = source.strip_prefix("/((?!")?.strip_suffix(").*)")?;
    let plain = |text: &str| -> Option<String> {
        let text = text.replace("\\.", ".");
        (!text.contains(['(', ')', '*', '+', '?', '[', '\\', '$', '^', '{'])).then_some(text)
    };
    inner.split('|').map(plain).collect()
}

/// Whether a route lies outside of these beginnings.
fn outside(barred: &[String], route: &str) -> Cover {
    let path = route.trim_start_matches('/');
    let (begin, whole) = match path.split_once('[') {
        Some((begin, _)) => (begin, false),
        None => (path, true),
    };
    if barred.iter().any(|barred| begin.starts_with(barred.as_str())) {
        return Cover::Nothing;
    }
    let may_reach = !whole && barred.iter().any(|barred| barred.starts_with(begin));
    if may_reach { Cover::Part } else { Cover::All }
}

/// Compares segment by segment.
fn segments(source: &[String], route: &[String]) -> Cover {
    let Some((first, rest)) = source.split_first() else {
        return match route.first() {
            None => Cover::All,
            Some(segment) if segment.starts_with("[[...") => Cover::Part,
            Some(_) => Cover::Nothing,
        };
    };
    match (kind(first), route.split_first()) {
        (Part::Rest, _) if rest.is_empty() => Cover::All,
        (Part::SomeRest, Some(_)) if rest.is_empty() => Cover::All,
        (Part::SomeRest, None) => Cover::Nothing,
        (Part::Unknown | Part::Rest | Part::SomeRest, _) => Cover::Part,
        (Part::Text | Part::Any, None) => Cover::Nothing,
        (Part::Text | Part::Any, Some((segment, _))) if segment.starts_with("[...") || segment.starts_with("[[...") => {
            Cover::Part
        }
        (Part::Any, Some((_, behind))) => segments(rest, behind),
        (Part::Text, Some((segment, behind))) if segment.starts_with('[') => segments(rest, behind).min(Cover::Part),
        (Part::Text, Some((segment, behind))) if segment == first => segments(rest, behind),
        (Part::Text, Some(_)) => Cover::Nothing,
    }
}

/// What a segment of a pattern stands for.
enum Part {
    /// Itself.
    Text,
    /// `:name`: any one segment.
    Any,
    /// `:name*`: any number of segments.
    Rest,
    /// `:name+` or `(.*)`: at least one segment.
    SomeRest,
    /// Something else.
    Unknown,
}

fn kind(segment: &str) -> Part {
    let is_name =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !text.is_empty();
    match segment.strip_prefix(':') {
        Some(name) if is_name(name) => Part::Any,
        Some(name) if name.strip_suffix('*').is_some_and(is_name) => Part::Rest,
        Some(name) if name.strip_suffix('+').is_some_and(is_name) => Part::SomeRest,
        Some(_) => Part::Unknown,
        None if segment == "(.*)" => Part::SomeRest,
        None if segment.contains(['(', ')', ':', '{', '}', '*', '+', '?', '\\']) => Part::Unknown,
        None => Part::Text,
    }
}
