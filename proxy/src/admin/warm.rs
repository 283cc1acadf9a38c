//! `POST /warm`: pages are fetched before visitors ask for them, and how far that has come is told line by line.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use tokio::time::timeout;

use super::{Admin, error, error_with};
use crate::warm::{Line, MAX_ORDER, Order, OrderError, warm};

/// Longest time for the body of a request.
const READING: Duration = Duration::from_secs(30);

/// Why there is no order.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error("the body is longer than {MAX_ORDER} bytes")]
    TooLong,
    #[error("the body broke off")]
    Cut,
    #[error("the body did not come within {} seconds", READING.as_secs())]
    Late,
    #[error(transparent)]
    Order(#[from] OrderError),
}

/// Warms up what the body says, as long as the answer is read.
pub(super) async fn warmed(State(admin): State<Admin>, body: Body) -> Response {
    let order = match timeout(READING, read(body)).await {
        Ok(Ok(order)) => order,
        Ok(Err(unread)) => return unread.into_response(),
        Err(_) => return Unread::Late.into_response(),
    };
    let Ok(permit) = Arc::clone(&admin.warming).try_acquire_owned() else {
        return error(StatusCode::CONFLICT, "another warm-up is under way");
    };
    let lines = warm(&admin.gateway, order, permit).map(|line| Ok::<Bytes, Infallible>(written(&line)));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

async fn read(body: Body) -> Result<Order, Unread> {
    let (mut pieces, mut read) = (body.into_data_stream(), Vec::new());
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Unread::Cut)?;
        if read.len() + piece.len() > MAX_ORDER {
            return Err(Unread::TooLong);
        }
        read.extend_from_slice(&piece);
    }
    Ok(Order::read(&read)?)
}

/// A line of JSON. Numbers and texts always are.
fn written(line: &Line) -> Bytes {
    let mut written = serde_json::to_vec(line).unwrap_or_default();
    written.push(b'\n');
    Bytes::from(written)
}

impl IntoResponse for Unread {
    fn into_response(self) -> Response {
        let message = self.to_string();
        match self {
            Unread::TooLong => error(StatusCode::PAYLOAD_TOO_LARGE, &message),
            Unread::Late => error(StatusCode::REQUEST_TIMEOUT, &message),
            Unread::Cut | Unread::Order(OrderError::Json(_)) => error(StatusCode::BAD_REQUEST, &message),
            Unread::Order(OrderError::Problems(problems)) => {
                error_with(StatusCode::UNPROCESSABLE_ENTITY, &message, &problems)
            }
        }
    }
}
