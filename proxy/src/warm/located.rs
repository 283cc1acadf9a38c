//! Where a listed page is: a URL or a path, and which of the gateway's sites it belongs to.

use http::uri::Authority;

use crate::request::host_of;
use crate::target::{MAX_TARGET, push_encoded};

/// A page of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The site, where the gateway serves several and the URL names one.
    pub site: Option<String>,
    /// Path and query.
    pub target: String,
}

/// Why a text leads to no page here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unlocated {
    /// It is no URL that visitors could ask for.
    #[error("expected a path (`/items/a`) or an http or https URL")]
    Form,
    /// It holds a name, and perhaps a password.
    #[error("a URL with a user name is not asked for")]
    User,
    /// It is too long.
    #[error("it is longer than {MAX_TARGET} bytes")]
    TooLong,
    /// It is a page of another site.
    #[error("the host {0} is not served here")]
    Elsewhere(String),
}

/// Reads a text that lists a page. `hosts` are the sites that are served; where there are none, every host is the gateway's own.
///
/// # Errors
///
/// Why it is no page of this gateway.
pub fn locate(text: &str, hosts: &[String]) -> Result<Located, Unlocated> {
    if text.len() > MAX_TARGET {
        return Err(Unlocated::TooLong);
    }
    // A fragment is for whoever reads the page (RFC 9110 section 4.2.5).
    let url = text.trim().split('#').next().unwrap_or_default();
    if url.starts_with('/') {
        return Ok(Located { site: None, target: encoded(url) });
    }
    let (scheme, rest) = url.split_once("://").ok_or(Unlocated::Form)?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(Unlocated::Form);
    }
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(Unlocated::User);
    }
    let authority: Authority = authority.parse().map_err(|_| Unlocated::Form)?;
    let host = host_of(authority.as_str()).to_ascii_lowercase();
    let site = match hosts {
        [] => None,
        hosts if hosts.contains(&host) => Some(host),
        _ => return Err(Unlocated::Elsewhere(host)),
    };
    let target = encoded(target);
    Ok(Located { site, target: if target.starts_with('/') { target } else { format!("/{target}") } })
}

/// Letters outside ASCII as a browser sends them (RFC 3987 section 3.1).
fn encoded(target: &str) -> String {
    let mut encoded = String::with_capacity(target.len());
    for byte in target.bytes() {
        if byte.is_ascii() { encoded.push(char::from(byte)) } else { push_encoded(&mut encoded, byte) }
    }
    encoded
}

#[cfg(test)]
mod tests;
