//! What the origin answers, and how: in which pieces, how slowly, up to where.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use crate::gate::Gate;
use crate::wire::{self, Fields};

/// A reply of the origin: what it says and how it misbehaves.
///
/// No field is added but the one that frames the body (none where the reply brings its own `content-length` or
/// `transfer-encoding`; then the body is written as it is): no `date`, no `content-type`. Settings may come in any order.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) kind: Kind,
    pub(crate) status: u16,
    pub(crate) headers: Fields,
    pub(crate) pieces: Vec<Bytes>,
    framing: Option<Framing>,
    pub(crate) trailers: Fields,
    pub(crate) interim: Vec<(u16, Fields)>,
    pub(crate) pause: Option<Duration>,
    pub(crate) head_gate: Option<Gate>,
    pub(crate) gates: Vec<(usize, Gate)>,
    pub(crate) extent: Extent,
}

/// The sorts of reply.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Answer,
    Raw(Bytes),
    HangUpBeforeHead,
    Never,
    UpgradeEcho,
}

/// How the end of the body is made known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
    /// The reply's own fields say it.
    Own,
}

/// How much of the body is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    Whole,
    /// So many bytes, then the connection is closed.
    UpTo(usize),
    /// The body again and again, without end.
    Endless,
}

impl Reply {
    /// A 200 with this body, by `content-length`.
    pub fn ok(body: impl AsRef<[u8]>) -> Reply {
        let mut reply = Reply::of(Kind::Answer);
        reply.pieces = vec![Bytes::copy_from_slice(body.as_ref())];
        reply
    }

    /// Exactly these bytes, then the connection is closed.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Reply {
        Reply::of(Kind::Raw(Bytes::copy_from_slice(bytes.as_ref())))
    }

    /// No reply: the connection stays open until the peer closes it.
    #[must_use]
    pub fn never() -> Reply {
        Reply::of(Kind::Never)
    }

    /// No reply: the connection is closed once the request has been read.
    #[must_use]
    pub fn hang_up_before_head() -> Reply {
        Reply::of(Kind::HangUpBeforeHead)
    }

    /// A 101 to the protocol that was asked for, then every byte is sent back as it comes.
    #[must_use]
    pub fn upgrade_echo() -> Reply {
        let mut reply = Reply::of(Kind::UpgradeEcho);
        reply.status = 101;
        reply
    }

    fn of(kind: Kind) -> Reply {
        Reply {
            kind,
            status: 200,
            headers: Fields::new(),
            pieces: Vec::new(),
            framing: None,
            trailers: Fields::new(),
            interim: Vec::new(),
            pause: None,
            head_gate: None,
            gates: Vec::new(),
            extent: Extent::Whole,
        }
    }

    /// Sets the status code.
    #[must_use]
    pub fn status(mut self, status: u16) -> Reply {
        self.status = status;
        self
    }

    /// Adds a field line, byte for byte.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Reply {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Replaces the body by these pieces, chunked (a chunk each) unless another setting frames them.
    #[must_use]
    pub fn chunks<Piece: AsRef<[u8]>>(mut self, pieces: impl IntoIterator<Item = Piece>) -> Reply {
        let copy = |piece: Piece| Bytes::copy_from_slice(piece.as_ref());
        self.pieces = pieces.into_iter().map(copy).collect();
        self.framing.get_or_insert(Framing::Chunked);
        self
    }

    /// Waits this long before each piece of the body but the first.
    #[must_use]
    pub fn pause_between(mut self, pause: Duration) -> Reply {
        self.pause = Some(pause);
        self
    }

    /// Holds the reply before its head (and after its interim answers) until the gate opens.
    #[must_use]
    pub fn gate(mut self, gate: &Gate) -> Reply {
        self.head_gate = Some(gate.clone());
        self
    }

    /// Holds the reply after `pieces` pieces of its body until the gate opens; 0 holds it between head and body.
    #[must_use]
    pub fn gate_after(mut self, pieces: usize, gate: &Gate) -> Reply {
        self.gates.push((pieces, gate.clone()));
        self
    }

    /// Closes the connection after `length` bytes of the body, or at its end without saying that it is the end.
    #[must_use]
    pub fn hang_up_after(mut self, length: usize) -> Reply {
        self.extent = Extent::UpTo(length);
        self
    }

    /// Sends the pieces of the body again and again, chunked, until the peer goes away. They should be spaced by
    /// [`Reply::pause_between`], which then applies between rounds as well.
    #[must_use]
    pub fn endless(mut self) -> Reply {
        self.extent = Extent::Endless;
        self.framing.get_or_insert(Framing::Chunked);
        self
    }

    /// Ends the body by closing the connection.
    #[must_use]
    pub fn without_length(mut self) -> Reply {
        self.framing = Some(Framing::UntilClose);
        self
    }

    /// Declares this length, true or not; when it is not, the connection is closed after the body.
    #[must_use]
    pub fn content_length(mut self, length: u64) -> Reply {
        self.framing = Some(Framing::Length(length));
        self
    }

    /// Adds a field after the last chunk; the body is chunked.
    #[must_use]
    pub fn trailer(mut self, name: impl Into<String>, value: impl Into<String>) -> Reply {
        self.trailers.push((name.into(), value.into()));
        self.framing = Some(Framing::Chunked);
        self
    }

    /// Sends an interim answer (1xx) first.
    #[must_use]
    pub fn interim(mut self, status: u16, headers: &[(&str, &str)]) -> Reply {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let fields = headers.iter().map(owned).collect();
        self.interim.push((status, fields));
        self
    }

    /// How the end of the body is made known.
    pub(crate) fn framing(&self) -> Framing {
        let own = |name: &str| !wire::values(&self.headers, name).is_empty();
        if own("content-length") || own("transfer-encoding") {
            return Framing::Own;
        }
        self.framing.unwrap_or(Framing::Length(self.length()))
    }

    /// Whether the status allows a body (RFC 9110, section 6.4.1).
    pub(crate) fn has_body(&self) -> bool {
        !matches!(self.status, 100..=199 | 204 | 304)
    }

    /// The number of bytes in the body.
    pub(crate) fn length(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    /// The head, with its empty line.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut fields = self.headers.clone();
        let mut add = |name: &str, value: &str| fields.push((name.to_owned(), value.to_owned()));
        if self.has_body() {
            match self.framing() {
                Framing::Length(length) => add("content-length", &length.to_string()),
                Framing::Chunked => add("transfer-encoding", "chunked"),
                Framing::UntilClose => add("connection", "close"),
                Framing::Own => {}
            }
        }
        head(self.status, &fields)
    }
}

/// A head with this status and these fields, with its empty line.
pub(crate) fn head(status: u16, fields: &Fields) -> Vec<u8> {
    let known = StatusCode::from_u16(status).ok();
    let reason = known.and_then(|status| status.canonical_reason());
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason.unwrap_or_default());
    for (name, value) in fields {
        // Writing to a string cannot fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}
