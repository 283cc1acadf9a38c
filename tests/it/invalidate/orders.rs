//! `POST /invalidate`: what it answers, and that an order with anything wrong about it forgets nothing.

use evergate_tests::{Client, Gateway, Origin, Reply, Response, get, until};
use serde_json::{Value, json};

use super::{numbered, order, seen, visit};

const PAGE: &str = "- { path: /p, revalidate: 1h }\n- { path: '/items/[slug]', revalidate: 1h }";
const JSON: (&str, &str) = ("content-type", "application/json");

/// Sends this to `/invalidate`.
async fn send(gateway: &Gateway, method: &str, lines: &[(&str, &str)], body: impl AsRef<[u8]>) -> Response {
    Client::connect(gateway.admin()).await.request(method, "/invalidate", lines, body).await
}

/// Asserts that an answer is an error as the admin listener tells it; its problems.
fn refused(answer: &Response, status: u16, body: &str) -> Vec<String> {
    let told = answer.json();
    assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/json")), "{body}: {told}");
    assert!(told["error"].as_str().is_some_and(|error| !error.is_empty()), "{body}: {told}");
    let problems = told["problems"].as_array().expect("a list");
    problems.iter().map(|problem| problem.as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn what_was_understood_and_found_is_answered() {
    let (_origin, gateway) = numbered(PAGE).await;
    visit(&gateway, "/p").await;
    let body = json!({
        "tags": ["posts"], "paths": ["//p/"], "prefixes": ["/%70"], "routes": ["/items/[slug]"], "layouts": ["/items/"],
        "mode": { "expire": "5m" }, "refresh": false, "upstream": "origin",
    });
    let answer = order(&gateway, &body).await;
    let told = answer.json();
    assert!(told["matched"]["exact"].is_boolean(), "{told}");
    let expected = json!({
        "mode": { "expire": 300 }, "refresh": false, "upstream": "origin", "matched": told["matched"],
        "selected": [
            { "tag": "posts" }, { "path": "/p" }, { "prefix": "/p" }, { "route": "/items/[slug]" }, { "layout": "/items" },
        ],
    });
    assert_eq!((answer.status, &told), (200, &expected));
    for (kind, mode) in
        [("tag", "expire"), ("path", "expire"), ("prefix", "expire"), ("route", "expire"), ("layout", "expire")]
    {
        assert_eq!(
            gateway.metric("evergate_invalidations_total", &[("kind", kind), ("mode", mode)]).await,
            1.0,
            "{kind}"
        );
    }
    assert_eq!(gateway.metric("evergate_invalidations_total", &[]).await, 5.0);
    let line = gateway.wait_log(|line| line.contains("forgotten")).await;
    for part in
        ["INFO", "source=\"admin\"", "tag posts, path /p, prefix /p, route /items/[slug]", "mode=\"expire in 5m\""]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test]
async fn an_order_with_a_problem_forgets_nothing() {
    let (origin, gateway) = numbered(PAGE).await;
    visit(&gateway, "/p").await;
    // Each would forget the page if the rest of it were left out.
    for (body, problems) in [
        (
            json!({ "all": true, "tag": ["posts"] }),
            &["tag: found an unknown key, expected a known key: did you mean `tags`?"][..],
        ),
        (json!({ "all": true, "mode": "soft" }), &["mode: found `soft`"]),
        (json!({ "tags": ["posts", ""] }), &["tags[1]: found ``"]),
        (json!({ "paths": ["/p", "/p?x=1"] }), &["paths[1]: found `/p?x=1`, expected the path without `?`"]),
        (
            json!({ "paths": ["/p", "/items/[slug]"] }),
            &["paths[1]: found `/items/[slug]`, expected the path of one page"],
        ),
        (json!({ "all": true, "routes": ["/item/[slug]"] }), &["did you mean `/items/[slug]`?"]),
        (
            json!({ "all": true, "routes": [{ "route": "/items/[slug]", "params": {} }] }),
            &["expected parameters that make one path of the route: a text for `slug`"],
        ),
        (
            json!({ "all": true, "upstream": "orign" }),
            &["upstream: found `orign`, expected the name of an upstream: did you mean"],
        ),
        (json!({ "all": true, "refresh": "yes" }), &["refresh: found `yes`, expected `true` or `false`"]),
        (json!({ "mode": "delete" }), &["found nothing that is to be forgotten"]),
        (
            json!({ "all": true, "tags": "posts", "layouts": ["x"], "ttl": 1 }),
            &["ttl: ", "tags: found `posts`", "layouts[0]: "],
        ),
        (
            json!({ "tags": (0..4097).map(|tag| tag.to_string()).collect::<Vec<_>>(), "all": true }),
            &["expected at most 4096"],
        ),
        (json!({ "all": true, "tags": ["x".repeat(257)] }), &["expected a tag of at most 256 characters"]),
    ] {
        let told = refused(&order(&gateway, &body).await, 422, &body.to_string());
        assert_eq!(told.len(), problems.len(), "{told:?}");
        for (told, problem) in told.iter().zip(problems) {
            assert!(told.contains(problem), "{problem}: {told}");
        }
    }
    for body in ["", "posts", "{\"all\": true", "[{\"all\": true}]", "null", "\"all\"", "{\"all\": true}{}"] {
        assert!(refused(&send(&gateway, "POST", &[JSON], body).await, 400, body).is_empty());
    }
    let twice = "{\"all\": true, \"all\": false, \"tags\": [\"posts\"]}";
    assert!(refused(&send(&gateway, "POST", &[JSON], twice).await, 422, twice)[0].contains("the key again"));
    assert_eq!(visit(&gateway, "/p").await, seen("HIT", "1"));
    assert_eq!((gateway.metric("evergate_invalidations_total", &[]).await, origin.count("/*")), (0.0, 1));
}

#[tokio::test]
async fn a_request_that_is_none_forgets_nothing() {
    let (_origin, gateway) = numbered(PAGE).await;
    visit(&gateway, "/p").await;
    let own = gateway.admin().to_string();
    let all = json!({ "all": true }).to_string();
    for (method, lines, status) in [
        ("GET", &[][..], 405),
        ("PUT", &[JSON], 405),
        ("DELETE", &[], 405),
        ("POST", &[], 415),
        ("POST", &[("content-type", "text/plain")], 415),
        ("POST", &[("content-type", "application/x-www-form-urlencoded")], 415),
        ("POST", &[("content-type", "application/jsonp")], 415),
        ("POST", &[JSON, ("origin", "https://evil.example")], 403),
        ("POST", &[JSON, ("origin", "null")], 403),
        ("POST", &[JSON, ("host", "evil.example")], 421),
    ] {
        let body = if method == "GET" { "" } else { all.as_str() };
        let answer = send(&gateway, method, lines, body).await;
        refused(&answer, status, &format!("{method} {lines:?}"));
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("POST"), "{method}");
        }
    }
    assert_eq!(visit(&gateway, "/p").await, seen("HIT", "1"));
    // Its own pages may, and a charset is no other type.
    let lines = [("content-type", "Application/JSON; charset=utf-8"), ("origin", &format!("http://{own}"))];
    assert_eq!(send(&gateway, "POST", &lines, &all).await.status, 200);
    assert_eq!(visit(&gateway, "/p").await.0, "STALE");
    // Not where visitors ask.
    let answer = Client::connect(gateway.address()).await.request("POST", "/invalidate", &[JSON], &all).await;
    assert_eq!(answer.x_cache(), "PASS");
}

#[tokio::test]
async fn the_token_is_asked_for() {
    let origin = Origin::start().await;
    origin.on("/p", |_| Reply::ok("page"));
    let config = Gateway::simple_config(&origin, PAGE)
        .replace("\"127.0.0.1:0\" }\nthreads", "\"127.0.0.1:0\", token: s3cret }\nthreads");
    let gateway = Gateway::start(&config).await;
    assert_eq!(visit(&gateway, "/p").await.0, "MISS");
    let all = json!({ "all": true, "mode": "delete" }).to_string();
    for lines in [&[JSON][..], &[JSON, ("authorization", "Bearer wrong")], &[JSON, ("authorization", "Basic s3cret")]] {
        let answer = send(&gateway, "POST", lines, &all).await;
        refused(&answer, 401, "without the token");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(visit(&gateway, "/p").await.0, "HIT");
    assert_eq!(send(&gateway, "POST", &[JSON, ("authorization", "Bearer s3cret")], &all).await.status, 200);
    assert_eq!(visit(&gateway, "/p").await.0, "MISS");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let (_origin, gateway) = numbered(PAGE).await;
    visit(&gateway, "/p").await;
    let order = |length: usize| {
        let body = json!({ "all": true, "mode": "delete" }).to_string();
        body.clone() + &" ".repeat(length - body.len())
    };
    refused(&send(&gateway, "POST", &[JSON], order((1 << 20) + 1)).await, 413, "by length");
    let mut client = Client::connect(gateway.admin()).await;
    client.send_raw("POST /invalidate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n").await;
    client.send_raw("transfer-encoding: chunked\r\n\r\n").await;
    let body = order((1 << 20) + 1);
    client.send_raw(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).await;
    refused(&client.read_response("POST").await, 413, "in chunks");
    assert_eq!(visit(&gateway, "/p").await.0, "HIT");
    assert_eq!(send(&gateway, "POST", &[JSON], order(1 << 20)).await.status, 200);
    assert_eq!(visit(&gateway, "/p").await.0, "MISS");
}

/// Half an order is none; a whole one counts whether or not somebody reads its answer.
#[tokio::test]
async fn whoever_hangs_up_in_the_middle_has_said_nothing() {
    let (_origin, gateway) = numbered(PAGE).await;
    visit(&gateway, "/p").await;
    let body = json!({ "tags": ["posts"], "mode": "delete" }).to_string();
    let head = format!(
        "POST /invalidate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut client = Client::connect(gateway.admin()).await;
    client.send_raw(format!("{head}{}", &body[..body.len() - 1])).await;
    client.finish_sending().await;
    if let Some(answer) = client.try_read_response("POST").await {
        refused(&answer, 400, "half an order");
    }
    assert_eq!(get(gateway.admin(), "/healthz").await.status, 200);
    assert_eq!(visit(&gateway, "/p").await, seen("HIT", "1"));
    let mut client = Client::connect(gateway.admin()).await;
    client.send_raw(format!("{head}{}", &body[..1])).await;
    drop(client);
    assert_eq!(visit(&gateway, "/p").await, seen("HIT", "1"));
    let mut client = Client::connect(gateway.admin()).await;
    client.send_raw(format!("{head}{body}")).await;
    until("it is forgotten", async || gateway.metric("evergate_invalidations_total", &[("kind", "tag")]).await > 0.0)
        .await;
    drop(client);
    assert_eq!(visit(&gateway, "/p").await, seen("MISS", "2"));
}

#[tokio::test]
async fn many_orders_at_once_are_each_obeyed() {
    let origin = Origin::start().await;
    origin.on("/items/*", |_| Reply::ok("item"));
    let gateway = Gateway::simple(&origin, "- { path: '/items/[slug]', revalidate: 1h, tags: ['item:{slug}'] }").await;
    for slug in 0..40 {
        assert_eq!(visit(&gateway, &format!("/items/{slug}")).await.0, "MISS");
    }
    let admin = gateway.admin();
    let mut orders = tokio::task::JoinSet::new();
    for slug in (0..40).step_by(2) {
        orders.spawn(async move {
            let body: Value = json!({ "tags": [format!("item:{slug}")], "mode": "delete" });
            let answer = Client::connect(admin).await.request("POST", "/invalidate", &[JSON], body.to_string()).await;
            (answer.status, answer.json()["matched"]["count"].as_u64())
        });
    }
    while let Some(answer) = orders.join_next().await {
        assert_eq!(answer.expect("nobody panics"), (200, Some(1)));
    }
    for slug in 0..40 {
        let expected = if slug % 2 == 0 { "MISS" } else { "HIT" };
        assert_eq!(visit(&gateway, &format!("/items/{slug}")).await.0, expected, "{slug}");
    }
}
