//! The pass-through: requests that the cache has no part in, proxied by the framework and streamed both ways.
//!
//! This is one of the few files that know the framework's phases. Everything about the request was decided before it comes
//! here; the [`Passage`] says what.

mod answer;
mod blame;
mod changes;
mod handshake;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use evergate_cache::{Moment, SURROGATE_CAPABILITY};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, COOKIE, DATE, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE, VIA};
use http::{HeaderName, HeaderValue, StatusCode};
use pingora::apps::{HttpServerApp, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::proxy::{FailToProxy, HttpProxy, ProxyHttp, Session};
use pingora::server::ShutdownWatch;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};
use pingora_http::{RequestHeader, ResponseHeader};

use crate::effects::{Answer, PassingPart};
use crate::failure::Failure;
use crate::forwarded::{
    TRACEPARENT, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_MATCHED_PATH, X_REQUEST_ID, X_ROUTE_PARAMS,
    for_the_gateway_alone, joined_cookies,
};
use crate::gateway::Gateway;
use crate::handler_request::{SURROGATE_CAPABILITY_FIELD, request_id, traceparent};
use crate::metrics::UpstreamResult;
use crate::observe::observe;
use crate::outcome::{Fetched, Outcome};
use crate::passage::{Naming, Passage};
use crate::request::{Protocol, Request};
use crate::respond::{NO_STORE, Notice, SLOWEST_WRITE};
use crate::rules::Changes;
use crate::serve::Record;
use answer::{by_origin, check_answer, is_refused, keep_for_ourselves, must_not_be_kept, refused};
use blame::{Blame, blame, late};
use handshake::Handshake;

/// What the framework's proxy asks about a request that passes.
pub struct PassThrough {
    gateway: Arc<Gateway>,
}

/// What is carried from phase to phase.
pub struct Carried {
    passage: Option<Decided>,
    begun: Moment,
    asked: Option<Moment>,
    attempts: u32,
    /// Which server is asked first, and how many were asked.
    turn: Option<usize>,
    asked_servers: usize,
    /// The place of the one that is asked.
    server: Option<usize>,
    /// The own name of the server that is asked.
    server_host: Option<HeaderValue>,
    forgiven: bool,
    fetched: Fetched,
    status: Option<StatusCode>,
    /// What the cache said of its invalidations when the handler was asked.
    invalidations: u64,
    /// A part that may be kept once it has passed.
    part: Option<PassingPart>,
    /// The attempt to leave HTTP that is under way.
    handshake: Option<Arc<Handshake>>,
}

/// A request that passes, and what was decided about it.
pub type Decided = Arc<(Passage, Request)>;

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
        &passage.upstream.name,
        UpstreamResult::Failed(name),
        gateway.clock.now().since(begun),
    );
    let outcome = Outcome::Pass { reason: passage.reason, fetched: Fetched::Failed(name) };
    observe(gateway, request, &Record { route: passage.route.clone(), outcome, status: None }, 0, begun);
}

impl PassThrough {
    /// The pass-through of `gateway`.
    pub fn new(gateway: Arc<Gateway>) -> PassThrough {
        PassThrough { gateway }
    }

    /// Counts how asking the handler ended; the first word counts.
    fn answered(&self, carried: &mut Carried, result: UpstreamResult) {
        if let (Some(asked), Some(passage)) = (carried.asked.take(), &carried.passage) {
            let time = self.gateway.clock.now().since(asked);
            self.gateway.metrics.upstream_answered(&passage.0.upstream.name, result, time);
        }
    }
}

#[async_trait]
impl ProxyHttp for PassThrough {
    type CTX = Carried;

    fn new_ctx(&self) -> Carried {
        Carried {
            passage: DECIDED.try_with(Arc::clone).ok(),
            begun: self.gateway.clock.now(),
            asked: None,
            attempts: 0,
            turn: None,
            asked_servers: 0,
            server: None,
            server_host: None,
            forgiven: false,
            fetched: Fetched::Pending,
            status: None,
            invalidations: 0,
            part: None,
            handshake: None,
        }
    }

    async fn early_request_filter(&self, session: &mut Session, carried: &mut Carried) -> pingora::Result<()> {
        // A visitor who sends slowly is the leash's business too; one who reads slowly is not.
        session.set_read_timeout(None);
        // HTTP/1.0 knows no interim answers (RFC 9110 section 15.2).
        session.set_ignore_info_resp(
            carried.passage.as_ref().is_some_and(|decided| decided.1.protocol == Protocol::Http10),
        );
        session.set_write_timeout(Some(SLOWEST_WRITE));
        Ok(())
    }

    async fn upstream_peer(&self, _session: &mut Session, carried: &mut Carried) -> pingora::Result<Box<HttpPeer>> {
        let Some(passage) = carried.passage.clone() else { return Err(undecided()) };
        let upstream = &passage.0.upstream;
        carried.asked = Some(self.gateway.clock.now());
        carried.invalidations = self.gateway.cache.invalidations();
        let turn = *carried.turn.get_or_insert_with(|| upstream.turn());
        let attempt = carried.asked_servers;
        let server = upstream.server(passage.0.preference(), turn, attempt);
        carried.asked_servers += 1;
        let peer = match server {
            Ok(server) => {
                carried.server = Some(server.place);
                carried.server_host = Some(server.host().clone());
                server.peer(&upstream.timeouts, attempt).await
            }
            Err(failure) => Err(failure),
        };
        let mut peer = peer.map_err(|_| Error::explain(ErrorType::ConnectError, "no address"))?;
        // Silence is what the leash is for. But when it ends an HTTP/2 stream nobody can say 504 any more, so there the
        // framework is a little faster.
        peer.options.read_timeout = match passage.1.protocol {
            Protocol::Http10 | Protocol::Http11 => None,
            Protocol::Http2 => Some(http2_read_timeout(&passage.0)),
        };
        carried.handshake = Handshake::with(&mut peer, &passage.1);
        Ok(Box::new(peer))
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        carried: &mut Carried,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let upstream = carried.passage.as_ref().map(|passage| &passage.0.upstream);
        let retries = upstream.map_or(0, |upstream| upstream.retries);
        if let (Some(upstream), Some(place)) = (upstream, carried.server) {
            upstream.note_failure(place);
        }
        if carried.attempts < retries {
            // Nothing was sent, so asking another server does no harm.
            carried.attempts += 1;
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
        // A kept connection that turns out to be closed says nothing about the handler: once, that is forgiven. Not more
        // often, because a request that makes its handler hang up would be sent on every connection there is.
        let again = reused && !carried.forgiven && session.req_header().method.is_idempotent();
        carried.forgiven |= reused;
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
        if let Some(passage) = &carried.passage {
            // While the visitor is still sending, the handler is not late.
            passage.0.leash.extend(passage.0.first_step);
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        carried: &mut Carried,
    ) -> pingora::Result<()> {
        let Some(decided) = &carried.passage else { return Err(undecided()) };
        let (passage, known) = &**decided;
        request.set_raw_path(passage.target.as_bytes())?;
        let unwanted: Vec<HeaderName> =
            request.headers.keys().filter(|name| for_the_gateway_alone(name)).cloned().collect();
        for name in unwanted {
            request.remove_header(&name);
        }
        changes::make(request, &passage.ruled);
        if !known.wants_upgrade() {
            request.remove_header(&UPGRADE);
            request.remove_header("http2-settings");
        }
        if request.headers.get_all(COOKIE).iter().nth(1).is_some()
            && let Some(cookies) = joined_cookies(&request.headers)
        {
            request.insert_header(COOKIE, cookies)?;
        }
        request.append_header(VIA, known.protocol.via())?;
        if let Some(peer) = known.peer {
            request.insert_header(X_FORWARDED_FOR, peer.to_string())?;
        }
        request.insert_header(X_FORWARDED_PROTO, known.scheme.as_str())?;
        if !request.headers.contains_key(X_REQUEST_ID) {
            request.insert_header(X_REQUEST_ID, request_id())?;
        }
        if !request.headers.contains_key(TRACEPARENT) {
            request.insert_header(TRACEPARENT, traceparent())?;
        }
        if let (Some(route), Some(params)) = (&passage.route, &passage.params) {
            request.insert_header(X_MATCHED_PATH, &route.pattern)?;
            request.insert_header(X_ROUTE_PARAMS, params)?;
        }
        name_site(request, passage, known, carried.server_host.as_ref())?;
        // The upload counts against the handler only once it is over.
        if !session.is_body_empty() {
            passage.leash.extend(passage.first_step);
        }
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        carried: &mut Carried,
    ) -> pingora::Result<()> {
        let Some(shared) = carried.passage.clone() else { return Err(undecided()) };
        let (passage, request) = &*shared;
        let status = response.status;
        check_answer(request, response)?;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            passage.leash.release();
        } else {
            passage.leash.begun(silence(passage, request));
        }
        if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
            return keep_for_ourselves(response, None);
        }
        if request.keep_alive && request.headers.contains_key(EXPECT) && session.is_body_done() {
            // The framework gave the connection up when it relayed the 100, before the body was there.
            session.set_keepalive(Some(0));
        }
        let asked = carried.asked.unwrap_or(carried.begun);
        self.answered(carried, UpstreamResult::Ok);
        if is_refused(passage, request, response, self.gateway.clock.now()) {
            return Err(refused());
        }
        carried.status = Some(status);
        carried.fetched = Fetched::NotStored(status);
        passage.remember_date(response.headers.get(DATE).cloned());
        let answer = Answer { passage, request, response, asked, began: carried.invalidations };
        carried.part = answer.affect(&self.gateway);
        for name in ["keep-alive", "proxy-connection"] {
            // Of the handler's connection, not of the visitor's (RFC 9110 section 7.6.1).
            response.remove_header(name);
        }
        keep_for_ourselves(response, passage.snapshot.downstream_tags)?;
        if must_not_be_kept(passage, request, response) {
            response.insert_header(CACHE_CONTROL, NO_STORE)?;
        }
        let outcome = Outcome::Pass { reason: passage.reason, fetched: carried.fetched };
        if passage.route.as_ref().is_some_and(by_origin) {
            response.append_header(VIA, Protocol::Http11.via())?;
        }
        // Each cache adds itself at the end of the list (RFC 9211 section 2).
        response.append_header("cache-status", outcome.to_string())?;
        response.insert_header("x-cache", outcome.x_cache().header().unwrap_or("PASS"))?;
        passage.ruled.response.apply_to_answer(response, status);
        Ok(())
    }

    /// After the framework has put a body without length into chunks.
    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        carried: &mut Carried,
    ) -> pingora::Result<()> {
        let old = carried.passage.as_ref().is_some_and(|decided| decided.1.protocol == Protocol::Http10);
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
        if let (Some(part), Some(piece)) = (&mut carried.part, body) {
            part.push(piece);
        }
        if end && let Some(part) = carried.part.take() {
            part.keep(&self.gateway);
        }
        if let Some(passage) = &carried.passage
            && carried.status != Some(StatusCode::SWITCHING_PROTOCOLS)
        {
            passage.0.leash.extend(silence(&passage.0, &passage.1));
        }
        Ok(None)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, carried: &mut Carried) -> FailToProxy {
        let failed = FailToProxy { error_code: 0, can_reuse_downstream: false };
        let Some(shared) = carried.passage.clone() else { return failed };
        let (status, name, explanation) = match blame(error, &shared.0, session.is_body_done()) {
            Blame::Handler(failure) => {
                let silent = matches!(failure, Failure::IdleTimeout) && carried.status.is_none();
                let failure = if silent { Failure::FirstByteTimeout } else { failure };
                let (status, name) = failure.describe();
                self.answered(carried, UpstreamResult::Failed(name));
                (status, name, failure.explanation())
            }
            Blame::Late => {
                let explanation = "the request's body did not come in time (request-body)";
                (StatusCode::REQUEST_TIMEOUT, "request-body", explanation.to_owned())
            }
            Blame::Malformed => {
                (StatusCode::BAD_REQUEST, "request-body", "the request's body is malformed (request-body)".to_owned())
            }
            Blame::Gone => return failed,
        };
        carried.fetched = Fetched::Failed(name);
        if session.response_written().is_some_and(|head| !head.status.is_informational()) {
            // The message is cut: the connection closes before its end, or, where closing may be its end, by a reset.
            shared.0.cut.store(shared.1.protocol == Protocol::Http10, Ordering::Release);
            return FailToProxy { error_code: status.as_u16(), can_reuse_downstream: false };
        }
        shared.0.remember_date(None);
        let notice = Notice::new(status, &explanation, self.gateway.clock.now().wall);
        let outcome = Outcome::Pass { reason: shared.0.reason, fetched: carried.fetched };
        if send(session, &notice, &outcome, &shared.0.ruled.response).await.is_ok() {
            carried.status = Some(status);
        }
        FailToProxy { error_code: status.as_u16(), can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, carried: &mut Carried) {
        let Some(shared) = carried.passage.clone() else { return };
        let (passage, request) = &*shared;
        if let Some(error) = error {
            tracing::debug!(%error, target = passage.target, "a request that passes failed");
        }
        let outcome = Outcome::Pass { reason: passage.reason, fetched: carried.fetched };
        let record = Record { route: passage.route.clone(), outcome, status: carried.status };
        observe(&self.gateway, request, &record, session.body_bytes_sent() as u64, carried.begun);
    }

    fn suppress_error_log(&self, _session: &Session, _carried: &Carried, _error: &Error) -> bool {
        true
    }
}

/// Says under which name the site is asked for. What comes of it may be kept only where a fetch would say the same: under a name
/// that is in the key, or that no visitor has a say in.
fn name_site(
    request: &mut RequestHeader,
    passage: &Passage,
    known: &Request,
    server: Option<&HeaderValue>,
) -> pingora::Result<()> {
    let visitors = match &passage.naming {
        Naming::Visitors => known.authority.as_deref(),
        Naming::Keyed(site) => {
            request.append_header(SURROGATE_CAPABILITY_FIELD, SURROGATE_CAPABILITY)?;
            request.remove_header(&HOST);
            site.as_deref()
        }
    };
    if let Some(name) = visitors {
        request.insert_header(X_FORWARDED_HOST, name)?;
    }
    if let (Naming::Keyed(Some(site)), None) = (&passage.naming, passage.upstream.configured_host()) {
        request.insert_header(HOST, site.as_str())?;
    }
    // HTTP/1.0 visitors need not say a host; HTTP/1.1 handlers need one.
    let unsaid = server.filter(|_| !request.headers.contains_key(HOST));
    if let Some(host) = passage.upstream.configured_host().or(unsaid) {
        request.insert_header(HOST, host)?;
    }
    Ok(())
}

/// How long the framework waits for each read of an answer to an HTTP/2 visitor: it knows one time for head and body, so the
/// longer of the two counts.
fn http2_read_timeout(passage: &Passage) -> Duration {
    let timeouts = &passage.upstream.timeouts;
    let longest = timeouts.first_byte.max(timeouts.idle);
    let max_duration = passage.route.as_ref().and_then(|route| route.max_duration);
    max_duration.map_or(longest, |max_duration| longest.min(max_duration))
}

/// How long a handler that has begun to answer may be silent. What an HTTP/2 visitor takes cannot be seen from here, so its
/// time to read is allowed for as well.
fn silence(passage: &Passage, request: &Request) -> Duration {
    let idle = passage.upstream.timeouts.idle;
    match request.protocol {
        Protocol::Http10 | Protocol::Http11 => idle,
        Protocol::Http2 => idle + SLOWEST_WRITE,
    }
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
