//! What pieces of memory take, so that what is charged for a response is what it costs.

/// What a piece of so many bytes takes. Allocators of our day have four sizes from one power of two to the next, and sixteen bytes
/// between the smallest: mimalloc, which the gateway runs on, and jemalloc do.
///
/// Pieces from a kilobyte up lie few to a stretch of the allocator's memory, and when some go, what is free between the others waits for pieces
/// of that very size. Under churn (`make bench-memory`, two threads) the resident set was 1.08 times the sizes where pieces
/// were below 16 KiB, 1.12 times below 64 KiB, and 1.28 times beyond; over ten minutes of all sizes a little more was lost than that, and
/// is charged for here.
pub(crate) fn allocated(bytes: usize) -> usize {
    const LEAST: usize = 16;
    const EVEN: usize = 128;
    let step = if bytes <= EVEN { LEAST } else { bytes.next_power_of_two() / 8 };
    let size = bytes.next_multiple_of(step);
    let lost = match bytes / 1024 {
        0 => 0,
        1..16 => size * 3 / 32,
        16..64 => size * 5 / 32,
        _ => size / 4,
    };
    size + lost
}

/// The same for what several share: two counts stand before it, or a count and a length.
pub(crate) fn shared(bytes: usize) -> usize {
    allocated(bytes + 2 * size_of::<usize>())
}

/// The same for what several share with one count before it.
pub(crate) fn counted(bytes: usize) -> usize {
    allocated(bytes + size_of::<usize>())
}

#[cfg(test)]
mod tests;
