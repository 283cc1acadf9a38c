//! Fills that come to what is planned, and what they must leave behind.

use std::rc::Rc;

use bytes::Bytes;

use super::Plan;
use super::world::{Permission, World};
use crate::cache::Known;
use crate::cache::tests::head;
use crate::cache::tests::schedule::{crash, pause};
use crate::{DeclineReason, FailureKind, Fill, Pushed};

/// A fetch that comes to what is planned. What it must leave behind is looked at in the same step.
pub(super) async fn fetch(world: Rc<World>, fill: Fill<&'static str>, permission: Permission, plan: Plan, body: Bytes) {
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
            let renewed = fill.renew(&head(304, &[]), world.now(), world.terms());
            let confirmed_body = confirmed.map(|old| old.body());
            assert_eq!(renewed.map(|response| response.body()), confirmed_body);
            if let Some(old) = confirmed_body.filter(|_| !permission.is_outdated()) {
                // What has gone since the fetch began may be confirmed, and nothing else replaced.
                assert!(before.is_none_or(|before| before == old));
                world.is_confirmed(&old, &permission);
                assert!(
                    permission.is_stale() || matches!(world.known(), Known::Fresh(..)),
                    "a confirmed response is fresh"
                );
                return assert_eq!(world.kept(), Some(old));
            }
        }
        Plan::Decline => {
            fill.decline(DeclineReason::SetCookie, world.now());
            if permission.is_known_to_be_outdated() {
                return assert_eq!(world.kept(), before, "an outdated {plan:?} replaces nothing");
            }
            assert!(matches!(world.known(), Known::Declined(DeclineReason::SetCookie, _)));
            return;
        }
        Plan::AnnounceTooMuch => {
            let begun = fill.begin(head(200, &[("content-length", "9")]), world.now(), world.terms());
            assert_eq!(begun.map(|_| ()), Err(DeclineReason::TooLarge));
            if permission.is_known_to_be_outdated() {
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
    let mut filling = fill.begin(head(200, &[]), world.now(), world.terms()).unwrap();
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
