//! The head of an answer that passes: what it must not be, and what is said beside it.

use std::sync::Arc;

use evergate_cache::{EVERGATE_CACHE_CONTROL, Moment, ResponseHead, asks_to_be_kept};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, ETAG, EXPIRES, LAST_MODIFIED, TRANSFER_ENCODING};
use http::{Method, StatusCode};
use pingora::{Error, ErrorType};
use pingora_http::ResponseHeader;

use crate::config::DownstreamTags;
use crate::failure::ASKS_TO_BE_KEPT;
use crate::fetch::answer::checked;
use crate::outcome::PassReason;
use crate::passage::Passage;
use crate::request::Request;
use crate::snapshot::{Route, RouteKind, Wanting};
use crate::tags::{REVALIDATION_FIELDS, TAG_FIELDS, sent, told};

/// Refuses what a handler's answer must not be, and leaves one length where it gave several of the same.
pub(super) fn check_answer(request: &Request, response: &mut ResponseHeader) -> pingora::Result<()> {
    let unasked = response.status == StatusCode::SWITCHING_PROTOCOLS && !request.wants_upgrade();
    if unasked || checked(response).is_err() {
        return Err(
            Error::explain(ErrorType::InvalidHTTPHeader, "the handler's answer can be read in two ways").into_up()
        );
    }
    let bodiless = response.status == StatusCode::NO_CONTENT || response.status.is_informational();
    if bodiless {
        response.remove_header(&CONTENT_LENGTH);
        response.remove_header(&TRANSFER_ENCODING);
    } else if let Some(length) = first_length(response) {
        // The framework has made sure that all of them are the same (RFC 9110 section 8.6).
        response.insert_header(CONTENT_LENGTH, length)?;
    }
    Ok(())
}

/// The first of the lengths that an answer tells.
fn first_length(response: &ResponseHeader) -> Option<String> {
    let first = response.headers.get(CONTENT_LENGTH)?.to_str().ok()?;
    Some(first.split(',').next()?.trim().to_owned())
}

/// Removes what is for the gateway alone; tags remain in the one field in which caches in front are told of them.
pub(super) fn keep_for_ourselves(response: &mut ResponseHeader, form: Option<DownstreamTags>) -> pingora::Result<()> {
    let told = form.and_then(|form| told(form, sent(&response.headers).iter().map(String::as_str)));
    let tags = TAG_FIELDS.map(|(name, _)| name).into_iter();
    for name in tags.chain(REVALIDATION_FIELDS).chain([EVERGATE_CACHE_CONTROL]) {
        response.remove_header(&name);
    }
    if let Some((name, value)) = told {
        response.insert_header(name, value)?;
    }
    Ok(())
}

/// Whether an answer asks to be kept where the route takes that for an error (`fetch_cache: only-no-store`).
pub(super) fn is_refused(passage: &Passage, request: &Request, response: &ResponseHeader, now: Moment) -> bool {
    let asked = request.method == Method::GET || request.method == Method::HEAD;
    let refuses = passage.route.as_ref().is_some_and(|route| route.wanting == Wanting::Refused);
    asked && refuses && {
        let fields = response.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        asks_to_be_kept(&ResponseHead { status: response.status, fields }, now)
    }
}

/// Asking again would bring the same.
pub(super) fn refused() -> Box<Error> {
    let mut error = Error::explain(ErrorType::Custom(ASKS_TO_BE_KEPT), "the answer asks to be kept").into_up();
    error.set_retry(false);
    error
}

/// Whether a route lives by its handler's word.
pub(super) fn by_origin(route: &Arc<Route>) -> bool {
    matches!(route.kind, RouteKind::Origin(_))
}

/// Whether nobody on the way may keep an answer that says nothing about it: what a route declined, and successful answers of
/// dynamic routes that carry no validator to ask with. What no route matches is not touched, nor what its handler decides.
pub(super) fn must_not_be_kept(passage: &Passage, request: &Request, response: &ResponseHeader) -> bool {
    if passage.route.as_ref().is_none_or(by_origin) || response.headers.contains_key(CACHE_CONTROL) {
        return false;
    }
    if matches!(passage.reason, PassReason::Declined(_)) {
        return true;
    }
    let asked = request.method == Method::GET || request.method == Method::HEAD;
    let silent = [EXPIRES, ETAG, LAST_MODIFIED].iter().all(|name| !response.headers.contains_key(name));
    asked && silent && response.status == StatusCode::OK
}
