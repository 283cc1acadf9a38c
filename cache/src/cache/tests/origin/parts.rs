//! Parts of pages (RFC 9111 sections 3.3 and 3.4).

use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT_LANGUAGE;

use super::Act::{Ask, Fail, Forget, ForgetGroups, Glance, Told};
use super::{DE, EN, IN_X, Line, MINUTE, OTHER, PAGE, Site, TAGGED, at, groups, head, request, text};
use crate::cache::Cache;
use crate::{Extent, FailureKind, Moment, PartTerms, Spelling, Tags, Variance, Variant};

/// A part of a page, from `first` to before `end` of ten bytes, for whom it is, and how many invalidations there had been when
/// it was asked for.
fn keep_part(site: &Site, lines: &[Line], (first, end): (usize, usize), fields: &[Line], began: u64, now: Moment) {
    let part = PartTerms {
        extent: Extent { first: first as u64, length: (end - first) as u64, complete: 10 },
        variant: Variant::of(&Variance::new([ACCEPT_LANGUAGE], Spelling::Normal), &request(lines)),
        initial_age: Duration::ZERO,
        groups: groups(&head(206, fields).fields),
        tags: Tags::default(),
        began,
    };
    let body = Bytes::from_static(&b"0123456789"[first..end]);
    site.cache.keep_part(PAGE.as_bytes(), head(206, fields), &body, now, part);
}

fn part(site: &Site, lines: &[Line], now: Moment) -> Option<String> {
    let (part, ttl) = site.asked(PAGE, lines, |asked| site.cache.part(asked, now))?;
    Some(format!("{} ttl={}", text(&part.response().body()), ttl.unwrap().as_secs()))
}

/// RFC 9111 sections 3.3 and 3.4.
#[test]
fn parts_are_kept_until_they_are_whole() {
    const FIELDS: &[Line] = &[MINUTE, TAGGED, IN_X, ("content-range", "bytes 0-4/10")];
    let mut site = Site::new();
    let found = |site: &Site, lines, seconds| part(site, lines, at(seconds));
    keep_part(&site, EN, (0, 5), FIELDS, 0, at(0));
    assert_eq!(found(&site, EN, 10).as_deref(), Some("01234 ttl=50"));
    assert_eq!((found(&site, DE, 10), found(&site, EN, 60)), (None, None));
    // It answers nobody who asks for the whole.
    site.play(&[
        (10, Glance(PAGE, EN, "partial")),
        (60, Glance(PAGE, EN, "partial")),
        (10, Ask(PAGE, EN, "miss partial")),
        (10, Ask(PAGE, EN, "collapsed partial")),
        (10, Fail(FailureKind::Unreachable)),
        (10, Told(&["failed nobody", "failed nobody"])),
        (10, Glance(PAGE, EN, "partial")),
    ]);
    keep_part(&site, EN, (5, 10), FIELDS, 0, at(20));
    assert_eq!(found(&site, EN, 20), None);
    site.play(&[(20, Glance(PAGE, EN, "0123456789 ttl=60"))]);
    let names: Vec<_> = site.stored(PAGE, EN, at(20)).head().fields.iter().map(|(name, _)| name.to_string()).collect();
    assert!(!names.contains(&"content-range".to_owned()), "{names:?}");
    // What is whole stays so.
    keep_part(&site, EN, (0, 5), FIELDS, 0, at(30));
    site.play(&[(30, Glance(PAGE, EN, "0123456789 ttl=50")), (30, Forget(PAGE, 1))]);
}

/// Promise 4 for parts: one that was asked for before an invalidation, of whatever, is not kept.
#[test]
fn promise_4_an_invalidation_beats_a_part() {
    const FIELDS: &[Line] = &[MINUTE, TAGGED, IN_X];
    for invalidate in [Forget(PAGE, 0), Forget(OTHER, 0), ForgetGroups("\"x\"")] {
        let mut site = Site::new();
        let began = site.cache.invalidations();
        site.play(&[(0, invalidate)]);
        keep_part(&site, EN, (0, 5), FIELDS, began, at(0));
        assert_eq!(part(&site, EN, at(0)), None, "{invalidate:?}");
        keep_part(&site, EN, (0, 5), FIELDS, site.cache.invalidations(), at(0));
        assert_eq!(part(&site, EN, at(0)).as_deref(), Some("01234 ttl=60"), "{invalidate:?}");
    }
    for invalidate in [Forget(PAGE, 1), ForgetGroups("\"x\"")] {
        let mut site = Site::new();
        keep_part(&site, EN, (0, 5), FIELDS, 0, at(0));
        site.play(&[(0, invalidate)]);
        assert_eq!(part(&site, EN, at(0)), None, "{invalidate:?}");
        // Neither is it good for what comes later.
        keep_part(&site, EN, (5, 10), &[MINUTE, ("etag", "\"2\"")], site.cache.invalidations(), at(0));
        assert_eq!(part(&site, EN, at(0)).as_deref(), Some("56789 ttl=60"), "{invalidate:?}");
    }
    // Nor for more of the same, as long as it is not swept away.
    let mut site = Site::new();
    keep_part(&site, EN, (0, 5), FIELDS, 0, at(0));
    let unswept = site.cache.unswept();
    site.play(&[(0, ForgetGroups("\"x\""))]);
    keep_part(&site, EN, (5, 10), FIELDS, site.cache.invalidations(), at(0));
    drop(unswept);
    assert_eq!(part(&site, EN, at(0)).as_deref(), Some("56789 ttl=60"));
    // A body that is not as long as it was said to be is none, and none is longer than bodies may be.
    let site = Site { cache: Cache::new(1 << 20, 4), ..Site::new() };
    keep_part(&site, EN, (0, 5), FIELDS, 0, at(0));
    assert_eq!(part(&site, EN, at(0)), None);
    keep_part(&site, EN, (0, 4), FIELDS, 0, at(0));
    assert_eq!(part(&site, EN, at(0)).as_deref(), Some("0123 ttl=60"));
}
