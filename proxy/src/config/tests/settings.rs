//! Each kind of setting as a table: what is accepted, and where the problem is otherwise.

use std::time::Duration;

use super::{problems, read, secs, with};
use crate::config::{
    Config, Dynamic, FetchCache, Kind, PreferredRegion, Problems, QueryPattern, Revalidate, Route, UpstreamId,
};

/// A configuration with one route of these settings.
fn route(settings: &str) -> Result<Config, Problems> {
    with(&format!("routes: [{{ path: /a, {settings} }}]"))
}

#[test]
fn windows_are_read() {
    let every = |duration| Some(Revalidate::Every(duration));
    let cases = [
        ("60", every(secs(60))),
        ("\"60\"", every(secs(60))),
        ("0.5", every(Duration::from_millis(500))),
        ("5m", every(secs(300))),
        ("1h 30m", every(secs(5400))),
        ("1d", every(secs(86_400))),
        ("0", Some(Revalidate::Dynamic)),
        ("0s", Some(Revalidate::Dynamic)),
        ("false", Some(Revalidate::Forever)),
        ("${WINDOW}", every(secs(90))),
        ("${WINDOW}m", every(secs(5400))),
        ("${FOREVER}", Some(Revalidate::Forever)),
        ("${UNSET:-60}", every(secs(60))),
        ("${UNSET:-false}", Some(Revalidate::Forever)),
        ("${EMPTY:-5m}", every(secs(300))),
        ("true", None),
        ("-1", None),
        ("-5m", None),
        (".inf", None),
        (".nan", None),
        ("1e300", None),
        ("18446744073709551615", None),
        ("101y", None),
        ("soon", None),
        ("\"\"", None),
        ("~", None),
        ("[60]", None),
        ("{ every: 60 }", None),
        ("${UNSET}", None),
        ("${EMPTY}", None),
        ("${YAML}", None),
        ("${COMMENT}", None),
        ("origin", Some(Revalidate::Origin)),
        ("\"origin\"", Some(Revalidate::Origin)),
        ("Origin", None),
    ];
    for (typed, expected) in cases {
        let result = with(&format!("cache: {{ expire: 99y }}\nroutes:\n  - path: /a\n    revalidate: {typed}"));
        let found = result.map(|config| config.routes[0].revalidate);
        match (found, expected) {
            (Ok(found), Some(expected)) => assert_eq!(found, expected, "{typed}"),
            (Err(problems), None) => {
                let [problem] = problems.list() else { panic!("{typed}: {problems}") };
                assert_eq!((problem.path.as_str(), problem.line), ("routes[0].revalidate", 5), "{typed}");
            }
            (Ok(found), None) => panic!("{typed}: accepted as {found:?}"),
            (Err(problems), Some(_)) => panic!("{typed}: {problems}"),
        }
    }
}

#[test]
fn where_the_handler_decides_the_operator_does_not() {
    let nothing = "expected nothing: with `revalidate: origin` the handler decides";
    for setting in ["query: ignore", "cookies: [a]", "vary: [accept]", "authorization: strip", "cache_control: public"]
    {
        let found = problems(route(&format!("revalidate: origin, {setting}")));
        let (key, _) = setting.split_once(':').unwrap();
        assert!(found.starts_with(&format!("config.yaml:2: routes[0].{key}: found")), "{found}");
        assert!(found.ends_with(nothing), "{found}");
        assert!(route(&format!("revalidate: 60, {setting}")).is_ok(), "{setting}");
        // What stands in `defaults` is for the routes that it fits.
        let defaults = format!("defaults: {{ {setting} }}\nroutes: [{{ path: /a, revalidate: origin }}]");
        assert!(with(&defaults).is_ok(), "{setting}");
    }
    for settings in ["revalidate: 60, heuristic_freshness: true", "heuristic_freshness: false"] {
        let found = problems(route(settings));
        assert!(found.ends_with("expected `revalidate: origin` beside it, or nothing"), "{found}");
    }
    let config = route("revalidate: origin, heuristicFreshness: true, expire: 1h, stale_if_error: 10m").unwrap();
    assert_eq!((config.routes[0].heuristic_freshness, config.routes[0].stale_if_error), (true, secs(600)));
    for revalidate in ["60", "origin"] {
        let config = route(&format!("revalidate: {revalidate}, honor_request_directives: true")).unwrap();
        assert!(config.routes[0].honor_request_directives, "{revalidate}");
    }
    let found = problems(route("revalidate: origin, honor_request_directives: false"));
    assert!(found.ends_with("expected true, or nothing: with `revalidate: origin` they always count"), "{found}");
    let defaults = "defaults: { honor_request_directives: false }\nroutes: [{ path: /a, revalidate: origin }]";
    assert!(with(defaults).is_ok());
}

/// Next's `dynamic`, `revalidate` and `fetchCache` together say how long an answer is kept.
#[test]
fn a_route_is_cached_as_next_would() {
    use Revalidate::{Every, Forever, Origin};
    let never = Revalidate::Dynamic;
    let cases = [
        ("", never),
        ("dynamic: auto", never),
        ("revalidate: 60", Every(secs(60))),
        ("revalidate: false", Forever),
        ("dynamic: force-dynamic", never),
        ("dynamic: force-dynamic, revalidate: 60", never),
        ("dynamic: force-static", Forever),
        ("dynamic: force-static, revalidate: 60", Every(secs(60))),
        ("dynamic: force-static, revalidate: 0", never),
        ("dynamic: error", Forever),
        ("dynamic: error, revalidate: 60", Every(secs(60))),
        ("revalidate: origin", Origin),
        ("revalidate: 60, fetch_cache: force-cache", Every(secs(60))),
        ("fetch_cache: force-cache", never),
        ("revalidate: 60, fetch_cache: only-no-store", never),
        ("revalidate: 60, fetchCache: force-no-store", never),
        ("revalidate: 60, fetchCache: default-no-store", Every(secs(60))),
    ];
    for (settings, expected) in cases {
        assert_eq!(route(settings).unwrap().routes[0].revalidate, expected, "{settings}");
    }
    let listed = with("routes: [{ path: '/a/[b]', params: [{ b: c }] }]").unwrap();
    assert_eq!(listed.routes[0].revalidate, Forever, "generateStaticParams opts in");
    let dynamic = with("routes: [{ path: '/a/[b]', params: [{ b: c }], revalidate: 0 }]").unwrap();
    assert_eq!(dynamic.routes[0].revalidate, never);
}

#[test]
fn segment_config_is_read() {
    let read = |settings: &str| route(settings).map(|mut config| config.routes.remove(0));
    fn words(route: Route) -> (Dynamic, FetchCache, Kind, PreferredRegion, Option<String>) {
        (route.dynamic, route.fetch_cache, route.kind, route.preferred_region, route.runtime)
    }
    let typed = "dynamic: error, fetchCache: only-cache, kind: page, preferredRegion: [fra1, iad1], runtime: edge";
    let regions = PreferredRegion::In(vec!["fra1".to_owned(), "iad1".to_owned()]);
    let expected = (Dynamic::Error, FetchCache::OnlyCache, Kind::Page, regions, Some("edge".to_owned()));
    assert_eq!(words(read(typed).unwrap()), expected);
    let default = (Dynamic::Auto, FetchCache::Auto, Kind::Handler, PreferredRegion::Any, None);
    assert_eq!(words(read("upstream: demo").unwrap()), default);
    for (typed, expected) in [
        ("auto", PreferredRegion::Any),
        ("global", PreferredRegion::Any),
        ("home", PreferredRegion::Home),
        ("fra1", PreferredRegion::In(vec!["fra1".to_owned()])),
    ] {
        assert_eq!(read(&format!("preferred_region: {typed}")).unwrap().preferred_region, expected);
    }
    let cases = [
        ("dynamic: static", "expected one of `auto`, `force-dynamic`, `force-static`, `error`"),
        ("fetch_cache: never", "`only-no-store`"),
        ("kind: route", "expected one of `handler`, `page`"),
        ("preferred_region: ''", "expected `auto`, `global`, `home`, the name of a region, or a list of names"),
        ("preferred_region: [fra1, '']", "routes[0].preferred_region[1]"),
        ("preferred_region: []", "expected at least one name"),
        ("preferred_region: [fra1, home]", "`auto`, `global` and `home` stand alone"),
        ("dynamic: error, fetch_cache: force-no-store", "expected one that keeps answers: with `dynamic: error`"),
        ("runtime: 'a b'", "expected a name of letters, digits, `_` and `-`"),
        ("dynamic: error, revalidate: 0", "expected a window: with `dynamic: error` the answer has to be kept"),
        (
            "dynamic: force-static, query: all",
            "routes[0].query: found `all`, expected nothing: with `dynamic: force-static`",
        ),
        ("dynamic: force-static, cookies: [a]", "routes[0].cookies: found a list, expected nothing"),
        (
            "revalidate: origin, dynamic: error",
            "routes[0].dynamic: found `error`, expected nothing: with `revalidate: origin`",
        ),
        ("revalidate: origin, fetch_cache: force-cache", "routes[0].fetch_cache"),
        ("revalidate: origin, kind: page", "routes[0].kind"),
        ("tags: [posts, '']", "routes[0].tags[1]"),
        ("tags: ['item:{slug}']", "expected a tag without `{slug}`: the path has no parameters"),
        ("tags: ['item:}']", "expected a tag (`posts`"),
        ("methods: []", "expected at least one method"),
        ("methods: GET", "expected a list of methods (`[GET, POST]`)"),
        ("methods: [get]", "routes[0].methods[0]: found `get`, expected upper case: `GET`"),
        ("methods: ['G T']", "expected the name of a method"),
        ("methods: [CONNECT]", "CONNECT asks for a tunnel"),
    ];
    for (typed, expected) in cases {
        let found = problems(route(typed));
        assert!(found.contains(expected), "{typed}: {found}");
        assert_eq!(found.lines().count(), 1, "{typed}: {found}");
    }
    let found = problems(with("routes: [{ path: '/a/[b]', tags: ['x:{c}'] }]"));
    assert!(found.contains("expected parameters of the path between braces: `b`"), "{found}");
    // What stands in `defaults` is for the routes that it fits.
    let defaults = "defaults: { kind: page, fetch_cache: force-cache }\nroutes: [{ path: /a, revalidate: origin }]";
    assert!(with(defaults).is_ok());
}

#[test]
fn allow_lists_what_is_answered() {
    let allow =
        |methods: &str| route(&format!("methods: {methods}")).unwrap().routes[0].methods.clone().unwrap().allow();
    assert_eq!(allow("[POST, GET, DELETE]"), "DELETE, GET, HEAD, OPTIONS, POST");
    assert_eq!(allow("[POST]"), "OPTIONS, POST");
    assert_eq!(allow("[OPTIONS, HEAD, GET, GET, PURGE]"), "GET, HEAD, OPTIONS, PURGE");
}

#[test]
fn a_runtime_picks_an_upstream() {
    let config = |routes: &str| {
        let text = format!(
            "upstreams:
  a: {{ servers: ['a:1'], runtime: nodejs }}
  b: {{ servers: ['b:1'], runtime: edge }}
  c: {{ servers: [{{ address: 'c:1', region: fra1 }}], runtime: edge }}
region: fra1
defaults: {{ upstream: c }}
routes: [{routes}]"
        );
        read(&text).unwrap()
    };
    let cases = [
        ("{ path: /a }", 2),
        ("{ path: /a, runtime: edge }", 2),
        ("{ path: /a, runtime: nodejs }", 0),
        ("{ path: /a, runtime: bun }", 2),
        ("{ path: /a, runtime: nodejs, upstream: b }", 1),
    ];
    for (typed, expected) in cases {
        assert_eq!(config(typed).routes[0].upstream, UpstreamId(expected), "{typed}");
    }
    assert_eq!(config("{ path: /a }").region.as_deref(), Some("fra1"));
}

#[test]
fn codings_are_read() {
    use evergate_cache::Coding::{Br, Gzip, Zstd};
    let cases = [
        ("{}", Some((vec![Zstd, Br, Gzip], 1024))),
        ("{ compress: [] }", Some((vec![], 1024))),
        ("{ compress: [gzip, br], compress_min: 64KiB }", Some((vec![Gzip, Br], 64 << 10))),
        ("{ compress: [gzip, gzip] }", None),
        ("{ compress: [deflate] }", None),
        ("{ compress: true }", None),
        ("{ compress_min: small }", None),
    ];
    for (typed, expected) in cases {
        let found =
            with(&format!("cache: {typed}")).ok().map(|config| (config.cache.compress, config.cache.compress_min));
        assert_eq!(found, expected, "{typed}");
    }
    assert!(!route("revalidate: 60, compress: false").unwrap().routes[0].compress);
}

#[test]
fn sizes_are_read() {
    let cases = [
        ("1048576", Some(1 << 20)),
        ("256MiB", Some(256 << 20)),
        ("256 MiB", Some(256 << 20)),
        ("1GB", Some(1_000_000_000)),
        ("2048KiB", Some(2 << 20)),
        ("1gib", Some(1 << 30)),
        ("3000000B", Some(3_000_000)),
        ("${CAP}", Some(64 << 20)),
        ("${UNSET:-64MiB}", Some(64 << 20)),
        ("1048575", None),
        ("1023KiB", None),
        ("64M", None),
        ("MiB", None),
        ("-1", None),
        ("1.5GiB", None),
        ("1e9", None),
        ("17179869184GiB", None),
        ("true", None),
    ];
    for (typed, expected) in cases {
        let capacity = with(&format!("cache:\n  capacity: {typed}")).map(|config| config.cache.capacity);
        match expected {
            Some(bytes) => assert_eq!(capacity.unwrap(), bytes, "{typed}"),
            None => assert_eq!(capacity.unwrap_err().list()[0].path, "cache.capacity", "{typed}"),
        }
    }
}

#[test]
fn the_largest_body_follows_the_capacity() {
    let cases = [
        ("capacity: 1GiB", Some(8 << 20)),
        ("capacity: 128MiB", Some(8 << 20)),
        ("capacity: 64MiB", Some(4 << 20)),
        ("capacity: 64MiB, max_body: 4MiB", Some(4 << 20)),
        ("max_body: 16MiB", Some(16 << 20)),
        ("capacity: 64MiB, max_body: 4194305", None),
        ("max_body: 0", None),
    ];
    for (typed, expected) in cases {
        let found = with(&format!("cache: {{ {typed} }}")).map(|config| config.cache.max_body).ok();
        assert_eq!(found, expected, "{typed}");
    }
}

#[test]
fn variables_expand_in_texts() {
    let cases = [
        ("v${WINDOW}", Some("v90")),
        ("${EXPONENT}", Some("1e3")),
        ("${WINDOW}${FOREVER}", Some("90false")),
        ("${UNSET:-}", Some("")),
        ("${EMPTY}", Some("")),
        ("${EMPTY:-x}", Some("x")),
        ("${YAML}", Some("[1, 2]")),
        ("${UNSET:-a:-b}", Some("a:-b")),
        ("$$", Some("$")),
        ("$${WINDOW}", Some("${WINDOW}")),
        ("$$$$", Some("$$")),
        ("$WINDOW", Some("$WINDOW")),
        ("a$", Some("a$")),
        ("12345", Some("12345")),
        ("${UNSET}", None),
        ("${", None),
        ("${}", None),
        ("${:-x}", None),
        ("${WINDOW", None),
        ("${1A}", None),
        ("${A-B}", None),
        ("${UNSET:-${WINDOW}}", None),
        ("${ WINDOW }", None),
    ];
    for (typed, expected) in cases {
        let found = with(&format!("cache:\n  generation: \"{typed}\"")).map(|config| config.cache.generation);
        match expected {
            Some(text) => assert_eq!(found.unwrap(), text, "{typed}"),
            None => {
                let problems = found.unwrap_err();
                assert_eq!((problems.list().len(), problems.list()[0].line), (1, 3), "{typed}: {problems}");
            }
        }
    }
}

#[test]
fn settings_are_accepted_or_refused_at_their_path() {
    // Each row: what is added to a configuration with one upstream, and the path of the one problem.
    let cases = [
        ("listen: [{ address: \"[::1]:0\", h2c: true }]", None),
        ("listen: [{ address: 127.0.0.1:0 }, { address: 127.0.0.1:0 }]", None),
        ("listen: []", Some("listen")),
        ("listen: 127.0.0.1:8080", Some("listen")),
        ("listen: [127.0.0.1:8080]", Some("listen[0]")),
        ("listen: [{ h2c: true }]", Some("listen[0].address")),
        ("listen: [{ address: \":8080\" }]", Some("listen[0].address")),
        ("listen: [{ address: 127.0.0.1:65536 }]", Some("listen[0].address")),
        ("listen: [{ address: 127.0.0.1:1 }, { address: 127.0.0.1:1 }]", Some("listen[1].address")),
        ("admin: { address: 127.0.0.1:8080 }", Some("admin.address")),
        ("admin: { address: \"[::1]:9900\" }", None),
        ("admin: { address: 0.0.0.0:9900 }", Some("admin.token")),
        ("admin: { address: 0.0.0.0:9900, token: \"\" }", Some("admin.token")),
        ("admin: { address: 0.0.0.0:9900, token: \"a b\" }", Some("admin.token")),
        ("admin: { address: 0.0.0.0:9900, token: s3cret }", None),
        ("admin:", None),
        ("log: { access: off }", None),
        ("log: { access: false }", None),
        ("log: { access: 0.1 }", None),
        ("log: { access: 1.1 }", Some("log.access")),
        ("log: { level: off }", Some("log.level")),
        ("log: text", Some("log")),
        ("threads: 1", None),
        ("threads: 1024", None),
        ("threads: ${UNSET:-2}", None),
        ("threads: 1025", Some("threads")),
        ("threads: 1.5", Some("threads")),
        ("threads: many", Some("threads")),
        ("hosts: [acme.com, \"[::1]\", 10.0.0.1]", None),
        ("hosts: [\"*.acme.com\"]", Some("hosts[0]")),
        ("hosts: [acme.com.]", Some("hosts[0]")),
        ("hosts: acme.com", Some("hosts")),
        ("trailing_slash: redirect", None),
        ("trailing_slash: true", Some("trailing_slash")),
        ("unmatched: 404", None),
        ("unmatched: \"404\"", None),
        ("unmatched: 405", Some("unmatched")),
        ("cache: { expire: 0 }", Some("cache.expire")),
        ("cache: { negative_ttl: 0 }", None),
        ("cache: { strip_query: [] }", None),
        ("cache: { strip_query: [\"*\"] }", None),
        ("cache: { strip_query: [a*b] }", Some("cache.strip_query[0]")),
        ("cache: { max_concurrent_refreshes: 0 }", Some("cache.max_concurrent_refreshes")),
        ("cache: { generation: [a] }", Some("cache.generation")),
        ("cache: { generation: 1.10 }", Some("cache.generation")),
        ("defaults: { revalidate: x }\nroutes: [{ path: /a }, { path: /b }]", Some("defaults.revalidate")),
        ("defaults: { path: /a }", Some("defaults.path")),
        ("defaults: { revalidate: 1m, expire: 1s }", Some("defaults.expire")),
        ("routes:", None),
        ("routes: { path: /a }", Some("routes")),
        ("routes: [{ revalidate: 1 }]", Some("routes[0].path")),
        ("routes: [{ path: [a] }]", Some("routes[0].path")),
        ("threads: !count 4", Some("threads")),
        ("? [a]\n: 1", Some("")),
    ];
    for (settings, expected) in cases {
        match (with(settings), expected) {
            (Ok(_), None) => {}
            (Ok(_), Some(path)) => panic!("{settings}: no problem at {path}"),
            (Err(problems), expected) => {
                let paths: Vec<&str> = problems.list().iter().map(|problem| problem.path.as_str()).collect();
                assert_eq!(paths, Vec::from_iter(expected), "{settings}: {problems}");
            }
        }
    }
}

#[test]
fn routes_are_accepted_or_refused_at_their_setting() {
    let cases = [
        ("revalidate: 60, expire: 60", None),
        ("revalidate: 60, expire: 59", Some("expire")),
        ("revalidate: 2y", Some("revalidate")),
        ("revalidate: 2y, expire: 3y", None),
        ("revalidate: false, expire: 1", None),
        ("expire: 0", Some("expire")),
        ("expire: 1h, stale_if_error: 1h", None),
        ("expire: 1h, stale_if_error: 0", None),
        ("expire: 1h, stale_if_error: 61m", Some("stale_if_error")),
        ("stale_if_error: 366d", Some("stale_if_error")),
        ("expire: x, revalidate: 2y, stale_if_error: 3y", Some("expire")),
        ("query: all", None),
        ("query: ignore", None),
        ("query: []", None),
        ("query: [a, \"b[c]\", 5]", None),
        ("query: none", Some("query")),
        ("query: [\"a=b\"]", Some("query[0]")),
        ("query: [utm_*]", Some("query[0]")),
        ("cookies: [\"a;b\"]", Some("cookies[0]")),
        ("cookies: theme", Some("cookies")),
        ("vary: [Accept-Language]", None),
        ("vary: [\"*\"]", Some("vary[0]")),
        ("vary: [\"a b\"]", Some("vary[0]")),
        ("vary: [Host]", Some("vary[0]")),
        ("vary: [accept, authorization]", Some("vary[1]")),
        ("vary: [transfer-encoding]", Some("vary[0]")),
        ("vary: [if-none-match]", Some("vary[0]")),
        ("bypass: { headers: [authorization] }", None),
        ("bypass: { cookies: [\"\"] }", Some("bypass.cookies[0]")),
        ("bypass: [x]", Some("bypass")),
        ("authorization: strip", None),
        ("authorization: true", Some("authorization")),
        ("cache_control: \"a\\nb\"", Some("cache_control")),
        ("cache_control: \" \"", Some("cache_control")),
        ("max_duration: 0", Some("max_duration")),
        ("maxDuration: 10s", None),
        ("staleIfError: 10s", None),
        ("maxDuration: 10s, max_duration: 10s", Some("max_duration")),
        ("MaxDuration: 10s", Some("MaxDuration")),
        ("upstream: demo", None),
        ("upstream: other", Some("upstream")),
    ];
    for (settings, expected) in cases {
        match (route(settings), expected) {
            (Ok(_), None) => {}
            (Ok(_), Some(path)) => panic!("{settings}: no problem at {path}"),
            (Err(problems), expected) => {
                let paths: Vec<&str> = problems.list().iter().map(|problem| problem.path.as_str()).collect();
                let expected = expected.map(|key| format!("routes[0].{key}"));
                assert_eq!(paths, Vec::from_iter(expected.as_deref()), "{settings}: {problems}");
            }
        }
    }
}

#[test]
fn upstreams_are_accepted_or_refused_at_their_setting() {
    let cases = [
        ("a: { servers: [\"localhost:1\", \"[::1]:3000\", { address: \"a_b.internal:65535\" }] }", None),
        ("a-b_0: { builtin: demo, host: \"demo:80\", retries: 0, max_concurrent_fetches: 1 }", None),
        ("A: { builtin: demo }", Some("upstreams.A")),
        ("a: { builtin: other }", Some("upstreams.a.builtin")),
        ("a: { builtin: demo, servers: [\"b:1\"] }", Some("upstreams.a.servers")),
        ("a: {}", Some("upstreams.a.servers")),
        ("a:", Some("upstreams.a.servers")),
        ("a: { servers: [] }", Some("upstreams.a.servers")),
        ("a: { servers: \"b:1\" }", Some("upstreams.a.servers")),
        ("a: { servers: [b] }", Some("upstreams.a.servers[0]")),
        ("a: { servers: [\"b:0\"] }", Some("upstreams.a.servers[0]")),
        ("a: { servers: [\"b:+1\"] }", Some("upstreams.a.servers[0]")),
        ("a: { servers: [\"b:65536\"] }", Some("upstreams.a.servers[0]")),
        ("a: { servers: [\"::1:80\"] }", Some("upstreams.a.servers[0]")),
        ("a: { servers: [\"[::g]:80\"] }", Some("upstreams.a.servers[0]")),
        ("a: { servers: [\"http://b:80\"] }", Some("upstreams.a.servers[0]")),
        ("a: { servers: [{ adress: \"b:80\", address: \"b:80\" }] }", Some("upstreams.a.servers[0].adress")),
        ("a: { servers: [{}] }", Some("upstreams.a.servers[0].address")),
        ("a: { builtin: demo, host: \"a b\" }", Some("upstreams.a.host")),
        ("a: { builtin: demo, retries: -1 }", Some("upstreams.a.retries")),
        ("a: { builtin: demo, timeouts: { idle: 0 } }", Some("upstreams.a.timeouts.idle")),
        ("a: { builtin: demo }, b: { builtin: demo }", Some("defaults.upstream")),
        ("", Some("upstreams")),
    ];
    for (upstreams, expected) in cases {
        match (read(&format!("upstreams: {{ {upstreams} }}")), expected) {
            (Ok(_), None) => {}
            (Ok(_), Some(path)) => panic!("{upstreams}: no problem at {path}"),
            (Err(problems), expected) => {
                let paths: Vec<&str> = problems.list().iter().map(|problem| problem.path.as_str()).collect();
                assert_eq!(paths, Vec::from_iter(expected), "{upstreams}: {problems}");
            }
        }
    }
    assert_eq!(
        problems(read("upstreams:\nroutes: [{ path: /, upstream: a }]")),
        "config.yaml:1: upstreams: found no upstream, expected at least one \
         (`upstreams: { handlers: { servers: [\"127.0.0.1:3000\"] } }`)"
    );
    assert_eq!(problems(read("threads: 1")).lines().count(), 1);
    assert_eq!(problems(read("upstreams: 5\ndefaults: { upstream: a }")).lines().count(), 1);
}

#[test]
fn unknown_keys_get_a_guess() {
    let cases = [
        ("cahe: {}", "a known key: did you mean `cache`?"),
        ("route: []", "a known key: did you mean `routes`?"),
        ("Routes: []", "a known key: did you mean `routes`?"),
        ("cache: { capasity: 1 }", "a known key: did you mean `capacity`?"),
        ("cache: { maxBodyy: 1 }", "a known key: did you mean `max_body`?"),
        ("log: { formt: text }", "a known key: did you mean `format`?"),
        ("log: { lvel: info }", "a known key: did you mean `level`?"),
        ("log: { colour: true }", "one of `format`, `level`, `access`"),
        ("routes: [{ path: /, revlaidate: 60 }]", "a known key: did you mean `revalidate`?"),
        ("routes: [{ path: /, stale-if-error: 60 }]", "a known key: did you mean `stale_if_error`?"),
        ("defaults: { upstream: dmeo }", "the name of an upstream: did you mean `demo`?"),
        ("defaults: { upstream: handlers }", "the name of an upstream: `demo`"),
    ];
    for (settings, expected) in cases {
        let problems = with(settings).unwrap_err();
        assert_eq!(problems.list().len(), 1, "{settings}: {problems}");
        assert_eq!(problems.list()[0].expected, expected, "{settings}");
    }
}

#[test]
fn patterns_of_query_parameters_match() {
    let prefix = QueryPattern::Prefix("utm_".to_owned());
    let exact = QueryPattern::Exact("gclid".to_owned());
    let cases = [
        (&prefix, "utm_source", true),
        (&prefix, "utm_", true),
        (&prefix, "utm", false),
        (&exact, "gclid", true),
        (&exact, "gclid2", false),
        (&exact, "GCLID", false),
    ];
    for (pattern, name, expected) in cases {
        assert_eq!(pattern.matches(name), expected, "{pattern} {name}");
    }
}

#[test]
fn settings_that_contradict_each_other_are_both_named() {
    let cases = [
        (
            "defaults: { expire: 1m }\nroutes:\n- path: /a\n  revalidate: 90",
            "config.yaml:2: defaults.expire: found `1m`, expected at least 1m 30s, which is routes[0].revalidate \
             (line 5)",
        ),
        (
            "defaults: { stale_if_error: 1d }\nroutes:\n- path: /a\n  expire: 0.5",
            "config.yaml:2: defaults.stale_if_error: found `1d`, expected at most 0.5s, which is routes[0].expire \
             (line 5)",
        ),
        (
            "routes:\n- path: /a\n  revalidate: 9000h",
            "config.yaml:4: routes[0].revalidate: found `9000h`, expected at most `cache.expire` (365d), or an \
             `expire` of its own",
        ),
        (
            "routes:\n- path: /a\n  stale_if_error: 2y",
            "config.yaml:4: routes[0].stale_if_error: found `2y`, expected at most `cache.expire` (365d)",
        ),
    ];
    for (settings, expected) in cases {
        assert_eq!(problems(with(settings)), expected, "{settings}");
    }
}
