//! Whom an answer is for: everyone, those who wait for it, or who asked.

use std::task::{Context, Poll, Waker};

use super::Act::{Answer, Ask, AskHead, Begin, Confirm, Despite, Finish, Glance, Interim, Theirs, Told};
use super::{BY_LANGUAGE, DE, EN, FR, Line, MINUTE, PAGE, PLAIN, Site, TAGGED, at, head, play};
use crate::{Audience, Awaited, DeclineReason, FailureKind, Fields};

#[test]
fn a_response_that_has_begun_shows_whom_it_is_for() {
    play(&[
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Begin(&[MINUTE, BY_LANGUAGE], "o")),
        // Those who come now are told apart, and their fills by the same fields.
        (0, Ask(PAGE, EN, "collapsed uri")),
        (0, Ask(PAGE, DE, "miss uri")),
        (0, Ask(PAGE, DE, "collapsed uri")),
        (0, Ask(PAGE, FR, "miss uri")),
        (0, Told(&["streams o...", "streams o..."])),
        (1, Answer(200, &[MINUTE, BY_LANGUAGE], "un")),
        (1, Told(&["streams un."])),
        (2, Answer(200, &[MINUTE, BY_LANGUAGE], "eins")),
        (2, Told(&["streams eins.", "streams eins."])),
        (3, Finish("ne")),
        (3, Ask(PAGE, EN, "hit one ttl=57")),
        (3, Ask(PAGE, DE, "hit eins ttl=59")),
        (3, Ask(PAGE, FR, "hit un ttl=58")),
    ]);
    // What splits a page may change: the latest response that a request selects answers it (RFC 9111 section 4.1).
    play(&[
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Answer(200, &[MINUTE], "all")),
        (60, Ask(PAGE, EN, "miss stale old=all")),
        (60, Answer(200, &[MINUTE, BY_LANGUAGE], "one")),
        (60, Ask(PAGE, EN, "hit one ttl=60")),
        (60, Ask(PAGE, DE, "miss stale old=all")),
        (60, Answer(200, &[MINUTE, BY_LANGUAGE], "eins")),
        (60, Ask(PAGE, DE, "hit eins ttl=60")),
        (60, Ask(PAGE, EN, "hit one ttl=60")),
        (120, Ask(PAGE, EN, "miss stale old=one")),
        (120, Answer(200, &[MINUTE], "everyone")),
        (120, Ask(PAGE, DE, "hit everyone ttl=60")),
        (120, Ask(PAGE, EN, "hit everyone ttl=60")),
    ]);
    // A confirmation may say so as well.
    play(&[
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "all")),
        (60, Ask(PAGE, EN, "miss stale old=all")),
        (60, Confirm(&[BY_LANGUAGE])),
        (60, Ask(PAGE, EN, "hit all ttl=60")),
        (60, Ask(PAGE, DE, "miss stale old=all")),
    ]);
    play(&[
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "all")),
        (0, Told(&["streams all."])),
        (60, Ask(PAGE, EN, "miss stale old=all")),
        (60, Ask(PAGE, DE, "collapsed stale")),
        (60, Confirm(&[BY_LANGUAGE])),
        (60, Told(&["renewed all", "for another"])),
    ]);
}

/// What has to be asked for each time, or is stale when it comes, goes to whoever asked; the others go on their own.
#[test]
fn what_is_not_for_those_who_wait() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (1, Answer(200, &[("cache-control", "no-cache"), TAGGED], "one")),
        (1, Told(&["streams one.", "declined no-cache", "declined no-cache"])),
        // The next who asks has its validator, and nobody queues behind them.
        (1, Ask(PAGE, PLAIN, "miss stale old=one")),
        (1, Ask(PAGE, PLAIN, "pass no-cache")),
        (2, Confirm(&[])),
        (2, Told(&["renewed one"])),
        (2, Ask(PAGE, PLAIN, "miss stale old=one")),
        // Once it is for everyone, those who come later share it.
        (3, Begin(&[MINUTE], "tw")),
        (3, Ask(PAGE, PLAIN, "pass no-cache")),
        (3, Finish("o")),
        (3, Ask(PAGE, PLAIN, "hit two ttl=60")),
    ]);
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Begin(&[("cache-control", "max-age=0"), TAGGED], "on")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (0, Told(&["streams on...", "declined no-lifetime"])),
        (1, Finish("e")),
        (1, Ask(PAGE, PLAIN, "miss stale old=one")),
        (1, Ask(PAGE, PLAIN, "pass no-lifetime")),
    ]);
    // Where the old one may help out, one waits for that, and goes on alone where it need not.
    const HELPS: &[Line] = &[("cache-control", "max-age=0, stale-if-error=60"), TAGGED];
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, HELPS, "one")),
        (0, Told(&["streams one."])),
        (1, Ask(PAGE, PLAIN, "miss stale old=one")),
        (1, Ask(PAGE, PLAIN, "collapsed stale")),
        (1, Ask(PAGE, &[("cache-control", "no-cache")], "pass no-lifetime")),
        (1, Answer(503, &[], "sorry")),
        (1, Told(&["alone streams sorry.", "failed error"])),
        (1, Despite(FailureKind::Answered, PLAIN, Some(("one", 1)))),
        (4, Ask(PAGE, PLAIN, "miss stale old=one")),
        (4, Ask(PAGE, PLAIN, "collapsed stale")),
        (4, Answer(200, HELPS, "two")),
        (4, Told(&["streams two.", "declined no-lifetime"])),
        (64, Ask(PAGE, PLAIN, "miss stale old=two")),
        (64, Ask(PAGE, PLAIN, "pass no-lifetime")),
    ]);
    // A confirmation that takes the freshness away takes the sharing away.
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Ask(PAGE, PLAIN, "collapsed stale")),
        (61, Confirm(&[("cache-control", "max-age=0")])),
        (61, Told(&["streams one.", "renewed one", "declined no-lifetime"])),
        (61, Ask(PAGE, PLAIN, "miss stale old=one")),
        (61, Ask(PAGE, PLAIN, "pass no-lifetime")),
    ]);
}

/// Promise 1: what is not kept goes to whoever asked, whose whole request the handler saw, and to nobody else.
#[test]
fn promise_1_what_is_declined_goes_to_the_asker_alone() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (1, Answer(200, &[("cache-control", "private")], "mine")),
        (1, Told(&["alone private streams mine.", "declined private"])),
        // The next who comes asks again: that costs no more than passing, and the answer may be one to keep. Nobody queues.
        (1, Ask(PAGE, PLAIN, "miss uri")),
        (1, Ask(PAGE, PLAIN, "pass private")),
        (1, Ask(PAGE, PLAIN, "pass private")),
        (2, Answer(200, &[("set-cookie", "a=b"), MINUTE], "mine")),
        (2, Told(&["alone set-cookie streams mine."])),
        (2, Ask(PAGE, PLAIN, "miss uri")),
        (2, Ask(PAGE, PLAIN, "pass set-cookie")),
        (3, Answer(200, &[MINUTE], "ours")),
        (3, Told(&["streams ours."])),
        (3, Ask(PAGE, PLAIN, "hit ours ttl=60")),
        // What is kept is removed by what is not.
        (63, Ask(PAGE, PLAIN, "miss stale old=ours")),
        (63, Answer(200, &[("cache-control", "no-store")], "mine")),
        (63, Glance(PAGE, PLAIN, "uri")),
        // A mark that has run out counts no longer.
        (72, Ask(PAGE, PLAIN, "miss uri")),
        (72, Ask(PAGE, PLAIN, "pass no-store")),
        (73, Ask(PAGE, PLAIN, "collapsed uri")),
    ]);
    // One variant's mark is not the other's.
    play(&[
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Answer(200, &[MINUTE, BY_LANGUAGE], "one")),
        (0, Ask(PAGE, DE, "miss vary")),
        (0, Answer(200, &[("cache-control", "private"), BY_LANGUAGE], "meins")),
        (0, Ask(PAGE, DE, "miss uri")),
        (0, Ask(PAGE, DE, "pass private")),
        (0, Ask(PAGE, EN, "hit one ttl=60")),
        (0, Ask(PAGE, FR, "miss vary")),
        (0, Ask(PAGE, FR, "collapsed vary")),
    ]);
    // Whoever asked may be gone: then nobody gets it.
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Ask(PAGE, PLAIN, "collapsed uri"))]);
    drop(site.waiting.remove(0));
    site.play(&[(0, Answer(200, &[("cache-control", "private")], "mine")), (0, Told(&["declined private"]))]);
}

/// An answer to the conditions of whoever asked says nothing about what is stored, nor to anyone else.
#[test]
fn what_answers_the_conditions_of_one_is_for_nobody_else() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (0, Theirs(304, None, "")),
        (0, Told(&["alone streams .", "unrelated"])),
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Theirs(412, Some(DeclineReason::Private), "no")),
        (60, Told(&["streams one.", "alone private streams no."])),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Confirm(&[])),
        (60, Ask(PAGE, PLAIN, "hit one ttl=60")),
    ]);
}

/// Fields that are for whoever asked (RFC 9111 sections 5.2.2.4 and 5.2.2.7) reach nobody else, in whatever answer they come.
#[test]
fn promise_1_fields_for_the_asker_are_not_kept() {
    const OURS: &[Line] =
        &[("cache-control", "max-age=60, private=\"x-user\""), TAGGED, ("x-user", "ann"), ("x-a", "1")];
    let names = |fields: &Fields| fields.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Begin(OURS, "o"))]);
    let (mut waiter, _) = site.waiting.remove(0);
    let heard = std::pin::pin!(waiter.wait()).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Awaited::Streaming(streaming, _)) = heard else { panic!("it has begun") };
    assert_eq!(names(streaming.unshared()), ["x-user"]);
    assert_eq!(names(&streaming.head().fields), ["cache-control", "etag", "x-a"]);
    site.play(&[(0, Finish("ne"))]);
    assert_eq!(
        names(&site.stored(PAGE, PLAIN, at(0)).head().fields),
        ["cache-control", "etag", "x-a", "content-length"]
    );
    // In a confirmation, and in the answer to a HEAD: none of their own, and none that was everyone's until now.
    let later: [(&[Line], &[&str]); 3] = [
        (OURS, &["content-length", "cache-control", "etag", "x-a"]),
        (&[("x-user", "bob")], &["content-length", "cache-control", "etag", "x-a"]),
        (&[("cache-control", "max-age=60, no-cache=x-a"), ("x-a", "2")], &["content-length", "cache-control", "etag"]),
    ];
    for (fields, expected) in later {
        for by_head in [false, true] {
            let mut site = Site::new();
            site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Answer(200, OURS, "one"))]);
            if by_head {
                // A validator tells that it is about what is stored.
                let tag = if fields.contains(&TAGGED) { &[][..] } else { &[TAGGED] };
                site.play(&[(60, AskHead(PAGE, PLAIN))]);
                site.answer_head(&head(200, &[fields, tag].concat()), at(60));
                assert_eq!(site.glance(PAGE, PLAIN, at(60)), "one ttl=60", "{fields:?} has been heeded");
            } else {
                site.play(&[(60, Ask(PAGE, PLAIN, "miss stale old=one"))]);
                site.confirm(&head(304, fields), at(60));
            }
            let mut found = names(&site.stored(PAGE, PLAIN, at(60)).head().fields);
            let mut wanted = expected.to_vec();
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{fields:?}, by a HEAD: {by_head}");
        }
    }
}

/// Interim answers are for those who wait and may have them, in their order, so many at most, and are never kept (RFC 9110
/// section 15.2).
#[test]
fn interim_answers_are_passed_on() {
    use Audience::{Asker, Everyone};
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Interim(Everyone, 103)),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (0, Told(&["interim 103", "interim 103"])),
        (0, Told(&[])),
        (0, Interim(Everyone, 102)),
        (0, Interim(Asker, 104)),
        (0, Interim(Everyone, 103)),
        (0, Told(&["interim 102", "interim 104", "interim 103", "interim 102", "interim 103"])),
        (0, Interim(Asker, 103)),
        (0, Told(&["interim 103"])),
        // None is lost because the answer came before anyone had looked.
        (1, Interim(Everyone, 110)),
        (1, Answer(200, &[MINUTE], "one")),
        (1, Told(&["interim 110", "streams one.", "interim 110", "streams one."])),
        (1, Ask(PAGE, PLAIN, "hit one ttl=60")),
    ]);
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri"))]);
    for _ in 0..crate::flight::MAX_INTERIM + 3 {
        site.play(&[(0, Interim(Everyone, 103))]);
    }
    assert_eq!(site.told().len(), crate::flight::MAX_INTERIM);
}
