//! Preflights: answered by the gateway, whatever is behind it.

use evergate_tests::{Http2Client, Reply};

use super::{ACME, EVIL, Lines, RULES, ask, said, start, varies_by};

/// What a browser asks before a PUT with JSON.
fn asking(origin: &str) -> [(&str, &str); 3] {
    [("origin", origin), ("access-control-request-method", "PUT"), ("access-control-request-headers", "content-type")]
}

const ALLOWED: [(&str, &str); 5] = [
    ("access-control-allow-origin", ACME),
    ("access-control-allow-credentials", "true"),
    ("access-control-allow-methods", "GET, PUT, DELETE"),
    ("access-control-allow-headers", "Content-Type, Authorization"),
    ("access-control-max-age", "86400"),
];

/// Where a preflight may go: every kind of route, paths that a rule ends, that have another name, that are not there.
const PLACES: [&str; 12] = [
    "/api/kept/a",
    "/api/brief/a",
    "/api/theirs/a",
    "/api/live/a",
    "/api/known/b",
    "/api/known/other",
    "/api/unknown",
    "/api/moved",
    "/api/closed",
    "/api/kept/a/",
    "/api//kept/a",
    "/api/%6Bept/a?x=1",
];

#[tokio::test]
async fn a_preflight_is_answered_without_the_handler_wherever_it_goes() {
    let (origin, gateway) = start(RULES).await;
    let rendered = origin.count("/*");
    for place in PLACES {
        let allowed = ask(&gateway, "OPTIONS", place, &asking(ACME)).await;
        assert_eq!((allowed.status, allowed.body.len()), (204, 0), "{place}");
        assert_eq!(said(&allowed), ALLOWED, "{place}");
        assert_eq!(allowed.cache_status(), "evergate; detail=preflight", "{place}");
        let foreign = ask(&gateway, "OPTIONS", place, &asking(EVIL)).await;
        assert_eq!((foreign.status, said(&foreign)), (204, vec![]), "{place}");
        for response in [allowed, foreign] {
            for name in ["origin", "access-control-request-method", "access-control-request-headers"] {
                assert!(varies_by(&response, name), "{place} varies by {name}: {:?}", response.all("vary"));
            }
            assert_eq!(response.header("content-length"), None, "{place}");
            assert!(response.header("cache-control").is_some_and(|word| word.contains("no-store")), "{place}");
        }
    }
    assert_eq!(origin.count("/*"), rendered, "nobody is asked");
}

#[tokio::test]
async fn a_preflight_is_answered_from_whatever_is_in_the_cache() {
    let (origin, gateway) = start(RULES).await;
    for state in ["MISS", "HIT", "HIT"] {
        let page = ask(&gateway, "GET", "/api/kept/a", &[]).await;
        assert_eq!(page.x_cache(), state);
        let asked = origin.count("/api/kept/*");
        let preflight = ask(&gateway, "OPTIONS", "/api/kept/a", &asking(ACME)).await;
        assert_eq!((preflight.status, said(&preflight)), (204, ALLOWED.to_vec()));
        assert_eq!(origin.count("/api/kept/*"), asked);
    }
}

#[tokio::test]
async fn a_connection_goes_on_after_a_preflight_and_http2_is_told_the_same() {
    let (_origin, gateway) = start(RULES).await;
    let mut client = evergate_tests::Client::connect(gateway.address()).await;
    let lines: Vec<_> = [("host", "api.example")].into_iter().chain(asking(ACME)).collect();
    for _ in 0..3 {
        let preflight = client.request("OPTIONS", "/api/live/a", &lines, "").await;
        assert_eq!((preflight.status, said(&preflight)), (204, ALLOWED.to_vec()));
        let put = client.request("PUT", "/api/live/a", &[("host", "api.example"), ("origin", ACME)], "{}").await;
        assert_eq!((put.status, put.text()), (200, "PUT /api/live/a"));
    }
    let http2 = Http2Client::connect(gateway.address()).await;
    let preflight = http2.request("OPTIONS", "/api/kept/a", &lines[1..], "").await;
    assert_eq!(preflight.status, 421, "by whatever name it is asked");
}

#[tokio::test]
async fn what_is_no_preflight_goes_on() {
    let (origin, gateway) = start(RULES).await;
    let cases: [(&str, Lines<'_>, u16); 4] = [
        // RFC 9110 section 9.3.7: the handler's own business.
        ("/api/live/a", &[("origin", ACME)], 200),
        ("/api/live/a", &[("access-control-request-method", "PUT")], 200),
        ("/api/known/b", &[("origin", ACME)], 204),
        ("/elsewhere", &[("origin", ACME), ("access-control-request-method", "PUT")], 200),
    ];
    for (place, lines, status) in cases {
        let before = origin.count("/*");
        let response = ask(&gateway, "OPTIONS", place, lines).await;
        assert_eq!(response.status, status, "{place} {lines:?}");
        assert_eq!(origin.count("/*") - before, usize::from(status == 200), "{place} {lines:?}");
        assert!(!response.cache_status().contains("preflight"), "{place} {lines:?}");
    }
}

#[tokio::test]
async fn what_is_asked_for_is_told_where_everything_is_allowed() {
    let (_origin, gateway) = start(
        "proxy: [{ cors: { allow_origins: '*', allow_methods: '*', allow_headers: '*', allow_private_network: true } }]",
    )
    .await;
    let lines = [
        ("origin", EVIL),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,x-a"),
        ("access-control-request-private-network", "true"),
    ];
    let preflight = ask(&gateway, "OPTIONS", "/api/live/a", &lines).await;
    let told = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "PATCH"),
        ("access-control-allow-headers", "authorization,x-a"),
        ("access-control-max-age", "600"),
        ("access-control-allow-private-network", "true"),
    ];
    assert_eq!(said(&preflight), told);
    let unnamed = ask(&gateway, "OPTIONS", "/api/live/a", &[("origin", "null"), lines[1]]).await;
    assert_eq!(said(&unnamed), [], "`null` is nobody who is listed");
}

#[tokio::test]
async fn a_private_network_is_open_to_those_who_are_listed_and_ask() {
    let open = "proxy: [{ cors: { allow_origins: ['https://acme.example'] } }]";
    let shut = "proxy: [{ cors: { allow_origins: ['https://acme.example'], allow_private_network: false } }]";
    for (rules, expected) in [(open, Some("true")), (shut, None)] {
        let (_origin, gateway) = start(rules).await;
        let asks = ("access-control-request-private-network", "true");
        for (sender, asks, expected) in [(ACME, vec![asks], expected), (ACME, vec![], None), (EVIL, vec![asks], None)] {
            let lines: Vec<_> = asking(sender).into_iter().chain(asks).collect();
            let preflight = ask(&gateway, "OPTIONS", "/api/live/a", &lines).await;
            assert_eq!(preflight.header("access-control-allow-private-network"), expected, "{rules} {lines:?}");
        }
    }
}

#[tokio::test]
async fn a_preflight_is_answered_when_the_handler_is_gone() {
    let (origin, gateway) = start(RULES).await;
    origin.on("/*", |_| Reply::hang_up_before_head());
    let preflight = ask(&gateway, "OPTIONS", "/api/live/a", &asking(ACME)).await;
    assert_eq!((preflight.status, said(&preflight)), (204, ALLOWED.to_vec()));
}
