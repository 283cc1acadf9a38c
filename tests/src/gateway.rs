//! A gateway under test: the real program on a configuration of the test's own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::client;
use crate::clock;
use crate::flood::raise_file_limit;
use crate::metrics;
use crate::origin::Origin;
use crate::poll::BOUND;
use crate::program::{Output, Program};

/// A running gateway. Dropping it kills it.
///
/// Configurations ask for port 0; the gateway prints the ports it got, a line for each listener in their order
/// (`listening on http://127.0.0.1:PORT`, `https` with TLS), one for the admin listener (`admin on http://127.0.0.1:PORT`), and then `ready`.
#[derive(Debug)]
pub struct Gateway {
    program: Program,
    directory: TempDir,
    announced: Announced,
}

/// What the gateway has printed about itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Announced {
    listeners: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
    ready: bool,
}

impl Gateway {
    /// Starts the gateway on this configuration and waits until it is ready.
    ///
    /// # Panics
    /// When there is no binary, when the gateway ends instead (with what it said), or when it is not ready within [`BOUND`].
    pub async fn start(yaml: &str) -> Gateway {
        let mut gateway = Gateway::launch(yaml);
        gateway.until(yaml, |announced| announced.ready).await;
        gateway
    }

    /// Starts the gateway on this configuration and waits until it listens, whether it is ready or not.
    ///
    /// # Panics
    /// As [`Gateway::start`] does.
    pub async fn start_unready(yaml: &str) -> Gateway {
        let mut gateway = Gateway::launch(yaml);
        gateway.until(yaml, |announced| announced.admin.is_some()).await;
        gateway
    }

    fn launch(yaml: &str) -> Gateway {
        // The gateway inherits the limit, and needs a file for each visitor as we do.
        raise_file_limit();
        let directory = TempDir::new().expect("a temporary directory");
        let config = directory.path().join("config.yaml");
        std::fs::write(&config, yaml).expect("a file in our own directory");
        let config = config.to_str().expect("temporary paths are UTF-8");
        let program = Program::start(&["run", "--config", config], directory.path());
        Gateway { program, directory, announced: Announced::default() }
    }

    /// Starts a gateway in front of one origin; see [`Gateway::simple_config`].
    ///
    /// # Panics
    /// As [`Gateway::start`] does.
    pub async fn simple(origin: &Origin, routes: &str) -> Gateway {
        Gateway::start(&Gateway::simple_config(origin, routes)).await
    }

    /// A configuration with one listener and the admin listener on free ports of 127.0.0.1, two threads, and `origin` as
    /// the only upstream, which is called `origin`.
    ///
    /// `routes` is a YAML list; when it begins at the left margin, other top-level keys may follow it. Without routes it
    /// may be empty.
    #[must_use]
    pub fn simple_config(origin: &Origin, routes: &str) -> String {
        let routes = if routes.trim().is_empty() { " []" } else { routes };
        format!(
            "listen: [{{ address: \"127.0.0.1:0\" }}]\n\
             admin: {{ address: \"127.0.0.1:0\" }}\n\
             threads: 2\n\
             upstreams: {{ origin: {{ servers: [\"{}\"] }} }}\n\
             routes:\n{routes}\n",
            origin.address()
        )
    }

    /// Where the first listener is.
    ///
    /// # Panics
    /// When the configuration has none.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address_of(0)
    }

    /// Where the listener at this place of the configuration is, counted from 0.
    ///
    /// # Panics
    /// When the configuration has fewer.
    #[must_use]
    pub fn address_of(&self, index: usize) -> SocketAddr {
        match self.announced.listeners.get(index) {
            Some(address) => *address,
            None => panic!("no listener {index}: {:?}", self.announced.listeners),
        }
    }

    /// Where the admin listener is.
    ///
    /// # Panics
    /// When the gateway announced none.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.announced.admin.expect("an admin listener")
    }

    /// The configuration file it was started on, for tests that change it.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.directory.path().join("config.yaml")
    }

    /// The directory of the configuration file, which is also the one the gateway runs in.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The process id of the gateway.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// What it takes up in the memory of the machine, in MiB (its resident set).
    ///
    /// # Panics
    /// When the process has ended, or the system does not tell.
    #[must_use]
    pub fn resident_mib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("the gateway is a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has a size");
        let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().expect("a number of kibibytes");
        kibibytes / 1024
    }

    /// What it has printed so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.program.stdout.text()
    }

    /// What it has printed as errors and log so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.program.stderr.text()
    }

    /// Waits for a finished line, on either output, that fits, and gives back the first one.
    ///
    /// # Panics
    /// When there is none within [`BOUND`]; the message shows what was printed.
    pub async fn wait_log(&self, fits: impl Fn(&str) -> bool) -> String {
        let start = clock::now();
        loop {
            let mut lines = self.program.stderr.lines();
            lines.extend(self.program.stdout.lines());
            if let Some(line) = lines.into_iter().find(|line| fits(line)) {
                return line;
            }
            assert!(
                start.elapsed() < BOUND,
                "no fitting line within {BOUND:?}; stdout:\n{}\nstderr:\n{}",
                self.stdout(),
                self.stderr()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The metrics as Prometheus would read them.
    ///
    /// # Panics
    /// When the admin listener does not answer with 200.
    pub async fn metrics_text(&self) -> String {
        let response = client::get(self.admin(), "/metrics").await;
        assert_eq!(response.status, 200, "the status of /metrics");
        response.text().to_owned()
    }

    /// The sum of the samples called `name` that have these labels; 0 when there is none.
    ///
    /// # Panics
    /// As [`Gateway::metrics_text`] does.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        metrics::sum(&self.metrics_text().await, name, labels)
    }

    /// Asks it by SIGTERM to end, and gives back how it ended and all that it printed.
    ///
    /// # Panics
    /// When it has not ended within [`BOUND`].
    pub async fn stop(self) -> Output {
        self.program.terminate().await
    }

    async fn until(&mut self, yaml: &str, announced_so: impl Fn(&Announced) -> bool) {
        let start = clock::now();
        loop {
            // Asked first, so that what it printed before its end is there when we look.
            let ended = self.program.ended();
            self.announced = announced(&self.program.stdout.lines());
            if announced_so(&self.announced) {
                return;
            }
            let hopeless = ended.is_some() && self.program.stderr.ended();
            if hopeless || start.elapsed() > BOUND {
                let state = ended.map_or("is not ready".to_owned(), |how| format!("ended ({how})"));
                panic!(
                    "the gateway {state}; stdout:\n{}\nstderr:\n{}\nconfiguration:\n{yaml}",
                    self.stdout(),
                    self.stderr()
                );
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Where an external gateway is, for tools that measure one they did not start: the public HTTP-cache test suite, the load
/// test. It is what `EVERGATE_ADDRESS` says, such as `127.0.0.1:8080`. Behaviour tests never use it.
///
/// # Panics
/// When the variable is set to something else than an address and a port.
#[must_use]
pub fn external_address() -> Option<SocketAddr> {
    let value = std::env::var("EVERGATE_ADDRESS").ok()?;
    match value.parse() {
        Ok(address) => Some(address),
        Err(_) => panic!("EVERGATE_ADDRESS is {value:?}, not an address such as 127.0.0.1:8080"),
    }
}

/// Reads what the gateway prints when it starts; other lines are its own affair.
fn announced(lines: &[String]) -> Announced {
    let mut announced = Announced::default();
    for line in lines {
        if let Some(address) =
            ["http", "https"].iter().find_map(|scheme| address_in(line, &format!("listening on {scheme}://")))
        {
            announced.listeners.push(address);
        } else if let Some(address) = address_in(line, "admin on http://") {
            announced.admin = Some(address);
        } else if line == "ready" {
            announced.ready = true;
        }
    }
    announced
}

fn address_in(line: &str, beginning: &str) -> Option<SocketAddr> {
    line.strip_prefix(beginning)?.parse().ok()
}

#[cfg(test)]
mod tests;
