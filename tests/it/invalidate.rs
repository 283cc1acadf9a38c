//! Forgetting on demand: by the admin listener, by `PURGE`, by handlers with their answers, and by the command line.

mod command;
mod hammer;
mod handlers;
mod modes;
mod orders;
mod purge;
mod races;
mod refresh;
mod selections;
mod waiting;

use evergate_tests::{Client, Gateway, Origin, Reply, Response, get, until};
use serde_json::{Value, json};

/// Tells the gateway to forget, over the admin listener.
async fn order(gateway: &Gateway, body: &Value) -> Response {
    let json = [("content-type", "application/json")];
    Client::connect(gateway.admin()).await.request("POST", "/invalidate", &json, body.to_string()).await
}

/// The same, where it has to work: how many stored responses it found.
async fn forget(gateway: &Gateway, body: &Value) -> u64 {
    let answer = order(gateway, body).await;
    let told = answer.json();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{body}: {told}");
    told["matched"]["count"].as_u64().unwrap_or_else(|| panic!("{body}: {told}"))
}

/// A page as the next visitor gets it: `x-cache` and the body.
async fn visit(gateway: &Gateway, target: &str) -> (String, String) {
    let answer = get(gateway.address(), target).await;
    assert_eq!(answer.status, 200, "{target}: {}", answer.cache_status());
    (answer.x_cache().to_owned(), answer.text().to_owned())
}

/// What [`visit`] gives.
fn seen(x_cache: &str, body: &str) -> (String, String) {
    (x_cache.to_owned(), body.to_owned())
}

/// A page whose text is the number of its run, tagged `posts`.
async fn numbered(routes: &str) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on_counted("/p", |_, run| Reply::ok(run.to_string()).header("cache-tag", "posts"));
    let gateway = Gateway::simple(&origin, routes).await;
    (origin, gateway)
}

/// Whether what is kept still answers this; if not, it is fetched anew, and would be kept again.
async fn is_kept(gateway: &Gateway, target: &str, lines: &[(&str, &str)]) -> bool {
    let answer = Client::connect(gateway.address()).await.get_with(target, lines).await;
    assert!(["HIT", "MISS"].contains(&answer.x_cache()), "{target}: {}", answer.cache_status());
    answer.x_cache() == "HIT"
}

/// Waits until a page is fresh again, with this text.
async fn becomes(gateway: &Gateway, target: &str, text: &str) {
    let expected = seen("HIT", text);
    until(&format!("{target} is {text}"), async || visit(gateway, target).await == expected).await;
}

fn all(mode: &Value) -> Value {
    json!({ "all": true, "mode": mode })
}
