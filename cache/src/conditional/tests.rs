//! When a 304 answers a visitor who has something already.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::not_modified;

/// Whether a 304 answers a request with these lines, for a response with these validators (empty is none).
fn confirmed(lines: &[(&str, &str)], etag: &str, last_modified: &str) -> bool {
    let mut request = HeaderMap::new();
    for (name, value) in lines {
        request.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let value = |text: &str| Some(HeaderValue::from_str(text).unwrap()).filter(|value| !value.is_empty());
    let [etag, last_modified] = [etag, last_modified].map(value);
    not_modified(&request, etag.as_ref(), last_modified.as_ref())
}

#[test]
fn if_none_match() {
    let cases = [
        ("\"a\"", "\"a\"", true),
        ("\"a\"", "\"b\"", false),
        ("\"a\"", "", false),
        ("*", "\"a\"", true),
        (" * ", "\"a\"", true),
        ("\"*\"", "\"a\"", false),
        ("\"b\", \"a\"", "\"a\"", true),
        ("\"b\",\"a\"", "\"a\"", true),
        ("\"b\", \"c\"", "\"a\"", false),
        ("", "\"a\"", false),
        // Tags compare weakly (RFC 9110 section 13.1.2).
        ("W/\"a\"", "\"a\"", true),
        ("\"a\"", "W/\"a\"", true),
        ("W/\"a\"", "W/\"a\"", true),
        ("\"b\", W/\"a\"", "\"a\"", true),
        ("w/\"a\"", "\"a\"", true),
        // They are cut at their quotes, for commas and spaces may be part of them, and compared by every byte.
        ("\"a, b\"", "\"a, b\"", true),
        ("\"x, \"a\"", "\"a\"", false),
        ("\"a,b\", \"c\"", "\"b\"", false),
        ("\"A\"", "\"a\"", false),
        ("\"a\"", "\"a \"", false),
        ("\"\"", "\"\"", true),
        ("\"é\"", "\"a\"", false),
        // What is no tag is none.
        ("a", "\"a\"", false),
        ("\"a", "\"a\"", false),
        ("a\"", "\"a\"", false),
        ("a", "a", false),
    ];
    for (sent, etag, expected) in cases {
        assert_eq!(confirmed(&[("if-none-match", sent)], etag, ""), expected, "{sent} for {etag}");
    }
}

#[test]
fn if_none_match_may_have_several_lines() {
    let cases: [(&[&str], bool); 5] = [
        (&["\"b\"", "\"a\""], true),
        (&["\"a\"", "\"b\""], true),
        (&["\"b\"", "*"], true),
        (&["\"b\"", "\"c\""], false),
        // A quote that one line opens is not closed by the next.
        (&["\"b", "\"a\""], true),
    ];
    for (lines, expected) in cases {
        let lines: Vec<(&str, &str)> = lines.iter().map(|line| ("if-none-match", *line)).collect();
        assert_eq!(confirmed(&lines, "\"a\"", ""), expected, "{lines:?}");
    }
}

const EARLIER: &str = "Tue, 15 Nov 1994 08:12:30 GMT";
const DATE: &str = "Tue, 15 Nov 1994 08:12:31 GMT";
const LATER: &str = "Tue, 15 Nov 1994 08:12:32 GMT";

#[test]
fn if_modified_since() {
    let cases = [
        (DATE, DATE, true),
        (LATER, DATE, true),
        (EARLIER, DATE, false),
        // The obsolete spellings of the same date.
        ("Tuesday, 15-Nov-94 08:12:31 GMT", DATE, true),
        ("Tue Nov 15 08:12:31 1994", DATE, true),
        // Without a date on both sides there is nothing to compare (section 13.1.3).
        (DATE, "", false),
        (DATE, "soon", false),
        ("soon", DATE, false),
        ("0", DATE, false),
        ("", DATE, false),
        ("Tue, 15 Nov 1994 08:12:31", DATE, false),
    ];
    for (sent, last_modified, expected) in cases {
        let found = confirmed(&[("if-modified-since", sent)], "\"a\"", last_modified);
        assert_eq!(found, expected, "{sent:?} for {last_modified:?}");
    }
}

/// A field with more than one member is ignored (section 13.1.3), in whichever order they stand.
#[test]
fn if_modified_since_twice_is_ignored() {
    for (first, second) in [(LATER, EARLIER), (EARLIER, LATER)] {
        let lines = [("if-modified-since", first), ("if-modified-since", second)];
        assert!(!confirmed(&lines, "", DATE), "{lines:?}");
    }
}

#[test]
fn if_none_match_decides_alone() {
    let cases = [("\"a\"", EARLIER, true), ("\"b\"", LATER, false), ("", LATER, false), ("*", EARLIER, true)];
    for (tag, date, expected) in cases {
        let lines = [("if-modified-since", date), ("if-none-match", tag)];
        assert_eq!(confirmed(&lines, "\"a\"", DATE), expected, "{lines:?}");
    }
}

#[test]
fn an_unconditional_request_is_answered_whole() {
    let cases: [&[(&str, &str)]; 4] =
        [&[], &[("if-match", "\"a\"")], &[("if-unmodified-since", DATE)], &[("if-range", "\"a\"")]];
    for lines in cases {
        assert!(!confirmed(lines, "\"a\"", DATE), "{lines:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// A list of well-formed tags holds exactly those that it lists, however they are weakened, spaced and divided.
    #[test]
    fn a_list_holds_what_it_lists(
        tags in proptest::collection::vec(("[ab,!]{0,2}", any::<bool>(), 0usize..3, any::<bool>()), 1..5),
        wanted in "[ab,!]{0,2}",
        weak in any::<bool>(),
    ) {
        let mut lines = vec![String::new()];
        for (tag, weak, spaces, next_line) in &tags {
            if *next_line {
                lines.push(String::new());
            }
            let line = lines.last_mut().unwrap();
            if !line.is_empty() {
                line.push(',');
            }
            line.push_str(&format!("{}{}\"{tag}\"", " ".repeat(*spaces), if *weak { "W/" } else { "" }));
        }
        let sent: Vec<(&str, &str)> = lines.iter().map(|line| ("if-none-match", line.as_str())).collect();
        let etag = format!("{}\"{wanted}\"", if weak { "W/" } else { "" });
        let listed = tags.iter().any(|(tag, ..)| *tag == wanted);
        prop_assert_eq!(confirmed(&sent, &etag, ""), listed, "{:?} for {}", sent, etag);
    }
}
