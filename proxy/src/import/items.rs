//! Items: the routes as they are written, and what becomes of those that the configuration refuses.

use std::collections::BTreeMap;

use super::route::Entry;
use super::yaml::Yaml;
use crate::config::{self, Problem, Problems};

#[cfg(test)]
mod tests;

/// An item of `routes`.
struct Item {
    written: Yaml,
    is_bare: bool,
    /// Why the configuration does not take it.
    refused: Option<String>,
}

/// Writes `routes`. What the configuration refuses becomes a comment that says why, so that the rest of it is accepted.
pub(super) fn write(entries: &[Entry], yaml: &mut Yaml) {
    let mut items: Vec<Item> = entries.iter().map(Item::new).collect();
    refuse(&mut items);
    // Comments alone would leave nothing behind the key.
    let has_routes = items.iter().any(|item| item.refused.is_none() && item.written.has_items());
    yaml.line(0, if has_routes { "routes:" } else { "routes: []" });
    let mut before_is_bare = None;
    for item in items {
        let is_bare = item.is_bare && item.refused.is_none();
        // Items of one line stand together.
        if before_is_bare.is_some_and(|bare: bool| !bare || !is_bare) {
            yaml.gap();
        }
        item.write(yaml);
        before_is_bare = Some(is_bare);
    }
}

impl Item {
    fn new(entry: &Entry) -> Self {
        let mut written = Yaml::default();
        entry.write(&mut written);
        Self { written, is_bare: entry.is_bare(), refused: None }
    }

    fn write(&self, yaml: &mut Yaml) {
        match &self.refused {
            None => yaml.append(&self.written),
            Some(problem) => {
                yaml.comment(2, &format!("Left out: {problem}"));
                yaml.append_commented(&self.written, 2);
            }
        }
    }
}

/// Finds the items that the configuration refuses. As a rule it takes all of them at once. Otherwise each is tried by itself,
/// and those that pass are tried together again, which finds those that clash.
fn refuse(items: &mut [Item]) {
    if problems(items).is_none() {
        return;
    }
    for item in items.iter_mut() {
        if let Some(problems) = problems(std::slice::from_ref(item)) {
            item.refused = problems.list().first().map(|problem| {
                let setting = problem.path.strip_prefix("routes[0].").unwrap_or(&problem.path);
                format!("{setting}: found {}, expected {}.", problem.found, problem.expected)
            });
        }
    }
    // A clash that is gone leaves no other behind; the limit is for what nobody thought of.
    for _ in 0..MOST_ROUNDS {
        let Some(problems) = problems(items) else { return };
        let clashes: BTreeMap<usize, &Problem> =
            problems.list().iter().rev().filter_map(|problem| Some((position(problem)?, problem))).collect();
        let taken = items.iter_mut().filter(|item| item.refused.is_none() && item.written.has_items());
        for (item, problem) in taken.enumerate().filter_map(|(place, item)| Some((item, *clashes.get(&place)?))) {
            // Where the other one stands in the text that was tried is of no use.
            let expected = problem.expected.rsplit_once(" at routes[").map_or(&*problem.expected, |(short, _)| short);
            item.refused = Some(format!("found {}, expected {expected}. Next.js refuses it, too.", problem.found));
        }
    }
}

/// What the configuration says of the items that were not refused yet.
fn problems(items: &[Item]) -> Option<Problems> {
    let mut text = "upstreams: { next: { servers: [\"127.0.0.1:3000\"], runtime: nodejs } }\nroutes:\n".to_owned();
    for item in items.iter().filter(|item| item.refused.is_none()) {
        item.written.lines().for_each(|line| {
            text.push_str(line);
            text.push('\n');
        });
    }
    config::parse(&text, "", &|_: &str| None).err()
}

/// Which of the routes a problem is about.
fn position(problem: &Problem) -> Option<usize> {
    problem.path.strip_prefix("routes[")?.split_once(']')?.0.parse().ok()
}

/// How often the items are tried together.
const MOST_ROUNDS: usize = 4;
