//! The admin listener: health, readiness and metrics, apart from the visitors' traffic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::gateway::Gateway;

/// What the admin listener answers from.
#[derive(Clone)]
pub struct Admin {
    gateway: Arc<Gateway>,
    draining: Arc<AtomicBool>,
}

impl Admin {
    /// The admin side of `gateway`. `draining` turns true when the gateway is about to stop.
    pub fn new(gateway: Arc<Gateway>, draining: Arc<AtomicBool>) -> Admin {
        Admin { gateway, draining }
    }

    /// Serves `listener` until the process ends: a probe wants to be told that the gateway is draining.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let routes = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .with_state(self);
        axum::serve(listener, routes).await
    }
}

/// The process is alive.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether visitors may be sent here.
async fn readyz(State(admin): State<Admin>) -> Response {
    if admin.draining.load(Ordering::Acquire) {
        error(StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else {
        "ready\n".into_response()
    }
}

/// Everything that is counted, for Prometheus.
async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.gateway.metrics.scrape(&admin.gateway.cache.figures()) {
        Ok((content_type, text)) => ([(header::CONTENT_TYPE, content_type)], text).into_response(),
        Err(reason) => error(StatusCode::INTERNAL_SERVER_ERROR, &reason.to_string()),
    }
}

async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "no such endpoint; there are /healthz, /readyz and /metrics")
}

async fn method_not_allowed() -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "this endpoint is read with GET")
}

fn error(status: StatusCode, message: &str) -> Response {
    let body = serde_json::json!({ "error": message, "problems": [] });
    (status, axum::Json(body)).into_response()
}
