//! What caches in front are told of rules: on what an answer depends, and what must not be kept.

use evergate_tests::{Client, Gateway, Http2Client, Origin, Reply, Response};

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

/// An origin that says nothing of caches, but under `/:kind/cdn`, behind a gateway with these rules.
async fn silent(rules: &str) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |seen| {
        let reply = Reply::ok("x").header("etag", "\"v1\"");
        if seen.path().ends_with("/cdn") { reply.header("cdn-cache-control", "max-age=9") } else { reply }
    });
    let gateway = with_rules(&origin, rules).await;
    (origin, gateway)
}

/// Checks the fields of a MISS, of a HIT and of a 304.
async fn check(gateway: &Gateway, target: &str, cache_control: &str, cdn_cache_control: &str) {
    for (lines, status) in [(&[][..], 200), (&[], 200), (&[("if-none-match", "\"v1\"")], 304)] {
        let response = visit(gateway, target, lines).await;
        assert_eq!(response.status, status, "{target}");
        let what = format!("{target} {} {status}", response.x_cache());
        assert_eq!(response.all("cache-control").join(", "), cache_control, "{what}");
        assert_eq!(response.all("cdn-cache-control").join(", "), cdn_cache_control, "{what}");
    }
}

const BROWSERS: &str = "public, max-age=0, must-revalidate";
const CDNS: &str = "public, max-age=3600, stale-while-revalidate=3600";
const NO_STORE: &str = "private, no-cache, no-store, max-age=0, must-revalidate";

#[tokio::test]
async fn what_a_rule_says_of_keeping_is_not_contradicted() {
    let rules = r#"
proxy:
  - { matcher: ["/kept/private", "/kept/cdn", "/kept/both", "/kept/more"], response_headers: { set: { cache-control: "private, max-age=5" } } }
  - { matcher: "/kept/both", response_headers: { set: { cdn-cache-control: max-age=7 } } }
  - { matcher: "/kept/more", response_headers: { append: { cdn-cache-control: max-age=7 } } }
  - { matcher: "/kept/appended", response_headers: { append: { cache-control: private } } }
  - { matcher: "/kept/nothing", response_headers: { remove: [cache-control] } }
  - { matcher: "/kept/cdns", response_headers: { set: { cdn-cache-control: max-age=7 } } }
"#;
    let (_origin, gateway) = silent(rules).await;
    for (target, cache_control, cdn_cache_control) in [
        ("/kept/a", BROWSERS, CDNS),
        ("/kept/private", "private, max-age=5", ""),
        // The handler's own word stays.
        ("/kept/cdn", "private, max-age=5", "max-age=9"),
        ("/kept/both", "private, max-age=5", "max-age=7"),
        ("/kept/more", "private, max-age=5", "max-age=7"),
        ("/kept/appended", &format!("{BROWSERS}, private"), ""),
        ("/kept/nothing", "", ""),
        ("/kept/cdns", BROWSERS, "max-age=7"),
    ] {
        check(&gateway, target, cache_control, cdn_cache_control).await;
    }
}

#[tokio::test]
async fn an_answer_with_a_cookie_of_a_rule_is_for_one_visitor() {
    let rules = r#"
proxy:
  - { matcher: "/:kind/:page(a|cdn|said|moved|refused|appended)", response_headers: { set: { set-cookie: "seen=1" } } }
  - { matcher: "/:kind/said", response_headers: { set: { cache-control: "public, max-age=5" } } }
  - { matcher: "/:kind/appended", response_headers: { append: { cache-control: "no-transform" } } }
  - { matcher: "/:kind/moved", redirect: { to: /new } }
  - { matcher: "/:kind/refused", respond: { headers: { cache-control: "max-age=6" } } }
"#;
    let (_origin, gateway) = silent(rules).await;
    check(&gateway, "/kept/a", NO_STORE, "").await;
    check(&gateway, "/kept/cdn", NO_STORE, "").await;
    check(&gateway, "/kept/said", "public, max-age=5", "").await;
    check(&gateway, "/kept/appended", NO_STORE, "").await;
    check(&gateway, "/kept/other", BROWSERS, CDNS).await;
    for place in ["/theirs", "/live", "/none"] {
        for (page, cache_control) in [
            ("a", NO_STORE),
            ("cdn", NO_STORE),
            ("said", "public, max-age=5"),
            ("moved", NO_STORE),
            ("refused", "max-age=6"),
        ] {
            let response = visit(&gateway, &format!("{place}/{page}"), &[]).await;
            assert_eq!(response.all("cache-control"), [cache_control], "{place}/{page}");
            assert_eq!(response.all("cdn-cache-control"), [""; 0], "{place}/{page}");
            assert_eq!(response.all("set-cookie"), ["seen=1"], "{place}/{page}");
        }
    }
}
