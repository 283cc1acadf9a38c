//! `PURGE`: who may forget a path over the visitors' own listeners.

use std::net::IpAddr;

use evergate_cache::Forgetting;
use ipnet::IpNet;

use super::node::{Content, Expected, Node};
use super::problem::Report;
use super::quantity::choice;
use super::section::Section;

/// Who may forget a path with `PURGE`, and in which way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// The networks from which it may come, by the address that the connection shows: at least one, such as `10.0.0.0/8` or
    /// `127.0.0.1`.
    pub allow: Vec<IpNet>,
    /// `delete` (default): the next request waits for a new answer. `stale`: the old one is served once more while it is
    /// refreshed.
    pub mode: Forgetting,
}

impl Purge {
    /// Reads the section `purge`. Where nothing is in it, nobody may.
    pub(super) fn read(node: &Node, report: &mut Report) -> Option<Self> {
        match node.content {
            Content::Null | Content::Reported => return None,
            Content::Map(_) | Content::Bool(_) | Content::Number(_) | Content::Text(_) | Content::List(_) => {}
        }
        let section = Section::open(node, KEYS, report);
        let allow = match section.get("allow") {
            Some(node) => {
                let allow = node.read_list(ALLOW, report, network).unwrap_or_default();
                if matches!(&node.content, Content::List(items) if items.is_empty()) {
                    node.refuse(ALLOW, report);
                }
                allow
            }
            None => {
                section.missing("allow", ALLOW, report);
                Vec::new()
            }
        };
        let modes = [("delete", Forgetting::Delete), ("stale", Forgetting::Stale)];
        let mode = section.read("mode", report, |node| choice(node, &modes)).unwrap_or(Forgetting::Delete);
        Some(Self { allow, mode })
    }

    /// Whether a request from this address may. An IPv4 address counts as such where it is written as an IPv6 one.
    pub fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.allow.iter().any(|network| network.contains(&peer))
    }
}

/// Reads a network, or an address that stands for itself.
fn network(node: &Node) -> Result<IpNet, Expected> {
    const NETWORK: &str = "a network (`10.0.0.0/8`, `\"fd00::/8\"`) or an address (`127.0.0.1`)";
    let text = node.text().ok_or(NETWORK)?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let network: IpNet = text.parse().map_err(|_| NETWORK)?;
    let whole = network.trunc();
    if network == whole {
        Ok(network)
    } else {
        Err(format!("the network that it is in (`{whole}`), or an address").into())
    }
}

/// The keys of the section `purge`.
const KEYS: &[&str] = &["allow", "mode"];

const ALLOW: &str = "a list with at least one network (`[127.0.0.1, 10.0.0.0/8]`)";

#[cfg(test)]
mod tests;
