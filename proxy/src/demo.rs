//! The demo handler service: one handler for each section of the Next.js page on Route Handlers.
//!
//! It is what `builtin: demo` starts, so that the first `curl` after `make run` has something behind the gateway: a real
//! HTTP service on a loopback port of its own, which the gateway reaches as it reaches any other handler service.
//! It owns its counters and nothing else. It refuses to know the gateway: it sets no windows, reads no configuration
//! and shares no memory with the cache, because a visitor could not trust a demonstration that cheats.
//!
//! Begin with [`Demo::start`]; the router below it is the list of handlers, and the modules hold one kind each:
//! `pages` (what is read), `documents` (what is no page), `news` (what says itself how long it is good), `heads` (cookies, headers, redirects, CORS), `bodies` (what is sent), `streams` (what comes
//! bit by bit) and `troubles` (what is late or fails).

mod bodies;
mod documents;
mod heads;
mod news;
mod pages;
mod site;
mod streams;
#[cfg(test)]
mod tests;
mod troubles;

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use http::{HeaderMap, HeaderName, StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::site::{Site, stopped};

/// The demo handler service.
///
/// It has no state outside the task that [`Demo::start`] spawns.
#[derive(Clone, Copy, Debug)]
pub struct Demo;

impl Demo {
    /// Starts the service on a free port of 127.0.0.1 and returns the address at once, ready for connections.
    ///
    /// `now` is the wall clock, read for the `at` of the answers. The service runs in a task of its own until
    /// `shutdown` turns true or its sender is gone; answers under way are finished, endless ones are ended.
    ///
    /// # Errors
    ///
    /// Those of binding a loopback port: none is free, or the sandbox forbids it.
    pub async fn start(now: fn() -> SystemTime, shutdown: watch::Receiver<bool>) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = router(Site::new(now, shutdown.clone()));
        tokio::spawn(async move {
            let server = axum::serve(listener, router).with_graceful_shutdown(stopped(shutdown));
            if let Err(error) = server.await {
                tracing::error!(%error, "the demo handler service ended");
            }
        });
        Ok(address)
    }
}

/// Every handler, in the order of the page it illustrates.
fn router(site: Site) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/api/hello", get(pages::hello))
        .route(
            "/api/methods",
            get(bodies::method)
                .head(bodies::method)
                .post(bodies::method)
                .put(bodies::method)
                .patch(bodies::method)
                .delete(bodies::method)
                .options(bodies::methods),
        )
        .route("/dashboard/{team}", get(pages::params))
        .route("/shop/{tag}/{item}", get(pages::params))
        .route("/blog/{*slug}", get(pages::blog))
        .route("/api/cookies", any(heads::cookies))
        .route("/api/headers", get(heads::headers))
        .route("/posts", get(pages::posts))
        .route("/api/redirect", get(heads::redirect))
        .route("/items/{slug}", get(pages::item))
        .route("/api/search", get(pages::search))
        .route("/stream", get(streams::paragraphs))
        .route("/api/chat", post(streams::chat))
        .route("/events", get(streams::events))
        .route("/items", post(bodies::json))
        .route("/items/form", post(bodies::form).get(pages::form_item))
        .route("/api/cors", get(heads::cors).options(heads::preflight))
        .route("/api/webhook", post(bodies::webhook))
        .route("/api/echo", post(bodies::echo))
        .route("/api/upload", post(bodies::upload))
        .route("/rss.xml", get(documents::rss))
        .route("/sitemap.xml", get(documents::sitemap))
        .route("/robots.txt", get(documents::robots))
        .route("/icon.png", get(documents::icon))
        .route("/news", get(news::read).post(news::publish))
        .route("/slow", get(troubles::slow))
        .route("/flaky", get(troubles::flaky))
        .fallback(missing)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Arc::new(site))
}

/// What there is to see, as text, with commands that can be pasted.
async fn index(headers: HeaderMap) -> String {
    // The gateway tells a dynamic handler which name the visitor used; that is the address worth pasting.
    let host = [HeaderName::from_static("x-forwarded-host"), header::HOST]
        .into_iter()
        .find_map(|name| headers.get(name)?.to_str().ok())
        .unwrap_or("127.0.0.1:8080");
    let mut text = String::from(INTRODUCTION);
    for (method, path, what) in HANDLERS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {method:<7} {path:<26} {what}");
    }
    text.push_str("\nTry:\n");
    for line in TRY {
        let _ = writeln!(text, "  {}", line.replace("HOST", host));
    }
    text
}

async fn missing() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "no handler here; GET / lists those there are\n")
}

/// The longest request body that a handler keeps to read, in bytes; a longer one is answered 413.
const MAX_BODY: usize = 16 * 1024 * 1024;

const INTRODUCTION: &str = "\
Evergate demo: these handlers are behind the gateway. `run` in an answer counts how often its handler ran, so the
same `run` twice means that the second answer came from memory. config.yaml says which routes have a window.

";

/// Method, a path that works, and what it shows.
const HANDLERS: [(&str, &str, &str); 35] = [
    ("GET", "/", "this page"),
    ("GET", "/api/hello", "JSON, made anew for every visitor"),
    ("GET", "/posts", "JSON that is regenerated every 5 seconds"),
    ("GET", "/items/a", "a dynamic segment: any slug"),
    ("GET", "/dashboard/1", "a dynamic segment named team"),
    ("GET", "/shop/1/2", "two dynamic segments"),
    ("GET", "/blog/1/2", "a catch-all: any number of segments"),
    ("POST", "/items", "a JSON body, back as res"),
    ("POST", "/items/form", "a form body: name and email"),
    ("GET", "/api/cookies", "reads a, sets b, deletes c"),
    ("GET", "/api/headers", "the request headers as the handler sees them"),
    ("GET", "/api/redirect", "307 to nextjs.org"),
    ("GET", "/api/search?query=isr", "query parameters"),
    ("GET", "/stream", "five chunks, 200 ms apart"),
    ("POST", "/api/chat", "the last message back, word by word"),
    ("GET", "/events", "server-sent events, one each second"),
    ("GET", "/api/cors", "CORS headers set by the handler"),
    ("OPTIONS", "/api/cors", "preflight answered by the handler"),
    ("POST", "/api/webhook", "a text body, counted and sent back byte for byte"),
    ("POST", "/api/echo", "any bytes, sent back as they come"),
    ("POST", "/api/upload", "a body of any size, counted and not kept"),
    ("GET", "/rss.xml", "text/xml"),
    ("GET", "/sitemap.xml", "application/xml"),
    ("GET", "/robots.txt", "text/plain"),
    ("GET", "/icon.png", "image/png"),
    ("GET", "/api/methods", "says which method arrived"),
    ("POST", "/api/methods", "the same"),
    ("PUT", "/api/methods", "the same"),
    ("PATCH", "/api/methods", "the same"),
    ("DELETE", "/api/methods", "the same"),
    ("OPTIONS", "/api/methods", "204 with Allow"),
    ("GET", "/news", "JSON that says itself how long it is good, and in which language"),
    ("POST", "/news", "a new edition, which makes the old one invalid everywhere"),
    ("GET", "/slow", "an answer after 2 seconds"),
    ("GET", "/flaky", "500 on every second run"),
];

/// Commands to paste; `HOST` becomes the name that the visitor used.
const TRY: [&str; 6] = [
    "curl -i http://HOST/posts                       MISS, then HIT, and STALE once after 5 seconds",
    "curl -i 'http://HOST/api/search?query=isr'      one entry for each query",
    "curl -iN http://HOST/stream                     chunks as they come, then all at once from memory",
    "curl -i http://HOST/flaky                       failed runs stay behind the last good answer",
    "curl -i http://HOST/news                        as long as its handler says; a POST makes a new edition",
    "curl -i -d '{\"a\":1}' http://HOST/items          passed through to the handler",
];
