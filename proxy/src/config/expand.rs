//! Expansion: `${NAME}` in a setting becomes the value of an environment variable.

use std::fmt;

/// A text after expansion.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    /// The text.
    pub(super) text: String,
    /// Whether a variable was named in it, so that what came out may be a number or `false`.
    pub(super) named: bool,
}

/// Why a text could not be expanded. It prints as what would be accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ExpandError {
    /// The variable is not set, and there is no default.
    Unset {
        /// Its name.
        name: String,
    },
    /// A `${` that is not followed by a name, or has no end.
    Malformed {
        /// The text from there on.
        rest: String,
    },
}

impl ExpandError {
    /// The part of the text that is wrong.
    pub(super) fn found(&self) -> String {
        match self {
            Self::Unset { name } => format!("`${{{name}}}`, which is not set"),
            Self::Malformed { rest } => format!("`{}`", rest.escape_debug()),
        }
    }
}

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset { name } => write!(f, "a variable of the environment, or a default: `${{{name}:-default}}`"),
            Self::Malformed { .. } => f.write_str("`${NAME}`, `${NAME:-default}`, or `$$` for a dollar"),
        }
    }
}

/// Expands `${NAME}`, `${NAME:-default}` and `$$`. As in a shell, the default also stands for a
/// variable that is set to nothing; it ends at the first `}`. A dollar before anything else is a
/// dollar.
///
/// # Errors
///
/// See [`ExpandError`].
pub(super) fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Expanded, ExpandError> {
    let mut out = String::with_capacity(text.len());
    let mut named = false;
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        out.push_str(&rest[..start]);
        let at = &rest[start..];
        if let Some(after) = at.strip_prefix("$$") {
            out.push('$');
            rest = after;
        } else if let Some(inner) = at.strip_prefix("${") {
            let malformed = || ExpandError::Malformed { rest: at.to_owned() };
            let (reference, after) = inner.split_once('}').ok_or_else(malformed)?;
            let (name, default) = match reference.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (reference, None),
            };
            // A `${` in the default would end at the wrong brace; better refused than guessed.
            if !is_name(name) || default.is_some_and(|default| default.contains("${")) {
                return Err(malformed());
            }
            let value = match (env(name), default) {
                (Some(value), None) => value,
                (Some(value), Some(_)) if !value.is_empty() => value,
                (Some(_) | None, Some(default)) => default.to_owned(),
                (None, None) => {
                    return Err(ExpandError::Unset { name: name.to_owned() });
                }
            };
            out.push_str(&value);
            named = true;
            rest = after;
        } else {
            out.push('$');
            rest = &at[1..];
        }
    }
    out.push_str(rest);
    Ok(Expanded { text: out, named })
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
