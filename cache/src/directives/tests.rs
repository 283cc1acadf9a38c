//! How `Cache-Control` is read, malformed lines included.

use std::fmt::Write;

use http::HeaderValue;
use proptest::prelude::*;

use super::CacheControl;

fn parse<B: AsRef<[u8]>>(lines: &[B]) -> CacheControl {
    let lines: Vec<HeaderValue> = lines.iter().map(|line| HeaderValue::from_bytes(line.as_ref()).unwrap()).collect();
    CacheControl::parse(lines.iter())
}

/// What was read, in one line.
fn read(lines: &[&str]) -> String {
    let found = parse(lines);
    let mut text = String::new();
    for (name, set) in [("no-store", found.no_store), ("no-cache", found.no_cache), ("private", found.private)] {
        if set {
            write!(text, "{name} ").unwrap();
        }
    }
    for (name, time) in [("max-age", found.max_age), ("s-maxage", found.s_maxage)] {
        if let Some(time) = time {
            write!(text, "{name}={} ", time.as_secs()).unwrap();
        }
    }
    text.trim_end().to_owned()
}

#[test]
fn well_formed_lines() {
    let cases: [(&[&str], &str); 20] = [
        (&[], ""),
        (&[""], ""),
        (&["no-store"], "no-store"),
        (&["no-cache"], "no-cache"),
        (&["private"], "private"),
        (&["max-age=60"], "max-age=60"),
        (&["s-maxage=60"], "s-maxage=60"),
        (&["max-age=0"], "max-age=0"),
        (&["public, max-age=60, immutable"], "max-age=60"),
        (&["private, no-cache, no-store, max-age=0, must-revalidate"], "no-store no-cache private max-age=0"),
        // Names are matched whatever their case, values of any spelling that section 5.2 allows.
        (&["No-Store, PRIVATE, Max-Age=60"], "no-store private max-age=60"),
        (&["max-age=\"60\""], "max-age=60"),
        // Arguments narrow them for caches that can tell parts of a response apart; this one cannot.
        (&["no-cache=\"set-cookie\""], "no-cache"),
        (&["private=\"x-user\", max-age=60"], "private max-age=60"),
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
        (&["private=\"a, no-store\", no-cache"], "no-cache private"),
        (&["must-revalidate, no-transform, stale-while-revalidate=60"], ""),
    ];
    for (lines, expected) in cases {
        assert_eq!(read(lines), expected, "{lines:?}");
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
        let shared = line.replace("max-age", "s-maxage");
        assert_eq!(read(&[&shared]), "s-maxage=0", "{shared}");
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
        (&["public"], "", None),
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
            "no-store", "no-cache", "private", "max-age", "s-maxage", "public", "=", "60", "=1", ",", ", ", "\"", "\\", " ", ";",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => any::<u8>().prop_filter("no control", |byte| (*byte >= b' ' && *byte != 0x7f) || *byte == b'\t').prop_map(|byte| vec![byte]),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// Whether everything that `loose` forbids is forbidden by `strict` too.
fn at_least_as_strict(strict: CacheControl, loose: CacheControl) -> bool {
    let shorter = |strict: Option<_>, loose: Option<_>| loose.is_none() || strict.is_some() && strict <= loose;
    strict.no_store >= loose.no_store
        && strict.no_cache >= loose.no_cache
        && strict.private >= loose.private
        && shorter(strict.max_age, loose.max_age)
        && shorter(strict.s_maxage, loose.s_maxage)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn another_line_never_permits_more(one in line(), other in line()) {
        let [alone, both, turned] = [vec![&one], vec![&one, &other], vec![&other, &one]].map(|lines| parse(&lines));
        prop_assert_eq!(both, turned);
        prop_assert!(at_least_as_strict(both, alone), "{alone:?} and with another line {both:?}");
        prop_assert_eq!(parse(&[&one, &one]), alone);
    }

    #[test]
    fn a_directive_is_found_wherever_it_stands(before in "[a-z=0-9, ]{0,20}", after in "[a-z=0-9, ]{0,20}") {
        let found = parse(&[format!("{before}, no-store , {after}")]);
        prop_assert!(found.no_store);
    }
}
