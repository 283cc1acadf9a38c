//! Visitors and fills in every order: whatever a fill comes to, at most one runs, everyone who waits gets an answer, and what
//! is stored is what the rules say.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use bytes::Bytes;

use super::schedule::{Choices, Spawned, Task, crash, every_schedule, pause, run};
use super::{MAX_BODY, WINDOWS, at, head, look, request, windowed};
use crate::cache::{Asked, Cache, Known, Lookup};
use crate::{Awaited, BodyReader, Cut, DeclineReason, Demands, FailureKind, Fill, Moment, Pushed, Terms};

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
    /// The page is made invalid: another generation begins.
    Invalidation,
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
    /// How many fills have begun, and how many of each generation hold the permission now.
    begun: Cell<usize>,
    running: RefCell<Vec<usize>>,
    /// In which generation the fetch of a body began.
    born: RefCell<HashMap<Bytes, usize>>,
    /// Bodies that were stored whole, and those that were sent whole.
    whole: RefCell<HashSet<Bytes>>,
    answers: RefCell<Vec<Option<Answer>>>,
    cancelled: Cell<Option<&'static str>>,
    spawned: Spawned,
}

/// The permission to fill, of a generation, counted.
struct Permission(Rc<World>, usize);

impl Permission {
    /// Whether an invalidation has come after it.
    fn is_outdated(&self) -> bool {
        self.1 < self.0.generation()
    }
}

impl Drop for Permission {
    fn drop(&mut self) {
        self.0.running.borrow_mut()[self.1] -= 1;
    }
}

const OLD: Bytes = Bytes::from_static(b"old");

impl World {
    fn new(cache: &Rc<Cache<&'static str>>, run: u64, plan: Plan, before: Before) -> Rc<World> {
        let key = run.to_le_bytes();
        if before != Before::Nothing {
            let Lookup::Miss { fill, .. } = look(cache, &key, "en", WINDOWS, at(0)) else {
                panic!("an empty cache has something");
            };
            let filling = fill.begin(head(200, &[("etag", "\"old\"")]), at(0), Terms::default()).unwrap();
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
            running: RefCell::new(vec![0]),
            born: RefCell::new(HashMap::from([(OLD, 0)])),
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
        let (request, policy, demands) = (request("en"), windowed(WINDOWS), Demands::default());
        let asked = Asked { key: &self.key, request: &request, policy: &policy, demands: &demands };
        self.cache.known(&asked, &mut asked.selecting(), self.now())
    }

    /// The response that is kept, fresh or not.
    fn kept(&self) -> Option<Bytes> {
        match self.known() {
            Known::Fresh(response, _)
            | Known::Settled(response, ..)
            | Known::Stale(response, ..)
            | Known::Missing(_, Some((response, _))) => Some(response.body().clone()),
            Known::Declined(..) | Known::Missing(_, None) => None,
        }
    }

    /// How many invalidations there have been.
    fn generation(&self) -> usize {
        self.running.borrow().len() - 1
    }

    fn invalidate(&self) {
        self.cache.invalidate(&self.key, self.now());
        self.running.borrow_mut().push(0);
        assert_eq!(self.kept(), None, "what is made invalid is gone");
        assert!(!matches!(self.known(), Known::Declined(..)), "and so is what was said of it");
    }

    /// Promise 4: whoever asked in a generation gets nothing whose fetch began before.
    fn is_valid_since(&self, generation: usize, body: &Bytes) {
        let born = self.born.borrow().get(body).copied();
        assert!(born.is_none_or(|born| born >= generation), "promise 4: {body:?} of {born:?} after {generation}");
    }

    fn starts(self: &Rc<Self>, name: &'static str, task: impl Future<Output = ()> + 'static) {
        self.spawned.borrow_mut().push(Task::new(name, task));
    }

    /// Begins a fetch, as a task of its own.
    fn fetch(self: &Rc<Self>, fill: Fill<&'static str>) {
        let number = self.begun.get();
        self.begun.set(number + 1);
        let generation = self.generation();
        self.running.borrow_mut()[generation] += 1;
        assert_eq!(self.running.borrow()[generation], 1, "promise 2: at most one fill of a generation at any moment");
        let permission = Permission(Rc::clone(self), generation);
        let (name, plan) = if number == 0 { ("the first fill", self.plan) } else { ("a later fill", Plan::Store) };
        let body = Bytes::from(format!("new{number}"));
        self.born.borrow_mut().insert(body.clone(), generation);
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
            let renewed = fill.renew(&head(304, &[]), world.now(), Terms::default());
            let confirmed_body = confirmed.as_ref().map(|old| old.body().clone());
            assert_eq!(renewed.map(|response| response.body().clone()), confirmed_body);
            if !permission.is_outdated() {
                assert_eq!(confirmed_body, before);
            }
            if confirmed.is_some() && !permission.is_outdated() {
                assert!(matches!(world.known(), Known::Fresh(..)), "a confirmed response is fresh");
            }
        }
        Plan::Decline => {
            fill.decline(DeclineReason::SetCookie, world.now());
            if permission.is_outdated() {
                return assert_eq!(world.kept(), before, "an outdated {plan:?} replaces nothing");
            }
            assert!(matches!(world.known(), Known::Declined(DeclineReason::SetCookie, _)));
            return;
        }
        Plan::AnnounceTooMuch => {
            let begun = fill.begin(head(200, &[("content-length", "9")]), world.now(), Terms::default());
            assert_eq!(begun.map(|_| ()), Err(DeclineReason::TooLarge));
            if permission.is_outdated() {
                return assert_eq!(world.kept(), before, "an outdated {plan:?} replaces nothing");
            }
            assert!(matches!(world.known(), Known::Declined(DeclineReason::TooLarge, _)));
            return;
        }
        Plan::Fail => fill.fail("boom", FailureKind::Unreachable, world.now(), 0.0),
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
    let mut filling = fill.begin(head(200, &[]), world.now(), Terms::default()).unwrap();
    if plan == Plan::StoreAtOnce {
        world.whole.borrow_mut().insert(body.clone());
        assert_eq!(filling.finish(body.clone(), world.now()), Pushed::Kept);
        assert_eq!(world.kept(), if permission.is_outdated() { before } else { Some(body) });
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
            assert_eq!(world.kept(), if permission.is_outdated() { before } else { Some(body) });
        }
        Plan::Outgrow => {
            assert_eq!(filling.push(Bytes::from_static(b"12345678"), world.now()), Pushed::LetGo);
            let outdated = permission.is_outdated();
            drop(permission);
            check_let_go(&world, outdated, before.as_ref());
            pause().await;
            assert_eq!(filling.finish(Bytes::from_static(b"9"), world.now()), Pushed::LetGo);
        }
        Plan::OutgrowAtTheEnd => {
            assert_eq!(filling.finish(Bytes::from_static(b"123456789"), world.now()), Pushed::LetGo);
            check_let_go(&world, permission.is_outdated(), before.as_ref());
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

/// What a body that has outgrown the limit leaves behind.
fn check_let_go(world: &World, outdated: bool, before: Option<&Bytes>) {
    if outdated {
        assert_eq!(world.kept().as_ref(), before, "an outdated one replaces nothing");
    } else {
        assert!(matches!(world.known(), Known::Declined(DeclineReason::TooLarge, _)));
    }
}

/// A visitor, as the gateway serves one.
async fn visitor(world: Rc<World>, seat: usize) {
    let mut looks = 0;
    let answer = loop {
        looks += 1;
        assert!(looks <= 4, "a visitor looks up for ever");
        let generation = world.generation();
        let mut waiter = match look(&world.cache, &world.key, "en", WINDOWS, world.now()) {
            Lookup::Hit { response, .. } => {
                world.is_valid_since(generation, response.body());
                break Answer::Stored(response.body().clone());
            }
            Lookup::Stale { response, refresh, .. } => {
                world.is_valid_since(generation, response.body());
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
            Awaited::Streaming(_, reader) => {
                let answer = read(reader).await;
                if let Answer::Streamed(body) = &answer {
                    world.is_valid_since(generation, body);
                }
                break answer;
            }
            Awaited::Renewed(response, _) => {
                world.is_valid_since(generation, response.body());
                break Answer::Stored(response.body().clone());
            }
            Awaited::Declined(_) => break Answer::Passed,
            Awaited::Failed(_) => break Answer::Failed,
            Awaited::Abandoned => {}
            Awaited::Crowded => panic!("nobody else is here"),
            Awaited::Interim(_) | Awaited::Alone(..) | Awaited::Unrelated | Awaited::Outdated => {
                panic!("no fill here does that")
            }
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
            Beside::Invalidation => this.invalidate(),
        }
    });
    let stuck = run(choices, &world.spawned, || world.cancelled.take());
    assert!(stuck.is_empty(), "promise 3: {stuck:?} wait for ever");
    assert_eq!(world.cache.fills_in_flight(), 0, "a flight is left behind");
    assert!(world.running.borrow().iter().all(|running| *running == 0));
    if let Some(kept) = world.kept() {
        world.is_valid_since(world.generation(), &kept);
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
fn promises_2_3_and_4_hold_wherever_an_invalidation_comes() {
    for before in [Before::Nothing, Before::Stale, Before::Expired] {
        explore(before, Beside::Invalidation, 2, &PLANS);
    }
}

#[test]
fn promises_2_and_3_hold_while_everything_expires() {
    for before in [Before::Nothing, Before::Stale, Before::Expired] {
        explore(before, Beside::TimePasses, 2, &PLANS);
    }
}
