//! Listeners: where visitors, operators and Prometheus connect.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use evergate_cache::Scheme;

use super::node::{Content, Expected, Node};
use super::problem::Report;
use super::quantity::flag;
use super::section::Section;
use crate::tls::{Chain, Identity};

/// An address that visitors connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// IP address and port, such as `127.0.0.1:8080` or `[::]:8080`. Port 0 takes any free port.
    pub address: SocketAddr,
    /// Whether HTTP/2 without TLS is served beside HTTP/1.1, to clients that begin with it. Default:
    /// `false`.
    pub h2c: bool,
    /// What visitors are shown where they connect with TLS: `certificate` and `key`, two files in PEM, as seen from the
    /// configuration's folder. HTTP/2 is then chosen in the handshake. Default: none, visitors connect without TLS.
    pub tls: Option<Identity>,
}

/// The listener of operators and Prometheus.
#[derive(Clone, PartialEq, Eq)]
pub struct Admin {
    /// IP address and port. Default: `127.0.0.1:9900`. Port 0 takes any free port.
    pub address: SocketAddr,
    /// The secret that requests carry as `Authorization: Bearer`. Required when the address is not
    /// loopback; an empty one counts as none. `/metrics`, `/healthz` and `/readyz` never need it.
    pub token: Option<String>,
}

impl fmt::Debug for Admin {
    /// Shows whether there is a token, never the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("address", &self.address)
            .field("token", &self.token.as_ref().map(|_| "hidden"))
            .finish()
    }
}

impl Listen {
    /// The scheme of what visitors ask for there.
    pub fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::Https } else { Scheme::Http }
    }

    /// Reads the list `listen`.
    pub(super) fn read_all(
        node: Option<&Node>,
        file: &dyn Fn(&str) -> io::Result<String>,
        report: &mut Report,
    ) -> Vec<Self> {
        let Some(node) = node else {
            return vec![Self { address: DEFAULT_LISTEN, h2c: false, tls: None }];
        };
        const EXPECTED: &str = "a list with at least one address (`- address: 127.0.0.1:8080`)";
        let Content::List(items) = &node.content else {
            node.refuse(EXPECTED, report);
            return Vec::new();
        };
        if items.is_empty() {
            report.add(&node.path, "an empty list", EXPECTED);
        }
        let mut taken: Vec<(SocketAddr, String)> = Vec::new();
        items
            .iter()
            .filter_map(|item| {
                let section = Section::open(item, LISTEN_KEYS, report);
                let h2c = section.read("h2c", report, flag).unwrap_or(false);
                let tls = section.get("tls").and_then(|node| read_tls(node, file, report));
                if h2c && let Some(tls) = section.get("tls") {
                    let expected = "`false`: with TLS, HTTP/2 is chosen in the handshake; there is";
                    report.add_beside(section.path_of("h2c"), "`true`", expected, &tls.path);
                }
                if section.get("address").is_none() {
                    section.missing("address", ADDRESS, report);
                }
                let address = section.read("address", report, socket_address)?;
                claim(address, section.path_of("address"), &mut taken, report);
                Some(Self { address, h2c, tls })
            })
            .collect()
    }
}

impl Admin {
    /// Reads the section `admin`, beside the listeners of visitors.
    pub(super) fn read(section: &Section<'_>, listen: &[Listen], report: &mut Report) -> Self {
        let address = section.read("address", report, socket_address).unwrap_or(DEFAULT_ADMIN);
        let shared = listen.iter().position(|listen| listen.address == address);
        if let Some(index) = shared.filter(|_| address.port() != 0) {
            let other = format!("listen[{index}].address");
            report.add_beside(
                section.path_of("address"),
                format!("`{address}`"),
                "an address of its own; the same is",
                other,
            );
        }
        let token = match read_token(section, report) {
            Token::Some(token) => Some(token),
            Token::Broken => None,
            Token::None => {
                if !address.ip().is_loopback() {
                    report.add(
                        section.path_of("token"),
                        "nothing",
                        format!("a token, because `{address}` is not a loopback address"),
                    );
                }
                None
            }
        };
        Self { address, token }
    }
}

/// Notes that an address is taken, or reports that it was. Port 0 is never taken.
fn claim(address: SocketAddr, path: String, taken: &mut Vec<(SocketAddr, String)>, report: &mut Report) {
    match taken.iter().find(|(other, _)| *other == address) {
        Some((_, other)) if address.port() != 0 => {
            report.add_beside(path, format!("`{address}`"), "an address of its own; the same is", other)
        }
        Some(_) | None => taken.push((address, path)),
    }
}

/// Reads the section `tls` of a listener with the files that it names.
fn read_tls(node: &Node, file: &dyn Fn(&str) -> io::Result<String>, report: &mut Report) -> Option<Identity> {
    let section = Section::open(node, TLS_KEYS, report);
    let mut text_of = |key: &str, what: &str| {
        if section.get(key).is_none() {
            section.missing(key, format!("the name of a file with {what}"), report);
        }
        section.read(key, report, |node| {
            let name = node.text().ok_or_else(|| format!("the name of a file with {what}"))?;
            file(&name).map_err(|error| format!("a file in PEM that can be read ({error})").into())
        })
    };
    let certificate = text_of("certificate", "a certificate in PEM");
    let key = text_of("key", "its key in PEM");
    let mut refused = |key: &str, expected: String| {
        if let Some(node) = section.get(key) {
            node.refuse(format!("a file with {expected}"), report);
        }
    };
    let chain = Chain::from_pem(&certificate?).map_err(|error| refused("certificate", error.to_string())).ok()?;
    Identity::from_pem(chain, &key?).map_err(|error| refused("key", error.to_string())).ok()
}

fn socket_address(node: &Node) -> Result<SocketAddr, Expected> {
    node.text().and_then(|text| text.parse().ok()).ok_or(Expected::from(ADDRESS))
}

/// Reads a token. What is wrong with one is said without showing it.
fn read_token(section: &Section<'_>, report: &mut Report) -> Token {
    let Some(node) = section.get("token") else {
        return Token::None;
    };
    match (&node.content, node.text()) {
        (Content::Reported, _) => Token::Broken,
        (_, Some(text)) if text.is_empty() => Token::None,
        (_, Some(text)) if text.bytes().all(|byte| byte.is_ascii_graphic()) => Token::Some(text.into_owned()),
        (_, Some(_) | None) => {
            report.add(&node.path, "something else", "visible ASCII characters, in quotes");
            Token::Broken
        }
    }
}

/// The setting `admin.token`.
enum Token {
    /// It is left out, or empty.
    None,
    /// It has a problem that was reported.
    Broken,
    /// It is this.
    Some(String),
}

/// The keys of an item of `listen`.
const LISTEN_KEYS: &[&str] = &["address", "h2c", "tls"];

/// The keys of the section `tls` there.
const TLS_KEYS: &[&str] = &["certificate", "key"];

/// The keys of the section `admin`.
pub(super) const ADMIN_KEYS: &[&str] = &["address", "token"];

const ADDRESS: &str = "an IP address and a port (127.0.0.1:8080, \"[::1]:8080\")";
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9900);
