//! One end of an HTTP/1.1 connection, read and written byte for byte: heads, fields and the framing of bodies.
//!
//! Reading is strict (RFC 9112), because a harness that overlooks what the gateway sends wrongly would hide it.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Fields in the order and with the letters in which they came.
pub(crate) type Fields = Vec<(String, String)>;

/// The longest head that is read, in bytes.
const MAX_HEAD: usize = 1 << 20;

/// Why a message could not be read to its end.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The peer closed the connection before the first byte of the message.
    Closed,
    /// The peer closed the connection, in order or by a reset, in the middle of the message.
    Cut,
    /// The bytes are not HTTP/1.1; what is wrong with them.
    Malformed(String),
}

/// What bytes come and go by: a socket, or TLS over one.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Sync + Unpin {}

impl<Stream: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Sync + Unpin> Duplex for Stream {}

/// A connection with the bytes that were read from it and not used yet.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Box<dyn Duplex>,
    buffer: BytesMut,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Wire {
        // Pieces that a test writes apart must leave apart; where the option fails, they only leave later.
        let _ = stream.set_nodelay(true);
        Wire::over(stream)
    }

    /// The end of a connection that is there already.
    pub(crate) fn over(stream: impl Duplex + 'static) -> Wire {
        Wire { stream: Box::new(stream), buffer: BytesMut::new() }
    }

    /// Writes all of `bytes`.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Tells the peer that nothing more will be written.
    pub(crate) async fn finish(&mut self) {
        // A peer that has gone already need not be told.
        let _ = self.stream.shutdown().await;
    }

    /// Reads a head with its empty line.
    pub(crate) async fn head(&mut self) -> Result<Bytes, Fault> {
        loop {
            if let Some(end) = position(&self.buffer, b"\r\n\r\n") {
                return Ok(self.buffer.split_to(end + 4).freeze());
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Fault::Malformed(format!("a head of over {MAX_HEAD} bytes")));
            }
            if !self.fill().await.unwrap_or(false) {
                return Err(if self.buffer.is_empty() { Fault::Closed } else { Fault::Cut });
            }
        }
    }

    /// Reads a line and drops its CRLF.
    async fn line(&mut self) -> Result<Bytes, Fault> {
        loop {
            if let Some(end) = position(&self.buffer, b"\r\n") {
                let line = self.buffer.split_to(end + 2).freeze();
                return Ok(line.slice(..end));
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Fault::Malformed("a line without end".to_owned()));
            }
            if !self.fill().await.unwrap_or(false) {
                return Err(Fault::Cut);
            }
        }
    }

    /// Reads `length` bytes, or those that come before the connection ends.
    pub(crate) async fn up_to(&mut self, length: usize) -> Bytes {
        while self.buffer.len() < length && self.fill().await.unwrap_or(false) {}
        let length = length.min(self.buffer.len());
        self.buffer.split_to(length).freeze()
    }

    /// Gives what has come, at most `limit` bytes of it, and waits for the first byte only. Nothing means the end.
    ///
    /// # Errors
    /// When the connection was reset rather than closed.
    pub(crate) async fn some(&mut self, limit: usize) -> io::Result<Bytes> {
        if self.buffer.is_empty() {
            self.fill().await?;
        }
        let length = limit.min(self.buffer.len());
        Ok(self.buffer.split_to(length).freeze())
    }

    /// Waits until the peer has closed its side; what it still sends is kept for later reads.
    ///
    /// Dropping the future loses nothing.
    pub(crate) async fn left(&mut self) {
        while self.fill().await.unwrap_or(false) {}
    }

    /// Reads more; false at the end of the connection.
    async fn fill(&mut self) -> io::Result<bool> {
        self.buffer.reserve(8192);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }
}

/// A body in the course of being read.
#[derive(Debug)]
pub(crate) struct Body {
    rest: Rest,
    trailers: Fields,
}

/// What is still to come of a body.
#[derive(Clone, Copy, Debug)]
enum Rest {
    Length(u64),
    Chunks,
    UntilClose,
    Nothing,
    /// The connection ended too soon.
    Lost,
}

impl Body {
    /// The body of a request (RFC 9112, section 6.3).
    pub(crate) fn of_request(fields: &Fields) -> Result<Body, String> {
        Ok(Body::new(declared(fields)?.unwrap_or(Rest::Nothing)))
    }

    /// The body of the answer with `status` to a request with `method` (RFC 9112, section 6.3).
    pub(crate) fn of_response(method: &str, status: u16, fields: &Fields) -> Result<Body, String> {
        let declared = declared(fields)?;
        let none = method == "HEAD" || matches!(status, 100..=199 | 204 | 304);
        Ok(Body::new(if none { Rest::Nothing } else { declared.unwrap_or(Rest::UntilClose) }))
    }

    fn new(rest: Rest) -> Body {
        Body { rest, trailers: Fields::new() }
    }

    /// The fields after the last chunk; empty before the body has ended.
    pub(crate) fn into_trailers(self) -> Fields {
        self.trailers
    }

    /// Reads the next piece: one chunk as it was framed, or what has come of another body; nothing at its end.
    pub(crate) async fn next(&mut self, wire: &mut Wire) -> Result<Option<Bytes>, Fault> {
        match self.rest {
            Rest::Nothing | Rest::Length(0) => Ok(None),
            Rest::Lost => Err(Fault::Cut),
            Rest::Chunks => self.chunk(wire).await,
            Rest::Length(length) => {
                let limit = usize::try_from(length).unwrap_or(usize::MAX);
                let piece = wire.some(limit).await.unwrap_or_default();
                if piece.is_empty() {
                    self.rest = Rest::Lost;
                    return Err(Fault::Cut);
                }
                self.rest = Rest::Length(length - piece.len() as u64);
                Ok(Some(piece))
            }
            Rest::UntilClose => match wire.some(usize::MAX).await {
                Ok(piece) if piece.is_empty() => {
                    self.rest = Rest::Nothing;
                    Ok(None)
                }
                Ok(piece) => Ok(Some(piece)),
                Err(_) => {
                    self.rest = Rest::Lost;
                    Err(Fault::Cut)
                }
            },
        }
    }

    /// Reads a chunk; the last one with the trailers.
    async fn chunk(&mut self, wire: &mut Wire) -> Result<Option<Bytes>, Fault> {
        let line = wire.line().await?;
        let size = chunk_size(&line).map_err(Fault::Malformed)?;
        if size == 0 {
            loop {
                let line = wire.line().await?;
                if line.is_empty() {
                    break;
                }
                self.trailers.push(field(&line).map_err(Fault::Malformed)?);
            }
            self.rest = Rest::Nothing;
            return Ok(None);
        }
        let data = wire.up_to(size).await;
        if data.len() < size {
            self.rest = Rest::Lost;
            return if data.is_empty() { Err(Fault::Cut) } else { Ok(Some(data)) };
        }
        // When the connection ends between the data and its CRLF, the data is still worth handing out.
        let end = wire.up_to(2).await;
        if end.len() < 2 {
            self.rest = Rest::Lost;
        } else if end != "\r\n" {
            return Err(Fault::Malformed(format!("chunk data ends in {end:?}")));
        }
        Ok(Some(data))
    }
}

/// The framing that the fields of a message declare, if any.
fn declared(fields: &Fields) -> Result<Option<Rest>, String> {
    let codings = values(fields, "transfer-encoding");
    let lengths = values(fields, "content-length");
    match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => Ok(None),
        ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Ok(Some(Rest::Chunks)),
        ([], [length]) if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => length
            .parse()
            .map(|length| Some(Rest::Length(length)))
            .map_err(|_| format!("content-length {length} is out of range")),
        _ => Err(format!(
            "framing that may be understood in two ways: transfer-encoding {codings:?}, content-length {lengths:?}"
        )),
    }
}

/// All values of the fields called `name`, in order.
pub(crate) fn values<'a>(fields: &'a Fields, name: &str) -> Vec<&'a str> {
    let wanted = fields.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    wanted.map(|(_, value)| value.as_str()).collect()
}

/// Whether the fields called `name` list `member`, as `connection: keep-alive, close` lists `close`.
pub(crate) fn lists(fields: &Fields, name: &str, member: &str) -> bool {
    let values = values(fields, name);
    let mut members = values.iter().flat_map(|value| value.split(','));
    members.any(|found| found.trim().eq_ignore_ascii_case(member))
}

/// Takes a head apart into its first line and its fields.
pub(crate) fn parse_head(raw: &[u8]) -> Result<(String, Fields), String> {
    let text = raw.strip_suffix(b"\r\n\r\n").ok_or("a head without an empty line")?;
    let text = String::from_utf8_lossy(text);
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    if first.contains(['\r', '\n', '\0']) {
        return Err(format!("a bare CR, LF or NUL in {first:?}"));
    }
    let fields: Result<Fields, String> = lines.map(|line| field(line.as_bytes())).collect();
    Ok((first, fields?))
}

/// Takes a field line apart (RFC 9112, section 5).
fn field(line: &[u8]) -> Result<(String, String), String> {
    let text = String::from_utf8_lossy(line);
    let Some((name, value)) = text.split_once(':') else {
        return Err(format!("a field line without colon: {text:?}"));
    };
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("{name:?} is not the name of a field"));
    }
    if value.contains(['\r', '\n', '\0']) {
        return Err(format!("a bare CR, LF or NUL in {text:?}"));
    }
    let value = value.trim_matches([' ', '\t']);
    Ok((name.to_owned(), value.to_owned()))
}

/// Reads the size in a chunk's first line, where extensions may follow it.
fn chunk_size(line: &[u8]) -> Result<usize, String> {
    let text = String::from_utf8_lossy(line);
    let digits = text.split(';').next().unwrap_or_default().trim_end();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(format!("{text:?} is not the size of a chunk"));
    }
    usize::from_str_radix(digits, 16).map_err(|_| format!("{text:?} is too large for a chunk"))
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests;
