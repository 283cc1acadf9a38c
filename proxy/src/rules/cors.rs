//! CORS: which pages of other origins may read answers (the Fetch standard, section 3.3, "CORS protocol").
//!
//! The browser enforces what it is told here; only with [`Mode::Enforce`] the gateway does too.

mod origin;

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::fields::FieldLines;

pub use origin::{OriginError, OriginPattern};

/// What pages of other origins may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Pages of which origins.
    pub origins: Vec<OriginPattern>,
    /// With which methods.
    pub methods: Allowed,
    /// With which request headers, beside those that the Fetch standard always allows.
    pub headers: Allowed,
    /// Which headers of answers their scripts may read, beside those that it always allows.
    pub expose: Option<HeaderValue>,
    /// Whether with the visitor's cookies.
    pub credentials: Credentials,
    /// How long a browser may remember the answer to a preflight.
    pub max_age: Duration,
    /// Whether from a public network, where the gateway is in a private one.
    pub private_network: PrivateNetwork,
    /// Who is believed, and who sees to it.
    pub mode: Mode,
}

/// Names that are allowed in a preflight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Whatever is asked for.
    Any,
    /// These, as they are told; none when the list is empty.
    Only(Option<HeaderValue>),
}

/// Whether cookies and the like may come with requests of foreign pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// They may not.
    Omitted,
    /// They may.
    Included,
}

/// Whether pages of a public network may ask a gateway in a private one (Private Network Access, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateNetwork {
    /// They may not.
    Closed,
    /// They may.
    Open,
}

/// Whose word counts about answers, and who sees to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// The gateway's instead of the handler's; the browser sees to it.
    #[default]
    Replace,
    /// The handler's, where it says something.
    Passthrough,
    /// The gateway's; a foreign page gets 403 instead of the answer.
    Enforce,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// It does not say: no browser, a navigation, or a page of this site that reads.
    Unsaid,
    /// A page of the gateway's own, of the host that it asks.
    Own,
    /// A page of another origin, which is allowed.
    Allowed,
    /// A page of another origin, which is not.
    Foreign,
}

/// What is said about CORS with one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    mode: Mode,
    lines: Vec<(HeaderName, HeaderValue)>,
}

/// `Access-Control-Request-Private-Network` and its answer (Private Network Access, section 3.1).
const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// What is said about CORS in answers, by whomever.
const SAID: [HeaderName; 7] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
    ALLOW_PRIVATE_NETWORK,
];

/// Longest list of header names that is repeated in an answer, in bytes.
const LONGEST_ECHO: usize = 1024;

const YES: HeaderValue = HeaderValue::from_static("true");
const ANYONE: HeaderValue = HeaderValue::from_static("*");

/// Whether a request asks whether another may be sent (the Fetch standard, section 4.8, "CORS-preflight fetch").
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

impl Cors {
    /// The request fields on which the answer to every request depends, and those on which the answer to a preflight does.
    pub const READ: [HeaderName; 1] = [ORIGIN];
    /// See [`Cors::READ`].
    pub const READ_IN_PREFLIGHTS: [HeaderName; 3] =
        [ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_REQUEST_HEADERS];

    /// Where a request to `authority` comes from. Several origins, or a list of them, are nobody's.
    pub fn sender(&self, headers: &HeaderMap, authority: Option<&str>) -> Sender {
        let mut lines = headers.get_all(ORIGIN).iter();
        let Some(first) = lines.next() else { return Sender::Unsaid };
        match first.to_str() {
            Ok(origin) if lines.next().is_none() => {
                if self.allows(origin) {
                    Sender::Allowed
                } else if authority.is_some_and(|authority| origin::is_own(origin, authority)) {
                    Sender::Own
                } else {
                    Sender::Foreign
                }
            }
            Ok(_) | Err(_) => Sender::Foreign,
        }
    }

    /// Where nobody in particular is named, `null` is not meant: every sandboxed document is called that.
    fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|pattern| pattern.fits(origin))
    }

    fn allows_anyone(&self) -> bool {
        self.origins.contains(&OriginPattern::Any)
    }

    /// What is said with the answer to a request from `sender`.
    pub(super) fn said(&self, sender: Sender, headers: &HeaderMap) -> Said {
        let mut lines = self.welcome(sender, headers);
        if let (false, Some(expose)) = (lines.is_empty(), &self.expose) {
            lines.push((ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone()));
        }
        Said { mode: self.mode, lines }
    }

    /// The fields of the answer to a preflight from `sender`. What is allowed is told whole, whatever of it is asked for: the
    /// browser compares, and can say what is missing.
    pub fn preflight(&self, sender: Sender, headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        let mut lines = self.welcome(sender, headers);
        if lines.is_empty() {
            return lines;
        }
        let (methods, names) = (ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_HEADERS);
        lines.extend(self.methods.told(headers.get(ACCESS_CONTROL_REQUEST_METHOD)).map(|told| (methods, told)));
        lines.extend(self.headers.told(headers.get(ACCESS_CONTROL_REQUEST_HEADERS)).map(|told| (names, told)));
        lines.push((ACCESS_CONTROL_MAX_AGE, self.max_age.as_secs().into()));
        let asked = headers.get(REQUEST_PRIVATE_NETWORK).is_some_and(|asked| asked == "true");
        if asked && self.private_network == PrivateNetwork::Open {
            lines.push((ALLOW_PRIVATE_NETWORK, YES));
        }
        lines
    }

    /// That the page may read; nothing for those that may not.
    fn welcome(&self, sender: Sender, headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        let origin = match (sender, self.allows_anyone()) {
            (Sender::Foreign, _) | (Sender::Unsaid | Sender::Own, false) => None,
            // The same to everyone, so that a cache that takes no notice of `Vary` does no harm.
            (Sender::Unsaid | Sender::Own | Sender::Allowed, true) => Some(ANYONE),
            (Sender::Allowed, false) => headers.get(ORIGIN).cloned(),
        };
        let mut lines = Vec::from_iter(origin.map(|origin| (ACCESS_CONTROL_ALLOW_ORIGIN, origin)));
        if !lines.is_empty() && self.credentials == Credentials::Included {
            lines.push((ACCESS_CONTROL_ALLOW_CREDENTIALS, YES));
        }
        lines
    }
}

impl Allowed {
    /// What is told to who asks for these. A `*` would not mean `Authorization`, so what is asked for is told.
    fn told(&self, asked: Option<&HeaderValue>) -> Option<HeaderValue> {
        match self {
            Allowed::Any => asked.filter(|asked| is_list_of_tokens(asked.as_bytes())).cloned(),
            Allowed::Only(listed) => listed.clone(),
        }
    }
}

/// Whether it is a list of names and nothing else (RFC 9110 section 5.6), and not too long to be repeated.
fn is_list_of_tokens(list: &[u8]) -> bool {
    let in_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let is_token = |item: &[u8]| !item.is_empty() && item.iter().all(in_token);
    list.len() <= LONGEST_ECHO && list.split(|byte| *byte == b',').all(|item| is_token(item.trim_ascii()))
}

impl Said {
    /// Says it with an answer.
    pub(super) fn apply(&self, lines: &mut impl FieldLines) {
        let handlers = lines.all(&ACCESS_CONTROL_ALLOW_ORIGIN).next().is_some();
        match self.mode {
            Mode::Passthrough if handlers => return,
            Mode::Replace | Mode::Passthrough | Mode::Enforce => {}
        }
        for name in &SAID {
            lines.take_away(name);
        }
        for (name, value) in &self.lines {
            lines.add(name, value);
        }
    }

    /// The lines that are said.
    pub(super) fn lines(&self) -> &[(HeaderName, HeaderValue)] {
        &self.lines
    }

    /// Whether something is done to fields of this name.
    pub(super) fn concerns(&self, name: &HeaderName) -> bool {
        SAID.contains(name)
    }
}

#[cfg(test)]
mod tests;
