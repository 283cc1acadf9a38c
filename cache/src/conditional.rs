//! Conditional requests: whether a visitor already has what would be sent (RFC 9110 section 13).

use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue};

/// Whether a 304 (Not Modified) answers a GET or HEAD for a representation with these validators.
///
/// `If-None-Match` decides alone when it is present (section 13.2.2); tags compare weakly (section 13.1.2). An
/// `If-Modified-Since` that is repeated or no valid date, or that comes without a `Last-Modified` to compare with, is ignored
/// (section 13.1.3).
pub fn not_modified(request: &HeaderMap, etag: Option<&HeaderValue>, last_modified: Option<&HeaderValue>) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        let mut lines = request.get_all(IF_NONE_MATCH).iter();
        return lines.any(|line| line.as_bytes().trim_ascii() == b"*" || lists_tag(line.as_bytes(), etag));
    }
    let mut since = request.get_all(IF_MODIFIED_SINCE).iter();
    let since = since.next().filter(|_| since.next().is_none());
    let date = |value: Option<&HeaderValue>| httpdate::parse_http_date(value?.to_str().ok()?).ok();
    match (date(since), date(last_modified)) {
        (Some(since), Some(modified)) => modified <= since,
        (Some(_) | None, Some(_) | None) => false,
    }
}

/// Whether a list of entity tags holds `etag`. A comma may be part of a tag, so tags are cut at their quotes.
fn lists_tag(mut list: &[u8], etag: Option<&HeaderValue>) -> bool {
    let Some(wanted) = etag.map(|etag| opaque(etag.as_bytes())) else { return false };
    while let Some(open) = list.iter().position(|byte| *byte == b'"') {
        let Some(length) = list[open + 1..].iter().position(|byte| *byte == b'"') else { return false };
        let end = open + 1 + length;
        if list[open..=end] == *wanted {
            return true;
        }
        list = &list[end + 1..];
    }
    false
}

/// The tag without its weakness, which the weak comparison ignores.
fn opaque(etag: &[u8]) -> &[u8] {
    let etag = etag.trim_ascii();
    etag.strip_prefix(b"W/").unwrap_or(etag)
}

#[cfg(test)]
mod tests;
