//! Servers that are gone, readers that are slow, logs that nobody reads: none of them stops the others.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use evergate_tests::{Client, Gateway, Origin, Reply, get, program, until};

#[tokio::test]
async fn with_one_server_gone_every_request_is_answered_by_the_other() {
    let (gone, there) = (Origin::start().await, Origin::start().await);
    there.on("/*", |_| Reply::ok("here"));
    gone.kill();
    let config = Gateway::simple_config(&gone, "- path: /page/[x]\n  revalidate: 60\nlog: { access: off }");
    let one = format!("[\"{}\"]", gone.address());
    assert!(config.contains(&one), "{config}");
    let both = format!("[\"{}\", \"{}\"]", gone.address(), there.address());
    let gateway = Gateway::start(&config.replace(&one, &both)).await;
    let mut visitors = tokio::task::JoinSet::new();
    for index in 0..200 {
        let address = gateway.address();
        visitors.spawn(async move {
            let place = if index % 2 == 0 { "page" } else { "live" };
            get(address, &format!("/{place}/{index}")).await
        });
    }
    while let Some(answer) = visitors.join_next().await {
        let answer = answer.expect("nobody panics");
        assert_eq!((answer.status, answer.text()), (200, "here"), "{}", answer.cache_status());
    }
}

#[tokio::test]
async fn promise_3_slow_readers_of_a_body_that_is_not_kept_hold_up_no_other_fill() {
    let origin = Origin::start().await;
    let big = "x".repeat(1 << 20);
    let pieces: Vec<String> = (0..24).map(|_| big.clone()).collect();
    origin.on("/page/big", move |_| Reply::ok("").chunks(pieces.clone()));
    origin.on("/page/small", |_| Reply::ok("small"));
    let routes =
        "- path: /page/[x]\n  revalidate: 60\ncache: { capacity: 16MiB, max_body: 64KiB }\nlog: { access: off }";
    let config = Gateway::simple_config(&origin, routes);
    let servers = format!("servers: [\"{}\"]", origin.address());
    let gateway = Gateway::start(&config.replace(&servers, &format!("{servers}, max_concurrent_fetches: 1"))).await;
    let mut slow = Client::connect(gateway.address()).await;
    slow.send("GET", "/page/big", &[], "").await;
    assert_eq!(slow.read_head().await.status, 200);
    until("the big page is not kept", async || get(gateway.address(), "/page/big").await.x_cache() == "PASS").await;
    assert_eq!(get(gateway.address(), "/page/small").await.text(), "small", "though the big one is still being read");
    drop(slow);
}

#[tokio::test]
async fn promise_3_a_log_that_nobody_reads_stops_nobody() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page"));
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("config.yaml");
    let config = Gateway::simple_config(&origin, "- path: /page\n  revalidate: 60");
    std::fs::write(&file, config).expect("a configuration");
    let mut gateway = Command::new(program::binary())
        .args(["run", "--config"])
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the gateway starts");
    let mut lines = BufReader::new(gateway.stdout.take().expect("its output")).lines();
    let first = lines.next().expect("a line").expect("text");
    let address = first.strip_prefix("listening on http://").expect("where it listens").parse().expect("an address");
    lines.find(|line| line.as_deref().is_ok_and(|line| line == "ready")).expect("it gets ready").expect("text");
    // Some 200 bytes for each line: far more than a pipe holds.
    let mut visitor = Client::connect(address).await.with_patience(Duration::from_secs(5));
    for _ in 0..2000 {
        assert_eq!(visitor.get("/page").await.status, 200);
    }
    gateway.kill().expect("it is still there");
    gateway.wait().expect("it ends");
}
