//! Many threads at once on a few keys. Bounded by counts, not by time.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::runtime::{Builder, Runtime};

use super::{at, head, look, request, windowed};
use crate::cache::{Asked, Cache, Lookup};
use crate::{
    Awaited, BodyReader, Cut, DeclineReason, Demands, FailureKind, Fill, Moment, Policy, Pushed, StoredResponse, Terms,
    Waiter, Window, Windows,
};

const THREADS: usize = 4;
const KEYS: usize = 3;
const LANGUAGES: [&str; 2] = ["en", "de"];

/// Longer than anything here takes; whoever waits so long waits for ever.
const FOR_EVER: Duration = Duration::from_secs(60);

/// Short against the clock below, so that everything happens often.
const WINDOWS: Windows = Windows {
    revalidate: Window::For(Duration::from_secs(1)),
    expire: Duration::from_secs(4),
    stale_if_error: Duration::from_secs(2),
    negative_ttl: Duration::from_secs(1),
};

type Hammered = Cache<&'static str>;

/// A small generator of numbers (xorshift64*), so that a run depends on its seed and the scheduler alone.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

/// One thread's visitors and fills.
struct Hammer<'a> {
    cache: &'a Hammered,
    /// Fills that hold the permission, by page.
    running: &'a [AtomicUsize],
    policy: &'a Policy,
    /// The clock of all threads: it moves on as they work.
    clock: &'a AtomicU64,
    random: Random,
    runtime: Runtime,
    answers: Answers,
}

/// How visitors were answered.
#[derive(Debug, Default)]
struct Answers {
    stored: usize,
    streamed: usize,
    cut: usize,
    passed: usize,
    failed: usize,
    fills: usize,
}

/// A page: its key, who asks for it, and what its bodies begin with.
struct Page {
    number: usize,
    key: Vec<u8>,
    request: HeaderMap,
    begin: String,
}

impl Page {
    fn new(number: usize) -> Page {
        let (key, language) = (number / LANGUAGES.len(), LANGUAGES[number % LANGUAGES.len()]);
        Page { number, key: key.to_le_bytes().to_vec(), request: request(language), begin: format!("<{key}{language}") }
    }

    /// Whether a body is a whole one of this page.
    fn owns(&self, body: &[u8]) -> bool {
        body.starts_with(self.begin.as_bytes()) && body.ends_with(b">")
    }
}

impl Hammer<'_> {
    fn now(&self) -> Moment {
        at(self.clock.fetch_add(1, Ordering::Relaxed) / 20)
    }

    fn visit(&mut self, page: &Page) {
        let now = self.now();
        let demands = Demands::default();
        let asked = Asked { key: &page.key, request: &page.request, policy: self.policy, demands: &demands };
        let waiter = match self.cache.lookup(&asked, now) {
            Lookup::Hit { response, .. } => return self.stored(page, &response),
            Lookup::Stale { response, refresh, .. } => {
                if let Some(fill) = refresh {
                    self.fetch(page, fill);
                }
                return self.stored(page, &response);
            }
            Lookup::Collapsed { waiter, .. } => waiter,
            Lookup::Miss { fill, .. } => {
                let waiter = fill.waiter();
                self.fetch(page, fill);
                waiter
            }
            Lookup::Pass(_) => {
                self.answers.passed += 1;
                return;
            }
        };
        self.wait(page, waiter);
    }

    fn stored(&mut self, page: &Page, response: &StoredResponse) {
        assert!(page.owns(&response.body()), "{:?} for {}", response.body(), page.begin);
        self.answers.stored += 1;
    }

    fn wait(&mut self, page: &Page, mut waiter: Waiter<&'static str>) {
        if self.random.below(8) == 0 {
            // A visitor who leaves.
            return;
        }
        let waited = self.runtime.block_on(async { tokio::time::timeout(FOR_EVER, waiter.wait()).await });
        match waited.expect("promise 3: a waiter never waits for ever") {
            Awaited::Streaming(_, reader) => self.read(page, reader),
            Awaited::Renewed(response, _) => self.stored(page, &response),
            Awaited::Declined(_) => self.answers.passed += 1,
            Awaited::Failed(_) => self.answers.failed += 1,
            Awaited::Abandoned => {}
            Awaited::Crowded => panic!("{THREADS} visitors are no crowd"),
            Awaited::Interim(_) | Awaited::Alone(..) | Awaited::Unrelated | Awaited::Outdated => {
                panic!("no fill here does that")
            }
        }
    }

    fn read(&mut self, page: &Page, mut reader: BodyReader) {
        let mut body = Vec::new();
        let end = self.runtime.block_on(async {
            loop {
                match tokio::time::timeout(FOR_EVER, reader.next()).await.expect("a reader never waits for ever") {
                    Ok(Some(piece)) => body.extend_from_slice(&piece),
                    Ok(None) => return Ok(()),
                    Err(Cut) => return Err(Cut),
                }
            }
        });
        match end {
            Ok(()) => {
                assert!(page.owns(&body), "{body:?} for {}", page.begin);
                self.answers.streamed += 1;
            }
            Err(Cut) => {
                assert!(body.is_empty() || body.starts_with(page.begin.as_bytes()), "{body:?} for {}", page.begin);
                self.answers.cut += 1;
            }
        }
    }

    /// A fetch that comes to one of the ends there are.
    fn fetch(&mut self, page: &Page, fill: Fill<&'static str>) {
        let running = &self.running[page.number];
        assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "promise 2: at most one fill at any moment");
        self.answers.fills += 1;
        let over = || {
            running.fetch_sub(1, Ordering::SeqCst);
        };
        let now = self.now();
        let end = self.random.below(24);
        match end {
            0 => {
                over();
                return fill.decline(DeclineReason::SetCookie, now);
            }
            1 | 2 => {
                over();
                return fill.fail("boom", FailureKind::Unreachable, now, 0.5);
            }
            3 => {
                over();
                return drop(fill);
            }
            4 if fill.old().is_some() => {
                over();
                return drop(fill.renew(&head(304, &[]), now, Terms::default()));
            }
            _ => {}
        }
        let mut filling = fill.begin(head(200, &[]), now, Terms::default()).expect("it announces no length");
        assert_eq!(filling.push(Bytes::from(page.begin.clone()), now), Pushed::Kept);
        for _ in 0..self.random.below(8) {
            // Others come while it is under way.
            std::thread::yield_now();
        }
        match end {
            5 | 6 => {
                over();
                filling.fail("broken", now, 0.5);
            }
            7 => {
                over();
                drop(filling);
            }
            8 => {
                over();
                assert_eq!(filling.push(Bytes::from(vec![b'.'; 2000]), now), Pushed::LetGo);
                assert_eq!(filling.finish(Bytes::from_static(b">"), now), Pushed::LetGo);
            }
            _ => {
                let last = Bytes::from(format!("{}>", self.random.below(1_000_000)));
                over();
                assert_eq!(filling.finish(last, now), Pushed::Kept);
            }
        }
    }
}

#[test]
fn promises_2_and_3_hold_under_many_threads() {
    const VISITS: usize = 4000;
    let cache: Hammered = Cache::new(1 << 20, 1000);
    let clock = AtomicU64::new(0);
    let policy = windowed(WINDOWS);
    let running: Vec<AtomicUsize> = (0..KEYS * LANGUAGES.len()).map(|_| AtomicUsize::new(0)).collect();
    let answers: Vec<Answers> = std::thread::scope(|scope| {
        let hammer = |seed: u64| {
            let (cache, clock, running, policy) = (&cache, &clock, running.as_slice(), &policy);
            scope.spawn(move || {
                let runtime = Builder::new_current_thread().enable_time().build().unwrap();
                let random = Random::new(seed);
                let mut hammer = Hammer { cache, running, policy, clock, random, runtime, answers: Answers::default() };
                for _ in 0..VISITS {
                    let number = hammer.random.below(running.len() as u64);
                    hammer.visit(&Page::new(usize::try_from(number).unwrap()));
                }
                hammer.answers
            })
        };
        let threads: Vec<_> = (1..=THREADS as u64).map(hammer).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread may panic")).collect()
    });
    assert_eq!(cache.fills_in_flight(), 0, "a fill was left behind");
    let figures = cache.figures();
    assert!(figures.bytes <= figures.capacity, "{figures:?}");
    // Nothing of it was tested if nothing of it happened.
    let count = |of: fn(&Answers) -> usize| answers.iter().map(of).sum::<usize>();
    assert!(count(|answers| answers.stored) > 1000, "{answers:?}");
    for of in [|a: &Answers| a.streamed, |a: &Answers| a.passed, |a: &Answers| a.failed, |a: &Answers| a.fills] {
        assert!(count(of) > 0, "{answers:?}");
    }
}

/// From one gap follows one fill: whoever looked before the others had stored finds what they stored.
#[test]
fn promise_2_a_cold_key_costs_one_fill_however_the_threads_meet() {
    const ROUNDS: usize = 1500;
    let cache: Arc<Hammered> = Arc::new(Cache::new(1 << 26, 1000));
    let barrier = Barrier::new(THREADS);
    let fills: Vec<AtomicUsize> = (0..ROUNDS).map(|_| AtomicUsize::new(0)).collect();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let thread = || {
                let runtime = Builder::new_current_thread().enable_time().build().unwrap();
                for (round, fills) in fills.iter().enumerate() {
                    barrier.wait();
                    let body = one_visit(&cache, &runtime, round, fills);
                    assert_eq!(body, round.to_string());
                }
            };
            scope.spawn(thread);
        }
    });
    let counts: Vec<usize> = fills.iter().map(|fills| fills.load(Ordering::SeqCst)).collect();
    assert_eq!(counts, vec![1; ROUNDS]);
}

fn one_visit(cache: &Hammered, runtime: &Runtime, round: usize, fills: &AtomicUsize) -> Bytes {
    let key = round.to_le_bytes();
    let mut waiter = match look(cache, &key, "en", WINDOWS, at(0)) {
        Lookup::Hit { response, .. } => return response.body(),
        Lookup::Miss { fill, .. } => {
            fills.fetch_add(1, Ordering::SeqCst);
            let filling = fill.begin(head(200, &[]), at(0), Terms::default()).unwrap();
            let body = Bytes::from(round.to_string());
            assert_eq!(filling.finish(body.clone(), at(0)), Pushed::Kept);
            return body;
        }
        Lookup::Collapsed { waiter, .. } => waiter,
        other @ (Lookup::Stale { .. } | Lookup::Pass(_)) => panic!("{other:?}"),
    };
    runtime.block_on(async {
        let waited = tokio::time::timeout(FOR_EVER, waiter.wait()).await;
        let Awaited::Streaming(_, mut reader) = waited.expect("promise 3: a waiter never waits for ever") else {
            panic!("the fill was stored");
        };
        reader.next().await.unwrap().unwrap()
    })
}
