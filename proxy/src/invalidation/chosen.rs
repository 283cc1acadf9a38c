//! What can be named to be forgotten, one thing at a time, and what each name has to look like.

use std::fmt;

use evergate_cache::{MAX_TAG_LENGTH, What};
use serde_json::Value;

use crate::config::{RoutePattern, Segment, known_paths, nearest};
use crate::metrics::InvalidationKind;
use crate::snapshot::{Route, Snapshot};
use crate::tags::layout_tag;
use crate::target::{MAX_TARGET, Target, TargetError, as_sent};

/// One thing that is to be forgotten, in the words of whoever names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// What carries this tag.
    Tag(Box<str>),
    /// What was asked for under this path, in normal form.
    Path(Box<str>),
    /// What was asked for under a path that begins so.
    Prefix(Box<str>),
    /// Every page of a route.
    Route {
        /// Its pattern.
        pattern: Box<str>,
        /// The tag that all of them carry.
        tag: Box<str>,
    },
    /// Every page below a layout, named by the pattern of its folder.
    Layout(Box<str>),
    /// All.
    Everything,
}

/// Why something cannot be named so. The text is what was expected instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Choice {
    /// A tag without a character.
    #[error("a tag of at least one character")]
    EmptyTag,
    /// A tag that no response carries, because it is too long.
    #[error("a tag of at most {MAX_TAG_LENGTH} characters")]
    LongTag,
    /// Neither a path nor a pattern.
    #[error("a path that begins with a slash (`/posts`), without scheme and host: it counts for every host")]
    NotAPath,
    /// A path with a query.
    #[error("the path without `?` and what follows: it counts with every query")]
    Query,
    /// A path with a fragment.
    #[error("the path without `#` and what follows, which no server is told")]
    Fragment,
    /// A path that no visitor can ask for.
    #[error("a path that visitors can ask for ({0})")]
    Target(#[from] TargetError),
    /// Everything, where something was meant that has come out empty perhaps.
    #[error("less than everything; write `/`, or `all`, if everything is meant")]
    Emptied,
    /// A path that is too long to be served.
    #[error("a path of at most {MAX_TARGET} bytes")]
    LongPath,
    /// A pattern in the place of a path.
    #[error("the path of one page; this is a whole route")]
    Pattern,
    /// No route has this pattern.
    #[error("the path of a route as `evergate routes` tells it, `/items/[slug]` say{}", suggestion(.nearest.as_deref()))]
    UnknownRoute {
        /// What was meant, perhaps.
        nearest: Option<String>,
    },
    /// The parameters are not those of the route.
    #[error("parameters that make one path of the route: {0}")]
    Params(String),
    /// No route is below it.
    #[error("`/`, or a folder of the configuration's routes (`/api`, `/items/[slug]`); no route is below this one")]
    UnknownLayout,
}

impl Chosen {
    /// What carries this tag.
    ///
    /// # Errors
    ///
    /// What is no tag.
    pub fn tag(tag: &str) -> Result<Chosen, Choice> {
        if tag.is_empty() {
            return Err(Choice::EmptyTag);
        }
        if tag.chars().nth(MAX_TAG_LENGTH).is_some() {
            return Err(Choice::LongTag);
        }
        Ok(Chosen::Tag(tag.into()))
    }

    /// The page at this path, which is put in normal form as a visitor's is.
    ///
    /// # Errors
    ///
    /// What is no path, or the pattern of a route with parameters.
    pub fn path(path: &str, snapshot: &Snapshot) -> Result<Chosen, Choice> {
        if route_of(path, snapshot).is_some_and(|route| route.pattern.contains('[')) {
            return Err(Choice::Pattern);
        }
        in_normal_form(path, |target| Chosen::Path(target.matched_path().into()))
    }

    /// Every page whose path begins so; a slash at its end is one of the characters that count.
    ///
    /// # Errors
    ///
    /// What is no beginning of a path, and what begins all paths without being written so.
    pub fn prefix(prefix: &str) -> Result<Chosen, Choice> {
        let chosen = in_normal_form(prefix, |target| Chosen::Prefix(target.path().into()))?;
        // Perhaps a script put it together, and a part of it was empty.
        if prefix != "/" && chosen.name() == Some("/") { Err(Choice::Emptied) } else { Ok(chosen) }
    }

    /// Every page of the route with this pattern.
    ///
    /// # Errors
    ///
    /// What is no route of the configuration.
    pub fn route(pattern: &str, snapshot: &Snapshot) -> Result<Chosen, Choice> {
        let route = route_of(pattern, snapshot).ok_or_else(|| unknown_route(pattern, snapshot))?;
        let (pattern, tag) = (route.pattern.as_str().into(), route.tagger.whole_route().into());
        Ok(Chosen::Route { pattern, tag })
    }

    /// The one page of a route that these parameters make.
    ///
    /// # Errors
    ///
    /// What is no route of the configuration, and parameters that are not all of those that it has.
    pub fn page_of(pattern: &str, params: &Value, snapshot: &Snapshot) -> Result<Chosen, Choice> {
        let route = route_of(pattern, snapshot).ok_or_else(|| unknown_route(pattern, snapshot))?;
        let pattern = RoutePattern::parse(&route.pattern).map_err(|_| unknown_route(pattern, snapshot))?;
        let given = params.as_object().is_some_and(|params| !params.is_empty());
        if given && pattern.segments().iter().all(|segment: &Segment| segment.name().is_none()) {
            return Err(Choice::Params("none, because the route has none".to_owned()));
        }
        let entries = Value::Array(vec![params.clone()]).to_string();
        let paths = known_paths(&entries, &pattern)
            .map_err(|expected| Choice::Params(expected.trim_end_matches(" at entry 0").to_owned()))?;
        let path = paths.into_iter().next().ok_or(Choice::NotAPath)?;
        in_normal_form(&path, |target| Chosen::Path(target.matched_path().into()))
    }

    /// Every page below a layout: `/` is the root layout, which is over all of them.
    ///
    /// # Errors
    ///
    /// What is no folder of a route, and what is the root without being written so.
    pub fn layout(folder: &str, snapshot: &Snapshot) -> Result<Chosen, Choice> {
        if !folder.starts_with('/') {
            return Err(Choice::NotAPath);
        }
        let folder = match folder.trim_end_matches('/') {
            "" if folder != "/" => return Err(Choice::Emptied),
            "" => "/",
            folder => folder,
        };
        if folder != "/" && !snapshot.routes.iter().any(|route| route.tagger.is_under(folder)) {
            return Err(Choice::UnknownLayout);
        }
        Ok(Chosen::Layout(folder.into()))
    }

    /// In the terms of the cache.
    pub fn what(&self) -> What {
        match self {
            Chosen::Tag(tag) | Chosen::Route { tag, .. } => What::Tag(tag.clone()),
            Chosen::Path(path) => What::Path(path.clone()),
            Chosen::Prefix(prefix) => What::Prefix(prefix.clone()),
            Chosen::Layout(folder) => What::Tag(layout_tag(folder).into()),
            Chosen::Everything => What::Everything,
        }
    }

    /// Which kind of thing it is.
    pub fn kind(&self) -> InvalidationKind {
        match self {
            Chosen::Tag(_) => InvalidationKind::Tag,
            Chosen::Path(_) => InvalidationKind::Path,
            Chosen::Prefix(_) => InvalidationKind::Prefix,
            Chosen::Route { .. } => InvalidationKind::Route,
            Chosen::Layout(_) => InvalidationKind::Layout,
            Chosen::Everything => InvalidationKind::All,
        }
    }

    /// Its name; all has none.
    pub fn name(&self) -> Option<&str> {
        match self {
            Chosen::Tag(name)
            | Chosen::Path(name)
            | Chosen::Prefix(name)
            | Chosen::Route { pattern: name, .. }
            | Chosen::Layout(name) => Some(name),
            Chosen::Everything => None,
        }
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().as_str())?;
        match self.name() {
            Some(name) => write!(f, " {}", name.escape_debug()),
            None => Ok(()),
        }
    }
}

/// The route with this pattern, whether or not it is written with a slash at its end.
fn route_of<'s>(pattern: &str, snapshot: &'s Snapshot) -> Option<&'s Route> {
    let bare = match pattern.strip_suffix('/') {
        Some("") | None => pattern,
        Some(bare) => bare,
    };
    snapshot.routes.iter().map(AsRef::as_ref).find(|route| route.pattern == bare)
}

fn unknown_route(pattern: &str, snapshot: &Snapshot) -> Choice {
    let patterns: Vec<&str> = snapshot.routes.iter().map(|route| route.pattern.as_str()).collect();
    Choice::UnknownRoute { nearest: nearest(pattern, &patterns).map(str::to_owned) }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!(": did you mean `{nearest}`?")).unwrap_or_default()
}

/// Reads a path as a visitor's is, but that what a browser would encode may stand as people write it.
fn in_normal_form(path: &str, chosen: impl FnOnce(&Target<'_>) -> Chosen) -> Result<Chosen, Choice> {
    if !path.starts_with('/') {
        return Err(Choice::NotAPath);
    }
    if path.contains('#') {
        return Err(Choice::Fragment);
    }
    if path.contains('?') {
        return Err(Choice::Query);
    }
    let path = as_sent(path);
    if path.len() > MAX_TARGET {
        return Err(Choice::LongPath);
    }
    Ok(chosen(&Target::parse(&path)?))
}

#[cfg(test)]
mod tests;
