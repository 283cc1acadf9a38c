//! The body of a handler's answer, taken out of what was read (RFC 9112 sections 6 and 7.1).

use bytes::{Buf, Bytes, BytesMut};
use httparse::{Status, parse_chunk_size};

use super::answer::Extent;
use crate::failure::Failure;

/// Longest chunk-size line with its extensions, and longest trailer section, in bytes.
const MAX_LINE: usize = 4096;
const MAX_TRAILERS: usize = 16 * 1024;

/// What is left of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing: it is whole.
    Ended,
    /// This many bytes.
    Length(u64),
    /// Everything up to the end of the connection.
    UntilClose,
    /// Chunks.
    Chunked(Chunks),
}

/// Where in a chunked body its reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    /// Before a chunk-size line.
    Size,
    /// In the data of a chunk, with this many bytes left.
    Data(u64),
    /// After the data of a chunk.
    DataEnd,
    /// In the trailer section, after so many bytes of it.
    Trailers(usize),
}

/// What was found at the beginning of what was read.
enum Step {
    Data(Bytes),
    /// Nothing of the body, but something that was read.
    Onward,
    /// Not enough to tell.
    Short,
}

impl Body {
    /// A body of which nothing was taken.
    pub(super) fn new(extent: Extent) -> Body {
        match extent {
            Extent::None | Extent::Length(0) => Body::Ended,
            Extent::Length(length) => Body::Length(length),
            Extent::Chunked => Body::Chunked(Chunks::Size),
            Extent::UntilClose => Body::UntilClose,
        }
    }

    /// Takes what there is of the body off the beginning of what was read; nothing when that is too little to tell. Chunks that came
    /// together are taken together.
    ///
    /// # Errors
    ///
    /// [`Failure::Malformed`] when the next bytes cannot be part of the body. What came before them is taken first.
    pub(super) fn take(&mut self, read: &mut BytesMut) -> Result<Bytes, Failure> {
        let mut taken = Bytes::new();
        let mut joined = BytesMut::new();
        loop {
            match self.step(read) {
                Ok(Step::Onward) => {}
                Ok(Step::Data(data)) if taken.is_empty() => taken = data,
                Ok(Step::Data(data)) => {
                    if joined.is_empty() {
                        joined.reserve(taken.len() + read.len());
                        joined.extend_from_slice(&taken);
                    }
                    joined.extend_from_slice(&data);
                }
                Err(failure) if taken.is_empty() => return Err(failure),
                Ok(Step::Short) | Err(_) => break,
            }
        }
        Ok(if joined.is_empty() { taken } else { joined.freeze() })
    }

    /// The handler has closed the connection, and all that was read is taken.
    ///
    /// # Errors
    ///
    /// [`Failure::Reset`] unless that is the end of the body.
    pub(super) fn close(&mut self) -> Result<(), Failure> {
        match self {
            Body::Ended | Body::UntilClose => {
                *self = Body::Ended;
                Ok(())
            }
            Body::Length(_) | Body::Chunked(_) => Err(Failure::Reset),
        }
    }

    fn step(&mut self, read: &mut BytesMut) -> Result<Step, Failure> {
        match *self {
            Body::Ended => Ok(Step::Short),
            Body::UntilClose if read.is_empty() => Ok(Step::Short),
            Body::UntilClose => Ok(Step::Data(read.split().freeze())),
            Body::Length(left) => {
                let data = split(read, left);
                let left = left - data.len() as u64;
                *self = if left == 0 { Body::Ended } else { Body::Length(left) };
                Ok(if data.is_empty() { Step::Short } else { Step::Data(data) })
            }
            Body::Chunked(chunks) => self.chunk(chunks, read),
        }
    }

    fn chunk(&mut self, chunks: Chunks, read: &mut BytesMut) -> Result<Step, Failure> {
        match chunks {
            // To the parser a line without a size is the end of the body.
            Chunks::Size if read.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) => Err(Failure::Malformed),
            Chunks::Size => match parse_chunk_size(read).map_err(|_| Failure::Malformed)? {
                Status::Partial if read.len() > MAX_LINE => Err(Failure::Malformed),
                Status::Partial => Ok(Step::Short),
                Status::Complete((line, size)) => {
                    read.advance(line);
                    *self = Body::Chunked(if size == 0 { Chunks::Trailers(0) } else { Chunks::Data(size) });
                    Ok(Step::Onward)
                }
            },
            Chunks::Data(left) => {
                let data = split(read, left);
                let left = left - data.len() as u64;
                *self = Body::Chunked(if left == 0 { Chunks::DataEnd } else { Chunks::Data(left) });
                Ok(if data.is_empty() { Step::Short } else { Step::Data(data) })
            }
            Chunks::DataEnd if read.len() >= 2 && !read.starts_with(b"\r\n") => Err(Failure::Malformed),
            Chunks::DataEnd if read.len() < 2 => Ok(Step::Short),
            Chunks::DataEnd => {
                read.advance(2);
                *self = Body::Chunked(Chunks::Size);
                Ok(Step::Onward)
            }
            Chunks::Trailers(before) => self.trailer(before, read),
        }
    }

    /// A line of the trailer section, which ends here: nobody was promised a trailer.
    fn trailer(&mut self, before: usize, read: &mut BytesMut) -> Result<Step, Failure> {
        let end = read.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(read.len(), |end| end + 1);
        if before + length > MAX_TRAILERS {
            return Err(Failure::Malformed);
        }
        let Some(end) = end else { return Ok(Step::Short) };
        // What is wrong stays there, because it may be asked about again.
        *self = match read[..=end].strip_suffix(b"\r\n") {
            None => return Err(Failure::Malformed),
            Some(text) if text.contains(&b'\r') => return Err(Failure::Malformed),
            Some([]) => Body::Ended,
            Some(_) => Body::Chunked(Chunks::Trailers(before + length)),
        };
        read.advance(length);
        Ok(Step::Onward)
    }
}

/// Splits off at most `most` bytes.
fn split(read: &mut BytesMut, most: u64) -> Bytes {
    let length = usize::try_from(most).unwrap_or(usize::MAX).min(read.len());
    read.split_to(length).freeze()
}

#[cfg(test)]
mod tests;
