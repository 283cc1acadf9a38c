//! Upstreams: the handler services behind the gateway.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::address::{is_host, is_host_and_port};
use super::node::{Content, Expected, Node};
use super::problem::Report;
use super::quantity::{choice, count, positive_duration, whole_number};
use super::section::{Section, nearest, words};
use super::segment::label;

/// A handler service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The name that routes and metrics use: lower-case letters, digits, `_` and `-`.
    pub name: String,
    /// Where its answers come from.
    pub origin: Origin,
    /// The `Host` that it receives. Default: the visitor's on requests that pass; on cached routes the
    /// site's where `hosts` has names, else the server's address.
    pub host: Option<String>,
    /// What runs there, by which routes may choose it (`runtime`). Default: none.
    pub runtime: Option<String>,
    /// How long the gateway waits for it.
    pub timeouts: Timeouts,
    /// How often a request is tried again, 0 to 10, when nothing was sent or its method is
    /// idempotent. Default: 1.
    pub retries: u32,
    /// How many cache fills may run at once. Default: 256.
    pub max_concurrent_fetches: NonZeroUsize,
}

/// Which upstream, as an index into [`Config::upstreams`](crate::config::Config::upstreams).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamId(pub usize);

/// Where the answers of an upstream come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `builtin`: a handler service inside the gateway.
    Builtin(Builtin),
    /// `servers`: one or more servers, which share the requests. Never empty.
    Servers(Vec<Server>),
}

/// A handler service inside the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// `demo`: a handler for each thing that can be tried.
    Demo,
}

/// One server of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Host name or IP address, and port: `127.0.0.1:3000`, `[::1]:3000`, `handlers.internal:3000`.
    pub address: String,
    /// Where it is, by which routes may prefer it (`preferred_region`). Default: none.
    pub region: Option<String>,
}

/// How long the gateway waits for an upstream. None of them is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection. Default: 1 s.
    pub connect: Duration,
    /// From the end of the request to the first byte of the answer. Default: 30 s.
    pub first_byte: Duration,
    /// Between two pieces of an answer or of a request's body. Default: 60 s.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(1), first_byte: Duration::from_secs(30), idle: Duration::from_secs(60) }
    }
}

impl Upstream {
    /// Reads the mapping `upstreams`; nothing when it is no mapping, which is a problem already.
    pub(super) fn read_all(node: Option<&Node>, report: &mut Report) -> Vec<Self> {
        const EXPECTED: &str = "at least one (`upstreams: { handlers: { servers: [\"127.0.0.1:3000\"] } }`)";
        let Some(node) = node else {
            report.add("upstreams", "no upstream", EXPECTED);
            return Vec::new();
        };
        match &node.content {
            Content::Map(entries) if !entries.is_empty() => {
                entries.iter().map(|(name, node)| Self::read(name, node, report)).collect()
            }
            Content::Map(_) | Content::Null => {
                report.add(&node.path, "no upstream", EXPECTED);
                Vec::new()
            }
            Content::Bool(_) | Content::Number(_) | Content::Text(_) | Content::List(_) | Content::Reported => {
                node.refuse("a mapping from names to upstreams", report);
                Vec::new()
            }
        }
    }

    fn read(name: &str, node: &Node, report: &mut Report) -> Self {
        let section = Section::open(node, KEYS, report);
        if !is_name(name) {
            report.add(
                &node.path,
                format!("the name `{}`", name.escape_debug()),
                "lower-case letters, digits, `_` and `-`",
            );
        }
        Self {
            name: name.to_owned(),
            origin: Origin::read(&section, report),
            host: section.read("host", report, host),
            runtime: section.read("runtime", report, label),
            timeouts: Timeouts::read(&section.section("timeouts", TIMEOUT_KEYS, report), report),
            retries: section
                .read("retries", report, |node| {
                    let number = whole_number(node, 0..=MOST_RETRIES)?;
                    u32::try_from(number).map_err(|_| "fewer retries".into())
                })
                .unwrap_or(DEFAULT_RETRIES),
            max_concurrent_fetches: section.read("max_concurrent_fetches", report, count).unwrap_or(DEFAULT_FETCHES),
        }
    }
}

impl UpstreamId {
    /// Reads the name of one of `upstreams`.
    pub(super) fn read(node: &Node, upstreams: &[Upstream]) -> Result<Self, Expected> {
        let typed = node.text();
        let names: Vec<&str> = upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
        let position = names.iter().position(|name| typed.as_deref() == Some(*name));
        if let Some(index) = position {
            return Ok(Self(index));
        }
        Err(match typed.as_deref().and_then(|typed| nearest(typed, &names)) {
            Some(name) => format!("the name of an upstream: did you mean `{name}`?").into(),
            None => format!("the name of an upstream: {}", words(&names)).into(),
        })
    }
}

impl Origin {
    fn read(section: &Section<'_>, report: &mut Report) -> Self {
        match (section.get("builtin"), section.get("servers")) {
            (Some(builtin), Some(servers)) => {
                let found = "both `builtin` and `servers`";
                report.add_beside(&servers.path, found, "one of them; the other is", &builtin.path);
                Self::Builtin(Builtin::Demo)
            }
            (Some(builtin), None) => {
                let builtin = builtin.read(report, |node| choice(node, &[("demo", Builtin::Demo)]));
                Self::Builtin(builtin.unwrap_or(Builtin::Demo))
            }
            (None, Some(servers)) => {
                const EXPECTED: &str = "a list with at least one server (`[\"127.0.0.1:3000\"]`)";
                if matches!(&servers.content, Content::List(items) if items.is_empty()) {
                    report.add(&servers.path, "an empty list", EXPECTED);
                }
                let Content::List(items) = &servers.content else {
                    servers.refuse(EXPECTED, report);
                    return Self::Servers(Vec::new());
                };
                let servers = items.iter().filter_map(|item| Server::read(item, report));
                Self::Servers(servers.collect())
            }
            (None, None) => {
                let expected = "where its answers come from: a list of host:port, or `builtin: demo`";
                section.missing("servers", expected, report);
                Self::Builtin(Builtin::Demo)
            }
        }
    }
}

impl Server {
    /// Reads a server: its address, or a mapping that holds it.
    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let Content::Map(_) = node.content else {
            return node.read(report, server_address);
        };
        let section = Section::open(node, SERVER_KEYS, report);
        if section.get("address").is_none() {
            section.missing("address", SERVER_ADDRESS, report);
        }
        let region = section.read("region", report, label);
        section.read("address", report, server_address).map(|server| Self { region, ..server })
    }
}

impl Timeouts {
    fn read(section: &Section<'_>, report: &mut Report) -> Self {
        let default = Self::default();
        let mut timeout = |key, default| section.read(key, report, positive_duration).unwrap_or(default);
        Self {
            connect: timeout("connect", default.connect),
            first_byte: timeout("first_byte", default.first_byte),
            idle: timeout("idle", default.idle),
        }
    }
}

fn server_address(node: &Node) -> Result<Server, Expected> {
    let text = node.text().ok_or(SERVER_ADDRESS)?;
    if is_host_and_port(&text) {
        return Ok(Server { address: text.into_owned(), region: None });
    }
    if text.contains("://") {
        return Err("host:port without a scheme or path (127.0.0.1:3000)".into());
    }
    Err(SERVER_ADDRESS.into())
}

fn host(node: &Node) -> Result<String, Expected> {
    node.text()
        .filter(|text| is_host(text) || is_host_and_port(text))
        .map(Cow::into_owned)
        .ok_or("the name of a host, with or without a port (handlers.internal)".into())
}

fn is_name(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    !text.is_empty() && text.bytes().all(inside)
}

/// The keys of an upstream.
const KEYS: &[&str] = &["builtin", "servers", "host", "runtime", "timeouts", "retries", "max_concurrent_fetches"];

const TIMEOUT_KEYS: &[&str] = &["connect", "first_byte", "idle"];
const SERVER_KEYS: &[&str] = &["address", "region"];
const SERVER_ADDRESS: &str = "host:port (127.0.0.1:3000, handlers.internal:3000, \"[::1]:3000\")";
const DEFAULT_RETRIES: u32 = 1;
const MOST_RETRIES: u64 = 10;
const DEFAULT_FETCHES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);
