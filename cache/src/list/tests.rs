//! Where lists are cut.

use proptest::prelude::*;

use super::{elements, find_outside_quotes};

fn cut(list: &str) -> Vec<String> {
    elements(list.as_bytes()).map(|element| String::from_utf8(element.to_vec()).unwrap()).collect()
}

/// Quoted strings are those of RFC 9110 section 5.6.4.
#[test]
fn a_list_is_cut_at_its_commas() {
    let cases: [(&str, &[&str]); 18] = [
        ("", &[]),
        ("a", &["a"]),
        ("a,b", &["a", "b"]),
        (" a , b ", &[" a ", " b "]),
        (",", &[""]),
        ("a,,b,", &["a", "", "b"]),
        // A comma between quotes is none of the list's.
        ("\"a,b\"", &["\"a,b\""]),
        ("x=\"a,b\",c", &["x=\"a,b\"", "c"]),
        ("\"a\",\"b,c\"", &["\"a\"", "\"b,c\""]),
        ("\"\",a", &["\"\"", "a"]),
        // A backslash takes the meaning of a quote, and of another backslash, but only between quotes.
        ("\"a\\\",b\",c", &["\"a\\\",b\"", "c"]),
        ("\"a\\\\\",b", &["\"a\\\\\"", "b"]),
        ("\\\"a,b\"", &["\\\"a,b\""]),
        ("\\,a", &["\\", "a"]),
        // A quote that is never closed is none.
        ("\"a,b", &["\"a", "b"]),
        ("\"a\\\",b", &["\"a\\\"", "b"]),
        ("\"a\",\"b,c", &["\"a\"", "\"b", "c"]),
        ("\"a,b\\", &["\"a", "b\\"]),
    ];
    for (list, expected) in cases {
        assert_eq!(cut(list), expected, "{list}");
    }
}

/// Were each of these quotes looked for on its own to the end of the line, this would not come to an end.
#[test]
fn many_quotes_that_stay_open_cost_no_more_than_few() {
    for part in ["\\\"", "\\\",", "\\\";,"] {
        let line = format!("\"{}", part.repeat(300_000));
        let commas = line.matches(',').count();
        assert_eq!(elements(line.as_bytes()).count(), commas.max(1), "{part}");
    }
}

/// The same, found letter by letter.
fn slowly(text: &[u8], separator: u8) -> Option<usize> {
    let mut at = 0;
    'text: while at < text.len() {
        if text[at] == separator {
            return Some(at);
        }
        if text[at] == b'"' {
            let mut end = at + 1;
            while end < text.len() {
                match text[end] {
                    b'"' => {
                        at = end + 1;
                        continue 'text;
                    }
                    b'\\' => end += 2,
                    _ => end += 1,
                }
            }
        }
        at += 1;
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cuts_are_where_quotes_leave_them(text in proptest::collection::vec(proptest::sample::select(b"\"\\,;a".to_vec()), 0..24)) {
        let expected = slowly(&text, b',');
        prop_assert_eq!(find_outside_quotes(&text, |byte| byte == b','), expected);
        let mut rest = text.as_slice();
        for element in elements(&text) {
            let end = slowly(rest, b',').unwrap_or(rest.len());
            prop_assert_eq!(element, &rest[..end]);
            rest = &rest[(end + 1).min(rest.len())..];
        }
        prop_assert!(rest.is_empty());
    }
}
