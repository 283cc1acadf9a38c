//! The fetch side: a task of its own that asks a handler and fills a stored response. A miss and a refresh are the same
//! fetch, started from different places; clients only read what it fills.

pub mod answer;
mod ask;
mod listing;
mod origin;
mod window;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use evergate_cache::{
    Audience, CACHE_GROUPS, Dating, DeclineReason, EVERGATE_CACHE_CONTROL, Fill, Filling, Groups, Making, Moment,
    Policy, Pushed, Recoding, ResponseHead, Room, Tags, Watch, may_be_coded,
};
use http::header::{ACCEPT_ENCODING, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout, timeout_at};
use tracing::warn;

use crate::admission::Selected;
use crate::config::{DownstreamTags, Param};
use crate::failure::{ErrorAnswer, Failure, Refusal};
use crate::gateway::Gateway;
use crate::handler_request::HandlerRequest;
use crate::metrics::{Revalidation, UpstreamResult};
use crate::request::Request;
use crate::rules::FieldLines;
use crate::snapshot::{Route, Snapshot};
use crate::tags;
use crate::upstream::{Connection, Upstream};
use answer::received;
pub use listing::{ListingError, Wanted, document, list};
use origin::Asker;
use window::Windowed;

/// Longest time for a fetch, where the route sets none.
const MAX_DURATION: Duration = Duration::from_secs(60);

/// How often the readers of a body that is not kept are looked at, and how much each must have read by then: a reader below
/// this rate is cut, so that it does not hold the others and the handler for ever.
const PACE: Duration = Duration::from_secs(10);
const LEAST_PER_PACE: u64 = 16 * 1024;

/// How often it is looked whether a fetch is still of use.
const LOOK_FOR_USE: Duration = Duration::from_millis(500);

/// Most bytes of a handler's error page that are shared with those who waited for its answer.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Why a fetch is made.
#[derive(Debug)]
pub enum Errand {
    /// Visitors wait for it.
    Miss,
    /// Behind the visitors' backs; the permit bounds how many run.
    Refresh(OwnedSemaphorePermit),
    /// Before anybody asks; whoever has it made waits for it.
    Ahead,
}

/// Starts a fetch. It ends by itself within the route's `max_duration`, whoever comes or goes; one whose answer was invalidated
/// meanwhile ends when nobody waits for it any more.
pub fn start(
    gateway: &Arc<Gateway>,
    snapshot: &Snapshot,
    fill: Fill<Failure>,
    selected: &Selected<'_>,
    request: &Request,
    errand: Errand,
) {
    let route = Arc::clone(selected.route);
    let deadline = Instant::now() + route.max_duration.unwrap_or(MAX_DURATION);
    let asked = HandlerRequest::new(selected, request, fill.old().map(Arc::as_ref));
    let confirmable = fill.old().is_some_and(|old| old.can_be_confirmed());
    let fetch = Fetch {
        gateway: Arc::clone(gateway),
        route,
        judge: match selected.policy {
            Policy::Window(windows, _) => Judge::Window(Windowed(*windows)),
            Policy::Origin(rules) => Judge::Origin(Asker::new(*rules, selected, &errand)),
        },
        site: selected.key(request.scheme, snapshot).site.bytes(),
        path: selected.path.to_owned(),
        params: selected.matched.params(),
        downstream_tags: snapshot.downstream_tags,
        making: match errand {
            Errand::Miss | Errand::Refresh(_) => Making::OnDemand,
            Errand::Ahead => Making::Ahead,
        },
        refreshes: matches!(errand, Errand::Refresh(_)),
        request: match errand {
            Errand::Miss | Errand::Ahead => asked,
            // Nobody waits for it: it asks about what is stored, or for whatever there is.
            Errand::Refresh(_) if !confirmable => asked.unconditional(),
            Errand::Refresh(_) => asked,
        },
        deadline,
        permit: Mutex::default(),
    };
    let (gateway, watch) = (Arc::clone(gateway), fill.watch());
    tokio::spawn(async move {
        tokio::select! {
            () = fetch.run_errand(fill, errand) => {}
            // Its place among the fetches is for those that somebody wants.
            () = useless(&gateway, &watch) => {}
        }
    });
}

/// Waits until a fetch is of no use: what it brings was invalidated, and nobody waits for it or reads it.
async fn useless(gateway: &Gateway, watch: &Watch<Failure>) {
    // Nobody can know it to be of no use before it has begun.
    let mut looks = interval_at(Instant::now() + LOOK_FOR_USE, LOOK_FOR_USE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if watch.is_useless(gateway.clock.now()) {
            return;
        }
    }
}

struct Fetch {
    gateway: Arc<Gateway>,
    route: Arc<Route>,
    judge: Judge,
    /// The site within which groups count.
    site: Vec<u8>,
    /// The path in normal form, and its parameters, for tags.
    path: String,
    params: Vec<(String, Param)>,
    /// In which field caches in front are told of them.
    downstream_tags: Option<DownstreamTags>,
    /// Why the response is made.
    making: Making,
    /// Whether it is made behind the visitors' backs.
    refreshes: bool,
    request: HandlerRequest,
    deadline: Instant,
    /// The turn at the handler, until it is given back.
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

/// By whose word it is decided what becomes of the answer.
enum Judge {
    Window(Windowed),
    Origin(Asker),
}

/// A handler that has begun to answer.
struct Answering {
    connection: Connection,
    /// The head, as it came.
    head: ResponseHead,
}

/// An answer with its head, and when it came.
struct Answered {
    head: ResponseHead,
    /// Whether a broken connection can be told from the end of the body.
    ends_by_itself: bool,
    dating: Dating,
    /// The tags that came with it.
    tags: Vec<String>,
    answering: Answering,
    now: Moment,
}

/// A piece of a body.
enum Piece {
    /// More may follow.
    More(Bytes),
    /// The body ends with it.
    Last(Bytes),
}

impl Fetch {
    async fn run_errand(self, fill: Fill<Failure>, errand: Errand) {
        match errand {
            Errand::Miss | Errand::Ahead => self.run_as_miss(fill).await,
            Errand::Refresh(permit) => self.run_as_refresh(fill, permit).await,
        }
    }

    /// Nobody waits for a refresh, so one of a herd waits for the others. The handler's own time begins after that.
    async fn run_as_refresh(mut self, fill: Fill<Failure>, permit: OwnedSemaphorePermit) {
        let upstream = Arc::clone(&self.route.upstream);
        if let Some(pause) = upstream.pause_before_refresh() {
            sleep(pause).await;
            self.deadline = Instant::now() + self.max_duration();
        }
        let begun = self.gateway.clock.now();
        self.permit = Mutex::new(Some(permit));
        let result = self.run(fill).await;
        let time = self.gateway.clock.since(begun);
        upstream.refresh_took(time);
        self.gateway.metrics.revalidation(&self.route.pattern, result, time);
    }

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

    /// Between two steps of a refresh, which is for later: visitors who have come meanwhile are served first.
    async fn step_aside(&self) {
        if self.refreshes {
            yield_now().await;
        }
    }

    async fn run(&self, fill: Fill<Failure>) -> Revalidation {
        let begun = self.gateway.clock.now();
        let answered = match self.ask(&fill, &self.request).await {
            Ok(answering) => answering,
            Err(failure) => {
                self.fail(fill, failure);
                return Revalidation::Failed;
            }
        };
        self.step_aside().await;
        match &self.judge {
            Judge::Window(windowed) => windowed.judge(self, fill, answered).await,
            Judge::Origin(asker) => asker.judge(self, fill, answered, begun).await,
        }
    }

    /// Asks the handler; what comes back is an answer with its head.
    async fn ask(&self, fill: &Fill<Failure>, request: &HandlerRequest) -> Result<Answered, Failure> {
        let begun = self.gateway.clock.now();
        let interim = |mut head: ResponseHead| match &self.judge {
            // Made for everyone, so it sets nobody's cookie.
            Judge::Window(_) => {
                head.fields.remove(&SET_COOKIE);
                fill.interim(Audience::Everyone, head);
            }
            Judge::Origin(_) => fill.interim(Audience::Asker, head),
        };
        let upstream = (&*self.route.upstream, &self.route.preference);
        let asked = ask::ask(upstream, request, &interim);
        let asked = timeout_at(self.deadline, asked).await.unwrap_or(Err(Failure::MaxDuration));
        let now = self.gateway.clock.now();
        let upstream = &self.route.upstream.meter;
        self.gateway.metrics.upstream_answered(upstream, UpstreamResult::of(&asked), now.since(begun));
        let answering = asked?;
        let answer::Received { mut head, ends_by_itself, dating, tags } = received(&answering.head, now.wall)?;
        // A 304 without tags says nothing of them.
        if !tags.is_empty() || head.status != StatusCode::NOT_MODIFIED {
            let told = self.downstream_tags.and_then(|form| tags::told(form, self.tags(&tags).iter()));
            told.into_iter().for_each(|(name, value)| head.fields.append(name, value));
        }
        Ok(Answered { head, ends_by_itself, dating, tags, answering, now })
    }

    /// The groups that a response carries.
    fn groups(&self, head: &ResponseHead) -> Groups {
        Groups::of(&head.fields, &CACHE_GROUPS, &self.site)
    }

    /// The tags of the response, with those that its handler sent.
    fn tags(&self, sent: &[String]) -> Tags {
        self.route.tagger.tags(&self.path, &self.params, sent)
    }

    /// Whether other codings may be made of a response; its `Vary` says so.
    fn recoding(&self, head: &mut ResponseHead) -> Recoding {
        if self.route.codings.is_empty() || !may_be_coded(head, self.route.coded_from) {
            return Recoding::Never;
        }
        head.fields.tell_vary(&[ACCEPT_ENCODING]);
        Recoding::WhenAsked
    }

    /// Reads the body to its end. Whatever goes wrong leaves nothing stored.
    async fn fill(&self, mut filling: Filling<Failure>, mut answering: Answering, mut pushed: Pushed) -> Revalidation {
        let deadline = match pushed {
            Pushed::Kept => Some(self.deadline),
            // What is not kept is an answer like any other: it takes its time, unless the route sets one.
            Pushed::LetGo => self.route.max_duration.map(|_| self.deadline),
        };
        if pushed == Pushed::LetGo {
            self.give_back_turn();
        }
        self.step_aside().await;
        loop {
            let piece = match pushed {
                Pushed::Kept => self.next_piece(&mut filling, &mut answering, deadline).await,
                Pushed::LetGo => match self.make_room(&filling).await {
                    Room::Ready => tokio::select! {
                        piece = self.next_piece_in_time(&mut answering, deadline) => piece,
                        // An endless stream that nobody reads is stopped.
                        () = filling.deserted() => return self.declined(DeclineReason::TooLarge),
                    },
                    Room::Deserted => return self.declined(DeclineReason::TooLarge),
                },
            };
            let now = self.gateway.clock.now();
            let piece = piece.and_then(|piece| self.unless_too_long(piece, &filling, pushed));
            match piece {
                Ok(Piece::More(piece)) => {
                    pushed = filling.push(piece, now);
                    if pushed == Pushed::LetGo {
                        self.give_back_turn();
                    }
                }
                Ok(Piece::Last(piece)) => {
                    let kept = filling.finish(piece, now);
                    answering.release(&self.route.upstream);
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

    /// A body that shows only as it comes that it cannot be kept is an error where the route takes that for one: it is cut, and
    /// what was there stays.
    fn unless_too_long(&self, piece: Piece, filling: &Filling<Failure>, pushed: Pushed) -> Result<Piece, Failure> {
        let (Piece::More(bytes) | Piece::Last(bytes)) = &piece;
        let refused = pushed == Pushed::Kept && self.route.unkept.refuses(DeclineReason::TooLarge);
        if refused && !filling.has_room_for(bytes.len()) {
            return Err(Failure::Refused(Refusal::NotKept(DeclineReason::TooLarge)));
        }
        Ok(piece)
    }

    /// The next piece of the body. When it is not there at once, those who wait get what there is.
    async fn next_piece(
        &self,
        filling: &mut Filling<Failure>,
        answering: &mut Answering,
        deadline: Option<Instant>,
    ) -> Result<Piece, Failure> {
        let mut read = std::pin::pin!(self.next_piece_in_time(answering, deadline));
        tokio::select! {
            biased;
            piece = &mut read => piece,
            () = std::future::ready(()) => {
                filling.announce();
                read.await
            }
        }
    }

    async fn next_piece_in_time(&self, answering: &mut Answering, deadline: Option<Instant>) -> Result<Piece, Failure> {
        let piece = answering.piece(self.route.upstream.timeouts.idle);
        match deadline {
            Some(deadline) => timeout_at(deadline, piece).await.unwrap_or(Err(Failure::MaxDuration)),
            None => piece.await,
        }
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
        self.log_failure(&fill, &failure);
        let kind = failure.kind();
        fill.fail(failure, kind, self.gateway.clock.now(), fastrand::f64());
    }

    fn log_failure(&self, fill: &Fill<Failure>, failure: &Failure) {
        warn!(
            route = self.route.pattern,
            upstream = self.route.upstream.name,
            failure = failure.as_str(),
            status = failure.describe().0.as_u16(),
            kept = fill.old().is_some(),
            "a fetch failed"
        );
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
        let piece = timeout(idle, self.connection.piece()).await.unwrap_or(Err(Failure::IdleTimeout))?;
        // A copy of its own, because a piece that is kept would keep all that was read with it.
        let piece = Bytes::copy_from_slice(&piece);
        Ok(if self.connection.is_done() { Piece::Last(piece) } else { Piece::More(piece) })
    }

    /// The body, if it is whole and at most `limit` bytes long.
    async fn whole_body(&mut self, idle: Duration, limit: usize) -> Option<Bytes> {
        let mut body = BytesMut::new();
        loop {
            let (piece, last) = match self.piece(idle).await.ok()? {
                Piece::More(piece) => (piece, false),
                Piece::Last(piece) => (piece, true),
            };
            if body.len() + piece.len() > limit {
                return None;
            }
            body.extend_from_slice(&piece);
            if last {
                return Some(body.freeze());
            }
        }
    }

    /// Gives the connection back for the next request.
    fn release(self, upstream: &Upstream) {
        self.connection.release(upstream.timeouts.idle);
    }
}

impl ErrorAnswer {
    /// The handler's error page as everyone who waited may see it; a page that could not be read whole is replaced by a
    /// line of text under the same status.
    fn new(mut head: ResponseHead, body: Option<Bytes>) -> ErrorAnswer {
        use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE};
        for name in [SET_COOKIE, CONTENT_LENGTH, EVERGATE_CACHE_CONTROL] {
            head.fields.remove(&name);
        }
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
