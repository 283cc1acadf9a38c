//! Answers of the gateway's own, and of handlers that fail: the allowed page reads them too, or it could not tell its visitor
//! what is wrong.

use evergate_tests::{Browser, Gateway, Origin, Page, Reply};

use super::{Stage, given, reading, refused, run, writing};

/// A gateway with every way to fail.
async fn stage(friend: &Page) -> Stage {
    let origin = Origin::start().await;
    origin.on_counted("/*", run);
    origin.on("/never", |_| Reply::never());
    origin.on("/kept/never", |_| Reply::never());
    origin.on("/broken", |_| Reply::ok("broken").status(500));
    origin.on("/closed", |_| Reply::hang_up_before_head());
    let gone = Origin::start().await;
    gone.kill();
    let routes = " [{ path: /gone, upstream: gone }, { path: /kept/gone, upstream: gone, revalidate: 1h }, { path: /broken },\n\
        { path: /never, max_duration: 200ms }, { path: /kept/never, max_duration: 200ms, revalidate: 1h }, { path: /closed },\n\
        { path: /few, methods: [GET] }, { path: /live/a }, { path: '/kept/[page]', revalidate: 1h, params: [{ page: a }],\n\
          dynamic_params: false }]";
    let config = Gateway::simple_config(&origin, routes)
        .replace("upstreams: {", &format!("upstreams: {{ gone: {{ servers: ['{}'] }},", gone.address()));
    let cors = format!(
        "{{ allow_origins: ['{}'], allow_methods: [GET, PUT], allow_headers: [content-type], expose_headers: [x-run] }}",
        friend.origin()
    );
    let gateway = Gateway::start(&format!(
        "{config}defaults: {{ upstream: origin }}\nunmatched: 404\nproxy:\n\
         - {{ matcher: /old, redirect: {{ to: /live/a, status: 307 }} }}\n\
         - {{ matcher: /internal, respond: {{ status: 403, body: 'not for you' }} }}\n\
         - cors: {cors}\n"
    ))
    .await;
    Stage { origin, gateway }
}

#[tokio::test]
async fn errors_answers_and_redirects_are_read_by_the_allowed_page_only() {
    let browser = Browser::start().await;
    let (friend, stranger) = (browser.page("127.0.0.1").await, browser.page("127.0.0.1").await);
    let stage = stage(&friend).await;
    let cases = [
        ("/gone", 502),
        ("/kept/gone", 502),
        ("/closed", 502),
        ("/never", 504),
        ("/kept/never", 504),
        ("/broken", 500),
        ("/nowhere", 404),
        ("/kept/unknown", 404),
        ("/internal", 403),
        ("/a%00b", 400),
    ];
    for (path, status) in cases {
        let answer = given(friend.fetch(&stage.url(path), reading()).await);
        assert_eq!((answer.status, answer.redirected), (status, false), "{path}");
        refused(stranger.fetch(&stage.url(path), reading()).await);
    }
    assert_eq!(given(friend.fetch(&stage.url("/internal"), reading()).await).body, "not for you");
    let answer = given(friend.fetch(&stage.url("/few"), writing("PUT", "{}")).await);
    assert_eq!((answer.status, stage.origin.count("/few")), (405, 0));
    // Both the redirect and what it leads to have to be readable; the browser asks for each before a PUT.
    for (path, read, written) in [("/old", "1", "PUT 2 {}"), ("//live/a", "3", "PUT 4 {}")] {
        let answer = given(friend.fetch(&stage.url(path), reading()).await);
        assert_eq!((answer.status, answer.redirected, answer.header("x-run")), (200, true, Some(read)), "{path}");
        let answer = given(friend.xhr(&stage.url(path), writing("PUT", "{}")).await);
        assert_eq!((answer.status, answer.redirected, &*answer.body), (200, true, written), "{path}");
        let before = stage.origin.count("/live/a");
        refused(stranger.fetch(&stage.url(path), reading()).await);
        refused(stranger.fetch(&stage.url(path), writing("PUT", "{}")).await);
        assert_eq!(stage.origin.count("/live/a"), before, "{path}");
    }
}
