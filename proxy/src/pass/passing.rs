//! A request on its way through, from the decision that it passes to its line in the log: who is asked, what is made of the
//! answer, what is forgiven, and what a failure becomes. Whoever carries the bytes asks here.

use std::sync::Arc;
use std::time::Duration;

use evergate_cache::{Moment, ResponseHead};
use http::header::{CACHE_CONTROL, DATE, VIA};
use http::{HeaderName, HeaderValue, StatusCode};

use super::answer::{by_origin, check, is_refused, keep_for_ourselves, must_not_be_kept};
use super::request::each_line;
use crate::effects::{Answer, PassingPart};
use crate::failure::{Failure, Refusal};
use crate::gateway::Gateway;
use crate::metrics::UpstreamResult;
use crate::observe::observe;
use crate::outcome::{Fetched, Outcome};
use crate::passage::Passage;
use crate::request::{Protocol, Request};
use crate::respond::{NO_STORE, Notice, SLOWEST_WRITE};
use crate::serve::Record;
use crate::upstream::Server;

/// A request that passes, and what was decided about it.
pub type Decided = Arc<(Passage, Request)>;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// Fields of the handler's connection, not of the visitor's (RFC 9110 section 7.6.1).
const OF_THE_CONNECTION: [HeaderName; 2] =
    [HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection")];

/// A request that passes, and how far it has come.
pub struct Passing {
    gateway: Arc<Gateway>,
    decided: Decided,
    begun: Moment,
    /// When the handler was asked last, until it is known how that ended.
    asked: Option<Moment>,
    /// Which server is asked first.
    turn: usize,
    /// How many were asked, and how many of these could not be reached.
    asked_servers: usize,
    unreachable: u32,
    /// The place of the one that is asked.
    server: usize,
    forgiven: bool,
    fetched: Fetched,
    status: Option<StatusCode>,
    /// What the cache said of its invalidations when the handler was asked.
    invalidations: u64,
    /// A part that may be kept once it has passed.
    part: Option<Box<PassingPart>>,
}

impl Passing {
    /// A request that nobody has been asked about yet. `begun` is when its head was there.
    pub fn new(gateway: &Arc<Gateway>, decided: Decided, begun: Moment) -> Passing {
        Passing {
            turn: decided.0.upstream.turn(),
            gateway: Arc::clone(gateway),
            decided,
            begun,
            asked: None,
            asked_servers: 0,
            unreachable: 0,
            server: 0,
            forgiven: false,
            fetched: Fetched::Pending,
            status: None,
            invalidations: 0,
            part: None,
        }
    }

    /// The request and what was decided about it.
    pub(super) fn decided(&self) -> Decided {
        Arc::clone(&self.decided)
    }

    /// What was decided about the request.
    pub fn passage(&self) -> &Passage {
        &self.decided.0
    }

    /// The request.
    pub fn request(&self) -> &Request {
        &self.decided.1
    }

    /// The status that the visitor was told; none before there is one.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The server that is asked next, and how many were asked before.
    ///
    /// # Errors
    ///
    /// [`Failure::Connect`] when there is none.
    pub(super) fn next_server(&mut self) -> Result<(&Server, usize), Failure> {
        self.asked = Some(self.gateway.clock.now());
        self.invalidations = self.gateway.cache.invalidations();
        let attempt = self.asked_servers;
        self.asked_servers += 1;
        let passage = &self.decided.0;
        let server = passage.upstream.server(passage.preference(), self.turn, attempt)?;
        self.server = server.place;
        Ok((server, attempt))
    }

    /// The server could not be reached. Nothing was sent, so asking another does no harm: whether that is done.
    pub(super) fn not_reached(&mut self) -> bool {
        let upstream = &self.decided.0.upstream;
        upstream.note_failure(self.server);
        self.unreachable += 1;
        self.unreachable <= upstream.retries
    }

    /// A kept connection that turns out to be closed says nothing about the handler: once, that is forgiven. Not more often,
    /// because a request that makes its handler hang up would be sent on every connection there is. `reused` tells whether the
    /// connection was a kept one.
    pub(super) fn forgives(&mut self, reused: bool) -> bool {
        let again = reused && !self.forgiven && self.request().method.is_idempotent();
        self.forgiven |= reused;
        again
    }

    /// Visits every line of the request's head as the handler gets it, but those of the connection.
    pub(super) fn each_line(&self, server: &HeaderValue, line: impl FnMut(&HeaderName, &[u8])) {
        each_line(self.passage(), self.request(), server, line);
    }

    /// Makes of an interim answer (1xx) what the visitor gets of it.
    ///
    /// # Errors
    ///
    /// [`Failure::Malformed`] for what must not be passed on.
    pub(super) fn interim(&self, head: &mut ResponseHead) -> Result<(), Failure> {
        check(self.request(), head)?;
        self.passage().leash.begun(self.silence());
        keep_for_ourselves(&mut head.fields, None);
        Ok(())
    }

    /// Heeds the head of the answer, and makes of it what the visitor gets: all fields, those of the gateway included.
    ///
    /// # Errors
    ///
    /// [`Failure::Malformed`] for what must not be passed on, [`Failure::Refused`] for what the route takes for an error.
    pub(super) fn answer(&mut self, head: &mut ResponseHead) -> Result<(), Failure> {
        let decided = Arc::clone(&self.decided);
        let (passage, request) = &*decided;
        let status = head.status;
        check(request, head)?;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            passage.leash.release();
        } else {
            passage.leash.begun(self.silence());
        }
        let asked = self.asked.unwrap_or(self.begun);
        self.answered(UpstreamResult::Ok);
        if is_refused(passage, request, head, &self.gateway.clock) {
            return Err(Failure::Refused(Refusal::AsksToBeKept));
        }
        self.status = Some(status);
        self.fetched = Fetched::NotStored(status);
        passage.remember_date(head.fields.get(&DATE).cloned());
        let answer = Answer { passage, request, response: head, asked, began: self.invalidations };
        self.part = answer.affect(&self.gateway).map(Box::new);
        let fields = &mut head.fields;
        fields.retain(|name, _| !OF_THE_CONNECTION.contains(name));
        keep_for_ourselves(fields, passage.snapshot.downstream_tags);
        if must_not_be_kept(passage, request, head) {
            head.fields.append(CACHE_CONTROL, NO_STORE);
        }
        self.sign(head);
        passage.ruled.response.apply_to_answer(&mut head.fields, status);
        Ok(())
    }

    /// Says who passed the answer on.
    fn sign(&self, head: &mut ResponseHead) {
        let fields = &mut head.fields;
        if self.passage().route.as_ref().is_some_and(by_origin) {
            fields.append(VIA, HeaderValue::from_static(Protocol::Http11.via()));
        }
        let outcome = self.outcome();
        // Each cache adds itself at the end of the list (RFC 9211 section 2). What an outcome is written as is a header value.
        let told = HeaderValue::from_maybe_shared(bytes::Bytes::from(outcome.to_string()));
        fields.append(CACHE_STATUS, told.unwrap_or_else(|_| HeaderValue::from_static("evergate")));
        fields.remove(&X_CACHE);
        fields.append(X_CACHE, HeaderValue::from_static(outcome.x_cache().header().unwrap_or("PASS")));
    }

    /// A piece of the answer's body passes.
    pub(super) fn piece(&mut self, piece: &[u8]) {
        if let Some(part) = &mut self.part {
            part.push(piece);
        }
    }

    /// The answer's body has passed whole.
    pub(super) fn whole(&mut self) {
        if let Some(part) = self.part.take() {
            part.keep(&self.gateway);
        }
    }

    /// The handler failed: what the visitor is told, if nothing was told yet.
    pub(super) fn failed(&mut self, failure: Failure) -> Notice {
        let silent = matches!(failure, Failure::IdleTimeout) && self.status.is_none();
        let failure = if silent { Failure::FirstByteTimeout } else { failure };
        let (status, name) = failure.describe();
        self.answered(UpstreamResult::Failed(name));
        self.refused(status, name, &failure.explanation())
    }

    /// The request failed for this reason, whoever is to blame: what the visitor is told, if nothing was told yet.
    pub(super) fn refused(&mut self, status: StatusCode, name: &'static str, explanation: &str) -> Notice {
        self.fetched = Fetched::Failed(name);
        Notice::new(status, explanation, self.gateway.clock.now().wall)
    }

    /// The visitor was told of the failure.
    pub(super) fn told(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// What time it is.
    pub(super) fn now(&self) -> Moment {
        self.gateway.clock.now()
    }

    /// What happened to it so far.
    pub(super) fn outcome(&self) -> Outcome {
        Outcome::Pass { reason: self.passage().reason, fetched: self.fetched }
    }

    /// Counts and logs it: it is over. `sent` is the number of body bytes.
    pub fn observe(&self, sent: u64) {
        let (route, outcome) = (self.passage().route.clone(), self.outcome());
        let record = Record { route, outcome, status: self.status };
        observe(&self.gateway, self.request(), &record, sent, self.begun);
    }

    /// How long a handler that has begun to answer may be silent. What an HTTP/2 visitor takes cannot be seen by the framework's
    /// proxy, so its time to read is allowed for as well.
    pub(super) fn silence(&self) -> Duration {
        let idle = self.passage().upstream.timeouts.idle;
        match self.request().protocol {
            Protocol::Http10 | Protocol::Http11 => idle,
            Protocol::Http2 => idle + SLOWEST_WRITE,
        }
    }

    /// Counts how asking the handler ended; the first word counts.
    fn answered(&mut self, result: UpstreamResult) {
        if let Some(asked) = self.asked.take() {
            let time = self.gateway.clock.since(asked);
            self.gateway.metrics.upstream_answered(&self.passage().upstream.meter, result, time);
        }
    }
}
