//! The look-up as stories over time, in every order in which things may happen, and under many threads.

mod hammer;
mod limits;
mod model;
mod schedule;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::ACCEPT_LANGUAGE};

use super::{Cache, Lookup, Missing};
use crate::{
    Awaited, BodyReader, DeclineReason, Fields, Fill, Filling, Moment, Pushed, ResponseHead, Variant, Waiter, Window,
    Windows,
};

/// No body of a story is kept above this.
const MAX_BODY: u64 = 8;
const KEY: &[u8] = b"a page";

/// Fresh for a minute, served stale up to ten, after a failure up to five; a 404 for ten seconds.
const WINDOWS: Windows = Windows {
    revalidate: Window::For(Duration::from_secs(60)),
    expire: Duration::from_secs(600),
    stale_if_error: Duration::from_secs(300),
    negative_ttl: Duration::from_secs(10),
};

type Line = (&'static str, &'static str);

fn at(seconds: u64) -> Moment {
    let time = Duration::from_secs(seconds);
    Moment { wall: SystemTime::UNIX_EPOCH + time, monotonic: time }
}

fn head(status: u16, lines: &[Line]) -> ResponseHead {
    let line = |(name, value): &Line| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value));
    ResponseHead { status: StatusCode::from_u16(status).unwrap(), fields: lines.iter().map(line).collect::<Fields>() }
}

fn variant(language: &str) -> Variant {
    let mut request = HeaderMap::new();
    request.insert(ACCEPT_LANGUAGE, HeaderValue::from_str(language).unwrap());
    Variant::of(&[ACCEPT_LANGUAGE], &request)
}

/// What happens next in a story.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// A visitor asks for the page in English, and this is the answer.
    Ask(&'static str),
    /// The same in another language.
    AskIn(&'static str, &'static str),
    /// What those who wait have been told by now; they go on waiting when it is nothing.
    Told(&'static [&'static str]),
    /// The latest fill ends as stored, with this body.
    Store(&'static str),
    /// The latest fill ends as stored: a status, fields, a body.
    StoreAs(u16, &'static [Line], &'static str),
    /// It is confirmed by a 304; none when there was nothing to confirm.
    Renew(Option<&'static str>),
    Decline(DeclineReason),
    Fail,
    Drop,
    /// Its response begins.
    Begin,
    /// Its response begins with this `Content-Length`, which is declined.
    BeginTooLong(&'static str),
    Push(&'static str, Pushed),
    Finish(&'static str, Pushed),
    /// Its response breaks off.
    Break,
    /// Its response is dropped in the middle.
    DropMidway,
    /// From now on the request's configuration says something else.
    Configure(Windows),
}

/// Someone who waits.
type Waiting = Pin<Box<dyn Future<Output = Awaited<&'static str>>>>;

/// A cache, and those who have to do with it.
struct Story {
    cache: Cache<&'static str>,
    windows: Windows,
    fills: Vec<Fill<&'static str>>,
    filling: Option<Filling<&'static str>>,
    waiting: Vec<Waiting>,
}

impl Story {
    fn new() -> Story {
        let cache = Cache::new(1 << 20, MAX_BODY);
        Story { cache, windows: WINDOWS, fills: Vec::new(), filling: None, waiting: Vec::new() }
    }

    fn fill(&mut self) -> Fill<&'static str> {
        self.fills.pop().expect("a story that ends a fill has one")
    }

    fn filling(&mut self) -> &mut Filling<&'static str> {
        self.filling.as_mut().expect("a story that goes on with a response has begun one")
    }

    /// The answer to a look-up, in words.
    fn ask(&mut self, language: &str, now: Moment) -> String {
        match self.cache.lookup(KEY, &variant(language), &self.windows, now) {
            Lookup::Hit { response, ttl: Some(ttl) } => format!("hit {} ttl={}", text(response.body()), ttl.as_secs()),
            Lookup::Hit { response, ttl: None } => format!("hit {}", text(response.body())),
            Lookup::Stale { response, staleness, reason, refresh } => {
                let refreshes = if refresh.is_some() { " refresh" } else { "" };
                self.fills.extend(refresh);
                format!("stale {} {} {}{refreshes}", text(response.body()), staleness.as_secs(), reason.as_str())
            }
            Lookup::Collapsed { waiter, missing } => {
                self.wait(waiter);
                format!("collapsed {}", name(missing))
            }
            Lookup::Miss { fill, missing } => {
                let old = fill.old().map(|old| format!(" old={}", text(old.body())));
                self.fills.push(fill);
                format!("miss {}{}", name(missing), old.unwrap_or_default())
            }
            Lookup::Pass(reason) => format!("pass {}", reason.as_str()),
        }
    }

    fn wait(&mut self, waiter: Waiter<&'static str>) {
        self.waiting.push(Box::pin(waiter.wait()));
    }

    /// What those who wait have been told, in words.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        self.waiting.retain_mut(|waiting| match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(awaited) => {
                told.push(in_words(awaited));
                false
            }
            Poll::Pending => true,
        });
        told
    }

    fn act(&mut self, act: Act, now: Moment) {
        match act {
            Act::Ask(expected) => assert_eq!(self.ask("en", now), expected),
            Act::AskIn(language, expected) => assert_eq!(self.ask(language, now), expected),
            Act::Told(expected) => assert_eq!(self.told(), expected),
            Act::Store(body) => self.act(Act::StoreAs(200, &[], body), now),
            Act::StoreAs(status, lines, body) => {
                let filling = self.fill().begin(head(status, lines), now).expect("it is short enough");
                assert_eq!(filling.finish(Bytes::from_static(body.as_bytes()), now), Pushed::Kept);
            }
            Act::Renew(expected) => {
                let renewed = self.fill().renew(&head(304, &[("x-confirmed", "1")]), now);
                assert_eq!(renewed.map(|response| text(response.body())).as_deref(), expected);
            }
            Act::Decline(reason) => self.fill().decline(reason, now),
            Act::Fail => self.fill().fail("boom", now, 0.0),
            Act::Drop => drop(self.fill()),
            Act::Begin => self.filling = Some(self.fill().begin(head(200, &[]), now).expect("it is short enough")),
            Act::BeginTooLong(length) => {
                let begun = self.fill().begin(head(200, &[("content-length", length)]), now);
                assert_eq!(begun.map(|_| "begun"), Err(DeclineReason::TooLarge));
            }
            Act::Push(piece, expected) => {
                assert_eq!(self.filling().push(Bytes::from_static(piece.as_bytes()), now), expected);
            }
            Act::Finish(last, expected) => {
                let filling = self.filling.take().expect("a story that ends a response has begun one");
                assert_eq!(filling.finish(Bytes::from_static(last.as_bytes()), now), expected);
            }
            Act::Break => {
                let filling = self.filling.take().expect("a story that breaks off a response has begun one");
                filling.fail("broken", now, 0.0);
            }
            Act::DropMidway => drop(self.filling.take()),
            Act::Configure(windows) => self.windows = windows,
        }
    }
}

fn name(missing: Missing) -> &'static str {
    match missing {
        Missing::Uri => "uri",
        Missing::Vary => "vary",
        Missing::Stale => "stale",
    }
}

fn text(body: &Bytes) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

fn in_words(awaited: Awaited<&'static str>) -> String {
    match awaited {
        Awaited::Streaming(_, reader) => streams(reader),
        Awaited::Renewed(response) => format!("renewed {}", text(response.body())),
        Awaited::Declined(reason) => format!("declined {}", reason.as_str()),
        Awaited::Failed(failure) => format!("failed {failure}"),
        Awaited::Abandoned => "abandoned".to_owned(),
        Awaited::Crowded => "crowded".to_owned(),
    }
}

/// What there is of a body now, and `.` for its end, `!` for a cut, `...` when there is more to come.
fn streams(mut reader: BodyReader) -> String {
    let mut read = String::from("streams ");
    loop {
        match next(&mut reader) {
            Poll::Ready(Ok(Some(piece))) => read.push_str(&text(&piece)),
            Poll::Ready(Ok(None)) => return read + ".",
            Poll::Ready(Err(crate::Cut)) => return read + "!",
            Poll::Pending => return read + "...",
        }
    }
}

fn next(reader: &mut BodyReader) -> Poll<Result<Option<Bytes>, crate::Cut>> {
    std::pin::pin!(reader.next()).poll(&mut Context::from_waker(Waker::noop()))
}

/// Plays a story. In the end nothing is in flight beside the fills that the story still holds.
fn play(story: &[(u64, Act)]) {
    let mut played = Story::new();
    for (place, (seconds, act)) in story.iter().enumerate() {
        let step = std::panic::AssertUnwindSafe(|| played.act(*act, at(*seconds)));
        if let Err(failure) = std::panic::catch_unwind(step) {
            eprintln!("in step {place} of {story:#?}");
            std::panic::resume_unwind(failure);
        }
    }
    let held = played.fills.len() + usize::from(played.filling.is_some());
    assert!(played.cache.fills_in_flight() <= held, "a fill was left behind by {story:#?}");
    drop((played.fills, played.filling));
    assert_eq!(played.cache.fills_in_flight(), 0, "a fill was left behind by {story:#?}");
}

mod stories;
