//! Requests for which the browser asks first: the gateway answers, the handler sees none of it, and what is not allowed is
//! never sent.

use evergate_tests::{Browser, Page, until};
use serde_json::json;

use super::{Stage, given, reading, refused, writing};

/// What this page may do; everything else of the section stands behind it.
fn cors(page: &Page, rest: &str) -> String {
    let allowed = "allow_methods: [GET, PUT, DELETE], allow_headers: [Content-Type, X-Token], expose_headers: [x-run]";
    format!("{{ allow_origins: ['{}'], {allowed}{rest} }}", page.origin())
}

/// The methods that reached the handler on a path.
fn arrived(stage: &Stage, path: &str) -> Vec<String> {
    stage.origin.seen(path).into_iter().map(|seen| seen.method).collect()
}

#[tokio::test]
async fn what_is_allowed_is_sent_and_nothing_else_ever_arrives() {
    let browser = Browser::start().await;
    let (friend, stranger) = (browser.page("127.0.0.1").await, browser.page("127.0.0.1").await);
    let stage = Stage::start(&cors(&friend, "")).await;
    let url = stage.url("/live/a");
    for (run, method) in [("1", "PUT"), ("2", "DELETE")] {
        let refusal = refused(stranger.fetch(&url, writing(method, "{}")).await);
        assert!(refusal.contains("preflight"), "{refusal}");
        let answer = given(friend.fetch(&url, writing(method, r#"{"a":1}"#)).await);
        assert_eq!((answer.status, answer.header("x-run")), (200, Some(run)));
        assert_eq!(answer.body, format!(r#"{method} {run} {{"a":1}}"#));
    }
    assert_eq!(given(friend.xhr(&url, writing("PUT", "{}")).await).body, "PUT 3 {}");
    refused(stranger.xhr(&url, writing("PUT", "{}")).await);
    // Methods and a header that are not listed.
    let why = refused(friend.fetch(&url, writing("PATCH", "{}")).await);
    assert!(why.contains("Method PATCH is not allowed by Access-Control-Allow-Methods"), "{why}");
    refused(friend.fetch(&url, writing("QUERY", "{}")).await);
    let why = refused(friend.fetch(&url, json!({ "headers": { "x-unlisted": "1" } })).await);
    assert!(why.contains("x-unlisted is not allowed by Access-Control-Allow-Headers"), "{why}");
    assert_eq!(arrived(&stage, "/live/a"), ["PUT", "DELETE", "PUT"]);
    // No route, and none that would be found: the gateway answers all the same.
    assert_eq!(given(friend.fetch(&stage.url("/none"), writing("PUT", "{}")).await).body, "PUT 1 {}");
    refused(stranger.fetch(&stage.url("/none"), writing("PUT", "{}")).await);
    assert_eq!(arrived(&stage, "/none"), ["PUT"]);
    assert_eq!(stage.origin.seen("/*").iter().filter(|seen| seen.method == "OPTIONS").count(), 0);
    everything_is_allowed_by_a_star(&friend).await;
}

async fn everything_is_allowed_by_a_star(friend: &Page) {
    let cors = format!("{{ allow_origins: ['{}'], allow_methods: ['*'], allow_headers: ['*'] }}", friend.origin());
    let stage = Stage::start(&cors).await;
    // By the standard a star does not mean the first of these.
    let headers = json!({ "authorization": "Bearer a", "x-any": "1", "content-type": "application/json" });
    for method in ["PATCH", "QUERY", "GET"] {
        let answer = given(friend.fetch(&stage.url("/live/a"), json!({ "method": method, "headers": headers })).await);
        assert_eq!(answer.status, 200, "{method}");
    }
    assert_eq!(arrived(&stage, "/live/a"), ["PATCH", "QUERY", "GET"]);
    assert!(stage.origin.seen("/live/a").iter().all(|seen| seen.header("authorization") == Some("Bearer a")));
}

#[tokio::test]
async fn a_get_with_a_header_of_its_own_is_asked_for_first_and_answered_from_the_store() {
    let browser = Browser::start().await;
    let (friend, stranger) = (browser.page("127.0.0.1").await, browser.page("127.0.0.1").await);
    let stage = Stage::start(&cors(&friend, "")).await;
    let mut with_token = reading();
    with_token["headers"] = json!({ "x-token": "1" });
    for path in ["/kept/a", "/theirs/a", "/live/a"] {
        let url = stage.url(path);
        // Cold, and so it stays: the browser is told no before the request is sent.
        let why = refused(stranger.fetch(&url, with_token.clone()).await);
        assert!(why.contains("preflight"), "{why}");
        assert_eq!(stage.origin.count(path), 0, "{path}");
        assert_eq!(given(friend.fetch(&url, with_token.clone()).await).header("x-run"), Some("1"), "{path}");
        refused(stranger.fetch(&url, with_token.clone()).await);
        refused(stranger.xhr(&url, with_token.clone()).await);
        let again = given(friend.xhr(&url, with_token.clone()).await);
        let runs = if path == "/live/a" { ("2", 2) } else { ("1", 1) };
        assert_eq!((again.header("x-run"), stage.origin.count(path)), (Some(runs.0), runs.1), "{path}");
        assert!(arrived(&stage, path).iter().all(|method| method == "GET"), "{path}");
    }
}

#[tokio::test]
async fn browsers_remember_what_they_were_told_for_as_long_as_they_were_told() {
    let browser = Browser::start().await;
    let friend = browser.page("127.0.0.1").await;
    // Who is told nothing remembers for a few seconds, so it is the zero that shows that they are told.
    for (max_age, preflights) in [(", max_age: 1d", 1.0), (", max_age: 0", 3.0), ("", 1.0)] {
        let stage = Stage::start(&cors(&friend, max_age)).await;
        for _ in 0..3 {
            given(friend.fetch(&stage.url("/live/a"), writing("PUT", "{}")).await);
        }
        until("all are counted", async || stage.answered("PUT").await >= 3.0).await;
        until("so are the preflights", async || stage.answered("OPTIONS").await >= preflights).await;
        assert_eq!(stage.answered("OPTIONS").await, preflights, "{max_age:?}");
        assert_eq!(arrived(&stage, "/live/a"), ["PUT", "PUT", "PUT"]);
    }
}
