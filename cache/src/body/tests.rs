//! What readers of a growing body get, whatever the pace of its writer and of each of them.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use proptest::prelude::*;

use super::{BodyReader, Cut, GrowingBody, Room, SMALL, TAIL, WINDOW};

/// Remembers that it was woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What a reader gets now; the future is dropped, as that of a visitor who does something else meanwhile.
fn poll(reader: &mut BodyReader) -> Poll<Result<Option<Bytes>, Cut>> {
    let next = pin!(reader.next());
    next.poll(&mut Context::from_waker(Waker::noop()))
}

fn poll_room(body: &GrowingBody) -> Poll<Room> {
    let room = pin!(body.room());
    room.poll(&mut Context::from_waker(Waker::noop()))
}

/// How a reader's body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    Cut,
    /// Not yet.
    Open,
}

/// Everything that a reader gets without waiting.
fn drain(reader: &mut BodyReader) -> (Vec<u8>, End) {
    let mut bytes = Vec::new();
    loop {
        match poll(reader) {
            Poll::Ready(Ok(Some(piece))) => {
                assert!(!piece.is_empty(), "an empty piece would end a chunked message");
                bytes.extend_from_slice(&piece);
                assert!(bytes.len() as u64 <= reader.body.length(), "a reader gets more than there is");
            }
            Poll::Ready(Ok(None)) => return (bytes, End::Whole),
            Poll::Ready(Err(Cut)) => return (bytes, End::Cut),
            Poll::Pending => return (bytes, End::Open),
        }
    }
}

fn held(body: &GrowingBody) -> u64 {
    let state = body.lock();
    state.pieces.iter().map(|(_, piece)| piece.len() as u64).sum::<u64>() + state.tail.len() as u64
}

/// Everything so far and `last`.
fn whole(body: &GrowingBody, last: &[u8]) -> Bytes {
    let mut whole = Vec::new();
    body.copy_to(&mut whole);
    whole.extend_from_slice(last);
    whole.into()
}

fn of(length: u64) -> Bytes {
    Bytes::from(vec![b'x'; usize::try_from(length).unwrap()])
}

/// The end that a body comes to.
type Finish = fn(&GrowingBody);

#[test]
fn every_end_is_seen_by_early_and_late_readers() {
    let cases: [(&str, &[&str], Finish, End, &str); 9] = [
        ("open", &["ab", "c"], |_| {}, End::Open, "abc"),
        ("whole", &["ab", "c"], |body| body.finish(None), End::Whole, "abc"),
        ("stored", &["ab", "c"], |body| body.finish(Some("abc".into())), End::Whole, "abc"),
        ("stored with a last piece", &["ab", "c"], |body| body.finish(Some("abcde".into())), End::Whole, "abcde"),
        ("all in the last piece", &[], |body| body.finish(Some("abc".into())), End::Whole, "abc"),
        ("empty", &[], |body| body.finish(Some(Bytes::new())), End::Whole, ""),
        ("empty pieces", &["", "a", ""], |body| body.finish(None), End::Whole, "a"),
        ("cut", &["ab", "c"], GrowingBody::cut, End::Cut, "abc"),
        ("cut at once", &[], GrowingBody::cut, End::Cut, ""),
    ];
    for (name, pieces, finish, end, expected) in cases {
        let body = GrowingBody::new();
        let mut early = body.reader().unwrap();
        assert_eq!(drain(&mut early), (Vec::new(), End::Open), "{name}");
        let mut midway = Vec::new();
        for piece in pieces {
            body.push(Bytes::from_static(piece.as_bytes()));
            let (bytes, end) = drain(&mut early);
            assert_eq!(end, End::Open, "{name}");
            midway.extend_from_slice(&bytes);
        }
        let mut slow = body.reader().unwrap();
        finish(&body);
        let mut late = body.reader().unwrap();
        let (rest, early_end) = drain(&mut early);
        midway.extend_from_slice(&rest);
        assert_eq!((midway.as_slice(), early_end), (expected.as_bytes(), end), "{name}: early");
        for reader in [&mut slow, &mut late] {
            assert_eq!(drain(reader), (expected.as_bytes().to_vec(), end), "{name}: late");
            // The end is the end, however often it is asked for.
            assert_eq!(drain(reader), (Vec::new(), end), "{name}: once more");
        }
        let whole = (end == End::Whole).then_some(expected.len() as u64);
        assert_eq!((late.whole_length(), body.length()), (whole, expected.len() as u64), "{name}");
    }
}

#[test]
fn a_whole_body_is_not_cut_afterwards() {
    let body = GrowingBody::new();
    body.push("abc".into());
    body.finish(None);
    body.cut();
    assert_eq!(drain(&mut body.reader().unwrap()), (b"abc".to_vec(), End::Whole));
}

#[test]
fn pieces_are_assembled_in_order() {
    let cases: [(&[&str], &str, &str); 5] = [
        (&[], "", ""),
        (&[], "ab", "ab"),
        (&["ab"], "", "ab"),
        (&["ab"], "c", "abc"),
        (&["ab", "", "c"], "de", "abcde"),
    ];
    for (pieces, last, expected) in cases {
        let body = GrowingBody::new();
        for piece in pieces {
            body.push(Bytes::from_static(piece.as_bytes()));
        }
        let whole = whole(&body, last.as_bytes());
        assert_eq!(whole, expected, "{pieces:?} {last:?}");
        // Readers that are behind go on in it.
        let mut behind = body.reader().unwrap();
        let first = poll(&mut behind);
        body.finish(Some(whole));
        let mut bytes = match first {
            Poll::Ready(Ok(Some(piece))) => piece.to_vec(),
            Poll::Ready(Ok(None) | Err(Cut)) | Poll::Pending => Vec::new(),
        };
        bytes.extend(drain(&mut behind).0);
        assert_eq!(bytes, expected.as_bytes(), "{pieces:?} {last:?}");
    }
}

/// What happens to a body while a reader waits for more.
#[test]
fn a_waiting_reader_is_woken() {
    let cases: [(&str, Finish, bool); 6] = [
        ("a piece", |body| body.push("x".into()), true),
        ("an empty piece", |body| body.push(Bytes::new()), false),
        ("the end", |body| body.finish(None), true),
        ("the stored body", |body| body.finish(Some("abc".into())), true),
        ("a cut", GrowingBody::cut, true),
        ("nothing", |_| {}, false),
    ];
    for (name, happens, expected) in cases {
        let body = GrowingBody::new();
        body.push("abc".into());
        let mut reader = body.reader().unwrap();
        drain(&mut reader);
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(Arc::clone(&flag));
        let mut next = pin!(reader.next());
        assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending(), "{name}");
        happens(&body);
        assert_eq!(flag.0.load(Ordering::SeqCst), expected, "{name}");
        assert_eq!(next.poll(&mut Context::from_waker(&waker)).is_ready(), expected, "{name}");
    }
}

/// What the readers of a body do.
type Happening = fn(&GrowingBody, &mut Vec<BodyReader>);

/// A writer that waits for room, and what its readers do.
#[test]
fn a_waiting_writer_is_woken() {
    let cases: [(&str, Happening, Option<Room>); 6] = [
        ("nobody reads", |_, _| {}, None),
        ("one of two reads", |_, readers| drop(drain(&mut readers[0])), None),
        ("both read", |_, readers| readers.iter_mut().for_each(|reader| drop(drain(reader))), Some(Room::Ready)),
        ("one leaves", |_, readers| drop(readers.pop()), None),
        (
            "one reads, the other leaves",
            |_, readers| {
                drain(&mut readers[0]);
                readers.pop();
            },
            Some(Room::Ready),
        ),
        ("both leave", |_, readers| readers.clear(), Some(Room::Deserted)),
    ];
    for (name, happens, expected) in cases {
        let body = GrowingBody::new();
        let mut readers = vec![body.reader().unwrap(), body.reader().unwrap()];
        body.push(of(WINDOW));
        body.let_go();
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(Arc::clone(&flag));
        let mut room = pin!(body.room());
        assert!(room.as_mut().poll(&mut Context::from_waker(&waker)).is_pending(), "{name}");
        happens(&body, &mut readers);
        let woken = flag.0.load(Ordering::SeqCst);
        let found = room.poll(&mut Context::from_waker(&waker));
        assert_eq!(found, expected.map_or(Poll::Pending, Poll::Ready), "{name}");
        assert!(woken || found.is_pending(), "{name}: nobody told the writer");
    }
}

#[test]
fn there_is_room_below_the_window() {
    for (length, expected) in [(1, true), (WINDOW - 1, true), (WINDOW, false), (WINDOW + 1, false)] {
        let body = GrowingBody::new();
        let _reader = body.reader().unwrap();
        body.let_go();
        body.push(of(length));
        assert_eq!(poll_room(&body).is_ready(), expected, "{length} bytes");
    }
    assert_eq!(poll_room(&GrowingBody::new()), Poll::Ready(Room::Deserted));
}

#[test]
fn what_everyone_has_read_is_dropped_once_it_is_let_go() {
    const PIECE: u64 = SMALL as u64;
    let body = GrowingBody::new();
    let [mut fast, mut slow] = [body.reader().unwrap(), body.reader().unwrap()];
    for _ in 0..3 {
        body.push(of(PIECE));
    }
    drain(&mut fast);
    assert_eq!(held(&body), 3 * PIECE, "kept while it may be stored");
    body.let_go();
    assert_eq!(held(&body), 3 * PIECE, "the slow reader needs it all");
    assert!(body.reader().is_some(), "the first byte is still there");
    assert_eq!(poll(&mut slow), Poll::Ready(Ok(Some(of(PIECE)))));
    assert_eq!(held(&body), 2 * PIECE);
    assert!(body.reader().is_none(), "the first byte is gone");
    body.push("gh".into());
    drop(slow);
    assert_eq!(held(&body), 2, "only what the fast one has not read");
    assert_eq!(drain(&mut fast), (b"gh".to_vec(), End::Open));
    assert_eq!(held(&body), 0);
    assert!(body.reader().is_none(), "nothing is held, but something was sent");
    body.finish(None);
    assert_eq!(drain(&mut fast), (Vec::new(), End::Whole));
}

#[test]
fn small_pieces_are_put_together() {
    let body = GrowingBody::new();
    let mut reader = body.reader().unwrap();
    for count in 1..=3 * TAIL as u64 {
        body.push(Bytes::from_static(b"x"));
        assert_eq!(poll(&mut reader), Poll::Ready(Ok(Some("x".into()))), "each is there at once");
        assert_eq!(held(&body), count);
    }
    assert_eq!(body.lock().pieces.len(), 3);
    let mut late = body.reader().unwrap();
    body.finish(None);
    assert_eq!(drain(&mut late), (vec![b'x'; 3 * TAIL], End::Whole));
}

#[test]
fn the_beginning_is_held_for_those_who_are_expected() {
    let expected = Arc::new(AtomicUsize::new(2));
    let body = GrowingBody::expecting(Arc::clone(&expected));
    let mut first = body.reader().unwrap();
    body.push("abc".into());
    body.let_go();
    drain(&mut first);
    assert_eq!(held(&body), 3);
    expected.store(1, Ordering::SeqCst);
    body.look_again();
    assert_eq!(held(&body), 3, "another one is expected");
    let mut second = body.reader().unwrap();
    expected.store(0, Ordering::SeqCst);
    body.look_again();
    assert_eq!(held(&body), 3, "it has come and not read yet");
    assert_eq!(drain(&mut second), (b"abc".to_vec(), End::Open));
    assert_eq!(held(&body), 0);
}

/// What happens to a body of two readers, one of them still expected, and whether it is deserted then.
#[test]
fn a_body_that_nobody_reads_is_deserted() {
    type Happens = fn(&GrowingBody, &AtomicUsize, &mut Vec<BodyReader>);
    let nobody_comes: Happens = |body, expected, _| {
        expected.store(0, Ordering::SeqCst);
        body.look_again();
    };
    let cases: [(&str, Happens, bool); 5] = [
        ("nothing happens", |_, _, _| {}, false),
        ("the reader leaves", |_, _, readers| readers.clear(), false),
        ("the other one does not come", nobody_comes, false),
        ("the reader reads", |_, _, readers| drop(drain(&mut readers[0])), false),
        (
            "both leave",
            |body, expected, readers| {
                readers.clear();
                expected.store(0, Ordering::SeqCst);
                body.look_again();
            },
            true,
        ),
    ];
    for (name, happens, deserted) in cases {
        for let_go in [false, true] {
            let expected = Arc::new(AtomicUsize::new(1));
            let body = GrowingBody::expecting(Arc::clone(&expected));
            let mut readers = vec![body.reader().unwrap()];
            body.push(of(WINDOW));
            if let_go {
                body.let_go();
            }
            let flag = Arc::new(Flag::default());
            let waker = Waker::from(Arc::clone(&flag));
            let mut waits = pin!(body.deserted());
            assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending(), "{name}");
            happens(&body, &expected, &mut readers);
            let woken = flag.0.load(Ordering::SeqCst);
            let found = waits.poll(&mut Context::from_waker(&waker)).is_ready();
            assert_eq!(found, deserted, "{name}, let go: {let_go}");
            assert!(woken || !found, "{name}: nobody told the writer");
            assert_eq!(poll_room(&body) == Poll::Ready(Room::Deserted), deserted, "{name}, let go: {let_go}");
        }
    }
}

/// Bytes that a reader has read when its pace is looked at, twice; the least it has to read in between; whether it is cut.
#[test]
fn readers_that_hold_the_writer_back_are_cut() {
    const PIECE: u64 = SMALL as u64;
    let cases = [
        // Three pieces are there.
        ("reads nothing", 0, 0, 1, true),
        ("reads too little", 0, 1, PIECE + 1, true),
        ("reads enough", 0, 1, PIECE, false),
        ("reads all there is", 3, 0, 100, false),
        ("has read before, and nothing since", 2, 0, 1, true),
    ];
    for (name, before, between, least, expected) in cases {
        let body = GrowingBody::new();
        let mut reader = body.reader().unwrap();
        let mut other = body.reader().unwrap();
        for _ in 0..3 {
            body.push(of(PIECE));
        }
        body.let_go();
        drain(&mut other);
        for _ in 0..before {
            assert!(poll(&mut reader).is_ready());
        }
        // The first look finds that everyone has read something since the beginning, or forgives.
        body.cut_laggards(0);
        for _ in 0..between {
            assert!(poll(&mut reader).is_ready());
        }
        body.cut_laggards(least);
        assert_eq!(drain(&mut reader).1 == End::Cut, expected, "{name}");
        assert_eq!(drain(&mut other), (Vec::new(), End::Open), "{name}: the other one is not held back");
    }
}

#[test]
fn a_cut_laggard_is_woken_and_nothing_is_held_for_it() {
    let body = GrowingBody::new();
    let mut slow = body.reader().unwrap();
    let mut fast = body.reader().unwrap();
    body.push(of(WINDOW));
    body.let_go();
    drain(&mut fast);
    assert!(poll_room(&body).is_pending());
    body.cut_laggards(1);
    assert_eq!((held(&body), poll_room(&body)), (0, Poll::Ready(Room::Ready)));
    assert_eq!(drain(&mut slow), (Vec::new(), End::Cut));
    body.push(of(1));
    drain(&mut fast);
    assert_eq!(held(&body), 0);
    assert_eq!(drain(&mut slow), (Vec::new(), End::Cut), "once cut, always cut");
}

/// Whoever was cut does not read any more: a body that nobody else reads is deserted, however long its visitor's connection
/// takes to notice.
#[test]
fn a_body_whose_readers_are_all_cut_is_deserted() {
    let body = GrowingBody::new();
    let _slow = body.reader().unwrap();
    body.push(of(WINDOW));
    body.let_go();
    body.cut_laggards(1);
    assert_eq!(poll_room(&body), Poll::Ready(Room::Deserted));
}

/// What may happen to a body, in any order.
#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Join,
    Read(usize),
    Leave(usize),
    LetGo,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0usize..6).prop_map(Step::Push),
        // On both sides of what is put together and of how much of it.
        1 => proptest::sample::select(vec![SMALL - 1, SMALL, SMALL + 1, TAIL, 3 * TAIL]).prop_map(Step::Push),
        2 => Just(Step::Join),
        6 => (0usize..4).prop_map(Step::Read),
        1 => (0usize..4).prop_map(Step::Leave),
        1 => Just(Step::LetGo),
    ]
}

/// A body beside what its readers should see: for each how many bytes it has read, all of them the right ones.
#[derive(Default)]
struct Model {
    written: Vec<u8>,
    readers: VecDeque<(BodyReader, usize)>,
    let_go: bool,
}

impl Model {
    fn take(&mut self, body: &Arc<GrowingBody>, step: &Step) {
        match *step {
            Step::Push(length) => {
                let begin = self.written.len();
                self.written.extend((begin..begin + length).map(|at| u8::try_from(at % 251).unwrap()));
                body.push(Bytes::copy_from_slice(&self.written[begin..]));
            }
            Step::Join => match body.reader() {
                Some(reader) => self.readers.push_back((reader, 0)),
                None => assert!(self.let_go, "a body that is kept can be read from its first byte"),
            },
            Step::Read(which) => {
                let Some((reader, seen)) = self.readers.get_mut(which) else { return };
                match poll(reader) {
                    Poll::Ready(Ok(Some(piece))) => {
                        assert!(self.written[*seen..].starts_with(&piece), "a reader got other bytes");
                        *seen += piece.len();
                    }
                    Poll::Ready(end) => panic!("{end:?} of a body that has not ended"),
                    Poll::Pending => assert_eq!(*seen, self.written.len(), "a reader waits for what is there"),
                }
            }
            Step::Leave(which) => drop(self.readers.remove(which)),
            Step::LetGo => {
                body.let_go();
                self.let_go = true;
            }
        }
        let needed = self.readers.iter().map(|(_, seen)| self.written.len() - seen).max().unwrap_or(0);
        let held = usize::try_from(held(body)).unwrap();
        assert!(held >= needed, "{held} bytes are held, {needed} are needed");
        assert!(self.let_go || held == self.written.len(), "what may be stored is kept");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any split into pieces and any pace of readers give the same bytes to all of them, and the same end.
    #[test]
    fn every_reader_gets_the_same_bytes(steps in proptest::collection::vec(step(), 0..60), ending in 0..4) {
        let body = GrowingBody::new();
        let mut model = Model::default();
        for step in &steps {
            model.take(&body, step);
        }
        let end = match ending {
            0 => {
                body.cut();
                End::Cut
            }
            // Stored, with a last piece or without one.
            1 | 2 if !model.let_go => {
                let last = Bytes::from_static(if ending == 1 { b"" } else { b"last" });
                let whole = whole(&body, &last);
                model.written.extend_from_slice(&last);
                prop_assert!(whole == model.written);
                body.finish(Some(whole));
                End::Whole
            }
            _ => {
                body.finish(None);
                End::Whole
            }
        };
        model.readers.extend(body.reader().map(|reader| (reader, 0)));
        for (mut reader, seen) in model.readers {
            let (rest, found) = drain(&mut reader);
            prop_assert!(rest == model.written[seen..], "a reader got other bytes in the end");
            prop_assert_eq!(found, end);
        }
    }

    /// A writer that asks for room holds no more than the window and a piece, however slow its readers are.
    #[test]
    fn what_is_held_for_slow_readers_is_bounded(
        pieces in proptest::collection::vec(1u64..300_000, 1..40),
        paces in proptest::collection::vec(proptest::collection::vec(0usize..3, 40), 1..4),
    ) {
        let body = GrowingBody::new();
        let mut readers: Vec<BodyReader> = paces.iter().map(|_| body.reader().unwrap()).collect();
        body.let_go();
        let mut sent = 0;
        for (turn, piece) in pieces.iter().enumerate() {
            if poll_room(&body) == Poll::Ready(Room::Ready) {
                body.push(of(*piece));
                sent += piece;
            }
            for (reader, pace) in readers.iter_mut().zip(&paces) {
                for _ in 0..pace[turn] {
                    prop_assert!(poll(reader) != Poll::Ready(Err(Cut)));
                }
            }
            prop_assert!(held(&body) < WINDOW + 300_000, "{} bytes are held", held(&body));
            prop_assert_eq!(body.length(), sent);
        }
    }
}
