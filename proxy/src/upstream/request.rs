//! The head of a request to a handler, as HTTP/1.1 writes it.

use bytes::BytesMut;
use http::{HeaderName, Method};

/// Room for an ordinary head, in bytes.
const ORDINARY: usize = 1024;

/// A head that is being written.
#[derive(Debug)]
pub struct RequestHead {
    text: BytesMut,
    /// Whether the answer has no body whatever it says (RFC 9110 section 9.3.2).
    pub(super) head_only: bool,
}

impl RequestHead {
    /// The head of a request without a body. Lines follow.
    pub fn new(method: &Method, target: &str) -> RequestHead {
        let mut text = BytesMut::with_capacity(ORDINARY);
        for part in [method.as_str(), " ", target, " HTTP/1.1\r\n"] {
            text.extend_from_slice(part.as_bytes());
        }
        RequestHead { text, head_only: *method == Method::HEAD }
    }

    /// Adds a line. `value` is one that a field may have.
    pub fn line(&mut self, name: &HeaderName, value: &[u8]) {
        for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
            self.text.extend_from_slice(part);
        }
    }

    /// Ends it.
    #[must_use]
    pub fn ended(mut self) -> RequestHead {
        self.text.extend_from_slice(b"\r\n");
        self
    }

    /// What is sent.
    pub fn bytes(&self) -> &[u8] {
        &self.text
    }
}
