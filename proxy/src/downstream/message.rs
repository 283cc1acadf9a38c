//! A call as it is written down in the configuration, and as it is sent.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Url;

use super::escape::{ascii_json, climbs, json_content, json_list, path, percent};
use super::item::{Item, Kind, Mode};
use super::template::{Piece, Placeholder, Stands, Template};

/// What is sent, with placeholders for what was invalidated.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// The method.
    pub method: Method,
    /// Where to; placeholders stand behind the host.
    pub url: Template,
    /// Header fields. One whose value comes out empty is left out.
    pub headers: Vec<(HeaderName, Template)>,
    /// The body, if there is one.
    pub body: Option<(Template, Form)>,
    /// Where visitors find the paths, for placeholders that are URLs.
    pub site: Option<Site>,
}

/// How values are written in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As the content of strings of JSON; lists as they are.
    Json,
    /// Percent-encoded, for forms.
    Encoded,
    /// As they are, on one line.
    Text,
}

/// Where visitors find the paths: `https://www.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Scheme, host, and what stands before the paths, without a slash at its end.
    base: String,
}

/// A call that is ready to be sent.
#[derive(Clone, PartialEq)]
pub struct Written {
    /// Where to.
    pub url: Url,
    /// Header fields, all of them secret.
    pub headers: HeaderMap,
    /// The body, if there is one.
    pub body: Option<String>,
}

/// Why something cannot be written where its placeholder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// It would be two in a list that is separated by spaces.
    #[error("it has a space, and is to stand in a list that is separated by spaces")]
    Space,
    /// It would begin another line or end the text.
    #[error("it has a control character, which cannot stand there")]
    Control,
    /// It would lead up in the URL.
    #[error("it has a segment of dots, which cannot stand in a URL")]
    Dots,
    /// It is to follow a host, and is no path.
    #[error("it does not begin with a slash")]
    NoPath,
    /// No URL comes of it.
    #[error("what comes of it is no http or https URL")]
    NoUrl,
    /// A placeholder stands for something that the call has not.
    #[error("its call has nothing for `{{{}}}`", .0.as_str())]
    Nothing(Placeholder),
}

/// Where in a call a value stands.
#[derive(Clone, Copy)]
enum Place {
    UrlPath,
    UrlQuery,
    Header,
    Body(Form),
}

/// What a placeholder stands for at one time.
enum Value {
    Text(String),
    /// A path of a URL, encoded as far as its author wanted.
    Path(String),
    Json(String),
}

impl Site {
    /// A base of URLs: an http or https URL without query and fragment.
    pub fn parse(text: &str) -> Option<Site> {
        let url = Url::parse(text).ok().filter(is_http)?;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        plain.then(|| Site { base: url.as_str().trim_end_matches('/').to_owned() })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn without_scheme(&self, path: &str) -> String {
        let (_, host) = self.base.split_once("://").unwrap_or(("", &self.base));
        format!("{host}{path}")
    }
}

impl fmt::Debug for Message {
    /// Without what may be secret: the URL, the values of the header fields and the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Message").field("method", &self.method).field("headers", &headers).finish_non_exhaustive()
    }
}

impl Message {
    /// Every placeholder in it.
    pub fn placeholders(&self) -> Vec<Placeholder> {
        let headers = self.headers.iter().map(|(_, value)| value);
        let body = self.body.iter().map(|(body, _)| body);
        std::iter::once(&self.url).chain(headers).chain(body).flat_map(Template::placeholders).collect()
    }

    /// Whether nothing in it depends on what was invalidated.
    pub fn is_constant(&self) -> bool {
        self.placeholders().into_iter().all(|placeholder| placeholder.stands() == Stands::How)
    }

    /// Whether something in it depends on how it was invalidated.
    pub fn tells_mode(&self) -> bool {
        self.placeholders().into_iter().any(|placeholder| placeholder.stands() == Stands::How)
    }

    /// The call about these.
    ///
    /// # Errors
    ///
    /// [`Unwritable`] when one of them cannot stand where the message wants it.
    pub fn write(&self, items: &[Item], mode: Mode) -> Result<Written, Unwritable> {
        let values = Values { items, mode, site: self.site.as_ref() };
        let url = values.url(&self.url)?;
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, template) in &self.headers {
            let text = values.fill(template, Place::Header)?;
            if text.is_empty() {
                continue;
            }
            let mut value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| Unwritable::Control)?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        let body = match &self.body {
            Some((template, form)) => Some(values.fill(template, Place::Body(*form))?),
            None => None,
        };
        Ok(Written { url, headers, body })
    }
}

/// What the placeholders of one call stand for.
struct Values<'a> {
    items: &'a [Item],
    mode: Mode,
    site: Option<&'a Site>,
}

impl Values<'_> {
    fn url(&self, template: &Template) -> Result<Url, Unwritable> {
        let mut text = String::new();
        for piece in template.pieces() {
            match piece {
                Piece::Text(fixed) => text.push_str(fixed),
                Piece::Value(placeholder) => {
                    let place = if text.contains('?') { Place::UrlQuery } else { Place::UrlPath };
                    text.push_str(&written(self.value(*placeholder)?, place)?);
                }
            }
        }
        let (_, behind) = text.split_once("://").ok_or(Unwritable::NoUrl)?;
        if climbs(behind.split(['?', '#']).next().unwrap_or_default()) {
            return Err(Unwritable::Dots);
        }
        Url::parse(&text).ok().filter(is_http).ok_or(Unwritable::NoUrl)
    }

    fn fill(&self, template: &Template, place: Place) -> Result<String, Unwritable> {
        let mut text = String::new();
        for piece in template.pieces() {
            match piece {
                Piece::Text(fixed) => text.push_str(fixed),
                Piece::Value(placeholder) => text.push_str(&written(self.value(*placeholder)?, place)?),
            }
        }
        Ok(text)
    }

    fn value(&self, placeholder: Placeholder) -> Result<Value, Unwritable> {
        let one = |kind| self.of(kind).next().ok_or(Unwritable::Nothing(placeholder));
        let site = || self.site.ok_or(Unwritable::Nothing(placeholder));
        Ok(match placeholder {
            Placeholder::Tag => Value::Text(one(Kind::Tag)?.to_owned()),
            Placeholder::Path => Value::Path(one(Kind::Path)?.to_owned()),
            Placeholder::Prefix => Value::Path(one(Kind::Prefix)?.to_owned()),
            Placeholder::Url => Value::Text(site()?.url(one(Kind::Path)?)),
            Placeholder::Tags => {
                let tags: Vec<&str> = self.of(Kind::Tag).collect();
                if tags.iter().any(|tag| tag.contains(char::is_whitespace)) {
                    return Err(Unwritable::Space);
                }
                Value::Text(tags.join(" "))
            }
            Placeholder::TagsJson => Value::Json(json_list(&Vec::from_iter(self.of(Kind::Tag)))),
            Placeholder::PathsJson => Value::Json(json_list(&Vec::from_iter(self.of(Kind::Path)))),
            Placeholder::PrefixesJson => Value::Json(json_list(&Vec::from_iter(self.of(Kind::Prefix)))),
            Placeholder::UrlsJson => {
                let site = site()?;
                Value::Json(json_list(&Vec::from_iter(self.of(Kind::Path).map(|path| site.url(path)))))
            }
            Placeholder::HostPrefixesJson => {
                let site = site()?;
                Value::Json(json_list(&Vec::from_iter(self.of(Kind::Prefix).map(|path| site.without_scheme(path)))))
            }
            Placeholder::Everything => Value::Json(self.items.contains(&Item::Everything).to_string()),
            Placeholder::Mode => Value::Text(self.mode.as_str().to_owned()),
            Placeholder::Soft => Value::Text(match self.mode {
                Mode::Stale => "1".to_owned(),
                // What is gone after a while must not be served stale for as long as the cache in front likes.
                Mode::Expire | Mode::Delete => String::new(),
            }),
        })
    }

    /// The items of one kind.
    fn of(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.items.iter().filter(move |item| item.kind() == kind).filter_map(|item| match item {
            Item::Tag(text) | Item::Path(text) | Item::Prefix(text) => Some(&**text),
            Item::Everything => None,
        })
    }
}

/// A value as it is written in its place.
fn written(value: Value, place: Place) -> Result<String, Unwritable> {
    let plain = |text: String| match text.contains(char::is_control) {
        true => Err(Unwritable::Control),
        false => Ok(text),
    };
    match (place, value) {
        (Place::UrlPath, Value::Path(text)) if text.starts_with('/') => Ok(path(&text)),
        (Place::UrlPath, Value::Path(_)) => Err(Unwritable::NoPath),
        (Place::UrlPath, Value::Text(text) | Value::Json(text))
        | (Place::UrlQuery | Place::Body(Form::Encoded), Value::Text(text) | Value::Path(text) | Value::Json(text)) => {
            Ok(percent(&text))
        }
        (Place::Body(Form::Json), Value::Text(text) | Value::Path(text)) => Ok(json_content(&text)),
        (Place::Body(Form::Json | Form::Text), Value::Json(json)) => Ok(json),
        (Place::Header, Value::Json(json)) => Ok(ascii_json(&json)),
        (Place::Header | Place::Body(Form::Text), Value::Text(text) | Value::Path(text)) => plain(text),
    }
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

#[cfg(test)]
mod tests;
