//! Many threads change pages, forget them and ask for them: nobody is given a version older than the last that was forgotten
//! before they asked.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use super::hammer::Random;
use super::{WINDOWS, at, head, key_of, look};
use crate::cache::{Cache, Lookup};
use crate::{Awaited, BodyReader, Cut, Fill, Forgetting, Pushed, Selection, Tags, Terms, What};

const THREADS: u64 = 4;
/// All threads together.
const REQUESTS: u64 = 1_000_000;
/// One of so many is a change.
const CHANGES: u64 = 250;
/// One fetch of so many is under way while its thread goes on.
const SLOW: u64 = 4;

/// Longer than anything here takes.
const FOR_EVER: Duration = Duration::from_secs(60);

const PAGES: [(&str, &str); 5] = [("a", "/"), ("a", "/x/1"), ("a", "/x/2"), ("b", "/x/1"), ("b", "/y")];

/// What all threads have in common: the cache, and the pages as their handler has them.
struct World {
    cache: Cache<&'static str>,
    /// The version of each page.
    current: Vec<AtomicU64>,
    /// The version of each page up to which everything older was forgotten.
    forgotten: Vec<AtomicU64>,
    answers: [AtomicUsize; 4],
}

/// How a request was answered.
#[derive(Clone, Copy)]
enum How {
    Hit,
    Streamed,
    Outdated,
    Fetched,
}

struct Thread<'a> {
    world: &'a World,
    random: Random,
    runtime: Runtime,
    /// A fetch that is under way, and what it will bring.
    slow: Option<(usize, Fill<&'static str>, u64)>,
}

impl Thread<'_> {
    /// A page changes, and is forgotten in one of the ways there are.
    fn change(&mut self, page: usize) {
        let (upstream, path) = PAGES[page];
        let version = self.world.current[page].fetch_add(1, Ordering::SeqCst) + 1;
        let what = match self.random.below(5) {
            0 => What::Tag(format!("page {page}").into()),
            1 => What::Path(path.into()),
            2 => What::Prefix(path[..self.random.below(path.len() as u64) as usize + 1].into()),
            3 => What::Everything,
            _ => {
                self.world.cache.invalidate(&key_of(upstream, path), at(0));
                self.world.forgotten[page].fetch_max(version, Ordering::SeqCst);
                return;
            }
        };
        let upstream = (self.random.below(2) == 0).then(|| upstream.into());
        self.world.cache.forget(&[Selection { what, upstream }], Forgetting::Delete, at(0));
        self.world.forgotten[page].fetch_max(version, Ordering::SeqCst);
    }

    fn ask(&mut self, page: usize) {
        let (upstream, path) = PAGES[page];
        let key = key_of(upstream, path);
        let least = self.world.forgotten[page].load(Ordering::SeqCst);
        loop {
            let waiter = match look(&self.world.cache, &key, "en", WINDOWS, at(0)) {
                Lookup::Hit { response, .. } => return self.answered(How::Hit, page, &response.body(), least),
                Lookup::Miss { fill, .. } => {
                    self.count(How::Fetched);
                    let version = self.world.current[page].load(Ordering::SeqCst);
                    if self.slow.is_none() && self.random.below(SLOW) == 0 {
                        self.slow = Some((page, fill, version));
                        return;
                    }
                    return land(page, fill, version);
                }
                Lookup::Collapsed { waiter, .. } => waiter,
                other @ (Lookup::Stale { .. } | Lookup::Pass(_)) => {
                    panic!("nothing here is stale or declined: {other:?}")
                }
            };
            // Whoever waits lets nobody else wait.
            self.land_slow();
            let mut waiter = waiter;
            let waited = self.runtime.block_on(async { tokio::time::timeout(FOR_EVER, waiter.wait()).await });
            match waited.expect("promise 3: a waiter never waits for ever") {
                Awaited::Streaming(_, reader) => {
                    let body = self.read(reader);
                    return self.answered(How::Streamed, page, &body, least);
                }
                Awaited::Outdated => self.count(How::Outdated),
                Awaited::Abandoned => {}
                Awaited::Interim(_) | Awaited::Alone(..) | Awaited::Renewed(..) | Awaited::Declined(_) => {
                    panic!("no fill does that")
                }
                Awaited::Failed(_) | Awaited::Unrelated | Awaited::Crowded => panic!("no fill does that"),
            }
        }
    }

    fn read(&self, mut reader: BodyReader) -> Bytes {
        self.runtime.block_on(async {
            let mut body = Vec::new();
            loop {
                match tokio::time::timeout(FOR_EVER, reader.next()).await.expect("a reader never waits for ever") {
                    Ok(Some(piece)) => body.extend_from_slice(&piece),
                    Ok(None) => return body.into(),
                    Err(Cut) => panic!("no fill here breaks off"),
                }
            }
        })
    }

    fn answered(&self, how: How, page: usize, body: &Bytes, least: u64) {
        let version: u64 = std::str::from_utf8(body).unwrap().parse().unwrap();
        assert!(version >= least, "promise 4: version {version} of page {page}, and {least} was told before");
        self.count(how);
    }

    fn count(&self, how: How) {
        self.world.answers[how as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn land_slow(&mut self) {
        if let Some((page, fill, version)) = self.slow.take() {
            land(page, fill, version);
        }
    }
}

/// A fetch brings a version. Its tag is known only from then on.
fn land(page: usize, fill: Fill<&'static str>, version: u64) {
    let terms = Terms { tags: Tags::new([format!("page {page}").as_str()]), ..Terms::default() };
    let mut filling = fill.begin(head(200, &[]), at(0), terms).unwrap();
    if version.is_multiple_of(2) {
        assert_eq!(filling.push(Bytes::from_static(b"0"), at(0)), Pushed::Kept);
    }
    assert_eq!(filling.finish(Bytes::from(version.to_string()), at(0)), Pushed::Kept);
}

#[test]
fn promise_4_nobody_is_given_what_was_forgotten_before_they_asked() {
    let versions = || PAGES.iter().map(|_| AtomicU64::new(0)).collect();
    let world = World {
        cache: Cache::new(1 << 20, 1000),
        current: versions(),
        forgotten: versions(),
        answers: Default::default(),
    };
    std::thread::scope(|scope| {
        for seed in 1..=THREADS {
            let world = &world;
            scope.spawn(move || {
                let random = Random::new(seed);
                let runtime = Builder::new_current_thread().enable_time().build().unwrap();
                let mut thread = Thread { world, random, runtime, slow: None };
                for _ in 0..REQUESTS / THREADS {
                    let page = usize::try_from(thread.random.below(PAGES.len() as u64)).unwrap();
                    if thread.random.below(CHANGES) == 0 {
                        thread.change(page);
                    }
                    thread.ask(page);
                    if thread.random.below(8) == 0 {
                        thread.land_slow();
                    }
                }
                thread.land_slow();
            });
        }
    });
    assert_eq!(world.cache.fills_in_flight(), 0, "a fill was left behind");
    // Nothing of it was tested if nothing of it happened.
    let [hits, streamed, outdated, fetched] = world.answers.each_ref().map(|count| count.load(Ordering::Relaxed));
    // Whoever waits for what was forgotten before they came is rare here; `origin/invalidation` has that.
    assert!(hits > 100_000 && streamed > 10 && fetched > 1000, "{:?} {outdated}", world.answers);
}
