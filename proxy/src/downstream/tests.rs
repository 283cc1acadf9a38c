//! Calls as a cache in front receives them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use evergate_cache::{Forgetting, LabelFigures, Selection, StoreFigures, What};
use http::{HeaderName, Method, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::queue::MOST_WAITING;
use super::{Downstream, DownstreamPurge, Form, Kind, Message, Template};
use crate::metrics::Metrics;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longer than any test.
const EVER: Duration = Duration::from_secs(600);

/// What a cache in front is told, and what it answers.
struct Cdn {
    address: SocketAddr,
    calls: mpsc::UnboundedReceiver<String>,
    answers: Arc<Mutex<VecDeque<Response>>>,
    /// A permit for each call that is answered.
    gate: Arc<Semaphore>,
}

#[derive(Clone)]
struct Served {
    told: mpsc::UnboundedSender<String>,
    answers: Arc<Mutex<VecDeque<Response>>>,
    gate: Arc<Semaphore>,
}

impl Cdn {
    /// One that answers everything at once, with 200.
    async fn start() -> Cdn {
        let cdn = Cdn::gated().await;
        cdn.gate.add_permits(1000);
        cdn
    }

    /// One that answers as many calls as its gate has permits for.
    async fn gated() -> Cdn {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, calls) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let gate = Arc::new(Semaphore::new(0));
        let served = Served { told, answers: Arc::clone(&answers), gate: Arc::clone(&gate) };
        let router = Router::new().fallback(answer).with_state(served);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Cdn { address, calls, answers, gate }
    }

    fn will_answer(&self, answers: impl IntoIterator<Item = Response>) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// The next call: method, target, the purge header if there is one, and the body.
    async fn call(&mut self) -> String {
        timeout(PATIENCE, self.calls.recv()).await.expect("a call comes").expect("it is served")
    }

    fn nothing_more(&mut self) {
        assert_eq!(self.calls.try_recv().ok(), None);
    }
}

async fn answer(State(served): State<Served>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let field = head.headers.get("x-purge").map_or("", |value| value.to_str().unwrap());
    let body = String::from_utf8(body.to_vec()).unwrap();
    let parts = [head.method.as_str(), head.uri.path_and_query().map_or("", |target| target.as_str()), field, &body];
    served.told.send(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")).unwrap();
    served.gate.acquire().await.unwrap().forget();
    let next = served.answers.lock().unwrap().pop_front();
    next.unwrap_or_else(|| StatusCode::OK.into_response())
}

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

/// An entry that sends `{"tags":[...]}`, at most three in a call.
fn tags(address: SocketAddr) -> DownstreamPurge {
    let body = template("{\"tags\":{tags_json}}");
    let url = template(&format!("http://{address}/purge"));
    let message =
        Message { method: Method::POST, url, headers: Vec::new(), body: Some((body, Form::Json)), site: None };
    DownstreamPurge {
        name: "cdn".to_owned(),
        message,
        kinds: vec![Kind::Tag],
        batch: NonZeroUsize::new(3).unwrap(),
        timeout: PATIENCE,
        retries: 3,
        backoff: Duration::from_millis(1),
    }
}

/// An entry that sends `PURGE` for each path, and how.
fn paths(address: SocketAddr) -> DownstreamPurge {
    let mut entry = tags(address);
    entry.message.method = Method::from_bytes(b"PURGE").unwrap();
    entry.message.url = template(&format!("http://{address}{{path}}"));
    entry.message.headers = vec![(HeaderName::from_static("x-purge"), template("{mode}"))];
    entry.message.body = None;
    DownstreamPurge { kinds: vec![Kind::Path], batch: NonZeroUsize::MIN, ..entry }
}

/// These entries at work.
fn at_work(entries: &[DownstreamPurge]) -> (Downstream, Metrics) {
    let (downstream, metrics) = not_yet(entries);
    downstream.start().unwrap();
    (downstream, metrics)
}

fn not_yet(entries: &[DownstreamPurge]) -> (Downstream, Metrics) {
    let metrics = Metrics::new(&[], &[], &["cdn"]).unwrap();
    (Downstream::new(entries, &metrics), metrics)
}

fn selections(what: impl IntoIterator<Item = What>) -> Vec<Selection> {
    what.into_iter().map(|what| Selection { what, upstream: None }).collect()
}

fn tag(text: &str) -> What {
    What::Tag(text.into())
}

fn path(text: &str) -> What {
    What::Path(text.into())
}

/// What is counted: ok, retried, failed, waiting.
fn counted(metrics: &Metrics) -> [u64; 4] {
    let figures = StoreFigures { entries: 0, bytes: 0, capacity: 0, evicted_for_size: 0, evicted_variants: 0 };
    let labels = LabelFigures { labels: 0, bytes: 0, cut: 0 };
    let (_, text) = metrics.scrape(&figures, &labels).unwrap();
    let text = String::from_utf8(text).unwrap();
    let value = |sample: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(sample)).expect("the sample is there");
        line.trim().parse().unwrap()
    };
    let total = |result: &str| value(&format!("evergate_downstream_purges_total{{name=\"cdn\",result=\"{result}\"}}"));
    [total("ok"), total("retried"), total("failed"), value("evergate_downstream_purge_queue{name=\"cdn\"}")]
}

#[tokio::test]
async fn each_entry_hears_of_its_kinds_in_its_own_words() {
    let mut cdn = Cdn::start().await;
    let mut all = tags(cdn.address);
    all.message.body = Some((template("{\"purge_everything\":true}"), Form::Json));
    all.kinds = vec![Kind::Everything];
    let (downstream, metrics) = at_work(&[tags(cdn.address), paths(cdn.address), all]);
    downstream.tell(&selections([tag("a"), tag("b\"")]), Forgetting::Stale);
    assert_eq!(cdn.call().await, "POST /purge {\"tags\":[\"a\",\"b\\\"\"]}");
    downstream.tell(&selections([path("/x"), path("/y")]), Forgetting::Delete);
    assert_eq!(cdn.call().await, "PURGE /x delete");
    assert_eq!(cdn.call().await, "PURGE /y delete");
    downstream.tell(&selections([What::Everything]), Forgetting::Stale);
    assert_eq!(cdn.call().await, "POST /purge {\"purge_everything\":true}");
    downstream.tell(&selections([What::Prefix("/p".into())]), Forgetting::Stale);
    downstream.finish(EVER).await;
    cdn.nothing_more();
    assert_eq!(counted(&metrics), [5, 0, 0, 0]);
}

#[tokio::test]
async fn what_waits_is_told_once_in_order_and_together() {
    let mut cdn = Cdn::gated().await;
    let (downstream, metrics) = at_work(&[tags(cdn.address)]);
    downstream.tell(&selections([tag("first")]), Forgetting::Stale);
    assert_eq!(cdn.call().await, "POST /purge {\"tags\":[\"first\"]}");
    for _ in 0..1000 {
        downstream.tell(&selections(["a", "b", "c", "first", "d"].map(tag)), Forgetting::Stale);
    }
    assert_eq!(counted(&metrics), [0, 0, 0, 5]);
    cdn.gate.add_permits(3);
    // What has begun may have been too early for what was invalidated since.
    assert_eq!(cdn.call().await, "POST /purge {\"tags\":[\"a\",\"b\",\"c\"]}");
    assert_eq!(cdn.call().await, "POST /purge {\"tags\":[\"first\",\"d\"]}");
    downstream.finish(EVER).await;
    cdn.nothing_more();
    assert_eq!(counted(&metrics), [6, 0, 0, 0]);
}

#[tokio::test]
async fn what_says_the_same_for_everything_is_told_once() {
    let mut cdn = Cdn::start().await;
    let mut entry = tags(cdn.address);
    entry.message.body = None;
    entry.kinds = Kind::ALL.to_vec();
    let (downstream, metrics) = not_yet(&[entry]);
    downstream.tell(&selections([tag("a"), path("/x"), What::Everything]), Forgetting::Stale);
    downstream.tell(&selections([tag("b")]), Forgetting::Delete);
    downstream.start().unwrap();
    assert_eq!(cdn.call().await, "POST /purge");
    downstream.finish(EVER).await;
    cdn.nothing_more();
    assert_eq!(counted(&metrics), [1, 0, 0, 0]);
}

#[tokio::test]
async fn a_deletion_is_never_weakened() {
    let mut cdn = Cdn::start().await;
    let (downstream, _) = not_yet(&[paths(cdn.address)]);
    let expire = Forgetting::Expire(Duration::from_secs(60));
    for (page, modes) in [
        ("/a", [Forgetting::Stale, Forgetting::Delete]),
        ("/b", [Forgetting::Delete, Forgetting::Stale]),
        ("/c", [expire, Forgetting::Stale]),
        ("/d", [Forgetting::Stale, Forgetting::Stale]),
    ] {
        modes.into_iter().for_each(|mode| downstream.tell(&selections([path(page)]), mode));
    }
    downstream.start().unwrap();
    for expected in ["PURGE /a delete", "PURGE /b delete", "PURGE /c expire", "PURGE /d stale"] {
        assert_eq!(cdn.call().await, expected);
    }
}

#[tokio::test]
async fn a_call_is_about_what_was_invalidated_in_one_way() {
    let mut cdn = Cdn::start().await;
    let mut entry = tags(cdn.address);
    entry.message.headers = vec![(HeaderName::from_static("x-purge"), template("{mode}"))];
    let (downstream, _) = not_yet(&[entry]);
    downstream.tell(&selections(["a", "b"].map(tag)), Forgetting::Stale);
    downstream.tell(&selections(["c", "d"].map(tag)), Forgetting::Delete);
    downstream.start().unwrap();
    assert_eq!(cdn.call().await, "POST /purge stale {\"tags\":[\"a\",\"b\"]}");
    assert_eq!(cdn.call().await, "POST /purge delete {\"tags\":[\"c\",\"d\"]}");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_the_order_stays() {
    let mut cdn = Cdn::start().await;
    let busy = (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response();
    cdn.will_answer([StatusCode::SERVICE_UNAVAILABLE.into_response(), busy]);
    let (downstream, metrics) = at_work(&[paths(cdn.address)]);
    downstream.tell(&selections([path("/x"), path("/y")]), Forgetting::Stale);
    for expected in ["PURGE /x stale", "PURGE /x stale", "PURGE /x stale", "PURGE /y stale"] {
        assert_eq!(cdn.call().await, expected);
    }
    downstream.finish(EVER).await;
    assert_eq!(counted(&metrics), [2, 2, 0, 0]);
}

#[tokio::test]
async fn who_does_not_answer_is_given_up_after_all_retries() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Connections are accepted and end at once.
    let hanging_up = tokio::spawn(async move {
        let mut connections = 0;
        loop {
            drop(listener.accept().await.unwrap());
            connections += 1;
            if connections == 4 {
                return connections;
            }
        }
    });
    let (downstream, metrics) = at_work(&[tags(address)]);
    downstream.tell(&selections([tag("a"), tag("b")]), Forgetting::Stale);
    assert_eq!(timeout(PATIENCE, hanging_up).await.expect("it is tried again").unwrap(), 4);
    downstream.finish(EVER).await;
    assert_eq!(counted(&metrics), [0, 6, 2, 0]);
}

#[tokio::test]
async fn who_is_too_slow_is_given_up() {
    let cdn = Cdn::gated().await;
    let slow = DownstreamPurge { timeout: Duration::from_millis(20), retries: 1, ..tags(cdn.address) };
    let (downstream, metrics) = at_work(&[slow]);
    downstream.tell(&selections([tag("a")]), Forgetting::Stale);
    downstream.finish(EVER).await;
    assert_eq!(counted(&metrics), [0, 1, 1, 0]);
}

#[tokio::test]
async fn a_refusal_is_final_and_does_not_hold_up_the_next() {
    let mut cdn = Cdn::start().await;
    let elsewhere = (StatusCode::FOUND, [("location", "/elsewhere")]).into_response();
    cdn.will_answer([StatusCode::FORBIDDEN.into_response(), elsewhere]);
    let (downstream, metrics) = at_work(&[paths(cdn.address)]);
    downstream.tell(&selections([path("/x"), path("/y"), path("/z")]), Forgetting::Stale);
    for expected in ["PURGE /x stale", "PURGE /y stale", "PURGE /z stale"] {
        assert_eq!(cdn.call().await, expected);
    }
    downstream.finish(EVER).await;
    cdn.nothing_more();
    assert_eq!(counted(&metrics), [1, 0, 2, 0]);
}

#[tokio::test]
async fn what_cannot_be_written_does_not_take_others_with_it() {
    let mut cdn = Cdn::start().await;
    let mut entry = tags(cdn.address);
    entry.message.headers = vec![(HeaderName::from_static("x-purge"), template("{tags}"))];
    entry.message.body = None;
    let (downstream, metrics) = at_work(&[entry]);
    downstream.tell(&selections([tag("a"), tag("two words"), tag("b")]), Forgetting::Stale);
    assert_eq!(cdn.call().await, "POST /purge a b");
    downstream.finish(EVER).await;
    assert_eq!(counted(&metrics), [2, 0, 1, 0]);
}

#[tokio::test]
async fn what_there_is_no_room_for_is_counted() {
    let cdn = Cdn::start().await;
    let (downstream, metrics) = not_yet(&[tags(cdn.address)]);
    let many: Vec<What> = (0..MOST_WAITING + 5).map(|number| tag(&number.to_string())).collect();
    downstream.tell(&selections(many), Forgetting::Stale);
    assert_eq!(counted(&metrics), [0, 0, 5, MOST_WAITING as u64]);
    // Those that wait already need none.
    downstream.tell(&selections([tag("0")]), Forgetting::Delete);
    let long = "x".repeat(1 << 20);
    let (downstream, long_metrics) = not_yet(&[tags(cdn.address)]);
    downstream.tell(&selections((0..10).map(|number| tag(&format!("{number}{long}")))), Forgetting::Stale);
    assert_eq!((counted(&metrics)[2], counted(&long_metrics)), (5, [0, 0, 3, 7]));
}

#[tokio::test]
async fn what_is_left_at_the_end_is_counted() {
    let mut cdn = Cdn::gated().await;
    let (downstream, metrics) = at_work(&[paths(cdn.address)]);
    downstream.tell(&selections(["/a", "/b", "/c"].map(path)), Forgetting::Stale);
    assert_eq!(cdn.call().await, "PURGE /a stale");
    downstream.finish(Duration::ZERO).await;
    assert_eq!(counted(&metrics), [0, 0, 3, 0]);
    downstream.tell(&selections([path("/late")]), Forgetting::Stale);
    assert_eq!(counted(&metrics), [0, 0, 4, 0]);
    cdn.nothing_more();
}

#[tokio::test]
async fn without_entries_nothing_is_done() {
    let (downstream, metrics) = at_work(&[]);
    downstream.tell(&selections([tag("a")]), Forgetting::Stale);
    downstream.finish(EVER).await;
    assert_eq!(counted(&metrics), [0, 0, 0, 0]);
}
