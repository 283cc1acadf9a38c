//! What the handler gets to see, and what is added to its answer: the request is forwarded whole, and the answer comes as it is.

use evergate_tests::{Client, Gateway, Origin, Reply, Seen};

use super::{ask, essence, in_front_of, once, visit};

/// What a visitor may send that concerns the page, each name with its lines.
const SENT: [(&str, &[&str]); 16] = [
    ("accept", &["text/html, */*;q=0.1"]),
    ("accept-encoding", &["zstd, br"]),
    ("accept-language", &["fi", "en;q=0.5"]),
    ("authorization", &["Basic YW5u"]),
    ("cache-control", &["max-age=100"]),
    ("content-type", &["text/plain"]),
    ("cookie", &["a=1; b=\"2\"; theme=x"]),
    ("if-modified-since", &["Sun, 06 Nov 1994 08:49:37 GMT"]),
    ("if-none-match", &["\"a\", W/\"b\""]),
    ("origin", &["https://example.com"]),
    ("referer", &["https://example.com/?q=1"]),
    ("user-agent", &["visitor/1"]),
    ("x-anything", &["1", "2"]),
    ("x-request-id", &["mine"]),
    ("traceparent", &["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]),
    ("x-empty", &[""]),
];

/// The last request that came to `/p`.
fn last(origin: &Origin) -> Seen {
    origin.seen("/p").pop().expect("the handler was asked")
}

#[tokio::test]
async fn the_request_is_forwarded_whole() {
    let (origin, gateway) = in_front_of(|_| Reply::ok("page").header("cache-control", "max-age=60"), "").await;
    let lines: Vec<(&str, &str)> =
        SENT.iter().flat_map(|(name, lines)| lines.iter().map(move |line| (*name, *line))).collect();
    for (method, passes) in [("GET", false), ("HEAD", true), ("POST", true)] {
        ask(&gateway, "DELETE", &[]).await;
        let answer = ask(&gateway, method, &lines).await;
        assert_eq!((answer.status, answer.x_cache() == "PASS"), (200, passes), "{method}");
        let seen = last(&origin);
        assert_eq!(seen.method, method);
        for (name, lines) in SENT {
            assert_eq!(seen.all(name), lines, "{method}: {name}");
        }
        assert_eq!(seen.all("via"), ["1.1 evergate"], "{method}");
        assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"], "{method}");
        assert_eq!(seen.all("x-forwarded-proto"), ["http"], "{method}");
        assert_eq!(seen.all("x-matched-path"), ["/p"], "{method}");
        assert_eq!(seen.all("x-route-params"), ["{}"], "{method}");
        assert_eq!(seen.all("host").len(), 1, "{method}");
    }
}

#[tokio::test]
async fn lines_of_cookies_are_one_line_for_the_handler() {
    let (origin, gateway) = in_front_of(|_| Reply::ok("page"), "").await;
    for method in ["GET", "POST"] {
        ask(&gateway, method, &[("cookie", "a=1"), ("Cookie", "b=2; c=3")]).await;
        assert_eq!(last(&origin).all("cookie"), ["a=1; b=2; c=3"], "{method}");
    }
}

/// Queries that are all different, and reach the handler as they were sent.
const QUERIES: [&str; 15] = [
    "",
    "?",
    "?a=1&b=2",
    "?b=2&a=1",
    "?a=1&b=2&",
    "?a=1&&b=2",
    "?a=1&a=2",
    "?a=2&a=1",
    "?a",
    "?a=",
    "?utm_source=x&gclid=y",
    "?gclid=y&utm_source=x",
    "?utm_source=x",
    "?q=a+b",
    "?q=a%20b",
];

#[tokio::test]
async fn promise_1_every_query_is_a_page_of_its_own() {
    let reply = |seen: &Seen| Reply::ok(seen.query()).header("cache-control", "max-age=60");
    let (origin, gateway) = in_front_of(reply, "").await;
    for x_cache in ["MISS", "HIT"] {
        for query in QUERIES {
            let response = Client::connect(gateway.address()).await.get(&format!("/p{query}")).await;
            assert_eq!(essence(&response), (x_cache, query.trim_start_matches('?')), "{query}");
        }
    }
    let asked: Vec<String> = origin.seen("/p").into_iter().map(|seen| seen.target).collect();
    assert_eq!(asked, QUERIES.map(|query| format!("/p{query}")));
}

#[tokio::test]
async fn what_concerns_the_visitors_connection_ends_here() {
    // RFC 9110 section 7.6.1.
    let (origin, gateway) = in_front_of(|_| Reply::ok("page"), "").await;
    let lines = [
        ("connection", "keep-alive, X-Hop"),
        ("Connection", "x-other"),
        ("x-hop", "1"),
        ("x-other", "2"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("x-end", "stays"),
    ];
    for method in ["GET", "HEAD", "POST"] {
        ask(&gateway, method, &lines).await;
        let seen = last(&origin);
        for name in ["x-hop", "x-other", "keep-alive", "proxy-connection"] {
            assert_eq!(seen.header(name), None, "{method}: {name}");
        }
        assert_eq!(seen.header("x-end"), Some("stays"), "{method}");
    }
}

#[tokio::test]
async fn promise_1_no_visitor_speaks_for_the_gateway() {
    let (origin, gateway) = in_front_of(|_| Reply::ok("page"), "").await;
    const SPOOFED: [&str; 16] = [
        "forwarded",
        "x-forwarded-for",
        "X-Forwarded-Proto",
        "x-forwarded-host",
        "x-forwarded-server",
        "x_forwarded_for",
        "x-matched-path",
        "X-Matched_Path",
        "x-route-params",
        "x-now-route-matches",
        "x-prerender-revalidate",
        "x-prerender-revalidate-if-generated",
        "x-middleware-rewrite",
        "x-middleware-subrequest",
        "x-nextjs-data",
        "x-invoke-path",
    ];
    let lines = SPOOFED.map(|name| (name, "spoofed"));
    for method in ["GET", "HEAD", "POST"] {
        ask(&gateway, method, &lines).await;
        let seen = last(&origin);
        let spoofed: Vec<&(String, String)> =
            seen.headers.iter().filter(|(_, value)| value.contains("spoofed")).collect();
        assert!(spoofed.is_empty(), "{method}: {spoofed:?}");
    }
}

#[tokio::test]
async fn via_names_every_hop() {
    let reply = |_: &Seen| Reply::ok("page").header("cache-control", "max-age=60").header("via", "1.1 behind");
    let (origin, gateway) = in_front_of(reply, "").await;
    for x_cache in ["MISS", "HIT", "PASS"] {
        let method = if x_cache == "PASS" { "POST" } else { "GET" };
        let response = ask(&gateway, method, &[("via", "1.0 before")]).await;
        assert_eq!(response.x_cache(), x_cache);
        assert_eq!(response.all("via").join(", "), "1.1 behind, 1.1 evergate", "{x_cache}");
        assert_eq!(last(&origin).all("via").join(", "), "1.0 before, 1.1 evergate", "{x_cache}");
    }
}

/// What an answer says, and nothing of which the gateway takes away.
const SAID: [(&str, &str); 16] = [
    ("Cache-Control", "max-age=60, x=\"a, b\""),
    ("cache-status", "behind; hit"),
    ("CDN-Cache-Control", "max-age=60"),
    ("content-language", "fi"),
    ("content-type", "text/html"),
    ("date", "Tue, 01 Jan 2097 00:00:00 GMT"),
    ("expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
    ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ("link", "</a>; rel=preload"),
    ("link", "</b>; rel=preload"),
    ("pragma", "x"),
    ("server", "handler/1"),
    ("vary", "accept"),
    ("warning", "299 - \"x\""),
    ("X-Empty", ""),
    ("x-same", "1"),
];

/// What the gateway adds, and what frames the body.
const ADDED: [&str; 7] = ["age", "via", "cache-status", "x-cache", "content-length", "transfer-encoding", "connection"];

#[tokio::test]
async fn promise_7_nothing_is_added_to_the_answer_but_what_became_of_it() {
    for status in [200, 404, 299] {
        let reply = move |_: &Seen| super::said(Reply::ok("page").status(status), &SAID);
        let (_origin, gateway) = in_front_of(reply, "").await;
        let sorted = |mut fields: Vec<(String, String)>| {
            fields.retain(|(name, _)| !ADDED.contains(&name.as_str()));
            fields
        };
        let mut expected: Vec<(String, String)> =
            SAID.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned())).collect();
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        let expected = sorted(expected);
        for x_cache in ["MISS", "HIT", "HIT"] {
            let response = visit(&gateway, &[]).await;
            assert_eq!((response.status, essence(&response)), (status, (x_cache, "page")));
            assert_eq!(sorted(response.headers_without(&[])), expected, "{status} {x_cache}");
            // Each cache adds itself at the end (RFC 9211 section 2).
            let statuses = response.all("cache-status").join(", ");
            assert!(statuses.starts_with("behind; hit, evergate; "), "{x_cache}: {statuses}");
        }
    }
}

#[tokio::test]
async fn promise_7_nothing_is_added_to_an_answer_that_is_not_kept_or_passes() {
    let reply = |_: &Seen| Reply::ok("page").header("x-same", "1").header("date", "Tue, 01 Jan 2097 00:00:00 GMT");
    let (_origin, gateway) = in_front_of(reply, "").await;
    for (method, lines) in [("GET", &[][..]), ("GET", &[("range", "bytes=0-1")]), ("HEAD", &[]), ("POST", &[])] {
        let response = ask(&gateway, method, lines).await;
        let fields = response.headers_without(&ADDED);
        let expected = [("date", "Tue, 01 Jan 2097 00:00:00 GMT"), ("x-same", "1")];
        let expected: Vec<(String, String)> =
            expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!((response.status, fields), (200, expected), "{method} {lines:?}");
    }
}

#[tokio::test]
async fn sites_have_pages_of_their_own_where_they_are_told_apart() {
    let origin = Origin::start().await;
    origin.on("/p", |seen| {
        let host = seen.all("host").join("+");
        Reply::ok(host).header("cache-control", "max-age=60")
    });
    let gateway: Gateway = once(&origin, "- { path: /p, revalidate: origin }\nhosts: [one.test, two.test]").await;
    for (host, x_cache) in [("one.test", "MISS"), ("two.test", "MISS"), ("one.test", "HIT"), ("TWO.test", "HIT")] {
        let response = Client::connect(gateway.address()).await.get_with("/p", &[("host", host)]).await;
        assert_eq!(essence(&response), (x_cache, host.to_lowercase().as_str()));
    }
    let other = Client::connect(gateway.address()).await.get_with("/p", &[("host", "three.test")]).await;
    assert_eq!((other.status, origin.count("/p")), (421, 2));
}
