//! What is told of a request that is over: its metrics and its line in the access log, from its one [`Outcome`].

use std::time::Duration;

use evergate_cache::Moment;
use http::StatusCode;
use tracing::info;

use crate::gateway::Gateway;
use crate::metrics::NO_ROUTE;
use crate::outcome::Outcome;
use crate::request::Request;
use crate::serve::Record;

/// The target of access-log events, by which they are switched on and off.
pub const ACCESS: &str = "access";

/// Counts and logs a request that is over. `sent` is the number of body bytes, `begun` when its head was there.
pub fn observe(gateway: &Gateway, request: &Request, record: &Record, sent: u64, begun: Moment) {
    let time = gateway.clock.now().since(begun);
    let route = record.route.as_ref().map_or(NO_ROUTE, |route| route.pattern.as_str());
    gateway.metrics.request(route, &request.method, record.status, &record.outcome, time);
    if gateway.access_log.wants_line() {
        write_line(request, route, record.status, &record.outcome, sent, time, None);
    }
}

/// Counts and logs what was refused before it was a request.
pub fn observe_refusal(
    gateway: &Gateway,
    request: &Request,
    status: Option<StatusCode>,
    explanation: &str,
    begun: Moment,
) {
    let time = gateway.clock.now().since(begun);
    let outcome = Outcome::Answered(crate::outcome::Answered::Refused);
    gateway.metrics.request(NO_ROUTE, &request.method, status, &outcome, time);
    if gateway.access_log.wants_line() {
        write_line(request, NO_ROUTE, status, &outcome, 0, time, Some(explanation));
    }
}

fn write_line(
    request: &Request,
    route: &str,
    status: Option<StatusCode>,
    outcome: &Outcome,
    sent: u64,
    time: Duration,
    explanation: Option<&str>,
) {
    info!(
        target: ACCESS,
        client = request.peer.map(tracing::field::display),
        method = request.method.as_str(),
        host = request.authority.as_deref(),
        target = request.target,
        protocol = request.protocol.as_str(),
        status = status.map(|status| status.as_u16()),
        bytes = sent,
        seconds = time.as_secs_f64(),
        route,
        cache = outcome.x_cache().label(),
        cache_status = %outcome,
        explanation,
    );
}

/// Which requests get a line in the log.
#[derive(Clone, Copy, Debug)]
pub struct AccessLog(crate::config::AccessLog);

impl AccessLog {
    /// As configured.
    pub fn new(setting: crate::config::AccessLog) -> AccessLog {
        AccessLog(setting)
    }

    fn wants_line(&self) -> bool {
        match self.0 {
            crate::config::AccessLog::On => true,
            crate::config::AccessLog::Off => false,
            crate::config::AccessLog::Sampled(rate) => fastrand::f64() < rate,
        }
    }
}
