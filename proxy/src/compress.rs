//! Codes stored bodies: once for each stored response, off the path of any request.
//!
//! A stored body is coded once and sent often, but a core that codes is a core that does not serve; so the levels are
//! those after which time grows faster than bytes shrink.

use std::io::{self, Write};
use std::sync::Arc;

use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use evergate_cache::{Coding, StoredResponse};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::gateway::Gateway;

/// Codes a stored response behind its visitors' backs, unless that was begun already. Where every turn is taken, the next who
/// asks for this coding tries again.
pub fn begin(gateway: &Arc<Gateway>, key: &[u8], response: &Arc<StoredResponse>, coding: Coding) {
    // Looked at first: most who ask come after it was tried.
    if response.is_claimed(coding) {
        return;
    }
    let Ok(turn) = Arc::clone(&gateway.coders).try_acquire_owned() else { return };
    if !response.claim(coding) {
        return;
    }
    let (gateway, key, response) = (Arc::clone(gateway), key.to_vec(), Arc::clone(response));
    // On a thread of its own, where a panic of an encoder ends nothing else: the response just stays without this coding.
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        match encode(coding, response.body_bytes()) {
            Ok(coded) if coded.len() < response.length() => {
                gateway.cache.keep_coding(&key, &response, coding, &Bytes::from(coded));
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, coding = coding.as_str(), "a stored body could not be coded"),
        }
    });
}

/// The body in this coding, the same bytes each time.
///
/// It may be longer than the body was; whoever asks drops what did not shrink. It takes up no more memory than it has
/// bytes, for it is going to be kept. RFC 9110 section 8.4.1 names the codings.
pub fn encode(coding: Coding, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut coded = match coding {
        // A single frame that tells the size of its content (RFC 8878 section 3.1.1).
        Coding::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL)?,
        Coding::Br => brotli(body)?,
        Coding::Gzip => gzip(body)?,
    };
    coded.shrink_to_fit();
    Ok(coded)
}

fn brotli(body: &[u8]) -> io::Result<Vec<u8>> {
    let params = BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: BROTLI_WINDOW,
        // A body that is known to be long gets larger tables, and shrinks further for it.
        size_hint: body.len(),
        ..BrotliEncoderParams::default()
    };
    let mut coded = Vec::new();
    brotli::BrotliCompress(&mut &*body, &mut coded, &params)?;
    Ok(coded)
}

/// A single member whose header tells neither time nor name (RFC 1952 section 2.3.1), so that equal bodies have equal
/// codings.
fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
    encoder.write_all(body)?;
    encoder.finish()
}

/// From this level on even short pages are about as small as by gzip. Its window of 2 MiB is well below the 8 MB that
/// visitors support at least (RFC 9659 section 3).
const ZSTD_LEVEL: i32 = 6;

/// The next quality takes a quarter more time to save a thirtieth of the bytes.
const BROTLI_QUALITY: i32 = 5;

/// The logarithm of the window: 4 MiB, within the 16 MiB that every decoder supports (RFC 7932 section 9.1).
const BROTLI_WINDOW: i32 = 22;

/// Where zlib itself draws the line: above it, half as much time again saves a hundredth of the bytes.
const GZIP_LEVEL: u32 = 6;

#[cfg(test)]
mod tests;
