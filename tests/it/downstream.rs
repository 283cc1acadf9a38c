//! Caches in front: they hear of what is invalidated, whatever it takes, and they are told the tags of what they get. The cache
//! in front is an origin of its own here.

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, Response, get, until};

/// A gateway with these entries of `downstream_purge`, in which `CDN` stands for the address of the cache in front.
async fn in_front(cdn: &Origin, entries: &str) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page").header("cache-tag", "a, two words"));
    let entries = entries.replace("CDN", &cdn.address().to_string());
    let routes = format!("- {{ path: /x, revalidate: 1h, tags: [own] }}\ndownstream_purge:\n{entries}");
    let gateway = Gateway::simple(&origin, &routes).await;
    (origin, gateway)
}

/// A cache in front that answers like this; the answer is told how often its path was called.
async fn cdn(answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Origin {
    let cdn = Origin::start().await;
    cdn.on_counted("/*", move |_, count| answer(count));
    cdn
}

async fn invalidate(gateway: &Gateway, body: &str) -> Response {
    let json = [("content-type", "application/json")];
    let answer = Client::connect(gateway.admin()).await.request("POST", "/invalidate", &json, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

async fn purges(gateway: &Gateway, name: &str, result: &str) -> f64 {
    gateway.metric("evergate_downstream_purges_total", &[("name", name), ("result", result)]).await
}

/// What the cache in front was asked: method, target, one field, and the body, in order.
fn told(cdn: &Origin, field: &str) -> Vec<String> {
    let one = |seen: evergate_tests::Seen| {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        let parts = [seen.method.as_str(), seen.target.as_str(), seen.header(field).unwrap_or_default(), body.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    };
    cdn.seen("/*").into_iter().map(one).collect()
}

#[tokio::test]
async fn cloudflare_hears_of_every_kind_in_its_words() {
    let cdn = cdn(|_| Reply::ok("{\"success\":true}")).await;
    let entries = "
  - &cloudflare
    url: http://CDN/client/v4/zones/z/purge_cache
    name: cloudflare
    headers: { authorization: Bearer s3cret }
    site: https://www.example.com
    body: '{\"tags\":{tags_json}}'
  - { <<: *cloudflare, body: '{\"files\":{urls_json}}' }
  - { <<: *cloudflare, body: '{\"prefixes\":{host_prefixes_json}}' }
  - { <<: *cloudflare, body: '{\"purge_everything\":true}' }";
    let (_origin, gateway) = in_front(&cdn, entries).await;
    assert!(purges(&gateway, "cloudflare", "failed").await.abs() < f64::EPSILON, "zero from the first scrape");
    for body in [r#"{"tags":["a","b\"c"]}"#, r#"{"paths":["/x"]}"#, r#"{"prefixes":["/p"]}"#, r#"{"all":true}"#] {
        let before = cdn.count("/*");
        invalidate(&gateway, body).await;
        until("it is told", async || cdn.count("/*") > before).await;
    }
    let target = "POST /client/v4/zones/z/purge_cache application/json";
    let expected = [
        r#"{"tags":["a","b\"c"]}"#,
        r#"{"files":["https://www.example.com/x"]}"#,
        r#"{"prefixes":["www.example.com/p"]}"#,
        r#"{"purge_everything":true}"#,
    ];
    assert_eq!(told(&cdn, "content-type"), expected.map(|body| format!("{target} {body}")));
    assert_eq!(cdn.seen("/*")[0].header("authorization"), Some("Bearer s3cret"));
    until("all are counted", async || purges(&gateway, "cloudflare", "ok").await >= 5.0).await;
    assert!(!gateway.stderr().contains("s3cret"));
}

#[tokio::test]
async fn fastly_hears_whether_stale_answers_may_be_served() {
    let cdn = cdn(|_| Reply::ok("{}")).await;
    let entries = "
  - { url: \"http://CDN/purge/www.example.com{path}\", name: fastly, headers: { fastly-soft-purge: \"{soft}\" } }";
    let (_origin, gateway) = in_front(&cdn, entries).await;
    for (body, expected) in [
        (r#"{"paths":["/x"]}"#, "POST /purge/www.example.com/x 1"),
        (r#"{"paths":["/x"],"mode":"stale"}"#, "POST /purge/www.example.com/x 1"),
        (r#"{"paths":["/x"],"mode":"delete"}"#, "POST /purge/www.example.com/x"),
    ] {
        let before = cdn.count("/*");
        invalidate(&gateway, body).await;
        until("it is told", async || cdn.count("/*") > before).await;
        assert_eq!(told(&cdn, "fastly-soft-purge").pop().as_deref(), Some(expected), "{body}");
    }
}

#[tokio::test]
async fn an_invalidation_does_not_wait_and_a_storm_is_one_call() {
    let gate = Gate::new();
    let held = gate.clone();
    let cdn = cdn(move |_| Reply::ok("").gate(&held)).await;
    let (_origin, gateway) = in_front(&cdn, "  - { url: \"http://CDN/{tag}\", name: cdn, timeout: 60s }").await;
    invalidate(&gateway, r#"{"tags":["a"]}"#).await;
    gate.arrived(1).await;
    for _ in 0..50 {
        invalidate(&gateway, r#"{"tags":["a","b"]}"#).await;
    }
    assert!((gateway.metric("evergate_downstream_purge_queue", &[("name", "cdn")]).await - 2.0).abs() < f64::EPSILON);
    gate.open();
    until("all are told", async || purges(&gateway, "cdn", "ok").await >= 3.0).await;
    assert_eq!(told(&cdn, ""), ["POST /a", "POST /a", "POST /b"]);
}

#[tokio::test]
async fn what_fails_is_tried_again_and_what_is_refused_is_not() {
    let cdn = cdn(|count| match count {
        1 => Reply::ok("").status(503),
        2 => Reply::hang_up_before_head(),
        3 => Reply::ok("").status(429).header("retry-after", "0"),
        5 => Reply::ok("").status(403),
        _ => Reply::ok(""),
    })
    .await;
    let entries = "  - { url: \"http://CDN/?tag={tag}&key=s3cret\", name: cdn, backoff: 1ms }";
    let (_origin, gateway) = in_front(&cdn, entries).await;
    invalidate(&gateway, r#"{"tags":["a"]}"#).await;
    until("it is told", async || purges(&gateway, "cdn", "ok").await >= 1.0).await;
    assert!((purges(&gateway, "cdn", "retried").await - 3.0).abs() < f64::EPSILON);
    invalidate(&gateway, r#"{"tags":["refused"]}"#).await;
    let line = gateway.wait_log(|line| line.contains("not told downstream")).await;
    assert!(line.contains("tag refused") && line.contains("403"), "{line}");
    until("it is counted", async || purges(&gateway, "cdn", "failed").await >= 1.0).await;
    assert_eq!(cdn.count("/*"), 5);
    assert!(!gateway.stderr().contains("s3cret"));
}

#[tokio::test]
async fn what_is_queued_is_told_before_the_gateway_ends() {
    let gate = Gate::new();
    let held = gate.clone();
    let cdn = cdn(move |_| Reply::ok("").gate(&held)).await;
    let (_origin, gateway) = in_front(&cdn, "  - { url: \"http://CDN/{tag}\", name: cdn }").await;
    invalidate(&gateway, r#"{"tags":["a","b","c"]}"#).await;
    gate.arrived(1).await;
    let stopping = tokio::spawn(gateway.stop());
    gate.open();
    assert_eq!(stopping.await.expect("it ends").code, 0);
    assert_eq!(told(&cdn, ""), ["POST /a", "POST /b", "POST /c"]);
}

#[tokio::test]
async fn what_cannot_be_told_before_the_gateway_ends_is_logged() {
    let gate = Gate::new();
    let held = gate.clone();
    let cdn = cdn(move |_| Reply::ok("").gate(&held)).await;
    let (_origin, gateway) = in_front(&cdn, "  - { url: \"http://CDN/{tag}\", name: cdn, timeout: 60s }").await;
    invalidate(&gateway, r#"{"tags":["a","b"]}"#).await;
    gate.arrived(1).await;
    let output = gateway.stop().await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    for lost in ["tag a", "tag b"] {
        assert!(
            output.stderr.lines().any(|line| line.contains("not told downstream") && line.contains(lost)),
            "{lost}"
        );
    }
}

#[tokio::test]
async fn caches_in_front_are_told_tags_where_the_configuration_says_so() {
    let origin = Origin::start().await;
    origin.on("/*", |_| {
        let validated = Reply::ok("page").header("etag", "\"1\"").header("cache-control", "max-age=60");
        validated.header("cache-tag", "a, two words").header("x-next-cache-tags", "n")
    });
    let routes = "- { path: /window, revalidate: 1h, tags: [own] }\n- { path: /origin, revalidate: origin }";
    let implied = |page: &str| {
        ["/layout", &format!("/{page}/layout"), &format!("/{page}/route"), &format!("/{page}")]
            .map(|tag| format!("_N_T_{tag}"))
    };
    for (setting, field, between, sent) in [
        ("cache-tag", "cache-tag", ",", &["a", "two words", "n"][..]),
        ("surrogate-key", "surrogate-key", " ", &["a", "n"]),
    ] {
        let gateway = Gateway::simple(&origin, &format!("{routes}\ndownstream_tags: {setting}")).await;
        let join = |tags: &[String]| {
            let all = tags.iter().map(String::as_str).chain(sent.iter().copied());
            Some(all.collect::<Vec<_>>().join(between))
        };
        let window: Vec<String> = implied("window").into_iter().chain(["own".to_owned()]).collect();
        for (target, expected) in
            [("/window", join(&window)), ("/origin", join(&implied("origin"))), ("/passes", join(&[]))]
        {
            for _ in 0..2 {
                let answer = get(gateway.address(), target).await;
                assert_eq!(
                    answer.all(field).join("|"),
                    expected.clone().unwrap_or_default(),
                    "{target} {}",
                    answer.x_cache()
                );
                for other in ["cache-tag", "surrogate-key", "x-next-cache-tags"].iter().filter(|name| **name != field) {
                    assert_eq!(answer.header(other), None, "{target}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_304_keeps_the_tags_that_it_says_nothing_of() {
    let origin = Origin::start().await;
    origin.on_counted("/p", |_, count| match count {
        1 => Reply::ok("one").header("etag", "\"1\"").header("cache-tag", "first"),
        2 => Reply::ok("").status(304).header("etag", "\"1\""),
        _ => Reply::ok("").status(304).header("etag", "\"1\"").header("cache-tag", "second"),
    });
    let routes = "- { path: /p, revalidate: 10ms }\ndownstream_tags: cache-tag";
    let gateway = Gateway::simple(&origin, routes).await;
    let tags = async || get(gateway.address(), "/p").await.header("cache-tag").unwrap_or_default().to_owned();
    assert!(tags().await.ends_with(",first"));
    until("it is confirmed with other tags", async || tags().await.ends_with(",second")).await;
    assert!(origin.count("/p") >= 3);
    assert!(!tags().await.contains("first"));
}
