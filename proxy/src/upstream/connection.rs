//! A connection to a handler: one request without a body after the other, each with its answer.
//!
//! What is read is taken apart here and nowhere else. An answer that can be understood in two ways is refused, and a connection on
//! which anything is left over is not used again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::answer::{self, AnswerHead};
use super::body::Body;
use super::idle::Idle;
use super::request::RequestHead;
use crate::failure::Failure;

/// Longest head of an answer that is read, in bytes. What is passed on or kept has a smaller limit, which counts the fields.
const MAX_READ_HEAD: usize = 128 * 1024;

/// How much is read at once, at first and at most.
const READ_STEP: usize = 8 * 1024;
const MAX_READ_STEP: usize = 64 * 1024;

/// A connection that is in use.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    address: SocketAddr,
    /// Where it goes when it is not used any more.
    home: Arc<Idle>,
    reused: bool,
    /// What was read and not used yet.
    read: BytesMut,
    /// How much is read at once.
    step: usize,
    /// Whether the request under way is a HEAD.
    head_only: bool,
    /// What is left of the answer; none before its head is there.
    body: Option<Body>,
    keep_alive: bool,
}

impl Connection {
    /// A connection to a server at `address`: an idle one, else a new one, which may take `patience`.
    ///
    /// # Errors
    ///
    /// [`Failure::Connect`] and [`Failure::ConnectTimeout`].
    pub(super) async fn to(address: SocketAddr, home: &Arc<Idle>, patience: Duration) -> Result<Connection, Failure> {
        if let Some(socket) = home.take(address) {
            return Ok(Connection::new(socket, address, home, true));
        }
        let socket = match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => return Err(Failure::ConnectTimeout),
            Ok(Err(_)) => return Err(Failure::Connect),
            Err(_) => return Err(Failure::ConnectTimeout),
        };
        // A socket that refuses is one that has been reset already, as will be seen.
        let _ = socket.set_nodelay(true);
        Ok(Connection::new(socket, address, home, false))
    }

    fn new(socket: TcpStream, address: SocketAddr, home: &Arc<Idle>, reused: bool) -> Connection {
        Connection {
            socket,
            address,
            home: Arc::clone(home),
            reused,
            read: BytesMut::new(),
            step: READ_STEP,
            head_only: false,
            body: None,
            keep_alive: false,
        }
    }

    /// Whether it was used before. Its server may have closed it since, which is no failure of the server's.
    pub fn is_reused(&self) -> bool {
        self.reused
    }

    /// Sends a request, which may take `patience`.
    ///
    /// # Errors
    ///
    /// [`Failure::Reset`], or [`Failure::FirstByteTimeout`] when it takes too long.
    pub async fn send(&mut self, request: &RequestHead, patience: Duration) -> Result<(), Failure> {
        self.head_only = request.head_only;
        let written = self.socket.try_write(request.bytes()).unwrap_or(0);
        let rest = &request.bytes()[written..];
        if rest.is_empty() {
            return Ok(());
        }
        match timeout(patience, self.socket.write_all(rest)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Failure::Reset),
            Err(_) => Err(Failure::FirstByteTimeout),
        }
    }

    /// The next head of the answer, interim or final. May be given up and asked for again.
    ///
    /// # Errors
    ///
    /// [`Failure::Reset`] and [`Failure::Malformed`].
    pub async fn head(&mut self) -> Result<AnswerHead, Failure> {
        loop {
            if !self.read.is_empty()
                && let Some(answer) = answer::take(&mut self.read, self.head_only)?
            {
                if !answer.head.status.is_informational() {
                    self.body = Some(Body::new(answer.extent));
                    self.keep_alive = answer.keep_alive;
                }
                return Ok(answer);
            }
            if self.read.len() > MAX_READ_HEAD {
                return Err(Failure::Malformed);
            }
            if self.fill().await? == 0 {
                return Err(Failure::Reset);
            }
        }
    }

    /// Whether the answer is whole.
    pub fn is_done(&self) -> bool {
        self.body == Some(Body::Ended)
    }

    /// What is there of the body without waiting.
    ///
    /// # Errors
    ///
    /// [`Failure::Malformed`], when no byte before the offence is left.
    pub fn at_hand(&mut self) -> Result<Bytes, Failure> {
        match &mut self.body {
            Some(body) => body.take(&mut self.read),
            None => Ok(Bytes::new()),
        }
    }

    /// The next piece of the body; empty only when it ends without one more. May be given up and asked for again.
    ///
    /// # Errors
    ///
    /// [`Failure::Reset`] when the body breaks off, [`Failure::Malformed`].
    pub async fn piece(&mut self) -> Result<Bytes, Failure> {
        loop {
            let piece = self.at_hand()?;
            if !piece.is_empty() || self.is_done() {
                return Ok(piece);
            }
            if self.fill().await? == 0 {
                self.body.as_mut().map_or(Err(Failure::Reset), Body::close)?;
            }
        }
    }

    /// Gives it back for the next request, for which it is kept for `time` at most. One on which anything is left over is closed.
    pub fn release(self, time: Duration) {
        if self.is_done() && self.keep_alive && self.read.is_empty() {
            self.home.keep(self.socket, self.address, time);
        }
    }

    /// Reads once; zero at the end.
    async fn fill(&mut self) -> Result<usize, Failure> {
        self.read.reserve(self.step);
        let read = self.socket.read_buf(&mut self.read).await.map_err(|_| Failure::Reset)?;
        if read >= self.step {
            // There is more than was thought.
            self.step = (self.step * 2).min(MAX_READ_STEP);
        }
        Ok(read)
    }
}
