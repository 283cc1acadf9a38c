//! CORS: which pages of other origins may read answers, in an entry of `proxy` or in a route.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::methods::{self, Methods};
use super::node::{Content, Expected, Node};
use super::problem::Report;
use super::quantity::{choice, duration, flag};
use super::section::Section;
use crate::rules::{Allowed, Cors, Credentials, Mode, OriginPattern, PrivateNetwork};

/// Where `cors` stands.
pub(super) enum Owner<'a> {
    /// In an entry of `proxy`.
    Rule,
    /// In a route, which answers these methods.
    Route(Option<&'a Methods>),
}

/// Reads `cors`; nothing where it is left out or has a problem.
pub(super) fn read(node: Option<&Node>, owner: &Owner<'_>, report: &mut Report) -> Option<Arc<Cors>> {
    let node = node?;
    let section = Section::open(node, KEYS, report);
    let empty = matches!(&node.content, Content::Map(entries) if entries.is_empty());
    let nobody = matches!(owner, Owner::Route(_)) && empty;
    if section.get("allow_origins").is_none() && !nobody {
        section.missing("allow_origins", ORIGINS, report);
    }
    let origins = read_items(section.get("allow_origins"), ORIGINS, report, origin).unwrap_or_default();
    let methods = read_names(section.get("allow_methods"), METHODS, report, methods::name);
    let headers = read_names(section.get("allow_headers"), HEADERS, report, header);
    let expose = read_names(section.get("expose_headers"), HEADERS, report, header);
    let credentials = section.read("allow_credentials", report, flag).unwrap_or(false);
    if credentials {
        refuse_anything(&section, &origins, report);
    }
    let modes = [("replace", Mode::Replace), ("passthrough", Mode::Passthrough), ("enforce", Mode::Enforce)];
    let open = section.read("allow_private_network", report, flag);
    Some(Arc::new(Cors {
        methods: methods.map_or_else(|| default_methods(owner), |names| allowed(&names)),
        headers: headers.map_or(Allowed::Only(None), |names| allowed(&names)),
        expose: expose.and_then(|names| joined(&names)),
        credentials: if credentials { Credentials::Included } else { Credentials::Omitted },
        max_age: section.read("max_age", report, duration).unwrap_or(MAX_AGE),
        private_network: if open.unwrap_or(!origins.contains(&OriginPattern::Any)) {
            PrivateNetwork::Open
        } else {
            PrivateNetwork::Closed
        },
        mode: section.read("mode", report, |node| choice(node, &modes)).unwrap_or_default(),
        origins,
    }))
}

/// With credentials a browser takes `*` for a name, and whoever may be anybody would read what is meant for one visitor.
fn refuse_anything(section: &Section<'_>, origins: &[OriginPattern], report: &mut Report) {
    let credentials = section.path_of("allow_credentials");
    if let (Some(node), Some(pattern)) =
        (section.get("allow_origins"), origins.iter().find(|pattern| pattern.is_boundless()))
    {
        let expected = "origins of people you know, because their pages may act for your visitors with";
        report.add_beside(&node.path, format!("`{pattern}`"), expected, &credentials);
    }
    for key in ["allow_methods", "allow_headers", "expose_headers"] {
        let Some(node) = section.get(key) else { continue };
        let is_any = |node: &Node| node.text().as_deref() == Some(ANY);
        if items(node).is_some_and(|items| items.iter().any(is_any)) {
            report.add_beside(
                &node.path,
                "`*`",
                "names, because browsers do not take `*` for all of them beside",
                &credentials,
            );
        }
    }
}

fn default_methods(owner: &Owner<'_>) -> Allowed {
    let listed = match owner {
        Owner::Route(Some(methods)) => HeaderValue::from_str(&methods.allow()).ok(),
        Owner::Route(None) | Owner::Rule => None,
    };
    Allowed::Only(Some(listed.unwrap_or(HeaderValue::from_static("GET, HEAD, POST"))))
}

fn allowed(names: &[String]) -> Allowed {
    if names.iter().any(|name| name == ANY) { Allowed::Any } else { Allowed::Only(joined(names)) }
}

fn joined(names: &[String]) -> Option<HeaderValue> {
    (!names.is_empty()).then(|| HeaderValue::from_str(&names.join(", ")).ok()).flatten()
}

/// Reads a list of names, or `*`.
fn read_names(
    node: Option<&Node>,
    expected: &'static str,
    report: &mut Report,
    name: impl Fn(&Node) -> Result<String, Expected>,
) -> Option<Vec<String>> {
    read_items(node, expected, report, |node| match node.text().as_deref() {
        Some(ANY) => Ok(ANY.to_owned()),
        Some(_) | None => name(node),
    })
}

/// Reads a list, or a text that stands for a list of one.
fn read_items<T>(
    node: Option<&Node>,
    expected: &'static str,
    report: &mut Report,
    convert: impl Fn(&Node) -> Result<T, Expected>,
) -> Option<Vec<T>> {
    let node = node?;
    let Some(items) = items(node) else {
        node.refuse(expected, report);
        return None;
    };
    if items.len() > MOST_ITEMS {
        report.add(&node.path, format!("{} of them", items.len()), format!("at most {MOST_ITEMS}"));
        return None;
    }
    Some(items.iter().filter_map(|item| item.read(report, &convert)).collect())
}

fn items(node: &Node) -> Option<&[Node]> {
    match &node.content {
        Content::List(items) => Some(items),
        Content::Text(_) => Some(std::slice::from_ref(node)),
        Content::Null | Content::Bool(_) | Content::Number(_) | Content::Map(_) | Content::Reported => None,
    }
}

fn origin(node: &Node) -> Result<OriginPattern, Expected> {
    let text = match &node.content {
        // Unquoted it means nothing in YAML, and everywhere else the word.
        Content::Null => return Ok(OriginPattern::Null),
        Content::Bool(_)
        | Content::Number(_)
        | Content::Text(_)
        | Content::List(_)
        | Content::Map(_)
        | Content::Reported => node.text().ok_or(ORIGINS)?,
    };
    OriginPattern::parse(&text).map_err(|error| Expected::from(error.to_string()))
}

fn header(node: &Node) -> Result<String, Expected> {
    const EXPECTED: &str = "the name of a header, or `*`";
    let name = node.text().ok_or(EXPECTED)?;
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| EXPECTED)?;
    Ok(name.into_owned())
}

/// The keys of `cors`.
const KEYS: &[&str] = &[
    "allow_origins",
    "allow_methods",
    "allow_headers",
    "expose_headers",
    "allow_credentials",
    "max_age",
    "allow_private_network",
    "mode",
];

const ANY: &str = "*";
const ORIGINS: &str = "a list of origins (`[https://acme.com, \"https://*.acme.app\"]`), or `\"*\"` for all";
const METHODS: &str = "a list of methods (`[GET, POST]`), or `\"*\"` for all";
const HEADERS: &str = "a list of names of headers (`[content-type]`), or `\"*\"` for all";

/// How long browsers may remember what a preflight was told.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Most origins, methods or names in a list.
const MOST_ITEMS: usize = 256;
