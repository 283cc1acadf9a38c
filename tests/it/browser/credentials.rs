//! Cookies: only where the section says so are they sent by pages of other origins, and the answer read.

use evergate_tests::{Browser, Gate, Page, Reply, Seen};
use serde_json::{Value, json};

use super::{Stage, given, refused, run, writing};
use crate::freshness::{answer_when, hit};

const ROUTES: &str = " [{ path: '/kept/[page]', revalidate: 1h }, { path: '/brief/[page]', revalidate: 300ms },\n\
    { path: '/live/[...page]' }]";

/// A gateway that this page may read, with cookies or without.
async fn stage(friend: &Page, credentials: bool) -> Stage {
    let rest = "allow_methods: [GET, PUT], allow_headers: [content-type], expose_headers: [x-cache]";
    let cors = format!("{{ allow_origins: ['{}'], allow_credentials: {credentials}, {rest} }}", friend.origin());
    let stage = Stage::with_routes(ROUTES, &cors).await;
    stage.origin.on("/live/login", |_| Reply::ok("in").header("set-cookie", "session=ann; HttpOnly"));
    stage.origin.on("/live/me", |seen| Reply::ok(cookie(seen)));
    stage
}

fn cookie(seen: &Seen) -> String {
    seen.header("cookie").unwrap_or("nobody").to_owned()
}

/// A request that is sent with cookies, and that nothing which the browser keeps answers.
fn included() -> Value {
    json!({ "cache": "no-store", "credentials": "include" })
}

#[tokio::test]
async fn cookies_are_sent_by_allowed_pages_and_only_with_leave_for_them() {
    let browser = Browser::start().await;
    let (friend, stranger) = (browser.page("127.0.0.1").await, browser.page("127.0.0.1").await);
    let stage = stage(&friend, true).await;
    dynamic_handlers_are_told_who_it_is(&stage, &friend, &stranger).await;
    the_store_answers_all_the_same(&stage, &friend, &stranger).await;
    without_leave_nothing_that_brings_cookies_is_read(&friend).await;
}

async fn dynamic_handlers_are_told_who_it_is(stage: &Stage, friend: &Page, stranger: &Page) {
    assert_eq!(given(friend.fetch(&stage.url("/live/login"), included()).await).body, "in");
    for asked in
        [friend.fetch(&stage.url("/live/me"), included()).await, friend.xhr(&stage.url("/live/me"), included()).await]
    {
        assert_eq!(given(asked).body, "session=ann");
    }
    assert_eq!(given(friend.fetch(&stage.url("/live/me"), json!({})).await).body, "nobody");
    refused(stranger.fetch(&stage.url("/live/me"), included()).await);
    let mut put = writing("PUT", "{}");
    put["credentials"] = json!("include");
    assert_eq!(given(friend.fetch(&stage.url("/live/me"), put.clone()).await).body, "session=ann");
    let before = stage.origin.count("/live/me");
    refused(stranger.fetch(&stage.url("/live/me"), put).await);
    assert_eq!(stage.origin.count("/live/me"), before);
}

/// From the store, whose handlers are told of no cookie.
async fn the_store_answers_all_the_same(stage: &Stage, friend: &Page, stranger: &Page) {
    let address = stage.gateway.address();
    let gate = Gate::new();
    let held = gate.clone();
    stage.origin.on_counted("/brief/*", move |seen, count| {
        let reply = run(seen, count);
        if count == 2 { reply.gate(&held) } else { reply }
    });
    given(friend.fetch(&stage.url("/brief/a"), included()).await);
    refused(stranger.fetch(&stage.url("/kept/cold"), included()).await);
    assert_eq!(given(friend.fetch(&stage.url("/kept/a"), included()).await).header("x-cache"), Some("MISS"));
    hit(address, "/kept/a").await;
    answer_when("it is stale", address, "/brief/a", |answer| answer.x_cache() == "STALE").await;
    for (path, cache) in [("/kept/a", "HIT"), ("/brief/a", "STALE")] {
        assert_eq!(given(friend.fetch(&stage.url(path), included()).await).header("x-cache"), Some(cache));
        refused(stranger.fetch(&stage.url(path), included()).await);
        assert_eq!(stage.origin.seen(path)[0].header("cookie"), None, "{path}");
    }
    gate.open();
}

async fn without_leave_nothing_that_brings_cookies_is_read(friend: &Page) {
    let stage = stage(friend, false).await;
    for path in ["/live/me", "/kept/a"] {
        let url = stage.url(path);
        let why = refused(friend.fetch(&url, included()).await);
        assert!(why.contains("'Access-Control-Allow-Credentials'"), "{why}");
        refused(friend.xhr(&url, included()).await);
        given(friend.fetch(&url, json!({ "cache": "no-store" })).await);
        let before = stage.origin.count(path);
        let mut put = writing("PUT", "{}");
        put["credentials"] = json!("include");
        refused(friend.fetch(&url, put).await);
        assert_eq!(stage.origin.count(path), before, "{path}");
    }
}
