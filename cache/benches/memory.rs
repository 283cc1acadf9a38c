//! What a stored response takes in memory beside its own bytes, and whether memory stays where it should, with the allocator of the
//! gateway.
//!
//! - `entries`: a million responses of 1 KiB, each asked for once. What is *stored* of one is its body, its head as it is sent and
//!   its key; all else by which the resident set has grown is overhead.
//! - `churn`: as many new responses of 200 B to 256 KiB as one thread can store, with others asked for again, in 512 MiB.
//! - `mixed`: hits, misses, refreshes, confirmations, invalidations, variants, codings and refusals from two threads, over as many
//!   keys as fit five times. Memory must not grow once the cache is full.
//!
//! The name of a kind measures that one alone; `SECONDS` says how long each of the latter two takes (60).
#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark that is wrong should not run")]
#![expect(clippy::disallowed_methods, reason = "a benchmark asks the clock")]
#![expect(clippy::print_stdout, reason = "what it finds is for people")]

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use evergate_cache::{
    Asked, Cache, Coding, DeclineReason, Demands, FailureKind, Fields, Fill, Forgetting, KeyParts, Lookup, Moment,
    Policy, Recoding, Regime, ResponseHead, Scheme, Selection, Site, Spelling, Tags, Terms, Variance, What, Window,
    Windows,
};
use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENTRIES: usize = 1_000_000;
const MIB: u64 = 1 << 20;
const CAPACITY: u64 = 512 * MIB;
const MAX_BODY: u64 = 8 * MIB;

type Tested = Cache<()>;

/// A visitor of one route.
struct Visitor {
    began: Instant,
    request: HeaderMap,
    policy: Policy,
    demands: Demands,
}

impl Visitor {
    /// A visitor of a route whose pages stay until they are invalidated, and that is split by these fields.
    fn new(vary: &[HeaderName], request: HeaderMap) -> Visitor {
        Visitor::within(Window::Forever, vary, request)
    }

    fn within(revalidate: Window, vary: &[HeaderName], request: HeaderMap) -> Visitor {
        let windows = Windows {
            revalidate,
            expire: Duration::MAX,
            stale_if_error: Duration::MAX,
            negative_ttl: Duration::from_secs(10),
        };
        let policy = Policy::Window(windows, Variance::new(vary, Spelling::AsSent));
        Visitor { began: Instant::now(), request, policy, demands: Demands::default() }
    }

    fn now(&self) -> Moment {
        Moment { wall: SystemTime::UNIX_EPOCH, monotonic: self.began.elapsed() }
    }

    fn asked<'a>(&'a self, key: &'a [u8]) -> Asked<'a> {
        Asked { key, request: &self.request, policy: &self.policy, demands: &self.demands }
    }

    fn look(&self, cache: &Tested, key: &[u8]) -> Lookup<()> {
        cache.lookup(&self.asked(key), self.now())
    }

    /// Stores what a fetch brings: the body is a part of what was read at once.
    fn store(&self, fill: Fill<()>, number: usize, body: Bytes, tags: Tags) {
        let terms = Terms { tags, recoding: Recoding::WhenAsked, ..Terms::default() };
        let filling = fill.begin(head(number), self.now(), terms).expect("it is short");
        filling.finish(body, self.now());
    }
}

/// The head of a typical answer.
fn head(number: usize) -> ResponseHead {
    let value = |text: &str| HeaderValue::from_str(text).expect("it is a value");
    let mut fields = Fields::with_capacity(5);
    fields.append(CONTENT_TYPE, value("text/html; charset=utf-8"));
    fields.append(DATE, value("Sun, 06 Nov 1994 08:49:37 GMT"));
    fields.append(CACHE_CONTROL, value("public, s-maxage=60, stale-while-revalidate=600"));
    fields.append(ETAG, value(&format!("\"{number:032x}\"")));
    ResponseHead { status: StatusCode::OK, fields }
}

fn key(number: usize) -> Vec<u8> {
    let site = Site { generation: "", upstream: "shop", scheme: Scheme::Https, host: None };
    let path = format!("/shelf/{}/item/{number}", number % 1000);
    let mut key = Vec::new();
    KeyParts { regime: Regime::Window, site, path: &path, query: None, cookies: None, form: None }.write(&mut key);
    key
}

/// Bytes of memory that the process has, as Linux tells it.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.expect("Linux tells it") * 1024
}

fn seconds() -> Duration {
    let seconds = std::env::var("SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// Numbers in no order, the same ones each time.
struct Numbers(u64);

impl Numbers {
    /// One below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap_or_default()
    }

    /// A length from 200 B to 256 KiB, each doubling as often as the next.
    fn length(&mut self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "it is small"
        )]
        let length = (200.0 * (262_144.0f64 / 200.0).powf(self.below(1 << 20) as f64 / f64::from(1 << 20))) as usize;
        length
    }
}

/// A body as a fetch brings it: a part of what was read at once.
fn body(length: usize) -> Bytes {
    let read = Bytes::from(vec![b'x'; length + 2048]);
    read.slice(1024..1024 + length)
}

#[expect(clippy::cast_precision_loss, reason = "it is for people")]
fn entries() {
    let visitor = Visitor::new(&[], HeaderMap::new());
    let cache: Tested = Cache::new(4 << 30, MAX_BODY);
    drop(body(1024));
    let before = resident();
    let mut stored = 0;
    for number in 0..ENTRIES {
        let key = key(number);
        let Lookup::Miss { fill, .. } = visitor.look(&cache, &key) else { panic!("it is new") };
        visitor.store(fill, number, body(1024), Tags::default());
        // As every response of which somebody has had a copy.
        let Lookup::Hit { response, .. } = visitor.look(&cache, &key) else { panic!("it was stored") };
        drop(response.body().clone());
        stored += (response.wire().len() + response.body().len() + key.len()) as u64;
    }
    let charged = cache.figures().bytes;
    let grown = resident() - before;
    let each = |bytes: u64| bytes as f64 / ENTRIES as f64;
    println!(
        "entries   {ENTRIES} of 1 KiB: resident {} MiB before, {} MiB after",
        before / MIB,
        (before + grown) / MIB
    );
    println!(
        "entries   each: {:.1} bytes resident, {:.1} stored (body, head as sent, key), {:.1} charged",
        each(grown),
        each(stored),
        each(charged)
    );
    println!(
        "entries   overhead {:.1} bytes each, resident / charged {:.3}",
        each(grown) - each(stored),
        grown as f64 / charged as f64
    );
}

/// Resident memory while something is done for some time: at its end, its most, and at each tenth.
struct Watched {
    begun: Instant,
    lasts: Duration,
    next: u32,
    most: u64,
}

impl Watched {
    fn new(lasts: Duration) -> Watched {
        Watched { begun: Instant::now(), lasts, next: 1, most: 0 }
    }

    /// Looks again; false once the time is over.
    #[expect(clippy::cast_precision_loss, reason = "it is for people")]
    fn look(&mut self, what: &str, cache: &Tested) -> bool {
        let now = resident();
        self.most = self.most.max(now);
        if self.begun.elapsed() >= self.lasts * self.next / 10 {
            let figures = cache.figures();
            println!(
                "{what:<9} {:>3} %: resident {:>4} MiB, {:.3} of capacity, most {:.3}; charged {:>4} MiB for {} pages, {} evicted",
                self.next * 10,
                now / MIB,
                now as f64 / figures.capacity as f64,
                self.most as f64 / figures.capacity as f64,
                figures.bytes / MIB,
                figures.entries,
                figures.evicted_for_size
            );
            self.next += 1;
        }
        self.next <= 10
    }
}

fn churn() {
    let visitor = Visitor::new(&[], HeaderMap::new());
    let cache: Tested = Cache::new(CAPACITY, MAX_BODY);
    let mut numbers = Numbers(1);
    let mut watched = Watched::new(seconds());
    let mut number = 0;
    while watched.look("churn", &cache) {
        for _ in 0..256 {
            number += 1;
            let new = visitor.look(&cache, &key(number));
            let Lookup::Miss { fill, .. } = new else { panic!("it is new") };
            visitor.store(fill, number, body(numbers.length()), Tags::default());
            // What is asked for again is newer rather than older, so that most of it is still there.
            let again = number - numbers.index(number.min(1 + (number >> (number % 8))));
            if let Lookup::Hit { response, .. } = visitor.look(&cache, &key(again)) {
                drop(response.body().clone());
            }
        }
    }
    println!("churn     {number} responses stored");
}

/// What one thread does of the mixed load.
struct Mixer {
    numbers: Numbers,
    speakers: Vec<Visitor>,
}

impl Mixer {
    fn new(seed: u64) -> Mixer {
        let speaker = |language: &'static str| {
            let request = [(ACCEPT_LANGUAGE, HeaderValue::from_static(language))].into_iter().collect();
            Visitor::within(Window::For(Duration::from_secs(5)), &[ACCEPT_LANGUAGE], request)
        };
        Mixer { numbers: Numbers(seed), speakers: ["en", "de", "fr"].map(speaker).into() }
    }

    fn turn(&mut self, cache: &Tested) {
        // Some are asked for more often than others.
        let most = 1 + self.numbers.index(200_000);
        let number = self.numbers.index(most);
        let key = key(number);
        let chosen = self.numbers.index(self.speakers.len());
        let visitor = &self.speakers[chosen];
        match visitor.look(cache, &key) {
            Lookup::Hit { response, .. } => {
                response.count_hit();
                if number.is_multiple_of(16) && response.claim(Coding::Gzip) {
                    cache.keep_coding(&key, &response, Coding::Gzip, &body(response.body().len() / 4));
                }
            }
            Lookup::Stale { refresh: Some(fill), .. } | Lookup::Miss { fill, .. } => self.fetch(fill, number),
            Lookup::Stale { refresh: None, .. } | Lookup::Collapsed { .. } | Lookup::Pass(_) => {}
        }
        if self.numbers.below(2000) == 0 {
            self.forget(cache);
        }
    }

    fn fetch(&mut self, fill: Fill<()>, number: usize) {
        let visitor = &self.speakers[0];
        let now = visitor.now();
        match self.numbers.below(20) {
            0 => fill.decline(DeclineReason::NoStore, now),
            1 => fill.fail((), FailureKind::Answered, now, 0.5),
            2..=9 if fill.old().is_some() => {
                let head = ResponseHead { status: StatusCode::NOT_MODIFIED, fields: head(number).fields };
                fill.renew(&head, now, Terms { recoding: Recoding::WhenAsked, ..Terms::default() });
            }
            _ => {
                let tags = [format!("shelf:{}", number % 500), format!("page:{}", self.numbers.below(100_000))];
                let tags = Tags::new(tags.iter().map(String::as_str));
                visitor.store(fill, number, body(self.numbers.length()), tags);
            }
        }
    }

    fn forget(&mut self, cache: &Tested) {
        let what = match self.numbers.below(3) {
            0 => What::Tag(format!("shelf:{}", self.numbers.below(500)).into()),
            1 => What::Tag(format!("page:{}", self.numbers.below(100_000)).into()),
            _ => What::Path(format!("/shelf/{0}/item/{0}", self.numbers.below(1000)).into()),
        };
        let mode = if self.numbers.below(2) == 0 { Forgetting::Stale } else { Forgetting::Delete };
        cache.forget(&[Selection { what, upstream: None }], mode, self.speakers[0].now());
    }
}

fn mixed() {
    let cache: Tested = Cache::new(CAPACITY, MAX_BODY);
    let lasts = seconds();
    let until = Instant::now() + lasts;
    std::thread::scope(|scope| {
        for seed in [1, 2] {
            let cache = &cache;
            scope.spawn(move || {
                let mut mixer = Mixer::new(seed);
                while Instant::now() < until {
                    (0..256).for_each(|_| mixer.turn(cache));
                }
            });
        }
        let clock = Visitor::new(&[], HeaderMap::new());
        let mut watched = Watched::new(lasts);
        while watched.look("mixed", &cache) {
            std::thread::sleep(Duration::from_millis(100));
            cache.sweep(clock.now());
        }
    });
}

fn main() {
    let kinds: [(&str, fn()); 3] = [("entries", entries), ("churn", churn), ("mixed", mixed)];
    let chosen = |name: &str| std::env::args().any(|argument| argument == name);
    let any = kinds.iter().any(|(name, _)| chosen(name));
    for (_, measure) in kinds.iter().filter(|(name, _)| !any || chosen(name)) {
        measure();
    }
}
