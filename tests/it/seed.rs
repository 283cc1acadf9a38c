//! The Route Handler reference, section by section, through the gateway: what a handler of each section reads arrives, and what
//! it answers comes back. Here the handlers are those of `builtin: demo`; `next` has the same with a real Next.js.
//!
//! Each section is asked three ways, as far as it makes a difference: where no route matches, on a dynamic route, and on one
//! that keeps answers.

mod bodies;
mod heads;
mod upload;

use evergate_tests::{Client, Gateway, Response, get, until};

/// Header lines.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// A gateway in front of the demo with these routes, a YAML list.
async fn demo(routes: &str) -> Gateway {
    let config = format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\nthreads: 2\n\
         upstreams: {{ demo: {{ builtin: demo }} }}\nroutes: {routes}\n"
    );
    Gateway::start(&config).await
}

/// The three ways to be in front of a handler: without a route, on a dynamic one, on one that keeps answers.
async fn three_ways(path: &str) -> [(&'static str, Gateway); 3] {
    [
        ("no route", demo("[]").await),
        ("dynamic", demo(&format!("[{{ path: \"{path}\" }}]")).await),
        ("kept", demo(&format!("[{{ path: \"{path}\", revalidate: 1h }}]")).await),
    ]
}

/// A request by a visitor of its own.
async fn ask(gateway: &Gateway, method: &str, target: &str, lines: Lines<'_>, body: impl AsRef<[u8]>) -> Response {
    Client::connect(gateway.address()).await.request(method, target, lines, body).await
}

/// The same body in chunks, which end where nothing else does; of a large one there would be too many small ones.
fn chunked(body: &[u8]) -> Vec<u8> {
    let size = if body.len() < 4_096 { 7 } else { 4_099 };
    let mut framed = Vec::new();
    for piece in body.chunks(size) {
        framed.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        framed.extend_from_slice(piece);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    framed
}

#[tokio::test]
async fn http_methods_all_arrive_as_what_they_are() {
    for (way, gateway) in three_ways("/api/methods").await {
        for (method, body) in [("POST", "ab"), ("PUT", "abc"), ("PATCH", "a"), ("DELETE", ""), ("POST", "")] {
            let response = ask(&gateway, method, "/api/methods", &[], body).await;
            let expected = format!("{{\"method\":\"{method}\",\"bytes\":{}}}", body.len());
            assert_eq!(
                (response.status, response.x_cache(), response.text()),
                (200, "PASS", expected.as_str()),
                "{way}"
            );
        }
        let response = ask(&gateway, "GET", "/api/methods", &[], "").await;
        let x_cache = if way == "kept" { "MISS" } else { "PASS" };
        assert_eq!((response.x_cache(), response.text()), (x_cache, "{\"method\":\"GET\",\"bytes\":0}"), "{way}");
        // HEAD is the handler's own, or what GET left behind; without a body in either case.
        let response = ask(&gateway, "HEAD", "/api/methods", &[], "").await;
        let (x_cache, method) = if way == "kept" { ("HIT", "GET") } else { ("PASS", "HEAD") };
        assert_eq!((response.status, response.x_cache(), response.body.len()), (200, x_cache, 0), "{way}");
        assert_eq!(response.header("x-method"), Some(method), "{way}");
        let response = ask(&gateway, "OPTIONS", "/api/methods", &[], "").await;
        assert_eq!((response.status, response.body.len()), (204, 0), "{way}");
        assert_eq!(response.header("allow"), Some("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"), "{way}");
        // What nobody has heard of is the handler's to refuse.
        let response = ask(&gateway, "BREW", "/api/methods", &[], "").await;
        assert_eq!((response.status, response.x_cache()), (405, "PASS"), "{way}");
        assert!(response.header("allow").is_some(), "{way}");
        assert_eq!(ask(&gateway, "POST", "/api/hello", &[], "").await.status, 405, "{way}");
    }
}

#[tokio::test]
async fn context_params_are_the_segments_of_the_path() {
    // The table of the reference, and what has to be encoded in a segment.
    let rows = [
        ("/dashboard/[team]", "/dashboard/1", r#"{"team":"1"}"#),
        ("/shop/[tag]/[item]", "/shop/1/2", r#"{"item":"2","tag":"1"}"#),
        ("/blog/[...slug]", "/blog/1/2", r#"{"slug":["1","2"]}"#),
        ("/dashboard/[team]", "/dashboard/a%2Fb", r#"{"team":"a/b"}"#),
        ("/blog/[...slug]", "/blog/a%2fb/c%20d", r#"{"slug":["a/b","c d"]}"#),
        ("/shop/[tag]/[item]", "/shop/%E4%BD%A0/x+y", r#"{"item":"x+y","tag":"你"}"#),
    ];
    for (route, target, params) in rows {
        for (way, gateway) in three_ways(route).await {
            for turn in 0..2 {
                let response = get(gateway.address(), target).await;
                assert_eq!((response.status, response.text()), (200, params), "{way} {target}");
                let x_cache = if way != "kept" { "PASS" } else { ["MISS", "HIT"][turn] };
                assert_eq!(response.x_cache(), x_cache, "{way} {target}");
            }
        }
    }
}

#[tokio::test]
async fn revalidating_cached_data_gives_the_old_until_there_is_a_new_one() {
    let gateway = demo("[{ path: /posts, revalidate: 1 }]").await;
    let posts = async || get(gateway.address(), "/posts").await;
    let first = posts().await;
    assert_eq!((first.x_cache(), first.json()["run"].as_u64()), ("MISS", Some(1)));
    assert_eq!(first.json()["posts"].as_array().map(Vec::len), Some(3));
    until("the window is over", async || {
        let response = posts().await;
        assert_eq!((response.status, &response.body), (200, &first.body), "{}", response.x_cache());
        response.x_cache() == "STALE"
    })
    .await;
    until("the second run is there", async || posts().await.json()["run"].as_u64() == Some(2)).await;
}

#[tokio::test]
async fn dynamic_route_segments_are_pages_of_their_own() {
    let gateway = demo("[{ path: \"/items/[slug]\", revalidate: 5m }]").await;
    for (turn, x_cache) in ["MISS", "HIT"].into_iter().enumerate() {
        for (run, slug) in [(1, "a"), (2, "b"), (3, "c")] {
            let response = get(gateway.address(), &format!("/items/{slug}")).await;
            let json = response.json();
            assert_eq!((response.x_cache(), json["slug"].as_str()), (x_cache, Some(slug)), "{turn}");
            assert_eq!(json["run"].as_u64(), Some(run), "{slug}: its handler ran once");
        }
    }
}

#[tokio::test]
async fn url_query_parameters_arrive_and_are_in_the_key() {
    let rows = [
        ("/api/search?query=hello", "hello"),
        ("/api/search?query=hello%20world", "hello world"),
        ("/api/search?query=hello+world", "hello world"),
        ("/api/search?query=a%26b%3Dc", "a&b=c"),
        ("/api/search?query=%E4%BD%A0", "你"),
        ("/api/search?query=first&query=second", "first"),
        ("/api/search?query=", ""),
        ("/api/search?page=2&query=isr", "isr"),
    ];
    for (way, gateway) in three_ways("/api/search").await {
        for (runs, (target, query)) in rows.iter().enumerate() {
            let response = get(gateway.address(), target).await;
            assert_eq!(response.json()["query"].as_str(), Some(*query), "{way} {target}");
            // Each is asked for the first time: none is answered with another's page.
            assert_eq!(response.json()["run"].as_u64(), Some(runs as u64 + 1), "{way} {target}");
        }
        let none = get(gateway.address(), "/api/search").await;
        assert!(none.json()["query"].is_null(), "{way}");
        let again = get(gateway.address(), rows[0].0).await;
        assert_eq!(again.x_cache() == "HIT", way == "kept", "{way}");
    }
}

#[tokio::test]
async fn segment_config_says_what_is_kept_and_for_how_long() {
    let routes = "[{ path: /posts, revalidate: false }, { path: /api/hello, revalidate: 0 }, \
        { path: /slow, revalidate: 60, maxDuration: 1s }, { path: /api/search, revalidate: 60, query: ignore }]";
    let gateway = demo(routes).await;
    for (target, first, then) in
        [("/posts", "MISS", "HIT"), ("/api/hello", "PASS", "PASS"), ("/api/search?query=a", "MISS", "HIT")]
    {
        assert_eq!(get(gateway.address(), target).await.x_cache(), first, "{target}");
        assert_eq!(get(gateway.address(), target).await.x_cache(), then, "{target}");
    }
    let kept = get(gateway.address(), "/posts").await;
    assert!(kept.cache_status().starts_with("evergate; hit"), "{}", kept.cache_status());
    // What is not in the key is not in the request.
    assert!(get(gateway.address(), "/api/search?query=a").await.json()["query"].is_null());
    let slow = get(gateway.address(), "/slow").await;
    assert_eq!(slow.status, 504, "its handler takes two seconds and may take one: {}", slow.cache_status());
}

#[tokio::test]
async fn non_ui_responses_keep_their_content_type_and_their_bytes() {
    let rows: [(&str, &str, &[u8]); 4] = [
        ("/rss.xml", "text/xml", b"<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<rss version=\"2.0\">"),
        ("/sitemap.xml", "application/xml", b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset "),
        ("/robots.txt", "text/plain", b"User-Agent: *\nAllow: /\nDisallow: /api/\n\nSitemap: "),
        ("/icon.png", "image/png", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01"),
    ];
    for (target, kind, begins) in rows {
        let mut bodies = Vec::new();
        for (way, gateway) in three_ways(target).await {
            for turn in 0..2 {
                let response = get(gateway.address(), target).await;
                let x_cache = if way == "kept" { ["MISS", "HIT"][turn] } else { "PASS" };
                assert_eq!((response.status, response.x_cache()), (200, x_cache), "{way} {target}");
                assert_eq!(response.all("content-type"), [kind], "{way} {target}");
                assert_eq!(response.all("content-length"), [response.body.len().to_string()], "{way} {target}");
                assert!(response.complete && response.body.starts_with(begins), "{way} {target}");
                bodies.push(response.body);
            }
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "{target} is the same for everyone");
    }
}
