//! A Next.js that answers from its own cache: what it serves stale is not kept for another window (row 26 of its differences).

use std::time::Duration;

use evergate_tests::{get, until};

use super::server::{Next, in_front_of};

/// Next.js keeps `/posts` for two seconds of its own. The gateway, which asks when those are over, gets the old answer marked
/// STALE; it passes that on as stale, and asks again as soon as Next.js has had time to make a newer one.
#[tokio::test(flavor = "multi_thread")]
async fn what_next_serves_stale_is_not_kept_for_a_window() {
    let next = Next::start().await;
    let gateway = in_front_of(&next, "[{ path: /posts, revalidate: 1h }]").await;
    // Older than its own window for sure, so that the first answer is one that Next.js calls stale.
    until("the build is older than its window", async || built_ago() > Duration::from_secs(3)).await;
    let first = get(gateway.address(), "/posts").await;
    assert_eq!(
        (first.status, first.x_cache(), first.header("x-nextjs-cache")),
        (200, "MISS", Some("STALE")),
        "{first:?}"
    );

    // With an hour's window it would be fresh now.
    let again = get(gateway.address(), "/posts").await;
    assert_eq!((again.x_cache(), &again.body), ("STALE", &first.body));
    assert!(again.age().is_some_and(|age| age >= 3600), "caches in front must not keep it: {again:?}");
    until("the newer answer is there", async || {
        let answer = get(gateway.address(), "/posts").await;
        answer.x_cache() == "HIT" && answer.body != first.body
    })
    .await;
    assert_eq!(get(gateway.address(), "/posts").await.header("x-nextjs-cache"), Some("HIT"));
}

/// How long ago the application was built.
fn built_ago() -> Duration {
    let built = std::fs::metadata(concat!(env!("CARGO_MANIFEST_DIR"), "/next-app/.next/BUILD_ID"));
    let built = built.and_then(|file| file.modified()).expect("the application is built");
    built.elapsed().unwrap_or_default()
}
