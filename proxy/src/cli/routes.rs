//! `evergate routes`: the table of routes in the order in which they are tried, with what was configured for each.
//!
//! A column of the table for people is one line of [`COLUMNS`], a key of the objects for programs one line of [`FIELDS`].

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{complain, load, say};
use crate::config::{Config, KnownParams, PreferredRegion, Query, Revalidate, Route, show_duration};
use crate::snapshot::Selecting;

/// What `evergate routes` is told.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "config.yaml")]
    config: PathBuf,
    /// Print an array of objects for programs.
    #[arg(long)]
    json: bool,
}

/// Prints the routes of a configuration.
pub(super) fn routes(options: &Options) -> ExitCode {
    let config = match load(&options.config) {
        Ok(config) => config,
        Err(code) => return code,
    };
    if !options.json {
        say(&table(&config));
        return ExitCode::SUCCESS;
    }
    match serde_json::to_string_pretty(&objects(&config)) {
        Ok(text) => {
            say(&format!("{text}\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("cannot print the routes as JSON: {error}"));
            ExitCode::from(super::RUN_TIME)
        }
    }
}

/// A column of the table: its heading, and what stands below it.
type Column = (&'static str, fn(&Route, &Config) -> String);

const COLUMNS: [Column; 6] = [
    ("PATH", |route, _| route.pattern.to_string()),
    ("METHODS", |route, _| listed_methods(route).map_or_else(|| String::from("any"), |names| names.join(" "))),
    ("REVALIDATE", |route, _| revalidate(route)),
    ("EXPIRE", |route, _| expire(route)),
    ("KEY", key),
    ("UPSTREAM", |route, config| upstream(route, config).to_owned()),
];

/// A key of an object, named as in the configuration, and its value: what it comes to, with `defaults`, `dynamic` and `kind`;
/// `null` where nothing limits it.
type Field = (&'static str, fn(&Route, &Config) -> Value);

const FIELDS: [Field; 17] = [
    ("path", |route, _| json!(route.pattern.to_string())),
    ("methods", |route, _| json!(listed_methods(route))),
    ("revalidate", |route, _| match route.revalidate {
        Revalidate::Dynamic => json!(0),
        Revalidate::Forever => json!(false),
        Revalidate::Every(window) => seconds(window),
        Revalidate::Origin => json!("origin"),
    }),
    ("expire", |route, _| seconds(route.expire)),
    ("query", |route, _| match &Selecting::of(route).query {
        Query::All => json!("all"),
        Query::Ignore => json!("ignore"),
        Query::Only(names) => json!(names),
    }),
    ("cookies", |route, _| json!(Selecting::of(route).cookies)),
    ("vary", |route, _| json!(varying(route))),
    ("upstream", |route, config| json!(upstream(route, config))),
    ("runtime", |route, _| json!(route.runtime)),
    ("preferred_region", |route, _| match &route.preferred_region {
        PreferredRegion::Any => json!("auto"),
        PreferredRegion::Home => json!("home"),
        PreferredRegion::In(regions) => json!(regions),
    }),
    ("kind", |route, _| json!(route.kind.as_str())),
    ("dynamic", |route, _| json!(route.dynamic.as_str())),
    ("fetch_cache", |route, _| json!(route.fetch_cache.as_str())),
    ("params", |route, _| match &route.params {
        None => Value::Null,
        Some(KnownParams::Listed(paths)) => json!(paths),
        Some(KnownParams::Asked { url, every }) => json!({ "url": url, "every": every.map(seconds) }),
    }),
    ("dynamic_params", |route, _| json!(route.dynamic_params)),
    ("cors", |route, _| match &route.cors {
        None => Value::Null,
        Some(cors) => json!({ "allow_origins": cors.origins.iter().map(ToString::to_string).collect::<Vec<_>>() }),
    }),
    ("tags", |route, _| route.tags.iter().map(ToString::to_string).collect()),
];

/// The routes as they are tried.
fn in_order(config: &Config) -> Vec<&Route> {
    let mut routes: Vec<&Route> = config.routes.iter().collect();
    routes.sort_by(|one, other| one.pattern.cmp(&other.pattern));
    routes
}

/// The table for people.
fn table(config: &Config) -> String {
    let mut rows: Vec<Vec<String>> = vec![COLUMNS.iter().map(|(heading, _)| (*heading).to_owned()).collect()];
    rows.extend(in_order(config).iter().map(|route| COLUMNS.iter().map(|(_, cell)| cell(route, config)).collect()));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The same for programs.
fn objects(config: &Config) -> Vec<Object> {
    let object = |route: &Route| Object(FIELDS.iter().map(|(name, value)| (*name, value(route, config))).collect());
    in_order(config).into_iter().map(object).collect()
}

/// A JSON object whose keys stay in this order.
struct Object(Vec<(&'static str, Value)>);

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The methods that the handler answers; none where nothing limits them.
fn listed_methods(route: &Route) -> Option<Vec<&str>> {
    route.methods.as_ref().map(|methods| methods.iter().map(|method| method.as_str()).collect())
}

/// The window as it would be written in the configuration.
fn revalidate(route: &Route) -> String {
    match route.revalidate {
        Revalidate::Dynamic => String::from("0"),
        Revalidate::Forever => String::from("false"),
        Revalidate::Every(window) => show_duration(window),
        Revalidate::Origin => String::from("origin"),
    }
}

/// What nothing is kept of does not expire.
fn expire(route: &Route) -> String {
    match route.revalidate {
        Revalidate::Dynamic => String::from(NONE),
        Revalidate::Forever | Revalidate::Every(_) | Revalidate::Origin => show_duration(route.expire),
    }
}

/// What tells two stored answers of a route apart, beside the upstream, the scheme and the generation.
fn key(route: &Route, config: &Config) -> String {
    let mut parts = Vec::new();
    if !config.hosts.is_empty() {
        parts.push(String::from("host"));
    }
    parts.push(String::from("path"));
    let mut listed = |what: &str, names: &[String]| {
        if !names.is_empty() {
            parts.push(format!("{what} {}", names.join(" ")));
        }
    };
    match route.revalidate {
        Revalidate::Dynamic => return String::from(NONE),
        Revalidate::Forever | Revalidate::Every(_) => {
            let selecting = Selecting::of(route);
            match &selecting.query {
                Query::All => listed("query", &[String::from("all")]),
                Query::Ignore => {}
                Query::Only(names) => listed("query", names),
            }
            listed("cookies", &selecting.cookies);
            listed("vary", &varying(route));
        }
        Revalidate::Origin => {
            listed("query", &[String::from("all")]);
            listed("vary", &[String::from("as the handler says")]);
        }
    }
    parts.join(", ")
}

/// The request fields that tell two answers apart, those that say which form of a page is wanted included.
fn varying(route: &Route) -> Vec<String> {
    let Selecting { vary, form, .. } = Selecting::of(route);
    vary.iter().chain(form).map(ToString::to_string).collect()
}

fn upstream<'a>(route: &Route, config: &'a Config) -> &'a str {
    // The configuration has checked that it is there.
    config.upstreams.get(route.upstream.0).map_or("", |upstream| upstream.name.as_str())
}

/// A duration as a number of seconds, whole where it is.
fn seconds(duration: Duration) -> Value {
    if duration.subsec_nanos() == 0 { json!(duration.as_secs()) } else { json!(duration.as_secs_f64()) }
}

/// What stands where there is nothing to say.
const NONE: &str = "-";
