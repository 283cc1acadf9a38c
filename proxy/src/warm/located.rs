//! Where a listed page is: a URL or a path, and which of the gateway's sites it belongs to.

use http::uri::Authority;

use crate::request::host_of;
use crate::target::{MAX_TARGET, as_sent};

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
        return located(None, url);
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
    if target.starts_with('/') { located(site, target) } else { located(site, &format!("/{target}")) }
}

/// The page at a target that may stand as people write it.
fn located(site: Option<String>, written: &str) -> Result<Located, Unlocated> {
    let target = as_sent(written).into_owned();
    if target.len() > MAX_TARGET { Err(Unlocated::TooLong) } else { Ok(Located { site, target }) }
}

#[cfg(test)]
mod tests;
