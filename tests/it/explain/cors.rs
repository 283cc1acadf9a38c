//! Whose word on pages of other origins counts, for whom the gateway takes a request, and what it says.

use evergate_tests::{Client, Gateway, Origin, Reply};
use serde_json::{Value, json};

use super::explain;

const ROUTES: &str = " [{ path: '/open/[x]', cors: { allow_origins: ['*'], expose_headers: [x-id] } }, { path: '/closed/[x]', cors: {} }]";

const RULES: &str = "
- { cors: { allow_origins: ['https://everywhere.com'] } }
- matcher: '/api/:path*'
  cors: { allow_origins: ['https://acme.com'], allow_methods: [PUT], allow_credentials: true, max_age: 1m, mode: enforce }
- { matcher: /api/moved, redirect: { to: /api/new } }";

async fn crossing() -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page"));
    let gateway = Gateway::start(&format!("{}proxy:{RULES}\n", Gateway::simple_config(&origin, ROUTES))).await;
    (origin, gateway)
}

/// What is told of CORS when a page of this origin asks.
async fn cors(gateway: &Gateway, path: &str, origin: &str) -> Value {
    explain(gateway, &format!("url=http://gate.test{path}&header=origin:+{origin}")).await["cors"].clone()
}

#[tokio::test]
async fn whose_word_counts_is_told() {
    let (_origin, gateway) = crossing().await;
    let cases = [
        ("/x", "proxy[0]", "replace", json!([])),
        (
            "/api/x",
            "proxy[1]",
            "enforce",
            json!(["access-control-allow-origin: https://acme.com", "access-control-allow-credentials: true"]),
        ),
        (
            "/open/x",
            "route",
            "replace",
            json!(["access-control-allow-origin: *", "access-control-expose-headers: x-id"]),
        ),
        ("/closed/x", "route", "replace", json!([])),
    ];
    for (path, from, mode, says) in cases {
        let told = cors(&gateway, path, "https://acme.com").await;
        assert_eq!((&told["from"], &told["mode"], &told["says"]), (&from.into(), &mode.into(), &says), "{path}");
    }
    let explanation = explain(&gateway, "url=/api/x").await;
    assert_eq!((&explanation["rules"][0]["cors"], &explanation["rules"][1]["cors"]), (&true.into(), &true.into()));
    assert_eq!(explanation["response_headers"]["vary"], json!(["origin"]));
    // What cannot be read is answered by what is about everything.
    assert_eq!(explain(&gateway, "url=/%25zz").await["cors"]["from"], "proxy");
    // Where nothing is said, nothing is told.
    let silent = Gateway::simple(&Origin::start().await, "").await;
    assert!(explain(&silent, "url=/a&header=origin:+https://acme.com").await["cors"].is_null());
}

#[tokio::test]
async fn where_a_request_comes_from_is_told() {
    let (_origin, gateway) = crossing().await;
    assert_eq!(explain(&gateway, "url=/api/x").await["cors"]["origin"], "none");
    for (origin, expected) in [
        ("https://acme.com", "allowed"),
        ("http://gate.test", "own"),
        ("https://acme.com.evil.com", "foreign"),
        ("null", "foreign"),
    ] {
        assert_eq!(cors(&gateway, "/api/x", origin).await["origin"], expected, "{origin}");
    }
    let explanation = explain(&gateway, "url=/api/x&header=origin:+https://evil.com").await;
    assert_eq!(
        (&explanation["status"], &explanation["cache_status"]),
        (&403.into(), &"evergate; detail=foreign-origin".into())
    );
}

#[tokio::test]
async fn what_a_preflight_is_answered_is_told() {
    let (origin, gateway) = crossing().await;
    // The rule that leads elsewhere does not answer it.
    for path in ["/api/x", "/api/moved"] {
        let lines = [("origin", "https://acme.com"), ("access-control-request-method", "PUT")];
        let query: String = lines.iter().map(|(name, value)| format!("&header={name}:+{value}")).collect();
        let explanation = explain(&gateway, &format!("url={path}&method=OPTIONS{query}")).await;
        assert_eq!(
            (&explanation["decision"], &explanation["status"]),
            (&"answer".into(), &204.into()),
            "{explanation}"
        );
        assert_eq!(explanation["cache_status"], "evergate; detail=preflight");
        let told = &explanation["cors"];
        assert_eq!((&told["preflight"], &told["origin"]), (&true.into(), &"allowed".into()));
        // As it is told, so it is said.
        let answer = Client::connect(gateway.address()).await.request("OPTIONS", path, &lines, "").await;
        let said: Vec<String> = answer
            .headers
            .iter()
            .filter(|(name, _)| name.starts_with("access-control-"))
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(told["says"], json!(said));
        assert!(said.contains(&"access-control-max-age: 60".to_owned()), "{said:?}");
    }
    assert_eq!(origin.count("/*"), 0);
    // Without a method that is asked about, it is an OPTIONS like any other.
    let told = explain(&gateway, "url=/api/x&method=OPTIONS&header=origin:+https://acme.com").await;
    assert_eq!((&told["cors"]["preflight"], &told["decision"]), (&false.into(), &"pass".into()), "{told}");
}
