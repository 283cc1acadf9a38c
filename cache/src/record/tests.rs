//! What a record takes: there is one for each response.

use super::Record;
use crate::memory::allocated;
use crate::registry::Registry;
use crate::standing::Mark;

#[test]
fn a_record_takes_64_bytes_and_more_than_two_labels_stand_apart() {
    let registry = Registry::new();
    for (number, apart) in [(0, 0), (1, 0), (2, 0), (3, allocated(3 * 8)), (100, allocated(100 * 8))] {
        let names: Vec<[u8; 1]> = (0..number).map(|name| [name]).collect();
        let record = Record::new(&registry, names.iter().map(<[u8; 1]>::as_slice), Mark::default());
        assert_eq!(record.size() - record.charged(), 64 + apart, "{number} labels");
        assert_eq!(record.labels().len(), usize::from(number));
    }
    assert_eq!(registry.figures(), (0, 0), "a record lets go of its labels");
}
