//! What the cache and the fills it handed out have in common.

use crate::flight::Flights;
use crate::store::Store;

/// The pages, the fills in flight, and the limit of a body. The lock of a key among the fills also orders the changes of its
/// page, so whoever changes one holds the other's.
#[derive(Debug)]
pub(crate) struct Shared<F> {
    pub(crate) store: Store,
    pub(crate) flights: Flights<F>,
    /// Longest body that is kept, in bytes.
    pub(crate) max_body: u64,
}
