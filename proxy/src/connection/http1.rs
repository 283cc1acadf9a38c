//! The HTTP/1.1 writer: responses as bytes.

use bytes::{Bytes, BytesMut};
use evergate_cache::ResponseHead;
use http::{Method, StatusCode};

use super::transport::Transport;
use crate::request::{Protocol, Request};
use crate::respond::{Framing, Gone, Head, Lines, Responder, SLOWEST_WRITE, WholeBody};

/// A response on an HTTP/1 connection.
#[derive(Debug)]
pub struct Http1Responder<'a> {
    transport: &'a mut Transport,
    out: &'a mut Scratch,
    message: Message,
}

/// Room for a head that a connection keeps between responses, in bytes.
const ORDINARY_HEAD: usize = 16 * 1024;

/// Longest body that is copied to its head, so that both are one piece for the system, in bytes: below it that costs less than
/// to name the two. Measured with the benchmark of hits.
const JOINED: usize = 4 * 1024;

/// What ends a body in chunks (RFC 9112 section 7.1).
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Buffers that a connection keeps from response to response.
#[derive(Debug, Default)]
pub struct Scratch {
    out: BytesMut,
    value: String,
    /// The body behind what is in `out`, where it is too long to be copied.
    body: Option<WholeBody>,
}

/// How the body under way is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// As it comes, up to its length.
    Plain,
    /// As it comes, until the connection closes.
    UntilClose,
    /// In chunks.
    Chunked,
    /// There is none, or it is not wanted.
    Dropped,
}

/// The response under way, whether it goes to the connection at once or with others.
#[derive(Debug)]
struct Message {
    head_only: bool,
    protocol: Protocol,
    keep_alive: bool,
    body: Body,
    sent: u64,
}

impl Message {
    fn new(request: &Request, keep_alive: bool) -> Message {
        let head_only = request.method == Method::HEAD;
        Message { head_only, protocol: request.protocol, keep_alive, body: Body::Plain, sent: 0 }
    }

    /// Puts an interim answer into `out`. False where the protocol knows none (RFC 9110 section 15.2).
    fn put_interim(&self, out: &mut BytesMut, head: &ResponseHead) -> bool {
        if self.protocol == Protocol::Http10 {
            return false;
        }
        put_status_line(out, head.status, None);
        for (name, value) in head.fields.iter() {
            put_line(out, name.as_str(), value.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        true
    }

    /// Puts a head into `out`.
    fn put_head(&mut self, scratch: &mut Scratch, head: &Head<'_>, framing: Framing) {
        let out = &mut scratch.out;
        match &head.lines {
            Lines::Stored(representation) => out.extend_from_slice(representation.wire()),
            Lines::Given(..) | Lines::Amended(..) | Lines::Passed(..) => {
                put_status(out, &head.lines);
                for (name, value) in head.lines.fields().iter() {
                    put_line(out, name.as_str(), value.as_bytes());
                }
            }
        }
        head.each_added(&mut scratch.value, |name, value| put_line(out, name, value));
        self.body = match (framing, &head.lines) {
            (Framing::Bodiless, _) => Body::Dropped,
            // The fields of a stored response tell its length.
            (Framing::Length(_), Lines::Stored(_)) => Body::Plain,
            (Framing::Length(length), Lines::Given(..) | Lines::Amended(..) | Lines::Passed(..)) => {
                put_display(out, format_args!("content-length: {length}\r\n"));
                Body::Plain
            }
            (Framing::Unknown, _) if self.protocol == Protocol::Http10 => {
                self.keep_alive = false;
                Body::UntilClose
            }
            (Framing::Unknown, _) => {
                put_line(out, "transfer-encoding", b"chunked");
                Body::Chunked
            }
        };
        if self.head_only {
            self.body = Body::Dropped;
        }
        match (self.keep_alive, self.protocol) {
            (false, _) => put_line(out, "connection", b"close"),
            (true, Protocol::Http10) => put_line(out, "connection", b"keep-alive"),
            (true, Protocol::Http11 | Protocol::Http2) => {}
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Puts the first piece of a body behind its head, and the end where it is the last.
    fn put_first(&mut self, scratch: &mut Scratch, piece: &Bytes, last: bool) {
        match self.body {
            Body::Dropped => return,
            Body::Chunked => {
                put_chunk(&mut scratch.out, piece);
                if last {
                    scratch.out.extend_from_slice(LAST_CHUNK);
                }
            }
            Body::Plain | Body::UntilClose if piece.len() <= JOINED => scratch.out.extend_from_slice(piece),
            Body::Plain | Body::UntilClose => scratch.body = Some(WholeBody::Given(piece.clone())),
        }
        self.sent += piece.len() as u64;
    }

    /// Puts a whole response into `scratch`.
    fn put_whole(&mut self, scratch: &mut Scratch, head: &Head<'_>, body: WholeBody) {
        let bodiless = matches!(head.lines.status().as_u16(), 204 | 304);
        let framing = if bodiless { Framing::Bodiless } else { Framing::Length(body.len() as u64) };
        self.put_head(scratch, head, framing);
        match self.body {
            Body::Dropped => {}
            Body::Plain | Body::UntilClose | Body::Chunked => {
                self.sent += body.len() as u64;
                if body.len() <= JOINED {
                    scratch.out.extend_from_slice(&body);
                } else {
                    scratch.body = Some(body);
                }
            }
        }
    }
}

impl Scratch {
    /// How much is waiting to be written, in bytes.
    pub fn waiting(&self) -> usize {
        self.out.len() + self.body.as_ref().map_or(0, |body| body.len())
    }

    /// Whether more may be put behind what is waiting.
    pub fn takes_more(&self) -> bool {
        self.body.is_none() && self.out.len() < ORDINARY_HEAD
    }

    /// Writes what is waiting.
    ///
    /// # Errors
    ///
    /// [`Gone`] when the visitor takes it too slowly or not at all.
    pub async fn write(&mut self, transport: &mut Transport) -> Result<(), Gone> {
        let [first, second] = self.pieces();
        let written = transport.write_both(first, second, SLOWEST_WRITE).await;
        self.clear();
        written.map_err(|_| Gone)
    }

    /// What is waiting, in the order of the wire.
    pub fn pieces(&self) -> [&[u8]; 2] {
        [&self.out, self.body.as_deref().unwrap_or_default()]
    }

    /// Forgets what is waiting. The room stays for the next response, unless that is far more than an ordinary head takes.
    pub fn clear(&mut self) {
        self.body = None;
        if self.out.capacity() > ORDINARY_HEAD + JOINED {
            self.out = BytesMut::new();
        } else {
            self.out.clear();
        }
    }
}

impl<'a> Http1Responder<'a> {
    /// A responder to `request`. `keep_alive` tells whether the connection may be used again afterwards.
    pub fn new(transport: &'a mut Transport, out: &'a mut Scratch, request: &Request, keep_alive: bool) -> Self {
        Http1Responder { transport, out, message: Message::new(request, keep_alive) }
    }

    /// Whether the connection may be used again.
    pub fn keeps_alive(&self) -> bool {
        self.message.keep_alive
    }

    /// Bytes of body sent.
    pub fn sent(&self) -> u64 {
        self.message.sent
    }

    async fn write(&mut self, first: &[u8], second: &[u8]) -> Result<(), Gone> {
        let written = self.transport.write_both(first, second, SLOWEST_WRITE).await;
        written.map_err(|_| {
            self.message.keep_alive = false;
            Gone
        })
    }

    async fn write_scratch(&mut self) -> Result<(), Gone> {
        let written = self.out.write(self.transport).await;
        self.message.keep_alive &= written.is_ok();
        written
    }
}

impl Responder for Http1Responder<'_> {
    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Gone> {
        if self.message.put_interim(&mut self.out.out, head) { self.write_scratch().await } else { Ok(()) }
    }

    async fn head(&mut self, head: &Head<'_>, framing: Framing) -> Result<(), Gone> {
        self.message.put_head(self.out, head, framing);
        self.write_scratch().await
    }

    async fn begin(&mut self, head: &Head<'_>, framing: Framing, piece: Bytes, last: bool) -> Result<(), Gone> {
        self.message.put_head(self.out, head, framing);
        self.message.put_first(self.out, &piece, last);
        self.write_scratch().await
    }

    async fn piece(&mut self, piece: Bytes) -> Result<(), Gone> {
        self.message.sent += piece.len() as u64;
        match self.message.body {
            Body::Dropped => Ok(()),
            Body::Plain | Body::UntilClose => self.write(&piece, &[]).await,
            Body::Chunked if piece.is_empty() => Ok(()),
            Body::Chunked => {
                put_chunk(&mut self.out.out, &piece);
                self.write_scratch().await
            }
        }
    }

    async fn end(&mut self) -> Result<(), Gone> {
        match self.message.body {
            Body::Plain | Body::UntilClose | Body::Dropped => Ok(()),
            Body::Chunked => self.write(LAST_CHUNK, &[]).await,
        }
    }

    async fn whole(&mut self, head: &Head<'_>, body: WholeBody) -> Result<(), Gone> {
        self.message.put_whole(self.out, head, body);
        self.write_scratch().await
    }

    async fn cut(&mut self) {
        // Closed before the length is reached or the last chunk is there: the visitor can tell. Where closing is the end, only
        // a reset is not.
        self.message.keep_alive = false;
        if self.message.body == Body::UntilClose {
            self.transport.reset_when_closed();
        }
    }

    fn close_afterwards(&mut self) {
        self.message.keep_alive = false;
    }

    async fn gone(&mut self) {
        self.transport.hung_up().await;
    }
}

/// A response that is put behind others which are waiting to be written. Nothing of it waits for the visitor.
#[derive(Debug)]
pub struct Queued<'a> {
    out: &'a mut Scratch,
    message: Message,
}

impl<'a> Queued<'a> {
    /// A responder to `request`; see [`Http1Responder::new`].
    pub fn new(out: &'a mut Scratch, request: &Request, keep_alive: bool) -> Self {
        Queued { out, message: Message::new(request, keep_alive) }
    }

    /// Whether the connection may be used again.
    pub fn keeps_alive(&self) -> bool {
        self.message.keep_alive
    }

    /// Bytes of body that it takes.
    pub fn sent(&self) -> u64 {
        self.message.sent
    }
}

impl Responder for Queued<'_> {
    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Gone> {
        self.message.put_interim(&mut self.out.out, head);
        Ok(())
    }

    async fn head(&mut self, head: &Head<'_>, framing: Framing) -> Result<(), Gone> {
        self.message.put_head(self.out, head, framing);
        Ok(())
    }

    async fn begin(&mut self, head: &Head<'_>, framing: Framing, piece: Bytes, last: bool) -> Result<(), Gone> {
        self.message.put_head(self.out, head, framing);
        self.message.put_first(self.out, &piece, last);
        Ok(())
    }

    async fn piece(&mut self, piece: Bytes) -> Result<(), Gone> {
        self.message.sent += piece.len() as u64;
        let out = &mut self.out.out;
        match self.message.body {
            Body::Plain | Body::UntilClose => out.extend_from_slice(&piece),
            Body::Chunked => put_chunk(out, &piece),
            Body::Dropped => {}
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), Gone> {
        if self.message.body == Body::Chunked {
            self.out.out.extend_from_slice(LAST_CHUNK);
        }
        Ok(())
    }

    async fn whole(&mut self, head: &Head<'_>, body: WholeBody) -> Result<(), Gone> {
        self.message.put_whole(self.out, head, body);
        Ok(())
    }

    async fn cut(&mut self) {
        self.message.keep_alive = false;
    }

    fn close_afterwards(&mut self) {
        self.message.keep_alive = false;
    }

    /// Whoever writes what waits finds that out.
    async fn gone(&mut self) {
        std::future::pending().await
    }
}

/// Puts a piece as a chunk; nothing for an empty one, because an empty chunk would end the body.
fn put_chunk(out: &mut BytesMut, piece: &[u8]) {
    if !piece.is_empty() {
        put_display(out, format_args!("{:x}\r\n", piece.len()));
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
}

fn put_status(out: &mut BytesMut, lines: &Lines<'_>) {
    let reason = match lines {
        Lines::Passed(_, reason, _) => *reason,
        Lines::Stored(_) | Lines::Given(..) | Lines::Amended(..) => None,
    };
    put_status_line(out, lines.status(), reason);
}

fn put_status_line(out: &mut BytesMut, status: StatusCode, reason: Option<&[u8]>) {
    let reason = reason.unwrap_or_else(|| status.canonical_reason().unwrap_or("").as_bytes());
    for part in [b"HTTP/1.1 ", status.as_str().as_bytes(), b" ", reason, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

fn put_line(out: &mut BytesMut, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn put_display(out: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = std::fmt::Write::write_fmt(out, text);
}
