//! What pieces of memory take, so that what is charged for a response is what it costs.

/// What the allocator sets aside for a piece of so many bytes. Those of our day have four sizes from one power of two to the next,
/// and sixteen bytes between the smallest: mimalloc, which the gateway runs on, and jemalloc do.
pub(crate) fn allocated(bytes: usize) -> usize {
    const LEAST: usize = 16;
    const EVEN: usize = 128;
    let step = if bytes <= EVEN { LEAST } else { bytes.next_power_of_two() / 8 };
    bytes.next_multiple_of(step)
}

/// The same for what several share: two counts stand before it.
pub(crate) fn shared(bytes: usize) -> usize {
    allocated(bytes + 2 * size_of::<usize>())
}

#[cfg(test)]
mod tests;
