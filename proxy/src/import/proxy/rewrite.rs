//! Rewrites: which of them the gateway can do before it looks for a route.
//!
//! Next.js applies rewrites at three moments, and again to what the gateway sends it. The gateway knows one moment, before its
//! routes, so a rewrite becomes a rule only where that makes no difference.

use super::super::manifest::{Rewrite, Routes};
use super::{SPECIAL_IN_PATTERNS, unknown_condition};

/// The rewrites of an application among its other rules.
pub(super) struct Rewriting<'a> {
    routes: &'a Routes,
    paths: &'a [String],
}

/// A rewrite and the moment at which Next.js applies it.
pub(super) struct Moment<'a> {
    /// The rewrite.
    pub(super) rule: &'a Rewrite,
    when: When,
}

/// When a rewrite applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Before anything else.
    BeforeFiles,
    /// Where no file and no static path matches.
    AfterFiles,
    /// Where nothing matches.
    Fallback,
}

impl<'a> Rewriting<'a> {
    /// `paths` are those of the application.
    pub(super) fn new(routes: &'a Routes, paths: &'a [String]) -> Self {
        Self { routes, paths }
    }

    /// All rewrites in the order in which they apply.
    pub(super) fn all(&self) -> Vec<Moment<'a>> {
        let rewrites = &self.routes.rewrites;
        [
            (When::BeforeFiles, &rewrites.before_files),
            (When::AfterFiles, &rewrites.after_files),
            (When::Fallback, &rewrites.fallback),
        ]
        .into_iter()
        .flat_map(|(when, rules)| rules.iter().map(move |rule| Moment { rule, when }))
        .collect()
    }

    /// Why the gateway must leave a rewrite to Next.js; nothing where it need not.
    pub(super) fn obstacle(&self, rewrite: &Moment<'_>) -> Option<String> {
        let Rewrite { when, destination } = rewrite.rule;
        if !destination.starts_with('/') || destination.starts_with("//") {
            return Some("it leads to another site".to_owned());
        }
        if let Some(reason) = unknown_condition(when) {
            return Some(reason);
        }
        let begin = plain_beginning(&when.source);
        match rewrite.when {
            When::BeforeFiles => {}
            When::AfterFiles => {
                let meets = |path: &&String| !path.contains('[') && may_be(path, &when.source, begin);
                if let Some(path) = self.paths.iter().find(meets) {
                    return Some(format!("{path} comes before it"));
                }
                // Files in public/ and the application's own are in no manifest.
                if begin == "/" || begin.trim_end_matches('/') == self.routes.base_path {
                    return Some("files come before it".to_owned());
                }
            }
            When::Fallback => return Some("everything else comes before it".to_owned()),
        }
        let again =
            self.rules_that_may_follow().find(|source| meet(plain_beginning(source), plain_beginning(destination)));
        again.map(|source| format!("Next.js may apply {source} to what comes of it"))
    }

    /// The patterns that Next.js tries on what the gateway sends it.
    fn rules_that_may_follow(&self) -> impl Iterator<Item = &str> {
        let rewrites = &self.routes.rewrites;
        let rewrites = rewrites.before_files.iter().chain(&rewrites.after_files).map(|rule| rule.when.source.as_str());
        let redirects =
            self.routes.redirects.iter().filter(|rule| !rule.internal).map(|rule| rule.when.source.as_str());
        rewrites.chain(redirects)
    }
}

/// Whether a pattern may match this static path.
fn may_be(path: &str, source: &str, begin: &str) -> bool {
    let (path, whole) = (path.to_ascii_lowercase(), begin == source);
    let begin = begin.to_ascii_lowercase();
    if whole { path == begin } else { path.starts_with(begin.trim_end_matches('/')) }
}

/// Whether two patterns with these beginnings may match the same path.
fn meet(one: &str, other: &str) -> bool {
    let (one, other) =
        (one.trim_end_matches('/').to_ascii_lowercase(), other.trim_end_matches('/').to_ascii_lowercase());
    one.starts_with(&other) || other.starts_with(&one)
}

/// The plain text that a pattern or target begins with, without its query.
fn plain_beginning(pattern: &str) -> &str {
    pattern.split(SPECIAL_IN_PATTERNS).next().unwrap_or_default()
}
