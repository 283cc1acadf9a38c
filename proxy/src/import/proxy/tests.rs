use super::outside::{Outside, outside_next};
use super::{TrailingSlash, section, trailing_slash};
use crate::import::manifest::Routes;

fn routes(json: serde_json::Value) -> Routes {
    let mut json = json;
    json["version"] = 3.into();
    serde_json::from_value(json).unwrap()
}

/// The items of the section, without its first line of comment.
fn written(json: serde_json::Value, paths: &[&str]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    let text = section(&routes(json), &paths).finish();
    text.split_once('\n').map(|(_, items)| items.to_owned()).unwrap_or_default()
}

#[test]
fn redirects_stay_out_of_the_files_of_next() {
    let with = |pattern: &str| Outside::With(pattern.to_owned());
    for (source, base, expected) in [
        ("/old/:path*", "", Outside::Already),
        ("/", "", Outside::Already),
        ("/nexus/:a", "", Outside::Already),
        ("/_next/:path*", "", Outside::Never),
        ("/_NEXT-old", "", Outside::Never),
        ("/:path*", "", with("/:path((?!_next)[^/]+?)*")),
        ("/:lang(de|fr)/a", "", with("/:lang((?!_next)(?:de|fr))/a")),
        ("/((?!api).*)", "", with("/((?!_next)(?!api).*)")),
        ("/((?!a|b)c|d\\|)", "", with("/((?!_next)(?:(?!a|b)c|d\\|))")),
        ("/:a(x\\|\\()", "", with("/:a((?!_next)x\\|\\()")),
        ("/:lang?/old", "", with("/:lang((?!_next)[^/]+?)?/old")),
        ("/:a?/:b", "", with("/:a((?!_next)[^/]+?)?/:b((?!_next)[^/]+?)")),
        ("/:a?/_next/b", "", Outside::Unknown),
        ("/_:rest", "", with("/_:rest((?!next)[^/]+?)")),
        ("{/:a}?/b", "", Outside::Unknown),
        ("/base/:path*", "/base", with("/base/:path((?!_next)[^/]+?)*")),
        ("/base/old/:path*", "/base", Outside::Already),
        ("/noprefix", "/base", Outside::Already),
        ("/:path*", "/b.c", with("/:path((?!b\\.c/_next)[^/]+?)*")),
    ] {
        assert_eq!(outside_next(source, base), expected, "{source}");
    }
}

#[test]
fn redirects() {
    let json = serde_json::json!({ "redirects": [
        { "source": "/:path+/", "destination": "/:path+", "internal": true, "statusCode": 308 },
        { "source": "/old/:path*", "destination": "/new/:path*", "statusCode": 308 },
        { "source": "/has", "destination": "/u/:name", "statusCode": 307,
          "has": [{ "type": "query", "key": "name", "value": "^(?<name>.*)$" }],
          "missing": [{ "type": "host", "value": "a.example" }] },
        { "source": "/_next/:path*", "destination": "/never", "statusCode": 307 },
    ] });
    let expected = "\
proxy:
  - matcher: /old/:path*
    case_sensitive: false
    redirect: { to: \"/new/:path*\", status: 308 }
  - matcher:
      source: /has
      has:
        - { type: query, key: name, value: \"^(?<name>.*)$$\" }
      missing:
        - { type: host, value: a.example }
    case_sensitive: false
    redirect: { to: \"/u/:name\", status: 307 }
  # Left out: the redirect of /_next/:path*, which Next.js never applies under /_next.
";
    assert_eq!(written(json, &[]), expected);
}

#[test]
fn headers() {
    let json = serde_json::json!({ "caseSensitive": true, "headers": [
        { "source": "/a", "headers": [
            { "key": "x-a", "value": "1" }, { "key": "X-A", "value": "2: \"${B}\"" },
            { "key": "Vary", "value": "x" }, { "key": "vary", "value": "y" }, { "key": "a b", "value": "" },
        ] },
        { "source": "/b", "has": [{ "type": "colour" }], "headers": [{ "key": "x-b", "value": "1" }] },
    ] });
    let expected = "\
proxy:
  # Left out: the header a b of /a, which cannot be sent.
  - matcher: /a
    response_headers:
      set:
        X-A: \"2: \\\"$${B}\\\"\"
        Vary: x
      append:
        vary: [\"y\"]
  # Headers left to Next.js: /b: the condition `colour` is not known here.
";
    assert_eq!(written(json, &[]), expected);
}

/// Each row: the rewrites, the paths of the application, and what is said about the one of them.
#[test]
fn rewrites() {
    let before =
        |source: &str, to: &str| serde_json::json!({ "beforeFiles": [{ "source": source, "destination": to }] });
    let after = |source: &str, to: &str| serde_json::json!([{ "source": source, "destination": to }]);
    let rule = |source: &str, to: &str| {
        format!("proxy:\n  - matcher: {source}\n    case_sensitive: false\n    rewrite: {{ to: {to} }}\n")
    };
    let left = |source: &str, to: &str, why: &str| {
        format!("proxy: []\n  # Rewrite left to Next.js: {source} to {to}: {why}.\n")
    };
    for (rewrites, paths, expected) in [
        (before("/a/:p", "/posts"), &["/posts"][..], rule("/a/:p", "/posts")),
        (before("/:p", "https://b.example/"), &[], left("/:p", "https://b.example/", "it leads to another site")),
        (
            before("/d/:p*", "/d/v2/:p*"),
            &[],
            left("/d/:p*", "/d/v2/:p*", "Next.js may apply /d/:p* to what comes of it"),
        ),
        (after("/af", "/posts"), &["/affiliates"], rule("/af", "/posts")),
        (after("/af", "/posts"), &["/AF"], left("/af", "/posts", "/AF comes before it")),
        (after("/af/:p", "/posts"), &["/af/[p]"], rule("/af/:p", "/posts")),
        (after("/af/:p", "/posts"), &["/af/b"], left("/af/:p", "/posts", "/af/b comes before it")),
        (after("/:p", "/posts"), &[], left("/:p", "/posts", "files come before it")),
        (
            serde_json::json!({ "fallback": [{ "source": "/f", "destination": "/g" }] }),
            &[],
            left("/f", "/g", "everything else comes before it"),
        ),
    ] {
        assert_eq!(written(serde_json::json!({ "rewrites": rewrites }), paths), expected, "{rewrites}");
    }
}

#[test]
fn slashes_at_the_end_are_no_rules() {
    let internal = |source: &str, destination: &str| serde_json::json!({ "source": source, "destination": destination, "internal": true, "statusCode": 308 });
    for (redirects, expected) in [
        (vec![internal("/:path+/", "/:path+")], TrailingSlash::Removed),
        (vec![internal("/base/", "/base"), internal("/:path+/", "/:path+")], TrailingSlash::Removed),
        (vec![internal("/:file(x)/", "/:file"), internal("/:notfile(y)", "/:notfile/")], TrailingSlash::Wanted),
        (vec![], TrailingSlash::Ignored),
    ] {
        let json = serde_json::json!({ "redirects": redirects });
        assert_eq!(trailing_slash(&routes(json.clone())), expected);
        assert_eq!(written(json, &[]), "");
    }
}

/// A rule that means nothing here does not make the rest unusable.
#[test]
fn what_the_configuration_refuses_is_left_to_next() {
    let json = serde_json::json!({ "headers": [
        { "source": "/a", "headers": [{ "key": "age", "value": "1" }] },
        { "source": "/b(", "headers": [{ "key": "x-b", "value": "1" }] },
        { "source": "/c", "headers": [{ "key": "x-c", "value": "1" }] },
    ] });
    let text = written(json, &[]);
    for source in ["/a", "/b("] {
        assert!(text.contains(&format!("# The rule of {source} is left to Next.js: ")), "{text}");
    }
    assert!(text.contains("  - matcher: /c\n"), "{text}");
    assert_eq!(text.matches("- matcher").count(), 1, "{text}");
}

/// Of headers that are added and never replaced, every line counts.
#[test]
fn each_line_of_a_header_that_is_added_is_kept() {
    let line = |value: &str| serde_json::json!({ "key": "Set-Cookie", "value": value });
    let json =
        serde_json::json!({ "headers": [{ "source": "/a", "headers": [line("a=1"), line("b=2"), line("c=3")] }] });
    let text = written(json, &[]);
    assert!(text.contains("        Set-Cookie: a=1\n      append:\n        Set-Cookie: [b=2, c=3]\n"), "{text}");
}
