//! Canonical prefix codes of at most 15 bits, [MS-XCA] 2.1.4.2.

use alloc::{vec, vec::Vec};

use super::{MAX_BITS, SYMBOLS};

/// How often every symbol stands in a block.
pub(super) type Counts = [u32; SYMBOLS];
/// Bits of every symbol's code; zero: it has none.
pub(super) type Lengths = [u8; SYMBOLS];

/// The lengths of the best code, or of a good one where that has longer codes than there may be.
/// At least two symbols have to be there: a code of one is none.
pub(super) fn lengths(mut counts: Counts) -> Lengths {
    loop {
        if let Some(lengths) = huffman(&counts) {
            return lengths;
        }
        // Counts that differ less make codes that differ less; when all are one the longest has nine bits.
        for count in &mut counts {
            *count = count.div_ceil(2);
        }
    }
}

/// Huffman's code; `None` when it is too long.
fn huffman(counts: &Counts) -> Option<Lengths> {
    let mut leaves: Vec<(u32, usize)> =
        counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(at, n)| (*n, at)).collect();
    leaves.sort_unstable();
    // Weights of the leaves, then of the pairs in the order in which they are made, which is by weight.
    let mut weights: Vec<u32> = leaves.iter().map(|(count, _)| *count).collect();
    let mut parents = vec![0; weights.len() * 2];
    let (mut leaf, mut pair) = (0, leaves.len());
    for node in leaves.len()..(leaves.len() * 2).saturating_sub(1) {
        let mut sum = 0;
        for _ in 0..2 {
            let lighter = leaf < leaves.len() && (pair >= node || weights[leaf] <= weights[pair]);
            let next = if lighter { &mut leaf } else { &mut pair };
            sum += weights[*next];
            parents[*next] = node;
            *next += 1;
        }
        weights.push(sum);
    }
    // A parent comes behind its children; the root is the last.
    let mut depths = vec![0u32; weights.len()];
    for node in (0..weights.len().saturating_sub(1)).rev() {
        depths[node] = depths[parents[node]] + 1;
    }
    let mut lengths = [0; SYMBOLS];
    for ((_, symbol), depth) in leaves.iter().zip(depths) {
        if depth > MAX_BITS {
            return None;
        }
        lengths[*symbol] = depth as u8;
    }
    Some(lengths)
}

/// The codes that lengths stand for: by length, then by symbol.
pub(super) fn codes(lengths: &Lengths) -> [u16; SYMBOLS] {
    let mut codes = [0; SYMBOLS];
    let mut next = 0u32;
    for bits in 1..=MAX_BITS {
        next <<= 1;
        for (code, _) in codes.iter_mut().zip(lengths).filter(|(_, length)| u32::from(**length) == bits) {
            *code = next as u16;
            next += 1;
        }
    }
    codes
}
