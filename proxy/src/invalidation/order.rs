//! An operator's order to forget, as `POST /invalidate` takes it: JSON in, an [`Invalidation`] or every problem of it out.

mod entries;

use std::time::Duration;

use evergate_cache::{Count, Forgetting};
use serde_json::{Value, json};

use super::{Choice, Chosen, Invalidation, Refresh, Source, count_told, mode_told};
use crate::config::{nearest, read_duration, words};
use crate::snapshot::Snapshot;
use entries::Entries;

/// Longest order, in bytes.
pub const MAX_ORDER: usize = 1 << 20;

/// Most things that one order names.
pub const MAX_CHOSEN: usize = 4096;

/// Most problems that are told of one order; the others are counted.
const MAX_PROBLEMS: usize = 100;

/// Longest piece of an order that a problem repeats, in characters.
const LONGEST_QUOTE: usize = 80;

/// The keys of an order.
const KEYS: [&str; 9] = ["tags", "paths", "prefixes", "routes", "layouts", "all", "mode", "refresh", "upstream"];

/// What an operator wants forgotten.
#[derive(Clone, Debug)]
pub struct Order(Invalidation);

/// Why an order is none. Nothing is forgotten then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// It is not JSON.
    #[error("the body is not JSON ({0})")]
    NotJson(String),
    /// It is JSON, and not an object.
    #[error("the body is not an object like {EXAMPLE}")]
    NotAnObject,
    /// Something in it is wrong.
    #[error("{} problems", .0.len())]
    Problems(Vec<String>),
}

const EXAMPLE: &str = "{\"tags\": [\"posts\"]}";

impl Order {
    /// Reads the body of a request.
    ///
    /// # Errors
    ///
    /// An [`OrderError`] with everything that is wrong with it.
    pub fn read(body: &[u8], snapshot: &Snapshot) -> Result<Order, OrderError> {
        let entries: Entries = serde_json::from_slice(body).map_err(|error| match error.is_data() {
            true => OrderError::NotAnObject,
            false => OrderError::NotJson(error.to_string()),
        })?;
        let mut reading = Reading { snapshot, chosen: Vec::new(), problems: Vec::new(), untold: 0 };
        let invalidation = reading.read(&entries);
        if reading.problems.is_empty() {
            return Ok(Order(invalidation));
        }
        let Reading { mut problems, untold, .. } = reading;
        if untold > 0 {
            problems.push(format!("and {untold} more"));
        }
        Err(OrderError::Problems(problems))
    }

    /// What is to be done.
    pub fn invalidation(&self) -> &Invalidation {
        &self.0
    }

    /// How it was understood and how much it found, for programs.
    pub fn answered(&self, count: Count) -> Value {
        let Invalidation { chosen, upstream, mode, refresh, source: _ } = &self.0;
        let one = |chosen: &Chosen| {
            let name = chosen.name().map_or(Value::Bool(true), Value::from);
            json!({ chosen.kind().as_str(): name })
        };
        json!({
            "mode": mode_told(*mode),
            "refresh": *refresh == Refresh::AtOnce,
            "upstream": upstream,
            "matched": count_told(count),
            "selected": chosen.iter().map(one).collect::<Vec<_>>(),
        })
    }
}

/// An order that is being read.
struct Reading<'s> {
    snapshot: &'s Snapshot,
    chosen: Vec<Chosen>,
    problems: Vec<String>,
    /// How many problems there are beyond those that are told.
    untold: usize,
}

impl Reading<'_> {
    fn read(&mut self, entries: &Entries) -> Invalidation {
        for (key, _) in entries.iter().filter(|(key, _)| !KEYS.contains(key)) {
            let expected = match nearest(key, &KEYS) {
                Some(meant) => format!("a known key: did you mean `{meant}`?"),
                None => format!("one of {}", words(&KEYS)),
            };
            self.problem(&quoted(key), "an unknown key", &expected);
        }
        for key in entries.repeated() {
            self.problem(&quoted(key), "the key again", "each key once");
        }
        let snapshot = self.snapshot;
        self.list(entries, "tags", Chosen::tag);
        self.list(entries, "paths", |path| Chosen::path(path, snapshot));
        self.list(entries, "prefixes", Chosen::prefix);
        self.routes(entries);
        self.list(entries, "layouts", |folder| Chosen::layout(folder, snapshot));
        if self.flag(entries, "all") {
            self.chosen.push(Chosen::Everything);
        }
        let refresh = if self.flag(entries, "refresh") { Refresh::AtOnce } else { Refresh::WhenAsked };
        let (mode, upstream) = (self.mode(entries), self.upstream(entries));
        if self.chosen.is_empty() && self.problems.is_empty() {
            let expected = "at least one of `tags`, `paths`, `prefixes`, `routes` and `layouts`, or `all: true`";
            self.problem("", "nothing that is to be forgotten", expected);
        }
        if self.chosen.len() > MAX_CHOSEN {
            let found = format!("{} things that are to be forgotten", self.chosen.len());
            self.problem("", &found, &format!("at most {MAX_CHOSEN}"));
        }
        let chosen = std::mem::take(&mut self.chosen);
        Invalidation { chosen, upstream, mode, refresh, source: Source::Admin }
    }

    fn problem(&mut self, place: &str, found: &str, expected: &str) {
        if self.problems.len() == MAX_PROBLEMS {
            self.untold += 1;
            return;
        }
        let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
        self.problems.push(format!("{place}found {found}, expected {expected}"));
    }

    /// The items of a list; none where it is left out.
    fn items<'e>(&mut self, entries: &'e Entries, key: &str, of: &str) -> &'e [Value] {
        match entries.get(key) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(items)) => items,
            Some(other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_))) => {
                self.problem(key, &shown(other), &format!("a list of {of}"));
                &[]
            }
        }
    }

    fn list(&mut self, entries: &Entries, key: &str, choose: impl Fn(&str) -> Result<Chosen, Choice>) {
        for (index, item) in self.items(entries, key, "texts").iter().enumerate() {
            match item.as_str() {
                Some(text) => self.choose(choose(text), &format!("{key}[{index}]"), item),
                None => self.problem(&format!("{key}[{index}]"), &shown(item), "a text"),
            }
        }
    }

    fn routes(&mut self, entries: &Entries) {
        let snapshot = self.snapshot;
        for (index, item) in self.items(entries, "routes", "routes").iter().enumerate() {
            let place = format!("routes[{index}]");
            match item {
                Value::String(pattern) => self.choose(Chosen::route(pattern, snapshot), &place, item),
                Value::Object(object) => match (object.get("route"), object.get("params"), object.len()) {
                    (Some(Value::String(pattern)), None, 1) => {
                        self.choose(Chosen::route(pattern, snapshot), &place, item);
                    }
                    (Some(Value::String(pattern)), Some(params), 2) => {
                        self.choose(Chosen::page_of(pattern, params, snapshot), &place, item);
                    }
                    (Some(_) | None, Some(_) | None, _) => self.problem(&place, &shown(item), A_ROUTE),
                },
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                    self.problem(&place, &shown(item), A_ROUTE);
                }
            }
        }
    }

    fn choose(&mut self, chosen: Result<Chosen, Choice>, place: &str, item: &Value) {
        match chosen {
            Ok(chosen) => self.chosen.push(chosen),
            Err(expected) => self.problem(place, &shown(item), &expected.to_string()),
        }
    }

    fn flag(&mut self, entries: &Entries, key: &str) -> bool {
        match entries.get(key) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other @ (Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_))) => {
                self.problem(key, &shown(other), "`true` or `false`");
                false
            }
        }
    }

    fn mode(&mut self, entries: &Entries) -> Forgetting {
        let given = match entries.get("mode") {
            None | Some(Value::Null) => return Forgetting::Stale,
            Some(given) => given,
        };
        let after = match given {
            Value::String(word) if word == "stale" => return Forgetting::Stale,
            Value::String(word) if word == "delete" => return Forgetting::Delete,
            Value::Object(object) if object.len() == 1 => object.get("expire"),
            Value::String(_) | Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                None
            }
        };
        let Some(after) = after else {
            self.problem("mode", &shown(given), "`stale`, `delete` or `{\"expire\": \"5m\"}`");
            return Forgetting::Stale;
        };
        let read = match after {
            Value::Number(number) => read_duration(&number.to_string()),
            Value::String(text) => read_duration(text),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => read_duration(""),
        };
        match read {
            Ok(after) => expiring(after),
            Err(expected) => {
                self.problem("mode.expire", &shown(after), &expected);
                Forgetting::Stale
            }
        }
    }

    fn upstream(&mut self, entries: &Entries) -> Option<Box<str>> {
        let given = entries.get("upstream").filter(|given| !given.is_null())?;
        let names: Vec<&str> = self.snapshot.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
        match given.as_str() {
            Some(name) if names.contains(&name) => return Some(name.into()),
            Some(_) | None => {}
        }
        let expected = match given.as_str().and_then(|name| nearest(name, &names)) {
            Some(meant) => format!("the name of an upstream: did you mean `{meant}`?"),
            None => format!("the name of an upstream: {}", words(&names)),
        };
        self.problem("upstream", &shown(given), &expected);
        None
    }
}

/// What expires at once is gone at once (`revalidateTag(tag, { expire: 0 })` of Next.js).
pub(super) fn expiring(after: Duration) -> Forgetting {
    if after.is_zero() { Forgetting::Delete } else { Forgetting::Expire(after) }
}

/// A piece of an order, as a problem shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", quoted(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            format!("`{}`", quoted(&value.to_string()).replace("\\\"", "\""))
        }
    }
}

/// A text, not longer than a line should be.
pub(super) fn quoted(text: &str) -> String {
    let mut quote: String = text.chars().take(LONGEST_QUOTE).collect();
    if quote.len() < text.len() {
        quote.push('…');
    }
    quote.escape_debug().to_string()
}

const A_ROUTE: &str = "a route (`\"/items/[slug]\"`), or a page of it \
                       (`{\"route\": \"/items/[slug]\", \"params\": {\"slug\": \"a\"}}`)";

#[cfg(test)]
mod tests;
