//! Whole configurations: defaults, the reference, what is broken, and what becomes of each part.

mod cors;
mod downstream;
mod proxy;
mod settings;

use std::io;
use std::time::Duration;

use super::query::QueryPattern;
use super::{
    AccessLog, Authorization, Builtin, Config, LoadError, LogFormat, LogLevel, Origin, Outside, Problems, Query,
    Revalidate, RoutePattern, TrailingSlash, Unmatched, UpstreamId, load, parse,
};

/// The environment of the tests.
fn env(name: &str) -> Option<String> {
    let value = match name {
        "CAP" => "64MiB",
        "WINDOW" => "90",
        "FOREVER" => "false",
        "EMPTY" => "",
        "PORT" => "3000",
        "EXPONENT" => "1e3",
        "YAML" => "[1, 2]",
        "COMMENT" => "5 # five",
        _ => return None,
    };
    Some(value.to_owned())
}

/// An environment in which every variable is set, and a folder with a certificate and its key.
struct World {
    certificate: String,
    key: String,
}

impl Default for World {
    fn default() -> World {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        World { certificate: pair.cert.pem(), key: pair.signing_key.serialize_pem() }
    }
}

impl Outside for World {
    fn variable(&self, name: &str) -> Option<String> {
        Some(format!("value-of-{name}"))
    }

    fn file(&self, name: &str) -> io::Result<String> {
        match name {
            "cert.pem" => Ok(self.certificate.clone()),
            "key.pem" => Ok(self.key.clone()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn read(text: &str) -> Result<Config, Problems> {
    parse(text, "config.yaml", &env)
}

/// A configuration with one upstream and what the test adds.
fn with(settings: &str) -> Result<Config, Problems> {
    read(&format!("upstreams: {{ demo: {{ builtin: demo }} }}\n{settings}\n"))
}

fn problems(result: Result<Config, Problems>) -> String {
    result.map_or_else(|problems| problems.to_string(), |config| panic!("accepted: {config:?}"))
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let config = read("\u{feff}upstreams: { demo: { builtin: demo } }\nroutes: [{ path: /a }]").unwrap();
    assert_eq!(config.routes.len(), 1);
    let problem = problems(read("\u{feff}upstreams: { demo: { builtin: demo } }\nroutes: [{ path: a }]"));
    assert!(problem.starts_with("config.yaml:2: routes[0].path"), "{problem}");
}

#[test]
fn defaults_stand_for_what_is_left_out() {
    let config = with("routes: [{ path: /a }]").unwrap();
    assert_eq!(config.listen.len(), 1);
    assert_eq!(config.listen[0].address.to_string(), "127.0.0.1:8080");
    assert!(!config.listen[0].h2c);
    assert_eq!(config.admin.address.to_string(), "127.0.0.1:9900");
    assert_eq!(config.admin.token, None);
    assert_eq!(
        (config.log.format, config.log.level, config.log.access),
        (LogFormat::Text, LogLevel::Info, AccessLog::On)
    );
    assert_eq!(config.threads, std::thread::available_parallelism().unwrap());
    assert_eq!(config.hosts, Vec::<String>::new());
    assert_eq!((config.trailing_slash, config.unmatched), (TrailingSlash::Ignore, Unmatched::Pass));
    assert_eq!(config.default_upstream, UpstreamId(0));

    let upstream = &config.upstreams[0];
    assert_eq!((upstream.name.as_str(), &upstream.origin), ("demo", &Origin::Builtin(Builtin::Demo)));
    assert_eq!((&upstream.host, upstream.retries, upstream.max_concurrent_fetches.get()), (&None, 1, 256));
    let timeouts = upstream.timeouts;
    assert_eq!((timeouts.connect, timeouts.first_byte, timeouts.idle), (secs(1), secs(30), secs(60)));

    let cache = &config.cache;
    assert_eq!((cache.capacity, cache.max_body), (256 << 20, 8 << 20));
    assert_eq!((cache.expire, cache.negative_ttl), (secs(31_536_000), secs(10)));
    assert_eq!((cache.max_concurrent_refreshes.get(), cache.generation.as_str()), (64, ""));
    let stripped: Vec<String> = cache.strip_query.iter().map(QueryPattern::to_string).collect();
    assert_eq!(stripped, ["utm_*", "gclid", "fbclid"]);

    let route = &config.routes[0];
    assert_eq!((route.pattern.to_string().as_str(), route.upstream), ("/a", UpstreamId(0)));
    assert_eq!(route.revalidate, Revalidate::Dynamic);
    assert_eq!((route.expire, route.stale_if_error), (secs(31_536_000), secs(31_536_000)));
    assert_eq!((&route.query, route.cookies.len(), route.vary.len()), (&Query::All, 0, 0));
    assert_eq!(route.bypass.cookies, ["__prerender_bypass"]);
    assert_eq!(route.bypass.headers.len(), 0);
    assert_eq!((route.authorization, &route.cache_control, route.max_duration), (Authorization::Pass, &None, None));
}

#[test]
fn the_reference_runs_the_demo() {
    let config = read(include_str!("../../../config.yaml")).unwrap();
    let expected = with("").unwrap();
    // What the reference shows as defaults are the defaults.
    assert_eq!((&config.listen, &config.admin, &config.log), (&expected.listen, &expected.admin, &expected.log));
    assert_eq!((&config.cache, &config.upstreams), (&expected.cache, &expected.upstreams));
    assert_eq!(config.downstream_purge, []);
    assert_eq!((config.threads, config.trailing_slash), (expected.threads, expected.trailing_slash));
    assert_eq!((config.unmatched, &config.hosts, &config.purge), (expected.unmatched, &expected.hosts, &None));
    let windows: Vec<(String, Revalidate)> =
        config.routes.iter().map(|route| (route.pattern.to_string(), route.revalidate)).collect();
    let every = |path: &str, seconds| (path.to_owned(), Revalidate::Every(secs(seconds)));
    let routes = [
        every("/posts", 5),
        every("/items/[slug]", 300),
        every("/api/search", 30),
        every("/rss.xml", 3600),
        ("/news".to_owned(), Revalidate::Origin),
        every("/stream", 10),
        every("/slow", 10),
        every("/flaky", 2),
        ("/api/hello".to_owned(), Revalidate::Dynamic),
    ];
    assert_eq!(windows, routes);
    assert_eq!(config.routes[2].query, Query::Only(vec!["query".to_owned()]));
}

#[test]
fn what_the_reference_comments_out_is_accepted_too() {
    let text = include_str!("../../../config.yaml");
    let opened: Vec<String> = text
        .lines()
        .map(|line| match line.split_once("# ") {
            // Settings are commented out after at least two spaces of indentation; prose begins at the margin.
            Some((indent, setting)) if indent.len() >= 2 && indent.trim().is_empty() => format!("{indent}{setting}"),
            Some(_) | None => line.to_owned(),
        })
        .collect();
    let config = parse(&opened.join("\n"), "config.yaml", &World::default()).unwrap();
    assert_eq!(config.listen.iter().map(|listen| listen.tls.is_some()).collect::<Vec<_>>(), [false, true]);
    assert_eq!(config.admin.token.as_deref(), Some("value-of-EVERGATE_ADMIN_TOKEN"));
    assert_eq!(config.cache.generation, "value-of-DEPLOY_ID");
    assert_eq!(config.purge.map(|purge| purge.allow.len()), Some(2));
    assert_eq!(config.upstreams.len(), 2);
    assert_eq!(config.routes[2].vary, ["accept-language"]);
    assert_eq!(config.routes[7].upstream, UpstreamId(1));
    assert_eq!(config.downstream_purge[0].name, "cdn");
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = include_str!("../../../tests/golden/config/broken.yaml");
    let golden = include_str!("../../../tests/golden/config/broken.txt");
    let printed = format!("{}\n", problems(parse(text, "broken.yaml", &env)));
    assert_eq!(printed, golden, "\n{printed}");
    assert!(golden.lines().count() >= 40);
}

#[test]
fn problems_are_data_too() {
    let problems = with("threads: 5\ncache: { expire: x }").unwrap_err();
    assert_eq!(problems.source_name(), "config.yaml");
    let [problem] = problems.list() else { panic!("{problems}") };
    assert_eq!((problem.path.as_str(), problem.line, problem.found.as_str()), ("cache.expire", 3, "`x`"));
    assert_eq!(problem.expected, "a duration (60, \"5m\", \"1h 30m\")");
}

#[test]
fn a_text_that_is_no_mapping_is_one_problem() {
    let cases = [
        ("", "config.yaml:1: found an empty file, expected a configuration with at least `upstreams`"),
        ("# nothing\n", "config.yaml:1: found an empty file, expected a configuration with at least `upstreams`"),
        ("- a\n", "config.yaml:1: found a list, expected a mapping of settings"),
        ("hello", "config.yaml:1: found `hello`, expected a mapping of settings"),
        (
            "threads: 1\nlog: { format: text\n",
            "config.yaml:3: found broken YAML (did not find expected ',' or '}'), expected YAML",
        ),
        (
            "threads: 1\nlog:\n  format: text\n  level: info\n  format: json\n",
            "config.yaml:5: log.format: found the key again, expected each key once; the first is on line 3",
        ),
        (
            "cache:\n  expire: 1\nthreads: 1\ncache:\n  expire: 2\nthreads: 2\n",
            "config.yaml:4: cache: found the key again, expected each key once; the first is on line 1\n\
             config.yaml:6: threads: found the key again, expected each key once; the first is on line 3",
        ),
        (
            "routes:\n  - path: /a\n  - { path: /b, path: /c }\n",
            "config.yaml:3: routes[1].path: found the key again, expected each key once; the first is on line 3",
        ),
        (
            "threads: 1\n---\nthreads: 2\n",
            "config.yaml:1: found broken YAML (deserializing from YAML containing more than one document is not \
             supported), expected YAML",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(problems(read(text)), expected, "{text}");
    }
}

#[test]
fn routes_take_what_they_leave_out_from_defaults() {
    let config = read(
        "upstreams: { a: { builtin: demo }, b: { builtin: demo } }\n\
         cache: { expire: 2d }\n\
         defaults: { upstream: b, revalidate: 60, bypass: { cookies: [draft] }, vary: [accept], maxDuration: 5s }\n\
         routes:\n\
         - path: /kept\n\
         - { path: /changed, upstream: a, revalidate: 0, bypass: { headers: [X-Preview] }, vary: [], \
         max_duration: 6s }\n",
    )
    .unwrap();
    assert_eq!(config.default_upstream, UpstreamId(1));
    let [kept, changed] = config.routes.as_slice() else { panic!("{config:?}") };
    assert_eq!((kept.upstream, kept.revalidate), (UpstreamId(1), Revalidate::Every(secs(60))));
    assert_eq!((kept.expire, kept.stale_if_error), (secs(172_800), secs(172_800)));
    assert_eq!((kept.bypass.cookies.as_slice(), kept.max_duration), (&["draft".to_owned()][..], Some(secs(5))));
    assert_eq!(kept.vary, ["accept"]);
    assert_eq!((changed.upstream, changed.revalidate), (UpstreamId(0), Revalidate::Dynamic));
    // A route's `bypass` replaces that of `defaults` as a whole.
    assert_eq!(changed.bypass.cookies, ["__prerender_bypass"]);
    assert_eq!(changed.bypass.headers, ["x-preview"]);
    assert_eq!((changed.vary.len(), changed.max_duration), (0, Some(secs(6))));
}

#[test]
fn anchors_and_merge_keys_work() {
    let config = with(
        "routes:\n\
         - &news { path: /news, revalidate: 60, query: [page] }\n\
         - { <<: *news, path: /old-news, revalidate: 1d }\n",
    )
    .unwrap();
    let [news, old] = config.routes.as_slice() else { panic!("{config:?}") };
    assert_eq!((&news.query, news.revalidate), (&old.query, Revalidate::Every(secs(60))));
    assert_eq!((old.pattern.to_string().as_str(), old.revalidate), ("/old-news", Revalidate::Every(secs(86_400))));
    // A problem that came in by an alias is at the line where the alias is used.
    let problem = problems(with("routes:\n- { path: /a, revalidate: &r soon }\n- path: /b\n  revalidate: *r"));
    let lines: Vec<&str> = problem.lines().map(|line| line.split(": found").next().unwrap_or("")).collect();
    assert_eq!(lines, ["config.yaml:3: routes[0].revalidate", "config.yaml:5: routes[1].revalidate"]);
}

#[test]
fn words_become_types() {
    let config = with(
        "listen: [{ address: 127.0.0.1:0 }, { address: \"[::]:8081\", h2c: true }]\n\
         admin: { address: 0.0.0.0:9900, token: 12345 }\n\
         log: { format: json, level: trace, access: 0.25 }\n\
         threads: 3\n\
         hosts: [ACME.com]\n\
         trailing_slash: redirect\n\
         unmatched: 404\n\
         routes: [{ path: \"/[[...all]]\", query: ignore, authorization: strip, cache_control: \"no-cache\" }]",
    )
    .unwrap();
    assert_eq!(config.listen[1].address.to_string(), "[::]:8081");
    assert!(config.listen[1].h2c);
    assert_eq!(config.admin.token.as_deref(), Some("12345"));
    assert_eq!((config.log.format, config.log.level), (LogFormat::Json, LogLevel::Trace));
    assert_eq!(config.log.access, AccessLog::Sampled(0.25));
    assert_eq!((config.threads.get(), config.hosts.as_slice()), (3, &["acme.com".to_owned()][..]));
    assert_eq!((config.trailing_slash, config.unmatched), (TrailingSlash::Redirect, Unmatched::NotFound));
    let route = &config.routes[0];
    assert_eq!(route.pattern, RoutePattern::parse("/[[...all]]").unwrap());
    assert_eq!((&route.query, route.authorization), (&Query::Ignore, Authorization::Strip));
    assert_eq!(route.cache_control.as_ref().unwrap(), "no-cache");
}

#[test]
fn the_token_is_never_shown() {
    let config = with("admin: { token: s3cret }").unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
    assert!(!problems(with("admin: { token: \"s3cret \\t\" }")).contains("s3cret"));
    assert!(!problems(with("admin: { token: 123.456 }")).contains("123"));
}

#[test]
fn files_are_loaded_or_named() {
    let reference = concat!(env!("CARGO_MANIFEST_DIR"), "/../config.yaml");
    assert_eq!(load(reference.as_ref(), &env).unwrap().routes.len(), 9);
    let missing = concat!(env!("CARGO_MANIFEST_DIR"), "/no-such-file.yaml");
    let error = load(missing.as_ref(), &env).unwrap_err();
    assert!(matches!(&error, LoadError::Unreadable { path, .. } if path.ends_with("no-such-file.yaml")), "{error:?}");
    assert!(error.to_string().ends_with("no-such-file.yaml"), "{error}");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert!(matches!(load(manifest.as_ref(), &env), Err(LoadError::Invalid(_))));
}
