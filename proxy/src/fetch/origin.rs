//! What becomes of an answer where the handler's word counts: it was asked with one visitor's whole request, so an answer that is
//! not kept is for that visitor alone.

use std::sync::Arc;

use evergate_cache::{
    Alone, Dating, DeclineReason, Demands, FailureKind, Fill, Moment, OriginRules, OriginVerdict, Policy, Pushed,
    Recoding, ResponseHead, StoredResponse, Storing, Tagging, Terms, Variant, corrected_initial_age,
};
use http::header::{ACCEPT_ENCODING, IF_MODIFIED_SINCE, IF_NONE_MATCH, VARY, VIA};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::answer::tell_vary;
use super::{Answered, Errand, Fetch};
use crate::admission::Selected;
use crate::failure::Failure;
use crate::metrics::Revalidation;
use crate::request::Protocol;

/// Whose request the handler is asked with.
pub(super) struct Asker {
    rules: OriginRules,
    /// Their fields, which select a variant.
    request: HeaderMap,
    demands: Demands,
    presence: Presence,
}

/// Whether the asker waits for the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Waits,
    /// They were served something stale.
    Served,
}

impl Asker {
    pub(super) fn new(rules: OriginRules, selected: &Selected<'_>, errand: &Errand) -> Asker {
        let presence = match errand {
            Errand::Miss => Presence::Waits,
            Errand::Refresh(_) => Presence::Served,
        };
        Asker { rules, request: selected.fields.clone().into_owned(), demands: selected.demands, presence }
    }

    /// The head is there: what becomes of the answer? `asked` is when the handler was asked.
    pub(super) async fn judge(
        &self,
        fetch: &Fetch,
        fill: Fill<Failure>,
        answered: Answered,
        asked: Moment,
    ) -> Revalidation {
        let old = fill.old().filter(|old| old.can_be_confirmed()).map(Arc::clone);
        match old.filter(|_| answered.head.status == StatusCode::NOT_MODIFIED) {
            Some(old) if old.is_meant_by(&answered.head) => self.confirmed(fetch, fill, &old, answered, asked).await,
            Some(_) => self.ask_anew(fetch, fill).await,
            None => self.decide(fetch, fill, answered, asked).await,
        }
    }

    /// A 304 that speaks of another response than the one that was asked about must not bring it up to date (RFC 9111 section
    /// 4.3.4): the handler is asked for whatever it has.
    async fn ask_anew(&self, fetch: &Fetch, fill: Fill<Failure>) -> Revalidation {
        let asked = fetch.gateway.clock.now();
        match fetch.ask(&fill, &fetch.request.clone().unconditional()).await {
            Ok(answered) => self.decide(fetch, fill, answered, asked).await,
            Err(failure) => {
                fetch.fail(fill, failure);
                Revalidation::Failed
            }
        }
    }

    async fn decide(&self, fetch: &Fetch, fill: Fill<Failure>, answered: Answered, asked: Moment) -> Revalidation {
        let Answered { head, ends_by_itself, now, .. } = &answered;
        let age = corrected_initial_age(head, asked, *now);
        if head.status == StatusCode::NOT_MODIFIED {
            return self.theirs(fetch, fill, answered).await;
        }
        let old = fill.old().map(Arc::as_ref);
        match self.rules.judge(head, &self.request, old, *now, age) {
            // A break would look like the end: what may be half a page is not kept.
            OriginVerdict::Store(_) if !ends_by_itself => {
                self.not_kept(fetch, fill, answered, DeclineReason::NoLength).await
            }
            OriginVerdict::Store(_) if !fill.has_room_for(head) => {
                self.not_kept(fetch, fill, answered, DeclineReason::TooLarge).await
            }
            OriginVerdict::Store(storing) => {
                let Answered { mut head, dating, answering, now, .. } = answered;
                let recoding = fetch.recoding(&mut head);
                let terms = Terms { recoding, dating, ..self.terms(fetch, &head, storing, age) };
                match fill.begin(ours(head), now, terms) {
                    Ok(filling) => fetch.fill(filling, answering, Pushed::Kept).await,
                    Err(reason) => fetch.declined(reason),
                }
            }
            OriginVerdict::Decline(reason) => self.not_kept(fetch, fill, answered, reason).await,
            OriginVerdict::Failure => self.failed(fetch, fill, answered).await,
        }
    }

    fn terms(&self, fetch: &Fetch, head: &ResponseHead, storing: Storing, age: std::time::Duration) -> Terms {
        let Storing { variance, unshared, sharing } = storing;
        Terms {
            initial_age: Some(age),
            variant: Some(Variant::of(&variance, &self.request)),
            unshared,
            sharing,
            tagging: Tagging::Never,
            groups: fetch.groups(head),
            recoding: Recoding::Never,
            dating: Dating::ByHandler,
        }
    }

    /// The handler says that the old response is still good.
    async fn confirmed(
        &self,
        fetch: &Fetch,
        fill: Fill<Failure>,
        old: &StoredResponse,
        answered: Answered,
        asked: Moment,
    ) -> Revalidation {
        let Answered { mut head, dating, answering, now, .. } = answered;
        let age = corrected_initial_age(&head, asked, now);
        let recoding = old.recoding();
        let (judged, varies_anew) = as_its_handler_says(old, &head);
        if varies_anew && recoding == Recoding::WhenAsked {
            tell_vary(&mut head, &[ACCEPT_ENCODING]);
        }
        match self.rules.judge(&judged, &self.request, Some(old), now, age) {
            OriginVerdict::Store(storing) => {
                let unshared = storing.unshared.clone();
                let mut terms = Terms { recoding, dating, ..self.terms(fetch, &judged, storing, age) };
                terms.variant = terms.variant.filter(|_| varies_anew);
                head.fields.retain(|name, _| !unshared.contains(name));
                fill.renew(&ours(head), now, terms);
                answering.release(&fetch.gateway).await;
                Revalidation::NotModified
            }
            // What an authenticated request was told is not for others; what others had is not theirs to forget.
            OriginVerdict::Decline(DeclineReason::Authorization) => {
                answering.release(&fetch.gateway).await;
                self.ask_anew(fetch, fill).await
            }
            OriginVerdict::Decline(reason) => fetch.decline(fill, reason, now),
            // A 304 leaves the status as it was, and what is a failure was stored as one.
            OriginVerdict::Failure => fetch.decline(fill, DeclineReason::NoLifetime, now),
        }
    }

    /// The answer goes to the asker as it comes; the others who wait go on their own.
    async fn not_kept(
        &self,
        fetch: &Fetch,
        fill: Fill<Failure>,
        answered: Answered,
        reason: DeclineReason,
    ) -> Revalidation {
        let Answered { head, answering, now, .. } = answered;
        // An authenticated request says nothing of what others would get: theirs is not forgotten, and they ask themselves.
        let theirs = reason == DeclineReason::Authorization;
        match self.presence {
            Presence::Served if theirs => fetch.declined(reason),
            Presence::Served => fetch.decline(fill, reason, now),
            Presence::Waits => {
                let news = if theirs { Alone::Theirs(Some(reason)) } else { Alone::Declined(reason) };
                fetch.fill(fill.relay(ours(head), now, news), answering, Pushed::LetGo).await
            }
        }
    }

    /// A 304 without anything that it could be about: the handler answers the visitor's own conditions, if they had any.
    async fn theirs(&self, fetch: &Fetch, fill: Fill<Failure>, answered: Answered) -> Revalidation {
        let Answered { head, answering, now, .. } = answered;
        let conditional = [IF_NONE_MATCH, IF_MODIFIED_SINCE].iter().any(|name| self.request.contains_key(name));
        if !conditional || self.presence == Presence::Served {
            fetch.fail(fill, Failure::Malformed);
            return Revalidation::Failed;
        }
        fetch.fill(fill.relay(ours(head), now, Alone::Theirs(None)), answering, Pushed::LetGo).await
    }

    /// The old response helps out where it may; otherwise the asker gets the handler's error, and the others learn of it.
    async fn failed(&self, fetch: &Fetch, fill: Fill<Failure>, answered: Answered) -> Revalidation {
        let Answered { head, answering, now, .. } = answered;
        let failure = Failure::Status(head.status);
        let policy = Policy::Origin(self.rules);
        let despite = fill.old().and_then(|old| policy.despite(FailureKind::Answered, old, &self.demands, now));
        match self.presence {
            Presence::Waits if despite.is_none() => {
                fetch.log_failure(&fill, &failure);
                let filling =
                    fill.relay(ours(head), now, Alone::Failed(failure, FailureKind::Answered, fastrand::f64()));
                fetch.fill(filling, answering, Pushed::LetGo).await;
            }
            Presence::Waits | Presence::Served => fetch.fail(fill, failure),
        }
        Revalidation::Failed
    }
}

/// The head that `update` leaves of a stored response, as its handler would say it: `Vary` is what the update says, if it says
/// anything. Whether it does; otherwise the response is for whom it was.
pub(crate) fn as_its_handler_says(stored: &StoredResponse, update: &ResponseHead) -> (ResponseHead, bool) {
    let mut head = stored.updated_by(update);
    let varies_anew = update.fields.contains(&VARY);
    if !varies_anew {
        // What stands there may be the gateway's own word.
        head.fields.remove(&VARY);
    }
    (head, varies_anew)
}

/// A head on its way to visitors, which says who passed it on (RFC 9110 section 7.6.3).
fn ours(mut head: ResponseHead) -> ResponseHead {
    head.fields.append(VIA, HeaderValue::from_static(Protocol::Http11.via()));
    head
}
