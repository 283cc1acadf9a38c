//! Tags that a route puts on its stored responses: those that Next.js implies by the path, the route's own, and those that the
//! handler sends.

use evergate_cache::Tags;
use http::{HeaderName, HeaderValue};

use crate::config::{DownstreamTags, Kind, Param, TagTemplate};
use crate::rules::FieldLines;
use crate::target::decode;

/// How the implied tags of Next.js begin.
const IMPLIED: &str = "_N_T_";

/// Fields in which handlers send tags, and what stands between two of them. Visitors do not see them.
pub const TAG_FIELDS: [(HeaderName, char); 3] = [
    (HeaderName::from_static("cache-tag"), ','),
    (HeaderName::from_static("surrogate-key"), ' '),
    (HeaderName::from_static("x-next-cache-tags"), ','),
];

/// Most bytes of tags that caches in front are told of one response: as many as Cloudflare and Fastly read.
const MOST_TOLD: usize = 16 << 10;

/// In which handlers say what they want forgotten by tag.
pub const REVALIDATE_TAG: HeaderName = HeaderName::from_static("x-revalidate-tag");
/// In which handlers say what they want forgotten by path.
pub const REVALIDATE_PATH: HeaderName = HeaderName::from_static("x-revalidate-path");
/// Fields in which handlers say what they want forgotten. Visitors do not see them.
pub const REVALIDATION_FIELDS: [HeaderName; 2] = [REVALIDATE_TAG, REVALIDATE_PATH];

/// What a route says of tags.
#[derive(Debug)]
pub struct Tagger {
    /// The page in the words of Next.js: `/items/[slug]/route`.
    page: String,
    /// Implied tags that are the same for every path.
    by_page: Vec<String>,
    own: Vec<TagTemplate>,
}

impl Tagger {
    /// The tags of a route with this pattern.
    pub fn new(pattern: &str, kind: Kind, own: Vec<TagTemplate>) -> Tagger {
        let file = match kind {
            Kind::Handler => "route",
            Kind::Page => "page",
        };
        let page = format!("{}/{file}", pattern.trim_end_matches('/'));
        Tagger { by_page: by_page(&page), page, own }
    }

    /// The tag of every page of the route: what `revalidatePath('/items/[slug]', 'page')` of Next.js forgets.
    pub fn whole_route(&self) -> String {
        format!("{IMPLIED}{}", self.page)
    }

    /// Whether the pages of the route lie under this layout, which is named as [`layout_tag`] takes it.
    pub fn is_under(&self, layout: &str) -> bool {
        self.by_page.contains(&layout_tag(layout))
    }

    /// The tags of the response at `path`, in normal form: implied ones, the route's own, and those that were sent. What the
    /// pattern implies is there whatever its length, because orders for the route and its layouts rely on it; what the path
    /// implies is as long as the visitor likes, and has limits: orders for the path do not go by its tag.
    pub fn tags(&self, path: &str, params: &[(String, Param)], sent: &[String]) -> Tags {
        let by_path = by_path(&self.by_page, &pathname(path));
        let own: Vec<String> = self.own.iter().map(|template| template.fill(params)).collect();
        let others = by_path.iter().chain(&own).chain(sent);
        Tags::with_implied(self.by_page.iter().map(String::as_str), others.map(String::as_str))
    }
}

/// The tag of everything below a layout, which is named by the pattern of its folder without a slash at its end (`/` is the root
/// layout): what `revalidatePath('/api', 'layout')` of Next.js forgets.
pub fn layout_tag(layout: &str) -> String {
    format!("{IMPLIED}{}/layout", layout.trim_end_matches('/'))
}

/// The tags that a handler sends with an answer.
pub fn sent(fields: &impl FieldLines) -> Vec<String> {
    let of_field = |(name, between): &(HeaderName, char)| {
        let lines: Vec<&[u8]> = fields.all(name).map(HeaderValue::as_bytes).collect();
        let text = String::from_utf8_lossy(&lines.join(&u8::try_from(*between).unwrap_or(b','))).into_owned();
        text.split(*between).map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    TAG_FIELDS.iter().flat_map(of_field).collect()
}

/// The field in which a cache in front is told of these tags, as many as fit and can stand in it; none where there are none.
pub fn told<'t>(form: DownstreamTags, tags: impl Iterator<Item = &'t str>) -> Option<(HeaderName, HeaderValue)> {
    let (name, between) = match form {
        DownstreamTags::CacheTag => (HeaderName::from_static("cache-tag"), ','),
        DownstreamTags::SurrogateKey => (HeaderName::from_static("surrogate-key"), ' '),
    };
    let mut text = String::new();
    // A tag that looks like two there would be neither.
    for tag in tags.filter(|tag| !tag.contains(between) && !tag.contains(char::is_control)) {
        let room = MOST_TOLD.saturating_sub(text.len() + between.len_utf8());
        if tag.len() > room {
            break;
        }
        if !text.is_empty() {
            text.push(between);
        }
        text.push_str(tag);
    }
    let value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
    (!value.is_empty()).then_some((name, value))
}

/// The tags that Next.js gives a page for its path (`getImplicitTags` of Next.js 16), beside those that it has in any case.
fn by_path(by_page: &[String], pathname: &str) -> Vec<String> {
    let index = match pathname {
        "/" => Some("/index"),
        "/index" => Some("/"),
        _ => None,
    };
    let paths = Some(pathname).filter(|path| !path.is_empty()).into_iter().chain(index);
    paths.map(|path| format!("{IMPLIED}{path}")).filter(|tag| !by_page.contains(tag)).collect()
}

/// Those that are the same for every path: a layout at each level, and the page.
fn by_page(page: &str) -> Vec<String> {
    let mut tags = vec![format!("{IMPLIED}/layout")];
    if page.starts_with('/') {
        let ends = page.match_indices('/').map(|(at, _)| at).skip(1).chain([page.len()]);
        for level in ends.map(|end| &page[..end]) {
            match level {
                page if page.ends_with("/page") || page.ends_with("/route") => add(&mut tags, page),
                level if level.ends_with('/') => add(&mut tags, &format!("{level}layout")),
                level => add(&mut tags, &format!("{level}/layout")),
            }
        }
    }
    tags
}

fn add(tags: &mut Vec<String>, tag: &str) {
    let tag = format!("{IMPLIED}{tag}");
    if !tags.contains(&tag) {
        tags.push(tag);
    }
}

/// A path as people write it: decoded, but for slashes inside a segment.
fn pathname(path: &str) -> String {
    let segments: Vec<String> = path.split('/').map(|segment| decode(segment).replace('/', "%2F")).collect();
    segments.join("/")
}

#[cfg(test)]
mod tests;
