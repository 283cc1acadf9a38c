//! `evergate invalidate`: tells the running gateway to forget.

use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};
use http::Method;
use serde_json::{Map, Value, json};

use super::ask::{AskError, Asking, Errand, Place, ask};
use super::{EXIT_CODES, RUN_TIME, USAGE, chain, complain, plural, say};
use crate::config::read_duration;

const EXAMPLES: &str = "\
Examples:
  evergate invalidate --tag posts --tag item:a
  evergate invalidate --path /items/a --delete
  evergate invalidate --route '/items/[slug]' --param slug=a
  evergate invalidate --layout /api --expire 1m --upstream handlers
  evergate invalidate --all --delete --admin http://127.0.0.1:9900";

/// What `evergate invalidate` is told.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["tags", "paths", "prefixes", "routes", "layouts", "all"])))]
#[command(group(ArgGroup::new("how").args(["delete", "expire"])))]
pub(super) struct Options {
    /// What carries this tag; may be given several times, as the next four.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// The page at this path, with every host, query and variant.
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
    /// Every page whose path begins so.
    #[arg(long = "prefix", value_name = "PATH")]
    prefixes: Vec<String>,
    /// Every page of the route with this pattern (`/items/[slug]`); with `--param` one of them.
    #[arg(long = "route", value_name = "PATTERN")]
    routes: Vec<String>,
    /// A parameter of the route, when there is one `--route`; `a/b` for one that takes several segments.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = read_param, requires = "routes")]
    params: Vec<(String, String)>,
    /// Every page below this folder of the routes; `/` is above all of them.
    #[arg(long = "layout", value_name = "FOLDER")]
    layouts: Vec<String>,
    /// All that is kept.
    #[arg(long)]
    all: bool,
    /// The next request waits for a new answer. Without it the old one is served once more while it is refreshed.
    #[arg(long)]
    delete: bool,
    /// The old one is stale now, and gone after this time (`90`, `5m`).
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    expire: Option<Duration>,
    /// Fetch anew what is forgotten, before anybody asks for it.
    #[arg(long)]
    refresh: bool,
    /// Forget only what this upstream has made.
    #[arg(long, value_name = "NAME")]
    upstream: Option<String>,
    #[command(flatten)]
    asking: Asking,
    /// Print an object for programs.
    #[arg(long)]
    json: bool,
}

fn read_param(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("expected a name and a value (slug=a)")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn read_time(text: &str) -> Result<Duration, String> {
    read_duration(text).map_err(|expected| format!("expected {expected}"))
}

/// Tells the gateway to forget what the options name.
pub(super) fn main(options: &Options) -> ExitCode {
    if !options.params.is_empty() && options.routes.len() > 1 {
        complain("error: `--param` needs a single `--route`, because it is a parameter of that route");
        return ExitCode::from(USAGE);
    }
    let names = options.params.iter().map(|(name, _)| name);
    if let Some(twice) =
        names.clone().enumerate().find(|(place, name)| names.clone().skip(place + 1).any(|n| n == *name))
    {
        complain(&format!("error: `--param {}` is given twice; a route has it once", twice.1));
        return ExitCode::from(USAGE);
    }
    let (place, token) = match options.asking.whom() {
        Ok(whom) => whom,
        Err(code) => return code,
    };
    let body = options.order().to_string().into_bytes();
    let (method, target) = (Method::POST, "/invalidate".to_owned());
    match ask(&place, token.as_deref(), &Errand { method, target, body: Some(body), answers_with: "matched" }) {
        Ok(said) if options.json => {
            say(&format!("{said:#}\n"));
            ExitCode::SUCCESS
        }
        Ok(said) => {
            say(&told(&said, &place));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&chain(&error));
            if let AskError::Refused { problems, .. } = &error {
                problems.iter().for_each(|problem| complain(&format!("  {problem}")));
            }
            ExitCode::from(RUN_TIME)
        }
    }
}

impl Options {
    /// As the admin listener takes it.
    fn order(&self) -> Value {
        let mode = match (self.delete, self.expire) {
            (true, _) => json!("delete"),
            (false, Some(after)) => json!({ "expire": after.as_secs_f64() }),
            (false, None) => json!("stale"),
        };
        let route = |pattern: &String| {
            if self.params.is_empty() {
                json!(pattern)
            } else {
                json!({ "route": pattern, "params": self.params(pattern) })
            }
        };
        json!({
            "tags": self.tags,
            "paths": self.paths,
            "prefixes": self.prefixes,
            "routes": self.routes.iter().map(route).collect::<Vec<_>>(),
            "layouts": self.layouts,
            "all": self.all,
            "mode": mode,
            "refresh": self.refresh,
            "upstream": self.upstream,
        })
    }

    /// The parameters of a route: texts, and lists where the pattern takes several segments.
    fn params(&self, pattern: &str) -> Value {
        let several = |name: &str| pattern.contains(&format!("[...{name}]"));
        let value = |name: &str, value: &str| {
            if several(name) { value.split('/').collect::<Vec<_>>().into() } else { Value::from(value) }
        };
        Value::Object(self.params.iter().map(|(name, text)| (name.clone(), value(name, text))).collect::<Map<_, _>>())
    }
}

/// What the gateway has done, as people read it.
fn told(said: &Value, place: &Place) -> String {
    let count = said["matched"]["count"].as_u64().unwrap_or_default();
    let most = if said["matched"]["exact"] == false { "at most " } else { "" };
    let responses = plural(usize::try_from(count).unwrap_or(usize::MAX), "stored response");
    let becomes = match (said["mode"].as_str(), said["mode"]["expire"].as_f64()) {
        (Some("delete"), _) => "gone: the next request waits for a new answer".to_owned(),
        (_, Some(after)) => {
            let after = Duration::try_from_secs_f64(after).map(crate::config::show_duration).unwrap_or_default();
            format!("stale, and gone in {after}")
        }
        (Some(_) | None, None) => "stale: served once more while it is refreshed".to_owned(),
    };
    let upstream = said["upstream"].as_str().map(|upstream| format!(" of upstream {upstream}")).unwrap_or_default();
    let refreshed = if said["refresh"] == true { "; what was popular is fetched anew" } else { "" };
    let mut text = format!("{most}{count} {responses}{upstream} at {place}, {becomes}{refreshed}\n");
    for (kind, name) in said["selected"].as_array().into_iter().flatten().filter_map(Value::as_object).flatten() {
        text.push_str(format!("  {kind} {}", name.as_str().unwrap_or_default()).trim_end());
        text.push('\n');
    }
    text
}
