use super::{Cover, cover, describe};
use crate::import::manifest::{Condition, Matcher};

fn matcher(source: &str) -> Matcher {
    Matcher { original_source: Some(source.to_owned()), ..Matcher::default() }
}

#[test]
fn patterns_cover_routes() {
    use Cover::{All, Nothing, Part};
    for (source, route, expected) in [
        ("/api/:path*", "/api", All),
        ("/api/:path*", "/api/posts/[id]", All),
        ("/api/:path*", "/apis", Nothing),
        ("/:path*", "/", All),
        ("/about", "/about", All),
        ("/about", "/about/team", Nothing),
        ("/about/(.*)", "/about", Nothing),
        ("/about/(.*)", "/about/[x]", All),
        ("/about/:path+", "/about/a/b", All),
        ("/blog/:slug", "/blog/[slug]", All),
        ("/blog/one", "/blog/[slug]", Part),
        ("/blog/one", "/blog/[slug]/more", Nothing),
        ("/blog/:slug", "/blog/[...slug]", Part),
        ("/docs", "/docs/[[...slug]]", Part),
        ("/blog/:slug(\\d+)", "/blog/[slug]", Part),
        ("/((?!api|_next/static|favicon\\.ico).*)", "/posts", All),
        ("/((?!api|_next/static|favicon.ico).*)", "/apiary", Nothing),
        ("/((?!api|_next/static).*)", "/[slug]", Part),
        ("/((?!api|_next/static).*)", "/b[slug]", All),
        ("/((?!api|.*\\.png$).*)", "/posts", Part),
    ] {
        assert_eq!(cover(&[matcher(source)], route), expected, "{source} {route}");
    }
    assert_eq!(cover(&[matcher("/a"), matcher("/b")], "/b"), All);
    assert_eq!(cover(&[], "/b"), Nothing);
}

#[test]
fn conditions_cover_a_part() {
    let condition = Condition { kind: "header".to_owned(), key: Some("x-a".to_owned()), value: Some("v".to_owned()) };
    let matcher = Matcher { has: vec![condition], ..matcher("/:path*") };
    assert_eq!(cover(std::slice::from_ref(&matcher), "/b"), Cover::Part);
    assert_eq!(describe(&matcher), "/:path* (with header x-a = v)");
}
