//! What the cache and the fills it handed out have in common.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::flight::Flights;
use crate::groups::Marks;
use crate::store::Store;

/// The pages, the fills in flight, the invalidations, and the limit of a body. The lock of a key among the fills also orders the changes of its
/// page, so whoever changes one holds the other's.
#[derive(Debug)]
pub(crate) struct Shared<F> {
    pub(crate) store: Store,
    pub(crate) flights: Flights<F>,
    /// The groups that were made invalid.
    pub(crate) marks: Arc<Marks>,
    /// Number of invalidations of keys and of groups.
    pub(crate) invalidations: AtomicU64,
    /// Longest body that is kept, in bytes.
    pub(crate) max_body: u64,
}
