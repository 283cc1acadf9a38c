//! Rules: the "proxy file". What the operator wants of requests by their path, fields, query and host: redirects, answers,
//! rewrites, and header fields that are changed on the way.
//!
//! This module owns patterns (`pattern`, by `syntax`, `dialect`, `engine` and `plain`, within an `effort`), conditions
//! (`condition`), which together are matchers (`matcher`), found by the paths that they may be about (`index`); what they capture (`captured`) and where that is
//! put in (`destination`, `template`, `fields`). It refuses to know the file that rules are written in, routes, the cache and
//! sockets: a request's head comes in, and what the rules make of it goes out. Begin with [`Rules::judge`].

mod captured;
mod condition;
mod cors;
mod destination;
mod dialect;
mod effort;
mod engine;
mod fields;
mod index;
mod judge;
mod matcher;
mod path_form;
mod pattern;
mod plain;
mod ruled;
mod syntax;
mod template;
#[cfg(test)]
mod tests;
mod witness;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::config::UpstreamId;
use captured::Captured;
use index::Index;

pub use condition::{Condition, Subject, What};
pub use cors::{Allowed, Cors, Credentials, Mode, OriginError, OriginPattern, PrivateNetwork, Sender, is_preflight};
pub use destination::{Destination, Reach, Unbuildable};
pub use engine::{Case, Undecided};
pub use fields::{Changes, Direction, FieldLines, FieldRules, Sum, Verb, may};
pub use matcher::{Alternative, Matcher, Names};
pub use pattern::{LONGEST_PATTERN, PathPattern};
pub use ruled::{Ruled, alikes};
pub use syntax::PatternError;
pub use template::Template;
pub use witness::{Act, Idle, Step};

/// Most rewrites of one request.
pub const MOST_REWRITES: usize = 8;

/// One entry of the section `proxy`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// Which requests it is about.
    pub matcher: Matcher,
    /// What becomes of them.
    pub action: Action,
    /// Which pages of other origins may read the answer.
    pub cors: Option<Arc<Cors>>,
    /// What changes of the request's fields.
    pub request: FieldRules,
    /// What changes of the answer's fields.
    pub response: FieldRules,
}

/// What becomes of a request that a rule is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Action {
    /// It goes on.
    #[default]
    GoOn,
    /// It is told to ask elsewhere.
    Redirect(Destination, StatusCode),
    /// It goes on, to another target or another upstream.
    Rewrite(Rewrite),
    /// It is answered.
    Respond(Answer),
}

/// Where a request goes on. One of the two at least is said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rewrite {
    /// Under which target; none for the one that it has.
    pub to: Option<Destination>,
    /// To which upstream; none for the route's.
    pub upstream: Option<UpstreamId>,
}

/// An answer that the operator has written.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub fields: Vec<(Template, Template)>,
    /// Its body.
    pub body: Bytes,
}

/// The rules of a configuration, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    list: Arc<[Rule]>,
    index: Arc<Index>,
    /// What those that are about everything change of answers: also of those to requests that could not be read.
    everywhere: Changes,
    /// What they say about pages of other origins.
    cors_everywhere: Option<Arc<Cors>>,
}

/// What the rules make of one request.
#[derive(Debug, Default)]
pub struct Judgement {
    /// Its target, where a rule has rewritten it, in normal form.
    pub target: Option<String>,
    /// Who answers, where a rewrite says it.
    pub upstream: Option<UpstreamId>,
    /// Which pages of other origins may read its answer, where a rule says it: the last that fits.
    pub cors: Option<Arc<Cors>>,
    /// What changes of its fields.
    pub request: Changes,
    /// What changes of its answer's fields.
    pub response: Changes,
    /// Its answer, when the rules end it.
    pub end: Option<End>,
}

/// How rules end a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It is told to ask elsewhere.
    Redirect(StatusCode, HeaderValue),
    /// It is answered.
    Respond(StatusCode, Vec<(HeaderName, HeaderValue)>, Bytes),
    /// It cannot be answered by the rules.
    Failed(Failed),
}

/// Why the rules cannot say what becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// A pattern did not come to an end in time.
    #[error(transparent)]
    Undecided(#[from] Undecided),
    /// A target cannot be made of the request.
    #[error(transparent)]
    Unbuildable(#[from] Unbuildable),
    /// More than [`MOST_REWRITES`] rewrites follow each other.
    #[error("more than {MOST_REWRITES} rewrites follow each other")]
    Endless,
}

/// How far the rules may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// All the way.
    Full,
    /// Only the answer's fields are theirs: it is known already that the gateway answers, because the host is not served or
    /// the page has another name.
    AnswersFields,
}

impl Rules {
    /// Rules in this order.
    pub fn new(list: Vec<Rule>) -> Rules {
        let (mut everywhere, mut cors_everywhere) = (Changes::default(), None);
        for rule in list.iter().filter(|rule| rule.matcher.fits_everything()) {
            rule.response.resolve(&Captured::default(), Direction::Response, &mut everywhere);
            cors_everywhere = rule.cors.clone().or(cors_everywhere);
        }
        if cors_everywhere.is_some() {
            everywhere.vary(Cors::READ.to_vec());
        }
        Rules { index: Arc::new(Index::new(&list)), list: list.into(), everywhere, cors_everywhere }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What changes of the answers to requests of which not even the target could be read.
    pub fn everywhere(&self) -> &Changes {
        &self.everywhere
    }

    /// What is made of requests of which not even the target could be read.
    pub fn unjudged(&self) -> Judgement {
        Judgement { response: self.everywhere.clone(), cors: self.cors_everywhere.clone(), ..Judgement::default() }
    }

    /// The upstreams that rewrites name.
    pub fn upstreams(&self) -> impl Iterator<Item = UpstreamId> {
        self.list.iter().filter_map(|rule| match &rule.action {
            Action::Rewrite(rewrite) => rewrite.upstream,
            Action::GoOn | Action::Redirect(..) | Action::Respond(_) => None,
        })
    }
}

impl Rule {
    /// Whether it does something to answers.
    fn changes_answers(&self) -> bool {
        self.cors.is_some() || !self.response.is_empty()
    }

    /// Whether it does something to requests.
    fn changes_requests(&self) -> bool {
        self.action != Action::GoOn || !self.request.is_empty()
    }
}

impl Answer {
    fn render(&self, captured: &Captured) -> End {
        let line = |(name, value): &(Template, Template)| fields::rendered(name, value, captured, Direction::Response);
        End::Respond(self.status, self.fields.iter().filter_map(line).collect(), self.body.clone())
    }
}
