//! Asking a running gateway, over its admin listener.
//!
//! The connection is the framework's, as those to handlers are, so that the command needs no client of its own.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use http::uri::{Authority, Uri};
use http::{Method, StatusCode, header};
use pingora::ErrorType;
use pingora::connectors::http::v1::Connector;
use pingora::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;
use serde_json::Value;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::explain::{Explanation, Question};
use crate::target::push_encoded;

/// Longest time for a connection.
const CONNECTING: Duration = Duration::from_secs(2);

/// Longest time for an answer.
const ANSWERING: Duration = Duration::from_secs(5);

/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 4 << 20;

/// Where an admin listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place(Authority);

/// Why a gateway has not explained.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// There is no connection.
    #[error("nothing answers at {place}: {why}")]
    Nobody {
        /// Where.
        place: Place,
        /// Why.
        why: String,
    },
    /// Its token is not ours.
    #[error("the gateway at {place} {wants} (`--token`, or EVERGATE_ADMIN_TOKEN)")]
    Token {
        /// Where.
        place: Place,
        /// What it wants.
        wants: &'static str,
    },
    /// It does not want to explain this.
    #[error("the gateway at {place} answers with {status}: {message}")]
    Refused {
        /// Where.
        place: Place,
        /// The status.
        status: StatusCode,
        /// Its own words.
        message: String,
    },
    /// Something else answers.
    #[error("what answers at {place} is no admin listener of Evergate ({what})")]
    NotAGateway {
        /// Where.
        place: Place,
        /// What came.
        what: String,
    },
    /// The connection is there, and no answer comes.
    #[error("no answer came from {place} within {} seconds", ANSWERING.as_secs())]
    Silent {
        /// Where.
        place: Place,
    },
    /// The runtime did not start.
    #[error("cannot start the threads")]
    Threads(#[source] io::Error),
}

impl Place {
    /// Where a gateway is that listens here.
    pub(super) fn of(address: SocketAddr) -> Place {
        // What listens everywhere is asked here.
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
        };
        let text = SocketAddr::new(ip, address.port()).to_string();
        Place(Authority::try_from(text).unwrap_or_else(|_| Authority::from_static("localhost")))
    }
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Place, &'static str> {
        const EXPECTED: &str = "expected the URL of an admin listener: http://127.0.0.1:9900";
        let url = if text.contains("://") { text.parse() } else { format!("http://{text}/").parse() };
        let url: Uri = url.map_err(|_| EXPECTED)?;
        let plain = url.scheme_str() == Some("http") && url.path() == "/" && url.query().is_none();
        let authority = url.authority().filter(|authority| plain && !authority.as_str().contains('@'));
        authority.filter(|authority| authority.port_u16().is_some()).cloned().map(Place).ok_or(EXPECTED)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Asks the gateway at `place`.
pub(super) fn ask(place: &Place, token: Option<&str>, question: &Question) -> Result<Explanation, AskError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AskError::Threads)?;
    let target = target(question);
    let (status, body) = runtime.block_on(get(place, &target, token))?;
    let said: Option<Value> = serde_json::from_slice(&body).ok();
    let place = place.clone();
    match (status, said) {
        (StatusCode::OK, Some(said)) if said.get("decision").is_some() => {
            serde_json::from_value(said).map_err(|error| AskError::NotAGateway { place, what: error.to_string() })
        }
        (StatusCode::UNAUTHORIZED, Some(_)) => {
            let wants = if token.is_some() { "does not accept this token" } else { "wants its admin token" };
            Err(AskError::Token { place, wants })
        }
        (status, Some(Value::Object(said))) if !status.is_success() && said.contains_key("error") => {
            let message = said.get("error").and_then(Value::as_str).unwrap_or_default().to_owned();
            Err(AskError::Refused { place, status, message })
        }
        (status, _) => Err(AskError::NotAGateway { place, what: format!("it answers with {status}") }),
    }
}

/// `/explain` with the question in its query.
fn target(question: &Question) -> String {
    let mut target = String::from("/explain?url=");
    encode(question.url.to_string().as_bytes(), &mut target);
    target.push_str("&method=");
    encode(question.method.as_str().as_bytes(), &mut target);
    for (name, value) in &question.headers {
        target.push_str("&header=");
        encode(format!("{name}: ").as_bytes(), &mut target);
        encode(value.as_bytes(), &mut target);
    }
    target
}

fn encode(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            push_encoded(out, *byte);
        }
    }
}

async fn get(place: &Place, target: &str, token: Option<&str>) -> Result<(StatusCode, Vec<u8>), AskError> {
    let nobody = |why: &str| AskError::Nobody { place: place.clone(), why: why.to_owned() };
    let addresses = match timeout(CONNECTING, lookup_host(place.0.as_str())).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(_)) | Err(_) => return Err(nobody("the name does not resolve")),
    };
    let mut failed = nobody("the name does not resolve");
    for address in addresses {
        let mut peer = HttpPeer::new(address, false, String::new());
        peer.options.connection_timeout = Some(CONNECTING);
        peer.options.total_connection_timeout = Some(CONNECTING);
        match Connector::new(None).get_http_session(&peer).await {
            Ok((session, _)) => {
                let answer = timeout(ANSWERING, exchange(session, place, target, token)).await;
                return answer.unwrap_or_else(|_| Err(AskError::Silent { place: place.clone() }));
            }
            Err(error) if *error.etype() == ErrorType::ConnectRefused => failed = nobody("connection refused"),
            Err(error) if *error.etype() == ErrorType::ConnectTimedout => failed = nobody("no connection in time"),
            Err(_) => failed = nobody("no connection"),
        }
    }
    Err(failed)
}

async fn exchange(
    mut session: pingora::protocols::http::v1::client::HttpSession,
    place: &Place,
    target: &str,
    token: Option<&str>,
) -> Result<(StatusCode, Vec<u8>), AskError> {
    let broken = |error: Box<pingora::Error>| AskError::NotAGateway {
        place: place.clone(),
        what: format!("its answer cannot be read: {}", error.etype().as_str()),
    };
    let mut request = RequestHeader::build(Method::GET, target.as_bytes(), None).map_err(broken)?;
    request.insert_header(header::HOST, place.0.as_str()).map_err(broken)?;
    request.insert_header(header::ACCEPT, "application/json").map_err(broken)?;
    request.insert_header(header::CONNECTION, "close").map_err(broken)?;
    if let Some(token) = token {
        request.insert_header(header::AUTHORIZATION, format!("Bearer {token}")).map_err(broken)?;
    }
    session.write_request_header(Box::new(request)).await.map_err(broken)?;
    session.read_response().await.map_err(broken)?;
    let status = session.get_status().unwrap_or_default();
    let mut body = Vec::new();
    while let Some(piece) = session.read_body_bytes().await.map_err(broken)? {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST_ANSWER {
            let what = format!("its answer is longer than {LONGEST_ANSWER} bytes");
            return Err(AskError::NotAGateway { place: place.clone(), what });
        }
    }
    Ok((status, body))
}
