//! The form of a page of Next.js that a request wants: HTML, or one of those that its own router understands.
//!
//! It is part of the key and not a variant, so that nobody drives a page out of the cache by asking for forms that nobody else
//! wants.

use evergate_cache::list_value;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::forwarded::{NEXT_ROUTER_PREFETCH, NEXT_ROUTER_SEGMENT_PREFETCH, RSC};

/// The fields by which the router of Next.js says what it wants.
pub static PAGE_FIELDS: [HeaderName; 3] = [RSC, NEXT_ROUTER_PREFETCH, NEXT_ROUTER_SEGMENT_PREFETCH];

/// The parameter that it adds so that no cache gives a browser what is for the router.
pub const RSC_UNION_QUERY: &str = "_rsc";

/// What a request wants of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageForm {
    /// The fields that say it, as the handler gets them.
    pub fields: Vec<(HeaderName, HeaderValue)>,
    /// The same for the key.
    pub key: Vec<u8>,
}

impl PageForm {
    /// The form that these fields ask for; none is HTML. Next.js takes `rsc` for said whatever it says, and an empty field for
    /// one that is not there.
    pub fn of(headers: &HeaderMap) -> Option<PageForm> {
        let said = |name: &HeaderName| {
            let value = list_value(headers, name).filter(|value| !value.is_empty())?;
            if *name == RSC { Some(HeaderValue::from_static("1")) } else { HeaderValue::from_bytes(&value).ok() }
        };
        let values = PAGE_FIELDS.each_ref().map(said);
        if values.iter().all(Option::is_none) {
            return None;
        }
        // A field cannot hold a line break, so that no two forms look alike.
        let key = values.each_ref().map(|value| value.as_ref().map_or(&b""[..], HeaderValue::as_bytes)).join(&b'\n');
        let fields: Vec<_> =
            PAGE_FIELDS.iter().cloned().zip(values).filter_map(|(name, value)| Some((name, value?))).collect();
        Some(PageForm { fields, key })
    }

    /// The fields of which a form's key was made.
    pub fn fields_of(key: &[u8]) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let said = |value: &[u8]| HeaderValue::from_bytes(value).ok().filter(|value| !value.is_empty());
        let values = key.split(|byte| *byte == b'\n').map(said);
        PAGE_FIELDS.iter().cloned().zip(values.collect::<Vec<_>>()).filter_map(|(name, value)| Some((name, value?)))
    }
}

#[cfg(test)]
mod tests;
