//! Pages of a real Next.js behind `kind: page`: HTML for browsers and the router's own form for the router, each from the cache and
//! never one for the other.

use std::collections::HashSet;

use evergate_tests::{Client, Gateway, Response, until};

use super::server::{Next, in_front_of};

/// Header lines.
type Lines = &'static [(&'static str, &'static str)];

/// What a browser asks with.
const BROWSER: Lines = &[("accept", "text/html")];

/// What the router of Next.js 16 asks with when somebody follows a link.
const NAVIGATION: Lines = &[
    ("rsc", "1"),
    ("next-router-state-tree", "%5B%22%22%2C%7B%22children%22%3A%5B%22about%22%5D%7D%5D"),
    ("next-url", "/about"),
];

/// What it asks ahead with, for a part of a page and for its outline.
const PREFETCH: Lines = &[("rsc", "1"), ("next-router-prefetch", "1"), ("next-router-segment-prefetch", "/_tree")];
const PREFETCH_PART: Lines =
    &[("rsc", "1"), ("next-router-prefetch", "1"), ("next-router-segment-prefetch", "/about/$d$name/__PAGE__")];

const ROUTES: &str =
    "[{ path: /about, revalidate: 2, kind: page }, { path: '/about/[name]', revalidate: 1h, kind: page }]";

async fn ask(gateway: &Gateway, target: &str, lines: Lines) -> Response {
    let answer = Client::connect(gateway.address()).await.get_with(target, lines).await;
    assert!(answer.complete, "{target}");
    answer
}

fn form(answer: &Response) -> &str {
    answer.header("content-type").unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_get_html_and_the_router_gets_its_own_form_from_the_cache() {
    let next = Next::start().await;
    let gateway = in_front_of(&next, ROUTES).await;
    let visits: [(&str, Lines, &str); 6] = [
        ("/about/team", BROWSER, "text/html"),
        ("/about/team?_rsc=a1", NAVIGATION, "text/x-component"),
        ("/about/team?_rsc=b2", PREFETCH, "text/x-component"),
        ("/about/team?_rsc=c3", PREFETCH_PART, "text/x-component"),
        // The router without its parameter, and a browser that was given a link with it.
        ("/about/team", NAVIGATION, "text/x-component"),
        ("/about/team?_rsc=a1", BROWSER, "text/html"),
    ];
    let mut bodies = HashSet::new();
    for (expected, times) in [("MISS", 1), ("HIT", 2)] {
        for _ in 0..times {
            for (target, lines, content_type) in visits {
                let answer = ask(&gateway, target, lines).await;
                assert_eq!((answer.status, answer.x_cache()), (200, expected), "{target} {lines:?}: {answer:?}");
                assert!(form(&answer).starts_with(content_type), "{target} {lines:?}: {}", form(&answer));
                bodies.insert((target, lines.len(), answer.body));
            }
        }
    }
    assert_eq!(bodies.len(), visits.len(), "each is what it was");
}

/// Whoever asks in whichever order, and for a key that others have asked for: the form is the one that was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn promise_1_nobody_gets_the_form_that_another_asked_for() {
    let next = Next::start().await;
    let gateway = in_front_of(&next, ROUTES).await;
    let odd: Lines = &[("rsc", "0")];
    let twice: Lines = &[("rsc", "1"), ("rsc", "1")];
    let ways: [Lines; 8] = [
        NAVIGATION,
        BROWSER,
        odd,
        twice,
        PREFETCH,
        &[("next-router-prefetch", "1")],
        &[("next-router-segment-prefetch", "/_tree")],
        &[("next-router-state-tree", "x")],
    ];
    for round in 0..2 {
        for target in ["/about", "/about?_rsc=1", "/about/team", "/about/team?_rsc=", "/about?utm_source=x"] {
            for lines in ways {
                let answer = ask(&gateway, target, lines).await;
                // Whatever its value: Next.js asks no more.
                let to_router = lines.iter().any(|(name, _)| *name == "rsc");
                let is_component = form(&answer).starts_with("text/x-component");
                assert!(to_router || !is_component, "{round} {target} {lines:?}: {}", form(&answer));
                if lines == NAVIGATION {
                    assert!(is_component, "{round} {target}: {} {}", answer.status, form(&answer));
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_refreshed_in_both_forms() {
    let next = Next::start().await;
    let gateway = in_front_of(&next, ROUTES).await;
    for lines in [BROWSER, NAVIGATION] {
        let first = ask(&gateway, "/about", lines).await;
        assert_eq!(first.x_cache(), "MISS");
        until("there is a newer one", async || {
            let answer = ask(&gateway, "/about", lines).await;
            assert_eq!(form(&answer), form(&first));
            answer.body != first.body && answer.x_cache() == "HIT"
        })
        .await;
    }
}

/// The tags of a page are those that Next.js gives it itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_carries_the_tags_that_next_gives_it() {
    let next = Next::start().await;
    let gateway = in_front_of(&next, ROUTES).await;
    assert_eq!(ask(&gateway, "/about/team", BROWSER).await.status, 200);
    let told = evergate_tests::get(gateway.admin(), "/explain?url=/about/team&header=accept:text/html").await.json();
    let meta = concat!(env!("CARGO_MANIFEST_DIR"), "/next-app/.next/server/app/about/team.meta");
    let meta = std::fs::read_to_string(meta).expect("`next build` writes it");
    let meta: serde_json::Value = serde_json::from_str(&meta).expect("JSON");
    let nexts = meta["headers"]["x-next-cache-tags"].as_str().expect("the tags of a page that was built");
    let ours: Vec<&str> =
        told["stored"]["tags"].as_array().expect("tags").iter().filter_map(|tag| tag.as_str()).collect();
    for tag in nexts.split(',') {
        assert!(ours.contains(&tag), "{tag} is missing in {ours:?}");
    }
}
