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
    /// How many nodes there are below the root.
    nodes: usize,
}

/// One level of the tree.
#[derive(Debug, Default)]
struct Node {
    statics: HashMap<Box<str>, Node>,
    param: Option<Box<(String, Node)>>,
    catch_all: Option<(String, usize)>,
    optional_catch_all: Option<(String, usize)>,
    route: Option<usize>,
}

/// The route that was found, and what its dynamic segments stand for.
#[derive(Clone, Debug)]
pub struct Matched<'a> {
    /// Place of the route in the list that the table was made from.
    pub route: usize,
    bindings: Vec<Binding<'a>>,
}

impl RouteTable {
    /// A table of `patterns`, which the configuration has checked against each other.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a RoutePattern>) -> RouteTable {
        let mut table = RouteTable::default();
        for (index, pattern) in patterns.into_iter().enumerate() {
            table.nodes += table.root.insert(pattern.segments(), index);
        }
        table
    }

    /// The most specific route for `path` (in normal form, without a trailing slash).
    pub fn find<'a>(&'a self, path: &'a str) -> Option<Matched<'a>> {
        let rest = path.strip_prefix('/').filter(|rest| !rest.is_empty());
        let mut way = Way::default();
        let route = self.root.find(rest, &mut way);
        debug_assert!(way.nodes <= self.nodes + 1, "{path}: {} nodes of {} were looked at", way.nodes, self.nodes);
        Some(Matched { route: route?, bindings: way.bindings })
    }
}

/// The way of a look-up through the table.
#[derive(Debug, Default)]
struct Way<'a> {
    bindings: Vec<Binding<'a>>,
    /// How many nodes it came to.
    nodes: usize,
}

/// A name and the undecoded part of the path that it stands for.
#[derive(Clone, Debug)]
struct Binding<'a> {
    name: &'a str,
    value: &'a str,
    many: bool,
}

impl Binding<'_> {
    fn decoded(&self) -> (String, Param) {
        let value = if self.many {
            Param::Many(self.value.split('/').map(|segment| decode(segment).into_owned()).collect())
        } else {
            Param::One(decode(self.value).into_owned())
        };
        (self.name.to_owned(), value)
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
            [Segment::Param(name), rest @ ..] => {
                let (_, node) = &mut **self.param.get_or_insert_with(|| Box::new((name.clone(), Node::default())));
                return fresh(node) + node.insert(rest, index);
            }
            // The configuration has made sure that these come last.
            [Segment::CatchAll(name), ..] => self.catch_all = Some((name.clone(), index)),
            [Segment::OptionalCatchAll(name), ..] => self.optional_catch_all = Some((name.clone(), index)),
        }
        0
    }

    /// Whether no route has come here yet.
    fn is_empty(&self) -> bool {
        let Node { statics, param, catch_all, optional_catch_all, route } = self;
        statics.is_empty() && param.is_none() && catch_all.is_none() && optional_catch_all.is_none() && route.is_none()
    }

    /// `rest` is what of the path is left, none at its end. The bindings of a branch that leads nowhere are taken back.
    fn find<'a>(&'a self, rest: Option<&'a str>, way: &mut Way<'a>) -> Option<usize> {
        way.nodes += 1;
        let Some(rest) = rest else {
            // `[[...x]]` at its root gives no key.
            return self.route.or(self.optional_catch_all.as_ref().map(|(_, route)| *route));
        };
        let (segment, remaining) = match rest.split_once('/') {
            Some((segment, remaining)) => (segment, Some(remaining)),
            None => (rest, None),
        };
        if let Some(node) = self.statics.get(segment)
            && let Some(route) = node.find(remaining, way)
        {
            return Some(route);
        }
        if let Some((name, node)) = self.param.as_deref() {
            way.bindings.push(Binding { name, value: segment, many: false });
            if let Some(route) = node.find(remaining, way) {
                return Some(route);
            }
            way.bindings.pop();
        }
        let (name, route) = self.catch_all.as_ref().or(self.optional_catch_all.as_ref())?;
        way.bindings.push(Binding { name, value: rest, many: true });
        Some(*route)
    }
}

impl Matched<'_> {
    /// Names and decoded values of the dynamic segments, in the order of the path.
    pub fn params(&self) -> Vec<(String, Param)> {
        self.bindings.iter().map(Binding::decoded).collect()
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
