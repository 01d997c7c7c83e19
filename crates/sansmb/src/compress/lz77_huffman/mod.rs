//! LZ77+Huffman, [MS-XCA] 2.1 and 2.2.

mod code;
mod decode;
mod encode;

pub(super) use decode::decompress;
pub(super) use encode::compress;

/// Literals, then matches by length and by magnitude of the distance.
const SYMBOLS: usize = 512;
/// Bytes of the lengths of all codes, four bits each.
const TABLE_LEN: usize = SYMBOLS / 2;
/// The longest code in bits.
const MAX_BITS: u32 = 15;
/// What a block holds; only the last match of a peer may go beyond.
const BLOCK: usize = 1 << 16;
/// The end of the data. Before it, the shortest and closest match.
const END: usize = 256;
