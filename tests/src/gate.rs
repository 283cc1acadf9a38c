//! A gate: what holds a reply of the origin until the test lets it go.

use std::sync::Arc;

use tokio::sync::watch;

use crate::poll::{BOUND, within};

/// Holds replies of the origin until the test opens it; see [`Reply::gate`](crate::Reply::gate).
///
/// Clones are the same gate. Once open it stays open.
#[derive(Clone, Debug)]
pub struct Gate {
    state: Arc<watch::Sender<State>>,
}

/// What a gate remembers.
#[derive(Debug)]
struct State {
    /// Replies that have come to the gate since it was made.
    arrived: usize,
    open: bool,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Gate {
        let (state, _) = watch::channel(State { arrived: 0, open: false });
        Gate { state: Arc::new(state) }
    }

    /// Lets go everyone who waits and everyone who comes later.
    pub fn open(&self) {
        self.state.send_modify(|state| state.open = true);
    }

    /// Waits until `n` replies in all have come to the gate, those included that have already left.
    ///
    /// # Panics
    /// When fewer have come within [`BOUND`].
    pub async fn arrived(&self, n: usize) {
        let mut states = self.state.subscribe();
        let what = format!("{n} replies at the gate");
        // The gate itself holds the sender, so the channel cannot end while we wait.
        let _ = within(&what, BOUND, states.wait_for(|state| state.arrived >= n)).await;
    }

    /// How many replies have come to the gate so far.
    #[must_use]
    pub fn arrivals(&self) -> usize {
        self.state.borrow().arrived
    }

    /// Comes to the gate and waits there until it is open.
    pub(crate) async fn pass(&self) {
        let mut states = self.state.subscribe();
        self.state.send_modify(|state| state.arrived += 1);
        // As above: the sender is ours.
        let _ = states.wait_for(|state| state.open).await;
    }
}

impl Default for Gate {
    fn default() -> Gate {
        Gate::new()
    }
}
