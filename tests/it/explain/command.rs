//! `evergate explain`: the story for people, the object for programs, who is asked, and what is said when nobody answers.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use evergate_tests::{Gateway, Origin, Output, Reply, complaint, evergate, get, printed, program::binary, until};
use serde_json::{Value, json};
use tempfile::TempDir;

const CONFIG: &str = include_str!("../../golden/explain/config.yaml");
const STORY: &str = include_str!("../../golden/explain/story.txt");
const OBJECT: &str = include_str!("../../golden/explain/object.json");

/// A directory in which `config.yaml` is this text.
fn directory(text: &str) -> TempDir {
    let directory = TempDir::new().expect("a temporary directory");
    fs::write(directory.path().join("config.yaml"), text).expect("a file in our own directory");
    directory
}

/// Runs `evergate explain` where `config.yaml` is this text.
fn on(text: &str, arguments: &[&str]) -> Output {
    evergate(&[&["explain"], arguments].concat(), directory(text).path())
}

/// The configuration of a gateway, with the admin address that it got.
fn of(gateway: &Gateway) -> String {
    let text = fs::read_to_string(gateway.config_path()).expect("the gateway has a configuration");
    text.replace("admin: { address: \"127.0.0.1:0\"", &format!("admin: {{ address: \"{}\"", gateway.admin()))
}

/// The words of a command line; those in single quotes belong together.
fn words(line: &str) -> Vec<&str> {
    let pieces = line.split('\'').enumerate();
    pieces
        .flat_map(|(index, piece)| if index % 2 == 1 { vec![piece] } else { piece.split(' ').collect() })
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn the_story_is_told_in_order() {
    let directory = directory(CONFIG);
    let mut told = String::new();
    for line in STORY.lines().filter(|line| line.starts_with("$ evergate explain ")) {
        let output = evergate(&words(line)[2..], directory.path());
        told.push_str(&format!("{line}\n{}\n", printed(&output)));
    }
    assert_eq!(told, STORY);
}

#[test]
fn the_example_in_the_readme_is_what_is_printed() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(repository.join("README.md")).expect("there is one");
    let example = readme.split("$ evergate explain ").nth(1).and_then(|rest| rest.split("\n```").next());
    let (arguments, told) = example.and_then(|example| example.split_once('\n')).expect("an example");
    let output = evergate(&[&["explain"], words(arguments).as_slice()].concat(), repository);
    assert_eq!(printed(&output).trim_end(), told);
}

#[test]
fn the_object_for_programs_keeps_its_form() {
    let arguments = ["/pretty/a", "--header", "x-tenant: blue", "--json", "--offline"];
    assert_eq!(printed(&on(CONFIG, &arguments)), OBJECT);
    // Whatever becomes of a request, each key is there.
    let keys = |text: &str| -> Vec<String> {
        let object: Value = serde_json::from_str(text).expect("an object");
        object.as_object().expect("an object").keys().cloned().collect()
    };
    for url in ["/old/a", "/live", "/nothing", "/%zz", "http://other.com/"] {
        assert_eq!(keys(printed(&on(CONFIG, &[url, "--json", "--offline"]))), keys(OBJECT), "{url}");
    }
}

#[tokio::test]
async fn the_running_gateway_tells_what_is_stored() {
    let origin = Origin::start().await;
    origin.on("/p", |_| Reply::ok("page").header("cache-tag", "one, two"));
    let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: 1 }").await;
    let config = of(&gateway);
    let admin = format!("http://{}", gateway.admin());
    // The configuration says where it is, or the option does.
    let ways: [&[&str]; 3] = [&["/p"], &["/p", "--admin", &admin], &["/p", "--admin", &admin["http://".len()..]]];
    let tell = |way: &[&str]| printed(&on(&config, way)).to_owned();
    for way in ways {
        let told = tell(way);
        assert!(told.starts_with(&format!("As the gateway at {} would answer now.\n", gateway.admin())), "{told}");
        assert!(told.contains("cache     nothing stored\ndecision  MISS: "), "{told}");
    }
    assert_eq!(origin.count("/*"), 0, "nobody is asked");
    assert_eq!(get(gateway.address(), "/p").await.x_cache(), "MISS");
    // Another configuration tells the same story, with nothing stored.
    assert!(printed(&on(&config, &["/p", "--offline"])).contains("nothing stored"));
    let object: Value = serde_json::from_str(&tell(&["/p", "--json"])).expect("an object");
    assert_eq!(object["source"], json!({ "from": "gateway", "at": gateway.admin().to_string() }));
    let tags = object["stored"]["tags"].as_array().expect("a list of tags");
    assert!(tags.contains(&"one".into()) && tags.contains(&"two".into()), "{object}");
    until("it is stale", async || tell(&["/p"]).contains("\ncache     stale for ")).await;
    let told = tell(&["/p"]);
    assert!(
        told.contains(": 200 OK, ")
            && told.contains(" old, 4 bytes\n          served 0 times from memory\n          tags "),
        "{told}"
    );
    assert!(told.contains("decision  STALE: answered from memory while it is refreshed\n"), "{told}");
    assert_eq!(origin.count("/*"), 1, "looking refreshes nothing");
    assert_eq!(get(gateway.address(), "/p").await.x_cache(), "STALE");
}

#[tokio::test]
async fn what_it_says_is_what_visitors_get() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page").header("cache-control", "max-age=60"));
    let routes = "- { path: '/ahead/[x]', revalidate: 1h, params: [{ x: a }] }\n- { path: /word, revalidate: origin }";
    let gateway = Gateway::simple(&origin, routes).await;
    let tell = |path: &str, method: &str, header: &str| -> Value {
        let arguments = [path, "--method", method, "--header", header, "--json"];
        serde_json::from_str(printed(&on(&of(&gateway), &arguments))).expect("an object")
    };
    for (method, path, header) in [
        ("GET", "/ahead/a", "x: y"),
        ("GET", "/ahead/a", "x: y"),
        ("HEAD", "/word", "x: y"),
        ("GET", "/word", "range: bytes=0-1"),
        ("GET", "/word", "cache-control: only-if-cached"),
        ("GET", "/word", "x: y"),
        ("GET", "/word", "x: y"),
        ("HEAD", "/word", "x: y"),
        ("GET", "/word", "cache-control: only-if-cached"),
        ("GET", "/word", "cache-control: no-store"),
        ("POST", "/word", "x: y"),
        ("GET", "/none", "x: y"),
    ] {
        let told = tell(path, method, header);
        let line = header.split_once(": ").expect("a header");
        let mut client = evergate_tests::Client::connect(gateway.address()).await;
        let answer = client.request(method, path, &[line], "").await;
        let said = (&told["x_cache"], told["cache_status"].as_str().unwrap_or_default());
        assert_eq!(said.0.as_str().unwrap_or_default(), answer.x_cache(), "{method} {path} {header}: {told}");
        // Time passes, and what the handler answers is not known before it is asked.
        let part = |text: &str, key: &str| text.split("; ").find(|part| part.starts_with(key)).map(str::to_owned);
        for key in ["hit", "fwd=", "detail="] {
            let real = answer.header("cache-status").unwrap_or_default();
            assert_eq!(part(said.1, key), part(real, key), "{method} {path} {header}: {real}");
        }
    }
}

#[tokio::test]
async fn the_token_is_given_where_it_is_asked_for() {
    let origin = Origin::start().await;
    let config = Gateway::simple_config(&origin, "");
    let config = config.replace("\"127.0.0.1:0\" }\nthreads", "\"127.0.0.1:0\", token: s3cret }\nthreads");
    let gateway = Gateway::start(&config).await;
    let admin = gateway.admin().to_string();
    // By the configuration, by the option, by the environment.
    printed(&on(&of(&gateway), &["/a"]));
    printed(&on("", &["/a", "--admin", &admin, "--token", "s3cret"]));
    let output = with_token("s3cret", &["/a", "--admin", &admin]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let hint = "(`--token`, or EVERGATE_ADMIN_TOKEN)\n";
    for (token, wants) in [(None, "wants its admin token"), (Some("wr0ng"), "does not accept this token")] {
        let mut arguments = vec!["/a", "--admin", admin.as_str()];
        arguments.extend(token.iter().flat_map(|token| ["--token", token]));
        let output = on("", &arguments);
        let said = complaint(&output, 1);
        assert!(said.starts_with(&format!("the gateway at {admin} {wants} {hint}")), "{said}");
        assert!(!said.contains("wr0ng") && !said.contains("s3cret"), "{said}");
    }
    // The option beats the configuration; an empty variable is none.
    complaint(&on(&of(&gateway), &["/a", "--token", "wr0ng"]), 1);
    assert_eq!(with_token("", &["/a", "--admin", &admin]).code, 1);
}

/// Runs `evergate explain` with the token in its environment.
fn with_token(token: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    let directory = TempDir::new().expect("a temporary directory");
    command.arg("explain").args(arguments).current_dir(directory.path()).stdin(Stdio::null());
    let output = command.env("EVERGATE_ADMIN_TOKEN", token).output().expect("the gateway can be started");
    let text = |bytes| String::from_utf8(bytes).expect("what it prints is text");
    Output { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// An address at which nobody listens.
fn nowhere() -> SocketAddr {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    taken.local_addr().expect("it is bound")
}

#[tokio::test]
async fn where_nothing_runs_the_configuration_explains() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page"));
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nowhere = nowhere();
    let routes = "- { path: '/p/[x]', revalidate: 1h, params_from: { url: /list } }";
    // Whoever listens on the visitors' address is left alone.
    let config = Gateway::simple_config(&origin, routes)
        .replace(
            "listen: [{ address: \"127.0.0.1:0\"",
            &format!("listen: [{{ address: \"{}\"", taken.local_addr().unwrap()),
        )
        .replace("admin: { address: \"127.0.0.1:0\"", &format!("admin: {{ address: \"{nowhere}\""));
    let output = on(&config, &["/p/a"]);
    let why = format!("nothing answers at {nowhere}: connection refused");
    assert!(
        printed(&output).starts_with(&format!("From config.yaml with an empty cache ({why}).\n")),
        "{}",
        output.stdout
    );
    let object: Value = serde_json::from_str(printed(&on(&config, &["/p/a", "--json"]))).expect("an object");
    assert_eq!(object["source"], json!({ "from": "configuration", "at": "config.yaml", "because": why }));
    assert_eq!((&object["route"], &object["stored"]), (&"/p/[x]".into(), &Value::Null));
    // What is told to be explained by the configuration is, whoever answers.
    let gateway = Gateway::simple(&origin, "- { path: /other, revalidate: 1h }").await;
    let told = on(&of(&gateway), &["/other", "--offline"]);
    assert!(printed(&told).starts_with("From config.yaml with an empty cache.\n"), "{}", told.stdout);
    assert_eq!(origin.count("/*"), 0, "nobody is asked");
}

#[tokio::test]
async fn who_does_not_answer_as_a_gateway_is_told() {
    let origin = Origin::start().await;
    origin.on("/explain", |_| Reply::ok("{\"a\": 1}").header("content-type", "application/json"));
    let other = origin.address().to_string();
    let nowhere = nowhere().to_string();
    // It accepts connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silent = silent.local_addr().map(|address| (silent, address.to_string())).expect("it is bound");
    for (place, says) in [
        (&other, format!("what answers at {other} is no admin listener of Evergate (it answers with 200 OK)\n")),
        (&nowhere, format!("nothing answers at {nowhere}: connection refused\n")),
        (&silent.1, format!("no answer came from {} within 5 seconds\n", silent.1)),
    ] {
        let output = on(CONFIG, &["/a", "--admin", place]);
        let said = complaint(&output, 1);
        assert!(said.starts_with(&says) && said.lines().count() == 2 && said.contains("`--offline`"), "{said}");
    }
    // Who answers at the configuration's address is no reason to tell another story.
    let config = Gateway::simple_config(&origin, "")
        .replace("admin: { address: \"127.0.0.1:0\"", &format!("admin: {{ address: \"{other}\""));
    assert!(complaint(&on(&config, &["/a"]), 1).contains("no admin listener"));
}

#[test]
fn wrong_usage_and_broken_configurations_are_told_apart() {
    for (arguments, says) in [
        (&[][..], "<URL>"),
        (&["posts"], "invalid value 'posts' for '<URL>': expected a path or an absolute URL"),
        (&["/a b"], "for '<URL>'"),
        (&["/a#b"], "without a fragment"),
        (&["ftp://a/b"], "for '<URL>'"),
        (&["http://u:p@a/b"], "for '<URL>'"),
        (&["/a", "/b"], "unexpected argument '/b'"),
        (&["/a", "--method", "G T"], "invalid value 'G T' for '--method <METHOD>'"),
        (&["/a", "--header", "nocolon"], "for '--header <NAME: VALUE>': expected a header (name: value)"),
        (&["/a", "--header", "x: a\ny"], "expected a header"),
        (&["/a", "--admin", "https://a:1"], "expected the URL of an admin listener: http://127.0.0.1:9900"),
        (&["/a", "--admin", "http://a:1/x"], "--admin"),
        (&["/a", "--admin", "localhost"], "--admin"),
        (&["/a", "--admin", "127.0.0.1:1", "--offline"], "cannot be used with"),
        (&["/a", "--admin", "127.0.0.1:1", "--config", "config.yaml"], "cannot be used with"),
        (&["/a", "--token", "a\nb"], "--token"),
    ] {
        let output = on(CONFIG, arguments);
        let said = complaint(&output, 64);
        assert!(said.starts_with("error: ") && said.contains(says), "{arguments:?}: {said}");
    }
    for options in [&["/a"][..], &["/a", "--offline"], &["/a", "--json"]] {
        let output = on("upstreams: { a: { builtin: demo } }\nthread: 5\n", options);
        assert!(complaint(&output, 78).starts_with("config.yaml:2: thread: found an unknown key"), "{options:?}");
        let output = evergate(&[&["explain", "--config", "missing.yaml"], options].concat(), std::env::temp_dir());
        assert!(complaint(&output, 78).contains("missing.yaml"), "{options:?}");
    }
}
