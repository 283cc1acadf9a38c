//! The process: listeners, the embedded demo service, signals, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use evergate_cache::Scheme;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use pingora::apps::ServerApp;
use pingora::proxy::HttpProxy;
use pingora::server::configuration::ServerConf;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::rustls;
use tracing::{debug, error, info, warn};

use crate::admin::Admin;
use crate::clock::{Clock, wall};
use crate::config::{Builtin, Config, Origin};
use crate::connection::socket::Socket;
use crate::connection::transport::Transport;
use crate::connection::{Connections, HEAD};
use crate::demo::Demo;
use crate::downstream::Downstream;
use crate::gateway::Gateway;
use crate::metrics::Metrics;
use crate::pass::PassThrough;
use crate::phase::{self, Phase};
use crate::prerender::{self, Plan};
use crate::snapshot::Snapshot;
use crate::sweep;
use crate::tls::Greeter;

/// How long requests under way may take to end once the gateway is told to stop.
const GRACE: Duration = Duration::from_secs(8);

/// How long caches in front may take, after that, to hear of what was invalidated.
const LAST_CALLS: Duration = Duration::from_millis(1500);

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// Most connections of visitors at one time.
const MAX_CONNECTIONS: usize = 1 << 20;

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no randomness for keys.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    /// The demo service did not start.
    #[error("cannot start the demo handler service")]
    Demo(#[source] io::Error),
    /// The metrics are inconsistent: a bug.
    #[error("cannot set up the metrics")]
    Metrics(#[from] prometheus::Error),
    /// Caches in front cannot be called.
    #[error("cannot set up the calls of downstream_purge")]
    Downstream(#[source] reqwest::Error),
    /// Signals cannot be received.
    #[error("cannot receive signals")]
    Signals(#[source] io::Error),
    /// The runtime did not start.
    #[error("cannot start the threads")]
    Threads(#[source] io::Error),
}

/// Where the gateway can be reached once it runs.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The visitors' listeners, in the order of the configuration: what they speak, and where.
    pub listen: Vec<(Scheme, SocketAddr)>,
    /// The admin listener.
    pub admin: SocketAddr,
    /// The demo service, when an upstream uses it.
    pub demo: Option<SocketAddr>,
}

/// How far the gateway has come.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// Everything listens, and visitors are served.
    Listening(&'a Addresses),
    /// What is known beforehand is rendered.
    Ready(&'a Addresses),
}

/// Runs the gateway until a signal ends it. `tell` is told how far it has come.
///
/// # Errors
///
/// A [`ServerError`] when it cannot start; nothing is left listening then.
pub fn run(config: &Config, tell: impl Fn(News<'_>)) -> Result<(), ServerError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.threads.get())
        .thread_name("evergate")
        .enable_all()
        .build()
        .map_err(ServerError::Threads)?;
    raise_file_limit();
    let result = runtime.block_on(serve(config, tell));
    // Fetches that nobody waits for any more end with the process.
    runtime.shutdown_background();
    result
}

async fn serve(config: &Config, tell: impl Fn(News<'_>)) -> Result<(), ServerError> {
    let (stop, stopping) = watch::channel(false);
    let mut listeners = Vec::with_capacity(config.listen.len());
    for listen in &config.listen {
        listeners.push((bind(listen.address)?, listen));
    }
    let admin_listener = bind(config.admin.address)?;
    let demo = start_demo(config, &stopping).await?;
    let framework = Arc::new(ServerConf { threads: config.threads.get(), ..ServerConf::default() });
    let gateway = gateway(config, demo, &framework)?;
    let mut proxy = HttpProxy::new(PassThrough::new(Arc::clone(&gateway)), framework);
    proxy.handle_init_modules();
    let proxy = Arc::new(proxy);

    let addresses = Addresses {
        listen: listeners.iter().map(|(socket, listen)| (listen.scheme(), local(socket, listen.address))).collect(),
        admin: local(&admin_listener, config.admin.address),
        demo,
    };
    let (phase, phases) = phase::starting();
    let (admin, token) = (Admin::new(Arc::clone(&gateway), phases), config.admin.token.clone());
    tokio::spawn(async move {
        if let Err(error) = admin.serve(admin_listener, token.as_deref()).await {
            error!(%error, "the admin listener ended");
        }
    });
    sweep::keep_sweeping(&gateway, &stopping);
    gateway.downstream.start().map_err(ServerError::Downstream)?;
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut accepting = JoinSet::new();
    for (listener, listen) in listeners {
        let connections = Arc::new(Connections::new(Arc::clone(&gateway), Arc::clone(&proxy), listen));
        let greeter = listen.tls.as_ref().map(Greeter::new).transpose().map_err(ServerError::Tls)?;
        let entrance = Entrance { connections, greeter };
        accepting.spawn(accept(listener, entrance, stopping.clone(), Arc::clone(&places)));
    }
    let mut signals = Signals::hear().map_err(ServerError::Signals)?;
    tell(News::Listening(&addresses));
    let plan =
        Plan { concurrency: config.cache.prerender_concurrency.get(), deadline: config.cache.prerender_deadline };
    let signal = tokio::select! {
        signal = signals.next() => signal,
        _ = prerender::at_start(&gateway, plan) => {
            phase.send_replace(Phase::Ready);
            tell(News::Ready(&addresses));
            prerender::keep_listing(&gateway, plan, &stopping);
            signals.next().await
        }
    };

    info!(signal, "stopping");
    phase.send_replace(Phase::Draining);
    stop.send_replace(true);
    // What was popular is left to those who start next.
    gateway.refreshing.close();
    // The listeners close before anything else ends, so that new visitors go elsewhere at once.
    while accepting.join_next().await.is_some() {}
    drain(&places).await;
    gateway.downstream.finish(LAST_CALLS).await;
    Ok(())
}

/// A gateway with an empty cache, for which nobody listens yet. `demo` is where the embedded demo service is.
///
/// # Errors
///
/// [`ServerError::Metrics`].
pub fn gateway(config: &Config, demo: Option<SocketAddr>, framework: &ServerConf) -> Result<Arc<Gateway>, ServerError> {
    let snapshot = Snapshot::new(config, demo);
    let routes: Vec<&str> = snapshot.routes.iter().map(|route| route.pattern.as_str()).collect();
    let upstreams: Vec<&str> = config.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
    let names: Vec<&str> = config.downstream_purge.iter().map(|entry| entry.name.as_str()).collect();
    let metrics = Metrics::new(&routes, &upstreams, &names)?;
    let downstream = Downstream::new(&config.downstream_purge, &metrics);
    Ok(Gateway::new(snapshot, config, Clock::start(), metrics, framework, downstream))
}

/// The embedded demo service, when an upstream wants it.
async fn start_demo(config: &Config, stopping: &watch::Receiver<bool>) -> Result<Option<SocketAddr>, ServerError> {
    let wanted = config.upstreams.iter().any(|upstream| upstream.origin == Origin::Builtin(Builtin::Demo));
    if !wanted {
        return Ok(None);
    }
    Demo::start(wall, stopping.clone()).await.map(Some).map_err(ServerError::Demo)
}

fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    let bind = || -> io::Result<TcpListener> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bind().map_err(|source| ServerError::Listen { address, source })
}

/// The address that was bound: the port is chosen by the system when the configuration says 0.
fn local(listener: &TcpListener, configured: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(configured)
}

/// What becomes of a connection to a listener.
#[derive(Clone)]
struct Entrance {
    connections: Arc<Connections>,
    /// What begins it, where it is encrypted.
    greeter: Option<Greeter>,
}

async fn accept(
    listener: TcpListener,
    entrance: Entrance,
    mut stopping: watch::Receiver<bool>,
    places: Arc<Semaphore>,
) {
    /// How long to wait when the system has no more file descriptors: others have to end first.
    const OUT_OF_FILES: Duration = Duration::from_millis(100);
    loop {
        // The place first: whoever is accepted is served, and nobody queues for a place while the gateway stops.
        let accepted = tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => return,
            accepted = accept_one(&listener, &places) => accepted,
        };
        match accepted {
            Ok((socket, place)) => {
                // Without it small answers may wait for the acknowledgement of the last; with it nothing is lost.
                let _ = socket.set_nodelay(true);
                // Not one task for both: what a handshake takes would be room in every plain connection.
                let connections = Arc::clone(&entrance.connections);
                match &entrance.greeter {
                    None => tokio::spawn(serve_connection(connections, Socket::Plain(socket), stopping.clone(), place)),
                    Some(greeter) => {
                        tokio::spawn(serve_encrypted(connections, greeter.clone(), socket, stopping.clone(), place))
                    }
                };
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(OUT_OF_FILES).await;
            }
        }
    }
}

async fn accept_one(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (socket, _) = listener.accept().await?;
    Ok((socket, place))
}

async fn serve_connection(
    connections: Arc<Connections>,
    socket: Socket,
    stopping: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
) {
    connections.process_new(Box::new(Transport::new(socket)), &stopping).await;
    drop(place);
}

/// Shakes hands first, for as long as a head may take. Nobody is served yet, so it ends when the gateway stops. What fails is the
/// visitor's affair: anybody may connect and say anything, so it is not for the log of every day.
async fn serve_encrypted(
    connections: Arc<Connections>,
    greeter: Greeter,
    socket: TcpStream,
    mut stopping: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
) {
    let greeting = Box::pin(greeter.greet(socket, HEAD));
    let greeted = tokio::select! {
        biased;
        greeted = greeting => greeted,
        _ = stopping.wait_for(|stopping| *stopping) => return,
    };
    match greeted {
        Ok(stream) => serve_connection(connections, Socket::Tls(Box::new(stream)), stopping, place).await,
        Err(error) => debug!(%error, "a handshake failed"),
    }
}

/// The signals that ask the gateway to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they are heard.
    fn hear() -> io::Result<Signals> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The name of the next one.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Waits until every connection has ended, but not for ever.
async fn drain(places: &Semaphore) {
    let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
    if timeout(GRACE, places.acquire_many(all)).await.is_err() {
        let left = MAX_CONNECTIONS - places.available_permits();
        warn!(left, "connections were still open at the end of the grace period");
    }
}

/// As many connections as the system permits; what it does not permit shows when accepting.
fn raise_file_limit() {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        warn!(%error, "the limit of open files could not be raised");
    }
}
