//! Visitors and fills in every order: whatever a fill comes to, at most one runs, everyone who waits gets an answer, and what
//! is stored is what the rules say.

mod fetch;
mod world;

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use self::world::World;
use super::schedule::{Choices, every_schedule, pause, run};
use super::{MAX_BODY, WINDOWS, look};
use crate::cache::{Cache, Known, Lookup};
use crate::{Awaited, BodyReader, Cut, Forgetting};

/// What a fill comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Store,
    StoreAtOnce,
    Renew,
    Decline,
    AnnounceTooMuch,
    Outgrow,
    OutgrowAtTheEnd,
    Fail,
    FailAfterTheHead,
    FailMidway,
    Abandon,
    AbandonMidway,
    Crash,
    CrashMidway,
}

const PLANS: [Plan; 14] = [
    Plan::Store,
    Plan::StoreAtOnce,
    Plan::Renew,
    Plan::Decline,
    Plan::AnnounceTooMuch,
    Plan::Outgrow,
    Plan::OutgrowAtTheEnd,
    Plan::Fail,
    Plan::FailAfterTheHead,
    Plan::FailMidway,
    Plan::Abandon,
    Plan::AbandonMidway,
    Plan::Crash,
    Plan::CrashMidway,
];

/// What is there before anyone comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    Stale,
    Expired,
}

/// What else happens, at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Nothing,
    /// The first visitor leaves.
    VisitorLeaves,
    /// The first fill's task is dropped.
    FillIsCancelled,
    /// So much time passes that everything expires.
    TimePasses,
    /// The page is made invalid in this way.
    Invalidation(How),
}

/// How a page is made invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// By its key, as an unsafe request does.
    Key,
    /// By something that its response carries.
    Forget(Named, Forgetting),
}

/// What an invalidation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// A tag, of which nobody knows before the answer comes.
    Tag,
    Path,
    Prefix,
    Everything,
}

/// After so many seconds what was made stale is gone, where it is said so.
const GONE_AFTER: u64 = 30;

/// How a visitor was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// From what is stored.
    Stored(Bytes),
    /// From what was being stored, to its end.
    Streamed(Bytes),
    /// From what was being stored, until it broke off.
    Cut(Bytes),
    /// On its own.
    Passed,
    Failed,
}

/// A visitor, as the gateway serves one.
async fn visitor(world: Rc<World>, seat: usize) {
    let mut looks = 0;
    let answer = loop {
        looks += 1;
        assert!(looks <= 4, "a visitor looks up for ever");
        let (generation, invalidations) = (world.generation(), world.invalidations.get());
        let mut waiter = match look(&world.cache, &world.key, "en", WINDOWS, world.now()) {
            Lookup::Hit { response, .. } => {
                world.is_valid_since(generation, &response.body());
                world.is_fresh_since(invalidations, &response.body());
                break Answer::Stored(response.body());
            }
            Lookup::Stale { response, refresh, .. } => {
                world.is_valid_since(generation, &response.body());
                if let Some(fill) = refresh {
                    world.fetch(fill);
                }
                break Answer::Stored(response.body());
            }
            Lookup::Collapsed { waiter, .. } => waiter,
            Lookup::Miss { fill, .. } => {
                let waiter = fill.waiter();
                world.fetch(fill);
                waiter
            }
            Lookup::Pass(_) => break Answer::Passed,
        };
        match waiter.wait().await {
            Awaited::Streaming(_, reader) => {
                let answer = read(reader).await;
                if let Answer::Streamed(body) = &answer {
                    world.is_valid_since(generation, body);
                }
                break answer;
            }
            Awaited::Renewed(response, _) => {
                world.is_valid_since(generation, &response.body());
                break Answer::Stored(response.body());
            }
            Awaited::Declined(_) => break Answer::Passed,
            Awaited::Failed(_) => break Answer::Failed,
            Awaited::Abandoned => {}
            Awaited::Outdated => assert!(matches!(world.how, How::Forget(..)), "nothing was forgotten"),
            Awaited::Crowded => panic!("nobody else is here"),
            Awaited::Interim(_) | Awaited::Alone(..) | Awaited::Unrelated => panic!("no fill here does that"),
        }
    };
    world.answers.borrow_mut()[seat] = Some(answer);
}

async fn read(mut reader: BodyReader) -> Answer {
    let mut bytes = Vec::new();
    loop {
        match reader.next().await {
            Ok(Some(piece)) => bytes.extend_from_slice(&piece),
            Ok(None) => return Answer::Streamed(bytes.into()),
            Err(Cut) => return Answer::Cut(bytes.into()),
        }
    }
}

/// One run: so many visitors, and what happens beside them.
fn one_run(choices: &mut Choices, world: &Rc<World>, beside: Beside, visitors: usize) {
    let plan = world.plan;
    world.answers.borrow_mut().resize(visitors, None);
    for seat in 0..visitors {
        let name = if seat == 0 { "the first visitor" } else { "a later visitor" };
        world.starts(name, visitor(Rc::clone(world), seat));
    }
    let this = Rc::clone(world);
    world.starts("beside", async move {
        match beside {
            Beside::Nothing => {}
            Beside::VisitorLeaves => this.cancelled.set(Some("the first visitor")),
            Beside::FillIsCancelled => this.cancelled.set(Some("the first fill")),
            Beside::TimePasses => this.seconds.set(this.seconds.get() + 600),
            Beside::Invalidation(how) => {
                this.invalidate();
                if let How::Forget(_, Forgetting::Expire(_)) = how {
                    pause().await;
                    this.seconds.set(this.seconds.get() + GONE_AFTER);
                    this.another_generation();
                }
            }
        }
    });
    let stuck = run(choices, &world.spawned, || world.cancelled.take());
    assert!(stuck.is_empty(), "promise 3: {stuck:?} wait for ever");
    assert_eq!(world.cache.fills_in_flight(), 0, "a flight is left behind");
    assert!(world.running.borrow().iter().all(|running| *running == 0));
    if let Some(kept) = world.kept() {
        world.is_valid_since(world.generation(), &kept);
    }
    if let Known::Fresh(response, _) = world.known() {
        world.is_fresh_since(world.invalidations.get(), &response.body());
    }
    for (seat, answer) in world.answers.borrow().iter().enumerate() {
        let whole = world.whole.borrow();
        match answer {
            Some(Answer::Stored(body)) => assert!(whole.contains(body), "{body:?} was never stored whole"),
            Some(Answer::Streamed(body)) if plan == Plan::Outgrow || plan == Plan::OutgrowAtTheEnd => {
                assert!(whole.contains(body) || body.ends_with(b"9"), "{body:?} was never whole");
            }
            Some(Answer::Streamed(body)) => assert!(whole.contains(body), "{body:?} was never whole"),
            Some(Answer::Cut(body)) if plan == Plan::Outgrow => {
                assert!(b"new12345678".starts_with(body), "{body:?} was never sent");
            }
            Some(Answer::Cut(body)) => assert!(b"new0".starts_with(body), "{body:?} was never sent"),
            Some(Answer::Passed | Answer::Failed) => {}
            None => assert!(seat == 0 && beside == Beside::VisitorLeaves, "visitor {seat} has no answer"),
        }
    }
}

/// The most fills that may begin: one, and where the first leaves nothing behind one more for each visitor it could not serve.
fn most_fills(plan: Plan, before: Before, visitors: usize) -> usize {
    match plan {
        Plan::Store
        | Plan::StoreAtOnce
        | Plan::Decline
        | Plan::AnnounceTooMuch
        | Plan::Outgrow
        | Plan::OutgrowAtTheEnd => 1,
        Plan::Renew if before == Before::Nothing => 2,
        Plan::Renew => 1,
        Plan::Fail
        | Plan::FailAfterTheHead
        | Plan::FailMidway
        | Plan::Abandon
        | Plan::AbandonMidway
        | Plan::Crash
        | Plan::CrashMidway => visitors.min(2),
    }
}

/// Enough for the page of a run, so that it is never missing for want of room.
const CAPACITY: u64 = 1 << 30;

fn explore(before: Before, beside: Beside, visitors: usize, plans: &[Plan]) {
    for plan in plans {
        let how = match beside {
            Beside::Invalidation(how) => how,
            Beside::Nothing | Beside::VisitorLeaves | Beside::FillIsCancelled | Beside::TimePasses => How::Key,
        };
        let mut run = 0;
        let cache = Rc::new(Cache::new(CAPACITY, MAX_BODY));
        let runs = every_schedule(|choices| {
            run += 1;
            let world = World::new(&cache, run, (*plan, before, how));
            one_run(choices, &world, beside, visitors);
            // A deletion looks at every page, so the others' are not left behind.
            cache.invalidate(&world.key, world.now());
            if matches!(beside, Beside::Nothing | Beside::VisitorLeaves) {
                let begun = world.begun.get();
                let most = most_fills(*plan, before, visitors).max(1);
                assert!((1..=most).contains(&begun) || beside == Beside::VisitorLeaves, "{plan:?}: {begun} fills");
                assert!(begun <= most, "{plan:?}: {begun} fills");
            }
        });
        assert!(runs >= 4, "{plan:?}: only {runs} runs");
    }
}

#[test]
fn promises_2_and_3_hold_for_two_visitors_in_every_order() {
    for before in [Before::Nothing, Before::Stale, Before::Expired] {
        explore(before, Beside::Nothing, 2, &PLANS);
    }
}

#[test]
fn promises_2_and_3_hold_for_three_visitors_in_every_order() {
    // Where the first fill leaves nothing behind, another visitor multiplies the orders by a hundred; two show as much.
    let plans = [Plan::Store, Plan::StoreAtOnce, Plan::Decline];
    explore(Before::Nothing, Beside::Nothing, 3, &plans);
}

#[test]
fn promise_3_holds_whoever_leaves() {
    for before in [Before::Nothing, Before::Stale, Before::Expired] {
        explore(before, Beside::VisitorLeaves, 2, &PLANS);
    }
}

#[test]
fn promise_3_holds_wherever_a_fill_is_cancelled() {
    for before in [Before::Nothing, Before::Stale, Before::Expired] {
        explore(before, Beside::FillIsCancelled, 2, &PLANS);
    }
}

#[test]
fn promises_2_3_and_4_hold_wherever_an_invalidation_comes() {
    for before in [Before::Nothing, Before::Stale, Before::Expired] {
        explore(before, Beside::Invalidation(How::Key), 2, &PLANS);
    }
}

#[test]
fn promises_2_3_and_4_hold_wherever_a_tag_is_deleted() {
    for before in [Before::Nothing, Before::Stale, Before::Expired] {
        explore(before, Beside::Invalidation(How::Forget(Named::Tag, Forgetting::Delete)), 2, &PLANS);
    }
}

/// Explores how a page is made invalid with the plans that leave different things behind; those that abandon a fill multiply
/// the orders, and show no more.
fn explore_shortly(how: How) {
    let plans = [Plan::Store, Plan::StoreAtOnce, Plan::Decline, Plan::OutgrowAtTheEnd, Plan::Fail, Plan::FailMidway];
    for before in [Before::Nothing, Before::Stale, Before::Expired] {
        explore(before, Beside::Invalidation(how), 2, &plans);
    }
    explore(Before::Stale, Beside::Invalidation(how), 2, &PLANS);
    explore(Before::Expired, Beside::Invalidation(how), 2, &[Plan::Renew]);
}

#[test]
fn promises_2_3_and_4_hold_wherever_a_deletion_comes() {
    for named in [Named::Path, Named::Prefix, Named::Everything] {
        explore_shortly(How::Forget(named, Forgetting::Delete));
    }
}

#[test]
fn promise_4_what_was_made_stale_never_lands_as_fresh() {
    for named in [Named::Tag, Named::Path, Named::Prefix, Named::Everything] {
        explore_shortly(How::Forget(named, Forgetting::Stale));
    }
}

#[test]
fn promises_2_3_and_4_hold_wherever_something_expires_later() {
    let later = Forgetting::Expire(Duration::from_secs(GONE_AFTER));
    for named in [Named::Tag, Named::Prefix] {
        explore_shortly(How::Forget(named, later));
    }
}

#[test]
fn promises_2_and_3_hold_while_everything_expires() {
    for before in [Before::Nothing, Before::Stale, Before::Expired] {
        explore(before, Beside::TimePasses, 2, &PLANS);
    }
}
