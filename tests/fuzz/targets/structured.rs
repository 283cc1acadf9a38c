//! Structured fields: targeted cache control (RFC 9213) and cache groups (RFC 9875). The first block is the lines of such a
//! field, the second a response beside it.
#![no_main]

use std::time::Duration;

use evergate_cache::{
    CACHE_GROUPS, CDN_CACHE_CONTROL, EVERGATE_CACHE_CONTROL, Fields, Groups, MAX_GROUP_NAME, MAX_GROUPS, OriginVerdict,
    ResponseHead, SURROGATE_CONTROL,
};
use evergate_fuzz::{GENEROUS, TARGETED, blocks, head, lines, stored, text, values, verdict, with, without};
use http::header::{CACHE_CONTROL, EXPIRES, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use sfv::Parser;

fuzz_target!(|data: &[u8]| {
    let [field, response] = blocks(data);
    let values = values(field);
    groups(&values);
    names_are_kept(field);
    targeted(&values, &head(response));
});

/// A List of Strings, or nothing at all.
fn groups(values: &[HeaderValue]) {
    let found = of(values, b"a ");
    assert!(found.len() <= MAX_GROUPS);
    assert_eq!(found, of(&[joined(values)], b"a "), "how a list is cut into lines means nothing");
    assert_eq!(found.is_empty(), found == of(values, b"b "), "two sites never share a group");
    if !values.is_empty() && !found.is_empty() {
        assert!(Parser::parse_list(joined(values).as_bytes()).is_ok());
    }
    let broken = [values, &[text("\"b\"; (")]].concat();
    assert!(of(&broken, b"a ").is_empty(), "what breaks the syntax anywhere is ignored");
    assert!(Groups::of(&Fields::default(), &CACHE_GROUPS, b"a ").is_empty());
}

/// Any text that a String may hold (RFC 9651 section 3.3.3) is a name, and the same one each time.
fn names_are_kept(field: &[u8]) {
    let holds = |name: &&[u8]| name.iter().all(|byte| (b' '..=b'~').contains(byte));
    let names: Vec<&[u8]> = lines(field).filter(holds).collect();
    let quoted = |name: &[u8]| {
        let escaped = String::from_utf8_lossy(name).replace('\\', "\\\\").replace('"', "\\\"");
        text(&format!("\"{escaped}\""))
    };
    let written: Vec<HeaderValue> = names.iter().map(|name| quoted(name)).collect();
    let kept: Vec<HeaderValue> =
        names.iter().filter(|name| name.len() <= MAX_GROUP_NAME).take(MAX_GROUPS).map(|name| quoted(name)).collect();
    assert_eq!(of(&written, b"a ").len(), kept.len());
    assert_eq!(of(&written, b"a "), of(&kept, b"a "));
    let others: Vec<HeaderValue> = names.iter().map(|name| quoted(&[name, b"-".as_slice()].concat())).collect();
    assert!(names.is_empty() || kept.is_empty() || of(&written, b"a ") != of(&others, b"a "));
}

fn of(values: &[HeaderValue], site: &[u8]) -> Groups {
    let fields: Fields = values.iter().map(|value| (CACHE_GROUPS, value.clone())).collect();
    Groups::of(&fields, &CACHE_GROUPS, site)
}

/// A targeted field stands alone where it is a Dictionary that says anything, and is ignored where it is not.
fn targeted(values: &[HeaderValue], head: &ResponseHead) {
    let untargeted = without(head, &TARGETED);
    let dictionary = Parser::parse_dictionary(joined(values).as_bytes());
    let heeded = !values.is_empty() && dictionary.is_ok_and(|dictionary| !dictionary.is_empty());
    for name in [EVERGATE_CACHE_CONTROL, CDN_CACHE_CONTROL] {
        let head = with_all(&untargeted, &name, values);
        if !heeded {
            assert_eq!(judged(&head), judged(&untargeted), "what breaks the syntax is ignored");
            continue;
        }
        let alone = judged(&without(&head, &[CACHE_CONTROL, EXPIRES]));
        assert_eq!(judged(&head), alone, "neither Cache-Control nor Expires is for us");
        assert_eq!(judged(&with(&head, CACHE_CONTROL, "no-store")), alone);
        assert_eq!(judged(&with(&head, SURROGATE_CONTROL, "no-store")), alone, "it comes last");
        for prohibition in ["must-understand=?0, no-store", "private", "private=1;a=b", "private=(a b)"] {
            assert!(stored(&judged(&with(&head, name.clone(), prohibition))).is_none(), "{prohibition}");
        }
        let mut ours = with(&head, CACHE_CONTROL, "max-age=60");
        ours.fields.remove(&EVERGATE_CACHE_CONTROL);
        assert!(stored(&judged(&with(&ours, EVERGATE_CACHE_CONTROL, "no-store"))).is_none(), "our own comes first");
    }
    for name in TARGETED {
        let head = with_all(&untargeted, &name, values);
        assert!(stored(&judged(&with(&head, SET_COOKIE, "a=b"))).is_none());
    }
}

fn judged(head: &ResponseHead) -> OriginVerdict {
    verdict(&GENEROUS, head, &HeaderMap::new(), Duration::ZERO)
}

fn with_all(head: &ResponseHead, name: &HeaderName, values: &[HeaderValue]) -> ResponseHead {
    let mut head = head.clone();
    for value in values {
        head.fields.append(name.clone(), value.clone());
    }
    head
}

fn joined(values: &[HeaderValue]) -> HeaderValue {
    let values: Vec<&[u8]> = values.iter().map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&values.join(b",".as_slice())).expect("values joined are one")
}
