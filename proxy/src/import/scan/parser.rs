//! The parser at work: each file in a thread of its own, which is left behind when it takes too long.
//!
//! The parser calls itself for every operator and statement inside another, so it needs room. It goes back and tries again
//! where a `<` may begin a type, so a file that is nothing but those takes it for ever, and it cannot be interrupted.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::source::Source;

/// Why there is no source.
#[derive(Debug)]
pub(super) enum Failure {
    /// What is wrong with it.
    Wrong(String),
    /// It takes too long. The thread is left behind, with a core and with memory that grows, and ends with the process.
    TooLong,
    /// No memory for a parser.
    NoRoom(io::Error),
}

/// Parses a file; `place` says in which language it is, and `patience` how long it may take.
///
/// # Errors
///
/// See [`Failure`].
pub(super) fn parse(text: String, place: &Path, patience: Duration) -> Result<Source, Failure> {
    let (done, result) = mpsc::sync_channel(1);
    let place = place.to_path_buf();
    let parsing = move || {
        // Where nobody waits any more nobody misses it.
        let _ = done.send(Source::parse(&text, &place));
    };
    thread::Builder::new().name("parser".to_owned()).stack_size(ROOM).spawn(parsing).map_err(Failure::NoRoom)?;
    match result.recv_timeout(patience) {
        Ok(parsed) => parsed.map_err(Failure::Wrong),
        Err(RecvTimeoutError::Timeout) => Err(Failure::TooLong),
        Err(RecvTimeoutError::Disconnected) => Err(Failure::Wrong("the parser fails at it".to_owned())),
    }
}

/// Stack for the parser: a source of 1 MiB that is nothing but operators in front of each other fits. It is taken as it is used.
const ROOM: usize = 2 << 30;
