//! Comma-separated lists as fields write them (RFC 9110 section 5.6): commas inside quoted strings belong to their element,
//! and a quote that is never closed is none.

/// The elements of a list, empty ones and white space included.
pub(crate) fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    split_outside_quotes(list, |byte| byte == b',')
}

/// The pieces between the bytes that `separates`, outside quoted strings. An empty text has none.
pub(crate) fn split_outside_quotes(text: &[u8], separates: impl Fn(u8) -> bool) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    let mut quotes = Quotes::Close;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = match find(rest, &separates, &mut quotes) {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = after;
        Some(piece)
    })
}

/// Where the first byte that `separates` is, outside quoted strings.
pub(crate) fn find_outside_quotes(text: &[u8], separates: impl Fn(u8) -> bool) -> Option<usize> {
    find(text, &separates, &mut Quotes::Close)
}

/// Whether quoted strings end. Behind one that does not there is none that does, because every quote behind it is escaped in
/// it; so each byte is looked at twice at most, however many quotes a visitor sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quotes {
    Close,
    StayOpen,
}

fn find(text: &[u8], separates: &impl Fn(u8) -> bool, quotes: &mut Quotes) -> Option<usize> {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if separates(byte) {
            return Some(at);
        }
        at += match (byte, *quotes) {
            (b'"', Quotes::Close) => quoted_length(&text[at..]).unwrap_or_else(|| {
                *quotes = Quotes::StayOpen;
                1
            }),
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
