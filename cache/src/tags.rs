//! Tags: labels that the operator and the application put on responses so that they can be forgotten together.

use std::collections::HashSet;
use std::sync::Arc;

/// Most tags of one response; what is beyond is left out (Next.js has the same limit).
pub const MAX_TAGS: usize = 128;
/// Longest tag, in characters; a longer one is left out, because half of it would be another.
pub const MAX_TAG_LENGTH: usize = 256;

/// The tags of a response, each once, in the order in which they were put on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Arc<[Box<str>]>);

impl Tags {
    /// These tags, within the limits. The first ones count: what the operator says comes before what the handler says.
    pub fn new<'t>(tags: impl IntoIterator<Item = &'t str>) -> Tags {
        let mut seen = HashSet::new();
        let fits = |tag: &&str| !tag.is_empty() && tag.chars().nth(MAX_TAG_LENGTH).is_none();
        Tags(tags.into_iter().filter(fits).filter(|tag| seen.insert(*tag)).take(MAX_TAGS).map(Box::from).collect())
    }

    /// The tags in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// What they take in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.0.iter().map(|tag| tag.len() + size_of::<Box<str>>()).sum()
    }
}

#[cfg(test)]
mod tests;
