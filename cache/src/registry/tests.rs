//! Every label once, as long as anybody holds it.

use std::sync::{Barrier, PoisonError};
use std::time::{Duration, SystemTime};

use super::{LEAST, Registry, SHARDS};
use crate::label::Label;
use crate::standing::{Mark, Validity};
use crate::{Forgetting, Moment};

const NOW: Moment = Moment { wall: SystemTime::UNIX_EPOCH, monotonic: Duration::ZERO };

fn names(registry: &Registry) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    registry.each(|label| names.push(label.name().to_vec()));
    names.sort();
    names
}

/// What is held by fetches alone is charged to nobody; once that is known it is no reason to charge anew, and once it is gone it is
/// no allowance.
#[test]
fn promise_6_what_nobody_is_charged_for_is_measured_from_what_is_left() {
    let registry = Registry::new();
    let hold = |prefix: &str| -> Vec<_> {
        (0..100).map(|label| registry.hold(format!("{prefix}{label}").as_bytes())).collect()
    };
    let (_, one) = {
        let _held = hold("a");
        registry.figures()
    };
    let by = one / 2;
    assert!(!registry.is_overdrawn(by), "nothing is held");
    let fetched = hold("a");
    assert!(registry.is_overdrawn(by));
    registry.is_settled();
    assert!(!registry.is_overdrawn(by));
    drop(fetched);
    assert!(!registry.is_overdrawn(by));
    let _others = hold("b");
    assert!(registry.is_overdrawn(by), "as much as before, of something else");
}

/// For how many labels there is room.
fn room(registry: &Registry) -> usize {
    registry.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).capacity()).sum()
}

#[test]
fn who_asks_for_a_name_gets_the_label_that_others_hold() {
    let registry = Registry::new();
    let (one, two, other) = (registry.hold(b"a"), registry.hold(b"a"), registry.hold(b"b"));
    assert!(one.label().is(two.label()));
    assert!(!one.label().is(other.label()));
    assert_eq!(names(&registry), [b"a", b"b"]);
    let bytes = one.label().size() + other.label().size();
    assert_eq!(registry.figures(), (2, bytes as u64));
}

#[test]
fn a_label_goes_with_its_last_holder() {
    let registry = Registry::new();
    let (one, two) = (registry.hold(b"a"), registry.take(b"a"));
    registry.mark(one.label(), Forgetting::Delete, Mark(1), NOW);
    drop(one);
    assert_eq!(names(&registry), [b"a"]);
    assert_eq!(registry.hold(b"a").label().validity(Mark(0), NOW), Validity::Gone, "what was said of it is known");
    registry.release(&two);
    assert_eq!((names(&registry).len(), registry.figures()), (0, (0, 0)));
    assert_eq!(registry.hold(b"a").label().validity(Mark(0), NOW), Validity::Valid, "it is another");
}

#[test]
fn promise_6_a_million_labels_leave_nothing_behind() {
    const MANY: u32 = 1_000_000;
    let registry = Registry::new();
    let held: Vec<Label> = (0..MANY).map(|number| registry.take(&number.to_le_bytes())).collect();
    let (labels, bytes) = registry.figures();
    assert_eq!((labels, bytes), (u64::from(MANY), u64::from(MANY) * held[0].size() as u64));
    assert!(room(&registry) >= MANY as usize);
    for (place, label) in held.iter().enumerate() {
        registry.release(label);
        // Room is given back on the way, and not only at the end.
        let left = MANY as usize - place - 1;
        if left.is_multiple_of(100_000) {
            assert!(room(&registry) <= 10 * left + 2 * SHARDS * LEAST, "{} for {left}", room(&registry));
        }
    }
    assert_eq!(registry.figures(), (0, 0));
    assert!(held.iter().all(|label| label.copies() == 1), "somebody still has it");
}

/// Two threads take and let go of the same few names: what one holds is never taken away by the other.
#[test]
fn a_label_stays_while_others_let_go_of_it() {
    const ROUNDS: u64 = 20_000;
    let registry = Registry::new();
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (registry, start) = (&registry, &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    let name = [u8::try_from(round % 3).unwrap()];
                    let mine = registry.hold(&name);
                    registry.mark(mine.label(), Forgetting::Delete, Mark(1 + round * 4 + thread), NOW);
                    let same = registry.hold(&name);
                    assert!(mine.label().is(same.label()), "one name, two labels");
                    assert_eq!(same.label().validity(Mark(round * 4 + thread), NOW), Validity::Gone);
                }
            });
        }
    });
    assert_eq!(registry.figures(), (0, 0));
}
