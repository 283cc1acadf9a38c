//! Redirects and answers: the request ends there, whatever its spelling, method and protocol.

use evergate_tests::{Client, Gateway, Http2Client, Origin};

use super::{echo, start, visit, with_rules};

const RULES: &str = r#"
proxy:
  - matcher: /internal/:path*
    respond: { status: 403, headers: { x-path: ":path*", content-type: text/html }, body: "<p>no" }
  - { matcher: /empty, respond: { status: 204 } }
  - { matcher: "/old/:path*", redirect: { to: "/new/:path*", status: 308 } }
  - { matcher: /plain, redirect: { to: /new } }
  - { matcher: "/CaSe/:p", case_sensitive: false, redirect: { to: "/new/:p", status: 301 } }
  - matcher: { source: "/shop/:p*", has: [{ type: host, value: "(?<shop>[a-z]+)\\.acme\\.com" }], missing: [{ type: cookie, key: stay }] }
    redirect: { to: "https://acme.com/:shop/:p*?from=:shop" }
  - { matcher: "/live/ruled", redirect: { to: /second } }
  - { matcher: ["/live/ruled", "/live/:p*"], redirect: { to: /third }, case_sensitive: true }
"#;

#[tokio::test]
async fn redirects_keep_the_query_and_ask_no_handler() {
    let (origin, gateway) = start(RULES).await;
    let cases = [
        ("/old", 308, "/new"),
        ("/old/a/b?x=1&y=%26", 308, "/new/a/b?x=1&y=%26"),
        ("/old/a%2Fb/%c3%a9", 308, "/new/a%2Fb/%C3%A9"),
        ("/plain?q", 307, "/new?q"),
        ("/case/x", 301, "/new/x"),
        ("/CASE/x", 301, "/new/x"),
        ("/live/ruled", 307, "/second"),
        ("/live/x", 307, "/third"),
    ];
    for (target, status, location) in cases {
        let response = visit(&gateway, target, &[]).await;
        assert_eq!((response.status, response.header("location")), (status, Some(location)), "{target}");
        assert_eq!(response.cache_status(), "evergate; detail=rule-redirect", "{target}");
        assert!(response.header("cache-control").is_some_and(|value| value.contains("no-store")), "{target}");
    }
    for method in ["HEAD", "DELETE", "QUERY"] {
        let response = Client::connect(gateway.address()).await.request(method, "/old/a", &[], "").await;
        assert_eq!((response.status, response.header("location")), (308, Some("/new/a")), "{method}");
    }
    let response = Client::connect(gateway.address()).await.request("POST", "/old/a", &[], "a body").await;
    assert_eq!((response.status, response.header("location")), (308, Some("/new/a")));
    let response = Http2Client::connect(gateway.address()).await.get("/old/a").await;
    assert_eq!((response.status, response.header("location")), (308, Some("/new/a")));
    assert_eq!(origin.count("/*"), 0);
}

#[tokio::test]
async fn conditions_decide_and_capture() {
    let (origin, gateway) = start(RULES).await;
    let shop = [("host", "Books.acme.com:8080")];
    let response = visit(&gateway, "/shop/a?x=1", &shop).await;
    assert_eq!((response.status, response.header("location")), (307, Some("https://acme.com/books/a?x=1&from=books")));
    for lines in [&[("host", "acme.com")][..], &[shop[0], ("cookie", "a=b; stay=1")]] {
        assert_eq!(visit(&gateway, "/shop/a", lines).await.status, 200, "{lines:?}");
    }
    assert_eq!(origin.count("/shop/a"), 2);
}

#[tokio::test]
async fn answers_are_the_operators_and_no_spelling_slips_past() {
    let (origin, gateway) = start(RULES).await;
    for (target, path) in [
        ("/internal", ""),
        ("/internal/", ""),
        ("/internal/x", "x"),
        ("/internal/x/", "x"),
        ("/%69nternal/x", "x"),
        ("/%69%6e%74ernal", ""),
        ("/x/../internal/x", "x"),
        ("/./internal/x", "x"),
        ("/x/%2e%2E/internal/x", "x"),
        ("/internal%2Fx", "x"),
        ("/internal/%0a", "%0A"),
        ("/internal/%ff", "%FF"),
        ("/internal/x?a=/../../y", "x"),
    ] {
        let response = visit(&gateway, target, &[]).await;
        assert_eq!((response.status, response.text()), (403, "<p>no"), "{target}");
        assert_eq!(response.header("x-path"), Some(path), "{target}");
        assert_eq!(response.all("content-type"), ["text/html"], "{target}");
        assert_eq!(response.cache_status(), "evergate; detail=rule-respond", "{target}");
        let response = Http2Client::connect(gateway.address()).await.get(target).await;
        assert_eq!((response.status, response.text()), (403, "<p>no"), "{target} over HTTP/2");
    }
    // A page has one name, under which it is asked for first.
    for (target, location) in
        [("//internal", "/internal"), ("/internal//x", "/internal/x"), ("/x/..//internal", "/internal")]
    {
        let response = visit(&gateway, target, &[]).await;
        assert_eq!((response.status, response.header("location")), (308, Some(location)), "{target}");
    }
    for (method, target, body) in
        [("POST", "/internal", "a body"), ("DELETE", "/internal/x", ""), ("OPTIONS", "/internal", "")]
    {
        let response = Client::connect(gateway.address()).await.request(method, target, &[], body).await;
        assert_eq!(response.status, 403, "{method} {target}");
    }
    let head = Client::connect(gateway.address()).await.request("HEAD", "/internal", &[], "").await;
    assert_eq!((head.status, head.header("content-length")), (403, Some("5")));
    let empty = visit(&gateway, "/empty", &[]).await;
    assert_eq!((empty.status, empty.header("content-length"), empty.header("content-type")), (204, None, None));
    assert_eq!(origin.count("/*"), 0);
    // What only looks like it is not it.
    for target in ["/internals", "/a/internal"] {
        assert_eq!(visit(&gateway, target, &[]).await.status, 200, "{target}");
    }
}

/// Spellings of `/internal` and of what is below it, for handlers that take an encoded slash for a slash: whatever else those do
/// with repeated slashes and dot segments, in whichever order. Some begin as though they were below `/api`.
const HIDDEN: &[&str] = &[
    "/internal%2F",
    "/internal%2f%2F",
    "/internal%2Fx",
    "/internal%2F%2Fx",
    "/internal/%2Fx",
    "/internal%2F.",
    "/internal%2F.%2Fx/",
    "/internal%2F%2F..%2F..%2Fx",
    "/%2Finternal/x",
    "/%2finternal%2fx",
    "/%2F/internal/x",
    "/%2F%2F%2Finternal",
    "/x%2F..%2Finternal%2Fx",
    "/x/..%2Finternal/x",
    "/x%2F..%2Finternal",
    "/x%2F%2F..%2Finternal",
    "/x%2F%2F..%2F..%2Finternal",
    "/x/y%2F..%2F%2e%2E%2Finternal%2F",
    "/.%2Finternal/x",
    "/%2E%2f%69nternal/x",
    "/..%2Finternal/x",
    "/..%2F..%2Finternal/x",
    "/api/..%2Finternal",
    "/api%2F..%2Finternal",
    "/api/.%2e%2Finternal/x",
    "/api%2F%2F..%2Finternal",
    "/_next/static%2F..%2F..%2Finternal?a=%2F",
];

#[tokio::test]
async fn no_encoded_slash_slips_past() {
    for (rule, status) in [
        ("{ matcher: '/internal/:path*', respond: { status: 403 } }", 403),
        ("{ matcher: '/((?!api|_next/static).*)', respond: { status: 401 } }", 401),
    ] {
        let (origin, gateway) = start(&format!("proxy: [{rule}]\n")).await;
        let http2 = Http2Client::connect(gateway.address()).await;
        for target in HIDDEN {
            assert_eq!(visit(&gateway, target, &[]).await.status, status, "{target}");
            assert_eq!(http2.get(target).await.status, status, "{target} over HTTP/2");
            let posted = Client::connect(gateway.address()).await.request("POST", target, &[], "").await;
            assert_eq!(posted.status, status, "POST {target}");
        }
        // A backslash is refused before any rule is asked.
        for target in ["/x%5C..%5Cinternal", "/internal%5cx", "/api%2F..%5Cinternal"] {
            assert_eq!(visit(&gateway, target, &[]).await.status, 400, "{target}");
        }
        assert_eq!(origin.count("/*"), 0);
        // What leads nowhere else is let through, as it is spelled.
        for target in ["/api", "/api%2Fx", "/api/x%2F..%2Fy", "/api/..%2Fapi%2F", "/api%252F..%252Finternal"] {
            assert_eq!(visit(&gateway, target, &[]).await.text(), format!("GET {target} "));
        }
    }
}

#[tokio::test]
async fn one_name_leads_to_another_when_both_are_served() {
    let (_origin, gateway) = of_sites().await;
    for (host, status, location) in
        [("www.acme.com", 308, Some("https://acme.com/a/b?q")), ("other.com", 421, None), ("acme.com", 404, None)]
    {
        let response = visit(&gateway, "/a/b?q", &[("host", host)]).await;
        assert_eq!((response.status, response.header("location")), (status, location), "{host}");
    }
}

#[tokio::test]
async fn where_a_host_is_not_served_rules_change_only_the_answers_fields() {
    let (origin, gateway) = of_sites().await;
    let http2 = Http2Client::connect(gateway.address()).await;
    for target in ["/a", "/captured", "/closed", "/pretty", "/kept/a", "/x//y", "/closed%2Fx"] {
        for host in ["evil.com", "acme.com.evil.com", "www.acme.com.evil.com", "shop.acme.com", "127.0.0.1"] {
            let lines = [("host", host)];
            let over_http2 = http2.request("GET", target, &lines, "").await;
            for response in [visit(&gateway, target, &lines).await, over_http2] {
                assert_eq!((response.status, response.header("location")), (421, None), "{host} {target}");
                assert_eq!(response.cache_status(), "evergate; detail=misdirected", "{host} {target}");
                assert_eq!(response.all("x-frame-options"), ["DENY"], "{host} {target}");
            }
        }
        let mut client = Client::connect(gateway.address()).await;
        client.send_raw(format!("GET {target} HTTP/1.0\r\n\r\n")).await;
        assert_eq!(client.read_response("GET").await.status, 421, "{target} without a host");
    }
    assert_eq!(origin.count("/*"), 0);
    for (target, status) in [("/captured", 307), ("/closed", 403), ("/pretty", 200), ("/kept/a", 200)] {
        assert_eq!(visit(&gateway, target, &[("host", "acme.com:8080")]).await.status, status, "{target}");
    }
}

/// A gateway of two sites, with rules that any host fits.
async fn of_sites() -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |seen| if seen.path().starts_with("/kept") { echo(seen) } else { echo(seen).status(404) });
    let rules = r#"
hosts: [acme.com, www.acme.com]
proxy:
  - matcher: { source: "/:path*", has: [{ type: host, value: "www\\.acme\\.com" }] }
    redirect: { to: "https://acme.com/:path*", status: 308 }
  - matcher: { source: /captured, has: [{ type: host, value: "(?<name>.*)" }] }
    redirect: { to: "https://:name/elsewhere" }
  - { matcher: "/closed/:path*", respond: { status: 403 } }
  - { matcher: /pretty, rewrite: { to: /kept/a } }
  - response_headers: { set: { x-frame-options: DENY } }
"#;
    let gateway = with_rules(&origin, rules).await;
    (origin, gateway)
}

#[tokio::test]
async fn a_connection_goes_on_after_an_answer() {
    let (_origin, gateway) = start(RULES).await;
    let mut client = Client::connect(gateway.address()).await;
    for (target, status) in [("/internal", 403), ("/kept/a", 200), ("/old/a", 308), ("/none/a", 200), ("/empty", 204)] {
        assert_eq!(client.get(target).await.status, status, "{target}");
    }
}

#[tokio::test]
async fn what_takes_too_long_to_decide_is_not_served() {
    let rules = r#"
proxy:
  - { matcher: "/x{y}?((?:(?!z)a*)*)c", respond: { status: 403 } }
"#;
    let (origin, gateway) = start(rules).await;
    let hostile = format!("/xc{}", "a".repeat(8_000));
    let response = visit(&gateway, &hostile, &[]).await;
    assert_eq!((response.status, response.cache_status()), (400, "evergate; detail=rule-failed"));
    assert_eq!(origin.count("/*"), 0);
    assert_eq!(visit(&gateway, "/other", &[]).await.status, 200);
}

#[tokio::test]
async fn another_case_slips_past_nothing_where_case_does_not_matter() {
    let rules =
        "proxy: [{ matcher: ['/internal', '/internal/:path*'], case_sensitive: false, respond: { status: 403 } }]";
    let (origin, gateway) = start(rules).await;
    for target in [
        "/INTERNAL",
        "/Internal/x",
        "/iNTERNAL/",
        "/%49nternal",
        "/x/../INTERNAL/x",
        "/%49NTERNAL%2Fx",
        &format!("http://{}/INTERNAL", gateway.address()),
        "/INTERNAL?x",
    ] {
        assert_eq!(visit(&gateway, target, &[]).await.status, 403, "{target}");
    }
    assert_eq!(visit(&gateway, "//INTERNAL", &[]).await.header("location"), Some("/INTERNAL"), "and that is refused");
    assert_eq!(origin.count("/*"), 0);
    // Letters that fold beyond ASCII are other letters to a handler; where they fold to these, they are refused too.
    let (_origin, gateway) =
        start("proxy: [{ matcher: /keys, case_sensitive: false, respond: { status: 403 } }]").await;
    for target in ["/KEYS", "/%E2%84%AAeys", "/key%C5%BF"] {
        assert_eq!(visit(&gateway, target, &[]).await.status, 403, "{target}");
    }
}
