//! The request target and its normal form: one spelling for rules, routes, the key and the handler.

use std::borrow::Cow;

/// A path and a query, in the form that everything after this point uses.
///
/// Normal form of a path: unreserved characters decoded, what a path may not hold as it is encoded, hex digits in upper case,
/// dot segments resolved (RFC 3986 sections 6.2.2 and 5.2.4), single slashes. The query is kept as it came, but for what no query
/// may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    path: Cow<'a, str>,
    query: Option<Cow<'a, str>>,
    /// Whether it came with repeated slashes: then it is told its one name, and by that the rules know it.
    repeated_slashes: bool,
}

/// Longest target that is served, in bytes.
pub const MAX_TARGET: usize = 16 * 1024;

/// Why a target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a path: neither `/...` nor, after its authority was taken off, an absolute URI.
    #[error("the target is not a path")]
    Form,
    /// A byte that no target may hold: a control character, a space, `#`, or one outside ASCII.
    #[error("the target holds a byte that must be percent-encoded")]
    Character,
    /// A percent sign without two hex digits.
    #[error("the path holds a broken percent-encoding")]
    Encoding,
    /// `%00`, a backslash or `%5C`: servers disagree on what they mean.
    #[error("the path holds an encoded NUL or a backslash")]
    Ambiguous,
}

impl<'a> Target<'a> {
    /// Reads an origin-form target (RFC 9112 section 3.2.1).
    ///
    /// # Errors
    ///
    /// A [`TargetError`] for what a handler might understand differently.
    pub fn parse(raw: &'a str) -> Result<Target<'a>, TargetError> {
        if !raw.starts_with('/') {
            return Err(TargetError::Form);
        }
        if raw.bytes().any(|byte| !matches!(byte, b'!'..=b'~') || byte == b'#') {
            return Err(TargetError::Character);
        }
        let (path, query) = match raw.split_once('?') {
            Some((path, query)) => (path, Some(respell_query(query))),
            None => (raw, None),
        };
        let spelled = respell(path)?;
        let resolved = match resolve_dots(&spelled) {
            Some(resolved) => Cow::Owned(resolved),
            None => spelled,
        };
        let repeated_slashes = resolved.contains("//");
        let path = if repeated_slashes { Cow::Owned(single_slashes(&resolved)) } else { resolved };
        Ok(Target { path, query, repeated_slashes })
    }

    /// The path in normal form.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query, without the question mark.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The path as routes match it: without a trailing slash.
    pub fn matched_path(&self) -> &str {
        match self.path.strip_suffix('/') {
            Some("") | None => &self.path,
            Some(path) => path,
        }
    }

    /// Whether the path ends in a slash that is not the root.
    pub fn trailing_slash(&self) -> bool {
        self.path.len() > 1 && self.path.ends_with('/')
    }

    /// Where the same page is without repeated slashes; none when it has none.
    pub fn without_repeated_slashes(&self) -> Option<String> {
        self.repeated_slashes.then(|| self.forwarded())
    }

    /// Where the same page is without its trailing slash.
    pub fn without_trailing_slash(&self) -> String {
        self.with_query(self.matched_path().to_owned())
    }

    /// Path and query, as a handler receives them on a request that passes.
    pub fn forwarded(&self) -> String {
        self.with_query(self.path.clone().into_owned())
    }

    fn with_query(&self, mut path: String) -> String {
        if let Some(query) = &self.query {
            path.push('?');
            path.push_str(query);
        }
        path
    }
}

/// What RFC 3986 calls unreserved.
fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What a path may hold as it is beside the unreserved: sub-delims, `:`, `@` and the slash.
pub(crate) fn allowed(byte: u8) -> bool {
    unreserved(byte)
        || matches!(
            byte,
            b'/' | b':' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
}

/// Decodes the unreserved, encodes what must be, and writes hex digits in upper case.
fn respell(path: &str) -> Result<Cow<'_, str>, TargetError> {
    if path.bytes().all(allowed) {
        return Ok(Cow::Borrowed(path));
    }
    let bytes = path.as_bytes();
    let mut spelled = String::with_capacity(path.len() + 8);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'%' => {
                let decoded = hex_pair(bytes.get(at..at + 2))?;
                at += 2;
                match decoded {
                    0 | b'\\' => return Err(TargetError::Ambiguous),
                    decoded if unreserved(decoded) => spelled.push(char::from(decoded)),
                    decoded => push_encoded(&mut spelled, decoded),
                }
            }
            b'\\' => return Err(TargetError::Ambiguous),
            byte if allowed(byte) => spelled.push(char::from(byte)),
            byte => push_encoded(&mut spelled, byte),
        }
    }
    Ok(Cow::Owned(spelled))
}

/// Encodes the three that a query may not hold and visitors send all the same (RFC 3986 section 3.4).
fn respell_query(query: &str) -> Cow<'_, str> {
    let forbidden = |byte: &u8| matches!(byte, b'"' | b'<' | b'>');
    if !query.as_bytes().iter().any(forbidden) {
        return Cow::Borrowed(query);
    }
    let mut spelled = String::with_capacity(query.len() + 8);
    for byte in query.bytes() {
        if forbidden(&byte) {
            push_encoded(&mut spelled, byte);
        } else {
            spelled.push(char::from(byte));
        }
    }
    Cow::Owned(spelled)
}

fn hex_pair(pair: Option<&[u8]>) -> Result<u8, TargetError> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match pair {
        Some(&[high, low]) => match (digit(high), digit(low)) {
            (Some(high), Some(low)) => Ok(high << 4 | low),
            _ => Err(TargetError::Encoding),
        },
        _ => Err(TargetError::Encoding),
    }
}

pub(crate) fn push_encoded(text: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(HEX[usize::from(byte >> 4)]));
    text.push(char::from(HEX[usize::from(byte & 15)]));
}

/// A target as people write it, with spaces and what is outside ASCII encoded, as a browser does (RFC 3987 section 3.1). Control
/// characters stay, to be refused.
pub(crate) fn as_sent(written: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii() && byte != b' ';
    if written.bytes().all(plain) {
        return Cow::Borrowed(written);
    }
    let mut sent = String::with_capacity(written.len() + 16);
    for byte in written.bytes() {
        if plain(byte) { sent.push(char::from(byte)) } else { push_encoded(&mut sent, byte) }
    }
    Cow::Owned(sent)
}

/// The path without repeated slashes.
pub(crate) fn single_slashes(path: &str) -> String {
    let mut single = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !single.ends_with('/') {
            single.push(character);
        }
    }
    single
}

/// The path without dot segments; none when it has none. Above the root there is only the root.
pub(crate) fn resolve_dots(path: &str) -> Option<String> {
    if !path.contains("/.") {
        return None;
    }
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." => {}
            ".." => {
                segments.pop();
            }
            part => {
                segments.push(part);
                continue;
            }
        }
        // A dot segment at the end leaves a slash there.
        if last {
            segments.push("");
        }
    }
    let mut resolved = String::with_capacity(path.len());
    for segment in segments {
        resolved.push('/');
        resolved.push_str(segment);
    }
    Some(if resolved.is_empty() { "/".to_owned() } else { resolved })
}

/// Decodes every percent-encoding, for values given to people and handlers: bytes that are no UTF-8 become U+FFFD.
pub fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, hex_pair(bytes.get(at + 1..at + 3))) {
            (b'%', Ok(value)) => {
                decoded.push(value);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

#[cfg(test)]
mod tests;
