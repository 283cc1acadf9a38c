//! Which entries are wanted.

use evergate_cache::{MAX_ENTRIES, Selection, What};

use super::{USUAL, Wanted, WantedError};
use crate::config;
use crate::snapshot::Snapshot;

fn snapshot() -> Snapshot {
    let text = "upstreams: { demo: { builtin: demo } }
routes:
- { path: '/items/[slug]', revalidate: 1 }";
    Snapshot::new(&config::parse(text, "config.yaml", &|_: &str| None).unwrap(), None)
}

/// Names and values.
type Said<'a> = &'a [(&'a str, &'a str)];

fn read(parameters: Said<'_>) -> Result<Wanted, WantedError> {
    let owned = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Wanted::read(&owned.collect::<Vec<_>>(), &snapshot())
}

#[test]
fn everything_that_is_said_is_wanted() {
    let at = |what, upstream: Option<&str>| Selection { what, upstream: upstream.map(Box::from) };
    let cases: [(Said<'_>, Vec<Selection>, usize); 6] = [
        (&[], vec![], USUAL),
        (&[("limit", "7")], vec![], 7),
        (
            &[("prefix", "/a"), ("tag", "b")],
            vec![at(What::Prefix("/a".into()), None), at(What::Tag("b".into()), None)],
            USUAL,
        ),
        (&[("route", "/items/[slug]")], vec![at(What::Tag("_N_T_/items/[slug]/route".into()), None)], USUAL),
        (&[("upstream", "u")], vec![at(What::Everything, Some("u"))], USUAL),
        (
            &[("path", "/a"), ("upstream", "u")],
            vec![at(What::Path("/a".into()), Some("u")), at(What::Everything, Some("u"))],
            USUAL,
        ),
    ];
    for (parameters, selections, limit) in cases {
        assert_eq!(read(parameters), Ok(Wanted { selections, limit }), "{parameters:?}");
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    let beyond = (MAX_ENTRIES + 1).to_string();
    let cases: [(Said<'_>, WantedError); 9] = [
        (&[("route", "/items")], WantedError::Route("/items".to_owned())),
        (&[("tags", "a")], WantedError::Unknown("tags".to_owned())),
        (&[("tag", "a"), ("tag", "b")], WantedError::Twice("tag")),
        (&[("limit", "0")], WantedError::Limit),
        (&[("limit", "-1")], WantedError::Limit),
        (&[("limit", "all")], WantedError::Limit),
        (&[("limit", &beyond)], WantedError::Limit),
        (&[("prefix", "items")], WantedError::Path("prefix")),
        (&[("path", "")], WantedError::Path("path")),
    ];
    for (parameters, expected) in cases {
        assert_eq!(read(parameters), Err(expected), "{parameters:?}");
    }
}
