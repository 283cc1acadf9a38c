//! What comes bit by bit: a page in five chunks, and events without an end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::IntoResponse;
use futures::stream;
use http::header;
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

const BETWEEN_EVENTS: Duration = Duration::from_secs(1);

const PARAGRAPHS: [&str; 5] = ["<p>One</p>\n", "<p>Two</p>\n", "<p>Three</p>\n", "<p>Four</p>\n", "<p>Five</p>\n"];
