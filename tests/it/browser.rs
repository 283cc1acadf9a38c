//! CORS as browsers have it: scripts of pages in a real Chromium ask the gateway (DESIGN section 3, `cors`). What other tests
//! read in headers is here what a page may read or not, and which requests it may not even send. One module for each subject.
//!
//! A test starts one browser, and in it a page for each origin; each page is on a port of its own, so the gateway is another
//! origin to all of them.

mod answers;
mod credentials;
mod harness;
mod kept;
mod modes;
mod origins;
mod preflights;
mod readers;

use evergate_tests::{Answer, Gateway, Origin, Reply, Seen};
use serde_json::{Value, json};

/// Routes of every kind: a window, `origin`, dynamic. Whatever else comes has no route.
const ROUTES: &str = " [{ path: '/kept/[page]', revalidate: 1h }, { path: '/theirs/[page]', revalidate: origin },\n\
    { path: '/live/[...page]' }]";

/// An origin that tells which run of its path it was, behind a gateway with these rules for every path (a YAML mapping).
struct Stage {
    origin: Origin,
    gateway: Gateway,
}

impl Stage {
    /// Routes as in [`ROUTES`].
    async fn start(cors: &str) -> Stage {
        Stage::with_routes(ROUTES, cors).await
    }

    /// Routes of one's own, after which other settings may stand.
    async fn with_routes(routes: &str, cors: &str) -> Stage {
        let origin = Origin::start().await;
        origin.on_counted("/*", run);
        let config = Gateway::simple_config(&origin, routes);
        let gateway = Gateway::start(&format!("{config}proxy: [{{ cors: {cors} }}]\n")).await;
        Stage { origin, gateway }
    }

    /// A path as pages ask for it.
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway.address())
    }

    /// How many requests with this method the gateway has answered.
    async fn answered(&self, method: &str) -> f64 {
        self.gateway.metric("evergate_requests_total", &[("method", method)]).await
    }
}

/// The run of its path, in a header and with what came in the body. Shared caches may keep it, browsers may not.
fn run(seen: &Seen, run: usize) -> Reply {
    let body = format!("{} {run} {}", seen.method, String::from_utf8_lossy(&seen.body));
    let reply = Reply::ok(body).header("content-type", "text/plain").header("x-other", "1");
    let reply = reply.header("x-run", run.to_string());
    if seen.path().starts_with("/theirs/") { reply.header("cache-control", "max-age=0, s-maxage=60") } else { reply }
}

/// A request that what the browser keeps does not answer.
fn reading() -> Value {
    json!({ "cache": "no-store" })
}

/// A request for which the browser asks first.
fn writing(method: &str, body: &str) -> Value {
    json!({ "method": method, "headers": { "content-type": "application/json" }, "body": body })
}

/// An answer that the page was given.
fn given(asked: Result<Answer, String>) -> Answer {
    asked.unwrap_or_else(|why| panic!("the page was refused the answer: {why}"))
}

/// What the browser says when it refuses a page the answer, or refuses to ask.
fn refused(asked: Result<Answer, String>) -> String {
    match asked {
        Ok(answer) => panic!("the page was given the answer: {answer:?}"),
        Err(why) => {
            assert!(why.contains("blocked by CORS policy"), "refused, but for another reason: {why}");
            why
        }
    }
}
