//! Header fields that rules set, append and remove: what the operator writes, and what becomes of it for one message.

mod sum;

use evergate_cache::Fields;
use http::header::{
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, PROXY_AUTHENTICATE, SET_COOKIE, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::captured::Captured;
use super::cors::{Cors, Said, Sender};
use super::template::Template;
use crate::forwarded::for_the_gateway_alone;
use crate::request::lists;

pub use sum::Sum;

/// Which message fields are changed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The request, on its way to a handler.
    Request,
    /// The answer, on its way to the visitor.
    Response,
}

/// What is done to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A value is given.
    Write,
    /// It is taken away.
    Remove,
}

/// What the operator wants of the fields of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldRules {
    /// Fields that are taken away, first.
    pub remove: Vec<HeaderName>,
    /// Fields that take the place of those of their name.
    pub set: Vec<(Template, Template)>,
    /// Lines that are added.
    pub append: Vec<(Template, Template)>,
}

/// What is done to the fields of one message, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(Vec<Change>);

/// A message's fields, in one of the shapes that they come in.
pub trait FieldLines {
    /// The values of the lines of this name.
    fn all<'l>(&'l self, name: &'l HeaderName) -> impl Iterator<Item = &'l HeaderValue>;

    /// Takes away every line of this name.
    fn take_away(&mut self, name: &HeaderName);

    /// Adds a line.
    fn add(&mut self, name: &HeaderName, value: &HeaderValue);

    /// Adds to `Vary` what an answer depends on, where it does not say so: a cache in front would otherwise give one visitor's
    /// answer to all (RFC 9110 section 12.5.5).
    fn tell_vary(&mut self, names: &[HeaderName]) {
        let said = |name: &HeaderName| {
            self.all(&VARY).any(|line| lists(line.as_bytes(), name.as_str().as_bytes()) || lists(line.as_bytes(), b"*"))
        };
        let missing: Vec<&str> = names.iter().filter(|name| !said(name)).map(HeaderName::as_str).collect();
        if let Ok(value) = HeaderValue::from_str(&missing.join(", "))
            && !missing.is_empty()
        {
            self.add(&VARY, &value);
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Remove(HeaderName),
    Set(HeaderName, HeaderValue),
    Append(HeaderName, HeaderValue),
    Vary(Vec<HeaderName>),
    Cors(Said),
}

/// Fields of which a message may have several that mean different things: a rule's stand beside the handler's, as in Next.js.
const ADDED: [HeaderName; 4] = [SET_COOKIE, VARY, WWW_AUTHENTICATE, PROXY_AUTHENTICATE];

/// Fields that describe a body, of which a 304 has none (RFC 9110 section 15.4.5).
const OF_THE_BODY: [HeaderName; 4] =
    [CONTENT_TYPE, CONTENT_LANGUAGE, CONTENT_ENCODING, HeaderName::from_static("content-disposition")];

/// Fields of the connection (RFC 9110 section 7.6.1), and of the message's own form.
const OF_THE_MESSAGE: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "http2-settings",
    "proxy-authorization",
];

/// Fields of requests that say who is asked for what, which the gateway itself heeds or writes.
const OF_THE_REQUEST: [&str; 11] = [
    "host",
    "expect",
    "content-encoding",
    "range",
    "if-range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "via",
    "surrogate-capability",
];

/// Fields of answers that say how the bytes came to be what they are, which only the gateway and the handler know.
const OF_THE_RESPONSE: [&str; 5] = ["age", "date", "content-encoding", "content-range", "via"];

/// What visitors come back with in conditions and ranges. These are answered by what is stored or by the handler, and neither
/// knows what a rule has said. It may be withheld.
const VALIDATORS: [&str; 3] = ["etag", "last-modified", "accept-ranges"];

/// What the gateway says of itself. It may be withheld, but nobody else says it.
const OF_THE_GATEWAY: [&str; 2] = ["cache-status", "x-cache"];

/// Whether rules may do this to a field.
pub fn may(verb: Verb, name: &HeaderName, direction: Direction) -> bool {
    let text = name.as_str();
    if OF_THE_MESSAGE.contains(&text) {
        return false;
    }
    match (direction, verb) {
        (Direction::Request, Verb::Write | Verb::Remove) => {
            !OF_THE_REQUEST.contains(&text) && !for_the_gateway_alone(name)
        }
        (Direction::Response, Verb::Write) => {
            !OF_THE_RESPONSE.contains(&text) && !OF_THE_GATEWAY.contains(&text) && !VALIDATORS.contains(&text)
        }
        (Direction::Response, Verb::Remove) => !OF_THE_RESPONSE.contains(&text),
    }
}

impl FieldRules {
    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.append.is_empty()
    }

    /// What that means for one message.
    pub(super) fn resolve(&self, captured: &Captured, direction: Direction, changes: &mut Changes) {
        changes.0.extend(self.remove.iter().cloned().map(Change::Remove));
        let line = |name: &Template, value: &Template| rendered(name, value, captured, direction);
        let set = self.set.iter().filter_map(|(name, value)| line(name, value));
        changes.0.extend(set.map(|(name, value)| match direction {
            Direction::Response if ADDED.contains(&name) => Change::Append(name, value),
            Direction::Request | Direction::Response => Change::Set(name, value),
        }));
        let append = self.append.iter().filter_map(|(name, value)| line(name, value));
        changes.0.extend(append.map(|(name, value)| Change::Append(name, value)));
    }
}

/// A line of a rule for one message. A name or value that what was captured makes impossible is left out.
pub(super) fn rendered(
    name: &Template,
    value: &Template,
    captured: &Captured,
    direction: Direction,
) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.render(captured).as_bytes()).ok()?;
    let value = HeaderValue::from_bytes(value.render(captured).trim().as_bytes()).ok()?;
    may(Verb::Write, &name, direction).then_some((name, value))
}

impl Changes {
    /// None.
    pub const NONE: &'static Changes = &Changes(Vec::new());

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells with the answer what it depends on, whatever else becomes of its `Vary`.
    pub fn vary(&mut self, mut names: Vec<HeaderName>) {
        names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        if !names.is_empty() {
            self.0.push(Change::Vary(names));
        }
    }

    /// Says with the answer to a request from `sender` what pages of other origins may do. Rules that are about these fields
    /// by name have the last word.
    pub fn cross(&mut self, cors: &Cors, sender: Sender, headers: &HeaderMap) {
        self.0.insert(0, Change::Cors(cors.said(sender, headers)));
        self.vary(Cors::READ.to_vec());
    }

    /// Whether a rule adds a line of this name.
    pub fn write(&self, wanted: &HeaderName) -> bool {
        self.0.iter().any(|change| match change {
            Change::Set(name, _) | Change::Append(name, _) => name == wanted,
            Change::Remove(_) | Change::Vary(_) | Change::Cors(_) => false,
        })
    }

    /// Lets a field say only this, whatever it is said to say.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.push(Change::Set(name, value));
    }

    /// Takes a field away, whoever says it.
    pub fn remove(&mut self, name: HeaderName) {
        self.0.push(Change::Remove(name));
    }

    /// Whether something is done to fields of this name.
    pub fn concern(&self, wanted: &HeaderName) -> bool {
        self.0.iter().any(|change| match change {
            Change::Remove(name) | Change::Set(name, _) | Change::Append(name, _) => name == wanted,
            Change::Vary(_) => *wanted == VARY,
            Change::Cors(said) => said.concerns(wanted),
        })
    }

    /// Makes them to the fields of a request.
    pub fn apply(&self, lines: &mut impl FieldLines) {
        for change in &self.0 {
            change.apply(lines);
        }
    }

    /// Makes them to the fields of an answer with this status. A confirmation gets no fields of a body that it has not.
    pub fn apply_to_answer(&self, lines: &mut impl FieldLines, status: StatusCode) {
        for change in &self.0 {
            let written = match change {
                Change::Remove(_) | Change::Vary(_) | Change::Cors(_) => None,
                Change::Set(name, _) | Change::Append(name, _) => Some(name),
            };
            if status != StatusCode::NOT_MODIFIED || written.is_none_or(|name| !OF_THE_BODY.contains(name)) {
                change.apply(lines);
            }
        }
    }

    /// The names of fields in which nobody but the rules has a say any more.
    pub fn decided(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().filter_map(|change| match change {
            Change::Remove(name) | Change::Set(name, _) => Some(name),
            Change::Append(..) | Change::Vary(_) | Change::Cors(_) => None,
        })
    }
}

impl Change {
    fn apply(&self, lines: &mut impl FieldLines) {
        match self {
            Change::Remove(name) => lines.take_away(name),
            Change::Set(name, value) => {
                lines.take_away(name);
                lines.add(name, value);
            }
            // A list that names the same twice says nothing more.
            Change::Append(name, value) if *name == VARY && lines.all(name).any(|known| known == value) => {}
            Change::Append(name, value) => lines.add(name, value),
            Change::Vary(names) => lines.tell_vary(names),
            Change::Cors(said) => said.apply(lines),
        }
    }
}

impl FieldLines for Fields {
    fn all<'l>(&'l self, name: &'l HeaderName) -> impl Iterator<Item = &'l HeaderValue> {
        self.get_all(name)
    }

    fn take_away(&mut self, name: &HeaderName) {
        self.remove(name);
    }

    fn add(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.append(name.clone(), value.clone());
    }
}

impl FieldLines for HeaderMap {
    fn all<'l>(&'l self, name: &'l HeaderName) -> impl Iterator<Item = &'l HeaderValue> {
        self.get_all(name).iter()
    }

    fn take_away(&mut self, name: &HeaderName) {
        self.remove(name);
    }

    fn add(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.append(name.clone(), value.clone());
    }
}
