//! `Vary`, and what it makes of requests. The first block is the lines of the field, the next two are requests.
#![no_main]

use std::collections::BTreeSet;

use evergate_cache::{MAX_RANGES, MAX_VARY_FIELDS, Spelling, Variance, Variant, list_value};
use evergate_fuzz::{blocks, request, values};
use http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [vary, one, other] = blocks(data);
    let vary = values(vary);
    let (one, other) = (request(one), request(other));
    let told = Variance::told(vary.iter());
    names(&vary, told.as_ref());
    let Some(told) = told else { return };
    let as_sent = Variance::new(told.names().to_vec(), Spelling::AsSent);
    for variance in [&told, &as_sent] {
        let variant = Variant::of(variance, &one);
        assert!(variant.matches(&one));
        assert_eq!(variant.matches(&other), Variant::of(variance, &other).matches(&one));
        assert_eq!(variant.matches(&other), variant == Variant::of(variance, &other));
        assert_eq!(variant.variance(), variance);
        fields_that_do_not_matter(&variant, &one);
    }
    if Variant::of(&as_sent, &one).matches(&other) {
        assert!(told.names().iter().all(|name| list_value(&one, name) == list_value(&other, name)));
        assert!(Variant::of(&told, &one).matches(&other), "what is the same to the letter means the same");
    }
    if Variant::of(&told, &one).matches(&other) {
        assert!(told.names().iter().all(|name| letters(&one, name) == letters(&other, name)));
    }
    assert!(Variant::of(&told, &one).matches(&spelled_otherwise(&one)));
});

/// Each name once and in order; nothing where there is a `*`, or what is no name (RFC 9110 section 12.5.5), or too many.
fn names(vary: &[HeaderValue], told: Option<&Variance>) {
    let elements = vary.iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let elements: Vec<&[u8]> = elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty()).collect();
    let names: Option<Vec<_>> = elements.iter().map(|element| HeaderName::from_bytes(element).ok()).collect();
    let distinct = names.map(|names| names.iter().map(HeaderName::as_str).collect::<BTreeSet<_>>().len());
    let tells = !elements.contains(&b"*".as_slice()) && distinct.is_some_and(|distinct| distinct <= MAX_VARY_FIELDS);
    assert_eq!(told.is_some(), tells);
    let Some(told) = told else { return };
    assert_eq!(Some(told.names().len()), distinct);
    assert!(told.names().is_sorted_by(|a, b| a.as_str() < b.as_str()));
    for element in elements {
        assert!(told.names().iter().any(|name| name.as_str().as_bytes().eq_ignore_ascii_case(element)));
    }
}

/// A field more, that splits nothing; and every field less that splits something.
fn fields_that_do_not_matter(variant: &Variant, request: &HeaderMap) {
    let mut more = request.clone();
    let name = HeaderName::from_static("x-of-no-matter");
    if !variant.variance().names().contains(&name) {
        more.append(name, HeaderValue::from_static("1"));
        assert!(variant.matches(&more));
    }
    for name in variant.variance().names() {
        let mut less = request.clone();
        if less.remove(name).is_some() {
            assert!(!variant.matches(&less), "without {name} it is another request");
        }
    }
}

/// What two values of the same meaning have in common at least: their letters, and for ranges with weights the ranges, in any
/// order.
fn letters(request: &HeaderMap, name: &HeaderName) -> Option<Vec<Vec<u8>>> {
    let list = list_value(request, name)?;
    if *name == COOKIE || *name == AUTHORIZATION {
        return Some(vec![list.into_owned()]);
    }
    let solid = |text: &[u8]| text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<u8>>();
    if *name != ACCEPT_LANGUAGE && *name != ACCEPT_ENCODING {
        return Some(vec![solid(&list).into_iter().filter(|byte| *byte != b',').collect()]);
    }
    let range = |element: &[u8]| solid(element.split(|byte| *byte == b';').next().unwrap_or_default());
    let mut ranges: Vec<Vec<u8>> = list.to_ascii_lowercase().split(|byte| *byte == b',').map(range).collect();
    // An element without a range may be empty, which means nothing, or not; which of the two is beyond this check.
    ranges.retain(|range| !range.is_empty());
    ranges.sort();
    Some(ranges)
}

/// The request with each field in one line; without quotes, with other white space; where neither order nor case means
/// anything, in another order and in capitals (RFC 9111 section 4.1).
fn spelled_otherwise(request: &HeaderMap) -> HeaderMap {
    let mut otherwise = HeaderMap::new();
    for name in request.keys() {
        let list = list_value(request, name).unwrap_or_default();
        let ranges = list.split(|byte| *byte == b',').filter(|range| !range.trim_ascii().is_empty()).count();
        let weighted = (*name == ACCEPT_LANGUAGE || *name == ACCEPT_ENCODING) && ranges <= MAX_RANGES;
        let list = if weighted || *name != COOKIE && *name != AUTHORIZATION && !list.contains(&b'"') {
            let mut elements: Vec<Vec<u8>> = list.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect();
            if weighted {
                elements.reverse();
                elements.iter_mut().for_each(|element| element.make_ascii_uppercase());
            }
            elements.join(b" ,\t, ".as_slice())
        } else {
            list.into_owned()
        };
        otherwise.insert(name, HeaderValue::from_bytes(&list).expect("values joined are one"));
    }
    otherwise
}
