//! Which field speaks to this cache, and what it says.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::Heeded;
use crate::{CacheControl, Fields, Restriction};

type Line<'a> = (&'a str, &'a str);

const OWN: &str = "evergate-cache-control";
const CDN: &str = "cdn-cache-control";
const SURROGATE: &str = "surrogate-control";
const GENERAL: &str = "cache-control";

fn heeded(lines: &[Line<'_>]) -> Heeded {
    let line = |(name, value): &Line<'_>| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    Heeded::of(&lines.iter().map(line).collect::<Fields>())
}

/// `Cache-Control` that says the same, for comparison.
fn control(text: &str) -> CacheControl {
    CacheControl::parse([&HeaderValue::from_str(text).unwrap()].into_iter())
}

/// The lines of a response, whether they are targeted, and what counts, in the words of `Cache-Control`.
type Told<'a> = (&'a [Line<'a>], bool, &'a str);

/// RFC 9213 section 2.2: the first field of the list that is there, is valid and not empty stands alone.
#[test]
fn the_most_specific_field_stands_alone() {
    let cases: [Told<'_>; 18] = [
        (&[], false, ""),
        (&[(GENERAL, "max-age=1")], false, "max-age=1"),
        (&[(GENERAL, "no-store"), (CDN, "max-age=2")], true, "max-age=2"),
        (&[(GENERAL, "max-age=1"), (CDN, "no-store")], true, "no-store"),
        (&[(CDN, "max-age=2"), (OWN, "max-age=3")], true, "max-age=3"),
        (&[(GENERAL, "max-age=1"), (CDN, "max-age=2"), (OWN, "max-age=3")], true, "max-age=3"),
        (&[(SURROGATE, "max-age=4"), (GENERAL, "max-age=1")], true, "max-age=4"),
        (&[(SURROGATE, "max-age=4"), (CDN, "max-age=2")], true, "max-age=2"),
        (&[(SURROGATE, "max-age=4"), (OWN, "max-age=3")], true, "max-age=3"),
        // An empty one is as though it were not there, and so is one that breaks the syntax.
        (&[(GENERAL, "max-age=1"), (CDN, "")], false, "max-age=1"),
        (&[(GENERAL, "max-age=1"), (OWN, ""), (CDN, "max-age=2")], true, "max-age=2"),
        (&[(GENERAL, "max-age=1"), (CDN, "max-age=2,")], false, "max-age=1"),
        (&[(GENERAL, "max-age=1"), (CDN, "Max-Age=2")], false, "max-age=1"),
        (&[(GENERAL, "max-age=1"), (CDN, "max-age 2")], false, "max-age=1"),
        (&[(GENERAL, "max-age=1"), (OWN, "max-age=\"3"), (CDN, "max-age=2")], true, "max-age=2"),
        // Lines are one field (RFC 9651 section 4.2), so one of them can break it whole.
        (&[(CDN, "max-age=2"), (CDN, "private")], true, "max-age=2, private"),
        (&[(GENERAL, "max-age=1"), (CDN, "max-age=2"), (CDN, "!")], false, "max-age=1"),
        // It stands although it says nothing that means anything here.
        (&[(GENERAL, "max-age=1"), (CDN, "x-unknown")], true, ""),
    ];
    for (lines, targeted, expected) in cases {
        let found = heeded(lines);
        assert_eq!(matches!(found, Heeded::Targeted(_)), targeted, "{lines:?}");
        assert_eq!(*found.control(), control(expected), "{lines:?}");
    }
}

/// A targeted field is a Dictionary (RFC 9213 section 2.1), whose types say what the arguments of `Cache-Control` say.
#[test]
fn what_a_dictionary_says() {
    let cases = [
        ("max-age=60", "max-age=60"),
        ("s-maxage=60", "s-maxage=60"),
        ("stale-while-revalidate=60, stale-if-error=30", "stale-while-revalidate=60, stale-if-error=30"),
        ("no-store", "no-store"),
        ("no-cache, private, public", "no-cache, private, public"),
        ("must-revalidate, proxy-revalidate", "must-revalidate, proxy-revalidate"),
        ("must-understand, no-transform", "must-understand, no-transform"),
        // Parameters mean nothing, and neither does what is not known.
        ("max-age=60;x=1, no-store;y, unknown=1", "max-age=60, no-store"),
        // The last of a name counts (RFC 9651 section 3.2).
        ("max-age=60, max-age=90", "max-age=90"),
        ("no-store, no-store=?0", ""),
        // What is said to be false is not said.
        ("no-cache=?0, private=?0, must-revalidate=?0, public=?0, max-age=60", "max-age=60"),
        ("no-cache=?1, public=?1", "no-cache, public"),
        // A string names fields, and one that names none, or another type, is about the whole.
        ("no-cache=\"x-a, x-b\", private=\"x-c\"", "no-cache=\"x-a, x-b\", private=\"x-c\""),
        ("private=\"\"", "private"),
        ("private=\"x a\"", "private"),
        ("private=x-a", "private"),
        ("private=(\"x-a\" \"x-b\"), no-cache=1", "private, no-cache"),
        ("no-store=\"x\", no-store=1", "no-store"),
        // A lifetime of another type is zero.
        ("max-age", "max-age=0"),
        ("max-age=\"60\"", "max-age=0"),
        ("max-age=60.5", "max-age=0"),
        ("max-age=-1", "max-age=0"),
        ("max-age=(60)", "max-age=0"),
        ("max-age=?0", "max-age=0"),
        ("s-maxage=sixty, stale-while-revalidate=\"60\"", "s-maxage=0, stale-while-revalidate=0"),
        ("max-age=999999999999999", "max-age=2147483648"),
        // A permission of another type is none.
        ("public=1, public=\"x\"", ""),
    ];
    for (line, expected) in cases {
        for name in [OWN, CDN] {
            let found = heeded(&[(name, line), (GENERAL, "no-store, max-age=7")]);
            assert_eq!(found, Heeded::Targeted(control(expected)), "{name}: {line}");
        }
    }
}

/// W3C Edge Architecture Specification section 2.3: a parameter names the surrogate that is meant.
#[test]
fn what_surrogate_control_says() {
    let cases = [
        ("max-age=60", Some("max-age=60")),
        ("no-store", Some("no-store")),
        ("no-store-remote, max-age=60", Some("max-age=60")),
        ("max-age=60;evergate", Some("max-age=60")),
        ("max-age=60 ; EVERGATE", Some("max-age=60")),
        ("max-age=60;other;evergate", Some("max-age=60")),
        ("max-age=60, no-store;other", Some("max-age=60")),
        // What is for this cache alone stands alone.
        ("max-age=60, max-age=30;evergate", Some("max-age=30")),
        ("max-age=60;evergate, max-age=30", Some("max-age=60")),
        ("no-store, max-age=60;evergate", Some("max-age=60")),
        // Section 2.3.2: so much longer while it is revalidated.
        ("max-age=60+30", Some("max-age=60, stale-while-revalidate=30")),
        ("Max-Age=60+30;evergate", Some("max-age=60, stale-while-revalidate=30")),
        ("max-age=60+soon", Some("max-age=60, stale-while-revalidate=0")),
        ("s-maxage=60+30", Some("s-maxage=0")),
        ("MAX-AGE=60", Some("max-age=60")),
        ("max-age=60, content=\"ESI/1.0, x\"", Some("max-age=60")),
        // What is for another, or of no meaning here, is as though it were not there.
        ("max-age=60;other", None),
        ("no-store;other, max-age=60;another", None),
        ("content=\"ESI/1.0\"", None),
        ("", None),
        (";evergate", None),
    ];
    for (line, expected) in cases {
        let found = heeded(&[(SURROGATE, line), (GENERAL, "private")]);
        let wanted =
            expected.map_or_else(|| Heeded::General(control("private")), |text| Heeded::Targeted(control(text)));
        assert_eq!(found, wanted, "{line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read(
        name in proptest::sample::select(vec![OWN, CDN, SURROGATE, GENERAL]),
        line in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        if let Ok(value) = HeaderValue::from_bytes(&line) {
            let fields = Fields::from_iter([(name.parse::<HeaderName>().unwrap(), value)]);
            let _ = Heeded::of(&fields);
        }
    }

    /// A prohibition in the targeted field counts whatever else is in it, and whatever the general field says.
    #[test]
    fn a_targeted_prohibition_counts(
        others in proptest::collection::vec(proptest::sample::select(vec!["max-age=60", "public", "x", "s-maxage=1;a=b"]), 0..4),
        place in 0usize..4,
        general in proptest::sample::select(vec!["", "public, max-age=60", "must-understand"]),
    ) {
        for (name, said) in [(OWN, "no-store"), (CDN, "no-store"), (OWN, "private"), (CDN, "private"), (SURROGATE, "no-store")] {
            let mut members = others.clone();
            members.insert(place.min(members.len()), said);
            let line = members.join(", ");
            let found = heeded(&[(name, &line), (GENERAL, general)]);
            prop_assert!(found.control().no_store || found.control().private == Restriction::Whole);
            prop_assert!(found.control().max_age.is_none_or(|time| time <= Duration::from_secs(60)));
        }
    }
}
