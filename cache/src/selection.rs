//! What an invalidation names, how it forgets, and how much it found.

use std::time::Duration;

/// What is to be forgotten, at one upstream or at every one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// What.
    pub what: What,
    /// Where; none is everywhere.
    pub upstream: Option<Box<str>>,
}

/// What is to be forgotten. A path counts under every host, query, variant and method, and with or without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Responses that carry this tag.
    Tag(Box<str>),
    /// Responses of this path, in normal form.
    Path(Box<str>),
    /// Responses of every path that begins with these characters.
    Prefix(Box<str>),
    /// All.
    Everything,
}

/// What becomes of a stored response that is invalidated: the three ways of Next.js.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgetting {
    /// It is stale: served once more while it is revalidated, as far as its policy serves stale responses.
    Stale,
    /// It is gone: the next request waits for a new one.
    Delete,
    /// It is stale now, and gone after this time.
    Expire(Duration),
}

/// How many stored responses an invalidation has found. Those that are being fetched are not counted, though what they bring is
/// as invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// This many.
    Exact(u64),
    /// At most this many: counting them would take as long as there are responses.
    AtMost(u64),
}
