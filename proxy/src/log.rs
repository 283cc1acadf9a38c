//! The log: on standard error, as text or as JSON.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::access_log::ACCESS;
use crate::config::{Log, LogFormat, LogLevel};

/// Most lines that wait to be written.
pub const QUEUE: usize = 16_384;

/// Starts logging as configured. The framework and the other libraries are heard only when something is wrong; what a
/// visitor did is in the access log.
///
/// Lines wait for their reader in a queue of [`QUEUE`]; what comes while it is full is dropped, so that a reader who stalls
/// stops no visitor. The queue is written out when the guard is dropped.
pub fn start(settings: &Log) -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUE)
        .thread_name("evergate-log")
        .finish(std::io::stderr());
    let level = match settings.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let libraries = if level >= LevelFilter::DEBUG { level } else { LevelFilter::OFF };
    // Which requests get a line is decided where they end; here every one that comes is written.
    let filter = Targets::new()
        .with_default(libraries)
        .with_target("evergate", level)
        .with_target("evergate_cache", level)
        .with_target(ACCESS, LevelFilter::INFO);
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    match settings.format {
        LogFormat::Text => registry.with(lines.with_ansi(std::io::stderr().is_terminal())).init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).init(),
    }
    guard
}
