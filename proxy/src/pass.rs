//! The pass-through: requests that the cache has no part in, proxied by the framework and streamed both ways.
//!
//! This is one of the few files that know the framework's phases. Everything about the request was decided before it comes
//! here; the [`Passage`] says what.

mod answer;
mod blame;
mod handshake;
mod heads;
mod passing;
mod relay;
mod request;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use evergate_cache::Moment;
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderValue, StatusCode};
use pingora::apps::{HttpServerApp, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::proxy::{FailToProxy, HttpProxy, ProxyHttp, Session};
use pingora::server::ShutdownWatch;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};
use pingora_http::{RequestHeader, ResponseHeader};

use crate::failure::Failure;
use crate::gateway::Gateway;
use crate::metrics::UpstreamResult;
use crate::observe::observe;
use crate::outcome::{Fetched, Outcome};
use crate::passage::Passage;
use crate::request::Protocol;
use crate::respond::{Notice, SLOWEST_WRITE};
use crate::rules::Changes;
use crate::serve::Record;
use blame::{Blame, blame, late};
use handshake::Handshake;
pub use passing::{Decided, Passing};
pub use relay::{is_relayed, relay};

/// What the framework's proxy asks about a request that passes.
pub struct PassThrough {
    gateway: Arc<Gateway>,
}

/// What is carried from phase to phase.
pub struct Carried {
    /// The request; none only where nothing was decided about it.
    passing: Option<Passing>,
    /// The own name of the server that is asked.
    server_host: HeaderValue,
    /// The attempt to leave HTTP that is under way.
    handshake: Option<Arc<Handshake>>,
}

tokio::task_local! {
    /// What was decided about the request that this task proxies. The framework makes its context from nothing, and HTTP/2
    /// sessions carry nothing of ours to it, so this is how it gets there.
    static DECIDED: Decided;
}

/// Proxies one request about which all is decided. The connection comes back when it may be used again.
pub async fn pass(
    proxy: &Arc<HttpProxy<PassThrough>>,
    session: ServerSession,
    decided: Decided,
    shutdown: &ShutdownWatch,
) -> Option<ReusedHttpStream> {
    DECIDED.scope(decided, proxy.process_new_http(session, shutdown)).await
}

/// Counts and logs a request whose stream was reset because its handler was late.
pub fn observe_late(gateway: &Gateway, decided: &Decided, begun: Moment) {
    let (passage, request) = &**decided;
    let name = late(passage).unwrap_or(Failure::MaxDuration).as_str();
    gateway.metrics.upstream_answered(
        &passage.upstream.meter,
        UpstreamResult::Failed(name),
        gateway.clock.since(begun),
    );
    let outcome = Outcome::Pass { reason: passage.reason, fetched: Fetched::Failed(name) };
    observe(gateway, request, &Record { route: passage.route.clone(), outcome, status: None }, 0, begun);
}

impl PassThrough {
    /// The pass-through of `gateway`.
    pub fn new(gateway: Arc<Gateway>) -> PassThrough {
        PassThrough { gateway }
    }
}

impl Carried {
    fn passing(&mut self) -> pingora::Result<&mut Passing> {
        self.passing.as_mut().ok_or_else(undecided)
    }

    fn protocol(&self) -> Option<Protocol> {
        self.passing.as_ref().map(|passing| passing.request().protocol)
    }
}

#[async_trait]
impl ProxyHttp for PassThrough {
    type CTX = Carried;

    fn new_ctx(&self) -> Carried {
        let decided = DECIDED.try_with(Arc::clone).ok();
        Carried {
            passing: decided.map(|decided| Passing::new(&self.gateway, decided, self.gateway.clock.now())),
            server_host: HeaderValue::from_static(""),
            handshake: None,
        }
    }

    async fn early_request_filter(&self, session: &mut Session, carried: &mut Carried) -> pingora::Result<()> {
        // A visitor who sends slowly is the leash's business too; one who reads slowly is not.
        session.set_read_timeout(None);
        // HTTP/1.0 knows no interim answers (RFC 9110 section 15.2).
        session.set_ignore_info_resp(carried.protocol() == Some(Protocol::Http10));
        session.set_write_timeout(Some(SLOWEST_WRITE));
        Ok(())
    }

    async fn upstream_peer(&self, _session: &mut Session, carried: &mut Carried) -> pingora::Result<Box<HttpPeer>> {
        let passing = carried.passing()?;
        let decided = passing.decided();
        let (passage, request) = &*decided;
        let (peer, host) = match passing.next_server() {
            Ok((server, attempt)) => {
                (server.peer(&passage.upstream.timeouts, attempt).await, Some(server.host().clone()))
            }
            Err(failure) => (Err(failure), None),
        };
        let mut peer = peer.map_err(|_| Error::explain(ErrorType::ConnectError, "no address"))?;
        // Silence is what the leash is for. But when it ends an HTTP/2 stream nobody can say 504 any more, so there the
        // framework is a little faster.
        peer.options.read_timeout = match request.protocol {
            Protocol::Http10 | Protocol::Http11 => None,
            Protocol::Http2 => Some(http2_read_timeout(passage)),
        };
        carried.handshake = Handshake::with(&mut peer, request);
        carried.server_host.clone_from(&host.unwrap_or(HeaderValue::from_static("")));
        Ok(Box::new(peer))
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        carried: &mut Carried,
        mut error: Box<Error>,
    ) -> Box<Error> {
        if carried.passing.as_mut().is_some_and(Passing::not_reached) {
            error.set_retry(true);
        }
        error
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        carried: &mut Carried,
        reused: bool,
    ) -> Box<Error> {
        let again = carried.passing.as_mut().is_some_and(|passing| passing.forgives(reused));
        error.retry.decide_reuse(again && !session.as_ref().retry_buffer_truncated());
        error
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        _body: &mut Option<Bytes>,
        end: bool,
        carried: &mut Carried,
    ) -> pingora::Result<()> {
        if end && let Some(handshake) = &carried.handshake {
            handshake.request_ended();
        }
        if let Some(passing) = &carried.passing {
            // While the visitor is still sending, the handler is not late.
            passing.passage().leash.extend(passing.passage().first_step);
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        carried: &mut Carried,
    ) -> pingora::Result<()> {
        let server = carried.server_host.clone();
        let passing = carried.passing()?;
        *request = heads::request(passing, &server, request)?;
        // The upload counts against the handler only once it is over.
        if !session.is_body_empty() {
            passing.passage().leash.extend(passing.passage().first_step);
        }
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        carried: &mut Carried,
    ) -> pingora::Result<()> {
        let passing = carried.passing()?;
        let mut head = heads::read(response);
        let heeded = if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS {
            passing.interim(&mut head)
        } else {
            let request = passing.request();
            if request.keep_alive && request.headers.contains_key(EXPECT) && session.is_body_done() {
                // The framework gave the connection up when it relayed the 100, before the body was there.
                session.set_keepalive(Some(0));
            }
            passing.answer(&mut head)
        };
        heeded.map_err(|failure| blame::error(&failure))?;
        heads::replace(response, &head)
    }

    /// After the framework has put a body without length into chunks.
    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        carried: &mut Carried,
    ) -> pingora::Result<()> {
        let old = carried.protocol() == Some(Protocol::Http10);
        if old && response.headers.contains_key(TRANSFER_ENCODING) {
            // HTTP/1.0 knows no chunks: the end of the connection is the end of the body (RFC 9112 section 6.1).
            response.remove_header(&TRANSFER_ENCODING);
            session.set_keepalive(None);
        }
        Ok(())
    }

    fn upstream_response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        carried: &mut Carried,
    ) -> pingora::Result<Option<Duration>> {
        let Some(passing) = &mut carried.passing else { return Ok(None) };
        if let Some(piece) = body {
            passing.piece(piece);
        }
        if end {
            passing.whole();
        }
        if passing.status() != Some(StatusCode::SWITCHING_PROTOCOLS) {
            passing.passage().leash.extend(passing.silence());
        }
        Ok(None)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, carried: &mut Carried) -> FailToProxy {
        let failed = FailToProxy { error_code: 0, can_reuse_downstream: false };
        let Some(passing) = &mut carried.passing else { return failed };
        let notice = match blame(error, passing.passage(), session.is_body_done()) {
            Blame::Handler(failure) => passing.failed(failure),
            Blame::Late => {
                let explanation = "the request's body did not come in time (request-body)";
                passing.refused(StatusCode::REQUEST_TIMEOUT, "request-body", explanation)
            }
            Blame::Malformed => {
                let explanation = "the request's body is malformed (request-body)";
                passing.refused(StatusCode::BAD_REQUEST, "request-body", explanation)
            }
            Blame::Gone => return failed,
        };
        let failed = FailToProxy { error_code: notice.status.as_u16(), can_reuse_downstream: false };
        let (passage, outcome) = (passing.passage(), passing.outcome());
        if session.response_written().is_some_and(|head| !head.status.is_informational()) {
            // The message is cut: the connection closes before its end, or, where closing may be its end, by a reset.
            passage.cut.store(passing.request().protocol == Protocol::Http10, Ordering::Release);
            return failed;
        }
        passage.remember_date(None);
        if send(session, &notice, &outcome, &passage.ruled.response).await.is_ok() {
            passing.told(notice.status);
        }
        failed
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, carried: &mut Carried) {
        let Some(passing) = &carried.passing else { return };
        if let Some(error) = error {
            tracing::debug!(%error, target = passing.passage().target, "a request that passes failed");
        }
        passing.observe(session.body_bytes_sent() as u64);
    }

    fn suppress_error_log(&self, _session: &Session, _carried: &Carried, _error: &Error) -> bool {
        true
    }
}

/// How long the framework waits for each read of an answer to an HTTP/2 visitor: it knows one time for head and body, so the
/// longer of the two counts.
fn http2_read_timeout(passage: &Passage) -> Duration {
    let timeouts = &passage.upstream.timeouts;
    let longest = timeouts.first_byte.max(timeouts.idle);
    let max_duration = passage.route.as_ref().and_then(|route| route.max_duration);
    max_duration.map_or(longest, |max_duration| longest.min(max_duration))
}

/// A passage is decided for every request before it gets here; without one nothing is forwarded.
fn undecided() -> Box<Error> {
    Error::explain(ErrorType::InternalError, "a request came to the pass-through undecided")
}

/// Sends a notice through the framework's session.
async fn send(session: &mut Session, notice: &Notice, outcome: &Outcome, changes: &Changes) -> pingora::Result<()> {
    let mut head = ResponseHeader::build(notice.status, Some(notice.fields.len() + 4))?;
    for (name, value) in notice.fields.iter() {
        head.append_header(name.clone(), value.clone())?;
    }
    head.insert_header(CONTENT_LENGTH, HeaderValue::from(notice.body.len()))?;
    head.insert_header("cache-status", outcome.to_string())?;
    head.insert_header("x-cache", outcome.x_cache().header().unwrap_or("PASS"))?;
    changes.apply_to_answer(&mut head, notice.status);
    session.set_keepalive(None);
    session.write_response_header(Box::new(head), false).await?;
    session.write_response_body(Some(notice.body.clone()), true).await
}
