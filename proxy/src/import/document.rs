//! The document: a whole `config.yaml` of what was imported.

use super::build::Build;
use super::coverage::{Cover, cover, describe};
use super::items;
use super::manifest::Matcher;
use super::proxy::{TrailingSlash, section, trailing_slash};
use super::route::Entry;
use super::table::Table;
use super::yaml::{Place, Yaml, value};

#[cfg(test)]
mod tests;

/// The configuration that a build stands for. `upstream` is the address of `next start`.
pub(super) fn of_build(build: &Build, upstream: &str) -> String {
    let mut table = Table::read(build);
    let mut yaml = Yaml::default();
    yaml.comment(0, "Imported from a build of Next.js by `evergate import next`. `evergate check` checks it.");
    yaml.comment(
        0,
        "No manifest says which methods a handler exports, nor its `dynamic` and `fetchCache`; \
         `evergate import next --scan` reads them from the sources.",
    );
    for (name, found, known) in build.unknown_versions() {
        yaml.comment(
            0,
            &format!(
                "Warning: {name} has version {found}, and {known} is the one that is known. Compare with the build."
            ),
        );
    }
    if build.routes.i18n.is_some() {
        yaml.comment(0, "Warning: paths of this application begin with a language (i18n), which is not imported.");
    }
    yaml.gap();
    match trailing_slash(&build.routes) {
        TrailingSlash::Removed => yaml.line(0, "trailing_slash: redirect"),
        TrailingSlash::Wanted => {
            yaml.comment(
                0,
                "The application wants a slash at the end (`trailingSlash: true`): Next.js redirects to it itself.",
            );
            yaml.line(0, "trailing_slash: ignore");
        }
        TrailingSlash::Ignored => yaml.line(0, "trailing_slash: ignore"),
    }
    yaml.gap();
    upstreams(upstream, &mut table.entries, &mut yaml);
    yaml.gap();
    generation(build, &mut yaml);
    yaml.gap();
    items::write(&table.entries, &mut yaml);
    left_out(&table.left_out, &mut yaml);
    let rules = section(&build.routes, &table.paths);
    if !rules.is_empty() {
        yaml.gap();
        yaml.append(&rules);
    }
    own_proxy(build, &table, &mut yaml);
    yaml.finish()
}

/// The configuration that the sources of an application stand for.
pub(super) fn of_sources(entries: &[Entry], skipped: &[String], upstream: &str) -> String {
    let mut entries = entries.to_vec();
    let mut yaml = Yaml::default();
    yaml.comment(
        0,
        "Read from the sources of a Next.js application by `evergate import next --scan`. `evergate check` checks it.",
    );
    yaml.comment(
        0,
        "What next.config says (basePath, redirects, headers, rewrites) is not in these files; \
         `evergate import next` reads it from a build.",
    );
    yaml.gap();
    upstreams(upstream, &mut entries, &mut yaml);
    yaml.gap();
    items::write(&entries, &mut yaml);
    left_out(skipped, &mut yaml);
    yaml.finish()
}

/// Writes the one upstream, with the label that routes name. `next start` runs the edge runtime too, so a route of it needs
/// no other upstream, and says so in a comment.
fn upstreams(address: &str, entries: &mut [Entry], yaml: &mut Yaml) {
    let mut labelled = false;
    for entry in entries.iter_mut() {
        if entry.runtime.as_deref() == Some("edge") {
            entry.runtime = None;
            entry.note("It runs in the edge runtime. For servers of its own, label an upstream `runtime: edge` and say so here.");
        }
        labelled |= entry.runtime.is_some();
    }
    if entries.iter().any(|entry| entry.regions == ["home"]) {
        yaml.comment(0, "Where this gateway is: routes that prefer `home` mean it.");
        yaml.comment(0, "region: fra1");
        yaml.gap();
    }
    yaml.line(0, "upstreams:");
    yaml.line(2, "next:");
    yaml.line(4, &format!("servers: [{}]", value(address, Place::Flow)));
    if labelled {
        yaml.line(4, "runtime: nodejs");
    }
    let names =
        |entry: &Entry| entry.regions.iter().any(|region| !["auto", "global", "home"].contains(&region.as_str()));
    if entries.iter().any(names) {
        yaml.comment(
            4,
            "Routes prefer regions. Servers that have one say it: { address: \"10.0.0.1:3000\", region: fra1 }",
        );
    }
}

fn generation(build: &Build, yaml: &mut Yaml) {
    let id = build.id.as_ref().map(|id| format!(" The id of this build is {id}.")).unwrap_or_default();
    yaml.comment(0, &format!("A deploy that changes DEPLOY_ID starts with an empty cache.{id}"));
    yaml.comment(0, "cache:");
    yaml.line(0, "#   generation: ${DEPLOY_ID:-}");
}

fn left_out(reasons: &[String], yaml: &mut Yaml) {
    if reasons.is_empty() {
        return;
    }
    yaml.gap();
    yaml.comment(0, "Left out:");
    for reason in reasons.iter().take(MOST_LISTED) {
        yaml.comment(0, &format!("- {reason}"));
    }
    if let Some(more) = reasons.len().checked_sub(MOST_LISTED).filter(|more| *more > 0) {
        yaml.comment(0, &format!("- and {more} more"));
    }
}

/// Says what the application's own proxy file (middleware) is about, and which cached routes lean on it.
fn own_proxy(build: &Build, table: &Table, yaml: &mut Yaml) {
    let edge = build.middleware.middleware.values().flat_map(|function| &function.matchers);
    let node = build.functions.functions.get("/_middleware").into_iter().flat_map(|function| &function.matchers);
    let matchers: Vec<Matcher> = edge.chain(node).cloned().collect();
    if matchers.is_empty() {
        return;
    }
    yaml.gap();
    yaml.comment(
        0,
        "The application has a proxy file (middleware) of its own. It runs in the handler service: answers from the cache do \
         not pass through it. What every answer needs has its place under `proxy`; what decides by visitor must not be cached.",
    );
    yaml.comment(0, "It is about:");
    for matcher in matchers.iter().take(MOST_LISTED) {
        yaml.comment(0, &format!("- {}", describe(matcher)));
    }
    let base = build.routes.base_path.as_str();
    let covered = |wanted: Cover| -> Vec<&str> {
        let here = |entry: &&Entry| {
            let inner = entry.path.strip_prefix(base).unwrap_or(&entry.path);
            entry.is_cached() && cover(&matchers, inner) == wanted
        };
        table.entries.iter().filter(here).map(|entry| entry.path.as_str()).collect()
    };
    for (wanted, says) in [
        (Cover::All, "Cached routes that it is about"),
        (Cover::Part, "Cached routes that it is or may be about for some requests"),
    ] {
        let mut paths = covered(wanted);
        if !paths.is_empty() {
            let more = paths.len().saturating_sub(MOST_LISTED);
            paths.truncate(MOST_LISTED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            yaml.comment(0, &format!("{says}: {}{more}", paths.join(", ")));
        }
    }
}

/// Most things that a comment lists.
const MOST_LISTED: usize = 100;
