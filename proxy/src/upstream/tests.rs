//! Which server gets which request, and under which name.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use pingora::upstreams::peer::Peer;
use proptest::prelude::*;

use super::{ANY_SERVER, Upstream};
use crate::config;
use crate::failure::Failure;

fn settings(origin: config::Origin, host: Option<&str>) -> config::Upstream {
    config::Upstream {
        name: "handlers".to_owned(),
        origin,
        host: host.map(str::to_owned),
        runtime: None,
        timeouts: config::Timeouts::default(),
        retries: 1,
        max_concurrent_fetches: NonZeroUsize::new(7).unwrap(),
    }
}

fn upstream(servers: &[&str]) -> Upstream {
    // `eu@a:1` is the server a:1 in the region eu.
    let server = |text: &&str| match text.split_once('@') {
        Some((region, address)) => config::Server { address: address.to_owned(), region: Some(region.to_owned()) },
        None => config::Server { address: (*text).to_owned(), region: None },
    };
    Upstream::new(&settings(config::Origin::Servers(servers.iter().map(server).collect()), None), 3, None)
}

/// The names of the servers that get the next `count` requests.
fn turns(upstream: &Upstream, count: usize) -> Vec<String> {
    (0..count)
        .map(|_| upstream.server(&ANY_SERVER, upstream.turn(), 0).unwrap().host().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn servers_take_turns() {
    let cases: [(&[&str], &[&str]); 3] = [
        (&["a:1"], &["a:1", "a:1", "a:1"]),
        (&["a:1", "b:2"], &["a:1", "b:2", "a:1", "b:2", "a:1"]),
        (&["a:1", "b:2", "[::1]:3"], &["a:1", "b:2", "[::1]:3", "a:1", "b:2", "[::1]:3", "a:1"]),
    ];
    for (servers, expected) in cases {
        assert_eq!(turns(&upstream(servers), expected.len()), expected, "{servers:?}");
    }
}

/// Servers of the region first; the last attempt elsewhere; everyone where nobody is there.
#[test]
fn a_region_is_preferred_and_left_when_it_fails() {
    let upstream = upstream(&["eu@a:1", "us@b:2", "eu@c:3", "d:4"]);
    let cases: [(&[&str], [&[&str]; 2]); 5] = [
        (&["eu"], [&["a:1", "c:3"], &["b:2", "d:4"]]),
        (&["us"], [&["b:2"], &["a:1", "c:3", "d:4"]]),
        (&["us", "eu"], [&["a:1", "b:2", "c:3"], &["d:4"]]),
        (&["mars"], [&["a:1", "b:2", "c:3", "d:4"], &[]]),
        (&[], [&["a:1", "b:2", "c:3", "d:4"], &[]]),
    ];
    for (regions, [first, then]) in cases {
        let regions: Vec<String> = regions.iter().map(|region| (*region).to_owned()).collect();
        let preference = upstream.preference(&regions);
        let (preferred, others) = upstream.order(&preference);
        let addresses =
            |servers: Vec<&super::Server>| servers.iter().map(|server| server.address().to_owned()).collect::<Vec<_>>();
        assert_eq!([addresses(preferred), addresses(others)], [first.to_vec(), then.to_vec()], "{regions:?}");
        for turn in 0..8 {
            for attempt in 0..3 {
                let asked = upstream.server(&preference, turn, attempt).unwrap().address();
                assert!(first.contains(&asked), "{regions:?}");
            }
        }
    }
}

/// Each one that fails leaves the turn to the next of the region, then to the others, and is asked again later.
#[tokio::test(start_paused = true)]
async fn a_server_that_fails_is_left_alone_for_a_while() {
    let upstream = upstream(&["eu@a:1", "us@b:2", "eu@c:3"]);
    let preference = upstream.preference(&["eu".to_owned()]);
    let asked = || {
        let mut asked: Vec<&str> =
            (0..6).map(|turn| upstream.server(&preference, turn, 0).unwrap().address()).collect();
        asked.sort_unstable();
        asked.dedup();
        asked
    };
    assert_eq!(asked(), ["a:1", "c:3"]);
    upstream.note_failure(0);
    assert_eq!(asked(), ["c:3"], "the other one of the region was not in trouble");
    upstream.note_failure(2);
    assert_eq!(asked(), ["b:2"]);
    upstream.note_failure(1);
    assert_eq!(asked(), ["a:1", "b:2", "c:3"], "all are in trouble alike");
    tokio::time::advance(super::LEFT_ALONE).await;
    assert_eq!(asked(), ["a:1", "c:3"]);
}

#[test]
fn a_further_attempt_asks_another_server_whoever_took_a_turn_meanwhile() {
    let upstream = upstream(&["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]);
    let turn = upstream.turn();
    let mut asked = Vec::new();
    for attempt in 0..3 {
        asked.push(upstream.server(&ANY_SERVER, turn, attempt).unwrap().host().clone());
        upstream.turn();
        upstream.turn();
    }
    asked.sort();
    assert_eq!(asked, ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]);
}

#[test]
fn threads_share_the_turns() {
    let upstream = Arc::new(upstream(&["a:1", "b:2", "c:3"]));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let upstream = Arc::clone(&upstream);
            std::thread::spawn(move || turns(&upstream, 300))
        })
        .collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for name in threads.into_iter().flat_map(|thread| thread.join().unwrap()) {
        *counts.entry(name).or_default() += 1;
    }
    let expected = ["a:1", "b:2", "c:3"].map(|name| (name.to_owned(), 400));
    assert_eq!(counts, HashMap::from(expected));
}

#[test]
fn the_demo_is_a_server_once_it_listens() {
    let settings = settings(config::Origin::Builtin(config::Builtin::Demo), None);
    let demo = Upstream::new(&settings, 3, Some("127.0.0.1:3999".parse().unwrap()));
    assert_eq!(turns(&demo, 2), ["127.0.0.1:3999", "127.0.0.1:3999"]);
    let nobody = Upstream::new(&settings, 3, None);
    for _ in 0..3 {
        assert!(matches!(nobody.server(&ANY_SERVER, nobody.turn(), 0), Err(Failure::Connect)));
    }
}

#[test]
fn settings_are_taken_over() {
    let servers = vec![config::Server { address: "a:1".to_owned(), region: None }];
    let named = Upstream::new(&settings(config::Origin::Servers(servers), Some("site.example")), 3, None);
    assert_eq!(named.configured_host().unwrap(), "site.example");
    assert_eq!(upstream(&["a:1"]).configured_host(), None);
    assert_eq!((named.name.as_str(), named.retries), ("handlers", 1));
    assert_eq!((named.fetches.available_permits(), named.refreshes.available_permits()), (7, 3));
}

#[tokio::test]
async fn addresses_need_no_resolution() {
    let timeouts = config::Timeouts::default();
    for address in ["127.0.0.1:3000", "[::1]:3000"] {
        let upstream = upstream(&[address]);
        let peer = upstream.server(&ANY_SERVER, upstream.turn(), 0).unwrap().peer(&timeouts, 0).await.unwrap();
        assert_eq!(peer.address().to_string(), address);
        assert!(!peer.tls());
        assert_eq!(peer.options.connection_timeout, Some(timeouts.connect));
        assert_eq!(peer.options.total_connection_timeout, Some(timeouts.connect));
        assert_eq!((peer.options.write_timeout, peer.options.idle_timeout), (Some(timeouts.idle), Some(timeouts.idle)));
    }
}

proptest! {
    /// Any run of requests is shared as evenly as can be.
    #[test]
    fn every_run_is_shared_evenly(count in 1_usize..9, before in 0_usize..40, run in 0_usize..40) {
        let names: Vec<String> = (0..count).map(|index| format!("a{index}:1")).collect();
        let upstream = upstream(&names.iter().map(String::as_str).collect::<Vec<_>>());
        turns(&upstream, before);
        let taken = turns(&upstream, run);
        for name in &names {
            let turns = taken.iter().filter(|taken| *taken == name).count();
            prop_assert!(turns == run / count || turns == run.div_ceil(count), "{name}: {turns} of {run}");
        }
    }
}
