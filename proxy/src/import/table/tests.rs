use super::Table;
use crate::import::build::Build;
use crate::import::route::{Entry, Window};

/// The table of these rows of `app-path-routes-manifest.json` and the other manifests.
fn table(paths: &[(&str, &str)], manifests: &serde_json::Value) -> Table {
    let read = |key: &str| manifests.get(key).cloned().unwrap_or_else(|| serde_json::json!({}));
    let versioned = |key: &str| {
        let mut json = read(key);
        json["version"] = 1.into();
        json
    };
    let build = Build {
        app_paths: paths.iter().map(|(key, path)| ((*key).to_owned(), (*path).to_owned())).collect(),
        routes: serde_json::from_value(versioned("routes")).unwrap(),
        prerender: serde_json::from_value(versioned("prerender")).unwrap(),
        functions: serde_json::from_value(versioned("functions")).unwrap(),
        middleware: serde_json::from_value(versioned("middleware")).unwrap(),
        id: None,
    };
    Table::read(&build)
}

/// The one entry of a dynamic handler of which this was built.
fn built(routes: &serde_json::Value) -> Entry {
    let dynamic = serde_json::json!({ "/[id]": { "fallback": null } });
    let manifests = serde_json::json!({ "prerender": { "routes": routes, "dynamicRoutes": dynamic } });
    let mut table = table(&[("/[id]/route", "/[id]")], &manifests);
    assert_eq!(table.entries.len(), 1);
    table.entries.remove(0)
}

#[test]
fn the_base_path_stands_before_every_path() {
    let manifests = serde_json::json!({
        "routes": { "basePath": "/base" },
        "prerender": { "routes": { "/": { "initialRevalidateSeconds": 5, "srcRoute": "/" } } },
    });
    let table = table(&[("/page", "/"), ("/(g)/a/route", "/a"), ("/b/page", "/b")], &manifests);
    let paths: Vec<&str> = table.entries.iter().map(|entry| entry.path.as_str()).collect();
    // A page that is not kept is there as well: a broader route must not keep it.
    assert_eq!(paths, ["/base", "/base/a", "/base/b"]);
    assert!(!table.entries[2].is_cached());
    assert_eq!(table.paths, ["/base/a", "/base/b", "/base"]);
}

#[test]
fn windows_are_the_shortest_that_was_built() {
    let built_as = |windows: &[(serde_json::Value, serde_json::Value)]| {
        let routes: serde_json::Map<String, serde_json::Value> = windows
            .iter()
            .enumerate()
            .map(|(place, (window, expire))| {
                let one = serde_json::json!({
                    "initialRevalidateSeconds": window, "initialExpireSeconds": expire, "srcRoute": "/[id]",
                });
                (format!("/{place}"), one)
            })
            .collect();
        let entry = built(&routes.into());
        (entry.revalidate, entry.expire, entry.notes.len())
    };
    let null = serde_json::Value::Null;
    for (windows, expected) in [
        (vec![], (Window::Origin, None, 1)),
        (vec![(60.into(), 3600.into())], (Window::Seconds(60), Some(3600), 0)),
        (vec![(false.into(), null.clone())], (Window::Forever, None, 0)),
        (vec![(false.into(), null.clone()), (9.into(), 90.into())], (Window::Seconds(9), Some(90), 1)),
        // Expired before the window ends: the configuration refuses that.
        (vec![(60.into(), 30.into())], (Window::Seconds(60), None, 1)),
        // So is nothing at all.
        (vec![(false.into(), 0.into())], (Window::Forever, None, 1)),
        (vec![(0.into(), 0.into())], (Window::Seconds(0), None, 0)),
        // Longer than the default of `cache.expire`.
        (vec![(40_000_000.into(), null.clone())], (Window::Seconds(40_000_000), Some(40_000_000), 0)),
        // What Next.js says for "never".
        (vec![(4_294_967_294_u32.into(), 4_294_967_294_u32.into())], (Window::Forever, None, 0)),
        (vec![(1e300.into(), (-1).into())], (Window::Forever, None, 0)),
        (vec![(0.into(), null)], (Window::Seconds(0), None, 0)),
    ] {
        assert_eq!(built_as(&windows), expected, "{windows:?}");
    }
}

#[test]
fn stored_headers_tell_what_the_gateway_does_otherwise() {
    for (headers, says) in [
        (serde_json::json!({ "cache-control": "private, max-age=1" }), "`Cache-Control: private`"),
        (serde_json::json!({ "Set-Cookie": ["a=1", "b=2"] }), "sets cookies"),
        (serde_json::json!({ "x-next-cache-tags": "_N_T_/a,a{b}" }), "further tags"),
    ] {
        let entry = built(&serde_json::json!({ "/1": { "srcRoute": "/[id]", "initialHeaders": headers } }));
        assert!(entry.notes.len() == 1 && entry.notes[0].contains(says), "{says}: {:?}", entry.notes);
    }
    let entry = built(
        &serde_json::json!({ "/1": { "srcRoute": "/[id]", "initialStatus": 404 }, "/2": { "srcRoute": "/[id]" } }),
    );
    assert!(entry.notes[0].starts_with("1 of its prerendered paths got the status 404"), "{:?}", entry.notes);
}

#[test]
fn tags_that_all_share_are_the_routes_own() {
    let tagged =
        |tags: &str| serde_json::json!({ "srcRoute": "/[id]", "initialHeaders": { "x-next-cache-tags": tags } });
    let entry = built(&serde_json::json!({ "/1": tagged("_N_T_/1,posts,post-1"), "/2": tagged("posts,_N_T_/2") }));
    assert_eq!((entry.tags, entry.notes.len()), (vec!["posts".to_owned()], 1));
}

#[test]
fn what_cannot_be_a_route_is_named() {
    let manifests = serde_json::json!({ "prerender": { "routes": {
        "/half": { "srcRoute": "/half", "renderingMode": "PARTIALLY_STATIC" },
        "/old": { "srcRoute": null },
    } } });
    let paths = [
        ("/half/page", "/half"),
        ("/feed/(..)photo/page", "/feed/(..)photo"),
        ("/@slot/shown/page", "/shown"),
        ("/shown/page", "/shown"),
        ("/_not-found/page", "/_not-found"),
    ];
    let table = table(&paths, &manifests);
    let dynamic: Vec<&str> = table.entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(dynamic, ["/half", "/shown"]);
    assert!(table.entries.iter().all(|entry| !entry.is_cached()), "{:?}", table.entries);
    assert!(table.entries[0].notes[0].starts_with("It is made for each visitor in part"));
    let starts: Vec<&str> = table.left_out.iter().filter_map(|reason| reason.split(' ').next()).collect();
    assert_eq!(starts, ["/feed/(..)photo/page", "/old"]);
    assert_eq!(table.paths, ["/shown", "/half"]);
}

/// What is in `pages/` is in no list of `app/`, and would fall to a broader route that keeps its answers.
#[test]
fn pages_of_the_older_router_are_routes_that_keep_nothing() {
    let manifests = serde_json::json!({
        "routes": {
            "basePath": "/base",
            "staticRoutes": [{ "page": "/legacy" }, { "page": "/built" }, { "page": "/a" }, { "page": "/_app" }],
            "dynamicRoutes": [{ "page": "/[slug]" }],
        },
        "prerender": { "routes": {
            "/built": { "initialRevalidateSeconds": 5 },
            "/one": { "initialRevalidateSeconds": 60, "srcRoute": "/[slug]" },
        } },
    });
    let table = table(&[("/a/route", "/a"), ("/[slug]/page", "/[slug]")], &manifests);
    let found: Vec<(&str, bool, usize)> =
        table.entries.iter().map(|entry| (entry.path.as_str(), entry.is_cached(), entry.notes.len())).collect();
    let expected =
        [("/base/a", false, 0), ("/base/built", false, 1), ("/base/legacy", false, 0), ("/base/[slug]", true, 0)];
    assert_eq!(found, expected);
    assert!(table.entries[3].ignores_query, "Next.js keeps it under its path alone");
}

#[test]
fn functions_say_durations_regions_and_runtimes() {
    let manifests = serde_json::json!({
        "functions": { "functions": { "/a": { "maxDuration": 7, "regions": "fra1", "runtime": "nodejs" }, "/b": { "maxDuration": 0 } } },
        "middleware": { "functions": { "/(g)/b/route": { "regions": ["iad1", "home"] } } },
    });
    let table = table(&[("/a/route", "/a"), ("/(g)/b/route", "/b")], &manifests);
    let found: Vec<_> = table
        .entries
        .iter()
        .map(|entry| (entry.max_duration, entry.regions.join(","), entry.runtime.as_deref()))
        .collect();
    assert_eq!(found, [(Some(7), "fra1".to_owned(), Some("nodejs")), (None, "iad1,home".to_owned(), Some("edge"))]);
}
