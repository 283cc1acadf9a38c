use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Transport;
use crate::connection::socket::Socket;
use crate::tls::{Chain, Greeter, Identity};

/// Longest time for anything here.
const BOUND: Duration = Duration::from_secs(10);

/// A visitor over TLS, and the gateway's side of the connection. The system holds a few KiB between the two.
async fn connected() -> (TlsStream<TcpStream>, Transport) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let chain = Chain::from_pem(&pair.cert.pem()).unwrap();
    let greeter = Greeter::new(&Identity::from_pem(chain, &pair.signing_key.serialize_pem()).unwrap()).unwrap();
    let listening = TcpSocket::new_v4().unwrap();
    listening.set_send_buffer_size(4096).unwrap();
    listening.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listening.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let accepting: JoinHandle<Transport> = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        Transport::new(Socket::Tls(Box::new(greeter.greet(socket, BOUND).await.unwrap())))
    });
    let mut roots = RootCertStore::empty();
    roots.add(pair.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let socket = socket.connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let visitor = TlsConnector::from(Arc::new(client)).connect(name, socket).await.unwrap();
    (visitor, accepting.await.unwrap())
}

/// What TLS has taken and the socket has not is not written yet: nothing else would send it while the next request is waited for.
#[tokio::test]
async fn what_is_written_over_tls_has_gone_out() {
    let (mut visitor, mut transport) = connected().await;
    let (head, body) = (b"a head".to_vec(), (0..200_000_u32).map(|place| place as u8).collect::<Vec<u8>>());
    let sent = [head.clone(), body.clone()].concat();
    let writing = tokio::spawn(async move {
        let written = transport.write_both(&head, &body, BOUND).await;
        (written, transport)
    });
    let mut received = vec![0; sent.len()];
    tokio::time::timeout(BOUND, visitor.read_exact(&mut received)).await.expect("all of it comes").unwrap();
    assert!(received == sent);
    let (written, transport) = writing.await.unwrap();
    written.unwrap();
    // And the end is announced where nothing else is said.
    drop(transport);
    assert_eq!(visitor.read(&mut received).await.unwrap(), 0);
}

/// A visitor who takes nothing is not waited for, however much TLS has taken.
#[tokio::test]
async fn who_takes_nothing_over_tls_is_cut() {
    let (_visitor, mut transport) = connected().await;
    let written = transport.write_both(b"a head", &[0; 60_000], Duration::from_millis(50)).await;
    assert_eq!(written.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
}
