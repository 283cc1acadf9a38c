//! One request, whichever protocol brought it: a request in, a response out through a [`Responder`].
//!
//! The five answers of the look-up are the one match in `Serving::look_up`. Requests that the cache has no part in come
//! back as [`Served::Pass`].

use std::borrow::Cow;
use std::sync::Arc;

use evergate_cache::{
    Awaited, BodyReader, Cut, Fill, Lookup, Missing, Moment, ResponseHead, StoredResponse, Streaming, Waiter,
    not_modified,
};
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_LOCATION, DATE, ETAG, EXPIRES, LAST_MODIFIED, RETRY_AFTER, VARY,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::admission::{Admission, Selected, admit, tunnel_refused};
use crate::failure::Failure;
use crate::fetch::{self, Errand};
use crate::gateway::Gateway;
use crate::outcome::{Answered, Fetched, Outcome, PassReason, ServedStale};
use crate::passage::Passage;
use crate::request::Request;
use crate::respond::{Added, CDN_CACHE_CONTROL, Framing, Gone, Head, Lines, Notice, Responder, ToldNow};
use crate::snapshot::{Route, Snapshot};
use crate::target::Target;

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

/// Serves `request`. A visitor who leaves ends it; what was begun for others goes on.
pub async fn serve<R: Responder>(gateway: &Arc<Gateway>, request: &Request, responder: &mut R) -> Served {
    let now = gateway.clock.now();
    let snapshot = gateway.snapshot.load_full();
    if request.method == Method::CONNECT {
        return answer(&tunnel_refused(now.wall), Answered::Refused, responder).await;
    }
    let target = match Target::parse(&request.target) {
        Ok(target) => target,
        Err(error) => {
            let notice = Notice::new(StatusCode::BAD_REQUEST, &error.to_string(), now.wall);
            return answer(&notice, Answered::Refused, responder).await;
        }
    };
    match admit(request, &target, &snapshot, now.wall) {
        Admission::Answer(notice, what) => answer(&notice, what, responder).await,
        Admission::Pass(passage) => Served::Pass(passage),
        Admission::Cached(selected) => {
            let serving = Serving { gateway, request, target: &target, snapshot: &snapshot, selected };
            serving.look_up(responder).await
        }
    }
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
    snapshot: &'a Snapshot,
    selected: Selected<'a>,
}

/// A result that is shared by everyone who waits for one fill.
struct Shared {
    missing: Missing,
    collapsed: bool,
}

/// What came of waiting.
enum Waited {
    Served(Served),
    /// The fill was given up: look up once more.
    LookAgain,
}

impl Serving<'_> {
    async fn look_up<R: Responder>(&self, responder: &mut R) -> Served {
        let mut key = Vec::with_capacity(256);
        self.selected.write_key(self.request, self.snapshot, &mut key);
        let variant = self.selected.variant(self.request);
        let mut looked_twice = false;
        loop {
            let now = self.gateway.clock.now();
            let waited = match self.gateway.cache.lookup(&key, &variant, self.selected.windows, now) {
                Lookup::Hit { response, ttl } => {
                    return self.stored(&response, Outcome::Hit { ttl }, now, responder).await;
                }
                Lookup::Stale { response, staleness, reason, refresh } => {
                    let begun = refresh.is_none_or(|fill| self.refresh(fill));
                    let reason = if begun { ServedStale::Cache(reason) } else { ServedStale::Busy };
                    return self.stored(&response, Outcome::Stale { staleness, reason }, now, responder).await;
                }
                Lookup::Collapsed { waiter, missing } => {
                    self.wait(waiter, Shared { missing, collapsed: true }, responder).await
                }
                Lookup::Miss { fill, missing } => {
                    let waiter = fill.waiter();
                    fetch::start(self.gateway, fill, &self.selected, self.request, Errand::Miss);
                    self.wait(waiter, Shared { missing, collapsed: false }, responder).await
                }
                Lookup::Pass(reason) => return self.pass(PassReason::Declined(reason)),
            };
            match waited {
                Waited::Served(served) => return served,
                Waited::LookAgain if looked_twice => {
                    let shared = Shared { missing: Missing::Uri, collapsed: true };
                    return self.failed(&Failure::Abandoned, &shared, responder).await;
                }
                Waited::LookAgain => looked_twice = true,
            }
        }
    }

    /// Starts a refresh, unless too many run for this upstream; the next stale hit tries again.
    fn refresh(&self, fill: Fill<Failure>) -> bool {
        let route = self.selected.route;
        let Ok(permit) = Arc::clone(&route.upstream.refreshes).try_acquire_owned() else {
            self.gateway.metrics.revalidation_skipped(&route.pattern);
            return false;
        };
        fetch::start(self.gateway, fill, &self.selected, self.request, Errand::Refresh(permit));
        true
    }

    /// Waits for a fill, as long as the visitor does.
    async fn wait<R: Responder>(&self, waiter: Waiter<Failure>, shared: Shared, responder: &mut R) -> Waited {
        let awaited = tokio::select! {
            biased;
            awaited = waiter.wait() => awaited,
            () = responder.gone() => return Waited::Served(self.done(shared.outcome(Fetched::Pending), None)),
        };
        Waited::Served(match awaited {
            Awaited::Streaming(streaming, reader) => self.stream(&streaming, reader, &shared, responder).await,
            Awaited::Renewed(response) => {
                let outcome = Outcome::Revalidated { collapsed: shared.collapsed };
                self.stored(&response, outcome, self.gateway.clock.now(), responder).await
            }
            Awaited::Declined(reason) => self.pass(PassReason::Declined(reason)),
            Awaited::Failed(failure) => self.failed(&failure, &shared, responder).await,
            Awaited::Crowded => self.failed(&Failure::Crowded, &shared, responder).await,
            Awaited::Abandoned => return Waited::LookAgain,
        })
    }

    /// Sends a stored response, or that the visitor has it already.
    async fn stored<R: Responder>(
        &self,
        response: &StoredResponse,
        outcome: Outcome,
        now: Moment,
        responder: &mut R,
    ) -> Served {
        let head = response.head();
        let told = self.told(head);
        let added = Added { outcome: &outcome, age: Some(response.age(now).as_secs()), told };
        let fields = &head.fields;
        let (status, sent) = if head.status == StatusCode::OK
            && not_modified(&self.request.headers, fields.get(&ETAG), fields.get(&LAST_MODIFIED))
        {
            (StatusCode::NOT_MODIFIED, responder.whole(&confirmation(fields, added), &bytes::Bytes::new()).await)
        } else if told.is_some() && fields.contains(&CACHE_CONTROL) {
            let lines = Lines::Given(head.status, Cow::Owned(overridden(fields)));
            (head.status, responder.whole(&Head { lines, added }, response.body()).await)
        } else {
            (head.status, responder.whole(&Head { lines: Lines::Stored(response), added }, response.body()).await)
        };
        self.done(outcome, sent.ok().map(|()| status))
    }

    /// Sends a response that is being filled, as it comes.
    async fn stream<R: Responder>(
        &self,
        streaming: &Streaming,
        mut reader: BodyReader,
        shared: &Shared,
        responder: &mut R,
    ) -> Served {
        let head = streaming.head();
        let outcome = shared.outcome(Fetched::Stored(head.status));
        let fields = &head.fields;
        let told = self.told(head);
        let age = streaming.age(self.gateway.clock.now()).as_secs();
        let from_a_cache = shared.collapsed || fields.contains(&AGE);
        let added = Added { outcome: &outcome, age: from_a_cache.then_some(age), told };
        if head.status == StatusCode::OK
            && not_modified(&self.request.headers, fields.get(&ETAG), fields.get(&LAST_MODIFIED))
        {
            let sent = responder.whole(&confirmation(fields, added), &bytes::Bytes::new()).await;
            return self.done(outcome, sent.ok().map(|()| StatusCode::NOT_MODIFIED));
        }
        let framing = framing(head.status, fields.get(&CONTENT_LENGTH), &reader);
        let mut sent_fields = if told.is_some() { overridden(fields) } else { fields.clone() };
        sent_fields.remove(&CONTENT_LENGTH);
        sent_fields.remove(&AGE);
        let lines = Lines::Given(head.status, Cow::Owned(sent_fields));
        if responder.head(&Head { lines, added }, framing).await.is_err() {
            return self.done(outcome, None);
        }
        if self.request.method != Method::HEAD {
            // A visitor who leaves in the middle has seen the status.
            let _ = forward(&mut reader, responder).await;
        }
        self.done(outcome, Some(head.status))
    }

    /// Sends what a failed fill means for those who waited.
    async fn failed<R: Responder>(&self, failure: &Failure, shared: &Shared, responder: &mut R) -> Served {
        let (status, name) = failure.describe();
        if let Failure::Answer(answer) = failure {
            let outcome = shared.outcome(Fetched::NotStored(status));
            let added = Added { outcome: &outcome, age: None, told: None };
            let head = Head { lines: Lines::Given(status, Cow::Borrowed(&answer.head.fields)), added };
            let sent = responder.whole(&head, &answer.body).await;
            return self.done(outcome, sent.ok().map(|()| status));
        }
        let outcome = shared.outcome(Fetched::Failed(name));
        let explanation = format!("the handler service did not answer ({name})");
        let mut notice = Notice::new(status, &explanation, self.gateway.clock.now().wall);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            notice = notice.with(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        let sent = notice.send(responder, &outcome).await;
        self.done(outcome, sent.ok().map(|()| status))
    }

    fn pass(&self, reason: PassReason) -> Served {
        Served::Pass(Box::new(self.selected.passage(self.request, self.target, reason)))
    }

    /// What visitors are told of a success: the operator's own word always, the gateway's where the handler is silent.
    fn told(&self, head: &ResponseHead) -> Option<ToldNow<'_>> {
        let told = self.selected.told;
        if !head.status.is_success() || !told.configured && head.fields.contains(&CACHE_CONTROL) {
            return None;
        }
        // What the handler says to CDNs it says itself (RFC 9213).
        let cdn = told.cdn_cache_control.as_ref().filter(|_| !head.fields.contains(&CDN_CACHE_CONTROL));
        Some(ToldNow { cache_control: &told.cache_control, cdn_cache_control: cdn })
    }

    fn done(&self, outcome: Outcome, status: Option<StatusCode>) -> Served {
        Served::Done(Record { route: Some(Arc::clone(self.selected.route)), outcome, status })
    }
}

impl Shared {
    fn outcome(&self, fetched: Fetched) -> Outcome {
        Outcome::Miss { missing: self.missing, collapsed: self.collapsed, fetched }
    }
}

/// Sends every piece as it comes. A body that was cut is cut here too.
async fn forward<R: Responder>(reader: &mut BodyReader, responder: &mut R) -> Result<(), Gone> {
    loop {
        let next = tokio::select! {
            biased;
            next = reader.next() => next,
            () = responder.gone() => return Err(Gone),
        };
        match next {
            Ok(Some(piece)) => responder.piece(piece).await?,
            Ok(None) => return responder.end().await,
            Err(Cut) => {
                responder.cut().await;
                return Err(Gone);
            }
        }
    }
}

/// How the visitor learns where a body ends: by the length that the handler gave, or because it is whole already.
fn framing(status: StatusCode, announced: Option<&HeaderValue>, reader: &BodyReader) -> Framing {
    if status == StatusCode::NO_CONTENT {
        return Framing::Bodiless;
    }
    let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    announced.or(reader.whole_length()).map_or(Framing::Unknown, Framing::Length)
}

/// A 304 with the fields that a 200 would have told (RFC 9110 section 15.4.5).
fn confirmation<'a>(fields: &evergate_cache::Fields, added: Added<'a>) -> Head<'a> {
    const TOLD: [HeaderName; 7] = [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, VARY, LAST_MODIFIED];
    let replaced = added.told.is_some();
    let mut confirmed = fields.clone();
    confirmed.retain(|name, _| TOLD.contains(name) && !(replaced && *name == CACHE_CONTROL));
    Head { lines: Lines::Given(StatusCode::NOT_MODIFIED, Cow::Owned(confirmed)), added }
}

/// The fields without the handler's word on caching, where the operator's is sent.
fn overridden(fields: &evergate_cache::Fields) -> evergate_cache::Fields {
    let mut fields = fields.clone();
    fields.remove(&CACHE_CONTROL);
    fields.remove(&CONTENT_LENGTH);
    fields
}
