use super::{MOST, MOST_HEAVY, Placeholders, TYPICAL_PAGE};
use crate::store::Store;

const MIB: u64 = 1 << 20;

#[test]
fn as_many_typical_pages_are_counted_for_as_fit() {
    for capacity in [MIB, 256 * MIB, 1000 * MIB, 4096 * MIB, 18 * 1024 * MIB] {
        let Placeholders { number, heavy, weight } = Placeholders::for_capacity(capacity).unwrap();
        // As moka counts: `enable_frequency_sketch` in its `base_cache.rs`.
        let pages = number as f64 * ((heavy * u64::from(weight)) as f64 / capacity as f64);
        let fit = (capacity / TYPICAL_PAGE) as f64;
        assert!((fit..1.01 * fit + 1.0).contains(&pages), "{pages} for {fit} in {capacity}");
        assert!(heavy <= MOST_HEAVY.min(number) && number <= MOST, "{heavy} of {number} for {capacity}");
    }
}

#[test]
fn a_store_may_be_too_small_or_too_large_for_it() {
    for capacity in [0, 20 * 1024 * MIB, 1 << 50, u64::MAX] {
        assert_eq!(Placeholders::for_capacity(capacity), None, "{capacity}");
    }
    for capacity in [1, 59, 60, 1000, TYPICAL_PAGE] {
        let Placeholders { number, heavy, weight } = Placeholders::for_capacity(capacity).unwrap();
        assert_eq!((number, heavy), (1, 1), "{capacity}");
        assert!(2 * u64::from(weight) >= capacity, "moka has to look: {weight} for {capacity}");
    }
}

#[test]
fn nothing_is_left_of_it() {
    for capacity in [0, 1, 1000, MIB, 256 * MIB, 4096 * MIB, 1 << 40, u64::MAX] {
        let store = Store::new(capacity);
        let figures = store.figures();
        assert_eq!((figures.entries, figures.bytes, figures.evicted_for_size), (0, 0, 0), "{capacity}");
        assert_eq!(store.pages().count(), 0, "{capacity}");
    }
}
