//! Which variants of a page stay, and when a failed revalidation may be tried again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode, header::ACCEPT};
use proptest::prelude::*;

use super::{Content, MAX_VARIANTS, Page, Slot, Trouble};
use crate::{DeclineReason, FailureKind, Fields, Moment, ResponseHead, Spelling, StoredResponse, Variance, Variant};

fn at(milliseconds: u64) -> Moment {
    Moment { wall: SystemTime::UNIX_EPOCH, monotonic: Duration::from_millis(milliseconds) }
}

fn variant(name: usize) -> Variant {
    let mut request = HeaderMap::new();
    request.insert(ACCEPT, HeaderValue::from_str(&format!("{name:04}")).unwrap());
    Variant::of(&Variance::new([ACCEPT], Spelling::AsSent), &request)
}

/// A stored variant with a body of this length.
fn stored(name: usize, length: usize) -> Slot {
    let head = ResponseHead { status: StatusCode::OK, fields: Fields::default() };
    let response = StoredResponse::new(head, &vec![b'x'; length], at(0), None);
    Slot { variant: variant(name), content: Content::Stored(Arc::new(response)) }
}

fn declined(name: usize) -> Slot {
    let until = Duration::from_secs(10);
    Slot { variant: variant(name), content: Content::Declined(DeclineReason::SetCookie, until.into()) }
}

/// The length of a variant's body; none when it is not stored.
fn length(page: &Page, name: usize) -> Option<usize> {
    match page.find(&variant(name))? {
        Content::Stored(response) => Some(response.length()),
        Content::Part(_) | Content::Declined(..) | Content::Forgotten(_) => None,
    }
}

/// The variants in a page after these were put into it, and how many had to go.
fn kept(slots: impl IntoIterator<Item = Slot>, max_bytes: usize) -> (Vec<usize>, usize, Page) {
    let mut page = Page::default();
    let mut gone = 0;
    for slot in slots {
        let (next, went) = page.with(slot, max_bytes);
        page = next;
        gone += went;
    }
    let names = (0..100).filter(|name| page.find(&variant(*name)).is_some()).collect();
    (names, gone, page)
}

#[test]
fn a_variant_is_found_and_replaced() {
    let (names, gone, page) = kept([stored(1, 10), stored(2, 20), stored(1, 30)], usize::MAX);
    assert_eq!((names, gone), (vec![1, 2], 0));
    assert_eq!((length(&page, 1), length(&page, 2)), (Some(30), Some(20)));
    assert!(page.find(&variant(3)).is_none());
    // Neither does a page forget the others when one is declined, nor keep what that one had.
    let (page, gone) = page.with(declined(1), usize::MAX);
    assert_eq!((gone, length(&page, 1), length(&page, 2)), (0, None, Some(20)));
    assert!(matches!(page.find(&variant(1)), Some(Content::Declined(DeclineReason::SetCookie, _))));
}

#[test]
fn the_number_of_variants_is_bounded() {
    let all = |last: usize| (0..last).map(|name| stored(name, 1));
    let (names, gone, _) = kept(all(MAX_VARIANTS), usize::MAX);
    assert_eq!((names.len(), gone), (MAX_VARIANTS, 0));
    let (names, gone, _) = kept(all(MAX_VARIANTS + 3), usize::MAX);
    assert_eq!((names, gone), ((3..MAX_VARIANTS + 3).collect(), 3));
    // Stored once more, a variant is the most recent one.
    let (names, gone, _) = kept(all(MAX_VARIANTS).chain([stored(0, 2), stored(90, 1)]), usize::MAX);
    assert_eq!((names.contains(&0), names.contains(&1), names.contains(&90), gone), (true, false, true, 1));
    // Marks count like variants, or visitors could fill the memory with them.
    let (names, gone, _) = kept((0..MAX_VARIANTS + 5).map(declined), usize::MAX);
    assert_eq!((names.len(), gone), (MAX_VARIANTS, 5));
}

#[test]
fn the_bytes_of_a_page_are_bounded() {
    let (_, _, one) = kept([stored(0, 1000)], usize::MAX);
    let size = one.size();
    let cases: [(usize, &[usize], usize); 5] = [
        (4 * size, &[0, 1, 2, 3], 0),
        (4 * size - 1, &[1, 2, 3], 1),
        (2 * size, &[2, 3], 2),
        (size, &[3], 3),
        // The newest stays alone even where it is larger: a single body has its own limit.
        (1, &[3], 3),
    ];
    for (max_bytes, expected, went) in cases {
        let (names, gone, page) = kept((0..4).map(|name| stored(name, 1000)), max_bytes);
        assert_eq!((names.as_slice(), gone), (expected, went), "{max_bytes} bytes");
        assert!(page.size() <= max_bytes.max(size), "{} in {max_bytes} bytes", page.size());
    }
    // The oldest goes first, not the largest: what is behind one that does not fit goes with it.
    let (names, gone, _) = kept([stored(0, 10), stored(1, 5000), stored(2, 10)], 3 * size);
    assert_eq!((names, gone), (vec![2], 2));
}

#[test]
fn a_size_counts_what_a_variant_holds() {
    let size = |slot: Slot| kept([slot], usize::MAX).2.size();
    assert!(size(stored(0, 5000)) >= size(stored(0, 0)) + 5000);
    assert!(size(declined(0)) >= size_of::<Slot>() + variant(0).size());
    assert_eq!(Page::default().size(), 0);
}

#[test]
fn a_failed_revalidation_waits() {
    let trouble = Trouble::default();
    assert_eq!((trouble.failures(), trouble.backing_off(at(0))), (0, false));
    let cases = [(3000, [2999, 0, 1]), (9000, [8999, 3000, 5000]), (9001, [9000, 8999, 0])];
    for (failures, (retry_at, waiting)) in (1..).zip(cases) {
        trouble.failed(FailureKind::Unreachable, Duration::from_millis(retry_at));
        assert_eq!(trouble.failures(), failures);
        for now in waiting {
            assert!(trouble.backing_off(at(now)), "{now} ms of {retry_at}");
        }
        assert!(!trouble.backing_off(at(retry_at)), "{retry_at} ms");
        assert!(!trouble.backing_off(at(retry_at + 1)), "{retry_at} ms");
    }
}

/// What the last failure was counts: a handler that was not asked is not unreachable.
#[test]
fn a_failure_has_a_kind() {
    use FailureKind::{Answered, NotAsked, Unreachable};
    let trouble = Trouble::default();
    for (failure, expected) in [
        (Unreachable, Unreachable),
        (Answered, Answered),
        (Unreachable, Unreachable),
        (NotAsked, Answered),
        (NotAsked, Answered),
        (Unreachable, Unreachable),
    ] {
        trouble.failed(failure, Duration::ZERO);
        assert_eq!(trouble.kind(), expected, "{failure:?}");
    }
    assert_eq!(trouble.failures(), 6);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A page is a list, newest first, cut at its two limits.
    #[test]
    fn a_page_is_a_bounded_list(puts in proptest::collection::vec((0usize..40, 0usize..600), 1..80), limit in 1usize..40_000) {
        let size = |body: usize| kept([stored(0, body)], usize::MAX).2.size();
        let mut page = Page::default();
        let mut model: Vec<(usize, usize)> = Vec::new();
        for (name, body) in puts {
            let slot = stored(name, body);
            let (next, gone) = page.with(slot, limit);
            page = next;
            model.retain(|(known, _)| *known != name);
            model.insert(0, (name, body));
            let before = model.len();
            model.truncate(MAX_VARIANTS);
            let mut sum = 0;
            let fits = model.iter().take_while(|(_, body)| {
                sum += size(*body);
                sum <= limit
            });
            let fitting = fits.count().max(1);
            model.truncate(fitting);
            prop_assert_eq!(gone, before - model.len());
            for name in 0..40 {
                let expected = model.iter().find(|(known, _)| *known == name).map(|(_, body)| *body);
                prop_assert_eq!(length(&page, name), expected, "variant {}", name);
            }
        }
    }
}
