//! Invented input for the public rules of `evergate-cache`: what the targets share.
//!
//! Every target reads its input as text, so that seeds and findings can be read and written by hand: blocks with an empty
//! line between them, in them one field, value or number per line. What is none is left out. A target asserts what holds for
//! any input: it computes what it expects in another way than the code under test, or compares two inputs that must, or must
//! not, mean the same.

use std::time::{Duration, SystemTime};

use evergate_cache::{
    CDN_CACHE_CONTROL, EVERGATE_CACHE_CONTROL, Fields, Heuristic, Moment, OriginRules, OriginVerdict, ResponseHead,
    SURROGATE_CONTROL, Sharing, Storing,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Every field by which a handler speaks to this cache alone, or to caches of its kind.
pub const TARGETED: [HeaderName; 3] = [EVERGATE_CACHE_CONTROL, CDN_CACHE_CONTROL, SURROGATE_CONTROL];

/// Rules of a route that allow all that may be allowed.
pub const GENEROUS: OriginRules =
    OriginRules { expire: YEAR, stale_if_error: YEAR, heuristic: Heuristic::Tenth, written: &[] };

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// When everything arrives: a moment in January 2027.
pub fn now() -> Moment {
    Moment { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000), monotonic: YEAR }
}

/// The blocks of a text, as many as are asked for; those that are not there are empty.
pub fn blocks<const N: usize>(text: &[u8]) -> [&[u8]; N] {
    let mut rest = text;
    let mut left = N;
    [(); N].map(|()| {
        left -= 1;
        let end = rest.windows(2).position(|pair| pair == b"\n\n").filter(|_| left > 0);
        let (block, after) = end.map_or((rest, &[][..]), |end| (&rest[..end], &rest[end + 2..]));
        rest = after;
        block
    })
}

/// Its lines.
pub fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    block.split(|byte| *byte == b'\n')
}

/// The first line as a number, as far as it is one, and what comes after it.
pub fn number(block: &[u8]) -> (u64, &[u8]) {
    let end = block.iter().position(|byte| *byte == b'\n').unwrap_or(block.len());
    let digits = block[..end].iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    (number, block.get(end + 1..).unwrap_or_default())
}

/// The lines of a block that are values of a field.
pub fn values(block: &[u8]) -> Vec<HeaderValue> {
    lines(block).filter_map(|line| HeaderValue::from_bytes(line.trim_ascii()).ok()).collect()
}

/// The lines of a block that are fields.
pub fn fields(block: &[u8]) -> Fields {
    let field = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        Some((HeaderName::from_bytes(&line[..colon]).ok()?, value))
    };
    lines(block).filter_map(field).collect()
}

/// A request with the fields of a block.
pub fn request(block: &[u8]) -> HeaderMap {
    let fields = fields(block);
    let mut request = HeaderMap::new();
    for (name, value) in fields.iter() {
        request.append(name.clone(), value.clone());
    }
    request
}

/// A response: the first line is its status (200 if it is none), the others are its fields.
pub fn head(block: &[u8]) -> ResponseHead {
    let (status, _) = number(block);
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.filter(|status| !status.is_informational()).unwrap_or(StatusCode::OK);
    ResponseHead { status, fields: fields(block) }
}

/// The head with one more line.
pub fn with(head: &ResponseHead, name: HeaderName, value: &str) -> ResponseHead {
    let mut head = head.clone();
    head.fields.append(name, text(value));
    head
}

/// The head without the lines of these names.
pub fn without(head: &ResponseHead, names: &[HeaderName]) -> ResponseHead {
    let mut head = head.clone();
    head.fields.retain(|name, _| !names.contains(name));
    head
}

/// A value that a target writes itself.
pub fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("targets write visible characters")
}

/// The verdict on an answer that was no time on its way.
pub fn verdict(rules: &OriginRules, head: &ResponseHead, request: &HeaderMap, age: Duration) -> OriginVerdict {
    rules.judge(head, request, None, now(), age)
}

/// How an answer is kept, if it is.
pub fn stored(verdict: &OriginVerdict) -> Option<&Storing> {
    match verdict {
        OriginVerdict::Store(storing) => Some(storing),
        OriginVerdict::Decline(_) | OriginVerdict::Failure => None,
    }
}

/// Whether an answer serves others without asking its handler.
pub fn is_for_everyone(verdict: &OriginVerdict) -> bool {
    stored(verdict).is_some_and(|storing| storing.sharing == Sharing::Everyone)
}

/// Whether a line, in which nothing is quoted, lists exactly this word, in any case.
pub fn lists(line: &HeaderValue, word: &str) -> bool {
    plain_elements(line).any(|element| element.eq_ignore_ascii_case(word.as_bytes()))
}

/// The elements of a line in which nothing is quoted; none of any other.
pub fn plain_elements(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let plain = !line.as_bytes().contains(&b'"');
    line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(move |_| plain)
}
