//! What caches in front are told of: one thing that was invalidated, and how.

use std::fmt;
use std::sync::Arc;

use evergate_cache::{Forgetting, What};

/// One thing that was invalidated, wherever it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// What carries this tag.
    Tag(Arc<str>),
    /// What is at this path, in normal form.
    Path(Arc<str>),
    /// What is at a path that begins like this.
    Prefix(Arc<str>),
    /// All.
    Everything,
}

/// The kinds of what can be invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Tags.
    Tag,
    /// Paths.
    Path,
    /// Beginnings of paths.
    Prefix,
    /// All at once.
    Everything,
}

/// What became of what was invalidated, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// It is stale.
    Stale,
    /// It is stale, and gone in a while.
    Expire,
    /// It is gone.
    Delete,
}

impl Item {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Item::Tag(_) => Kind::Tag,
            Item::Path(_) => Kind::Path,
            Item::Prefix(_) => Kind::Prefix,
            Item::Everything => Kind::Everything,
        }
    }

    /// What it takes in memory beside itself, in bytes.
    pub(super) fn size(&self) -> usize {
        match self {
            Item::Tag(text) | Item::Path(text) | Item::Prefix(text) => text.len(),
            Item::Everything => 0,
        }
    }
}

impl From<&What> for Item {
    fn from(what: &What) -> Item {
        match what {
            What::Tag(tag) => Item::Tag(Arc::from(&**tag)),
            What::Path(path) => Item::Path(Arc::from(&**path)),
            What::Prefix(prefix) => Item::Prefix(Arc::from(&**prefix)),
            What::Everything => Item::Everything,
        }
    }
}

impl fmt::Display for Item {
    /// For the log, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Tag(text) | Item::Path(text) | Item::Prefix(text) => {
                write!(f, "{} {}", self.kind().as_str(), text.escape_debug())
            }
            Item::Everything => f.write_str(Kind::Everything.as_str()),
        }
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 4] = [Kind::Tag, Kind::Path, Kind::Prefix, Kind::Everything];

    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Tag => "tag",
            Kind::Path => "path",
            Kind::Prefix => "prefix",
            Kind::Everything => "everything",
        }
    }
}

impl Mode {
    /// Its name in what is sent.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Mode::Stale => "stale",
            Mode::Expire => "expire",
            Mode::Delete => "delete",
        }
    }
}

impl From<Forgetting> for Mode {
    fn from(forgetting: Forgetting) -> Mode {
        match forgetting {
            Forgetting::Stale => Mode::Stale,
            Forgetting::Expire(_) => Mode::Expire,
            Forgetting::Delete => Mode::Delete,
        }
    }
}
