//! What is told of a request that is over: its metrics and its line in the access log, from its one [`Outcome`].

use evergate_cache::Moment;
use http::{Method, StatusCode};

use crate::access_log::Line;
use crate::gateway::Gateway;
use crate::metrics::NO_ROUTE;
use crate::outcome::{Answered, Outcome};
use crate::request::Request;
use crate::serve::Record;

/// Counts and logs a request that is over. `sent` is the number of body bytes, `begun` when its head was there.
pub fn observe(gateway: &Gateway, request: &Request, record: &Record, sent: u64, begun: Moment) {
    let route = record.route.as_ref().map_or(NO_ROUTE, |route| route.pattern.as_str());
    let time = gateway.clock.now().since(begun);
    let line = Line { route, status: record.status, outcome: &record.outcome, sent, time, explanation: None };
    match (&record.route, &record.outcome) {
        (Some(route), Outcome::Hit { .. })
            if request.method == Method::GET && record.status.is_some_and(|status| status.is_success()) =>
        {
            route.hits.get_or_init(|| gateway.metrics.hit_meter(&route.pattern)).count(time);
            gateway.access_log.write(request, &line);
        }
        _ => tell(gateway, request, &line),
    }
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
    let time = gateway.clock.now().since(begun);
    let explanation = Some(explanation);
    tell(gateway, request, &Line { route: NO_ROUTE, status, outcome: &outcome, sent, time, explanation });
}

fn tell(gateway: &Gateway, request: &Request, line: &Line<'_>) {
    gateway.metrics.request(line.route, &request.method, line.status, line.outcome, line.time);
    gateway.access_log.write(request, line);
}
