//! What would become of a request, as `/explain` writes it and `evergate explain` reads it. Every key is always there; what
//! there is nothing to say of is `null` or empty.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::inventory::{By, EntryTold};

/// What would become of a request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Explanation {
    /// The method.
    pub method: String,
    /// The target that was asked for, as it was written.
    pub sent: String,
    /// The same in normal form, in which rules, routes and the key know it; as it was written where it has none.
    pub asked: String,
    /// The host that is asked for, without its port.
    pub host: Option<String>,
    /// The rules that are about it, in the order of the file.
    pub rules: Vec<RuleTold>,
    /// What is said of pages of other origins.
    pub cors: Option<CorsTold>,
    /// The target after the rules.
    pub target: Option<String>,
    /// The pattern of its route.
    pub route: Option<String>,
    /// What the pattern's parameters stand for.
    pub params: Option<Map<String, Value>>,
    /// How long what the route answers is kept, as in the configuration: seconds, `false`, `0`, `"origin"`.
    pub revalidate: Value,
    /// By whose word answers are kept.
    pub by: Option<By>,
    /// Who answers.
    pub upstream: Option<UpstreamTold>,
    /// Under which key.
    pub key: Option<KeyTold>,
    /// What is stored there for this request.
    pub stored: Option<StoredTold>,
    /// Everything that is stored under the key.
    pub entry: Option<EntryTold>,
    /// What becomes of it.
    pub decision: Decision,
    /// Why it passes.
    pub reason: Option<String>,
    /// The status, where the gateway answers by itself.
    pub status: Option<u16>,
    /// Where that answer leads.
    pub location: Option<String>,
    /// What that answer says.
    pub detail: Option<String>,
    /// `Cache-Status`, as far as it is known before anybody is asked.
    pub cache_status: String,
    /// `x-cache`; not there on what the gateway answers by itself.
    pub x_cache: Option<String>,
    /// What rules change of the request's fields, all in all.
    pub request_headers: RequestFieldsTold,
    /// What rules change of the answer's fields, all in all.
    pub response_headers: ResponseFieldsTold,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The gateway answers it by itself.
    #[default]
    Answer,
    /// It goes through without the cache.
    Pass,
    /// It is answered from the cache, or its answer is fetched for the cache.
    Cached,
}

/// What a rule did. The keys are those of the configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleTold {
    /// Its place in the file: `proxy[3]`.
    pub rule: String,
    /// Its matcher; none for every path.
    pub matcher: Option<String>,
    /// What it captured.
    pub captured: Map<String, Value>,
    /// Where it sends the visitor.
    pub redirect: Option<RedirectTold>,
    /// What it made of the target.
    pub rewrite: Option<RewriteTold>,
    /// What it answered.
    pub respond: Option<RespondTold>,
    /// What it changes of the request's fields.
    pub request_headers: FieldsTold,
    /// What it changes of the answer's fields.
    pub response_headers: FieldsTold,
    /// Whether it says something of pages of other origins; `cors` of the whole tells whose word counts.
    pub cors: bool,
    /// What of it does not count.
    pub idle: Option<IdleTold>,
    /// Why no more can be said of the request.
    pub failed: Option<String>,
}

/// A redirect by a rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RedirectTold {
    /// The status.
    pub status: u16,
    /// `Location`.
    pub to: String,
}

/// A rewrite by a rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RewriteTold {
    /// The target before.
    pub from: String,
    /// The target after.
    pub to: String,
    /// Who answers, where it says so.
    pub upstream: Option<String>,
}

/// What is said of pages of other origins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CorsTold {
    /// Whose word counts: `proxy[2]`, `route`.
    pub from: String,
    /// Its `mode`.
    pub mode: String,
    /// Where the request comes from.
    pub origin: OriginTold,
    /// Whether the gateway answers it as a preflight.
    pub preflight: bool,
    /// The lines that are said with the answer.
    pub says: Vec<String>,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginTold {
    /// It says no `Origin`.
    None,
    /// A page of the host that it asks.
    Own,
    /// A page of another origin, which is allowed.
    Allowed,
    /// A page of another origin, which is not.
    Foreign,
}

/// An answer by a rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RespondTold {
    /// The status.
    pub status: u16,
}

/// What of a rule does not count.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdleTold {
    /// Its keys.
    pub keys: Vec<String>,
    /// Why.
    pub because: String,
}

/// What becomes of fields, each as a line: `name: value`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FieldsTold {
    /// Lines that take the place of those of their name.
    pub set: Vec<String>,
    /// Lines that are added.
    pub append: Vec<String>,
    /// Names that are taken away.
    pub remove: Vec<String>,
}

/// What rules change of the request's fields, all in all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestFieldsTold {
    /// What is done to them.
    #[serde(flatten)]
    pub fields: FieldsTold,
    /// Names of which the handler sees nothing all the same.
    pub withheld: Vec<String>,
}

/// What rules change of the answer's fields, all in all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseFieldsTold {
    /// What is done to them.
    #[serde(flatten)]
    pub fields: FieldsTold,
    /// Names that are told in `Vary`.
    pub vary: Vec<String>,
}

/// An upstream and its servers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UpstreamTold {
    /// Its name.
    pub name: String,
    /// What runs there.
    pub runtime: Option<String>,
    /// The servers that are asked first.
    pub servers: Vec<ServerTold>,
    /// Those that are asked when they fail.
    pub then: Vec<ServerTold>,
}

/// A server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerTold {
    /// Its address.
    pub address: String,
    /// Where it is.
    pub region: Option<String>,
}

/// The parts of a key, and what selects among its variants.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyTold {
    /// `cache.generation`.
    pub generation: String,
    /// The upstream.
    pub upstream: String,
    /// How visitors reach the gateway.
    pub scheme: String,
    /// The site, where there are several.
    pub host: Option<String>,
    /// The path.
    pub path: String,
    /// The chosen query.
    pub query: Option<String>,
    /// The chosen cookies.
    pub cookies: Option<String>,
    /// Which form of a page.
    pub form: Option<Map<String, Value>>,
    /// The fields that select a variant, with their values.
    pub vary: Map<String, Value>,
}

/// A stored response.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredTold {
    /// Its status.
    pub status: u16,
    /// Whether it is fresh.
    pub fresh: bool,
    /// Its age in seconds.
    pub age: u64,
    /// How long it stays fresh, in seconds; none where that has no end.
    pub ttl: Option<u64>,
    /// How long it has been stale, in seconds.
    pub staleness: Option<u64>,
    /// The length of its body.
    pub bytes: usize,
    /// How often visitors were answered with it, and with what was stored in its place before.
    pub hits: u64,
    /// Whether it was invalidated.
    pub invalidated: bool,
    /// The tags with which it is forgotten.
    pub tags: Vec<String>,
}
