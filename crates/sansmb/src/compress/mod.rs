//! The algorithms of compressed messages, [MS-XCA] and LZ4.
//!
//! Each gives back exactly what went in. What a peer compressed is unpacked up to a length that the
//! caller names, in a time that grows with input and output, and the memory for it is taken as it
//! fills: a short input that promises much costs nothing before it keeps its promise.

mod input;
mod lz4;
mod lz77;
mod lz77_huffman;
mod lznt1;
mod matches;
mod output;
mod pattern;

use alloc::vec::Vec;

use self::{input::Input, matches::Budget, output::Output};
use crate::wire::CompressionAlgorithm;

pub use pattern::{run_at_end, run_at_start};

/// Why something cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecompressError {
    /// There is no such algorithm, or it has no data of its own to decompress.
    #[error("{0} is no way to compress data")]
    Algorithm(CompressionAlgorithm),
    /// It ends in the middle of something.
    #[error("the compressed data are cut off")]
    Truncated,
    /// A match begins before the first byte.
    #[error("a match begins before the first byte")]
    Distance,
    /// It says more than was promised.
    #[error("there are more data than was promised")]
    TooLong,
    /// It says less than was promised.
    #[error("there are less data than was promised")]
    TooShort,
    /// Something else that the format does not allow.
    #[error("{0}")]
    Malformed(&'static str),
}

/// Appends `input` to `out` in compressed form, at most `limit` bytes of it, and says whether that was
/// possible. Otherwise `out` is as before. Gives up after a part of `input` when it does not shrink
/// enough to keep to `limit` in the end.
///
/// `false` for algorithms that are none of LZNT1, LZ77, LZ77+Huffman and LZ4.
pub fn compress(algorithm: CompressionAlgorithm, input: &[u8], limit: usize, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let budget = Budget::new(input.len(), start, limit);
    // The positions in tables have 32 bits.
    let done = (input.len() < u32::MAX as usize).then(|| match algorithm {
        CompressionAlgorithm::LZNT1 => lznt1::compress(input, &budget, out),
        CompressionAlgorithm::LZ77 => lz77::compress(input, &budget, out),
        CompressionAlgorithm::LZ77_HUFFMAN => lz77_huffman::compress(input, &budget, out),
        CompressionAlgorithm::LZ4 => lz4::compress(input, &budget, out),
        _ => None,
    });
    let fits = done.flatten().is_some() && out.len() - start <= limit;
    if !fits {
        out.truncate(start);
    }
    fits
}

/// Appends to `out` what was compressed, which must be exactly `len` bytes. After an error `out` holds
/// some of them.
pub fn decompress(
    algorithm: CompressionAlgorithm,
    input: &[u8],
    len: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let end = out.len().checked_add(len).ok_or(DecompressError::TooLong)?;
    if algorithm == CompressionAlgorithm::LZ4 {
        return lz4::decompress(input, len, out);
    }
    let mut output = Output::new(out, end, input.len());
    let input = Input::new(input);
    match algorithm {
        CompressionAlgorithm::LZNT1 => lznt1::decompress(input, &mut output)?,
        CompressionAlgorithm::LZ77 => lz77::decompress(input, &mut output)?,
        CompressionAlgorithm::LZ77_HUFFMAN => lz77_huffman::decompress(input, &mut output)?,
        other => return Err(DecompressError::Algorithm(other)),
    }
    if output.is_full() { Ok(()) } else { Err(DecompressError::TooShort) }
}
