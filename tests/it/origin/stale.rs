//! Staleness (sections 4.2.4 and 5.2.2, RFC 5861): what is served past its lifetime, while it is revalidated or because its
//! handler fails, and what forbids it. Answers come with an age, so that nobody has to wait for it.

use std::sync::atomic::{AtomicUsize, Ordering};

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, Response, Seen, until};

use super::{Lines, detail, essence, in_front_of, number, page, runs, visit};

/// An answer that comes stale by `staleness` seconds, with these directives beside its lifetime.
fn stale_by(staleness: u64, directives: &str) -> Reply {
    let age = 60 + staleness;
    Reply::ok("old").header("cache-control", format!("max-age=60{directives}")).header("age", age.to_string())
}

/// A handler whose first answer is this one, whose next ones are those.
fn first_then(
    first: impl Fn() -> Reply + Send + Sync + 'static,
    next: impl Fn(usize) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Seen) -> Reply + Send + Sync + 'static {
    let runs = AtomicUsize::new(0);
    move |_| match runs.fetch_add(1, Ordering::Relaxed) {
        0 => first(),
        run => next(run),
    }
}

/// How the visitor is answered.
fn told(response: &Response) -> (u16, &str, &str, &str) {
    (response.status, response.x_cache(), response.text(), detail(response))
}

#[tokio::test]
async fn promise_2_stale_is_served_while_one_refresh_is_on_its_way() {
    // RFC 5861 section 3.
    let gate = Gate::new();
    let held = gate.clone();
    let new = move |_| Reply::ok("new").header("cache-control", "max-age=60").gate(&held);
    let (origin, gateway) = in_front_of(first_then(|| stale_by(1, ", stale-while-revalidate=600"), new), "").await;
    // It is stale when it comes, and whoever asked for it may have it.
    assert_eq!(essence(&visit(&gateway, &[]).await), ("MISS", "old"));
    for _ in 0..10 {
        let response = visit(&gateway, &[]).await;
        assert_eq!(told(&response), (200, "STALE", "old", "revalidating"));
        assert!(response.age().is_some_and(|age| (61..=71).contains(&age)), "{:?}", response.age());
        assert!(response.cache_status().starts_with("evergate; hit; ttl=-"), "{}", response.cache_status());
        assert_eq!(response.header("warning"), None, "never invented");
    }
    gate.arrived(1).await;
    assert_eq!(origin.count("/p"), 2);
    gate.open();
    until("it is fresh", async || visit(&gateway, &[]).await.text() == "new").await;
    assert_eq!(origin.count("/p"), 2);
}

#[tokio::test]
async fn a_refresh_is_for_everyone_and_asks_nothing_on_its_visitors_behalf() {
    // Nothing of this page can be confirmed, and the visitor whose request begins the refresh has something else.
    let runs = AtomicUsize::new(0);
    let reply = move |seen: &Seen| match (runs.fetch_add(1, Ordering::Relaxed), seen.header("if-none-match")) {
        (0, _) => stale_by(1, ", stale-while-revalidate=600"),
        (_, Some(_)) => Reply::ok("").status(304),
        (_, None) => Reply::ok("new").header("cache-control", "max-age=60"),
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    visit(&gateway, &[]).await;
    let response = visit(&gateway, &[("if-none-match", "\"mine\"")]).await;
    assert_eq!(told(&response), (200, "STALE", "old", "revalidating"));
    until("the refresh is asked for", || origin.count("/p") == 2).await;
    assert_eq!(origin.seen("/p")[1].header("if-none-match"), None);
    until("it is fresh", async || essence(&visit(&gateway, &[]).await) == ("HIT", "new")).await;
    assert_eq!(origin.count("/p"), 2);
}

#[tokio::test]
async fn what_is_past_its_window_or_forbidden_is_not_served_while_it_is_revalidated() {
    const CASES: [(u64, &str, bool); 10] = [
        (1, ", stale-while-revalidate=600", true),
        (599, ", stale-while-revalidate=600", true),
        (601, ", stale-while-revalidate=600", false),
        (1, "", false),
        (1, ", stale-while-revalidate=0", false),
        (1, ", stale-while-revalidate=x", false),
        (1, ", stale-while-revalidate=600, must-revalidate", false),
        (1, ", stale-while-revalidate=600, proxy-revalidate", false),
        // It implies proxy-revalidate (section 5.2.2.10).
        (1, ", stale-while-revalidate=600, s-maxage=60", false),
        (1, ", stale-if-error=600", false),
    ];
    let reply = |seen: &Seen| stale_by(CASES[number(seen)].0, CASES[number(seen)].1);
    let (origin, gateway) = in_front_of(reply, "").await;
    for (case, (staleness, directives, served)) in CASES.into_iter().enumerate() {
        page(&gateway, case, &[]).await;
        let response = page(&gateway, case, &[]).await;
        let expected = if served { ("STALE", "revalidating") } else { ("MISS", "") };
        let got = (response.x_cache(), if served { detail(&response) } else { "" });
        assert_eq!(got, expected, "{staleness} {directives}: {}", response.cache_status());
        until("the handler is asked again", || runs(&origin, case) == 2).await;
    }
}

#[tokio::test]
async fn the_operator_bounds_what_the_handler_allows() {
    // After `expire` nothing is served stale, whatever its handler says.
    let stale = || stale_by(1, ", stale-while-revalidate=600, stale-if-error=600");
    let broken = |_| Reply::ok("broken").status(500);
    let (_origin, gateway) = in_front_of(first_then(stale, broken), ", expire: 1ms").await;
    visit(&gateway, &[]).await;
    // A visit takes longer than a millisecond at times: the second certainly comes after it.
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    assert_eq!(told(&visit(&gateway, &[]).await), (500, "MISS", "broken", ""));
    let (_origin, gateway) =
        in_front_of(first_then(|| stale_by(1, ", stale-if-error=600"), broken), ", stale_if_error: 0").await;
    visit(&gateway, &[]).await;
    assert_eq!(told(&visit(&gateway, &[]).await), (500, "MISS", "broken", ""));
}

/// What the stored answer says, what the request says, and whether it is served when the handler answers with an error and when
/// it is gone.
const FAILING: [(u64, &str, Lines<'static>, bool, bool); 16] = [
    // Section 4.2.4: disconnected, a cache may serve what nothing forbids to; an error is an answer.
    (1, "", &[], false, true),
    // RFC 5861 section 4.
    (1, ", stale-if-error=600", &[], true, true),
    (599, ", stale-if-error=600", &[], true, true),
    (601, ", stale-if-error=600", &[], false, true),
    (1, "", &[("cache-control", "stale-if-error=600")], true, true),
    (601, "", &[("cache-control", "stale-if-error=600")], false, true),
    (300, ", stale-if-error=100", &[("cache-control", "stale-if-error=600")], true, true),
    // Sections 5.2.2.2, 5.2.2.8 and 5.2.2.10.
    (1, ", stale-if-error=600, must-revalidate", &[], false, false),
    (1, ", stale-if-error=600, proxy-revalidate", &[], false, false),
    (1, ", stale-if-error=600, s-maxage=60", &[], false, false),
    (1, ", must-revalidate", &[("cache-control", "stale-if-error=600")], false, false),
    (1, ", must-revalidate", &[("cache-control", "max-stale")], false, false),
    (1, ", no-cache, stale-if-error=600", &[], false, false),
    // Section 5.2.1.
    (1, ", stale-if-error=600", &[("cache-control", "no-cache")], false, false),
    (100, "", &[("cache-control", "max-stale=10")], false, false),
    (1, "", &[("cache-control", "min-fresh=1")], false, false),
];

/// A handler whose pages are stale when they come, and which then fails when it is asked for them again.
async fn failing(reply: impl Fn() -> Reply + Send + Sync + 'static) -> (Origin, Gateway) {
    let first = AtomicUsize::new(0);
    let pages = move |seen: &Seen| {
        let (staleness, directives, ..) = FAILING[number(seen)];
        let place = 1 << number(seen);
        let asked_before = first.fetch_or(place, Ordering::Relaxed) & place != 0;
        if asked_before { reply() } else { stale_by(staleness, directives).header("etag", "\"v1\"") }
    };
    in_front_of(pages, "").await
}

#[tokio::test]
async fn promise_5_a_stale_answer_hides_an_error_only_where_someone_says_so() {
    for status in [500, 502, 503, 504] {
        let (origin, gateway) = failing(move || Reply::ok("broken").status(status)).await;
        for (case, (staleness, directives, lines, hidden, _)) in FAILING.into_iter().enumerate() {
            page(&gateway, case, &[]).await;
            let response = page(&gateway, case, lines).await;
            let expected = if hidden { (200, "STALE", "old", "error") } else { (status, "MISS", "broken", "") };
            assert_eq!(told(&response), expected, "{staleness}{directives} {lines:?}: {}", response.cache_status());
            assert_eq!(runs(&origin, case), 2, "{staleness}{directives} {lines:?}");
        }
    }
}

#[tokio::test]
async fn promise_5_a_handler_that_is_gone_is_hidden_unless_something_forbids_it() {
    let (origin, gateway) = failing(|| Reply::ok("unexpected")).await;
    for case in 0..FAILING.len() {
        page(&gateway, case, &[]).await;
    }
    origin.kill();
    for (case, (staleness, directives, lines, _, hidden)) in FAILING.into_iter().enumerate() {
        let response = page(&gateway, case, lines).await;
        let what = format!("{staleness}{directives} {lines:?}: {}", response.cache_status());
        if hidden {
            assert_eq!(told(&response), (200, "STALE", "old", "error"), "{what}");
        } else {
            // What its handler wants to be asked about, when it cannot be asked (section 5.2.2.2).
            let by_handler = ["-revalidate", "s-maxage", "no-cache"].iter().any(|word| directives.contains(word));
            let status = if by_handler { 504 } else { 502 };
            assert_eq!((response.status, response.x_cache()), (status, "MISS"), "{what}");
        }
    }
}

#[tokio::test]
async fn promise_5_hang_ups_and_nonsense_are_no_answers() {
    for (name, failing) in
        [("a hang-up", Reply::hang_up_before_head as fn() -> Reply), ("no HTTP", || Reply::raw("SSH-2.0-x\r\n\r\n"))]
    {
        let (_origin, gateway) = in_front_of(first_then(|| stale_by(1, ""), move |_| failing()), "").await;
        visit(&gateway, &[]).await;
        assert_eq!(told(&visit(&gateway, &[]).await), (200, "STALE", "old", "error"), "{name}");
        let tagged = || stale_by(1, ", must-revalidate").header("etag", "\"v1\"");
        let (_origin, gateway) = in_front_of(first_then(tagged, move |_| failing()), "").await;
        visit(&gateway, &[]).await;
        assert_eq!(visit(&gateway, &[]).await.status, 504, "{name}");
    }
}

#[tokio::test]
async fn promise_5_a_handler_that_failed_is_left_in_peace_for_a_while() {
    for directives in [", stale-if-error=600", ", stale-while-revalidate=600, stale-if-error=600"] {
        let broken = |_| Reply::ok("broken").status(503);
        let (origin, gateway) = in_front_of(first_then(move || stale_by(1, directives), broken), "").await;
        visit(&gateway, &[]).await;
        until("the failure is known", async || detail(&visit(&gateway, &[]).await) == "error").await;
        // Three seconds at least.
        for _ in 0..20 {
            assert_eq!(told(&visit(&gateway, &[]).await), (200, "STALE", "old", "error"), "{directives}");
        }
        assert_eq!(origin.count("/p"), 2, "{directives}");
        // Who insists is answered by the handler all the same.
        let insisting = visit(&gateway, &[("cache-control", "no-cache")]).await;
        assert_eq!((insisting.status, insisting.text()), (503, "broken"), "{directives}");
    }
}

#[tokio::test]
async fn promise_5_an_unreachable_handler_is_left_in_peace_for_a_while() {
    let hang_up = |_| Reply::hang_up_before_head();
    let (origin, gateway) = in_front_of(first_then(|| stale_by(1, ""), hang_up), "").await;
    visit(&gateway, &[]).await;
    assert_eq!(told(&visit(&gateway, &[]).await), (200, "STALE", "old", "error"));
    let asked = origin.count("/p");
    for _ in 0..20 {
        assert_eq!(told(&visit(&gateway, &[]).await), (200, "STALE", "old", "error"));
    }
    assert_eq!(origin.count("/p"), asked);
}

/// Ten visitors at once of a page that is stale by then, and whose handler has gone on to answer 503.
async fn ten_at_once(first: fn() -> Reply) -> Vec<Response> {
    let gate = Gate::new();
    let held = gate.clone();
    let broken = move |_| Reply::ok("broken").status(503).gate(&held);
    let (_origin, gateway) = in_front_of(first_then(first, broken), "").await;
    visit(&gateway, &[]).await;
    let is_stale = async || {
        let only_stored = visit(&gateway, &[("cache-control", "only-if-cached")]).await;
        only_stored.status == 504
    };
    until("it is stale", is_stale).await;
    let mut visitors = Vec::new();
    for _ in 0..10 {
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", "/p", &[], "").await;
        visitors.push(client);
    }
    gate.arrived(1).await;
    gate.open();
    let mut answers = Vec::new();
    for mut client in visitors {
        answers.push(client.read_response("GET").await);
    }
    answers
}

#[tokio::test]
async fn promise_5_those_who_wait_for_a_failure_share_the_stale_answer() {
    let answers = ten_at_once(|| Reply::ok("old").header("cache-control", "max-age=1, stale-if-error=600")).await;
    for response in answers {
        assert_eq!(told(&response), (200, "STALE", "old", "error"), "{}", response.cache_status());
    }
}

#[tokio::test]
async fn promise_5_those_who_do_not_wait_for_a_failure_get_the_stale_answer_too() {
    // What is stale when it comes is not shared, so that nobody queues for it: each asks, and each is refused.
    for response in ten_at_once(|| stale_by(1, ", stale-if-error=600")).await {
        assert_eq!(told(&response), (200, "STALE", "old", "error"), "{}", response.cache_status());
    }
}

#[tokio::test]
async fn promise_3_those_who_wait_for_a_failure_that_nothing_hides_are_told() {
    let answers = ten_at_once(|| Reply::ok("old").header("cache-control", "max-age=1, must-revalidate")).await;
    for response in answers {
        assert_eq!((response.status, response.x_cache()), (503, "MISS"), "{}", response.cache_status());
    }
}

/// Next.js that serves an old answer while it makes a newer one marks it STALE and says a whole lifetime: those who wait share it,
/// and it is asked about again when the newer one may be there.
#[tokio::test]
async fn promise_2_what_next_calls_stale_is_shared_and_asked_about_soon() {
    let gate = Gate::new();
    let held = gate.clone();
    let next = |state: &str| {
        Reply::ok(state)
            .header("cache-control", "s-maxage=60, stale-while-revalidate=300")
            .header("x-nextjs-cache", state)
    };
    let handler = first_then(move || next("STALE").gate(&held), move |_| next("HIT"));
    let (origin, gateway) = in_front_of(handler, "").await;
    let address = gateway.address();
    let visitors: Vec<_> =
        (0..20).map(|_| tokio::spawn(async move { evergate_tests::get(address, "/p").await })).collect();
    gate.arrived(1).await;
    // Nothing tells when the others wait: those who come once it is kept share it as well.
    gate.open();
    for visitor in visitors {
        let answer = visitor.await.expect("a visitor");
        assert_eq!((answer.status, answer.text()), (200, "STALE"));
    }
    assert_eq!(origin.count("/p"), 1);
    let kept = evergate_tests::get(address, "/p").await;
    assert_eq!((kept.x_cache(), kept.text()), ("HIT", "STALE"));
    assert!(kept.age().is_some_and(|age| age >= 59), "caches in front must not keep it: {kept:?}");
    until("the newer one is there", async || evergate_tests::get(address, "/p").await.text() == "HIT").await;
    assert_eq!(origin.count("/p"), 2);
}
