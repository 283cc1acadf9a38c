//! The handler's word on a response: how long it is good, and what may be done with it afterwards, read once when it is kept.

use std::time::{Duration, SystemTime};

use http::header::{AGE, DATE, EXPIRES, LAST_MODIFIED};
use http::{HeaderValue, StatusCode};

use crate::date::http_date;
use crate::directives::seconds;
use crate::moment::Span;
use crate::stored::is_called_stale;
use crate::targeted::Heeded;
use crate::{CacheControl, Moment, ResponseHead, SOON};

/// Of the time since a response was last modified, how much it is taken for fresh where nobody said how long (RFC 9111
/// section 4.2.2 names a tenth as typical), and for how long at most.
const HEURISTIC_PART: u32 = 10;
const LONGEST_GUESS: Duration = Duration::from_secs(24 * 60 * 60);

/// What a response says of its own freshness (RFC 9111 section 4.2) and staleness (RFC 5861).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    /// The explicit freshness lifetime (section 4.2.1).
    pub(crate) lifetime: Option<Duration>,
    /// What may be guessed where there is none (section 4.2.2).
    pub(crate) guess: Option<Duration>,
    /// Whether it may not be served stale (sections 5.2.2.2, 5.2.2.8 and 5.2.2.10).
    pub(crate) forbids_stale: bool,
    /// Whether the handler is to be asked each time (section 5.2.2.4).
    pub(crate) ask_each_time: bool,
    /// How long it may be served stale while it is revalidated.
    pub(crate) stale_while_revalidate: Duration,
    /// How long it may be served stale when the handler answers with an error.
    pub(crate) stale_if_error: Duration,
}

impl Word {
    /// Reads a head that arrived at `received`.
    pub(crate) fn of(head: &ResponseHead, received: Moment) -> Word {
        let heeded = Heeded::of(&head.fields);
        let control = heeded.control();
        let lifetime = match &heeded {
            Heeded::Targeted(control) => control.lifetime(),
            Heeded::General(control) => control.lifetime().or_else(|| expires(head, received.wall)),
        };
        let guess = if lifetime.is_none() { guess(head, control, received.wall) } else { None };
        Word {
            lifetime,
            guess,
            forbids_stale: control.forbids_stale(),
            ask_each_time: control.no_cache == crate::Restriction::Whole,
            stale_while_revalidate: control.stale_while_revalidate.unwrap_or_default(),
            stale_if_error: control.stale_if_error.unwrap_or_default(),
        }
    }
}

/// A word as it is kept beside each response, in a third of the room, and when it was said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeptWord {
    /// The explicit lifetime, or what may be guessed: there is no guess where there is one.
    lifetime: Option<Span>,
    /// In seconds, as they are said.
    stale_while_revalidate: u32,
    stale_if_error: u32,
    /// In seconds since 1970, up to 2106.
    said: u32,
    guessed: bool,
    forbids_stale: bool,
    ask_each_time: bool,
}

impl KeptWord {
    /// What a head says that arrived at `received`.
    pub(crate) fn of(head: &ResponseHead, received: Moment) -> KeptWord {
        let word = Word::of(head, received);
        let seconds = |window: Duration| u32::try_from(window.as_secs()).unwrap_or(u32::MAX);
        KeptWord {
            lifetime: word.lifetime.or(word.guess).map(Span::from),
            stale_while_revalidate: seconds(word.stale_while_revalidate),
            stale_if_error: seconds(word.stale_if_error),
            said: seconds(received.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()),
            guessed: word.lifetime.is_none(),
            forbids_stale: word.forbids_stale,
            ask_each_time: word.ask_each_time,
        }
    }

    pub(crate) fn get(self) -> Word {
        let lifetime = self.lifetime.map(Span::get);
        Word {
            lifetime: lifetime.filter(|_| !self.guessed),
            guess: lifetime.filter(|_| self.guessed),
            forbids_stale: self.forbids_stale,
            ask_each_time: self.ask_each_time,
            stale_while_revalidate: Duration::from_secs(self.stale_while_revalidate.into()),
            stale_if_error: Duration::from_secs(self.stale_if_error.into()),
        }
    }

    /// When it was said, to the second.
    pub(crate) fn said(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.said.into())
    }
}

/// `Expires` less `Date` (section 4.2.1). Of several lines the earliest counts; an invalid date lies in the past (section 5.3).
pub(crate) fn expires(head: &ResponseHead, received: SystemTime) -> Option<Duration> {
    let date = date(head, received).unwrap_or(received);
    let lifetime = |line: &HeaderValue| {
        let expires = http_date(line, received)?;
        expires.duration_since(date).ok()
    };
    head.fields.get_all(&EXPIRES).map(|line| lifetime(line).unwrap_or_default()).min()
}

/// When the response was made, by its `Date`.
fn date(head: &ResponseHead, received: SystemTime) -> Option<SystemTime> {
    http_date(head.fields.get(&DATE)?, received)
}

/// A part of the time since it was last modified, for statuses of which RFC 9110 section 15.1 says that this may be done, and
/// for what says that it is public.
fn guess(head: &ResponseHead, control: &CacheControl, received: SystemTime) -> Option<Duration> {
    let guessable =
        matches!(head.status.as_u16(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501);
    if !guessable && !control.public {
        return None;
    }
    let modified = http_date(head.fields.get(&LAST_MODIFIED)?, received)?;
    let unchanged = date(head, received).unwrap_or(received).duration_since(modified).ok()?;
    Some((unchanged / HEURISTIC_PART).min(LONGEST_GUESS))
}

/// The value of `Age`: of several the first counts, and one that cannot be read is ignored (RFC 9111 section 5.1).
pub fn age_value(head: &ResponseHead) -> Duration {
    let first = head.fields.get(&AGE).and_then(|age| age.as_bytes().split(|byte| *byte == b',').next());
    first.and_then(|age| seconds(age.trim_ascii())).unwrap_or_default()
}

/// The age with which a response came (section 4.2.3), that was asked for at `asked`: what it says, and the time on the way;
/// or, where that is more, the time since its `Date`. What Next.js calls stale has all but [`SOON`] of its lifetime behind it, so
/// that those who wait share it and it is asked about again then.
pub fn corrected_initial_age(head: &ResponseHead, asked: Moment, received: Moment) -> Duration {
    let apparent =
        date(head, received.wall).and_then(|date| received.wall.duration_since(date).ok()).unwrap_or_default();
    let said = apparent.max(age_value(head).saturating_add(received.since(asked)));
    if !is_called_stale(head) {
        return said;
    }
    said.max(Word::of(head, received).lifetime.unwrap_or_default().saturating_sub(SOON))
}

/// Whether this cache knows what a status means for caching (RFC 9111 section 3, RFC 9110 section 15).
pub(crate) fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 428 | 429 | 431 | 451 | 500..=505 | 511
    )
}

#[cfg(test)]
mod tests;
