//! Tags of what is stored: implied by the path as in Next.js, the route's own, and those that the handler sends; `/explain` shows them.

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, get, until};

async fn tags(gateway: &Gateway, target: &str) -> Vec<String> {
    let told = get(gateway.admin(), &format!("/explain?url={target}")).await.json();
    let tags = told["stored"]["tags"].as_array().unwrap_or_else(|| panic!("{target} is stored: {told}"));
    tags.iter().map(|tag| tag.as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn what_is_stored_carries_its_tags() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page").header("cache-control", "max-age=60").header("cache-tag", "word"));
    origin.on("/items/*", |_| {
        Reply::ok("item")
            .header("cache-tag", "posts, handler")
            .header("surrogate-key", "one two")
            .header("x-next-cache-tags", "_N_T_/layout,_N_T_/extra")
    });
    let routes = "
- { path: '/items/[slug]', revalidate: 1h, tags: [posts, 'item:{slug}'] }
- { path: /about, revalidate: 1h, kind: page }
- { path: /word, revalidate: origin }
- { path: '/deep/[...rest]', revalidate: 1h, tags: ['deep:{rest}'] }
- { path: /, revalidate: 1h }";
    let gateway = Gateway::simple(&origin, routes).await;
    for target in ["/items/a%20b", "/about", "/word", "/deep/x/y", "/"] {
        let answer = get(gateway.address(), target).await;
        assert_eq!(answer.status, 200);
        for name in ["cache-tag", "surrogate-key", "x-next-cache-tags"] {
            assert_eq!(answer.header(name), None, "{target}: visitors do not see {name}");
        }
    }
    let item = [
        "_N_T_/layout",
        "_N_T_/items/layout",
        "_N_T_/items/[slug]/layout",
        "_N_T_/items/[slug]/route",
        "_N_T_/items/a b",
        "posts",
        "item:a b",
        "handler",
        "one",
        "two",
        "_N_T_/extra",
    ];
    assert_eq!(tags(&gateway, "/items/a%2520b").await, item);
    assert_eq!(
        tags(&gateway, "/about").await,
        ["_N_T_/layout", "_N_T_/about/layout", "_N_T_/about/page", "_N_T_/about", "word"]
    );
    assert_eq!(
        tags(&gateway, "/word").await,
        ["_N_T_/layout", "_N_T_/word/layout", "_N_T_/word/route", "_N_T_/word", "word"]
    );
    assert!(tags(&gateway, "/deep/x/y").await.contains(&"deep:x/y".to_owned()));
    let root = ["_N_T_/layout", "_N_T_/route", "_N_T_/", "_N_T_/index", "word"];
    assert_eq!(tags(&gateway, "/").await, root);
}

#[tokio::test]
async fn a_304_keeps_the_tags_unless_it_brings_others() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on_counted("/a", move |_, run| match run {
        1 => Reply::ok("one").header("etag", "\"1\"").header("cache-tag", "first"),
        2 => Reply::ok("").status(304).header("etag", "\"1\""),
        _ => Reply::ok("").status(304).header("etag", "\"1\"").header("cache-tag", "second").gate(&held),
    });
    let gateway = Gateway::simple(&origin, "- { path: /a, revalidate: 100ms }").await;
    assert_eq!(get(gateway.address(), "/a").await.text(), "one");
    // The third run is held, so that what is seen now is what the second left.
    until("it is confirmed without tags", async || {
        get(gateway.address(), "/a").await;
        origin.count("/a") == 3
    })
    .await;
    let tags_now = tags(&gateway, "/a").await;
    assert!(tags_now.contains(&"first".to_owned()), "{tags_now:?}");
    gate.open();
    until("it is confirmed with others", async || {
        let tags = tags(&gateway, "/a").await;
        tags.contains(&"second".to_owned()) && !tags.contains(&"first".to_owned())
    })
    .await;
}

/// Parts carry the tags of the whole, so that what is put together of them is forgotten with it.
#[tokio::test]
async fn what_is_put_together_of_parts_carries_its_tags() {
    let origin = Origin::start().await;
    origin.on("/items/*", |seen| {
        let (status, body, range) = match seen.header("range") {
            Some("bytes=0-3") => (206, "abcd", "bytes 0-3/8"),
            Some("bytes=4-7") => (206, "efgh", "bytes 4-7/8"),
            _ => (500, "the whole is not asked for", "bytes */8"),
        };
        let reply = Reply::ok(body).status(status).header("content-range", range).header("etag", "\"1\"");
        reply.header("cache-control", "max-age=60").header("cache-tag", "whole")
    });
    let gateway =
        Gateway::simple(&origin, "- { path: '/items/[slug]', revalidate: origin, tags: ['item:{slug}'] }").await;
    for range in ["bytes=0-3", "bytes=4-7"] {
        let part = Client::connect(gateway.address()).await.get_with("/items/a", &[("range", range)]).await;
        assert_eq!(part.status, 206, "{range}");
    }
    let whole = get(gateway.address(), "/items/a").await;
    assert_eq!((whole.x_cache(), whole.text()), ("HIT", "abcdefgh"));
    let tags = tags(&gateway, "/items/a").await;
    for tag in ["_N_T_/items/[slug]/route", "_N_T_/items/a", "item:a", "whole"] {
        assert!(tags.contains(&tag.to_owned()), "{tag}: {tags:?}");
    }
}
