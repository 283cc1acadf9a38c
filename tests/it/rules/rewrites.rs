//! Rewrites: the visitor asks under one target, the handler answers under another, which chooses the route and the key.

use evergate_tests::{Client, Gateway, Http2Client, Origin};

use super::{ROUTES, echo, start, visit, with_rules};

const RULES: &str = r#"
proxy:
  - { matcher: "/news/:page", rewrite: { to: "/kept/:page" } }
  - { matcher: "/fresh/:page*", rewrite: { to: "/live/:page*?from=rule" } }
  - { matcher: "/bare/:slug", rewrite: { to: "/live/bare" } }
  - { matcher: "/((?!kept|live|none|theirs|brief|news|fresh|bare|a$|b$).*)", rewrite: { to: "/live/app/:0" } }
  - { matcher: /a, rewrite: { to: /b } }
  - { matcher: /b, rewrite: { to: /live/b } }
  - { matcher: /live/b, respond: { status: 418 } }
  - { matcher: /b, response_headers: { set: { x-visitor: asked-b } } }
  - { matcher: /a, response_headers: { set: { x-visitor: asked-a } } }
"#;

#[tokio::test]
async fn the_new_target_chooses_the_route_and_the_key() {
    let (origin, gateway) = start(RULES).await;
    for (target, x_cache, body) in [
        ("/news/a", "MISS", "GET /kept/a "),
        ("/kept/a", "HIT", "GET /kept/a "),
        ("/news/a?x=1", "MISS", "GET /kept/a?x=1 "),
        ("/news/b", "MISS", "GET /kept/b "),
        ("/news/b", "HIT", "GET /kept/b "),
        ("/fresh/a/b?q=1", "PASS", "GET /live/a/b?q=1&from=rule "),
        ("/bare/x%26y", "PASS", "GET /live/bare?slug=x%26y "),
        ("/what/ever?q", "PASS", "GET /live/app/what/ever?q "),
        ("/what/ever/", "PASS", "GET /live/app/what/ever/ "),
        ("/", "PASS", "GET /live/app/ "),
    ] {
        let response = visit(&gateway, target, &[]).await;
        assert_eq!((response.status, response.x_cache(), response.text()), (200, x_cache, body), "{target}");
    }
    let seen = origin.seen("/live/a/b");
    assert_eq!(seen[0].header("x-matched-path"), Some("/live/[...page]"));
    assert_eq!(seen[0].header("x-route-params"), Some(r#"{"page":["a","b"]}"#));
}

#[tokio::test]
async fn bodies_and_http2_go_to_the_new_target() {
    let (origin, gateway) = start(RULES).await;
    let response = Client::connect(gateway.address()).await.request("POST", "/fresh/a", &[], "a body").await;
    assert_eq!(response.text(), "POST /live/a?from=rule ");
    assert_eq!(origin.seen("/live/a")[0].body, b"a body");
    let http2 = Http2Client::connect(gateway.address()).await;
    assert_eq!(http2.get("/fresh/b").await.text(), "GET /live/b?from=rule ");
    assert_eq!(http2.get("/news/c").await.text(), "GET /kept/c ");
    assert_eq!(http2.get("/kept/c").await.x_cache(), "HIT");
}

#[tokio::test]
async fn only_rewrites_see_what_rewrites_made() {
    let (origin, gateway) = start(RULES).await;
    let response = visit(&gateway, "/a", &[]).await;
    assert_eq!((response.status, response.text()), (200, "GET /live/b "));
    assert_eq!(response.all("x-visitor"), ["asked-a"]);
    assert_eq!(visit(&gateway, "/live/b", &[]).await.status, 418);
    assert_eq!(origin.count("/*"), 1);
}

#[tokio::test]
async fn chains_end_after_eight() {
    let chain: String = (0..9).map(|n| format!("\n  - {{ matcher: /{n}, rewrite: {{ to: /{} }} }}", n + 1)).collect();
    let (origin, gateway) = start(&format!("proxy:{chain}")).await;
    assert_eq!(visit(&gateway, "/1", &[]).await.text(), "GET /9 ");
    let response = visit(&gateway, "/0", &[]).await;
    assert_eq!((response.status, response.cache_status()), (508, "evergate; detail=rule-failed"));
    assert_eq!(origin.count("/*"), 1);
}

#[tokio::test]
async fn a_visitor_is_not_told_the_new_target_by_a_slash() {
    let origin = Origin::start().await;
    origin.on("/*", echo);
    let config = Gateway::simple_config(&origin, ROUTES) + RULES + "trailing_slash: redirect\n";
    let gateway = Gateway::start(&config).await;
    assert_eq!(visit(&gateway, "/", &[]).await.text(), "GET /live/app ");
    let response = visit(&gateway, "/what/ever/?q", &[]).await;
    assert_eq!((response.status, response.header("location")), (308, Some("/what/ever?q")));
}

#[tokio::test]
async fn visitors_do_not_choose_the_directory() {
    let rules = r#"
proxy:
  - matcher: { source: "/go", has: [{ type: query, key: to }] }
    rewrite: { to: "/live/app/:to" }
"#;
    let origin = Origin::start().await;
    origin.on("/*", echo);
    let gateway = with_rules(&origin, rules).await;
    for (target, status, asked) in [
        ("/go?to=a", 200, Some("/live/app/a?to=a")),
        ("/go?to=a/b", 200, Some("/live/app/a%2Fb?to=a/b")),
        ("/go?to=../../kept/a", 200, Some("/live/app/..%2F..%2Fkept%2Fa?to=../../kept/a")),
        ("/go?to=..", 400, None),
        ("/go?to=a%00b", 400, None),
        ("/go?to=%5C..", 400, None),
    ] {
        let response = visit(&gateway, target, &[]).await;
        assert_eq!(response.status, status, "{target}");
        if let Some(asked) = asked {
            assert_eq!(response.text(), format!("GET {asked} "), "{target}");
        }
    }
    assert_eq!(origin.count("/*"), 3);
}

#[tokio::test]
async fn encoded_slashes_lead_where_the_rule_says() {
    let rules = r#"
proxy:
  - { matcher: "/news/:page*", rewrite: { to: "/live/:page*" } }
  - { matcher: "/((?!kept|live).*)", rewrite: { to: "/live/app/:0" } }
"#;
    let (origin, gateway) = start(rules).await;
    for (target, asked) in [
        ("/news%2Fa%2Fb", "/live/a/b"),
        ("/news%2F%2Fa", "/live/a"),
        ("/%2Fnews/a", "/live/a"),
        ("/x%2F..%2Fnews%2Fa%252Fb", "/live/a%252Fb"),
        ("/news%2Fa%2F..%2Fb", "/live/b"),
        ("/kept/..%2Fa%2F", "/live/app/a/"),
        ("/kept%2F..", "/live/app/"),
        ("/kept%2F..%2Fa%2F%2Fb%25", "/live/app/a/b%25"),
        // As it is spelled it is below the rule's own place already.
        ("/a%2F..%2F..%2Fkept", "/live/app/a%2F..%2F..%2Fkept"),
    ] {
        let response = visit(&gateway, target, &[]).await;
        assert_eq!((response.status, response.text()), (200, format!("GET {asked} ").as_str()), "{target}");
    }
    assert_eq!(origin.count("/*"), 9);
}
