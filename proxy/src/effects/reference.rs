//! URI references in `Location` and `Content-Location`: which page of the site they name.

use evergate_cache::Scheme;

use crate::passage::Passage;
use crate::request::{Request, host_of};

/// The target that a URI reference names, if it is on the site that was asked (RFC 3986 section 5.2; RFC 9111 section 4.4: what
/// names another origin is not heeded). Dot segments are resolved by whoever reads the target.
pub(super) fn on_this_site(reference: &str, passage: &Passage, request: &Request) -> Option<String> {
    let reference = reference.split('#').next().unwrap_or_default();
    let scheme = request.scheme.as_str();
    let (authority, rest) = match reference.split_once("://") {
        Some((named, rest)) if named.eq_ignore_ascii_case(scheme) => cut_authority(rest),
        // What looks like a scheme behind the path is part of a path or query.
        Some((named, _)) if !named.contains(['/', '?']) => return None,
        Some(_) | None => match reference.strip_prefix("//") {
            Some(rest) => cut_authority(rest),
            None => ("", reference),
        },
    };
    if !authority.is_empty() {
        let own = request.authority.as_deref()?;
        let same = with_port(authority, request.scheme) == with_port(own, request.scheme);
        let target = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        return same.then_some(target);
    }
    let path = passage.target.split('?').next().unwrap_or_default();
    match rest.bytes().next() {
        None => Some(passage.target.clone()),
        Some(b'/') => Some(rest.to_owned()),
        Some(b'?') => Some(format!("{path}{rest}")),
        Some(_) => {
            let directory = &path[..path.rfind('/').map_or(0, |slash| slash + 1)];
            Some(format!("{directory}{rest}"))
        }
    }
}

/// What of `host:port/path?query` is the authority.
fn cut_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

/// A host in lower case, and its port, given or not.
fn with_port(authority: &str, scheme: Scheme) -> (String, String) {
    let host = host_of(authority);
    let port = authority[host.len()..].trim_start_matches(':');
    let default = match scheme {
        Scheme::Http => "80",
        Scheme::Https => "443",
    };
    (host.to_ascii_lowercase(), if port.is_empty() { default } else { port }.to_owned())
}

#[cfg(test)]
mod tests;
