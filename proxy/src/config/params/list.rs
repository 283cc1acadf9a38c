//! A list of parameters in JSON, read entry by entry: no more of it is in memory than the paths that it gives and one entry.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{LIST, MAX_KNOWN_PATHS, unique};
use crate::config::RoutePattern;
use crate::target::MAX_TARGET;

/// What an entry says of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// A text or a number.
    Text(String),
    /// A list of texts or numbers.
    Texts(Vec<String>),
    /// `null`.
    Nothing,
    /// A list that is longer than any path that is served.
    TooLong,
    /// Anything else.
    Other,
}

/// The paths that a JSON text lists for a pattern, each once: `[{"slug":"a"},{"slug":"b"}]`.
///
/// # Errors
///
/// What was expected instead of the first thing that is wrong.
pub fn known_paths(text: &str, pattern: &RoutePattern) -> Result<Vec<String>, String> {
    let mut reading = Reading { pattern, paths: Vec::new(), begun: false, refused: None };
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_seq(&mut reading).and_then(|()| json.end());
    let expected = match (read, reading.refused) {
        (Ok(()), _) => return Ok(unique(reading.paths)),
        (Err(_), Some(refused)) => refused,
        // Something else stands where a list or an object was asked for.
        (Err(error), None) if error.is_data() && reading.begun => pattern.expected_object(),
        (Err(error), None) if error.is_data() => return Err(LIST.to_owned()),
        (Err(error), None) => return Err(format!("JSON ({error})")),
    };
    let index = reading.paths.len();
    Err(if index < MAX_KNOWN_PATHS { format!("{expected} at entry {index}") } else { expected })
}

/// What was read so far.
struct Reading<'a> {
    pattern: &'a RoutePattern,
    paths: Vec<String>,
    /// Whether the list has begun.
    begun: bool,
    /// What was expected instead of it.
    refused: Option<String>,
}

impl<'de> Visitor<'de> for &mut Reading<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(LIST)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.begun = true;
        loop {
            let entry = Entry { pattern: self.pattern, refused: &mut self.refused };
            let Some(params) = list.next_element_seed(entry)? else { return Ok(()) };
            let path = if self.paths.len() < MAX_KNOWN_PATHS {
                self.pattern.filled_with(&params)
            } else {
                Err(format!("at most {MAX_KNOWN_PATHS} entries"))
            };
            match path {
                Ok(path) => self.paths.push(path),
                Err(expected) => {
                    self.refused = Some(expected);
                    return Err(Error::custom(STOPPED));
                }
            }
        }
    }
}

/// How an entry is read: with the names that its pattern has.
struct Entry<'a> {
    pattern: &'a RoutePattern,
    refused: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Entry<'_> {
    type Value = Vec<(String, Given)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entry<'_> {
    type Value = Vec<(String, Given)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut params: Vec<(String, Given)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if let Err(expected) = self.pattern.takes(&name) {
                *self.refused = Some(expected);
                return Err(Error::custom(STOPPED));
            }
            let given = map.next_value()?;
            // Of a name that stands twice the last counts.
            match params.iter_mut().find(|(known, _)| *known == name) {
                Some((_, place)) => *place = given,
                None => params.push((name, given)),
            }
        }
        Ok(params)
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GivenVisitor)
    }
}

struct GivenVisitor;

impl<'de> Visitor<'de> for GivenVisitor {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Given, E> {
        Ok(Given::Other)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Given, E> {
        Ok(Given::Text(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Given, E> {
        Ok(Given::Text(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Given, E> {
        Ok(serde_json::Number::from_f64(number).map_or(Given::Other, |number| Given::Text(number.to_string())))
    }

    fn visit_str<E>(self, text: &str) -> Result<Given, E> {
        Ok(Given::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Given, E> {
        Ok(Given::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Given, A::Error> {
        let mut texts = Vec::new();
        let mut length = 0;
        let stopped = loop {
            match list.next_element()? {
                None => return Ok(Given::Texts(texts)),
                Some(Given::Text(text)) => {
                    // With the slash before it, and no shorter when it is encoded.
                    length += 1 + text.len();
                    texts.push(text);
                }
                Some(Given::Texts(_) | Given::Nothing | Given::TooLong | Given::Other) => break Given::Other,
            }
            if length > MAX_TARGET {
                break Given::TooLong;
            }
        };
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(stopped)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Given::Other)
    }
}

/// For the parser, which wants to hear something; the one who asked gets what was expected instead.
const STOPPED: &str = "refused";
