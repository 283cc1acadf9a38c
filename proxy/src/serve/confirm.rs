//! Heads that are made of another: a confirmation, a part, the operator's word in the place of the handler's.

use std::borrow::Cow;

use evergate_cache::{CDN_CACHE_CONTROL, Fields};
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, EXPIRES, LAST_MODIFIED,
    VARY,
};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::respond::{Added, Head, Lines};

/// A 304 with the fields that a 200 would have told (RFC 9110 section 15.4.5).
pub(super) fn confirmation<'a>(mut fields: Fields, added: Added<'a>) -> Head<'a> {
    const TOLD: [HeaderName; 8] =
        [CACHE_CONTROL, CDN_CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, VARY, LAST_MODIFIED];
    let replaced = added.told.is_some();
    fields.retain(|name, _| TOLD.contains(name) && !(replaced && *name == CACHE_CONTROL));
    Head { lines: Lines::Given(StatusCode::NOT_MODIFIED, Cow::Owned(fields)), added }
}

/// A 206 (Partial Content) of a representation with these fields (RFC 9110 section 15.3.7): one part says where it belongs,
/// several have a type of their own.
pub(super) fn partial<'a>(fields: Fields, which: Holds, added: Added<'a>) -> Head<'a> {
    let mut fields = sendable(fields, &added);
    match which {
        Holds::One(range) => fields.append(CONTENT_RANGE, range),
        Holds::Several(content_type) => {
            fields.remove(&CONTENT_TYPE);
            fields.append(CONTENT_TYPE, content_type);
        }
    }
    Head { lines: Lines::Given(StatusCode::PARTIAL_CONTENT, Cow::Owned(fields)), added }
}

/// What a 206 holds.
pub(super) enum Holds {
    /// One part, with its `Content-Range`.
    One(HeaderValue),
    /// Several, with the `Content-Type` that tells how they are separated.
    Several(HeaderValue),
}

/// A 416 (Range Not Satisfiable), which tells the length (RFC 9110 section 15.5.17).
pub(super) fn unsatisfied<'a>(fields: &Fields, length: HeaderValue, added: Added<'a>) -> Head<'a> {
    let mut told = Fields::with_capacity(4);
    for name in [DATE, VARY] {
        for value in fields.get_all(&name) {
            told.append(name.clone(), value.clone());
        }
    }
    told.append(CONTENT_RANGE, length);
    Head {
        lines: Lines::Given(StatusCode::RANGE_NOT_SATISFIABLE, Cow::Owned(told)),
        added: Added { told: None, ..added },
    }
}

/// The fields without the handler's word on caching, where the operator's is sent, and without a length, which the responder
/// tells.
pub(super) fn sendable(mut fields: Fields, added: &Added<'_>) -> Fields {
    if added.told.is_some() {
        fields.remove(&CACHE_CONTROL);
    }
    fields.remove(&CONTENT_LENGTH);
    fields
}
