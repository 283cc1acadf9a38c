//! Request fields on their way to handlers: what a handler sees of a visitor, and what only the gateway says.

use std::borrow::Cow;

use evergate_cache::list_value;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The route's pattern, for handlers.
pub const X_MATCHED_PATH: HeaderName = HeaderName::from_static("x-matched-path");
/// The route's parameters as JSON, for handlers.
pub const X_ROUTE_PARAMS: HeaderName = HeaderName::from_static("x-route-params");
/// Names a request across services.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The visitor's scheme.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host the visitor asked for.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The addresses on the way.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Asks a page of Next.js for what its own router understands.
pub const RSC: HeaderName = HeaderName::from_static("rsc");
/// The router of Next.js asks ahead.
pub const NEXT_ROUTER_PREFETCH: HeaderName = HeaderName::from_static("next-router-prefetch");
/// The router of Next.js asks ahead for a part of a page.
pub const NEXT_ROUTER_SEGMENT_PREFETCH: HeaderName = HeaderName::from_static("next-router-segment-prefetch");

/// The fields of a visitor of which the handler may see something: without those that their `Connection` names, which end here
/// (RFC 9110 section 7.6.1). What a response is selected by is taken from these.
pub fn seen_fields(headers: &HeaderMap) -> Cow<'_, HeaderMap> {
    let lines = headers.get_all(CONNECTION).iter();
    // What connections are used to say names no field that a handler sees (checked first, because it is what browsers send).
    const USUAL: [&str; 5] = ["close", "keep-alive", "upgrade", "te", "http2-settings"];
    let named: Vec<HeaderName> = lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter(|item| !USUAL.iter().any(|usual| item.trim_ascii().eq_ignore_ascii_case(usual.as_bytes())))
        .filter_map(|item| HeaderName::from_bytes(item.trim_ascii()).ok())
        .filter(|name| headers.contains_key(name))
        .collect();
    if named.is_empty() {
        return Cow::Borrowed(headers);
    }
    let mut seen = headers.clone();
    for name in named {
        seen.remove(name);
    }
    Cow::Owned(seen)
}

/// Request fields that a handler does not see as the visitor sent them, and that differ from visitor to visitor: what varies by
/// one of them is for nobody else.
pub static WRITTEN: [HeaderName; 6] =
    [X_FORWARDED_FOR, X_REQUEST_ID, TRACEPARENT, VIA, IF_NONE_MATCH, IF_MODIFIED_SINCE];

/// Fields that concern the visitor's connection (RFC 9110 section 7.6.1) or its message, and those that are written anew.
pub const NOT_FORWARDED: [HeaderName; 14] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    COOKIE,
    // A fetch asks for the whole, whoever began it.
    RANGE,
    IF_RANGE,
];

/// Fields by which handlers know the gateway and what is in front of it, and which no visitor may send.
pub fn for_the_gateway_alone(name: &HeaderName) -> bool {
    const NAMES: [&str; 4] = ["forwarded", "x-matched-path", "x-route-params", "x-now-route-matches"];
    const PREFIXES: [&str; 5] = ["x-forwarded-", "x-prerender-revalidate", "x-middleware-", "x-nextjs-", "x-invoke-"];
    // Handlers of the CGI family cannot tell an underscore from a hyphen.
    let name =
        if name.as_str().contains('_') { name.as_str().replace('_', "-").into() } else { Cow::from(name.as_str()) };
    NAMES.contains(&&*name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The lines of `Cookie` as one: HTTP/2 may split them, HTTP/1.1 may not (RFC 9113 section 8.2.3).
pub fn joined_cookies(headers: &HeaderMap) -> Option<HeaderValue> {
    list_value(headers, &COOKIE).and_then(|cookies| HeaderValue::from_bytes(&cookies).ok())
}
