//! Which server gets which request, and under which name.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use pingora::upstreams::peer::Peer;
use proptest::prelude::*;

use super::Upstream;
use crate::config;
use crate::failure::Failure;

fn settings(origin: config::Origin, host: Option<&str>) -> config::Upstream {
    config::Upstream {
        name: "handlers".to_owned(),
        origin,
        host: host.map(str::to_owned),
        timeouts: config::Timeouts::default(),
        retries: 1,
        max_concurrent_fetches: NonZeroUsize::new(7).unwrap(),
    }
}

fn upstream(servers: &[&str]) -> Upstream {
    let servers = servers.iter().map(|address| config::Server { address: (*address).to_owned() }).collect();
    Upstream::new(&settings(config::Origin::Servers(servers), None), 3, None)
}

/// The names of the servers that get the next `count` requests.
fn turns(upstream: &Upstream, count: usize) -> Vec<String> {
    (0..count).map(|_| upstream.server(upstream.turn(), 0).unwrap().host().to_str().unwrap().to_owned()).collect()
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

#[test]
fn a_further_attempt_asks_another_server_whoever_took_a_turn_meanwhile() {
    let upstream = upstream(&["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]);
    let turn = upstream.turn();
    let mut asked = Vec::new();
    for attempt in 0..3 {
        asked.push(upstream.server(turn, attempt).unwrap().host().clone());
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
        assert!(matches!(nobody.server(nobody.turn(), 0), Err(Failure::Connect)));
    }
}

#[test]
fn settings_are_taken_over() {
    let servers = vec![config::Server { address: "a:1".to_owned() }];
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
        let peer = upstream.server(upstream.turn(), 0).unwrap().peer(&timeouts, 0).await.unwrap();
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
