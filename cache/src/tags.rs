//! Tags: labels that the operator and the application put on responses so that they can be forgotten together.

use std::collections::HashSet;
use std::sync::Arc;

/// Most tags of one response; what is beyond is left out (Next.js has the same limit), but for what its route implies.
pub const MAX_TAGS: usize = 128;
/// Longest tag, in characters; a longer one is left out, because half of it would be another, unless the route implies it.
pub const MAX_TAG_LENGTH: usize = 256;

/// The tags of a response, each once, in the order in which they were put on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    tags: Arc<[Box<str>]>,
    cut: usize,
}

impl Tags {
    /// These tags, within the limits. The first ones count: what the operator says comes before what the handler says.
    pub fn new<'t>(tags: impl IntoIterator<Item = &'t str>) -> Tags {
        Tags::with_implied([], tags)
    }

    /// All of `implied`, and then `others` within the limits. Implied ones come from the configuration, which bounds them: an
    /// order that names a route or a layout has to find whatever lies there, however long the name is.
    pub fn with_implied<'t>(
        implied: impl IntoIterator<Item = &'t str>,
        others: impl IntoIterator<Item = &'t str>,
    ) -> Tags {
        let (mut seen, mut kept, mut cut) = (HashSet::new(), Vec::new(), 0);
        for tag in implied.into_iter().filter(|tag| !tag.is_empty()) {
            if seen.insert(tag) {
                kept.push(Box::from(tag));
            }
        }
        for tag in others.into_iter().filter(|tag| !tag.is_empty()) {
            let fits = tag.chars().nth(MAX_TAG_LENGTH).is_none() && kept.len() < MAX_TAGS;
            if !fits {
                cut += usize::from(!seen.contains(tag));
            } else if seen.insert(tag) {
                kept.push(Box::from(tag));
            }
        }
        Tags { tags: kept.into(), cut }
    }

    /// The tags in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(AsRef::as_ref)
    }

    /// How many were left out.
    pub fn cut(&self) -> usize {
        self.cut
    }
}

#[cfg(test)]
mod tests;
