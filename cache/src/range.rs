//! Range requests: the parts of a stored response that a visitor asks for (RFC 9110 section 14), and whether he may still
//! have them (section 13.1.5).

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{HeaderName, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue};

/// Most ranges of one request that are heeded. A long list of small ranges is an attack or a mistake, and is ignored (RFC 9110
/// sections 14.2 and 17.15).
pub const MAX_PARTS: usize = 16;

/// Bytes that a part costs beside its content, for its delimiter and its fields: by RFC 9110 section 15.3.7.2 "around 80
/// bytes". Parts that are closer to each other than this are sent as one.
const PART_OVERHEAD: u64 = 80;

/// A part of a representation: the positions of its first and its last byte (RFC 9110 section 14.1.2). It is never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    first: u64,
    last: u64,
}

impl Part {
    /// The position of its first byte, counted from zero (RFC 9110 section 14.1.2).
    pub fn first(self) -> u64 {
        self.first
    }

    /// The position of its last byte, which belongs to it (RFC 9110 section 14.1.2).
    pub fn last(self) -> u64 {
        self.last
    }

    /// How many bytes it has, which is the `Content-Length` when it is sent alone (RFC 9110 section 15.3.7.1).
    pub fn length(self) -> u64 {
        self.last - self.first + 1
    }

    /// Its bytes, cut from the whole body without a copy (RFC 9110 section 14.1.2).
    pub fn of(self, body: &Bytes) -> Bytes {
        let position = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(body.len());
        body.slice(position(self.first)..position(self.last.saturating_add(1)))
    }

    /// Whether the two overlap or adjoin, or what lies between them is cheaper to send than to leave out.
    fn is_near(self, other: Part) -> bool {
        self.first.max(other.first).saturating_sub(self.last.min(other.last)) <= PART_OVERHEAD
    }

    /// The smallest part that holds both.
    fn joined(self, other: Part) -> Part {
        Part { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// What of a representation a GET asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requested {
    /// All of it: 200, as though there were no `Range` (RFC 9110 section 14.2).
    Whole,
    /// One part: 206 with `Content-Range` (RFC 9110 section 15.3.7.1).
    One(Part),
    /// From two to [`MAX_PARTS`] parts, disjoint and in the order in which they were asked for: 206 with
    /// `multipart/byteranges` (RFC 9110 section 15.3.7.2).
    Several(Vec<Part>),
    /// Nothing that it has: 416 (RFC 9110 section 15.5.17).
    Unsatisfiable,
}

/// What a GET asks for of a representation of `complete` bytes, which the handler sent with these validators and this `Date`
/// (RFC 9110 sections 13.1.5 and 14.2).
///
/// A `Range` may always be ignored, and it is when it is malformed or repeated, when its unit is not `bytes`, when it asks for
/// more than [`MAX_PARTS`] ranges, when answering several would cost no less than the whole, and when an `If-Range` does not
/// hold. Other methods know no ranges (section 14.2); the caller does not ask for them.
pub fn requested(
    request: &HeaderMap,
    etag: Option<&HeaderValue>,
    last_modified: Option<&HeaderValue>,
    date: Option<&HeaderValue>,
    complete: u64,
) -> Requested {
    let Some(range) = only_line(request, &RANGE) else { return Requested::Whole };
    if request.contains_key(IF_RANGE) {
        let holds = |validator| is_current_tag(validator, etag) || is_current_date(validator, last_modified, date);
        if !only_line(request, &IF_RANGE).is_some_and(holds) {
            return Requested::Whole;
        }
    }
    let Some(asked) = ranges(range, complete) else { return Requested::Whole };
    let several_asked = asked.len() > 1;
    // One satisfiable range is enough; the others are left out (section 15.3.7.2).
    let satisfiable = asked.into_iter().filter(|part| part.first < complete);
    let within = satisfiable.map(|part| Part { last: part.last.min(complete - 1), ..part });
    let parts = coalesced(within);
    match parts.as_slice() {
        [] => Requested::Unsatisfiable,
        // Whoever asks for `bytes=0-` alone wants to see whether ranges are served, and is shown.
        [part] if !several_asked || part.length() < complete => Requested::One(*part),
        [_] => Requested::Whole,
        // Far from each other as they are, they may still cost more than they save.
        [_, _, ..] => {
            let cost =
                parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.length()).saturating_add(PART_OVERHEAD));
            if cost < complete { Requested::Several(parts) } else { Requested::Whole }
        }
    }
}

/// The `Content-Range` of a 206 with one part, and of each part among several (RFC 9110 section 14.4).
pub fn content_range(part: Part, complete: u64) -> HeaderValue {
    field_value(&range_resp(part, complete))
}

/// The `Content-Range` of a 416, which tells how much there is (RFC 9110 section 14.4).
pub fn content_range_unsatisfied(complete: u64) -> HeaderValue {
    field_value(&format!("bytes */{complete}"))
}

/// A body with several parts of `body`: the `Content-Type` of the response, and what is sent, piece after piece (RFC 9110
/// section 14.6). The content is not copied: its pieces share the memory of `body`.
///
/// Every part carries the `Content-Type` that the whole would have (section 15.3.7.2). The boundary is a number drawn at
/// random, because it must not occur in the content (RFC 2046 section 5.1.1) and a handler must not be able to foresee it.
pub fn multipart(
    parts: &[Part],
    content_type: Option<&HeaderValue>,
    body: &Bytes,
    boundary: u128,
) -> (HeaderValue, Vec<Bytes>) {
    let boundary = format!("{boundary:032x}");
    let mut pieces = Vec::with_capacity(2 * parts.len() + 1);
    for part in parts {
        // The line break before a delimiter belongs to it, not to the content that it ends.
        let line_break = if pieces.is_empty() { "" } else { "\r\n" };
        let mut head = format!("{line_break}--{boundary}\r\n").into_bytes();
        if let Some(content_type) = content_type {
            head.extend([b"Content-Type: ", content_type.as_bytes(), b"\r\n"].concat());
        }
        head.extend(format!("Content-Range: {}\r\n\r\n", range_resp(*part, body.len() as u64)).into_bytes());
        pieces.extend([Bytes::from(head), part.of(body)]);
    }
    pieces.push(Bytes::from(format!("\r\n--{boundary}--\r\n")));
    (field_value(&format!("multipart/byteranges; boundary={boundary}")), pieces)
}

/// What the line of this name says, unless there is none or it is repeated: what two lines mean together is not defined.
fn only_line<'a>(request: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut lines = request.get_all(name).iter();
    lines.next().filter(|_| lines.next().is_none()).map(|line| line.as_bytes().trim_ascii())
}

/// Whether the validator is the entity tag, compared strongly: neither may be weak (RFC 9110 section 8.8.3.2), for equal
/// meaning is not equal bytes.
fn is_current_tag(validator: &[u8], etag: Option<&HeaderValue>) -> bool {
    let Some(etag) = etag.map(|etag| etag.as_bytes().trim_ascii()) else { return false };
    let strong = match etag {
        [b'"', inner @ .., b'"'] => !inner.contains(&b'"'),
        _ => false,
    };
    strong && validator == etag
}

/// Whether the validator is the very date of the last modification, and that date is a strong validator: RFC 9110 section
/// 8.8.2.2 wants a `Date` of the stored response that is "at least one second after the Last-Modified value", because within
/// one second there may have been a second modification. Both must be of one clock, so a `Date` of the gateway's own is none.
fn is_current_date(validator: &[u8], modified: Option<&HeaderValue>, date: Option<&HeaderValue>) -> bool {
    let [modified, date] = [modified, date].map(|value| instant(value?.as_bytes()));
    let strong = modified.zip(date).is_some_and(|(modified, date)| {
        date.duration_since(modified).is_ok_and(|between| between >= Duration::from_secs(1))
    });
    strong && instant(validator) == modified
}

/// The moment that a date field names, if it can be read (RFC 9110 section 5.6.7).
fn instant(date: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(str::from_utf8(date).ok()?.trim_ascii()).ok()
}

/// The ranges of a `Range` field, each where it lies when the representation has `complete` bytes, though it may not reach
/// that far. None when the field is malformed (RFC 9110 section 14.1.1), names another unit, or lists too many.
fn ranges(field: &[u8], complete: u64) -> Option<Vec<Part>> {
    let (unit, set) = field.split_at_checked(field.iter().position(|byte| *byte == b'=')?)?;
    // Units are compared without regard to case (section 14.1).
    if !unit.eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let mut ranges = Vec::new();
    // Space around elements and empty elements mean nothing (section 5.6.1). The space in `bytes= 0-999, 4500-5499, -1000`,
    // an example of section 14.1.2, is beyond its own grammar, but not beyond doubt what it means.
    let elements = set[1..].split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    for element in elements.filter(|element| !element.is_empty()) {
        if ranges.len() == MAX_PARTS {
            return None;
        }
        ranges.push(range(element, complete)?);
    }
    Some(ranges).filter(|ranges| !ranges.is_empty())
}

/// Where one range lies; none when it is malformed (RFC 9110 section 14.1.2). What begins at `complete` or beyond cannot be
/// satisfied, among it the suffix of no bytes.
fn range(spec: &[u8], complete: u64) -> Option<Part> {
    let dash = spec.iter().position(|byte| *byte == b'-')?;
    let range = match (&spec[..dash], &spec[dash + 1..]) {
        ([], suffix) => Part { first: complete.saturating_sub(number(suffix)?), last: u64::MAX },
        (first, []) => Part { first: number(first)?, last: u64::MAX },
        (first, last) => Part { first: number(first)?, last: number(last)? },
    };
    Some(range).filter(|range| range.first <= range.last)
}

/// A number of digits only. One that does not fit is the largest, for no representation reaches it.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

/// The parts with those that are near each other made one, which stands where the first of them stood; else in their order
/// (RFC 9110 section 15.3.7.2).
fn coalesced(parts: impl Iterator<Item = Part>) -> Vec<Part> {
    let mut kept: Vec<Part> = Vec::new();
    for mut part in parts {
        let mut place = kept.len();
        // A part that has grown may have come near to further ones.
        while let Some(near) = kept.iter().position(|other| other.is_near(part)) {
            part = part.joined(kept.remove(near));
            place = place.min(near);
        }
        kept.insert(place, part);
    }
    kept
}

/// A part and the complete length as `Content-Range` has them (RFC 9110 section 14.4).
fn range_resp(part: Part, complete: u64) -> String {
    format!("bytes {}-{}/{complete}", part.first, part.last)
}

/// A field value of letters, digits and signs that we chose, which is always valid.
fn field_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests;
