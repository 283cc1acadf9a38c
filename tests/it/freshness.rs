//! Freshness: what is kept, for how long it is good, under which name, and what visitors are told of it (DESIGN sections
//! 3 and 4). Carries promise 1 where a route keeps nothing, and promise 7 for `Date` and `Age`.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, Response, clock, get, until};

const NO_STORE: &str = "private, no-cache, no-store, max-age=0, must-revalidate";
const BROWSERS: &str = "public, max-age=0, must-revalidate";

/// A handler that answers with the number of its run.
fn counting(origin: &Origin, pattern: &str) {
    let runs = AtomicUsize::new(0);
    origin.on(pattern, move |_| Reply::ok((runs.fetch_add(1, Ordering::Relaxed) + 1).to_string()));
}

/// The parameter `ttl` of `Cache-Status`, in seconds.
fn ttl(response: &Response) -> i64 {
    let status = response.cache_status();
    let value = status.split("; ").find_map(|parameter| parameter.strip_prefix("ttl="));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no ttl in {status:?}"))
}

/// Asks again and again until the answer `fits`, and gives it back. Answers before it may be checked by `fits` too.
pub(crate) async fn answer_when(
    what: &str,
    address: SocketAddr,
    target: &str,
    fits: impl Fn(&Response) -> bool,
) -> Response {
    let last = RefCell::new(Response::default());
    until(what, async || {
        let response = get(address, target).await;
        let fitting = fits(&response);
        last.replace(response);
        fitting
    })
    .await;
    last.into_inner()
}

/// Asks until the answer is a hit, which it is once the fill that stores it has ended.
pub(crate) async fn hit(address: SocketAddr, target: &str) -> Response {
    answer_when(&format!("{target} is a hit"), address, target, |response| response.x_cache() == "HIT").await
}

/// `x-cache` and the body.
fn essence(response: &Response) -> (&str, &str) {
    (response.x_cache(), response.text())
}

#[tokio::test]
async fn promise_1_a_route_without_a_window_is_never_stored() {
    let origin = Origin::start().await;
    counting(&origin, "/*");
    let gateway = Gateway::simple(&origin, "- path: /silent\n- path: /zero\n  revalidate: 0").await;
    let cases =
        [("/silent", "dynamic", Some(NO_STORE)), ("/zero", "dynamic", Some(NO_STORE)), ("/else", "unmatched", None)];
    for (path, reason, told) in cases {
        for _ in 0..3 {
            let response = get(gateway.address(), path).await;
            let status = format!("evergate; fwd=bypass; fwd-status=200; detail={reason}");
            assert_eq!((response.x_cache(), response.cache_status()), ("PASS", status.as_str()), "{path}");
            assert_eq!(response.header("cache-control"), told, "{path}");
            assert_eq!((response.header("age"), response.header("etag")), (None, None), "{path}");
        }
        assert_eq!(origin.count(path), 3, "{path}");
    }
    assert_eq!(get(gateway.address(), "/else").await.text(), "10");
    assert!(gateway.metrics_text().await.contains("evergate_cache_entries 0\n"));
}

#[tokio::test]
async fn miss_hit_stale_hit_over_a_window_of_two_seconds() {
    let origin = Origin::start().await;
    counting(&origin, "/posts");
    let gateway = Gateway::simple(&origin, "- path: /posts\n  revalidate: 2").await;
    let window = Duration::from_secs(2);
    let mut client = Client::connect(gateway.address()).await;
    let begun = clock::now();
    let miss = client.get("/posts").await;
    assert_eq!(essence(&miss), ("MISS", "1"));
    assert_eq!(miss.cache_status(), "evergate; fwd=uri-miss; fwd-status=200; stored");
    let second = client.get("/posts").await;
    assert_eq!((essence(&second), second.cache_status()), (("HIT", "1"), "evergate; hit; ttl=1"));
    let stale = answer_when("the response is stale", gateway.address(), "/posts", |response| {
        // Until then nothing else may be seen.
        assert_eq!(response.text(), "1");
        response.x_cache() != "HIT"
    })
    .await;
    assert!(begun.elapsed() >= window, "stale after {:?}", begun.elapsed());
    assert_eq!(stale.x_cache(), "STALE");
    assert_eq!(stale.cache_status(), "evergate; hit; ttl=0; detail=revalidating");
    assert!(stale.age() >= Some(2), "{:?}", stale.age());
    let fresh = hit(gateway.address(), "/posts").await;
    assert_eq!((fresh.text(), fresh.age(), ttl(&fresh)), ("2", Some(0), 1));
    let seen = origin.seen("/posts");
    assert_eq!(seen.len(), 2);
    assert!(seen[1].at - seen[0].at >= window, "asked again within the window");
}

#[tokio::test]
async fn a_whole_answer_is_stored_when_its_visitor_has_it() {
    let origin = Origin::start().await;
    origin.on("/*", |seen| match seen.path().ends_with('c') {
        true => Reply::ok("").chunks(["in ", "chunks"]),
        false => Reply::ok("by length"),
    });
    let gateway = Gateway::simple(&origin, "- path: /[page]\n  revalidate: 60").await;
    for number in 0..100 {
        let path = format!("/{number}{}", if number % 2 == 0 { "c" } else { "l" });
        assert_eq!(get(gateway.address(), &path).await.x_cache(), "MISS", "{path}");
        let next = get(gateway.address(), &path).await;
        assert_eq!(next.x_cache(), "HIT", "{path}: {}", next.cache_status());
    }
}

#[tokio::test]
async fn revalidate_false_has_no_end() {
    let origin = Origin::start().await;
    counting(&origin, "/for-ever");
    counting(&origin, "/short");
    let routes = "- path: /for-ever\n  revalidate: false\n- path: /short\n  revalidate: 300ms";
    let gateway = Gateway::simple(&origin, routes).await;
    let first = get(gateway.address(), "/for-ever").await;
    assert_eq!(essence(&first), ("MISS", "1"));
    assert_eq!(first.header("cdn-cache-control"), None, "nobody can call it back from a CDN");
    get(gateway.address(), "/short").await;
    // The neighbour, stored later, goes stale twice in the meantime.
    until("two windows of the neighbour are over", async || {
        get(gateway.address(), "/short").await;
        origin.count("/short") == 3
    })
    .await;
    let later = get(gateway.address(), "/for-ever").await;
    assert_eq!((essence(&later), later.cache_status()), (("HIT", "1"), "evergate; hit"));
    assert_eq!(origin.count("/for-ever"), 1);
}

#[tokio::test]
async fn promise_7_age_counts_on_and_the_date_stays() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    let date = "Tue, 15 Nov 1994 08:12:31 GMT";
    origin.on("/aged", move |_| {
        Reply::ok("").header("age", "7").header("date", date).chunks(["a", "b"]).gate_after(1, &held)
    });
    counting(&origin, "/plain");
    let routes = "- path: /aged\n  revalidate: 60\n- path: /plain\n  revalidate: 60";
    let gateway = Gateway::simple(&origin, routes).await;
    let mut leader = Client::connect(gateway.address()).await;
    leader.send("GET", "/aged", &[], "").await;
    let first = leader.read_head().await;
    let mut follower = Client::connect(gateway.address()).await;
    follower.send("GET", "/aged", &[], "").await;
    let second = follower.read_head().await;
    for (who, head) in [("the first", &first), ("the one who shares its run", &second)] {
        // It may have waited a moment in between, but its age has one line and begins with what the handler said.
        let ages: Vec<u64> = head.all("age").iter().filter_map(|age| age.parse().ok()).collect();
        assert!(matches!(ages[..], [7..=9]), "{who}: {ages:?}");
        assert_eq!(head.all("date"), [date], "{who}");
    }
    assert!(second.cache_status().contains("; collapsed"), "{}", second.cache_status());
    gate.open();
    until("it is stored and a second has passed", async || {
        let hit = get(gateway.address(), "/aged").await;
        assert_eq!((hit.all("date"), hit.all("age").len()), (vec![date], 1));
        // What the handler's caches took is age, but the window begins here.
        if hit.x_cache() == "HIT" {
            let sum = ttl(&hit) + i64::try_from(hit.age().unwrap_or(0)).unwrap_or(0);
            assert!((66..=67).contains(&sum), "{}, age {:?}", hit.cache_status(), hit.age());
        }
        hit.x_cache() == "HIT" && hit.age() >= Some(8)
    })
    .await;
    let miss = get(gateway.address(), "/plain").await;
    let second = hit(gateway.address(), "/plain").await;
    assert_eq!((miss.age(), second.age()), (None, Some(0)));
    assert!(miss.header("date").is_some(), "a handler without a clock gets a date");
    assert_eq!(miss.header("date"), second.header("date"));
}

#[tokio::test]
async fn visitors_are_told_how_long() {
    let origin = Origin::start().await;
    let with = |lines: &'static [(&str, &str)], status| {
        move |_: &_| {
            lines.iter().fold(Reply::ok("x").status(status), |reply, (name, value)| reply.header(*name, *value))
        }
    };
    origin.on("/*", with(&[], 200));
    origin.on("/spoken", with(&[("cache-control", "max-age=5")], 200));
    origin.on("/own/spoken", with(&[("cache-control", "max-age=5"), ("Cache-Control", "immutable")], 200));
    origin.on("/for-cdn", with(&[("cdn-cache-control", "max-age=9")], 200));
    origin.on("/gone", with(&[], 410));
    let routes = "- { path: \"/[page]\", revalidate: 90 }\n\
                  - { path: \"/own/[page]\", revalidate: 90, cache_control: \"public, max-age=30\" }";
    let gateway = Gateway::simple(&origin, routes).await;
    let cdn = "public, max-age=90, stale-while-revalidate=90";
    let cases: [(&str, &[&str], &[&str]); 6] = [
        ("/silent", &[BROWSERS], &[cdn]),
        ("/spoken", &["max-age=5"], &[]),
        ("/own/silent", &["public, max-age=30"], &[]),
        ("/own/spoken", &["public, max-age=30"], &[]),
        ("/for-cdn", &[BROWSERS], &["max-age=9"]),
        ("/gone", &[], &[]),
    ];
    for (path, cache_control, cdn_cache_control) in cases {
        for response in [get(gateway.address(), path).await, hit(gateway.address(), path).await] {
            let x_cache = response.x_cache();
            assert_eq!(response.all("cache-control"), cache_control, "{path} {x_cache}");
            assert_eq!(response.all("cdn-cache-control"), cdn_cache_control, "{path} {x_cache}");
        }
    }
}

/// A handler for `/STATUS/...`: that status, with the last segment as `cache-control` where it looks like one.
fn statuses(origin: &Origin) {
    origin.on("/*", |seen| {
        let mut segments = seen.path().split('/').skip(1);
        let status = segments.next().and_then(|status| status.parse().ok()).unwrap_or(200);
        let reply = Reply::ok("x").status(status).header("location", "/elsewhere");
        match segments.next().filter(|last| last.contains('=')) {
            Some(spoken) => reply.header("cache-control", spoken),
            None => reply,
        }
    });
}

#[tokio::test]
async fn errors_and_redirects_live_shortest() {
    let origin = Origin::start().await;
    statuses(&origin);
    let routes = "- { path: \"/[status]/[word]\", revalidate: 60 }\n\
                  - { path: \"/[status]/[word]/window\", revalidate: 5 }";
    let gateway = Gateway::simple(&origin, &format!("{routes}\ncache: {{ negative_ttl: 20s }}")).await;
    // Which time to live a hit may have: a second may pass between fetching and asking.
    let mut cases = vec![
        ("/200/-".to_owned(), 60),
        ("/200/max-age=3".to_owned(), 60),
        ("/203/-".to_owned(), 60),
        ("/404/max-age=300".to_owned(), 20),
        ("/404/max-age=9".to_owned(), 9),
        ("/308/s-maxage=9".to_owned(), 9),
        ("/404/-/window".to_owned(), 5),
    ];
    cases.extend([301, 302, 303, 307, 308, 404, 410].map(|status| (format!("/{status}/-"), 20)));
    for (path, lifetime) in cases {
        let miss = get(gateway.address(), &path).await;
        let second = hit(gateway.address(), &path).await;
        assert!((lifetime - 2..lifetime).contains(&ttl(&second)), "{path}: {}", second.cache_status());
        assert_eq!((miss.status.to_string().as_str(), second.status), (&path[1..4], miss.status), "{path}");
        assert_eq!(second.header("location"), Some("/elsewhere"), "{path}");
        assert_eq!(origin.count(&path), 1, "{path}");
    }
}

#[tokio::test]
async fn a_missing_page_is_asked_for_again_after_negative_ttl() {
    let origin = Origin::start().await;
    origin.on("/items/*", |_| Reply::ok("none").status(404));
    let routes = "- { path: \"/items/[slug]\", revalidate: 60 }\ncache: { negative_ttl: 500ms }";
    let gateway = Gateway::simple(&origin, routes).await;
    let begun = clock::now();
    assert_eq!(get(gateway.address(), "/items/new").await.status, 404);
    origin.on("/items/*", |_| Reply::ok("here"));
    let second = hit(gateway.address(), "/items/new").await;
    assert_eq!((second.text(), ttl(&second)), ("none", 0));
    assert_eq!(get(gateway.address(), "/items/other").await.text(), "here");
    until("the new page is seen", async || get(gateway.address(), "/items/new").await.text() == "here").await;
    assert!(begun.elapsed() >= Duration::from_millis(500), "asked again after {:?}", begun.elapsed());
    assert_eq!((origin.count("/items/new"), origin.count("/items/other")), (2, 1));
}

#[tokio::test]
async fn a_negative_ttl_of_nothing_keeps_no_missing_page() {
    let origin = Origin::start().await;
    statuses(&origin);
    let routes = "- { path: \"/[status]/[word]\", revalidate: 60 }\ncache: { negative_ttl: 0 }";
    let gateway = Gateway::simple(&origin, routes).await;
    for path in ["/404/-", "/410/max-age=60", "/307/-"] {
        for round in 1..=3 {
            let response = get(gateway.address(), path).await;
            assert_eq!((response.text(), response.x_cache()), ("x", "PASS"), "{path}: {}", response.cache_status());
            assert!(origin.count(path) >= round, "{path}: visitor {round} was answered from memory");
        }
    }
    assert_eq!(get(gateway.address(), "/200/-").await.x_cache(), "MISS");
    hit(gateway.address(), "/200/-").await;
}

#[tokio::test]
async fn every_spelling_of_a_path_is_one_page() {
    let origin = Origin::start().await;
    counting(&origin, "/*");
    let gateway = Gateway::simple(&origin, "- path: /items/[slug]\n  revalidate: 60").await;
    let address = gateway.address();
    let groups: [(&str, &[&str]); 2] = [
        ("/items/a~b", &["/items/a~b", "/items/a%7Eb", "/items/%61%7eb", "/items/./a~b", "/x/../items/c/../a~b"]),
        ("/items/a%2Fb", &["/items/a%2Fb", "/items/a%2fb", "/items/%61%2Fb"]),
    ];
    for (normal, spellings) in groups {
        for spelling in spellings {
            hit(address, spelling).await;
        }
        assert_eq!(origin.count(normal), 1, "{normal}");
    }
    assert_eq!(origin.count("/*"), 2);
    let redirect = get(address, "/items//a~b?q=1").await;
    assert_eq!((redirect.status, redirect.header("location")), (308, Some("/items/a~b?q=1")));
    // A trailing slash belongs to the same route; the handler sees it, so it is part of the key (promise 1).
    assert_eq!(get(address, "/items/a~b/").await.text(), "3");
    assert_eq!(hit(address, "/items/a~b/").await.text(), "3");
    assert_eq!(origin.seen("/*").iter().map(|seen| seen.path().to_owned()).next_back().as_deref(), Some("/items/a~b/"));
    assert_eq!(essence(&get(address, "/items/a~b").await), ("HIT", "1"));
}

#[tokio::test]
async fn a_tag_is_made_of_the_body_where_the_handler_gives_none() {
    let origin = Origin::start().await;
    let runs = AtomicUsize::new(0);
    let bodies = ["hello", "hello", "changed"];
    origin.on("/plain", move |_| Reply::ok(bodies[runs.fetch_add(1, Ordering::Relaxed).min(2)]));
    origin.on("/tagged", |_| Reply::ok("hello").header("etag", "W/\"own\""));
    origin.on("/missing", |_| Reply::ok("hello").status(404));
    let routes =
        "- path: /plain\n  revalidate: 200ms\n- path: /tagged\n  revalidate: 60\n- path: /missing\n  revalidate: 60";
    let gateway = Gateway::simple(&origin, routes).await;
    for path in ["/plain", "/tagged", "/missing"] {
        get(gateway.address(), path).await;
    }
    // The beginning of the SHA-256 of `hello`.
    let tag = hit(gateway.address(), "/plain").await.header("etag").unwrap_or_default().to_owned();
    assert!(tag.starts_with("\"2cf24dba5fb0a30e26e83b2ac5b9e29e") && tag.ends_with('"'), "{tag}");
    let tags: Vec<Vec<String>> = [hit(gateway.address(), "/tagged").await, hit(gateway.address(), "/missing").await]
        .iter()
        .map(|response| response.all("etag").iter().map(|&tag| tag.to_owned()).collect())
        .collect();
    assert_eq!(tags, [vec!["W/\"own\"".to_owned()], vec![]]);
    until("the body has changed, and its tag with it", async || {
        let response = get(gateway.address(), "/plain").await;
        let same = response.header("etag") == Some(tag.as_str());
        assert_eq!(same, response.text() == "hello");
        !same
    })
    .await;
    // The gateway's tag means nothing to the handler.
    let seen = origin.seen("/plain");
    assert!(seen.len() >= 3 && seen.iter().all(|seen| seen.header("if-none-match").is_none()));
}
