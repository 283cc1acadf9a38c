//! Fields of requests: what rules say reaches handlers, and variants are chosen by it; visitors have no say in it.

use evergate_tests::{Client, Http2Client, Origin, Reply};

use super::{Lines, echo, last, start, visit, with_rules};

const RULES: &str = r#"
proxy:
  - matcher: { has: [{ type: host, value: "(?<tenant>[a-z]+)\\.acme\\.com" }] }
    request_headers: { set: { x-tenant: ":tenant" } }
  - { matcher: "/:kind/:page*", request_headers: { append: { x-seen: ":kind" }, remove: [x-secret, accept-language] } }
"#;

#[tokio::test]
async fn dynamic_handlers_get_what_rules_say() {
    let (origin, gateway) = start(RULES).await;
    let lines: Lines<'_> = &[
        ("host", "books.acme.com"),
        ("x-tenant", "forged"),
        ("X_Tenant", "forged"),
        ("x-seen", "before"),
        ("x-secret", "1"),
        ("x_secret", "1"),
        ("accept-language", "fi"),
        ("cookie", "a=1"),
    ];
    for place in ["/live/a", "/none/a"] {
        for nominated in [&[][..], &[("connection", "x-tenant, x-seen")]] {
            let lines = [lines, nominated].concat();
            for method in ["GET", "POST"] {
                Client::connect(gateway.address()).await.request(method, place, &lines, "").await;
                let seen = last(&origin);
                assert_eq!(seen.all("x-tenant"), ["books"], "{method} {place} {nominated:?}");
                assert_eq!(seen.all("x-seen").last(), Some(&&place[1..5]), "{method} {place} {nominated:?}");
                for gone in ["x_tenant", "x-secret", "x_secret", "accept-language"] {
                    assert_eq!(seen.header(gone), None, "{gone} of {method} {place}");
                }
                assert_eq!(seen.header("cookie"), Some("a=1"));
            }
        }
        let lines: Vec<_> =
            lines.iter().copied().filter(|(name, _)| name.chars().all(|letter| !letter.is_uppercase())).collect();
        Http2Client::connect(gateway.address()).await.request("GET", place, &lines, "").await;
        let seen = last(&origin);
        assert_eq!((seen.all("x-tenant"), seen.header("x-secret")), (vec!["books"], None), "{place} over HTTP/2");
    }
}

#[tokio::test]
async fn windows_are_split_by_what_rules_say_and_forward_it_where_vary_names_it() {
    let (origin, gateway) = start(RULES).await;
    for (host, forged, x_cache, body) in [
        ("books.acme.com", "", "MISS", "GET /kept/a books"),
        ("books.acme.com", "toys", "HIT", "GET /kept/a books"),
        ("toys.acme.com", "books", "MISS", "GET /kept/a toys"),
        ("toys.acme.com:8080", "", "HIT", "GET /kept/a toys"),
        // Without a rule it is the visitor's word.
        ("acme.com", "toys", "HIT", "GET /kept/a toys"),
    ] {
        let response = visit(&gateway, "/kept/a", &[("host", host), ("x-tenant", forged)]).await;
        assert_eq!((response.x_cache(), response.text()), (x_cache, body), "{host} {forged}");
    }
    for seen in origin.seen("/kept/a") {
        assert_eq!(seen.header("x-seen"), None);
    }
    // A route whose `vary` does not name it.
    visit(&gateway, "/brief/a", &[("host", "books.acme.com")]).await;
    assert_eq!((last(&origin).header("x-tenant"), last(&origin).header("x-seen")), (None, None));
}

#[tokio::test]
async fn where_the_handler_decides_variants_are_chosen_by_the_changed_request() {
    let origin = Origin::start().await;
    origin.on("/*", |seen| echo(seen).header("vary", "x-tenant, x-seen"));
    let gateway = with_rules(&origin, RULES).await;
    for (lines, x_cache, tenant) in [
        (&[("host", "books.acme.com"), ("x-tenant", "forged")][..], "MISS", "books"),
        (&[("host", "books.acme.com"), ("connection", "x-tenant, keep-alive")], "HIT", "books"),
        (&[("host", "books.acme.com"), ("x_tenant", "forged")], "HIT", "books"),
        (
            &[
                ("host", "toys.acme.com"),
                ("x_tenant", "forged"),
                ("connection", "x-tenant,x-seen, x-mine"),
                ("x-mine", "1"),
                ("x-seen", "mine"),
            ],
            "MISS",
            "toys",
        ),
        (&[("host", "toys.acme.com"), ("connection", "x-seen"), ("x-tenant", "books")], "HIT", "toys"),
    ] {
        let response = visit(&gateway, "/theirs/a", lines).await;
        assert_eq!(
            (response.x_cache(), response.text()),
            (x_cache, format!("GET /theirs/a {tenant}").as_str()),
            "{lines:?}"
        );
    }
    let seen = last(&origin);
    assert_eq!((seen.all("x-seen"), seen.header("x_tenant"), seen.header("x-mine")), (vec!["theirs"], None, None));
    // Parts and HEAD pass, under the same word.
    let part =
        visit(&gateway, "/theirs/b", &[("host", "toys.acme.com"), ("range", "bytes=0-2"), ("x-tenant", "x")]).await;
    assert_eq!((part.x_cache(), last(&origin).all("x-tenant")), ("PASS", vec!["toys"]));
}

#[tokio::test]
async fn a_part_that_passes_is_kept_for_those_whom_the_rules_say() {
    let origin = Origin::start().await;
    origin.on("/*", |seen| {
        let part = Reply::ok(&seen.all("x-tenant").concat()[..2]).status(206).header("content-range", "bytes 0-1/4");
        part.header("vary", "x-tenant").header("cache-control", "max-age=60").header("etag", "\"v1\"")
    });
    let gateway = with_rules(&origin, RULES).await;
    let http2 = Http2Client::connect(gateway.address()).await;
    for (page, over_http2) in [("/theirs/a", false), ("/theirs/b", true)] {
        for (host, forged, x_cache, body) in [
            ("books.acme.com", "toys", "PASS", "bo"),
            ("toys.acme.com", "toys", "PASS", "to"),
            ("books.acme.com", "toys", "HIT", "bo"),
            ("toys.acme.com", "books", "HIT", "to"),
        ] {
            let lines = [("host", host), ("x-tenant", forged), ("range", "bytes=0-1")];
            let response = if over_http2 {
                http2.request("GET", page, &lines, "").await
            } else {
                visit(&gateway, page, &lines).await
            };
            assert_eq!((response.x_cache(), response.text()), (x_cache, body), "{host} {page}");
        }
    }
}

#[tokio::test]
async fn rules_may_take_away_what_makes_a_request_pass() {
    let rules = r#"
proxy:
  - { matcher: "/kept/:page", request_headers: { remove: [authorization, cookie] } }
  - { matcher: "/live/:page*", request_headers: { set: { authorization: "Bearer service" } } }
"#;
    let (origin, gateway) = start(rules).await;
    let lines: Lines<'_> = &[("authorization", "Bearer ann"), ("cookie", "__prerender_bypass=1")];
    assert_eq!(visit(&gateway, "/kept/a", lines).await.x_cache(), "MISS");
    assert_eq!(visit(&gateway, "/kept/a", lines).await.x_cache(), "HIT");
    visit(&gateway, "/live/a", lines).await;
    assert_eq!(last(&origin).all("authorization"), ["Bearer service"]);
}
