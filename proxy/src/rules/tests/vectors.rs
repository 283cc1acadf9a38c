//! What Next.js does, row by row: its published tests, and what was seen of `next start`. The rules are in its own form, which
//! is mapped onto ours here.

use evergate_cache::Fields;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value as Json;

use super::super::captured::{Captured, Value};
use super::super::effort::Effort;
use super::super::path_form::decoded;
use super::super::{
    Action, Alternative, Case, Condition, Destination, End, FieldRules, Matcher, PathPattern, Power, Reach, Rule,
    Rules, Subject, Template, What,
};
use crate::request::host_of;
use crate::target::decode;

fn rows(text: &str) -> Vec<Json> {
    let rows: Vec<Json> = serde_json::from_str(text).unwrap();
    assert!(!rows.is_empty());
    rows
}

fn text<'j>(json: &'j Json, key: &str) -> &'j str {
    json[key].as_str().unwrap_or_default()
}

fn list<'j>(json: &'j Json, key: &str) -> &'j [Json] {
    json[key].as_array().map_or(&[], Vec::as_slice)
}

fn condition(json: &Json) -> Condition {
    let key = text(json, "key").to_owned();
    let what = match text(json, "type") {
        "header" => What::Header(HeaderName::from_bytes(key.as_bytes()).unwrap()),
        "cookie" => What::Cookie(key),
        "query" => What::Query(key),
        "host" => What::Host,
        other => panic!("{other}"),
    };
    json["value"]
        .as_str()
        .map_or_else(|| Condition::there(what.clone()), |value| Condition::matches(what.clone(), value).unwrap())
}

/// An alternative of a rule in the form of Next.js. A base path stands before every source there.
fn alternative(json: &Json, base: &str, case: Case) -> Alternative {
    let source = json.as_str().unwrap_or_else(|| text(json, "source"));
    Alternative {
        source: Some(PathPattern::compile(&format!("{base}{source}"), case).unwrap()),
        has: list(json, "has").iter().map(condition).collect(),
        missing: list(json, "missing").iter().map(condition).collect(),
    }
}

fn matcher(json: &Json, base: &str, case: Case) -> Matcher {
    Matcher::new(match json {
        Json::Null => Vec::new(),
        Json::Array(items) => items.iter().map(|item| alternative(item, base, case)).collect(),
        Json::String(_) | Json::Object(_) | Json::Bool(_) | Json::Number(_) => vec![alternative(json, base, case)],
    })
}

/// A request of a row.
struct Asked {
    path: String,
    query: Option<String>,
    host: Option<String>,
    headers: HeaderMap,
}

impl Asked {
    fn new(url: &str, input: &Json) -> Asked {
        let url = url.split('#').next().unwrap();
        let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query.to_owned())));
        let mut headers = HeaderMap::new();
        for (name, value) in input["headers"].as_object().into_iter().flatten() {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
        }
        for (name, value) in input["cookies"].as_object().into_iter().flatten() {
            let pair = format!("{name}={}", value.as_str().unwrap());
            headers.append("cookie", HeaderValue::from_str(&pair).unwrap());
        }
        let host =
            headers.get("host").and_then(|host| host.to_str().ok()).map(|host| host_of(host).to_ascii_lowercase());
        Asked { path: path.to_owned(), query, host, headers }
    }

    fn subject(&self) -> Subject<'_> {
        Subject { path: &self.path, query: self.query.as_deref(), host: self.host.as_deref(), headers: &self.headers }
    }
}

/// Whether a rule with this matcher applies.
fn applies(matcher: Matcher, asked: &Asked) -> bool {
    let response = FieldRules {
        set: vec![(Template::new("x-hit", &matcher.names()), Template::new("1", &matcher.names()))],
        ..FieldRules::default()
    };
    let rules = Rules::new(vec![Rule { matcher, response, ..Rule::default() }]);
    let judgement = rules.judge(&asked.subject(), Power::Full);
    judgement.response.concern(&HeaderName::from_static("x-hit"))
}

/// A captured value as Next.js tells it: decoded.
fn said(value: &Value) -> String {
    match value {
        Value::Path { text, .. } => decoded(text).into_owned(),
        Value::Field(text) => text.clone(),
    }
}

#[test]
fn matchers_of_the_proxy_file() {
    for (rows_of, key) in [
        (include_str!("../../../../tests/vectors/proxy_matcher.json"), "url"),
        (include_str!("../../../../tests/vectors/proxy_matcher_live.json"), "path"),
    ] {
        for row in rows(rows_of) {
            let input = &row["input"];
            let matcher = matcher(&input["matcher"], text(input, "basePath"), Case::Sensitive);
            let found = applies(matcher, &Asked::new(text(input, key), input));
            assert_eq!(Json::from(found), row["expect"], "{row}");
        }
    }
}

#[test]
fn conditions() {
    for row in rows(include_str!("../../../../tests/vectors/has_item.json")) {
        let input = &row["input"];
        let mut query = Vec::new();
        for (name, values) in input["query"].as_object().into_iter().flatten() {
            match values.as_array() {
                Some(values) => query.extend(values.iter().map(|value| format!("{name}={}", value.as_str().unwrap()))),
                None => query.push(format!("{name}={}", values.as_str().unwrap())),
            }
        }
        let asked = Asked::new(&format!("/?{}", query.join("&")), input);
        let mut captured = Captured::default();
        let holds = |one: &Json| condition(one).holds(&asked.subject(), &Effort::new(), &mut captured).unwrap();
        let all = list(input, "has").iter().all(holds);
        let found = if all {
            Json::Object(captured.iter().map(|(name, value)| (name.to_owned(), said(value).into())).collect())
        } else {
            Json::Null
        };
        assert_eq!(found, row["expect"], "{row}");
    }
}

#[test]
fn redirects() {
    for row in rows(include_str!("../../../../tests/vectors/redirect_rule.json")) {
        let (input, rule) = (&row["input"], &row["input"]["rule"]);
        let matcher = matcher(rule, text(rule, "basePath"), Case::Insensitive);
        let permanent = if rule["permanent"] == true { 308 } else { 307 };
        let status = u16::try_from(rule["statusCode"].as_u64().unwrap_or(permanent)).unwrap();
        let destination = Destination::compile(text(rule, "destination"), &matcher.names(), Reach::Anywhere).unwrap();
        let action = Action::Redirect(destination, StatusCode::from_u16(status).unwrap());
        let rules = Rules::new(vec![Rule { matcher, action, ..Rule::default() }]);
        let end = rules.judge(&Asked::new(text(input, "path"), input).subject(), Power::Full).end;
        let expected = &row["expect"];
        match end {
            None => assert_eq!(text(expected, "status"), "no-redirect", "{row}"),
            Some(End::Redirect(status, location)) => {
                assert_eq!(Some(u64::from(status.as_u16())), expected["status"].as_u64(), "{row}");
                // Next.js encodes some parameters and leaves others as they are.
                assert_eq!(decode(location.to_str().unwrap()), decode(text(expected, "location")), "{row}");
            }
            Some(other) => panic!("{row}: {other:?}"),
        }
    }
}

#[test]
fn header_rules() {
    for row in rows(include_str!("../../../../tests/vectors/header_rule.json")) {
        let input = &row["input"];
        let several = input["rule"].as_array().cloned().unwrap_or_else(|| vec![input["rule"].clone()]);
        let rules = Rules::new(several.iter().map(header_rule).collect());
        let judgement = rules.judge(&Asked::new(text(input, "path"), input).subject(), Power::Full);
        let mut fields = Fields::default();
        for (name, value) in several[0]["handler_sets"].as_object().into_iter().flatten() {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            fields.append(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
        }
        judgement.response.apply_to_answer(&mut fields, StatusCode::OK);
        let observed = HeaderName::from_bytes(text(input, "observe_header").as_bytes()).unwrap();
        let found: Vec<&str> = fields.get_all(&observed).map(|value| value.to_str().unwrap()).collect();
        let expected = row["expect"].as_str().filter(|expected| *expected != "ABSENT");
        assert_eq!(found, Vec::from_iter(expected), "{row}");
    }
}

fn header_rule(json: &Json) -> Rule {
    let matcher = matcher(json, text(json, "basePath"), Case::Insensitive);
    let names = matcher.names();
    let template = |line: &Json, key| Template::new(text(line, key), &names);
    let set = list(json, "headers").iter().map(|line| (template(line, "key"), template(line, "value"))).collect();
    Rule { matcher, response: FieldRules { set, ..FieldRules::default() }, ..Rule::default() }
}
