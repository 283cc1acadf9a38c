//! Who may ask for what is stored, and who may change it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::error;

/// What a request to the admin listener must show.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// The digest of the token; none where nobody is asked for it.
    token: Option<[u8; 32]>,
    names: Names,
}

/// By which names the listener is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// It listens on this machine alone, so by the names of this machine: a page whose own name was made to lead here by its
    /// DNS is turned away.
    Loopback,
    /// By any that leads here. Who has no token is turned away.
    Any,
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("the token of the admin listener is missing or wrong")]
    Token,
    #[error("the admin listener is asked as localhost, 127.0.0.1 or [::1]")]
    Host,
    #[error("pages of other origins change nothing here")]
    Foreign,
    #[error("a body is JSON here: content-type: application/json")]
    ContentType,
}

impl Guard {
    /// What is asked of requests to a listener at `address`; `token` is what they must know.
    pub(super) fn new(token: Option<&str>, address: SocketAddr) -> Guard {
        let names = if address.ip().is_loopback() { Names::Loopback } else { Names::Any };
        Guard { token: token.map(digest), names }
    }

    fn admits(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        if self.names == Names::Loopback && !host.is_some_and(is_loopback) {
            return Err(Refusal::Host);
        }
        if !self.knows_token(headers) {
            return Err(Refusal::Token);
        }
        if method.is_safe() {
            return Ok(());
        }
        // A form of any page can be sent here, and its browser says from where.
        let own = |origin: &str| host.is_some_and(|host| origin.strip_prefix("http://") == Some(host));
        if headers.get_all(header::ORIGIN).iter().any(|origin| !origin.to_str().is_ok_and(own)) {
            return Err(Refusal::Foreign);
        }
        let empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0")
            && !headers.contains_key(header::TRANSFER_ENCODING);
        if empty || is_json(headers) { Ok(()) } else { Err(Refusal::ContentType) }
    }

    /// RFC 6750 section 2.1. Digests are compared, so that the time it takes says nothing about the token.
    fn knows_token(&self, headers: &HeaderMap) -> bool {
        let Some(token) = self.token else { return true };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given =
            given.and_then(|value| value.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        given.is_some_and(|(_, given)| digest(given.trim()) == token)
    }
}

/// Lets a request through that shows what it must.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.admits(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Refusal::Token => StatusCode::UNAUTHORIZED,
            Refusal::Host => StatusCode::MISDIRECTED_REQUEST,
            Refusal::Foreign => StatusCode::FORBIDDEN,
            Refusal::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        };
        // What follows on the connection is perhaps a body of any length, which nobody will read.
        let refused = ([(header::CONNECTION, "close")], error(status, &self.to_string())).into_response();
        match self {
            Refusal::Token => ([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response(),
            Refusal::Host | Refusal::Foreign | Refusal::ContentType => refused,
        }
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Whether `host` or `host:port` names this machine. Brackets stand around an address of IPv6 and nothing else, and a port is
/// digits (RFC 3986 section 3.2): what a browser takes for another host is none of the names here.
fn is_loopback(authority: &str) -> bool {
    let bracketed = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (is_own, behind) = match bracketed {
        Some((address, behind)) => (address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback()), behind),
        None => {
            let (host, behind) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            let is_address = host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback());
            (is_address || host.eq_ignore_ascii_case("localhost"), behind)
        }
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    is_own && (behind.is_empty() || behind.strip_prefix(':').is_some_and(is_port))
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests;
