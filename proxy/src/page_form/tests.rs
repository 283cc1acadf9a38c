//! What the router of Next.js asks for, by its fields.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::PageForm;

type Lines = &'static [(&'static str, &'static str)];

fn form(lines: Lines) -> Option<PageForm> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    PageForm::of(&headers)
}

#[test]
fn forms_are_told_apart_by_what_next_tells_them_apart() {
    const PREFETCH: Lines = &[("rsc", "1"), ("next-router-prefetch", "1"), ("next-router-segment-prefetch", "/_tree")];
    let cases: [(Lines, Option<&str>); 9] = [
        (&[], None),
        (&[("accept", "text/html"), ("next-router-state-tree", "x"), ("next-url", "/a")], None),
        (&[("rsc", "")], None),
        (&[("rsc", "1")], Some("1\n\n")),
        // Whatever it says, and however often.
        (&[("rsc", "0")], Some("1\n\n")),
        (&[("rsc", "x"), ("rsc", "y")], Some("1\n\n")),
        (&[("next-router-prefetch", "1")], Some("\n1\n")),
        (&[("next-router-segment-prefetch", "/_tree")], Some("\n\n/_tree")),
        (PREFETCH, Some("1\n1\n/_tree")),
    ];
    for (lines, expected) in cases {
        let form = form(lines);
        assert_eq!(
            form.as_ref().map(|form| String::from_utf8(form.key.clone()).unwrap()).as_deref(),
            expected,
            "{lines:?}"
        );
        let forwarded = form.map_or(0, |form| form.fields.len());
        let said = expected.map_or(0, |key| key.split('\n').filter(|part| !part.is_empty()).count());
        assert_eq!(forwarded, said, "{lines:?}");
    }
}
