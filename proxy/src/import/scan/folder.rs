//! Folders of `app/`: which path each stands for, and what is in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::ScanError;

/// A folder, and the path that it stands for.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// Where it is.
    pub(super) place: PathBuf,
    /// The path, in the conventions of the file system and without groups.
    pub(super) route: String,
    /// How far below `app/` it is.
    pub(super) depth: usize,
}

/// What a folder in a folder is.
#[derive(Debug)]
pub(super) enum Step {
    /// A part of the application's paths.
    Into(Folder),
    /// None, by the conventions: a private folder or a slot.
    Past,
    /// None here, and why.
    Skipped(&'static str),
}

/// A file that has a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    /// `route.ts` and its like.
    Route,
    /// `page.tsx` and its like.
    Page,
    /// `layout.tsx` and its like.
    Layout,
}

/// What is in a folder, in the order of names.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Files that have a meaning.
    pub(super) files: Vec<(PathBuf, File)>,
    /// Names of folders.
    pub(super) folders: Vec<String>,
}

impl Folder {
    /// `app/` itself.
    pub(super) fn root(place: PathBuf) -> Self {
        Self { place, route: "/".to_owned(), depth: 0 }
    }

    /// Reads what is in it.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(super) fn list(&self) -> Result<Listed, ScanError> {
        let unreadable = |io| ScanError::Unreadable { path: self.place.clone(), io };
        let mut listed = Listed::default();
        for entry in fs::read_dir(&self.place).map_err(unreadable)? {
            let place = entry.map_err(unreadable)?.path();
            // A name that is no text can be part of no path, and a link that leads nowhere of no application.
            let Some(name) = place.file_name().and_then(OsStr::to_str).map(str::to_owned) else { continue };
            let Ok(kind) = fs::metadata(&place) else { continue };
            if kind.is_dir() {
                listed.folders.push(name);
            } else if let Some(file) = file(&name) {
                listed.files.push((place, file));
            }
        }
        listed.files.sort_by(|one, other| one.0.cmp(&other.0));
        listed.folders.sort();
        Ok(listed)
    }

    /// The folder of this name in it (`shared/lib/router/utils/app-paths.ts`, `interception-routes.ts`).
    pub(super) fn step(&self, name: &str) -> Step {
        let place = self.place.join(name);
        if ["(.)", "(..)", "(...)"].iter().any(|marker| name.starts_with(marker)) {
            return Step::Skipped("intercepts navigation inside the application");
        }
        if name.starts_with('_') || name.starts_with('@') {
            return Step::Past;
        }
        let group = name.starts_with('(') && name.ends_with(')');
        let route = if group {
            self.route.clone()
        } else {
            // So a segment can begin with an underscore; Next.js decodes nothing else.
            format!("{}/{}", self.route.trim_end_matches('/'), name.replace("%5F", "_"))
        };
        Step::Into(Self { place, route, depth: self.depth + 1 })
    }
}

/// Finds `app/`: the folder itself, or `app` or `src/app` of a project, in this order as Next.js does.
///
/// # Errors
///
/// When the folder cannot be read, or is a project without either.
pub(super) fn app_folder(folder: &Path) -> Result<PathBuf, ScanError> {
    let unreadable = |io| ScanError::Unreadable { path: folder.to_path_buf(), io };
    let is_itself = fs::canonicalize(folder).map_err(unreadable)?.file_name() == Some(OsStr::new("app"));
    let mut is_project = false;
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        is_project |= name == "package.json" || name.to_str().is_some_and(|name| name.starts_with("next.config."));
    }
    if is_itself && !is_project {
        return Ok(folder.to_path_buf());
    }
    match [folder.join("app"), folder.join("src/app")].into_iter().find(|candidate| candidate.is_dir()) {
        Some(app) => Ok(app),
        None if is_project => Err(ScanError::NoApp { folder: folder.to_path_buf() }),
        None => Ok(folder.to_path_buf()),
    }
}

/// Whether Next.js takes a file of this ending without being told (`pageExtensions`).
pub(super) fn is_default_extension(place: &Path) -> bool {
    place.extension().and_then(OsStr::to_str).is_some_and(|extension| DEFAULT_EXTENSIONS.contains(&extension))
}

fn file(name: &str) -> Option<File> {
    let (stem, extension) = name.split_once('.')?;
    if !DEFAULT_EXTENSIONS.contains(&extension) && !OTHER_EXTENSIONS.contains(&extension) {
        return None;
    }
    match stem {
        "route" => Some(File::Route),
        "page" => Some(File::Page),
        "layout" => Some(File::Layout),
        _ => None,
    }
}

const DEFAULT_EXTENSIONS: [&str; 4] = ["tsx", "ts", "jsx", "js"];
const OTHER_EXTENSIONS: [&str; 3] = ["mjs", "mts", "cjs"];
