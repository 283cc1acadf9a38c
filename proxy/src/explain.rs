//! What the gateway would do with a request, told without doing it: for `/explain` on the admin listener.

use std::sync::Arc;
use std::time::Duration;

use evergate_cache::{Asked, DeclineReason, Moment, Policy, Scheme, StoredResponse, list_value};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::{Value, json};

use crate::admission::{Admission, Selected, admit, tunnel_refused};
use crate::gateway::Gateway;
use crate::outcome::{Answered, Outcome};
use crate::passage::Passage;
use crate::request::{BodyPresence, Protocol, Request, host_of};
use crate::respond::Notice;
use crate::ruling::Ruling;
use crate::snapshot::{Addressee, Route, Snapshot};
use crate::target::{Target, TargetError};
use crate::upstream::{Preference, Server, Upstream};

/// A request that nobody sends.
#[derive(Debug, Default)]
pub struct Question {
    url: Option<Uri>,
    method: Option<Method>,
    headers: HeaderMap,
}

/// Why a question is none.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// Nothing says which page.
    #[error("`url` is missing: /explain?url=/items/a")]
    NoUrl,
    /// A parameter that is not known, or that is not what it should be.
    #[error("`{name}` is not {expected}")]
    Parameter {
        /// Its name.
        name: String,
        /// What would be accepted.
        expected: &'static str,
    },
}

impl Question {
    /// Reads names and values, which are decoded already: `url` (a path, or an absolute URL), `method`, and any number of `header`
    /// (`name: value`).
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn read(parameters: &[(String, String)]) -> Result<Question, QuestionError> {
        let mut question = Question::default();
        for (name, value) in parameters {
            let refused = |expected| QuestionError::Parameter { name: name.clone(), expected };
            match name.as_str() {
                "url" => question.url = Some(url(value).ok_or_else(|| refused("a path or an absolute URL"))?),
                "method" => {
                    question.method = Some(Method::from_bytes(value.as_bytes()).map_err(|_| refused("a method"))?);
                }
                "header" => {
                    let (name, value) = header(value).ok_or_else(|| refused("a header (name: value)"))?;
                    question.headers.append(name, value);
                }
                _ => return Err(refused("one of `url`, `method` and `header`")),
            }
        }
        if question.url.is_none() { Err(QuestionError::NoUrl) } else { Ok(question) }
    }

    fn request(self) -> Request {
        let Question { url, method, headers } = self;
        let url = url.unwrap_or_default();
        let scheme = if url.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http };
        let said = headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
        Request {
            method: method.unwrap_or(Method::GET),
            target: url.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            authority: said
                .or(url.authority().map(|name| name.as_str().to_owned()))
                .map(|name| name.to_ascii_lowercase()),
            headers,
            body: BodyPresence::None,
            keep_alive: true,
            peer: None,
            scheme,
            protocol: Protocol::Http11,
        }
    }
}

/// A target as a visitor would send it: without a fragment, and without anybody's name in it.
fn url(text: &str) -> Option<Uri> {
    let known = ["/", "http://", "https://"].iter().any(|start| text.starts_with(start));
    let url: Uri = text.parse().ok().filter(|_| known && !text.contains('#'))?;
    let named = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
    (!named).then_some(url)
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    Some((name.trim().parse().ok()?, HeaderValue::from_str(value.trim()).ok()?))
}

/// What would become of a request.
pub fn explain(gateway: &Gateway, question: Question) -> Value {
    let snapshot = gateway.snapshot.load_full();
    let (request, now) = (question.request(), gateway.clock.now());
    if request.method == Method::CONNECT {
        return answered(&tunnel_refused(now.wall), &Outcome::Answered(Answered::Refused));
    }
    let mut told = match Target::parse(&request.target) {
        Ok(target) => judged(gateway, &snapshot, (&request, &target), now),
        Err(error) => refused(&error),
    };
    told["host"] = request.authority.as_deref().map(host_of).into();
    told
}

/// What would become of a request whose target can be read.
fn judged(
    gateway: &Gateway,
    snapshot: &Arc<Snapshot>,
    (request, target): (&Request, &Target<'_>),
    now: Moment,
) -> Value {
    let mut ruling = Ruling::of(request, target, snapshot, now.wall);
    let rewritten = ruling.target.take();
    let rewritten = match rewritten.as_deref().map(Target::parse).transpose() {
        Ok(rewritten) => rewritten,
        Err(error) => return refused(&error),
    };
    let reached = rewritten.as_ref().unwrap_or(target);
    let addressee = snapshot.addressee(reached.matched_path(), ruling.upstream);
    ruling.cross((request, target), addressee.route().map(AsRef::as_ref), snapshot, now.wall);
    match &ruling.end {
        Some((notice, what)) => answered(notice, &Outcome::Answered(*what)),
        None => admitted(gateway, snapshot, (&ruling.request, reached, addressee), now),
    }
}

fn refused(error: &TargetError) -> Value {
    json!({ "decision": "answer", "status": 400, "detail": error.to_string() })
}

/// What would become of a request that no rule ends.
fn admitted(
    gateway: &Gateway,
    snapshot: &Arc<Snapshot>,
    (request, target, addressee): (&Request, &Target<'_>, Addressee<'_>),
    now: Moment,
) -> Value {
    let mut told = match admit(request, target, addressee, snapshot, now.wall) {
        Admission::Answer(notice, what) => answered(&notice, &Outcome::Answered(what)),
        Admission::Pass(passage) => passes(&passage),
        Admission::Cached(selected) => cached(gateway, snapshot, request, &selected, now),
    };
    told["target"] = target.forwarded().into();
    told
}

fn answered(notice: &Notice, outcome: &Outcome) -> Value {
    let location = notice.fields.get(&http::header::LOCATION).and_then(|location| location.to_str().ok());
    json!({
        "decision": "answer",
        "status": notice.status.as_u16(),
        "location": location,
        "cache_status": outcome.to_string(),
    })
}

fn passes(passage: &Passage) -> Value {
    json!({
        "decision": "pass",
        "reason": passage.reason.as_str(),
        "route": passage.route.as_ref().map(|route| route.pattern.as_str()),
        "params": passage.params.as_deref().and_then(|params| serde_json::from_str::<Value>(params).ok()),
        "upstream": upstream(&passage.upstream, passage.preference()),
    })
}

fn cached(gateway: &Gateway, snapshot: &Snapshot, request: &Request, selected: &Selected<'_>, now: Moment) -> Value {
    let mut key = Vec::with_capacity(256);
    selected.key(request.scheme, snapshot).write(&mut key);
    let asked = Asked { key: &key, request: &selected.fields, policy: selected.policy, demands: &selected.demands };
    let declined = gateway.cache.declined(&asked, now);
    let stored = match gateway.cache.glance(&asked, now) {
        Ok(glance) => stored(&glance.response, glance.staleness.map_err(|(staleness, _)| staleness), now),
        Err(_) => Value::Null,
    };
    json!({
        "decision": if declined.is_some() { "pass" } else { "cached" },
        "reason": declined.map(DeclineReason::as_str),
        "route": selected.route.pattern,
        "params": serde_json::from_str::<Value>(&selected.matched.params_json()).unwrap_or_default(),
        "by": match selected.policy {
            Policy::Window(..) => "window",
            Policy::Origin(_) => "origin",
        },
        "key": {
            "generation": snapshot.generation,
            "upstream": selected.route.upstream.name,
            "scheme": request.scheme.as_str(),
            "host": selected.host,
            "path": selected.path,
            "query": selected.query,
            "cookies": selected.cookies.as_deref().map(String::from_utf8_lossy),
            "form": selected.form.as_ref().map(|form| named(&form.fields)),
            "vary": vary(selected.route, request),
        },
        "upstream": upstream(&selected.route.upstream, &selected.route.preference),
        "stored": stored,
    })
}

/// The request fields that select a variant, with their values.
fn vary(route: &Arc<Route>, request: &Request) -> Value {
    let value = |name: &HeaderName| {
        let value = list_value(&request.headers, name).map(|value| String::from_utf8_lossy(&value).into_owned());
        (name.as_str().to_owned(), value.into())
    };
    Value::Object(route.vary.iter().map(value).collect())
}

fn named(fields: &[(HeaderName, HeaderValue)]) -> Value {
    let text = |(name, value): &(HeaderName, HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into())
    };
    Value::Object(fields.iter().map(text).collect())
}

fn upstream(upstream: &Upstream, preference: &Preference) -> Value {
    let (preferred, others) = upstream.order(preference);
    let named = |servers: Vec<&Server>| -> Vec<Value> {
        servers.iter().map(|server| json!({ "address": server.address(), "region": server.region() })).collect()
    };
    json!({
        "name": upstream.name,
        "runtime": upstream.runtime,
        "servers": named(preferred),
        "then": named(others),
    })
}

fn stored(response: &StoredResponse, freshness: Result<Option<Duration>, Duration>, now: Moment) -> Value {
    let (ttl, staleness) = match freshness {
        Ok(ttl) => (ttl, None),
        Err(staleness) => (None, Some(staleness)),
    };
    json!({
        "status": response.head().status.as_u16(),
        "fresh": freshness.is_ok(),
        "age": response.age(now).as_secs(),
        "ttl": ttl.map(|ttl| ttl.as_secs()),
        "staleness": staleness.map(|staleness| staleness.as_secs()),
        "bytes": response.body().len(),
        "tags": response.tags().iter().collect::<Vec<_>>(),
    })
}
