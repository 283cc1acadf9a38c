//! What becomes of failures: of the handler, of the asker, and of who was not asked.

use super::Act::{Answer, Ask, Begin, Break, Confirm, Despite, Fail, ForgetGroups, Glance, Told};
use super::{Act, BY_LANGUAGE, DE, EN, IN_X, Line, MINUTE, PAGE, PLAIN, Site, TAGGED, play};
use crate::FailureKind;

#[test]
fn promise_5_failures_keep_what_there_is() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (0, Answer(503, &[], "sorry")),
        (0, Told(&["alone streams sorry.", "failed error"])),
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE], "one")),
        (70, Ask(PAGE, PLAIN, "miss stale old=one")),
        (70, Fail(FailureKind::Unreachable)),
        // While the next attempt waits, what nobody can be asked about is served (RFC 9111 section 4.2.4).
        (71, Ask(PAGE, PLAIN, "stale one 11 error")),
        (71, Ask(PAGE, &[("cache-control", "no-cache")], "miss stale old=one")),
        (71, Answer(503, &[MINUTE], "sorry")),
        // After an answer that is an error, only what was offered (RFC 5861 section 4).
        (72, Ask(PAGE, PLAIN, "miss stale old=one")),
        (72, Fail(FailureKind::Unreachable)),
        (73, Ask(PAGE, PLAIN, "stale one 13 error")),
        (84, Ask(PAGE, PLAIN, "miss stale old=one")),
        (84, Confirm(&[])),
        (84, Ask(PAGE, PLAIN, "hit one ttl=60")),
        (145, Ask(PAGE, PLAIN, "miss stale old=one")),
        (145, Fail(FailureKind::Unreachable)),
        (147, Ask(PAGE, PLAIN, "stale one 3 error")),
        (148, Ask(PAGE, PLAIN, "miss stale old=one")),
    ]);
    // What must be asked about is not served unasked, come what may (section 5.2.2.2).
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[("cache-control", "max-age=60, must-revalidate, stale-if-error=600")], "one")),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Fail(FailureKind::Unreachable)),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Despite(FailureKind::Unreachable, PLAIN, None)),
    ]);
    // An error with a life of its own is kept where there is nothing better.
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(503, &[MINUTE], "sorry")),
        (0, Ask(PAGE, PLAIN, "hit sorry ttl=60")),
        (60, Ask(PAGE, PLAIN, "miss stale old=sorry")),
        (60, Answer(500, &[MINUTE], "very sorry")),
        (60, Ask(PAGE, PLAIN, "hit very sorry ttl=60")),
    ]);
}

/// What is fresh needs nobody: who wanted something else and did not get it keeps the handler from no one.
#[test]
fn a_failure_that_one_request_wanted_is_no_trouble() {
    const FRESH: &[Line] = &[("cache-control", "no-cache")];
    const OFFERED: &[Line] = &[("cache-control", "max-age=60, stale-while-revalidate=60, stale-if-error=60"), TAGGED];
    let ends: [&[(u64, Act)]; 5] = [
        &[(59, Fail(FailureKind::Unreachable))],
        &[(59, Fail(FailureKind::Answered))],
        &[(59, Fail(FailureKind::NotAsked))],
        &[(59, Answer(503, &[], "sorry"))],
        &[(59, Begin(OFFERED, "tw")), (59, Break)],
    ];
    for end in ends {
        let mut site = Site::new();
        site.play(&[
            (0, Ask(PAGE, PLAIN, "miss uri")),
            (0, Answer(200, OFFERED, "one")),
            (59, Ask(PAGE, FRESH, "miss request old=one")),
        ]);
        site.play(end);
        site.play(&[
            (59, Ask(PAGE, PLAIN, "hit one ttl=1")),
            (60, Ask(PAGE, PLAIN, "stale one 0 revalidating refresh")),
            // What fails now does.
            (60, Fail(FailureKind::Answered)),
            (60, Ask(PAGE, PLAIN, "stale one 0 error")),
        ]);
    }
    // Where it may not be served while it is asked about, the handler is asked at once.
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (59, Ask(PAGE, FRESH, "miss request old=one")),
        (59, Fail(FailureKind::Unreachable)),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Fail(FailureKind::Unreachable)),
        (60, Ask(PAGE, PLAIN, "stale one 0 error")),
    ]);
}

/// A gateway that has too much to do is no handler that cannot be reached: what was offered is served, and nothing else.
#[test]
fn who_was_not_asked_has_not_failed() {
    const OFFERED: &[Line] = &[("cache-control", "max-age=60, stale-if-error=60"), TAGGED];
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (30, Despite(FailureKind::NotAsked, PLAIN, None)),
        (70, Ask(PAGE, PLAIN, "miss stale old=one")),
        (70, Fail(FailureKind::NotAsked)),
        (70, Despite(FailureKind::NotAsked, PLAIN, None)),
        (70, Ask(PAGE, PLAIN, "miss stale old=one")),
        (70, Fail(FailureKind::Unreachable)),
        (70, Ask(PAGE, PLAIN, "stale one 10 error")),
    ]);
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, OFFERED, "one")),
        (70, Ask(PAGE, PLAIN, "miss stale old=one")),
        (70, Fail(FailureKind::NotAsked)),
        (70, Despite(FailureKind::NotAsked, PLAIN, None)),
        (70, Ask(PAGE, PLAIN, "stale one 10 error")),
    ]);
}

#[test]
fn what_helps_out_is_told_without_a_look_up() {
    use FailureKind::{Answered, Unreachable};
    play(&[
        (0, Despite(Unreachable, PLAIN, None)),
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Answer(200, &[("cache-control", "max-age=60, stale-if-error=10"), BY_LANGUAGE, IN_X], "one")),
        (10, Despite(Unreachable, EN, Some(("one", 0)))),
        (69, Despite(Answered, EN, Some(("one", 9)))),
        (70, Despite(Answered, EN, None)),
        (70, Despite(Unreachable, EN, Some(("one", 10)))),
        (70, Despite(Unreachable, DE, None)),
        (360, Despite(Unreachable, EN, Some(("one", 300)))),
        (361, Despite(Unreachable, EN, None)),
        // What was made invalid helps nobody.
        (70, ForgetGroups("\"x\"")),
        (70, Despite(Unreachable, EN, None)),
        (70, Ask(PAGE, EN, "miss invalidated")),
        (70, Answer(200, &[("cache-control", "private")], "mine")),
        (70, Despite(Unreachable, EN, None)),
    ]);
}

#[test]
fn a_glance_begins_nothing() {
    let mut site = Site::new();
    site.play(&[
        (0, Glance(PAGE, EN, "uri")),
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Glance(PAGE, EN, "uri")),
        (0, Answer(200, &[("cache-control", "max-age=60, stale-while-revalidate=10"), BY_LANGUAGE], "one")),
        (0, Glance(PAGE, EN, "one ttl=60")),
        (0, Glance(PAGE, DE, "vary")),
        (0, Glance(PAGE, &[("accept-language", "en"), ("cache-control", "no-cache")], "request")),
        (65, Glance(PAGE, EN, "one stale 5 revalidating")),
        (70, Glance(PAGE, EN, "stale")),
        (75, Glance(PAGE, &[("accept-language", "en"), ("cache-control", "max-stale")], "one stale 15 asked")),
        (75, Ask(PAGE, DE, "miss vary")),
        (75, Answer(200, &[("cache-control", "private")], "meins")),
        (75, Glance(PAGE, DE, "uri")),
    ]);
    assert_eq!(site.cache.fills_in_flight(), 0);
}
