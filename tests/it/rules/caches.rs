//! What caches in front are told of rules: on what an answer depends, and what must not be kept.

use evergate_tests::{Client, Http2Client, Origin, Response};

use super::{Lines, echo, start, visit, with_rules};

/// Everything that `Vary` says.
fn vary(response: &Response) -> String {
    response.all("vary").join(", ")
}

#[tokio::test]
async fn what_conditions_read_is_told_to_everybody() {
    let rules = r#"
proxy:
  - matcher: { source: "/kept/:page(a|moved)", has: [{ type: cookie, key: ab, value: b }], missing: [{ type: header, key: X-Bot }] }
    rewrite: { to: "/kept/b-:page" }
  - { matcher: { source: "/:kind/a", has: [{ type: cookie, key: user }] }, response_headers: { set: { x-user: ":user" } } }
  - { matcher: { source: "/kept/moved", missing: [{ type: header, key: x-session }] }, redirect: { to: /login } }
  - matcher: { source: "/kept/refused", has: [{ type: header, key: x-session }] }
    respond: { headers: { cache-control: "max-age=60" }, body: "hello" }
  - { matcher: { source: "/kept/host", has: [{ type: host, value: "books\\.acme\\.com" }, { type: cookie, key: a }] }, rewrite: { to: /kept/x } }
  - { matcher: { source: "/kept/query", has: [{ type: query, key: a }], missing: [{ type: host, value: x }] }, rewrite: { to: /kept/x } }
"#;
    let (_origin, gateway) = start(rules).await;
    let (ann, bob): (Lines<'_>, Lines<'_>) = (&[("cookie", "ab=b; user=ann")], &[("x-bot", "1")]);
    for (lines, x_cache, body) in [
        (bob, "MISS", "GET /kept/a "),
        (ann, "MISS", "GET /kept/b-a "),
        (bob, "HIT", "GET /kept/a "),
        (ann, "HIT", "GET /kept/b-a "),
    ] {
        let response = visit(&gateway, "/kept/a", lines).await;
        assert_eq!((response.x_cache(), response.text()), (x_cache, body), "{lines:?}");
        assert_eq!(vary(&response), "x-tenant, cookie, x-bot", "{x_cache} {lines:?}");
        let confirmed = visit(&gateway, "/kept/a", &[lines, &[("if-none-match", "\"v1\"")]].concat()).await;
        assert_eq!((confirmed.status, vary(&confirmed).as_str()), (304, "x-tenant, cookie, x-bot"), "{lines:?}");
        let response = Http2Client::connect(gateway.address()).await.request("GET", "/kept/a", lines, "").await;
        assert_eq!((response.text(), vary(&response).as_str()), (body, "x-tenant, cookie, x-bot"), "over HTTP/2");
    }
    for (target, lines, status, expected) in [
        ("/theirs/a", ann, 200, "cookie"),
        ("/live/a", ann, 200, "cookie"),
        ("/none/a", bob, 200, "cookie"),
        ("/kept/moved", bob, 307, "cookie, x-bot, x-session"),
        ("/kept/moved", &[("x-session", "1")], 200, "x-tenant, cookie, x-bot, x-session"),
        ("/kept/refused", &[("x-session", "1")], 200, "x-session"),
        ("/kept/refused", &[], 200, "x-tenant, x-session"),
        // What the URL decides needs no telling, nor what it rules out.
        ("/kept/host", &[("host", "toys.acme.com")], 200, "x-tenant"),
        ("/kept/host", &[("host", "books.acme.com")], 200, "x-tenant, cookie"),
        ("/kept/query?a=1", &[], 200, "x-tenant"),
        ("/kept/other", ann, 200, "x-tenant"),
    ] {
        let response = visit(&gateway, target, lines).await;
        assert_eq!((response.status, vary(&response).as_str()), (status, expected), "{target} {lines:?}");
    }
    let posted = Client::connect(gateway.address()).await.request("POST", "/live/a", bob, "body").await;
    assert_eq!(vary(&posted), "cookie");
}

#[tokio::test]
async fn what_is_told_already_is_told_once() {
    let rules = r#"
proxy:
  - { matcher: { has: [{ type: cookie, key: tier, value: "(?<tier>.*)" }] }, request_headers: { set: { x-tenant: ":tier" } } }
  - { matcher: { missing: [{ type: header, key: x-tenant }] }, response_headers: { set: { x-anonymous: "1" } } }
  - { matcher: "/:kind/everything", response_headers: { append: { vary: "*" } } }
  - { matcher: "/:kind/silent", response_headers: { remove: [vary] } }
"#;
    let origin = Origin::start().await;
    origin.on("/*", |seen| echo(seen).header("Vary", "Accept, COOKIE"));
    let gateway = with_rules(&origin, rules).await;
    for _ in 0..2 {
        for (target, expected) in [
            ("/kept/a", "Accept, COOKIE, x-tenant"),
            ("/live/a", "Accept, COOKIE, x-tenant"),
            ("/live/everything", "Accept, COOKIE, *"),
            // Not the handler's word is told then, but what the rules themselves depend on.
            ("/live/silent", "cookie, x-tenant"),
        ] {
            let response = visit(&gateway, target, &[("cookie", "tier=gold")]).await;
            assert_eq!(vary(&response), expected, "{target}");
        }
    }
}
