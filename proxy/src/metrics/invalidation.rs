//! The labels of invalidations.

use std::time::Duration;

use evergate_cache::Forgetting;

/// What an invalidation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidationKind {
    /// A tag.
    Tag,
    /// A path.
    Path,
    /// The beginning of paths.
    Prefix,
    /// Every page of a route.
    Route,
    /// Every page below a layout.
    Layout,
    /// A group of the handler's (RFC 9875).
    Group,
    /// All.
    All,
}

impl InvalidationKind {
    /// Every kind.
    pub const ALL: [InvalidationKind; 7] = [
        InvalidationKind::Tag,
        InvalidationKind::Path,
        InvalidationKind::Prefix,
        InvalidationKind::Route,
        InvalidationKind::Layout,
        InvalidationKind::Group,
        InvalidationKind::All,
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            InvalidationKind::Tag => "tag",
            InvalidationKind::Path => "path",
            InvalidationKind::Prefix => "prefix",
            InvalidationKind::Route => "route",
            InvalidationKind::Layout => "layout",
            InvalidationKind::Group => "group",
            InvalidationKind::All => "all",
        }
    }
}

/// Every mode, for its label.
pub(super) const MODES: [Forgetting; 3] = [Forgetting::Stale, Forgetting::Delete, Forgetting::Expire(Duration::ZERO)];

/// The label of a mode.
pub(super) fn mode(mode: Forgetting) -> &'static str {
    match mode {
        Forgetting::Stale => "stale",
        Forgetting::Delete => "delete",
        Forgetting::Expire(_) => "expire",
    }
}
