use std::path::Path;

use crate::config;
use crate::import::build::Build;
use crate::import::{from_build, from_sources};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/import");

/// Compares with a golden file; `EVERGATE_WRITE_GOLDEN` writes it instead.
fn compare(text: &str, golden: &str) {
    let file = Path::new(GOLDEN).join(golden);
    if std::env::var_os("EVERGATE_WRITE_GOLDEN").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, expected, "\n{text}");
}

/// The problems that the configuration has with a text.
fn problems(text: &str) -> Vec<String> {
    match config::parse(text, "config.yaml", &|_: &str| None) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.list().iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_real_build_becomes_this_configuration() {
    let text = from_build(&Path::new(GOLDEN).join("build"), "127.0.0.1:3000").unwrap().text;
    compare(&text, "build.yaml");
    assert_eq!(problems(&text), Vec::<String>::new(), "{text}");
    // Keys of the preview mode and variables of the environment are in the manifests.
    assert!(!text.contains("never-to-be-copied"), "{text}");
}

#[test]
fn sources_become_this_configuration() {
    let imported = from_sources(&Path::new(GOLDEN).join("app"), "next.internal:3000").unwrap();
    compare(&imported.text, "scan.yaml");
    assert_eq!(problems(&imported.text), Vec::<String>::new(), "{}", imported.text);
    let warnings: Vec<String> = imported.warnings.iter().map(|warning| warning.replace(GOLDEN, "")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("/app/broken/route.ts: line 2, column "), "{warnings:?}");
}

#[test]
fn an_empty_build_is_a_configuration_too() {
    let text = super::of_build(&Build::default(), "127.0.0.1:3000");
    assert_eq!(problems(&text), Vec::<String>::new(), "{text}");
    for says in ["routes-manifest.json has version 0, and 3 is", "routes: []", "trailing_slash: ignore"] {
        assert!(text.contains(says), "{says}: {text}");
    }
}

/// Every name and value of a manifest may be hostile, and none may become a line of its own.
#[test]
fn hostile_names_stay_values_and_comments() {
    let evil = "x\nadmin: { address: 0.0.0.0:1 }\r# ${HOME} \u{2028}' \" : [";
    let json = serde_json::json!({
        "app": { format!("/{evil}/route"): format!("/{evil}"), "/(.)a/page": format!("/{evil}"), "/[id]/route": "/[id]" },
        "routes": {
            "version": 3,
            "redirects": [
                { "source": format!("/a{evil}"), "destination": format!("/{evil}"), "statusCode": 308,
                  "has": [{ "type": "header", "key": evil, "value": evil }] },
                { "source": "/b", "destination": evil, "has": [{ "type": evil }] },
            ],
            "headers": [{ "source": "/c", "headers": [{ "key": evil, "value": evil }, { "key": "x-a", "value": "${HOME}" }] }],
            "rewrites": [{ "source": format!("/{evil}"), "destination": evil }],
        },
        "prerender": {
            "version": 4,
            "routes": { format!("/{evil}"): {
                "initialRevalidateSeconds": 1e300, "initialExpireSeconds": -1, "srcRoute": "/[id]",
                "initialHeaders": { "x-next-cache-tags": evil, "cache-control": evil },
            } },
            "dynamicRoutes": { "/[id]": { "fallback": false } },
        },
        "functions": {
            "version": 1,
            "functions": {
                "/[id]": { "maxDuration": -1e9, "regions": [evil], "runtime": evil },
                "/_middleware": { "matchers": [{ "regexp": evil, "has": [{ "type": evil, "key": evil }] }] },
            },
        },
    });
    let read = |key: &str| json[key].clone();
    let build = Build {
        id: Some(evil.to_owned()),
        app_paths: serde_json::from_value(read("app")).unwrap(),
        routes: serde_json::from_value(read("routes")).unwrap(),
        prerender: serde_json::from_value(read("prerender")).unwrap(),
        functions: serde_json::from_value(read("functions")).unwrap(),
        ..Build::default()
    };
    let text = super::of_build(&build, "127.0.0.1:3000");
    let value: serde_yaml::Value = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let keys: Vec<&str> = value.as_mapping().unwrap().keys().map(|key| key.as_str().unwrap()).collect();
    assert_eq!(keys, ["trailing_slash", "upstreams", "routes", "proxy"], "{text}");
    assert_eq!(value["proxy"][0]["response_headers"]["set"]["x-a"].as_str(), Some("$${HOME}"), "{text}");
    assert!(!text.contains("- \"x\nadmin"), "{text}");
    assert_eq!(problems(&text), Vec::<String>::new(), "{text}");
}
