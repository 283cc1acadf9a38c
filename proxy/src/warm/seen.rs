//! Which pages were listed already, by the name that all their spellings have.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use super::located::{Located, locate};
use crate::target::Target;

/// Pages that were listed.
///
/// There may be a million of them, with names of thousands of bytes. So what is kept is 128 bits of each, hashed with keys that
/// nobody knows, which no two of them will share.
#[derive(Debug, Default)]
pub(super) struct Seen {
    hashers: [RandomState; 2],
    known: HashSet<u128>,
}

impl Seen {
    /// Whether this page was not listed before; `hosts` are the sites that are served.
    pub(super) fn is_new(&mut self, url: &str, hosts: &[String]) -> bool {
        let name = name(url, hosts);
        let [high, low] = self.hashers.each_ref().map(|hasher| u128::from(hasher.hash_one(&name)));
        self.known.insert(high << 64 | low)
    }
}

/// A page's site and target in normal form; what leads to no page is known as it stands.
fn name(url: &str, hosts: &[String]) -> (Option<String>, String) {
    let Ok(Located { site, target }) = locate(url, hosts) else { return (None, url.to_owned()) };
    // A URL that names no site means the first.
    let site = site.or_else(|| hosts.first().cloned());
    let normal = match Target::parse(&target) {
        // With repeated slashes it is told its one name, and nothing is fetched.
        Ok(parsed) if parsed.without_repeated_slashes().is_none() => parsed.forwarded(),
        Ok(_) | Err(_) => target,
    };
    (site, normal)
}

#[cfg(test)]
mod tests;
