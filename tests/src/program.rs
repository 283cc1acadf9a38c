//! The program under test as a process: where its binary is, what it prints, how it ends.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clock;
use crate::poll::{BOUND, until};

/// What a command left behind when it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code; 128 and the number of the signal when a signal ended it, as a shell has it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it printed as errors and log.
    pub stderr: String,
}

/// Runs `evergate` with these arguments in this directory to its end, as for `evergate check`.
///
/// It blocks; origins go on meanwhile, because they have threads of their own.
///
/// # Panics
/// When there is no binary, or the command has not ended within [`BOUND`].
#[must_use]
pub fn evergate(args: &[&str], directory: impl AsRef<Path>) -> Output {
    let mut program = Program::start(args, directory.as_ref());
    let start = clock::now();
    let both_read = |program: &Program| program.stdout.ended() && program.stderr.ended();
    loop {
        if let Some(status) = program.ended()
            && both_read(&program)
        {
            return program.output(status);
        }
        assert!(
            start.elapsed() < BOUND,
            "evergate {args:?} has not ended within {BOUND:?}; stderr:\n{}",
            program.stderr.text()
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// What a command prints that succeeds.
///
/// # Panics
/// When it did not succeed, or complained.
pub fn printed(output: &Output) -> &str {
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{}", output.stdout);
    &output.stdout
}

/// What a command complains of that ends with this code.
///
/// # Panics
/// When it ended with another, printed anything, or panicked.
pub fn complaint(output: &Output, code: i32) -> &str {
    assert_eq!((output.code, output.stdout.as_str()), (code, ""), "{}", output.stderr);
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    &output.stderr
}

/// The binary under test: what `EVERGATE_BIN` names (from the current directory, if it is relative), otherwise the newest
/// of `target/release/evergate` and `target/debug/evergate` in the workspace.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("EVERGATE_BIN") {
        let found = std::fs::canonicalize(&named);
        return found.unwrap_or_else(|error| {
            let named = Path::new(&named).display();
            panic!("EVERGATE_BIN names {named}, which cannot be used: {error}")
        });
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let built = ["release/evergate", "debug/evergate"].map(|name| target.join(name));
    let newest = built.into_iter().filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path))).max();
    match newest {
        Some((_, path)) => std::fs::canonicalize(&path).unwrap_or(path),
        None => panic!(
            "there is no gateway to test: build it (`cargo build --release -p evergate`), or name one in EVERGATE_BIN"
        ),
    }
}

/// The program while it runs. Dropping it kills it and waits for its end.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    pub(crate) stdout: Transcript,
    pub(crate) stderr: Transcript,
}

impl Program {
    pub(crate) fn start(args: &[&str], directory: &Path) -> Program {
        let binary = binary();
        let started = Command::new(&binary)
            .args(args)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.unwrap_or_else(|error| panic!("{} cannot be started: {error}", binary.display()));
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        Program { stdout: Transcript::of(stdout), stderr: Transcript::of(stderr), child }
    }

    /// How it ended; nothing while it runs.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child can be asked")
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it by SIGTERM to end, and waits until it has.
    pub(crate) async fn terminate(mut self) -> Output {
        let id = i32::try_from(self.id()).expect("a process id is a positive i32");
        // A process that has ended by itself is not to be told; that shows in its status.
        let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        let mut status = None;
        until("the gateway ends after SIGTERM", || {
            status = self.ended();
            status.is_some()
        })
        .await;
        let all_read = || self.stdout.ended() && self.stderr.ended();
        until("the output of the gateway ends", all_read).await;
        self.output(status.expect("it was just seen to end"))
    }

    fn output(&self, status: ExitStatus) -> Output {
        use std::os::unix::process::ExitStatusExt;
        let code = status.code();
        Output {
            code: code.unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only when the child has ended and been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program has printed so far, gathered by a thread that ends with the program.
#[derive(Debug)]
pub(crate) struct Transcript {
    bytes: Arc<Mutex<Vec<u8>>>,
    ended: Arc<AtomicBool>,
}

impl Transcript {
    pub(crate) fn of(mut source: impl Read + Send + 'static) -> Transcript {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let transcript = Transcript { bytes: Arc::clone(&bytes), ended: Arc::clone(&ended) };
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = source.read(&mut piece) {
                let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&piece[..length]);
            }
            ended.store(true, Ordering::Release);
        });
        transcript
    }

    /// All of it, the beginning of an unfinished line included.
    pub(crate) fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its finished lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = self.text();
        let finished = text.rfind('\n').map_or("", |end| &text[..end]);
        finished.lines().map(str::to_owned).collect()
    }

    /// Whether nothing more will come.
    pub(crate) fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}
