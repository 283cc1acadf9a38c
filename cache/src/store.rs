//! The store: pages in memory, within a capacity in bytes.

mod sketch;

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::CacheKey;
use crate::memory::shared;
use crate::page::{Page, Slot};

/// Largest part of the capacity that the variants of one page may take.
const PAGE_SHARE: u64 = 4;

/// What moka keeps of an entry beside what its page refers to and the bytes of a key that stand apart. Measured with a million
/// entries (`make bench-memory`): the key with its counts and the bytes at hand, the value's place with its counts, what it knows of
/// the entry, its place in the queue, and the slots of the table, of which up to half are free.
const ENTRY_OVERHEAD: usize = 328;

/// Longest key that moka is given, in bytes. Its table keeps the keys of what was removed until it grows or is tidied, uncounted;
/// so they must not be long. A longer key stands beside its page, and moka is given a short name for it.
const LONGEST_KEY: usize = 256;

/// How such a name begins; no key does.
const NAME: u8 = 0xff;

/// Why something was dropped from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictionCause {
    /// The capacity was needed for others, or the newcomer was asked for less often than those it would have displaced.
    Size,
    /// The page had more variants than it may have.
    Variants,
}

impl EvictionCause {
    /// Every cause, for metrics.
    pub const ALL: [EvictionCause; 2] = [EvictionCause::Size, EvictionCause::Variants];

    /// The stable name used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            EvictionCause::Size => "size",
            EvictionCause::Variants => "variants",
        }
    }
}

/// The store in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreFigures {
    /// Pages kept.
    pub entries: u64,
    /// Bytes they take: keys, fields, bodies, bookkeeping.
    pub bytes: u64,
    /// Most bytes they may take.
    pub capacity: u64,
    /// Pages dropped for their size since the start.
    pub evicted_for_size: u64,
    /// Variants dropped for their number since the start.
    pub evicted_variants: u64,
}

#[derive(Debug)]
pub(crate) struct Store {
    pages: moka::sync::Cache<CacheKey, Entry>,
    names: RandomState,
    capacity: u64,
    evictions: Arc<Evictions>,
}

/// A page, and its key where that is too long for moka. Keys are compared whole: two with one name displace each other, and
/// neither is taken for the other.
#[derive(Clone, Debug)]
enum Entry {
    Named(Page),
    Long(Arc<(CacheKey, Page)>),
    /// No page, but something of this weight, while moka makes its sketch.
    Placeholder(u32),
}

impl Entry {
    fn page(&self) -> Option<&Page> {
        match self {
            Entry::Named(page) => Some(page),
            Entry::Long(long) => Some(&long.1),
            Entry::Placeholder(_) => None,
        }
    }

    /// The page, if it is the one of this key.
    fn of(self, key: &[u8]) -> Option<Page> {
        match self {
            Entry::Named(page) => (!is_long(key)).then_some(page),
            Entry::Long(long) => (long.0.as_bytes() == key).then(|| long.1.clone()),
            Entry::Placeholder(_) => None,
        }
    }

    /// What it takes in memory with the key that moka is given, in bytes.
    fn weight(&self, key: &CacheKey) -> u32 {
        let size = match self {
            Entry::Named(page) => page.size(),
            Entry::Long(long) => shared(size_of::<CacheKey>()) + long.0.apart() + long.1.size(),
            Entry::Placeholder(weight) => return *weight,
        };
        u32::try_from(ENTRY_OVERHEAD + key.apart() + size).unwrap_or(u32::MAX)
    }
}

fn is_long(key: &[u8]) -> bool {
    key.len() > LONGEST_KEY
}

#[derive(Debug, Default)]
struct Evictions {
    size: AtomicU64,
    variants: AtomicU64,
}

impl Store {
    pub(crate) fn new(capacity: u64) -> Store {
        let evictions = Arc::new(Evictions::default());
        let counted = Arc::clone(&evictions);
        let pages = moka::sync::Cache::builder()
            .max_capacity(capacity)
            .weigher(|key: &CacheKey, entry: &Entry| entry.weight(key))
            .eviction_listener(move |_, entry: Entry, cause| {
                let Some(page) = entry.page() else { return };
                // Told of every page that was put, once, when another takes its place too.
                page.leave();
                if cause == moka::notification::RemovalCause::Size {
                    counted.size.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build();
        sketch::make(&pages, capacity);
        Store { pages, names: RandomState::new(), capacity, evictions }
    }

    /// What moka is given for a key.
    fn name<'a>(&self, key: &'a [u8]) -> Cow<'a, [u8]> {
        if is_long(key) {
            let hash = self.names.hash_one(key).to_ne_bytes();
            Cow::Owned([&[NAME][..], &hash].concat())
        } else {
            Cow::Borrowed(key)
        }
    }

    /// The page of a key that a visitor asks for. That counts, whether it is there or not: by this moka decides which pages stay.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Page> {
        self.pages.get(self.name(key).as_ref())?.of(key)
    }

    /// The page of a key for which no visitor asks, or one who is counted already. What is missing must not count again: a newcomer is
    /// let in if it was asked for more often than what it displaces, and what was asked for once would be popular. moka has no look
    /// at what is there that does not count.
    pub(crate) fn peek(&self, key: &[u8]) -> Option<Page> {
        if self.pages.contains_key(self.name(key).as_ref()) { self.get(key) } else { None }
    }

    /// Puts `slot` into its page. Callers hold the lock of the key, so no other change of the page is lost.
    pub(crate) fn put(&self, key: &CacheKey, slot: Slot) {
        // moka weighs in 32 bits.
        let share = usize::try_from((self.capacity / PAGE_SHARE).min(u64::from(u32::MAX / 2))).unwrap_or(usize::MAX);
        let (page, gone) = self.peek(key.as_bytes()).unwrap_or_default().with(slot, share);
        self.evictions.variants.fetch_add(gone as u64, Ordering::Relaxed);
        self.replace(key.clone(), page);
    }

    /// Puts a whole page. Callers hold the lock of the key.
    pub(crate) fn replace(&self, key: CacheKey, page: Page) {
        page.enter();
        if is_long(key.as_bytes()) {
            let name = CacheKey::from(self.name(key.as_bytes()).as_ref());
            self.pages.insert(name, Entry::Long(Arc::new((key, page))));
        } else {
            self.pages.insert(key, Entry::Named(page));
        }
    }

    /// Removes a page. Callers hold the lock of the key.
    pub(crate) fn remove(&self, key: &[u8]) -> Option<Page> {
        self.pages.remove(self.name(key).as_ref())?.of(key)
    }

    /// The keys of the pages, in no order. One that comes or goes meanwhile may be among them or not.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (CacheKey, Page)> {
        self.pages.iter().filter_map(|(key, entry)| match entry {
            Entry::Named(page) => Some((CacheKey::clone(&key), page)),
            Entry::Long(long) => Some(long.as_ref().clone()),
            Entry::Placeholder(_) => None,
        })
    }

    /// Most bytes that the pages may take.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Number of pages, as far as moka has applied what it was told.
    pub(crate) fn len(&self) -> u64 {
        self.pages.entry_count()
    }

    /// Lets moka apply what it has put off. It keeps writes in batches; without this the capacity would be exceeded by as
    /// many responses as fit in a batch.
    pub(crate) fn settle(&self) {
        self.pages.run_pending_tasks();
    }

    pub(crate) fn figures(&self) -> StoreFigures {
        StoreFigures {
            entries: self.pages.entry_count(),
            bytes: self.pages.weighted_size(),
            capacity: self.capacity,
            evicted_for_size: self.evictions.size.load(Ordering::Relaxed),
            evicted_variants: self.evictions.variants.load(Ordering::Relaxed),
        }
    }
}
