//! Programs of others that some tests need; `make test` installs them.

use std::path::{Path, PathBuf};

/// `promtool`, which checks recording and alerting rules: what `PROMTOOL` names, otherwise `tests/.tools/promtool`,
/// otherwise the one on the search path.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn promtool() -> PathBuf {
    find("PROMTOOL", &["promtool"], &["promtool", "bin/promtool"])
}

/// `node`, which runs the Next.js application: what `NODE` names, otherwise `tests/.tools/node/bin/node`, otherwise the
/// one on the search path.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn node() -> PathBuf {
    find("NODE", &["node"], &["node/bin/node", "bin/node"])
}

/// `chromium`, the browser whose pages ask the gateway: what `CHROMIUM` names, otherwise the one on the search path,
/// under any of the names that it has there.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn chromium() -> PathBuf {
    find("CHROMIUM", &["chromium", "chromium-browser", "google-chrome"], &[])
}

/// Looks where a variable says, then among the installed tools, then on the search path.
fn find(variable: &str, names: &[&str], installed: &[&str]) -> PathBuf {
    if let Some(named) = std::env::var_os(variable) {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "{variable} names {}, which is not a file", named.display());
        return named;
    }
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools");
    let ours = installed.iter().map(|place| tools.join(place));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let theirs = names.iter().flat_map(|name| directories.iter().map(move |directory| directory.join(name)));
    let found = ours.chain(theirs).find(|place| place.is_file());
    found.unwrap_or_else(|| panic!("there is no {}: `make test` installs it, or name one in {variable}", names[0]))
}
