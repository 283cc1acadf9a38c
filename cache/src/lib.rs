//! What may be kept, for how long, and for whom.
//!
//! This crate is the knowledge of the Evergate gateway. It owns cache keys ([`CacheKey`]) and variants ([`Variance`],
//! [`Variant`]), directives of responses ([`CacheControl`]) and of requests ([`Demands`]), the two policies by which responses
//! are kept ([`Policy`]: the operator's [`Windows`], or the handler's word by [`OriginRules`]), stored responses
//! ([`StoredResponse`]) with their content codings ([`Coding`]), bodies that are still growing ([`GrowingBody`]), the moka store and
//! the rule that at most one fill lives per key and variant.
//!
//! What is stored carries labels: its upstream, its path, its tags ([`Tags`]) and its groups ([`Groups`]). [`Cache::forget`] marks
//! the labels of what is selected ([`Selection`], [`Forgetting`]); [`Cache::sweep`] removes what is gone; [`Cache::entries`] lists
//! what is there.
//!
//! It refuses to know sockets, the clock (every rule takes a [`Moment`]), the proxy framework, configuration files and
//! metrics.
//!
//! Begin with [`Cache::lookup`] and its five answers, [`Lookup`].

mod body;
mod cache;
mod coding;
mod conditional;
mod date;
mod demands;
mod directives;
mod fill;
mod flight;
mod freshness;
mod generations;
mod groups;
mod heed;
mod key;
mod label;
mod list;
mod memory;
mod moment;
mod origin;
mod page;
mod partial;
mod policy;
mod prefixes;
mod range;
mod record;
mod registry;
mod representation;
mod response;
mod selection;
mod shared;
mod standing;
mod store;
mod stored;
mod tags;
mod tally;
mod targeted;
mod variance;
mod word;

pub use body::{BodyReader, Cut, GrowingBody, Room};
pub use cache::{
    Asked, Cache, Entries, Entry, Glance, Held, Holding, Hot, LabelFigures, Lookup, MAX_ENTRIES, Missing, PartTerms,
    Refresh, Unswept,
};
pub use coding::{Coding, may_be_coded, preferred};
pub use conditional::not_modified;
pub use demands::Demands;
pub use directives::{CacheControl, Restriction};
pub use fill::{Alone, Fill, Filling, Pushed, Tagging, Terms};
pub use flight::{Audience, Awaited, MAX_WAITERS, Streaming, Waiter, Watch};
pub use freshness::{Freshness, StaleReason, Window, Windows, backoff};
pub use generations::MAX_MARKS_IN_FLIGHT;
pub use groups::{CACHE_GROUP_INVALIDATION, CACHE_GROUPS, Groups, MAX_GROUP_NAME, MAX_GROUPS};
pub use heed::{Heed, Unkept, asks_to_be_kept};
pub use key::{CacheKey, KeyParts, Regime, Scheme, Site};
pub use moment::Moment;
pub use origin::{Heuristic, OriginRules, OriginVerdict, Sharing, Storing, Update};
pub use page::{HIT_FOR_MISS_LIFE, MAX_VARIANTS};
pub use partial::{Extent, Partial};
pub use policy::{DeclineReason, FailureKind, Policy, Use, Verdict, forbidden, is_failure, judge};
pub use range::{MAX_PARTS, Part, Requested, content_range, content_range_unsatisfied, multipart, requested};
pub use representation::Representation;
pub use response::{Fields, ResponseHead};
pub use selection::{Count, Forgetting, Selection, What};
pub use store::{EvictionCause, StoreFigures};
pub use stored::{Arrival, Dating, Making, Recoding, SOON, StoredResponse, X_NEXTJS_CACHE, lifetime_told};
pub use tags::{MAX_TAG_LENGTH, MAX_TAGS, Tags};
pub use targeted::{CDN_CACHE_CONTROL, EVERGATE_CACHE_CONTROL, SURROGATE_CAPABILITY, SURROGATE_CONTROL};
pub use variance::{MAX_RANGES, MAX_VARY_FIELDS, Spelling, Variance, Variant, list_value};
pub use word::{age_value, corrected_initial_age};
