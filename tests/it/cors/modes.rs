//! Modes: whose word counts, and who sees to it.

use evergate_tests::Client;

use super::{ACME, EVIL, Lines, ask, said, start, varies_by, visit};

const ENFORCED: &str = "\
hosts: [api.example]
proxy:
- { matcher: '/api/:path*', cors: { allow_origins: ['https://acme.example'], mode: enforce } }
- { matcher: /api/moved, redirect: { to: /api/kept/a } }";

#[tokio::test]
async fn where_the_gateway_sees_to_it_a_foreign_page_gets_nothing() {
    let (origin, gateway) = start(ENFORCED).await;
    visit(&gateway, "/api/kept/a", ACME).await;
    let asked = origin.count("/*");
    for place in ["/api/kept/a", "/api/theirs/a", "/api/live/a", "/api/unknown", "/api/moved", "/api/kept/a/"] {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            for page in [EVIL, "null", "http://acme.example", "https://api.example:8443"] {
                let lines = [("origin", page), ("access-control-request-method", "PUT")];
                let response = ask(&gateway, method, place, &lines).await;
                assert_eq!(response.status, 403, "{method} {place} {page}");
                assert_eq!(response.cache_status(), "evergate; detail=foreign-origin", "{method} {place} {page}");
                assert_eq!(said(&response), [], "{method} {place} {page}");
                assert!(varies_by(&response, "origin"), "{method} {place} {page}");
            }
        }
    }
    assert_eq!(origin.count("/*"), asked, "no handler is asked");
}

#[tokio::test]
async fn where_the_gateway_sees_to_it_others_go_on() {
    let (_origin, gateway) = start(ENFORCED).await;
    let pages: [Lines<'_>; 4] = [
        &[],
        &[("origin", ACME)],
        // A page of the host itself says its origin with a POST. Who ends TLS may stand in front.
        &[("origin", "http://api.example")],
        &[("origin", "https://api.example")],
    ];
    for lines in pages {
        for (method, place) in [("GET", "/api/kept/a"), ("POST", "/api/live/a")] {
            assert_eq!(ask(&gateway, method, place, lines).await.status, 200, "{method} {place} {lines:?}");
        }
    }
}

#[tokio::test]
async fn a_foreign_page_opens_no_web_socket_where_the_gateway_sees_to_it() {
    let (origin, gateway) = start(ENFORCED).await;
    let shake = |page: &'static str| {
        [
            ("host", "api.example"),
            ("origin", page),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
    };
    origin.on("/api/live/socket", |_| evergate_tests::Reply::upgrade_echo());
    let refused = Client::connect(gateway.address()).await.request("GET", "/api/live/socket", &shake(EVIL), "").await;
    assert_eq!((refused.status, origin.count("/api/live/socket")), (403, 0));
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET", "/api/live/socket", &shake(ACME), "").await;
    assert_eq!(client.read_interim().await.status, 101);
}

#[tokio::test]
async fn the_handlers_word_stands_where_it_is_kept() {
    let rules = "proxy: [{ cors: { allow_origins: ['https://acme.example'], mode: passthrough } }]";
    let (origin, gateway) = start(rules).await;
    for (place, theirs) in [("/api/live/a", EVIL), ("/api/kept/a", "*")] {
        for _ in 0..2 {
            let response = visit(&gateway, place, EVIL).await;
            let told = [("access-control-allow-origin", theirs), ("access-control-allow-methods", "PATCH")];
            assert_eq!(said(&response), told, "{place}");
            assert!(varies_by(&response, "origin"), "{place}");
        }
    }
    origin.on("/*", |_| evergate_tests::Reply::ok("says nothing"));
    for (page, told) in [(ACME, vec![("access-control-allow-origin", ACME)]), (EVIL, vec![])] {
        assert_eq!(said(&visit(&gateway, "/api/live/silent", page).await), told, "{page}");
    }
    let lines = [("origin", ACME), ("access-control-request-method", "PUT")];
    let preflight = ask(&gateway, "OPTIONS", "/api/live/a", &lines).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some(ACME)));
}

#[tokio::test]
async fn everyone_is_told_the_same_where_everyone_is_meant() {
    let (_origin, gateway) = start("proxy: [{ cors: { allow_origins: '*' } }]").await;
    for place in ["/api/kept/a", "/api/live/a"] {
        for lines in [&[("origin", EVIL)][..], &[("origin", ACME)], &[]] {
            let response = ask(&gateway, "GET", place, lines).await;
            assert_eq!(said(&response), [("access-control-allow-origin", "*")], "{place} {lines:?}");
        }
        assert_eq!(said(&visit(&gateway, place, "null").await), [], "{place}");
    }
    let (_origin, gateway) = start("proxy: [{ cors: { allow_origins: [null] } }]").await;
    assert_eq!(said(&visit(&gateway, "/api/kept/a", "null").await), [("access-control-allow-origin", "null")]);
    assert_eq!(said(&visit(&gateway, "/api/kept/a", ACME).await), []);
}

#[tokio::test]
async fn a_form_of_the_host_itself_is_not_foreign_though_it_says_no_origin() {
    let (origin, gateway) = start(ENFORCED).await;
    let same = ("sec-fetch-site", "same-origin");
    let cases: [(&str, Lines<'_>, u16); 7] = [
        ("POST", &[("origin", "null"), same], 200),
        ("POST", &[("origin", "null")], 403),
        ("POST", &[("origin", "null"), ("sec-fetch-site", "cross-site")], 403),
        ("POST", &[("origin", "null"), ("sec-fetch-site", "same-site")], 403),
        ("POST", &[("origin", "null"), same, ("sec-fetch-site", "cross-site")], 403),
        ("POST", &[("origin", EVIL), same], 403),
        // What caches may keep is not told apart by it.
        ("GET", &[("origin", "null"), same], 403),
    ];
    for (method, lines, status) in cases {
        let before = origin.count("/*");
        assert_eq!(ask(&gateway, method, "/api/live/a", lines).await.status, status, "{method} {lines:?}");
        assert_eq!(origin.count("/*") - before, usize::from(status == 200), "{method} {lines:?}");
    }
}
