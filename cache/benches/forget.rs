//! What an invalidation costs with a million entries of ten tags each, how long a sweep takes, and what a hit costs before and
//! after invalidations.
//!
//! Each kind of invalidation is made a thousand times, as far as its caller waits for it, while another thread sweeps, as the
//! gateway does; the middle and the worst of the thousand are told. `churn` instead stores ten million distinct tags, few at a
//! time, and tells what memory is left in use. The name of a kind measures that one alone.
#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark that is wrong should not run")]
#![expect(clippy::disallowed_methods, reason = "a benchmark asks the clock")]
#![expect(clippy::print_stdout, reason = "what it finds is for people")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use evergate_cache::{
    Asked, Cache, Demands, Fields, Forgetting, KeyParts, Lookup, Moment, Policy, Pushed, Regime, ResponseHead, Scheme,
    Selection, Site, Spelling, Tags, Terms, Variance, What, Window, Windows,
};
use http::{HeaderMap, StatusCode};

const ENTRIES: usize = 1_000_000;
const TAGS: usize = 10_000;
const TAGS_OF_ONE: usize = 10;
const ROUNDS: usize = 1000;
const HITS: u32 = 1_000_000;

type Tested = Cache<()>;

/// A visitor who asks for pages of a route whose pages stay until they are invalidated.
struct Visitor {
    began: Instant,
    request: HeaderMap,
    policy: Policy,
    demands: Demands,
}

impl Visitor {
    fn new() -> Visitor {
        let windows = Windows {
            revalidate: Window::Forever,
            expire: Duration::MAX,
            stale_if_error: Duration::MAX,
            negative_ttl: Duration::from_secs(10),
        };
        let policy = Policy::Window(windows, Variance::new([], Spelling::AsSent));
        Visitor { began: Instant::now(), request: HeaderMap::new(), policy, demands: Demands::default() }
    }

    fn now(&self) -> Moment {
        Moment { wall: SystemTime::UNIX_EPOCH, monotonic: self.began.elapsed() }
    }

    fn look(&self, cache: &Tested, key: &[u8]) -> Lookup<()> {
        let asked = Asked { key, request: &self.request, policy: &self.policy, demands: &self.demands };
        cache.lookup(&asked, self.now())
    }

    fn store<'t>(&self, cache: &Tested, key: &[u8], tags: impl IntoIterator<Item = &'t str>) {
        let fill = match self.look(cache, key) {
            Lookup::Miss { fill, .. } => fill,
            Lookup::Stale { refresh, .. } => refresh.expect("nobody else refreshes it"),
            Lookup::Hit { .. } => return,
            Lookup::Collapsed { .. } | Lookup::Pass(_) => panic!("nobody else is here"),
        };
        let head = ResponseHead { status: StatusCode::OK, fields: Fields::default() };
        let terms = Terms { tags: Tags::new(tags), ..Terms::default() };
        let filling = fill.begin(head, self.now(), terms).expect("it is short");
        assert_eq!(filling.finish(Bytes::from_static(b"a small body"), self.now()), Pushed::Kept);
    }
}

fn key(number: usize) -> Vec<u8> {
    let site = Site { generation: "", upstream: "shop", scheme: Scheme::Http, host: None };
    let path = path(number);
    let mut key = Vec::new();
    KeyParts { regime: Regime::Window, site, path: &path, query: None, cookies: None, form: None }.write(&mut key);
    key
}

fn path(number: usize) -> String {
    format!("/shelf/{}/item/{number}", number % 1000)
}

/// Ten of the tags, as they fall to an entry.
fn tags_of(number: usize) -> Vec<String> {
    (0..TAGS_OF_ONE).map(|place| format!("tag:{}", (number * 7919 + place * 1009) % TAGS)).collect()
}

fn fill(cache: &Tested, visitor: &Visitor) {
    for number in 0..ENTRIES {
        visitor.store(cache, &key(number), tags_of(number).iter().map(String::as_str));
    }
}

/// Memory in use, in MiB, as Linux tells it.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096 / (1 << 20)
}

/// What is named in a round, and how an invalidation of this kind is called.
type Named = (&'static str, fn(usize) -> What);

const NAMED: [Named; 4] = [
    ("tag", |round| What::Tag(format!("tag:{round}").into())),
    ("path", |round| What::Path(path(round).into())),
    ("prefix", |round| What::Prefix(format!("/shelf/{round}/").into())),
    ("everything", |_| What::Everything),
];

fn middle_and_worst(mut taken: Vec<Duration>) -> (Duration, Duration) {
    taken.sort_unstable();
    (taken[taken.len() / 2], taken[taken.len() - 1])
}

fn invalidations(cache: &Tested, visitor: &Visitor) {
    for (mode_name, mode) in [("stale", Forgetting::Stale), ("delete", Forgetting::Delete)] {
        let chosen = |(name, _): &Named| std::env::args().any(|argument| argument == *name);
        let any_chosen = NAMED.iter().any(chosen);
        for (name, what) in NAMED.into_iter().filter(|named| !any_chosen || chosen(named)) {
            let over = AtomicBool::new(false);
            let (taken, swept) = std::thread::scope(|scope| {
                // As long as it is held, nothing goes, and every round finds as much.
                let unswept = cache.unswept();
                let sweeper = scope.spawn(|| {
                    while !over.load(Ordering::Acquire) {
                        cache.sweep(visitor.now());
                        std::thread::sleep(Duration::from_millis(1));
                    }
                });
                let round = |round: usize| {
                    let selections = [Selection { what: what(round), upstream: None }];
                    let begun = Instant::now();
                    cache.forget(&selections, mode, visitor.now());
                    begun.elapsed()
                };
                let taken: Vec<Duration> = (0..ROUNDS).map(round).collect();
                over.store(true, Ordering::Release);
                sweeper.join().expect("a sweep does not panic");
                drop(unswept);
                let begun = Instant::now();
                cache.sweep(visitor.now());
                (taken, begun.elapsed())
            });
            let (middle, worst) = middle_and_worst(taken);
            let left = cache.figures();
            println!(
                "forget by {name:<10} {mode_name:<6} p50 {middle:>10.1?}  worst {worst:>10.1?}  sweep after it {swept:>8.1?}  {left:?}"
            );
            fill(cache, visitor);
        }
    }
}

/// What a hit costs, in nanoseconds: over many pages, and again and again on a few.
fn hits(cache: &Tested, visitor: &Visitor, pages: usize, when: &str) {
    let keys: Vec<Vec<u8>> = (0..pages).map(|page| key(page * 37 % ENTRIES)).collect();
    let begun = Instant::now();
    let rounds = HITS / u32::try_from(pages).expect("not so many");
    for _ in 0..rounds {
        for key in &keys {
            assert!(matches!(visitor.look(cache, key), Lookup::Hit { .. }));
        }
    }
    let each = begun.elapsed().as_nanos() / u128::from(rounds * u32::try_from(pages).expect("not so many"));
    println!("hit {when:<34} {pages:>9} pages  {each:>6} ns");
}

fn hit_costs(cache: &Tested, visitor: &Visitor) {
    let unrelated = |round: usize| {
        let selections = [Selection { what: What::Tag(format!("unrelated:{round}").into()), upstream: None }];
        cache.forget(&selections, Forgetting::Delete, visitor.now());
    };
    for pages in [1000, 100_000, 1_000_000] {
        hits(cache, visitor, pages, "warming up");
        hits(cache, visitor, pages, "before");
        unrelated(0);
        // Every page is looked at anew once.
        hits(cache, visitor, pages, "right after an unrelated one");
        (0..1000).for_each(unrelated);
        hits(cache, visitor, pages, "right after a thousand unrelated");
        hits(cache, visitor, pages, "later");
    }
}

/// Ten million tags that each come once.
fn churn(visitor: &Visitor) {
    let cache: Tested = Cache::new(64 << 20, 1 << 16);
    let mut number = 0usize;
    for page in 0..1_000_000 {
        let tags: Vec<String> = (0..10)
            .map(|_| {
                number += 1;
                format!("once:{number}")
            })
            .collect();
        visitor.store(&cache, &key(page), tags.iter().map(String::as_str));
        if page % 100_000 == 0 {
            println!("{page:>8} pages: {:?} {:?}, {} MiB resident", cache.label_figures(), cache.figures(), resident());
        }
    }
    println!("{number} tags: {:?} {:?}, {} MiB resident", cache.label_figures(), cache.figures(), resident());
    cache.forget(&[Selection { what: What::Everything, upstream: None }], Forgetting::Delete, visitor.now());
    cache.sweep(visitor.now());
    for page in 0..1000 {
        cache.invalidate(&key(page), visitor.now());
    }
    println!("forgotten: {:?} {:?}, {} MiB resident", cache.label_figures(), cache.figures(), resident());
}

fn main() {
    let visitor = Visitor::new();
    println!("at the start: {} MiB resident", resident());
    if std::env::args().any(|argument| argument == "churn") {
        return churn(&visitor);
    }
    let cache: Tested = Cache::new(16 << 30, 1 << 16);
    let begun = Instant::now();
    fill(&cache, &visitor);
    println!(
        "{ENTRIES} entries in {:.1?}: {:?} {:?}, {} MiB resident",
        begun.elapsed(),
        cache.figures(),
        cache.label_figures(),
        resident()
    );
    if std::env::args().all(|argument| argument.starts_with('-') || argument.contains('/')) {
        hit_costs(&cache, &visitor);
    }
    invalidations(&cache, &visitor);
}
