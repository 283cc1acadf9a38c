//! Rewrites to another upstream: it answers instead of the route's, and what it answers is kept under its own name.

use evergate_tests::{Client, Gateway, Http2Client, Origin, Reply, Response, get, until};

use super::visit;

const ROUTES: &str = " [{ path: '/kept/[page]', revalidate: 1h }, { path: '/brief/[page]', revalidate: 1 },\n\
    { path: '/theirs/[page]', revalidate: origin }, { path: '/live/[page]' }]";

const RULES: &str = r#"
proxy:
  - { matcher: "/legacy/:path*", rewrite: { to: "/:path*", upstream: legacy } }
  - { matcher: { source: "/:kind/:page", has: [{ type: header, key: x-old }] }, rewrite: { upstream: legacy } }
  - { matcher: /twice, rewrite: { to: /kept/twice, upstream: legacy } }
  - { matcher: /kept/twice, rewrite: { to: /kept/again } }
"#;

/// Two services that say who they are, behind one gateway with further settings.
async fn start(more: &str) -> (Origin, Origin, Gateway) {
    let named = |name: &'static str| async move {
        let origin = Origin::start().await;
        origin.on("/*", move |seen| {
            Reply::ok(format!("{name} {} {}", seen.method, seen.target)).header("cache-control", "max-age=60")
        });
        origin
    };
    let (own, legacy) = (named("own").await, named("legacy").await);
    let config = Gateway::simple_config(&own, ROUTES).replace("127.0.0.1:0\" }]", "127.0.0.1:0\", h2c: true }]");
    let upstreams = format!("upstreams: {{ legacy: {{ servers: [\"{}\"] }}, origin:", legacy.address());
    let config = config.replace("upstreams: { origin:", &upstreams);
    let gateway = Gateway::start(&format!("{config}{RULES}defaults: {{ upstream: origin }}\n{more}\n")).await;
    (own, legacy, gateway)
}

fn told(response: &Response) -> (u16, &str, &str) {
    (response.status, response.x_cache(), response.text())
}

#[tokio::test]
async fn the_upstream_is_in_the_key() {
    let (own, legacy, gateway) = start("").await;
    for (target, x_cache, body) in [
        ("/kept/a", "MISS", "own GET /kept/a"),
        ("/legacy/kept/a", "MISS", "legacy GET /kept/a"),
        ("/kept/a", "HIT", "own GET /kept/a"),
        ("/legacy/kept/a", "HIT", "legacy GET /kept/a"),
        ("/legacy/theirs/a", "MISS", "legacy GET /theirs/a"),
        ("/theirs/a", "MISS", "own GET /theirs/a"),
        ("/legacy/theirs/a", "HIT", "legacy GET /theirs/a"),
        ("/legacy/live/a?q", "PASS", "legacy GET /live/a?q"),
        ("/legacy/no/route", "PASS", "legacy GET /no/route"),
        ("/no/route", "PASS", "own GET /no/route"),
    ] {
        assert_eq!(told(&get(gateway.address(), target).await), (200, x_cache, body), "{target}");
    }
    assert_eq!((own.count("/kept/a"), legacy.count("/kept/a")), (1, 1));
    let http2 = Http2Client::connect(gateway.address()).await;
    assert_eq!(told(&http2.get("/legacy/kept/a").await), (200, "HIT", "legacy GET /kept/a"));
}

#[tokio::test]
async fn the_same_page_may_be_asked_for_elsewhere() {
    let (_own, _legacy, gateway) = start("").await;
    for _ in 0..2 {
        let (old, new) = (visit(&gateway, "/kept/a", &[("x-old", "1")]).await, get(gateway.address(), "/kept/a").await);
        assert_eq!((old.text(), new.text()), ("legacy GET /kept/a", "own GET /kept/a"));
        for response in [&old, &new] {
            assert!(response.all("vary").join(", ").contains("x-old"), "caches in front are told: {response:?}");
        }
    }
    let posted = Client::connect(gateway.address()).await.request("POST", "/live/a", &[("x-old", "1")], "b").await;
    assert_eq!(told(&posted), (200, "PASS", "legacy POST /live/a"));
}

#[tokio::test]
async fn what_an_earlier_rewrite_says_of_the_upstream_stays() {
    let (_own, _legacy, gateway) = start("").await;
    assert_eq!(told(&get(gateway.address(), "/twice").await), (200, "MISS", "legacy GET /kept/again"));
}

#[tokio::test]
async fn it_is_refreshed_where_it_came_from() {
    let (own, legacy, gateway) = start("").await;
    get(gateway.address(), "/legacy/brief/a").await;
    until("it was refreshed", async || {
        let response = get(gateway.address(), "/legacy/brief/a").await;
        assert_eq!(response.text(), "legacy GET /brief/a");
        legacy.count("/brief/a") == 2
    })
    .await;
    assert_eq!(own.count("/*"), 0);
}

#[tokio::test]
async fn one_upstream_that_is_gone_is_not_the_others_trouble() {
    let (_own, legacy, gateway) = start("").await;
    get(gateway.address(), "/kept/a").await;
    legacy.kill();
    for (target, status) in [("/legacy/kept/a", 502), ("/legacy/live/a", 502), ("/kept/a", 200), ("/live/a", 200)] {
        assert_eq!(get(gateway.address(), target).await.status, status, "{target}");
    }
}

#[tokio::test]
async fn a_successful_change_makes_invalid_what_is_kept_of_the_upstream_that_it_went_to() {
    let (own, legacy, gateway) = start("").await;
    for target in ["/theirs/a", "/legacy/theirs/a"] {
        get(gateway.address(), target).await;
    }
    let client = async |target: &str| Client::connect(gateway.address()).await.request("PUT", target, &[], "b").await;
    assert_eq!(client("/theirs/a").await.text(), "own PUT /theirs/a");
    assert_eq!(get(gateway.address(), "/legacy/theirs/a").await.x_cache(), "HIT", "it is another's");
    assert_eq!(get(gateway.address(), "/theirs/a").await.x_cache(), "MISS");
    assert_eq!(client("/legacy/theirs/a").await.text(), "legacy PUT /theirs/a");
    assert_eq!(get(gateway.address(), "/legacy/theirs/a").await.x_cache(), "MISS");
    assert_eq!((own.count("/theirs/a"), legacy.count("/theirs/a")), (3, 3));
}

#[tokio::test]
async fn a_path_that_no_route_matches_goes_to_the_upstream_that_a_rule_names() {
    let (_own, _legacy, gateway) = start("unmatched: 404").await;
    assert_eq!(told(&get(gateway.address(), "/legacy/no/route").await), (200, "PASS", "legacy GET /no/route"));
    assert_eq!(get(gateway.address(), "/no/route").await.status, 404);
}

#[tokio::test]
async fn the_upstream_is_told_on_the_admin_listener() {
    let (_own, _legacy, gateway) = start("").await;
    let told = get(gateway.admin(), "/explain?url=/legacy/kept/a").await.json();
    assert_eq!((&told["key"]["upstream"], &told["upstream"]["name"]), (&"legacy".into(), &"legacy".into()), "{told}");
}
