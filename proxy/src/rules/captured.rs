//! What a match has captured: names, and the parts of the request that they stand for.

use super::path_form::{decoded, encode};
use crate::target::allowed;

/// Names with what they stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Captured(Vec<(String, Value)>);

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A part of the path, in the form that patterns see; its segments are told apart by `separator` where it may have several.
    Path {
        /// The part.
        text: String,
        /// Empty where there is one.
        separator: String,
    },
    /// Something that a field, the query or the host says.
    Field(String),
}

impl Captured {
    /// What `name` stands for.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Lets `name` stand for `value`, whatever it stood for before.
    pub(super) fn insert(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Every name with its value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl Value {
    /// Its parts: one, or the segments of a repeated parameter.
    fn parts(&self) -> Vec<&str> {
        match self {
            Value::Path { text, separator } if !separator.is_empty() => text.split(separator.as_str()).collect(),
            Value::Path { text, .. } | Value::Field(text) => vec![text],
        }
    }

    /// Its parts as they stand in a path. What did not come from a path fills one segment: its slashes are encoded.
    pub(super) fn in_path(&self) -> Vec<String> {
        let encoded = |part: &str| {
            let mut out = String::with_capacity(part.len() + 8);
            match self {
                Value::Path { .. } => encode(part, |byte| allowed(byte) || byte == b'%', &mut out),
                Value::Field(_) => encode(part, |byte| allowed(byte) && byte != b'/', &mut out),
            }
            out
        };
        self.parts().into_iter().map(encoded).collect()
    }

    /// Its parts as values of a query.
    pub(super) fn in_query(&self) -> Vec<String> {
        let encoded = |part: &str| {
            let plain = match self {
                Value::Path { .. } => decoded(part),
                Value::Field(_) => part.into(),
            };
            let mut out = String::with_capacity(part.len() + 8);
            encode(&plain, in_query, &mut out);
            out
        };
        self.parts().into_iter().map(encoded).collect()
    }

    /// As it stands in a header: a part of the path as in a path, which Next.js does not decode there; anything else as it was said.
    /// Control characters are encoded, so that nothing ends where it stands.
    pub(super) fn in_field(&self) -> String {
        match self {
            Value::Path { separator, .. } => self.in_path().join(separator),
            Value::Field(text) => {
                let mut out = String::with_capacity(text.len());
                for letter in text.chars() {
                    if letter.is_ascii_control() {
                        out.push_str(&format!("%{:02X}", u32::from(letter)));
                    } else {
                        out.push(letter);
                    }
                }
                out
            }
        }
    }
}

/// What a value of a query may hold as it is: what `encodeURIComponent` leaves alone.
pub(super) fn in_query(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
}
