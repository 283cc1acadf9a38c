//! A representation of a stored response: what it is in one content coding (RFC 9110 section 3.2).

use std::io::Write;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, ETAG};
use http::{HeaderName, HeaderValue, StatusCode};
use memchr::{memchr, memchr_iter};

use crate::memory::allocated;
use crate::{Coding, Fields, ResponseHead};

/// What [`Bytes`] keeps once there are copies of it: where it begins, how long it is, and how many there are.
const COUNTED: usize = 3 * size_of::<usize>();

/// A head and a body that belong together, ready to be sent: one piece of memory, in which fields are looked for where they are
/// wanted. Most are only sent.
#[derive(Clone, Debug)]
pub struct Representation {
    /// The status line and the fields as HTTP/1.1 writes them, without the empty line, and then the body.
    whole: Bytes,
    /// Where the body begins: a head is far below 4 GiB.
    body_begins: u32,
    status: StatusCode,
}

impl Representation {
    /// A head whose `Content-Length` becomes that of `body`.
    pub(crate) fn new(head: ResponseHead, body: &[u8]) -> Representation {
        Representation::written(head, body.len(), |whole| whole.extend_from_slice(body))
    }

    /// The same with a body of this length that `write` appends.
    pub(crate) fn written(mut head: ResponseHead, length: usize, write: impl FnOnce(&mut Vec<u8>)) -> Representation {
        head.fields.remove(&CONTENT_LENGTH);
        if head.status != StatusCode::NO_CONTENT {
            head.fields.append(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let reason = head.status.canonical_reason().unwrap_or("");
        let first = format!("HTTP/1.1 {} {reason}\r\n", head.status.as_u16());
        // As much as it takes: what is stored has no room to grow.
        let mut whole = Vec::with_capacity(first.len() + head.fields.size() + length);
        whole.extend_from_slice(first.as_bytes());
        for (name, value) in head.fields.iter() {
            // Writing to memory does not fail.
            let _ = write!(whole, "{name}: ");
            whole.extend_from_slice(value.as_bytes());
            whole.extend_from_slice(b"\r\n");
        }
        let body_begins = u32::try_from(whole.len()).unwrap_or(u32::MAX);
        write(&mut whole);
        Representation { whole: whole.into(), body_begins, status: head.status }
    }

    /// The same in a content coding, of which `body` is the result. Its entity tag is a weak one: the bytes differ, what they
    /// mean does not (RFC 9110 section 8.8.3.3). Ranges are of the identity.
    pub(crate) fn coded(&self, coding: Coding, body: &[u8]) -> Representation {
        let mut head = self.head();
        head.fields.remove(&ACCEPT_RANGES);
        head.fields.append(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
        if let Some(weak) = head.fields.get(&ETAG).and_then(weakened) {
            head.fields.remove(&ETAG);
            head.fields.append(ETAG, weak);
        }
        Representation::new(head, body)
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Status and fields as visitors see them, read from what is sent. They hold the whole in memory as long as they live.
    pub fn head(&self) -> ResponseHead {
        let lines = self.lines().filter_map(|(name, value)| {
            Some((
                HeaderName::from_bytes(name).ok()?,
                HeaderValue::from_maybe_shared(self.whole.slice_ref(value)).ok()?,
            ))
        });
        ResponseHead { status: self.status, fields: lines.collect::<Fields>() }
    }

    /// The first line of this name.
    pub fn field(&self, name: &HeaderName) -> Option<&[u8]> {
        let (wire, name) = (self.wire(), name.as_str().as_bytes());
        // Every line but the first follows the end of another, and none holds such an end.
        let mut ends = memchr_iter(b'\n', wire);
        let value = ends.find_map(|end| wire[end + 1..].strip_prefix(name)?.strip_prefix(b": "))?;
        Some(&value[..memchr(b'\r', value)?])
    }

    /// The same as a value of its own.
    pub fn value(&self, name: &HeaderName) -> Option<HeaderValue> {
        HeaderValue::from_maybe_shared(self.whole.slice_ref(self.field(name)?)).ok()
    }

    /// The whole body.
    pub fn body(&self) -> Bytes {
        self.whole.slice(self.body_begins()..)
    }

    /// Its length, in bytes.
    pub fn length(&self) -> usize {
        self.whole.len() - self.body_begins()
    }

    /// The status line and the fields as HTTP/1.1 writes them, without the empty line: made once, sent many times.
    pub fn wire(&self) -> &[u8] {
        &self.whole[..self.body_begins()]
    }

    /// Whether both have the same body, to the byte.
    pub(crate) fn shares_body_with(&self, other: &Representation) -> bool {
        let (own, its) = (&self.whole[self.body_begins()..], &other.whole[other.body_begins()..]);
        std::ptr::eq(own, its) || own == its
    }

    /// What it holds beside itself, in bytes: what is sent.
    pub(crate) fn size(&self) -> usize {
        allocated(self.whole.len()) + allocated(COUNTED)
    }

    fn body_begins(&self) -> usize {
        self.body_begins as usize
    }

    /// Names and values as they stand there. No name holds a colon, and no value ends a line.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut lines = self.wire().split(|byte| *byte == b'\n');
        // The status line.
        lines.next();
        lines.filter_map(|line| {
            let line = line.strip_suffix(b"\r")?;
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((&line[..colon], line.get(colon + 2..)?))
        })
    }
}

/// A strong entity tag as a weak one; none when it is weak already.
fn weakened(etag: &HeaderValue) -> Option<HeaderValue> {
    if etag.as_bytes().starts_with(b"W/") {
        return None;
    }
    HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat()).ok()
}

#[cfg(test)]
mod tests;
