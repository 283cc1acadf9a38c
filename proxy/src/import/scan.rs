//! Scanning: the routes that the files of `app/` make, and their segment config.

mod folder;
mod literal;
mod parser;
mod segment;
mod source;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::params::is_dynamic;
use super::route::{Entry, Window, sort};
use crate::config::{Dynamic, Kind};
use crate::regular_file::{self, ReadError};
use folder::{File, Folder, Step};
use parser::Failure;
use segment::Segment;
use source::Source;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The routes, in matching order.
    pub(super) entries: Vec<Entry>,
    /// What was left out, and why.
    pub(super) skipped: Vec<String>,
    /// Files that could not be understood.
    pub(super) warnings: Vec<String>,
    /// `app/`.
    root: PathBuf,
    /// How long a file may take.
    patience: Duration,
    /// Files that took too long.
    slow: usize,
    /// Folders that were walked.
    folders: usize,
    /// The folders around the one that is walked, without links.
    trail: Vec<PathBuf>,
}

/// Why the sources could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// A project without `app` and `src/app`.
    #[error("no app in {}: neither app nor src/app is there", folder.display())]
    NoApp {
        /// The project.
        folder: PathBuf,
    },
    /// A folder or file that cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        io: io::Error,
    },
    /// No memory for a parser.
    #[error("cannot start the parser")]
    NoRoom(#[source] io::Error),
    /// Files that take the parser too long, one after the other.
    #[error("{} takes too long to understand, after {MOST_SLOW} other", path.display())]
    TooSlow {
        /// The one too many.
        path: PathBuf,
    },
    /// More folders than any application has.
    #[error("{} is more than {DEEPEST} folders deep, or after more than {MOST_FOLDERS}", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
}

impl Scan {
    /// Reads the sources in `folder`, which is an `app/` or a project.
    ///
    /// # Errors
    ///
    /// See [`ScanError`].
    pub(super) fn read(folder: &Path) -> Result<Self, ScanError> {
        Self::read_within(folder, PATIENCE)
    }

    fn read_within(folder: &Path, patience: Duration) -> Result<Self, ScanError> {
        let app = folder::app_folder(folder)?;
        let mut scan = Self { root: app.clone(), patience, ..Self::default() };
        scan.walk(&Folder::root(app), &Segment::default())?;
        sort(&mut scan.entries);
        scan.report_repeated();
        Ok(scan)
    }

    /// Reads a folder and those below it. `above` is what the layouts say that are around it.
    fn walk(&mut self, folder: &Folder, above: &Segment) -> Result<(), ScanError> {
        self.folders += 1;
        if folder.depth > DEEPEST || self.folders > MOST_FOLDERS {
            return Err(ScanError::TooMany { path: folder.place.clone() });
        }
        let unreadable = |io| ScanError::Unreadable { path: folder.place.clone(), io };
        let real = folder.place.canonicalize().map_err(unreadable)?;
        if self.trail.contains(&real) {
            self.skip(&folder.place, "leads back to a folder around it");
            return Ok(());
        }
        self.trail.push(real);
        let listed = folder.list()?;
        let mut inherited = above.clone();
        for (place, _) in listed.files.iter().filter(|(_, file)| *file == File::Layout) {
            // What a layout says counts for pages alone, so a broken one costs handlers nothing.
            if let Some(source) = self.parse(folder, place)? {
                inherited = inherited.below(&source.segment);
            }
        }
        for (place, file) in &listed.files {
            match file {
                File::Layout => {}
                File::Route => {
                    if let Some(source) = self.parse(folder, place)? {
                        self.entries.push(handler(folder, place, &source));
                    }
                }
                File::Page => {
                    if let Some(source) = self.parse(folder, place)? {
                        self.entries.extend(page(folder, &source, &inherited));
                    }
                }
            }
        }
        for name in listed.folders {
            match folder.step(&name) {
                Step::Into(inner) => self.walk(&inner, &inherited)?,
                Step::Past => {}
                Step::Skipped(reason) => self.skip(&folder.place.join(name), reason),
            }
        }
        self.trail.pop();
        Ok(())
    }

    /// Parses a file. One that is not understood is left out with a warning.
    fn parse(&mut self, folder: &Folder, place: &Path) -> Result<Option<Source>, ScanError> {
        match self.understand(place)? {
            Ok(source) => Ok(Some(source)),
            Err(reason) => {
                self.skip(place, &format!("cannot be understood, so {} is missing ({reason})", folder.route));
                self.warnings.push(format!("{}: {reason}", place.display()));
                Ok(None)
            }
        }
    }

    /// What a file says, or why it is not understood.
    fn understand(&mut self, place: &Path) -> Result<Result<Source, String>, ScanError> {
        let bytes = match regular_file::read(place, LARGEST) {
            Ok(bytes) => bytes,
            Err(ReadError::Io(io)) => return Err(ScanError::Unreadable { path: place.to_path_buf(), io }),
            Err(reason @ (ReadError::NotRegular | ReadError::TooLarge { .. })) => return Ok(Err(reason.to_string())),
        };
        let Ok(text) = String::from_utf8(bytes) else { return Ok(Err("not UTF-8".to_owned())) };
        match parser::parse(text, place, self.patience) {
            Ok(source) => Ok(Ok(source)),
            Err(Failure::Wrong(reason)) => Ok(Err(reason)),
            Err(Failure::TooLong) => {
                self.slow += 1;
                if self.slow > MOST_SLOW {
                    return Err(ScanError::TooSlow { path: place.to_path_buf() });
                }
                Ok(Err("takes too long to understand".to_owned()))
            }
            Err(Failure::NoRoom(io)) => Err(ScanError::NoRoom(io)),
        }
    }

    /// Says why something below `app/` was left out.
    fn skip(&mut self, place: &Path, reason: &str) {
        let shown = place.strip_prefix(&self.root).unwrap_or(place);
        self.skipped.push(format!("{} {reason}", shown.display()));
    }

    /// Leaves one of several files for one path, which Next.js refuses.
    fn report_repeated(&mut self) {
        let mut before: Option<String> = None;
        let skipped = &mut self.skipped;
        self.entries.retain(|entry| {
            let again = before.as_deref() == Some(entry.path.as_str());
            if again {
                skipped.push(format!("{} stands in several files, which Next.js refuses", entry.path));
            }
            before = Some(entry.path.clone());
            !again
        });
    }
}

/// The route of a Route Handler. It is cached under the conditions of Next.js, except that other methods in the same file do
/// not end it, and that a dynamic segment needs no `generateStaticParams`.
fn handler(folder: &Folder, place: &Path, source: &Source) -> Entry {
    let mut entry = Entry::new(&folder.route, Kind::Handler);
    entry.notes.clone_from(&source.notes);
    if !folder::is_default_extension(place) {
        entry.note("Next.js takes this file for a handler only where `pageExtensions` lists its ending.");
    }
    let segment = &source.segment;
    entry.methods = source.methods();
    entry.fetch_cache.clone_from(&segment.fetch_cache);
    describe(&mut entry, segment);
    let gets = match &entry.methods {
        Some(methods) => methods.contains(&"GET"),
        None => source.is_open(),
    };
    if entry.methods.is_none() && !source.is_open() {
        entry.note("It exports none of the methods by their names, so Next.js answers 405 to all of them.");
    }
    let cached = segment.revalidate.is_some_and(|window| window != Window::Seconds(0))
        || matches!(segment.dynamic, Some(Dynamic::ForceStatic | Dynamic::Error))
        || source.static_params.is_some();
    entry.dynamic = segment.dynamic.unwrap_or_default();
    if !gets {
        if cached {
            entry.note("Its segment config asks for caching, but it exports no GET.");
        }
        return entry;
    }
    if segment.dynamic == Some(Dynamic::ForceDynamic) {
        if segment.revalidate.is_some_and(|window| window != Window::Seconds(0)) {
            entry.note("`dynamic = 'force-dynamic'` wins over its `revalidate`.");
        }
        return entry;
    }
    if segment.revalidate == Some(Window::Seconds(0)) && segment.dynamic == Some(Dynamic::Error) {
        entry.dynamic = Dynamic::Auto;
        entry.note("`revalidate = 0` wins over its `dynamic = 'error'`.");
    }
    entry.revalidate = match segment.revalidate {
        Some(window) => window,
        None if cached => Window::Forever,
        None => Window::Unsaid,
    };
    if entry.is_cached() {
        params(&mut entry, folder, source);
    }
    entry
}

/// The route of a page that is kept by its own word; none for others, which a build knows better.
fn page(folder: &Folder, source: &Source, above: &Segment) -> Option<Entry> {
    let own = &source.segment;
    if own.revalidate.is_none() && own.dynamic != Some(Dynamic::ForceStatic) {
        return None;
    }
    let segment = above.below(own);
    if segment.dynamic == Some(Dynamic::ForceDynamic) || segment.revalidate == Some(Window::Seconds(0)) {
        return None;
    }
    let mut entry = Entry::new(&folder.route, Kind::Page);
    entry.notes.clone_from(&source.notes);
    entry.revalidate = segment.revalidate.unwrap_or(Window::Forever);
    if segment.revalidate != own.revalidate && segment.revalidate.is_some() {
        entry.note("A layout around it has the shorter window, which counts.");
    }
    entry.dynamic = segment.dynamic.unwrap_or_default();
    describe(&mut entry, &segment);
    params(&mut entry, folder, source);
    Some(entry)
}

/// What handlers and pages say alike.
fn describe(entry: &mut Entry, segment: &Segment) {
    entry.max_duration = segment.max_duration;
    entry.prefer(&segment.regions);
    entry.runtime.clone_from(&segment.runtime);
}

/// `generateStaticParams` and `dynamicParams`. Without a list of parameters nothing is refused.
fn params(entry: &mut Entry, folder: &Folder, source: &Source) {
    if !is_dynamic(&folder.route) {
        return;
    }
    let closed = source.segment.dynamic_params == Some(false);
    match &source.static_params {
        Some(Ok(params)) => {
            // An empty list says something only where everything else is refused.
            entry.params = (!params.is_empty() || closed).then(|| params.clone());
            entry.closed = closed;
        }
        Some(Err(reason)) => {
            entry.note(format!("`params` are not known: generateStaticParams {reason}."));
            if closed {
                entry.note("`dynamicParams = false`: say `dynamic_params: false` once `params` lists them.");
            }
        }
        None if closed => {
            entry.params = Some(Vec::new());
            entry.closed = true;
            entry.note("`dynamicParams = false` without generateStaticParams in this file: every path is 404, unless a layout has it.");
        }
        None => {}
    }
}

/// Most bytes of a source file.
const LARGEST: u64 = 1 << 20;

/// How long a file may take to parse: a hundred times what one of [`LARGEST`] bytes takes that people wrote.
const PATIENCE: Duration = Duration::from_secs(3);

/// Most files that may take longer. Each is left behind with a thread that goes on, and takes hundreds of MiB a second.
const MOST_SLOW: usize = 1;

/// Most folders of an application.
const MOST_FOLDERS: usize = 100_000;

/// How deep folders may be nested.
const DEEPEST: usize = 64;
