//! Plain requests: who may read an answer, whether it is stored or not, and which of its headers.

use evergate_tests::{Browser, Gate, Gateway, Origin, Page};
use serde_json::json;

use super::{Stage, given, reading, refused, run};
use crate::freshness::{answer_when, hit};

/// A gateway that this page alone may read, and some headers.
fn cors(page: &Page) -> String {
    format!("{{ allow_origins: ['{}'], expose_headers: [X-Cache, x-run, Vary] }}", page.origin())
}

/// Checks that the friend reads this run and how it came, and that the stranger reads nothing; in this order or the other.
async fn both(stage: &Stage, friend: &Page, stranger: &Page, path: &str, expected: (&str, &str)) {
    let url = stage.url(path);
    let why = refused(stranger.fetch(&url, reading()).await);
    assert!(why.contains("No 'Access-Control-Allow-Origin' header is present"), "{why}");
    for asked in [friend.fetch(&url, reading()).await, friend.xhr(&url, reading()).await] {
        let answer = given(asked);
        let (cache, run) = (answer.header("x-cache"), answer.header("x-run"));
        assert_eq!((answer.status, cache, run), (200, Some(expected.0), Some(expected.1)), "{path}");
        assert_eq!(answer.body, format!("GET {} ", expected.1), "{path}");
        let varies = answer.header("vary").is_some_and(|vary| vary.to_ascii_lowercase().contains("origin"));
        assert!(varies, "{path}: {answer:?}");
        // Neither listed nor one of the few that scripts may always read.
        assert_eq!((answer.header("x-other"), answer.header("cache-status")), (None, None), "{path}");
        assert_eq!(answer.header("content-type"), Some("text/plain"), "{path}");
    }
    let head = given(friend.fetch(&url, json!({ "method": "HEAD", "cache": "no-store" })).await);
    assert_eq!((head.status, head.header("x-cache"), &*head.body), (200, Some(expected.0), ""), "{path}");
    refused(stranger.xhr(&url, reading()).await);
}

#[tokio::test]
async fn one_stored_answer_is_read_by_the_allowed_page_and_refused_to_the_foreign_one() {
    let browser = Browser::start().await;
    let (friend, stranger) = (browser.page("127.0.0.1").await, browser.page("127.0.0.1").await);
    let stage = Stage::start(&cors(&friend)).await;
    let address = stage.gateway.address();
    // Cold for either of them; who comes second is served what the other's request stored.
    let first = given(friend.fetch(&stage.url("/kept/friend"), reading()).await);
    assert_eq!((first.header("x-cache"), first.header("x-run")), (Some("MISS"), Some("1")));
    refused(stranger.fetch(&stage.url("/kept/stranger"), reading()).await);
    for path in ["/kept/friend", "/kept/stranger"] {
        hit(address, path).await;
        both(&stage, &friend, &stranger, path, ("HIT", "1")).await;
        assert_eq!(stage.origin.count(path), 1, "{path}");
        assert_eq!(stage.origin.seen(path)[0].header("origin"), None, "the handler of a window is not told who asks");
    }
}

#[tokio::test]
async fn stale_and_dynamic_answers_and_those_kept_by_the_handlers_word_are_no_different() {
    let browser = Browser::start().await;
    let (friend, stranger) = (browser.page("127.0.0.1").await, browser.page("127.0.0.1").await);
    let stage = brief(&friend).await;
    let address = stage.gateway.address();
    // A refresh that does not end keeps the page stale.
    let gate = Gate::new();
    let held = gate.clone();
    stage.origin.on_counted("/brief/*", move |seen, count| {
        let reply = run(seen, count);
        if count == 2 { reply.gate(&held) } else { reply }
    });
    given(friend.fetch(&stage.url("/brief/a"), reading()).await);
    answer_when("it is stale", address, "/brief/a", |answer| answer.x_cache() == "STALE").await;
    gate.arrived(1).await;
    both(&stage, &friend, &stranger, "/brief/a", ("STALE", "1")).await;
    gate.open();
    // Handlers without a window run for each of them.
    refused(stranger.fetch(&stage.url("/live/a"), reading()).await);
    let answer = given(friend.fetch(&stage.url("/live/a"), reading()).await);
    assert_eq!((answer.header("x-cache"), answer.header("x-run")), (Some("PASS"), Some("2")));
    // What the browser may keep is not asked for again by either; this handler lets it keep nothing.
    refused(stranger.fetch(&stage.url("/theirs/a"), json!({})).await);
    hit(address, "/theirs/a").await;
    let answer = given(friend.fetch(&stage.url("/theirs/a"), json!({})).await);
    assert_eq!((answer.header("x-cache"), answer.header("x-run")), (Some("HIT"), Some("1")));
    refused(stranger.fetch(&stage.url("/theirs/a"), json!({})).await);
    assert_eq!(stage.origin.count("/theirs/a"), 1);
}

/// A stage with a window that is soon over; what pages may do is said by the routes, and not by a rule.
async fn brief(friend: &Page) -> Stage {
    let cors = cors(friend);
    let origin = Origin::start().await;
    origin.on_counted("/*", run);
    let routes = format!(
        " [{{ path: '/brief/[page]', revalidate: 300ms, cors: {cors} }},\n\
          {{ path: '/theirs/[page]', revalidate: origin, cors: {cors} }}, {{ path: '/live/[...page]', cors: {cors} }}]"
    );
    let gateway = Gateway::simple(&origin, &routes).await;
    Stage { origin, gateway }
}
