//! Which texts are patterns, and in which form they are kept.

use super::{PatternError, RoutePattern, Segment};

#[test]
fn patterns_are_read_and_printed() {
    let cases = [
        ("/", "/"),
        ("/posts", "/posts"),
        ("/items/[slug]", "/items/[slug]"),
        ("/docs/[...rest]", "/docs/[...rest]"),
        ("/docs/[[...rest]]", "/docs/[[...rest]]"),
        ("/[a]/b/[c-d]", "/[a]/b/[c-d]"),
        ("/rss.xml", "/rss.xml"),
        ("/@team/a:b", "/@team/a:b"),
        ("/a(b)", "/a(b)"),
        ("/%28a%29", "/%28a%29"),
        ("/route.ts/a", "/route.ts/a"),
        ("/route.xml", "/route.xml"),
        // The normal form: unreserved characters decoded, hex in upper case, the rest left encoded.
        ("/%41%2d%7e", "/A-~"),
        ("/a%2fb", "/a%2Fb"),
        ("/%5bx%5d", "/%5Bx%5D"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/café", "/caf%C3%A9"),
        ("/a b", "/a%20b"),
        ("/...", "/..."),
    ];
    for (text, expected) in cases {
        let pattern = RoutePattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(pattern.to_string(), expected, "{text}");
        assert_eq!(RoutePattern::parse(expected).as_ref(), Ok(&pattern), "{text}");
    }
}

#[test]
fn segments_have_kinds() {
    let pattern = RoutePattern::parse("/a/[b]/[...c]").unwrap();
    let expected = [Segment::Static("a".to_owned()), Segment::Param("b".to_owned()), Segment::CatchAll("c".to_owned())];
    assert_eq!(pattern.segments(), expected);
    let pattern = RoutePattern::parse("/[[...c]]").unwrap();
    assert_eq!(pattern.segments(), [Segment::OptionalCatchAll("c".to_owned())]);
    assert_eq!(RoutePattern::parse("/").unwrap().segments(), []);
}

#[test]
fn other_texts_are_refused_with_a_reason() {
    let instead = |text: &str| text.to_owned();
    let cases = [
        ("", PatternError::NoLeadingSlash),
        ("posts", PatternError::NoLeadingSlash),
        ("https://a/b", PatternError::NoLeadingSlash),
        ("/posts?a=b", PatternError::QueryOrFragment),
        ("/posts#a", PatternError::QueryOrFragment),
        ("/posts/", PatternError::TrailingSlash { instead: instead("/posts") }),
        ("//", PatternError::EmptySegment { instead: instead("/") }),
        ("/a//b", PatternError::EmptySegment { instead: instead("/a/b") }),
        ("/a//", PatternError::EmptySegment { instead: instead("/a") }),
        ("/.", PatternError::DotSegment),
        ("/a/../b", PatternError::DotSegment),
        ("/a/%2e%2E", PatternError::DotSegment),
        ("/%zz", PatternError::BadEncoding),
        ("/a%4", PatternError::BadEncoding),
        ("/100%", PatternError::BadEncoding),
        ("/%00", PatternError::BadEncoding),
        ("/a\\b", PatternError::BadCharacter),
        ("/a%5cb", PatternError::BadCharacter),
        ("/a\tb", PatternError::BadCharacter),
        ("/(shop)/cart", PatternError::Group { instead: instead("/cart") }),
        ("/(shop)/cart/route.ts", PatternError::Group { instead: instead("/cart") }),
        ("/(shop)", PatternError::Group { instead: instead("/") }),
        ("/posts/route.ts", PatternError::FileName { instead: instead("/posts") }),
        ("/route.js", PatternError::FileName { instead: instead("/") }),
        ("/a[b]", PatternError::LooseBracket),
        ("/[b]a", PatternError::LooseBracket),
        ("/[b", PatternError::LooseBracket),
        ("/[]", PatternError::BadName),
        ("/[...]", PatternError::BadName),
        ("/[[...]]", PatternError::BadName),
        ("/[a b]", PatternError::BadName),
        ("/[..x]", PatternError::BadDots),
        ("/[.x]", PatternError::BadDots),
        ("/[....x]", PatternError::BadDots),
        ("/[…x]", PatternError::BadDots),
        ("/[[x]]", PatternError::OptionalParam { name: instead("x") }),
        ("/[a-b]/[ab]", PatternError::SimilarNames { first: instead("a-b"), second: instead("ab") }),
        ("/[a]/b/[a]", PatternError::RepeatedName { name: instead("a") }),
        ("/[[...a]]/b", PatternError::CatchAllNotLast),
        // Rows of Next.js's own tests, by their numbers in `route_table_invalid`.
        ("/blog/[id]/[...id]", PatternError::RepeatedName { name: instead("id") }), // 003
        ("/blog/[...id]/[...id2]", PatternError::CatchAllNotLast),                  // 004
        ("/blog/[...id]/abc", PatternError::CatchAllNotLast),                       // 005
        ("/blog/[[[...id]]", PatternError::ExtraBrackets),                          // 009
        ("/blog/[...id]]", PatternError::ExtraBrackets),                            // 010
        ("/blog/[[...id]]]", PatternError::ExtraBrackets),                          // 011
        ("/abc/[[blog]]/def", PatternError::OptionalParam { name: instead("blog") }), // 015
    ];
    for (text, expected) in cases {
        assert_eq!(RoutePattern::parse(text), Err(expected), "{text}");
    }
}

/// What other routers take for a parameter would match nothing but itself here.
#[test]
fn parameters_are_written_as_next_writes_them() {
    let cases = [
        ("/items/:slug", "[slug]"),
        ("/items/{slug}", "[slug]"),
        ("/items/*", "[...rest]"),
        ("/items/**", "[...rest]"),
        ("/items/:rest*", "[[...rest]]"),
        ("/items/:rest+", "[...rest]"),
    ];
    for (text, instead) in cases {
        let expected = Err(PatternError::ForeignParam { instead: instead.to_owned() });
        assert_eq!(RoutePattern::parse(text), expected, "{text}");
    }
    // A colon or a star inside a segment is a plain one, as is an encoded one.
    for text in ["/v1/items:batch", "/%3Aslug", "/a*b", "/:", "/{a", "/{a.b}"] {
        assert!(RoutePattern::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn length_has_a_limit() {
    let longest = format!("/{}", "a".repeat(1023));
    assert!(RoutePattern::parse(&longest).is_ok());
    assert_eq!(RoutePattern::parse(&format!("{longest}a")), Err(PatternError::TooLong));
}

/// What people paste from an editor, and the path that is to be written instead; none where it is a path already.
#[test]
fn pasted_paths_of_source_files_are_told_as_what_visitors_ask_for() {
    let cases = [
        ("app/items/[slug]/route.ts", Some("/items/[slug]")),
        ("./app/items/[slug]/route.ts", Some("/items/[slug]")),
        ("../app/items/[slug]/route.ts", Some("/items/[slug]")),
        ("src/app/items/[slug]/route.js", Some("/items/[slug]")),
        ("./src/app/items/route.mjs", Some("/items")),
        ("/src/app/items/route.tsx", Some("/items")),
        ("/app/items/route.ts", Some("/items")),
        ("/app/(shop)/items/route.ts", Some("/items")),
        ("app/(shop)/(sale)/items/[...rest]/route.ts", Some("/items/[...rest]")),
        ("app/route.ts", Some("/")),
        ("route.ts", Some("/")),
        ("/items/route.ts", Some("/items")),
        ("items/route.ts", Some("/items")),
        ("app/rss.xml/route.ts", Some("/rss.xml")),
        ("app/app/route.ts", Some("/app")),
        ("src/app/[[...rest]]/page.jsx", Some("/[[...rest]]")),
        ("/items/page.tsx", Some("/items")),
        ("src/app/docs/page.mdx", Some("/docs")),
        ("./app/items", Some("/items")),
        ("src/app/(shop)", Some("/")),
        ("/items/(group)/x", Some("/items/x")),
        // Slots are in no path, and nobody is served from a private folder, unless it only looks like one.
        ("app/@modal/items/route.ts", Some("/items")),
        ("/items/@modal/photo/page.tsx", Some("/items/photo")),
        ("app/_lib/items/route.ts", Some("/_lib/items")),
        ("/items/_data/route.ts", Some("/items/_data")),
        ("app/%5Fnext/items/route.ts", Some("/%5Fnext/items")),
        ("/@ann/posts", None),
        ("/_next/image", None),
        // An intercepting folder stands for the path that it intercepts.
        ("/feed/(.)photo", Some("/feed/photo")),
        ("/feed/(..)photo/[id]", Some("/photo/[id]")),
        ("/a/feed/(..)(..)photo", Some("/photo")),
        ("/a/b/c/(...)photo", Some("/photo")),
        ("/(..)photo", Some("/photo")),
        ("app/feed/@modal/(..)photo/[id]/page.tsx", Some("/photo/[id]")),
        // What only looks like a file.
        ("/route.xml", None),
        ("/routes.ts/a", None),
        ("/app/items", None),
        ("/src/app/items", None),
        ("/page.html", None),
        ("/a/page", None),
    ];
    for (text, expected) in cases {
        let said = RoutePattern::parse(text).map_err(|error| error.to_string());
        let Some(expected) = expected else {
            assert_eq!(said.map(|pattern| pattern.to_string()), Ok(text.to_owned()), "{text}");
            continue;
        };
        let told = said.expect_err(text);
        assert!(told.ends_with(&format!("`{expected}`")), "{text}: {told}");
        assert!(RoutePattern::parse(expected).is_ok(), "{text}: {expected} would be refused too");
    }
}

#[test]
fn texts_without_a_slash_that_name_no_file_want_one() {
    for text in ["app", "src", "app/items", "src/items", "posts/route", "https://acme.com/app/route.ts", ".", "./items"]
    {
        assert_eq!(RoutePattern::parse(text), Err(PatternError::NoLeadingSlash), "{text}");
    }
}

#[test]
fn messages_say_what_to_write() {
    let cases = [
        ("/(shop)/cart", "the path without the group: `/cart`"),
        ("/posts/route.ts", "the path that visitors ask for: `/posts`"),
        ("/[[x]]", "`[x]` or `[[...x]]`: a single segment cannot be optional"),
        ("src/app/posts/route.ts", "the path that visitors ask for: `/posts`"),
        ("/feed/(..)photo", "the path that is intercepted: `/photo`"),
        (
            "/a/_lib/route.ts",
            "the path that visitors ask for: none in Next.js, which keeps `_lib` private, else `/a/_lib`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(RoutePattern::parse(text).unwrap_err().to_string(), expected, "{text}");
    }
}
