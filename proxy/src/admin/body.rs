//! The bodies of requests to the admin listener: read whole, within a length and a time.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use tokio::time::timeout;

use super::error;

/// Longest time for the body of a request.
const READING: Duration = Duration::from_secs(30);

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    #[error("the body broke off")]
    Cut,
    #[error("the body did not come within {} seconds", READING.as_secs())]
    Late,
}

/// Reads a body of at most `most` bytes.
pub(super) async fn read(body: Body, most: usize) -> Result<Vec<u8>, Unread> {
    timeout(READING, read_whole(body, most)).await.unwrap_or(Err(Unread::Late))
}

async fn read_whole(body: Body, most: usize) -> Result<Vec<u8>, Unread> {
    let (mut pieces, mut read) = (body.into_data_stream(), Vec::new());
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Unread::Cut)?;
        if read.len() + piece.len() > most {
            return Err(Unread::TooLong(most));
        }
        read.extend_from_slice(&piece);
    }
    Ok(read)
}

impl IntoResponse for Unread {
    fn into_response(self) -> Response {
        let status = match self {
            Unread::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Unread::Cut => StatusCode::BAD_REQUEST,
            Unread::Late => StatusCode::REQUEST_TIMEOUT,
        };
        error(status, &self.to_string())
    }
}

#[cfg(test)]
mod tests;
