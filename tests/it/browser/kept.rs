//! What the browser itself keeps: pages of one site share it, and `Vary: Origin` keeps apart what is for each of them.

use evergate_tests::{Browser, Page};
use serde_json::json;

use super::{Stage, given, refused};
use crate::freshness::hit;

/// Routes whose answers browsers may keep for an hour, or must ask about.
const ROUTES: &str = " [{ path: '/kept/[page]', revalidate: 1h, cache_control: 'public, max-age=3600' },\n\
    { path: '/asked/[page]', revalidate: 1h }]";

fn origins(pages: &[&Page]) -> String {
    let origins: Vec<&str> = pages.iter().map(|page| page.origin()).collect();
    format!("{{ allow_origins: {origins:?}, expose_headers: [x-run, x-cache, etag] }}")
}

#[tokio::test]
async fn what_the_browser_keeps_for_one_page_is_not_what_another_is_given() {
    let browser = Browser::start().await;
    let (one, two) = (browser.page("127.0.0.1").await, browser.page("127.0.0.1").await);
    let stranger = browser.page("127.0.0.1").await;
    let stage = Stage::with_routes(ROUTES, &origins(&[&one, &two])).await;
    answers_that_may_be_kept_are_kept_apart(&stage, &one, &two, &stranger).await;
    answers_that_have_not_changed_are_readable_by_whom_they_are_for(&stage, &one, &two, &stranger).await;
    // The browser did keep them: the last page that was given one has it when there is no gateway any more.
    let url = stage.url("/kept/cors");
    drop(stage);
    assert_eq!(given(two.fetch(&url, json!({})).await).header("x-run"), Some("1"));
    assert!(one.fetch(&url, json!({})).await.is_err());
}

async fn answers_that_may_be_kept_are_kept_apart(stage: &Stage, one: &Page, two: &Page, stranger: &Page) {
    let plain = json!({});
    // The first answer to be kept is one to nobody in particular, as an image or a script has it.
    for first in [json!({ "mode": "no-cors" }), plain.clone()] {
        let path = format!("/kept/{}", first["mode"].as_str().unwrap_or("cors"));
        let url = stage.url(&path);
        given(one.fetch(&url, first).await);
        hit(stage.gateway.address(), &path).await;
        for page in [two, one, two] {
            assert_eq!(given(page.fetch(&url, plain.clone()).await).header("x-run"), Some("1"), "{path}");
        }
        refused(stranger.fetch(&url, plain.clone()).await);
        // The stranger's refusal is not what the others find afterwards.
        assert_eq!(given(two.xhr(&url, plain.clone()).await).header("x-run"), Some("1"), "{path}");
        assert_eq!(stage.origin.count(&path), 1, "{path}");
    }
}

async fn answers_that_have_not_changed_are_readable_by_whom_they_are_for(
    stage: &Stage,
    one: &Page,
    two: &Page,
    stranger: &Page,
) {
    let url = stage.url("/asked/a");
    refused(stranger.fetch(&url, json!({})).await);
    hit(stage.gateway.address(), "/asked/a").await;
    // The browser asks with the tag that it has, whosever page brought it, and is answered 304.
    for page in [one, one, two, one, two] {
        let answer = given(page.fetch(&url, json!({})).await);
        assert_eq!((answer.status, answer.header("x-run"), &*answer.body), (200, Some("1"), "GET 1 "));
        refused(stranger.fetch(&url, json!({})).await);
    }
    let unchanged = stage.gateway.metric("evergate_requests_total", &[("status", "3xx")]).await;
    assert!(unchanged >= 5.0, "{unchanged} answers of 304");
    assert_eq!(stage.origin.count("/asked/a"), 1);
}
