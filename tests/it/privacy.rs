//! Promise 1: no response made for one visitor is served to another. What forbids sharing is heeded, and nothing of a
//! visitor's that is outside the key reaches a cached handler. What is inside the key is the subject of [`key`].

mod key;

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, Response, Seen, until};
use tokio::task::JoinSet;

/// Header lines.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// A GET by a visitor of its own, on a connection of its own.
async fn visit(gateway: &Gateway, target: &str, lines: Lines<'_>) -> Response {
    Client::connect(gateway.address()).await.get_with(target, lines).await
}

/// A reply that is for one visitor: it greets by the cookie that came with the request.
fn personal(seen: &Seen) -> Reply {
    let who = seen.header("cookie").unwrap_or("nobody");
    Reply::ok(who).header("set-cookie", format!("for={who}")).header("set-cookie", "second=2; Path=/")
}

/// A gateway in front of an origin whose `/p` may be kept until it is invalidated.
async fn in_front_of(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static, more: &str) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/p", reply);
    let gateway = Gateway::simple(&origin, &format!("- path: /p\n  revalidate: false\n{more}")).await;
    (origin, gateway)
}

#[tokio::test]
async fn promise_1_set_cookie_is_never_stored_and_each_visitor_gets_his_own() {
    let (origin, gateway) = in_front_of(personal, "").await;
    for who in ["id=ann", "id=bob", "id=ann", "id=cy"] {
        let response = visit(&gateway, "/p", &[("cookie", who)]).await;
        assert_eq!(response.text(), who);
        assert_eq!(response.all("set-cookie"), [format!("for={who}").as_str(), "second=2; Path=/"]);
        assert_eq!(response.x_cache(), "PASS");
        assert_eq!(response.cache_status(), "evergate; fwd=bypass; fwd-status=200; detail=set-cookie");
        // The handler said nothing of caching, and nobody on the way may think that it is public.
        assert_eq!(
            response.header("cache-control"),
            Some("private, no-cache, no-store, max-age=0, must-revalidate"),
            "{who}"
        );
    }
    let asked: Vec<Option<String>> =
        origin.seen("/p").iter().map(|seen| seen.header("cookie").map(str::to_owned)).collect();
    // The first of them is the fill, which was made for nobody and dropped.
    let expected = [None, Some("id=ann"), Some("id=bob"), Some("id=ann"), Some("id=cy")];
    assert_eq!(asked, expected.map(|cookie| cookie.map(str::to_owned)));
}

#[tokio::test]
async fn promise_1_those_who_waited_for_a_declined_answer_pass_with_their_own_cookies() {
    let gate = Gate::new();
    let held = gate.clone();
    let fill_only = move |seen: &Seen| match seen.header("cookie") {
        None => personal(seen).gate(&held),
        Some(_) => personal(seen),
    };
    let (origin, gateway) = in_front_of(fill_only, "").await;
    let mut visitors = JoinSet::new();
    for number in 0..20 {
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", "/p", &[("cookie", &format!("id={number}"))], "").await;
        visitors.spawn(async move { (number, client.read_response("GET").await) });
    }
    gate.arrived(1).await;
    gate.open();
    for (number, response) in visitors.join_all().await {
        let who = format!("id={number}");
        assert_eq!(response.text(), who);
        assert_eq!(response.all("set-cookie"), [format!("for={who}").as_str(), "second=2; Path=/"]);
    }
    assert_eq!(origin.count("/p"), 21);
}

#[tokio::test]
async fn promise_1_an_error_page_is_shared_without_its_cookies() {
    let gate = Gate::new();
    let held = gate.clone();
    let (_origin, gateway) = in_front_of(move |seen| personal(seen).status(500).gate(&held), "").await;
    let mut visitors = JoinSet::new();
    for number in 0..3 {
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", "/p", &[("cookie", &format!("id={number}"))], "").await;
        visitors.spawn(async move { client.read_response("GET").await });
    }
    gate.arrived(1).await;
    gate.open();
    for response in visitors.join_all().await {
        assert_eq!((response.status, response.text()), (500, "nobody"));
        assert_eq!(response.all("set-cookie"), [""; 0]);
    }
}

/// What a handler says, and why its answer is not kept then; none when it is kept.
const WORDS: [(Lines<'static>, Option<&str>); 21] = [
    (&[("set-cookie", "a=1")], Some("set-cookie")),
    (&[("cache-control", "public, max-age=60"), ("set-cookie", "a=1")], Some("set-cookie")),
    (&[("cache-control", "private")], Some("private")),
    (&[("cache-control", "Private , max-age=60")], Some("private")),
    (&[("cache-control", "private=\"x-user\"")], Some("private")),
    (&[("cache-control", "max-age=60"), ("cache-control", "private")], Some("private")),
    (&[("cache-control", "no-store")], Some("no-store")),
    (&[("cache-control", "public, s-maxage=60,NO-STORE")], Some("no-store")),
    (&[("cache-control", "no-cache")], Some("no-cache")),
    (&[("cache-control", "no-cache=\"set-cookie\"")], Some("no-cache")),
    (&[("vary", "*")], Some("vary")),
    (&[("vary", "accept-language, *")], Some("vary")),
    (&[("vary", "accept-language"), ("vary", " * ")], Some("vary")),
    (&[], None),
    (&[("cache-control", "public")], None),
    (&[("cache-control", "max-age=0, must-revalidate")], None),
    (&[("cache-control", "s-maxage=0")], None),
    (&[("cache-control", "extension=\"a, no-store, private\"")], None),
    (&[("x-cache-control", "private, no-store")], None),
    (&[("vary", "accept-language, cookie")], None),
    (&[("pragma", "no-cache")], None),
];

#[tokio::test]
async fn promise_1_private_no_store_no_cache_and_vary_star_are_refused() {
    let origin = Origin::start().await;
    let gateway = Gateway::simple(&origin, "- path: /[word]\n  revalidate: false").await;
    for (number, (lines, refused)) in WORDS.into_iter().enumerate() {
        let path = format!("/{number}");
        origin.on(&path, move |_| {
            lines.iter().fold(Reply::ok("body"), |reply, (name, value)| reply.header(*name, *value))
        });
        let first = visit(&gateway, &path, &[]).await;
        let second = visit(&gateway, &path, &[]).await;
        let expected = match refused {
            Some(reason) => ["PASS".to_owned(), "PASS".to_owned(), format!("detail={reason}")],
            None => ["MISS".to_owned(), "HIT".to_owned(), String::new()],
        };
        let status = second.cache_status();
        let detail = status.find("detail=").map_or("", |at| &status[at..]);
        assert_eq!([first.x_cache(), second.x_cache(), detail], expected.each_ref().map(String::as_str), "{lines:?}");
        // A fill and two passes, or the fill alone.
        assert_eq!(origin.count(&path), if refused.is_some() { 3 } else { 1 }, "{lines:?}");
    }
}

/// Fills `/p` with a harmless answer; then what `later` answers replaces it in a refresh. Gives back what a visitor gets
/// once that has happened.
async fn after_refresh(later: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Response {
    let origin = Origin::start().await;
    origin.on("/p", |_| Reply::ok("harmless").header("etag", "\"v1\""));
    let gateway = Gateway::simple(&origin, "- path: /p\n  revalidate: 1").await;
    assert_eq!(visit(&gateway, "/p", &[]).await.x_cache(), "MISS");
    origin.on("/p", later);
    until("a visitor starts a refresh", async || visit(&gateway, "/p", &[]).await.x_cache() == "STALE").await;
    let declined = [("route", "/p"), ("result", "declined")];
    until("the refresh is over", async || gateway.metric("evergate_revalidations_total", &declined).await > 0.0).await;
    visit(&gateway, "/p", &[("cookie", "id=ann")]).await
}

#[tokio::test]
async fn promise_1_an_old_copy_goes_when_its_handler_becomes_personal() {
    let response = after_refresh(personal).await;
    assert_eq!((response.x_cache(), response.text()), ("PASS", "id=ann"));
    assert_eq!(response.header("set-cookie"), Some("for=id=ann"));
}

#[tokio::test]
async fn promise_1_a_confirmation_that_sets_a_cookie_is_refused_too() {
    let confirms = |seen: &Seen| match seen.header("if-none-match") {
        Some("\"v1\"") => Reply::ok("").status(304).header("etag", "\"v1\"").header("set-cookie", "for=whom"),
        Some(_) | None => personal(seen),
    };
    let response = after_refresh(confirms).await;
    assert_eq!((response.x_cache(), response.text()), ("PASS", "id=ann"));
    assert_eq!(response.all("set-cookie"), ["for=id=ann", "second=2; Path=/"]);
}

#[tokio::test]
async fn promise_1_authorization_passes_whole_and_leaves_nothing() {
    let whose = |seen: &Seen| Reply::ok(seen.header("authorization").unwrap_or("public"));
    let (origin, gateway) = in_front_of(whose, "").await;
    let expected = "evergate; fwd=request; fwd-status=200; detail=authorization";
    for (lines, x_cache, body) in [
        (&[("authorization", "Bearer ann"), ("cookie", "id=ann")][..], "PASS", "Bearer ann"),
        (&[], "MISS", "public"),
        (&[("authorization", "Bearer bob")], "PASS", "Bearer bob"),
        (&[("Authorization", "")], "PASS", ""),
        (&[], "HIT", "public"),
    ] {
        let response = visit(&gateway, "/p", lines).await;
        assert_eq!((response.x_cache(), response.text()), (x_cache, body), "{lines:?}");
        assert!(x_cache != "PASS" || response.cache_status() == expected, "{}", response.cache_status());
    }
    assert_eq!(origin.seen("/p")[0].header("cookie"), Some("id=ann"));
}

#[tokio::test]
async fn promise_1_authorization_is_withheld_where_the_route_says_strip() {
    let whose = |seen: &Seen| Reply::ok(seen.header("authorization").unwrap_or("public"));
    let (origin, gateway) = in_front_of(whose, "  authorization: strip").await;
    for (token, x_cache) in [("Bearer ann", "MISS"), ("Bearer bob", "HIT")] {
        let response = visit(&gateway, "/p", &[("authorization", token)]).await;
        assert_eq!((response.x_cache(), response.text()), (x_cache, "public"));
    }
    // What the cache has no part in still goes whole: the handler has to know who posts.
    let posted = Client::connect(gateway.address()).await.request("POST", "/p", &[("authorization", "t")], "x").await;
    assert_eq!((posted.x_cache(), posted.text(), origin.count("/p")), ("PASS", "t", 2));
}

/// Everything by which a visitor might be told from another, or might mislead a handler.
const PERSONAL: [(&str, &str); 31] = [
    ("host", "visitor.example"),
    ("cookie", "id=ann; theme=dark"),
    ("authorization", "Bearer ann"),
    ("proxy-authorization", "Basic YQ=="),
    ("accept", "text/html"),
    ("accept-language", "fi"),
    ("accept-encoding", "br"),
    ("user-agent", "visitor/1"),
    ("referer", "https://visitor.example/from"),
    ("origin", "https://visitor.example"),
    ("forwarded", "for=192.0.2.1"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "visitor.example"),
    ("x-real-ip", "192.0.2.1"),
    ("x-request-id", "visitors"),
    ("traceparent", "00-11111111111111111111111111111111-2222222222222222-01"),
    ("tracestate", "visitor=1"),
    ("x-matched-path", "/forged"),
    ("x-route-params", "{\"slug\":\"forged\"}"),
    ("x-prerender-revalidate", "forged"),
    ("x-middleware-subrequest", "middleware"),
    ("x-http-method-override", "DELETE"),
    ("cache-control", "no-cache"),
    ("pragma", "no-cache"),
    ("range", "bytes=0-1"),
    ("if-none-match", "\"visitor\""),
    ("if-match", "\"visitor\""),
    ("if-modified-since", "Mon, 02 Nov 2026 00:00:00 GMT"),
    ("sec-fetch-mode", "navigate"),
    ("rsc", "1"),
];

/// Asserts that a request for `/items/a%20b` is exactly what every visitor's would have been.
fn impersonal(seen: &Seen, host: &str) {
    assert_eq!((seen.method.as_str(), seen.target.as_str(), seen.body.len()), ("GET", "/items/a%20b", 0));
    let mut names: Vec<String> = seen.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    let fixed = ["accept", "host", "traceparent", "user-agent"];
    let ours = ["x-forwarded-proto", "x-matched-path", "x-request-id", "x-route-params"];
    assert_eq!(names, [fixed, ours].concat());
    for (name, value) in [
        ("host", host),
        ("accept", "*/*"),
        ("x-forwarded-proto", "http"),
        ("x-matched-path", "/items/[slug]"),
        ("x-route-params", "{\"slug\":\"a b\"}"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    let agent = seen.header("user-agent").unwrap_or_default();
    assert!(agent.starts_with("evergate/"), "{agent}");
    let id = seen.header("x-request-id").unwrap_or_default();
    assert!(id.len() >= 16 && id != "visitors", "{id}");
    let trace = seen.header("traceparent").unwrap_or_default();
    assert!(trace.starts_with("00-") && trace.len() == 55 && !trace.contains("1111111111111111"), "{trace}");
}

#[tokio::test]
async fn promise_1_a_cached_handler_sees_a_fixed_few_fields_and_nothing_of_the_visitors() {
    let origin = Origin::start().await;
    origin.on("/items/*", |_| Reply::ok("item"));
    let routes = "- path: /items/[slug]\n  revalidate: 1\n  authorization: strip";
    let gateway = Gateway::simple(&origin, routes).await;
    let miss = visit(&gateway, "/items/a%20b?utm_source=visitor", &PERSONAL).await;
    // The part that was asked for is cut from an answer that was asked for everyone.
    assert_eq!((miss.status, miss.x_cache(), miss.text()), (206, "MISS", "it"));
    assert_eq!(miss.header("content-range"), Some("bytes 0-1/4"));
    let whole = visit(&gateway, "/items/a%20b", &[]).await;
    assert_eq!((whole.status, whole.x_cache() == "PASS", whole.text()), (200, false, "item"));
    until("a refresh", async || {
        visit(&gateway, "/items/a%20b", &PERSONAL).await;
        origin.count("/items/*") == 2
    })
    .await;
    for seen in origin.seen("/items/*") {
        impersonal(&seen, &origin.address().to_string());
    }
}

#[tokio::test]
async fn promise_1_head_asks_the_same_and_the_upstream_may_have_a_name() {
    let origin = Origin::start().await;
    origin.on("/items/*", |_| Reply::ok("item"));
    let routes = "- path: /items/[slug]\n  revalidate: false\n  authorization: strip";
    let config = Gateway::simple_config(&origin, routes).replace("] }", "], host: handlers.internal }");
    let gateway = Gateway::start(&config).await;
    let mut client = Client::connect(gateway.address()).await;
    let head = client.request("HEAD", "/items/a%20b", &PERSONAL, "").await;
    assert_eq!((head.status, head.x_cache(), head.body.len()), (200, "MISS", 0));
    impersonal(&origin.seen("/items/*")[0], "handlers.internal");
}

/// What makes a request pass, where the route says nothing, and where it says
/// `bypass: { cookies: [draft], headers: [x-preview] }`.
const BYPASSES: [(Lines<'static>, bool, bool); 12] = [
    (&[], false, false),
    (&[("cookie", "__prerender_bypass=secret")], true, false),
    (&[("cookie", "a=1; __prerender_bypass=; b=2")], true, false),
    (&[("cookie", "a=1"), ("cookie", "__prerender_bypass=s")], true, false),
    (&[("cookie", "__prerender_bypass=s; name=Zo\u{eb}")], true, false),
    (&[("cookie", "__prerender_bypass2=s; a=__prerender_bypass")], false, false),
    (&[("cookie", "__PRERENDER_BYPASS=s")], false, false),
    (&[("cookie", "draft=1")], false, true),
    (&[("cookie", "drafts=1; a=draft")], false, false),
    (&[("X-Preview", "1")], false, true),
    (&[("x-preview", "")], false, true),
    (&[("x-previews", "1")], false, false),
];

#[tokio::test]
async fn promise_1_bypassing_requests_pass_whole_and_leave_nothing() {
    let origin = Origin::start().await;
    origin.on("/*", |seen| Reply::ok(if seen.header("x-visitor").is_some() { "own" } else { "shared" }));
    let routes = "- { path: /plain, revalidate: false }\n\
                  - { path: /named, revalidate: false, bypass: { cookies: [draft], headers: [x-preview] } }";
    let gateway = Gateway::simple(&origin, routes).await;
    for path in ["/plain", "/named"] {
        for round in ["cold", "warm"] {
            for (lines, plain, named) in BYPASSES {
                let lines = [lines, &[("x-visitor", "ann")]].concat();
                let response = visit(&gateway, path, &lines).await;
                let passes = if path == "/plain" { plain } else { named };
                assert_eq!(response.x_cache() == "PASS", passes, "{path} {round} {lines:?}");
                assert_eq!(response.text(), if passes { "own" } else { "shared" }, "{path} {round} {lines:?}");
                let expected = "evergate; fwd=bypass; fwd-status=200; detail=bypass";
                assert!(!passes || response.cache_status() == expected, "{}", response.cache_status());
            }
        }
        let shared = origin.seen(path).iter().filter(|seen| seen.header("x-visitor").is_none()).count();
        assert_eq!(shared, 1, "one fill for {path}, whoever passed in between");
    }
}
