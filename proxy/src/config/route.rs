//! Routes: what may be kept of the answers of a path, and for how long.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::cors::{self, Owner};
use super::methods::Methods;
use super::node::{Content, Expected, Node};
use super::params::KnownParams;
use super::pattern::{RoutePattern, Segment};
use super::problem::Report;
use super::quantity::{LONGEST, choice, duration, flag, positive_duration, show_duration};
use super::query::Query;
use super::section::Section;
use super::segment::{Caching, Dynamic, FetchCache, Kind, PreferredRegion, kind, label};
use super::tags::TagTemplate;
use super::upstream::{Upstream, UpstreamId};
use crate::rules::Cors;

/// A configured path with its settings; `defaults` are already merged in.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// `path`: which paths it is about, in the conventions of the Next.js file system.
    pub pattern: RoutePattern,
    /// The upstream that answers. Default: one whose `runtime` is the route's, else `defaults.upstream`.
    pub upstream: UpstreamId,
    /// `runtime`: picks an upstream with that label where `upstream` names none. Default: none.
    pub runtime: Option<String>,
    /// The methods that the handler answers; others get 405 with `Allow`, and OPTIONS is answered with it unless it is
    /// listed. GET brings HEAD with it. Default: every method goes to the handler.
    pub methods: Option<Methods>,
    /// Whether it may be cached at all. Default: `auto`.
    pub dynamic: Dynamic,
    /// How long an answer is fresh. Default: 0, dynamic; `false` where `dynamic` is `force-static` or `error`, or `params`
    /// are listed. `dynamic: force-dynamic` makes it 0.
    pub revalidate: Revalidate,
    /// How far the handler's own `Cache-Control` counts. Default: `auto`.
    pub fetch_cache: FetchCache,
    /// What is rendered before anybody asks (`params`, `params_from`). Default: nothing.
    pub params: Option<KnownParams>,
    /// Whether other parameters than those are answered; where not they get 404, and the handler is not asked. Default:
    /// true.
    pub dynamic_params: bool,
    /// Which servers of the upstream are preferred. Default: `auto`, all alike.
    pub preferred_region: PreferredRegion,
    /// `handler` or `page`. Default: `handler`.
    pub kind: Kind,
    /// Tags of what is stored, beside those that Next.js implies and those that the handler sends; `{slug}` stands for a
    /// parameter. Default: none.
    pub tags: Vec<TagTemplate>,
    /// How long after it was fetched an answer may be served stale, while it is refreshed or after a
    /// failure; later the request waits. Default: `cache.expire`. Never shorter than `revalidate`.
    pub expire: Duration,
    /// How long past its freshness an answer may be served because asking for a newer one failed; 0
    /// means never. Default: `expire`, which ends it in any case and which it cannot exceed.
    pub stale_if_error: Duration,
    /// Which query parameters enter the key, and are all that a cached handler gets to see. Default:
    /// `all`.
    pub query: Query,
    /// Cookies that enter the key and are forwarded; a cached handler sees no others. Default: none.
    pub cookies: Vec<String>,
    /// Request headers that split an answer into variants and are forwarded. Default: none.
    pub vary: Vec<HeaderName>,
    /// Requests that go past the cache.
    pub bypass: Bypass,
    /// What happens to a request with `Authorization`. Default: `pass`.
    pub authorization: Authorization,
    /// The `Cache-Control` that clients are told, instead of the gateway's own choice.
    pub cache_control: Option<HeaderValue>,
    /// How long the handler may take for a whole answer. Left out: 60 s for what the cache fetches,
    /// no limit for dynamic answers.
    pub max_duration: Option<Duration>,
    /// With `revalidate: origin`: whether an answer that does not say how long it is good counts as fresh
    /// for a tenth of the time since it was last modified, at most a day (RFC 9111 section 4.2.2), where
    /// the request has no cookies. Default: false, it is not kept.
    pub heuristic_freshness: bool,
    /// Whether visitors may ask for something else than what is stored (`Cache-Control: no-cache`,
    /// `max-age`, `min-fresh`, `max-stale`, `no-store`, `only-if-cached`; RFC 9111 section 5.2.1). Default:
    /// false on routes with a window, so that nobody can force a fetch; always so with `origin`.
    pub honor_request_directives: bool,
    /// Whether the gateway may send stored answers in the codings of `cache.compress`. Default: true.
    pub compress: bool,
    /// `cors`: which pages of other origins may read answers, instead of what rules say. `{}` is nobody. Default: what
    /// rules say.
    pub cors: Option<Arc<Cors>>,
}

/// How long an answer is fresh: the route's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Revalidate {
    /// `0` (default): not at all; the cache has no part in the route.
    #[default]
    Dynamic,
    /// `false`: until it is invalidated.
    Forever,
    /// For this long, never zero; afterwards it is served stale while a newer one is fetched.
    Every(Duration),
    /// `origin`: as long as the handler's own headers say (RFC 9111), and to whom. The request is forwarded
    /// whole; `query`, `cookies`, `vary`, `authorization` and `cache_control` have no part in it.
    Origin,
}

/// Requests that go past the cache, whole: those that carry any of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bypass {
    /// Names of cookies. Default: `[__prerender_bypass]`, the draft mode of Next.js.
    pub cookies: Vec<String>,
    /// Names of request headers. Default: none.
    pub headers: Vec<HeaderName>,
}

impl Default for Bypass {
    fn default() -> Self {
        Self { cookies: vec!["__prerender_bypass".to_owned()], headers: Vec::new() }
    }
}

/// What happens to a request with `Authorization` on a route with a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authorization {
    /// `pass` (default): it goes past the cache.
    #[default]
    Pass,
    /// `strip`: it is answered from the cache, and the handler never sees the header.
    Strip,
}

/// What the settings of a route lean on.
pub(super) struct Surroundings<'a> {
    /// The upstreams that a route may name.
    pub(super) upstreams: &'a [Upstream],
    /// The one of a route that names none.
    pub(super) default_upstream: UpstreamId,
    /// `cache.expire`.
    pub(super) expire: Duration,
    /// Reads a file that the configuration names.
    pub(super) file: &'a dyn Fn(&str) -> std::io::Result<String>,
}

impl Route {
    /// Reads the settings of a route whose path is known, with `defaults` already below them.
    pub(super) fn read(
        pattern: RoutePattern,
        section: &Section<'_>,
        surroundings: &Surroundings<'_>,
        report: &mut Report,
    ) -> Self {
        // Without upstreams no name is right, and that they are missing was reported.
        let known = |node: &&Node| !surroundings.upstreams.is_empty() && !node.path.starts_with("defaults");
        let named = section.get("upstream").filter(known);
        let upstream = named.and_then(|node| node.read(report, |node| UpstreamId::read(node, surroundings.upstreams)));
        let runtime = section.read("runtime", report, label);
        let params = KnownParams::read(section, &pattern, surroundings.file, report);
        let written = section.read("revalidate", report, revalidate);
        let Caching { dynamic, revalidate, fetch_cache } = Caching::read(section, params.is_some(), written, report);
        let dynamic_params = dynamic_params(section, &pattern, report);
        // The stand-in of a broken `expire` keeps clear of the comparisons with it.
        let expire = match section.get("expire") {
            None => surroundings.expire,
            Some(node) => node.read(report, positive_duration).unwrap_or(LONGEST),
        };
        check_expire(revalidate, expire, section, report);
        let stale_if_error = section.read("stale_if_error", report, duration).unwrap_or(expire);
        check_stale_if_error(stale_if_error, expire, section, report);
        check_word(revalidate, section, report);
        let bypass = section.section("bypass", BYPASS_KEYS, report);
        let tags =
            section.get("tags").and_then(|node| node.read_list(TAGS, report, |node| TagTemplate::read(node, &pattern)));
        let methods = section.get("methods").and_then(|node| Methods::read(node, report));
        let authorizations = [("pass", Authorization::Pass), ("strip", Authorization::Strip)];
        Self {
            pattern,
            upstream: upstream.unwrap_or_else(|| surroundings.upstream_for(runtime.as_deref())),
            runtime,
            dynamic,
            revalidate,
            fetch_cache,
            params,
            dynamic_params,
            preferred_region: section
                .get("preferred_region")
                .and_then(|node| PreferredRegion::read(node, report))
                .unwrap_or_default(),
            kind: section.read("kind", report, kind).unwrap_or_default(),
            tags: tags.unwrap_or_default(),
            expire,
            stale_if_error,
            query: section.get("query").and_then(|node| Query::read(node, report)).unwrap_or_default(),
            cookies: cookies(section, report).unwrap_or_default(),
            vary: section.get("vary").and_then(|node| node.read_list(HEADERS, report, vary)).unwrap_or_default(),
            bypass: Bypass::read(&bypass, report),
            authorization: section
                .read("authorization", report, |node| choice(node, &authorizations))
                .unwrap_or_default(),
            cache_control: section.read("cache_control", report, cache_control),
            max_duration: section.read("max_duration", report, positive_duration),
            heuristic_freshness: section.read("heuristic_freshness", report, flag).unwrap_or(false),
            honor_request_directives: section.read("honor_request_directives", report, flag).unwrap_or(false),
            compress: section.read("compress", report, flag).unwrap_or(true),
            cors: cors::read(section.get("cors"), &Owner::Route(methods.as_ref()), report),
            methods,
        }
    }
}

impl Surroundings<'_> {
    /// The upstream of a route that names none: one that runs what the route wants, the default one first.
    fn upstream_for(&self, runtime: Option<&str>) -> UpstreamId {
        let fits = |id: &UpstreamId| self.upstreams.get(id.0).is_some_and(|one| one.runtime.as_deref() == runtime);
        let all = (0..self.upstreams.len()).map(UpstreamId);
        let fitting = || [self.default_upstream].into_iter().chain(all).find(fits);
        runtime.and_then(|_| fitting()).unwrap_or(self.default_upstream)
    }
}

/// Reads `dynamic_params`, which is of use only where parameters are known.
fn dynamic_params(section: &Section<'_>, pattern: &RoutePattern, report: &mut Report) -> bool {
    let any = section.read("dynamic_params", report, flag).unwrap_or(true);
    // As in Next.js it says nothing about a path without parameters.
    let says = pattern.segments().iter().any(|segment| !matches!(segment, Segment::Static(_)));
    if !any && says && section.get("params").is_none() && section.get("params_from").is_none() {
        section.missing("params", "`params` or `params_from`: without them everything would be 404", report);
    }
    any || !says
}

impl Bypass {
    fn read(section: &Section<'_>, report: &mut Report) -> Self {
        let default = Self::default();
        Self {
            cookies: cookies(section, report).unwrap_or(default.cookies),
            headers: section
                .get("headers")
                .and_then(|node| node.read_list(HEADERS, report, header_name))
                .unwrap_or(default.headers),
        }
    }
}

fn revalidate(node: &Node) -> Result<Revalidate, Expected> {
    if let Content::Bool(false) = node.content {
        return Ok(Revalidate::Forever);
    }
    if node.text().as_deref() == Some("origin") {
        return Ok(Revalidate::Origin);
    }
    match duration(node) {
        Ok(Duration::ZERO) => Ok(Revalidate::Dynamic),
        Ok(window) => Ok(Revalidate::Every(window)),
        Err(expected) => Err(format!("{expected}, false, 0, or origin").into()),
    }
}

/// Reports settings of the operator's where the handler's word counts, and the other way round. What stands in `defaults` is
/// for the routes that it fits.
fn check_word(revalidate: Revalidate, section: &Section<'_>, report: &mut Report) {
    const OPERATORS: [&str; 5] = ["query", "cookies", "vary", "authorization", "cache_control"];
    let (barred, expected): (&[&str], _) = match revalidate {
        Revalidate::Origin => (&OPERATORS, "nothing: with `revalidate: origin` the handler decides"),
        Revalidate::Dynamic | Revalidate::Forever | Revalidate::Every(_) => {
            (&["heuristic_freshness"], "`revalidate: origin` beside it, or nothing")
        }
    };
    let own = |node: &&Node| !node.path.starts_with("defaults");
    for node in barred.iter().filter_map(|key| section.get(key)).filter(own) {
        report.add(&node.path, node.found(), expected);
    }
    let unheeded = section.get("honor_request_directives").filter(own).filter(|node| flag(node) == Ok(false));
    if let (Revalidate::Origin, Some(node)) = (revalidate, unheeded) {
        report.add(&node.path, node.found(), "true, or nothing: with `revalidate: origin` they always count");
    }
}

/// Reports a window that is longer than `expire`, at the latter where it was written.
fn check_expire(revalidate: Revalidate, expire: Duration, section: &Section<'_>, report: &mut Report) {
    let window = match revalidate {
        Revalidate::Every(window) if window > expire => show_duration(window),
        Revalidate::Every(_) | Revalidate::Dynamic | Revalidate::Forever | Revalidate::Origin => return,
    };
    let windows_path = section.path_of("revalidate");
    match section.get("expire") {
        Some(node) => {
            let expected = format!("at least {window}, which is");
            report.add_beside(&node.path, node.found(), expected, windows_path);
        }
        None => {
            let expire = show_duration(expire);
            let expected = format!("at most `cache.expire` ({expire}), or an `expire` of its own");
            let found = section.get("revalidate").map_or(window, Node::found);
            report.add(windows_path, found, expected);
        }
    }
}

/// Reports a `stale_if_error` that is longer than `expire`.
fn check_stale_if_error(stale_if_error: Duration, expire: Duration, section: &Section<'_>, report: &mut Report) {
    let Some(node) = section.get("stale_if_error") else {
        return;
    };
    if stale_if_error <= expire {
        return;
    }
    let limit = show_duration(expire);
    match section.get("expire") {
        Some(other) => {
            let expected = format!("at most {limit}, which is");
            report.add_beside(&node.path, node.found(), expected, &other.path);
        }
        None => report.add(&node.path, node.found(), format!("at most `cache.expire` ({limit})")),
    }
}

fn cookies(section: &Section<'_>, report: &mut Report) -> Option<Vec<String>> {
    const EXPECTED: &str = "a list of names of cookies (`[theme]`, or `[]` for none)";
    let name = |node: &Node| match node.text() {
        Some(text) if is_token(&text) => Ok(text.into_owned()),
        Some(_) | None => Err(Expected::from("the name of a cookie")),
    };
    section.get("cookies")?.read_list(EXPECTED, report, name)
}

/// RFC 9110 section 5.6.2. RFC 6265 section 4.1.1 makes the name of a cookie one of them.
fn is_token(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(inside)
}

fn header_name(node: &Node) -> Result<HeaderName, Expected> {
    node.text()
        .filter(|text| text != "*")
        .and_then(|text| HeaderName::from_bytes(text.as_bytes()).ok())
        .ok_or(Expected::from("the name of a request header"))
}

/// Reads a header that may split variants: one that a visitor chooses and a handler may heed.
fn vary(node: &Node) -> Result<HeaderName, Expected> {
    let name = header_name(node)?;
    match name.as_str() {
        "host" => Err("another header: to tell hosts apart, list them in `hosts`".into()),
        "cookie" => Err("another header: to tell cookies apart, name them in `cookies`".into()),
        "authorization" => Err("another header: with it requests pass, see `authorization: pass | strip`".into()),
        text if NOT_FOR_VARY.contains(&text) || GATEWAYS_OWN.iter().any(|prefix| text.starts_with(prefix)) => {
            Err("a header about the answer that is wanted; this one is the connection's or the gateway's".into())
        }
        _ => Ok(name),
    }
}

fn cache_control(node: &Node) -> Result<HeaderValue, Expected> {
    node.text()
        .filter(|text| !text.trim().is_empty() && text.is_ascii())
        .and_then(|text| HeaderValue::from_str(text.trim()).ok())
        .ok_or(Expected::from("directives of Cache-Control (\"public, max-age=30\")"))
}

/// The keys of an item of `routes`.
pub(super) const KEYS: &[&str] = &[
    "path",
    "params",
    "params_from",
    "upstream",
    "runtime",
    "preferred_region",
    "methods",
    "dynamic",
    "dynamic_params",
    "fetch_cache",
    "kind",
    "tags",
    "revalidate",
    "expire",
    "stale_if_error",
    "query",
    "cookies",
    "vary",
    "bypass",
    "authorization",
    "cache_control",
    "max_duration",
    "heuristic_freshness",
    "honor_request_directives",
    "compress",
    "cors",
];

/// The keys of `defaults`: those of a route that do not belong to one path.
pub(super) const DEFAULTS_KEYS: &[&str] = KEYS.split_at(3).1;

const TAGS: &str = "a list of tags (`[posts, \"item:{slug}\"]`)";

const BYPASS_KEYS: &[&str] = &["cookies", "headers"];
const HEADERS: &str = "a list of names of request headers (`[accept-language]`, or `[]` for none)";

/// How the names begin that only the gateway says to handlers.
const GATEWAYS_OWN: [&str; 8] = [
    "x-forwarded-",
    "x-matched-path",
    "x-route-params",
    "x-now-route-matches",
    "x-prerender-revalidate",
    "x-middleware-",
    "x-nextjs-",
    "x-invoke-",
];

/// Headers of the connection (RFC 9110 section 7.6.1) and of the message, those that the gateway answers itself, and those that it
/// writes.
const NOT_FOR_VARY: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "expect",
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
    "traceparent",
];
