//! The first two commands of a newcomer: the repository's own `config.yaml`, with nothing but its addresses changed, runs
//! the demo handlers; what the gateway prints to try next works, and `/posts` shows MISS, HIT and STALE.

use std::net::SocketAddr;

use evergate_tests::{Client, Gateway, Response, clock, get, until};

/// Header lines.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// The gateway as `make run` starts it, but on free ports.
async fn repository() -> Gateway {
    let config = include_str!("../../config.yaml");
    let moved = config.replace("127.0.0.1:8080", "127.0.0.1:0").replace("127.0.0.1:9900", "127.0.0.1:0");
    assert_eq!(moved.matches("address: 127.0.0.1:0 ").count(), 2, "both addresses are where they were");
    Gateway::start(&moved).await
}

/// A request by a visitor of its own.
async fn ask(gateway: &Gateway, method: &str, target: &str, lines: Lines<'_>, body: &str) -> Response {
    Client::connect(gateway.address()).await.request(method, target, lines, body).await
}

/// Where a URL leads: address and target.
fn split(url: &str) -> (SocketAddr, String) {
    let rest = url.strip_prefix("http://").expect("an absolute URL");
    let (address, path) = rest.split_once('/').expect("a path");
    (address.parse().expect("an address with a port"), format!("/{path}"))
}

#[tokio::test]
async fn the_three_commands_of_the_greeting_work() {
    let gateway = repository().await;
    let told = gateway.wait_log(|line| line.contains("Ctrl-C")).await;
    let stdout = gateway.stdout();
    let commands: Vec<&str> = stdout.lines().filter(|line| line.trim_start().starts_with("curl ")).collect();
    assert_eq!(commands.len(), 3, "{stdout}");
    for command in &commands {
        let url = command.split_whitespace().find(|word| word.starts_with("http://")).expect("a URL");
        let (address, target) = split(url);
        assert!([gateway.address(), gateway.admin()].contains(&address), "{command}");
        let response = get(address, &target).await;
        assert_eq!(response.status, 200, "{command}");
        if let Some((_, searched)) = command.split_once("| grep ") {
            assert!(response.text().lines().any(|line| line.contains(searched)), "{command}");
        }
    }
    // The last line names a page that lists the handlers.
    let url = told.split_whitespace().find(|word| word.starts_with("http://")).expect("a URL");
    let (address, target) = split(url);
    let index = get(address, &target).await;
    assert!(
        index.text().contains("/posts") && index.text().contains(&format!("http://{address}/posts")),
        "{}",
        index.text()
    );
}

#[tokio::test]
async fn posts_are_a_miss_then_hits_then_stale_once_then_new() {
    let gateway = repository().await;
    let posts = async || get(gateway.address(), "/posts").await;
    let first = posts().await;
    assert_eq!((first.x_cache(), first.json()["run"].as_u64()), ("MISS", Some(1)));
    assert_eq!(first.header("cache-control"), Some("public, max-age=0, must-revalidate"));
    assert_eq!(first.header("cdn-cache-control"), Some("public, max-age=5, stale-while-revalidate=5"));
    let filled = clock::now();
    let second = posts().await;
    assert_eq!((second.x_cache(), &second.body), ("HIT", &first.body));
    assert!(second.cache_status().starts_with("evergate; hit; ttl="), "{}", second.cache_status());
    // A little slower than the ten milliseconds of `until`, which is no pace for five seconds.
    until("it is stale", async || {
        tokio::time::sleep(std::time::Duration::from_millis(90)).await;
        let response = posts().await;
        assert_eq!(response.body, first.body, "{}", response.x_cache());
        response.x_cache() == "STALE"
    })
    .await;
    let window = filled.elapsed().as_secs_f64();
    assert!(window > 4.5, "stale after {window} seconds of a window of 5");
    until("it is new", async || posts().await.json()["run"].as_u64() == Some(2)).await;
    assert_eq!(posts().await.x_cache(), "HIT");
}

/// What a handler answers: a request, the status, what the gateway did, and a part of the body.
type Row = (&'static str, &'static str, Lines<'static>, &'static str, (u16, &'static str, &'static str));

const JSON: Lines<'static> = &[("content-type", "application/json")];
const FORM: Lines<'static> = &[("content-type", "application/x-www-form-urlencoded")];

const HANDLERS: [Row; 30] = [
    ("GET", "/", &[], "", (200, "PASS", "server-sent events")),
    ("GET", "/api/hello", &[], "", (200, "PASS", "{\"message\":\"Hello World\",\"run\":1}")),
    ("GET", "/api/hello", &[], "", (200, "PASS", "\"run\":2}")),
    // Rendered before anybody asked, beside another, so that either may have been the first run.
    ("GET", "/items/a", &[], "", (200, "PRERENDER", "\"slug\":\"a\",\"run\":")),
    ("GET", "/items/a?utm_source=x", &[], "", (200, "HIT", "\"slug\":\"a\",\"run\":")),
    ("GET", "/items/b%20c", &[], "", (200, "MISS", "\"slug\":\"b c\",\"run\":3,")),
    ("GET", "/items/form", &[], "", (200, "MISS", "\"slug\":\"form\"")),
    ("GET", "/dashboard/1", &[], "", (200, "PASS", "{\"team\":\"1\"}")),
    ("GET", "/shop/1/2", &[], "", (200, "PASS", "{\"item\":\"2\",\"tag\":\"1\"}")),
    ("POST", "/items", JSON, "{\"a\":1}", (200, "PASS", "{\"res\":{\"a\":1}}")),
    ("POST", "/items", JSON, "{", (400, "PASS", "no JSON")),
    (
        "POST",
        "/items/form",
        FORM,
        "name=Zo%C3%AB&email=z%40e.org",
        (200, "PASS", "{\"name\":\"Zo\u{eb}\",\"email\":\"z@e.org\"}"),
    ),
    (
        "GET",
        "/api/headers",
        &[("referer", "https://example.com/")],
        "",
        (200, "PASS", "\"referer\":\"https://example.com/\""),
    ),
    ("GET", "/api/redirect", &[], "", (307, "PASS", "")),
    (
        "GET",
        "/api/search?query=isr&page=1",
        &[],
        "",
        (200, "MISS", "\"query\":\"isr\",\"run\":1,\"found\":[{\"id\":1,"),
    ),
    ("GET", "/api/search?x=y&query=isr", &[], "", (200, "HIT", "\"query\":\"isr\",\"run\":1,")),
    ("GET", "/api/search", &[], "", (200, "MISS", "\"query\":null,\"run\":2,")),
    ("GET", "/api/cors", &[("origin", "https://a.example")], "", (200, "PASS", "Hello, Evergate!")),
    ("OPTIONS", "/api/cors", &[("access-control-request-method", "PUT")], "", (204, "PASS", "")),
    ("POST", "/api/webhook", &[], "raw\r\n \u{1f980}", (200, "PASS", "\"bytes\":10,\"text\":\"raw\\r\\n \u{1f980}\"")),
    ("GET", "/rss.xml", &[], "", (200, "MISS", "<title>Next.js Documentation</title>")),
    ("GET", "/rss.xml", &[("cookie", "id=ann")], "", (200, "HIT", "</rss>")),
    ("PUT", "/api/methods", &[], "x", (200, "PASS", "{\"method\":\"PUT\",\"bytes\":1}")),
    ("PATCH", "/api/methods", &[], "xy", (200, "PASS", "{\"method\":\"PATCH\",\"bytes\":2}")),
    ("DELETE", "/api/methods", &[], "", (200, "PASS", "{\"method\":\"DELETE\",\"bytes\":0}")),
    ("HEAD", "/api/methods", &[], "", (200, "PASS", "")),
    ("OPTIONS", "/api/methods", &[], "", (204, "PASS", "")),
    ("POST", "/posts", &[], "", (405, "PASS", "")),
    ("GET", "/nothing/here", &[], "", (404, "PASS", "no handler here")),
    ("GET", "/slow", &[], "", (200, "MISS", "\"run\":1,")),
];

#[tokio::test]
async fn each_demo_handler_works_through_the_gateway() {
    let gateway = repository().await;
    for (method, target, lines, body, (status, x_cache, part)) in HANDLERS {
        let response = ask(&gateway, method, target, lines, body).await;
        assert_eq!((response.status, response.x_cache()), (status, x_cache), "{method} {target}: {}", response.text());
        assert!(response.text().contains(part) && response.complete, "{method} {target}: {}", response.text());
    }
}

#[tokio::test]
async fn promise_5_failures_of_the_flaky_handler_stay_behind_its_last_good_answer() {
    let gateway = repository().await;
    let flaky = async || get(gateway.address(), "/flaky").await;
    assert_eq!(flaky().await.json()["run"].as_u64(), Some(1));
    until("its second run has failed", async || {
        let response = flaky().await;
        assert_eq!((response.status, response.json()["run"].as_u64()), (200, Some(1)));
        response.x_cache() == "STALE" && response.cache_status().ends_with("detail=error")
    })
    .await;
    let failed = gateway.metric("evergate_revalidations_total", &[("route", "/flaky"), ("result", "failed")]).await;
    assert!(failed >= 1.0, "{failed}");
}
