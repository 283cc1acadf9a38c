//! A client that speaks HTTP/2: over cleartext with prior knowledge, or over TLS.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::poll::{BOUND, within};
use crate::response::Response;
use crate::wire::Duplex;

/// A connection that carries any number of HTTP/2 streams at once. Dropping the last clone closes it.
#[derive(Clone, Debug)]
pub struct Http2Client {
    sender: SendRequest<Bytes>,
    address: SocketAddr,
    scheme: &'static str,
}

impl Http2Client {
    /// Opens a connection.
    ///
    /// # Panics
    /// When nobody listens there, or not for HTTP/2.
    pub async fn connect(address: SocketAddr) -> Http2Client {
        let stream = within("a connection", BOUND, TcpStream::connect(address)).await;
        let stream = stream.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        // Otherwise each window waits for a delayed acknowledgement.
        stream.set_nodelay(true).unwrap_or_else(|error| panic!("the connection to {address} is gone: {error}"));
        Http2Client::on(stream, address, "http").await
    }

    /// A client on a connection over TLS; see [`crate::Site::connect`].
    ///
    /// # Panics
    /// When the socket beneath is gone, or the gateway does not speak HTTP/2 there.
    pub async fn over_tls(stream: TlsStream<TcpStream>) -> Http2Client {
        let address = stream.get_ref().0.peer_addr().expect("a connection that is open");
        Http2Client::on(stream, address, "https").await
    }

    async fn on(stream: impl Duplex + 'static, address: SocketAddr, scheme: &'static str) -> Http2Client {
        let handshake = within("HTTP/2", BOUND, h2::client::handshake(stream)).await;
        let (sender, connection) = handshake.unwrap_or_else(|error| panic!("{address} does not speak HTTP/2: {error}"));
        // What goes wrong with the connection goes wrong with its streams, where it is noticed.
        tokio::spawn(async move { drop(connection.await) });
        Http2Client { sender, address, scheme }
    }

    /// Sends a GET on a stream of its own and reads its answer.
    ///
    /// # Panics
    /// As [`Http2Client::request`] does.
    pub async fn get(&self, target: &str) -> Response {
        self.request("GET", target, &[], b"").await
    }

    /// Sends a request on a stream of its own and reads its answer. A `host` among the fields becomes `:authority`.
    ///
    /// # Panics
    /// When the stream ends without a head, or an answer does not come in time.
    pub async fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Response {
        let address = self.address.to_string();
        let host = headers.iter().find(|(name, _)| *name == "host");
        let authority = host.map_or(address.as_str(), |(_, value)| value);
        let uri = format!("{}://{authority}{target}", self.scheme);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request that HTTP/2 can carry");
        let body = Bytes::copy_from_slice(body.as_ref());
        let ready = within("a stream", BOUND, self.sender.clone().ready()).await;
        let mut sender = ready.expect("the connection takes streams");
        let (answer, upload) = sender.send_request(request, body.is_empty()).expect("the connection takes this stream");
        let uploading = send(upload, body);
        let reading = within("an answer over HTTP/2", BOUND, receive(answer));
        let ((), response) = tokio::join!(uploading, reading);
        response
    }
}

/// Sends a body as fast as the peer takes it.
async fn send(mut upload: SendStream<Bytes>, mut body: Bytes) {
    while !body.is_empty() {
        upload.reserve_capacity(body.len());
        let granted = within("the peer to take a body", BOUND, async {
            std::future::poll_fn(|context| upload.poll_capacity(context)).await
        });
        // A peer that wants no more of the body says so in its answer.
        let Some(Ok(capacity)) = granted.await else {
            return;
        };
        let piece = body.split_to(capacity.min(body.len()));
        if upload.send_data(piece, body.is_empty()).is_err() {
            return;
        }
    }
}

/// Reads an answer with its body.
async fn receive(answer: ResponseFuture) -> Response {
    let (head, mut stream) = match answer.await {
        Ok(response) => response.into_parts(),
        Err(error) => panic!("the stream ended without an answer: {error}"),
    };
    let mut response = Response { status: head.status.as_u16(), headers: fields(&head.headers), ..Response::default() };
    response.complete = read(&mut stream, &mut response).await.is_ok();
    response
}

async fn read(stream: &mut RecvStream, response: &mut Response) -> Result<(), h2::Error> {
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        response.body.extend_from_slice(&piece);
        stream.flow_control().release_capacity(piece.len())?;
    }
    if let Some(trailers) = stream.trailers().await? {
        response.trailers = fields(&trailers);
    }
    Ok(())
}

/// The fields in their order, as far as a map of fields keeps it.
fn fields(map: &HeaderMap) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    map.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}
