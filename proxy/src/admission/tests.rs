//! What becomes of a request: an answer, a pass with its reason, or a look-up under a key.

use std::sync::Arc;
use std::time::SystemTime;

use evergate_cache::{Policy, Scheme, Variant};
use http::header::LOCATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use super::{Admission, admit};
use crate::config::{Config, parse};
use crate::outcome::{Outcome, PassReason};
use crate::request::{BodyPresence, Protocol, Request};
use crate::snapshot::Snapshot;
use crate::target::Target;

/// Two upstreams, a few routes, and what the test adds at the top level.
fn snapshot(settings: &str) -> Arc<Snapshot> {
    let text = format!(
        "{settings}
upstreams:
  demo: {{ builtin: demo }}
  other: {{ servers: [\"127.0.0.1:3000\"] }}
cache: {{ strip_query: [utm_*, gclid] }}
defaults: {{ upstream: demo }}
routes:
  - {{ path: /dynamic }}
  - {{ path: /posts, revalidate: 60 }}
  - {{ path: \"/items/[slug]\", revalidate: 60, upstream: other }}
  - {{ path: /search, revalidate: 60, query: [q, page] }}
  - {{ path: /static, revalidate: false, query: ignore }}
  - {{ path: /themed, revalidate: 60, cookies: [theme, \"lang\"] }}
  - {{ path: /open, revalidate: 60, authorization: strip, bypass: {{ cookies: [], headers: [x-preview] }} }}
  - {{ path: /varied, revalidate: 60, vary: [accept-language] }}
"
    );
    let config: Config = parse(&text, "config.yaml", &|_: &str| None).unwrap_or_else(|problems| panic!("{problems}"));
    Arc::new(Snapshot::new(&config, None))
}

type Line<'a> = (&'a str, &'a str);

fn request(method: &str, target: &str, lines: &[Line<'_>]) -> Request {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let host = headers.get("host").map(|host| host.to_str().unwrap().to_owned());
    Request {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        target: target.to_owned(),
        authority: host,
        headers,
        body: BodyPresence::None,
        keep_alive: true,
        peer: None,
        scheme: Scheme::Http,
        protocol: Protocol::Http11,
    }
}

/// The decision, in words.
fn decided(snapshot: &Arc<Snapshot>, request: &Request) -> String {
    let target = Target::parse(&request.target).unwrap();
    match admit(request, &target, snapshot.addressee(target.matched_path(), None), snapshot, SystemTime::UNIX_EPOCH) {
        Admission::Answer(notice, what) => {
            let location = notice.fields.get(&LOCATION).map(|location| format!(" {}", location.to_str().unwrap()));
            let what = Outcome::Answered(what).to_string().replace("evergate; detail=", "");
            format!("{} {what}{}", notice.status.as_u16(), location.unwrap_or_default())
        }
        Admission::Pass(passage) => {
            let pattern = passage.route.as_ref().map_or("-", |route| route.pattern.as_str());
            let params = passage.params.as_deref().map(|params| format!(" {params}"));
            let (reason, upstream) = (passage.reason.as_str(), &passage.upstream.name);
            format!("pass {reason} {upstream} {pattern} {}{}", passage.target, params.unwrap_or_default())
        }
        Admission::Cached(selected) => {
            let mut words = format!("cached {} {}", selected.route.pattern, selected.path);
            if let Some(query) = &selected.query {
                words.push_str(&format!(" ?{query}"));
            }
            if let Some(cookies) = &selected.cookies {
                words.push_str(&format!(" cookies: {}", String::from_utf8_lossy(cookies)));
            }
            if let Some(host) = &selected.host {
                words.push_str(&format!(" host: {host}"));
            }
            words
        }
    }
}

fn get(snapshot: &Arc<Snapshot>, target: &str, lines: &[Line<'_>]) -> String {
    decided(snapshot, &request("GET", target, lines))
}

#[test]
fn a_path_belongs_to_a_route_or_to_none() {
    let pass = snapshot("");
    let not_found = snapshot("unmatched: 404");
    let cases = [
        ("/posts", "cached /posts /posts"),
        ("/%70osts", "cached /posts /posts"),
        ("/a/../posts", "cached /posts /posts"),
        ("/items/a%2fb", "cached /items/[slug] /items/a%2Fb"),
        ("/dynamic?a=b&utm_x=c", "pass dynamic demo /dynamic /dynamic?a=b&utm_x=c {}"),
        ("/dynamic?", "pass dynamic demo /dynamic /dynamic? {}"),
        ("/", "pass unmatched demo - /"),
        ("/Posts", "pass unmatched demo - /Posts"),
        ("/x/%2e/y?z", "pass unmatched demo - /x/y?z"),
    ];
    for (target, expected) in cases {
        assert_eq!(get(&pass, target, &[]), expected, "{target}");
        let expected = if expected.contains("unmatched") { "404 not-found" } else { expected };
        assert_eq!(get(&not_found, target, &[]), expected, "{target}");
    }
}

#[test]
fn a_page_has_one_name() {
    let cases = [
        ("/posts/", "cached /posts /posts/", "308 redirected /posts"),
        ("/posts/?q=1", "cached /posts /posts/ ?q=1", "308 redirected /posts?q=1"),
        ("/dynamic/", "pass dynamic demo /dynamic /dynamic/ {}", "308 redirected /dynamic"),
        ("/x/", "pass unmatched demo - /x/", "308 redirected /x"),
        ("/", "pass unmatched demo - /", "pass unmatched demo - /"),
        ("//posts", "308 redirected /posts", "308 redirected /posts"),
        ("/posts//?a=//b", "308 redirected /posts/?a=//b", "308 redirected /posts/?a=//b"),
        ("//evil.example/..//", "308 redirected /", "308 redirected /"),
        ("//evil.example/x", "308 redirected /evil.example/x", "308 redirected /evil.example/x"),
    ];
    let (ignore, redirect) = (snapshot(""), snapshot("trailing_slash: redirect"));
    for (target, ignoring, redirecting) in cases {
        assert_eq!(get(&ignore, target, &[]), ignoring, "{target}");
        assert_eq!(get(&redirect, target, &[]), redirecting, "{target}");
    }
}

#[test]
fn only_the_listed_hosts_are_served() {
    let one_site = snapshot("");
    let sites = snapshot("hosts: [a.example, b.example]");
    let cases = [
        (Some("a.example"), "cached /posts /posts host: a.example"),
        (Some("b.example:8080"), "cached /posts /posts host: b.example"),
        (Some("c.example"), "421 misdirected"),
        (Some("a.example.evil"), "421 misdirected"),
        (Some("[::1]:80"), "421 misdirected"),
        (None, "421 misdirected"),
    ];
    for (host, expected) in cases {
        let lines: Vec<Line<'_>> = host.iter().map(|host| ("host", *host)).collect();
        assert_eq!(get(&sites, "/posts", &lines), expected, "{host:?}");
        assert_eq!(get(&one_site, "/posts", &lines), "cached /posts /posts", "{host:?}");
    }
    // Nobody is redirected on a host that is not served.
    assert_eq!(get(&sites, "//posts", &[("host", "c.example")]), "421 misdirected");
}

#[test]
fn what_the_cache_has_no_part_in_passes() {
    let cases: [(&str, &str, &[Line<'_>], &str); 20] = [
        ("GET", "/posts", &[], "cached"),
        ("HEAD", "/posts", &[], "cached"),
        ("POST", "/posts", &[], "pass method"),
        ("get", "/posts", &[], "pass method"),
        ("OPTIONS", "/posts", &[], "pass method"),
        ("PURGE", "/posts", &[], "pass method"),
        ("POST", "/dynamic", &[], "pass dynamic"),
        ("GET", "/posts", &[("authorization", "Basic x")], "pass authorization"),
        ("GET", "/posts", &[("authorization", "")], "pass authorization"),
        ("GET", "/open", &[("authorization", "Basic x")], "cached"),
        ("GET", "/posts", &[("upgrade", "websocket"), ("connection", "upgrade")], "pass upgrade"),
        ("GET", "/posts", &[("upgrade", "websocket")], "cached"),
        ("GET", "/posts", &[("upgrade", "h2c"), ("connection", "upgrade")], "cached"),
        ("GET", "/posts", &[("cookie", "__prerender_bypass=1")], "pass bypass"),
        ("GET", "/posts", &[("cookie", "a=b;__prerender_bypass;c=d")], "pass bypass"),
        ("GET", "/posts", &[("cookie", "a=b"), ("cookie", "x=é; __prerender_bypass=1")], "pass bypass"),
        ("GET", "/posts", &[("cookie", "a=__prerender_bypass; __PRERENDER_BYPASS=1")], "cached"),
        ("GET", "/open", &[("cookie", "__prerender_bypass=1")], "cached"),
        ("GET", "/open", &[("x-preview", "")], "pass bypass"),
        ("GET", "/posts", &[("x-preview", "1"), ("range", "bytes=0-1"), ("cache-control", "no-cache")], "cached"),
    ];
    let snapshot = snapshot("");
    for (method, target, lines, expected) in cases {
        let found = decided(&snapshot, &request(method, target, lines));
        assert_eq!(
            found.split(' ').take(2).collect::<Vec<_>>().join(" ").replace(" /posts", "").replace(" /open", ""),
            expected,
            "{method} {target} {lines:?}"
        );
    }
    let with_body = Request { body: BodyPresence::Some, ..request("GET", "/posts", &[]) };
    assert_eq!(decided(&snapshot, &with_body), "pass body demo /posts /posts {}");
}

#[test]
fn the_first_reason_counts() {
    let snapshot = snapshot("");
    let everything = [
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("authorization", "x"),
        ("cookie", "__prerender_bypass=1"),
    ];
    for (lines, expected) in [
        (&everything[..], PassReason::Upgrade),
        (&everything[2..], PassReason::Authorization),
        (&everything[3..], PassReason::Bypass),
    ] {
        let found = get(&snapshot, "/items/a", lines);
        assert_eq!(found, format!("pass {} other /items/[slug] /items/a {{\"slug\":\"a\"}}", expected.as_str()));
    }
}

#[test]
fn a_cached_handler_sees_the_chosen_query() {
    let cases = [
        ("/posts", ""),
        ("/posts?", ""),
        ("/posts?&", ""),
        ("/posts?b=1", " ?b=1"),
        ("/posts?b=2&a=1", " ?a=1&b=2"),
        // Parameters of one name keep their order; an empty value is not a missing one.
        ("/posts?b=2&a=2&b=1&a=1", " ?a=2&a=1&b=2&b=1"),
        ("/posts?b=&a&c", " ?a&b=&c"),
        ("/posts?&&a=1&&", " ?a=1"),
        // Names are compared decoded and forwarded as they came.
        ("/posts?%62=2&a=1", " ?a=1&%62=2"),
        ("/posts?b=1&%61=2&a=1", " ?%61=2&a=1&b=1"),
        // What is stripped everywhere.
        ("/posts?utm_source=x&a=1&gclid=y&utm_=z", " ?a=1"),
        ("/posts?utm_source=x", ""),
        ("/posts?%75tm_source=x&gcl%69d", ""),
        ("/posts?gclid2=x&xutm_=y", " ?gclid2=x&xutm_=y"),
        ("/search?page=2&x=1&q=a+b", " ?page=2&q=a+b"),
        ("/search?Q=1&qq=2&page", " ?page"),
        ("/search?q=1&q=2&%71=3", " ?q=1&q=2&%71=3"),
        ("/search?x=q", ""),
        ("/static?a=1", ""),
        ("/posts?a=\"<b>\"", " ?a=%22%3Cb%3E%22"),
    ];
    let snapshot = snapshot("");
    for (target, expected) in cases {
        let path = target.split('?').next().unwrap();
        assert_eq!(get(&snapshot, target, &[]), format!("cached {path} {path}{expected}"), "{target}");
    }
}

#[test]
fn a_cached_handler_sees_the_chosen_cookies() {
    let cases: [(&str, &[&str], &str); 13] = [
        ("/posts", &["theme=dark"], ""),
        ("/themed", &[], ""),
        ("/themed", &["session=1"], ""),
        ("/themed", &["theme=dark; session=1"], " cookies: theme=dark"),
        // In the order of the list, whatever the visitor's.
        ("/themed", &["lang=en; theme=dark"], " cookies: theme=dark; lang=en"),
        ("/themed", &["lang=en", "theme=dark"], " cookies: theme=dark; lang=en"),
        ("/themed", &["theme=a; theme=b"], " cookies: theme=a; theme=b"),
        ("/themed", &["theme=; lang"], " cookies: theme=; lang"),
        ("/themed", &["  theme=dark  ;;; lang=en;"], " cookies: theme=dark; lang=en"),
        ("/themed", &["Theme=dark; themes=x; xtheme=y; theme2"], ""),
        ("/themed", &["theme=a=b=c"], " cookies: theme=a=b=c"),
        ("/themed", &["name=Zoë; theme=dark"], " cookies: theme=dark"),
        ("/themed", &["theme=\"a b, c\""], " cookies: theme=\"a b, c\""),
    ];
    let snapshot = snapshot("");
    for (target, cookies, expected) in cases {
        let lines: Vec<Line<'_>> = cookies.iter().map(|cookie| ("cookie", *cookie)).collect();
        assert_eq!(get(&snapshot, target, &lines), format!("cached {target} {target}{expected}"), "{cookies:?}");
    }
}

/// The key and the variant of a request that the cache may answer.
fn identity(snapshot: &Arc<Snapshot>, request: &Request) -> (Vec<u8>, Variant) {
    let target = Target::parse(&request.target).unwrap();
    let Admission::Cached(selected) =
        admit(request, &target, snapshot.addressee(target.matched_path(), None), snapshot, SystemTime::UNIX_EPOCH)
    else {
        panic!("{request:?} is not cached");
    };
    let mut key = Vec::new();
    selected.key(request.scheme, snapshot).write(&mut key);
    let Policy::Window(_, variance) = selected.policy else { panic!("{request:?} is the handler's to decide") };
    (key, Variant::of(variance, &request.headers))
}

/// Two targets with their lines, and whether they are one page.
type Pair<'a> = ((&'a str, &'a [Line<'a>]), (&'a str, &'a [Line<'a>]), bool);

#[test]
fn promise_1_what_the_handler_sees_is_what_the_key_holds() {
    let cases: [Pair<'_>; 14] = [
        (("/posts", &[]), ("/%70osts?", &[("cookie", "a=b"), ("x-a", "1")]), true),
        (("/posts?a=1&b=2", &[]), ("/posts?b=2&a=1&utm_x=3", &[]), true),
        (("/posts?a=1", &[]), ("/posts?a=2", &[]), false),
        (("/posts?a=1&a=2", &[]), ("/posts?a=2&a=1", &[]), false),
        (("/posts?a", &[]), ("/posts?a=", &[]), false),
        // Both spellings reach the handler, so they are two pages.
        (("/posts?a=1", &[]), ("/posts?%61=1", &[]), false),
        (("/posts", &[]), ("/posts/", &[]), false),
        (("/items/a%2fb", &[]), ("/items/a%2Fb", &[]), true),
        (("/themed", &[("cookie", "theme=a; x=1")]), ("/themed", &[("cookie", "x=2; theme=a")]), true),
        (("/themed", &[("cookie", "theme=a")]), ("/themed", &[("cookie", "theme=b")]), false),
        (("/themed", &[("cookie", "theme=a; lang=b")]), ("/themed", &[("cookie", "theme=a")]), false),
        (("/open", &[("authorization", "a")]), ("/open", &[("authorization", "b")]), true),
        (("/varied", &[("accept-language", "en")]), ("/varied", &[("accept-language", "de")]), false),
        (("/varied", &[("accept", "a")]), ("/varied", &[("accept", "b")]), true),
    ];
    let snapshot = snapshot("");
    for (one, other, same) in cases {
        let [first, second] = [one, other].map(|(target, lines)| identity(&snapshot, &request("GET", target, lines)));
        assert_eq!(first == second, same, "{one:?} and {other:?}");
    }
}

#[test]
fn generation_scheme_upstream_and_host_are_in_the_key() {
    let plain = request("GET", "/posts", &[("host", "a.example")]);
    let secure = Request { scheme: Scheme::Https, ..plain.clone() };
    let with_generation = |generation: &str| {
        let mut snapshot = Arc::into_inner(snapshot("")).expect("it is shared with nobody");
        snapshot.generation = generation.to_owned();
        Arc::new(snapshot)
    };
    let hosts = snapshot("hosts: [a.example, b.example]");
    let keys = [
        identity(&snapshot(""), &plain),
        identity(&snapshot(""), &secure),
        identity(&with_generation("1"), &plain),
        identity(&with_generation("2"), &plain),
        identity(&hosts, &plain),
        identity(&hosts, &request("GET", "/posts", &[("host", "b.example")])),
        identity(&snapshot(""), &request("GET", "/items/posts", &[])),
    ];
    for (at, key) in keys.iter().enumerate() {
        assert!(!keys[..at].contains(key), "key {at} is another one's too");
    }
    // HEAD is answered from GET's page.
    assert_eq!(identity(&snapshot(""), &request("HEAD", "/posts", &[])), keys[0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever order parameters come in, those of one name in theirs, they are one page, and nothing but they is forwarded.
    #[test]
    fn a_query_is_sorted_stably(parameters in proptest::collection::vec(("[a-c]", "[0-2]?"), 0..6), turn in 0usize..6) {
        let snapshot = snapshot("");
        let join = |parameters: &[(String, String)]| {
            let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("/posts?{}", pairs.join("&"))
        };
        let mut turned: Vec<(String, String)> = Vec::new();
        let rotated: Vec<&str> = ["a", "b", "c", "b", "a", "c"].into_iter().cycle().skip(turn).take(6).collect();
        for name in rotated {
            if !turned.iter().any(|(known, _)| known == name) {
                turned.extend(parameters.iter().filter(|(known, _)| known == name).cloned());
            }
        }
        let [one, other] = [&parameters, &turned].map(|parameters| get(&snapshot, &join(parameters), &[]));
        prop_assert_eq!(&one, &other);
        let mut expected = parameters;
        expected.sort_by(|(one, _), (other, _)| one.cmp(other));
        let expected = join(&expected);
        let expected = expected.strip_prefix("/posts").filter(|query| *query != "?").map_or(String::new(), |query| format!(" {query}"));
        prop_assert_eq!(one, format!("cached /posts /posts{expected}"));
    }
}
