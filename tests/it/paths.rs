//! Spellings of a path: those that mean one page share it, those that do not never meet, and the handler is asked by the one
//! name that everything else uses. (What is refused instead, with 400, 414 and 431, is in `protocol`; where repeated slashes
//! are redirected, in `pass`.)

use evergate_tests::{Client, Gateway, Http2Client, Origin, Reply, Response, get};

/// A page by the name that its handler hears, and other spellings of it.
type Page = (&'static str, &'static [&'static str]);

const PAGES: [Page; 27] = [
    ("/", &["/.", "/..", "/a/..", "/%2e", "/../"]),
    ("/a", &["/%61", "/./a", "/b/../a", "/../a", "/../../a", "/%2e/a", "/b/%2e%2E/a", "/b/.%2e/%61"]),
    ("/A", &["/%41", "/a/../A"]),
    ("/a/", &["/a/.", "/a/b/..", "/a/%2e", "/%61/"]),
    ("/b", &["/a/../b", "/a/%2e%2e/b", "/%62"]),
    ("/a/b", &["/a/./b", "/a/x/../b", "/%61/%62", "/a/../a/b", "/a/b/c/../../b"]),
    ("/a%2Fb", &["/a%2fb", "/%61%2f%62", "/x/../a%2fb"]),
    // What is encoded twice means neither, and its second half is nobody's encoding.
    ("/a%252Fb", &["/%61%252Fb"]),
    ("/a%252fb", &["/a%252f%62"]),
    ("/%2561", &["/x/../%2561"]),
    // A dot segment is what stands between slashes, and an encoded slash is none.
    ("/..%2Fa", &["/%2e%2e%2fa", "/.%2E%2fa"]),
    ("/a/..%2Fb", &["/a/%2e.%2fb"]),
    ("/...", &["/%2e..", "/.%2e%2E"]),
    ("/a..", &["/a%2e%2e"]),
    ("/.a", &["/%2ea"]),
    // Delimiters mean something where they are plain, and may mean something else where they are encoded.
    ("/a;x", &["/%61;x"]),
    ("/a%3Bx", &["/a%3bx"]),
    ("/a;x=1", &["/a;%78=1"]),
    ("/a+b", &["/%61+b"]),
    ("/a%2Bb", &["/a%2bb"]),
    ("/a%20b", &["/%61%20%62"]),
    ("/a%3Fb", &["/a%3fb"]),
    ("/a%23b", &["/%61%23b"]),
    ("/a~b", &["/a%7Eb", "/a%7eb"]),
    // What may not stand plainly in a path is encoded, not refused.
    ("/a%7Cb", &["/a|b", "/a%7cb"]),
    ("/%22a%22", &["/\"a\"", "/%22%61\""]),
    ("/caf%C3%A9", &["/caf%c3%a9", "/%63af%C3%a9"]),
];

/// An origin that says what it was asked for.
async fn echoing() -> Origin {
    let origin = Origin::start().await;
    origin.on("/*", |seen| Reply::ok(&seen.target).header("cache-control", "max-age=60"));
    origin
}

/// The ways to ask for a target.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Http1,
    Absolute,
    Http2,
}

async fn ask(gateway: &Gateway, manner: Manner, target: &str) -> Response {
    let address = gateway.address();
    match manner {
        Manner::Http1 => get(address, target).await,
        Manner::Absolute => get(address, &format!("http://{address}{target}")).await,
        Manner::Http2 => Http2Client::connect(address).await.get(target).await,
    }
}

#[tokio::test]
async fn promise_1_spellings_of_one_page_share_it_and_others_never_meet() {
    for revalidate in ["false", "origin"] {
        let origin = echoing().await;
        let routes = format!("- {{ path: \"/[[...all]]\", revalidate: {revalidate} }}");
        let config =
            Gateway::simple_config(&origin, &routes).replace("127.0.0.1:0\" }]", "127.0.0.1:0\", h2c: true }]");
        let gateway = Gateway::start(&config).await;
        for (asked, (page, spellings)) in PAGES.iter().enumerate() {
            // Whoever comes first, the handler is asked by the page's own name, once.
            let first = ask(&gateway, Manner::Http1, spellings.last().unwrap_or(page)).await;
            assert_eq!((first.x_cache(), first.text()), ("MISS", *page), "{revalidate}");
            for manner in [Manner::Http1, Manner::Absolute, Manner::Http2] {
                for spelling in [page].into_iter().chain(*spellings) {
                    // The library of the client writes no targets that are no URI.
                    if matches!(manner, Manner::Http2) && spelling.contains(['"', '|']) {
                        continue;
                    }
                    let response = ask(&gateway, manner, spelling).await;
                    assert_eq!(
                        (response.status, response.x_cache(), response.text()),
                        (200, "HIT", *page),
                        "{manner:?} {spelling}, revalidate: {revalidate}"
                    );
                }
            }
            assert_eq!(origin.count("/*"), asked + 1, "{page}");
        }
        assert_eq!(origin.malformed(), [""; 0]);
    }
}

#[tokio::test]
async fn handlers_of_requests_that_pass_hear_the_same_names() {
    let origin = echoing().await;
    for routes in ["", "- { path: \"/[[...all]]\" }"] {
        let gateway = Gateway::simple(&origin, routes).await;
        for (page, spellings) in PAGES {
            for spelling in [&page].into_iter().chain(spellings) {
                let response = get(gateway.address(), spelling).await;
                assert_eq!((response.x_cache(), response.text()), ("PASS", page), "{spelling}");
            }
        }
    }
}

/// Spellings of `/admin`, and paths that only look like it.
const ADMIN: &[&str] = &[
    "/admin",
    "/%61dmin",
    "/admi%6E",
    "/./admin",
    "/x/../admin",
    "/%2e%2e/admin",
    "/admin/",
    "/admin/.",
    "/admin/x/..",
];
const NOT_ADMIN: &[&str] =
    &["/Admin", "/admin;", "/admin;x=1", "/admin%2F", "/admin%20", "/admin.", "/admin%3F", "/x%2F..%2Fadmin"];

#[tokio::test]
async fn promise_1_no_spelling_slips_past_the_route_of_its_page() {
    let origin = echoing().await;
    // One page is personal; everything else is kept for everyone.
    let routes = "- { path: /admin }\n- { path: \"/[...all]\", revalidate: false }";
    let gateway = Gateway::simple(&origin, routes).await;
    for (spellings, route, x_cache) in [(ADMIN, "/admin", "PASS"), (NOT_ADMIN, "/[...all]", "MISS")] {
        for spelling in spellings {
            let asked = origin.count("/*");
            let response = Client::connect(gateway.address()).await.get_with(spelling, &[("cookie", "id=ann")]).await;
            assert_eq!((response.status, response.x_cache()), (200, x_cache), "{spelling}");
            let seen = &origin.seen("/*")[asked];
            assert_eq!(seen.header("x-matched-path"), Some(route), "{spelling}");
            assert_eq!(seen.header("cookie").is_some(), route == "/admin", "{spelling}");
        }
    }
}

#[tokio::test]
async fn parameters_are_those_of_the_one_name() {
    let origin = Origin::start().await;
    origin.on("/*", |seen| Reply::ok(seen.header("x-route-params").unwrap_or_default()));
    let gateway = Gateway::simple(&origin, "- { path: \"/items/[slug]\", revalidate: false }").await;
    for (first, then, params) in [
        ("/items/a%2fb", "/items/a%2Fb", r#"{"slug":"a/b"}"#),
        ("/items/%61", "/x/../items/a", r#"{"slug":"a"}"#),
        ("/items/a%20b", "/items/%61%20b", r#"{"slug":"a b"}"#),
        ("/items/%2e%2e%2fb", "/items/..%2Fb", r#"{"slug":"../b"}"#),
        ("/items/%252e", "/./items/%252e", r#"{"slug":"%2e"}"#),
    ] {
        for (target, x_cache) in [(first, "MISS"), (then, "HIT")] {
            let response = get(gateway.address(), target).await;
            assert_eq!((response.x_cache(), response.text()), (x_cache, params), "{target}");
        }
    }
    assert_eq!(origin.count("/*"), 5);
}
