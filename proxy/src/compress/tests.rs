//! What is coded is what is decoded, and stays within what decoders accept.

use std::io::Read;

use evergate_cache::Coding;

use super::encode;

const MIB: usize = 1024 * 1024;

/// The largest window that a decoder of the `zstd` coding needs to support: 8 MB (RFC 9659 section 3).
const ZSTD_WINDOW: u32 = 23;

fn decode(coding: Coding, coded: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    match coding {
        Coding::Zstd => {
            let mut decoder = zstd::Decoder::new(coded).unwrap();
            decoder.window_log_max(ZSTD_WINDOW).unwrap();
            decoder.read_to_end(&mut body).unwrap();
        }
        Coding::Br => {
            brotli::Decompressor::new(coded, 4096).read_to_end(&mut body).unwrap();
        }
        Coding::Gzip => {
            // It reads one member and nothing after it.
            let mut decoder = flate2::bufread::GzDecoder::new(coded);
            decoder.read_to_end(&mut body).unwrap();
            assert!(decoder.into_inner().is_empty(), "a single member");
        }
    }
    body
}

/// Words in no order, so that they repeat as in a page and not as in a pattern.
fn text(length: usize) -> Vec<u8> {
    const WORDS: [&str; 12] = [
        "<p>",
        "</p>\n",
        "gateway ",
        "stored ",
        "response ",
        "is ",
        "fresh ",
        "\"id\": ",
        "42, ",
        "and ",
        "stale ",
        "é ",
    ];
    let mut random = fastrand::Rng::with_seed(1);
    let mut text = Vec::with_capacity(length + 16);
    while text.len() < length {
        text.extend_from_slice(WORDS[random.usize(..WORDS.len())].as_bytes());
    }
    text.truncate(length);
    text
}

fn noise(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(2);
    (0..length).map(|_| random.u8(..)).collect()
}

#[test]
fn what_is_coded_can_be_decoded() {
    // Name, body, whether it shrinks to less than half. Some are longer than the window of every coding.
    let cases = [
        ("nothing", Vec::new(), false),
        ("one byte", b"a".to_vec(), false),
        ("a line", b"{\"posts\":[]}\n".to_vec(), false),
        ("zeros", vec![0; MIB], true),
        ("a page", text(20_000), true),
        ("1 MiB of text", text(MIB), true),
        ("9 MiB of text", text(9 * MIB), true),
        ("1 MiB of noise", noise(MIB), false),
        ("noise twice, 3 MiB apart", [noise(3 * MIB), noise(3 * MIB)].concat(), false),
    ];
    for (name, body, shrinks) in &cases {
        for coding in Coding::ALL {
            let coded = encode(coding, body).unwrap();
            assert!(decode(coding, &coded) == *body, "{name} by {coding:?}");
            assert!(coded == encode(coding, body).unwrap(), "{name} by {coding:?} a second time");
            assert_eq!(coded.capacity(), coded.len(), "{name} by {coding:?}");
            let bound = body.len() + body.len() / 1000 + 64;
            assert!(coded.len() <= bound, "{name} by {coding:?}: {}", coded.len());
            if *shrinks {
                assert!(coded.len() < body.len() / 2, "{name} by {coding:?}: {}", coded.len());
            }
        }
    }
}

#[test]
fn zstd_tells_the_size_in_a_single_frame() {
    for body in [Vec::new(), text(100), text(9 * MIB)] {
        let coded = encode(Coding::Zstd, &body).unwrap();
        let size = zstd::zstd_safe::get_frame_content_size(&coded).unwrap();
        assert_eq!(size, Some(body.len() as u64));
        assert_eq!(zstd::zstd_safe::find_frame_compressed_size(&coded), Ok(coded.len()));
    }
}

#[test]
fn gzip_tells_neither_time_nor_name() {
    let coded = encode(Coding::Gzip, b"body").unwrap();
    // ID1, ID2, CM, FLG, MTIME (RFC 1952 section 2.3).
    assert_eq!(coded[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
}
