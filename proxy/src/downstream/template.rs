//! Templates: texts in which placeholders stand for what was invalidated.

use super::item::Kind;

/// A text with placeholders: `{"tags":{tags_json}}`. A brace that no name and brace follow is a brace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A text that is sent as it is.
    Text(String),
    /// What stands for a value.
    Value(Placeholder),
}

/// What may stand in a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// The tag that the call is about.
    Tag,
    /// The path that the call is about.
    Path,
    /// The beginning of paths that the call is about.
    Prefix,
    /// The URL of the path that the call is about: the site, and the path.
    Url,
    /// All tags of the call, with spaces between them.
    Tags,
    /// All tags of the call as a list of JSON.
    TagsJson,
    /// All paths of the call as a list of JSON.
    PathsJson,
    /// All beginnings of paths of the call as a list of JSON.
    PrefixesJson,
    /// The URLs of all paths of the call as a list of JSON.
    UrlsJson,
    /// All beginnings of paths of the call behind the site's host, as a list of JSON.
    HostPrefixesJson,
    /// `true` when everything was invalidated, otherwise `false`.
    Everything,
    /// `stale`, `expire` or `delete`.
    Mode,
    /// `1` when stale responses may still be served, otherwise nothing.
    Soft,
}

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// For one thing: each has a call of its own.
    One(Kind),
    /// For all things of a call.
    Many(Kind),
    /// For how they were invalidated.
    How,
}

/// A placeholder that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an unknown placeholder `{{{0}}}`")]
pub struct UnknownPlaceholder(pub String);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// [`UnknownPlaceholder`] for the first name between braces that means nothing.
    pub fn parse(text: &str) -> Result<Template, UnknownPlaceholder> {
        let mut pieces = Vec::new();
        let mut fixed = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            fixed.push_str(before);
            let Some(name) = name_before_brace(after) else {
                fixed.push('{');
                rest = after;
                continue;
            };
            let placeholder = Placeholder::named(name).ok_or_else(|| UnknownPlaceholder(name.to_owned()))?;
            if !fixed.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut fixed)));
            }
            pieces.push(Piece::Value(placeholder));
            rest = &after[name.len() + 1..];
        }
        fixed.push_str(rest);
        if !fixed.is_empty() {
            pieces.push(Piece::Text(fixed));
        }
        Ok(Template(pieces))
    }

    /// A text without placeholders.
    pub fn fixed(text: &str) -> Template {
        Template(vec![Piece::Text(text.to_owned())])
    }

    /// The text before its first placeholder.
    pub fn beginning(&self) -> &str {
        match self.0.first() {
            Some(Piece::Text(text)) => text,
            Some(Piece::Value(_)) | None => "",
        }
    }

    /// The placeholders in it, in their order.
    pub fn placeholders(&self) -> impl Iterator<Item = Placeholder> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Value(placeholder) => Some(*placeholder),
        })
    }

    /// Its parts.
    pub(super) fn pieces(&self) -> &[Piece] {
        &self.0
    }
}

/// The name that ends at the next closing brace, where there is one.
fn name_before_brace(text: &str) -> Option<&str> {
    let end = text.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))?;
    (end > 0 && text[end..].starts_with('}')).then(|| &text[..end])
}

impl Placeholder {
    /// Every placeholder.
    pub const ALL: [Placeholder; 13] = [
        Placeholder::Tag,
        Placeholder::Path,
        Placeholder::Prefix,
        Placeholder::Url,
        Placeholder::Tags,
        Placeholder::TagsJson,
        Placeholder::PathsJson,
        Placeholder::PrefixesJson,
        Placeholder::UrlsJson,
        Placeholder::HostPrefixesJson,
        Placeholder::Everything,
        Placeholder::Mode,
        Placeholder::Soft,
    ];

    /// Its name, which stands between braces.
    pub fn as_str(self) -> &'static str {
        match self {
            Placeholder::Tag => "tag",
            Placeholder::Path => "path",
            Placeholder::Prefix => "prefix",
            Placeholder::Url => "url",
            Placeholder::Tags => "tags",
            Placeholder::TagsJson => "tags_json",
            Placeholder::PathsJson => "paths_json",
            Placeholder::PrefixesJson => "prefixes_json",
            Placeholder::UrlsJson => "urls_json",
            Placeholder::HostPrefixesJson => "host_prefixes_json",
            Placeholder::Everything => "everything",
            Placeholder::Mode => "mode",
            Placeholder::Soft => "soft",
        }
    }

    /// What it stands for.
    pub fn stands(self) -> Stands {
        match self {
            Placeholder::Tag => Stands::One(Kind::Tag),
            Placeholder::Path | Placeholder::Url => Stands::One(Kind::Path),
            Placeholder::Prefix => Stands::One(Kind::Prefix),
            Placeholder::Tags | Placeholder::TagsJson => Stands::Many(Kind::Tag),
            Placeholder::PathsJson | Placeholder::UrlsJson => Stands::Many(Kind::Path),
            Placeholder::PrefixesJson | Placeholder::HostPrefixesJson => Stands::Many(Kind::Prefix),
            Placeholder::Everything => Stands::Many(Kind::Everything),
            Placeholder::Mode | Placeholder::Soft => Stands::How,
        }
    }

    /// Whether it says at which site a path is.
    pub fn needs_site(self) -> bool {
        match self {
            Placeholder::Url | Placeholder::UrlsJson | Placeholder::HostPrefixesJson => true,
            Placeholder::Tag
            | Placeholder::Path
            | Placeholder::Prefix
            | Placeholder::Tags
            | Placeholder::TagsJson
            | Placeholder::PathsJson
            | Placeholder::PrefixesJson
            | Placeholder::Everything
            | Placeholder::Mode
            | Placeholder::Soft => false,
        }
    }

    fn named(name: &str) -> Option<Placeholder> {
        Placeholder::ALL.into_iter().find(|placeholder| placeholder.as_str() == name)
    }
}
