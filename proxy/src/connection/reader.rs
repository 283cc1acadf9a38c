//! The heads of one connection, one after the other. Visitors and the proxies between send much the same fields with every request
//! of a connection: fields that come again byte for byte are not read again.

use std::net::IpAddr;

use evergate_cache::Scheme;
use http::{HeaderMap, Method};

use super::head::{self, BodyFraming, Refusal, RequestHead};
use crate::request::{BodyPresence, Protocol, Request};

/// Longest fields that are remembered, in bytes: a connection that is idle holds no more.
const REMEMBERED: usize = 4 * 1024;

/// What reads the heads of a connection, and the request that it read last.
#[derive(Debug)]
pub struct Reader {
    request: Request,
    framing: BodyFraming,
    /// The fields that the request came with, as they came, up to and with the empty line; empty when they say nothing of the next.
    fields: Vec<u8>,
}

impl Reader {
    /// A reader of what `peer` sends over connections of this scheme, which has read nothing yet.
    pub fn new(peer: Option<IpAddr>, scheme: Scheme) -> Reader {
        Reader { request: nothing(peer, scheme), framing: BodyFraming::None, fields: Vec::new() }
    }

    /// The last request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What follows its head.
    pub fn framing(&self) -> BodyFraming {
        self.framing
    }

    /// The last request, for whoever keeps it. The next is read whole.
    pub fn take(&mut self) -> Request {
        self.fields.clear();
        let nothing = nothing(self.request.peer, self.request.scheme);
        std::mem::replace(&mut self.request, nothing)
    }

    /// The length of the head at the beginning of `read`, if its fields are those of the last one, byte for byte. The end need not
    /// be searched for then: it is where it was.
    pub fn repeated(&self, read: &[u8]) -> Option<usize> {
        if self.fields.is_empty() {
            return None;
        }
        let (line, fields) = split(read)?;
        let plain = line.iter().all(|byte| matches!(byte, b' '..=b'~'));
        (plain && fields.starts_with(&self.fields)).then(|| read.len() - fields.len() + self.fields.len())
    }

    /// Reads a whole head, which is free of bare line ends and control characters.
    ///
    /// # Errors
    ///
    /// Those of [`head::parse`].
    pub fn read(&mut self, head: &[u8]) -> Result<(), Refusal> {
        if let Some((line, fields)) = split(head)
            && fields == self.fields
            && self.read_line(line)?
        {
            return Ok(());
        }
        self.fields.clear();
        let RequestHead { method, target, authority, protocol, headers, framing, keep_alive } = head::parse(head)?;
        let body = match framing {
            BodyFraming::None => BodyPresence::None,
            BodyFraming::Length(_) | BodyFraming::Chunked => BodyPresence::Some,
        };
        self.framing = framing;
        let (peer, scheme) = (self.request.peer, self.request.scheme);
        self.request = Request { method, target, authority, headers, body, keep_alive, peer, scheme, protocol };
        // What an absolute target says of the host, the fields do not.
        if let Some((line, fields)) = split(head)
            && fields.len() <= REMEMBERED
            && head::request_line(line).is_ok_and(|(_, target, _)| target.starts_with('/'))
        {
            self.fields.extend_from_slice(fields);
        }
        Ok(())
    }

    /// Reads the request line before fields that came before. False where these mean something else after it.
    fn read_line(&mut self, line: &[u8]) -> Result<bool, Refusal> {
        let (method, target, protocol) = head::request_line(line)?;
        if !target.starts_with('/') || protocol != self.request.protocol {
            return Ok(false);
        }
        self.request.method = method;
        self.request.target.clear();
        self.request.target.push_str(target);
        Ok(true)
    }
}

/// The request line without its end, and what comes after it.
fn split(head: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = head.iter().position(|byte| *byte == b'\n')?;
    Some((head[..end].strip_suffix(b"\r")?, &head[end + 1..]))
}

/// What stands in the log for a request that could not be read.
fn nothing(peer: Option<IpAddr>, scheme: Scheme) -> Request {
    Request {
        method: Method::GET,
        target: String::from("-"),
        authority: None,
        headers: HeaderMap::new(),
        body: BodyPresence::None,
        keep_alive: false,
        peer,
        scheme,
        protocol: Protocol::Http11,
    }
}

#[cfg(test)]
mod tests;
