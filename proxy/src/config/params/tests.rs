//! Parameters that are known beforehand: the paths that come of them, and what is wrong with them otherwise.

use std::io;
use std::time::Duration;

use super::{KnownParams, MAX_KNOWN_PATHS, canonical_path, known_paths};
use crate::config::{Outside, RoutePattern, load, parse};
use crate::target::MAX_TARGET;

/// A folder with two files.
struct Folder;

impl Outside for Folder {
    fn variable(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, name: &str) -> io::Result<String> {
        match name {
            "items.json" => Ok(r#"[{"slug":"a"},{"slug":"b c"},{"slug":"a"}]"#.to_owned()),
            "broken.json" => Ok(r#"[{"slug":"a"},{"name":"b"}]"#.to_owned()),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        }
    }
}

/// What a route at `path` knows with these settings; the problem otherwise.
fn known(path: &str, settings: &str) -> Result<Option<KnownParams>, String> {
    let text = format!("upstreams: {{ demo: {{ builtin: demo }} }}\nroutes: [{{ path: '{path}', {settings} }}]\n");
    let mut config = parse(&text, "config.yaml", &Folder).map_err(|problems| problems.to_string())?;
    Ok(config.routes.remove(0).params)
}

fn listed(paths: &[&str]) -> Option<KnownParams> {
    Some(KnownParams::Listed(paths.iter().map(|path| (*path).to_owned()).collect()))
}

#[test]
fn parameters_become_paths_in_normal_form() {
    let cases: [(&str, &str, &[&str]); 9] = [
        ("/items/[slug]", "params: [{ slug: a }, { slug: b }, { slug: a }]", &["/items/a", "/items/b"]),
        ("/items/[slug]", "params: [{ slug: 007 }, { slug: 12 }]", &["/items/007", "/items/12"]),
        ("/items/[slug]", "params: [{ slug: 'a/b' }, { slug: 'a b' }]", &["/items/a%2Fb", "/items/a%20b"]),
        ("/items/[slug]", "params: [{ slug: '\u{e9}%' }]", &["/items/%C3%A9%25"]),
        ("/shop/[tag]/[item]", "params: [{ tag: x, item: '1' }]", &["/shop/x/1"]),
        ("/blog/[...slug]", "params: [{ slug: [a, 'b/c'] }]", &["/blog/a/b%2Fc"]),
        ("/opt/[[...id]]", "params: [{}, { id: [] }, { id: ~ }, { id: [x] }]", &["/opt", "/opt/x"]),
        ("/[[...all]]", "params: [{}]", &["/"]),
        ("/items/[slug]", "params: []", &[]),
    ];
    for (path, settings, expected) in cases {
        assert_eq!(known(path, settings), Ok(listed(expected)), "{path} {settings}");
    }
    assert_eq!(known("/items/[slug]", "revalidate: 60"), Ok(None));
}

#[test]
fn parameters_come_from_a_file_or_from_the_upstream() {
    assert_eq!(known("/items/[slug]", "params_from: { file: items.json }"), Ok(listed(&["/items/a", "/items/b%20c"])));
    let asked = |url: &str, every| Ok(Some(KnownParams::Asked { url: url.to_owned(), every }));
    assert_eq!(known("/items/[slug]", "params_from: { url: /api/params }"), asked("/api/params", None));
    assert_eq!(
        known("/items/[slug]", "params_from: { url: '/api/params?all=1', every: 10m }"),
        asked("/api/params?all=1", Some(Duration::from_secs(600)))
    );
}

#[test]
fn a_problem_says_what_would_be_right() {
    let cases = [
        ("/items/[slug]", "params: { slug: a }", "routes[0].params: found a mapping, expected a list of objects"),
        ("/items/[slug]", "params: [a]", "routes[0].params[0]: found `a`, expected an object with `slug`"),
        ("/items/[slug]", "params: [{}]", "routes[0].params[0]: found a mapping, expected a text for `slug`"),
        ("/items/[slug]", "params: [{ slug: [a] }]", "expected a text for `slug`"),
        ("/items/[slug]", "params: [{ slug: a, page: 2 }]", "expected an object with `slug`, without `page`"),
        ("/items/[slug]", "params: [{ slug: '' }]", "a text that can be a segment of a path instead of ``"),
        ("/items/[slug]", "params: [{ slug: '..' }]", "a text that can be a segment of a path instead of `..`"),
        ("/items/[slug]", "params: [{ slug: 'a\\b' }]", "a text without NUL and backslash"),
        ("/blog/[...slug]", "params: [{ slug: a }]", "expected a list of texts for `slug`"),
        ("/blog/[...slug]", "params: [{ slug: [] }]", "expected a list of texts for `slug` with at least one"),
        ("/posts", "params: [{}]", "expected nothing: the path `/posts` has no parameters"),
        (
            "/items/[slug]",
            "dynamic_params: false",
            "routes[0].params: found nothing, expected `params` or `params_from`",
        ),
        ("/items/[slug]", "params_from: {}", "expected `file: params.json`, or `url: /api/params`"),
        ("/items/[slug]", "params_from: { file: items.json, url: /a }", "expected either `file` or `url`"),
        ("/items/[slug]", "params_from: { file: items.json, every: 1m }", "expected nothing beside `file`"),
        ("/items/[slug]", "params_from: { file: none.json }", "expected a file that can be read (no such file)"),
        (
            "/items/[slug]",
            "params_from: { file: broken.json }",
            "expected a file with an object with `slug`, without `name` at entry 1",
        ),
        (
            "/items/[slug]",
            "params_from: { url: 'https://acme.com/params' }",
            "expected a path that the upstream answers",
        ),
        ("/items/[slug]", "params_from: { url: '//x/y' }", "expected a path that the upstream answers"),
        ("/items/[slug]", "params_from: { url: '/x//y' }", "expected a path that the upstream answers"),
        ("/items/[slug]", "params_from: { url: /x/../y }", "expected a path that the upstream answers"),
        ("/items/[slug]", "params_from: { url: '/%61?a=\"' }", "expected a path that the upstream answers"),
        ("/items/[slug]", "params_from: { url: /api/params, every: 0 }", "routes[0].params_from.every: found `0`"),
        (
            "/items/[slug]",
            "params: [{ slug: a }], params_from: { url: /a }",
            "one of them; the other is routes[0].params",
        ),
    ];
    for (path, settings, expected) in cases {
        let problem = known(path, settings).expect_err(settings);
        assert!(problem.contains(expected), "{settings}: {problem}");
        assert_eq!(problem.lines().count(), 1, "{settings}: {problem}");
    }
    // As in Next.js it says nothing about a path without parameters.
    assert_eq!(known("/posts", "dynamic_params: false"), Ok(None));
}

#[test]
fn a_list_that_is_too_long_is_refused() {
    let pattern = RoutePattern::parse("/items/[slug]").unwrap();
    let text = |count: usize| {
        let items: Vec<String> = (0..count).map(|number| format!("{{\"slug\":\"{number}\"}}")).collect();
        format!("[{}]", items.join(","))
    };
    assert_eq!(known_paths(&text(MAX_KNOWN_PATHS), &pattern).map(|paths| paths.len()), Ok(MAX_KNOWN_PATHS));
    assert!(known_paths(&text(MAX_KNOWN_PATHS + 1), &pattern).is_err());
}

#[test]
fn a_path_has_one_spelling_under_which_it_may_be_known() {
    let cases = [
        ("/a/b", None),
        ("/a%2Bb", Some("/a+b")),
        ("/a%2Fb/c", Some("/a%2Fb/c")),
        ("/%E4%BD%A0", Some("/%E4%BD%A0")),
        ("/%25", Some("/%25")),
    ];
    for (path, expected) in cases {
        assert_eq!(canonical_path(path).as_deref(), expected, "{path}");
    }
}

/// A pipe to which nobody writes, a device without an end, and more than the limit.
#[test]
fn only_a_regular_file_of_some_length_is_read() {
    let root = std::env::temp_dir().join(format!("evergate-params-{}", std::process::id()));
    std::fs::create_dir_all(&root).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap().success());
    std::fs::File::create(root.join("large.json")).unwrap().set_len((16 << 20) + 1).unwrap();
    std::fs::write(root.join("good.json"), r#"[{"slug":"a"}]"#).unwrap();
    for (file, expected) in [
        ("good.json", None),
        ("pipe", Some("expected a file that can be read (not a regular file)")),
        ("/dev/zero", Some("expected a file that can be read (not a regular file)")),
        ("large.json", Some("expected a file that can be read (larger than 16 MiB)")),
    ] {
        let text = format!(
            "upstreams: {{ demo: {{ builtin: demo }} }}\nroutes: [{{ path: '/[slug]', params_from: {{ file: {file} }} }}]\n"
        );
        std::fs::write(root.join("config.yaml"), text).unwrap();
        let problem = load(&root.join("config.yaml"), &|_| None).err().map(|error| error.to_string());
        match expected {
            None => assert_eq!(problem, None),
            Some(expected) => assert!(problem.as_ref().is_some_and(|it| it.contains(expected)), "{file}: {problem:?}"),
        }
    }
    std::fs::remove_dir_all(&root).unwrap();
}

#[test]
fn a_list_is_read_up_to_the_first_thing_that_is_wrong() {
    let items = RoutePattern::parse("/items/[slug]").unwrap();
    let blog = RoutePattern::parse("/blog/[...slug]").unwrap();
    for (pattern, text, expected) in [
        (
            &items,
            r#"[{"slug":1},{"slug":-1.5},{"slug":"c","slug":"d"}]"#,
            Ok(&["/items/1", "/items/-1.5", "/items/d"][..]),
        ),
        (&blog, r#"[{"slug":["a",2]}]"#, Ok(&["/blog/a/2"])),
        // What follows is not even JSON, and nobody asked.
        (&items, "[1,", Err("an object with `slug` at entry 0")),
        (&items, r#"[{"slug":"a"},{},"#, Err("a text for `slug` at entry 1")),
        (&items, r#"[{"slug":"a","b":"#, Err("an object with `slug`, without `b` at entry 0")),
        (&items, r#"[{"slug":{"a":[1]}}]"#, Err("a text for `slug` at entry 0")),
        (&items, r#"[{"slug":true}]"#, Err("a text for `slug` at entry 0")),
        (&blog, r#"[{"slug":["a",["b"],"c"]}]"#, Err("a list of texts for `slug` at entry 0")),
        (&items, "{}", Err("a list of objects (`[{ slug: a }, { slug: b }]`)")),
        (&items, "7", Err("a list of objects (`[{ slug: a }, { slug: b }]`)")),
        (&items, "", Err("JSON (EOF while parsing a value at line 1 column 0)")),
        (&items, r#"[{"slug":"a"}"#, Err("JSON (EOF while parsing a list at line 1 column 13)")),
        (&items, "[] []", Err("JSON (trailing characters at line 1 column 4)")),
    ] {
        let expected = expected.map(|paths| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>());
        assert_eq!(known_paths(text, pattern), expected.map_err(str::to_owned), "{text}");
    }
}

/// By any of the three ways in which a list comes.
#[test]
fn a_path_is_no_longer_than_any_that_is_served() {
    let longest = "a".repeat(MAX_TARGET - "/items/".len());
    let pattern = RoutePattern::parse("/items/[slug]").unwrap();
    let expected = format!("a path of at most {MAX_TARGET} bytes");
    let json = |slug: &str| format!(r#"[{{"slug":"{slug}"}}]"#);
    assert_eq!(known_paths(&json(&longest), &pattern).map(|paths| paths.len()), Ok(1));
    assert!(known("/items/[slug]", &format!("params: [{{ slug: {longest} }}]")).is_ok());
    // What must be encoded counts as it is in the path.
    for slug in [format!("{longest}a"), "\u{e9}".repeat(MAX_TARGET / 6)] {
        assert_eq!(known_paths(&json(&slug), &pattern), Err(format!("{expected} at entry 0")));
        let problem = known("/items/[slug]", &format!("params: [{{ slug: {slug} }}]")).unwrap_err();
        assert!(problem.contains(&expected), "{problem}");
    }
    let many = format!(r#"[{{"slug":["a"{}]}}]"#, r#","a""#.repeat(MAX_TARGET / 2));
    let blog = RoutePattern::parse("/blog/[...slug]").unwrap();
    assert_eq!(known_paths(&many, &blog), Err(format!("{expected} at entry 0")));
}
