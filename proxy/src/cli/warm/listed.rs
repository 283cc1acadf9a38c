//! The pages that are to be warmed up, each once, in the order in which they were named.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, stdin};

use crate::warm::{MAX_PAGES, Problem};

/// Longest file of URLs, in bytes.
const MAX_FILE: u64 = 1 << 30;

/// Pages that were named.
pub(super) struct Listed {
    urls: Vec<String>,
    known: HashSet<String>,
    /// The most that are kept.
    most: usize,
    /// Whether that is because somebody wanted no more.
    wanted: bool,
    /// The first that had no place.
    left_out: Option<String>,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListError {
    #[error("cannot read {file}")]
    Unreadable {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error("{0} is longer than {MAX_FILE} bytes")]
    TooLong(String),
}

/// Whether there is room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Left,
    Full,
}

impl Listed {
    /// Nothing yet, and room for `limit` pages.
    pub(super) fn new(limit: Option<usize>) -> Listed {
        let most = limit.unwrap_or(MAX_PAGES).min(MAX_PAGES);
        let wanted = limit.is_some_and(|limit| limit <= MAX_PAGES);
        Listed { urls: Vec::new(), known: HashSet::new(), most, wanted, left_out: None }
    }

    /// Adds a page, unless it is there already.
    pub(super) fn add(&mut self, url: &str) -> Room {
        if self.known.contains(url) {
            return Room::Left;
        }
        if self.urls.len() == self.most {
            self.left_out.get_or_insert_with(|| url.to_owned());
            return Room::Full;
        }
        self.known.insert(url.to_owned());
        self.urls.push(url.to_owned());
        Room::Left
    }

    /// Adds the lines of a file; `-` is standard input.
    pub(super) async fn read(&mut self, file: &Path) -> Result<(), ListError> {
        let is_input = file == Path::new("-");
        let name = if is_input { "standard input".to_owned() } else { PathBuf::from(file).display().to_string() };
        let read = async {
            if is_input { self.read_lines(stdin()).await } else { self.read_lines(File::open(file).await?).await }
        };
        match read.await {
            Ok(length) if length > MAX_FILE => Err(ListError::TooLong(name)),
            Ok(_) => Ok(()),
            Err(source) => Err(ListError::Unreadable { file: name, source }),
        }
    }

    /// How many bytes were read.
    async fn read_lines(&mut self, source: impl AsyncRead + Unpin) -> io::Result<u64> {
        let mut lines = BufReader::new(source.take(MAX_FILE + 1));
        let (mut line, mut length) = (String::new(), 0);
        loop {
            line.clear();
            let read = lines.read_line(&mut line).await?;
            length += read as u64;
            let url = line.trim_start_matches('\u{feff}').trim();
            let full = !url.is_empty() && !url.starts_with('#') && self.add(url) == Room::Full;
            if read == 0 || full {
                return Ok(length);
            }
        }
    }

    /// What is to be said of the pages that had no place, where nobody wanted it so.
    pub(super) fn left_out(&self) -> Option<Problem> {
        let first = self.left_out.as_ref().filter(|_| !self.wanted)?;
        Some(Problem::new(first, format!("it and what comes after it is beyond {MAX_PAGES} pages, and left out")))
    }

    /// The pages.
    pub(super) fn into_urls(self) -> Vec<String> {
        self.urls
    }
}

#[cfg(test)]
mod tests;
