//! The harness itself: pages straight before an origin, so that a failed test of the gateway is the gateway's.

use std::path::Path;

use evergate_tests::{Browser, Origin, Page, Reply};
use serde_json::json;

#[tokio::test]
async fn pages_read_what_the_browser_lets_them_and_nothing_of_it_stays() {
    let origin = Origin::start().await;
    let url = |path: &str| format!("http://{}{path}", origin.address());
    origin.on("/open", |_| Reply::ok("open").header("access-control-allow-origin", "*").header("x-secret", "1"));
    origin.on("/shut", |_| Reply::ok("shut"));
    let browser = Browser::start().await;
    let page = browser.page("127.0.0.1").await;
    let other = browser.page("app.localhost").await;
    let nameless = browser.sandboxed_page().await;
    for page in [&page, &other, &nameless] {
        for asked in [page.fetch(&url("/open"), json!({})).await, page.xhr(&url("/open"), json!({})).await] {
            let answer = asked.expect("a readable answer");
            assert_eq!((answer.status, answer.body.as_str(), answer.redirected), (200, "open", false));
            assert_eq!((answer.header("content-length"), answer.header("x-secret")), (Some("4"), None));
        }
        let refused = [page.fetch(&url("/shut"), json!({})).await, page.xhr(&url("/shut"), json!({})).await];
        for (asked, error) in refused.into_iter().zip(["TypeError: Failed to fetch", "XMLHttpRequest: error"]) {
            let why = asked.expect_err("an answer that may not be read");
            let mut lines = why.lines();
            assert_eq!(lines.next(), Some(error));
            let says = |line: &str| line.contains("blocked by CORS policy") && line.contains(page.origin());
            assert!(lines.any(says), "{why}");
        }
        let unseen = page.fetch(&url("/shut"), json!({ "mode": "no-cors" })).await.expect("an opaque answer");
        assert_eq!((unseen.status, unseen.body.as_str()), (0, ""));
    }
    let origins: Vec<_> = origin.seen("/shut").iter().map(|seen| seen.header("origin").map(str::to_owned)).collect();
    let told = |page: &Page| [Some(page.origin().to_owned()), Some(page.origin().to_owned()), None];
    assert_eq!(origins, [told(&page), told(&other), told(&nameless)].concat());
    origin.kill();
    let why = page.fetch(&url("/shut"), json!({})).await.expect_err("nobody there");
    assert!(!why.contains("CORS"), "{why}");
    let profile = browser.profile().to_owned();
    assert!(profile.is_dir() && processes_of(&profile) > 3, "{} processes", processes_of(&profile));
    drop(browser);
    assert_eq!((profile.exists(), processes_of(&profile)), (false, 0));
}

/// How many processes name this directory in their command line.
fn processes_of(directory: &Path) -> usize {
    let processes = std::fs::read_dir("/proc").expect("the processes of the machine");
    let names = |line: &Vec<u8>| String::from_utf8_lossy(line).contains(&*directory.to_string_lossy());
    // Most entries are none, and others end meanwhile.
    let lines = processes.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    lines.filter(names).count()
}
