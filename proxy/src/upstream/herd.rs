//! A herd of refreshes is spread over a part of the time that one takes.
//!
//! Pages that were filled together go stale together, and refreshes that begin together end together, again and again: the handler
//! is asked by all at once and then by none, and what its answers take holds up the visitors of that moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// So many are no herd.
const FEW: usize = 8;

/// Over which part of the time that one takes they are spread: what is lost of the pace at which they go on.
const PART: f64 = 0.25;

/// The longest pause: whoever waits for a page that cannot be served any more waits as long.
const LONGEST: Duration = Duration::from_secs(1);

/// Of how many refreshes the last ones count.
const REMEMBERED: u64 = 8;

/// How long the refreshes of an upstream take at present.
#[derive(Debug, Default)]
pub(super) struct Herd {
    /// In microseconds; zero until there was one.
    typical: AtomicU64,
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

    /// How long one of `running` refreshes waits before it asks, for a number from 0 to 1 that is drawn; none where they are few.
    pub(super) fn pause(&self, running: usize, drawn: f64) -> Option<Duration> {
        let typical = Duration::from_micros(self.typical.load(Ordering::Relaxed));
        let longest = typical.mul_f64(PART).min(LONGEST);
        (running > FEW && !longest.is_zero()).then(|| longest.mul_f64(drawn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn milliseconds(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    #[test]
    fn a_herd_is_spread_over_a_quarter_of_what_one_takes() {
        let rows = [
            // Running, what one takes, drawn, pause.
            (1, Some(500), 1.0, None),
            (8, Some(500), 1.0, None),
            (9, Some(500), 1.0, Some(125)),
            (64, Some(500), 0.5, Some(62)),
            (64, Some(500), 0.0, Some(0)),
            (64, Some(4), 1.0, Some(1)),
            (64, Some(60_000), 1.0, Some(1000)),
            (64, None, 1.0, None),
        ];
        for (running, takes, drawn, pause) in rows {
            let herd = Herd::default();
            takes.into_iter().for_each(|takes| herd.took(milliseconds(takes)));
            let found = herd.pause(running, drawn).map(|pause| u64::try_from(pause.as_millis()).unwrap());
            assert_eq!(found, pause, "{running} running, which take {takes:?}");
        }
    }

    #[test]
    fn what_one_takes_is_learned_and_forgotten_within_a_few() {
        let herd = Herd::default();
        let longest = || herd.pause(64, 1.0).unwrap();
        herd.took(milliseconds(4));
        (0..30).for_each(|_| herd.took(milliseconds(400)));
        assert!((milliseconds(95)..=milliseconds(100)).contains(&longest()), "{:?}", longest());
        (0..60).for_each(|_| herd.took(milliseconds(4)));
        assert!(longest() < milliseconds(2), "{:?}", longest());
    }
}
