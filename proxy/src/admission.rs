//! Admission: whether a request is answered at once, passes, or may be answered from the cache, and under which key.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use evergate_cache::{Demands, KeyParts, Policy, Regime, Scheme, Site};
use http::header::{ALLOW, AUTHORIZATION, COOKIE, IF_MATCH, IF_UNMODIFIED_SINCE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::config::{Authorization, Kind, Query, TrailingSlash, Unmatched};
use crate::forwarded::seen_fields;
use crate::known::Admitted;
use crate::outcome::{Answered, PassReason};
use crate::page_form::{PageForm, RSC_UNION_QUERY};
use crate::passage::{Leash, Naming, Passage};
use crate::request::{BodyPresence, Protocol, Request};
use crate::respond::Notice;
use crate::routes::Matched;
use crate::rules::Ruled;
use crate::snapshot::{Addressee, Demanding, Route, RouteKind, Snapshot, Told};
use crate::target::{Target, decode};
use crate::upstream::Upstream;

/// What becomes of a request.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "what is answered from the cache is not worth an allocation before it is"
)]
pub enum Admission<'a> {
    /// The gateway answers it itself.
    Answer(Box<Notice>, Answered),
    /// It goes through without the cache.
    Pass(Box<Passage>),
    /// The cache may answer it.
    Cached(Selected<'a>),
}

/// A request that the cache may answer; on a route with a window reduced to what its handler gets to see.
#[derive(Debug)]
pub struct Selected<'a> {
    /// The route.
    pub route: &'a Arc<Route>,
    /// The route's parameters, for the handler.
    pub matched: Matched<'a>,
    /// By whose word it is answered.
    pub policy: &'a Policy,
    /// What visitors are told of stored successes, where the gateway says it.
    pub told: Option<&'a Told>,
    /// The fields of the request of which its handler may see something.
    pub fields: Cow<'a, HeaderMap>,
    /// What the request asks of caches, where that is heeded.
    pub demands: Demands,
    /// The path in normal form.
    pub path: &'a str,
    /// The chosen query, sorted; the whole of it as it came, where the handler decides.
    pub query: Option<Cow<'a, str>>,
    /// The chosen cookies.
    pub cookies: Option<Cow<'a, [u8]>>,
    /// The form of the page, where it has several.
    pub form: Option<PageForm>,
    /// The site, when it is part of the key.
    pub host: Option<&'a str>,
}

/// Decides about `request` to `addressee`, whose target is `target` in normal form.
pub fn admit<'a>(
    request: &'a Request,
    target: &'a Target<'_>,
    addressee: Addressee<'a>,
    snapshot: &'a Arc<Snapshot>,
    now: std::time::SystemTime,
) -> Admission<'a> {
    let answer =
        |status, explanation: &str, what| Admission::Answer(Box::new(Notice::new(status, explanation, now)), what);
    let host = match site(request, snapshot) {
        Ok(host) => host,
        Err(NotServed) => {
            return answer(StatusCode::MISDIRECTED_REQUEST, "this host is not served here", Answered::Misdirected);
        }
    };
    if let Some(location) = canonical_location(target, snapshot) {
        let Ok(location) = HeaderValue::from_str(&location) else {
            return answer(StatusCode::BAD_REQUEST, "the target cannot be redirected", Answered::Refused);
        };
        let notice = Notice::new(StatusCode::PERMANENT_REDIRECT, "this page has one name", now);
        return Admission::Answer(Box::new(notice.with(LOCATION, location)), Answered::Redirected);
    }
    let Addressee { matched, named } = addressee;
    let Some((matched, route)) = matched else {
        let upstream = match (named, snapshot.unmatched) {
            // A rule that names an upstream says what becomes of the path.
            (Some(named), Unmatched::NotFound | Unmatched::Pass) => named,
            (None, Unmatched::Pass) => &snapshot.default_upstream,
            (None, Unmatched::NotFound) => {
                return answer(StatusCode::NOT_FOUND, "no route matches this path", Answered::NotFound);
            }
        };
        return Admission::Pass(Box::new(passage(snapshot, upstream, request, target, PassReason::Unmatched)));
    };
    if let Some((notice, what)) = turned_away(request, route, target.matched_path(), now) {
        return Admission::Answer(Box::new(notice), what);
    }
    let demands = match route.demands {
        Demanding::Ignored => Demands::default(),
        Demanding::Heeded => Demands::of(&request.headers),
    };
    if let Some(reason) = pass_reason(request, route, &demands) {
        return Admission::Pass(Box::new(passage_on(snapshot, route, &matched, request, target, reason)));
    }
    let mut fields = Cow::Borrowed(&request.headers);
    let (policy, told, query, cookies) = match &route.kind {
        RouteKind::Dynamic => {
            let passage = passage_on(snapshot, route, &matched, request, target, PassReason::Dynamic);
            return Admission::Pass(Box::new(passage));
        }
        RouteKind::Window(policy, told) => {
            let query = select_query(target.query(), route, snapshot);
            (policy, Some(told), query, select_cookies(request, route))
        }
        RouteKind::Origin(policy) => {
            fields = seen_fields(&request.headers);
            (policy, None, target.query().map(Cow::Borrowed), None)
        }
    };
    let path = target.path();
    let form = match route.serves {
        Kind::Handler => None,
        Kind::Page => PageForm::of(&request.headers),
    };
    Admission::Cached(Selected { route, policy, told, fields, demands, path, query, cookies, form, host, matched })
}

/// CONNECT asks for a tunnel, which a gateway in front of handlers does not dig.
pub fn tunnel_refused(now: std::time::SystemTime) -> Notice {
    Notice::new(StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not served", now)
        .with(ALLOW, HeaderValue::from_static("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"))
}

/// What the route itself says to a request: that there is nothing under its parameters, or nothing that answers its method.
fn turned_away(request: &Request, route: &Route, path: &str, now: std::time::SystemTime) -> Option<(Notice, Answered)> {
    match route.known.as_ref().map_or(Admitted::Yes, |known| known.admits(path)) {
        Admitted::Yes => {}
        Admitted::No => {
            let notice = Notice::new(StatusCode::NOT_FOUND, "there is nothing under these parameters", now);
            return Some((notice, Answered::UnknownParams));
        }
        Admitted::NotYet => {
            let notice = Notice::new(StatusCode::SERVICE_UNAVAILABLE, "what there is was not listed yet", now);
            return Some((notice.with(RETRY_AFTER, HeaderValue::from_static("1")), Answered::ParamsNotListed));
        }
    }
    let methods = route.methods.as_ref().filter(|methods| !methods.listed.list(&request.method))?;
    Some(if request.method == Method::OPTIONS {
        // RFC 9110 section 9.3.7.
        (Notice::without_body(StatusCode::NO_CONTENT, now).with(ALLOW, methods.allow.clone()), Answered::Options)
    } else {
        let notice = Notice::new(StatusCode::METHOD_NOT_ALLOWED, "the handler does not answer this method", now);
        (notice.with(ALLOW, methods.allow.clone()), Answered::MethodNotAllowed)
    })
}

/// The host that a request names is none that the gateway serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotServed;

/// The site for the key: none when the gateway serves a single one, whatever it is called.
pub(crate) fn site<'r>(request: &'r Request, snapshot: &Snapshot) -> Result<Option<&'r str>, NotServed> {
    if snapshot.hosts.is_empty() {
        return Ok(None);
    }
    match request.host() {
        Some(host) if snapshot.hosts.iter().any(|served| served == host) => Ok(Some(host)),
        Some(_) | None => Err(NotServed),
    }
}

/// Where the page is when the target is not its one name.
pub(crate) fn canonical_location(target: &Target<'_>, snapshot: &Snapshot) -> Option<String> {
    if let Some(location) = target.without_repeated_slashes() {
        return Some(location);
    }
    match snapshot.trailing_slash {
        TrailingSlash::Redirect if target.trailing_slash() => Some(target.without_trailing_slash()),
        TrailingSlash::Redirect | TrailingSlash::Ignore => None,
    }
}

/// Why a request on a matched route has to pass; none when the cache may answer it.
fn pass_reason(request: &Request, route: &Route, demands: &Demands) -> Option<PassReason> {
    if matches!(route.kind, RouteKind::Dynamic) {
        return Some(PassReason::Dynamic);
    }
    if request.method != Method::GET && request.method != Method::HEAD {
        return Some(PassReason::Method);
    }
    if request.body == BodyPresence::Some {
        return Some(PassReason::Body);
    }
    if request.wants_upgrade() {
        return Some(PassReason::Upgrade);
    }
    if demands.no_store {
        return Some(PassReason::NoStore);
    }
    match route.kind {
        RouteKind::Origin(_) => {
            // Whether to change something is for the handler to decide (RFC 9111 section 4.3.2).
            if [IF_MATCH, IF_UNMODIFIED_SINCE].iter().any(|name| request.headers.contains_key(name)) {
                return Some(PassReason::Precondition);
            }
        }
        RouteKind::Dynamic | RouteKind::Window(..) => {
            if route.authorization == Authorization::Pass && request.headers.contains_key(AUTHORIZATION) {
                return Some(PassReason::Authorization);
            }
        }
    }
    let header = route.bypass.headers.iter().any(|name| request.headers.contains_key(name));
    let cookie = !route.bypass.cookies.is_empty()
        && cookies(request).any(|(name, _)| route.bypass.cookies.iter().any(|bypass| bypass.as_bytes() == name));
    (header || cookie).then_some(PassReason::Bypass)
}

/// The cookies of a request, in order: name and the pair as it was sent (RFC 6265 section 5.4). They are bytes: a value
/// outside ASCII hides no other cookie.
fn cookies(request: &Request) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = request.headers.get_all(COOKIE).iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).filter_map(|pair| {
        let pair = pair.trim_ascii();
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or(pair).trim_ascii();
        (!name.is_empty()).then_some((name, pair))
    })
}

/// The cookies that the route lists, in the order of the list, as they are forwarded and keyed.
fn select_cookies<'a>(request: &'a Request, route: &Route) -> Option<Cow<'a, [u8]>> {
    let wanted = route.cookies.iter().map(String::as_bytes);
    let mut chosen =
        wanted.flat_map(|wanted| cookies(request).filter(move |(name, _)| *name == wanted).map(|(_, pair)| pair));
    let first = chosen.next()?;
    let Some(second) = chosen.next() else { return Some(Cow::Borrowed(first)) };
    let all: Vec<&[u8]> = [first, second].into_iter().chain(chosen).collect();
    Some(Cow::Owned(all.join(b"; ".as_slice())))
}

/// The query parameters that the route lists, less those that are stripped everywhere, sorted by name. Parameters of one
/// name keep their order, and an empty value is not a missing one.
fn select_query<'a>(query: Option<&'a str>, route: &Route, snapshot: &Snapshot) -> Option<Cow<'a, str>> {
    let query = query.filter(|query| !query.is_empty() && route.query != Query::Ignore)?;
    // What the router of Next.js adds tells pages apart, whatever is stripped elsewhere.
    let routers = |name: &str| route.serves == Kind::Page && name == RSC_UNION_QUERY;
    let stripped = |name: &str| snapshot.strip_query.iter().any(|pattern| pattern.matches(name));
    let wanted = |name: &str| match &route.query {
        Query::All => true,
        Query::Ignore => false,
        Query::Only(names) => names.iter().any(|listed| listed == name),
    };
    let mut chosen = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| (decode(parameter.split_once('=').map_or(parameter, |(name, _)| name)), parameter))
        .filter(|(name, _)| wanted(name) && (routers(name) || !stripped(name)));
    let first = chosen.next()?;
    let Some(second) = chosen.next() else { return Some(Cow::Borrowed(first.1)) };
    let mut parameters: Vec<(Cow<'a, str>, &'a str)> = [first, second].into_iter().chain(chosen).collect();
    parameters.sort_by(|(a, _), (b, _)| a.cmp(b));
    let sorted: Vec<&str> = parameters.into_iter().map(|(_, parameter)| parameter).collect();
    Some(Cow::Owned(sorted.join("&")))
}

/// What is added for HTTP/2 to the times within which the framework should have said 504.
const HTTP2_GRACE: Duration = Duration::from_secs(1);

fn passage(
    snapshot: &Arc<Snapshot>,
    upstream: &Arc<Upstream>,
    request: &Request,
    target: &Target<'_>,
    reason: PassReason,
) -> Passage {
    let timeouts = &upstream.timeouts;
    let first_step = match request.protocol {
        Protocol::Http10 | Protocol::Http11 => timeouts.first_byte,
        Protocol::Http2 => timeouts.first_byte.max(timeouts.idle) + HTTP2_GRACE,
    };
    Passage {
        snapshot: Arc::clone(snapshot),
        upstream: Arc::clone(upstream),
        route: None,
        params: None,
        target: target.forwarded(),
        reason,
        naming: Naming::Visitors,
        date: Arc::default(),
        cut: Arc::default(),
        ruled: Ruled::default(),
        first_step,
        leash: Leash::new(first_step + timeouts.connect, None),
    }
}

fn passage_on(
    snapshot: &Arc<Snapshot>,
    route: &Arc<Route>,
    matched: &Matched<'_>,
    request: &Request,
    target: &Target<'_>,
    reason: PassReason,
) -> Passage {
    let passage = passage(snapshot, &route.upstream, request, target, reason);
    let grace = if request.protocol == Protocol::Http2 { HTTP2_GRACE } else { Duration::ZERO };
    let max_duration = route.max_duration.map(|max_duration| max_duration + grace);
    Passage {
        route: Some(Arc::clone(route)),
        params: Some(matched.params_json()),
        leash: Leash::new(passage.first_step + route.upstream.timeouts.connect, max_duration),
        ..passage
    }
}

impl Selected<'_> {
    /// What identifies its page.
    pub fn key<'k>(&'k self, scheme: Scheme, snapshot: &'k Snapshot) -> KeyParts<'k> {
        let site =
            Site { generation: &snapshot.generation, upstream: &self.route.upstream.name, scheme, host: self.host };
        KeyParts {
            regime: self.policy.regime(),
            site,
            path: self.path,
            query: self.query.as_deref(),
            cookies: self.cookies.as_deref(),
            form: self.form.as_ref().map(|form| form.key.as_slice()),
        }
    }

    /// The same request on its way through without the cache.
    pub fn passage(
        &self,
        snapshot: &Arc<Snapshot>,
        request: &Request,
        target: &Target<'_>,
        reason: PassReason,
    ) -> Passage {
        let passage = passage_on(snapshot, self.route, &self.matched, request, target, reason);
        let naming = match self.policy {
            Policy::Window(..) => Naming::Visitors,
            Policy::Origin(_) => Naming::Keyed(self.host.map(str::to_owned)),
        };
        Passage { naming, ..passage }
    }
}

/// The bytes of the key under which the GET answers of a target are kept at `site`, if its route lives by its handler's word.
pub fn origin_key(snapshot: &Snapshot, target: &Target<'_>, site: Site<'_>) -> Option<Vec<u8>> {
    let addressee = snapshot.addressee(target.matched_path(), None);
    let RouteKind::Origin(_) = &addressee.route()?.kind else { return None };
    let mut key = Vec::with_capacity(128);
    KeyParts { regime: Regime::Origin, site, path: target.path(), query: target.query(), cookies: None, form: None }
        .write(&mut key);
    Some(key)
}

#[cfg(test)]
mod tests;
