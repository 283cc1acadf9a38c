//! Origins (RFC 6454): scheme, host and port of a page, and patterns of them. They are compared whole, never searched for a part.

use std::fmt;
use std::net::Ipv6Addr;

/// Pages of which origins are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPattern {
    /// `*`: those of every origin that has a name.
    Any,
    /// `null`: those that tell nobody where they are from: sandboxed, from a file, after some redirects.
    Null,
    /// `https://acme.com`: those of this one, as browsers write it.
    Exactly(String),
    /// `https://*.acme.app`: those of every host below one, one label or more.
    Below {
        /// `https://`
        scheme: String,
        /// `.acme.app`, with the port where one is said.
        suffix: String,
    },
}

/// A text is no pattern of origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It does not begin with a scheme.
    #[error("an origin with its scheme (`https://acme.com`, `https://*.acme.app`), `*` or `null`")]
    Scheme,
    /// There is more than scheme, host and port.
    #[error("an origin, which ends with its host or port (`https://acme.com`)")]
    Path,
    /// The host is none, or not written as browsers write it.
    #[error("an origin whose host is written as browsers write it (`https://xn--bcher-kva.example`)")]
    Host,
    /// A star stands elsewhere than in front.
    #[error("an origin with `*.` in front of its host (`https://*.acme.app`), and no `*` elsewhere")]
    Star,
    /// The port is none.
    #[error("an origin whose port is from 1 to 65535 (`http://localhost:3000`)")]
    Port,
}

impl OriginPattern {
    /// Reads one. Case, and the port that a scheme means anyway, do not matter.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<OriginPattern, OriginError> {
        match text {
            "*" => return Ok(OriginPattern::Any),
            "null" => return Ok(OriginPattern::Null),
            _ => {}
        }
        let text = text.to_ascii_lowercase();
        let (scheme, rest) =
            text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)).ok_or(OriginError::Scheme)?;
        if rest.contains(['/', '?', '#', '@', '\\']) {
            return Err(OriginError::Path);
        }
        let (host, port) = split_port(rest)?;
        let usual = matches!((scheme, port), ("https", Some(443)) | ("http", Some(80)));
        let port = port.filter(|_| !usual).map(|port| format!(":{port}")).unwrap_or_default();
        let scheme = format!("{scheme}://");
        if let Some(parent) = host.strip_prefix("*.") {
            check_name(parent)?;
            return Ok(OriginPattern::Below { scheme, suffix: format!(".{parent}{port}") });
        }
        Ok(OriginPattern::Exactly(format!("{scheme}{}{port}", host_as_browsers_write_it(host)?)))
    }

    /// Whether an origin, as a browser says it, is meant.
    pub(super) fn fits(&self, origin: &str) -> bool {
        match self {
            OriginPattern::Any => origin != "null",
            OriginPattern::Null => origin == "null",
            OriginPattern::Exactly(own) => own == origin,
            OriginPattern::Below { scheme, suffix } => {
                let below = origin.strip_prefix(scheme.as_str()).and_then(|host| host.strip_suffix(suffix.as_str()));
                below.is_some_and(|labels| check_name(labels).is_ok())
            }
        }
    }

    /// Whether it means the pages of whole top-level domains, of people who have nothing to do with each other.
    pub fn is_boundless(&self) -> bool {
        match self {
            OriginPattern::Any | OriginPattern::Null => true,
            OriginPattern::Exactly(_) => false,
            OriginPattern::Below { suffix, .. } => {
                let name = suffix.split(':').next().unwrap_or(suffix).trim_matches('.');
                !name.contains('.') && name != "localhost"
            }
        }
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OriginPattern::Any => f.write_str("*"),
            OriginPattern::Null => f.write_str("null"),
            OriginPattern::Exactly(origin) => f.write_str(origin),
            OriginPattern::Below { scheme, suffix } => write!(f, "{scheme}*{suffix}"),
        }
    }
}

/// Whether an origin is that of the host that is asked, over either scheme: who ends TLS may stand in front.
pub(super) fn is_own(origin: &str, authority: &str) -> bool {
    [("https://", ":443"), ("http://", ":80")].iter().any(|(scheme, usual)| {
        let host = origin.strip_prefix(scheme);
        host.is_some_and(|host| host == authority || authority.strip_suffix(usual) == Some(host))
    })
}

/// RFC 3986 section 3.1, in lower case.
fn is_scheme(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.');
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(inside)
}

fn split_port(rest: &str) -> Result<(&str, Option<u16>), OriginError> {
    let colon = rest.rfind(':').filter(|colon| !rest[*colon..].contains(']'));
    let Some(colon) = colon else { return Ok((rest, None)) };
    let digits = &rest[colon + 1..];
    let port = digits.parse().ok().filter(|port| *port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    Ok((&rest[..colon], Some(port.ok_or(OriginError::Port)?)))
}

fn host_as_browsers_write_it(host: &str) -> Result<String, OriginError> {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        let address: Ipv6Addr = address.parse().map_err(|_| OriginError::Host)?;
        return Ok(format!("[{address}]"));
    }
    check_name(host).map(|()| host.to_owned())
}

/// Labels with dots between them.
fn check_name(name: &str) -> Result<(), OriginError> {
    if name.contains('*') {
        return Err(OriginError::Star);
    }
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(inside);
    if name.split('.').all(is_label) { Ok(()) } else { Err(OriginError::Host) }
}
