//! The handler's own `Date` on answers that pass.
//!
//! The framework writes its own clock over it. A cache behind us would then take an old answer for a new one (RFC 9110 section
//! 6.6.1 lets a recipient add a `Date` only where there is none), so the line is put back as the head goes out.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderValue;
use tokio::io::AsyncWrite;

use super::socket::Socket;

/// A final head on its way out, with the `Date` that it came with.
#[derive(Debug)]
pub struct RestoredDate {
    /// The handler's word, known before the head goes out.
    date: Arc<Mutex<Option<HeaderValue>>>,
    /// The head with that word in it, as far as it has not gone out yet.
    pending: Bytes,
    done: bool,
}

impl RestoredDate {
    /// Puts `date` back, once it is known.
    pub fn new(date: Arc<Mutex<Option<HeaderValue>>>) -> RestoredDate {
        RestoredDate { date, pending: Bytes::new(), done: false }
    }

    /// Writes `bytes`, or, when they are the head, the head with its own date. The same bytes come again until they are said to
    /// be written.
    pub fn poll_write(&mut self, socket: &mut Socket, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.pending.is_empty() {
            // What follows a 101 is no HTTP of ours any more.
            self.done |= bytes.starts_with(b"HTTP/1.1 101");
            let date = if self.done { None } else { self.date.lock().unwrap_or_else(PoisonError::into_inner).clone() };
            match date.and_then(|date| restored(bytes, &date)) {
                Some(head) => self.pending = head,
                None => return Pin::new(socket).poll_write(cx, bytes),
            }
        }
        while !self.pending.is_empty() {
            let written = ready!(Pin::new(&mut *socket).poll_write(cx, &self.pending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.advance(written);
        }
        self.done = true;
        Poll::Ready(Ok(bytes.len()))
    }
}

/// `bytes` with `date` in its `Date` line, when they begin with the head of a final response.
fn restored(bytes: &[u8], date: &HeaderValue) -> Option<Bytes> {
    if !bytes.starts_with(b"HTTP/1.") || bytes.get(9) == Some(&b'1') {
        return None;
    }
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let line = bytes[..head].windows(7).position(|window| window.eq_ignore_ascii_case(b"\r\ndate:"))?;
    let value = line + 7;
    let end = value + bytes[value..].iter().position(|byte| *byte == b'\r')?;
    let mut restored = BytesMut::with_capacity(bytes.len() + date.len());
    restored.extend_from_slice(&bytes[..value]);
    restored.extend_from_slice(b" ");
    restored.extend_from_slice(date.as_bytes());
    restored.extend_from_slice(&bytes[end..]);
    Some(restored.freeze())
}

#[cfg(test)]
mod tests;
