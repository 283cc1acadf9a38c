//! One configuration at work: everything derived from it, immutable. A request pins one at its start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use evergate_cache::{
    CacheControl, Coding, Heed, Heuristic, OriginRules, Policy, Scheme, Spelling, Unkept, Variance, Window, Windows,
};
use http::header::COOKIE;
use http::{HeaderName, HeaderValue};

use crate::config::{
    self, Config, DownstreamTags, Dynamic, FetchCache, Kind, PreferredRegion, Purge, Query, QueryPattern,
    TrailingSlash, Unmatched, UpstreamId,
};
use crate::forwarded::WRITTEN;
use crate::known::{Known, Others};
use crate::metrics::Meters;
use crate::page_form::{PAGE_FIELDS, RSC_UNION_QUERY};
use crate::routes::{Matched, RouteTable};
use crate::rules::{Cors, Rules};
use crate::tags::Tagger;
use crate::upstream::{Preference, Upstream};

/// One configuration at work.
#[derive(Debug)]
pub struct Snapshot {
    /// Names that are served; empty when the gateway serves one site.
    pub hosts: Vec<String>,
    /// The scheme of the sites, where no visitor's connection says it: encrypted where a listener offers that, because the others
    /// are then for redirects and for the machine's own.
    pub scheme: Scheme,
    /// What becomes of a trailing slash.
    pub trailing_slash: TrailingSlash,
    /// What becomes of a path that no route matches.
    pub unmatched: Unmatched,
    /// The upstreams, in the order of the file.
    pub upstreams: Vec<Arc<Upstream>>,
    /// The upstream of what no route matches.
    pub default_upstream: Arc<Upstream>,
    /// The upstreams that rewrites name; none in the places of the others.
    elsewhere: Vec<Option<Elsewhere>>,
    /// Who may forget a path with `PURGE`; none where that is a method like any other.
    pub purge: Option<Purge>,
    /// Part of every key.
    pub generation: String,
    /// Query parameters that never enter a key.
    pub strip_query: Vec<QueryPattern>,
    /// Which route a path belongs to, by its place in `routes`.
    pub table: RouteTable,
    /// The routes, in the order of the file.
    pub routes: Vec<Arc<Route>>,
    /// What comes before the routes, in the order of the file.
    pub rules: Rules,
    /// In which field answers tell caches in front their tags.
    pub downstream_tags: Option<DownstreamTags>,
}

/// An upstream that rewrites name.
#[derive(Debug)]
struct Elsewhere {
    upstream: Arc<Upstream>,
    /// The routes as they are there, in the order of the file.
    routes: Vec<Arc<Route>>,
}

/// Who is to answer a request.
#[derive(Clone, Copy, Debug)]
pub struct Addressee<'a> {
    /// The route that its path belongs to, with what its parameters stand for.
    pub matched: Option<(Matched<'a>, &'a Arc<Route>)>,
    /// The upstream that a rewrite names, whatever the route says.
    pub named: Option<&'a Arc<Upstream>>,
}

/// A configured path at work.
#[derive(Debug)]
pub struct Route {
    /// Its pattern, as headers and labels show it.
    pub pattern: String,
    /// Who answers.
    pub upstream: Arc<Upstream>,
    /// Which of its servers are asked first.
    pub preference: Preference,
    /// The methods that go to the handler; none where all do.
    pub methods: Option<Methods>,
    /// What is known of its paths beforehand, at whichever upstream.
    pub known: Option<Arc<Known>>,
    /// The tags of what is stored.
    pub tagger: Tagger,
    /// Whether and how long answers are kept.
    pub kind: RouteKind,
    /// Which query parameters enter the key.
    pub query: Query,
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
    /// How far the handler's own `Cache-Control` counts on a route with a window.
    pub heed: Heed,
    /// What becomes of an answer there that is not kept.
    pub unkept: Unkept,
    /// What becomes of an answer that asks to be kept where nothing is.
    pub wanting: Wanting,
    /// What it serves.
    pub serves: Kind,
    /// Which pages of other origins may read its answers, where the route says it.
    pub cors: Option<Arc<Cors>>,
    /// What counts its commonest answers.
    pub meters: Meters,
}

/// The methods of a route, and what is said of them.
#[derive(Clone, Debug)]
pub struct Methods {
    /// Those that go to the handler.
    pub listed: config::Methods,
    /// The value of `Allow`.
    pub allow: HeaderValue,
}

/// What becomes of an answer that asks to be kept where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanting {
    /// It goes to the visitor as it comes.
    Served,
    /// It is an error (`fetch_cache: only-no-store`).
    Refused,
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
    /// For how long caches may keep it by these.
    pub lifetime: Duration,
}

impl Snapshot {
    /// Puts `config` to work. `demo` is where the embedded demo service listens, when an upstream wants it.
    pub fn new(config: &Config, demo: Option<SocketAddr>) -> Snapshot {
        let refreshes = config.cache.max_concurrent_refreshes.get();
        let upstreams: Vec<Arc<Upstream>> =
            config.upstreams.iter().map(|upstream| Arc::new(Upstream::new(upstream, refreshes, demo))).collect();
        let routes = config.routes.iter().map(|route| {
            let upstream = Arc::clone(&upstreams[route.upstream.0]);
            Arc::new(Route::new(route, upstream, known(route).map(Arc::new), config))
        });
        let routes: Vec<Arc<Route>> = routes.collect();
        let rules = Rules::new(config.proxy.clone());
        let mut elsewhere: Vec<Option<Elsewhere>> = upstreams.iter().map(|_| None).collect();
        for UpstreamId(place) in rules.upstreams() {
            let upstream = &upstreams[place];
            elsewhere[place].get_or_insert_with(|| Elsewhere::new(upstream, &routes, config));
        }
        Snapshot {
            hosts: config.hosts.clone(),
            scheme: scheme(config),
            trailing_slash: config.trailing_slash,
            unmatched: config.unmatched,
            default_upstream: Arc::clone(&upstreams[config.default_upstream.0]),
            generation: config.cache.generation.clone(),
            strip_query: config.cache.strip_query.clone(),
            table: RouteTable::new(config.routes.iter().map(|route| &route.pattern)),
            routes,
            rules,
            downstream_tags: config.downstream_tags,
            elsewhere,
            purge: config.purge.clone(),
            upstreams,
        }
    }

    /// Who is to answer what is asked for under a path ([`crate::target::Target::matched_path`]); `named` is the upstream that a
    /// rewrite names.
    pub fn addressee<'a>(&'a self, path: &'a str, named: Option<UpstreamId>) -> Addressee<'a> {
        let named = named.and_then(|UpstreamId(place)| self.elsewhere.get(place)?.as_ref());
        let routes = named.map_or(&self.routes, |named| &named.routes);
        let matched = self.table.find(path).map(|matched| {
            let route = &routes[matched.route];
            (matched, route)
        });
        Addressee { matched, named: named.map(|named| &named.upstream) }
    }

    /// Who answers what an upstream of this name answers under a path; none where no route leads there.
    pub fn addressee_at<'a>(&'a self, path: &'a str, upstream: &str) -> Option<Addressee<'a>> {
        let others = self.elsewhere.iter().enumerate().filter(|(_, named)| named.is_some());
        let ways = std::iter::once(None).chain(others.map(|(place, _)| Some(UpstreamId(place))));
        let mut addressees = ways.map(|named| self.addressee(path, named));
        addressees.find(|addressee| addressee.route().is_some_and(|route| route.upstream.name == upstream))
    }

    /// An upstream that a rewrite names.
    pub fn elsewhere(&self, UpstreamId(place): UpstreamId) -> Option<&Arc<Upstream>> {
        self.elsewhere.get(place)?.as_ref().map(|elsewhere| &elsewhere.upstream)
    }
}

impl Addressee<'_> {
    /// The route.
    pub fn route(&self) -> Option<&Arc<Route>> {
        self.matched.as_ref().map(|(_, route)| *route)
    }
}

impl Elsewhere {
    fn new(upstream: &Arc<Upstream>, routes: &[Arc<Route>], config: &Config) -> Elsewhere {
        let routes =
            config.routes.iter().zip(routes).map(|(settings, route)| {
                Arc::new(Route::new(settings, Arc::clone(upstream), route.known.clone(), config))
            });
        Elsewhere { upstream: Arc::clone(upstream), routes: routes.collect() }
    }
}

impl Route {
    fn new(route: &config::Route, upstream: Arc<Upstream>, known: Option<Arc<Known>>, config: &Config) -> Route {
        let by_origin = route.revalidate == config::Revalidate::Origin;
        let heeded = route.honor_request_directives || by_origin;
        let Selecting { query, cookies, vary, form } = Selecting::of(route);
        let pattern = route.pattern.to_string();
        Route {
            preference: preference(&route.preferred_region, config, &upstream),
            upstream,
            methods: route.methods.as_ref().and_then(Methods::new),
            known,
            tagger: Tagger::new(&pattern, route.kind, route.tags.clone()),
            meters: Meters::new(&pattern),
            pattern,
            kind: RouteKind::new(route, &vary, config.cache.negative_ttl),
            query,
            tell_vary: vary.iter().chain(form).cloned().chain((!cookies.is_empty()).then_some(COOKIE)).collect(),
            cookies,
            vary,
            bypass: route.bypass.clone(),
            authorization: route.authorization,
            max_duration: route.max_duration,
            demands: if heeded { Demanding::Heeded } else { Demanding::Ignored },
            codings: if route.compress { config.cache.compress.clone() } else { Vec::new() },
            coded_from: config.cache.compress_min,
            heed: heed(route.fetch_cache),
            unkept: unkept(route),
            wanting: wanting(route),
            serves: route.kind,
            cors: route.cors.clone(),
        }
    }
}

impl Methods {
    fn new(listed: &config::Methods) -> Option<Methods> {
        let allow = HeaderValue::from_str(&listed.allow()).ok()?;
        Some(Methods { listed: listed.clone(), allow })
    }
}

/// What of a request is in the key of a route with a window, and all that its handler sees.
pub(crate) struct Selecting {
    pub(crate) query: Query,
    pub(crate) cookies: Vec<String>,
    pub(crate) vary: Vec<HeaderName>,
    /// What says which form of a page is wanted.
    pub(crate) form: &'static [HeaderName],
}

impl Selecting {
    /// What the route's settings come to.
    pub(crate) fn of(route: &config::Route) -> Selecting {
        match route.revalidate {
            // Where the handler decides, the operator's choices have no part, whatever `defaults` says.
            config::Revalidate::Origin => {
                return Selecting { query: Query::All, cookies: Vec::new(), vary: Vec::new(), form: &[] };
            }
            config::Revalidate::Dynamic | config::Revalidate::Forever | config::Revalidate::Every(_) => {}
        }
        let (query, cookies, mut vary) = match route.dynamic {
            Dynamic::ForceStatic => (Query::Ignore, Vec::new(), Vec::new()),
            Dynamic::Auto | Dynamic::ForceDynamic | Dynamic::Error => {
                (route.query.clone(), route.cookies.clone(), route.vary.clone())
            }
        };
        let query = match (route.kind, query) {
            (Kind::Handler, query) | (Kind::Page, query @ Query::All) => query,
            (Kind::Page, Query::Ignore) => Query::Only(vec![RSC_UNION_QUERY.to_owned()]),
            (Kind::Page, Query::Only(mut names)) => {
                names.retain(|name| name != RSC_UNION_QUERY);
                names.push(RSC_UNION_QUERY.to_owned());
                Query::Only(names)
            }
        };
        let form: &'static [HeaderName] = match route.kind {
            Kind::Handler => &[],
            Kind::Page => &PAGE_FIELDS,
        };
        vary.retain(|name| !form.contains(name));
        Selecting { query, cookies, vary, form }
    }
}

fn preference(region: &PreferredRegion, config: &Config, upstream: &Upstream) -> Preference {
    match region {
        PreferredRegion::Any => Preference::default(),
        PreferredRegion::Home => upstream.preference(config.region.as_slice()),
        PreferredRegion::In(regions) => upstream.preference(regions),
    }
}

fn known(route: &config::Route) -> Option<Known> {
    let others = if route.dynamic_params { Others::Answered } else { Others::NotFound };
    route.params.clone().map(|source| Known::new(source, route.pattern.clone(), others))
}

fn heed(fetch_cache: FetchCache) -> Heed {
    match fetch_cache {
        FetchCache::Auto | FetchCache::OnlyNoStore | FetchCache::ForceNoStore => Heed::Prohibitions,
        FetchCache::DefaultCache | FetchCache::OnlyCache => Heed::NoStore,
        FetchCache::ForceCache => Heed::Nothing,
        FetchCache::DefaultNoStore => Heed::Explicit,
    }
}

fn unkept(route: &config::Route) -> Unkept {
    match route.dynamic {
        Dynamic::Error => Unkept::Error,
        Dynamic::Auto | Dynamic::ForceDynamic | Dynamic::ForceStatic => match route.fetch_cache {
            FetchCache::OnlyCache => Unkept::ErrorForNoStore,
            FetchCache::Auto
            | FetchCache::DefaultCache
            | FetchCache::ForceCache
            | FetchCache::DefaultNoStore
            | FetchCache::OnlyNoStore
            | FetchCache::ForceNoStore => Unkept::Declined,
        },
    }
}

fn wanting(route: &config::Route) -> Wanting {
    let keeps_nothing = match route.revalidate {
        config::Revalidate::Dynamic => true,
        config::Revalidate::Forever | config::Revalidate::Every(_) | config::Revalidate::Origin => false,
    };
    match route.fetch_cache {
        FetchCache::OnlyNoStore if keeps_nothing => Wanting::Refused,
        FetchCache::OnlyNoStore
        | FetchCache::Auto
        | FetchCache::DefaultCache
        | FetchCache::OnlyCache
        | FetchCache::ForceCache
        | FetchCache::DefaultNoStore
        | FetchCache::ForceNoStore => Wanting::Served,
    }
}

impl RouteKind {
    fn new(route: &config::Route, vary: &[HeaderName], negative_ttl: Duration) -> RouteKind {
        let revalidate = match route.revalidate {
            config::Revalidate::Dynamic => return RouteKind::Dynamic,
            config::Revalidate::Forever => Window::Forever,
            config::Revalidate::Every(window) => Window::For(window),
            config::Revalidate::Origin => return RouteKind::Origin(Policy::Origin(origin_rules(route))),
        };
        let windows = Windows { revalidate, expire: route.expire, stale_if_error: route.stale_if_error, negative_ttl };
        let variance = Variance::new(vary.to_vec(), Spelling::AsSent);
        RouteKind::Window(Policy::Window(windows, variance), Told::new(route, &windows))
    }
}

/// The scheme of the sites.
fn scheme(config: &Config) -> Scheme {
    let encrypted = config.listen.iter().any(|listen| listen.scheme() == Scheme::Https);
    if encrypted { Scheme::Https } else { Scheme::Http }
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
            let lifetime = CacheControl::parse(std::iter::once(cache_control)).lifetime().unwrap_or_default();
            return Told { cache_control: cache_control.clone(), cdn_cache_control: None, configured: true, lifetime };
        }
        // Nobody can call back from a CDN what is good until it is invalidated, so nothing is promised there.
        let (cdn, lifetime) = match windows.revalidate {
            Window::Forever => (None, Duration::ZERO),
            Window::For(window) => {
                let stale = window.min(windows.expire.saturating_sub(window));
                let cdn = format!("public, max-age={}, stale-while-revalidate={}", window.as_secs(), stale.as_secs());
                (Some(cdn), window)
            }
        };
        Told {
            cache_control: HeaderValue::from_static("public, max-age=0, must-revalidate"),
            cdn_cache_control: cdn.and_then(|cdn| HeaderValue::from_str(&cdn).ok()),
            configured: false,
            lifetime,
        }
    }
}
