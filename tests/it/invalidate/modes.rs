//! The three modes, as visitors see them.

use std::time::Duration;

use evergate_tests::{Gate, Gateway, Origin, Reply, get, until};
use serde_json::json;

use super::{all, becomes, forget, numbered, seen, visit};

const PAGE: &str = "- { path: /p, revalidate: 1h }";

#[tokio::test]
async fn stale_is_served_once_more_while_it_is_refreshed() {
    let (origin, gateway) = numbered(PAGE).await;
    assert_eq!(visit(&gateway, "/p").await, seen("MISS", "1"));
    assert_eq!(forget(&gateway, &json!({ "tags": ["posts"] })).await, 1);
    assert_eq!(origin.count("/p"), 1, "nobody is asked before somebody asks");
    let stale = get(gateway.address(), "/p").await;
    assert_eq!((stale.x_cache(), stale.text()), ("STALE", "1"));
    assert!(stale.cache_status().ends_with("; detail=invalidated"), "{}", stale.cache_status());
    becomes(&gateway, "/p", "2").await;
    assert_eq!(origin.count("/p"), 2);
    assert!(gateway.metric("evergate_stale_served_total", &[("reason", "invalidated"), ("route", "/p")]).await >= 1.0);
}

/// A cache in front that stores the stale answer after it was told to forget the page shall not keep it for the rest of its window.
#[tokio::test]
async fn caches_in_front_are_told_that_the_stale_one_is_used_up() {
    let routes = "
- { path: /window, revalidate: 1h }
- { path: /forever, revalidate: false }
- { path: /operator, revalidate: 1h, cache_control: 'public, s-maxage=7200' }
- { path: /handler, revalidate: 1h }
- { path: /cdn, revalidate: 1h }";
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page"));
    origin.on("/handler", |_| Reply::ok("page").header("cache-control", "s-maxage=900, max-age=60"));
    origin.on("/cdn", |_| Reply::ok("page").header("cdn-cache-control", "max-age=9000"));
    let gateway = Gateway::simple(&origin, routes).await;
    let pages = [("/window", 3600), ("/forever", 0), ("/operator", 7200), ("/handler", 900), ("/cdn", 9000)];
    for (target, _) in pages {
        visit(&gateway, target).await;
        assert!(get(gateway.address(), target).await.age() < Some(60), "{target} is fresh");
    }
    let gate = Gate::new();
    origin.on("/*", move |_| Reply::ok("new").gate(&gate));
    forget(&gateway, &json!({ "all": true })).await;
    for (target, lifetime) in pages {
        let stale = get(gateway.address(), target).await;
        assert_eq!(stale.x_cache(), "STALE", "{target}");
        assert!(stale.age() >= Some(lifetime), "{target}: {:?}", stale.age());
    }
}

#[tokio::test]
async fn everybody_gets_the_stale_one_until_the_one_refresh_is_there() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on_counted("/p", move |_, run| match run {
        1 => Reply::ok("1"),
        run => Reply::ok(run.to_string()).gate(&held),
    });
    let gateway = Gateway::simple(&origin, PAGE).await;
    visit(&gateway, "/p").await;
    forget(&gateway, &json!({ "paths": ["/p"] })).await;
    for _ in 0..5 {
        assert_eq!(visit(&gateway, "/p").await, seen("STALE", "1"));
    }
    gate.arrived(1).await;
    gate.open();
    becomes(&gateway, "/p", "2").await;
    assert_eq!(origin.count("/p"), 2, "one refresh is enough");
}

#[tokio::test]
async fn delete_makes_the_next_request_wait() {
    let (origin, gateway) = numbered(PAGE).await;
    visit(&gateway, "/p").await;
    assert_eq!(forget(&gateway, &json!({ "tags": ["posts"], "mode": "delete" })).await, 1);
    let fresh = get(gateway.address(), "/p").await;
    assert_eq!((fresh.x_cache(), fresh.text()), ("MISS", "2"));
    assert!(fresh.cache_status().contains("; fwd="), "{}", fresh.cache_status());
    assert_eq!(visit(&gateway, "/p").await, seen("HIT", "2"));
    assert_eq!(origin.count("/p"), 2);
}

#[tokio::test]
async fn expire_is_stale_now_and_gone_in_the_end() {
    let (_origin, gateway) = numbered(PAGE).await;
    visit(&gateway, "/p").await;
    forget(&gateway, &json!({ "tags": ["posts"], "mode": { "expire": "1h" } })).await;
    assert_eq!(visit(&gateway, "/p").await, seen("STALE", "1"));
    becomes(&gateway, "/p", "2").await;
    forget(&gateway, &json!({ "tags": ["posts"], "mode": { "expire": 0.05 } })).await;
    // However much later it is, it is gone.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(visit(&gateway, "/p").await, seen("MISS", "3"));
    // At once is delete, as in Next.
    forget(&gateway, &json!({ "tags": ["posts"], "mode": { "expire": 0 } })).await;
    assert_eq!(visit(&gateway, "/p").await, seen("MISS", "4"));
}

#[tokio::test]
async fn delete_is_not_weakened_by_what_comes_later() {
    let (_origin, gateway) = numbered(PAGE).await;
    visit(&gateway, "/p").await;
    let mut run = 1;
    for later in [json!("stale"), json!({ "expire": "1h" })] {
        for body in
            [json!({ "tags": ["posts"], "mode": later }), json!({ "paths": ["/p"], "mode": later }), all(&later)]
        {
            forget(&gateway, &json!({ "tags": ["posts"], "mode": "delete" })).await;
            forget(&gateway, &body).await;
            run += 1;
            assert_eq!(visit(&gateway, "/p").await, seen("MISS", &run.to_string()), "{body}");
        }
    }
    // And one that comes later counts.
    forget(&gateway, &all(&json!("stale"))).await;
    forget(&gateway, &all(&json!("delete"))).await;
    assert_eq!(visit(&gateway, "/p").await, seen("MISS", &(run + 1).to_string()));
}

#[tokio::test]
async fn what_came_after_an_invalidation_is_good() {
    let (origin, gateway) = numbered(PAGE).await;
    for mode in [json!("stale"), json!("delete"), json!({ "expire": 60 })] {
        assert_eq!(forget(&gateway, &json!({ "tags": ["posts"], "paths": ["/p"], "mode": mode })).await, 0, "{mode}");
    }
    assert_eq!(visit(&gateway, "/p").await, seen("MISS", "1"));
    assert_eq!(visit(&gateway, "/p").await, seen("HIT", "1"));
    assert_eq!(origin.count("/p"), 1);
}

/// What is kept until it is invalidated is invalidated like anything else, and kept again.
#[tokio::test]
async fn what_has_no_window_is_forgotten_too() {
    let (origin, gateway) = numbered("- { path: /p, revalidate: false }").await;
    visit(&gateway, "/p").await;
    forget(&gateway, &json!({ "paths": ["/p"] })).await;
    assert_eq!(visit(&gateway, "/p").await, seen("STALE", "1"));
    becomes(&gateway, "/p", "2").await;
    forget(&gateway, &json!({ "paths": ["/p"], "mode": "delete" })).await;
    assert_eq!(visit(&gateway, "/p").await, seen("MISS", "3"));
    assert_eq!(origin.count("/p"), 3);
}

/// Good content stays when the handler fails, unless somebody said that it is to be gone.
#[tokio::test]
async fn promise_5_what_is_stale_stays_while_its_handler_fails() {
    let origin = Origin::start().await;
    origin.on_counted("/p", |_, run| match run {
        1 => Reply::ok("good"),
        _ => Reply::ok("broken").status(500),
    });
    let gateway = Gateway::simple(&origin, PAGE).await;
    visit(&gateway, "/p").await;
    forget(&gateway, &json!({ "paths": ["/p"] })).await;
    assert_eq!(visit(&gateway, "/p").await, seen("STALE", "good"));
    until("the handler has failed", async || {
        gateway.metric("evergate_revalidations_total", &[("result", "failed")]).await > 0.0
    })
    .await;
    for _ in 0..3 {
        assert_eq!(visit(&gateway, "/p").await, seen("STALE", "good"));
    }
    forget(&gateway, &json!({ "paths": ["/p"], "mode": "delete" })).await;
    assert_eq!(get(gateway.address(), "/p").await.status, 500);
}
