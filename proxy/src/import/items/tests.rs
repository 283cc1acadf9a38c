use super::write;
use crate::config::{self, Kind};
use crate::import::route::{Entry, Window};
use crate::import::yaml::Yaml;

/// The routes as they are written, which the configuration accepts, and the paths that it has of them.
fn written(entries: &[Entry]) -> (String, Vec<String>) {
    let mut yaml = Yaml::default();
    write(entries, &mut yaml);
    let text = yaml.finish();
    let whole = format!("upstreams: {{ next: {{ servers: [\"127.0.0.1:3000\"] }} }}\n{text}");
    let config =
        config::parse(&whole, "config.yaml", &|_: &str| None).unwrap_or_else(|error| panic!("{error}\n{text}"));
    (text, config.routes.iter().map(|route| route.pattern.to_string()).collect())
}

fn bare(path: &str) -> Entry {
    Entry::new(path, Kind::Handler)
}

/// Paths that are written in this order, and those that clash with one before them. Next.js builds none of these.
#[test]
fn of_routes_that_clash_the_first_stays() {
    for (paths, refused) in [
        (&["/a", "/b/[id]", "/[id]"][..], &[][..]),
        (&["/[id]", "/[slug]"], &["/[slug]"]),
        (&["/[id]", "/[slug]/a", "/[slug]/b", "/[id]/c"], &["/[slug]/a", "/[slug]/b"]),
        (&["/z", "/z/[[...opt]]"], &["/z/[[...opt]]"]),
        (&["/a/[...x]", "/a/[[...x]]", "/z"], &["/a/[[...x]]"]),
        (&["/a", "/a"], &["/a"]),
    ] {
        let entries: Vec<Entry> = paths.iter().map(|path| bare(path)).collect();
        let (text, taken) = written(&entries);
        assert_eq!(taken.len() + refused.len(), paths.len(), "{text}");
        for path in refused {
            assert!(text.contains(&format!("\n  # - path: {path}  # dynamic\n")), "{text}");
        }
        assert_eq!(text.matches("# Left out: found `/").count(), refused.len(), "{text}");
        assert!(!text.contains("(line"), "{text}");
    }
}

/// What the configuration refuses, and its neighbours, which it does not.
#[test]
fn what_is_refused_is_a_comment_with_the_problem() {
    let whole = Entry { revalidate: Window::Seconds(60), expire: Some(0), closed: true, ..bare("/[id]") };
    let refused = Entry { notes: vec!["A note.".to_owned()], ..whole };
    let (text, taken) = written(&[bare("/a"), refused.clone(), bare("/[slug]"), bare("/a b/?")]);
    assert_eq!(taken, ["/a", "/[slug]"]);
    let comment = "\n  # - path: /[id]\n  #   revalidate: 60\n  #   expire: 0\n";
    assert!(text.contains("\n  # Left out: expire: found `0`, expected "), "{text}");
    assert!(text.contains("\n  # A note.\n") && text.contains(comment), "{text}");
    let (text, taken) = written(&[refused]);
    assert!(taken.is_empty() && text.starts_with("routes: []\n"), "{text}");
    assert_eq!(written(&[]).0, "routes: []\n");
}
