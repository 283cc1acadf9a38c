//! An explanation as people read it: what happens to the request, in the order in which it happens.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value};

use super::{Source, Told};
use crate::config::show_duration;
use crate::explain::explanation::{
    CorsTold, FieldsTold, KeyTold, OriginTold, RequestFieldsTold, ResponseFieldsTold, RewriteTold, RuleTold,
    ServerTold, StoredTold, UpstreamTold,
};
use crate::explain::{Decision, Explanation};

/// How far the text behind a heading is indented.
const INDENT: usize = 10;

/// Tells it.
pub(super) fn tell(told: &Told) -> String {
    let explanation = &told.explanation;
    let mut text = source(&told.source);
    section("request", &[request(explanation)], &mut text);
    section("rules", &rules(explanation), &mut text);
    section("route", &route(explanation), &mut text);
    section("upstream", &explanation.upstream.iter().map(upstream).collect::<Vec<_>>(), &mut text);
    section("key", &explanation.key.iter().map(key).collect::<Vec<_>>(), &mut text);
    section("cache", &cache(explanation), &mut text);
    section("cors", &explanation.cors.iter().flat_map(cors).collect::<Vec<_>>(), &mut text);
    section("handler", &handler(explanation), &mut text);
    section("visitor", &visitor(explanation), &mut text);
    section("decision", &decision(explanation), &mut text);
    text
}

/// A heading, and lines behind it; nothing where there are none.
fn section(heading: &str, lines: &[String], text: &mut String) {
    for (index, line) in lines.iter().enumerate() {
        let heading = if index == 0 { heading } else { "" };
        text.push_str(format!("{heading:<INDENT$}{line}").trim_end());
        text.push('\n');
    }
}

fn source(source: &Source) -> String {
    match source {
        Source::Gateway { at } => format!("As the gateway at {at} would answer now.\n\n"),
        Source::Configuration { at, because } => {
            let because = because.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            format!("From {} with an empty cache{because}.\n\n", at.display())
        }
    }
}

fn request(Explanation { method, sent, asked, host, .. }: &Explanation) -> String {
    let host = host.as_ref().map(|host| format!(" for {host}")).unwrap_or_default();
    let sent = Some(sent).filter(|sent| *sent != asked).map(|sent| format!(", sent as {sent}")).unwrap_or_default();
    format!("{method} {asked}{host}{sent}")
}

fn rules(explanation: &Explanation) -> Vec<String> {
    if explanation.rules.is_empty() {
        return vec!["none is about this request".to_owned()];
    }
    let cors = explanation.cors.as_ref().map(|cors| cors.from.as_str());
    explanation.rules.iter().flat_map(|told| rule(told, cors.unwrap_or_default())).collect()
}

/// What a rule did; `cors` is whose word on pages of other origins counts.
fn rule(rule: &RuleTold, cors: &str) -> Vec<String> {
    let matcher = rule.matcher.as_deref().unwrap_or("every path");
    let mut lines = vec![format!("{} {matcher}{}", rule.rule, in_brackets(&rule.captured))];
    let mut does = |what: String| lines.push(format!("  {what}"));
    if let Some(redirect) = &rule.redirect {
        does(format!("redirects to {} ({})", redirect.to, redirect.status));
    }
    if let Some(rewrite) = &rule.rewrite {
        let RewriteTold { from, to, upstream } = rewrite;
        does(match upstream {
            None => format!("rewrites {from} to {to}"),
            Some(upstream) if from == to => format!("sends {from} to the upstream {upstream}"),
            Some(upstream) => format!("rewrites {from} to {to}, at the upstream {upstream}"),
        });
    }
    if let Some(respond) = &rule.respond {
        does(format!("answers with {}", status(respond.status)));
    }
    for line in fields(&rule.request_headers) {
        does(format!("request: {line}"));
    }
    for line in fields(&rule.response_headers) {
        does(format!("answer: {line}"));
    }
    if rule.cors && rule.rule == cors {
        does("cors".to_owned());
    } else if rule.cors {
        does(format!("cors not counted: {cors} has the last word"));
    }
    if let Some(idle) = &rule.idle {
        does(format!("{} not counted: {}", idle.keys.join(", "), idle.because));
    }
    if let Some(failed) = &rule.failed {
        does(format!("fails: {failed}"));
    }
    lines
}

fn fields(fields: &FieldsTold) -> Vec<String> {
    let each = |verb: &'static str, lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| format!("{verb} {line}")).collect()
    };
    let mut all = each("set", &fields.set);
    all.extend(each("append", &fields.append));
    all.extend(each("remove", &fields.remove));
    all
}

/// What the rules change, all in all, of what the handler gets.
fn handler(explanation: &Explanation) -> Vec<String> {
    let RequestFieldsTold { fields: told, withheld } = &explanation.request_headers;
    let seen = |line: &String| line.split_once(':').is_none_or(|(name, _)| withheld.iter().all(|other| other != name));
    let mut told = told.clone();
    told.set.retain(seen);
    told.append.retain(seen);
    let mut lines = match explanation.decision {
        Decision::Answer => return Vec::new(),
        Decision::Pass | Decision::Cached => fields(&told),
    };
    if !withheld.is_empty() {
        let names = withheld.join(", ");
        lines.push(format!("leave out {names}: what is kept for all may not depend on what `vary` does not name"));
    }
    lines
}

/// What the rules change, all in all, of what the visitor gets; nothing where that is what a single rule does.
fn visitor(explanation: &Explanation) -> Vec<String> {
    let ResponseFieldsTold { fields: told, vary } = &explanation.response_headers;
    let mut lines = fields(told);
    if !vary.is_empty() {
        lines.push(format!("tell vary: {}", vary.join(", ")));
    }
    let of_rules: Vec<Vec<String>> = explanation.rules.iter().map(|rule| fields(&rule.response_headers)).collect();
    let mut said = of_rules.iter().filter(|of_rule| !of_rule.is_empty());
    match (said.next(), said.next()) {
        (Some(only), None) if *only == lines => Vec::new(),
        (Some(_) | None, _) => lines,
    }
}

fn cors(cors: &CorsTold) -> Vec<String> {
    let origin = match cors.origin {
        OriginTold::None => "no Origin",
        OriginTold::Own => "a page of this host",
        OriginTold::Allowed => "a page of another origin, which is allowed",
        OriginTold::Foreign => "a page of another origin, which is not allowed",
    };
    let preflight = if cors.preflight { "a preflight by " } else { "" };
    let mut lines = vec![format!("by {} ({}): {preflight}{origin}", cors.from, cors.mode)];
    lines.extend(cors.says.iter().cloned());
    if cors.says.is_empty() && cors.origin == OriginTold::Foreign {
        lines.push("nothing is said, so that its scripts may not read the answer".to_owned());
    }
    lines
}

fn route(explanation: &Explanation) -> Vec<String> {
    let Some(pattern) = &explanation.route else {
        return match explanation.decision {
            Decision::Pass => vec!["none matches".to_owned()],
            Decision::Answer | Decision::Cached => Vec::new(),
        };
    };
    let target = explanation.target.as_ref().filter(|target| **target != explanation.asked);
    let target = target.map(|target| format!("{target} is ")).unwrap_or_default();
    let params = explanation.params.as_ref().map(in_brackets).unwrap_or_default();
    let kept = match &explanation.revalidate {
        Value::Bool(_) => "kept until it is invalidated".to_owned(),
        Value::Number(number) if number.as_f64() == Some(0.0) => "dynamic".to_owned(),
        Value::Number(number) => format!("revalidate {}", duration(number.as_f64().unwrap_or_default())),
        Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => "kept as the handler says".to_owned(),
    };
    vec![format!("{target}{pattern}{params}, {kept}")]
}

fn duration(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| format!("{seconds}s"), show_duration)
}

/// ` (slug = a, rest = b/c)`
fn in_brackets(names: &Map<String, Value>) -> String {
    let one = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let value = |value: &Value| match value {
        Value::Array(parts) => parts.iter().map(one).collect::<Vec<_>>().join("/"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => one(value),
    };
    let pairs: Vec<String> = names.iter().map(|(name, found)| format!("{name} = {}", value(found))).collect();
    if pairs.is_empty() { String::new() } else { format!(" ({})", pairs.join(", ")) }
}

fn upstream(upstream: &UpstreamTold) -> String {
    let list = |servers: &[ServerTold]| {
        let server = |server: &ServerTold| match &server.region {
            Some(region) => format!("{} ({region})", server.address),
            None => server.address.clone(),
        };
        servers.iter().map(server).collect::<Vec<_>>().join(", ")
    };
    let mut text = upstream.name.clone();
    if !upstream.servers.is_empty() {
        text.push_str(&format!(": {}", list(&upstream.servers)));
    }
    if !upstream.then.is_empty() {
        text.push_str(&format!("; when they fail {}", list(&upstream.then)));
    }
    text
}

fn key(key: &KeyTold) -> String {
    let mut parts = vec![format!("upstream {}", key.upstream), format!("scheme {}", key.scheme)];
    let mut part = |name: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            parts.push(format!("{name} {value}"));
        }
    };
    part("generation", Some(&key.generation));
    part("host", key.host.as_deref());
    part("path", Some(&key.path));
    part("query", key.query.as_deref());
    part("cookies", key.cookies.as_deref());
    for fields in key.form.iter().chain([&key.vary]) {
        for (name, value) in fields {
            part(name, value.as_str().or(Some("(none)")));
        }
    }
    parts.join(", ")
}

fn cache(explanation: &Explanation) -> Vec<String> {
    match (&explanation.stored, &explanation.key) {
        (Some(response), _) => {
            let variants = explanation.entry.as_ref().map_or(0, |entry| entry.variants.len());
            let others = (variants > 1).then(|| format!("one of {variants} variants"));
            stored(response).into_iter().chain(others).collect()
        }
        (None, None) => Vec::new(),
        (None, Some(_)) => {
            let status = &explanation.cache_status;
            let forwarded = |reason: &str| status.split("; ").any(|part| part == format!("fwd={reason}"));
            let nothing = if status.ends_with("detail=invalidated") {
                "what is stored was invalidated"
            } else if forwarded("stale") {
                "what is stored is too old, or waits to be confirmed by the handler"
            } else if forwarded("vary-miss") {
                "nothing stored for a request with these fields"
            } else {
                "nothing stored"
            };
            vec![nothing.to_owned()]
        }
    }
}

fn stored(response: &StoredTold) -> Vec<String> {
    let seconds = |seconds: u64| show_duration(Duration::from_secs(seconds));
    let state = match (response.staleness, response.ttl) {
        (Some(staleness), _) if response.invalidated => format!("invalidated {} ago", seconds(staleness)),
        (Some(staleness), _) => format!("stale for {}", seconds(staleness)),
        (None, Some(ttl)) => format!("fresh for another {}", seconds(ttl)),
        (None, None) => "fresh until it is invalidated".to_owned(),
    };
    let mut lines =
        vec![format!("{state}: {}, {} old, {} bytes", status(response.status), seconds(response.age), response.bytes)];
    lines.push(format!("served {} times from memory", response.hits));
    if !response.tags.is_empty() {
        lines.push(format!("tags {}", response.tags.join(", ")));
    }
    lines
}

fn status(code: u16) -> String {
    StatusCode::from_u16(code).map_or_else(|_| code.to_string(), |status| status.to_string())
}

fn decision(explanation: &Explanation) -> Vec<String> {
    let said = match explanation.decision {
        Decision::Answer => {
            let location = explanation.location.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
            let detail = explanation.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            format!("the gateway answers {}{location}{detail}", status(explanation.status.unwrap_or_default()))
        }
        Decision::Pass => format!("PASS: {}", passing(explanation.reason.as_deref().unwrap_or_default())),
        Decision::Cached => match explanation.x_cache.as_deref().unwrap_or_default() {
            "HIT" => "HIT: answered from memory".to_owned(),
            "PRERENDER" => "PRERENDER: answered from memory, by what was rendered ahead".to_owned(),
            "STALE" if explanation.cache_status.ends_with("detail=revalidating") => {
                "STALE: answered from memory while it is refreshed".to_owned()
            }
            "STALE" if explanation.cache_status.ends_with("detail=invalidated") => {
                "STALE: answered from memory once more, because it was invalidated, while it is refreshed".to_owned()
            }
            "STALE" => "STALE: answered from memory".to_owned(),
            "MISS" => "MISS: the handler is asked, once for all who wait".to_owned(),
            other => other.to_owned(),
        },
    };
    vec![said, format!("Cache-Status: {}", explanation.cache_status)]
}

/// Why a request passes.
fn passing(reason: &str) -> String {
    match reason {
        "dynamic" => "the route sets no `revalidate`".to_owned(),
        "unmatched" => "no route matches".to_owned(),
        "method" => "its method is neither GET nor HEAD".to_owned(),
        "head" => "a HEAD that nothing stored answers".to_owned(),
        "range" => "it asks for a part that is not stored".to_owned(),
        "request-no-store" => "it says `no-store`".to_owned(),
        "precondition" => "its condition is for the handler".to_owned(),
        "body" => "a GET with a body".to_owned(),
        "invalidated" => "what is fetched for it is invalidated each time before it comes".to_owned(),
        "upgrade" => "it asks to leave HTTP".to_owned(),
        "authorization" => "it carries `Authorization`".to_owned(),
        "bypass" => "it carries what the route's `bypass` names".to_owned(),
        declined => format!("the last answer under this key was not kept ({declined})"),
    }
}
