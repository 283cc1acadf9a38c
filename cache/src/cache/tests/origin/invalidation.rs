//! Promise 4: what was made invalid stays so, whatever is on its way.

use super::Act::{Answer, Ask, Begin, Confirm, Fail, Finish, Forget, ForgetGroups, Glance, Told};
use super::{BY_LANGUAGE, DE, EN, FR, IN_X, Line, MINUTE, OTHER, PAGE, PLAIN, TAGGED, play};
use crate::FailureKind;

#[test]
fn promise_4_an_invalidation_beats_a_fill_that_began_before() {
    play(&[
        (0, Forget(PAGE, 0)),
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Begin(&[MINUTE], "o")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (1, Forget(PAGE, 0)),
        // Nobody who comes afterwards waits for it.
        (1, Ask(PAGE, PLAIN, "miss uri")),
        (1, Told(&["streams o...", "streams o..."])),
        (2, Finish("ld")),
        (2, Glance(PAGE, PLAIN, "uri")),
        (2, Ask(PAGE, PLAIN, "collapsed uri")),
        (3, Answer(200, &[MINUTE], "new")),
        (3, Told(&["streams new.", "streams new."])),
        (3, Ask(PAGE, PLAIN, "hit new ttl=60")),
    ]);
    // Whatever it comes to: what it would have removed, confirmed or marked is not its own any more.
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Forget(PAGE, 1)),
        (61, Confirm(&[])),
        (61, Glance(PAGE, PLAIN, "uri")),
        (61, Ask(PAGE, PLAIN, "miss uri")),
        (61, Forget(PAGE, 0)),
        (62, Answer(200, &[("cache-control", "private")], "mine")),
        (62, Ask(PAGE, PLAIN, "miss uri")),
        (62, Ask(PAGE, PLAIN, "collapsed uri")),
        (62, Forget(PAGE, 0)),
        (62, Ask(PAGE, PLAIN, "miss uri")),
        (62, Answer(200, &[MINUTE], "new")),
        (63, Answer(503, &[], "old")),
        (63, Ask(PAGE, PLAIN, "hit new ttl=59")),
    ]);
    // Every variant goes, the others' fills too, and no other page.
    play(&[
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Answer(200, &[MINUTE, BY_LANGUAGE], "one")),
        (0, Ask(PAGE, DE, "miss vary")),
        (0, Answer(200, &[MINUTE, BY_LANGUAGE], "eins")),
        (0, Ask(OTHER, EN, "miss uri")),
        (0, Answer(200, &[MINUTE], "other")),
        (0, Ask(PAGE, FR, "miss vary")),
        (0, Forget(PAGE, 2)),
        (0, Glance(PAGE, EN, "uri")),
        (0, Glance(PAGE, DE, "uri")),
        (0, Ask(OTHER, EN, "hit other ttl=60")),
        (1, Answer(200, &[MINUTE, BY_LANGUAGE], "un")),
        (1, Glance(PAGE, FR, "uri")),
    ]);
}

const IN_BOTH: Line = ("cache-groups", "\"y\", \"x\"");

/// RFC 9875: what is of a group is forgotten together.
#[test]
fn promise_4_groups_are_forgotten_together() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED, IN_X], "one")),
        (0, Ask(OTHER, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, IN_BOTH], "other")),
        (1, ForgetGroups("\"z\", \"X\"")),
        (1, Ask(PAGE, PLAIN, "hit one ttl=59")),
        (1, ForgetGroups("\"x\"")),
        (1, Glance(PAGE, PLAIN, "invalidated")),
        // It is not even good to ask with.
        (1, Ask(OTHER, PLAIN, "miss invalidated")),
        (1, Ask(PAGE, PLAIN, "miss invalidated")),
        (2, Answer(200, &[MINUTE, IN_X], "two")),
        (2, Ask(PAGE, PLAIN, "hit two ttl=60")),
        (2, Answer(200, &[MINUTE], "another")),
        (2, ForgetGroups("\"x\"")),
        // What is in no group any more is not reached.
        (2, Ask(OTHER, PLAIN, "hit another ttl=60")),
        (2, Ask(PAGE, PLAIN, "miss invalidated")),
        // Nor does it help out when the handler fails.
        (3, Fail(FailureKind::Unreachable)),
        (3, Ask(PAGE, PLAIN, "miss invalidated")),
    ]);
}

/// What a fill that began before brings is not kept, and nor is a confirmation; and who comes afterwards does not wait for it.
#[test]
fn promise_4_a_group_is_forgotten_while_it_is_fetched() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, ForgetGroups("\"x\"")),
        (1, Answer(200, &[MINUTE, TAGGED, IN_X], "one")),
        (1, Ask(PAGE, PLAIN, "miss uri")),
        (2, Answer(200, &[MINUTE, TAGGED, IN_X], "two")),
        (2, Ask(PAGE, PLAIN, "hit two ttl=60")),
        (62, Ask(PAGE, PLAIN, "miss stale old=two")),
        (62, ForgetGroups("\"x\"")),
        (63, Confirm(&[])),
        (63, Ask(PAGE, PLAIN, "miss invalidated")),
    ]);
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Begin(&[MINUTE, IN_X], "on")),
        (0, ForgetGroups("\"x\"")),
        (1, Finish("e")),
        (1, Ask(PAGE, PLAIN, "miss uri")),
    ]);
    // Who comes after the invalidation does not wait for what began before it; nor does who waited when its groups come.
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, ForgetGroups("\"x\"")),
        (1, Ask(PAGE, PLAIN, "collapsed uri")),
        (1, Begin(&[MINUTE, IN_X], "on")),
        (1, Told(&["streams on...", "unrelated"])),
        (1, Ask(PAGE, PLAIN, "miss uri")),
        (1, Ask(PAGE, PLAIN, "collapsed uri")),
        (2, Finish("e")),
        (2, Ask(PAGE, PLAIN, "collapsed uri")),
        (3, Answer(200, &[MINUTE, IN_X], "two")),
        (3, Told(&["streams two.", "streams two.", "streams two."])),
        (3, Ask(PAGE, PLAIN, "hit two ttl=60")),
    ]);
}

/// A page that is made invalid takes those with it that share a group (RFC 9875 section 2.2.1).
#[test]
fn promise_4_an_unsafe_request_takes_groups_with_it() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, IN_X], "one")),
        (0, Ask(OTHER, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, IN_BOTH], "other")),
        (0, Forget(OTHER, 1)),
        (0, Ask(PAGE, PLAIN, "miss invalidated")),
        (0, Answer(200, &[MINUTE, ("cache-groups", "\"y\"")], "two")),
        (0, Forget("a third", 0)),
        (0, Ask(PAGE, PLAIN, "hit two ttl=60")),
    ]);
}
