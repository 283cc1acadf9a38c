//! The section `downstream_purge`: what is accepted, what it comes to, and what is said of the rest.

use std::time::Duration;

use super::{problems, secs, with};
use crate::config::{Config, Problems};
use crate::downstream::{DownstreamPurge, Form, Item, Kind, Mode};

/// A configuration with this entry.
fn entry(settings: &str) -> Result<Config, Problems> {
    with(&format!("downstream_purge: {{ {settings} }}"))
}

fn accepted(settings: &str) -> DownstreamPurge {
    let config = entry(settings).unwrap_or_else(|problems| panic!("{settings}: {problems}"));
    config.downstream_purge.into_iter().next().unwrap()
}

/// What is said of an entry, without its place.
fn said(settings: &str) -> String {
    let problems = entry(settings).map_or_else(|problems| problems, |config| panic!("{settings}: {config:?}"));
    let [problem] = problems.list() else { panic!("{settings}: {problems}") };
    problem.to_string()
}

#[test]
fn an_entry_has_defaults() {
    let entry = accepted("url: \"https://api.cdn.example:8443/purge/{tag}\"");
    assert_eq!(
        (entry.name.as_str(), entry.kinds.as_slice(), entry.batch.get()),
        ("api.cdn.example", &[Kind::Tag][..], 1)
    );
    assert_eq!((entry.timeout, entry.retries, entry.backoff), (secs(5), 5, secs(1)));
    assert_eq!((entry.message.method.as_str(), entry.message.headers.len(), entry.message.body), ("POST", 0, None));
    let entry = accepted(
        "url: http://v, name: v, method: PURGE, on: everything, timeout: 1, retries: 0, backoff: 10ms, batch: 9, body: x",
    );
    assert_eq!((entry.name.as_str(), entry.message.method.as_str(), entry.batch.get()), ("v", "PURGE", 9));
    assert_eq!((entry.timeout, entry.retries, entry.backoff), (secs(1), 0, Duration::from_millis(10)));
}

#[test]
fn there_may_be_none_one_or_several() {
    for (settings, count) in [
        ("downstream_purge:", 0),
        ("downstream_purge: []", 0),
        ("downstream_purge: { url: \"http://a\" }", 1),
        ("downstream_purge: [{ url: \"http://a\" }, { url: \"http://a\" }]", 2),
    ] {
        assert_eq!(with(settings).unwrap().downstream_purge.len(), count, "{settings}");
    }
    assert!(problems(with("downstream_purge: http://a")).contains("an entry (`{ url: ... }`), or a list of entries"));
}

#[test]
fn placeholders_say_what_it_is_called_for() {
    let all = &Kind::ALL[..];
    let cases = [
        ("url: \"http://c/{tag}\"", &[Kind::Tag][..]),
        ("url: \"http://c{path}\"", &[Kind::Path]),
        ("url: \"http://c{prefix}\"", &[Kind::Prefix]),
        ("url: \"http://c/?u={url}\", site: \"https://s\"", &[Kind::Path]),
        ("url: \"http://c/\", headers: { surrogate-key: \"{tags}\" }", &[Kind::Tag]),
        ("url: \"http://c/\", body: \"[{tags_json}, {paths_json}]\"", &[Kind::Tag, Kind::Path]),
        ("url: \"http://c/\", body: \"[{tags_json},{paths_json},{prefixes_json},{everything}]\"", all),
        ("url: \"http://c/\", body: \"[{tags_json},{paths_json}]\", on: path", &[Kind::Path]),
        ("url: \"http://c/\"", &[Kind::Everything]),
        ("url: \"http://c/?{mode}\"", &[Kind::Everything]),
        ("url: \"http://c/\", on: [tag, everything]", &[Kind::Tag, Kind::Everything]),
    ];
    for (settings, kinds) in cases {
        assert_eq!(accepted(settings).kinds, kinds, "{settings}");
    }
}

#[test]
fn placeholders_that_do_not_go_together_are_problems() {
    let cases = [
        (
            "url: \"http://c/{tag}{path}\"",
            "found `{tag}` and `{path}`, expected one of them: a call with `{tag}` is about one tag",
        ),
        ("url: \"http://c/{tag}\", headers: { a: \"{tags}\" }", "found `{tag}` and `{tags}`, expected one of them"),
        (
            "url: \"http://c/{tag}\", on: [tag, path]",
            "on: found `path`, expected what the placeholders stand for: `tag`",
        ),
        ("url: \"http://c/\", body: \"{tags_json}\", on: everything", "on: found `everything`, expected what"),
        (
            "url: \"http://c/{path_json}\"",
            "url: found an unknown placeholder `{path_json}`, expected a known one: did you mean `{paths_json}`?",
        ),
        ("url: \"http://c/{zone}\"", "url: found an unknown placeholder `{zone}`, expected one of `{tag}`, `{path}`"),
        ("url: \"http://c/?{url}\"", "site: found nothing, expected the http or https URL"),
        ("url: \"http://{tag}.c\"", "url: found something else, expected an http or https URL"),
        ("url: \"http://c{tag}\"", "url: found something else, expected an http or https URL"),
        ("url: \"http://{tag}@c/\"", "url: found a placeholder in the host, or a `#`, expected"),
        ("url: \"http://c/#{tag}\"", "url: found a placeholder in the host, or a `#`, expected"),
        ("url: \"{url}\", site: \"http://s\"", "url: found something else, expected an http or https URL"),
        ("url: \"ftp://c\"", "url: found something else, expected an http or https URL"),
        ("url: \"http://c\", on: []", "on: found a list, expected a list of one or more of"),
    ];
    for (settings, expected) in cases {
        let said = said(settings);
        let said = said.strip_prefix("downstream_purge").unwrap().trim_start_matches(['.', ':', ' ']);
        assert!(said.starts_with(expected), "{settings}: {said}");
    }
}

#[test]
fn the_type_of_a_body_says_how_values_are_written() {
    let types = |settings: &str| {
        let message = accepted(&format!("url: \"http://c\", {settings}")).message;
        let told = message.write(&[Item::Tag("a\"".into())], Mode::Stale).unwrap().headers;
        (message.body.map(|(_, form)| form), told.get("content-type").map(|value| value.to_str().unwrap().to_owned()))
    };
    let json = Some("application/json".to_owned());
    assert_eq!(types("body: '{\"t\":\"{tag}\"}'"), (Some(Form::Json), json.clone()));
    assert_eq!(types("body: ' [{tags_json}]'"), (Some(Form::Json), json));
    assert_eq!(types("body: '\"{tag}\"', headers: { Content-Type: Application/JSON }").0, Some(Form::Json));
    assert_eq!(types("body: 't={tag}'"), (Some(Form::Text), None));
    let form = "application/x-www-form-urlencoded";
    let expected = (Some(Form::Encoded), Some(form.to_owned()));
    assert_eq!(types(&format!("body: 't={{tag}}', headers: {{ content-type: {form} }}")), expected);
    for body in ["{\"t\":{tag}}", "{\"t\":\"{tags_json}\"}", "[{tags}]", "{", "[]]"] {
        let said = said(&format!("url: \"http://c\", body: '{body}'"));
        assert!(
            said.starts_with("downstream_purge.body: found a text that is no JSON when its placeholders"),
            "{said}"
        );
    }
    assert!(entry("url: \"http://c\", body: '{', headers: { content-type: text/plain }").is_ok());
}

#[test]
fn secrets_are_not_shown() {
    let entry = "url: \"http://c/?s3cret\", headers: { authorization: s3cret }, body: s3cret";
    assert!(!format!("{:?}", accepted(entry)).contains("s3cret"));
    for broken in [
        "url: \"s3cret\"",
        "url: \"http://s3cret:s3cret@{tag}\"",
        "url: \"http://c\", headers: { authorization: \"s3cret\\n\\0\" }",
        "url: \"http://c\", headers: { authorization: \"s3cret {unknown}\" }",
        "url: \"http://c\", headers: { authorization: [s3cret] }",
        "url: \"http://c\", body: '{ s3cret'",
    ] {
        let said = said(broken);
        assert!(!said.contains("s3cret"), "{said}");
    }
}
