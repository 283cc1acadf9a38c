//! How `Cache-Control` is read, malformed lines included.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::{CacheControl, Restriction};

fn parse<B: AsRef<[u8]>>(lines: &[B]) -> CacheControl {
    let lines: Vec<HeaderValue> = lines.iter().map(|line| HeaderValue::from_bytes(line.as_ref()).unwrap()).collect();
    CacheControl::parse(lines.iter())
}

/// What was read, in one line.
fn read(lines: &[&str]) -> String {
    let found = parse(lines);
    let mut text = String::new();
    let flag = |text: &mut String, name: &str, set: bool| {
        if set {
            write!(text, "{name} ").unwrap();
        }
    };
    flag(&mut text, "no-store", found.no_store);
    for (name, restriction) in [("no-cache", &found.no_cache), ("private", &found.private)] {
        match restriction {
            Restriction::Nothing => {}
            Restriction::Fields(names) => {
                let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
                write!(text, "{name}={} ", names.join("+")).unwrap();
            }
            Restriction::Whole => write!(text, "{name} ").unwrap(),
        }
        assert_eq!(restriction.is_present(), *restriction != Restriction::Nothing);
    }
    flag(&mut text, "must-revalidate", found.must_revalidate);
    flag(&mut text, "proxy-revalidate", found.proxy_revalidate);
    flag(&mut text, "must-understand", found.must_understand);
    flag(&mut text, "no-transform", found.no_transform);
    flag(&mut text, "public", found.public);
    for (name, time) in [
        ("max-age", found.max_age),
        ("s-maxage", found.s_maxage),
        ("stale-while-revalidate", found.stale_while_revalidate),
        ("stale-if-error", found.stale_if_error),
    ] {
        if let Some(time) = time {
            write!(text, "{name}={} ", time.as_secs()).unwrap();
        }
    }
    text.trim_end().to_owned()
}

#[test]
fn well_formed_lines() {
    let cases: [(&[&str], &str); 35] = [
        (&[], ""),
        (&[""], ""),
        // Sections 5.2.2.2, 5.2.2.3, 5.2.2.6, 5.2.2.8 and 5.2.2.9, and RFC 5861 sections 3 and 4.
        (&["must-revalidate"], "must-revalidate"),
        (&["must-understand"], "must-understand"),
        (&["no-transform"], "no-transform"),
        (&["proxy-revalidate"], "proxy-revalidate"),
        (&["public"], "public"),
        (&["stale-while-revalidate=60"], "stale-while-revalidate=60"),
        (&["stale-if-error=60"], "stale-if-error=60"),
        (&["STALE-IF-ERROR=60, Stale-While-Revalidate=\"30\""], "stale-while-revalidate=30 stale-if-error=60"),
        (&["must-revalidate=1, no-transform=\"x\""], "must-revalidate no-transform"),
        // A permission counts only as it is defined.
        (&["public=1"], ""),
        (&["no-store"], "no-store"),
        (&["no-cache"], "no-cache"),
        (&["private"], "private"),
        (&["max-age=60"], "max-age=60"),
        (&["s-maxage=60"], "s-maxage=60"),
        (&["max-age=0"], "max-age=0"),
        (&["public, max-age=60, immutable"], "public max-age=60"),
        (
            &["private, no-cache, no-store, max-age=0, must-revalidate"],
            "no-store no-cache private must-revalidate max-age=0",
        ),
        // Names are matched whatever their case, values of any spelling that section 5.2 allows.
        (&["No-Store, PRIVATE, Max-Age=60"], "no-store private max-age=60"),
        (&["max-age=\"60\""], "max-age=60"),
        // Arguments narrow them to these fields (sections 5.2.2.4 and 5.2.2.7), quoted or not.
        (&["no-cache=\"set-cookie\""], "no-cache=set-cookie"),
        (&["private=\"x-user\", max-age=60"], "private=x-user max-age=60"),
        (&["private=X-User"], "private=x-user"),
        (&["no-cache=\" x-a ,, x-b\""], "no-cache=x-a+x-b"),
        (&["no-cache=\"x-a\", no-cache=x-b"], "no-cache=x-a+x-b"),
        // Without one, or with one that cannot be read, they are about the whole, wherever they stand beside others.
        (&["no-cache=\"x-a\", no-cache"], "no-cache"),
        (&["private", "private=\"x-a\""], "private"),
        (&["no-store=\"x\""], "no-store"),
        // Lines are one list (RFC 9110 section 5.3); empty elements are none (section 5.6.1).
        (&["max-age=60", "no-store"], "no-store max-age=60"),
        (&[",, no-store ,,max-age=60,"], "no-store max-age=60"),
        (&["no-store,private"], "no-store private"),
        (&["\tno-store\t,\tmax-age=60\t"], "no-store max-age=60"),
        (&["max-age=0060"], "max-age=60"),
    ];
    for (lines, expected) in cases {
        assert_eq!(read(lines), expected, "{lines:?}");
    }
}

#[test]
fn what_only_looks_like_a_directive_is_none() {
    let cases: [(&[&str], &str); 10] = [
        (&["no-storex, xno-store, no store"], ""),
        (&["x-private, privateer"], ""),
        (&["max-agex=60, xmax-age=60, maxage=60, s-max-age=60"], ""),
        (&["extension=no-store"], ""),
        (&["extension=\"no-store, private, max-age=60\""], ""),
        (&["extension=\"a\\\", no-store\""], ""),
        (&["extension=\"a\\\\\", no-store"], "no-store"),
        (&["extension=\"\", private"], "private"),
        (&["private=\"a, no-store\", no-cache"], "no-cache private=a+no-store"),
        (&["must-revalidated, xno-transform, stale-while-revalidating=60, must understand, publicly"], ""),
    ];
    for (lines, expected) in cases {
        assert_eq!(read(lines), expected, "{lines:?}");
    }
}

/// What names no field holds back the whole.
#[test]
fn an_argument_that_cannot_be_read_holds_back_the_whole() {
    for argument in
        ["", "\"\"", "\" , \"", "\"x a\"", "\"x-a, (\"", "\"x-a", "x-a\"", "x:a", "\"x-a\"\"x-b\"", "\u{e9}"]
    {
        for name in ["no-cache", "private"] {
            let line = format!("{name}={argument}, max-age=60");
            let expected = format!("{name} max-age=60");
            let found = read(&[&line]);
            assert!(found == expected || found == name, "{line}: {found}");
            assert!(!found.contains('+'), "{line}: {found}");
        }
    }
}

/// What cannot be read, or given to the right one, without a field that is held back is held back whole.
#[test]
fn a_field_that_the_rest_needs_holds_back_the_whole() {
    let cases = [
        ("content-encoding", true),
        ("content-range", true),
        ("content-type", true),
        ("vary", true),
        ("Content-Type", true),
        ("\"VARY\"", true),
        ("\"x-a, content-encoding\"", true),
        ("\"content-range,, x-a\"", true),
        ("content-length", false),
        ("content-language", false),
        ("content-types", false),
        ("\"etag, date, set-cookie\"", false),
    ];
    for (argument, whole) in cases {
        for name in ["no-cache", "private"] {
            let names = argument.trim_matches('"').replace(", ", "+").to_lowercase();
            let expected = if whole { name.to_owned() } else { format!("{name}={names}") };
            assert_eq!(read(&[&format!("{name}={argument}")]), expected, "{name}={argument}");
            // Wherever it stands beside others.
            let lines = [format!("{name}=\"x-b\""), format!("{name}={argument}, max-age=60")];
            let expected = if whole { name.to_owned() } else { format!("{name}=x-b+{names}") };
            assert_eq!(read(&[&lines[0], &lines[1]]), format!("{expected} max-age=60"), "{lines:?}");
        }
    }
}

/// Directives that keep a response from being served stale (sections 5.2.2.2, 5.2.2.8 and 5.2.2.10).
#[test]
fn what_forbids_staleness() {
    let cases = [
        ("", false),
        ("max-age=60", false),
        ("public, stale-while-revalidate=60, stale-if-error=60", false),
        ("no-cache", false),
        ("must-revalidate", true),
        ("proxy-revalidate", true),
        ("s-maxage=60", true),
        ("s-maxage=60, stale-while-revalidate=60", true),
        ("s-maxage=soon", true),
    ];
    for (line, expected) in cases {
        assert_eq!(parse(&[line]).forbids_stale(), expected, "{line}");
    }
}

#[test]
fn a_lifetime_that_cannot_be_read_is_zero() {
    let zero = [
        "max-age",
        "max-age=",
        "max-age=\"\"",
        "max-age=-1",
        "max-age=+1",
        "max-age=1.5",
        "max-age=1e3",
        "max-age=60s",
        "max-age=six",
        "max-age='60'",
        "max-age=\"60",
        "max-age=60\"",
        "max-age=6 0",
        "max-age=0x10",
        "max-age==60",
        "max-age=\"6\"0\"",
    ];
    for line in zero {
        assert_eq!(read(&[line]), "max-age=0", "{line}");
        for name in ["s-maxage", "stale-while-revalidate", "stale-if-error"] {
            let other = line.replace("max-age", name);
            assert_eq!(read(&[&other]), format!("{name}=0"), "{other}");
        }
    }
}

#[test]
fn a_lifetime_has_a_largest_value() {
    let cases = [
        ("2147483647", 2_147_483_647_u64),
        ("2147483648", 2_147_483_648),
        ("2147483649", 2_147_483_648),
        ("18446744073709551615", 2_147_483_648),
        ("18446744073709551616", 2_147_483_648),
        ("99999999999999999999999999999999", 2_147_483_648),
    ];
    for (digits, seconds) in cases {
        assert_eq!(read(&[&format!("max-age={digits}")]), format!("max-age={seconds}"), "{digits}");
    }
}

#[test]
fn of_a_repeated_lifetime_the_shortest_counts() {
    let cases: [(&[&str], &str, Option<u64>); 8] = [
        (&["max-age=60, max-age=10"], "max-age=10", Some(10)),
        (&["max-age=10", "max-age=60"], "max-age=10", Some(10)),
        (&["max-age=10", "max-age=soon"], "max-age=0", Some(0)),
        (&["s-maxage=10, s-maxage=60"], "s-maxage=10", Some(10)),
        // For a shared cache `s-maxage` counts alone (section 5.2.2.10), the longer and the shorter.
        (&["max-age=10, s-maxage=60"], "max-age=10 s-maxage=60", Some(60)),
        (&["max-age=60, s-maxage=10"], "max-age=60 s-maxage=10", Some(10)),
        (&["max-age=60, s-maxage="], "max-age=60 s-maxage=0", Some(0)),
        (&["public"], "public", None),
    ];
    for (lines, expected, lifetime) in cases {
        assert_eq!(read(lines), expected, "{lines:?}");
        assert_eq!(parse(lines).lifetime().map(|time| time.as_secs()), lifetime, "{lines:?}");
    }
}

/// A prohibition is heeded wherever it can be recognised: a quote that nobody closes hides nothing behind it.
#[test]
fn an_open_quote_does_not_hide_a_prohibition() {
    let cases = [
        ("max-age=\"60, private", "private"),
        ("extension=\"x, no-store", "no-store"),
        ("extension=\"x\\\", no-store", "no-store"),
        ("community=\", no-cache, max-age=60", "no-cache"),
    ];
    for (line, expected) in cases {
        assert!(read(&[line]).contains(expected), "{line}: {}", read(&[line]));
    }
}

/// Neither does the wrong separator, which is the commonest mistake in this field.
#[test]
fn a_wrong_separator_does_not_hide_a_prohibition() {
    let cases = [
        ("private; max-age=60", "private"),
        ("no-store; no-cache", "no-store"),
        ("max-age=60; private", "private"),
        ("no-cache;", "no-cache"),
        ("private max-age=60", "private"),
    ];
    for (line, expected) in cases {
        assert!(read(&[line]).contains(expected), "{line}: {}", read(&[line]));
    }
}

/// Lines of directives, quotes and everything else that a header value may hold.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        3 => proptest::sample::select(vec![
            "no-store", "no-cache", "private", "max-age", "s-maxage", "public", "must-revalidate", "must-understand",
            "stale-while-revalidate", "stale-if-error", "x-a", "=", "60", "=1", ",", ", ", "\"", "\\", " ", ";",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => any::<u8>().prop_filter("no control", |byte| (*byte >= b' ' && *byte != 0x7f) || *byte == b'\t').prop_map(|byte| vec![byte]),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// How much a restriction holds back: everything, or these fields.
fn held_back(restriction: &Restriction) -> (bool, BTreeSet<&str>) {
    (*restriction == Restriction::Whole, restriction.fields().iter().map(HeaderName::as_str).collect())
}

/// Whether everything that `loose` forbids is forbidden by `strict` too.
fn at_least_as_strict(strict: &CacheControl, loose: &CacheControl) -> bool {
    let shorter = |strict: Option<_>, loose: Option<_>| loose.is_none() || strict.is_some() && strict <= loose;
    let more = |strict: &Restriction, loose: &Restriction| {
        let (strict, loose) = (held_back(strict), held_back(loose));
        strict.0 || !loose.0 && strict.1.is_superset(&loose.1)
    };
    strict.no_store >= loose.no_store
        && more(&strict.no_cache, &loose.no_cache)
        && more(&strict.private, &loose.private)
        && strict.must_revalidate >= loose.must_revalidate
        && strict.proxy_revalidate >= loose.proxy_revalidate
        && strict.must_understand >= loose.must_understand
        && strict.no_transform >= loose.no_transform
        && shorter(strict.max_age, loose.max_age)
        && shorter(strict.s_maxage, loose.s_maxage)
        && shorter(strict.stale_while_revalidate, loose.stale_while_revalidate)
        && shorter(strict.stale_if_error, loose.stale_if_error)
}

/// With the names of fields in one order, each once.
fn in_order(mut control: CacheControl) -> CacheControl {
    for restriction in [&mut control.no_cache, &mut control.private] {
        if let Restriction::Fields(names) = restriction {
            names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
            names.dedup();
        }
    }
    control
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn another_line_never_permits_more(one in line(), other in line()) {
        let [alone, both, turned] =
            [vec![&one], vec![&one, &other], vec![&other, &one]].map(|lines| in_order(parse(&lines)));
        prop_assert_eq!(&both, &turned);
        prop_assert!(at_least_as_strict(&both, &alone), "{alone:?} and with another line {both:?}");
        prop_assert_eq!(in_order(parse(&[&one, &one])), alone);
    }

    /// Whatever a line holds, it is read, and no time is longer than the longest there is (section 1.2.2).
    #[test]
    fn any_bytes_are_read(line in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(value) = HeaderValue::from_bytes(&line) {
            let found = CacheControl::parse([&value].into_iter());
            let largest = Duration::from_secs(1 << 31);
            for time in [found.max_age, found.s_maxage, found.stale_while_revalidate, found.stale_if_error] {
                prop_assert!(time.is_none_or(|time| time <= largest));
            }
        }
    }

    #[test]
    fn a_directive_is_found_wherever_it_stands(before in "[a-z=0-9, ]{0,20}", after in "[a-z=0-9, ]{0,20}") {
        let found = parse(&[format!("{before}, no-store , {after}")]);
        prop_assert!(found.no_store);
    }
}
