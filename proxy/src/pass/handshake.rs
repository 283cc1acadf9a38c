//! The connection on which a handler is asked to leave HTTP.
//!
//! The framework sends the head of a request, and then waits for two things at once and in no order: for its own note that the
//! request has ended, and for the answer. When both are there it takes either first. Once it has read a 101 it takes every end for
//! the tunnel's, that of the request as well, so a handler that answers fast enough loses its tunnel before anything has gone
//! through it. Nothing between the two can be told which to take. So this connection is deaf until the end of the request has
//! been taken note of, which shows in a flush, the first after the pass-through has heard of that end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, OrErr};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::request::{BodyPresence, Request};

/// Keeps these connections apart from the idle ones of other requests, which are not deaf at first.
const GROUP: u64 = 1;

/// One attempt to leave HTTP.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    ended: Arc<AtomicBool>,
}

impl Handshake {
    /// A handshake with `peer`, where `request` asks for one. With a body it is not needed: the last piece is written and the end
    /// taken note of in one step, so a handler that waits for the whole request cannot answer in between.
    pub(super) fn with(peer: &mut HttpPeer, request: &Request) -> Option<Arc<Handshake>> {
        if !request.wants_upgrade() || request.body == BodyPresence::Some {
            return None;
        }
        let handshake = Arc::new(Handshake::default());
        peer.group_key = GROUP;
        peer.options.custom_l4 = Some(Arc::<Handshake>::clone(&handshake));
        // One that the handler declines is not kept for others.
        peer.options.idle_timeout = Some(Duration::ZERO);
        Some(handshake)
    }

    /// The request has ended, and the framework is about to take note of it.
    pub(super) fn request_ended(&self) {
        self.ended.store(true, Ordering::Release);
    }
}

#[async_trait]
impl L4Connect for Handshake {
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        let Some(address) = address.as_inet() else {
            return Error::e_explain(ErrorType::ConnectError, "handlers have internet addresses");
        };
        let socket = TcpStream::connect(address).await.or_err(ErrorType::ConnectError, "no connection")?;
        let deaf = HandshakeSocket { socket, hearing: Hearing::Deaf(Arc::clone(&self.ended), None) };
        Ok(VirtualSocketStream::new(Box::new(deaf)).into())
    }
}

/// A connection that is deaf at first.
#[derive(Debug)]
struct HandshakeSocket {
    socket: TcpStream,
    hearing: Hearing,
}

/// Whether what the handler says is heard.
#[derive(Debug)]
enum Hearing {
    /// Not before the request has ended and is flushed; who waits to hear is woken then.
    Deaf(Arc<AtomicBool>, Option<Waker>),
    /// From now on.
    Open,
}

impl AsyncRead for HandshakeSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.hearing {
            Hearing::Deaf(_, waiting) => {
                *waiting = Some(cx.waker().clone());
                Poll::Pending
            }
            Hearing::Open => Pin::new(&mut this.socket).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for HandshakeSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.socket).poll_flush(cx))?;
        if let Hearing::Deaf(ended, waiting) = &mut this.hearing
            && ended.load(Ordering::Acquire)
        {
            let waiting = waiting.take();
            this.hearing = Hearing::Open;
            if let Some(waker) = waiting {
                waker.wake();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

impl VirtualSocket for HandshakeSocket {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        if matches!(option, VirtualSockOpt::NoDelay) {
            return self.socket.set_nodelay(true);
        }
        // No other is configured.
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests;
