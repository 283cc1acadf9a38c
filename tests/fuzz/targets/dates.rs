//! Dates, ages and what follows from them. The first block is a number of seconds, the second a request, the third a response.
#![no_main]

use std::time::{Duration, SystemTime};

use evergate_cache::{Heuristic, OriginRules, ResponseHead, StoredResponse, corrected_initial_age, not_modified};
use evergate_fuzz::{
    GENEROUS, TARGETED, blocks, fields, head, is_for_everyone, now, number, request, text, verdict, with, without,
};
use http::header::{AGE, CACHE_CONTROL, COOKIE, DATE, ETAG, EXPIRES, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [seconds, request_block, response] = blocks(data);
    every_form_means_the_same(number(seconds).0);
    ages(response);
    lifetimes(&request(request_block), response);
    conditions(&request(request_block), response);
});

/// Dates within forty years, so that two digits tell the year.
fn every_form_means_the_same(seconds: u64) {
    const FORTY_YEARS: u64 = 40 * 365 * 24 * 60 * 60;
    let now = now();
    let offset = seconds % (2 * FORTY_YEARS);
    let moment = now.wall - Duration::from_secs(FORTY_YEARS) + Duration::from_secs(offset);
    let before = moment.duration_since(now.wall).unwrap_or_default();
    let after = now.wall.duration_since(moment).unwrap_or_default();
    let modified = text(&httpdate::fmt_http_date(moment));
    let later = text(&httpdate::fmt_http_date(moment + Duration::from_secs(1)));
    for form in forms(moment) {
        let dated = format!("date: {form}").into_bytes();
        let dated = head(&dated);
        assert_eq!(corrected_initial_age(&dated, now, now), after, "{form}");

        let expiring = format!("date: {}\nexpires: {form}", httpdate::fmt_http_date(now.wall)).into_bytes();
        assert_eq!(lifetime(&expiring), Some(before), "{form}");

        let mut request = HeaderMap::new();
        request.insert(IF_MODIFIED_SINCE, text(&form));
        assert!(not_modified(&request, None, Some(&modified)), "{form}");
        assert!(!not_modified(&request, None, Some(&later)), "{form}");
    }
}

/// A moment in the three forms of RFC 9110 section 5.6.7.
fn forms(moment: SystemTime) -> [String; 3] {
    let full = httpdate::fmt_http_date(moment);
    let (weekday, day, month, year, time) = (&full[..3], &full[5..7], &full[8..11], &full[12..16], &full[17..25]);
    let long = match weekday {
        "Tue" => "Tuesday".to_owned(),
        "Wed" => "Wednesday".to_owned(),
        "Thu" => "Thursday".to_owned(),
        "Sat" => "Saturday".to_owned(),
        short => format!("{short}day"),
    };
    let obsolete = format!("{long}, {day}-{month}-{} {time} GMT", &year[2..]);
    let padded = day.strip_prefix('0').map_or(day.to_owned(), |digit| format!(" {digit}"));
    let asctime = format!("{weekday} {month} {padded} {time} {year}");
    [full, obsolete, asctime]
}

/// RFC 9111 section 4.2.3.
fn ages(response: &[u8]) {
    let head = head(response);
    let received = now();
    let on_the_way = Duration::from_secs(3);
    let asked = evergate_cache::Moment { wall: received.wall - on_the_way, monotonic: received.monotonic - on_the_way };
    let age = corrected_initial_age(&head, asked, received);
    assert!(age >= on_the_way);
    assert!(age >= corrected_initial_age(&without(&head, &[DATE]), asked, received), "a date makes nothing younger");
    assert!(age >= corrected_initial_age(&without(&head, &[AGE]), asked, received), "an age makes nothing younger");
    assert!(age >= corrected_initial_age(&head, received, received));
    let told = head.fields.get(&AGE).and_then(|age| age.to_str().ok()).filter(|age| !age.starts_with('+'));
    if let Some(told) = told.and_then(|age| age.parse::<u32>().ok()) {
        assert!(age >= Duration::from_secs(u64::from(told).min(1 << 31)) + on_the_way);
    }
}

/// RFC 9111 section 4.2.1.
fn lifetimes(request: &HeaderMap, response: &[u8]) {
    const NO_GUESSES: OriginRules = OriginRules { heuristic: Heuristic::Never, ..GENEROUS };
    let mut dated = without(&head(response), &[CACHE_CONTROL]);
    dated.fields.retain(|name, _| !TARGETED.contains(name));
    let explicit = missing(dated.clone()).explicit_lifetime();
    assert_eq!(explicit.is_some(), dated.fields.contains(&EXPIRES));

    // What is no date lies in the past, whatever other lines say (section 5.3), and says that nothing is to be guessed.
    for invalid in ["0", "-1", "Thu, 99 Jan 2099 00:00:00 GMT", "tomorrow"] {
        let expired = with(&dated, EXPIRES, invalid);
        assert_eq!(missing(expired.clone()).explicit_lifetime(), Some(Duration::ZERO));
        assert!(!is_for_everyone(&verdict(&GENEROUS, &expired, request, Duration::ZERO)));
    }

    for age in [0, 1, 60, 86_400, u64::from(u32::MAX)].map(Duration::from_secs) {
        let good = is_for_everyone(&verdict(&NO_GUESSES, &dated, request, age));
        assert!(!good || is_for_everyone(&verdict(&NO_GUESSES, &dated, request, age / 2)));
        assert!(!good || explicit.is_some_and(|lifetime| age < lifetime + told_age(response)));
        // A guess is a day at most (section 4.2.2), and none is made for a request with cookies.
        let guessed = !good && is_for_everyone(&verdict(&GENEROUS, &dated, request, age));
        let may_guess = dated.fields.contains(&LAST_MODIFIED) && !request.contains_key(COOKIE);
        assert!(!guessed || explicit.is_none() && may_guess && age < Duration::from_secs(86_400));
    }
}

/// What was taken off the lifetime that a stored response tells: its age, as it came.
fn told_age(response: &[u8]) -> Duration {
    let head = without(&head(response), &[DATE]);
    corrected_initial_age(&head, now(), now())
}

/// The lifetime of a response with these fields.
fn lifetime(block: &[u8]) -> Option<Duration> {
    missing(head(block)).explicit_lifetime()
}

/// As the answer that something is missing: of a success that lifetime counts for nothing.
fn missing(head: ResponseHead) -> StoredResponse {
    StoredResponse::new(ResponseHead { status: StatusCode::NOT_FOUND, ..head }, &[], now(), None)
}

/// RFC 9110 section 13.2.2.
fn conditions(request: &HeaderMap, response: &[u8]) {
    let fields = fields(response);
    let (etag, modified) = (fields.get(&ETAG), fields.get(&LAST_MODIFIED));
    let answer = not_modified(request, etag, modified);
    let conditional = [IF_NONE_MATCH, IF_MODIFIED_SINCE].iter().any(|name| request.contains_key(name));
    assert!(!answer || conditional);

    let mut undated = request.clone();
    undated.remove(IF_MODIFIED_SINCE);
    if request.contains_key(IF_NONE_MATCH) {
        assert_eq!(answer, not_modified(&undated, etag, None), "tags decide alone");
    } else {
        assert!(!not_modified(&undated, etag, modified));
        assert!(!answer || modified.is_some());
    }

    // The tag itself is known, in every place and however weak.
    let quoted = |etag: &&HeaderValue| {
        let tag = etag.as_bytes().strip_prefix(b"W/").unwrap_or(etag.as_bytes());
        tag.len() > 1 && tag.starts_with(b"\"") && tag.ends_with(b"\"") && !tag[1..tag.len() - 1].contains(&b'"')
    };
    if let Some(etag) = etag.filter(quoted) {
        for list in [&[b"\"x\", ", etag.as_bytes()].concat()[..], &[b"W/\"a,b\" , ", etag.as_bytes(), b","].concat()] {
            let mut asked = undated.clone();
            asked.append(IF_NONE_MATCH, HeaderValue::from_bytes(list).expect("a list of valid tags is valid"));
            assert!(not_modified(&asked, Some(etag), None));
        }
    }
}
