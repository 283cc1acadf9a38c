//! `refresh: true`: what was popular is fetched again before anybody asks for it.

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, get, until};
use serde_json::json;

use super::{forget, seen, visit};

const ROUTES: &str = "
- { path: '/items/[slug]', revalidate: 1h, query: [q], cookies: [theme], vary: [accept-language], tags: [items] }
- { path: '/word', revalidate: origin, tags: [items] }";

/// Pages whose text is the number of their run, and what visitors asked for so often.
async fn visited(visits: &[(&str, usize)]) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on_counted("/*", |_, run| Reply::ok(run.to_string()).header("cache-control", "max-age=60"));
    let gateway = Gateway::simple(&origin, ROUTES).await;
    for (target, times) in visits {
        for _ in 0..*times {
            get(gateway.address(), target).await;
        }
    }
    (origin, gateway)
}

async fn refreshed(gateway: &Gateway, number: f64) {
    let counted = async || gateway.metric("evergate_refreshed_total", &[("result", "refreshed")]).await >= number;
    until(&format!("{number} pages were fetched again"), counted).await;
}

/// The most popular come first, few at a time, and each is fetched once.
#[tokio::test]
async fn what_was_popular_is_fetched_again_the_most_popular_first() {
    let targets: Vec<String> = (1..=8).map(|number| format!("/items/{number}")).collect();
    let visits: Vec<(&str, usize)> = targets.iter().map(String::as_str).zip(2..).collect();
    let (origin, gateway) = visited(&visits).await;
    let (gate, before) = (Gate::new(), origin.count("/*"));
    let held = gate.clone();
    origin.on("/items/*", move |_| Reply::ok("new").gate(&held));
    assert_eq!(forget(&gateway, &json!({ "tags": ["items"], "refresh": true })).await, 8);
    gate.arrived(4).await;
    let mut first: Vec<String> = origin.seen("/*")[before..].iter().map(|seen| seen.path().to_owned()).collect();
    first.sort_unstable();
    assert_eq!(first, targets[4..], "the most popular, and no more at a time");
    // Visitors are served from memory meanwhile.
    assert_eq!(visit(&gateway, "/items/8").await.0, "STALE");
    gate.open();
    refreshed(&gateway, 8.0).await;
    assert_eq!(origin.count("/*") - before, 8, "each once");
    for target in &targets {
        assert_eq!(visit(&gateway, target).await, seen("HIT", "new"), "{target}");
    }
}

/// What is gone is found too, and is there again for the next visitor.
#[tokio::test]
async fn what_was_deleted_is_fetched_again_as_well() {
    let (origin, gateway) = visited(&[("/items/a", 3), ("/items/b", 2)]).await;
    let body = json!({ "prefixes": ["/items/"], "mode": "delete", "refresh": true });
    forget(&gateway, &body).await;
    refreshed(&gateway, 2.0).await;
    let asked = origin.count("/*");
    assert_eq!(visit(&gateway, "/items/a").await, seen("PRERENDER", "2"));
    assert_eq!(visit(&gateway, "/items/b").await, seen("PRERENDER", "2"));
    assert_eq!(origin.count("/*"), asked, "nobody waited");
}

/// Each variant is asked for as it was, with its query, its cookies and the fields that split it, and with nothing else.
#[tokio::test]
async fn each_variant_is_fetched_as_it_was_asked_for() {
    let (origin, gateway) = visited(&[]).await;
    let lines = [("accept-language", "fr"), ("cookie", "id=9; theme=dark"), ("authorization", "")];
    let mut client = Client::connect(gateway.address()).await;
    assert_eq!(client.get_with("/items/a?x=1&q=2", &lines[..2]).await.x_cache(), "MISS");
    assert_eq!(
        client.get_with("/items/a?q=2", &[("accept-language", "de"), ("cookie", "theme=dark")]).await.x_cache(),
        "MISS"
    );
    assert_eq!(forget(&gateway, &json!({ "paths": ["/items/a"], "refresh": true })).await, 2);
    refreshed(&gateway, 2.0).await;
    let mut asked: Vec<_> = origin.seen("/items/a").into_iter().skip(2).collect();
    asked.sort_unstable_by_key(|seen| seen.header("accept-language").map(str::to_owned));
    let told: Vec<_> = asked
        .iter()
        .map(|seen| (seen.query(), seen.header("cookie"), seen.header("accept-language"), seen.header("authorization")))
        .collect();
    assert_eq!(told, [("q=2", Some("theme=dark"), Some("de"), None), ("q=2", Some("theme=dark"), Some("fr"), None)]);
    assert_eq!(client.get_with("/items/a?q=2", &lines[..2]).await.x_cache(), "HIT");
}

/// Where the handler decides it saw the whole request of whoever asked: nobody asks in their name.
#[tokio::test]
async fn what_the_handler_decides_about_is_left_to_visitors() {
    let (origin, gateway) = visited(&[("/word", 3), ("/items/a", 1)]).await;
    assert_eq!(forget(&gateway, &json!({ "tags": ["items"], "refresh": true })).await, 2);
    refreshed(&gateway, 1.0).await;
    assert_eq!((origin.count("/word"), origin.count("/items/a")), (1, 2));
}

/// A handler that fails keeps what was there, and is counted.
#[tokio::test]
async fn a_refresh_that_fails_is_counted_and_changes_nothing() {
    let (origin, gateway) = visited(&[("/items/a", 2)]).await;
    origin.on("/items/a", |_| Reply::ok("broken").status(503));
    forget(&gateway, &json!({ "tags": ["items"], "refresh": true })).await;
    let failed = async || gateway.metric("evergate_refreshed_total", &[("result", "failed")]).await >= 1.0;
    until("the refresh has failed", failed).await;
    assert_eq!(visit(&gateway, "/items/a").await, seen("STALE", "1"));
}

/// Without it nothing is fetched before somebody asks.
#[tokio::test]
async fn without_refresh_nobody_is_asked() {
    let (origin, gateway) = visited(&[("/items/a", 2)]).await;
    assert_eq!(forget(&gateway, &json!({ "tags": ["items"] })).await, 1);
    assert_eq!(forget(&gateway, &json!({ "tags": ["items"], "refresh": true })).await, 1);
    refreshed(&gateway, 1.0).await;
    assert_eq!(origin.count("/items/a"), 2, "the first of the two orders fetched nothing");
}
