//! What is read of sitemaps, how they may be wrong, and where a walk through them ends.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{MAX_NESTING, MAX_SITEMAP, MAX_SITEMAPS, Sitemap, SitemapError, Walk, WalkError};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes everything")
}

fn pages(document: &[u8]) -> Vec<String> {
    match Sitemap::read(document) {
        Ok(Sitemap::Pages(pages)) => pages,
        other => panic!("no list of pages: {other:?}"),
    }
}

fn problem(document: &[u8]) -> String {
    Sitemap::read(document).expect_err("it is no sitemap").to_string()
}

const NAMESPACE: &str = "xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\"";

#[test]
fn pages_are_read_in_their_order() {
    let cases: [(&str, &[&str]); 12] = [
        ("<urlset><url><loc>https://a.com/</loc></url><url><loc>/b</loc></url></urlset>", &["https://a.com/", "/b"]),
        ("<urlset/>", &[]),
        ("<urlset></urlset>", &[]),
        // What stands around a location is no part of it.
        ("<urlset><url><loc>\n  /a\t</loc></url></urlset>", &["/a"]),
        ("<urlset><url><loc/></url><url><loc> </loc></url><url/></urlset>", &[]),
        // Other things that are said of a page, in any order.
        ("<urlset><url><lastmod>2024</lastmod><loc>/a</loc><priority>1</priority></url></urlset>", &["/a"]),
        // Entities, by name and by number, and text as it is.
        ("<urlset><url><loc>/a?b=1&amp;c=&#x32;&#51;</loc></url></urlset>", &["/a?b=1&c=23"]),
        ("<urlset><url><loc><![CDATA[/a?b=1&c=2]]></loc></url></urlset>", &["/a?b=1&c=2"]),
        ("<urlset><url><loc>/caf\u{e9}</loc></url></urlset>", &["/caf\u{e9}"]),
        ("<urlset><url><loc>/a<!-- no -->/b</loc></url></urlset>", &["/a/b"]),
        // Only what is where it belongs counts.
        ("<urlset><loc>/no</loc><other><loc>/no</loc></other><url><x><loc>/no</loc></x></url></urlset>", &[]),
        ("<urlset><url><loc>/a<b>no</b></loc></url></urlset>", &["/a"]),
    ];
    for (document, expected) in cases {
        assert_eq!(pages(document.as_bytes()), expected, "{document}");
    }
}

#[test]
fn namespaces_and_extensions_do_not_confuse() {
    let extended = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<?xml-stylesheet href=\"x.xsl\"?>\n<!-- made by hand -->\n\
         <urlset {NAMESPACE} xmlns:image=\"i\" xmlns:xhtml=\"x\"><url><loc>/a</loc>\
         <image:image><image:loc>/no.png</image:loc></image:image><image:loc>/no</image:loc>\
         <xhtml:link rel=\"alternate\" hreflang=\"de\" href=\"/no\"/></url></urlset>\n"
    );
    assert_eq!(pages(extended.as_bytes()), ["/a"]);
    let prefixed = format!(
        "<s:urlset {}><s:url><s:loc>/a</s:loc></s:url><url><loc>/no</loc></url></s:urlset>",
        NAMESPACE.replace("xmlns", "xmlns:s")
    );
    assert_eq!(pages(prefixed.as_bytes()), ["/a"]);
}

#[test]
fn an_index_names_other_sitemaps() {
    let index = format!(
        "<sitemapindex {NAMESPACE}><sitemap><loc>/a.xml</loc></sitemap><url><loc>/no</loc></url></sitemapindex>"
    );
    assert_eq!(Sitemap::read(index.as_bytes()).expect("an index"), Sitemap::Index(vec!["/a.xml".to_owned()]));
}

#[test]
fn gzip_is_known_by_its_bytes() {
    let plain = b"<urlset><url><loc>/a</loc></url></urlset>";
    assert_eq!(pages(&gzip(plain)), ["/a"]);
    // Members one after the other are one document (RFC 1952 section 2.2).
    let (first, second) = plain.split_at(10);
    assert_eq!(pages(&[gzip(first), gzip(second)].concat()), ["/a"]);
    let whole = gzip(plain);
    assert_eq!(problem(&whole[..whole.len() - 4]), "it is no whole gzip");
    assert_eq!(problem(&[0x1f, 0x8b, 0, 0]), "it is no whole gzip");
}

#[test]
fn nonsense_is_told() {
    for (document, expected) in [
        ("", "found nothing"),
        ("  \n", "found nothing"),
        ("https://a.com/\n", "found text"),
        ("{\"urls\":[]}", "found text"),
        ("<html><body>Not found</body></html>", "found `html`"),
        ("<!DOCTYPE html><html></html>", "found `html`"),
        ("<rss version=\"2.0\"/>", "found `rss`"),
        ("<urlset><url><loc>/a</loc></url>", "it ends in the middle"),
        ("<urlset><url><loc>/a</url></urlset>", "it is no well-formed XML"),
        ("<urlset><url><loc>/a</loc", "it is no well-formed XML"),
        ("<urlset><url><loc>/a&nbsp;b</loc></url></urlset>", "`&nbsp;`"),
        ("<urlset><url><loc>/a&#x110000;</loc></url></urlset>", "it is no well-formed XML"),
        ("<urlset><url><loc>/a?b&c</loc></url></urlset>", "it is no well-formed XML"),
    ] {
        let problem = problem(document.as_bytes());
        assert!(problem.contains(expected), "{document}: {problem}");
    }
    assert_eq!(problem(b"<urlset>\xff</urlset>"), "it is not UTF-8");
    assert_eq!(problem(b"\xff\xfe<\0u\0"), "it is not UTF-8");
}

/// What a document declares of its own is not put in its place, however deep it is nested.
#[test]
fn declared_entities_are_not_expanded() {
    let document = "<!DOCTYPE urlset [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>\
        <urlset><url><loc>/&b;</loc></url></urlset>";
    assert!(matches!(Sitemap::read(document.as_bytes()), Err(SitemapError::Entity(name)) if name == "b"));
}

#[test]
fn what_is_too_long_is_not_read() {
    let (begin, end) = ("<urlset><url><loc>/a</loc></url>", "</urlset>");
    let padded = |length: usize| {
        let mut document = String::from(begin);
        document.push_str(&" ".repeat(length - begin.len() - end.len()));
        document.push_str(end);
        document.into_bytes()
    };
    assert_eq!(pages(&padded(MAX_SITEMAP)), ["/a"]);
    assert_eq!(problem(&padded(MAX_SITEMAP + 1)), format!("it is longer than {MAX_SITEMAP} bytes"));
    // A small one that becomes large.
    let bomb = gzip(&vec![b' '; MAX_SITEMAP + 1]);
    assert!(bomb.len() < MAX_SITEMAP / 100);
    assert_eq!(problem(&bomb), format!("it is longer than {MAX_SITEMAP} bytes"));
}

fn index(places: impl IntoIterator<Item = String>) -> String {
    let entries: String = places.into_iter().map(|place| format!("<sitemap><loc>{place}</loc></sitemap>")).collect();
    format!("<sitemapindex>{entries}</sitemapindex>")
}

#[test]
fn a_walk_sees_every_sitemap_once() {
    let (mut walk, left_out) = Walk::begin(["/a".to_owned(), "/a".to_owned(), "/b".to_owned()]);
    assert!(left_out.is_empty());
    let first = walk.next_sheet().expect("the first");
    let loops = index(["/a", "/c", "/b"].map(str::to_owned));
    let resolve = |place: &str| place.to_owned();
    assert!(walk.take(&first, loops.as_bytes(), resolve).expect("an index").is_empty());
    let second = walk.next_sheet().expect("the second");
    assert_eq!((first.url.as_str(), second.url.as_str()), ("/a", "/b"));
    let list = "<urlset><url><loc>/p</loc></url></urlset>";
    assert_eq!(walk.take(&second, list.as_bytes(), resolve).expect("a list"), ["/p"]);
    let third = walk.next_sheet().expect("the third");
    assert_eq!(third.url, "/c");
    assert!(matches!(walk.take(&third, b"<html/>", resolve), Err(WalkError::Unreadable(_))));
    assert_eq!(walk.next_sheet(), None);
}

#[test]
fn a_walk_has_its_ends() {
    let (mut walk, _) = Walk::begin(["/0".to_owned()]);
    let resolve = |place: &str| place.to_owned();
    for depth in 0..MAX_NESTING {
        let sheet = walk.next_sheet().expect("the next");
        assert!(walk.take(&sheet, index([format!("/{}", depth + 1)]).as_bytes(), resolve).is_ok(), "{depth}");
    }
    let deepest = walk.next_sheet().expect("the deepest");
    assert!(matches!(walk.take(&deepest, index([]).as_bytes(), resolve), Err(WalkError::TooDeep)));

    let (mut walk, _) = Walk::begin(["/".to_owned()]);
    let sheet = walk.next_sheet().expect("the first");
    let many = index((0..MAX_SITEMAPS + 4).map(|number| format!("/{number}")));
    let refused = walk.take(&sheet, many.as_bytes(), resolve);
    assert!(matches!(refused, Err(WalkError::TooMany(5))), "{refused:?}");
    assert_eq!(std::iter::from_fn(|| walk.next_sheet()).count(), MAX_SITEMAPS - 1);

    let (mut walk, left_out) = Walk::begin((0..MAX_SITEMAPS + 2).map(|number| format!("/{number}")));
    assert_eq!(left_out, [MAX_SITEMAPS, MAX_SITEMAPS + 1].map(|number| format!("/{number}")));
    assert_eq!(std::iter::from_fn(|| walk.next_sheet()).count(), MAX_SITEMAPS);
}
