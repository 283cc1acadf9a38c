//! The tags of a response, by its path, its route and its handler.

use evergate_cache::MAX_TAG_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::{Tagger, by_page, by_path, layout_tag, pathname, sent, told};
use crate::config::{DownstreamTags, Kind, Param};

#[test]
fn next_implies_tags_by_page_and_path() {
    let rows: Value = serde_json::from_str(include_str!("../../../tests/vectors/implicit_tags.json")).unwrap();
    let rows = rows.as_array().unwrap();
    assert!(rows.len() >= 7, "the rows are there");
    for row in rows {
        let text = |name: &str| row["input"][name].as_str().unwrap();
        let expected: Vec<&str> = row["expect"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
        let by_page = by_page(text("page"));
        let by_path = by_path(&by_page, text("pathname"));
        assert_eq!([by_page, by_path].concat(), expected, "{row}");
    }
}

#[test]
fn a_route_names_its_page_as_next_does() {
    let tags = |pattern: &str, kind, path: &str| {
        let tags = Tagger::new(pattern, kind, Vec::new()).tags(path, &[], &[]);
        tags.iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(tags("/", Kind::Handler, "/"), ["_N_T_/layout", "_N_T_/route", "_N_T_/", "_N_T_/index"]);
    assert_eq!(
        tags("/about", Kind::Page, "/about"),
        ["_N_T_/layout", "_N_T_/about/layout", "_N_T_/about/page", "_N_T_/about"]
    );
    let expected =
        ["_N_T_/layout", "_N_T_/a/layout", "_N_T_/a/[b]/layout", "_N_T_/a/[b]/route", "_N_T_/a/\u{4f60} %2F"];
    assert_eq!(tags("/a/[b]", Kind::Handler, "/a/%E4%BD%A0%20%2F"), expected);
}

#[test]
fn whole_routes_and_layouts_are_named_by_tags_of_their_pages() {
    for (pattern, kind, path, route) in [
        ("/", Kind::Handler, "/", "_N_T_/route"),
        ("/about", Kind::Page, "/about", "_N_T_/about/page"),
        ("/api/[id]", Kind::Handler, "/api/1", "_N_T_/api/[id]/route"),
        ("/docs/[[...rest]]", Kind::Page, "/docs", "_N_T_/docs/[[...rest]]/page"),
    ] {
        let tagger = Tagger::new(pattern, kind, Vec::new());
        assert_eq!(tagger.whole_route(), route);
        let tags = tagger.tags(path, &[], &[]);
        let has = |wanted: &str| tags.iter().any(|tag| tag == wanted);
        assert!(has(route), "{pattern}");
        for layout in ["/", "/about", "/api", "/api/[id]", "/ap", "/docs", "/docs/[[...rest]]", "/docs/a"] {
            assert_eq!(tagger.is_under(layout), has(&layout_tag(layout)), "{pattern} under {layout}");
        }
    }
    assert_eq!((layout_tag("/"), layout_tag("/api")), ("_N_T_/layout".to_owned(), "_N_T_/api/layout".to_owned()));
    let under = |pattern: &str, layout: &str| Tagger::new(pattern, Kind::Handler, Vec::new()).is_under(layout);
    assert!(under("/api/[id]", "/") && under("/api/[id]", "/api") && under("/api/[id]", "/api/[id]"));
    assert!(!under("/api/[id]", "/ap") && !under("/apis", "/api") && !under("/", "/api"));
}

#[test]
fn what_the_pattern_implies_is_there_whatever_its_length() {
    let folder = "a".repeat(301);
    let pattern = format!("/{folder}/[id]");
    let tagger = Tagger::new(&pattern, Kind::Page, Vec::new());
    let long = "x".repeat(MAX_TAG_LENGTH);
    let tags = tagger.tags(&format!("/{folder}/1"), &[], &[format!("{long}x"), "sent".to_owned()]);
    let told: Vec<&str> = tags.iter().collect();
    let layouts = [layout_tag("/"), layout_tag(&format!("/{folder}")), layout_tag(&pattern)];
    let expected = [&layouts[0], &layouts[1], &layouts[2], &tagger.whole_route(), "sent"];
    // The tags of the path and of the handler have their limit.
    assert_eq!((told, tags.cut()), (expected.to_vec(), 2));
}

#[test]
fn a_path_is_written_as_people_write_it() {
    let cases = [("/", "/"), ("/a/b", "/a/b"), ("/a%20b", "/a b"), ("/a%2Fb", "/a%2Fb"), ("/%C3%A9/x", "/\u{e9}/x")];
    for (path, expected) in cases {
        assert_eq!(pathname(path), expected);
    }
}

#[test]
fn handlers_send_tags_in_three_fields() {
    let mut fields = HeaderMap::new();
    for (name, value) in [
        ("cache-tag", "posts, item:a,,"),
        ("cache-tag", "second"),
        ("surrogate-key", "key1  key2"),
        ("x-next-cache-tags", "_N_T_/layout,_N_T_/posts"),
        ("x-other", "no"),
    ] {
        fields.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let expected = ["posts", "item:a", "second", "key1", "key2", "_N_T_/layout", "_N_T_/posts"];
    assert_eq!(sent(&fields), expected);
}

#[test]
fn parameters_are_filled_in() {
    let settings = "upstreams: { demo: { builtin: demo } }
routes: [{ path: '/shop/[tag]/[...rest]', revalidate: 1, tags: [shop, 'tag:{tag}', '{tag}-{rest}!'] }]";
    let config = crate::config::parse(settings, "config.yaml", &|_: &str| None).unwrap();
    let params = [
        ("tag".to_owned(), Param::One("a b".to_owned())),
        ("rest".to_owned(), Param::Many(vec!["x".to_owned(), "y".to_owned()])),
    ];
    let filled: Vec<String> = config.routes[0].tags.iter().map(|template| template.fill(&params)).collect();
    assert_eq!(filled, ["shop", "tag:a b", "a b-x/y!"]);
}

#[test]
fn caches_in_front_are_told_of_tags_in_one_field() {
    let tell = |form, tags: &[&str]| {
        told(form, tags.iter().copied())
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
    };
    let cases: [(&[&str], &str, &str); 3] = [
        (&["a", "b c", "d,e", "\u{e9}"], "cache-tag: a,b c,\u{e9}", "surrogate-key: a d,e \u{e9}"),
        (&["a\r\nx: y", "\0", "b"], "cache-tag: b", "surrogate-key: b"),
        (&["one"], "cache-tag: one", "surrogate-key: one"),
    ];
    for (tags, commas, spaces) in cases {
        assert_eq!(tell(DownstreamTags::CacheTag, tags).as_deref(), Some(commas));
        assert_eq!(tell(DownstreamTags::SurrogateKey, tags).as_deref(), Some(spaces));
    }
    assert_eq!(tell(DownstreamTags::CacheTag, &[]), None);
    assert_eq!(tell(DownstreamTags::SurrogateKey, &["a b"]), None);
    let many: Vec<String> = (0..128).map(|number| format!("{number:0>256}")).collect();
    let (_, value) = told(DownstreamTags::CacheTag, many.iter().map(String::as_str)).unwrap();
    assert_eq!((value.len(), 16 * 1024), (63 * 257 - 1, 16_384));
    assert!(value.as_bytes().ends_with(b"62"));
}
