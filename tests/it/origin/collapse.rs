//! Collapsing (section 4): many visitors of what is good for all cost one run, and nobody queues for what is not.

use std::sync::atomic::{AtomicUsize, Ordering};

use evergate_tests::{Client, Gate, Gateway, Reply, Seen, until};
use tokio::task::JoinSet;

use super::{Lines, essence, in_front_of, visit};

/// A visitor who has asked for `/p` and reads nothing yet.
async fn asking(gateway: &Gateway, lines: Lines<'_>) -> Client {
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET", "/p", lines, "").await;
    client
}

#[tokio::test]
async fn promise_2_many_visitors_of_a_cold_page_cost_one_run() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |_: &Seen| Reply::ok("page").header("cache-control", "max-age=60").gate(&held);
    let (origin, gateway) = in_front_of(reply, "").await;
    let mut visitors = JoinSet::new();
    for number in 0..200 {
        let mut client = asking(&gateway, &[("cookie", &format!("id={number}"))]).await;
        visitors.spawn(async move { client.read_response("GET").await });
    }
    gate.arrived(1).await;
    gate.open();
    for response in visitors.join_all().await {
        assert_eq!((response.status, response.text()), (200, "page"));
    }
    assert_eq!(origin.count("/p"), 1);
}

#[tokio::test]
async fn promise_2_many_visitors_of_a_stale_page_cost_one_confirmation() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| match seen.header("if-none-match") {
        Some(_) => Reply::ok("").status(304).header("cache-control", "max-age=60").gate(&held),
        None => Reply::ok("page").header("cache-control", "max-age=600").header("etag", "\"v1\""),
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    visit(&gateway, &[]).await;
    let mut visitors = JoinSet::new();
    for _ in 0..50 {
        let mut client = asking(&gateway, &[("cache-control", "no-cache")]).await;
        visitors.spawn(async move { client.read_response("GET").await });
    }
    gate.arrived(1).await;
    // All of them have been read once a later request is answered, and more than one confirmation would come to the gate.
    visit(&gateway, &[]).await;
    assert_eq!((gate.arrivals(), origin.count("/p")), (1, 2));
    gate.open();
    for response in visitors.join_all().await {
        assert_eq!(response.text(), "page", "{}", response.cache_status());
    }
}

#[tokio::test]
async fn promise_3_everyone_gets_the_first_bytes_at_once() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |_: &Seen| {
        Reply::ok("").header("cache-control", "max-age=60").chunks(["first", "second"]).gate_after(1, &held)
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    let mut visitors = Vec::new();
    for _ in 0..20 {
        let mut client = asking(&gateway, &[]).await;
        assert_eq!(client.read_head().await.status, 200);
        let (_, piece) = client.next_chunk().await.expect("what has come");
        assert_eq!(piece, "first");
        visitors.push(client);
    }
    gate.open();
    for mut client in visitors {
        let (_, piece) = client.next_chunk().await.expect("the rest");
        assert_eq!(piece, "second");
        assert!(client.next_chunk().await.is_none() && client.complete());
    }
    assert_eq!(origin.count("/p"), 1);
}

#[tokio::test]
async fn promise_3_nobody_queues_for_what_was_not_kept_a_moment_ago() {
    for control in ["private", "no-store", "public"] {
        let gate = Gate::new();
        let held = gate.clone();
        let reply = move |seen: &Seen| {
            let reply = Reply::ok(seen.header("cookie").unwrap_or_default()).header("cache-control", control);
            if seen.header("x-first").is_some() { reply } else { reply.gate(&held) }
        };
        let (origin, gateway) = in_front_of(reply, "").await;
        visit(&gateway, &[("x-first", "1")]).await;
        let mut visitors = Vec::new();
        for number in 0..10 {
            visitors.push(asking(&gateway, &[("cookie", &format!("id={number}"))]).await);
        }
        // Each of them is at the handler, before any is answered.
        gate.arrived(10).await;
        gate.open();
        for (number, mut client) in visitors.into_iter().enumerate() {
            assert_eq!(client.read_response("GET").await.text(), format!("id={number}"), "{control}");
        }
        assert_eq!(origin.count("/p"), 11, "{control}");
    }
}

#[tokio::test]
async fn promise_3_nobody_waits_for_the_end_of_what_is_for_another() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| {
        let reply = Reply::ok("").header("cache-control", "private").chunks(["a", "b"]);
        if seen.header("x-first").is_some() { reply.gate_after(1, &held) } else { reply }
    };
    let (_origin, gateway) = in_front_of(reply, "").await;
    let mut first = asking(&gateway, &[("x-first", "1")]).await;
    first.read_head().await;
    assert_eq!(visit(&gateway, &[]).await.text(), "ab");
    gate.open();
    assert!(first.next_chunk().await.is_some());
}

#[tokio::test]
async fn a_page_that_becomes_one_for_all_is_kept_at_once() {
    let runs = AtomicUsize::new(0);
    let reply = move |_: &Seen| match runs.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::ok("0").header("cache-control", "private"),
        run => Reply::ok(run.to_string()).header("cache-control", "max-age=60"),
    };
    let (_origin, gateway) = in_front_of(reply, "").await;
    for expected in [("MISS", "0"), ("MISS", "1"), ("HIT", "1")] {
        assert_eq!(essence(&visit(&gateway, &[]).await), expected);
    }
}

#[tokio::test]
async fn promise_3_a_leader_who_hangs_up_leaves_the_page_to_the_others() {
    for waiting in [0, 5] {
        let gate = Gate::new();
        let held = gate.clone();
        let reply = move |_: &Seen| Reply::ok("page").header("cache-control", "max-age=60").gate(&held);
        let (origin, gateway) = in_front_of(reply, "").await;
        let leader = asking(&gateway, &[]).await;
        gate.arrived(1).await;
        let mut visitors = Vec::new();
        for _ in 0..waiting {
            visitors.push(asking(&gateway, &[]).await);
        }
        drop(leader);
        gate.open();
        for mut client in visitors {
            assert_eq!(client.read_response("GET").await.text(), "page");
        }
        until("the page is kept", async || visit(&gateway, &[]).await.x_cache() == "HIT").await;
        assert_eq!(origin.count("/p"), 1, "{waiting}");
    }
}

#[tokio::test]
async fn promise_1_what_was_for_a_leader_who_has_left_is_for_nobody() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| {
        let whose = seen.header("cookie").unwrap_or_default();
        let reply = Reply::ok(whose).header("cache-control", "private");
        if whose == "id=ann" { reply.gate(&held) } else { reply }
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    let leader = asking(&gateway, &[("cookie", "id=ann")]).await;
    gate.arrived(1).await;
    let mut bob = asking(&gateway, &[("cookie", "id=bob")]).await;
    let mut cy = asking(&gateway, &[("cookie", "id=cy")]).await;
    drop(leader);
    gate.open();
    assert_eq!(bob.read_response("GET").await.text(), "id=bob");
    assert_eq!(cy.read_response("GET").await.text(), "id=cy");
    assert_eq!(origin.count("/p"), 3);
}

#[tokio::test]
async fn promise_1_a_failure_is_told_to_those_who_wait_without_what_was_the_askers() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| {
        let whose = seen.header("cookie").unwrap_or_default();
        Reply::ok(format!("broken for {whose}"))
            .status(500)
            .header("set-cookie", whose)
            .header("x-user", whose)
            .gate(&held)
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    let mut leader = asking(&gateway, &[("cookie", "id=ann")]).await;
    gate.arrived(1).await;
    let mut waiter = asking(&gateway, &[("cookie", "id=bob")]).await;
    gate.open();
    let ann = leader.read_response("GET").await;
    assert_eq!((ann.status, ann.text(), ann.header("set-cookie")), (500, "broken for id=ann", Some("id=ann")));
    let bob = waiter.read_response("GET").await;
    assert_eq!(bob.status, 500);
    assert!(!bob.text().contains("ann"), "{}", bob.text());
    for name in ["set-cookie", "x-user"] {
        assert_ne!(bob.header(name), Some("id=ann"), "{name}");
    }
    assert!(origin.count("/p") <= 2);
}

#[tokio::test]
async fn promise_2_an_authenticated_leader_does_not_disperse_the_others() {
    // Section 3.5: the answer is the leader's, and says nothing of what the others would get, which is for all of them.
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| {
        let whose = seen.header("authorization").unwrap_or("everyone").to_owned();
        Reply::ok(whose).header("cache-control", "max-age=60").gate(&held)
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    let mut leader = asking(&gateway, &[("authorization", "Basic ann")]).await;
    gate.arrived(1).await;
    let mut visitors = Vec::new();
    for _ in 0..10 {
        visitors.push(asking(&gateway, &[]).await);
    }
    gate.open();
    assert_eq!(leader.read_response("GET").await.text(), "Basic ann");
    for mut client in visitors {
        let response = client.read_response("GET").await;
        assert_eq!(response.text(), "everyone", "{}", response.cache_status());
    }
    assert_eq!(origin.count("/p"), 2);
}

#[tokio::test]
async fn promise_3_a_handler_that_hangs_up_is_told_of_to_all() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply =
        move |_: &Seen| Reply::ok("page").header("cache-control", "max-age=60").gate_after(0, &held).hang_up_after(2);
    let (_origin, gateway) = in_front_of(reply, "").await;
    let mut visitors = Vec::new();
    for _ in 0..5 {
        visitors.push(asking(&gateway, &[]).await);
    }
    gate.arrived(1).await;
    gate.open();
    for mut client in visitors {
        if let Some(response) = client.try_read_response("GET").await {
            assert!(!response.complete || response.status == 502, "{}: {:?}", response.status, response.text());
        }
    }
}
