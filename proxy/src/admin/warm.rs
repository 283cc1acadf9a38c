//! `POST /warm`: pages are fetched before visitors ask for them, and how far that has come is told line by line.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;

use super::body::read;
use super::{Admin, error, error_with};
use crate::warm::{Line, MAX_ORDER, Order, OrderError, warm};

/// Warms up what the body says, as long as the answer is read.
pub(super) async fn warmed(State(admin): State<Admin>, body: Body) -> Response {
    let body = match read(body, MAX_ORDER).await {
        Ok(body) => body,
        Err(unread) => return unread.into_response(),
    };
    let order = match Order::read(&body) {
        Ok(order) => order,
        Err(problem) => return refused(&problem),
    };
    let Ok(permit) = Arc::clone(&admin.warming).try_acquire_owned() else {
        return error(StatusCode::CONFLICT, "another warm-up is under way");
    };
    let lines = warm(&admin.gateway, order, permit).map(|line| Ok::<Bytes, Infallible>(written(&line)));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

/// A line of JSON. Numbers and texts always are.
fn written(line: &Line) -> Bytes {
    let mut written = serde_json::to_vec(line).unwrap_or_default();
    written.push(b'\n');
    Bytes::from(written)
}

fn refused(problem: &OrderError) -> Response {
    match problem {
        OrderError::Json(_) => error(StatusCode::BAD_REQUEST, &problem.to_string()),
        OrderError::Problems(problems) => error_with(StatusCode::UNPROCESSABLE_ENTITY, &problem.to_string(), problems),
    }
}
