//! Data that lie: rows F12, F13 and F15 of docs/abuse.md.

use proptest::{collection::vec, prelude::*};
use sansmb::{
    compress::{DecompressError, decompress},
    wire::CompressionAlgorithm,
};

use super::{ALGORITHMS, packed, unpacked};

const HUFFMAN: CompressionAlgorithm = CompressionAlgorithm::LZ77_HUFFMAN;

#[test]
fn f12_a_few_bytes_that_promise_gigabytes_take_no_memory() {
    let inputs: [&[u8]; 6] = [
        &[],
        &[0; 20],
        &[0xFF; 20],
        &[0xFF, 0xFF, 0xFF, 0x7F, b'a', 0x07, 0x00],
        &[0x03, 0xB0, 0x02, b'a', 0xFF, 0x0F],
        &[0x1F, b'a', 1, 0, 100],
    ];
    for algorithm in ALGORITHMS {
        for input in inputs {
            let mut out = Vec::new();
            assert!(
                decompress(algorithm, input, u32::MAX as usize, &mut out).is_err(),
                "{algorithm} {input:?}"
            );
            assert!(out.capacity() <= 16 << 10, "{algorithm} {input:?}: {}", out.capacity());
        }
    }
    // A length of four gigabytes in a match, where a few kilobytes are expected.
    let huge = [0xFF, 0xFF, 0xFF, 0x7F, b'a', 0x07, 0x00, 0x0F, 0xFF, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
    let mut out = Vec::new();
    assert_eq!(decompress(CompressionAlgorithm::LZ77, &huge, 5000, &mut out), Err(DecompressError::TooLong));
    assert!(out.capacity() <= 16 << 10);
}

#[test]
fn f13_fewer_bytes_than_promised_are_an_error() {
    let text = b"to be or not to be, that is not to be answered".repeat(20);
    for algorithm in ALGORITHMS {
        let compressed = packed(algorithm, &text, usize::MAX).unwrap();
        for len in 0..compressed.len() {
            // Huffman's data end with a symbol and padding that nobody needs.
            if algorithm == HUFFMAN && len + 6 >= compressed.len() {
                continue;
            }
            assert!(unpacked(algorithm, &compressed[..len], text.len()).is_err(), "{algorithm} {len}");
        }
        assert!(unpacked(algorithm, &compressed, text.len() - 1).is_err() || algorithm == HUFFMAN);
        assert!(unpacked(algorithm, &compressed, text.len() + 1000).is_err(), "{algorithm}");
    }
}

#[test]
fn f15_matches_before_the_first_byte_are_an_error() {
    let distance = Err(DecompressError::Distance);
    // At the very start, and one byte too far.
    assert_eq!(unpacked(CompressionAlgorithm::LZ77, &[0xFF, 0xFF, 0xFF, 0xFF, 0, 0], 3), distance);
    assert_eq!(unpacked(CompressionAlgorithm::LZ77, &[0xFF, 0xFF, 0xFF, 0x7F, b'a', 8, 0], 4), distance);
    assert_eq!(unpacked(CompressionAlgorithm::LZNT1, &[2, 0xB0, 1, 0, 0], 3), distance);
    assert_eq!(unpacked(CompressionAlgorithm::LZNT1, &[3, 0xB0, 2, b'a', 0, 0x10], 4), distance);
    assert_eq!(unpacked(CompressionAlgorithm::LZ4, &[0x10, b'a', 2, 0, 0], 5), distance);
    assert_eq!(unpacked(CompressionAlgorithm::LZ4, &[0x10, b'a', 0, 0, 0], 5), distance);
    // A code of two symbols: the match of three bytes from one byte ago, and the letter 0.
    let mut huffman = vec![0; 260];
    (huffman[0], huffman[128]) = (1, 1);
    (huffman[256], huffman[257]) = (0xFF, 0xFF);
    assert_eq!(unpacked(HUFFMAN, &huffman, 3), distance);
    // Chunks do not see each other.
    let chunks = [2, 0x30, b'a', b'b', b'c', 2, 0xB0, 1, 0, 0];
    assert_eq!(unpacked(CompressionAlgorithm::LZNT1, &chunks, 6), distance);
}

#[test]
fn f15_tables_that_are_no_code_are_an_error() {
    for table in [0x00, 0x11, 0x10, 0x88, 0xAA, 0xFF] {
        let mut data = vec![table; 256];
        data.extend([0; 64]);
        let error = unpacked(HUFFMAN, &data, 100).unwrap_err();
        assert!(matches!(error, DecompressError::Malformed(_)), "{table:#x}: {error}");
    }
    // Nine bits for each of 512 symbols are one.
    let data = [vec![0x99; 256], vec![0; 200]].concat();
    assert_eq!(unpacked(HUFFMAN, &data, 100), Ok(vec![0; 100]));
    assert_eq!(unpacked(HUFFMAN, &data, 1000), Err(DecompressError::Truncated));
}

#[test]
fn f15_lengths_that_are_long_and_short_are_an_error() {
    let short = [0xFF, 0xFF, 0xFF, 0x7F, b'a', 7, 0, 0x0F, 0xFF, 21, 0];
    let error = unpacked(CompressionAlgorithm::LZ77, &short, 100).unwrap_err();
    assert!(matches!(error, DecompressError::Malformed(_)));
    let chunk = [2, 0x90, 0, b'a', b'b'];
    let error = unpacked(CompressionAlgorithm::LZNT1, &chunk, 2).unwrap_err();
    assert!(matches!(error, DecompressError::Malformed(_)), "a chunk with another signature");
}

#[test]
fn algorithms_without_data_are_an_error() {
    for algorithm in [0, 4, 6, 0xFFFF].map(CompressionAlgorithm) {
        assert_eq!(unpacked(algorithm, &[1; 8], 8), Err(DecompressError::Algorithm(algorithm)));
        assert_eq!(packed(algorithm, &[1; 1000], usize::MAX), None);
    }
}

proptest! {
    #[test]
    fn f15_noise_never_gives_more_than_was_asked_for(
        data in vec(any::<u8>(), 0..600),
        len in 0..100_000usize,
        table in any::<bool>(),
    ) {
        for algorithm in ALGORITHMS {
            let mut data = data.clone();
            if algorithm == HUFFMAN && table && data.len() >= 256 {
                data[..256].fill(0x99);
            }
            let mut out = Vec::new();
            let result = decompress(algorithm, &data, len, &mut out);
            assert!(out.len() <= len);
            assert!(result.is_err() || out.len() == len);
        }
    }

    #[test]
    fn f15_changed_bytes_do_no_harm(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let text = b"to be or not to be, that is not to be answered".repeat(20);
        for algorithm in ALGORITHMS {
            let mut compressed = packed(algorithm, &text, usize::MAX).unwrap();
            let at = at.index(compressed.len());
            compressed[at] = byte;
            let _ = unpacked(algorithm, &compressed, text.len());
        }
    }
}
