//! Promise 6: memory stays within `capacity` plus the fills in flight, and what can grow has a limit with a name. The
//! figures are those that the gateway tells, and beside them what the system says of its process.

use std::time::Duration;

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, Response, Seen, clock, get, until};
use tokio::task::JoinSet;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// How long a declined key is passed without asking again.
const HIT_FOR_MISS_LIFE: Duration = Duration::from_secs(10);

/// An origin that replies so to everything, behind a gateway that keeps every path of one segment, with these settings of
/// the cache.
async fn keeping(cache: &str, reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", reply);
    let routes =
        format!("- {{ path: \"/[x]\", revalidate: false }}\nlog: {{ access: off }}\ncache: {{ capacity: {cache} }}");
    let gateway = Gateway::simple(&origin, &routes).await;
    (origin, gateway)
}

/// What the gateway tells of its cache.
async fn figure(gateway: &Gateway, name: &str) -> f64 {
    gateway.metric(&format!("evergate_cache_{name}"), &[]).await
}

/// Bytes as metrics tell them.
fn bytes(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

/// Asks for `/0` to `/{count - 1}` over a few connections at once, and hands each answer to `check`.
async fn visit_all(gateway: &Gateway, count: usize, check: impl Fn(usize, &Response) + Copy + Send + Sync + 'static) {
    const VISITORS: usize = 4;
    let mut visitors = JoinSet::new();
    for visitor in 0..VISITORS {
        let address = gateway.address();
        visitors.spawn(async move {
            let mut client = Client::connect(address).await;
            for number in (visitor..count).step_by(VISITORS) {
                check(number, &client.get(&format!("/{number}")).await);
            }
        });
    }
    // A visitor's panic is one of the test.
    visitors.join_all().await;
}

#[tokio::test]
async fn promise_6_the_cache_never_holds_more_than_its_capacity() {
    const PAGES: usize = 300;
    let page = |seen: &Seen| Reply::ok(seen.path().repeat(20 * KIB / seen.path().len()));
    let (_origin, gateway) = keeping("1MiB", page).await;
    let visits = visit_all(&gateway, PAGES, |number, response| {
        assert!(response.complete && response.text().starts_with(&format!("/{number}")), "{number}");
        assert!(response.body.len() > 20 * KIB - 8, "{number}");
    });
    // Looked at all the while, not only when everything has settled.
    let watch = async {
        let mut most = 0.0_f64;
        loop {
            most = most.max(figure(&gateway, "bytes").await);
            assert!(most <= bytes(MIB), "{most} bytes in a cache of {MIB}");
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = visits => {}
        () = watch => {}
    }
    let (held, entries) = (figure(&gateway, "bytes").await, figure(&gateway, "entries").await);
    assert!(held <= bytes(MIB) && held > bytes(MIB / 2), "{held} bytes");
    assert!(entries * bytes(20 * KIB) <= held + entries * 8.0, "{entries} pages in {held} bytes");
    let evicted = gateway.metric("evergate_cache_evictions_total", &[("cause", "size")]).await;
    assert_eq!((entries + evicted).to_string(), PAGES.to_string(), "every page is kept or was evicted");
}

#[tokio::test]
async fn promise_6_bodies_that_went_through_leave_nothing_behind() {
    let (_origin, gateway) = keeping("16MiB", |_| Reply::ok(vec![7; MIB]).header("etag", "\"1\"")).await;
    // What a gateway at work takes in any case is there after the first few.
    visit_all(&gateway, 8, |_, _| {}).await;
    let before = gateway.resident_mib();
    visit_all(&gateway, 200, |number, response| assert_eq!(response.body.len(), MIB, "{number}")).await;
    let grown = gateway.resident_mib().saturating_sub(before);
    assert!(figure(&gateway, "bytes").await <= bytes(16 * MIB));
    assert!(grown < 56, "200 MiB went through a cache of 16 MiB, and the process grew by {grown} MiB");
}

#[tokio::test]
async fn promise_6_what_is_kept_of_a_head_is_all_that_it_takes() {
    let tagged = |seen: &Seen| {
        let reply = Reply::ok(seen.path()).header("content-type", "text/plain").header("etag", "\"1\"");
        // For the gateway, not for visitors: it is not kept.
        reply.header("cache-tag", "t".repeat(32 * KIB))
    };
    let (_origin, gateway) = keeping("1MiB", tagged).await;
    visit_all(&gateway, 8, |_, _| {}).await;
    let before = gateway.resident_mib();
    visit_all(&gateway, 700, |_, response| assert_eq!(response.status, 200)).await;
    let grown = gateway.resident_mib().saturating_sub(before);
    assert!(figure(&gateway, "entries").await > 400.0, "small pages are kept");
    assert!(grown < 16, "a cache of 1 MiB made the process grow by {grown} MiB");
}

#[tokio::test]
async fn promise_6_marks_of_what_is_not_kept_count_too() {
    let (origin, gateway) = keeping("1MiB", |_| Reply::ok("own").header("set-cookie", "a=1")).await;
    let mut client = Client::connect(gateway.address()).await;
    let long = "x".repeat(12 * KIB);
    for number in 0..140 {
        assert_eq!(client.get(&format!("/{long}{number}")).await.x_cache(), "PASS", "{number}");
    }
    let (held, evicted) = (figure(&gateway, "bytes").await, figure(&gateway, "evictions_total").await);
    assert!(held <= bytes(MIB) && held > bytes(MIB / 2) && evicted > 30.0, "{held} bytes, {evicted} evicted");
    assert_eq!(origin.count("/*"), 280);
}

#[tokio::test]
async fn promise_6_the_variants_of_one_page_share_a_part_of_the_capacity() {
    let origin = Origin::start().await;
    origin.on("/p", |seen| Reply::ok(seen.header("x-v").unwrap_or_default().repeat(60 * KIB)));
    origin.on("/other", |_| Reply::ok("other"));
    let routes = "- { path: /p, revalidate: false, vary: [x-v] }\n- { path: /other, revalidate: false }\n\
                  cache: { capacity: 1MiB }";
    let gateway = Gateway::simple(&origin, routes).await;
    get(gateway.address(), "/other").await;
    let mut client = Client::connect(gateway.address()).await;
    for letter in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        assert_eq!(client.get_with("/p", &[("x-v", letter)]).await.body.len(), 60 * KIB);
    }
    let (held, evicted) = (figure(&gateway, "bytes").await, figure(&gateway, "evictions_total").await);
    // A quarter, so that one page cannot be the whole cache.
    assert!(held <= bytes(MIB / 4 + 4 * KIB) && evicted >= 4.0, "{held} bytes, {evicted} evicted");
    assert_eq!(client.get_with("/p", &[("x-v", "h")]).await.x_cache(), "HIT", "the latest is kept");
    assert_eq!(client.get("/other").await.x_cache(), "HIT");
}

#[tokio::test]
async fn promise_6_no_more_fills_run_than_may() {
    let origin = Origin::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/*", move |seen| Reply::ok(seen.path()).gate(&held));
    let config = Gateway::simple_config(&origin, "- { path: \"/[x]\", revalidate: false }");
    let gateway = Gateway::start(&config.replace("] }", "], max_concurrent_fetches: 2 }")).await;
    let mut visitors = JoinSet::new();
    for number in 0..20 {
        let mut client = Client::connect(gateway.address()).await;
        let path = format!("/{number}");
        client.send("GET", &path, &[], "").await;
        visitors.spawn(async move { (path, client.read_response("GET").await) });
    }
    gate.arrived(2).await;
    // A few round trips through the same threads: whoever could get further has got there.
    for _ in 0..10 {
        gateway.metrics_text().await;
    }
    assert_eq!(gate.arrivals(), 2);
    gate.open();
    for (path, response) in visitors.join_all().await {
        assert_eq!((response.status, response.text()), (200, path.as_str()));
    }
    assert!(origin.concurrent_peak("/*") <= 2, "{} at once", origin.concurrent_peak("/*"));
}

/// A reply with a head of about this many bytes, in so many fields.
fn with_head(size: usize, fields: usize) -> Reply {
    (0..fields).fold(Reply::ok("page"), |reply, number| reply.header(format!("x-{number}"), "v".repeat(size / fields)))
}

/// Sizes of heads, their number of fields, and whether they are served.
const HEADS: [(usize, usize, bool); 8] = [
    (60 * KIB, 1, true),
    (60 * KIB, 60, true),
    (1, 120, true),
    (70 * KIB, 1, false),
    (70 * KIB, 100, false),
    (600 * KIB, 10, false),
    (2 * MIB, 20, false),
    (1, 1000, false),
];

#[tokio::test]
async fn promise_6_heads_above_the_limit_are_refused_and_not_kept() {
    let origin = Origin::start().await;
    let gateway = Gateway::simple(&origin, "- { path: \"/[x]\", revalidate: false }").await;
    for (number, (size, fields, served)) in HEADS.into_iter().enumerate() {
        for (path, again) in [(format!("/{number}"), "HIT"), (format!("/dynamic/{number}"), "PASS")] {
            origin.on(&path, move |_| with_head(size, fields));
            let response = get(gateway.address(), &path).await;
            let what = format!("{path}: {size} bytes in {fields} fields: {}", response.cache_status());
            if served {
                let value = "v".repeat(size / fields);
                assert_eq!((response.status, response.text()), (200, "page"), "{what}");
                assert_eq!(response.header("x-0"), Some(value.as_str()), "{what}");
                assert_eq!(get(gateway.address(), &path).await.x_cache(), again, "{what}");
            } else {
                assert_eq!(response.status, 502, "{what}");
                assert!(response.cache_status().ends_with("; detail=malformed"), "{what}");
                // The next visitor is served normally.
                origin.on(&path, |_| Reply::ok("better"));
                assert_eq!(get(gateway.address(), &path).await.text(), "better", "{what}");
            }
        }
    }
}

#[tokio::test]
async fn promise_5_a_refresh_with_too_large_a_head_keeps_the_old_page() {
    let origin = Origin::start().await;
    origin.on("/p", |_| Reply::ok("old"));
    let gateway = Gateway::simple(&origin, "- { path: /p, revalidate: 1 }").await;
    assert_eq!(get(gateway.address(), "/p").await.text(), "old");
    origin.on("/p", |_| with_head(100 * KIB, 10));
    until("the refresh has failed", async || {
        let response = get(gateway.address(), "/p").await;
        assert_eq!((response.status, response.text()), (200, "old"));
        response.cache_status().ends_with("; detail=error")
    })
    .await;
}

/// Asks again and again until the mark of a declined answer is gone, for at most its life and a few seconds; gives back how
/// long it lasted, counted from before it was made.
async fn mark_gone(gateway: &Gateway, path: &str) -> Duration {
    let begun = clock::now();
    assert_eq!(get(gateway.address(), path).await.x_cache(), "PASS");
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let response = get(gateway.address(), path).await;
        let lasted = begun.elapsed();
        if response.x_cache() == "MISS" {
            return lasted;
        }
        assert_eq!(response.cache_status(), "evergate; fwd=bypass; fwd-status=200; detail=set-cookie");
        assert!(lasted < HIT_FOR_MISS_LIFE + Duration::from_secs(5), "the mark is still there after {lasted:?}");
    }
}

#[tokio::test]
async fn promise_6_hit_for_miss_marks_expire_after_ten_seconds() {
    // Only the first answer is personal.
    let first = std::sync::atomic::AtomicBool::new(true);
    let reply = move |_: &Seen| match first.swap(false, std::sync::atomic::Ordering::AcqRel) {
        true => Reply::ok("page").header("set-cookie", "a=1"),
        false => Reply::ok("page"),
    };
    let (_origin, gateway) = keeping("1MiB", reply).await;
    let lasted = mark_gone(&gateway, "/p").await;
    assert!(lasted >= HIT_FOR_MISS_LIFE, "gone after {lasted:?}");
    until("the page is kept now", async || get(gateway.address(), "/p").await.x_cache() == "HIT").await;
}
