//! The `evergate` command.

use std::process::ExitCode;

/// Fills and hits allocate from many threads at once, which this allocator is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    evergate::cli::main()
}
