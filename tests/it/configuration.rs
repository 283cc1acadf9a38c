//! The configuration as operators meet it: a broken one prints every problem with its place, ends with code 78 and starts
//! nothing; wrong usage ends with 64 and trouble at run time with 1. (The reader of the file has tables of its own.)

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use evergate_tests::{Gateway, Origin, Output, Reply, complaint, evergate, get, program::binary};
use tempfile::TempDir;

/// Every kind of mistake, and what is said about it.
const BROKEN: &str = include_str!("../golden/config/broken.yaml");
const PROBLEMS: &str = include_str!("../golden/config/broken.txt");

/// What `--help` prints, for the program and for each of its commands.
const HELP: [(&[&str], &str); 8] = [
    (&["--help"], include_str!("../golden/configuration/help.txt")),
    (&["run", "--help"], include_str!("../golden/configuration/help-run.txt")),
    (&["check", "--help"], include_str!("../golden/configuration/help-check.txt")),
    (&["routes", "--help"], include_str!("../golden/configuration/help-routes.txt")),
    (&["explain", "--help"], include_str!("../golden/configuration/help-explain.txt")),
    (&["invalidate", "--help"], include_str!("../golden/configuration/help-invalidate.txt")),
    (&["warm", "--help"], include_str!("../golden/configuration/help-warm.txt")),
    (&["import", "next", "--help"], include_str!("../golden/configuration/help-import-next.txt")),
];

/// The smallest configuration that works.
const SMALL: &str = "\
listen: [{ address: \"127.0.0.1:0\" }]
admin: { address: \"127.0.0.1:0\" }
upstreams: { demo: { builtin: demo } }
";

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().expect("a temporary directory");
    for (name, text) in files {
        fs::write(directory.path().join(name), text).expect("a file in our own directory");
    }
    directory
}

/// Runs a command in a directory in which `config.yaml` is this text.
fn on(text: &str, arguments: &[&str]) -> Output {
    evergate(arguments, directory(&[("config.yaml", text)]).path())
}

/// Runs a command with these variables of the environment, to its end.
fn with_environment(arguments: &[&str], directory: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).envs(variables.iter().copied());
    let output = command.output().expect("the gateway can be started");
    let text = |bytes| String::from_utf8(bytes).expect("what it prints is text");
    Output { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn every_problem_is_told_with_its_place_and_nothing_is_started() {
    let directory = directory(&[("broken.yaml", BROKEN)]);
    let expected = format!("{}\n{} problems in broken.yaml\n", PROBLEMS.trim_end(), PROBLEMS.lines().count());
    for command in ["check", "run"] {
        let output = evergate(&[command, "--config", "broken.yaml"], directory.path());
        assert_eq!(complaint(&output, 78), expected, "{command}");
    }
}

/// Configurations with one or two mistakes, and what is said; beside the file of all mistakes, those that end its reading.
const MISTAKES: [(&str, &str); 9] = [
    ("", "config.yaml:1: found an empty file, expected "),
    ("# nothing\n", "config.yaml:1: found an empty file, expected "),
    ("listen: [\n", "config.yaml:"),
    ("threads: 2\nthreads: 3\n", "config.yaml:2: "),
    ("[]\n", "config.yaml:1: found a list, expected "),
    ("threads: 2\n", "config.yaml:1: upstreams: found no upstream, expected at least one"),
    (
        "upstreams: { a: { builtin: demo } }\nroutes: [{ path: /a, revalidate: 5x }]\n",
        "config.yaml:2: routes[0].revalidate: found `5x`, expected ",
    ),
    (
        "upstreams: { a: { builtin: demo } }\nthread: 5\n",
        "config.yaml:2: thread: found an unknown key, expected a known key: did you mean `threads`?",
    ),
    (
        "upstreams: { a: { builtin: demo } }\nroutes:\n- path: /a\n- path: /b\n- path: /a\n",
        "config.yaml:5: routes[2].path: found `/a`, expected each path once; the same is `/a` at routes[0].path (line 3)",
    ),
];

#[test]
fn each_mistake_is_told_by_check_and_by_run() {
    for (text, begins) in MISTAKES {
        for command in ["check", "run"] {
            let output = on(text, &[command]);
            let told = complaint(&output, 78);
            assert!(told.starts_with(begins), "{text:?}: {told}");
            assert!(told.ends_with("1 problem in config.yaml\n"), "{text:?}: {told}");
        }
    }
}

#[test]
fn a_broken_configuration_is_told_before_anything_is_opened() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    // Were the port asked for first, this would be trouble at run time.
    let text =
        format!("listen: [{{ address: \"{address}\" }}]\nthreads: none\nupstreams: {{ demo: {{ builtin: demo }} }}\n");
    let output = on(&text, &["run"]);
    assert!(complaint(&output, 78).starts_with("config.yaml:2: threads: found `none`"), "{}", output.stderr);
}

#[test]
fn a_good_configuration_is_confirmed() {
    for (routes, said) in [
        ("", "config.yaml: no problems (0 routes, 1 upstream)\n"),
        ("routes: [{ path: /a }]\n", "config.yaml: no problems (1 route, 1 upstream)\n"),
    ] {
        let output = on(&format!("{SMALL}{routes}"), &["check"]);
        assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (0, said, ""));
    }
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config.yaml");
    let path = repository.to_str().expect("the path of the repository is UTF-8");
    let output = evergate(&["check", "--config", path], std::env::temp_dir());
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert!(output.stdout.starts_with(&format!("{path}: no problems (")), "{}", output.stdout);
}

#[test]
fn a_file_that_cannot_be_read_is_a_configuration_error() {
    let directory = directory(&[]);
    for (path, why) in [("missing.yaml", "No such file or directory"), (".", "Is a directory")] {
        for command in ["check", "run"] {
            let output = evergate(&[command, "--config", path], directory.path());
            let told = complaint(&output, 78);
            assert!(told.contains(path) && told.contains(why) && told.lines().count() == 1, "{told}");
        }
    }
    // Without an option it is config.yaml here.
    let output = evergate(&["check"], directory.path());
    assert!(complaint(&output, 78).contains("config.yaml"), "{}", output.stderr);
    fs::write(directory.path().join("latin.yaml"), b"threads: 2 # caf\xe9\n").expect("a file in our own directory");
    let output = evergate(&["check", "--config", "latin.yaml"], directory.path());
    assert!(complaint(&output, 78).contains("latin.yaml"), "{}", output.stderr);
}

#[test]
fn wrong_usage_is_told_apart() {
    for (arguments, says) in [
        (&[][..], "Usage: evergate"),
        (&["fly"], "fly"),
        (&["check", "--conf", "a"], "--conf"),
        (&["check", "--config"], "--config"),
        (&["run", "config.yaml"], "config.yaml"),
        (&["--config", "config.yaml", "run"], "--config"),
        (&["check", "--config", "a", "--config", "b"], "--config"),
        (&["import"], "Usage: evergate import"),
        (&["import", "next"], "DIR"),
        (&["import", "next", "a", "--scan", "b"], "--scan"),
        (&["import", "next", "a", "--upstream", "http://b:1"], "host:port"),
    ] {
        let output = on(SMALL, arguments);
        assert!(complaint(&output, 64).contains(says), "{arguments:?}: {}", output.stderr);
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for (arguments, expected) in HELP {
        let output = on("", arguments);
        assert_eq!((output.code, output.stderr.as_str(), output.stdout.as_str()), (0, "", expected), "{arguments:?}");
    }
    for arguments in [["-h"], ["help"]] {
        let output = on("", &arguments);
        assert!(output.code == 0 && output.stdout.contains("check") && output.stdout.contains("run"), "{arguments:?}");
    }
    for arguments in [["--version"], ["-V"]] {
        let output = on("", &arguments);
        assert_eq!((output.code, output.stdout.trim_end()), (0, concat!("evergate ", env!("CARGO_PKG_VERSION"))));
    }
}

#[test]
fn an_address_in_use_is_trouble_at_run_time() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    for (listen, admin) in [(address.as_str(), "127.0.0.1:0"), ("127.0.0.1:0", address.as_str())] {
        let text = format!(
            "listen: [{{ address: \"{listen}\" }}]\nadmin: {{ address: \"{admin}\" }}\n\
             upstreams: {{ demo: {{ builtin: demo }} }}\n"
        );
        // Checking opens nothing, so it finds nothing.
        assert_eq!(on(&text, &["check"]).code, 0);
        let output = on(&text, &["run"]);
        let told = complaint(&output, 1);
        assert!(told.contains(&format!("cannot listen on {address}: Address already in use")), "{told}");
    }
}

#[test]
fn variables_of_the_environment_expand_in_values() {
    let text = "listen:\n- address: ${HOST}:${PORT:-0}\n  h2c: ${H2C:-false}\n\
                threads: ${THREADS}\n\
                cache: { capacity: \"${CAPACITY:-64MiB}\", generation: \"$${A}${B:-}\" }\n\
                upstreams: { demo: { builtin: demo } }\n\
                routes:\n- path: /a\n  revalidate: ${WINDOW}\n";
    let directory = directory(&[("config.yaml", text)]);
    let check = |variables: &[(&str, &str)]| with_environment(&["check"], directory.path(), variables);
    let good = [("HOST", "127.0.0.1"), ("THREADS", "2"), ("WINDOW", "1h 30m")];
    assert_eq!(check(&good).code, 0, "{}", check(&good).stderr);
    let also_good = [("HOST", "127.0.0.1"), ("THREADS", "auto"), ("WINDOW", "false"), ("H2C", "true"), ("PORT", "1")];
    assert_eq!(check(&also_good).code, 0, "{}", check(&also_good).stderr);
    let unset = check(&[("HOST", "127.0.0.1"), ("WINDOW", "soon")]);
    let told = complaint(&unset, 78);
    for line in [
        "config.yaml:4: threads: found `${THREADS}`, which is not set, expected ",
        "config.yaml:9: routes[0].revalidate: found `soon`, expected ",
        "2 problems in config.yaml\n",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let expanded = check(&[("HOST", "nowhere"), ("THREADS", "0"), ("WINDOW", "1")]);
    assert!(complaint(&expanded, 78).contains("listen[0].address: found `nowhere:0`"), "{}", expanded.stderr);
    // What a variable holds is a value, never more configuration.
    let injected = check(&[("HOST", "127.0.0.1"), ("THREADS", "2\nunmatched: 404"), ("WINDOW", "1")]);
    assert!(complaint(&injected, 78).contains("threads: found "), "{}", injected.stderr);
}

#[tokio::test]
async fn several_listeners_serve_one_gateway() {
    let origin = Origin::start().await;
    origin.on("/p", |_| Reply::ok("page"));
    let config = Gateway::simple_config(&origin, "- { path: /p, revalidate: false }")
        .replace("[{ address: \"127.0.0.1:0\" }]", "[{ address: \"127.0.0.1:0\" }, { address: \"[::1]:0\" }]");
    let gateway = Gateway::start(&config).await;
    let (v4, v6): (SocketAddr, SocketAddr) = (gateway.address_of(0), gateway.address_of(1));
    assert!(v4.is_ipv4() && v6.is_ipv6() && gateway.admin().port() != 0);
    assert_eq!(get(v4, "/p").await.x_cache(), "MISS");
    assert_eq!(get(v6, "/p").await.x_cache(), "HIT");
    let output = gateway.stop().await;
    assert_eq!(output.code, 0, "{}", output.stderr);
}

/// What is printed is a configuration; what cannot be read is named, and nothing is printed.
#[test]
fn an_application_of_next_is_imported() {
    let directory = directory(&[]);
    let app = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/import/app");
    let output = evergate(&["import", "next", "--scan", app, "--upstream", "next.internal:3000"], directory.path());
    assert_eq!((output.code, output.stdout.as_str()), (0, include_str!("../golden/import/scan.yaml")));
    assert!(
        output.stderr.contains("broken/route.ts: line 2") && output.stderr.lines().count() == 1,
        "{}",
        output.stderr
    );
    let build = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/import/build");
    let output = evergate(&["import", "next", build], directory.path());
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert_eq!(output.stdout, include_str!("../golden/import/build.yaml"));
    for (arguments, says) in [
        (&["import", "next", "."][..], "run `next build` first"),
        (&["import", "next", "--scan", "missing"], "cannot read missing: "),
    ] {
        let output = evergate(arguments, directory.path());
        assert!(complaint(&output, 1).contains(says), "{arguments:?}: {}", output.stderr);
    }
}
