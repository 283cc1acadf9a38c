//! Which pages stay when there is no room for all, beside a textbook LRU of the same capacity.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use fastrand::Rng;

use super::{WINDOWS, at, head, key_of, request, windowed};
use crate::cache::{Asked, Cache, Lookup};
use crate::{Demands, Pushed, Tagging, Terms};

/// How many pages fit.
const FIT: usize = 250;
/// How many pages somebody asks for again.
const CROWD: usize = 100 * FIT;
/// The body of a page as the store takes pages to be (`store/sketch.rs`).
const TYPICAL: usize = 11 * 1024;

/// The least recently used page goes first, as in a textbook.
#[derive(Default)]
struct Lru {
    clock: usize,
    used_at: HashMap<usize, usize>,
    by_use: BTreeMap<usize, usize>,
}

impl Lru {
    /// Whether a page was there. It is now.
    fn ask(&mut self, page: usize) -> bool {
        self.clock += 1;
        let before = self.used_at.insert(page, self.clock);
        if let Some(before) = before {
            self.by_use.remove(&before);
        }
        self.by_use.insert(self.clock, page);
        if self.used_at.len() > FIT
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.used_at.remove(&oldest);
        }
        before.is_some()
    }
}

/// Pages by Zipf's law: that of rank `r` is asked for in proportion to `r` to the power of `-exponent`. And what crawlers ask for,
/// which nobody asks for again.
struct Visitors {
    sums: Vec<f64>,
    crawlers: f64,
    crawled: usize,
    random: Rng,
}

impl Visitors {
    fn new(exponent: f64, crawlers: f64) -> Visitors {
        let mut sum = 0.0;
        let sums = (1..=CROWD).map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        });
        Visitors { sums: sums.collect(), crawlers, crawled: CROWD, random: Rng::with_seed(1) }
    }

    fn next(&mut self) -> usize {
        if self.random.f64() < self.crawlers {
            self.crawled += 1;
            return self.crawled;
        }
        let point = self.random.f64() * self.sums[CROWD - 1];
        self.sums.partition_point(|sum| *sum < point)
    }
}

/// The store, with bodies of one length.
struct Shop {
    cache: Cache<&'static str>,
    body: Bytes,
}

impl Shop {
    /// One in which [`FIT`] of its pages fit.
    fn new(length: usize) -> Shop {
        let with = |capacity| Shop { cache: Cache::new(capacity, 1 << 22), body: Bytes::from(vec![b'x'; length]) };
        let one = with(1 << 24);
        one.ask(0);
        with(one.cache.figures().bytes * FIT as u64)
    }

    fn ask(&self, page: usize) -> bool {
        self.ask_for(page, &self.body)
    }

    /// Whether a page was there. Otherwise it is fetched and stored, with the same looks as in the gateway.
    fn ask_for(&self, page: usize, body: &Bytes) -> bool {
        let (key, request, policy) = (key_of("shop", &format!("/page/{page:08}")), request("en"), windowed(WINDOWS));
        let asked = Asked { key: &key, request: &request, policy: &policy, demands: &Demands::default() };
        if self.cache.glance(&asked, at(0)).is_ok() {
            return true;
        }
        let Lookup::Miss { fill, .. } = self.cache.lookup(&asked, at(0)) else { panic!("nobody else is here") };
        let terms = Terms { tagging: Tagging::Never, ..Terms::default() };
        let filling = fill.begin(head(200, &[]), at(0), terms).unwrap();
        assert_eq!(filling.finish(body.clone(), at(0)), Pushed::Kept);
        false
    }
}

/// Of so many requests, in percent, how many found their page in the store, and how many would have with an LRU.
fn compare(requests: usize, shop: &Shop, lru: &mut Lru, mut next: impl FnMut() -> usize) -> (f64, f64) {
    let (mut hits, mut hits_of_lru) = (0, 0);
    for _ in 0..requests {
        let page = next();
        hits += usize::from(shop.ask(page));
        hits_of_lru += usize::from(lru.ask(page));
    }
    let percent = |hits: usize| 100.0 * hits as f64 / requests as f64;
    (percent(hits), percent(hits_of_lru))
}

/// The demand on TinyLFU: five points more than an LRU.
#[test]
fn popular_pages_stay_rather_than_recent_ones() {
    for (exponent, crawlers) in [(0.8, 0.0), (0.9, 0.0), (1.0, 0.0), (0.8, 0.2), (0.9, 0.2), (1.0, 0.2)] {
        let (shop, mut lru) = (Shop::new(TYPICAL), Lru::default());
        let mut visitors = Visitors::new(exponent, crawlers);
        // The store is filled first: until then there is nothing to choose.
        compare(10 * FIT, &shop, &mut lru, || visitors.next());
        let (ours, lru) = compare(25 * FIT, &shop, &mut lru, || visitors.next());
        assert!(ours >= lru + 5.0, "Zipf {exponent}, crawlers {crawlers}: {ours:.1} %, with an LRU {lru:.1} %");
    }
}

#[test]
fn a_crawler_does_not_empty_the_store() {
    for popular in [FIT / 5, FIT / 2, FIT * 9 / 10] {
        let shop = Shop::new(TYPICAL);
        for page in (0..popular).cycle().take(5 * popular) {
            shop.ask(page);
        }
        for page in CROWD..CROWD + 10 * FIT {
            shop.ask(page);
        }
        let left = (0..popular).filter(|page| shop.ask(*page)).count();
        let hint = "does moka still size its sketch as store/sketch.rs says, and count from the first request?";
        assert!(left * 10 >= popular * 9, "{left} of {popular} popular pages are left: {hint}");
    }
}

/// With pages a third as large as the store takes them to be, too, and four times as large: of those fewer fit, and what was known of
/// them lasts longer.
#[test]
fn popularity_that_moves_is_followed() {
    for length in [TYPICAL / 3, TYPICAL, TYPICAL * 4] {
        let (shop, mut lru) = (Shop::new(length), Lru::default());
        let mut visitors = Visitors::new(0.9, 0.0);
        compare(30 * FIT, &shop, &mut lru, || visitors.next());
        // From now on none of the pages that were asked for is asked for again.
        let mut later = |requests| compare(requests, &shop, &mut lru, || CROWD + visitors.next());
        let (ours, lru) = later(10 * FIT);
        assert!(ours >= lru / 2.0, "pages of {length} at first: {ours:.1} %, with an LRU {lru:.1} %");
        later(10 * FIT);
        let (ours, lru) = later(10 * FIT);
        // moka draws its hash, by which the largest pages vary by a point about what LRU has.
        assert!(
            ours >= lru - 2.0,
            "pages of {length} after twenty requests for each that fits: {ours:.1} %, {lru:.1} %"
        );
    }
}

/// It takes the place of several, so it must be more popular than all of them together. moka counts to 15: a page that is heavier than
/// 15 that are asked for now and then does not get in once the store is full.
#[test]
fn a_popular_page_gets_in_though_it_is_heavy() {
    for heavier in [2, 4, 8] {
        let (shop, mut visitors) = (Shop::new(TYPICAL), Visitors::new(0.9, 0.0));
        compare(10 * FIT, &shop, &mut Lru::default(), || visitors.next());
        let heavy = Bytes::from(vec![b'x'; heavier * TYPICAL]);
        // Every fiftieth request is for it.
        let hits = (0..100).filter(|_| {
            compare(50, &shop, &mut Lru::default(), || visitors.next());
            shop.ask_for(2 * CROWD, &heavy)
        });
        let hits = hits.count();
        assert!(hits >= 60, "{heavier} times as heavy: {hits} of 100");
    }
}
