//! The head of a handler's answer, as it is read from a connection (RFC 9112).

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use evergate_cache::{Fields, ResponseHead};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, StatusCode};
use httparse::{Header, ParserConfig, Response, Status};

use crate::failure::Failure;
use crate::request::lists;

/// Most fields of a head.
const MAX_FIELDS: usize = 256;

/// A head that was read.
#[derive(Debug)]
pub struct AnswerHead {
    /// Status and fields. Values are slices of the head, and hold it in memory.
    pub head: ResponseHead,
    /// The reason phrase, where it is not the usual one.
    pub reason: Option<Bytes>,
    /// What follows.
    pub extent: Extent,
    /// Whether the connection may be used again after what follows (RFC 9112 section 9.3).
    pub(super) keep_alive: bool,
}

/// Where the body of an answer ends (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// There is none, whatever the fields say: an interim answer, one to HEAD, 204 and 304.
    None,
    /// After so many bytes.
    Length(u64),
    /// After its last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

impl AnswerHead {
    /// Whether a final answer follows this one (RFC 9110 section 15.2).
    pub fn is_interim(&self) -> bool {
        self.head.status.is_informational() && self.head.status != StatusCode::SWITCHING_PROTOCOLS
    }
}

/// Takes a head off the beginning of what was read; none when it has not come to its end. `head_only` tells whether it answers a
/// HEAD.
///
/// # Errors
///
/// [`Failure::Malformed`] for what is no head, or can be understood in two ways.
pub(super) fn take(read: &mut BytesMut, head_only: bool) -> Result<Option<AnswerHead>, Failure> {
    let mut room = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
    let mut response = Response::new(&mut []);
    let mut config = ParserConfig::default();
    // Which is removed, as a proxy must (RFC 9112 section 5.1).
    config.allow_spaces_after_header_name_in_responses(true);
    let parsed = config.parse_response_with_uninit_headers(&mut response, read, &mut room);
    let length = match parsed.map_err(|_| Failure::Malformed)? {
        Status::Partial => return Ok(None),
        Status::Complete(length) => length,
    };
    // A copy of its own, so that whoever keeps a value does not keep all that was read with it.
    let text = Bytes::copy_from_slice(&read[..length]);
    let start = read.as_ptr() as usize;
    let slice = |part: &[u8]| {
        let begin = part.as_ptr() as usize - start;
        text.slice(begin..begin + part.len())
    };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Failure::Malformed)?;
    let reason = response.reason.filter(|reason| Some(*reason) != status.canonical_reason());
    let reason = reason.map(|reason| slice(reason.as_bytes()));
    let mut fields = Fields::with_capacity(response.headers.len() + 4);
    for header in response.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| Failure::Malformed)?;
        let value = HeaderValue::from_maybe_shared(slice(header.value)).map_err(|_| Failure::Malformed)?;
        fields.append(name, value);
    }
    let newer = response.version == Some(1);
    read.advance(length);
    let (extent, keep_alive) = framing(status, &mut fields, newer, head_only)?;
    Ok(Some(AnswerHead { head: ResponseHead { status, fields }, reason, extent, keep_alive }))
}

/// What follows a head, and whether the connection may be used again after it. `newer` tells HTTP/1.1 from HTTP/1.0.
fn framing(status: StatusCode, fields: &mut Fields, newer: bool, head_only: bool) -> Result<(Extent, bool), Failure> {
    let chunked = chunked(fields)?;
    let length = if chunked { None } else { length(fields)? };
    let bodiless = head_only || status.is_informational() || matches!(status.as_u16(), 204 | 304);
    let extent = match (bodiless, chunked, length) {
        (true, _, _) => Extent::None,
        (false, true, _) => Extent::Chunked,
        (false, false, Some(length)) => Extent::Length(length),
        (false, false, None) => Extent::UntilClose,
    };
    let says = |token| fields.get_all(&CONNECTION).any(|line| lists(line.as_bytes(), token));
    let kept = if newer { !says(b"close") } else { says(b"keep-alive") && !says(b"close") };
    // Whoever sends chunks as HTTP/1.0 or beside a length may mean something else (section 6.1).
    let clear = !chunked || newer && !fields.contains(&CONTENT_LENGTH);
    if chunked {
        // Chunks beat a length (section 6.3).
        fields.remove(&CONTENT_LENGTH);
    }
    Ok((extent, kept && clear && extent != Extent::UntilClose))
}

/// Whether the body comes in chunks. Another transfer coding was not asked for, and nobody here decodes it.
fn chunked(fields: &Fields) -> Result<bool, Failure> {
    let mut codings = fields.get_all(&TRANSFER_ENCODING);
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(coding), None) if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(true),
        (Some(_), _) => Err(Failure::Malformed),
    }
}

/// The length that the fields tell, once or several times alike (RFC 9110 section 8.6).
fn length(fields: &Fields) -> Result<Option<u64>, Failure> {
    let lines = fields.get_all(&CONTENT_LENGTH);
    let mut length = None;
    for told in lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')) {
        let told = decimal(told.trim_ascii()).ok_or(Failure::Malformed)?;
        if length.is_some_and(|length| length != told) {
            return Err(Failure::Malformed);
        }
        length = Some(told);
    }
    Ok(length)
}

/// A number as it is written in a field: digits and nothing else.
fn decimal(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

#[cfg(test)]
mod tests;
