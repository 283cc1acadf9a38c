//! Orders that are turned down: nothing is fetched for them.

use evergate_tests::{Client, Gateway, Origin, Reply, Response};
use serde_json::{Value, json};

use super::JSON;

/// A gateway that wants a token, and an origin that should see nothing.
async fn guarded() -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page"));
    let config = Gateway::simple_config(&origin, "- { path: '/[...all]', revalidate: 1h }");
    let config = config.replace("\"127.0.0.1:0\" }\nthreads", "\"127.0.0.1:0\", token: s3cret }\nthreads");
    (origin, Gateway::start(&config).await)
}

async fn ask(gateway: &Gateway, method: &str, lines: &[(&str, &str)], body: &str) -> Response {
    Client::connect(gateway.admin()).await.request(method, "/warm", lines, body).await
}

/// What is wrong, as the answer tells it.
fn told(answer: &Response, status: u16) -> Value {
    let told = answer.json();
    assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/json")), "{told}");
    assert!(told["error"].as_str().is_some_and(|error| !error.is_empty()) && told["problems"].is_array(), "{told}");
    told
}

const TOKEN: (&str, &str) = ("authorization", "Bearer s3cret");
const ORDER: &str = r#"{"urls":["/a"]}"#;

#[tokio::test]
async fn who_may_not_ask_is_turned_away() {
    let (origin, gateway) = guarded().await;
    let refused: [(&[(&str, &str)], u16); 6] = [
        (&[JSON], 401),
        (&[JSON, ("authorization", "Bearer wrong")], 401),
        (&[JSON, TOKEN, ("origin", "https://evil.example")], 403),
        (&[JSON, TOKEN, ("host", "evil.example")], 421),
        (&[TOKEN], 415),
        (&[TOKEN, ("content-type", "text/plain")], 415),
    ];
    for (lines, status) in refused {
        told(&ask(&gateway, "POST", lines, ORDER).await, status);
    }
    let got = ask(&gateway, "GET", &[TOKEN], "").await;
    told(&got, 405);
    assert_eq!(got.header("allow"), Some("POST"));
    assert_eq!(origin.count("/*"), 0, "nothing is fetched");
    assert_eq!(ask(&gateway, "POST", &[JSON, TOKEN], ORDER).await.status, 200);
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn what_is_no_order_is_told_with_everything_that_is_wrong() {
    let (origin, gateway) = guarded().await;
    for body in ["", "{", "urls=/a", "[\"/a\"", "\u{0}"] {
        let told = told(&ask(&gateway, "POST", &[JSON, TOKEN], body).await, 400);
        assert!(told["error"].as_str().is_some_and(|error| error.starts_with("the body is not JSON: ")), "{told}");
    }
    let body = json!({ "urls": ["/a"], "url": "/b", "concurrency": 100_000, "sitemaps": ["http://169.254.169.254/"] });
    let told_all = told(&ask(&gateway, "POST", &[JSON, TOKEN], &body.to_string()).await, 422);
    assert_eq!(
        told_all,
        json!({
            "error": "the body is not what a warm-up is told",
            "problems": [
                "`sitemaps[0]`: expected a path of this site (`/sitemap.xml`); `evergate warm --sitemap` reads sitemaps \
                 elsewhere, found \"http://169.254.169.254/\"",
                "`concurrency`: expected a number from 1 to 256, found 100000",
                "`url`: expected `sitemaps`, `urls`, `params`, `concurrency`, `rate` or `limit`",
            ]
        })
    );
    for body in ["{}", "[]", r#"{"urls":[]}"#] {
        told(&ask(&gateway, "POST", &[JSON, TOKEN], body).await, 422);
    }
    assert_eq!(origin.count("/*"), 0, "nothing is fetched");
}

#[tokio::test]
async fn what_is_too_long_is_not_read() {
    let (origin, gateway) = guarded().await;
    // By its announced length, or piece by piece.
    let padding = " ".repeat(16 << 20);
    let body = format!("{ORDER}{padding}");
    let mut client = Client::connect(gateway.admin()).await;
    client.send("POST", "/warm", &[JSON, TOKEN], &body).await;
    let answer = told(&client.read_response("POST").await, 413);
    assert_eq!(answer["error"], "the body is longer than 16777216 bytes");
    let mut client = Client::connect(gateway.admin()).await;
    client.send("POST", "/warm", &[JSON, TOKEN, ("transfer-encoding", "chunked")], "").await;
    client.send_raw(format!("{:x}\r\n{body}\r\n", body.len())).await;
    told(&client.read_response("POST").await, 413);
    assert_eq!(origin.count("/*"), 0, "nothing is fetched");
    // What is as long as it may be is read.
    let longest = &body[..16 << 20];
    assert_eq!(ask(&gateway, "POST", &[JSON, TOKEN], longest).await.status, 200);
}
