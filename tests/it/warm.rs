//! Warming up: pages are fetched before visitors ask for them, by `POST /warm` on the admin listener and by `evergate warm`.

mod command;
mod order;
mod refused;
mod sitemaps;

use std::io::Write;

use evergate_tests::{BOUND, Client, Gate, Gateway, Origin, Reply, Response, get, until, within};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A sitemap with these pages.
fn sitemap(pages: &[&str]) -> String {
    let entries: String = pages.iter().map(|page| format!("<url><loc>{page}</loc></url>")).collect();
    format!("<?xml version=\"1.0\"?><urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">{entries}</urlset>")
}

/// An index of these sitemaps.
fn index(sitemaps: &[&str]) -> String {
    let entries: String = sitemaps.iter().map(|place| format!("<sitemap><loc>{place}</loc></sitemap>")).collect();
    format!("<sitemapindex xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">{entries}</sitemapindex>")
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).expect("memory takes everything")
}

/// Pages that say how often they were made.
fn items(origin: &Origin) {
    origin.on_counted("/items/*", |seen, run| Reply::ok(format!("{} run {run}", seen.target)));
}

/// Asks for a warm-up.
async fn post(gateway: &Gateway, order: &Value) -> Response {
    Client::connect(gateway.admin()).await.request("POST", "/warm", &[JSON], order.to_string()).await
}

/// Asks for a warm-up, and waits for what came of it.
async fn warm(gateway: &Gateway, order: &Value) -> Value {
    // It tells how far it has come for as long as it goes on, so that reading alone would have no end.
    let answer = within("a warm-up", BOUND, post(gateway, order)).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/x-ndjson")),
        "{}",
        answer.text()
    );
    assert!(answer.complete && answer.text().ends_with('\n'));
    let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (last, others) = lines.split_last().expect("a summary");
    for line in others {
        assert!(line["progress"]["pages"].is_u64(), "{line}");
    }
    assert!(last["progress"].is_null(), "{last}");
    last.clone()
}

/// The numbers of a summary: rendered, fresh, failed, not cached; together they are its pages.
fn numbers(summary: &Value) -> [u64; 4] {
    let number = |name: &str| summary[name].as_u64().unwrap_or_else(|| panic!("no {name} in {summary}"));
    let numbers = ["rendered", "fresh", "failed", "not_cached"].map(number);
    assert_eq!(number("pages"), numbers.iter().sum::<u64>(), "{summary}");
    numbers
}

/// Why a page failed.
fn problem<'s>(summary: &'s Value, url: &str) -> &'s str {
    let failures = summary["failures"].as_array().expect("a list of failures");
    let failure = failures.iter().find(|failure| failure["url"] == url);
    failure.and_then(|failure| failure["problem"].as_str()).unwrap_or_else(|| panic!("{url} has not failed: {summary}"))
}

#[tokio::test]
async fn pages_are_there_before_visitors_ask() {
    let origin = Origin::start().await;
    items(&origin);
    for path in ["/live", "/word", "/nothing"] {
        origin.on(path, |_| Reply::ok("not kept"));
    }
    let routes =
        "- { path: '/items/[slug]', revalidate: 1h }\n- { path: /live }\n- { path: /word, revalidate: origin }";
    let gateway = Gateway::simple(&origin, routes).await;
    let urls = ["/items/a", "https://acme.com/items/b", "/items/caf\u{e9}", "/live", "/word", "/nothing"];
    let summary = warm(&gateway, &json!({ "urls": urls })).await;
    assert_eq!(numbers(&summary), [3, 0, 0, 3], "{summary}");
    assert_eq!((&summary["failures"], &summary["more_failures"]), (&json!([]), &json!(0)));
    assert_eq!(origin.count("/*"), 3, "what is not kept is left alone");
    let seen = &origin.seen("/items/b")[0];
    assert_eq!((seen.method.as_str(), seen.header("x-forwarded-for")), ("GET", None), "nobody asked");
    assert_eq!(
        seen.header("host"),
        Some(origin.address().to_string().as_str()),
        "the host of a listed URL is nobody's"
    );

    for path in ["/items/a", "/items/b", "/items/caf%C3%A9"] {
        let first = get(gateway.address(), path).await;
        assert_eq!((first.x_cache(), first.text()), ("PRERENDER", format!("{path} run 1").as_str()));
        assert_eq!(get(gateway.address(), path).await.x_cache(), "HIT");
    }
    // What is there stays as it is.
    let again = warm(&gateway, &json!({ "urls": urls })).await;
    assert_eq!(numbers(&again), [0, 3, 0, 3], "{again}");
    assert_eq!(origin.count("/items/*"), 3);
    for (route, result, expected) in [
        ("/items/[slug]", "rendered", 3.0),
        ("/items/[slug]", "fresh", 3.0),
        ("/live", "not_cached", 2.0),
        ("(none)", "not_cached", 2.0),
        ("(none)", "failed", 0.0),
    ] {
        let counted = gateway.metric("evergate_warmed_total", &[("route", route), ("result", result)]).await;
        assert!((counted - expected).abs() < f64::EPSILON, "{route} {result}: {counted}");
    }
    gateway
        .wait_log(|line| line.contains("warmed up") && line.contains("rendered=3") && line.contains("fresh=0"))
        .await;
}

#[tokio::test]
async fn a_stale_page_is_refreshed_and_waited_for() {
    let origin = Origin::start().await;
    items(&origin);
    let gateway = Gateway::simple(&origin, "- { path: '/items/[slug]', revalidate: 1 }").await;
    assert_eq!(get(gateway.address(), "/items/a").await.text(), "/items/a run 1");
    let stale = async || get(gateway.admin(), "/explain?url=/items/a").await.json()["stored"]["fresh"] == false;
    until("it is stale", stale).await;
    assert_eq!(origin.count("/items/a"), 1);
    let summary = warm(&gateway, &json!({ "urls": ["/items/a"] })).await;
    assert_eq!(numbers(&summary), [1, 0, 0, 0], "{summary}");
    // It is served as it came by then, however late this visitor is.
    let answer = get(gateway.address(), "/items/a").await;
    assert!(["HIT", "STALE"].contains(&answer.x_cache()) && answer.text() == "/items/a run 2", "{}", answer.text());
}

/// Nor does it matter how it is written.
#[tokio::test]
async fn a_page_that_is_listed_again_is_one_page() {
    let origin = Origin::start().await;
    items(&origin);
    origin.on("/sitemap.xml", |_| Reply::ok(sitemap(&["/items/a", "/items/c", "/items/c"])));
    let gateway = Gateway::simple(&origin, "- { path: '/items/[slug]', revalidate: 1h }").await;
    let mut urls = vec!["/items/a"; 50];
    urls.extend(["https://acme.com/items/%61#part", "/items/a b", "/items/a%20b", "nonsense", "nonsense"]);
    let summary = warm(&gateway, &json!({ "urls": urls, "sitemaps": ["/sitemap.xml"] })).await;
    assert_eq!(numbers(&summary), [3, 0, 1, 0], "{summary}");
    assert_eq!(problem(&summary, "nonsense"), "expected a path (`/items/a`) or an http or https URL");
    // As it may be written where it is forgotten.
    assert_eq!(get(gateway.address(), "/items/a%20b").await.x_cache(), "PRERENDER");
    // The limit is one of different pages.
    let order = json!({ "urls": ["/items/a", "/items/a", "/items/d"], "limit": 2 });
    assert_eq!(numbers(&warm(&gateway, &order).await), [1, 1, 0, 0]);
}

/// A handler that fails while a page is refreshed leaves what is there, and is not asked again at once.
#[tokio::test]
async fn a_refresh_that_fails_is_told() {
    let origin = Origin::start().await;
    items(&origin);
    let gateway = Gateway::simple(&origin, "- { path: '/items/[slug]', revalidate: 1 }").await;
    get(gateway.address(), "/items/a").await;
    origin.on("/items/a", |_| Reply::ok("broken").status(500));
    let stale = async || get(gateway.admin(), "/explain?url=/items/a").await.json()["stored"]["fresh"] == false;
    until("it is stale", stale).await;
    let order = json!({ "urls": ["/items/a"] });
    let summary = warm(&gateway, &order).await;
    assert_eq!(numbers(&summary), [0, 0, 1, 0], "{summary}");
    assert!(problem(&summary, "/items/a").contains("did not answer (status)"), "{summary}");
    let backed_off = warm(&gateway, &order).await;
    assert!(problem(&backed_off, "/items/a").contains("is not asked again yet"), "{backed_off}");
    assert_eq!(origin.count("/items/a"), 2);
    assert_eq!(get(gateway.address(), "/items/a").await.text(), "/items/a run 1");
}

#[tokio::test]
async fn what_fails_is_told_with_its_reason() {
    let origin = Origin::start().await;
    items(&origin);
    origin.on("/items/broken", |_| Reply::ok("no").status(503));
    origin.on("/items/mine", |_| Reply::ok("mine").header("set-cookie", "a=b"));
    origin.on("/items/gone", |_| Reply::ok("nothing").status(404));
    origin.on("/items/cut", |_| Reply::ok("half of it").hang_up_after(4));
    let routes = "- { path: '/items/[slug]', revalidate: 1h }\n\
        - { path: '/known/[id]', revalidate: 1h, dynamic_params: false, params: [{ id: '1' }] }\n\
        - { path: /form, revalidate: 1h, methods: [POST] }";
    origin.on("/known/1", |_| Reply::ok("known"));
    let gateway = Gateway::simple(&origin, routes).await;
    let expected = [
        ("/items/broken", "the handler service did not answer (status)"),
        ("/items/mine", "the answer is not kept (set-cookie)"),
        ("/items/gone", "the handler answered with 404 Not Found"),
        ("/items/cut", "the answer broke off"),
        ("/known/2", "the gateway answers with 404 Not Found: there is nothing under these parameters"),
        ("/form", "the gateway answers with 405 Method Not Allowed: the handler does not answer this method"),
        ("/items//a", "its one name is /items/a"),
        ("/items/%zz", "the path holds a broken percent-encoding"),
        ("items/a", "expected a path (`/items/a`) or an http or https URL"),
        ("ftp://acme.com/items/a", "expected a path (`/items/a`) or an http or https URL"),
        ("https://me:secret@acme.com/items/a", "a URL with a user name is not asked for"),
    ];
    let mut urls: Vec<&str> = expected.iter().map(|(url, _)| *url).collect();
    urls.push("/items/a");
    let summary = warm(&gateway, &json!({ "urls": urls })).await;
    assert_eq!(numbers(&summary), [1, 0, 11, 0], "{summary}");
    for (url, why) in expected {
        assert_eq!(problem(&summary, url), why);
    }
    // What was declined a moment ago, and a page that is kept as missing, are no pages either.
    let again = warm(&gateway, &json!({ "urls": ["/items/mine", "/items/gone"] })).await;
    assert_eq!(numbers(&again), [0, 0, 2, 0], "{again}");
    assert_eq!((origin.count("/items/mine"), origin.count("/items/gone")), (1, 1));
}

#[tokio::test]
async fn failures_are_told_up_to_a_number() {
    let origin = Origin::start().await;
    let gateway = Gateway::simple(&origin, "").await;
    let urls: Vec<String> = (0..103).map(|number| format!("no path {number}")).collect();
    let summary = warm(&gateway, &json!({ "urls": urls })).await;
    assert_eq!((numbers(&summary), &summary["more_failures"]), ([0, 0, 103, 0], &json!(3)));
    assert_eq!(summary["failures"].as_array().map(Vec::len), Some(100));
}

#[tokio::test]
async fn rules_lead_as_they_lead_visitors() {
    let origin = Origin::start().await;
    items(&origin);
    let routes = "- { path: '/items/[slug]', revalidate: 1h }\n\
        proxy:\n\
        - { matcher: '/pretty/:slug', rewrite: { to: '/items/:slug' } }\n\
        - { matcher: /old, redirect: { to: /items/a, status: 308 } }\n\
        - { matcher: /closed, respond: { status: 403 } }";
    let gateway = Gateway::simple(&origin, routes).await;
    let summary = warm(&gateway, &json!({ "urls": ["/pretty/x", "/old", "/closed"] })).await;
    assert_eq!(numbers(&summary), [1, 0, 0, 2], "{summary}");
    assert_eq!((origin.count("/items/x"), origin.count("/*")), (1, 1));
    assert_eq!(get(gateway.address(), "/pretty/x").await.x_cache(), "PRERENDER");
}

#[tokio::test]
async fn with_several_sites_the_host_says_which() {
    let origin = Origin::start().await;
    origin.on("/items/*", |seen| Reply::ok(seen.header("host").unwrap_or_default()));
    let routes = "- { path: '/items/[slug]', revalidate: 1h }\nhosts: [first.example, second.example]";
    let gateway = Gateway::simple(&origin, routes).await;
    let urls =
        ["/items/a", "https://SECOND.example:8443/items/b", "https://evil.example/items/c", "http://127.0.0.1/items/d"];
    let summary = warm(&gateway, &json!({ "urls": urls })).await;
    assert_eq!(numbers(&summary), [2, 0, 2, 0], "{summary}");
    assert_eq!(problem(&summary, urls[2]), "the host evil.example is not served here");
    assert_eq!(origin.count("/items/*"), 2);
    for (host, path) in [("first.example", "/items/a"), ("second.example", "/items/b")] {
        let answer = Client::connect(gateway.address()).await.get_with(path, &[("host", host)]).await;
        assert_eq!((answer.x_cache(), answer.text()), ("PRERENDER", host));
    }
    let other = Client::connect(gateway.address()).await.get_with("/items/a", &[("host", "second.example")]).await;
    assert_eq!(other.x_cache(), "MISS");
}

#[tokio::test]
async fn params_are_warmed_up_as_they_are_known_now() {
    let origin = Origin::start().await;
    items(&origin);
    origin.on("/more/*", |_| Reply::ok("more"));
    origin.on("/api/params", |_| Reply::ok(r#"[{"id":"1"},{"id":"2"}]"#));
    origin.on("/api/broken", |_| Reply::ok("no").status(500));
    let routes = "- { path: '/items/[slug]', revalidate: 1h, params: [{ slug: a }, { slug: b }] }\n\
        - { path: '/more/[id]', revalidate: 1h, params_from: { url: /api/params } }\n\
        - { path: '/odd/[id]', revalidate: 1h, params_from: { url: /api/broken } }\n\
        - { path: '/live/[id]', revalidate: 0, params: [{ id: x }] }";
    let gateway = Gateway::simple(&origin, routes).await;
    let made = origin.count("/items/*") + origin.count("/more/*");
    // All but one page of the new list are there since the start.
    origin.on("/api/params", |_| Reply::ok(r#"[{"id":"1"},{"id":"2"},{"id":"3"}]"#));
    let summary = warm(&gateway, &json!({ "params": true })).await;
    assert_eq!((made, numbers(&summary)), (4, [1, 4, 0, 1]), "{summary}");
    assert_eq!(summary["failed_lists"], 1, "no page: {summary}");
    let why = problem(&summary, "/api/broken");
    assert!(why.starts_with("the parameters of /odd/[id] could not be listed: ") && why.contains("500"), "{why}");
    assert_eq!(get(gateway.address(), "/more/3").await.x_cache(), "PRERENDER");
}

/// Who hangs up stops it, and what was begun is not lost.
#[tokio::test]
async fn it_stops_when_nobody_reads_on() {
    let origin = Origin::start().await;
    items(&origin);
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/held/*", move |_| Reply::ok("held").gate(&held));
    let gateway =
        Gateway::simple(&origin, "- { path: '/held/[x]', revalidate: 1h }\n- { path: '/items/[x]', revalidate: 1h }")
            .await;
    let urls: Vec<String> = (0..50).map(|number| format!("/held/{number}")).collect();
    let mut client = Client::connect(gateway.admin()).await;
    let order = json!({ "urls": urls, "concurrency": 2 }).to_string();
    client.send("POST", "/warm", &[JSON], order).await;
    gate.arrived(2).await;
    assert_eq!(client.read_head().await.status, 200);
    // One at a time.
    let second = post(&gateway, &json!({ "urls": ["/items/a"] })).await;
    assert_eq!((second.status, second.json()["error"].as_str()), (409, Some("another warm-up is under way")));
    drop(client);
    gateway.wait_log(|line| line.contains("a warm-up was stopped")).await;
    gate.open();
    // The next has its turn, and nothing more is asked for the last.
    assert_eq!(numbers(&warm(&gateway, &json!({ "urls": ["/items/a"] })).await), [1, 0, 0, 0]);
    assert_eq!(origin.count("/held/*"), 2);
    until("what was begun is kept", async || get(gateway.address(), "/held/0").await.x_cache() != "MISS").await;
    assert_eq!(origin.count("/held/0"), 1);
}
