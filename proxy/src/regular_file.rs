//! Regular files: read with a limit. What else has a name in a folder may have no end (a device) or no beginning (a pipe to
//! which nobody writes).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A pipe, a device, a folder.
    #[error("not a regular file")]
    NotRegular,
    /// More than the limit.
    #[error("larger than {} MiB", limit >> 20)]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// What the system said.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(io) => io,
            ReadError::NotRegular => Self::new(io::ErrorKind::InvalidInput, error),
            ReadError::TooLarge { .. } => Self::new(io::ErrorKind::FileTooLarge, error),
        }
    }
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
///
/// See [`ReadError`].
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    // Asked before it is opened: opening a pipe waits for someone to write.
    if !fs::metadata(path)?.is_file() {
        return Err(ReadError::NotRegular);
    }
    let mut bytes = Vec::new();
    // One byte more tells a file that is too large from one that just fits.
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge { limit });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
