//! What an answer that passed means for what is stored: a successful unsafe request makes it invalid (RFC 9111 section 4.4,
//! RFC 9875), the answer to a HEAD brings it up to date (RFC 9111 section 4.3.5), and a part may be kept (section 3.3).

use bytes::BytesMut;
use evergate_cache::{
    Asked, CACHE_GROUP_INVALIDATION, CACHE_GROUPS, Demands, Extent, Fields, Groups, KeyParts, Moment, OriginVerdict,
    PartTerms, Policy, Regime, ResponseHead, Scheme, Storing, Tagging, Terms, Variant, corrected_initial_age,
};
use http::header::{ACCEPT_ENCODING, CONTENT_LOCATION, LOCATION, VARY};
use http::{Method, StatusCode};
use pingora_http::ResponseHeader;

use crate::admission::{origin_key, site};
use crate::fetch::answer::{Received, received, tell_vary};
use crate::fetch::origin::as_its_handler_says;
use crate::gateway::Gateway;
use crate::handler_request::seen_fields;
use crate::outcome::PassReason;
use crate::passage::Passage;
use crate::request::{Request, host_of};
use crate::snapshot::RouteKind;
use crate::target::Target;

/// Heeds the head of a handler's answer to `request`, before any of it reaches the visitor.
pub fn of_answer(gateway: &Gateway, passage: &Passage, request: &Request, response: &ResponseHeader) {
    let successful = response.status.is_success() || response.status.is_redirection();
    if request.method == Method::HEAD {
        freshen(gateway, passage, request, response);
    } else if !is_safe(&request.method) && successful {
        invalidate(gateway, passage, request, response);
    }
}

/// Whether a method is known to change nothing (the registry of methods, RFC 9110 section 9.2.1). What is not known may
/// change anything.
fn is_safe(method: &Method) -> bool {
    matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PROPFIND" | "REPORT" | "SEARCH" | "QUERY" | "PRI")
}

/// Forgets what is stored under the target, and under what `Location` and `Content-Location` name on the same site.
fn invalidate(gateway: &Gateway, passage: &Passage, request: &Request, response: &ResponseHeader) {
    let Ok(host) = site(request, &passage.snapshot) else { return };
    let forget = |target: &str| {
        let key = Target::parse(target)
            .ok()
            .and_then(|target| origin_key(&passage.snapshot, &target, request.scheme, host.as_deref()));
        if let Some(key) = key {
            gateway.cache.invalidate(&key);
        }
    };
    forget(&passage.target);
    for name in [LOCATION, CONTENT_LOCATION] {
        let named = response.headers.get_all(&name).iter().filter_map(|value| value.to_str().ok());
        for target in named.filter_map(|reference| on_this_site(reference, passage, request)) {
            forget(&target);
        }
    }
    let site = key_site(passage, request, host.as_deref());
    let lines = response.headers.get_all(&CACHE_GROUP_INVALIDATION).iter();
    let named: Fields = lines.map(|line| (CACHE_GROUP_INVALIDATION, line.clone())).collect();
    gateway.cache.invalidate_groups(&Groups::of(&named, &CACHE_GROUP_INVALIDATION, &site));
}

/// The site within which groups count (RFC 9875 section 2.1).
fn key_site(passage: &Passage, request: &Request, host: Option<&str>) -> Vec<u8> {
    let parts = KeyParts {
        regime: Regime::Origin,
        generation: &passage.snapshot.generation,
        upstream: &passage.upstream.name,
        scheme: request.scheme,
        host,
        path: "",
        query: None,
        cookies: None,
    };
    parts.site()
}

/// The target that a URI reference names, if it is on the site that was asked (RFC 3986 section 5.2; RFC 9111 section 4.4: what
/// names another origin is not heeded). Dot segments are resolved by whoever reads the target.
fn on_this_site(reference: &str, passage: &Passage, request: &Request) -> Option<String> {
    let reference = reference.split('#').next().unwrap_or_default();
    let scheme = request.scheme.as_str();
    let (authority, rest) = match reference.split_once("://") {
        Some((named, rest)) if named.eq_ignore_ascii_case(scheme) => cut_authority(rest),
        // What looks like a scheme behind the path is part of a path or query.
        Some((named, _)) if !named.contains(['/', '?']) => return None,
        Some(_) | None => match reference.strip_prefix("//") {
            Some(rest) => cut_authority(rest),
            None => ("", reference),
        },
    };
    if !authority.is_empty() {
        let own = request.authority.as_deref()?;
        let same = with_port(authority, request.scheme) == with_port(own, request.scheme);
        let target = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        return same.then_some(target);
    }
    let path = passage.target.split('?').next().unwrap_or_default();
    match rest.bytes().next() {
        None => Some(passage.target.clone()),
        Some(b'/') => Some(rest.to_owned()),
        Some(b'?') => Some(format!("{path}{rest}")),
        Some(_) => {
            let directory = &path[..path.rfind('/').map_or(0, |slash| slash + 1)];
            Some(format!("{directory}{rest}"))
        }
    }
}

/// What of `host:port/path?query` is the authority.
fn cut_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

/// A host in lower case, and its port, given or not.
fn with_port(authority: &str, scheme: Scheme) -> (String, String) {
    let host = host_of(authority);
    let port = authority[host.len()..].trim_start_matches(':');
    let default = match scheme {
        Scheme::Http => "80",
        Scheme::Https => "443",
    };
    (host.to_ascii_lowercase(), if port.is_empty() { default } else { port }.to_owned())
}

/// A part on its way to a visitor, which is kept once it is whole.
pub struct Passing {
    key: Vec<u8>,
    head: ResponseHead,
    terms: PartTerms,
    received: Moment,
    /// None once there were too many.
    bytes: Option<BytesMut>,
}

/// Begins to collect what answers `request`, if it is a part that may be kept. `began` is what the cache said of its
/// invalidations when the handler was asked.
pub fn collect(
    gateway: &Gateway,
    passage: &Passage,
    request: &Request,
    response: &ResponseHeader,
    (asked, began): (Moment, u64),
) -> Option<Passing> {
    if response.status != StatusCode::PARTIAL_CONTENT || passage.reason != PassReason::Range {
        return None;
    }
    let RouteKind::Origin(Policy::Origin(rules)) = &passage.route.as_ref()?.kind else { return None };
    let now = gateway.clock.now();
    let head = received(response, now.wall).ok()?.head;
    let extent = Extent::announced(&head).filter(|extent| extent.length <= gateway.cache.max_body())?;
    let age = corrected_initial_age(&head, asked, now);
    let fields = seen_fields(&request.headers);
    let Storing { variance, .. } = rules.judge_part(&head, &fields, now, age)?;
    let host = site(request, &passage.snapshot).ok()?;
    let target = Target::parse(&passage.target).ok()?;
    let key = origin_key(&passage.snapshot, &target, request.scheme, host.as_deref())?;
    let terms = PartTerms {
        extent,
        variant: Variant::of(&variance, &fields),
        initial_age: age,
        groups: Groups::of(&head.fields, &CACHE_GROUPS, &key_site(passage, request, host.as_deref())),
        began,
    };
    Some(Passing { key, head, terms, received: now, bytes: Some(BytesMut::new()) })
}

impl Passing {
    /// Adds a piece that passes.
    pub fn push(&mut self, piece: &[u8]) {
        let bytes = self.bytes.take();
        // What is longer than it was announced to be is not kept.
        self.bytes = bytes.filter(|bytes| (bytes.len() + piece.len()) as u64 <= self.terms.extent.length);
        if let Some(bytes) = &mut self.bytes {
            bytes.extend_from_slice(piece);
        }
    }

    /// The part is whole.
    pub fn keep(self, gateway: &Gateway) {
        if let Some(bytes) = self.bytes {
            gateway.cache.keep_part(&self.key, self.head, bytes.freeze(), self.received, self.terms);
        }
    }
}

/// Brings the stored answer to a GET up to date with the answer to a HEAD, or forgets it.
fn freshen(gateway: &Gateway, passage: &Passage, request: &Request, response: &ResponseHeader) {
    let Some(route) = &passage.route else { return };
    let RouteKind::Origin(policy @ Policy::Origin(rules)) = &route.kind else { return };
    if response.status != StatusCode::OK {
        return;
    }
    let (Ok(target), Ok(host)) = (Target::parse(&passage.target), site(request, &passage.snapshot)) else { return };
    let Some(key) = origin_key(&passage.snapshot, &target, request.scheme, host.as_deref()) else { return };
    let now = gateway.clock.now();
    let Ok(Received { head: said, dating, .. }) = received(response, now.wall) else { return };
    let fields = seen_fields(&request.headers);
    let asked = Asked { key: &key, request: &fields, policy, demands: &Demands::default() };
    let mut head = said.clone();
    if head.fields.contains(&VARY) && !route.codings.is_empty() {
        tell_vary(&mut head, &[ACCEPT_ENCODING]);
    }
    gateway.cache.freshen(&asked, &head, now, |stored, _| {
        let age = corrected_initial_age(&said, now, now);
        let (judged, varies_anew) = as_its_handler_says(stored, &said);
        match rules.judge(&judged, &fields, Some(stored), now, age) {
            OriginVerdict::Store(Storing { variance, unshared, sharing }) => Some(Terms {
                initial_age: Some(age),
                variant: varies_anew.then(|| Variant::of(&variance, &fields)),
                sharing,
                groups: Groups::of(&judged.fields, &CACHE_GROUPS, &key_site(passage, request, host.as_deref())),
                recoding: stored.recoding(),
                tagging: Tagging::Never,
                unshared,
                dating,
            }),
            OriginVerdict::Decline(_) | OriginVerdict::Failure => None,
        }
    });
}
