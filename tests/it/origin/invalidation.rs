//! Invalidation (section 4.4) and groups (RFC 9875): what changes something makes what is stored of it invalid, and what was
//! on its way when it did is not kept.

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, Seen, until};

use super::{Lines, essence, in_front_of, once, page, runs, visit};

/// A page that stays.
fn lasting(text: &str) -> Reply {
    Reply::ok(text).header("cache-control", "max-age=3600")
}

/// A request with `method` for `target`, whose answer is to have this status and these fields; only these come, in a field that
/// the handler repeats.
async fn change(gateway: &Gateway, method: &str, target: &str, status: u16, lines: Lines<'_>) {
    let mut asked = vec![("x-status".to_owned(), status.to_string())];
    asked.extend(lines.iter().map(|(name, value)| (format!("x-answer-{name}"), (*value).to_owned())));
    let asked: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = Client::connect(gateway.address()).await.request(method, target, &asked, "").await;
    assert_eq!(answer.status, status, "{method} {target}");
}

/// A handler that answers as its visitor says.
fn obeying(seen: &Seen) -> Reply {
    let status = seen.header("x-status").and_then(|status| status.parse().ok()).unwrap_or(200);
    let said = seen.headers.iter().filter_map(|(name, value)| Some((name.strip_prefix("x-answer-")?, value)));
    said.fold(Reply::ok("").status(status), |reply, (name, value)| reply.header(name, value))
}

/// Pages that stay and carry these groups, each a line, and a handler at `/act` that answers as its visitor says; so does `/p`
/// when it is asked for anything but a GET.
async fn start(groups: &'static [&'static str]) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/p", move |seen| match (seen.method.as_str(), seen.header("x-status")) {
        ("GET", None) => match seen.query().parse().ok().and_then(|number: usize| groups.get(number)) {
            Some(groups) => lasting("page").header("cache-groups", *groups),
            None => lasting("page"),
        },
        _ => obeying(seen),
    });
    origin.on("/act", obeying);
    let gateway = once(&origin, "- { path: /p, revalidate: origin }").await;
    (origin, gateway)
}

/// Whether the page is still there. When it is not, it is afterwards.
async fn is_kept(gateway: &Gateway, number: usize) -> bool {
    page(gateway, number, &[]).await.x_cache() == "HIT"
}

#[tokio::test]
async fn what_an_unsafe_method_changes_is_forgotten_unless_it_fails() {
    let (_origin, gateway) = start(&[]).await;
    page(&gateway, 0, &[]).await;
    page(&gateway, 1, &[]).await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "FROBNICATE"] {
        for (status, forgets) in [
            (200, true),
            (201, true),
            (204, true),
            (302, true),
            (303, true),
            (400, false),
            (404, false),
            (412, false),
            (500, false),
            (503, false),
        ] {
            change(&gateway, method, "/p?0", status, &[]).await;
            assert_eq!(is_kept(&gateway, 0).await, !forgets, "{method} {status}");
            assert!(is_kept(&gateway, 1).await, "another page: {method} {status}");
        }
    }
}

#[tokio::test]
async fn safe_methods_change_nothing() {
    let (_origin, gateway) = start(&[]).await;
    page(&gateway, 0, &[]).await;
    // RFC 9110 section 9.2.1 and the registry of methods.
    for method in ["OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"] {
        for lines in [&[][..], &[("location", "/p?0")], &[("content-location", "/p?0")]] {
            change(&gateway, method, "/p?0", 200, lines).await;
            assert!(is_kept(&gateway, 0).await, "{method} {lines:?}");
        }
    }
}

#[tokio::test]
async fn every_variant_is_forgotten() {
    let reply = |seen: &Seen| match seen.method.as_str() {
        "GET" => lasting(seen.header("accept-language").unwrap_or_default()).header("vary", "accept-language"),
        _ => Reply::ok(""),
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    for x_cache in ["MISS", "MISS"] {
        for language in ["fi", "en"] {
            let response = visit(&gateway, &[("accept-language", language)]).await;
            assert_eq!(essence(&response), (x_cache, language));
        }
        super::ask(&gateway, "POST", &[("accept-language", "sv")]).await;
    }
    assert_eq!(origin.count("/p"), 6);
}

#[tokio::test]
async fn what_location_names_on_the_same_site_is_forgotten_too() {
    let (_origin, gateway) = start(&[]).await;
    let own = gateway.address().to_string();
    let host = &own;
    let references = [
        ("/p?0".to_owned(), true),
        ("p?0".to_owned(), true),
        ("./x/../p?0".to_owned(), true),
        (format!("http://{host}/p?0"), true),
        (format!("HTTP://{host}/p?0"), true),
        (format!("http://{host}/p?0#part"), true),
        (format!("//{host}/p?0"), true),
        ("/%70?0".to_owned(), true),
        // Others must not make ours invalid, and neither may we theirs.
        ("http://example.com/p?0".to_owned(), false),
        ("//example.com/p?0".to_owned(), false),
        (format!("https://{host}/p?0"), false),
        ("http://127.0.0.1:1/p?0".to_owned(), false),
        ("http://127.0.0.1/p?0".to_owned(), false),
        ("//127.0.0.1/p?0".to_owned(), false),
        (format!("http://{host}.example.com/p?0"), false),
        (format!("http://example.com/?http://{host}/p?0"), false),
        ("/p?2".to_owned(), false),
        ("/p".to_owned(), false),
        ("mailto:p?0".to_owned(), false),
        (String::new(), false),
    ];
    page(&gateway, 0, &[]).await;
    for name in ["location", "content-location"] {
        for (reference, forgets) in &references {
            change(&gateway, "POST", "/act", 201, &[(name, reference)]).await;
            assert_eq!(is_kept(&gateway, 0).await, !forgets, "{name}: {reference}");
            change(&gateway, "POST", "/act", 500, &[(name, reference)]).await;
            assert!(is_kept(&gateway, 0).await, "an error: {name}: {reference}");
        }
    }
}

#[tokio::test]
async fn a_reference_counts_for_the_site_that_was_asked() {
    let origin = Origin::start().await;
    origin.on("/p", |seen| match seen.method.as_str() {
        "GET" => lasting(seen.header("host").unwrap_or_default()),
        _ => obeying(seen),
    });
    let sites = "- { path: /p, revalidate: origin }\nhosts: [one.test, two.test]";
    let gateway = once(&origin, sites).await;
    let has = async |host: &str| {
        let answer = Client::connect(gateway.address()).await.get_with("/p?0", &[("host", host)]).await;
        assert_eq!(answer.text(), host, "each site has its own");
        answer.x_cache() == "HIT"
    };
    assert!(!has("one.test").await && !has("two.test").await);
    for (reference, forgets_one) in
        [("http://one.test/p?0", true), ("http://ONE.test:80/p?0", true), ("/p?0", true), ("//two.test/p?0", false)]
    {
        let lines = [("host", "one.test"), ("x-answer-location", reference)];
        Client::connect(gateway.address()).await.request("POST", "/p?1", &lines, "").await;
        assert_eq!(has("one.test").await, !forgets_one, "{reference}");
        assert!(has("two.test").await, "{reference}");
    }
}

#[tokio::test]
async fn promise_4_what_was_on_its_way_before_the_change_is_not_kept() {
    for held_in_the_body in [false, true] {
        let gate = Gate::new();
        let held = gate.clone();
        let reply = move |seen: &Seen| match (seen.method.as_str(), seen.header("x-first")) {
            ("GET", Some(_)) if held_in_the_body => lasting("").chunks(["o", "ld"]).gate_after(1, &held),
            ("GET", Some(_)) => lasting("old").gate(&held),
            ("GET", None) => lasting("new"),
            _ => Reply::ok(""),
        };
        let (origin, gateway) = in_front_of(reply, "").await;
        let mut first = Client::connect(gateway.address()).await;
        first.send("GET", "/p", &[("x-first", "1")], "").await;
        gate.arrived(1).await;
        super::ask(&gateway, "POST", &[]).await;
        // Whoever comes after the change does not wait for what began before it.
        assert_eq!(essence(&visit(&gateway, &[]).await), ("MISS", "new"));
        gate.open();
        assert_eq!(first.read_response("GET").await.text(), "old");
        for _ in 0..3 {
            assert_eq!(essence(&visit(&gateway, &[]).await), ("HIT", "new"));
        }
        assert_eq!(origin.count("/p"), 3);
    }
}

#[tokio::test]
async fn promise_4_a_confirmation_on_its_way_before_the_change_renews_nothing() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| match (seen.method.as_str(), seen.header("if-none-match")) {
        ("GET", Some(_)) => lasting("").status(304).header("etag", "\"v1\"").gate(&held),
        ("GET", None) => lasting("page").header("etag", "\"v1\""),
        _ => Reply::ok(""),
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    visit(&gateway, &[]).await;
    let mut first = Client::connect(gateway.address()).await;
    first.send("GET", "/p", &[("cache-control", "no-cache")], "").await;
    gate.arrived(1).await;
    super::ask(&gateway, "DELETE", &[]).await;
    gate.open();
    assert_eq!(first.read_response("GET").await.text(), "page");
    let later = visit(&gateway, &[]).await;
    assert_eq!(later.cache_status(), "evergate; fwd=uri-miss; fwd-status=200; stored");
    assert_eq!(origin.count("/p"), 4);
}

#[tokio::test]
async fn promise_4_a_refresh_on_its_way_before_the_change_is_not_kept() {
    let gate = Gate::new();
    let held = gate.clone();
    let runs = std::sync::atomic::AtomicUsize::new(0);
    let reply = move |seen: &Seen| {
        if seen.method != "GET" {
            return Reply::ok("");
        }
        match runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Reply::ok("0").header("cache-control", "max-age=1, stale-while-revalidate=600").header("age", "9"),
            1 => lasting("1").gate(&held),
            run => lasting(&run.to_string()),
        }
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    visit(&gateway, &[]).await;
    assert_eq!(essence(&visit(&gateway, &[]).await), ("STALE", "0"));
    gate.arrived(1).await;
    super::ask(&gateway, "PUT", &[]).await;
    gate.open();
    let ended = || origin.seen("/p").iter().all(|seen| seen.ended.is_some());
    until("the refresh has come", ended).await;
    assert_eq!(essence(&visit(&gateway, &[]).await), ("MISS", "2"));
    assert_eq!(essence(&visit(&gateway, &[]).await), ("HIT", "2"));
}

const GROUPS: [&str; 6] = ["\"a\"", "\"b\", \"a\"", "\"b\"", "\"A\"", "a", "\"c\";x=1"];

#[tokio::test]
async fn groups_are_forgotten_together_where_a_change_names_them() {
    // RFC 9875 section 3: names are Strings, compared to the letter; what is no List is ignored.
    for (status, named, forgotten) in [
        (200, "\"a\"", &[0, 1][..]),
        (200, "\"a\", \"b\"", &[0, 1, 2]),
        (204, "\"b\";x=1", &[1, 2]),
        (303, "\"c\"", &[5]),
        (200, "a", &[]),
        (200, "\"a\", ???", &[]),
        (200, "\"none\"", &[]),
        (404, "\"a\"", &[]),
        (500, "\"a\"", &[]),
    ] {
        let (_origin, gateway) = start(&GROUPS).await;
        for number in 0..GROUPS.len() {
            page(&gateway, number, &[]).await;
        }
        change(&gateway, "POST", "/act", status, &[("cache-group-invalidation", named)]).await;
        for (number, groups) in GROUPS.into_iter().enumerate() {
            let expected = !forgotten.contains(&number);
            assert_eq!(is_kept(&gateway, number).await, expected, "{status} {named}: {groups}");
            assert!(is_kept(&gateway, number).await, "it comes back: {groups}");
        }
    }
}

#[tokio::test]
async fn a_change_forgets_what_shares_a_group_with_its_target() {
    // RFC 9875 section 2.2.1, which goes one step and not further: "b" alone stays.
    let (_origin, gateway) = start(&GROUPS).await;
    for number in 0..GROUPS.len() {
        page(&gateway, number, &[]).await;
    }
    change(&gateway, "POST", "/p?0", 200, &[]).await;
    for (number, kept) in [(0, false), (1, false), (2, true), (3, true), (4, true), (5, true)] {
        assert_eq!(is_kept(&gateway, number).await, kept, "{}", GROUPS[number]);
    }
}

#[tokio::test]
async fn safe_answers_name_no_groups() {
    let (origin, gateway) = start(&["\"a\""]).await;
    page(&gateway, 0, &[]).await;
    for method in ["GET", "HEAD", "OPTIONS"] {
        change(&gateway, method, "/act", 200, &[("cache-group-invalidation", "\"a\"")]).await;
        assert!(is_kept(&gateway, 0).await, "{method}");
    }
    assert_eq!(runs(&origin, 0), 1);
}

#[tokio::test]
async fn promise_4_a_group_that_is_on_its_way_before_the_change_is_not_kept() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| match (seen.method.as_str(), seen.header("x-first")) {
        ("GET", Some(_)) => lasting("old").header("cache-groups", "\"a\"").gate(&held),
        ("GET", None) => lasting("new").header("cache-groups", "\"a\""),
        _ => Reply::ok("").header("cache-group-invalidation", "\"a\""),
    };
    let (_origin, gateway) = in_front_of(reply, "").await;
    let mut first = Client::connect(gateway.address()).await;
    first.send("GET", "/p?0", &[("x-first", "1")], "").await;
    gate.arrived(1).await;
    // Of another page, so that only the group connects the two.
    Client::connect(gateway.address()).await.request("POST", "/p?1", &[], "").await;
    gate.open();
    assert_eq!(first.read_response("GET").await.text(), "old");
    assert_eq!(page(&gateway, 0, &[]).await.text(), "new");
    assert!(is_kept(&gateway, 0).await);
}
