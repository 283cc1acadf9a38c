//! The section `proxy`: redirects, answers, rewrites and changed fields, on every way that a request may take. One module for
//! each subject.

mod answers;
mod caches;
mod fields;
mod requests;
mod rewrites;
mod stored;
mod upstreams;

use evergate_tests::{Client, Gateway, Origin, Reply, Response, Seen};

/// Header lines.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// Routes of every kind: a window, a short one, `origin`, dynamic. Whatever else comes has no route.
const ROUTES: &str = " [{ path: '/kept/[page]', revalidate: 1h, vary: [x-tenant] }, { path: '/brief/[page]', revalidate: 1 },\n\
    { path: '/theirs/[page]', revalidate: origin }, { path: '/live/[...page]' }]";

/// Where each kind of request goes.
const PLACES: [&str; 4] = ["/kept/a", "/theirs/a", "/live/a", "/none/a"];

/// An origin that tells what it was asked, behind a gateway with these rules (a YAML list) and other settings.
async fn start(rules: &str) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", echo);
    let gateway = with_rules(&origin, rules).await;
    (origin, gateway)
}

/// A gateway with these rules, which speaks HTTP/2 too.
async fn with_rules(origin: &Origin, rules: &str) -> Gateway {
    let config = Gateway::simple_config(origin, ROUTES).replace("127.0.0.1:0\" }]", "127.0.0.1:0\", h2c: true }]");
    Gateway::start(&format!("{config}{rules}\n")).await
}

fn echo(seen: &Seen) -> Reply {
    let body = format!("{} {} {}", seen.method, seen.target, seen.all("x-tenant").join("+"));
    Reply::ok(body).header("content-type", "text/plain").header("cache-control", "max-age=60").header("etag", "\"v1\"")
}

/// A GET by a visitor of its own.
async fn visit(gateway: &Gateway, target: &str, lines: Lines<'_>) -> Response {
    Client::connect(gateway.address()).await.get_with(target, lines).await
}

/// The last request that the origin saw.
fn last(origin: &Origin) -> Seen {
    origin.seen("/*").pop().expect("a request")
}
