//! How far a warm-up has come, as it goes on: a bar on a terminal, otherwise a line now and then.

use std::cell::Cell;
use std::fmt::Write;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use tokio::time::Instant;

use super::counted;
use crate::cli::complain;
use crate::warm::Tally;

/// The least time between two lines.
const BETWEEN_LINES: Duration = Duration::from_secs(2);

/// Where it is shown.
pub(super) enum Progress {
    /// On a terminal.
    Bar(ProgressBar),
    /// In a log, or in a file; when the last line was written.
    Lines(Cell<Option<Instant>>),
}

impl Progress {
    /// Nothing is done yet.
    pub(super) fn start() -> Progress {
        if !stderr().is_terminal() {
            return Progress::Lines(Cell::new(None));
        }
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {rate}  {eta}  {msg}");
        // The template is ours, and is one.
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        // Whoever shows it has nowhere to tell that it cannot be shown.
        bar.set_style(style.with_key("rate", |state: &ProgressState, to: &mut dyn Write| {
            let _ = write!(to, "{:.0}/s", state.per_sec());
        }));
        Progress::Bar(bar)
    }

    /// Shows what is being done before there are numbers.
    pub(super) fn note(&self, what: &str) {
        match self {
            Progress::Bar(bar) => bar.set_message(what.to_owned()),
            Progress::Lines(_) => {}
        }
    }

    /// Shows the numbers; `pages` are those that are known so far.
    pub(super) fn show(&self, tally: Tally) {
        let done = tally.done();
        match self {
            Progress::Bar(bar) => {
                bar.set_length(tally.pages as u64);
                bar.set_position(done as u64);
                let failed = if tally.failed == 0 { String::new() } else { format!("{} failed", tally.failed) };
                bar.set_message(failed);
            }
            Progress::Lines(last) => {
                let now = Instant::now();
                let early = last.get().is_some_and(|last| now.duration_since(last) < BETWEEN_LINES);
                if !early && done < tally.pages {
                    last.set(Some(now));
                    complain(&format!("{done} of {}", counted(&tally)));
                }
            }
        }
    }

    /// Clears the terminal for the summary.
    pub(super) fn end(&self) {
        match self {
            Progress::Bar(bar) => bar.finish_and_clear(),
            Progress::Lines(_) => {}
        }
    }
}
