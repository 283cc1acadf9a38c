//! Responses on their way to the visitor: what a protocol must be able to send, and what is added to every answer.

mod amended;

use std::borrow::Cow;
use std::future::Future;
use std::ops::Deref;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use evergate_cache::{Fields, Representation, ResponseHead};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, DATE};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::outcome::Outcome;

pub use amended::Amended;

/// What is told with answers that nobody may keep.
pub const NO_STORE: HeaderValue = HeaderValue::from_static("private, no-cache, no-store, max-age=0, must-revalidate");

/// How long a visitor may take to read a step of 64 KiB of what is sent to it.
pub const SLOWEST_WRITE: Duration = Duration::from_secs(60);

/// The visitor has left, or reads too slowly to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// A way back to one visitor for one response: a head, pieces of a body, an end. HTTP/1.1 and HTTP/2 each have one. A
/// responder to HEAD drops what belongs to the body.
pub trait Responder: Send {
    /// Sends the head.
    fn head(&mut self, head: &Head<'_>, framing: Framing) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Sends the head and what is there of the body with it, at once where the protocol allows it. `last` tells whether that is all
    /// of the body.
    fn begin(
        &mut self,
        head: &Head<'_>,
        framing: Framing,
        piece: Bytes,
        last: bool,
    ) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Sends an interim answer (1xx), where the protocol and the visitor know such.
    fn interim(&mut self, head: &ResponseHead) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Sends a piece of the body.
    fn piece(&mut self, piece: Bytes) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Ends a body that is whole.
    fn end(&mut self) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Sends a whole response at once.
    fn whole(&mut self, head: &Head<'_>, body: WholeBody) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Cuts the message so that the visitor sees that it is not whole.
    fn cut(&mut self) -> impl Future<Output = ()> + Send;

    /// Lets the connection end with this response, where a connection carries one request after the other.
    fn close_afterwards(&mut self);

    /// Resolves when the visitor leaves.
    fn gone(&mut self) -> impl Future<Output = ()> + Send;
}

/// A body that is there as a whole, held as long as it is being sent.
#[derive(Clone, Debug)]
pub enum WholeBody {
    /// That of a representation of a stored response: to hold it takes no memory.
    Stored(Representation),
    /// Bytes of their own.
    Given(Bytes),
}

impl WholeBody {
    /// None.
    pub const EMPTY: WholeBody = WholeBody::Given(Bytes::new());

    /// As pieces of bodies are sent elsewhere.
    pub fn into_bytes(self) -> Bytes {
        match self {
            WholeBody::Stored(representation) => representation.body(),
            WholeBody::Given(bytes) => bytes,
        }
    }
}

impl Deref for WholeBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            WholeBody::Stored(representation) => representation.body_bytes(),
            WholeBody::Given(bytes) => bytes,
        }
    }
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By its length, which the fields tell or the responder adds.
    Length(u64),
    /// Only when it comes.
    Unknown,
    /// There is none: 204 and 304.
    Bodiless,
}

/// The head of a response to one visitor.
#[derive(Debug)]
pub struct Head<'a> {
    /// Status and fields.
    pub lines: Lines<'a>,
    /// What the gateway adds.
    pub added: Added<'a>,
}

/// Where the fields come from.
#[derive(Debug)]
pub enum Lines<'a> {
    /// A representation of a stored response, whose fields are rendered already and tell its length.
    Stored(&'a Representation),
    /// A status and fields, without `Content-Length`.
    Given(StatusCode, Cow<'a, Fields>),
    /// A status and all fields, without `Content-Length`: nothing is added to them.
    Amended(StatusCode, Fields),
    /// What a handler has said and the gateway passes on: a status, its reason phrase where it is not the usual one, and all fields.
    /// Nothing is added to them.
    Passed(StatusCode, Option<&'a [u8]>, &'a Fields),
}

impl Head<'_> {
    /// Visits every line that the gateway adds; see [`Added::each`].
    pub fn each_added(&self, scratch: &mut String, line: impl FnMut(&'static str, &[u8])) {
        match self.lines {
            Lines::Stored(_) | Lines::Given(..) => self.added.each(scratch, line),
            Lines::Amended(..) | Lines::Passed(..) => {}
        }
    }
}

impl Lines<'_> {
    /// The status.
    pub fn status(&self) -> StatusCode {
        match self {
            Lines::Stored(representation) => representation.status(),
            Lines::Given(status, _) | Lines::Amended(status, _) | Lines::Passed(status, ..) => *status,
        }
    }

    /// The fields.
    pub fn fields(&self) -> Cow<'_, Fields> {
        match self {
            Lines::Stored(representation) => Cow::Owned(representation.head().fields),
            Lines::Given(_, fields) => Cow::Borrowed(fields),
            Lines::Amended(_, fields) => Cow::Borrowed(fields),
            Lines::Passed(_, _, fields) => Cow::Borrowed(fields),
        }
    }
}

/// What the gateway adds to an answer.
#[derive(Clone, Copy, Debug)]
pub struct Added<'a> {
    /// What happened, for `Cache-Status` and `x-cache`.
    pub outcome: &'a Outcome,
    /// `Age`, on everything that comes from the cache.
    pub age: Option<u64>,
    /// `Cache-Control` and its relatives, where they are the gateway's word.
    pub told: Option<ToldNow<'a>>,
}

/// What is told to browsers and CDNs with one answer.
#[derive(Clone, Copy, Debug)]
pub struct ToldNow<'a> {
    /// `Cache-Control`.
    pub cache_control: &'a HeaderValue,
    /// `CDN-Cache-Control`, where the handler sent none.
    pub cdn_cache_control: Option<&'a HeaderValue>,
}

impl Added<'_> {
    /// Visits every added line. Values are rendered into `scratch`, which its owner keeps, so that a hit allocates nothing.
    pub fn each(&self, scratch: &mut String, mut line: impl FnMut(&'static str, &[u8])) {
        if let Some(age) = self.age {
            line("age", itoa::Buffer::new().format(age).as_bytes());
        }
        if let Some(told) = self.told {
            line("cache-control", told.cache_control.as_bytes());
            if let Some(cdn) = told.cdn_cache_control {
                line("cdn-cache-control", cdn.as_bytes());
            }
        }
        scratch.clear();
        self.outcome.render(scratch);
        line("cache-status", scratch.as_bytes());
        if let Some(value) = self.outcome.x_cache().header() {
            line("x-cache", value.as_bytes());
        }
    }
}

/// A short answer that the gateway makes itself.
#[derive(Debug)]
pub struct Notice {
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub fields: Fields,
    /// One line of text.
    pub body: Bytes,
}

impl Notice {
    /// `status` with one line of explanation, not to be kept by anyone.
    pub fn new(status: StatusCode, explanation: &str, now: SystemTime) -> Notice {
        let mut fields = Fields::with_capacity(4);
        fields.append(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        fields.append(CACHE_CONTROL, NO_STORE);
        fields.append(DATE, date(now));
        Notice { status, fields, body: Bytes::from(format!("{status}: {explanation}\n")) }
    }

    /// `status` with an object for programs, not to be kept by anyone.
    pub fn json(status: StatusCode, object: &serde_json::Value, now: SystemTime) -> Notice {
        let mut fields = Fields::with_capacity(3);
        fields.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        fields.append(CACHE_CONTROL, NO_STORE);
        fields.append(DATE, date(now));
        Notice { status, fields, body: Bytes::from(format!("{object}\n")) }
    }

    /// `status` and nothing to say beside its fields.
    pub fn without_body(status: StatusCode, now: SystemTime) -> Notice {
        let mut fields = Fields::with_capacity(3);
        fields.append(CACHE_CONTROL, NO_STORE);
        fields.append(DATE, date(now));
        Notice { status, fields, body: Bytes::new() }
    }

    /// What it says, where the gateway has put it into words.
    pub fn explanation(&self) -> Option<String> {
        let text = std::str::from_utf8(&self.body).ok()?;
        let explanation = text.strip_prefix(&format!("{}: ", self.status))?;
        Some(explanation.trim_end().to_owned())
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Notice {
        self.fields.append(name, value);
        self
    }

    /// Sends it.
    ///
    /// # Errors
    ///
    /// [`Gone`] when nobody is there to read it.
    pub async fn send<R: Responder>(&self, responder: &mut R, outcome: &Outcome) -> Result<(), Gone> {
        let head = Head {
            lines: Lines::Given(self.status, Cow::Borrowed(&self.fields)),
            added: Added { outcome, age: None, told: None },
        };
        responder.whole(&head, WholeBody::Given(self.body.clone())).await
    }
}

/// A date as HTTP writes it (RFC 9110 section 5.6.7).
pub fn date(now: SystemTime) -> HeaderValue {
    HeaderValue::from_str(&httpdate::fmt_http_date(now)).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests;
