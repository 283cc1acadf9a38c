//! What the answer to a HEAD says of what is kept (RFC 9111 section 4.3.5).

use super::Act::{Answer, AnswerHead, Ask, AskHead, Confirm, Forget, ForgetGroups, Glance, Head};
use super::{Act, BY_LANGUAGE, DE, EN, IN_X, Line, MINUTE, OTHER, PAGE, PLAIN, Site, TAGGED, at, head, play};
use crate::Terms;

/// RFC 9111 section 4.3.5.
#[test]
fn a_head_freshens_or_forgets() {
    const LENGTH: Line = ("content-length", "3");
    let stored: [(u64, Act); 2] =
        [(0, Ask(PAGE, EN, "miss uri")), (0, Answer(200, &[MINUTE, TAGGED, BY_LANGUAGE], "one"))];
    // The HEAD's request, its answer half a minute later, and what there is then.
    let cases: [(&[Line], &[Line], &'static str); 20] = [
        (EN, &[TAGGED], "one ttl=60"),
        (EN, &[LENGTH], "one ttl=60"),
        (EN, &[TAGGED, LENGTH, MINUTE], "one ttl=60"),
        (EN, &[TAGGED, ("cache-control", "max-age=90")], "one ttl=90"),
        (EN, &[TAGGED, ("age", "20")], "one ttl=40"),
        // Nothing tells whether it is about what is stored.
        (EN, &[], "one ttl=30"),
        (EN, &[("cache-control", "max-age=90")], "one ttl=30"),
        (EN, &[("age", "20")], "one ttl=30"),
        (EN, &[("etag", "\"2\"")], "uri"),
        (EN, &[("etag", "W/\"1\"")], "uri"),
        (EN, &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")], "uri"),
        (EN, &[TAGGED, ("content-length", "4")], "uri"),
        (EN, &[TAGGED, ("content-length", "three")], "uri"),
        (EN, &[LENGTH, ("etag", "\"2\"")], "uri"),
        (EN, &[("etag", "\"2\""), ("cache-control", "max-age=0")], "uri"),
        // What is for whoever asked says nothing of what others get.
        (EN, &[TAGGED, ("cache-control", "private")], "one ttl=30"),
        (EN, &[TAGGED, ("set-cookie", "a=b")], "one ttl=30"),
        (EN, &[TAGGED, ("vary", "*")], "one ttl=30"),
        (EN, &[("etag", "\"2\""), ("cache-control", "private")], "one ttl=30"),
        // It is about what it selects (section 4.1).
        (DE, &[("etag", "\"2\"")], "one ttl=30"),
    ];
    for (asked, fields, expected) in cases {
        let mut site = Site::new();
        site.play(&stored);
        site.play(&[(30, Head(PAGE, asked, fields)), (30, Glance(PAGE, EN, expected))]);
        assert_eq!(site.cache.fills_in_flight(), 0);
    }
    let mut site = Site::new();
    site.play(&[(0, Head(PAGE, EN, &[TAGGED])), (0, Glance(PAGE, EN, "uri"))]);
    // Other variants stay.
    site.play(&stored);
    site.play(&[
        (10, Ask(PAGE, DE, "miss vary")),
        (10, Answer(200, &[MINUTE, BY_LANGUAGE], "eins")),
        (20, Head(PAGE, EN, &[("etag", "\"2\"")])),
        (20, Glance(PAGE, EN, "vary")),
        (20, Glance(PAGE, DE, "eins ttl=50")),
    ]);
}

/// The terms may leave the age to the answer, as they may for a fill.
#[test]
fn a_head_says_its_own_age() {
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Answer(200, &[MINUTE], "one"))]);
    let head = head(200, &[("age", "20"), ("content-length", "3")]);
    let sent = (at(30), site.cache.invalidations());
    site.asked(PAGE, PLAIN, |asked| site.cache.freshen(asked, (&head, at(30)), sent, |_| Some(Terms::default())));
    site.play(&[(30, Glance(PAGE, PLAIN, "one ttl=40"))]);
}

/// What is there is newer than what the handler saw when it was asked: whatever it says, that is not about it.
#[test]
fn a_head_says_nothing_of_what_came_after_it() {
    // The answer, and what there is if it comes in time.
    let cases: [(u16, &[Line], &'static str); 3] = [
        (200, &[TAGGED, ("cache-control", "max-age=90")], "one ttl=90"),
        (200, &[("etag", "\"2\"")], "uri"),
        (404, &[TAGGED], "uri"),
    ];
    for (status, fields, in_time) in cases {
        play(&[
            (9, AskHead(PAGE, PLAIN)),
            (10, AskHead(PAGE, PLAIN)),
            (10, Ask(PAGE, PLAIN, "miss uri")),
            (10, Answer(200, &[MINUTE, TAGGED], "one")),
            (20, AnswerHead(status, fields)),
            (20, Glance(PAGE, PLAIN, "one ttl=50")),
            // Sent when the other came, it may have seen it.
            (20, AnswerHead(status, fields)),
            (20, Glance(PAGE, PLAIN, in_time)),
        ]);
        // A confirmation is as good as a new one.
        play(&[
            (0, Ask(PAGE, PLAIN, "miss uri")),
            (0, Answer(200, &[MINUTE, TAGGED], "one")),
            (59, AskHead(PAGE, PLAIN)),
            (60, Ask(PAGE, PLAIN, "miss stale old=one")),
            (60, Confirm(&[])),
            (61, AnswerHead(status, fields)),
            (61, Glance(PAGE, PLAIN, "one ttl=59")),
        ]);
    }
}

/// Promise 4: an answer to a HEAD may have been made before an invalidation that it comes after.
#[test]
fn promise_4_a_head_does_not_undo_an_invalidation() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED, IN_X], "one")),
        (1, ForgetGroups("\"x\"")),
        (2, Head(PAGE, PLAIN, &[TAGGED])),
        (2, Glance(PAGE, PLAIN, "invalidated")),
        (2, Ask(PAGE, PLAIN, "miss invalidated")),
        (2, Answer(200, &[MINUTE, TAGGED, IN_X], "two")),
        (2, Glance(PAGE, PLAIN, "two ttl=60")),
    ]);
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (1, Forget(PAGE, 1)),
        (2, Head(PAGE, PLAIN, &[TAGGED])),
        (2, Glance(PAGE, PLAIN, "uri")),
    ]);
    // One that was under way changes nothing, whatever was made invalid.
    for invalidate in [Forget(OTHER, 0), ForgetGroups("\"y\""), ForgetGroups("\"x\"")] {
        let then = if matches!(invalidate, ForgetGroups("\"x\"")) { "invalidated" } else { "one ttl=58" };
        for fields in [&[TAGGED, ("cache-control", "max-age=90")][..], &[("etag", "\"2\"")]] {
            play(&[
                (0, Ask(PAGE, PLAIN, "miss uri")),
                (0, Answer(200, &[MINUTE, TAGGED, IN_X], "one")),
                (1, AskHead(PAGE, PLAIN)),
                (1, invalidate),
                (2, AnswerHead(200, fields)),
                (2, Glance(PAGE, PLAIN, then)),
            ]);
        }
    }
    // Groups that it learns of too late to be reached by what was said of them before.
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (1, AskHead(PAGE, PLAIN)),
        (1, ForgetGroups("\"x\"")),
        (2, AnswerHead(200, &[TAGGED, IN_X])),
        (2, Glance(PAGE, PLAIN, "one ttl=58")),
    ]);
}
