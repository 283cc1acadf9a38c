//! Which spellings are one page.

use super::Seen;

#[test]
fn a_page_is_new_once_however_it_is_written() {
    let hosts = ["acme.com".to_owned(), "shop.acme.com".to_owned()];
    let mut seen = Seen::default();
    for (url, is_new) in [
        ("/items/a", true),
        ("/items/a", false),
        ("https://ACME.com:8443/items/./%61#part", false),
        ("https://shop.acme.com/items/a", true),
        ("/items/a?x=1", true),
        ("/items/a/", true),
        ("/items/a b", true),
        ("/items/a%20b", false),
        ("/caf\u{e9}", true),
        ("/caf%c3%a9", false),
        // It is another name, for which nothing is fetched.
        ("/items//a", true),
        ("/items//b", true),
        ("/items/b", true),
        // What leads to no page is told once.
        ("https://other.com/items/a", true),
        ("https://other.com/items/a", false),
        ("nonsense", true),
        ("/items/%zz", true),
        ("/items/%zz", false),
    ] {
        assert_eq!(seen.is_new(url, &hosts), is_new, "{url}");
    }
}
