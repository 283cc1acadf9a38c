//! What a handler is asked on behalf of a cached route: with a window of its own exactly what is in the key, and a fixed few
//! fields beside it; where the handler's word counts, the whole request of whoever asks.

use std::fmt::Write;

use evergate_cache::{Policy, SURROGATE_CAPABILITY, StoredResponse, list_value};
use http::header::{ACCEPT, COOKIE, HOST, IF_MODIFIED_SINCE, IF_NONE_MATCH, USER_AGENT, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::admission::Selected;
use crate::forwarded::{
    NOT_FORWARDED, TRACEPARENT, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_MATCHED_PATH, X_REQUEST_ID,
    X_ROUTE_PARAMS, for_the_gateway_alone, joined_cookies,
};
use crate::request::Request;
use crate::upstream::RequestHead;

/// Who asks, on cached routes.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("evergate/", env!("CARGO_PKG_VERSION")));

/// What this gateway can be told in `Surrogate-Control`, for handlers.
pub const SURROGATE_CAPABILITY_FIELD: HeaderName = HeaderName::from_static("surrogate-capability");

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
        let mut fields = match selected.policy {
            Policy::Window(..) => chosen_fields(selected, request),
            Policy::Origin(_) => whole_fields(&selected.fields, request),
        };
        fields.push((X_FORWARDED_PROTO, HeaderValue::from_static(request.scheme.as_str())));
        for (name, value) in [
            (X_MATCHED_PATH, selected.route.pattern.as_bytes()),
            (X_ROUTE_PARAMS, selected.matched.params_json().as_bytes()),
        ] {
            fields.extend(HeaderValue::from_bytes(value).map(|value| (name, value)));
        }
        let host = selected.host.and_then(|host| HeaderValue::from_str(host).ok());
        fields.extend(host.clone().map(|host| (X_FORWARDED_HOST, host)));
        let mut asked = HandlerRequest { target, fields, host };
        if let Some(old) = old.filter(|old| old.can_be_confirmed()) {
            // What the gateway has takes the place of what the visitor has (RFC 9111 section 4.3.1).
            asked = asked.unconditional();
            asked.fields.extend(old.handler_etag().map(|etag| (IF_NONE_MATCH, etag)));
            asked.fields.extend(old.last_modified().map(|modified| (IF_MODIFIED_SINCE, modified)));
        }
        asked
    }

    /// A GET for a target of the upstream's own, for nobody in particular; `site` is the one that it is about, where the gateway
    /// serves several.
    pub fn plain(target: &str, site: Option<&str>) -> HandlerRequest {
        let mut fields = own_fields();
        let host = site.and_then(|site| HeaderValue::from_str(site).ok());
        fields.extend(host.clone().map(|host| (X_FORWARDED_HOST, host)));
        HandlerRequest { target: target.to_owned(), fields, host }
    }

    /// The value of a field.
    pub fn field(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The same without conditions: whatever the handler has.
    #[must_use]
    pub fn unconditional(mut self) -> HandlerRequest {
        self.fields.retain(|(name, _)| *name != IF_NONE_MATCH && *name != IF_MODIFIED_SINCE);
        self
    }

    /// As it is sent: under the name that the configuration gives the upstream, else the site's, where sites are told apart, else
    /// the server's own.
    pub fn head(&self, configured: Option<&HeaderValue>, server: &HeaderValue) -> RequestHead {
        let mut head = RequestHead::new(&Method::GET, &self.target);
        head.line(&HOST, configured.or(self.host.as_ref()).unwrap_or(server).as_bytes());
        for (name, value) in &self.fields {
            head.line(name, value.as_bytes());
        }
        head.ended()
    }
}

/// What is in the key, and a fixed few fields.
fn chosen_fields(selected: &Selected<'_>, request: &Request) -> Vec<(HeaderName, HeaderValue)> {
    let mut fields = own_fields();
    let cookies = selected.cookies.as_deref().and_then(|cookies| HeaderValue::from_bytes(cookies).ok());
    fields.extend(cookies.map(|cookies| (COOKIE, cookies)));
    fields.extend(selected.form.iter().flat_map(|form| form.fields.iter().cloned()));
    for name in &selected.route.vary {
        fields.retain(|(known, _)| known != name);
        let value = list_value(&request.headers, name).and_then(|value| HeaderValue::from_bytes(&value).ok());
        fields.extend(value.map(|value| (name.clone(), value)));
    }
    fields
}

/// What the gateway says of itself.
fn own_fields() -> Vec<(HeaderName, HeaderValue)> {
    vec![
        (ACCEPT, HeaderValue::from_static("*/*")),
        (USER_AGENT, AGENT),
        (X_REQUEST_ID, request_id()),
        (TRACEPARENT, traceparent()),
    ]
}

/// Everything that the visitor sent but what concerns the connection alone, and who forwards it.
fn whole_fields(headers: &HeaderMap, request: &Request) -> Vec<(HeaderName, HeaderValue)> {
    let forwarded = headers.iter().filter(|(name, _)| !NOT_FORWARDED.contains(name) && !for_the_gateway_alone(name));
    let mut fields: Vec<(HeaderName, HeaderValue)> =
        forwarded.map(|(name, value)| (name.clone(), value.clone())).collect();
    fields.extend(joined_cookies(headers).map(|cookies| (COOKIE, cookies)));
    fields.push((VIA, HeaderValue::from_static(request.protocol.via())));
    fields.push((SURROGATE_CAPABILITY_FIELD, HeaderValue::from_static(SURROGATE_CAPABILITY)));
    if let Some(peer) = request.peer {
        fields.push((X_FORWARDED_FOR, text(format_args!("{peer}"))));
    }
    if !headers.contains_key(X_REQUEST_ID) {
        fields.push((X_REQUEST_ID, request_id()));
    }
    if !headers.contains_key(TRACEPARENT) {
        fields.push((TRACEPARENT, traceparent()));
    }
    fields
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
