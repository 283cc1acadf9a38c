//! What can be named, and in which words it is remembered.

use evergate_cache::{MAX_TAG_LENGTH, What};
use serde_json::json;

use super::{Choice, Chosen};
use crate::config;
use crate::snapshot::Snapshot;
use crate::target::MAX_TARGET;

fn snapshot() -> Snapshot {
    let text = "upstreams: { demo: { builtin: demo } }
routes:
- { path: /, revalidate: 1 }
- { path: /posts, revalidate: 1 }
- { path: '/items/[slug]', revalidate: 1 }
- { path: '/pages/[slug]', revalidate: 1, kind: page }
- { path: '/docs/[[...rest]]', revalidate: 1 }
- { path: '/shop/[tag]/[...rest]', revalidate: 1 }";
    Snapshot::new(&config::parse(text, "config.yaml", &|_: &str| None).unwrap(), None)
}

/// What is told where something cannot be chosen.
fn refusal(chosen: Result<Chosen, Choice>) -> String {
    chosen.expect_err("it is refused").to_string()
}

#[test]
fn paths_are_put_in_normal_form_as_visitors_paths_are() {
    let snapshot = snapshot();
    for (path, expected) in [
        ("/", "/"),
        ("/posts", "/posts"),
        ("/posts/", "/posts"),
        ("//posts///a", "/posts/a"),
        ("/a/../posts/./b", "/posts/b"),
        ("/%70osts", "/posts"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/caf\u{e9} noir", "/caf%C3%A9%20noir"),
        ("/a%2fb", "/a%2Fb"),
        ("/a,b;c=d", "/a,b;c=d"),
        ("/items/%5Bslug%5D", "/items/%5Bslug%5D"),
        ("/other/[x]", "/other/%5Bx%5D"),
    ] {
        assert_eq!(Chosen::path(path, &snapshot), Ok(Chosen::Path(expected.into())), "{path}");
    }
    for (path, expected) in [
        ("", "a path that begins with a slash"),
        ("posts", "a path that begins with a slash"),
        ("https://acme.com/posts", "without scheme and host"),
        ("/posts?page=2", "it counts with every query"),
        ("/posts#top", "without `#`"),
        ("/a%zz", "broken percent-encoding"),
        ("/a%00", "an encoded NUL"),
        ("/a\\b", "a backslash"),
        ("/a\r\nb", "must be percent-encoded"),
        ("/items/[slug]", "this is a whole route"),
    ] {
        let told = refusal(Chosen::path(path, &snapshot));
        assert!(told.contains(expected), "{path}: {told}");
    }
    let long = format!("/{}", "a".repeat(MAX_TARGET));
    assert_eq!(Chosen::path(&long, &snapshot), Err(Choice::LongPath));
    assert!(Chosen::path(&long[..MAX_TARGET], &snapshot).is_ok());
}

#[test]
fn a_slash_at_the_end_of_a_prefix_counts() {
    for (prefix, expected) in [("/", "/"), ("/blog", "/blog"), ("/blog/", "/blog/"), ("/%62log//", "/blog/")] {
        assert_eq!(Chosen::prefix(prefix), Ok(Chosen::Prefix(expected.into())), "{prefix}");
    }
    assert!(refusal(Chosen::prefix("blog")).contains("begins with a slash"));
}

/// `"/${section}"` of a script is not everything because a variable was empty.
#[test]
fn everything_is_named_by_its_name_alone() {
    let snapshot = snapshot();
    for prefix in ["//", "///", "/.", "/./", "/p/..", "/p/../", "/%2e", "/a/../b/.."] {
        assert_eq!(Chosen::prefix(prefix), Err(Choice::Emptied), "{prefix}");
    }
    for folder in ["//", "////"] {
        assert_eq!(Chosen::layout(folder, &snapshot), Err(Choice::Emptied), "{folder}");
    }
    for folder in ["/.", "/p/..", "/items/.."] {
        assert_eq!(Chosen::layout(folder, &snapshot), Err(Choice::UnknownLayout), "{folder}");
    }
    assert_eq!(Chosen::prefix("/"), Ok(Chosen::Prefix("/".into())));
    assert_eq!(Chosen::layout("/", &snapshot), Ok(Chosen::Layout("/".into())));
    assert_eq!(refusal(Chosen::prefix("//")), "less than everything; write `/`, or `all`, if everything is meant");
}

#[test]
fn tags_have_the_length_of_those_that_are_kept() {
    let longest = "\u{e9}".repeat(MAX_TAG_LENGTH);
    assert_eq!(Chosen::tag(&longest), Ok(Chosen::Tag(longest.as_str().into())));
    assert_eq!(Chosen::tag(&format!("{longest}x")), Err(Choice::LongTag));
    assert_eq!(Chosen::tag(""), Err(Choice::EmptyTag));
    // Whatever a route may put on its responses can be named.
    assert_eq!(Chosen::tag("a, b;c").map(|tag| tag.what()), Ok(What::Tag("a, b;c".into())));
}

#[test]
fn whole_routes_are_named_by_the_tag_of_their_page() {
    let snapshot = snapshot();
    for (pattern, tag) in [
        ("/", "_N_T_/route"),
        ("/items/[slug]", "_N_T_/items/[slug]/route"),
        ("/items/[slug]/", "_N_T_/items/[slug]/route"),
        ("/pages/[slug]", "_N_T_/pages/[slug]/page"),
        ("/docs/[[...rest]]", "_N_T_/docs/[[...rest]]/route"),
    ] {
        assert_eq!(
            Chosen::route(pattern, &snapshot).map(|chosen| chosen.what()),
            Ok(What::Tag(tag.into())),
            "{pattern}"
        );
    }
    let told = refusal(Chosen::route("/item/[slug]", &snapshot));
    assert!(told.ends_with("did you mean `/items/[slug]`?"), "{told}");
    assert!(Chosen::route("/items/a", &snapshot).is_err());
    assert_eq!(Chosen::route("/nothing/like/it", &snapshot), Err(Choice::UnknownRoute { nearest: None }));
}

#[test]
fn all_parameters_of_a_route_are_one_page() {
    let snapshot = snapshot();
    for (pattern, params, path) in [
        ("/items/[slug]", json!({ "slug": "a b" }), "/items/a%20b"),
        ("/items/[slug]", json!({ "slug": 7 }), "/items/7"),
        ("/docs/[[...rest]]", json!({ "rest": ["x", "y"] }), "/docs/x/y"),
        ("/docs/[[...rest]]", json!({}), "/docs"),
        ("/shop/[tag]/[...rest]", json!({ "tag": "t", "rest": ["a/b"] }), "/shop/t/a%2Fb"),
        ("/posts", json!({}), "/posts"),
    ] {
        let chosen = Chosen::page_of(pattern, &params, &snapshot);
        assert_eq!(chosen, Ok(Chosen::Path(path.into())), "{pattern} {params}");
    }
    for (pattern, params, expected) in [
        ("/items/[slug]", json!({}), "a text for `slug`"),
        ("/items/[slug]", json!({ "slug": ["a"] }), "a text for `slug`"),
        ("/items/[slug]", json!({ "slug": "" }), "a segment of a path"),
        ("/items/[slug]", json!({ "slug": "a", "page": 2 }), "an object with `slug`, without `page`"),
        ("/items/[slug]", json!("a"), "an object with `slug`"),
        ("/shop/[tag]/[...rest]", json!({ "tag": "t" }), "a list of texts for `rest` with at least one"),
        ("/shop/[tag]/[...rest]", json!({ "rest": ["a"] }), "a text for `tag`"),
        ("/posts", json!({ "slug": "a" }), "none, because the route has none"),
        ("/item/[slug]", json!({ "slug": "a" }), "did you mean `/items/[slug]`?"),
    ] {
        let told = refusal(Chosen::page_of(pattern, &params, &snapshot));
        assert!(told.contains(expected) && !told.contains("entry"), "{pattern} {params}: {told}");
    }
}

#[test]
fn layouts_are_folders_of_routes() {
    let snapshot = snapshot();
    for (folder, tag) in [
        ("/", "_N_T_/layout"),
        ("/items", "_N_T_/items/layout"),
        ("/items/", "_N_T_/items/layout"),
        ("/items/[slug]", "_N_T_/items/[slug]/layout"),
        ("/shop/[tag]", "_N_T_/shop/[tag]/layout"),
    ] {
        assert_eq!(
            Chosen::layout(folder, &snapshot).map(|chosen| chosen.what()),
            Ok(What::Tag(tag.into())),
            "{folder}"
        );
    }
    for folder in ["/item", "/items/a", "/nothing"] {
        assert_eq!(Chosen::layout(folder, &snapshot), Err(Choice::UnknownLayout), "{folder}");
    }
    assert_eq!(Chosen::layout("items", &snapshot), Err(Choice::NotAPath));
}

#[test]
fn each_is_told_by_its_kind_and_name() {
    let snapshot = snapshot();
    for (chosen, told) in [
        (Chosen::tag("a\nb"), "tag a\\nb"),
        (Chosen::path("/a/", &snapshot), "path /a"),
        (Chosen::prefix("/a/"), "prefix /a/"),
        (Chosen::route("/items/[slug]", &snapshot), "route /items/[slug]"),
        (Chosen::layout("/items", &snapshot), "layout /items"),
        (Ok(Chosen::Everything), "all"),
    ] {
        assert_eq!(chosen.map(|chosen| chosen.to_string()), Ok(told.to_owned()));
    }
}
