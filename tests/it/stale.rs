//! Staleness: what is served past its window, while it is refreshed and while that fails, and when no longer (DESIGN
//! sections 2 and 3). Carries promise 2 for refreshes, promise 3 for those who wait once a response has expired, promise 5
//! for handlers that fail or are gone, and promise 6 for the limit on refreshes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, Response, clock, flood, get};
use tokio::task::JoinSet;

use crate::freshness::{answer_when, hit};

/// A handler that answers with the number of its run; `reply` makes something else of it.
fn counting(origin: &Origin, pattern: &str, reply: impl Fn(usize, Reply) -> Reply + Send + Sync + 'static) {
    let runs = AtomicUsize::new(0);
    origin.on(pattern, move |_| {
        let run = runs.fetch_add(1, Ordering::Relaxed) + 1;
        reply(run, Reply::ok(run.to_string()))
    });
}

/// Waits out a window in which nobody may ask, since asking would begin a refresh.
async fn let_pass(window: Duration) {
    tokio::time::sleep(window + Duration::from_millis(20)).await;
}

/// `x-cache` and the body.
fn essence(response: &Response) -> (&str, &str) {
    (response.x_cache(), response.text())
}

/// Whether the answer says at its end why it is not fresh.
fn says(response: &Response, detail: &str) -> bool {
    response.cache_status().ends_with(&format!("; detail={detail}"))
}

#[tokio::test]
async fn promise_2_the_origin_is_asked_once_per_window_by_200_clients() {
    let window = Duration::from_millis(500);
    let origin = Arc::new(Origin::start().await);
    counting(&origin, "/posts", |_, reply| reply);
    let gateway = Gateway::simple(&origin, "- path: /posts\n  revalidate: 500ms\nlog: { access: off }").await;
    let mut visitors = JoinSet::new();
    for _ in 0..200 {
        let mut client = Client::connect(gateway.address()).await;
        let origin = Arc::clone(&origin);
        visitors.spawn(async move {
            let mut newest = 0;
            while origin.count("/posts") < 4 {
                let response = client.get("/posts").await;
                assert_eq!(response.status, 200);
                let run: usize = response.text().parse().expect("the number of a run");
                assert!(run >= newest, "run {run} after run {newest}");
                newest = run;
            }
        });
    }
    while let Some(done) = visitors.join_next().await {
        done.expect("a visitor was served");
    }
    let asked: Vec<Instant> = origin.seen("/posts").iter().map(|seen| seen.at).collect();
    for (earlier, later) in asked.iter().zip(&asked[1..]) {
        assert!(*later - *earlier >= window, "asked again after {:?}", *later - *earlier);
    }
    assert_eq!(origin.concurrent_peak("/posts"), 1);
    let refreshed = gateway.metric("evergate_revalidations_total", &[("result", "fresh")]);
    assert!(refreshed.await >= 2.0, "refreshes are counted");
}

#[tokio::test]
async fn promise_2_stale_is_served_to_all_while_one_refresh_is_held() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    counting(&origin, "/posts", move |run, reply| if run == 2 { reply.gate(&held) } else { reply });
    let gateway = Gateway::simple(&origin, "- path: /posts\n  revalidate: 300ms").await;
    assert_eq!(essence(&get(gateway.address(), "/posts").await), ("MISS", "1"));
    answer_when("it is stale", gateway.address(), "/posts", |response| response.x_cache() == "STALE").await;
    gate.arrived(1).await;
    let mut client = Client::connect(gateway.address()).await;
    for _ in 0..20 {
        let response = client.get("/posts").await;
        assert_eq!(essence(&response), ("STALE", "1"));
        assert!(says(&response, "revalidating"), "{}", response.cache_status());
    }
    for response in flood(gateway.address(), "/posts", 200).await {
        assert_eq!(essence(&response), ("STALE", "1"));
    }
    assert_eq!((origin.count("/posts"), gate.arrivals()), (2, 1));
    gate.open();
    let fresh = answer_when("it is fresh", gateway.address(), "/posts", |response| response.text() == "2").await;
    assert_eq!(fresh.x_cache(), "HIT");
}

#[tokio::test]
async fn promise_3_past_expire_the_request_waits() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    counting(&origin, "/posts", move |run, reply| match run {
        2 => reply.gate(&held),
        3 => Reply::ok("broken").status(500),
        _ => reply,
    });
    let routes = "- path: /posts\n  revalidate: 200ms\n  expire: 500ms";
    let gateway = Gateway::simple(&origin, routes).await;
    let address = gateway.address();
    assert_eq!(get(address, "/posts").await.text(), "1");
    let_pass(Duration::from_millis(500)).await;
    // The origin's second answer is held, so whoever is answered before has got the expired one.
    let mut first = Client::connect(address).await;
    first.send("GET", "/posts", &[], "").await;
    gate.arrived(1).await;
    let mut second = Client::connect(address).await;
    second.send("GET", "/posts", &[], "").await;
    gate.open();
    let response = first.read_response("GET").await;
    assert_eq!(essence(&response), ("MISS", "2"));
    assert_eq!(response.cache_status(), "evergate; fwd=stale; fwd-status=200; stored");
    assert_eq!(second.read_response("GET").await.text(), "2");
    assert_eq!(origin.count("/posts"), 2);
    // Expired is expired, whatever the handler does.
    let_pass(Duration::from_millis(500)).await;
    let failed = get(address, "/posts").await;
    assert_eq!((failed.status, failed.text()), (500, "broken"));
    assert_eq!(failed.cache_status(), "evergate; fwd=stale; fwd-status=500");
    assert_eq!(get(address, "/posts").await.text(), "4", "and a failure on it holds nobody back");
}

#[tokio::test]
async fn promise_3_a_refresh_that_outlasts_expire_is_waited_for() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    counting(&origin, "/posts", move |run, reply| if run == 2 { reply.gate(&held) } else { reply });
    let routes = "- path: /posts\n  revalidate: 200ms\n  expire: 1s";
    let gateway = Gateway::simple(&origin, routes).await;
    get(gateway.address(), "/posts").await;
    let stored = clock::now();
    answer_when("it is stale", gateway.address(), "/posts", |response| response.x_cache() == "STALE").await;
    gate.arrived(1).await;
    let_pass(Duration::from_secs(1).saturating_sub(stored.elapsed())).await;
    // Whoever is answered although the only run is held gets what has expired.
    let mut visitors = Vec::new();
    for _ in 0..20 {
        let mut visitor = Client::connect(gateway.address()).await;
        visitor.send("GET", "/posts", &[], "").await;
        visitors.push(visitor);
    }
    gate.open();
    for mut visitor in visitors {
        let response = visitor.read_response("GET").await;
        assert_eq!(response.text(), "2", "{}", response.cache_status());
    }
    assert_eq!(origin.count("/posts"), 2);
}

#[tokio::test]
async fn promise_5_stale_if_error_bounds_how_long_failures_are_hidden() {
    let origin = Origin::start().await;
    counting(&origin, "/hidden", |run, reply| if run > 1 { Reply::ok("broken").status(503) } else { reply });
    counting(&origin, "/shown", |run, reply| if run > 1 { Reply::hang_up_before_head() } else { reply });
    let routes = "- path: /hidden\n  revalidate: 200ms\n  stale_if_error: 1500ms\n\
                  - path: /shown\n  revalidate: 200ms\n  stale_if_error: 0";
    let gateway = Gateway::simple(&origin, routes).await;
    let address = gateway.address();
    let begun = clock::now();
    get(address, "/hidden").await;
    get(address, "/shown").await;
    let hidden = answer_when("a failure is hidden", address, "/hidden", |response| says(response, "error")).await;
    assert_eq!((hidden.status, essence(&hidden)), (200, ("STALE", "1")));
    let shown = answer_when("the other failure shows", address, "/shown", |response| response.status != 200).await;
    assert_eq!((shown.status, shown.cache_status()), (502, "evergate; fwd=stale; detail=reset"));
    // While it may hide the failure it does, and asks no more than the back-off of 3 seconds lets it.
    let over = answer_when("hiding is over", address, "/hidden", |response| {
        assert!(response.status == 503 || origin.count("/hidden") == 2, "{}", response.cache_status());
        response.status != 200
    })
    .await;
    assert!(begun.elapsed() >= Duration::from_millis(1700), "shown after {:?}", begun.elapsed());
    assert_eq!((over.status, over.text()), (503, "broken"));
    assert_eq!(over.cache_status(), "evergate; fwd=stale; fwd-status=503");
    origin.on("/hidden", |_| Reply::ok("good again"));
    assert_eq!(get(address, "/hidden").await.text(), "good again");
}

#[tokio::test]
async fn promise_5_an_origin_that_is_gone_is_not_missed_and_one_that_is_back_is_asked() {
    let origin = Origin::start().await;
    counting(&origin, "/posts", |_, reply| reply);
    let gateway = Gateway::simple(&origin, "- path: /posts\n  revalidate: 600ms").await;
    let address = gateway.address();
    get(address, "/posts").await;
    hit(address, "/posts").await;
    origin.kill();
    let first_stale = clock::now();
    let hidden = answer_when("the failure is known", address, "/posts", |response| {
        assert_eq!((response.status, response.text()), (200, "1"));
        says(response, "error")
    })
    .await;
    let failed_by = clock::now();
    assert_eq!(hidden.x_cache(), "STALE");
    assert!(hidden.cache_status().starts_with("evergate; hit; ttl="), "{}", hidden.cache_status());
    // Back at once, it is left in peace for the back-off of 3 to 4.5 seconds, and then asked once.
    origin.revive().await;
    let fresh = answer_when("it is fresh", address, "/posts", |response| {
        assert_eq!(response.status, 200);
        response.text() == "2"
    })
    .await;
    assert_eq!(fresh.x_cache(), "HIT");
    let seen = origin.seen("/posts");
    assert_eq!(seen.len(), 2);
    assert!(seen[1].at - first_stale >= Duration::from_secs(3), "after {:?}", seen[1].at - first_stale);
    // A second for two busy cores.
    assert!(seen[1].at - failed_by <= Duration::from_millis(5500), "after {:?}", seen[1].at - failed_by);
    let labels: [(&str, &[(&str, &str)]); 3] = [
        ("evergate_revalidations_total", &[("route", "/posts"), ("result", "failed")]),
        ("evergate_revalidations_total", &[("route", "/posts"), ("result", "fresh")]),
        ("evergate_upstream_requests_total", &[("upstream", "origin"), ("result", "connect")]),
    ];
    for (name, labels) in labels {
        assert_eq!(gateway.metric(name, labels).await, 1.0, "{name} {labels:?}");
    }
    assert!(gateway.metric("evergate_stale_served_total", &[("reason", "error")]).await > 10.0);
}

#[tokio::test]
async fn promise_6_refreshes_are_bounded_and_what_was_skipped_is_tried_again() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    counting(&origin, "/held", move |run, reply| if run == 2 { reply.gate(&held) } else { reply });
    counting(&origin, "/free", |_, reply| reply);
    counting(&origin, "/cold", |_, reply| reply);
    let routes = "- path: /[page]\n  revalidate: 300ms\ncache: { max_concurrent_refreshes: 1 }";
    let gateway = Gateway::simple(&origin, routes).await;
    let address = gateway.address();
    get(address, "/held").await;
    answer_when("a refresh begins", address, "/held", |response| response.x_cache() == "STALE").await;
    gate.arrived(1).await;
    get(address, "/free").await;
    let busy = answer_when("the other is stale", address, "/free", |response| response.x_cache() != "HIT").await;
    assert_eq!((busy.status, essence(&busy)), (200, ("STALE", "1")));
    for _ in 0..10 {
        let busy = get(address, "/free").await;
        assert_eq!((essence(&busy), says(&busy, "busy")), (("STALE", "1"), true), "{}", busy.cache_status());
    }
    assert_eq!(origin.count("/free"), 1);
    // Who has nothing to be served meanwhile is not held back.
    assert_eq!(essence(&get(address, "/cold").await), ("MISS", "1"));
    let skipped = gateway.metric("evergate_revalidations_total", &[("result", "skipped")]).await;
    let served = gateway.metric("evergate_stale_served_total", &[("reason", "busy")]).await;
    assert!(skipped >= 11.0 && served >= 11.0, "{skipped} skipped, {served} served");
    gate.open();
    answer_when("it is tried again", address, "/free", |response| response.text() == "2").await;
    assert_eq!(origin.concurrent_peak("/free"), 1);
}
