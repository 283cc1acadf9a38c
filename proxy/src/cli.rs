//! The command line.

mod ask;
mod explain;
mod import;
mod invalidate;
mod routes;
mod warm;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, LoadError};
use crate::log;
use crate::server::{self, Addresses, News};

/// Exit code for trouble at run time.
const RUN_TIME: u8 = 1;
/// Exit code for wrong usage (`EX_USAGE`).
const USAGE: u8 = 64;
/// Exit code for an invalid configuration (`EX_CONFIG`).
const CONFIGURATION: u8 = 78;

/// An ISR caching gateway in front of handler services.
///
/// Every GET is dynamic until a route in the configuration sets `revalidate`. Then responses are kept in memory for that
/// window, served stale afterwards while one request refreshes them, and any number of simultaneous visitors cost the
/// handler one run.
#[derive(Debug, Parser)]
#[command(name = "evergate", version, after_help = EXIT_CODES)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 success, 1 trouble at run time, 64 wrong usage, 78 invalid configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway until SIGTERM or SIGINT ends it.
    #[command(after_help = EXIT_CODES)]
    Run(Options),
    /// Check the configuration: every problem at once, each with its line and what would be accepted.
    #[command(after_help = EXIT_CODES)]
    Check(Options),
    /// Print the routes in the order in which they are tried, with what is kept of each and for how long.
    #[command(after_help = EXIT_CODES)]
    Routes(routes::Options),
    /// Explain what would become of a request: the rules that are about it, its route, its key, and what is stored.
    ///
    /// The running gateway is asked, and nothing changes by it. Where none runs, the configuration file explains with an empty
    /// cache.
    Explain(explain::Options),
    /// Forget what is kept: by tag, path, beginning of paths, route, layout, or all of it.
    ///
    /// The running gateway is told, and answers what it found. What was being fetched meanwhile is forgotten too, though it is not
    /// counted.
    Invalidate(invalidate::Options),
    /// Fetch pages before visitors ask for them: those of sitemaps, of a file, or of the routes' `params`.
    ///
    /// The running gateway is asked: it fetches what is not there, refreshes what is stale, and waits for both. Pages of which
    /// nothing is kept are counted and left alone. The exit code is 0 when all pages are there that should be, 1 when some are
    /// not.
    Warm(warm::Options),
    /// Print a configuration for an application that exists.
    #[command(after_help = EXIT_CODES)]
    Import(import::Arguments),
}

#[derive(Debug, Args)]
struct Options {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "config.yaml")]
    config: PathBuf,
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) => return usage(&error),
    };
    match command_line.command {
        Command::Run(options) => run(&options.config),
        Command::Check(options) => check(&options.config),
        Command::Routes(options) => routes::routes(&options),
        Command::Explain(options) => explain::main(&options),
        Command::Invalidate(options) => invalidate::main(&options),
        Command::Warm(options) => warm::main(&options),
        Command::Import(arguments) => import::main(&arguments),
    }
}

/// Help and version are what was asked for; anything else is wrong usage.
fn usage(error: &clap::Error) -> ExitCode {
    // There is nobody to tell when the terminal is gone.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

fn run(file: &Path) -> ExitCode {
    let config = match load(file) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let _written_out_at_the_end = log::start(&config.log);
    let tell = |news: News<'_>| match news {
        News::Listening(addresses) => say(&greeting(addresses)),
        News::Ready(addresses) => say(&readiness(&config, addresses)),
    };
    match server::run(&config, tell) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&chain(&error));
            ExitCode::from(RUN_TIME)
        }
    }
}

fn check(file: &Path) -> ExitCode {
    match load(file) {
        Ok(config) => {
            let (routes, upstreams) = (config.routes.len(), config.upstreams.len());
            say(&format!(
                "{}: no problems ({routes} {}, {upstreams} {})\n",
                file.display(),
                plural(routes, "route"),
                plural(upstreams, "upstream"),
            ));
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

fn load(file: &Path) -> Result<Config, ExitCode> {
    config::load(file, &|name| std::env::var(name).ok()).map_err(|error| {
        match &error {
            LoadError::Invalid(problems) => {
                complain(&problems.to_string());
                let count = problems.list().len();
                complain(&format!("{count} {} in {}", plural(count, "problem"), file.display()));
            }
            LoadError::Unreadable { .. } => complain(&chain(&error)),
        }
        ExitCode::from(CONFIGURATION)
    })
}

/// What is said once everything listens. Programs read the first lines, people the last.
fn greeting(addresses: &Addresses) -> String {
    let mut text = String::new();
    for (scheme, address) in &addresses.listen {
        text.push_str(&format!("listening on {}://{address}\n", scheme.as_str()));
    }
    text.push_str(&format!("admin on http://{}\n", addresses.admin));
    text
}

/// What is said once it is ready.
fn readiness(config: &Config, addresses: &Addresses) -> String {
    let mut text = "ready\n".to_owned();
    if let (Some(_), Some((scheme, address))) = (addresses.demo, addresses.listen.first()) {
        text.push_str(&invitation(config, &format!("{}://{address}", scheme.as_str()), addresses));
    }
    text
}

/// What to try next with the demo service, which is reached at `site`.
fn invitation(config: &Config, site: &str, addresses: &Addresses) -> String {
    let cached = config.routes.iter().filter(|route| route.revalidate != config::Revalidate::Dynamic).count();
    let program = std::env::args_os().next();
    let program = program.as_deref().unwrap_or("evergate".as_ref()).display();
    format!(
        "\nThe demo handler service answers; {cached} of its routes are cached. Try next:\n\n\
         curl -i {site}/posts\n\
         curl -i {site}/items/a\n\
         curl -s http://{admin}/metrics | grep evergate_requests_total\n\
         {program} explain /items/a --admin http://{admin}\n\n\
         The first says MISS in x-cache, then HIT; after 5 s STALE once, and then HIT with a new run.\n\
         The page at {site}/ lists the other handlers. Ctrl-C ends the gateway.\n",
        admin = addresses.admin,
    )
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// An error and what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // A closed standard output is no reason to stop serving.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn complain(text: &str) {
    // There is nobody to tell when the terminal is gone.
    let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end());
}
