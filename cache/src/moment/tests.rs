use std::time::Duration;

use super::Span;

#[test]
fn a_length_is_kept_to_the_nanosecond() {
    for length in [Duration::ZERO, Duration::new(1, 999_999_999), Duration::new(1_700_000_000, 123_456_789)] {
        assert_eq!(Span::from(length).get(), length);
    }
}

#[test]
fn a_length_without_end_is_kept_as_centuries() {
    assert!(Span::from(Duration::MAX).get() > Duration::from_secs(500 * 365 * 24 * 60 * 60));
}

#[test]
fn none_takes_no_room_of_its_own() {
    assert_eq!(size_of::<Option<Span>>(), 8);
}
