//! Fills that wait for their turn at the handler: `max_concurrent_fetches` bounds those that run, and the queue behind them
//! costs nothing but its place. Carries promise 6 for the fills and promise 3 for those who queue.

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, get, until};

/// One fill at a time, sixteen in the queue with it. All but the held page may take no longer than `max_duration`.
async fn gateway(origin: &Origin, max_duration: &str) -> Gateway {
    let held = "- path: /page/held\n  revalidate: 60\n";
    let others = format!("- path: /page/[x]\n  revalidate: 60\n  max_duration: {max_duration}\n");
    let routes = format!("{held}{others}log: {{ access: off }}");
    let config = Gateway::simple_config(origin, &routes);
    let servers = format!("servers: [\"{}\"]", origin.address());
    assert!(config.contains(&servers), "{config}");
    Gateway::start(&config.replace(&servers, &format!("{servers}, retries: 0, max_concurrent_fetches: 1"))).await
}

/// An origin whose first page is held, and a visitor who has it fetched.
async fn busy(gate: &Gate, max_duration: &str) -> (Origin, Gateway, Client) {
    let origin = Origin::start().await;
    let held = gate.clone();
    origin.on("/page/*", |_| Reply::ok("page"));
    origin.on("/page/held", move |_| Reply::ok("held").gate(&held));
    let gateway = gateway(&origin, max_duration).await;
    let mut first = Client::connect(gateway.address()).await;
    first.send("GET", "/page/held", &[], "").await;
    gate.arrived(1).await;
    (origin, gateway, first)
}

async fn visitors(gateway: &Gateway, count: usize) -> Vec<Client> {
    let mut visitors = Vec::with_capacity(count);
    for index in 0..count {
        let mut visitor = Client::connect(gateway.address()).await;
        visitor.send("GET", &format!("/page/{index}"), &[], "").await;
        visitors.push(visitor);
    }
    visitors
}

#[tokio::test]
async fn promise_6_a_page_that_nobody_waits_for_any_more_is_not_asked_for() {
    let gate = Gate::new();
    let (origin, gateway, mut first) = busy(&gate, "20s").await;
    drop(visitors(&gateway, 15).await);
    until("the gateway notices who left", async || {
        gateway.metric("evergate_requests_total", &[("status", "gone")]).await == 15.0
    })
    .await;
    let mut honest = Client::connect(gateway.address()).await;
    honest.send("GET", "/page/honest", &[], "").await;
    gate.open();
    assert_eq!(first.read_response("GET").await.text(), "held");
    assert_eq!(honest.read_response("GET").await.text(), "page");
    assert_eq!(origin.count("/page/*"), 2, "the held page and the honest visitor's");
}

#[tokio::test]
async fn promise_3_and_6_who_queues_for_too_long_is_told_and_not_asked_for() {
    let gate = Gate::new();
    let (origin, gateway, mut first) = busy(&gate, "300ms").await;
    for mut visitor in visitors(&gateway, 10).await {
        let answer = visitor.read_response("GET").await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert!(answer.cache_status().contains("detail=crowded"), "{}", answer.cache_status());
    }
    gate.open();
    assert_eq!(first.read_response("GET").await.text(), "held");
    assert_eq!(get(gateway.address(), "/page/0").await.text(), "page", "the queue is empty again");
    assert_eq!(origin.count("/page/*"), 2, "the held page and the last one");
}

#[tokio::test]
async fn promise_6_a_full_queue_tells_visitors_to_come_back() {
    let gate = Gate::new();
    let (origin, gateway, mut first) = busy(&gate, "20s").await;
    let mut refused = 0;
    let mut waiting = Vec::new();
    for mut visitor in visitors(&gateway, 40).await {
        waiting.push(tokio::spawn(async move { visitor.read_response("GET").await }));
    }
    until("the surplus is told", async || waiting.iter().filter(|answer| answer.is_finished()).count() == 25).await;
    gate.open();
    assert_eq!(first.read_response("GET").await.text(), "held");
    for answer in waiting {
        let answer = answer.await.expect("nobody panics");
        if answer.status == 503 {
            refused += 1;
            assert_eq!(answer.header("retry-after"), Some("1"));
            assert!(answer.cache_status().contains("detail=crowded"), "{}", answer.cache_status());
        } else {
            assert_eq!(answer.text(), "page");
        }
    }
    assert_eq!(refused, 25, "sixteen places, the held page's among them");
    assert_eq!(origin.concurrent_peak("/page/*"), 1);
}
