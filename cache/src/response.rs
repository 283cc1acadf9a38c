//! The head of a response: its status and its fields, in the order in which they came.

use http::header::{CONTENT_LENGTH, ETAG};
use http::{HeaderName, HeaderValue, StatusCode};

/// Header fields in their order; lines of one name are kept apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(HeaderName, HeaderValue)>);

impl Fields {
    /// No fields, with room for `count`.
    pub fn with_capacity(count: usize) -> Self {
        Fields(Vec::with_capacity(count))
    }

    /// The first line of this name.
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// Every line of this name, in order.
    pub fn get_all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a HeaderValue> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value)
    }

    /// Whether there is a line of this name.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// Adds a line at the end.
    pub fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.push((name, value));
    }

    /// Removes every line of this name.
    pub fn remove(&mut self, name: &HeaderName) {
        self.0.retain(|(n, _)| n != name);
    }

    /// Keeps the lines for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&HeaderName, &HeaderValue) -> bool) {
        self.0.retain(|(name, value)| keep(name, value));
    }

    /// Every line, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Number of lines.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no line at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Size in bytes as HTTP/1.1 writes them.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
    }
}

impl FromIterator<(HeaderName, HeaderValue)> for Fields {
    fn from_iter<T: IntoIterator<Item = (HeaderName, HeaderValue)>>(lines: T) -> Self {
        Fields(lines.into_iter().collect())
    }
}

/// Status and fields of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code.
    pub status: StatusCode,
    /// The header fields.
    pub fields: Fields,
}

impl ResponseHead {
    /// The length of the body that it announces (RFC 9110 section 8.6); none when it does not, or not in one way.
    pub fn content_length(&self) -> Option<u64> {
        let mut lengths = self.fields.get_all(&CONTENT_LENGTH).map(|line| decimal(line.as_bytes()));
        let first = lengths.next()??;
        lengths.all(|length| length == Some(first)).then_some(first)
    }

    /// The entity tag, if it is a single one that compares strongly (RFC 9110 section 8.8.3).
    pub fn strong_etag(&self) -> Option<&HeaderValue> {
        let mut tags = self.fields.get_all(&ETAG);
        let tag = tags.next().filter(|_| tags.next().is_none())?;
        match tag.as_bytes().trim_ascii() {
            [b'"', inner @ .., b'"'] if !inner.contains(&b'"') => Some(tag),
            _ => None,
        }
    }
}

/// A number as it is written in a field: digits and nothing else.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}
