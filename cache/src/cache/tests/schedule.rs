//! Every order in which tasks may take their steps: tasks run one at a time up to where they wait, and whoever could go on
//! goes on first in one of the runs.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// The choices of one run: which of how many tasks went on.
#[derive(Default)]
pub(super) struct Choices {
    taken: Vec<(usize, usize)>,
    at: usize,
}

impl Choices {
    fn choose(&mut self, of: usize) -> usize {
        if self.at == self.taken.len() {
            self.taken.push((0, of));
        }
        let (choice, known) = self.taken[self.at];
        assert_eq!(known, of, "the same choices lead to the same place");
        self.at += 1;
        choice
    }

    /// The next run in order; false when there is none.
    fn advance(&mut self) -> bool {
        self.at = 0;
        while let Some((choice, of)) = self.taken.pop() {
            if choice + 1 < of {
                self.taken.push((choice + 1, of));
                return true;
            }
        }
        false
    }
}

impl Drop for Choices {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("choices: {:?}", self.taken.iter().map(|(choice, _)| choice).collect::<Vec<_>>());
        }
    }
}

/// Runs `run` with all choices that there are, and tells how many runs that took.
pub(super) fn every_schedule(mut run: impl FnMut(&mut Choices)) -> usize {
    let mut choices = Choices::default();
    let mut runs = 1;
    loop {
        run(&mut choices);
        if !choices.advance() {
            return runs;
        }
        runs += 1;
    }
}

/// What a task panics with when that is what it is for.
pub(super) struct Crash;

/// Panics without a word.
pub(super) fn crash() -> ! {
    resume_unwind(Box::new(Crash))
}

/// Where tasks start others.
pub(super) type Spawned = Rc<RefCell<Vec<Task>>>;

/// A task that is run step by step.
pub(super) struct Task {
    name: &'static str,
    future: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Task {
    pub(super) fn new(name: &'static str, future: impl Future<Output = ()> + 'static) -> Task {
        Task { name, future: Box::pin(future), woken: Arc::new(Woken(AtomicBool::new(true))) }
    }

    fn ready(&self) -> bool {
        self.woken.0.load(Ordering::SeqCst)
    }

    /// One step. True when the task is over: it has ended, or crashed as it was to.
    fn step(&mut self) -> bool {
        self.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self.woken));
        let poll = || self.future.as_mut().poll(&mut Context::from_waker(&waker));
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Ready(())) => true,
            Ok(Poll::Pending) => false,
            Err(crash) if <dyn Any>::is::<Crash>(&*crash) => true,
            Err(failure) => resume_unwind(failure),
        }
    }
}

/// Runs tasks, and those that they start, until nobody can go on. `cancelled` names a task that is to be dropped, when there
/// is one. Gives the names of those who wait for ever.
pub(super) fn run(
    choices: &mut Choices,
    spawned: &Spawned,
    mut cancelled: impl FnMut() -> Option<&'static str>,
) -> Vec<&'static str> {
    let mut tasks: Vec<Task> = Vec::new();
    loop {
        tasks.append(&mut spawned.borrow_mut());
        let ready: Vec<usize> = (0..tasks.len()).filter(|at| tasks[*at].ready()).collect();
        if ready.is_empty() {
            return tasks.into_iter().map(|task| task.name).collect();
        }
        let next = if ready.len() == 1 { 0 } else { choices.choose(ready.len()) };
        if tasks[ready[next]].step() {
            drop(tasks.remove(ready[next]));
        }
        if let Some(name) = cancelled()
            && let Some(at) = tasks.iter().position(|task| task.name == name)
        {
            drop(tasks.remove(at));
        }
    }
}

/// Ends a step: others may go first.
pub(super) async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|context| {
        if paused {
            return Poll::Ready(());
        }
        paused = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
