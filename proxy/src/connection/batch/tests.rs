use std::io::{ErrorKind, IoSlice, Read};
use std::net::TcpStream as Visitor;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Batch, MOST};
use crate::connection::socket::Socket;
use crate::connection::transport::Transport;

/// Longest time for anything here.
const BOUND: Duration = Duration::from_secs(10);

/// A visitor, and the gateway's side of the connection, which speaks HTTP/2.
async fn connected() -> (Visitor, Transport) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let visitor = Visitor::connect(listener.local_addr().unwrap()).unwrap();
    visitor.set_nonblocking(true).unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    let mut transport = Transport::new(Socket::Plain(socket));
    transport.carry_streams();
    (visitor, transport)
}

/// What has come so far. Between two sockets of one system nothing is under way.
fn received(visitor: &mut Visitor) -> Vec<u8> {
    let mut buffer = vec![0; 4 * MOST];
    match visitor.read(&mut buffer) {
        Ok(length) => buffer[..length].to_vec(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            Vec::new()
        }
    }
}

/// What a task does that was woken: it looks whether anything was said.
async fn look(transport: &mut Transport) {
    assert!(futures::poll!(std::pin::pin!(transport.read(&mut [0]))).is_pending());
}

#[tokio::test]
async fn frames_go_out_together_when_the_connection_is_looked_at_again() {
    let (mut visitor, mut transport) = connected().await;
    for frame in ["one ", "two ", "three"] {
        transport.write_all(frame.as_bytes()).await.unwrap();
        transport.flush().await.unwrap();
    }
    assert_eq!(received(&mut visitor), b"");
    look(&mut transport).await;
    assert_eq!(received(&mut visitor), b"one two three");
}

#[tokio::test]
async fn what_nobody_asked_to_flush_waits_until_somebody_does() {
    let (mut visitor, mut transport) = connected().await;
    transport.write_all(b"a head").await.unwrap();
    look(&mut transport).await;
    assert_eq!(received(&mut visitor), b"");
    transport.flush().await.unwrap();
    look(&mut transport).await;
    assert_eq!(received(&mut visitor), b"a head");
}

/// Counts how often a task was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn whoever_flushes_is_woken_once_to_look_again() {
    let (_visitor, mut transport) = connected().await;
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let cx = &mut Context::from_waker(&waker);
    for _ in 0..3 {
        assert!(Pin::new(&mut transport).poll_write(cx, b"a frame").is_ready());
        assert!(Pin::new(&mut transport).poll_flush(cx).is_ready());
    }
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    look(&mut transport).await;
    // And there is nothing to wake it for, until there is more.
    assert!(Pin::new(&mut transport).poll_flush(cx).is_ready());
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(Pin::new(&mut transport).poll_write(cx, b"a frame").is_ready());
    assert!(Pin::new(&mut transport).poll_flush(cx).is_ready());
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn what_does_not_fit_together_goes_out_at_once() {
    let (mut visitor, mut transport) = connected().await;
    transport.write_all(&[b'a'; MOST]).await.unwrap();
    assert_eq!(received(&mut visitor), b"");
    transport.write_all(b"b").await.unwrap();
    assert_eq!(received(&mut visitor), [b'a'; MOST]);
    let long = [b'c'; MOST + 1];
    transport.write_all(&long).await.unwrap();
    assert_eq!(received(&mut visitor), [b"b", &long[..]].concat());
}

#[tokio::test]
async fn what_the_socket_takes_later_goes_out_later() {
    let (mut visitor, mut transport) = connected().await;
    let cx = &mut Context::from_waker(Waker::noop());
    // As much as the sockets hold, and more that is due.
    let mut sent = Vec::new();
    for letter in (b'a'..=b'z').cycle() {
        let frame = [letter; MOST];
        match Pin::new(&mut transport).poll_write(cx, &frame) {
            Poll::Ready(written) => sent.extend_from_slice(&frame[..written.unwrap()]),
            Poll::Pending => break,
        }
    }
    assert!(Pin::new(&mut transport).poll_flush(cx).is_ready());
    look(&mut transport).await;
    let mut all = Vec::new();
    let reading = async {
        while all.len() < sent.len() {
            all.extend(received(&mut visitor));
            look(&mut transport).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BOUND, reading).await.expect("all of it comes");
    assert!(all == sent);
}

#[tokio::test]
async fn what_has_gone_out_takes_no_room() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _visitor = Visitor::connect(listener.local_addr().unwrap()).unwrap();
    let (mut socket, mut batch) = (Socket::Plain(listener.accept().await.unwrap().0), Batch::default());
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(batch.poll_write(&mut socket, cx, &[IoSlice::new(b"a frame")]).is_ready());
    assert_eq!(batch.kept.capacity(), MOST);
    assert!(batch.poll_all(&mut socket, cx).is_ready());
    assert_eq!(batch.kept.capacity(), 0);
}

#[tokio::test]
async fn frames_keep_their_order_whatever_their_size() {
    let (mut visitor, mut transport) = connected().await;
    let sizes = [10, MOST, MOST + 1, 1, MOST - 1, 1, 3 * MOST, 100];
    let frames: Vec<Vec<u8>> = (b'a'..).zip(sizes).map(|(letter, size)| vec![letter; size]).collect();
    let writing = tokio::spawn({
        let frames = frames.clone();
        async move {
            for frame in &frames {
                transport.write_all(frame).await.unwrap();
                transport.flush().await.unwrap();
            }
            look(&mut transport).await;
            transport
        }
    });
    let expected = frames.concat();
    let mut all = Vec::new();
    let reading = async {
        while all.len() < expected.len() {
            all.extend(received(&mut visitor));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BOUND, reading).await.expect("all of it comes");
    assert!(all == expected);
    drop(writing.await.unwrap());
}

#[tokio::test]
async fn the_last_frames_go_out_before_the_end() {
    let (mut visitor, mut transport) = connected().await;
    transport.write_all(b"the last").await.unwrap();
    transport.flush().await.unwrap();
    transport.shutdown().await.unwrap();
    assert_eq!(received(&mut visitor), b"the last");
    assert_eq!(visitor.read(&mut [0]).unwrap(), 0);
}
