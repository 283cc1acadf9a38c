//! A representation of a stored response: what it is in one content coding (RFC 9110 section 3.2).

use std::io::Write;
use std::iter::repeat_n;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, ETAG};
use http::{HeaderName, HeaderValue, StatusCode};
use memchr::{memchr, memchr_iter};
use prefetch_index::prefetch_index;
use triomphe::{Arc, HeaderSlice};

use crate::memory::counted;
use crate::{Coding, Fields, ResponseHead};

/// How much of a representation is fetched from memory ahead, in bytes. Beyond it the processor sees by itself what is next.
const PREFETCHED: usize = 2048;

/// What a processor fetches from memory at a time, in bytes; some fetch twice as much.
const CACHE_LINE: usize = 64;

/// Counted bytes: one count before them, because nobody looks at them without holding them.
type Piece = Arc<HeaderSlice<(), [u8]>>;

/// A head and a body that belong together, ready to be sent: one piece of memory, in which fields are looked for where they are
/// wanted. Most are only sent.
#[derive(Clone, Debug)]
pub struct Representation {
    /// The status line and the fields as HTTP/1.1 writes them, without the empty line, and then the body.
    piece: Piece,
    /// Where the body begins: a head is far below 4 GiB.
    body_begins: u32,
    status: StatusCode,
    tagging: Tagging,
    attempts: Attempts,
}

/// Who gave a representation its entity tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tagging {
    /// Its handler, if anybody.
    ByHandler,
    /// The gateway.
    ByGateway,
}

/// Which codings of a body were tried, a bit for each. A copy begins where the other is.
#[derive(Debug, Default)]
struct Attempts(AtomicU8);

impl Clone for Attempts {
    fn clone(&self) -> Attempts {
        Attempts(AtomicU8::new(self.0.load(Ordering::Acquire)))
    }
}

/// A piece as [`Bytes`] know it.
struct Whole(Piece);

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.0.slice
    }
}

impl Representation {
    /// A head whose `Content-Length` becomes that of `body`.
    pub(crate) fn new(head: ResponseHead, tagging: Tagging, body: &[u8]) -> Representation {
        Representation::written(head, tagging, body.len(), |room| room.copy_from_slice(body))
    }

    /// The same with a body of this length that `write` puts into its room.
    pub(crate) fn written(
        mut head: ResponseHead,
        tagging: Tagging,
        length: usize,
        write: impl FnOnce(&mut [u8]),
    ) -> Representation {
        head.fields.remove(&CONTENT_LENGTH);
        if head.status != StatusCode::NO_CONTENT {
            head.fields.append(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let reason = head.status.canonical_reason().unwrap_or("");
        let first = format!("HTTP/1.1 {} {reason}\r\n", head.status.as_u16());
        let mut wire = Vec::with_capacity(first.len() + head.fields.size());
        wire.extend_from_slice(first.as_bytes());
        for (name, value) in head.fields.iter() {
            // Writing to memory does not fail.
            let _ = write!(wire, "{name}: ");
            wire.extend_from_slice(value.as_bytes());
            wire.extend_from_slice(b"\r\n");
        }
        let body_begins = u32::try_from(wire.len()).unwrap_or(u32::MAX);
        let mut piece: Piece = Arc::from_header_and_iter((), repeat_n(0, wire.len() + length));
        // Nobody else has it yet.
        if let Some(piece) = Arc::get_mut(&mut piece) {
            let (room, body) = piece.slice.split_at_mut(wire.len());
            room.copy_from_slice(&wire);
            write(body);
        }
        Representation { piece, body_begins, status: head.status, tagging, attempts: Attempts::default() }
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
        Representation::new(head, self.tagging(), body)
    }

    /// Has what is sent fetched from memory all at once, up to its first 2 KiB: whoever sends it needs it in a moment. Among a million
    /// responses it is hardly ever at hand, and fetched line by line it takes a hit 0.2 us longer.
    pub fn prefetch(&self) {
        let whole = self.whole();
        for line in (0..whole.len().min(PREFETCHED)).step_by(CACHE_LINE) {
            prefetch_index(whole, line);
        }
    }

    fn whole(&self) -> &[u8] {
        &self.piece.slice
    }

    /// The whole for somebody who keeps it or parts of it, which takes a little memory of its own as long as it is kept.
    fn shared(&self) -> Bytes {
        Bytes::from_owner(Whole(self.piece.clone()))
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Status and fields as visitors see them, read from what is sent. They hold the whole in memory as long as they live.
    pub fn head(&self) -> ResponseHead {
        let whole = self.shared();
        let line = |(name, value): (&[u8], &[u8])| {
            Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_maybe_shared(whole.slice_ref(value)).ok()?))
        };
        ResponseHead { status: self.status(), fields: self.lines().filter_map(line).collect::<Fields>() }
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
        HeaderValue::from_bytes(self.field(name)?).ok()
    }

    /// The whole body, for somebody who keeps it: that takes a little memory of its own as long as it is kept.
    pub fn body(&self) -> Bytes {
        self.shared().slice(self.body_begins()..)
    }

    /// The bytes of the body, for somebody who looks at them.
    pub fn body_bytes(&self) -> &[u8] {
        &self.whole()[self.body_begins()..]
    }

    /// Its length, in bytes.
    pub fn length(&self) -> usize {
        self.body_bytes().len()
    }

    /// The status line and the fields as HTTP/1.1 writes them, without the empty line: made once, sent many times.
    pub fn wire(&self) -> &[u8] {
        &self.whole()[..self.body_begins()]
    }

    /// Whether both have the same body, to the byte.
    pub(crate) fn shares_body_with(&self, other: &Representation) -> bool {
        let (own, its) = (self.body_bytes(), other.body_bytes());
        std::ptr::eq(own, its) || own == its
    }

    /// Who gave it its entity tag.
    pub(crate) fn tagging(&self) -> Tagging {
        self.tagging
    }

    /// Whether a coding of it was tried, or is being made.
    pub(crate) fn is_claimed(&self, coding: Coding) -> bool {
        self.attempts.0.load(Ordering::Acquire) & attempt(coding) != 0
    }

    /// Whether a coding of it is to be made now: true once.
    pub(crate) fn claim(&self, coding: Coding) -> bool {
        self.attempts.0.fetch_or(attempt(coding), Ordering::AcqRel) & attempt(coding) == 0
    }

    /// Takes over what was tried with the same body.
    pub(crate) fn take_attempts_of(&self, other: &Representation) {
        self.attempts.0.fetch_or(other.attempts.0.load(Ordering::Acquire), Ordering::AcqRel);
    }

    /// What it holds beside itself, in bytes: what is sent.
    pub(crate) fn size(&self) -> usize {
        counted(self.whole().len())
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

fn attempt(coding: Coding) -> u8 {
    match coding {
        Coding::Zstd => 1,
        Coding::Br => 2,
        Coding::Gzip => 4,
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
