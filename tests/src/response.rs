//! An answer as it came over the wire.

use crate::wire::{self, Fields};

/// An answer as the client read it.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The reason phrase, which may be empty.
    pub reason: String,
    /// The fields of the head, in the order and with the letters in which they came.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// The fields after the last chunk.
    pub trailers: Vec<(String, String)>,
    /// Whether the body came to its declared end; false when the connection ended before.
    pub complete: bool,
    /// The head byte for byte, with its empty line; empty over HTTP/2.
    pub raw_head: Vec<u8>,
    /// The interim answers (1xx) that came before this one.
    pub interim: Vec<Response>,
}

impl Response {
    /// Reads a head; the answer has no body yet.
    pub(crate) fn from_head(raw: &[u8]) -> Result<Response, String> {
        let (first, headers) = wire::parse_head(raw)?;
        let mut words = first.splitn(3, ' ');
        let version = words.next().unwrap_or_default();
        let status = words.next().unwrap_or_default();
        let Some(reason) = words.next() else {
            return Err(format!("a status line without a second space: {first:?}"));
        };
        if !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
            return Err(format!("the version of {first:?}"));
        }
        let digits = status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit());
        let status = status.parse().ok().filter(|_| digits);
        Ok(Response {
            status: status.ok_or_else(|| format!("the status code of {first:?}"))?,
            reason: reason.to_owned(),
            headers,
            raw_head: raw.to_vec(),
            ..Response::default()
        })
    }

    /// The first value of the field called `name`, in whatever letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// All values of the fields called `name`, a line each, in order.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        wire::values(&self.headers, name)
    }

    /// The value of `x-cache`; empty when there is none.
    #[must_use]
    pub fn x_cache(&self) -> &str {
        self.header("x-cache").unwrap_or_default()
    }

    /// The value of `Cache-Status` (RFC 9211); empty when there is none.
    #[must_use]
    pub fn cache_status(&self) -> &str {
        self.header("cache-status").unwrap_or_default()
    }

    /// The value of `Age`, in seconds.
    ///
    /// # Panics
    /// When there is one that is not a number.
    #[must_use]
    pub fn age(&self) -> Option<u64> {
        let value = self.header("age")?;
        Some(value.parse().expect("Age is a number of seconds"))
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON; the message shows the body.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            let body = String::from_utf8_lossy(&self.body);
            panic!("the body is not JSON: {error}: {body:?}")
        })
    }

    /// The fields that remain when those called `names` are left out, in lower case and sorted by name: for comparing
    /// two answers that may differ in some fields and in the order of the rest. Lines of one name keep their order.
    #[must_use]
    pub fn headers_without(&self, names: &[&str]) -> Vec<(String, String)> {
        let wanted = |name: &str| !names.iter().any(|other| other.eq_ignore_ascii_case(name));
        let mut fields: Fields = self
            .headers
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect();
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        fields
    }
}
