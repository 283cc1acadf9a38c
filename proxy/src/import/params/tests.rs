use super::{Params, check, is_dynamic, params_of};
use crate::config::{Param, RoutePattern};

fn one(name: &str, value: &str) -> (String, Param) {
    (name.to_owned(), Param::One(value.to_owned()))
}

fn many(name: &str, values: &[&str]) -> (String, Param) {
    (name.to_owned(), Param::Many(values.iter().map(|value| (*value).to_owned()).collect()))
}

/// Paths as Next.js 16.2.2 wrote them into its manifest, and the parameters that they were made of.
#[test]
fn paths_give_back_their_parameters() {
    let table: [(&str, &str, Option<Params>); 16] = [
        ("/blog/[slug]", "/blog/two words", Some(vec![one("slug", "two words")])),
        ("/uni/[name]", "/uni/grün", Some(vec![one("name", "grün")])),
        ("/uni/[name]", "/uni/a%2Fb", Some(vec![one("name", "a/b")])),
        ("/uni/[name]", "/uni/100%", Some(vec![one("name", "100%")])),
        ("/uni/[name]", "/uni/a%252Fb", Some(vec![one("name", "a%2Fb")])),
        ("/uni/[name]", "/uni/a%255cb%20", Some(vec![one("name", "a%5cb%20")])),
        (
            "/closed/[lang]/[slug]",
            "/closed/en/it's \"q\" %231",
            Some(vec![one("lang", "en"), one("slug", "it's \"q\" #1")]),
        ),
        ("/docs/[...parts]", "/docs/c d/é%2Fx", Some(vec![many("parts", &["c d", "é/x"])])),
        ("/opt/[[...rest]]", "/opt", Some(vec![])),
        ("/opt/[[...rest]]", "/opt/x%3Fy", Some(vec![many("rest", &["x?y"])])),
        ("/[[...rest]]", "/", Some(vec![])),
        ("/[lang]/about", "/de/about", Some(vec![one("lang", "de")])),
        ("/[lang]/about", "/de/other", None),
        ("/docs/[...parts]", "/docs", None),
        ("/blog/[slug]", "/blog/a/b", None),
        ("/blog/[slug]", "/blog", None),
    ];
    for (route, path, expected) in table {
        assert_eq!(params_of(route, path), expected, "{route} {path}");
    }
}

#[test]
fn brackets_around_a_segment_make_it_dynamic() {
    for (route, expected) in [("/", false), ("/a", false), ("/a/[b]/c", true), ("/[[...a]]", true), ("/a[b]", false)] {
        assert_eq!(is_dynamic(route), expected, "{route}");
    }
}

/// What the configuration would refuse: the rest of a parent's parameters, and segments that no path can have.
#[test]
fn the_configuration_takes_what_is_right() {
    for (route, params, expected) in [
        ("/[id]", vec![one("id", "a b")], true),
        ("/[id]", vec![one("id", "..")], false),
        ("/[id]", vec![one("id", "")], false),
        ("/[id]", vec![], false),
        ("/[lang]/[id]", vec![one("id", "a")], false),
        ("/[id]", vec![one("id", "a"), one("other", "b")], false),
        ("/[...id]", vec![one("id", "a")], false),
        ("/[[...id]]", vec![], true),
    ] {
        let pattern = RoutePattern::parse(route).unwrap();
        assert_eq!(check(&params, &pattern).is_ok(), expected, "{route} {params:?}");
    }
}
