//! A request as the gateway understood it, whichever protocol brought it.

use std::net::IpAddr;

use evergate_cache::Scheme;
use http::header::{CONNECTION, HOST, UPGRADE};
use http::{HeaderMap, Method};

/// The head of a request, checked, and what the connection knows of it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query as they came, in origin form.
    pub target: String,
    /// The host that is asked for, in lower case and with the port that was given; none only in HTTP/1.0.
    pub authority: Option<String>,
    /// The header fields.
    pub headers: HeaderMap,
    /// Whether a body follows.
    pub body: BodyPresence,
    /// Whether the visitor wants to use the connection again (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// The visitor's address, as the connection shows it.
    pub peer: Option<IpAddr>,
    /// How the visitor reached the gateway.
    pub scheme: Scheme,
    /// The protocol, for the log.
    pub protocol: Protocol,
}

/// Whether a message has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyPresence {
    /// It ends with its head.
    None,
    /// A body follows, by length or chunked.
    Some,
}

/// The protocol a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// The name used in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Http10 => "HTTP/1.0",
            Protocol::Http11 => "HTTP/1.1",
            Protocol::Http2 => "HTTP/2",
        }
    }
}

impl Protocol {
    /// How `Via` names the protocol and this gateway (RFC 9110 section 7.6.3).
    pub fn via(self) -> &'static str {
        match self {
            Protocol::Http10 => "1.0 evergate",
            Protocol::Http11 => "1.1 evergate",
            Protocol::Http2 => "2 evergate",
        }
    }
}

impl Request {
    /// The host name without its port.
    pub fn host(&self) -> Option<&str> {
        self.authority.as_deref().map(host_of)
    }

    /// Whether the visitor asks to leave HTTP, for WebSocket say (RFC 9110 section 7.8).
    ///
    /// An upgrade to HTTP/2 in cleartext is none: it was withdrawn (RFC 9113 section 3.1), and a handler that agreed would
    /// take every later request past the gateway.
    pub fn wants_upgrade(&self) -> bool {
        let mut protocols = self.headers.get_all(UPGRADE).iter().peekable();
        // HTTP/1.0 cannot, and HTTP/2 does it in another way.
        let asks = self.protocol == Protocol::Http11 && protocols.peek().is_some();
        asks && protocols.all(|line| !names_h2c(line.as_bytes()))
            && self.headers.get_all(CONNECTION).iter().any(|line| lists(line.as_bytes(), b"upgrade"))
    }
}

/// The host of `host:port`, brackets of an IPv6 address included.
pub fn host_of(authority: &str) -> &str {
    // Byte by byte: names are too short for the searches of `str` to pay.
    let first = |wanted: u8| authority.bytes().position(|byte| byte == wanted);
    let end = if authority.starts_with('[') { first(b']').map(|bracket| bracket + 1) } else { first(b':') };
    &authority[..end.unwrap_or(authority.len())]
}

/// The header that names the host.
pub const HOST_FIELD: http::HeaderName = HOST;

fn names_h2c(line: &[u8]) -> bool {
    lists(line, b"h2c")
}

/// Whether a comma-separated list holds a token, whatever its case.
pub fn lists(line: &[u8], token: &[u8]) -> bool {
    line.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests;
