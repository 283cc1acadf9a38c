use super::{Entry, MOST_PARAMS, Window, sort};
use crate::config::{Dynamic, Kind, Param};
use crate::import::yaml::Yaml;

fn written(entry: &Entry) -> String {
    let mut yaml = Yaml::default();
    entry.write(&mut yaml);
    yaml.finish()
}

/// The order in which Next.js matches, whatever the order of the files.
#[test]
fn the_most_specific_comes_first() {
    let order = ["/", "/a", "/a/b", "/a/b/[...c]", "/a/[b]", "/a/[b]/c", "/b", "/[a]", "/[a]/b", "/[...a]", "no path"];
    let mut entries: Vec<Entry> = order.iter().rev().map(|path| Entry::new(*path, Kind::Handler)).collect();
    sort(&mut entries);
    let sorted: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(sorted, order);
}

#[test]
fn an_item_says_what_is_known() {
    let whole = Entry {
        path: "/[[...x]]".to_owned(),
        notes: vec!["A note.\nNot a line of its own".to_owned()],
        kind: Kind::Page,
        methods: Some(vec!["GET", "POST"]),
        dynamic: Dynamic::Error,
        revalidate: Window::Seconds(60),
        ignores_query: true,
        expire: Some(3600),
        params: Some(vec![vec![], vec![("x".to_owned(), Param::Many(vec!["a".to_owned(), "1".to_owned()]))]]),
        closed: true,
        fetch_cache: Some("force-cache".to_owned()),
        max_duration: Some(5),
        regions: vec!["global".to_owned()],
        runtime: Some("nodejs".to_owned()),
        tags: vec!["a b".to_owned()],
    };
    let expected = "  \
  # A note.\\nNot a line of its own
  - path: /[[...x]]
    kind: page
    methods: [GET, POST]
    dynamic: error
    revalidate: 60
    expire: 3600
    query: ignore
    fetch_cache: force-cache
    max_duration: 5
    runtime: nodejs
    preferred_region: global
    tags: [\"a b\"]
    params:
      - {}
      - { x: [a, \"1\"] }
    dynamic_params: false
";
    assert_eq!(written(&whole), expected);
    assert_eq!(written(&Entry::new("/a b", Kind::Handler)), "  - path: \"/a b\"  # dynamic\n");
    let left_out = written(&Entry::new("/a?b", Kind::Handler));
    assert!(left_out.starts_with("  # Left out: /a?b. A path of the gateway is "), "{left_out}");
}

/// Where the handler's word counts the configuration wants no kind, and of parameters only those of the path.
#[test]
fn what_the_configuration_refuses_is_not_written() {
    let origin = Entry { revalidate: Window::Origin, ..Entry::new("/[id]", Kind::Page) };
    assert_eq!(written(&origin), "  - path: /[id]\n    revalidate: origin\n");
    let object = |name: &str| vec![(name.to_owned(), Param::One("a".to_owned()))];
    let partial = Entry { params: Some(vec![object("other"), object("id")]), ..Entry::new("/[id]", Kind::Handler) };
    let text = written(&partial);
    assert!(text.starts_with("  # 1 of its params are left out: they are not an object with `id`"), "{text}");
    assert!(text.ends_with("    params:\n      - { id: a }\n"), "{text}");
}

/// Without its list of parameters, `dynamic_params: false` would refuse every path.
#[test]
fn long_lists_of_parameters_are_not_listed() {
    let object = || vec![("id".to_owned(), Param::One("a".to_owned()))];
    for (count, listed) in [(MOST_PARAMS, true), (MOST_PARAMS + 1, false)] {
        let params = Some((0..count).map(|_| object()).collect());
        let entry = Entry { params, closed: true, ..Entry::new("/[id]", Kind::Handler) };
        let text = written(&entry);
        assert_eq!(text.contains("\n    dynamic_params: false"), listed, "{count}");
        assert_eq!(text.contains("1001 paths are rendered ahead"), !listed, "{count}");
    }
}
