//! What is compressed comes out as it went in.

use proptest::{collection::vec, prelude::*, sample::select};
use sansmb::{
    compress::{compress, run_at_end, run_at_start},
    wire::CompressionAlgorithm,
};

use super::{ALGORITHMS, packed, unpacked};

/// Data of the kind that files have: noise, runs, repetitions from near and far.
fn data(limit: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..300).prop_map(|noise| (noise, 1)),
        (any::<u8>(), 1..5000usize).prop_map(|(byte, n)| (vec![byte; n], 1)),
        (vec(select(&b"ab \n"[..]), 1..40), 1..400usize),
    ];
    vec((piece, any::<prop::sample::Index>(), 0..2000usize), 0..20).prop_map(move |pieces| {
        let mut data = Vec::new();
        for ((bytes, times), from, again) in pieces {
            data.extend(bytes.repeat(times));
            if !data.is_empty() {
                let from = from.index(data.len());
                data.extend_from_within(from..data.len().min(from + again));
            }
        }
        data.truncate(limit);
        data
    })
}

fn check(data: &[u8]) {
    for algorithm in ALGORITHMS {
        let compressed = packed(algorithm, data, usize::MAX).expect("there is no limit");
        assert_eq!(unpacked(algorithm, &compressed, data.len()).as_deref(), Ok(data), "{algorithm}");
        // Within a limit it is the same or nothing.
        for limit in [0, compressed.len().saturating_sub(1), compressed.len()] {
            if let Some(within) = packed(algorithm, data, limit) {
                assert!(within.len() <= limit && within == compressed, "{algorithm} {limit}");
            }
        }
        // One byte more or fewer than there are is an error.
        if let Some(fewer) = data.len().checked_sub(1) {
            // The end of Huffman's data is where enough of them are.
            let lax = algorithm == CompressionAlgorithm::LZ77_HUFFMAN && data.ends_with(&data[fewer..]);
            assert!(unpacked(algorithm, &compressed, fewer).is_err() || lax, "{algorithm}");
        }
        let more = unpacked(algorithm, &compressed, data.len() + 1);
        let lax = algorithm == CompressionAlgorithm::LZ77_HUFFMAN;
        assert!(more.is_err() || lax, "{algorithm}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn everything_comes_back(data in data(200_000)) {
        check(&data);
    }

    #[test]
    fn short_data_come_back(data in vec(select(&[0u8, 0, 0, 1, 2, 255][..]), 0..100)) {
        check(&data);
    }

    #[test]
    fn runs_are_counted(byte in any::<u8>(), n in 0..300usize, other in any::<u8>(), rest in 0..20usize) {
        prop_assume!(byte != other);
        let data = [vec![byte; n], vec![other; rest]].concat();
        assert_eq!(run_at_start(&data), if n > 0 { n } else { rest });
        assert_eq!(run_at_end(&data), if rest > 0 { rest } else { n });
    }
}

/// Lengths and distances at the edges of every format's fields, and blocks of 64 KiB.
#[test]
fn edges_come_back() {
    for len in
        [0, 1, 2, 3, 4, 9, 10, 24, 25, 26, 279, 280, 281, 282, 4095, 4096, 4097, 65535, 65536, 65537, 70_000]
    {
        check(&vec![7; len]);
        let mut mixed: Vec<u8> = (0..len).map(|n| (n * n / 7) as u8).collect();
        check(&mixed);
        mixed.extend_from_within(..);
        check(&mixed);
    }
    for distance in [1, 2, 8, 4095, 4096, 8191, 8192, 8193, 65_535, 65_536] {
        let start: Vec<u8> =
            (0..distance as u32).flat_map(|n| n.wrapping_mul(0x9E37_79B1).to_le_bytes()).collect();
        let mut data = start[..distance].to_vec();
        data.extend_from_within(..distance.min(100));
        check(&data);
    }
    // Longer than 16 bits can say.
    check(&vec![0; 200_000]);
}

/// Every byte and every length of code: counts that grow like Fibonacci's numbers make the longest codes.
#[test]
fn skewed_counts_come_back() {
    let (mut a, mut b) = (1usize, 1usize);
    let mut data = Vec::new();
    let mut letter = 0u8;
    while data.len() + a < 64_000 {
        // Not in runs, which would become matches.
        data.extend(std::iter::repeat_n(letter, a));
        (a, b) = (b, a + b);
        letter += 1;
    }
    let mut state = 1u32;
    for at in (1..data.len()).rev() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        data.swap(at, state as usize % (at + 1));
    }
    check(&data);
    check(&(0..=255).collect::<Vec<u8>>());
}

/// What does not shrink is given up after a part of it.
#[test]
fn noise_is_given_up_early() {
    let mut state = 1u32;
    let mut noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(100_000)
    .collect();
    // So much that it would shrink in the end.
    noise.resize(1_000_000, 0);
    for algorithm in ALGORITHMS {
        let mut out = Vec::new();
        assert!(!compress(algorithm, &noise, 15 * noise.len() / 16, &mut out), "{algorithm}");
        assert!(out.is_empty());
        // With patience it does.
        assert!(compress(algorithm, &noise, 2 * noise.len(), &mut out), "{algorithm}");
        assert!(out.len() < 130_000, "{algorithm}: {}", out.len());
    }
}

/// Text becomes much smaller: nobody would use it otherwise.
#[test]
fn text_shrinks() {
    let text = include_str!("../../../../docs/abuse.md").repeat(3);
    for (algorithm, percent) in ALGORITHMS.into_iter().zip([70, 50, 45, 45]) {
        let compressed = packed(algorithm, text.as_bytes(), text.len()).expect("it shrinks");
        let len = compressed.len() * 100 / text.len();
        assert!(len < percent, "{algorithm}: {len} %");
    }
}
