//! Heads in the framework's hands, to and from those in which the pass-through decides.

use evergate_cache::ResponseHead;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderName, HeaderValue};
use pingora_http::{RequestHeader, ResponseHeader};

use super::passing::Passing;
use crate::rules::FieldLines;

/// What the framework sends to a server of this name. `before` is what it has made of the visitor's head by itself: the fields with
/// which the connection is asked to leave HTTP are the framework's own.
pub(super) fn request(
    passing: &Passing,
    server: &HeaderValue,
    before: &RequestHeader,
) -> pingora::Result<RequestHeader> {
    let (passage, request) = (passing.passage(), passing.request());
    let mut head =
        RequestHeader::build(request.method.clone(), passage.target.as_bytes(), Some(before.headers.len() + 8))?;
    let mut built = Ok(());
    passing.each_line(server, |name, value| {
        // Name and value are those of fields, so they are always accepted.
        if let Ok(value) = HeaderValue::from_bytes(value)
            && let Err(error) = head.append_header(name.clone(), value)
        {
            built = Err(error);
        }
    });
    built?;
    if request.wants_upgrade() {
        for name in [CONNECTION, UPGRADE] {
            for value in before.headers.get_all(&name) {
                head.append_header(name.clone(), value)?;
            }
        }
    }
    Ok(head)
}

/// The head of an answer.
pub(super) fn read(response: &ResponseHeader) -> ResponseHead {
    let fields = response.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    ResponseHead { status: response.status, fields }
}

/// Gives an answer these fields and no others.
pub(super) fn replace(response: &mut ResponseHeader, head: &ResponseHead) -> pingora::Result<()> {
    let names: Vec<HeaderName> = response.headers.keys().cloned().collect();
    for name in names {
        response.remove_header(&name);
    }
    for (name, value) in head.fields.iter() {
        response.append_header(name.clone(), value)?;
    }
    Ok(())
}

impl FieldLines for ResponseHeader {
    fn all<'l>(&'l self, name: &'l HeaderName) -> impl Iterator<Item = &'l HeaderValue> {
        self.headers.get_all(name).iter()
    }

    fn take_away(&mut self, name: &HeaderName) {
        self.remove_header(name);
    }

    fn add(&mut self, name: &HeaderName, value: &HeaderValue) {
        // Names and values of these types are always accepted.
        let _ = self.append_header(name.clone(), value.clone());
    }
}
