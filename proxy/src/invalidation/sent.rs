//! What handlers want forgotten, in the fields of their answers to unsafe requests: `x-revalidate-tag` is `revalidateTag`, and
//! `x-revalidate-path` is `revalidatePath` of Next.js.
//!
//! ```text
//! x-revalidate-tag: posts, item:a;expire=60, cart;expire=0
//! x-revalidate-path: /posts, /items/[slug] page, /blog layout
//! ```

use evergate_cache::Forgetting;
use http::HeaderValue;

use super::order::{expiring, quoted};
use super::{Choice, Chosen};
use crate::config::read_duration;
use crate::rules::FieldLines;
use crate::snapshot::Snapshot;
use crate::tags::{REVALIDATE_PATH, REVALIDATE_TAG};

/// Most things that one answer may name; what is beyond is left out, and the log says so.
pub const MAX_NAMED: usize = 1024;

/// What an answer says.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// What is to be forgotten, and how.
    named: Vec<(Forgetting, Chosen)>,
    /// What is left out, and why.
    pub(super) skipped: Vec<Skipped>,
}

/// A member that is left out. The others count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: found `{member}`, expected {expected}")]
pub(super) struct Skipped {
    field: &'static str,
    member: String,
    expected: String,
}

/// Why a member is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Choice(#[from] Choice),
    #[error("UTF-8")]
    NotText,
    #[error("`expire=60` behind the semicolon, or nothing")]
    Parameter,
    #[error("{0}")]
    Expire(String),
    #[error("`page` or `layout` behind the path, or nothing")]
    Word,
    #[error("at most {MAX_NAMED} things to be forgotten")]
    TooMany,
}

/// Reads the fields of an answer.
pub(super) fn read(fields: &impl FieldLines, snapshot: &Snapshot) -> Sent {
    let mut sent = Sent::default();
    for line in fields.all(&REVALIDATE_TAG) {
        for member in line.as_bytes().split(|byte| *byte == b',') {
            sent.add("x-revalidate-tag", member, tag);
        }
    }
    for line in fields.all(&REVALIDATE_PATH) {
        for member in paths(line) {
            sent.add("x-revalidate-path", member, |text| path(text, snapshot));
        }
    }
    sent
}

impl Sent {
    fn add(&mut self, field: &'static str, member: &[u8], read: impl Fn(&str) -> Result<(Forgetting, Chosen), Unread>) {
        let member = member.trim_ascii();
        // RFC 9110 section 5.6.1.2: empty members of a list mean nothing.
        if member.is_empty() {
            return;
        }
        let read = match std::str::from_utf8(member) {
            Ok(_) if self.named.len() == MAX_NAMED => Err(Unread::TooMany),
            Ok(text) => read(text),
            Err(_) => Err(Unread::NotText),
        };
        match read {
            Ok(named) => self.named.push(named),
            Err(expected) => {
                let (member, expected) = (quoted(&String::from_utf8_lossy(member)), expected.to_string());
                self.skipped.push(Skipped { field, member, expected });
            }
        }
    }

    /// What is to be forgotten, by how.
    pub(super) fn by_mode(self) -> Vec<(Forgetting, Vec<Chosen>)> {
        let mut by_mode: Vec<(Forgetting, Vec<Chosen>)> = Vec::new();
        for (mode, chosen) in self.named {
            match by_mode.iter_mut().find(|(known, _)| *known == mode) {
                Some((_, all)) => all.push(chosen),
                None => by_mode.push((mode, vec![chosen])),
            }
        }
        by_mode
    }
}

/// `posts`, which is `revalidateTag('posts', 'max')`, or `posts;expire=60`, which is `revalidateTag('posts', { expire: 60 })`.
fn tag(member: &str) -> Result<(Forgetting, Chosen), Unread> {
    let mut parts = member.split(';').map(str::trim);
    let chosen = Chosen::tag(parts.next().unwrap_or_default())?;
    let mode = match (parts.next(), parts.next()) {
        (None, _) => Forgetting::Stale,
        (Some(parameter), None) => {
            let after = parameter.strip_prefix("expire").map(str::trim_start).and_then(|rest| rest.strip_prefix('='));
            let after = after.ok_or(Unread::Parameter)?.trim();
            expiring(read_duration(after).map_err(|expected| Unread::Expire(expected.into_owned()))?)
        }
        (Some(_), Some(_)) => return Err(Unread::Parameter),
    };
    Ok((mode, chosen))
}

/// `/posts` is `revalidatePath('/posts')`; a second word is its second argument. The next request waits in any case.
fn path(member: &str, snapshot: &Snapshot) -> Result<(Forgetting, Chosen), Unread> {
    let mut words = member.split_ascii_whitespace();
    let path = words.next().unwrap_or_default();
    let chosen = match (words.next(), words.next()) {
        (None, _) => Chosen::path(path, snapshot)?,
        // With a word, the path is the pattern of a route: `/items/[slug] page` is all of its pages. Of what is none, it is the
        // page at that path.
        (Some("page"), None) => match Chosen::route(path, snapshot) {
            Err(Choice::UnknownRoute { .. }) if !path.contains('[') => Chosen::path(path, snapshot)?,
            chosen => chosen?,
        },
        (Some("layout"), None) => Chosen::layout(path, snapshot)?,
        (Some(_), _) => return Err(Unread::Word),
    };
    Ok((Forgetting::Delete, chosen))
}

/// The members of a list of paths. A comma is a character that paths may hold, so it ends one only where another begins behind
/// it, or nothing.
fn paths(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let line = line.as_bytes();
    let ends = |at: usize| {
        let behind = line[at + 1..].trim_ascii_start();
        behind.first().is_none_or(|byte| *byte == b'/' || *byte == b',')
    };
    let mut from = 0;
    let commas = line.iter().enumerate().filter(|(_, byte)| **byte == b',').map(|(at, _)| at);
    let ends: Vec<usize> = commas.filter(|at| ends(*at)).chain([line.len()]).collect();
    ends.into_iter().map(move |end| {
        let member = &line[from..end];
        from = end + 1;
        member
    })
}

#[cfg(test)]
mod tests;
