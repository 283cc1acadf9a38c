//! What a confirmation, or the answer to a HEAD, changes of what is stored.

use http::HeaderName;
use http::HeaderValue;

use super::super::{Sharing, Update};
use super::{Line, RULES, after, head, request, secs, stored};
use crate::stored::Kept;
use crate::{CACHE_GROUPS, Dating, Fields, Groups, Recoding, Tagging};

/// A stored response, and what is learned of it from an answer that came with some age.
#[derive(Clone, Copy)]
struct Learned<'a> {
    status: u16,
    stored: &'a [Line<'a>],
    request: &'a [Line<'a>],
    lines: &'a [Line<'a>],
    age: u64,
}

const FRESH: &[Line<'static>] = &[("cache-control", "max-age=60"), ("etag", "\"a\"")];
const LEARNED: Learned<'static> = Learned { status: 200, stored: FRESH, request: &[], lines: &[], age: 0 };

/// The answer in words.
fn updated(learned: Learned<'_>) -> String {
    let recoding = Recoding::WhenAsked;
    let stored = stored(learned.status, learned.stored).with(secs(5), Kept { recoding, ..Kept::default() });
    let (head, request, age) = (head(304, learned.lines), request(learned.request), secs(learned.age));
    let (received, dating) = (after(100), Dating::ByGateway);
    let update = Update { head: &head, request: &request, received, age, site: b"site ", dating };
    let terms = match RULES.judge_update(&stored, &update) {
        Ok(terms) => terms,
        Err(reason) => return format!("decline {}", reason.as_str()),
    };
    let decided = (terms.initial_age, terms.tagging, terms.recoding, terms.dating);
    let recoding = stored.recoding_with(&stored.updated_by(&head));
    assert_eq!(decided, (Some(age), Tagging::Never, recoding, dating));
    let mut text = match terms.sharing {
        Sharing::Everyone => "keep".to_owned(),
        Sharing::Asker(reason) => format!("keep for the asker: {}", reason.as_str()),
    };
    if let Some(variant) = terms.variant {
        let names: Vec<&str> = variant.variance().names().iter().map(HeaderName::as_str).collect();
        assert!(variant.matches(&request), "it is for whoever asked");
        text.push_str(&format!(" by [{}]", names.join("+")));
    }
    if !terms.unshared.is_empty() {
        let names: Vec<&str> = terms.unshared.iter().map(HeaderName::as_str).collect();
        text.push_str(&format!(" without {}", names.join("+")));
    }
    for name in ["x", "y"] {
        let fields = Fields::from_iter([(CACHE_GROUPS, HeaderValue::from_str(&format!("\"{name}\"")).unwrap())]);
        if terms.groups == Groups::of(&fields, &CACHE_GROUPS, b"site ") {
            text.push_str(&format!(" in {name}"));
        }
    }
    text
}

/// What a 304 and the answer to a HEAD say is judged together with what is stored (RFC 9111 sections 3.2, 4.3.4 and 4.3.5).
#[test]
fn what_is_learned_of_a_stored_response() {
    const VARIED: &[Line<'_>] = &[("cache-control", "max-age=60"), ("vary", "accept")];
    const WRITTEN_VARY: &[Line<'_>] = &[("cache-control", "max-age=60"), ("vary", "x-request-id")];
    const GROUPED: &[Line<'_>] = &[("cache-control", "max-age=60"), ("cache-groups", "\"x\"")];
    const EN: &[Line<'_>] = &[("accept-language", "en")];
    let cases = [
        (LEARNED, "keep"),
        (Learned { lines: &[("x-a", "1")], ..LEARNED }, "keep"),
        // The age is that with which the answer came.
        (Learned { age: 59, ..LEARNED }, "keep"),
        (Learned { age: 60, ..LEARNED }, "keep for the asker: no-lifetime"),
        (Learned { age: 60, lines: &[("cache-control", "max-age=61")], ..LEARNED }, "keep"),
        (Learned { lines: &[("cache-control", "no-cache")], ..LEARNED }, "keep for the asker: no-cache"),
        (Learned { lines: &[("cache-control", "public")], stored: &FRESH[..1], ..LEARNED }, "decline no-lifetime"),
        // What it forbids counts, and what it says no more of does not.
        (Learned { lines: &[("cache-control", "max-age=60, private")], ..LEARNED }, "decline private"),
        (Learned { lines: &[("cache-control", "max-age=60, no-store")], ..LEARNED }, "decline no-store"),
        (Learned { lines: &[("set-cookie", "a=b")], ..LEARNED }, "decline set-cookie"),
        (Learned { lines: &[("cache-control", "max-age=60, no-cache=x-a")], ..LEARNED }, "keep without x-a"),
        (Learned { lines: &[("cache-control", "max-age=60, private=vary")], ..LEARNED }, "decline private"),
        (Learned { stored: &[("cache-control", "max-age=60, private=x-a")], ..LEARNED }, "keep without x-a"),
        (Learned { request: &[("authorization", "Basic x")], ..LEARNED }, "decline credentials"),
        (
            Learned {
                request: &[("authorization", "Basic x")],
                lines: &[("cache-control", "public, max-age=60")],
                ..LEARNED
            },
            "keep",
        ),
        // Where it says nothing of whom it is for, the response is for whom it was.
        (Learned { stored: VARIED, ..LEARNED }, "keep"),
        (Learned { stored: WRITTEN_VARY, ..LEARNED }, "keep"),
        (Learned { stored: VARIED, lines: &[("vary", "accept")], ..LEARNED }, "keep by [accept]"),
        (
            Learned { stored: VARIED, request: EN, lines: &[("vary", "accept-language, x-a")], ..LEARNED },
            "keep by [accept-language+x-a]",
        ),
        (Learned { stored: VARIED, lines: &[("vary", "")], ..LEARNED }, "keep by []"),
        (Learned { lines: &[("vary", "*")], ..LEARNED }, "decline vary"),
        (Learned { lines: &[("vary", "x-request-id")], ..LEARNED }, "decline vary"),
        // The groups of both.
        (Learned { stored: GROUPED, ..LEARNED }, "keep in x"),
        (Learned { stored: GROUPED, lines: &[("cache-groups", "\"y\"")], ..LEARNED }, "keep in y"),
        (Learned { lines: &[("cache-groups", "\"y\"")], ..LEARNED }, "keep in y"),
        // The status stays.
        (Learned { status: 404, ..LEARNED }, "keep"),
        (
            Learned { status: 404, age: 60, lines: &[("cache-control", "s-maxage=60")], ..LEARNED },
            "decline no-lifetime",
        ),
        (Learned { status: 503, ..LEARNED }, "keep"),
        (Learned { status: 503, age: 60, ..LEARNED }, "decline no-lifetime"),
    ];
    for (learned, expected) in cases {
        let Learned { status, stored, request, lines, age } = learned;
        assert_eq!(updated(learned), expected, "{status} {stored:?} and {lines:?} of {age} s to {request:?}");
    }
}
