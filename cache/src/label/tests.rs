//! Names that are never taken for others, and what is said of a label.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::{Kind, Label, MARKED, PLACE, bare, name};
use crate::standing::{Mark, Validity};
use crate::{Forgetting, Moment};

const KINDS: [Kind; 4] = [Kind::Upstream, Kind::Path, Kind::Tag, Kind::Group];

fn at(seconds: u64) -> Moment {
    Moment { wall: SystemTime::UNIX_EPOCH, monotonic: Duration::from_secs(seconds) }
}

#[test]
fn a_path_is_the_same_with_and_without_a_slash_at_its_end() {
    for (path, expected) in [("/", "/"), ("", ""), ("/a", "/a"), ("/a/", "/a"), ("/a/b/", "/a/b"), ("/a//", "/a/")] {
        assert_eq!(bare(path.as_bytes()), expected.as_bytes(), "{path:?}");
    }
}

#[test]
fn a_label_tells_what_it_is() {
    let label = Label::new(&name(Kind::Path, b"shop", b"/a"));
    assert_eq!(label.split(Kind::Path), Some((&b"shop"[..], &b"/a"[..])));
    for other in [Kind::Upstream, Kind::Tag, Kind::Group] {
        assert_eq!(label.split(other), None, "{other:?}");
    }
    let said = KINDS.map(|kind| Label::new(&name(kind, b"u", b"")).is_said_by_answers());
    assert_eq!(said, [false, false, true, true]);
    // What is no name has no parts.
    for broken in [&b""[..], b"p", b"p\x05\0\0\0abc", b"p\xff\xff\xff\xffabc"] {
        assert_eq!(Label::new(broken).split(Kind::Path), None, "{broken:?}");
    }
}

/// There may be one for each page, so what it takes beside its name is not to grow unseen.
#[test]
fn a_label_takes_32_bytes_beside_its_name_until_it_is_named() {
    for (length, size) in [(0, 32), (16, 48), (32, 64), (33, 80), (96, 128)] {
        let label = Label::new(&vec![b'x'; length]);
        assert_eq!(label.size(), PLACE + size, "{length}");
        let grown = [1, 2].map(|mark| label.forget(Forgetting::Stale, Mark(mark), at(1)));
        assert_eq!((grown, label.size()), ([MARKED, 0], PLACE + size + MARKED));
    }
}

#[test]
fn what_is_said_of_a_label_concerns_what_began_before() {
    let label = Label::new(b"");
    assert_eq!(label.validity(Mark(0), at(0)), Validity::Valid);
    label.forget(Forgetting::Stale, Mark(3), at(7));
    // Told late, as a prefix is.
    label.forget(Forgetting::Delete, Mark(2), at(6));
    for (began, verdict) in [
        (0, Validity::Gone),
        (1, Validity::Gone),
        (2, Validity::Stale(Duration::from_secs(7))),
        (3, Validity::Valid),
        (4, Validity::Valid),
    ] {
        assert_eq!(label.validity(Mark(began), at(8)), verdict, "{began}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Neither two kinds nor two upstreams share a name, whatever bytes they are made of.
    #[test]
    fn different_labels_have_different_names(
        one in (0usize..4, "[a0/\\x00]{0,6}", "[a0/\\x00]{0,6}"),
        other in (0usize..4, "[a0/\\x00]{0,6}", "[a0/\\x00]{0,6}"),
    ) {
        let of = |(kind, upstream, own): &(usize, String, String)| name(KINDS[*kind], upstream.as_bytes(), own.as_bytes());
        prop_assert_eq!(one == other, of(&one) == of(&other), "{:?} {:?}", one, other);
        let label = Label::new(&of(&one));
        prop_assert_eq!(label.split(KINDS[one.0]), Some((one.1.as_bytes(), one.2.as_bytes())));
    }
}
