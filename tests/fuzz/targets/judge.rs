//! What is kept, and for whom. The first block is a request, the second the response to it.
#![no_main]

use std::time::Duration;

use evergate_cache::{
    EVERGATE_CACHE_CONTROL, Heed, OriginVerdict, ResponseHead, StoredResponse, Verdict, asks_to_be_kept, forbidden,
    judge,
};
use evergate_fuzz::{
    GENEROUS, TARGETED, blocks, head, is_for_everyone, lists, now, request, stored, verdict, with, without,
};
use http::header::{AGE, AUTHORIZATION, CACHE_CONTROL, SET_COOKIE, VARY};
use http::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;

/// How far the handler's word may count on a route with a window, most first.
const HEEDS: [Heed; 4] = [Heed::Explicit, Heed::Prohibitions, Heed::NoStore, Heed::Nothing];

fn judge_window(head: &ResponseHead) -> Verdict {
    judge(head, Heed::Prohibitions, now())
}

/// What is kept although the handler's word counts is kept where it counts for less; cookies never are, and what asks to be kept is.
fn less_is_heeded(head: &ResponseHead) {
    let kept = HEEDS.map(|heed| judge(head, heed, now()) == Verdict::Store);
    assert!(kept.is_sorted(), "{kept:?}");
    for heed in HEEDS {
        assert_ne!(judge(&with(head, SET_COOKIE, "a=b"), heed, now()), Verdict::Store);
        assert_ne!(judge(&with(head, VARY, "*"), heed, now()), Verdict::Store);
    }
    assert!(!asks_to_be_kept(head, now()) || forbidden(head, Heed::Prohibitions).is_none());
}

fuzz_target!(|data: &[u8]| {
    let [request_block, response] = blocks(data);
    let (request, head) = (request(request_block), head(response));
    prohibitions_that_are_there(&head, &request);
    less_is_heeded(&head);
    prohibitions_that_are_added(&head, &request);
    credentials(&head, &request);
    ages(&head, &request);
    an_old_response(&head, &request);
    order_means_nothing(&head, &request);
    what_is_kept(&head);
});

/// RFC 9111 sections 3 and 5.2.2, as far as plain words say it.
fn prohibitions_that_are_there(head: &ResponseHead, request: &HeaderMap) {
    let verdict = verdict(&GENEROUS, head, request, Duration::ZERO);
    let kept = stored(&verdict).is_some();
    assert!(!kept || !head.fields.contains(&SET_COOKIE));
    assert!(!kept || !matches!(head.status.as_u16(), 206 | 304));
    assert!(!kept || !head.fields.get_all(&VARY).any(|line| lists(line, "*")));
    if TARGETED.iter().any(|name| head.fields.contains(name)) {
        return;
    }
    let says = |word: &str| head.fields.get_all(&CACHE_CONTROL).any(|line| lists(line, word));
    assert!(!kept || !says("private"));
    // Beside `must-understand`, a status that is understood may be kept in spite of it (section 5.2.2.3).
    assert!(!kept || !says("no-store") || mentions(head, &["must-understand"]));
    assert!(!is_for_everyone(&verdict) || !says("no-cache"));
    let window_keeps = judge_window(head) == Verdict::Store;
    assert!(!window_keeps || !["private", "no-store", "no-cache"].iter().any(|word| says(word)));
}

/// A line more that forbids is heeded, whatever stands in the others.
fn prohibitions_that_are_added(head: &ResponseHead, request: &HeaderMap) {
    let is_kept = |head: &ResponseHead| stored(&verdict(&GENEROUS, head, request, Duration::ZERO)).is_some();
    assert!(!is_kept(&with(head, SET_COOKIE, "a=b")));
    assert!(!is_kept(&with(head, VARY, "accept, *")));
    assert!(!is_kept(&ResponseHead { status: StatusCode::PARTIAL_CONTENT, ..head.clone() }));
    let ours = without(head, &[EVERGATE_CACHE_CONTROL]);
    assert!(!is_kept(&with(&ours, EVERGATE_CACHE_CONTROL, "private")));
    assert!(!is_kept(&with(&ours, EVERGATE_CACHE_CONTROL, "no-store, max-age=60")));
    let untargeted = without(head, &TARGETED);
    for private in ["private", "max-age=60, Private", "private=\"", "public; private", "private=\"@\""] {
        let private = with(&untargeted, CACHE_CONTROL, private);
        assert!(!is_kept(&private));
        assert!(GENEROUS.judge_part(&private, request, now(), Duration::ZERO).is_none());
        assert!(forbidden(&private, Heed::Prohibitions).is_some() && judge_window(&private) != Verdict::Store);
    }
    for no_store in ["no-store", "public, NO-STORE", "max-age=60 no-store", "no-store=1"] {
        let no_store = with(&untargeted, CACHE_CONTROL, no_store);
        assert!(!is_kept(&no_store) || mentions(head, &["must-understand"]));
        assert!(forbidden(&no_store, Heed::Prohibitions).is_some() && judge_window(&no_store) != Verdict::Store);
    }
    // What is named by fields is not kept with the rest.
    let named = with(&without(&untargeted, &[CACHE_CONTROL]), CACHE_CONTROL, "max-age=60, private=\"x-a, X-B\"");
    if let Some(storing) = stored(&verdict(&GENEROUS, &named, request, Duration::ZERO)) {
        assert_eq!(storing.unshared, ["x-a", "x-b"]);
    }
}

/// RFC 9111 section 3.5.
fn credentials(head: &ResponseHead, request: &HeaderMap) {
    let mut request = request.clone();
    request.insert(AUTHORIZATION, evergate_fuzz::text("Basic YTpi"));
    let kept = stored(&verdict(&GENEROUS, head, &request, Duration::ZERO)).is_some();
    assert!(!kept || mentions(head, &["public", "must-revalidate", "s-maxage"]));
}

/// Nothing becomes better by being older, and nothing is good for ever.
fn ages(head: &ResponseHead, request: &HeaderMap) {
    const FOR_EVER: Duration = Duration::from_secs(1_000_000_000_000);
    for age in [0, 1, 59, 61, 86_400, 1 << 31].map(Duration::from_secs) {
        let older = is_for_everyone(&verdict(&GENEROUS, head, request, age));
        assert!(!older || is_for_everyone(&verdict(&GENEROUS, head, request, age / 2)));
    }
    assert!(!is_for_everyone(&verdict(&GENEROUS, head, request, FOR_EVER)));
}

/// Good content is never replaced by an error; else what was there changes nothing (RFC 9111 section 4.3.3).
fn an_old_response(head: &ResponseHead, request: &HeaderMap) {
    let ok = ResponseHead { status: StatusCode::OK, fields: head.fields.clone() };
    let old = StoredResponse::new(ok, b"old", now(), None);
    let new = GENEROUS.judge(head, request, Some(&old), now(), Duration::ZERO);
    if head.status.is_server_error() || head.status == StatusCode::TOO_MANY_REQUESTS {
        assert_eq!(new, OriginVerdict::Failure);
    } else {
        assert_eq!(new, verdict(&GENEROUS, head, request, Duration::ZERO));
    }
}

/// The order of fields with different names (RFC 9110 section 5.3).
fn order_means_nothing(head: &ResponseHead, request: &HeaderMap) {
    let mut lines: Vec<_> = head.fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    lines.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
    let sorted = ResponseHead { status: head.status, fields: lines.into_iter().collect() };
    let verdicts = [head, &sorted].map(|head| verdict(&GENEROUS, head, request, Duration::ZERO));
    assert_eq!(verdicts[0], verdicts[1]);
}

/// A stored response has its own length and no age of its own, and says nothing that was for this cache alone.
fn what_is_kept(head: &ResponseHead) {
    let stored = StoredResponse::new(head.clone(), b"body", now(), None);
    let own = [AGE, EVERGATE_CACHE_CONTROL];
    assert!(own.iter().all(|name| !stored.head().fields.contains(name)));
    let sent = stored.head();
    let lengths = sent.fields.get_all(&http::header::CONTENT_LENGTH);
    assert_eq!(lengths.count(), usize::from(head.status != StatusCode::NO_CONTENT));
    assert_eq!(stored.resident(now()), Duration::ZERO);
}

/// Whether any value has one of these words in it, in any case and place.
fn mentions(head: &ResponseHead, words: &[&str]) -> bool {
    head.fields.iter().any(|(_, value)| {
        let value = value.as_bytes().to_ascii_lowercase();
        words.iter().any(|word| value.windows(word.len()).any(|bytes| bytes == word.as_bytes()))
    })
}
