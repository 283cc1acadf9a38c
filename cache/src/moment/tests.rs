use std::time::{Duration, SystemTime};

use super::{Moment, Span, Stamp};

#[test]
fn a_moment_is_kept_to_the_nanosecond() {
    let lengths = [Duration::ZERO, Duration::new(1, 999_999_999), Duration::new(1_700_000_000, 123_456_789)];
    for length in lengths {
        for wall in [SystemTime::UNIX_EPOCH + length, SystemTime::UNIX_EPOCH - length] {
            let moment = Moment { wall, monotonic: length };
            assert_eq!(Stamp::from(moment).moment(), moment);
        }
        assert_eq!(Span::from(length).get(), length);
    }
}

#[test]
fn a_length_without_end_is_kept_as_centuries() {
    let centuries = Duration::from_secs(500 * 365 * 24 * 60 * 60);
    assert!(Span::from(Duration::MAX).get() > centuries);
    let far = Moment { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40), monotonic: Duration::MAX };
    assert!(Stamp::from(far).moment().wall > SystemTime::UNIX_EPOCH + centuries / 2);
}

#[test]
fn none_takes_no_room_of_its_own() {
    assert_eq!(size_of::<Option<Span>>(), 8);
    assert_eq!(size_of::<Stamp>(), 16);
}
