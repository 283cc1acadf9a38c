//! Handler services at work: which server gets a request, under which name, and how many fetches at once.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use pingora::upstreams::peer::HttpPeer;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use crate::config;
use crate::failure::Failure;

/// How long the addresses of a server's name are believed.
const RESOLUTION_LIFE: Duration = Duration::from_secs(10);

/// How many fills may wait for their turn for each that may run; beyond that visitors are told to come back.
const QUEUE_PER_FETCH: usize = 16;

/// A handler service: one or several servers that answer alike.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the configuration.
    pub name: String,
    servers: Vec<Server>,
    next: AtomicUsize,
    host: Option<HeaderValue>,
    /// How long each step may take.
    pub timeouts: config::Timeouts,
    /// How often a request is tried again when nothing came back.
    pub retries: u32,
    /// Fills that visitors wait for.
    pub fetches: Arc<Semaphore>,
    /// Fills that run or wait for their turn.
    queue: Semaphore,
    /// Refreshes behind the visitors' backs.
    pub refreshes: Arc<Semaphore>,
}

/// One server of an upstream.
#[derive(Debug)]
pub struct Server {
    address: String,
    host: HeaderValue,
    resolved: Mutex<Option<Resolved>>,
}

/// The addresses of a server's name, and how long they are believed.
#[derive(Clone, Debug)]
struct Resolved {
    addresses: Vec<SocketAddr>,
    until: Instant,
}

impl Upstream {
    /// An upstream as configured. `demo` is where the embedded demo service listens.
    pub fn new(settings: &config::Upstream, max_concurrent_refreshes: usize, demo: Option<SocketAddr>) -> Upstream {
        let addresses: Vec<String> = match &settings.origin {
            config::Origin::Builtin(config::Builtin::Demo) => demo.iter().map(SocketAddr::to_string).collect(),
            config::Origin::Servers(servers) => servers.iter().map(|server| server.address.clone()).collect(),
        };
        Upstream {
            name: settings.name.clone(),
            servers: addresses.into_iter().map(Server::new).collect(),
            next: AtomicUsize::new(0),
            host: settings.host.as_deref().and_then(|host| HeaderValue::from_str(host).ok()),
            timeouts: settings.timeouts,
            retries: settings.retries,
            fetches: Arc::new(Semaphore::new(settings.max_concurrent_fetches.get())),
            queue: Semaphore::new(settings.max_concurrent_fetches.get().saturating_mul(QUEUE_PER_FETCH)),
            refreshes: Arc::new(Semaphore::new(max_concurrent_refreshes)),
        }
    }

    /// A request's turn: which server it asks first. Each further attempt asks the next one, so that no other request's turns
    /// lead it back to a server that has just failed it.
    pub fn turn(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The server that is asked in `attempt` (from 0) of the request whose turn is `turn`.
    ///
    /// # Errors
    ///
    /// [`Failure::Connect`] when there is none.
    pub fn server(&self, turn: usize, attempt: usize) -> Result<&Server, Failure> {
        let index = turn.wrapping_add(attempt) % self.servers.len().max(1);
        self.servers.get(index).ok_or(Failure::Connect)
    }

    /// A place among the fills that run or wait for their turn; none when all are taken.
    pub fn queue_place(&self) -> Option<SemaphorePermit<'_>> {
        self.queue.try_acquire().ok()
    }

    /// The name under which handlers are asked, where the configuration gives one.
    pub fn configured_host(&self) -> Option<&HeaderValue> {
        self.host.as_ref()
    }
}

impl Server {
    fn new(address: String) -> Server {
        // The configuration has checked the address; what is not a header value cannot be one.
        let host = HeaderValue::from_str(&address).unwrap_or_else(|_| HeaderValue::from_static("localhost"));
        Server { address, host, resolved: Mutex::new(None) }
    }

    /// Its own name and port.
    pub fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// The server as the framework's connectors want it. A name may have several addresses: each `attempt` (from 0) takes the
    /// next of them.
    ///
    /// # Errors
    ///
    /// [`Failure::Connect`] when its name does not resolve, [`Failure::ConnectTimeout`] when that takes too long.
    pub async fn peer(&self, timeouts: &config::Timeouts, attempt: usize) -> Result<HttpPeer, Failure> {
        let address = self.resolve(timeouts.connect, attempt).await?;
        let mut peer = HttpPeer::new(address, false, String::new());
        peer.options.connection_timeout = Some(timeouts.connect);
        peer.options.total_connection_timeout = Some(timeouts.connect);
        peer.options.write_timeout = Some(timeouts.idle);
        peer.options.idle_timeout = Some(timeouts.idle);
        Ok(peer)
    }

    async fn resolve(&self, patience: Duration, attempt: usize) -> Result<SocketAddr, Failure> {
        if let Ok(address) = self.address.parse() {
            return Ok(address);
        }
        let known = self.resolved.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.as_ref().filter(|known| Instant::now() < known.until) {
            return known.address(attempt);
        }
        let found = match timeout(patience, tokio::net::lookup_host(&self.address)).await {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(_)) => Vec::new(),
            Err(_) => return Err(Failure::ConnectTimeout),
        };
        // While its name cannot be asked about, a server is where it was.
        let Some(addresses) = Some(found).filter(|found| !found.is_empty()).or(known.map(|known| known.addresses))
        else {
            return Err(Failure::Connect);
        };
        let resolved = Resolved { addresses, until: Instant::now() + RESOLUTION_LIFE };
        let address = resolved.address(attempt);
        *self.resolved.lock().unwrap_or_else(PoisonError::into_inner) = Some(resolved);
        address
    }
}

impl Resolved {
    fn address(&self, attempt: usize) -> Result<SocketAddr, Failure> {
        self.addresses.get(attempt % self.addresses.len().max(1)).copied().ok_or(Failure::Connect)
    }
}

#[cfg(test)]
mod tests;
