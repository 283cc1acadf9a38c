//! What handlers say with their answers: `x-revalidate-tag` and `x-revalidate-path` do what the functions of Next.js do.

use std::time::Duration;

use evergate_tests::{Client, Gateway, Http2Client, Origin, Reply, Response, Seen};

use super::{becomes, is_kept, seen, visit};

const ROUTES: &str = "
- { path: /posts, revalidate: 1h }
- { path: '/items/[slug]', revalidate: 1h, tags: ['item:{slug}'] }
- { path: '/word/[x]', revalidate: origin }
- { path: /act }";

/// The fields of which visitors see nothing.
const OURS: [&str; 2] = ["x-revalidate-tag", "x-revalidate-path"];

/// A handler that answers as its visitor says: with the status of `x-status`, and each `x-answer-NAME` as the field `NAME`.
fn obeying(seen: &Seen) -> Reply {
    let status = seen.header("x-status").and_then(|status| status.parse().ok()).unwrap_or(200);
    let said = seen.headers.iter().filter_map(|(name, value)| Some((name.strip_prefix("x-answer-")?, value)));
    said.fold(Reply::ok("done").status(status), |reply, (name, value)| reply.header(name, value))
}

async fn in_front_of() -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on_counted("/*", |_, run| {
        Reply::ok(run.to_string()).header("cache-control", "max-age=3600").header("cache-tag", "posts, all")
    });
    origin.on("/act", obeying);
    origin.on("/elsewhere", obeying);
    let gateway = Gateway::simple(&origin, ROUTES).await;
    (origin, gateway)
}

/// A request for `/act` whose handler says this.
async fn act(gateway: &Gateway, method: &str, lines: &[(&str, &str)]) -> Response {
    let lines: Vec<(String, &str)> = lines
        .iter()
        .map(|(name, value)| {
            (if name.starts_with("x-revalidate") { format!("x-answer-{name}") } else { (*name).to_owned() }, *value)
        })
        .collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let answer = Client::connect(gateway.address()).await.request(method, "/act", &lines, "").await;
    for name in OURS {
        assert_eq!(answer.header(name), None, "{method} {lines:?}");
    }
    answer
}

const PAGES: [&str; 4] = ["/posts", "/items/a", "/items/b", "/word/x"];

async fn kept(gateway: &Gateway) -> [bool; 4] {
    let mut kept = [false; 4];
    for (kept, page) in kept.iter_mut().zip(PAGES) {
        *kept = is_kept(gateway, page, &[]).await;
    }
    kept
}

#[tokio::test]
async fn a_tag_is_served_stale_once_as_by_revalidate_tag() {
    let (origin, gateway) = in_front_of().await;
    let (_, first) = visit(&gateway, "/posts").await;
    let answer = act(&gateway, "POST", &[("x-revalidate-tag", "posts")]).await;
    assert_eq!((answer.status, answer.text(), answer.x_cache()), (200, "done", "PASS"));
    assert_eq!(visit(&gateway, "/posts").await, seen("STALE", &first));
    becomes(&gateway, "/posts", &(first.parse::<usize>().expect("a number") + 1).to_string()).await;
    assert_eq!(origin.count("/posts"), 2);
    // With `expire: 0` the next request waits; with a later time it does then.
    act(&gateway, "POST", &[("x-revalidate-tag", "other, posts;expire=0")]).await;
    assert_eq!(visit(&gateway, "/posts").await.0, "MISS");
    act(&gateway, "POST", &[("x-revalidate-tag", "posts;expire=1h")]).await;
    assert_eq!(visit(&gateway, "/posts").await.0, "STALE");
    super::until("it is fresh", async || visit(&gateway, "/posts").await.0 == "HIT").await;
    act(&gateway, "POST", &[("x-revalidate-tag", "posts;expire=0.05")]).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(visit(&gateway, "/posts").await.0, "MISS");
}

#[tokio::test]
async fn what_handlers_name_is_forgotten() {
    let (_origin, gateway) = in_front_of().await;
    kept(&gateway).await;
    for (name, value, expected) in [
        ("x-revalidate-path", "/posts", [false, true, true, true]),
        ("x-revalidate-path", "/posts, /items/b", [false, true, false, true]),
        ("x-revalidate-path", "/items/[slug] page", [true, false, false, true]),
        ("x-revalidate-path", "/items layout", [true, false, false, true]),
        ("x-revalidate-path", "/ layout", [false; 4]),
        ("x-revalidate-path", "/word/x/", [true, true, true, false]),
        ("x-revalidate-path", "/none, nonsense, /posts", [false, true, true, true]),
        ("x-revalidate-tag", "item:a;expire=0", [true, false, true, true]),
        ("x-revalidate-tag", "all;expire=0", [false; 4]),
        ("x-revalidate-tag", "none", [true; 4]),
    ] {
        for (method, status) in [("POST", "200"), ("PUT", "204"), ("PATCH", "303"), ("DELETE", "202"), ("MYOWN", "200")]
        {
            act(&gateway, method, &[(name, value), ("x-status", status)]).await;
            assert_eq!(kept(&gateway).await, expected, "{method} {status} {value}");
        }
    }
    // Both fields, several lines of each.
    let mut client = Client::connect(gateway.address()).await;
    let both = [
        ("x-answer-x-revalidate-path", "/posts"),
        ("x-answer-x-revalidate-tag", "item:a;expire=0"),
        ("x-answer-x-revalidate-path", "/word/x"),
    ];
    client.request("POST", "/act", &both, "").await;
    assert_eq!(kept(&gateway).await, [false, false, true, false]);
    // Over HTTP/1.1 or HTTP/2, on a route or on none.
    client.request("POST", "/elsewhere", &both[..1], "").await;
    assert_eq!(kept(&gateway).await, [false, true, true, true]);
}

#[tokio::test]
async fn over_http2_it_is_the_same() {
    let origin = Origin::start().await;
    origin.on("/p", |_| Reply::ok("page"));
    origin.on("/act", |_| Reply::ok("done").header("x-revalidate-path", "/p").header("x-revalidate-tag", "a"));
    let config = Gateway::simple_config(&origin, "- { path: /p, revalidate: 1h }");
    let gateway =
        Gateway::start(&config.replace("address: \"127.0.0.1:0\" }]", "address: \"127.0.0.1:0\", h2c: true }]")).await;
    let client = Http2Client::connect(gateway.address()).await;
    assert_eq!((client.get("/p").await.x_cache(), client.get("/p").await.x_cache()), ("MISS", "HIT"));
    let answer = client.request("POST", "/act", &[], "").await;
    assert_eq!((answer.status, answer.header(OURS[0]), answer.header(OURS[1])), (200, None, None));
    assert_eq!(client.get("/p").await.x_cache(), "MISS");
}

#[tokio::test]
async fn safe_methods_and_failures_forget_nothing() {
    let (_origin, gateway) = in_front_of().await;
    kept(&gateway).await;
    let said = [("x-revalidate-tag", "all;expire=0"), ("x-revalidate-path", "/ layout")];
    for (method, status) in [
        ("GET", "200"),
        ("HEAD", "200"),
        ("OPTIONS", "200"),
        ("QUERY", "200"),
        ("POST", "400"),
        ("POST", "404"),
        ("POST", "500"),
        ("DELETE", "503"),
    ] {
        act(&gateway, method, &[said[0], said[1], ("x-status", status)]).await;
        assert_eq!(kept(&gateway).await, [true; 4], "{method} {status}");
    }
}

/// On answers that are kept, and on every one from then on; on interim answers, and behind a body.
#[tokio::test]
async fn visitors_see_nothing_of_it_on_any_answer() {
    let origin = Origin::start().await;
    let said =
        |reply: Reply| reply.header("x-revalidate-tag", "a").header("X-Revalidate-Path", "/kept").header("x-own", "1");
    origin.on("/*", move |_| said(Reply::ok("page").header("cache-control", "max-age=60").header("etag", "\"1\"")));
    origin.on("/broken", move |_| said(Reply::ok("broken").status(500)));
    origin.on("/hints", move |_| said(Reply::ok("late")).interim(103, &[("link", "</a>"), ("x-revalidate-tag", "a")]));
    origin.on("/streamed", move |_| said(Reply::ok("").chunks(["a", "b"]).trailer("x-revalidate-tag", "a")));
    let routes = "- { path: /kept, revalidate: 1h }\n- { path: /word, revalidate: origin }\n- { path: /broken, revalidate: 1h }\n\
                  - { path: /streamed, revalidate: 1h }\n- { path: '/ahead/[x]', revalidate: 1h, params: [{ x: a }] }";
    let gateway = Gateway::simple(&origin, routes).await;
    for (method, target) in [
        ("GET", "/kept"),
        ("GET", "/kept"),
        ("HEAD", "/kept"),
        ("GET", "/word"),
        ("GET", "/word"),
        ("GET", "/ahead/a"),
        ("GET", "/broken"),
        ("GET", "/dynamic"),
        ("HEAD", "/dynamic"),
        ("POST", "/dynamic"),
        ("POST", "/broken"),
        ("GET", "/hints"),
        ("POST", "/hints"),
        ("GET", "/streamed"),
        ("POST", "/streamed"),
    ] {
        let answer = Client::connect(gateway.address()).await.request(method, target, &[], "").await;
        assert_eq!(answer.header("x-own"), Some("1"), "{method} {target}: other fields stay");
        let heads = answer.interim.iter().chain([&answer]);
        for name in OURS {
            assert!(heads.clone().all(|head| head.header(name).is_none()), "{method} {target}: {name}");
            assert!(
                answer.trailers.iter().all(|(trailer, _)| !trailer.eq_ignore_ascii_case(name)),
                "{method} {target}"
            );
        }
    }
}

#[tokio::test]
async fn a_handler_forgets_for_its_own_upstream_alone() {
    let (one, two) = (Origin::start().await, Origin::start().await);
    for origin in [&one, &two] {
        origin.on("/*", |_| Reply::ok("page").header("cache-tag", "shared"));
        origin.on("/act/*", obeying);
    }
    let routes = "- { path: /one, revalidate: 1h }\n- { path: /two, revalidate: 1h, upstream: other }\n\
                  - { path: /act/two, upstream: other }\ndefaults: { upstream: origin }\n";
    let upstream = format!("upstreams: {{ other: {{ servers: [\"{}\"] }}, ", two.address());
    let gateway = Gateway::start(&Gateway::simple_config(&one, routes).replace("upstreams: { ", &upstream)).await;
    let kept = async || (is_kept(&gateway, "/one", &[]).await, is_kept(&gateway, "/two", &[]).await);
    kept().await;
    for said in [
        ("x-answer-x-revalidate-tag", "shared;expire=0"),
        ("x-answer-x-revalidate-path", "/one, /two"),
        ("x-answer-x-revalidate-path", "/ layout"),
    ] {
        for (target, expected) in [("/act/one", (false, true)), ("/act/two", (true, false))] {
            Client::connect(gateway.address()).await.request("POST", target, &[said], "").await;
            assert_eq!(kept().await, expected, "{target} {said:?}");
        }
    }
}

#[tokio::test]
async fn what_is_malformed_is_left_out_and_logged() {
    let (_origin, gateway) = in_front_of().await;
    kept(&gateway).await;
    let long = "x".repeat(257);
    for (name, value) in [
        ("x-revalidate-tag", "posts;expire=soon"),
        ("x-revalidate-tag", "posts;profile=max"),
        ("x-revalidate-tag", ", ,"),
        ("x-revalidate-tag", long.as_str()),
        ("x-revalidate-path", "posts"),
        ("x-revalidate-path", "/posts?page=1"),
        ("x-revalidate-path", "/posts layouts"),
        ("x-revalidate-path", "/items/[slug]"),
        ("x-revalidate-path", "http://other.example/posts"),
    ] {
        assert_eq!(act(&gateway, "POST", &[(name, value)]).await.status, 200);
        assert_eq!(kept(&gateway).await, [true; 4], "{value}");
    }
    let line = gateway.wait_log(|line| line.contains("not all that a handler wants forgotten is")).await;
    for part in
        ["WARN", "upstream=\"origin\"", "target=\"/act\"", "skipped=1", "posts;expire=soon", "expected a duration"]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
    act(&gateway, "POST", &[("x-revalidate-tag", "none, item:a;expire=0"), ("x-revalidate-path", "nonsense")]).await;
    let line = gateway.wait_log(|line| line.contains("forgotten") && line.contains("mode=\"delete\"")).await;
    for part in ["INFO", "source=\"handler\"", "what=\"tag item:a\"", "upstream=\"origin\"", "matched="] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

/// The number of things that one answer names is bounded, and that of its bytes is anyway.
#[tokio::test]
async fn one_answer_names_a_bounded_number() {
    let origin = Origin::start().await;
    origin.on("/p", |_| Reply::ok("page").header("cache-tag", "last"));
    origin.on("/act", |_| {
        let names: Vec<String> = (0..1024).map(|number| format!("t{number};expire=0")).collect();
        Reply::ok("done").header("x-revalidate-tag", names.join(",")).header("x-revalidate-tag", "last;expire=0")
    });
    let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: 1h }").await;
    assert!(!is_kept(&gateway, "/p", &[]).await);
    assert_eq!(Client::connect(gateway.address()).await.request("POST", "/act", &[], "").await.status, 200);
    assert!(is_kept(&gateway, "/p", &[]).await);
    gateway.wait_log(|line| line.contains("skipped=1") && line.contains("at most 1024")).await;
}
