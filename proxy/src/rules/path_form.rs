//! The forms of a path that patterns are tried on. Percent-encoding is decoded for matching, as in Next.js; what a decoded
//! character would make ambiguous stays encoded.

use std::borrow::Cow;

use crate::target::{resolve_dots, single_slashes};

/// A path in normal form, as patterns see it: decoded, but for an encoded slash, which separates no segments, the percent
/// sign, and control characters. Bytes that are no UTF-8 stay encoded, so nothing is lost and each path has a form of its own.
pub(super) fn matchable(path: &str) -> Cow<'_, str> {
    spell(path, |byte| matches!(byte, b'/' | b'%') || byte.is_ascii_control())
}

/// A path, or a part of one, with its slashes and percent signs decoded too.
pub(super) fn decoded(path: &str) -> Cow<'_, str> {
    spell(path, |byte| byte.is_ascii_control())
}

/// What a path is for handlers that take its encoded slashes for slashes; nothing where it has none. They may resolve the dot
/// segments that come to light, take repeated slashes together, do both in either order, or neither.
pub(super) fn readings(matchable: &str) -> Vec<String> {
    if !matchable.contains(SLASH) {
        return Vec::new();
    }
    let plain = matchable.replace(SLASH, "/");
    let single = single_slashes(&plain);
    let resolved = |path: &str| resolve_dots(path).unwrap_or_else(|| path.to_owned());
    // What is captured leads somewhere when no dot segment is in it, so those without come first.
    let all = [resolved(&single), single_slashes(&resolved(&plain)), resolved(&plain), single, plain];
    let mut readings: Vec<String> = Vec::with_capacity(all.len());
    for reading in all {
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    }
    readings
}

/// An encoded slash. A percent sign of its own is encoded too, so no other text looks like it.
const SLASH: &str = "%2F";

fn spell(path: &str, stays: impl Fn(u8) -> bool) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        match behind.get(..2).filter(|_| first == b'%').and_then(byte) {
            Some(byte) if stays(byte) => {
                push_encoded(&mut bytes, byte);
                rest = &behind[2..];
            }
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(text)
}

fn byte(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

fn push_encoded(bytes: &mut Vec<u8>, byte: u8) {
    bytes.extend_from_slice(format!("%{byte:02X}").as_bytes());
}

/// Encodes what is not `allowed`, byte by byte.
pub(super) fn encode(text: &str, allowed: impl Fn(u8) -> bool, out: &mut String) {
    for byte in text.bytes() {
        if allowed(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}
