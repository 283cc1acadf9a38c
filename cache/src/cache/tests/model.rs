//! Visitors and fills in every order: whatever a fill comes to, at most one runs, everyone who waits gets an answer, and what
//! is stored is what the rules say.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use bytes::Bytes;

use super::schedule::{Choices, Spawned, Task, crash, every_schedule, pause, run};
use super::{MAX_BODY, WINDOWS, at, head, variant};
use crate::cache::{Cache, Known, Lookup};
use crate::{Awaited, BodyReader, Cut, DeclineReason, Fill, Moment, Pushed};

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
}

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

/// Everything that the tasks of one run have in common.
struct World {
    /// Shared by many runs, each of which has a page of its own: making one takes longer than a run.
    cache: Rc<Cache<&'static str>>,
    key: [u8; 8],
    seconds: Cell<u64>,
    /// The first fill does this, later ones store.
    plan: Plan,
    /// How many fills have begun, and how many hold the permission now.
    begun: Cell<usize>,
    running: Cell<usize>,
    /// Bodies that were stored whole, and those that were sent whole.
    whole: RefCell<HashSet<Bytes>>,
    answers: RefCell<Vec<Option<Answer>>>,
    cancelled: Cell<Option<&'static str>>,
    spawned: Spawned,
}

/// The permission to fill, counted.
struct Permission(Rc<World>);

impl Drop for Permission {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get() - 1);
    }
}

const OLD: Bytes = Bytes::from_static(b"old");

impl World {
    fn new(cache: &Rc<Cache<&'static str>>, run: u64, plan: Plan, before: Before) -> Rc<World> {
        let key = run.to_le_bytes();
        if before != Before::Nothing {
            let Lookup::Miss { fill, .. } = cache.lookup(&key, &variant("en"), &WINDOWS, at(0)) else {
                panic!("an empty cache has something");
            };
            let filling = fill.begin(head(200, &[("etag", "\"old\"")]), at(0)).unwrap();
            assert_eq!(filling.finish(OLD, at(0)), Pushed::Kept);
        }
        let seconds = match before {
            Before::Nothing => 0,
            Before::Stale => 100,
            Before::Expired => 1000,
        };
        Rc::new(World {
            cache: Rc::clone(cache),
            key,
            seconds: Cell::new(seconds),
            plan,
            begun: Cell::new(0),
            running: Cell::new(0),
            whole: RefCell::new(HashSet::from([OLD])),
            answers: RefCell::default(),
            cancelled: Cell::new(None),
            spawned: Spawned::default(),
        })
    }

    fn now(&self) -> Moment {
        at(self.seconds.get())
    }

    fn known(&self) -> Known {
        self.cache.known(&self.key, &variant("en"), &WINDOWS, self.now())
    }

    /// The response that is kept, fresh or not.
    fn kept(&self) -> Option<Bytes> {
        match self.known() {
            Known::Fresh(response, _) | Known::Stale(response, ..) | Known::Missing(_, Some(response)) => {
                Some(response.body().clone())
            }
            Known::Declined(_) | Known::Missing(_, None) => None,
        }
    }

    fn starts(self: &Rc<Self>, name: &'static str, task: impl Future<Output = ()> + 'static) {
        self.spawned.borrow_mut().push(Task::new(name, task));
    }

    /// Begins a fetch, as a task of its own.
    fn fetch(self: &Rc<Self>, fill: Fill<&'static str>) {
        let number = self.begun.get();
        self.begun.set(number + 1);
        self.running.set(self.running.get() + 1);
        assert_eq!(self.running.get(), 1, "promise 2: at most one fill at any moment");
        let permission = Permission(Rc::clone(self));
        let (name, plan) = if number == 0 { ("the first fill", self.plan) } else { ("a later fill", Plan::Store) };
        let body = Bytes::from(format!("new{number}"));
        self.starts(name, fetch(Rc::clone(self), fill, permission, plan, body));
    }
}

/// A fetch that comes to what is planned. What it must leave behind is looked at in the same step.
async fn fetch(world: Rc<World>, fill: Fill<&'static str>, permission: Permission, plan: Plan, body: Bytes) {
    let before = world.kept();
    match plan {
        Plan::Store
        | Plan::StoreAtOnce
        | Plan::Outgrow
        | Plan::OutgrowAtTheEnd
        | Plan::FailAfterTheHead
        | Plan::FailMidway
        | Plan::AbandonMidway
        | Plan::CrashMidway => return respond(world, fill, permission, plan, body).await,
        Plan::Renew => {
            let confirmed = fill.old().cloned();
            let renewed = fill.renew(&head(304, &[]), world.now());
            assert_eq!(renewed.map(|response| response.body().clone()), before);
            if confirmed.is_some() {
                assert!(matches!(world.known(), Known::Fresh(..)), "a confirmed response is fresh");
            }
        }
        Plan::Decline => {
            fill.decline(DeclineReason::SetCookie, world.now());
            assert!(matches!(world.known(), Known::Declined(DeclineReason::SetCookie)));
            return;
        }
        Plan::AnnounceTooMuch => {
            let begun = fill.begin(head(200, &[("content-length", "9")]), world.now());
            assert_eq!(begun.map(|_| ()), Err(DeclineReason::TooLarge));
            assert!(matches!(world.known(), Known::Declined(DeclineReason::TooLarge)));
            return;
        }
        Plan::Fail => fill.fail("boom", world.now(), 0.0),
        Plan::Abandon => drop(fill),
        Plan::Crash => {
            let _held = fill;
            crash();
        }
    }
    assert_eq!(world.kept(), before, "{plan:?} replaces nothing");
}

/// A fetch whose response has begun.
async fn respond(world: Rc<World>, fill: Fill<&'static str>, permission: Permission, plan: Plan, body: Bytes) {
    let before = world.kept();
    let mut filling = fill.begin(head(200, &[]), world.now()).unwrap();
    if plan == Plan::StoreAtOnce {
        world.whole.borrow_mut().insert(body.clone());
        assert_eq!(filling.finish(body.clone(), world.now()), Pushed::Kept);
        assert_eq!(world.kept(), Some(body));
        return;
    }
    if plan == Plan::FailAfterTheHead {
        filling.fail("broken", world.now(), 0.0);
        assert_eq!(world.kept(), before, "{plan:?} replaces nothing");
        return;
    }
    let cut = body.len() - 1;
    assert_eq!(filling.push(body.slice(..cut), world.now()), Pushed::Kept);
    pause().await;
    let before = world.kept();
    match plan {
        Plan::Store => {
            world.whole.borrow_mut().insert(body.clone());
            assert_eq!(filling.finish(body.slice(cut..), world.now()), Pushed::Kept);
            assert_eq!(world.kept(), Some(body));
        }
        Plan::Outgrow => {
            assert_eq!(filling.push(Bytes::from_static(b"12345678"), world.now()), Pushed::LetGo);
            drop(permission);
            assert!(matches!(world.known(), Known::Declined(DeclineReason::TooLarge)));
            pause().await;
            assert_eq!(filling.finish(Bytes::from_static(b"9"), world.now()), Pushed::LetGo);
        }
        Plan::OutgrowAtTheEnd => {
            assert_eq!(filling.finish(Bytes::from_static(b"123456789"), world.now()), Pushed::LetGo);
            assert!(matches!(world.known(), Known::Declined(DeclineReason::TooLarge)));
        }
        Plan::FailMidway => {
            filling.fail("broken", world.now(), 0.0);
            assert_eq!(world.kept(), before, "{plan:?} replaces nothing");
        }
        Plan::CrashMidway => {
            let _held = filling;
            crash();
        }
        Plan::AbandonMidway => {
            drop(filling);
            assert_eq!(world.kept(), before, "{plan:?} replaces nothing");
        }
        Plan::StoreAtOnce
        | Plan::Renew
        | Plan::Decline
        | Plan::AnnounceTooMuch
        | Plan::Fail
        | Plan::FailAfterTheHead
        | Plan::Abandon
        | Plan::Crash => panic!("{plan:?} has ended before"),
    }
}

/// A visitor, as the gateway serves one.
async fn visitor(world: Rc<World>, seat: usize) {
    let mut looks = 0;
    let answer = loop {
        looks += 1;
        assert!(looks <= 4, "a visitor looks up for ever");
        let waiter = match world.cache.lookup(&world.key, &variant("en"), &WINDOWS, world.now()) {
            Lookup::Hit { response, .. } => break Answer::Stored(response.body().clone()),
            Lookup::Stale { response, refresh, .. } => {
                if let Some(fill) = refresh {
                    world.fetch(fill);
                }
                break Answer::Stored(response.body().clone());
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
            Awaited::Streaming(_, reader) => break read(reader).await,
            Awaited::Renewed(response) => break Answer::Stored(response.body().clone()),
            Awaited::Declined(_) => break Answer::Passed,
            Awaited::Failed(_) => break Answer::Failed,
            Awaited::Abandoned => {}
            Awaited::Crowded => panic!("nobody else is here"),
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
        }
    });
    let stuck = run(choices, &world.spawned, || world.cancelled.take());
    assert!(stuck.is_empty(), "promise 3: {stuck:?} wait for ever");
    assert_eq!(world.cache.fills_in_flight(), 0, "a flight is left behind");
    assert_eq!(world.running.get(), 0);
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

/// Enough for the pages of a thousand runs, so that none is missing for want of room.
const CAPACITY: u64 = 1 << 30;

fn explore(before: Before, beside: Beside, visitors: usize, plans: &[Plan]) {
    for plan in plans {
        let mut cache = Rc::new(Cache::new(CAPACITY, MAX_BODY));
        let mut run = 0;
        let runs = every_schedule(|choices| {
            run += 1;
            if run % 1000 == 0 {
                cache = Rc::new(Cache::new(CAPACITY, MAX_BODY));
            }
            let world = World::new(&cache, run, *plan, before);
            one_run(choices, &world, beside, visitors);
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
fn promises_2_and_3_hold_while_everything_expires() {
    for before in [Before::Nothing, Before::Stale, Before::Expired] {
        explore(before, Beside::TimePasses, 2, &PLANS);
    }
}
