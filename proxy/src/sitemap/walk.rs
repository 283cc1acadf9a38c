//! The way through indexes of sitemaps, with its ends.

use std::collections::{HashSet, VecDeque};

use super::{Sitemap, SitemapError};

/// Most sitemaps of one walk.
pub const MAX_SITEMAPS: usize = 1_000;

/// What is said of a sitemap at which a walk should have begun that has no place for it.
pub fn beyond_walk() -> String {
    format!("it is beyond {MAX_SITEMAPS} sitemaps, and left out")
}

/// How deep indexes may name indexes. Strictly an index names no other (sitemaps.org), which some generators do not know.
pub const MAX_NESTING: usize = 3;

/// A sitemap that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Where it is.
    pub url: String,
    /// How many indexes lead to it.
    depth: usize,
}

/// A walk through sitemaps: where it begins, and where the indexes on the way lead. No place is seen twice.
#[derive(Debug, Default)]
pub struct Walk {
    waiting: VecDeque<Sheet>,
    known: HashSet<String>,
}

/// Why a sitemap is of no use.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// It cannot be read.
    #[error("no sitemap")]
    Unreadable(#[from] SitemapError),
    /// It is an index behind too many others.
    #[error("an index behind {MAX_NESTING} others is not followed")]
    TooDeep,
    /// The walk is long enough.
    #[error("it leads to more than {MAX_SITEMAPS} sitemaps; {0} are left out")]
    TooMany(usize),
}

impl Walk {
    /// A walk that begins at these places, and those of them that are left out, because the walk is long enough.
    pub fn begin(beginnings: impl IntoIterator<Item = String>) -> (Walk, Vec<String>) {
        let mut walk = Walk { waiting: VecDeque::new(), known: HashSet::new() };
        let left_out = beginnings.into_iter().filter(|url| !walk.add(url.clone(), 0)).collect();
        (walk, left_out)
    }

    /// The next sitemap to be read.
    pub fn next_sheet(&mut self) -> Option<Sheet> {
        self.waiting.pop_front()
    }

    /// Takes the document that was found there, and gives back the pages that it lists. `resolve` says where a place is that an
    /// index names.
    ///
    /// # Errors
    ///
    /// Why it, or a part of what it leads to, is left out.
    pub fn take(
        &mut self,
        sheet: &Sheet,
        document: &[u8],
        resolve: impl Fn(&str) -> String,
    ) -> Result<Vec<String>, WalkError> {
        let places = match Sitemap::read(document)? {
            Sitemap::Pages(pages) => return Ok(pages),
            Sitemap::Index(_) if sheet.depth == MAX_NESTING => return Err(WalkError::TooDeep),
            Sitemap::Index(places) => places,
        };
        let refused = places.iter().filter(|place| !self.add(resolve(place), sheet.depth + 1)).count();
        if refused == 0 { Ok(Vec::new()) } else { Err(WalkError::TooMany(refused)) }
    }

    /// Whether there was room for it, or it is known already.
    fn add(&mut self, url: String, depth: usize) -> bool {
        if self.known.contains(&url) {
            return true;
        }
        if self.known.len() == MAX_SITEMAPS {
            return false;
        }
        self.known.insert(url.clone());
        self.waiting.push_back(Sheet { url, depth });
        true
    }
}
