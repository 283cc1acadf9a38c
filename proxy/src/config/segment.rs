//! Segment config: the settings of a route that Next.js knows under the same names.
//!
//! See <https://nextjs.org/docs/app/api-reference/file-conventions/route-segment-config>.

use std::borrow::Cow;

use super::node::{Content, Expected, Node};
use super::problem::Report;
use super::quantity::choice;
use super::route::Revalidate;
use super::section::Section;

/// Whether a route may be cached, before `revalidate` says how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dynamic {
    /// `auto` (default): as `revalidate` says.
    #[default]
    Auto,
    /// `force-dynamic`: never, whatever `revalidate` says.
    ForceDynamic,
    /// `force-static`: until it is invalidated where `revalidate` says nothing, and the handler sees nothing of the
    /// visitor: no query, no cookies, no headers.
    ForceStatic,
    /// `error`: until it is invalidated where `revalidate` says nothing, and an answer that cannot be kept is an
    /// error: 500, with the reason.
    Error,
}

/// How far the handler's own `Cache-Control` counts on a route with a window. `Set-Cookie` is never kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FetchCache {
    /// `auto` (default): the answer is kept for the window, unless it says `no-store`, `no-cache` or `private`.
    #[default]
    Auto,
    /// `default-cache`: kept unless it says `no-store`.
    DefaultCache,
    /// `only-cache`: the same, and `no-store` is an error: 500.
    OnlyCache,
    /// `force-cache`: kept whatever it says.
    ForceCache,
    /// `default-no-store`: kept only when it says how long it is good, and does not forbid it.
    DefaultNoStore,
    /// `only-no-store`: never kept, and an answer that asks to be kept is an error: 500.
    OnlyNoStore,
    /// `force-no-store`: never kept.
    ForceNoStore,
}

/// What a route serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// `handler` (default): a Route Handler, or any other service.
    #[default]
    Handler,
    /// `page`: a page of Next.js, which is HTML for browsers and something else for its own router: the headers `rsc`,
    /// `next-router-prefetch` and `next-router-segment-prefetch` and the parameter `_rsc` are in its key and forwarded.
    Page,
}

/// Which servers of the upstream a route prefers. The others are asked when the preferred ones fail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PreferredRegion {
    /// `auto` (default) or `global`: all alike.
    #[default]
    Any,
    /// `home`: those in the region of the gateway (`region` at the top of the file).
    Home,
    /// The name of a region, or a list of them: those in one of these, whichever comes.
    In(Vec<String>),
}

impl Dynamic {
    /// As it is written in the configuration.
    pub fn as_str(self) -> &'static str {
        written(&DYNAMIC, self)
    }
}

impl FetchCache {
    /// As it is written in the configuration.
    pub fn as_str(self) -> &'static str {
        written(&FETCH_CACHE, self)
    }
}

impl Kind {
    /// As it is written in the configuration.
    pub fn as_str(self) -> &'static str {
        written(&KINDS, self)
    }
}

/// The word for a choice; every choice has one.
fn written<T: PartialEq + Copy>(choices: &[(&'static str, T)], chosen: T) -> &'static str {
    choices.iter().find(|(_, choice)| *choice == chosen).map_or("", |(word, _)| word)
}

/// The settings of one route that decide together whether it is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caching {
    /// `dynamic`.
    pub(super) dynamic: Dynamic,
    /// `revalidate`, with what it means where it is left out.
    pub(super) revalidate: Revalidate,
    /// `fetch_cache`.
    pub(super) fetch_cache: FetchCache,
}

impl Caching {
    /// Reads them, and reports those that contradict each other. `prerendered` says whether the route lists parameters,
    /// which opts in to caching as `generateStaticParams` does.
    pub(super) fn read(
        section: &Section<'_>,
        prerendered: bool,
        revalidate: Option<Revalidate>,
        report: &mut Report,
    ) -> Self {
        let dynamic = section.read("dynamic", report, |node| choice(node, &DYNAMIC)).unwrap_or_default();
        let fetch_cache = section.read("fetch_cache", report, |node| choice(node, &FETCH_CACHE)).unwrap_or_default();
        let opts_in = match dynamic {
            Dynamic::Auto => prerendered,
            Dynamic::ForceStatic | Dynamic::Error => true,
            Dynamic::ForceDynamic => false,
        };
        let effective = match (dynamic, revalidate) {
            (Dynamic::ForceDynamic, _) => Revalidate::Dynamic,
            (Dynamic::Auto | Dynamic::ForceStatic | Dynamic::Error, Some(revalidate)) => revalidate,
            (Dynamic::Auto | Dynamic::ForceStatic | Dynamic::Error, None) if opts_in => Revalidate::Forever,
            (Dynamic::Auto | Dynamic::ForceStatic | Dynamic::Error, None) => Revalidate::Dynamic,
        };
        let never = matches!(fetch_cache, FetchCache::OnlyNoStore | FetchCache::ForceNoStore);
        let effective = if never && effective != Revalidate::Origin { Revalidate::Dynamic } else { effective };
        let caching = Self { dynamic, revalidate: effective, fetch_cache };
        caching.check(section, revalidate, report);
        caching
    }

    /// Reports settings that leave nothing of each other. What stands in `defaults` is for the routes that it fits.
    fn check(self, section: &Section<'_>, revalidate: Option<Revalidate>, report: &mut Report) {
        let own = |key: &str| section.get(key).filter(|node| !node.path.starts_with("defaults"));
        if let (Dynamic::Error, Some(Revalidate::Dynamic), Some(node)) = (self.dynamic, revalidate, own("revalidate")) {
            report.add(&node.path, node.found(), "a window: with `dynamic: error` the answer has to be kept");
        }
        let never = matches!(self.fetch_cache, FetchCache::OnlyNoStore | FetchCache::ForceNoStore);
        if let (Dynamic::Error | Dynamic::ForceStatic, true, Some(node)) = (self.dynamic, never, own("fetch_cache")) {
            report.add(
                &node.path,
                node.found(),
                format!("one that keeps answers: with `dynamic: {}` they have to be", self.dynamic.as_str()),
            );
        }
        if let (Dynamic::ForceStatic, Some(_)) = (self.dynamic, own("dynamic")) {
            for node in ["query", "cookies", "vary"].into_iter().filter_map(own) {
                report.add(
                    &node.path,
                    node.found(),
                    "nothing: with `dynamic: force-static` the handler sees none of it",
                );
            }
        }
        if revalidate == Some(Revalidate::Origin) {
            let decides = "nothing: with `revalidate: origin` the handler decides";
            for node in ["dynamic", "fetch_cache", "kind"].into_iter().filter_map(own) {
                report.add(&node.path, node.found(), decides);
            }
        }
    }
}

impl PreferredRegion {
    /// Reads the setting `preferred_region`.
    pub(super) fn read(node: &Node, report: &mut Report) -> Option<Self> {
        if let Content::List(items) = &node.content {
            if items.is_empty() {
                node.refuse("at least one name (`[fra1]`), or `auto`", report);
            }
            return node.read_list(REGIONS, report, region).map(Self::In);
        }
        node.read(report, |node| match node.text().as_deref() {
            Some("auto" | "global") => Ok(Self::Any),
            Some("home") => Ok(Self::Home),
            Some(_) | None => label(node).map(|region| Self::In(vec![region])).map_err(|_| Expected::from(REGIONS)),
        })
    }
}

/// Reads the name of a region in a list, where the words for sorts of regions mean nothing.
fn region(node: &Node) -> Result<String, Expected> {
    match label(node)?.as_str() {
        "auto" | "global" | "home" => Err("the name of a region; `auto`, `global` and `home` stand alone".into()),
        name => Ok(name.to_owned()),
    }
}

/// Reads the setting `kind`.
pub(super) fn kind(node: &Node) -> Result<Kind, Expected> {
    choice(node, &KINDS)
}

/// Reads the name of a region or of a runtime.
pub(super) fn label(node: &Node) -> Result<String, Expected> {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let fits = |text: &Cow<'_, str>| !text.is_empty() && text.len() <= LONGEST_LABEL && text.bytes().all(inside);
    node.text().filter(fits).map(Cow::into_owned).ok_or(Expected::from("a name of letters, digits, `_` and `-`"))
}

const DYNAMIC: [(&str, Dynamic); 4] = [
    ("auto", Dynamic::Auto),
    ("force-dynamic", Dynamic::ForceDynamic),
    ("force-static", Dynamic::ForceStatic),
    ("error", Dynamic::Error),
];

const FETCH_CACHE: [(&str, FetchCache); 7] = [
    ("auto", FetchCache::Auto),
    ("default-cache", FetchCache::DefaultCache),
    ("only-cache", FetchCache::OnlyCache),
    ("force-cache", FetchCache::ForceCache),
    ("default-no-store", FetchCache::DefaultNoStore),
    ("only-no-store", FetchCache::OnlyNoStore),
    ("force-no-store", FetchCache::ForceNoStore),
];

const KINDS: [(&str, Kind); 2] = [("handler", Kind::Handler), ("page", Kind::Page)];

const REGIONS: &str = "`auto`, `global`, `home`, the name of a region, or a list of names (`[fra1, iad1]`)";
const LONGEST_LABEL: usize = 64;
