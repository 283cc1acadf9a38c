//! Routes on their way into a configuration: what is known about a path, and the item of `routes` that says it.

use super::params::{Params, check};
use super::yaml::{Place, Yaml, key, list, value};
use crate::config::{Dynamic, Kind, Param, RoutePattern, Segment};

#[cfg(test)]
mod tests;

/// What is known about one path.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    /// The path, in the conventions of the file system and with the base path.
    pub(super) path: String,
    /// What the operator should know; comments above the item.
    pub(super) notes: Vec<String>,
    /// Whether it is a page.
    pub(super) kind: Kind,
    /// The methods that it exports, where that is known.
    pub(super) methods: Option<Vec<&'static str>>,
    /// `dynamic`.
    pub(super) dynamic: Dynamic,
    /// The window.
    pub(super) revalidate: Window,
    /// Whether the handler sees no query, so that it is not in the key.
    pub(super) ignores_query: bool,
    /// The bound of all staleness, in seconds.
    pub(super) expire: Option<u64>,
    /// What is rendered ahead. Longer lists than [`MOST_PARAMS`] become a comment.
    pub(super) params: Option<Vec<Params>>,
    /// Whether anything else is 404.
    pub(super) closed: bool,
    /// `fetchCache`, where it says something.
    pub(super) fetch_cache: Option<String>,
    /// How long the handler may take, in seconds.
    pub(super) max_duration: Option<u64>,
    /// `preferredRegion`.
    pub(super) regions: Vec<String>,
    /// `runtime`.
    pub(super) runtime: Option<String>,
    /// Tags of its own.
    pub(super) tags: Vec<String>,
}

/// How long an answer is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Window {
    /// Nothing is said: dynamic.
    #[default]
    Unsaid,
    /// So many seconds; 0 is dynamic.
    Seconds(u64),
    /// Until it is invalidated.
    Forever,
    /// As the handler's own headers say.
    Origin,
}

impl Entry {
    /// A path about which nothing else is known yet.
    pub(super) fn new(path: impl Into<String>, kind: Kind) -> Self {
        Self { path: path.into(), kind, ..Self::default() }
    }

    /// Whether the cache has a part in it.
    pub(super) fn is_cached(&self) -> bool {
        if self.fetch_cache.as_deref().is_some_and(|word| ["only-no-store", "force-no-store"].contains(&word)) {
            return false;
        }
        match self.revalidate {
            Window::Unsaid => self.dynamic == Dynamic::ForceStatic,
            Window::Seconds(0) => false,
            Window::Seconds(_) | Window::Forever | Window::Origin => true,
        }
    }

    /// Takes `preferredRegion`. What cannot be the name of a region is told in a comment.
    pub(super) fn prefer(&mut self, regions: &[String]) {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let fits = |name: &&String| (1..=LONGEST_REGION).contains(&name.len()) && name.bytes().all(inside);
        let (regions, others): (Vec<&String>, Vec<&String>) = regions.iter().partition(fits);
        for name in others {
            self.note(format!("It prefers {name}, which is no name of a region here."));
        }
        self.regions = regions.into_iter().cloned().collect();
    }

    /// Adds a comment.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Whether nothing is known but the path.
    pub(super) fn is_bare(&self) -> bool {
        self.notes.is_empty() && self.params.is_none() && self.keys().is_empty()
    }

    /// Writes the item of `routes`.
    pub(super) fn write(&self, yaml: &mut Yaml) {
        let pattern = match RoutePattern::parse(&self.path) {
            Ok(pattern) => pattern,
            Err(expected) => {
                yaml.comment(2, &format!("Left out: {}. A path of the gateway is {expected}.", self.path));
                return;
            }
        };
        for note in &self.notes {
            yaml.comment(2, note);
        }
        let params = self.params.as_deref().map(|params| usable(params, &pattern, yaml));
        let path = value(&self.path, Place::Block);
        // So that the table tells at a glance which of its rows are not cached.
        yaml.line(2, &if self.is_bare() { format!("- path: {path}  # dynamic") } else { format!("- path: {path}") });
        for (key, value) in self.keys() {
            yaml.line(4, &format!("{key}: {value}"));
        }
        if let Some(params) = params {
            self.write_params(&params, yaml);
        }
    }

    /// The keys with one value each.
    fn keys(&self) -> Vec<(&'static str, String)> {
        let text = |text: &String| value(text, Place::Block);
        let revalidate = match self.revalidate {
            Window::Unsaid => None,
            Window::Seconds(seconds) => Some(seconds.to_string()),
            Window::Forever => Some("false".to_owned()),
            Window::Origin => Some("origin".to_owned()),
        };
        let kind = match (self.kind, self.revalidate) {
            // Where the handler's word counts, so does its `Vary`, and the configuration wants no `kind`.
            (Kind::Handler, _) | (Kind::Page, Window::Origin) => None,
            (Kind::Page, Window::Unsaid | Window::Seconds(_) | Window::Forever) => Some("page".to_owned()),
        };
        let dynamic = match self.dynamic {
            Dynamic::Auto => None,
            Dynamic::ForceDynamic => Some("force-dynamic".to_owned()),
            Dynamic::ForceStatic => Some("force-static".to_owned()),
            Dynamic::Error => Some("error".to_owned()),
        };
        let region = match self.regions.as_slice() {
            [] => None,
            // These are words of the configuration's and not names of regions.
            [word] if ["auto", "global", "home"].contains(&word.as_str()) => Some(word.clone()),
            regions => Some(list(regions)),
        };
        [
            ("kind", kind),
            ("methods", self.methods.as_deref().map(list)),
            ("dynamic", dynamic),
            ("revalidate", revalidate),
            ("expire", self.expire.map(|seconds| seconds.to_string())),
            ("query", self.ignores_query.then(|| "ignore".to_owned())),
            ("fetch_cache", self.fetch_cache.as_ref().map(text)),
            ("max_duration", self.max_duration.map(|seconds| seconds.to_string())),
            ("runtime", self.runtime.as_ref().map(text)),
            ("preferred_region", region),
            ("tags", (!self.tags.is_empty()).then(|| list(&self.tags))),
        ]
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| (key, value)))
        .collect()
    }

    /// Writes `params` and `dynamic_params`. The latter without the former would refuse every path.
    fn write_params(&self, params: &[&Params], yaml: &mut Yaml) {
        if params.len() > MOST_PARAMS {
            yaml.comment(4, &format!("{} paths are rendered ahead, too many to list here.", params.len()));
            if self.closed {
                yaml.comment(4, "Anything else is 404 in Next.js: `dynamic_params: false`, once `params` lists them.");
            }
            return;
        }
        if params.is_empty() {
            yaml.line(4, "params: []");
        } else {
            yaml.line(4, "params:");
            for object in params {
                yaml.line(6, &format!("- {}", braces(object)));
            }
        }
        if self.closed {
            yaml.line(4, "dynamic_params: false");
        }
    }
}

/// The objects that the configuration takes; a comment tells of the others.
fn usable<'a>(params: &'a [Params], pattern: &RoutePattern, yaml: &mut Yaml) -> Vec<&'a Params> {
    let mut first = None;
    let usable: Vec<&Params> = params
        .iter()
        .filter(|object| match check(object, pattern) {
            Ok(()) => true,
            Err(expected) => {
                first.get_or_insert(expected);
                false
            }
        })
        .collect();
    if let Some(expected) = first {
        let lost = params.len() - usable.len();
        yaml.comment(2, &format!("{lost} of its params are left out: they are not {expected}."));
    }
    usable
}

fn braces(object: &Params) -> String {
    let pairs: Vec<String> = object
        .iter()
        .map(|(name, param)| {
            let value = match param {
                Param::One(text) => value(text, Place::Flow),
                Param::Many(texts) => list(texts),
            };
            format!("{}: {value}", key(name, Place::Flow))
        })
        .collect();
    if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
}

/// Puts routes into matching order: segment by segment static names, then `[x]`, `[...x]`, `[[...x]]`; then by name; then the
/// shorter first. Paths that are none come last.
pub(super) fn sort(entries: &mut [Entry]) {
    entries.sort_by_cached_key(|entry| match RoutePattern::parse(&entry.path) {
        Ok(pattern) => (0, pattern.segments().iter().map(rank).collect::<Vec<_>>(), String::new()),
        Err(_) => (1, Vec::new(), entry.path.clone()),
    });
}

fn rank(segment: &Segment) -> (u8, String) {
    match segment {
        Segment::Static(name) => (0, name.clone()),
        Segment::Param(name) => (1, name.clone()),
        Segment::CatchAll(name) => (2, name.clone()),
        Segment::OptionalCatchAll(name) => (3, name.clone()),
    }
}

/// Most objects of `params` that are listed. More are a data set, which has its place in a file or at an address.
pub(super) const MOST_PARAMS: usize = 1000;

/// Most bytes of the name of a region.
const LONGEST_REGION: usize = 64;
