//! Targeted cache control: which field of a response speaks to this cache (RFC 9213).

use http::HeaderName;
use http::header::CACHE_CONTROL;
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use crate::directives::{delta_seconds, name_and_argument};
use crate::list::{elements, split_outside_quotes};
use crate::{CacheControl, Fields};

/// Targeted at this cache alone, so no visitor gets to see it.
pub const EVERGATE_CACHE_CONTROL: HeaderName = HeaderName::from_static("evergate-cache-control");
/// Targeted at every CDN cache (RFC 9213 section 3.1).
pub const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
/// The older field of that kind (W3C Edge Architecture Specification section 2.3).
pub const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");

/// What handlers are told, so that they may target this cache in `Surrogate-Control` (the same, section 2.2).
pub const SURROGATE_CAPABILITY: &str = "evergate=\"Surrogate/1.0\"";

/// How `Surrogate-Control` names this cache.
const SURROGATE: &[u8] = b"evergate";

/// The directives that count for this cache, and who is meant by them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heeded {
    /// A targeted field, which stands alone: `Cache-Control` and `Expires` are not for us (RFC 9213 section 2.2).
    Targeted(CacheControl),
    /// `Cache-Control`, beside which `Expires` counts.
    General(CacheControl),
}

impl Heeded {
    /// The first of the targeted fields that is there and can be read, else `Cache-Control`.
    pub(crate) fn of(fields: &Fields) -> Heeded {
        structured(fields, &EVERGATE_CACHE_CONTROL)
            .or_else(|| structured(fields, &CDN_CACHE_CONTROL))
            .or_else(|| surrogate(fields))
            .map_or_else(|| Heeded::General(CacheControl::parse(fields.get_all(&CACHE_CONTROL))), Heeded::Targeted)
    }

    /// The directives.
    pub(crate) fn control(&self) -> &CacheControl {
        match self {
            Heeded::Targeted(control) | Heeded::General(control) => control,
        }
    }
}

/// A targeted field is a Dictionary (RFC 9213 section 2.1, RFC 9651 section 3.2). One that is empty or breaks the syntax
/// anywhere is ignored.
fn structured(fields: &Fields, name: &HeaderName) -> Option<CacheControl> {
    let lines: Vec<&[u8]> = fields.get_all(name).map(http::HeaderValue::as_bytes).collect();
    let dictionary = Parser::parse_dictionary(&lines.join(b",".as_slice())).ok()?;
    (!dictionary.is_empty()).then(|| directives(&dictionary))
}

/// A member's value says what the argument of its directive says: an integer a number of seconds, a string field names. A
/// lifetime of another type is zero; a prohibition is heeded unless it is said to be false.
fn directives(dictionary: &Dictionary) -> CacheControl {
    let mut control = CacheControl::default();
    for (name, member) in dictionary {
        let value = match member {
            ListEntry::Item(item) => &item.bare_item,
            ListEntry::InnerList(_) => &BareItem::Boolean(true),
        };
        let time = || delta_seconds(value.as_int().map(|seconds| seconds.to_string()).as_deref().map(str::as_bytes));
        let said = value.as_bool() != Some(false);
        match name.as_str() {
            "no-store" => control.no_store = said,
            "must-revalidate" => control.must_revalidate = said,
            "proxy-revalidate" => control.proxy_revalidate = said,
            "must-understand" => control.must_understand = said,
            "no-transform" => control.no_transform = said,
            "public" => control.public = value.as_bool() == Some(true),
            "no-cache" if said => control.no_cache.add(value.as_str().map(str::as_bytes)),
            "private" if said => control.private.add(value.as_str().map(str::as_bytes)),
            "max-age" => control.max_age = Some(time()),
            "s-maxage" => control.s_maxage = Some(time()),
            "stale-while-revalidate" => control.stale_while_revalidate = Some(time()),
            "stale-if-error" => control.stale_if_error = Some(time()),
            _ => {}
        }
    }
    control
}

/// `Surrogate-Control` is older than structured fields and written as `Cache-Control` is; a parameter behind a directive names
/// whom it is for. What is for this cache alone stands alone; the field counts when it says anything to this cache.
fn surrogate(fields: &Fields) -> Option<CacheControl> {
    let mut ours = CacheControl::default();
    let mut everyones = CacheControl::default();
    for line in fields.get_all(&SURROGATE_CONTROL) {
        for element in elements(line.as_bytes()) {
            let mut parts = split_outside_quotes(element, |byte| byte == b';').map(<[u8]>::trim_ascii);
            let Some(directive) = parts.next() else { continue };
            let mut targets = parts.peekable();
            if targets.peek().is_none() {
                heed_with_extension(&mut everyones, directive);
            } else if targets.any(|target| target.eq_ignore_ascii_case(SURROGATE)) {
                heed_with_extension(&mut ours, directive);
            }
        }
    }
    [ours, everyones].into_iter().find(|control| *control != CacheControl::default())
}

/// Heeds a directive; `max-age=3600+600` is fresh for an hour and served stale for ten minutes more while it is revalidated (the
/// same, section 2.3.2).
fn heed_with_extension(control: &mut CacheControl, directive: &[u8]) {
    let (name, argument) = name_and_argument(directive);
    let extended =
        argument.and_then(|argument| Some(argument.split_at(argument.iter().position(|byte| *byte == b'+')?)));
    match extended {
        Some((lifetime, more)) if name.eq_ignore_ascii_case(b"max-age") => {
            control.heed(&[b"max-age=", lifetime].concat());
            control.heed(&[b"stale-while-revalidate=", &more[1..]].concat());
        }
        Some(_) | None => control.heed(directive),
    }
}

#[cfg(test)]
mod tests;
