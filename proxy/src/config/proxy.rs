//! The section `proxy`: what becomes of requests before they meet a route.

use bytes::Bytes;
use http::StatusCode;

use super::cors::{self, Owner};
use super::matcher::read_matcher;
use super::message::{read_fields, read_mapping};
use super::node::{Content, Expected, Node};
use super::problem::Report;
use super::quantity::flag;
use super::section::{Section, words};
use super::security::add_preset;
use super::upstream::{Upstream, UpstreamId};
use crate::rules::{Action, Answer, Case, Destination, Direction, Names, Reach, Rewrite, Rule};

/// Reads the list `proxy`.
pub(super) fn read_all(node: Option<&Node>, upstreams: &[Upstream], report: &mut Report) -> Vec<Rule> {
    let Some(node) = node else { return Vec::new() };
    let items = match &node.content {
        Content::List(items) => items.as_slice(),
        Content::Null => &[],
        Content::Bool(_) | Content::Number(_) | Content::Text(_) | Content::Map(_) | Content::Reported => {
            node.refuse("a list of entries (`- matcher: /old/:path*`)", report);
            &[]
        }
    };
    if items.len() > MOST_RULES {
        report.add(&node.path, format!("{} entries", items.len()), format!("at most {MOST_RULES}"));
        return Vec::new();
    }
    items.iter().map(|item| read(item, upstreams, report)).collect()
}

fn read(item: &Node, upstreams: &[Upstream], report: &mut Report) -> Rule {
    let section = Section::open(item, KEYS, report);
    let case = match section.read("case_sensitive", report, flag) {
        Some(false) => Case::Insensitive,
        Some(true) | None => Case::Sensitive,
    };
    let matcher = read_matcher(section.get("matcher"), case, report);
    let names = matcher.as_ref().map_or_else(Names::unknown, |matcher| matcher.names());
    let action = read_action(&section, &names, upstreams, report);
    let cors = cors::read(section.get("cors"), &Owner::Rule, report);
    let request = read_fields(&section, "request_headers", Direction::Request, &names, report);
    let mut response = read_fields(&section, "response_headers", Direction::Response, &names, report);
    add_preset(&section, &mut response, report);
    if let Content::Map(_) = item.content
        && EFFECTS.iter().all(|key| section.get(key).is_none())
    {
        report.add(&item.path, "an entry that changes nothing", format!("at least one of {}", words(EFFECTS)));
    }
    Rule { matcher: matcher.unwrap_or_default(), action, cors, request, response }
}

fn read_action(section: &Section<'_>, names: &Names, upstreams: &[Upstream], report: &mut Report) -> Action {
    let there: Vec<&Node> = ACTIONS.iter().filter_map(|key| section.get(key)).collect();
    if let [first, second, ..] = there.as_slice() {
        let expected = format!("only one of {} in an entry; the first is", words(ACTIONS));
        report.add_beside(&second.path, second.found(), expected, &first.path);
    }
    let redirect = section.get("redirect").map(|node| read_redirect(node, names, report));
    let rewrite = section.get("rewrite").map(|node| read_rewrite(node, names, upstreams, report));
    let respond = section.get("respond").map(|node| read_respond(node, names, report));
    redirect.flatten().or(rewrite.flatten()).or(respond).unwrap_or_default()
}

fn read_redirect(node: &Node, names: &Names, report: &mut Report) -> Option<Action> {
    let section = Section::open(node, &["to", "status"], report);
    let status = section.read("status", report, |node| {
        let status =
            node.text().and_then(|text| text.parse().ok()).and_then(|code: u16| StatusCode::from_u16(code).ok());
        status.filter(|status| REDIRECTS.contains(&status.as_u16())).ok_or(Expected::from("301, 302, 303, 307 or 308"))
    });
    let to = read_to(&section, names, Reach::Anywhere, report)?;
    Some(Action::Redirect(to, status.unwrap_or(StatusCode::TEMPORARY_REDIRECT)))
}

fn read_rewrite(node: &Node, names: &Names, upstreams: &[Upstream], report: &mut Report) -> Option<Action> {
    let section = Section::open(node, &["to", "upstream"], report);
    let to = match section.get("to") {
        // Another upstream may have the page under the same name.
        None if section.get("upstream").is_some() => None,
        Some(_) | None => Some(read_to(&section, names, Reach::Here, report)?),
    };
    // Without upstreams no name is right, and that they are missing was reported.
    let named = section.get("upstream").filter(|_| !upstreams.is_empty());
    let upstream = named.and_then(|node| node.read(report, |node| UpstreamId::read(node, upstreams)));
    Some(Action::Rewrite(Rewrite { to, upstream }))
}

fn read_to(section: &Section<'_>, names: &Names, reach: Reach, report: &mut Report) -> Option<Destination> {
    if section.get("to").is_none() {
        section.missing("to", "where it leads (`/new/:path*`)", report);
    }
    section.read("to", report, |node| {
        let text = node.text().ok_or("a path (`/new/:path*`)")?;
        Destination::compile(&text, names, reach).map_err(|error| Expected::from(error.to_string()))
    })
}

fn read_respond(node: &Node, names: &Names, report: &mut Report) -> Action {
    let section = Section::open(node, &["status", "headers", "body"], report);
    let status = section.read("status", report, |node| {
        let status =
            node.text().and_then(|text| text.parse().ok()).and_then(|code: u16| StatusCode::from_u16(code).ok());
        // A confirmation answers a condition, and interim answers answer nothing.
        status
            .filter(|status| (200..600).contains(&status.as_u16()) && *status != StatusCode::NOT_MODIFIED)
            .ok_or(Expected::from("a status from 200 to 599, apart from 304"))
    });
    let status = status.unwrap_or(StatusCode::OK);
    let body = section.read("body", report, |node| {
        let text = node.text().ok_or("a text")?;
        match text.len() {
            0..=LONGEST_BODY => Ok(Bytes::from(text.into_owned())),
            _ => Err(format!("a text of at most {LONGEST_BODY} bytes").into()),
        }
    });
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
    if let (true, Some(node)) = (bodiless && body.as_ref().is_some_and(|body| !body.is_empty()), section.get("body")) {
        report.add(&node.path, node.found(), format!("nothing: an answer with status {} has no body", status.as_u16()));
    }
    let fields = read_mapping(section.get("headers"), Direction::Response, names, report);
    Action::Respond(Answer { status, fields, body: body.unwrap_or_default() })
}

const KEYS: &[&str] = &[
    "matcher",
    "case_sensitive",
    "redirect",
    "rewrite",
    "respond",
    "cors",
    "request_headers",
    "response_headers",
    "security_headers",
];

/// The keys of which an entry has at least one.
const EFFECTS: &[&str] = KEYS.split_at(2).1;

/// The keys of which an entry has at most one.
const ACTIONS: &[&str] = EFFECTS.split_at(3).0;

const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Most entries.
const MOST_RULES: usize = 1024;

/// Most bytes of an answer that stands in the file.
const LONGEST_BODY: usize = 64 * 1024;
