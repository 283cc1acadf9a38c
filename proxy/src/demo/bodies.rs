//! What visitors send: JSON, a form, a webhook, and every method.

use axum::extract::Form;
use axum::response::{IntoResponse, Response};
use axum::{Json, body::Bytes};
use http::{Method, StatusCode, header};
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

/// `POST /items/form`: "Request Body FormData"; a field that is missing is null, as in `formData.get`.
pub(crate) async fn form(Form(pairs): Form<Vec<(String, String)>>) -> impl IntoResponse {
    #[derive(Serialize)]
    struct Fields {
        name: Option<String>,
        email: Option<String>,
    }
    let first = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    Json(Fields { name: first("name"), email: first("email") })
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
