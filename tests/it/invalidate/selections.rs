//! What an order selects: tags, paths with all that is under them, beginnings, routes, layouts, upstreams, all.

use evergate_tests::{Client, Gateway, Origin, Reply};
use serde_json::{Value, json};

use super::{becomes, forget, is_kept, seen, visit};

const ROUTES: &str = "
- { path: /, revalidate: 1h, kind: page }
- { path: /posts, revalidate: 1h, tags: [posts] }
- { path: '/items/[slug]', revalidate: 1h, tags: ['item:{slug}', posts], vary: [accept-language], cookies: [theme] }
- { path: '/items/[slug]/reviews', revalidate: 1h }
- { path: '/api/[[...rest]]', revalidate: 1h }
- { path: '/word/[x]', revalidate: origin }
proxy:
- { matcher: '/pretty/:slug', rewrite: { to: '/items/:slug' } }";

/// What is asked for, and with which fields.
const PAGES: [(&str, &[(&str, &str)]); 14] = [
    ("/", &[]),
    ("/posts", &[]),
    ("/posts?page=2", &[]),
    ("/posts/", &[]),
    ("/items/a", &[]),
    ("/items/a?q=1", &[]),
    ("/items/a", &[("accept-language", "fr")]),
    ("/items/a", &[("cookie", "theme=dark")]),
    ("/items/b", &[]),
    ("/items/a%2Fb", &[]),
    ("/items/a/reviews", &[]),
    ("/api", &[]),
    ("/api/x/y", &[]),
    ("/word/a", &[]),
];

async fn in_front_of() -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page").header("cache-control", "max-age=3600").header("surrogate-key", "site fr"));
    origin.on("/word/*", |_| Reply::ok("word").header("cache-control", "max-age=3600").header("cache-tag", "posts"));
    let gateway = Gateway::simple(&origin, ROUTES).await;
    (origin, gateway)
}

/// The places in [`PAGES`] of what is not kept any more; it is kept again afterwards.
async fn forgotten(gateway: &Gateway) -> Vec<usize> {
    let mut forgotten = Vec::new();
    for (place, (target, lines)) in PAGES.into_iter().enumerate() {
        if !is_kept(gateway, target, lines).await {
            forgotten.push(place);
        }
    }
    forgotten
}

#[tokio::test]
async fn each_selection_forgets_what_it_names_and_nothing_else() {
    let (_origin, gateway) = in_front_of().await;
    assert_eq!(forgotten(&gateway).await.len(), PAGES.len());
    assert!(forgotten(&gateway).await.is_empty(), "all is kept");
    let everything: Vec<usize> = (0..PAGES.len()).collect();
    let cases: [(Value, &[usize]); 26] = [
        (json!({ "tags": ["posts"] }), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 13]),
        (json!({ "tags": ["item:a"] }), &[4, 5, 6, 7]),
        (json!({ "tags": ["item:a/b"] }), &[9]),
        (json!({ "tags": ["item:a", "item:b"] }), &[4, 5, 6, 7, 8]),
        (json!({ "tags": ["fr"] }), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        (json!({ "tags": ["POSTS", "post", "posts "] }), &[]),
        (json!({ "tags": ["_N_T_/items/a"] }), &[4, 5, 6, 7]),
        (json!({ "paths": ["/posts"] }), &[1, 2, 3]),
        (json!({ "paths": ["/posts/"] }), &[1, 2, 3]),
        (json!({ "paths": ["/items/a"] }), &[4, 5, 6, 7]),
        (json!({ "paths": ["/x/..//items/%61"] }), &[4, 5, 6, 7]),
        (json!({ "paths": ["/items/a%2fb"] }), &[9]),
        (json!({ "paths": ["/items", "/pretty/a", "/item"] }), &[]),
        (json!({ "paths": ["/", "/word/a"] }), &[0, 13]),
        (json!({ "prefixes": ["/items/a"] }), &[4, 5, 6, 7, 9, 10]),
        // A page is the same with a slash at its end.
        (json!({ "prefixes": ["/items/a/"] }), &[4, 5, 6, 7, 10]),
        (json!({ "prefixes": ["/post", "/api"] }), &[1, 2, 3, 11, 12]),
        (json!({ "prefixes": ["/"] }), &everything),
        (json!({ "routes": ["/items/[slug]"] }), &[4, 5, 6, 7, 8, 9]),
        (json!({ "routes": ["/", "/api/[[...rest]]"] }), &[0, 11, 12]),
        (json!({ "routes": [{ "route": "/items/[slug]", "params": { "slug": "a/b" } }] }), &[9]),
        (json!({ "routes": [{ "route": "/api/[[...rest]]", "params": {} }] }), &[11]),
        (json!({ "layouts": ["/items"] }), &[4, 5, 6, 7, 8, 9, 10]),
        (json!({ "layouts": ["/items/[slug]", "/api"] }), &[4, 5, 6, 7, 8, 9, 10, 11, 12]),
        (json!({ "layouts": ["/"] }), &everything),
        (json!({ "all": true }), &everything),
    ];
    for (mut body, expected) in cases {
        body["mode"] = json!("delete");
        let matched = forget(&gateway, &body).await;
        assert!(matched >= expected.len() as u64 || expected.is_empty(), "{body}: {matched}");
        assert_eq!(forgotten(&gateway).await, expected, "{body}");
    }
}

/// One page under several names is one that is counted once; names of nothing count nothing.
#[tokio::test]
async fn what_is_found_is_counted() {
    let (_origin, gateway) = in_front_of().await;
    forgotten(&gateway).await;
    for (body, exactly) in [
        (json!({ "tags": ["item:a"] }), Some(4)),
        (json!({ "tags": ["nobody's"] }), Some(0)),
        (json!({ "paths": ["/posts"] }), Some(3)),
        (json!({ "routes": ["/items/[slug]"] }), Some(6)),
        (json!({ "all": true }), Some(PAGES.len() as u64)),
        (json!({ "tags": ["item:a", "posts"], "paths": ["/items/a"] }), None),
    ] {
        let told = super::order(&gateway, &body).await.json();
        let (count, exact) = (told["matched"]["count"].as_u64().unwrap_or_default(), &told["matched"]["exact"]);
        match exactly {
            Some(exactly) => assert_eq!((count, exact), (exactly, &json!(true)), "{body}: {told}"),
            // The most that it can be.
            None => assert!(count >= 10, "{body}: {told}"),
        }
    }
}

/// Names of routes and layouts are as long as the configuration makes them, and stay when the page is confirmed.
#[tokio::test]
async fn routes_and_layouts_with_long_names_are_found() {
    let origin = Origin::start().await;
    origin.on("/*", |seen| match seen.header("if-none-match") {
        Some(_) => Reply::ok("").status(304).header("etag", "\"1\""),
        None => Reply::ok("page").header("etag", "\"1\""),
    });
    let folder = format!("/{}", "a".repeat(301));
    let pattern = format!("{folder}/[id]");
    let gateway = Gateway::simple(&origin, &format!("- {{ path: '{pattern}', revalidate: 1h }}")).await;
    let page = format!("{folder}/1");
    for body in [
        json!({ "routes": [pattern], "mode": "delete" }),
        json!({ "layouts": [folder], "mode": "delete" }),
        json!({ "layouts": [pattern], "mode": "delete" }),
    ] {
        assert!(!is_kept(&gateway, &page, &[]).await && is_kept(&gateway, &page, &[]).await);
        forget(&gateway, &json!({ "all": true })).await;
        assert_eq!(visit(&gateway, &page).await, seen("STALE", "page"));
        becomes(&gateway, &page, "page").await;
        assert_eq!(forget(&gateway, &body).await, 1, "{body}");
    }
    assert!(!is_kept(&gateway, &page, &[]).await);
}

#[tokio::test]
async fn a_path_counts_under_every_host() {
    let origin = Origin::start().await;
    origin.on("/p", |_| Reply::ok("page"));
    let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: 1h }\nhosts: [one.test, two.test]").await;
    let hosts: [&[(&str, &str)]; 2] = [&[("host", "one.test")], &[("host", "two.test")]];
    for lines in hosts {
        assert!(!is_kept(&gateway, "/p", lines).await);
    }
    assert_eq!(forget(&gateway, &json!({ "paths": ["/p"], "mode": "delete" })).await, 2);
    for lines in hosts {
        assert!(!is_kept(&gateway, "/p", lines).await && is_kept(&gateway, "/p", lines).await, "{lines:?}");
    }
}

#[tokio::test]
async fn with_an_upstream_only_what_it_made_is_forgotten() {
    let (one, two) = (Origin::start().await, Origin::start().await);
    for origin in [&one, &two] {
        origin.on("/*", |_| Reply::ok("page").header("cache-tag", "shared"));
    }
    let routes = "- { path: /one, revalidate: 1h }\n- { path: /two, revalidate: 1h, upstream: other }\n\
                  defaults: { upstream: origin }\n";
    let config = Gateway::simple_config(&one, routes);
    let upstream = format!("other: {{ servers: [\"{}\"] }}", two.address());
    let config = config.replace("upstreams: { ", &format!("upstreams: {{ {upstream}, "));
    assert!(config.contains(&upstream), "{config}");
    let gateway = Gateway::start(&config).await;
    let kept = async || (is_kept(&gateway, "/one", &[]).await, is_kept(&gateway, "/two", &[]).await);
    assert_eq!(kept().await, (false, false));
    for (body, expected) in [
        (json!({ "tags": ["shared"], "upstream": "other" }), (true, false)),
        (json!({ "tags": ["shared"], "upstream": "origin" }), (false, true)),
        (json!({ "tags": ["shared"] }), (false, false)),
        (json!({ "all": true, "upstream": "other" }), (true, false)),
        (json!({ "prefixes": ["/"], "upstream": "origin" }), (false, true)),
        (json!({ "paths": ["/one", "/two"], "upstream": "origin" }), (false, true)),
        (json!({ "layouts": ["/"], "upstream": "other" }), (true, false)),
    ] {
        let mut body = body;
        body["mode"] = json!("delete");
        forget(&gateway, &body).await;
        assert_eq!(kept().await, expected, "{body}");
    }
}

/// Parts are forgotten with the whole.
#[tokio::test]
async fn kept_parts_are_forgotten_too() {
    let origin = Origin::start().await;
    origin.on("/word/a", |seen| {
        let reply = Reply::ok("abcd").header("etag", "\"1\"").header("cache-control", "max-age=3600");
        match seen.header("range") {
            Some(_) => reply.status(206).header("content-range", "bytes 0-3/8"),
            None => Reply::ok("abcdefgh").header("etag", "\"1\"").header("cache-control", "max-age=3600"),
        }
    });
    let gateway = Gateway::simple(&origin, "- { path: '/word/[x]', revalidate: origin }").await;
    let part = async || {
        let mut client = Client::connect(gateway.address()).await;
        client.get_with("/word/a", &[("range", "bytes=0-3")]).await.x_cache().to_owned()
    };
    assert_eq!((part().await, part().await), ("PASS".to_owned(), "HIT".to_owned()));
    forget(&gateway, &json!({ "paths": ["/word/a"], "mode": "delete" })).await;
    assert_eq!((part().await, part().await), ("PASS".to_owned(), "HIT".to_owned()));
}
