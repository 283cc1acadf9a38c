//! The bytes of a key, while a request is served.

use std::cell::Cell;
use std::ops::Deref;

use evergate_cache::KeyParts;

/// The bytes of a key ([`KeyParts::write`]). The requests of a thread leave their room to each other, so that a hit allocates none.
#[derive(Debug)]
pub(super) struct KeyBytes(Vec<u8>);

/// Most room that is left to others, in bytes; ordinary keys are far shorter.
const MOST_LEFT: usize = 4 * 1024;

thread_local! {
    static LEFT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl KeyBytes {
    /// The bytes that these parts come to.
    pub(super) fn of(parts: &KeyParts<'_>) -> KeyBytes {
        // While a thread ends there is none.
        let mut bytes = LEFT.try_with(Cell::take).unwrap_or_default();
        bytes.clear();
        parts.write(&mut bytes);
        KeyBytes(bytes)
    }
}

impl Deref for KeyBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for KeyBytes {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.0);
        if bytes.capacity() <= MOST_LEFT {
            // While a thread ends nobody comes after.
            let _ = LEFT.try_with(|left| left.set(bytes));
        }
    }
}
