//! Collapsing: many visitors, one run of the handler, whatever becomes of those who wait and of what they wait for.
//! Carries promise 2 (one run per key) and promise 3 (a waiter never waits for ever, a visitor who leaves stops waiting),
//! and promise 1 where an answer turns out not to be for everybody.

use std::collections::HashSet;
use std::time::Duration;

use evergate_tests::{Client, Gate, Gateway, Http2Client, Origin, Reply, Response, flood, get, until};
use tokio::task::JoinSet;

use crate::freshness::{answer_when, hit};

const ROUTES: &str = "- path: /page\n  revalidate: 60\n- path: /other\n  revalidate: 60\nlog: { access: off }";

/// A gateway that asks its handlers once and not again, so that runs can be counted.
async fn gateway(origin: &Origin, routes: &str) -> Gateway {
    let config = Gateway::simple_config(origin, routes);
    let servers = format!("servers: [\"{}\"]", origin.address());
    assert!(config.contains(&servers), "{config}");
    Gateway::start(&config.replace(&servers, &format!("{servers}, retries: 0"))).await
}

/// Visitors who have sent a GET for `target` and read nothing yet.
async fn visitors(gateway: &Gateway, target: &str, count: usize) -> Vec<Client> {
    let mut visitors = Vec::with_capacity(count);
    for _ in 0..count {
        let mut visitor = Client::connect(gateway.address()).await;
        visitor.send("GET", target, &[], "").await;
        visitors.push(visitor);
    }
    visitors
}

async fn answers(visitors: Vec<Client>) -> Vec<Response> {
    let mut answers = Vec::with_capacity(visitors.len());
    for mut visitor in visitors {
        answers.push(visitor.read_response("GET").await);
    }
    answers
}

/// Waits until the gateway has noticed that so many visitors left before there was an answer.
async fn gone(gateway: &Gateway, visitors: f64) {
    let labels = [("route", "/page"), ("status", "gone")];
    until("the gateway notices who left", async || {
        gateway.metric("evergate_requests_total", &labels).await == visitors
    })
    .await;
}

/// How many answers came of a run, shared a run, and came from memory; anything else is a failure.
fn shares(answers: &[Response]) -> [usize; 3] {
    let mut shares = [0; 3];
    for answer in answers {
        let share = match (answer.x_cache(), answer.cache_status().contains("; collapsed")) {
            ("MISS", false) => 0,
            ("MISS", true) => 1,
            ("HIT", false) => 2,
            _ => panic!("{}", answer.cache_status()),
        };
        shares[share] += 1;
    }
    shares
}

#[tokio::test]
async fn promise_2_a_cold_key_costs_one_run() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/page", move |_| Reply::ok("shared").header("x-line", "1").gate(&held));
    origin.on("/other", |_| Reply::ok("other"));
    let gateway = gateway(&origin, ROUTES).await;
    let waiting = visitors(&gateway, "/page", 100).await;
    gate.arrived(1).await;
    // Another key does not wait for this one.
    assert_eq!(get(gateway.address(), "/other").await.text(), "other");
    gate.open();
    let answers = answers(waiting).await;
    let [runs, shared, hits] = shares(&answers);
    assert_eq!((runs, shared + hits), (1, 99));
    assert!(shared > 0, "nobody waited");
    for answer in &answers {
        assert_eq!((answer.status, answer.text(), answer.header("x-line")), (200, "shared", Some("1")));
        assert!(answer.complete);
    }
    let leader = answers.iter().find(|answer| !answer.cache_status().contains("collapsed"));
    assert_eq!(leader.map(Response::cache_status), Some("evergate; fwd=uri-miss; fwd-status=200; stored"));
    let follower = answers.iter().find(|answer| answer.cache_status().contains("collapsed"));
    let status = "evergate; fwd=uri-miss; collapsed; fwd-status=200; stored";
    assert_eq!(follower.map(Response::cache_status), Some(status));
    assert_eq!(origin.count("/page"), 1);
    let counted = gateway.metric("evergate_coalesced_requests_total", &[("route", "/page")]).await;
    assert!(counted > 0.0 && counted < 100.0, "{counted} shared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_2_ten_thousand_visitors_on_a_cold_key_cost_one_run() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/page", move |_| Reply::ok("shared").gate(&held));
    let gateway = gateway(&origin, ROUTES).await;
    let crowd = tokio::spawn(flood(gateway.address(), "/page", 10_000));
    until("the first visitor's request is at the handler", || gate.arrivals() > 0 || crowd.is_finished()).await;
    // A handler that takes half a second, so that most of the crowd comes before its answer; the others are hits, which
    // must not cost a run either.
    tokio::time::sleep(Duration::from_millis(500)).await;
    gate.open();
    let answers = crowd.await.expect("every visitor has an answer");
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.text() == "shared" && answer.complete));
    let [runs, shared, hits] = shares(&answers);
    assert_eq!((runs, runs + shared + hits), (1, 10_000));
    assert!(shared > 0, "nobody waited");
    assert_eq!(origin.count("/page"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_2_ten_thousand_visitors_on_a_key_that_went_stale_cost_one_run() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    origin.on("/page", |_| Reply::ok("old"));
    let routes = "- path: /page\n  revalidate: 200ms\nlog: { access: off }";
    let gateway = gateway(&origin, routes).await;
    get(gateway.address(), "/page").await;
    let held = gate.clone();
    origin.on("/page", move |_| Reply::ok("new").gate(&held));
    // The window passes unasked, so that the crowd is the first to find it stale.
    tokio::time::sleep(Duration::from_millis(250)).await;
    let answers = flood(gateway.address(), "/page", 10_000).await;
    // The only refresh is still held, so nobody has waited for it.
    assert!(answers.iter().all(|answer| (answer.x_cache(), answer.text()) == ("STALE", "old")));
    assert_eq!((answers.len(), origin.count("/page"), gate.arrivals()), (10_000, 2, 1));
    gate.open();
    answer_when("the refresh lands", gateway.address(), "/page", |answer| answer.text() == "new").await;
}

#[tokio::test]
async fn promise_3_when_the_first_leaves_the_others_get_the_answer_of_one_run() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/page", move |_| Reply::ok("shared").gate(&held));
    let gateway = gateway(&origin, ROUTES).await;
    let leader = visitors(&gateway, "/page", 1).await;
    gate.arrived(1).await;
    let waiting = visitors(&gateway, "/page", 20).await;
    drop(leader);
    gone(&gateway, 1.0).await;
    gate.open();
    for answer in answers(waiting).await {
        assert_eq!((answer.status, answer.text()), (200, "shared"), "{}", answer.cache_status());
    }
    assert_eq!((origin.count("/page"), origin.left("/page")), (1, 0));
}

#[tokio::test]
async fn promise_3_when_everyone_leaves_the_fill_goes_on_and_is_stored() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/page", move |_| Reply::ok("stored").gate(&held));
    let gateway = gateway(&origin, ROUTES).await;
    let waiting = visitors(&gateway, "/page", 5).await;
    gate.arrived(1).await;
    drop(waiting);
    gone(&gateway, 5.0).await;
    assert_eq!(origin.left("/page"), 0, "the fill was stopped");
    gate.open();
    until("it is stored", async || gateway.metric("evergate_cache_entries", &[]).await == 1.0).await;
    let next = get(gateway.address(), "/page").await;
    assert_eq!((next.x_cache(), next.text()), ("HIT", "stored"));
    assert_eq!((origin.count("/page"), origin.left("/page")), (1, 0));
}

#[tokio::test]
async fn promise_3_a_failure_reaches_everyone_who_waited() {
    let page = Reply::ok("out of order").status(503).header("retry-after", "7").header("set-cookie", "a=b");
    let cases = [
        ("an error page", page, 503, "out of order", "; fwd-status=503"),
        ("a hang-up", Reply::hang_up_before_head(), 502, "", "; detail=reset"),
        ("nonsense", Reply::raw("nonsense\r\n\r\n"), 502, "", "; detail=malformed"),
    ];
    for (what, reply, status, body, detail) in cases {
        let origin = Origin::start().await;
        let gate = Gate::new();
        let held = reply.gate(&gate);
        origin.on("/page", move |_| held.clone());
        let gateway = gateway(&origin, ROUTES).await;
        let waiting = visitors(&gateway, "/page", 10).await;
        gate.arrived(1).await;
        // The last of them has been read once this answer is there.
        get(gateway.address(), "/other").await;
        origin.on("/page", |_| Reply::ok("well again"));
        gate.open();
        let mut failures = 0;
        for answer in answers(waiting).await {
            // Who came too late for the failure asks anew.
            if answer.status == 200 {
                assert_eq!(answer.text(), "well again", "{what}");
                continue;
            }
            failures += 1;
            assert_eq!(answer.status, status, "{what}: {}", answer.cache_status());
            assert!(answer.cache_status().ends_with(detail), "{what}: {}", answer.cache_status());
            assert!(body.is_empty() || answer.text() == body, "{what}: {}", answer.text());
            assert_eq!(answer.header("set-cookie"), None, "{what}");
            assert_eq!(answer.header("retry-after"), (status == 503).then_some("7"), "{what}");
        }
        assert!(failures > 1, "{what}: nobody shared it");
        assert_eq!(get(gateway.address(), "/page").await.text(), "well again", "{what}");
        hit(gateway.address(), "/page").await;
        assert_eq!(origin.count("/page"), 2, "{what}");
    }
}

#[tokio::test]
async fn promise_3_a_handler_that_never_answers_keeps_nobody_for_ever() {
    let origin = Origin::start().await;
    origin.on("/page", |_| Reply::never());
    let gateway = gateway(&origin, "- path: /page\n  revalidate: 60\n  max_duration: 1s").await;
    let waiting = visitors(&gateway, "/page", 20).await;
    for answer in answers(waiting).await {
        assert_eq!(answer.status, 504);
        assert!(answer.cache_status().ends_with("; detail=max-duration"), "{}", answer.cache_status());
    }
    until("the handler is let go", || origin.left("/page") == origin.count("/page")).await;
    // One run for all; another only for whoever came when it was over.
    assert!(origin.count("/page") <= 2, "{} runs", origin.count("/page"));
    origin.on("/page", |_| Reply::ok("well again"));
    assert_eq!(get(gateway.address(), "/page").await.text(), "well again");
}

/// A handler that greets each visitor by a cookie, and answers nobody in particular behind another gate.
fn greeting(origin: &Origin, nobody: &Gate, visitors: &Gate) {
    let (nobody, visitors) = (nobody.clone(), visitors.clone());
    origin.on("/page", move |seen| match seen.header("cookie") {
        None => Reply::ok("nobody").header("set-cookie", "sid=nobody").gate(&nobody),
        Some(cookie) => Reply::ok(cookie).header("set-cookie", format!("{cookie}; path=/")).gate(&visitors),
    });
}

#[tokio::test]
async fn promise_1_and_3_when_an_answer_is_declined_each_visitor_goes_at_once_and_alone() {
    let origin = Origin::start().await;
    let (nobody, everybody) = (Gate::new(), Gate::new());
    greeting(&origin, &nobody, &everybody);
    let gateway = gateway(&origin, ROUTES).await;
    let names: Vec<String> = (0..20).map(|number| format!("sid={number}")).collect();
    let mut waiting = Vec::new();
    for name in &names {
        let mut visitor = Client::connect(gateway.address()).await;
        visitor.send("GET", "/page", &[("cookie", name)], "").await;
        waiting.push(visitor);
    }
    nobody.arrived(1).await;
    assert_eq!(everybody.arrivals(), 0, "they wait for one run first");
    nobody.open();
    // All are at the handler before any is answered: nobody queues behind another.
    everybody.arrived(names.len()).await;
    assert_eq!(origin.count("/page"), names.len() + 1);
    everybody.open();
    for (name, answer) in names.iter().zip(answers(waiting).await) {
        assert_eq!((answer.status, answer.text()), (200, name.as_str()));
        assert_eq!(answer.all("set-cookie"), [format!("{name}; path=/")]);
        assert_eq!(answer.x_cache(), "PASS");
        assert_eq!(answer.cache_status(), "evergate; fwd=bypass; fwd-status=200; detail=set-cookie");
    }
    // Whoever comes later passes without a run for nobody.
    let mut later = Client::connect(gateway.address()).await;
    assert_eq!(later.get_with("/page", &[("cookie", "sid=later")]).await.text(), "sid=later");
    assert_eq!((origin.count("/page"), nobody.arrivals()), (names.len() + 2, 1));
}

#[tokio::test]
async fn promise_2_and_3_streams_of_http2_share_a_run_and_may_leave() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/page", move |_| Reply::ok("shared").gate(&held));
    let config = Gateway::simple_config(&origin, ROUTES);
    let gateway = Gateway::start(&config.replace("127.0.0.1:0\" }]", "127.0.0.1:0\", h2c: true }]")).await;
    let address = gateway.address();
    let leaving = Http2Client::connect(address).await;
    let leader = tokio::spawn(async move { leaving.get("/page").await });
    gate.arrived(1).await;
    let client = Http2Client::connect(address).await;
    let mut streams = JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        streams.spawn(async move { client.get("/page").await });
    }
    let waiting = visitors(&gateway, "/page", 5).await;
    leader.abort();
    gone(&gateway, 1.0).await;
    gate.open();
    let mut bodies = HashSet::new();
    while let Some(answer) = streams.join_next().await {
        let answer = answer.expect("a stream has an answer");
        assert!(answer.complete && answer.status == 200, "{}", answer.cache_status());
        bodies.insert(answer.text().to_owned());
    }
    bodies.extend(answers(waiting).await.iter().map(|answer| answer.text().to_owned()));
    assert_eq!((bodies, origin.count("/page")), (HashSet::from(["shared".to_owned()]), 1));
}
