//! `/explain` on the admin listener, and `evergate explain`: what would become of a request, told without doing it.

mod command;
mod cors;
mod rules;

use evergate_tests::{Client, Gateway, Origin, Reply, Response, get};
use serde_json::Value;

const ROUTES: &str = "
- { path: '/items/[slug]', revalidate: 1h, query: [q], cookies: [theme], vary: [accept-language], params: [{ slug: a }] }
- { path: /live }
- { path: '/known/[id]', dynamic_params: false, params: [{ id: '1' }], methods: [GET] }
- { path: /word, revalidate: origin }
proxy:
- { matcher: /old, redirect: { to: /live, status: 308 } }
- { matcher: '/pretty/:slug', rewrite: { to: '/items/:slug' } }
- { matcher: /closed, respond: { status: 403 } }";

async fn in_front_of() -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page").header("cache-control", "max-age=60"));
    let gateway = Gateway::simple(&origin, ROUTES).await;
    (origin, gateway)
}

async fn explain(gateway: &Gateway, query: &str) -> Value {
    let answer = get(gateway.admin(), &format!("/explain?{query}")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{query}");
    answer.json()
}

#[tokio::test]
async fn each_decision_is_told_with_what_it_rests_on() {
    let (origin, gateway) = in_front_of().await;
    let asked = origin.count("/*");
    let cases = [
        ("url=/items/a", "decision", "cached"),
        ("url=/items/a", "route", "/items/[slug]"),
        ("url=/items/a", "by", "window"),
        ("url=/word", "by", "origin"),
        ("url=/live", "reason", "dynamic"),
        ("url=/nothing", "reason", "unmatched"),
        ("url=/items/a&method=POST", "reason", "method"),
        ("url=/items/a&header=authorization:+Bearer+x", "reason", "authorization"),
        ("url=/items/a&header=cookie:+__prerender_bypass=1", "reason", "bypass"),
        ("url=/old", "cache_status", "evergate; detail=rule-redirect"),
        ("url=/old", "location", "/live"),
        ("url=/closed", "cache_status", "evergate; detail=rule-respond"),
        ("url=/pretty/a", "target", "/items/a"),
        ("url=/known/2", "cache_status", "evergate; detail=unknown-params"),
        ("url=/known/1&method=PUT", "cache_status", "evergate; detail=method-not-allowed"),
        ("url=/x//y", "location", "/x/y"),
        ("url=/%2563", "target", "/c"),
        ("url=/%25zz", "detail", "the path holds a broken percent-encoding"),
        ("url=http://acme.example/live", "host", "acme.example"),
    ];
    for (query, key, expected) in cases {
        let told = explain(&gateway, query).await;
        assert_eq!(told[key], expected, "{query}: {told}");
    }
    assert_eq!(origin.count("/*"), asked, "nobody is asked");
}

#[tokio::test]
async fn the_key_and_what_is_kept_are_told() {
    let (_origin, gateway) = in_front_of().await;
    let query = "url=/items/a?x=1%26q=2&header=cookie:+id=9;+theme=dark&header=accept-language:+fr";
    let told = explain(&gateway, query).await;
    let key = &told["key"];
    assert_eq!(
        (&key["path"], &key["query"], &key["cookies"]),
        (&"/items/a".into(), &"q=2".into(), &"theme=dark".into())
    );
    assert_eq!((&key["vary"]["accept-language"], &key["upstream"]), (&"fr".into(), &"origin".into()), "{told}");
    assert!(told["stored"].is_null() && !told.to_string().contains("id=9"), "{told}");

    // The page that was rendered ahead is there, and looking at it is no use of it.
    for _ in 0..2 {
        let stored = explain(&gateway, "url=/items/a").await["stored"].clone();
        assert_eq!((&stored["status"], &stored["fresh"], &stored["bytes"]), (&200.into(), &true.into(), &4.into()));
        assert!(stored["ttl"].as_u64().is_some_and(|ttl| ttl > 3000) && stored["tags"].is_array(), "{stored}");
    }
    assert_eq!(get(gateway.address(), "/items/a").await.x_cache(), "PRERENDER");
}

/// What was declined a moment ago passes, and for which reason.
#[tokio::test]
async fn a_declined_answer_is_told() {
    let origin = Origin::start().await;
    origin.on("/mine", |_| Reply::ok("mine").header("set-cookie", "a=b"));
    let gateway = Gateway::simple(&origin, "- { path: /mine, revalidate: 1h }").await;
    assert_eq!(explain(&gateway, "url=/mine").await["decision"], "cached");
    assert_eq!(get(gateway.address(), "/mine").await.x_cache(), "PASS");
    let told = explain(&gateway, "url=/mine").await;
    assert_eq!((&told["decision"], &told["reason"]), (&"pass".into(), &"set-cookie".into()), "{told}");
}

#[tokio::test]
async fn a_question_that_is_none_is_told_what_is_wrong() {
    let (_origin, gateway) = in_front_of().await;
    for (query, problem) in [
        ("", "`url` is missing: /explain?url=/items/a"),
        ("method=GET", "`url` is missing: /explain?url=/items/a"),
        ("url=%20", "`url` is not a path or an absolute URL"),
        ("url=posts", "`url` is not a path or an absolute URL"),
        ("url=javascript:alert(1)", "`url` is not a path or an absolute URL"),
        ("url=ftp://a/b", "`url` is not a path or an absolute URL"),
        ("url=http://u:p@a/b", "`url` is not a path or an absolute URL"),
        ("url=/a%23b", "`url` is not a path or an absolute URL"),
        ("url=/a&method=G%20T", "`method` is not a method"),
        ("url=/a&header=nocolon", "`header` is not a header (name: value)"),
        ("url=/a&header=x:a%0d%0ay", "`header` is not a header (name: value)"),
        ("url=/a&host=b", "`host` is not one of `url`, `method` and `header`"),
    ] {
        let answer = get(gateway.admin(), &format!("/explain?{query}")).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some(problem)), "{query}");
    }
}

#[tokio::test]
async fn the_token_is_asked_for() {
    let origin = Origin::start().await;
    let config = Gateway::simple_config(&origin, "");
    let config =
        config.replace("admin: { address: \"127.0.0.1:0\" }", "admin: { address: \"127.0.0.1:0\", token: secret }");
    let gateway = Gateway::start(&config).await;
    let ask = async |lines: &[(&str, &str)]| -> Response {
        Client::connect(gateway.admin()).await.get_with("/explain?url=/a", lines).await
    };
    let refused: [&[(&str, &str)]; 5] = [
        &[],
        &[("authorization", "Bearer wrong")],
        &[("authorization", "Basic secret")],
        &[("authorization", "secret")],
        &[("authorization", "Bearer")],
    ];
    for lines in refused {
        let answer = ask(lines).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{lines:?}");
        assert!(answer.json()["error"].is_string() && !answer.text().contains("secret"), "{lines:?}");
    }
    for value in ["Bearer secret", "bearer secret"] {
        assert_eq!(ask(&[("authorization", value)]).await.status, 200, "{value}");
    }
}
