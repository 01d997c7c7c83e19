//! The examples of [MS-XCA] 3.

use sansmb::wire::CompressionAlgorithm;

use super::{packed, packet::hex, packet::packet, unpacked};

fn example(name: &str) -> Vec<u8> {
    packet(&format!("../vectors/compression/{name}"))
}

#[test]
fn examples_of_lz77_and_huffman() {
    let letters: Vec<u8> = (b'a'..=b'z').collect();
    let abc = b"abc".repeat(100);
    for (name, text) in [("alphabet", &letters), ("abc", &abc)] {
        for (algorithm, prefix) in
            [(CompressionAlgorithm::LZ77, "lz77"), (CompressionAlgorithm::LZ77_HUFFMAN, "lz77_huffman")]
        {
            let compressed = example(&format!("{prefix}_{name}"));
            assert_eq!(unpacked(algorithm, &compressed, text.len()).as_ref(), Ok(text), "{algorithm} {name}");
            // In these there is only one way to say it, and we find it.
            let ours = packed(algorithm, text, usize::MAX).unwrap();
            assert_eq!(hex(&ours), hex(&compressed), "{algorithm} {name}");
        }
    }
}

#[test]
fn example_of_lznt1() {
    let notes = "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\0";
    let compressed = example("lznt1_notes");
    let text = unpacked(CompressionAlgorithm::LZNT1, &compressed, notes.len()).unwrap();
    assert_eq!(text, notes.as_bytes());
    // The end of the buffer may be told or not.
    let with_end = [&compressed[..], &[0, 0]].concat();
    assert_eq!(unpacked(CompressionAlgorithm::LZNT1, &with_end, notes.len()).unwrap(), notes.as_bytes());
}

/// [MS-XCA] 2.1.4.3: the end is told by a symbol that a decoder need not have.
#[test]
fn huffman_without_the_end() {
    let compressed = example("lz77_huffman_alphabet");
    // Bits of 26 letters: 21 of five, five of four. 125 bits are eight words, and one is read ahead.
    for len in [256 + 16, 256 + 18, compressed.len()] {
        let text = unpacked(CompressionAlgorithm::LZ77_HUFFMAN, &compressed[..len], 26).unwrap();
        assert_eq!(text, (b'a'..=b'z').collect::<Vec<_>>(), "{len}");
    }
    let cut = &compressed[..256 + 14];
    assert!(unpacked(CompressionAlgorithm::LZ77_HUFFMAN, cut, 26).is_err());
}
