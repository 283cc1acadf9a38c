//! `evergate warm`: has the running gateway fetch pages before visitors ask for them.
//!
//! Sitemaps elsewhere are downloaded here, so that the gateway never fetches what a stranger names; pages are named to the gateway
//! in batches, and what it tells of them is shown as it comes.

mod batches;
mod listed;
mod progress;
mod sitemaps;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::signal::ctrl_c;
use tokio::time::{Instant, sleep};

use super::ask::{Answer, AskError, Asking, Errand, Place, call, turned_down};
use super::{EXIT_CODES, RUN_TIME, chain, complain, plural, say};
use crate::warm::{CONCURRENCY, Line, MAX_CONCURRENCY, Summary, Tally, a_rate, step};
use batches::Batch;
use listed::ListError;
use progress::Progress;
use sitemaps::Place as SitemapPlace;

const EXAMPLES: &str = "\
Examples:
  evergate warm --sitemap https://acme.com/sitemap.xml
  evergate warm --sitemap /sitemap.xml --rate 20
  evergate warm --params --concurrency 16
  sort -u urls.txt | evergate warm --urls - --json";

/// Longest time that another warm-up is waited for which came in between two batches.
const WAITING: Duration = Duration::from_secs(60);

/// The time until the gateway is asked again whether it has ended.
const PAUSE: Duration = Duration::from_millis(500);

/// Longest line of an answer that is read, in bytes.
const LONGEST_LINE: usize = 8 << 20;

/// What `evergate warm` is told.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
#[command(group = ArgGroup::new("pages").required(true).multiple(true).args(["sitemaps", "urls", "params"]))]
pub(super) struct Options {
    /// A sitemap, or an index of sitemaps, as it is or as gzip: a URL, from which it is downloaded here, or a path, for which the
    /// gateway asks its own upstream. May be given several times.
    #[arg(long = "sitemap", value_name = "URL")]
    sitemaps: Vec<SitemapPlace>,
    /// A file of URLs or paths, one a line; `-` is standard input. Empty lines and those that begin with `#` are left out.
    #[arg(long, value_name = "FILE")]
    urls: Option<PathBuf>,
    /// The pages that the routes' `params` and `params_from` say.
    #[arg(long)]
    params: bool,
    /// Pages at once.
    #[arg(long, value_name = "N", default_value_t = CONCURRENCY, value_parser = read_concurrency)]
    concurrency: usize,
    /// Pages a second that handlers are asked for, at most. What is there already does not count.
    #[arg(long, value_name = "N", value_parser = read_rate)]
    rate: Option<f64>,
    /// Pages in all, at most.
    #[arg(long, value_name = "N", value_parser = read_limit)]
    limit: Option<usize>,
    #[command(flatten)]
    asking: Asking,
    /// Print the summary as an object for programs.
    #[arg(long)]
    json: bool,
}

fn read_concurrency(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MAX_CONCURRENCY).contains(number));
    number.ok_or(format!("expected a number from 1 to {MAX_CONCURRENCY}"))
}

fn read_rate(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|rate| step(*rate).is_some()).ok_or(format!("expected {}", a_rate()))
}

fn read_limit(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|limit| *limit > 0).ok_or("expected a number of pages, at least 1")
}

/// Why pages could not be warmed up.
#[derive(Debug, thiserror::Error)]
enum WarmError {
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("sitemaps cannot be downloaded")]
    Client(#[from] reqwest::Error),
}

/// Warms up what the options name.
pub(super) fn main(options: &Options) -> ExitCode {
    let (place, token) = match options.asking.whom() {
        Ok(gateway) => gateway,
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&chain(&AskError::Threads(error)));
            return ExitCode::from(RUN_TIME);
        }
    };
    let mut warming = Warming { summary: Summary::default(), shown: None, ordered: 0, progress: Progress::start() };
    let result = runtime.block_on(async {
        tokio::select! {
            result = warming.warm(options, &place, token.as_deref()) => Some(result),
            // The gateway stops when nobody reads on.
            _ = ctrl_c() => None,
        }
    });
    // Whoever reads standard input cannot be told to stop.
    runtime.shutdown_background();
    warming.progress.end();
    match &result {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            complain(&chain(error));
            if let WarmError::Ask(AskError::Refused { problems, .. }) = error {
                problems.iter().for_each(|problem| complain(&format!("  {problem}")));
            }
        }
        None => complain("stopped before the end"),
    }
    let whole = matches!(result, Some(Ok(())));
    if let Some(tally) = warming.shown.filter(|_| !whole) {
        warming.summary.break_off(tally);
    }
    let tally = &warming.summary.tally;
    let is_empty = tally.pages == 0 && tally.failed_lists == 0;
    if whole && is_empty {
        complain("nothing was listed");
    }
    // What failed before anything was done has nothing to sum up.
    if whole || tally.done() > 0 {
        print(&warming.summary, options.json);
    }
    let is_there = whole && !is_empty && tally.failed == 0 && tally.failed_lists == 0;
    if is_there { ExitCode::SUCCESS } else { ExitCode::from(RUN_TIME) }
}

/// A warm-up as far as it has come.
struct Warming {
    /// What came of the batches that are done.
    summary: Summary,
    /// The numbers that were shown last, with those of the batch that is under way.
    shown: Option<Tally>,
    /// How many batches are done.
    ordered: usize,
    progress: Progress,
}

impl Warming {
    async fn warm(&mut self, options: &Options, place: &Place, token: Option<&str>) -> Result<(), WarmError> {
        let (own, elsewhere) = sitemaps::told_apart(&options.sitemaps);
        let mut listed = listed::Listed::new(options.limit);
        if let Some(file) = &options.urls {
            listed.read(file).await?;
        }
        if !elsewhere.is_empty() {
            sitemaps::download(elsewhere, &mut listed, &mut self.summary, &self.progress).await?;
        }
        if let Some(problem) = listed.left_out() {
            self.fail(problem);
        }
        let mut batches = batches::Batches::new(own, options.params, listed.into_urls());
        let mut left = options.limit;
        while let Some(batch) = batches.next(left) {
            let done = self.ask(options, place, token, &batch, batches.waiting()).await?;
            left = left.map(|left| left.saturating_sub(done));
            if left == Some(0) {
                break;
            }
        }
        Ok(())
    }

    fn fail(&mut self, problem: crate::warm::Problem) {
        self.summary.tally.count(crate::metrics::Warmed::Failed);
        self.summary.tell(problem);
    }

    /// Has the gateway see to a batch; how many pages that were. `waiting` are those of the next batches.
    async fn ask(
        &mut self,
        options: &Options,
        place: &Place,
        token: Option<&str>,
        batch: &Batch,
        waiting: usize,
    ) -> Result<usize, WarmError> {
        let mut answer = self.answer(options, place, token, batch).await?;
        if !answer.status().is_success() {
            let body = answer.whole().await?;
            let said: Option<Value> = serde_json::from_slice(&body).ok();
            return Err(turned_down(place, token, answer.status(), said).into());
        }
        let mut unread = Vec::new();
        while let Some(line) = next_line(&mut answer, &mut unread, place).await? {
            match line {
                Line::Progress { progress } => {
                    // What was ordered is known, even before the gateway has begun with it.
                    let pages = progress.pages.max(batch.known()) + waiting;
                    self.show(self.summary.tally.plus(Tally { pages, ..progress }));
                }
                Line::Done(summary) => {
                    let done = summary.tally.pages;
                    self.summary.add(summary);
                    self.ordered += 1;
                    let Summary { tally, .. } = self.summary;
                    self.show(Tally { pages: tally.pages + waiting, ..tally });
                    return Ok(done);
                }
            }
        }
        Err(AskError::Stopped(place.clone()).into())
    }

    /// Gives an order. Another warm-up may have come in between two batches: it does not break this one off, but is waited for.
    async fn answer(
        &self,
        options: &Options,
        place: &Place,
        token: Option<&str>,
        batch: &Batch,
    ) -> Result<Answer, AskError> {
        let (method, target) = (Method::POST, "/warm".to_owned());
        let body = Some(batch.order(options.concurrency, options.rate));
        let errand = Errand { method, target, body, answers_with: "pages" };
        let end = Instant::now() + WAITING;
        loop {
            let answer = call(place, token, &errand).await?;
            let is_busy = answer.status() == StatusCode::CONFLICT && self.ordered > 0;
            if !is_busy || Instant::now() >= end {
                return Ok(answer);
            }
            self.progress.note("waiting for another warm-up");
            sleep(PAUSE).await;
        }
    }

    fn show(&mut self, tally: Tally) {
        self.shown = Some(tally);
        self.progress.show(tally);
    }
}

/// The next line of an answer; none at its end. `unread` is what was read beyond the last.
async fn next_line(answer: &mut Answer, unread: &mut Vec<u8>, place: &Place) -> Result<Option<Line>, AskError> {
    let nonsense = |what: String| AskError::NotAGateway { place: place.clone(), what };
    loop {
        if let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = unread.drain(..=end).collect();
            return serde_json::from_slice(&line).map(Some).map_err(|error| nonsense(error.to_string()));
        }
        if unread.len() > LONGEST_LINE {
            return Err(nonsense(format!("a line of its answer is longer than {LONGEST_LINE} bytes")));
        }
        match answer.piece().await? {
            Some(piece) => unread.extend_from_slice(&piece),
            None => return Ok(None),
        }
    }
}

fn print(summary: &Summary, json: bool) {
    if json {
        // Numbers and texts are always JSON.
        say(&format!("{}\n", serde_json::to_string_pretty(summary).unwrap_or_default()));
    } else {
        say(&told(summary));
    }
}

/// The summary for people.
fn told(summary: &Summary) -> String {
    let Summary { tally, failures, more_failures } = summary;
    let done = tally.done();
    let mut text = if done < tally.pages { format!("{done} of ") } else { String::new() };
    text.push_str(&format!("{}\n", counted(tally)));
    for failure in failures {
        text.push_str(&format!("failed  {}: {}\n", failure.url.escape_debug(), failure.problem));
    }
    // Of what was stopped, there may be failures of which nobody knows more.
    if *more_failures > 0 && !failures.is_empty() {
        text.push_str(&format!("        and {more_failures} more\n"));
    }
    text
}

/// The numbers in words.
fn counted(tally: &Tally) -> String {
    let Tally { pages, rendered, fresh, failed, not_cached, failed_lists } = tally;
    let lists = match failed_lists {
        0 => String::new(),
        lists => format!("; {lists} {} not read", plural(*lists, "list")),
    };
    format!(
        "{pages} {}: {rendered} rendered, {fresh} already there, {not_cached} not cached, {failed} failed{lists}",
        plural(*pages, "page")
    )
}
