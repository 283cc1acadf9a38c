//! Who may, as the configuration says it.

use std::net::IpAddr;

use evergate_cache::Forgetting;

use crate::config::{Config, Problems, parse};

fn with(purge: &str) -> Result<Config, Problems> {
    let text = format!("upstreams: {{ demo: {{ builtin: demo }} }}\npurge: {purge}\n");
    parse(&text, "config.yaml", &|_: &str| None)
}

#[test]
fn nobody_may_unless_it_is_said() {
    assert_eq!(with("").unwrap().purge, None);
    assert_eq!(parse("upstreams: { demo: { builtin: demo } }", "config.yaml", &|_: &str| None).unwrap().purge, None);
}

#[test]
fn networks_and_addresses_are_allowed() {
    let purge = with("{ allow: [10.0.0.0/8, 127.0.0.1, 'fd00::/8', '::1'] }").unwrap().purge.unwrap();
    assert_eq!(purge.mode, Forgetting::Delete);
    for (peer, allowed) in [
        ("10.1.2.3", true),
        ("11.0.0.0", false),
        ("127.0.0.1", true),
        ("127.0.0.2", false),
        ("fd12::1", true),
        ("fe80::1", false),
        ("::1", true),
        // What an IPv6 listener makes of an IPv4 peer.
        ("::ffff:10.1.2.3", true),
        ("::ffff:11.0.0.0", false),
    ] {
        assert_eq!(purge.allows(peer.parse::<IpAddr>().unwrap()), allowed, "{peer}");
    }
    assert_eq!(with("{ allow: ['0.0.0.0/0'], mode: stale }").unwrap().purge.unwrap().mode, Forgetting::Stale);
}

#[test]
fn what_is_wrong_with_it_is_told() {
    for (purge, expected) in [
        ("{}", "purge.allow: found nothing, expected a list with at least one network"),
        ("{ allow: [] }", "purge.allow: found a list, expected a list with at least one network"),
        ("{ allow: 10.0.0.0/8 }", "purge.allow: found `10.0.0.0/8`, expected a list with at least one network"),
        (
            "{ allow: [10.0.0.1/8] }",
            "purge.allow[0]: found `10.0.0.1/8`, expected the network that it is in (`10.0.0.0/8`)",
        ),
        ("{ allow: [localhost] }", "purge.allow[0]: found `localhost`, expected a network (`10.0.0.0/8`"),
        ("{ allow: [10.0.0.0/33] }", "purge.allow[0]: found `10.0.0.0/33`, expected a network"),
        ("{ allow: [127.0.0.1], mode: soft }", "purge.mode: found `soft`, expected one of `delete`, `stale`"),
        ("{ allow: [127.0.0.1], from: x }", "purge.from: found an unknown key"),
        ("true", "purge: found `true`, expected a mapping with the keys `allow`, `mode`"),
    ] {
        let told = with(purge).unwrap_err().to_string();
        assert!(told.contains(expected) && told.lines().count() == 1, "{purge}: {told}");
    }
}
