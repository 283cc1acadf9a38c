//! Codings of what is kept.

use bytes::Bytes;

use super::Act::{Answer, Ask, Confirm, Forget, Head};
use super::{Line, MINUTE, OTHER, PAGE, PLAIN, Site, TAGGED, TEXT, at, head, text};
use crate::{Coding, Pushed, Recoding, StoredResponse};

#[test]
fn codings_stay_as_long_as_the_body() {
    let mut site = Site::new();
    let coded = |response: &StoredResponse| {
        [Coding::Gzip, Coding::Br, Coding::Zstd].map(|coding| response.coded(coding).map(|coded| text(&coded.body())))
    };
    let gzip = Bytes::from_static(b"gzip");
    let some = |body: &str| Some(body.to_owned());
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Answer(200, &[MINUTE, TAGGED, TEXT], "one"))]);
    let one = site.stored(PAGE, PLAIN, at(0));
    assert!(site.cache.keep_coding(PAGE.as_bytes(), &one, Coding::Gzip, &gzip));
    let kept = site.stored(PAGE, PLAIN, at(0));
    assert_eq!((coded(&one), coded(&kept)), ([None, None, None], [some("gzip"), None, None]));
    // A second one of the same kind takes the place of the first.
    assert!(site.cache.keep_coding(PAGE.as_bytes(), &one, Coding::Gzip, &Bytes::from_static(b"better")));
    assert!(site.cache.keep_coding(PAGE.as_bytes(), &kept, Coding::Br, &Bytes::from_static(b"br")));
    assert_eq!(coded(&site.stored(PAGE, PLAIN, at(0))), [some("better"), some("br"), None]);
    // It survives a confirmation, whose fields it takes, and the answer to a HEAD.
    site.play(&[(60, Ask(PAGE, PLAIN, "miss stale old=one")), (60, Confirm(&[("x-a", "1")]))]);
    site.play(&[(61, Head(PAGE, PLAIN, &[TAGGED, ("x-b", "2")]))]);
    let renewed = site.stored(PAGE, PLAIN, at(61));
    assert_eq!(coded(&renewed), [some("better"), some("br"), None]);
    let fields = &renewed.coded(Coding::Br).unwrap().head().fields;
    let values = ["x-a", "x-b", "etag", "content-encoding", "content-length"]
        .map(|name| fields.get(&name.parse().unwrap()).unwrap().to_str().unwrap().to_owned());
    assert_eq!(values, ["1", "2", "W/\"1\"", "br", "2"]);
    // What was begun for the old one is good for the confirmed one: the body is the same.
    assert!(site.cache.keep_coding(PAGE.as_bytes(), &one, Coding::Zstd, &Bytes::from_static(b"zstd")));
    assert_eq!(coded(&site.stored(PAGE, PLAIN, at(61))), [some("better"), some("br"), some("zstd")]);
    // A replacement has none, and what was begun for the old one is not for it.
    site.play(&[(121, Ask(PAGE, PLAIN, "miss stale old=one"))]);
    let filling = site.begin(head(200, &[MINUTE, TAGGED, TEXT]), at(121));
    assert_eq!(filling.finish(Bytes::copy_from_slice(b"two"), at(121)), Pushed::Kept);
    assert!(!site.cache.keep_coding(PAGE.as_bytes(), &one, Coding::Gzip, &gzip));
    let two = site.stored(PAGE, PLAIN, at(121));
    assert_eq!(coded(&two), [None, None, None]);
    assert!(!site.cache.keep_coding(OTHER.as_bytes(), &two, Coding::Gzip, &gzip));
    site.play(&[(121, Forget(PAGE, 1))]);
    assert!(!site.cache.keep_coding(PAGE.as_bytes(), &two, Coding::Gzip, &gzip));
    assert_eq!(site.glance(PAGE, PLAIN, at(121)), "uri");
}

/// Which codings are tried is asked once for a response, and for the body that it shares with the confirmed one.
#[test]
fn a_coding_is_claimed_once() {
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Answer(200, &[MINUTE, TAGGED, TEXT], "one"))]);
    let one = site.stored(PAGE, PLAIN, at(0));
    assert_eq!([one.claim(Coding::Br), one.claim(Coding::Br), one.claim(Coding::Gzip)], [true, false, true]);
    assert_eq!(Coding::ALL.map(|coding| one.is_claimed(coding)), [false, true, true]);
    assert_eq!([one.claim(Coding::Gzip), one.claim(Coding::Zstd)], [false, true]);
    site.play(&[(60, Ask(PAGE, PLAIN, "miss stale old=one")), (60, Confirm(&[]))]);
    let renewed = site.stored(PAGE, PLAIN, at(60));
    assert!([Coding::Br, Coding::Gzip, Coding::Zstd].into_iter().all(|coding| !renewed.claim(coding)));
    assert!(site.cache.keep_coding(PAGE.as_bytes(), &renewed, Coding::Br, &Bytes::from_static(b"br")));
    let coded = site.stored(PAGE, PLAIN, at(60));
    assert!(Coding::ALL.into_iter().all(|coding| coded.is_claimed(coding)));
    site.play(&[(120, Ask(PAGE, PLAIN, "miss stale old=one")), (120, Answer(200, &[MINUTE], "two"))]);
    assert!(site.stored(PAGE, PLAIN, at(120)).claim(Coding::Br));
}

/// RFC 9111 section 5.2.2.6: what must not be coded any more is not, and what was made is dropped.
#[test]
fn what_is_learned_may_forbid_codings() {
    let gzip = Bytes::from_static(b"gzip");
    let cases: [(&[Line], bool); 5] = [
        (&[], true),
        (&[MINUTE], true),
        (&[("cache-control", "max-age=60, no-transform")], false),
        (&[("repr-digest", "sha-256=:AAAA:")], false),
        (&[("content-type", "image/png")], false),
    ];
    for (learned, may) in cases {
        let mut site = Site::new();
        site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Answer(200, &[MINUTE, TAGGED, TEXT], "one"))]);
        let one = site.stored(PAGE, PLAIN, at(0));
        assert!(site.cache.keep_coding(PAGE.as_bytes(), &one, Coding::Gzip, &gzip));
        site.play(&[(60, Ask(PAGE, PLAIN, "miss stale old=one")), (60, Confirm(learned))]);
        let renewed = site.stored(PAGE, PLAIN, at(60));
        let found = (renewed.recoding() == Recoding::WhenAsked, renewed.coded(Coding::Gzip).is_some());
        assert_eq!(found, (may, may), "{learned:?}");
        assert_eq!(site.cache.keep_coding(PAGE.as_bytes(), &one, Coding::Br, &gzip), may, "{learned:?}");
    }
}

/// What was made while the handler was asked is of the body that it confirms.
#[test]
fn a_coding_that_is_made_during_a_refresh_stays() {
    let mut site = Site::new();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Answer(200, &[MINUTE, TAGGED, TEXT], "one"))]);
    let one = site.stored(PAGE, PLAIN, at(0));
    site.play(&[(60, Ask(PAGE, PLAIN, "miss stale old=one"))]);
    assert!(site.cache.keep_coding(PAGE.as_bytes(), &one, Coding::Gzip, &Bytes::from_static(b"gzip")));
    site.play(&[(61, Confirm(&[("x-a", "1")]))]);
    let renewed = site.stored(PAGE, PLAIN, at(61));
    let coded = renewed.coded(Coding::Gzip).unwrap();
    assert_eq!(
        (text(&coded.body()).as_str(), coded.head().fields.get(&"x-a".parse().unwrap()).is_some()),
        ("gzip", true)
    );
}

/// Whatever is made or learned of a response, and whatever takes its place, it is as popular as it was.
#[test]
fn hits_count_on() {
    let mut site = Site::new();
    let hits = |site: &Site, second| site.stored(PAGE, PLAIN, at(second)).hits();
    site.play(&[(0, Ask(PAGE, PLAIN, "miss uri")), (0, Answer(200, &[MINUTE, TAGGED, TEXT], "one"))]);
    let one = site.stored(PAGE, PLAIN, at(0));
    one.count_hit();
    one.count_hit();
    assert!(site.cache.keep_coding(PAGE.as_bytes(), &one, Coding::Gzip, &Bytes::from_static(b"gzip")));
    assert_eq!(hits(&site, 0), 2, "with a coding");
    site.play(&[(60, Ask(PAGE, PLAIN, "miss stale old=one")), (60, Confirm(&[]))]);
    assert_eq!(hits(&site, 60), 2, "confirmed");
    site.play(&[(70, Head(PAGE, PLAIN, &[TAGGED]))]);
    assert_eq!(hits(&site, 70), 2, "confirmed by a HEAD");
    site.play(&[(130, Ask(PAGE, PLAIN, "miss stale old=one")), (130, Answer(200, &[MINUTE], "two"))]);
    assert_eq!(hits(&site, 130), 2, "another");
}
