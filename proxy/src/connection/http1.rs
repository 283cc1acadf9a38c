//! The HTTP/1.1 writer: responses as bytes.

use std::io::Write;

use bytes::{Bytes, BytesMut};
use evergate_cache::ResponseHead;
use http::{Method, StatusCode};

use super::transport::Transport;
use crate::request::{Protocol, Request};
use crate::respond::{Framing, Gone, Head, Lines, Responder, SLOWEST_WRITE};

/// A response on an HTTP/1 connection.
#[derive(Debug)]
pub struct Http1Responder<'a> {
    transport: &'a mut Transport,
    out: &'a mut Scratch,
    head_only: bool,
    protocol: Protocol,
    keep_alive: bool,
    body: Body,
    sent: u64,
}

/// Room for a head that a connection keeps between responses, in bytes.
const ORDINARY_HEAD: usize = 16 * 1024;

/// Buffers that a connection keeps from response to response.
#[derive(Debug, Default)]
pub struct Scratch {
    head: BytesMut,
    value: String,
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

impl<'a> Http1Responder<'a> {
    /// A responder to `request`. `keep_alive` tells whether the connection may be used again afterwards.
    pub fn new(transport: &'a mut Transport, out: &'a mut Scratch, request: &Request, keep_alive: bool) -> Self {
        let head_only = request.method == Method::HEAD;
        Http1Responder { transport, out, head_only, protocol: request.protocol, keep_alive, body: Body::Plain, sent: 0 }
    }

    /// Whether the connection may be used again.
    pub fn keeps_alive(&self) -> bool {
        self.keep_alive
    }

    /// Bytes of body sent.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Renders a head into the scratch buffer.
    fn render(&mut self, head: &Head<'_>, framing: Framing) {
        let out = &mut self.out.head;
        out.clear();
        match &head.lines {
            Lines::Stored(representation) => out.extend_from_slice(representation.wire()),
            Lines::Given(..) | Lines::Amended(..) => {
                put_status(out, head.lines.status());
                for (name, value) in head.lines.fields().iter() {
                    put_line(out, name.as_str(), value.as_bytes());
                }
            }
        }
        head.each_added(&mut self.out.value, |name, value| put_line(out, name, value));
        self.body = match (framing, &head.lines) {
            (Framing::Bodiless, _) => Body::Dropped,
            // The fields of a stored response tell its length.
            (Framing::Length(_), Lines::Stored(_)) => Body::Plain,
            (Framing::Length(length), Lines::Given(..) | Lines::Amended(..)) => {
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

    async fn write(&mut self, first: &[u8], second: &[u8]) -> Result<(), Gone> {
        let written = self.transport.write_both(first, second, SLOWEST_WRITE).await;
        written.map_err(|_| {
            self.keep_alive = false;
            Gone
        })
    }

    async fn write_head(&mut self, body: &[u8]) -> Result<(), Gone> {
        let head = std::mem::take(&mut self.out.head);
        let written = self.write(&head, body).await;
        // Put back with its room, for the next response, unless it is far more than an ordinary head takes.
        if head.capacity() <= ORDINARY_HEAD {
            self.out.head = head;
        }
        written
    }
}

impl Responder for Http1Responder<'_> {
    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Gone> {
        // HTTP/1.0 knows no interim answers (RFC 9110 section 15.2).
        if self.protocol == Protocol::Http10 {
            return Ok(());
        }
        let out = &mut self.out.head;
        out.clear();
        put_status(out, head.status);
        for (name, value) in head.fields.iter() {
            put_line(out, name.as_str(), value.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        self.write_head(&[]).await
    }

    async fn head(&mut self, head: &Head<'_>, framing: Framing) -> Result<(), Gone> {
        self.render(head, framing);
        self.write_head(&[]).await
    }

    async fn piece(&mut self, piece: Bytes) -> Result<(), Gone> {
        self.sent += piece.len() as u64;
        match self.body {
            Body::Dropped => Ok(()),
            Body::Plain | Body::UntilClose => self.write(&piece, &[]).await,
            // An empty chunk would end the body.
            Body::Chunked if piece.is_empty() => Ok(()),
            Body::Chunked => {
                let mut framed = Vec::with_capacity(piece.len() + 20);
                // Writing to memory does not fail.
                let _ = write!(framed, "{:x}\r\n", piece.len());
                framed.extend_from_slice(&piece);
                self.write(&framed, b"\r\n").await
            }
        }
    }

    async fn end(&mut self) -> Result<(), Gone> {
        match self.body {
            Body::Plain | Body::UntilClose | Body::Dropped => Ok(()),
            Body::Chunked => self.write(b"0\r\n\r\n", &[]).await,
        }
    }

    async fn whole(&mut self, head: &Head<'_>, body: &Bytes) -> Result<(), Gone> {
        let bodiless = matches!(head.lines.status().as_u16(), 204 | 304);
        let framing = if bodiless { Framing::Bodiless } else { Framing::Length(body.len() as u64) };
        self.render(head, framing);
        match self.body {
            Body::Dropped => self.write_head(&[]).await,
            Body::Plain | Body::UntilClose | Body::Chunked => {
                self.sent += body.len() as u64;
                self.write_head(body).await
            }
        }
    }

    async fn cut(&mut self) {
        // Closed before the length is reached or the last chunk is there: the visitor can tell. Where closing is the end, only
        // a reset is not.
        self.keep_alive = false;
        if self.body == Body::UntilClose {
            self.transport.reset_when_closed();
        }
    }

    fn close_afterwards(&mut self) {
        self.keep_alive = false;
    }

    async fn gone(&mut self) {
        self.transport.hung_up().await;
    }
}

fn put_status(out: &mut BytesMut, status: StatusCode) {
    let reason = status.canonical_reason().unwrap_or("");
    put_display(out, format_args!("HTTP/1.1 {} {reason}\r\n", status.as_u16()));
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
