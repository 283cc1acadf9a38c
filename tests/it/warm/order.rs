//! How fast, how much at once, and how many.

use std::time::Duration;

use evergate_tests::{Client, Gate, Gateway, Origin, Reply};
use serde_json::{Value, json};

use super::{JSON, items, numbers, warm};

#[tokio::test]
async fn no_more_pages_are_asked_for_at_once_than_is_said() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/items/*", move |_| Reply::ok("held").gate(&held));
    let gateway = Gateway::simple(&origin, "- { path: '/items/[slug]', revalidate: 1h }").await;
    let urls: Vec<String> = (0..12).map(|number| format!("/items/{number}")).collect();
    let mut client = Client::connect(gateway.admin()).await;
    client.send("POST", "/warm", &[JSON], json!({ "urls": urls, "concurrency": 3 }).to_string()).await;
    gate.arrived(3).await;
    client.read_head().await;
    // It tells how far it has come while nothing moves, and asks for nothing meanwhile.
    for _ in 0..3 {
        let (_, line) = client.next_chunk().await.expect("a line");
        let line: Value = serde_json::from_slice(&line).expect("JSON");
        assert_eq!((&line["progress"]["rendered"], line["progress"]["pages"].is_u64()), (&json!(0), true), "{line}");
    }
    assert_eq!(gate.arrivals(), 3);
    gate.open();
    while client.next_chunk().await.is_some() {}
    assert!(client.complete());
    assert_eq!((origin.count("/items/*"), origin.concurrent_peak("/items/*")), (12, 3));
}

#[tokio::test]
async fn no_more_pages_are_asked_for_in_a_second_than_is_said() {
    let origin = Origin::start().await;
    items(&origin);
    let gateway = Gateway::simple(&origin, "- { path: '/items/[slug]', revalidate: 1h }\n- { path: /live }").await;
    let urls: Vec<String> = (0..5).map(|number| format!("/items/{number}")).collect();
    assert_eq!(numbers(&warm(&gateway, &json!({ "urls": urls, "rate": 10 })).await), [5, 0, 0, 0]);
    let mut times: Vec<_> = origin.seen("/items/*").iter().map(|seen| seen.at).collect();
    times.sort();
    let (first, last) = (times[0], times[4]);
    // Turns are 100 ms apart; the first request may be a little late.
    assert!(last.duration_since(first) >= Duration::from_millis(300), "{:?}", last.duration_since(first));
    // What nobody is asked for needs no turn, at however slow a pace: the second turn would be after a hundred seconds.
    let mut urls: Vec<String> = urls;
    urls.extend(["/live".to_owned(), "/items/new".to_owned()]);
    assert_eq!(numbers(&warm(&gateway, &json!({ "urls": urls, "rate": 0.01 })).await), [1, 5, 0, 1]);
}

#[tokio::test]
async fn no_more_pages_are_dealt_with_than_is_said() {
    let origin = Origin::start().await;
    items(&origin);
    let gateway = Gateway::simple(&origin, "- { path: '/items/[slug]', params: [{ slug: x }, { slug: y }] }").await;
    let made = origin.count("/items/*");
    let order = json!({ "urls": ["/items/a", "/items/b"], "params": true, "limit": 3 });
    assert_eq!(numbers(&warm(&gateway, &order).await), [2, 1, 0, 0]);
    let order = json!({ "urls": ["/items/c", "/items/d"], "limit": 1 });
    assert_eq!(numbers(&warm(&gateway, &order).await), [1, 0, 0, 0]);
    assert_eq!(origin.count("/items/*"), made + 3);
}
