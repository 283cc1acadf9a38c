//! Content codings: which one a visitor prefers (RFC 9110 section 12.5.3), and which responses the gateway may code.

use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap,
    HeaderName,
};
use http::{HeaderValue, StatusCode};

use crate::response::decimal;
use crate::targeted::Heeded;
use crate::{CacheControl, ResponseHead};

/// A content coding that the gateway makes itself (RFC 9110 section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `zstd` (RFC 8878, with the window that RFC 9659 allows).
    Zstd,
    /// `br` (RFC 7932).
    Br,
    /// `gzip` (RFC 9110 section 8.4.1.3).
    Gzip,
}

impl Coding {
    /// Every coding, the fastest to decode for what it saves first.
    pub const ALL: [Coding; 3] = [Coding::Zstd, Coding::Br, Coding::Gzip];

    /// The registered name, as `Content-Encoding` tells it (RFC 9110 section 8.4).
    pub fn as_str(self) -> &'static str {
        match self {
            Coding::Zstd => "zstd",
            Coding::Br => "br",
            Coding::Gzip => "gzip",
        }
    }
}

/// Which of `offered`, in the gateway's order, a request prefers over identity (RFC 9110 section 12.5.3).
///
/// The highest weight wins, and the order of `offered` decides between equals. Identity, which `None` stands for, wins
/// when the request names it with a higher weight than any coding. A request that says nothing about codings could have
/// any (section 12.5.3), but who does not ask for one may not be able to undo it, and gets identity.
///
/// A member of the list that is malformed is ignored.
pub fn preferred(request: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    let weights = Weights::read(request);
    let least = weights.identity.unwrap_or(Weight::FORBIDDEN).max(Weight::LEAST);
    let mut best: Option<(Coding, Weight)> = None;
    for &coding in offered {
        let weight = weights.of(coding);
        if weight >= least && best.is_none_or(|(_, known)| weight > known) {
            best = Some((coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

/// Whether the gateway may code a response, as far as the handler's head tells.
///
/// Only a 200 that comes whole, in a media type that is known to shrink and of at least `least` bytes, if it says how
/// many; its body is to be measured again once it is known. What the handler coded itself stays as it is, and so does
/// what must not be transformed (RFC 9110 section 7.7, RFC 9111 section 5.2.2.6) or carries a digest of its bytes (RFC
/// 9530).
///
/// The body has no part in it, so that a miss, which is sent while it comes, and its hits tell the same `Vary`.
pub fn may_be_coded(head: &ResponseHead, least: u64) -> bool {
    let fields = &head.fields;
    head.status == StatusCode::OK
        && !AS_IT_IS.iter().any(|name| fields.contains(name))
        && !CacheControl::parse(fields.get_all(&CACHE_CONTROL)).no_transform
        && !Heeded::of(fields).control().no_transform
        && shrinks(fields.get_all(&CONTENT_TYPE))
        && fields.get_all(&CONTENT_LENGTH).all(|line| decimal(line.as_bytes()).is_some_and(|length| length >= least))
}

/// The weights that a request gives to what the gateway knows; none for what it does not name.
#[derive(Default)]
struct Weights {
    zstd: Option<Weight>,
    br: Option<Weight>,
    gzip: Option<Weight>,
    identity: Option<Weight>,
    unnamed: Option<Weight>,
}

impl Weights {
    /// Reads every line of `Accept-Encoding`; they are one list (RFC 9110 section 5.3).
    fn read(request: &HeaderMap) -> Weights {
        let mut weights = Weights::default();
        for line in request.get_all(ACCEPT_ENCODING) {
            // Nothing in this list is quoted, so every comma separates.
            for (name, weight) in line.as_bytes().split(|byte| *byte == b',').filter_map(member) {
                weights.note(name, weight);
            }
        }
        weights
    }

    fn note(&mut self, name: &[u8], weight: Weight) {
        let named = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let place = if named("zstd") {
            &mut self.zstd
        } else if named("br") {
            &mut self.br
        } else if named("gzip") || named("x-gzip") {
            // They are the same coding (section 8.4.1.3).
            &mut self.gzip
        } else if named("identity") {
            &mut self.identity
        } else if named("*") {
            &mut self.unnamed
        } else {
            return;
        };
        // Of a name that is repeated the lowest weight counts, so that a prohibition is heeded.
        *place = Some(place.map_or(weight, |known| known.min(weight)));
    }

    fn of(&self, coding: Coding) -> Weight {
        let named = match coding {
            Coding::Zstd => self.zstd,
            Coding::Br => self.br,
            Coding::Gzip => self.gzip,
        };
        named.or(self.unnamed).unwrap_or(Weight::FORBIDDEN)
    }
}

/// A quality value in thousandths (RFC 9110 section 12.4.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Weight(u16);

impl Weight {
    const FORBIDDEN: Weight = Weight(0);
    const LEAST: Weight = Weight(1);
    const FULL: Weight = Weight(1000);

    /// Reads a `qvalue`: 0 to 1 with at most three decimals.
    fn parse(text: &[u8]) -> Option<Weight> {
        const DECIMALS: usize = 3;
        let (whole, decimals) = match text {
            [whole] => (*whole, &[][..]),
            [whole, b'.', decimals @ ..] => (*whole, decimals),
            [] | [_, ..] => return None,
        };
        if decimals.len() > DECIMALS || !decimals.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let digit = |at| decimals.get(at).map_or(0, |digit| u16::from(*digit - b'0'));
        let thousandths = (0..DECIMALS).fold(0, |sum, at| sum * 10 + digit(at));
        match (whole, thousandths) {
            (b'0', thousandths) => Some(Weight(thousandths)),
            (b'1', 0) => Some(Weight::FULL),
            (_, _) => None,
        }
    }
}

/// The name and the weight of a member of the list, `codings [ OWS ";" OWS "q=" qvalue ]`; none when it is malformed.
fn member(element: &[u8]) -> Option<(&[u8], Weight)> {
    let Some(at) = element.iter().position(|byte| *byte == b';') else {
        return Some((element.trim_ascii(), Weight::FULL));
    };
    match element[at + 1..].trim_ascii() {
        [b'q' | b'Q', b'=', value @ ..] => Some((element[..at].trim_ascii(), Weight::parse(value)?)),
        [] | [_, ..] => None,
    }
}

/// Whether a media type is known to shrink; of one that is missing or told twice, nothing is known.
fn shrinks<'a>(mut lines: impl Iterator<Item = &'a HeaderValue>) -> bool {
    let (Some(line), None) = (lines.next(), lines.next()) else { return false };
    let essence = line.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    // Events are read as they come, and their stream has no end that one could wait for.
    if essence == b"text/event-stream" {
        return false;
    }
    essence.starts_with(b"text/")
        || SUFFIXES.iter().any(|suffix| essence.ends_with(suffix.as_bytes()))
        || TYPES.iter().any(|known| essence == known.as_bytes())
}

/// Structured syntaxes that are text, whatever they are used for (RFC 6839, RFC 9512).
const SUFFIXES: [&str; 3] = ["+json", "+xml", "+yaml"];

/// Media types beside `text/*` and [`SUFFIXES`] that shrink: text by another name, code, and images and fonts that are
/// not compressed in themselves. The list is closed, because coding an image, a video or an archive once more costs
/// time for nothing.
const TYPES: [&str; 27] = [
    "application/ecmascript",
    "application/graphql",
    "application/javascript",
    "application/json",
    "application/json5",
    "application/jsonl",
    "application/ndjson",
    "application/rtf",
    "application/sql",
    "application/toml",
    "application/vnd.apple.mpegurl",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-font-opentype",
    "application/x-font-ttf",
    "application/x-javascript",
    "application/x-ndjson",
    "application/x-yaml",
    "application/xml",
    "application/xml-dtd",
    "application/yaml",
    "font/collection",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/vnd.microsoft.icon",
    "image/x-icon",
];

/// Fields of a response that stays as the handler sent it: it is coded already, is a part, or carries a digest that
/// another coding would belie (RFC 9530 sections 2 and 3; `Digest` and `Content-MD5` are the obsolete ones).
static AS_IT_IS: [HeaderName; 6] = [
    CONTENT_ENCODING,
    CONTENT_RANGE,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

#[cfg(test)]
mod tests;
