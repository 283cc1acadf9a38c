//! What comes bit by bit: a page in five chunks, an answer in words, and events without an end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::{StatusCode, header};
use serde::Deserialize;
use tokio::time::sleep;

use super::site::Site;

/// `GET /stream`: "Streaming"; five chunks, 200 ms apart.
pub(crate) async fn paragraphs() -> impl IntoResponse {
    let chunks = stream::unfold(PARAGRAPHS.iter().enumerate(), |mut rest| async {
        let (index, paragraph) = rest.next()?;
        if index > 0 {
            sleep(BETWEEN_CHUNKS).await;
        }
        Some((Ok::<_, Infallible>(Bytes::from_static(paragraph.as_bytes())), rest))
    });
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], Body::from_stream(chunks))
}

/// `POST /api/chat`: "Streaming" as language models do it; says the last message again, word by word, 100 ms apart.
pub(crate) async fn chat(body: Bytes) -> Response {
    #[derive(Deserialize)]
    struct Chat {
        messages: Vec<Message>,
    }
    #[derive(Deserialize)]
    struct Message {
        content: String,
    }
    let last = match serde_json::from_slice(&body) {
        Ok(Chat { messages }) => messages.into_iter().next_back().map(|message| message.content),
        Err(error) => return (StatusCode::BAD_REQUEST, format!("no messages: {error}\n")).into_response(),
    };
    let words: Vec<String> = last.unwrap_or_default().split_inclusive(' ').map(str::to_owned).collect();
    let words = stream::unfold(words.into_iter().enumerate(), |mut rest| async {
        let (index, word) = rest.next()?;
        if index > 0 {
            sleep(BETWEEN_WORDS).await;
        }
        Some((Ok::<_, Infallible>(Bytes::from(word)), rest))
    });
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], Body::from_stream(words)).into_response()
}

/// `GET /events`: server-sent events; the first at once, then one each second until the visitor or the service leaves.
pub(crate) async fn events(State(site): State<Arc<Site>>) -> impl IntoResponse {
    let ticks = stream::unfold((site, 0_u64), |(site, tick)| async move {
        if tick > 0 {
            // The service waits for answers under way before it ends, and this one would never be over by itself.
            tokio::select! {
                () = sleep(BETWEEN_EVENTS) => {}
                () = site.stopped() => return None,
            }
        }
        let event = format!("id: {tick}\ndata: {{\"tick\":{tick},\"at\":\"{}\"}}\n\n", site.at());
        Some((Ok::<_, Infallible>(Bytes::from(event)), (site, tick + 1)))
    });
    ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")], Body::from_stream(ticks))
}

const BETWEEN_CHUNKS: Duration = Duration::from_millis(200);

const BETWEEN_WORDS: Duration = Duration::from_millis(100);

const BETWEEN_EVENTS: Duration = Duration::from_secs(1);

const PARAGRAPHS: [&str; 5] = ["<p>One</p>\n", "<p>Two</p>\n", "<p>Three</p>\n", "<p>Four</p>\n", "<p>Five</p>\n"];
