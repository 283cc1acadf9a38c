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

#[test]
fn length_has_a_limit() {
    let longest = format!("/{}", "a".repeat(1023));
    assert!(RoutePattern::parse(&longest).is_ok());
    assert_eq!(RoutePattern::parse(&format!("{longest}a")), Err(PatternError::TooLong));
}

#[test]
fn messages_say_what_to_write() {
    let cases = [
        ("/(shop)/cart", "the path without the group: `/cart`"),
        ("/posts/route.ts", "the path that visitors ask for: `/posts`"),
        ("/[[x]]", "`[x]` or `[[...x]]`: a single segment cannot be optional"),
    ];
    for (text, expected) in cases {
        assert_eq!(RoutePattern::parse(text).unwrap_err().to_string(), expected, "{text}");
    }
}
