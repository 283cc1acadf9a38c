//! Handler services at work: which server gets a request, under which name, and how many fetches at once.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use pingora::upstreams::peer::HttpPeer;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

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
    resolved: Mutex<Option<(SocketAddr, Instant)>>,
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

    /// The server whose turn it is.
    ///
    /// # Errors
    ///
    /// [`Failure::Connect`] when there is none.
    pub fn next_server(&self) -> Result<&Server, Failure> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.servers.get(turn % self.servers.len().max(1)).ok_or(Failure::Connect)
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

    /// The server as the framework's connectors want it.
    ///
    /// # Errors
    ///
    /// [`Failure::Connect`] when its name does not resolve.
    pub async fn peer(&self, timeouts: &config::Timeouts) -> Result<HttpPeer, Failure> {
        let address = self.resolve().await?;
        let mut peer = HttpPeer::new(address, false, String::new());
        peer.options.connection_timeout = Some(timeouts.connect);
        peer.options.total_connection_timeout = Some(timeouts.connect);
        peer.options.write_timeout = Some(timeouts.idle);
        peer.options.idle_timeout = Some(timeouts.idle);
        Ok(peer)
    }

    async fn resolve(&self) -> Result<SocketAddr, Failure> {
        if let Ok(address) = self.address.parse() {
            return Ok(address);
        }
        if let Some(address) = self.remembered() {
            return Ok(address);
        }
        let address = tokio::net::lookup_host(&self.address).await.ok().and_then(|mut found| found.next());
        let address = address.ok_or(Failure::Connect)?;
        let until = Instant::now() + RESOLUTION_LIFE;
        *self.resolved.lock().unwrap_or_else(PoisonError::into_inner) = Some((address, until));
        Ok(address)
    }

    fn remembered(&self) -> Option<SocketAddr> {
        let resolved = *self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        resolved.filter(|(_, until)| Instant::now() < *until).map(|(address, _)| address)
    }
}

#[cfg(test)]
mod tests;
