//! A part on its way to a visitor, which is kept once it is whole (RFC 9111 section 3.3).

use bytes::BytesMut;
use evergate_cache::{Extent, Moment, PartTerms, Policy, ResponseHead, Storing, Variant, corrected_initial_age};
use http::StatusCode;

use super::{Answer, groups_of};
use crate::fetch::answer::{Received, received};
use crate::forwarded::seen_fields;
use crate::gateway::Gateway;
use crate::outcome::PassReason;
use crate::snapshot::RouteKind;
use crate::target::Target;

/// A part on its way to a visitor.
pub struct PassingPart {
    key: Vec<u8>,
    head: ResponseHead,
    terms: PartTerms,
    received: Moment,
    /// None once there were too many.
    bytes: Option<BytesMut>,
}

impl PassingPart {
    /// Begins to collect an answer, if it is a part that may be kept.
    pub(super) fn of(answer: &Answer<'_>, gateway: &Gateway) -> Option<PassingPart> {
        let Answer { passage, request, response, asked, began } = *answer;
        if response.status != StatusCode::PARTIAL_CONTENT || !matches!(passage.reason, PassReason::Range(_)) {
            return None;
        }
        let route = passage.route.as_ref()?;
        let RouteKind::Origin(Policy::Origin(rules)) = &route.kind else { return None };
        let now = gateway.clock.now();
        let Received { head, tags, .. } = received(response, now.wall).ok()?;
        let extent = Extent::announced(&head).filter(|extent| extent.length <= gateway.cache.max_body())?;
        let age = corrected_initial_age(&head, asked, now);
        let fields = seen_fields(&request.headers);
        let Storing { variance, .. } = rules.judge_part(&head, &fields, now, age)?;
        let target = Target::parse(&passage.target).ok()?;
        let params = passage.snapshot.table.find(target.matched_path())?.params();
        let terms = PartTerms {
            extent,
            variant: Variant::of(&variance, &fields),
            initial_age: age,
            groups: groups_of(&head, &answer.site()?.bytes()),
            tags: route.tagger.tags(target.path(), &params, &tags),
            began,
        };
        Some(PassingPart { key: answer.key()?, head, terms, received: now, bytes: Some(BytesMut::new()) })
    }

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
            gateway.cache.keep_part(&self.key, self.head, &bytes, self.received, self.terms);
        }
    }
}
