//! Variance: the request fields that split a page, and the variants into which they split it.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::list::{elements, find_outside_quotes};
use crate::memory::{allocated, shared};

/// Most request fields by which the responses of one page may differ: each is looked at in each look-up.
pub const MAX_VARY_FIELDS: usize = 32;

/// Most languages or codings of a request that are put in order; more are compared as they are written.
pub const MAX_RANGES: usize = 64;

/// The request fields that split a page, and how their values are compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Variance {
    names: Arc<[HeaderName]>,
    spelling: Spelling,
}

/// Which spellings of a value are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// Only the same bytes, lines of one field put together: what the handler sees is what is compared.
    AsSent,
    /// Those that mean the same (RFC 9111 section 4.1): white space between list elements, and in `Accept-Language` and
    /// `Accept-Encoding` case, order and how a weight is written.
    Normal,
}

impl Variance {
    /// The variance over these fields.
    pub fn new(names: impl Into<Arc<[HeaderName]>>, spelling: Spelling) -> Variance {
        let names = names.into();
        // Where nothing splits a page, nothing is spelt.
        let spelling = if names.is_empty() { Spelling::AsSent } else { spelling };
        Variance { names, spelling }
    }

    /// The fields that a response names in `Vary`, each once; none when `*` is among them, in any line and place (RFC 9110
    /// section 12.5.5), or what is no field name: nothing in a request tells whom such a response is for. Nor when there are more
    /// than [`MAX_VARY_FIELDS`].
    pub fn told<'a>(vary: impl Iterator<Item = &'a HeaderValue>) -> Option<Variance> {
        let mut names = Vec::new();
        for element in vary.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')) {
            let element = element.trim_ascii();
            if element == b"*" {
                return None;
            }
            if !element.is_empty() {
                let name = HeaderName::from_bytes(element).ok()?;
                if !names.contains(&name) {
                    names.push(name);
                }
                if names.len() > MAX_VARY_FIELDS {
                    return None;
                }
            }
        }
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        Some(Variance::new(names, Spelling::Normal))
    }

    /// The fields.
    pub fn names(&self) -> &[HeaderName] {
        &self.names
    }

    fn values(&self, request: &HeaderMap) -> Vec<u8> {
        // More than most values take.
        let mut bytes = Vec::with_capacity(128);
        for name in self.names.iter() {
            let value = match self.spelling {
                Spelling::AsSent => list_value(request, name),
                Spelling::Normal => normal_value(request, name),
            };
            put(&mut bytes, value.as_deref());
        }
        bytes
    }
}

/// One of the pieces into which the variance of a page splits it: the values of the request fields that matter. Most pages are not
/// split, and their variant takes no room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variant(Option<Arc<Piece>>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Piece {
    variance: Variance,
    values: Box<[u8]>,
}

static UNSPLIT: LazyLock<Variance> = LazyLock::new(|| Variance::new([], Spelling::AsSent));

impl Variant {
    /// The variant that `request` asks for.
    ///
    /// Several lines of one field are one list (RFC 9110 section 5.3), so they are joined before they are compared.
    pub fn of(variance: &Variance, request: &HeaderMap) -> Variant {
        let piece = || Arc::new(Piece { variance: variance.clone(), values: variance.values(request).into() });
        Variant((!variance.names.is_empty()).then(piece))
    }

    /// Whether `request` asks for this one: every field that splits it has the value it was made for (RFC 9111 section 4.1).
    pub fn matches(&self, request: &HeaderMap) -> bool {
        Selecting::any(request).selects(self)
    }

    /// The fields that split it from others, with the values it was made for; none where the request had no such field. Languages and
    /// codings that are put in order are kept in a form for comparing alone, so there the value is empty.
    pub fn fields(&self) -> impl Iterator<Item = (&HeaderName, Option<&[u8]>)> {
        let variance = self.variance();
        let in_order = |name: &HeaderName| {
            variance.spelling == Spelling::Normal && (*name == ACCEPT_LANGUAGE || *name == ACCEPT_ENCODING)
        };
        let fields = variance.names.iter().zip(parts(self.values()));
        fields.map(move |(name, value)| (name, value.map(|value| if in_order(name) { &[][..] } else { value })))
    }

    /// What it differs in from others of its page.
    pub fn variance(&self) -> &Variance {
        self.0.as_ref().map_or(&*UNSPLIT, |piece| &piece.variance)
    }

    fn values(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |piece| &piece.values)
    }

    /// What it takes in memory beside itself, in bytes.
    pub fn size(&self) -> usize {
        let piece = |piece: &Arc<Piece>| {
            shared(size_of::<Piece>()) + allocated(piece.values.len()) + shared(size_of_val(&*piece.variance.names))
        };
        self.0.as_ref().map_or(0, piece)
    }
}

/// Tries variants against one request. The values of variants that differ in the same fields are computed once.
pub(crate) struct Selecting<'a> {
    request: &'a HeaderMap,
    /// Where the operator says what splits a page, a variant that differs in other fields was made under another configuration.
    only: Option<&'a Variance>,
    last: Option<(Variance, Vec<u8>)>,
}

impl<'a> Selecting<'a> {
    /// Variants by whatever they differ in.
    pub(crate) fn any(request: &'a HeaderMap) -> Selecting<'a> {
        Selecting { request, only: None, last: None }
    }

    /// Variants that differ in these fields.
    pub(crate) fn by(variance: &'a Variance, request: &'a HeaderMap) -> Selecting<'a> {
        Selecting { request, only: Some(variance), last: None }
    }

    pub(crate) fn selects(&mut self, variant: &Variant) -> bool {
        match &variant.0 {
            None => self.only.is_none_or(|only| only.names.is_empty()),
            Some(piece) => {
                self.only.is_none_or(|only| *only == piece.variance) && *self.values(&piece.variance) == *piece.values
            }
        }
    }

    /// The language that the request wants before any other, in lower case.
    pub(crate) fn language(&self) -> Option<Vec<u8>> {
        list_value(self.request, &ACCEPT_LANGUAGE).and_then(|list| most_wanted(&list))
    }

    /// Whether the request asks for this one, but for its `Accept-Language`.
    pub(crate) fn selects_but_for_language(&mut self, variant: &Variant) -> bool {
        let names = &variant.variance().names;
        if self.only.is_some() || !names.contains(&ACCEPT_LANGUAGE) {
            return false;
        }
        let values = self.values(variant.variance());
        let mut pairs = names.iter().zip(parts(variant.values()).zip(parts(values)));
        pairs.all(|(name, (own, other))| *name == ACCEPT_LANGUAGE || own == other)
    }

    /// What the request says of the fields in which variants differ.
    fn values(&mut self, variance: &Variance) -> &[u8] {
        let request = self.request;
        if self.last.as_ref().is_none_or(|(known, _)| known != variance) {
            self.last = None;
        }
        &self.last.get_or_insert_with(|| (variance.clone(), variance.values(request))).1
    }
}

/// The value of a field as one list, or none when the request has no such field. Whoever forwards a field that splits a page
/// forwards this, because it is what the key knows of it: how it was cut into lines is not. Cookies are put together as HTTP/2
/// cuts them (RFC 9113 section 8.2.3).
pub fn list_value<'r>(request: &'r HeaderMap, name: &HeaderName) -> Option<Cow<'r, [u8]>> {
    let mut lines = request.get_all(name).iter().map(HeaderValue::as_bytes);
    let first = lines.next()?;
    let Some(second) = lines.next() else { return Some(Cow::Borrowed(first)) };
    let all: Vec<&[u8]> = [first, second].into_iter().chain(lines).collect();
    let between: &[u8] = if *name == COOKIE { b"; " } else { b", " };
    Some(Cow::Owned(all.join(between)))
}

/// The value of a field in the one spelling that all spellings of the same meaning share.
fn normal_value<'r>(request: &'r HeaderMap, name: &HeaderName) -> Option<Cow<'r, [u8]>> {
    let list = list_value(request, name)?;
    if *name == COOKIE || *name == AUTHORIZATION {
        // No lists of the common kind, and what they name is a person: compared to the letter.
        return Some(list);
    }
    if *name == ACCEPT_LANGUAGE || *name == ACCEPT_ENCODING {
        // A list that nobody needs is compared like any other.
        if let Some(normal) = by_weight(&list) {
            return Some(Cow::Owned(normal));
        }
    }
    let members: Vec<&[u8]> = elements(&list).map(<[u8]>::trim_ascii).filter(|member| !member.is_empty()).collect();
    Some(Cow::Owned(members.join(b",".as_slice())))
}

/// The range that a list wants more than every other, in lower case; none when there is no such one.
fn most_wanted(list: &[u8]) -> Option<Vec<u8>> {
    let mut ranges = weighted(list)?.into_iter();
    let (weight, first) = ranges.next()?;
    let alone = ranges.next().is_none_or(|(next, _)| next < weight);
    (alone && weight > 0 && first != b"*").then_some(first)
}

/// A list of weighted ranges in the one spelling that lists of the same meaning share.
fn by_weight(list: &[u8]) -> Option<Vec<u8>> {
    let mut normal = Vec::with_capacity(list.len());
    for (weight, text) in weighted(list)? {
        normal.extend_from_slice(&text);
        normal.extend_from_slice(&weight.to_be_bytes());
        normal.push(b',');
    }
    Some(normal)
}

/// Ranges in lower case with their weights, most wanted first; those of one weight in the order of the alphabet, because theirs
/// means nothing (RFC 9110 sections 12.4.2 and 12.5.4). None for more than [`MAX_RANGES`].
fn weighted(list: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let written = || list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|range| !range.is_empty());
    // What is empty does not count, as it means nothing (RFC 9110 section 5.6.1.2).
    if written().count() > MAX_RANGES {
        return None;
    }
    let mut ranges: Vec<(u16, Vec<u8>)> = written()
        .map(|range| {
            let (name, parameters) = cut_at_semicolon(range);
            match parameters.map_or(Some(1000), weight) {
                Some(weight) => (weight, name.trim_ascii().to_ascii_lowercase()),
                // Whatever it means, it is compared as it is written.
                None => (0, range.to_ascii_lowercase()),
            }
        })
        .collect();
    ranges.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    Some(ranges)
}

fn cut_at_semicolon(range: &[u8]) -> (&[u8], Option<&[u8]>) {
    match find_outside_quotes(range, |byte| byte == b';') {
        Some(at) => (&range[..at], Some(&range[at + 1..])),
        None => (range, None),
    }
}

/// The weight in thousandths, of `q=0.5` say; none when it is written in another way (RFC 9110 section 12.4.2).
fn weight(parameter: &[u8]) -> Option<u16> {
    let value = match parameter.trim_ascii() {
        [b'q' | b'Q', b'=', value @ ..] => value,
        _ => return None,
    };
    let (whole, fraction) = match value {
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let mut thousandths = u16::from(*whole - b'0') * 1000;
    let mut unit = 100;
    for digit in fraction {
        thousandths += u16::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?) * unit;
        unit /= 10;
    }
    (thousandths <= 1000).then_some(thousandths)
}

/// Appends a part of an identity, preceded by its presence and length, so that no two lists of parts give the same bytes: a number
/// that is zero for none and one more than the length for some, seven bits a byte, the lowest first; all but the last byte have
/// the eighth.
pub(crate) fn put(buffer: &mut Vec<u8>, part: Option<&[u8]>) {
    let mut number = part.map_or(0, |bytes| bytes.len() + 1);
    while number >= 0x80 {
        buffer.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    buffer.push(number.to_le_bytes()[0]);
    buffer.extend_from_slice(part.unwrap_or_default());
}

/// The parts that [`put`] has put one behind the other.
pub(crate) fn parts(mut bytes: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    std::iter::from_fn(move || {
        let end = bytes.iter().position(|byte| byte & 0x80 == 0)?;
        let (number, rest) = bytes.split_at_checked(end + 1)?;
        let digit = |sum: usize, byte: &u8| sum.checked_mul(0x80)?.checked_add(usize::from(byte & 0x7f));
        let Some(length) = number.iter().rev().try_fold(0, digit)?.checked_sub(1) else {
            bytes = rest;
            return Some(None);
        };
        let (part, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some(Some(part))
    })
}

#[cfg(test)]
mod tests;
