//! Rules, upstreams and stored responses in the words of an explanation.

use evergate_cache::{Glance, Moment, Policy, StaleReason, Window, list_value};
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::explanation::{
    CorsTold, FieldsTold, IdleTold, OriginTold, RedirectTold, RequestFieldsTold, RespondTold, ResponseFieldsTold,
    RewriteTold, RuleTold, ServerTold, StoredTold, UpstreamTold,
};
use crate::outcome::Answered;
use crate::request::Request;
use crate::rules::{Act, Changes, Idle, Mode, Sender, Step};
use crate::ruling::Ruling;
use crate::snapshot::{Route, RouteKind, Snapshot};
use crate::upstream::{Preference, Server, Upstream};

pub(super) fn rule(step: &Step, snapshot: &Snapshot) -> RuleTold {
    let mut told = RuleTold {
        rule: place(step.place),
        matcher: step.matcher.clone(),
        captured: step.captured.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect(),
        request_headers: fields(&step.request),
        response_headers: fields(&step.response),
        cors: step.cors,
        idle: step.idle.as_ref().map(idle),
        failed: step.failed.map(|failed| failed.to_string()),
        ..RuleTold::default()
    };
    match &step.act {
        None => {}
        Some(Act::Redirect(status, to)) => {
            told.redirect = Some(RedirectTold { status: status.as_u16(), to: to.clone() });
        }
        Some(Act::Rewrite { from, to, upstream }) => {
            let upstream = upstream.and_then(|upstream| snapshot.elsewhere(upstream));
            let upstream = upstream.map(|upstream| upstream.name.clone());
            told.rewrite = Some(RewriteTold { from: from.clone(), to: to.clone(), upstream });
        }
        Some(Act::Respond(status)) => told.respond = Some(RespondTold { status: status.as_u16() }),
    }
    told
}

/// A rule as problems of the configuration name it.
pub(super) fn place(place: usize) -> String {
    format!("proxy[{place}]")
}

fn idle(idle: &Idle) -> IdleTold {
    let because = match idle.ended_by {
        Some(ended_by) => format!("{} has ended the request", place(ended_by)),
        None => "the gateway answers this host or this spelling of the path by itself".to_owned(),
    };
    IdleTold { keys: idle.keys.iter().map(|key| (*key).to_owned()).collect(), because }
}

/// What is said of pages of other origins, by what has this name in the configuration.
pub(super) fn cors(ruling: &Ruling<'_>, request: &Request, from: &str) -> Option<CorsTold> {
    let cors = ruling.cors.as_ref()?;
    let preflight = match &ruling.end {
        Some((notice, Answered::Preflight)) => Some(&notice.fields),
        Some(_) | None => None,
    };
    let line = |name: &HeaderName, value: &HeaderValue| format!("{name}: {}", text(value.as_bytes()));
    let said = match preflight {
        Some(fields) => {
            let said = fields.iter().filter(|(name, _)| name.as_str().starts_with("access-control-"));
            said.map(|(name, value)| line(name, value)).collect()
        }
        None => ruling.changes.response.sum().cors.iter().map(|(name, value)| line(name, value)).collect(),
    };
    Some(CorsTold {
        from: from.to_owned(),
        mode: match cors.mode {
            Mode::Replace => "replace",
            Mode::Passthrough => "passthrough",
            Mode::Enforce => "enforce",
        }
        .to_owned(),
        origin: match cors.sender(&request.headers, request.authority.as_deref()) {
            Sender::Unsaid => OriginTold::None,
            Sender::Own => OriginTold::Own,
            Sender::Allowed => OriginTold::Allowed,
            Sender::Foreign => OriginTold::Foreign,
        },
        preflight: preflight.is_some(),
        says: said,
    })
}

/// What is changed of an answer, all in all.
pub(super) fn response(changes: &Changes) -> ResponseFieldsTold {
    let vary = changes.sum().vary.iter().map(|name| name.as_str().to_owned()).collect();
    ResponseFieldsTold { fields: fields(changes), vary }
}

/// What changes come to. Credentials that a rule gives to handlers are told to nobody.
fn fields(changes: &Changes) -> FieldsTold {
    const CREDENTIALS: [HeaderName; 3] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];
    let sum = changes.sum();
    let name = |name: &HeaderName| name.as_str().to_owned();
    let line = |(name, value): &(HeaderName, HeaderValue)| {
        let value = if CREDENTIALS.contains(name) { "(not told)".into() } else { text(value.as_bytes()) };
        format!("{name}: {value}")
    };
    FieldsTold {
        set: sum.set.iter().map(line).collect(),
        append: sum.append.iter().map(line).collect(),
        remove: sum.remove.iter().map(name).collect(),
    }
}

/// What is changed of a request, all in all; `kept` is its route, where its answer is kept for all.
pub(super) fn request(changes: &Changes, kept: Option<&Route>) -> RequestFieldsTold {
    let sum = changes.sum();
    let mut withheld: Vec<&HeaderName> = sum.set.iter().chain(&sum.append).map(|(name, _)| name).collect();
    withheld.retain(|name| kept.is_some_and(|route| !route.tell_vary.contains(name)));
    withheld.dedup();
    let withheld = withheld.into_iter().map(|name| name.as_str().to_owned()).collect();
    RequestFieldsTold { fields: fields(changes), withheld }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `revalidate`, as in the configuration.
pub(super) fn revalidate(route: &Route) -> Value {
    match &route.kind {
        RouteKind::Dynamic => 0.into(),
        RouteKind::Window(Policy::Window(windows, _), _) => match windows.revalidate {
            Window::Forever => false.into(),
            Window::For(window) if window.subsec_nanos() == 0 => window.as_secs().into(),
            Window::For(window) => window.as_secs_f64().into(),
        },
        RouteKind::Window(Policy::Origin(_), _) | RouteKind::Origin(_) => "origin".into(),
    }
}

/// The request fields that select a variant, with their values.
pub(super) fn vary(route: &Route, request: &Request) -> Map<String, Value> {
    let value = |name: &HeaderName| {
        let value = list_value(&request.headers, name).map(|value| text(&value));
        (name.as_str().to_owned(), value.into())
    };
    route.vary.iter().map(value).collect()
}

pub(super) fn named(fields: &[(HeaderName, HeaderValue)]) -> Map<String, Value> {
    fields.iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()).into())).collect()
}

/// Parameters of a route as handlers get them.
pub(super) fn params(json: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(json).ok()
}

pub(super) fn upstream(upstream: &Upstream, preference: &Preference) -> UpstreamTold {
    let (preferred, others) = upstream.order(preference);
    let told = |server: &Server| ServerTold {
        address: server.address().to_owned(),
        region: server.region().map(str::to_owned),
    };
    UpstreamTold {
        name: upstream.name.clone(),
        runtime: upstream.runtime.clone(),
        servers: preferred.into_iter().map(told).collect(),
        then: others.into_iter().map(told).collect(),
    }
}

pub(super) fn stored(Glance { response, staleness, .. }: &Glance, now: Moment) -> StoredTold {
    let (ttl, stale) = match *staleness {
        Ok(ttl) => (ttl, None),
        Err((staleness, _)) => (None, Some(staleness)),
    };
    StoredTold {
        status: response.status().as_u16(),
        fresh: staleness.is_ok(),
        age: response.age(now).as_secs(),
        ttl: ttl.map(|ttl| ttl.as_secs()),
        staleness: stale.map(|staleness| staleness.as_secs()),
        bytes: response.length(),
        hits: response.hits(),
        invalidated: matches!(staleness, Err((_, StaleReason::Invalidated))),
        tags: response.tags().iter().map(ToString::to_string).collect(),
    }
}
