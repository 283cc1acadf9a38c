//! Requests without a body on their way through: our own loop, which streams the answer as it comes over the visitor's own
//! responder. There is no task, no channel and no copy between the two connections, and what is there together is sent together.

use std::borrow::Cow;
use std::task::Poll;
use std::time::Duration;

use evergate_cache::ResponseHead;
use http::HeaderName;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, EXPECT, TRANSFER_ENCODING};
use tokio::time::{Instant, timeout_at};

use super::blame::late;
use super::passing::{Decided, Passing};
use crate::failure::Failure;
use crate::forwarded::seen_fields;
use crate::request::{BodyPresence, Protocol, Request};
use crate::respond::{Added, Amended, Framing, Head, Lines, Responder, date};
use crate::upstream::{AnswerHead, Connection, Extent, RequestHead};

/// How long to wait where nothing sets a limit.
const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// Why a request that passes comes to nothing.
enum End {
    /// The handler failed.
    Failed(Failure),
    /// The visitor has left.
    Gone,
}

/// Whether a request is relayed: it has no body, does not ask to leave HTTP, and its visitor expects nothing of the connection
/// that the framework would have to weigh.
pub fn is_relayed(request: &Request) -> bool {
    request.protocol != Protocol::Http2
        && request.body == BodyPresence::None
        && !request.wants_upgrade()
        && !request.headers.contains_key(EXPECT)
        && matches!(seen_fields(&request.headers), Cow::Borrowed(_))
}

/// Asks a handler, and sends what it answers as it comes. What became of it is to be observed.
pub async fn relay<R: Responder>(passing: &mut Passing, responder: &mut R) {
    let decided = passing.decided();
    let mut way = Way { decided: &decided, responder };
    let begun = match way.ask(passing).await {
        Ok((connection, answer)) => way.pass_on(passing, connection, answer).await,
        Err(end) => Err(end),
    };
    match begun {
        Ok(()) => {}
        Err(End::Gone) => way.responder.cut().await,
        Err(End::Failed(failure)) => {
            tracing::debug!(failure = failure.as_str(), target = decided.0.target, "a request that passes failed");
            let headed = passing.status().is_some();
            let notice = passing.failed(failure);
            if headed {
                way.responder.cut().await;
            } else {
                way.responder.close_afterwards();
                let mut responder = Amended::new(way.responder, &decided.0.ruled.response);
                if notice.send(&mut responder, &passing.outcome()).await.is_ok() {
                    passing.told(notice.status);
                }
            }
        }
    }
}

/// The way between one visitor and whoever is asked for them.
struct Way<'a, R> {
    decided: &'a Decided,
    responder: &'a mut R,
}

impl<R: Responder> Way<'_, R> {
    /// Asks one server after the other, until there is the head of an answer.
    async fn ask(&mut self, passing: &mut Passing) -> Result<(Connection, AnswerHead), End> {
        loop {
            let connected = self.wait(passing.connect()).await;
            let (mut connection, request) = match connected {
                Ok(connected) => connected,
                Err(End::Failed(Failure::Connect | Failure::ConnectTimeout)) if passing.not_reached() => continue,
                Err(end) => return Err(end),
            };
            let reused = connection.is_reused();
            match self.exchange(passing, &mut connection, &request).await {
                Ok(answer) => return Ok((connection, answer)),
                Err(End::Failed(Failure::Reset)) if passing.forgives(reused) => {}
                Err(end) => return Err(end),
            }
        }
    }

    /// Sends the request, and reads heads until one is final. Interim ones are sent on.
    async fn exchange(
        &mut self,
        passing: &Passing,
        connection: &mut Connection,
        request: &RequestHead,
    ) -> Result<AnswerHead, End> {
        self.wait(connection.send(request, self.decided.0.upstream.timeouts.idle)).await?;
        loop {
            let mut answer = self.wait(connection.head()).await?;
            if !answer.is_interim() {
                return Ok(answer);
            }
            passing.interim(&mut answer.head).map_err(End::Failed)?;
            self.responder.interim(&answer.head).await.map_err(|_| End::Gone)?;
        }
    }

    /// Sends an answer on as it comes.
    async fn pass_on(
        &mut self,
        passing: &mut Passing,
        mut connection: Connection,
        mut answer: AnswerHead,
    ) -> Result<(), End> {
        passing.answer(&mut answer.head).map_err(End::Failed)?;
        let framing = self.framing(&mut answer.head, answer.extent);
        if !answer.head.fields.contains(&DATE) {
            answer.head.fields.append(DATE, date(passing.now().wall));
        }
        // Whatever follows the head at once goes with it; an offence shows again when the next piece is asked for.
        let piece = connection.at_hand().unwrap_or_default();
        passing.piece(&piece);
        let mut connection = Some(connection);
        let last = self.release_if_done(passing, &mut connection);
        let outcome = passing.outcome();
        let AnswerHead { head: ResponseHead { status, fields }, reason, .. } = &answer;
        let head = Head {
            lines: Lines::Passed(*status, reason.as_deref(), fields),
            added: Added { outcome: &outcome, age: None, told: None },
        };
        self.responder.begin(&head, framing, piece, last).await.map_err(|_| End::Gone)?;
        drop(answer);
        while let Some(under_way) = &mut connection {
            // What the visitor took its time for was not the handler's.
            let leash = &self.decided.0.leash;
            leash.extend(passing.silence());
            if leash.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
                // A handler that never stops would never be waited for.
                return Err(self.late());
            }
            let piece = self.wait(under_way.piece()).await?;
            passing.piece(&piece);
            let last = self.release_if_done(passing, &mut connection);
            if !piece.is_empty() {
                self.responder.piece(piece).await.map_err(|_| End::Gone)?;
            }
            if last {
                self.responder.end().await.map_err(|_| End::Gone)?;
            }
        }
        Ok(())
    }

    /// Gives the connection back once the answer is whole, before the visitor has taken it all. Whether it is.
    fn release_if_done(&self, passing: &mut Passing, connection: &mut Option<Connection>) -> bool {
        let Some(done) = connection.take_if(|connection| connection.is_done()) else { return false };
        passing.whole();
        done.release(self.decided.0.upstream.timeouts.idle);
        true
    }

    /// How the visitor learns where the body ends. The responder says so itself, so the handler's word goes, but for the length of
    /// a body that is not sent.
    fn framing(&mut self, head: &mut ResponseHead, extent: Extent) -> Framing {
        let old = self.decided.1.protocol == Protocol::Http10;
        let unsent = match extent {
            Extent::None => None,
            Extent::Length(_) => Some(CONTENT_LENGTH),
            Extent::Chunked | Extent::UntilClose => Some(TRANSFER_ENCODING),
        };
        if extent == Extent::None && old && head.fields.contains(&TRANSFER_ENCODING) {
            // HTTP/1.0 knows no chunks: the end of the connection is the end of the body (RFC 9112 section 6.1).
            head.fields.remove(&TRANSFER_ENCODING);
            self.responder.close_afterwards();
        }
        // It concerns the handler's connection; the responder has its own.
        head.fields.retain(|name: &HeaderName, _| *name != CONNECTION && Some(name) != unsent.as_ref());
        match extent {
            Extent::None => Framing::Bodiless,
            Extent::Length(length) => Framing::Length(length),
            Extent::Chunked | Extent::UntilClose => Framing::Unknown,
        }
    }

    /// Waits for a step of the handler's, as long as the leash and the visitor do. What is there at once is not waited for.
    async fn wait<T>(&mut self, step: impl Future<Output = Result<T, Failure>>) -> Result<T, End> {
        let mut step = std::pin::pin!(step);
        if let Poll::Ready(done) = futures::poll!(step.as_mut()) {
            return done.map_err(End::Failed);
        }
        let deadline = self.decided.0.leash.deadline().unwrap_or_else(|| Instant::now() + FOR_EVER);
        tokio::select! {
            biased;
            done = timeout_at(deadline, step) => match done {
                Ok(done) => done.map_err(End::Failed),
                Err(_) => Err(self.late()),
            },
            () = self.responder.gone() => Err(End::Gone),
        }
    }

    fn late(&self) -> End {
        self.decided.0.leash.mark_reached();
        End::Failed(late(&self.decided.0).unwrap_or(Failure::MaxDuration))
    }
}

impl Passing {
    /// A connection to the server that is asked next, and what it is asked.
    async fn connect(&mut self) -> Result<(Connection, RequestHead), Failure> {
        let decided = self.decided();
        let (passage, request) = &*decided;
        let (server, attempt) = self.next_server()?;
        let connection = server.connect(&passage.upstream.timeouts, attempt).await?;
        let host = server.host().clone();
        let mut head = RequestHead::new(&request.method, &passage.target);
        self.each_line(&host, |name, value| head.line(name, value));
        Ok((connection, head.ended()))
    }
}
