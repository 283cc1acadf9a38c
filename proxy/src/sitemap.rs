//! Sitemaps (sitemaps.org, version 0.9): the pages of a site as it lists them itself, and indexes of such lists.
//!
//! [`Sitemap::read`] reads one document, plain or coded with gzip; [`Walk`] says which documents an index leads to, and where to
//! stop. Nobody is asked here: documents come in as bytes.

mod walk;

use std::io::Read;

use flate2::read::MultiGzDecoder;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

pub use walk::{MAX_NESTING, MAX_SITEMAPS, Sheet, Walk, WalkError, beyond_walk};

/// Longest sitemap, in bytes, as it is and decoded: what sitemaps.org allows.
pub const MAX_SITEMAP: usize = 52_428_800;

/// What a sitemap lists.
#[derive(Debug, PartialEq, Eq)]
pub enum Sitemap {
    /// Pages (`urlset`).
    Pages(Vec<String>),
    /// Other sitemaps (`sitemapindex`).
    Index(Vec<String>),
}

/// Why a document is no sitemap.
#[derive(Debug, thiserror::Error)]
pub enum SitemapError {
    /// Its coding is broken.
    #[error("it is no whole gzip")]
    Gzip(#[source] std::io::Error),
    /// It is too long.
    #[error("it is longer than {MAX_SITEMAP} bytes")]
    TooLong,
    /// It is no text.
    #[error("it is not UTF-8")]
    Encoding,
    /// It is no XML.
    #[error("it is no well-formed XML")]
    Xml(#[source] quick_xml::Error),
    /// It ends too early.
    #[error("it ends in the middle")]
    Cut,
    /// It refers to an entity that XML does not have.
    #[error("it refers to `&{0};`, which is no entity of XML")]
    Entity(String),
    /// It is another document.
    #[error("expected a sitemap (`urlset`) or an index of sitemaps (`sitemapindex`), found {0}")]
    Other(String),
}

impl Sitemap {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// Why it is none; what it lists before that does not count.
    pub fn read(document: &[u8]) -> Result<Sitemap, SitemapError> {
        /// How a gzip member begins (RFC 1952 section 2.3.1).
        const GZIP: [u8; 2] = [0x1f, 0x8b];
        if document.len() > MAX_SITEMAP {
            return Err(SitemapError::TooLong);
        }
        if !document.starts_with(&GZIP) {
            return parse(document);
        }
        let mut decoded = Vec::new();
        // One more than is allowed tells that it is too long, and nothing beyond it is decoded.
        let mut limited = MultiGzDecoder::new(document).take(MAX_SITEMAP as u64 + 1);
        limited.read_to_end(&mut decoded).map_err(SitemapError::Gzip)?;
        if decoded.len() > MAX_SITEMAP {
            return Err(SitemapError::TooLong);
        }
        parse(&decoded)
    }
}

/// Where in a document the reader is.
#[derive(Debug)]
struct Place {
    sitemap: Sitemap,
    /// The prefix that the document gives the names of sitemaps, with its colon.
    prefix: String,
    /// How many elements are open.
    depth: usize,
    /// Whether the second of them is an entry of the list.
    in_entry: bool,
    /// The location, as far as it was read, while its element is open.
    location: Option<String>,
}

fn parse(document: &[u8]) -> Result<Sitemap, SitemapError> {
    let text = std::str::from_utf8(document).map_err(|_| SitemapError::Encoding)?;
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    reader.config_mut().expand_empty_elements = true;
    let mut place: Option<Place> = None;
    loop {
        let event = reader.read_event().map_err(SitemapError::Xml)?;
        match (&mut place, event) {
            (None, Event::Start(root)) => place = Some(Place::in_root(&root)?),
            (None, Event::Text(text)) if text.trim().is_empty() => {}
            (None, Event::Text(_) | Event::CData(_) | Event::GeneralRef(_)) => {
                return Err(SitemapError::Other("text".to_owned()));
            }
            (None, Event::Eof) => return Err(SitemapError::Other("nothing".to_owned())),
            (Some(place), Event::Start(element)) => place.open(&element),
            (Some(place), Event::End(_)) => place.close(),
            (Some(place), Event::Text(text)) => place.add(&text),
            (Some(place), Event::CData(text)) => place.add(&text),
            (Some(place), Event::GeneralRef(reference)) => place.add_referred(&reference)?,
            (Some(open), Event::Eof) if open.depth > 0 => return Err(SitemapError::Cut),
            (Some(_), Event::Eof) => break,
            // An empty element comes as its two ends, and no declaration of a type is followed.
            (_, Event::Empty(_) | Event::End(_)) => {}
            (_, Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
        }
    }
    place.map(|place| place.sitemap).ok_or(SitemapError::Cut)
}

impl Place {
    fn in_root(root: &BytesStart<'_>) -> Result<Place, SitemapError> {
        let (name, local) = (root.name(), root.local_name());
        let (name, local) = (name.as_ref(), local.as_ref());
        let sitemap = match local {
            "urlset" => Sitemap::Pages(Vec::new()),
            "sitemapindex" => Sitemap::Index(Vec::new()),
            _ => return Err(SitemapError::Other(format!("`{}`", name.escape_debug()))),
        };
        let prefix = name.strip_suffix(local).unwrap_or_default().to_owned();
        Ok(Place { sitemap, prefix, depth: 1, in_entry: false, location: None })
    }

    /// Elements of extensions (images, videos, languages) have other prefixes, or stand deeper.
    fn open(&mut self, element: &BytesStart<'_>) {
        let name = element.name();
        let name = name.as_ref().strip_prefix(self.prefix.as_str());
        self.depth += 1;
        match self.depth {
            2 => {
                let entry = match self.sitemap {
                    Sitemap::Pages(_) => "url",
                    Sitemap::Index(_) => "sitemap",
                };
                self.in_entry = name == Some(entry);
            }
            3 if self.in_entry && name == Some("loc") => self.location = Some(String::new()),
            _ => {}
        }
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.depth != 2 {
            return;
        }
        let Some(location) = self.location.take() else { return };
        let location = location.trim();
        if !location.is_empty() {
            let (Sitemap::Pages(list) | Sitemap::Index(list)) = &mut self.sitemap;
            list.push(location.to_owned());
        }
    }

    fn add(&mut self, text: &str) {
        if let Some(location) = self.location.as_mut().filter(|_| self.depth == 3) {
            location.push_str(text);
        }
    }

    fn add_referred(&mut self, reference: &BytesRef<'_>) -> Result<(), SitemapError> {
        let unknown = || SitemapError::Entity(reference.to_string());
        let mut letter = [0; 4];
        match reference.resolve_char_ref().map_err(SitemapError::Xml)? {
            Some(character) => self.add(character.encode_utf8(&mut letter)),
            None => self.add(resolve_predefined_entity(reference).ok_or_else(unknown)?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
