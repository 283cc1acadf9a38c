//! The table of routes of a build: each handler and page with what the manifests say about it. Those that are not kept are there
//! as well, so that none of them falls to a broader route that keeps its answers.

use std::collections::BTreeMap;

use evergate_cache::MAX_TAG_LENGTH;

use super::build::Build;
use super::manifest::{Fallback, HeaderText, PagePath, Prerendered, Seconds, Words};
use super::params::{Params, is_dynamic, params_of};
use super::route::{Entry, Window, sort};
use crate::config::Kind;

#[cfg(test)]
mod tests;

/// The routes of a build, in matching order, and what could not be one.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The routes.
    pub(super) entries: Vec<Entry>,
    /// What was left out, and why.
    pub(super) left_out: Vec<String>,
    /// Every path of `app/`, pages that are not kept among them, with the base path.
    pub(super) paths: Vec<String>,
}

impl Table {
    /// Reads a build.
    pub(super) fn read(build: &Build) -> Self {
        let mut table = Self::default();
        let siblings = siblings(build);
        let mut seen = BTreeMap::new();
        for (source, route) in &build.app_paths {
            if INTERNAL.contains(&route.as_str()) {
                continue;
            }
            if is_intercepting(source) {
                table.left_out.push(format!("{source} intercepts navigation inside the application"));
                continue;
            }
            let kind = if source.ends_with("/route") { Kind::Handler } else { Kind::Page };
            // The slots of a page are keys of their own with one path.
            if seen.insert(route, kind).is_some() {
                continue;
            }
            let row =
                Row { build, source, route, kind, built: siblings.get(route.as_str()).map_or(&[], Vec::as_slice) };
            table.paths.push(row.path());
            table.entries.push(row.entry());
        }
        // What remains is in `pages/`.
        for PagePath { page } in build.routes.static_routes.iter().chain(&build.routes.dynamic_routes) {
            if INTERNAL.contains(&page.as_str()) || seen.insert(page, Kind::Page).is_some() {
                continue;
            }
            let mut entry = Entry::new(with_base(&build.routes.base_path, page), Kind::Handler);
            if siblings.contains_key(page.as_str()) {
                entry.note("Prerendered in pages/, which is not imported: write its `revalidate` here.");
            }
            table.entries.push(entry);
        }
        for source in siblings.keys().filter(|source| !seen.contains_key(&(**source).to_owned())) {
            if !INTERNAL.contains(source) {
                table.left_out.push(format!("{source} is prerendered, and in no list of routes"));
            }
        }
        sort(&mut table.entries);
        table
    }
}

/// A path with the base path; `/` is the base path itself.
fn with_base(base: &str, route: &str) -> String {
    match (base, route) {
        ("", route) => route.to_owned(),
        (base, "/") => base.to_owned(),
        (base, route) => format!("{base}{route}"),
    }
}

/// What was built, by the route that it belongs to.
fn siblings(build: &Build) -> BTreeMap<&str, Vec<(&str, &Prerendered)>> {
    let mut siblings: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (path, built) in &build.prerender.routes {
        let source = built.src_route.as_deref().unwrap_or(path);
        siblings.entry(source).or_default().push((path.as_str(), built));
    }
    siblings
}

/// Markers of intercepting routes: `(.)`, `(..)` and `(...)` before a name.
fn is_intercepting(source: &str) -> bool {
    source.split('/').any(|segment| ["(.)", "(..)", "(...)"].iter().any(|marker| segment.starts_with(marker)))
}

/// One line of `app-path-routes-manifest.json`, with what the other manifests know about it.
struct Row<'a> {
    build: &'a Build,
    /// Where it stands in `app/`, with groups and slots, and with `/route` or `/page` at its end.
    source: &'a str,
    /// The path, without the base path.
    route: &'a str,
    kind: Kind,
    /// What was built of it.
    built: &'a [(&'a str, &'a Prerendered)],
}

impl Row<'_> {
    /// The path with the base path.
    fn path(&self) -> String {
        with_base(&self.build.routes.base_path, self.route)
    }

    /// The route.
    fn entry(&self) -> Entry {
        let on_demand = self.build.prerender.dynamic_routes.get(self.route);
        let mut entry = Entry::new(self.path(), self.kind);
        let partial = self.built.iter().any(|(_, built)| built.is_partial())
            || on_demand.is_some_and(|route| route.rendering_mode.as_deref() == Some("PARTIALLY_STATIC"));
        if partial {
            entry.note("It is made for each visitor in part, so it cannot be kept as a whole.");
        }
        if !partial && (on_demand.is_some() || !self.built.is_empty()) {
            self.window(&mut entry);
            if is_dynamic(self.route) {
                entry.closed = on_demand.is_some_and(|route| route.fallback == Fallback::Flag(false));
                self.params(&mut entry);
            }
            self.answers(&mut entry);
        } else {
            // What a page serves matters where it is kept.
            entry.kind = Kind::Handler;
        }
        self.function(&mut entry);
        entry
    }

    /// `revalidate` and `expire`: the shortest of what was built.
    fn window(&self, entry: &mut Entry) {
        let windows: Vec<Window> =
            self.built.iter().map(|(_, built)| window(built.initial_revalidate_seconds)).collect();
        let Some(shortest) = windows.iter().copied().min_by_key(|window| length(*window)) else {
            entry.revalidate = Window::Origin;
            entry.note("Built on demand; no manifest says for how long, so the handler's own headers do. Write its `revalidate` here.");
            return;
        };
        entry.revalidate = shortest;
        // What was built saw no query, and Next.js keeps it under its path alone.
        entry.ignores_query = entry.is_cached();
        if windows.iter().any(|window| *window != shortest) {
            entry.note("Its prerendered paths have windows of different lengths; this is the shortest.");
        }
        let expire = self.built.iter().filter_map(|(_, built)| seconds(built.initial_expire_seconds?)).min();
        match (expire, shortest) {
            // What is dynamic expires at once without saying so, and the configuration takes no 0.
            (Some(0), Window::Seconds(0)) => {}
            (Some(0), _) => entry.note("Next.js says that it expires at once (`expire: 0`), which is left out."),
            (Some(expire), Window::Seconds(window)) if expire < window => {
                entry.note(format!("Next.js says that it expires after {expire} s, before its window ends."));
            }
            (Some(expire), _) if expire <= LONGEST => entry.expire = Some(expire),
            (Some(_) | None, Window::Seconds(window)) if window > DEFAULT_EXPIRE => entry.expire = Some(window),
            (Some(_) | None, Window::Unsaid | Window::Seconds(_) | Window::Forever | Window::Origin) => {}
        }
    }

    /// The parameters of what was built.
    fn params(&self, entry: &mut Entry) {
        let params: Vec<Params> = self.built.iter().filter_map(|(path, _)| params_of(self.route, path)).collect();
        let lost = self.built.len() - params.len();
        if lost > 0 {
            entry.note(format!("{lost} of its prerendered paths are not of its form and are left out."));
        }
        // An empty list says something only where everything else is refused.
        entry.params = (!params.is_empty() || entry.closed).then_some(params);
    }

    /// What the answers that were stored tell.
    fn answers(&self, entry: &mut Entry) {
        let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
        for status in self.built.iter().filter_map(|(_, built)| built.initial_status).filter(|status| *status != 200) {
            *statuses.entry(status).or_default() += 1;
        }
        for (status, times) in statuses {
            let which = if is_dynamic(self.route) {
                format!("{times} of its prerendered paths")
            } else {
                "The build".to_owned()
            };
            entry.note(format!(
                "{which} got the status {status}: redirects, 404 and 410 are kept for `cache.negative_ttl` at most."
            ));
        }
        let refusing = |text: &str| {
            let text = text.to_ascii_lowercase();
            ["no-store", "no-cache", "private"].iter().find(|word| text.contains(**word)).copied()
        };
        if let Some(word) = self.built.iter().find_map(|(_, built)| refusing(&header(built, "cache-control"))) {
            entry.note(format!(
                "It answers with `Cache-Control: {word}`, so it is not kept unless `fetch_cache` says otherwise."
            ));
        }
        if self.built.iter().any(|(_, built)| !header(built, "set-cookie").is_empty()) {
            entry.note("It sets cookies, which are never kept: Next.js replays them to everyone, the gateway declines the answer.");
        }
        self.tags(entry);
    }

    /// Tags that the application gave: those that Next.js derives from the path are implied here too.
    fn tags(&self, entry: &mut Entry) {
        let tags_of = |built: &Prerendered| -> Vec<String> {
            let own = |tag: &&str| !tag.is_empty() && !tag.starts_with("_N_T_");
            header(built, "x-next-cache-tags").split(',').map(str::trim).filter(own).map(str::to_owned).collect()
        };
        let all: Vec<Vec<String>> = self.built.iter().map(|(_, built)| tags_of(built)).collect();
        let Some((first, others)) = all.split_first() else {
            return;
        };
        let everywhere = |tag: &&String| others.iter().all(|tags| tags.contains(tag));
        // Braces would stand for a parameter.
        let usable = |tag: &&String| !tag.contains(['{', '}']) && tag.chars().count() <= MAX_TAG_LENGTH;
        entry.tags = first.iter().filter(everywhere).filter(usable).take(MOST_TAGS).cloned().collect();
        if all.iter().any(|tags| tags.iter().any(|tag| !entry.tags.contains(tag))) {
            entry.note("Some of what was built has further tags; write those that follow a parameter as `tag:{name}`.");
        }
    }

    /// Durations, regions and runtime.
    fn function(&self, entry: &mut Entry) {
        if let Some(function) = self.build.functions.functions.get(self.route) {
            entry.max_duration =
                function.max_duration.and_then(seconds).filter(|seconds| (1..=LONGEST).contains(seconds));
            entry.prefer(function.regions.as_ref().map_or(&[], Words::all));
            entry.runtime = function.runtime.clone().filter(|runtime| ["nodejs", "edge"].contains(&runtime.as_str()));
        }
        if let Some(edge) = self.build.middleware.functions.get(self.source) {
            entry.runtime = Some("edge".to_owned());
            if entry.regions.is_empty() {
                entry.prefer(edge.regions.as_ref().map_or(&[], Words::all));
            }
        }
    }
}

/// A window of a manifest. What is longer than the configuration takes has no end.
fn window(found: Seconds) -> Window {
    match found {
        Seconds::Flag(_) => Window::Forever,
        Seconds::Number(number) => match seconds(number) {
            Some(seconds) if seconds <= LONGEST => Window::Seconds(seconds),
            Some(_) | None => Window::Forever,
        },
    }
}

/// Whole seconds, rounded up: none that is negative or no number.
fn seconds(number: f64) -> Option<u64> {
    std::time::Duration::try_from_secs_f64(number.ceil()).ok().map(|duration| duration.as_secs())
}

/// For comparing windows.
fn length(window: Window) -> u64 {
    match window {
        Window::Seconds(seconds) => seconds,
        Window::Forever | Window::Unsaid | Window::Origin => u64::MAX,
    }
}

/// All lines of a stored header.
fn header(built: &Prerendered, name: &str) -> String {
    let lines = built.initial_headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let texts: Vec<String> = lines
        .map(|(_, text)| match text {
            HeaderText::One(text) => text.clone(),
            HeaderText::Many(texts) => texts.join(","),
        })
        .collect();
    texts.join(",")
}

/// What Next.js adds to every application.
const INTERNAL: [&str; 7] = ["/_not-found", "/_global-error", "/_error", "/_app", "/_document", "/404", "/500"];

/// The longest duration that the configuration takes: about a hundred years.
const LONGEST: u64 = 36_525 * 24 * 60 * 60;

/// `cache.expire` where nothing is said: a year.
const DEFAULT_EXPIRE: u64 = 31_536_000;

/// Most tags of a route: as many as Next.js keeps on an entry.
const MOST_TAGS: usize = 128;
