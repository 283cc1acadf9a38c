//! The strict head parser: a request that the gateway might not understand the same way as the handler is refused, not
//! guessed (RFC 9112).

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::request::{Protocol, host_of, lists};
use crate::target::MAX_TARGET;

/// Longest head, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;
/// Longest request line: a method, a target and a version.
const MAX_REQUEST_LINE: usize = MAX_TARGET + 256;
/// Most header fields.
pub const MAX_FIELDS: usize = 128;

/// A request head that can be understood in one way only.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The target in origin form.
    pub target: String,
    /// The host that is asked for, in lower case; none only in HTTP/1.0.
    pub authority: Option<String>,
    /// HTTP/1.0 or HTTP/1.1.
    pub protocol: Protocol,
    /// The header fields.
    pub headers: HeaderMap,
    /// What follows.
    pub framing: BodyFraming,
    /// Whether the connection may be used again.
    pub keep_alive: bool,
}

/// How a request's body is delimited (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// No body.
    None,
    /// By its length in bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A CR without LF, or an LF without CR (RFC 9112 section 2.2).
    #[error("a line does not end in CR LF")]
    BareLineEnd,
    /// NUL or another control character.
    #[error("the head holds a control character")]
    Control,
    /// The request line is not method, target and version, each after a single space (section 3).
    #[error("the request line is malformed")]
    RequestLine,
    /// A version that is neither HTTP/1.1 nor HTTP/1.0 (section 2.3).
    #[error("the protocol version is not supported")]
    Version,
    /// A line that continues the one before (section 5.2).
    #[error("a header field is folded")]
    Folded,
    /// A field name that is none, or white space before its colon (section 5.1).
    #[error("a header field is malformed")]
    Field,
    /// No `Host`, several, or one that is no host, or another than the target names (section 3.2).
    #[error("the Host field is missing, repeated or invalid")]
    Host,
    /// A `Content-Length` that is no number, is repeated, or stands beside `Transfer-Encoding` (section 6.3).
    #[error("the Content-Length is invalid, repeated or beside a Transfer-Encoding")]
    Length,
    /// A `Transfer-Encoding` with codings before `chunked`, which nobody here decodes (section 6.1).
    #[error("the Transfer-Encoding is not supported")]
    Coding,
    /// A `Transfer-Encoding` that does not end in one `chunked`, or in HTTP/1.0: where the body ends cannot be told (sections
    /// 6.1 and 6.3).
    #[error("the Transfer-Encoding does not tell where the body ends")]
    Undelimited,
    /// The head is longer than [`MAX_HEAD`] or has more than [`MAX_FIELDS`] fields (RFC 6585 section 5).
    #[error("the head is too large")]
    HeadTooLarge,
    /// The target is longer than [`MAX_TARGET`] (RFC 9110 section 15.5.15).
    #[error("the target is too long")]
    TargetTooLong,
    /// The target is neither a path nor an absolute URI.
    #[error("the target is not a path")]
    Target,
}

impl Refusal {
    /// The status that tells it.
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Refusal::Coding => StatusCode::NOT_IMPLEMENTED,
            Refusal::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refusal::TargetTooLong => StatusCode::URI_TOO_LONG,
            Refusal::BareLineEnd
            | Refusal::Control
            | Refusal::RequestLine
            | Refusal::Folded
            | Refusal::Field
            | Refusal::Host
            | Refusal::Length
            | Refusal::Undelimited
            | Refusal::Target => StatusCode::BAD_REQUEST,
        }
    }
}

/// Where a head ends in what has been read so far: after its empty line. `seen` is how much was looked at before.
///
/// # Errors
///
/// What makes it a refusal before its end is there.
pub fn find_end(read: &[u8], seen: usize) -> Result<Option<usize>, Refusal> {
    for at in seen..read.len() {
        match read[at] {
            b'\n' if at == 0 || read[at - 1] != b'\r' => return Err(Refusal::BareLineEnd),
            b'\n' if at >= 3 && read[at - 3..at] == *b"\r\n\r" => {
                return if at < MAX_HEAD { Ok(Some(at + 1)) } else { Err(Refusal::HeadTooLarge) };
            }
            byte if at > 0 && read[at - 1] == b'\r' && byte != b'\n' => return Err(Refusal::BareLineEnd),
            byte if byte.is_ascii_control() && !matches!(byte, b'\r' | b'\n' | b'\t') => return Err(Refusal::Control),
            _ => {}
        }
    }
    if read.len() > MAX_REQUEST_LINE && !read[..MAX_REQUEST_LINE].contains(&b'\n') {
        return Err(Refusal::TargetTooLong);
    }
    if read.len() >= MAX_HEAD { Err(Refusal::HeadTooLarge) } else { Ok(None) }
}

/// Parses a whole head: everything up to and with its empty line, already free of bare line ends and control characters.
///
/// # Errors
///
/// Whatever could be understood in more than one way.
pub fn parse(head: &[u8]) -> Result<RequestHead, Refusal> {
    let text = head.strip_suffix(b"\r\n\r\n").ok_or(Refusal::RequestLine)?;
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let (method, target, protocol) = request_line(lines.next().unwrap_or_default())?;
    let mut headers = HeaderMap::with_capacity(16);
    for (count, line) in lines.enumerate() {
        if count == MAX_FIELDS {
            return Err(Refusal::HeadTooLarge);
        }
        let (name, value) = field(line)?;
        headers.append(name, value);
    }
    let framing = framing(&headers, protocol)?;
    let (target, authority) = authority(&method, target, &headers, protocol)?;
    let keep_alive = keep_alive(&headers, protocol);
    Ok(RequestHead { method, target: target.to_owned(), authority, protocol, headers, framing, keep_alive })
}

pub(super) fn request_line(line: &[u8]) -> Result<(Method, &str, Protocol), Refusal> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::RequestLine);
    };
    if target.len() > MAX_TARGET || line.len() > MAX_REQUEST_LINE {
        return Err(Refusal::TargetTooLong);
    }
    let protocol = match version {
        b"HTTP/1.1" => Protocol::Http11,
        b"HTTP/1.0" => Protocol::Http10,
        version if version.starts_with(b"HTTP/") => return Err(Refusal::Version),
        _ => return Err(Refusal::RequestLine),
    };
    let method = Method::from_bytes(method).map_err(|_| Refusal::RequestLine)?;
    // Targets are ASCII (RFC 3986); anything else is for the sender to encode.
    let target = std::str::from_utf8(target).ok().filter(|target| target.bytes().all(|byte| byte.is_ascii_graphic()));
    Ok((method, target.filter(|target| !target.is_empty()).ok_or(Refusal::RequestLine)?, protocol))
}

fn field(line: &[u8]) -> Result<(HeaderName, HeaderValue), Refusal> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Refusal::Folded);
    }
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Refusal::Field)?;
    // White space before the colon is no part of a name, so this refuses it too.
    let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| Refusal::Field)?;
    let value = trim_white_space(&line[colon + 1..]);
    HeaderValue::from_bytes(value).map(|value| (name, value)).map_err(|_| Refusal::Control)
}

/// Without the spaces and tabs around it; other white space is part of no value.
fn trim_white_space(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn framing(headers: &HeaderMap, protocol: Protocol) -> Result<BodyFraming, Refusal> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(BodyFraming::None),
        (Some(_), Some(_)) => Err(Refusal::Length),
        (None, Some(_)) if protocol == Protocol::Http10 => Err(Refusal::Undelimited),
        (None, Some(coding)) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none() => {
            Ok(BodyFraming::Chunked)
        }
        (None, Some(_)) => Err(odd_codings(headers)),
        (Some(length), None) => {
            let digits = length.as_bytes();
            // Repeated, even with the same number: whoever sent it twice may have been talked into it.
            if lengths.next().is_some() || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return Err(Refusal::Length);
            }
            let length =
                std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(Refusal::Length)?;
            Ok(if length == 0 { BodyFraming::None } else { BodyFraming::Length(length) })
        }
    }
}

/// Why codings other than a plain `chunked` are refused.
fn odd_codings(headers: &HeaderMap) -> Refusal {
    let lines = headers.get_all(TRANSFER_ENCODING).iter();
    let codings: Vec<&[u8]> =
        lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).collect();
    let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match codings.split_last() {
        Some((last, before))
            if is_chunked(last)
                && !before.is_empty()
                && before.iter().all(|coding| !coding.is_empty() && !is_chunked(coding)) =>
        {
            Refusal::Coding
        }
        Some(_) | None => Refusal::Undelimited,
    }
}

/// The target in origin form, and the host. An absolute target names the host itself; a `Host` that says something else is a
/// question of who is believed, and so refused.
fn authority<'a>(
    method: &Method,
    target: &'a str,
    headers: &HeaderMap,
    protocol: Protocol,
) -> Result<(&'a str, Option<String>), Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(valid_authority(host.as_bytes()).ok_or(Refusal::Host)?),
        (None, _) if protocol == Protocol::Http10 => None,
        (None, _) | (Some(_), Some(_)) => return Err(Refusal::Host),
    };
    // CONNECT names an authority; it is refused later, in words of its own.
    if target.starts_with('/') || *method == Method::CONNECT {
        return Ok((target, host));
    }
    let rest = strip_scheme(target).ok_or(Refusal::Target)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let named = valid_authority(&rest.as_bytes()[..end]).ok_or(Refusal::Host)?;
    if host.is_some_and(|host| host != named) {
        return Err(Refusal::Host);
    }
    match &rest[end..] {
        "" => Ok(("/", Some(named))),
        path if path.starts_with('/') => Ok((path, Some(named))),
        // `http://host?query` has an empty path; its spelling differs from server to server.
        _ => Err(Refusal::Target),
    }
}

fn strip_scheme(target: &str) -> Option<&str> {
    ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// A host and perhaps a port (RFC 9110 section 7.2), in lower case.
fn valid_authority(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let host = host_of(text);
    let port = &text[host.len()..];
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_fits = match inside {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        }
    };
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(valid_port);
    (host_fits && port_fits).then(|| text.to_ascii_lowercase())
}

/// Digits that fit a port; none is the scheme's own (RFC 3986 section 3.2.3).
fn valid_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && (port.is_empty() || port.parse::<u16>().is_ok())
}

fn keep_alive(headers: &HeaderMap, protocol: Protocol) -> bool {
    let says = |token| headers.get_all(CONNECTION).iter().any(|line| lists(line.as_bytes(), token));
    match protocol {
        Protocol::Http10 => says(b"keep-alive") && !says(b"close"),
        Protocol::Http11 | Protocol::Http2 => !says(b"close"),
    }
}

#[cfg(test)]
mod tests;
