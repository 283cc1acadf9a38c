//! Handler services at work: which server gets a request, under which name, and how many fetches at once.

mod answer;
mod body;
mod connection;
mod herd;
mod idle;
mod request;

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
use crate::metrics::UpstreamMeter;
pub use answer::{AnswerHead, Extent};
pub use connection::Connection;
use herd::Herd;
use idle::Idle;
pub use request::RequestHead;

/// How long the addresses of a server's name are believed.
const RESOLUTION_LIFE: Duration = Duration::from_secs(10);

/// How long a preferred server that failed is left alone while others are asked.
const LEFT_ALONE: Duration = Duration::from_secs(10);

/// How many fills may wait for their turn for each that may run; beyond that visitors are told to come back.
const QUEUE_PER_FETCH: usize = 16;

/// A handler service: one or several servers that answer alike.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the configuration.
    pub name: String,
    /// What runs there, where the configuration says it.
    pub runtime: Option<String>,
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
    most_refreshes: usize,
    herd: Herd,
    /// What counts its answers.
    pub meter: UpstreamMeter,
}

/// In which order a route asks the servers of its upstream. The default is all of them in turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preference {
    preferred: Vec<usize>,
    others: Vec<usize>,
}

/// All servers alike.
pub static ANY_SERVER: Preference = Preference { preferred: Vec::new(), others: Vec::new() };

/// One server of an upstream.
#[derive(Debug)]
pub struct Server {
    /// Its place among the servers of its upstream.
    pub place: usize,
    address: String,
    region: Option<String>,
    /// When it last failed a request.
    failed: Mutex<Option<Instant>>,
    host: HeaderValue,
    resolved: Mutex<Option<Resolved>>,
    idle: Arc<Idle>,
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
        let servers = match &settings.origin {
            config::Origin::Builtin(config::Builtin::Demo) => {
                demo.iter().map(|address| Server::new(0, address.to_string(), None)).collect()
            }
            config::Origin::Servers(servers) => {
                let server = |(place, server): (usize, &config::Server)| {
                    Server::new(place, server.address.clone(), server.region.clone())
                };
                servers.iter().enumerate().map(server).collect()
            }
        };
        Upstream {
            name: settings.name.clone(),
            runtime: settings.runtime.clone(),
            servers,
            next: AtomicUsize::new(0),
            host: settings.host.as_deref().and_then(|host| HeaderValue::from_str(host).ok()),
            timeouts: settings.timeouts,
            retries: settings.retries,
            fetches: Arc::new(Semaphore::new(settings.max_concurrent_fetches.get())),
            queue: Semaphore::new(settings.max_concurrent_fetches.get().saturating_mul(QUEUE_PER_FETCH)),
            refreshes: Arc::new(Semaphore::new(max_concurrent_refreshes)),
            most_refreshes: max_concurrent_refreshes,
            herd: Herd::default(),
            meter: UpstreamMeter::new(&settings.name),
        }
    }

    /// How long a refresh, which has its permit, waits before it asks: no time, unless it is one of a herd.
    pub fn pause_before_refresh(&self) -> Option<Duration> {
        let running = self.most_refreshes.saturating_sub(self.refreshes.available_permits());
        self.herd.pause(running, self.most_refreshes, Instant::now())
    }

    /// A refresh took this long.
    pub fn refresh_took(&self, time: Duration) {
        self.herd.took(time);
    }

    /// A request's turn: which server it asks first. Each further attempt asks the next one, so that no other request's turns
    /// lead it back to a server that has just failed it.
    pub fn turn(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The order that prefers the servers in one of `regions`. Where none is, all are alike.
    pub fn preference(&self, regions: &[String]) -> Preference {
        let is_near = |server: &Server| server.region.as_ref().is_some_and(|region| regions.contains(region));
        let (preferred, others) = (0..self.servers.len()).partition(|index| is_near(&self.servers[*index]));
        Preference { preferred, others }
    }

    /// The server that is asked in `attempt` (from 0) of the request whose turn is `turn`. Where some are preferred, it is one of
    /// them unless all of them have failed a moment ago; then it is one of the others.
    ///
    /// # Errors
    ///
    /// [`Failure::Connect`] when there is none.
    pub fn server(&self, preference: &Preference, turn: usize, attempt: usize) -> Result<&Server, Failure> {
        let next = turn.wrapping_add(attempt);
        let in_turn = |places: &[usize]| {
            let works = |place: &usize| !self.servers[*place].failed_lately();
            let first = next % places.len().max(1);
            places[first..].iter().chain(&places[..first]).copied().find(works)
        };
        let chosen = in_turn(&preference.preferred).or_else(|| in_turn(&preference.others));
        // All alike, or all in trouble alike.
        let place = chosen.unwrap_or(next % self.servers.len().max(1));
        self.servers.get(place).ok_or(Failure::Connect)
    }

    /// A server has failed a request: for a moment others are preferred.
    pub fn note_failure(&self, place: usize) {
        if let Some(server) = self.servers.get(place) {
            *server.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// The servers that are preferred, and the others.
    pub fn order(&self, preference: &Preference) -> (Vec<&Server>, Vec<&Server>) {
        if preference.preferred.is_empty() {
            return (self.servers.iter().collect(), Vec::new());
        }
        let pick = |indices: &[usize]| indices.iter().map(|index| &self.servers[*index]).collect();
        (pick(&preference.preferred), pick(&preference.others))
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
    fn new(place: usize, address: String, region: Option<String>) -> Server {
        // The configuration has checked the address; what is not a header value cannot be one.
        let host = HeaderValue::from_str(&address).unwrap_or_else(|_| HeaderValue::from_static("localhost"));
        Server {
            place,
            address,
            region,
            failed: Mutex::default(),
            host,
            resolved: Mutex::default(),
            idle: Arc::default(),
        }
    }

    fn failed_lately(&self) -> bool {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|failed| failed.elapsed() < LEFT_ALONE)
    }

    /// Where it is, in the configuration's words.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Its address as the configuration has it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its own name and port.
    pub fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// A connection to it, for `attempt` (from 0). A name may have several addresses: each attempt takes the next of them.
    ///
    /// # Errors
    ///
    /// [`Failure::Connect`] when it cannot be reached or its name does not resolve, [`Failure::ConnectTimeout`] when that takes too
    /// long.
    pub async fn connect(&self, timeouts: &config::Timeouts, attempt: usize) -> Result<Connection, Failure> {
        let address = self.resolve(timeouts.connect, attempt).await?;
        Connection::to(address, &self.idle, timeouts.connect).await
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
