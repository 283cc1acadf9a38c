//! The sections about what travels in the head: the request itself, cookies, headers, redirects, CORS.

use evergate_tests::get;

use super::{ask, demo, three_ways};

#[tokio::test]
async fn the_request_arrives_with_everything_that_the_visitor_said() {
    for (way, gateway) in three_ways("/api/headers").await {
        let lines = [
            ("host", "acme.com:8080"),
            ("x-twice", "1"),
            ("x-twice", "2"),
            ("x-text", "Zo\u{eb}"),
            ("accept", "text/html"),
        ];
        let response = ask(&gateway, "GET", "/api/headers", &lines, "").await;
        let seen = &response.json()["headers"];
        if way == "kept" {
            // Only what is in the key: everybody gets what this request gets.
            assert_eq!((&seen["accept"][0], response.x_cache()), (&"*/*".into(), "MISS"), "{seen}");
            assert!(
                seen["x-twice"].is_null() && seen["x-text"].is_null() && seen["x-forwarded-for"].is_null(),
                "{seen}"
            );
            continue;
        }
        assert_eq!(seen["x-twice"], serde_json::json!(["1", "2"]), "{way}");
        assert_eq!((&seen["x-text"][0], &seen["accept"][0]), (&"Zo\u{eb}".into(), &"text/html".into()), "{way}");
        assert_eq!(seen["x-forwarded-host"][0], "acme.com:8080", "{way}: {seen}");
        assert_eq!(seen["x-forwarded-proto"][0], "http", "{way}: {seen}");
        assert_eq!(seen["x-forwarded-for"][0], "127.0.0.1", "{way}: {seen}");
        let matched = &seen["x-matched-path"][0];
        assert_eq!(matched.as_str(), (way == "dynamic").then_some("/api/headers"), "{way}: {seen}");
    }
}

#[tokio::test]
async fn promise_1_cookies_are_read_set_and_deleted_and_each_visitors_own() {
    for (way, gateway) in three_ways("/api/cookies").await {
        for method in ["GET", "GET", "POST"] {
            for (visitor, a) in [("a=1; token=ann", "1"), ("token=bob; a=2", "2")] {
                let response = ask(&gateway, method, "/api/cookies", &[("cookie", visitor)], "").await;
                assert_eq!((response.status, response.json()["a"].as_str()), (200, Some(a)), "{way} {method}");
                // A line for each, in the order in which the handler said them.
                let token = visitor.split("; ").find(|pair| pair.starts_with("token=")).unwrap_or_default();
                let expected = ["b=1; Path=/", "c=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", token];
                assert_eq!(response.all("set-cookie"), expected, "{way} {method}");
                assert_eq!(response.x_cache(), "PASS", "{way} {method}");
            }
        }
        // Cookies in two lines are the same cookies; without any there is nothing to read.
        let response = ask(&gateway, "GET", "/api/cookies", &[("cookie", "z=1"), ("cookie", "a=3")], "").await;
        assert_eq!(response.json()["a"], "3", "{way}");
        let response = get(gateway.address(), "/api/cookies").await;
        assert!(response.json()["a"].is_null() && response.all("set-cookie").len() == 2, "{way}");
    }
}

#[tokio::test]
async fn headers_are_read_and_set() {
    for (way, gateway) in three_ways("/api/headers").await {
        let referer = "https://example.com/from?a=1&b=%20";
        let response = ask(&gateway, "GET", "/api/headers", &[("referer", referer)], "").await;
        let (read, set) = (response.json()["referer"].clone(), response.header("referer"));
        // Where the answer is for everyone, nobody's own referer is in it.
        let expected = (way != "kept").then_some(referer);
        assert_eq!((read.as_str(), set), (expected, expected), "{way}");
        assert_eq!(response.header("content-type"), Some("application/json"), "{way}");
        let response = ask(&gateway, "GET", "/api/headers", &[], "").await;
        assert_eq!((response.json()["referer"].as_str(), response.header("referer")), (None, None), "{way}");
    }
}

#[tokio::test]
async fn redirects_are_the_visitors_to_follow() {
    for (way, gateway) in three_ways("/api/redirect").await {
        for turn in 0..2 {
            let response = get(gateway.address(), "/api/redirect").await;
            assert_eq!((response.status, response.all("location")), (307, vec!["https://nextjs.org/"]), "{way}");
            assert_eq!(response.body.len(), 0, "{way}");
            let x_cache = if way == "kept" { ["MISS", "HIT"][turn] } else { "PASS" };
            assert_eq!(response.x_cache(), x_cache, "{way}");
        }
        let response = ask(&gateway, "HEAD", "/api/redirect", &[], "").await;
        assert_eq!((response.status, response.header("location")), (307, Some("https://nextjs.org/")), "{way}");
    }
}

#[tokio::test]
async fn cors_headers_of_the_handler_come_through_and_so_does_its_preflight() {
    const CORS: [(&str, &str); 3] = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET, POST, PUT, DELETE, OPTIONS"),
        ("access-control-allow-headers", "Content-Type, Authorization"),
    ];
    let preflight = [
        ("origin", "https://acme.com"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "content-type"),
    ];
    for (way, gateway) in three_ways("/api/cors").await {
        // Twice, so that the kept one is kept, and from two sites, which share it: the handler said `*`.
        for (turn, origin) in ["https://acme.com", "https://other.example"].into_iter().enumerate() {
            let response = ask(&gateway, "GET", "/api/cors", &[("origin", origin)], "").await;
            let x_cache = if way == "kept" { ["MISS", "HIT"][turn] } else { "PASS" };
            assert_eq!(
                (response.status, response.x_cache(), response.text()),
                (200, x_cache, "Hello, Evergate!"),
                "{way}"
            );
            for (name, value) in CORS {
                assert_eq!(response.all(name), [value], "{way}");
            }
            let response = ask(&gateway, "OPTIONS", "/api/cors", &preflight, "").await;
            assert_eq!((response.status, response.x_cache(), response.body.len()), (204, "PASS", 0), "{way}");
            for (name, value) in CORS {
                assert_eq!(response.all(name), [value], "{way}");
            }
        }
    }
}

#[tokio::test]
async fn a_handler_without_the_method_says_which_it_has() {
    let gateway = demo("[{ path: /posts, revalidate: 1h }]").await;
    for method in ["POST", "DELETE"] {
        let response = ask(&gateway, method, "/posts", &[], "").await;
        assert_eq!((response.status, response.x_cache()), (405, "PASS"), "{method}");
        let allowed = response.header("allow").unwrap_or_default();
        assert!(allowed.contains("GET") && allowed.contains("HEAD"), "{method}: {allowed}");
        // And never the page that is kept.
        assert_eq!(response.body.len(), 0, "{method}");
        assert!(get(gateway.address(), "/posts").await.status == 200);
    }
}
