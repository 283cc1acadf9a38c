//! `evergate routes`: the table of routes as people and as programs read it, in the order in which requests try them.

use std::path::Path;

use evergate_tests::{Gateway, Origin, Output, Reply, evergate, get};
use serde_json::Value;

const CONFIG: &str = include_str!("../golden/routes/config.yaml");
const TABLE: &str = include_str!("../golden/routes/table.txt");
const OBJECTS: &str = include_str!("../golden/routes/table.json");

/// Runs `evergate routes` on this configuration.
fn routes(text: &str, options: &[&str]) -> Output {
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    std::fs::write(directory.path().join("config.yaml"), text).expect("a file in our own directory");
    evergate(&[&["routes"], options].concat(), directory.path())
}

/// The paths that `evergate routes --json` prints.
fn paths(text: &str) -> Vec<String> {
    let output = routes(text, &["--json"]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let rows: Vec<Value> = serde_json::from_str(&output.stdout).expect("an array");
    rows.iter().map(|row| row["path"].as_str().expect("each has a path").to_owned()).collect()
}

#[test]
fn the_table_is_printed_for_people_and_for_programs() {
    for (options, expected) in [(&[][..], TABLE), (&["--json"], OBJECTS)] {
        let output = routes(CONFIG, options);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""));
        assert_eq!(output.stdout, expected, "{options:?}");
    }
    // Both tell of the same routes in the same order.
    let table: Vec<&str> = TABLE.lines().skip(1).filter_map(|line| line.split("  ").next()).collect();
    assert_eq!(paths(CONFIG), table);
}

#[test]
fn the_repositorys_own_routes_and_none_at_all_are_tables_too() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config.yaml");
    let path = repository.to_str().expect("the path of the repository is UTF-8");
    let output = evergate(&["routes", "--config", path], std::env::temp_dir());
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert!(output.stdout.lines().any(|line| line.starts_with("/posts ")), "{}", output.stdout);
    let none = "upstreams: { demo: { builtin: demo } }\n";
    assert_eq!(routes(none, &[]).stdout.lines().count(), 1);
    assert_eq!(routes(none, &["--json"]).stdout, "[]\n");
}

#[test]
fn a_broken_configuration_is_told_as_by_check() {
    let broken = "upstreams: { a: { builtin: demo } }\nroutes: [{ path: /a, revalidate: 5x }, { path: /b/ }]\n";
    for options in [&[][..], &["--json"]] {
        let output = routes(broken, options);
        assert_eq!((output.code, output.stdout.as_str()), (78, ""), "{options:?}");
        assert!(output.stderr.starts_with("config.yaml:2: routes[0].revalidate: found `5x`"), "{}", output.stderr);
        assert!(output.stderr.ends_with("2 problems in config.yaml\n"), "{}", output.stderr);
    }
    let output = evergate(&["routes", "--config", "missing.yaml"], std::env::temp_dir());
    assert_eq!((output.code, output.stdout.as_str()), (78, ""), "{}", output.stderr);
}

#[test]
fn wrong_usage_is_told_apart() {
    for options in [&["--yaml"][..], &["config.yaml"], &["--config"], &["--json=true"], &["--json", "--json"]] {
        let output = routes(CONFIG, options);
        assert_eq!((output.code, output.stdout.as_str()), (64, ""), "{options:?}");
        assert!(output.stderr.starts_with("error: "), "{options:?}: {}", output.stderr);
    }
}

#[tokio::test]
async fn requests_try_the_routes_in_the_order_that_is_printed() {
    let origin = Origin::start().await;
    origin.on("/*", |seen| Reply::ok(seen.header("x-matched-path").unwrap_or("none")));
    let list = "[{ path: '/[...rest]' }, { path: '/[lang]/[page]' }, { path: '/a/[...rest]' }, { path: '/[lang]/b' }, \
        { path: /a/b }, { path: '/a/[page]' }, { path: '/[lang]' }, { path: /a }]";
    let config = Gateway::simple_config(&origin, &format!(" {list}"));
    let gateway = Gateway::start(&config).await;
    let printed = paths(&config);
    // For each path the routes that match it: the one that answers is the one that is printed first.
    let cases: [(&str, &[&str]); 7] = [
        ("/a", &["/a", "/[lang]", "/[...rest]"]),
        ("/x", &["/[lang]", "/[...rest]"]),
        ("/a/b", &["/a/b", "/a/[page]", "/a/[...rest]", "/[lang]/b", "/[lang]/[page]", "/[...rest]"]),
        ("/a/x", &["/a/[page]", "/a/[...rest]", "/[lang]/[page]", "/[...rest]"]),
        ("/x/b", &["/[lang]/b", "/[lang]/[page]", "/[...rest]"]),
        ("/x/x", &["/[lang]/[page]", "/[...rest]"]),
        ("/a/x/x", &["/a/[...rest]", "/[...rest]"]),
    ];
    for (path, fitting) in cases {
        let first = printed.iter().find(|route| fitting.contains(&route.as_str())).expect("one is printed");
        assert_eq!(get(gateway.address(), path).await.text(), first, "{path}");
    }
}
