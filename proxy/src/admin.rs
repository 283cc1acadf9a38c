//! The admin listener: health, readiness, metrics and explanations, apart from the visitors' traffic.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::explain::{Question, explain};
use crate::gateway::Gateway;
use crate::phase::Phase;

/// What the admin listener answers from.
#[derive(Clone)]
pub struct Admin {
    gateway: Arc<Gateway>,
    phase: watch::Receiver<Phase>,
    /// The digest of the token; none where nobody is asked for it.
    token: Option<[u8; 32]>,
}

impl Admin {
    /// The admin side of `gateway`, which is in this phase. With a token, what tells of stored responses asks for it.
    pub fn new(gateway: Arc<Gateway>, phase: watch::Receiver<Phase>, token: Option<&str>) -> Admin {
        Admin { gateway, phase, token: token.map(digest) }
    }

    /// Whether a request may see what is stored (RFC 6750 section 2.1). Digests are compared, so that the time it takes says
    /// nothing about the token.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(token) = self.token else { return true };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given =
            given.and_then(|value| value.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        given.is_some_and(|(_, given)| digest(given.trim()) == token)
    }

    /// Serves `listener` until the process ends: a probe wants to be told that the gateway is draining.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let routes = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .route("/explain", get(explained))
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .with_state(self);
        axum::serve(listener, routes).await
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
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
    match admin.gateway.metrics.scrape(&admin.gateway.cache.figures()) {
        Ok((content_type, text)) => ([(header::CONTENT_TYPE, content_type)], text).into_response(),
        Err(reason) => error(StatusCode::INTERNAL_SERVER_ERROR, &reason.to_string()),
    }
}

/// What would become of a request: `/explain?url=/items/a&method=GET&header=accept-language:+fr`.
async fn explained(
    State(admin): State<Admin>,
    headers: HeaderMap,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    if !admin.admits(&headers) {
        let asked = [(header::WWW_AUTHENTICATE, "Bearer")];
        return (asked, error(StatusCode::UNAUTHORIZED, "the token of the admin listener is missing or wrong"))
            .into_response();
    }
    match Question::read(&parameters) {
        Ok(question) => axum::Json(explain(&admin.gateway, question)).into_response(),
        Err(problem) => error(StatusCode::BAD_REQUEST, &problem.to_string()),
    }
}

async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "no such endpoint; there are /healthz, /readyz, /metrics and /explain")
}

async fn method_not_allowed() -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "this endpoint is read with GET")
}

fn error(status: StatusCode, message: &str) -> Response {
    let body = serde_json::json!({ "error": message, "problems": [] });
    (status, axum::Json(body)).into_response()
}
