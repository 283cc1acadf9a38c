//! Outside of `/_next`: redirects of `next.config` never apply to the files of the application itself.
//!
//! Next.js puts a look-ahead before the expression that it makes of a pattern (`^(?!/_next)...`, in
//! `lib/redirect-status.ts`: `modifyRouteRegex`). A pattern of path-to-regexp has no place before its first slash, so here the
//! parameters that may stand first look ahead instead. One that repeats does so at each of its segments: then a path such as
//! `/a/_next` does not match here, and Next.js redirects it itself.

use super::SPECIAL_IN_PATTERNS;

/// What a pattern needs so that it does not match under `/_next`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outside {
    /// Nothing.
    Already,
    /// To be this one.
    With(String),
    /// It matches nothing else.
    Never,
    /// It cannot be told.
    Unknown,
}

/// Keeps a pattern of `next.config` out of `/_next` under this base path.
pub(super) fn outside_next(source: &str, base_path: &str) -> Outside {
    let forbidden = format!("{base_path}/_next");
    let mut out = String::with_capacity(source.len() + 32);
    let mut rest = source;
    let mut changed = false;
    // What of the path is known to stand before `rest`, in the shortest path that matches.
    let mut before = String::new();
    loop {
        let end = rest.find(SPECIAL_IN_PATTERNS).unwrap_or(rest.len());
        let (text, special) = rest.split_at(end);
        before.push_str(text);
        out.push_str(text);
        match relation(&before, &forbidden) {
            Relation::Apart => return done(out + special, changed),
            Relation::Inside if changed => return Outside::Unknown,
            Relation::Inside => return Outside::Never,
            Relation::OnTheWay if special.is_empty() => return done(out, changed),
            Relation::OnTheWay => {}
        }
        let Some(param) = Param::read(special) else {
            return Outside::Unknown;
        };
        let left = forbidden.get(before.len()..).unwrap_or_default();
        let ahead = format!("(?!{})", escape(left));
        out.push_str(&format!("{}({ahead}{}){}", param.name, param.expression(), param.modifier));
        changed = true;
        rest = param.rest;
        if !param.may_be_missing() {
            return done(out + rest, changed);
        }
        // Where the parameter is missing, so is the slash before it.
        if before.ends_with('/') {
            before.pop();
        }
    }
}

fn done(pattern: String, changed: bool) -> Outside {
    if changed { Outside::With(pattern) } else { Outside::Already }
}

/// How the beginning of a path stands to `/_next`.
enum Relation {
    /// It leads elsewhere.
    Apart,
    /// What follows decides.
    OnTheWay,
    /// It is under it.
    Inside,
}

fn relation(before: &str, forbidden: &str) -> Relation {
    let (before, forbidden) = (before.to_ascii_lowercase(), forbidden.to_ascii_lowercase());
    if before.starts_with(&forbidden) {
        Relation::Inside
    } else if forbidden.starts_with(&before) {
        Relation::OnTheWay
    } else {
        Relation::Apart
    }
}

/// A parameter at the beginning of a text: `:name`, `:name(regex)` or `(regex)`, with its modifier.
struct Param<'a> {
    /// `:name`, or nothing.
    name: &'a str,
    regex: Option<&'a str>,
    modifier: &'a str,
    rest: &'a str,
}

impl<'a> Param<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let name_end = match text.strip_prefix(':') {
            Some(behind) => {
                1 + behind.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(behind.len())
            }
            None => 0,
        };
        let (name, rest) = text.split_at(name_end);
        let (regex, rest) = match group(rest) {
            Some((regex, rest)) => (Some(regex), rest),
            None => (None, rest),
        };
        if name.len() < 2 && regex.is_none() {
            return None;
        }
        let modifier_end = usize::from(rest.starts_with(['?', '*', '+']));
        let (modifier, rest) = rest.split_at(modifier_end);
        Some(Self { name, regex, modifier, rest })
    }

    /// Its expression; without one of its own it stands for a segment.
    fn expression(&self) -> String {
        match self.regex {
            // What stands before would belong to the first alternative only.
            Some(regex) if has_alternatives(regex) => format!("(?:{regex})"),
            Some(regex) => regex.to_owned(),
            None => "[^/]+?".to_owned(),
        }
    }

    fn may_be_missing(&self) -> bool {
        ["?", "*"].contains(&self.modifier)
    }
}

/// What stands between the parentheses at the beginning of a text, and what follows.
fn group(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('(')?;
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return Some((&text[1..at], &text[at + 1..]));
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether an expression has alternatives that are not in a group. A bar in a class counts, which does no harm.
fn has_alternatives(regex: &str) -> bool {
    let mut rest = regex;
    while let Some(at) = rest.find(['(', '|', '\\']) {
        let special = &rest[at..];
        if special.starts_with('|') {
            return true;
        }
        rest = match group(special) {
            Some((_, behind)) => behind,
            // An escape and what it escapes, or a bracket that is not closed.
            None => {
                let mut letters = special.chars();
                let escapes = letters.next() == Some('\\');
                if escapes {
                    letters.next();
                }
                letters.as_str()
            }
        };
    }
    false
}

/// A text in a regular expression.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if "\\^$.|?*+()[]{}".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}
