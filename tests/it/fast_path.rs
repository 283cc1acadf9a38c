//! The shorter way of what needs no waiting answers byte for byte what the longer one does, however requests follow each other
//! on a connection, and counts and logs it the same.

use std::time::Duration;

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, get, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Routes and rules of every kind.
const CONFIG: &str = include_str!("../golden/both_ways.yaml");

const PATHS: &[&str] = &[
    "/plain",
    "/plain",
    "/plain?q=1",
    "/plain/",
    "//plain",
    "/pl%61in",
    "/fresh/a",
    "/fresh/a?q=1",
    "/fresh/a?q=2&x=1",
    "/fresh/ruled",
    "/large",
    "/page",
    "/asked",
    "/crossed",
    "/told",
    "/origin/kept",
    "/origin/private",
    "/stale",
    "/stale",
    "/read-only",
    "/dynamic",
    "/none",
    "/old",
    "/short",
    "/gone",
    "/plain#x",
    "/pl%zzain",
    "http://test/plain",
    "*",
];

const LINES: &[&str] = &[
    "accept: */*",
    "accept-language: fi",
    "accept-language: en",
    "cookie: theme=dark; id=1",
    "cookie: id=1",
    "if-none-match: \"v1\"",
    "if-none-match: \"other\"",
    "if-modified-since: Thu, 01 Jan 2026 00:00:00 GMT",
    "accept-encoding: gzip",
    "range: bytes=0-3",
    "x-rule: 1",
    "origin: https://a.test",
    "origin: https://b.test",
    "cache-control: no-cache",
    "cache-control: only-if-cached",
    "pragma: no-cache",
    "authorization: Basic x",
    "connection: keep-alive",
    "expect: 100-continue",
    "upgrade: x",
    "x-preview: 1",
];

const METHODS: &[&str] = &["GET", "GET", "GET", "GET", "HEAD", "OPTIONS", "PURGE", "DELETE"];

/// Numbers from a seed: the same in every run, so that what fails once fails again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// A few requests in a row, the last of which ends the connection. Most have the fields of the one before.
fn requests(dice: &mut Dice) -> Vec<u8> {
    let mut sent = String::new();
    let mut fields = String::from("host: test\r\n");
    for _ in 0..=dice.below(6) {
        if dice.below(3) == 0 {
            fields = String::from("host: test\r\n");
            for _ in 0..dice.below(4) {
                fields += &format!("{}\r\n", dice.of(LINES));
            }
        }
        let version = if dice.below(12) == 0 { "HTTP/1.0" } else { "HTTP/1.1" };
        sent += &format!("{} {} {version}\r\n{fields}\r\n", dice.of(METHODS), dice.of(PATHS));
    }
    sent += "GET /plain HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    sent.into_bytes()
}

/// Everything that comes back, sent in pieces that end at `cuts`.
async fn answers(gateway: &Gateway, sent: &[u8], cuts: &[usize]) -> String {
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let mut from = 0;
    for &cut in cuts.iter().chain([&sent.len()]) {
        // A refusal may have ended the connection already.
        if stream.write_all(&sent[from..cut]).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
        from = cut;
    }
    let mut came = Vec::new();
    // A connection that ends in a reset has said what it had to say.
    let _ = stream.read_to_end(&mut came).await;
    String::from_utf8(came).unwrap()
}

/// Without what tells the second at which it was sent: the same for both only if they were asked in the same one.
fn timeless(answers: &str) -> String {
    let digits = |text: &str| text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
    let line = |line: &str| match line.split_once("ttl=") {
        _ if line.starts_with("age: ") => String::from("age: N"),
        _ if line.starts_with("date: ") => String::from("date: N"),
        Some((before, after)) => format!("{before}ttl=N{}", digits(after)),
        None => line.to_owned(),
    };
    answers.split("\r\n").map(line).collect::<Vec<_>>().join("\r\n")
}

/// What a gateway counted, by its labels.
async fn counted(gateway: &Gateway) -> Vec<String> {
    let text = gateway.metrics_text().await;
    let families = [
        "evergate_requests_total{",
        "evergate_uncacheable_total{",
        "evergate_stale_served_total{",
        "evergate_request_duration_seconds_count{",
    ];
    text.lines().filter(|line| families.iter().any(|family| line.starts_with(family))).map(str::to_owned).collect()
}

/// A gateway in which every page is stored, one of them stale because its handler has failed since; and its origin.
async fn warmed(fast: bool) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    let page = |body: &str| {
        Reply::ok(body)
            .header("content-type", "text/plain")
            .header("etag", "\"v1\"")
            .header("date", "Thu, 01 Jan 2026 00:00:00 GMT")
    };
    for path in ["/plain", "/fresh/*", "/page", "/asked", "/crossed", "/told", "/read-only", "/dynamic"] {
        origin.on(path, move |_| page("a page"));
    }
    origin.on_counted("/stale", move |_, run| if run == 1 { page("an old page") } else { Reply::ok("").status(500) });
    origin.on("/large", move |_| page(&"x".repeat(100_000)));
    origin.on("/origin/kept", move |_| page("kept").header("cache-control", "max-age=3600"));
    origin.on("/origin/private", move |_| page("private").header("cache-control", "private"));
    let config = Gateway::simple_config(&origin, CONFIG);
    let gateway = Gateway::start(&format!("fast_path: {fast}\n{config}")).await;
    for path in PATHS.iter().filter(|path| path.starts_with('/') && !path.contains('#')) {
        for language in ["fi", "en", ""] {
            for theme in ["theme=dark", "id=1"] {
                let lines = [("accept-language", language), ("cookie", theme)];
                Client::connect(gateway.address()).await.get_with(path, &lines).await;
            }
        }
        get(gateway.address(), path).await;
    }
    // It goes stale after its window, and whoever comes then has it refreshed.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    get(gateway.address(), "/stale").await;
    let failed = [("route", "/stale"), ("result", "failed")];
    until("the refresh has failed", async || gateway.metric("evergate_revalidations_total", &failed).await > 0.0).await;
    (origin, gateway)
}

#[tokio::test]
async fn both_ways_answer_count_and_close_the_same() {
    let ((_first, fast), (_second, whole)) = tokio::join!(warmed(true), warmed(false));
    let mut dice = Dice(7);
    for round in 0..400 {
        let sent = requests(&mut dice);
        let mut cuts: Vec<usize> = (0..dice.below(3)).map(|_| dice.below(sent.len())).collect();
        cuts.sort_unstable();
        let (on_fast, on_whole) = tokio::join!(answers(&fast, &sent, &cuts), answers(&whole, &sent, &cuts));
        let told = String::from_utf8_lossy(&sent);
        assert_eq!(timeless(&on_fast), timeless(&on_whole), "round {round}, cut at {cuts:?}:\n{told}");
        assert!(on_fast.starts_with("HTTP/1.1 "), "nothing was answered to {told}");
    }
    assert_eq!(counted(&fast).await, counted(&whole).await);
    let stale = fast.metric("evergate_stale_served_total", &[("route", "/stale"), ("reason", "error")]).await;
    assert!(stale > 10.0, "of stale pages there were {stale}");
}

/// Whoever comes when a page has gone stale, and each who comes while it is refreshed, is served on the shorter way, and the
/// handler is asked once; beyond the limit of refreshes nobody asks, and that is told.
#[tokio::test]
async fn promise_3_a_refresh_begins_once_on_either_way() {
    for fast in [true, false] {
        let origin = Origin::start().await;
        let gate = Gate::new();
        for path in ["/a", "/b"] {
            let gate = gate.clone();
            origin.on_counted(path, move |_, run| {
                let reply = Reply::ok(format!("run {run}"));
                if run == 1 { reply } else { reply.gate(&gate) }
            });
        }
        let routes = "  - { path: \"/[page]\", revalidate: 200ms, expire: 1d }\ncache: { max_concurrent_refreshes: 1 }";
        let config = Gateway::simple_config(&origin, routes);
        let gateway = Gateway::start(&format!("fast_path: {fast}\n{config}")).await;
        let mut visitor = Client::connect(gateway.address()).await;
        for path in ["/a", "/b"] {
            visitor.get(path).await;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
        for (path, detail) in [("/a", "revalidating"), ("/a", "revalidating"), ("/b", "busy"), ("/b", "busy")] {
            let response = visitor.get(path).await;
            assert_eq!((response.x_cache(), response.text()), ("STALE", "run 1"), "{path}, fast: {fast}");
            assert!(response.cache_status().ends_with(detail), "{path}, fast: {fast}: {}", response.cache_status());
        }
        until("the handler is asked again", async || origin.count("/a") == 2).await;
        assert_eq!((origin.count("/a"), origin.count("/b")), (2, 1), "fast: {fast}");
        gate.open();
        until("the page is refreshed", async || get(gateway.address(), "/a").await.text() != "run 1").await;
        let stale = |reason| [("route", "/[page]"), ("reason", reason)];
        let skipped = [("route", "/[page]"), ("result", "skipped")];
        assert_eq!(gateway.metric("evergate_stale_served_total", &stale("busy")).await, 2.0, "fast: {fast}");
        assert_eq!(gateway.metric("evergate_revalidations_total", &skipped).await, 2.0, "fast: {fast}");
    }
}
