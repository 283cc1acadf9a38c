//! What is sent of a stored response: the whole in the coding that the visitor prefers, a part, or that they have it already.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evergate_cache::{
    Coding, Moment, Part, Partial, Policy, Recoding, Representation, Requested, ResponseHead, StoredResponse,
    content_range, content_range_unsatisfied, lifetime_told, multipart, not_modified, preferred, requested,
};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
};
use http::{HeaderValue, Method, StatusCode};

use super::confirm::{Holds, confirmation, partial, sendable, unsatisfied};
use super::{Served, Serving};
use crate::compress;
use crate::outcome::Outcome;
use crate::respond::{Added, Framing, Gone, Head, Lines, Responder, WholeBody};

impl Serving<'_> {
    /// Sends a stored response.
    pub(super) async fn stored<R: Responder>(
        &self,
        response: &Arc<StoredResponse>,
        outcome: Outcome,
        now: Moment,
        responder: &mut R,
    ) -> Served {
        let age = self.age(response, &outcome, now);
        self.stored_at(response, (outcome, age), responder).await
    }

    /// Sends a stored response as one of this age.
    pub(super) async fn stored_at<R: Responder>(
        &self,
        response: &Arc<StoredResponse>,
        (outcome, age): (Outcome, Duration),
        responder: &mut R,
    ) -> Served {
        let representation = self.representation(response);
        representation.prefetch();
        let status = representation.status();
        let told = self.told(status, |name| representation.field(name).is_some());
        let added = Added { outcome: &outcome, age: Some(age.as_secs()), told };
        let (status, sent) = if status == StatusCode::OK && self.has_it_already(representation) {
            let head = confirmation(representation.head().fields, added);
            (StatusCode::NOT_MODIFIED, responder.whole(&head, WholeBody::EMPTY).await)
        } else {
            match self.requested(response) {
                Requested::Whole => (status, self.whole(representation, added, responder).await),
                Requested::One(part) => {
                    (StatusCode::PARTIAL_CONTENT, one_part(response.identity(), part, added, responder).await)
                }
                Requested::Several(parts) => {
                    (StatusCode::PARTIAL_CONTENT, several_parts(response.identity(), &parts, added, responder).await)
                }
                Requested::Unsatisfiable => {
                    let length = content_range_unsatisfied(response.length() as u64);
                    let head = unsatisfied(&response.head().fields, length, added);
                    (StatusCode::RANGE_NOT_SATISFIABLE, responder.whole(&head, WholeBody::EMPTY).await)
                }
            }
        };
        self.done(outcome, sent.ok().map(|()| status))
    }

    /// The age that is told. What was invalidated has used up its lifetime, for caches in front too: who stores it now must not
    /// keep it for the rest of its window.
    fn age(&self, response: &StoredResponse, outcome: &Outcome, now: Moment) -> Duration {
        let age = response.age(now);
        match outcome {
            Outcome::Stale { .. } | Outcome::Despite { .. } if self.gateway.cache.is_invalidated(response, now) => {
                self.used_up(age, &response.head(), response.received())
            }
            Outcome::Stale { .. }
            | Outcome::Despite { .. }
            | Outcome::Hit { .. }
            | Outcome::Prerendered { .. }
            | Outcome::Miss { .. }
            | Outcome::Revalidated { .. }
            | Outcome::Pass { .. }
            | Outcome::Answered(_) => age,
        }
    }

    /// An age at which nothing remains of any lifetime that caches in front are told.
    pub(super) fn used_up(&self, age: Duration, head: &ResponseHead, received: Moment) -> Duration {
        let told = self.selected.told.map_or(Duration::ZERO, |told| told.lifetime);
        age.max(lifetime_told(head, received)).max(told)
    }

    /// A part that is stored and holds what is asked for, which bytes that is, and what is to be told of it.
    pub(super) fn part_in_store(&self, now: Moment) -> Option<(Arc<Partial>, Part, Outcome)> {
        let (partial, ttl) = self.gateway.cache.part(&self.asked(), now)?;
        match self.part_of_identity(partial.response(), partial.complete()) {
            Requested::One(part) if partial.bytes(part).is_some() && !self.is_conditional() => {
                Some((partial, part, Outcome::Hit { ttl }))
            }
            Requested::One(_) | Requested::Several(_) | Requested::Whole | Requested::Unsatisfiable => None,
        }
    }

    /// Whether the request depends on what the visitor has. Of a part alone the gateway does not answer that.
    fn is_conditional(&self) -> bool {
        [IF_NONE_MATCH, IF_MODIFIED_SINCE].iter().any(|name| self.request.headers.contains_key(name))
    }

    /// Sends bytes of a stored part.
    pub(super) async fn part<R: Responder>(
        &self,
        partial_response: &Partial,
        (part, outcome): (Part, Outcome),
        now: Moment,
        responder: &mut R,
    ) -> Served {
        let response = partial_response.response();
        let added = Added { outcome: &outcome, age: Some(response.age(now).as_secs()), told: None };
        let range = content_range(part, partial_response.complete());
        let head = partial(response.head().fields, Holds::One(range), added);
        let sent = responder.whole(&head, WholeBody::Given(partial_response.bytes(part).unwrap_or_default())).await;
        self.done(outcome, sent.ok().map(|()| StatusCode::PARTIAL_CONTENT))
    }

    async fn whole<R: Responder>(
        &self,
        representation: &Representation,
        added: Added<'_>,
        responder: &mut R,
    ) -> Result<(), Gone> {
        // The gateway's own word is told where the handler is silent, the operator's instead of the handler's.
        let operators = added.told.is_some() && self.selected.told.is_some_and(|told| told.configured);
        let lines = if operators && representation.field(&CACHE_CONTROL).is_some() {
            Lines::Given(representation.status(), Cow::Owned(sendable(representation.head().fields, &added)))
        } else {
            Lines::Stored(representation)
        };
        responder.whole(&Head { lines, added }, WholeBody::Stored(representation.clone())).await
    }

    /// The representation that the visitor prefers of those there are. One that is preferred and not there yet is begun.
    fn representation<'r>(&self, response: &'r Arc<StoredResponse>) -> &'r Representation {
        let route = self.selected.route;
        let as_it_came = response.recoding() == Recoding::Never || self.selected.demands.no_transform;
        if as_it_came || (response.length() as u64) < route.coded_from {
            return response.identity();
        }
        let headers = &self.request.headers;
        let Some(coding) = preferred(headers, &route.codings) else { return response.identity() };
        if let Some(coded) = response.coded(coding) {
            return coded;
        }
        compress::begin(self.gateway, &self.key, response, coding);
        // The next best that is there, until then, or for good where this one does not shrink.
        let there: Vec<Coding> =
            route.codings.iter().copied().filter(|coding| response.coded(*coding).is_some()).collect();
        let next = preferred(headers, &there).and_then(|coding| response.coded(coding));
        next.unwrap_or(response.identity())
    }

    /// Whether the visitor's conditions say that they have it (RFC 9111 section 4.3.2). Where the handler decides, what was never
    /// modified is as old as the answer itself.
    pub(super) fn has_it_already(&self, representation: &Representation) -> bool {
        if !self.is_conditional() {
            return false;
        }
        let modified = representation.value(&LAST_MODIFIED).or_else(|| match self.selected.policy {
            Policy::Window(..) => None,
            Policy::Origin(_) => representation.value(&DATE),
        });
        not_modified(&self.request.headers, representation.value(&ETAG).as_ref(), modified.as_ref())
    }

    /// What of the representation is asked for. Parts are of the identity, and of what says that it has some.
    fn requested(&self, response: &StoredResponse) -> Requested {
        if !self.request.headers.contains_key(RANGE) {
            return Requested::Whole;
        }
        self.part_of(&response.head(), response.handler_date().as_ref(), response.length() as u64)
    }

    /// What is asked for of something so long of which a part is stored.
    fn part_of_identity(&self, response: &StoredResponse, complete: u64) -> Requested {
        let (etag, modified) = (response.identity().value(&ETAG), response.last_modified());
        let date = response.handler_date();
        requested(&self.request.headers, etag.as_ref(), modified.as_ref(), date.as_ref(), complete)
    }

    /// What of a representation of so many bytes is asked for.
    pub(super) fn part_of(&self, head: &ResponseHead, date: Option<&HeaderValue>, length: u64) -> Requested {
        let fields = &head.fields;
        if !self.request.headers.contains_key(RANGE) {
            return Requested::Whole;
        }
        let none = fields.get(&ACCEPT_RANGES).is_some_and(|units| units.as_bytes().eq_ignore_ascii_case(b"none"));
        if self.request.method != Method::GET || head.status != StatusCode::OK || none {
            return Requested::Whole;
        }
        requested(&self.request.headers, fields.get(&ETAG), fields.get(&LAST_MODIFIED), date, length)
    }
}

async fn one_part<R: Responder>(
    identity: &Representation,
    part: Part,
    added: Added<'_>,
    responder: &mut R,
) -> Result<(), Gone> {
    let body = identity.body();
    let range = content_range(part, body.len() as u64);
    responder.whole(&partial(identity.head().fields, Holds::One(range), added), WholeBody::Given(part.of(&body))).await
}

async fn several_parts<R: Responder>(
    identity: &Representation,
    parts: &[Part],
    added: Added<'_>,
    responder: &mut R,
) -> Result<(), Gone> {
    let fields = identity.head().fields;
    let (content_type, pieces): (HeaderValue, Vec<Bytes>) =
        multipart(parts, fields.get(&CONTENT_TYPE), &identity.body(), fastrand::u128(..));
    let length = pieces.iter().map(|piece| piece.len() as u64).sum();
    responder.head(&partial(fields, Holds::Several(content_type), added), Framing::Length(length)).await?;
    for piece in pieces {
        responder.piece(piece).await?;
    }
    responder.end().await
}
