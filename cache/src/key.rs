//! Identity of a page: the bytes themselves, compared whole.

use std::borrow::Borrow;

use smallvec::SmallVec;

use crate::memory::allocated;
use crate::variance::{parts, put};

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

/// Under whose word the responses of a key are kept. A response that was asked for in one way is never given where the other
/// was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Regime {
    /// The operator's: the handler saw nothing of the visitor but what is in the key.
    Window,
    /// The handler's (RFC 9111): it saw the whole request of whoever asked first.
    Origin,
}

/// What all pages of one site of one upstream have in common: the origin within which groups count (RFC 9875 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site<'a> {
    /// The deployment's generation (`cache.generation`); a deploy starts clean.
    pub generation: &'a str,
    /// Name of the upstream that answers.
    pub upstream: &'a str,
    /// The visitor's scheme.
    pub scheme: Scheme,
    /// The site, or none when the gateway serves a single one.
    pub host: Option<&'a str>,
}

impl Site<'_> {
    /// Its bytes. Every part is preceded by its presence and length, so two different sites never have the same.
    pub fn bytes(&self) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(64);
        self.write(&mut buffer);
        buffer
    }

    fn write(&self, buffer: &mut Vec<u8>) {
        put(buffer, Some(self.generation.as_bytes()));
        put(buffer, Some(self.upstream.as_bytes()));
        put(buffer, Some(self.scheme.as_str().as_bytes()));
        put(buffer, self.host.map(str::as_bytes));
    }
}

/// Everything that identifies a page. On routes with a window, what a cached handler gets to see is exactly this, so that it
/// cannot answer differently for two requests of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyParts<'a> {
    /// Under whose word it is kept.
    pub regime: Regime,
    /// Where it belongs.
    pub site: Site<'a>,
    /// The path in normal form.
    pub path: &'a str,
    /// The chosen query as it is forwarded, without the question mark.
    pub query: Option<&'a str>,
    /// The chosen cookies as they are forwarded: bytes, because cookies need not be ASCII.
    pub cookies: Option<&'a [u8]>,
    /// The form of the page that is wanted, where it has several, in words of whoever asks.
    pub form: Option<&'a [u8]>,
}

impl KeyParts<'_> {
    /// Appends the key's bytes to `buffer`. Every part is preceded by its presence and length, so two different sets of
    /// parts never give the same bytes.
    pub fn write(&self, buffer: &mut Vec<u8>) {
        buffer.push(match self.regime {
            Regime::Window => 0,
            Regime::Origin => 1,
        });
        self.site.write(buffer);
        put(buffer, Some(self.path.as_bytes()));
        put(buffer, self.query.map(str::as_bytes));
        put(buffer, self.cookies);
        put(buffer, self.form);
    }

    /// The parts of which [`KeyParts::write`] made these bytes; none where it made no such bytes.
    pub fn read(key: &[u8]) -> Option<KeyParts<'_>> {
        let (regime, rest) = key.split_first()?;
        let regime = match regime {
            0 => Regime::Window,
            1 => Regime::Origin,
            _ => return None,
        };
        let mut parts = parts(rest);
        fn text(part: Option<&[u8]>) -> Option<Option<&str>> {
            part.map(std::str::from_utf8).transpose().ok()
        }
        let (generation, upstream) = (text(parts.next()?)??, text(parts.next()?)??);
        let scheme = match parts.next()?? {
            b"http" => Scheme::Http,
            b"https" => Scheme::Https,
            _ => return None,
        };
        let site = Site { generation, upstream, scheme, host: text(parts.next()?)? };
        let (path, query) = (text(parts.next()?)??, text(parts.next()?)?);
        Some(KeyParts { regime, site, path, query, cookies: parts.next()?, form: parts.next()? })
    }

    /// The key as a value of its own.
    pub fn key(&self) -> CacheKey {
        let mut buffer = Vec::with_capacity(96 + self.path.len());
        self.write(&mut buffer);
        CacheKey::from(&*buffer)
    }
}

/// How many bytes of a key stand in the key itself: all of most keys. Each place in memory that a look-up has to go to costs it much
/// among a million pages. With its length and moka's counts a key takes 80 bytes, which is a size of the allocator.
const AT_HAND: usize = 56;

/// Identity of a page. Looked up by its bytes ([`KeyParts::write`]), so a look-up need not own one.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(SmallVec<[u8; AT_HAND]>);

impl CacheKey {
    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What its bytes take in memory beside itself.
    pub(crate) fn apart(&self) -> usize {
        if self.0.spilled() { allocated(self.0.capacity()) } else { 0 }
    }
}

/// What every response of a key carries beside its own labels: its upstream and its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    pub(crate) upstream: &'a [u8],
    pub(crate) path: &'a [u8],
}

/// The upstream and the path of the key with these bytes; none where they are no key ([`KeyParts::write`]).
pub(crate) fn address(key: &[u8]) -> Option<Address<'_>> {
    let mut parts = parts(key.get(1..)?);
    let (_generation, upstream, _scheme, _host, path) =
        (parts.next()?, parts.next()??, parts.next()?, parts.next()?, parts.next()??);
    Some(Address { upstream, path })
}

impl From<&[u8]> for CacheKey {
    fn from(bytes: &[u8]) -> Self {
        CacheKey(SmallVec::from_slice(bytes))
    }
}

impl Clone for CacheKey {
    /// What stands apart is as long as it must be, which a copy of the list would not be.
    fn clone(&self) -> Self {
        CacheKey::from(self.as_bytes())
    }
}

impl Borrow<[u8]> for CacheKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests;
