//! What is kept of an answer: its fields, its ages, its validators, its bytes on the wire, its size.

use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue, StatusCode};

use super::{Arrival, Dating, Description, Kept, Making, StoredResponse};
use crate::memory::allocated;
use crate::record::Record;
use crate::registry::Registry;
use crate::standing::Mark;
use crate::{Coding, Fields, Heed, Moment, Representation, ResponseHead};

type Line<'a> = (&'a str, &'a str);

/// 1994-11-15 08:12:31, and so much later.
fn after(seconds: u64) -> Moment {
    let time = Duration::from_secs(seconds);
    Moment { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(784_887_151) + time, monotonic: time }
}

fn head(status: u16, lines: &[Line<'_>]) -> ResponseHead {
    let line = |(name, value): &Line<'_>| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    ResponseHead { status: StatusCode::from_u16(status).unwrap(), fields: lines.iter().map(line).collect::<Fields>() }
}

fn stored(status: u16, lines: &[Line<'_>], body: &'static str) -> StoredResponse {
    StoredResponse::new(head(status, lines), body.as_bytes(), after(0), None)
}

fn tagged(lines: &[Line<'_>], made: &'static str) -> StoredResponse {
    StoredResponse::new(head(200, lines), b"body", after(0), Some(HeaderValue::from_static(made)))
}

fn lines(response: &StoredResponse) -> Vec<Line<'_>> {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    response.identity().lines().map(|(name, value)| (text(name), text(value))).collect()
}

#[test]
fn the_length_is_that_of_the_body() {
    let cases: [(u16, &[Line<'_>], &'static str, &[Line<'_>]); 7] = [
        (200, &[], "body", &[("content-length", "4")]),
        (200, &[], "", &[("content-length", "0")]),
        (200, &[("content-length", "4")], "body", &[("content-length", "4")]),
        (
            200,
            &[("content-length", "9"), ("x-a", "1"), ("content-length", "9")],
            "body",
            &[("x-a", "1"), ("content-length", "4")],
        ),
        (404, &[], "gone", &[("content-length", "4")]),
        (204, &[("content-length", "0")], "", &[]),
        (301, &[("location", "/a")], "", &[("location", "/a"), ("content-length", "0")]),
    ];
    for (status, given, body, expected) in cases {
        let response = stored(status, given, body);
        assert_eq!(lines(&response), expected, "{status} {given:?}");
        assert_eq!((response.head().status.as_u16(), &response.body()[..]), (status, body.as_bytes()));
    }
}

#[test]
fn age_is_what_it_had_and_the_time_here() {
    let cases: [(&[&str], u64); 9] = [
        (&[], 0),
        (&["0"], 0),
        (&["30"], 30),
        (&[" 30 "], 30),
        (&["2147483648"], 2_147_483_648),
        // Unreadable is ignored, of several the first counts (RFC 9111 section 5.1).
        (&["-1"], 0),
        (&["1.5"], 0),
        (&["soon"], 0),
        (&["30", "60"], 30),
    ];
    for (ages, initial) in cases {
        let given: Vec<Line<'_>> = ages.iter().map(|age| ("age", *age)).collect();
        let response = stored(200, &given, "body");
        for seconds in [0, 1, 100] {
            assert_eq!(response.age(after(seconds)).as_secs(), initial + seconds, "{ages:?} after {seconds} s");
            assert_eq!(response.resident(after(seconds)).as_secs(), seconds, "{ages:?}");
        }
        assert_eq!(lines(&response), [("content-length", "4")], "{ages:?} stays among the fields");
    }
}

/// The rows of RFC 9111 that a number type does not read by itself: section 1.2.2 for what is too large, section 5.1 for a
/// list, and no sign.
#[test]
fn an_unusual_age_is_read_with_caution() {
    let large = 2_147_483_648;
    for (age, least) in [("4294967296", large), ("99999999999999999999", large), ("10, 20", 10)] {
        let found = stored(200, &[("age", age)], "body").age(after(0)).as_secs();
        assert!(found >= least, "{age}: {found}");
    }
    assert_eq!(stored(200, &[("age", "+5")], "body").age(after(0)), Duration::ZERO, "+5");
}

#[test]
fn the_handlers_own_lifetime() {
    const DATE: &str = "Tue, 15 Nov 1994 08:12:31 GMT";
    const LATER: &str = "Tue, 15 Nov 1994 08:13:31 GMT";
    let cases: [(&[Line<'_>], Option<u64>); 16] = [
        (&[], None),
        (&[("cache-control", "public")], None),
        (&[("cache-control", "max-age=30")], Some(30)),
        (&[("cache-control", "max-age=30, s-maxage=20")], Some(20)),
        // What was old already when it came has less of it left.
        (&[("cache-control", "max-age=30"), ("age", "10")], Some(20)),
        (&[("cache-control", "max-age=30"), ("age", "31")], Some(0)),
        (&[("expires", LATER), ("date", DATE), ("age", "10")], Some(50)),
        (&[("expires", LATER), ("date", DATE)], Some(60)),
        // Without a date it came when it came.
        (&[("expires", LATER)], Some(60)),
        (&[("expires", LATER), ("date", "soon")], Some(60)),
        (&[("expires", DATE), ("date", LATER)], Some(0)),
        (&[("expires", "0"), ("date", DATE)], Some(0)),
        (&[("expires", ""), ("date", DATE)], Some(0)),
        // Both obsolete spellings of dates are read (RFC 9110 section 5.6.7).
        (&[("expires", "Tuesday, 15-Nov-94 08:13:31 GMT"), ("date", "Tue Nov 15 08:12:31 1994")], Some(60)),
        // Directives beat Expires (RFC 9111 section 5.3), also one that cannot be read.
        (&[("expires", LATER), ("cache-control", "max-age=5"), ("date", DATE)], Some(5)),
        (&[("expires", LATER), ("cache-control", "max-age=soon"), ("date", DATE)], Some(0)),
    ];
    for (given, expected) in cases {
        let found = stored(404, given, "").explicit_lifetime();
        assert_eq!(found.map(|time| time.as_secs()), expected, "{given:?}");
        assert_eq!(stored(200, given, "").explicit_lifetime(), None, "it counts for nothing, and takes no room");
    }
}

#[test]
fn validators_are_the_handlers() {
    let etag = |response: &StoredResponse| response.head().fields.get(&http::header::ETAG).cloned();
    let cases: [(&[Line<'_>], Option<&str>, &str); 4] = [
        (&[], None, "\"made\""),
        (&[("etag", "\"own\"")], Some("\"own\""), "\"own\""),
        (&[("etag", "W/\"own\"")], Some("W/\"own\""), "W/\"own\""),
        (&[("etag", "unquoted")], Some("unquoted"), "unquoted"),
    ];
    for (given, to_the_handler, to_visitors) in cases {
        let response = tagged(given, "\"made\"");
        assert_eq!(response.handler_etag().as_ref().map(|tag| tag.to_str().unwrap()), to_the_handler, "{given:?}");
        assert_eq!(etag(&response).unwrap(), to_visitors, "{given:?}");
    }
    let response = stored(200, &[("last-modified", "Tue, 15 Nov 1994 08:12:31 GMT")], "");
    assert_eq!(response.last_modified().unwrap(), "Tue, 15 Nov 1994 08:12:31 GMT");
    assert_eq!((response.handler_etag(), etag(&response)), (None, None));
}

#[test]
fn only_what_has_a_validator_can_be_confirmed() {
    const DATE: &str = "Tue, 15 Nov 1994 08:12:31 GMT";
    let cases: [(u16, &[Line<'_>], bool); 7] = [
        (200, &[], false),
        (200, &[("etag", "\"own\"")], true),
        (200, &[("etag", "W/\"own\"")], true),
        (200, &[("last-modified", DATE)], true),
        (404, &[("etag", "\"own\"")], false),
        (301, &[("last-modified", DATE)], false),
        (204, &[("etag", "\"own\"")], false),
    ];
    for (status, given, expected) in cases {
        assert_eq!(stored(status, given, "").can_be_confirmed(), expected, "{status} {given:?}");
    }
    // A tag of the gateway's own is no validator to the handler.
    assert!(!tagged(&[], "\"made\"").can_be_confirmed());
}

/// A stored response, what a 304 says, and whether it is about that response (RFC 9111 section 4.3.4).
#[test]
fn a_confirmation_with_another_strong_tag_is_about_something_else() {
    let given = stored(200, &[("etag", "\"own\"")], "");
    let weak = stored(200, &[("etag", "W/\"own\"")], "");
    let made = tagged(&[("last-modified", "Tue, 15 Nov 1994 08:12:31 GMT")], "\"made\"");
    let cases: [(&StoredResponse, &[Line<'_>], bool); 9] = [
        (&given, &[], true),
        (&given, &[("etag", "\"own\"")], true),
        (&given, &[("etag", "\"other\"")], false),
        (&given, &[("etag", "W/\"own\"")], true),
        (&weak, &[("etag", "W/\"own\"")], true),
        (&weak, &[("etag", "\"own\"")], false),
        (&made, &[], true),
        // The gateway has made that one up, the handler cannot have meant it.
        (&made, &[("etag", "\"made\"")], false),
        (&made, &[("etag", "\"own\"")], false),
    ];
    for (response, fields, expected) in cases {
        let etag = response.identity().value(&http::header::ETAG);
        assert_eq!(response.is_meant_by(&head(304, fields)), expected, "{etag:?} {fields:?}");
    }
}

/// The same where every validator of the 304 has to be its own.
#[test]
fn a_confirmation_is_about_what_has_its_validators() {
    const DATE: Line<'_> = ("last-modified", "Tue, 15 Nov 1994 08:12:31 GMT");
    const LATER: Line<'_> = ("last-modified", "Tue, 15 Nov 1994 08:12:32 GMT");
    const STRONG: Line<'_> = ("etag", "\"own\"");
    const WEAK: Line<'_> = ("etag", "W/\"own\"");
    const OTHER: Line<'_> = ("etag", "\"other\"");
    const OTHER_WEAK: Line<'_> = ("etag", "W/\"other\"");
    let cases: [(&[Line<'_>], &[Line<'_>], bool); 24] = [
        // It has none.
        (&[], &[], true),
        (&[STRONG], &[], true),
        (&[WEAK, DATE], &[], true),
        // A strong one counts to the letter.
        (&[STRONG], &[STRONG], true),
        (&[STRONG], &[OTHER], false),
        (&[WEAK], &[STRONG], false),
        (&[], &[STRONG], false),
        (&[DATE], &[STRONG, DATE], false),
        // A weak one means the same as a strong one (RFC 9110 section 8.8.3.2).
        (&[WEAK], &[WEAK], true),
        (&[STRONG], &[WEAK], true),
        (&[WEAK], &[OTHER_WEAK], false),
        (&[STRONG], &[OTHER_WEAK], false),
        (&[("etag", "\"OWN\"")], &[WEAK], false),
        (&[("etag", "W/own")], &[WEAK], false),
        (&[], &[WEAK], false),
        (&[DATE], &[WEAK, DATE], false),
        // Beside a tag, a date says nothing more.
        (&[STRONG, DATE], &[STRONG, LATER], true),
        (&[STRONG, DATE], &[WEAK, LATER], true),
        (&[STRONG, DATE], &[OTHER, DATE], false),
        // Without one it counts.
        (&[DATE], &[DATE], true),
        (&[DATE], &[LATER], false),
        (&[LATER], &[DATE], false),
        (&[STRONG, DATE], &[LATER], false),
        (&[STRONG, DATE], &[DATE], true),
    ];
    for (given, fields, expected) in cases {
        assert_eq!(stored(200, given, "").is_confirmed_by(&head(304, fields)), expected, "{given:?} {fields:?}");
    }
    // The gateway's own tag means nothing to the handler, weakly either.
    for etag in ["\"made\"", "W/\"made\""] {
        assert!(!tagged(&[], "\"made\"").is_confirmed_by(&head(304, &[("etag", etag)])), "{etag}");
    }
}

/// A stored response of the body `body`, the status and the fields of the answer to a HEAD, and what they say of it (RFC 9111
/// section 4.3.5).
type Described<'a> = (&'a [Line<'a>], u16, &'a [Line<'a>], Description);

#[test]
fn what_a_head_says_of_a_response() {
    use Description::{Another, Nothing, This};
    const DATE: Line<'_> = ("last-modified", "Tue, 15 Nov 1994 08:12:31 GMT");
    const TAG: Line<'_> = ("etag", "\"own\"");
    const WEAK: Line<'_> = ("etag", "W/\"own\"");
    const FOUR: Line<'_> = ("content-length", "4");
    let cases: [Described<'_>; 22] = [
        (&[], 200, &[], Nothing),
        (&[TAG, DATE], 200, &[("cache-control", "max-age=60"), ("date", "now")], Nothing),
        (&[], 404, &[], Another),
        (&[TAG], 404, &[TAG, FOUR], Another),
        (&[], 200, &[FOUR], This),
        (&[TAG, DATE], 200, &[FOUR], This),
        (&[], 200, &[("content-length", "5")], Another),
        (&[], 200, &[("content-length", "four")], Another),
        (&[], 200, &[("content-length", "+4")], Another),
        (&[TAG], 200, &[TAG], This),
        (&[WEAK], 200, &[WEAK], This),
        (&[TAG], 200, &[WEAK], Another),
        (&[WEAK], 200, &[TAG], Another),
        (&[TAG], 200, &[("etag", "\"other\"")], Another),
        (&[], 200, &[TAG], Another),
        (&[DATE], 200, &[DATE], This),
        (&[], 200, &[DATE], Another),
        (&[DATE], 200, &[("last-modified", "Tue, 15 Nov 1994 08:12:32 GMT")], Another),
        // Every one has to be its own.
        (&[TAG, DATE], 200, &[TAG, DATE, FOUR], This),
        (&[TAG], 200, &[TAG, DATE], Another),
        (&[TAG, DATE], 200, &[("etag", "\"other\""), DATE, FOUR], Another),
        (&[TAG, DATE], 200, &[TAG, DATE, ("content-length", "5")], Another),
    ];
    for (given, status, fields, expected) in cases {
        let found = stored(200, given, "body").description(&head(status, fields));
        assert_eq!(found, expected, "{given:?} {status} {fields:?}");
    }
    assert_eq!(tagged(&[], "\"made\"").description(&head(200, &[("etag", "\"made\"")])), Another);
    assert_eq!(tagged(&[], "\"made\"").description(&head(200, &[])), Nothing);
    assert_eq!(stored(404, &[TAG], "body").description(&head(404, &[TAG])), This);
}

/// Each coding is tried once for a body: whatever is made of a response afterwards knows of it, and so does a confirmation that
/// was under way, once it takes the place of the response.
#[test]
fn a_coding_is_tried_once_for_a_body() {
    for coding in Coding::ALL {
        let one = stored(200, &[("etag", "\"own\"")], "body");
        let under_way = one.renewed(&head(304, &[]), after(1));
        assert!(!one.is_claimed(coding) && one.claim(coding), "{coding:?}");
        let all = [
            one.renewed(&head(304, &[]), after(1)),
            one.with_coding(Coding::Gzip, b"gzip"),
            one.renewed(&head(304, &[]), after(1)).with_coding(Coding::Br, b"br"),
            one.with_coding(Coding::Gzip, b"gzip").renewed(&head(304, &[]), after(1)),
            under_way.with_codings_of(&one),
            one,
        ];
        assert!(all.iter().all(|other| other.is_claimed(coding) && !other.claim(coding)), "{coding:?}");
        // Another response is another body.
        assert!(stored(200, &[("etag", "\"own\"")], "body").claim(coding), "{coding:?}");
    }
}

#[test]
fn the_wire_form_is_the_head_without_its_empty_line() {
    let cases: [(u16, &[Line<'_>], &str); 4] = [
        (
            200,
            &[("x-b", "1"), ("x-a", "2"), ("x-b", "3")],
            "HTTP/1.1 200 OK\r\nx-b: 1\r\nx-a: 2\r\nx-b: 3\r\ncontent-length: 4\r\n",
        ),
        (404, &[("age", "5")], "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n"),
        (204, &[("x-a", "")], "HTTP/1.1 204 No Content\r\nx-a: \r\n"),
        // A status without a name still has the space before it (RFC 9112 section 4).
        (299, &[], "HTTP/1.1 299 \r\ncontent-length: 4\r\n"),
    ];
    for (status, given, expected) in cases {
        let response = stored(status, given, "body");
        assert_eq!(std::str::from_utf8(response.wire()).unwrap(), expected);
    }
    assert!(tagged(&[], "\"made\"").wire().ends_with(b"etag: \"made\"\r\ncontent-length: 4\r\n"));
}

#[test]
fn the_size_counts_fields_and_the_body() {
    let small = stored(200, &[("x-a", "1")], "body");
    let body = "a longer body than the other one, so that it takes more whatever the allocator gives";
    let cases = [
        (stored(200, &[("x-a", "1")], body), body.len() - "body".len()),
        (stored(200, &[("x-a", "1"), ("x-b", "0123456789")], "body"), 0),
    ];
    assert!(small.size() >= size_of::<StoredResponse>() + small.wire().len() + small.body().len());
    for (larger, least) in cases {
        assert!(larger.size() >= small.size() + least, "{} and {}", larger.size(), small.size());
    }
}

/// What was stored, what the 304 says, and what is there afterwards.
type Renewal<'a> = (&'a [Line<'a>], &'a [Line<'a>], &'a [Line<'a>]);

#[test]
fn a_confirmed_response_takes_the_fields_of_the_confirmation() {
    let cases: [Renewal<'_>; 8] = [
        (&[("x-a", "1")], &[], &[("x-a", "1"), ("content-length", "4")]),
        (&[("x-a", "1")], &[("x-a", "2")], &[("x-a", "2"), ("content-length", "4")]),
        (
            &[("x-a", "1"), ("x-a", "2"), ("x-b", "3")],
            &[("x-a", "4")],
            &[("x-b", "3"), ("x-a", "4"), ("content-length", "4")],
        ),
        (&[], &[("x-a", "1"), ("x-a", "2")], &[("x-a", "1"), ("x-a", "2"), ("content-length", "4")]),
        (&[("date", "then")], &[("date", "now")], &[("date", "now"), ("content-length", "4")]),
        // It has no body, so what it says of one is not about ours.
        (&[], &[("content-length", "0")], &[("content-length", "4")]),
        (
            // What describes the bytes is excepted (RFC 9111 section 3.2), what describes their meaning is not.
            &[("content-type", "text/html"), ("content-encoding", "br"), ("content-md5", "MQ==")],
            &[
                ("content-type", "text/plain"),
                ("content-encoding", "gzip"),
                ("content-range", "bytes 0-0/4"),
                ("content-md5", "Mg=="),
            ],
            &[
                ("content-type", "text/plain"),
                ("content-encoding", "br"),
                ("content-md5", "MQ=="),
                ("content-length", "4"),
            ],
        ),
        (&[("age", "50")], &[("age", "7")], &[("content-length", "4")]),
    ];
    for (given, confirmation, expected) in cases {
        let old = stored(200, given, "body");
        let renewed = old.renewed(&head(304, confirmation), after(100));
        let [mut found, mut wanted] = [lines(&renewed), expected.to_vec()];
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{given:?} confirmed with {confirmation:?}");
        assert_eq!((renewed.head().status.as_u16(), &renewed.body()), (200, &old.body()));
        assert!(renewed.wire().starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}

/// What was stored, what the 304 says, the age and the handler's own lifetime from then on.
type Life<'a> = (&'a [Line<'a>], &'a [Line<'a>], u64, Option<u64>);

#[test]
fn a_confirmed_response_begins_another_life() {
    let cases: [Life<'_>; 5] = [
        (&[], &[], 0, None),
        (&[("age", "50")], &[], 0, None),
        (&[("age", "50")], &[("age", "7")], 7, None),
        (&[("cache-control", "max-age=30")], &[], 0, Some(30)),
        (&[("cache-control", "max-age=30")], &[("cache-control", "max-age=60")], 0, Some(60)),
    ];
    for (given, confirmation, age, lifetime) in cases {
        let renewed = stored(404, given, "body").renewed(&head(304, confirmation), after(100));
        assert_eq!(renewed.age(after(100)).as_secs(), age, "{given:?} {confirmation:?}");
        assert_eq!(renewed.resident(after(130)).as_secs(), 30, "{given:?} {confirmation:?}");
        assert_eq!(renewed.explicit_lifetime().map(|time| time.as_secs()), lifetime, "{given:?} {confirmation:?}");
    }
}

#[test]
fn a_tag_of_the_gateways_stays_its_own_through_a_confirmation() {
    let cases: [(&[Line<'_>], Option<&str>, &str); 2] =
        [(&[], None, "\"made\""), (&[("etag", "\"own\"")], Some("\"own\""), "\"own\"")];
    for (confirmation, to_the_handler, to_visitors) in cases {
        let mut response = tagged(&[], "\"made\"");
        // Twice: the second confirmation starts from what the first has made.
        for _ in 0..2 {
            response = response.renewed(&head(304, confirmation), after(100));
            let visitors = response.identity().value(&http::header::ETAG).unwrap();
            assert_eq!(
                response.handler_etag().as_ref().map(|tag| tag.to_str().unwrap()),
                to_the_handler,
                "{confirmation:?}"
            );
            assert_eq!(visitors, to_visitors, "{confirmation:?}");
        }
    }
    let kept = tagged(&[("etag", "\"own\"")], "\"made\"").renewed(&head(304, &[]), after(100));
    assert_eq!(kept.handler_etag().unwrap(), "\"own\"");
}

/// A `Date` that the gateway has added comes from another clock than the dates of the handler.
#[test]
fn only_the_handlers_date_is_the_handlers() {
    const DATE: &str = "Tue, 15 Nov 1994 08:12:31 GMT";
    for (dating, lines, expected) in [
        (Dating::ByHandler, &[("date", DATE)][..], Some(DATE)),
        (Dating::ByGateway, &[("date", DATE)], None),
        (Dating::ByHandler, &[], None),
    ] {
        let response = stored(200, lines, "").with(Duration::ZERO, Kept { dating, ..Kept::default() });
        assert_eq!(
            response.handler_date().as_ref().map(|date| date.to_str().unwrap()),
            expected,
            "{dating:?} {lines:?}"
        );
        assert_eq!(response.head().fields.contains(&http::header::DATE), !lines.is_empty());
    }
}

#[test]
fn what_was_stale_when_it_came_is_told_by_its_head() {
    let cases: [(&[Line<'_>], Arrival); 11] = [
        (&[], Arrival::Fresh),
        (&[("x-nextjs-cache", "HIT")], Arrival::Fresh),
        (&[("x-nextjs-cache", "STALE")], Arrival::Stale),
        (&[("x-nextjs-cache", "stale"), ("cache-control", "s-maxage=60")], Arrival::Stale),
        (&[("cache-control", "max-age=60"), ("age", "59")], Arrival::Fresh),
        (&[("cache-control", "max-age=60"), ("age", "60")], Arrival::Stale),
        (&[("cache-control", "max-age=60, s-maxage=90"), ("age", "70")], Arrival::Fresh),
        // What browsers are to ask each time is as fresh as the cache on the way says.
        (&[("cache-control", "public, max-age=0, must-revalidate"), ("age", "5")], Arrival::Fresh),
        (&[("age", "86400")], Arrival::Fresh),
        (
            &[("date", "Tue, 15 Nov 1994 08:12:31 GMT"), ("expires", "Tue, 15 Nov 1994 08:13:31 GMT"), ("age", "61")],
            Arrival::Stale,
        ),
        (&[("expires", "0"), ("age", "61")], Arrival::Fresh),
    ];
    for (lines, expected) in cases {
        assert_eq!(Arrival::of(&head(200, lines), Heed::Prohibitions, after(0)), expected, "{lines:?}");
        let called = lines.iter().any(|(name, value)| *name == "x-nextjs-cache" && value.eq_ignore_ascii_case("stale"));
        let heedless = Arrival::of(&head(200, lines), Heed::Nothing, after(0));
        assert_eq!(heedless == Arrival::Stale, called, "{lines:?}");
    }
}

#[test]
fn what_was_made_ahead_is_used_first_once() {
    let record = Record::new(&Registry::new(), [], Mark::default());
    record.is_made(Making::Ahead);
    let ahead = Kept { record: Some(record), making: Making::Ahead, ..Kept::default() };
    let response = stored(200, &[], "body").with(Duration::ZERO, ahead);
    // A coding that is made of it is the same response.
    let coded = response.with_coding(Coding::Gzip, b"x");
    assert_eq!((coded.first_use(), coded.first_use(), response.first_use()), (true, false, false));
    assert!(!stored(200, &[], "body").first_use());
}

/// There is one for each page, so it is not to grow unseen: 112 bytes with its counts are one size of the allocator, 128, and before
/// what it sends stands one count.
#[test]
fn a_stored_response_takes_no_more_than_it_must() {
    assert_eq!((size_of::<StoredResponse>(), size_of::<Representation>()), (112, 24));
    let response = stored(200, &[], "body");
    assert_eq!(response.size(), 128 + allocated(8 + response.wire().len() + 4));
}

#[test]
fn when_it_came_is_known_to_the_second_by_the_wall_and_exactly_by_the_monotonic_clock() {
    for (wall, expected) in [(0, 0), (1_700_000_000, 1_700_000_000), (1 << 40, u64::from(u32::MAX))] {
        let time = |seconds, nanoseconds| SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
        let now = Moment { wall: time(wall, 999_999_999), monotonic: Duration::new(3, 123_456_789) };
        let response = StoredResponse::new(head(200, &[]), b"", now, None);
        assert_eq!(response.received(), Moment { wall: time(expected, 0), ..now });
    }
}
