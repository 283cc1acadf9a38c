//! Which texts lead to pages, and to which.

use super::{Located, Unlocated, locate};
use crate::target::MAX_TARGET;

fn sites(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn without_hosts_only_the_path_counts() {
    for (text, target) in [
        ("/", "/"),
        ("/a?b=c", "/a?b=c"),
        (" /a \t", "/a"),
        ("/a#part", "/a"),
        ("https://acme.com", "/"),
        ("https://acme.com/", "/"),
        ("HTTPS://ACME.com/A", "/A"),
        ("http://acme.com:8080/a?b", "/a?b"),
        ("http://acme.com?b", "/?b"),
        ("http://acme.com#part", "/"),
        ("http://[::1]:8080/a", "/a"),
        ("https://other.com/a", "/a"),
        ("/caf\u{e9}?q=\u{fc}", "/caf%C3%A9?q=%C3%BC"),
        ("/items/a b?q=c d", "/items/a%20b?q=c%20d"),
        ("https://acme.com/a b", "/a%20b"),
    ] {
        assert_eq!(locate(text, &[]), Ok(Located { site: None, target: target.to_owned() }), "{text}");
    }
}

#[test]
fn with_hosts_the_host_says_which_site() {
    let hosts = sites(&["acme.com", "shop.acme.com"]);
    let located =
        |site: Option<&str>, target: &str| Ok(Located { site: site.map(str::to_owned), target: target.to_owned() });
    let elsewhere = |host: &str| Err(Unlocated::Elsewhere(host.to_owned()));
    for (text, expected) in [
        ("/a", located(None, "/a")),
        ("https://acme.com/a", located(Some("acme.com"), "/a")),
        ("http://SHOP.acme.com:81/a", located(Some("shop.acme.com"), "/a")),
        ("https://www.acme.com/a", elsewhere("www.acme.com")),
        ("https://acme.com.evil.example/a", elsewhere("acme.com.evil.example")),
        ("https://evil.example/acme.com", elsewhere("evil.example")),
        ("https://127.0.0.1/a", elsewhere("127.0.0.1")),
    ] {
        assert_eq!(locate(text, &hosts), expected, "{text}");
    }
}

#[test]
fn what_is_no_page_is_told() {
    for (text, expected) in [
        ("", Unlocated::Form),
        ("a", Unlocated::Form),
        ("acme.com/a", Unlocated::Form),
        ("ftp://acme.com/a", Unlocated::Form),
        ("javascript:alert(1)", Unlocated::Form),
        ("file:///etc/passwd", Unlocated::Form),
        ("https:///a", Unlocated::Form),
        ("https://a b/c", Unlocated::Form),
        ("https://evil.example\\@acme.com/", Unlocated::User),
        ("https://me:secret@acme.com/", Unlocated::User),
    ] {
        assert_eq!(locate(text, &[]), Err(expected), "{text}");
    }
    let longest = format!("/{}", "a".repeat(MAX_TARGET - 1));
    assert!(locate(&longest, &[]).is_ok());
    assert_eq!(locate(&format!("{longest}a"), &[]), Err(Unlocated::TooLong));
    // As it is sent, it may be longer than it was written.
    assert_eq!(locate(&longest.replacen('a', " ", 1), &[]), Err(Unlocated::TooLong));
}
