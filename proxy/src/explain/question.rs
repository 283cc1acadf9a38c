//! A request that nobody sends.

use evergate_cache::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::request::{BodyPresence, Protocol, Request};
use crate::snapshot::Snapshot;

/// A request that nobody sends.
#[derive(Clone, Debug)]
pub struct Question {
    /// A path, or an absolute URL.
    pub url: Uri,
    /// The method.
    pub method: Method,
    /// The header fields.
    pub headers: HeaderMap,
}

/// Why a question is none.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// Nothing says which page.
    #[error("`url` is missing: /explain?url=/items/a")]
    NoUrl,
    /// A parameter that is not known, or that is not what it should be.
    #[error("`{name}` is not {expected}")]
    Parameter {
        /// Its name.
        name: String,
        /// What would be accepted.
        expected: &'static str,
    },
}

/// What `url` may be.
pub const A_URL: &str = "a path or an absolute URL";

/// What `method` may be.
pub const A_METHOD: &str = "a method";

/// What `header` may be.
pub const A_HEADER: &str = "a header (name: value)";

impl Question {
    /// Reads names and values, which are decoded already: `url` (a path, or an absolute URL), `method`, and any number of `header`
    /// (`name: value`).
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn read(parameters: &[(String, String)]) -> Result<Question, QuestionError> {
        let (mut asked, mut method, mut headers) = (None, Method::GET, HeaderMap::new());
        for (name, value) in parameters {
            let refused = |expected| QuestionError::Parameter { name: name.clone(), expected };
            match name.as_str() {
                "url" => asked = Some(url(value).ok_or_else(|| refused(A_URL))?),
                "method" => method = Method::from_bytes(value.as_bytes()).map_err(|_| refused(A_METHOD))?,
                "header" => {
                    let (name, value) = header(value).ok_or_else(|| refused(A_HEADER))?;
                    headers.append(name, value);
                }
                _ => return Err(refused("one of `url`, `method` and `header`")),
            }
        }
        asked.map(|url| Question { url, method, headers }).ok_or(QuestionError::NoUrl)
    }

    /// The request that it is about. Without a scheme and a host it is for the first site of `snapshot`.
    pub(super) fn request(self, snapshot: &Snapshot) -> Request {
        let Question { url, method, headers } = self;
        let scheme = match url.scheme_str() {
            Some("https") => Scheme::Https,
            Some(_) => Scheme::Http,
            None => snapshot.scheme,
        };
        let site = snapshot.hosts.first().map(String::as_str);
        let said = headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let named = url.authority().map(|name| name.as_str());
        Request {
            method,
            target: url.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            authority: said.or(named).or(site).map(str::to_ascii_lowercase),
            headers,
            body: BodyPresence::None,
            keep_alive: true,
            peer: None,
            scheme,
            protocol: Protocol::Http11,
        }
    }
}

/// A target as a visitor would send it: without a fragment, and without anybody's name in it.
pub fn url(text: &str) -> Option<Uri> {
    let known = ["/", "http://", "https://"].iter().any(|start| text.starts_with(start));
    let url: Uri = text.parse().ok().filter(|_| known && !text.contains('#'))?;
    let named = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
    (!named).then_some(url)
}

/// A header line.
pub fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    Some((name.trim().parse().ok()?, HeaderValue::from_str(value.trim()).ok()?))
}
