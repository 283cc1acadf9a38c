//! Which pages are meant: everyone's, those that have no origin, and those below a name.

use evergate_tests::{Browser, Page};
use serde_json::{Value, json};

use super::{Stage, given, reading, refused, writing};

/// What any of them may do.
const WRITES: &str = "allow_methods: [GET, PUT], allow_headers: [content-type]";

#[tokio::test]
async fn a_star_is_for_pages_from_anywhere_and_null_for_those_from_nowhere() {
    let browser = Browser::start().await;
    everyone_reads_but_never_with_cookies(&browser).await;
    a_page_without_an_origin_is_refused_unless_null_is_listed(&browser).await;
}

async fn everyone_reads_but_never_with_cookies(browser: &Browser) {
    let stage = Stage::start(&format!("{{ allow_origins: '*', expose_headers: '*', {WRITES} }}")).await;
    for name in ["127.0.0.1", "localhost", "app.localhost"] {
        let page = browser.page(name).await;
        for path in ["/kept/a", "/theirs/a", "/live/a", "/none/a"] {
            let (url, before) = (stage.url(path), puts(&stage, path));
            for asked in [page.fetch(&url, reading()).await, page.xhr(&url, reading()).await] {
                let answer = given(asked);
                assert_eq!((answer.status, answer.header("x-other")), (200, Some("1")), "{name} {path}");
            }
            assert_eq!(given(page.fetch(&url, writing("PUT", "{}")).await).status, 200, "{name} {path}");
            let why = refused(page.fetch(&url, with_cookies(reading())).await);
            assert!(why.contains("must not be the wildcard '*'"), "{why}");
            refused(page.xhr(&url, with_cookies(reading())).await);
            refused(page.fetch(&url, with_cookies(writing("PUT", "{}"))).await);
            assert_eq!(puts(&stage, path), before + 1, "{name} {path}");
        }
    }
}

/// How many of those that are asked for first reached the handler.
fn puts(stage: &Stage, path: &str) -> usize {
    stage.origin.seen(path).iter().filter(|seen| seen.method == "PUT").count()
}

fn with_cookies(mut init: Value) -> Value {
    init["credentials"] = json!("include");
    init
}

async fn a_page_without_an_origin_is_refused_unless_null_is_listed(browser: &Browser) {
    let (nameless, named) = (browser.sandboxed_page().await, browser.page("127.0.0.1").await);
    let origin = named.origin();
    for (listed, nameless_reads, named_reads) in [
        (format!("['{origin}']"), false, true),
        ("['*']".to_owned(), false, true),
        (format!("['{origin}', 'null']"), true, true),
        ("['null']".to_owned(), true, false),
    ] {
        let cors = format!("{{ allow_origins: {listed}, {WRITES} }}");
        let stage = Stage::start(&cors).await;
        for (page, reads) in [(&nameless, nameless_reads), (&named, named_reads)] {
            for path in ["/kept/a", "/live/a"] {
                for init in [reading(), writing("PUT", "{}")] {
                    let asked = page.fetch(&stage.url(path), init).await;
                    assert_eq!(asked.is_ok(), reads, "{listed} {path} for {}: {asked:?}", page.origin());
                    if !reads {
                        refused(asked);
                    }
                }
            }
        }
        assert_eq!(puts(&stage, "/live/a"), usize::from(nameless_reads) + usize::from(named_reads), "{listed}");
    }
}

#[tokio::test]
async fn a_pattern_is_for_the_pages_below_a_name_and_for_no_others() {
    let browser = Browser::start().await;
    let below = [browser.page("app.localhost").await, browser.page("a.b.localhost").await];
    let (parent, lookalike) = (browser.page("localhost").await, browser.page("notapp.localhost").await);
    let other_port = browser.page("app.localhost").await;
    let port = |page: &Page| page.origin().rsplit(':').next().expect("a port").to_owned();
    let listed = [
        format!("http://*.localhost:{}", port(&below[0])),
        format!("http://*.localhost:{}", port(&below[1])),
        format!("http://*.localhost:{}", port(&parent)),
        format!("http://*.app.localhost:{}", port(&lookalike)),
        format!("https://*.localhost:{}", port(&other_port)),
    ];
    let stage = Stage::start(&format!("{{ allow_origins: {listed:?}, {WRITES} }}")).await;
    for path in ["/kept/a", "/live/a"] {
        for page in &below {
            given(page.fetch(&stage.url(path), reading()).await);
            given(page.fetch(&stage.url(path), writing("PUT", "{}")).await);
        }
        for page in [&parent, &lookalike, &other_port] {
            refused(page.fetch(&stage.url(path), reading()).await);
            refused(page.fetch(&stage.url(path), writing("PUT", "{}")).await);
        }
        assert_eq!(puts(&stage, path), below.len(), "{path}");
    }
}
