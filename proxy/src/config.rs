//! The configuration: what operators write in `config.yaml`, and what the gateway needs of it.
//!
//! This module owns the file's form: its keys, its defaults, what is allowed, and how a mistake is
//! reported. Everything else in the gateway receives the strict types from here and checks nothing
//! again. It refuses to know sockets, the cache and the proxy framework; the environment and the files
//! that it names come in as an argument ([`Outside`]), so that tests can feed it.
//!
//! Reading goes one way: text, a tree whose `${NAME}` are expanded (`node`), sections whose keys are
//! known (`section`), strict types (one file for each part of the file). Problems are collected on
//! the way (`problem`) and get their lines at the end (`lines`). Begin with [`parse`].

mod address;
mod cache;
mod cors;
mod downstream;
mod expand;
mod lines;
mod listener;
mod log;
mod matcher;
mod message;
mod methods;
mod node;
mod params;
mod pattern;
mod problem;
mod proxy;
mod purge;
mod quantity;
mod query;
mod route;
mod section;
mod security;
mod segment;
mod table;
mod tags;
#[cfg(test)]
mod tests;
mod upstream;

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use address::is_host;
use lines::Lines;
use node::{Content, Expected, Node};
use problem::Report;
use quantity::{choice, count_up_to};
use route::Surroundings;
use section::Section;
use table::clashes;

use crate::downstream::DownstreamPurge;
use crate::regular_file;
use crate::rules::Rule;

pub use cache::CacheSettings;
pub use downstream::DownstreamTags;
pub use listener::{Admin, Listen};
pub use log::{AccessLog, Log, LogFormat, LogLevel};
pub use methods::Methods;
pub use params::{KnownParams, MAX_KNOWN_PATHS, Param, canonical_path, known_paths};
pub use pattern::{PatternError, RoutePattern, Segment};
pub use problem::{Problem, Problems};
pub use purge::Purge;
pub(crate) use quantity::{read_duration, show_duration};
pub use query::{Query, QueryPattern};
pub use route::{Authorization, Bypass, Revalidate, Route};
pub(crate) use section::{nearest, words};
pub use segment::{Dynamic, FetchCache, Kind, PreferredRegion};
pub use tags::TagTemplate;
pub use upstream::{Builtin, Origin, Server, Timeouts, Upstream, UpstreamId};

/// A whole configuration, complete and consistent.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where visitors connect: one or more addresses. Default: `127.0.0.1:8080`.
    pub listen: Vec<Listen>,
    /// Where operators and Prometheus connect.
    pub admin: Admin,
    /// What is written to the log, and how.
    pub log: Log,
    /// How many threads serve requests: `auto` (default: one for each available core) or 1 to 1024.
    pub threads: NonZeroUsize,
    /// Whether requests that can be answered at once are answered the shorter way: without waiting, several that came together in one
    /// piece. `false` is for finding faults; the answers are the same. Default: true.
    pub fast_path: bool,
    /// Where this gateway runs, for routes that prefer servers at `home`. Default: none.
    pub region: Option<String>,
    /// The host names of the sites, in lower case and without a port. Empty (default): one site,
    /// whatever it is called, and the host is not part of the cache key. With names listed, the name
    /// is in the key and is forwarded, and a request for any other name gets 421: of the rules only
    /// changes of the answer's fields apply to it, so a name that is redirected to another is listed too.
    pub hosts: Vec<String>,
    /// What happens to a path that ends in a slash.
    pub trailing_slash: TrailingSlash,
    /// The handler services, in the order of the file. Never empty.
    pub upstreams: Vec<Upstream>,
    /// Size and habits of the cache.
    pub cache: CacheSettings,
    /// Who may forget paths with `PURGE` among the visitors. Default: nobody; it is a method like any other.
    pub purge: Option<Purge>,
    /// What happens to a request that no route matches.
    pub unmatched: Unmatched,
    /// The upstream of requests that no route matches, and of routes that name none:
    /// `defaults.upstream`, or the only upstream there is.
    pub default_upstream: UpstreamId,
    /// The routes, in the order of the file; `defaults` are already merged into each of them.
    pub routes: Vec<Route>,
    /// The "proxy file", in the order of the file: redirects, answers, rewrites, and changed header fields.
    pub proxy: Vec<Rule>,
    /// In which field answers tell caches in front their tags: `none` (default), `cache-tag` or `surrogate-key`.
    pub downstream_tags: Option<DownstreamTags>,
    /// Calls that are made after each invalidation, so that caches in front hear of it. Default: none.
    pub downstream_purge: Vec<DownstreamPurge>,
}

/// What happens to a path that ends in a slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrailingSlash {
    /// `ignore` (default): routes match as though the slash were not there; it is forwarded as it is.
    #[default]
    Ignore,
    /// `redirect`: 308 to the path without the slash, as Next.js does.
    Redirect,
}

/// What happens to a request that no route matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unmatched {
    /// `pass` (default): it goes to the default upstream, and the answer is not touched.
    #[default]
    Pass,
    /// `404`: the gateway answers 404 itself.
    NotFound,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read, or is not UTF-8.
    #[error("cannot read the configuration {}", path.display())]
    Unreadable {
        /// The file as it was named.
        path: PathBuf,
        /// What the system said.
        #[source]
        io: io::Error,
    },
    /// The file was read, and has problems.
    #[error(transparent)]
    Invalid(#[from] Problems),
}

/// What a configuration may ask of the world outside its text. A function that answers for variables is one, without files.
pub trait Outside {
    /// The environment variable that the text names as `${NAME}`.
    fn variable(&self, name: &str) -> Option<String>;

    /// The text of a file that the configuration names: a regular one, with a limit.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn file(&self, name: &str) -> io::Result<String>;
}

impl<F: Fn(&str) -> Option<String>> Outside for F {
    fn variable(&self, name: &str) -> Option<String> {
        self(name)
    }

    fn file(&self, _name: &str) -> io::Result<String> {
        Err(io::Error::new(io::ErrorKind::NotFound, "there are no files"))
    }
}

/// The environment of the process, and the folder of the configuration.
struct Process<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    folder: &'a Path,
}

impl Outside for Process<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }

    fn file(&self, name: &str) -> io::Result<String> {
        let bytes = regular_file::read(&self.folder.join(name), LARGEST_FILE)?;
        String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
    }
}

/// Reads and checks a configuration file. `env` answers for the environment variables that the file
/// names as `${NAME}`; other files that it names are looked for in its folder.
///
/// # Errors
///
/// [`LoadError::Unreadable`] when the file cannot be read, [`LoadError::Invalid`] with every problem
/// in it otherwise.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, LoadError> {
    let text = std::fs::read_to_string(path).map_err(|io| LoadError::Unreadable { path: path.to_path_buf(), io })?;
    let outside = Process { variable: env, folder: path.parent().unwrap_or(Path::new("")) };
    Ok(parse(&text, &path.display().to_string(), &outside)?)
}

/// Checks the text of a configuration. `source` is the name that problems carry, usually the file's.
///
/// # Errors
///
/// Every problem in the text, in the order of its lines.
pub fn parse(text: &str, source: &str, outside: &dyn Outside) -> Result<Config, Problems> {
    let mut report = Report::default();
    // What some editors put first, and no parser of YAML expects.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root = read_tree(text, &|name| outside.variable(name), &mut report);
    let config = Config::read(&root, &|name| outside.file(name), &mut report);
    report.finish(source, text)?;
    Ok(config)
}

/// Reads the text into nodes. A text that is not YAML, or holds no mapping, is reported, and gives a
/// root that nobody complains about again.
fn read_tree(text: &str, env: &dyn Fn(&str) -> Option<String>, report: &mut Report) -> Node {
    let parsed = serde_yaml::from_str::<serde_yaml::Value>(text).and_then(|mut value| {
        value.apply_merge()?;
        Ok(value)
    });
    let value = match parsed {
        Ok(value) => value,
        Err(error) => {
            report_syntax(text, &error, report);
            return Node::reported();
        }
    };
    let root = Node::new(value, String::new(), env, report);
    match &root.content {
        Content::Map(_) | Content::Reported => root,
        Content::Null => {
            report.add("", "an empty file", "a configuration with at least `upstreams`");
            Node::reported()
        }
        Content::Bool(_) | Content::Number(_) | Content::Text(_) | Content::List(_) => {
            root.refuse("a mapping of settings", report);
            Node::reported()
        }
    }
}

/// Reports what the parser of YAML refused: keys that stand twice, each at its line, or a mistake of
/// syntax.
fn report_syntax(text: &str, error: &serde_yaml::Error, report: &mut Report) {
    let lines = Lines::index(text);
    for again in lines.repeated() {
        let first = lines.line_of(&again.path);
        let expected = format!("each key once; the first is on line {first}");
        report.add_at_line(&again.path, again.line, "the key again", expected);
    }
    let message = error.to_string();
    if message.contains("duplicate entry") && !lines.repeated().is_empty() {
        return;
    }
    let line = error.location().map_or(1, |location| location.line());
    // The message ends in the position, which the line says already.
    let short = message.split(" at line ").next().unwrap_or(&message);
    report.add_at_line("", line, format!("broken YAML ({short})"), "YAML");
}

impl Config {
    /// Reads the whole file. Where there are problems the result holds stand-ins.
    fn read(root: &Node, file: &dyn Fn(&str) -> io::Result<String>, report: &mut Report) -> Self {
        let section = Section::open(root, KEYS, report);
        let listen = Listen::read_all(section.get("listen"), file, report);
        let admin = section.section("admin", listener::ADMIN_KEYS, report);
        let log = section.section("log", log::KEYS, report);
        let cache = section.section("cache", cache::KEYS, report);
        let cache = CacheSettings::read(&cache, report);
        let upstreams = match root.content {
            Content::Reported => Vec::new(),
            Content::Map(_)
            | Content::Null
            | Content::Bool(_)
            | Content::Number(_)
            | Content::Text(_)
            | Content::List(_) => Upstream::read_all(section.get("upstreams"), report),
        };
        let defaults = section.section("defaults", route::DEFAULTS_KEYS, report);
        let default_upstream = default_upstream(&defaults, &upstreams, report);
        let surroundings = Surroundings { upstreams: &upstreams, default_upstream, expire: cache.expire, file };
        let routes = read_routes(section.get("routes"), &defaults, &surroundings, report);
        let proxy = proxy::read_all(section.get("proxy"), &upstreams, report);
        let downstream_purge = downstream::read_all(section.get("downstream_purge"), report);
        let slashes = [("ignore", TrailingSlash::Ignore), ("redirect", TrailingSlash::Redirect)];
        let unmatched = [("pass", Unmatched::Pass), ("404", Unmatched::NotFound)];
        Self {
            admin: Admin::read(&admin, &listen, report),
            listen,
            log: Log::read(&log, report),
            threads: section.read("threads", report, threads).unwrap_or_else(available_threads),
            fast_path: section.read("fast_path", report, quantity::flag).unwrap_or(true),
            region: section.read("region", report, segment::label),
            hosts: section.get("hosts").and_then(|node| node.read_list(HOSTS, report, host)).unwrap_or_default(),
            trailing_slash: section.read("trailing_slash", report, |node| choice(node, &slashes)).unwrap_or_default(),
            upstreams,
            cache,
            purge: section.get("purge").and_then(|node| Purge::read(node, report)),
            unmatched: section.read("unmatched", report, |node| choice(node, &unmatched)).unwrap_or_default(),
            default_upstream,
            routes,
            proxy,
            downstream_tags: section.read("downstream_tags", report, DownstreamTags::read).flatten(),
            downstream_purge,
        }
    }
}

/// The upstream that `defaults` names, or the only one there is.
fn default_upstream(defaults: &Section<'_>, upstreams: &[Upstream], report: &mut Report) -> UpstreamId {
    // Without upstreams there is nothing to name, and that was reported.
    if upstreams.is_empty() {
        return UpstreamId(0);
    }
    match defaults.get("upstream") {
        Some(node) => node.read(report, |node| UpstreamId::read(node, upstreams)),
        None if upstreams.len() == 1 => Some(UpstreamId(0)),
        None => {
            let names: Vec<&str> = upstreams.iter().map(|one| one.name.as_str()).collect();
            let expected = format!("the name of one upstream: {}", words(&names));
            defaults.missing("upstream", expected, report);
            None
        }
    }
    .unwrap_or(UpstreamId(0))
}

/// Reads the list `routes`, and `defaults` even when no route uses them.
fn read_routes(
    node: Option<&Node>,
    defaults: &Section<'_>,
    surroundings: &Surroundings<'_>,
    report: &mut Report,
) -> Vec<Route> {
    const PATH: &str = "the path of the route (`/items/[slug]`)";
    Route::read(RoutePattern::root(), defaults, surroundings, report);
    let items = match node.map(|node| (node, &node.content)) {
        Some((_, Content::List(items))) => items.as_slice(),
        None | Some((_, Content::Null)) => &[],
        Some((
            node,
            Content::Bool(_) | Content::Number(_) | Content::Text(_) | Content::Map(_) | Content::Reported,
        )) => {
            node.refuse("a list of routes (`- path: /posts`)", report);
            &[]
        }
    };
    let mut paths = Vec::with_capacity(items.len());
    let mut routes = Vec::with_capacity(items.len());
    for item in items {
        let section = Section::open(item, route::KEYS, report);
        if section.get("path").is_none() {
            section.missing("path", PATH, report);
        }
        let pattern = section.read("path", report, |node| {
            let text = node.text().ok_or(PATH)?;
            RoutePattern::parse(&text).map_err(|error| Expected::from(error.to_string()))
        });
        let known = pattern.is_some();
        let pattern = pattern.unwrap_or_else(RoutePattern::root);
        let path = section.path_of("path");
        let section = section.over(defaults);
        let route = Route::read(pattern, &section, surroundings, report);
        if known {
            paths.push(path);
            routes.push(route);
        }
    }
    report_clashes(&routes, &paths, report);
    routes
}

/// Reports routes that cannot stand beside each other; `paths` says where each is in the file.
fn report_clashes(routes: &[Route], paths: &[String], report: &mut Report) {
    let patterns: Vec<RoutePattern> = routes.iter().map(|route| route.pattern.clone()).collect();
    for clash in clashes(&patterns) {
        let first = &patterns[clash.first];
        report.add_beside(
            &paths[clash.second],
            format!("`{}`", patterns[clash.second]),
            format!("{} `{first}` at", clash.reason.expected()),
            &paths[clash.first],
        );
    }
}

fn threads(node: &Node) -> Result<NonZeroUsize, Expected> {
    if node.text().as_deref() == Some("auto") {
        return Ok(available_threads());
    }
    count_up_to(node, MOST_THREADS).map_err(|_| format!("`auto` or a number from 1 to {MOST_THREADS}").into())
}

fn available_threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn host(node: &Node) -> Result<String, Expected> {
    node.text()
        .filter(|text| is_host(text))
        .map(|text| text.to_ascii_lowercase())
        .ok_or(Expected::from("the name of a host without a port (acme.com)"))
}

/// The keys at the top of the file.
const KEYS: &[&str] = &[
    "listen",
    "admin",
    "log",
    "threads",
    "fast_path",
    "region",
    "hosts",
    "trailing_slash",
    "upstreams",
    "cache",
    "purge",
    "defaults",
    "unmatched",
    "routes",
    "proxy",
    "downstream_tags",
    "downstream_purge",
];

const HOSTS: &str = "a list of names of hosts (`[acme.com]`, or `[]` for any)";
const MOST_THREADS: usize = 1024;

/// Most bytes of a file that the configuration names, as of a list from the upstream.
const LARGEST_FILE: u64 = 16 << 20;
