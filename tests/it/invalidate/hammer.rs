//! Promise 4 under load: a million requests, while writers change what is behind the handler and forget it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use evergate_tests::{Client, Gateway, Origin, Reply};
use serde_json::{Value, json};

use super::order;

/// Requests in all.
const REQUESTS: usize = 1_000_000;

/// Pages, each with a writer of its own.
const PAGES: usize = 8;

/// Connections of visitors.
const VISITORS: usize = 16;

/// Requests that a visitor sends before it reads the answers.
const PIPELINED: usize = 16;

/// A page whose version its writer counts up.
#[derive(Default)]
struct Page {
    /// The version that the handler tells.
    version: AtomicU64,
    /// The last version that was forgotten for: nobody who asks from then on may see an older one.
    forgotten: AtomicU64,
}

/// What the writers forget by: each way in its turn.
fn way(page: usize, turn: u64) -> Value {
    match turn % 4 {
        0 => json!({ "tags": [format!("told:{page}")], "mode": "delete" }),
        1 => json!({ "paths": [format!("/v/{page}")], "mode": "delete" }),
        2 => json!({ "prefixes": [format!("/v/{page}")], "mode": "delete" }),
        _ => json!({ "tags": [format!("own:{page}"), "nobody"], "mode": "delete" }),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_no_version_is_seen_that_was_forgotten_before_the_request() {
    let pages: Arc<Vec<Page>> = Arc::new((0..PAGES).map(|_| Page::default()).collect());
    let origin = Origin::start().await;
    let told = Arc::clone(&pages);
    origin.on("/v/*", move |seen| {
        let page: usize = seen.path()["/v/".len()..].parse().expect("a number");
        let version = told[page].version.load(Ordering::SeqCst);
        Reply::ok(version.to_string()).header("cache-tag", format!("told:{page}"))
    });
    let routes = "- { path: '/v/[page]', revalidate: 1h, tags: ['own:{page}'] }";
    let gateway = Arc::new(Gateway::simple(&origin, routes).await);
    let left = Arc::new(AtomicUsize::new(REQUESTS / PIPELINED));
    let visitors: Vec<_> = (0..VISITORS)
        .map(|visitor| tokio::spawn(visits(visitor, Arc::clone(&gateway), Arc::clone(&pages), Arc::clone(&left))))
        .collect();
    let writers: Vec<_> = (0..PAGES)
        .map(|page| tokio::spawn(writes(page, Arc::clone(&gateway), Arc::clone(&pages), Arc::clone(&left))))
        .collect();
    for visitor in visitors {
        visitor.await.expect("a visitor has seen what was forgotten");
    }
    for writer in writers {
        assert!(writer.await.expect("a writer ends") > 10, "it has forgotten often");
    }
}

async fn writes(page: usize, gateway: Arc<Gateway>, pages: Arc<Vec<Page>>, left: Arc<AtomicUsize>) -> u64 {
    let mut turn = 0;
    while left.load(Ordering::Relaxed) > 0 {
        let version = pages[page].version.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = order(&gateway, &way(page, turn)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        pages[page].forgotten.store(version, Ordering::SeqCst);
        turn += 1;
    }
    turn
}

async fn visits(visitor: usize, gateway: Arc<Gateway>, pages: Arc<Vec<Page>>, left: Arc<AtomicUsize>) {
    let mut client = Client::connect(gateway.address()).await;
    let mut page = visitor % PAGES;
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let request = format!("GET /v/{page} HTTP/1.1\r\nHost: x\r\n\r\n");
        // Read before anything is sent.
        let least = pages[page].forgotten.load(Ordering::SeqCst);
        client.send_raw(request.repeat(PIPELINED)).await;
        for _ in 0..PIPELINED {
            let answer = client.read_response("GET").await;
            let seen: u64 = answer.text().parse().unwrap_or_else(|_| panic!("{}: {}", answer.status, answer.text()));
            assert!(
                seen >= least,
                "promise 4: version {seen} of page {page} after {least} ({})",
                answer.cache_status()
            );
        }
        page = (page + 1) % PAGES;
    }
}
