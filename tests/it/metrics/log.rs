//! The access log: one line for each request, as text or as JSON, all of them, none, or a part.

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, until};

/// A gateway with these settings of `log`, and an origin whose `/p` may be kept.
async fn logging(settings: &str) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page"));
    let routes = format!("- {{ path: /p, revalidate: false }}\nlog: {{ {settings} }}");
    let gateway = Gateway::simple(&origin, &routes).await;
    (origin, gateway)
}

/// What a line of the log should say of a request: its method, target, status, route, and what the cache did.
type Told = (&'static str, &'static str, u16, &'static str, &'static str);

/// One request of each kind, and what is told of it.
const REQUESTS: [Told; 8] = [
    ("GET", "/p?a=1&utm_x=%22", 200, "/p", "miss"),
    ("GET", "/p?a=1", 200, "/p", "hit"),
    ("HEAD", "/p?a=1", 200, "/p", "hit"),
    ("POST", "/p", 200, "/p", "pass"),
    ("GET", "/other", 200, "(none)", "pass"),
    ("PROPFIND", "/other", 200, "(none)", "pass"),
    ("GET", "/a//b", 308, "(none)", "none"),
    ("GET", "/%5C", 400, "(none)", "none"),
];

/// Sends [`REQUESTS`], and one that is no request; waits for as many lines as there should be, and gives them back, each with
/// the length of the body that was received.
async fn lines(gateway: &Gateway, is_access: impl Fn(&str) -> bool) -> Vec<(String, usize)> {
    let mut client = Client::connect(gateway.address()).await;
    let mut lengths = Vec::new();
    for (method, target, status, ..) in REQUESTS {
        let response = client.request(method, target, &[("host", "site.example")], "").await;
        assert_eq!(response.status, status, "{method} {target}");
        lengths.push(response.body.len());
        if response.header("connection") == Some("close") {
            // Its line is written before the connection closes, so the lines stay in order.
            client.expect_closed().await;
            client = Client::connect(gateway.address()).await;
        }
    }
    client.send_raw("nonsense \u{1b}[31m\"\r\n\r\n").await;
    let refusal = client.read_response("GET").await;
    assert_eq!(refusal.status, 400);
    lengths.push(refusal.body.len());
    let found = || gateway.stderr().lines().filter(|line| is_access(line)).map(str::to_owned).collect::<Vec<_>>();
    until("a line for each request", || found().len() > REQUESTS.len()).await;
    // A line too many would come no later than that of one more request.
    Client::connect(gateway.address()).await.get("/last").await;
    until("the last line", || found().last().is_some_and(|line| line.contains("/last"))).await;
    let mut found = found();
    found.pop();
    assert_eq!(found.len(), lengths.len(), "{found:#?}");
    found.into_iter().zip(lengths).collect()
}

#[tokio::test]
async fn the_access_log_has_one_json_object_for_each_request() {
    let (_origin, gateway) = logging("format: json").await;
    let lines = lines(&gateway, |line| line.contains("\"target\":\"access\"")).await;
    for ((method, target, status, route, cache), (line, bytes)) in REQUESTS.iter().zip(&lines) {
        let json: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        for (key, value) in [("method", *method), ("uri", *target), ("route", *route), ("cache", *cache)] {
            assert_eq!(json[key].as_str(), Some(value), "{key} in {line}");
        }
        assert_eq!(
            (json["status"].as_u64(), json["bytes"].as_u64()),
            (Some((*status).into()), Some(*bytes as u64)),
            "{line}"
        );
        assert_eq!(
            (json["client"].as_str(), json["host"].as_str()),
            (Some("127.0.0.1"), Some("site.example")),
            "{line}"
        );
        let seconds = json["seconds"].as_f64().expect("a number of seconds");
        assert!((0.0..10.0).contains(&seconds), "{line}");
        assert!(json["cache_status"].as_str().is_some_and(|status| status.starts_with("evergate; ")), "{line}");
        assert_eq!(json["protocol"].as_str(), Some("HTTP/1.1"), "{line}");
        // Readers of JSON keep one of several equal keys, and nobody knows which.
        let keys = json.as_object().map_or(0, serde_json::Map::len);
        assert_eq!(line.matches("\":").count(), keys, "a key for each value: {line}");
    }
    let (line, bytes) = &lines[REQUESTS.len()];
    let refused: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
    assert_eq!((refused["status"].as_u64(), refused["cache"].as_str()), (Some(400), Some("none")));
    assert_eq!(refused["bytes"].as_u64(), Some(*bytes as u64), "{refused}");
    assert!(refused["explanation"].as_str().is_some_and(|text| !text.is_empty()), "{refused}");
}

#[tokio::test]
async fn the_access_log_has_one_line_of_text_for_each_request() {
    let (_origin, gateway) = logging("format: text").await;
    let lines = lines(&gateway, |line| line.contains(" access: ")).await;
    for ((method, target, status, route, cache), (line, bytes)) in REQUESTS.iter().zip(&lines) {
        for part in [
            format!("method=\"{method}\" "),
            format!("uri=\"{target}\" "),
            format!("status={status} "),
            format!("bytes={bytes} "),
            format!("route=\"{route}\" "),
            format!("cache=\"{cache}\" "),
            "client=127.0.0.1 ".to_owned(),
            "cache_status=evergate; ".to_owned(),
        ] {
            assert!(line.contains(&part), "{part} in {line}");
        }
    }
    // Nothing that a visitor sends can colour or break a terminal.
    assert!(!gateway.stderr().contains('\u{1b}'), "{}", gateway.stderr());
}

#[tokio::test]
async fn a_visitor_who_leaves_has_a_line_without_a_status() {
    let (origin, gateway) = logging("format: json").await;
    let gate = Gate::new();
    for path in ["/p", "/other"] {
        let held = gate.clone();
        origin.on(path, move |_| Reply::ok("late").gate(&held));
    }
    for (arrivals, path) in [(1, "/p"), (2, "/other")] {
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", path, &[], "").await;
        gate.arrived(arrivals).await;
        drop(client);
        let line = gateway.wait_log(|line| line.contains(&format!("\"uri\":\"{path}\""))).await;
        let json: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        assert_eq!((json["status"].as_u64(), json["bytes"].as_u64()), (None, Some(0)), "{line}");
    }
    assert!(gateway.metric("evergate_requests_total", &[("status", "gone")]).await >= 2.0);
}

/// How many lines 200 requests leave.
async fn part(settings: &str) -> usize {
    let (_origin, gateway) = logging(settings).await;
    let mut client = Client::connect(gateway.address()).await;
    for _ in 0..200 {
        client.get("/p").await;
    }
    // The log is written before a request is counted or after; once the gateway has ended all of it is there.
    drop(client);
    let output = gateway.stop().await;
    assert_eq!(output.code, 0);
    output.stderr.lines().filter(|line| line.contains(" access: ")).count()
}

#[tokio::test]
async fn the_access_log_can_be_off_or_sampled() {
    assert_eq!(part("access: off").await, 0);
    assert_eq!(part("access: on").await, 200);
    assert_eq!(part("access: 0").await, 0);
    assert_eq!(part("access: 1").await, 200);
    // Of 200 tosses of a coin, fewer than 50 or more than 150 heads come once in 10^12 runs.
    let half = part("access: 0.5").await;
    assert!((50..=150).contains(&half), "{half}");
}

#[tokio::test]
async fn the_level_does_not_silence_the_access_log() {
    assert_eq!(part("level: error").await, 200);
    assert_eq!(part("level: error, access: off").await, 0);
}
