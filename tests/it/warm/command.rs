//! `evergate warm`: sitemaps that it downloads, files of URLs, the summary, and what its exit code says.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use evergate_tests::{Gate, Gateway, Origin, Output, Reply, evergate, get, program::binary, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{gzip, index, items, numbers, problem, sitemap};

/// A gateway that keeps `/items/…`.
async fn in_front_of(origin: &Origin) -> Gateway {
    items(origin);
    Gateway::simple(origin, "- { path: '/items/[slug]', revalidate: 1h, params: [{ slug: known }] }").await
}

/// Runs `evergate warm` against a gateway.
fn run(gateway: &Gateway, arguments: &[&str]) -> Output {
    let admin = gateway.admin().to_string();
    evergate(&[&["warm", "--admin", &admin], arguments].concat(), gateway.directory())
}

/// The first line of the summary of a command that ends with this code.
fn summed_up(output: &Output, code: i32) -> &str {
    assert_eq!(output.code, code, "{}{}", output.stdout, output.stderr);
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    output.stdout.lines().next().unwrap_or_default()
}

#[tokio::test]
async fn sitemaps_elsewhere_are_downloaded() {
    let (origin, server) = (Origin::start().await, Origin::start().await);
    let gateway = in_front_of(&origin).await;
    let own = format!("http://{}", server.address());
    server.on("/start", |_| Reply::ok("").status(302).header("location", "/maps/index.xml"));
    server.on("/index.xml", |_| Reply::ok("moved").status(410));
    // Relative places are as seen from the index.
    server.on("/maps/index.xml", |_| Reply::ok(index(&["/maps/one.xml", "/maps/two.xml.gz"])));
    server.on("/maps/one.xml", |_| {
        Reply::ok("").chunks([sitemap(&["https://acme.com/items/a", "https://acme.com/items/b"])])
    });
    server
        .on("/maps/two.xml.gz", |_| Reply::ok(gzip(&sitemap(&["https://acme.com/items/b", "https://acme.com/about"]))));
    let output = run(&gateway, &["--sitemap", &format!("{own}/maps/index.xml")]);
    let expected = "3 pages: 2 rendered, 0 already there, 1 not cached, 0 failed";
    assert_eq!(summed_up(&output, 0), expected);
    assert_eq!(output.stdout.lines().count(), 1, "{}", output.stdout);
    for path in ["/items/a", "/items/b"] {
        assert_eq!(get(gateway.address(), path).await.x_cache(), "PRERENDER", "{path}");
    }
    assert_eq!(origin.count("/*"), 3, "each once, and the parameter at the start");
    assert!(server.seen("/maps/one.xml")[0].header("user-agent").is_some_and(|agent| agent.starts_with("evergate/")));
    // What a redirect leads to is the same.
    let output = run(&gateway, &["--sitemap", &format!("{own}/start")]);
    assert_eq!(summed_up(&output, 0), "3 pages: 0 rendered, 2 already there, 1 not cached, 0 failed");
}

#[tokio::test]
async fn what_fails_is_listed_and_told_by_the_exit_code() {
    let (origin, server) = (Origin::start().await, Origin::start().await);
    let gateway = in_front_of(&origin).await;
    origin.on("/items/broken", |_| Reply::ok("no").status(500));
    let own = format!("http://{}", server.address());
    server.on("/sitemap.xml", |_| Reply::ok(sitemap(&["/items/a", "/items/broken"])));
    server.on("/html", |_| Reply::ok("<html/>"));
    server.on("/loop", |_| Reply::ok("").status(302).header("location", "/loop"));
    let urls = ["/sitemap.xml", "/html", "/loop", "/missing"].map(|path| format!("{own}{path}"));
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let tls = format!("https://{}/", nobody.local_addr().expect("it is bound"));
    drop(nobody);
    let mut arguments: Vec<&str> = urls.iter().flat_map(|url| ["--sitemap", url]).collect();
    arguments.extend(["--sitemap", tls.as_str()]);
    let output = run(&gateway, &arguments);
    assert_eq!(summed_up(&output, 1), "2 pages: 1 rendered, 0 already there, 0 not cached, 1 failed; 4 lists not read");
    assert!(
        output.stdout.contains("\nfailed  /items/broken: the handler service did not answer (status)\n"),
        "{}",
        output.stdout
    );

    // A password is sent to the server, and shown to nobody.
    let secret = own.replace("http://", "http://me:s3cret@") + "/html";
    arguments.extend(["--json", "--sitemap", &secret]);
    let output = run(&gateway, &arguments);
    assert!(!output.stdout.contains("s3cret") && !output.stderr.contains("s3cret"), "{}", output.stdout);
    assert!(server.seen("/html").iter().any(|seen| seen.header("authorization").is_some()));
    assert_eq!(output.code, 1);
    let summary: Value = serde_json::from_str(&output.stdout).expect("an object");
    assert_eq!(numbers(&summary), [0, 1, 1, 0], "{summary}");
    assert_eq!(summary["failed_lists"], 5, "{summary}");
    for (url, why) in [
        (urls[1].as_str(), "found `html`"),
        (urls[2].as_str(), "too many redirects"),
        (urls[3].as_str(), "its server answers with 404 Not Found"),
        (tls.as_str(), "it could not be downloaded"),
    ] {
        assert!(problem(&summary, url).contains(why), "{url}: {summary}");
    }
}

#[tokio::test]
async fn a_path_is_a_sitemap_that_the_gateway_reads() {
    let origin = Origin::start().await;
    let gateway = in_front_of(&origin).await;
    origin.on("/sitemap.xml", |_| Reply::ok(sitemap(&["/items/a"])));
    let output = run(&gateway, &["--sitemap", "/sitemap.xml", "--params", "--rate", "1000", "--concurrency", "2"]);
    assert_eq!(summed_up(&output, 0), "2 pages: 1 rendered, 1 already there, 0 not cached, 0 failed");
    assert_eq!(origin.seen("/sitemap.xml")[0].header("x-forwarded-for"), None);
}

#[tokio::test]
async fn a_file_lists_pages_and_so_does_standard_input() {
    let origin = Origin::start().await;
    let gateway = in_front_of(&origin).await;
    let file = gateway.directory().join("urls.txt");
    std::fs::write(&file, "# ours\n/items/a\n\nhttps://acme.com/items/b\n/items/a\n").expect("our own directory");
    let output = run(&gateway, &["--urls", "urls.txt"]);
    assert_eq!(summed_up(&output, 0), "2 pages: 2 rendered, 0 already there, 0 not cached, 0 failed");

    let mut child = spawn(&gateway, &["--urls", "-", "--limit", "2"]);
    let mut input = child.stdin.take().expect("its input is piped");
    input.write_all(b"/items/b\n/items/c\n/items/d\n").expect("it reads");
    // It does not wait for the end of its input when it has what it wants.
    let output = child.wait_with_output().expect("it ends");
    drop(input);
    assert!(output.status.success());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(told, "2 pages: 1 rendered, 1 already there, 0 not cached, 0 failed\n");
    assert_eq!(origin.count("/items/d"), 0);

    let output = run(&gateway, &["--urls", "missing.txt"]);
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(output.stderr.starts_with("cannot read missing.txt: "), "{}", output.stderr);
}

/// More than one order's worth.
#[tokio::test]
async fn any_number_of_pages_is_ordered_in_batches() {
    let origin = Origin::start().await;
    let gateway = in_front_of(&origin).await;
    let pages: String = (0..10_003).map(|number| format!("/live/{number}\n")).collect();
    std::fs::write(gateway.directory().join("urls.txt"), pages).expect("our own directory");
    let output = run(&gateway, &["--urls", "urls.txt", "--params"]);
    assert_eq!(summed_up(&output, 0), "10004 pages: 0 rendered, 1 already there, 10003 not cached, 0 failed");
    // The log is written behind everyone's back.
    let told = || gateway.stderr().lines().filter(|line| line.contains("warmed up")).count();
    until("both orders are told", || told() == 2).await;
}

/// A script that warms up nothing has a mistake in it.
#[tokio::test]
async fn what_lists_nothing_is_told() {
    let (origin, server) = (Origin::start().await, Origin::start().await);
    let gateway = in_front_of(&origin).await;
    server.on("/sitemap.xml", |_| Reply::ok(sitemap(&[])));
    origin.on("/sitemap.xml", |_| Reply::ok(sitemap(&[])));
    std::fs::write(gateway.directory().join("urls.txt"), "# none yet\n\n").expect("our own directory");
    let elsewhere = format!("http://{}/sitemap.xml", server.address());
    for arguments in [["--urls", "urls.txt"], ["--sitemap", elsewhere.as_str()], ["--sitemap", "/sitemap.xml"]] {
        let output = run(&gateway, &arguments);
        let expected = "0 pages: 0 rendered, 0 already there, 0 not cached, 0 failed";
        assert_eq!(summed_up(&output, 1), expected, "{arguments:?}");
        assert_eq!(output.stderr, "nothing was listed\n", "{arguments:?}");
    }
    assert_eq!(summed_up(&run(&gateway, &["--urls", "urls.txt", "--params"]), 0).split(':').next(), Some("1 page"));
}

/// A gateway whose answers to one order after the other are these.
async fn scripted(answers: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Origin {
    let gateway = Origin::start().await;
    gateway.on_counted("/warm", move |_, run| answers(run));
    gateway
}

/// A line that sums up so many pages that are rendered.
fn rendered(pages: usize) -> String {
    let numbers = format!("\"pages\":{pages},\"rendered\":{pages},\"fresh\":0,\"failed\":0,\"not_cached\":0");
    format!("{{{numbers},\"failed_lists\":0,\"failures\":[],\"more_failures\":0}}\n")
}

/// Writes a file of pages, and has a gateway at this place warm them up.
fn run_at(place: &Origin, pages: usize) -> Output {
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let lines: String = (0..pages).map(|number| format!("/items/{number}\n")).collect();
    std::fs::write(directory.path().join("urls.txt"), lines).expect("our own directory");
    evergate(&["warm", "--admin", &place.address().to_string(), "--urls", "urls.txt"], directory.path())
}

/// Another warm-up may come in between two batches.
#[tokio::test]
async fn another_warm_up_does_not_break_off_a_long_one() {
    let busy = || Reply::ok("{\"error\":\"another warm-up is under way\",\"problems\":[]}").status(409);
    let gateway = scripted(move |run| match run {
        1 => Reply::ok(rendered(10_000)),
        2 | 3 => busy(),
        _ => Reply::ok(rendered(2)),
    })
    .await;
    let output = run_at(&gateway, 10_002);
    assert_eq!(summed_up(&output, 0), "10002 pages: 10002 rendered, 0 already there, 0 not cached, 0 failed");
    assert_eq!(gateway.count("/warm"), 4);
    // Who comes second from the start is told at once.
    let gateway = scripted(move |_| busy()).await;
    let output = run_at(&gateway, 1);
    assert_eq!((output.code, gateway.count("/warm")), (1, 1));
    assert!(output.stderr.contains("409 Conflict: another warm-up is under way"), "{}", output.stderr);
}

/// What it told until then is not forgotten.
#[tokio::test]
async fn a_gateway_that_stops_in_the_middle_is_told() {
    const PROGRESS: &str =
        "{\"progress\":{\"pages\":3,\"rendered\":1,\"fresh\":0,\"failed\":1,\"not_cached\":0,\"failed_lists\":0}}\n";
    let broken_off = || Reply::ok("").chunks([PROGRESS, "{}"]).hang_up_after(PROGRESS.len());
    let ended = || Reply::ok("").chunks([PROGRESS]);
    for gateway in [scripted(move |_| broken_off()).await, scripted(move |_| ended()).await] {
        let output = run_at(&gateway, 3);
        let expected = "2 of 3 pages: 1 rendered, 0 already there, 0 not cached, 1 failed";
        assert_eq!(summed_up(&output, 1), expected, "{}", output.stderr);
        let stopped = format!("the gateway at {} stopped in the middle of it\n", gateway.address());
        assert!(output.stderr.ends_with(&stopped), "{}", output.stderr);
    }
    // So it is with those of the batches before.
    let gateway = scripted(move |run| if run == 1 { Reply::ok(rendered(10_000)) } else { broken_off() }).await;
    let output = run_at(&gateway, 10_003);
    assert_eq!(summed_up(&output, 1), "10002 of 10003 pages: 10001 rendered, 0 already there, 0 not cached, 1 failed");
}

#[tokio::test]
async fn wrong_usage_is_told() {
    let nowhere = tempfile::TempDir::new().expect("a temporary directory");
    let wrong: [&[&str]; 9] = [
        &[],
        &["--sitemap", "sitemap.xml"],
        &["--sitemap", "ftp://acme.com/sitemap.xml"],
        &["--sitemap", "//acme.com/sitemap.xml"],
        &["--params", "--concurrency", "0"],
        &["--params", "--concurrency", "257"],
        &["--params", "--rate", "0"],
        &["--params", "--limit", "0"],
        &["--params", "--admin", "https://127.0.0.1:9900"],
    ];
    for arguments in wrong {
        let output = evergate(&[&["warm"], arguments].concat(), nowhere.path());
        assert_eq!((output.code, output.stdout.as_str()), (64, ""), "{arguments:?}: {}", output.stderr);
    }
    assert_eq!(evergate(&["warm", "--params"], nowhere.path()).code, 78, "there is no configuration");
}

#[tokio::test]
async fn a_gateway_that_does_not_want_is_told() {
    let origin = Origin::start().await;
    items(&origin);
    let config = Gateway::simple_config(&origin, "- { path: '/items/[slug]', revalidate: 1h }");
    let config = config.replace("\"127.0.0.1:0\" }\nthreads", "\"127.0.0.1:0\", token: s3cret }\nthreads");
    let gateway = Gateway::start(&config).await;
    let urls = gateway.directory().join("urls.txt");
    std::fs::write(&urls, "/items/a\n").expect("our own directory");
    for (token, wants) in [(None, "wants its admin token"), (Some("wr0ng"), "does not accept this token")] {
        let mut arguments = vec!["--urls", "urls.txt"];
        arguments.extend(token.iter().flat_map(|token| ["--token", token]));
        let output = run(&gateway, &arguments);
        assert_eq!((output.code, output.stdout.as_str()), (1, ""));
        assert!(output.stderr.contains(wants) && !output.stderr.contains("wr0ng"), "{}", output.stderr);
    }
    assert_eq!(origin.count("/*"), 0, "nothing is fetched");
    assert_eq!(
        summed_up(&run(&gateway, &["--urls", "urls.txt", "--token", "s3cret"]), 0).split(':').next(),
        Some("1 page")
    );
    // The configuration knows where the gateway is, and its token.
    let told =
        config.replace("admin: { address: \"127.0.0.1:0\"", &format!("admin: {{ address: \"{}\"", gateway.admin()));
    std::fs::write(gateway.directory().join("told.yaml"), told).expect("our own directory");
    let output = evergate(&["warm", "--config", "told.yaml", "--urls", "urls.txt"], gateway.directory());
    assert_eq!(summed_up(&output, 0), "1 page: 0 rendered, 1 already there, 0 not cached, 0 failed");

    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nowhere = taken.local_addr().expect("it is bound").to_string();
    drop(taken);
    let output = evergate(&["warm", "--admin", &nowhere, "--urls", "urls.txt"], gateway.directory());
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(output.stderr.contains(&format!("nothing answers at {nowhere}")), "{}", output.stderr);
    // An origin is no admin listener.
    origin.on("/warm", |_| Reply::ok("{}").chunks(["{}\n"]));
    let other = origin.address().to_string();
    let output = evergate(&["warm", "--admin", &other, "--urls", "urls.txt"], gateway.directory());
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("is no admin listener of Evergate"), "{}", output.stderr);
}

/// Starts `evergate warm` with pipes.
fn spawn(gateway: &Gateway, arguments: &[&str]) -> Child {
    let mut command = Command::new(binary());
    command.args(["warm", "--admin", &gateway.admin().to_string()]).args(arguments).current_dir(gateway.directory());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be started")
}

/// It tells how far it has come, and Ctrl-C stops it, and the gateway fetches no more of it.
#[tokio::test]
async fn it_is_stopped_with_ctrl_c() {
    let origin = Origin::start().await;
    let gateway = in_front_of(&origin).await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/items/held*", move |_| Reply::ok("held").gate(&held));
    origin.on("/items/1", move |_| Reply::ok("one"));
    let held = gate.clone();
    origin.on("/items/2", move |_| Reply::ok("two").gate(&held));
    std::fs::write(gateway.directory().join("urls.txt"), "/items/1\n/items/2\n/items/3\n").expect("our own directory");
    let mut child = spawn(&gateway, &["--urls", "urls.txt", "--concurrency", "1"]);
    gate.arrived(1).await;
    let mut lines = BufReader::new(child.stderr.take().expect("its errors are piped")).lines();
    // The first may have been told when nothing was done yet.
    let told = lines.by_ref().map_while(Result::ok).find(|line| !line.starts_with("0 of 3 pages: "));
    let one = "1 of 3 pages: 1 rendered, 0 already there, 0 not cached, 0 failed";
    assert_eq!(told.as_deref(), Some(one));
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a process id")), Signal::SIGINT).expect("our own child");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(rest.last().map(String::as_str), Some("stopped before the end"), "{rest:?}");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).trim_end()), (Some(1), one));
    gateway.wait_log(|line| line.contains("a warm-up was stopped")).await;
    gate.open();
    assert_eq!(origin.count("/items/3"), 0);
}
