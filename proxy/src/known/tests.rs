//! Which paths are answered where only those that are known are.

use super::{Admitted, Known, Others};
use crate::config::{KnownParams, RoutePattern};

fn pattern() -> RoutePattern {
    RoutePattern::parse("/items/[slug]").unwrap()
}

#[test]
fn a_path_is_answered_when_it_is_known_in_any_spelling() {
    let listed = ["/items/a", "/items/a+b", "/items/a%2Fb", "/items/%C3%A9"].map(str::to_owned).to_vec();
    let known = Known::new(KnownParams::Listed(listed.clone()), pattern(), Others::NotFound);
    let cases = [
        ("/items/a", Admitted::Yes),
        ("/items/A", Admitted::No),
        ("/items/b", Admitted::No),
        ("/items/a+b", Admitted::Yes),
        ("/items/a%2Bb", Admitted::Yes),
        ("/items/a%2Fb", Admitted::Yes),
        ("/items/a/b", Admitted::No),
        ("/items/%C3%A9", Admitted::Yes),
        ("/items/%FF", Admitted::No),
    ];
    for (path, expected) in cases {
        assert_eq!(known.admits(path), expected, "{path}");
    }
    // What is spelled in the pattern is spelled so in its paths.
    let encoded = RoutePattern::parse("/st/w%21/[x]").unwrap();
    let spelled = Known::new(KnownParams::Listed(vec!["/st/w%21/z!".to_owned()]), encoded, Others::NotFound);
    for (path, expected) in
        [("/st/w%21/z!", Admitted::Yes), ("/st/w%21/z%21", Admitted::Yes), ("/st/w!/z!", Admitted::No)]
    {
        assert_eq!(spelled.admits(path), expected, "{path}");
    }
    let open = Known::new(KnownParams::Listed(listed), pattern(), Others::Answered);
    assert_eq!(open.admits("/items/b"), Admitted::Yes);
}

#[test]
fn what_the_upstream_lists_takes_effect_whole_or_not_at_all() {
    let source = KnownParams::Asked { url: "/api/params".to_owned(), every: None };
    let known = Known::new(source, pattern(), Others::NotFound);
    assert_eq!(known.admits("/items/a"), Admitted::NotYet);
    assert_eq!(known.learn(r#"[{"slug":"a"},{"slug":"b"}]"#).unwrap(), ["/items/a", "/items/b"]);
    assert_eq!((known.admits("/items/a"), known.admits("/items/c")), (Admitted::Yes, Admitted::No));
    for broken in ["", "{}", "null", r#"[{"slug":"c"},{"other":"d"}]"#, r#"[{"slug":["c"]}]"#, r#"["c"]"#] {
        assert!(known.learn(broken).is_err(), "{broken}");
        assert_eq!((known.admits("/items/b"), known.admits("/items/c")), (Admitted::Yes, Admitted::No), "{broken}");
    }
    // Only what is new is told.
    assert_eq!(known.learn(r#"[{"slug":"b"},{"slug":"c"}]"#).unwrap(), ["/items/c"]);
    assert_eq!(known.learn("[]").unwrap(), [""; 0]);
    assert_eq!(known.admits("/items/a"), Admitted::No);
}
