use futures::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A connection on which the answer is there, and the handshake it belongs to.
async fn answered() -> (Handshake, HandshakeSocket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut handler, _) = listener.accept().await.unwrap();
    handler.write_all(b"101").await.unwrap();
    socket.readable().await.unwrap();
    let handshake = Handshake::default();
    let hearing = Hearing::Deaf(Arc::clone(&handshake.ended), None);
    (handshake, HandshakeSocket { socket, hearing }, handler)
}

fn heard(socket: &mut HandshakeSocket) -> Option<usize> {
    let mut answer = [0; 8];
    socket.read(&mut answer).now_or_never().map(Result::unwrap)
}

#[tokio::test]
async fn an_answer_is_heard_once_the_end_of_the_request_is_flushed_and_not_before() {
    let (handshake, mut socket, _handler) = answered().await;
    socket.write_all(b"the head").await.unwrap();
    socket.flush().await.unwrap();
    assert_eq!(heard(&mut socket), None, "the head alone");
    handshake.request_ended();
    assert_eq!(heard(&mut socket), None, "the end is on its way");
    socket.flush().await.unwrap();
    assert_eq!(heard(&mut socket), Some(3), "the end has been taken note of");
}

#[tokio::test]
async fn who_waits_for_the_answer_is_woken() {
    let (handshake, socket, _handler) = answered().await;
    let (mut from, mut to) = tokio::io::split(socket);
    let reading = tokio::spawn(async move {
        let mut answer = [0; 3];
        from.read_exact(&mut answer).await.map(|_| answer)
    });
    // It reads, and waits, before anything else happens here.
    tokio::task::yield_now().await;
    handshake.request_ended();
    to.flush().await.unwrap();
    assert_eq!(&reading.await.unwrap().unwrap(), b"101");
}
