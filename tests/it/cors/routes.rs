//! Which word counts where several are said: of rules the last that fits, of all the route's.

use super::{ACME, EVIL, RULES, ask, said, start, varies_by, visit};

const PARTNER: &str = "https://partner.example";

#[tokio::test]
async fn a_route_has_its_own_word() {
    let (_origin, gateway) = start(RULES).await;
    for (place, page, told) in [
        ("/api/own/a", PARTNER, vec![("access-control-allow-origin", PARTNER)]),
        ("/api/own/a", ACME, vec![]),
        ("/api/pretty/a", PARTNER, vec![("access-control-allow-origin", PARTNER)]),
        ("/api/pretty/a", ACME, vec![]),
        ("/api/shut/a", ACME, vec![]),
        ("/api/shut/a", EVIL, vec![]),
    ] {
        for _ in 0..2 {
            let response = visit(&gateway, place, page).await;
            assert_eq!((response.status, said(&response)), (200, told.clone()), "{place} {page}");
            assert!(varies_by(&response, "origin"), "{place} {page}");
        }
    }
    let asks = [("origin", PARTNER), ("access-control-request-method", "GET")];
    for place in ["/api/own/a", "/api/pretty/a"] {
        let preflight = ask(&gateway, "OPTIONS", place, &asks).await;
        let told = [
            ("access-control-allow-origin", PARTNER),
            ("access-control-allow-methods", "GET, HEAD, POST"),
            ("access-control-max-age", "600"),
        ];
        assert_eq!((preflight.status, said(&preflight)), (204, told.to_vec()), "{place}");
    }
    let preflight = ask(&gateway, "OPTIONS", "/api/shut/a", &asks).await;
    assert_eq!((preflight.status, said(&preflight)), (204, vec![]), "nobody is allowed, and the handler not asked");
}

#[tokio::test]
async fn without_any_rule_a_route_says_it_alone() {
    let (origin, gateway) = start("").await;
    let asks = [("origin", PARTNER), ("access-control-request-method", "GET")];
    assert_eq!(ask(&gateway, "OPTIONS", "/api/own/a", &asks).await.status, 204);
    assert_eq!(said(&visit(&gateway, "/api/own/a", PARTNER).await), [("access-control-allow-origin", PARTNER)]);
    assert_eq!(said(&visit(&gateway, "/api/own/a", EVIL).await), []);
    // Elsewhere CORS is the handler's business.
    let theirs = visit(&gateway, "/api/live/a", EVIL).await;
    assert_eq!(theirs.header("access-control-allow-origin"), Some(EVIL));
    assert!(!varies_by(&theirs, "origin"));
    assert_eq!(ask(&gateway, "OPTIONS", "/api/live/a", &asks).await.status, 200);
    assert_eq!(origin.seen("/api/live/a").last().map(|seen| seen.method.clone()).as_deref(), Some("OPTIONS"));
}

#[tokio::test]
async fn the_last_rule_that_fits_counts() {
    let (_origin, gateway) = start(
        "proxy:\n\
         - { cors: { allow_origins: ['https://acme.example'], expose_headers: [x-total] } }\n\
         - { matcher: '/api/live/:page', cors: { allow_origins: ['https://partner.example'] } }\n\
         - { matcher: { source: '/api/live/:page', has: [{ type: header, key: x-team }] },\n    \
             cors: { allow_origins: ['https://evil.example'] } }",
    )
    .await;
    let told = |page| vec![("access-control-allow-origin", page)];
    for (place, page, expected) in [
        ("/api/kept/a", ACME, vec![told(ACME)[0], ("access-control-expose-headers", "x-total")]),
        ("/api/kept/a", PARTNER, vec![]),
        ("/api/live/a", PARTNER, told(PARTNER)),
        ("/api/live/a", ACME, vec![]),
    ] {
        assert_eq!(said(&visit(&gateway, place, page).await), expected, "{place} {page}");
    }
    let team = ask(&gateway, "GET", "/api/live/a", &[("origin", EVIL), ("x-team", "1")]).await;
    assert_eq!(said(&team), told(EVIL));
    assert!(varies_by(&team, "x-team") && varies_by(&team, "origin"), "{:?}", team.all("vary"));
}
