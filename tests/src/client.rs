//! A client that sends exactly the bytes it is told to and keeps exactly those it gets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::clock;
use crate::poll::{BOUND, within};
use crate::wire::{Body, Fault, Wire};

pub use crate::response::Response;

/// A connection to a gateway or an origin, speaking HTTP/1.1.
///
/// Every read ends within [`BOUND`], or panics and says what it waited for. Dropping the client closes the connection.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    address: SocketAddr,
    patience: Duration,
    /// The body that [`Client::next_chunk`] reads.
    body: Option<Body>,
    finished: Option<Finished>,
}

/// How the last body ended.
#[derive(Debug)]
struct Finished {
    complete: bool,
    trailers: Vec<(String, String)>,
}

impl Client {
    /// Opens a connection.
    ///
    /// # Panics
    /// When nobody listens there.
    pub async fn connect(address: SocketAddr) -> Client {
        let connecting = TcpStream::connect(address);
        let connected = within("a connection", BOUND, connecting).await;
        match connected {
            Ok(stream) => Client::on(Wire::new(stream), address),
            Err(error) => panic!("cannot connect to {address}: {error}"),
        }
    }

    /// A client on a connection over TLS; see [`crate::Site::connect`].
    ///
    /// # Panics
    /// When the socket beneath is gone.
    #[must_use]
    pub fn over_tls(stream: TlsStream<TcpStream>) -> Client {
        let address = stream.get_ref().0.peer_addr().expect("a connection that is open");
        Client::on(Wire::over(stream), address)
    }

    fn on(wire: Wire, address: SocketAddr) -> Client {
        Client { wire, address, patience: BOUND, body: None, finished: None }
    }

    /// The same client with another bound for each of its reads and writes.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Client {
        self.patience = patience;
        self
    }

    /// Sends these bytes. A peer that has gone is no failure here: it shows in what is read afterwards.
    ///
    /// # Panics
    /// When the peer takes too long to accept them.
    pub async fn send_raw(&mut self, bytes: impl AsRef<[u8]>) {
        let sending = self.wire.write(bytes.as_ref());
        let _ = within("the peer to take a request", self.patience, sending).await;
    }

    /// Tells the peer that nothing more will be sent; reading goes on.
    pub async fn finish_sending(&mut self) {
        self.wire.finish().await;
    }

    /// Sends a GET and reads its answer.
    pub async fn get(&mut self, target: &str) -> Response {
        self.get_with(target, &[]).await
    }

    /// Sends a GET with these fields and reads its answer.
    pub async fn get_with(&mut self, target: &str, headers: &[(&str, &str)]) -> Response {
        self.request("GET", target, headers, b"").await
    }

    /// Sends a request and reads its answer; see [`Client::send`].
    pub async fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Response {
        self.send(method, target, headers, body).await;
        self.read_response(method).await
    }

    /// Sends a request and reads nothing. `host` is added unless given, and so is `content-length` when there is a body
    /// or the method expects one.
    pub async fn send(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let given = |name: &str| headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !given("host") {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let expected = !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH");
        if expected && !given("content-length") && !given("transfer-encoding") {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.send_raw(bytes).await;
    }

    /// Reads the final answer to a request with `method`, with its body; interim answers are kept beside it.
    ///
    /// # Panics
    /// When the connection ends before there is a head, or the bytes are not HTTP/1.1.
    pub async fn read_response(&mut self, method: &str) -> Response {
        match self.try_read_response(method).await {
            Some(response) => response,
            None => panic!("{} closed the connection without an answer", self.address),
        }
    }

    /// Like [`Client::read_response`], but gives nothing when the connection ends before the first byte of an answer.
    ///
    /// # Panics
    /// When the bytes are not HTTP/1.1, or end in the middle of a head.
    pub async fn try_read_response(&mut self, method: &str) -> Option<Response> {
        let mut response = self.try_read_head(method).await?;
        while let Some((_, piece)) = self.next_chunk().await {
            response.body.extend_from_slice(&piece);
        }
        if let Some(finished) = self.finished.take() {
            response.complete = finished.complete;
            response.trailers = finished.trailers;
        }
        Some(response)
    }

    /// Reads the head of the final answer to anything but a HEAD; its body then comes from [`Client::next_chunk`].
    ///
    /// # Panics
    /// As [`Client::read_response`] does.
    pub async fn read_head(&mut self) -> Response {
        match self.try_read_head("GET").await {
            Some(response) => response,
            None => panic!("{} closed the connection without an answer", self.address),
        }
    }

    /// Reads one head, which may be that of an interim answer. The body of a final one then comes from
    /// [`Client::next_chunk`].
    ///
    /// # Panics
    /// As [`Client::read_response`] does.
    pub async fn read_interim(&mut self) -> Response {
        match self.one_head("GET").await {
            Some(response) => response,
            None => panic!("{} closed the connection without an answer", self.address),
        }
    }

    async fn try_read_head(&mut self, method: &str) -> Option<Response> {
        let mut interim = Vec::new();
        loop {
            let mut response = self.one_head(method).await?;
            // 101 is the last answer in HTTP: what follows is another protocol.
            if matches!(response.status, 100 | 102..=199) {
                interim.push(response);
            } else {
                response.interim = interim;
                return Some(response);
            }
        }
    }

    async fn one_head(&mut self, method: &str) -> Option<Response> {
        let what = format!("the head of an answer from {}", self.address);
        let raw = match within(&what, self.patience, self.wire.head()).await {
            Ok(raw) => raw,
            Err(Fault::Closed) => return None,
            Err(Fault::Cut) => panic!("the connection ended in the middle of a head"),
            Err(Fault::Malformed(problem)) => panic!("not HTTP/1.1: {problem}"),
        };
        let parsed = Response::from_head(&raw).and_then(|response| {
            let body = Body::of_response(method, response.status, &response.headers)?;
            Ok((response, body))
        });
        match parsed {
            Ok((response, body)) => {
                self.body = Some(body);
                self.finished = None;
                Some(response)
            }
            Err(problem) => panic!("not HTTP/1.1: {problem}, in the head {:?}", String::from_utf8_lossy(&raw)),
        }
    }

    /// Reads the next piece of the body and tells when it came: one chunk as it was framed, or what has come of another
    /// body. Nothing at its end; [`Client::complete`] tells which end.
    ///
    /// # Panics
    /// When the framing is wrong, or the piece does not come in time.
    pub async fn next_chunk(&mut self) -> Option<(Instant, Bytes)> {
        let body = self.body.as_mut()?;
        let next = body.next(&mut self.wire);
        let complete = match within("a piece of a body", self.patience, next).await {
            Ok(Some(piece)) => return Some((clock::now(), piece)),
            Ok(None) => true,
            Err(Fault::Closed | Fault::Cut) => false,
            Err(Fault::Malformed(problem)) => panic!("not HTTP/1.1: {problem}"),
        };
        let trailers = self.body.take().map(Body::into_trailers);
        self.finished = Some(Finished { complete, trailers: trailers.unwrap_or_default() });
        None
    }

    /// Whether the body that [`Client::next_chunk`] read came to its declared end; false before that and when it was cut.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.finished.as_ref().is_some_and(|end| end.complete)
    }

    /// The fields after the last chunk of the body that [`Client::next_chunk`] read; empty before its end.
    #[must_use]
    pub fn trailers(&self) -> &[(String, String)] {
        self.finished.as_ref().map_or(&[], |end| &end.trailers)
    }

    /// Reads `length` bytes as they are, as after an upgrade; fewer when the connection ends before.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn read_raw(&mut self, length: usize) -> Bytes {
        let what = format!("{length} raw bytes");
        within(&what, self.patience, self.wire.up_to(length)).await
    }

    /// Waits until the peer closes the connection.
    ///
    /// # Panics
    /// When it sends anything before, or does not close in time.
    pub async fn expect_closed(&mut self) {
        let reading = self.wire.some(usize::MAX);
        let what = "the peer to close the connection";
        // A reset closes the connection as well as an orderly end does.
        let rest = within(what, self.patience, reading).await;
        let rest = rest.unwrap_or_default();
        assert!(rest.is_empty(), "the peer sent more instead of closing: {:?}", String::from_utf8_lossy(&rest));
    }
}

/// Sends a GET over a fresh connection and reads its answer.
///
/// # Panics
/// When there is no answer in time, or it is not HTTP/1.1.
pub async fn get(address: SocketAddr, target: &str) -> Response {
    Client::connect(address).await.get(target).await
}
