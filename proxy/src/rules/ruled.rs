//! What the rules change of one request and of its answer, on its way with them.

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName};

use super::fields::Changes;

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
        self.end_nominations(headers);
        self.request.apply(headers);
    }

    /// A field that the visitor's `Connection` names ends here (RFC 9110 section 7.6.1): the visitor's, not a rule's.
    fn end_nominations(&self, headers: &mut HeaderMap) {
        let lines = headers.get_all(CONNECTION).iter();
        let items: Vec<HeaderName> = lines
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .filter_map(|item| HeaderName::from_bytes(item.trim_ascii()).ok())
            .collect();
        if !items.iter().any(|item| self.request.concern(item)) {
            return;
        }
        headers.remove(CONNECTION);
        for item in items {
            if self.request.concern(&item) {
                headers.remove(item);
            } else {
                headers.append(CONNECTION, item.into());
            }
        }
    }
}

/// The fields whose names handlers of the CGI family cannot tell from `name`.
pub fn alikes(headers: &HeaderMap, name: &HeaderName) -> Vec<HeaderName> {
    let plain = |name: &HeaderName| name.as_str().replace('_', "-");
    let wanted = plain(name);
    headers.keys().filter(|known| plain(known) == wanted).cloned().collect()
}
