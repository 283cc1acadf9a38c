//! One configuration at work: everything derived from it, immutable. A request pins one at its start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use evergate_cache::{Coding, Heuristic, OriginRules, Policy, Spelling, Variance, Window, Windows};
use http::header::COOKIE;
use http::{HeaderName, HeaderValue};

use crate::config::{self, CacheSettings, Config, QueryPattern, TrailingSlash, Unmatched};
use crate::forwarded::WRITTEN;
use crate::routes::RouteTable;
use crate::upstream::Upstream;

/// One configuration at work.
#[derive(Debug)]
pub struct Snapshot {
    /// Names that are served; empty when the gateway serves one site.
    pub hosts: Vec<String>,
    /// What becomes of a trailing slash.
    pub trailing_slash: TrailingSlash,
    /// What becomes of a path that no route matches.
    pub unmatched: Unmatched,
    /// The upstream of what no route matches.
    pub default_upstream: Arc<Upstream>,
    /// Part of every key.
    pub generation: String,
    /// Query parameters that never enter a key.
    pub strip_query: Vec<QueryPattern>,
    /// Which route a path belongs to, by its place in `routes`.
    pub table: RouteTable,
    /// The routes, in the order of the file.
    pub routes: Vec<Arc<Route>>,
}

/// A configured path at work.
#[derive(Debug)]
pub struct Route {
    /// Its pattern, as headers and labels show it.
    pub pattern: String,
    /// Who answers.
    pub upstream: Arc<Upstream>,
    /// Whether and how long answers are kept.
    pub kind: RouteKind,
    /// Which query parameters enter the key.
    pub query: config::Query,
    /// Which cookies enter the key.
    pub cookies: Vec<String>,
    /// Which request fields split the page, where the operator says it.
    pub vary: Vec<HeaderName>,
    /// What caches in front must be told to split the page by: the fields above, and `cookie` when cookies do.
    pub tell_vary: Vec<HeaderName>,
    /// What makes a request pass whole.
    pub bypass: config::Bypass,
    /// What becomes of a request with `Authorization`.
    pub authorization: config::Authorization,
    /// Longest time for one run of the handler, where the configuration sets it.
    pub max_duration: Option<Duration>,
    /// Whether visitors may ask for something else than what is stored.
    pub demands: Demanding,
    /// The codings that the gateway makes of stored answers, the one it prefers first.
    pub codings: Vec<Coding>,
    /// The smallest body that is coded, in bytes.
    pub coded_from: u64,
}

/// Whether visitors may ask for something else than what is stored (RFC 9111 section 5.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demanding {
    /// They may not.
    Ignored,
    /// They may.
    Heeded,
}

/// Whether and how long a route's answers are kept.
#[derive(Debug)]
pub enum RouteKind {
    /// Never: every request goes to the handler.
    Dynamic,
    /// For a window of the operator's.
    Window(Policy, Told),
    /// As long as the handler says.
    Origin(Policy),
}

/// What visitors and caches in front are told of stored successes.
#[derive(Debug)]
pub struct Told {
    /// `Cache-Control`.
    pub cache_control: HeaderValue,
    /// `CDN-Cache-Control` (RFC 9213).
    pub cdn_cache_control: Option<HeaderValue>,
    /// Whether this is the operator's own word, which beats the handler's.
    pub configured: bool,
}

impl Snapshot {
    /// Puts `config` to work. `demo` is where the embedded demo service listens, when an upstream wants it.
    pub fn new(config: &Config, demo: Option<SocketAddr>) -> Snapshot {
        let refreshes = config.cache.max_concurrent_refreshes.get();
        let upstreams: Vec<Arc<Upstream>> =
            config.upstreams.iter().map(|upstream| Arc::new(Upstream::new(upstream, refreshes, demo))).collect();
        let routes = config.routes.iter().map(|route| {
            let upstream = Arc::clone(&upstreams[route.upstream.0]);
            Arc::new(Route::new(route, upstream, &config.cache))
        });
        Snapshot {
            hosts: config.hosts.clone(),
            trailing_slash: config.trailing_slash,
            unmatched: config.unmatched,
            default_upstream: Arc::clone(&upstreams[config.default_upstream.0]),
            generation: config.cache.generation.clone(),
            strip_query: config.cache.strip_query.clone(),
            table: RouteTable::new(config.routes.iter().map(|route| &route.pattern)),
            routes: routes.collect(),
        }
    }
}

impl Route {
    fn new(route: &config::Route, upstream: Arc<Upstream>, cache: &CacheSettings) -> Route {
        let by_origin = route.revalidate == config::Revalidate::Origin;
        let heeded = route.honor_request_directives || by_origin;
        // Where the handler decides, the operator's choices have no part, whatever `defaults` says.
        let (cookies, vary) = if by_origin { Default::default() } else { (route.cookies.clone(), route.vary.clone()) };
        Route {
            pattern: route.pattern.to_string(),
            upstream,
            kind: RouteKind::new(route, cache.negative_ttl),
            query: route.query.clone(),
            tell_vary: vary.iter().cloned().chain((!cookies.is_empty()).then_some(COOKIE)).collect(),
            cookies,
            vary,
            bypass: route.bypass.clone(),
            authorization: route.authorization,
            max_duration: route.max_duration,
            demands: if heeded { Demanding::Heeded } else { Demanding::Ignored },
            codings: if route.compress { cache.compress.clone() } else { Vec::new() },
            coded_from: cache.compress_min,
        }
    }
}

impl RouteKind {
    fn new(route: &config::Route, negative_ttl: Duration) -> RouteKind {
        let revalidate = match route.revalidate {
            config::Revalidate::Dynamic => return RouteKind::Dynamic,
            config::Revalidate::Forever => Window::Forever,
            config::Revalidate::Every(window) => Window::For(window),
            config::Revalidate::Origin => return RouteKind::Origin(Policy::Origin(origin_rules(route))),
        };
        let windows = Windows { revalidate, expire: route.expire, stale_if_error: route.stale_if_error, negative_ttl };
        let variance = Variance::new(route.vary.clone(), Spelling::AsSent);
        RouteKind::Window(Policy::Window(windows, variance), Told::new(route, &windows))
    }
}

fn origin_rules(route: &config::Route) -> OriginRules {
    let heuristic = if route.heuristic_freshness { Heuristic::Tenth } else { Heuristic::Never };
    OriginRules { expire: route.expire, stale_if_error: route.stale_if_error, heuristic, written: &WRITTEN }
}

impl Told {
    /// The operator's word; otherwise that a browser asks each time (no purge reaches it), and that a CDN may keep a page
    /// for the window and serve it stale for another.
    fn new(route: &config::Route, windows: &Windows) -> Told {
        if let Some(cache_control) = &route.cache_control {
            return Told { cache_control: cache_control.clone(), cdn_cache_control: None, configured: true };
        }
        // Nobody can call back from a CDN what is good until it is invalidated, so nothing is promised there.
        let cdn = match windows.revalidate {
            Window::Forever => None,
            Window::For(window) => {
                let stale = window.min(windows.expire.saturating_sub(window));
                Some(format!("public, max-age={}, stale-while-revalidate={}", window.as_secs(), stale.as_secs()))
            }
        };
        Told {
            cache_control: HeaderValue::from_static("public, max-age=0, must-revalidate"),
            cdn_cache_control: cdn.and_then(|cdn| HeaderValue::from_str(&cdn).ok()),
            configured: false,
        }
    }
}
