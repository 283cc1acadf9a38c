//! The section `proxy`: redirects, header rules and rewrites of `next.config` in the gateway's form.
//!
//! They are matched without regard to case unless the application says otherwise, and conditions (`has`, `missing`) mean the
//! same here and there. What would not do the same here as in Next.js becomes a comment: the request goes to Next.js, which
//! does it itself.

mod outside;
mod rewrite;
#[cfg(test)]
mod tests;

use http::{HeaderName, HeaderValue};

use super::manifest::{Condition, HeaderLine, Headers, Redirect, Routes, Source};
use super::yaml::{Place, Yaml, key, list, value};
use crate::config;
use outside::{Outside, outside_next};
use rewrite::Rewriting;

/// Writes the section; nothing where there are no rules. `paths` are those of the application, with the base path.
pub(super) fn section(routes: &Routes, paths: &[String]) -> Yaml {
    let mut rules = Yaml::default();
    let writer = Writer { case_sensitive: routes.case_sensitive };
    for rule in &routes.headers {
        add_if_accepted(&rule.when.source, &mut rules, |item| writer.headers(rule, item));
    }
    for rule in routes.redirects.iter().filter(|rule| !rule.internal) {
        add_if_accepted(&rule.when.source, &mut rules, |item| writer.redirect(rule, &routes.base_path, item));
    }
    let rewriting = Rewriting::new(routes, paths);
    for rewrite in rewriting.all() {
        match rewriting.obstacle(&rewrite) {
            None => {
                add_if_accepted(&rewrite.rule.when.source, &mut rules, |item| writer.rewrite(&rewrite, item));
            }
            Some(reason) => {
                let rule = rewrite.rule;
                rules.comment(
                    2,
                    &format!("Rewrite left to Next.js: {} to {}: {reason}.", rule.when.source, rule.destination),
                );
            }
        }
    }
    let mut section = Yaml::default();
    if !rules.is_empty() {
        section.comment(0, "Rules of next.config, in its order: headers, redirects, rewrites. Next.js applies them to what it gets, too.");
        // Comments alone would leave nothing behind the key.
        let commented = !rules.has_items();
        section.line(0, if commented { "proxy: []" } else { "proxy:" });
        section.append(&rules);
    }
    section
}

/// Adds an item where the configuration accepts it. What it refuses is left to Next.js: a pattern or a header that means nothing
/// here must not stop the rest.
fn add_if_accepted(source: &str, rules: &mut Yaml, write: impl FnOnce(&mut Yaml)) {
    let mut item = Yaml::default();
    write(&mut item);
    let lines: Vec<&str> = item.lines().collect();
    let text = format!("upstreams: {{ next: {{ servers: [\"127.0.0.1:3000\"] }} }}\nproxy:\n{}\n", lines.join("\n"));
    match config::parse(&text, "", &|_: &str| None) {
        Err(problems) if item.has_items() => {
            let problem = problems.list().first().map(ToString::to_string).unwrap_or_default();
            rules.comment(2, &format!("The rule of {source} is left to Next.js: {problem}."));
        }
        Ok(_) | Err(_) => rules.append(&item),
    }
}

/// How a slash at the end of a path is treated, as far as Next.js's own redirects tell.
pub(super) fn trailing_slash(routes: &Routes) -> TrailingSlash {
    let own = || routes.redirects.iter().filter(|rule| rule.internal);
    if own().any(|rule| rule.destination.ends_with('/')) {
        TrailingSlash::Wanted
    } else if own().any(|rule| rule.when.source.ends_with('/')) {
        TrailingSlash::Removed
    } else {
        TrailingSlash::Ignored
    }
}

/// What an application does about slashes at the ends of paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrailingSlash {
    /// It redirects to the path without (the default of Next.js).
    Removed,
    /// It redirects to the path with one (`trailingSlash: true`).
    Wanted,
    /// Nothing (`skipTrailingSlashRedirect: true`).
    Ignored,
}

/// Writes items of the section.
struct Writer {
    case_sensitive: bool,
}

impl Writer {
    fn redirect(&self, rule: &Redirect, base_path: &str, yaml: &mut Yaml) {
        let source = &rule.when.source;
        let mut when = rule.when.clone();
        match outside_next(source, base_path) {
            Outside::Already => {}
            Outside::With(pattern) => when.source = pattern,
            Outside::Never => {
                yaml.comment(
                    2,
                    &format!("Left out: the redirect of {source}, which Next.js never applies under /_next."),
                );
                return;
            }
            Outside::Unknown => {
                let to = &rule.destination;
                yaml.comment(
                    2,
                    &format!("Redirect left to Next.js: {source} to {to}: its pattern may lead under /_next."),
                );
                return;
            }
        }
        if let Some(reason) = unknown_condition(&rule.when) {
            yaml.comment(2, &format!("Redirect left to Next.js: {source} to {}: {reason}.", rule.destination));
            return;
        }
        self.matcher(&when, yaml);
        let (to, status) = (value(&rule.destination, Place::Flow), rule.status_code.unwrap_or(307));
        yaml.line(4, &format!("redirect: {{ to: {to}, status: {status} }}"));
    }

    fn headers(&self, rule: &Headers, yaml: &mut Yaml) {
        let source = &rule.when.source;
        let (good, bad): (Vec<&HeaderLine>, Vec<&HeaderLine>) = rule.headers.iter().partition(|line| is_sendable(line));
        for line in bad {
            yaml.comment(2, &format!("Left out: the header {} of {source}, which cannot be sent.", line.key));
        }
        if let Some(reason) = unknown_condition(&rule.when) {
            yaml.comment(2, &format!("Headers left to Next.js: {source}: {reason}."));
            return;
        }
        let (set, append) = once_each(&good);
        if set.is_empty() {
            return;
        }
        self.matcher(&rule.when, yaml);
        yaml.line(4, "response_headers:");
        yaml.line(6, "set:");
        for line in set {
            yaml.line(8, &format!("{}: {}", key(&line.key, Place::Block), value(&line.value, Place::Block)));
        }
        if !append.is_empty() {
            yaml.line(6, "append:");
        }
        for (name, values) in append {
            yaml.line(8, &format!("{}: {}", key(name, Place::Block), list(&values)));
        }
    }

    fn rewrite(&self, rewrite: &rewrite::Moment<'_>, yaml: &mut Yaml) {
        self.matcher(&rewrite.rule.when, yaml);
        yaml.line(4, &format!("rewrite: {{ to: {} }}", value(&rewrite.rule.destination, Place::Flow)));
    }

    /// Begins an item.
    fn matcher(&self, when: &Source, yaml: &mut Yaml) {
        let source = value(&when.source, Place::Block);
        if when.has.is_empty() && when.missing.is_empty() {
            yaml.line(2, &format!("- matcher: {source}"));
        } else {
            yaml.line(2, "- matcher:");
            yaml.line(6, &format!("source: {source}"));
            for (word, conditions) in [("has", &when.has), ("missing", &when.missing)] {
                if !conditions.is_empty() {
                    yaml.line(6, &format!("{word}:"));
                }
                for condition in conditions {
                    yaml.line(8, &format!("- {}", braces(condition)));
                }
            }
        }
        if !self.case_sensitive {
            yaml.line(4, "case_sensitive: false");
        }
    }
}

fn braces(condition: &Condition) -> String {
    let mut text = format!("{{ type: {}", value(&condition.kind, Place::Flow));
    if let Some(key) = &condition.key {
        text.push_str(&format!(", key: {}", value(key, Place::Flow)));
    }
    if let Some(wanted) = &condition.value {
        text.push_str(&format!(", value: {}", value(wanted, Place::Flow)));
    }
    text + " }"
}

/// Why the conditions of a rule cannot be told here.
fn unknown_condition(when: &Source) -> Option<String> {
    let known = |condition: &&Condition| !["header", "cookie", "query", "host"].contains(&condition.kind.as_str());
    let unknown = when.has.iter().chain(&when.missing).find(known)?;
    Some(format!("the condition `{}` is not known here", unknown.kind))
}

/// Whether a line can stand in an answer (RFC 9110 section 5). Names may hold captured names (`:name`).
fn is_sendable(line: &HeaderLine) -> bool {
    let name = line.key.replace(':', "");
    HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_bytes(line.value.as_bytes()).is_ok()
}

/// The lines that `set` may hold, where each name stands once: the last one of it. Of those that are never replaced but
/// added (Next.js does so with these), the others are for `append`, by name.
fn once_each<'a>(lines: &[&'a HeaderLine]) -> (Vec<&'a HeaderLine>, Vec<(&'a str, Vec<&'a str>)>) {
    let (mut set, mut append): (Vec<&HeaderLine>, Vec<(&str, Vec<&str>)>) = (Vec::new(), Vec::new());
    for &line in lines {
        let same = |name: &str| name.eq_ignore_ascii_case(&line.key);
        match set.iter().position(|earlier| same(&earlier.key)) {
            None => set.push(line),
            Some(_) if ADDED.iter().any(|name| same(name)) => match append.iter_mut().find(|(name, _)| same(name)) {
                Some((_, values)) => values.push(&line.value),
                None => append.push((&line.key, vec![&line.value])),
            },
            Some(at) => set[at] = line,
        }
    }
    (set, append)
}

/// Headers that Next.js adds where others are replaced.
const ADDED: [&str; 4] = ["set-cookie", "vary", "www-authenticate", "proxy-authenticate"];

/// Characters that are not plain text in patterns of path-to-regexp.
const SPECIAL_IN_PATTERNS: [char; 10] = [':', '(', ')', '{', '}', '*', '+', '?', '\\', '#'];
