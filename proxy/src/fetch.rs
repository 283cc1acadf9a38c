//! The fetch side: a task of its own that asks a handler and fills a stored response. A miss and a refresh are the same
//! fetch, started from different places; clients only read what it fills.

pub mod answer;
mod ask;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use evergate_cache::{
    DeclineReason, Fill, Filling, Moment, Pushed, ResponseHead, Room, Verdict, Windows, forbidden, judge,
};
use http::header::VARY;
use http::{HeaderValue, StatusCode};
use pingora::protocols::http::v1::client::HttpSession;
use pingora::upstreams::peer::HttpPeer;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

use crate::admission::Selected;
use crate::failure::{ErrorAnswer, Failure};
use crate::gateway::Gateway;
use crate::handler_request::HandlerRequest;
use crate::metrics::{Revalidation, UpstreamResult};
use crate::request::Request;
use crate::snapshot::Route;
use answer::{received, tell_vary};

/// Longest time for a fetch, where the route sets none.
const MAX_DURATION: Duration = Duration::from_secs(60);

/// How often the readers of a body that is not kept are looked at, and how much each must have read by then: a reader below
/// this rate is cut, so that it does not hold the others and the handler for ever.
const PACE: Duration = Duration::from_secs(10);
const LEAST_PER_PACE: u64 = 16 * 1024;

/// Most bytes of a handler's error page that are shared with those who waited for its answer.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Why a fetch is made.
#[derive(Debug)]
pub enum Errand {
    /// Visitors wait for it.
    Miss,
    /// Behind the visitors' backs; the permit bounds how many run.
    Refresh(OwnedSemaphorePermit),
}

/// Starts a fetch. It ends by itself within the route's `max_duration`, whoever comes or goes.
pub fn start(gateway: &Arc<Gateway>, fill: Fill<Failure>, selected: &Selected<'_>, request: &Request, errand: Errand) {
    let route = Arc::clone(selected.route);
    let deadline = Instant::now() + route.max_duration.unwrap_or(MAX_DURATION);
    let request = HandlerRequest::new(selected, request, fill.old().map(Arc::as_ref));
    let windows = *selected.windows;
    let fetch = Fetch { gateway: Arc::clone(gateway), route, windows, request, deadline, permit: Mutex::default() };
    tokio::spawn(async move {
        let begun = fetch.gateway.clock.now();
        match errand {
            Errand::Miss => {
                fetch.run_as_miss(fill).await;
            }
            Errand::Refresh(permit) => {
                *fetch.permit.lock().unwrap_or_else(PoisonError::into_inner) = Some(permit);
                let result = fetch.run(fill).await;
                let time = fetch.gateway.clock.now().since(begun);
                fetch.gateway.metrics.revalidation(&fetch.route.pattern, result, time);
            }
        }
    });
}

struct Fetch {
    gateway: Arc<Gateway>,
    route: Arc<Route>,
    windows: Windows,
    request: HandlerRequest,
    deadline: Instant,
    /// The turn at the handler, until it is given back.
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

/// A handler that has begun to answer.
struct Answering {
    session: HttpSession,
    peer: HttpPeer,
}

/// A piece of a body.
enum Piece {
    /// More may follow.
    More(Bytes),
    /// The body ends with it.
    Last(Bytes),
}

impl Fetch {
    /// Visitors' fetches queue for their turn, as long as there is somebody who waits, and no longer than the fetch may take.
    /// The handler's own time begins with the turn.
    async fn run_as_miss(mut self, fill: Fill<Failure>) {
        let upstream = Arc::clone(&self.route.upstream);
        let Some(_place) = upstream.queue_place() else { return self.fail(fill, Failure::Crowded) };
        let turn = Arc::clone(&upstream.fetches).acquire_owned();
        let permit = tokio::select! {
            biased;
            permit = timeout_at(self.deadline, turn) => permit,
            // Nothing was asked yet, so nothing is stopped.
            () = fill.deserted() => return,
        };
        match permit {
            Ok(Ok(permit)) if Instant::now() < self.deadline => {
                self.deadline = Instant::now() + self.max_duration();
                self.permit = Mutex::new(Some(permit));
                self.run(fill).await;
            }
            // The semaphore is never closed, so only the time can have run out: the handler was not asked.
            Ok(Ok(_) | Err(_)) | Err(_) => self.fail(fill, Failure::Crowded),
        }
    }

    fn max_duration(&self) -> Duration {
        self.route.max_duration.unwrap_or(MAX_DURATION)
    }

    /// A body that is not kept goes at its readers' pace: they shall not hold up the other fetches.
    fn give_back_turn(&self) {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    async fn run(&self, fill: Fill<Failure>) -> Revalidation {
        let begun = self.gateway.clock.now();
        let asked = timeout_at(self.deadline, ask::ask(&self.gateway, &self.route.upstream, &self.request)).await;
        let asked = asked.unwrap_or(Err(Failure::MaxDuration));
        let now = self.gateway.clock.now();
        let upstream = &self.route.upstream.name;
        self.gateway.metrics.upstream_answered(upstream, UpstreamResult::of(&asked), now.since(begun));
        match asked {
            Ok(answering) => self.judge(fill, answering, now).await,
            Err(failure) => {
                self.fail(fill, failure);
                Revalidation::Failed
            }
        }
    }

    /// The head is there: what becomes of the answer?
    async fn judge(&self, fill: Fill<Failure>, mut answering: Answering, now: Moment) -> Revalidation {
        let (mut head, ends_by_itself) = match received(&answering.session, now.wall) {
            Ok(received) => (received.head, received.ends_by_itself),
            Err(failure) => {
                self.fail(fill, failure);
                return Revalidation::Failed;
            }
        };
        if head.status == StatusCode::NOT_MODIFIED {
            return self.not_modified(fill, head, answering, now).await;
        }
        match judge(&head) {
            // A break would look like the end: what may be half a page is not kept.
            Verdict::Store if !ends_by_itself => self.decline(fill, DeclineReason::NoLength, now),
            Verdict::Store if !self.windows.keeps(&head, now) => self.decline(fill, DeclineReason::NoLifetime, now),
            Verdict::Store => {
                tell_vary(&mut head, &self.route.tell_vary);
                match fill.begin(head, now) {
                    Ok(filling) => self.fill(filling, answering).await,
                    Err(reason) => self.declined(reason),
                }
            }
            Verdict::Decline(reason) => self.decline(fill, reason, now),
            Verdict::Failure => {
                let body = timeout_at(self.deadline, answering.error_body(self.route.upstream.timeouts.idle)).await;
                let failure = Failure::Answer(Arc::new(ErrorAnswer::new(head, body.ok().flatten())));
                self.fail(fill, failure);
                Revalidation::Failed
            }
        }
    }

    /// The handler says that the old response is still good, which counts only where it was asked.
    async fn not_modified(
        &self,
        fill: Fill<Failure>,
        mut head: ResponseHead,
        answering: Answering,
        now: Moment,
    ) -> Revalidation {
        let meant = fill.old().is_some_and(|old| old.can_be_confirmed() && old.is_meant_by(&head));
        if !meant {
            self.fail(fill, Failure::Malformed);
            return Revalidation::Failed;
        }
        if let Some(reason) = forbidden(&head) {
            return self.decline(fill, reason, now);
        }
        if head.fields.contains(&VARY) {
            tell_vary(&mut head, &self.route.tell_vary);
        }
        fill.renew(&head, now);
        answering.release(&self.gateway).await;
        Revalidation::NotModified
    }

    /// Reads the body to its end. Whatever goes wrong leaves nothing stored.
    async fn fill(&self, mut filling: Filling<Failure>, mut answering: Answering) -> Revalidation {
        let mut pushed = Pushed::Kept;
        loop {
            let piece = match pushed {
                Pushed::Kept => self.next_piece(&mut filling, &mut answering).await,
                Pushed::LetGo => match self.make_room(&filling).await {
                    Room::Ready => tokio::select! {
                        piece = self.next_piece_in_time(&mut answering) => piece,
                        // An endless stream that nobody reads is stopped.
                        () = filling.deserted() => return self.declined(DeclineReason::TooLarge),
                    },
                    Room::Deserted => return self.declined(DeclineReason::TooLarge),
                },
            };
            let now = self.gateway.clock.now();
            match piece {
                Ok(Piece::More(piece)) => {
                    pushed = filling.push(piece, now);
                    if pushed == Pushed::LetGo {
                        self.give_back_turn();
                    }
                }
                Ok(Piece::Last(piece)) => {
                    let kept = filling.finish(piece, now);
                    answering.release(&self.gateway).await;
                    return match kept {
                        Pushed::Kept => Revalidation::Fresh,
                        Pushed::LetGo => self.declined(DeclineReason::TooLarge),
                    };
                }
                Err(failure) => {
                    warn!(route = self.route.pattern, failure = failure.as_str(), "a response was cut");
                    filling.fail(failure, now, fastrand::f64());
                    return Revalidation::Failed;
                }
            }
        }
    }

    /// The next piece of the body. When it is not there at once, those who wait get what there is.
    async fn next_piece(&self, filling: &mut Filling<Failure>, answering: &mut Answering) -> Result<Piece, Failure> {
        let mut read = std::pin::pin!(self.next_piece_in_time(answering));
        tokio::select! {
            biased;
            piece = &mut read => piece,
            () = std::future::ready(()) => {
                filling.announce();
                read.await
            }
        }
    }

    async fn next_piece_in_time(&self, answering: &mut Answering) -> Result<Piece, Failure> {
        let idle = self.route.upstream.timeouts.idle;
        timeout_at(self.deadline, answering.piece(idle)).await.unwrap_or(Err(Failure::MaxDuration))
    }

    /// A body that is not kept goes on at its slowest reader's pace, within reason.
    async fn make_room(&self, filling: &Filling<Failure>) -> Room {
        loop {
            match timeout(PACE, filling.room()).await {
                Ok(room) => return room,
                Err(_) => filling.cut_laggards(LEAST_PER_PACE),
            }
        }
    }

    fn fail(&self, fill: Fill<Failure>, failure: Failure) {
        warn!(
            route = self.route.pattern,
            upstream = self.route.upstream.name,
            failure = failure.as_str(),
            status = failure.describe().0.as_u16(),
            kept = fill.old().is_some(),
            "a fetch failed"
        );
        fill.fail(failure, self.gateway.clock.now(), fastrand::f64());
    }

    fn decline(&self, fill: Fill<Failure>, reason: DeclineReason, now: Moment) -> Revalidation {
        fill.decline(reason, now);
        self.declined(reason)
    }

    fn declined(&self, reason: DeclineReason) -> Revalidation {
        tracing::debug!(route = self.route.pattern, reason = reason.as_str(), "a response is not kept");
        Revalidation::Declined
    }
}

impl Answering {
    /// The next bytes of the body, and whether its end is reached with them.
    async fn piece(&mut self, idle: Duration) -> Result<Piece, Failure> {
        match timeout(idle, self.session.read_body_bytes()).await {
            Ok(Ok(None)) => Ok(Piece::Last(Bytes::new())),
            Ok(Ok(Some(piece))) if self.session.is_body_done() => Ok(Piece::Last(piece)),
            Ok(Ok(Some(piece))) => Ok(Piece::More(piece)),
            Ok(Err(error)) => Err(Failure::from(&*error)),
            Err(_) => Err(Failure::IdleTimeout),
        }
    }

    /// The body of an error page, if it is whole and short.
    async fn error_body(&mut self, idle: Duration) -> Option<Bytes> {
        let mut body = BytesMut::new();
        loop {
            let (piece, last) = match self.piece(idle).await.ok()? {
                Piece::More(piece) => (piece, false),
                Piece::Last(piece) => (piece, true),
            };
            if body.len() + piece.len() > MAX_ERROR_BODY {
                return None;
            }
            body.extend_from_slice(&piece);
            if last {
                return Some(body.freeze());
            }
        }
    }

    /// Gives the connection back for the next request.
    async fn release(self, gateway: &Gateway) {
        let idle = self.peer.options.idle_timeout;
        gateway.connector.release_http_session(self.session, &self.peer, idle).await;
    }
}

impl ErrorAnswer {
    /// The handler's error page as everyone who waited may see it; a page that could not be read whole is replaced by a
    /// line of text under the same status.
    fn new(mut head: ResponseHead, body: Option<Bytes>) -> ErrorAnswer {
        use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE};
        head.fields.remove(&SET_COOKIE);
        head.fields.remove(&CONTENT_LENGTH);
        if !head.fields.contains(&CACHE_CONTROL) {
            head.fields.append(CACHE_CONTROL, crate::respond::NO_STORE);
        }
        let body = body.unwrap_or_else(|| {
            head.fields.remove(&CONTENT_ENCODING);
            head.fields.remove(&CONTENT_TYPE);
            head.fields.append(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            Bytes::from(format!("{}: the handler's error page could not be read\n", head.status))
        });
        ErrorAnswer { head, body }
    }
}
