//! What is told of a request that is over: its metrics and its line in the access log, from its one [`Outcome`].

use evergate_cache::Moment;
use http::StatusCode;

use crate::access_log::Line;
use crate::gateway::Gateway;
use crate::metrics::NO_ROUTE;
use crate::outcome::{Answered, Outcome};
use crate::request::Request;
use crate::serve::Record;

/// Counts and logs a request that is over. `sent` is the number of body bytes, `begun` when its head was there.
pub fn observe(gateway: &Gateway, request: &Request, record: &Record, sent: u64, begun: Moment) {
    let time = gateway.clock.since(begun);
    let Record { route, outcome, status } = record;
    gateway.metrics.request(route.as_ref().map(|route| &route.meters), &request.method, *status, outcome, time);
    let route = route.as_ref().map_or(NO_ROUTE, |route| route.pattern.as_str());
    gateway.access_log.write(request, &Line { route, status: *status, outcome, sent, time, explanation: None });
}

/// Counts and logs what was refused before it was a request.
pub fn observe_refusal(
    gateway: &Gateway,
    request: &Request,
    status: Option<StatusCode>,
    explanation: &str,
    sent: u64,
    begun: Moment,
) {
    let outcome = Outcome::Answered(Answered::Refused);
    let time = gateway.clock.since(begun);
    gateway.metrics.request(None, &request.method, status, &outcome, time);
    let explanation = Some(explanation);
    gateway.access_log.write(request, &Line { route: NO_ROUTE, status, outcome: &outcome, sent, time, explanation });
}
