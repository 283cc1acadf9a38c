//! Invalidations in the middle of fills, refreshes, waiting and streaming: what began before one never lands as fresh.

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, get, until};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{becomes, forget, order, seen, visit};

const PAGE: &str = "- { path: /p, revalidate: 1h }";

/// Every way to name the page at `/p`; its tag is known only from the answer.
fn selections() -> [Value; 6] {
    [
        json!({ "tags": ["posts"] }),
        json!({ "paths": ["/p"] }),
        json!({ "prefixes": ["/"] }),
        json!({ "routes": ["/p"] }),
        json!({ "layouts": ["/"] }),
        json!({ "all": true }),
    ]
}

fn with(mut selection: Value, mode: &Value) -> Value {
    selection["mode"] = mode.clone();
    selection
}

/// How a run is held.
#[derive(Clone, Copy, Debug)]
enum Held {
    Head,
    Body,
}

/// A page of numbered runs; run `which` is held.
async fn holding(which: usize, how: Held, routes: &str) -> (Origin, Gateway, Gate) {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on_counted("/p", move |_, run| {
        let reply = match how {
            Held::Head => Reply::ok(run.to_string()),
            Held::Body => Reply::ok("").chunks([run.to_string(), "!".to_owned()]),
        };
        let reply = reply.header("cache-tag", "posts").header("cache-control", "max-age=3600");
        match how {
            _ if run != which => reply,
            Held::Head => reply.gate(&held),
            Held::Body => reply.gate_after(1, &held),
        }
    });
    let gateway = Gateway::simple(&origin, routes).await;
    (origin, gateway, gate)
}

fn text(run: usize, how: Held) -> String {
    match how {
        Held::Head => run.to_string(),
        Held::Body => format!("{run}!"),
    }
}

#[tokio::test]
async fn promise_4_a_fill_that_began_before_never_lands_as_fresh() {
    for how in [Held::Head, Held::Body] {
        for route in [PAGE, "- { path: /p, revalidate: origin }"] {
            for selection in selections() {
                let (origin, gateway, gate) = holding(1, how, route).await;
                let mut first = Client::connect(gateway.address()).await;
                first.send("GET", "/p", &[], "").await;
                gate.arrived(1).await;
                forget(&gateway, &with(selection.clone(), &json!("delete"))).await;
                gate.open();
                // Who asked before may get either, but whole.
                let answer = first.read_response("GET").await;
                assert!(answer.complete && (1..=2).any(|run| answer.text() == text(run, how)), "{how:?} {selection}");
                for _ in 0..2 {
                    assert_eq!(visit(&gateway, "/p").await.1, text(2, how), "{how:?} {selection} {route}");
                }
                assert_eq!(origin.count("/p"), 2, "{how:?} {selection} {route}");
            }
        }
    }
}

#[tokio::test]
async fn promise_4_a_fill_that_began_before_lands_stale_at_best() {
    for how in [Held::Head, Held::Body] {
        for mode in [json!("stale"), json!({ "expire": "1h" })] {
            for selection in selections() {
                let (origin, gateway, gate) = holding(1, how, PAGE).await;
                let mut first = Client::connect(gateway.address()).await;
                first.send("GET", "/p", &[], "").await;
                gate.arrived(1).await;
                forget(&gateway, &with(selection.clone(), &mode)).await;
                gate.open();
                let answer = first.read_response("GET").await;
                assert!(answer.complete && (1..=2).any(|run| answer.text() == text(run, how)), "{how:?} {selection}");
                // The old one may be there for once, and says so.
                let next = visit(&gateway, "/p").await;
                let fits = next == seen("STALE", &text(1, how)) || next.1 == text(2, how);
                assert!(fits, "{how:?} {mode} {selection}: {next:?}");
                becomes(&gateway, "/p", &text(2, how)).await;
                assert_eq!(origin.count("/p"), 2, "{how:?} {mode} {selection}");
            }
        }
    }
}

#[tokio::test]
async fn promise_4_whoever_comes_after_the_invalidation_sees_what_is_new() {
    for how in [Held::Head, Held::Body] {
        for selection in selections() {
            let (_origin, gateway, gate) = holding(1, how, PAGE).await;
            let mut first = Client::connect(gateway.address()).await;
            first.send("GET", "/p", &[], "").await;
            gate.arrived(1).await;
            forget(&gateway, &with(selection.clone(), &json!("delete"))).await;
            // It comes while the old one is still being fetched. Whether it waits for that depends on what is known of it.
            let address = gateway.address();
            let second = tokio::spawn(async move { get(address, "/p").await.text().to_owned() });
            gate.open();
            assert_eq!(second.await.expect("nobody panics"), text(2, how), "{how:?} {selection}");
            assert!(first.read_response("GET").await.complete);
        }
    }
}

#[tokio::test]
async fn promise_4_a_refresh_that_began_before_never_lands_as_fresh() {
    for mode in [json!("stale"), json!("delete"), json!({ "expire": "1h" })] {
        for selection in selections() {
            let (origin, gateway, gate) = holding(2, Held::Head, PAGE).await;
            assert_eq!(visit(&gateway, "/p").await, seen("MISS", "1"));
            forget(&gateway, &json!({ "paths": ["/p"] })).await;
            assert_eq!(visit(&gateway, "/p").await, seen("STALE", "1"));
            gate.arrived(1).await;
            forget(&gateway, &with(selection.clone(), &mode)).await;
            gate.open();
            let ended = || origin.seen("/p").iter().all(|seen| seen.ended.is_some());
            until("the refresh has come", ended).await;
            let next = visit(&gateway, "/p").await;
            if mode == "delete" {
                assert_eq!(next.1, "3", "{selection}");
            } else {
                assert!(next.0 == "STALE" || next.1 == "3", "{mode} {selection}: {next:?}");
            }
            becomes(&gateway, "/p", "3").await;
        }
    }
}

#[tokio::test]
async fn promise_4_a_confirmation_that_was_asked_for_before_renews_nothing() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on_counted("/p", move |seen, run| {
        let tag = format!("\"{}\"", if run < 3 { "old" } else { "new" });
        let reply = match (run, seen.header("if-none-match")) {
            (2, _) => Reply::ok("").status(304).gate(&held),
            (_, Some(known)) if known == tag => Reply::ok("").status(304),
            (_, _) => Reply::ok(run.to_string()),
        };
        reply.header("etag", tag).header("cache-tag", "posts")
    });
    let gateway = Gateway::simple(&origin, PAGE).await;
    visit(&gateway, "/p").await;
    forget(&gateway, &json!({ "tags": ["posts"] })).await;
    assert_eq!(visit(&gateway, "/p").await, seen("STALE", "1"));
    gate.arrived(1).await;
    forget(&gateway, &json!({ "tags": ["posts"], "mode": "delete" })).await;
    gate.open();
    until("the confirmation has come", || origin.seen("/p")[1].ended.is_some()).await;
    assert_eq!(visit(&gateway, "/p").await.1, "3");
    assert_eq!(visit(&gateway, "/p").await, seen("HIT", "3"));
}

/// Nobody who waits is left behind, and nobody who asked afterwards gets what is old.
#[tokio::test]
async fn promise_3_those_who_wait_for_what_is_invalidated_are_answered() {
    for selection in selections() {
        let (origin, gateway, gate) = holding(1, Held::Head, PAGE).await;
        let address = gateway.address();
        let mut before = JoinSet::new();
        for _ in 0..30 {
            before.spawn(async move { get(address, "/p").await });
        }
        gate.arrived(1).await;
        forget(&gateway, &with(selection.clone(), &json!("delete"))).await;
        let mut after = JoinSet::new();
        for _ in 0..30 {
            after.spawn(async move { get(address, "/p").await });
        }
        gate.open();
        while let Some(answer) = before.join_next().await {
            let answer = answer.expect("nobody panics");
            assert_eq!(answer.status, 200);
            assert!(["1", "2"].contains(&answer.text()), "{selection}: {}", answer.text());
        }
        while let Some(answer) = after.join_next().await {
            let answer = answer.expect("nobody panics");
            assert_eq!((answer.status, answer.text()), (200, "2"), "{selection}: {}", answer.cache_status());
        }
        assert_eq!(origin.count("/p"), 2, "{selection}: one run for all who ask anew");
    }
}

/// What a visitor is reading is read to its end, though it is kept no more.
#[tokio::test]
async fn a_body_that_streams_is_not_cut() {
    for mode in [json!("stale"), json!("delete")] {
        let (_origin, gateway, gate) = holding(1, Held::Body, PAGE).await;
        let mut reader = Client::connect(gateway.address()).await;
        reader.send("GET", "/p", &[], "").await;
        assert_eq!(reader.read_head().await.x_cache(), "MISS");
        let (_, piece) = reader.next_chunk().await.expect("the first piece is there");
        assert_eq!(piece, "1");
        forget(&gateway, &with(json!({ "tags": ["posts"] }), &mode)).await;
        gate.open();
        let mut rest = Vec::new();
        while let Some((_, piece)) = reader.next_chunk().await {
            rest.extend_from_slice(&piece);
        }
        assert!(reader.complete() && rest == b"!", "{mode}: {}", String::from_utf8_lossy(&rest));
        becomes(&gateway, "/p", "2!").await;
    }
}

#[tokio::test]
async fn promise_4_a_handlers_word_in_the_middle_of_a_fill_counts() {
    for (name, value) in
        [("x-revalidate-tag", "posts;expire=0"), ("x-revalidate-path", "/p"), ("x-revalidate-path", "/ layout")]
    {
        let (origin, gateway, gate) = holding(1, Held::Head, PAGE).await;
        origin.on("/act", move |_| Reply::ok("done").header(name, value));
        let mut first = Client::connect(gateway.address()).await;
        first.send("GET", "/p", &[], "").await;
        gate.arrived(1).await;
        // The change is made by the time its answer is there.
        Client::connect(gateway.address()).await.request("POST", "/act", &[], "").await;
        gate.open();
        first.read_response("GET").await;
        assert_eq!(visit(&gateway, "/p").await.1, "2", "{value}");
        assert_eq!(visit(&gateway, "/p").await, seen("HIT", "2"), "{value}");
    }
}

/// Whatever is going on: once an invalidation was answered, nobody is given what was there before it.
#[tokio::test]
async fn promise_4_no_visitor_sees_a_version_from_before_the_last_invalidation() {
    let origin = Origin::start().await;
    let version = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let current = std::sync::Arc::clone(&version);
    origin.on("/p", move |_| {
        let version = current.load(std::sync::atomic::Ordering::SeqCst);
        Reply::ok(version.to_string()).header("cache-tag", "posts")
    });
    let gateway = Gateway::simple(&origin, PAGE).await;
    let (admin, address) = (gateway.admin(), gateway.address());
    let mut visitors = JoinSet::new();
    let least = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    for _ in 0..8 {
        let least = std::sync::Arc::clone(&least);
        visitors.spawn(async move {
            let mut client = Client::connect(address).await;
            for _ in 0..150 {
                let before = least.load(std::sync::atomic::Ordering::SeqCst);
                let answer = client.get("/p").await;
                let seen: u64 = answer.text().parse().expect("a version");
                assert!(seen >= before, "version {seen} after {before}: {}", answer.cache_status());
            }
        });
    }
    for change in 1..=60_u64 {
        version.store(change, std::sync::atomic::Ordering::SeqCst);
        let selection = if change % 2 == 0 { json!({ "tags": ["posts"] }) } else { json!({ "paths": ["/p"] }) };
        let body = with(selection, &json!("delete")).to_string();
        let json = [("content-type", "application/json")];
        let answer = Client::connect(admin).await.request("POST", "/invalidate", &json, body).await;
        assert_eq!(answer.status, 200);
        least.store(change, std::sync::atomic::Ordering::SeqCst);
    }
    while let Some(visitor) = visitors.join_next().await {
        visitor.expect("every visitor sees what is new");
    }
    assert_eq!(order(&gateway, &json!({ "all": true })).await.status, 200);
}
