//! Answers whose fields the rules change on their way to the visitor.

use bytes::Bytes;
use evergate_cache::{CDN_CACHE_CONTROL, ResponseHead};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH};
use http::{HeaderName, HeaderValue};

use super::{Framing, Gone, Head, Lines, Responder, WholeBody};
use crate::rules::Changes;

/// A way back to a visitor on which the rules change the answer's fields. They are changed as it is sent: what is stored stays
/// as the handler said it.
#[derive(Debug)]
pub struct Amended<'a, R> {
    inner: &'a mut R,
    changes: &'a Changes,
}

impl<'a, R: Responder> Amended<'a, R> {
    /// `inner`, with these changes.
    pub fn new(inner: &'a mut R, changes: &'a Changes) -> Amended<'a, R> {
        Amended { inner, changes }
    }

    /// The head with all its fields, those that the gateway adds included, changed.
    fn amend<'h>(&self, head: &Head<'h>) -> Head<'h> {
        let status = head.lines.status();
        let mut fields = head.lines.fields().into_owned();
        // The responder tells the length.
        fields.remove(&CONTENT_LENGTH);
        let mut scratch = String::new();
        // Targeted fields count before `Cache-Control` (RFC 9213 section 2.2): the gateway's own would contradict the rule's.
        let overruled = |name: &str| CDN_CACHE_CONTROL == *name && self.changes.concern(&CACHE_CONTROL);
        head.each_added(&mut scratch, |name, value| {
            if let Ok(value) = HeaderValue::from_bytes(value)
                && !overruled(name)
            {
                fields.append(HeaderName::from_static(name), value);
            }
        });
        self.changes.apply_to_answer(&mut fields, status);
        Head { lines: Lines::Amended(status, fields), added: head.added }
    }
}

impl<R: Responder> Responder for Amended<'_, R> {
    async fn head(&mut self, head: &Head<'_>, framing: Framing) -> Result<(), Gone> {
        if self.changes.is_empty() {
            return self.inner.head(head, framing).await;
        }
        let amended = self.amend(head);
        self.inner.head(&amended, framing).await
    }

    async fn begin(&mut self, head: &Head<'_>, framing: Framing, piece: Bytes, last: bool) -> Result<(), Gone> {
        if self.changes.is_empty() {
            return self.inner.begin(head, framing, piece, last).await;
        }
        let amended = self.amend(head);
        self.inner.begin(&amended, framing, piece, last).await
    }

    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Gone> {
        self.inner.interim(head).await
    }

    async fn piece(&mut self, piece: Bytes) -> Result<(), Gone> {
        self.inner.piece(piece).await
    }

    async fn end(&mut self) -> Result<(), Gone> {
        self.inner.end().await
    }

    async fn whole(&mut self, head: &Head<'_>, body: WholeBody) -> Result<(), Gone> {
        if self.changes.is_empty() {
            return self.inner.whole(head, body).await;
        }
        let amended = self.amend(head);
        self.inner.whole(&amended, body).await
    }

    async fn cut(&mut self) {
        self.inner.cut().await;
    }

    fn close_afterwards(&mut self) {
        self.inner.close_afterwards();
    }

    async fn gone(&mut self) {
        self.inner.gone().await;
    }
}
