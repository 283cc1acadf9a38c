//! Which names are those of this machine.

use super::is_loopback;

#[test]
fn only_this_machine_has_its_names() {
    for own in [
        "localhost",
        "LocalHost:3001",
        "127.0.0.1",
        "127.0.0.1:3001",
        "127.8.9.10",
        "[::1]",
        "[::1]:3001",
        "[0:0:0:0:0:0:0:1]:1",
        // A port may be empty (RFC 3986 section 3.2.3).
        "localhost:",
    ] {
        assert!(is_loopback(own), "{own}");
    }
    for foreign in [
        "",
        ":",
        ":3001",
        "[::1].evil.com",
        "[::1]evil",
        "[[::1]]",
        "[::1]]",
        "[::1",
        "::1",
        "::1]",
        "[127.0.0.1]",
        "[localhost]",
        "[::2]",
        "[]",
        "127.0.0.1:evil",
        "127.0.0.1:80:80",
        "127.0.0.1.evil.com",
        "127.1",
        "128.0.0.1",
        "localhost:80x",
        "localhost.evil.com",
        "evil.com:127.0.0.1",
        "user@localhost",
        "localhost ",
    ] {
        assert!(!is_loopback(foreign), "{foreign}");
    }
}
