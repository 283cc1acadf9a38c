//! Which fields split a page, and which requests ask for the same piece.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::CONTENT_LANGUAGE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::{MAX_RANGES, Selecting, Spelling, Variance, Variant, list_value};
use crate::page::{Content, Page, Slot};
use crate::{Fields, Moment, ResponseHead, StoredResponse};

type Line<'a> = (&'a str, &'a str);

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_bytes(text.as_bytes()).unwrap()
}

fn request(lines: &[Line<'_>]) -> HeaderMap {
    let mut request = HeaderMap::new();
    for (name, text) in lines {
        request.append(name.parse::<HeaderName>().unwrap(), value(text));
    }
    request
}

fn variance(names: &[&str], spelling: Spelling) -> Variance {
    Variance::new(names.iter().map(|name| name.parse().unwrap()).collect::<Vec<HeaderName>>(), spelling)
}

fn variant(names: &[&str], spelling: Spelling, lines: &[Line<'_>]) -> Variant {
    Variant::of(&variance(names, spelling), &request(lines))
}

/// The names that these lines of `Vary` tell; none when nothing tells whom the response is for.
fn told(lines: &[&str]) -> Option<Vec<String>> {
    let lines: Vec<HeaderValue> = lines.iter().map(|line| value(line)).collect();
    let variance = Variance::told(lines.iter())?;
    assert_eq!(variance.spelling == Spelling::Normal, !variance.names.is_empty());
    Some(variance.names().iter().map(ToString::to_string).collect())
}

/// What splits a page, the lines of two requests, and whether they ask for the same variant.
type Pair<'a> = (&'a [&'a str], &'a [Line<'a>], &'a [Line<'a>], bool);

#[test]
fn requests_that_ask_for_the_same_variant() {
    let cases: [Pair<'_>; 17] = [
        (&[], &[("accept-language", "en")], &[("accept-language", "de")], true),
        (&["accept-language"], &[("accept-language", "en")], &[("accept-language", "en")], true),
        (&["accept-language"], &[("accept-language", "en")], &[("accept-language", "de")], false),
        (&["accept-language"], &[("accept-language", "en")], &[], false),
        (&["accept-language"], &[("accept-language", "")], &[], false),
        (&["accept-language"], &[], &[], true),
        // A field that does not split the page has no part in it.
        (&["accept-language"], &[("x-other", "1")], &[("x-other", "2")], true),
        // Lines of one field are one list (RFC 9110 section 5.3), in their order.
        (&["accept"], &[("accept", "a"), ("accept", "b")], &[("accept", "a, b")], true),
        (&["accept"], &[("accept", "a"), ("accept", "b")], &[("accept", "b"), ("accept", "a")], false),
        (&["accept"], &[("accept", "a"), ("accept", "b")], &[("accept", "ab")], false),
        (&["accept"], &[("accept", "a"), ("accept", "")], &[("accept", "a")], false),
        (&["accept"], &[("accept", ""), ("accept", "a")], &[("accept", "a")], false),
        (&["accept"], &[("accept", "a"), ("x-between", "1"), ("accept", "b")], &[("accept", "a, b")], true),
        // Values of two fields do not run into each other.
        (&["x-a", "x-b"], &[("x-a", "1"), ("x-b", "2")], &[("x-a", "12"), ("x-b", "")], false),
        (&["x-a", "x-b"], &[("x-a", "1")], &[("x-b", "1")], false),
        (&["x-a", "x-b"], &[("x-a", "")], &[("x-b", "")], false),
        // Bytes outside ASCII are bytes like others.
        (&["x-a"], &[("x-a", "é")], &[("x-a", "è")], false),
    ];
    for (names, one, other, same) in cases {
        let [first, second] = [one, other].map(|lines| variant(names, Spelling::AsSent, lines));
        assert_eq!(first == second, same, "{names:?}: {one:?} and {other:?}");
        assert_eq!(first.matches(&request(other)), same, "{names:?}: {one:?} and {other:?}");
    }
}

#[test]
fn a_variant_has_a_size() {
    let size = |names: &[&str]| variant(names, Spelling::AsSent, &[("accept", "long enough")]).size();
    assert_eq!(size(&[]), 0);
    assert!(size(&["accept"]) >= "long enough".len() + size_of::<HeaderName>());
}

/// What forwards a field sees of it what the key knows.
#[test]
fn the_value_of_a_field_is_one_list() {
    let cases: [(&[Line<'_>], Option<&str>); 5] = [
        (&[], None),
        (&[("x-b", "1")], None),
        (&[("x-a", "")], Some("")),
        (&[("x-a", "1")], Some("1")),
        (&[("x-a", "1"), ("x-b", "2"), ("x-a", "3,4")], Some("1, 3,4")),
    ];
    for (lines, expected) in cases {
        let request = request(lines);
        let found = list_value(&request, &HeaderName::from_static("x-a"));
        assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{lines:?}");
    }
    // RFC 9113 section 8.2.3.
    let cookies = request(&[("cookie", "a=1"), ("cookie", "b=2; c=3")]);
    assert_eq!(list_value(&cookies, &http::header::COOKIE).as_deref(), Some(b"a=1; b=2; c=3".as_slice()));
}

/// `Vary` (RFC 9110 section 12.5.5).
#[test]
fn what_a_response_tells_of_its_variance() {
    let names = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect::<Vec<_>>());
    let cases: [(&[&str], Option<Vec<String>>); 20] = [
        (&[], names(&[])),
        (&[""], names(&[])),
        (&[" , ,"], names(&[])),
        (&["accept"], names(&["accept"])),
        (&["Accept"], names(&["accept"])),
        // In one order, whatever the handler's.
        (&["accept-language, accept"], names(&["accept", "accept-language"])),
        (&["accept", "Accept-Language"], names(&["accept", "accept-language"])),
        (&["accept,ACCEPT", "accept"], names(&["accept"])),
        (&["\taccept ,, x-a\t"], names(&["accept", "x-a"])),
        // An asterisk in any place and line: what is not in the request decides too.
        (&["*"], None),
        (&[" * "], None),
        (&["*, accept"], None),
        (&["accept, *"], None),
        (&["accept,*,x-a"], None),
        (&["accept", "*"], None),
        (&["*", "accept"], None),
        // What is no field name cannot be looked at.
        (&["accept language"], None),
        (&["accept, \"x\""], None),
        (&["accept; q=1"], None),
        // An asterisk is a letter of a name like others.
        (&["x*, **"], names(&["**", "x*"])),
    ];
    for (lines, expected) in cases {
        assert_eq!(told(lines), expected, "{lines:?}");
    }
}

/// Values of one field that mean the same, and values that do not (RFC 9111 section 4.1).
type Spellings<'a> = (&'a str, &'a [&'a str], &'a [&'a str], bool);

#[test]
fn spellings_that_mean_the_same() {
    let cases: [Spellings<'_>; 43] = [
        // White space between the elements of a list, and empty elements.
        ("accept", &["a,b"], &["a, b"], true),
        ("accept", &["a,b"], &["a\t ,\tb "], true),
        ("accept", &["a,b"], &["a", "b"], true),
        ("accept", &["a,b"], &[",a,, b,"], true),
        ("accept", &[""], &[","], true),
        ("accept", &["a,b"], &["b,a"], false),
        ("accept", &["a,b"], &["ab"], false),
        ("accept", &["a b"], &["a  b"], false),
        // Another field's elements may have a meaning of their own: their letters count.
        ("accept", &["text/html"], &["Text/HTML"], false),
        ("accept", &["a;q=0.5"], &["a;q=0.50"], false),
        ("user-agent", &["One/1.0"], &["one/1.0"], false),
        // A comma inside quotes is no border, nor is the white space beside it.
        ("accept", &["a;x=\"1, 2\""], &["a;x=\"1,2\""], false),
        ("accept", &["a;x=\"1, 2\",b"], &["a;x=\"1, 2\", b"], true),
        // Case, order and the writing of weights of languages.
        ("accept-language", &["en"], &["EN"], true),
        ("accept-language", &["en-GB, de"], &["de,en-gb"], true),
        ("accept-language", &["en;q=0.5, de"], &["de, en;q=0.5"], true),
        ("accept-language", &["en;q=0.5, de"], &["de;q=1, en ; Q=0.500"], true),
        ("accept-language", &["en", "de"], &["en, de"], true),
        ("accept-language", &["en;q=1."], &["en"], true),
        ("accept-language", &["en;q=0.5"], &["en"], false),
        ("accept-language", &["en;q=0.5, de"], &["de;q=0.5, en"], false),
        ("accept-language", &["en;q=0"], &["en"], false),
        ("accept-language", &["en;q=0"], &[""], false),
        ("accept-language", &["en, en"], &["en"], false),
        ("accept-language", &["en"], &["en-gb"], false),
        ("accept-language", &["*"], &["en"], false),
        ("accept-language", &["en,,"], &[" en"], true),
        // Weights that are none are compared as they are written (RFC 9110 section 12.4.2).
        ("accept-language", &["en;q=2"], &["en"], false),
        ("accept-language", &["en;q=2"], &["en;q=0"], false),
        ("accept-language", &["en;q=2"], &["en;q=3"], false),
        ("accept-language", &["en;q=0.0001"], &["en;q=0"], false),
        ("accept-language", &["en;q=.5"], &["en;q=0.5"], false),
        ("accept-language", &["en;q=1.001"], &["en"], false),
        ("accept-language", &["en;q=x, de"], &["de,EN;Q=X"], true),
        // Codings in the same way.
        ("accept-encoding", &["gzip, br"], &["BR,gzip"], true),
        ("accept-encoding", &["gzip;q=0.8, br;q=0.9"], &["br;q=0.9,gzip;q=0.80"], true),
        ("accept-encoding", &["gzip, br;q=0.9"], &["gzip, br"], false),
        ("accept-encoding", &["gzip"], &["gzip, br"], false),
        ("accept-encoding", &["identity;q=0"], &["identity"], false),
        // What names a person is compared to the letter.
        ("cookie", &["a=1; b=2"], &["b=2; a=1"], false),
        ("cookie", &["a=1,b=2"], &["a=1, b=2"], false),
        ("authorization", &["Basic x"], &["basic x"], false),
        ("authorization", &["Digest a=1,b=2"], &["Digest a=1, b=2"], false),
    ];
    for (name, one, other, same) in cases {
        let of = |values: &[&str]| {
            let lines: Vec<Line<'_>> = values.iter().map(|value| (name, *value)).collect();
            (variant(&[name], Spelling::Normal, &lines), request(&lines))
        };
        let ((first, first_request), (second, second_request)) = (of(one), of(other));
        assert_eq!(first == second, same, "{name}: {one:?} and {other:?}");
        assert_eq!(first.matches(&second_request), same, "{name}: {one:?} and {other:?}");
        assert_eq!(second.matches(&first_request), same, "{name}: {one:?} and {other:?}");
    }
}

/// A field that is not there is something else than one that is empty.
#[test]
fn a_field_that_is_missing_is_no_empty_one() {
    for name in ["accept", "accept-language", "accept-encoding", "cookie", "x-a"] {
        for spelling in [Spelling::AsSent, Spelling::Normal] {
            let without = variant(&[name], spelling, &[]);
            assert!(without.matches(&request(&[("x-other", "1")])), "{name}");
            assert!(!without.matches(&request(&[(name, "")])), "{name}");
            assert!(!variant(&[name], spelling, &[(name, "")]).matches(&request(&[])), "{name}");
        }
    }
}

/// Where the operator says what splits a page, variants of another configuration are not selected.
#[test]
fn variants_of_another_configuration_are_not_selected() {
    let [language, both] = [&["accept-language"][..], &["accept-language", "accept"][..]];
    let (operators, lines) = (variance(language, Spelling::AsSent), [("accept-language", "en")]);
    let cases = [
        (variant(language, Spelling::AsSent, &lines), true),
        (variant(language, Spelling::AsSent, &[("accept-language", "de")]), false),
        (variant(language, Spelling::Normal, &lines), false),
        (variant(both, Spelling::AsSent, &lines), false),
        (variant(&[], Spelling::AsSent, &lines), false),
    ];
    let request = request(&lines);
    let (mut by, mut any) = (Selecting::by(&operators, &request), Selecting::any(&request));
    // Twice, and one after the other: what was computed for one variance is not taken for another's.
    for (variant, expected) in cases.iter().chain(&cases) {
        assert_eq!(by.selects(variant), *expected, "{variant:?}");
        assert_eq!(any.selects(variant), variant.matches(&request), "{variant:?}");
    }
}

/// What splits a page, the request that a response was made for, its language, another request, and whether that one asks for
/// this language before any other and for nothing else that differs (RFC 9110 sections 8.5 and 12.5.4).
type Spoken<'a> = (&'a [&'a str], &'a [Line<'a>], &'a str, &'a [Line<'a>], bool);

#[test]
fn the_language_that_is_wanted_most() {
    const LANGUAGE: &[&str] = &["accept-language"];
    const BOTH: &[&str] = &["accept-language", "cookie"];
    const FR: Line<'_> = ("accept-language", "fr");
    let cases: [Spoken<'_>; 19] = [
        (LANGUAGE, &[FR], "en", &[("accept-language", "en")], true),
        (LANGUAGE, &[FR], "EN", &[("accept-language", "en;q=0.9, fr;q=0.8")], true),
        (LANGUAGE, &[FR], " en ", &[("accept-language", "fr;q=0.8, En")], true),
        (LANGUAGE, &[FR], "en", &[("accept-language", "de;q=0.1"), ("accept-language", "en;q=0.2")], true),
        (LANGUAGE, &[FR], "en", &[("accept-language", "fr, en;q=0.9")], false),
        // Of two that are wanted as much, the handler chooses.
        (LANGUAGE, &[FR], "en", &[("accept-language", "en, fr")], false),
        (LANGUAGE, &[FR], "en", &[("accept-language", "en, en-gb;q=0.9")], true),
        (LANGUAGE, &[FR], "en", &[("accept-language", "en-gb")], false),
        (LANGUAGE, &[FR], "en-gb", &[("accept-language", "en")], false),
        (LANGUAGE, &[FR], "en", &[("accept-language", "*")], false),
        (LANGUAGE, &[FR], "*", &[("accept-language", "*")], false),
        (LANGUAGE, &[FR], "en", &[("accept-language", "en;q=0")], false),
        (LANGUAGE, &[FR], "en;q=x", &[("accept-language", "en;q=x")], false),
        (LANGUAGE, &[FR], "en", &[], false),
        (LANGUAGE, &[FR], "en, fr", &[("accept-language", "en")], false),
        (&["accept"], &[("accept", "a")], "en", &[("accept", "a"), ("accept-language", "en")], false),
        // Whatever else splits the page has to be the same.
        (BOTH, &[FR, ("cookie", "a=1")], "en", &[("accept-language", "en"), ("cookie", "a=1")], true),
        (BOTH, &[FR, ("cookie", "a=1")], "en", &[("accept-language", "en"), ("cookie", "a=2")], false),
        (BOTH, &[FR, ("cookie", "a=1")], "en", &[("accept-language", "en")], false),
    ];
    for (names, made_for, language, asked, expected) in cases {
        let asked = request(asked);
        let page = |spelling| page_in(language, variant(names, spelling, made_for));
        let found = page(Spelling::Normal).select_by_language(&mut Selecting::any(&asked)).is_some();
        assert_eq!(found, expected, "{names:?} in {language:?} for {asked:?}");
        for spelling in [Spelling::AsSent, Spelling::Normal] {
            let operators = variance(names, spelling);
            let found = page(spelling).select_by_language(&mut Selecting::by(&operators, &asked)).is_some();
            assert!(!found, "what an operator says splits a page is compared to the letter");
        }
        // What has no language is in none.
        let silent = page_of(&[], variant(names, Spelling::Normal, made_for));
        assert!(silent.select_by_language(&mut Selecting::any(&asked)).is_none(), "{names:?} for {asked:?}");
    }
}

/// A page with one response in a language.
fn page_in(language: &str, variant: Variant) -> Page {
    page_of(&[(CONTENT_LANGUAGE, value(language))], variant)
}

fn page_of(fields: &[(HeaderName, HeaderValue)], variant: Variant) -> Page {
    let head = ResponseHead { status: StatusCode::OK, fields: fields.iter().cloned().collect::<Fields>() };
    let response = StoredResponse::new(head, &[], at_once(), None);
    let content = Content::Stored(Arc::new(response));
    Page::default().with(Slot { variant, content }, usize::MAX).0
}

/// Of several the one in that language, and by what they differ in one after the other.
#[test]
fn the_response_in_the_right_language_among_others() {
    let slots = [
        ("en", &["accept-language"][..], &[("accept-language", "fr")][..]),
        ("de", &["accept-language"], &[("accept-language", "it")]),
        ("de", &["accept-language", "cookie"], &[("accept-language", "nl"), ("cookie", "a=1")]),
    ];
    let page = slots.iter().fold(Page::default(), |page, (language, names, made_for)| {
        let one = page_in(language, variant(names, Spelling::Normal, made_for));
        let slot = one.select(&mut Selecting::any(&request(made_for)), at_once()).unwrap().clone();
        page.with(slot, usize::MAX).0
    });
    // The request, and the place of what is selected; the newest counts.
    let cases: [(&[Line<'_>], Option<usize>); 5] = [
        (&[("accept-language", "en")], Some(0)),
        (&[("accept-language", "de")], Some(1)),
        (&[("accept-language", "de"), ("cookie", "a=1")], Some(2)),
        (&[("accept-language", "de"), ("cookie", "a=2")], Some(1)),
        (&[("accept-language", "fr")], None),
    ];
    for (asked, expected) in cases {
        let request = request(asked);
        let mut selecting = Selecting::any(&request);
        let found = page.select_by_language(&mut selecting).map(|slot| slot.variant.clone());
        let expected = expected.map(|place| variant(slots[place].1, Spelling::Normal, slots[place].2));
        assert_eq!(found, expected, "{asked:?}");
        // What was computed for one is not taken for another's afterwards.
        for (_, names, made_for) in slots {
            let variant = variant(names, Spelling::Normal, made_for);
            assert_eq!(selecting.selects(&variant), variant.matches(&request), "{asked:?} and {made_for:?}");
        }
    }
}

fn at_once() -> Moment {
    Moment { wall: SystemTime::UNIX_EPOCH, monotonic: Duration::ZERO }
}

/// Longer lists than anyone needs are not put in order, but compared as other lists are.
#[test]
fn promise_6_only_so_many_ranges_are_put_in_order() {
    // So many ranges in some order, joined by this.
    let list = |count: usize, turned: bool, between: &str| {
        let mut ranges: Vec<String> = (0..count).map(|number| format!("l{number:03}")).collect();
        if turned {
            ranges.reverse();
        }
        ranges.join(between)
    };
    for name in ["accept-language", "accept-encoding"] {
        for (count, in_order) in [(MAX_RANGES, true), (MAX_RANGES + 1, false), (10 * MAX_RANGES, false)] {
            let of = |text: &str| variant(&[name], Spelling::Normal, &[(name, text)]);
            let plain = list(count, false, ",");
            let cases = [
                (list(count, true, ","), in_order),
                (plain.to_uppercase(), in_order),
                (plain.replacen("l001", "l001;q=1", 1), in_order),
                (list(count, false, " ,\t"), true),
                // What is empty is no range.
                (list(count, false, ",, ,"), true),
                (list(count + 1, false, ","), false),
                (list(count - 1, false, ","), false),
                (plain.replacen("l001", "x001", 1), false),
            ];
            for (other, same) in cases {
                assert_eq!(of(&plain) == of(&other), same, "{count} in {name}, and {other}");
                assert_eq!(of(&other).matches(&request(&[(name, &plain)])), same, "{count} in {name}, and {other}");
            }
        }
    }
    // Nor does such a list want any language most.
    for (others, expected) in [(MAX_RANGES - 1, true), (MAX_RANGES, false)] {
        let wanted = format!("en,{};q=0.5", list(others, false, ";q=0.5,"));
        let asked = request(&[("accept-language", &wanted)]);
        let page = page_in("en", variant(&["accept-language"], Spelling::Normal, &[("accept-language", "fr")]));
        let found = page.select_by_language(&mut Selecting::any(&asked)).is_some();
        assert_eq!(found, expected, "{others} others");
    }
}

/// Values of the fields that are compared in ways of their own, and others.
fn lines() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name =
        proptest::sample::select(vec!["accept-language", "accept-encoding", "accept", "cookie", "authorization"]);
    let part = prop_oneof![
        4 => proptest::sample::select(vec![
            "en", "EN", "de", "gzip", "*", ",", ", ", ";q=0.5", ";q=0.50", "; q=1", ";q=0", ";q=2", ";x=1", "\"", "\\", " ",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => any::<u8>().prop_filter("no control", |byte| (*byte >= b' ' && *byte != 0x7f) || *byte == b'\t').prop_map(|byte| vec![byte]),
    ];
    let text = proptest::collection::vec(part, 0..5).prop_map(|parts| parts.concat());
    proptest::collection::vec((name.prop_map(str::to_owned), text), 0..4)
}

fn of_lines(lines: &[(String, Vec<u8>)]) -> HeaderMap {
    let mut request = HeaderMap::new();
    for (name, text) in lines {
        request.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(text).unwrap());
    }
    request
}

fn names() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(
        vec!["accept-language", "accept-encoding", "accept", "cookie", "authorization", "x-a"],
        0..=6,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_variant_matches_the_request_it_was_made_for(names in names(), lines in lines()) {
        let request = of_lines(&lines);
        for spelling in [Spelling::AsSent, Spelling::Normal] {
            let variance = variance(&names, spelling);
            let variant = Variant::of(&variance, &request);
            prop_assert!(variant.matches(&request));
            prop_assert!(Selecting::by(&variance, &request).selects(&variant));
        }
    }

    /// To match is to have the same values: no variant is given to one who asked for another.
    #[test]
    fn requests_that_match_have_the_same_values(names in names(), one in lines(), other in lines()) {
        let [one, other] = [one, other].map(|lines| of_lines(&lines));
        for spelling in [Spelling::AsSent, Spelling::Normal] {
            let variance = variance(&names, spelling);
            let matches = Variant::of(&variance, &one).matches(&other);
            prop_assert_eq!(matches, variance.values(&one) == variance.values(&other));
            prop_assert_eq!(matches, Variant::of(&variance, &other).matches(&one));
            prop_assert_eq!(matches, Variant::of(&variance, &one) == Variant::of(&variance, &other));
        }
    }

    /// The normal spelling never tells apart what is the same to the letter.
    #[test]
    fn what_is_the_same_as_sent_is_the_same_in_normal_spelling(names in names(), one in lines(), other in lines()) {
        let [one, other] = [one, other].map(|lines| of_lines(&lines));
        let same = |spelling| Variant::of(&variance(&names, spelling), &one).matches(&other);
        prop_assert!(same(Spelling::Normal) || !same(Spelling::AsSent));
    }

    /// Neither does case, the order of the ranges, or the white space between them where they are weighted.
    #[test]
    fn the_order_of_weighted_ranges_means_nothing(
        ranges in proptest::collection::vec(("[a-z]{1,3}", 0u16..=1000), 0..6),
        turns in 0usize..6,
    ) {
        let written: Vec<String> = ranges.iter().map(|(name, weight)| format!("{name};q={}", decimal(*weight))).collect();
        let mut turned: Vec<String> = written.iter().map(|range| range.to_uppercase()).collect();
        turned.rotate_left(turns.min(ranges.len()));
        for name in ["accept-language", "accept-encoding"] {
            let [one, other] = [written.join(","), turned.join(" ,\t")]
                .map(|text| variant(&[name], Spelling::Normal, &[(name, &text)]));
            prop_assert_eq!(&one, &other);
        }
    }

    #[test]
    fn vary_is_read_whatever_it_says(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..3)) {
        let lines: Vec<HeaderValue> = lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
        let asterisk = lines.iter().any(|line| line.as_bytes().split(|byte| *byte == b',').any(|name| name.trim_ascii() == b"*"));
        let told = Variance::told(lines.iter());
        prop_assert!(!asterisk || told.is_none());
    }
}

fn decimal(thousandths: u16) -> String {
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}
