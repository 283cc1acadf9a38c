//! How far the handler's own `Cache-Control` counts on a route with a window, and what becomes of an answer that is not kept.
//! Next.js has words for both: `fetchCache` and `dynamic = 'error'`.

use crate::stored::own_lifetime;
use crate::{DeclineReason, Moment, ResponseHead, forbidden};

/// How far the handler's own `Cache-Control` counts on a route with a window.
///
/// See <https://nextjs.org/docs/app/guides/caching-without-cache-components#fetchcache>; the gateway's fetch is the one to the
/// handler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Heed {
    /// It may forbid: `no-store`, `no-cache`, `private` (`auto`).
    #[default]
    Prohibitions,
    /// Only `no-store` forbids (`default-cache`, `only-cache`).
    NoStore,
    /// It does not count (`force-cache`).
    Nothing,
    /// It may forbid, and what does not say how long it is good is not kept either (`default-no-store`).
    Explicit,
}

/// What becomes of an answer that is not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unkept {
    /// It is declined, and those who waited ask themselves.
    #[default]
    Declined,
    /// Where it says `no-store` it is an error; otherwise it is declined (`only-cache`).
    ErrorForNoStore,
    /// It is an error, whatever the reason (`dynamic: error`).
    Error,
}

impl Unkept {
    /// Whether an answer that is not kept for `reason` is an error.
    pub fn refuses(self, reason: DeclineReason) -> bool {
        match self {
            Unkept::Declined => false,
            Unkept::ErrorForNoStore => reason == DeclineReason::NoStore,
            Unkept::Error => true,
        }
    }
}

/// Whether an answer that came at `received` asks caches to keep it: it says that it is good for some time, and forbids nothing.
pub fn asks_to_be_kept(head: &ResponseHead, received: Moment) -> bool {
    let lifetime = own_lifetime(head, received).unwrap_or_default();
    !lifetime.is_zero() && forbidden(head, Heed::Prohibitions).is_none()
}
