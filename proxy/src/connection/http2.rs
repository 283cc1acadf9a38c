//! HTTP/2: streams come through the framework's session and are served the same way.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use evergate_cache::{ResponseHead, Scheme};
use http::header::CONTENT_LENGTH;
use http::{HeaderName, HeaderValue, Method};
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;
use pingora_http::ResponseHeader;
use tokio::time::timeout;

use super::IDLE;
use super::head::{MAX_FIELDS, Refusal};
use crate::gateway::Gateway;
use crate::observe::observe;
use crate::outcome::{Answered, Outcome};
use crate::pass::{PassThrough, observe_late, pass};
use crate::request::{BodyPresence, HOST_FIELD, Protocol, Request};
use crate::respond::{Amended, Framing, Gone, Head, Lines, Notice, Responder, SLOWEST_WRITE, WholeBody};
use crate::serve::{Record, Served, serve};
use crate::target::MAX_TARGET;

/// How much of a body is written at once.
const STEP: usize = 64 * 1024;

/// Most lines that are added to a head: the five that the gateway adds, its length, and the date of the framework.
const MOST_ADDED: usize = 7;

/// What serves the streams of an HTTP/2 connection.
pub struct Http2 {
    gateway: Arc<Gateway>,
    proxy: Arc<HttpProxy<PassThrough>>,
    options: HttpServerOptions,
    scheme: Scheme,
}

impl Http2 {
    /// Streams of connections of this scheme, served by `gateway`; what passes goes through `proxy`.
    pub fn new(gateway: Arc<Gateway>, proxy: Arc<HttpProxy<PassThrough>>, scheme: Scheme) -> Http2 {
        let mut options = HttpServerOptions::default();
        // The preface has been seen; the framework is to find it too, whatever was agreed on in the handshake.
        options.h2c = true;
        options.h2_idle_timeout = Some(IDLE);
        Http2 { gateway, proxy, options, scheme }
    }
}

#[async_trait]
impl HttpServerApp for Http2 {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let begun = self.gateway.clock.now();
        let mut request = request(&mut session, self.scheme);
        let mut responder = Http2Responder::new(&mut session, &request);
        let served = match refusal(&request) {
            Some(refusal) => {
                let snapshot = self.gateway.snapshot.load_full();
                refuse(&refusal, begun.wall, &mut Amended::new(&mut responder, snapshot.rules.everywhere())).await
            }
            None => serve(&self.gateway, &request, begun, &mut responder).await,
        };
        let (sent, ended) = (responder.sent, responder.ended);
        match served {
            Served::Done(record) => {
                observe(&self.gateway, &request, &record, sent, begun);
                if !ended {
                    // Finishing would end the stream as if the message were whole.
                    session.shutdown_with_reason(h2::Reason::INTERNAL_ERROR);
                }
                None
            }
            Served::Pass(passage) => {
                passage.ruled.change(&mut request.headers);
                let decided = Arc::new((*passage, request));
                tokio::select! {
                    biased;
                    _ = pass(&self.proxy, session, Arc::clone(&decided), shutdown) => {}
                    // Dropping the session resets the stream: that is how HTTP/2 cuts a message.
                    () = decided.0.leash.run_out() => observe_late(&self.gateway, &decided, begun),
                }
                None
            }
        }
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }
}

/// The head of a stream as a request. The framework has checked it by RFC 9113 section 8. Its scheme is that of the connection,
/// whatever `:scheme` says: anybody may say anything there.
fn request(session: &mut ServerSession, scheme: Scheme) -> Request {
    let peer = session.client_addr().and_then(|address| address.as_inet()).map(std::net::SocketAddr::ip);
    let has_body = !session.is_body_empty();
    let header = session.req_header();
    let authority = header.uri.authority().map(http::uri::Authority::as_str);
    let host = authority.or_else(|| header.headers.get(HOST_FIELD).and_then(|host| host.to_str().ok()));
    Request {
        method: header.method.clone(),
        target: header.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned(),
        authority: host.map(str::to_ascii_lowercase),
        headers: header.headers.clone(),
        body: if has_body { BodyPresence::Some } else { BodyPresence::None },
        keep_alive: true,
        peer,
        scheme,
        protocol: Protocol::Http2,
    }
}

/// What HTTP/1.1 is refused for and the framework lets pass: heads beyond the limits, and lengths that repeat.
fn refusal(request: &Request) -> Option<Refusal> {
    if request.target.len() > MAX_TARGET {
        return Some(Refusal::TargetTooLong);
    }
    if request.headers.len() > MAX_FIELDS {
        return Some(Refusal::HeadTooLarge);
    }
    (request.headers.get_all(CONTENT_LENGTH).iter().count() > 1).then_some(Refusal::Length)
}

async fn refuse<R: Responder>(refusal: &Refusal, now: SystemTime, responder: &mut R) -> Served {
    let outcome = Outcome::Answered(Answered::Refused);
    let notice = Notice::new(refusal.status(), &refusal.to_string(), now);
    let sent = notice.send(responder, &outcome).await;
    Served::Done(Record { route: None, outcome, status: sent.ok().map(|()| notice.status) })
}

/// A response on an HTTP/2 stream.
struct Http2Responder<'a> {
    session: &'a mut ServerSession,
    head_only: bool,
    sent: u64,
    /// Whether the message was ended whole.
    ended: bool,
}

impl<'a> Http2Responder<'a> {
    fn new(session: &'a mut ServerSession, request: &Request) -> Self {
        Http2Responder { session, head_only: request.method == Method::HEAD, sent: 0, ended: false }
    }

    async fn write_head(&mut self, head: &Head<'_>, framing: Framing, ends: bool) -> Result<(), Gone> {
        let header = header(head, framing)?;
        self.session.write_response_header(Box::new(header)).await.map_err(|_| Gone)?;
        if ends { self.write(Bytes::new(), true).await } else { Ok(()) }
    }

    /// Writes in steps, so that a visitor who reads slowly is not one who does not read.
    async fn write(&mut self, mut piece: Bytes, ends: bool) -> Result<(), Gone> {
        loop {
            let step = piece.split_to(piece.len().min(STEP));
            let length = step.len() as u64;
            let last = ends && piece.is_empty();
            match timeout(SLOWEST_WRITE, self.session.write_response_body(step, last)).await {
                Ok(Ok(())) => self.sent += length,
                Ok(Err(_)) | Err(_) => return Err(Gone),
            }
            if piece.is_empty() {
                self.ended |= last;
                return Ok(());
            }
        }
    }
}

impl Responder for Http2Responder<'_> {
    /// The framework's session sends no interim answers.
    async fn interim(&mut self, _head: &ResponseHead) -> Result<(), Gone> {
        Ok(())
    }

    async fn head(&mut self, head: &Head<'_>, framing: Framing) -> Result<(), Gone> {
        let ends = self.head_only || framing == Framing::Bodiless;
        self.write_head(head, framing, ends).await
    }

    async fn begin(&mut self, head: &Head<'_>, framing: Framing, piece: Bytes, last: bool) -> Result<(), Gone> {
        let ends = self.head_only || framing == Framing::Bodiless;
        self.write_head(head, framing, ends || last && piece.is_empty()).await?;
        if ends || piece.is_empty() { Ok(()) } else { self.write(piece, last).await }
    }

    async fn piece(&mut self, piece: Bytes) -> Result<(), Gone> {
        if self.head_only { Ok(()) } else { self.write(piece, false).await }
    }

    async fn end(&mut self) -> Result<(), Gone> {
        if self.head_only { Ok(()) } else { self.write(Bytes::new(), true).await }
    }

    async fn whole(&mut self, head: &Head<'_>, body: WholeBody) -> Result<(), Gone> {
        let bodiless = matches!(head.lines.status().as_u16(), 204 | 304);
        let framing = if bodiless { Framing::Bodiless } else { Framing::Length(body.len() as u64) };
        let ends = self.head_only || bodiless || body.is_empty();
        self.write_head(head, framing, ends).await?;
        if ends { Ok(()) } else { self.write(body.into_bytes(), true).await }
    }

    async fn cut(&mut self) {
        self.session.shutdown_with_reason(h2::Reason::INTERNAL_ERROR);
    }

    /// A stream is one request, and the framework has read its frames: what follows is a stream of its own.
    fn close_afterwards(&mut self) {}

    async fn gone(&mut self) {
        match self.session.watch_h2_stream_close() {
            Some(closed) => {
                // Whether it was closed or broke, nobody is there.
                let _ = closed.await;
            }
            None => std::future::pending().await,
        }
    }
}

/// A head as the framework takes it. Its fields go straight into a map: added one by one they would be spelt for HTTP/1.1 and read
/// again, each.
fn header(head: &Head<'_>, framing: Framing) -> Result<ResponseHeader, Gone> {
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = head.lines.status();
    let (told, lines) = (matches!(head.lines, Lines::Stored(_)), head.lines.fields());
    let fields = &mut parts.headers;
    fields.try_reserve(lines.len() + MOST_ADDED).map_err(|_| Gone)?;
    for (name, value) in lines.iter() {
        fields.try_append(name, value.clone()).map_err(|_| Gone)?;
    }
    if let Framing::Length(length) = framing
        && !told
    {
        fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let mut added = Ok(());
    head.each_added(&mut String::new(), |name, value| {
        let line = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_bytes(value).ok());
        if line.is_none_or(|(name, value)| fields.try_append(name, value).is_err()) {
            added = Err(Gone);
        }
    });
    added.map(|()| ResponseHeader::from(parts))
}
