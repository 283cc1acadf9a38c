//! What is added to and taken from the heads of requests and answers that pass.

use evergate_tests::{Client, Gateway, Origin, Reply, Response, get};

use super::{PLACES, last, start};

/// Header lines of an answer.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// What matched routes tell when the handler says nothing.
const NO_STORE: &str = "private, no-cache, no-store, max-age=0, must-revalidate";

/// What the gateway adds to every answer that passes, and what belongs to the connection.
const ADDED: [&str; 5] = ["cache-status", "x-cache", "connection", "keep-alive", "transfer-encoding"];

/// Fields by which handlers know the gateway.
const OURS: [(&str, &str); 13] = [
    ("x-matched-path", "/forged"),
    ("X-Route-Params", r#"{"forged":"1"}"#),
    ("x-prerender-revalidate", "secret"),
    ("x-prerender-revalidate-if-generated", "1"),
    ("x-now-route-matches", "1=forged"),
    ("x-middleware-subrequest", "src/middleware:src/middleware"),
    ("x-middleware-rewrite", "/forged"),
    ("X-Middleware-Set-Cookie", "a=b"),
    ("x-nextjs-data", "1"),
    ("x-nextjs-cache", "HIT"),
    ("x-invoke-path", "/forged"),
    ("x-invoke-output", "/forged"),
    ("x-invoke-status", "200"),
];

#[tokio::test]
async fn everything_a_visitor_says_reaches_the_handler() {
    let (origin, gateway) = start().await;
    let said = [
        ("Host", "Shop.Example:8080"),
        ("cookie", "a=1; b=2; c=\"3\""),
        ("authorization", "Bearer secret"),
        ("accept", "text/html"),
        ("X-Own", "one"),
        ("x-own", "two"),
        ("accept-encoding", "gzip, br"),
        ("cache-control", "no-cache"),
        ("if-none-match", "\"a\""),
        ("range", "bytes=0-3"),
        ("referer", "http://other/"),
        ("origin", "null"),
    ];
    for place in PLACES {
        let mut client = Client::connect(gateway.address()).await;
        client.request("POST", place, &said, "body").await;
        let seen = last(&origin, place);
        for (name, _) in said {
            let values: Vec<&str> =
                said.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| *value).collect();
            assert_eq!(seen.all(name), values, "{place} {name}");
        }
        assert_eq!(seen.all("content-length"), ["4"], "{place}");
    }
}

#[tokio::test]
async fn forwarding_fields_are_the_gateways_own() {
    let (origin, gateway) = start().await;
    let forged = [
        ("host", "Shop.Example:8080"),
        ("x-forwarded-for", "203.0.113.9"),
        ("X-Forwarded-For", "203.0.113.10"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
    ];
    for place in PLACES {
        let mut client = Client::connect(gateway.address()).await;
        client.request("POST", place, &forged, "").await;
        let seen = last(&origin, place);
        assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"], "{place}");
        assert_eq!(seen.all("x-forwarded-proto"), ["http"], "{place}");
        assert_eq!(seen.all("x-forwarded-host"), ["shop.example:8080"], "{place}");
        assert_eq!(seen.all("x-request-id").len(), 1, "{place}");
    }
    // Who names no host is given none.
    let mut client = Client::connect(gateway.address()).await;
    client.send_raw("GET /live/page HTTP/1.0\r\nx-forwarded-host: evil.example\r\n\r\n").await;
    assert_eq!(client.read_response("GET").await.status, 200);
    let seen = last(&origin, "/live/page");
    assert!(!seen.all("x-forwarded-host").contains(&"evil.example"), "{seen:?}");
}

#[tokio::test]
async fn what_concerns_one_connection_goes_no_further() {
    let (origin, gateway) = start().await;
    let said = [
        ("connection", "x-hop, keep-alive"),
        ("Connection", "X-Other"),
        ("x-hop", "1"),
        ("x-other", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("x-end", "1"),
    ];
    for place in PLACES {
        Client::connect(gateway.address()).await.request("POST", place, &said, "").await;
        let seen = last(&origin, place);
        for (name, _) in &said[2..6] {
            assert_eq!(seen.all(name).len(), 0, "{place} {name}");
        }
        assert!(!seen.all("connection").join(",").to_ascii_lowercase().contains("x-"), "{place}: {seen:?}");
        assert_eq!(seen.header("x-end"), Some("1"));
        // Calling the gateway's own word a matter of this connection takes none of it away.
        for own in
            ["host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-matched-path", "x-request-id"]
        {
            let asked = origin.count(place);
            let lines = [("host", "a"), ("connection", own), (own, "a")];
            let lines = if own == "host" { &lines[..2] } else { &lines };
            let answer = Client::connect(gateway.address()).await.request("POST", place, lines, "").await;
            let known = if place.starts_with("/none") && own == "x-matched-path" { 0 } else { 1 };
            match (answer.status, origin.count(place) - asked) {
                (400, 0) => {}
                (200, 1) => assert_eq!(last(&origin, place).all(own).len(), known, "{place} {own}"),
                other => panic!("{place} {own}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn what_only_the_gateway_says_cannot_be_said_by_a_visitor() {
    let (origin, gateway) = start().await;
    // A fetch for the cache, and requests that pass for each reason.
    let cases = PLACES.map(|place| ("POST", place)).into_iter().chain(PLACES.map(|place| ("GET", place)));
    for (method, place) in cases {
        let mut client = Client::connect(gateway.address()).await;
        client.request(method, place, &OURS, "").await;
        let seen = last(&origin, place);
        for (name, forged) in OURS {
            assert!(!seen.all(name).contains(&forged), "{method} {place} {name}");
            let own = matches!(name, "x-matched-path" | "X-Route-Params") && !place.starts_with("/none");
            assert_eq!(seen.all(name).len(), usize::from(own), "{method} {place} {name}");
        }
    }
}

#[tokio::test]
async fn requests_are_named_and_traced() {
    let (origin, gateway) = start().await;
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut ids = Vec::new();
    for place in PLACES {
        for method in ["GET", "POST"] {
            Client::connect(gateway.address()).await.request(method, place, &[], "").await;
            let seen = last(&origin, place);
            let [trace] = seen.all("traceparent")[..] else { panic!("one traceparent: {seen:?}") };
            let parts: Vec<&str> = trace.split('-').collect();
            assert!(matches!(&parts[..], ["00", id, parent, flags] if hex(id, 32) && hex(parent, 16) && hex(flags, 2)));
            assert!(
                !parts[1].bytes().all(|byte| byte == b'0') && !parts[2].bytes().all(|byte| byte == b'0'),
                "{trace}"
            );
            let [id] = seen.all("x-request-id")[..] else { panic!("one x-request-id: {seen:?}") };
            ids.extend([id.to_owned(), parts[1].to_owned()]);
        }
    }
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "no two requests have one name");
    // A visitor's own names go on, where the visitor's request does.
    let own = [("x-request-id", "mine"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    for place in &PLACES[1..] {
        Client::connect(gateway.address()).await.get_with(place, &own).await;
        let seen = last(&origin, place);
        for (name, value) in own {
            assert_eq!(seen.all(name), [value], "{place}");
        }
    }
}

#[tokio::test]
async fn matched_routes_say_so_with_their_parameters() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok(""));
    let routes = " [{ path: /plain }, { path: '/items/[slug]' }, { path: '/two/[a]/of/[b]' }, { path: '/docs/[...rest]' },\n\
        { path: '/maybe/[[...rest]]' }, { path: '/kept/[slug]', revalidate: 60 }]";
    let gateway = Gateway::simple(&origin, routes).await;
    let cases = [
        ("/plain", "/plain", "{}"),
        ("/items/a", "/items/[slug]", r#"{"slug":"a"}"#),
        ("/items/a?slug=b", "/items/[slug]", r#"{"slug":"a"}"#),
        ("/items/caf%C3%A9", "/items/[slug]", r#"{"slug":"caf\u00e9"}"#),
        ("/items/%F0%9F%A6%80", "/items/[slug]", r#"{"slug":"\ud83e\udd80"}"#),
        ("/items/a%2Fb", "/items/[slug]", r#"{"slug":"a/b"}"#),
        ("/items/%22%0D%0Ax:%20y", "/items/[slug]", r#"{"slug":"\"\r\nx: y"}"#),
        ("/two/1/of/2", "/two/[a]/of/[b]", r#"{"a":"1","b":"2"}"#),
        ("/docs/a/b%20c", "/docs/[...rest]", r#"{"rest":["a","b c"]}"#),
        ("/maybe", "/maybe/[[...rest]]", "{}"),
        ("/maybe/a", "/maybe/[[...rest]]", r#"{"rest":["a"]}"#),
        ("/kept/caf%c3%a9", "/kept/[slug]", r#"{"slug":"caf\u00e9"}"#),
    ];
    for (target, pattern, params) in cases {
        for method in ["GET", "POST"] {
            Client::connect(gateway.address()).await.request(method, target, &[], "").await;
            let seen = last(&origin, "/*");
            assert_eq!((seen.method.as_str(), seen.all("x-matched-path")), (method, vec![pattern]), "{target}");
            let [said] = seen.all("x-route-params")[..] else { panic!("one x-route-params: {seen:?}") };
            let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
            assert!(said.is_ascii() && parse(said) == parse(params), "{method} {target}: {said}");
        }
    }
    get(gateway.address(), "/elsewhere").await;
    let seen = last(&origin, "/elsewhere");
    assert_eq!((seen.all("x-matched-path").len(), seen.all("x-route-params").len()), (0, 0));
}

#[tokio::test]
async fn tags_are_for_the_gateway_and_cookies_are_for_the_visitor() {
    let (origin, gateway) = start().await;
    let cookies = ["b=2; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "a=1", "b=3; HttpOnly", "c=\"x, y\""];
    origin.on("/*", move |_| {
        let tags = Reply::ok("tagged")
            .header("Cache-Tag", "a, b")
            .header("cache-tag", "c")
            .header("Surrogate-Key", "a b")
            .header("x-next-cache-tags", "a,b")
            .header("Cache-Groups", "\"a\"");
        cookies.iter().fold(tags, |reply, cookie| reply.header("Set-Cookie", *cookie))
    });
    let look = |answer: Response, what: &str| {
        for tag in ["cache-tag", "surrogate-key", "x-next-cache-tags"] {
            assert_eq!(answer.all(tag).len(), 0, "{what} {tag}");
        }
        assert_eq!(answer.all("cache-groups"), ["\"a\""], "{what}");
        assert_eq!(answer.all("set-cookie"), cookies, "{what}");
    };
    for place in PLACES {
        look(Client::connect(gateway.address()).await.request("POST", place, &[], "").await, place);
        // On the route with a window a cookie declines the page, so this passes everywhere.
        look(get(gateway.address(), place).await, place);
    }
}

#[tokio::test]
async fn only_matched_dynamic_pages_without_a_word_of_their_own_say_no_store() {
    let (origin, gateway) = start().await;
    let cases: [(&str, u16, Lines<'_>, Option<&str>); 12] = [
        ("GET", 200, &[], Some(NO_STORE)),
        ("HEAD", 200, &[], Some(NO_STORE)),
        ("GET", 200, &[("cache-control", "max-age=5")], Some("max-age=5")),
        ("GET", 200, &[("cache-control", "")], Some("")),
        ("GET", 200, &[("expires", "0")], None),
        ("GET", 200, &[("etag", "\"a\"")], None),
        ("GET", 200, &[("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT")], None),
        ("GET", 404, &[], None),
        ("GET", 307, &[("location", "/")], None),
        ("POST", 200, &[], None),
        ("PUT", 201, &[], None),
        ("OPTIONS", 200, &[], None),
    ];
    for (method, status, lines, expected) in cases {
        let reply = lines.iter().fold(Reply::ok("").status(status), |reply, (name, value)| reply.header(*name, *value));
        origin.on("/*", move |_| reply.clone());
        for (place, adds) in [("/live/page", true), ("/none/page", false)] {
            let answer = Client::connect(gateway.address()).await.request(method, place, &[], "").await;
            let wanted = expected.filter(|value| adds || *value != NO_STORE);
            assert_eq!(answer.header("cache-control"), wanted, "{method} {status} {place} {lines:?}");
            assert_eq!(answer.all("cdn-cache-control").len(), 0);
            assert_eq!((answer.status, answer.header("age")), (status, None));
        }
    }
}

#[tokio::test]
async fn answers_without_a_route_are_not_touched() {
    let (origin, gateway) = start().await;
    let reply = Reply::ok("as it is")
        .status(203)
        .header("Date", "Wed, 21 Oct 2015 07:28:00 GMT")
        .header("Server", "handler/1")
        .header("X-Powered-By", "handler")
        .header("x-odd", "caf\u{e9}")
        .header("X-Twice", "1")
        .header("vary", "Accept")
        .header("x-twice", "2")
        .header("ETag", "W/\"a\"")
        .header("Via", "1.1 other")
        .header("Content-Type", "text/plain")
        .header("Content-Encoding", "identity")
        .header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
        .header("X-Empty", "")
        .header("Cache-Control", "public, max-age=60");
    origin.on("/*", move |_| reply.clone());
    for method in ["GET", "POST"] {
        let direct = Client::connect(origin.address()).await.request(method, "/none/page", &[], "").await;
        let through = Client::connect(gateway.address()).await.request(method, "/none/page", &[], "").await;
        assert_eq!((through.status, through.text()), (direct.status, direct.text()));
        assert_eq!(through.headers_without(&ADDED), direct.headers_without(&ADDED), "{method}");
        assert_eq!(through.x_cache(), "PASS");
    }
    // Nor is one that answers a condition.
    origin.on("/*", |_| Reply::ok("").status(304).header("etag", "\"a\"").header("date", "now"));
    let answer = Client::connect(gateway.address()).await.get_with("/none/page", &[("if-none-match", "\"a\"")]).await;
    assert_eq!((answer.status, answer.header("etag"), answer.header("date")), (304, Some("\"a\""), Some("now")));
}
