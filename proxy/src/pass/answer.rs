//! The head of an answer that passes: what it must not be, and what is said beside it.

use std::sync::Arc;

use evergate_cache::{EVERGATE_CACHE_CONTROL, Fields, ResponseHead, asks_to_be_kept};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, ETAG, EXPIRES, LAST_MODIFIED, TRANSFER_ENCODING};
use http::{HeaderValue, Method, StatusCode};

use crate::clock::Clock;
use crate::config::DownstreamTags;
use crate::failure::Failure;
use crate::fetch::answer::checked;
use crate::outcome::PassReason;
use crate::passage::Passage;
use crate::request::Request;
use crate::snapshot::{Route, RouteKind, Wanting};
use crate::tags::{REVALIDATION_FIELDS, TAG_FIELDS, sent, told};

/// Refuses what a handler's answer must not be, and leaves one length where it gave several of the same.
pub(super) fn check(request: &Request, head: &mut ResponseHead) -> Result<(), Failure> {
    let unasked = head.status == StatusCode::SWITCHING_PROTOCOLS && !request.wants_upgrade();
    if unasked || checked(head).is_err() {
        return Err(Failure::Malformed);
    }
    let bodiless = head.status == StatusCode::NO_CONTENT || head.status.is_informational();
    if bodiless {
        head.fields.retain(|name, _| *name != CONTENT_LENGTH && *name != TRANSFER_ENCODING);
    } else if let Some(length) = repeated_length(&head.fields) {
        head.fields.remove(&CONTENT_LENGTH);
        head.fields.append(CONTENT_LENGTH, length);
    }
    Ok(())
}

/// The length that an answer tells several times. Whoever has read it has made sure that all of them are the same (RFC 9110
/// section 8.6).
fn repeated_length(fields: &Fields) -> Option<HeaderValue> {
    let mut lengths = fields.get_all(&CONTENT_LENGTH).map(HeaderValue::as_bytes);
    let first = lengths.next()?;
    let length = first.split(|byte| *byte == b',').next()?.trim_ascii();
    let several = lengths.next().is_some() || length.len() != first.len();
    HeaderValue::from_bytes(length).ok().filter(|_| several)
}

/// Removes what is for the gateway alone; tags remain in the one field in which caches in front are told of them.
pub(super) fn keep_for_ourselves(fields: &mut Fields, form: Option<DownstreamTags>) {
    let told = form.and_then(|form| told(form, sent(fields).iter().map(String::as_str)));
    fields.retain(|name, _| {
        !TAG_FIELDS.iter().any(|(tags, _)| tags == name)
            && !REVALIDATION_FIELDS.contains(name)
            && *name != EVERGATE_CACHE_CONTROL
    });
    if let Some((name, value)) = told {
        fields.append(name, value);
    }
}

/// Whether an answer asks to be kept where the route takes that for an error (`fetch_cache: only-no-store`).
pub(super) fn is_refused(passage: &Passage, request: &Request, head: &ResponseHead, clock: &Clock) -> bool {
    let asked = request.method == Method::GET || request.method == Method::HEAD;
    let refuses = passage.route.as_ref().is_some_and(|route| route.wanting == Wanting::Refused);
    asked && refuses && asks_to_be_kept(head, clock.now())
}

/// Whether a route lives by its handler's word.
pub(super) fn by_origin(route: &Arc<Route>) -> bool {
    matches!(route.kind, RouteKind::Origin(_))
}

/// Whether nobody on the way may keep an answer that says nothing about it: what a route declined, and successful answers of
/// dynamic routes that carry no validator to ask with. What no route matches is not touched, nor what its handler decides.
pub(super) fn must_not_be_kept(passage: &Passage, request: &Request, head: &ResponseHead) -> bool {
    if passage.route.as_ref().is_none_or(by_origin) || head.fields.contains(&CACHE_CONTROL) {
        return false;
    }
    if matches!(passage.reason, PassReason::Declined(_)) {
        return true;
    }
    let asked = request.method == Method::GET || request.method == Method::HEAD;
    let silent = [EXPIRES, ETAG, LAST_MODIFIED].iter().all(|name| !head.fields.contains(name));
    asked && silent && head.status == StatusCode::OK
}
