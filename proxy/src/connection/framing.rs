//! Where a request's message ends, byte by byte: so that the pass-through gets one message and nothing of the next.

use super::head::BodyFraming;

/// Longest chunk-size line with its extensions, and longest trailer section, in bytes.
const MAX_LINE: usize = 4096;
const MAX_TRAILERS: usize = 16 * 1024;

/// Follows a message of a known head through its body. Chunked bodies are read by the letter of RFC 9112 section 7.1: what a
/// handler might read differently is an error.
#[derive(Clone, Debug)]
pub struct Message {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// This many bytes are left, and then `Then`.
    Counted(u64, Then),
    /// In a chunk-size line: the size so far, how many digits, bytes of the line.
    Size {
        size: u64,
        digits: u8,
        line: usize,
    },
    /// In the extensions of a chunk-size line.
    Extension {
        size: u64,
        line: usize,
    },
    /// The CR of a chunk-size line was read.
    SizeEnd {
        size: u64,
    },
    /// After the data of a chunk: CR, then LF.
    DataEnd,
    DataEndLf,
    /// In the trailer section: bytes so far, bytes of the current line, whether its CR was read, whether its colon was.
    Trailer {
        all: usize,
        line: usize,
        cr: bool,
        colon: bool,
    },
    /// The message is over.
    Done,
    /// The next byte cannot be part of it.
    Broken,
}

/// What comes after counted bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    Length(u64),
    Chunks,
    ChunkEnd,
}

/// The body is not what its head announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunked body is malformed")]
pub struct Malformed;

impl Message {
    /// A message whose head takes `head` bytes.
    pub fn new(head: usize, framing: BodyFraming) -> Message {
        let then = match framing {
            BodyFraming::None => Then::Nothing,
            BodyFraming::Length(length) => Then::Length(length),
            BodyFraming::Chunked => Then::Chunks,
        };
        Message { state: after(head as u64, then) }
    }

    /// Whether all of the message has been seen.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// How many of the next `bytes` belong to the message, up to its end or to a byte that cannot be part of it.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when that is the first of them.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < bytes.len() && !self.is_done() {
            if let State::Counted(left, then) = self.state {
                let step = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += step;
                self.state = after(left - step as u64, then);
            } else {
                match self.state.step(bytes[at]) {
                    Ok(state) => self.state = state,
                    // What came before it is good, and handed out first.
                    Err(Malformed) if at > 0 => {
                        self.state = State::Broken;
                        return Ok(at);
                    }
                    Err(Malformed) => return Err(Malformed),
                }
                at += 1;
            }
        }
        Ok(at)
    }
}

/// The state with `left` bytes to count before `then`.
fn after(left: u64, then: Then) -> State {
    match (left, then) {
        (0, Then::Nothing) => State::Done,
        (0, Then::Length(length)) => after(length, Then::Nothing),
        (0, Then::Chunks) => State::Size { size: 0, digits: 0, line: 0 },
        (0, Then::ChunkEnd) => State::DataEnd,
        (left, then) => State::Counted(left, then),
    }
}

impl State {
    /// One byte of a chunked body outside the data.
    fn step(self, byte: u8) -> Result<State, Malformed> {
        match (self, byte) {
            (State::Size { size, digits, line }, byte) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
                // Sixteen digits fill 64 bits; more are an attempt at overflow.
                if digits == 16 || line > MAX_LINE {
                    return Err(Malformed);
                }
                Ok(State::Size { size: size << 4 | u64::from(digit), digits: digits + 1, line: line + 1 })
            }
            (State::Size { digits: 0, .. }, _) => Err(Malformed),
            (State::Size { size, .. } | State::Extension { size, .. }, b'\r') => Ok(State::SizeEnd { size }),
            (State::Size { size, line, .. }, b';') => Ok(State::Extension { size, line: line + 1 }),
            (State::Extension { size, line }, byte)
                if line < MAX_LINE && (byte == b'\t' || !byte.is_ascii_control()) =>
            {
                Ok(State::Extension { size, line: line + 1 })
            }
            (State::SizeEnd { size: 0 }, b'\n') => Ok(State::Trailer { all: 0, line: 0, cr: false, colon: false }),
            (State::SizeEnd { size }, b'\n') => Ok(after(size, Then::ChunkEnd)),
            (State::DataEnd, b'\r') => Ok(State::DataEndLf),
            (State::DataEndLf, b'\n') => Ok(State::Size { size: 0, digits: 0, line: 0 }),
            (State::Trailer { line: 0, cr: true, .. }, b'\n') => Ok(State::Done),
            (State::Trailer { all, cr: true, .. }, b'\n') => {
                Ok(State::Trailer { all: all + 1, line: 0, cr: false, colon: false })
            }
            // The empty line ends the section; any other is a field, with a name and a colon.
            (State::Trailer { all, line, cr: false, colon }, b'\r') if colon || line == 0 => {
                Ok(State::Trailer { all: all + 1, line, cr: true, colon })
            }
            (State::Trailer { all, line, cr: false, colon: false }, b':') if line > 0 && all < MAX_TRAILERS => {
                Ok(State::Trailer { all: all + 1, line: line + 1, cr: false, colon: true })
            }
            (State::Trailer { all, line, cr: false, colon }, byte)
                if all < MAX_TRAILERS && (is_token(byte) || colon && (byte == b'\t' || !byte.is_ascii_control())) =>
            {
                Ok(State::Trailer { all: all + 1, line: line + 1, cr: false, colon })
            }
            (
                State::Size { .. }
                | State::Extension { .. }
                | State::SizeEnd { .. }
                | State::DataEnd
                | State::DataEndLf
                | State::Trailer { .. }
                | State::Counted(..)
                | State::Done
                | State::Broken,
                _,
            ) => Err(Malformed),
        }
    }
}

/// What a field name may hold (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
