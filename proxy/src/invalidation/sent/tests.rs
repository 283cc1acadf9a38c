//! The fields of handlers: what each member means, and which are left out.

use std::time::Duration;

use evergate_cache::{Forgetting, MAX_TAG_LENGTH};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{MAX_NAMED, Sent, read};
use crate::config;
use crate::snapshot::Snapshot;

fn snapshot() -> Snapshot {
    let text = "upstreams: { demo: { builtin: demo } }
routes:
- { path: '/items/[slug]', revalidate: 1 }
- { path: /posts, revalidate: 1 }
- { path: '/blog/[id]', revalidate: 1, kind: page }";
    Snapshot::new(&config::parse(text, "config.yaml", &|_: &str| None).unwrap(), None)
}

fn of(name: &'static str, lines: &[&[u8]]) -> Sent {
    let mut fields = HeaderMap::new();
    for line in lines {
        fields.append(HeaderName::from_static(name), HeaderValue::from_bytes(line).unwrap());
    }
    read(&fields, &snapshot())
}

/// What is named, each with its mode, as the log tells it; and what is left out.
fn told(sent: &Sent) -> (Vec<String>, Vec<String>) {
    let mode = |mode: Forgetting| match mode {
        Forgetting::Stale => "stale".to_owned(),
        Forgetting::Delete => "delete".to_owned(),
        Forgetting::Expire(after) => format!("{after:?}"),
    };
    let named = sent.named.iter().map(|(how, chosen)| format!("{chosen} {}", mode(*how))).collect();
    (named, sent.skipped.iter().map(ToString::to_string).collect())
}

#[test]
fn tags_are_revalidated_as_by_revalidate_tag() {
    for (line, expected) in [
        ("posts", &["tag posts stale"][..]),
        ("posts, item:a,,  ,b", &["tag posts stale", "tag item:a stale", "tag b stale"]),
        ("posts;expire=0", &["tag posts delete"]),
        ("posts ; expire = 60 , b", &["tag posts 60s", "tag b stale"]),
        ("posts;expire=5m", &["tag posts 300s"]),
        ("two words", &["tag two words stale"]),
        ("caf\u{e9}", &["tag caf\u{e9} stale"]),
        ("", &[]),
    ] {
        let sent = of("x-revalidate-tag", &[line.as_bytes()]);
        assert_eq!(told(&sent), (expected.iter().map(|&named| named.to_owned()).collect(), vec![]), "{line}");
    }
}

#[test]
fn paths_are_revalidated_as_by_revalidate_path() {
    for (line, expected) in [
        ("/posts", &["path /posts delete"][..]),
        ("/posts/, //a/../b", &["path /posts delete", "path /b delete"]),
        ("/posts,/a", &["path /posts delete", "path /a delete"]),
        // A comma is a character of paths, as servers write them.
        ("/a,b, /c", &["path /a,b delete", "path /c delete"]),
        ("/a,", &["path /a delete"]),
        ("/a , , /b", &["path /a delete", "path /b delete"]),
        ("/items/[slug] page", &["route /items/[slug] delete"]),
        ("/blog/[id]  page, /posts page", &["route /blog/[id] delete", "route /posts delete"]),
        ("/items/a page", &["path /items/a delete"]),
        ("/ layout", &["layout / delete"]),
        ("/items layout, /blog/[id] layout", &["layout /items delete", "layout /blog/[id] delete"]),
        ("", &[]),
    ] {
        let sent = of("x-revalidate-path", &[line.as_bytes()]);
        assert_eq!(told(&sent), (expected.iter().map(|&named| named.to_owned()).collect(), vec![]), "{line}");
    }
}

#[test]
fn malformed_members_are_left_out_and_the_others_count() {
    let long = "a".repeat(MAX_TAG_LENGTH + 1);
    for (name, line, expected) in [
        ("x-revalidate-tag", "a;profile=max", "found `a;profile=max`, expected `expire=60` behind the semicolon"),
        ("x-revalidate-tag", "a;expire", "expected `expire=60` behind the semicolon"),
        ("x-revalidate-tag", "a;expire=1;expire=2", "expected `expire=60` behind the semicolon"),
        ("x-revalidate-tag", "a;expire=soon", "expected a duration"),
        ("x-revalidate-tag", "a;expire=-1", "expected a duration"),
        ("x-revalidate-tag", ";expire=1", "expected a tag of at least one character"),
        ("x-revalidate-tag", &long, "expected a tag of at most 256 characters"),
        ("x-revalidate-path", "posts", "found `posts`, expected a path that begins with a slash"),
        ("x-revalidate-path", "https://a.example/posts", "without scheme and host"),
        ("x-revalidate-path", "/posts?page=1", "it counts with every query"),
        ("x-revalidate-path", "/a%zz", "broken percent-encoding"),
        ("x-revalidate-path", "/items/[slug]", "this is a whole route"),
        ("x-revalidate-path", "/nothing/[x] page", "the path of a route as `evergate routes` tells it"),
        ("x-revalidate-path", "/none layout", "no route is below this one"),
        ("x-revalidate-path", "/posts route", "expected `page` or `layout` behind the path"),
        ("x-revalidate-path", "/posts layout page", "expected `page` or `layout` behind the path"),
    ] {
        let good: &[u8] = if name == "x-revalidate-tag" { b"good" } else { b"/good" };
        let (named, skipped) = told(&of(name, &[good, line.as_bytes(), good]));
        assert_eq!(named.len(), 2, "{line}");
        assert!(skipped.len() == 1 && skipped[0].contains(expected), "{line}: {skipped:?}");
        assert!(skipped[0].starts_with(&format!("{name}: found `")), "{skipped:?}");
    }
    let (named, skipped) = told(&of("x-revalidate-tag", &[b"a, b\xff, c"]));
    assert_eq!((named.len(), skipped.len()), (2, 1), "{skipped:?}");
    assert!(skipped[0].ends_with("expected UTF-8"), "{skipped:?}");
}

#[test]
fn one_answer_names_a_bounded_number() {
    let line = vec!["a"; MAX_NAMED + 3].join(",");
    let sent = of("x-revalidate-tag", &[line.as_bytes()]);
    assert_eq!((sent.named.len(), sent.skipped.len()), (MAX_NAMED, 3));
    assert!(sent.skipped[0].to_string().ends_with("expected at most 1024 things to be forgotten"));
}

#[test]
fn what_is_forgotten_alike_is_forgotten_together() {
    let by_mode = of("x-revalidate-tag", &[b"a, b;expire=60, c, d;expire=0, e;expire=60"]).by_mode();
    let told: Vec<(Forgetting, usize)> = by_mode.iter().map(|(mode, chosen)| (*mode, chosen.len())).collect();
    let expire = Forgetting::Expire(Duration::from_secs(60));
    assert_eq!(told, [(Forgetting::Stale, 2), (expire, 2), (Forgetting::Delete, 1)]);
}
