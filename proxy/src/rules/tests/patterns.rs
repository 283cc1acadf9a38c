//! Patterns: what they match and capture, what is none, and what a hostile path may cost.

use super::super::captured::{Captured, Value};
use super::super::effort::Effort;
use super::super::engine::{Engine, Undecided};
use super::super::matcher::Forms;
use super::super::{Alternative, Case, Matcher, PathPattern, Subject};

/// What `pattern` captures of `path`: `name=value`, sorted by place; none when it does not match.
fn captured(pattern: &str, case: Case, path: &str) -> Option<String> {
    let pattern = PathPattern::compile(pattern, case).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    let matcher = Matcher::new(vec![Alternative { source: Some(pattern), ..Alternative::default() }]);
    let subject = Subject { path, query: None, host: None, headers: &http::HeaderMap::new() };
    let captured: Captured = matcher.captures(&subject, &Forms::new(path), &Effort::new(), &mut Vec::new()).unwrap()?;
    let shown = |(name, value): (&str, &Value)| format!("{name}={}", value.in_path().join("|"));
    Some(captured.iter().map(shown).collect::<Vec<_>>().join(" "))
}

#[test]
fn patterns_match_whole_paths() {
    let cases = [
        ("/", "/", Some("")),
        ("/", "/index", Some("")),
        ("/", "/a", None),
        ("/about", "/about", Some("")),
        ("/about", "/about/", Some("")),
        ("/about/", "/about", Some("")),
        ("/about", "/about/team", None),
        ("/about", "/abou", None),
        ("/about", "/aboutx", None),
        ("/a/:p", "/a/b", Some("p=b")),
        ("/a/:p", "/a/b/", Some("p=b")),
        ("/a/:p", "/a", None),
        ("/a/:p", "/a/b/c", None),
        ("/a/:p?", "/a", Some("")),
        ("/a/:p?", "/a/b", Some("p=b")),
        ("/a/:p*", "/a", Some("")),
        ("/a/:p*", "/ab", None),
        ("/a/:p*", "/a/b/c", Some("p=b|c")),
        ("/a/:p+", "/a", None),
        ("/a/:p+", "/a/b", Some("p=b")),
        ("/a/:id(\\d+)", "/a/12", Some("id=12")),
        ("/a/:id(\\d+)", "/a/\u{661}", None),
        ("/a/:id([\\d-]+)", "/a/1-2", Some("id=1-2")),
        ("/:l(en|fr)/:p*", "/fr/x/y", Some("l=fr p=x|y")),
        ("/:l(en|fr)/:p*", "/de/x", None),
        ("/(.*)", "/", Some("0=")),
        ("/(.*)", "/a/b/", Some("0=a/b/")),
        ("/x/(\\d+)/(.*)", "/x/1/b", Some("0=1 1=b")),
        ("/((?!api|_next/static).*)", "/apiary", None),
        ("/((?!api|_next/static).*)", "/a/b", Some("0=a/b")),
        ("/((?!.*\\.png$).*)", "/a.png", None),
        ("/:file.:ext", "/a.b.json", Some("file=a.b ext=json")),
        ("/:from-:to", "/a-b", Some("from=a to=b")),
        ("/:from-:to", "/a-b-c", Some("from=a-b to=c")),
        ("/:from--:to", "/a--b--c", Some("from=a--b to=c")),
        ("/a{/:b}?/c", "/a/c", Some("")),
        ("/a{/:b}?/c", "/a/x/c", Some("b=x")),
        ("/a{-:b}*", "/a-1-2", Some("b=1|2")),
        ("/a{bc}?", "/a", Some("")),
        ("/a{bc}+", "/abcbc", Some("")),
        ("/a\\:b\\(c\\)", "/a:b(c)", Some("")),
        ("/:a(x)(y)", "/xy", Some("a=x 0=y")),
        ("/:n([a-z])/((?:[a-z]|\\/)\\1)", "/a/ba", Some("n=a 0=ba")),
    ];
    for (pattern, path, expected) in cases {
        assert_eq!(captured(pattern, Case::Sensitive, path).as_deref(), expected, "{pattern} on {path}");
    }
}

#[test]
fn case_counts_as_it_is_asked_to() {
    let cases = [
        ("/A/:p", "/a/X", Some("p=X")),
        ("/about", "/ABOUT", Some("")),
        ("/\u{e9}", "/%C3%89", Some("")),
        ("/a(b|c)", "/AB", Some("0=B")),
    ];
    for (pattern, path, insensitive) in cases {
        assert_eq!(captured(pattern, Case::Insensitive, path).as_deref(), insensitive, "{pattern} on {path}");
        assert_eq!(captured(pattern, Case::Sensitive, path), None, "{pattern} on {path}");
    }
}

#[test]
fn percent_encoding_is_decoded_for_matching_and_written_again() {
    let cases = [
        ("/caf\u{e9}", "/caf%C3%A9", Some("")),
        ("/caf%C3%A9", "/caf%C3%A9", Some("")),
        ("/caf%c3%a9", "/caf%C3%A9", Some("")),
        ("/100%/:p", "/100%25/x", Some("p=x")),
        ("/a b", "/a%20b", Some("")),
        ("/q/:p", "/q/a%3Fb%23c", Some("p=a%3Fb%23c")),
        ("/q/:p", "/q/a%2Fb", Some("p=a%2Fb")),
        ("/q/:p", "/q/%252F", Some("p=%252F")),
        ("/q/:p", "/q/%FF", Some("p=%FF")),
        ("/q/(.*)", "/q/%0A", Some("0=%0A")),
        // A handler that takes the encoded slash for a slash is protected too.
        ("/q/r/:p", "/q%2Fr/x", Some("p=x")),
        ("/q/:p*", "/q%2Fr/%25", Some("p=r|%25")),
        ("/q/:p*", "/q%2Fr/%0A%FF", Some("p=r|%0A%FF")),
        ("/100%/:p", "/100%25%2Fx", Some("p=x")),
        ("/q/r", "/q/%252Fr", None),
        ("/x/:p([^/]+\\.json$)", "/x/a.json/", Some("p=a.json")),
    ];
    for (pattern, path, expected) in cases {
        assert_eq!(captured(pattern, Case::Sensitive, path).as_deref(), expected, "{pattern} on {path}");
    }
}

#[test]
fn a_pattern_fits_when_it_fits_one_reading_of_encoded_slashes() {
    let cases = [
        ("/q/r", "/q/%2Fr", Some("")),
        ("/q/:p*", "/%2Fq%2F%2F/r", Some("p=r")),
        ("/q/:p*", "/x/..%2Fq%2F.%2Fr%2F", Some("p=r")),
        // Whether dot segments are resolved or slashes taken together first makes two pages of one spelling.
        ("/q", "/x%2F%2F..%2Fq", Some("")),
        ("/x/q", "/x%2F%2F..%2Fq", Some("")),
        // So does a handler that resolves nothing, or leaves repeated slashes as they are.
        ("/q/:p/r", "/q%2F..%2Fr", Some("p=..")),
        ("/q/(.*)/r", "/q%2F%2F%2Fr", Some("0=/")),
        ("/((?!q/).*)", "/q/..%2Fr/", Some("0=r/")),
        ("/((?!q/).*)", "/q/r%2F..%2Fs", None),
        ("/q/:p*", "/x%252F..%252Fq", None),
    ];
    for (pattern, path, expected) in cases {
        assert_eq!(captured(pattern, Case::Sensitive, path).as_deref(), expected, "{pattern} on {path}");
    }
}

#[test]
fn what_is_no_pattern_shows_the_place() {
    let long = "/".repeat(4097);
    let cases = [
        ("about", "a pattern that begins with `/`, at character 1 (`about`)"),
        ("", "a pattern that begins with `/`, at its end"),
        ("/a/:", "a name of letters, digits and `_` behind the colon (`\\:` is a plain one), at character 4 (`:`)"),
        ("/a/(b", "a closing parenthesis for this one, at character 4 (`(b`)"),
        ("/a/()", "a regular expression between the parentheses, at character 4 (`()`)"),
        (
            "/a/(?:b)",
            "a group that does not begin with `?`: look-ahead stands in a group of its own (`((?!api).*)`), at character 5 (`?:b)`)",
        ),
        ("/a/(b(c))", "no capturing group in a group: `(?:...)`, at character 6 (`(c))`)"),
        ("/a/(b(?<n>c))", "no capturing group in a group: `(?:...)`, at character 6 (`(?<n>c))`)"),
        (
            "/a/*",
            "a modifier only behind a parameter or a group (`\\` makes a plain character of it), at character 4 (`*`)",
        ),
        ("/a/{b", "`}` for the group, which holds text and at most one parameter, at its end"),
        (
            "/a}",
            "a modifier only behind a parameter or a group (`\\` makes a plain character of it), at character 3 (`}`)",
        ),
        ("/:a:b", "text between two parameters, at character 4 (`:b`)"),
        (
            "/a-:b*",
            "`/` or `.` before a parameter that is repeated, or a group around it (`{-:name}*`), at character 4 (`:b*`)",
        ),
        ("/:a/:a", "each name once in a pattern; `a` is there twice, at character 4 (`/:a`)"),
        (
            "/:a([z-a])",
            "a regular expression that can be compiled (invalid character class range, the start must be <= the end), at character 1 (`/:a([z-a])`)",
        ),
        ("/x\\", "a character behind the backslash, at character 3 (`\\\\`)"),
        (long.as_str(), "a pattern of at most 4096 characters"),
    ];
    for (pattern, expected) in cases {
        let error = PathPattern::compile(pattern, Case::Sensitive)
            .map_or_else(|error| error.to_string(), |found| format!("{found:?}"));
        assert_eq!(error, expected, "{pattern}");
    }
}

#[test]
fn expressions_mean_what_they_mean_in_javascript() {
    let cases = [
        ("a|b", "ab", false),
        ("\\w+", "\u{e9}", false),
        ("[\\w]+", "a_1", true),
        ("[a&&b]+", "a&b", true),
        ("[[]", "[", true),
        ("[^\\/]+", "a/b", false),
        ("\\/x\\-y\\_", "/x-y_", true),
        ("(?<x>a)b", "ab", true),
        ("(a)\\1", "aa", true),
        ("a(?=b)b", "ab", true),
        ("(?<!a)b", "b", true),
        ("a$", "a\n", false),
    ];
    for (expression, text, expected) in cases {
        let engine = Engine::new(expression, Case::Sensitive).unwrap();
        assert_eq!(engine.groups(text, &Effort::new()).unwrap().is_some(), expected, "{expression} on {text:?}");
    }
}

#[test]
fn a_hostile_path_is_not_decided_rather_than_waited_for() {
    for pattern in [
        "/x{y}?((?:(?!z)a*)*)c",
        "/:a((?:a|aa)+)/:b(\\1)",
        "/((?:(?!.*z).)*)c",
        "/((?:(?=.*(?:a|b)*b)a|aa|a)*)c",
        "/(.*)-(.*)-((?!x).*)c",
        "/((?:a+)+)+b",
    ] {
        let compiled = PathPattern::compile(pattern, Case::Sensitive).unwrap();
        for length in [400, 16_000] {
            for path in [
                format!("/{}cb", "a".repeat(length)),
                format!("/{}cb", "a-".repeat(length / 2)),
                format!("/x{}c/b", "a".repeat(length)),
            ] {
                let effort = Effort::new();
                let result = compiled.captures(&path, &effort);
                assert!(!matches!(result, Ok(Some(_))), "{pattern}: {result:?}");
                // A unit is about a nanosecond; what it is in truth is for `make bench-rules` to say.
                assert!(effort.spent() < 1_000_000, "{pattern} on {length}: {}", effort.spent());
            }
        }
    }
    let pattern = PathPattern::compile("/(.*)-((?!x).*)c", Case::Sensitive).unwrap();
    assert_eq!(pattern.captures(&format!("{}cb", "/a-".repeat(1_000)), &Effort::new()), Err(Undecided));
    // Without the text that the pattern ends in, it is told without trying.
    assert_eq!(pattern.captures(&"/a-".repeat(1_000), &Effort::new()), Ok(None));
    let pattern = PathPattern::compile("/x{y}?((?:(?!z)a*)*)c", Case::Sensitive).unwrap();
    assert_eq!(pattern.captures(&format!("/x{}cb", "a".repeat(500)), &Effort::new()), Err(Undecided));
}

#[test]
fn what_is_looked_for_at_a_known_place_is_found_in_linear_time() {
    let long = |segment: &str| format!("/{}", segment.repeat(16_000 / segment.len()));
    for (pattern, path, fits) in [
        ("/((?!api|_next/static|.*\\.png$).*)", long("a/"), true),
        ("/((?!api|_next/static|.*\\.png$).*)", long("api/"), false),
        ("/((?!api|_next/static|.*\\.png$).*)", long("a.png"), false),
        ("/x/((?!api).*)/y", format!("/x{}", long("a/")), false),
        ("/((?=a)(?!b).*)-:n(\\d+)", long("a-"), false),
        ("/((?=b)(?!a).*)", long("a-"), false),
        ("/((?!a).*)-:n(\\d+)", long("b-1"), true),
        ("/:p((?!api)[^/]+)/:q+", long("a/"), true),
        ("/:p+", long("a/"), true),
        ("/:a-:b", long("a-"), false),
    ] {
        let compiled = PathPattern::compile(pattern, Case::Sensitive).unwrap();
        assert_eq!(
            compiled.captures(&path, &Effort::new()).map(|captured| captured.is_some()),
            Ok(fits),
            "{pattern} on {path:.20}"
        );
    }
}

#[test]
fn looking_ahead_in_one_alternative_is_not_looking_ahead_in_all() {
    let cases = [
        ("/((?!a)b|ac)", "/ac", true),
        ("/((?!a)(?:b|ac))", "/ac", false),
        ("/((?![|]).*)", "/|", false),
        ("/((?!\\)).*)", "/)", false),
        ("/((?!(?:a|b)c).*)", "/bc", false),
        ("/((?!(?:a|b)c).*)", "/bd", true),
        ("/((?!\\bx).*)", "/x", false),
        ("/a((?!b).*)?", "/ab", false),
        ("/a((?!b).*)?", "/a", true),
    ];
    for (pattern, path, fits) in cases {
        assert_eq!(captured(pattern, Case::Sensitive, path).is_some(), fits, "{pattern} on {path}");
    }
}

#[test]
fn what_a_pattern_costs_is_counted_before_it_is_spent() {
    let ordinary =
        ["/old/:path*", "/:locale/blog/:slug", "/((?!api|_next/static).*)", "/items/:id(\\d+)", "/a{-:b}?/c"];
    for source in ordinary {
        let (pattern, effort) = (PathPattern::compile(source, Case::Insensitive).unwrap(), Effort::new());
        for path in ["/old/a/b/c", "/fr/blog/a-long-slug-of-many-words", "/items/1234567", "/a-x/c"] {
            pattern.captures(path, &effort).unwrap_or_else(|Undecided| panic!("{source} on {path}"));
        }
        assert!(effort.spent() < 100_000, "{source} spends {}, of which there is much more", effort.spent());
    }
    let pattern = PathPattern::compile("/(.*a.{60}[bc])d", Case::Sensitive).unwrap();
    let effort = Effort::new();
    let dear = pattern.captures(&format!("/{}d", "ab".repeat(8_000)), &effort);
    assert_eq!((dear.err(), effort.spent()), (Some(Undecided), 0), "what is too dear is not begun");
    // The first time is dearest: a visitor who writes another path each time must not have it twice.
    let looking = PathPattern::compile("/((?:(?!.*a.{60}[bc]d).)*)x", Case::Sensitive).unwrap();
    let effort = Effort::new();
    let dear = looking.captures(&format!("/{}x", "ab".repeat(200)), &effort);
    assert_eq!((dear.err(), effort.spent()), (Some(Undecided), 0), "nor is what is looked for");
    assert!(looking.captures("/abx", &Effort::new()).unwrap().is_some(), "short texts are cheap all the same");
}
