//! The access log: one line for each request that is over.

use std::time::Duration;

use http::StatusCode;
use tracing::info;

use crate::config;
use crate::outcome::Outcome;
use crate::request::Request;

/// The target of the lines, by which the log's filter knows them.
pub const ACCESS: &str = "access";

/// Which requests get a line.
#[derive(Clone, Copy, Debug)]
pub struct AccessLog(config::AccessLog);

/// What a line tells beside the request.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The route's pattern.
    pub route: &'a str,
    /// The status that was sent; none when the visitor left before there was one.
    pub status: Option<StatusCode>,
    /// What happened.
    pub outcome: &'a Outcome,
    /// Bytes of body sent.
    pub sent: u64,
    /// From the head of the request to the end of its response.
    pub time: Duration,
    /// Why it was refused, when it was.
    pub explanation: Option<&'a str>,
}

impl AccessLog {
    /// As configured.
    pub fn new(setting: config::AccessLog) -> AccessLog {
        AccessLog(setting)
    }

    /// Writes the line of `request`, if it is to have one.
    pub fn write(&self, request: &Request, line: &Line<'_>) {
        let wanted = match self.0 {
            config::AccessLog::On => true,
            config::AccessLog::Off => false,
            config::AccessLog::Sampled(rate) => fastrand::f64() < rate,
        };
        if !wanted {
            return;
        }
        info!(
            target: ACCESS,
            client = request.peer.map(tracing::field::display),
            method = request.method.as_str(),
            host = request.authority.as_deref(),
            uri = request.target,
            protocol = request.protocol.as_str(),
            status = line.status.map(|status| status.as_u16()),
            bytes = line.sent,
            seconds = line.time.as_secs_f64(),
            route = line.route,
            cache = line.outcome.x_cache().label(),
            cache_status = %line.outcome,
            explanation = line.explanation,
        );
    }
}
