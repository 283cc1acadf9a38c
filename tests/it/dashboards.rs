//! The dashboard and the rules: promtool finds nothing wrong with them, and every metric and label that they name is one
//! that a running gateway tells.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use evergate_tests::metrics::samples;
use evergate_tests::{Gateway, Origin, Reply, get, tools::promtool, until};

const ALERTS: &str = include_str!("../../dashboards/alerts.yml");
const GRAFANA: &str = include_str!("../../dashboards/grafana.json");

/// Labels that Prometheus adds to what it scrapes.
const BY_PROMETHEUS: [&str; 2] = ["job", "instance"];

fn dashboards() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dashboards")
}

/// Runs promtool and asserts that it is content.
fn content(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// Runs promtool in the directory of the dashboards.
fn run(arguments: &[&str]) {
    content(&Command::new(promtool()).args(arguments).current_dir(dashboards()).output().expect("promtool runs"));
}

#[test]
fn promtool_accepts_the_rules() {
    run(&["check", "rules", "--lint-fatal", "alerts.yml"]);
}

#[test]
fn promtool_accepts_the_scrape_configuration() {
    run(&["check", "config", "prometheus.yml"]);
}

#[test]
fn the_alerts_ring_when_they_should() {
    run(&["test", "rules", "alerts.test.yml"]);
}

#[test]
fn every_alert_is_tested() {
    let tests = std::fs::read_to_string(dashboards().join("alerts.test.yml")).expect("the unit tests of the rules");
    for line in ALERTS.lines() {
        if let Some(alert) = line.trim().strip_prefix("- alert: ") {
            assert!(tests.contains(&format!("alertname: {alert}")), "no test for {alert}");
        }
    }
}

/// A gateway that has served a visitor in every way that the rules ask about, and its scrape.
async fn scrape() -> String {
    let origin = Origin::start().await;
    origin.on("/p", |_| Reply::ok("page"));
    origin.on("/fails", |_| Reply::ok("no").status(500));
    let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: 5 }").await;
    for path in ["/p", "/fails"] {
        get(gateway.address(), path).await;
    }
    until("both are counted", async || gateway.metric("evergate_requests_total", &[]).await >= 2.0).await;
    gateway.metrics_text().await
}

#[tokio::test]
async fn promtool_finds_the_scrape_well_made() {
    let text = scrape().await;
    let mut child = Command::new(promtool())
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    let mut input = child.stdin.take().expect("its input is piped");
    input.write_all(text.as_bytes()).expect("promtool reads");
    drop(input);
    content(&child.wait_with_output().expect("promtool ends"));
}

/// The expressions of the dashboard, in panels and variables, at whatever depth.
fn expressions(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                match value.as_str() {
                    Some(text) if ["expr", "query", "definition"].contains(&key.as_str()) => {
                        found.push(text.to_owned())
                    }
                    Some(_) | None => expressions(value, found),
                }
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| expressions(value, found)),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

/// A matcher of PromQL: label and value; the value of a pattern begins with `~`.
type Matcher = (String, String);

/// The metrics that a text of PromQL names, each with the matchers that stand behind it.
fn named(text: &str) -> Vec<(String, Vec<Matcher>)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("evergate") {
        let within = rest[..at].ends_with(|before: char| before.is_alphanumeric() || "_:-/".contains(before));
        rest = &rest[at..];
        let end = rest.find(|letter: char| !(letter.is_alphanumeric() || "_:".contains(letter))).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        rest = after;
        // The job is called `evergate`, and so are its groups of rules.
        if within || name == "evergate" {
            continue;
        }
        let matchers = after.strip_prefix('{').and_then(|inside| inside.split_once('}')).map_or("", |(list, _)| list);
        let matcher = |text: &str| {
            let (label, value) = text.split_once('=')?;
            Some((label.trim_end_matches('!').trim().to_owned(), value.trim_matches('"').to_owned()))
        };
        found.push((name.to_owned(), matchers.split(',').filter_map(matcher).collect()));
    }
    found
}

/// Lines of the rules without their comments, and the names that they record.
fn rules() -> (String, BTreeSet<String>) {
    let code: Vec<&str> = ALERTS.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let records = code.iter().filter_map(|line| line.trim().strip_prefix("- record: ")).map(str::to_owned).collect();
    (code.join("\n"), records)
}

/// Label values by metric and label, as the gateway tells them.
type Known = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn known(scrape: &str) -> Known {
    let mut known = Known::new();
    for sample in samples(scrape) {
        let labels = known.entry(sample.name).or_default();
        for (label, value) in sample.labels {
            labels.entry(label).or_default().insert(value);
        }
    }
    known
}

#[tokio::test]
async fn every_metric_and_label_that_is_used_exists() {
    let known = known(&scrape().await);
    let (code, records) = rules();
    let dashboard: serde_json::Value = serde_json::from_str(GRAFANA).expect("the dashboard is JSON");
    let mut texts = vec![code];
    expressions(&dashboard, &mut texts);
    assert!(texts.len() > 15, "the dashboard has panels");
    let mut used = BTreeSet::new();
    for text in &texts {
        for (name, matchers) in named(text) {
            if name.contains(':') {
                assert!(records.contains(&name), "{name} is recorded nowhere; in {text}");
                continue;
            }
            let labels = known.get(&name).unwrap_or_else(|| panic!("no gateway tells {name}; in {text}"));
            for (label, value) in matchers {
                if BY_PROMETHEUS.contains(&label.as_str()) {
                    continue;
                }
                let values = labels.get(&label).unwrap_or_else(|| panic!("{name} has no label {label}; in {text}"));
                let pattern = value.starts_with('~');
                assert!(pattern || values.contains(&value), "{name} has no {label} {value}; in {text}");
            }
            used.insert(name.trim_end_matches("_bucket").to_owned());
        }
    }
    // And the other way round: what is told is shown.
    let families: BTreeSet<&str> = known.keys().map(|name| name.trim_end_matches("_bucket")).collect();
    for family in families.iter().filter(|name| !name.ends_with("_sum") && !name.ends_with("_count")) {
        assert!(used.contains(*family), "neither dashboard nor rules use {family}");
    }
}
