//! Orders as operators write them: what they mean, and what is said of those that are none.

use std::time::Duration;

use evergate_cache::{Count, Forgetting, Selection, What};
use serde_json::{Value, json};

use super::{MAX_CHOSEN, MAX_PROBLEMS, Order, OrderError};
use crate::config;
use crate::invalidation::Refresh;
use crate::snapshot::Snapshot;

fn snapshot() -> Snapshot {
    let text = "upstreams: { demo: { builtin: demo }, handlers: { servers: ['127.0.0.1:1'] } }
defaults: { upstream: demo }
routes: [{ path: '/items/[slug]', revalidate: 1 }, { path: /posts, revalidate: 1 }]";
    Snapshot::new(&config::parse(text, "config.yaml", &|_: &str| None).unwrap(), None)
}

fn read(body: &Value) -> Result<Order, OrderError> {
    Order::read(body.to_string().as_bytes(), &snapshot())
}

/// The problems of an order that has some.
fn problems(body: &str) -> Vec<String> {
    match Order::read(body.as_bytes(), &snapshot()) {
        Err(OrderError::Problems(problems)) => problems,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn everything_that_can_be_named_is_selected_in_order() {
    let body = json!({
        "tags": ["posts", "_N_T_/layout"],
        "paths": ["//posts/"],
        "prefixes": ["/blog/"],
        "routes": ["/items/[slug]", { "route": "/items/[slug]", "params": { "slug": "a" } }, { "route": "/posts" }],
        "layouts": ["/", "/items"],
        "all": true,
        "mode": "delete",
        "refresh": true,
        "upstream": "handlers",
    });
    let order = read(&body).unwrap();
    let invalidation = order.invalidation();
    assert_eq!((invalidation.mode, invalidation.refresh), (Forgetting::Delete, Refresh::AtOnce));
    let tag = |tag: &str| What::Tag(tag.into());
    let whats = [
        tag("posts"),
        tag("_N_T_/layout"),
        What::Path("/posts".into()),
        What::Prefix("/blog/".into()),
        tag("_N_T_/items/[slug]/route"),
        What::Path("/items/a".into()),
        tag("_N_T_/posts/route"),
        tag("_N_T_/layout"),
        tag("_N_T_/items/layout"),
        What::Everything,
    ];
    let expected = whats.map(|what| Selection { what, upstream: Some("handlers".into()) });
    assert_eq!(invalidation.selections(), expected);
    let told = json!({
        "mode": "delete", "refresh": true, "upstream": "handlers", "matched": { "count": 3, "exact": false },
        "selected": [
            { "tag": "posts" }, { "tag": "_N_T_/layout" }, { "path": "/posts" }, { "prefix": "/blog/" },
            { "route": "/items/[slug]" }, { "path": "/items/a" }, { "route": "/posts" }, { "layout": "/" },
            { "layout": "/items" }, { "all": true },
        ],
    });
    assert_eq!(order.answered(Count::AtMost(3)), told);
}

#[test]
fn what_is_left_out_is_as_in_next() {
    for body in [
        json!({ "tags": ["a"] }),
        json!({ "tags": ["a"], "paths": [], "routes": null, "all": false, "mode": null, "upstream": null, "refresh": null }),
    ] {
        let order = read(&body).unwrap();
        let invalidation = order.invalidation();
        assert_eq!((invalidation.mode, invalidation.refresh), (Forgetting::Stale, Refresh::WhenAsked));
        assert_eq!(invalidation.selections(), [Selection { what: What::Tag("a".into()), upstream: None }]);
    }
}

#[test]
fn there_are_three_modes() {
    let expire = |after: Duration| Forgetting::Expire(after);
    for (mode, expected, told) in [
        (json!("stale"), Forgetting::Stale, json!("stale")),
        (json!("delete"), Forgetting::Delete, json!("delete")),
        (json!({ "expire": 60 }), expire(Duration::from_secs(60)), json!({ "expire": 60 })),
        (json!({ "expire": "1h 30m" }), expire(Duration::from_secs(5400)), json!({ "expire": 5400 })),
        (json!({ "expire": 0.5 }), expire(Duration::from_millis(500)), json!({ "expire": 0.5 })),
        (json!({ "expire": 0 }), Forgetting::Delete, json!("delete")),
    ] {
        let order = read(&json!({ "all": true, "mode": mode })).unwrap();
        assert_eq!((order.invalidation().mode, &order.answered(Count::Exact(0))["mode"]), (expected, &told), "{mode}");
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let body = r#"{
        "tags": ["", "fine", 5, {}], "tag": ["a"], "paths": "/posts", "prefixes": ["blog"],
        "routes": ["/item/[slug]", { "route": "/items/[slug]", "params": {} }, { "path": "/a" }, 7],
        "layouts": ["/none"], "all": "yes", "mode": "soft", "refresh": 1, "upstream": "handler", "tags": [], "ttl": 5
    }"#;
    let expected = [
        "tag: found an unknown key, expected a known key: did you mean `tags`?",
        "ttl: found an unknown key, expected one of `tags`, `paths`, `prefixes`, `routes`, `layouts`, `all`, `mode`, \
         `refresh`, `upstream`",
        "tags: found the key again, expected each key once",
        "tags[0]: found ``, expected a tag of at least one character",
        "tags[2]: found `5`, expected a text",
        "tags[3]: found `{}`, expected a text",
        "paths: found `/posts`, expected a list of texts",
        "prefixes[0]: found `blog`, expected a path that begins with a slash (`/posts`), without scheme and host: it counts \
         for every host",
        "routes[0]: found `/item/[slug]`, expected the path of a route as `evergate routes` tells it, `/items/[slug]` say: did you mean \
         `/items/[slug]`?",
        "routes[1]: found `{\"params\":{},\"route\":\"/items/[slug]\"}`, expected parameters that make one path of the route: \
         a text for `slug`",
        "routes[2]: found `{\"path\":\"/a\"}`, expected a route (`\"/items/[slug]\"`), or a page of it (`{\"route\": \
         \"/items/[slug]\", \"params\": {\"slug\": \"a\"}}`)",
        "routes[3]: found `7`, expected a route (`\"/items/[slug]\"`), or a page of it (`{\"route\": \"/items/[slug]\", \
         \"params\": {\"slug\": \"a\"}}`)",
        "layouts[0]: found `/none`, expected `/`, or a folder of the configuration's routes (`/api`, `/items/[slug]`); no \
         route is below this one",
        "all: found `yes`, expected `true` or `false`",
        "refresh: found `1`, expected `true` or `false`",
        "mode: found `soft`, expected `stale`, `delete` or `{\"expire\": \"5m\"}`",
        "upstream: found `handler`, expected the name of an upstream: did you mean `handlers`?",
    ];
    let told = problems(body);
    assert_eq!(told, expected, "{told:#?}");
}

#[test]
fn a_mode_that_is_none_is_told() {
    for (mode, expected) in [
        (json!({ "expire": "soon" }), "mode.expire: found `soon`, expected a duration (60, \"5m\", \"1h 30m\")"),
        (json!({ "expire": -1 }), "mode.expire: found `-1`, expected a duration (60, \"5m\", \"1h 30m\")"),
        (json!({ "expire": "200y" }), "mode.expire: found `200y`, expected at most 100 years"),
        (json!({ "expire": null }), "mode.expire: found `null`, expected a duration (60, \"5m\", \"1h 30m\")"),
        (json!({}), "mode: found `{}`, expected `stale`, `delete` or `{\"expire\": \"5m\"}`"),
        (json!({ "expire": 1, "x": 1 }), "expected `stale`, `delete` or"),
        (json!("Delete"), "expected `stale`, `delete` or"),
        (json!(60), "expected `stale`, `delete` or"),
    ] {
        let told = problems(&json!({ "all": true, "mode": mode }).to_string());
        assert!(told.len() == 1 && told[0].contains(expected), "{mode}: {told:?}");
    }
}

#[test]
fn an_order_that_selects_nothing_is_a_mistake() {
    for body in ["{}", r#"{"tags": [], "all": false}"#, r#"{"mode": "delete"}"#] {
        let told = problems(body);
        assert!(told.len() == 1 && told[0].contains("found nothing that is to be forgotten"), "{body}: {told:?}");
    }
}

#[test]
fn what_is_no_object_is_told_apart() {
    let refused = |body: &str| Order::read(body.as_bytes(), &snapshot()).expect_err("it is none");
    for body in ["[]", "\"posts\"", "5", "null", "true"] {
        assert_eq!(refused(body), OrderError::NotAnObject, "{body}");
    }
    for body in
        ["", "posts", "{\"tags\": [}", "{\"tags\": [\"a\"]", "{\"tags\": [\"a\"]} {}", "{'tags': []}", "\u{feff}{}"]
    {
        assert!(matches!(refused(body), OrderError::NotJson(_)), "{body}");
    }
    assert!(matches!(Order::read(b"{\"tags\": [\"\xff\"]}", &snapshot()), Err(OrderError::NotJson(_))));
    let deep = format!("{{\"tags\": {}", "[".repeat(10_000));
    assert!(matches!(refused(&deep), OrderError::NotJson(_)));
}

#[test]
fn orders_and_what_is_said_of_them_have_limits() {
    let tags = |count: usize| json!({ "tags": (0..count).map(|tag| tag.to_string()).collect::<Vec<_>>() });
    assert_eq!(read(&tags(MAX_CHOSEN)).unwrap().invalidation().chosen.len(), MAX_CHOSEN);
    let told = problems(&tags(MAX_CHOSEN + 1).to_string());
    assert_eq!(
        told,
        [format!("found {} things that are to be forgotten, expected at most {MAX_CHOSEN}", MAX_CHOSEN + 1)]
    );
    let many = json!({ "tags": vec![""; MAX_PROBLEMS + 5] });
    let told = problems(&many.to_string());
    assert_eq!((told.len(), told[MAX_PROBLEMS].as_str()), (MAX_PROBLEMS + 1, "and 5 more"));
    let long = problems(&json!({ "paths": ["x".repeat(100_000)] }).to_string());
    assert!(long[0].len() < 300, "{}", long[0]);
}
