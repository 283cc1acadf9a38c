//! Which groups a field lists, and which responses an invalidation of groups reaches.

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::{CACHE_GROUPS, Groups, MAX_GROUP_NAME, MAX_GROUPS};
use crate::Fields;

fn fields(lines: &[&str]) -> Fields {
    lines.iter().map(|line| (CACHE_GROUPS, HeaderValue::from_bytes(line.as_bytes()).unwrap())).collect()
}

/// Groups of the site `a`.
fn groups(lines: &[&str]) -> Groups {
    Groups::of(&fields(lines), &CACHE_GROUPS, b"a ")
}

fn names(groups: &Groups) -> Vec<String> {
    groups.0.iter().map(|group| String::from_utf8(group.to_vec()).unwrap()).collect()
}

/// `Cache-Groups` is a List of Strings (RFC 9875 section 2, RFC 9651 sections 3.1 and 3.3.3).
#[test]
fn the_groups_that_a_field_lists() {
    let cases: [(&[&str], &[&str]); 20] = [
        (&[], &[]),
        (&[""], &[]),
        (&["\"x\""], &["a x"]),
        (&["\"x\", \"y\""], &["a x", "a y"]),
        (&["\"x\"", "\"y\""], &["a x", "a y"]),
        (&["\"x, y\""], &["a x, y"]),
        (&["\"\""], &["a "]),
        // Letters count, in their case.
        (&["\"X\", \"x\""], &["a X", "a x"]),
        (&["\"a\\\"b\\\\c\""], &["a a\"b\\c"]),
        // Parameters mean nothing.
        (&["\"x\";p=1, \"y\";q"], &["a x", "a y"]),
        // Members of another type are none.
        (&["x, \"y\""], &["a y"]),
        (&["1, 1.5, ?1, :YQ==:, \"y\""], &["a y"]),
        (&["(\"x\" \"z\"), \"y\""], &["a y"]),
        // A field that breaks the syntax anywhere is ignored whole (RFC 9651 section 4.2).
        (&["\"x\", \"y"], &[]),
        (&["\"x\" \"y\""], &[]),
        (&["\"x\","], &[]),
        (&["\"x\"", "'y'"], &[]),
        (&["\"\u{e9}\""], &[]),
        (&["\"x\", , \"y\""], &[]),
        (&["posts comments"], &[]),
    ];
    for (lines, expected) in cases {
        let found = groups(lines);
        assert_eq!(names(&found), expected, "{lines:?}");
        assert_eq!((found.len(), found.is_empty()), (expected.len(), expected.is_empty()), "{lines:?}");
    }
    // Another field is another field.
    assert!(Groups::of(&fields(&["\"x\""]), &HeaderName::from_static("cache-group-invalidation"), b"a ").is_empty());
}

#[test]
fn promise_6_groups_are_bounded() {
    let many: Vec<String> = (0..MAX_GROUPS + 5).map(|name| format!("\"{name}\"")).collect();
    let found = groups(&[&many.join(", ")]);
    assert_eq!(found.len(), MAX_GROUPS);
    assert_eq!(names(&found).last(), Some(&format!("a {}", MAX_GROUPS - 1)));
    for (length, kept) in [(32, 2), (MAX_GROUP_NAME, 2), (MAX_GROUP_NAME + 1, 1)] {
        let line = format!("\"{}\", \"x\"", "n".repeat(length));
        assert_eq!(groups(&[&line]).len(), kept, "{length} letters");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..3)) {
        let fields: Fields =
            lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()).map(|line| (CACHE_GROUPS, line)).collect();
        prop_assert!(Groups::of(&fields, &CACHE_GROUPS, b"a").len() <= MAX_GROUPS);
    }
}
