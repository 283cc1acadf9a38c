//! The section `downstream_purge`: calls that are made after invalidations.

use std::num::NonZeroUsize;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue, Method};

use super::methods;
use super::node::{Content, Expected, Node};
use super::problem::Report;
use super::quantity::{choice, count_up_to, positive_duration, whole_number};
use super::section::{Section, nearest, words};
use crate::downstream::{DownstreamPurge, Form, Item, Kind, Message, Mode, Placeholder, Site, Stands, Template};

/// In which field caches in front are told of the tags of what they get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownstreamTags {
    /// `cache-tag`: with commas between them, for Cloudflare.
    CacheTag,
    /// `surrogate-key`: with spaces between them, for Fastly and Varnish.
    SurrogateKey,
}

impl DownstreamTags {
    /// Reads the setting `downstream_tags`; none is none.
    pub(super) fn read(node: &Node) -> Result<Option<Self>, Expected> {
        let choices =
            [("none", None), ("cache-tag", Some(Self::CacheTag)), ("surrogate-key", Some(Self::SurrogateKey))];
        choice(node, &choices)
    }
}

/// Reads the section `downstream_purge`: one entry, or a list of them.
pub(super) fn read_all(node: Option<&Node>, report: &mut Report) -> Vec<DownstreamPurge> {
    let Some(node) = node else { return Vec::new() };
    let items = match &node.content {
        Content::Null => &[],
        Content::List(items) => items.as_slice(),
        Content::Map(_) => std::slice::from_ref(node),
        Content::Bool(_) | Content::Number(_) | Content::Text(_) | Content::Reported => {
            node.refuse(SECTION, report);
            &[]
        }
    };
    if items.len() > MOST_ENTRIES {
        report.add(&node.path, format!("{} entries", items.len()), format!("at most {MOST_ENTRIES}"));
        return Vec::new();
    }
    items.iter().filter_map(|item| read(item, report)).collect()
}

/// Reads an entry; nothing where what is to be sent has a problem.
fn read(node: &Node, report: &mut Report) -> Option<DownstreamPurge> {
    let section = Section::open(node, KEYS, report);
    let name = section.read("name", report, name);
    let batch = section.read("batch", report, |node| count_up_to(node, MOST_IN_A_CALL));
    let timeout = section.read("timeout", report, positive_duration).unwrap_or(TIMEOUT);
    let backoff = section.read("backoff", report, positive_duration).unwrap_or(BACKOFF);
    let retries = section.read("retries", report, |node| whole_number(node, 0..=MOST_RETRIES));
    let retries = retries.and_then(|retries| u32::try_from(retries).ok()).unwrap_or(RETRIES);
    let on = section.get("on").map(|node| (node, kinds(node, report)));
    let mut message = read_message(&section, report)?;
    let subject = subject(&message, node, &section, report)?;
    let kinds = match on {
        None => subject.kinds(),
        Some((node, Some(kinds))) => {
            refuse_unsayable(&kinds, &subject, node, report);
            kinds
        }
        Some((_, None)) => return None,
    };
    let host = check(&mut message, &subject.kinds(), &section, report)?;
    let batch = match subject {
        Subject::One(_) => NonZeroUsize::MIN,
        Subject::Many(_) | Subject::Constant => batch.unwrap_or(IN_A_CALL),
    };
    Some(DownstreamPurge { name: name.unwrap_or(host), message, kinds, batch, timeout, retries, backoff })
}

/// Reads what is to be sent. Every part is read, whatever is wrong with the others.
fn read_message(section: &Section<'_>, report: &mut Report) -> Option<Message> {
    if section.get("url").is_none() {
        section.missing("url", URL, report);
    }
    let url = section.get("url").and_then(|node| template(node, URL, report));
    let method = match section.get("method") {
        Some(node) => node.read(report, methods::method),
        None => Some(Method::POST),
    };
    let headers = headers(section.get("headers"), report);
    let site = match section.get("site") {
        Some(node) => {
            node.read(report, |node| node.text().and_then(|text| Site::parse(&text)).ok_or(SITE.into())).map(Some)
        }
        None => Some(None),
    };
    let body = match section.get("body") {
        Some(node) => template(node, "a text, such as '{\"tags\":{tags_json}}'", report).map(Some),
        None => Some(None),
    };
    let mut message = Message { method: method?, url: url?, headers: headers?, body: None, site: site? };
    message.body = body?.map(|body| (body, Form::Text));
    Some(message)
}

/// Reads a text with placeholders. What it says is not shown, because secrets may be in it.
fn template(node: &Node, expected: &'static str, report: &mut Report) -> Option<Template> {
    let text = match &node.content {
        Content::Reported => return None,
        Content::Null
        | Content::Bool(_)
        | Content::Number(_)
        | Content::Text(_)
        | Content::List(_)
        | Content::Map(_) => node.text().filter(|text| !text.is_empty() && text.len() <= LONGEST_TEMPLATE),
    };
    let Some(text) = text else {
        report.add(&node.path, "something else", expected);
        return None;
    };
    match Template::parse(text.trim_end()) {
        Ok(template) => Some(template),
        Err(error) => {
            let names = Placeholder::ALL.map(Placeholder::as_str);
            let all = words(&names.map(|name| format!("{{{name}}}")));
            let expected = match nearest(&error.0, &names) {
                Some(name) => format!("a known one: did you mean `{{{name}}}`? There are {all}"),
                None => format!("one of {all}"),
            };
            report.add(&node.path, error.to_string(), expected);
            None
        }
    }
}

/// Reads the header fields.
fn headers(node: Option<&Node>, report: &mut Report) -> Option<Vec<(HeaderName, Template)>> {
    const EXPECTED: &str = "headers with their values (`{ content-type: application/json }`)";
    let Some(node) = node else { return Some(Vec::new()) };
    let entries = match &node.content {
        Content::Map(entries) if entries.len() <= MOST_HEADERS => entries,
        Content::Map(entries) => {
            report.add(&node.path, format!("{} headers", entries.len()), format!("at most {MOST_HEADERS}"));
            return None;
        }
        Content::Null => return Some(Vec::new()),
        Content::Bool(_) | Content::Number(_) | Content::Text(_) | Content::List(_) | Content::Reported => {
            node.refuse(EXPECTED, report);
            return None;
        }
    };
    let mut headers = Vec::with_capacity(entries.len());
    for (typed, node) in entries {
        let name = HeaderName::from_bytes(typed.as_bytes()).ok().filter(|name| !MESSAGE_FIELDS.contains(name));
        if name.is_none() {
            let expected = "the name of a header that is not about the connection or the length of the message";
            report.add(&node.path, format!("`{}`", typed.escape_debug()), expected);
        }
        let value = template(node, "the value of a header, as a text in one line", report);
        let valid = node.text().is_none_or(|text| HeaderValue::from_bytes(text.trim_end().as_bytes()).is_ok());
        if value.is_some() && !valid {
            report.add(&node.path, "something else", "the value of a header, as a text in one line");
        }
        headers.extend(name.zip(value).filter(|_| valid));
    }
    (headers.len() == entries.len()).then_some(headers)
}

/// What the placeholders of a message are about.
enum Subject {
    /// One thing of this kind.
    One(Kind),
    /// Any number of things of these kinds.
    Many(Vec<Kind>),
    /// Nothing in particular: it says the same whatever was invalidated.
    Constant,
}

impl Subject {
    fn kinds(&self) -> Vec<Kind> {
        match self {
            Subject::One(kind) => vec![*kind],
            Subject::Many(kinds) => kinds.clone(),
            Subject::Constant => vec![Kind::Everything],
        }
    }
}

/// Finds what the placeholders are about, or reports that they do not go together.
fn subject(message: &Message, node: &Node, section: &Section<'_>, report: &mut Report) -> Option<Subject> {
    let placeholders = message.placeholders();
    if let (Some(placeholder), None) = (placeholders.iter().find(|one| one.needs_site()), &message.site) {
        let because = placeholder.as_str();
        section.missing("site", format!("{SITE}, because of `{{{because}}}`"), report);
        return None;
    }
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for placeholder in placeholders {
        match placeholder.stands() {
            Stands::One(kind) => one.push((placeholder, kind)),
            Stands::Many(kind) => many.push((placeholder, kind)),
            Stands::How => {}
        }
    }
    let kinds = Kind::ALL.into_iter().filter(|kind| many.iter().any(|(_, other)| other == kind)).collect();
    let Some((first, kind)) = one.first().copied() else {
        return Some(if many.is_empty() { Subject::Constant } else { Subject::Many(kinds) });
    };
    let other = one.iter().find(|(_, other)| *other != kind).or(many.first());
    let Some((other, _)) = other else { return Some(Subject::One(kind)) };
    let found = format!("`{{{}}}` and `{{{}}}`", first.as_str(), other.as_str());
    let expected = format!("one of them: a call with `{{{}}}` is about one {}", first.as_str(), kind.as_str());
    report.add(&node.path, found, expected);
    None
}

/// Reports kinds that the placeholders cannot tell.
fn refuse_unsayable(kinds: &[Kind], subject: &Subject, node: &Node, report: &mut Report) {
    let sayable = match subject {
        // It says the same for all of them, which may be what is wanted: everything goes whatever was invalidated.
        Subject::Constant => return,
        Subject::One(_) | Subject::Many(_) => subject.kinds(),
    };
    if let Some(kind) = kinds.iter().find(|kind| !sayable.contains(kind)) {
        let names: Vec<&str> = sayable.iter().map(|kind| kind.as_str()).collect();
        let expected = format!("what the placeholders stand for: {}", words(&names));
        report.add(&node.path, format!("`{}`", kind.as_str()), expected);
    }
}

/// Settles how values are written in the body, writes the message for what is hard to write, and gives the host it goes to.
fn check(message: &mut Message, kinds: &[Kind], section: &Section<'_>, report: &mut Report) -> Option<String> {
    let form = message.body.as_ref().map(|(body, _)| form(body, &message.headers));
    if let (Some((_, current)), Some(form)) = (&mut message.body, form) {
        *current = form;
        let json = (CONTENT_TYPE, Template::fixed("application/json"));
        let told = message.headers.iter().any(|(name, _)| *name == CONTENT_TYPE);
        message.headers.extend(Some(json).filter(|_| form == Form::Json && !told));
    }
    let sample = |text: &str| message.write(&samples(kinds, text), Mode::Stale);
    let (Ok(first), Ok(second)) = (sample(SAMPLE), sample("other")) else {
        report.add(section.path_of("url"), "something else", URL);
        return None;
    };
    if first.url.authority() != second.url.authority() || first.url.fragment().is_some() {
        report.add(section.path_of("url"), "a placeholder in the host, or a `#`", URL);
        return None;
    }
    let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
    if form == Some(Form::Json) && !first.body.as_deref().is_some_and(is_json) {
        report.add(section.path_of("body"), "a text that is no JSON when its placeholders are filled in", JSON);
        return None;
    }
    first.url.host_str().map(str::to_owned)
}

/// How values are written in a body: as its type says, or else as JSON where it looks like it.
fn form(body: &Template, headers: &[(HeaderName, Template)]) -> Form {
    let told = headers.iter().find(|(name, _)| *name == CONTENT_TYPE).map(|(_, value)| value.beginning());
    match told {
        Some(told) if told.to_ascii_lowercase().contains("json") => Form::Json,
        Some(told) if told.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") => Form::Encoded,
        None if body.beginning().trim_start().starts_with(['{', '[']) => Form::Json,
        Some(_) | None => Form::Text,
    }
}

/// One of each kind, with this text in it.
fn samples(kinds: &[Kind], text: &str) -> Vec<Item> {
    let item = |kind: &Kind| match kind {
        Kind::Tag => Item::Tag(text.into()),
        Kind::Path => Item::Path(format!("/{text}").into()),
        Kind::Prefix => Item::Prefix(format!("/{text}").into()),
        Kind::Everything => Item::Everything,
    };
    kinds.iter().map(item).collect()
}

/// Reads `on`: one kind or a list.
fn kinds(node: &Node, report: &mut Report) -> Option<Vec<Kind>> {
    let choices = Kind::ALL.map(|kind| (kind.as_str(), kind));
    let items = match &node.content {
        Content::List(items) if !items.is_empty() => items.as_slice(),
        Content::Text(_) => std::slice::from_ref(node),
        Content::List(_)
        | Content::Null
        | Content::Bool(_)
        | Content::Number(_)
        | Content::Map(_)
        | Content::Reported => {
            node.refuse("a list of one or more of `tag`, `path`, `prefix`, `everything`", report);
            return None;
        }
    };
    let kinds: Vec<Kind> = items.iter().filter_map(|item| item.read(report, |node| choice(node, &choices))).collect();
    (kinds.len() == items.len()).then_some(kinds)
}

fn name(node: &Node) -> Result<String, Expected> {
    let named = |text: &str| {
        !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let text = node.text().filter(|text| named(text));
    text.map(std::borrow::Cow::into_owned).ok_or("at most 64 letters, digits, `.`, `_` and `-`".into())
}

/// The keys of an entry.
const KEYS: &[&str] =
    &["name", "url", "site", "method", "headers", "body", "on", "batch", "timeout", "retries", "backoff"];

const SECTION: &str = "an entry (`{ url: ... }`), or a list of entries";
const URL: &str =
    "an http or https URL with its host written out (`https://cdn.example/purge/{tag}`, `http://cdn.example{path}`)";
const SITE: &str = "the http or https URL that visitors' paths follow (`https://www.example.com`)";
const JSON: &str = "JSON: texts between quotes (`\"{tag}\"`), lists without (`{tags_json}`); or another `content-type`";

/// What is hard to write, where something can be.
const SAMPLE: &str = "a\"\\\u{e9}";

/// Fields that say how a message is sent, which only the client knows.
const MESSAGE_FIELDS: [HeaderName; 7] = [CONNECTION, CONTENT_LENGTH, EXPECT, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Most entries.
const MOST_ENTRIES: usize = 64;

/// Most header fields of an entry.
const MOST_HEADERS: usize = 64;

/// Most bytes of a URL, a value or a body.
const LONGEST_TEMPLATE: usize = 64 << 10;

/// Most things that a call is about.
const MOST_IN_A_CALL: usize = 1000;

/// What a call is about at most unless the configuration says otherwise: as many as Cloudflare takes.
const IN_A_CALL: NonZeroUsize = NonZeroUsize::MIN.saturating_add(29);

const TIMEOUT: Duration = Duration::from_secs(5);
const BACKOFF: Duration = Duration::from_secs(1);
const RETRIES: u32 = 5;
const MOST_RETRIES: u64 = 20;
