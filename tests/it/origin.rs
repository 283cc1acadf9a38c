//! Routes with `revalidate: origin`: what is kept, for whom, and what may be served is RFC 9111's and the handler's word. One
//! module for each subject; section numbers without a name are those of RFC 9111.

mod collapse;
mod forwarding;
mod freshness;
mod heads;
mod invalidation;
mod parts;
mod poison;
mod requests;
mod stale;
mod storing;
mod validation;
mod variants;

use evergate_tests::{Client, Gateway, Origin, Reply, Response, Seen};

/// Header lines.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// A request for `/p` by a visitor of its own, on a connection of its own.
async fn ask(gateway: &Gateway, method: &str, lines: Lines<'_>) -> Response {
    Client::connect(gateway.address()).await.request(method, "/p", lines, "").await
}

/// A GET of `/p?N`, the page with this number, by a visitor of its own.
async fn page(gateway: &Gateway, number: usize, lines: Lines<'_>) -> Response {
    Client::connect(gateway.address()).await.get_with(&format!("/p?{number}"), lines).await
}

/// Which page is asked for.
fn number(seen: &Seen) -> usize {
    seen.query().parse().expect("the number of a page")
}

/// How often the handler was asked for this page.
fn runs(origin: &Origin, number: usize) -> usize {
    let query = number.to_string();
    origin.seen("/p").iter().filter(|seen| seen.query() == query).count()
}

/// A GET of `/p` by a visitor of its own.
async fn visit(gateway: &Gateway, lines: Lines<'_>) -> Response {
    ask(gateway, "GET", lines).await
}

/// A reply with these fields.
fn said(reply: Reply, lines: Lines<'_>) -> Reply {
    lines.iter().fold(reply, |reply, (name, value)| reply.header(*name, *value))
}

/// An origin whose `/p` replies so, behind a gateway that keeps what it says may be kept. `settings` are more of the route's,
/// each after a comma.
async fn in_front_of(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static, settings: &str) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/p", reply);
    let gateway = once(&origin, &format!("- {{ path: /p, revalidate: origin{settings} }}")).await;
    (origin, gateway)
}

/// A gateway with these routes that asks its handlers once and not again, so that runs can be counted.
async fn once(origin: &Origin, routes: &str) -> Gateway {
    let servers = format!("servers: [\"{}\"]", origin.address());
    let config = Gateway::simple_config(origin, routes);
    assert!(config.contains(&servers), "{config}");
    Gateway::start(&config.replace(&servers, &format!("{servers}, retries: 0"))).await
}

/// `x-cache` and the body.
fn essence(response: &Response) -> (&str, &str) {
    (response.x_cache(), response.text())
}

/// What `Cache-Status` gives as its detail; empty when it gives none.
fn detail(response: &Response) -> &str {
    response.cache_status().split_once("; detail=").map_or("", |(_, detail)| detail)
}
