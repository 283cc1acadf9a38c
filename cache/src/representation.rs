//! A representation of a stored response: what it is in one content coding (RFC 9110 section 3.2).

use std::io::Write;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, ETAG};
use http::{HeaderValue, StatusCode};

use crate::{Coding, ResponseHead};

/// A head and a body that belong together, ready to be sent.
#[derive(Clone, Debug)]
pub struct Representation {
    head: ResponseHead,
    body: Bytes,
    wire: Bytes,
}

impl Representation {
    /// A head whose `Content-Length` becomes that of `body`.
    pub(crate) fn new(mut head: ResponseHead, body: Bytes) -> Representation {
        head.fields.remove(&CONTENT_LENGTH);
        if head.status != StatusCode::NO_CONTENT {
            head.fields.append(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let wire = wire(&head);
        Representation { head, body, wire }
    }

    /// The same in a content coding, of which `body` is the result. Its entity tag is a weak one: the bytes differ, what they
    /// mean does not (RFC 9110 section 8.8.3.3). Ranges are of the identity.
    pub(crate) fn coded(&self, coding: Coding, body: Bytes) -> Representation {
        let mut head = self.head.clone();
        head.fields.remove(&ACCEPT_RANGES);
        head.fields.append(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
        if let Some(weak) = head.fields.get(&ETAG).and_then(weakened) {
            head.fields.remove(&ETAG);
            head.fields.append(ETAG, weak);
        }
        Representation::new(head, body)
    }

    /// Status and fields as visitors see them.
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }

    /// The whole body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The status line and the fields as HTTP/1.1 writes them, without the empty line: made once, sent many times.
    pub fn wire(&self) -> &Bytes {
        &self.wire
    }

    /// What it takes in memory, in bytes: its fields twice (as values and as they are sent) and its body.
    pub(crate) fn size(&self) -> usize {
        const LINE: usize = size_of::<(http::HeaderName, HeaderValue)>();
        self.head.fields.size() + self.head.fields.len() * LINE + self.wire.len() + self.body.len()
    }
}

/// A strong entity tag as a weak one; none when it is weak already.
fn weakened(etag: &HeaderValue) -> Option<HeaderValue> {
    if etag.as_bytes().starts_with(b"W/") {
        return None;
    }
    HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat()).ok()
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
