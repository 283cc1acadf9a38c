//! Draft mode of a real Next.js: editors see what is not published, and nobody else ever does.

use evergate_tests::{Client, get};

use super::server::{Next, in_front_of};

#[tokio::test(flavor = "multi_thread")]
async fn promise_1_a_draft_is_for_its_editor_alone() {
    let next = Next::start().await;
    let gateway = in_front_of(&next, "[{ path: /draft/seen, revalidate: 1h }]").await;
    let address = gateway.address();
    let enabled = get(address, "/draft/enable").await;
    assert_eq!((enabled.status, enabled.x_cache()), (200, "PASS"));
    let cookie = enabled.all("set-cookie").into_iter().find(|line| line.starts_with("__prerender_bypass="));
    let cookie = cookie.and_then(|line| line.split(';').next()).expect("the cookie of the draft mode").to_owned();

    // Whoever comes first: what is kept is what is published.
    for (x_cache, draft) in [("PASS", true), ("MISS", false), ("PASS", true), ("HIT", false)] {
        let lines = if draft { vec![("cookie", cookie.as_str())] } else { Vec::new() };
        let answer = Client::connect(address).await.get_with("/draft/seen", &lines).await;
        assert_eq!((answer.status, answer.x_cache()), (200, x_cache));
        assert_eq!(answer.json()["draft"], draft, "{x_cache}: {}", answer.text());
    }
}
