//! Cache groups: responses of one site that are forgotten together, by the word of its handlers (RFC 9875).

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use sfv::{BareItem, ListEntry, Parser};

use crate::Fields;

/// The groups of a response (RFC 9875 section 2).
pub const CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");
/// The groups that a successful unsafe request makes invalid (RFC 9875 section 3).
pub const CACHE_GROUP_INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");

/// Most groups of one response, and longest name in bytes; what is beyond is left out (RFC 9875 section 2 asks for at least 32
/// of 32).
pub const MAX_GROUPS: usize = 128;
/// See [`MAX_GROUPS`].
pub const MAX_GROUP_NAME: usize = 256;

/// Groups of one site. Two sites may use the same names (RFC 9875 section 2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(Arc<[Box<[u8]>]>);

impl Groups {
    /// The groups that `field` lists, for the site that these bytes name ([`crate::Site::bytes`]). A field that is no List is
    /// ignored whole (RFC 9651 section 4.2), members that are no Strings by themselves.
    pub fn of(fields: &Fields, field: &HeaderName, site: &[u8]) -> Groups {
        if !fields.contains(field) {
            return Groups::default();
        }
        let lines: Vec<&[u8]> = fields.get_all(field).map(HeaderValue::as_bytes).collect();
        let Ok(list) = Parser::parse_list(&lines.join(b",".as_slice())) else { return Groups::default() };
        let name = |member: &ListEntry| match member {
            ListEntry::Item(item) => match &item.bare_item {
                BareItem::String(name) if name.len() <= MAX_GROUP_NAME => Some([site, name.as_bytes()].concat().into()),
                BareItem::String(_)
                | BareItem::Token(_)
                | BareItem::Integer(_)
                | BareItem::Decimal(_)
                | BareItem::ByteSeq(_)
                | BareItem::Boolean(_) => None,
            },
            ListEntry::InnerList(_) => None,
        };
        Groups(list.iter().filter_map(name).take(MAX_GROUPS).collect())
    }

    /// Groups of these names, each with its site.
    pub(crate) fn from_names<'n>(names: impl Iterator<Item = &'n [u8]>) -> Groups {
        Groups(names.map(Box::from).collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The groups in their order, each with its site.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests;
