//! Quantities: durations, sizes and numbers as users write them, and words to choose from.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::node::{Content, Expected, Node};
use super::section::words;

/// The longest duration that the configuration takes: about a hundred years.
pub(super) const LONGEST: Duration = Duration::from_secs(36_525 * 24 * 60 * 60);

/// What a duration looks like.
pub(super) const DURATION: &str = "a duration (60, \"5m\", \"1h 30m\")";

/// The most of anything that is counted, such as fetches at once.
const MOST: usize = 1_000_000;

/// Reads a duration: a number of seconds, or a text with units. Zero is allowed.
pub(super) fn duration(node: &Node) -> Result<Duration, Expected> {
    let duration = match &node.content {
        Content::Number(number) => match number.as_u64() {
            Some(whole) => Some(Duration::from_secs(whole)),
            None => number.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        },
        Content::Text(text) => duration_in(text),
        Content::Null | Content::Bool(_) | Content::List(_) | Content::Map(_) | Content::Reported => None,
    };
    within_reason(duration)
}

/// Reads a duration from a text: a number of seconds, or with units.
pub(crate) fn read_duration(text: &str) -> Result<Duration, Cow<'static, str>> {
    within_reason(duration_in(text))
}

fn duration_in(text: &str) -> Option<Duration> {
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    }
}

fn within_reason(duration: Option<Duration>) -> Result<Duration, Expected> {
    match duration {
        Some(duration) if duration > LONGEST => Err(Expected::from("at most 100 years")),
        Some(duration) => Ok(duration),
        None => Err(Expected::from(DURATION)),
    }
}

/// Shortest time that can be waited for.
const SHORTEST: Duration = Duration::from_millis(1);

/// Reads a duration that cannot be zero.
pub(super) fn positive_duration(node: &Node) -> Result<Duration, Expected> {
    let duration = duration(node)?;
    if duration.is_zero() {
        return Err(Expected::from("a duration longer than 0"));
    }
    if duration < SHORTEST {
        return Err(Expected::from("a duration of at least 1ms"));
    }
    Ok(duration)
}

/// A duration for a message, as it would be written in the file.
pub(crate) fn show_duration(duration: Duration) -> String {
    if duration.subsec_nanos() > 0 {
        return format!("{}s", duration.as_secs_f64());
    }
    let seconds = duration.as_secs();
    let units = [("d", seconds / 86_400), ("h", seconds / 3_600 % 24), ("m", seconds / 60 % 60), ("s", seconds % 60)];
    let parts: Vec<String> =
        units.iter().filter(|(_, number)| *number > 0).map(|(unit, number)| format!("{number}{unit}")).collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// Reads a size: a number of bytes, or a whole number with a unit.
pub(super) fn size(node: &Node) -> Result<u64, Expected> {
    let bytes = match &node.content {
        Content::Number(number) => number.as_u64(),
        Content::Text(text) => size_of_text(text),
        Content::Null | Content::Bool(_) | Content::List(_) | Content::Map(_) | Content::Reported => None,
    };
    bytes.ok_or(Expected::from("a size (1048576, \"64KiB\", \"256MiB\", \"1GB\")"))
}

fn size_of_text(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A size for a message, as it would be written in the file.
pub(super) fn show_size(bytes: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, factor) in units {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    bytes.to_string()
}

/// Reads a whole number within a range.
pub(super) fn whole_number(node: &Node, range: RangeInclusive<u64>) -> Result<u64, Expected> {
    let number = match &node.content {
        Content::Number(number) => number.as_u64(),
        Content::Text(text) => text.parse().ok(),
        Content::Null | Content::Bool(_) | Content::List(_) | Content::Map(_) | Content::Reported => None,
    };
    number.filter(|number| range.contains(number)).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        format!("a whole number from {least} to {most}").into()
    })
}

/// Reads how many of something there may be: at least one.
pub(super) fn count(node: &Node) -> Result<NonZeroUsize, Expected> {
    count_up_to(node, MOST)
}

/// Reads how many of something there may be: from one to `most`.
pub(super) fn count_up_to(node: &Node, most: usize) -> Result<NonZeroUsize, Expected> {
    let number = whole_number(node, 1..=most as u64)?;
    usize::try_from(number)
        .ok()
        .and_then(NonZeroUsize::new)
        .ok_or_else(|| format!("a whole number from 1 to {most}").into())
}

/// Reads `true` or `false`.
pub(super) fn flag(node: &Node) -> Result<bool, Expected> {
    match node.content {
        Content::Bool(flag) => Ok(flag),
        Content::Null
        | Content::Number(_)
        | Content::Text(_)
        | Content::List(_)
        | Content::Map(_)
        | Content::Reported => Err(Expected::from("`true` or `false`")),
    }
}

/// Reads one of a few words.
pub(super) fn choice<T: Copy>(node: &Node, choices: &[(&str, T)]) -> Result<T, Expected> {
    let typed = node.text();
    choices.iter().find(|(word, _)| typed.as_deref() == Some(*word)).map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        format!("one of {}", words(&names)).into()
    })
}
