//! Promise 1, the other half: what splits a page. Cookies, query and host are in the key exactly as far as a route lets
//! them, and the handler sees exactly what is in the key.

use evergate_tests::{Client, Gateway, Http2Client, Origin, Reply, Seen, get};

use super::{Lines, visit};

/// An origin that answers everything.
async fn any_origin() -> Origin {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page"));
    origin
}

/// The values of a request field over all requests, in their order.
fn values(seen: &[Seen], name: &str) -> Vec<Option<String>> {
    seen.iter().map(|seen| seen.header(name).map(str::to_owned)).collect()
}

/// Requests in groups that share a page each: the cookie lines as visitors send them, and what the handler of the group
/// gets to see.
const COOKIES: [(&[&[&str]], Option<&str>); 7] = [
    (&[&[], &["id=ann"], &["Theme=dark", "xtheme=dark; a=theme=dark"], &["; ;"]], None),
    (&[&["theme=dark"], &["id=bob; theme=dark"], &["id=1", "theme=dark ; x=2"]], Some("theme=dark")),
    (&[&["theme=light"]], Some("theme=light")),
    (&[&["theme="]], Some("theme=")),
    (
        &[&["theme=dark; plan=pro"], &["plan=pro; id=ann; theme=dark"], &["plan=pro", "theme=dark"]],
        Some("theme=dark; plan=pro"),
    ),
    (&[&["plan=pro"]], Some("plan=pro")),
    (&[&["theme=a; theme=b"]], Some("theme=a; theme=b")),
];

#[tokio::test]
async fn promise_1_listed_cookies_split_pages_and_others_are_withheld() {
    let origin = any_origin().await;
    let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: false, cookies: [theme, plan] }").await;
    for (visitors, seen_by_handler) in COOKIES {
        let before = origin.count("/p");
        for (index, cookies) in visitors.iter().enumerate() {
            let lines: Vec<(&str, &str)> = cookies.iter().map(|cookie| ("cookie", *cookie)).collect();
            let response = visit(&gateway, "/p", &lines).await;
            assert_eq!(response.x_cache(), if index == 0 { "MISS" } else { "HIT" }, "{cookies:?}");
        }
        let asked = values(&origin.seen("/p")[before..], "cookie");
        assert_eq!(asked, [seen_by_handler.map(str::to_owned)]);
    }
}

#[tokio::test]
async fn promise_1_a_cookie_outside_ascii_hides_no_other() {
    let origin = Origin::start().await;
    origin.on("/p", |seen| Reply::ok(seen.header("cookie").unwrap_or("none")));
    let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: false, cookies: [theme] }").await;
    for (cookie, expected) in [
        ("theme=dark", "theme=dark"),
        ("id=ann", "none"),
        ("name=Zo\u{eb}; theme=dark", "theme=dark"),
        ("theme=dark; name=Zo\u{eb}", "theme=dark"),
        ("theme=\u{eb}", "theme=\u{eb}"),
    ] {
        assert_eq!(visit(&gateway, "/p", &[("cookie", cookie)]).await.text(), expected, "{cookie:?}");
    }
    assert_eq!(origin.count("/p"), 3);
}

/// Targets in groups that share a page each, and what the handler of the group gets to see.
type Groups = &'static [(&'static [&'static str], &'static str)];

const ALL: Groups = &[
    (&["/p", "/p?", "/p?&&", "/p?utm_source=a", "/p?utm%5Fsource=a&gclid=1&fbclid=2", "/p?utm_="], "/p"),
    (&["/p?a=1", "/p?a=1&utm_medium=x", "/p?&a=1&"], "/p?a=1"),
    (&["/p?a=1&b=2", "/p?b=2&a=1", "/p?b=2&gclid=z&a=1"], "/p?a=1&b=2"),
    (&["/p?a=1&a=2", "/p?a=1&utm_x=1&a=2"], "/p?a=1&a=2"),
    (&["/p?a=2&a=1"], "/p?a=2&a=1"),
    (&["/p?a=1&a=1"], "/p?a=1&a=1"),
    (&["/p?a="], "/p?a="),
    (&["/p?a"], "/p?a"),
    (&["/p?a=&b", "/p?b&a="], "/p?a=&b"),
    (&["/p?A=1"], "/p?A=1"),
    (&["/p?a=1%262"], "/p?a=1%262"),
    (&["/p?a=1+2"], "/p?a=1+2"),
    (&["/p?a=1;b=2"], "/p?a=1;b=2"),
    (&["/p?a=1?b=2"], "/p?a=1?b=2"),
    (&["/p?=1"], "/p?=1"),
    (&["/p?gclidx=1"], "/p?gclidx=1"),
];

const IGNORED: Groups = &[(&["/p?a=1", "/p", "/p?b=2&a", "/p?"], "/p")];

const LISTED: Groups = &[
    (&["/p", "/p?id=ann&Q=1", "/p?qq=1&q2=", "/p?x=q=1"], "/p"),
    (&["/p?q=1", "/p?q=1&id=bob", "/p?id=1&q=1", "/p?session=secret&q=1"], "/p?q=1"),
    (&["/p?q="], "/p?q="),
    (&["/p?q"], "/p?q"),
    (&["/p?page=2&q=1", "/p?q=1&page=2", "/p?q=1&id=x&page=2"], "/p?page=2&q=1"),
    (&["/p?q=1&q=2"], "/p?q=1&q=2"),
    (&["/p?q=2&q=1"], "/p?q=2&q=1"),
    (&["/p?page=2"], "/p?page=2"),
];

/// With `cache.strip_query: [q, _*]`: it counts more than the list of the route, and nothing else is stripped.
const STRIPPED: Groups = &[
    (&["/p?q=1", "/p?q=2&_t=1", "/p"], "/p"),
    (&["/p?page=2&q=1", "/p?page=2"], "/p?page=2"),
    (&["/p?utm_source=a", "/p?q=1&utm_source=a&__=1"], "/p?utm_source=a"),
];

/// Sends the targets of every group and asserts that each group is one page, made from what its handler was shown.
async fn pages(routes: &str, groups: Groups) {
    let origin = any_origin().await;
    let gateway = Gateway::simple(&origin, routes).await;
    for (targets, seen_by_handler) in groups {
        let before = origin.count("/p");
        for (index, target) in targets.iter().enumerate() {
            let response = get(gateway.address(), target).await;
            assert_eq!(response.x_cache(), if index == 0 { "MISS" } else { "HIT" }, "{target}");
        }
        let asked: Vec<String> = origin.seen("/p")[before..].iter().map(|seen| seen.target.clone()).collect();
        assert_eq!(asked, [*seen_by_handler]);
    }
}

#[tokio::test]
async fn promise_1_every_query_parameter_is_in_the_key_but_the_stripped_ones() {
    pages("- { path: /p, revalidate: false }", ALL).await;
    pages("- { path: /p, revalidate: false, query: all }", ALL).await;
}

#[tokio::test]
async fn promise_1_an_ignored_query_is_withheld() {
    pages("- { path: /p, revalidate: false, query: ignore }", IGNORED).await;
}

#[tokio::test]
async fn promise_1_of_a_listed_query_only_the_list_is_seen() {
    pages("- { path: /p, revalidate: false, query: [q, page] }", LISTED).await;
}

#[tokio::test]
async fn stripped_parameters_are_the_operators_choice() {
    let routes = "- { path: /p, revalidate: false, query: [q, page, utm_source] }\ncache: { strip_query: [q, _*] }";
    pages(routes, STRIPPED).await;
}

#[tokio::test]
async fn queries_of_passing_requests_are_left_alone() {
    let origin = any_origin().await;
    let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: 0, query: [q] }").await;
    for target in ["/p?b=2&utm_source=x&a=1&&a=", "/other?b=2&gclid=1&a"] {
        assert_eq!(get(gateway.address(), target).await.x_cache(), "PASS");
        assert_eq!(origin.seen("/*").last().map(|seen| seen.target.clone()).as_deref(), Some(target));
    }
}

/// One row of a test of hosts: the request's lines, the status, `x-cache`.
type HostRow = (Lines<'static>, u16, &'static str);

/// Asks for `/p` in each row, and gives back the hosts under which the handler was asked.
async fn hosts(more: &str, rows: &[HostRow]) -> (Origin, Vec<Option<String>>) {
    let origin = any_origin().await;
    let gateway = Gateway::simple(&origin, &format!("- {{ path: /p, revalidate: false }}\n{more}")).await;
    for (lines, status, x_cache) in rows {
        let response = visit(&gateway, "/p", lines).await;
        assert_eq!((response.status, response.x_cache()), (*status, *x_cache), "{lines:?}");
    }
    let asked = values(&origin.seen("/p"), "host");
    (origin, asked)
}

#[tokio::test]
async fn promise_1_without_hosts_there_is_one_site_whatever_it_is_called() {
    let rows: [HostRow; 3] =
        [(&[("host", "a.example")], 200, "MISS"), (&[("host", "b.example:81")], 200, "HIT"), (&[], 200, "HIT")];
    let (origin, asked) = hosts("", &rows).await;
    assert_eq!(asked, [Some(origin.address().to_string())]);
}

#[tokio::test]
async fn promise_1_listed_hosts_are_sites_of_their_own() {
    let rows: [HostRow; 8] = [
        (&[("host", "a.example")], 200, "MISS"),
        (&[("host", "A.Example:8080")], 200, "HIT"),
        (&[("host", "b.example")], 200, "MISS"),
        (&[("host", "b.example:443")], 200, "HIT"),
        (&[("host", "c.example")], 421, ""),
        (&[("host", "a.example.evil.example")], 421, ""),
        (&[("host", "evil.example"), ("x-forwarded-host", "a.example")], 421, ""),
        (&[], 421, ""),
    ];
    let (_origin, asked) = hosts("hosts: [a.example, B.example]", &rows).await;
    assert_eq!(asked, [Some("a.example".to_owned()), Some("b.example".to_owned())]);
}

#[tokio::test]
async fn promise_1_an_absolute_target_names_the_site_too() {
    let origin = any_origin().await;
    let routes = "- { path: /p, revalidate: false }\nhosts: [a.example, b.example]";
    let gateway = Gateway::simple(&origin, routes).await;
    let mut client = Client::connect(gateway.address()).await;
    let a = client.get_with("http://a.example/p", &[("host", "a.example")]).await;
    let b = client.get_with("http://b.example/p", &[("host", "b.example")]).await;
    assert_eq!([a.x_cache(), b.x_cache()], ["MISS", "MISS"]);
    // Two names for one request: a handler might believe the other one.
    let both = client.get_with("http://a.example/p", &[("host", "b.example")]).await;
    assert_eq!(both.status, 400);
    assert_eq!(values(&origin.seen("/p"), "host"), [Some("a.example".to_owned()), Some("b.example".to_owned())]);
}

#[tokio::test]
async fn promise_1_the_key_is_the_same_over_http_2() {
    let origin = any_origin().await;
    let routes = "- { path: /p, revalidate: false, cookies: [theme, plan] }\nhosts: [a.example]";
    let config = Gateway::simple_config(&origin, routes);
    let gateway = Gateway::start(&config.replacen("\"127.0.0.1:0\"", "\"127.0.0.1:0\", h2c: true", 1)).await;
    let client = Http2Client::connect(gateway.address()).await;
    let host = ("host", "a.example");
    // Over HTTP/2 a browser may send each cookie in a field of its own (RFC 9113 section 8.2.3).
    let crumbs = [host, ("cookie", "id=ann"), ("cookie", "plan=pro"), ("cookie", "theme=dark")];
    let first = client.request("GET", "/p", &crumbs, b"").await;
    let again = visit(&gateway, "/p", &[host, ("cookie", "theme=dark; plan=pro")]).await;
    assert_eq!([first.x_cache(), again.x_cache()], ["MISS", "HIT"]);
    for (lines, status, x_cache) in [
        (&[host, ("authorization", "t")][..], 200, "PASS"),
        (&[host, ("cookie", "__prerender_bypass=s")], 200, "PASS"),
        (&[host], 200, "MISS"),
        (&[("host", "b.example"), ("x-forwarded-host", "a.example")], 421, ""),
    ] {
        let response = client.request("GET", "/p", lines, b"").await;
        assert_eq!((response.status, response.x_cache()), (status, x_cache), "{lines:?}");
    }
    let expected = [Some("theme=dark; plan=pro"), None, Some("__prerender_bypass=s"), None];
    assert_eq!(values(&origin.seen("/p"), "cookie"), expected.map(|cookie| cookie.map(str::to_owned)));
}

#[tokio::test]
async fn generations_paths_and_upstreams_are_in_the_key() {
    let first = any_origin().await;
    let second = Origin::start().await;
    second.on("/*", |_| Reply::ok("second"));
    let config = format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\nthreads: 2\n\
         upstreams: {{ one: {{ servers: [\"{}\"] }}, two: {{ servers: [\"{}\"] }} }}\n\
         defaults: {{ upstream: one, revalidate: false }}\ncache: {{ generation: blue }}\n\
         routes: [{{ path: \"/[x]\" }}, {{ path: \"/two/[x]\", upstream: two }}]\n",
        first.address(),
        second.address()
    );
    let gateway = Gateway::start(&config).await;
    // The same page under every spelling of its path, another one under another path.
    for (target, x_cache, body) in [
        ("/a", "MISS", "page"),
        ("/%61", "HIT", "page"),
        ("/b/../a", "HIT", "page"),
        ("/./a", "HIT", "page"),
        ("/A", "MISS", "page"),
        ("/a%2fb", "MISS", "page"),
        ("/a%2Fb", "HIT", "page"),
        ("/two/a", "MISS", "second"),
        ("/two/a", "HIT", "second"),
    ] {
        let response = get(gateway.address(), target).await;
        assert_eq!((response.x_cache(), response.text()), (x_cache, body), "{target}");
    }
    assert_eq!((first.count("/*"), second.count("/*")), (3, 1));
}
