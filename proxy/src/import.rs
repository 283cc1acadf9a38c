//! Importing: a configuration out of what a Next.js application says about itself.
//!
//! There are two places to read it from. A build (`.next`) knows the rules of `next.config`, what was prerendered and for how
//! long; the sources of `app/` know the methods of each handler and its segment config. Both end in a table of routes (`route`)
//! that is written as a commented configuration (`document`, `items`, `yaml`), which `evergate check` accepts.
//!
//! This module reads files and makes text. It refuses to run code of the application, and to copy anything that it does not
//! know. Begin with [`from_build`] and [`from_sources`].

mod build;
mod coverage;
mod document;
mod items;
mod manifest;
mod params;
mod proxy;
mod route;
mod scan;
mod table;
mod yaml;

use std::path::Path;

use build::Build;

pub use build::BuildError;
pub use scan::ScanError;

/// A configuration, and what the one who asked for it should know besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The text of a `config.yaml`.
    pub text: String,
    /// What could not be read; comments in the text say it too.
    pub warnings: Vec<String>,
}

/// Reads a build of Next.js: `folder` is a `.next` or holds one. `upstream` is where `next start` listens.
///
/// # Errors
///
/// When there is no build, or a manifest of it cannot be read.
pub fn from_build(folder: &Path, upstream: &str) -> Result<Imported, BuildError> {
    let build = Build::read(folder)?;
    Ok(Imported { text: document::of_build(&build, upstream), warnings: Vec::new() })
}

/// Reads the sources of a Next.js application: `folder` is its `app/`, or the project that holds one.
///
/// # Errors
///
/// When the folder, or one below it, cannot be read. A file that cannot be understood is a warning.
pub fn from_sources(folder: &Path, upstream: &str) -> Result<Imported, ScanError> {
    let scan = scan::Scan::read(folder)?;
    let text = document::of_sources(&scan.entries, &scan.skipped, upstream);
    Ok(Imported { text, warnings: scan.warnings })
}
