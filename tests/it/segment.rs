//! Segment config at the gateway: methods, `dynamic`, `fetch_cache`, `runtime`, `preferred_region`.

use evergate_tests::{Client, Gateway, Origin, Reply, Response, get};

/// Header lines.
type Lines<'a> = &'a [(&'a str, &'a str)];

async fn ask(gateway: &Gateway, method: &str, target: &str, lines: Lines<'_>) -> Response {
    Client::connect(gateway.address()).await.request(method, target, lines, "").await
}

/// An origin that counts its runs, and a gateway in front of it with these routes.
async fn counting(routes: &str, lines: &'static [(&'static str, &'static str)]) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on_counted("/*", move |seen, run| {
        let reply = Reply::ok(format!("run {run} {}", seen.method));
        lines.iter().fold(reply, |reply, (name, value)| reply.header(*name, *value))
    });
    let gateway = Gateway::simple(&origin, routes).await;
    (origin, gateway)
}

#[tokio::test]
async fn methods_that_a_route_does_not_list_are_405_and_options_is_answered() {
    let (origin, gateway) = counting(
        "- { path: /listed, methods: [POST, GET] }\n- { path: /own, methods: [GET, OPTIONS] }\n- { path: /open }",
        &[],
    )
    .await;
    for method in ["GET", "HEAD", "POST"] {
        assert_eq!(ask(&gateway, method, "/listed", &[]).await.status, 200, "{method}");
    }
    assert_eq!(origin.count("/listed"), 3);
    for method in ["PUT", "PATCH", "DELETE", "PURGE", "get", "TRACE"] {
        let refused = ask(&gateway, method, "/listed", &[]).await;
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD, OPTIONS, POST")), "{method}");
        assert_eq!(refused.cache_status(), "evergate; detail=method-not-allowed");
    }
    let options = ask(&gateway, "OPTIONS", "/listed", &[]).await;
    assert_eq!(
        (options.status, options.header("allow"), options.body.len()),
        (204, Some("GET, HEAD, OPTIONS, POST"), 0)
    );
    assert_eq!(options.header("content-length"), None, "RFC 9110 section 8.6");
    assert_eq!(origin.count("/listed"), 3, "the handler is not asked");

    // A handler of its own for OPTIONS is asked, and without a list every method is the handler's.
    for (method, target) in [("OPTIONS", "/own"), ("OPTIONS", "/open"), ("PURGE", "/open"), ("DELETE", "/open")] {
        assert_eq!(ask(&gateway, method, target, &[]).await.status, 200, "{method} {target}");
        assert_eq!(origin.seen(target).last().map(|seen| seen.method.clone()).as_deref(), Some(method));
    }
}

#[tokio::test]
async fn a_cached_get_never_answers_another_method() {
    let (origin, gateway) = counting("- { path: /a, revalidate: 1h }", &[]).await;
    assert_eq!(get(gateway.address(), "/a").await.text(), "run 1 GET");
    for (runs, method) in (2..).zip(["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"]) {
        let answer = ask(&gateway, method, "/a", &[]).await;
        assert_eq!((answer.x_cache(), answer.text()), ("PASS", format!("run {runs} {method}").as_str()));
    }
    let head = ask(&gateway, "HEAD", "/a", &[]).await;
    assert_eq!((head.x_cache(), head.header("content-length"), head.body.len()), ("HIT", Some("9"), 0));
    assert_eq!(get(gateway.address(), "/a").await.x_cache(), "HIT");
    assert_eq!(origin.count("/a"), 7);
}

/// Next's `dynamic`: what the cache does the first and the second time, and what the handler sees.
#[tokio::test]
async fn dynamic_says_whether_a_route_is_cached() {
    let routes = "
- { path: /auto }
- { path: /forced, dynamic: force-dynamic, revalidate: 1h }
- { path: /static, dynamic: force-static }
- { path: /zero, dynamic: force-static, revalidate: 0 }
- { path: /error, dynamic: error }";
    let (origin, gateway) = counting(routes, &[]).await;
    let cases = [
        ("/auto", ["PASS", "PASS"]),
        ("/forced", ["PASS", "PASS"]),
        ("/static", ["MISS", "HIT"]),
        ("/zero", ["PASS", "PASS"]),
        ("/error", ["MISS", "HIT"]),
    ];
    for (target, expected) in cases {
        for x_cache in expected {
            let asked = format!("{target}?q=1");
            let answer = ask(&gateway, "GET", &asked, &[("cookie", "who=me"), ("accept-language", "fr")]).await;
            assert_eq!(answer.x_cache(), x_cache, "{target}");
        }
    }
    // Like a handler of Next.js that is forced to be static, this one sees nothing of the visitor.
    let seen = &origin.seen("/static")[0];
    assert_eq!((seen.query(), seen.header("cookie"), seen.header("accept-language")), ("", None, None));
    assert_eq!(ask(&gateway, "GET", "/static?q=2", &[("cookie", "who=you")]).await.x_cache(), "HIT");
    let dynamic = &origin.seen("/forced")[0];
    assert_eq!((dynamic.query(), dynamic.header("cookie")), ("q=1", Some("who=me")));
}

/// With `dynamic: error` an answer that cannot be kept is a 500 that says why.
#[tokio::test]
async fn an_answer_that_cannot_be_kept_is_an_error_where_the_route_says_so() {
    let cases: [(&'static [(&str, &str)], &str); 4] = [
        (&[("set-cookie", "a=b")], "set-cookie"),
        (&[("cache-control", "no-store")], "no-store"),
        (&[("cache-control", "private")], "private"),
        (&[("vary", "*")], "vary"),
    ];
    for (lines, reason) in cases {
        let (origin, gateway) = counting("- { path: /a, dynamic: error }", lines).await;
        let answer = get(gateway.address(), "/a").await;
        assert_eq!(answer.status, 500, "{reason}");
        assert!(answer.text().ends_with(&format!("this one cannot ({reason})\n")), "{}", answer.text());
        assert_eq!(answer.cache_status(), format!("evergate; fwd=uri-miss; detail={reason}"));
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(origin.count("/a"), 1, "{reason}");
    }
    // A page that is there stays, whether the answer is whole, confirms it, or is found too long as it comes.
    for way in 0..3 {
        let origin = Origin::start().await;
        origin.on_counted("/a", move |_, run| match (run, way) {
            (1, _) => Reply::ok("good").header("etag", "\"1\""),
            (_, 0) => Reply::ok("for one").header("cache-control", "private"),
            (_, 1) => Reply::ok("").status(304).header("etag", "\"1\"").header("set-cookie", "a=b"),
            (_, _) => Reply::ok("").chunks([vec![b'x'; 40_000], vec![b'y'; 40_000]]),
        });
        let gateway =
            Gateway::simple(&origin, "- { path: /a, dynamic: error, revalidate: 200ms }\ncache: { max_body: 64KiB }")
                .await;
        assert_eq!(get(gateway.address(), "/a").await.text(), "good");
        evergate_tests::until("it is refreshed in vain", async || {
            let answer = get(gateway.address(), "/a").await;
            assert_eq!((answer.status, answer.text()), (200, "good"));
            answer.cache_status().contains("detail=error")
        })
        .await;
    }
}

/// Next's `fetchCache`, all seven: the status and what the cache did, twice, for four sorts of answer.
#[tokio::test]
async fn fetch_cache_says_how_far_the_handlers_word_counts() {
    const SILENT: Lines<'static> = &[];
    const FRESH: Lines<'static> = &[("cache-control", "max-age=60")];
    const PRIVATE: Lines<'static> = &[("cache-control", "private, max-age=60")];
    const NO_STORE: Lines<'static> = &[("cache-control", "no-store")];
    const COOKIE: Lines<'static> = &[("cache-control", "max-age=60"), ("set-cookie", "a=b")];
    let kept = [(200, "MISS"), (200, "HIT")];
    let declined = [(200, "PASS"), (200, "PASS")];
    let error = [(500, "MISS"), (500, "MISS")];
    let refused = [(500, "PASS"), (500, "PASS")];
    let answers = [SILENT, FRESH, PRIVATE, NO_STORE, COOKIE];
    let cases = [
        ("auto", [kept, kept, declined, declined, declined]),
        ("default-cache", [kept, kept, kept, declined, declined]),
        ("only-cache", [kept, kept, kept, error, declined]),
        ("force-cache", [kept, kept, kept, kept, declined]),
        ("default-no-store", [declined, kept, declined, declined, declined]),
        ("only-no-store", [declined, refused, declined, declined, declined]),
        ("force-no-store", [declined, declined, declined, declined, declined]),
    ];
    for (fetch_cache, expected) in cases {
        for (lines, expected) in answers.into_iter().zip(expected) {
            let routes = format!("- {{ path: /a, revalidate: 1h, fetch_cache: {fetch_cache} }}");
            let (_origin, gateway) = counting(&routes, lines).await;
            let mut found = Vec::new();
            for _ in 0..2 {
                let answer = get(gateway.address(), "/a").await;
                found.push((answer.status, answer.x_cache().to_owned()));
            }
            let expected = expected.map(|(status, x_cache)| (status, x_cache.to_owned()));
            assert_eq!(found, expected, "{fetch_cache} {lines:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_asks_to_be_kept_says_why_it_is_an_error() {
    let routes = "- { path: /a, fetch_cache: only-no-store }";
    let (origin, gateway) = counting(routes, &[("cache-control", "s-maxage=60")]).await;
    let answer = get(gateway.address(), "/a").await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("asks-to-be-kept"), "{}", answer.text());
    assert_eq!(answer.cache_status(), "evergate; fwd=bypass; detail=asks-to-be-kept");
    assert_eq!(origin.count("/a"), 1, "asking again would bring the same");
}

/// A server per region and runtime: who is asked, and what `/explain` says of it.
#[tokio::test]
async fn a_route_chooses_its_upstream_and_server_by_label() {
    let (frankfurt, washington, edge) = (Origin::start().await, Origin::start().await, Origin::start().await);
    for (origin, name) in [(&frankfurt, "fra1"), (&washington, "iad1"), (&edge, "edge")] {
        origin.on("/*", move |_| Reply::ok(name));
    }
    let config = format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]
admin: {{ address: \"127.0.0.1:0\" }}
region: iad1
upstreams:
  node:
    runtime: nodejs
    servers: [{{ address: \"{}\", region: fra1 }}, {{ address: \"{}\", region: iad1 }}]
  worker: {{ runtime: edge, servers: [\"{}\"] }}
defaults: {{ upstream: node }}
routes:
  - {{ path: /near, preferred_region: [fra1] }}
  - {{ path: /home, preferred_region: home }}
  - {{ path: /nowhere, preferred_region: [gru1] }}
  - {{ path: /edge, runtime: edge }}
  - {{ path: /unknown, runtime: bun }}
",
        frankfurt.address(),
        washington.address(),
        edge.address()
    );
    let gateway = Gateway::start(&config).await;
    let cases =
        [("/near", [1, 0].as_slice(), "node", 6), ("/home", &[0, 1], "node", 6), ("/edge", &[0, 0], "worker", 6)];
    for (target, [in_frankfurt, in_washington], upstream, times) in
        cases.map(|(target, shares, upstream, times)| (target, [shares[0], shares[1]], upstream, times))
    {
        for _ in 0..times {
            assert_eq!(get(gateway.address(), target).await.status, 200);
        }
        assert_eq!(frankfurt.count(target), in_frankfurt * times, "{target}");
        assert_eq!(washington.count(target), in_washington * times, "{target}");
        assert_eq!(edge.count(target), (1 - in_frankfurt - in_washington) * times, "{target}");
        let told = get(gateway.admin(), &format!("/explain?url={target}")).await.json();
        assert_eq!(told["upstream"]["name"], upstream, "{told}");
    }
    // Where nobody fits, everybody is asked.
    for target in ["/nowhere", "/unknown"] {
        for _ in 0..6 {
            assert_eq!(get(gateway.address(), target).await.status, 200);
        }
        assert_eq!((frankfurt.count(target), washington.count(target)), (3, 3), "{target}");
    }
    let told = get(gateway.admin(), "/explain?url=/near").await.json();
    assert_eq!(told["upstream"]["servers"][0]["region"], "fra1", "{told}");
    assert_eq!(told["upstream"]["then"][0]["region"], "iad1", "{told}");

    // Without Frankfurt the others help out.
    frankfurt.kill();
    for _ in 0..6 {
        assert_eq!(get(gateway.address(), "/near").await.text(), "iad1");
    }
}

/// Whoever asks for forms of a page that nobody else wants drives out none that others do.
#[tokio::test]
async fn crafted_forms_of_a_page_evict_nothing() {
    let origin = Origin::start().await;
    origin.on("/page", |seen| match (seen.header("rsc"), seen.header("next-router-segment-prefetch")) {
        (None, None) => Reply::ok("html").header("content-type", "text/html"),
        (_, segment) => Reply::ok(format!("form {segment:?}")).header("content-type", "text/x-component"),
    });
    let gateway = Gateway::simple(&origin, "- { path: /page, revalidate: 1h, kind: page }").await;
    let router: Lines<'_> = &[("rsc", "1")];
    for lines in [&[][..], router] {
        assert_eq!(ask(&gateway, "GET", "/page", lines).await.x_cache(), "MISS");
    }
    for number in 0..100 {
        // Next.js does not read what it says, so neither is it in the key.
        let said = format!("x{number}");
        assert_eq!(ask(&gateway, "GET", "/page", &[("rsc", said.as_str())]).await.x_cache(), "HIT");
        let segment = [("rsc", "1"), ("next-router-segment-prefetch", said.as_str())];
        assert_eq!(ask(&gateway, "GET", "/page", &segment).await.x_cache(), "MISS");
    }
    for (lines, text) in [(&[][..], "html"), (router, "form None")] {
        let answer = ask(&gateway, "GET", "/page", lines).await;
        assert_eq!((answer.x_cache(), answer.text()), ("HIT", text));
        assert!(answer.all("vary").concat().contains("rsc"), "caches in front are told: {answer:?}");
    }
    let seen = origin.seen("/page");
    assert!(seen.iter().all(|seen| seen.header("rsc").is_none_or(|value| value == "1")));
}
