//! Answers: whoever gives them, they say to a page what it may do, and to caches that others are told otherwise.

use evergate_tests::{Client, Gate, Reply, Response, until};

use super::{ACME, EVIL, Lines, RULES, WELCOME, ask, said, start, varies_by, visit};

/// Every page gets the same answer but for what it is told about CORS, and every answer says that it depends on the page.
fn check(response: &Response, welcome: Lines<'_>, what: &str) {
    assert_eq!(said(response), welcome, "{what}");
    assert!(varies_by(response, "origin"), "{what}: {:?}", response.all("vary"));
}

const PAGES: [(&str, Lines<'_>); 6] = [
    (ACME, &WELCOME),
    (EVIL, &[]),
    ("null", &[]),
    ("https://acme.example.evil.example", &[]),
    ("https://evilacme.app", &[]),
    ("https://acme.example, https://evil.example", &[]),
];

#[tokio::test]
async fn each_page_is_told_what_it_may_do_and_nothing_of_it_is_stored() {
    let (origin, gateway) = start(RULES).await;
    for place in ["/api/kept/a", "/api/brief/a", "/api/theirs/a", "/api/live/a", "/api/unknown"] {
        // Whoever comes first fills the cache; the others are told what is theirs.
        for turn in 0..2 {
            for (page, welcome) in PAGES {
                let response = visit(&gateway, place, page).await;
                assert_eq!((response.status, response.header("x-total")), (200, Some("7")), "{place} {page}");
                check(&response, welcome, &format!("turn {turn}, {place} for {page}"));
                let head = ask(&gateway, "HEAD", place, &[("origin", page)]).await;
                check(&head, welcome, &format!("HEAD of {place} for {page}"));
            }
            let unsaid = ask(&gateway, "GET", place, &[]).await;
            check(&unsaid, &[], &format!("{place} without an origin"));
        }
    }
    assert_eq!(origin.count("/api/kept/a"), 1, "one answer serves every page");
    for seen in origin.seen("/api/kept/a") {
        assert_eq!(seen.all("origin"), [""; 0], "what is kept is made for nobody");
    }
    for seen in origin.seen("/api/live/a") {
        assert!(seen.header("origin").is_some() || seen.method != "PUT", "what passes passes whole");
    }
}

#[tokio::test]
async fn subdomains_are_allowed_by_their_labels() {
    let (_origin, gateway) = start(RULES).await;
    for (page, allowed) in [
        ("https://a.acme.app", true),
        ("https://a.b.acme.app", true),
        ("https://acme.app", false),
        ("https://xacme.app", false),
        ("http://a.acme.app", false),
        ("https://a.acme.app:8443", false),
        ("https://a.acme.app.evil.example", false),
        ("https://evil.example/.acme.app", false),
    ] {
        let response = visit(&gateway, "/api/kept/a", page).await;
        assert_eq!(response.header("access-control-allow-origin"), allowed.then_some(page), "{page}");
    }
}

#[tokio::test]
async fn stale_answers_streams_parts_and_confirmations_say_it_too() {
    let (origin, gateway) = start(RULES).await;
    visit(&gateway, "/api/brief/a", EVIL).await;
    until("a stale answer has come", async || {
        let response = visit(&gateway, "/api/brief/a", ACME).await;
        check(&response, &WELCOME, response.x_cache());
        response.x_cache() == "STALE"
    })
    .await;
    for place in ["/api/kept/a", "/api/theirs/a", "/api/live/a"] {
        visit(&gateway, place, EVIL).await;
        for (page, welcome) in PAGES {
            let part = ask(&gateway, "GET", place, &[("origin", page), ("range", "bytes=0-1")]).await;
            check(&part, welcome, &format!("a part of {place} for {page}"));
            let seen = ask(&gateway, "GET", place, &[("origin", page), ("if-none-match", "\"v1\"")]).await;
            check(&seen, welcome, &format!("a confirmation of {place} for {page}"));
        }
    }
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/api/kept/streamed", move |_| Reply::ok("").chunks(["one", "two"]).gate_after(1, &held));
    let mut first = Client::connect(gateway.address()).await;
    first.send("GET", "/api/kept/streamed", &[("host", "api.example"), ("origin", ACME)], "").await;
    let head = first.read_head().await;
    check(&head, &WELCOME, "a stream");
    let mut second = Client::connect(gateway.address()).await;
    second.send("GET", "/api/kept/streamed", &[("host", "api.example"), ("origin", EVIL)], "").await;
    check(&second.read_head().await, &[], "the same stream for another page");
    gate.open();
}

#[tokio::test]
async fn errors_and_what_rules_answer_can_be_read_by_pages_that_may() {
    let (origin, gateway) = start(RULES).await;
    origin.on("/api/live/broken", |_| Reply::hang_up_before_head());
    origin.on("/api/kept/broken", |_| Reply::hang_up_before_head());
    let cases = [
        ("GET", "/api/moved", 307),
        ("GET", "/api/closed", 503),
        ("GET", "/api/kept/a/", 200),
        ("GET", "/api//kept/a", 308),
        ("GET", "/api/known/other", 404),
        ("POST", "/api/known/b", 405),
        ("GET", "/api/live/broken", 502),
        ("GET", "/api/kept/broken", 502),
    ];
    for (method, place, status) in cases {
        for (page, welcome) in PAGES {
            let response = ask(&gateway, method, place, &[("origin", page)]).await;
            assert_eq!(response.status, status, "{place} {page}");
            check(&response, welcome, &format!("{method} {place} for {page}"));
        }
    }
    let elsewhere = ask(&gateway, "GET", "/api/%zz", &[("origin", ACME)]).await;
    assert_eq!((elsewhere.status, said(&elsewhere)), (400, vec![]), "of no path nothing is known");
}

#[tokio::test]
async fn what_is_for_every_path_is_said_with_what_has_none() {
    let (_origin, gateway) = start("proxy: [{ cors: { allow_origins: ['https://acme.example'] } }]").await;
    let welcome: Lines<'_> = &[("access-control-allow-origin", ACME)];
    let bad = ask(&gateway, "GET", "/%zz", &[("origin", ACME)]).await;
    assert_eq!(bad.status, 400);
    check(&bad, welcome, "a broken target");
    check(&ask(&gateway, "GET", "/%zz", &[("origin", EVIL)]).await, &[], "a broken target for another page");
    let tunnel = ask(&gateway, "CONNECT", "a.example:443", &[("origin", ACME)]).await;
    assert_eq!(tunnel.status, 405);
    check(&tunnel, welcome, "CONNECT");
    let mut client = Client::connect(gateway.address()).await;
    client.send_raw("GET / HTTP/1.1\r\nbad line\r\n\r\n").await;
    check(&client.read_response("GET").await, &[], "what is no request says nothing of its origin");
}

#[tokio::test]
async fn a_host_that_is_not_served_leads_nowhere() {
    let (origin, gateway) = start(RULES).await;
    let lines = [("host", "other.example"), ("origin", ACME), ("access-control-request-method", "PUT")];
    let mut client = Client::connect(gateway.address()).await;
    let preflight = client.request("OPTIONS", "/api/live/a", &lines, "").await;
    assert_eq!(preflight.status, 421);
    check(&preflight, &WELCOME, "a page that may is told why");
    assert_eq!(origin.count("/api/live/*"), 0);
}

#[tokio::test]
async fn two_lines_of_origin_are_nobodys() {
    let (_origin, gateway) = start(RULES).await;
    for lines in [[("origin", ACME), ("origin", ACME)], [("origin", ACME), ("origin", EVIL)]] {
        check(&ask(&gateway, "GET", "/api/kept/a", &lines).await, &[], "two origins");
    }
}

#[tokio::test]
async fn rules_about_these_fields_have_the_last_word() {
    let (_origin, gateway) = start(
        "proxy:\n\
         - { response_headers: { set: { access-control-expose-headers: x-mine }, remove: [vary] } }\n\
         - { cors: { allow_origins: ['https://acme.example'], expose_headers: [x-theirs] } }",
    )
    .await;
    let response = visit(&gateway, "/api/kept/a", ACME).await;
    let told: Lines<'_> = &[("access-control-allow-origin", ACME), ("access-control-expose-headers", "x-mine")];
    check(&response, told, "whatever their place");
}
