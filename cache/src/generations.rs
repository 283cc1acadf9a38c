//! Generations: what an invalidation ends. Invalidations are numbered; a response is judged by those that came after its fetch
//! began, wherever it was then.
//!
//! An invalidation marks labels, so it costs the same however many responses carry them, and so does a hit: it compares two
//! numbers where nothing was invalidated since. A label that nothing stored carries is held while a fill is in flight that
//! began before its invalidation, because the answer may bring it. A prefix is a list to look at until every path that begins
//! with it is marked ([`Generations::settle`]).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use crate::key::Address;
use crate::label::{self, Kind};
use crate::prefixes::Prefixes;
use crate::record::{Record, SharedRecord};
use crate::registry::{Held, Registry};
use crate::standing::{Mark, Marks, Validity};
use crate::{Count, Forgetting, Groups, Moment, Selection, Tags, What};

/// Most labels that are held for fills in flight. Beyond it all fills in flight lose their generation: what they bring is not
/// kept.
pub const MAX_MARKS_IN_FLIGHT: usize = 65_536;

/// Most prefixes that may wait for their paths to be marked; with the next, they are marked while its caller waits.
const MAX_PREFIXES: usize = 4096;

/// Most moments that are remembered at which something is to be swept away; beyond it the next two become one.
const MAX_DUE: usize = 1024;

/// The invalidations.
#[derive(Debug)]
pub(crate) struct Generations {
    registry: Arc<Registry>,
    /// Counted before anything is marked.
    begun: AtomicU64,
    /// The latest invalidation, told when all is marked: what begins now is newer.
    latest: AtomicU64,
    /// Fills that began before it have lost their generation.
    floor: AtomicU64,
    upstreams: RwLock<Vec<(Box<[u8]>, Held)>>,
    prefixes: RwLock<Prefixes>,
    /// Number of prefixes, so that most hits need no lock.
    waiting: AtomicUsize,
    order: Mutex<Order>,
    /// Tags that were left out because a response had too many, or too long ones.
    cut: AtomicU64,
}

/// What invalidations change one after the other.
#[derive(Debug, Default)]
struct Order {
    /// Labels that are held for fills in flight, the earliest invalidation first.
    held: VecDeque<(Mark, Held)>,
    /// When something is gone that is still in the store, in order.
    due: Vec<Duration>,
    /// How many are sweeping away what was due.
    sweeping: usize,
    /// When the marks that the last sweep left have run out.
    marks_until: Option<Duration>,
}

impl Generations {
    pub(crate) fn new() -> Generations {
        Generations {
            registry: Registry::new(),
            begun: AtomicU64::new(0),
            latest: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            upstreams: RwLock::default(),
            prefixes: RwLock::default(),
            waiting: AtomicUsize::new(0),
            order: Mutex::default(),
            cut: AtomicU64::new(0),
        }
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        // What is guarded is whole after every change, so a panic elsewhere is no reason to stop.
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest invalidation.
    pub(crate) fn now(&self) -> Mark {
        Mark(self.latest.load(Ordering::Acquire))
    }

    /// Number of invalidations that have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    /// An upstream is known from now on. Called before a fill begins and without a lock, because it waits for invalidations.
    pub(crate) fn introduce(&self, address: Option<Address<'_>>) {
        let Some(Address { upstream, .. }) = address else { return };
        let knows = |known: &[(Box<[u8]>, Held)]| known.iter().any(|(name, _)| **name == *upstream);
        if knows(&self.upstreams.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        // An invalidation of every upstream is over, or finds this one.
        let _order = self.order();
        let mut known = self.upstreams.write().unwrap_or_else(PoisonError::into_inner);
        if !knows(&known) {
            let label = self.registry.hold(&label::name(Kind::Upstream, upstream, b""));
            known.push((upstream.into(), label));
        }
    }

    /// The record of a fill that begins now: its tags and groups are not known yet.
    pub(crate) fn begin(&self, address: Option<Address<'_>>) -> SharedRecord {
        let names = base(address);
        // Taken first and numbered second: an invalidation that misses the labels is older.
        let held: Vec<Held> = names.iter().map(|name| self.registry.hold(name)).collect();
        let record = Record::new(&self.registry, names.iter().map(Vec::as_slice), self.now());
        drop(held);
        record
    }

    /// The record of a response whose fetch began at `began`.
    pub(crate) fn record(
        &self,
        address: Option<Address<'_>>,
        groups: &Groups,
        tags: &Tags,
        began: Mark,
    ) -> SharedRecord {
        self.cut.fetch_add(tags.cut() as u64, Ordering::Relaxed);
        let upstream = address.map_or(&[][..], |address| address.upstream);
        let tags = tags.iter().map(|tag| label::name(Kind::Tag, upstream, tag.as_bytes()));
        let groups = groups.iter().map(|group| label::name(Kind::Group, b"", group));
        let names: Vec<Vec<u8>> = base(address).into_iter().chain(tags).chain(groups).collect();
        Record::new(&self.registry, names.iter().map(Vec::as_slice), began)
    }

    /// Whether a fill that began then has lost its generation.
    pub(crate) fn lost(&self, began: Mark) -> bool {
        self.floor.load(Ordering::Acquire) > began.0
    }

    /// What the invalidations have made of a response of this record.
    pub(crate) fn validity(&self, record: &Record, now: Moment) -> Validity {
        // A prefix gives way to marks on its paths, so it is looked for first.
        let by_prefix = self.by_prefix(record, now);
        let by_label = record.labels().iter().map(|label| label.validity(record.began(), now));
        match by_label.fold(by_prefix, Validity::and) {
            Validity::Stale(since) => Validity::Stale(record.is_stale_since(since)),
            validity @ (Validity::Valid | Validity::Gone) => validity,
        }
    }

    /// Whether what a fill brings was invalid already for somebody who came at `joined`, and waits for it. Its path and upstream
    /// were looked at when they came, so the labels that only the answer tells decide.
    pub(crate) fn gone_between(&self, record: &Record, joined: (Mark, Moment)) -> bool {
        let began = record.began();
        self.lost(began) || record.labels().iter().any(|label| label.gone_between(began, joined))
    }

    /// The record by which a confirmation is judged: what it says, and what it confirms, were fetched when it began.
    pub(crate) fn both(&self, record: &Record, old: &Record) -> SharedRecord {
        let mut names: Vec<&[u8]> = record.labels().iter().chain(old.labels()).map(|label| label.name()).collect();
        names.sort_unstable();
        names.dedup();
        Record::new(&self.registry, names, record.began())
    }

    fn by_prefix(&self, record: &Record, now: Moment) -> Validity {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return Validity::Valid;
        }
        let prefixes = self.prefixes.read().unwrap_or_else(PoisonError::into_inner);
        let paths = record.labels().iter().filter_map(|label| label.split(Kind::Path));
        let mut marks = Marks::default();
        for prefix in paths.flat_map(|(upstream, path)| prefixes.of(upstream, path)) {
            marks.add(prefix.mode, prefix.mark, prefix.now);
        }
        marks.validity(record.began(), now)
    }

    /// Forgets what is selected, and says how much of it was stored. `oldest` tells when the oldest fill in flight began.
    pub(crate) fn forget(
        &self,
        selections: &[Selection],
        mode: Forgetting,
        now: Moment,
        oldest: impl FnOnce() -> Option<Mark>,
    ) -> Count {
        let mut order = self.order();
        let (mut labels, mut prefixes) = (Vec::new(), Vec::new());
        for Selection { what, upstream } in selections {
            match what {
                What::Prefix(start) => prefixes.push((upstream.as_deref(), &**start)),
                What::Tag(tag) => labels.extend(self.labels(Kind::Tag, upstream.as_deref(), tag.as_bytes())),
                What::Path(path) => {
                    labels.extend(self.labels(Kind::Path, upstream.as_deref(), label::bare(path.as_bytes())));
                }
                What::Everything => labels.extend(self.labels(Kind::Upstream, upstream.as_deref(), b"")),
            }
        }
        let count = self.count(selections, &labels, &order, now);
        self.mark(&mut order, labels, prefixes, (mode, now), oldest);
        drop(order);
        if self.waiting.load(Ordering::Acquire) > MAX_PREFIXES {
            self.mark_prefixed();
        }
        count
    }

    /// Forgets what carries one of these groups (RFC 9875 section 3).
    pub(crate) fn forget_groups(&self, groups: &Groups, now: Moment, oldest: impl FnOnce() -> Option<Mark>) {
        let names = groups.iter().map(|group| label::name(Kind::Group, b"", group));
        let labels: Vec<Held> = names.map(|name| self.registry.hold(&name)).collect();
        self.mark(&mut self.order(), labels, Vec::new(), (Forgetting::Delete, now), oldest);
    }

    /// What is being fetched is not compared with what was known before: something was invalidated.
    pub(crate) fn count_one(&self) {
        self.begun.fetch_add(1, Ordering::AcqRel);
    }

    /// The labels of a name, at one upstream or at every one.
    fn labels(&self, kind: Kind, upstream: Option<&str>, own: &[u8]) -> Vec<Held> {
        let known = self.upstreams.read().unwrap_or_else(PoisonError::into_inner);
        let here = |name: &[u8]| upstream.is_none_or(|upstream| upstream.as_bytes() == name);
        let known = known.iter().filter(|(name, _)| here(name));
        known.map(|(upstream, _)| self.registry.hold(&label::name(kind, upstream, own))).collect()
    }

    fn count(&self, selections: &[Selection], labels: &[Held], order: &Order, now: Moment) -> Count {
        let of = |labels: &[Held]| labels.iter().map(|held| held.label().stored()).sum::<u64>();
        match selections {
            [Selection { what: What::Tag(_) | What::Path(_) | What::Everything, .. }] => {
                // What is gone and not swept away yet is counted with the others.
                let swept = order.sweeping == 0 && order.due.first().is_none_or(|due| *due > now.monotonic);
                let found = of(labels);
                if swept || found == 0 { Count::Exact(found) } else { Count::AtMost(found) }
            }
            several => {
                let everything = self.upstreams.read().unwrap_or_else(PoisonError::into_inner);
                let stored = |upstream: &Option<Box<str>>| {
                    let here = everything
                        .iter()
                        .filter(|(name, _)| upstream.as_ref().is_none_or(|upstream| upstream.as_bytes() == &**name));
                    here.map(|(_, held)| held.label().stored()).sum::<u64>()
                };
                let prefixed = several.iter().filter(|selection| matches!(selection.what, What::Prefix(_)));
                let most = of(labels) + prefixed.map(|selection| stored(&selection.upstream)).sum::<u64>();
                match most.min(stored(&None)) {
                    0 => Count::Exact(0),
                    most => Count::AtMost(most),
                }
            }
        }
    }

    fn mark(
        &self,
        order: &mut Order,
        labels: Vec<Held>,
        prefixes: Vec<(Option<&str>, &str)>,
        (mode, now): (Forgetting, Moment),
        oldest: impl FnOnce() -> Option<Mark>,
    ) {
        self.begun.fetch_add(1, Ordering::AcqRel);
        let mark = Mark(self.latest.load(Ordering::Acquire) + 1);
        for held in &labels {
            self.registry.mark(held.label(), mode, mark, now);
        }
        let has_prefixes = !prefixes.is_empty();
        if has_prefixes {
            // All at once: who marks them takes those of one number for all of them.
            let mut waiting = self.prefixes.write().unwrap_or_else(PoisonError::into_inner);
            for (upstream, start) in prefixes {
                waiting.add(upstream, start, mode, mark, now);
            }
            self.waiting.store(waiting.len(), Ordering::Release);
        }
        self.latest.store(mark.0, Ordering::Release);
        // Only now: what begins from here on is newer, and what landed before is counted.
        let oldest = oldest();
        let finds = has_prefixes || labels.iter().any(|held| held.label().stored() > 0);
        self.hold_for_fills(order, labels, mark, oldest);
        match mode {
            // What fills bring later is not kept, so where nothing is gone now there is nothing to look for.
            Forgetting::Delete if !finds => {}
            Forgetting::Stale | Forgetting::Delete | Forgetting::Expire(_) => order.expect(mode, now),
        }
    }

    /// Holds the labels for fills that began before and may bring them: tags and groups, because the others are known, and held,
    /// since a fill began.
    fn hold_for_fills(&self, order: &mut Order, labels: Vec<Held>, mark: Mark, oldest: Option<Mark>) {
        order.let_go(oldest);
        if oldest.is_some_and(|oldest| oldest < mark) {
            let brought = labels.into_iter().filter(|held| held.label().is_said_by_answers());
            order.held.extend(brought.map(|held| (mark, held)));
        }
        if order.held.len() > MAX_MARKS_IN_FLIGHT {
            // Told first, let go second: who misses a mark finds this.
            self.floor.store(mark.0, Ordering::Release);
            order.held.clear();
        }
    }

    /// Marks the paths that begin with the prefixes, which are then forgotten themselves.
    fn mark_prefixed(&self) {
        // A copy, because it takes a while: others may come meanwhile.
        let prefixes = self.prefixes.read().unwrap_or_else(PoisonError::into_inner).clone();
        if prefixes.len() == 0 {
            return;
        }
        self.registry.each(|label| {
            let Some((upstream, path)) = label.split(Kind::Path) else { return };
            for prefix in prefixes.of(upstream, path) {
                self.registry.mark(label, prefix.mode, prefix.mark, prefix.now);
            }
        });
        let mut waiting = self.prefixes.write().unwrap_or_else(PoisonError::into_inner);
        waiting.let_go(prefixes.latest());
        self.waiting.store(waiting.len(), Ordering::Release);
    }

    /// Does what invalidations put off: marks what prefixes name, and lets go of what was held for fills. `oldest` tells when
    /// the oldest fill in flight began.
    pub(crate) fn settle(&self, oldest: impl FnOnce() -> Option<Mark>) {
        self.mark_prefixed();
        let mut order = self.order();
        if !order.held.is_empty() {
            // Asked under the lock: no invalidation comes in between.
            order.let_go(oldest());
        }
    }

    /// When the next of what is gone, or of what tells of it, may be swept away; none where nothing waits.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let order = self.order();
        order.due.first().copied().into_iter().chain(order.marks_until).min()
    }

    /// What is gone at `now` is being swept away from here on.
    pub(crate) fn sweep(&self, now: Moment) -> Sweep<'_> {
        let mut order = self.order();
        order.due.retain(|due| *due > now.monotonic);
        order.sweeping += 1;
        order.marks_until = order.marks_until.filter(|until| *until > now.monotonic);
        Sweep { generations: self, now, swept: false }
    }

    /// Whether anything is held for fills, or waits for its paths to be marked.
    pub(crate) fn is_settled(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0 && self.order().held.is_empty()
    }

    /// Whether labels take so many bytes more than what is stored is charged for.
    pub(crate) fn is_overdrawn(&self, by: u64) -> bool {
        self.registry.is_overdrawn(by)
    }

    /// All that is stored was charged anew.
    pub(crate) fn is_charged(&self) {
        self.registry.is_settled();
    }

    /// Number of labels, their bytes, and the number of tags that were left out.
    pub(crate) fn figures(&self) -> (u64, u64, u64) {
        let (labels, bytes) = self.registry.figures();
        (labels, bytes, self.cut.load(Ordering::Relaxed))
    }
}

/// A sweep under way. Dropping it leaves off before its end: what was due is due again.
#[derive(Debug)]
pub(crate) struct Sweep<'a> {
    generations: &'a Generations,
    now: Moment,
    swept: bool,
}

impl Sweep<'_> {
    /// What was gone when it began is swept away. The marks that it left tell of it until then.
    pub(crate) fn end(mut self, until: Option<Duration>) {
        self.swept = true;
        let mut order = self.generations.order();
        order.marks_until = order.marks_until.max(until);
    }
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        let mut order = self.generations.order();
        order.sweeping -= 1;
        if !self.swept {
            order.expect(Forgetting::Delete, self.now);
        }
    }
}

impl Order {
    /// Lets go of labels for which no fill in flight is old enough.
    fn let_go(&mut self, oldest: Option<Mark>) {
        while self.held.front().is_some_and(|(mark, _)| oldest.is_none_or(|oldest| *mark <= oldest)) {
            self.held.pop_front();
        }
        if self.held.is_empty() {
            self.held.shrink_to(64);
        }
    }

    /// Something will be gone, and is to be swept away.
    fn expect(&mut self, mode: Forgetting, now: Moment) {
        let at = match mode {
            Forgetting::Stale => return,
            Forgetting::Delete => now.monotonic,
            Forgetting::Expire(after) => now.monotonic.saturating_add(after),
        };
        let place = self.due.partition_point(|due| *due < at);
        if self.due.get(place) != Some(&at) {
            self.due.insert(place, at);
        }
        if self.due.len() > MAX_DUE {
            self.due.remove(1);
        }
    }
}

/// Whether a response of this record is selected.
pub(crate) fn selects(selection: &Selection, record: &Record) -> bool {
    let Selection { what, upstream } = selection;
    let here = |name: &[u8]| upstream.as_ref().is_none_or(|upstream| upstream.as_bytes() == name);
    let kind = match what {
        What::Tag(_) => Kind::Tag,
        What::Path(_) | What::Prefix(_) => Kind::Path,
        What::Everything => Kind::Upstream,
    };
    let is_meant = |own: &[u8]| match what {
        What::Tag(tag) => own == tag.as_bytes(),
        What::Path(path) => own == label::bare(path.as_bytes()),
        What::Prefix(start) => begins_with(own, start.as_bytes()),
        What::Everything => true,
    };
    record.labels().iter().filter_map(|label| label.split(kind)).any(|(upstream, own)| here(upstream) && is_meant(own))
}

/// Whether a path, without a slash at its end, begins with these characters. A folder's own page counts with it.
fn begins_with(path: &[u8], start: &[u8]) -> bool {
    path.starts_with(start) || start.strip_suffix(b"/") == Some(path)
}

/// The names of what every response of an address carries.
fn base(address: Option<Address<'_>>) -> Vec<Vec<u8>> {
    let Some(Address { upstream, path }) = address else { return Vec::new() };
    vec![label::name(Kind::Upstream, upstream, b""), label::name(Kind::Path, upstream, label::bare(path))]
}

#[cfg(test)]
mod tests;
