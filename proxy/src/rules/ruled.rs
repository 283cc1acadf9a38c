//! What the rules change of one request and of its answer, on its way with them.

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::fields::Changes;
use crate::request::lists;

/// What rules change of a request's fields, and of its answer's.
#[derive(Clone, Debug, Default)]
pub struct Ruled {
    /// Of the request's fields.
    pub request: Changes,
    /// Of the answer's fields.
    pub response: Changes,
}

impl Ruled {
    /// Changes the fields of a request. Where a rule decides about a field, its visitor has no say in it: neither under a
    /// name that some handlers take for the same, nor by naming it in `Connection`, with which it would end here.
    pub fn change(&self, headers: &mut HeaderMap) {
        if self.request.is_empty() {
            return;
        }
        for name in self.request.decided() {
            for alike in alikes(headers, name) {
                headers.remove(alike);
            }
        }
        let nominated = headers.get_all(CONNECTION).iter().any(|line| {
            let mut items = line.as_bytes().split(|byte| *byte == b',');
            items.any(|item| HeaderName::from_bytes(item.trim_ascii()).is_ok_and(|name| self.request.concern(&name)))
        });
        if nominated {
            keep_upgrade_alone(headers);
        }
        self.request.apply(headers);
    }
}

/// The fields whose names handlers of the CGI family cannot tell from `name`.
pub fn alikes(headers: &HeaderMap, name: &HeaderName) -> Vec<HeaderName> {
    let plain = |name: &HeaderName| name.as_str().replace('_', "-");
    let wanted = plain(name);
    headers.keys().filter(|known| plain(known) == wanted).cloned().collect()
}

/// Of what a `Connection` says, only that the visitor wants to leave HTTP is needed further on.
fn keep_upgrade_alone(headers: &mut HeaderMap) {
    let upgrade = headers.get_all(CONNECTION).iter().any(|line| lists(line.as_bytes(), b"upgrade"));
    headers.remove(CONNECTION);
    if upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}
