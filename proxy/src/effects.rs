//! What an answer that passed means for what is stored: a successful unsafe request makes it invalid (RFC 9111 section 4.4,
//! RFC 9875), and what its handler wants forgotten; the answer to a HEAD brings it up to date (RFC 9111 section 4.3.5), and a part may be kept (section 3.3).

mod part;
mod reference;

use std::sync::Arc;

use evergate_cache::{
    Asked, CACHE_GROUP_INVALIDATION, CACHE_GROUPS, Demands, Fields, Groups, Moment, Policy, ResponseHead, Site, Update,
    corrected_initial_age,
};
use http::header::{ACCEPT_ENCODING, CONTENT_LOCATION, LOCATION, VARY};
use http::{Method, StatusCode};

use crate::admission::{origin_key, site};
use crate::fetch::answer::{Received, received};
use crate::forwarded::seen_fields;
use crate::gateway::Gateway;
use crate::invalidation;
use crate::outcome::PassReason;
use crate::passage::Passage;
use crate::request::Request;
use crate::rules::FieldLines;
use crate::snapshot::RouteKind;
use crate::target::Target;
pub use part::PassingPart;
use reference::on_this_site;

/// The head of a handler's answer to a request that passes.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// What was decided about the request.
    pub passage: &'a Passage,
    /// The request.
    pub request: &'a Request,
    /// The head.
    pub response: &'a ResponseHead,
    /// When the handler was asked.
    pub asked: Moment,
    /// What the cache said of its invalidations then.
    pub began: u64,
}

impl Answer<'_> {
    /// Heeds it, before any of it reaches the visitor. A part that may be kept is to be collected.
    pub fn affect(&self, gateway: &Arc<Gateway>) -> Option<PassingPart> {
        let status = self.response.status;
        let method = &self.request.method;
        if *method == Method::GET {
            return PassingPart::of(self, gateway);
        }
        if *method == Method::HEAD {
            self.freshen(gateway);
        } else if !is_safe(method) && (status.is_success() || status.is_redirection()) {
            self.invalidate(gateway);
        }
        None
    }

    /// Forgets what is stored under the target, and under what `Location` and `Content-Location` name on the same site; the groups
    /// that the answer names; and what it says by the fields of this gateway.
    fn invalidate(&self, gateway: &Arc<Gateway>) {
        let Answer { passage, request, response, .. } = *self;
        invalidation::forget_as_sent(gateway, passage, &response.fields);
        let Some(site) = self.site() else { return };
        let now = gateway.clock.now();
        let forget = |target: &str| {
            let Ok(target) = Target::parse(target) else { return };
            // What an answer names is named as visitors do, who may be led elsewhere by a rule or not.
            let addressee = passage.snapshot.addressee(target.matched_path(), None);
            let own = addressee.route().map(|route| route.upstream.name.as_str());
            for upstream in [Some(site.upstream), own.filter(|own| *own != site.upstream)].into_iter().flatten() {
                if let Some(key) = origin_key(&passage.snapshot, &target, Site { upstream, ..site }) {
                    gateway.cache.invalidate(&key, now);
                }
            }
        };
        forget(&passage.target);
        for name in [LOCATION, CONTENT_LOCATION] {
            let named = response.fields.get_all(&name).filter_map(|value| value.to_str().ok());
            for target in named.filter_map(|reference| on_this_site(reference, passage, request)) {
                forget(&target);
            }
        }
        let lines = response.fields.iter().filter(|(name, _)| *name == CACHE_GROUP_INVALIDATION);
        let named: Fields = lines.map(|(name, line)| (name.clone(), line.clone())).collect();
        invalidation::forget_groups(gateway, &Groups::of(&named, &CACHE_GROUP_INVALIDATION, &site.bytes()));
    }

    /// Brings the stored answer to a GET up to date with the answer to a HEAD, or forgets it. Only a HEAD that the cache would
    /// have answered if it could: not one in draft mode, or that wants nothing of it kept.
    fn freshen(&self, gateway: &Gateway) -> Option<()> {
        let Answer { passage, request, response, asked, began } = *self;
        let route = passage.route.as_ref()?;
        let RouteKind::Origin(policy @ Policy::Origin(rules)) = &route.kind else { return None };
        if response.status != StatusCode::OK || !matches!(passage.reason, PassReason::Head(_)) {
            return None;
        }
        let now = gateway.clock.now();
        let Received { head: said, dating, .. } = received(response, now.wall).ok()?;
        let mut head = said.clone();
        if head.fields.contains(&VARY) && !route.codings.is_empty() {
            head.fields.tell_vary(&[ACCEPT_ENCODING]);
        }
        let (key, site, fields) = (self.key()?, self.site()?.bytes(), seen_fields(&request.headers));
        let looked_up = Asked { key: &key, request: &fields, policy, demands: &Demands::default() };
        let age = corrected_initial_age(&said, asked, now);
        let update = Update { head: &said, request: &fields, received: now, age, site: &site, dating };
        gateway.cache.freshen(&looked_up, (&head, now), (asked, began), |stored| {
            // What was for whoever asked says nothing of what others have.
            rules.judge_update(stored, &update).ok()
        });
        Some(())
    }

    /// The key of the target, where its route lives by its handler's word.
    fn key(&self) -> Option<Vec<u8>> {
        let target = Target::parse(&self.passage.target).ok()?;
        origin_key(&self.passage.snapshot, &target, self.site()?)
    }

    /// The site that answered, within which groups count.
    fn site(&self) -> Option<Site<'_>> {
        let host = site(self.request, &self.passage.snapshot).ok()?;
        let (generation, upstream) = (&self.passage.snapshot.generation, &self.passage.upstream.name);
        Some(Site { generation, upstream, scheme: self.request.scheme, host })
    }
}

/// The groups that a response carries.
fn groups_of(head: &ResponseHead, site: &[u8]) -> Groups {
    Groups::of(&head.fields, &CACHE_GROUPS, site)
}

/// Whether a method is known to change nothing (the registry of methods, RFC 9110 section 9.2.1). What is not known may
/// change anything.
fn is_safe(method: &Method) -> bool {
    matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PROPFIND" | "REPORT" | "SEARCH" | "QUERY" | "PRI")
}
