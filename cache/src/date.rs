//! Dates as HTTP writes them, in all three forms (RFC 9110 section 5.6.7).

use std::time::SystemTime;

use http::HeaderValue;

/// The time that a field tells; none when it is no date, which for `Expires` means a time in the past (RFC 9111 section 5.3).
/// `now` decides which century the two digits of the oldest form mean.
pub(crate) fn http_date(value: &HeaderValue, now: SystemTime) -> Option<SystemTime> {
    let text = value.to_str().ok()?;
    match rfc850_in_full(text, now) {
        Some(full) => httpdate::parse_http_date(&full).ok(),
        None => httpdate::parse_http_date(text).ok(),
    }
}

/// `Sunday, 06-Nov-94 08:49:37 GMT` with the year in full. A year that seems to lie more than 50 years ahead is the latest
/// past one that ends in the same digits.
fn rfc850_in_full(text: &str, now: SystemTime) -> Option<String> {
    let (weekday, rest) = text.trim().split_once(", ")?;
    let (date, time) = rest.split_once(' ')?;
    let mut parts = date.split('-');
    let (Some(day), Some(month), Some(year), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let weekday = WEEKDAYS.iter().find(|name| **name == weekday)?;
    let digits: u64 =
        Some(year).filter(|year| year.len() == 2 && year.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()?;
    let this = year_of(now);
    let in_this_century = this - this % 100 + digits;
    let year = if in_this_century > this + 50 {
        in_this_century - 100
    } else if in_this_century + 50 <= this {
        in_this_century + 100
    } else {
        in_this_century
    };
    Some(format!("{}, {day} {month} {year} {time}", &weekday[..3]))
}

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The year of a moment, as it stands in a date.
fn year_of(now: SystemTime) -> u64 {
    let text = httpdate::fmt_http_date(now.max(SystemTime::UNIX_EPOCH));
    text.get(12..16).and_then(|year| year.parse().ok()).unwrap_or(1970)
}

#[cfg(test)]
mod tests;
