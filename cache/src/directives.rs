//! Cache directives: `Cache-Control` of a response, read with caution (RFC 9111 section 5.2).

use std::time::Duration;

use http::HeaderValue;

/// The directives of a response's `Cache-Control` that decide whether and how long it may be kept.
///
/// Malformed input leads to caution, not to an error: a prohibition is heeded wherever it can be recognised, and a lifetime
/// that cannot be read is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// `no-store`: keep nothing (section 5.2.2.5).
    pub no_store: bool,
    /// `no-cache`, with or without field names: do not answer from it unasked (section 5.2.2.4).
    pub no_cache: bool,
    /// `private`, with or without field names: for one visitor (section 5.2.2.7).
    pub private: bool,
    /// `max-age` (section 5.2.2.1).
    pub max_age: Option<Duration>,
    /// `s-maxage`, which beats `max-age` in a shared cache (section 5.2.2.10).
    pub s_maxage: Option<Duration>,
}

impl CacheControl {
    /// Reads every line of the field.
    pub fn parse<'a>(lines: impl Iterator<Item = &'a HeaderValue>) -> CacheControl {
        let mut directives = CacheControl::default();
        for line in lines {
            for directive in Elements(line.as_bytes()) {
                directives.heed(directive);
            }
        }
        directives
    }

    /// The freshness lifetime the handler gives a shared cache explicitly, if any.
    pub fn lifetime(&self) -> Option<Duration> {
        self.s_maxage.or(self.max_age)
    }

    fn heed(&mut self, directive: &[u8]) {
        // A wrong separator, as in `private; max-age=60`, must not hide a prohibition.
        for word in Words(directive) {
            let name = word.split(|byte| *byte == b'=').next().unwrap_or_default();
            self.no_store |= name.eq_ignore_ascii_case(b"no-store");
            self.no_cache |= name.eq_ignore_ascii_case(b"no-cache");
            self.private |= name.eq_ignore_ascii_case(b"private");
        }
        let (name, value) = match directive.iter().position(|byte| *byte == b'=') {
            Some(at) => (directive[..at].trim_ascii(), Some(directive[at + 1..].trim_ascii())),
            None => (directive.trim_ascii(), None),
        };
        if name.eq_ignore_ascii_case(b"max-age") {
            self.max_age = Some(shorter(self.max_age, delta_seconds(value)));
        } else if name.eq_ignore_ascii_case(b"s-maxage") {
            self.s_maxage = Some(shorter(self.s_maxage, delta_seconds(value)));
        }
    }
}

/// Of a repeated directive the most restrictive counts (RFC 9111 section 4.2.1).
fn shorter(known: Option<Duration>, new: Duration) -> Duration {
    known.map_or(new, |known| known.min(new))
}

/// A number of seconds (RFC 9111 section 1.2.2): overflow counts as 2^31, anything unreadable as stale.
pub(crate) fn delta_seconds(value: Option<&[u8]>) -> Duration {
    const OVERFLOW: u64 = 1 << 31;
    let Some(mut digits) = value else { return Duration::ZERO };
    if let [b'"', inner @ .., b'"'] = digits {
        digits = inner;
    }
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Duration::ZERO;
    }
    let seconds = digits
        .iter()
        .fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')).min(OVERFLOW));
    Duration::from_secs(seconds)
}

/// The elements of a comma-separated list; commas inside quoted strings belong to their element (RFC 9110 section 5.6). A
/// quote that is never closed is none.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = find_outside_quotes(self.0, |byte| byte == b',');
        let (element, rest) = match end {
            Some(at) => (&self.0[..at], &self.0[at + 1..]),
            None => (self.0, &self.0[self.0.len()..]),
        };
        self.0 = rest;
        Some(element)
    }
}

/// The words of an element, whatever stands between them that belongs there or not.
struct Words<'a>(&'a [u8]);

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = find_outside_quotes(self.0, |byte| matches!(byte, b';' | b' ' | b'\t'));
        let (word, rest) = match end {
            Some(at) => (&self.0[..at], &self.0[at + 1..]),
            None => (self.0, &self.0[self.0.len()..]),
        };
        self.0 = rest;
        Some(word)
    }
}

/// Where the first byte that `separates` is, outside quoted strings.
fn find_outside_quotes(text: &[u8], separates: impl Fn(u8) -> bool) -> Option<usize> {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if separates(byte) {
            return Some(at);
        }
        at += match byte {
            b'"' => quoted_length(&text[at..]).unwrap_or(1),
            _ => 1,
        };
    }
    None
}

/// The length of the quoted string at the beginning of `text`, both quotes included; none when it does not end.
fn quoted_length(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests;
