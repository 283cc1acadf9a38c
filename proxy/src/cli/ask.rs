//! Asking a running gateway, over its admin listener.
//!
//! The connection is the framework's, as those to handlers are, so that the command needs no client of its own.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::uri::{Authority, Uri};
use http::{HeaderValue, Method, StatusCode, header};
use pingora::ErrorType;
use pingora::connectors::http::v1::Connector;
use pingora::protocols::http::v1::client::HttpSession;
use pingora::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;
use serde_json::Value;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::{RUN_TIME, complain, load};

/// Longest time for a connection.
const CONNECTING: Duration = Duration::from_secs(2);

/// Longest time for an answer, and between two pieces of it.
const ANSWERING: Duration = Duration::from_secs(5);

/// Longest time for sending a body, and the answer to it.
const TAKING: Duration = Duration::from_secs(30);

/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 4 << 20;

/// Which gateway is asked.
#[derive(Debug, Args)]
pub(super) struct Asking {
    /// The configuration file: it says where the running gateway is asked.
    #[arg(long, value_name = "FILE", default_value = "config.yaml")]
    pub(super) config: PathBuf,
    /// Ask the gateway whose admin listener is here, whatever the configuration says.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    pub(super) admin: Option<Place>,
    /// The token of the admin listener; without it the configuration's is used.
    #[arg(long, value_name = "TOKEN", env = "EVERGATE_ADMIN_TOKEN", hide_env_values = true, value_parser = read_token)]
    token: Option<Token>,
}

/// A token as it stands in a header. An empty one is none.
#[derive(Clone)]
struct Token(String);

/// Where an admin listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place(Authority);

/// What is asked of an admin listener.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    /// The method.
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    /// JSON, where it goes with it.
    pub(super) body: Option<Vec<u8>>,
    /// The key by which an answer of a gateway's is known.
    pub(super) answers_with: &'static str,
}

/// An answer whose head is there.
pub(super) struct Answer {
    session: HttpSession,
    place: Place,
}

/// Why a gateway has not answered.
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
    /// It does not want to do this.
    #[error("the gateway at {place} answers with {status}: {message}")]
    Refused {
        /// Where.
        place: Place,
        /// The status.
        status: StatusCode,
        /// Its own words.
        message: String,
        /// Everything that is wrong, where there are several things.
        problems: Vec<String>,
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
    #[error("no answer came from {place} within {} seconds", .patience.as_secs())]
    Silent {
        /// Where.
        place: Place,
        /// How long was waited.
        patience: Duration,
    },
    /// The answer began, and broke off.
    #[error("the gateway at {0} stopped in the middle of it")]
    Stopped(Place),
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

impl Asking {
    /// Where the gateway is asked, and with which token.
    ///
    /// # Errors
    ///
    /// The exit code, when what the configuration says of it is of no use; that is told.
    pub(super) fn whom(&self) -> Result<(Place, Option<String>), ExitCode> {
        let given = self.token().map(str::to_owned);
        if let Some(place) = &self.admin {
            return Ok((place.clone(), given));
        }
        let config = load(&self.config)?;
        if config.admin.address.port() == 0 {
            complain("`admin.address` leaves its port to the system: say where the gateway is with `--admin`");
            return Err(ExitCode::from(RUN_TIME));
        }
        Ok((Place::of(config.admin.address), given.or(config.admin.token)))
    }

    /// The token that was given.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.0.as_str()).filter(|token| !token.is_empty())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

fn read_token(text: &str) -> Result<Token, &'static str> {
    let fits = HeaderValue::from_str(text).is_ok();
    fits.then(|| Token(text.trim().to_owned())).ok_or("expected a text of one line in ASCII")
}

/// Asks the gateway at `place`, and gives back what it says.
pub(super) fn ask(place: &Place, token: Option<&str>, errand: &Errand) -> Result<Value, AskError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AskError::Threads)?;
    let (status, body) = runtime.block_on(async {
        let mut answer = call(place, token, errand).await?;
        Ok((answer.status(), answer.whole().await?))
    })?;
    let said: Option<Value> = serde_json::from_slice(&body).ok();
    match (status, said) {
        (StatusCode::OK, Some(said)) if said.get(errand.answers_with).is_some() => Ok(said),
        (status, said) => Err(turned_down(place, token, status, said)),
    }
}

/// What an answer means that is not the one that was hoped for.
pub(super) fn turned_down(place: &Place, token: Option<&str>, status: StatusCode, said: Option<Value>) -> AskError {
    let place = place.clone();
    match (status, said) {
        (StatusCode::UNAUTHORIZED, Some(_)) => {
            let wants = if token.is_some() { "does not accept this token" } else { "wants its admin token" };
            AskError::Token { place, wants }
        }
        (status, Some(Value::Object(said))) if !status.is_success() && said.contains_key("error") => {
            let message = said.get("error").and_then(Value::as_str).unwrap_or_default().to_owned();
            let problems = said.get("problems").and_then(Value::as_array).into_iter().flatten();
            let problems = problems.filter_map(Value::as_str).map(str::to_owned).collect();
            AskError::Refused { place, status, message, problems }
        }
        (status, _) => AskError::NotAGateway { place, what: format!("it answers with {status}") },
    }
}

/// Asks the gateway at `place`; its answer may be read as it comes.
pub(super) async fn call(place: &Place, token: Option<&str>, errand: &Errand) -> Result<Answer, AskError> {
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
                let answer = timeout(errand.patience(), exchange(session, place, errand, token)).await;
                return answer.unwrap_or_else(|_| Err(silent(place, errand.patience())));
            }
            Err(error) if *error.etype() == ErrorType::ConnectRefused => failed = nobody("connection refused"),
            Err(error) if *error.etype() == ErrorType::ConnectTimedout => failed = nobody("no connection in time"),
            Err(_) => failed = nobody("no connection"),
        }
    }
    Err(failed)
}

impl Errand {
    /// A body takes its time on the way, and whoever reads it.
    fn patience(&self) -> Duration {
        if self.body.is_some() { TAKING } else { ANSWERING }
    }
}

async fn exchange(
    mut session: HttpSession,
    place: &Place,
    errand: &Errand,
    token: Option<&str>,
) -> Result<Answer, AskError> {
    let broken = |error: Box<pingora::Error>| broken(place, &error);
    let mut request = RequestHeader::build(errand.method.clone(), errand.target.as_bytes(), None).map_err(broken)?;
    request.insert_header(header::HOST, place.0.as_str()).map_err(broken)?;
    request.insert_header(header::ACCEPT, "application/json").map_err(broken)?;
    request.insert_header(header::CONNECTION, "close").map_err(broken)?;
    if let Some(token) = token {
        request.insert_header(header::AUTHORIZATION, format!("Bearer {token}")).map_err(broken)?;
    }
    if let Some(body) = &errand.body {
        request.insert_header(header::CONTENT_TYPE, "application/json").map_err(broken)?;
        request.insert_header(header::CONTENT_LENGTH, body.len()).map_err(broken)?;
    }
    session.write_request_header(Box::new(request)).await.map_err(broken)?;
    if let Some(body) = &errand.body {
        // Who turns the request down may do so before the body is read; then that is what is to be told.
        let _ = session.write_body(body).await;
    }
    session.read_response().await.map_err(broken)?;
    Ok(Answer { session, place: place.clone() })
}

impl Answer {
    /// Its status.
    pub(super) fn status(&self) -> StatusCode {
        self.session.get_status().unwrap_or_default()
    }

    /// The next piece of its body; none at its end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, AskError> {
        let piece = timeout(ANSWERING, self.session.read_body_bytes()).await;
        let piece = piece.map_err(|_| silent(&self.place, ANSWERING))?;
        piece.map_err(|error| {
            let is_closed = matches!(error.etype(), ErrorType::ConnectionClosed | ErrorType::ReadError);
            if is_closed { AskError::Stopped(self.place.clone()) } else { broken(&self.place, &error) }
        })
    }

    /// All of its body.
    pub(super) async fn whole(&mut self) -> Result<Vec<u8>, AskError> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await? {
            body.extend_from_slice(&piece);
            if body.len() > LONGEST_ANSWER {
                let what = format!("its answer is longer than {LONGEST_ANSWER} bytes");
                return Err(AskError::NotAGateway { place: self.place.clone(), what });
            }
        }
        Ok(body)
    }
}

fn silent(place: &Place, patience: Duration) -> AskError {
    AskError::Silent { place: place.clone(), patience }
}

fn broken(place: &Place, error: &pingora::Error) -> AskError {
    let what = format!("its answer cannot be read: {}", error.etype().as_str());
    AskError::NotAGateway { place: place.clone(), what }
}
