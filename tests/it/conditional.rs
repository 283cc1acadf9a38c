//! Conditional requests and HEAD: visitors' conditions are answered by the gateway from what it keeps, and its own
//! refreshes are conditional when the handler gave something to ask with.

use std::cell::RefCell;

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, Response, Seen, get, until};
use tokio::task::JoinSet;

/// Header lines.
type Lines<'a> = &'a [(&'a str, &'a str)];

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// A GET of `/p` by a visitor of its own.
async fn visit(gateway: &Gateway, lines: Lines<'_>) -> Response {
    Client::connect(gateway.address()).await.get_with("/p", lines).await
}

/// An origin whose `/p` replies so, behind a gateway whose route for it has these settings.
async fn in_front_of(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static, settings: &str) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/p", reply);
    let gateway = Gateway::simple(&origin, &format!("- {{ path: /p, {settings} }}")).await;
    (origin, gateway)
}

/// A page with both validators.
fn validated() -> Reply {
    Reply::ok("page").header("content-type", "text/plain").header("etag", "\"v1\"").header("last-modified", MODIFIED)
}

/// A handler that confirms what is still so, and tells how often it did.
fn confirming(seen: &Seen) -> Reply {
    match seen.header("if-none-match") {
        Some("\"v1\"") => Reply::ok("").status(304).header("etag", "\"v1\"").header("x-state", "confirmed"),
        Some(_) | None => validated().header("x-state", "new"),
    }
}

/// Conditions, and whether a page with the entity tag `"v1"` that was modified at [`MODIFIED`] fulfils them (304).
const CONDITIONS: [(Lines<'static>, bool); 29] = [
    (&[], false),
    (&[("if-none-match", "\"v1\"")], true),
    (&[("If-None-Match", "W/\"v1\"")], true),
    (&[("if-none-match", "\"a\", \"v1\"")], true),
    (&[("if-none-match", "\"a\",W/\"v1\" , \"b\"")], true),
    (&[("if-none-match", "\"a, b\",\"v1\"")], true),
    (&[("if-none-match", "\"a\""), ("if-none-match", "\"v1\"")], true),
    (&[("if-none-match", "*")], true),
    (&[("if-none-match", " * ")], true),
    (&[("if-none-match", "\"v2\"")], false),
    (&[("if-none-match", "\"V1\"")], false),
    (&[("if-none-match", "v1")], false),
    (&[("if-none-match", "\"v1")], false),
    (&[("if-none-match", "\"\"")], false),
    (&[("if-none-match", "\"v\", \"1\"")], false),
    (&[("if-none-match", "\"v1\\\"")], false),
    (&[("if-none-match", "")], false),
    (&[("if-modified-since", MODIFIED)], true),
    (&[("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT")], true),
    (&[("if-modified-since", "Sun Nov  6 08:49:37 1994")], true),
    (&[("if-modified-since", "Sun, 06 Nov 1994 08:49:38 GMT")], true),
    (&[("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT")], false),
    (&[("if-modified-since", "yesterday")], false),
    (&[("if-modified-since", "784111777")], false),
    (&[("if-modified-since", "")], false),
    // If-None-Match decides alone (RFC 9110 section 13.2.2).
    (&[("if-none-match", "\"v2\""), ("if-modified-since", MODIFIED)], false),
    (&[("if-none-match", "\"v1\""), ("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT")], true),
    // Not for a shared cache to decide on, or about a part that was not asked for.
    (&[("if-match", "\"v2\"")], false),
    (&[("if-unmodified-since", "Sun, 06 Nov 1994 08:49:36 GMT")], false),
];

/// Asserts that a response on `client` is the page, or says that the visitor has it already, for GET and HEAD alike.
async fn answered(client: &mut Client, lines: Lines<'_>, has_it: bool) {
    for method in ["GET", "HEAD"] {
        let response = client.request(method, "/p", lines, "").await;
        let body = if has_it || method == "HEAD" { "" } else { "page" };
        assert_eq!((response.status, response.text()), (if has_it { 304 } else { 200 }, body), "{method} {lines:?}");
        assert_eq!(response.x_cache(), "HIT", "{method} {lines:?}");
        for (name, value) in [("etag", Some("\"v1\"")), ("last-modified", Some(MODIFIED))] {
            assert_eq!(response.header(name), value, "{method} {lines:?}");
        }
        assert_eq!(response.header("cache-control"), Some("public, max-age=0, must-revalidate"), "{method} {lines:?}");
        assert!(response.age().is_some() && response.header("date").is_some(), "{method} {lines:?}");
        // What describes a body that is not sent has no place in a 304 (RFC 9110 section 15.4.5).
        let about_the_body = if has_it { None } else { Some("text/plain") };
        assert_eq!(response.header("content-type"), about_the_body, "{method} {lines:?}");
    }
}

#[tokio::test]
async fn hits_answer_conditions_themselves() {
    let (origin, gateway) = in_front_of(|_| validated(), "revalidate: false").await;
    assert_eq!(visit(&gateway, &[]).await.x_cache(), "MISS");
    // One connection: an answer whose end is misjudged would spoil the next.
    let mut client = Client::connect(gateway.address()).await;
    for (lines, has_it) in CONDITIONS {
        answered(&mut client, lines, has_it).await;
    }
    assert_eq!(origin.count("/p"), 1);
}

#[tokio::test]
async fn a_weak_tag_stays_weak_and_matches_weakly() {
    let (_origin, gateway) = in_front_of(|_| Reply::ok("page").header("ETag", "W/\"w\""), "revalidate: false").await;
    visit(&gateway, &[]).await;
    for (tag, status) in [("W/\"w\"", 304), ("\"w\"", 304), ("\"W/w\"", 200), ("w/\"w\"", 200), ("W/\"x\"", 200)] {
        let response = visit(&gateway, &[("if-none-match", tag)]).await;
        // A lower-case `w/` is no weakness (RFC 9110 section 8.8.3), but reading it as one would do no harm.
        assert!(response.status == status || tag.starts_with('w'), "{tag}: {}", response.status);
        assert_eq!(response.all("etag"), ["W/\"w\""]);
    }
}

#[tokio::test]
async fn dates_are_ignored_where_the_handler_gave_none() {
    let date = "Fri, 01 Jan 2100 00:00:00 GMT";
    let (_origin, gateway) = in_front_of(|_| Reply::ok("page").header("date", MODIFIED), "revalidate: false").await;
    for x_cache in ["MISS", "HIT"] {
        let response = visit(&gateway, &[("if-modified-since", date)]).await;
        assert_eq!((response.status, response.x_cache(), response.text()), (200, x_cache, "page"));
    }
}

#[tokio::test]
async fn a_miss_answers_conditions_from_what_it_fetches() {
    for (lines, status) in [
        (&[("if-none-match", "\"v1\"")][..], 304),
        (&[("if-none-match", "\"v2\"")], 200),
        (&[("if-modified-since", MODIFIED)], 304),
    ] {
        let (origin, gateway) = in_front_of(confirming, "revalidate: false").await;
        let response = visit(&gateway, lines).await;
        let body = if status == 304 { "" } else { "page" };
        assert_eq!((response.status, response.x_cache(), response.text()), (status, "MISS", body), "{lines:?}");
        // Whatever the first visitor had, the next one gets the page.
        until("the page is stored", async || visit(&gateway, &[]).await.x_cache() == "HIT").await;
        assert_eq!(visit(&gateway, &[]).await.text(), "page");
        let asked = &origin.seen("/p")[0];
        assert_eq!(
            (asked.header("if-none-match"), asked.header("if-modified-since"), origin.count("/p")),
            (None, None, 1)
        );
    }
}

#[tokio::test]
async fn only_a_success_can_be_what_the_visitor_has() {
    for (status, location) in [(404, None), (307, Some("/elsewhere"))] {
        let gone = move |_: &Seen| {
            let reply = Reply::ok("gone").status(status).header("etag", "\"v1\"").header("last-modified", MODIFIED);
            location.into_iter().fold(reply, |reply, to: &str| reply.header("location", to))
        };
        let (_origin, gateway) = in_front_of(gone, "revalidate: false").await;
        for x_cache in ["MISS", "HIT"] {
            let response = visit(&gateway, &[("if-none-match", "\"v1\"")]).await;
            assert_eq!((response.status, response.x_cache(), response.text()), (status, x_cache, "gone"));
        }
    }
}

#[tokio::test]
async fn generated_tags_are_strong_and_follow_the_body() {
    let origin = Origin::start().await;
    origin.on("/*", |seen| Reply::ok(seen.path().trim_end_matches("-twin")));
    let gateway = Gateway::simple(&origin, "- { path: \"/[page]\", revalidate: false }").await;
    let mut tags = Vec::new();
    for path in ["/a", "/a-twin", "/b"] {
        get(gateway.address(), path).await;
        let hit = get(gateway.address(), path).await;
        let tag = hit.header("etag").unwrap_or_default().to_owned();
        let opaque = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or_default();
        assert!(opaque.len() >= 22 && opaque.bytes().all(|byte| byte.is_ascii_graphic()), "{path}: {tag:?}");
        let mut client = Client::connect(gateway.address()).await;
        let has_it = client.get_with(path, &[("if-none-match", &tag)]).await;
        assert_eq!((has_it.status, has_it.header("etag")), (304, Some(tag.as_str())), "{path}");
        tags.push(tag);
    }
    assert!(tags[0] == tags[1] && tags[0] != tags[2], "{tags:?}");
}

#[tokio::test]
async fn head_is_answered_like_get_without_the_body() {
    let (origin, gateway) = in_front_of(|_| validated(), "revalidate: 1").await;
    let mut client = Client::connect(gateway.address()).await;
    let mut head = async |expected: &str| {
        let response = client.request("HEAD", "/p", &[], "").await;
        assert_eq!((response.x_cache(), response.status, response.body.len()), (expected, 200, 0));
        assert_eq!(response.header("content-length"), Some("4"), "{expected}");
        response
    };
    head("MISS").await;
    until("the page is stored", async || visit(&gateway, &[]).await.x_cache() == "HIT").await;
    let from_memory = head("HIT").await;
    let got = visit(&gateway, &[]).await;
    assert_eq!(from_memory.headers_without(&["age", "cache-status"]), got.headers_without(&["age", "cache-status"]));
    assert_eq!(got.text(), "page");
    let fresh = [("route", "/p"), ("result", "fresh")];
    until("a HEAD finds the page stale", async || {
        let response = Client::connect(gateway.address()).await.request("HEAD", "/p", &[], "").await;
        assert_eq!((response.body.len(), response.header("content-length")), (0, Some("4")));
        response.x_cache() == "STALE"
    })
    .await;
    until("it is refreshed", async || gateway.metric("evergate_revalidations_total", &fresh).await > 0.0).await;
    assert!(origin.seen("/p").iter().all(|seen| seen.method == "GET"));
}

#[tokio::test]
async fn head_on_a_miss_of_unknown_length_fills_the_page() {
    let (origin, gateway) = in_front_of(|_| Reply::ok("").chunks(["pa", "ge"]), "revalidate: false").await;
    let mut client = Client::connect(gateway.address()).await;
    let head = client.request("HEAD", "/p", &[], "").await;
    assert_eq!((head.x_cache(), head.body.len()), ("MISS", 0));
    // It is not known yet, or the page was whole by then.
    assert!(matches!(head.header("content-length"), None | Some("4")), "{:?}", head.header("content-length"));
    // The same connection goes on: nothing of a body was sent.
    assert_eq!(client.get("/p").await.text(), "page");
    assert_eq!(origin.count("/p"), 1);
}

#[tokio::test]
async fn a_range_starts_a_whole_fill() {
    let (origin, gateway) = in_front_of(|_| validated(), "revalidate: false").await;
    let part = visit(&gateway, &[("range", "bytes=0-1"), ("if-range", "\"v1\"")]).await;
    assert!(matches!((part.status, part.text()), (200, "page") | (206, "pa")), "{}: {}", part.status, part.text());
    let whole = visit(&gateway, &[]).await;
    assert_eq!((whole.status, whole.x_cache(), whole.text()), (200, "HIT", "page"));
    let asked = origin.seen("/p");
    assert_eq!((asked.len(), asked[0].header("range"), asked[0].header("if-range")), (1, None, None));
}

#[tokio::test]
async fn refreshes_are_conditional_and_a_304_renews() {
    let (origin, gateway) = in_front_of(confirming, "revalidate: 1").await;
    assert_eq!(visit(&gateway, &[]).await.header("x-state"), Some("new"));
    until("the page is renewed", async || visit(&gateway, &[]).await.header("x-state") == Some("confirmed")).await;
    let renewed = visit(&gateway, &[]).await;
    assert_eq!((renewed.status, renewed.text(), renewed.header("content-length")), (200, "page", Some("4")));
    assert_eq!(renewed.header("content-type"), Some("text/plain"));
    assert_eq!(renewed.all("x-state"), ["confirmed"]);
    let asked = origin.seen("/p");
    assert_eq!((asked[0].header("if-none-match"), asked[0].header("if-modified-since")), (None, None));
    assert_eq!(
        (asked[1].header("if-none-match"), asked[1].header("if-modified-since")),
        (Some("\"v1\""), Some(MODIFIED))
    );
    let renewals = gateway.metric("evergate_revalidations_total", &[("result", "not_modified")]).await;
    assert!(renewals >= 1.0, "{renewals}");
}

#[tokio::test]
async fn a_date_alone_is_asked_with_too() {
    let dated = |seen: &Seen| match seen.header("if-modified-since") {
        Some(MODIFIED) => Reply::ok("").status(304),
        Some(_) | None => Reply::ok("page").header("last-modified", MODIFIED),
    };
    let (origin, gateway) = in_front_of(dated, "revalidate: 1").await;
    visit(&gateway, &[]).await;
    let renewed = [("result", "not_modified")];
    until("the page is renewed", async || {
        assert_eq!(visit(&gateway, &[]).await.text(), "page");
        gateway.metric("evergate_revalidations_total", &renewed).await > 0.0
    })
    .await;
    assert_eq!(origin.seen("/p")[1].header("if-none-match"), None);
}

#[tokio::test]
async fn generated_tags_are_never_sent_to_the_handler() {
    let (origin, gateway) = in_front_of(|_| Reply::ok("page"), "revalidate: 1, expire: 1").await;
    visit(&gateway, &[]).await;
    let first = visit(&gateway, &[]).await.header("etag").map(str::to_owned);
    assert!(first.is_some());
    until("the page is fetched anew", async || {
        // Neither is what a visitor asks with.
        visit(&gateway, &[("if-none-match", "\"visitors\"")]).await;
        origin.count("/p") > 1
    })
    .await;
    for seen in origin.seen("/p") {
        assert_eq!((seen.header("if-none-match"), seen.header("if-modified-since")), (None, None));
    }
    // The same body has the same tag, so that a browser's copy stays good.
    until("the new page is stored", async || visit(&gateway, &[]).await.x_cache() == "HIT").await;
    assert_eq!(visit(&gateway, &[]).await.header("etag"), first.as_deref());
}

#[tokio::test]
async fn those_who_wait_for_a_confirmation_get_revalidated() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| match seen.header("if-none-match") {
        Some(_) => confirming(seen).gate(&held),
        None => confirming(seen),
    };
    let (origin, gateway) = in_front_of(reply, "revalidate: 1, expire: 1").await;
    let first = visit(&gateway, &[]).await;
    assert_eq!((first.x_cache(), first.header("x-state")), ("MISS", Some("new")));
    // Once it has expired a visitor waits; nobody can be asked before then, for he would have been answered at once.
    let visitors = RefCell::new(JoinSet::new());
    until("a visitor waits", async || {
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", "/p", &[], "").await;
        visitors.borrow_mut().spawn(async move { client.read_response("GET").await });
        gate.arrivals() > 0
    })
    .await;
    gate.open();
    let answers = visitors.into_inner().join_all().await;
    let waited: Vec<&Response> = answers.iter().filter(|answer| answer.x_cache() != "HIT").collect();
    assert!(!waited.is_empty());
    for answer in waited {
        assert_eq!((answer.x_cache(), answer.text()), ("REVALIDATED", "page"));
        assert!(answer.age() <= Some(1), "its age counts from the confirmation: {:?}", answer.age());
        assert_eq!(answer.header("x-state"), Some("confirmed"));
        let status = answer.cache_status().replace("; collapsed", "");
        assert_eq!(status, "evergate; fwd=stale; fwd-status=304; stored");
    }
    assert_eq!(origin.count("/p"), 2);
}

#[tokio::test]
async fn dynamic_handlers_answer_conditions_themselves() {
    let (_origin, gateway) = in_front_of(confirming, "revalidate: 0").await;
    for (tag, status) in [("\"v1\"", 304), ("\"v2\"", 200)] {
        let response = visit(&gateway, &[("if-none-match", tag)]).await;
        assert_eq!((response.status, response.x_cache()), (status, "PASS"), "{tag}");
    }
}
