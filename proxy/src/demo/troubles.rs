//! What handlers do on a bad day: they are late, or they fail.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use tokio::time::sleep;

use super::site::Site;

/// `GET /slow`: an answer after two seconds, which a refresh behind the visitor's back hides.
pub(crate) async fn slow(State(site): State<Arc<Site>>) -> impl IntoResponse {
    let run = site.runs.slow.next();
    sleep(DELAY).await;
    Json(Answer { run, at: site.at() })
}

/// `GET /flaky`: the first run succeeds, the second fails, and so on.
pub(crate) async fn flaky(State(site): State<Arc<Site>>) -> Response {
    let run = site.runs.flaky.next();
    if run.is_multiple_of(2) {
        let body = format!("run {run} failed, as every second one does\n");
        return (StatusCode::INTERNAL_SERVER_ERROR, body).into_response();
    }
    Json(Answer { run, at: site.at() }).into_response()
}

#[derive(Serialize)]
struct Answer {
    run: u64,
    at: String,
}

const DELAY: Duration = Duration::from_secs(2);
