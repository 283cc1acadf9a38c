//! Look-ups and what becomes of fills, second by second.

use std::time::Duration;

use super::{Act, WINDOWS, play};
use crate::{DeclineReason, Pushed, Window, Windows};

use Act::{
    Ask, AskAnew, AskIn, Begin, BeginTooLong, Break, Configure, Decline, Drop, DropMidway, Fail, Finish, NotAsked,
    Push, Renew, Store, StoreAs, Told,
};

#[test]
fn a_page_is_missed_hit_stale_and_refreshed() {
    play(&[
        (0, Ask("miss uri")),
        (0, Ask("collapsed uri")),
        (1, Told(&[])),
        (5, Store("one")),
        (5, Told(&["streams one."])),
        (5, Ask("hit one ttl=60")),
        (64, Ask("hit one ttl=1")),
        (65, Ask("stale one 0 revalidating refresh")),
        (66, Ask("stale one 1 revalidating")),
        (67, Ask("stale one 2 revalidating")),
        (67, Store("two")),
        (67, Ask("hit two ttl=60")),
        (127, Ask("stale two 0 revalidating refresh")),
    ]);
}

/// Next.js that serves stale is making a newer one: keeping its answer for a window would double the staleness.
#[test]
fn what_is_stale_when_it_comes_is_asked_about_again_soon() {
    play(&[
        (0, Ask("miss uri")),
        (0, StoreAs(200, &[("x-nextjs-cache", "STALE")], "old")),
        (0, Ask("stale old 0 revalidating")),
        (1, Ask("stale old 1 revalidating refresh")),
        (1, Ask("stale old 1 revalidating")),
        (2, StoreAs(200, &[("x-nextjs-cache", "STALE")], "old 2")),
        (2, Ask("stale old 2 0 revalidating")),
        (3, Ask("stale old 2 1 revalidating refresh")),
        (3, StoreAs(200, &[("x-nextjs-cache", "HIT")], "new")),
        (3, Ask("hit new ttl=60")),
        (63, Ask("stale new 0 revalidating refresh")),
        // Another cache on the way says it with an age beyond the lifetime.
        (64, StoreAs(200, &[("cache-control", "s-maxage=30"), ("age", "30")], "aged")),
        (64, Ask("stale aged 0 revalidating")),
        (65, Ask("stale aged 1 revalidating refresh")),
        (65, Fail),
        (66, Ask("stale aged 2 error")),
        (664, Ask("miss stale old=aged")),
    ]);
}

#[test]
fn what_is_no_page_is_not_asked_about_sooner_for_being_stale() {
    play(&[
        (0, Ask("miss uri")),
        (0, StoreAs(307, &[("x-nextjs-cache", "STALE")], "away")),
        (1, Ask("hit away ttl=9")),
        (10, Ask("miss stale old=away")),
    ]);
}

#[test]
fn after_it_expires_a_page_is_waited_for() {
    play(&[
        (0, Ask("miss uri")),
        (0, Store("one")),
        (599, Ask("stale one 539 revalidating refresh")),
        (599, Drop),
        (600, Ask("miss stale old=one")),
        (600, Ask("collapsed stale")),
        (601, Store("two")),
        (601, Told(&["streams two."])),
        (601, Ask("hit two ttl=60")),
    ]);
}

#[test]
fn a_refresh_that_is_under_way_is_shared_once_the_page_expires() {
    play(&[
        (0, Ask("miss uri")),
        (0, Store("one")),
        (60, Ask("stale one 0 revalidating refresh")),
        (599, Ask("stale one 539 revalidating")),
        (600, Ask("collapsed stale")),
        (601, Renew(Some("one"))),
        (601, Told(&["renewed one"])),
        (601, Ask("hit one ttl=60")),
        (661, Ask("stale one 0 revalidating refresh")),
    ]);
}

#[test]
fn a_failed_refresh_keeps_the_old_response_and_backs_off() {
    play(&[
        (0, Ask("miss uri")),
        (0, Store("one")),
        (60, Ask("stale one 0 revalidating refresh")),
        (61, Fail),
        (61, Ask("stale one 1 error")),
        (63, Ask("stale one 3 error")),
        (64, Ask("stale one 4 error refresh")),
        (64, Ask("stale one 4 error")),
        (65, Fail),
        (70, Ask("stale one 10 error")),
        (71, Ask("stale one 11 error refresh")),
        // A fill that is dropped says nothing about the handler.
        (72, Drop),
        (72, Ask("stale one 12 error refresh")),
        (73, Store("two")),
        (73, Ask("hit two ttl=60")),
        // What failed is forgotten with what it was about.
        (133, Ask("stale two 0 revalidating refresh")),
        (134, Fail),
        (136, Ask("stale two 3 error")),
        (137, Ask("stale two 4 error refresh")),
        (138, Renew(Some("two"))),
        (198, Ask("stale two 0 revalidating refresh")),
    ]);
}

#[test]
fn after_a_failure_the_shorter_window_counts() {
    play(&[
        (0, Ask("miss uri")),
        (0, Store("one")),
        (361, Ask("stale one 301 revalidating refresh")),
        (361, Fail),
        (361, Ask("miss stale old=one")),
        (361, Ask("collapsed stale")),
        (362, Fail),
        (362, Told(&["failed boom"])),
        (362, Ask("miss stale old=one")),
        (363, Renew(Some("one"))),
        (363, Ask("hit one ttl=60")),
    ]);
    play(&[
        (0, Ask("miss uri")),
        (0, Store("one")),
        (60, Ask("stale one 0 revalidating refresh")),
        (60, Fail),
        (360, Ask("stale one 300 error refresh")),
        (360, Drop),
        (361, Ask("miss stale old=one")),
    ]);
    // None at all.
    play(&[
        (0, Configure(Windows { stale_if_error: Duration::ZERO, ..WINDOWS })),
        (0, Ask("miss uri")),
        (0, Store("one")),
        (61, Ask("stale one 1 revalidating refresh")),
        (61, Fail),
        (61, Ask("miss stale old=one")),
    ]);
}

/// What is fresh is in no trouble because one visitor wanted it confirmed.
#[test]
fn a_failure_that_one_visitor_wanted_backs_nobody_off() {
    let ends: [&[(u64, Act)]; 3] = [&[(59, Fail)], &[(59, NotAsked)], &[(59, Begin), (59, Break)]];
    for end in ends {
        let begun = [(0, Ask("miss uri")), (0, Store("one")), (59, AskAnew("miss request old=one"))];
        let then = [
            (59, Ask("hit one ttl=1")),
            (60, Ask("stale one 0 revalidating refresh")),
            (60, Fail),
            (60, Ask("stale one 0 error")),
            (62, Ask("stale one 2 error")),
            (63, Ask("stale one 3 error refresh")),
        ];
        play(&[&begun, end, &then].concat());
    }
}

/// On a window it does not matter why there is no answer.
#[test]
fn who_was_not_asked_is_asked_later() {
    play(&[
        (0, Ask("miss uri")),
        (0, Store("one")),
        (60, Ask("stale one 0 revalidating refresh")),
        (61, NotAsked),
        (61, Ask("stale one 1 error")),
        (64, Ask("stale one 4 error refresh")),
    ]);
}

#[test]
fn a_cold_failure_is_shared_and_nothing_else() {
    play(&[
        (0, Ask("miss uri")),
        (0, Ask("collapsed uri")),
        (0, Ask("collapsed uri")),
        (1, Fail),
        (1, Told(&["failed boom", "failed boom"])),
        (1, Ask("miss uri")),
        (1, Store("one")),
        (1, Ask("hit one ttl=60")),
    ]);
}

#[test]
fn a_declined_page_is_passed_for_a_while() {
    play(&[
        (0, Ask("miss uri")),
        (0, Ask("collapsed uri")),
        (1, Decline(DeclineReason::SetCookie)),
        (1, Told(&["declined set-cookie"])),
        (1, Ask("pass set-cookie")),
        (10, Ask("pass set-cookie")),
        (11, Ask("miss uri")),
        (12, Store("one")),
        (12, Ask("hit one ttl=60")),
    ]);
}

#[test]
fn a_declined_answer_removes_the_old_one() {
    play(&[
        (0, Ask("miss uri")),
        (0, Store("one")),
        (60, Ask("stale one 0 revalidating refresh")),
        (61, Decline(DeclineReason::Private)),
        (61, Ask("pass private")),
        (71, Ask("miss uri")),
        (71, Decline(DeclineReason::NoStore)),
        (71, Ask("pass no-store")),
    ]);
    play(&[
        (0, Ask("miss uri")),
        (0, Store("one")),
        (600, Ask("miss stale old=one")),
        (600, Ask("collapsed stale")),
        (601, Decline(DeclineReason::Vary)),
        (601, Told(&["declined vary"])),
        (601, Ask("pass vary")),
    ]);
}

#[test]
fn a_dropped_fill_is_asked_for_again() {
    play(&[
        (0, Ask("miss uri")),
        (0, Ask("collapsed uri")),
        (0, Drop),
        (0, Told(&["abandoned"])),
        (0, Ask("miss uri")),
        // A confirmation of nothing is no answer.
        (0, Ask("collapsed uri")),
        (0, Renew(None)),
        (0, Told(&["abandoned"])),
        (0, Ask("miss uri")),
        (0, Begin),
        (0, Ask("collapsed uri")),
        (0, DropMidway),
        (0, Told(&["abandoned"])),
        (0, Ask("miss uri")),
    ]);
}

#[test]
fn variants_have_fills_of_their_own() {
    play(&[
        (0, AskIn("en", "miss uri")),
        (0, AskIn("de", "miss uri")),
        (0, AskIn("de", "collapsed uri")),
        (1, Store("eins")),
        (1, AskIn("de", "hit eins ttl=60")),
        (1, AskIn("en", "collapsed vary")),
        (1, AskIn("fr", "miss vary")),
        (2, Fail),
        (3, Store("one")),
        (3, AskIn("en", "hit one ttl=60")),
        (3, AskIn("de", "hit eins ttl=58")),
        (3, AskIn("fr", "miss vary")),
        (4, Decline(DeclineReason::SetCookie)),
        (4, AskIn("fr", "pass set-cookie")),
        (4, AskIn("de", "hit eins ttl=57")),
        // One variant's failures are not the other's.
        (61, AskIn("de", "stale eins 0 revalidating refresh")),
        (61, Fail),
        (63, AskIn("de", "stale eins 2 error")),
        (63, AskIn("en", "stale one 0 revalidating refresh")),
    ]);
}

/// "Other variants are stored, this one is not" is `vary`; "nothing is stored for the key" is `uri` (RFC 9211 section 2.2).
#[test]
fn what_is_missing_does_not_depend_on_marks() {
    play(&[
        (0, AskIn("en", "miss uri")),
        (0, Store("one")),
        (0, AskIn("de", "miss vary")),
        (0, Decline(DeclineReason::SetCookie)),
        (10, AskIn("de", "miss vary")),
    ]);
    play(&[(0, AskIn("en", "miss uri")), (0, Decline(DeclineReason::SetCookie)), (0, AskIn("de", "miss uri"))]);
}

#[test]
fn errors_are_kept_for_their_own_time() {
    play(&[
        (0, Ask("miss uri")),
        (0, StoreAs(404, &[], "gone")),
        (9, Ask("hit gone ttl=1")),
        (10, Ask("miss stale old=gone")),
        (11, Fail),
        (11, Ask("miss stale old=gone")),
        (12, StoreAs(302, &[("cache-control", "max-age=2")], "")),
        (13, Ask("hit  ttl=1")),
        (14, Ask("miss stale old=")),
        (14, Store("found")),
        (14, Ask("hit found ttl=60")),
    ]);
}

#[test]
fn the_windows_are_those_of_the_request() {
    let windows = |revalidate| Windows { revalidate, ..WINDOWS };
    play(&[
        (0, Ask("miss uri")),
        (0, Store("one")),
        (30, Ask("hit one ttl=30")),
        (30, Configure(windows(Window::For(Duration::from_secs(20))))),
        (30, Ask("stale one 10 revalidating refresh")),
        (30, Fail),
        (30, Ask("stale one 10 error")),
        (30, Configure(windows(Window::Forever))),
        (1_000_000, Ask("hit one")),
        (1_000_000, Configure(windows(Window::For(Duration::from_secs(20))))),
        (1_000_000, Ask("miss stale old=one")),
    ]);
}

#[test]
fn a_response_is_shared_while_it_comes() {
    play(&[
        (0, Ask("miss uri")),
        (0, Ask("collapsed uri")),
        (1, Begin),
        // Its head alone is not announced: what comes at once is stored first.
        (1, Told(&[])),
        (2, Push("on", Pushed::Kept)),
        (2, Told(&["streams on..."])),
        (3, Ask("collapsed uri")),
        (3, Push("", Pushed::Kept)),
        (3, Push("e t", Pushed::Kept)),
        (4, Ask("collapsed uri")),
        (4, Finish("wo", Pushed::Kept)),
        (5, Told(&["streams one two.", "streams one two."])),
        // It is as old as its head.
        (60, Ask("hit one two ttl=1")),
        (61, Ask("stale one two 0 revalidating refresh")),
    ]);
}

#[test]
fn a_body_at_the_limit_is_kept_and_one_beyond_it_is_not() {
    play(&[
        (0, Ask("miss uri")),
        (0, StoreAs(200, &[("content-length", "8")], "12345678")),
        (0, Ask("hit 12345678 ttl=60")),
    ]);
    play(&[
        (0, Ask("miss uri")),
        (0, Begin),
        (0, Push("1234", Pushed::Kept)),
        (0, Push("5678", Pushed::Kept)),
        (0, Finish("", Pushed::Kept)),
        (0, Ask("hit 12345678 ttl=60")),
    ]);
    play(&[
        (0, Ask("miss uri")),
        (0, Ask("collapsed uri")),
        (1, BeginTooLong("9")),
        (1, Told(&["declined too-large"])),
        (1, Ask("pass too-large")),
        (11, Ask("miss uri")),
    ]);
    play(&[
        (0, Ask("miss uri")),
        (0, Ask("collapsed uri")),
        (1, Begin),
        (1, Push("12345678", Pushed::Kept)),
        (1, Told(&["streams 12345678..."])),
        (1, Ask("collapsed uri")),
        (2, Push("9", Pushed::LetGo)),
        (2, Ask("pass too-large")),
        (3, Push("10", Pushed::LetGo)),
        // It is not kept, but its beginning is held for whoever waits.
        (3, Told(&["streams 12345678910..."])),
        (3, Finish("11", Pushed::LetGo)),
        (3, Ask("pass too-large")),
        (12, Ask("miss uri")),
    ]);
    play(&[
        (0, Ask("miss uri")),
        (0, Begin),
        (0, Push("1234", Pushed::Kept)),
        (0, Finish("56789", Pushed::LetGo)),
        (0, Ask("pass too-large")),
    ]);
}

#[test]
fn a_refresh_that_outgrows_the_limit_removes_the_old_response() {
    play(&[
        (0, Ask("miss uri")),
        (0, Store("one")),
        (60, Ask("stale one 0 revalidating refresh")),
        (60, Begin),
        (60, Push("12345678", Pushed::Kept)),
        (60, Ask("stale one 0 revalidating")),
        (61, Push("9", Pushed::LetGo)),
        (61, Ask("pass too-large")),
        (61, Break),
        (61, Ask("pass too-large")),
    ]);
}

#[test]
fn promise_5_a_response_that_breaks_off_is_not_kept() {
    play(&[
        (0, Ask("miss uri")),
        (0, Ask("collapsed uri")),
        (1, Begin),
        (1, Break),
        (1, Told(&["failed broken"])),
        (1, Ask("miss uri")),
        (1, Begin),
        (1, Push("hal", Pushed::Kept)),
        (1, Ask("collapsed uri")),
        (2, Break),
        (2, Told(&["streams hal!"])),
        (2, Ask("miss uri")),
        (2, Begin),
        (2, Push("hal", Pushed::Kept)),
        (2, Ask("collapsed uri")),
        (2, DropMidway),
        (2, Told(&["streams hal!"])),
        (2, Ask("miss uri")),
    ]);
    play(&[
        (0, Ask("miss uri")),
        (0, Store("one")),
        (60, Ask("stale one 0 revalidating refresh")),
        (60, Begin),
        (60, Push("tw", Pushed::Kept)),
        (61, Break),
        (61, Ask("stale one 1 error")),
        (64, Ask("stale one 4 error refresh")),
        (64, Begin),
        (64, Push("tw", Pushed::Kept)),
        (64, DropMidway),
        (64, Ask("stale one 4 error refresh")),
    ]);
}
