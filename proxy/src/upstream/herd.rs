//! The refreshes of a herd keep a distance.
//!
//! Pages that were filled together go stale together, and refreshes that begin together end together, again and again: the handler
//! is asked by all at once and then by none, and what its answers take holds up the visitors of that moment. So each begins a little
//! after the one before: what one takes, divided among as many as may run. That loses nothing. As many as may run begin while one
//! does, and once they are apart they end apart, so that none has to wait for its beginning.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many are no herd.
const FEW: usize = 8;

/// The longest time over which as many as may run are spread: whoever waits for a page that cannot be served any more waits as long.
const LONGEST: Duration = Duration::from_secs(1);

/// Of how many refreshes the last ones count.
const REMEMBERED: u64 = 8;

/// The refreshes of an upstream: how long one takes at present, and when the next may begin.
#[derive(Debug, Default)]
pub(super) struct Herd {
    /// In microseconds; zero until there was one.
    typical: AtomicU64,
    next: Mutex<Option<Instant>>,
}

impl Herd {
    /// A refresh took this long. One that is noted at the same moment may be missed: the next ones tell the same.
    pub(super) fn took(&self, time: Duration) {
        let time = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        let before = match self.typical.load(Ordering::Relaxed) {
            0 => time,
            before => before,
        };
        let after = before - before / REMEMBERED + time / REMEMBERED;
        self.typical.store(after.max(1), Ordering::Relaxed);
    }

    /// How long one of `running` refreshes, of which there may be `most`, waits from now until it asks; none where it need not.
    pub(super) fn pause(&self, running: usize, most: usize, now: Instant) -> Option<Duration> {
        let spread = Duration::from_micros(self.typical.load(Ordering::Relaxed)).min(LONGEST);
        let distance = spread.div_f64(most.max(1) as f64);
        // What is guarded is one value, so a panic elsewhere is no reason to stop.
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = next.filter(|_| running > FEW).map_or(now, |next| next.max(now));
        *next = Some(begins + distance);
        Some(begins.duration_since(now)).filter(|pause| !pause.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 64;

    const fn milliseconds(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    fn herd(takes: Duration) -> Herd {
        let herd = Herd::default();
        herd.took(takes);
        herd
    }

    /// The pauses of refreshes that all want to begin now, in milliseconds.
    fn pauses(herd: &Herd, number: usize, now: Instant) -> Vec<u128> {
        let pause = |running| herd.pause(running, MOST, now).unwrap_or_default().as_millis();
        (1..=number).map(pause).collect()
    }

    #[test]
    fn a_herd_is_spread_evenly_over_what_one_takes() {
        let found = pauses(&herd(milliseconds(640)), MOST, Instant::now());
        let expected: Vec<u128> = (0..64).map(|place| if place < 8 { 0 } else { (place - 7) * 10 }).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn few_begin_at_once_and_so_does_the_first_herd_of_which_nothing_is_known() {
        let now = Instant::now();
        assert_eq!(pauses(&herd(milliseconds(640)), 8, now), [0; 8]);
        assert_eq!(pauses(&Herd::default(), MOST, now), [0; MOST]);
    }

    #[test]
    fn no_refresh_waits_for_longer_than_a_second() {
        let found = pauses(&herd(milliseconds(60_000)), MOST, Instant::now());
        assert!(found.iter().all(|pause| *pause < 1000), "{found:?}");
        assert!(found.is_sorted(), "{found:?}");
        assert!(*found.last().unwrap() > 800, "{found:?}");
    }

    #[test]
    fn those_that_are_apart_do_not_wait() {
        let (herd, begun) = (herd(milliseconds(640)), Instant::now());
        pauses(&herd, MOST, begun);
        // One after the other ends, and another takes its place.
        for place in 0..1000 {
            let now = begun + milliseconds(640 + place * 10);
            assert_eq!(herd.pause(MOST, MOST, now), None, "number {place}");
        }
        // Two that end together are apart afterwards.
        let now = begun + milliseconds(20_000);
        assert_eq!([1, 2].map(|_| herd.pause(MOST, MOST, now)), [None, Some(milliseconds(10))]);
    }

    #[test]
    fn what_one_takes_is_learned_and_forgotten_within_a_few() {
        let herd = Herd::default();
        let now = Instant::now();
        let longest = |begins: u64| {
            let now = now + Duration::from_secs(begins);
            (0..MOST).filter_map(|_| herd.pause(MOST, MOST, now)).max().unwrap()
        };
        herd.took(milliseconds(4));
        (0..30).for_each(|_| herd.took(milliseconds(400)));
        assert!((milliseconds(380)..=milliseconds(400)).contains(&longest(0)), "{:?}", longest(1));
        (0..60).for_each(|_| herd.took(milliseconds(4)));
        assert!(longest(2) < milliseconds(8), "{:?}", longest(3));
    }
}
