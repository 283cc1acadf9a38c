//! What visitors send: JSON, a form, a webhook, bytes of any kind and number, and every method.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Form, FromRequest, Multipart, Request};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::{HeaderMap, Method, StatusCode, header};
use serde::Serialize;

/// `POST /items`: "Request Body"; as `request.json()`, it reads JSON whatever the content type says.
pub(crate) async fn json(body: Bytes) -> Response {
    #[derive(Serialize)]
    struct Echo {
        res: serde_json::Value,
    }
    match serde_json::from_slice(&body) {
        Ok(res) => Json(Echo { res }).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("no JSON: {error}\n")).into_response(),
    }
}

/// `POST /items/form`: "Request Body FormData", in either of the forms that forms are sent in; a field that is missing is null,
/// as in `formData.get`.
pub(crate) async fn form(request: Request) -> Response {
    #[derive(Serialize)]
    struct Fields {
        name: Option<String>,
        email: Option<String>,
    }
    let pairs = match pairs(request).await {
        Ok(pairs) => pairs,
        Err(refused) => return refused,
    };
    let first = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    Json(Fields { name: first("name"), email: first("email") }).into_response()
}

/// The fields of a form, in their order.
async fn pairs(request: Request) -> Result<Vec<(String, String)>, Response> {
    let told = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    if !told.starts_with(b"multipart/form-data") {
        let form = Form::from_request(request, &()).await;
        return form.map(|Form(pairs)| pairs).map_err(IntoResponse::into_response);
    }
    let mut parts = Multipart::from_request(request, &()).await.map_err(IntoResponse::into_response)?;
    let mut pairs = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(IntoResponse::into_response)? {
        let name = part.name().unwrap_or_default().to_owned();
        pairs.push((name, part.text().await.map_err(IntoResponse::into_response)?));
    }
    Ok(pairs)
}

/// `POST /api/echo`: what was sent, byte for byte and bit by bit, under the name that it was sent under.
pub(crate) async fn echo(headers: HeaderMap, body: Body) -> Response {
    let mut response = body.into_response();
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    response
}

/// `POST /api/upload`: counts what is sent and keeps none of it, so that it may be of any size.
pub(crate) async fn upload(body: Body) -> Response {
    #[derive(Serialize)]
    struct Counted {
        bytes: usize,
    }
    let mut pieces = body.into_data_stream();
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => bytes += piece.len(),
            Err(error) => {
                return (StatusCode::BAD_REQUEST, format!("cut after {bytes} bytes: {error}\n")).into_response();
            }
        }
    }
    Json(Counted { bytes }).into_response()
}

/// `POST /api/webhook`: "Webhooks"; the payload as text, its length in bytes and the payload itself sent back.
pub(crate) async fn webhook(body: Bytes) -> Response {
    #[derive(Serialize)]
    struct Received<'a> {
        message: &'static str,
        bytes: usize,
        text: &'a str,
    }
    match std::str::from_utf8(&body) {
        Ok(text) => Json(Received { message: "Success!", bytes: text.len(), text }).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("Webhook error: {error}\n")).into_response(),
    }
}

/// `/api/methods`: "HTTP Methods"; says which one arrived, in the body and, for HEAD, in `x-method`.
pub(crate) async fn method(method: Method, body: Bytes) -> impl IntoResponse {
    #[derive(Serialize)]
    struct Arrived {
        method: String,
        bytes: usize,
    }
    let name = method.to_string();
    ([("x-method", name.clone())], Json(Arrived { method: name, bytes: body.len() }))
}

/// `OPTIONS /api/methods`: what Next.js answers for a handler that exports every other method.
pub(crate) async fn methods() -> impl IntoResponse {
    (StatusCode::NO_CONTENT, [(header::ALLOW, "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")])
}
