//! Which groups a field lists, and which responses an invalidation of groups reaches.

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::{CACHE_GROUPS, Groups, MAX_GROUP_NAME, MAX_GROUPS, MAX_MARKS, Mark, Marks};
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
    assert!(groups(&["\"x\", \"y\""]).size() >= 2 * ("a x".len() + size_of::<Box<[u8]>>()));
    assert_eq!(Groups::default().size(), 0);
}

/// The site, and the lines of its field.
type Listed<'a> = (&'a [u8], &'a [&'a str]);

/// Whether a response is outdated whose fetch began before an invalidation.
#[test]
fn an_invalidation_reaches_what_shares_a_group() {
    let cases: [(Listed<'_>, Listed<'_>, bool); 10] = [
        ((b"a", &["\"x\""]), (b"a", &["\"x\""]), true),
        ((b"a", &["\"x\", \"y\""]), (b"a", &["\"y\""]), true),
        ((b"a", &["\"x\""]), (b"a", &["\"y\", \"x\""]), true),
        ((b"a", &["\"x\""]), (b"a", &["\"y\""]), false),
        ((b"a", &["\"x\""]), (b"a", &["\"X\""]), false),
        // Another site has groups of its own (RFC 9875 section 2.1).
        ((b"a", &["\"x\""]), (b"b", &["\"x\""]), false),
        ((b"a", &[]), (b"a", &["\"x\""]), false),
        ((b"a", &["\"x\""]), (b"a", &[]), false),
        ((b"a", &[]), (b"a", &[]), false),
        ((b"a", &["\"\""]), (b"a", &["\"\""]), true),
    ];
    for (of_response, invalidated, expected) in cases {
        let [response, invalid] =
            [of_response, invalidated].map(|(site, lines)| Groups::of(&fields(lines), &CACHE_GROUPS, site));
        let marks = Marks::default();
        let before = marks.now();
        assert!(!marks.outdate(&response, before));
        marks.invalidate(&invalid);
        assert_eq!(marks.outdate(&response, before), expected, "{of_response:?} and {invalidated:?}");
        assert!(!marks.outdate(&response, marks.now()), "what begins afterwards is good");
        // What happens to others changes nothing about it.
        marks.invalidate(&groups(&["\"other\""]));
        assert_eq!(marks.outdate(&response, before), expected, "{of_response:?} and {invalidated:?}");
    }
}

#[test]
fn every_invalidation_counts_from_when_it_was() {
    let (marks, x) = (Marks::default(), groups(&["\"x\""]));
    let mut began = vec![marks.now()];
    for _ in 0..3 {
        marks.invalidate(&x);
        began.push(marks.now());
        let (last, earlier) = began.split_last().unwrap();
        assert!(earlier.iter().all(|began| marks.outdate(&x, *began)));
        assert!(!marks.outdate(&x, *last));
    }
    assert!(began.is_sorted());
    // Nothing is told apart by invalidations of nothing.
    let now = marks.now();
    marks.invalidate(&Groups::default());
    assert_eq!(marks.now(), now);
}

/// Most hits find that nothing was made invalid since, and wait for nobody to learn it.
#[test]
fn what_is_newer_than_every_invalidation_waits_for_no_lock() {
    let (marks, x) = (Marks::default(), groups(&["\"x\""]));
    marks.invalidate(&x);
    let (before, now) = (Mark(0), marks.now());
    std::thread::scope(|scope| {
        let writing = marks.marks.write().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let (marks, x) = (&marks, &x);
        scope.spawn(move || tell.send(marks.outdate(x, now)));
        let found = told.recv_timeout(std::time::Duration::from_secs(20));
        drop(writing);
        assert_eq!(found, Ok(false));
    });
    assert!(marks.outdate(&x, before));
}

/// Marks that give way to the floor leave nothing valid that was not.
#[test]
fn promise_6_marks_are_bounded_and_none_is_lost() {
    let marks = Marks::default();
    let invalidated = |number: usize| groups(&[&format!("\"{number}\"")]);
    let mut began: Vec<(usize, Mark)> = Vec::new();
    for number in 0..2 * MAX_MARKS {
        if number % 1000 == 0 {
            began.push((number, marks.now()));
        }
        marks.invalidate(&invalidated(number));
        let kept = marks.marks.read().unwrap().len();
        assert!(kept <= MAX_MARKS, "{kept}");
    }
    for (number, began) in began {
        assert!(marks.outdate(&invalidated(number), began), "{number} was made invalid after it");
    }
    let latest = marks.now();
    for number in [0, 1, MAX_MARKS, 2 * MAX_MARKS - 1] {
        assert!(!marks.outdate(&invalidated(number), latest), "{number} was made invalid before");
    }
    // What is younger than the floor is only outdated by groups of its own.
    let floor = Mark(marks.floor.load(super::Ordering::Acquire));
    assert!(Mark(0) < floor && floor < latest);
    assert!(!marks.outdate(&groups(&["\"never\""]), floor));
    assert!(marks.outdate(&groups(&["\"never\""]), Mark(floor.0 - 1)));
    assert!(!marks.outdate(&Groups::default(), Mark(0)), "what has no groups is in none");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..3)) {
        let fields: Fields =
            lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()).map(|line| (CACHE_GROUPS, line)).collect();
        prop_assert!(Groups::of(&fields, &CACHE_GROUPS, b"a").len() <= MAX_GROUPS);
    }

    /// The marks are the latest invalidation of each group, whatever the order.
    #[test]
    fn marks_are_a_list_of_invalidations(
        steps in proptest::collection::vec(proptest::collection::vec(0usize..5, 0..3), 1..20),
        response in proptest::collection::vec(0usize..5, 0..3),
        began in 0usize..20,
    ) {
        let of = |numbers: &[usize]| {
            let names: Vec<String> = numbers.iter().map(|number| format!("\"{number}\"")).collect();
            groups(&[&names.join(", ")])
        };
        let marks = Marks::default();
        let mut at = marks.now();
        for (step, numbers) in steps.iter().enumerate() {
            if step == began {
                at = marks.now();
            }
            marks.invalidate(&of(numbers));
        }
        let since = if began < steps.len() { began } else { 0 };
        let expected = steps[since..].iter().flatten().any(|number| response.contains(number));
        prop_assert_eq!(marks.outdate(&of(&response), at), expected);
    }
}
