//! Pages that live by their handler's word, second by second: the player of the stories, and the stories of a page's life. More
//! of them stand in the modules.

mod askers;
mod codings;
mod failures;
mod heads;
mod invalidation;
mod parts;

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
    Alone, Audience, Awaited, CACHE_GROUPS, Coding, Dating, DeclineReason, Demands, FailureKind, Fields, Fill, Filling,
    Groups, Heuristic, Moment, OriginRules, OriginVerdict, Policy, Pushed, Recoding, ResponseHead, StoredResponse,
    Storing, Tagging, Terms, Update, Variant, Waiter, may_be_coded,
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
const TEXT: Line = ("content-type", "text/plain");

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
        recoding: if may_be_coded(head, 0) { Recoding::WhenAsked } else { Recoding::Never },
        dating: Dating::ByHandler,
        ..Terms::default()
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
                Ok(ttl) => format!("{} ttl={}", text(&glance.response.body()), ttl.unwrap().as_secs()),
                Err((staleness, reason)) => {
                    format!("{} stale {} {}", text(&glance.response.body()), staleness.as_secs(), reason.as_str())
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
            Forget(page, expected) => assert_eq!(self.cache.invalidate(page.as_bytes(), now), expected),
            ForgetGroups(line) => {
                let fields = Fields::from_iter([(CACHE_GROUPS, HeaderValue::from_static(line))]);
                self.cache.invalidate_groups(&groups(&fields), now);
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
                let found = found.map(|(response, staleness)| (text(&response.body()), staleness.as_secs()));
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

/// Promise 6: a coding counts as the body does.
#[test]
fn promise_6_codings_and_groups_count() {
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Answer(200, &[MINUTE, TEXT], "one"))]);
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
