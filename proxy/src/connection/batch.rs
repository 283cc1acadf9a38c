//! What an HTTP/2 connection writes, collected, so that the frames of many streams go out together.
//!
//! The library that writes frames hands each frame of data over by itself and has it flushed before it takes the next one. Taken
//! at its word, it would make one system call, and over TLS one record, for each answer. So what it writes is kept until the
//! streams that are ready now have had their say, and then goes out at once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;

use super::socket::Socket;

/// Most that is kept, in bytes: what fits into one record of TLS (RFC 8446 section 5.1).
const MOST: usize = 16 * 1024;

/// What was written and has not gone out yet.
#[derive(Debug, Default)]
pub struct Batch {
    kept: BytesMut,
    /// Whether it is to go out when the connection is looked at next.
    due: bool,
}

impl Batch {
    /// Takes all of `slices` if they fit, and sends them at once if they never would.
    pub fn poll_write(
        &mut self,
        socket: &mut Socket,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.kept.len() + length > MOST {
            ready!(self.poll_send(socket, cx))?;
            if length > MOST {
                return Pin::new(socket).poll_write_vectored(cx, slices);
            }
        }
        // Its room for good, so that it does not grow step by step.
        self.kept.reserve(MOST - self.kept.len());
        for slice in slices {
            self.kept.extend_from_slice(slice);
        }
        Poll::Ready(Ok(length))
    }

    /// Promises that what was written goes out once the tasks that are ready now have run: the one that asks is woken behind them,
    /// and looks at the connection then.
    pub fn poll_flush(&mut self, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.kept.is_empty() {
            return Pin::new(socket).poll_flush(cx);
        }
        if !std::mem::replace(&mut self.due, true) {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    /// Keeps that promise, as far as the socket takes it.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn send_if_due(&mut self, socket: &mut Socket, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.due {
            return Ok(());
        }
        match self.poll_all(socket, cx) {
            Poll::Ready(sent) => sent,
            // The socket wakes the task when it takes more.
            Poll::Pending => Ok(()),
        }
    }

    /// Sends all there is, down to what TLS has taken.
    pub fn poll_all(&mut self, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(socket, cx))?;
        ready!(Pin::new(socket).poll_flush(cx))?;
        self.due = false;
        Poll::Ready(Ok(()))
    }

    fn poll_send(&mut self, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.kept.is_empty() {
            let written = ready!(Pin::new(&mut *socket).poll_write(cx, &self.kept))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.kept.advance(written);
        }
        // A connection that is silent keeps no room.
        self.kept = BytesMut::new();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
