//! What a handler is asked on behalf of a cached route: exactly what is in the key, and a fixed few fields beside it.

use std::fmt::Write;

use evergate_cache::{StoredResponse, list_value};
use http::header::{ACCEPT, COOKIE, IF_MODIFIED_SINCE, IF_NONE_MATCH, USER_AGENT};
use http::{HeaderName, HeaderValue, Method};
use pingora_http::RequestHeader;

use crate::admission::Selected;
use crate::request::Request;

/// Who asks, on cached routes.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("evergate/", env!("CARGO_PKG_VERSION")));

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

/// A request to a handler, ready but for its `Host`, which depends on the server.
#[derive(Clone, Debug)]
pub struct HandlerRequest {
    target: String,
    fields: Vec<(HeaderName, HeaderValue)>,
    /// The site, when it is part of the key; otherwise the upstream's own name is used.
    host: Option<HeaderValue>,
}

impl HandlerRequest {
    /// The request for what `selected` selects; conditional when `old` has validators from the handler.
    pub fn new(selected: &Selected<'_>, request: &Request, old: Option<&StoredResponse>) -> HandlerRequest {
        let mut target = selected.path.to_owned();
        if let Some(query) = &selected.query {
            target.push('?');
            target.push_str(query);
        }
        let mut fields = vec![
            (ACCEPT, HeaderValue::from_static("*/*")),
            (USER_AGENT, AGENT),
            (X_REQUEST_ID, request_id()),
            (TRACEPARENT, traceparent()),
            (X_FORWARDED_PROTO, HeaderValue::from_static(request.scheme.as_str())),
        ];
        let mut add = |name: HeaderName, value: &[u8]| {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                fields.push((name, value));
            }
        };
        add(X_MATCHED_PATH, selected.route.pattern.as_bytes());
        add(X_ROUTE_PARAMS, selected.matched.params_json().as_bytes());
        if let Some(cookies) = &selected.cookies {
            add(COOKIE, cookies);
        }
        for name in &selected.route.vary {
            fields.retain(|(known, _)| known != name);
            let value = list_value(&request.headers, name).and_then(|value| HeaderValue::from_bytes(&value).ok());
            fields.extend(value.map(|value| (name.clone(), value)));
        }
        let old = old.filter(|old| old.can_be_confirmed());
        if let Some(etag) = old.and_then(StoredResponse::handler_etag) {
            fields.push((IF_NONE_MATCH, etag.clone()));
        }
        if let Some(modified) = old.and_then(StoredResponse::last_modified) {
            fields.push((IF_MODIFIED_SINCE, modified.clone()));
        }
        let host = selected.host.as_deref().and_then(|host| HeaderValue::from_str(host).ok());
        fields.extend(host.clone().map(|host| (X_FORWARDED_HOST, host)));
        HandlerRequest { target, fields, host }
    }

    /// As the framework's connectors send it: under the name that the configuration gives the upstream, else the site's, where
    /// sites are told apart, else the server's own.
    ///
    /// # Errors
    ///
    /// The framework's, for a head that it cannot build.
    pub fn header(&self, configured: Option<&HeaderValue>, server: &HeaderValue) -> pingora::Result<RequestHeader> {
        let mut header = RequestHeader::build(Method::GET, self.target.as_bytes(), Some(self.fields.len() + 1))?;
        header.insert_header(http::header::HOST, configured.or(self.host.as_ref()).unwrap_or(server))?;
        for (name, value) in &self.fields {
            header.append_header(name.clone(), value)?;
        }
        Ok(header)
    }
}

/// A new name for a request: 128 random bits in hexadecimal.
pub fn request_id() -> HeaderValue {
    text(format_args!("{:032x}", fastrand::u128(..)))
}

/// A new trace that nobody has asked to be recorded (W3C Trace Context level 1).
pub fn traceparent() -> HeaderValue {
    text(format_args!("00-{:032x}-{:016x}-00", fastrand::u128(1..), fastrand::u64(1..)))
}

fn text(value: std::fmt::Arguments<'_>) -> HeaderValue {
    let mut text = String::with_capacity(56);
    // Writing to memory does not fail, and hexadecimal digits are always a header value.
    let _ = text.write_fmt(value);
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests;
