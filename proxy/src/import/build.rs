//! Builds: where the manifests of an application are, and reading them.

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::manifest::{AppPaths, Functions, Middleware, Prerender, Routes};
use crate::regular_file::{self, ReadError};

#[cfg(test)]
mod tests;

/// The manifests of a build.
#[derive(Debug, Default)]
pub(super) struct Build {
    /// Its id, which is in the addresses of its files too.
    pub(super) id: Option<String>,
    /// What stands in `app/`.
    pub(super) app_paths: AppPaths,
    /// Rules of `next.config`.
    pub(super) routes: Routes,
    /// What is kept, and for how long.
    pub(super) prerender: Prerender,
    /// Durations and regions.
    pub(super) functions: Functions,
    /// What runs in the edge runtime.
    pub(super) middleware: Middleware,
}

/// Why a build could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Neither the folder nor a `.next` in it is a build.
    #[error("no build in {}: neither it nor its .next holds {MARK}; run `next build` first", folder.display())]
    NoBuild {
        /// The folder as it was named.
        folder: PathBuf,
    },
    /// A manifest is missing or cannot be read.
    #[error("cannot read {}; run `next build`, which writes it", file.display())]
    Unreadable {
        /// The manifest.
        file: PathBuf,
        /// What the system said.
        #[source]
        io: io::Error,
    },
    /// A manifest is larger than any that Next.js writes.
    #[error("{} is larger than {} MiB", file.display(), LARGEST >> 20)]
    TooLarge {
        /// The manifest.
        file: PathBuf,
    },
    /// A manifest does not have the form that is known.
    #[error("{} is not in the form that Next.js 16 writes", file.display())]
    Malformed {
        /// The manifest.
        file: PathBuf,
        /// What is wrong, and where.
        #[source]
        json: serde_json::Error,
    },
}

impl Build {
    /// Reads the build in `folder`, which is one or holds one as `.next`.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub(super) fn read(folder: &Path) -> Result<Self, BuildError> {
        let candidates = [folder.join(".next"), folder.to_path_buf()];
        let Some(root) = candidates.iter().find(|candidate| candidate.join(MARK).is_file()) else {
            return Err(BuildError::NoBuild { folder: folder.to_path_buf() });
        };
        Ok(Self {
            // Without an id nothing is missing but a hint.
            id: text(&root.join("BUILD_ID")).ok().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()),
            routes: manifest(root, MARK)?,
            app_paths: manifest(root, "app-path-routes-manifest.json")?,
            prerender: manifest(root, "prerender-manifest.json")?,
            functions: manifest(root, "server/functions-config-manifest.json")?,
            middleware: manifest(root, "server/middleware-manifest.json")?,
        })
    }

    /// The manifests whose version is not known, each with what it says and what is known.
    pub(super) fn unknown_versions(&self) -> Vec<(&'static str, u64, u64)> {
        [
            (MARK, self.routes.version, 3),
            ("prerender-manifest.json", self.prerender.version, 4),
            ("server/functions-config-manifest.json", self.functions.version, 1),
            ("server/middleware-manifest.json", self.middleware.version, 3),
        ]
        .into_iter()
        .filter(|(_, found, known)| found != known)
        .collect()
    }
}

fn manifest<T: DeserializeOwned>(root: &Path, name: &str) -> Result<T, BuildError> {
    let file = root.join(name);
    let text = text(&file)?;
    serde_json::from_str(&text).map_err(|json| BuildError::Malformed { file, json })
}

fn text(file: &Path) -> Result<String, BuildError> {
    let unreadable = |io| BuildError::Unreadable { file: file.to_path_buf(), io };
    match regular_file::read(file, LARGEST) {
        Ok(bytes) => String::from_utf8(bytes)
            .map_err(|error| unreadable(io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))),
        Err(ReadError::TooLarge { .. }) => Err(BuildError::TooLarge { file: file.to_path_buf() }),
        Err(error @ (ReadError::NotRegular | ReadError::Io(_))) => Err(unreadable(error.into())),
    }
}

/// The manifest by which a build is known.
const MARK: &str = "routes-manifest.json";

/// Most bytes of a manifest: a million prerendered paths fit.
const LARGEST: u64 = 1 << 30;
