//! What is counted, and the access log: every family from the first scrape, counts that match what was done, labels from
//! closed lists and route patterns, and one line for each request.

mod log;

use std::collections::BTreeMap;

use evergate_tests::metrics::{Sample, samples};
use evergate_tests::{Client, Gate, Gateway, Origin, Reply, clock, get, until};
use tokio::task::JoinSet;

/// Names, help texts and types of all families, as Prometheus and people know them.
const FAMILIES: &str = include_str!("../golden/metrics.txt");

/// The samples called `name`, by the values of these labels.
async fn by(gateway: &Gateway, name: &str, labels: &[&str]) -> BTreeMap<Vec<String>, f64> {
    let mut sums = BTreeMap::new();
    let value = |sample: &Sample, wanted: &&str| {
        let found = sample.labels.iter().find(|(label, _)| label == wanted);
        found.map(|(_, value)| value.clone()).unwrap_or_else(|| panic!("{name} has no label {wanted}"))
    };
    for sample in samples(&gateway.metrics_text().await).into_iter().filter(|sample| sample.name == name) {
        let key = labels.iter().map(|wanted| value(&sample, wanted)).collect();
        *sums.entry(key).or_default() += sample.value;
    }
    sums
}

/// Asserts that exactly these samples of `name` have counted anything, once all of it has been counted: what is counted
/// when a request is over is counted after its visitor has the answer.
async fn counted(gateway: &Gateway, name: &str, labels: &[&str], expected: &[(&[&str], f64)]) {
    let total: f64 = expected.iter().map(|(_, value)| value).sum();
    let reached = async || gateway.metric(name, &[]).await >= total;
    until(&format!("{name} has counted {total}"), reached).await;
    let mut found = by(gateway, name, labels).await;
    found.retain(|_, value| *value > 0.0);
    let owned = |(values, value): &(&[&str], f64)| (values.iter().map(|v| (*v).to_owned()).collect(), *value);
    assert_eq!(found, expected.iter().map(owned).collect(), "{name}");
}

#[tokio::test]
async fn every_family_is_there_from_the_first_scrape() {
    let origin = Origin::start().await;
    let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: 5 }").await;
    let text = gateway.metrics_text().await;
    let told: Vec<&str> = text.lines().filter(|line| line.starts_with("# ")).collect();
    let expected: Vec<&str> = FAMILIES.lines().collect();
    assert_eq!(told, expected, "tests/golden/metrics.txt, which dashboards and people rely on");
    let types = told.iter().filter_map(|line| line.strip_prefix("# TYPE "));
    let all = samples(&text);
    for (family, kind) in types.filter_map(|line| line.split_once(' ')) {
        let sample = if kind == "histogram" { format!("{family}_count") } else { family.to_owned() };
        assert!(all.iter().any(|found| found.name == sample), "{family} has no sample");
    }
    // Nothing has happened, and a rate needs something to begin with.
    for sample in &all {
        let constant = ["evergate_build_info", "evergate_cache_capacity_bytes"].contains(&sample.name.as_str());
        assert_eq!(sample.value > 0.0, constant, "{sample:?}");
    }
    assert_eq!(gateway.metric("evergate_build_info", &[("version", env!("CARGO_PKG_VERSION"))]).await.to_string(), "1");
}

/// Labels with closed lists: family, label, values.
const CLOSED: [(&str, &str, &[&str]); 10] = [
    ("evergate_requests_total", "cache", &["hit", "stale", "miss", "revalidated", "pass"]),
    ("evergate_request_duration_seconds_count", "cache", &["hit", "stale", "miss", "revalidated", "pass"]),
    (
        "evergate_upstream_requests_total",
        "result",
        &["ok", "connect", "connect-timeout", "reset", "first-byte-timeout", "max-duration"],
    ),
    ("evergate_cache_evictions_total", "cause", &["size", "variants"]),
    ("evergate_revalidations_total", "result", &["fresh", "not_modified", "failed", "declined", "skipped"]),
    (
        "evergate_uncacheable_total",
        "reason",
        &[
            "dynamic",
            "unmatched",
            "method",
            "authorization",
            "bypass",
            "set-cookie",
            "private",
            "no-store",
            "no-cache",
            "vary",
            "status",
            "too-large",
        ],
    ),
    ("evergate_stale_served_total", "reason", &["revalidating", "error", "busy"]),
    ("evergate_invalidations_total", "kind", &["tag", "path", "prefix", "route", "layout", "group", "all"]),
    ("evergate_invalidations_total", "mode", &["stale", "delete", "expire"]),
    ("evergate_downstream_purges_total", "result", &["ok", "retried", "failed"]),
];

#[tokio::test]
async fn closed_labels_begin_at_zero_for_every_route_and_upstream() {
    let origin = Origin::start().await;
    let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: 5 }\n- { path: \"/items/[slug]\" }").await;
    let all = samples(&gateway.metrics_text().await);
    for (family, label, values) in CLOSED {
        for value in values {
            let fitting: Vec<&Sample> = all.iter().filter(|s| s.name == family && s.has(label, value)).collect();
            assert!(!fitting.is_empty(), "{family}{{{label}=\"{value}\"}} is missing");
            let routes = fitting.iter().filter(|sample| sample.labels.iter().any(|(label, _)| label == "route"));
            for route in routes.clone().next().map_or(&[][..], |_| &["/p", "/items/[slug]"]) {
                assert!(
                    routes.clone().any(|sample| sample.has("route", route)),
                    "{family}{{{label}=\"{value}\"}} of {route}"
                );
            }
        }
    }
    let upstreams = all.iter().filter(|sample| sample.name.starts_with("evergate_upstream_"));
    assert!(upstreams.clone().count() > 0 && upstreams.clone().all(|sample| sample.has("upstream", "origin")));
}

/// Everything that can become of a request, once.
async fn one_of_each(gateway: &Gateway) {
    let mut client = Client::connect(gateway.address()).await;
    for (method, target, lines) in [
        ("GET", "/p", &[][..]),
        ("GET", "/p", &[]),
        ("GET", "/p", &[("if-none-match", "*")]),
        ("HEAD", "/p", &[]),
        ("POST", "/p", &[]),
        ("GET", "/p", &[("authorization", "Bearer t")]),
        ("GET", "/cookie", &[]),
        ("GET", "/cookie", &[]),
        ("GET", "/fails", &[]),
        ("GET", "/moved", &[]),
        ("GET", "/items/a", &[]),
        ("PATCH", "/items/a", &[]),
        ("GET", "/elsewhere", &[]),
        ("PROPFIND", "/elsewhere", &[]),
        ("GET", "/two//slashes", &[]),
    ] {
        client.request(method, target, lines, "").await;
    }
    let mut client = Client::connect(gateway.address()).await;
    client.send_raw("GET /p nonsense HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.read_response("GET").await.status, 400);
}

#[tokio::test]
async fn counts_match_what_was_done() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page"));
    origin.on("/cookie", |_| Reply::ok("page").header("set-cookie", "a=1"));
    origin.on("/fails", |_| Reply::ok("no").status(500));
    origin.on("/moved", |_| Reply::ok("").status(307).header("location", "/"));
    origin.on("/elsewhere", |_| Reply::ok("none").status(404));
    let pages = ["/p", "/cookie", "/fails", "/moved"].map(|path| format!("- {{ path: {path}, revalidate: false }}\n"));
    let gateway = Gateway::simple(&origin, &format!("{}- {{ path: \"/items/[slug]\" }}", pages.concat())).await;
    one_of_each(&gateway).await;

    let expected: [(&[&str], f64); 14] = [
        (&["/p", "GET", "2xx", "miss"], 1.0),
        (&["/p", "GET", "2xx", "hit"], 1.0),
        (&["/p", "GET", "3xx", "hit"], 1.0),
        (&["/p", "HEAD", "2xx", "hit"], 1.0),
        (&["/p", "POST", "2xx", "pass"], 1.0),
        (&["/p", "GET", "2xx", "pass"], 1.0),
        (&["/cookie", "GET", "2xx", "pass"], 2.0),
        (&["/fails", "GET", "5xx", "miss"], 1.0),
        (&["/moved", "GET", "3xx", "miss"], 1.0),
        (&["/items/[slug]", "GET", "2xx", "pass"], 1.0),
        (&["/items/[slug]", "PATCH", "2xx", "pass"], 1.0),
        (&["(none)", "GET", "4xx", "pass"], 1.0),
        (&["(none)", "other", "4xx", "pass"], 1.0),
        (&["(none)", "GET", "3xx", "none"], 1.0),
    ];
    let refused: [(&[&str], f64); 1] = [(&["(none)", "GET", "4xx", "none"], 1.0)];
    let all = [&expected[..], &refused[..]].concat();
    counted(&gateway, "evergate_requests_total", &["route", "method", "status", "cache"], &all).await;
    let mut durations: BTreeMap<[&str; 2], f64> = BTreeMap::new();
    for (labels, count) in &all {
        *durations.entry([labels[0], labels[3]]).or_default() += count;
    }
    let durations: Vec<(&[&str], f64)> = durations.iter().map(|(labels, count)| (&labels[..], *count)).collect();
    counted(&gateway, "evergate_request_duration_seconds_count", &["route", "cache"], &durations).await;
    let reasons: [(&[&str], f64); 5] = [
        (&["/p", "method"], 1.0),
        (&["/p", "authorization"], 1.0),
        (&["/cookie", "set-cookie"], 2.0),
        (&["/items/[slug]", "dynamic"], 2.0),
        (&["(none)", "unmatched"], 2.0),
    ];
    counted(&gateway, "evergate_uncacheable_total", &["route", "reason"], &reasons).await;
    // Four fills, of which one was dropped, and every pass; an answer is ok whatever it says.
    counted(&gateway, "evergate_upstream_requests_total", &["upstream", "result"], &[(&["origin", "ok"], 12.0)]).await;
    counted(&gateway, "evergate_upstream_duration_seconds_count", &["upstream"], &[(&["origin"], 12.0)]).await;
    assert_eq!(origin.count("/*"), 12);
}

#[tokio::test]
async fn shared_fetches_refreshes_and_failures_are_counted() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/p", move |_| Reply::ok("page").gate(&held));
    let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: 1 }").await;
    let mut visitors = JoinSet::new();
    let asked = clock::now();
    for _ in 0..5 {
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", "/p", &[], "").await;
        visitors.spawn(async move { client.read_response("GET").await });
    }
    gate.arrived(1).await;
    // A round trip, so that the other four are surely waiting too.
    get(gateway.admin(), "/healthz").await;
    let held_for = asked.elapsed().as_secs_f64();
    gate.open();
    let shared =
        visitors.join_all().await.iter().filter(|answer| answer.cache_status().contains("; collapsed")).count();
    let shared = u32::try_from(shared).map_or(0.0, f64::from);
    counted(&gateway, "evergate_coalesced_requests_total", &["route"], &[(&["/p"], shared)]).await;
    assert!(shared >= 1.0);
    let spent = gateway.metric("evergate_upstream_duration_seconds_sum", &[]).await;
    assert!(spent > 0.0 && spent < held_for + 1.0, "{spent} s of {held_for} s");

    let result = async |result: &str| {
        gateway.metric("evergate_revalidations_total", &[("route", "/p"), ("result", result)]).await
    };
    let stale = async |reason: &str| {
        gateway.metric("evergate_stale_served_total", &[("route", "/p"), ("reason", reason)]).await
    };
    until("a refresh", async || get(gateway.address(), "/p").await.x_cache() == "STALE").await;
    until("it is counted", async || result("fresh").await > 0.0 && stale("revalidating").await > 0.0).await;
    origin.kill();
    until("a refresh fails", async || get(gateway.address(), "/p").await.cache_status().ends_with("detail=error"))
        .await;
    until("it is counted", async || result("failed").await > 0.0 && stale("error").await > 0.0).await;
    assert!(gateway.metric("evergate_upstream_requests_total", &[("result", "connect")]).await >= 1.0);
    let refreshes = gateway.metric("evergate_revalidations_total", &[]).await;
    assert_eq!(
        gateway.metric("evergate_revalidation_duration_seconds_count", &[]).await.to_string(),
        refreshes.to_string()
    );
}

#[tokio::test]
async fn the_memory_is_told_as_it_is() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok(vec![b'x'; 50_000]).header("etag", "\"1\""));
    let routes = "- { path: \"/[x]\", revalidate: false }\ncache: { capacity: 16MiB }";
    let gateway = Gateway::simple(&origin, routes).await;
    let figure = async |name: &str| gateway.metric(&format!("evergate_cache_{name}"), &[]).await;
    assert_eq!(figure("capacity_bytes").await.to_string(), (16 << 20).to_string());
    for pages in 1..=3 {
        get(gateway.address(), &format!("/{pages}")).await;
        let pages = f64::from(pages);
        until("it is stored", async || figure("entries").await >= pages).await;
        let bytes = figure("bytes").await;
        // What the allocator keeps from others counts too, which for a body of 50,000 bytes is a third of it, and the rest of a page.
        assert!(bytes > pages * 50_000.0 && bytes < pages * 68_000.0, "{bytes} bytes in {pages} pages");
        assert!((figure("entries").await - pages).abs() < 0.5);
    }
}

#[tokio::test]
async fn labels_never_hold_what_visitors_send() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page"));
    let gateway =
        Gateway::simple(&origin, "- { path: \"/items/[slug]\", revalidate: false }\nhosts: [a.example]").await;
    let visit = async |number: usize| {
        let mut client = Client::connect(gateway.address()).await;
        for (method, path) in [("GET", "items"), ("GET", "none"), ("POST", "items"), ("SECRET", "none")] {
            let target = format!("/{path}/secret-{number}?token=secret-{number}");
            client.request(method, &target, &[("host", "a.example"), ("cookie", "secret=1")], "").await;
        }
        client.request("GET", "/secret", &[("host", "secret.example")], "").await;
        client.send_raw("GET /secret\" HTTP/9.9\r\nhost: secret\r\n\r\n").await;
        client.try_read_response("GET").await;
    };
    visit(0).await;
    until("all is counted", async || gateway.metric("evergate_requests_total", &[]).await >= 6.0).await;
    let before = samples(&gateway.metrics_text().await).len();
    for number in 1..30 {
        visit(number).await;
    }
    until("all is counted", async || gateway.metric("evergate_requests_total", &[]).await >= 180.0).await;
    let text = gateway.metrics_text().await;
    assert!(!text.to_ascii_lowercase().contains("secret"), "{text}");
    assert_eq!(samples(&text).len(), before, "the number of series does not follow the number of paths");
}
