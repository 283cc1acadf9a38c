//! `GET /cache` on the admin listener: what is stored, the most popular first.

use evergate_tests::{Client, Gateway, Origin, Reply, get};
use serde_json::Value;

const ROUTES: &str = "
- { path: '/items/[slug]', revalidate: 1h, query: [q], vary: [x-shop], tags: ['item:{slug}'] }
- { path: /forever, revalidate: false }
- { path: /word, revalidate: origin }";

/// A gateway that holds five entries, of which two differ in their query alone.
async fn in_front_of() -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page").header("cache-control", "max-age=60"));
    let gateway = Gateway::simple(&origin, ROUTES).await;
    for (target, times) in [("/items/a", 1), ("/items/a?q=1", 4), ("/items/b", 3), ("/forever", 2), ("/word", 5)] {
        for _ in 0..times {
            assert_eq!(get(gateway.address(), target).await.status, 200, "{target}");
        }
    }
    let mut client = Client::connect(gateway.address()).await;
    assert_eq!(client.get_with("/items/a", &[("x-shop", "north")]).await.x_cache(), "MISS");
    (origin, gateway)
}

async fn listed(gateway: &Gateway, query: &str) -> Value {
    let answer = get(gateway.admin(), &format!("/cache{query}")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{query}");
    answer.json()
}

fn targets(inventory: &Value) -> Vec<String> {
    let target = |entry: &Value| {
        let query = entry["query"].as_str().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", entry["path"].as_str().unwrap_or_default())
    };
    inventory["entries"].as_array().into_iter().flatten().map(target).collect()
}

#[tokio::test]
async fn entries_are_listed_by_what_they_are() {
    let (_origin, gateway) = in_front_of().await;
    let cases: [(&str, u64, &[&str]); 11] = [
        ("?route=/items/[slug]&limit=1", 3, &["/items/a?q=1"]),
        ("", 5, &["/word", "/items/a?q=1", "/items/b", "/forever", "/items/a"]),
        ("?limit=2", 5, &["/word", "/items/a?q=1"]),
        ("?prefix=/items/", 3, &["/items/a?q=1", "/items/b", "/items/a"]),
        ("?path=/items/a", 2, &["/items/a?q=1", "/items/a"]),
        ("?path=/items/a/", 2, &["/items/a?q=1", "/items/a"]),
        ("?tag=item:b", 1, &["/items/b"]),
        ("?tag=_N_T_/items/layout", 3, &["/items/a?q=1", "/items/b", "/items/a"]),
        ("?prefix=/items/&tag=item:b&upstream=origin", 1, &["/items/b"]),
        ("?prefix=/f&tag=item:b", 0, &[]),
        ("?upstream=nobody", 0, &[]),
    ];
    for (query, matched, expected) in cases {
        let inventory = listed(&gateway, query).await;
        assert_eq!(
            (targets(&inventory), inventory["matched"].as_u64()),
            (expected.iter().map(ToString::to_string).collect(), Some(matched)),
            "{query}"
        );
    }
}

#[tokio::test]
async fn an_entry_is_told_whole() {
    let (_origin, gateway) = in_front_of().await;
    let inventory = listed(&gateway, "?path=/items/a").await;
    let entry = &inventory["entries"][1];
    let told = (&entry["route"], &entry["by"], &entry["upstream"], &entry["scheme"], &entry["host"]);
    assert_eq!(told, (&"/items/[slug]".into(), &"window".into(), &"origin".into(), &"http".into(), &Value::Null));
    assert!(entry["bytes"].as_u64() > Some(8), "{entry}");
    let variants = entry["variants"].as_array().expect("a list");
    assert_eq!(variants.len(), 2);
    assert_eq!((&variants[0]["vary"]["x-shop"], &variants[1]["vary"]["x-shop"]), (&"north".into(), &Value::Null));
    for variant in variants {
        assert_eq!(
            (&variant["state"], &variant["status"], &variant["bytes"]),
            (&"fresh".into(), &200.into(), &4.into())
        );
        assert!(variant["ttl"].as_u64().is_some_and(|ttl| (3500..=3600).contains(&ttl)), "{variant}");
        assert!(variant["tags"].to_string().contains("item:a"), "{variant}");
        assert_eq!((&variant["invalidated"], &variant["part"]), (&false.into(), &false.into()));
    }
    // As often as it was answered from memory.
    let hits = |target: &str| inventory_hits(&inventory, target);
    assert_eq!((hits("/items/a?q=1"), hits("/items/a")), (Some(3), Some(0)));
    let forever = listed(&gateway, "?path=/forever").await;
    let variant = &forever["entries"][0]["variants"][0];
    assert_eq!((&variant["state"], &variant["ttl"]), (&"fresh".into(), &Value::Null), "it has no end");
    let word = listed(&gateway, "?path=/word").await;
    assert_eq!((&word["entries"][0]["by"], &word["entries"][0]["route"]), (&"origin".into(), &"/word".into()));
}

fn inventory_hits(inventory: &Value, target: &str) -> Option<u64> {
    let place = targets(inventory).iter().position(|listed| listed == target)?;
    inventory["entries"][place]["hits"].as_u64()
}

/// What is warmed up, or refreshed after an invalidation, was asked for by nobody.
#[tokio::test]
async fn only_visitors_make_an_entry_popular() {
    let (_origin, gateway) = in_front_of().await;
    let hits = async || listed(&gateway, "?path=/items/b").await["entries"][0]["hits"].as_u64();
    assert_eq!(hits().await, Some(2));
    let json = [("content-type", "application/json")];
    let mut client = Client::connect(gateway.admin()).await;
    for (target, body) in [
        ("/warm", "{\"urls\": [\"/items/b\"]}"),
        ("/warm", "{\"urls\": [\"/items/b\"]}"),
        ("/invalidate", "{\"paths\": [\"/items/b\"]}"),
        ("/warm", "{\"urls\": [\"/items/b\"]}"),
    ] {
        assert_eq!(client.request("POST", target, &json, body).await.status, 200, "{target}");
    }
    assert_eq!(hits().await, Some(2));
}

/// `/explain` adds the entry, and looking at it is no use of it.
#[tokio::test]
async fn an_explanation_shows_the_entry() {
    let (_origin, gateway) = in_front_of().await;
    for _ in 0..2 {
        let told = get(gateway.admin(), "/explain?url=/items/a%3Fq%3D1").await.json();
        assert_eq!((&told["stored"]["hits"], &told["stored"]["invalidated"]), (&3.into(), &false.into()), "{told}");
        assert_eq!(told["entry"], listed(&gateway, "?prefix=/items/&limit=1").await["entries"][0]);
    }
    let told = get(gateway.admin(), "/explain?url=/items/new").await.json();
    assert_eq!((&told["stored"], &told["entry"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_question_about_entries_that_is_none_is_told_what_is_wrong() {
    let (_origin, gateway) = in_front_of().await;
    for (query, problem) in [
        ("?tags=a", "there is no parameter `tags`; there are prefix, path, route, tag, upstream and limit"),
        ("?limit=0", "`limit` is not a number from 1 to 10000"),
        ("?prefix=items", "`prefix` does not begin with a slash"),
        ("?tag=a&tag=b", "`tag` is said twice"),
    ] {
        let answer = get(gateway.admin(), &format!("/cache{query}")).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some(problem)), "{query}");
    }
}

#[tokio::test]
async fn the_token_is_asked_for_before_entries_are_told() {
    let origin = Origin::start().await;
    let config = Gateway::simple_config(&origin, "");
    let config =
        config.replace("admin: { address: \"127.0.0.1:0\" }", "admin: { address: \"127.0.0.1:0\", token: secret }");
    let gateway = Gateway::start(&config).await;
    assert_eq!(get(gateway.admin(), "/cache").await.status, 401);
    let mut client = Client::connect(gateway.admin()).await;
    assert_eq!(client.get_with("/cache", &[("authorization", "Bearer secret")]).await.status, 200);
}
