//! When a request that passes has run out of time, and which deadline that was.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, advance};

use super::{Leash, Reached};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What happens to a leash while it runs.
#[derive(Clone, Copy, Debug)]
enum Event {
    Extend(u64),
    Renew,
    Release,
}

use Event::{Extend, Release, Renew};

/// Longer than any deadline here.
const LONG: Duration = Duration::from_secs(100_000);

/// When a leash runs out to which `events` happen at their milliseconds, and which deadline it was.
async fn runs_out(first: u64, whole: Option<u64>, events: &[(u64, Event)]) -> Option<(u64, Reached)> {
    let leash = Leash::new(ms(first), whole.map(ms));
    let start = Instant::now();
    let watched = Arc::clone(&leash);
    let watch = tokio::spawn(async move {
        let in_time = tokio::time::timeout(LONG, watched.run_out()).await;
        in_time.ok().map(|()| start.elapsed())
    });
    for (at, event) in events {
        tokio::time::sleep_until(start + ms(*at)).await;
        match event {
            Extend(time) => leash.extend(ms(*time)),
            Renew => leash.renew(),
            Release => leash.release(),
        }
    }
    let time = watch.await.unwrap()?;
    let reached = leash.reached().expect("a leash that has run out says which deadline it was");
    Some((u64::try_from(time.as_millis()).unwrap(), reached))
}

#[tokio::test(start_paused = true)]
async fn deadlines_move_with_the_news() {
    type Row<'a> = (&'a str, u64, Option<u64>, &'a [(u64, Event)], Option<(u64, Reached)>);
    let cases: [Row<'_>; 16] = [
        ("silence from the start", 1000, None, &[], Some((1000, Reached::FirstByte))),
        ("a first step of nothing", 0, None, &[], Some((1, Reached::FirstByte))),
        ("the whole before the first step", 1000, Some(400), &[], Some((400, Reached::MaxDuration))),
        ("both at once", 1000, Some(1000), &[], Some((1000, Reached::MaxDuration))),
        ("the first step before the whole", 1000, Some(1001), &[], Some((1000, Reached::FirstByte))),
        ("later", 1000, None, &[(600, Extend(2000))], Some((2600, Reached::FirstByte))),
        ("sooner", 1000, None, &[(100, Extend(200))], Some((300, Reached::FirstByte))),
        ("sooner and later", 1000, None, &[(100, Extend(200)), (200, Extend(900))], Some((1100, Reached::FirstByte))),
        ("again and again", 500, None, &[(400, Extend(500)), (800, Extend(500))], Some((1300, Reached::FirstByte))),
        ("news does not lift the whole", 500, Some(700), &[(400, Extend(500))], Some((700, Reached::MaxDuration))),
        ("renewed by the first step", 500, None, &[(300, Renew)], Some((800, Reached::FirstByte))),
        ("renewed by the last step", 500, None, &[(100, Extend(50)), (120, Renew)], Some((170, Reached::FirstByte))),
        ("renewed up to the whole", 500, Some(600), &[(300, Renew)], Some((600, Reached::MaxDuration))),
        ("released", 500, Some(700), &[(300, Release)], None),
        ("released for good", 500, None, &[(300, Release), (400, Extend(100)), (450, Renew)], None),
        (
            "news after the last minute",
            500,
            None,
            &[(300, Extend(100)), (450, Extend(100))],
            Some((400, Reached::FirstByte)),
        ),
    ];
    for (case, first, whole, events, expected) in cases {
        assert_eq!(runs_out(first, whole, events).await, expected, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leash_tells_its_deadline() {
    let leash = Leash::new(ms(300), Some(ms(1000)));
    let start = Instant::now();
    assert_eq!((leash.deadline(), leash.is_released(), leash.reached()), (Some(start + ms(300)), false, None));
    advance(ms(200)).await;
    leash.extend(ms(400));
    assert_eq!(leash.deadline(), Some(start + ms(600)));
    leash.extend(ms(100_000));
    assert_eq!(leash.deadline(), Some(start + ms(1000)));
    leash.release();
    assert_eq!((leash.deadline(), leash.is_released()), (None, true));
    leash.extend(ms(1));
    leash.renew();
    assert_eq!((leash.deadline(), leash.is_released(), leash.reached()), (None, true, None));
}

#[tokio::test(start_paused = true)]
async fn what_was_reached_is_told_by_when_it_was() {
    let cases = [
        (0, Reached::FirstByte),
        (999, Reached::FirstByte),
        (1000, Reached::MaxDuration),
        (5000, Reached::MaxDuration),
    ];
    for (at, expected) in cases {
        let leash = Leash::new(ms(300), Some(ms(1000)));
        advance(ms(at)).await;
        leash.mark_reached();
        assert_eq!(leash.reached(), Some(expected), "{at}");
        let endless = Leash::new(ms(300), None);
        advance(ms(at)).await;
        endless.mark_reached();
        assert_eq!(endless.reached(), Some(Reached::FirstByte), "{at}");
    }
}
