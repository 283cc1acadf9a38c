//! `evergate import`: a configuration out of what another program says about its routes.

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{EXIT_CODES, RUN_TIME, chain, complain};
use crate::config;
use crate::import::{Imported, from_build, from_sources};

/// The arguments behind `import`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// Import a Next.js application: print the configuration that its build, or the sources of its handlers, stand for.
    #[command(after_help = EXIT_CODES)]
    Next(Next),
}

#[derive(Debug, Args)]
struct Next {
    /// The build, or the project that holds it: a folder `.next`, written by `next build`.
    #[arg(value_name = "DIR", required_unless_present = "scan", conflicts_with = "scan")]
    build: Option<PathBuf>,

    /// Read methods and segment config from the sources in `app` instead; APP_DIR is that folder or the project.
    #[arg(long, value_name = "APP_DIR")]
    scan: Option<PathBuf>,

    /// Where `next start` listens.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000", value_parser = upstream)]
    upstream: String,
}

/// Prints what the arguments ask for.
pub(super) fn main(arguments: &Arguments) -> ExitCode {
    let From::Next(next) = &arguments.from;
    match next.import() {
        Ok(imported) => {
            for warning in &imported.warnings {
                complain(&format!("left out: {warning}"));
            }
            print(&imported.text)
        }
        Err(message) => {
            complain(&message);
            ExitCode::from(RUN_TIME)
        }
    }
}

impl Next {
    fn import(&self) -> Result<Imported, String> {
        match (&self.scan, &self.build) {
            (Some(app), _) => from_sources(app, &self.upstream).map_err(|error| chain(&error)),
            (None, Some(build)) => from_build(build, &self.upstream).map_err(|error| chain(&error)),
            // The parser of arguments asks for one of them.
            (None, None) => Err("nothing to import: name a build, or --scan sources".to_owned()),
        }
    }
}

/// A configuration that is cut short must not look like a whole one; who closes the pipe has seen enough.
fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("cannot write the configuration: {error}"));
            ExitCode::from(RUN_TIME)
        }
    }
}

/// What the configuration accepts as a server.
fn upstream(text: &str) -> Result<String, String> {
    let servers = serde_json::json!({ "upstreams": { "next": { "servers": [text.replace('$', "$$")] } } });
    match config::parse(&servers.to_string(), "", &|_: &str| None) {
        Ok(_) => Ok(text.to_owned()),
        Err(problems) => {
            let expected: Vec<&str> = problems.list().iter().map(|problem| problem.expected.as_str()).collect();
            Err(format!("expected {}", expected.join("; ")))
        }
    }
}
