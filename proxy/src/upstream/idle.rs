//! Connections to one server that nobody uses at the moment.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// Most connections that are kept for one server.
const MOST_KEPT: usize = 128;

/// How often it is looked for those that are kept too long, or that the server has closed.
const LOOK: Duration = Duration::from_secs(1);

/// The idle connections of a server. The one that was used last is used next, so that those that are too many grow old.
#[derive(Debug, Default)]
pub(super) struct Idle {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    connections: Vec<IdleConnection>,
    /// Whether somebody looks after them.
    tended: bool,
}

#[derive(Debug)]
struct IdleConnection {
    socket: TcpStream,
    address: SocketAddr,
    until: Instant,
}

impl Idle {
    /// A connection to this address, if there is one that seems good.
    pub(super) fn take(&self, address: SocketAddr) -> Option<TcpStream> {
        let now = Instant::now();
        loop {
            // Closed, if it must be, when the lock is open again.
            let connection = {
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                let last = kept.connections.iter().rposition(|connection| connection.address == address)?;
                kept.connections.remove(last)
            };
            if connection.is_good(now) {
                return Some(connection.socket);
            }
        }
    }

    /// Keeps a connection for `time` at most. Where there are too many, the oldest goes.
    pub(super) fn keep(self: &Arc<Self>, socket: TcpStream, address: SocketAddr, time: Duration) {
        let connection = IdleConnection { socket, address, until: Instant::now() + time };
        let (too_many, tended) = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let too_many = (kept.connections.len() >= MOST_KEPT).then(|| kept.connections.remove(0));
            kept.connections.push(connection);
            (too_many, std::mem::replace(&mut kept.tended, true))
        };
        drop(too_many);
        if !tended {
            tokio::spawn(tend(Arc::downgrade(self)));
        }
    }

    /// Closes those that are kept too long, or that are closed already. Whether any is left.
    fn look(&self) -> bool {
        let now = Instant::now();
        let (_bad, any) = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let all = std::mem::take(&mut kept.connections);
            let (good, bad): (Vec<_>, Vec<_>) = all.into_iter().partition(|connection| connection.is_good(now));
            kept.connections = good;
            kept.tended = !kept.connections.is_empty();
            (bad, kept.tended)
        };
        any
    }
}

impl IdleConnection {
    /// Whether it may be used: not kept too long, not closed, and without a word that nobody has asked for. This reads only
    /// where there is something to be read.
    fn is_good(&self, now: Instant) -> bool {
        let silent =
            matches!(self.socket.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
        silent && now < self.until
    }
}

/// Looks after idle connections while there are any.
async fn tend(idle: Weak<Idle>) {
    loop {
        sleep(LOOK).await;
        if !idle.upgrade().is_some_and(|idle| idle.look()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
