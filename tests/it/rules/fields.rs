//! Fields of answers: changed on every answer, whoever gives it, and stored on none.

use evergate_tests::{Client, Gate, Http2Client, Origin, Reply, Response, get};

use super::{Lines, PLACES, echo, start, visit, with_rules};

const RULES: &str = r#"
proxy:
  - response_headers:
      set: { x-frame-options: DENY, x-layer: first, server: evergate }
      append: { link: ["</a>; rel=preload", "</b>; rel=preload"] }
      remove: [x-powered-by]
  - { matcher: "/:kind/:page*", response_headers: { set: { x-layer: "page :page*", "x-:kind": "1" } } }
  - { matcher: /none/refused, respond: { status: 403, body: "no" } }
  - { matcher: /none/moved, redirect: { to: /kept/a } }
  - response_headers: { set: { x-last: "1" } }
"#;

/// What every answer to a page must have, and what none.
fn check(response: &Response, page: &str, what: &str) {
    assert_eq!(response.all("x-frame-options"), ["DENY"], "{what}");
    assert_eq!(response.all("x-layer"), [page], "{what}");
    assert_eq!(response.all("server"), ["evergate"], "{what}");
    assert_eq!(response.all("link"), ["</a>; rel=preload", "</b>; rel=preload"], "{what}");
    assert_eq!(response.all("x-powered-by"), [""; 0], "{what}");
    assert_eq!(response.all("x-last"), ["1"], "{what}");
}

/// Handlers that say the same fields themselves.
async fn talkative() -> Origin {
    let origin = Origin::start().await;
    origin.on("/*", |seen| {
        let reply = echo(seen).header("server", "handler").header("X-Powered-By", "PHP").header("x-layer", "handler");
        if seen.header("if-none-match") == Some("\"v1\"") { reply.status(304) } else { reply }
    });
    origin
}

#[tokio::test]
async fn every_answer_of_a_handler_is_changed() {
    let origin = talkative().await;
    let gateway = with_rules(&origin, RULES).await;
    let http2 = Http2Client::connect(gateway.address()).await;
    for place in PLACES {
        for visit_number in 1..=3 {
            let response = get(gateway.address(), place).await;
            assert_eq!(response.status, 200);
            check(&response, "page a", &format!("visit {visit_number} of {place}"));
            assert_eq!(response.all("content-length").len(), 1, "{place}");
        }
        check(&http2.get(place).await, "page a", &format!("{place} over HTTP/2"));
        check(&visit(&gateway, place, &[("range", "bytes=0-1")]).await, "page a", &format!("a part of {place}"));
        let head = Client::connect(gateway.address()).await.request("HEAD", place, &[], "").await;
        check(&head, "page a", &format!("HEAD of {place}"));
        let confirmed = visit(&gateway, place, &[("if-none-match", "\"v1\"")]).await;
        assert_eq!((confirmed.status, confirmed.body.len()), (304, 0), "{place}");
        check(&confirmed, "page a", &format!("304 of {place}"));
        let posted = Client::connect(gateway.address()).await.request("POST", place, &[], "body").await;
        check(&posted, "page a", &format!("POST to {place}"));
    }
    let kept = visit(&gateway, "/kept/a", &[]).await;
    assert_eq!((kept.x_cache(), kept.all("x-kept")), ("HIT", vec!["1"]));
}

#[tokio::test]
async fn the_gateways_own_answers_are_changed_too() {
    let (origin, gateway) = start(RULES).await;
    for (target, lines, status) in [
        ("/none/refused", &[][..], 403),
        ("/none/moved", &[], 307),
        ("/none//double", &[], 308),
        ("/theirs/a", &[("cache-control", "only-if-cached")], 504),
    ] {
        let response = visit(&gateway, target, lines).await;
        assert_eq!(response.status, status, "{target}");
        assert_eq!(response.all("x-frame-options"), ["DENY"], "{target}");
        assert_eq!(response.all("x-last"), ["1"], "{target}");
    }
    origin.kill();
    for place in PLACES {
        let response = get(gateway.address(), place).await;
        assert_eq!(response.status, 502, "{place}");
        check(&response, "page a", &format!("502 of {place}"));
        let response = Http2Client::connect(gateway.address()).await.get(place).await;
        check(&response, "page a", &format!("502 of {place} over HTTP/2"));
    }
    // Where not even a target could be read, the rules for everything count.
    for raw in [
        "GET /%zz HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\nhost: a\n\n",
        "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n",
    ] {
        let mut client = Client::connect(gateway.address()).await;
        client.send_raw(raw).await;
        let response = client.read_response("GET").await;
        assert!((400..=405).contains(&response.status), "{raw:?}");
        check(&response, "first", raw);
    }
}

#[tokio::test]
async fn what_is_streamed_has_them_before_its_end() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let opened = gate.clone();
    origin.on("/*", move |_| Reply::ok("").chunks(["one", "two"]).gate_after(1, &opened));
    let gateway = with_rules(&origin, RULES).await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET", "/kept/a", &[], "").await;
    let head = client.read_head().await;
    check(&head, "page a", "a head whose body is not there yet");
    gate.open();
}

#[tokio::test]
async fn nothing_of_it_is_stored() {
    let rules = r#"
proxy:
  - { matcher: { source: "/kept/:page", has: [{ type: header, key: x-who, value: "(?<who>.*)" }] }, response_headers: { set: { x-who: ":who", set-cookie: "who=:who" } } }
"#;
    let (origin, gateway) = start(rules).await;
    for (who, x_cache) in [("ann", "MISS"), ("bob", "HIT")] {
        let response = visit(&gateway, "/kept/a", &[("x-who", who)]).await;
        assert_eq!((response.x_cache(), response.header("x-who")), (x_cache, Some(who)));
        assert_eq!(response.all("set-cookie"), [format!("who={who}")]);
    }
    let response = visit(&gateway, "/kept/a", &[]).await;
    assert_eq!((response.x_cache(), response.header("x-who"), response.header("set-cookie")), ("HIT", None, None));
    assert_eq!(origin.count("/kept/a"), 1);
}

#[tokio::test]
async fn rules_beat_handler_and_gateway_and_some_fields_stand_beside() {
    let rules = r#"
proxy:
  - response_headers:
      set: { cache-control: "public, max-age=7", content-type: text/weird, vary: x-rule, set-cookie: rule=1, www-authenticate: Basic }
      remove: [x-cache, cache-status]
  - { matcher: "/:k/b", response_headers: { remove: [content-type], append: { cache-control: no-transform } } }
"#;
    let origin = Origin::start().await;
    origin.on("/*", |seen| {
        let live = seen.path().starts_with("/live");
        let reply =
            Reply::ok("x").header("content-type", "text/plain").header("etag", "\"v1\"").header("vary", "x-handler");
        if live { reply.header("set-cookie", "handler=1") } else { reply }
    });
    let gateway = with_rules(&origin, rules).await;
    let expected: [(&str, Lines<'_>); 4] = [
        (
            "/kept/a",
            &[("cache-control", "public, max-age=7"), ("content-type", "text/weird"), ("set-cookie", "rule=1")],
        ),
        ("/kept/b", &[("cache-control", "public, max-age=7, no-transform"), ("content-type", "")]),
        (
            "/live/a",
            &[
                ("cache-control", "public, max-age=7"),
                ("set-cookie", "handler=1, rule=1"),
                ("vary", "x-handler, x-rule"),
            ],
        ),
        ("/live/b", &[("cache-control", "public, max-age=7, no-transform"), ("www-authenticate", "Basic")]),
    ];
    for (place, fields) in expected {
        for _ in 0..2 {
            let response = get(gateway.address(), place).await;
            for (name, value) in fields {
                assert_eq!(response.all(name).join(", "), *value, "{name} of {place}");
            }
            assert_eq!((response.header("x-cache"), response.header("cache-status")), (None, None), "{place}");
            assert_eq!(response.header("cdn-cache-control"), None, "{place}");
            assert!(response.all("vary").join(", ").ends_with("x-rule"), "{place}");
        }
    }
    // A confirmation describes no body.
    let confirmed = visit(&gateway, "/kept/a", &[("if-none-match", "\"v1\"")]).await;
    assert_eq!((confirmed.status, confirmed.header("content-type")), (304, None));
    assert_eq!(confirmed.header("cache-control"), Some("public, max-age=7"));
    let passed = visit(&gateway, "/live/a", &[("if-none-match", "\"v1\"")]).await;
    assert_eq!((passed.status, passed.header("content-type")), (200, Some("text/weird")));
}
