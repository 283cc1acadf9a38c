//! One request, whichever protocol brought it: a request in, a response out through a [`Responder`].
//!
//! The five answers of the look-up are the one match in `Serving::look_up`. What is sent of a stored response, and of one that
//! is being filled, is in the files below. Requests that the cache has no part in come back as [`Served::Pass`].

mod at_once;
mod confirm;
mod forecast;
mod key_bytes;
mod purge;
mod stored;
mod streaming;

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;

use evergate_cache::{
    Asked, Awaited, DeclineReason, FailureKind, Fill, Glance, Lookup, Missing, Moment, Policy, StaleReason, Variant,
    Waiter,
};
use futures::FutureExt;
use http::header::{CACHE_CONTROL, RANGE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::admission::{Admission, Selected, admit, tunnel_refused};
use crate::failure::Failure;
use crate::fetch::{self, Errand};
use crate::gateway::Gateway;
use crate::outcome::{Answered, Fetched, Outcome, PassReason, ServedStale};
use crate::passage::Passage;
use crate::request::Request;
use crate::respond::{Added, Amended, Head, Lines, Notice, Responder, ToldNow, WholeBody};
use crate::rules::Ruled;
use crate::ruling::Ruling;
use crate::snapshot::{Addressee, Route, Snapshot};
use crate::target::{Target, TargetError};

use key_bytes::KeyBytes;

pub use forecast::{Forecast, forecast};
pub(crate) use purge::asked_to_purge;

/// What became of a request.
#[derive(Debug)]
pub enum Served {
    /// It is over.
    Done(Record),
    /// It goes through without the cache.
    Pass(Box<Passage>),
}

/// What the log and the metrics need of a request that is over.
#[derive(Debug)]
pub struct Record {
    /// The route, when one matched.
    pub route: Option<Arc<Route>>,
    /// What happened.
    pub outcome: Outcome,
    /// The status that was sent; none when the visitor left before there was one.
    pub status: Option<StatusCode>,
}

/// Whether a request was looked up before: it counts once among those who ask for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    First,
    Again,
}

/// Serves `request`. A visitor who leaves ends it; what was begun for others goes on.
pub async fn serve<R: Responder>(gateway: &Arc<Gateway>, request: &Request, now: Moment, responder: &mut R) -> Served {
    judge::<R, Whole>(gateway, request, (now, Look::First), responder).await
}

/// Serves a request that [`serve_at_once`] has left.
pub async fn serve_after_all<R: Responder>(
    gateway: &Arc<Gateway>,
    request: &Request,
    now: Moment,
    responder: &mut R,
) -> Served {
    let look = if may_be_short(request) { Look::Again } else { Look::First };
    judge::<R, Whole>(gateway, request, (now, look), responder).await
}

/// The shorter way: serves `request` if nothing has to be waited for, neither a handler nor a fetch; none where
/// [`serve_after_all`] is to do it. Nothing was begun or sent then. The answer is the same on both ways; `responder` takes it without waiting.
pub fn serve_at_once<R: Responder>(
    gateway: &Arc<Gateway>,
    request: &Request,
    now: Moment,
    responder: &mut R,
) -> Option<Served> {
    let judged = || judge::<R, Shorter>(gateway, request, (now, Look::First), responder).now_or_never();
    may_be_short(request).then(judged).flatten().flatten()
}

/// Ranges may come as several pieces, and what is no GET is rarely answered from what is stored.
fn may_be_short(request: &Request) -> bool {
    request.method == Method::GET && !request.headers.contains_key(RANGE)
}

/// How far one goes for a request that the cache may answer.
trait Way {
    /// What it comes to.
    type End: From<Served> + Send;

    /// Answers it.
    fn answer<R: Responder>(serving: &Serving<'_>, responder: &mut R) -> impl Future<Output = Self::End> + Send;

    /// What it came to, with the changes that the rules want of what passes.
    fn ruled(end: Self::End, ruled: Ruled) -> Self::End;
}

/// As far as it takes.
struct Whole;

impl Way for Whole {
    type End = Served;

    async fn answer<R: Responder>(serving: &Serving<'_>, responder: &mut R) -> Served {
        if serving.wants_no_fetch() { serving.glance(responder).await } else { serving.look_up(responder).await }
    }

    fn ruled(end: Served, ruled: Ruled) -> Served {
        end.ruled(ruled)
    }
}

/// As far as nobody has to be waited for.
struct Shorter;

impl Way for Shorter {
    type End = Option<Served>;

    async fn answer<R: Responder>(serving: &Serving<'_>, responder: &mut R) -> Option<Served> {
        serving.at_once(responder).await
    }

    fn ruled(end: Option<Served>, ruled: Ruled) -> Option<Served> {
        end.map(|served| served.ruled(ruled))
    }
}

/// Lets the rules judge a request, and serves it.
async fn judge<R: Responder, W: Way>(
    gateway: &Arc<Gateway>,
    request: &Request,
    (now, look): (Moment, Look),
    responder: &mut R,
) -> W::End {
    let snapshot = gateway.snapshot.load();
    if request.method == Method::CONNECT {
        let ruling = Ruling::unjudged(request, &snapshot, now.wall);
        let mut responder = Amended::new(responder, &ruling.changes.response);
        return answer(&tunnel_refused(now.wall), Answered::Refused, &mut responder).await.into();
    }
    let target = match Target::parse(&request.target) {
        Ok(target) => target,
        Err(error) => {
            let ruling = Ruling::unjudged(request, &snapshot, now.wall);
            return refuse(error, now, &mut Amended::new(responder, &ruling.changes.response)).await.into();
        }
    };
    if let Some(allowed) = asked_to_purge(request, &snapshot) {
        let ruling = Ruling::unjudged(request, &snapshot, now.wall);
        let (notice, what) = purge::purge(gateway, allowed, (request, &target), now);
        return answer(&notice, what, &mut Amended::new(responder, &ruling.changes.response)).await.into();
    }
    let mut ruling = Ruling::of(request, &target, &snapshot, now.wall);
    let rewritten = ruling.target.take();
    let rewritten = match rewritten.as_deref().map(Target::parse).transpose() {
        Ok(rewritten) => rewritten,
        Err(error) => return refuse(error, now, &mut Amended::new(responder, &ruling.changes.response)).await.into(),
    };
    let reached = rewritten.as_ref().unwrap_or(&target);
    let addressee = snapshot.addressee(reached.matched_path(), ruling.upstream);
    ruling.cross((request, &target), addressee.route().map(AsRef::as_ref), &snapshot, now.wall);
    let mut responder = Amended::new(responder, &ruling.changes.response);
    if let Some((notice, what)) = &ruling.end {
        return answer(notice, *what, &mut responder).await.into();
    }
    let asked = (&*ruling.request, reached, addressee);
    let end = route::<_, W>(gateway, &snapshot, asked, (now, look), &mut responder).await;
    W::ruled(end, ruling.changes)
}

/// Serves a request that no rule has ended.
async fn route<R: Responder, W: Way>(
    gateway: &Arc<Gateway>,
    snapshot: &Arc<Snapshot>,
    (request, target, addressee): (&Request, &Target<'_>, Addressee<'_>),
    (now, look): (Moment, Look),
    responder: &mut R,
) -> W::End {
    let selected = match admit(request, target, addressee, snapshot, now.wall) {
        Admission::Answer(notice, what) => return answer(&notice, what, responder).await.into(),
        Admission::Pass(passage) => return Served::Pass(passage).into(),
        Admission::Cached(selected) => selected,
    };
    let key = KeyBytes::of(&selected.key(request.scheme, snapshot));
    let serving = Serving { gateway, request, target, snapshot, selected, key, now, look };
    W::answer(&serving, responder).await
}

async fn refuse<R: Responder>(error: TargetError, now: Moment, responder: &mut R) -> Served {
    let notice = Notice::new(StatusCode::BAD_REQUEST, &error.to_string(), now.wall);
    answer(&notice, Answered::Refused, responder).await
}

async fn answer<R: Responder>(notice: &Notice, what: Answered, responder: &mut R) -> Served {
    if what == Answered::Refused {
        // Who sends what may be read in two ways may mean what follows it in another.
        responder.close_afterwards();
    }
    let outcome = Outcome::Answered(what);
    let sent = notice.send(responder, &outcome).await;
    Served::Done(Record { route: None, outcome, status: sent.ok().map(|()| notice.status) })
}

/// A request that the cache may answer.
struct Serving<'a> {
    gateway: &'a Arc<Gateway>,
    request: &'a Request,
    target: &'a Target<'a>,
    snapshot: &'a Arc<Snapshot>,
    selected: Selected<'a>,
    key: KeyBytes,
    /// When it was asked.
    now: Moment,
    look: Look,
}

/// A result that is shared by everyone who waits for one fill.
struct Shared {
    missing: Missing,
    collapsed: bool,
    /// Whether it was invalidated since its fetch began: caches in front shall not keep it.
    invalidated: bool,
}

/// What came of waiting.
enum Waited {
    Served(Served),
    /// Look up once more, for this reason.
    LookAgain(Again),
}

/// Why waiting came to nothing.
#[derive(Clone, Debug)]
enum Again {
    /// The fill was given up.
    Abandoned,
    /// What came is for another variant: nobody could know before the handler said what it differs in.
    Mismatched,
    /// What came was made invalid while it was fetched.
    Outdated,
    /// The handler failed, perhaps for something in the request of whoever asked.
    Failed(Failure),
}

/// How often a request looks up: once more after a fill that was given up, or that turned out to be for others.
const MOST_LOOKS: usize = 3;

/// How often it does when the handler failed somebody else: a handler that is broken for all is not asked by each in turn.
const MOST_LOOKS_AT_FAILURES: usize = 2;

impl Serving<'_> {
    fn asked(&self) -> Asked<'_> {
        Asked {
            key: &self.key,
            request: &self.selected.fields,
            policy: self.selected.policy,
            demands: &self.selected.demands,
        }
    }

    /// Whether the request is to be answered from what is stored or by the handler itself, but starts no fetch for others: where
    /// the handler decides, HEAD and parts are its own business.
    fn wants_no_fetch(&self) -> bool {
        let by_origin = matches!(self.selected.policy, Policy::Origin(_));
        let special = self.request.method == Method::HEAD || self.request.headers.contains_key(RANGE);
        self.selected.demands.only_if_cached || by_origin && special
    }

    /// Answers from what is stored, or not at all.
    async fn glance<R: Responder>(&self, responder: &mut R) -> Served {
        let now = self.now;
        let only_if_cached = self.selected.demands.only_if_cached;
        let missing = match self.gateway.cache.glance(&self.asked(), now) {
            Ok(Glance { staleness: Err((_, StaleReason::Revalidating | StaleReason::Invalidated)), .. })
                if !only_if_cached =>
            {
                return self.look_up(responder).await;
            }
            Ok(Glance { response, staleness, .. }) => {
                response.count_hit();
                let outcome = match staleness {
                    Ok(ttl) => Outcome::Hit { ttl },
                    // Nobody revalidates it: the request asks for what there is.
                    Err((staleness, _)) => Outcome::Stale { staleness, reason: ServedStale::Cache(StaleReason::Asked) },
                };
                return self.stored(&response, outcome, now, responder).await;
            }
            Err(missing) => missing,
        };
        if only_if_cached {
            // RFC 9111 section 5.2.1.7.
            let notice = Notice::new(StatusCode::GATEWAY_TIMEOUT, "nothing that is stored answers this", now.wall);
            let outcome = Outcome::Answered(Answered::NotCached);
            let sent = notice.send(responder, &outcome).await;
            return self.done(outcome, sent.ok().map(|()| notice.status));
        }
        if self.request.method == Method::HEAD {
            return self.pass(PassReason::Head(missing));
        }
        match self.part_in_store(now) {
            Some((partial, part, outcome)) => self.part(&partial, (part, outcome), now, responder).await,
            None => self.pass(PassReason::Range(missing)),
        }
    }

    async fn look_up<R: Responder>(&self, responder: &mut R) -> Served {
        let mut looks = 1;
        loop {
            // After a wait it is later.
            let now = if looks == 1 { self.now } else { self.gateway.clock.now() };
            let found = match self.look {
                Look::First if looks == 1 => self.gateway.cache.lookup(&self.asked(), now),
                Look::First | Look::Again => self.gateway.cache.lookup_again(&self.asked(), now),
            };
            let waited = match found {
                Lookup::Hit { response, ttl } => {
                    response.count_hit();
                    let ahead = response.first_use();
                    let outcome = if ahead { Outcome::Prerendered { ttl } } else { Outcome::Hit { ttl } };
                    return self.stored(&response, outcome, now, responder).await;
                }
                Lookup::Stale { response, staleness, reason, refresh } => {
                    let begun = refresh.is_none_or(|fill| self.refresh(fill));
                    let reason = if begun { ServedStale::Cache(reason) } else { ServedStale::Busy };
                    response.count_hit();
                    return self.stored(&response, Outcome::Stale { staleness, reason }, now, responder).await;
                }
                Lookup::Collapsed { waiter, missing } => {
                    self.wait(waiter, Shared { missing, collapsed: true, invalidated: false }, responder).await
                }
                Lookup::Miss { fill, missing } => {
                    let waiter = fill.waiter();
                    self.fetch(fill, Errand::Miss);
                    self.wait(waiter, Shared { missing, collapsed: false, invalidated: false }, responder).await
                }
                Lookup::Pass(reason) => return self.pass(PassReason::Declined(reason)),
            };
            match waited {
                Waited::Served(served) => return served,
                Waited::LookAgain(Again::Mismatched) if looks == MOST_LOOKS => {
                    return self.pass(PassReason::Declined(DeclineReason::Vary));
                }
                // Whatever is fetched is made invalid before it comes: nobody waits for that for ever.
                Waited::LookAgain(Again::Outdated) if looks == MOST_LOOKS => {
                    return self.pass(PassReason::Invalidated);
                }
                Waited::LookAgain(Again::Abandoned) if looks == MOST_LOOKS => {
                    let shared = Shared { missing: Missing::Uri, collapsed: true, invalidated: false };
                    return self.failed(&Failure::Abandoned, &shared, responder).await;
                }
                Waited::LookAgain(Again::Failed(failure)) if looks >= MOST_LOOKS_AT_FAILURES => {
                    let shared = Shared { missing: Missing::Uri, collapsed: true, invalidated: false };
                    return self.failed(&failure, &shared, responder).await;
                }
                Waited::LookAgain(Again::Abandoned | Again::Mismatched | Again::Outdated | Again::Failed(_)) => {
                    looks += 1;
                }
            }
        }
    }

    fn fetch(&self, fill: Fill<Failure>, errand: Errand) {
        fetch::start(self.gateway, self.snapshot, fill, &self.selected, self.request, errand);
    }

    /// Starts a refresh, unless too many run for this upstream; the next stale hit tries again.
    fn refresh(&self, fill: Fill<Failure>) -> bool {
        let permit = self.refresh_permit();
        let begun = permit.is_some();
        if let Some(permit) = permit {
            self.fetch(fill, Errand::Refresh(permit));
        }
        begun
    }

    /// Waits for a fill, as long as the visitor does. Interim answers are sent on as they come.
    async fn wait<R: Responder>(&self, mut waiter: Waiter<Failure>, mut shared: Shared, responder: &mut R) -> Waited {
        let gone = || Waited::Served(self.done(shared.outcome(Fetched::Pending), None));
        let awaited = loop {
            let awaited = tokio::select! {
                biased;
                awaited = waiter.wait() => awaited,
                () = responder.gone() => return gone(),
            };
            let Awaited::Interim(head) = &awaited else { break awaited };
            if responder.interim(head).await.is_err() {
                return gone();
            }
        };
        shared.invalidated = waiter.is_invalidated(self.gateway.clock.now());
        drop(waiter);
        self.awaited(awaited, &shared, responder).await
    }

    /// Answers with what was waited for.
    async fn awaited<R: Responder>(&self, awaited: Awaited<Failure>, shared: &Shared, responder: &mut R) -> Waited {
        let is_ours = |variant: &Variant| match self.selected.policy {
            Policy::Window(..) => true,
            Policy::Origin(_) => !shared.collapsed || variant.matches(&self.selected.fields),
        };
        Waited::Served(match awaited {
            Awaited::Streaming(streaming, _) if !is_ours(streaming.variant()) => {
                return Waited::LookAgain(Again::Mismatched);
            }
            Awaited::Renewed(_, variant) if !is_ours(&variant) => return Waited::LookAgain(Again::Mismatched),
            Awaited::Unrelated => return Waited::LookAgain(Again::Mismatched),
            Awaited::Outdated => return Waited::LookAgain(Again::Outdated),
            Awaited::Streaming(streaming, reader) => {
                let outcome = shared.outcome(Fetched::Stored(streaming.head().status));
                self.stream(&streaming, reader, (outcome, shared), responder).await
            }
            Awaited::Alone(why, streaming, reader) => {
                let status = streaming.head().status;
                let fetched = match why {
                    Some(reason) => Fetched::Declined(status, reason),
                    None => Fetched::NotStored(status),
                };
                self.stream(&streaming, reader, (shared.outcome(fetched), shared), responder).await
            }
            Awaited::Renewed(response, _) => {
                let outcome = Outcome::Revalidated { missing: shared.missing, collapsed: shared.collapsed };
                let age = response.age(self.gateway.clock.now());
                let used_up = || self.used_up(age, &response.head(), response.received());
                let age = if shared.invalidated { used_up() } else { age };
                self.stored_at(&response, (outcome, age), responder).await
            }
            Awaited::Declined(reason) => self.pass(PassReason::Declined(reason)),
            Awaited::Failed(failure) if self.may_fare_better(&failure, shared) => {
                return Waited::LookAgain(Again::Failed(failure));
            }
            Awaited::Failed(failure) => self.failed(&failure, shared, responder).await,
            Awaited::Crowded => self.failed(&Failure::Crowded, shared, responder).await,
            // An interim answer is none that ends the waiting.
            Awaited::Abandoned | Awaited::Interim(_) => return Waited::LookAgain(Again::Abandoned),
        })
    }

    /// Sends what is stored if it may help out, otherwise what a failed fill means for those who waited.
    async fn failed<R: Responder>(&self, failure: &Failure, shared: &Shared, responder: &mut R) -> Served {
        let now = self.gateway.clock.now();
        let (mut status, name) = failure.describe();
        if let Some((response, staleness)) = self.gateway.cache.despite(failure.kind(), &self.asked(), now) {
            let fetched = match failure.kind() {
                FailureKind::Answered => Fetched::NotStored(status),
                FailureKind::Unreachable | FailureKind::NotAsked => Fetched::Failed(name),
            };
            let (missing, collapsed) = (shared.missing, shared.collapsed);
            let outcome = Outcome::Despite { staleness, missing, collapsed, fetched };
            return self.stored(&response, outcome, now, responder).await;
        }
        if failure.kind() == FailureKind::Unreachable && self.wants_confirmation(now) {
            // What the handler wants to be asked about, when it cannot be asked (RFC 9111 section 5.2.2.2).
            status = StatusCode::GATEWAY_TIMEOUT;
        }
        if let Failure::Answer(answer) = failure {
            let outcome = shared.outcome(Fetched::NotStored(status));
            let added = Added { outcome: &outcome, age: None, told: None };
            let head = Head { lines: Lines::Given(status, Cow::Borrowed(&answer.head.fields)), added };
            let sent = responder.whole(&head, WholeBody::Given(answer.body.clone())).await;
            return self.done(outcome, sent.ok().map(|()| status));
        }
        let outcome = shared.outcome(Fetched::Failed(name));
        let mut notice = Notice::new(status, &failure.explanation(), now.wall);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            notice = notice.with(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        let sent = notice.send(responder, &outcome).await;
        self.done(outcome, sent.ok().map(|()| status))
    }

    /// Whether one's own request may fare better than that of whoever asked, with which the handler failed: where it saw the whole
    /// of it, and nothing stored helps out.
    fn may_fare_better(&self, failure: &Failure, shared: &Shared) -> bool {
        let theirs = shared.collapsed && matches!(self.selected.policy, Policy::Origin(_));
        let now = self.gateway.clock.now();
        theirs
            && failure.may_be_the_askers()
            && self.gateway.cache.despite(failure.kind(), &self.asked(), now).is_none()
    }

    fn wants_confirmation(&self, now: Moment) -> bool {
        matches!(self.selected.policy, Policy::Origin(_)) && self.gateway.cache.wants_confirmation(&self.asked(), now)
    }

    fn pass(&self, reason: PassReason) -> Served {
        Served::Pass(Box::new(self.selected.passage(self.snapshot, self.request, self.target, reason)))
    }

    /// What visitors are told of a success: the operator's own word always, the gateway's where the handler is silent; nothing
    /// where the handler decides.
    fn told(&self, status: StatusCode, says: impl Fn(&HeaderName) -> bool) -> Option<ToldNow<'_>> {
        let told = self.selected.told?;
        if !status.is_success() || !told.configured && says(&CACHE_CONTROL) {
            return None;
        }
        // What the handler says to CDNs it says itself (RFC 9213).
        let cdn = told.cdn_cache_control.as_ref();
        let cdn = cdn.filter(|_| !says(&evergate_cache::CDN_CACHE_CONTROL));
        Some(ToldNow { cache_control: &told.cache_control, cdn_cache_control: cdn })
    }

    fn done(&self, outcome: Outcome, status: Option<StatusCode>) -> Served {
        Served::Done(Record { route: Some(Arc::clone(self.selected.route)), outcome, status })
    }
}

impl Served {
    /// The same, with the changes that the rules want of what passes.
    fn ruled(mut self, ruled: Ruled) -> Served {
        if let Served::Pass(passage) = &mut self {
            passage.ruled = ruled;
        }
        self
    }
}

impl Shared {
    fn outcome(&self, fetched: Fetched) -> Outcome {
        Outcome::Miss { missing: self.missing, collapsed: self.collapsed, fetched }
    }
}
