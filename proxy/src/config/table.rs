//! The table of routes: which patterns cannot stand beside each other.

use std::collections::HashMap;

use super::pattern::{RoutePattern, Segment};

#[cfg(test)]
mod tests;

/// Two routes that cannot stand beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clash {
    /// The route that was there, by its position in the list.
    pub(super) first: usize,
    /// The one that came later.
    pub(super) second: usize,
    /// Why not.
    pub(super) reason: ClashReason,
}

/// Why two routes cannot stand beside each other. These are the rules of Next.js.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClashReason {
    /// They are the same path.
    SamePath,
    /// They give different names to one position.
    TwoNames,
    /// One has `[...x]` and the other `[[...x]]` at one level.
    BothCatchAlls,
    /// One ends where the other continues with `[[...x]]`, so that both match the same path.
    BesideOptional,
}

impl ClashReason {
    /// What would be accepted, to be followed by the place of the other route.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::SamePath => "each path once; the same is",
            Self::TwoNames => "the same name at the same position as in",
            Self::BothCatchAlls => "one kind of catch-all at one level; the other kind is in",
            Self::BesideOptional => "either a path or an optional catch-all that matches it too; the other is",
        }
    }
}

/// Finds the clashes among patterns, at most one for each, in their order.
pub(super) fn clashes(patterns: &[RoutePattern]) -> Vec<Clash> {
    let mut root = Level::default();
    let mut clashes = Vec::new();
    for (second, pattern) in patterns.iter().enumerate() {
        if let Err((first, reason)) = root.insert(pattern.segments(), second) {
            clashes.push(Clash { first, second, reason });
        }
    }
    clashes
}

/// What may follow after the same segments.
#[derive(Debug, Default)]
struct Level {
    /// The route that ends here.
    end: Option<usize>,
    literals: HashMap<String, Level>,
    param: Option<(Named, Box<Level>)>,
    catch_all: Option<Named>,
    optional: Option<Named>,
}

/// The name of a parameter and the route that gave it.
#[derive(Debug)]
struct Named {
    name: String,
    route: usize,
}

impl Level {
    fn insert(&mut self, segments: &[Segment], route: usize) -> Result<(), (usize, ClashReason)> {
        let named = |name: &str| Named { name: name.to_owned(), route };
        let Some((segment, rest)) = segments.split_first() else {
            if let Some(optional) = &self.optional {
                return Err((optional.route, ClashReason::BesideOptional));
            }
            if let Some(first) = self.end {
                return Err((first, ClashReason::SamePath));
            }
            self.end = Some(route);
            return Ok(());
        };
        match segment {
            Segment::Static(text) => {
                let next = self.literals.entry(text.clone()).or_default();
                next.insert(rest, route)
            }
            Segment::Param(name) => {
                let (first, next) = self.param.get_or_insert_with(|| (named(name), Box::default()));
                if first.name != *name {
                    return Err((first.route, ClashReason::TwoNames));
                }
                next.insert(rest, route)
            }
            Segment::CatchAll(name) => {
                if let Some(optional) = &self.optional {
                    return Err((optional.route, ClashReason::BothCatchAlls));
                }
                last(&mut self.catch_all, named(name))
            }
            Segment::OptionalCatchAll(name) => {
                if let Some(catch_all) = &self.catch_all {
                    return Err((catch_all.route, ClashReason::BothCatchAlls));
                }
                if let Some(end) = self.end {
                    return Err((end, ClashReason::BesideOptional));
                }
                last(&mut self.optional, named(name))
            }
        }
    }
}

/// Puts a catch-all, which ends its path, where none may be yet.
fn last(place: &mut Option<Named>, named: Named) -> Result<(), (usize, ClashReason)> {
    match place {
        Some(first) if first.name == named.name => Err((first.route, ClashReason::SamePath)),
        Some(first) => Err((first.route, ClashReason::TwoNames)),
        None => {
            *place = Some(named);
            Ok(())
        }
    }
}
