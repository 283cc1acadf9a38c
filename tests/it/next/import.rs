//! `evergate import next` on the real application: what it prints is accepted, and a gateway that runs on it answers as Next.js
//! does, route by route.

use std::path::{Path, PathBuf};

use evergate_tests::{Client, Gateway, Response, evergate};
use serde_json::Value;
use tempfile::TempDir;

use super::server::Next;

/// Header lines that belong to a connection or a moment, that the gateway adds, or that storing and coding change.
const OURS: [&str; 15] = [
    "accept-ranges",
    "age",
    "cache-control",
    "cache-status",
    "cdn-cache-control",
    "connection",
    "content-length",
    "date",
    "etag",
    "keep-alive",
    "transfer-encoding",
    "vary",
    "x-cache",
    "x-nextjs-cache",
    "x-nextjs-prerender",
];

/// How far two answers of one handler are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Same {
    /// In every byte.
    Whole,
    /// In status and fields: the body counts its runs, or says when it was made.
    Head,
}

/// A request for each route, and what the cache does about it when it comes again. What Next.js regenerates by itself may be stale
/// by the time of the test, which it says.
const PROBES: [(&str, &str, &str, Same); 36] = [
    ("/about", "/about", "HIT STALE", Same::Head),
    ("/about/[name]", "/about/team", "HIT STALE", Same::Head),
    ("/api/cookies", "/api/cookies", "PASS", Same::Whole),
    ("/api/cors", "/api/cors", "PASS", Same::Whole),
    ("/api/echo", "/api/echo", "PASS", Same::Whole),
    ("/api/headers", "/api/headers", "PASS", Same::Whole),
    ("/api/hello", "/api/hello", "PASS", Same::Whole),
    ("/api/multi-cookie", "/api/multi-cookie", "PASS", Same::Whole),
    ("/api/redirect", "/api/redirect", "PASS", Same::Whole),
    ("/api/search", "/api/search?query=x&a=1", "PASS", Same::Whole),
    ("/api/session", "/api/session", "PASS", Same::Head),
    ("/api/webhook", "/api/webhook", "PASS", Same::Whole),
    ("/blog/[...slug]", "/blog/1/2", "PASS", Same::Whole),
    ("/bounded", "/bounded", "PASS", Same::Whole),
    ("/dashboard/[team]", "/dashboard/1", "PASS", Same::Whole),
    ("/docs/[...path]", "/docs/x/y%2Fz", "PASS", Same::Whole),
    ("/fail", "/fail", "PASS", Same::Head),
    ("/forced", "/forced", "PASS", Same::Head),
    ("/form", "/form", "PASS", Same::Whole),
    ("/grouped", "/grouped?a=1", "HIT", Same::Whole),
    ("/guarded", "/guarded", "PASS", Same::Whole),
    ("/isr/[slug]", "/isr/built", "HIT STALE", Same::Whole),
    ("/items", "/items", "PASS", Same::Whole),
    ("/items/[slug]", "/items/a%2Fb", "PASS", Same::Whole),
    ("/known/[slug]", "/known/b%20c", "HIT STALE", Same::Head),
    ("/live/posts", "/live/posts", "PASS", Same::Head),
    ("/opt/[[...path]]", "/opt", "PASS", Same::Whole),
    ("/pixel.png", "/pixel.png", "PASS", Same::Whole),
    ("/posts", "/posts", "HIT STALE", Same::Head),
    ("/rss.xml", "/rss.xml", "PASS", Same::Whole),
    ("/shop/[tag]/[item]", "/shop/1/2", "PASS", Same::Whole),
    ("/stream", "/stream", "PASS", Same::Whole),
    ("/vectors/built/[slug]/data.json", "/vectors/built/first/data.json", "HIT", Same::Head),
    ("/vectors/endpoint", "/vectors/endpoint", "PASS", Same::Whole),
    ("/vectors/only-get", "/vectors/only-get", "PASS", Same::Whole),
    ("/vectors/static", "/vectors/static?a=1", "HIT", Same::Whole),
];

/// Routes that the other tests of Next.js ask in ways of their own: what sees the gateway, waits for a test, or changes each second.
const ELSEWHERE: [&str; 8] = [
    "/draft/enable",
    "/draft/seen",
    "/gated",
    "/live/seen/[part]",
    "/robots.txt",
    "/sitemap.xml",
    "/vectors/options",
    "/vectors/revalidate-1/[slug]/data.json",
];

/// What no route answers, or rules do: a target, header lines.
const AROUND: [(&str, &[(&str, &str)]); 12] = [
    ("/nothing/here", &[]),
    ("/about/", &[]),
    ("/known/zzz", &[]),
    ("/old/a%20b", &[]),
    ("/OLD/x", &[]),
    ("/old/x?y=1", &[]),
    ("/old-search", &[]),
    ("/only/a/b", &[("x-beta", "two")]),
    ("/only/a/b", &[("x-beta", "three")]),
    ("/only/a/b", &[]),
    ("/feed", &[]),
    ("/_next/static/nothing.js", &[]),
];

fn app() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("next-app")
}

/// What the import prints, with listeners that a test can have.
fn imported(arguments: &[&str], folder: &Path) -> String {
    let output = evergate(&[&["import", "next"], arguments].concat(), folder);
    assert_eq!(output.code, 0, "{}", output.stderr);
    format!(
        "listen: [{{ address: '127.0.0.1:0' }}]\nadmin: {{ address: '127.0.0.1:0' }}\nthreads: 2\n{}",
        output.stdout
    )
}

fn write(folder: &TempDir, text: &str) -> String {
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, text).expect("a file in our own folder");
    file.to_str().expect("temporary paths are UTF-8").to_owned()
}

/// The routes of a configuration, as `evergate routes --json` has them; `evergate check` accepts it.
fn routes(folder: &TempDir, text: &str) -> Vec<Value> {
    let file = write(folder, text);
    let checked = evergate(&["check", "--config", &file], folder.path());
    assert_eq!(checked.code, 0, "{}\n{text}", checked.stderr);
    let printed = evergate(&["routes", "--json", "--config", &file], folder.path());
    let routes: Value = serde_json::from_str(&printed.stdout).expect("JSON");
    routes.as_array().expect("an array").clone()
}

async fn ask(address: std::net::SocketAddr, target: &str, lines: &[(&str, &str)]) -> Response {
    let answer = Client::connect(address).await.get_with(target, lines).await;
    assert!(answer.complete, "{target}");
    answer
}

fn assert_same(through: &Response, direct: &Response, same: Same, what: &str) {
    assert_eq!(through.status, direct.status, "{what}");
    let fields = |answer: &Response| {
        let mut fields = answer.headers_without(&OURS);
        // Each session and each token is a new one.
        fields.retain(|(name, _)| name != "set-cookie" || same == Same::Whole);
        fields
    };
    assert_eq!(fields(through), fields(direct), "{what}");
    if same == Same::Whole {
        assert_eq!(through.body, direct.body, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_on_an_imported_build_answers_as_next_does() {
    let next = Next::start().await;
    let folder = TempDir::new().expect("a temporary directory");
    let app = app();
    let upstream = next.address.to_string();
    let text = imported(&[app.to_str().expect("UTF-8"), "--upstream", &upstream], folder.path());
    let gateway = Gateway::start(&text).await;

    let routes = routes(&folder, &text);
    for route in &routes {
        let path = route["path"].as_str().expect("each has a path");
        let probe = PROBES.iter().find(|probe| probe.0 == path);
        assert!(probe.is_some() || ELSEWHERE.contains(&path), "{path} is asked for by nobody");
    }
    for (path, target, again, same) in PROBES {
        assert!(routes.iter().any(|route| route["path"] == path), "{path} was not imported");
        let direct = ask(next.address, target, &[]).await;
        let through = ask(gateway.address(), target, &[]).await;
        assert_same(&through, &direct, same, target);
        let second = ask(gateway.address(), target, &[]).await;
        assert!(again.split(' ').any(|state| second.x_cache() == state), "{target}: {}", second.cache_status());
        assert_same(&second, &direct, same, target);
    }
    for (target, lines) in AROUND {
        let direct = ask(next.address, target, lines).await;
        let through = ask(gateway.address(), target, lines).await;
        assert_eq!(through.status, direct.status, "{target} {lines:?}: {}", through.cache_status());
        let place = |answer: &Response| answer.header("location").map(str::to_owned);
        assert_eq!(place(&through), place(&direct), "{target} {lines:?}");
    }
    // What only the gateway can do: the page of a parameter that was built is there before anybody asks.
    let told = ask(gateway.admin(), "/explain?url=/known/a", &[]).await.json();
    assert_eq!(told["stored"]["status"], 200, "{told}");
    // And rules count for what is kept, too.
    assert_eq!(ask(gateway.address(), "/docs/a/b", &[]).await.header("x-docs"), Some("a/b"));
}

/// The sources say what no manifest does: methods and segment config.
#[test]
fn scanned_sources_say_what_a_build_does_not() {
    let folder = TempDir::new().expect("a temporary directory");
    let text = imported(&["--scan", app().to_str().expect("UTF-8")], folder.path());
    let routes = routes(&folder, &text);
    let find =
        |path: &str| routes.iter().find(|route| route["path"] == path).unwrap_or_else(|| panic!("{path}:\n{text}"));
    for (path, methods, revalidate) in [
        ("/items", &["POST"][..], Value::from(0)),
        ("/known/[slug]", &["GET"], Value::from(60)),
        ("/isr/[slug]", &["GET"], Value::from(120)),
        ("/forced", &["GET"], Value::from(0)),
        ("/grouped", &["GET"], Value::from(false)),
        ("/vectors/options", &["OPTIONS"], Value::from(0)),
        ("/fail", &["GET", "POST"], Value::from(0)),
    ] {
        let route = find(path);
        let mut found: Vec<&str> =
            route["methods"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, methods, "{path}");
        assert_eq!(route["revalidate"], revalidate, "{path}");
    }
    for line in ["max_duration: 5", "preferred_region: [fra1, iad1]", "dynamic_params: false", "dynamic: force-static"]
    {
        assert!(text.contains(line), "{line}:\n{text}");
    }
}
