//! The admin listener: health, readiness and metrics for probes and Prometheus, apart from the visitors' traffic; errors
//! are JSON.

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, Response, get, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// An origin that says where it was asked, behind a gateway without routes.
async fn plain() -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("the handler's"));
    let gateway = Gateway::simple(&origin, "").await;
    (origin, gateway)
}

/// Asks the admin listener.
async fn ask(gateway: &Gateway, method: &str, target: &str) -> Response {
    Client::connect(gateway.admin()).await.request(method, target, &[], "").await
}

/// Asserts that an answer is an error as the admin listener tells it.
fn is_error(response: &Response, status: u16) {
    let json = response.json();
    assert_eq!((response.status, response.header("content-type")), (status, Some("application/json")));
    assert!(json["error"].as_str().is_some_and(|error| !error.is_empty()), "{json}");
    assert_eq!((json["problems"].as_array().map(Vec::len), json.as_object().map(|o| o.len())), (Some(0), Some(2)));
}

/// Tells the gateway to end, as its supervisor would, and leaves it to it.
fn terminate(gateway: &Gateway) {
    let id = i32::try_from(gateway.id()).expect("a process id is a positive i32");
    kill(Pid::from_raw(id), Signal::SIGTERM).expect("our own child can be told");
}

#[tokio::test]
async fn health_readiness_and_metrics_are_there_from_the_start() {
    let (origin, gateway) = plain().await;
    for (path, content_type) in
        [("/healthz", "text/plain"), ("/readyz", "text/plain"), ("/metrics", "text/plain; version=0.0.4")]
    {
        let response = ask(&gateway, "GET", path).await;
        assert_eq!(response.status, 200, "{path}");
        let told = response.header("content-type").unwrap_or_default();
        assert!(told.starts_with(content_type) && !response.body.is_empty(), "{path}: {told}");
        let head = ask(&gateway, "HEAD", path).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        // A query changes nothing; probes add them to get past caches.
        assert_eq!(ask(&gateway, "GET", &format!("{path}?t=1")).await.status, 200, "{path}");
    }
    assert_eq!(origin.count("/*"), 0, "probes are none of the handler's business");
}

#[tokio::test]
async fn everything_else_is_a_404_as_json() {
    let (_origin, gateway) = plain().await;
    for path in
        ["/", "/metrics/", "/Metrics", "/healthz/x", "/cache/x", "/favicon.ico", "/%00", "//metrics", "/posts?a=1"]
    {
        is_error(&ask(&gateway, "GET", path).await, 404);
    }
    is_error(&ask(&gateway, "POST", "/nothing").await, 404);
}

#[tokio::test]
async fn other_methods_are_a_405_as_json() {
    let (_origin, gateway) = plain().await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let response = ask(&gateway, method, path).await;
            is_error(&response, 405);
            // RFC 9110 section 15.5.6.
            let allow = response.header("allow").unwrap_or_default();
            assert!(allow.contains("GET") && !allow.contains(method), "{method} {path}: {allow:?}");
        }
    }
}

#[tokio::test]
async fn visitors_and_operators_do_not_meet() {
    let (origin, gateway) = plain().await;
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(get(gateway.address(), path).await.text(), "the handler's", "{path} on the visitors' side");
    }
    assert_eq!(origin.count("/*"), 3);
    is_error(&ask(&gateway, "GET", "/posts").await, 404);
    assert_eq!(origin.count("/*"), 3);
}

#[tokio::test]
async fn probes_never_need_the_token() {
    let origin = Origin::start().await;
    let config = Gateway::simple_config(&origin, "");
    let config =
        config.replace("admin: { address: \"127.0.0.1:0\" }", "admin: { address: \"127.0.0.1:0\", token: secret }");
    let gateway = Gateway::start(&config).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask(&gateway, "GET", path).await.status, 200, "{path}");
    }
    assert!(!gateway.stderr().contains("secret") && !gateway.stdout().contains("secret"));
}

/// Who is refused does not keep the connection, whether or not the body that was announced ever comes.
#[tokio::test]
async fn the_connection_of_a_refused_request_is_closed() {
    let origin = Origin::start().await;
    let config = Gateway::simple_config(&origin, "");
    let config =
        config.replace("admin: { address: \"127.0.0.1:0\" }", "admin: { address: \"127.0.0.1:0\", token: secret }");
    let gateway = Gateway::start(&config).await;
    let token = ("authorization", "Bearer secret");
    let cases: [(u16, &[(&str, &str)]); 3] =
        [(401, &[]), (421, &[("host", "evil.test")]), (403, &[token, ("origin", "http://evil.test")])];
    for (status, lines) in cases {
        let mut client = Client::connect(gateway.admin()).await;
        let host = if lines.iter().any(|(name, _)| *name == "host") { "" } else { "host: localhost\r\n" };
        let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        client.send_raw(format!("POST /invalidate HTTP/1.1\r\n{host}{lines}content-length: 99\r\n\r\nhalf")).await;
        let answer = client.read_response("POST").await;
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{lines}");
        client.expect_closed().await;
    }
}

/// Beyond so many connections, the next is answered when one of them ends.
#[tokio::test]
async fn so_many_connections_and_no_more_are_answered_at_once() {
    let (_origin, gateway) = plain().await;
    let mut held = Vec::new();
    for _ in 0..256 {
        held.push(Client::connect(gateway.admin()).await);
    }
    let mut next = Client::connect(gateway.admin()).await;
    next.send("GET", "/healthz", &[], "").await;
    let read = next.read_response("GET");
    tokio::pin!(read);
    // All of the others are answered meanwhile, and it is not.
    for client in &mut held {
        tokio::select! {
            biased;
            answer = &mut read => panic!("it is answered: {}", answer.status),
            answer = client.get("/healthz") => assert_eq!(answer.status, 200),
        }
    }
    drop(held.pop());
    assert_eq!(read.await.status, 200);
}

#[tokio::test]
async fn while_it_drains_it_is_healthy_but_not_ready() {
    let (origin, gateway) = plain().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/held", move |_| Reply::ok("in the end").gate(&held));
    let mut visitor = Client::connect(gateway.address()).await;
    visitor.send("GET", "/held", &[], "").await;
    gate.arrived(1).await;
    let mut idle = Client::connect(gateway.address()).await;
    assert_eq!((idle.get("/other").await.status, ask(&gateway, "GET", "/readyz").await.status), (200, 200));

    terminate(&gateway);
    until("it is not ready any more", async || ask(&gateway, "GET", "/readyz").await.status != 200).await;
    is_error(&ask(&gateway, "GET", "/readyz").await, 503);
    for path in ["/healthz", "/metrics"] {
        assert_eq!(ask(&gateway, "GET", path).await.status, 200, "{path}");
    }
    // Who is idle is let go of, and nobody new is let in; who waits gets his answer.
    idle.expect_closed().await;
    assert!(tokio::net::TcpStream::connect(gateway.address()).await.is_err(), "the listener is closed");
    gate.open();
    let answer = visitor.read_response("GET").await;
    assert_eq!((answer.status, answer.text(), answer.complete), (200, "in the end", true));
    visitor.expect_closed().await;
    let output = gateway.stop().await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stderr.contains("stopping") && output.stderr.contains("SIGTERM"), "{}", output.stderr);
}

#[tokio::test]
async fn a_cached_fill_is_waited_for_when_draining_too() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/p", move |_| Reply::ok("").chunks(["be", "gun"]).gate_after(1, &held));
    let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: false }").await;
    let mut visitor = Client::connect(gateway.address()).await;
    visitor.send("GET", "/p", &[], "").await;
    assert_eq!(visitor.read_head().await.x_cache(), "MISS");
    terminate(&gateway);
    until("it drains", async || ask(&gateway, "GET", "/readyz").await.status == 503).await;
    gate.open();
    let mut body = Vec::new();
    while let Some((_, piece)) = visitor.next_chunk().await {
        body.extend_from_slice(&piece);
    }
    assert!(visitor.complete() && body == b"begun", "{}", String::from_utf8_lossy(&body));
    assert_eq!(gateway.stop().await.code, 0);
}

/// A GET of what the listener guards, with these header lines.
async fn guarded(gateway: &Gateway, lines: &[(&str, &str)]) -> Response {
    Client::connect(gateway.admin()).await.get_with("/explain?url=/", lines).await
}

#[tokio::test]
async fn a_listener_of_this_machine_is_asked_by_its_names() {
    let (_origin, gateway) = plain().await;
    let port = gateway.admin().port();
    for host in
        [format!("127.0.0.1:{port}"), format!("LOCALHOST:{port}"), String::from("localhost"), format!("[::1]:{port}")]
    {
        assert_eq!(guarded(&gateway, &[("host", &host)]).await.status, 200, "{host}");
    }
    // The page's own name leads here by now, and its browser thinks that it asks its own site.
    for host in ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", ""] {
        let response = guarded(&gateway, &[("host", host)]).await;
        is_error(&response, 421);
    }
    let probe = Client::connect(gateway.admin()).await.get_with("/healthz", &[("host", "pod.example")]).await;
    assert_eq!(probe.status, 200, "probes ask by any name");
}
