//! The route table: which route a path belongs to, most specific first, as Next.js orders them.

use std::collections::HashMap;

use crate::config::{Param, RoutePattern, Segment};
use crate::target::decode;

/// Routes by path. Segment by segment a static name comes first, then `[x]`, then `[...x]`, then `[[...x]]`, whatever the
/// order in the file; the look-up's cost depends on the path's length, not on the number of routes.
///
/// A path leads into both the static and the `[x]` branch only where the table has both, and back out of the first when it
/// leads nowhere. Each node is at one depth and below one parent, so that a look-up comes to it at most once: whatever a
/// visitor asks for, no more is looked at than the operator wrote down.
#[derive(Debug, Default)]
pub struct RouteTable {
    root: Node,
    patterns: Vec<RoutePattern>,
    /// How many nodes there are below the root.
    nodes: usize,
}

/// One level of the tree.
#[derive(Debug, Default)]
struct Node {
    statics: HashMap<Box<str>, Node>,
    param: Option<Box<Node>>,
    catch_all: Option<usize>,
    optional_catch_all: Option<usize>,
    route: Option<usize>,
}

/// The route that was found. What its dynamic segments stand for is read from the path when it is asked for: a hit never asks.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'a> {
    /// Place of the route in the list that the table was made from.
    pub route: usize,
    pattern: &'a [Segment],
    path: &'a str,
}

impl RouteTable {
    /// A table of `patterns`, which the configuration has checked against each other.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a RoutePattern>) -> RouteTable {
        let mut table = RouteTable::default();
        for (index, pattern) in patterns.into_iter().enumerate() {
            table.nodes += table.root.insert(pattern.segments(), index);
            table.patterns.push(pattern.clone());
        }
        table
    }

    /// The most specific route for `path` (in normal form, without a trailing slash).
    pub fn find<'a>(&'a self, path: &'a str) -> Option<Matched<'a>> {
        let mut nodes = 0;
        let route = self.root.find(below_root(path), &mut nodes);
        debug_assert!(nodes <= self.nodes + 1, "{path}: {nodes} nodes of {} were looked at", self.nodes);
        let route = route?;
        Some(Matched { route, pattern: self.patterns.get(route)?.segments(), path })
    }
}

/// What of a path is below its root, none where nothing is.
fn below_root(path: &str) -> Option<&str> {
    path.strip_prefix('/').filter(|rest| !rest.is_empty())
}

/// The first segment of what is left of a path, and what is left then, none at its end.
fn first_segment(rest: &str) -> (&str, Option<&str>) {
    match rest.split_once('/') {
        Some((segment, remaining)) => (segment, Some(remaining)),
        None => (rest, None),
    }
}

impl Node {
    /// Inserts a route, and gives back how many nodes that took.
    fn insert(&mut self, segments: &[Segment], index: usize) -> usize {
        let fresh = |node: &Node| usize::from(node.is_empty());
        match segments {
            [] => self.route = Some(index),
            [Segment::Static(name), rest @ ..] => {
                let node = self.statics.entry(name.as_str().into()).or_default();
                return fresh(node) + node.insert(rest, index);
            }
            [Segment::Param(_), rest @ ..] => {
                let node = self.param.get_or_insert_default();
                return fresh(node) + node.insert(rest, index);
            }
            // The configuration has made sure that these come last.
            [Segment::CatchAll(_), ..] => self.catch_all = Some(index),
            [Segment::OptionalCatchAll(_), ..] => self.optional_catch_all = Some(index),
        }
        0
    }

    /// Whether no route has come here yet.
    fn is_empty(&self) -> bool {
        let Node { statics, param, catch_all, optional_catch_all, route } = self;
        statics.is_empty() && param.is_none() && catch_all.is_none() && optional_catch_all.is_none() && route.is_none()
    }

    /// `rest` is what of the path is left, none at its end; `nodes` counts those that it comes to.
    fn find(&self, rest: Option<&str>, nodes: &mut usize) -> Option<usize> {
        *nodes += 1;
        let Some(rest) = rest else { return self.route.or(self.optional_catch_all) };
        let (segment, remaining) = first_segment(rest);
        if let Some(node) = self.statics.get(segment)
            && let Some(route) = node.find(remaining, nodes)
        {
            return Some(route);
        }
        if let Some(node) = &self.param
            && let Some(route) = node.find(remaining, nodes)
        {
            return Some(route);
        }
        self.catch_all.or(self.optional_catch_all)
    }
}

impl Matched<'_> {
    /// Names and decoded values of the dynamic segments, in the order of the path.
    pub fn params(&self) -> Vec<(String, Param)> {
        let mut params = Vec::new();
        let mut rest = below_root(self.path);
        for segment in self.pattern {
            // `[[...x]]` at its root gives no key; all others have their part of the path.
            let Some(left) = rest else { break };
            let (own, remaining) = first_segment(left);
            match segment {
                Segment::Static(_) => {}
                Segment::Param(name) => params.push((name.clone(), Param::One(decode(own).into_owned()))),
                Segment::CatchAll(name) | Segment::OptionalCatchAll(name) => {
                    let values = left.split('/').map(|segment| decode(segment).into_owned()).collect();
                    params.push((name.clone(), Param::Many(values)));
                }
            }
            rest = remaining;
        }
        params
    }

    /// The parameters as the handler gets them in `x-route-params`: JSON in ASCII, so that it fits in a header field.
    pub fn params_json(&self) -> String {
        let object: serde_json::Map<String, serde_json::Value> = self
            .params()
            .into_iter()
            .map(|(name, value)| match value {
                Param::One(value) => (name, value.into()),
                Param::Many(values) => (name, values.into()),
            })
            .collect();
        ascii(&serde_json::Value::Object(object).to_string())
    }
}

/// JSON with everything outside printable ASCII escaped.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            text.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests;
