//! A body that is still growing: one writer, any number of readers, each at its own place.

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, watch};

/// How much of a body that will not be kept may wait for its slowest reader, in bytes.
const WINDOW: u64 = 1 << 20;

/// Pieces shorter than this are put together, up to `TAIL` bytes: a body that comes byte by byte would otherwise take many
/// times its length.
const SMALL: usize = 4 * 1024;
const TAIL: usize = 16 * 1024;

/// The body ended before it was whole, or its reader was too slow for a body that is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

/// Whether the writer of a body that is not kept may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is room for more.
    Ready,
    /// Nobody reads it any more.
    Deserted,
}

/// A body that is being filled. Readers may come at any time and begin at the first byte, until [`GrowingBody::let_go`].
#[derive(Debug)]
pub struct GrowingBody {
    state: Mutex<State>,
    /// Those who will read it from the beginning and have not come yet.
    expected: Arc<AtomicUsize>,
    grown: watch::Sender<()>,
    drained: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Pieces with the offset of their first byte.
    pieces: VecDeque<(u64, Bytes)>,
    /// What follows the last of them.
    tail: BytesMut,
    length: u64,
    end: Option<End>,
    /// Set once the body will not be stored: what every reader has passed is dropped.
    let_go: bool,
    readers: HashMap<u64, Place>,
    next_reader: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    Cut,
}

/// Where a reader is, and where it was when its pace was last looked at.
#[derive(Debug, Default)]
struct Place {
    offset: u64,
    paced: u64,
    cut: bool,
}

impl GrowingBody {
    /// An empty body.
    pub fn new() -> Arc<GrowingBody> {
        GrowingBody::expecting(Arc::default())
    }

    /// An empty body whose beginning is held for as many readers as `expected` counts. Whoever lowers the count calls
    /// [`GrowingBody::look_again`].
    pub fn expecting(expected: Arc<AtomicUsize>) -> Arc<GrowingBody> {
        Arc::new(GrowingBody {
            state: Mutex::default(),
            expected,
            grown: watch::Sender::new(()),
            drained: Notify::new(),
        })
    }

    /// A reader at the first byte; none when the first byte is already gone.
    pub fn reader(self: &Arc<Self>) -> Option<BodyReader> {
        let mut state = self.lock();
        if state.begins() > 0 {
            return None;
        }
        let id = state.next_reader;
        state.next_reader += 1;
        state.readers.insert(id, Place::default());
        drop(state);
        Some(BodyReader { body: Arc::clone(self), id, grown: self.grown.subscribe() })
    }

    /// Adds a piece; its readers are woken.
    pub fn push(&self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.push(piece);
        drop(state);
        self.grown.send_replace(());
    }

    /// Gives up keeping it: from now on a piece goes when the last reader has read it.
    pub fn let_go(&self) {
        let mut state = self.lock();
        state.let_go = true;
        self.trim(&mut state);
    }

    /// Looks again at who reads it: fewer are expected now.
    pub fn look_again(&self) {
        self.trim(&mut self.lock());
        self.drained.notify_one();
    }

    /// Waits until nobody reads it any more and nobody is expected to.
    pub async fn deserted(&self) {
        loop {
            let drained = self.drained.notified();
            if self.is_deserted(&self.lock()) {
                return;
            }
            drained.await;
        }
    }

    /// Waits until a body that is not kept may grow again, or has nobody left to read it.
    pub async fn room(&self) -> Room {
        loop {
            let drained = self.drained.notified();
            {
                let state = self.lock();
                if self.is_deserted(&state) {
                    return Room::Deserted;
                }
                if state.held() < WINDOW {
                    return Room::Ready;
                }
            }
            drained.await;
        }
    }

    /// Cuts the readers that hold the writer back and have read less than `least` bytes since the last call.
    pub fn cut_laggards(&self, least: u64) {
        let mut state = self.lock();
        let length = state.length;
        for place in state.readers.values_mut() {
            let behind = place.offset < length;
            place.cut |= behind && place.offset - place.paced < least;
            place.paced = place.offset;
        }
        self.trim(&mut state);
        drop(state);
        self.drained.notify_one();
        self.grown.send_replace(());
    }

    /// Ends it whole. `stored` is the whole body in one piece, with a last piece that was not pushed: readers that are still
    /// behind go on in it, so that nothing is held twice.
    pub fn finish(&self, stored: Option<Bytes>) {
        let mut state = self.lock();
        state.end = Some(End::Whole);
        if let Some(bytes) = stored {
            debug_assert!(bytes.len() as u64 >= state.length, "the stored body begins with what was read");
            state.length = bytes.len() as u64;
            state.tail = BytesMut::new();
            state.pieces.clear();
            state.pieces.push_back((0, bytes));
        }
        drop(state);
        self.grown.send_replace(());
    }

    /// Ends it before it is whole; readers come to know when they get there.
    pub fn cut(&self) {
        let mut state = self.lock();
        state.end.get_or_insert(End::Cut);
        drop(state);
        self.grown.send_replace(());
    }

    /// Copies everything so far into memory, which has room for it.
    pub fn copy_to(&self, memory: &mut impl Write) {
        let state = self.lock();
        for piece in state.pieces.iter().map(|(_, piece)| &**piece).chain([&*state.tail]) {
            // Writing to memory does not fail.
            let _ = memory.write_all(piece);
        }
    }

    /// Length so far, in bytes.
    pub fn length(&self) -> u64 {
        self.lock().length
    }

    /// Whether anybody reads it, or is about to.
    pub(crate) fn is_read(&self) -> bool {
        !self.is_deserted(&self.lock())
    }

    fn is_deserted(&self, state: &State) -> bool {
        state.readers.values().all(|place| place.cut) && self.expected.load(Ordering::Acquire) == 0
    }

    /// Drops what every reader has passed, once it is not kept.
    fn trim(&self, state: &mut State) {
        if !state.let_go || self.expected.load(Ordering::Acquire) > 0 {
            return;
        }
        let slowest = state.readers.values().filter(|place| !place.cut).map(|place| place.offset).min();
        let reached = slowest.unwrap_or(state.length);
        while state.pieces.front().is_some_and(|(offset, piece)| offset + piece.len() as u64 <= reached) {
            state.pieces.pop_front();
        }
        if reached == state.length {
            state.tail.clear();
        }
    }

    /// The state is plain data and every change to it is complete, so a panic elsewhere leaves it usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Bytes that wait for a reader.
    fn held(&self) -> u64 {
        self.length - self.begins()
    }

    /// The offset of the first byte that is still there.
    fn begins(&self) -> u64 {
        self.pieces.front().map_or(self.tail_begins(), |(offset, _)| *offset)
    }

    fn tail_begins(&self) -> u64 {
        self.length - self.tail.len() as u64
    }

    fn push(&mut self, piece: Bytes) {
        let length = piece.len();
        if length < SMALL {
            self.tail.extend_from_slice(&piece);
            self.length += length as u64;
            if self.tail.len() >= TAIL {
                self.seal();
            }
            return;
        }
        self.seal();
        self.pieces.push_back((self.length, piece));
        self.length += length as u64;
    }

    /// Makes a piece of the tail.
    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let begin = self.tail_begins();
            self.pieces.push_back((begin, self.tail.split().freeze()));
        }
    }

    /// The bytes from `offset` to the end of the piece that holds it.
    fn from(&self, offset: u64) -> Option<Bytes> {
        if offset >= self.tail_begins() {
            let skip = usize::try_from(offset - self.tail_begins()).ok()?;
            let rest = self.tail.get(skip..).filter(|rest| !rest.is_empty())?;
            // Copied, so that it may go on growing.
            return Some(Bytes::copy_from_slice(rest));
        }
        let at = self.pieces.partition_point(|(begin, _)| *begin <= offset).checked_sub(1)?;
        let (begin, piece) = self.pieces.get(at)?;
        let skip = usize::try_from(offset - begin).ok()?;
        (skip < piece.len()).then(|| piece.slice(skip..))
    }
}

/// One reader of a growing body. Dropping it is how a visitor leaves.
#[derive(Debug)]
pub struct BodyReader {
    body: Arc<GrowingBody>,
    id: u64,
    grown: watch::Receiver<()>,
}

impl BodyReader {
    /// The next bytes, as soon as there are any; none at the end.
    ///
    /// # Errors
    ///
    /// [`Cut`] when the body ended before it was whole: the message must not be ended as if it were.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Cut> {
        loop {
            // Seen first, looked at second: what grows in between wakes us.
            self.grown.borrow_and_update();
            if let Some(answer) = self.poll() {
                return answer;
            }
            // The sender lives as long as the body that this reader holds.
            if self.grown.changed().await.is_err() {
                return Err(Cut);
            }
        }
    }

    /// The whole body, if it has already ended and nothing of it has been read yet.
    pub fn whole_length(&self) -> Option<u64> {
        let state = self.body.lock();
        (state.end == Some(End::Whole)).then_some(state.length)
    }

    fn poll(&mut self) -> Option<Result<Option<Bytes>, Cut>> {
        let mut state = self.body.lock();
        let place = state.readers.get(&self.id)?;
        if place.cut {
            return Some(Err(Cut));
        }
        let offset = place.offset;
        if let Some(piece) = state.from(offset) {
            if let Some(place) = state.readers.get_mut(&self.id) {
                place.offset += piece.len() as u64;
            }
            self.body.trim(&mut state);
            let wake = state.let_go;
            drop(state);
            if wake {
                self.body.drained.notify_one();
            }
            return Some(Ok(Some(piece)));
        }
        match state.end {
            Some(End::Whole) => Some(Ok(None)),
            Some(End::Cut) => Some(Err(Cut)),
            None => None,
        }
    }
}

impl Drop for BodyReader {
    fn drop(&mut self) {
        let mut state = self.body.lock();
        state.readers.remove(&self.id);
        self.body.trim(&mut state);
        drop(state);
        self.body.drained.notify_one();
    }
}

#[cfg(test)]
mod tests;
