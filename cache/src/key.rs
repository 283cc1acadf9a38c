//! Identity of a page, and of one of its variants: the bytes themselves, compared whole.

use std::borrow::Borrow;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

/// How the visitor reached the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Cleartext HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The scheme as it is written in a URI.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// Everything that identifies a page. What a cached handler gets to see is exactly this, so that it cannot answer
/// differently for two requests of one key.
#[derive(Clone, Copy, Debug)]
pub struct KeyParts<'a> {
    /// The deployment's generation (`cache.generation`); a deploy starts clean.
    pub generation: &'a str,
    /// Name of the upstream that answers.
    pub upstream: &'a str,
    /// The visitor's scheme.
    pub scheme: Scheme,
    /// The site, or none when the gateway serves a single one.
    pub host: Option<&'a str>,
    /// The path in normal form.
    pub path: &'a str,
    /// The chosen query as it is forwarded, without the question mark.
    pub query: Option<&'a str>,
    /// The chosen cookies as they are forwarded: bytes, because cookies need not be ASCII.
    pub cookies: Option<&'a [u8]>,
}

impl KeyParts<'_> {
    /// Appends the key's bytes to `buffer`. Every part is preceded by its presence and length, so two different sets of
    /// parts never give the same bytes.
    pub fn write(&self, buffer: &mut Vec<u8>) {
        put(buffer, Some(self.generation.as_bytes()));
        put(buffer, Some(self.upstream.as_bytes()));
        put(buffer, Some(self.scheme.as_str().as_bytes()));
        put(buffer, self.host.map(str::as_bytes));
        put(buffer, Some(self.path.as_bytes()));
        put(buffer, self.query.map(str::as_bytes));
        put(buffer, self.cookies);
    }

    /// The key as a value of its own.
    pub fn key(&self) -> CacheKey {
        let mut buffer = Vec::with_capacity(96 + self.path.len());
        self.write(&mut buffer);
        CacheKey(buffer.into())
    }
}

/// Identity of a page. Looked up by its bytes ([`KeyParts::write`]), so a look-up need not own one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(Arc<[u8]>);

impl CacheKey {
    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for CacheKey {
    fn from(bytes: &[u8]) -> Self {
        CacheKey(bytes.into())
    }
}

impl Borrow<[u8]> for CacheKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// One of the pieces into which the variance of a page splits it: the values of the request fields that matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variant(Box<[u8]>);

impl Variant {
    /// The variant that `request` asks for, where `variance` names the fields that split the page.
    ///
    /// Several lines of one field are one list (RFC 9110 section 5.3), so they are joined before they are compared.
    pub fn of(variance: &[HeaderName], request: &HeaderMap) -> Variant {
        let mut bytes = Vec::new();
        for name in variance {
            put(&mut bytes, list_value(request, name).as_deref());
        }
        Variant(bytes.into())
    }

    /// Size in bytes, for the store's accounting.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

/// The value of a field as one list, or none when the request has no such field. Whoever forwards a field that splits a page
/// forwards this, because it is what the key knows of it: how it was cut into lines is not.
pub fn list_value(request: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = request.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    (!lines.is_empty()).then(|| lines.join(b", ".as_slice()))
}

fn put(buffer: &mut Vec<u8>, part: Option<&[u8]>) {
    match part {
        None => buffer.push(0),
        Some(bytes) => {
            buffer.push(1);
            buffer.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            buffer.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests;
