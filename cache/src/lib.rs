//! What may be kept, for how long, and for whom.
//!
//! This crate is the knowledge of the Evergate gateway. It owns cache keys and variants ([`CacheKey`], [`Variant`]),
//! directives ([`CacheControl`]), freshness ([`Windows`], [`Freshness`]), storability ([`judge`]), stored responses
//! ([`StoredResponse`]), bodies that are still growing ([`GrowingBody`]), the moka store and the rule that at most one fill
//! lives per key and variant.
//!
//! It refuses to know sockets, the clock (every rule takes a [`Moment`]), the proxy framework, configuration files and
//! metrics.
//!
//! Begin with [`Cache::lookup`] and its five answers, [`Lookup`].

mod body;
mod cache;
mod conditional;
mod directives;
mod fill;
mod flight;
mod freshness;
mod key;
mod moment;
mod page;
mod policy;
mod response;
mod shared;
mod store;
mod stored;

pub use body::{BodyReader, Cut, GrowingBody, Room};
pub use cache::{Cache, Lookup, Missing};
pub use conditional::not_modified;
pub use directives::CacheControl;
pub use fill::{Fill, Filling, Pushed};
pub use flight::{Awaited, MAX_WAITERS, Streaming, Waiter};
pub use freshness::{Freshness, StaleReason, Window, Windows, backoff};
pub use key::{CacheKey, KeyParts, Scheme, Variant, list_value};
pub use moment::Moment;
pub use page::{HIT_FOR_MISS_LIFE, MAX_VARIANTS};
pub use policy::{DeclineReason, Verdict, forbidden, judge};
pub use response::{Fields, ResponseHead};
pub use store::{EvictionCause, StoreFigures};
pub use stored::StoredResponse;
