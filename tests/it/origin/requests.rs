//! What a request may ask of a cache (sections 5.2.1 and 5.4): heeded where the handler decides, and on a route with a window
//! only where the operator says so.

use evergate_tests::{Gateway, Origin, Reply, Response, Seen};

use super::{Lines, detail, essence, in_front_of, number, once, page, runs, visit};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Becomes {
    Hit,
    Stale,
    /// The handler is asked.
    Asked,
    /// It passes.
    Passes,
    /// 504: nothing that is stored answers it.
    Refused,
}
use Becomes::{Asked, Hit, Passes, Refused, Stale};

/// What became of it, as the answer tells.
fn became(response: &Response) -> Becomes {
    match (response.status, response.x_cache()) {
        (504, "") => Refused,
        (200, "HIT") => Hit,
        (200, "STALE") => Stale,
        (200, "MISS") => Asked,
        (200, "PASS") => Passes,
        other => panic!("{other:?}: {}", response.cache_status()),
    }
}

/// Requests for a page that is 50 seconds old and good for another 50.
const OF_FRESH: [(Lines<'static>, Becomes); 32] = [
    (&[], Hit),
    // Section 5.2.1.1.
    (&[("cache-control", "max-age=80")], Hit),
    (&[("cache-control", "max-age=40")], Asked),
    (&[("cache-control", "max-age=0")], Asked),
    (&[("cache-control", "MAX-AGE=0")], Asked),
    (&[("cache-control", "max-age=\"0\"")], Asked),
    (&[("cache-control", "max-age=\"80\"")], Hit),
    (&[("cache-control", "max-age=99999999999999999999")], Hit),
    (&[("cache-control", "max-age=x")], Asked),
    (&[("cache-control", "max-age")], Asked),
    (&[("cache-control", "max-age=-1")], Asked),
    (&[("cache-control", "max-age=80, max-age=40")], Asked),
    (&[("cache-control", "max-age=80"), ("cache-control", "max-age=40")], Asked),
    (&[("cache-control", "max-age=40, max-stale=100")], Asked),
    // Section 5.2.1.2: what is fresh is not stale.
    (&[("cache-control", "max-stale")], Hit),
    (&[("cache-control", "max-stale=0")], Hit),
    // Section 5.2.1.3.
    (&[("cache-control", "min-fresh=20")], Hit),
    (&[("cache-control", "min-fresh=60")], Asked),
    (&[("cache-control", "min-fresh=x")], Asked),
    (&[("cache-control", "max-age=80, min-fresh=60")], Asked),
    // Section 5.2.1.4.
    (&[("cache-control", "no-cache")], Asked),
    (&[("Cache-Control", "x, No-Cache")], Asked),
    (&[("cache-control", "max-age=80"), ("cache-control", "no-cache")], Asked),
    (&[("cache-control", "x=\"no-cache\"")], Hit),
    // Section 5.2.1.5.
    (&[("cache-control", "no-store")], Passes),
    // Section 5.2.1.6 asks for no other answer.
    (&[("cache-control", "no-transform")], Hit),
    // Section 5.2.1.7.
    (&[("cache-control", "only-if-cached")], Hit),
    (&[("cache-control", "only-if-cached, max-age=40")], Refused),
    (&[("cache-control", "only-if-cached, no-cache")], Refused),
    // Section 5.4: where there is no Cache-Control.
    (&[("pragma", "no-cache")], Asked),
    (&[("pragma", "no-cache"), ("cache-control", "max-age=80")], Hit),
    (&[("pragma", "x")], Hit),
];

/// Requests for a page that is 150 seconds old and has been stale for 50.
const OF_STALE: [(Lines<'static>, Becomes); 13] = [
    (&[], Asked),
    (&[("cache-control", "max-stale")], Stale),
    (&[("cache-control", "max-stale=80")], Stale),
    (&[("cache-control", "max-stale=40")], Asked),
    (&[("cache-control", "max-stale=0")], Asked),
    (&[("cache-control", "max-stale=x")], Asked),
    (&[("cache-control", "max-stale, no-cache")], Asked),
    (&[("cache-control", "max-stale, min-fresh=1")], Asked),
    (&[("cache-control", "max-age=200")], Asked),
    (&[("cache-control", "max-age=200, max-stale")], Stale),
    (&[("cache-control", "max-age=100, max-stale=20")], Asked),
    (&[("cache-control", "only-if-cached")], Refused),
    (&[("cache-control", "only-if-cached, max-stale")], Stale),
];

/// Pages of this age that are good until they are 100 seconds old.
fn aged(age: u32) -> Reply {
    Reply::ok("page").header("cache-control", "max-age=100").header("age", age.to_string())
}

#[tokio::test]
async fn requests_are_heeded() {
    for (age, cases) in [(50, &OF_FRESH[..]), (150, &OF_STALE)] {
        let (origin, gateway) = in_front_of(move |_| aged(age), "").await;
        for (case, (lines, becomes)) in cases.iter().enumerate() {
            page(&gateway, case, &[]).await;
            let response = page(&gateway, case, lines).await;
            assert_eq!(became(&response), *becomes, "{age} {lines:?}: {}", response.cache_status());
            let asked = if matches!(becomes, Asked | Passes) { 2 } else { 1 };
            assert_eq!(runs(&origin, case), asked, "{age} {lines:?}");
            if *becomes == Stale {
                assert_eq!(detail(&response), "asked", "{age} {lines:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_header_says_that_the_request_wanted_it_so() {
    let (_origin, gateway) = in_front_of(|_| aged(50), "").await;
    visit(&gateway, &[]).await;
    for (control, status) in [
        ("no-cache", "evergate; fwd=request; fwd-status=200; stored"),
        ("max-age=1", "evergate; fwd=request; fwd-status=200; stored"),
        ("no-store", "evergate; fwd=request; fwd-status=200; detail=request-no-store"),
        ("only-if-cached, no-cache", "evergate; detail=only-if-cached"),
    ] {
        assert_eq!(visit(&gateway, &[("cache-control", control)]).await.cache_status(), status, "{control}");
    }
}

#[tokio::test]
async fn what_forbids_stale_answers_is_stronger_than_who_asks_for_one() {
    // Sections 5.2.2.2, 5.2.2.8 and 5.2.2.10.
    const FORBIDDING: [&str; 4] =
        ["max-age=60, must-revalidate", "max-age=60, proxy-revalidate", "s-maxage=60", "max-age=60, no-cache"];
    let reply = |seen: &Seen| {
        let control = FORBIDDING[number(seen)];
        Reply::ok("page").header("cache-control", control).header("age", "61").header("etag", "\"v1\"")
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    for (case, control) in FORBIDDING.into_iter().enumerate() {
        page(&gateway, case, &[]).await;
        let response = page(&gateway, case, &[("cache-control", "max-stale")]).await;
        assert_eq!((became(&response), runs(&origin, case)), (Asked, 2), "{control}");
        let refused = page(&gateway, case, &[("cache-control", "max-stale, only-if-cached")]).await;
        assert_eq!((became(&refused), runs(&origin, case)), (Refused, 2), "{control}");
    }
}

#[tokio::test]
async fn promise_1_no_store_leaves_no_trace() {
    let reply = |seen: &Seen| {
        let whose = seen.header("cookie").unwrap_or("everyone").to_owned();
        Reply::ok(whose).header("cache-control", "max-age=60")
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    let secret = visit(&gateway, &[("cache-control", "no-store"), ("cookie", "id=ann")]).await;
    assert_eq!(essence(&secret), ("PASS", "id=ann"));
    assert_eq!(essence(&visit(&gateway, &[]).await), ("MISS", "everyone"));
    let secret = visit(&gateway, &[("cache-control", "no-store"), ("cookie", "id=ann")]).await;
    assert_eq!(essence(&secret), ("PASS", "id=ann"));
    assert_eq!(essence(&visit(&gateway, &[]).await), ("HIT", "everyone"));
    assert_eq!(origin.count("/p"), 3);
}

#[tokio::test]
async fn a_cold_page_is_not_fetched_for_who_wants_what_is_stored() {
    // Section 5.2.1.7.
    let (origin, gateway) = in_front_of(|_| aged(0), "").await;
    for method in ["GET", "HEAD"] {
        let lines = [("cache-control", "only-if-cached")];
        let response = super::ask(&gateway, method, &lines).await;
        assert_eq!((response.status, detail(&response)), (504, "only-if-cached"), "{method}");
        assert_eq!(
            response.header("cache-control").map(|control| control.contains("no-store")),
            Some(true),
            "{method}"
        );
    }
    assert_eq!(origin.count("/p"), 0);
}

/// A gateway with a route that has a window, with these settings.
async fn with_a_window(settings: &str) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/p", |_| Reply::ok("page"));
    let gateway = once(&origin, &format!("- {{ path: /p, revalidate: 60{settings} }}")).await;
    (origin, gateway)
}

/// What asks for something else than what has just been stored.
const DEMANDING: [(Lines<'static>, Becomes); 6] = [
    (&[("cache-control", "no-cache")], Asked),
    (&[("cache-control", "min-fresh=100")], Asked),
    (&[("pragma", "no-cache")], Asked),
    (&[("cache-control", "only-if-cached, min-fresh=100")], Refused),
    (&[("cache-control", "no-store")], Passes),
    (&[("cache-control", "max-age=50")], Hit),
];

#[tokio::test]
async fn visitors_force_no_fetches_on_a_route_with_a_window() {
    let (origin, gateway) = with_a_window("").await;
    visit(&gateway, &[]).await;
    for (lines, _) in DEMANDING {
        assert_eq!(became(&visit(&gateway, lines).await), Hit, "{lines:?}");
    }
    assert_eq!(origin.count("/p"), 1);
    let (origin, gateway) = with_a_window("").await;
    assert_eq!(became(&visit(&gateway, &[("cache-control", "only-if-cached")]).await), Asked);
    assert_eq!(became(&visit(&gateway, &[("cache-control", "no-store")]).await), Hit);
    assert_eq!(origin.count("/p"), 1);
}

#[tokio::test]
async fn visitors_are_heeded_on_a_route_with_a_window_where_the_operator_says_so() {
    let (origin, gateway) = with_a_window(", honor_request_directives: true").await;
    assert_eq!(became(&visit(&gateway, &[("cache-control", "only-if-cached")]).await), Refused);
    visit(&gateway, &[]).await;
    let mut asked = 1;
    for (lines, becomes) in DEMANDING {
        assert_eq!(became(&visit(&gateway, lines).await), becomes, "{lines:?}");
        asked += usize::from(matches!(becomes, Asked | Passes));
        assert_eq!(origin.count("/p"), asked, "{lines:?}");
    }
}
