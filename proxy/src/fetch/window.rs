//! What becomes of an answer on a route with a window: the handler was asked for everyone, so an answer that is kept is for
//! everyone who waits, and one that is not is for nobody.

use std::sync::Arc;
use std::time::Duration;

use evergate_cache::{
    Arrival, DeclineReason, Fill, Moment, Pushed, ResponseHead, Terms, Verdict, Window, Windows, X_NEXTJS_CACHE,
    age_value, judge,
};
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderValue, StatusCode};
use tokio::time::timeout_at;

use super::{Answered, Fetch, MAX_ERROR_BODY};
use crate::config::Kind;
use crate::failure::{ErrorAnswer, Failure, Refusal};
use crate::forwarded::RSC;
use crate::metrics::Revalidation;
use crate::rules::FieldLines;

/// A route's windows as a judge.
pub(super) struct Windowed(pub(super) Windows);

impl Windowed {
    /// The head is there: what becomes of the answer?
    pub(super) async fn judge(&self, fetch: &Fetch, fill: Fill<Failure>, answered: Answered) -> Revalidation {
        let now = answered.now;
        if answered.head.status == StatusCode::NOT_MODIFIED {
            return self.not_modified(fetch, fill, answered).await;
        }
        match self.verdict(fetch, &fill, &answered) {
            Verdict::Store => self.keep(fetch, fill, answered).await,
            Verdict::Decline(reason) => not_kept(fetch, fill, reason, now),
            Verdict::Failure => {
                let Answered { head, mut answering, .. } = answered;
                let idle = fetch.route.upstream.timeouts.idle;
                let body = timeout_at(fetch.deadline, answering.whole_body(idle, MAX_ERROR_BODY)).await;
                fetch.fail(fill, Failure::Answer(Arc::new(ErrorAnswer::new(head, body.ok().flatten()))));
                Revalidation::Failed
            }
        }
    }

    /// Whether the answer is kept.
    fn verdict(&self, fetch: &Fetch, fill: &Fill<Failure>, answered: &Answered) -> Verdict {
        let Answered { head, ends_by_itself, now, .. } = answered;
        let reason = match judge(head, fetch.route.heed, *now) {
            // A break would look like the end: what may be half a page is not kept.
            Verdict::Store if !ends_by_itself => DeclineReason::NoLength,
            Verdict::Store if !self.0.keeps(head, *now) => DeclineReason::NoLifetime,
            Verdict::Store if !fill.has_room_for(head) => DeclineReason::TooLarge,
            Verdict::Store if is_for_the_router(fetch, head) => DeclineReason::Vary,
            verdict @ (Verdict::Store | Verdict::Decline(_) | Verdict::Failure) => return verdict,
        };
        Verdict::Decline(reason)
    }

    async fn keep(&self, fetch: &Fetch, fill: Fill<Failure>, answered: Answered) -> Revalidation {
        let Answered { mut head, dating, tags, answering, now, .. } = answered;
        let groups = fetch.groups(&head);
        let recoding = fetch.recoding(&mut head);
        let arrival = Arrival::of(&head, fetch.route.heed, now);
        let initial_age = self.age_on_arrival(&head, arrival);
        head.fields.tell_vary(&fetch.route.tell_vary);
        let (tags, making) = (fetch.tags(&tags), fetch.making);
        let terms = Terms { initial_age, groups, tags, recoding, dating, arrival, making, ..Terms::default() };
        match fill.begin(head, now, terms) {
            Ok(filling) => fetch.fill(filling, answering, Pushed::Kept).await,
            Err(reason) => fetch.declined(reason),
        }
    }

    /// The handler says that the old response is still good, which counts only where it was asked.
    async fn not_modified(&self, fetch: &Fetch, fill: Fill<Failure>, answered: Answered) -> Revalidation {
        let Answered { mut head, dating, tags, answering, now, .. } = answered;
        let old = fill.old().filter(|old| old.can_be_confirmed() && old.is_meant_by(&head)).map(Arc::clone);
        let Some(old) = old else {
            fetch.fail(fill, Failure::Malformed);
            return Revalidation::Failed;
        };
        // What is kept is what was there with what the 304 says of it (RFC 9111 section 3.2).
        let merged = old.updated_by(&head);
        // But what Next.js called stale once is what it is now.
        let mut said = merged.clone();
        said.fields.remove(&X_NEXTJS_CACHE);
        for value in head.fields.get_all(&X_NEXTJS_CACHE) {
            said.fields.append(X_NEXTJS_CACHE, value.clone());
        }
        match judge(&merged, fetch.route.heed, now) {
            Verdict::Decline(reason) => return not_kept(fetch, fill, reason, now),
            Verdict::Store | Verdict::Failure => {}
        }
        let recoding = old.recoding_with(&merged);
        if head.fields.contains(&VARY) {
            head.fields.tell_vary(&fetch.route.tell_vary);
            if recoding == evergate_cache::Recoding::WhenAsked {
                head.fields.tell_vary(&[ACCEPT_ENCODING]);
            }
        }
        let groups = fetch.groups(&merged);
        // A 304 without tags says nothing of them.
        let tags = if tags.is_empty() { old.tags() } else { fetch.tags(&tags) };
        let arrival = Arrival::of(&said, fetch.route.heed, now);
        let initial_age = self.age_on_arrival(&head, arrival);
        fill.renew(&head, now, Terms { initial_age, groups, tags, recoding, dating, arrival, ..Terms::default() });
        answering.release(&fetch.route.upstream);
        Revalidation::NotModified
    }

    /// What was stale when it came has used up its window: caches in front must not keep it for another.
    fn age_on_arrival(&self, head: &ResponseHead, arrival: Arrival) -> Option<Duration> {
        match (arrival, self.0.revalidate) {
            (Arrival::Stale, Window::For(window)) if about_a_page(head.status) => Some(window.max(age_value(head))),
            (Arrival::Stale | Arrival::Fresh, Window::For(_) | Window::Forever) => None,
        }
    }
}

/// An answer that is not kept is declined, or an error where the route takes it for one.
fn not_kept(fetch: &Fetch, fill: Fill<Failure>, reason: DeclineReason, now: Moment) -> Revalidation {
    if fetch.route.unkept.refuses(reason) {
        fetch.fail(fill, Failure::Refused(Refusal::NotKept(reason)));
        return Revalidation::Failed;
    }
    fetch.decline(fill, reason, now)
}

/// Whether a page of Next.js came in the form that its router understands although a browser asked, which nobody else may get.
fn is_for_the_router(fetch: &Fetch, head: &ResponseHead) -> bool {
    match fetch.route.serves {
        Kind::Handler => false,
        Kind::Page => {
            const COMPONENT: &[u8] = b"text/x-component";
            let is_component = |value: &HeaderValue| {
                value.as_bytes().get(..COMPONENT.len()).is_some_and(|start| start.eq_ignore_ascii_case(COMPONENT))
            };
            head.fields.get(&CONTENT_TYPE).is_some_and(is_component) && fetch.request.field(&RSC).is_none()
        }
    }
}

/// Whether an answer is a page, or says that one is still good.
fn about_a_page(status: StatusCode) -> bool {
    status.is_success() || status == StatusCode::NOT_MODIFIED
}
