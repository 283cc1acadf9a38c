//! The head of an answer, as it may be kept: without what concerns only the connection it came on.

use std::time::SystemTime;

use evergate_cache::{Dating, Fields, ResponseHead};
use http::header::{
    AGE, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, EXPIRES, LAST_MODIFIED,
    LOCATION, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VARY,
};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::failure::Failure;
use crate::respond::date;
use crate::tags::{REVALIDATION_FIELDS, TAG_FIELDS, sent};

/// Longest head of an answer, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// Fields that concern one connection (RFC 9110 section 7.6.1) or one proxy (RFC 9111 section 3.1).
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authentication-info"),
    HeaderName::from_static("proxy-authorization"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Fields that a message keeps whatever `Connection` names: without them an answer for one visitor would look like one for all
/// (RFC 9110 section 7.6.1 forbids naming them).
const END_TO_END: [HeaderName; 12] = [
    AGE,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    DATE,
    ETAG,
    EXPIRES,
    LAST_MODIFIED,
    LOCATION,
    SET_COOKIE,
    VARY,
];

/// What the gateway says of its own cache; a handler's word would stand beside it.
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// A head as it may be kept, and whether its body says itself where it ends.
#[derive(Debug)]
pub struct Received {
    /// Status and fields.
    pub head: ResponseHead,
    /// Whether a broken connection can be told from the end of the body: by its length or by its chunks.
    pub ends_by_itself: bool,
    /// Who says when it was made.
    pub dating: Dating,
    /// The tags that came with it.
    pub tags: Vec<String>,
}

/// A head that came from a handler, with a `Date` in any case (RFC 9110 section 6.6.1).
///
/// # Errors
///
/// [`Failure::Malformed`] for what cannot be kept or sent on.
pub fn received(answer: &ResponseHead, now: SystemTime) -> Result<Received, Failure> {
    let chunked = checked(answer)?;
    let lines = answer.fields.get_all(&CONNECTION);
    let named: Vec<&[u8]> = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).collect();
    let dropped = |name: &HeaderName| {
        HOP_BY_HOP.contains(name)
            || TAG_FIELDS.iter().any(|(field, _)| field == name)
            || REVALIDATION_FIELDS.contains(name)
            || *name == X_CACHE
            || !END_TO_END.contains(name)
                && named.iter().any(|item| item.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
            // Chunks beat a length (RFC 9112 section 6.3): what came with both is no length to repeat.
            || chunked && *name == CONTENT_LENGTH
    };
    let lines = answer.fields.iter().filter(|(name, _)| !dropped(name));
    // Copied, because these values are slices of all that was read: one of them would hold it in memory.
    let copied =
        lines.map(|(name, value)| HeaderValue::from_bytes(value.as_bytes()).map(|value| (name.clone(), value)));
    let mut fields: Fields = copied.collect::<Result<_, _>>().map_err(|_| Failure::Malformed)?;
    let status = answer.status;
    let mut dating = Dating::ByHandler;
    if !fields.contains(&DATE) && !status.is_informational() {
        fields.append(DATE, date(now));
        dating = Dating::ByGateway;
    }
    let bodiless = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    let ends_by_itself = bodiless || chunked || fields.contains(&CONTENT_LENGTH);
    Ok(Received { head: ResponseHead { status, fields }, ends_by_itself, dating, tags: sent(&answer.fields) })
}

/// Checks what decides how a handler's answer is understood: a head within its limit, and a body that comes either in chunks,
/// which is the answer, or not.
///
/// # Errors
///
/// [`Failure::Malformed`] for a head that is too large or a transfer coding that cannot be followed.
pub fn checked(answer: &ResponseHead) -> Result<bool, Failure> {
    if answer.fields.size() > MAX_HEAD { Err(Failure::Malformed) } else { chunked(answer) }
}

/// Whether the body comes in chunks. Another transfer coding was not asked for, and nobody here decodes it.
fn chunked(answer: &ResponseHead) -> Result<bool, Failure> {
    let mut codings = answer.fields.get_all(&TRANSFER_ENCODING);
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(coding), None) if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(true),
        (Some(_), _) => Err(Failure::Malformed),
    }
}
