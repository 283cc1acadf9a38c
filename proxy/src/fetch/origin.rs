//! What becomes of an answer where the handler's word counts: it was asked with one visitor's whole request, so an answer that is
//! not kept is for that visitor alone.

use std::sync::Arc;
use std::time::Duration;

use evergate_cache::{
    Alone, DeclineReason, Demands, FailureKind, Fill, Missing, Moment, OriginRules, OriginVerdict, Policy, Pushed,
    Recoding, ResponseHead, StoredResponse, Storing, Tagging, Terms, Update, Variant, corrected_initial_age,
};
use http::header::{ACCEPT_ENCODING, IF_MODIFIED_SINCE, IF_NONE_MATCH, VARY, VIA};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Answered, Errand, Fetch};
use crate::admission::Selected;
use crate::failure::Failure;
use crate::metrics::Revalidation;
use crate::request::Protocol;
use crate::rules::FieldLines;

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
            Errand::Miss | Errand::Ahead => Presence::Waits,
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
            Some(old) if old.is_confirmed_by(&answered.head) => {
                self.confirmed(fetch, fill, &old, answered, asked).await
            }
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
                let Answered { mut head, dating, tags, answering, now, .. } = answered;
                let recoding = fetch.recoding(&mut head);
                let tags = fetch.tags(&tags);
                let terms = Terms { recoding, dating, tags, ..terms(fetch, &head, storing, &self.request, age) };
                match fill.begin(ours(head), now, terms) {
                    Ok(filling) => fetch.fill(filling, answering, Pushed::Kept).await,
                    Err(reason) => fetch.declined(reason),
                }
            }
            OriginVerdict::Decline(reason) => self.not_kept(fetch, fill, answered, reason).await,
            OriginVerdict::Failure => self.failed(fetch, fill, answered).await,
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
        let Answered { mut head, dating, tags, answering, now, .. } = answered;
        let age = corrected_initial_age(&head, asked, now);
        let update = Update { head: &head, request: &self.request, received: now, age, site: &fetch.site, dating };
        match self.rules.judge_update(old, &update) {
            Ok(mut terms) => {
                if !tags.is_empty() {
                    terms.tags = fetch.tags(&tags);
                }
                if head.fields.contains(&VARY) && terms.recoding == Recoding::WhenAsked {
                    head.fields.tell_vary(&[ACCEPT_ENCODING]);
                }
                fill.renew(&ours(head), now, terms);
                answering.release(&fetch.route.upstream);
                Revalidation::NotModified
            }
            // What an authenticated request was told is not for others, nor what one was told that did not want what is fresh;
            // what others had is not theirs to forget.
            Err(reason) if self.is_theirs(&fill, reason) => {
                answering.release(&fetch.route.upstream);
                self.ask_anew(fetch, fill).await
            }
            Err(reason) => fetch.decline(fill, reason, now),
        }
    }

    /// Whether an answer that is not kept says nothing of what others would get.
    fn is_theirs(&self, fill: &Fill<Failure>, reason: DeclineReason) -> bool {
        reason == DeclineReason::Authorization || fill.missing() == Missing::Request
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
        // Theirs is not forgotten, and the others ask themselves.
        let theirs = self.is_theirs(&fill, reason);
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
        let despite = fill.despite(FailureKind::Answered, &policy, &self.demands, now);
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

/// On which terms an answer is kept that was asked for with these fields.
fn terms(fetch: &Fetch, head: &ResponseHead, storing: Storing, request: &HeaderMap, age: Duration) -> Terms {
    let Storing { variance, unshared, sharing } = storing;
    Terms {
        initial_age: Some(age),
        variant: Some(Variant::of(&variance, request)),
        unshared,
        sharing,
        tagging: Tagging::Never,
        groups: fetch.groups(head),
        ..Terms::default()
    }
}

/// A head on its way to visitors, which says who passed it on (RFC 9110 section 7.6.3).
fn ours(mut head: ResponseHead) -> ResponseHead {
    head.fields.append(VIA, HeaderValue::from_static(Protocol::Http11.via()));
    head
}
