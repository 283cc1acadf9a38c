//! The admin listener: health, readiness, metrics, what is stored, explanations, and orders to forget and to
//! fetch ahead, apart from the visitors' traffic.

mod body;
mod connections;
mod guard;
mod warm;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::explain::{Question, explain};
use crate::gateway::Gateway;
use crate::invalidation::{self, MAX_ORDER, Order, OrderError};
use crate::inventory::{Wanted, inventory};
use crate::phase::Phase;
use body::read;
use guard::{Guard, guard};

/// What the admin listener answers from.
#[derive(Clone)]
pub struct Admin {
    gateway: Arc<Gateway>,
    phase: watch::Receiver<Phase>,
    /// The turn at warming up: one at a time.
    warming: Arc<Semaphore>,
}

impl Admin {
    /// The admin side of `gateway`, which is in this phase.
    pub fn new(gateway: Arc<Gateway>, phase: watch::Receiver<Phase>) -> Admin {
        Admin { gateway, phase, warming: Arc::new(Semaphore::new(1)) }
    }

    /// Serves `listener` until the process ends: a probe wants to be told that the gateway is draining. With a token, what
    /// tells of stored responses or changes something asks for it.
    pub async fn serve(self, listener: TcpListener, token: Option<&str>) -> std::io::Result<()> {
        let guarded = Router::new()
            .route("/cache", get(listed))
            .route("/explain", get(explained))
            .route("/invalidate", post(invalidate))
            .route("/warm", post(warm::warmed))
            .route_layer(from_fn_with_state(Guard::new(token, listener.local_addr()?), guard));
        let routes = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .merge(guarded)
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .with_state(self);
        match connections::serve(listener, routes).await {}
    }
}

/// The process is alive.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether visitors may be sent here.
async fn readyz(State(admin): State<Admin>) -> Response {
    let phase = *admin.phase.borrow();
    match phase {
        Phase::Prerendering => error(StatusCode::SERVICE_UNAVAILABLE, "prerendering"),
        Phase::Ready => "ready\n".into_response(),
        Phase::Draining => error(StatusCode::SERVICE_UNAVAILABLE, "draining"),
    }
}

/// Everything that is counted, for Prometheus.
async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.gateway.metrics.scrape(&admin.gateway.cache.figures(), &admin.gateway.cache.label_figures()) {
        Ok((content_type, text)) => ([(header::CONTENT_TYPE, content_type)], text).into_response(),
        Err(reason) => error(StatusCode::INTERNAL_SERVER_ERROR, &reason.to_string()),
    }
}

/// What would become of a request: `/explain?url=/items/a&method=GET&header=accept-language:+fr`.
async fn explained(State(admin): State<Admin>, Query(parameters): Query<Vec<(String, String)>>) -> Response {
    match Question::read(&parameters) {
        Ok(question) => axum::Json(explain(&admin.gateway, question)).into_response(),
        Err(problem) => error(StatusCode::BAD_REQUEST, &problem.to_string()),
    }
}

/// What is stored, the most popular first: `/cache?prefix=/items/&tag=items&limit=20`.
async fn listed(State(admin): State<Admin>, Query(parameters): Query<Vec<(String, String)>>) -> Response {
    let snapshot = admin.gateway.snapshot.load_full();
    let wanted = match Wanted::read(&parameters, &snapshot) {
        Ok(wanted) => wanted,
        Err(problem) => return error(StatusCode::BAD_REQUEST, &problem.to_string()),
    };
    let (gateway, now) = (Arc::clone(&admin.gateway), admin.gateway.clock.now());
    // It looks at all that is stored, which may be long: not on a thread that serves.
    match tokio::task::spawn_blocking(move || inventory(&gateway, &wanted, now)).await {
        Ok(inventory) => axum::Json(inventory).into_response(),
        Err(reason) => error(StatusCode::INTERNAL_SERVER_ERROR, &reason.to_string()),
    }
}

/// Forgets what the body says: `{"tags": ["posts"], "mode": "stale"}`. All of it, or nothing where there is a problem.
async fn invalidate(State(admin): State<Admin>, body: Body) -> Response {
    let body = match read(body, MAX_ORDER).await {
        Ok(body) => body,
        Err(unread) => return unread.into_response(),
    };
    let snapshot = admin.gateway.snapshot.load_full();
    let order = match Order::read(&body, &snapshot) {
        Ok(order) => order,
        Err(problem @ (OrderError::NotJson(_) | OrderError::NotAnObject)) => {
            return error(StatusCode::BAD_REQUEST, &problem.to_string());
        }
        Err(OrderError::Problems(problems)) => {
            let message = "the order has problems, so nothing was forgotten";
            return error_with(StatusCode::UNPROCESSABLE_ENTITY, message, &problems);
        }
    };
    let gateway = Arc::clone(&admin.gateway);
    // Thousands of names at once take a moment: not on a thread that serves.
    let forgotten = tokio::task::spawn_blocking(move || {
        let count = invalidation::forget(&gateway, order.invalidation());
        order.answered(count)
    });
    match forgotten.await {
        Ok(answered) => axum::Json(answered).into_response(),
        Err(reason) => error(StatusCode::INTERNAL_SERVER_ERROR, &reason.to_string()),
    }
}

async fn not_found() -> Response {
    let there = "/healthz, /readyz, /metrics, /cache, /explain, /invalidate and /warm";
    error(StatusCode::NOT_FOUND, &format!("no such endpoint; there are {there}"))
}

async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    let answered = if ["/invalidate", "/warm"].contains(&uri.path()) { "POST" } else { "GET" };
    let message = format!("{} answers {answered}, and not {method}", uri.path());
    error(StatusCode::METHOD_NOT_ALLOWED, &message)
}

fn error(status: StatusCode, message: &str) -> Response {
    error_with(status, message, &[])
}

fn error_with(status: StatusCode, message: &str, problems: &[String]) -> Response {
    let body = serde_json::json!({ "error": message, "problems": problems });
    (status, axum::Json(body)).into_response()
}
