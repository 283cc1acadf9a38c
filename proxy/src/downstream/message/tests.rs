//! What is sent, as tables: each placeholder in each place.

use http::{HeaderName, HeaderValue, Method};

use crate::downstream::{Form, Item, Message, Mode, Site, Template, Unwritable, Written};

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

fn message(url: &str) -> Message {
    let site = Site::parse("https://www.example.com/");
    Message { method: Method::POST, url: template(url), headers: Vec::new(), body: None, site }
}

fn with_body(text: &str, form: Form) -> Message {
    Message { body: Some((template(text), form)), ..message("http://cdn.example/") }
}

fn with_header(text: &str) -> Message {
    Message { headers: vec![(HeaderName::from_static("x-purge"), template(text))], ..message("http://cdn.example/") }
}

fn tag(text: &str) -> Item {
    Item::Tag(text.into())
}

fn path(text: &str) -> Item {
    Item::Path(text.into())
}

fn prefix(text: &str) -> Item {
    Item::Prefix(text.into())
}

fn url(template: &str, item: Item) -> Result<String, Unwritable> {
    message(template).write(&[item], Mode::Stale).map(|written| written.url.to_string())
}

#[test]
fn urls_take_values_percent_encoded_and_paths_as_they_are() {
    let cases = [
        ("http://cdn.example/purge/{tag}", tag("posts"), "http://cdn.example/purge/posts"),
        ("http://cdn.example/purge/{tag}", tag("a/b?c#d%e f&g"), "http://cdn.example/purge/a%2Fb%3Fc%23d%25e%20f%26g"),
        ("http://cdn.example/purge/{tag}", tag("\u{e9}\r\n"), "http://cdn.example/purge/%C3%A9%0D%0A"),
        ("http://cdn.example?tag={tag}", tag("a=b&c"), "http://cdn.example/?tag=a%3Db%26c"),
        ("http://cdn.example{path}", path("/caf%C3%A9/a:b"), "http://cdn.example/caf%C3%A9/a:b"),
        ("http://cdn.example/purge{path}", path("/a"), "http://cdn.example/purge/a"),
        ("http://cdn.example{prefix}", prefix("/a?b#c d%zz\u{e9}"), "http://cdn.example/a%3Fb%23c%20d%25zz%C3%A9"),
        ("http://cdn.example/?p={path}", path("/a%20b"), "http://cdn.example/?p=%2Fa%2520b"),
        ("http://cdn.example/?u={url}", path("/a"), "http://cdn.example/?u=https%3A%2F%2Fwww.example.com%2Fa"),
        ("http://cdn.example/?m={mode}&t={tag}", tag("a"), "http://cdn.example/?m=stale&t=a"),
        ("http://cdn.example/?t={tags_json}", tag("a"), "http://cdn.example/?t=%5B%22a%22%5D"),
    ];
    for (template, item, expected) in cases {
        assert_eq!(url(template, item).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn what_would_lead_elsewhere_is_not_sent() {
    for up in ["..", ".", "%2e%2E", ".%2e"] {
        let expected = if up.contains('%') { Ok(()) } else { Err(Unwritable::Dots) };
        // A tag is encoded once more, and what says `%` then is no dot.
        assert_eq!(url("http://cdn.example/service/purge/{tag}", tag(up)).map(drop), expected, "{up}");
        assert_eq!(url("http://cdn.example/service{path}", path(&format!("/{up}/x"))), Err(Unwritable::Dots), "{up}");
        assert_eq!(url("http://cdn.example/?t={tag}", tag(up)).map(drop), Ok(()), "{up}");
    }
    for elsewhere in [".evil.example/", "@evil.example/", ":81/", ""] {
        assert_eq!(url("http://cdn.example{prefix}", prefix(elsewhere)), Err(Unwritable::NoPath), "{elsewhere}");
    }
    assert_eq!(url("{url}", path("/a")), Err(Unwritable::NoUrl));
    assert_eq!(url("http://cdn.example/{tag}", path("/a")), Err(Unwritable::Nothing(super::Placeholder::Tag)));
}

#[test]
fn bodies_are_escaped_as_their_type_wants() {
    let items = [tag("a\"b\\"), tag("\u{e9}\n"), path("/x"), prefix("/p")];
    let cases = [
        (Form::Json, "{\"tags\":{tags_json}}", "{\"tags\":[\"a\\\"b\\\\\",\"\u{e9}\\n\"]}"),
        (Form::Json, "{\"t\":\"{tag}\"}", "{\"t\":\"a\\\"b\\\\\"}"),
        (Form::Json, "{\"files\":{urls_json}}", "{\"files\":[\"https://www.example.com/x\"]}"),
        (Form::Json, "{\"prefixes\":{host_prefixes_json}}", "{\"prefixes\":[\"www.example.com/p\"]}"),
        (Form::Json, "[{paths_json},{prefixes_json},{everything}]", "[[\"/x\"],[\"/p\"],false]"),
        (Form::Encoded, "t={tag}&p={path}&all={everything}", "t=a%22b%5C&p=%2Fx&all=false"),
        (Form::Text, "{tag} {path} { {} {\"a\"} {", "a\"b\\ /x { {} {\"a\"} {"),
    ];
    for (form, template, expected) in cases {
        let written = with_body(template, form).write(&items, Mode::Delete).unwrap();
        assert_eq!(written.body.as_deref(), Some(expected), "{template}");
    }
    let written = with_body("{everything}", Form::Json).write(&[Item::Everything], Mode::Delete).unwrap();
    assert_eq!(written.body.as_deref(), Some("true"));
    let line = with_body("{tag}", Form::Text).write(&[tag("a\nb")], Mode::Delete);
    assert_eq!(line.err(), Some(Unwritable::Control));
}

#[test]
fn headers_are_not_broken() {
    let header = |template: &str, items: &[Item], mode| {
        let written = with_header(template).write(items, mode)?;
        Ok(written.headers.get("x-purge").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()))
    };
    let items = [tag("a"), tag("b\u{e9}")];
    let cases = [
        ("{tags}", Mode::Stale, Some("a b\u{e9}")),
        ("{tags_json}", Mode::Stale, Some("[\"a\",\"b\\u00e9\"]")),
        ("{soft}", Mode::Stale, Some("1")),
        ("{soft}", Mode::Expire, None),
        ("{soft}", Mode::Delete, None),
        ("{mode}", Mode::Expire, Some("expire")),
        ("{mode}", Mode::Delete, Some("delete")),
    ];
    for (template, mode, expected) in cases {
        assert_eq!(header(template, &items, mode), Ok(expected.map(str::to_owned)), "{template} {mode:?}");
    }
    for broken in ["a\r\nx-injected: 1", "a\0", "\u{7f}"] {
        assert_eq!(header("{tag}", &[tag(broken)], Mode::Stale), Err(Unwritable::Control), "{broken:?}");
    }
    assert_eq!(header("{tags}", &[tag("a b")], Mode::Stale), Err(Unwritable::Space));
    assert_eq!(header("{tag}", &[tag("a b")], Mode::Stale), Ok(Some("a b".to_owned())));
}

#[test]
fn what_may_be_secret_is_not_shown() {
    let mut message = with_header("Bearer s3cret");
    message.url = template("https://user:s3cret@cdn.example/?key=s3cret");
    message.body = Some((template("s3cret"), Form::Text));
    assert!(!format!("{message:?}").contains("s3cret"), "{message:?}");
    let Written { headers, .. } = message.write(&[], Mode::Stale).unwrap();
    assert!(headers.values().all(HeaderValue::is_sensitive));
}

#[test]
fn a_site_is_a_base_of_urls() {
    for text in ["https://www.example.com", "http://[::1]:8080/shop/", "https://b\u{fc}cher.example"] {
        assert!(Site::parse(text).is_some(), "{text}");
    }
    for text in ["www.example.com", "ftp://a", "https://a/?b", "https://a/#b", "https://me@a", "https://", "", "/a"] {
        assert_eq!(Site::parse(text), None, "{text}");
    }
}
