//! Patterns: configured paths in the conventions of the Next.js file system.

mod source;
#[cfg(test)]
mod tests;

use std::fmt;

use source::{interception, is_file, is_group, private, visited, visited_by};

use crate::target::allowed;

/// A configured path, such as `/items/[slug]`.
///
/// Patterns are ordered as Next.js sorts its routes, which is the order in which they are tried: segment by segment, each as
/// [`Segment`] says, and a path before those that continue it. Of two patterns that match one path, the smaller wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutePattern {
    segments: Vec<Segment>,
}

/// What stands between two slashes of a pattern. The kinds are ordered as they stand here, and within a kind the name decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// This text, in the normal form of paths: unreserved characters decoded, hex in upper case.
    Static(String),
    /// `[name]`: any one segment.
    Param(String),
    /// `[...name]`: one or more segments, to the end of the path.
    CatchAll(String),
    /// `[[...name]]`: any number of segments, none included, to the end of the path.
    OptionalCatchAll(String),
}

/// Why a text is not a pattern. It prints as what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It does not begin with a slash.
    #[error("a path that begins with `/`")]
    NoLeadingSlash,
    /// It is longer than 1024 bytes.
    #[error("a path of at most {LONGEST} bytes")]
    TooLong,
    /// It holds `?` or `#`.
    #[error("a path without `?` and `#`; the setting `query` is for the query")]
    QueryOrFragment,
    /// It ends in a slash.
    #[error("no slash at the end: `{instead}`")]
    TrailingSlash {
        /// The path without it.
        instead: String,
    },
    /// Two slashes follow each other.
    #[error("no empty segments: `{instead}`")]
    EmptySegment {
        /// The path without them.
        instead: String,
    },
    /// A segment is `.` or `..`, written plainly or encoded.
    #[error("a path without `.` and `..` segments")]
    DotSegment,
    /// Percent signs that are not followed by two hex digits, or an encoded NUL.
    #[error("percent-encoding that requests may have: `%` and two hex digits, not `%00`")]
    BadEncoding,
    /// A backslash, an encoded one, or a control character.
    #[error("a path without backslashes and control characters")]
    BadCharacter,
    /// A segment in parentheses, which Next.js leaves out of its paths.
    #[error("the path without the group: `{instead}`")]
    Group {
        /// The path without groups.
        instead: String,
    },
    /// The last segment is the name of a source file.
    #[error("the path that visitors ask for: `{instead}`")]
    FileName {
        /// The path without the file.
        instead: String,
    },
    /// The last segment is the name of a source file, in a folder that Next.js keeps out of its routes.
    #[error("the path that visitors ask for: none in Next.js, which keeps `{folder}` private, else `{instead}`")]
    PrivateFolder {
        /// The folder.
        folder: String,
        /// The path without the file.
        instead: String,
    },
    /// A segment such as `(..)photo`, which stands for another path.
    #[error("the path that is intercepted: `{instead}`")]
    Interception {
        /// That path.
        instead: String,
    },
    /// A parameter or wildcard in the way of other routers: `:slug`, `{slug}`, `*`.
    #[error("a parameter as Next.js writes it: `{instead}`")]
    ForeignParam {
        /// The segment in Next's way.
        instead: String,
    },
    /// Brackets that do not enclose a segment.
    #[error("brackets around a whole segment (`/[slug]`), or `%5B` and `%5D` for plain ones")]
    LooseBracket,
    /// More brackets than `[name]`, `[...name]` or `[[...name]]` have.
    #[error("`[name]`, `[...name]` or `[[...name]]`, without extra brackets")]
    ExtraBrackets,
    /// Dots before the name that are not three.
    #[error("three dots and then the name: `[...name]`")]
    BadDots,
    /// No name between the brackets, or whitespace or punctuation of URLs in it.
    #[error("a name between the brackets, of letters, digits, `_` and `-`")]
    BadName,
    /// `[[name]]`.
    #[error("`[{name}]` or `[[...{name}]]`: a single segment cannot be optional")]
    OptionalParam {
        /// The name.
        name: String,
    },
    /// Something follows a catch-all.
    #[error("a catch-all only as the last segment")]
    CatchAllNotLast,
    /// A name stands twice in the path.
    #[error("each name once in a path; `{name}` is there twice")]
    RepeatedName {
        /// The name.
        name: String,
    },
    /// Two names differ only in characters that are not letters, digits or `_`.
    #[error("names that differ in more than punctuation; `{first}` and `{second}` do not")]
    SimilarNames {
        /// The name that comes first.
        first: String,
        /// The other one.
        second: String,
    },
}

impl RoutePattern {
    /// Reads a configured path.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let Some(inner) = text.strip_prefix('/') else {
            return Err(
                visited_by(text).map_or(PatternError::NoLeadingSlash, |instead| PatternError::FileName { instead })
            );
        };
        if text.len() > LONGEST {
            return Err(PatternError::TooLong);
        }
        if text.contains(['?', '#']) {
            return Err(PatternError::QueryOrFragment);
        }
        if inner.is_empty() {
            return Ok(Self::root());
        }
        let parts: Vec<&str> = inner.split('/').collect();
        check_parts(&parts)?;
        let segments: Vec<Segment> = parts.iter().map(|part| Segment::parse(part)).collect::<Result<_, _>>()?;
        check_order(&segments)?;
        check_names(&segments)?;
        Ok(Self { segments })
    }

    /// The pattern `/`.
    pub fn root() -> Self {
        Self { segments: Vec::new() }
    }

    /// Its segments from left to right; none for `/`.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

impl fmt::Display for RoutePattern {
    /// As it would be written in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return f.write_str("/");
        }
        for segment in &self.segments {
            write!(f, "/{segment}")?;
        }
        Ok(())
    }
}

impl Segment {
    /// The name of the parameter; none for a static segment.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Static(_) => None,
            Self::Param(name) | Self::CatchAll(name) | Self::OptionalCatchAll(name) => Some(name),
        }
    }

    fn parse(text: &str) -> Result<Self, PatternError> {
        if let Some(instead) = in_nexts_way(text) {
            return Err(PatternError::ForeignParam { instead });
        }
        if !text.contains(['[', ']']) {
            return static_text(text).map(Self::Static);
        }
        let inside = |text: &str| -> Option<String> { Some(text.strip_prefix('[')?.strip_suffix(']')?.to_owned()) };
        let inner = inside(text).ok_or(PatternError::LooseBracket)?;
        let (optional, inner) = match inside(&inner) {
            Some(innermost) => (true, innermost),
            None => (false, inner),
        };
        let (rest, name) = match inner.strip_prefix("...") {
            Some(name) => (true, name),
            None => (false, inner.as_str()),
        };
        if name.contains(['[', ']']) {
            return Err(PatternError::ExtraBrackets);
        }
        if name.starts_with(['.', '\u{2026}']) {
            return Err(PatternError::BadDots);
        }
        if name.is_empty() || name.contains(is_barred_from_names) {
            return Err(PatternError::BadName);
        }
        let name = name.to_owned();
        match (optional, rest) {
            (false, false) => Ok(Self::Param(name)),
            (false, true) => Ok(Self::CatchAll(name)),
            (true, true) => Ok(Self::OptionalCatchAll(name)),
            (true, false) => Err(PatternError::OptionalParam { name }),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(text) => f.write_str(text),
            Self::Param(name) => write!(f, "[{name}]"),
            Self::CatchAll(name) => write!(f, "[...{name}]"),
            Self::OptionalCatchAll(name) => write!(f, "[[...{name}]]"),
        }
    }
}

/// Refuses what the whole path shows: empty segments, groups, intercepting segments, and the name of a source file.
fn check_parts(parts: &[&str]) -> Result<(), PatternError> {
    let is_source = is_file(parts);
    let instead = || visited(parts, is_source);
    if parts.split_last().is_some_and(|(last, before)| last.is_empty() && before.iter().all(|part| !part.is_empty())) {
        return Err(PatternError::TrailingSlash { instead: instead() });
    }
    if parts.iter().any(|part| part.is_empty()) {
        return Err(PatternError::EmptySegment { instead: instead() });
    }
    if parts.iter().any(|part| interception(part).is_some()) {
        return Err(PatternError::Interception { instead: instead() });
    }
    if parts.iter().any(|part| is_group(part)) {
        return Err(PatternError::Group { instead: instead() });
    }
    if let Some(folder) = private(parts) {
        return Err(PatternError::PrivateFolder { folder: folder.to_owned(), instead: instead() });
    }
    if is_source {
        return Err(PatternError::FileName { instead: instead() });
    }
    Ok(())
}

fn check_order(segments: &[Segment]) -> Result<(), PatternError> {
    let before_last = segments.split_last().map_or(&[][..], |(_, before)| before);
    for segment in before_last {
        match segment {
            Segment::Static(_) | Segment::Param(_) => {}
            Segment::CatchAll(_) | Segment::OptionalCatchAll(_) => {
                return Err(PatternError::CatchAllNotLast);
            }
        }
    }
    Ok(())
}

/// Refuses names that are equal, or equal apart from punctuation, as Next.js does: a handler could
/// not tell which is which.
fn check_names(segments: &[Segment]) -> Result<(), PatternError> {
    let word = |name: &str| -> String {
        let inside = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
        name.chars().filter(inside).collect()
    };
    let names: Vec<&str> = segments.iter().filter_map(Segment::name).collect();
    for (position, second) in names.iter().enumerate() {
        for first in &names[..position] {
            if first == second {
                return Err(PatternError::RepeatedName { name: (*first).to_owned() });
            }
            if word(first) == word(second) {
                return Err(PatternError::SimilarNames { first: (*first).to_owned(), second: (*second).to_owned() });
            }
        }
    }
    Ok(())
}

/// A segment that other routers take for a parameter, as Next.js writes it. A plain one can be written `%3A`, `%7B` or `%2A`.
fn in_nexts_way(text: &str) -> Option<String> {
    let name = |name: &str| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        (!name.is_empty() && name.bytes().all(inside)).then(|| name.to_owned())
    };
    if text == "*" || text == "**" {
        return Some("[...rest]".to_owned());
    }
    if let Some(behind) = text.strip_prefix(':') {
        return match behind.strip_suffix(['*', '+']) {
            Some(many) if behind.ends_with('*') => name(many).map(|name| format!("[[...{name}]]")),
            Some(many) => name(many).map(|name| format!("[...{name}]")),
            None => name(behind).map(|name| format!("[{name}]")),
        };
    }
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    name(inner).map(|name| format!("[{name}]"))
}

/// Brings a static segment into the normal form of paths, in which requests are compared with it:
/// unreserved characters decoded, everything else that is encoded left so with its hex in upper
/// case, and what a request cannot hold plainly encoded (RFC 3986 section 6.2.2).
fn static_text(text: &str) -> Result<String, PatternError> {
    let mut out = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let value = if byte == b'%' {
            let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
            match (hex(bytes.next()), hex(bytes.next())) {
                (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or(0),
                (Some(_) | None, _) => return Err(PatternError::BadEncoding),
            }
        } else {
            byte
        };
        if value == 0 {
            return Err(PatternError::BadEncoding);
        }
        if value == b'\\' || (byte != b'%' && byte.is_ascii_control()) {
            return Err(PatternError::BadCharacter);
        }
        let unreserved = value.is_ascii_alphanumeric() || b"-._~".contains(&value);
        let plain = byte != b'%' && allowed(value);
        if unreserved || plain {
            out.push(char::from(value));
        } else {
            out.push_str(&format!("%{value:02X}"));
        }
    }
    if out == "." || out == ".." {
        return Err(PatternError::DotSegment);
    }
    Ok(out)
}

fn is_barred_from_names(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control() || "%{}\\\"<>&=,;:".contains(letter)
}

/// How long a configured path may be, in bytes.
const LONGEST: usize = 1024;
