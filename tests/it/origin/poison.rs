//! What one visitor sends must not become what others get: names of sites, other people's cache directives, failures that were
//! the asker's, bodies that do not belong together.

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, Response, Seen};

use super::{Lines, essence, in_front_of, once, visit};

/// A page that names the site it was asked for, as frameworks do in links; whole, in part, and as a head.
fn naming_its_site(seen: &Seen) -> Reply {
    let body = format!("https://{}/", seen.all("x-forwarded-host").join("+") + "|" + &seen.all("host").join("+"));
    let tag = format!("\"{}\"", body.len());
    let reply = |body: &str| {
        Reply::ok(body)
            .header("cache-control", "max-age=60")
            .header("etag", &tag)
            .header("x-site", seen.all("host").join("+"))
    };
    match seen.header("range") {
        Some("bytes=0-") if seen.method == "GET" => {
            let last = body.len() - 1;
            reply(&body).status(206).header("content-range", format!("bytes 0-{last}/{}", body.len()))
        }
        _ => reply(&body),
    }
}

/// A request for `/p` on a site of this name.
async fn named(gateway: &Gateway, method: &str, host: &str, lines: Lines<'_>) -> Response {
    let lines: Vec<_> = [("host", host)].into_iter().chain(lines.iter().copied()).collect();
    Client::connect(gateway.address()).await.request(method, "/p", &lines, "").await
}

#[tokio::test]
async fn promise_1_no_visitor_names_the_site_of_what_others_get() {
    // The key knows the listed names, and none where none are listed; the handler must not be told of others.
    for (hosts, good) in [("", "www.test"), ("\nhosts: [www.test]", "www.test")] {
        let origin = Origin::start().await;
        origin.on("/p", naming_its_site);
        let gateway = once(&origin, &format!("- {{ path: /p, revalidate: origin }}{hosts}")).await;
        for evil in ["evil.test", "www.test:6666", "WWW.TEST", "www.test."] {
            named(&gateway, "GET", evil, &[("range", "bytes=0-")]).await;
            named(&gateway, "HEAD", evil, &[]).await;
            named(&gateway, "GET", evil, &[]).await;
            named(&gateway, "HEAD", evil, &[("cache-control", "no-cache")]).await;
            named(&gateway, "GET", evil, &[("range", "bytes=0-"), ("cache-control", "no-cache")]).await;
        }
        let page = named(&gateway, "GET", good, &[]).await;
        assert_eq!((page.status, page.x_cache()), (200, "HIT"), "{hosts}: {}", page.text());
        for text in [page.text(), page.header("x-site").unwrap_or_default()] {
            assert!(!text.contains("evil") && !text.contains("6666"), "{hosts}: {text}");
        }
        // Whoever is asked for the store is asked by one name.
        let names: Vec<String> = origin.seen("/p").iter().map(|seen| seen.all("host").join("+")).collect();
        assert!(names.iter().all(|name| *name == names[0]), "{hosts}: {names:?}");
    }
}

#[tokio::test]
async fn promise_3_those_who_wait_look_again_where_the_failure_may_be_the_leaders() {
    // A request that breaks its handler breaks itself alone.
    const BREAKING: [fn() -> Reply; 3] =
        [|| Reply::ok("broken").status(500), Reply::hang_up_before_head, || Reply::raw("nonsense\r\n\r\n")];
    for broken in BREAKING {
        let gate = Gate::new();
        let held = gate.clone();
        let reply = move |seen: &Seen| match seen.header("x-breaking") {
            Some(_) => broken().gate(&held),
            None => Reply::ok("page").header("cache-control", "max-age=60"),
        };
        let (origin, gateway) = in_front_of(reply, "").await;
        let mut leader = Client::connect(gateway.address()).await;
        leader.send("GET", "/p", &[("x-breaking", "1")], "").await;
        gate.arrived(1).await;
        let mut waiting = Vec::new();
        for _ in 0..5 {
            let mut client = Client::connect(gateway.address()).await;
            client.send("GET", "/p", &[], "").await;
            waiting.push(client);
        }
        gate.open();
        // A page that the others have got by then helps out.
        let theirs = leader.read_response("GET").await;
        assert!(theirs.status >= 500 || theirs.text() == "page", "{}: {}", theirs.status, theirs.text());
        for mut client in waiting {
            let response = client.read_response("GET").await;
            assert_eq!((response.status, response.text()), (200, "page"), "{}", response.cache_status());
        }
        assert_eq!(origin.count("/p"), 2);
    }
}

#[tokio::test]
async fn promise_1_what_one_visitor_is_told_alone_leaves_what_is_fresh_for_others() {
    for theirs in ["private", "no-store"] {
        let reply = move |seen: &Seen| match seen.header("cookie") {
            Some(who) => Reply::ok(who).header("cache-control", theirs).header("etag", "\"theirs\""),
            None => Reply::ok("page").header("cache-control", "max-age=60").header("etag", "\"v1\""),
        };
        let (origin, gateway) = in_front_of(reply, "").await;
        visit(&gateway, &[]).await;
        let ann = visit(&gateway, &[("cookie", "id=ann"), ("cache-control", "no-cache")]).await;
        assert_eq!(ann.text(), "id=ann", "{theirs}");
        assert_eq!(essence(&visit(&gateway, &[]).await), ("HIT", "page"), "{theirs}");
        assert_eq!(origin.count("/p"), 2, "{theirs}");
    }
}

#[tokio::test]
async fn promise_5_parts_of_different_codings_are_not_put_together() {
    // A strong tag belongs to one representation (RFC 9110 section 8.8.3.3), which not every handler minds.
    let reply = |seen: &Seen| match seen.header("range") {
        Some(range) => {
            let (bytes, coding) = if range == "bytes=0-3" { ("bytes 0-3/8", "gzip") } else { ("bytes 4-7/8", "br") };
            let reply = Reply::ok("half").status(206).header("content-range", bytes).header("content-encoding", coding);
            reply.header("etag", "\"v1\"").header("cache-control", "max-age=60")
        }
        None => Reply::ok("whole").header("cache-control", "max-age=60"),
    };
    let (_origin, gateway) = in_front_of(reply, "").await;
    for range in ["bytes=0-3", "bytes=4-7"] {
        visit(&gateway, &[("range", range), ("accept-encoding", "gzip, br")]).await;
    }
    assert_eq!(essence(&visit(&gateway, &[("accept-encoding", "gzip, br")]).await), ("MISS", "whole"));
}

#[tokio::test]
async fn what_is_for_this_gateway_alone_reaches_no_visitor_by_an_interim_answer_or_an_error() {
    let targeted = ("evergate-cache-control", "max-age=60");
    let reply = move |seen: &Seen| {
        let reply = Reply::ok("page").header(targeted.0, targeted.1);
        let reply = if seen.header("x-broken").is_some() { reply.status(500) } else { reply };
        reply.interim(103, &[targeted, ("link", "</a.css>; rel=preload")])
    };
    let (_origin, gateway) = in_front_of(reply, "").await;
    for lines in [&[][..], &[("x-broken", "1"), ("cache-control", "no-cache")]] {
        let response = visit(&gateway, lines).await;
        assert_eq!(response.header(targeted.0), None, "{lines:?}");
        assert_eq!(response.interim.len(), 1, "{lines:?}");
        let hint = &response.interim[0];
        assert_eq!((hint.header(targeted.0), hint.header("link")), (None, Some("</a.css>; rel=preload")), "{lines:?}");
    }
}
