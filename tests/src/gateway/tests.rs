//! What the harness reads out of the lines of a gateway that starts.

use super::{Announced, announced};

#[test]
fn announcements() {
    let first = "127.0.0.1:4001".parse().expect("an address");
    let second = "[::1]:4002".parse().expect("an address");
    let admin = "127.0.0.1:9".parse().expect("an address");
    let cases = [
        ("", Announced::default()),
        (
            "hello\nlistening on http://127.0.0.1:4001\nlistening on https://[::1]:4002\nadmin on http://127.0.0.1:9",
            Announced { listeners: vec![first, second], admin: Some(admin), ready: false },
        ),
        ("listening on http://127.0.0.1:4001\nready", Announced { listeners: vec![first], admin: None, ready: true }),
        ("not ready\nready soon\nlistening on http://localhost", Announced::default()),
    ];
    for (text, expected) in cases {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(announced(&lines), expected, "{text:?}");
    }
}
