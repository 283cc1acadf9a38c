//! The log: its form, how much it says, and the access lines in it.

use super::node::{Content, Expected, Node};
use super::problem::Report;
use super::quantity::choice;
use super::section::Section;

/// What is written to the log, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Log {
    /// The form of a line. Default: `text`.
    pub format: LogFormat,
    /// The least important lines that are written. Default: `info`.
    pub level: LogLevel,
    /// Whether each request leaves a line. Default: `on`.
    pub access: AccessLog,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// `text` (default): for people.
    #[default]
    Text,
    /// `json`: one object in each line.
    Json,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// `error`: the gateway could not do its work.
    Error,
    /// `warn`: it could, but somebody should look.
    Warn,
    /// `info` (default): it began, it ended, it changed.
    #[default]
    Info,
    /// `debug`: each decision.
    Debug,
    /// `trace`: each step.
    Trace,
}

/// Which requests leave a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum AccessLog {
    /// `on` (default): each of them.
    #[default]
    On,
    /// `off`: none.
    Off,
    /// A rate from 0 to 1: this share of them.
    Sampled(f64),
}

impl Log {
    /// Reads the section `log`.
    pub(super) fn read(section: &Section<'_>, report: &mut Report) -> Self {
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let levels = [
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
            ("trace", LogLevel::Trace),
        ];
        Self {
            format: section.read("format", report, |node| choice(node, &formats)).unwrap_or_default(),
            level: section.read("level", report, |node| choice(node, &levels)).unwrap_or_default(),
            access: section.read("access", report, access).unwrap_or_default(),
        }
    }
}

/// `on` and `off` are texts or truth values, depending on which YAML a tool wrote.
fn access(node: &Node) -> Result<AccessLog, Expected> {
    let access = match &node.content {
        Content::Bool(true) => Some(AccessLog::On),
        Content::Bool(false) => Some(AccessLog::Off),
        Content::Text(text) if text == "on" => Some(AccessLog::On),
        Content::Text(text) if text == "off" => Some(AccessLog::Off),
        Content::Number(number) => number.as_f64().filter(|rate| (0.0..=1.0).contains(rate)).map(AccessLog::Sampled),
        Content::Text(_) | Content::Null | Content::List(_) | Content::Map(_) | Content::Reported => None,
    };
    access.ok_or(Expected::from("`on`, `off` or a rate from 0 to 1"))
}

/// The keys of the section `log`.
pub(super) const KEYS: &[&str] = &["format", "level", "access"];
