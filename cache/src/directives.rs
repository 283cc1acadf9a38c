//! Cache directives: `Cache-Control` of a response, read with caution (RFC 9111 section 5.2).

use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, VARY};
use http::{HeaderName, HeaderValue};

use crate::list::{elements, split_outside_quotes};

/// The directives of a response that decide whether and how long it may be kept, and whether as it came.
///
/// Malformed input leads to caution, not to an error: a prohibition is heeded wherever it can be recognised, and a lifetime
/// that cannot be read is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// `no-store`: keep nothing (section 5.2.2.5).
    pub no_store: bool,
    /// `no-cache`: do not answer from it unasked (section 5.2.2.4).
    pub no_cache: Restriction,
    /// `private`: for one visitor (section 5.2.2.7).
    pub private: Restriction,
    /// `must-revalidate`: once stale, never without asking (section 5.2.2.2).
    pub must_revalidate: bool,
    /// `proxy-revalidate`: the same for shared caches (section 5.2.2.8).
    pub proxy_revalidate: bool,
    /// `must-understand`: not to be kept by who does not know its status (section 5.2.2.3).
    pub must_understand: bool,
    /// Whether `no-store` stands where nothing belongs, so that nothing beside it can be trusted to soften it.
    pub garbled: bool,
    /// `no-transform`: leave the content as it is (section 5.2.2.6).
    pub no_transform: bool,
    /// `public`: may be kept although it would not be otherwise (section 5.2.2.9).
    pub public: bool,
    /// `max-age` (section 5.2.2.1).
    pub max_age: Option<Duration>,
    /// `s-maxage`, which beats `max-age` in a shared cache (section 5.2.2.10).
    pub s_maxage: Option<Duration>,
    /// `stale-while-revalidate` (RFC 5861 section 3).
    pub stale_while_revalidate: Option<Duration>,
    /// `stale-if-error` (RFC 5861 section 4).
    pub stale_if_error: Option<Duration>,
}

/// What a directive holds back that may name fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Restriction {
    /// Nothing.
    #[default]
    Nothing,
    /// These fields of the response.
    Fields(Vec<HeaderName>),
    /// The whole response.
    Whole,
}

impl Restriction {
    /// Whether it is there at all, with or without field names.
    pub fn is_present(&self) -> bool {
        *self != Restriction::Nothing
    }

    /// The fields that are held back.
    pub fn fields(&self) -> &[HeaderName] {
        match self {
            Restriction::Fields(names) => names,
            Restriction::Nothing | Restriction::Whole => &[],
        }
    }

    /// Adds what a directive with this argument holds back. What cannot be read holds back the whole.
    pub(crate) fn add(&mut self, argument: Option<&[u8]>) {
        let named = argument.and_then(field_names);
        *self = match (std::mem::take(self), named) {
            (Restriction::Whole, _) | (_, None) => Restriction::Whole,
            (Restriction::Nothing, Some(names)) => Restriction::Fields(names),
            (Restriction::Fields(mut known), Some(names)) => {
                known.extend(names);
                Restriction::Fields(known)
            }
        };
    }
}

impl CacheControl {
    /// Reads every line of the field.
    pub fn parse<'a>(lines: impl Iterator<Item = &'a HeaderValue>) -> CacheControl {
        let mut directives = CacheControl::default();
        for line in lines {
            for directive in elements(line.as_bytes()) {
                directives.heed(directive);
            }
        }
        directives
    }

    /// The freshness lifetime the handler gives a shared cache explicitly, if any.
    pub fn lifetime(&self) -> Option<Duration> {
        self.s_maxage.or(self.max_age)
    }

    /// Whether it may never be served stale without asking: `s-maxage` implies it for shared caches (section 5.2.2.10).
    pub fn forbids_stale(&self) -> bool {
        self.must_revalidate || self.proxy_revalidate || self.s_maxage.is_some()
    }

    /// Reads one directive.
    pub(crate) fn heed(&mut self, directive: &[u8]) {
        // A wrong separator, as in `private; max-age=60`, must not hide a prohibition.
        for word in split_outside_quotes(directive, |byte| matches!(byte, b';' | b' ' | b'\t')) {
            let (name, argument) = name_and_argument(word);
            self.restrict(name, argument);
            self.garbled |= name.eq_ignore_ascii_case(b"no-store") && word.trim_ascii() != directive.trim_ascii();
        }
        let (name, argument) = name_and_argument(directive);
        self.permit(name, argument);
    }

    /// Heeds what forbids something.
    fn restrict(&mut self, name: &[u8], argument: Option<&[u8]>) {
        let is = |directive: &str| name.eq_ignore_ascii_case(directive.as_bytes());
        self.no_store |= is("no-store");
        self.must_revalidate |= is("must-revalidate");
        self.proxy_revalidate |= is("proxy-revalidate");
        self.must_understand |= is("must-understand");
        self.no_transform |= is("no-transform");
        if is("no-cache") {
            self.no_cache.add(argument);
        } else if is("private") {
            self.private.add(argument);
        }
    }

    /// Heeds what permits something, where it is well written.
    fn permit(&mut self, name: &[u8], argument: Option<&[u8]>) {
        let is = |directive: &str| name.eq_ignore_ascii_case(directive.as_bytes());
        self.public |= is("public") && argument.is_none();
        let time = if is("max-age") {
            &mut self.max_age
        } else if is("s-maxage") {
            &mut self.s_maxage
        } else if is("stale-while-revalidate") {
            &mut self.stale_while_revalidate
        } else if is("stale-if-error") {
            &mut self.stale_if_error
        } else {
            return;
        };
        *time = Some(shorter(*time, delta_seconds(argument)));
    }
}

/// A directive's name and what follows its equals sign.
pub(crate) fn name_and_argument(directive: &[u8]) -> (&[u8], Option<&[u8]>) {
    match directive.iter().position(|byte| *byte == b'=') {
        Some(at) => (directive[..at].trim_ascii(), Some(directive[at + 1..].trim_ascii())),
        None => (directive.trim_ascii(), None),
    }
}

/// Fields without which a response cannot be read, or given to the right one: who holds them back holds back the whole.
const NEEDED: [HeaderName; 4] = [CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, VARY];

/// The field names of an argument, as a token or a quoted string (RFC 9111 section 5.2); none when it is neither, names nothing,
/// or names what the rest cannot do without.
fn field_names(argument: &[u8]) -> Option<Vec<HeaderName>> {
    let list = match argument {
        [b'"', inner @ .., b'"'] => inner,
        token => token,
    };
    let names = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
    let names: Vec<HeaderName> = names.map(HeaderName::from_bytes).collect::<Result<_, _>>().ok()?;
    let readable = !names.iter().any(|name| NEEDED.contains(name));
    (readable && !names.is_empty()).then_some(names)
}

/// Of a repeated directive the most restrictive counts (RFC 9111 section 4.2.1).
fn shorter(known: Option<Duration>, new: Duration) -> Duration {
    known.map_or(new, |known| known.min(new))
}

/// A number of seconds (RFC 9111 section 1.2.2): overflow counts as 2^31, anything unreadable as stale.
pub(crate) fn delta_seconds(value: Option<&[u8]>) -> Duration {
    value.and_then(seconds).unwrap_or_default()
}

/// A number of seconds, quoted or not; none when it is unreadable.
pub(crate) fn seconds(mut digits: &[u8]) -> Option<Duration> {
    const OVERFLOW: u64 = 1 << 31;
    if let [b'"', inner @ .., b'"'] = digits {
        digits = inner;
    }
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = digits
        .iter()
        .fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')).min(OVERFLOW));
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
