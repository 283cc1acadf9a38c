//! The connections of the admin listener: a bounded number of them, each within limits of time, whoever opens them.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep};

use crate::connection::{HEAD, IDLE};
use crate::respond::SLOWEST_WRITE;

/// Most connections at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 256;

/// How long nothing is accepted after that failed, for want of files say.
const PAUSE: Duration = Duration::from_secs(1);

/// How long what still comes is read after the last answer, because a reset would take the answer away from who is still sending
/// (RFC 9112 section 9.6).
const LINGERING: Duration = Duration::from_secs(2);

/// Answers what comes to `listener` by `routes`, for ever.
pub(super) async fn serve(listener: TcpListener, routes: Router) -> Infallible {
    let turns = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { continue };
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!(%error, "the admin listener accepts nothing for a moment");
                sleep(PAUSE).await;
                continue;
            }
        };
        let routes = routes.clone();
        tokio::spawn(async move {
            answer(socket, routes).await;
            drop(turn);
        });
    }
}

/// Answers what comes over one connection, until it ends.
async fn answer(socket: impl AsyncRead + AsyncWrite + Unpin, routes: Router) {
    let turns = Arc::new(AtomicU64::new(0));
    let timed = TokioIo::new(Timed::new(socket, Arc::clone(&turns)));
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(move |request: Request<Incoming>| {
        let (routes, turns) = (routes.clone(), Arc::clone(&turns));
        turns.fetch_add(1, Ordering::AcqRel);
        async move {
            let answer = routes.call(request).await;
            turns.fetch_add(1, Ordering::AcqRel);
            answer
        }
    });
    // It counts from the first moment, and from the end of each answer.
    let connection =
        http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(IDLE).serve_connection(timed, service);
    // However it ended, nobody is left to be told.
    let _ = connection.await;
}

/// A connection that ends when a head, or somebody who reads, takes too long.
struct Timed<S> {
    socket: S,
    /// Counts when a handler begins, and when it is done. While it is odd, what comes is a body, which has a time of its own.
    turns: Arc<AtomicU64>,
    /// When the head that has begun must have ended, and at which turn that was.
    head: Option<(u64, Pin<Box<Sleep>>)>,
    write: Option<Pin<Box<Sleep>>>,
    lingering: Option<Pin<Box<Sleep>>>,
}

impl<S> Timed<S> {
    fn new(socket: S, turns: Arc<AtomicU64>) -> Timed<S> {
        Timed { socket, turns, head: None, write: None, lingering: None }
    }
}

/// What `done` says, or an error when it says nothing within `patience` from the first time that it was asked.
fn within<T>(
    done: Poll<io::Result<T>>,
    alarm: &mut Option<Pin<Box<Sleep>>>,
    patience: Duration,
    cx: &mut Context<'_>,
) -> Poll<io::Result<T>> {
    if done.is_ready() {
        *alarm = None;
        return done;
    }
    let alarm = alarm.get_or_insert_with(|| Box::pin(sleep(patience)));
    ready!(alarm.as_mut().poll(cx));
    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let turn = this.turns.load(Ordering::Acquire);
        this.head.take_if(|(begun, _)| *begun != turn);
        if turn % 2 == 1 {
            return Pin::new(&mut this.socket).poll_read(cx, buffer);
        }
        if let Some((_, head)) = &mut this.head
            && head.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        ready!(Pin::new(&mut this.socket).poll_read(cx, buffer))?;
        this.head.get_or_insert_with(|| (turn, Box::pin(sleep(HEAD))));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.socket).poll_write(cx, bytes);
        within(written, &mut this.write, SLOWEST_WRITE, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
        }
        let lingering = this.lingering.get_or_insert_with(|| Box::pin(sleep(LINGERING)));
        let mut unread = [0; 4096];
        while lingering.deadline() > Instant::now() {
            let mut buffer = ReadBuf::new(&mut unread);
            match Pin::new(&mut this.socket).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(Ok(()) | Err(_)) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    ready!(lingering.as_mut().poll(cx));
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
