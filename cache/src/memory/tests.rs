use super::{allocated, shared};

#[test]
fn a_piece_takes_the_next_of_four_sizes_between_powers_of_two() {
    let cases = [
        (0, 0),
        (1, 16),
        (16, 16),
        (17, 32),
        (24, 32),
        (64, 64),
        (65, 80),
        (128, 128),
        (129, 160),
        (160, 160),
        (161, 192),
        (256, 256),
        (257, 320),
        (1023, 1024),
        // With what is lost between them.
        (1024, 1120),
        (1025, 1400),
        (1281, 1680),
        (16_383, 17_920),
        // More between large ones.
        (16_384, 18_944),
        (16_385, 23_680),
        (65_535, 75_776),
        (65_536, 81_920),
        (65_537, 102_400),
    ];
    for (bytes, expected) in cases {
        assert_eq!(allocated(bytes), expected, "{bytes}");
    }
    assert_eq!(shared(32), 48);
}
