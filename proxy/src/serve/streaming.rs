//! What is sent of a response that is being filled, as it comes.

use std::borrow::Cow;

use bytes::Bytes;
use evergate_cache::{
    BodyReader, Cut, Part, Policy, Requested, Streaming, content_range, content_range_unsatisfied, not_modified,
};
use http::header::{AGE, ETAG, LAST_MODIFIED};
use http::{Method, StatusCode};

use super::confirm::{Holds, confirmation, partial, sendable, unsatisfied};
use super::{Served, Serving, Shared};
use crate::outcome::Outcome;
use crate::respond::{Added, Framing, Gone, Head, Lines, Responder, WholeBody};

impl Serving<'_> {
    /// Sends a response that is being filled, as it comes.
    pub(super) async fn stream<R: Responder>(
        &self,
        streaming: &Streaming,
        mut reader: BodyReader,
        (outcome, shared): (Outcome, &Shared),
        responder: &mut R,
    ) -> Served {
        let head = streaming.head();
        let fields = &head.fields;
        let told = self.told(head.status, |name| fields.contains(name));
        let (age, received) = (streaming.age(self.gateway.clock.now()), streaming.received());
        let age = if shared.invalidated { self.used_up(age, head, received) } else { age };
        let from_a_cache = shared.collapsed || shared.invalidated || fields.contains(&AGE);
        let added = Added { outcome: &outcome, age: from_a_cache.then_some(age.as_secs()), told };
        if head.status == StatusCode::OK && self.has_what_comes(streaming, shared) {
            let sent = responder.whole(&confirmation(fields.clone(), added), WholeBody::EMPTY).await;
            return self.done(outcome, sent.ok().map(|()| StatusCode::NOT_MODIFIED));
        }
        let announced = head.content_length().or(reader.whole_length());
        match self.part_of_what_comes(streaming, announced) {
            Requested::One(part) => {
                let range = content_range(part, announced.unwrap_or_default());
                let head = partial(fields.clone(), Holds::One(range), added);
                if responder.head(&head, Framing::Length(part.length())).await.is_ok() {
                    // A visitor who leaves in the middle has seen the status.
                    let _ = forward_part(&mut reader, part, responder).await;
                }
                return self.done(outcome, Some(StatusCode::PARTIAL_CONTENT));
            }
            Requested::Unsatisfiable => {
                let length = content_range_unsatisfied(announced.unwrap_or_default());
                let sent = responder.whole(&unsatisfied(fields, length, added), WholeBody::EMPTY).await;
                return self.done(outcome, sent.ok().map(|()| StatusCode::RANGE_NOT_SATISFIABLE));
            }
            Requested::Whole | Requested::Several(_) => {}
        }
        let mut sent_fields = sendable(fields.clone(), &added);
        sent_fields.remove(&AGE);
        if !shared.collapsed {
            for (name, value) in streaming.unshared().iter() {
                sent_fields.append(name.clone(), value.clone());
            }
        }
        let lines = Lines::Given(head.status, Cow::Owned(sent_fields));
        if responder.head(&Head { lines, added }, framing(head.status, announced)).await.is_err() {
            return self.done(outcome, None);
        }
        if self.request.method != Method::HEAD {
            // A visitor who leaves in the middle has seen the status.
            let _ = forward(&mut reader, responder).await;
        }
        self.done(outcome, Some(head.status))
    }

    /// Whether the visitor's conditions say that they have it. Where the handler decides, it saw the conditions of whoever asked,
    /// and chose to answer like this.
    fn has_what_comes(&self, streaming: &Streaming, shared: &Shared) -> bool {
        let fields = &streaming.head().fields;
        let handlers_choice = matches!(self.selected.policy, Policy::Origin(_)) && !shared.collapsed;
        !handlers_choice && not_modified(&self.request.headers, fields.get(&ETAG), fields.get(&LAST_MODIFIED))
    }

    /// What of it is asked for, where its length is known.
    fn part_of_what_comes(&self, streaming: &Streaming, length: Option<u64>) -> Requested {
        match (length, self.selected.policy) {
            (Some(length), Policy::Window(..)) => self.part_of(streaming.head(), streaming.handler_date(), length),
            (Some(_) | None, Policy::Window(..) | Policy::Origin(_)) => Requested::Whole,
        }
    }
}

/// Sends every piece as it comes. A body that was cut is cut here too.
async fn forward<R: Responder>(reader: &mut BodyReader, responder: &mut R) -> Result<(), Gone> {
    while let Some(piece) = next(reader, responder).await? {
        responder.piece(piece).await?;
    }
    responder.end().await
}

/// Sends what belongs to a part, and reads no further.
async fn forward_part<R: Responder>(reader: &mut BodyReader, part: Part, responder: &mut R) -> Result<(), Gone> {
    let mut skip = part.first();
    let mut left = part.length();
    while left > 0 {
        let Some(mut piece) = next(reader, responder).await? else {
            // Shorter than it was announced to be.
            responder.cut().await;
            return Err(Gone);
        };
        let skipped = skip.min(piece.len() as u64);
        skip -= skipped;
        // Both are at most the length of a piece in memory.
        piece = piece.slice(usize::try_from(skipped).unwrap_or_default()..);
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= piece.len() as u64;
        responder.piece(piece).await?;
    }
    responder.end().await
}

/// The next piece, unless the visitor leaves. A body that was cut is cut here too.
async fn next<R: Responder>(reader: &mut BodyReader, responder: &mut R) -> Result<Option<Bytes>, Gone> {
    let next = tokio::select! {
        biased;
        next = reader.next() => next,
        () = responder.gone() => return Err(Gone),
    };
    match next {
        Ok(piece) => Ok(piece),
        Err(Cut) => {
            responder.cut().await;
            Err(Gone)
        }
    }
}

/// How the visitor learns where a body ends: by its length, where that is known.
fn framing(status: StatusCode, length: Option<u64>) -> Framing {
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Framing::Bodiless;
    }
    length.map_or(Framing::Unknown, Framing::Length)
}
