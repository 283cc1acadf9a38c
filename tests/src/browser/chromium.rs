//! Chromium as a process: how it is started, what it prints, and that nothing of it stays.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, Uid};
use tempfile::TempDir;

use crate::clock;
use crate::poll::BOUND;
use crate::program::Transcript;
use crate::tools;

/// Chromium without a window, with a profile of its own and nobody to talk to but this machine.
const FLAGS: [&str; 16] = [
    "--headless=new",
    "--disable-gpu",
    // Shared memory goes to the temporary directory; in a container the usual place may be too small.
    "--disable-dev-shm-usage",
    // What the pages print, and why the browser refuses them something.
    "--enable-logging=stderr",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-features=MediaRouter,DialMediaRouteProvider,OptimizationHints,Translate",
];

/// A running Chromium; its processes are one group, but for those that report its crash and end with it. Dropping it
/// kills them all.
#[derive(Debug)]
pub(super) struct Chromium {
    child: Child,
    console: Console,
    /// Dropped last, when nobody writes to it any more.
    profile: TempDir,
}

impl Chromium {
    /// Opens the page at this address. What Chromium prints goes to `console`.
    pub(super) fn start(address: &str, console: &Console) -> Chromium {
        let program = tools::chromium();
        let profile = TempDir::new().expect("a temporary directory");
        let mut command = Command::new(&program);
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.path().display()));
        if Uid::effective().is_root() {
            // Chromium refuses to run as root in a sandbox, and the pages are ours.
            command.arg("--no-sandbox");
        }
        for variable in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(variable, profile.path());
        }
        let started = command
            .arg(address)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.unwrap_or_else(|error| panic!("{} cannot be started: {error}", program.display()));
        console.read(Transcript::of(child.stderr.take().expect("stderr is piped")));
        Chromium { child, console: console.clone(), profile }
    }

    /// The directory of all that it keeps.
    pub(super) fn profile(&self) -> &Path {
        self.profile.path()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if let Ok(group) = i32::try_from(self.child.id()) {
            // Fails only when all of them have ended.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        // Fails only when the child has been waited for already.
        let _ = self.child.wait();
        // Each of its processes has the pipe open, so its end is the end of the last one.
        let start = clock::now();
        while !self.console.ended() && start.elapsed() < BOUND {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What Chromium and the pages in it have printed. Clones are the same console.
#[derive(Clone, Debug, Default)]
pub(super) struct Console {
    /// Nothing before Chromium has been started.
    stderr: Arc<OnceLock<Transcript>>,
}

impl Console {
    fn read(&self, stderr: Transcript) {
        assert!(self.stderr.set(stderr).is_ok(), "a console is that of one Chromium");
    }

    /// All of it.
    pub(super) fn text(&self) -> String {
        self.stderr.get().map(Transcript::text).unwrap_or_default()
    }

    /// What was printed after the line with `begin` and before the one with `end`; nothing before both are there.
    pub(super) fn said(&self, begin: &str, end: &str) -> Option<Vec<String>> {
        let lines = self.stderr.get()?.lines();
        let from = lines.iter().position(|line| line.contains(begin))?;
        let to = lines.iter().position(|line| line.contains(end))?;
        Some(lines.get(from + 1..to).unwrap_or_default().to_vec())
    }

    /// Whether Chromium has ended, all of it.
    pub(super) fn ended(&self) -> bool {
        self.stderr.get().is_none_or(Transcript::ended)
    }
}
