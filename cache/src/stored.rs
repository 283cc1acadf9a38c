//! A stored response: what the cache keeps. Never changed, only replaced.

use std::io::Write;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AGE, CACHE_CONTROL, CONTENT_LENGTH, DATE, ETAG, EXPIRES, LAST_MODIFIED};
use http::{HeaderName, HeaderValue};

use crate::directives::delta_seconds;
use crate::{CacheControl, Moment, ResponseHead};

/// A whole response with the times that its freshness is computed from.
#[derive(Debug)]
pub struct StoredResponse {
    head: ResponseHead,
    body: Bytes,
    received: Moment,
    initial_age: Duration,
    explicit_lifetime: Option<Duration>,
    generated_etag: bool,
    wire: Bytes,
}

impl StoredResponse {
    /// A response whose head arrived at `received` and whose body is whole. `Age` is taken out of the head and remembered;
    /// `Content-Length` becomes the body's. `etag` is the one the gateway made, where the handler gave none: it is told to
    /// visitors and never to the handler.
    pub fn new(mut head: ResponseHead, body: Bytes, received: Moment, etag: Option<HeaderValue>) -> StoredResponse {
        let initial_age = age_value(&head);
        let explicit_lifetime = explicit_lifetime(&head, received);
        head.fields.remove(&AGE);
        head.fields.remove(&CONTENT_LENGTH);
        if head.status != http::StatusCode::NO_CONTENT {
            head.fields.append(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let etag = etag.filter(|_| !head.fields.contains(&ETAG));
        let generated_etag = etag.is_some();
        if let Some(etag) = etag {
            head.fields.append(ETAG, etag);
        }
        let wire = wire(&head);
        StoredResponse { head, body, received, initial_age, explicit_lifetime, generated_etag, wire }
    }

    /// The same body, confirmed by a 304 (Not Modified) whose head arrived at `received`: the fields that the 304 carries
    /// replace those stored (RFC 9111 section 3.2).
    pub fn renewed(&self, not_modified: &ResponseHead, received: Moment) -> StoredResponse {
        let mut head = self.head.clone();
        head.fields.remove(&AGE);
        let updates = |name: &HeaderName| not_modified.fields.contains(name) && !about_the_body(name);
        head.fields.retain(|name, _| !updates(name));
        for (name, value) in not_modified.fields.iter().filter(|(name, _)| updates(name)) {
            head.fields.append(name.clone(), value.clone());
        }
        let mut renewed = StoredResponse::new(head, self.body.clone(), received, None);
        renewed.generated_etag = self.generated_etag && !not_modified.fields.contains(&ETAG);
        renewed
    }

    /// Status and fields as visitors see them.
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }

    /// The status line and the fields as HTTP/1.1 writes them, without the empty line: made once, sent many times.
    pub fn wire(&self) -> &Bytes {
        &self.wire
    }

    /// The whole body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The current age (RFC 9111 section 4.2.3): what it had when it came, and the time it has been here.
    pub fn age(&self, now: Moment) -> Duration {
        self.initial_age.saturating_add(self.resident(now))
    }

    /// How long it has been here.
    pub fn resident(&self, now: Moment) -> Duration {
        now.since(self.received)
    }

    /// The handler's own word on how long it is good from when it came, if it gave one.
    pub fn explicit_lifetime(&self) -> Option<Duration> {
        self.explicit_lifetime
    }

    /// The entity tag that the handler gave; one made by the gateway means nothing to it.
    pub fn handler_etag(&self) -> Option<&HeaderValue> {
        self.head.fields.get(&ETAG).filter(|_| !self.generated_etag)
    }

    /// The modification date that the handler gave.
    pub fn last_modified(&self) -> Option<&HeaderValue> {
        self.head.fields.get(&LAST_MODIFIED)
    }

    /// Whether the handler can be asked if it is still good: a 200 that it gave a validator.
    pub fn can_be_confirmed(&self) -> bool {
        self.head.status == http::StatusCode::OK && (self.handler_etag().is_some() || self.last_modified().is_some())
    }

    /// Whether a 304 with this head speaks of it: a strong tag must be its own (RFC 9111 section 4.3.4).
    pub fn is_meant_by(&self, not_modified: &ResponseHead) -> bool {
        match not_modified.fields.get(&ETAG) {
            Some(etag) if !etag.as_bytes().starts_with(b"W/") => self.handler_etag() == Some(etag),
            Some(_) | None => true,
        }
    }

    /// What it takes in memory, in bytes: its fields twice (as values and as they are sent), its body, and the bookkeeping.
    pub fn size(&self) -> usize {
        const LINE: usize = size_of::<(HeaderName, HeaderValue)>();
        size_of::<Self>() + self.head.fields.size() + self.head.fields.len() * LINE + self.wire.len() + self.body.len()
    }
}

/// Fields that describe the body that was sent with them; a 304 has none, so what it says of them is not taken over.
fn about_the_body(name: &HeaderName) -> bool {
    [CONTENT_LENGTH, http::header::CONTENT_ENCODING, http::header::CONTENT_TYPE, http::header::CONTENT_RANGE]
        .contains(name)
}

/// The value of `Age`, of a list its first; unreadable or absent is zero (RFC 9111 sections 5.1 and 1.2.2).
pub(crate) fn age_value(head: &ResponseHead) -> Duration {
    let Some(age) = head.fields.get(&AGE) else { return Duration::ZERO };
    delta_seconds(age.as_bytes().split(|byte| *byte == b',').next().map(<[u8]>::trim_ascii))
}

/// What the handler says itself: `s-maxage`, else `max-age`, else `Expires` less `Date` (RFC 9111 section 4.2.1), less the age
/// with which it came. An invalid date in `Expires` lies in the past (section 5.3).
pub(crate) fn explicit_lifetime(head: &ResponseHead, received: Moment) -> Option<Duration> {
    let directives = CacheControl::parse(head.fields.get_all(&CACHE_CONTROL));
    let lifetime = directives.lifetime().or_else(|| {
        let expires = head.fields.get(&EXPIRES)?;
        let date = head.fields.get(&DATE).and_then(date_value).unwrap_or(received.wall);
        Some(date_value(expires).and_then(|expires| expires.duration_since(date).ok()).unwrap_or_default())
    })?;
    Some(lifetime.saturating_sub(age_value(head)))
}

fn date_value(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

fn wire(head: &ResponseHead) -> Bytes {
    let mut wire = Vec::with_capacity(32 + head.fields.size());
    let reason = head.status.canonical_reason().unwrap_or("");
    // Writing to memory does not fail.
    let _ = write!(wire, "HTTP/1.1 {} {}\r\n", head.status.as_u16(), reason);
    for (name, value) in head.fields.iter() {
        wire.extend_from_slice(name.as_str().as_bytes());
        wire.extend_from_slice(b": ");
        wire.extend_from_slice(value.as_bytes());
        wire.extend_from_slice(b"\r\n");
    }
    wire.into()
}

#[cfg(test)]
mod tests;
