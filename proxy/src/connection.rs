//! A visitor's connection from its first byte to its last: every request is read here by the letter, then served from here
//! or handed to the framework's pass-through and taken back.

pub mod batch;
pub mod date;
pub mod framing;
pub mod head;
pub mod http1;
pub mod http2;
pub mod reader;
pub mod socket;
pub mod transport;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use evergate_cache::{Moment, Scheme};
use http::StatusCode;
use pingora::apps::ServerApp;
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;

use crate::config::Listen;
use crate::gateway::Gateway;
use crate::observe::{observe, observe_refusal};
use crate::outcome::{Answered, Outcome};
use crate::pass::{PassThrough, Passing, is_relayed, pass, relay};
use crate::passage::Passage;
use crate::request::{HOST_FIELD, Request};
use crate::respond::{Amended, Notice};
use crate::serve::{Record, Served, serve, serve_after_all, serve_at_once};
use framing::Message;
use head::{BodyFraming, Refusal};
use http1::{Http1Responder, Queued, Scratch};
use http2::Http2;
use reader::Reader;
use transport::{Next, Transport};

/// How long a connection may be idle between requests.
pub const IDLE: Duration = Duration::from_secs(75);
/// How long a head may take once its first byte is there.
pub const HEAD: Duration = Duration::from_secs(10);

/// What serves the connections of one listener.
pub struct Connections {
    gateway: Arc<Gateway>,
    proxy: Arc<HttpProxy<PassThrough>>,
    http2: Arc<Http2>,
    /// Whether HTTP/2 may begin without TLS.
    h2c: bool,
    scheme: Scheme,
}

impl Connections {
    /// Connections to the listener `listen`, served by `gateway`; what passes goes through `proxy`.
    pub fn new(gateway: Arc<Gateway>, proxy: Arc<HttpProxy<PassThrough>>, listen: &Listen) -> Connections {
        let scheme = listen.scheme();
        let http2 = Arc::new(Http2::new(Arc::clone(&gateway), Arc::clone(&proxy), scheme));
        Connections { gateway, proxy, http2, h2c: listen.h2c, scheme }
    }

    /// Serves a connection until it ends. One that is idle when `shutdown` turns true ends then.
    pub async fn serve(&self, mut transport: Box<Transport>, shutdown: ShutdownWatch) {
        let mut stop = shutdown.clone();
        let mut stopping = pin!(stop.wait_for(|shutting_down| *shutting_down));
        let mut scratch = Scratch::default();
        let mut reader = Reader::new(transport.peer().map(|address| address.ip()), self.scheme);
        let (mut first, http2) = (true, transport.has_chosen_http2());
        loop {
            let next = tokio::select! {
                biased;
                next = transport.next_head(IDLE, HEAD, (self.h2c || http2) && first, &reader) => next,
                _ = &mut stopping => return,
            };
            first = false;
            let length = match next {
                // It was agreed on otherwise, and what to answer in is unknown.
                Next::Head(_) | Next::Refused(_) | Next::TimedOut if http2 => return,
                Next::Head(length) => length,
                Next::Http2 => {
                    transport.carry_streams();
                    self.http2.process_new(transport, &shutdown).await;
                    return;
                }
                Next::Closed => return,
                Next::Refused(refusal) => return self.refuse(&mut transport, &mut scratch, refusal).await,
                Next::TimedOut => {
                    let late = (StatusCode::REQUEST_TIMEOUT, "the head did not end in time");
                    return self.refuse_with(&mut transport, &mut scratch, late).await;
                }
            };
            if let Err(refusal) = reader.read(&transport.inbox()[..length]) {
                return self.refuse(&mut transport, &mut scratch, refusal).await;
            }
            match self.exchange(transport, &mut scratch, &mut reader, length, &shutdown).await {
                Some(returned) => transport = returned,
                None => return,
            }
        }
    }

    /// One request with its response; the connection comes back when it may be used again.
    async fn exchange(
        &self,
        mut transport: Box<Transport>,
        scratch: &mut Scratch,
        reader: &mut Reader,
        length: usize,
        shutdown: &ShutdownWatch,
    ) -> Option<Box<Transport>> {
        let begun = self.gateway.clock.now();
        let framing = reader.framing();
        // A request that is answered here leaves its body unread, so the connection ends with the answer.
        let keep_alive = reader.request().keep_alive && framing == BodyFraming::None && !*shutdown.borrow();
        let mut decided = None;
        if self.gateway.fast_path {
            let mut queued = Queued::new(scratch, reader.request(), keep_alive);
            decided = serve_at_once(&self.gateway, reader.request(), begun, &mut queued);
            if let Some(Served::Done(record)) = decided {
                let (goes_on, sent) = (queued.keeps_alive(), queued.sent());
                transport.inbox().advance(length);
                return self.answered(transport, scratch, reader, (record, sent, begun), goes_on).await;
            }
            // What waits to be written does not wait for a handler too. Who is not there to take it is found out by the answer.
            let _ = scratch.write(&mut transport).await;
        }
        // What was read of the request stays in the inbox until it is known who reads it.
        let behind = transport.inbox().split_off(length);
        let own = std::mem::replace(transport.inbox(), behind);
        let mut responder = Http1Responder::new(&mut transport, scratch, reader.request(), keep_alive);
        let served = match decided {
            Some(served) => served,
            None if self.gateway.fast_path => {
                serve_after_all(&self.gateway, reader.request(), begun, &mut responder).await
            }
            None => serve(&self.gateway, reader.request(), begun, &mut responder).await,
        };
        match served {
            Served::Done(record) => {
                let goes_on = responder.keeps_alive() && record.status.is_some();
                observe(&self.gateway, reader.request(), &record, responder.sent(), begun);
                after(transport, goes_on, framing).await
            }
            Served::Pass(passage) if is_relayed(reader.request()) => {
                // Its room is the inbox's again.
                drop(own);
                let mut request = reader.take();
                passage.ruled.change(&mut request.headers);
                let mut passing = Passing::new(&self.gateway, Arc::new((*passage, request)), begun);
                relay(&mut passing, &mut responder).await;
                passing.observe(responder.sent());
                let goes_on = responder.keeps_alive() && passing.status().is_some();
                after(transport, goes_on, framing).await
            }
            Served::Pass(passage) => {
                let request = reader.take();
                let head = respell(&own, &passage.target, &request);
                let message = Message::new(head.len(), framing);
                let behind = std::mem::replace(transport.inbox(), head);
                transport.inbox().unsplit(behind);
                self.hand_over(transport, message, *passage, request, shutdown).await
            }
        }
    }

    /// Writes an answer that is waiting in `scratch`, unless the next request is there already: then it goes out with the next
    /// answer, and counts as sent with what it takes.
    async fn answered(
        &self,
        mut transport: Box<Transport>,
        scratch: &mut Scratch,
        reader: &Reader,
        (mut record, sent, begun): (Record, u64, Moment),
        goes_on: bool,
    ) -> Option<Box<Transport>> {
        let next_is_there =
            |transport: &mut Transport| matches!(transport.next_in_inbox(false, reader), Some(Next::Head(_)));
        let waits = goes_on && scratch.takes_more() && next_is_there(&mut transport);
        if !waits && scratch.write(&mut transport).await.is_err() {
            record.status = None;
        }
        observe(&self.gateway, reader.request(), &record, sent, begun);
        let goes_on = goes_on && record.status.is_some();
        after(transport, goes_on, reader.framing()).await
    }

    /// Lends the connection to the pass-through for one message.
    async fn hand_over(
        &self,
        mut transport: Box<Transport>,
        message: Message,
        passage: Passage,
        mut request: Request,
        shutdown: &ShutdownWatch,
    ) -> Option<Box<Transport>> {
        passage.ruled.change(&mut request.headers);
        transport.lend(message, request.wants_upgrade(), &passage);
        let session = ServerSession::new_http1(transport);
        let (stream, _) = pass(&self.proxy, session, Arc::new((passage, request)), shutdown).await?.consume();
        let mut transport = stream.into_any().downcast::<Transport>().ok()?;
        transport.take_back().then_some(transport)
    }

    /// Answers what is no request, and closes: where the next one begins cannot be told.
    async fn refuse(&self, transport: &mut Transport, scratch: &mut Scratch, refusal: Refusal) {
        self.refuse_with(transport, scratch, (refusal.status(), &refusal.to_string())).await;
    }

    async fn refuse_with(
        &self,
        transport: &mut Transport,
        scratch: &mut Scratch,
        (status, explanation): (StatusCode, &str),
    ) {
        let now = self.gateway.clock.now();
        // What stands in the log for a request that could not be read.
        let unreadable = Reader::new(transport.peer().map(|address| address.ip()), self.scheme);
        let notice = Notice::new(status, explanation, now.wall);
        let outcome = Outcome::Answered(Answered::Refused);
        let mut responder = Http1Responder::new(transport, scratch, unreadable.request(), false);
        let snapshot = self.gateway.snapshot.load_full();
        let sent = notice.send(&mut Amended::new(&mut responder, snapshot.rules.everywhere()), &outcome).await;
        let (bytes, status) = (responder.sent(), sent.ok().map(|()| status));
        observe_refusal(&self.gateway, unreadable.request(), status, explanation, bytes, now);
        transport.finish_writing().await;
        transport.linger().await;
    }
}

/// What becomes of a connection whose request was answered from here: it goes on with the next one, or ends. What was not read of
/// a visitor who is still sending is read then.
async fn after(mut transport: Box<Transport>, goes_on: bool, framing: BodyFraming) -> Option<Box<Transport>> {
    if goes_on {
        return Some(transport);
    }
    transport.finish_writing().await;
    if framing != BodyFraming::None || !transport.inbox().is_empty() {
        transport.linger().await;
    }
    None
}

/// Every connection begins here, as the framework's applications do. It is a [`Transport`] from the start: the only kind of
/// connection that listeners accept.
#[async_trait]
impl ServerApp for Connections {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let transport = stream.into_any().downcast::<Transport>().ok();
        if let Some(transport) = transport {
            self.serve(transport, shutdown.clone()).await;
        }
        None
    }
}

/// The head as the pass-through gets it: the request line in the one spelling that was decided upon, the fields as they came.
/// So the framework, which reads it again, finds nothing that it could read differently.
fn respell(head: &[u8], target: &str, request: &Request) -> BytesMut {
    let fields = head.iter().position(|byte| *byte == b'\n').map_or(&[][..], |end| &head[end + 1..]);
    let mut respelled = BytesMut::with_capacity(head.len() + 64);
    for part in [request.method.as_str(), " ", target, " ", request.protocol.as_str(), "\r\n"] {
        respelled.extend_from_slice(part.as_bytes());
    }
    // The host may have been in the target alone.
    if let Some(authority) = request.authority.as_deref().filter(|_| !request.headers.contains_key(HOST_FIELD)) {
        for part in ["host: ", authority, "\r\n"] {
            respelled.extend_from_slice(part.as_bytes());
        }
    }
    respelled.extend_from_slice(fields);
    respelled
}
