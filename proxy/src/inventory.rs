//! What is stored, as `GET /cache` tells it. Every key is always there; what there is nothing to say of is `null` or empty.

use std::time::Duration;

use evergate_cache::{
    Entry, Freshness, Held, Holding, KeyParts, MAX_ENTRIES, Moment, Policy, Regime, Selection, StoredResponse, What,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::gateway::Gateway;
use crate::snapshot::{Addressee, RouteKind, Snapshot};
use crate::target::Target;

/// How many entries are told when nobody says how many.
const USUAL: usize = 100;

/// Which entries are wanted: those that everything that is said here fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    selections: Vec<Selection>,
    limit: usize,
}

/// Why it is not understood which are wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// A parameter that there is not.
    #[error("there is no parameter `{0}`; there are prefix, path, route, tag, upstream and limit")]
    Unknown(String),
    /// One that is said twice.
    #[error("`{0}` is said twice")]
    Twice(&'static str),
    /// A number that is none, or too large.
    #[error("`limit` is not a number from 1 to {MAX_ENTRIES}")]
    Limit,
    /// A path that is none.
    #[error("`{0}` does not begin with a slash")]
    Path(&'static str),
    /// A route that there is not.
    #[error("no route has the path `{0}`; `evergate routes` lists them")]
    Route(String),
}

impl Wanted {
    /// Reads names and values, which are decoded already: `prefix` and `path` in normal form, `route` as the configuration has it,
    /// `tag`, `upstream`, `limit`.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn read(parameters: &[(String, String)], snapshot: &Snapshot) -> Result<Wanted, WantedError> {
        let (mut prefix, mut path, mut route, mut tag, mut upstream, mut limit) = (None, None, None, None, None, None);
        for (name, value) in parameters {
            let (said, name) = match name.as_str() {
                "prefix" => (&mut prefix, "prefix"),
                "path" => (&mut path, "path"),
                "route" => (&mut route, "route"),
                "tag" => (&mut tag, "tag"),
                "upstream" => (&mut upstream, "upstream"),
                "limit" => (&mut limit, "limit"),
                unknown => return Err(WantedError::Unknown(unknown.to_owned())),
            };
            if said.replace(value.as_str()).is_some() {
                return Err(WantedError::Twice(name));
            }
        }
        for (name, said) in [("prefix", prefix), ("path", path)] {
            if said.is_some_and(|said| !said.starts_with('/')) {
                return Err(WantedError::Path(name));
            }
        }
        let limit = match limit.map(str::parse) {
            None => USUAL,
            Some(Ok(limit @ 1..=MAX_ENTRIES)) => limit,
            Some(Ok(_) | Err(_)) => return Err(WantedError::Limit),
        };
        let whole = |pattern: &str| match snapshot.routes.iter().find(|route| route.pattern == pattern) {
            Some(route) => Ok(What::Tag(route.tagger.whole_route().into())),
            None => Err(WantedError::Route(pattern.to_owned())),
        };
        let everything = upstream.is_some().then_some(What::Everything);
        let said = [
            prefix.map(|prefix| What::Prefix(prefix.into())),
            path.map(|path| What::Path(path.into())),
            route.map(whole).transpose()?,
            tag.map(|tag| What::Tag(tag.into())),
            everything,
        ];
        let selection = |what| Selection { what, upstream: upstream.map(Box::from) };
        Ok(Wanted { selections: said.into_iter().flatten().map(selection).collect(), limit })
    }
}

/// What is stored, as far as it was wanted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Inventory {
    /// How many entries fit.
    pub matched: usize,
    /// The most popular of them, most popular first.
    pub entries: Vec<EntryTold>,
}

/// What is stored under one key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EntryTold {
    /// The path, in normal form.
    pub path: String,
    /// The chosen query.
    pub query: Option<String>,
    /// The upstream.
    pub upstream: String,
    /// How visitors reach the gateway.
    pub scheme: String,
    /// The site, where there are several.
    pub host: Option<String>,
    /// `cache.generation`.
    pub generation: String,
    /// The chosen cookies.
    pub cookies: Option<String>,
    /// Which form of a page.
    pub form: Option<String>,
    /// By whose word it is kept.
    pub by: By,
    /// The pattern of its route; none where the configuration has no such route any more.
    pub route: Option<String>,
    /// How often visitors were answered with it, and with what was stored in its place before.
    pub hits: u64,
    /// What it takes in memory, in bytes.
    pub bytes: usize,
    /// Its variants, most recent first.
    pub variants: Vec<VariantTold>,
}

/// By whose word answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The route's.
    Window,
    /// The handler's.
    Origin,
}

impl From<Regime> for By {
    fn from(regime: Regime) -> By {
        match regime {
            Regime::Window => By::Window,
            Regime::Origin => By::Origin,
        }
    }
}

/// One variant of an entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VariantTold {
    /// The request fields that select it, with their values; languages and codings are in no form to be read.
    pub vary: Map<String, Value>,
    /// Its status.
    pub status: u16,
    /// What may be done with it.
    pub state: State,
    /// Its age in seconds.
    pub age: u64,
    /// How long it stays fresh, in seconds; negative when it is stale, none where that has no end or is not known.
    pub ttl: Option<i64>,
    /// Whether it was invalidated, and is served once more while it is revalidated.
    pub invalidated: bool,
    /// Whether only a part of it is there.
    pub part: bool,
    /// The length of its body.
    pub bytes: usize,
    /// How often visitors were answered with it.
    pub hits: u64,
    /// The tags with which it is forgotten.
    pub tags: Vec<String>,
}

/// What may be done with a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is fresh.
    Fresh,
    /// It is past its freshness lifetime, or was invalidated.
    Stale,
    /// It is not served any more.
    Expired,
    /// No route says how long it is good.
    Unknown,
}

/// What is stored, as far as it is wanted. It looks at everything, so not on a thread that serves.
pub fn inventory(gateway: &Gateway, wanted: &Wanted, now: Moment) -> Inventory {
    let found = gateway.cache.entries(&wanted.selections, wanted.limit, now);
    let snapshot = gateway.snapshot.load();
    let entries = found.entries.iter().filter_map(|entry| told(gateway, &snapshot, entry, now)).collect();
    Inventory { matched: found.matched, entries }
}

/// What is stored under a key.
pub fn entry(gateway: &Gateway, snapshot: &Snapshot, key: &[u8], now: Moment) -> Option<EntryTold> {
    told(gateway, snapshot, &gateway.cache.entry(key, now)?, now)
}

fn told(gateway: &Gateway, snapshot: &Snapshot, entry: &Entry, now: Moment) -> Option<EntryTold> {
    // Every key was written by the gateway.
    let KeyParts { regime, site, path, query, cookies, form } = KeyParts::read(entry.key.as_bytes())?;
    let target = Target::parse(path).ok();
    let addressee = target.as_ref().and_then(|target| snapshot.addressee_at(target.matched_path(), site.upstream));
    let route = addressee.as_ref().and_then(Addressee::route);
    let policy = route.and_then(|route| match &route.kind {
        RouteKind::Dynamic => None,
        RouteKind::Window(policy, _) | RouteKind::Origin(policy) => Some(policy),
    });
    let policy = policy.filter(|policy| policy.regime() == regime && site.generation == snapshot.generation);
    Some(EntryTold {
        path: path.to_owned(),
        query: query.map(str::to_owned),
        upstream: site.upstream.to_owned(),
        scheme: site.scheme.as_str().to_owned(),
        host: site.host.map(str::to_owned),
        generation: site.generation.to_owned(),
        cookies: cookies.map(text),
        form: form.map(text),
        by: regime.into(),
        route: policy.and(route).map(|route| route.pattern.clone()),
        hits: entry.hits,
        bytes: entry.size,
        variants: entry.stored.iter().map(|held| variant(gateway, held, policy, now)).collect(),
    })
}

fn variant(gateway: &Gateway, held: &Held, policy: Option<&Policy>, now: Moment) -> VariantTold {
    let response: &StoredResponse = held.response();
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let (state, ttl) = match policy.map(|policy| gateway.cache.freshness(response, policy, now)) {
        Some(Freshness::Fresh { ttl }) => (State::Fresh, ttl.map(seconds)),
        Some(Freshness::Stale { staleness }) => (State::Stale, Some(-seconds(staleness))),
        Some(Freshness::Expired) => (State::Expired, None),
        None => (State::Unknown, None),
    };
    let vary = held.variant.fields().map(|(name, value)| (name.as_str().to_owned(), value.map(text).into()));
    VariantTold {
        vary: vary.collect(),
        status: response.status().as_u16(),
        state,
        age: response.age(now).as_secs(),
        ttl,
        invalidated: held.invalidated,
        part: matches!(held.content, Holding::Part(_)),
        bytes: response.length(),
        hits: response.hits(),
        tags: response.tags().iter().map(str::to_owned).collect(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
