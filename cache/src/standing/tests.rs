//! What invalidations come to, in whatever order they are added.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::{MAX_DELETIONS, MAX_EXPIRIES, Mark, Marks, Validity};
use crate::{Forgetting, Moment};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(second: u64) -> Moment {
    Moment { wall: SystemTime::UNIX_EPOCH, monotonic: seconds(second) }
}

/// An invalidation: how, its number, its second.
type Said = (Forgetting, u64, u64);

fn marks(said: &[Said]) -> Marks {
    let mut marks = Marks::default();
    for (mode, mark, second) in said {
        marks.add(*mode, Mark(*mark), at(*second));
    }
    marks
}

/// What is to be expected of what began at `began`, by the words of the three modes.
fn expected(said: &[Said], began: u64, now: u64) -> Validity {
    let since: Vec<&Said> = said.iter().filter(|(_, mark, _)| *mark > began).collect();
    let is_gone = |(mode, _, second): &Said| match mode {
        Forgetting::Stale => false,
        Forgetting::Delete => true,
        Forgetting::Expire(after) => seconds(*second) + *after <= seconds(now),
    };
    if since.iter().any(|said| is_gone(said)) {
        return Validity::Gone;
    }
    since.iter().max_by_key(|(_, mark, _)| *mark).map_or(Validity::Valid, |(_, _, at)| Validity::Stale(seconds(*at)))
}

const STALE: Forgetting = Forgetting::Stale;
const DELETE: Forgetting = Forgetting::Delete;
const IN_TEN: Forgetting = Forgetting::Expire(Duration::from_secs(10));
const AT_ONCE: Forgetting = Forgetting::Expire(Duration::ZERO);
const NEVER: Forgetting = Forgetting::Expire(Duration::MAX);

#[test]
fn each_mode_does_what_its_name_says() {
    const STALE_SINCE_5: Validity = Validity::Stale(Duration::from_secs(5));
    const STALE_SINCE_6: Validity = Validity::Stale(Duration::from_secs(6));
    // What was said, when the response began, the second now.
    let cases: [(&[Said], u64, u64, Validity); 17] = [
        (&[], 0, 0, Validity::Valid),
        (&[(STALE, 1, 5)], 0, 5, STALE_SINCE_5),
        (&[(STALE, 1, 5)], 0, 5000, STALE_SINCE_5),
        (&[(STALE, 1, 5)], 1, 5, Validity::Valid),
        (&[(DELETE, 1, 5)], 0, 5, Validity::Gone),
        (&[(DELETE, 1, 5)], 1, 5, Validity::Valid),
        (&[(IN_TEN, 1, 5)], 0, 5, STALE_SINCE_5),
        (&[(IN_TEN, 1, 5)], 0, 14, STALE_SINCE_5),
        (&[(IN_TEN, 1, 5)], 0, 15, Validity::Gone),
        (&[(IN_TEN, 1, 5)], 1, 15, Validity::Valid),
        (&[(AT_ONCE, 1, 5)], 0, 5, Validity::Gone),
        (&[(NEVER, 1, 5)], 0, u64::MAX, Validity::Stale(seconds(5))),
        // A deletion is never weakened by what comes later.
        (&[(DELETE, 1, 5), (STALE, 2, 6)], 0, 6, Validity::Gone),
        (&[(DELETE, 1, 5), (STALE, 2, 6)], 1, 6, STALE_SINCE_6),
        (&[(DELETE, 1, 5), (IN_TEN, 2, 6)], 0, 6, Validity::Gone),
        (&[(IN_TEN, 1, 5), (STALE, 2, 6)], 0, 15, Validity::Gone),
        // Nor is one that is to come put off.
        (&[(IN_TEN, 1, 5), (NEVER, 2, 6)], 0, 15, Validity::Gone),
    ];
    for (said, began, now, verdict) in cases {
        assert_eq!(marks(said).validity(Mark(began), at(now)), verdict, "{said:?} of {began} at {now}");
    }
}

#[test]
fn the_stricter_of_two_counts() {
    let all = [Validity::Valid, Validity::Stale(seconds(9)), Validity::Stale(seconds(1)), Validity::Gone];
    for (one, first) in all.iter().enumerate() {
        for (other, second) in all.iter().enumerate() {
            assert_eq!(first.and(*second), all[one.max(other)], "{first:?} and {second:?}");
        }
    }
}

/// Each began later and goes later, so that none makes another needless.
fn expiries(number: usize) -> Vec<Said> {
    let one = |number: u64| (Forgetting::Expire(seconds(100)), number, number);
    (1..=number as u64).map(one).collect()
}

#[test]
fn promise_6_times_of_expiry_are_bounded() {
    let few = expiries(MAX_EXPIRIES);
    let kept = marks(&few);
    assert_eq!(kept.expiring.len(), MAX_EXPIRIES);
    for began in 0..=MAX_EXPIRIES as u64 {
        for now in 100..120 {
            assert_eq!(kept.validity(Mark(began), at(now)), expected(&few, began, now), "{began} at {now}");
        }
    }
    // One more, and the first two go together, when the first of them would have gone.
    let many = expiries(MAX_EXPIRIES + 1);
    let kept = marks(&many);
    assert_eq!(kept.expiring.len(), MAX_EXPIRIES);
    for (began, now, verdict) in
        [(0, 100, false), (0, 101, true), (1, 100, false), (1, 101, true), (2, 102, false), (2, 103, true)]
    {
        assert_eq!(kept.validity(Mark(began), at(now)) == Validity::Gone, verdict, "{began} at {now}");
    }
    assert_eq!(marks(&expiries(1000)).expiring.len(), MAX_EXPIRIES);
}

#[test]
fn what_has_expired_takes_no_place() {
    let kept = marks(&[(IN_TEN, 1, 0), (IN_TEN, 2, 1), (IN_TEN, 3, 100)]);
    assert_eq!(kept.expiring.len(), 1);
    assert_eq!(kept.deletions, [Mark(1), Mark(2)]);
    // An older one that goes no earlier adds nothing.
    assert_eq!(marks(&[(IN_TEN, 2, 0), (IN_TEN, 1, 5)]).expiring, [(Mark(2), seconds(10))]);
    assert_eq!(marks(&[(IN_TEN, 1, 5), (IN_TEN, 2, 0)]).expiring, [(Mark(2), seconds(10))]);
    assert_eq!(marks(&[(IN_TEN, 1, 5), (IN_TEN, 1, 5)]).expiring.len(), 1);
}

/// Whoever waits for something may have it although it was deleted after they came.
#[test]
fn what_was_gone_when_somebody_came_is_told_from_what_went_later() {
    let deleted = marks(&[(DELETE, 3, 0), (DELETE, 5, 0), (DELETE, 4, 0)]);
    let gone = |marks: &Marks, began, joined, second| marks.gone_between(Mark(began), (Mark(joined), at(second)));
    for (began, joined, expected) in
        [(2, 2, false), (2, 3, true), (3, 3, false), (3, 4, true), (4, 9, true), (5, 9, false)]
    {
        assert_eq!(gone(&deleted, began, joined, 0), expected, "{began} {joined}");
    }
    // What was to go in ten seconds was there when they came sooner.
    let expiring = marks(&[(IN_TEN, 3, 0)]);
    for (joined, second, expected) in [(3, 9, false), (3, 10, true), (2, 10, false)] {
        assert_eq!(gone(&expiring, 1, joined, second), expected, "{joined} {second}");
    }
    // Too many to be told apart: it was gone, unless it is newer than all that are not remembered.
    let many: Vec<Said> = (1..=MAX_DELETIONS as u64 + 2).map(|mark| (DELETE, mark, 0)).collect();
    let many = marks(&many);
    assert_eq!(many.deletions.len(), MAX_DELETIONS);
    assert_eq!(
        [(0, 0), (1, 1), (2, 2), (2, 3)].map(|(began, joined)| gone(&many, began, joined, 0)),
        [true, true, false, true]
    );
}

fn mode() -> impl Strategy<Value = Forgetting> {
    prop_oneof![Just(STALE), Just(DELETE), (0u64..40).prop_map(|after| Forgetting::Expire(seconds(after)))]
}

/// Invalidations in the order of their numbers, and the same in another.
fn said(most: usize) -> impl Strategy<Value = (Vec<Said>, Vec<Said>)> {
    let said = proptest::collection::vec((mode(), 0u64..5), 0..most).prop_map(|modes| {
        let mut second = 0;
        let numbered = modes.into_iter().zip(1u64..).map(|((mode, later), mark)| {
            second += later;
            (mode, mark, second)
        });
        numbered.collect::<Vec<Said>>()
    });
    said.prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each invalidation counts as though it had come alone, in any order.
    #[test]
    fn any_order_comes_to_the_same((said, shuffled) in said(MAX_EXPIRIES), began in 0u64..9, later in 0u64..60) {
        let now = said.last().map_or(0, |(_, _, second)| *second) + later;
        let verdict = expected(&said, began, now);
        prop_assert_eq!(marks(&said).validity(Mark(began), at(now)), verdict);
        prop_assert_eq!(marks(&shuffled).validity(Mark(began), at(now)), verdict);
    }

    /// However many there are, nothing that is to be gone stays, and nothing is gone before anything was to be.
    #[test]
    fn what_is_put_together_is_no_weaker((said, shuffled) in said(60), began in 0u64..60, later in 0u64..60) {
        let now = said.last().map_or(0, |(_, _, second)| *second) + later;
        let (verdict, found) = (expected(&said, began, now), marks(&shuffled).validity(Mark(began), at(now)));
        if found == Validity::Gone {
            prop_assert!(verdict == Validity::Gone || expected(&said, 0, now) == Validity::Gone);
        } else {
            prop_assert_eq!(found, verdict);
        }
    }
}
