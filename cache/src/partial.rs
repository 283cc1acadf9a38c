//! Parts of a representation: what a 206 (Partial Content) brings, and how parts become more (RFC 9111 sections 3.3 and 3.4).
//!
//! A part is kept only where it cannot be mistaken: its handler gave it a strong entity tag, says which bytes of how many it is,
//! and sends exactly these. Only parts of the same strong tag are put together.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::response::decimal;
use crate::stored::StoredResponse;
use crate::{Moment, OriginRules, OriginVerdict, Part, ResponseHead, Sharing, Storing};

/// Which bytes of how many a 206 holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The place of the first byte.
    pub first: u64,
    /// Number of bytes.
    pub length: u64,
    /// Number of bytes of the whole.
    pub complete: u64,
}

impl Extent {
    /// What a head announces; none where it contradicts itself, or where nothing tells safely what it is a part of.
    pub fn announced(head: &ResponseHead) -> Option<Extent> {
        let mut ranges = head.fields.get_all(&CONTENT_RANGE);
        let range = ranges.next().filter(|_| ranges.next().is_none())?;
        let (first, last, complete) = content_range(range)?;
        let length = head.content_length()?;
        let strong = head.strong_etag().is_some();
        let whole = head.status == StatusCode::PARTIAL_CONTENT && first <= last && last < complete;
        (strong && whole && length == last - first + 1).then_some(Extent { first, length, complete })
    }

    fn end(self) -> u64 {
        self.first + self.length
    }
}

/// `bytes 0-4/10` (RFC 9110 section 14.4).
fn content_range(value: &HeaderValue) -> Option<(u64, u64, u64)> {
    let text = value.to_str().ok()?.trim();
    let (unit, rest) = text.split_once(' ')?;
    let (range, complete) = rest.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let number = |digits: &str| decimal(digits.as_bytes());
    if unit.eq_ignore_ascii_case("bytes") { Some((number(first)?, number(last)?, number(complete)?)) } else { None }
}

impl OriginRules {
    /// How a part is kept: as the whole would be, if anyone may have it.
    pub fn judge_part(
        &self,
        head: &ResponseHead,
        request: &HeaderMap,
        received: Moment,
        age: std::time::Duration,
    ) -> Option<Storing> {
        let whole = ResponseHead { status: StatusCode::OK, fields: head.fields.clone() };
        match self.judge(&whole, request, None, received, age) {
            OriginVerdict::Store(storing) if storing.sharing == Sharing::Everyone && storing.unshared.is_empty() => {
                Some(storing)
            }
            OriginVerdict::Store(_) | OriginVerdict::Decline(_) | OriginVerdict::Failure => None,
        }
    }
}

/// A part that is kept.
#[derive(Debug)]
pub struct Partial {
    response: StoredResponse,
    extent: Extent,
}

/// What two parts make together.
#[derive(Debug)]
pub(crate) enum Combined {
    /// A larger part.
    Part(Partial),
    /// Everything.
    Whole(StoredResponse),
}

impl Partial {
    /// A part, whose body is as long as `extent` says.
    pub(crate) fn new(response: StoredResponse, extent: Extent) -> Partial {
        Partial { response, extent }
    }

    /// The response that it is a part of, as far as it is known; its body is the part.
    pub fn response(&self) -> &StoredResponse {
        &self.response
    }

    /// The length of the whole.
    pub fn complete(&self) -> u64 {
        self.extent.complete
    }

    /// The bytes of a part of the whole, if this one holds them all.
    pub fn bytes(&self, part: Part) -> Option<Bytes> {
        let within = part.first() >= self.extent.first && part.last() < self.extent.end();
        let begin = usize::try_from(part.first().checked_sub(self.extent.first)?).ok()?;
        let length = usize::try_from(part.length()).ok()?;
        within.then(|| self.response.body().slice(begin..begin + length))
    }

    /// This one and an older one: as much as both hold without a gap, if they are parts of the same (RFC 9111 section 3.4), and
    /// no longer than `most`.
    pub(crate) fn with(self, older: Option<&Partial>, most: u64) -> Combined {
        let older = older.filter(|older| {
            let touches = older.extent.first <= self.extent.end() && self.extent.first <= older.extent.end();
            touches && older.extent.complete == self.extent.complete && older.is_of_the_same(&self)
        });
        let Some(older) = older else { return self.perhaps_whole() };
        let first = self.extent.first.min(older.extent.first);
        let end = self.extent.end().max(older.extent.end());
        if end - first > most {
            return self.perhaps_whole();
        }
        let body = self.joined(older, end);
        // The fields of the newer one replace those of the older.
        let head = older.response.updated_by(&self.response.head());
        let response = self.response.reshaped(head, &body);
        Partial { response, extent: Extent { first, length: end - first, complete: self.extent.complete } }
            .perhaps_whole()
    }

    /// The bytes of both, which touch, up to `end`. Where they overlap they are the same.
    fn joined(&self, older: &Partial, end: u64) -> Bytes {
        let (front, back) = if self.extent.first <= older.extent.first { (self, older) } else { (older, self) };
        let mut body = BytesMut::from(front.response.body_bytes());
        if front.extent.end() < end {
            let known = usize::try_from(front.extent.end() - back.extent.first).unwrap_or(usize::MAX);
            body.extend_from_slice(back.response.body_bytes().get(known..).unwrap_or_default());
        }
        body.freeze()
    }

    /// Whether both are parts of one representation: of the same strong tag (RFC 9111 section 3.4), and, because handlers give
    /// one tag to several, in the same coding and of the same type.
    fn is_of_the_same(&self, other: &Partial) -> bool {
        let said = |partial: &Partial, name: &HeaderName| -> Vec<HeaderValue> {
            partial.response.head().fields.get_all(name).cloned().collect()
        };
        let tag = |partial: &Partial| partial.response.handler_etag();
        tag(self).is_some()
            && tag(self) == tag(other)
            && [CONTENT_ENCODING, CONTENT_TYPE].iter().all(|name| said(self, name) == said(other, name))
    }

    fn perhaps_whole(self) -> Combined {
        if self.extent.first == 0 && self.extent.length == self.extent.complete {
            Combined::Whole(self.response)
        } else {
            Combined::Part(self)
        }
    }
}

#[cfg(test)]
mod tests;
