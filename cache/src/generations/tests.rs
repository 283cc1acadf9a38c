//! What an invalidation reaches, how much it says it found, and what is held until when.

use std::time::{Duration, SystemTime};

use super::{Generations, MAX_DUE, MAX_MARKS_IN_FLIGHT, MAX_PREFIXES, selects};
use crate::key::Address;
use crate::record::SharedRecord;
use crate::standing::{Mark, Validity};
use crate::{Count, Forgetting, Groups, Moment, Selection, Tags, What};

const DELETE: Forgetting = Forgetting::Delete;

fn at(seconds: u64) -> Moment {
    Moment { wall: SystemTime::UNIX_EPOCH, monotonic: Duration::from_secs(seconds) }
}

fn address<'a>(upstream: &'a str, path: &'a str) -> Option<Address<'a>> {
    Some(Address { upstream: upstream.as_bytes(), path: path.as_bytes() })
}

fn tag(name: &str) -> What {
    What::Tag(name.into())
}

fn path(name: &str) -> What {
    What::Path(name.into())
}

fn prefix(start: &str) -> What {
    What::Prefix(start.into())
}

fn everywhere(what: What) -> Selection {
    Selection { what, upstream: None }
}

fn here(upstream: &str, what: What) -> Selection {
    Selection { what, upstream: Some(upstream.into()) }
}

/// A response that is stored, of an upstream, with a path and tags.
fn stored(generations: &Generations, upstream: &str, path: &str, tags: &[&str]) -> SharedRecord {
    generations.introduce(address(upstream, path));
    let tags = Tags::new(tags.iter().copied());
    let record = generations.record(address(upstream, path), &Groups::default(), &tags, generations.now());
    record.enter();
    record
}

/// Forgets while no fill is in flight.
fn forget(generations: &Generations, selection: Selection) -> Count {
    generations.forget(&[selection], DELETE, at(0), || None)
}

/// Four responses of two upstreams.
fn shop_and_blog(generations: &Generations) -> [SharedRecord; 4] {
    [
        stored(generations, "shop", "/", &["all"]),
        stored(generations, "shop", "/items/", &["all", "items"]),
        stored(generations, "shop", "/items/1", &["all", "items", "one"]),
        stored(generations, "blog", "/items/1", &["all", "one"]),
    ]
}

#[test]
fn an_invalidation_reaches_what_it_names_and_nothing_else() {
    // Which of the four are gone.
    let cases = [
        (everywhere(tag("all")), [true, true, true, true]),
        (everywhere(tag("one")), [false, false, true, true]),
        (here("shop", tag("one")), [false, false, true, false]),
        (here("shop", tag("none")), [false; 4]),
        (here("nowhere", tag("all")), [false; 4]),
        (everywhere(tag("/items/1")), [false; 4]),
        (everywhere(path("/items/1")), [false, false, true, true]),
        (everywhere(path("/items/1/")), [false, false, true, true]),
        (everywhere(path("/items")), [false, true, false, false]),
        (here("blog", path("/items/1")), [false, false, false, true]),
        (everywhere(path("all")), [false; 4]),
        (everywhere(path("/")), [true, false, false, false]),
        (everywhere(prefix("/")), [true; 4]),
        (everywhere(prefix("")), [true; 4]),
        (everywhere(prefix("/items/")), [false, true, true, true]),
        (everywhere(prefix("/items/1")), [false, false, true, true]),
        (everywhere(prefix("/items/12")), [false; 4]),
        (here("shop", prefix("/i")), [false, true, true, false]),
        (everywhere(What::Everything), [true; 4]),
        (here("shop", What::Everything), [true, true, true, false]),
    ];
    for (selection, gone) in cases {
        let generations = Generations::new();
        let records = shop_and_blog(&generations);
        let selected = [0, 1, 2, 3].map(|record: usize| selects(&selection, &records[record]));
        assert_eq!(selected, gone, "{selection:?} selects");
        forget(&generations, selection.clone());
        // Before the paths of a prefix are marked, and after that.
        for settled in [false, true] {
            if settled {
                generations.settle(|| None);
            }
            let found =
                [0, 1, 2, 3].map(|record: usize| generations.validity(&records[record], at(0)) == Validity::Gone);
            assert_eq!(found, gone, "{selection:?}, settled: {settled}");
        }
        let newer = stored(&generations, "shop", "/items/1", &["all", "one"]);
        assert_eq!(generations.validity(&newer, at(0)), Validity::Valid, "{selection:?}: it is newer");
    }
}

#[test]
fn counts_are_exact_for_one_tag_or_path_and_never_too_low() {
    let cases = [
        (vec![everywhere(tag("all"))], Count::Exact(4)),
        (vec![everywhere(tag("one"))], Count::Exact(2)),
        (vec![here("blog", tag("one"))], Count::Exact(1)),
        (vec![everywhere(tag("none"))], Count::Exact(0)),
        (vec![everywhere(path("/items/1/"))], Count::Exact(2)),
        (vec![here("shop", path("/items/1"))], Count::Exact(1)),
        (vec![everywhere(What::Everything)], Count::Exact(4)),
        (vec![here("shop", What::Everything)], Count::Exact(3)),
        (vec![here("nowhere", What::Everything)], Count::Exact(0)),
        (vec![everywhere(prefix("/items/1"))], Count::AtMost(4)),
        (vec![here("blog", prefix("/items/1"))], Count::AtMost(1)),
        // Together they are no more than there are.
        (vec![everywhere(tag("one")), everywhere(path("/items"))], Count::AtMost(3)),
        (vec![everywhere(tag("all")), everywhere(tag("one"))], Count::AtMost(4)),
        (vec![here("blog", prefix("/")), everywhere(path("/"))], Count::AtMost(2)),
        // Nothing is nothing, however it is counted.
        (vec![everywhere(tag("none")), everywhere(path("/none"))], Count::Exact(0)),
        (vec![], Count::Exact(0)),
    ];
    for (selections, expected) in cases {
        let generations = Generations::new();
        let _stored = shop_and_blog(&generations);
        assert_eq!(generations.forget(&selections, Forgetting::Stale, at(0), || None), expected, "{selections:?}");
    }
}

#[test]
fn a_count_is_exact_again_once_what_is_gone_was_swept_away() {
    let generations = Generations::new();
    let [_, _, one, other] = shop_and_blog(&generations);
    let count = |mode, second| generations.forget(&[everywhere(tag("one"))], mode, at(second), || None);
    assert_eq!(count(DELETE, 0), Count::Exact(2));
    assert_eq!(count(DELETE, 1), Count::AtMost(2), "they are still there");
    // A sweep that another has overtaken ends nothing for it.
    let (first, second) = (generations.sweep(at(1)), generations.sweep(at(1)));
    first.end(None);
    assert_eq!(count(Forgetting::Stale, 1), Count::AtMost(2));
    [&one, &other].into_iter().for_each(|record| record.leave());
    second.end(None);
    assert_eq!(count(Forgetting::Expire(Duration::from_secs(9)), 1), Count::Exact(0));
    // What goes later is due later.
    one.enter();
    assert_eq!(count(Forgetting::Stale, 9), Count::Exact(1));
    assert_eq!(count(Forgetting::Stale, 10), Count::AtMost(1));
    drop(generations.sweep(at(10)));
    assert_eq!(count(Forgetting::Stale, 10), Count::AtMost(1), "what was not finished is still due");
    one.leave();
    assert_eq!(count(Forgetting::Stale, 10), Count::Exact(0), "nothing is nothing");
}

#[test]
fn a_deletion_that_finds_nothing_leaves_nothing_to_sweep() {
    let generations = Generations::new();
    let _stored = shop_and_blog(&generations);
    for selection in [tag("none"), path("/none")] {
        forget(&generations, everywhere(selection));
        assert_eq!(generations.next_due(), None);
    }
    // What is in flight may land before it goes.
    generations.forget(&[everywhere(tag("none"))], Forgetting::Expire(Duration::from_secs(5)), at(0), || None);
    assert_eq!(generations.next_due(), Some(Duration::from_secs(5)));
    for selection in [tag("one"), prefix("/")] {
        let generations = Generations::new();
        let _stored = shop_and_blog(&generations);
        forget(&generations, everywhere(selection));
        assert_eq!(generations.next_due(), Some(Duration::ZERO));
    }
}

#[test]
fn a_record_counts_once_however_many_pages_hold_it() {
    let generations = Generations::new();
    let record = stored(&generations, "shop", "/", &["a"]);
    let count = || generations.forget(&[everywhere(tag("a"))], Forgetting::Stale, at(0), || None);
    record.enter();
    assert_eq!(count(), Count::Exact(1));
    record.leave();
    assert_eq!(count(), Count::Exact(1));
    record.leave();
    assert_eq!(count(), Count::Exact(0));
    record.enter();
    assert_eq!(count(), Count::Exact(1));
}

/// The record of a fill that began at `began` and brings these tags.
fn brought(generations: &Generations, began: Mark, tags: &[&str]) -> SharedRecord {
    generations.record(address("shop", "/"), &Groups::default(), &Tags::new(tags.iter().copied()), began)
}

#[test]
fn promise_4_a_tag_is_held_while_a_fill_may_bring_it() {
    let generations = Generations::new();
    let fill = generations.begin(address("shop", "/"));
    generations.introduce(address("shop", "/"));
    let oldest = || Some(fill.began());
    generations.forget(&[everywhere(tag("a"))], DELETE, at(0), oldest);
    generations.forget(&[everywhere(tag("b"))], DELETE, at(0), oldest);
    assert!(!generations.is_settled());
    generations.settle(oldest);
    for name in ["a", "b"] {
        let record = brought(&generations, fill.began(), &[name]);
        assert_eq!(generations.validity(&record, at(0)), Validity::Gone, "{name}");
    }
    let newer = generations.begin(address("shop", "/"));
    assert_eq!(generations.validity(&brought(&generations, newer.began(), &["a", "b"]), at(0)), Validity::Valid);
    // The first is over; what is left began after both.
    let before = generations.figures();
    generations.settle(|| Some(newer.began()));
    assert!(generations.is_settled());
    assert_eq!(generations.figures().0, before.0 - 2, "both are let go");
}

/// First all is marked, then that is told, and only then it is asked which fills began before: one that begins in between is newer,
/// and one that began before is found.
#[test]
fn promise_4_fills_are_looked_for_once_an_invalidation_is_told() {
    for what in [tag("a"), path("/"), prefix("/"), What::Everything] {
        let generations = Generations::new();
        let record = stored(&generations, "shop", "/", &["a"]);
        let asked = std::cell::Cell::new(false);
        generations.forget(&[everywhere(what)], DELETE, at(0), || {
            asked.set(true);
            assert_eq!(generations.now(), Mark(1), "it is told");
            assert_eq!(generations.begin(address("shop", "/")).began(), Mark(1), "what begins is newer");
            assert_eq!(generations.validity(&record, at(0)), Validity::Gone, "all is marked");
            None
        });
        assert!(asked.get());
    }
}

/// What a fill knows of itself from its beginning needs no place.
#[test]
fn paths_and_upstreams_are_held_by_the_fills_themselves() {
    let generations = Generations::new();
    let fill = generations.begin(address("shop", "/"));
    generations.introduce(address("shop", "/"));
    let oldest = || Some(fill.began());
    for selection in [path("/"), path("/a"), prefix("/b"), What::Everything] {
        generations.forget(&[everywhere(selection)], DELETE, at(0), oldest);
    }
    generations.settle(oldest);
    assert!(generations.is_settled());
    assert_eq!(generations.validity(&brought(&generations, fill.began(), &[]), at(0)), Validity::Gone);
}

#[test]
fn promise_6_too_many_marks_end_the_generation_of_all_fills() {
    let generations = Generations::new();
    generations.introduce(address("shop", "/"));
    let fill = generations.begin(address("shop", "/"));
    let oldest = || Some(fill.began());
    let several = |from: usize, to: usize| {
        let selections: Vec<_> = (from..to).map(|number| everywhere(tag(&number.to_string()))).collect();
        generations.forget(&selections, DELETE, at(0), oldest);
    };
    several(0, MAX_MARKS_IN_FLIGHT - 1);
    several(MAX_MARKS_IN_FLIGHT - 1, MAX_MARKS_IN_FLIGHT);
    assert!(!generations.lost(fill.began()), "so many are held");
    assert_eq!(generations.validity(&brought(&generations, fill.began(), &["7"]), at(0)), Validity::Gone);
    assert!(generations.figures().0 > MAX_MARKS_IN_FLIGHT as u64);
    several(MAX_MARKS_IN_FLIGHT, MAX_MARKS_IN_FLIGHT + 1);
    assert!(generations.lost(fill.began()), "one more, and nothing that it brings is kept");
    assert!(generations.is_settled());
    assert!(generations.figures().0 < 10, "{:?}: nothing is held any more", generations.figures());
    assert!(!generations.lost(generations.begin(address("shop", "/")).began()), "what begins now is newer");
}

#[test]
fn promise_6_prefixes_and_moments_are_bounded() {
    let generations = Generations::new();
    let record = stored(&generations, "shop", "/items/1", &[]);
    for number in 0..3 * MAX_PREFIXES {
        let start = if number == 3 { "/items/".to_owned() } else { format!("/{number}") };
        generations.forget(&[everywhere(prefix(&start))], Forgetting::Stale, at(number as u64), || None);
        assert!(generations.prefixes.read().unwrap().len() <= MAX_PREFIXES);
        let expected = if number < 3 { Validity::Valid } else { Validity::Stale(Duration::from_secs(3)) };
        assert_eq!(generations.validity(&record, at(1000)), expected, "{number}");
    }
    for number in 0..2 * MAX_DUE as u64 {
        let mode = Forgetting::Expire(Duration::from_secs(number));
        generations.forget(&[everywhere(tag("a"))], mode, at(0), || None);
    }
    let due = &generations.order().due;
    assert_eq!(due.len(), MAX_DUE);
    assert_eq!(due.last(), Some(&Duration::from_secs(2 * MAX_DUE as u64 - 1)), "the last is kept");
}

#[test]
fn a_prefix_that_is_said_again_takes_no_more_room() {
    let generations = Generations::new();
    let said = |selection: Selection, mode| {
        generations.forget(&[selection], mode, at(0), || None);
        generations.prefixes.read().unwrap().len()
    };
    let expire = Forgetting::Expire(Duration::from_secs(1));
    let counts = [
        said(everywhere(prefix("/a")), DELETE),
        said(everywhere(prefix("/a")), DELETE),
        said(everywhere(prefix("/a")), Forgetting::Stale),
        said(here("shop", prefix("/a")), DELETE),
        said(here("shop", prefix("/a")), DELETE),
        said(everywhere(prefix("/a")), expire),
        said(everywhere(prefix("/a")), expire),
    ];
    assert_eq!(counts, [1, 1, 2, 3, 3, 4, 5]);
    // What is said while others are marked waits for the next time.
    let latest = generations.now();
    said(everywhere(prefix("/a")), DELETE);
    generations.prefixes.write().unwrap().let_go(latest);
    let prefixes = generations.prefixes.read().unwrap();
    assert_eq!((prefixes.len(), prefixes.of(b"blog", b"/a/b").count(), prefixes.of(b"blog", b"/b").count()), (1, 1, 0));
}

#[test]
fn an_upstream_that_comes_later_is_newer() {
    let generations = Generations::new();
    assert_eq!(forget(&generations, everywhere(tag("a"))), Count::Exact(0), "no upstream is known");
    let record = stored(&generations, "shop", "/", &["a"]);
    assert_eq!(generations.validity(&record, at(0)), Validity::Valid);
    assert_eq!(forget(&generations, everywhere(tag("a"))), Count::Exact(1));
    assert_eq!(generations.validity(&record, at(0)), Validity::Gone);
}
