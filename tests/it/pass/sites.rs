//! Which handler is asked and under which name, and what is answered before any handler is asked.

use evergate_tests::{Client, Gateway, Origin, Reply, get};

use super::{PLACES, ROUTES, last, start};

#[tokio::test]
async fn without_a_route_it_may_be_not_found() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("asked"));
    let gateway = Gateway::simple(&origin, &format!("{ROUTES}\nunmatched: 404")).await;
    let mut client = Client::connect(gateway.address()).await;
    for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
        for target in ["/none/page", "/", "/live", "/live/a/b", "/kept/"] {
            let answer = client.request(method, target, &[], "").await;
            assert_eq!((answer.status, answer.complete), (404, true), "{method} {target}");
            assert_eq!((answer.x_cache(), answer.cache_status()), ("", "evergate; detail=not-found"));
            assert!(answer.header("cache-control").is_some_and(|value| value.contains("no-store")), "{answer:?}");
        }
    }
    assert_eq!(origin.count("/*"), 0);
    for place in &PLACES[..2] {
        assert_eq!(client.get(place).await.text(), "asked");
    }
    // With a body that nobody reads, the connection is no longer good.
    let answer = client.request("POST", "/none/page", &[], "unread").await;
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")));
    client.expect_closed().await;
}

#[tokio::test]
async fn only_the_sites_that_are_named_are_served() {
    let origin = Origin::start().await;
    origin.on("/*", |seen| Reply::ok(seen.header("host").unwrap_or_default()));
    let gateway = Gateway::simple(&origin, &format!("{ROUTES}\nhosts: [shop.example, www.shop.example]")).await;
    let ask = async |place: &str, host: &str| {
        Client::connect(gateway.address()).await.get_with(place, &[("host", host)]).await
    };
    for place in PLACES {
        for host in
            ["other.example", "shop.example.evil", "xshop.example", "127.0.0.1", "shop", "shop.example.", "[::1]"]
        {
            let answer = ask(place, host).await;
            assert_eq!((answer.status, answer.x_cache()), (421, ""), "{place} {host}");
            assert_eq!(answer.cache_status(), "evergate; detail=misdirected", "{place} {host}");
        }
        let mut client = Client::connect(gateway.address()).await;
        client.send_raw(format!("GET {place} HTTP/1.0\r\n\r\n")).await;
        assert_eq!(client.read_response("GET").await.status, 421, "{place} without a host");
    }
    assert_eq!(origin.count("/*"), 0);
    // Each site has its own page and is asked under its own name, whatever port the visitor came by.
    for (host, x_cache) in [("shop.example", "MISS"), ("www.shop.example", "MISS"), ("shop.example", "HIT")] {
        let answer = ask("/kept/page", host).await;
        assert_eq!((answer.text(), answer.x_cache()), (host, x_cache));
    }
    let answer = ask("/kept/page", "SHOP.example:8080").await;
    assert_eq!((answer.text(), answer.x_cache()), ("shop.example", "HIT"));
    assert_eq!(ask("/live/page", "Shop.Example:8080").await.text().to_ascii_lowercase(), "shop.example:8080");
}

#[tokio::test]
async fn handlers_are_asked_under_their_own_name_where_one_is_given() {
    let origin = Origin::start().await;
    origin.on("/*", |seen| Reply::ok(seen.all("host").join("+")));
    let visitor = [("host", "shop.example:8080")];
    let plain = Gateway::simple(&origin, ROUTES).await;
    let named =
        Gateway::start(&Gateway::simple_config(&origin, ROUTES).replace("\"] } }", "\"], host: handlers.internal } }"))
            .await;
    let address = origin.address().to_string();
    for (gateway, kept, passed) in
        [(&plain, address.as_str(), "shop.example:8080"), (&named, "handlers.internal", "handlers.internal")]
    {
        for place in PLACES {
            let wanted = if place == PLACES[0] { kept } else { passed };
            let answer = Client::connect(gateway.address()).await.get_with(place, &visitor).await;
            assert_eq!((answer.status, answer.text()), (200, wanted), "{place}");
            let answer = Client::connect(gateway.address()).await.request("POST", place, &visitor, "").await;
            assert_eq!(answer.text(), passed, "POST {place}");
            // The site that was asked for is told apart from the handler's own name.
            assert_eq!(last(&origin, place).all("x-forwarded-host"), ["shop.example:8080"], "{place}");
        }
    }
}

#[tokio::test]
async fn repeated_slashes_are_redirected_to_single_ones() {
    let (origin, gateway) = start().await;
    let cases = [
        ("//kept/page", "/kept/page"),
        ("/kept//page", "/kept/page"),
        ("/live/page//", "/live/page/"),
        ("///", "/"),
        ("//evil.example/x", "/evil.example/x"),
        ("///evil.example//x?next=//a", "/evil.example/x?next=//a"),
        ("/.//evil.example", "/evil.example"),
        ("/x/..//evil.example", "/evil.example"),
        ("/none//%61b%2f%2Fc?%61=//", "/none/ab%2F%2Fc?%61=//"),
    ];
    let mut client = Client::connect(gateway.address()).await;
    for (target, location) in cases {
        for method in ["GET", "HEAD", "DELETE"] {
            let answer = client.request(method, target, &[], "").await;
            assert_eq!((answer.status, answer.header("location")), (308, Some(location)), "{method} {target}");
            assert_eq!(answer.cache_status(), "evergate; detail=redirected", "{target}");
        }
    }
    assert_eq!(origin.count("/*"), 0);
}

#[tokio::test]
async fn trailing_slashes_are_ignored_or_redirected() {
    let (origin, ignoring) = start().await;
    for (place, text) in PLACES.iter().map(|place| (format!("{place}/"), format!("GET {place}/ "))) {
        assert_eq!(get(ignoring.address(), &place).await.text(), text);
        assert_eq!(last(&origin, &place).header("x-matched-path").is_some(), !place.starts_with("/none"), "{place}");
    }
    let redirecting = Gateway::simple(&origin, &format!("{ROUTES}\ntrailing_slash: redirect")).await;
    let asked = origin.count("/*");
    let cases = [
        ("/kept/page/", "/kept/page"),
        ("/live/page/?a=b/", "/live/page?a=b/"),
        ("/none/page/", "/none/page"),
        ("/none/a/./", "/none/a"),
        ("/none/a/b/..", "/none/a"),
    ];
    for (target, location) in cases {
        for method in ["GET", "HEAD", "POST"] {
            let answer = Client::connect(redirecting.address()).await.request(method, target, &[], "").await;
            assert_eq!((answer.status, answer.header("location")), (308, Some(location)), "{method} {target}");
        }
    }
    // Both at once come to rest after at most another step.
    let answer = get(redirecting.address(), "//none//page//").await;
    assert!(matches!(answer.header("location"), Some("/none/page/" | "/none/page")), "{answer:?}");
    assert_eq!(origin.count("/*"), asked);
    assert_eq!(get(redirecting.address(), "/").await.text(), "GET / ");
}

/// Two handlers that say which one they are, and a gateway before both.
async fn two(retries: usize) -> ([Origin; 2], Gateway) {
    let origins = [Origin::start().await, Origin::start().await];
    for (origin, name) in origins.iter().zip(["one", "two"]) {
        origin.on("/*", move |_| Reply::ok(name));
    }
    let servers = origins.each_ref().map(|origin| format!("\"{}\"", origin.address())).join(", ");
    let config = Gateway::simple_config(&origins[0], ROUTES)
        .replace(&format!("\"{}\"", origins[0].address()), &servers)
        .replace("] } }", &format!("], retries: {retries} }} }}"));
    let gateway = Gateway::start(&config).await;
    (origins, gateway)
}

#[tokio::test]
async fn servers_take_turns() {
    let (origins, gateway) = two(1).await;
    let mut client = Client::connect(gateway.address()).await;
    let answers = async |client: &mut Client, target: &str| {
        let mut names = Vec::new();
        for number in 0..6 {
            let answer = client.get(&format!("{target}{number}")).await;
            names.push(answer.text().to_owned());
        }
        names
    };
    for target in ["/live/", "/none/", "/kept/"] {
        let names = answers(&mut client, target).await;
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{target}: {names:?}");
    }
    assert_eq!((origins[0].count("/*"), origins[1].count("/*")), (9, 9));
}

#[tokio::test]
async fn who_is_gone_is_replaced_by_who_is_there() {
    let (origins, gateway) = two(1).await;
    let mut client = Client::connect(gateway.address()).await;
    // Connections to both are kept, so that the gateway has to find out that one of them is dead.
    for number in 0..4 {
        assert_eq!(client.get(&format!("/live/warm?{number}")).await.status, 200);
    }
    origins[0].kill();
    for number in 0..6 {
        for (method, target) in [("GET", "/live/x"), ("POST", "/live/y"), ("GET", "/kept/z"), ("PUT", "/none/w")] {
            let target = format!("{target}{number}");
            let answer = client.request(method, &target, &[], "").await;
            assert_eq!((answer.status, answer.text()), (200, "two"), "{method} {target}");
        }
    }
    origins[0].revive().await;
    let before = origins[0].count("/*");
    for number in 0..4 {
        assert_eq!(client.get(&format!("/live/back?{number}")).await.status, 200);
    }
    assert_eq!(origins[0].count("/*"), before + 2);
}

#[tokio::test]
async fn when_nobody_is_there_the_visitor_is_told() {
    let (origins, gateway) = two(1).await;
    let (_single, without_retries) = two(0).await;
    origins[0].kill();
    origins[1].kill();
    for place in PLACES {
        for method in ["GET", "POST"] {
            let answer = Client::connect(gateway.address()).await.request(method, place, &[], "body").await;
            assert_eq!((answer.status, answer.complete), (502, true), "{method} {place}");
            assert!(answer.cache_status().ends_with("; detail=connect"), "{method} {place}: {}", answer.cache_status());
        }
    }
    // Without retries the turn of the dead one is lost.
    _single[0].kill();
    let mut statuses = Vec::new();
    for number in 0..4 {
        statuses.push(get(without_retries.address(), &format!("/live/{number}")).await.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 502, 502]);
}

#[tokio::test]
async fn a_visitor_without_a_host_reaches_the_handler_under_the_servers_own_name() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("here"));
    let gateway = Gateway::simple(&origin, "").await;
    let mut visitor = Client::connect(gateway.address()).await;
    visitor.send_raw("GET /old HTTP/1.0\r\n\r\n").await;
    assert_eq!(visitor.read_response("GET").await.text(), "here");
    assert_eq!(origin.seen("/old")[0].all("host"), [origin.address().to_string()]);
}
