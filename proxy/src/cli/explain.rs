//! `evergate explain`: what would become of a request, by the running gateway, or by a configuration file where none runs.

mod story;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use http::{HeaderName, HeaderValue, Method, Uri};
use pingora::server::configuration::ServerConf;
use serde::Serialize;

use super::ask::{self, AskError, Asking, Errand, Place};
use super::{EXIT_CODES, RUN_TIME, chain, complain, load, say};
use crate::config::Config;
use crate::explain::question::{self, A_HEADER, A_URL};
use crate::explain::{Explanation, Question, explain};
use crate::server;
use crate::target::push_encoded;

const EXAMPLES: &str = "\
Examples:
  evergate explain /items/a
  evergate explain 'https://acme.com/search?q=tea' --header 'accept-language: fr' --header 'cookie: theme=dark'
  evergate explain /old/a --offline --config new.yaml";

/// What `evergate explain` is told.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Options {
    /// What is asked for: a path, or an absolute URL where the host or `https` matters.
    #[arg(value_name = "URL", value_parser = read_url)]
    url: Uri,
    /// The method.
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: Method,
    /// A header of the request; may be given several times.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = read_header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    #[command(flatten)]
    asking: Asking,
    /// Explain from the configuration file with an empty cache, whether a gateway runs or not.
    #[arg(long, conflicts_with = "admin")]
    offline: bool,
    /// Print an object for programs.
    #[arg(long)]
    json: bool,
}

fn read_url(text: &str) -> Result<Uri, String> {
    question::url(text).ok_or(format!("expected {A_URL}, without a fragment: /items/a, https://acme.com/items/a"))
}

fn read_header(line: &str) -> Result<(HeaderName, HeaderValue), String> {
    question::header(line).ok_or(format!("expected {A_HEADER}"))
}

/// An explanation, and where it comes from.
#[derive(Debug, Serialize)]
struct Told {
    source: Source,
    #[serde(flatten)]
    explanation: Explanation,
}

/// Where an explanation comes from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "from")]
enum Source {
    /// A running gateway.
    Gateway {
        /// Its admin listener.
        at: String,
    },
    /// A configuration file; nothing is stored.
    Configuration {
        /// The file.
        at: PathBuf,
        /// Why no gateway was asked, where one should have been.
        because: Option<String>,
    },
}

/// Explains what the options ask about.
pub(super) fn main(options: &Options) -> ExitCode {
    let told = match explained(options) {
        Ok(told) => told,
        Err(code) => return code,
    };
    if !options.json {
        say(&story::tell(&told));
        return ExitCode::SUCCESS;
    }
    match serde_json::to_string_pretty(&told) {
        Ok(text) => {
            say(&format!("{text}\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("cannot print the explanation as JSON: {error}"));
            ExitCode::from(RUN_TIME)
        }
    }
}

fn explained(options: &Options) -> Result<Told, ExitCode> {
    let given = options.asking.token();
    if let Some(place) = &options.asking.admin {
        return match ask(place, given, &options.question()) {
            Ok(explanation) => Ok(from_gateway(place, explanation)),
            Err(error) => Err(failed(&error)),
        };
    }
    let config = load(&options.asking.config)?;
    if options.offline {
        return offline(options, &config, None);
    }
    if config.admin.address.port() == 0 {
        return offline(options, &config, Some("`admin.address` leaves its port to the system".to_owned()));
    }
    let place = Place::of(config.admin.address);
    match ask(&place, given.or(config.admin.token.as_deref()), &options.question()) {
        Ok(explanation) => Ok(from_gateway(&place, explanation)),
        Err(error @ AskError::Nobody { .. }) => offline(options, &config, Some(chain(&error))),
        Err(error) => Err(failed(&error)),
    }
}

/// Asks the gateway at `place`.
fn ask(place: &Place, token: Option<&str>, question: &Question) -> Result<Explanation, AskError> {
    let errand = Errand { method: Method::GET, target: target(question), body: None, answers_with: "decision" };
    let said = ask::ask(place, token, &errand)?;
    serde_json::from_value(said)
        .map_err(|error| AskError::NotAGateway { place: place.clone(), what: error.to_string() })
}

/// `/explain` with the question in its query.
fn target(question: &Question) -> String {
    let mut target = String::from("/explain?url=");
    encode(question.url.to_string().as_bytes(), &mut target);
    target.push_str("&method=");
    encode(question.method.as_str().as_bytes(), &mut target);
    for (name, value) in &question.headers {
        target.push_str("&header=");
        encode(format!("{name}: ").as_bytes(), &mut target);
        encode(value.as_bytes(), &mut target);
    }
    target
}

fn encode(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            push_encoded(out, *byte);
        }
    }
}

fn from_gateway(place: &Place, explanation: Explanation) -> Told {
    Told { source: Source::Gateway { at: place.to_string() }, explanation }
}

fn failed(error: &AskError) -> ExitCode {
    complain(&chain(error));
    complain("`--offline` explains from a configuration file, without asking a gateway");
    ExitCode::from(RUN_TIME)
}

/// Explains by a gateway for which nobody listens and which asks nobody.
fn offline(options: &Options, config: &Config, because: Option<String>) -> Result<Told, ExitCode> {
    let gateway = server::gateway(config, None, &ServerConf::default()).map_err(|error| {
        complain(&chain(&error));
        ExitCode::from(RUN_TIME)
    })?;
    let source = Source::Configuration { at: options.asking.config.clone(), because };
    Ok(Told { source, explanation: explain(&gateway, options.question()) })
}

impl Options {
    fn question(&self) -> Question {
        let (url, method) = (self.url.clone(), self.method.clone());
        Question { url, method, headers: self.headers.iter().cloned().collect() }
    }
}
