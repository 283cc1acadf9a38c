//! A visitor's connection: its socket, and what was read from it and not used yet.
//!
//! The pass-through borrows it for one message at a time. It then sees the bytes of that message and no others, so that what
//! a visitor has pipelined behind it is still here when the connection comes back.

mod framework;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use pingora::protocols::SocketDigest;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::batch::Batch;
use super::date::RestoredDate;
use super::framing::Message;
use super::head::{self, Refusal};
use super::reader::Reader;
use super::socket::Socket;
use crate::passage::{Leash, Passage};

/// What is read ahead at most while a request is being served, in bytes: enough to notice that the visitor has left.
const READ_AHEAD: usize = 64 * 1024;

/// How much is read at once.
const READ_STEP: usize = 8 * 1024;

/// How much is written within one patience.
const WRITE_STEP: usize = 64 * 1024;

/// How HTTP/2 begins (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection.
#[derive(Debug)]
pub struct Transport {
    socket: Socket,
    digest: Arc<SocketDigest>,
    peer: Option<SocketAddr>,
    inbox: BytesMut,
    /// How far the inbox was searched for the end of a head.
    searched: usize,
    view: View,
    /// Whether the inbox has grown beyond what an ordinary head takes.
    swollen: bool,
    /// Whether it ends in a reset.
    resets: bool,
    /// Rings when it was idle for too long.
    alarm: Option<Pin<Box<Sleep>>>,
}

/// What a reader of the connection gets to see.
#[derive(Debug)]
enum View {
    /// Everything.
    Whole,
    /// Everything, by a reader who writes frames of HTTP/2.
    Streams(Batch),
    /// One message, and after it everything if the handler agrees to leave HTTP.
    Message {
        message: Message,
        tunnel: bool,
        leash: Arc<Leash>,
        alarm: Option<Pin<Box<Sleep>>>,
        date: RestoredDate,
        cut: Arc<AtomicBool>,
    },
}

/// What the next bytes of a connection are.
#[derive(Debug)]
pub enum Next {
    /// A head of this many bytes, at the beginning of [`Transport::inbox`].
    Head(usize),
    /// The preface of HTTP/2.
    Http2,
    /// The visitor closed the connection, or sent nothing for too long.
    Closed,
    /// What came is no head that can be served.
    Refused(Refusal),
    /// A head was begun and not ended in time.
    TimedOut,
}

impl Transport {
    /// A connection just accepted; over TLS, with its handshake behind it.
    pub fn new(socket: Socket) -> Transport {
        let digest = Arc::new(SocketDigest::from_raw_fd(socket.tcp().as_raw_fd()));
        // Asked once: each time would cost a system call.
        let peer = socket.tcp().peer_addr().ok();
        Transport {
            socket,
            digest,
            peer,
            inbox: BytesMut::new(),
            searched: 0,
            view: View::Whole,
            swollen: false,
            resets: false,
            alarm: None,
        }
    }

    /// The visitor's address.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Whether it was agreed when it began that it speaks HTTP/2.
    pub fn has_chosen_http2(&self) -> bool {
        self.socket.has_chosen_http2()
    }

    /// What was read and not used yet.
    pub fn inbox(&mut self) -> &mut BytesMut {
        &mut self.inbox
    }

    /// Reads up to the end of the next head. Its first byte may take `idle`, the rest `complete`. `h2c` tells whether HTTP/2
    /// may begin here instead; `reader` knows the head before it.
    pub async fn next_head(&mut self, idle: Duration, complete: Duration, h2c: bool, reader: &Reader) -> Next {
        if !matches!(self.view, View::Whole) {
            self.view = View::Whole;
        }
        if let Some(next) = self.next_in_inbox(h2c, reader) {
            return next;
        }
        if self.inbox.is_empty() {
            if std::mem::take(&mut self.swollen) {
                // An idle connection holds no more than an ordinary head takes.
                self.inbox = BytesMut::new();
            }
            match self.fill_within(idle).await {
                Ok(read) if read > 0 => {}
                Ok(_) | Err(_) => return Next::Closed,
            }
        }
        if let Some(next) = self.next_in_inbox(h2c, reader) {
            return next;
        }
        match timeout(complete, self.complete_head(h2c)).await {
            Ok(next) => next,
            Err(_) => Next::TimedOut,
        }
    }

    /// The next head, if it was read already.
    pub fn next_in_inbox(&mut self, h2c: bool, reader: &Reader) -> Option<Next> {
        self.searched = 0;
        if self.inbox.is_empty() {
            return None;
        }
        match reader.repeated(&self.inbox) {
            Some(length) => Some(Next::Head(length)),
            None => self.search(h2c),
        }
    }

    async fn complete_head(&mut self, h2c: bool) -> Next {
        loop {
            match self.fill().await {
                Ok(read) if read > 0 => {}
                Ok(_) | Err(_) => return Next::Closed,
            }
            if let Some(next) = self.search(h2c) {
                return next;
            }
        }
    }

    /// What the inbox begins with, as soon as that can be told.
    fn search(&mut self, h2c: bool) -> Option<Next> {
        if h2c && self.inbox.starts_with(PREFACE) {
            return Some(Next::Http2);
        }
        if h2c && PREFACE.starts_with(&self.inbox) {
            return None;
        }
        // An empty line before the request line is tolerated, one of them (RFC 9112 section 2.2).
        if self.searched == 0 && self.inbox.starts_with(b"\r\n") && self.inbox.len() > 2 {
            self.inbox.advance(2);
        }
        match head::find_end(&self.inbox, self.searched) {
            Ok(Some(end)) => Some(Next::Head(end)),
            Ok(None) => {
                self.searched = if self.inbox.len() > 2 { self.inbox.len() } else { 0 };
                None
            }
            Err(refusal) => Some(Next::Refused(refusal)),
        }
    }

    /// Reads once; zero at the end.
    async fn fill(&mut self) -> io::Result<usize> {
        self.inbox.reserve(READ_STEP);
        let read = self.socket.read_buf(&mut self.inbox).await;
        self.swollen |= self.inbox.len() > READ_STEP;
        read
    }

    /// Reads once; an error when nothing comes for so long. The alarm stays set from one request to the next, and is only set later
    /// when it rings too early: to set one for each request would cost more than to read it.
    async fn fill_within(&mut self, idle: Duration) -> io::Result<usize> {
        let until = Instant::now() + idle;
        let mut alarm = self.alarm.take().unwrap_or_else(|| Box::pin(sleep_until(until)));
        if alarm.deadline() > until || alarm.is_elapsed() {
            alarm.as_mut().reset(until);
        }
        let filled = {
            let mut fill = pin!(self.fill());
            poll_fn(|cx| {
                if let Poll::Ready(read) = fill.as_mut().poll(cx) {
                    return Poll::Ready(read);
                }
                loop {
                    ready!(alarm.as_mut().poll(cx));
                    if alarm.deadline() >= until {
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                    alarm.as_mut().reset(until);
                }
            })
            .await
        };
        self.alarm = Some(alarm);
        filled
    }

    /// Resolves when the visitor leaves. What comes meanwhile is kept, up to a limit; beyond it nobody can tell, and this
    /// waits for ever.
    pub async fn hung_up(&mut self) {
        while self.inbox.len() < READ_AHEAD {
            match self.fill().await {
                Ok(read) if read > 0 => {}
                Ok(_) | Err(_) => return,
            }
        }
        std::future::pending().await
    }

    /// Lends the connection for the message at the beginning of the inbox, about which `passage` was decided: its leash ends
    /// the reading when the handler is late. `tunnel` tells whether what follows may leave HTTP.
    pub fn lend(&mut self, message: Message, tunnel: bool, passage: &Passage) {
        let date = RestoredDate::new(Arc::clone(&passage.date));
        self.view = View::Message {
            message,
            tunnel,
            leash: Arc::clone(&passage.leash),
            alarm: None,
            date,
            cut: Arc::clone(&passage.cut),
        };
    }

    /// Gets ready for HTTP/2, whose frames are written many at a time.
    pub fn carry_streams(&mut self) {
        self.view = View::Streams(Batch::default());
    }

    /// Takes the connection back. False when the message was not read to its end, so that what follows cannot be told.
    pub fn take_back(&mut self) -> bool {
        let whole = match &self.view {
            View::Whole | View::Streams(_) => true,
            View::Message { message, leash, .. } => message.is_done() && !leash.is_released(),
        };
        self.view = View::Whole;
        whole
    }

    /// Writes all of `first` and then all of `second`, each step of 64 KiB within `patience`: who reads more slowly
    /// is cut, because what is sent is held in memory until then.
    pub async fn write_both(&mut self, mut first: &[u8], mut second: &[u8], patience: Duration) -> io::Result<()> {
        while !first.is_empty() || !second.is_empty() {
            let (now, later) = first.split_at(first.len().min(WRITE_STEP));
            let room = if later.is_empty() { WRITE_STEP } else { 0 };
            let (then, rest) = second.split_at(second.len().min(room));
            self.write_step(now, then, patience).await?;
            (first, second) = (later, rest);
        }
        Ok(())
    }

    async fn write_step(&mut self, mut first: &[u8], mut second: &[u8], patience: Duration) -> io::Result<()> {
        // Nearly everything fits into the socket's buffer at once, and then nobody has to look at the clock.
        let write = async {
            while !first.is_empty() || !second.is_empty() {
                let written = if second.is_empty() {
                    self.socket.write(first).await?
                } else {
                    self.socket.write_vectored(&[io::IoSlice::new(first), io::IoSlice::new(second)]).await?
                };
                if written == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                let from_first = written.min(first.len());
                first = &first[from_first..];
                second = &second[written - from_first..];
            }
            self.socket.flush().await
        };
        let mut write = pin!(write);
        if let Poll::Ready(written) = poll_fn(|cx| Poll::Ready(write.as_mut().poll(cx))).await {
            return written;
        }
        timeout(patience, write).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Closes after a response that leaves a request unread: says so, and then reads on for a while, because a reset would
    /// take the response away from a visitor who is still sending (RFC 9112 section 9.6).
    pub async fn linger(&mut self) {
        if self.resets {
            return;
        }
        const LONGEST: Duration = Duration::from_secs(2);
        const MOST: usize = 1 << 20;
        let drain = async {
            let mut drained = 0;
            while drained < MOST {
                self.inbox.clear();
                match self.fill().await {
                    Ok(read) if read > 0 => drained += read,
                    Ok(_) | Err(_) => return,
                }
            }
        };
        // Whether the visitor hears it or not, the connection is over.
        let _ = timeout(LONGEST, drain).await;
    }

    /// Lets the connection end in a reset, not in an orderly close.
    pub fn reset_when_closed(&mut self) {
        // A socket that refuses is one that has been reset already.
        let _ = self.socket.tcp().set_zero_linger();
        self.resets = true;
    }

    /// Whether the connection ends in a reset: by itself, or because the pass-through cut an answer.
    fn ends_in_reset(&mut self) -> bool {
        if let View::Message { cut, .. } = &self.view
            && cut.load(Ordering::Acquire)
        {
            self.reset_when_closed();
        }
        self.resets
    }

    /// Tells the visitor that nothing more will come.
    pub async fn finish_writing(&mut self) {
        if self.ends_in_reset() {
            return;
        }
        // A visitor who has left already needs no farewell.
        let _ = AsyncWriteExt::shutdown(&mut self.socket).await;
    }

    /// One message at a time: the bytes of this one, and after them only the news that the visitor has left.
    fn poll_message(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let View::Message { message, tunnel, leash, alarm, .. } = &mut self.view else {
                return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
            };
            // Before the handler has agreed, what follows is the next request.
            if message.is_done() && *tunnel && leash.is_released() {
                return self.poll_whole(cx, buffer);
            }
            if !message.is_done() && !self.inbox.is_empty() {
                let offered = self.inbox.len().min(buffer.remaining());
                let taken = message
                    .take(&self.inbox[..offered])
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                buffer.put_slice(&self.inbox[..taken]);
                self.inbox.advance(taken);
                return Poll::Ready(Ok(()));
            }
            if poll_alarm(cx, leash, alarm) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            if !message.is_done() {
                ready!(poll_straight(&mut self.socket, cx, buffer, message, &mut self.inbox))?;
                self.swollen |= self.inbox.len() > READ_STEP;
                return Poll::Ready(Ok(()));
            }
            if self.inbox.len() >= READ_AHEAD {
                return Poll::Pending;
            }
            self.inbox.reserve(READ_STEP);
            if ready!(poll_read_buf(&mut self.socket, cx, &mut self.inbox))? == 0 {
                return Poll::Ready(Ok(()));
            }
            self.swollen |= self.inbox.len() > READ_STEP;
        }
    }

    fn poll_whole(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.inbox.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, buffer);
        }
        let taken = self.inbox.len().min(buffer.remaining());
        buffer.put_slice(&self.inbox[..taken]);
        self.inbox.advance(taken);
        Poll::Ready(Ok(()))
    }
}

/// Whether the leash has run out. Wakes the task when it might have.
fn poll_alarm(cx: &mut Context<'_>, leash: &Leash, alarm: &mut Option<Pin<Box<Sleep>>>) -> bool {
    loop {
        let Some(deadline) = leash.deadline() else { return false };
        let sleep = alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        match sleep.as_mut().poll(cx) {
            Poll::Pending => return false,
            // It may have been extended since.
            Poll::Ready(()) if leash.deadline() == Some(deadline) => {
                leash.mark_reached();
                return true;
            }
            Poll::Ready(()) => {}
        }
    }
}

/// Reads straight to where the body of `message` is wanted. What comes behind its end goes to the inbox.
fn poll_straight(
    socket: &mut Socket,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
    message: &mut Message,
    inbox: &mut BytesMut,
) -> Poll<io::Result<()>> {
    let before = buffer.filled().len();
    ready!(Pin::new(socket).poll_read(cx, buffer))?;
    let read = &buffer.filled()[before..];
    let taken = message.take(read).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    inbox.extend_from_slice(&read[taken..]);
    buffer.set_filled(before + taken);
    Poll::Ready(Ok(()))
}

fn poll_read_buf(socket: &mut Socket, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
    let mut read = std::pin::pin!(socket.read_buf(buffer));
    read.as_mut().poll(cx)
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.view {
            View::Whole => this.poll_whole(cx, buffer),
            View::Streams(batch) => {
                batch.send_if_due(&mut this.socket, cx)?;
                this.poll_whole(cx, buffer)
            }
            View::Message { .. } => this.poll_message(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match &mut this.view {
            View::Whole => Pin::new(&mut this.socket).poll_write(cx, bytes),
            View::Streams(batch) => batch.poll_write(&mut this.socket, cx, &[io::IoSlice::new(bytes)]),
            View::Message { date, leash, .. } => {
                let written = date.poll_write(&mut this.socket, cx, bytes);
                if written.is_ready() {
                    leash.renew();
                }
                written
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.view {
            View::Whole | View::Message { .. } => Pin::new(&mut this.socket).poll_flush(cx),
            View::Streams(batch) => batch.poll_flush(&mut this.socket, cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ends_in_reset() {
            return Poll::Ready(Ok(()));
        }
        if let View::Streams(batch) = &mut this.view {
            ready!(batch.poll_all(&mut this.socket, cx))?;
        }
        Pin::new(&mut this.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match &mut this.view {
            View::Whole => Pin::new(&mut this.socket).poll_write_vectored(cx, slices),
            View::Streams(batch) => batch.poll_write(&mut this.socket, cx, slices),
            View::Message { .. } => {
                let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
                Pin::new(this).poll_write(cx, first)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self.view {
            View::Whole => self.socket.is_write_vectored(),
            View::Streams(_) => true,
            // What is lent looks at every byte that goes out.
            View::Message { .. } => false,
        }
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        if !self.ends_in_reset() {
            self.socket.say_goodbye();
        }
    }
}

#[cfg(test)]
mod tests;
