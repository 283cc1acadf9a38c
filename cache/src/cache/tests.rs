//! The look-up as stories over time, in every order in which things may happen, and under many threads.

mod again;
mod bookkeeping;
mod eviction;
mod forgetting;
mod hammer;
mod limits;
mod listing;
mod model;
mod origin;
mod schedule;

use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::ACCEPT_LANGUAGE};

use super::{Asked, Cache, Lookup, Missing};
use crate::{
    Arrival, Awaited, BodyReader, DeclineReason, Demands, FailureKind, Fields, Fill, Filling, Heed, KeyParts, Moment,
    Policy, Pushed, Regime, ResponseHead, Scheme, Site, Spelling, Terms, Variance, Waiter, Window, Windows,
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

/// The key of a page of an upstream.
fn key_of(upstream: &str, path: &str) -> Vec<u8> {
    let site = Site { generation: "", upstream, scheme: Scheme::Http, host: None };
    let mut key = Vec::new();
    KeyParts { regime: Regime::Window, site, path, query: None, cookies: None, form: None }.write(&mut key);
    key
}

/// A request for a page in a language.
fn request(language: &str) -> HeaderMap {
    let mut request = HeaderMap::new();
    request.insert(ACCEPT_LANGUAGE, HeaderValue::from_str(language).unwrap());
    request
}

/// The policy of a route with these windows, whose pages differ in their language.
fn windowed(windows: Windows) -> Policy {
    Policy::Window(windows, Variance::new([ACCEPT_LANGUAGE], Spelling::AsSent))
}

/// Looks up a page in a language.
fn look(
    cache: &Cache<&'static str>,
    key: &[u8],
    language: &str,
    windows: Windows,
    now: Moment,
) -> Lookup<&'static str> {
    let (request, policy, demands) = (request(language), windowed(windows), Demands::default());
    cache.lookup(&Asked { key, request: &request, policy: &policy, demands: &demands }, now)
}

/// What happens next in a story.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// A visitor asks for the page in English, and this is the answer.
    Ask(&'static str),
    /// A visitor wants it confirmed first.
    AskAnew(&'static str),
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
    /// It fails because the handler was not asked.
    NotAsked,
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

/// A cache, and those who have to do with it.
struct Story {
    cache: Cache<&'static str>,
    windows: Windows,
    fills: Vec<Fill<&'static str>>,
    filling: Option<Filling<&'static str>>,
    waiting: Vec<Waiter<&'static str>>,
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
    fn ask(&mut self, language: &str, demands: &Demands, now: Moment) -> String {
        let (request, policy) = (request(language), windowed(self.windows));
        let answer = self.cache.lookup(&Asked { key: KEY, request: &request, policy: &policy, demands }, now);
        let words = answer_in_words(&answer);
        match answer {
            Lookup::Stale { refresh, .. } => self.fills.extend(refresh),
            Lookup::Collapsed { waiter, .. } => self.waiting.push(waiter),
            Lookup::Miss { fill, .. } => self.fills.push(fill),
            Lookup::Hit { .. } | Lookup::Pass(_) => {}
        }
        words
    }

    /// What those who wait have been told, in words.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        for waiter in std::mem::take(&mut self.waiting) {
            self.waiting.extend(hear(waiter, &mut told));
        }
        told
    }

    fn act(&mut self, act: Act, now: Moment) {
        match act {
            Act::Ask(expected) => self.act(Act::AskIn("en", expected), now),
            Act::AskAnew(expected) => {
                let demands = Demands { no_cache: true, ..Demands::default() };
                assert_eq!(self.ask("en", &demands, now), expected);
            }
            Act::AskIn(language, expected) => assert_eq!(self.ask(language, &Demands::default(), now), expected),
            Act::Told(expected) => assert_eq!(self.told(), expected),
            Act::Store(body) => self.act(Act::StoreAs(200, &[], body), now),
            Act::StoreAs(status, lines, body) => {
                let head = head(status, lines);
                let terms = Terms { arrival: Arrival::of(&head, Heed::Prohibitions, now), ..Terms::default() };
                let filling = self.fill().begin(head, now, terms).expect("it is short enough");
                assert_eq!(filling.finish(Bytes::from_static(body.as_bytes()), now), Pushed::Kept);
            }
            Act::Renew(expected) => {
                let renewed = self.fill().renew(&head(304, &[("x-confirmed", "1")]), now, Terms::default());
                assert_eq!(renewed.map(|response| text(&response.body())).as_deref(), expected);
            }
            Act::Decline(reason) => self.fill().decline(reason, now),
            Act::Fail => self.fill().fail("boom", FailureKind::Unreachable, now, 0.0),
            Act::NotAsked => self.fill().fail("busy", FailureKind::NotAsked, now, 0.0),
            Act::Drop => drop(self.fill()),
            Act::Begin => {
                let filling = self.fill().begin(head(200, &[]), now, Terms::default());
                self.filling = Some(filling.expect("it is short enough"));
            }
            Act::BeginTooLong(length) => {
                let begun = self.fill().begin(head(200, &[("content-length", length)]), now, Terms::default());
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

fn answer_in_words(answer: &Lookup<&'static str>) -> String {
    match answer {
        Lookup::Hit { response, ttl: Some(ttl) } => format!("hit {} ttl={}", text(&response.body()), ttl.as_secs()),
        Lookup::Hit { response, ttl: None } => format!("hit {}", text(&response.body())),
        Lookup::Stale { response, staleness, reason, refresh } => {
            let refreshes = if refresh.is_some() { " refresh" } else { "" };
            assert!(refresh.as_ref().is_none_or(|fill| fill.missing() == Missing::Stale));
            format!("stale {} {} {}{refreshes}", text(&response.body()), staleness.as_secs(), reason.as_str())
        }
        Lookup::Collapsed { missing, .. } => format!("collapsed {}", name(*missing)),
        Lookup::Miss { fill, missing } => {
            assert_eq!(fill.missing(), *missing);
            let old = fill.old().map(|old| format!(" old={}", text(&old.body())));
            format!("miss {}{}", name(*missing), old.unwrap_or_default())
        }
        Lookup::Pass(reason) => format!("pass {}", reason.as_str()),
    }
}

fn name(missing: Missing) -> &'static str {
    match missing {
        Missing::Uri => "uri",
        Missing::Vary => "vary",
        Missing::Stale => "stale",
        Missing::Request => "request",
        Missing::Partial => "partial",
        Missing::Invalidated => "invalidated",
    }
}

fn text(body: &Bytes) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

/// Notes what someone who waits has been told by now, and gives them back if they go on waiting.
fn hear(mut waiter: Waiter<&'static str>, told: &mut Vec<String>) -> Option<Waiter<&'static str>> {
    loop {
        let heard = std::pin::pin!(waiter.wait()).poll(&mut Context::from_waker(Waker::noop()));
        match heard {
            Poll::Pending => return Some(waiter),
            Poll::Ready(interim @ Awaited::Interim(_)) => told.push(in_words(interim)),
            Poll::Ready(last) => {
                drop(waiter);
                told.push(in_words(last));
                return None;
            }
        }
    }
}

fn in_words(awaited: Awaited<&'static str>) -> String {
    match awaited {
        Awaited::Interim(head) => format!("interim {}", head.status.as_u16()),
        Awaited::Streaming(_, reader) => streams(reader),
        Awaited::Alone(Some(reason), _, reader) => format!("alone {} {}", reason.as_str(), streams(reader)),
        Awaited::Alone(None, _, reader) => format!("alone {}", streams(reader)),
        Awaited::Renewed(response, _) => format!("renewed {}", text(&response.body())),
        Awaited::Declined(reason) => format!("declined {}", reason.as_str()),
        Awaited::Failed(failure) => format!("failed {failure}"),
        Awaited::Unrelated | Awaited::Outdated => "unrelated".to_owned(),
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
mod versions;

/// What becomes of a fill, seconds, and what a visitor gets then.
type Known = (&'static [(u64, Act)], u64, &'static str);

/// Hits, and what is declined on a route with a window, wait for nobody.
#[test]
fn what_is_known_waits_for_no_lock() {
    let ends: [Known; 4] = [
        (&[(0, Act::Store("one"))], 0, "hit one ttl=60"),
        (&[(0, Act::Decline(DeclineReason::Private))], 0, "pass private"),
        (&[(0, Act::Decline(DeclineReason::Private))], 9, "pass private"),
        (
            &[(0, Act::Store("one")), (60, Act::Ask("stale one 0 revalidating refresh")), (60, Act::Fail)],
            61,
            "stale one 1 error",
        ),
    ];
    for (end, seconds, expected) in ends {
        let mut story = Story::new();
        story.act(Act::Ask("miss uri"), at(0));
        for (then, act) in end {
            story.act(*act, at(*then));
        }
        let cache = &story.cache;
        std::thread::scope(|scope| {
            let held = cache.shared.flights.lock(KEY);
            let (tell, told) = std::sync::mpsc::channel();
            scope.spawn(move || tell.send(answer_in_words(&look(cache, KEY, "en", WINDOWS, at(seconds)))));
            let found = told.recv_timeout(Duration::from_secs(20));
            drop(held);
            assert_eq!(found.as_deref(), Ok(expected));
        });
    }
}
