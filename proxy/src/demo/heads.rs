//! What travels in the head: cookies, headers, a redirect, CORS.

use std::collections::BTreeMap;

use axum::Json;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

/// `/api/cookies`, any method: "Cookies" reads `a`, sets `b`, deletes `c`, and sends `token` back when there is one.
///
/// Each is a `Set-Cookie` line of its own, in this order, because that is the one field that must not be joined.
pub(crate) async fn cookies(headers: HeaderMap) -> Response {
    #[derive(Serialize)]
    struct Cookies {
        a: Option<String>,
    }
    let a = cookie(&headers, "a").map(|value| String::from_utf8_lossy(value).into_owned());
    let mut response = Json(Cookies { a }).into_response();
    let lines = response.headers_mut();
    lines.append(header::SET_COOKIE, HeaderValue::from_static("b=1; Path=/"));
    lines.append(header::SET_COOKIE, HeaderValue::from_static("c=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"));
    let token = cookie(&headers, "token").and_then(|value| HeaderValue::from_bytes(&[b"token=", value].concat()).ok());
    if let Some(token) = token {
        lines.append(header::SET_COOKIE, token);
    }
    response
}

/// `GET /api/headers`: "Headers" sends `referer` back as a header, and shows everything that arrived.
pub(crate) async fn headers(headers: HeaderMap) -> Response {
    #[derive(Serialize)]
    struct Received {
        referer: Option<String>,
        headers: BTreeMap<String, Vec<String>>,
    }
    let referer = headers.get(header::REFERER);
    let mut received = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in &headers {
        received.entry(name.to_string()).or_default().push(text(value));
    }
    let mut response = Json(Received { referer: referer.map(text), headers: received }).into_response();
    if let Some(referer) = referer {
        response.headers_mut().insert(header::REFERER, referer.clone());
    }
    response
}

/// `GET /api/redirect`: "Redirects"; a handler's `redirect()` is a 307.
pub(crate) async fn redirect() -> Redirect {
    Redirect::temporary("https://nextjs.org/")
}

/// `GET /api/cors`: "CORS", by the handler itself.
pub(crate) async fn cors() -> impl IntoResponse {
    (CORS, "Hello, Evergate!")
}

/// `OPTIONS /api/cors`: the preflight, by the handler itself.
pub(crate) async fn preflight() -> impl IntoResponse {
    (StatusCode::NO_CONTENT, CORS)
}

/// The value of the first cookie called `name`, as bytes, over all `Cookie` lines.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers
        .get_all(header::COOKIE)
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .find_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

const CORS: [(HeaderName, &str); 3] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE, OPTIONS"),
    (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type, Authorization"),
];
