//! What the gateway would do with a request, told without doing it: for `/explain` on the admin listener, and for
//! `evergate explain`, which asks there or explains from a configuration file by itself.
//!
//! A [`Question`] comes in, an [`Explanation`] goes out. The request takes the way of every other (`ruling`, `admission`,
//! `serve`), so that what is told cannot differ from what is done.

pub mod explanation;
pub mod question;
mod told;

use std::sync::Arc;

use evergate_cache::Moment;
use http::header::LOCATION;
use http::{Method, StatusCode};

use crate::admission::{Admission, Selected, admit, tunnel_refused};
use crate::gateway::Gateway;
use crate::inventory::{self, By};
use crate::outcome::{Answered, Fetched, Outcome, PassReason};
use crate::passage::Passage;
use crate::request::{Request, host_of};
use crate::respond::Notice;
use crate::ruling::Ruling;
use crate::serve::{Forecast, asked_to_purge, forecast};
use crate::snapshot::{Addressee, Snapshot};
use crate::target::{Target, TargetError};

pub use explanation::{Decision, Explanation, KeyTold};
pub use question::{Question, QuestionError};

/// What would become of a request.
pub fn explain(gateway: &Arc<Gateway>, question: Question) -> Explanation {
    let snapshot = gateway.snapshot.load_full();
    // Who names no host asks as prerendering does: for the first site.
    let (request, now) = (question.request(&snapshot), gateway.clock.now());
    let told = match Target::parse(&request.target) {
        _ if request.method == Method::CONNECT => {
            let refused = answered(&tunnel_refused(now.wall), Answered::Refused, Explanation::default());
            unjudged(refused, &request, &snapshot, now)
        }
        Err(error) => unjudged(refused(&error, now), &request, &snapshot, now),
        Ok(target) if asked_to_purge(&request, &snapshot).is_some() => {
            let notice =
                Notice::new(StatusCode::OK, "the path is forgotten, if `purge.allow` has the address", now.wall);
            let told = answered(&notice, Answered::Purged, Explanation::default());
            Explanation { asked: target.forwarded(), ..unjudged(told, &request, &snapshot, now) }
        }
        Ok(target) => Explanation { asked: target.forwarded(), ..judged(gateway, &snapshot, (&request, &target), now) },
    };
    Explanation {
        method: request.method.to_string(),
        sent: request.target.clone(),
        asked: if told.asked.is_empty() { request.target.clone() } else { told.asked },
        host: request.authority.as_deref().map(|authority| host_of(authority).to_owned()),
        ..told
    }
}

/// What is said to a request of which rules can judge nothing.
fn unjudged(told: Explanation, request: &Request, snapshot: &Snapshot, now: Moment) -> Explanation {
    let ruling = Ruling::unjudged(request, snapshot, now.wall);
    let cors = told::cors(&ruling, request, "proxy");
    Explanation { cors, response_headers: told::response(&ruling.changes.response), ..told }
}

/// What would become of a request whose target can be read.
fn judged(
    gateway: &Arc<Gateway>,
    snapshot: &Arc<Snapshot>,
    (request, target): (&Request, &Target<'_>),
    now: Moment,
) -> Explanation {
    let (mut ruling, steps) = Ruling::retraced(request, target, snapshot, now.wall);
    let rewritten = ruling.target.take();
    let rewritten = rewritten.as_deref().map(Target::parse).transpose();
    let reached = rewritten.as_ref().map_or(target, |rewritten| rewritten.as_ref().unwrap_or(target));
    let addressee = snapshot.addressee(reached.matched_path(), ruling.upstream);
    let route = addressee.route().map(Arc::clone);
    let found = found(&addressee);
    if rewritten.is_ok() {
        ruling.cross((request, target), route.as_deref(), snapshot, now.wall);
    }
    let told = match (&ruling.end, &rewritten) {
        (_, Err(error)) => refused(error, now),
        (Some((notice, what)), Ok(_)) => answered(notice, *what, found),
        (None, Ok(_)) => admitted(gateway, snapshot, (&ruling.request, reached, addressee), found, now),
    };
    let kept = route.as_deref().filter(|_| (told.decision, told.by) == (Decision::Cached, Some(By::Window)));
    let request_headers = told::request(&ruling.changes.request, kept);
    let crossing = route.as_ref().is_some_and(|route| route.cors.is_some());
    let of_rule = steps.iter().rev().find(|step| step.cors).map(|step| told::place(step.place));
    let cors = told::cors(&ruling, request, of_rule.as_deref().filter(|_| !crossing).unwrap_or("route"));
    Explanation {
        rules: steps.iter().map(|step| told::rule(step, snapshot)).collect(),
        cors,
        request_headers,
        response_headers: told::response(&ruling.changes.response),
        ..told
    }
}

/// What would become of a request that no rule ends.
fn admitted(
    gateway: &Arc<Gateway>,
    snapshot: &Arc<Snapshot>,
    (request, target, addressee): (&Request, &Target<'_>, Addressee<'_>),
    found: Explanation,
    now: Moment,
) -> Explanation {
    let told = match admit(request, target, addressee, snapshot, now.wall) {
        Admission::Answer(notice, what) => answered(&notice, what, found),
        Admission::Pass(passage) => passes(&passage, found),
        Admission::Cached(selected) => {
            let key = key(&selected, request, snapshot);
            let (route, by) = (Arc::clone(selected.route), By::from(selected.policy.regime()));
            let mut bytes = Vec::with_capacity(256);
            selected.key(request.scheme, snapshot).write(&mut bytes);
            let Forecast { outcome, stored } = forecast(gateway, snapshot, (request, target), selected, now);
            Explanation {
                by: Some(by),
                key: Some(key),
                upstream: Some(told::upstream(&route.upstream, &route.preference)),
                stored: stored.map(|glance| told::stored(&glance, now)),
                entry: inventory::entry(gateway, snapshot, &bytes, now),
                ..with(&outcome, found)
            }
        }
    };
    Explanation { target: Some(target.forwarded()), ..told }
}

/// What is told of a route, whatever becomes of the request.
fn found(addressee: &Addressee<'_>) -> Explanation {
    let Some((matched, route)) = &addressee.matched else { return Explanation::default() };
    Explanation {
        route: Some(route.pattern.clone()),
        params: told::params(&matched.params_json()),
        revalidate: told::revalidate(route),
        ..Explanation::default()
    }
}

fn refused(error: &TargetError, now: Moment) -> Explanation {
    let notice = Notice::new(StatusCode::BAD_REQUEST, &error.to_string(), now.wall);
    answered(&notice, Answered::Refused, Explanation::default())
}

fn answered(notice: &Notice, what: Answered, found: Explanation) -> Explanation {
    let nothing = Explanation::default;
    let (detail, found) = match what {
        // The operator's own words.
        Answered::RuleRespond => (None, nothing()),
        // Before it comes to a route.
        Answered::Refused
        | Answered::Misdirected
        | Answered::Redirected
        | Answered::NotFound
        | Answered::RuleRedirect
        | Answered::RuleFailed
        | Answered::Purged
        | Answered::PurgeRefused => (notice.explanation(), nothing()),
        Answered::UnknownParams
        | Answered::ParamsNotListed
        | Answered::MethodNotAllowed
        | Answered::Options
        | Answered::NotCached
        | Answered::Preflight
        | Answered::ForeignOrigin => (notice.explanation(), found),
    };
    let location = notice.fields.get(&LOCATION).map(|location| told::text(location.as_bytes()));
    let status = Some(notice.status.as_u16());
    Explanation { status, location, detail, ..with(&Outcome::Answered(what), found) }
}

fn passes(passage: &Passage, found: Explanation) -> Explanation {
    let outcome = Outcome::Pass { reason: passage.reason, fetched: Fetched::Pending };
    let upstream = Some(told::upstream(&passage.upstream, passage.preference()));
    Explanation { upstream, ..with(&outcome, found) }
}

fn key(selected: &Selected<'_>, request: &Request, snapshot: &Snapshot) -> KeyTold {
    KeyTold {
        generation: snapshot.generation.clone(),
        upstream: selected.route.upstream.name.clone(),
        scheme: request.scheme.as_str().to_owned(),
        host: selected.host.map(str::to_owned),
        path: selected.path.to_owned(),
        query: selected.query.as_deref().map(str::to_owned),
        cookies: selected.cookies.as_deref().map(told::text),
        form: selected.form.as_ref().map(|form| told::named(&form.fields)),
        vary: told::vary(selected.route, request),
    }
}

/// What is known, with what happens.
fn with(outcome: &Outcome, told: Explanation) -> Explanation {
    let (decision, reason, status) = match outcome {
        Outcome::Answered(Answered::NotCached) => (Decision::Answer, None, Some(StatusCode::GATEWAY_TIMEOUT)),
        Outcome::Answered(_) => (Decision::Answer, None, None),
        Outcome::Pass { reason, .. } => (Decision::Pass, Some(reason), None),
        Outcome::Hit { .. }
        | Outcome::Prerendered { .. }
        | Outcome::Stale { .. }
        | Outcome::Despite { .. }
        | Outcome::Miss { .. }
        | Outcome::Revalidated { .. } => (Decision::Cached, None, None),
    };
    Explanation {
        decision,
        reason: reason.copied().map(PassReason::as_str).map(str::to_owned),
        status: status.map(|status| status.as_u16()),
        cache_status: outcome.to_string(),
        x_cache: outcome.x_cache().header().map(str::to_owned),
        ..told
    }
}
