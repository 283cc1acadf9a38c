//! How Next.js's own tests say that handlers behave (`tests/vectors/http_upstream.json`), row by row, through the gateway.

use evergate_tests::{Client, Gateway, Response, get, until};
use serde_json::Value;

use super::server::{Next, in_front_of};

const ROUTES: &str = "[
  { path: /vectors/static, dynamic: force-static },
  { path: /vectors/only-get },
  { path: /vectors/options },
  { path: /vectors/endpoint },
  { path: '/vectors/built/[slug]/data.json', revalidate: false, params: [{ slug: first }, { slug: second }] },
  { path: '/vectors/revalidate-1/[slug]/data.json', revalidate: 1, params: [{ slug: first }, { slug: second }] }]";

async fn ask(gateway: &Gateway, method: &str, target: &str, lines: &[(&str, &str)], body: &str) -> Response {
    Client::connect(gateway.address()).await.request(method, target, lines, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_holds_through_the_gateway() {
    let rows: Value = serde_json::from_str(include_str!("../../vectors/http_upstream.json")).expect("JSON");
    let rows = rows.as_array().expect("a list of rows");
    assert_eq!(rows.len(), 9, "each row has its check below");
    let next = Next::start().await;
    let gateway = in_front_of(&next, ROUTES).await;
    for row in rows {
        check(&gateway, row["id"].as_str().expect("an id"), &row["expect"]).await;
    }
}

async fn check(gateway: &Gateway, id: &str, expect: &Value) {
    match id {
        "http_upstream-001" => answers(&ask(gateway, "HEAD", "/vectors/only-get", &[], "").await, expect),
        "http_upstream-003" => answers(&ask(gateway, "POST", "/vectors/only-get", &[], "").await, expect),
        "http_upstream-004" => answers(&ask(gateway, "HEADER", "/vectors/only-get", &[], "").await, expect),
        "http_upstream-009" => {
            let answer = get(gateway.address(), "/vectors/only-get").await;
            assert_eq!(answer.header("content-type"), expect["content-type"].as_str(), "{id}");
            assert_eq!(Some(u64::from(answer.status)), expect["status"].as_u64(), "{id}");
        }
        "http_upstream-010" => forced_static(gateway, id, expect).await,
        "http_upstream-013" => {
            let answer = ask(gateway, "OPTIONS", "/vectors/options", &[], r#"{"bar":"bar"}"#).await;
            assert_eq!(Some(u64::from(answer.status)), expect["status"].as_u64(), "{id}");
            assert_eq!(answer.json()["meta"]["bar"], "bar", "{id}: the handler can read the body");
        }
        "http_upstream-014" => {
            let answer = get(gateway.address(), "/vectors/endpoint").await.json();
            assert_eq!(answer["params"], expect["params"], "{id}");
        }
        "http_upstream-017" => built(gateway, id, expect).await,
        "http_upstream-018" => changes(gateway, id).await,
        _ => panic!("no check for {id}"),
    }
}

fn answers(answer: &Response, expect: &Value) {
    assert_eq!(Some(u64::from(answer.status)), expect["status"].as_u64(), "{answer:?}");
    assert_eq!(Some(answer.text()), expect["body"].as_str(), "{answer:?}");
}

async fn forced_static(gateway: &Gateway, id: &str, expect: &Value) {
    let lines = [("cookie", "a=b"), ("accept", "text/html"), ("x-own", "1")];
    let answer = ask(gateway, "GET", "/vectors/static?query=true", &lines, "").await;
    assert_eq!(Some(u64::from(answer.status)), expect["status"].as_u64(), "{id}");
    let seen = answer.json();
    assert_eq!(seen["search"], expect["handler_sees"]["search"], "{id}");
    assert_eq!(seen["searchParams"].as_object().map(serde_json::Map::len), Some(0), "{id}: {seen}");
    assert_eq!(seen["cookies"].as_array().map(Vec::len), Some(0), "{id}: {seen}");
    assert!(seen["accept"].is_null() && seen["own"].is_null(), "{id}: {seen}");
}

/// Each page is kept, those that were built and the one that was not, with its parameters.
async fn built(gateway: &Gateway, id: &str, expect: &Value) {
    for slug in ["first", "second", "three"] {
        let target = format!("/vectors/built/{slug}/data.json");
        let answer = get(gateway.address(), &target).await;
        assert_eq!(Some(u64::from(answer.status)), expect["all_status"].as_u64(), "{id} {slug}");
        assert_eq!(answer.json()["params"]["slug"], slug, "{id}");
        let again = get(gateway.address(), &target).await;
        assert_eq!((again.x_cache(), &again.body), ("HIT", &answer.body), "{id} {slug}");
    }
}

async fn changes(gateway: &Gateway, id: &str) {
    for slug in ["first", "three"] {
        let target = format!("/vectors/revalidate-1/{slug}/data.json");
        let before = get(gateway.address(), &target).await;
        assert_eq!(before.json()["params"]["slug"], slug, "{id}");
        until("the body changes after the window", async || get(gateway.address(), &target).await.body != before.body)
            .await;
    }
}
