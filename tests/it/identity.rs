//! Promise 7: a hit is byte for byte what a miss would have sent, apart from `Age`, `Cache-Status`, `x-cache` and what a
//! streamed miss cannot know yet (a generated `ETag`, `Content-Length`, `Accept-Ranges`, and so how the body is framed).
//!
//! Each case is also compared with what the handler said, for two answers could be wrong in the same way.

use std::cell::RefCell;

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, Response, get, until};
use tokio::task::JoinSet;

/// Field lines.
type Lines = &'static [(&'static str, &'static str)];

/// What may differ between a miss and its hit.
const DIFFERS: [&str; 7] =
    ["age", "cache-status", "x-cache", "content-length", "transfer-encoding", "accept-ranges", "etag"];

/// What the gateway adds to stored successes of handlers that say nothing of caching.
const ADDED: Lines = &[
    ("cache-control", "public, max-age=0, must-revalidate"),
    ("cdn-cache-control", "public, max-age=60, stale-while-revalidate=60"),
];

const DATE: (&str, &str) = ("date", "Sun, 01 Nov 2026 10:00:00 GMT");

/// A handler's answer: status, field lines, body.
type Shape = (u16, Lines, &'static [u8]);

const SHAPES: [(&str, Shape); 21] = [
    ("plain", (200, &[("content-type", "text/plain; charset=utf-8"), DATE], b"body")),
    ("nothing-said", (200, &[DATE], b"no content-type")),
    ("empty", (200, &[("content-type", "text/html"), DATE], b"")),
    ("no-content", (204, &[("x-a", "1"), DATE], b"")),
    ("own-caching", (200, &[("cache-control", "public, max-age=5"), ("expires", "0"), DATE], b"x")),
    ("own-validators", (200, &[("etag", "\"own\""), ("last-modified", "Sun, 01 Nov 2026 09:00:00 GMT"), DATE], b"x")),
    ("weak-validator", (200, &[("ETag", "W/\"own\""), DATE], b"x")),
    ("non-authoritative", (203, &[DATE], b"from elsewhere")),
    ("not-found", (404, &[("content-type", "text/html"), DATE], b"<p>none</p>")),
    ("gone", (410, &[DATE], b"gone")),
    ("moved", (301, &[("location", "/new?a=1&b=%20"), DATE], b"moved")),
    ("found", (302, &[("location", "https://example.com/"), ("x-a", "1"), DATE], b"")),
    ("see-other", (303, &[("location", "../up"), DATE], b"")),
    ("temporary", (307, &[DATE, ("location", "/new")], b"")),
    ("permanent", (308, &[("location", "/new"), ("content-type", "text/plain"), DATE], b"/new")),
    (
        "repeated-lines",
        (
            200,
            &[("link", "</a>; rel=preload"), ("Link", "</b>"), ("link", "</c>"), ("vary", "a"), ("vary", "b, c"), DATE],
            b"x",
        ),
    ),
    (
        "odd-values",
        (
            200,
            &[
                ("x-empty", ""),
                ("x-text", "Zo\u{eb} \u{1f980}"),
                ("x-spaces", "a  b\tc"),
                ("x-quoted", "\"a, b\"; c=\"d\\\"\""),
                ("x-1!#$%&'*+-.^_`|~", "odd"),
                DATE,
            ],
            b"x",
        ),
    ),
    (
        "security",
        (
            200,
            &[
                ("strict-transport-security", "max-age=1"),
                ("content-security-policy", "default-src 'self'"),
                ("Access-Control-Allow-Origin", "*"),
                ("X-Powered-By", "handler"),
                ("server", "handler/1"),
                ("content-language", "fi"),
                ("content-disposition", "attachment; filename=\"a b.txt\""),
                DATE,
            ],
            b"x",
        ),
    ),
    (
        "encoded",
        (200, &[("content-encoding", "gzip"), ("vary", "accept-encoding"), DATE], &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0]),
    ),
    (
        "zeroes",
        (200, &[("content-type", "application/octet-stream"), DATE], &[0, 13, 10, 13, 10, 0, 255, 254, 48, 13, 10]),
    ),
    ("like-http", (200, &[DATE], b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n0\r\n\r\n")),
];

/// A miss and then a hit of the same path, over one connection.
async fn miss_and_hit(gateway: &Gateway, path: &str) -> (Response, Response) {
    let mut client = Client::connect(gateway.address()).await;
    let miss = client.get(path).await;
    let hit = client.get(path).await;
    assert_eq!((miss.x_cache(), hit.x_cache()), ("MISS", "HIT"), "{path}");
    (miss, hit)
}

/// The field lines in their order, with names in lower case, without those that may differ.
fn kept(response: &Response) -> Vec<(String, String)> {
    let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
    response.headers.iter().map(lower).filter(|(name, _)| !DIFFERS.contains(&name.as_str())).collect()
}

/// Asserts that the two are the same message, and the message that the handler sent.
fn same(name: &str, (miss, hit): &(Response, Response), (status, lines, body): (u16, Lines, &[u8])) {
    assert_eq!((miss.status, &miss.reason), (hit.status, &hit.reason), "{name}");
    assert_eq!(kept(miss), kept(hit), "{name}: the fields of a miss and of its hit");
    assert!(miss.body == hit.body && hit.body == body, "{name}: the body");
    assert!(miss.complete && hit.complete && miss.trailers.is_empty() && hit.trailers.is_empty(), "{name}: its end");
    assert_eq!(hit.status, status, "{name}");
    let mut expected =
        Response { headers: lines.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(), ..Response::default() };
    if (200..300).contains(&status) && expected.header("cache-control").is_none() {
        expected.headers.extend(ADDED.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
    }
    assert_eq!(hit.headers_without(&DIFFERS), expected.headers_without(&DIFFERS), "{name}: what the handler said");
    let length = (status != 204).then(|| body.len().to_string());
    assert_eq!(hit.all("content-length"), length.iter().map(String::as_str).collect::<Vec<_>>(), "{name}");
    assert_eq!(hit.header("transfer-encoding"), None, "{name}");
    match expected.header("etag") {
        Some(own) => assert_eq!((miss.all("etag"), hit.all("etag")), (vec![own], vec![own]), "{name}"),
        None => assert_eq!(miss.all("etag"), [""; 0], "{name}"),
    }
    for added in ["age", "cache-status", "x-cache", "etag", "date", "cache-control", "cdn-cache-control"] {
        assert!(hit.all(added).len() <= 1 && miss.all(added).len() <= 1, "{name}: {added} is told once");
    }
}

/// An origin and a gateway that keeps whatever it says on paths of one segment for a minute.
async fn keeping() -> (Origin, Gateway) {
    let origin = Origin::start().await;
    let gateway = Gateway::simple(&origin, "- { path: \"/[shape]\", revalidate: 60 }").await;
    (origin, gateway)
}

#[tokio::test]
async fn promise_7_a_hit_is_what_the_miss_sent_whatever_its_shape() {
    let (origin, gateway) = keeping().await;
    for (name, shape) in SHAPES {
        let (status, lines, body) = shape;
        let reply =
            lines.iter().fold(Reply::ok(body).status(status), |reply, (name, value)| reply.header(*name, *value));
        let path = format!("/{name}");
        origin.on(&path, move |_| reply.clone());
        let both = miss_and_hit(&gateway, &path).await;
        same(name, &both, shape);
        // Here the length was known from the start.
        assert_eq!(both.0.all("content-length"), both.1.all("content-length"), "{name}");
        assert_eq!(origin.count(&path), 1, "{name}");
    }
}

#[tokio::test]
async fn promise_7_chunked_bodies_become_whole_ones() {
    let (origin, gateway) = keeping().await;
    let large: Vec<u8> = (0..300_000_u32).map(|number| number.to_le_bytes()[number as usize % 4]).collect();
    for (name, pieces) in [
        ("chunks", vec![&b"one"[..], b"two", b"three"]),
        ("one-chunk", vec![&b"one"[..]]),
        ("no-chunk", vec![]),
        ("large", large.chunks(7919).collect()),
        ("like-chunks", vec![&b"5\r\nhello\r\n"[..], b"0\r\n\r\n"]),
    ] {
        let reply = Reply::ok("").chunks(&pieces).header("date", DATE.1).trailer("x-trailer", "not kept");
        let path = format!("/{name}");
        origin.on(&path, move |_| reply.clone());
        let both = miss_and_hit(&gateway, &path).await;
        same(name, &both, (200, &[DATE], &pieces.concat()));
        // A miss that was whole by the time it was sent may tell its length.
        let framing = [both.0.header("transfer-encoding"), both.0.header("content-length")];
        assert!(
            framing == [Some("chunked"), None] || framing == [None, both.1.header("content-length")],
            "{framing:?}"
        );
    }
}

#[tokio::test]
async fn promise_7_large_and_binary_bodies_of_known_length() {
    let (origin, gateway) = keeping().await;
    for length in [1, 4095, 4096, 65_536, 65_537, 1_000_003] {
        let body: Vec<u8> = (0..length).map(|number: usize| number.wrapping_mul(31).to_le_bytes()[0]).collect();
        let path = format!("/{length}");
        let reply = Reply::ok(&body).header("date", DATE.1);
        origin.on(&path, move |_| reply.clone());
        same(&path, &miss_and_hit(&gateway, &path).await, (200, &[DATE], &body));
    }
}

#[tokio::test]
async fn promise_7_many_and_long_fields() {
    let (origin, gateway) = keeping().await;
    let reply =
        (0..100).fold(Reply::ok("x"), |reply, number| reply.header(format!("x-{number}"), "v".repeat(number * 5)));
    origin.on("/many", move |_| reply.clone().header("date", DATE.1));
    let (miss, hit) = miss_and_hit(&gateway, "/many").await;
    assert_eq!(kept(&miss), kept(&hit));
    for number in 0..100 {
        assert_eq!(hit.all(&format!("x-{number}")), ["v".repeat(number * 5)]);
    }
}

#[tokio::test]
async fn promise_7_what_belongs_to_the_connection_or_to_the_gateway_is_in_neither() {
    let (origin, gateway) = keeping().await;
    const DROPPED: [(&str, &str); 10] = [
        ("connection", "x-hop, keep-alive"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("trailer", "x-end"),
        ("upgrade", "h2c"),
        ("cache-tag", "a, b"),
        ("surrogate-key", "a b"),
        ("x-next-cache-tags", "a,b"),
    ];
    let reply = DROPPED.iter().fold(Reply::ok("x"), |reply, (name, value)| reply.header(*name, *value));
    let reply = reply.header("x-kept", "1").header("date", DATE.1);
    origin.on("/hop", move |_| reply.clone());
    let both = miss_and_hit(&gateway, "/hop").await;
    same("hop", &both, (200, &[("x-kept", "1"), DATE], b"x"));
}

#[tokio::test]
async fn promise_7_the_gateways_own_words_are_told_once_whatever_the_handler_says() {
    let (origin, gateway) = keeping().await;
    let reply = Reply::ok("x").header("x-cache", "HIT from a cache behind").header("age", "100").header("date", DATE.1);
    let reply = reply.header("cache-status", "behind; hit");
    for path in ["/behind", "/behind/*"] {
        let reply = reply.clone();
        origin.on(path, move |_| reply.clone());
    }
    for (x_cache, path) in [("MISS", "/behind"), ("HIT", "/behind"), ("PASS", "/behind/dynamic")] {
        let response = get(gateway.address(), path).await;
        assert_eq!(response.all("x-cache"), [x_cache]);
        // Each cache adds itself at the end of the list (RFC 9211 section 2).
        let list = response.all("cache-status").join(", ");
        assert!(list.starts_with("behind; hit, evergate; "), "{x_cache}: {list}");
        // The age goes on from what it was when it came (RFC 9111 section 4.2.3).
        assert!(response.all("age").len() == 1 && response.age() >= Some(100), "{x_cache}: {:?}", response.all("age"));
    }
}

#[tokio::test]
async fn promise_7_those_who_share_a_fill_get_the_same_answer() {
    let (origin, gateway) = keeping().await;
    let gate = Gate::new();
    let reply = Reply::ok("shared").header("age", "100").header("x-a", "1").header("date", DATE.1).gate_after(0, &gate);
    origin.on("/shared", move |_| reply.clone());
    let mut visitors = JoinSet::new();
    for _ in 0..10 {
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", "/shared", &[], "").await;
        visitors.spawn(async move { client.read_response("GET").await });
    }
    gate.arrived(1).await;
    gate.open();
    let answers = visitors.join_all().await;
    let hit = get(gateway.address(), "/shared").await;
    for answer in answers {
        assert_eq!((answer.text(), kept(&answer)), ("shared", kept(&hit)), "{}", answer.cache_status());
        assert!(answer.all("age").len() == 1 && answer.age() >= Some(100), "{:?}", answer.all("age"));
    }
    assert_eq!(origin.count("/shared"), 1);
}

#[tokio::test]
async fn promise_7_stale_answers_are_the_stored_ones_too() {
    let origin = Origin::start().await;
    let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: 1 }").await;
    origin.on("/p", |_| Reply::ok("page").header("x-a", "1").header("date", DATE.1));
    let (miss, hit) = miss_and_hit(&gateway, "/p").await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/p", move |_| Reply::ok("new").gate(&held));
    let last = RefCell::new(Response::default());
    until("it is stale", async || {
        let response = get(gateway.address(), "/p").await;
        let stale = response.x_cache() == "STALE";
        last.replace(response);
        stale
    })
    .await;
    let stale = last.into_inner();
    assert_eq!((kept(&stale), &stale.body, stale.header("etag")), (kept(&hit), &miss.body, hit.header("etag")));
}

#[tokio::test]
async fn promise_7_the_operators_cache_control_replaces_the_handlers_in_both() {
    let origin = Origin::start().await;
    let routes = "- { path: \"/[x]\", revalidate: 60, cache_control: \"public, max-age=30\" }";
    let gateway = Gateway::simple(&origin, routes).await;
    origin.on("/silent", |_| Reply::ok("x").header("date", DATE.1));
    origin.on("/speaks", |_| Reply::ok("x").header("cache-control", "max-age=7").header("date", DATE.1));
    for path in ["/silent", "/speaks"] {
        let (miss, hit) = miss_and_hit(&gateway, path).await;
        assert_eq!(kept(&miss), kept(&hit), "{path}");
        assert_eq!(
            (hit.all("cache-control"), hit.all("cdn-cache-control")),
            (vec!["public, max-age=30"], vec![]),
            "{path}"
        );
        assert_eq!(hit.all("content-length"), ["1"], "{path}");
    }
}

#[tokio::test]
async fn promise_7_http_1_0_gets_the_same_and_the_connection_closes() {
    let (origin, gateway) = keeping().await;
    origin.on("/old", |_| Reply::ok("").chunks(["pa", "ge"]).header("date", DATE.1));
    let mut answers = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(gateway.address()).await;
        client.send_raw("GET /old HTTP/1.0\r\n\r\n").await;
        answers.push(client.read_response("GET").await);
        client.expect_closed().await;
    }
    until("it is stored", async || get(gateway.address(), "/old").await.x_cache() == "HIT").await;
    for answer in &answers {
        assert_eq!((answer.text(), answer.header("transfer-encoding")), ("page", None));
        assert_eq!(kept(answer), kept(&answers[0]));
    }
}
