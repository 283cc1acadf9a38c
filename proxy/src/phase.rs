//! The phase that the process is in, as probes are told it.

use tokio::sync::watch;

/// What the gateway is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Rendering what is known beforehand; visitors are served already.
    Prerendering,
    /// Serving.
    Ready,
    /// Ending; no new visitors should come.
    Draining,
}

/// A phase that starts as prerendering.
pub fn starting() -> (watch::Sender<Phase>, watch::Receiver<Phase>) {
    watch::channel(Phase::Prerendering)
}
