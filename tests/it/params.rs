//! Parameters that are known beforehand (`generateStaticParams`): rendered before the gateway is ready, and the only ones that are
//! answered where the route says so.

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, get, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn items(origin: &Origin) {
    origin.on_counted("/items/*", |seen, run| Reply::ok(format!("{} run {run}", seen.path())));
}

#[tokio::test]
async fn pages_are_there_before_anybody_asks() {
    let origin = Origin::start().await;
    items(&origin);
    let route = "- { path: '/items/[slug]', revalidate: 300ms, params: [{ slug: a }, { slug: 'b c' }] }";
    let gateway = Gateway::simple(&origin, route).await;
    assert_eq!((origin.count("/items/a"), origin.count("/items/b%20c")), (1, 1));
    let seen = &origin.seen("/items/a")[0];
    assert_eq!((seen.method.as_str(), seen.header("x-route-params")), ("GET", Some("{\"slug\":\"a\"}")));
    assert_eq!(seen.header("x-forwarded-for"), None, "nobody asked");

    let first = get(gateway.address(), "/items/a").await;
    assert_eq!((first.status, first.text()), (200, "/items/a run 1"));
    // Marked once; a window that is over meanwhile is as it always is.
    assert!(["PRERENDER", "STALE"].contains(&first.x_cache()), "{}", first.x_cache());
    assert!(first.header("etag").is_some() && first.age().is_some());
    assert_ne!(get(gateway.address(), "/items/a").await.x_cache(), "PRERENDER");
    until("it is refreshed like any other", async || {
        get(gateway.address(), "/items/a").await.text().ends_with("run 2")
    })
    .await;
    // Others are rendered when somebody asks.
    assert_eq!(get(gateway.address(), "/items/other").await.x_cache(), "MISS");
}

#[tokio::test]
async fn the_first_use_is_told() {
    let origin = Origin::start().await;
    items(&origin);
    let gateway = Gateway::simple(&origin, "- { path: '/items/[slug]', params: [{ slug: a }] }").await;
    let first = get(gateway.address(), "/items/a").await;
    assert_eq!((first.x_cache(), first.cache_status()), ("PRERENDER", "evergate; hit; detail=prerender"));
    let second = get(gateway.address(), "/items/a").await;
    assert_eq!((second.x_cache(), second.cache_status(), second.text()), ("HIT", "evergate; hit", "/items/a run 1"));
    assert_eq!(origin.count("/items/a"), 1);
    let labels = [("route", "/items/[slug]"), ("cache", "prerender")];
    assert!((gateway.metric("evergate_requests_total", &labels).await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn the_gateway_is_ready_when_the_pages_are_there() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/items/*", move |_| Reply::ok("held").gate(&held));
    origin.on("/live", |_| Reply::ok("alive"));
    let routes = "- { path: '/items/[slug]', params: [{ slug: a }, { slug: b }, { slug: c }] }\n\
        cache: { prerender_concurrency: 2 }";
    let gateway = Gateway::start_unready(&Gateway::simple_config(&origin, routes)).await;
    gate.arrived(2).await;
    let waiting = get(gateway.admin(), "/readyz").await;
    assert_eq!((waiting.status, waiting.json()["error"].as_str()), (503, Some("prerendering")));
    assert_eq!(get(gateway.admin(), "/healthz").await.status, 200);
    // Visitors who come all the same are served.
    assert_eq!(get(gateway.address(), "/live").await.text(), "alive");
    assert_eq!(origin.concurrent_peak("/items/*"), 2, "no more than the configuration says");
    let progress = gateway.wait_log(|line| line.contains("prerendering") && line.contains("pages=3")).await;
    assert!(progress.contains("rendered=0"), "{progress}");

    gate.open();
    until("it is ready", async || get(gateway.admin(), "/readyz").await.status == 200).await;
    gateway.wait_log(|line| line == "ready").await;
    assert_eq!(origin.count("/items/*"), 3);
    assert_eq!(origin.concurrent_peak("/items/*"), 2);
}

#[tokio::test]
async fn the_start_waits_no_longer_than_the_deadline() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    items(&origin);
    origin.on("/items/a", move |_| Reply::ok("late").gate(&held));
    let routes = "- { path: '/items/[slug]', params: [{ slug: a }, { slug: b }] }\n\
        cache: { prerender_deadline: 500ms }";
    let gateway = Gateway::simple(&origin, routes).await;
    let report = gateway.wait_log(|line| line.contains("prerendered in part")).await;
    assert!(report.contains("pages=2") && !report.contains("left=0"), "{report}");
    // What was begun is not lost.
    gate.open();
    until("it is there", async || get(gateway.address(), "/items/a").await.text() == "late").await;
    assert_eq!(origin.count("/items/a"), 1);
}

/// A handler that starts together with the gateway is waited for.
#[tokio::test]
async fn a_handler_that_is_not_there_yet_is_asked_again() {
    let origin = Origin::start().await;
    items(&origin);
    origin.kill();
    let route = "- { path: '/items/[slug]', params: [{ slug: a }] }";
    let gateway = Gateway::start_unready(&Gateway::simple_config(&origin, route)).await;
    gateway.wait_log(|line| line.contains("a fetch failed") && line.contains("connect")).await;
    assert_eq!(get(gateway.admin(), "/readyz").await.status, 503);
    origin.revive().await;
    gateway.wait_log(|line| line == "ready").await;
    assert_eq!(get(gateway.address(), "/items/a").await.x_cache(), "PRERENDER");
}

#[tokio::test]
async fn failures_are_told_and_do_not_stop_the_start() {
    let origin = Origin::start().await;
    items(&origin);
    origin.on("/items/broken", |_| Reply::ok("no").status(503));
    origin.on("/items/private", |_| Reply::ok("mine").header("set-cookie", "a=b"));
    origin.on("/items/gone", |_| Reply::ok("nothing").status(404));
    origin.on("/items/cut", |_| Reply::ok("half of it").hang_up_after(4));
    let routes = "- { path: '/items/[slug]', \
        params: [{ slug: broken }, { slug: private }, { slug: gone }, { slug: cut }, { slug: a }, { slug: mine }] }\n\
        - { path: /items/mine, revalidate: 60 }";
    let gateway = Gateway::simple(&origin, routes).await;
    for (path, problem) in [
        ("/items/broken", "did not answer (status)"),
        ("/items/private", "not kept (set-cookie)"),
        ("/items/gone", "404"),
        ("/items/cut", "broke off"),
        ("/items/mine", "it belongs to the route /items/mine"),
    ] {
        gateway
            .wait_log(|line| line.contains("could not be prerendered") && line.contains(path) && line.contains(problem))
            .await;
    }
    let report = gateway.wait_log(|line| line.contains("prerendered in part")).await;
    assert!(report.contains("rendered=1") && report.contains("failed=5"), "{report}");
    assert_eq!(get(gateway.address(), "/items/a").await.x_cache(), "PRERENDER");
    let count = |result| [("route", "/items/[slug]"), ("result", result)];
    assert!((gateway.metric("evergate_prerendered_total", &count("failed")).await - 5.0).abs() < f64::EPSILON);
    assert!((gateway.metric("evergate_prerendered_total", &count("rendered")).await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn other_parameters_are_404_where_the_route_says_so() {
    let origin = Origin::start().await;
    items(&origin);
    let route = "- { path: '/items/[slug]', dynamic_params: false, params: [{ slug: a }, { slug: 'x/y' }] }\n\
        - { path: '/live/[id]', revalidate: 0, dynamic_params: false, params: [{ id: '1' }] }";
    origin.on("/live/*", |_| Reply::ok("live"));
    let gateway = Gateway::simple(&origin, route).await;
    for (target, status) in [
        ("/items/a", 200),
        ("/items/%61", 200),
        ("/items/a?q=1", 200),
        ("/items/x%2Fy", 200),
        ("/items/x%2fy", 200),
        ("/items/b", 404),
        ("/items/A", 404),
        ("/items/a%20", 404),
        ("/live/1", 200),
        ("/live/2", 404),
    ] {
        let answer = get(gateway.address(), target).await;
        assert_eq!(answer.status, status, "{target}");
    }
    let unknown = get(gateway.address(), "/items/b").await;
    assert_eq!(unknown.cache_status(), "evergate; detail=unknown-params");
    let posted = Client::connect(gateway.address()).await.request("POST", "/items/b", &[], "x").await;
    assert_eq!(posted.status, 404);
    assert_eq!((origin.count("/items/b"), origin.count("/live/2")), (0, 0), "the handler is not asked");
    assert_eq!(origin.count("/live/*"), 1, "what is dynamic is not rendered beforehand");
}

/// A list that comes from a file beside the configuration.
#[tokio::test]
async fn a_file_lists_parameters() {
    let origin = Origin::start().await;
    items(&origin);
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let file = directory.path().join("params.json");
    std::fs::write(&file, r#"[{"slug":"a"},{"slug":"b"}]"#).expect("a file in our own directory");
    let route = format!("- {{ path: '/items/[slug]', params_from: {{ file: '{}' }} }}", file.display());
    let gateway = Gateway::simple(&origin, &route).await;
    assert_eq!(origin.count("/items/*"), 2);
    assert_eq!(get(gateway.address(), "/items/b").await.x_cache(), "PRERENDER");
}

/// A list that comes from the upstream: asked at the start, and again as often as the configuration says.
#[tokio::test]
async fn the_upstream_lists_parameters_and_may_change_its_mind() {
    let origin = Origin::start().await;
    items(&origin);
    let edition = Arc::new(AtomicUsize::new(0));
    let current = Arc::clone(&edition);
    origin.on("/api/params", move |_| match current.load(Ordering::SeqCst) {
        0 => Reply::ok(r#"[{"slug":"a"}]"#),
        1 => Reply::ok("<html>oops</html>"),
        2 => Reply::ok("[]").status(500),
        _ => Reply::ok(r#"[{"slug":"a"},{"slug":"b"}]"#),
    });
    let route = "- { path: '/items/[slug]', dynamic_params: false, params_from: { url: /api/params, every: 50ms } }";
    let gateway = Gateway::simple(&origin, route).await;
    assert_eq!(get(gateway.address(), "/items/a").await.x_cache(), "PRERENDER");
    assert_eq!(get(gateway.address(), "/items/b").await.status, 404);
    assert_eq!(origin.seen("/api/params")[0].header("cookie"), None);

    // A list that is broken changes nothing.
    for (broken, told) in [(1, "expected JSON"), (2, "500")] {
        edition.store(broken, Ordering::SeqCst);
        let line = gateway.wait_log(|line| line.contains("could not be listed") && line.contains(told)).await;
        assert!(line.contains("/items/[slug]"), "{line}");
        assert_eq!(get(gateway.address(), "/items/a").await.status, 200);
    }
    edition.store(3, Ordering::SeqCst);
    until("the new page is rendered", async || origin.count("/items/b") == 1).await;
    until("it is there", async || get(gateway.address(), "/items/b").await.status == 200).await;
    assert_eq!((origin.count("/items/a"), origin.count("/items/b")), (1, 1));
}

/// One upstream that is slow to list what there is keeps neither the others nor the start, and its list counts when it comes.
#[tokio::test]
async fn a_list_that_does_not_come_is_told_and_holds_nobody() {
    let origin = Origin::start().await;
    items(&origin);
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/api/late", move |_| Reply::ok(r#"[{"slug":"x"}]"#).gate(&held));
    origin.on("/api/params", |_| Reply::ok(r#"[{"slug":"a"}]"#));
    origin.on("/late/*", |_| Reply::ok("late"));
    let routes = "- { path: '/late/[slug]', dynamic_params: false, params_from: { url: /api/late } }\n\
        - { path: '/items/[slug]', dynamic_params: false, params_from: { url: /api/params } }\n\
        cache: { prerender_deadline: 3s }";
    let gateway = Gateway::start_unready(&Gateway::simple_config(&origin, routes)).await;
    // The others are rendered while it is waited for.
    until("the page of the other list is there", async || origin.count("/items/a") == 1).await;
    assert_eq!(gate.arrivals(), 1);
    let told = gateway.wait_log(|line| line.contains("were not listed before the deadline")).await;
    assert!(told.contains("/late/[slug]"), "{told}");
    gateway.wait_log(|line| line == "ready").await;
    assert_eq!(get(gateway.address(), "/items/a").await.x_cache(), "PRERENDER");
    assert_eq!(get(gateway.address(), "/late/x").await.status, 503);
    gate.open();
    until("the late list counts", async || get(gateway.address(), "/late/x").await.status == 200).await;
    assert_eq!(get(gateway.address(), "/late/y").await.status, 404);
}

/// A list that says the same again costs nothing but itself.
#[tokio::test]
async fn what_is_listed_again_is_not_rendered_again() {
    let origin = Origin::start().await;
    items(&origin);
    origin.on("/items/broken", |_| Reply::ok("no").status(500));
    origin.on("/api/params", |_| Reply::ok(r#"[{"slug":"a"},{"slug":"broken"}]"#));
    let route = "- { path: '/items/[slug]', params_from: { url: /api/params, every: 50ms } }";
    let gateway = Gateway::simple(&origin, route).await;
    until("it was listed again and again", async || origin.count("/api/params") >= 4).await;
    assert_eq!((origin.count("/items/a"), origin.count("/items/broken")), (1, 1));
    let failed = [("route", "/items/[slug]"), ("result", "failed")];
    assert!((gateway.metric("evergate_prerendered_total", &failed).await - 1.0).abs() < f64::EPSILON);
}

/// Before it is known what there is, nobody is told that something is not there.
#[tokio::test]
async fn without_a_list_unknown_pages_are_503_and_not_404() {
    let origin = Origin::start().await;
    items(&origin);
    let known = Arc::new(AtomicUsize::new(0));
    let now = Arc::clone(&known);
    origin.on("/api/params", move |_| match now.load(Ordering::SeqCst) {
        0 => Reply::ok("later").status(503),
        _ => Reply::ok(r#"[{"slug":"a"}]"#),
    });
    let route = "- { path: '/items/[slug]', dynamic_params: false, params_from: { url: /api/params, every: 50ms } }";
    let gateway = Gateway::simple(&origin, route).await;
    let answer = get(gateway.address(), "/items/a").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.cache_status(), "evergate; detail=params-not-listed");
    known.store(1, Ordering::SeqCst);
    until("it is known", async || get(gateway.address(), "/items/a").await.status == 200).await;
    assert_eq!(get(gateway.address(), "/items/b").await.status, 404);
}

/// With names listed, the first of the sites is the one that pages are rendered for.
#[tokio::test]
async fn pages_are_rendered_for_the_first_site() {
    let origin = Origin::start().await;
    origin.on("/items/*", |seen| Reply::ok(seen.header("host").unwrap_or_default()));
    let routes = "- { path: '/items/[slug]', params: [{ slug: a }] }\nhosts: [first.example, second.example]";
    let gateway = Gateway::simple(&origin, routes).await;
    for (host, x_cache) in [("first.example", "PRERENDER"), ("second.example", "MISS"), ("first.example", "HIT")] {
        let answer = Client::connect(gateway.address()).await.get_with("/items/a", &[("host", host)]).await;
        assert_eq!((answer.x_cache(), answer.text()), (x_cache, host));
    }
}
