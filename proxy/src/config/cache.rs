//! Size and habits of the cache.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::time::Duration;

use evergate_cache::Coding;

use super::node::{Expected, Node};
use super::problem::Report;
use super::quantity::{choice, count, duration, positive_duration, show_size, size};
use super::query::QueryPattern;
use super::section::Section;

/// Size and habits of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// Memory for stored responses, in bytes: keys, headers, tags and bodies count. Default: 256MiB.
    /// At least 1MiB.
    pub capacity: u64,
    /// The largest body that is stored, in bytes; a larger one is sent on and not kept. Default: 8MiB,
    /// or a sixteenth of `capacity` when that is less. At most a sixteenth of `capacity`.
    pub max_body: u64,
    /// How long after it was fetched a response may be served stale, on routes that do not say.
    /// Default: 31536000 (a year).
    pub expire: Duration,
    /// The longest life of a stored 404, 410 or redirect; 0 keeps none. Default: 10s.
    pub negative_ttl: Duration,
    /// How many refreshes behind visitors' backs may run at once for one upstream; over it a refresh is
    /// skipped, and the next stale hit tries again. Default: 64.
    pub max_concurrent_refreshes: NonZeroUsize,
    /// Query parameters that are neither in the key nor forwarded on routes with a window; a `*` at
    /// the end stands for any ending. Default: `[utm_*, gclid, fbclid]`.
    pub strip_query: Vec<QueryPattern>,
    /// A word that is in every key, so that a deploy which changes it starts clean. Default: empty.
    pub generation: String,
    /// The content codings that the gateway makes of stored answers for visitors who accept them, the
    /// one it prefers first. Each is made once for each answer, when it is first asked for. Default:
    /// `[zstd, br, gzip]`; `[]` makes none.
    pub compress: Vec<Coding>,
    /// The smallest body that is coded, in bytes. Default: 1KiB.
    pub compress_min: u64,
    /// How many pages are rendered at once before anybody asks (`params` of routes). Default: 8.
    pub prerender_concurrency: NonZeroUsize,
    /// How long that may take at the start before the gateway is ready all the same; what is not rendered by then is
    /// rendered when somebody asks. Default: 60s.
    pub prerender_deadline: Duration,
}

impl CacheSettings {
    /// Reads the section `cache`.
    pub(super) fn read(section: &Section<'_>, report: &mut Report) -> Self {
        let capacity = match section.get("capacity") {
            None => DEFAULT_CAPACITY,
            // The largest stand-in, so that a broken capacity does not make `max_body` wrong too.
            Some(node) => node.read(report, capacity).unwrap_or(u64::MAX),
        };
        let most = capacity / BODIES_IN_CAPACITY;
        let max_body = section
            .read("max_body", report, |node| match size(node)? {
                0 => Err(Expected::from("a size above 0")),
                bytes if bytes > most => {
                    let most = show_size(most);
                    Err(format!("at most a sixteenth of `cache.capacity` ({most})").into())
                }
                bytes => Ok(bytes),
            })
            .unwrap_or(DEFAULT_MAX_BODY.min(most));
        let strip_query = match section.get("strip_query") {
            None => default_strip_query(),
            Some(node) => node.read_list(STRIP_QUERY, report, QueryPattern::read).unwrap_or_default(),
        };
        Self {
            capacity,
            max_body,
            expire: section.read("expire", report, positive_duration).unwrap_or(DEFAULT_EXPIRE),
            negative_ttl: section.read("negative_ttl", report, duration).unwrap_or(DEFAULT_NEGATIVE_TTL),
            max_concurrent_refreshes: section
                .read("max_concurrent_refreshes", report, count)
                .unwrap_or(DEFAULT_REFRESHES),
            strip_query,
            generation: section.read("generation", report, generation).unwrap_or_default(),
            compress: match section.get("compress") {
                None => Coding::ALL.to_vec(),
                Some(node) => codings(node, report),
            },
            compress_min: section.read("compress_min", report, size).unwrap_or(DEFAULT_COMPRESS_MIN),
            prerender_concurrency: section
                .read("prerender_concurrency", report, count)
                .unwrap_or(DEFAULT_PRERENDER_CONCURRENCY),
            prerender_deadline: section
                .read("prerender_deadline", report, positive_duration)
                .unwrap_or(DEFAULT_PRERENDER_DEADLINE),
        }
    }
}

fn capacity(node: &Node) -> Result<u64, Expected> {
    let bytes = size(node)?;
    if bytes < LEAST_CAPACITY {
        return Err(format!("at least {}", show_size(LEAST_CAPACITY)).into());
    }
    Ok(bytes)
}

fn generation(node: &Node) -> Result<String, Expected> {
    node.text()
        .filter(|text| text.len() <= LONGEST_GENERATION)
        .map(Cow::into_owned)
        .ok_or_else(|| format!("a text of at most {LONGEST_GENERATION} bytes").into())
}

/// Reads the codings, each once.
fn codings(node: &Node, report: &mut Report) -> Vec<Coding> {
    let choices = Coding::ALL.map(|coding| (coding.as_str(), coding));
    let listed = node.read_list(COMPRESS, report, |node| choice(node, &choices)).unwrap_or_default();
    let mut codings: Vec<Coding> = Vec::with_capacity(listed.len());
    for coding in listed {
        if codings.contains(&coding) {
            report.add(&node.path, format!("`{}` twice", coding.as_str()), "each coding once");
        } else {
            codings.push(coding);
        }
    }
    codings
}

fn default_strip_query() -> Vec<QueryPattern> {
    vec![
        QueryPattern::Prefix("utm_".to_owned()),
        QueryPattern::Exact("gclid".to_owned()),
        QueryPattern::Exact("fbclid".to_owned()),
    ]
}

/// The keys of the section `cache`.
pub(super) const KEYS: &[&str] = &[
    "capacity",
    "max_body",
    "expire",
    "negative_ttl",
    "max_concurrent_refreshes",
    "strip_query",
    "generation",
    "compress",
    "compress_min",
    "prerender_concurrency",
    "prerender_deadline",
];

const COMPRESS: &str = "a list of codings (`[zstd, br, gzip]`, or `[]` for none)";
const DEFAULT_COMPRESS_MIN: u64 = 1 << 10;
const DEFAULT_PRERENDER_CONCURRENCY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);
const DEFAULT_PRERENDER_DEADLINE: Duration = Duration::from_secs(60);
const STRIP_QUERY: &str = "a list of names of query parameters (`[utm_*, gclid]`, or `[]` for none)";
const DEFAULT_CAPACITY: u64 = 256 << 20;
const LEAST_CAPACITY: u64 = 1 << 20;
const DEFAULT_MAX_BODY: u64 = 8 << 20;
/// How many bodies of the largest size fit in the capacity, at least.
const BODIES_IN_CAPACITY: u64 = 16;
const DEFAULT_EXPIRE: Duration = Duration::from_secs(31_536_000);
const DEFAULT_NEGATIVE_TTL: Duration = Duration::from_secs(10);
const DEFAULT_REFRESHES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);
/// It is in every key, so it stays short. Bytes.
const LONGEST_GENERATION: usize = 256;
