//! Interim answers (1xx): those of a fill are passed on, as they come, to everyone who waits for it (RFC 9110 section 15.2),
//! and are never kept. Where the handler decides, and saw the whole request of whoever asked, they are for the asker alone.

use std::time::Duration;

use evergate_tests::{Client, Gate, Gateway, Http2Client, Origin, Reply, Response, Seen, get, until};
use tokio::task::JoinSet;

use crate::freshness::hit;

/// A route that is kept, one that expires after a second, one where the handler decides.
const ROUTES: &str = "- { path: '/kept/[page]', revalidate: 1h }\n- { path: '/brief/[page]', revalidate: 1, expire: 1 }\n\
                      - { path: '/aging/[page]', revalidate: 1 }\n- { path: '/origin/[page]', revalidate: origin }";

/// A page on a route of each kind.
const PLACES: [&str; 2] = [KEPT, "/origin/page"];
/// The one whose handler is asked for everyone.
const KEPT: &str = "/kept/page";

/// Most interim answers of one fetch that are passed on.
const MOST: usize = 8;

const HINT: (&str, &str) = ("link", "</a.css>; rel=preload; as=style");

/// The page, which its handler lets be kept.
fn page() -> Reply {
    Reply::ok("page").header("content-type", "text/plain").header("cache-control", "max-age=3600")
}

/// The page after a hint, held by a gate between the two.
fn hinting(gate: &Gate) -> Reply {
    page().interim(103, &[HINT]).gate(gate)
}

async fn in_front_of(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", reply);
    let config = Gateway::simple_config(&origin, ROUTES).replace("127.0.0.1:0\" }]", "127.0.0.1:0\", h2c: true }]");
    let gateway = Gateway::start(&config).await;
    (origin, gateway)
}

/// A visitor who has asked for a page.
async fn asking(gateway: &Gateway, method: &str, target: &str) -> Client {
    let mut client = Client::connect(gateway.address()).await;
    client.send(method, target, &[], "").await;
    client
}

/// Asserts that an answer is the hint, with nothing that is said of answers.
fn is_hint(answer: &Response, what: &str) {
    assert_eq!((answer.status, answer.reason.as_str()), (103, "Early Hints"), "{what}");
    assert_eq!(answer.headers, [(HINT.0.to_owned(), HINT.1.to_owned())], "{what}");
}

/// Asserts that an answer is the final one, in which there is nothing of the hint.
fn is_page(answer: &Response, what: &str) {
    assert_eq!((answer.status, answer.text(), answer.complete), (200, "page", true), "{what}");
    assert_eq!((answer.header(HINT.0), answer.interim.len()), (None, 0), "{what}");
}

#[tokio::test]
async fn a_hint_reaches_everyone_who_waits_while_the_handler_still_thinks() {
    for place in PLACES {
        let gate = Gate::new();
        let held = gate.clone();
        let (origin, gateway) = in_front_of(move |_| hinting(&held)).await;
        let mut first = asking(&gateway, "GET", place).await;
        is_hint(&first.read_interim().await, place);
        gate.arrived(1).await;
        let mut others = Vec::new();
        for _ in 0..3 {
            others.push(asking(&gateway, "GET", place).await);
        }
        // Who comes later, and shares the fill, is told as well, where the handler saw nothing of the first.
        if place == KEPT {
            for other in &mut others {
                is_hint(&other.read_interim().await, place);
            }
        }
        gate.open();
        let answer = first.read_response("GET").await;
        is_page(&answer, place);
        assert_eq!(answer.cache_status(), "evergate; fwd=uri-miss; fwd-status=200; stored", "{place}");
        for mut other in others {
            let answer = other.read_response("GET").await;
            is_page(&answer, place);
            // Where they are told nothing before the page, nothing tells when they wait: one may come once it is kept.
            let in_time = answer.cache_status().contains("; collapsed");
            assert!(in_time || place != KEPT && answer.x_cache() == "HIT", "{place}: {}", answer.cache_status());
        }
        assert_eq!(origin.count(place), 1);
        // It was for those who waited: what is kept is the final answer alone.
        let kept = hit(gateway.address(), place).await;
        is_page(&kept, place);
        let apart = ["age", "cache-status", "x-cache", "etag", "accept-ranges"];
        assert_eq!(kept.headers_without(&apart), answer.headers_without(&apart), "{place}");
        assert_eq!(origin.count(place), 1);
    }
}

#[tokio::test]
async fn a_hint_that_the_page_follows_at_once_is_passed_on_too() {
    let (origin, gateway) = in_front_of(|_| page().interim(103, &[HINT])).await;
    // "A proxy MUST forward 1xx responses unless the proxy itself requested" them (RFC 9110 section 15.2).
    let mut lost = Vec::new();
    for route in ["kept", "origin"] {
        for number in 0..20 {
            let place = format!("/{route}/{number}");
            let mut answer = get(gateway.address(), &place).await;
            match answer.interim.pop() {
                Some(hint) => is_hint(&hint, &place),
                None => lost.push(place.clone()),
            }
            is_page(&answer, &place);
            assert_eq!((answer.x_cache(), origin.count(&place)), ("MISS", 1), "{place}");
        }
    }
    assert!(lost.is_empty(), "{} of 40 hints were lost: {lost:?}", lost.len());
}

#[tokio::test]
async fn several_come_in_their_order_each_as_soon_as_it_is_there() {
    for place in PLACES {
        let gate = Gate::new();
        let held = gate.clone();
        let (_origin, gateway) = in_front_of(move |_| {
            let reply = page().interim(102, &[]).interim(103, &[("x-twice", "1"), ("X-Twice", "2")]);
            // RFC 9110 section 15: a code that is not known is treated as the first of its class.
            reply.interim(103, &[HINT]).interim(142, &[("x-odd", "1")]).gate(&held)
        })
        .await;
        let mut client = asking(&gateway, "GET", place).await;
        let processing = client.read_interim().await;
        assert_eq!((processing.status, processing.headers.len()), (102, 0), "{place}");
        let twice = client.read_interim().await;
        assert_eq!((twice.status, twice.all("x-twice")), (103, vec!["1", "2"]), "{place}");
        is_hint(&client.read_interim().await, place);
        let odd = client.read_interim().await;
        assert_eq!((odd.status, odd.header("x-odd")), (142, Some("1")), "{place}");
        gate.open();
        is_page(&client.read_response("GET").await, place);
        // The connection goes on: none of those was taken for the answer.
        is_page(&client.get(place).await, place);
    }
}

#[tokio::test]
async fn what_concerns_the_handlers_connection_stays_there() {
    for place in PLACES {
        let gate = Gate::new();
        let held = gate.clone();
        let (_origin, gateway) = in_front_of(move |_| {
            // 100 answers an expectation that nobody had (RFC 9110 section 15.2.1).
            let fields = [HINT, ("connection", "x-hop, keep-alive"), ("x-hop", "1"), ("keep-alive", "timeout=5")];
            page()
                .interim(100, &[])
                .interim(103, &fields)
                .interim(100, &[("x-a", "1")])
                .interim(103, &[HINT])
                .gate(&held)
        })
        .await;
        let mut client = asking(&gateway, "GET", place).await;
        is_hint(&client.read_interim().await, place);
        is_hint(&client.read_interim().await, place);
        gate.open();
        is_page(&client.read_response("GET").await, place);
    }
}

#[tokio::test]
async fn promise_1_a_hint_that_is_for_one_visitor_is_no_one_elses() {
    // Where the handler decides it has seen the asker's whole request, and the final answer says whom it is for.
    let gate = Gate::new();
    let held = gate.clone();
    let (origin, gateway) = in_front_of(move |seen| {
        let who = seen.header("cookie").unwrap_or("nobody").to_owned();
        let hint = [("link", "</of-this-visitor.css>"), ("set-cookie", who.as_str())];
        let reply = Reply::ok(&who).header("cache-control", "private").interim(103, &hint);
        if who == "id=ann" { reply.gate(&held) } else { reply }
    })
    .await;
    let mut ann = Client::connect(gateway.address()).await;
    ann.send("GET", "/origin/page", &[("cookie", "id=ann")], "").await;
    assert_eq!(ann.read_interim().await.header("set-cookie"), Some("id=ann"));
    gate.arrived(1).await;
    let mut bob = Client::connect(gateway.address()).await;
    bob.send("GET", "/origin/page", &[("cookie", "id=bob")], "").await;
    // While hers is held he can be told nothing but what is hers: for a moment he must hear nothing.
    let told = tokio::time::timeout(Duration::from_millis(300), bob.read_interim()).await;
    let mut cookies: Vec<String> =
        told.iter().filter_map(|told| told.header("set-cookie")).map(str::to_owned).collect();
    gate.open();
    assert_eq!(ann.read_response("GET").await.text(), "id=ann");
    let answer = bob.read_response("GET").await;
    assert_eq!(answer.text(), "id=bob");
    cookies.extend(answer.interim.iter().filter_map(|told| told.header("set-cookie")).map(str::to_owned));
    assert_eq!(cookies, ["id=bob"]);
    assert_eq!(origin.count("/origin/page"), 2);
}

#[tokio::test]
async fn promise_1_a_hint_for_everyone_sets_nobodys_cookie() {
    // Of a final answer with a cookie each visitor gets one of their own; a hint is no way around that.
    let gate = Gate::new();
    let held = gate.clone();
    let (_origin, gateway) =
        in_front_of(move |_| page().interim(103, &[HINT, ("set-cookie", "session=1")]).gate(&held)).await;
    let mut visitors = [asking(&gateway, "GET", KEPT).await, asking(&gateway, "GET", KEPT).await];
    for visitor in &mut visitors {
        let hint = visitor.read_interim().await;
        assert_eq!((hint.status, hint.header(HINT.0), hint.header("set-cookie")), (103, Some(HINT.1), None));
    }
    gate.open();
}

#[tokio::test]
async fn old_visitors_and_http2_get_the_final_answer_alone() {
    for place in PLACES {
        let gate = Gate::new();
        let held = gate.clone();
        let (origin, gateway) = in_front_of(move |_| hinting(&held)).await;
        let mut modern = asking(&gateway, "GET", place).await;
        is_hint(&modern.read_interim().await, place);
        // RFC 9110 section 15.2: "a server MUST NOT send a 1xx response to an HTTP/1.0 client".
        let mut old = Client::connect(gateway.address()).await;
        old.send_raw(format!("GET {place} HTTP/1.0\r\nhost: a\r\n\r\n")).await;
        let mut asker = Client::connect(gateway.address()).await;
        asker.send_raw(format!("GET {place}?alone HTTP/1.0\r\nhost: a\r\n\r\n")).await;
        let streams = Http2Client::connect(gateway.address()).await;
        let (response, ()) = tokio::join!(streams.get(place), async {
            gate.arrived(2).await;
            gate.open();
        });
        is_page(&response, place);
        for client in [&mut old, &mut asker] {
            is_page(&client.read_response("GET").await, place);
        }
        is_page(&modern.read_response("GET").await, place);
        assert_eq!(origin.count(place), 2);
    }
}

#[tokio::test]
async fn promise_6_a_flood_is_bounded() {
    for place in PLACES {
        let gate = Gate::new();
        let held = gate.clone();
        let (origin, gateway) = in_front_of(move |_| {
            let numbered = |reply: Reply, number: usize| reply.interim(103, &[("x-number", &number.to_string())]);
            (0..5000).fold(page().gate(&held), numbered)
        })
        .await;
        let mut client = asking(&gateway, "GET", place).await;
        // All that the handler had to say was read: it got to its gate.
        gate.arrived(1).await;
        for number in 0..MOST {
            assert_eq!(client.read_interim().await.header("x-number"), Some(number.to_string().as_str()), "{place}");
        }
        // Whoever comes later is told as much, where it is for everyone, and then nothing more.
        let mut late = asking(&gateway, "GET", place).await;
        for number in 0..if place == KEPT { MOST } else { 0 } {
            assert_eq!(late.read_interim().await.header("x-number"), Some(number.to_string().as_str()), "{place}");
        }
        gate.open();
        for mut visitor in [client, late] {
            is_page(&visitor.read_response("GET").await, place);
        }
        assert_eq!(origin.count(place), 1);
    }
}

#[tokio::test]
async fn promise_3_hints_without_an_answer_do_not_make_anyone_wait_longer() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::never().interim(103, &[HINT]).interim(103, &[HINT]));
    let config =
        Gateway::simple_config(&origin, ROUTES).replace("] }", "], timeouts: { first_byte: 300ms }, retries: 0 }");
    let gateway = Gateway::start(&config).await;
    for place in PLACES {
        let answer = get(gateway.address(), place).await;
        assert_eq!((answer.status, answer.interim.len()), (504, 2), "{place}: {}", answer.cache_status());
        is_hint(&answer.interim[0], place);
        assert_eq!(origin.count(place), 1);
    }
}

#[tokio::test]
async fn a_switch_of_protocols_that_nobody_asked_for_is_no_interim_answer() {
    let (_origin, gateway) = in_front_of(|_| Reply::upgrade_echo()).await;
    for place in PLACES {
        // RFC 9110 section 15.2.2.
        let answer = get(gateway.address(), place).await;
        assert_eq!((answer.status, answer.interim.len()), (502, 0), "{place}: {}", answer.cache_status());
    }
}

#[tokio::test]
async fn hints_of_a_refresh_are_for_those_who_wait_for_it() {
    let gate = Gate::new();
    let held = gate.clone();
    let (origin, gateway) = in_front_of(move |seen| match seen.header("if-none-match") {
        Some(_) => Reply::ok("").status(304).interim(103, &[HINT]).gate(&held),
        None => page().header("etag", "\"v1\""),
    })
    .await;
    for place in ["/brief/page", "/aging/page"] {
        is_page(&get(gateway.address(), place).await, place);
    }
    // Who is served something stale at once waits for nothing, and is told nothing.
    until("the page is stale", async || get(gateway.address(), "/aging/page").await.x_cache() == "STALE").await;
    gate.arrived(1).await;
    let stale = get(gateway.address(), "/aging/page").await;
    assert_eq!(stale.x_cache(), "STALE");
    is_page(&stale, "stale");
    // Who comes after the end of the window waits for the handler's word.
    let visitors = std::cell::RefCell::new(JoinSet::new());
    until("a visitor waits", async || {
        let mut client = asking(&gateway, "GET", "/brief/page").await;
        visitors.borrow_mut().spawn(async move { client.read_response("GET").await });
        origin.count("/brief/page") > 1
    })
    .await;
    gate.arrived(2).await;
    let mut head = asking(&gateway, "HEAD", "/brief/page").await;
    is_hint(&head.read_interim().await, "HEAD");
    gate.open();
    let answer = head.read_response("HEAD").await;
    assert_eq!((answer.status, answer.x_cache(), answer.body.len()), (200, "REVALIDATED", 0));
    for mut answer in visitors.into_inner().join_all().await {
        let hints = usize::from(answer.x_cache() == "REVALIDATED");
        assert_eq!(answer.interim.len(), hints, "{}", answer.cache_status());
        answer.interim.clear();
        is_page(&answer, "whoever waited");
    }
    assert_eq!(origin.count("/brief/page"), 2);
}
