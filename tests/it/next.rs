//! A real Next.js 16 behind the gateway: `next build` and `next start` of `tests/next-app`, whose handlers are those of
//! the Route Handler reference. Dynamic handlers must look as if there were no gateway, cached ones as their route
//! says.
//!
//! Each test starts its own server, so that run counters and switches belong to it alone.
#![expect(clippy::expect_used, clippy::panic, reason = "what the tests share reports a failed test by panicking")]

mod draft;
mod import;
mod pages;
mod server;
mod stale;
mod vectors;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use evergate_tests::{Client, Response, get, until};
use tokio::task::JoinSet;

use server::{Next, in_front_of};

/// Header lines of a request.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// One request: method, target, header lines, body.
type Row = (&'static str, &'static str, Lines<'static>, &'static str);

/// What a visitor gets: status, header lines sorted by name, body.
type Essence = (u16, Vec<(String, String)>, Vec<u8>);

/// Header lines that belong to a connection or a moment, or that the gateway adds to every answer.
const OF_THE_HOP: [&str; 6] = ["cache-status", "connection", "date", "keep-alive", "x-cache", "x-request-id"];

/// Header lines that the gateway adds to stored responses, and the framing, which storing changes.
const OF_THE_STORE: [&str; 7] =
    ["accept-ranges", "age", "cache-control", "cdn-cache-control", "content-length", "etag", "transfer-encoding"];

/// What matched routes without a window tell browsers when the handler says nothing.
const NO_STORE: &str = "private, no-cache, no-store, max-age=0, must-revalidate";

const JSON: Lines<'static> = &[("content-type", "application/json")];
const FORM: Lines<'static> = &[("content-type", "application/x-www-form-urlencoded")];
const MULTIPART: Lines<'static> = &[("content-type", "multipart/form-data; boundary=limit")];
const MULTIPART_BODY: &str = "--limit\r\ncontent-disposition: form-data; name=\"name\"\r\n\r\nZo\u{eb}\r\n\
    --limit\r\ncontent-disposition: form-data; name=\"email\"\r\n\r\nzoe@example.com\r\n--limit--\r\n";
const PREFLIGHT: Lines<'static> = &[
    ("origin", "https://acme.com"),
    ("access-control-request-method", "PUT"),
    ("access-control-request-headers", "content-type"),
];

/// Handlers that answer the same thing each time they are asked.
const DYNAMIC: [Row; 41] = [
    ("GET", "/api/hello", &[], ""),
    ("HEAD", "/api/hello", &[], ""),
    ("GET", "/items/a", &[], ""),
    ("GET", "/items/a%2Fb", &[], ""),
    ("PUT", "/items/a", JSON, r#"{"name":"put"}"#),
    ("DELETE", "/items/a", &[], ""),
    ("OPTIONS", "/items/a", &[], ""),
    ("POST", "/items/a", JSON, "{}"),
    ("POST", "/items", JSON, r#"{"list":[1,2,{"three":null}]}"#),
    ("POST", "/form", FORM, "name=Zo%C3%AB&email=zoe%40example.com"),
    ("POST", "/form", MULTIPART, MULTIPART_BODY),
    ("GET", "/api/cookies", &[("cookie", "a=kept; z=26")], ""),
    ("GET", "/api/headers", &[("referer", "https://example.com/from?a=1")], ""),
    ("GET", "/api/redirect", &[], ""),
    ("HEAD", "/api/redirect", &[], ""),
    ("GET", "/api/search?query=hello%20world&b=2&a=1", &[], ""),
    ("GET", "/stream", &[], ""),
    ("GET", "/api/cors", &[("origin", "https://acme.com")], ""),
    ("OPTIONS", "/api/cors", PREFLIGHT, ""),
    ("PUT", "/api/cors", &[], "no such method"),
    ("POST", "/api/webhook", &[("content-type", "text/plain")], "\u{1}raw\u{0}\r\n\u{1f980}"),
    ("GET", "/rss.xml", &[], ""),
    ("GET", "/api/session", &[("cookie", "session=known")], ""),
    ("GET", "/nothing/here", &[], ""),
    ("HEAD", "/rss.xml", &[], ""),
    // The rows of the table of `params`.
    ("GET", "/dashboard/1", &[], ""),
    ("GET", "/shop/1/2", &[], ""),
    ("GET", "/blog/1/2", &[], ""),
    ("GET", "/blog/a%2Fb/c%20d", &[], ""),
    ("GET", "/shop/%E4%BD%A0/x+y", &[], ""),
    ("GET", "/dashboard/1/2", &[], ""),
    ("GET", "/api/multi-cookie", &[], ""),
    ("GET", "/api/multi-cookie", &[("cookie", "token=ann; a=0")], ""),
    ("POST", "/api/echo", &[], "\u{0}\r\n0\r\n\r\n\u{7f}\u{1f980}"),
    ("PATCH", "/items/a", JSON, "{}"),
    // What is no page: a handler's image, and documents for which Next.js has conventions of its own.
    ("GET", "/pixel.png", &[], ""),
    ("HEAD", "/pixel.png", &[], ""),
    ("GET", "/sitemap.xml", &[], ""),
    ("GET", "/robots.txt", &[], ""),
    ("HEAD", "/robots.txt", &[], ""),
    ("OPTIONS", "/rss.xml", &[], ""),
];

#[tokio::test(flavor = "multi_thread")]
async fn dynamic_handlers_answer_as_straight_from_next() {
    let next = Next::start().await;
    let gateway = in_front_of(&next, "[]").await;
    for row in &DYNAMIC {
        let direct = ask(next.address, row).await;
        let through = ask(gateway.address(), row).await;
        assert_eq!(essence(&through, &OF_THE_HOP), essence(&direct, &OF_THE_HOP), "{} {}", row.0, row.1);
    }
    // What nobody has heard of is Next's own to refuse; how it frames the refusal is a matter of the connection.
    let unknown: Row = ("BREW", "/api/hello", &[], "");
    let (direct, through) = (ask(next.address, &unknown).await, ask(gateway.address(), &unknown).await);
    assert_eq!((direct.status, through.status, through.body.len()), (400, 400, 0));
    switch(next.address, "/fail", "on").await;
    let broken: Row = ("GET", "/fail", &[], "");
    let direct = ask(next.address, &broken).await;
    assert_eq!(direct.status, 500);
    assert_eq!(essence(&ask(gateway.address(), &broken).await, &OF_THE_HOP), essence(&direct, &OF_THE_HOP));
}

#[tokio::test(flavor = "multi_thread")]
async fn matched_dynamic_handlers_say_no_store_and_nothing_else_changes() {
    let next = Next::start().await;
    let gateway = in_front_of(
        &next,
        "[{ path: /api/hello }, { path: '/items/[slug]' }, { path: /api/redirect }, { path: /posts }]",
    )
    .await;
    for (target, added) in [("/api/hello", Some(NO_STORE)), ("/items/a", Some(NO_STORE)), ("/api/redirect", None)] {
        let direct = get(next.address, target).await;
        let through = get(gateway.address(), target).await;
        let ignored = [&OF_THE_HOP[..], &["cache-control"]].concat();
        assert_eq!(essence(&through, &ignored), essence(&direct, &ignored), "{target}");
        assert_eq!(through.header("cache-control"), added, "{target}");
    }
    // This handler does say something: Next.js caches it for two seconds.
    let through = get(gateway.address(), "/posts").await;
    let said = through.header("cache-control").unwrap_or_default();
    assert!(said.starts_with("s-maxage=2"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamic_handlers_see_the_visitor_and_cached_ones_see_only_the_key() {
    const VISITOR: Lines<'static> = &[
        ("cookie", "who=me"),
        ("user-agent", "visitor/1"),
        ("accept-language", "fr"),
        ("x-own", "1"),
        ("x-forwarded-for", "203.0.113.9"),
        ("x-route-params", "{}"),
        ("x-nextjs-data", "1"),
        ("x-middleware-subrequest", "1"),
        ("x-prerender-revalidate", "1"),
        ("x-invoke-path", "/fail"),
    ];
    let next = Next::start().await;
    let dynamic = in_front_of(&next, "[{ path: '/live/seen/[part]' }]").await;
    let row: Row = ("GET", "/live/seen/x%2Fy?b=2&a=1", VISITOR, "");
    let seen = ask(dynamic.address(), &row).await.json();
    for (name, value) in &VISITOR[..4] {
        assert_eq!(seen["headers"][name], *value, "{name}: {seen}");
    }
    assert_eq!(seen["headers"]["x-forwarded-for"], "127.0.0.1", "a visitor's own is not believed: {seen}");
    assert_eq!(seen["headers"]["x-forwarded-host"], dynamic.address().to_string(), "{seen}");
    assert_eq!(seen["search"], "?b=2&a=1", "{seen}");

    let cached = in_front_of(&next, "[{ path: '/live/seen/[part]', revalidate: 1h, query: [a] }]").await;
    let kept = ask(cached.address(), &row).await.json();
    for name in ["cookie", "accept-language", "x-own"] {
        assert!(kept["headers"][name].is_null(), "{name} is not in the key: {kept}");
    }
    assert_ne!(kept["headers"]["user-agent"], "visitor/1", "{kept}");
    assert!(!kept.to_string().contains("203.0.113.9"), "{kept}");
    assert_eq!(kept["search"], "?a=1", "{kept}");
    for answer in [seen, kept] {
        // Next.js takes `x-matched-path` away itself, so that the parameters alone show what the gateway matched.
        assert_eq!(answer["headers"]["x-route-params"], r#"{"part":"x/y"}"#, "{answer}");
        for (name, _) in &VISITOR[6..] {
            assert!(answer["headers"][name].is_null(), "{name} is Next's own: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_gives_miss_hit_stale_and_one_run_for_each_refresh() {
    let next = Next::start().await;
    let gateway = in_front_of(&next, "[{ path: /live/posts, revalidate: 2 }]").await;
    let address = gateway.address();
    let first = get(address, "/live/posts").await;
    assert_eq!((first.status, first.x_cache(), run(&first)), (200, "MISS", 1));
    assert_eq!(first.header("cache-control"), Some("public, max-age=0, must-revalidate"));
    assert_eq!(first.header("cdn-cache-control"), Some("public, max-age=2, stale-while-revalidate=2"));

    // Neither Next's own Vary nor cookies nor tracking parameters split or skip what is stored.
    let visits: [Row; 4] = [
        ("GET", "/live/posts", &[], ""),
        ("GET", "/live/posts", &[("rsc", "1"), ("next-router-prefetch", "1")], ""),
        ("GET", "/live/posts", &[("cookie", "session=a")], ""),
        ("GET", "/live/posts?utm_source=news", &[], ""),
    ];
    for row in &visits {
        let hit = ask(address, row).await;
        assert_eq!((hit.x_cache(), &hit.body), ("HIT", &first.body), "{row:?}");
        assert!(hit.age().is_some(), "{row:?}");
    }
    let hit = get(address, "/live/posts").await;
    let head = ask(address, &("HEAD", "/live/posts", &[], "")).await;
    assert_eq!((head.status, head.body.len(), head.header("etag")), (200, 0, hit.header("etag")));
    assert_eq!(head.header("content-length"), Some(first.body.len().to_string().as_str()));
    let etag = hit.header("etag").expect("stored responses have one").to_owned();
    let known = Client::connect(address).await.get_with("/live/posts", &[("if-none-match", etag.as_str())]).await;
    assert_eq!((known.status, known.body.len()), (304, 0));

    let stale = until_state(address, "/live/posts", "STALE", "HIT").await;
    assert_eq!((stale.status, &stale.body), (200, &first.body));
    let fresh = until_state(address, "/live/posts", "HIT", "STALE").await;
    assert_eq!((run(&fresh), fresh.header("etag") == Some(etag.as_str())), (2, false));
    // The handler's own counter is the witness that nobody else asked it.
    assert_eq!(run(&get(next.address, "/live/posts").await), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_next_caches_itself_is_refreshed_through_both() {
    let next = Next::start().await;
    let gateway = in_front_of(&next, "[{ path: /posts, revalidate: 2 }]").await;
    let first = get(gateway.address(), "/posts").await;
    assert_eq!((first.status, first.x_cache()), (200, "MISS"));
    let regenerated = async || {
        let answer = get(gateway.address(), "/posts").await;
        assert_eq!(answer.status, 200);
        assert!(matches!(answer.x_cache(), "HIT" | "STALE"), "{answer:?}");
        answer.body != first.body
    };
    until("a regenerated body came through", regenerated).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_handlers_keep_status_headers_and_body() {
    const ROUTES: &str = "[{ path: /api/hello, revalidate: 1h }, { path: '/items/[slug]', revalidate: 5m }, \
        { path: /api/redirect, revalidate: 60 }, { path: /api/search, revalidate: 60, query: [query] }, \
        { path: /rss.xml, revalidate: false }, { path: /api/cors, revalidate: 60 }, \
        { path: /pixel.png, revalidate: 60 }, { path: /sitemap.xml, revalidate: 60 }, { path: /robots.txt, revalidate: 60 }, \
        { path: '/blog/[...slug]', revalidate: 60 }, { path: '/shop/[tag]/[item]', revalidate: 60 }]";
    let next = Next::start().await;
    let gateway = in_front_of(&next, ROUTES).await;
    let ignored = [&OF_THE_HOP[..], &OF_THE_STORE[..], &["vary"]].concat();
    let targets = [
        "/api/hello",
        "/items/a",
        "/items/a%2Fb",
        "/items/b",
        "/api/redirect",
        "/api/search?query=a",
        "/api/search?query=b",
        "/rss.xml",
        "/api/cors",
        "/pixel.png",
        "/sitemap.xml",
        "/robots.txt",
        "/blog/1/2",
        "/blog/a%2Fb/c",
        "/shop/1/2",
    ];
    for target in targets {
        let direct = get(next.address, target).await;
        for expected in ["MISS", "HIT"] {
            let through = get(gateway.address(), target).await;
            assert_eq!(through.x_cache(), expected, "{target}");
            assert_eq!(essence(&through, &ignored), essence(&direct, &ignored), "{target} {expected}");
            assert_eq!(through.all("vary"), varying(&direct), "{target} {expected}");
        }
    }
    // Other methods of a cached path are the handler's: never answered with the stored GET.
    let others: [Row; 4] = [
        ("OPTIONS", "/api/cors", PREFLIGHT, ""),
        ("OPTIONS", "/items/a", &[], ""),
        ("PUT", "/items/a", JSON, r#"{"name":"put"}"#),
        ("DELETE", "/items/a", &[], ""),
    ];
    for row in &others {
        let direct = ask(next.address, row).await;
        let through = ask(gateway.address(), row).await;
        assert_eq!(essence(&through, &OF_THE_HOP), essence(&direct, &OF_THE_HOP), "{row:?}");
    }
    let preflight = ask(gateway.address(), &others[0]).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some("*")));
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_arrive_as_the_handler_lets_them_go() {
    let next = Next::start().await;
    for (routes, second_visitor) in [("[]", false), ("[{ path: /gated, revalidate: 60 }]", true)] {
        let gateway = in_front_of(&next, routes).await;
        let mut first = reader(gateway.address(), "/gated").await;
        read_to(&mut first, "<p>One</p>").await;
        let mut readers = vec![first];
        if second_visitor {
            // Comes in the middle, shares the fill, and is not made to wait for its end.
            let mut second = reader(gateway.address(), "/gated").await;
            read_to(&mut second, "<p>One</p>").await;
            readers.push(second);
        }
        for part in ["<p>Two</p>", "<p>Three</p>"] {
            // The handler could not have sent this part before now.
            switch(next.address, "/gated", "").await;
            for reader in &mut readers {
                read_to(reader, part).await;
            }
        }
        for reader in &mut readers {
            assert!(reader.next_chunk().await.is_none(), "the end comes after the third part");
            assert!(reader.complete(), "and it is a proper end");
        }
    }
    // Two gateways, two runs: the second visitor cost nothing.
    let gateway = in_front_of(&next, "[]").await;
    let mut third = Client::connect(gateway.address()).await;
    third.send("GET", "/gated", &[], "").await;
    assert_eq!(third.read_head().await.header("x-run"), Some("3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_sent_apart_arrive_apart() {
    let next = Next::start().await;
    for routes in ["[]", "[{ path: /stream, revalidate: 60 }]"] {
        let gateway = in_front_of(&next, routes).await;
        let mut visitor = reader(gateway.address(), "/stream").await;
        let mut body = Vec::new();
        let mut moments = Vec::new();
        while let Some((at, piece)) = visitor.next_chunk().await {
            body.extend_from_slice(&piece);
            moments.push(at);
        }
        assert_eq!(String::from_utf8_lossy(&body), "<p>One</p><p>Two</p><p>Three</p>", "{routes}");
        // The first and the last are sent 400 ms apart; a busy machine may read the first one late.
        let apart = moments[moments.len() - 1] - moments[0];
        assert!(apart >= Duration::from_millis(200), "{routes}: {moments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_body_arrives_byte_for_byte() {
    // Text with every control character and every length of UTF-8 sequence, a little over 1 MiB, so that
    // no block size divides it.
    let alphabet: String = (0..128_u8).map(char::from).chain(['\u{e9}', '\u{20ac}', '\u{1f980}', '\u{fffd}']).collect();
    let body = alphabet.repeat((1 << 20) / alphabet.len() + 1);
    let next = Next::start().await;
    for routes in ["[]", "[{ path: /api/webhook, revalidate: 60 }]"] {
        let gateway = in_front_of(&next, routes).await;
        let direct = post(next.address, body.as_bytes()).await;
        assert_eq!(direct.json()["bytes"], body.len());
        assert_eq!(post(gateway.address(), body.as_bytes()).await.json(), direct.json(), "{routes}");
        assert_eq!(post_chunked(gateway.address(), body.as_bytes()).await.json(), direct.json(), "chunked, {routes}");
        // The digest does notice one changed byte, and what is not text is refused by the handler itself.
        let changed = body.replacen('a', "b", 1);
        assert_ne!(post(gateway.address(), changed.as_bytes()).await.json(), direct.json());
        let refused = post(gateway.address(), b"not text: \xff\xfe").await;
        assert_eq!((refused.status, refused.text().starts_with("Webhook error: ")), (400, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_visitors_never_share_a_cookie() {
    let next = Next::start().await;
    for routes in ["[]", "[{ path: /api/session, revalidate: 60 }]"] {
        let gateway = in_front_of(&next, routes).await;
        let address = gateway.address();
        // A visitor with a session on a cold key: the page is hers, and must not be kept for those who follow.
        let known = ask(address, &("GET", "/api/session?cold", &[("cookie", "session=alice")], "")).await;
        assert_eq!((known.json()["session"].as_str(), known.x_cache()), (Some("alice"), "PASS"), "{routes}");
        let mut visitors = JoinSet::new();
        for target in ["/api/session?cold", "/api/session"].repeat(8) {
            visitors.spawn(async move { get(address, target).await });
        }
        let mut answers = visitors.join_all().await;
        answers.push(get(address, "/api/session").await);
        let mut cookies: Vec<String> = answers.iter().map(|answer| own_cookie(answer, routes)).collect();
        cookies.sort();
        cookies.dedup();
        assert_eq!(cookies.len(), answers.len(), "{routes}");
        let back = ask(address, &("GET", "/api/session", &[("cookie", "session=alice")], "")).await;
        assert_eq!((back.json()["session"].as_str(), back.header("set-cookie")), (Some("alice"), None), "{routes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_throws_replaces_nothing() {
    let next = Next::start().await;
    let gateway = in_front_of(&next, "[{ path: /fail, revalidate: 1 }]").await;
    let address = gateway.address();
    switch(address, "/fail", "on").await;
    for _ in 0..2 {
        assert_eq!(get(address, "/fail").await.status, 500, "nothing is stored that could stand in");
    }
    switch(address, "/fail", "off").await;
    until("the error was not kept", async || get(address, "/fail").await.status == 200).await;
    switch(address, "/fail", "on").await;
    let failed = async || gateway.metric("evergate_revalidations_total", &[("result", "failed")]).await;
    let before = failed().await;
    until_state(address, "/fail", "STALE", "HIT").await;
    until("the refresh failed", async || failed().await > before).await;
    let kept = get(address, "/fail").await;
    assert_eq!((kept.status, kept.x_cache(), run(&kept)), (200, "STALE", 1));
}

/// Asks on a connection of its own.
async fn ask(address: SocketAddr, (method, target, headers, body): &Row) -> Response {
    let response = Client::connect(address).await.request(method, target, headers, body.as_bytes()).await;
    assert!(response.complete, "{method} {target} was cut");
    response
}

/// Posts to a handler's switch: `on` or `off` at `/fail`, one step at `/gated`.
async fn switch(address: SocketAddr, target: &'static str, to: &'static str) {
    assert_eq!(ask(address, &("POST", target, &[], to)).await.status, 200, "{target} {to}");
}

async fn post(address: SocketAddr, body: &[u8]) -> Response {
    Client::connect(address).await.request("POST", "/api/webhook", &[("content-type", "text/plain")], body).await
}

/// The same in chunks of an odd size, without a length ahead.
async fn post_chunked(address: SocketAddr, body: &[u8]) -> Response {
    let mut client = Client::connect(address).await;
    client.send("POST", "/api/webhook", &[("content-type", "text/plain"), ("transfer-encoding", "chunked")], "").await;
    for chunk in body.chunks(4_099) {
        let mut framed = format!("{:x}\r\n", chunk.len()).into_bytes();
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
        client.send_raw(&framed).await;
    }
    client.send_raw(b"0\r\n\r\n").await;
    client.read_response("POST").await
}

/// Asks until the answer is in the wanted state; before that only the named one may be seen.
async fn until_state(address: SocketAddr, target: &str, wanted: &str, before: &str) -> Response {
    let found = RefCell::new(None);
    let asked = async || {
        let answer = get(address, target).await;
        let done = answer.x_cache() == wanted;
        assert!(done || answer.x_cache() == before, "on the way from {before} to {wanted}: {answer:?}");
        found.replace(Some(answer));
        done
    };
    until(&format!("{target} is {wanted}"), asked).await;
    found.into_inner().expect("asked at least once")
}

/// A client whose request is sent and whose head is read.
async fn reader(address: SocketAddr, target: &str) -> Client {
    let mut client = Client::connect(address).await;
    client.send("GET", target, &[], "").await;
    assert_eq!(client.read_head().await.status, 200);
    client
}

/// Reads exactly this part of a body, in however many pieces.
async fn read_to(client: &mut Client, part: &str) {
    let mut read = Vec::new();
    while read != part.as_bytes() {
        let (_, piece) = client.next_chunk().await.expect("the body goes on");
        read.extend_from_slice(&piece);
        assert!(part.as_bytes().starts_with(&read), "expected {part}, read {}", String::from_utf8_lossy(&read));
    }
}

/// The number of the handler's run that made this body.
fn run(answer: &Response) -> u64 {
    answer.json()["run"].as_u64().expect("a run number")
}

/// The one cookie of this answer, which names the session in its body, and which nothing kept.
fn own_cookie(answer: &Response, routes: &str) -> String {
    assert_eq!((answer.status, answer.x_cache()), (200, "PASS"), "{routes}");
    let cookies = answer.all("set-cookie");
    assert_eq!(cookies.len(), 1, "{routes}: {answer:?}");
    let session = answer.json()["session"].as_str().expect("a session").to_owned();
    assert!(cookies[0].starts_with(&format!("session={session};")), "{routes}: {answer:?}");
    cookies[0].to_owned()
}

/// What a stored answer says that it varies on: what Next.js says, and what the gateway's own codings split it by, where it may
/// be coded. One that says that it is short may not, nor an image.
fn varying(direct: &Response) -> Vec<&str> {
    let mut lines = direct.all("vary");
    let short = direct.header("content-length").is_some_and(|length| length.len() < 4);
    let said = lines.iter().any(|line| line.to_ascii_lowercase().contains("accept-encoding"));
    let image = direct.header("content-type").is_some_and(|kind| kind.starts_with("image/"));
    if direct.status == 200 && !short && !image && !said {
        lines.push("accept-encoding");
    }
    lines
}

fn essence(response: &Response, ignored: &[&str]) -> Essence {
    (response.status, response.headers_without(ignored), response.body.clone())
}
