//! What becomes of an answer on a route with a window: the handler was asked for everyone, so an answer that is kept is for
//! everyone who waits, and one that is not is for nobody.

use std::sync::Arc;

use evergate_cache::{DeclineReason, Fill, Pushed, Terms, Verdict, Windows, forbidden, judge};
use http::StatusCode;
use http::header::{ACCEPT_ENCODING, VARY};
use tokio::time::timeout_at;

use super::answer::tell_vary;
use super::{Answered, Fetch};
use crate::failure::{ErrorAnswer, Failure};
use crate::metrics::Revalidation;

/// A route's windows as a judge.
pub(super) struct Windowed(pub(super) Windows);

impl Windowed {
    /// The head is there: what becomes of the answer?
    pub(super) async fn judge(&self, fetch: &Fetch, fill: Fill<Failure>, answered: Answered) -> Revalidation {
        let now = answered.now;
        if answered.head.status == StatusCode::NOT_MODIFIED {
            return not_modified(fetch, fill, answered).await;
        }
        match judge(&answered.head) {
            // A break would look like the end: what may be half a page is not kept.
            Verdict::Store if !answered.ends_by_itself => fetch.decline(fill, DeclineReason::NoLength, now),
            Verdict::Store if !self.0.keeps(&answered.head, now) => fetch.decline(fill, DeclineReason::NoLifetime, now),
            Verdict::Store => keep(fetch, fill, answered).await,
            Verdict::Decline(reason) => fetch.decline(fill, reason, now),
            Verdict::Failure => {
                let Answered { head, mut answering, .. } = answered;
                let idle = fetch.route.upstream.timeouts.idle;
                let body = timeout_at(fetch.deadline, answering.error_body(idle)).await;
                fetch.fail(fill, Failure::Answer(Arc::new(ErrorAnswer::new(head, body.ok().flatten()))));
                Revalidation::Failed
            }
        }
    }
}

async fn keep(fetch: &Fetch, fill: Fill<Failure>, answered: Answered) -> Revalidation {
    let Answered { mut head, dating, answering, now, .. } = answered;
    let groups = fetch.groups(&head);
    let recoding = fetch.recoding(&mut head);
    tell_vary(&mut head, &fetch.route.tell_vary);
    match fill.begin(head, now, Terms { groups, recoding, dating, ..Terms::default() }) {
        Ok(filling) => fetch.fill(filling, answering, Pushed::Kept).await,
        Err(reason) => fetch.declined(reason),
    }
}

/// The handler says that the old response is still good, which counts only where it was asked.
async fn not_modified(fetch: &Fetch, fill: Fill<Failure>, answered: Answered) -> Revalidation {
    let Answered { mut head, dating, answering, now, .. } = answered;
    let old = fill.old().filter(|old| old.can_be_confirmed() && old.is_meant_by(&head)).map(Arc::clone);
    let Some(old) = old else {
        fetch.fail(fill, Failure::Malformed);
        return Revalidation::Failed;
    };
    if let Some(reason) = forbidden(&head) {
        return fetch.decline(fill, reason, now);
    }
    let recoding = old.recoding_with(&old.updated_by(&head));
    if head.fields.contains(&VARY) {
        tell_vary(&mut head, &fetch.route.tell_vary);
        if recoding == evergate_cache::Recoding::WhenAsked {
            tell_vary(&mut head, &[ACCEPT_ENCODING]);
        }
    }
    let groups = fetch.groups(&old.updated_by(&head));
    fill.renew(&head, now, Terms { groups, recoding, dating, ..Terms::default() });
    answering.release(&fetch.gateway).await;
    Revalidation::NotModified
}
