//! What the tasks of one run have in common: a page, what was said of it, and what is known of each body.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use bytes::Bytes;

use super::fetch::fetch;
use super::{Answer, Before, How, Named, Plan};
use crate::cache::tests::schedule::{Spawned, Task};
use crate::cache::tests::{WINDOWS, at, head, key_of, look, request, windowed};
use crate::cache::{Asked, Cache, Known, Lookup};
use crate::{Demands, Fill, Forgetting, Moment, Pushed, Selection, Tags, Terms, What};

/// Everything that the tasks of one run have in common.
pub(super) struct World {
    /// Shared by many runs, each of which has a page of its own: making one takes longer than a run.
    pub(super) cache: Rc<Cache<&'static str>>,
    pub(super) key: Vec<u8>,
    path: String,
    tag: String,
    pub(super) how: How,
    pub(super) seconds: Cell<u64>,
    /// The first fill does this, later ones store.
    pub(super) plan: Plan,
    /// How many fills have begun, and how many of each generation hold the permission now.
    pub(super) begun: Cell<usize>,
    pub(super) running: RefCell<Vec<usize>>,
    /// In which generation the fetch of a body began, and after how many invalidations.
    pub(super) born: RefCell<HashMap<Bytes, (usize, usize)>>,
    /// How many invalidations there have been, those counted that make nothing but stale.
    pub(super) invalidations: Cell<usize>,
    /// Bodies that were stored whole, and those that were sent whole.
    pub(super) whole: RefCell<HashSet<Bytes>>,
    pub(super) answers: RefCell<Vec<Option<Answer>>>,
    pub(super) cancelled: Cell<Option<&'static str>>,
    pub(super) spawned: Spawned,
}

/// The permission to fill, of a generation, counted.
pub(super) struct Permission {
    world: Rc<World>,
    generation: usize,
    invalidations: usize,
}

impl Permission {
    /// Whether something has come after it that makes what it brings gone.
    pub(super) fn is_outdated(&self) -> bool {
        self.generation < self.world.generation() && self.is_stale()
    }

    /// The same before anyone knows the tags of what it brings.
    pub(super) fn is_known_to_be_outdated(&self) -> bool {
        self.is_outdated() && !matches!(self.world.how, How::Forget(Named::Tag, _))
    }

    /// Whether something has come after it that makes what it brings stale.
    pub(super) fn is_stale(&self) -> bool {
        self.invalidations < self.world.invalidations.get()
    }
}

impl Drop for Permission {
    fn drop(&mut self) {
        self.world.running.borrow_mut()[self.generation] -= 1;
    }
}

const OLD: Bytes = Bytes::from_static(b"old");

impl World {
    pub(super) fn new(
        cache: &Rc<Cache<&'static str>>,
        run: u64,
        (plan, before, how): (Plan, Before, How),
    ) -> Rc<World> {
        let (path, tag) = (format!("/{run}"), format!("t{run}"));
        let key = key_of("u", &path);
        let terms = Terms { tags: Tags::new([tag.as_str()]), ..Terms::default() };
        if before != Before::Nothing {
            let Lookup::Miss { fill, .. } = look(cache, &key, "en", WINDOWS, at(0)) else {
                panic!("an empty cache has something");
            };
            let filling = fill.begin(head(200, &[("etag", "\"old\"")]), at(0), terms).unwrap();
            assert_eq!(filling.finish(OLD, at(0)), Pushed::Kept);
        }
        let seconds = match before {
            Before::Nothing => 0,
            Before::Stale => 100,
            Before::Expired => 1000,
        };
        Rc::new(World {
            cache: Rc::clone(cache),
            key,
            path,
            tag,
            how,
            seconds: Cell::new(seconds),
            plan,
            begun: Cell::new(0),
            running: RefCell::new(vec![0]),
            born: RefCell::new(HashMap::from([(OLD, (0, 0))])),
            invalidations: Cell::new(0),
            whole: RefCell::new(HashSet::from([OLD])),
            answers: RefCell::default(),
            cancelled: Cell::new(None),
            spawned: Spawned::default(),
        })
    }

    pub(super) fn now(&self) -> Moment {
        at(self.seconds.get())
    }

    pub(super) fn known(&self) -> Known {
        let (request, policy, demands) = (request("en"), windowed(WINDOWS), Demands::default());
        let asked = Asked { key: &self.key, request: &request, policy: &policy, demands: &demands };
        self.cache.known(self.cache.shared.store.peek(asked.key), &asked, &mut asked.selecting(), self.now())
    }

    /// The response that is kept, fresh or not.
    pub(super) fn kept(&self) -> Option<Bytes> {
        match self.known() {
            Known::Fresh(response, _)
            | Known::Settled(response, ..)
            | Known::Stale(response, ..)
            | Known::Missing(_, Some((response, _))) => Some(response.body()),
            Known::Declined(..) | Known::Missing(_, None) => None,
        }
    }

    /// How many invalidations there have been.
    pub(super) fn generation(&self) -> usize {
        self.running.borrow().len() - 1
    }

    /// The page is made invalid, as it is to be.
    pub(super) fn invalidate(&self) {
        let (named, mode) = match self.how {
            How::Key => {
                self.cache.invalidate(&self.key, self.now());
                self.invalidations.set(self.invalidations.get() + 1);
                self.another_generation();
                return assert!(!matches!(self.known(), Known::Declined(..)), "what was said of it is gone too");
            }
            How::Forget(named, mode) => (named, mode),
        };
        let what = match named {
            Named::Tag => What::Tag(self.tag.as_str().into()),
            Named::Path => What::Path(format!("{}/", self.path).into()),
            Named::Prefix => What::Prefix(self.path.as_str().into()),
            Named::Everything => What::Everything,
        };
        let kept = self.kept();
        self.cache.forget(&[Selection { what, upstream: None }], mode, self.now());
        self.invalidations.set(self.invalidations.get() + 1);
        match mode {
            Forgetting::Delete => self.another_generation(),
            Forgetting::Stale | Forgetting::Expire(_) => assert_eq!(self.kept(), kept, "it is no more than stale"),
        }
        assert!(!matches!(self.known(), Known::Fresh(..)), "promise 4: it is fresh");
    }

    /// What began before the invalidation is gone.
    pub(super) fn another_generation(&self) {
        self.running.borrow_mut().push(0);
        if let Some(kept) = self.kept() {
            self.is_fresh_since(self.invalidations.get(), &kept);
        }
    }

    /// A body is as good as though the fetch of this permission had brought it.
    pub(super) fn is_confirmed(&self, body: &Bytes, permission: &Permission) {
        self.born.borrow_mut().insert(body.clone(), (permission.generation, permission.invalidations));
    }

    /// Promise 4: whoever asked in a generation gets nothing whose fetch began before.
    pub(super) fn is_valid_since(&self, generation: usize, body: &Bytes) {
        let born = self.born.borrow().get(body).copied();
        let newer = |(own, invalidations)| own >= generation || invalidations == self.invalidations.get();
        assert!(born.is_none_or(newer), "promise 4: {body:?} of {born:?} after {generation}");
    }

    /// Promise 4: and nothing as fresh that was made stale since its fetch began.
    pub(super) fn is_fresh_since(&self, invalidations: usize, body: &Bytes) {
        let born = self.born.borrow().get(body).copied();
        assert!(
            born.is_none_or(|born| born.1 >= invalidations),
            "promise 4: {body:?} of {born:?} after {invalidations}"
        );
    }

    /// What is decided about every response of this page.
    pub(super) fn terms(&self) -> Terms {
        Terms { tags: Tags::new([self.tag.as_str()]), ..Terms::default() }
    }

    pub(super) fn starts(self: &Rc<Self>, name: &'static str, task: impl Future<Output = ()> + 'static) {
        self.spawned.borrow_mut().push(Task::new(name, task));
    }

    /// Begins a fetch, as a task of its own.
    pub(super) fn fetch(self: &Rc<Self>, fill: Fill<&'static str>) {
        let number = self.begun.get();
        self.begun.set(number + 1);
        let generation = self.generation();
        self.running.borrow_mut()[generation] += 1;
        assert_eq!(self.running.borrow()[generation], 1, "promise 2: at most one fill of a generation at any moment");
        let invalidations = self.invalidations.get();
        let permission = Permission { world: Rc::clone(self), generation, invalidations };
        let (name, plan) = if number == 0 { ("the first fill", self.plan) } else { ("a later fill", Plan::Store) };
        let body = Bytes::from(format!("new{number}"));
        self.born.borrow_mut().insert(body.clone(), (generation, invalidations));
        self.starts(name, fetch(Rc::clone(self), fill, permission, plan, body));
    }
}
