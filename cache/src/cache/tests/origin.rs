//! Pages that live by their handler's word, second by second.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT_LANGUAGE;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Line, answer_in_words, at, head, in_words, name, text};
use crate::cache::{Asked, Cache, Lookup};
use crate::word::age_value;
use crate::{
    Alone, Audience, Awaited, CACHE_GROUPS, Coding, Dating, DeclineReason, Demands, Extent, FailureKind, Fields, Fill,
    Filling, Groups, Heuristic, Moment, OriginRules, OriginVerdict, PartTerms, Policy, Pushed, Recoding, ResponseHead,
    Spelling, StoredResponse, Storing, Tagging, Terms, Update, Variance, Variant, Waiter,
};

/// No body of a story is kept above this.
const MAX_BODY: u64 = 100;

const PAGE: &str = "page";
const OTHER: &str = "other";

const RULES: OriginRules = OriginRules {
    expire: Duration::from_secs(600),
    stale_if_error: Duration::from_secs(300),
    heuristic: Heuristic::Never,
    written: &[],
};

/// Requests.
const PLAIN: &[Line] = &[];
const EN: &[Line] = &[("accept-language", "en")];
const DE: &[Line] = &[("accept-language", "de")];
const FR: &[Line] = &[("accept-language", "fr")];

/// Fields of answers.
const MINUTE: Line = ("cache-control", "max-age=60");
const BY_LANGUAGE: Line = ("vary", "accept-language");
const TAGGED: Line = ("etag", "\"1\"");
const IN_X: Line = ("cache-groups", "\"x\"");

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// A visitor asks for a page with these fields, and this is the answer. Who has the handler asked waits for what comes.
    Ask(&'static str, &'static [Line], &'static str),
    /// What those who wait have been told by now.
    Told(&'static [&'static str]),
    /// The latest fill gets an interim answer.
    Interim(Audience, u16),
    /// The latest fill gets an answer, all at once.
    Answer(u16, &'static [Line], &'static str),
    /// The latest fill gets the head of one that is kept, and the beginning of its body.
    Begin(&'static [Line], &'static str),
    /// The first response that has begun ends with this.
    Finish(&'static str),
    /// The latest fill gets a 304.
    Confirm(&'static [Line]),
    /// The latest fill gets what answers the conditions of whoever asked.
    Theirs(u16, Option<DeclineReason>, &'static str),
    /// The latest fill fails in this way.
    Fail(FailureKind),
    /// The first response that has begun breaks off.
    Break,
    /// A page is made invalid; so many responses were stored for it.
    Forget(&'static str, usize),
    /// Groups are made invalid.
    ForgetGroups(&'static str),
    /// The handler is asked by a HEAD for a page that came with these fields, and answers at once.
    Head(&'static str, &'static [Line], &'static [Line]),
    /// It is asked, and thinks.
    AskHead(&'static str, &'static [Line]),
    /// It answers the first HEAD that it thinks about.
    AnswerHead(u16, &'static [Line]),
    /// What may answer a request without asking the handler.
    Glance(&'static str, &'static [Line], &'static str),
    /// What helps out when the handler fails.
    Despite(FailureKind, &'static [Line], Option<(&'static str, u64)>),
}

use Act::{
    Answer, AnswerHead, Ask, AskHead, Begin, Break, Confirm, Despite, Fail, Finish, Forget, ForgetGroups, Glance, Head,
    Interim, Theirs, Told,
};

/// A gateway's part in it: it asks the handler, and does what the rules say.
struct Site {
    cache: Cache<&'static str>,
    policy: Policy,
    fills: Vec<(Fill<&'static str>, HeaderMap)>,
    fillings: Vec<Filling<&'static str>>,
    waiting: Vec<(Waiter<&'static str>, HeaderMap)>,
    heads: Vec<AskedByHead>,
}

/// A page, the fields of the request for it, when it was sent, and where it stands among the invalidations.
type AskedByHead = (&'static str, &'static [Line], (Moment, u64));

fn request(lines: &[Line]) -> HeaderMap {
    let line = |(name, value): &Line| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value));
    lines.iter().map(line).collect()
}

/// The site of every page.
const SITE: &[u8] = b"a site";

fn groups(fields: &Fields) -> Groups {
    Groups::of(fields, &CACHE_GROUPS, SITE)
}

/// What a 304 or the answer to a HEAD says, to a request with these fields.
fn update<'a>(head: &'a ResponseHead, request: &'a HeaderMap, received: Moment) -> Update<'a> {
    Update { head, request, received, age: age_value(head), site: SITE, dating: Dating::ByHandler }
}

/// The terms on which an answer to a request is kept.
fn terms(storing: Storing, request: &HeaderMap, head: &ResponseHead) -> Terms {
    Terms {
        initial_age: Some(age_value(head)),
        variant: Some(Variant::of(&storing.variance, request)),
        unshared: storing.unshared,
        sharing: storing.sharing,
        tagging: Tagging::Never,
        groups: groups(&head.fields),
        recoding: Recoding::Never,
        dating: Dating::ByHandler,
    }
}

impl Site {
    fn new() -> Site {
        let (cache, policy) = (Cache::new(1 << 20, MAX_BODY), Policy::Origin(RULES));
        Site { cache, policy, fills: Vec::new(), fillings: Vec::new(), waiting: Vec::new(), heads: Vec::new() }
    }

    fn asked<T>(&self, page: &str, lines: &[Line], ask: impl FnOnce(&Asked<'_>) -> T) -> T {
        let request = request(lines);
        let demands = Demands::of(&request);
        ask(&Asked { key: page.as_bytes(), request: &request, policy: &self.policy, demands: &demands })
    }

    fn ask(&mut self, page: &str, lines: &[Line], now: Moment) -> String {
        let answer = self.asked(page, lines, |asked| self.cache.lookup(asked, now));
        let words = answer_in_words(&answer);
        match answer {
            Lookup::Stale { refresh, .. } => self.fills.extend(refresh.map(|fill| (fill, request(lines)))),
            Lookup::Collapsed { waiter, .. } => self.waiting.push((waiter, request(lines))),
            Lookup::Miss { fill, .. } => {
                self.waiting.push((fill.waiter(), request(lines)));
                self.fills.push((fill, request(lines)));
            }
            Lookup::Hit { .. } | Lookup::Pass(_) => {}
        }
        words
    }

    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        for (mut waiter, request) in std::mem::take(&mut self.waiting) {
            loop {
                let heard = std::pin::pin!(waiter.wait()).poll(&mut Context::from_waker(Waker::noop()));
                match heard {
                    Poll::Pending => {
                        self.waiting.push((waiter, request));
                        break;
                    }
                    Poll::Ready(interim @ Awaited::Interim(_)) => told.push(in_words(interim)),
                    Poll::Ready(Awaited::Streaming(streaming, _)) if !streaming.variant().matches(&request) => {
                        told.push("for another".to_owned());
                        break;
                    }
                    Poll::Ready(Awaited::Renewed(_, variant)) if !variant.matches(&request) => {
                        told.push("for another".to_owned());
                        break;
                    }
                    Poll::Ready(last) => {
                        drop(waiter);
                        told.push(in_words(last));
                        break;
                    }
                }
            }
        }
        told
    }

    fn fill(&mut self) -> (Fill<&'static str>, HeaderMap) {
        self.fills.pop().expect("a story that answers a fill has one")
    }

    fn begin(&mut self, head: ResponseHead, now: Moment) -> Filling<&'static str> {
        let (fill, request) = self.fill();
        let Policy::Origin(rules) = &self.policy else { panic!("the stories are of origins") };
        match rules.judge(&head, &request, fill.old().map(Arc::as_ref), now, age_value(&head)) {
            OriginVerdict::Store(storing) => {
                let terms = terms(storing, &request, &head);
                fill.begin(head, now, terms).expect("it is short enough")
            }
            OriginVerdict::Decline(reason) => fill.relay(head, now, Alone::Declined(reason)),
            OriginVerdict::Failure => fill.relay(head, now, Alone::Failed("error", FailureKind::Answered, 0.0)),
        }
    }

    fn confirm(&mut self, not_modified: &ResponseHead, now: Moment) {
        let (fill, request) = self.fill();
        let old = Arc::clone(fill.old().expect("there is something to confirm"));
        match RULES.judge_update(&old, &update(not_modified, &request, now)) {
            Ok(terms) => {
                fill.renew(not_modified, now, terms).expect("there is something to confirm");
            }
            Err(reason) => fill.decline(reason, now),
        }
    }

    fn answer_head(&mut self, head: &ResponseHead, now: Moment) {
        let (page, lines, sent) = self.heads.remove(0);
        let request = request(lines);
        self.asked(page, lines, |asked| {
            self.cache
                .freshen(asked, (head, now), sent, |old| RULES.judge_update(old, &update(head, &request, now)).ok());
        });
    }

    fn glance(&self, page: &str, lines: &[Line], now: Moment) -> String {
        match self.asked(page, lines, |asked| self.cache.glance(asked, now)) {
            Err(missing) => name(missing).to_owned(),
            Ok(glance) => match glance.staleness {
                Ok(ttl) => format!("{} ttl={}", text(glance.response.body()), ttl.unwrap().as_secs()),
                Err((staleness, reason)) => {
                    format!("{} stale {} {}", text(glance.response.body()), staleness.as_secs(), reason.as_str())
                }
            },
        }
    }

    fn stored(&self, page: &str, lines: &[Line], now: Moment) -> Arc<StoredResponse> {
        self.asked(page, lines, |asked| self.cache.glance(asked, now)).expect("it is stored").response
    }

    fn act(&mut self, act: Act, now: Moment) {
        match act {
            Ask(page, lines, expected) => assert_eq!(self.ask(page, lines, now), expected),
            Told(expected) => assert_eq!(self.told(), expected),
            Interim(audience, status) => {
                let (fill, _) = self.fills.last().expect("a story with an interim answer has a fill");
                fill.interim(audience, head(status, &[]));
            }
            Answer(status, lines, body) => {
                let filling = self.begin(head(status, lines), now);
                let _ = filling.finish(Bytes::from_static(body.as_bytes()), now);
            }
            Begin(lines, piece) => {
                let mut filling = self.begin(head(200, lines), now);
                assert_eq!(filling.push(Bytes::from_static(piece.as_bytes()), now), Pushed::Kept);
                self.fillings.push(filling);
            }
            Finish(last) => {
                let filling = self.fillings.remove(0);
                let _ = filling.finish(Bytes::from_static(last.as_bytes()), now);
            }
            Confirm(lines) => self.confirm(&head(304, lines), now),
            Theirs(status, reason, body) => {
                let filling = self.fill().0.relay(head(status, &[]), now, Alone::Theirs(reason));
                let _ = filling.finish(Bytes::from_static(body.as_bytes()), now);
            }
            Fail(kind) => self.fill().0.fail("nobody", kind, now, 0.0),
            Break => self.fillings.remove(0).fail("broken", now, 0.0),
            Forget(page, expected) => assert_eq!(self.cache.invalidate(page.as_bytes()), expected),
            ForgetGroups(line) => {
                let fields = Fields::from_iter([(CACHE_GROUPS, HeaderValue::from_static(line))]);
                self.cache.invalidate_groups(&groups(&fields));
            }
            Head(page, lines, fields) => {
                self.act(AskHead(page, lines), now);
                self.act(AnswerHead(200, fields), now);
            }
            AskHead(page, lines) => self.heads.push((page, lines, (now, self.cache.invalidations()))),
            AnswerHead(status, fields) => self.answer_head(&head(status, fields), now),
            Glance(page, lines, expected) => assert_eq!(self.glance(page, lines, now), expected),
            Despite(failure, lines, expected) => {
                let found = self.asked(PAGE, lines, |asked| self.cache.despite(failure, asked, now));
                let found = found.map(|(response, staleness)| (text(response.body()), staleness.as_secs()));
                assert_eq!(found, expected.map(|(body, staleness)| (body.to_owned(), staleness)));
            }
        }
    }

    fn play(&mut self, story: &[(u64, Act)]) {
        for (place, (seconds, act)) in story.iter().enumerate() {
            let step = std::panic::AssertUnwindSafe(|| self.act(*act, at(*seconds)));
            if let Err(failure) = std::panic::catch_unwind(step) {
                eprintln!("in step {place} of {story:#?}");
                std::panic::resume_unwind(failure);
            }
        }
    }
}

/// Plays a story. In the end nothing is in flight beside the fills that the story still holds.
fn play(story: &[(u64, Act)]) {
    let mut site = Site::new();
    site.play(story);
    drop((site.fills, site.fillings));
    assert_eq!(site.cache.fills_in_flight(), 0, "a fill was left behind by {story:#?}");
}

#[test]
fn a_page_lives_as_long_as_its_handler_says() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (1, Answer(200, &[("cache-control", "max-age=60, stale-while-revalidate=10"), ("age", "20")], "one")),
        (1, Told(&["streams one.", "streams one."])),
        (1, Ask(PAGE, PLAIN, "hit one ttl=40")),
        (40, Ask(PAGE, PLAIN, "hit one ttl=1")),
        (41, Ask(PAGE, PLAIN, "stale one 0 revalidating refresh")),
        (50, Ask(PAGE, PLAIN, "stale one 9 revalidating")),
        // What is no longer offered is waited for, with the refresh that is under way.
        (51, Ask(PAGE, PLAIN, "collapsed stale")),
        (51, Confirm(&[("age", "5")])),
        (51, Told(&["renewed one"])),
        (51, Ask(PAGE, PLAIN, "hit one ttl=55")),
        // What the request wants counts too (RFC 9111 section 5.2.1).
        (60, Ask(PAGE, &[("cache-control", "max-age=14")], "hit one ttl=46")),
        (60, Ask(PAGE, &[("cache-control", "max-age=13")], "miss request old=one")),
        (60, Ask(PAGE, &[("cache-control", "no-cache")], "collapsed request")),
        (60, Ask(PAGE, PLAIN, "hit one ttl=46")),
        (61, Answer(200, &[MINUTE], "two")),
        (61, Told(&["streams two.", "streams two."])),
        (131, Ask(PAGE, &[("cache-control", "max-stale=10")], "stale two 10 asked")),
        (131, Ask(PAGE, &[("cache-control", "max-stale=9")], "miss stale old=two")),
    ]);
}

#[test]
fn variants_are_what_the_handler_tells() {
    play(&[
        // As long as nobody knows what splits the page, everyone waits for the first.
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Ask(PAGE, DE, "collapsed uri")),
        (0, Ask(PAGE, EN, "collapsed uri")),
        (1, Answer(200, &[MINUTE, BY_LANGUAGE], "one")),
        (1, Told(&["streams one.", "for another", "streams one."])),
        (1, Ask(PAGE, EN, "hit one ttl=60")),
        // From then on each language has a fill of its own.
        (1, Ask(PAGE, FR, "miss vary")),
        (1, Ask(PAGE, DE, "miss vary")),
        (1, Ask(PAGE, DE, "collapsed vary")),
        (1, Ask(PAGE, FR, "collapsed vary")),
        (2, Answer(200, &[MINUTE, BY_LANGUAGE], "eins")),
        (2, Told(&["streams eins.", "streams eins."])),
        (2, Ask(PAGE, DE, "hit eins ttl=60")),
        (2, Ask(PAGE, EN, "hit one ttl=59")),
        (3, Answer(200, &[MINUTE, BY_LANGUAGE], "un")),
        (3, Told(&["streams un.", "streams un."])),
        (3, Ask(PAGE, &[("accept-language", "FR;q=1.0")], "hit un ttl=60")),
        (3, Ask(PAGE, PLAIN, "miss vary")),
        // Each is confirmed for itself.
        (61, Ask(PAGE, EN, "miss stale old=one")),
        (61, Confirm(&[])),
        (61, Ask(PAGE, EN, "hit one ttl=60")),
        (61, Ask(PAGE, DE, "hit eins ttl=1")),
        (62, Ask(PAGE, DE, "miss stale old=eins")),
    ]);
}

/// A response in the language that a request wants most is what the handler would choose for it.
#[test]
fn a_response_in_the_right_language_is_selected() {
    const ENGLISH: &[Line] = &[MINUTE, BY_LANGUAGE, TAGGED, IN_X, ("content-language", "en")];
    play(&[
        (0, Ask(PAGE, FR, "miss uri")),
        (0, Answer(200, ENGLISH, "one")),
        (0, Ask(PAGE, EN, "hit one ttl=60")),
        (0, Ask(PAGE, &[("accept-language", "en-gb, en;q=0.9")], "miss vary")),
        (0, Ask(PAGE, DE, "miss vary")),
        (0, Answer(200, &[MINUTE, BY_LANGUAGE, ("content-language", "de")], "eins")),
        (0, Ask(PAGE, &[("accept-language", "de, en;q=0.5")], "hit eins ttl=60")),
        (0, Glance(PAGE, &[("accept-language", "en"), ("cache-control", "no-cache")], "vary")),
        // Only while it is fresh, and valid.
        (59, Glance(PAGE, EN, "one ttl=1")),
        (60, Glance(PAGE, EN, "vary")),
        (59, ForgetGroups("\"x\"")),
        (59, Glance(PAGE, EN, "vary")),
    ]);
}

#[test]
fn a_response_that_has_begun_shows_whom_it_is_for() {
    play(&[
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Begin(&[MINUTE, BY_LANGUAGE], "o")),
        // Those who come now are told apart, and their fills by the same fields.
        (0, Ask(PAGE, EN, "collapsed uri")),
        (0, Ask(PAGE, DE, "miss uri")),
        (0, Ask(PAGE, DE, "collapsed uri")),
        (0, Ask(PAGE, FR, "miss uri")),
        (0, Told(&["streams o...", "streams o..."])),
        (1, Answer(200, &[MINUTE, BY_LANGUAGE], "un")),
        (1, Told(&["streams un."])),
        (2, Answer(200, &[MINUTE, BY_LANGUAGE], "eins")),
        (2, Told(&["streams eins.", "streams eins."])),
        (3, Finish("ne")),
        (3, Ask(PAGE, EN, "hit one ttl=57")),
        (3, Ask(PAGE, DE, "hit eins ttl=59")),
        (3, Ask(PAGE, FR, "hit un ttl=58")),
    ]);
    // What splits a page may change: the latest response that a request selects answers it (RFC 9111 section 4.1).
    play(&[
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Answer(200, &[MINUTE], "all")),
        (60, Ask(PAGE, EN, "miss stale old=all")),
        (60, Answer(200, &[MINUTE, BY_LANGUAGE], "one")),
        (60, Ask(PAGE, EN, "hit one ttl=60")),
        (60, Ask(PAGE, DE, "miss stale old=all")),
        (60, Answer(200, &[MINUTE, BY_LANGUAGE], "eins")),
        (60, Ask(PAGE, DE, "hit eins ttl=60")),
        (60, Ask(PAGE, EN, "hit one ttl=60")),
        (120, Ask(PAGE, EN, "miss stale old=one")),
        (120, Answer(200, &[MINUTE], "everyone")),
        (120, Ask(PAGE, DE, "hit everyone ttl=60")),
        (120, Ask(PAGE, EN, "hit everyone ttl=60")),
    ]);
    // A confirmation may say so as well.
    play(&[
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "all")),
        (60, Ask(PAGE, EN, "miss stale old=all")),
        (60, Confirm(&[BY_LANGUAGE])),
        (60, Ask(PAGE, EN, "hit all ttl=60")),
        (60, Ask(PAGE, DE, "miss stale old=all")),
    ]);
    play(&[
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "all")),
        (0, Told(&["streams all."])),
        (60, Ask(PAGE, EN, "miss stale old=all")),
        (60, Ask(PAGE, DE, "collapsed stale")),
        (60, Confirm(&[BY_LANGUAGE])),
        (60, Told(&["renewed all", "for another"])),
    ]);
}

/// What has to be asked for each time, or is stale when it comes, goes to whoever asked; the others go on their own.
#[test]
fn what_is_not_for_those_who_wait() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (1, Answer(200, &[("cache-control", "no-cache"), TAGGED], "one")),
        (1, Told(&["streams one.", "declined no-cache", "declined no-cache"])),
        // The next who asks has its validator, and nobody queues behind them.
        (1, Ask(PAGE, PLAIN, "miss stale old=one")),
        (1, Ask(PAGE, PLAIN, "pass no-cache")),
        (2, Confirm(&[])),
        (2, Told(&["renewed one"])),
        (2, Ask(PAGE, PLAIN, "miss stale old=one")),
        // Once it is for everyone, those who come later share it.
        (3, Begin(&[MINUTE], "tw")),
        (3, Ask(PAGE, PLAIN, "pass no-cache")),
        (3, Finish("o")),
        (3, Ask(PAGE, PLAIN, "hit two ttl=60")),
    ]);
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Begin(&[("cache-control", "max-age=0"), TAGGED], "on")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (0, Told(&["streams on...", "declined no-lifetime"])),
        (1, Finish("e")),
        (1, Ask(PAGE, PLAIN, "miss stale old=one")),
        (1, Ask(PAGE, PLAIN, "pass no-lifetime")),
    ]);
    // Where the old one may help out, one waits for that, and goes on alone where it need not.
    const HELPS: &[Line] = &[("cache-control", "max-age=0, stale-if-error=60"), TAGGED];
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, HELPS, "one")),
        (0, Told(&["streams one."])),
        (1, Ask(PAGE, PLAIN, "miss stale old=one")),
        (1, Ask(PAGE, PLAIN, "collapsed stale")),
        (1, Ask(PAGE, &[("cache-control", "no-cache")], "pass no-lifetime")),
        (1, Answer(503, &[], "sorry")),
        (1, Told(&["alone streams sorry.", "failed error"])),
        (1, Despite(FailureKind::Answered, PLAIN, Some(("one", 1)))),
        (4, Ask(PAGE, PLAIN, "miss stale old=one")),
        (4, Ask(PAGE, PLAIN, "collapsed stale")),
        (4, Answer(200, HELPS, "two")),
        (4, Told(&["streams two.", "declined no-lifetime"])),
        (64, Ask(PAGE, PLAIN, "miss stale old=two")),
        (64, Ask(PAGE, PLAIN, "pass no-lifetime")),
    ]);
    // A confirmation that takes the freshness away takes the sharing away.
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Ask(PAGE, PLAIN, "collapsed stale")),
        (61, Confirm(&[("cache-control", "max-age=0")])),
        (61, Told(&["streams one.", "renewed one", "declined no-lifetime"])),
        (61, Ask(PAGE, PLAIN, "miss stale old=one")),
        (61, Ask(PAGE, PLAIN, "pass no-lifetime")),
    ]);
}

/// Promise 1: what is not kept goes to whoever asked, whose whole request the handler saw, and to nobody else.
#[test]
fn promise_1_what_is_declined_goes_to_the_asker_alone() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (1, Answer(200, &[("cache-control", "private")], "mine")),
        (1, Told(&["alone private streams mine.", "declined private"])),
        // The next who comes asks again: that costs no more than passing, and the answer may be one to keep. Nobody queues.
        (1, Ask(PAGE, PLAIN, "miss uri")),
        (1, Ask(PAGE, PLAIN, "pass private")),
        (1, Ask(PAGE, PLAIN, "pass private")),
        (2, Answer(200, &[("set-cookie", "a=b"), MINUTE], "mine")),
        (2, Told(&["alone set-cookie streams mine."])),
        (2, Ask(PAGE, PLAIN, "miss uri")),
        (2, Ask(PAGE, PLAIN, "pass set-cookie")),
        (3, Answer(200, &[MINUTE], "ours")),
        (3, Told(&["streams ours."])),
        (3, Ask(PAGE, PLAIN, "hit ours ttl=60")),
        // What is kept is removed by what is not.
        (63, Ask(PAGE, PLAIN, "miss stale old=ours")),
        (63, Answer(200, &[("cache-control", "no-store")], "mine")),
        (63, Glance(PAGE, PLAIN, "uri")),
        // A mark that has run out counts no longer.
        (72, Ask(PAGE, PLAIN, "miss uri")),
        (72, Ask(PAGE, PLAIN, "pass no-store")),
        (73, Ask(PAGE, PLAIN, "collapsed uri")),
    ]);
    // One variant's mark is not the other's.
    play(&[
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Answer(200, &[MINUTE, BY_LANGUAGE], "one")),
        (0, Ask(PAGE, DE, "miss vary")),
        (0, Answer(200, &[("cache-control", "private"), BY_LANGUAGE], "meins")),
        (0, Ask(PAGE, DE, "miss uri")),
        (0, Ask(PAGE, DE, "pass private")),
        (0, Ask(PAGE, EN, "hit one ttl=60")),
        (0, Ask(PAGE, FR, "miss vary")),
        (0, Ask(PAGE, FR, "collapsed vary")),
    ]);
    // Whoever asked may be gone: then nobody gets it.
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Ask(PAGE, PLAIN, "collapsed uri"))]);
    drop(site.waiting.remove(0));
    site.play(&[(0, Answer(200, &[("cache-control", "private")], "mine")), (0, Told(&["declined private"]))]);
}

/// An answer to the conditions of whoever asked says nothing about what is stored, nor to anyone else.
#[test]
fn what_answers_the_conditions_of_one_is_for_nobody_else() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (0, Theirs(304, None, "")),
        (0, Told(&["alone streams .", "unrelated"])),
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Theirs(412, Some(DeclineReason::Private), "no")),
        (60, Told(&["streams one.", "alone private streams no."])),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Confirm(&[])),
        (60, Ask(PAGE, PLAIN, "hit one ttl=60")),
    ]);
}

#[test]
fn promise_5_failures_keep_what_there_is() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (0, Answer(503, &[], "sorry")),
        (0, Told(&["alone streams sorry.", "failed error"])),
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE], "one")),
        (70, Ask(PAGE, PLAIN, "miss stale old=one")),
        (70, Fail(FailureKind::Unreachable)),
        // While the next attempt waits, what nobody can be asked about is served (RFC 9111 section 4.2.4).
        (71, Ask(PAGE, PLAIN, "stale one 11 error")),
        (71, Ask(PAGE, &[("cache-control", "no-cache")], "miss stale old=one")),
        (71, Answer(503, &[MINUTE], "sorry")),
        // After an answer that is an error, only what was offered (RFC 5861 section 4).
        (72, Ask(PAGE, PLAIN, "miss stale old=one")),
        (72, Fail(FailureKind::Unreachable)),
        (73, Ask(PAGE, PLAIN, "stale one 13 error")),
        (84, Ask(PAGE, PLAIN, "miss stale old=one")),
        (84, Confirm(&[])),
        (84, Ask(PAGE, PLAIN, "hit one ttl=60")),
        (145, Ask(PAGE, PLAIN, "miss stale old=one")),
        (145, Fail(FailureKind::Unreachable)),
        (147, Ask(PAGE, PLAIN, "stale one 3 error")),
        (148, Ask(PAGE, PLAIN, "miss stale old=one")),
    ]);
    // What must be asked about is not served unasked, come what may (section 5.2.2.2).
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[("cache-control", "max-age=60, must-revalidate, stale-if-error=600")], "one")),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Fail(FailureKind::Unreachable)),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Despite(FailureKind::Unreachable, PLAIN, None)),
    ]);
    // An error with a life of its own is kept where there is nothing better.
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(503, &[MINUTE], "sorry")),
        (0, Ask(PAGE, PLAIN, "hit sorry ttl=60")),
        (60, Ask(PAGE, PLAIN, "miss stale old=sorry")),
        (60, Answer(500, &[MINUTE], "very sorry")),
        (60, Ask(PAGE, PLAIN, "hit very sorry ttl=60")),
    ]);
}

/// What is fresh needs nobody: who wanted something else and did not get it keeps the handler from no one.
#[test]
fn a_failure_that_one_request_wanted_is_no_trouble() {
    const FRESH: &[Line] = &[("cache-control", "no-cache")];
    const OFFERED: &[Line] = &[("cache-control", "max-age=60, stale-while-revalidate=60, stale-if-error=60"), TAGGED];
    let ends: [&[(u64, Act)]; 5] = [
        &[(59, Fail(FailureKind::Unreachable))],
        &[(59, Fail(FailureKind::Answered))],
        &[(59, Fail(FailureKind::NotAsked))],
        &[(59, Answer(503, &[], "sorry"))],
        &[(59, Begin(OFFERED, "tw")), (59, Break)],
    ];
    for end in ends {
        let mut site = Site::new();
        site.play(&[
            (0, Ask(PAGE, PLAIN, "miss uri")),
            (0, Answer(200, OFFERED, "one")),
            (59, Ask(PAGE, FRESH, "miss request old=one")),
        ]);
        site.play(end);
        site.play(&[
            (59, Ask(PAGE, PLAIN, "hit one ttl=1")),
            (60, Ask(PAGE, PLAIN, "stale one 0 revalidating refresh")),
            // What fails now does.
            (60, Fail(FailureKind::Answered)),
            (60, Ask(PAGE, PLAIN, "stale one 0 error")),
        ]);
    }
    // Where it may not be served while it is asked about, the handler is asked at once.
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (59, Ask(PAGE, FRESH, "miss request old=one")),
        (59, Fail(FailureKind::Unreachable)),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Fail(FailureKind::Unreachable)),
        (60, Ask(PAGE, PLAIN, "stale one 0 error")),
    ]);
}

/// A gateway that has too much to do is no handler that cannot be reached: what was offered is served, and nothing else.
#[test]
fn who_was_not_asked_has_not_failed() {
    const OFFERED: &[Line] = &[("cache-control", "max-age=60, stale-if-error=60"), TAGGED];
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (30, Despite(FailureKind::NotAsked, PLAIN, None)),
        (70, Ask(PAGE, PLAIN, "miss stale old=one")),
        (70, Fail(FailureKind::NotAsked)),
        (70, Despite(FailureKind::NotAsked, PLAIN, None)),
        (70, Ask(PAGE, PLAIN, "miss stale old=one")),
        (70, Fail(FailureKind::Unreachable)),
        (70, Ask(PAGE, PLAIN, "stale one 10 error")),
    ]);
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, OFFERED, "one")),
        (70, Ask(PAGE, PLAIN, "miss stale old=one")),
        (70, Fail(FailureKind::NotAsked)),
        (70, Despite(FailureKind::NotAsked, PLAIN, None)),
        (70, Ask(PAGE, PLAIN, "stale one 10 error")),
    ]);
}

#[test]
fn what_helps_out_is_told_without_a_look_up() {
    use FailureKind::{Answered, Unreachable};
    play(&[
        (0, Despite(Unreachable, PLAIN, None)),
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Answer(200, &[("cache-control", "max-age=60, stale-if-error=10"), BY_LANGUAGE, IN_X], "one")),
        (10, Despite(Unreachable, EN, Some(("one", 0)))),
        (69, Despite(Answered, EN, Some(("one", 9)))),
        (70, Despite(Answered, EN, None)),
        (70, Despite(Unreachable, EN, Some(("one", 10)))),
        (70, Despite(Unreachable, DE, None)),
        (360, Despite(Unreachable, EN, Some(("one", 300)))),
        (361, Despite(Unreachable, EN, None)),
        // What was made invalid helps nobody.
        (70, ForgetGroups("\"x\"")),
        (70, Despite(Unreachable, EN, None)),
        (70, Ask(PAGE, EN, "miss stale")),
        (70, Answer(200, &[("cache-control", "private")], "mine")),
        (70, Despite(Unreachable, EN, None)),
    ]);
}

#[test]
fn a_glance_begins_nothing() {
    let mut site = Site::new();
    site.play(&[
        (0, Glance(PAGE, EN, "uri")),
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Glance(PAGE, EN, "uri")),
        (0, Answer(200, &[("cache-control", "max-age=60, stale-while-revalidate=10"), BY_LANGUAGE], "one")),
        (0, Glance(PAGE, EN, "one ttl=60")),
        (0, Glance(PAGE, DE, "vary")),
        (0, Glance(PAGE, &[("accept-language", "en"), ("cache-control", "no-cache")], "request")),
        (65, Glance(PAGE, EN, "one stale 5 revalidating")),
        (70, Glance(PAGE, EN, "stale")),
        (75, Glance(PAGE, &[("accept-language", "en"), ("cache-control", "max-stale")], "one stale 15 asked")),
        (75, Ask(PAGE, DE, "miss vary")),
        (75, Answer(200, &[("cache-control", "private")], "meins")),
        (75, Glance(PAGE, DE, "uri")),
    ]);
    assert_eq!(site.cache.fills_in_flight(), 0);
}

#[test]
fn promise_4_an_invalidation_beats_a_fill_that_began_before() {
    play(&[
        (0, Forget(PAGE, 0)),
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Begin(&[MINUTE], "o")),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (1, Forget(PAGE, 0)),
        // Nobody who comes afterwards waits for it.
        (1, Ask(PAGE, PLAIN, "miss uri")),
        (1, Told(&["streams o...", "streams o..."])),
        (2, Finish("ld")),
        (2, Glance(PAGE, PLAIN, "uri")),
        (2, Ask(PAGE, PLAIN, "collapsed uri")),
        (3, Answer(200, &[MINUTE], "new")),
        (3, Told(&["streams new.", "streams new."])),
        (3, Ask(PAGE, PLAIN, "hit new ttl=60")),
    ]);
    // Whatever it comes to: what it would have removed, confirmed or marked is not its own any more.
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (60, Ask(PAGE, PLAIN, "miss stale old=one")),
        (60, Forget(PAGE, 1)),
        (61, Confirm(&[])),
        (61, Glance(PAGE, PLAIN, "uri")),
        (61, Ask(PAGE, PLAIN, "miss uri")),
        (61, Forget(PAGE, 0)),
        (62, Answer(200, &[("cache-control", "private")], "mine")),
        (62, Ask(PAGE, PLAIN, "miss uri")),
        (62, Ask(PAGE, PLAIN, "collapsed uri")),
        (62, Forget(PAGE, 0)),
        (62, Ask(PAGE, PLAIN, "miss uri")),
        (62, Answer(200, &[MINUTE], "new")),
        (63, Answer(503, &[], "old")),
        (63, Ask(PAGE, PLAIN, "hit new ttl=59")),
    ]);
    // Every variant goes, the others' fills too, and no other page.
    play(&[
        (0, Ask(PAGE, EN, "miss uri")),
        (0, Answer(200, &[MINUTE, BY_LANGUAGE], "one")),
        (0, Ask(PAGE, DE, "miss vary")),
        (0, Answer(200, &[MINUTE, BY_LANGUAGE], "eins")),
        (0, Ask(OTHER, EN, "miss uri")),
        (0, Answer(200, &[MINUTE], "other")),
        (0, Ask(PAGE, FR, "miss vary")),
        (0, Forget(PAGE, 2)),
        (0, Glance(PAGE, EN, "uri")),
        (0, Glance(PAGE, DE, "uri")),
        (0, Ask(OTHER, EN, "hit other ttl=60")),
        (1, Answer(200, &[MINUTE, BY_LANGUAGE], "un")),
        (1, Glance(PAGE, FR, "uri")),
    ]);
}

/// RFC 9875: what is of a group is forgotten together.
#[test]
fn promise_4_groups_are_forgotten_together() {
    const IN_BOTH: Line = ("cache-groups", "\"y\", \"x\"");
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED, IN_X], "one")),
        (0, Ask(OTHER, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, IN_BOTH], "other")),
        (1, ForgetGroups("\"z\", \"X\"")),
        (1, Ask(PAGE, PLAIN, "hit one ttl=59")),
        (1, ForgetGroups("\"x\"")),
        (1, Glance(PAGE, PLAIN, "stale")),
        // It is not even good to ask with.
        (1, Ask(OTHER, PLAIN, "miss stale")),
        (1, Ask(PAGE, PLAIN, "miss stale")),
        (2, Answer(200, &[MINUTE, IN_X], "two")),
        (2, Ask(PAGE, PLAIN, "hit two ttl=60")),
        (2, Answer(200, &[MINUTE], "another")),
        (2, ForgetGroups("\"x\"")),
        // What is in no group any more is not reached.
        (2, Ask(OTHER, PLAIN, "hit another ttl=60")),
        (2, Ask(PAGE, PLAIN, "miss stale")),
        // Nor does it help out when the handler fails.
        (3, Fail(FailureKind::Unreachable)),
        (3, Ask(PAGE, PLAIN, "miss stale")),
    ]);
    // A fill that began before lands as what is of no use, and so does a confirmation.
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, ForgetGroups("\"x\"")),
        (1, Answer(200, &[MINUTE, TAGGED, IN_X], "one")),
        (1, Ask(PAGE, PLAIN, "miss stale")),
        (2, Answer(200, &[MINUTE, TAGGED, IN_X], "two")),
        (2, Ask(PAGE, PLAIN, "hit two ttl=60")),
        (62, Ask(PAGE, PLAIN, "miss stale old=two")),
        (62, ForgetGroups("\"x\"")),
        (63, Confirm(&[])),
        (63, Ask(PAGE, PLAIN, "miss stale")),
    ]);
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Begin(&[MINUTE, IN_X], "on")),
        (0, ForgetGroups("\"x\"")),
        (1, Finish("e")),
        (1, Ask(PAGE, PLAIN, "miss stale")),
    ]);
    // Who comes after the invalidation does not wait for what began before it; nor does who waited when its groups come.
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, ForgetGroups("\"x\"")),
        (1, Ask(PAGE, PLAIN, "collapsed uri")),
        (1, Begin(&[MINUTE, IN_X], "on")),
        (1, Told(&["streams on...", "unrelated"])),
        (1, Ask(PAGE, PLAIN, "miss uri")),
        (1, Ask(PAGE, PLAIN, "collapsed uri")),
        (2, Finish("e")),
        (2, Ask(PAGE, PLAIN, "collapsed stale")),
        (3, Answer(200, &[MINUTE, IN_X], "two")),
        (3, Told(&["streams two.", "streams two.", "streams two."])),
        (3, Ask(PAGE, PLAIN, "hit two ttl=60")),
    ]);
    // A page that is made invalid takes those with it that share a group (section 2.2.1).
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, IN_X], "one")),
        (0, Ask(OTHER, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, IN_BOTH], "other")),
        (0, Forget(OTHER, 1)),
        (0, Ask(PAGE, PLAIN, "miss stale")),
        (0, Answer(200, &[MINUTE, ("cache-groups", "\"y\"")], "two")),
        (0, Forget("a third", 0)),
        (0, Ask(PAGE, PLAIN, "hit two ttl=60")),
    ]);
}

/// RFC 9111 section 4.3.5.
#[test]
fn a_head_freshens_or_forgets() {
    const LENGTH: Line = ("content-length", "3");
    let stored: [(u64, Act); 2] =
        [(0, Ask(PAGE, EN, "miss uri")), (0, Answer(200, &[MINUTE, TAGGED, BY_LANGUAGE], "one"))];
    // The HEAD's request, its answer half a minute later, and what there is then.
    let cases: [(&[Line], &[Line], &'static str); 20] = [
        (EN, &[TAGGED], "one ttl=60"),
        (EN, &[LENGTH], "one ttl=60"),
        (EN, &[TAGGED, LENGTH, MINUTE], "one ttl=60"),
        (EN, &[TAGGED, ("cache-control", "max-age=90")], "one ttl=90"),
        (EN, &[TAGGED, ("age", "20")], "one ttl=40"),
        // Nothing tells whether it is about what is stored.
        (EN, &[], "one ttl=30"),
        (EN, &[("cache-control", "max-age=90")], "one ttl=30"),
        (EN, &[("age", "20")], "one ttl=30"),
        (EN, &[("etag", "\"2\"")], "uri"),
        (EN, &[("etag", "W/\"1\"")], "uri"),
        (EN, &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")], "uri"),
        (EN, &[TAGGED, ("content-length", "4")], "uri"),
        (EN, &[TAGGED, ("content-length", "three")], "uri"),
        (EN, &[LENGTH, ("etag", "\"2\"")], "uri"),
        (EN, &[("etag", "\"2\""), ("cache-control", "max-age=0")], "uri"),
        // What is for whoever asked says nothing of what others get.
        (EN, &[TAGGED, ("cache-control", "private")], "one ttl=30"),
        (EN, &[TAGGED, ("set-cookie", "a=b")], "one ttl=30"),
        (EN, &[TAGGED, ("vary", "*")], "one ttl=30"),
        (EN, &[("etag", "\"2\""), ("cache-control", "private")], "one ttl=30"),
        // It is about what it selects (section 4.1).
        (DE, &[("etag", "\"2\"")], "one ttl=30"),
    ];
    for (asked, fields, expected) in cases {
        let mut site = Site::new();
        site.play(&stored);
        site.play(&[(30, Head(PAGE, asked, fields)), (30, Glance(PAGE, EN, expected))]);
        assert_eq!(site.cache.fills_in_flight(), 0);
    }
    let mut site = Site::new();
    site.play(&[(0, Head(PAGE, EN, &[TAGGED])), (0, Glance(PAGE, EN, "uri"))]);
    // Other variants stay.
    site.play(&stored);
    site.play(&[
        (10, Ask(PAGE, DE, "miss vary")),
        (10, Answer(200, &[MINUTE, BY_LANGUAGE], "eins")),
        (20, Head(PAGE, EN, &[("etag", "\"2\"")])),
        (20, Glance(PAGE, EN, "vary")),
        (20, Glance(PAGE, DE, "eins ttl=50")),
    ]);
}

/// The terms may leave the age to the answer, as they may for a fill.
#[test]
fn a_head_says_its_own_age() {
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Answer(200, &[MINUTE], "one"))]);
    let head = head(200, &[("age", "20"), ("content-length", "3")]);
    let sent = (at(30), site.cache.invalidations());
    site.asked(PAGE, PLAIN, |asked| site.cache.freshen(asked, (&head, at(30)), sent, |_| Some(Terms::default())));
    site.play(&[(30, Glance(PAGE, PLAIN, "one ttl=40"))]);
}

/// What is there is newer than what the handler saw when it was asked: whatever it says, that is not about it.
#[test]
fn a_head_says_nothing_of_what_came_after_it() {
    // The answer, and what there is if it comes in time.
    let cases: [(u16, &[Line], &'static str); 3] = [
        (200, &[TAGGED, ("cache-control", "max-age=90")], "one ttl=90"),
        (200, &[("etag", "\"2\"")], "uri"),
        (404, &[TAGGED], "uri"),
    ];
    for (status, fields, in_time) in cases {
        play(&[
            (9, AskHead(PAGE, PLAIN)),
            (10, AskHead(PAGE, PLAIN)),
            (10, Ask(PAGE, PLAIN, "miss uri")),
            (10, Answer(200, &[MINUTE, TAGGED], "one")),
            (20, AnswerHead(status, fields)),
            (20, Glance(PAGE, PLAIN, "one ttl=50")),
            // Sent when the other came, it may have seen it.
            (20, AnswerHead(status, fields)),
            (20, Glance(PAGE, PLAIN, in_time)),
        ]);
        // A confirmation is as good as a new one.
        play(&[
            (0, Ask(PAGE, PLAIN, "miss uri")),
            (0, Answer(200, &[MINUTE, TAGGED], "one")),
            (59, AskHead(PAGE, PLAIN)),
            (60, Ask(PAGE, PLAIN, "miss stale old=one")),
            (60, Confirm(&[])),
            (61, AnswerHead(status, fields)),
            (61, Glance(PAGE, PLAIN, "one ttl=59")),
        ]);
    }
}

/// Promise 4: an answer to a HEAD may have been made before an invalidation that it comes after.
#[test]
fn promise_4_a_head_does_not_undo_an_invalidation() {
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED, IN_X], "one")),
        (1, ForgetGroups("\"x\"")),
        (2, Head(PAGE, PLAIN, &[TAGGED])),
        (2, Glance(PAGE, PLAIN, "stale")),
        (2, Ask(PAGE, PLAIN, "miss stale")),
        (2, Answer(200, &[MINUTE, TAGGED, IN_X], "two")),
        (2, Glance(PAGE, PLAIN, "two ttl=60")),
    ]);
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (1, Forget(PAGE, 1)),
        (2, Head(PAGE, PLAIN, &[TAGGED])),
        (2, Glance(PAGE, PLAIN, "uri")),
    ]);
    // One that was under way changes nothing, whatever was made invalid.
    for invalidate in [Forget(OTHER, 0), ForgetGroups("\"y\""), ForgetGroups("\"x\"")] {
        let then = if matches!(invalidate, ForgetGroups("\"x\"")) { "stale" } else { "one ttl=58" };
        for fields in [&[TAGGED, ("cache-control", "max-age=90")][..], &[("etag", "\"2\"")]] {
            play(&[
                (0, Ask(PAGE, PLAIN, "miss uri")),
                (0, Answer(200, &[MINUTE, TAGGED, IN_X], "one")),
                (1, AskHead(PAGE, PLAIN)),
                (1, invalidate),
                (2, AnswerHead(200, fields)),
                (2, Glance(PAGE, PLAIN, then)),
            ]);
        }
    }
    // Groups that it learns of too late to be reached by what was said of them before.
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, TAGGED], "one")),
        (1, AskHead(PAGE, PLAIN)),
        (1, ForgetGroups("\"x\"")),
        (2, AnswerHead(200, &[TAGGED, IN_X])),
        (2, Glance(PAGE, PLAIN, "one ttl=58")),
    ]);
}

/// Fields that are for whoever asked (RFC 9111 sections 5.2.2.4 and 5.2.2.7) reach nobody else, in whatever answer they come.
#[test]
fn promise_1_fields_for_the_asker_are_not_kept() {
    const OURS: &[Line] =
        &[("cache-control", "max-age=60, private=\"x-user\""), TAGGED, ("x-user", "ann"), ("x-a", "1")];
    let names = |fields: &Fields| fields.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Begin(OURS, "o"))]);
    let (mut waiter, _) = site.waiting.remove(0);
    let heard = std::pin::pin!(waiter.wait()).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Awaited::Streaming(streaming, _)) = heard else { panic!("it has begun") };
    assert_eq!(names(streaming.unshared()), ["x-user"]);
    assert_eq!(names(&streaming.head().fields), ["cache-control", "etag", "x-a"]);
    site.play(&[(0, Finish("ne"))]);
    assert_eq!(
        names(&site.stored(PAGE, PLAIN, at(0)).head().fields),
        ["cache-control", "etag", "x-a", "content-length"]
    );
    // In a confirmation, and in the answer to a HEAD: none of their own, and none that was everyone's until now.
    let later: [(&[Line], &[&str]); 3] = [
        (OURS, &["content-length", "cache-control", "etag", "x-a"]),
        (&[("x-user", "bob")], &["content-length", "cache-control", "etag", "x-a"]),
        (&[("cache-control", "max-age=60, no-cache=x-a"), ("x-a", "2")], &["content-length", "cache-control", "etag"]),
    ];
    for (fields, expected) in later {
        for by_head in [false, true] {
            let mut site = Site::new();
            site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Answer(200, OURS, "one"))]);
            if by_head {
                // A validator tells that it is about what is stored.
                let tag = if fields.contains(&TAGGED) { &[][..] } else { &[TAGGED] };
                site.play(&[(60, AskHead(PAGE, PLAIN))]);
                site.answer_head(&head(200, &[fields, tag].concat()), at(60));
                assert_eq!(site.glance(PAGE, PLAIN, at(60)), "one ttl=60", "{fields:?} has been heeded");
            } else {
                site.play(&[(60, Ask(PAGE, PLAIN, "miss stale old=one"))]);
                site.confirm(&head(304, fields), at(60));
            }
            let mut found = names(&site.stored(PAGE, PLAIN, at(60)).head().fields);
            let mut wanted = expected.to_vec();
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{fields:?}, by a HEAD: {by_head}");
        }
    }
}

/// Interim answers are for those who wait and may have them, in their order, so many at most, and are never kept (RFC 9110
/// section 15.2).
#[test]
fn interim_answers_are_passed_on() {
    use Audience::{Asker, Everyone};
    play(&[
        (0, Ask(PAGE, PLAIN, "miss uri")),
        (0, Interim(Everyone, 103)),
        (0, Ask(PAGE, PLAIN, "collapsed uri")),
        (0, Told(&["interim 103", "interim 103"])),
        (0, Told(&[])),
        (0, Interim(Everyone, 102)),
        (0, Interim(Asker, 104)),
        (0, Interim(Everyone, 103)),
        (0, Told(&["interim 102", "interim 104", "interim 103", "interim 102", "interim 103"])),
        (0, Interim(Asker, 103)),
        (0, Told(&["interim 103"])),
        // None is lost because the answer came before anyone had looked.
        (1, Interim(Everyone, 110)),
        (1, Answer(200, &[MINUTE], "one")),
        (1, Told(&["interim 110", "streams one.", "interim 110", "streams one."])),
        (1, Ask(PAGE, PLAIN, "hit one ttl=60")),
    ]);
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri"))]);
    for _ in 0..crate::flight::MAX_INTERIM + 3 {
        site.play(&[(0, Interim(Everyone, 103))]);
    }
    assert_eq!(site.told().len(), crate::flight::MAX_INTERIM);
}

#[test]
fn codings_stay_as_long_as_the_body() {
    let mut site = Site::new();
    let coded = |response: &StoredResponse| {
        [Coding::Gzip, Coding::Br, Coding::Zstd].map(|coding| response.coded(coding).map(|coded| text(coded.body())))
    };
    let gzip = Bytes::from_static(b"gzip");
    let some = |body: &str| Some(body.to_owned());
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Answer(200, &[MINUTE, TAGGED], "one"))]);
    let one = site.stored(PAGE, PLAIN, at(0));
    assert!(site.cache.keep_coding(PAGE.as_bytes(), &one, Coding::Gzip, &gzip));
    let kept = site.stored(PAGE, PLAIN, at(0));
    assert_eq!((coded(&one), coded(&kept)), ([None, None, None], [some("gzip"), None, None]));
    // A second one of the same kind takes the place of the first.
    assert!(site.cache.keep_coding(PAGE.as_bytes(), &one, Coding::Gzip, &Bytes::from_static(b"better")));
    assert!(site.cache.keep_coding(PAGE.as_bytes(), &kept, Coding::Br, &Bytes::from_static(b"br")));
    assert_eq!(coded(&site.stored(PAGE, PLAIN, at(0))), [some("better"), some("br"), None]);
    // It survives a confirmation, whose fields it takes, and the answer to a HEAD.
    site.play(&[(60, Ask(PAGE, PLAIN, "miss stale old=one")), (60, Confirm(&[("x-a", "1")]))]);
    site.play(&[(61, Head(PAGE, PLAIN, &[TAGGED, ("x-b", "2")]))]);
    let renewed = site.stored(PAGE, PLAIN, at(61));
    assert_eq!(coded(&renewed), [some("better"), some("br"), None]);
    let fields = &renewed.coded(Coding::Br).unwrap().head().fields;
    let values = ["x-a", "x-b", "etag", "content-encoding", "content-length"]
        .map(|name| fields.get(&name.parse().unwrap()).unwrap().to_str().unwrap().to_owned());
    assert_eq!(values, ["1", "2", "W/\"1\"", "br", "2"]);
    // What was begun for the old one is good for the confirmed one: the body is the same.
    assert!(site.cache.keep_coding(PAGE.as_bytes(), &one, Coding::Zstd, &Bytes::from_static(b"zstd")));
    assert_eq!(coded(&site.stored(PAGE, PLAIN, at(61))), [some("better"), some("br"), some("zstd")]);
    // A replacement has none, and what was begun for the old one is not for it, though it says the same.
    site.play(&[(121, Ask(PAGE, PLAIN, "miss stale old=one"))]);
    let filling = site.begin(head(200, &[MINUTE, TAGGED]), at(121));
    assert_eq!(filling.finish(Bytes::copy_from_slice(b"one"), at(121)), Pushed::Kept);
    assert!(!site.cache.keep_coding(PAGE.as_bytes(), &one, Coding::Gzip, &gzip));
    let two = site.stored(PAGE, PLAIN, at(121));
    assert_eq!(coded(&two), [None, None, None]);
    assert!(!site.cache.keep_coding(OTHER.as_bytes(), &two, Coding::Gzip, &gzip));
    site.play(&[(121, Forget(PAGE, 1))]);
    assert!(!site.cache.keep_coding(PAGE.as_bytes(), &two, Coding::Gzip, &gzip));
    assert_eq!(site.glance(PAGE, PLAIN, at(121)), "uri");
}

/// Which codings are tried is asked once for a response, and for the body that it shares with the confirmed one.
#[test]
fn a_coding_is_claimed_once() {
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Answer(200, &[MINUTE, TAGGED], "one"))]);
    let one = site.stored(PAGE, PLAIN, at(0));
    assert_eq!([one.claim(Coding::Br), one.claim(Coding::Br), one.claim(Coding::Gzip)], [true, false, true]);
    one.give_back(Coding::Br);
    assert_eq!([one.claim(Coding::Br), one.claim(Coding::Gzip), one.claim(Coding::Zstd)], [true, false, true]);
    site.play(&[(60, Ask(PAGE, PLAIN, "miss stale old=one")), (60, Confirm(&[]))]);
    let renewed = site.stored(PAGE, PLAIN, at(60));
    assert!([Coding::Br, Coding::Gzip, Coding::Zstd].into_iter().all(|coding| !renewed.claim(coding)));
    // What was claimed of the one is given back for the other, before and after a coding of it is kept.
    one.give_back(Coding::Br);
    assert_eq!([renewed.claim(Coding::Br), one.claim(Coding::Br)], [true, false]);
    assert!(site.cache.keep_coding(PAGE.as_bytes(), &renewed, Coding::Br, &Bytes::from_static(b"br")));
    let coded = site.stored(PAGE, PLAIN, at(60));
    coded.give_back(Coding::Gzip);
    assert_eq!([one, renewed, coded].map(|each| each.claim(Coding::Gzip)), [true, false, false]);
    site.play(&[(120, Ask(PAGE, PLAIN, "miss stale old=one")), (120, Answer(200, &[MINUTE], "two"))]);
    assert!(site.stored(PAGE, PLAIN, at(120)).claim(Coding::Br));
}

/// A part of a page, from `first` to before `end` of ten bytes, for whom it is, and how many invalidations there had been when
/// it was asked for.
fn keep_part(site: &Site, lines: &[Line], (first, end): (usize, usize), fields: &[Line], began: u64, now: Moment) {
    let part = PartTerms {
        extent: Extent { first: first as u64, length: (end - first) as u64, complete: 10 },
        variant: Variant::of(&Variance::new([ACCEPT_LANGUAGE], Spelling::Normal), &request(lines)),
        initial_age: Duration::ZERO,
        groups: groups(&head(206, fields).fields),
        began,
    };
    let body = Bytes::from_static(&b"0123456789"[first..end]);
    site.cache.keep_part(PAGE.as_bytes(), head(206, fields), body, now, part);
}

fn part(site: &Site, lines: &[Line], now: Moment) -> Option<String> {
    let (part, ttl) = site.asked(PAGE, lines, |asked| site.cache.part(asked, now))?;
    Some(format!("{} ttl={}", text(part.response().body()), ttl.unwrap().as_secs()))
}

/// RFC 9111 sections 3.3 and 3.4.
#[test]
fn parts_are_kept_until_they_are_whole() {
    const FIELDS: &[Line] = &[MINUTE, TAGGED, IN_X, ("content-range", "bytes 0-4/10")];
    let mut site = Site::new();
    let found = |site: &Site, lines, seconds| part(site, lines, at(seconds));
    keep_part(&site, EN, (0, 5), FIELDS, 0, at(0));
    assert_eq!(found(&site, EN, 10).as_deref(), Some("01234 ttl=50"));
    assert_eq!((found(&site, DE, 10), found(&site, EN, 60)), (None, None));
    // It answers nobody who asks for the whole.
    site.play(&[
        (10, Glance(PAGE, EN, "partial")),
        (60, Glance(PAGE, EN, "partial")),
        (10, Ask(PAGE, EN, "miss partial")),
        (10, Ask(PAGE, EN, "collapsed partial")),
        (10, Fail(FailureKind::Unreachable)),
        (10, Told(&["failed nobody", "failed nobody"])),
        (10, Glance(PAGE, EN, "partial")),
    ]);
    keep_part(&site, EN, (5, 10), FIELDS, 0, at(20));
    assert_eq!(found(&site, EN, 20), None);
    site.play(&[(20, Glance(PAGE, EN, "0123456789 ttl=60"))]);
    let names: Vec<_> = site.stored(PAGE, EN, at(20)).head().fields.iter().map(|(name, _)| name.to_string()).collect();
    assert!(!names.contains(&"content-range".to_owned()), "{names:?}");
    // What is whole stays so.
    keep_part(&site, EN, (0, 5), FIELDS, 0, at(30));
    site.play(&[(30, Glance(PAGE, EN, "0123456789 ttl=50")), (30, Forget(PAGE, 1))]);
}

/// Promise 4 for parts: one that was asked for before an invalidation, of whatever, is not kept.
#[test]
fn promise_4_an_invalidation_beats_a_part() {
    const FIELDS: &[Line] = &[MINUTE, TAGGED, IN_X];
    for invalidate in [Forget(PAGE, 0), Forget(OTHER, 0), ForgetGroups("\"x\"")] {
        let mut site = Site::new();
        let began = site.cache.invalidations();
        site.play(&[(0, invalidate)]);
        keep_part(&site, EN, (0, 5), FIELDS, began, at(0));
        assert_eq!(part(&site, EN, at(0)), None, "{invalidate:?}");
        keep_part(&site, EN, (0, 5), FIELDS, site.cache.invalidations(), at(0));
        assert_eq!(part(&site, EN, at(0)).as_deref(), Some("01234 ttl=60"), "{invalidate:?}");
    }
    for invalidate in [Forget(PAGE, 1), ForgetGroups("\"x\"")] {
        let mut site = Site::new();
        keep_part(&site, EN, (0, 5), FIELDS, 0, at(0));
        site.play(&[(0, invalidate)]);
        assert_eq!(part(&site, EN, at(0)), None, "{invalidate:?}");
        // Neither is it good for what comes later.
        keep_part(&site, EN, (5, 10), &[MINUTE, ("etag", "\"2\"")], site.cache.invalidations(), at(0));
        assert_eq!(part(&site, EN, at(0)).as_deref(), Some("56789 ttl=60"), "{invalidate:?}");
    }
    // A body that is not as long as it was said to be is none, and none is longer than bodies may be.
    let site = Site { cache: Cache::new(1 << 20, 4), ..Site::new() };
    keep_part(&site, EN, (0, 5), FIELDS, 0, at(0));
    assert_eq!(part(&site, EN, at(0)), None);
    keep_part(&site, EN, (0, 4), FIELDS, 0, at(0));
    assert_eq!(part(&site, EN, at(0)).as_deref(), Some("0123 ttl=60"));
}

/// Promise 6: a coding counts as the body does.
#[test]
fn promise_6_codings_and_groups_count() {
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Answer(200, &[MINUTE], "one"))]);
    let before = site.cache.figures().bytes;
    let one = site.stored(PAGE, PLAIN, at(0));
    site.cache.keep_coding(PAGE.as_bytes(), &one, Coding::Gzip, &Bytes::from(vec![b'x'; 5000]));
    let with_coding = site.cache.figures().bytes;
    assert!(with_coding >= before + 5000, "{before} and {with_coding}");
    site.play(&[
        (0, Ask(OTHER, PLAIN, "miss uri")),
        (0, Answer(200, &[MINUTE, ("cache-groups", "\"0123456789\"")], "one")),
    ]);
    assert!(site.cache.figures().bytes >= with_coding + before + 10);
}

/// Promise 2: what a variance is not known of yet is fetched once, and what is known of it afterwards keeps fills apart.
#[test]
fn promise_2_one_fill_for_a_cold_page_whoever_asks() {
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, EN, "miss uri"))]);
    for (at, language) in ["de", "fr", "it", "nl"].into_iter().enumerate() {
        let request = HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static(language))]);
        let demands = Demands::default();
        let asked = Asked { key: PAGE.as_bytes(), request: &request, policy: &site.policy, demands: &demands };
        assert!(matches!(site.cache.lookup(&asked, super::at(0)), Lookup::Collapsed { .. }), "{language}");
        assert_eq!(site.cache.fills_in_flight(), 1, "{at} others");
    }
    site.play(&[
        (0, Begin(&[MINUTE, BY_LANGUAGE], "o")),
        (0, Ask(PAGE, DE, "miss uri")),
        (0, Ask(PAGE, FR, "miss uri")),
    ]);
    assert_eq!(site.cache.fills_in_flight(), 3);
}
