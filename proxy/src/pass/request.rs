//! The head of a request that passes, as its handler gets it.

use std::fmt::Write;

use evergate_cache::SURROGATE_CAPABILITY;
use http::header::{
    CONNECTION, COOKIE, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderName, HeaderValue};

use crate::forwarded::{
    TRACEPARENT, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_MATCHED_PATH, X_REQUEST_ID, X_ROUTE_PARAMS,
    for_the_gateway_alone, joined_cookies, seen_fields,
};
use crate::handler_request::{SURROGATE_CAPABILITY_FIELD, request_id, traceparent};
use crate::passage::{Naming, Passage};
use crate::request::Request;

/// Fields that concern the visitor's connection (RFC 9110 section 7.6.1), and those that are written anew.
const NOT_PASSED: [HeaderName; 12] = [
    HOST,
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    COOKIE,
];

/// Visits every line of the head, `Host` first, for a server of this name. What tells of the connection is for whoever owns it to
/// add.
pub(super) fn each_line(
    passage: &Passage,
    request: &Request,
    server: &HeaderValue,
    mut line: impl FnMut(&HeaderName, &[u8]),
) {
    line(&HOST, host(passage, request, server));
    let headers = &*seen_fields(&request.headers);
    for (name, value) in headers.iter().filter(|(name, _)| !NOT_PASSED.contains(name) && !for_the_gateway_alone(name)) {
        line(name, value.as_bytes());
    }
    let mut cookies = headers.get_all(COOKIE).iter();
    match (cookies.next(), cookies.next()) {
        (None, _) => {}
        (Some(cookie), None) => line(&COOKIE, cookie.as_bytes()),
        (Some(_), Some(_)) => {
            if let Some(cookies) = joined_cookies(headers) {
                line(&COOKIE, cookies.as_bytes());
            }
        }
    }
    line(&VIA, request.protocol.via().as_bytes());
    if let Some(peer) = request.peer {
        let mut text = String::with_capacity(40);
        // Writing to memory does not fail.
        let _ = write!(text, "{peer}");
        line(&X_FORWARDED_FOR, text.as_bytes());
    }
    line(&X_FORWARDED_PROTO, request.scheme.as_str().as_bytes());
    if let Some(site) = site(passage, request) {
        line(&X_FORWARDED_HOST, site.as_bytes());
    }
    match &passage.naming {
        Naming::Visitors => {}
        Naming::Keyed(_) => line(&SURROGATE_CAPABILITY_FIELD, SURROGATE_CAPABILITY.as_bytes()),
    }
    if !headers.contains_key(X_REQUEST_ID) {
        line(&X_REQUEST_ID, request_id().as_bytes());
    }
    if !headers.contains_key(TRACEPARENT) {
        line(&TRACEPARENT, traceparent().as_bytes());
    }
    if let (Some(route), Some(params)) = (&passage.route, &passage.params) {
        line(&X_MATCHED_PATH, route.pattern.as_bytes());
        line(&X_ROUTE_PARAMS, params.as_bytes());
    }
}

/// The site that is asked for. What comes of it may be kept only where a fetch would say the same: under a name that is in the
/// key, or that no visitor has a say in.
fn site<'a>(passage: &'a Passage, request: &'a Request) -> Option<&'a str> {
    match &passage.naming {
        Naming::Visitors => request.authority.as_deref(),
        Naming::Keyed(site) => site.as_deref(),
    }
}

/// Under which name the handler is asked: that of the configuration, else the site's, else the server's own, because HTTP/1.0
/// visitors need not say a host, and HTTP/1.1 handlers need one.
fn host<'a>(passage: &'a Passage, request: &'a Request, server: &'a HeaderValue) -> &'a [u8] {
    let said = match &passage.naming {
        Naming::Visitors => request.headers.get(HOST).map(HeaderValue::as_bytes),
        Naming::Keyed(_) => None,
    };
    let configured = passage.upstream.configured_host().map(HeaderValue::as_bytes);
    configured.or(said).or(site(passage, request).map(str::as_bytes)).unwrap_or(server.as_bytes())
}
