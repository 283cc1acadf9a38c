//! Those who wait for a fetch while what it brings is invalidated, and fetches that nobody waits for any more.

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, get, until};
use serde_json::json;

use super::{forget, numbered, seen, visit};

const PAGE: &str = "- { path: /p, revalidate: 1h, tags: [own] }";

/// Promise 2: whoever came before a deletion may have what was fetched before it, so a page that is deleted again and again while
/// a crowd waits costs a run for each deletion, and not one for each visitor.
#[tokio::test]
async fn promise_2_a_crowd_that_waits_through_a_deletion_stays_together() {
    const CROWD: usize = 50;
    let (origin, gate) = (Origin::start().await, Gate::new());
    let held = gate.clone();
    origin.on_counted("/p", move |_, run| match run {
        1 => Reply::ok("1").header("cache-tag", "told").gate(&held),
        run => Reply::ok(run.to_string()).header("cache-tag", "told"),
    });
    let gateway = Gateway::simple(&origin, PAGE).await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut visitor = Client::connect(gateway.address()).await;
        visitor.send("GET", "/p", &[], "").await;
        crowd.push(visitor);
    }
    gate.arrived(1).await;
    // What only the answer tells.
    for _ in 0..3 {
        forget(&gateway, &json!({ "tags": ["told"], "mode": "delete" })).await;
    }
    gate.open();
    let mut early = 0;
    for mut visitor in crowd {
        let answer = visitor.read_response("GET").await;
        assert_eq!((answer.status, answer.x_cache()), (200, "MISS"), "{}", answer.cache_status());
        early += usize::from(answer.text() == "1");
    }
    assert!(early > 1, "whoever asked before the deletion waits no longer for it");
    assert!(origin.count("/p") <= 2, "{} runs", origin.count("/p"));
    assert_ne!(visit(&gateway, "/p").await.1, "1", "promise 4: nobody who comes afterwards gets it");
}

/// A 304 that takes the tag away confirms a body that carried it when it was forgotten.
#[tokio::test]
async fn promise_4_a_confirmation_with_other_tags_brings_nothing_back() {
    for mode in ["delete", "stale"] {
        let origin = Origin::start().await;
        let gate = Gate::new();
        let held = gate.clone();
        origin.on_counted("/p", move |_, run| match run {
            1 => Reply::ok("old").header("etag", "\"1\"").header("cache-tag", "a"),
            2 => Reply::ok("").status(304).header("etag", "\"1\"").header("cache-tag", "b").gate(&held),
            _ => Reply::ok("new").header("cache-tag", "b"),
        });
        let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: 1 }").await;
        assert_eq!(visit(&gateway, "/p").await.1, "old");
        until("it is stale", async || visit(&gateway, "/p").await.0 == "STALE").await;
        gate.arrived(1).await;
        forget(&gateway, &json!({ "tags": ["a"], "mode": mode })).await;
        gate.open();
        until("it is new", async || {
            let (x_cache, body) = visit(&gateway, "/p").await;
            assert!(x_cache != "HIT" || body == "new", "{mode}: {body} as {x_cache}");
            assert!(mode == "stale" || body == "new", "{mode}: {body} as {x_cache}");
            (x_cache, body) == seen("HIT", "new")
        })
        .await;
    }
}

/// A cache in front that was just told to forget a page asks at once, and must not keep what was fetched before.
#[tokio::test]
async fn what_was_invalidated_while_it_was_fetched_is_used_up_for_caches_in_front() {
    for mode in ["stale", "delete"] {
        let origin = Origin::start().await;
        let gate = Gate::new();
        let held = gate.clone();
        origin.on("/p", move |_| Reply::ok("old").header("cache-tag", "told").gate(&held));
        let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: 1h }").await;
        let address = gateway.address();
        let visitor = tokio::spawn(async move { get(address, "/p").await });
        gate.arrived(1).await;
        forget(&gateway, &json!({ "tags": ["told"], "mode": mode })).await;
        gate.open();
        let answer = visitor.await.expect("a visitor is answered");
        assert_eq!((answer.status, answer.text()), (200, "old"), "it had asked before");
        assert!(answer.age() >= Some(3600), "{mode}: {:?}", answer.age());
    }
}

/// Fetches that are of no use give their places back (`max_concurrent_fetches`).
#[tokio::test]
async fn fetches_that_nobody_wants_any_more_are_stopped() {
    let (origin, _) = numbered(PAGE).await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/p", move |_| Reply::ok("slow").gate(&held));
    origin.on("/q", |_| Reply::ok("quick"));
    let routes = "- { path: /p, revalidate: 1h }\n- { path: /q, revalidate: 1h }";
    let config = Gateway::simple_config(&origin, routes);
    let places = "max_concurrent_fetches: 2, servers:";
    assert!(config.contains("servers:"), "{config}");
    let gateway = Gateway::start(&config.replacen("servers:", places, 1)).await;
    for round in 1..=2 {
        let mut visitor = Client::connect(gateway.address()).await;
        visitor.send("GET", "/p", &[], "").await;
        gate.arrived(round).await;
        forget(&gateway, &json!({ "paths": ["/p"], "mode": "delete" })).await;
    }
    assert_eq!(visit(&gateway, "/q").await, seen("MISS", "quick"));
    until("both were stopped", async || origin.left("/p") == 2).await;
}
