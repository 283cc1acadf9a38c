//! What the rules change of heads in the framework's hands.

use http::{HeaderName, HeaderValue};
use pingora_http::{RequestHeader, ResponseHeader};

use crate::rules::{FieldLines, Ruled, alikes};

/// Makes the changes of the rules to the head that the framework sends on. It has read the visitor's, so what they decide is
/// decided here once more.
pub(super) fn make(request: &mut RequestHeader, ruled: &Ruled) {
    for name in ruled.request.decided() {
        for alike in alikes(&request.headers, name) {
            request.remove_header(&alike);
        }
    }
    ruled.request.apply(request);
}

impl FieldLines for RequestHeader {
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
